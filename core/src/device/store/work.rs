//! Entries, one after the other: into bases, facts, views and standings; verdicts settle own work.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::arrivals::Item;
use super::document::Document;
use super::meta::{self, Identity, Renew};
use super::observe::Touched;
use super::open::PAGE;
use super::own::{self, OwnRow, Standing};
use super::parked::{self, KNOWN_FACTS, ParkReason};
use super::project::{self, View};
use super::{Context, StoreError, arrivals, author, purge, rebuild, write};
use crate::domain::fact::{Body, Fact, FactKind};
use crate::domain::id::{ActionId, DocId, Hash, StreamId};
use crate::domain::server_fact::{Instruction, Received, Reference};
use crate::domain::time::Interval;
use crate::record::{RecordKind, gate};
use crate::wire::batch::change_hash;
use crate::wire::enrol::SignedGrant;
use crate::wire::entry::Entry;
use crate::wire::limits;
use crate::wire::sync::Cursor;
use crate::wire::verdict::{BatchVerdict, Verdict};

use super::apply::{Applied, i64_of};
use super::session::{self, put_grant};
use super::steps::Step;

/// One transaction's worth of entries.
pub(super) struct Work<'a> {
    pub(super) db: &'a Connection,
    pub(super) identity: &'a Identity,
    pub(super) context: &'a Context,
    pub(super) applied: &'a mut Applied,
    pub(super) documents: BTreeMap<DocId, Document>,
    /// Records of which the server's facts say something new.
    pub(super) stale: BTreeSet<DocId>,
    /// Records whose own work is further than it was.
    pub(super) delivered: BTreeSet<DocId>,
    pub(super) touched: Touched,
    /// The streams' words on when the server received what follows in them, and whether they are new.
    pub(super) receiving: BTreeMap<StreamId, (Option<Interval>, bool)>,
    /// What was taken on since the last [`Self::finish`], in bytes that cost as much.
    pub(super) weight: usize,
    /// The store holds as much as it may: only what is about own work is taken.
    pub(super) full: bool,
    /// Facts of kinds that this version does not know, and their bytes, once they were counted.
    pub(super) unread: Option<(usize, usize)>,
    /// Names that are kept, once they were counted.
    pub(super) names: Option<usize>,
    /// Entries that were not taken.
    pub(super) left_out: BTreeMap<(StreamId, ParkReason), u64>,
}

/// Weight of an entry, beside what it brings.
const ENTRY: usize = 640;
/// Weight of a record that is opened, beside what it holds.
const RECORD: usize = 4 << 10;
/// Most cases that share an action, as far as it is said of each when the action was received. Two equal reports of one moment do.
const MAX_SHARED: u32 = 16;

/// Whether a store holds as much of what streams bring as it may.
pub(super) fn is_full(db: &Connection, room: u64) -> Result<bool, StoreError> {
    let pragma = |name: &str| db.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let pages = pragma("page_count")?.saturating_sub(pragma("freelist_count")?);
    Ok(u64::try_from(pages).unwrap_or_default().saturating_mul(PAGE) > room)
}

impl Work<'_> {
    pub(super) fn entry(&mut self, Step { at, under, entry, received }: &Step<'_>) -> Result<(), StoreError> {
        self.weight += ENTRY;
        self.applied.entries += 1;
        self.applied.progress = true;
        if let Some(why) = self.leaves_out(at, entry)? {
            self.applied.parked += 1;
            *self.left_out.entry((at.stream, why)).or_default() += 1;
            return Ok(());
        }
        match &**entry {
            Entry::Change(change) => {
                self.hold(*change.doc.as_bytes(), at.stream)?;
                arrivals::note(self.db, under, Item::Change(change.doc, change.change_hash()))?;
                self.confirm(change.doc, change.kind, &change.raw, change.edit)?;
                if change.kind == RecordKind::Case {
                    let received = if received.is_some() { *received } else { self.receiving(at.stream)? };
                    self.received_of(change.doc, &change.raw, received)?;
                }
            }
            Entry::Join(join) => {
                self.hold(*join.doc.as_bytes(), at.stream)?;
                self.document(join.doc, join.kind)?;
                for raw in &join.changes {
                    arrivals::note(self.db, under, Item::Change(join.doc, change_hash(raw)))?;
                    self.confirm(join.doc, join.kind, raw, None)?;
                }
            }
            Entry::Leave(leave) => {
                purge::released(self.db, *leave.doc.as_bytes(), at.stream)?;
                purge::left(self.db, at)?;
            }
            Entry::Fact(fact) => {
                self.noted(under, fact)?;
                self.fact(at, fact)?;
            }
        }
        Ok(())
    }

    /// Why an entry is not taken at all.
    fn leaves_out(&mut self, at: &Cursor, entry: &Entry) -> Result<Option<ParkReason>, StoreError> {
        let own = |doc: DocId| self.db.prepare_cached("SELECT 1 FROM own WHERE doc = ?1")?.exists([doc.as_bytes()]);
        let doc = match entry {
            Entry::Leave(_) => return Ok(None),
            Entry::Change(change) => Some(change.doc),
            Entry::Join(join) => Some(join.doc),
            Entry::Fact(fact) => {
                let length = if let Body::Held(body) = &fact.body { body.len() } else { 0 };
                self.weight += length;
                let most =
                    if fact.kind.by_device() || matches!(fact.kind, FactKind::Other(_) | FactKind::View) { limits::MAX_FACT } else { limits::MAX_STATED };
                if length > most {
                    return Ok(Some(ParkReason::TooLarge));
                }
                if matches!(fact.kind, FactKind::Other(_)) && !self.has_room_for_unread(length)? {
                    return Ok(Some(ParkReason::Unread));
                }
                if let (FactKind::CaseNumber | FactKind::StandsFor, Some(subject)) = (fact.kind, fact.subject)
                    && !self.has_room_for_stated(subject, length)?
                {
                    return Ok(Some(ParkReason::Full));
                }
                fact.subject.filter(|_| at.stream != self.identity.stream)
            }
        };
        match doc {
            Some(doc) if self.full && !own(doc)? => Ok(Some(ParkReason::StoreFull)),
            _ => Ok(None),
        }
    }

    /// Whether one more fact of a kind that this version does not know is kept.
    fn has_room_for_unread(&mut self, length: usize) -> Result<bool, StoreError> {
        let (count, bytes) = match self.unread {
            Some(unread) => unread,
            None => self
                .db
                .prepare_cached(&format!("SELECT count(*), coalesce(sum(length(body)), 0) FROM facts WHERE kind NOT IN {KNOWN_FACTS}"))?
                .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?,
        };
        let room = count < limits::MAX_UNREAD && bytes + length <= limits::MAX_UNREAD_BYTES;
        self.unread = Some(if room { (count + 1, bytes + length) } else { (count, bytes) });
        Ok(room)
    }

    /// Whether one more fact that the fold of a case needs is kept: all of them are read whenever
    /// it is folded.
    fn has_room_for_stated(&mut self, case: DocId, length: usize) -> Result<bool, StoreError> {
        let (count, bytes): (usize, usize) = self
            .db
            .prepare_cached("SELECT count(*), coalesce(sum(length(body)), 0) FROM facts WHERE subject = ?1 AND kind IN (102, 109)")?
            .query_row([case.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        self.weight += bytes;
        Ok(count < limits::MAX_STATED_PER_CASE && bytes + length <= limits::MAX_RECORD)
    }

    /// The server says something new of a record.
    fn mark_stale(&mut self, doc: DocId) -> Result<(), StoreError> {
        if self.stale.insert(doc) && !self.documents.contains_key(&doc) {
            let held: Option<i64> =
                self.db.prepare_cached("SELECT length(changes) FROM documents WHERE doc = ?1")?.query_row([doc.as_bytes()], |row| row.get(0)).optional()?;
            self.weight += RECORD + usize::try_from(held.unwrap_or_default()).unwrap_or_default();
        }
        Ok(())
    }

    fn noted(&self, under: &Cursor, fact: &Fact) -> Result<(), StoreError> {
        let item = match fact.kind {
            // A step back takes these back by their places.
            FactKind::Verdict | FactKind::Grant | FactKind::Instruction => return Ok(()),
            FactKind::View | FactKind::Received | FactKind::Reference => Item::Instead(fact.hash()),
            _ => Item::Fact(fact.id),
        };
        arrivals::note(self.db, under, item)
    }

    fn document(&mut self, id: DocId, kind: RecordKind) -> Result<&mut Document, StoreError> {
        match self.documents.entry(id) {
            Slot::Occupied(open) => Ok(open.into_mut()),
            Slot::Vacant(slot) => {
                let document = Document::open(self.db, id, kind)?;
                self.weight += RECORD + document.size();
                Ok(slot.insert(document))
            }
        }
    }

    fn confirm(&mut self, doc: DocId, kind: RecordKind, raw: &[u8], edit: Option<Hash>) -> Result<(), StoreError> {
        let db = self.db;
        self.weight += raw.len();
        self.document(doc, kind)?.confirm(db, raw, edit)
    }

    fn hold(&mut self, item: [u8; 16], stream: StreamId) -> Result<(), StoreError> {
        let added =
            self.db.prepare_cached("INSERT INTO held (item, stream) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?.execute(params![item, stream.as_bytes()])?;
        if added > 0 {
            self.db.prepare_cached("UPDATE documents SET leaving = 0 WHERE doc = ?1 AND leaving = 1")?.execute([item])?;
        }
        Ok(())
    }

    fn fact(&mut self, at: &Cursor, fact: &Fact) -> Result<(), StoreError> {
        let own_stream = at.stream == self.identity.stream;
        let body = match &fact.body {
            Body::Held(body) => body.as_slice(),
            Body::Erased(_) => &[],
        };
        match fact.kind {
            FactKind::Verdict if own_stream => {
                if let Ok(verdict) = minicbor::decode::<BatchVerdict>(body) {
                    self.verdict(at, &verdict)?;
                }
            }
            FactKind::Grant if own_stream => self.grant(at, body)?,
            FactKind::Instruction if own_stream => match minicbor::decode::<Instruction>(body) {
                Ok(Instruction::Wipe) => {
                    meta::put(self.db, meta::WIPE, &true)?;
                    self.applied.wiped = true;
                }
                Ok(Instruction::ReportOnly) => self.instruct(at, true)?,
                Ok(Instruction::Approved) => self.instruct(at, false)?,
                Ok(Instruction::Other(_)) | Err(_) => {}
            },
            FactKind::View => {
                if let Some(view) = View::read(body) {
                    project::view(self.db, &view, body, &mut self.touched)?;
                    self.hold(*view.record().0.as_bytes(), at.stream)?;
                }
            }
            FactKind::Received => match minicbor::decode::<Received>(body) {
                Ok(Received::Next(interval)) => drop(self.receiving.insert(at.stream, (Some(interval), true))),
                Ok(Received::These(interval, actions)) => self.received(interval, &actions)?,
                Err(_) => {}
            },
            FactKind::Reference => {
                if let Ok(reference) = minicbor::decode::<Reference>(body) {
                    self.reference(reference)?;
                }
            }
            _ => {
                write::store_fact(self.db, fact, fact.hash(), &mut self.touched)?;
                self.hold(*fact.id.as_bytes(), at.stream)?;
                if matches!(fact.kind, FactKind::CaseNumber | FactKind::StandsFor)
                    && let Some(subject) = fact.subject
                {
                    self.mark_stale(subject)?;
                }
            }
        }
        Ok(())
    }

    fn instruct(&self, at: &Cursor, report_only: bool) -> Result<(), StoreError> {
        self.db.prepare_cached("INSERT OR REPLACE INTO instructions (seq, report_only) VALUES (?1, ?2)")?.execute(params![i64_of(at.seq), report_only])?;
        Ok(())
    }

    fn grant(&mut self, at: &Cursor, body: &[u8]) -> Result<(), StoreError> {
        let Ok(signed) = minicbor::decode::<SignedGrant>(body) else {
            return Ok(());
        };
        match signed.open(&self.identity.keys.signing) {
            Ok(grant) if grant.device == self.identity.device => put_grant(self.db, &grant, &signed, at.seq),
            _ => Ok(()),
        }
    }

    /// When the server received what comes now in a stream.
    fn receiving(&mut self, stream: StreamId) -> Result<Option<Interval>, StoreError> {
        if let Some((interval, _)) = self.receiving.get(&stream) {
            return Ok(*interval);
        }
        let stored: Option<Vec<u8>> =
            self.db.prepare_cached("SELECT receiving FROM streams WHERE stream = ?1")?.query_row([stream.as_bytes()], |row| row.get(0)).optional()?.flatten();
        let interval = stored.map(|stored| meta::decode(&stored)).transpose()?;
        self.receiving.insert(stream, (interval, false));
        Ok(interval)
    }

    /// Keeps what the streams said last for what the next transaction brings, and what was not taken.
    pub(super) fn keep_receiving(&mut self) -> Result<(), StoreError> {
        for (stream, (interval, new)) in &mut self.receiving {
            if std::mem::take(new) {
                session::receiving(self.db, *stream, *interval)?;
            }
        }
        for ((stream, why), entries) in std::mem::take(&mut self.left_out) {
            parked::left_out(self.db, stream, why, entries)?;
        }
        Ok(())
    }

    /// The actions of a change were received then.
    fn received_of(&mut self, doc: DocId, raw: &[u8], received: Option<Interval>) -> Result<(), StoreError> {
        let Some(Interval { earliest_ms, latest_ms }) = received else {
            return Ok(());
        };
        let db = self.db;
        let mut put = db.prepare_cached(
            "INSERT INTO actions (action, doc, earliest_ms, latest_ms) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (action, doc) DO UPDATE SET earliest_ms = excluded.earliest_ms, latest_ms = excluded.latest_ms
             WHERE (earliest_ms, latest_ms) IS NOT (excluded.earliest_ms, excluded.latest_ms)",
        )?;
        for action in gate::actions(raw) {
            if put.execute(params![action.0, doc.as_bytes(), earliest_ms, latest_ms])? > 0 {
                self.mark_stale(doc)?;
            }
        }
        Ok(())
    }

    fn received(&mut self, Interval { earliest_ms, latest_ms }: Interval, actions: &[ActionId]) -> Result<(), StoreError> {
        let db = self.db;
        let mut known = db.prepare_cached(
            "UPDATE actions SET earliest_ms = ?2, latest_ms = ?3
             WHERE action = ?1 AND doc IN (SELECT doc FROM actions WHERE action = ?1 LIMIT ?4) RETURNING doc",
        )?;
        let mut put = db.prepare_cached("INSERT INTO actions (action, doc, earliest_ms, latest_ms) VALUES (?1, x'', ?2, ?3)")?;
        for action in actions.iter().take(limits::MAX_STATED_ROWS) {
            let docs = known
                .query_map(params![action.0, earliest_ms, latest_ms, MAX_SHARED], |row| row.get::<_, Vec<u8>>(0))?
                .collect::<Result<Vec<_>, rusqlite::Error>>()?;
            if docs.is_empty() {
                put.execute(params![action.0, earliest_ms, latest_ms])?;
            }
            for doc in docs.into_iter().filter_map(|doc| doc.try_into().ok()).map(DocId::from_bytes) {
                self.mark_stale(doc)?;
            }
        }
        Ok(())
    }

    fn reference(&mut self, reference: Reference) -> Result<(), StoreError> {
        let (kind, rows): (u8, Vec<(String, String)>) = match reference {
            Reference::Areas(rows) => (0, rows.into_iter().map(|(key, name)| (key.to_string(), name)).collect()),
            Reference::Orgs(rows) => (1, rows.into_iter().map(|(key, name)| (key.to_string(), name)).collect()),
            Reference::People(rows) => (2, rows.into_iter().map(|(key, name)| (key.to_string(), name)).collect()),
        };
        let mut names = match self.names {
            Some(names) => names,
            None => self.db.prepare_cached("SELECT count(*) FROM reference")?.query_row([], |row| row.get(0))?,
        };
        let mut known = self.db.prepare_cached("UPDATE reference SET name = ?3 WHERE kind = ?1 AND key = ?2")?;
        let mut put = self.db.prepare_cached("INSERT INTO reference (kind, key, name) VALUES (?1, ?2, ?3)")?;
        for (key, name) in rows.into_iter().take(limits::MAX_STATED_ROWS) {
            let row = params![kind, key, limits::shown(&name)];
            if known.execute(row)? == 0 && names < limits::MAX_NAMES {
                names += put.execute(row)?;
            }
        }
        self.names = Some(names);
        self.touched.reference = true;
        Ok(())
    }

    fn verdict(&mut self, at: &Cursor, verdict: &BatchVerdict) -> Result<(), StoreError> {
        let batch: Option<(i64, [u8; 32])> = self
            .db
            .prepare_cached("SELECT n, hash FROM batches WHERE incarnation = ?1 AND seq = ?2")?
            .query_row(params![verdict.incarnation.as_bytes(), i64_of(verdict.seq)], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((n, _)) = batch.filter(|(_, hash)| Hash(*hash) == verdict.batch) else {
            // A batch of my own incarnation that I never made: this store is a copy.
            if meta::lived(self.db, verdict.incarnation)? {
                rebuild::set_renew(self.db, Renew::Copied)?;
            }
            return Ok(());
        };
        self.applied.receipts += 1;
        self.touched.status = true;
        self.db.prepare_cached("UPDATE batches SET first_seq = min(coalesce(first_seq, verdict_seq, ?2), ?2), verdict_seq = ?2, received_ms = ?3, held = 1, void = 0 WHERE n = ?1")?.execute(params![
            n,
            i64_of(at.seq),
            verdict.received_ms
        ])?;
        let rows = self
            .db
            .prepare_cached(&format!("SELECT {}, item FROM own WHERE batch = ?1 AND status IN (1, 6, 7, 8, 10) ORDER BY item", own::COLUMNS))?
            .query_map([n], |row| Ok((OwnRow::read(row)?, row.get::<_, u32>("item")?)))?
            .collect::<Result<Vec<_>, _>>()?;
        for (row, item) in rows {
            match (row.standing, verdict.of(item)) {
                // It was given up for a redo, and got in all the same.
                (Standing::Replaced, Verdict::Accepted | Verdict::AlreadyHeld) => {
                    if let Some(doc) = row.doc.filter(|_| row.fact.is_none())
                        && own::arrived(self.db, doc, row.edit)?
                    {
                        self.stale.insert(doc);
                    }
                }
                (Standing::Replaced, _) => {}
                (_, verdict_of) => self.settle(row, verdict_of, verdict.received_ms)?,
            }
        }
        Ok(())
    }

    fn settle(&mut self, row: OwnRow, verdict: Verdict, received_ms: i64) -> Result<(), StoreError> {
        let db = self.db;
        self.delivered.extend(row.doc);
        let received = Some(received_ms);
        match verdict {
            Verdict::Accepted => {
                own::set(db, row.n, Standing::Received, None, received)?;
                row.fact.map(|fact| purge::delivered(db, fact)).transpose()?;
                if let (Some(doc), Some(raw)) = (row.doc, &row.raw) {
                    let edit = (row.edit != row.change).then_some(row.edit);
                    self.confirm(doc, RecordKind::from_code(row.kind), raw, edit)?;
                }
            }
            Verdict::AlreadyHeld => {
                own::set(db, row.n, Standing::Received, None, received)?;
                row.fact.map(|fact| purge::delivered(db, fact)).transpose()?;
                if let Some(doc) = row.doc.filter(|_| row.fact.is_none() && row.raw.is_some()) {
                    let document = self.document(doc, RecordKind::from_code(row.kind))?;
                    let parked = document.merge(db)?;
                    if !document.has(row.change) {
                        // The edit is there under another change; this one never will be, and its actor must not count on from it.
                        document.drop_own(db, row.n)?;
                        rebuild::set_renew(db, Renew::Refused)?;
                    }
                    self.applied.parked += parked;
                }
            }
            // By an author whose grant was taken back: done again under the one in force.
            Verdict::Refused(_) if !author::is_granted(db, &row)? => {
                rebuild::again_from(db, row.n)?;
                rebuild::set_renew(db, Renew::Refused)?;
            }
            Verdict::Refused(reason) => {
                self.applied.refused += 1;
                own::set(db, row.n, Standing::Refused, Some(reason), None)?;
                // Its words are shown and found with the record, though not in it.
                self.stale.extend(row.doc);
                rebuild::set_renew(db, Renew::Refused)?;
            }
            Verdict::Stranded(_) => {
                rebuild::again_from(db, row.n)?;
                rebuild::set_renew(db, Renew::Refused)?;
            }
            Verdict::Retired(new) => {
                db.prepare_cached("UPDATE own SET doc = ?2, raw = NULL WHERE n = ?1")?.execute(params![row.n, new.as_bytes()])?;
                rebuild::again_from(db, row.n)?;
                if let Some(doc) = row.doc {
                    self.document(doc, RecordKind::from_code(row.kind))?.drop_own(db, row.n)?;
                }
                rebuild::set_renew(db, Renew::Refused)?;
            }
            Verdict::Waiting(_) => own::set(db, row.n, Standing::Waiting, None, received)?,
            Verdict::Quarantined => own::set(db, row.n, Standing::Quarantined, None, received)?,
        }
        Ok(())
    }

    /// Writes the open records and their projections. Where nothing but the receipt is new, only that is written.
    pub(super) fn finish(&mut self) -> Result<(), StoreError> {
        let stale = std::mem::take(&mut self.stale);
        for id in &stale {
            if !self.documents.contains_key(id)
                && let Some(document) = Document::find(self.db, *id)?
            {
                self.documents.insert(*id, document);
            }
        }
        let mut delivered = std::mem::take(&mut self.delivered);
        for (id, mut document) in std::mem::take(&mut self.documents) {
            self.applied.parked += document.merge(self.db)?;
            document.store(self.db)?;
            if document.is_changed() || stale.contains(&id) {
                delivered.remove(&id);
                project::document(self.db, self.context, &document, &mut self.touched)?;
            }
        }
        for id in delivered {
            project::delivery(self.db, id, &mut self.touched)?;
        }
        Ok(())
    }
}
