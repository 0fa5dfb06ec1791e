//! What screens show.

use std::collections::HashMap;

use fieldgrid_core::device;
use fieldgrid_core::device::store::{self, Lease, Unsent};
use fieldgrid_core::device::sync::{SyncSummary, Wait, WaitReason as CoreWaitReason};
use fieldgrid_core::domain::action::Fields;
use fieldgrid_core::domain::case::{self, AssignmentStatus, Effect, kinds};
use fieldgrid_core::domain::household::{self, Household, Value};
use fieldgrid_core::domain::words;

use crate::code::{ActionField, ActionKind, DeliveryState, Role, WaitReason, Words};
use crate::edit::{ActionFields, Place};
use crate::record::{CaseRow, Delivery, HouseholdRow, RefusedEdit, VisitRow};

/// Who the phone is to the centre.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Enrolment {
    /// The person's display name.
    pub name: Option<String>,
    /// What he is to the centre.
    pub role: Role,
    /// The areas he works in, by code.
    pub scopes: Vec<String>,
    /// The department or centre he belongs to.
    pub org: Option<String>,
    /// When the grant ends, milliseconds since 1970.
    pub expires_ms: i64,
    /// Base URL of the server.
    pub server: String,
}

impl From<device::Enrolment> for Enrolment {
    fn from(enrolment: device::Enrolment) -> Self {
        let device::Enrolment { name, role, scopes, org, expires_ms, server, .. } = enrolment;
        Self { name, role: role.into(), scopes: scopes.iter().map(ToString::to_string).collect(), org: org.map(|org| org.to_string()), expires_ms, server }
    }
}

/// An action that the phone's person may do next.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NextAction {
    /// What.
    pub kind: ActionKind,
    /// What it must say.
    pub requires: Vec<ActionField>,
}

impl From<fieldgrid_core::domain::action::ActionKind> for NextAction {
    fn from(kind: fieldgrid_core::domain::action::ActionKind) -> Self {
        let requires = kinds::spec(kind).map_or(&[][..], |spec| spec.fields).iter().copied().map(ActionField::from).collect();
        Self { kind: kind.into(), requires }
    }
}

/// One line of a case's history.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct HistoryEntry {
    /// The action.
    pub id: String,
    /// What it does.
    pub kind: ActionKind,
    /// The author's role.
    pub role: Role,
    /// The author's name, where the centre has said it.
    pub author: Option<String>,
    /// The author's organisation, where the centre has said its name.
    pub org: Option<String>,
    /// Done on this phone.
    pub own: bool,
    /// When, by its author's clock, milliseconds since 1970.
    pub made_ms: i64,
    /// What it says, in words.
    pub text: Option<String>,
    /// All that it says.
    pub fields: ActionFields,
    /// Whether it took effect.
    pub effective: bool,
    /// Why it had no effect.
    pub no_effect: Option<Words>,
    /// Where it is.
    pub delivery: Delivery,
}

/// How far an assignment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum AssignmentState {
    /// Given, not yet signed for.
    Unsigned,
    /// Signed for; work goes on.
    Signed,
    /// Finished.
    Finished,
    /// Taken back.
    Recalled,
    /// Superseded by a later dispatch.
    Superseded,
    /// Paused until a person decides.
    Paused,
}

/// A dispatch of a case.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Assignment {
    /// The dispatch.
    pub id: String,
    /// To which organisation, by name where it is known, else by id.
    pub org: Option<String>,
    /// To which person, by name where it is known, else by id.
    pub person: Option<String>,
    /// When it is due, milliseconds since 1970.
    pub due_ms: Option<i64>,
    /// How far it is.
    pub state: AssignmentState,
    /// Whether the case waits for this one to finish.
    pub required: bool,
}

/// How much a flag matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum FlagLevel {
    /// For information.
    Info,
    /// A person must decide.
    Must,
}

/// Something that two concurrent actions left for people to know or to decide.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Flag {
    /// The row of the merge table that raised it; a decision names it.
    pub row: u8,
    /// How much it matters.
    pub level: FlagLevel,
    /// The actions, as in the history: two, or one that it is about by itself.
    pub actions: Vec<String>,
}

impl From<case::Flag> for Flag {
    fn from(case::Flag { row, level, actions }: case::Flag) -> Self {
        let level = match level {
            case::FlagLevel::Info => FlagLevel::Info,
            case::FlagLevel::Must => FlagLevel::Must,
        };
        let mut actions: Vec<_> = actions.iter().map(ToString::to_string).collect();
        actions.dedup();
        Self { row, level, actions }
    }
}

/// A case on its screen.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct CaseScreen {
    /// As in lists.
    pub row: CaseRow,
    /// What was reported.
    pub text: Option<String>,
    /// Where, with the point if there was a fix.
    pub place: Option<Place>,
    /// When it happened, milliseconds since 1970.
    pub occurred_ms: Option<i64>,
    /// Where it came from, when not from a phone.
    pub source: Option<String>,
    /// What the grid is called.
    pub grid_name: Option<String>,
    /// The reply to the reporter.
    pub reply: Option<String>,
    /// Whether the case is here whole, or only its progress may be known.
    pub whole: bool,
    /// The round of work, from 1: each rework and each reopening begins one.
    pub round: u16,
    /// Closed, but somebody asked to reopen it or something contradicts it.
    pub reopen_pending: bool,
    /// What people should know or decide.
    pub flags: Vec<Flag>,
    /// What was done, in order, with what became of it.
    pub history: Vec<HistoryEntry>,
    /// Who is at work on it.
    pub assignments: Vec<Assignment>,
    /// What the phone's person may do next.
    pub next: Vec<NextAction>,
    /// Own edits that wait for a decision.
    pub refused: Vec<RefusedEdit>,
    /// The record could not take a change that arrived; it was reported.
    pub parked: bool,
}

impl From<store::CaseDetail> for CaseScreen {
    fn from(detail: store::CaseDetail) -> Self {
        let store::CaseDetail { row, case, progress, received, possible, edits, names, parked } = detail;
        let person = |id: &str| names.people.get(id).cloned();
        let org = |id: &str| names.orgs.get(id).cloned();
        let entry = |entry: &case::Entry| {
            let author = &entry.action.author;
            let own = edits.iter().find(|edit| edit.actions.contains(&entry.id));
            let theirs = || Delivery { state: DeliveryState::Theirs, reason: None, received_ms: received.get(&entry.id).map(|interval| interval.latest_ms) };
            HistoryEntry {
                id: entry.id.to_string(),
                kind: entry.action.kind.into(),
                role: author.role.into(),
                author: person(&author.user.to_string()),
                org: author.org.and_then(|id| org(&id.to_string())),
                own: own.is_some(),
                made_ms: entry.action.at.wall_ms,
                text: said(&entry.action.fields),
                fields: entry.action.fields.clone().into(),
                effective: entry.effect == Effect::Effective,
                no_effect: match entry.effect {
                    Effect::Effective => None,
                    Effect::Ineffective(why) => Some(words::ineffective(why).into()),
                },
                delivery: own.map_or_else(theirs, |edit| edit.delivery.into()),
            }
        };
        let assignment = |given: &case::Assignment| Assignment {
            id: given.id.to_string(),
            org: given.org.map(|id| id.to_string()).map(|id| org(&id).unwrap_or(id)),
            person: given.person.map(|id| id.to_string()).map(|id| person(&id).unwrap_or(id)),
            due_ms: given.due_ms,
            state: match given.status {
                AssignmentStatus::Unsigned => AssignmentState::Unsigned,
                AssignmentStatus::Signed => AssignmentState::Signed,
                AssignmentStatus::Finished => AssignmentState::Finished,
                AssignmentStatus::Recalled => AssignmentState::Recalled,
                AssignmentStatus::Superseded => AssignmentState::Superseded,
                AssignmentStatus::Paused => AssignmentState::Paused,
            },
            required: given.required,
        };
        Self {
            text: case.as_ref().and_then(|case| case.header.text.clone()),
            place: case.as_ref().and_then(|case| case.header.place.clone()).map(Place::from),
            occurred_ms: case.as_ref().and_then(|case| case.header.occurred_ms),
            source: case.as_ref().and_then(|case| case.header.source.clone()),
            grid_name: row.grid.and_then(|grid| names.areas.get(&grid.to_string()).cloned()),
            reply: case.as_ref().map_or_else(|| progress.and_then(|progress| progress.reply), |case| case.reply.clone()),
            whole: case.is_some(),
            round: case.as_ref().map_or(1, |case| case.round),
            reopen_pending: case.as_ref().is_some_and(|case| case.reopen_pending),
            flags: case.iter().flat_map(|case| &case.flags).copied().map(Flag::from).collect(),
            history: case.iter().flat_map(|case| &case.history).map(entry).collect(),
            assignments: case.iter().flat_map(|case| &case.assignments).map(assignment).collect(),
            row: row.into(),
            next: possible.into_iter().map(NextAction::from).collect(),
            refused: undecided(edits),
            parked,
        }
    }
}

fn undecided(edits: Vec<store::EditRow>) -> Vec<RefusedEdit> {
    let undecided = |edit: &store::EditRow| matches!(edit.delivery.state, store::DeliveryState::Refused | store::DeliveryState::Decide);
    edits.into_iter().filter(undecided).map(RefusedEdit::from).collect()
}

/// Every word of an action.
fn said(fields: &Fields) -> Option<String> {
    let Fields { title, text, measure, reason, reply, observation, conclusion, instruction, .. } = fields;
    let said: Vec<_> = [title, text, measure, reason, reply, observation, conclusion, instruction].into_iter().flatten().map(String::as_str).collect();
    (!said.is_empty()).then(|| said.join("\n"))
}

/// A person of a household.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Person {
    /// The person.
    pub id: String,
    /// Name.
    pub name: Option<String>,
    /// All fields that hold something, by name.
    pub fields: HashMap<String, String>,
    /// Tags that are set.
    pub tags: Vec<String>,
    /// Whether he needs care.
    pub care: bool,
    /// Whether an ID number is kept; reading it is recorded.
    pub has_id_number: bool,
    /// Moved away or died.
    pub ended: bool,
}

/// Values of a field that concurrent edits also gave; the one that shows is in the fields.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Alternative {
    /// The person; none for the household itself.
    pub person: Option<String>,
    /// The field.
    pub field: String,
    /// The other values.
    pub values: Vec<String>,
}

/// A household on its screen.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct HouseholdScreen {
    /// As in lists.
    pub row: HouseholdRow,
    /// All fields that hold something, by name; empty when only a masked view is here.
    pub fields: HashMap<String, String>,
    /// Tags that are set.
    pub tags: Vec<String>,
    /// Who lives or lived there.
    pub persons: Vec<Person>,
    /// What concurrent edits also said.
    pub alternatives: Vec<Alternative>,
    /// The latest visits.
    pub visits: Vec<VisitRow>,
    /// Own edits that wait for a decision.
    pub refused: Vec<RefusedEdit>,
    /// The record could not take a change that arrived; it was reported.
    pub parked: bool,
}

impl From<store::HouseholdDetail> for HouseholdScreen {
    fn from(detail: store::HouseholdDetail) -> Self {
        let Household { fields, persons, alternatives } = detail.household.unwrap_or_default();
        let person = |(id, fields): (&fieldgrid_core::domain::id::PersonId, &household::Fields)| Person {
            id: id.to_string(),
            name: household::text(fields, "name").map(str::to_owned),
            fields: shown(fields),
            tags: household::tags(fields).map(str::to_owned).collect(),
            care: household::needs_care(fields),
            has_id_number: household::text(fields, ID_NUMBER).is_some(),
            ended: household::text(fields, "ended").is_some(),
        };
        Self {
            row: detail.row.into(),
            tags: household::tags(&fields).map(str::to_owned).collect(),
            persons: persons.iter().map(person).collect(),
            fields: shown(&fields),
            alternatives: alternatives
                .into_iter()
                .map(|other| Alternative {
                    person: other.person.map(|person| person.to_string()),
                    field: other.field,
                    values: other.values.iter().filter_map(word).collect(),
                })
                .collect(),
            visits: detail.visits.into_iter().map(VisitRow::from).collect(),
            refused: undecided(detail.edits),
            parked: detail.parked,
        }
    }
}

/// Names a sensitive fact, which is no one's to look at.
const ID_NUMBER: &str = "id_no";

fn shown(fields: &household::Fields) -> HashMap<String, String> {
    let plain = |name: &&String| name.as_str() != ID_NUMBER && !name.starts_with(household::TAG_PREFIX);
    fields.iter().filter(|(name, _)| plain(name)).filter_map(|(name, value)| Some((name.clone(), word(value)?))).collect()
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Bool(value) => Some(value.to_string()),
        Value::Int(value) => Some(value.to_string()),
        Value::Text(value) => Some(value.clone()),
    }
}

/// Why sync waits.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SyncWait {
    /// Why.
    pub reason: WaitReason,
    /// What to tell a person.
    pub words: Words,
    /// How long at most, milliseconds.
    pub ms: u64,
}

impl From<Wait> for SyncWait {
    fn from(Wait { ms, reason }: Wait) -> Self {
        Self { reason: reason.into(), words: reason.words().into(), ms }
    }
}

/// What a sync came to.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SyncResult {
    /// Why it ended before everything was exchanged; none when it is done.
    pub wait: Option<SyncWait>,
    /// Entries of others, and the server's word on own work.
    pub entries: u64,
    /// Own items that were refused.
    pub refused: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Own edits that the centre does not have. Only where there are none was everything exchanged.
    pub unsent: u32,
    /// Why; none when there are none.
    pub why_unsent: Option<Words>,
    /// Own edits that the centre has and keeps aside.
    pub aside: u32,
}

impl From<SyncSummary> for SyncResult {
    fn from(summary: SyncSummary) -> Self {
        let SyncSummary { sent_bytes, received_bytes, entries, refused, wait, unsent, .. } = summary;
        let Unsent { count, why, aside } = unsent;
        let why_unsent = why.map(|why| why.words().into());
        Self { wait: wait.map(SyncWait::from), entries, refused, sent_bytes, received_bytes, unsent: count, why_unsent, aside }
    }
}

/// What had become of the phone's work when the centre revoked it and its store was wiped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct Wiped {
    /// When, milliseconds since 1970, phone's clock.
    pub at_ms: i64,
    /// Edits and facts that the centre had received.
    pub received: u32,
    /// Those that the centre keeps aside until its administrator decides.
    pub kept_aside: u32,
    /// Those that never reached the centre, or were refused: they are lost with the store.
    pub lost: u32,
}

impl From<store::Wiped> for Wiped {
    fn from(store::Wiped { at_ms, received, kept_aside, lost }: store::Wiped) -> Self {
        Self { at_ms, received, kept_aside, lost }
    }
}

/// What a comparison with another phone's note came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct Compared {
    /// Positions at which the centre said the same.
    pub same: u32,
    /// Positions at which it signed two contents: the administrator is to be told.
    pub split: u32,
    /// Positions that this phone has not; the centre is shown them.
    pub unknown: u32,
}

impl From<store::Compared> for Compared {
    fn from(compared: store::Compared) -> Self {
        let store::Compared { same, split, unknown } = compared;
        Self { same, split, unknown }
    }
}

/// How the phone stands: the status screen, and the sync line of every other.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct DeviceStatus {
    /// Who it is; none before enrolment.
    pub enrolment: Option<Enrolment>,
    /// Own edits and facts that the centre does not have yet.
    pub unsent: u32,
    /// Of these, how many were received once and are to be delivered again: the centre restored a backup.
    pub again: u32,
    /// Refused, and waiting for a person's decision.
    pub refused: u32,
    /// Received by the centre.
    pub received: u32,
    /// Cases on this phone.
    pub cases: u32,
    /// Households on this phone.
    pub households: u32,
    /// Records that could not take a change.
    pub parked: u32,
    /// Places at which the centre signed two contents: its administrator is to be told.
    pub split_views: u32,
    /// The phone's clock at the last contact, milliseconds since 1970.
    pub contact_ms: Option<i64>,
    /// Reports only, households are locked: too long without contact, or awaiting approval.
    pub report_only: bool,
    /// The centre has yet to approve this phone: until then it may only report.
    pub awaits_approval: bool,
    /// The centre revoked this phone and its store was wiped: what had become of the work. Until it enrols again.
    pub wiped: Option<Wiped>,
    /// How much longer everything may be done without contact, milliseconds; none when it has ended.
    pub lease_left_ms: Option<i64>,
    /// The store was found to be a copy; it gets a new life at the next contact.
    pub copied: bool,
    /// Whether the background keeps in sync.
    pub background: bool,
    /// Whether a round is under way.
    pub syncing: bool,
    /// Why sync waits, when something is wrong.
    pub wait: Option<SyncWait>,
    /// When it tries again, milliseconds since 1970.
    pub next_try_ms: Option<i64>,
}

impl From<device::DeviceStatus> for DeviceStatus {
    fn from(status: device::DeviceStatus) -> Self {
        let device::DeviceStatus { enrolment, store, sync } = status;
        let lease_left_ms = match store.lease {
            Lease::Open(ms) => Some(ms),
            Lease::ReportOnly => None,
        };
        Self {
            unsent: store.unsent,
            again: store.again,
            refused: store.refused,
            received: store.received,
            cases: store.cases,
            households: store.households,
            parked: store.parked,
            split_views: store.split_views,
            contact_ms: store.contact_ms,
            report_only: enrolment.is_some() && lease_left_ms.is_none(),
            awaits_approval: store.awaits_approval,
            wiped: store.wiped.map(Wiped::from),
            lease_left_ms,
            copied: store.copied,
            background: sync.background,
            syncing: sync.syncing,
            wait: sync.wait.filter(|wait| wait.reason != CoreWaitReason::Scheduled).map(SyncWait::from),
            next_try_ms: sync.next_try_ms,
            enrolment: enrolment.map(Enrolment::from),
        }
    }
}

/// Names for codes and ids.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Names {
    /// Areas by code.
    pub areas: HashMap<String, String>,
    /// Organisations by id.
    pub orgs: HashMap<String, String>,
    /// People by id.
    pub people: HashMap<String, String>,
}

impl From<store::Names> for Names {
    fn from(store::Names { areas, orgs, people }: store::Names) -> Self {
        Self { areas: areas.into_iter().collect(), orgs: orgs.into_iter().collect(), people: people.into_iter().collect() }
    }
}
