//! Where in its stream each change and fact came. When the server takes places back, everything that
//! came there is in doubt until it comes again. Once all streams are read to their heads, the rest is
//! taken out of the records: nobody is to build on it, or to read it as the centre's word.

use std::collections::{BTreeMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::apply::i64_of;
use super::document::Document;
use super::meta::Renew;
use super::work::Work;
use super::{StoreError, purge, rebuild};
use crate::domain::id::{DocId, FactId, Hash, StreamId};
use crate::wire::sync::Cursor;

/// The start of a change's hash: enough to tell a record's changes apart.
pub(super) type Start = [u8; 8];

/// The start of a hash.
pub(super) fn start(hash: Hash) -> Start {
    hash.0.first_chunk().copied().unwrap_or_default()
}

/// Something that came.
#[derive(Debug, Clone, Copy)]
pub(super) enum Item {
    /// A change of a record.
    Change(DocId, Hash),
    /// A fact that is kept as it is.
    Fact(FactId),
    /// A fact that replaced what was there, by its hash.
    Instead(Hash),
}

impl Item {
    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Change(doc, change) => [doc.as_bytes().as_slice(), &start(change)].concat(),
            Self::Fact(fact) => fact.as_bytes().to_vec(),
            Self::Instead(hash) => start(hash).to_vec(),
        }
    }
}

/// Notes what came at a place, which ends all doubt about it.
pub(super) fn note(db: &Connection, at: &Cursor, item: Item) -> Result<(), StoreError> {
    let item = item.bytes();
    db.prepare_cached("INSERT OR IGNORE INTO arrivals (stream, seq, item) SELECT n, ?2, ?3 FROM streams WHERE stream = ?1")?.execute(params![
        at.stream.as_bytes(),
        i64_of(at.seq),
        item
    ])?;
    db.prepare_cached("DELETE FROM doubts WHERE item = ?1")?.execute([item])?;
    Ok(())
}

/// The server took back what lies above a place of a stream.
pub(super) fn doubt(db: &Connection, to: &Cursor, epoch: u32) -> Result<(), StoreError> {
    let above = "FROM arrivals WHERE stream = (SELECT n FROM streams WHERE stream = ?1) AND seq > ?2";
    let at = params![to.stream.as_bytes(), i64_of(to.seq)];
    db.prepare_cached(&format!("INSERT OR REPLACE INTO doubts (item, stream, epoch) SELECT item, ?1, {epoch} {above}"))?.execute(at)?;
    db.prepare_cached(&format!("DELETE {above}"))?.execute(at)?;
    Ok(())
}

/// A stream is no longer read. What stays, since own work rests on it, comes again with the stream
/// or was never in it.
pub(super) fn lost_stream(db: &Connection, stream: StreamId) -> Result<(), StoreError> {
    let epoch = db.prepare_cached("SELECT epoch FROM streams WHERE stream = ?1")?.query_row([stream.as_bytes()], |row| row.get(0)).optional()?;
    let start = Cursor { stream, epoch: 0, seq: 0, chain: Hash::ZERO };
    doubt(db, &start, epoch.unwrap_or_default())
}

/// A record is forgotten.
pub(super) fn forget(db: &Connection, doc: DocId) -> Result<(), StoreError> {
    db.prepare_cached("DELETE FROM doubts WHERE item > ?1 AND item < ?2")?.execute(all_of(doc))?;
    Ok(())
}

/// The changes of a record that are in doubt.
pub(super) fn of_record(db: &Connection, doc: DocId) -> Result<HashSet<Start>, StoreError> {
    let items = db
        .prepare_cached("SELECT item FROM doubts WHERE item > ?1 AND item < ?2")?
        .query_map(all_of(doc), |row| row.get::<_, Vec<u8>>(0))?
        .collect::<Result<Vec<_>, _>>()?;
    Ok(items.iter().filter_map(|item| item.last_chunk().copied()).collect())
}

/// The changes of a record that streams brought.
pub(super) fn brought(db: &Connection, doc: DocId) -> Result<HashSet<Start>, StoreError> {
    let items = db
        .prepare_cached("SELECT item FROM arrivals WHERE item > ?1 AND item < ?2")?
        .query_map(all_of(doc), |row| row.get::<_, Vec<u8>>(0))?
        .collect::<Result<Vec<_>, _>>()?;
    Ok(items.iter().filter_map(|item| item.last_chunk().copied()).collect())
}

/// Between which items those of a record are.
fn all_of(doc: DocId) -> [Vec<u8>; 2] {
    [doc.as_bytes().to_vec(), [doc.as_bytes().as_slice(), &[0xff; 9]].concat()]
}

/// All streams are at their heads. What is still in doubt was never the centre's, unless the centre
/// was restored since: then its author sends it again, and until then it is kept.
pub(super) fn settle(work: &mut Work<'_>) -> Result<(), StoreError> {
    let db = work.db;
    if !db.prepare_cached("SELECT 1 FROM doubts")?.exists([])? {
        return Ok(());
    }
    db.execute("DELETE FROM doubts WHERE item IN (SELECT item FROM arrivals)", [])?;
    let doubts = db
        .prepare("SELECT d.item, s.stream FROM doubts d JOIN streams s ON s.stream = d.stream WHERE max(s.epoch, s.told_epoch) <= d.epoch")?
        .query_map([], |row| Ok((row.get(0)?, StreamId::from_bytes(row.get(1)?))))?
        .collect::<Result<Vec<(Vec<u8>, StreamId)>, rusqlite::Error>>()?;
    let mut records: BTreeMap<DocId, (HashSet<Start>, StreamId)> = BTreeMap::new();
    for (item, stream) in doubts {
        if let Some((doc, change)) = item.split_first_chunk::<16>()
            && let Ok(change) = change.try_into()
        {
            records.entry(DocId::from_bytes(*doc)).or_insert_with(|| (HashSet::new(), stream)).0.insert(change);
        } else if let Ok(fact) = item.as_slice().try_into() {
            forget_fact(work, FactId::from_bytes(fact), stream)?;
        } else {
            purge::read_again(db, stream)?;
        }
        db.prepare_cached("DELETE FROM doubts WHERE item = ?1")?.execute([item])?;
    }
    for (doc, (changes, stream)) in records {
        let Some(mut document) = Document::find(db, doc)? else { continue };
        document.withdraw(db, &changes)?;
        if !document.is_confirmed() {
            purge::released(db, *doc.as_bytes(), stream)?;
        }
        // What was written over what is gone is written again over what is left. What the centre
        // keeps until that arrives would wait for ever.
        if document.record().is_ok_and(|(_, whole)| !whole) {
            db.prepare_cached("UPDATE own SET status = 4 WHERE doc = ?1 AND fact IS NULL AND status = 6")?.execute([doc.as_bytes()])?;
            rebuild::set_renew(db, Renew::Copied)?;
        }
        work.documents.insert(doc, document);
    }
    work.finish()
}

fn forget_fact(work: &mut Work<'_>, fact: FactId, stream: StreamId) -> Result<(), StoreError> {
    let db = work.db;
    if db.prepare_cached("SELECT 1 FROM own WHERE fact = ?1")?.exists([fact.as_bytes()])? {
        return Ok(());
    }
    let subject: Option<Option<[u8; 16]>> =
        db.prepare_cached("SELECT subject FROM facts WHERE fact = ?1")?.query_row([fact.as_bytes()], |row| row.get(0)).optional()?;
    db.prepare_cached("DELETE FROM held WHERE item = ?1 AND stream = ?2")?.execute(params![fact.as_bytes(), stream.as_bytes()])?;
    if !db.prepare_cached("SELECT 1 FROM held WHERE item = ?1")?.exists([fact.as_bytes()])? {
        db.prepare_cached("DELETE FROM facts WHERE fact = ?1")?.execute([fact.as_bytes()])?;
    }
    work.stale.extend(subject.flatten().map(DocId::from_bytes));
    work.touched.visits = true;
    Ok(())
}
