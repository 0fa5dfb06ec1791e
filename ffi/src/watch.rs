//! Observers, pulled by their users: the value at once, then whenever it is another.

use std::sync::Arc;

use fieldgrid_core::device;
use fieldgrid_core::device::store;
use fieldgrid_core::device::store::{CaseDetail, EditRow, HouseholdDetail, Page, StoreError, Watch};
use tokio::sync::Mutex;
use tokio::task::AbortHandle;

use crate::error::FieldgridError;
use crate::record::{CasePage, HouseholdPage, RefusedEdit, VisitPage};
use crate::screen::{CaseScreen, DeviceStatus, HouseholdScreen};

/// A look that is under way ends when nobody waits for it any more.
struct Look(AbortHandle);

impl Drop for Look {
    fn drop(&mut self) {
        self.0.abort();
    }
}

macro_rules! watches {
    ($($(#[$doc:meta])* $name:ident($watch:ty) => $shown:ty = $convert:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, uniffi::Object)]
        pub struct $name(Arc<Mutex<($watch, Option<$shown>)>>);

        impl $name {
            pub(crate) fn new(watch: $watch) -> Arc<Self> {
                Arc::new(Self(Arc::new(Mutex::new((watch, None)))))
            }
        }

        #[uniffi::export]
        impl $name {
            /// The value: at once the first time, afterwards when it is another. A cancelled caller loses nothing: what was found for it is given next.
            ///
            /// # Errors
            /// When the store cannot be read.
            pub async fn next(&self) -> Result<$shown, FieldgridError> {
                let shared = Arc::clone(&self.0);
                let look = crate::runtime().spawn(async move {
                    let (watch, found) = &mut *shared.lock().await;
                    if found.is_none() {
                        let value = watch.next().await?;
                        *found = Some(($convert)(value));
                    }
                    Ok::<_, StoreError>(())
                });
                let _end = Look(look.abort_handle());
                look.await.unwrap_or(Err(StoreError::Closed))?;
                self.0.lock().await.1.take().ok_or_else(FieldgridError::stopped)
            }
        }
    )*};
}

watches! {
    /// Watches a page of cases.
    CasesWatch(Watch<Page<store::CaseRow>>) => CasePage = CasePage::from;
    /// Watches a case.
    CaseWatch(Watch<Option<CaseDetail>>) => Option<CaseScreen> = |case: Option<CaseDetail>| case.map(CaseScreen::from);
    /// Watches a page of households.
    HouseholdsWatch(Watch<Page<store::HouseholdRow>>) => HouseholdPage = HouseholdPage::from;
    /// Watches a household.
    HouseholdWatch(Watch<Option<HouseholdDetail>>) => Option<HouseholdScreen> = |household: Option<HouseholdDetail>| household.map(HouseholdScreen::from);
    /// Watches a page of visits.
    VisitsWatch(Watch<Page<store::VisitRow>>) => VisitPage = VisitPage::from;
    /// Watches what the centre refused.
    RefusedWatch(Watch<Vec<EditRow>>) => Vec<RefusedEdit> = |edits: Vec<EditRow>| edits.into_iter().map(RefusedEdit::from).collect::<Vec<_>>();
    /// Watches how the phone stands.
    DeviceWatch(device::DeviceWatch) => DeviceStatus = DeviceStatus::from;
}
