//! A server that lies, between a real phone and a real town.

use std::path::Path;

use fastrand::Rng;
use fieldgrid_tests::harness::{Told, seeds};
use fieldgrid_tests::liar::endure;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_server_says_everything_comes_home_in_the_end() {
    for seed in seeds(24) {
        let _told = Told(seed);
        let mut rng = Rng::with_seed(seed);
        let mut script = vec![0; rng.usize(16..160)];
        rng.fill(&mut script);
        endure(&script).await;
    }
}

/// Scripts that found something once.
#[tokio::test(flavor = "multi_thread")]
async fn the_lies_that_were_not_endured_once_are_endured() {
    let crashers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/crashers/lies");
    for script in std::fs::read_dir(crashers).expect("the folder is there") {
        let path = script.expect("a file").path();
        println!("{}", path.display());
        endure(&std::fs::read(path).expect("a script")).await;
    }
}
