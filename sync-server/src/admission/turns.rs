//! Whose turn it is to be judged, and how much a device may bring.
//!
//! Judging takes CPU, and how much is for whoever wrote the changes to choose. So a device has one request at work; a turn goes to the device that
//! had the least of them lately; and who is long at it gives way to one that had less. A crowd that makes judging dear waits for itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fieldgrid_core::domain::id::DeviceId;
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore, oneshot};

use super::AdmissionError;
use crate::store::StoreError;
use crate::telemetry::metrics as m;

/// Requests of one device at once: one at work, and the one that a phone sends again when its line broke.
const REQUESTS: usize = 2;
/// After so long a turn is given up to a device that had less.
const SLICE: Duration = Duration::from_millis(20);
/// In this time half of what a device had is forgotten.
const HALF_LIFE: Duration = Duration::from_secs(10);
/// KiB of batches that may wait or be judged at once: what a hostile crowd can make the server hold. Beyond it the server is busy.
const IN_FLIGHT_KIB: usize = 64 << 10;
/// The last of them are for small requests, so that a crowd of large ones does not keep an evening's work out.
const FOR_SMALL_KIB: usize = 16 << 10;
/// A small request. An evening's work is a tenth of it.
const SMALL_KIB: u32 = 512;
/// Devices remembered before those are forgotten of which nothing counts any more.
const REMEMBERED: usize = 1_024;
const HOUR_S: f64 = 3_600.0;

/// What one device may bring, at once or in an hour. Beyond it, it is told to come later, and keeps what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Changes and facts.
    pub items: u32,
    /// Bytes of batches, as sealed.
    pub bytes: u64,
}

impl Default for Quota {
    /// A hard evening is 150 items, 30 KB: this is a hundred of them at once, for a phone that comes back after a season or to a restored server.
    fn default() -> Self {
        Self { items: 20_000, bytes: 128 << 20 }
    }
}

/// The turns of all devices.
#[derive(Debug)]
pub(super) struct Turns {
    quota: Quota,
    all: Arc<Semaphore>,
    large: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    waiting: Vec<Waiting>,
    devices: HashMap<DeviceId, Account>,
}

#[derive(Debug)]
struct Waiting {
    device: DeviceId,
    give: oneshot::Sender<Turn>,
}

/// What a device has and had.
#[derive(Debug)]
struct Account {
    /// Requests that wait or are at work.
    requests: usize,
    at_work: Arc<tokio::sync::Mutex<()>>,
    /// Seconds of turns, the older the less.
    had: f64,
    /// The part of its quota that is used up.
    used: f64,
    since: Instant,
}

impl Account {
    fn new(now: Instant) -> Self {
        Self { requests: 0, at_work: Arc::default(), had: 0.0, used: 0.0, since: now }
    }

    /// As it is now.
    fn at(&mut self, now: Instant) -> &mut Self {
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        self.had *= (-passed / HALF_LIFE.as_secs_f64()).exp2();
        self.used = (self.used - passed / HOUR_S).max(0.0);
        self.since = now;
        self
    }

    fn counts(&self) -> bool {
        self.requests > 0 || self.used > 0.0 || self.had > 0.001
    }
}

/// A request among those that wait or are at work.
#[derive(Debug)]
pub(super) struct Place {
    turns: Arc<Turns>,
    device: DeviceId,
    _memory: (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>),
}

/// Leave to use a core. When it is dropped, the next has it.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Arc<Turns>,
    device: DeviceId,
    began: Instant,
}

impl Turns {
    pub(super) fn new(cores: usize, quota: Quota) -> Arc<Self> {
        let semaphore = |kib| Arc::new(Semaphore::new(kib));
        let state = State { free: cores.max(1), waiting: Vec::new(), devices: HashMap::new() };
        Arc::new(Self { quota, all: semaphore(IN_FLIGHT_KIB), large: semaphore(IN_FLIGHT_KIB - FOR_SMALL_KIB), state: Mutex::new(state) })
    }

    /// Takes a request of so many bytes in, or says that its device is to come later.
    pub(super) fn enter(self: &Arc<Self>, device: DeviceId, bytes: usize) -> Result<Place, AdmissionError> {
        let kib = u32::try_from(1 + bytes / 1024).map_err(|_| AdmissionError::Busy)?;
        let permit = |of: &Arc<Semaphore>| Arc::clone(of).try_acquire_many_owned(kib).map_err(|_| AdmissionError::Busy);
        let memory = (permit(&self.all)?, if kib > SMALL_KIB { Some(permit(&self.large)?) } else { None });
        let mut state = self.state();
        if state.devices.len() > REMEMBERED {
            let now = Instant::now();
            state.devices.retain(|_, account| account.at(now).counts());
        }
        let account = state.account(device);
        if account.used >= 1.0 {
            return Err(AdmissionError::TooMuch { retry_after_s: ((account.used - 1.0) * HOUR_S) as u32 + 1 });
        }
        if account.requests >= REQUESTS {
            return Err(AdmissionError::Busy);
        }
        account.requests += 1;
        account.used += bytes as f64 / self.quota.bytes as f64;
        drop(state);
        Ok(Place { turns: Arc::clone(self), device, _memory: memory })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A turn, as soon as it is this device's.
    fn ask(self: &Arc<Self>, device: DeviceId) -> oneshot::Receiver<Turn> {
        let (give, turn) = oneshot::channel();
        let mut state = self.state();
        if state.free == 0 {
            state.waiting.push(Waiting { device, give });
        } else {
            state.free -= 1;
            drop(state);
            self.give(Waiting { device, give });
        }
        turn
    }

    /// Should nobody wait there any more, the turn goes on to the next as it is dropped.
    fn give(self: &Arc<Self>, to: Waiting) {
        drop(to.give.send(Turn { turns: Arc::clone(self), device: to.device, began: Instant::now() }));
    }
}

impl State {
    fn account(&mut self, device: DeviceId) -> &mut Account {
        let now = Instant::now();
        self.devices.entry(device).or_insert_with(|| Account::new(now)).at(now)
    }

    /// The place in the queue of whoever had the least; of several, the one that came first.
    fn next(&mut self) -> Option<usize> {
        let (now, Self { waiting, devices, .. }) = (Instant::now(), self);
        let had = waiting.iter().map(|waiting| devices.get_mut(&waiting.device).map_or(0.0, |account| account.at(now).had));
        had.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(place, _)| place)
    }
}

impl Place {
    /// Waits until no other request of this device is at work.
    pub(super) async fn alone(&self) -> OwnedMutexGuard<()> {
        let at_work = Arc::clone(&self.turns.state().account(self.device).at_work);
        at_work.lock_owned().await
    }

    pub(super) async fn turn(&self) -> Result<Turn, StoreError> {
        let _waiting = m::Level::raise(m::ADMISSION_WAITING);
        self.turns.ask(self.device).await.map_err(|_| StoreError::Closed)
    }

    /// Counts what the device brought.
    pub(super) fn brought(&self, items: usize) {
        self.turns.state().account(self.device).used += items as f64 / f64::from(self.turns.quota.items);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.turns.state().account(self.device).requests -= 1;
    }
}

impl Turn {
    /// Whether a device waits that had less than this one, which has been at it for a while.
    pub(super) fn is_over(&self) -> bool {
        let now = self.began.elapsed();
        if now < SLICE {
            return false;
        }
        let mut state = self.turns.state();
        let had = state.account(self.device).had + now.as_secs_f64();
        state.next().map(|next| state.waiting[next].device).is_some_and(|next| state.account(next).had < had)
    }

    /// Lets the others have theirs, and waits for another one.
    ///
    /// # Errors
    /// [`StoreError::Closed`].
    pub(super) fn give_way(self) -> Result<Self, StoreError> {
        let again = self.turns.ask(self.device);
        drop(self);
        again.blocking_recv().map_err(|_| StoreError::Closed)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.turns.state();
        state.account(self.device).had += self.began.elapsed().as_secs_f64();
        match state.next() {
            None => state.free += 1,
            Some(next) => {
                let next = state.waiting.remove(next);
                drop(state);
                self.turns.give(next);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(n: u8) -> DeviceId {
        DeviceId::new(0, [n; 10])
    }

    #[tokio::test]
    async fn a_turn_goes_to_the_device_that_had_least() {
        let turns = Turns::new(1, Quota::default());
        let [greedy, modest] = [1, 2].map(|n| turns.enter(device(n), 1_000).unwrap());
        let turn = greedy.turn().await.unwrap();
        assert!(!turn.is_over(), "nobody waits");
        std::thread::sleep(SLICE);
        let again = turns.ask(greedy.device);
        let first = turns.ask(modest.device);
        assert!(turn.is_over());
        drop(turn);
        let first = first.await.unwrap();
        assert!(!first.is_over(), "the one that waits had more");
        drop(first);
        drop(again.await.unwrap());
        assert_eq!(turns.state().free, 1);
    }

    #[tokio::test]
    async fn a_turn_that_nobody_takes_goes_on() {
        let turns = Turns::new(1, Quota::default());
        let turn = turns.ask(device(1)).await.unwrap();
        drop(turns.ask(device(2)));
        let next = turns.ask(device(3));
        drop(turn);
        assert_eq!(next.await.unwrap().device, device(3));
        assert_eq!(turns.state().free, 1);
    }

    #[tokio::test]
    async fn one_request_of_a_device_is_at_work_and_one_waits() {
        let turns = Turns::new(2, Quota::default());
        let [one, two] = [(); 2].map(|()| turns.enter(device(1), 0).unwrap());
        assert_eq!(turns.enter(device(1), 0).unwrap_err(), AdmissionError::Busy);
        turns.enter(device(2), 0).unwrap();
        let alone = one.alone().await;
        assert!(tokio::time::timeout(Duration::from_millis(5), two.alone()).await.is_err());
        drop((one, alone));
        drop(two.alone().await);
        turns.enter(device(1), 0).unwrap();
    }

    #[test]
    fn large_requests_leave_room_for_small_ones() {
        let turns = Turns::new(2, Quota::default());
        let large: Vec<_> = (1..=3).map(|n| turns.enter(device(n), (16 << 20) - 1024).unwrap()).collect();
        assert_eq!(turns.enter(device(4), 1 << 20).unwrap_err(), AdmissionError::Busy);
        turns.enter(device(4), 30_000).unwrap();
        drop(large);
        turns.enter(device(4), 1 << 20).unwrap();
    }

    #[test]
    fn who_brought_too_much_comes_later() {
        let turns = Turns::new(2, Quota { items: 100, bytes: 1 << 20 });
        turns.enter(device(1), 0).unwrap().brought(150);
        let Err(AdmissionError::TooMuch { retry_after_s }) = turns.enter(device(1), 0) else { panic!("half an hour's too much") };
        assert!((1_790..=1_801).contains(&retry_after_s), "{retry_after_s}");
        turns.enter(device(2), 0).unwrap();
        turns.state().account(device(1)).since -= Duration::from_secs(1_801);
        turns.enter(device(1), 1 << 20).unwrap();
        assert!(matches!(turns.enter(device(1), 0), Err(AdmissionError::TooMuch { .. })), "bytes count too");
    }
}
