//! The table of kinds (`domain.md` §3.8, "Kinds"): class, from-states, required fields and rights of each of the 41.
//!
//! Data only. What a kind does is in `effects`; what happens to two concurrent ones is in `rows`.

use Column as C;
use Custody::{AtLeast, Free, Holder};
use Field as F;
use Right::{Asg, Emg, Esc, No, Nrm, Own, OwnCustody, Ppl, Registry, War, Yes};
use When as S;

use serde::{Deserialize, Serialize};

use crate::domain::action::{Action, ActionKind as K, Fields};
use crate::domain::grant::Role;

use super::State;

/// What the table says about a kind.
#[derive(Debug, Clone, Copy)]
pub struct KindSpec {
    /// The kind.
    pub kind: K,
    /// Its class: among concurrent actions, a lower one is applied first (R5).
    pub class: u8,
    /// The states it may be done from.
    pub when: When,
    /// Whose decision it is.
    pub custody: Custody,
    /// What it must say.
    pub fields: &'static [Field],
    /// The right of each column.
    rights: [Right; 10],
}

impl KindSpec {
    /// The right that a role has to this kind.
    #[must_use]
    pub fn right(&self, role: Role) -> Right {
        Column::of(role).map_or(No, |column| self.rights[column as usize])
    }

    /// Whether it decides something about the case. What does not decide states a fact about the world, and is never discarded (`domain.md` §0.3).
    #[must_use]
    pub const fn decides(&self) -> bool {
        matches!(self.class, 3 | 5)
    }

    /// The fields it must have and this action lacks.
    #[must_use]
    pub fn missing(&self, action: &Action) -> Vec<Field> {
        self.fields.iter().copied().filter(|field| !field.given(action)).collect()
    }
}

/// The states that an action may be done from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// No case yet.
    Nothing,
    /// Any state of a reported case.
    Any,
    /// Any state that is not an end.
    Open,
    /// Any state in which somebody handles the case.
    Working,
    /// These.
    Of(&'static [State]),
}

impl When {
    /// Whether `state` is one of them.
    #[must_use]
    pub fn allows(self, state: State) -> bool {
        match self {
            Self::Nothing => state == State::Draft,
            Self::Any => state != State::Draft,
            Self::Open => state != State::Draft && !state.is_end(),
            Self::Working => matches!(state, State::Accepted | State::Dispatched | State::Handling | State::Suspended | State::Resolved),
            Self::Of(states) => states.contains(&state),
        }
    }
}

/// Whose decision it is (R11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Custody {
    /// Anybody's who has the right.
    Free,
    /// The level that holds the case, or one above.
    AtLeast,
    /// The level that holds the case.
    Holder,
}

/// A role's right to a kind, with its condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// None.
    No,
    /// In his area.
    Yes,
    /// On a case he reported.
    Own,
    /// As handler of the assignment it names.
    Asg,
    /// Delegated in wartime. No action satisfies it yet: the fold does not hold mode records.
    War,
    /// In his area, severity normal.
    Nrm,
    /// In his area, to his own organisation's people.
    Ppl,
    /// In his area, when the case was brought to his level.
    Esc,
    /// In his area, severity emergency.
    Emg,
    /// In his area, while his level holds the case.
    OwnCustody,
    /// Flags of the registry only.
    Registry,
}

/// A column of the table: roles with the same rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Rider,
    Leader,
    Member,
    Head,
    Community,
    Department,
    Dispatcher,
    TownLeader,
    County,
    City,
}

impl Column {
    const fn of(role: Role) -> Option<Self> {
        match role {
            Role::Rider | Role::Volunteer => Some(C::Rider),
            Role::FloorLeader | Role::FloorGroupLeader | Role::UnitLeader | Role::BuildingLeader | Role::EstateLead => Some(C::Leader),
            Role::GridMember => Some(C::Member),
            Role::GridHead => Some(C::Head),
            Role::Community => Some(C::Community),
            Role::Department => Some(C::Department),
            Role::TownDispatcher => Some(C::Dispatcher),
            Role::TownLeader => Some(C::TownLeader),
            Role::County => Some(C::County),
            Role::City => Some(C::City),
            Role::Auditor | Role::Other(_) => None,
        }
    }
}

/// What an action must say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Category code.
    Category,
    /// A point or an address.
    Place,
    /// When it happened.
    OccurredAt,
    /// How bad it is.
    Severity,
    /// Text, photo or voice.
    Evidence,
    /// Satisfaction, 1–5.
    Score,
    /// What was done.
    Measure,
    /// A photo.
    Photo,
    /// Photos before and after.
    Photos,
    /// Where the author stood, as a fix.
    Spot,
    /// When it was finished.
    FinishedAt,
    /// Why.
    Reason,
    /// When it is (newly) due.
    DueAt,
    /// Result code.
    Result,
    /// What was seen on the spot.
    Observation,
    /// When it was seen.
    SeenAt,
    /// The grid it belongs to.
    Grid,
    /// Result of the check for duplicates.
    DuplicateCheck,
    /// The organisation it is given to.
    Org,
    /// What is to be done.
    Instruction,
    /// The assignments, requests or actions it is about.
    Targets,
    /// Longest time.
    MaxDays,
    /// Departments.
    Departments,
    /// A level or a decision's word.
    Decision,
    /// The row of the flag.
    Row,
    /// At least one header field.
    Header,
    /// Conclusion.
    Conclusion,
    /// The reply to the reporter.
    Reply,
    /// The other case.
    Primary,
}

/// The rules version from which evidence of the spot (photos, fixes) is demanded: version 1 belongs to devices that cannot attach it yet.
const SPOT_EVIDENCE_SINCE: u32 = 2;

impl Field {
    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Category => "category",
            Self::Place => "place",
            Self::OccurredAt => "occurred_at",
            Self::Severity => "severity",
            Self::Evidence => "evidence",
            Self::Score => "score",
            Self::Measure => "measure",
            Self::Photo => "photo",
            Self::Photos => "photos",
            Self::Spot => "spot",
            Self::FinishedAt => "finished_at",
            Self::Reason => "reason",
            Self::DueAt => "due_at",
            Self::Result => "result",
            Self::Observation => "observation",
            Self::SeenAt => "seen_at",
            Self::Grid => "grid",
            Self::DuplicateCheck => "duplicate_check",
            Self::Org => "org",
            Self::Instruction => "instruction",
            Self::Targets => "targets",
            Self::MaxDays => "max_days",
            Self::Departments => "departments",
            Self::Decision => "decision",
            Self::Row => "row",
            Self::Header => "header",
            Self::Conclusion => "conclusion",
            Self::Reply => "reply",
            Self::Primary => "primary",
        }
    }

    /// Whether the action says it.
    #[must_use]
    pub fn given(self, action: &Action) -> bool {
        let f = &action.fields;
        match self {
            Self::Category => said(&f.category),
            Self::Place => has_place(f),
            Self::OccurredAt => f.occurred_ms.is_some(),
            Self::Severity => f.severity.is_some(),
            Self::Evidence => said(&f.text) || f.evidence.as_ref().is_some_and(|list| !list.is_empty()),
            Self::Score => f.score.is_some_and(|score| (1..=5).contains(&score)),
            Self::Measure => said(&f.measure),
            Self::Photo => action.rules < SPOT_EVIDENCE_SINCE || photos(f) >= 1,
            Self::Photos => action.rules < SPOT_EVIDENCE_SINCE || photos(f) >= 2,
            Self::Spot => action.rules < SPOT_EVIDENCE_SINCE || has_place(f),
            Self::FinishedAt => f.finished_ms.is_some(),
            Self::Reason => said(&f.reason),
            Self::DueAt => f.due_ms.is_some(),
            Self::Result => said(&f.result),
            Self::Observation => said(&f.observation),
            Self::SeenAt => f.seen_ms.is_some(),
            Self::Grid => f.grid.is_some(),
            Self::DuplicateCheck => said(&f.duplicate_check),
            Self::Org => f.org.is_some(),
            Self::Instruction => said(&f.instruction),
            Self::Targets => f.targets.as_ref().is_some_and(|list| !list.is_empty()),
            Self::MaxDays => f.max_days.is_some(),
            Self::Departments => f.departments.as_ref().is_some_and(|list| !list.is_empty()),
            Self::Decision => said(&f.decision),
            Self::Row => f.row.is_some(),
            Self::Header => said(&f.category) || f.place.is_some() || f.grid.is_some() || f.severity.is_some() || said(&f.title),
            Self::Conclusion => said(&f.conclusion),
            Self::Reply => said(&f.reply),
            Self::Primary => f.primary.is_some(),
        }
    }
}

fn said(text: &Option<String>) -> bool {
    text.as_ref().is_some_and(|text| !text.trim().is_empty())
}

fn has_place(fields: &Fields) -> bool {
    fields.place.as_ref().is_some_and(|place| (place.lat_e6.is_some() && place.lng_e6.is_some()) || said(&place.address))
}

fn photos(fields: &Fields) -> usize {
    fields.evidence.iter().flatten().filter(|attachment| attachment.mime.starts_with("image/")).count()
}

const fn kind(kind: K, class: u8, when: When, custody: Custody, fields: &'static [Field], rights: [Right; 10]) -> KindSpec {
    KindSpec { kind, class, when, custody, fields, rights }
}

const EVERYBODY: [Right; 10] = [Yes; 10];
const REPORTER: [Right; 10] = [Own; 10];
const HANDLER: [Right; 10] = [No, No, Asg, Asg, Asg, Asg, No, No, No, No];
const HOLDERS: [Right; 10] = [No, No, No, No, Yes, No, Yes, Yes, Esc, Esc];
const TOWN_UP: [Right; 10] = [No, No, No, No, No, No, Yes, Yes, Yes, Yes];
const COMMUNITY_UP: [Right; 10] = [No, No, No, No, Yes, No, Yes, Yes, Yes, Yes];
const ON_BEHALF: [Right; 10] = [Own, No, Yes, Yes, Yes, No, Yes, Yes, Yes, No];
const LOOKERS: [Right; 10] = [No, No, Yes, Yes, Yes, No, Yes, Yes, No, No];
const RATED: &[State] = &[State::Resolved, State::Verified, State::Closed];
const WITH_HANDLER: &[State] = &[State::Dispatched, State::Handling];

/// The table. Columns of rights: rider, leader, member, head, community, department, dispatcher, town leader, county, city.
#[rustfmt::skip]
pub const KINDS: &[KindSpec] = &[
    kind(K::Report, 0, S::Nothing, Free, &[F::Category, F::Place, F::OccurredAt, F::Severity, F::Evidence], EVERYBODY),
    kind(K::Supplement, 0, S::Any, Free, &[F::Evidence], [Own, Own, Yes, Yes, Yes, Asg, Yes, Yes, Yes, Yes]),
    kind(K::Rate, 0, S::Of(RATED), Free, &[F::Score], ON_BEHALF),
    kind(K::SelfResolve, 1, S::Of(&[State::Reported]), Free, &[F::Measure, F::Photos, F::FinishedAt], [No, No, Yes, Yes, Yes, No, No, No, No, No]),
    kind(K::Sign, 1, S::Of(WITH_HANDLER), Free, &[], HANDLER),
    kind(K::Progress, 1, S::Of(&[State::Handling]), Free, &[F::Evidence], HANDLER),
    kind(K::RequestReturn, 1, S::Of(WITH_HANDLER), Free, &[F::Reason], HANDLER),
    kind(K::RequestExtension, 1, S::Of(&[State::Handling]), Free, &[F::Reason, F::DueAt], HANDLER),
    kind(K::Finish, 1, S::Of(&[State::Handling]), Free, &[F::Result, F::Measure, F::Photo, F::Spot, F::FinishedAt], HANDLER),
    kind(K::CheckIn, 1, S::Any, Free, &[F::Spot], [No, No, No, No, No, Yes, No, No, No, No]),
    kind(K::Object, 1, S::Any, Free, &[F::Reason], [No, No, No, No, No, Yes, No, No, No, No]),
    kind(K::RequestReopen, 1, S::Of(RATED), Free, &[F::Reason], ON_BEHALF),
    kind(K::VerifyFail, 2, S::Of(&[State::Resolved, State::Verified]), Free, &[F::Observation, F::Photo, F::SeenAt, F::Reason], LOOKERS),
    kind(K::Accept, 3, S::Of(&[State::Reported]), AtLeast, &[F::Category, F::Severity, F::Grid, F::DuplicateCheck], [No, No, No, War, Nrm, No, Yes, Yes, Esc, Esc]),
    kind(K::Dispatch, 3, S::Of(&[State::Accepted, State::Dispatched, State::Handling]), Holder, &[F::Org, F::DueAt, F::Instruction], [No, No, No, War, Ppl, No, Yes, Yes, Esc, Esc]),
    kind(K::Recall, 3, S::Of(WITH_HANDLER), Holder, &[F::Reason, F::Targets], [No, No, No, War, Yes, No, Yes, Yes, Esc, Esc]),
    kind(K::ApproveReturn, 3, S::Of(WITH_HANDLER), Holder, &[F::Targets], HOLDERS),
    kind(K::DenyReturn, 3, S::Of(WITH_HANDLER), Holder, &[F::Targets], HOLDERS),
    kind(K::ApproveExtension, 3, S::Of(&[State::Handling]), Holder, &[F::Targets], HOLDERS),
    kind(K::DenyExtension, 3, S::Of(&[State::Handling]), Holder, &[F::Targets], HOLDERS),
    kind(K::Suspend, 3, S::Of(&[State::Handling]), Holder, &[F::Reason, F::MaxDays], HOLDERS),
    kind(K::Resume, 3, S::Of(&[State::Suspended]), Holder, &[], HOLDERS),
    kind(K::Escalate, 3, S::Open, AtLeast, &[F::Reason], [No, No, No, Emg, Yes, No, Yes, Yes, Yes, No]),
    kind(K::Delegate, 3, S::Open, Holder, &[F::Reason], TOWN_UP),
    kind(K::Whistle, 3, S::Working, Free, &[F::Departments, F::DueAt, F::Instruction], [No, No, No, No, No, No, Yes, Yes, OwnCustody, No]),
    kind(K::WhistleEnd, 3, S::Any, Free, &[], [No, No, No, No, No, No, Yes, Yes, OwnCustody, No]),
    kind(K::RateDepartment, 3, S::Any, Free, &[], [No, No, No, No, No, No, Yes, Yes, OwnCustody, No]),
    kind(K::Supervise, 3, S::Open, Free, &[F::Decision, F::Instruction, F::DueAt], [No, No, No, No, No, No, No, Yes, Yes, Yes]),
    kind(K::SuperviseEnd, 3, S::Open, Free, &[], [No, No, No, No, No, No, No, Yes, Yes, Yes]),
    kind(K::Reopen, 3, S::Of(&[State::Closed, State::Rejected, State::Withdrawn, State::Void]), AtLeast, &[F::Reason], TOWN_UP),
    kind(K::DenyReopen, 3, S::Of(&[State::Closed]), AtLeast, &[F::Targets, F::Reason, F::Reply], TOWN_UP),
    kind(K::ResolveFlag, 3, S::Any, AtLeast, &[F::Row, F::Targets, F::Decision], [No, No, No, Registry, Yes, No, Yes, Yes, Esc, Esc]),
    kind(K::Edit, 3, S::Open, Free, &[F::Header], [Own, No, Yes, Yes, Yes, No, Yes, Yes, Yes, Yes]),
    kind(K::Unmerge, 3, S::Of(&[State::Merged]), AtLeast, &[F::Reason], COMMUNITY_UP),
    kind(K::MergeIn, 3, S::Any, AtLeast, &[F::Primary], COMMUNITY_UP),
    kind(K::VerifyPass, 4, S::Of(&[State::Resolved]), Free, &[F::Observation, F::Photo, F::SeenAt], LOOKERS),
    kind(K::Close, 5, S::Of(&[State::Verified]), Holder, &[F::Conclusion, F::Reply], HOLDERS),
    kind(K::Reject, 5, S::Of(&[State::Reported]), AtLeast, &[F::Reason, F::Reply], [No, No, No, No, Nrm, No, Yes, Yes, Esc, Esc]),
    kind(K::Withdraw, 5, S::Of(&[State::Reported]), Free, &[F::Reason], REPORTER),
    kind(K::Merge, 5, S::Of(&[State::Reported, State::Accepted, State::Dispatched, State::Handling, State::Suspended]), AtLeast, &[F::Primary, F::Reason], COMMUNITY_UP),
    kind(K::Void, 5, S::Of(&[State::Reported, State::Accepted]), AtLeast, &[F::Reason], TOWN_UP),
];

/// The table's row for a kind; `None` for a kind of a newer version.
#[must_use]
pub fn spec(kind: K) -> Option<&'static KindSpec> {
    KINDS.get(usize::from(kind.code()).wrapping_sub(1)).filter(|spec| spec.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_row_at_its_number() {
        assert_eq!(KINDS.len(), K::ALL.len());
        for kind in K::ALL {
            assert_eq!(spec(*kind).map(|row| row.kind), Some(*kind));
        }
        assert!(spec(K::Other(200)).is_none());
        assert!(spec(K::Other(0)).is_none());
    }

    /// The row of a kind in `docs/codes.md`.
    fn documented(spec: &KindSpec) -> String {
        let when = match spec.when {
            S::Nothing => "no case".to_owned(),
            S::Any => "any".to_owned(),
            S::Open => "open".to_owned(),
            S::Working => "working".to_owned(),
            S::Of(states) => states.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        let custody = match spec.custody {
            Free => "",
            AtLeast => "holder or above",
            Holder => "holder",
        };
        let fields: Vec<String> = spec.fields.iter().map(|field| field.name().to_owned()).collect();
        let rights: String = spec
            .rights
            .iter()
            .map(|right| match right {
                No => '-',
                Yes => 'y',
                Own => 'o',
                Asg => 'a',
                War => 'w',
                Nrm => 'n',
                Ppl => 'p',
                Esc => 'e',
                Emg => 'm',
                OwnCustody => 'h',
                Registry => 'r',
            })
            .collect();
        format!("| `{}` | {} | {when} | {custody} | {} | `{rights}` |\n", spec.kind, spec.class, fields.join(", "))
    }

    #[test]
    fn the_table_is_documented() {
        let table: String = KINDS.iter().map(documented).collect();
        assert!(include_str!("../../../../docs/codes.md").contains(&table), "docs/codes.md, What an action needs:\n{table}");
    }
}
