//! Two requests of a device at a time, and one at a time where that is too many. So its bodies on their way are counted, and its answers, whose few bytes of
//! request ask for half a megabyte of entries and keep a core for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fieldgrid_core::domain::id::DeviceId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests of a device that may be here. A phone has one outstanding, and a second when it gave up on the first.
const MOST_OF_A_DEVICE: usize = 2;

/// The devices that have requests here.
#[derive(Debug, Default)]
pub(crate) struct PerDevice {
    devices: Mutex<HashMap<DeviceId, Device>>,
}

#[derive(Debug)]
struct Device {
    requests: usize,
    alone: Arc<Semaphore>,
}

impl PerDevice {
    /// A place for one more request of the device; none when it has enough of them here.
    pub(crate) fn enter(&self, device: DeviceId) -> Option<Place<'_>> {
        let mut devices = self.devices();
        let entry = devices.entry(device).or_insert_with(|| Device { requests: 0, alone: Arc::new(Semaphore::new(1)) });
        if entry.requests == MOST_OF_A_DEVICE {
            return None;
        }
        entry.requests += 1;
        Some(Place { among: self, device, alone: Arc::clone(&entry.alone) })
    }

    fn devices(&self) -> MutexGuard<'_, HashMap<DeviceId, Device>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of a device's requests, for as long as it is held.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    among: &'a PerDevice,
    device: DeviceId,
    alone: Arc<Semaphore>,
}

impl<'a> Place<'a> {
    /// Waits until no other of the device's requests has its turn.
    pub(crate) async fn turn(self) -> Turn<'a> {
        let permit = Arc::clone(&self.alone).acquire_owned().await.expect("it is never closed");
        Turn { _permit: permit, _place: self }
    }
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

/// A device's turn.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    _permit: OwnedSemaphorePermit,
    _place: Place<'a>,
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_device_has_its_turn_once_at_a_time_and_has_one_request_waiting() {
        let here = PerDevice::default();
        let (phone, other) = (DeviceId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
        let first = here.enter(phone).unwrap().turn().now_or_never().unwrap();
        let mut second = Box::pin(here.enter(phone).unwrap().turn());
        assert!(second.as_mut().now_or_never().is_none(), "it waits");
        assert!(here.enter(phone).is_none(), "a third is too many");
        assert!(here.enter(other).unwrap().turn().now_or_never().is_some(), "another device is not in its way");
        drop(first);
        assert!(second.now_or_never().is_some());
        let gone = here.enter(phone).unwrap().turn().now_or_never().unwrap();
        let mut waiting = Box::pin(here.enter(phone).unwrap().turn());
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(waiting);
        drop(gone);
        assert!(here.devices().is_empty(), "nothing is kept of who is gone");
    }
}
