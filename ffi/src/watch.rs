//! Observers: the value at once, then whenever it is another.

use tokio::sync::{Mutex, watch};

use fieldgrid_core::device::runner;
use fieldgrid_core::device::store::{self, Names, Page, Watch};

use crate::error::FieldgridError;
use crate::record::{CaseDetail, CasePage, HouseholdDetail, HouseholdPage, Status, SyncStatus, case_detail};

macro_rules! watches {
    ($($(#[$doc:meta])* $name:ident: $core:ty => $shown:ty = $convert:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, uniffi::Object)]
        pub struct $name(Mutex<Watch<$core>>);

        impl $name {
            pub(crate) fn new(watch: Watch<$core>) -> Self {
                Self(Mutex::new(watch))
            }
        }

        #[uniffi::export(async_runtime = "tokio")]
        impl $name {
            /// The value: at once the first time, afterwards when it is another. A cancelled caller loses nothing.
            ///
            /// # Errors
            /// When the store cannot be read.
            pub async fn next(&self) -> Result<$shown, FieldgridError> {
                let value = self.0.lock().await.next().await?;
                let convert: fn($core) -> $shown = $convert;
                Ok(convert(value))
            }
        }
    )*};
}

watches! {
    /// Watches cases.
    CasesWatch: Page<store::CaseRow> => CasePage = |page| CasePage { more: page.next.is_some(), rows: page.rows.into_iter().map(Into::into).collect() };
    /// Watches households.
    HouseholdsWatch: Page<store::HouseholdRow> => HouseholdPage = |page| HouseholdPage { more: page.next.is_some(), rows: page.rows.into_iter().map(Into::into).collect() };
    /// Watches a household.
    HouseholdWatch: Option<store::HouseholdDetail> => Option<HouseholdDetail> = |detail| detail.map(Into::into);
    /// Watches how the phone stands.
    StatusWatch: store::Status => Status = Into::into;
}

/// Watches a case.
#[derive(Debug, uniffi::Object)]
pub struct CaseWatch(pub(crate) Mutex<Watch<Option<store::CaseDetail>>>, pub(crate) fieldgrid_core::device::Device);

#[uniffi::export(async_runtime = "tokio")]
impl CaseWatch {
    /// As the other watches.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn next(&self) -> Result<Option<CaseDetail>, FieldgridError> {
        let Some(detail) = self.0.lock().await.next().await? else { return Ok(None) };
        let device = self.1.clone();
        let names: Names = tokio::task::spawn_blocking(move || device.names()).await.map_err(|_| FieldgridError::stopped())??;
        Ok(Some(case_detail(detail, &names)))
    }
}

/// Watches what sync is doing.
#[derive(Debug, uniffi::Object)]
pub struct SyncWatch(pub(crate) Mutex<Option<watch::Receiver<runner::SyncStatus>>>);

#[uniffi::export(async_runtime = "tokio")]
impl SyncWatch {
    /// The status: at once the first time, afterwards when it has changed. It never ends; before enrolment it waits for ever after the first.
    pub async fn next(&self) -> SyncStatus {
        let mut receiver = self.0.lock().await;
        if let Some(receiver) = &mut *receiver
            && receiver.changed().await.is_ok()
        {
            return receiver.borrow_and_update().clone().into();
        }
        std::future::pending().await
    }
}
