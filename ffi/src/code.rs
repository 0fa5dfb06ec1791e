//! Codes and what they are called.

use fieldgrid_core::device::store::{DeliveryState as CoreDeliveryState, Remedy as CoreRemedy};
use fieldgrid_core::device::sync::WaitReason as CoreWaitReason;
use fieldgrid_core::domain::action::{ActionKind as CoreActionKind, Severity as CoreSeverity};
use fieldgrid_core::domain::case::State as CoreState;
use fieldgrid_core::domain::case::kinds::{self, Field};
use fieldgrid_core::domain::category;
use fieldgrid_core::domain::fact::{RevealReason as CoreRevealReason, VisitKind as CoreVisitKind, VisitResult as CoreVisitResult};
use fieldgrid_core::domain::grant::Role as CoreRole;
use fieldgrid_core::domain::{quality, words};

/// What something is called, or what to tell a person, in both languages.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Words {
    /// 中文.
    pub zh: String,
    /// English.
    pub en: String,
}

impl From<words::Words> for Words {
    fn from(words: words::Words) -> Self {
        Self::of((words.zh, words.en))
    }
}

impl Words {
    pub(crate) fn of((zh, en): (&str, &str)) -> Self {
        Self { zh: zh.to_owned(), en: en.to_owned() }
    }
}

macro_rules! mirror {
    ($($(#[$doc:meta])* $name:ident = $core:ident { $($variant:ident)* })*) => {$(
        $(#[$doc])*
        #[allow(missing_docs, reason = "the engine documents them")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
        pub enum $name {
            $($variant,)*
            /// A code of a newer version.
            Other,
        }

        impl From<$core> for $name {
            fn from(code: $core) -> Self {
                match code {
                    $($core::$variant => Self::$variant,)*
                    $core::Other(_) => Self::Other,
                }
            }
        }
    )*};
}

mirror! {
    /// Where a case stands.
    CaseState = CoreState { Draft Reported Accepted Dispatched Handling Suspended Resolved Verified Closed Rejected Withdrawn Merged Void }
    /// How bad it is.
    Severity = CoreSeverity { Normal Urgent Emergency }
    /// What an action does.
    ActionKind = CoreActionKind {
        Report Supplement Rate SelfResolve Sign Progress RequestReturn RequestExtension Finish CheckIn Object RequestReopen VerifyFail Accept Dispatch Recall
        ApproveReturn DenyReturn ApproveExtension DenyExtension Suspend Resume Escalate Delegate Whistle WhistleEnd RateDepartment Supervise SuperviseEnd Reopen
        DenyReopen ResolveFlag Edit Unmerge MergeIn VerifyPass Close Reject Withdraw Merge Void
    }
    /// Where work is, told from receipts only.
    DeliveryState = CoreDeliveryState { Theirs OnPhone Received Again Refused Decide Waiting Quarantined Discarded Replaced }
    /// What an author can do about own work that is not let in at the centre.
    Remedy = CoreRemedy { Redo Correct Note Discard }
    /// How a visit went.
    VisitResult = CoreVisitResult { Met Absent Refused Moved }
    /// Why a visit was made.
    VisitKind = CoreVisitKind { Routine Care Safety Collection Muster }
    /// Why a number is shown.
    RevealReason = CoreRevealReason { Identity Form Emergency Correction Unlisted }
    /// What a person is to the centre.
    Role = CoreRole {
        Rider Volunteer FloorLeader FloorGroupLeader UnitLeader BuildingLeader GridMember GridHead EstateLead Community Department TownDispatcher TownLeader County
        City Auditor
    }
    /// Why the phone waits before it asks the centre again.
    WaitReason = CoreWaitReason {
        Scheduled NoNetwork Timeout ServerBusy ServerFailed NotEnrolled NotRecognised Revoked NeedsUpdate Clock Untrusted BadAnswer Rejected Storage
        ServerOutdated NotTaken
    }
}

macro_rules! both_ways {
    ($($name:ident = $core:ident { $($variant:ident)* })*) => {$(
        impl From<$name> for $core {
            fn from(code: $name) -> Self {
                match code {
                    $($name::$variant => Self::$variant,)*
                    $name::Other => Self::Other(u8::MAX),
                }
            }
        }
    )*};
}

// What apps may also hand in.
both_ways! {
    CaseState = CoreState { Draft Reported Accepted Dispatched Handling Suspended Resolved Verified Closed Rejected Withdrawn Merged Void }
    Severity = CoreSeverity { Normal Urgent Emergency }
    ActionKind = CoreActionKind {
        Report Supplement Rate SelfResolve Sign Progress RequestReturn RequestExtension Finish CheckIn Object RequestReopen VerifyFail Accept Dispatch Recall
        ApproveReturn DenyReturn ApproveExtension DenyExtension Suspend Resume Escalate Delegate Whistle WhistleEnd RateDepartment Supervise SuperviseEnd Reopen
        DenyReopen ResolveFlag Edit Unmerge MergeIn VerifyPass Close Reject Withdraw Merge Void
    }
    VisitResult = CoreVisitResult { Met Absent Refused Moved }
    VisitKind = CoreVisitKind { Routine Care Safety Collection Muster }
    RevealReason = CoreRevealReason { Identity Form Emergency Correction Unlisted }
    Role = CoreRole {
        Rider Volunteer FloorLeader FloorGroupLeader UnitLeader BuildingLeader GridMember GridHead EstateLead Community Department TownDispatcher TownLeader County
        City Auditor
    }
}

macro_rules! fields {
    ($($variant:ident)*) => {
        /// What an action must say.
        #[allow(missing_docs, reason = "the engine documents them")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
        pub enum ActionField {
            $($variant,)*
        }

        impl From<Field> for ActionField {
            fn from(field: Field) -> Self {
                match field {
                    $(Field::$variant => Self::$variant,)*
                }
            }
        }
    };
}

fields! {
    Category Place OccurredAt Severity Evidence Score Measure Photo Photos Spot FinishedAt Reason DueAt Result Observation SeenAt Grid DuplicateCheck Org Instruction
    Targets MaxDays Departments Decision Row Header Conclusion Reply Primary
}

/// What an action of this kind must say. Times that it lacks are filled in by the engine.
#[uniffi::export]
#[must_use]
pub fn required_fields(kind: ActionKind) -> Vec<ActionField> {
    kinds::spec(kind.into()).map_or(&[][..], |spec| spec.fields).iter().copied().map(ActionField::from).collect()
}

/// What a role is called.
#[uniffi::export]
#[must_use]
pub fn role_words(role: Role) -> Words {
    words::role(role.into()).into()
}

/// What a state is called.
#[uniffi::export]
#[must_use]
pub fn state_words(state: CaseState) -> Words {
    words::state(state.into()).into()
}

/// What an action is called.
#[uniffi::export]
#[must_use]
pub fn action_words(kind: ActionKind) -> Words {
    words::action(kind.into()).into()
}

/// What a severity is called.
#[uniffi::export]
#[must_use]
pub fn severity_words(severity: Severity) -> Words {
    words::severity(severity.into()).into()
}

/// What a reason for showing a number is called.
#[uniffi::export]
#[must_use]
pub fn reveal_reason_words(reason: RevealReason) -> Words {
    words::reveal_reason(reason.into()).into()
}

/// A category of cases.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Category {
    /// Two digits for a major, four for a minor: the first two are its major's.
    pub code: String,
    /// What it is called.
    pub words: Words,
    /// How bad it is by default.
    pub severity: Severity,
}

/// All categories: each major before its minors.
#[uniffi::export]
#[must_use]
pub fn categories() -> Vec<Category> {
    let minor = |minor: &category::Minor| Category { code: minor.code.to_owned(), words: minor.words.into(), severity: minor.severity.into() };
    let mut all = Vec::new();
    for major in category::MAJORS {
        all.push(Category { code: major.code.to_owned(), words: major.words.into(), severity: Severity::Normal });
        all.extend(category::minors(major.code).map(minor));
    }
    all
}

/// Whether this may be a number of a Chinese identity card: 18 characters whose date and check character are right. A warning at most: a number may
/// be kept all the same, for there are other papers.
#[uniffi::export]
#[must_use]
pub fn id_number_fits(number: &str) -> bool {
    quality::id_number(number).is_some()
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    /// Every code of the engine has one of its own here, and what apps may hand in comes back as it went.
    fn mapped<C: Copy + Debug + PartialEq, E: Copy + Debug + PartialEq + From<C>>(all: &[C], newer: C, other: E) {
        let mut seen: Vec<E> = Vec::new();
        for code in all {
            let exported = E::from(*code);
            assert!(exported != other && !seen.contains(&exported), "{code:?} is exported as {exported:?}");
            seen.push(exported);
        }
        assert_eq!(E::from(newer), other);
    }

    fn back<C: Copy + Debug + PartialEq + From<E>, E: Copy + Debug + PartialEq + From<C>>(all: &[C], other: E) {
        for code in all {
            assert_eq!(C::from(E::from(*code)), *code);
        }
        assert!(!all.contains(&C::from(other)), "a code of a newer version is none of this one's");
    }

    macro_rules! laws {
        ($mapped:ident: $($name:ident = $core:ident),*; $back:ident: $($both:ident = $both_core:ident),*;) => {
            $($mapped($core::ALL, $core::Other(250), $name::Other);)*
            $($back($both_core::ALL, $both::Other);)*
        };
    }

    #[test]
    fn every_code_is_exported_and_comes_back() {
        laws! {
            mapped: CaseState = CoreState, Severity = CoreSeverity, ActionKind = CoreActionKind, DeliveryState = CoreDeliveryState, VisitResult = CoreVisitResult,
                VisitKind = CoreVisitKind, RevealReason = CoreRevealReason, Role = CoreRole, WaitReason = CoreWaitReason;
            back: CaseState = CoreState, Severity = CoreSeverity, ActionKind = CoreActionKind, VisitResult = CoreVisitResult,
                VisitKind = CoreVisitKind, RevealReason = CoreRevealReason, Role = CoreRole;
        }
    }
}
