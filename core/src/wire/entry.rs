//! Down: what a stream consists of. A stream is an ordered, dense, hash-chained sequence of entries that a set of devices reads.

use super::batch::{ChangeItem, Item, change_hash};
use crate::domain::fact::Fact;
use crate::domain::id::{DocId, FactId, Hash};
use crate::record::RecordKind;

/// One entry of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A change of a document in the stream. The first change of a document brings it in.
    Change(ChangeItem),
    /// An immutable row.
    Fact(Fact),
    /// A document enters with its history.
    Join(Join),
    /// A document leaves; who holds it by no other stream forgets it.
    Leave(Leave),
}

/// A document enters a stream with its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// The document.
    pub doc: DocId,
    /// Its kind.
    pub kind: RecordKind,
    /// Its changes so far, dependencies first.
    pub changes: Vec<Vec<u8>>,
}

/// A document leaves a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leave {
    /// The document.
    pub doc: DocId,
    /// The move that decided it.
    pub by: FactId,
}

impl Entry {
    /// The entry's hash: an item's own, or SHA-256 over `3 ‖ doc ‖ kind ‖ change hashes` for a join, `4 ‖ doc ‖ move` for a leave.
    #[must_use]
    pub fn hash(&self) -> Hash {
        match self {
            Self::Change(change) => change.hash(),
            Self::Fact(fact) => fact.hash(),
            Self::Join(join) => {
                let hashes: Vec<u8> = join.changes.iter().flat_map(|raw| change_hash(raw).0).collect();
                Hash::of(&[&[3], join.doc.as_bytes(), &[join.kind.code()], &hashes])
            }
            Self::Leave(leave) => Hash::of(&[&[4], leave.doc.as_bytes(), leave.by.as_bytes()]),
        }
    }
}

impl From<Item> for Entry {
    fn from(item: Item) -> Self {
        match item {
            Item::Change(change) => Self::Change(change),
            Item::Fact(fact) => Self::Fact(fact),
        }
    }
}

/// The chain after an entry: SHA-256 over `chain before ‖ entry hash`. Before the first it is zero.
#[must_use]
pub fn chain(before: Hash, entry: Hash) -> Hash {
    Hash::of(&[&before.0, &entry.0])
}
