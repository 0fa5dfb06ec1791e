//! The phone.
//!
//! [`Device`] is what an app, the command line and the bindings hold: one call for each screen, answered from local storage at once, and each form save
//! durable when it returns. Nothing here waits for the network but [`Device::enrol`] and [`Device::sync_now`], and both may be dropped.
//!
//! - [`store`]: SQLCipher; records, outbox, cursors, projections, search.
//! - [`sync`]: what to ask and what an answer means: a state machine without I/O.
//! - [`transport`]: HTTP. - [`runner`]: when, with a bound and a reason for every wait. - [`enrol`]: a code becomes a grant.

pub mod enrol;
mod form;
pub mod runner;
mod status;
pub mod store;
pub mod sync;
mod syncing;
pub mod transport;

pub use status::DeviceWatch;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use minicbor::Encode;
use tokio::runtime::Handle;

use crate::domain::action::{ActionKind, Fields};
use crate::domain::case::kinds::{self, Field};
use crate::domain::fact::{FactKind, Reveal, RevealReason, Visit};
use crate::domain::form as rules;
use crate::domain::household::{self, HouseholdEdit};
use crate::domain::id::{DocId, FactId, FormId, Hash, PersonId};
use crate::record::{Command, Record, RecordKind};
use crate::wire::enrol::Invite;
use crate::wire::witness::HeadsNote;

pub use form::{Detail, DeviceStatus, Enrolment, NewHousehold};

use enrol::EnrolError;
use runner::{Pace, Runner};
use store::{
    CaseDetail, CaseFilter, CaseRow, CompareError, Compared, Correction, DeliveryState, EditRow, Form, Hit, HouseholdDetail, HouseholdFilter, HouseholdRow,
    Identity, Names, OpenError, OpenOptions, Page, PageRequest, SaveError, Saved, SplitView, Status, Store, StoreError, Topic, VisitRow, Watch,
};
use transport::{Connect, HttpConnect};

/// What a device is made of.
#[derive(Debug, Clone)]
pub struct DeviceOptions {
    /// Where the store is and what opens it; with the clocks and the randomness.
    pub store: OpenOptions,
    /// What carries requests to the server.
    pub connect: Arc<dyn Connect>,
    /// How often the background looks.
    pub pace: Pace,
}

impl DeviceOptions {
    /// Over HTTP, trusting Mozilla's roots, at the default pace.
    #[must_use]
    pub fn new(store: OpenOptions) -> Self {
        Self { store, connect: Arc::new(HttpConnect::default()), pace: Pace::default() }
    }
}

/// A phone. Clones share it.
#[derive(Debug, Clone)]
pub struct Device {
    store: Store,
    options: Arc<DeviceOptions>,
    runtime: Handle,
    runner: Arc<Mutex<Option<Runner>>>,
    /// Whether to keep in sync: wished for, also before enrolment.
    background: Arc<AtomicBool>,
    /// Whose saves these are; of no form, unless [`Self::for_form`] said so.
    form: Option<FormId>,
}

impl Device {
    /// Opens the phone's store, or creates it. Sync runs on `runtime`, once it is asked for.
    ///
    /// # Errors
    /// See [`OpenError`]; nothing was changed.
    pub fn open(options: DeviceOptions, runtime: Handle) -> Result<Self, OpenError> {
        let checked = options.connect.check().map_err(|_| OpenError::CertificateAuthority);
        let store = checked.and_then(|()| Store::open(&options.store)).inspect_err(|error| {
            tracing::warn!(%error, "the store was not opened");
        })?;
        Ok(Self { store, options: Arc::new(options), runtime, runner: Arc::default(), background: Arc::default(), form: None })
    }

    /// Who the device is; `None` before enrolment.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        self.store.enrolled()
    }

    /// Enrols with the centre that the invite names.
    ///
    /// # Errors
    /// See [`EnrolError`]; the device is as it was, and the invite may be used again unless the error says otherwise.
    pub async fn enrol(&self, invite: &Invite) -> Result<Identity, EnrolError> {
        let transport = self.options.connect.connect(&invite.server)?;
        let (store, invite) = (self.store.clone(), invite.clone());
        let work = self.runtime.spawn(async move { enrol::enrol(&store, &*transport, &invite).await });
        let enrolled = work.await.unwrap_or(Err(EnrolError::Storage(StoreError::Closed)));
        let identity = enrolled.inspect_err(|error| tracing::warn!(reason = error.words().en, "not enrolled"))?;
        tracing::info!(role = %identity.grant.role, scopes = identity.grant.scopes.len(), "enrolled");
        // What ran before ran for another life of this store.
        *self.runner_slot() = None;
        if self.background.load(Ordering::SeqCst) {
            self.start().map_err(EnrolError::Setup)?;
        }
        Ok(identity)
    }

    /// This phone, where what is saved is a form's: it is saved once, whatever happens to the process before the form is closed. The id is random, made when
    /// the form is opened and kept with what was typed. The same form giving the same again is answered what it was then, and nothing is written, whatever has
    /// become of the edit; giving something else, or to another call, is [`SaveError::AlreadySaved`]. What the device fills in by itself does not count. A save
    /// that failed is none. The last 2,000 forms are remembered.
    ///
    /// So with [`Self::report`], [`Self::act`], [`Self::add_household`], [`Self::edit_household`], [`Self::add_person`], [`Self::visit`] and
    /// [`Self::set_id_number`]. To look at an ID number twice is to look twice, and an edit is given up or sent as a note once anyway.
    #[must_use]
    pub fn for_form(&self, form: Option<FormId>) -> Self {
        Self { form, ..self.clone() }
    }

    /// Reports a new case. It happened now unless the fields say when; without a severity it is as bad as its
    /// category is by default, and a title alone is the text too.
    ///
    /// # Errors
    /// See [`SaveError`]; nothing is saved then.
    pub fn report(&self, fields: Fields) -> Result<Saved, SaveError> {
        let store = self.store_for(&("report", &fields));
        self.saved("report", store.act(None, ActionKind::Report, rules::complete(self.dated(ActionKind::Report, fields))))
    }

    /// Acts on a case. Author, what he has seen, round and assignment come from the case as it stands here; what was finished or seen was so now,
    /// unless the fields say when.
    ///
    /// # Errors
    /// See [`SaveError`]; nothing is saved then.
    pub fn act(&self, case: DocId, kind: ActionKind, fields: Fields) -> Result<Saved, SaveError> {
        let store = self.store_for(&("act", case, kind, &fields));
        self.saved("act", store.act(Some(case), kind, self.dated(kind, fields)))
    }

    /// Adds a household with its persons.
    ///
    /// # Errors
    /// See [`SaveError`]; nothing is saved then.
    pub fn add_household(&self, household: NewHousehold) -> Result<Saved, SaveError> {
        let store = self.store_for(&("add_household", &household.fields, &household.persons));
        let persons = household.persons.into_iter().map(|fields| HouseholdEdit::AddPerson(self.store.new_person(), fields));
        let edits = std::iter::once(HouseholdEdit::Create(household.fields)).chain(persons).collect();
        self.saved("add_household", store.save(store.new_doc(), &Command::EditHousehold(edits)))
    }

    /// Saves a form of a household: exactly the fields that were changed.
    ///
    /// # Errors
    /// See [`SaveError`]; nothing is saved then.
    pub fn edit_household(&self, household: DocId, edits: Vec<HouseholdEdit>) -> Result<Saved, SaveError> {
        let store = self.store_for(&("edit_household", household, &edits));
        self.saved("edit_household", store.save(household, &Command::EditHousehold(edits)))
    }

    /// An id for a person who is to be added.
    #[must_use]
    pub fn new_person(&self) -> PersonId {
        self.store.new_person()
    }

    /// Adds a person to a household.
    ///
    /// # Errors
    /// See [`SaveError`]; nothing is saved then.
    pub fn add_person(&self, household: DocId, fields: household::Fields) -> Result<PersonId, SaveError> {
        self.saved("add_person", self.store_for(&("add_person", household, &fields)).add_person(household, fields))
    }

    /// Records a visit to a household.
    ///
    /// # Errors
    /// See [`SaveError`]; nothing is saved then.
    pub fn visit(&self, household: DocId, visit: &Visit) -> Result<FactId, SaveError> {
        self.saved("visit", self.store_for(&("visit", household, visit)).visit(household, visit))
    }

    /// Keeps a person's ID number: a fact beside the household, which names it by a random id only.
    ///
    /// # Errors
    /// See [`SaveError`]; nothing of it is in the household then.
    pub fn set_id_number(&self, household: DocId, person: PersonId, value: &str) -> Result<Saved, SaveError> {
        self.saved("set_id_number", self.store_for(&("set_id_number", household, person, value)).set_sensitive(household, person, ID_NUMBER, value))
    }

    /// Reads a person's ID number. That it was read, and why, is recorded first, and synced like everything else; `note` says what the reason does not.
    /// `None` when there is none, or it was erased. Whoever shows it hides it after a minute.
    ///
    /// # Errors
    /// See [`SaveError`]; nothing is shown then.
    pub fn reveal_id_number(&self, household: DocId, person: PersonId, reason: RevealReason, note: Option<String>) -> Result<Option<String>, SaveError> {
        rules::reveal(reason, note.as_deref())?;
        let detail = self.store.household(household)?.ok_or(SaveError::NoSuchRecord)?;
        let named = detail.household.as_ref().and_then(|household| household::text(household.persons.get(&person)?, ID_NUMBER)?.parse().ok());
        let Some(value) = named else {
            return Ok(None);
        };
        let reveal = Reveal { person: Some(person), field: ID_NUMBER.to_owned(), value: Some(value), reason: Some(reason), note };
        let reveal = minicbor::to_vec(reveal).expect("encoding into memory does not fail");
        self.saved("reveal_id_number", self.store.state(FactKind::Reveal, household, reveal))?;
        Ok(self.store.sensitive_value(value)?)
    }

    /// Cases, a page at a time.
    ///
    /// # Errors
    /// Storage.
    pub fn cases(&self, filter: &CaseFilter, page: PageRequest) -> Result<Page<CaseRow>, StoreError> {
        self.store.cases(filter, page)
    }

    /// A case: where it stands, its history with what took effect, where own work on it is, and what may be done next.
    ///
    /// # Errors
    /// Storage.
    pub fn case(&self, case: DocId) -> Result<Option<CaseDetail>, StoreError> {
        self.store.case(case)
    }

    /// Households, a page at a time.
    ///
    /// # Errors
    /// [`StoreError::RegistryLocked`] after the lease, or storage.
    pub fn households(&self, filter: &HouseholdFilter, page: PageRequest) -> Result<Page<HouseholdRow>, StoreError> {
        self.store.households(filter, page)
    }

    /// A household: its persons, its latest visits, and where own work on it is.
    ///
    /// # Errors
    /// [`StoreError::RegistryLocked`] after the lease, or storage.
    pub fn household(&self, household: DocId) -> Result<Option<HouseholdDetail>, StoreError> {
        self.store.household(household)
    }

    /// Visits, of one household or all, a page at a time.
    ///
    /// # Errors
    /// [`StoreError::RegistryLocked`] after the lease, or storage.
    pub fn visits(&self, household: Option<DocId>, page: PageRequest) -> Result<Page<VisitRow>, StoreError> {
        self.store.visits(household, page)
    }

    /// A record of either kind.
    ///
    /// # Errors
    /// As [`Device::case`] and [`Device::household`].
    pub fn detail(&self, record: DocId) -> Result<Option<Detail>, StoreError> {
        if let Some(case) = self.store.case(record)? {
            return Ok(Some(Detail::Case(Box::new(case))));
        }
        Ok(self.store.household(record)?.map(|household| Detail::Household(Box::new(household))))
    }

    /// Records that match what was typed.
    ///
    /// # Errors
    /// Storage.
    pub fn search(&self, typed: &str, page: PageRequest) -> Result<Page<Hit>, StoreError> {
        self.store.search(typed, page)
    }

    /// How the phone stands.
    ///
    /// # Errors
    /// Storage.
    pub fn status(&self) -> Result<DeviceStatus, StoreError> {
        Ok(DeviceStatus { enrolment: self.identity().map(Enrolment::from), store: self.store.status()?, sync: self.sync_status() })
    }

    /// The signatures over this phone's latest positions, to be shown to another phone or the desk.
    ///
    /// # Errors
    /// Storage.
    pub fn heads_note(&self) -> Result<HeadsNote, StoreError> {
        self.store.heads_note()
    }

    /// Compares what the centre told another phone with what it told this one. A contradiction is
    /// kept, shown in the status, and sent to the centre.
    ///
    /// # Errors
    /// [`CompareError`].
    pub fn compare(&self, note: &HeadsNote) -> Result<Compared, CompareError> {
        self.store.compare(note)
    }

    /// The proofs that the centre told two stories.
    ///
    /// # Errors
    /// Storage.
    pub fn split_views(&self) -> Result<Vec<SplitView>, StoreError> {
        self.store.split_views()
    }

    /// Own work that the centre refused or that waits for a person's decision, with the reasons.
    ///
    /// # Errors
    /// Storage.
    pub fn refused(&self) -> Result<Vec<EditRow>, StoreError> {
        refused(&self.store)
    }

    /// Own work on a record with what became of it; also when the record has left this phone.
    ///
    /// # Errors
    /// Storage.
    pub fn edits(&self, record: DocId) -> Result<Vec<EditRow>, StoreError> {
        self.store.edits(record)
    }

    /// Own work that is not safe at the centre yet, refused or not.
    ///
    /// # Errors
    /// Storage.
    pub fn outbox(&self) -> Result<Vec<EditRow>, StoreError> {
        self.store.outbox()
    }

    /// Gives up an edit of a record that was refused.
    ///
    /// # Errors
    /// [`SaveError::NoSuchRecord`] when no such edit waits for a decision.
    pub fn discard(&self, record: DocId, edit: Hash) -> Result<(), SaveError> {
        self.store.discard(record, edit)
    }

    /// Sends own work that is not with the centre, or is kept aside there, again as it was: refused, undecided, stranded, waiting or quarantined.
    ///
    /// # Errors
    /// [`SaveError::NoSuchRecord`] when there is no such work, or it is on its way or received; otherwise as the call that saved it first.
    pub fn redo(&self, record: DocId, edit: Hash) -> Result<Saved, SaveError> {
        self.saved("redo", self.store.redo(record, edit))
    }

    /// Sends such work with other values: all of the form's.
    ///
    /// # Errors
    /// As [`Device::redo`]; also where the values are those of another form.
    pub fn correct(&self, record: DocId, edit: Hash, correction: Correction) -> Result<Saved, SaveError> {
        self.saved("correct", self.store.correct(record, edit, correction))
    }

    /// Everything that was typed on this phone, newest first, a page at a time: what it said, where it is, and what can still be done about it.
    ///
    /// # Errors
    /// Storage.
    pub fn history(&self, page: PageRequest) -> Result<Page<EditRow>, StoreError> {
        self.store.history(page)
    }

    /// Sends what a refused edit of a case said as a supplement, and gives the edit itself up.
    ///
    /// # Errors
    /// As [`Device::discard`] and [`Device::act`].
    pub fn send_as_note(&self, case: DocId, edit: Hash) -> Result<Saved, SaveError> {
        self.saved("send_as_note", self.store.send_as_note(case, edit))
    }

    /// Names for codes and ids.
    ///
    /// # Errors
    /// Storage.
    pub fn names(&self) -> Result<Names, StoreError> {
        self.store.names()
    }

    /// The grids that this phone works in, by code, with their names: one of them is a new household's.
    ///
    /// # Errors
    /// Storage.
    pub fn grids(&self) -> Result<BTreeMap<String, String>, StoreError> {
        self.store.grids()
    }

    /// Every record that this phone holds whole, for export.
    ///
    /// # Errors
    /// Storage.
    pub fn records(&self) -> Result<Vec<(DocId, RecordKind)>, StoreError> {
        self.store.records()
    }

    /// A record as it stands here, own work included: for programs that compare or convert.
    ///
    /// # Errors
    /// Storage.
    pub fn record(&self, record: DocId) -> Result<Option<Record>, StoreError> {
        self.store.record(record)
    }

    /// A record as an Automerge file, own work included, for other programs; `None` when it is not here.
    ///
    /// # Errors
    /// Storage.
    pub fn automerge_file(&self, record: DocId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.store.record(record)?.map(|record| record.save()))
    }

    /// Watches a page of cases.
    #[must_use]
    pub fn observe_cases(&self, filter: CaseFilter, page: PageRequest) -> Watch<Page<CaseRow>> {
        self.store.watch(&[Topic::Cases], move |store| store.cases(&filter, page))
    }

    /// Watches a case.
    #[must_use]
    pub fn observe_case(&self, case: DocId) -> Watch<Option<CaseDetail>> {
        self.store.watch(&[Topic::Cases, Topic::Status], move |store| store.case(case))
    }

    /// Watches a page of households.
    #[must_use]
    pub fn observe_households(&self, filter: HouseholdFilter, page: PageRequest) -> Watch<Page<HouseholdRow>> {
        self.store.watch(&[Topic::Households], move |store| store.households(&filter, page))
    }

    /// Watches a household with its visits.
    #[must_use]
    pub fn observe_household(&self, household: DocId) -> Watch<Option<HouseholdDetail>> {
        self.store.watch(&[Topic::Households, Topic::Visits, Topic::Status], move |store| store.household(household))
    }

    /// Watches how the phone stands with the centre.
    #[must_use]
    pub fn observe_status(&self) -> Watch<Status> {
        self.store.watch(&[Topic::Status], Store::status)
    }

    /// Watches visits, of one household or all.
    #[must_use]
    pub fn observe_visits(&self, household: Option<DocId>, page: PageRequest) -> Watch<Page<VisitRow>> {
        self.store.watch(&[Topic::Visits, Topic::Status], move |store| store.visits(household, page))
    }

    /// Watches own work that the centre refused or that waits for a person's decision.
    #[must_use]
    pub fn observe_refused(&self) -> Watch<Vec<EditRow>> {
        self.store.watch(&[Topic::Status, Topic::Cases, Topic::Households, Topic::Visits], refused)
    }

    /// Watches the whole of the status screen: who the phone is, what the store knows and what sync is doing, also across enrolment and wipe.
    #[must_use]
    pub fn observe_device(&self) -> DeviceWatch {
        DeviceWatch::new(self)
    }

    /// The store, for what a call is given; the call's name is in it.
    fn store_for<T: Encode<()>>(&self, given: &T) -> Store {
        self.store.for_form(self.form.map(|form| Form::new(form, given)))
    }

    fn saved<T>(&self, call: &'static str, saved: Result<T, SaveError>) -> Result<T, SaveError> {
        match &saved {
            Ok(_) => tracing::debug!(call, "saved"),
            Err(error) => tracing::info!(call, %error, "not saved"),
        }
        if saved.is_ok()
            && let Some(runner) = &*self.runner_slot()
        {
            runner.saved();
        }
        saved
    }

    /// Fills in the times that the kind asks for and the form does not have.
    fn dated(&self, kind: ActionKind, fields: Fields) -> Fields {
        let wanted = kinds::spec(kind).map_or(&[][..], |spec| spec.fields);
        // Whatever the clock says, the form is saved.
        let now_ms = self.options.store.env.wall_ms().clamp(0, rules::MAX_TIME_MS);
        let or_now = |time: Option<i64>, field: Field| time.or_else(|| wanted.contains(&field).then_some(now_ms));
        Fields {
            occurred_ms: or_now(fields.occurred_ms, Field::OccurredAt),
            finished_ms: or_now(fields.finished_ms, Field::FinishedAt),
            seen_ms: or_now(fields.seen_ms, Field::SeenAt),
            ..fields
        }
    }
}

fn refused(store: &Store) -> Result<Vec<EditRow>, StoreError> {
    let mut edits = store.outbox()?;
    edits.retain(|edit| matches!(edit.delivery.state, DeliveryState::Refused | DeliveryState::Decide));
    Ok(edits)
}

/// The person's field that names a sensitive fact.
const ID_NUMBER: &str = "id_no";

#[cfg(test)]
mod tests;
