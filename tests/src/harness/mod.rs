//! A town and its phones for tests of the whole: real server over real HTTP on loopback, real device engine with an encrypted store each. Injected are the
//! clock, chance, and everything that can go wrong on the way ([`crate::link::Link`], [`line::Line`], killed processes).
//!
//! All chance is drawn from one seed, which a failing test prints. `FIELDGRID_SEED=N` plays that seed alone; `FIELDGRID_LONG=N` makes every scenario N times
//! as long: more seeds, more kills.

pub mod agree;
pub mod clock;
pub mod forger;
pub mod line;
pub mod phone;
pub mod process;
pub mod scene;
pub mod typing;

use std::io::Write as _;

/// How much longer than in CI the scenarios are to be played.
///
/// # Panics
/// When `FIELDGRID_LONG` is not a number.
#[must_use]
pub fn long() -> u64 {
    std::env::var("FIELDGRID_LONG").map_or(1, |times| times.parse().expect("FIELDGRID_LONG is a number"))
}

/// The seeds to play: the one that `FIELDGRID_SEED` names, or the first `short`, or in long form many more.
///
/// # Panics
/// When `FIELDGRID_SEED` is not a number.
#[must_use]
pub fn seeds(short: u64) -> Vec<u64> {
    match std::env::var("FIELDGRID_SEED") {
        Ok(seed) => vec![seed.parse().expect("FIELDGRID_SEED is a number")],
        Err(_) => (1..=short * long()).collect(),
    }
}

/// Says which seed failed, when it is dropped in a panic.
#[derive(Debug)]
pub struct Told(pub u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let name = std::thread::current().name().unwrap_or_default().to_owned();
            drop(writeln!(std::io::stderr(), "replay: FIELDGRID_SEED={} cargo test -p fieldgrid-tests --test scenarios {name}", self.0));
        }
    }
}
