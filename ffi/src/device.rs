//! The phone.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

use fieldgrid_core::device::store::{CompareError, Correction, OpenOptions, PageRequest, SaveError};
use fieldgrid_core::device::transport::HttpConnect;
use fieldgrid_core::device::{Device as Engine, DeviceOptions, NewHousehold};
use fieldgrid_core::domain::household::HouseholdEdit;
use fieldgrid_core::domain::id::{DocId, FormId};
use fieldgrid_core::env::System;
use fieldgrid_core::wire::enrol::Invite;
use fieldgrid_core::wire::witness::HeadsNote;

use crate::code::{ActionKind, RevealReason};
use crate::edit::{ActionFields, FieldEdit, Visit};
use crate::error::FieldgridError;
use crate::filter::{CaseFilter, HouseholdFilter};
use crate::record::{CasePage, EditPage, HitPage, HouseholdPage, PageToken, RefusedEdit, VisitPage};
use crate::screen::{CaseScreen, Compared, DeviceStatus, HouseholdScreen, Names, SyncResult};
use crate::watch::{CaseWatch, CasesWatch, DeviceWatch, HouseholdWatch, HouseholdsWatch, RefusedWatch, VisitsWatch};
use crate::{blocking, closing, spawned};

type Result<T> = std::result::Result<T, FieldgridError>;

/// Where a store is and what opens it.
#[derive(Clone, uniffi::Record)]
pub struct OpenRequest {
    /// The database file; made when missing.
    pub path: String,
    /// The raw key of 32 bytes, from the platform's keystore. Kept in memory only.
    pub key: Vec<u8>,
    /// A small file that backups do not reach; by default beside the database, with the ending `.life`.
    #[uniffi(default = None)]
    pub life: Option<String>,
    /// Certificates of a private CA to trust beside the public ones, PEM.
    #[uniffi(default = None)]
    pub ca_pem: Option<Vec<u8>>,
    /// Begins a new store where the life file tells of one that is gone, instead of `Lost`.
    #[uniffi(default = false)]
    pub start_anew: bool,
}

impl std::fmt::Debug for OpenRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenRequest").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A phone. Calls may be made from any thread and block none; what was begun goes on when its caller is cancelled.
///
/// No parameter is called `case`: Swift does not read a C header with one.
#[derive(Debug, uniffi::Object)]
pub struct Device {
    engine: RwLock<Option<Engine>>,
    path: PathBuf,
}

/// Opens the store, or makes it. When this process is just closing the same one, it waits for that.
///
/// # Errors
/// [`FieldgridError`]; nothing was changed.
#[uniffi::export]
pub async fn open_device(request: OpenRequest) -> Result<Arc<Device>> {
    let OpenRequest { path, key, life, ca_pem, start_anew } = request;
    let key: [u8; 32] = key.try_into().map_err(|_| FieldgridError::invalid_key())?;
    let path = closing::place(&path);
    spawned(async move {
        closing::done(&path).await;
        blocking(move || {
            let store = OpenOptions { life: life.map(Into::into), start_anew, ..OpenOptions::new(&path, key, Arc::new(System::new())) };
            let options = DeviceOptions { connect: Arc::new(HttpConnect { ca_pem }), ..DeviceOptions::new(store) };
            let engine = Engine::open(options, crate::runtime().clone())?;
            Ok(Arc::new(Device { engine: RwLock::new(Some(engine)), path }))
        })
        .await
    })
    .await
}

#[uniffi::export]
impl Device {
    /// Enrols with the centre of an invite, as its code says it or as text.
    ///
    /// # Errors
    /// [`FieldgridError`]; the phone is as it was.
    pub async fn enrol(&self, invite: String) -> Result<()> {
        let invite: Invite = invite.parse().map_err(|_| FieldgridError::invalid_invite())?;
        let engine = self.engine()?;
        spawned(async move { Ok(engine.enrol(&invite).await.map(|_| ())?) }).await
    }

    /// Reports a new case; its id.
    ///
    /// `form` is a random UUID, made when the form was opened and kept with what was typed: what a form saved is not saved twice, whatever happens to the
    /// process before it is closed. The same again is answered what it was then; something else is `AlreadySaved`. So with all that have it.
    ///
    /// # Errors
    /// [`FieldgridError`]; nothing is saved then. So with all that follow.
    #[uniffi::method(default(form = None))]
    pub async fn report(&self, fields: ActionFields, form: Option<String>) -> Result<String> {
        let fields = fields.try_into()?;
        self.save(form, |engine| Ok(engine.report(fields)?.doc.to_string())).await
    }

    /// Acts on a case; the edit's id.
    ///
    /// # Errors
    /// As [`Device::report`].
    #[uniffi::method(default(form = None))]
    pub async fn act(&self, case_id: String, kind: ActionKind, fields: ActionFields, form: Option<String>) -> Result<String> {
        let (case, fields) = (id("case", &case_id)?, fields.try_into()?);
        self.save(form, move |engine| Ok(engine.act(case, kind.into(), fields)?.edit.to_string())).await
    }

    /// Adds a household with its persons; its id.
    ///
    /// # Errors
    /// As [`Device::report`].
    #[uniffi::method(default(form = None))]
    pub async fn add_household(&self, household: FieldEdit, persons: Vec<FieldEdit>, form: Option<String>) -> Result<String> {
        let persons = persons.into_iter().map(FieldEdit::into_fields).collect();
        let household = NewHousehold { fields: household.into_fields(), persons };
        self.save(form, |engine| Ok(engine.add_household(household)?.doc.to_string())).await
    }

    /// Saves a form of a household: exactly the fields that were changed, the household's and those of persons by id.
    ///
    /// # Errors
    /// As [`Device::report`].
    #[uniffi::method(default(form = None))]
    pub async fn edit_household(&self, household: String, fields: FieldEdit, persons: HashMap<String, FieldEdit>, form: Option<String>) -> Result<()> {
        let household = id("household", &household)?;
        let mut edits: Vec<_> = fields.into_fields().into_iter().map(|(name, value)| HouseholdEdit::Set(name, value)).collect();
        // In an order of its own, so that the same form is the same again.
        for (person, fields) in BTreeMap::from_iter(persons) {
            let person = id("person", &person)?;
            edits.extend(fields.into_fields().into_iter().map(|(name, value)| HouseholdEdit::SetPerson(person, name, value)));
        }
        self.save(form, move |engine| match engine.edit_household(household, edits) {
            // A form that was saved as it was is saved.
            Ok(_) | Err(SaveError::Nothing) => Ok(()),
            Err(error) => Err(error.into()),
        })
        .await
    }

    /// Adds a person to a household; the person's id.
    ///
    /// # Errors
    /// As [`Device::report`].
    #[uniffi::method(default(form = None))]
    pub async fn add_person(&self, household: String, fields: FieldEdit, form: Option<String>) -> Result<String> {
        let household = id("household", &household)?;
        self.save(form, move |engine| Ok(engine.add_person(household, fields.into_fields())?.to_string())).await
    }

    /// Records a visit to a household; the visit's id.
    ///
    /// # Errors
    /// As [`Device::report`].
    #[uniffi::method(default(form = None))]
    pub async fn visit(&self, household: String, visit: Visit, form: Option<String>) -> Result<String> {
        let (household, visit) = (id("household", &household)?, visit.try_into()?);
        self.save(form, move |engine| Ok(engine.visit(household, &visit)?.to_string())).await
    }

    /// Keeps a person's ID number, beside the household and not in it.
    ///
    /// # Errors
    /// As [`Device::report`].
    #[uniffi::method(default(form = None))]
    pub async fn set_id_number(&self, household: String, person: String, value: String, form: Option<String>) -> Result<()> {
        let (household, person) = (id("household", &household)?, id("person", &person)?);
        self.save(form, move |engine| Ok(engine.set_id_number(household, person, &value).map(|_| ())?)).await
    }

    /// Reads a person's ID number. That it was read, and why, is recorded first; `note` says what the reason does not, in at most 2,000 characters.
    ///
    /// # Errors
    /// As [`Device::report`]; nothing is shown then.
    pub async fn reveal_id_number(&self, household: String, person: String, reason: RevealReason, note: Option<String>) -> Result<Option<String>> {
        let (household, person) = (id("household", &household)?, id("person", &person)?);
        self.work(move |engine| Ok(engine.reveal_id_number(household, person, reason.into(), note)?)).await
    }

    /// Cases, up to 500 a page.
    ///
    /// # Errors
    /// Storage.
    pub async fn cases(&self, filter: CaseFilter, limit: u32, after: Option<PageToken>) -> Result<CasePage> {
        let filter = filter.try_into()?;
        self.work(move |engine| Ok(engine.cases(&filter, page(limit, after))?.into())).await
    }

    /// Watches a page of cases.
    ///
    /// # Errors
    /// When the device was shut down, or a code is none.
    pub fn observe_cases(&self, filter: CaseFilter, limit: u32, after: Option<PageToken>) -> Result<Arc<CasesWatch>> {
        Ok(CasesWatch::new(self.engine()?.observe_cases(filter.try_into()?, page(limit, after))))
    }

    /// A case.
    ///
    /// # Errors
    /// Storage.
    pub async fn case(&self, case_id: String) -> Result<Option<CaseScreen>> {
        let case = id("case", &case_id)?;
        self.work(move |engine| Ok(engine.case(case)?.map(CaseScreen::from))).await
    }

    /// Watches a case.
    ///
    /// # Errors
    /// As [`Device::observe_cases`].
    pub fn observe_case(&self, case_id: &str) -> Result<Arc<CaseWatch>> {
        Ok(CaseWatch::new(self.engine()?.observe_case(id("case", case_id)?)))
    }

    /// Households, up to 500 a page.
    ///
    /// # Errors
    /// Storage, or households are locked.
    pub async fn households(&self, filter: HouseholdFilter, limit: u32, after: Option<PageToken>) -> Result<HouseholdPage> {
        let filter = filter.try_into()?;
        self.work(move |engine| Ok(engine.households(&filter, page(limit, after))?.into())).await
    }

    /// Watches a page of households.
    ///
    /// # Errors
    /// As [`Device::observe_cases`].
    pub fn observe_households(&self, filter: HouseholdFilter, limit: u32, after: Option<PageToken>) -> Result<Arc<HouseholdsWatch>> {
        Ok(HouseholdsWatch::new(self.engine()?.observe_households(filter.try_into()?, page(limit, after))))
    }

    /// A household.
    ///
    /// # Errors
    /// As [`Device::households`].
    pub async fn household(&self, household: String) -> Result<Option<HouseholdScreen>> {
        let household = id("household", &household)?;
        self.work(move |engine| Ok(engine.household(household)?.map(HouseholdScreen::from))).await
    }

    /// Watches a household with its visits.
    ///
    /// # Errors
    /// As [`Device::observe_cases`].
    pub fn observe_household(&self, household: &str) -> Result<Arc<HouseholdWatch>> {
        Ok(HouseholdWatch::new(self.engine()?.observe_household(id("household", household)?)))
    }

    /// Visits, of one household or all, up to 500 a page.
    ///
    /// # Errors
    /// As [`Device::households`].
    pub async fn visits(&self, household: Option<String>, limit: u32, after: Option<PageToken>) -> Result<VisitPage> {
        let household = household.as_deref().map(|text| id("household", text)).transpose()?;
        self.work(move |engine| Ok(engine.visits(household, page(limit, after))?.into())).await
    }

    /// Watches a page of visits.
    ///
    /// # Errors
    /// As [`Device::observe_cases`].
    pub fn observe_visits(&self, household: Option<String>, limit: u32, after: Option<PageToken>) -> Result<Arc<VisitsWatch>> {
        let household: Option<DocId> = household.as_deref().map(|text| id("household", text)).transpose()?;
        Ok(VisitsWatch::new(self.engine()?.observe_visits(household, page(limit, after))))
    }

    /// Records that match what was typed.
    ///
    /// # Errors
    /// Storage.
    pub async fn search(&self, typed: String, limit: u32, after: Option<PageToken>) -> Result<HitPage> {
        self.work(move |engine| Ok(engine.search(&typed, page(limit, after))?.into())).await
    }

    /// Own work that waits for a person's decision.
    ///
    /// # Errors
    /// Storage.
    pub async fn refused(&self) -> Result<Vec<RefusedEdit>> {
        self.work(|engine| Ok(engine.refused()?.into_iter().map(RefusedEdit::from).collect())).await
    }

    /// Watches own work that waits for a person's decision.
    ///
    /// # Errors
    /// When the device was shut down.
    pub fn observe_refused(&self) -> Result<Arc<RefusedWatch>> {
        Ok(RefusedWatch::new(self.engine()?.observe_refused()))
    }

    /// Gives up an edit that was refused.
    ///
    /// # Errors
    /// When no such edit waits for a decision.
    pub async fn discard(&self, record: String, edit: String) -> Result<()> {
        let (record, edit) = (id("record", &record)?, id("edit", &edit)?);
        self.work(move |engine| Ok(engine.discard(record, edit)?)).await
    }

    /// Sends what a refused edit of a case said as a supplement, and gives the edit itself up.
    ///
    /// # Errors
    /// As [`Device::discard`] and [`Device::act`].
    pub async fn send_as_note(&self, case_id: String, edit: String) -> Result<()> {
        let (case, edit) = (id("case", &case_id)?, id("edit", &edit)?);
        self.work(move |engine| Ok(engine.send_as_note(case, edit).map(|_| ())?)).await
    }

    /// Sends own work that is not with the centre, or is kept aside there, again as it was.
    ///
    /// # Errors
    /// When there is no such work, or it is on its way or received; otherwise as the call that saved it first.
    pub async fn redo(&self, record: String, edit: String) -> Result<()> {
        let (record, edit) = (id("record", &record)?, id("edit", &edit)?);
        self.work(move |engine| Ok(engine.redo(record, edit).map(|_| ())?)).await
    }

    /// Sends an action on a case with other values: all that it says.
    ///
    /// # Errors
    /// As [`Device::redo`].
    pub async fn correct_action(&self, record: String, edit: String, fields: ActionFields) -> Result<()> {
        self.correct(record, edit, Correction::Fields(Box::new(fields.try_into()?))).await
    }

    /// Sends a household's edit with other values: all that it sets, of the household and of its persons by id.
    ///
    /// # Errors
    /// As [`Device::redo`].
    pub async fn correct_household(&self, record: String, edit: String, fields: FieldEdit, persons: HashMap<String, FieldEdit>) -> Result<()> {
        let mut edits: Vec<HouseholdEdit> = fields.into_fields().into_iter().map(|(name, value)| HouseholdEdit::Set(name, value)).collect();
        for (person, fields) in persons {
            let person = id("person", &person)?;
            edits.extend(fields.into_fields().into_iter().map(|(name, value)| HouseholdEdit::SetPerson(person, name, value)));
        }
        self.correct(record, edit, Correction::Household(edits)).await
    }

    /// Sends a visit with other values; when it was stays.
    ///
    /// # Errors
    /// As [`Device::redo`].
    pub async fn correct_visit(&self, record: String, edit: String, visit: Visit) -> Result<()> {
        self.correct(record, edit, Correction::Visit(visit.try_into()?)).await
    }

    /// Sends another ID number in place of one.
    ///
    /// # Errors
    /// As [`Device::redo`].
    pub async fn correct_id_number(&self, record: String, edit: String, value: String) -> Result<()> {
        self.correct(record, edit, Correction::IdNumber(value)).await
    }

    /// Everything that was typed on this phone, newest first: what it said, where it is, and what can still be done about it.
    ///
    /// # Errors
    /// Storage.
    pub async fn history(&self, limit: u32, after: Option<PageToken>) -> Result<EditPage> {
        self.work(move |engine| Ok(engine.history(page(limit, after))?.into())).await
    }

    /// Names for codes and ids.
    ///
    /// # Errors
    /// Storage.
    pub async fn names(&self) -> Result<Names> {
        self.work(|engine| Ok(engine.names()?.into())).await
    }

    /// The grids that this phone works in, by code, with their names: one of them is a new household's.
    ///
    /// # Errors
    /// Storage.
    pub async fn grids(&self) -> Result<HashMap<String, String>> {
        self.work(|engine| Ok(engine.grids()?.into_iter().collect())).await
    }

    /// What the centre signed for this phone, as text for a QR code: another phone compares it.
    ///
    /// # Errors
    /// Storage.
    pub async fn heads_note(&self) -> Result<String> {
        self.work(|engine| Ok(engine.heads_note()?.to_string())).await
    }

    /// Compares another phone's note with what the centre told this phone. A contradiction is kept
    /// and sent to the centre.
    ///
    /// # Errors
    /// When it is not a note of this centre's signatures; storage.
    pub async fn compare(&self, note: String) -> Result<Compared> {
        self.work(move |engine| {
            let note: HeadsNote = note.parse().map_err(|_| FieldgridError::invalid_input("note"))?;
            let compared = engine.compare(&note).map_err(|error| match error {
                CompareError::Storage(error) => error.into(),
                _ => FieldgridError::invalid_input("note"),
            })?;
            Ok(compared.into())
        })
        .await
    }

    /// How the phone stands.
    ///
    /// # Errors
    /// Storage.
    pub async fn status(&self) -> Result<DeviceStatus> {
        self.work(|engine| Ok(engine.status()?.into())).await
    }

    /// Watches how the phone stands.
    ///
    /// # Errors
    /// When the device was shut down.
    pub fn observe_status(&self) -> Result<Arc<DeviceWatch>> {
        Ok(DeviceWatch::new(self.engine()?.observe_device()))
    }

    /// Syncs once, now, until everything is exchanged or something makes it wait.
    ///
    /// # Errors
    /// When the transport cannot be set up.
    pub async fn sync_now(&self) -> Result<SyncResult> {
        let engine = self.engine()?;
        let result = spawned(async move { Ok(engine.sync_now().await?.into()) }).await;
        // A round that closing has ended came to nothing.
        self.engine().and(result)
    }

    /// Keeps in sync from now on.
    ///
    /// # Errors
    /// When the transport cannot be set up.
    pub async fn start(&self) -> Result<()> {
        self.work(|engine| Ok(engine.start()?)).await
    }

    /// Stops keeping in sync, within five seconds.
    ///
    /// # Errors
    /// When the device was shut down.
    pub async fn stop(&self) -> Result<()> {
        let engine = self.engine()?;
        spawned(async move {
            engine.stop().await;
            Ok(())
        })
        .await
    }

    /// The app is in front, or the network is back: what waits in the background tries now.
    ///
    /// # Errors
    /// When the device was shut down.
    pub fn wake(&self) -> Result<()> {
        self.engine()?.wake();
        Ok(())
    }

    /// Forgets everything on this phone, unsent work too, for good.
    ///
    /// # Errors
    /// Storage.
    pub async fn wipe(&self) -> Result<()> {
        let engine = self.engine()?;
        spawned(async move { Ok(engine.wipe().await?) }).await
    }

    /// Begins to close: sync stops, watches and calls end with `Closed` from here on, and the store's files are closed in the background. It waits for
    /// nothing. Twice is once.
    pub fn begin_shutdown(&self) {
        let engine = self.engine.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(engine) = engine {
            closing::begin(self.path.clone(), engine.close());
        }
    }

    /// Closes, and returns when the store's files are closed.
    pub async fn shutdown(&self) {
        self.begin_shutdown();
        let path = self.path.clone();
        let _ = spawned(async move {
            closing::done(&path).await;
            Ok(())
        })
        .await;
    }
}

impl Device {
    async fn correct(&self, record: String, edit: String, correction: Correction) -> Result<()> {
        let (record, edit) = (id("record", &record)?, id("edit", &edit)?);
        self.work(move |engine| Ok(engine.correct(record, edit, correction).map(|_| ())?)).await
    }

    fn engine(&self) -> Result<Engine> {
        self.engine.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(FieldgridError::stopped)
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce(&Engine) -> Result<T> + Send + 'static) -> Result<T> {
        let engine = self.engine()?;
        blocking(move || work(&engine)).await
    }

    /// Work that saves what a form gives.
    async fn save<T: Send + 'static>(&self, form: Option<String>, work: impl FnOnce(&Engine) -> Result<T> + Send + 'static) -> Result<T> {
        let form: Option<FormId> = form.as_deref().map(|text| id("form", text)).transpose()?;
        self.work(move |engine| work(&engine.for_form(form))).await
    }
}

fn page(limit: u32, after: Option<PageToken>) -> PageRequest {
    PageRequest { limit, after: after.map(Into::into) }
}

/// What was given as `field`, which is an id or a code.
pub(crate) fn id<T: FromStr>(field: &str, text: &str) -> Result<T> {
    text.parse().map_err(|_| FieldgridError::invalid_input(field))
}

#[cfg(test)]
mod tests;
