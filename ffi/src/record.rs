//! What screens show.

use fieldgrid_core::device::store::{self, Names};
use fieldgrid_core::device::sync::WaitReason;
use fieldgrid_core::device::{runner, store::Lease};
use fieldgrid_core::domain::action::{Fields, Place};
use fieldgrid_core::domain::case::{self, Effect};
use fieldgrid_core::domain::{fact, household, words};

use crate::code::{ActionKind, CaseState, DeliveryState, Severity, VisitKind, VisitResult, Words};
use crate::error::FieldgridError;

/// Who the phone is to the centre.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Enrolment {
    /// The person's display name.
    pub name: Option<String>,
    /// What his role is called.
    pub role: Words,
    /// The areas he works in: codes.
    pub scopes: Vec<String>,
    /// What the first of them is called, once the centre has said.
    pub area_name: Option<String>,
}

/// Where work is, with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Delivery {
    /// Where it is.
    pub state: DeliveryState,
    /// Why it was refused, and what to do.
    pub why: Option<Words>,
    /// When the centre received it, milliseconds since 1970, server's clock.
    pub received_ms: Option<i64>,
}

impl From<store::Delivery> for Delivery {
    fn from(delivery: store::Delivery) -> Self {
        Self { state: delivery.state.into(), why: delivery.reason.map(|reason| Words::of(reason.words())), received_ms: delivery.received_ms }
    }
}

/// A case in a list.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CaseRow {
    /// The case.
    pub id: String,
    /// Where it stands.
    pub state: CaseState,
    /// Whether there is still something to do.
    pub open: bool,
    /// How bad it is.
    pub severity: Option<Severity>,
    /// Category code.
    pub category: Option<String>,
    /// Title.
    pub title: Option<String>,
    /// Address in words.
    pub address: Option<String>,
    /// The case number, once accepted.
    pub number: Option<String>,
    /// When the soonest live assignment is due, milliseconds since 1970.
    pub due_ms: Option<i64>,
    /// When it was last changed, milliseconds since 1970.
    pub updated_ms: i64,
    /// How many flags a person must decide.
    pub flags: u32,
    /// Reported by the phone's person.
    pub mine: bool,
    /// With a live assignment to the phone's person or organisation.
    pub assigned: bool,
    /// Where own work on it is.
    pub delivery: Delivery,
}

impl From<store::CaseRow> for CaseRow {
    fn from(row: store::CaseRow) -> Self {
        Self {
            id: row.doc.to_string(),
            state: row.state.into(),
            open: row.open,
            severity: row.severity.map(Severity::from),
            category: row.category,
            title: row.title,
            address: row.address,
            number: row.number,
            due_ms: row.due_ms,
            updated_ms: row.updated_ms,
            flags: row.flags,
            mine: row.mine,
            assigned: row.assigned,
            delivery: row.delivery.into(),
        }
    }
}

/// Some cases of a list.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CasePage {
    /// The cases.
    pub rows: Vec<CaseRow>,
    /// Whether there are more.
    pub more: bool,
}

/// A household in a list.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct HouseholdRow {
    /// The household.
    pub id: String,
    /// Address.
    pub address: Option<String>,
    /// Head or contact.
    pub head: Option<String>,
    /// Phone.
    pub phone: Option<String>,
    /// How many live there.
    pub persons: u32,
    /// How many of them need care.
    pub care: u32,
    /// A masked view: the household itself is not on this phone.
    pub masked: bool,
    /// Where own work on it is.
    pub delivery: Delivery,
}

impl From<store::HouseholdRow> for HouseholdRow {
    fn from(row: store::HouseholdRow) -> Self {
        let store::HouseholdRow { doc, address, head, phone, persons, care, masked, delivery, .. } = row;
        Self { id: doc.to_string(), address, head, phone, persons, care, masked, delivery: delivery.into() }
    }
}

/// Some households of a list.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct HouseholdPage {
    /// The households.
    pub rows: Vec<HouseholdRow>,
    /// Whether there are more.
    pub more: bool,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Hit {
    /// A case.
    Case {
        /// As in lists.
        row: CaseRow,
    },
    /// A household.
    Household {
        /// As in lists.
        row: HouseholdRow,
    },
}

/// Some of what a search found.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct HitPage {
    /// Cases and households.
    pub rows: Vec<Hit>,
    /// Whether there are more.
    pub more: bool,
}

impl From<store::Page<store::Hit>> for HitPage {
    fn from(page: store::Page<store::Hit>) -> Self {
        let hit = |hit| match hit {
            store::Hit::Case(row) => Hit::Case { row: row.into() },
            store::Hit::Household(row) => Hit::Household { row: row.into() },
        };
        Self { more: page.next.is_some(), rows: page.rows.into_iter().map(hit).collect() }
    }
}

/// One line of a case's history.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct HistoryEntry {
    /// The action.
    pub id: String,
    /// What it does.
    pub kind: ActionKind,
    /// What the author's role is called.
    pub role: Words,
    /// The author's name, where the centre has said it.
    pub name: Option<String>,
    /// Done on this phone.
    pub mine: bool,
    /// When, by its author's clock, milliseconds since 1970.
    pub wall_ms: i64,
    /// What it says.
    pub said: Option<String>,
    /// Why it had no effect; `None` when it took effect.
    pub no_effect: Option<Words>,
    /// Where it is.
    pub delivery: Delivery,
}

/// A case on its screen.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CaseDetail {
    /// As in lists.
    pub row: CaseRow,
    /// What was reported.
    pub text: Option<String>,
    /// The reply to the reporter.
    pub reply: Option<String>,
    /// Whether the case is here whole, or only its progress may be known.
    pub whole: bool,
    /// What was done, in order, with what became of it.
    pub history: Vec<HistoryEntry>,
    /// What the phone's person may do next.
    pub possible: Vec<ActionKind>,
    /// The record could not take a change that arrived; it was reported.
    pub parked: bool,
}

pub(crate) fn case_detail(detail: store::CaseDetail, names: &Names) -> CaseDetail {
    let store::CaseDetail { row, case, progress, received, possible, edits, parked } = detail;
    let entry = |entry: &case::Entry| {
        let author = &entry.action.author;
        let own = edits.iter().find(|edit| edit.actions.contains(&entry.id));
        let theirs = Delivery { state: DeliveryState::Theirs, why: None, received_ms: received.get(&entry.id).map(|interval| interval.latest_ms) };
        HistoryEntry {
            id: entry.id.to_string(),
            kind: entry.action.kind.into(),
            role: words::role(author.role).into(),
            name: names.people.get(&author.user.to_string()).cloned(),
            mine: own.is_some(),
            wall_ms: entry.action.at.wall_ms,
            said: said(&entry.action.fields),
            no_effect: match entry.effect {
                Effect::Effective => None,
                Effect::Ineffective(why) => Some(words::ineffective(why).into()),
            },
            delivery: own.map_or(theirs, |edit| edit.delivery.into()),
        }
    };
    CaseDetail {
        text: case.as_ref().and_then(|case| case.header.text.clone()),
        reply: case.as_ref().map_or_else(|| progress.and_then(|progress| progress.reply), |case| case.reply.clone()),
        whole: case.is_some(),
        history: case.iter().flat_map(|case| &case.history).map(entry).collect(),
        row: row.into(),
        possible: possible.into_iter().map(ActionKind::from).collect(),
        parked,
    }
}

/// Every word of an action.
fn said(fields: &Fields) -> Option<String> {
    let Fields { title, text, measure, reason, reply, observation, conclusion, instruction, .. } = fields;
    let said: Vec<_> = [title, text, measure, reason, reply, observation, conclusion, instruction].into_iter().flatten().map(String::as_str).collect();
    (!said.is_empty()).then(|| said.join("\n"))
}

/// What an action says. Which of these a kind needs is in the table of kinds.
#[derive(Debug, Clone, Default, uniffi::Record)]
pub struct ActionFields {
    /// Free text.
    #[uniffi(default = None)]
    pub text: Option<String>,
    /// Category code.
    #[uniffi(default = None)]
    pub category: Option<String>,
    /// How bad it is.
    #[uniffi(default = None)]
    pub severity: Option<Severity>,
    /// Where, in words.
    #[uniffi(default = None)]
    pub address: Option<String>,
    /// Where, as a fix.
    #[uniffi(default = None)]
    pub fix: Option<Fix>,
    /// What was done.
    #[uniffi(default = None)]
    pub measure: Option<String>,
    /// Why.
    #[uniffi(default = None)]
    pub reason: Option<String>,
    /// What was seen on the spot.
    #[uniffi(default = None)]
    pub observation: Option<String>,
    /// Result code of finishing.
    #[uniffi(default = None)]
    pub result: Option<String>,
    /// Satisfaction, 1–5.
    #[uniffi(default = None)]
    pub score: Option<u8>,
    /// When it is (newly) due, milliseconds since 1970.
    #[uniffi(default = None)]
    pub due_ms: Option<i64>,
    /// The grid it belongs to.
    #[uniffi(default = None)]
    pub grid: Option<String>,
}

/// A fix. WGS-84.
#[derive(Debug, Clone, Copy, PartialEq, uniffi::Record)]
pub struct Fix {
    /// Degrees.
    pub latitude: f64,
    /// Degrees.
    pub longitude: f64,
    /// Metres.
    pub accuracy_m: u32,
}

impl TryFrom<ActionFields> for Fields {
    type Error = FieldgridError;

    fn try_from(fields: ActionFields) -> Result<Self, FieldgridError> {
        #[expect(clippy::cast_possible_truncation, reason = "a degree in millionths fits, and out of range it saturates")]
        let e6 = |degrees: f64| (degrees * 1e6).round() as i32;
        let place = (fields.address.is_some() || fields.fix.is_some()).then(|| Place {
            lat_e6: fields.fix.map(|fix| e6(fix.latitude)),
            lng_e6: fields.fix.map(|fix| e6(fix.longitude)),
            accuracy_m: fields.fix.map(|fix| fix.accuracy_m),
            address: fields.address,
        });
        Ok(Self {
            text: fields.text,
            category: fields.category,
            severity: fields.severity.map(Into::into),
            place,
            measure: fields.measure,
            reason: fields.reason,
            observation: fields.observation,
            result: fields.result,
            score: fields.score,
            due_ms: fields.due_ms,
            grid: fields.grid.map(|grid| grid.parse().map_err(|_| FieldgridError::malformed())).transpose()?,
            ..Self::default()
        })
    }
}

/// A person of a household.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Person {
    /// The person.
    pub id: String,
    /// Name.
    pub name: Option<String>,
    /// To the head.
    pub relation: Option<String>,
    /// Date of birth.
    pub birth: Option<String>,
    /// Tags that are set.
    pub tags: Vec<String>,
}

/// A visit in a list.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct VisitRow {
    /// Why.
    pub kind: VisitKind,
    /// How it went.
    pub result: VisitResult,
    /// When, milliseconds since 1970.
    pub wall_ms: i64,
    /// When the next is due, milliseconds since 1970.
    pub next_due_ms: Option<i64>,
    /// Where it is, when it is own.
    pub delivery: Delivery,
}

impl From<store::VisitRow> for VisitRow {
    fn from(row: store::VisitRow) -> Self {
        Self { kind: row.kind.into(), result: row.result.into(), wall_ms: row.wall_ms, next_due_ms: row.next_due_ms, delivery: row.delivery.into() }
    }
}

/// A visit as its form gives it.
#[derive(Debug, Clone, uniffi::Record)]
pub struct Visit {
    /// Why.
    pub kind: VisitKind,
    /// How it went.
    pub result: VisitResult,
    /// What they need.
    #[uniffi(default = None)]
    pub needs: Option<String>,
    /// When the next is due, milliseconds since 1970.
    #[uniffi(default = None)]
    pub next_due_ms: Option<i64>,
}

impl From<Visit> for fact::Visit {
    fn from(visit: Visit) -> Self {
        let Visit { kind, result, needs, next_due_ms } = visit;
        Self { kind: kind.into(), result: result.into(), persons: Vec::new(), needs, next_due_ms, cases: Vec::new() }
    }
}

/// A household on its screen.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct HouseholdDetail {
    /// As in lists.
    pub row: HouseholdRow,
    /// Its fields that hold words; `None` when only a masked view of it is here.
    pub fields: Option<std::collections::HashMap<String, String>>,
    /// Who lives there.
    pub persons: Vec<Person>,
    /// The latest visits.
    pub visits: Vec<VisitRow>,
    /// The record could not take a change that arrived; it was reported.
    pub parked: bool,
}

impl From<store::HouseholdDetail> for HouseholdDetail {
    fn from(detail: store::HouseholdDetail) -> Self {
        let text = |fields, name| household::text(fields, name).map(str::to_owned);
        let person = |(id, fields)| Person {
            id: ToString::to_string(&id),
            name: text(fields, "name"),
            relation: text(fields, "relation"),
            birth: text(fields, "birth"),
            tags: household::tags(fields).map(str::to_owned).collect(),
        };
        let whole = detail.household.as_ref();
        let fields = whole.map(|whole| whole.fields.keys().filter_map(|name| Some((name.clone(), text(&whole.fields, name)?))).collect());
        Self {
            persons: whole.into_iter().flat_map(household::Household::living).map(person).collect(),
            fields,
            row: detail.row.into(),
            visits: detail.visits.into_iter().map(VisitRow::from).collect(),
            parked: detail.parked,
        }
    }
}

/// Own work that waits for a person's decision.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct EditRow {
    /// The edit.
    pub edit: String,
    /// The record.
    pub doc: Option<String>,
    /// A visit or another fact, and no change of a record.
    pub fact: bool,
    /// When it was made, milliseconds since 1970.
    pub made_ms: i64,
    /// Where it is.
    pub delivery: Delivery,
    /// The actions it did, when it was on a case.
    pub kinds: Vec<ActionKind>,
}

impl From<store::EditRow> for EditRow {
    fn from(row: store::EditRow) -> Self {
        Self {
            edit: row.edit.to_string(),
            doc: row.doc.map(|doc| doc.to_string()),
            fact: row.fact.is_some(),
            made_ms: row.made_ms,
            delivery: row.delivery.into(),
            kinds: row.kinds.into_iter().map(ActionKind::from).collect(),
        }
    }
}

/// How the phone stands with the centre.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Status {
    /// Own edits and facts that the centre does not have yet.
    pub unsent: u32,
    /// Of these, how many were received once and are to be delivered again.
    pub again: u32,
    /// Refused, and waiting for a person's decision.
    pub refused: u32,
    /// The phone's clock at the last contact, milliseconds since 1970.
    pub contact_ms: Option<i64>,
    /// Too long without contact: reports only, households are locked.
    pub report_only: bool,
}

impl From<store::Status> for Status {
    fn from(status: store::Status) -> Self {
        let store::Status { unsent, again, refused, contact_ms, lease, .. } = status;
        Self { unsent, again, refused, contact_ms, report_only: lease == Lease::ReportOnly }
    }
}

/// What sync is doing.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SyncStatus {
    /// Whether a round is under way.
    pub syncing: bool,
    /// What it waits for, when something is wrong, and what to do.
    pub wait: Option<Words>,
}

impl From<runner::SyncStatus> for SyncStatus {
    fn from(status: runner::SyncStatus) -> Self {
        let wait = status.wait.filter(|wait| wait.reason != WaitReason::Scheduled);
        Self { syncing: status.syncing, wait: wait.map(|wait| wait.reason.words().into()) }
    }
}
