//! What an answer says beside its entries: the session, the directory, common positions, and what the server holds of the outbox.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::meta;
use super::outbox::Outstanding;
use super::{StoreError, arrivals, author, held, outbox, position, purge};
use crate::domain::id::{Hash, StreamId};
use crate::domain::time::{Anchor, Interval};
use crate::wire::enrol::SignedGrant;
use crate::wire::sync::{Answer, Cursor, StreamInfo};

use super::apply::i64_of;
use super::work::Work;
use crate::domain::grant::Grant;

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
    held::told(db, work, answer, asked)
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
    let known = db.prepare_cached("UPDATE streams SET kind = ?2, area = ?3, org = ?4, told_epoch = ?5 WHERE stream = ?1")?.execute(params![
        info.id.as_bytes(),
        info.kind.code(),
        area,
        org,
        info.epoch
    ])?;
    if known == 0 {
        db.prepare_cached(
            "INSERT INTO streams (stream, kind, area, org, epoch, seq, chain, n, told_epoch)
                 VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, (SELECT coalesce(max(n), 0) + 1 FROM streams), ?5)",
        )?
        .execute(params![info.id.as_bytes(), info.kind.code(), area, org, info.epoch, Hash::ZERO.0])?;
    }
    Ok(known == 0)
}

/// The server has not what the device read above that position: receipts, grants and instructions
/// there are taken back, until they come again.
fn step_back(db: &Connection, work: &mut Work<'_>, to: &Cursor) -> Result<(), StoreError> {
    let before = outbox::cursors(db)?.into_iter().find(|cursor| cursor.stream == to.stream);
    work.applied.progress |= position::step_back(db, to)?;
    arrivals::doubt(db, to, before.map_or(to.epoch, |cursor| cursor.epoch))?;
    purge::cut(db, to)?;
    if to.stream == work.identity.stream {
        held::withdraw(db, work, to.seq)?;
        if position::withdraw(db, to.seq)? {
            author::withdrawn(db)?;
        }
    }
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

/// Keeps a grant that the server signed for this device, with its place in the device's own stream;
/// 0 at enrolment.
pub(super) fn put_grant(db: &Connection, grant: &Grant, signed: &SignedGrant, seq: u64) -> Result<(), StoreError> {
    db.prepare_cached("INSERT INTO grants (grant_id, issued_ms, signed, seq) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")?.execute(params![
        grant.id.as_bytes(),
        grant.issued_ms,
        meta::encode(signed),
        i64_of(seq)
    ])?;
    Ok(())
}
