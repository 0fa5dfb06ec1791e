//! Saving: what a person did goes into the store in one durable transaction, with its intent and its projections. It never waits for the network.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};
use rusqlite::{Connection, OptionalExtension as _};
use serde::{Deserialize, Serialize};

use super::document::Document;
use super::meta::{self, Identity};
use super::observe::Touched;
use super::own::{self, OwnRow, Standing};
use super::seen::Seen;
use super::{Context, Store, StoreError, outbox, project};
use crate::domain::action::{Action, ActionKind, Fields};
use crate::domain::area::AreaCode;
use crate::domain::case::kinds::{self, Right};
use crate::domain::case::{self, Case, RULES};
use crate::domain::fact::{Body, Fact, FactKind, Visit};
use crate::domain::form::{self, FormError};
use crate::domain::household::{self, HouseholdEdit};
use crate::domain::id::{DocId, FactId, Hash, PersonId};
use crate::domain::policy::{self, Refusal};
use crate::domain::words::Words;
use crate::env::random;
use crate::record::{Change, Command, Content, Record, RecordError, RecordKind};

/// What was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
pub struct Saved {
    /// The record.
    #[n(0)]
    pub doc: DocId,
    /// The edit: what receipts and refusals of it are found by.
    #[n(1)]
    pub edit: Hash,
}

/// Why nothing was saved. What a form held is untouched; the app keeps it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// The device is not enrolled.
    #[error("the device is not enrolled; scan the town centre's code")]
    NotEnrolled,
    /// Too long without contact: only reports may be made.
    #[error("only reports may be made until the centre is reached")]
    ReportOnly,
    /// The centre has yet to approve this phone: only reports may be made.
    #[error("only reports may be made until the centre has approved this phone")]
    NotApproved,
    /// The form lacks something, or holds what cannot be; the fields are named.
    #[error(transparent)]
    Form(#[from] FormError),
    /// The centre would refuse it, for this reason.
    #[error("the centre would refuse this: {0}")]
    Refused(Refusal),
    /// The record is not on this phone.
    #[error("the record is not on this phone")]
    NoSuchRecord,
    /// The record is of another kind: a case was meant and it is a household, or the other way round.
    #[error("the record is of another kind")]
    OtherKind,
    /// The person is not in this household.
    #[error("the person is not in this household on this phone")]
    NoSuchPerson,
    /// The record says all of it already.
    #[error("the record says this already; nothing was changed")]
    Nothing,
    /// The form has saved something else already, which stands.
    #[error("the form has saved something else already")]
    AlreadySaved,
    /// The record could not be read or written.
    #[error(transparent)]
    Record(RecordError),
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StoreError),
}

impl SaveError {
    /// What to tell a person: what is the matter and what to do.
    #[must_use]
    pub const fn words(&self) -> Words {
        let (zh, en) = match self {
            Self::NotEnrolled => return StoreError::NotEnrolled.words(),
            Self::ReportOnly => {
                ("太久没有联系中心，现在只能上报；请连网同步一次", "No contact for too long: only reports may be made until this phone has synced")
            }
            Self::NotApproved => return StoreError::NotApproved.words(),
            Self::Form(error) => return error.words(),
            Self::Refused(reason) => reason.words(),
            Self::OtherKind => ("这条记录的类型不符：事件和住户不能互换", "This record is of another kind: a case is no household, and a household no case"),
            Self::NoSuchPerson => ("这位住户不在本机的这一户里", "This person is not in this household on this phone"),
            Self::NoSuchRecord => ("这条记录不在本机，或已不需要处理", "This record is not on this phone, or there is nothing left to decide"),
            Self::Nothing => ("内容没有变化", "The record says this already; nothing was changed"),
            Self::AlreadySaved => (
                "这张表单已经保存过，之后改动的内容没有保存；请更正那条记录，或另存一份",
                "This form was saved already, and what was changed in it since was not. Correct the record, or save this as another",
            ),
            Self::Record(_) => ("这条记录无法读写，已原样保留；请更新应用", "This record cannot be read or written here; it was left as it is. Update the app"),
            Self::Storage(error) => return error.words(),
        };
        Words { zh, en }
    }
}

impl From<RecordError> for SaveError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::TooLarge(_) => Self::Refused(Refusal::TooLarge),
            RecordError::Full(_) => Self::Refused(Refusal::RecordFull),
            RecordError::Nothing => Self::Nothing,
            error => Self::Record(error),
        }
    }
}

impl From<rusqlite::Error> for SaveError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.into())
    }
}

impl Store {
    /// An id for a new record, person or fact.
    #[must_use]
    pub fn new_doc(&self) -> DocId {
        DocId::new(self.inner.env.wall_ms(), random(self.inner.env.as_ref()))
    }

    /// An id for a new person.
    #[must_use]
    pub fn new_person(&self) -> PersonId {
        PersonId::new(self.inner.env.wall_ms(), random(self.inner.env.as_ref()))
    }

    /// Saves a command as one change of a record: durable when this returns.
    ///
    /// # Errors
    /// See [`SaveError`]; nothing is saved then.
    pub fn save(&self, doc: DocId, command: &Command) -> Result<Saved, SaveError> {
        self.saving(|db, context, touched| save(db, self, context, doc, command, None, touched))
    }

    /// Does one action on a case as the device's person: the author, what he has seen, the round and his assignment are filled in from the case as it stands.
    /// Without `doc` a report opens a new case.
    ///
    /// # Errors
    /// See [`SaveError`]; nothing is saved then.
    pub fn act(&self, doc: Option<DocId>, kind: ActionKind, fields: Fields) -> Result<Saved, SaveError> {
        self.saving(|db, context, touched| {
            let identity = context.identity.as_ref().ok_or(SaveError::NotEnrolled)?;
            let doc = match (doc, kind) {
                // A report opens a case. On one that is open it would stay in the history without effect.
                (Some(_), ActionKind::Report) => return Err(FormError::of(form::Fault::Unknown, "kind").into()),
                (Some(doc), _) => doc,
                (None, ActionKind::Report) => self.new_doc(),
                (None, _) => return Err(SaveError::NoSuchRecord),
            };
            if kind_of(db, doc)?.is_some_and(|kind| kind != RecordKind::Case) {
                return Err(SaveError::OtherKind);
            }
            gather(db, self, context, doc, touched)?;
            let action = compose(db, self, identity, doc, kind, fields)?;
            save(db, self, context, doc, &Command::Act(vec![action]), None, touched)
        })
    }

    /// States a fact about a record: durable when this returns.
    ///
    /// # Errors
    /// See [`SaveError`]; nothing is saved then.
    pub fn state(&self, kind: FactKind, subject: DocId, body: Vec<u8>) -> Result<FactId, SaveError> {
        self.saving(|db, context, touched| state(db, self, context, kind, subject, body, touched))
    }

    /// Adds a person to a household.
    ///
    /// # Errors
    /// See [`SaveError`]; nothing is saved then.
    pub fn add_person(&self, household: DocId, fields: household::Fields) -> Result<PersonId, SaveError> {
        let person = self.new_person();
        self.saving(|db, context, touched| {
            save(db, self, context, household, &Command::EditHousehold(vec![HouseholdEdit::AddPerson(person, fields)]), None, touched)?;
            Ok(person)
        })
    }

    /// States a visit to a household.
    ///
    /// # Errors
    /// See [`SaveError`]; nothing is saved then.
    pub fn visit(&self, household: DocId, visit: &Visit) -> Result<FactId, SaveError> {
        form::visit(visit)?;
        self.state(FactKind::Visit, household, meta::encode(visit))
    }

    /// Keeps a sensitive value (S3) of a person beside the household, which names it by the fact's id only: both or neither. Salted, so that its hash gives
    /// nothing away.
    ///
    /// # Errors
    /// See [`SaveError`]; nothing is saved then.
    pub fn set_sensitive(&self, household: DocId, person: PersonId, field: &str, value: &str) -> Result<Saved, SaveError> {
        form::id_number(value)?;
        let salt: [u8; policy::SALT_BYTES] = random(self.inner.env.as_ref());
        self.saving(|db, context, touched| {
            let fact = state(db, self, context, FactKind::Sensitive, household, [&salt, value.as_bytes()].concat(), touched)?;
            let named = HouseholdEdit::SetPerson(person, field.to_owned(), household::Value::Text(fact.to_string()));
            save(db, self, context, household, &Command::EditHousehold(vec![named]), None, touched)
        })
    }

    /// Saves, all of `f` or nothing; what the form has saved already is not saved again.
    pub(super) fn saving<T>(&self, f: impl FnOnce(&Connection, &Context, &mut Touched) -> Result<T, SaveError>) -> Result<T, SaveError>
    where
        T: Encode<()> + for<'b> Decode<'b, ()>,
    {
        let mut touched = Touched::default();
        let result = self.inner.db.write::<_, SaveError>(|tx| {
            if let Some(form) = self.form
                && let Some(saved) = form.saved(tx)?
            {
                return Ok(saved);
            }
            self.tick(tx)?;
            let context = self.context_in(tx)?;
            let saved = f(tx, &context, &mut touched)?;
            if let Some(form) = self.form {
                form.note(tx, &saved)?;
            }
            Ok(saved)
        })?;
        self.inner.announcer.announce(touched);
        Ok(result)
    }
}

/// Saves a command as one change. `edit` is the edit's id where it is done again.
pub(super) fn save(
    db: &Connection,
    store: &Store,
    context: &Context,
    doc: DocId,
    command: &Command,
    edit: Option<Hash>,
    touched: &mut Touched,
) -> Result<Saved, SaveError> {
    let identity = context.identity.as_ref().ok_or(SaveError::NotEnrolled)?;
    if !only_reports(command) {
        unlocked(db, store)?;
    }
    let mut document = match Document::find(db, doc)? {
        Some(document) if document.kind != command.record_kind() => return Err(SaveError::OtherKind),
        Some(document) => document,
        None if creates(command) => Document::open(db, doc, command.record_kind())?,
        None => return Err(SaveError::NoSuchRecord),
    };
    let mut record = document.record()?.0.into_owned();
    let content = record.read();
    fits(db, context, &content, command)?;
    permit(identity, &areas(db, identity, doc)?, &content, command).map_err(SaveError::Refused)?;
    let now_ms = context.now_ms;
    let Change { hash, raw } = record.write(identity.incarnation, command, now_ms.div_euclid(1000))?;
    let mut row = OwnRow {
        n: 0,
        doc: Some(doc),
        kind: command.record_kind().code(),
        edit: edit.unwrap_or(hash),
        change: hash,
        fact: None,
        raw: Some(raw),
        command: Some(meta::encode(command)),
        made_ms: now_ms,
        standing: Standing::New,
        attempt: 0,
        positions: None,
        seen: None,
    };
    row.seen = Seen::of(&document, &row).map(|seen| meta::encode(&seen));
    row.n = row.insert(db)?;
    document.push_own(row);
    project::delivery(db, doc, touched)?;
    project::written(db, context, &document, &record, touched)?;
    touched.status = true;
    Ok(Saved { doc, edit: edit.unwrap_or(hash) })
}

/// A fact about a record, and its place in the outbox.
fn state(db: &Connection, store: &Store, context: &Context, kind: FactKind, subject: DocId, body: Vec<u8>, touched: &mut Touched) -> Result<FactId, SaveError> {
    let identity = context.identity.as_ref().ok_or(SaveError::NotEnrolled)?;
    unlocked(db, store)?;
    let document = Document::find(db, subject)?.ok_or(SaveError::NoSuchRecord)?;
    if document.kind != RecordKind::Household && matches!(kind, FactKind::Visit | FactKind::Sensitive) {
        return Err(SaveError::OtherKind);
    }
    let area = area_of(db, identity, subject)?;
    let env = store.inner.env.as_ref();
    let stamp = env.stamp();
    let fact = Fact { id: FactId::new(stamp.wall_ms, random(env)), kind, subject: Some(subject), area: Some(area), at: stamp, body: Body::Held(body) };
    policy::may_state(&identity.grant, area, &fact).map_err(SaveError::Refused)?;
    let hash = fact.hash();
    store_fact(db, &fact, hash, touched)?;
    OwnRow {
        n: 0,
        doc: Some(subject),
        kind: kind.code(),
        edit: hash,
        change: hash,
        fact: Some(fact.id),
        raw: None,
        command: None,
        made_ms: stamp.wall_ms,
        standing: Standing::New,
        attempt: 0,
        positions: None,
        seen: None,
    }
    .insert(db)?;
    project::delivery(db, document.id, touched)?;
    touched.status = true;
    Ok(fact.id)
}

/// Everything but reports waits for contact, or for the centre's approval.
pub(super) fn unlocked(db: &Connection, store: &Store) -> Result<(), SaveError> {
    match store.locked_in(db)? {
        None => Ok(()),
        Some(StoreError::NotApproved) => Err(SaveError::NotApproved),
        Some(StoreError::RegistryLocked) => Err(SaveError::ReportOnly),
        Some(error) => Err(error.into()),
    }
}

/// Whether the form can be saved as it is. The phone's clock may be behind: what the server last said counts as well.
fn fits(db: &Connection, context: &Context, content: &Content, command: &Command) -> Result<(), SaveError> {
    match (command, content) {
        (Command::Act(actions), _) => {
            let server_ms = meta::get(db, meta::ANCHOR)?.map_or(i64::MIN, |anchor| anchor.server_ms);
            let now_ms = context.now_ms.max(server_ms);
            Ok(actions.iter().try_for_each(|action| form::action(action, now_ms))?)
        }
        (Command::EditHousehold(edits), Content::Household(there)) => {
            let mut persons: BTreeSet<PersonId> = there.persons.keys().copied().collect();
            for edit in edits {
                match edit {
                    HouseholdEdit::AddPerson(person, _) => drop(persons.insert(*person)),
                    HouseholdEdit::SetPerson(person, ..) if !persons.contains(person) => return Err(SaveError::NoSuchPerson),
                    _ => {}
                }
            }
            Ok(form::household(edits)?)
        }
        (Command::EditHousehold(_), Content::Case(_)) => Err(SaveError::OtherKind),
    }
}

/// The words that the server would use, and one of the phone's own: what the role has no right to at all would stay
/// in the record without effect.
fn permit(identity: &Identity, areas: &[AreaCode], content: &Content, command: &Command) -> Result<(), Refusal> {
    let grant = &identity.grant;
    match command {
        Command::Act(actions) => {
            let opens = matches!(content, Content::Case(there) if there.is_empty());
            actions.iter().try_for_each(|action| {
                match action.fields.grid.filter(|_| opens) {
                    Some(grid) => policy::may_act(grant, grid, action),
                    None => anywhere(areas, |area| policy::may_act(grant, area, action)),
                }?;
                let none = kinds::spec(action.kind).is_none_or(|spec| spec.right(grant.role) == Right::No);
                if none { Err(Refusal::NotPermitted) } else { Ok(()) }
            })
        }
        Command::EditHousehold(edits) => {
            let created = edits.iter().find_map(|edit| match edit {
                HouseholdEdit::Create(fields) => household::text(fields, "grid").and_then(|grid| grid.parse().ok()),
                _ => None,
            });
            edits.iter().try_for_each(|edit| match created {
                Some(grid) => policy::may_edit(grant, grid, edit),
                None => anywhere(areas, |area| policy::may_edit(grant, area, edit)),
            })
        }
    }
}

/// What is allowed in one of the areas is allowed; otherwise the word of the first counts.
fn anywhere(areas: &[AreaCode], allowed: impl Fn(AreaCode) -> Result<(), Refusal>) -> Result<(), Refusal> {
    let mut found = areas.iter().map(|area| allowed(*area));
    let first = found.next().unwrap_or(Err(Refusal::OutOfScope));
    if first == Err(Refusal::OutOfScope) && found.any(|allowed| allowed.is_ok()) { Ok(()) } else { first }
}

/// The areas that a record lies in as far as the phone can tell: its own, and those whose streams hold it. Until its author reads that it left one of them,
/// what he writes is judged there too.
fn areas(db: &Connection, identity: &Identity, doc: DocId) -> Result<Vec<AreaCode>, StoreError> {
    let mut areas = vec![area_of(db, identity, doc)?];
    let holding = db
        .prepare_cached("SELECT s.area FROM held h JOIN streams s USING (stream) WHERE h.item = ?1 AND s.area IS NOT NULL")?
        .query_map([doc.as_bytes()], |row| row.get::<_, String>(0))?
        .collect::<Result<Vec<_>, _>>()?;
    areas.extend(holding.iter().filter_map(|area| area.parse::<AreaCode>().ok()));
    Ok(areas)
}

/// The area of a record: its grid, or else where its author works.
fn area_of(db: &Connection, identity: &Identity, doc: DocId) -> Result<AreaCode, StoreError> {
    let home = || identity.grant.scopes.first().copied().unwrap_or_else(|| "61".parse().expect("a province code"));
    Ok(outbox::grid_of(db, doc)?.unwrap_or_else(home))
}

fn kind_of(db: &Connection, doc: DocId) -> Result<Option<RecordKind>, StoreError> {
    let mut found = db.prepare_cached("SELECT kind FROM documents WHERE doc = ?1")?;
    Ok(found.query_row([doc.as_bytes()], |row| row.get(0)).optional()?.map(RecordKind::from_code))
}

/// Whether a command begins a record.
pub(super) fn creates(command: &Command) -> bool {
    match command {
        Command::Act(actions) => actions.iter().any(|action| action.kind == ActionKind::Report),
        Command::EditHousehold(edits) => edits.iter().any(|edit| matches!(edit, HouseholdEdit::Create(_))),
    }
}

fn only_reports(command: &Command) -> bool {
    match command {
        Command::Act(actions) => actions.iter().all(|action| matches!(action.kind, ActionKind::Report | ActionKind::Supplement)),
        Command::EditHousehold(_) => false,
    }
}

/// An action names as seen what nobody has seen yet, up to a limit. Where more were written at once, notes that name a part each come first: otherwise nobody
/// could act on the case any more.
pub(super) fn gather(db: &Connection, store: &Store, context: &Context, doc: DocId, touched: &mut Touched) -> Result<(), SaveError> {
    let identity = context.identity.as_ref().ok_or(SaveError::NotEnrolled)?;
    while let Some(mut case) = super::query::folded(db, doc)?.filter(|case| case.frontier.len() > policy::MAX_LIST) {
        case.frontier.truncate(policy::MAX_LIST);
        let fields = Fields { text: Some(GATHERED.to_owned()), ..Fields::default() };
        let note = case::compose(&case, identity.grant.author(), store.inner.env.stamp(), ActionKind::Supplement, fields, RULES).action;
        save(db, store, context, doc, &Command::Act(vec![note]), None, touched)?;
    }
    Ok(())
}

/// What a note says that only takes together what was written at once.
const GATHERED: &str = "已阅以上同时提交的内容 · Read what was written at the same time";

pub(super) fn compose(db: &Connection, store: &Store, identity: &Identity, doc: DocId, kind: ActionKind, fields: Fields) -> Result<Action, SaveError> {
    let case = super::query::folded(db, doc)?;
    if case.is_none() && kind != ActionKind::Report {
        return Err(SaveError::NoSuchRecord);
    }
    let case = case.unwrap_or_else(|| Case::draft(doc));
    Ok(case::compose(&case, identity.grant.author(), store.inner.env.stamp(), kind, fields, RULES).action)
}

/// Writes a fact and its projection.
pub(super) fn store_fact(db: &Connection, fact: &Fact, hash: Hash, touched: &mut Touched) -> Result<(), StoreError> {
    let body = match &fact.body {
        Body::Held(bytes) => Some(bytes.as_slice()),
        Body::Erased(_) => None,
    };
    // An erasure that comes after the body takes the body away; nothing brings it back.
    db.prepare_cached(
        "INSERT INTO facts (fact, kind, subject, area, wall_ms, mono_ms, hash, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (fact) DO UPDATE SET body = NULL WHERE excluded.body IS NULL",
    )?
    .execute(rusqlite::params![
        fact.id.as_bytes(),
        fact.kind.code(),
        fact.subject.map(|subject| *subject.as_bytes()),
        fact.area.map(|area| area.to_string()),
        fact.at.wall_ms,
        i64::try_from(fact.at.mono_ms).unwrap_or(i64::MAX),
        hash.0,
        body
    ])?;
    if fact.kind == FactKind::Visit
        && let Some(visit) = body.and_then(|body| minicbor::decode::<Visit>(body).ok())
    {
        project::visit(db, fact, &visit, touched)?;
    }
    Ok(())
}

/// Writes a record's projections after its author decided about work on it. One of which nothing is left is forgotten.
pub(super) fn project_again(db: &Connection, context: &Context, doc: DocId, touched: &mut Touched) -> Result<(), SaveError> {
    let Some(document) = Document::find(db, doc)? else {
        return Ok(());
    };
    let gone = document.is_bare()
        && document.record().is_ok_and(|(record, _)| is_empty(&record))
        && own::of_record(db, document.id)?.state == own::DeliveryState::Discarded;
    if gone {
        super::purge::forget(db, document.id, touched)?;
        super::search::scrub(db)?;
        return Ok(());
    }
    Ok(project::document(db, context, &document, touched)?)
}

fn is_empty(record: &Record) -> bool {
    match record.read() {
        Content::Case(actions) => actions.is_empty(),
        Content::Household(household) => household.fields.is_empty() && household.persons.is_empty(),
    }
}
