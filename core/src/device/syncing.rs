//! What goes on beside the calls: sync, now and in the background; and the end of it, by closing or wiping.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::Device;
use super::runner::{Runner, SyncStatus};
use super::store::StoreError;
use super::sync::{SyncSummary, Wait, WaitReason};
use super::transport::TransportSetupError;

/// Longest that closing waits for others to let go of the store.
pub(super) const CLOSING: Duration = Duration::from_secs(5);

impl Device {
    /// Watches what sync is doing. `None` before enrolment.
    ///
    /// # Errors
    /// When the transport cannot be set up.
    pub fn observe_sync(&self) -> Result<Option<watch::Receiver<SyncStatus>>, TransportSetupError> {
        Ok(self.runner()?.map(|runner| runner.status()))
    }

    /// Syncs once, now: until everything is exchanged, or something makes it wait, which the summary names. Dropping the future stops nothing.
    ///
    /// # Errors
    /// When the transport cannot be set up.
    pub async fn sync_now(&self) -> Result<SyncSummary, TransportSetupError> {
        match self.runner()? {
            Some(runner) => Ok(runner.sync_once().await),
            None => Ok(SyncSummary { wait: Some(Wait { ms: 0, reason: WaitReason::NotEnrolled }), ..SyncSummary::default() }),
        }
    }

    /// Keeps in sync from now on, until [`Device::stop`] or the last clone is gone; before enrolment, from then on.
    ///
    /// # Errors
    /// When the transport cannot be set up.
    pub fn start(&self) -> Result<(), TransportSetupError> {
        self.background.store(true, Ordering::SeqCst);
        if let Some(runner) = self.runner()? {
            runner.start();
        }
        Ok(())
    }

    /// Stops keeping in sync, within five seconds.
    pub async fn stop(&self) {
        self.background.store(false, Ordering::SeqCst);
        let runner = self.runner_slot().clone();
        if let Some(runner) = runner {
            runner.stop().await;
        }
    }

    /// Ends every watch with [`StoreError::Closed`], here and now. What is returned stops sync and lets go of the store: when it ends, the store's files are closed
    /// and can be opened again, unless somebody keeps a clone of the device for longer than five seconds more.
    pub fn close(self) -> impl Future<Output = ()> + Send + 'static {
        // First: no runner is made from here on.
        self.store.end_watches();
        async move {
            let runner = self.runner_slot().take();
            if let Some(runner) = runner {
                runner.close().await;
            }
            let Self { store, options: _, runtime: _, runner: _, background: _, form: _ } = self;
            let _ = tokio::time::timeout(CLOSING, store.close()).await;
        }
    }

    /// Says that the network is back or the app is in front: what waits in the background tries now.
    pub fn wake(&self) {
        if let Some(runner) = &*self.runner_slot() {
            runner.wake();
        }
    }

    /// Forgets everything on this phone, unsent work too, for good: it is given to someone else.
    ///
    /// # Errors
    /// Storage.
    pub async fn wipe(&self) -> Result<(), StoreError> {
        self.stop().await;
        *self.runner_slot() = None;
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || store.wipe()).await.unwrap_or(Err(StoreError::Closed))
    }

    pub(super) fn sync_status(&self) -> SyncStatus {
        self.runner_slot().as_ref().map(|runner| runner.status().borrow().clone()).unwrap_or_default()
    }

    /// The runner; made when it is first needed, and not after somebody has closed the device.
    fn runner(&self) -> Result<Option<Runner>, TransportSetupError> {
        let mut slot = self.runner_slot();
        if slot.is_none()
            && !self.store.has_ended_watches()
            && let Some(identity) = self.store.enrolled()
        {
            let transport = self.options.connect.connect(&identity.server)?;
            let store = Arc::new(self.store.clone());
            *slot = Some(Runner::new(store, transport, self.options.store.env.clone(), self.runtime.clone(), self.options.pace));
        }
        Ok(slot.clone())
    }

    pub(super) fn runner_slot(&self) -> MutexGuard<'_, Option<Runner>> {
        self.runner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
