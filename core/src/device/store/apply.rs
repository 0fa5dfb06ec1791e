//! Down: an answer is proved first, then applied. Entries and cursors go in together; a long answer in several transactions, each ending at an entry whose
//! chain is proved, so that a save never waits for a whole page.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Transaction};

use super::meta::{self, Identity, Renew};
use super::observe::Touched;
use super::project::View;
use super::{Store, StoreError, arrivals, held, outbox, part, position, purge, rebuild, witness};
use crate::domain::fact::{Body, Fact, FactKind};
use crate::domain::id::StreamId;
use crate::wire::error::WireError;
use crate::wire::limits;
use crate::wire::pack::{Pack, PackDoc};
use crate::wire::sync::{Answer, Cursor, PackRef};

use super::prove::{contradicts, places, prove, signed};
use super::session::{begin, move_cursor};
use super::steps::{Brought, Proved, Steps};
use super::work::{Work, is_full};

/// What is done before it is looked whether a save waits, in weight: 24 records of the usual size,
/// each of which is merged and projected in some 0.2 ms; or one that is as large as a record may
/// be.
const SLICE: usize = 128 << 10;
/// What is done at most when all that follows is about records that are open already.
const SLICE_MOST: usize = 2 << 20;
/// Records of the usual size in a slice.
const SLICE_RECORDS: usize = 24;
/// Slices of one transaction while nothing waits. Records lie anywhere in the tables, so nearly every slice writes the same inner pages and indexes: with one
/// slice a transaction, encrypting pages and writing them to the WAL was about a third of the time of a long answer.
const SLICES: usize = 8;

/// Streams of which the highest proved position is remembered.
const MAX_KNOWN: usize = 4_096;

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
    /// Anything changed: entries, receipts, batches now held, cursors stepped back, another
    /// directory. A server's unsigned word can always change it again.
    pub progress: bool,
    /// A stream's proved position is higher than this process ever saw it.
    pub rose: bool,
    /// There is more to fetch or to send: ask again at once.
    pub more: bool,
    /// The server wants the state.
    pub need_state: bool,
    /// Packs to fetch first.
    pub packs: Vec<PackRef>,
    /// Own work was done again under a new incarnation.
    pub rebuilt: bool,
    /// The server cannot read a batch of this version yet: it is kept as it is, and what was sealed after it.
    pub server_outdated: bool,
    /// How often in a row the server has not taken a batch, when it did not take one now. The work is kept as it is.
    pub rejected: u32,
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

impl Store {
    /// Applies the answer to the outstanding request.
    ///
    /// # Errors
    /// [`ApplyError`]; a storage error in the middle of a long answer leaves what was applied, with its cursors.
    pub fn apply(&self, answer: &Answer) -> Result<Applied, ApplyError> {
        let mut outstanding = super::db::lock(&self.inner.outstanding);
        let asked = outstanding.take_if(|asked| asked.nonce == answer.nonce).ok_or(ApplyError::Stale)?;
        let sealed = super::db::lock(&self.inner.sealed).take();
        let identity = self.inner.db.read(meta::identity)?.ok_or(StoreError::NotEnrolled)?;
        let is_signed = self.inner.db.read(|db| signed(db, &identity, answer, &asked))?;
        let places = self.inner.db.read(|db| places(db, &identity, answer))?;
        let back = places.back.clone();
        // Pages that do not follow from where the device is are left, and asked for again.
        let left = self.inner.db.read(|db| contradicts(db, answer))? || !places.proved;
        let proved = if left { Ok(Proved::none()) } else { self.inner.db.read(|db| prove(db, places, answer, sealed)) };
        let steps = match proved {
            Ok(steps) => steps,
            Err(error) => {
                // Perhaps a reference to an own batch is what does not fit. Whole entries always do.
                self.inner.db.write(|tx| meta::put(tx, meta::CLAIM_NOTHING, &true))?;
                return Err(error);
            }
        };
        let packs = if left { Vec::new() } else { answer.packs.clone() };
        let mut applied = Applied { need_state: answer.need_state, packs, more: answer.more || left, ..Applied::default() };
        let at_head = !left && !answer.more && !answer.need_state && answer.packs.is_empty();
        self.run(
            &identity,
            steps,
            &mut applied,
            |tx, work| {
                self.seal_unsent(tx, work.identity)?;
                if is_signed {
                    meta::put(tx, meta::SIGNS, &true)?;
                }
                begin(tx, work, answer, &back, &asked)
            },
            |tx, work| {
                if let Some(heads) = &answer.heads {
                    witness::note(tx, identity.device, heads, work.context.now_ms)?;
                }
                witness::told(tx, &asked.shown)?;
                if let Some(safe) = answer.safe_through {
                    held::safe_through(tx, safe, work.context.now_ms)?;
                }
                if !answer.need_state {
                    meta::put(tx, meta::TELL_STATE, &left)?;
                }
                if at_head {
                    meta::clear(tx, meta::CLAIM_NOTHING)?;
                    if asked.sent.is_empty() && held::doubt(tx)? {
                        work.applied.progress = true;
                    }
                }
                if at_head {
                    arrivals::settle(work)?;
                }
                let mut context = self.context_in(tx)?;
                if rebuild::if_ready(tx, &mut context, self.inner.env.as_ref(), at_head, &mut work.touched)? {
                    work.applied.progress = true;
                    work.applied.rebuilt = true;
                    // The first batch of the new incarnation can be sealed and sent at once.
                    work.applied.more |= tx.prepare_cached("SELECT 1 FROM own WHERE status = 0")?.exists([])?;
                }
                // Only where all streams are read to their heads is it known that none holds a record: it may leave one and have joined another.
                if purge::reread(tx)? {
                    meta::put(tx, meta::TELL_STATE, &true)?;
                    work.applied.progress = true;
                    work.applied.more = true;
                } else if at_head {
                    part::forget(tx)?;
                    let purged = purge::sweep(tx, &mut work.touched)?;
                    work.applied.purged += purged;
                    work.applied.progress |= purged > 0;
                    work.applied.more |= purged == purge::AT_ONCE;
                }
                Ok(())
            },
        )?;
        drop(outstanding);
        self.after(&mut applied)?;
        applied.more |= self.inner.db.read(|db| {
            let to_send = db.prepare_cached("SELECT 1 FROM batches WHERE held = 0 AND void = 0")?.exists([])?;
            Ok::<_, StoreError>(to_send && meta::get(db, meta::RENEW)? != Some(Renew::Copied) && meta::get(db, meta::REJECTED)?.is_none())
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
        if at.seq <= current.seq || at.seq > limits::MAX_POSITION {
            return Err(ApplyError::Unproven("a pack no newer than what the device has"));
        }
        if at.stream == identity.stream {
            return Err(ApplyError::Unproven("a pack of the device's own stream"));
        }
        let brought = brought(&docs, &facts);
        // The cursor moves with the last step only: until then the pack can be applied again.
        let steps = Brought::new(current, at, docs, facts);
        let mut applied = Applied { progress: true, ..Applied::default() };
        self.run(
            &identity,
            steps,
            &mut applied,
            |tx, work| self.seal_unsent(tx, work.identity),
            |tx, _| {
                move_cursor(tx, &at)?;
                position::keep(tx, &at, None)?;
                // What the stream held before and the pack does not has left it meanwhile. Sensitive facts are never in packs.
                let held = tx
                    .prepare("SELECT h.item FROM held h LEFT JOIN facts f ON f.fact = h.item WHERE h.stream = ?1 AND f.kind IS NOT 2")?
                    .query_map([at.stream.as_bytes()], |row| row.get(0))?
                    .collect::<Result<Vec<[u8; 16]>, _>>()?;
                for item in held.into_iter().filter(|item| !brought.contains(item)) {
                    purge::released(tx, item, at.stream)?;
                    purge::left(tx, &at)?;
                }
                part::forget(tx)?;
                meta::put(tx, meta::TELL_STATE, &true)
            },
        )?;
        drop(outstanding);
        applied.rose |= self.rises(&at);
        self.after(&mut applied)?;
        Ok(applied)
    }

    /// Carries out steps in slices: `begin` with the first, `end` with the last.
    fn run(
        &self,
        identity: &Identity,
        mut steps: impl Steps,
        applied: &mut Applied,
        begin: impl FnOnce(&Connection, &mut Work<'_>) -> Result<(), StoreError>,
        end: impl FnOnce(&Connection, &mut Work<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let (mut begin, mut end) = (Some(begin), Some(end));
        while end.is_some() {
            // What is left may be the last of it; then this is what makes all of it durable.
            let durable = steps.left() <= SLICES * SLICE_RECORDS;
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
                    receiving: BTreeMap::new(),
                    touched: Touched::default(),
                    weight: 0,
                    full: is_full(tx, self.inner.room)?,
                    unread: None,
                    names: None,
                    left_out: BTreeMap::new(),
                };
                if let Some(begin) = begin.take() {
                    self.tick(tx)?;
                    begin(tx, &mut work)?;
                }
                let mut cursors: BTreeMap<StreamId, Cursor> = BTreeMap::new();
                for _ in 0..SLICES {
                    while let Some(step) = steps.next(tx)? {
                        cursors.insert(step.at.stream, step.at);
                        work.entry(&step)?;
                        let most = if steps.record().is_some_and(|next| work.documents.contains_key(&next)) { SLICE_MOST } else { SLICE };
                        if work.weight >= most {
                            break;
                        }
                    }
                    work.finish()?;
                    if steps.left() == 0 || self.inner.db.is_awaited() {
                        break;
                    }
                }
                work.keep_receiving()?;
                for cursor in cursors.values() {
                    move_cursor(tx, cursor)?;
                }
                if durable
                    && steps.left() == 0
                    && let Some(end) = end.take()
                {
                    end(tx, &mut work)?;
                }
                Ok::<_, StoreError>((work.touched, cursors))
            };
            let (touched, cursors) = if durable { self.inner.db.write(piece) } else { self.inner.db.write_piece(piece) }?;
            // Observers look at once, and are to see the grant that came with the rows.
            self.refresh()?;
            self.inner.announcer.announce(touched);
            applied.rose |= cursors.values().fold(false, |rose, at| self.rises(at) | rose);
            if end.is_some() {
                self.inner.db.let_others_write();
            }
        }
        Ok(())
    }

    /// Whether a stream was never proved to go so far, as long as this process knows. A stream more
    /// than [`MAX_KNOWN`] never does.
    fn rises(&self, at: &Cursor) -> bool {
        let mut highest = super::db::lock(&self.inner.highest);
        let (known, here) = (highest.len(), (at.epoch, at.seq));
        match highest.entry(at.stream) {
            Slot::Occupied(mut before) => here > before.insert(here.max(*before.get())),
            Slot::Vacant(slot) if known < MAX_KNOWN => {
                slot.insert(here);
                true
            }
            Slot::Vacant(_) => false,
        }
    }

    /// What follows a commit.
    fn after(&self, applied: &mut Applied) -> Result<(), StoreError> {
        if applied.wiped {
            return self.wipe_revoked();
        }
        if applied.purged > 0 || self.inner.db.owes_emptying() {
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

/// SQLite's integers are signed; no counter comes near the limit.
pub(super) fn i64_of(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
