//! Proof: an answer's pages are followed entry by entry from the cursors, and where they end is held against the server's signature.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::meta::{self, Identity, Renew};
use super::{StoreError, outbox, position};
use crate::domain::id::{DocId, Hash, StreamId};
use crate::domain::time::Interval;
use crate::wire::batch::{Batch, Item};
use crate::wire::entry::{Entry, chain};
use crate::wire::limits;
use crate::wire::sync::{Answer, BatchFault, Cursor, OutboxHead, OwnRange, PageEntry, StreamInfo, StreamKind};

use super::apply::{ApplyError, i64_of};

/// An entry at its proved place.
pub(super) struct Step {
    pub(super) at: Cursor,
    pub(super) entry: Entry,
    /// When the server received its actions, where a pack says so; a stream says so before the entry.
    pub(super) received: Option<Interval>,
}

impl Step {
    /// The record that it loads.
    pub(super) const fn record(&self) -> Option<DocId> {
        match &self.entry {
            Entry::Change(change) => Some(change.doc),
            Entry::Join(join) => Some(join.doc),
            Entry::Leave(_) => None,
            Entry::Fact(fact) => fact.subject,
        }
    }
}

/// Whether the server holds something in this device's outbox that this store never made. References to own batches would not fit then: the pages are
/// left, and asked for again whole.
pub(super) fn contradicts(db: &Connection, answer: &Answer) -> Result<bool, StoreError> {
    if answer.rejections.iter().any(|rejection| rejection.fault == BatchFault::Fork) {
        return Ok(true);
    }
    let copied = meta::get(db, meta::RENEW)? == Some(Renew::Copied);
    match &answer.outbox {
        Some(head) if head.seq > 0 && !copied => Ok(batch_at(db, head)?.is_none()),
        _ => Ok(false),
    }
}

/// The batch that the server names as the last it holds.
pub(super) fn batch_at(db: &Connection, head: &OutboxHead) -> Result<Option<i64>, StoreError> {
    Ok(db
        .prepare_cached("SELECT n FROM batches WHERE incarnation = ?1 AND seq = ?2 AND hash = ?3 AND void = 0")?
        .query_row(params![head.incarnation.as_bytes(), i64_of(head.seq), head.hash.0], |row| row.get(0))
        .optional()?)
}

/// Where reading goes on, as far as the answer may say so.
pub(super) struct Places {
    /// The cursors that the pages follow.
    pub(super) cursors: BTreeMap<StreamId, Cursor>,
    /// Where the device steps back to.
    pub(super) back: Vec<Cursor>,
    /// All of these are proved; otherwise the pages follow from elsewhere, and are asked for again.
    pub(super) proved: bool,
}

/// Holds the answer's directory, common positions and heads against what the device knows.
pub(super) fn places(db: &Connection, identity: &Identity, answer: &Answer) -> Result<Places, ApplyError> {
    let mut cursors: BTreeMap<StreamId, Cursor> = outbox::cursors(db)?.into_iter().map(|cursor| (cursor.stream, cursor)).collect();
    if let Some(directory) = &answer.directory {
        readable(directory, identity.stream).map_err(ApplyError::Unproven)?;
        let before = std::mem::take(&mut cursors);
        for info in directory {
            let fresh = Cursor { stream: info.id, epoch: info.epoch, seq: 0, chain: Hash::ZERO };
            cursors.insert(info.id, before.get(&info.id).copied().unwrap_or(fresh));
        }
    }
    if answer.heads.as_ref().is_some_and(|heads| !heads.verify(identity.device, &identity.keys.signing)) {
        return Err(ApplyError::Unproven("the heads' signature"));
    }
    let (mut back, mut proved) = (Vec::new(), true);
    for named in &answer.common {
        let Some(cursor) = cursors.get_mut(&named.stream) else { continue };
        if named.seq > cursor.seq {
            return Err(ApplyError::Unproven("a common position beyond the device's own"));
        }
        let agreed = position::agree(db, cursor, named)?;
        proved &= agreed.proved;
        *cursor = agreed.at;
        back.push(agreed.at);
    }
    Ok(Places { cursors, back, proved })
}

/// Whether a directory is one that the device can read by: within the limit, no stream twice, its own stream among them and no other device's.
pub(super) fn readable(directory: &[StreamInfo], own: StreamId) -> Result<(), &'static str> {
    if directory.len() > limits::MAX_STREAMS {
        return Err("a directory of more streams than a state may name");
    }
    if directory.iter().map(|info| info.id).collect::<BTreeSet<_>>().len() < directory.len() {
        return Err("a directory that names a stream twice");
    }
    if directory.iter().any(|info| (info.kind == StreamKind::Device) != (info.id == own)) || !directory.iter().any(|info| info.id == own) {
        return Err("a directory without the device's own stream, or with another's");
    }
    Ok(())
}

/// Follows the pages entry by entry from the cursors to the signed heads. Own ranges are looked up in own batches, of which one may be at hand.
pub(super) fn prove(db: &Connection, places: Places, answer: &Answer, at_hand: Option<Batch>) -> Result<Vec<Step>, ApplyError> {
    let Places { mut cursors, .. } = places;
    if answer.pages.iter().all(|page| page.entries.is_empty()) {
        return Ok(Vec::new());
    }
    let heads = answer.heads.as_ref().ok_or(ApplyError::Unproven("pages without signed heads"))?;
    let mut batches: BTreeMap<(u64, [u8; 16]), Batch> = BTreeMap::new();
    if let Some(batch) = at_hand {
        let head = OutboxHead { incarnation: batch.header.incarnation, seq: batch.header.seq, hash: batch.hash() };
        // The transaction that sealed it may have failed.
        if batch_at(db, &head)?.is_some() {
            batches.insert((head.seq, *head.incarnation.as_bytes()), batch);
        }
    }
    let mut steps = Vec::new();
    let mut moved = BTreeSet::new();
    for page in &answer.pages {
        let cursor = cursors.get_mut(&page.stream).ok_or(ApplyError::Unproven("a page of a stream that the device does not read"))?;
        // The chain says what follows. Epochs only number it: after a restore the numbers may skip ahead, and a false epoch is put right by the next page.
        let follows = page.first.checked_sub(1).is_some_and(|before| before == cursor.seq || (page.epoch > cursor.epoch && before > cursor.seq));
        if !follows || page.first > limits::MAX_POSITION {
            return Err(ApplyError::Unproven("a page that does not follow the cursor"));
        }
        cursor.epoch = page.epoch;
        cursor.seq = page.first - 1;
        for piece in &page.entries {
            match piece {
                PageEntry::Entry(entry) => steps.push(step(cursor, entry.clone())),
                PageEntry::Own(range) => {
                    for item in own_items(db, &mut batches, range)? {
                        steps.push(step(cursor, Entry::from(item)));
                    }
                }
            }
        }
        moved.insert(page.stream);
    }
    for stream in moved {
        if !heads.heads.iter().any(|head| Some(head) == cursors.get(&stream)) {
            return Err(ApplyError::Unproven("the chain of a stream"));
        }
    }
    Ok(steps)
}

fn step(cursor: &mut Cursor, entry: Entry) -> Step {
    cursor.seq += 1;
    cursor.chain = chain(cursor.chain, entry.hash());
    Step { at: *cursor, entry, received: None }
}

fn own_items(db: &Connection, batches: &mut BTreeMap<(u64, [u8; 16]), Batch>, range: &OwnRange) -> Result<Vec<Item>, ApplyError> {
    let unknown = ApplyError::Unproven("a reference to a batch that the device does not have");
    let key = (range.seq, *range.incarnation.as_bytes());
    let batch = match batches.entry(key) {
        Slot::Occupied(read) => read.into_mut(),
        Slot::Vacant(slot) => {
            let bytes: Option<Vec<u8>> = db
                .prepare_cached("SELECT bytes FROM batches WHERE incarnation = ?1 AND seq = ?2")?
                .query_row(params![range.incarnation.as_bytes(), i64_of(range.seq)], |row| row.get(0))
                .optional()?
                .flatten();
            slot.insert(Batch::from_bytes(&bytes.ok_or(unknown.clone())?)?)
        }
    };
    let (first, count) = (range.first as usize, range.count as usize);
    let items = first.checked_add(count).and_then(|end| batch.items.get(first..end)).ok_or(unknown)?;
    Ok(items.to_vec())
}
