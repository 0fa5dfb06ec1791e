//! What the engine takes from outside: time and randomness. Injected, so that tests decide both.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::domain::time::Stamp;

/// Time and randomness of the machine the engine runs on.
pub trait Environment: Send + Sync + std::fmt::Debug {
    /// Wall clock, milliseconds since 1970. May be wrong and may jump: never used for order.
    fn wall_ms(&self) -> i64;
    /// Milliseconds since boot; never goes back while the machine runs.
    fn mono_ms(&self) -> u64;
    /// Fills `bytes` from a cryptographic source.
    fn fill(&self, bytes: &mut [u8]);

    /// Both clocks at once.
    fn stamp(&self) -> Stamp {
        Stamp { wall_ms: self.wall_ms(), mono_ms: self.mono_ms() }
    }

    /// Random bytes.
    fn random<const N: usize>(&self) -> [u8; N]
    where
        Self: Sized,
    {
        random(self)
    }
}

/// `N` random bytes from `env`; works on a trait object too.
pub fn random<const N: usize>(env: &(impl Environment + ?Sized)) -> [u8; N] {
    let mut bytes = [0; N];
    env.fill(&mut bytes);
    bytes
}

/// The real clocks and the operating system's randomness.
#[derive(Debug)]
pub struct System {
    started: Instant,
}

impl System {
    /// A handle on this machine.
    #[must_use]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for System {
    fn default() -> Self {
        Self::new()
    }
}

impl Environment for System {
    fn wall_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn mono_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives randomness");
    }
}
