//! Down: an answer is proved first, then applied. Entries and cursors go in together; a long answer in several transactions, each ending at an entry whose
//! chain is proved, so that a save never waits for a whole page.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::document::{Confirmed, Document};
use super::meta::{self, Identity, Renew};
use super::observe::Touched;
use super::outbox::Outstanding;
use super::own::{self, OwnRow, Standing};
use super::project::{self, View};
use super::{Context, Store, StoreError, outbox, purge, rebuild, write};
use crate::domain::fact::{Body, Fact, FactKind};
use crate::domain::id::{DocId, Hash, StreamId};
use crate::domain::server_fact::{Instruction, Received, Reference};
use crate::domain::time::Anchor;
use crate::record::RecordKind;
use crate::wire::batch::{Batch, ChangeItem, Item};
use crate::wire::enrol::SignedGrant;
use crate::wire::entry::{Entry, chain};
use crate::wire::error::WireError;
use crate::wire::pack::{Pack, PackDoc};
use crate::wire::sync::{Answer, BatchFault, Cursor, OutboxHead, OwnRange, PackRef, PageEntry, StreamInfo};
use crate::wire::verdict::{BatchVerdict, Verdict};

/// Records of one transaction before a waiting save is let in; each is merged and projected, some 0.2 ms.
const SLICE_RECORDS: usize = 24;
/// Entries of one transaction.
const SLICE_ENTRIES: usize = 200;

/// What an answer came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// Entries applied.
    pub entries: u64,
    /// Batches that got their verdict.
    pub receipts: u64,
    /// Own items that were refused.
    pub refused: u64,
    /// Records that could not take a change; parked, the rest went on.
    pub parked: u64,
    /// Records forgotten, because no stream holds them any more.
    pub purged: u32,
    /// Anything changed: entries, receipts, batches now held, cursors stepped back, another directory.
    pub progress: bool,
    /// There is more to fetch or to send: ask again at once.
    pub more: bool,
    /// The server wants the state.
    pub need_state: bool,
    /// Packs to fetch first.
    pub packs: Vec<PackRef>,
    /// The device is revoked; the store has wiped itself.
    pub wiped: bool,
}

/// Why an answer was not applied. Nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// Not the answer to the one outstanding request.
    #[error("not the answer to the outstanding request")]
    Stale,
    /// It does not follow from what the device has, or is not signed by the server.
    #[error("the answer does not verify: {0}")]
    Unproven(&'static str),
    /// A pack's bytes are not a pack, or not signed.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StoreError),
}

impl From<rusqlite::Error> for ApplyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.into())
    }
}

/// An entry at its proved place.
struct Step {
    at: Cursor,
    entry: Entry,
}

impl Step {
    /// The record that it loads.
    const fn record(&self) -> Option<DocId> {
        match &self.entry {
            Entry::Change(change) => Some(change.doc),
            Entry::Join(join) => Some(join.doc),
            Entry::Leave(_) => None,
            Entry::Fact(fact) => fact.subject,
        }
    }
}

impl Store {
    /// Applies the answer to the outstanding request.
    ///
    /// # Errors
    /// [`ApplyError`]; a storage error in the middle of a long answer leaves what was applied, with its cursors.
    pub fn apply(&self, answer: &Answer) -> Result<Applied, ApplyError> {
        let mut outstanding = super::db::lock(&self.inner.outstanding);
        let asked = outstanding.take_if(|asked| asked.nonce == answer.nonce).ok_or(ApplyError::Stale)?;
        let identity = self.inner.db.read(meta::identity)?.ok_or(StoreError::NotEnrolled)?;
        let contradicted = self.inner.db.read(|db| contradicts(db, answer))?;
        let proved = if contradicted { Ok(Vec::new()) } else { self.inner.db.read(|db| prove(db, &identity, answer)) };
        let steps = match proved {
            Ok(steps) => steps,
            Err(error) => {
                // Perhaps a reference to an own batch is what does not fit. Whole entries always do.
                self.inner.db.write(|tx| meta::put(tx, meta::CLAIM_NOTHING, &true))?;
                return Err(error);
            }
        };
        let mut applied = Applied { need_state: answer.need_state, packs: answer.packs.clone(), more: answer.more || contradicted, ..Applied::default() };
        let at_head = !contradicted && !answer.more && !answer.need_state && answer.packs.is_empty();
        self.run(
            &identity,
            steps,
            &mut applied,
            |tx, work| begin(tx, work, answer, &asked),
            |tx, work| {
                if let Some(heads) = &answer.heads {
                    let proof = meta::encode(heads);
                    for head in &heads.heads {
                        tx.prepare_cached("UPDATE streams SET proof = ?2 WHERE stream = ?1 AND seq = ?3")?.execute(params![
                            head.stream.as_bytes(),
                            proof,
                            i64_of(head.seq)
                        ])?;
                    }
                }
                if let Some(safe) = answer.safe_through {
                    safe_through(tx, safe)?;
                }
                if !answer.need_state {
                    meta::put(tx, meta::TELL_STATE, &contradicted)?;
                }
                if at_head {
                    meta::clear(tx, meta::CLAIM_NOTHING)?;
                }
                let mut context = self.context_in(tx)?;
                if rebuild::if_ready(tx, &mut context, self.inner.env.as_ref(), at_head, &mut work.touched)? {
                    work.applied.progress = true;
                    // The first batch of the new incarnation can be sealed and sent at once.
                    work.applied.more |= tx.prepare_cached("SELECT 1 FROM own WHERE status = 0")?.exists([])?;
                }
                Ok(())
            },
        )?;
        drop(outstanding);
        self.after(&mut applied)?;
        applied.more |= self.inner.db.read(|db| {
            Ok::<_, StoreError>(
                db.prepare_cached("SELECT 1 FROM batches WHERE held = 0 AND void = 0")?.exists([])? && meta::get(db, meta::RENEW)? != Some(Renew::Copied),
            )
        })? && applied.progress;
        Ok(applied)
    }

    /// Applies an area pack: the stream is at its position afterwards.
    ///
    /// # Errors
    /// [`ApplyError`].
    pub fn apply_pack(&self, file: &[u8]) -> Result<Applied, ApplyError> {
        let mut outstanding = super::db::lock(&self.inner.outstanding);
        // Cursors move: an answer to what was asked before would not fit any more.
        *outstanding = None;
        let identity = self.inner.db.read(meta::identity)?.ok_or(StoreError::NotEnrolled)?;
        let Pack { at, docs, facts } = Pack::from_file(file, &identity.keys.signing)?;
        let current = self.inner.db.read(outbox::cursors)?.into_iter().find(|cursor| cursor.stream == at.stream);
        let current = current.ok_or(ApplyError::Unproven("a pack of a stream that the device does not read"))?;
        if (at.epoch, at.seq) < (current.epoch, current.seq) {
            return Err(ApplyError::Unproven("a pack older than what the device has"));
        }
        let brought = brought(&docs, &facts);
        // The cursor moves with the last step only: until then the pack can be applied again.
        let mut steps: Vec<Step> = Vec::with_capacity(docs.len() + facts.len());
        for doc in docs {
            let edits: BTreeMap<u32, Hash> = doc.edits.into_iter().collect();
            for (index, raw) in (0..).zip(doc.changes) {
                let change = ChangeItem { doc: doc.doc, kind: doc.kind, edit: edits.get(&index).copied(), raw };
                steps.push(Step { at: current, entry: Entry::Change(change) });
            }
        }
        steps.extend(facts.into_iter().map(|fact| Step { at: current, entry: Entry::Fact(fact) }));
        let mut applied = Applied { progress: true, ..Applied::default() };
        self.run(
            &identity,
            steps,
            &mut applied,
            |_, _| Ok(()),
            |tx, _| {
                move_cursor(tx, &at)?;
                // What the stream held before and the pack does not has left it meanwhile. Sensitive facts are never in packs.
                let held = tx
                    .prepare("SELECT h.item FROM held h LEFT JOIN facts f ON f.fact = h.item WHERE h.stream = ?1 AND f.kind IS NOT 2")?
                    .query_map([at.stream.as_bytes()], |row| row.get(0))?
                    .collect::<Result<Vec<[u8; 16]>, _>>()?;
                for item in held.into_iter().filter(|item| !brought.contains(item)) {
                    purge::released(tx, item, at.stream)?;
                }
                meta::put(tx, meta::TELL_STATE, &true)
            },
        )?;
        drop(outstanding);
        self.after(&mut applied)?;
        Ok(applied)
    }

    /// Carries out steps in slices: `begin` with the first, `end` with the last.
    fn run(
        &self,
        identity: &Identity,
        steps: Vec<Step>,
        applied: &mut Applied,
        begin: impl FnOnce(&Connection, &mut Work<'_>) -> Result<(), StoreError>,
        end: impl FnOnce(&Connection, &mut Work<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut steps = steps.into_iter().peekable();
        let (mut begin, mut end) = (Some(begin), Some(end));
        while end.is_some() {
            let mut slice = Vec::new();
            let mut records = BTreeSet::new();
            while records.len() < SLICE_RECORDS && slice.len() < SLICE_ENTRIES {
                let Some(step) = steps.next() else { break };
                records.extend(step.record());
                slice.push(step);
            }
            let last = if steps.peek().is_none() { end.take() } else { None };
            let durable = last.is_some();
            let piece = |tx: &Transaction<'_>| {
                let context = self.context_in(tx)?;
                let mut work = Work {
                    db: tx,
                    identity,
                    context: &context,
                    applied,
                    documents: BTreeMap::new(),
                    stale: BTreeSet::new(),
                    delivered: BTreeSet::new(),
                    touched: Touched::default(),
                };
                if let Some(begin) = begin.take() {
                    self.tick(tx)?;
                    begin(tx, &mut work)?;
                }
                let mut cursors: BTreeMap<StreamId, Cursor> = BTreeMap::new();
                for step in slice {
                    cursors.insert(step.at.stream, step.at);
                    work.entry(&step.at, step.entry)?;
                }
                work.finish()?;
                cursors.values().try_for_each(|cursor| move_cursor(tx, cursor))?;
                if let Some(end) = last {
                    end(tx, &mut work)?;
                    work.applied.purged += purge::sweep(tx, &mut work.touched)?;
                }
                Ok::<_, StoreError>(work.touched)
            };
            let touched = if durable { self.inner.db.write(piece) } else { self.inner.db.write_piece(piece) }?;
            self.inner.announcer.announce(touched);
            if !durable {
                self.inner.db.let_others_write();
            }
        }
        Ok(())
    }

    /// What follows a commit.
    fn after(&self, applied: &mut Applied) -> Result<(), StoreError> {
        if applied.wiped {
            return self.wipe();
        }
        self.refresh()?;
        if applied.purged > 0 {
            self.inner.db.truncate_wal()?;
        }
        Ok(())
    }
}

/// What a pack says that the stream holds: documents, facts, and the records that its views show.
fn brought(docs: &[PackDoc], facts: &[Fact]) -> BTreeSet<[u8; 16]> {
    let views = facts.iter().filter(|fact| fact.kind == FactKind::View).filter_map(|fact| match &fact.body {
        Body::Held(body) => View::read(body).map(|view| *view.record().0.as_bytes()),
        Body::Erased(_) => None,
    });
    docs.iter().map(|doc| *doc.doc.as_bytes()).chain(facts.iter().map(|fact| *fact.id.as_bytes())).chain(views).collect()
}

/// Whether the server holds something in this device's outbox that this store never made. References to own batches would not fit then: the pages are
/// left, and asked for again whole.
fn contradicts(db: &Connection, answer: &Answer) -> Result<bool, StoreError> {
    if answer.rejections.iter().any(|rejection| matches!(rejection.fault, BatchFault::Fork | BatchFault::Foreign)) {
        return Ok(true);
    }
    let copied = meta::get(db, meta::RENEW)? == Some(Renew::Copied);
    match &answer.outbox {
        Some(head) if head.seq > 0 && !copied => Ok(batch_at(db, head)?.is_none()),
        _ => Ok(false),
    }
}

/// The batch that the server names as the last it holds.
fn batch_at(db: &Connection, head: &OutboxHead) -> Result<Option<i64>, StoreError> {
    Ok(db
        .prepare_cached("SELECT n FROM batches WHERE incarnation = ?1 AND seq = ?2 AND hash = ?3 AND void = 0")?
        .query_row(params![head.incarnation.as_bytes(), i64_of(head.seq), head.hash.0], |row| row.get(0))
        .optional()?)
}

/// Follows the pages entry by entry from the cursors, and holds the end against the server's signature. Own ranges are looked up in own batches.
fn prove(db: &Connection, identity: &Identity, answer: &Answer) -> Result<Vec<Step>, ApplyError> {
    let mut cursors: BTreeMap<StreamId, Cursor> = outbox::cursors(db)?.into_iter().map(|cursor| (cursor.stream, cursor)).collect();
    if let Some(directory) = &answer.directory {
        let before = std::mem::take(&mut cursors);
        for info in directory {
            let fresh = Cursor { stream: info.id, epoch: info.epoch, seq: 0, chain: Hash::ZERO };
            cursors.insert(info.id, before.get(&info.id).copied().unwrap_or(fresh));
        }
    }
    for common in &answer.common {
        if let Some(cursor) = cursors.get_mut(&common.stream) {
            if common.seq > cursor.seq {
                return Err(ApplyError::Unproven("a common position beyond the device's own"));
            }
            *cursor = *common;
        }
    }
    if answer.pages.iter().all(|page| page.entries.is_empty()) {
        return Ok(Vec::new());
    }
    let heads = answer.heads.as_ref().ok_or(ApplyError::Unproven("pages without signed heads"))?;
    if !heads.verify(identity.device, &identity.keys.signing) {
        return Err(ApplyError::Unproven("the heads' signature"));
    }
    let mut batches: BTreeMap<(u64, [u8; 16]), Batch> = BTreeMap::new();
    let mut steps = Vec::new();
    let mut moved = BTreeSet::new();
    for page in &answer.pages {
        let cursor = cursors.get_mut(&page.stream).ok_or(ApplyError::Unproven("a page of a stream that the device does not read"))?;
        // Across a restore the counters skip ahead; within an epoch there is no gap.
        let follows = if page.epoch == cursor.epoch { page.first == cursor.seq + 1 } else { page.epoch > cursor.epoch && page.first > cursor.seq };
        if !follows {
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
    Step { at: *cursor, entry }
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

/// Session, directory, common positions, and what became of the batches that were sent.
fn begin(db: &Connection, work: &mut Work<'_>, answer: &Answer, asked: &Outstanding) -> Result<(), StoreError> {
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
    for common in &answer.common {
        step_back(db, work, common)?;
    }
    if !answer.need_state {
        let refused: BTreeSet<usize> = answer.rejections.iter().map(|rejection| rejection.index as usize).collect();
        if let Some(n) = asked.sent.iter().enumerate().filter(|(index, _)| !refused.contains(index)).map(|(_, n)| *n).next_back() {
            hold_through(db, n)?;
            work.applied.progress = true;
        }
    }
    if let Some(head) = &answer.outbox {
        outbox_at(db, head)?;
        work.applied.progress = true;
    }
    for rejection in &answer.rejections {
        let Some(n) = asked.sent.get(rejection.index as usize) else {
            continue;
        };
        match rejection.fault {
            BatchFault::Gap => {}
            BatchFault::Fork | BatchFault::Foreign => rebuild::set_renew(db, Renew::Copied)?,
            _ => {
                // The server cannot read it, now or ever: what it carried is sealed anew.
                rebuild::give_up(db, &format!("SELECT n FROM batches WHERE n >= {n} AND held = 0 AND void = 0"), Standing::Redo)?;
                rebuild::set_renew(db, Renew::Refused)?;
            }
        }
        work.applied.progress = true;
    }
    Ok(())
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

/// The server was restored and knows less than the device: what it gave receipts for after that position is to be delivered again.
fn step_back(db: &Connection, work: &mut Work<'_>, common: &Cursor) -> Result<(), StoreError> {
    move_cursor(db, common)?;
    work.applied.progress = true;
    if common.stream == work.identity.stream {
        let lost =
            db.prepare("SELECT n FROM batches WHERE verdict_seq > ?1")?.query_map([i64_of(common.seq)], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
        for batch in lost {
            db.prepare_cached("UPDATE batches SET verdict_seq = NULL, received_ms = NULL WHERE n = ?1")?.execute([batch])?;
            let docs = db
                .prepare_cached("SELECT DISTINCT doc FROM own WHERE batch = ?1 AND status = 2 AND doc IS NOT NULL")?
                .query_map([batch], |row| row.get::<_, [u8; 16]>(0).map(DocId::from_bytes))?
                .collect::<Result<Vec<_>, _>>()?;
            db.prepare_cached("UPDATE own SET status = 10 WHERE batch = ?1 AND status = 2")?.execute([batch])?;
            work.delivered.extend(docs);
        }
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
        &OutboxHead { incarnation: crate::domain::id::Incarnation::from_bytes(incarnation), seq: u64::try_from(seq).unwrap_or_default(), hash: Hash(hash) },
    )
}

/// The server's word on what it holds of this device's outbox. A batch that this store never made means that the store is a copy, or was restored.
fn outbox_at(db: &Connection, head: &OutboxHead) -> Result<(), StoreError> {
    meta::put(db, meta::OUTBOX, head)?;
    if head.seq == 0 {
        db.execute("UPDATE batches SET held = 0 WHERE verdict_seq IS NULL", [])?;
        return Ok(());
    }
    match batch_at(db, head)? {
        Some(n) => {
            db.prepare_cached("UPDATE batches SET held = (n <= ?1) WHERE void = 0")?.execute([n])?;
        }
        None => rebuild::set_renew(db, Renew::Copied)?,
    }
    Ok(())
}

/// A verified backup of the server covers the incarnation's batches up to this one, and with them all of earlier incarnations: their bytes go. Should a
/// stream still refer to one of them, the reference does not fit, and the entries are asked for whole.
fn safe_through(db: &Connection, seq: u64) -> Result<(), StoreError> {
    meta::put(db, meta::SAFE_THROUGH, &seq)?;
    db.prepare_cached(
        "UPDATE batches SET bytes = NULL WHERE bytes IS NOT NULL AND verdict_seq IS NOT NULL
             AND n <= (SELECT max(n) FROM batches WHERE incarnation = ?1 AND seq <= ?2)",
    )?
    .execute(params![meta::incarnation(db)?.as_bytes(), i64_of(seq)])?;
    Ok(())
}

fn move_cursor(db: &Connection, cursor: &Cursor) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE streams SET epoch = ?2, seq = ?3, chain = ?4 WHERE stream = ?1")?.execute(params![
        cursor.stream.as_bytes(),
        cursor.epoch,
        i64_of(cursor.seq),
        cursor.chain.0
    ])?;
    Ok(())
}

/// One transaction's worth of entries.
struct Work<'a> {
    db: &'a Connection,
    identity: &'a Identity,
    context: &'a Context,
    applied: &'a mut Applied,
    documents: BTreeMap<DocId, Document>,
    /// Records of which the server's facts say something new.
    stale: BTreeSet<DocId>,
    /// Records whose own work is further than it was.
    delivered: BTreeSet<DocId>,
    touched: Touched,
}

impl Work<'_> {
    fn entry(&mut self, at: &Cursor, entry: Entry) -> Result<(), StoreError> {
        self.applied.entries += 1;
        self.applied.progress = true;
        match entry {
            Entry::Change(change) => {
                self.hold(*change.doc.as_bytes(), at.stream)?;
                self.confirm(change.doc, change.kind, &change.raw, change.edit)?;
            }
            Entry::Join(join) => {
                self.hold(*join.doc.as_bytes(), at.stream)?;
                self.document(join.doc, join.kind)?;
                for raw in &join.changes {
                    self.confirm(join.doc, join.kind, raw, None)?;
                }
            }
            Entry::Leave(leave) => purge::released(self.db, *leave.doc.as_bytes(), at.stream)?,
            Entry::Fact(fact) => self.fact(at, &fact)?,
        }
        Ok(())
    }

    fn document(&mut self, id: DocId, kind: RecordKind) -> Result<&mut Document, StoreError> {
        match self.documents.entry(id) {
            Slot::Occupied(open) => Ok(open.into_mut()),
            Slot::Vacant(slot) => Ok(slot.insert(Document::open(self.db, id, kind)?)),
        }
    }

    fn confirm(&mut self, doc: DocId, kind: RecordKind, raw: &[u8], edit: Option<Hash>) -> Result<(), StoreError> {
        let db = self.db;
        if self.document(doc, kind)?.confirm(db, raw, edit)? == Confirmed::Aside {
            self.applied.parked += 1;
        }
        Ok(())
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
            FactKind::Grant if own_stream => self.grant(body)?,
            FactKind::Instruction if own_stream => match minicbor::decode::<Instruction>(body) {
                Ok(Instruction::Wipe) => self.applied.wiped = true,
                Ok(Instruction::ReportOnly) => meta::put(self.db, meta::REPORT_ONLY, &true)?,
                Ok(Instruction::Approved) => meta::clear(self.db, meta::REPORT_ONLY)?,
                Ok(Instruction::Other(_)) | Err(_) => {}
            },
            FactKind::View => {
                if let Some(view) = View::read(body) {
                    project::view(self.db, &view, body, &mut self.touched)?;
                    self.hold(*view.record().0.as_bytes(), at.stream)?;
                }
            }
            FactKind::Received => {
                if let Ok(received) = minicbor::decode::<Received>(body) {
                    self.received(&received)?;
                }
            }
            FactKind::Reference => {
                if let Ok(reference) = minicbor::decode::<Reference>(body) {
                    self.reference(reference)?;
                }
            }
            _ => {
                write::store_fact(self.db, fact, fact.hash(), &mut self.touched)?;
                self.hold(*fact.id.as_bytes(), at.stream)?;
                if matches!(fact.kind, FactKind::CaseNumber | FactKind::StandsFor) {
                    self.stale.extend(fact.subject);
                }
            }
        }
        Ok(())
    }

    fn grant(&mut self, body: &[u8]) -> Result<(), StoreError> {
        let Ok(signed) = minicbor::decode::<SignedGrant>(body) else {
            return Ok(());
        };
        match signed.open(&self.identity.keys.signing) {
            Ok(grant) if grant.device == self.identity.device => put_grant(self.db, grant.id, grant.issued_ms, &signed),
            _ => Ok(()),
        }
    }

    fn received(&mut self, received: &Received) -> Result<(), StoreError> {
        let mut put = self.db.prepare_cached(
            "INSERT INTO actions (action, earliest_ms, latest_ms) VALUES (?1, ?2, ?3)
             ON CONFLICT (action) DO UPDATE SET earliest_ms = excluded.earliest_ms, latest_ms = excluded.latest_ms RETURNING doc",
        )?;
        for action in &received.actions {
            let doc: Option<[u8; 16]> = put.query_row(params![action.0, received.interval.earliest_ms, received.interval.latest_ms], |row| row.get(0))?;
            self.stale.extend(doc.map(DocId::from_bytes));
        }
        Ok(())
    }

    fn reference(&mut self, reference: Reference) -> Result<(), StoreError> {
        let (kind, rows): (u8, Vec<(String, String)>) = match reference {
            Reference::Areas(rows) => (0, rows.into_iter().map(|(key, name)| (key.to_string(), name)).collect()),
            Reference::Orgs(rows) => (1, rows.into_iter().map(|(key, name)| (key.to_string(), name)).collect()),
            Reference::People(rows) => (2, rows.into_iter().map(|(key, name)| (key.to_string(), name)).collect()),
        };
        let mut put =
            self.db.prepare_cached("INSERT INTO reference (kind, key, name) VALUES (?1, ?2, ?3) ON CONFLICT (kind, key) DO UPDATE SET name = excluded.name")?;
        for (key, name) in rows {
            put.execute(params![kind, key, name])?;
        }
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
        self.db.prepare_cached("UPDATE batches SET verdict_seq = ?2, received_ms = ?3, held = 1, void = 0 WHERE n = ?1")?.execute(params![
            n,
            i64_of(at.seq),
            verdict.received_ms
        ])?;
        let rows = self
            .db
            .prepare_cached(&format!("SELECT {}, item FROM own WHERE batch = ?1 AND status IN (1, 6, 7, 10) ORDER BY item", own::COLUMNS))?
            .query_map([n], |row| Ok((OwnRow::read(row)?, row.get::<_, u32>(11)?)))?
            .collect::<Result<Vec<_>, _>>()?;
        for (row, item) in rows {
            self.settle(row, verdict.of(item), verdict.received_ms)?;
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
                if let (Some(doc), Some(raw)) = (row.doc, &row.raw) {
                    let edit = (row.edit != row.change).then_some(row.edit);
                    self.confirm(doc, RecordKind::from_code(row.kind), raw, edit)?;
                }
            }
            Verdict::AlreadyHeld => {
                own::set(db, row.n, Standing::Received, None, received)?;
                if let Some(doc) = row.doc.filter(|_| row.fact.is_none() && row.raw.is_some()) {
                    let document = self.document(doc, RecordKind::from_code(row.kind))?;
                    if !document.has(row.change) {
                        // The edit is there under another change; this one never will be, and its actor must not count on from it.
                        document.drop_own(db, row.n)?;
                        rebuild::set_renew(db, Renew::Refused)?;
                    }
                }
            }
            Verdict::Refused(reason) => {
                self.applied.refused += 1;
                own::set(db, row.n, Standing::Refused, Some(reason), None)?;
                rebuild::set_renew(db, Renew::Refused)?;
            }
            Verdict::Stranded(_) => {
                own::set(db, row.n, Standing::Redo, None, None)?;
                rebuild::set_renew(db, Renew::Refused)?;
            }
            Verdict::Retired(new) => {
                db.prepare_cached("UPDATE own SET doc = ?2, raw = NULL WHERE n = ?1")?.execute(params![row.n, new.as_bytes()])?;
                own::set(db, row.n, Standing::Redo, None, None)?;
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
    fn finish(&mut self) -> Result<(), StoreError> {
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

/// Keeps a grant that the server signed for this device.
pub(super) fn put_grant(db: &Connection, id: crate::domain::id::GrantId, issued_ms: i64, signed: &SignedGrant) -> Result<(), StoreError> {
    db.prepare_cached("INSERT INTO grants (grant_id, issued_ms, signed) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?.execute(params![
        id.as_bytes(),
        issued_ms,
        meta::encode(signed)
    ])?;
    Ok(())
}

/// SQLite's integers are signed; no counter comes near the limit.
pub(super) fn i64_of(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
