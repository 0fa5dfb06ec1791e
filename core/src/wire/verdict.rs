//! What became of a batch: a verdict for each piece of it.

use minicbor::{Decode, Encode};

use crate::domain::id::{DocId, Hash, Incarnation};
use crate::domain::policy::Refusal;

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Verdict {
    /// In the streams.
    #[n(0)]
    Accepted,
    /// Not let in, because.
    #[n(1)]
    Refused(#[n(0)] Refusal),
    /// Built on an item that was refused: redo it.
    #[n(2)]
    Stranded(#[n(0)] Hash),
    /// Kept until what it depends on arrives.
    #[n(3)]
    Waiting(#[n(0)] Hash),
    /// The same edit is already there.
    #[n(4)]
    AlreadyHeld,
    /// The document was retired; redo it in the new one.
    #[n(5)]
    Retired(#[n(0)] DocId),
    /// Kept aside for an administrator.
    #[n(6)]
    Quarantined,
}

/// The server's word on a batch: the body of a `verdict` fact in the device's own stream. With the signed head above it, the receipt.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct BatchVerdict {
    /// The incarnation the batch was sealed under.
    #[n(0)]
    pub incarnation: Incarnation,
    /// The batch's number.
    #[n(1)]
    pub seq: u64,
    /// The batch's hash: a receipt names the batch, never only its number.
    #[n(2)]
    pub batch: Hash,
    /// When the server received it, milliseconds since 1970.
    #[n(3)]
    pub received_ms: i64,
    /// Items that were not simply accepted: index and verdict, by index.
    #[n(4)]
    pub exceptions: Vec<Exception>,
}

/// An item that was not simply accepted.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Exception {
    /// Index in the batch, from 0.
    #[n(0)]
    pub item: u32,
    /// What became of it.
    #[n(1)]
    pub verdict: Verdict,
}

impl BatchVerdict {
    /// The verdict on an item.
    #[must_use]
    pub fn of(&self, item: u32) -> Verdict {
        self.exceptions.iter().find(|exception| exception.item == item).map_or(Verdict::Accepted, |exception| exception.verdict.clone())
    }
}
