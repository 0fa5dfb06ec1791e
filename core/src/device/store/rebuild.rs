//! Doing own work again: refused, stranded, contradicted, copied or retired, one mechanism serves all. A record is made anew from its confirmed base, and
//! the intents still wanted are run again under a new incarnation with the edit ids they had, once; after that a person decides. Each is written over what its
//! author had seen (`seen.rs`).
//!
//! Nothing is sealed while a rebuild is pending, and it waits until every sealed batch has its verdict: what is in flight may be accepted after all.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use super::arrivals::{Start, start};
use super::author::Renamed;
use super::document::Document;
use super::meta::{self, Renew};
use super::observe::Touched;
use super::own::{self, OwnRow, Standing};
use super::seen::{Redone, Seen};
use super::{Context, StoreError, arrivals, author, project};
use crate::domain::id::{ActionId, DocId, Hash, Incarnation};
use crate::env::Environment;
use crate::record::{Change, Command, Content, Record, RecordError, RecordKind};
use crate::wire::batch::Batch;

/// Asks for a rebuild. Having been copied is the stronger reason: it also gives up what was sealed.
pub(super) fn set_renew(db: &Connection, why: Renew) -> Result<(), StoreError> {
    if meta::get(db, meta::RENEW)? != Some(Renew::Copied) {
        meta::put(db, meta::RENEW, &why)?;
    }
    Ok(())
}

/// Rebuilds if one is asked for and nothing stands in its way. `at_head`: the streams have just been read to their heads.
pub(super) fn if_ready(db: &Connection, context: &mut Context, env: &dyn Environment, at_head: bool, touched: &mut Touched) -> Result<bool, StoreError> {
    match meta::get(db, meta::RENEW)? {
        None => return Ok(false),
        Some(Renew::Copied) if !at_head => return Ok(false),
        Some(Renew::Copied) => {
            // Every batch that the server admitted has its verdict in the stream that was read to its head. What has none was never admitted.
            give_up(db, "SELECT n FROM batches WHERE verdict_seq IS NULL AND void = 0", Standing::New)?;
        }
        Some(Renew::Refused) => {
            // What waits at the centre, or is kept aside there, has its verdict and keeps its place: it may be months until another comes.
            let open = db.prepare_cached("SELECT 1 FROM batches WHERE verdict_seq IS NULL AND void = 0")?.exists([])?;
            if open {
                return Ok(false);
            }
        }
    }
    let incarnation = meta::next_life(db, env)?;
    if let Some(identity) = &mut context.identity {
        identity.incarnation = incarnation;
    }
    let docs = db
        .prepare("SELECT DISTINCT doc FROM own WHERE doc IS NOT NULL AND fact IS NULL AND (raw IS NOT NULL OR status IN (0, 4)) ORDER BY n")?
        .query_map([], |row| row.get::<_, [u8; 16]>(0).map(DocId::from_bytes))?
        .collect::<Result<Vec<_>, _>>()?;
    for doc in docs {
        redo(db, context, doc, incarnation, touched)?;
    }
    for row in rows(db, "fact IS NOT NULL AND status = 4", params![])? {
        if row.attempt > 0 {
            own::set(db, row.n, Standing::Decide, None, None)?;
            project::again(db, context, row.doc, touched)?;
            continue;
        }
        again(db, &row)?;
        OwnRow { standing: Standing::New, attempt: row.attempt + 1, ..row }.insert(db)?;
    }
    meta::clear(db, meta::RENEW)?;
    touched.status = true;
    Ok(true)
}

/// Asks for a rebuild when work that waited for a parked record can be done again: this version reads the record.
pub(super) fn stranded(db: &Connection) -> Result<(), StoreError> {
    if meta::get(db, meta::RENEW)?.is_some() {
        return Ok(());
    }
    let docs = db
        .prepare("SELECT DISTINCT doc FROM own WHERE doc IS NOT NULL AND fact IS NULL AND status = 4")?
        .query_map([], |row| row.get::<_, [u8; 16]>(0).map(DocId::from_bytes))?
        .collect::<Result<Vec<_>, _>>()?;
    for doc in docs {
        if Document::find(db, doc)?.is_some_and(|document| document.rebase().is_ok()) {
            return set_renew(db, Renew::Refused);
        }
    }
    Ok(())
}

/// Takes back sealed batches that will never have a place: what they carried gets another standing, outside any batch, and is still judged by what had been
/// read when it was done.
pub(super) fn give_up(db: &Connection, batches: &str, standing: Standing) -> Result<(), StoreError> {
    let batches: Vec<i64> = db.prepare(batches)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for batch in batches {
        let positions = positions(db, batch)?;
        db.prepare_cached("UPDATE own SET status = ?2, batch = NULL, item = NULL, positions = coalesce(positions, ?3) WHERE batch = ?1 AND status IN (1, 10)")?
            .execute(params![batch, standing.code(), positions])?;
        db.prepare_cached("UPDATE batches SET void = 1, held = 0 WHERE n = ?1")?.execute([batch])?;
    }
    Ok(())
}

/// A row of a sealed batch is to be done again. It is still judged by what its author had read when
/// he wrote it.
pub(super) fn again_from(db: &Connection, n: i64) -> Result<(), StoreError> {
    let batch: Option<i64> = db.prepare_cached("SELECT batch FROM own WHERE n = ?1")?.query_row([n], |row| row.get(0))?;
    let positions = batch.map(|batch| positions(db, batch)).transpose()?.flatten();
    db.prepare_cached("UPDATE own SET positions = coalesce(positions, ?2) WHERE n = ?1")?.execute(params![n, positions])?;
    own::set(db, n, Standing::Redo, None, None)
}

/// How far the streams had been read when a batch was sealed; none when its bytes are gone.
fn positions(db: &Connection, batch: i64) -> Result<Option<Vec<u8>>, StoreError> {
    let bytes: Option<Vec<u8>> = db.prepare_cached("SELECT bytes FROM batches WHERE n = ?1")?.query_row([batch], |row| row.get(0))?;
    let batch = bytes.and_then(|bytes| Batch::from_bytes(&bytes).ok());
    Ok(batch.map(|batch| meta::encode(&batch.header.positions)))
}

fn redo(db: &Connection, context: &Context, doc: DocId, incarnation: Incarnation, touched: &mut Touched) -> Result<(), StoreError> {
    let wanted = rows(db, "doc = ?1 AND fact IS NULL AND status IN (0, 4)", params![doc.as_bytes()])?;
    let kind = wanted.first().map(|row| RecordKind::from_code(row.kind));
    let mut document = match (Document::find(db, doc)?, kind) {
        (Some(document), _) => document,
        (None, Some(kind)) => Document::open(db, doc, kind)?,
        (None, None) => return Ok(()),
    };
    let mut doubted = arrivals::of_record(db, doc)?;
    doubted.extend(unproved(db, &document, &wanted)?);
    if !doubted.is_empty() {
        document.withdraw(db, &doubted)?;
        document.store(db)?;
    }
    let lost: Vec<i64> = document.overlay().iter().filter(|row| !matches!(row.standing, Standing::Waiting | Standing::Quarantined)).map(|row| row.n).collect();
    let Ok(mut record) = document.rebase() else {
        // A parked record cannot be written. What is unsent names the old incarnation and must not be sealed under the new one: it waits to be done again
        // until a later version reads the record. Having waited is no failed attempt.
        db.prepare_cached("UPDATE own SET status = 4, attempt = max(attempt - 1, 0) WHERE doc = ?1 AND fact IS NULL AND status = 0")?
            .execute([doc.as_bytes()])?;
        return Ok(());
    };
    for n in lost {
        document.drop_own(db, n)?;
    }
    let (mut redone, mut renamed) = (Redone::default(), Renamed::default());
    let (grants, author) = (author::grants(db)?, meta::identity(db)?.map(|identity| identity.grant.author()));
    for row in wanted {
        let command: Option<Command> = row.command.as_deref().map(meta::decode).transpose()?;
        let command = command.map(|command| match &author {
            Some(author) => renamed.command(command, &grants, author),
            None => command,
        });
        let seen = redone.seen(db, &document, &record, &row)?;
        let seen = seen.unwrap_or_else(|| record.heads());
        let before = row.change;
        match run(&document, &mut record, incarnation, &row, command.as_ref(), &seen) {
            Ok(change) => {
                redone.written(before, change.hash);
                again(db, &row)?;
                let attempt = row.attempt + u32::from(row.standing == Standing::Redo);
                let (change, raw) = (change.hash, Some(change.raw));
                let (standing, command) = (Standing::New, command.as_ref().map(meta::encode));
                let mut next = OwnRow { change, raw, command, standing, attempt, ..row };
                next.seen = Seen::of(&document, &next).map(|seen| meta::encode(&seen));
                next.n = next.insert(db)?;
                document.push_own(next);
            }
            Err(standing) => {
                let carriers = document.carriers(row.edit);
                redone.left(before, if carriers.is_empty() { seen } else { carriers });
                own::set(db, row.n, standing, None, None)?;
            }
        }
    }
    project::document(db, context, &document, touched)
}

/// Changes of the base that carry wanted edits and that no stream brought: a receipt put them there,
/// and it was taken back.
fn unproved(db: &Connection, document: &Document, wanted: &[OwnRow]) -> Result<HashSet<Start>, StoreError> {
    let mut carriers: HashSet<Start> = wanted.iter().flat_map(|row| document.carriers(row.edit)).map(start).collect();
    if !carriers.is_empty() {
        let brought = arrivals::brought(db, document.id)?;
        carriers.retain(|change| !brought.contains(change));
    }
    Ok(carriers)
}

/// Runs the intent of a row again, or says how it stands instead.
fn run(document: &Document, record: &mut Record, incarnation: Incarnation, row: &OwnRow, command: Option<&Command>, seen: &[Hash]) -> Result<Change, Standing> {
    if document.has_edit(row.edit) {
        return Err(Standing::Received);
    }
    let Some(command) = command.filter(|_| row.standing != Standing::Redo || row.attempt == 0) else {
        return Err(Standing::Decide);
    };
    if actions_are_there(record, command) {
        return Err(Standing::Received);
    }
    let time_s = row.made_ms.div_euclid(1000);
    let written = match record.write_as_seen(incarnation, command, time_s, seen) {
        // Where he stood is gone, and what is there may do.
        Err(RecordError::Unfit(_)) => record.write(incarnation, command, time_s),
        written => written,
    };
    written.map_err(|error| match error {
        RecordError::Nothing => Standing::Received,
        _ => Standing::Decide,
    })
}

/// Whether a case has all of a command's actions, by whatever hand. A field's value is no such sign:
/// put by two hands that did not know of each other it stands twice.
fn actions_are_there(record: &Record, command: &Command) -> bool {
    match (record.read(), command) {
        (Content::Case(there), Command::Act(actions)) => actions.iter().all(|action| there.contains_key(&ActionId::of(&action.to_bytes()))),
        _ => false,
    }
}

/// The row has a successor. One that was in no batch leaves no trace.
fn again(db: &Connection, row: &OwnRow) -> Result<(), StoreError> {
    if row.standing == Standing::New {
        db.prepare_cached("DELETE FROM own WHERE n = ?1")?.execute([row.n])?;
        return Ok(());
    }
    own::drop_raw(db, row.n)?;
    own::set(db, row.n, Standing::Replaced, None, None)
}

fn rows(db: &Connection, which: &str, params: impl rusqlite::Params) -> Result<Vec<OwnRow>, StoreError> {
    Ok(db.prepare_cached(&format!("SELECT {} FROM own WHERE {which} ORDER BY n", own::COLUMNS))?.query_map(params, OwnRow::read)?.collect::<Result<_, _>>()?)
}
