//! What an answer says beside its entries: the session, the directory, common positions, and what the server holds of the outbox.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::meta::{self, Renew};
use super::outbox::Outstanding;
use super::own::Standing;
use super::{StoreError, outbox, position, purge, rebuild};
use crate::domain::id::{DocId, Hash, StreamId};
use crate::domain::time::{Anchor, Interval};
use crate::wire::enrol::SignedGrant;
use crate::wire::sync::{Answer, BatchFault, Cursor, OutboxHead, StreamInfo};

use super::apply::i64_of;
use super::prove::batch_at;
use super::work::Work;
use crate::domain::grant::Grant;
use crate::domain::id::Incarnation;

/// Session, directory, common positions, and what became of the batches that were sent.
pub(super) fn begin(db: &Connection, work: &mut Work<'_>, answer: &Answer, back: &[Cursor], asked: &Outstanding) -> Result<(), StoreError> {
    let stamp = work.context.stamp;
    if let Some(token) = &answer.token {
        meta::put(db, meta::TOKEN, token)?;
    }
    meta::put(db, meta::ANCHOR, &Anchor { server_ms: answer.now_ms, stamp })?;
    meta::put(db, meta::CLOCK, &meta::Clock { contact_ms: stamp.wall_ms, high_ms: stamp.wall_ms, run_ms: 0 })?;
    work.touched.status = true;
    if let Some(directory) = &answer.directory {
        self::directory(db, work, directory)?;
    }
    for to in back {
        step_back(db, work, to)?;
    }
    if !answer.need_state {
        // Batches are a chain: after the first that was not taken none can have been.
        let taken = answer.rejections.iter().map(|rejection| rejection.index as usize).min().unwrap_or(asked.sent.len());
        if let Some(n) = asked.sent.iter().take(taken).next_back() {
            hold_through(db, *n)?;
            work.applied.progress = true;
        }
    }
    if let Some(head) = &answer.outbox {
        let news = outbox_at(db, work, head)?;
        work.applied.progress |= news;
    }
    let mut gap = false;
    for rejection in &answer.rejections {
        let Some(n) = asked.sent.get(rejection.index as usize) else {
            continue;
        };
        match rejection.fault {
            BatchFault::Gap => {
                gap = true;
                continue;
            }
            // The same bytes go again until the server is updated; it is complete, and sealed anew it would be no older.
            BatchFault::Version => {
                work.applied.server_outdated = true;
                continue;
            }
            BatchFault::Fork | BatchFault::Foreign => rebuild::set_renew(db, Renew::Copied)?,
            _ => {
                // The server cannot read it, now or ever: what it carried is sealed anew.
                rebuild::give_up(db, &format!("SELECT n FROM batches WHERE n >= {n} AND held = 0 AND void = 0"), Standing::Redo)?;
                rebuild::set_renew(db, Renew::Refused)?;
            }
        }
        work.applied.progress = true;
    }
    if gap && answer.outbox.is_none() {
        let closed = close_gap(db, work)?;
        work.applied.progress |= closed;
    }
    Ok(())
}

/// The server stands where this device believes, and yet something is missing before what was sent. Either a batch was wrongly taken for held; or batches are
/// gone here that the server lacks: a gap that is never filled, so the work goes on in a new incarnation. Says whether asking again is of use.
fn close_gap(db: &Connection, work: &mut Work<'_>) -> Result<bool, StoreError> {
    if meta::get(db, meta::RENEW)?.is_some() {
        return Ok(false);
    }
    if let Some(head) = meta::get(db, meta::OUTBOX)?
        && outbox_at(db, work, &head)?
    {
        return Ok(true);
    }
    let gone = db.prepare_cached("SELECT 1 FROM batches WHERE held = 0 AND void = 0 AND bytes IS NULL")?.exists([])?;
    if gone {
        rebuild::set_renew(db, Renew::Copied)?;
    }
    Ok(gone)
}

fn directory(db: &Connection, work: &mut Work<'_>, directory: &[StreamInfo]) -> Result<(), StoreError> {
    let listed: BTreeSet<StreamId> = directory.iter().map(|info| info.id).collect();
    for cursor in outbox::cursors(db)?.into_iter().filter(|cursor| !listed.contains(&cursor.stream)) {
        purge::lost_stream(db, cursor.stream)?;
        work.applied.progress = true;
    }
    for info in directory {
        let added = list_stream(db, info)?;
        work.applied.progress |= added;
    }
    Ok(())
}

/// Adds a stream to read, from its start; says whether it is new.
pub(super) fn list_stream(db: &Connection, info: &StreamInfo) -> Result<bool, StoreError> {
    let area = info.area.map(|area| area.to_string());
    let org = info.org.map(|org| *org.as_bytes());
    let known = db.prepare_cached("UPDATE streams SET kind = ?2, area = ?3, org = ?4 WHERE stream = ?1")?.execute(params![
        info.id.as_bytes(),
        info.kind.code(),
        area,
        org
    ])?;
    if known == 0 {
        db.prepare_cached("INSERT INTO streams (stream, kind, area, org, epoch, seq, chain) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)")?.execute(params![
            info.id.as_bytes(),
            info.kind.code(),
            area,
            org,
            info.epoch,
            Hash::ZERO.0
        ])?;
    }
    Ok(known == 0)
}

/// The server has not what the device read above that position: receipts, grants and instructions there are taken back, until they come again.
fn step_back(db: &Connection, work: &mut Work<'_>, to: &Cursor) -> Result<(), StoreError> {
    work.applied.progress |= position::step_back(db, to)?;
    purge::cut(db, to)?;
    if to.stream == work.identity.stream {
        lost(db, work, "verdict_seq > ?1", i64_of(to.seq))?;
        position::withdraw(db, to.seq)?;
    }
    Ok(())
}

/// Takes back the receipts of batches: they are to be delivered again.
fn lost(db: &Connection, work: &mut Work<'_>, which: &str, bound: i64) -> Result<(), StoreError> {
    let lost = db.prepare(&format!("SELECT n FROM batches WHERE {which}"))?.query_map([bound], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    for batch in lost {
        db.prepare_cached("UPDATE batches SET verdict_seq = NULL, received_ms = NULL WHERE n = ?1")?.execute([batch])?;
        let docs = db
            .prepare_cached("SELECT DISTINCT doc FROM own WHERE batch = ?1 AND status = 2 AND doc IS NOT NULL")?
            .query_map([batch], |row| row.get::<_, [u8; 16]>(0).map(DocId::from_bytes))?
            .collect::<Result<Vec<_>, _>>()?;
        db.prepare_cached("UPDATE own SET status = 10 WHERE batch = ?1 AND status = 2")?.execute([batch])?;
        work.delivered.extend(docs);
    }
    Ok(())
}

/// The server holds the batch and all before it.
fn hold_through(db: &Connection, n: i64) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE batches SET held = 1 WHERE n <= ?1 AND void = 0 AND held = 0")?.execute([n])?;
    let head = db
        .prepare_cached("SELECT incarnation, seq, hash FROM batches WHERE n = ?1")?
        .query_row([n], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get(2)?)))?;
    let (incarnation, seq, hash) = head;
    meta::put(
        db,
        meta::OUTBOX,
        &OutboxHead { incarnation: Incarnation::from_bytes(incarnation), seq: u64::try_from(seq).unwrap_or_default(), hash: Hash(hash) },
    )
}

/// The server's word on what it holds of this device's outbox. A batch that this store never made means that the store is a copy, or was restored.
/// Says whether it was news.
fn outbox_at(db: &Connection, work: &mut Work<'_>, head: &OutboxHead) -> Result<bool, StoreError> {
    let news = meta::get(db, meta::OUTBOX)?.as_ref() != Some(head);
    meta::put(db, meta::OUTBOX, head)?;
    let last = if head.seq == 0 { Some(0) } else { batch_at(db, head)? };
    let Some(last) = last else {
        rebuild::set_renew(db, Renew::Copied)?;
        return Ok(news);
    };
    // A server that was restored may have lost what it gave receipts for.
    lost(db, work, "void = 0 AND n > ?1 AND verdict_seq IS NOT NULL", last)?;
    let moved = db.prepare_cached("UPDATE batches SET held = (n <= ?1) WHERE void = 0 AND held <> (n <= ?1)")?.execute([last])?;
    Ok(news || moved > 0)
}

/// A verified backup of the server covers the incarnation's batches up to this one, and with them all of earlier incarnations: their bytes go. Should a
/// stream still refer to one of them, the reference does not fit, and the entries are asked for whole.
pub(super) fn safe_through(db: &Connection, seq: u64) -> Result<(), StoreError> {
    meta::put(db, meta::SAFE_THROUGH, &seq)?;
    db.prepare_cached(
        "UPDATE batches SET bytes = NULL WHERE bytes IS NOT NULL AND verdict_seq IS NOT NULL
             AND n <= (SELECT max(n) FROM batches WHERE incarnation = ?1 AND seq <= ?2)",
    )?
    .execute(params![meta::incarnation(db)?.as_bytes(), i64_of(seq)])?;
    Ok(())
}

/// Moves a stream's cursor; says whether it was elsewhere.
pub(super) fn move_cursor(db: &Connection, cursor: &Cursor) -> Result<bool, StoreError> {
    let moved = db
        .prepare_cached("UPDATE streams SET epoch = ?2, seq = ?3, chain = ?4 WHERE stream = ?1 AND (epoch, seq, chain) IS NOT (?2, ?3, ?4)")?
        .execute(params![cursor.stream.as_bytes(), cursor.epoch, i64_of(cursor.seq), cursor.chain.0])?;
    Ok(moved > 0)
}

/// When the server received what follows in a stream.
pub(super) fn receiving(db: &Connection, stream: StreamId, interval: Option<Interval>) -> Result<(), StoreError> {
    let interval = interval.map(|interval| meta::encode(&interval));
    db.prepare_cached("UPDATE streams SET receiving = ?2 WHERE stream = ?1")?.execute(params![stream.as_bytes(), interval])?;
    Ok(())
}

/// Keeps a grant that the server signed for this device, with its place in the device's own stream; 0 at enrolment.
pub(super) fn put_grant(db: &Connection, grant: &Grant, signed: &SignedGrant, seq: u64) -> Result<(), StoreError> {
    db.prepare_cached("INSERT INTO grants (grant_id, issued_ms, signed, seq) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")?.execute(params![
        grant.id.as_bytes(),
        grant.issued_ms,
        meta::encode(signed),
        i64_of(seq)
    ])?;
    Ok(())
}
