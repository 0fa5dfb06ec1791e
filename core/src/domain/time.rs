//! Time. Phone clocks lie: order is causal, and what a clock said is only kept beside what the server knows (`DESIGN` §7).

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// What both clocks of a machine said when something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
pub struct Stamp {
    /// Wall clock, milliseconds since 1970, as claimed.
    #[n(0)]
    pub wall_ms: i64,
    /// Milliseconds since the machine's boot.
    #[n(1)]
    pub mono_ms: u64,
}

/// The server's time at the last answer, and what the phone's clocks said then: what turns claims into an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
pub struct Anchor {
    /// The server's clock, milliseconds since 1970.
    #[n(0)]
    pub server_ms: i64,
    /// The phone's clocks when the answer came.
    #[n(1)]
    pub stamp: Stamp,
}

/// An interval that holds the true time, as the server derives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
pub struct Interval {
    /// Not before, milliseconds since 1970.
    #[n(0)]
    pub earliest_ms: i64,
    /// Not after, milliseconds since 1970.
    #[n(1)]
    pub latest_ms: i64,
}
