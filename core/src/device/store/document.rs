//! A record as the store holds it: the confirmed base, and over it what this device wrote and nobody has confirmed yet.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::arrivals::{Start, start};
use super::own::{self, OwnRow, Redos, Standing};
use super::parked::ParkReason;
use super::{StoreError, meta};
use crate::domain::id::{DocId, Hash, Incarnation};
use crate::record::gate::{self, GateError};
use crate::record::intake::Intake;
use crate::record::{Record, RecordError, RecordKind};
use crate::wire::batch::change_hash;
use crate::wire::limits;

/// Bytes of a record with what is on its way into it: as much as a full one whose whole history comes once more. What goes beyond is not even taken on.
const MAX_TAKEN: usize = 3 * limits::MAX_RECORD;
/// Most changes on their way into a record.
const MAX_ARRIVED: usize = 2 * limits::MAX_CHANGES_PER_RECORD + limits::MAX_ASIDE_CHANGES;
/// How often it is looked whether what waits has what it lacked.
const PASSES: usize = 16;
/// Most changes that are tried one by one.
const SINGLY: usize = 64;

/// A record, read for merging or writing.
pub(super) struct Document {
    pub(super) n: i64,
    pub(super) id: DocId,
    pub(super) kind: RecordKind,
    /// The confirmed base, or why this version cannot read it. Made when it is first needed: that is most of what handling a record costs.
    base: OnceCell<Result<Record, RecordError>>,
    changes: Vec<u8>,
    count: u32,
    redos: Redos,
    aside: Vec<u8>,
    parked: Option<ParkReason>,
    /// Changes that were left out, because there was no room to keep them aside.
    dropped: u32,
    /// How many are kept aside.
    set_aside: usize,
    /// What was in the base until the server took it back.
    withdrawn: Vec<u8>,
    overlay: Vec<OwnRow>,
    /// What streams brought and is not in the base yet.
    arrived: Vec<Arrived>,
    arrived_bytes: usize,
    /// How many streams brought that were not even taken on.
    refused: u64,
    dirty: bool,
    /// What the record says is another than what its projections show.
    changed: bool,
}

/// A confirmed change, on its way into the base.
struct Arrived {
    raw: Vec<u8>,
    hash: Hash,
    edit: Option<Hash>,
    /// It was in the overlay, so it says nothing new.
    own: bool,
}

impl Document {
    /// Reads a record; `None` when there is none of that id.
    pub(super) fn find(db: &Connection, id: DocId) -> Result<Option<Self>, StoreError> {
        let found = db
            .prepare_cached("SELECT n, kind, changes, edits, aside, parked, dropped, withdrawn FROM documents WHERE doc = ?1")?
            .query_row([id.as_bytes()], |row| {
                let mut document = Self::bare(row.get(0)?, id, RecordKind::from_code(row.get(1)?));
                document.changes = row.get(2)?;
                document.aside = row.get::<_, Option<Vec<u8>>>(4)?.unwrap_or_default();
                document.parked = row.get::<_, Option<String>>(5)?.map(|parked| ParkReason::from_name(&parked));
                document.dropped = row.get(6)?;
                document.withdrawn = row.get::<_, Option<Vec<u8>>>(7)?.unwrap_or_default();
                Ok((document, row.get::<_, Option<Vec<u8>>>(3)?))
            })
            .optional()?;
        let Some((mut document, redos)) = found else {
            return Ok(None);
        };
        if let Some(redos) = redos {
            document.redos = meta::decode(&redos)?;
        }
        document.count = u32::try_from(chunks(&document.changes)?.len()).unwrap_or(u32::MAX);
        document.overlay = overlay(db, id)?;
        Ok(Some(document))
    }

    /// Reads a record, or begins it.
    pub(super) fn open(db: &Connection, id: DocId, kind: RecordKind) -> Result<Self, StoreError> {
        if let Some(document) = Self::find(db, id)? {
            return Ok(document);
        }
        db.prepare_cached("INSERT INTO documents (doc, kind) VALUES (?1, ?2)")?.execute(params![id.as_bytes(), kind.code()])?;
        Ok(Self::bare(db.last_insert_rowid(), id, kind))
    }

    const fn bare(n: i64, id: DocId, kind: RecordKind) -> Self {
        Self {
            n,
            id,
            kind,
            base: OnceCell::new(),
            changes: Vec::new(),
            count: 0,
            redos: Redos(Vec::new()),
            aside: Vec::new(),
            withdrawn: Vec::new(),
            parked: None,
            dropped: 0,
            set_aside: 0,
            overlay: Vec::new(),
            arrived: Vec::new(),
            arrived_bytes: 0,
            refused: 0,
            dirty: false,
            changed: false,
        }
    }

    /// A stream brought a change. Own work that it confirms leaves the overlay at once; [`Self::merge`] takes it into the base.
    pub(super) fn confirm(&mut self, db: &Connection, raw: &[u8], edit: Option<Hash>) -> Result<(), StoreError> {
        let hash = change_hash(raw);
        let own = self.settle(db, hash, edit.unwrap_or(hash))?;
        if !own && (self.size() + raw.len() > MAX_TAKEN || self.arrived.len() >= MAX_ARRIVED) {
            self.refused += 1;
            self.drop_change(ParkReason::Full);
            return Ok(());
        }
        self.arrived_bytes += raw.len();
        self.arrived.push(Arrived { raw: raw.to_vec(), hash, edit, own });
        Ok(())
    }

    /// Takes what arrived into the base; says how many changes did not go in. Those are kept aside, as far as there is room, and the record is parked; a page never
    /// stops for it.
    pub(super) fn merge(&mut self, db: &Connection) -> Result<u64, StoreError> {
        let arrived = std::mem::take(&mut self.arrived);
        self.arrived_bytes = 0;
        let mut left = std::mem::take(&mut self.refused);
        if arrived.is_empty() {
            return Ok(left);
        }
        let mut pending = self.take_aside()?;
        let known = pending.len();
        pending.extend(arrived);
        let mut sorted = self.sort(&pending)?;
        if let Some(actor) = sorted.displaced(&pending) {
            // The centre took an own change, and says that another stands in its place: that one was never made here.
            pending = self.without_impostors(db, actor, pending)?;
            sorted = self.sort(&pending)?;
        }
        self.let_in(&pending, &mut sorted);
        for (at, why) in sorted.left {
            left += u64::from(at >= known);
            self.changed |= at >= known;
            self.put_aside(&pending[at], why);
        }
        if self.aside.is_empty() && self.dropped == 0 && self.parked.is_some() && !matches!(self.base.get(), Some(Err(_))) {
            self.parked = None;
            self.dirty = true;
        }
        Ok(left)
    }

    /// What of these may go into the base, told without making it.
    fn sort(&self, pending: &[Arrived]) -> Result<Sorted, StoreError> {
        let mut sorted = Sorted { good: Vec::new(), left: Vec::new() };
        let Some(mut intake) = Intake::new(self.kind) else {
            sorted.left = (0..pending.len()).map(|at| (at, ParkReason::Unread)).collect();
            return Ok(sorted);
        };
        chunks(&self.changes)?.into_iter().for_each(|raw| intake.hold(raw));
        let mut waiting: Vec<usize> = (0..pending.len()).collect();
        for _ in 0..PASSES {
            let before = sorted.good.len();
            sorted.left.retain(|(_, why)| *why != ParkReason::Waiting);
            for at in std::mem::take(&mut waiting) {
                let why = match intake.take(&pending[at].raw) {
                    Ok(()) => {
                        sorted.good.push(at);
                        continue;
                    }
                    Err(GateError::AlreadyHeld) => continue,
                    Err(why) => ParkReason::of(&why),
                };
                if why == ParkReason::Waiting {
                    waiting.push(at);
                }
                sorted.left.push((at, why));
            }
            if waiting.is_empty() || sorted.good.len() == before {
                break;
            }
        }
        Ok(sorted)
    }

    /// Takes what may go in. All of it at once; the base is not made at all of own changes that follow what is there. Should Automerge refuse what was found good,
    /// some of it is tried one by one.
    fn let_in(&mut self, pending: &[Arrived], sorted: &mut Sorted) {
        let raws: Vec<&[u8]> = sorted.good.iter().map(|at| pending[*at].raw.as_slice()).collect();
        let unmade = self.base.get().is_none() && sorted.good.iter().all(|at| pending[*at].own);
        if unmade || self.grow(&raws) {
            sorted.good.iter().for_each(|at| self.keep(&pending[*at]));
            return;
        }
        for (tried, at) in sorted.good.iter().enumerate() {
            if tried < SINGLY && self.grow(&[&pending[*at].raw]) {
                self.keep(&pending[*at]);
            } else {
                sorted.left.push((*at, if self.is_readable() { ParkReason::Malformed } else { ParkReason::Unread }));
            }
        }
    }

    /// Takes changes into the base, or leaves it as it is.
    fn grow(&mut self, raws: &[&[u8]]) -> bool {
        if let Some(base) = self.base.get_mut() {
            return base.as_mut().is_ok_and(|base| base.apply(raws.iter().copied()).is_ok());
        }
        let held = chunks(&self.changes).unwrap_or_default();
        let Ok(base) = Record::load(self.kind, held.into_iter().chain(raws.iter().copied())) else {
            let _ = self.base();
            return false;
        };
        self.base = Ok(base).into();
        true
    }

    /// Empties the base: what was in it and what is pending, and at the end what stands there under an own actor and was never made here.
    fn without_impostors(&mut self, db: &Connection, actor: Incarnation, pending: Vec<Arrived>) -> Result<Vec<Arrived>, StoreError> {
        let redos: BTreeMap<u32, Hash> = std::mem::take(&mut self.redos.0).into_iter().collect();
        let (mut all, mut impostors) = (Vec::new(), Vec::new());
        for (index, raw) in (0..).zip(chunks(&self.changes)?) {
            let hash = change_hash(raw);
            let theirs = gate::inspect(raw).is_ok_and(|info| info.actor == Some(actor)) && !own::made(db, hash)?;
            let change = Arrived { raw: raw.to_vec(), hash, edit: redos.get(&index).copied(), own: false };
            if theirs { &mut impostors } else { &mut all }.push(change);
        }
        (self.base, self.count, self.dirty, self.changed) = (OnceCell::new(), 0, true, true);
        self.changes.clear();
        all.extend(pending);
        all.extend(impostors);
        Ok(all)
    }

    /// The record with own work over the base. The flag says whether all of it went in: if not, it has to be done again. A base that this version cannot read
    /// is an error, never an empty record.
    pub(super) fn record(&self) -> Result<(Cow<'_, Record>, bool), RecordError> {
        let mut record = Cow::Borrowed(self.base()?);
        let mut whole = true;
        for raw in self.overlay.iter().filter_map(|row| row.raw.as_deref()) {
            whole &= record.to_mut().apply([raw]).is_ok();
        }
        Ok((record, whole))
    }

    /// The base with only those pieces of own work over it that are under way and keep their place in a rebuild.
    pub(super) fn rebase(&self) -> Result<Record, RecordError> {
        let mut record = self.base()?.clone();
        for row in self.overlay.iter().filter(|row| matches!(row.standing, Standing::Waiting | Standing::Quarantined)) {
            let _ = row.raw.as_deref().map(|raw| record.apply([raw]));
        }
        Ok(record)
    }

    fn base(&self) -> Result<&Record, RecordError> {
        let base = self.base.get_or_init(|| Record::load(self.kind, chunks(&self.changes).unwrap_or_default()));
        base.as_ref().map_err(|_| RecordError::Unfit("the record is parked"))
    }

    /// Whether the base has the edit, under whatever change.
    pub(super) fn has_edit(&self, edit: Hash) -> bool {
        self.has(edit) || self.redos.0.iter().any(|(_, redo)| *redo == edit)
    }

    /// The edit that a change carries, if it is another than its own hash.
    pub(super) fn edit_of(&self, change: Hash) -> Option<Hash> {
        let own = self.overlay.iter().find(|row| row.change == change).map(|row| row.edit);
        let redone = || {
            let redos = self.redos();
            redos.into_iter().find(|(redo, _)| *redo == change).map(|(_, edit)| edit)
        };
        own.or_else(redone).filter(|edit| *edit != change)
    }

    /// The changes of the base that carry an edit: itself, or else those that did it again.
    pub(super) fn carriers(&self, edit: Hash) -> Vec<Hash> {
        if self.has(edit) {
            return vec![edit];
        }
        let redos = self.redos().into_iter().filter(|(_, redone)| *redone == edit);
        redos.map(|(change, _)| change).collect()
    }

    /// The changes of the base that did an edit again, with that edit.
    fn redos(&self) -> Vec<(Hash, Hash)> {
        if self.redos.0.is_empty() {
            return Vec::new();
        }
        let held = chunks(&self.changes).unwrap_or_default();
        let hash = |(at, edit): &(u32, Hash)| Some((change_hash(held.get(*at as usize)?), *edit));
        self.redos.0.iter().filter_map(hash).collect()
    }

    /// Takes changes out of the base, and what rests on them. Own ones go back over it; the others
    /// are kept beside, since what was written over them says so.
    pub(super) fn withdraw(&mut self, db: &Connection, doubted: &HashSet<Start>) -> Result<(), StoreError> {
        let held = std::mem::take(&mut self.changes);
        let redos: HashMap<u32, Hash> = std::mem::take(&mut self.redos.0).into_iter().collect();
        let (mut gone, mut rows) = (HashSet::new(), Vec::new());
        self.count = 0;
        for (at, raw) in (0..).zip(chunks(&held)?) {
            let hash = change_hash(raw);
            let edit = redos.get(&at).copied();
            let rests = gate::inspect(raw).is_ok_and(|info| info.deps.iter().any(|dep| gone.contains(dep)));
            // A receipt that stands says that the centre has it.
            let received = || own_in(db, self.id, hash, "(2)");
            if !rests && (!doubted.contains(&start(hash)) || received()?) {
                self.keep(&Arrived { raw: raw.to_vec(), hash, edit, own: false });
                continue;
            }
            gone.insert(hash);
            if own_in(db, self.id, hash, "(0, 1, 10)")? {
                db.prepare_cached("UPDATE own SET raw = ?3 WHERE doc = ?1 AND change = ?2 AND status IN (0, 1, 10)")?.execute(params![
                    self.id.as_bytes(),
                    hash.0,
                    raw
                ])?;
            } else {
                rows.push([&edit.unwrap_or(hash).0, raw].concat());
            }
        }
        let parked = self.parked;
        for change in self.take_aside()?.iter().filter(|change| !doubted.contains(&start(change.hash))) {
            self.put_aside(change, parked.unwrap_or(ParkReason::Waiting));
        }
        for row in rows {
            if self.withdrawn.len() + row.len() <= limits::MAX_ASIDE {
                push(&mut self.withdrawn, &row);
            }
        }
        self.base = OnceCell::new();
        self.overlay = overlay(db, self.id)?;
        (self.dirty, self.changed) = (true, true);
        Ok(())
    }

    /// What a change rested on that was taken out of the base.
    pub(super) fn withdrawn(&self, change: Hash) -> Option<Vec<Hash>> {
        let rows = chunks(&self.withdrawn).unwrap_or_default();
        let raw = rows.iter().filter_map(|row| Some(row.split_first_chunk::<32>()?.1)).find(|raw| change_hash(raw) == change)?;
        Some(gate::inspect(raw).ok()?.deps)
    }

    /// Whether the base has the change.
    pub(super) fn has(&self, change: Hash) -> bool {
        self.base().is_ok_and(|base| base.has(change))
    }

    /// Whether this version can read the record.
    pub(super) fn is_readable(&self) -> bool {
        self.base().is_ok()
    }

    /// Whether what the record says is another than what its projections show.
    pub(super) const fn is_changed(&self) -> bool {
        self.changed
    }

    /// Whether anything of it is confirmed.
    pub(super) const fn is_confirmed(&self) -> bool {
        self.count > 0
    }

    /// Whether nothing is confirmed and nothing of one's own is over it.
    pub(super) fn is_bare(&self) -> bool {
        self.count == 0 && self.aside.is_empty() && self.overlay.is_empty()
    }

    /// Bytes of the base and of what is on its way into it.
    pub(super) const fn size(&self) -> usize {
        self.changes.len() + self.arrived_bytes
    }

    /// Takes a row out of the overlay.
    pub(super) fn drop_own(&mut self, db: &Connection, n: i64) -> Result<(), StoreError> {
        own::drop_raw(db, n)?;
        self.overlay.retain(|row| row.n != n);
        self.changed = true;
        Ok(())
    }

    /// Puts a row over the base; it is in the table already.
    pub(super) fn push_own(&mut self, row: OwnRow) {
        self.overlay.push(row);
    }

    /// The overlay's rows.
    pub(super) fn overlay(&self) -> &[OwnRow] {
        &self.overlay
    }

    /// Writes the base back.
    pub(super) fn store(&mut self, db: &Connection) -> Result<(), StoreError> {
        if std::mem::take(&mut self.dirty) {
            let redos = (!self.redos.0.is_empty()).then(|| meta::encode(&self.redos));
            let aside = (!self.aside.is_empty()).then_some(&self.aside);
            let unreadable = self.base.get().is_some_and(Result::is_err).then_some(ParkReason::Unread);
            db.prepare_cached("UPDATE documents SET changes = ?2, edits = ?3, aside = ?4, parked = ?5, dropped = ?6, withdrawn = ?7 WHERE n = ?1")?.execute(
                params![
                    self.n,
                    self.changes,
                    redos,
                    aside,
                    unreadable.or(self.parked).map(|why| why.to_string()),
                    self.dropped,
                    (!self.withdrawn.is_empty()).then_some(&self.withdrawn)
                ],
            )?;
        }
        Ok(())
    }

    /// Own work that this change or edit confirms leaves the overlay; says whether it was the change itself. An edit that arrived under another change than
    /// the pending one is not done twice.
    fn settle(&mut self, db: &Connection, hash: Hash, edit: Hash) -> Result<bool, StoreError> {
        let (mut itself, mut other) = (false, false);
        for row in self.overlay.iter().filter(|row| row.change == hash || row.edit == edit) {
            own::drop_raw(db, row.n)?;
            itself |= row.change == hash;
            other |= row.change != hash;
            if row.change != hash && matches!(row.standing, Standing::New | Standing::Redo) {
                own::set(db, row.n, Standing::Received, None, None)?;
            }
        }
        self.overlay.retain(|row| row.change != hash && row.edit != edit);
        self.changed |= other | own::arrived(db, self.id, edit)?;
        Ok(itself)
    }

    /// A change that is in the base is one of those it is made of.
    fn keep(&mut self, change: &Arrived) {
        push(&mut self.changes, &change.raw);
        if let Some(edit) = change.edit.filter(|edit| *edit != change.hash) {
            self.redos.0.push((self.count, edit));
        }
        self.count += 1;
        self.dirty = true;
        // An own change that moves from the overlay into the base says nothing new.
        self.changed |= !change.own;
    }

    /// What was kept aside: it may only have lacked what has arrived now.
    fn take_aside(&mut self) -> Result<Vec<Arrived>, StoreError> {
        let aside = std::mem::take(&mut self.aside);
        let kept = chunks(&aside)?.into_iter().filter_map(|kept| kept.split_first_chunk::<32>());
        let kept: Vec<Arrived> = kept.map(|(edit, raw)| Arrived { raw: raw.to_vec(), hash: change_hash(raw), edit: Some(Hash(*edit)), own: false }).collect();
        if self.dropped == 0 {
            self.parked = None;
        }
        self.dirty |= !kept.is_empty();
        self.set_aside = 0;
        Ok(kept)
    }

    /// Keeps a change aside, once, as far as there is room.
    fn put_aside(&mut self, change: &Arrived, why: ParkReason) {
        let kept = [&change.edit.unwrap_or(change.hash).0, change.raw.as_slice()].concat();
        if chunks(&self.aside).is_ok_and(|aside| aside.contains(&kept.as_slice())) {
            return;
        }
        if self.aside.len() + kept.len() > limits::MAX_ASIDE || self.set_aside >= limits::MAX_ASIDE_CHANGES {
            return self.drop_change(why);
        }
        push(&mut self.aside, &kept);
        self.set_aside += 1;
        self.park(why);
    }

    /// There is no room for a change.
    fn drop_change(&mut self, why: ParkReason) {
        self.dropped = self.dropped.saturating_add(1);
        self.park(why);
    }

    fn park(&mut self, why: ParkReason) {
        // Where something waits for what was not taken, the reason is why that was not.
        if why != ParkReason::Waiting || self.parked.is_none() {
            self.parked = Some(why);
        }
        self.dirty = true;
    }
}

/// What is to become of changes, by their index.
struct Sorted {
    good: Vec<usize>,
    left: Vec<(usize, ParkReason)>,
}

impl Sorted {
    /// The author of an own change that was taken, and in the place of which another stands.
    fn displaced(&self, pending: &[Arrived]) -> Option<Incarnation> {
        let (at, _) = self.left.iter().find(|(at, why)| pending[*at].own && *why == ParkReason::Sequence)?;
        gate::inspect(&pending[*at].raw).ok()?.actor
    }
}

/// Whether a change is own work of one of these standings.
fn own_in(db: &Connection, doc: DocId, change: Hash, standings: &str) -> Result<bool, StoreError> {
    let query = format!("SELECT 1 FROM own WHERE doc = ?1 AND change = ?2 AND status IN {standings}");
    Ok(db.prepare_cached(&query)?.exists(params![doc.as_bytes(), change.0])?)
}

/// Own work on a record that is not in its base.
fn overlay(db: &Connection, id: DocId) -> Result<Vec<OwnRow>, StoreError> {
    let query = format!("SELECT {} FROM own WHERE doc = ?1 AND raw IS NOT NULL ORDER BY n", own::COLUMNS);
    Ok(db.prepare_cached(&query)?.query_map([id.as_bytes()], OwnRow::read)?.collect::<Result<_, _>>()?)
}

/// Chunks end to end, each after its length.
fn chunks(packed: &[u8]) -> Result<Vec<&[u8]>, StoreError> {
    let mut rest = packed;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (len, after) = rest.split_first_chunk::<4>().ok_or(StoreError::Damaged)?;
        let (chunk, after) = after.split_at_checked(u32::from_be_bytes(*len) as usize).ok_or(StoreError::Damaged)?;
        found.push(chunk);
        rest = after;
    }
    Ok(found)
}

fn push(packed: &mut Vec<u8>, raw: &[u8]) {
    packed.extend_from_slice(&u32::try_from(raw.len()).unwrap_or(u32::MAX).to_be_bytes());
    packed.extend_from_slice(raw);
}
