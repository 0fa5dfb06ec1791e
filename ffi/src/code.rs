//! Codes and what they are called.

use fieldgrid_core::device::store::DeliveryState as CoreDeliveryState;
use fieldgrid_core::domain::action::{ActionKind as CoreActionKind, Severity as CoreSeverity};
use fieldgrid_core::domain::case::State as CoreState;
use fieldgrid_core::domain::category;
use fieldgrid_core::domain::fact::{VisitKind as CoreVisitKind, VisitResult as CoreVisitResult};
use fieldgrid_core::domain::words;

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
        #[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
        pub enum $name {
            $($variant,)*
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
    DeliveryState = CoreDeliveryState { Theirs OnPhone Received Again Refused Decide Waiting Quarantined Discarded }
    /// How a visit went.
    VisitResult = CoreVisitResult { Met Absent Refused Moved }
    /// Why a visit was made.
    VisitKind = CoreVisitKind { Routine Care Safety Collection Muster }
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

/// What a category code is called; `None` for one that is not in the table.
#[uniffi::export]
#[must_use]
pub fn category_words(code: &str) -> Option<Words> {
    category::words(code).map(Words::from)
}
