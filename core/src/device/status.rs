//! How the phone stands, as one value that can be watched: what the store knows and what sync is doing.

use std::sync::{Arc, Mutex, Weak};

use tokio::runtime::Handle;
use tokio::sync::watch::Receiver;

use super::runner::{Runner, SyncStatus};
use super::store::{Status, StoreError, Topic, Watch};
use super::{Device, DeviceOptions, DeviceStatus, Enrolment};

/// The status screen, looked at again whenever the store or sync has changed. Dropping it ends it. Like every [`Watch`], it keeps nothing open.
#[derive(Debug)]
pub struct DeviceWatch {
    options: Arc<DeviceOptions>,
    runtime: Handle,
    runner: Weak<Mutex<Option<Runner>>>,
    /// Read together: a phone that was just wiped has nothing unsent.
    store: Watch<(Status, Option<Enrolment>)>,
    status: Option<(Status, Option<Enrolment>)>,
    sync: Option<Receiver<SyncStatus>>,
    last: Option<DeviceStatus>,
}

impl DeviceWatch {
    pub(super) fn new(device: &Device) -> Self {
        let store = device.store.watch(&[Topic::Status], |store| Ok((store.status()?, store.enrolled().map(Enrolment::from))));
        let (options, runtime, runner) = (Arc::clone(&device.options), device.runtime.clone(), Arc::downgrade(&device.runner));
        Self { options, runtime, runner, store, status: None, sync: None, last: None }
    }

    /// The status: at once the first time, afterwards when it is another than the one given last. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the store cannot be read, or the device was closed.
    pub async fn next(&mut self) -> Result<DeviceStatus, StoreError> {
        loop {
            if self.sync.is_none() {
                // A transport that cannot be set up is said by whoever asks for a sync.
                self.sync = self.device().and_then(|device| device.observe_sync().unwrap_or_default());
            }
            if self.status.is_none() {
                self.status = Some(self.store.next().await?);
            } else {
                tokio::select! {
                    // The store first: when the device is closed, sync ends too.
                    biased;
                    status = self.store.next() => self.status = Some(status?),
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

    fn device(&self) -> Option<Device> {
        Some(Device {
            store: self.store.store()?,
            options: Arc::clone(&self.options),
            runtime: self.runtime.clone(),
            runner: self.runner.upgrade()?,
            // It only looks.
            background: Arc::default(),
            form: None,
        })
    }
}

/// Ends with `false` when the runner is gone: the phone was enrolled or wiped.
async fn changed(sync: &mut Option<Receiver<SyncStatus>>) -> bool {
    match sync {
        Some(sync) => sync.changed().await.is_ok(),
        None => std::future::pending().await,
    }
}
