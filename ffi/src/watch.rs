//! Observers, pulled by their users: the value at once, then whenever it is another.

use std::sync::Arc;

use fieldgrid_core::device;
use fieldgrid_core::device::store;
use fieldgrid_core::device::store::{CaseDetail, EditRow, HouseholdDetail, Page, StoreError, Watch};
use tokio::sync::{Mutex, watch};
use tokio::task::AbortHandle;

use crate::error::FieldgridError;
use crate::record::{CasePage, HouseholdPage, RefusedEdit, VisitPage};
use crate::screen::{CaseScreen, DeviceStatus, HouseholdScreen};

/// Said by who has stopped waiting, where a language drops no future for him: a Swift task that is cancelled goes on awaiting.
#[derive(Debug)]
pub(crate) struct Cancelled(watch::Sender<bool>);

impl Cancelled {
    pub(crate) fn not_yet() -> Self {
        Self(watch::Sender::new(false))
    }

    pub(crate) fn say(&self) {
        self.0.send_replace(true);
    }

    pub(crate) async fn said(&self) {
        // Its other end is in `self`.
        let _ = self.0.subscribe().wait_for(|cancelled| *cancelled).await;
    }
}

/// A task that ends with its owner.
#[derive(Debug)]
struct Owned(AbortHandle);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.abort();
    }
}

macro_rules! watches {
    ($($(#[$doc:meta])* $name:ident($watch:ty) => $shown:ty = $convert:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, uniffi::Object)]
        pub struct $name {
            /// With what was found for a caller who had gone.
            shared: Arc<Mutex<($watch, Option<$shown>)>>,
            cancelled: Cancelled,
        }

        impl $name {
            pub(crate) fn new(watch: $watch) -> Arc<Self> {
                Arc::new(Self { shared: Arc::new(Mutex::new((watch, None))), cancelled: Cancelled::not_yet() })
            }
        }

        #[uniffi::export]
        impl $name {
            /// The value: at once the first time, afterwards when it is another. A cancelled caller loses nothing: what was found for it is given next.
            ///
            /// # Errors
            /// When the store cannot be read; `Closed` after [`Self::cancel`], or when the device was shut down.
            pub async fn next(&self) -> Result<$shown, FieldgridError> {
                let shared = Arc::clone(&self.shared);
                let look = crate::runtime().spawn(async move {
                    let (watch, found) = &mut *shared.lock().await;
                    if found.is_none() {
                        let value = watch.next().await?;
                        *found = Some(($convert)(value));
                    }
                    Ok::<_, StoreError>(())
                });
                // Ends when nobody waits for it any more.
                let _look = Owned(look.abort_handle());
                tokio::select! {
                    () = self.cancelled.said() => return Err(FieldgridError::stopped()),
                    looked = look => looked.unwrap_or(Err(StoreError::Closed))?,
                }
                self.shared.lock().await.1.take().ok_or_else(FieldgridError::stopped)
            }

            /// Ends it for good: who waits in `next`, and who will.
            pub fn cancel(&self) {
                self.cancelled.say();
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
