//! Errors of the protocol: their kinds are stable, their words say what to do.

use minicbor::{Decode, Encode};

use crate::domain::code::codes;

/// Bytes that are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Past a limit.
    #[error("too large: {0}")]
    TooLarge(&'static str),
    /// Not of the format.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// A signature or hash does not fit.
    #[error("does not verify: {0}")]
    Unverified(&'static str),
    /// Of a newer version of the protocol.
    #[error("protocol version {0} is newer than this one; update")]
    NewerVersion(u8),
}

codes! {
    /// Why the server did not answer a request. The HTTP status follows from the kind.
    pub enum ErrorKind {
        /// 400: the body is not a request.
        Malformed = 1 "malformed",
        /// 401: no session, an ended one, or a signature that does not fit. Sign the request again.
        Unauthenticated = 2 "unauthenticated",
        /// 403: the device is revoked. The store is to be wiped.
        Revoked = 3 "revoked",
        /// 404: no such thing for this device.
        NotFound = 4 "not_found",
        /// 413: past a limit.
        TooLarge = 5 "too_large",
        /// 426: the server does not speak this version.
        Version = 6 "version",
        /// 429: too often; `retry_after_s` says when.
        TooOften = 7 "too_often",
        /// 503: the server is busy; `retry_after_s` says when.
        Busy = 8 "busy",
        /// 500: the server failed; the request changed nothing or will be answered the same again.
        Internal = 9 "internal",
        /// 410: the enrolment code was used or has ended.
        CodeEnded = 10 "code_ended",
        /// 409: the device already has another incarnation or key.
        Conflict = 11 "conflict",
    }
}

impl ErrorKind {
    /// The HTTP status it travels under.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Unauthenticated => 401,
            Self::Revoked => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::CodeEnded => 410,
            Self::TooLarge => 413,
            Self::Version => 426,
            Self::TooOften => 429,
            Self::Busy => 503,
            Self::Internal | Self::Other(_) => 500,
        }
    }
}

/// The body of an answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ErrorBody {
    /// What kind.
    #[n(0)]
    pub kind: ErrorKind,
    /// What happened and what to do, in English, without personal data.
    #[n(1)]
    pub reason: String,
    /// When to try again, seconds.
    #[n(2)]
    pub retry_after_s: Option<u32>,
}
