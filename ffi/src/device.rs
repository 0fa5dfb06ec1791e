//! The phone.

use std::sync::Arc;

use fieldgrid_core::device::store::{CaseFilter, CaseOrder, HouseholdFilter, OpenOptions, PageRequest};
use fieldgrid_core::device::{Device as CoreDevice, DeviceOptions, NewHousehold};
use fieldgrid_core::domain::household::{Fields, HouseholdEdit, Value};
use fieldgrid_core::env::System;
use fieldgrid_core::wire::enrol::Invite;
use tokio::sync::Mutex;

use crate::code::{ActionKind, Words};
use crate::error::FieldgridError;
use crate::record::{ActionFields, EditRow, Enrolment, HitPage, SyncStatus, Visit};
use crate::watch::{CaseWatch, CasesWatch, HouseholdWatch, HouseholdsWatch, StatusWatch, SyncWatch};

type Result<T> = std::result::Result<T, FieldgridError>;

/// A phone. Exported work runs to its end, or was never begun, also when its caller is cancelled.
#[derive(Debug, uniffi::Object)]
pub struct Device {
    device: CoreDevice,
}

/// Opens the store at `path` with its key of 32 bytes, or makes it. `life` is a small file that backups do not reach.
///
/// # Errors
/// [`FieldgridError::WrongKey`], [`FieldgridError::Storage`]; nothing was changed.
#[uniffi::export(async_runtime = "tokio")]
pub async fn open_device(path: String, key: Vec<u8>, life: Option<String>) -> Result<Arc<Device>> {
    blocking(move || {
        let key: [u8; 32] = key.try_into().map_err(|_| FieldgridError::WrongKey { words: Words::of(("密钥不对", "The key has to be 32 bytes")) })?;
        let store = OpenOptions { life: life.map(Into::into), ..OpenOptions::new(path, key, Arc::new(System::new())) };
        let device = CoreDevice::open(DeviceOptions::new(store), crate::runtime().clone())?;
        Ok(Arc::new(Device { device }))
    })
    .await
}

#[uniffi::export(async_runtime = "tokio")]
impl Device {
    /// Who the phone is; `None` before enrolment.
    ///
    /// # Errors
    /// Storage.
    pub async fn enrolment(&self) -> Result<Option<Enrolment>> {
        self.work(|device| {
            let Some(identity) = device.identity() else { return Ok(None) };
            let scopes: Vec<_> = identity.grant.scopes.iter().map(ToString::to_string).collect();
            let area_name = scopes.first().and_then(|scope| device.names().ok()?.areas.get(scope).cloned());
            Ok(Some(Enrolment { name: identity.name, role: fieldgrid_core::domain::words::role(identity.grant.role).into(), scopes, area_name }))
        })
        .await
    }

    /// Enrols with the centre of an invite.
    ///
    /// # Errors
    /// [`FieldgridError::NotEnrolled`]; the phone is as it was.
    pub async fn enrol(&self, invite: String) -> Result<()> {
        let invite: Invite = invite.parse().map_err(|_| FieldgridError::bad_invite())?;
        let device = self.device.clone();
        crate::runtime().spawn(async move { device.enrol(&invite).await }).await.map_err(|_| FieldgridError::stopped())??;
        Ok(())
    }

    /// Reports a new case; its id.
    ///
    /// # Errors
    /// [`FieldgridError::NotSaved`], [`FieldgridError::Storage`]; nothing is saved then.
    pub async fn report(&self, fields: ActionFields) -> Result<String> {
        let fields = fields.try_into()?;
        self.work(|device| Ok(device.report(fields)?.doc.to_string())).await
    }

    /// Acts on a case.
    ///
    /// # Errors
    /// [`FieldgridError::NotSaved`], [`FieldgridError::Storage`]; nothing is saved then.
    pub async fn act(&self, case: String, kind: ActionKind, fields: ActionFields) -> Result<()> {
        let (case, fields) = (id(&case)?, fields.try_into()?);
        self.work(move |device| Ok(device.act(case, kind.into(), fields).map(|_| ())?)).await
    }

    /// Adds a household with its persons; its id.
    ///
    /// # Errors
    /// [`FieldgridError::NotSaved`], [`FieldgridError::Storage`]; nothing is saved then.
    pub async fn add_household(
        &self,
        fields: std::collections::HashMap<String, String>,
        persons: Vec<std::collections::HashMap<String, String>>,
    ) -> Result<String> {
        let text = |fields: std::collections::HashMap<String, String>| fields.into_iter().map(|(name, value)| (name, Value::Text(value))).collect::<Fields>();
        let household = NewHousehold { fields: text(fields), persons: persons.into_iter().map(text).collect() };
        self.work(|device| Ok(device.add_household(household)?.doc.to_string())).await
    }

    /// Sets one field of a household; empty clears it.
    ///
    /// # Errors
    /// [`FieldgridError::NotSaved`], [`FieldgridError::Storage`]; nothing is saved then.
    pub async fn set_field(&self, household: String, name: String, value: String) -> Result<()> {
        let household = id(&household)?;
        let value = if value.is_empty() { Value::Null } else { Value::Text(value) };
        self.work(move |device| Ok(device.edit_household(household, vec![HouseholdEdit::Set(name, value)]).map(|_| ())?)).await
    }

    /// Records a visit to a household.
    ///
    /// # Errors
    /// [`FieldgridError::NotSaved`], [`FieldgridError::Storage`]; nothing is saved then.
    pub async fn visit(&self, household: String, visit: Visit) -> Result<()> {
        let (household, visit) = (id(&household)?, visit.into());
        self.work(move |device| Ok(device.visit(household, &visit).map(|_| ())?)).await
    }

    /// Watches open cases, up to 500: those that are due, soonest first; or all, the latest change first.
    #[must_use]
    pub fn observe_cases(&self, due: bool, limit: u32) -> Arc<CasesWatch> {
        let order = if due { CaseOrder::Due } else { CaseOrder::Updated };
        let filter = CaseFilter { open: Some(true), order, ..CaseFilter::default() };
        Arc::new(CasesWatch::new(self.device.observe_cases(filter, PageRequest::first(limit))))
    }

    /// Watches a case.
    ///
    /// # Errors
    /// When it is no id.
    pub fn observe_case(&self, case: &str) -> Result<Arc<CaseWatch>> {
        Ok(Arc::new(CaseWatch(Mutex::new(self.device.observe_case(id(case)?)), self.device.clone())))
    }

    /// Watches households, up to 500.
    #[must_use]
    pub fn observe_households(&self, limit: u32) -> Arc<HouseholdsWatch> {
        Arc::new(HouseholdsWatch::new(self.device.observe_households(HouseholdFilter::default(), PageRequest::first(limit))))
    }

    /// Watches a household with its visits.
    ///
    /// # Errors
    /// When it is no id.
    pub fn observe_household(&self, household: &str) -> Result<Arc<HouseholdWatch>> {
        Ok(Arc::new(HouseholdWatch::new(self.device.observe_household(id(household)?))))
    }

    /// Watches how the phone stands with the centre.
    #[must_use]
    pub fn observe_status(&self) -> Arc<StatusWatch> {
        Arc::new(StatusWatch::new(self.device.observe_status()))
    }

    /// Watches what sync is doing.
    ///
    /// # Errors
    /// When the transport cannot be set up.
    pub fn observe_sync(&self) -> Result<Arc<SyncWatch>> {
        let mut receiver = self.device.observe_sync()?;
        if let Some(receiver) = &mut receiver {
            receiver.mark_changed();
        }
        Ok(Arc::new(SyncWatch(Mutex::new(receiver))))
    }

    /// Own work that waits for a person's decision.
    ///
    /// # Errors
    /// Storage.
    pub async fn refused(&self) -> Result<Vec<EditRow>> {
        self.work(|device| Ok(device.refused()?.into_iter().map(EditRow::from).collect())).await
    }

    /// Records that match what was typed.
    ///
    /// # Errors
    /// Storage.
    pub async fn search(&self, typed: String, limit: u32) -> Result<HitPage> {
        self.work(move |device| Ok(device.search(&typed, PageRequest::first(limit))?.into())).await
    }

    /// Gives up an edit that was refused.
    ///
    /// # Errors
    /// When no such edit waits for a decision.
    pub async fn discard(&self, record: String, edit: String) -> Result<()> {
        let (record, edit) = (id(&record)?, id(&edit)?);
        self.work(move |device| Ok(device.discard(record, edit)?)).await
    }

    /// Sends what a refused edit of a case said as a supplement.
    ///
    /// # Errors
    /// As [`Device::discard`] and [`Device::act`].
    pub async fn send_as_note(&self, case: String, edit: String) -> Result<()> {
        let (case, edit) = (id(&case)?, id(&edit)?);
        self.work(move |device| Ok(device.send_as_note(case, edit).map(|_| ())?)).await
    }

    /// Syncs once, now, until everything is exchanged or something makes it wait.
    ///
    /// # Errors
    /// When the transport cannot be set up.
    pub async fn sync_now(&self) -> Result<SyncStatus> {
        let device = self.device.clone();
        let summary = crate::runtime().spawn(async move { device.sync_now().await }).await.map_err(|_| FieldgridError::stopped())??;
        Ok(SyncStatus { syncing: false, wait: summary.wait.map(|wait| wait.reason.words().into()) })
    }

    /// Keeps in sync from now on.
    ///
    /// # Errors
    /// When the transport cannot be set up.
    pub async fn start(&self) -> Result<()> {
        self.work(|device| Ok(device.start()?)).await
    }

    /// Stops keeping in sync, within five seconds.
    pub async fn stop(&self) {
        let device = self.device.clone();
        // Ends by itself when the runtime does.
        let _ = crate::runtime().spawn(async move { device.stop().await }).await;
    }

    /// What waits in the background tries now.
    pub fn wake(&self) {
        self.device.wake();
    }
}

impl Device {
    async fn work<T: Send + 'static>(&self, work: impl FnOnce(&CoreDevice) -> Result<T> + Send + 'static) -> Result<T> {
        let device = self.device.clone();
        blocking(move || work(&device)).await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    crate::runtime().spawn_blocking(work).await.map_err(|_| FieldgridError::stopped())?
}

fn id<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| FieldgridError::malformed())
}
