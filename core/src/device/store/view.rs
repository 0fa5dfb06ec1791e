//! What queries answer with: rows of lists, records on their screens, and how the phone stands with the centre.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Lease;
use super::own::{Delivery, Wiped};
use super::parked::Parked;
use super::typed::{Remedy, Typed};
use crate::domain::action::{ActionKind, Severity};
use crate::domain::area::AreaCode;
use crate::domain::case::{Case, State};
use crate::domain::code::codes;
use crate::domain::fact::{VisitKind, VisitResult};
use crate::domain::household::Household;
use crate::domain::id::{ActionId, DocId, FactId, Hash, PersonId, StreamId};
use crate::domain::mask::{CaseProgress, HouseholdView};
use crate::domain::time::Interval;
use crate::domain::words::Words;
use crate::wire::sync::StreamKind;

/// Most rows of a page.
pub const MAX_PAGE: u32 = 500;

/// How much of a list, and from where on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRequest {
    /// Most rows, up to 500.
    pub limit: u32,
    /// Where the page before ended; `None` for the first.
    pub after: Option<PageToken>,
}

impl PageRequest {
    /// The first page.
    #[must_use]
    pub const fn first(limit: u32) -> Self {
        Self { limit, after: None }
    }
}

/// Where a page ended: the last row's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageToken {
    /// What the list is ordered by.
    pub key: i64,
    /// Between equal keys.
    pub n: i64,
}

/// Some rows of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<PageToken>,
}

/// What a list of cases is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseOrder {
    /// The latest change first.
    #[default]
    Updated,
    /// What is due soonest first; only open cases with a due time.
    Due,
    /// A day's list: only open cases; what is due soonest first, then the others, the latest change first.
    Today,
}

/// Which cases.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CaseFilter {
    /// In this state.
    pub state: Option<State>,
    /// Still open, or ended.
    pub open: Option<bool>,
    /// Reported by the device's person.
    pub mine: bool,
    /// With a live assignment to the device's person or organisation.
    pub assigned: bool,
    /// Of this category, or of the minor ones under it.
    pub category: Option<String>,
    /// In this area.
    pub area: Option<AreaCode>,
    /// The order.
    pub order: CaseOrder,
}

/// A case in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseRow {
    /// The case.
    pub doc: DocId,
    /// Where it stands.
    pub state: State,
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
    /// The grid.
    pub grid: Option<AreaCode>,
    /// The case number, once accepted.
    pub number: Option<String>,
    /// When the soonest live assignment is due, milliseconds since 1970.
    pub due_ms: Option<i64>,
    /// When it was last changed, by its authors' clocks, milliseconds since 1970.
    pub updated_ms: i64,
    /// How many flags a person must decide.
    pub flags: u32,
    /// Reported by the device's person.
    pub mine: bool,
    /// With a live assignment to the device's person or organisation.
    pub assigned: bool,
    /// Where own work on it is.
    pub delivery: Delivery,
}

/// Which households.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HouseholdFilter {
    /// In this grid or area.
    pub area: Option<AreaCode>,
    /// Where someone needs care.
    pub care: bool,
}

/// A household in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HouseholdRow {
    /// The household.
    pub doc: DocId,
    /// The grid.
    pub grid: Option<AreaCode>,
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
    /// A masked view: the household itself is not on this device.
    pub masked: bool,
    /// Where own work on it is.
    pub delivery: Delivery,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Hit {
    /// A case.
    Case(CaseRow),
    /// A household.
    Household(HouseholdRow),
}

/// A visit in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VisitRow {
    /// The visit.
    pub fact: FactId,
    /// The household.
    pub household: Option<DocId>,
    /// Why.
    pub kind: VisitKind,
    /// How it went.
    pub result: VisitResult,
    /// When, by the visitor's clock, milliseconds since 1970.
    pub wall_ms: i64,
    /// When the next is due, milliseconds since 1970.
    pub next_due_ms: Option<i64>,
    /// What they need.
    pub needs: Option<String>,
    /// Who was met.
    pub persons: Vec<PersonId>,
    /// Cases raised during it.
    pub cases: Vec<DocId>,
    /// Where it is, when it is own.
    pub delivery: Delivery,
}

/// An own edit or fact, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EditRow {
    /// The edit; for a fact its hash.
    pub edit: Hash,
    /// The record.
    pub doc: Option<DocId>,
    /// What lists call the record: a case's title or place, a household's address.
    pub title: Option<String>,
    /// The fact, when it is one.
    pub fact: Option<FactId>,
    /// When it was made, milliseconds since 1970, phone's clock.
    pub made_ms: i64,
    /// Where it is.
    pub delivery: Delivery,
    /// The actions it did, when it was on a case: whether each took effect is in the case's history.
    pub actions: Vec<ActionId>,
    /// Their kinds.
    pub kinds: Vec<ActionKind>,
    /// The reason in words, Chinese and English, when it was refused.
    pub words: Option<(String, String)>,
    /// What was typed; `None` once it is at the centre and its record has left this phone.
    pub typed: Option<Typed>,
    /// The centre has said that a verified backup covers it.
    pub backed_up: bool,
    /// What its author can still do about it.
    pub remedies: Vec<Remedy>,
}

impl EditRow {
    /// Whether it can go to the centre as a note instead: it is on a case, and did not open it.
    #[must_use]
    pub fn may_be_note(&self) -> bool {
        !self.kinds.is_empty() && !self.kinds.contains(&ActionKind::Report)
    }
}

/// Own work that the centre does not have, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Unsent {
    /// Edits and facts that the centre does not have.
    pub count: u32,
    /// Why; none when there are none.
    pub why: Option<UnsentReason>,
    /// Edits and facts that the centre has and keeps aside: they wait there for what they build on, or for an administrator.
    pub aside: u32,
}

codes! {
    /// Why the centre does not have all of this phone's work.
    pub enum UnsentReason {
        /// It goes out with the next sync.
        NextSync = 1 "next_sync",
        /// The server did not take it, and signed nothing that says why; it is kept and sent again.
        NotTaken = 2 "not_taken",
        /// It was sent, and there is no receipt for it yet.
        NoReceipt = 3 "no_receipt",
        /// It is done again under a new incarnation once everything that was sent has its verdict.
        Rebuilding = 4 "rebuilding",
        /// This version cannot read the record that it is on.
        Unreadable = 5 "unreadable",
    }
}

impl UnsentReason {
    /// What to tell a person: what is the matter and what to do.
    #[must_use]
    pub const fn words(self) -> Words {
        let (zh, en) = match self {
            Self::NextSync | Self::Other(_) => ("下次同步时上传", "It goes out with the next sync"),
            Self::NotTaken => ("中心没有接收，内容仍在本机，会自动重试", "The centre did not take it. It is kept on this phone and sent again by itself"),
            Self::NoReceipt => ("已上传，还没有收到中心的回执，会自动核对", "It was sent, and the centre has not confirmed it yet. That is checked by itself"),
            Self::Rebuilding => {
                ("等中心答复先前上传的内容后，会自动重新上传", "It is sent again by itself, once the centre has answered for what was sent before")
            }
            Self::Unreadable => (
                "所在记录本版本无法读取，请更新应用；内容仍在本机",
                "It is on a record that this version cannot read. It is kept on this phone; update the app",
            ),
        };
        Words { zh, en }
    }
}

/// A case on its screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseDetail {
    /// As in lists.
    pub row: CaseRow,
    /// The folded case; `None` when only its progress may be known.
    pub case: Option<Case>,
    /// What the server says to a reporter who does not hold the case.
    pub progress: Option<CaseProgress>,
    /// When the server received its actions.
    pub received: BTreeMap<ActionId, Interval>,
    /// What the device's person may do next.
    pub possible: Vec<ActionKind>,
    /// Own edits.
    pub edits: Vec<EditRow>,
    /// What the people, organisations and the grid in it are called, as far as the centre has said.
    pub names: Names,
    /// The record could not take a change that arrived; it was reported.
    pub parked: bool,
}

/// A household on its screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HouseholdDetail {
    /// As in lists.
    pub row: HouseholdRow,
    /// The household; `None` when only a masked view of it is here.
    pub household: Option<Household>,
    /// The masked view.
    pub view: Option<HouseholdView>,
    /// The latest visits.
    pub visits: Vec<VisitRow>,
    /// Own edits.
    pub edits: Vec<EditRow>,
    /// The record could not take a change that arrived; it was reported.
    pub parked: bool,
}

/// How the phone stands with the centre.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Own edits and facts that the centre does not have yet.
    pub unsent: u32,
    /// Of these, how many were received once and are to be delivered again.
    pub again: u32,
    /// Refused, and waiting for a person's decision.
    pub refused: u32,
    /// Received by the centre.
    pub received: u32,
    /// Own work is to be done again once everything sent has its verdict.
    pub rebuilding: bool,
    /// The store was found to be a copy or a restored one; it gets a new incarnation at the next contact.
    pub copied: bool,
    /// Records that could not take a change.
    pub parked: u32,
    /// What is parked or was left out, by reason.
    pub parked_for: Vec<Parked>,
    /// Cases on this phone.
    pub cases: u32,
    /// Households on this phone, masked views included.
    pub households: u32,
    /// The phone's clock at the last contact, milliseconds since 1970.
    pub contact_ms: Option<i64>,
    /// The server's clock then.
    pub server_ms: Option<i64>,
    /// The last own batch that a verified backup of the server covers.
    pub safe_through: Option<u64>,
    /// The centre has yet to approve this phone: until then it may only report.
    pub awaits_approval: bool,
    /// What had become of the work when the centre revoked the phone and its store was wiped; until it enrols again.
    pub wiped: Option<Wiped>,
    /// What may be done without contact.
    pub lease: Lease,
    /// The streams it reads.
    pub streams: Vec<StreamRow>,
    /// Proofs that the server told two stories ([`super::Store::split_views`]).
    #[serde(default)]
    pub split_views: u32,
}

/// A stream that the device reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamRow {
    /// Identity.
    pub stream: StreamId,
    /// What it is for.
    pub kind: StreamKind,
    /// The grid's, town's or scope's code.
    pub area: Option<AreaCode>,
    /// The last entry read.
    pub seq: u64,
    /// The chain after it: equal chains prove equal entries.
    pub chain: Hash,
}

/// Names for codes and ids.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Names {
    /// Areas by code.
    pub areas: BTreeMap<String, String>,
    /// Organisations by id.
    pub orgs: BTreeMap<String, String>,
    /// People by id.
    pub people: BTreeMap<String, String>,
}
