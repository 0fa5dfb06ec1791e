//! Time that is moved by hand, and chance from a seed.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use fastrand::Rng;
use fieldgrid_core::env::{Environment, System};

/// 2026-06-01, 08:00 in Hanzhong.
const MORNING_MS: i64 = 1_780_272_000_000;

/// A day that everyone shares, moved by hand.
#[derive(Debug)]
pub struct Day(AtomicI64);

impl Day {
    /// In the morning.
    #[must_use]
    pub fn begin() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(MORNING_MS)))
    }

    /// Time goes on.
    pub fn pass(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }

    /// The time, milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A machine: the day's clock or, where a process of its own takes part, the real one; and its own run of chance.
#[derive(Debug)]
pub struct Machine {
    day: Option<Arc<Day>>,
    system: System,
    rng: Mutex<Rng>,
}

impl Machine {
    /// A machine on which `day` is shown, or the real time.
    #[must_use]
    pub fn new(day: Option<Arc<Day>>, seed: u64) -> Arc<Self> {
        Arc::new(Self { day, system: System::new(), rng: Mutex::new(Rng::with_seed(seed)) })
    }
}

impl Environment for Machine {
    fn wall_ms(&self) -> i64 {
        self.day.as_ref().map_or_else(|| self.system.wall_ms(), |day| day.now_ms())
    }

    fn mono_ms(&self) -> u64 {
        self.day.as_ref().map_or_else(|| self.system.mono_ms(), |day| u64::try_from(day.now_ms() - MORNING_MS).unwrap_or(0) + 1_000)
    }

    fn fill(&self, bytes: &mut [u8]) {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
    }
}
