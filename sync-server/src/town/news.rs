//! "Something new": a counter for each device that listens just now, raised when a stream that it reads grows.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use fieldgrid_core::domain::id::{DeviceId, StreamId};
use tokio::sync::watch;

/// A phone needs one; a second, as its network changes and the server does not know yet that the first is dead.
const MOST_OF_A_DEVICE: usize = 2;

/// Who listens. Only connected devices are in it.
#[derive(Debug, Default)]
pub(super) struct News {
    listeners: Mutex<HashMap<DeviceId, Listener>>,
    /// Everything that grows, for the console.
    all: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Listener {
    /// One for each that listens, the oldest first.
    counts: VecDeque<watch::Sender<u64>>,
    streams: HashSet<StreamId>,
}

impl News {
    /// Listens for a device to the streams that it reads. Where the device has as many listeners as it may, the oldest hears no more.
    pub(super) fn listen(&self, device: DeviceId, streams: impl IntoIterator<Item = StreamId>) -> watch::Receiver<u64> {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|_, listener| {
            listener.counts.retain(|count| !count.is_closed());
            !listener.counts.is_empty()
        });
        let listener = listeners.entry(device).or_default();
        listener.streams = streams.into_iter().collect();
        if listener.counts.len() == MOST_OF_A_DEVICE {
            listener.counts.pop_front();
        }
        let (count, listening) = watch::channel(0);
        listener.counts.push_back(count);
        listening
    }

    /// Listens to everything.
    pub(super) fn listen_to_all(&self) -> watch::Receiver<u64> {
        self.all.subscribe()
    }

    /// Tells who reads any of these streams.
    pub(super) fn grown(&self, streams: &[StreamId]) {
        if streams.is_empty() {
            return;
        }
        self.all.send_modify(|count| *count += 1);
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        for listener in listeners.values().filter(|listener| streams.iter().any(|stream| listener.streams.contains(stream))) {
            for count in &listener.counts {
                count.send_modify(|count| *count += 1);
            }
        }
    }
}
