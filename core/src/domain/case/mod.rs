//! The case: states, the table of kinds, and the fold from actions to what the case is (`domain.md` §3).

mod effects;
mod fold;
mod graph;
mod header;
mod judge;
pub mod kinds;
mod next;
mod rows;
mod run;
mod standing;

pub use fold::fold;
use fold::incomplete;
pub use next::{Composed, Warning, compose, possible};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::action::{Action, Place, Severity};
use super::area::{AreaCode, Level};
use super::code::codes;
use super::id::{ActionId, DocId, OrgId, UserId};
use super::time::Interval;

codes! {
    /// Where a case stands (`domain.md` §3.1). Never stored: always folded from the actions.
    pub enum State {
        /// No effective report yet.
        Draft = 0 "draft",
        /// 待受理.
        Reported = 1 "reported",
        /// 待分派.
        Accepted = 2 "accepted",
        /// 待签收.
        Dispatched = 3 "dispatched",
        /// 处置中.
        Handling = 4 "handling",
        /// 挂起.
        Suspended = 5 "suspended",
        /// 待核查.
        Resolved = 6 "resolved",
        /// 待结案.
        Verified = 7 "verified",
        /// 已结案.
        Closed = 8 "closed",
        /// 不予受理.
        Rejected = 9 "rejected",
        /// 撤回.
        Withdrawn = 10 "withdrawn",
        /// 并案.
        Merged = 11 "merged",
        /// 作废.
        Void = 12 "void",
    }
}

codes! {
    /// Why an action had no effect; it is kept and shown with this reason.
    pub enum Ineffective {
        /// The role has no right to this kind of action.
        Role = 1 "role",
        /// The case is outside the author's area.
        Scope = 2 "scope",
        /// The case is held at another level.
        Custody = 3 "custody",
        /// The case was not in a state that allows it.
        State = 4 "state",
        /// It acts on a round that is over.
        Round = 5 "round",
        /// It acts under an assignment that is not the author's, or not live.
        Assignment = 6 "assignment",
        /// A required field is missing.
        Fields = 7 "fields",
        /// The finisher may not verify his own work.
        SamePerson = 8 "same_person",
        /// A concurrent action took precedence (the flag names the row).
        Superseded = 9 "superseded",
        /// This version does not know the kind, or has no effect for it yet; it is kept as a note.
        UnknownKind = 10 "unknown_kind",
        /// Only the reporter may do this.
        NotReporter = 11 "not_reporter",
        /// An action it had seen is not here.
        SeenMissing = 12 "seen_missing",
        /// It was admitted too late (R4).
        Late = 13 "late",
    }
}

impl State {
    /// Whether the case has come to an end.
    #[must_use]
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Closed | Self::Rejected | Self::Withdrawn | Self::Merged | Self::Void)
    }
}

/// What the server's signed facts say about a case.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CaseFacts {
    /// The case number, once accepted.
    pub number: Option<String>,
    /// When the server received each action.
    pub received: BTreeMap<ActionId, Interval>,
    /// Actions that the server found too late for a limit (R4).
    pub late: Vec<ActionId>,
    /// Refused actions: the id stands for its `seen`.
    pub stands_for: BTreeMap<ActionId, Vec<ActionId>>,
}

/// What became of one action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It took effect.
    Effective,
    /// It is kept and shown, and changed nothing.
    Ineffective(Ineffective),
}

/// How much a flag matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlagLevel {
    /// For information.
    Info,
    /// A person must decide.
    Must,
}

/// Something two concurrent actions left for people to know or decide: keyed by the row of `domain.md` §3.7 and the two ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Flag {
    /// The row of the merge table, or one of [`row`].
    pub row: u8,
    /// How much it matters.
    pub level: FlagLevel,
    /// The two actions.
    pub actions: [ActionId; 2],
}

/// A dispatch and how far its handler is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The DISPATCH's id.
    pub id: ActionId,
    /// To which organisation.
    pub org: Option<OrgId>,
    /// To which person.
    pub person: Option<UserId>,
    /// When it is due, milliseconds since 1970.
    pub due_ms: Option<i64>,
    /// How far it is.
    pub status: AssignmentStatus,
    /// Whether the case waits for this one to finish.
    pub required: bool,
}

/// How far an assignment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssignmentStatus {
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

/// One line of a case's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The action's id.
    pub id: ActionId,
    /// The action.
    pub action: Action,
    /// What became of it.
    pub effect: Effect,
}

/// The facts at the head of a case, from the report, the acceptance and later corrections.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Header {
    /// Title.
    pub title: Option<String>,
    /// What was reported.
    pub text: Option<String>,
    /// Category code.
    pub category: Option<String>,
    /// Severity.
    pub severity: Option<Severity>,
    /// Where.
    pub place: Option<Place>,
    /// The grid.
    pub grid: Option<AreaCode>,
    /// When it happened, milliseconds since 1970.
    pub occurred_ms: Option<i64>,
    /// Where it came from.
    pub source: Option<String>,
}

/// A case as folded from its actions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// The case.
    pub id: DocId,
    /// What the server's facts say about it.
    pub facts: CaseFacts,
    /// Where it stands.
    pub state: State,
    /// The level that holds it.
    pub custody: Level,
    /// Number of the round, for display; from 1.
    pub round: u16,
    /// The opener of the standing round.
    pub round_id: Option<ActionId>,
    /// Header facts.
    pub header: Header,
    /// Dispatches of the case.
    pub assignments: Vec<Assignment>,
    /// Closed, but something contradicts it: counted as open.
    pub reopen_pending: bool,
    /// What people should know or decide.
    pub flags: Vec<Flag>,
    /// Every action, in folded order, with what became of it.
    pub history: Vec<Entry>,
    /// The reply to the reporter.
    pub reply: Option<String>,
    /// The causally maximal actions: what the next action will have `seen`.
    pub frontier: Vec<ActionId>,
}

impl Case {
    /// A case that nobody has reported yet, to compose its report on.
    #[must_use]
    pub fn draft(id: DocId) -> Self {
        fold(id, &BTreeMap::new(), &CaseFacts::default())
    }

    /// Its actions by id.
    #[must_use]
    pub fn actions(&self) -> BTreeMap<ActionId, Action> {
        self.history.iter().map(|entry| (entry.id, entry.action.clone())).collect()
    }

    /// What became of an action.
    #[must_use]
    pub fn effect(&self, id: ActionId) -> Option<Effect> {
        self.history.iter().find(|entry| entry.id == id).map(|entry| entry.effect)
    }
}

/// The version of the rules that this fold applies; actions name the one they are to be judged by.
pub const RULES: u32 = 1;

/// Numbers of flags that no row of `domain.md` §3.7 raises: a ruling `Rn` of §3.8 is 100 + n.
pub mod row {
    /// Two concurrent actions that no row settles (R6).
    pub const UNSETTLED: u8 = 0;
    /// A fact that the server found too late for a limit (R4).
    pub const LATE: u8 = 104;
    /// A fact that lacks required evidence (R10): CLOSE waits until it is supplied or waived. Both ids are the fact's.
    pub const INCOMPLETE: u8 = 110;
}

/// Two ids in the order in which flags name them.
fn pair(a: ActionId, b: ActionId) -> [ActionId; 2] {
    [a.min(b), a.max(b)]
}

#[cfg(test)]
mod tests;
