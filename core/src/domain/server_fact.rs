//! What the server states: the bodies of its facts (`FactKind` 100 and above) other than verdicts and grants, which `wire` has.
//!
//! A body is the CBOR of the type named here. Views are in [`super::mask`].

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::area::AreaCode;
use super::code::codes;
use super::id::{ActionId, OrgId, StreamId, UserId};
use super::time::Interval;

/// Body of [`FactKind::CaseNumber`](super::fact::FactKind::CaseNumber); the subject is the case.
/// `HZ` + 9-digit town + `yyyymmdd` (UTC+8) + 4-digit serial (`domain.md` §8).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
pub struct CaseNumber {
    /// The number.
    #[n(0)]
    pub number: String,
}

/// Body of [`FactKind::Received`](super::fact::FactKind::Received): when the server received actions. Without a subject. The interval holds the true
/// time of doing; it ends with the receipt.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub enum Received {
    /// Every action that a change after this brings into the stream, up to the next such fact. An action's id is 16 bytes that nothing compresses, and the
    /// reader has it in the change.
    #[n(0)]
    Next(#[n(0)] Interval),
    /// These: of a case that joins the stream with its history.
    #[n(1)]
    These(#[n(0)] Interval, #[n(1)] Vec<ActionId>),
}

/// Body of [`FactKind::StandsFor`](super::fact::FactKind::StandsFor); the subject is the case. The change that held these actions was refused:
/// in the `seen` of others each id stands for what it had seen itself.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
pub struct StandsFor {
    /// The actions and their `seen`.
    #[n(0)]
    pub actions: Vec<(ActionId, Vec<ActionId>)>,
}

/// Body of [`FactKind::Reference`](super::fact::FactKind::Reference): rows that replace earlier ones with the same key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub enum Reference {
    /// Divisions and grids by code, with their names. The level follows from the code.
    #[n(0)]
    Areas(#[n(0)] Vec<(AreaCode, String)>),
    /// Departments and centres, with their names.
    #[n(1)]
    Orgs(#[n(0)] Vec<(OrgId, String)>),
    /// Display names of people.
    #[n(2)]
    People(#[n(0)] Vec<(UserId, String)>),
}

/// Body of [`FactKind::Move`](super::fact::FactKind::Move); the subject is the document. It stands in every stream that the document joins or leaves with it,
/// before the join and the leave.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
pub struct Move {
    /// The streams it joins.
    #[n(0)]
    pub joined: Vec<StreamId>,
    /// The streams it leaves.
    #[n(1)]
    pub left: Vec<StreamId>,
}

codes! {
    /// Body of [`FactKind::Instruction`](super::fact::FactKind::Instruction): what the device is told to do.
    pub enum Instruction {
        /// Wipe the store: the device is revoked.
        Wipe = 1 "wipe",
        /// Reports only, until the centre approves this device: its outbox was found to be a copy.
        ReportOnly = 2 "report_only",
        /// The centre approved the device: everything its grant allows again.
        Approved = 3 "approved",
    }
}
