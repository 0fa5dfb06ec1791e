//! One answer at a time for each device: a few bytes ask for half a megabyte of entries, and packing them takes a core for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fieldgrid_core::domain::id::DeviceId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests of a device that may be here: one is answered, one waits. A phone has one outstanding, and a second when it gave up on the first.
const MOST_OF_A_DEVICE: usize = 2;

/// The devices that are being answered.
#[derive(Debug, Default)]
pub(super) struct Answering {
    devices: Mutex<HashMap<DeviceId, Device>>,
}

#[derive(Debug)]
struct Device {
    requests: usize,
    alone: Arc<Semaphore>,
}

impl Answering {
    /// The device's turn, for as long as it is held; none when enough of its requests wait already.
    pub(super) async fn turn(&self, device: DeviceId) -> Option<Turn<'_>> {
        let (place, alone) = self.enter(device)?;
        let permit = alone.acquire_owned().await.ok()?;
        Some(Turn { _permit: permit, _place: place })
    }

    fn enter(&self, device: DeviceId) -> Option<(Place<'_>, Arc<Semaphore>)> {
        let mut devices = self.devices();
        let entry = devices.entry(device).or_insert_with(|| Device { requests: 0, alone: Arc::new(Semaphore::new(1)) });
        if entry.requests == MOST_OF_A_DEVICE {
            return None;
        }
        entry.requests += 1;
        Some((Place { among: self, device }, Arc::clone(&entry.alone)))
    }

    fn devices(&self) -> MutexGuard<'_, HashMap<DeviceId, Device>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A device's turn.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    _permit: OwnedSemaphorePermit,
    _place: Place<'a>,
}

/// One of a device's requests.
#[derive(Debug)]
struct Place<'a> {
    among: &'a Answering,
    device: DeviceId,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut devices = self.among.devices();
        if let Some(entry) = devices.get_mut(&self.device) {
            entry.requests -= 1;
            if entry.requests == 0 {
                devices.remove(&self.device);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_device_is_answered_once_at_a_time_and_has_one_request_waiting() {
        let answering = Answering::default();
        let (phone, other) = (DeviceId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
        let first = answering.turn(phone).now_or_never().flatten().unwrap();
        let mut second = Box::pin(answering.turn(phone));
        assert!(second.as_mut().now_or_never().is_none(), "it waits");
        assert!(answering.turn(phone).now_or_never().unwrap().is_none(), "a third is too many");
        assert!(answering.turn(other).now_or_never().flatten().is_some(), "another device is not in its way");
        drop(first);
        assert!(second.now_or_never().flatten().is_some());
        let gone = answering.turn(phone).now_or_never().flatten().unwrap();
        let mut waiting = Box::pin(answering.turn(phone));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(waiting);
        drop(gone);
        assert!(answering.devices().is_empty(), "nothing is kept of who is gone");
    }
}
