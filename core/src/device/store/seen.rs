//! The changes that an author had seen when he wrote. Work that is done again is written over exactly
//! these. Written over a colleague's later change as well, it would overrule him, and nobody would
//! learn that the two never knew of each other.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};
use rusqlite::{Connection, OptionalExtension, params};

use super::document::Document;
use super::own::OwnRow;
use super::{StoreError, meta};
use crate::domain::id::Hash;
use crate::record::{Record, gate};

/// A change, and the edit that it carries if that has another id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
struct Known {
    #[n(0)]
    change: Hash,
    #[n(1)]
    edit: Option<Hash>,
}

/// The changes that an own change rests on.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct Seen(#[n(0)] Vec<Known>);

impl Seen {
    /// What the change of a row rests on. None of a row that has no change any more.
    pub(super) fn of(document: &Document, row: &OwnRow) -> Option<Self> {
        let info = gate::inspect(row.raw.as_deref()?).ok()?;
        let known = |change| Known { change, edit: document.edit_of(change) };
        Some(Self(info.deps.into_iter().map(known).collect()))
    }

    fn stored(document: &Document, row: &OwnRow) -> Result<Option<Self>, StoreError> {
        match &row.seen {
            Some(seen) => meta::decode(seen).map(Some),
            None => Ok(Self::of(document, row)),
        }
    }
}

/// Own work on one record while it is done again.
#[derive(Debug, Default)]
pub(super) struct Redone {
    /// What stands in the record for a change that is not in it any more.
    instead: BTreeMap<Hash, Vec<Hash>>,
    /// The last change that was written.
    last: Option<Hash>,
}

impl Redone {
    /// The changes of the record that the author of a row had seen. A change that is gone is replaced
    /// by those that it rested on. None where nothing is known of it.
    pub(super) fn seen(&self, db: &Connection, document: &Document, record: &Record, row: &OwnRow) -> Result<Option<Vec<Hash>>, StoreError> {
        let Some(Seen(mut open)) = Seen::stored(document, row)? else {
            return Ok(None);
        };
        let (mut found, mut passed) = (BTreeSet::new(), BTreeSet::new());
        while let Some(known) = open.pop() {
            if !passed.insert(known.change) {
                continue;
            }
            if record.has(known.change) {
                found.insert(known.change);
            } else if let Some(instead) = self.instead.get(&known.change) {
                found.extend(instead);
            } else {
                let carriers = document.carriers(known.edit.unwrap_or(known.change));
                if !carriers.is_empty() {
                    found.extend(carriers);
                } else if let Some(Seen(before)) = before(db, document, known.change)? {
                    open.extend(before);
                } else if let Some(deps) = document.withdrawn(known.change) {
                    open.extend(deps.into_iter().map(|change| Known { change, edit: None }));
                } else {
                    // The centre lost a colleague's change, or keeps the record under another id.
                    found.extend(record.founders());
                }
            }
        }
        found.extend(self.last);
        Ok(Some(found.into_iter().collect()))
    }

    /// A row's change has been written again.
    pub(super) fn written(&mut self, before: Hash, change: Hash) {
        self.instead.insert(before, vec![change]);
        self.last = Some(change);
    }

    /// A row's change is not written again: these stand for it.
    pub(super) fn left(&mut self, before: Hash, seen: Vec<Hash>) {
        self.instead.insert(before, seen);
    }
}

/// What an own change rested on that was given up.
fn before(db: &Connection, document: &Document, change: Hash) -> Result<Option<Seen>, StoreError> {
    let seen: Option<Option<Vec<u8>>> = db
        .prepare_cached("SELECT seen FROM own WHERE change = ?1 AND doc = ?2 ORDER BY n DESC LIMIT 1")?
        .query_row(params![change.0, document.id.as_bytes()], |row| row.get(0))
        .optional()?;
    seen.flatten().map(|seen| meta::decode(&seen)).transpose()
}
