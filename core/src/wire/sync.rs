//! One request does both: batches up, entries down. `POST /v1/sync`, a framed [`Request`] answered by a framed [`Answer`].

mod answer;
mod request;

use minicbor::{Decode, Encode};

pub use answer::{Answer, BatchFault, BatchRejection, OwnRange, PackRef, Page, PageEntry, SignedHeads};
pub use request::{Auth, Authenticate, OPENING, Received, Request, opening_token};

use super::encode;
use crate::domain::area::AreaCode;
use crate::domain::code::codes;
use crate::domain::id::{Hash, Incarnation, OrgId, StreamId};

/// How far a stream has been read and applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct Cursor {
    /// The stream.
    #[n(0)]
    pub stream: StreamId,
    /// The server's epoch that `seq` was numbered in.
    #[n(1)]
    pub epoch: u32,
    /// The last entry applied; 0 before the first.
    #[n(2)]
    pub seq: u64,
    /// The chain after it.
    #[n(3)]
    pub chain: Hash,
}

/// The head of the device's outbox: its last sealed batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct OutboxHead {
    /// The incarnation.
    #[n(0)]
    pub incarnation: Incarnation,
    /// Number of the last batch; 0 before the first.
    #[n(1)]
    pub seq: u64,
    /// Its hash; zero before the first.
    #[n(2)]
    pub hash: Hash,
}

/// Everything that sync depends on: the cursor vector, sorted by stream, and the last batch that the server is known to hold.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SyncState {
    /// Cursors, sorted by stream.
    #[n(0)]
    pub cursors: Vec<Cursor>,
    /// The last batch with a verdict, or known to be held.
    #[n(1)]
    pub outbox: OutboxHead,
}

/// The first 16 bytes of a state's SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct StateHash(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl SyncState {
    /// The hash the server remembers it by.
    #[must_use]
    pub fn hash(&self) -> StateHash {
        let full = Hash::of(&[&encode(self)]);
        let mut short = [0; 16];
        short.copy_from_slice(&full.0[..16]);
        StateHash(short)
    }
}

/// A secret that stands for the device's signature until it ends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Token(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

codes! {
    /// What a stream is for.
    pub enum StreamKind {
        /// A grid: its cases and households, whole.
        Grid = 1 "grid",
        /// A town's desk: its cases, and masked views of its households.
        Desk = 2 "desk",
        /// An organisation: what is assigned to it.
        Assignments = 3 "assignments",
        /// A scope's orders and reference data.
        Scope = 4 "scope",
        /// One device: its verdicts, grants and instructions, and for those who only report, their own changes.
        Device = 5 "device",
    }
}

/// A stream that the device reads.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct StreamInfo {
    /// Identity.
    #[n(0)]
    pub id: StreamId,
    /// What it is for.
    #[n(1)]
    pub kind: StreamKind,
    /// The grid's, town's or scope's code.
    #[n(2)]
    pub area: Option<AreaCode>,
    /// The organisation of an assignments stream.
    #[n(3)]
    pub org: Option<OrgId>,
    /// The epoch its numbers are of.
    #[n(4)]
    pub epoch: u32,
}

/// Bytes that are passed on as they are.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct SealedBytes(#[cbor(n(0), with = "minicbor::bytes")] pub Vec<u8>);
