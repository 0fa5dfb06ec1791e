//! How the phone stands, as one value that can be watched: what the store knows and what sync is doing.

use tokio::sync::watch::Receiver;

use super::runner::SyncStatus;
use super::store::{Status, StoreError, Watch};
use super::{Device, DeviceStatus, Enrolment};

/// The status screen, looked at again whenever the store or sync has changed. Dropping it ends it.
#[derive(Debug)]
pub struct DeviceWatch {
    device: Device,
    store: Watch<Status>,
    /// Read together: a phone that was just wiped has nothing unsent.
    status: Option<(Status, Option<Enrolment>)>,
    sync: Option<Receiver<SyncStatus>>,
    last: Option<DeviceStatus>,
}

impl DeviceWatch {
    pub(super) fn new(device: Device) -> Self {
        let store = device.observe_status();
        Self { device, store, status: None, sync: None, last: None }
    }

    /// The status: at once the first time, afterwards when it is another than the one given last. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn next(&mut self) -> Result<DeviceStatus, StoreError> {
        loop {
            if self.sync.is_none() {
                // A transport that cannot be set up is said by whoever asks for a sync.
                self.sync = self.device.observe_sync().unwrap_or_default();
            }
            if self.status.is_none() {
                self.status = Some((self.store.next().await?, self.enrolment()));
            } else {
                tokio::select! {
                    status = self.store.next() => self.status = Some((status?, self.enrolment())),
                    alive = changed(&mut self.sync) => if !alive {
                        self.sync = None;
                    },
                }
            }
            let Some((store, enrolment)) = &self.status else { continue };
            let sync = self.sync.as_mut().map(|sync| sync.borrow_and_update().clone()).unwrap_or_default();
            let now = DeviceStatus { enrolment: enrolment.clone(), store: store.clone(), sync };
            if self.last.as_ref() != Some(&now) {
                self.last = Some(now.clone());
                return Ok(now);
            }
        }
    }

    fn enrolment(&self) -> Option<Enrolment> {
        self.device.identity().map(Enrolment::from)
    }
}

/// Ends with `false` when the runner is gone: the phone was enrolled or wiped.
async fn changed(sync: &mut Option<Receiver<SyncStatus>>) -> bool {
    match sync {
        Some(sync) => sync.changed().await.is_ok(),
        None => std::future::pending().await,
    }
}
