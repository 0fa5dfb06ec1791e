//! Positions that the server signed: where the device can step back to, and what shows that a
//! server told two stories.
//!
//! A position counts when device and server have the same chain there. The device keeps some that
//! it reached, its *rungs*, and steps back to one of them when the server names another chain; what
//! lies above was the word of a server that now says otherwise, so grants and instructions there
//! are withdrawn.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::StoreError;
use super::apply::i64_of;
use super::meta;
use crate::domain::id::{DeviceId, Hash, StreamId};
use crate::wire::sync::{Cursor, SignedHeads};

/// Where the device goes on after the server named a common position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) at: Cursor,
    /// Both sides have this chain. Otherwise the server is asked about it.
    pub(super) proved: bool,
}

/// What is common of the device's `cursor` and the position that the server names: that position if
/// the device has the same chain there; else the best rung below it, of which the server is then
/// asked. At most some ten questions come to the start, which is always common.
pub(super) fn agree(db: &Connection, cursor: &Cursor, named: &Cursor) -> Result<Agreed, StoreError> {
    if (named.seq, named.chain) == (cursor.seq, cursor.chain) {
        return Ok(Agreed { at: *named, proved: true });
    }
    let below = rungs(db, cursor.stream)?.into_iter().filter(|rung| rung.seq < cursor.seq);
    let below: Vec<Cursor> = below.filter(|rung| named.seq == 0 || rung.seq <= named.seq).collect();
    if below.iter().any(|rung| (rung.seq, rung.chain) == (named.seq, named.chain)) {
        return Ok(Agreed { at: *named, proved: true });
    }
    // The server knows no common position, or one that is not among the rungs: in the first case
    // they are halved with each question.
    let rung = if named.seq == 0 { below.get(below.len() / 2) } else { below.iter().find(|rung| rung.seq < named.seq) };
    let start = Cursor { stream: cursor.stream, epoch: 0, seq: 0, chain: Hash::ZERO };
    Ok(Agreed { at: rung.copied().unwrap_or(start), proved: rung.is_none() && named.seq == 0 })
}

/// Keeps the device's position in a stream as a rung, if it is the signed one.
pub(super) fn keep(db: &Connection, signed: &Cursor, heads: Option<i64>) -> Result<(), StoreError> {
    let here = "INSERT OR REPLACE INTO rungs (stream, seq, epoch, chain, heads, receiving)
         SELECT stream, seq, epoch, chain, ?5, receiving FROM streams WHERE (stream, epoch, seq, chain) = (?1, ?2, ?3, ?4) AND seq > 0";
    let at = params![signed.stream.as_bytes(), signed.epoch, i64_of(signed.seq), signed.chain.0, heads];
    if db.prepare_cached(here)?.execute(at)? > 0 {
        thin(db, signed.stream)?;
    }
    Ok(())
}

/// Steps back in a stream. Of what the device stood on above, the first and the last place are kept
/// as seen, to be compared. Says whether it was elsewhere.
pub(super) fn step_back(db: &Connection, to: &Cursor) -> Result<bool, StoreError> {
    let (stream, seq) = (to.stream.as_bytes(), i64_of(to.seq));
    let receiving: Option<Vec<u8>> = db
        .prepare_cached("SELECT receiving FROM rungs WHERE stream = ?1 AND seq = ?2")?
        .query_row(params![stream, seq], |row| row.get(0))
        .optional()?
        .flatten();
    let moved = db
        .prepare_cached("UPDATE streams SET epoch = ?2, seq = ?3, chain = ?4, receiving = ?5 WHERE stream = ?1 AND (epoch, seq, chain) IS NOT (?2, ?3, ?4)")?
        .execute(params![stream, to.epoch, seq, to.chain.0, receiving])?;
    db.prepare_cached(
        "INSERT OR IGNORE INTO sightings (stream, seq, epoch, chain, heads)
             SELECT stream, seq, epoch, chain, heads FROM rungs WHERE stream = ?1 AND heads IS NOT NULL
                 AND seq IN (SELECT max(seq) FROM rungs WHERE stream = ?1 AND seq > ?2
                     UNION SELECT min(seq) FROM rungs WHERE stream = ?1 AND seq > ?2)",
    )?
    .execute(params![stream, seq])?;
    db.prepare_cached("DELETE FROM rungs WHERE stream = ?1 AND seq > ?2")?.execute(params![stream, seq])?;
    Ok(moved > 0)
}

/// Takes back what the centre granted and ordered above a position of the device's own stream. Says whether a grant was among it.
pub(super) fn withdraw(db: &Connection, above: u64) -> Result<bool, StoreError> {
    let granted = db.prepare_cached("DELETE FROM grants WHERE seq > ?1")?.execute([i64_of(above)])?;
    db.prepare_cached("DELETE FROM instructions WHERE seq > ?1")?.execute([i64_of(above)])?;
    Ok(granted > 0)
}

/// Whether the centre limited the device to reports: its last word counts.
pub(super) fn report_only(db: &Connection) -> Result<bool, StoreError> {
    let last = db.prepare_cached("SELECT report_only FROM instructions ORDER BY seq DESC LIMIT 1")?.query_row([], |row| row.get(0)).optional()?;
    Ok(last.unwrap_or(false))
}

/// The rungs of a stream, the highest first.
fn rungs(db: &Connection, stream: StreamId) -> Result<Vec<Cursor>, StoreError> {
    let query = "SELECT stream, epoch, seq, chain FROM rungs WHERE stream = ?1 ORDER BY seq DESC";
    Ok(db.prepare_cached(query)?.query_map([stream.as_bytes()], cursor)?.collect::<Result<_, _>>()?)
}

pub(super) fn cursor(row: &Row<'_>) -> Result<Cursor, rusqlite::Error> {
    Ok(Cursor { stream: StreamId::from_bytes(row.get(0)?), epoch: row.get(1)?, seq: row.get(2)?, chain: Hash(row.get(3)?) })
}

/// Leaves rungs at distances from the head that double: some twenty in a stream of a thousand
/// pages, and a step back costs at most twice what it must.
fn thin(db: &Connection, stream: StreamId) -> Result<(), StoreError> {
    let rungs = rungs(db, stream)?;
    let Some(head) = rungs.first().map(|rung| rung.seq) else { return Ok(()) };
    let mut kept = head;
    for (rung, next) in rungs.iter().zip(rungs.iter().skip(1)).skip(1) {
        if head - next.seq <= 2 * (head - kept) {
            db.prepare_cached("DELETE FROM rungs WHERE stream = ?1 AND seq = ?2")?.execute(params![stream.as_bytes(), i64_of(rung.seq)])?;
        } else {
            kept = rung.seq;
        }
    }
    Ok(())
}

/// Keeps what the server signed for a device; gives its row.
pub(super) fn note(db: &Connection, device: DeviceId, heads: &SignedHeads) -> Result<i64, StoreError> {
    let signed = meta::encode(heads);
    db.prepare_cached("INSERT INTO signed_heads (device, heads) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?.execute(params![device.as_bytes(), signed])?;
    Ok(db.prepare_cached("SELECT n FROM signed_heads WHERE heads = ?1")?.query_row([signed], |row| row.get(0))?)
}

/// Forgets signatures on which nothing stands any more.
pub(super) fn forget(db: &Connection) -> Result<(), StoreError> {
    let used = "SELECT heads FROM rungs WHERE heads IS NOT NULL UNION SELECT heads FROM sightings UNION SELECT one FROM split_views
         UNION SELECT other FROM split_views";
    db.prepare_cached(&format!("DELETE FROM signed_heads WHERE n NOT IN ({used})"))?.execute([])?;
    Ok(())
}
