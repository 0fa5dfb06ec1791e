//! Forgetting: a record that no stream holds any more goes, once own work on it is delivered. Deleted pages are overwritten (`secure_delete`), the index keeps
//! no word of it, and the WAL is emptied after the commit.

use rusqlite::{Connection, params};

use super::apply::i64_of;
use super::observe::Touched;
use super::own::{UNDECIDED, UNDELIVERED};
use super::{StoreError, arrivals, search};
use crate::domain::id::{DocId, FactId, StreamId};
use crate::wire::sync::Cursor;

/// A stream no longer holds an item.
pub(super) fn released(db: &Connection, item: [u8; 16], stream: StreamId) -> Result<(), StoreError> {
    db.prepare_cached("DELETE FROM held WHERE item = ?1 AND stream = ?2")?.execute(params![item, stream.as_bytes()])?;
    leaving(db, item)
}

/// Something left a stream at this position, or before it.
pub(super) fn left(db: &Connection, at: &Cursor) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE streams SET left_seq = max(left_seq, ?2) WHERE stream = ?1")?.execute(params![at.stream.as_bytes(), i64_of(at.seq)])?;
    Ok(())
}

/// A stream's common position with a restored server is below the last leave: what left may be in the stream as the server knows it, and may be gone here.
pub(super) fn cut(db: &Connection, common: &Cursor) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE streams SET reread = 1 WHERE stream = ?1 AND left_seq > ?2")?.execute(params![common.stream.as_bytes(), i64_of(common.seq)])?;
    Ok(())
}

/// A stream is to be read again from its start.
pub(super) fn read_again(db: &Connection, stream: StreamId) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE streams SET reread = 1 WHERE stream = ?1")?.execute([stream.as_bytes()])?;
    Ok(())
}

/// Sets the streams that are to be read again to their start, before every epoch; says whether there are any.
pub(super) fn reread(db: &Connection) -> Result<bool, StoreError> {
    let set = "UPDATE streams SET epoch = 0, seq = 0, chain = zeroblob(32), left_seq = 0, reread = 0 WHERE reread = 1";
    Ok(db.prepare_cached(set)?.execute([])? > 0)
}

/// The device no longer reads a stream.
pub(super) fn lost_stream(db: &Connection, stream: StreamId) -> Result<(), StoreError> {
    let items =
        db.prepare("SELECT item FROM held WHERE stream = ?1")?.query_map([stream.as_bytes()], |row| row.get(0))?.collect::<Result<Vec<[u8; 16]>, _>>()?;
    arrivals::lost_stream(db, stream)?;
    db.execute("DELETE FROM streams WHERE stream = ?1", [stream.as_bytes()])?;
    items.into_iter().try_for_each(|item| leaving(db, item))
}

fn leaving(db: &Connection, item: [u8; 16]) -> Result<(), StoreError> {
    if db.prepare_cached("SELECT 1 FROM held WHERE item = ?1")?.exists([item])? {
        return Ok(());
    }
    db.prepare_cached("UPDATE documents SET leaving = 1 WHERE doc = ?1")?.execute([item])?;
    let kept = format!("SELECT 1 FROM own WHERE fact = ?1 AND (status IN {UNDELIVERED} OR status IN {UNDECIDED})");
    let about_held = "SELECT 1 FROM facts f JOIN documents d ON d.doc = f.subject WHERE f.fact = ?1 AND d.leaving = 0";
    if !db.prepare_cached(&kept)?.exists([item])? && !db.prepare_cached(about_held)?.exists([item])? {
        db.prepare_cached("DELETE FROM facts WHERE fact = ?1")?.execute([FactId::from_bytes(item).as_bytes()])?;
    }
    Ok(())
}

/// Most records that are purged at once: a save is not to wait for more.
pub(super) const AT_ONCE: u32 = 1_000;

/// Purges what may go now, some of it; says how many records went.
pub(super) fn sweep(db: &Connection, touched: &mut Touched) -> Result<u32, StoreError> {
    let docs = db
        .prepare_cached(&format!(
            "SELECT d.doc FROM documents d WHERE d.leaving = 1 AND NOT EXISTS (SELECT 1 FROM held h WHERE h.item = d.doc)
                 AND NOT EXISTS (SELECT 1 FROM own o WHERE o.doc = d.doc AND o.status IN {UNDELIVERED}) LIMIT {AT_ONCE}"
        ))?
        .query_map([], |row| row.get::<_, [u8; 16]>(0).map(DocId::from_bytes))?
        .collect::<Result<Vec<_>, _>>()?;
    let mut purged = 0;
    for doc in docs {
        forget(db, doc, touched)?;
        purged += 1;
    }
    if purged > 0 {
        search::scrub(db)?;
    }
    Ok(purged)
}

/// A fact was given up by the person: it goes if nothing else keeps it.
pub(super) fn given_up(db: &Connection, fact: FactId) -> Result<(), StoreError> {
    leaving(db, *fact.as_bytes())
}

/// The centre has an own fact: it goes if it is about a record that left before.
pub(super) fn delivered(db: &Connection, fact: FactId) -> Result<(), StoreError> {
    leaving(db, *fact.as_bytes())
}

/// Deletes everything of a record. What a person still has to decide about keeps the words he typed.
pub(super) fn forget(db: &Connection, doc: DocId, touched: &mut Touched) -> Result<(), StoreError> {
    let id = doc.as_bytes();
    db.prepare_cached("DELETE FROM search WHERE rowid = (SELECT n FROM documents WHERE doc = ?1)")?.execute([id])?;
    db.prepare_cached("DELETE FROM held WHERE item IN (SELECT fact FROM facts WHERE subject = ?1)")?.execute([id])?;
    // A fact's visit goes with it.
    db.prepare_cached(&format!(
        "DELETE FROM facts WHERE subject = ?1 AND NOT EXISTS (SELECT 1 FROM own o WHERE o.fact = facts.fact AND o.status IN {UNDECIDED})"
    ))?
    .execute([id])?;
    db.prepare_cached("DELETE FROM actions WHERE doc = ?1")?.execute([id])?;
    arrivals::forget(db, doc)?;
    db.prepare_cached("UPDATE own SET command = NULL, raw = NULL WHERE doc = ?1 AND status NOT IN (3, 5)")?.execute([id])?;
    db.prepare_cached("DELETE FROM documents WHERE doc = ?1")?.execute([id])?;
    touched.cases = true;
    touched.households = true;
    touched.visits = true;
    touched.status = true;
    Ok(())
}
