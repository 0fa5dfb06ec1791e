//! One error for everything: a stable kind, and what to tell a person. No content of records is in it.

use fieldgrid_core::device::enrol::EnrolError;
use fieldgrid_core::device::store::{OpenError, SaveError, StoreError};
use fieldgrid_core::device::transport::{TransportError, TransportSetupError};
use fieldgrid_core::domain::form::{Fault, FormError};
use fieldgrid_core::domain::policy::Refusal;
use fieldgrid_core::domain::words;

use crate::code::Words;

/// What kind of error it is. Kinds are added, and never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ErrorKind {
    /// The key is not the store's. Nothing was changed.
    WrongKey,
    /// The store was written by a newer version. Nothing was changed.
    NewerStore,
    /// The store's file, or something in it, cannot be read; it was left as it is.
    Damaged,
    /// Another process or another opening uses the store.
    InUse,
    /// The store is gone although this phone had one. Whoever wants a new one says so.
    Lost,
    /// No space is left, or the files cannot be written.
    StorageFull,
    /// Storage failed otherwise.
    Storage,
    /// The device was shut down.
    Closed,
    /// The device is not enrolled.
    NotEnrolled,
    /// The device is enrolled already.
    AlreadyEnrolled,
    /// What was given is not an invite, or the server's address in it is wrong.
    InvalidInvite,
    /// The invite's code was used, has ended, or is not one of the server's.
    InviteEnded,
    /// The server was not reached.
    Unreachable,
    /// What answered is not the server that is meant.
    Untrusted,
    /// The phone's clock is wrong.
    ClockWrong,
    /// The server was reached and did not take the request.
    ServerRefused,
    /// Too long without contact: only reports may be made.
    ReportOnly,
    /// The centre has yet to approve this phone: only reports may be made.
    NotApproved,
    /// Too long without contact: households are locked.
    Locked,
    /// The centre would refuse it; `refusal` says why.
    Refused,
    /// The record is not on this phone, or no such edit waits for a decision.
    NotFound,
    /// What was given is not in the right form; `fields` says what.
    InvalidInput,
    /// The form lacks what is required; `fields` says what.
    Incomplete,
    /// The form has saved something else already, which stands.
    AlreadySaved,
}

/// Why something was not done. Whatever it was, nothing is half done, and what a form held is the app's to keep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum FieldgridError {
    /// The only case: kinds are told apart by `kind`.
    #[error("{}", words.en)]
    Failed {
        /// What kind of error.
        kind: ErrorKind,
        /// What to tell a person.
        words: Words,
        /// The stable name of the centre's reason, when the kind is `Refused`.
        refusal: Option<String>,
        /// What it is about, by name: fields of a form (`docs/codes.md`, "What a form may save"), else what the call
        /// was given.
        fields: Vec<String>,
    },
}

impl FieldgridError {
    fn new(kind: ErrorKind, words: words::Words) -> Self {
        Self::Failed { kind, words: words.into(), refusal: None, fields: Vec::new() }
    }

    /// Names what it is about.
    fn about(self, names: &[&str]) -> Self {
        let Self::Failed { kind, words, refusal, fields: _ } = self;
        Self::Failed { kind, words, refusal, fields: names.iter().map(|&name| name.to_owned()).collect() }
    }

    /// What was given as `field` is not in the right form.
    pub(crate) fn invalid_input(field: &str) -> Self {
        Self::form(&FormError::of(Fault::Malformed, field))
    }

    /// A number that is outside its range.
    pub(crate) fn out_of_range(field: &str) -> Self {
        Self::form(&FormError::of(Fault::Range, field))
    }

    pub(crate) fn invalid_key() -> Self {
        let words = words::Words { zh: "密钥必须是 32 字节", en: "The key must be 32 bytes" };
        Self::new(ErrorKind::InvalidInput, words).about(&["key"])
    }

    fn form(error: &FormError) -> Self {
        let FormError { fault, fields } = error;
        let (kind, refusal) = match fault {
            Fault::Missing => (ErrorKind::Incomplete, None),
            Fault::TooLong => (ErrorKind::Refused, Some(Refusal::TooLarge.to_string())),
            Fault::Range | Fault::Unknown | Fault::Malformed => (ErrorKind::InvalidInput, None),
        };
        Self::Failed { kind, words: error.words().into(), refusal, fields: fields.clone() }
    }

    pub(crate) fn invalid_invite() -> Self {
        let words = words::Words {
            zh: "这不是入网码。请完整复制二维码的文字，或向镇街中心要新的",
            en: "This is not an invite. Copy the whole text of the code, or ask the town centre for a new one",
        };
        Self::new(ErrorKind::InvalidInvite, words)
    }

    pub(crate) fn stopped() -> Self {
        StoreError::Closed.into()
    }
}

impl From<OpenError> for FieldgridError {
    fn from(error: OpenError) -> Self {
        let kind = match &error {
            OpenError::WrongKey => ErrorKind::WrongKey,
            OpenError::NewerSchema { .. } => ErrorKind::NewerStore,
            OpenError::Damaged => ErrorKind::Damaged,
            OpenError::Lost => ErrorKind::Lost,
            OpenError::Locked | OpenError::OpenHere => ErrorKind::InUse,
            OpenError::Unusable(given, _) => {
                return Self::new(ErrorKind::InvalidInput, error.words()).about(&[given.name()]);
            }
            OpenError::CertificateAuthority => {
                return Self::new(ErrorKind::InvalidInput, error.words()).about(&["ca_pem"]);
            }
            OpenError::Io(std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded) => ErrorKind::StorageFull,
            OpenError::Storage(error) => return (*error).into(),
            _ => ErrorKind::Storage,
        };
        Self::new(kind, error.words())
    }
}

impl From<StoreError> for FieldgridError {
    fn from(error: StoreError) -> Self {
        let kind = match error {
            StoreError::NotEnrolled => ErrorKind::NotEnrolled,
            StoreError::Full => ErrorKind::StorageFull,
            StoreError::Busy => ErrorKind::InUse,
            StoreError::Damaged => ErrorKind::Damaged,
            StoreError::RegistryLocked => ErrorKind::Locked,
            StoreError::NotApproved => ErrorKind::NotApproved,
            StoreError::Closed => ErrorKind::Closed,
            _ => ErrorKind::Storage,
        };
        Self::new(kind, error.words())
    }
}

impl From<SaveError> for FieldgridError {
    fn from(error: SaveError) -> Self {
        let words = error.words();
        let kind = match error {
            SaveError::Storage(error) => return error.into(),
            SaveError::NotEnrolled => ErrorKind::NotEnrolled,
            SaveError::ReportOnly => ErrorKind::ReportOnly,
            SaveError::NotApproved => ErrorKind::NotApproved,
            SaveError::Form(error) => return Self::form(&error),
            SaveError::OtherKind => return Self::new(ErrorKind::InvalidInput, words).about(&["record"]),
            SaveError::NoSuchPerson => return Self::new(ErrorKind::NotFound, words).about(&["person"]),
            SaveError::NoSuchRecord => ErrorKind::NotFound,
            SaveError::Nothing => ErrorKind::InvalidInput,
            SaveError::AlreadySaved => ErrorKind::AlreadySaved,
            SaveError::Refused(reason) => {
                let refusal = Some(reason.to_string());
                return Self::Failed { kind: ErrorKind::Refused, words: words.into(), refusal, fields: Vec::new() };
            }
            _ => ErrorKind::Damaged,
        };
        Self::new(kind, words)
    }
}

impl From<EnrolError> for FieldgridError {
    fn from(error: EnrolError) -> Self {
        let words = error.words();
        let kind = match error {
            EnrolError::Storage(error) => return error.into(),
            EnrolError::AlreadyEnrolled => ErrorKind::AlreadyEnrolled,
            EnrolError::CodeEnded | EnrolError::NoSuchCode => ErrorKind::InviteEnded,
            EnrolError::Setup(_) => ErrorKind::InvalidInvite,
            EnrolError::Transport(TransportError::Clock) => ErrorKind::ClockWrong,
            EnrolError::Transport(TransportError::Untrusted) | EnrolError::NotTheServer(_) => ErrorKind::Untrusted,
            EnrolError::Transport(TransportError::Refused(_)) => ErrorKind::ServerRefused,
            _ => ErrorKind::Unreachable,
        };
        Self::new(kind, words)
    }
}

impl From<TransportSetupError> for FieldgridError {
    fn from(error: TransportSetupError) -> Self {
        EnrolError::Setup(error).into()
    }
}

#[cfg(test)]
mod tests {
    use fieldgrid_core::device::store::{Given, Unusable};
    use fieldgrid_core::wire::error::{ErrorBody, ErrorKind as WireKind};

    use super::*;

    const KINDS: [ErrorKind; 24] = [
        ErrorKind::WrongKey,
        ErrorKind::NewerStore,
        ErrorKind::Damaged,
        ErrorKind::InUse,
        ErrorKind::StorageFull,
        ErrorKind::Storage,
        ErrorKind::Closed,
        ErrorKind::NotEnrolled,
        ErrorKind::AlreadyEnrolled,
        ErrorKind::InvalidInvite,
        ErrorKind::InviteEnded,
        ErrorKind::Unreachable,
        ErrorKind::Untrusted,
        ErrorKind::ClockWrong,
        ErrorKind::ServerRefused,
        ErrorKind::ReportOnly,
        ErrorKind::Locked,
        ErrorKind::Refused,
        ErrorKind::NotFound,
        ErrorKind::InvalidInput,
        ErrorKind::Incomplete,
        ErrorKind::NotApproved,
        ErrorKind::Lost,
        ErrorKind::AlreadySaved,
    ];

    /// What the engine says in each case. A new kind does not compile until it is here.
    fn said(kind: ErrorKind) -> Vec<FieldgridError> {
        match kind {
            ErrorKind::WrongKey => vec![OpenError::WrongKey.into()],
            ErrorKind::NewerStore => vec![OpenError::NewerSchema { found: 9, known: 1 }.into()],
            ErrorKind::Damaged => vec![OpenError::Damaged.into(), StoreError::Damaged.into()],
            ErrorKind::InUse => vec![OpenError::Locked.into(), OpenError::OpenHere.into(), StoreError::Busy.into()],
            ErrorKind::Lost => vec![OpenError::Lost.into()],
            ErrorKind::NotApproved => vec![StoreError::NotApproved.into(), SaveError::NotApproved.into()],
            ErrorKind::Incomplete => vec![SaveError::Form(FormError::of(Fault::Missing, "place")).into()],
            ErrorKind::StorageFull => vec![OpenError::Io(std::io::ErrorKind::StorageFull).into(), StoreError::Full.into()],
            ErrorKind::Storage => {
                vec![OpenError::Io(std::io::ErrorKind::Other).into(), StoreError::Sqlite(1).into(), SaveError::Storage(StoreError::Sqlite(1)).into()]
            }
            ErrorKind::Closed => vec![FieldgridError::stopped(), OpenError::Storage(StoreError::Closed).into()],
            ErrorKind::NotEnrolled => vec![StoreError::NotEnrolled.into(), SaveError::NotEnrolled.into()],
            ErrorKind::AlreadyEnrolled => vec![EnrolError::AlreadyEnrolled.into()],
            ErrorKind::InvalidInvite => vec![FieldgridError::invalid_invite(), TransportSetupError::Address.into()],
            ErrorKind::InviteEnded => vec![EnrolError::CodeEnded.into(), EnrolError::NoSuchCode.into()],
            ErrorKind::Unreachable => vec![EnrolError::Transport(TransportError::NoNetwork).into(), EnrolError::Transport(TransportError::Status(502)).into()],
            ErrorKind::Untrusted => vec![EnrolError::Transport(TransportError::Untrusted).into()],
            ErrorKind::ClockWrong => vec![EnrolError::Transport(TransportError::Clock).into()],
            ErrorKind::ServerRefused => {
                let body = ErrorBody { kind: WireKind::Busy, reason: String::new(), retry_after_s: None };
                vec![EnrolError::Transport(TransportError::Refused(body)).into()]
            }
            ErrorKind::ReportOnly => vec![SaveError::ReportOnly.into()],
            ErrorKind::Locked => vec![StoreError::RegistryLocked.into()],
            ErrorKind::Refused => vec![SaveError::Refused(Refusal::OutOfScope).into()],
            ErrorKind::NotFound => vec![SaveError::NoSuchRecord.into(), SaveError::NoSuchPerson.into()],
            ErrorKind::InvalidInput => vec![
                FieldgridError::invalid_input("record"),
                FieldgridError::invalid_key(),
                OpenError::Unusable(Given::Life, Unusable::Same).into(),
                OpenError::CertificateAuthority.into(),
                SaveError::OtherKind.into(),
                SaveError::Form(FormError::of(Fault::Range, "score")).into(),
            ],
            ErrorKind::AlreadySaved => vec![SaveError::AlreadySaved.into()],
        }
    }

    #[test]
    fn every_kind_is_reached_and_has_words_in_both_languages() {
        let chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        for expected in KINDS {
            for error in said(expected) {
                let FieldgridError::Failed { kind, words, refusal, fields } = &error;
                let named = matches!(kind, ErrorKind::InvalidInput | ErrorKind::Incomplete);
                assert!(!named || !fields.is_empty(), "{error:?}");
                assert_eq!(*kind, expected);
                assert!(chinese(&words.zh) && !words.en.is_empty() && !chinese(&words.en), "{error:?}");
                assert_eq!(refusal.as_deref(), (expected == ErrorKind::Refused).then_some("out_of_scope"));
                assert_eq!(error.to_string(), words.en);
            }
        }
    }
}
