//! What the server holds of this device's outbox, and the way out where the two sides differ.
//!
//! Only a receipt proves that a batch is held: it is an entry of the device's own stream, under a signed head. What an answer says beside its entries (what
//! it holds, what it did not take) is a claim. It decides what is sent next, and takes nothing back that a receipt says. Whatever was claimed, an honest
//! server gets everything, once: the same bytes again where it lacks them, or the same intents under a new incarnation where no bytes can fit.

use minicbor::{Decode, Encode};
use rusqlite::{Connection, OptionalExtension, params};

use super::apply::i64_of;
use super::meta::{self, Renew};
use super::outbox::Outstanding;
use super::prove::batch_at;
use super::work::Work;
use super::{StoreError, purge, rebuild};
use crate::domain::id::{DocId, Hash, Incarnation};
use crate::wire::batch::Batch;
use crate::wire::sync::{Answer, BatchFault, OutboxHead};

/// How long a batch is kept after the server first said that a verified backup covers it: what says so is not signed, and may come from a server that is
/// replaced by an older one.
pub(super) const KEPT_MS: i64 = 7 * 86_400_000;
/// Rejections after which the same work is sealed anew: the batch itself may be what no server can take. Twice as many until it is tried once more.
const RESEAL: u32 = 8;

/// Batches that the server did not take, without a receipt that says why. It says nothing about the work: it is kept as it is and sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(array)]
pub(super) struct Rejected {
    /// How often, since one was taken.
    #[n(0)]
    pub(super) times: u32,
    /// The work is to be sealed anew before it is sent again.
    #[n(1)]
    reseal: bool,
}

/// Takes in what an answer says of the batches that were sent, and of the outbox.
pub(super) fn told(db: &Connection, work: &mut Work<'_>, answer: &Answer, asked: &Outstanding) -> Result<(), StoreError> {
    // Batches are a chain: after the first that was not taken none can have been.
    let first = answer.rejections.iter().min_by_key(|rejection| rejection.index);
    if !answer.need_state {
        let taken = first.map_or(asked.sent.len(), |rejection| rejection.index as usize);
        if let Some(n) = asked.sent.iter().take(taken).next_back() {
            hold_through(db, *n)?;
            meta::clear(db, meta::REJECTED)?;
            work.applied.progress = true;
        }
    }
    if let Some(head) = &answer.outbox {
        let news = outbox_at(db, work, head)?;
        work.applied.progress |= news;
    }
    let Some(fault) = first.filter(|rejection| (rejection.index as usize) < asked.sent.len()).map(|rejection| rejection.fault) else {
        return Ok(());
    };
    match fault {
        // It goes as it is once the server is updated; sealed anew it would be no older.
        BatchFault::Version => work.applied.server_outdated = true,
        BatchFault::Fork => {
            rebuild::set_renew(db, Renew::Copied)?;
            work.applied.progress = true;
        }
        BatchFault::Gap if answer.outbox.is_some() => {}
        BatchFault::Gap => {
            let mended = close_gap(db, work)?;
            work.applied.progress |= mended;
            if !mended {
                reject(db, work)?;
            }
        }
        _ => reject(db, work)?,
    }
    Ok(())
}

/// Counts a rejection: the wait grows with it, also over a restart.
fn reject(db: &Connection, work: &mut Work<'_>) -> Result<(), StoreError> {
    let times = meta::get(db, meta::REJECTED)?.unwrap_or_default().times.saturating_add(1);
    let reseal = times >= RESEAL && times.is_power_of_two();
    work.applied.rejected = times;
    work.touched.status = true;
    meta::put(db, meta::REJECTED, &Rejected { times, reseal })
}

/// Before a request: what was rejected time and again is sealed anew, once the server has said what it holds.
pub(super) fn reseal(db: &Connection) -> Result<(), StoreError> {
    if let Some(rejected) = meta::get(db, meta::REJECTED)?.filter(|rejected| rejected.reseal) {
        rebuild::set_renew(db, Renew::Copied)?;
        meta::put(db, meta::REJECTED, &Rejected { reseal: false, ..rejected })?;
    }
    Ok(())
}

/// The server stands where this device believes, and yet something is missing before what was sent: a batch was wrongly taken for held. Says whether
/// asking again is of use.
fn close_gap(db: &Connection, work: &mut Work<'_>) -> Result<bool, StoreError> {
    if meta::get(db, meta::RENEW)?.is_some() {
        return Ok(false);
    }
    let head = meta::get(db, meta::OUTBOX)?;
    let told = head.map(|head| outbox_at(db, work, &head)).transpose()?.unwrap_or(false);
    Ok(told || doubt(db)?)
}

/// The server holds the batch and all before it.
fn hold_through(db: &Connection, n: i64) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE batches SET held = 1 WHERE n <= ?1 AND void = 0 AND held = 0")?.execute([n])?;
    put_head(db, n)
}

/// The server's word on what it holds of this device's outbox. A batch that this store never made means that the store is a copy, or was restored; one
/// before the last receipt means nothing. Says whether it was news.
fn outbox_at(db: &Connection, work: &mut Work<'_>, head: &OutboxHead) -> Result<bool, StoreError> {
    if !is_head(head) {
        return Ok(false);
    }
    let last = if head.seq == 0 { Some(0) } else { batch_at(db, head)? };
    if last.is_some_and(|last| last < proved(db).unwrap_or_default()) {
        return Ok(false);
    }
    let news = meta::get(db, meta::OUTBOX)?.as_ref() != Some(head);
    meta::put(db, meta::OUTBOX, head)?;
    let Some(last) = last else {
        rebuild::set_renew(db, Renew::Copied)?;
        return Ok(news);
    };
    let moved = hold_exactly(db, last)?;
    if !follows(db, head)? {
        // No server that stands there can ever take it.
        rebuild::set_renew(db, Renew::Copied)?;
        work.touched.status = true;
        return Ok(true);
    }
    Ok(news || moved > 0)
}

fn hold_exactly(db: &Connection, last: i64) -> Result<usize, StoreError> {
    Ok(db.prepare_cached("UPDATE batches SET held = (n <= ?1) WHERE void = 0 AND held <> (n <= ?1)")?.execute([last])?)
}

/// Whether it can be the head of an outbox: the number before the first batch goes with no hash, and no other.
pub(super) fn is_head(head: &OutboxHead) -> bool {
    (head.seq == 0) == (head.hash == Hash::ZERO)
}

/// Whether the next batch to be sent has its place after what the server holds. None to be sent has.
fn follows(db: &Connection, head: &OutboxHead) -> Result<bool, StoreError> {
    let next: Option<Option<Vec<u8>>> =
        db.prepare_cached("SELECT bytes FROM batches WHERE held = 0 AND void = 0 ORDER BY n LIMIT 1")?.query_row([], |row| row.get(0)).optional()?;
    let Some(bytes) = next else {
        return Ok(true);
    };
    let Some(batch) = bytes.and_then(|bytes| Batch::from_bytes(&bytes).ok()) else {
        return Ok(false);
    };
    let header = &batch.header;
    let at = header.seq == 1 || (header.incarnation == head.incarnation && header.seq == head.seq + 1);
    Ok(at && header.prev == head.hash)
}

/// The last batch that a receipt covers.
fn proved(db: &Connection) -> Result<i64, StoreError> {
    Ok(db.prepare_cached("SELECT coalesce(max(n), 0) FROM batches WHERE verdict_seq IS NOT NULL AND void = 0")?.query_row([], |row| row.get(0))?)
}

/// The streams were read to their heads: what the server holds has its receipt there. What was taken for held and has none is sent again.
/// Says whether there is any.
pub(super) fn doubt(db: &Connection) -> Result<bool, StoreError> {
    let doubted = db.prepare_cached("UPDATE batches SET held = 0 WHERE held = 1 AND void = 0 AND verdict_seq IS NULL AND bytes IS NOT NULL")?.execute([])?;
    if doubted == 0 {
        return Ok(false);
    }
    put_head(db, proved(db)?)?;
    Ok(true)
}

/// Takes back the receipts above a position of the device's own stream, and every verdict in them: the work is to be delivered again.
pub(super) fn withdraw(db: &Connection, work: &mut Work<'_>, above: u64) -> Result<(), StoreError> {
    // Where an earlier word on the same batch counts again, all are read once more.
    let earlier = db.prepare_cached("SELECT 1 FROM batches WHERE verdict_seq > ?1 AND first_seq <= ?1")?.exists([i64_of(above)])?;
    let above = if earlier { 0 } else { above };
    if earlier {
        purge::read_again(db, work.identity.stream)?;
    }
    let batches =
        db.prepare_cached("SELECT n FROM batches WHERE verdict_seq > ?1")?.query_map([i64_of(above)], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    if batches.is_empty() {
        return Ok(());
    }
    for batch in batches {
        db.prepare_cached("UPDATE batches SET verdict_seq = NULL, first_seq = NULL, received_ms = NULL, safe_ms = NULL WHERE n = ?1")?.execute([batch])?;
        let docs = db
            .prepare_cached("SELECT DISTINCT doc FROM own WHERE batch = ?1 AND status IN (2, 3, 5, 6, 7) AND doc IS NOT NULL")?
            .query_map([batch], |row| row.get::<_, [u8; 16]>(0).map(DocId::from_bytes))?
            .collect::<Result<Vec<_>, _>>()?;
        db.prepare_cached("UPDATE own SET status = 10, reason = NULL WHERE batch = ?1 AND status IN (2, 3, 5, 6, 7)")?.execute([batch])?;
        work.stale.extend(docs);
    }
    // What the server claims to hold counts again.
    let last = meta::get(db, meta::OUTBOX)?.map(|head| batch_at(db, &head)).transpose()?.flatten();
    hold_exactly(db, last.unwrap_or(0).max(proved(db)?))?;
    Ok(())
}

/// A verified backup of the server covers the incarnation's batches up to this one, and with them all of earlier incarnations: their bytes go, a while
/// after that was first said. Should a stream still refer to one of them, the reference does not fit, and the entries are asked for whole.
pub(super) fn safe_through(db: &Connection, seq: u64, now_ms: i64) -> Result<(), StoreError> {
    meta::put(db, meta::SAFE_THROUGH, &seq)?;
    db.prepare_cached(
        "UPDATE batches SET safe_ms = ?3 WHERE safe_ms IS NULL AND verdict_seq IS NOT NULL
             AND n <= (SELECT max(n) FROM batches WHERE incarnation = ?1 AND seq <= ?2)",
    )?
    .execute(params![meta::incarnation(db)?.as_bytes(), i64_of(seq), now_ms])?;
    let forget = "UPDATE batches SET bytes = NULL WHERE bytes IS NOT NULL AND verdict_seq IS NOT NULL AND safe_ms <= ?1";
    db.prepare_cached(forget)?.execute([now_ms.saturating_sub(KEPT_MS)])?;
    Ok(())
}

/// The batch is the last that the server holds; the first is number 1, and 0 is none.
fn put_head(db: &Connection, n: i64) -> Result<(), StoreError> {
    let row = db
        .prepare_cached("SELECT incarnation, seq, hash FROM batches WHERE n = ?1")?
        .query_row([n], |row| Ok((Incarnation::from_bytes(row.get(0)?), row.get::<_, i64>(1)?, Hash(row.get(2)?))))
        .optional()?;
    let (incarnation, seq, hash) = match row {
        Some((incarnation, seq, hash)) => (incarnation, u64::try_from(seq).unwrap_or_default(), hash),
        None => (meta::incarnation(db)?, 0, Hash::ZERO),
    };
    meta::put(db, meta::OUTBOX, &OutboxHead { incarnation, seq, hash })
}
