//! A day of seven phones on which everything goes wrong by chance.

use std::time::Duration;

use fieldgrid_core::domain::grant::Role;
use fieldgrid_tests::harness::agree::agree;
use fieldgrid_tests::harness::phone::Phone;
use fieldgrid_tests::harness::scene::Scene;
use fieldgrid_tests::harness::{long, seeds, typing};
use futures_util::future::join_all;

const STEPS: u64 = 30;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_everyone_agrees_in_the_end_and_nothing_typed_is_missing() {
    for seed in seeds(3) {
        let mut scene = Scene::set(seed).await;
        let mut phones = scene.crew().await;
        for n in 0..STEPS * long().min(4) {
            step(&mut scene, &mut phones).await;
            if n == STEPS / 2 {
                // Someone new, to whom a grid with a past comes as a pack.
                let grid = scene.grids[0];
                phones.push(scene.phone("xin", Role::GridMember, grid).await);
            }
        }
        for phone in &phones {
            phone.link.set_down(false);
            phone.line.restore();
            // A cut that is still to come comes now.
            phone.sync().await;
            phone.sync().await;
        }
        let phones: Vec<&Phone> = phones.iter().collect();
        scene.settle(&phones).await;
        let reckoning = agree(scene.town(), &phones);
        let typed: usize = phones.iter().map(|phone| phone.typed.len()).sum();
        assert!(typed > 60, "{typed} typed");
        assert_eq!((reckoning.received, reckoning.refused.len()), (typed, 0), "seed {seed}: {reckoning:?}");
    }
}

async fn step(scene: &mut Scene, phones: &mut [Phone]) {
    let (grids, org) = (scene.grids.clone(), scene.org);
    for phone in phones.iter_mut() {
        for _ in 0..scene.rng.u8(..3) {
            typing::act(phone, &grids, org, &mut scene.rng);
        }
        match scene.rng.u8(..20) {
            0 => phone.link.set_down(true),
            1..=4 => phone.link.set_down(false),
            5 => phone.link.cut_down_after(scene.rng.u32(..2_000)),
            6 => phone.link.cut_up_after(scene.rng.u32(..2_000)),
            7 => phone.line.lose_answers(),
            8..=10 => phone.line.restore(),
            11 => phone.line.lost_after(scene.rng.u32(..3)),
            12 => {
                phone.close();
                phone.open();
            }
            _ => {}
        }
    }
    if scene.rng.u8(..12) == 0 {
        scene.stop().await;
        // Some find it closed.
        phones[0].sync().await;
        scene.serve();
    }
    let syncing: Vec<&Phone> = phones.iter().filter(|_| scene.rng.u8(..3) > 0).collect();
    if scene.rng.bool() {
        join_all(syncing.iter().map(|phone| phone.sync())).await;
    } else {
        for phone in syncing {
            phone.sync().await;
        }
    }
    let passed = Duration::from_secs(scene.rng.u64(..1_800));
    scene.pass(passed);
}
