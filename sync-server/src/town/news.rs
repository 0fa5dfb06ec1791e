//! "Something new": a counter for each device that listens just now, raised when a stream that it reads grows.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use fieldgrid_core::domain::id::{DeviceId, StreamId};
use tokio::sync::watch;

/// Who listens. Only connected devices are in it.
#[derive(Debug, Default)]
pub(super) struct News {
    listeners: Mutex<HashMap<DeviceId, Listener>>,
    /// Everything that grows, for the console.
    all: watch::Sender<u64>,
}

#[derive(Debug)]
struct Listener {
    count: watch::Sender<u64>,
    streams: HashSet<StreamId>,
}

impl News {
    /// Listens for a device to the streams that it reads.
    pub(super) fn listen(&self, device: DeviceId, streams: impl IntoIterator<Item = StreamId>) -> watch::Receiver<u64> {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|_, listener| !listener.count.is_closed());
        let listener = listeners.entry(device).or_insert_with(|| Listener { count: watch::Sender::new(0), streams: HashSet::new() });
        listener.streams = streams.into_iter().collect();
        listener.count.subscribe()
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
            listener.count.send_modify(|count| *count += 1);
        }
    }
}
