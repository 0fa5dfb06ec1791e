//! The demo's time and chance: one clock for all phones, which a fixed day moves by hand, and randomness from a seed.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use fastrand::Rng;
use fieldgrid_core::env::{Environment, System};

/// A day that is moved by hand.
#[derive(Debug)]
pub struct DayClock {
    wall_ms: AtomicI64,
    began_ms: i64,
}

impl DayClock {
    /// A day that begins at `wall_ms`.
    #[must_use]
    pub fn new(wall_ms: i64) -> Arc<Self> {
        Arc::new(Self { wall_ms: AtomicI64::new(wall_ms), began_ms: wall_ms })
    }

    /// Time goes on.
    pub fn advance(&self, ms: i64) {
        self.wall_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// What the clock says.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.wall_ms.load(Ordering::SeqCst)
    }
}

/// A machine in the demo: its clock, and its own run of randomness.
#[derive(Debug)]
pub struct DemoEnvironment {
    day: Option<Arc<DayClock>>,
    system: System,
    rng: Mutex<Rng>,
}

impl DemoEnvironment {
    /// With the day's clock, or the real one where the demo is watched live.
    #[must_use]
    pub fn new(day: Option<Arc<DayClock>>, seed: u64) -> Self {
        Self { day, system: System::new(), rng: Mutex::new(Rng::with_seed(seed)) }
    }
}

impl Environment for DemoEnvironment {
    fn wall_ms(&self) -> i64 {
        self.day.as_ref().map_or_else(|| self.system.wall_ms(), |day| day.now_ms())
    }

    fn mono_ms(&self) -> u64 {
        self.day.as_ref().map_or_else(|| self.system.mono_ms(), |day| u64::try_from(day.now_ms() - day.began_ms).unwrap_or(0))
    }

    fn fill(&self, bytes: &mut [u8]) {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
    }
}
