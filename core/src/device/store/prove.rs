//! Proof: an answer's pages are followed entry by entry from the cursors, and where they end is held against the server's signature.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::meta::{self, Identity, Renew};
use super::outbox::Outstanding;
use super::{StoreError, held, outbox, position};
use crate::domain::id::{Hash, StreamId};
use crate::wire::batch::Batch;
use crate::wire::entry::chain;
use crate::wire::limits;
use crate::wire::sync::{Answer, BatchFault, Cursor, OutboxHead, PageEntry, StreamInfo, StreamKind};

use super::apply::{ApplyError, i64_of};
use super::steps::{OwnBatches, Proved};

/// Whether the server holds something in this device's outbox that this store never made. References to own batches would not fit then: the pages are
/// left, and asked for again whole.
pub(super) fn contradicts(db: &Connection, answer: &Answer) -> Result<bool, StoreError> {
    if answer.rejections.iter().any(|rejection| rejection.fault == BatchFault::Fork) {
        return Ok(true);
    }
    let copied = meta::get(db, meta::RENEW)? == Some(Renew::Copied);
    match &answer.outbox {
        Some(head) if head.seq > 0 && held::is_head(head) && !copied => Ok(batch_at(db, head)?.is_none()),
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

/// Whether the server signed the answer. One that signs does so always, but for the word that there
/// is nothing new; an older one never does.
pub(super) fn signed(db: &Connection, identity: &Identity, answer: &Answer, asked: &Outstanding) -> Result<bool, ApplyError> {
    if answer.seal.is_some() {
        let signed = answer.is_signed(identity.device, asked.hash, &identity.keys.signing);
        return if signed { Ok(true) } else { Err(ApplyError::Unproven("the answer's signature")) };
    }
    let signs = meta::get(db, meta::SIGNS)?.unwrap_or(false);
    let nothing_new = asked.idle && !answer.says_something();
    if signs && !nothing_new { Err(ApplyError::Unproven("an answer without the server's signature")) } else { Ok(false) }
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

/// Whether a directory is one that the device can read by: within the limit, no stream twice, its
/// own stream among them and no other device's.
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

/// Follows the pages entry by entry from the cursors to the signed heads. Nothing that is referred
/// to is kept: own ranges are looked up in own batches, of which one may be at hand, for their
/// hashes now and for their contents when they are applied.
pub(super) fn prove<'a>(db: &Connection, places: Places, answer: &'a Answer, at_hand: Option<Batch>) -> Result<Proved<'a>, ApplyError> {
    let Places { mut cursors, .. } = places;
    if answer.pages.iter().all(|page| page.entries.is_empty()) {
        return Ok(Proved::none());
    }
    let heads = answer.heads.as_ref().ok_or(ApplyError::Unproven("pages without signed heads"))?;
    let (mut own, mut chains) = (OwnBatches::new(db, at_hand)?, Vec::new());
    let mut moved = BTreeSet::new();
    for page in &answer.pages {
        let cursor = cursors.get_mut(&page.stream).ok_or(ApplyError::Unproven("a page of a stream that the device does not read"))?;
        // The chain says what follows. Epochs only number it: after a restore the numbers may skip
        // ahead, and a false epoch is put right by the next page.
        let follows = page.first.checked_sub(1).is_some_and(|before| before == cursor.seq || (page.epoch > cursor.epoch && before > cursor.seq));
        if !follows || page.first > limits::MAX_POSITION {
            return Err(ApplyError::Unproven("a page that does not follow the cursor"));
        }
        cursor.epoch = page.epoch;
        cursor.seq = page.first - 1;
        let mut follow = |hash| {
            cursor.seq += 1;
            cursor.chain = chain(cursor.chain, hash);
            chains.push(cursor.chain);
        };
        for piece in &page.entries {
            match piece {
                PageEntry::Entry(entry) => follow(entry.hash()),
                PageEntry::Own(range) => own.hashes(db, range)?.iter().copied().for_each(&mut follow),
            }
        }
        moved.insert(page.stream);
    }
    for stream in moved {
        if !heads.heads.iter().any(|head| Some(head) == cursors.get(&stream)) {
            return Err(ApplyError::Unproven("the chain of a stream"));
        }
    }
    Ok(Proved::new(&answer.pages, chains, own))
}
