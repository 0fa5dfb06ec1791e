//! A record as the store holds it: the confirmed base, and over it what this device wrote and nobody has confirmed yet.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::own::{self, OwnRow, Redos, Standing};
use super::{StoreError, meta};
use crate::domain::id::{DocId, Hash};
use crate::record::{Record, RecordError, RecordKind, gate};
use crate::wire::batch::change_hash;

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
    parked: Option<String>,
    overlay: Vec<OwnRow>,
    /// What streams brought and is not in the base yet.
    arrived: Vec<Arrived>,
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
            .prepare_cached("SELECT n, kind, changes, edits, aside, parked FROM documents WHERE doc = ?1")?
            .query_row([id.as_bytes()], |row| {
                let mut document = Self::bare(row.get(0)?, id, RecordKind::from_code(row.get(1)?));
                document.changes = row.get(2)?;
                document.aside = row.get::<_, Option<Vec<u8>>>(4)?.unwrap_or_default();
                document.parked = row.get(5)?;
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
        document.overlay = db
            .prepare_cached(&format!("SELECT {} FROM own WHERE doc = ?1 AND raw IS NOT NULL ORDER BY n", own::COLUMNS))?
            .query_map([id.as_bytes()], OwnRow::read)?
            .collect::<Result<_, _>>()?;
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
            parked: None,
            overlay: Vec::new(),
            arrived: Vec::new(),
            dirty: false,
            changed: false,
        }
    }

    /// A stream brought a change. Own work that it confirms leaves the overlay at once; [`Self::merge`] takes it into the base.
    pub(super) fn confirm(&mut self, db: &Connection, raw: &[u8], edit: Option<Hash>) -> Result<(), StoreError> {
        let hash = change_hash(raw);
        let own = self.settle(db, hash, edit.unwrap_or(hash))?;
        self.arrived.push(Arrived { raw: raw.to_vec(), hash, edit, own });
        Ok(())
    }

    /// Takes what arrived into the base; says how many changes did not go in. Those are kept aside and the record is parked; a page never stops for it.
    pub(super) fn merge(&mut self) -> Result<u64, StoreError> {
        let arrived = std::mem::take(&mut self.arrived);
        if arrived.is_empty() || (self.base.get().is_none() && self.aside.is_empty() && self.merge_at_once(&arrived)?) {
            return Ok(0);
        }
        let mut left = 0;
        for Arrived { raw, hash, edit, own } in arrived {
            if self.has(hash) {
                continue;
            }
            if self.take(&raw, hash, edit) {
                // An own change that moves from the overlay into the base says nothing new.
                self.changed |= !own;
                self.retry_aside()?;
                continue;
            }
            left += 1;
            self.changed = true;
            let kept = [&edit.unwrap_or(hash).0, raw.as_slice()].concat();
            if !chunks(&self.aside)?.contains(&kept.as_slice()) {
                push(&mut self.aside, &kept);
                self.dirty = true;
            }
        }
        Ok(left)
    }

    /// Takes all that arrived at once, where all of it goes in: the base is then made once, and not at all of own changes that follow what is there.
    fn merge_at_once(&mut self, arrived: &[Arrived]) -> Result<bool, StoreError> {
        let held = chunks(&self.changes)?;
        let mut known: HashSet<Hash> = held.iter().map(|raw| change_hash(raw)).collect();
        let fresh: Vec<&Arrived> = arrived.iter().filter(|change| known.insert(change.hash)).collect();
        let raws: Vec<&[u8]> = fresh.iter().map(|change| change.raw.as_slice()).collect();
        if !(fresh.iter().all(|change| change.own) && gate::follow(self.kind, &held, &raws)) {
            let Ok(base) = Record::load(self.kind, held.into_iter().chain(raws)) else {
                return Ok(false);
            };
            self.base = Ok(base).into();
        }
        for change in fresh {
            self.keep(&change.raw, change.hash, change.edit);
            self.changed |= !change.own;
        }
        Ok(true)
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

    /// Bytes of the base.
    pub(super) const fn size(&self) -> usize {
        self.changes.len()
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
            let unreadable = self.base.get().and_then(|base| base.as_ref().err()).map(ToString::to_string);
            db.prepare_cached("UPDATE documents SET changes = ?2, edits = ?3, aside = ?4, parked = ?5 WHERE n = ?1")?.execute(params![
                self.n,
                self.changes,
                redos,
                aside,
                unreadable.as_ref().or(self.parked.as_ref())
            ])?;
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

    fn take(&mut self, raw: &[u8], hash: Hash, edit: Option<Hash>) -> bool {
        let _ = self.base();
        let Some(Ok(base)) = self.base.get_mut() else {
            return false;
        };
        // Ok proves nothing: Automerge also says Ok to a change it only queues.
        let taken = match base.apply([raw]) {
            Ok(()) => base.has(hash),
            Err(error) => {
                self.parked = Some(error.to_string());
                false
            }
        };
        if taken {
            self.keep(raw, hash, edit);
        }
        taken
    }

    /// A change that is in the base is one of those it is made of.
    fn keep(&mut self, raw: &[u8], hash: Hash, edit: Option<Hash>) {
        push(&mut self.changes, raw);
        if let Some(edit) = edit.filter(|edit| *edit != hash) {
            self.redos.0.push((self.count, edit));
        }
        self.count += 1;
        self.dirty = true;
    }

    /// What was kept aside may only have lacked what has arrived now.
    fn retry_aside(&mut self) -> Result<(), StoreError> {
        if self.aside.is_empty() {
            return Ok(());
        }
        let aside = std::mem::take(&mut self.aside);
        let mut rest = chunks(&aside)?;
        loop {
            let before = rest.len();
            rest.retain(|kept| {
                let Some((edit, raw)) = kept.split_first_chunk::<32>() else {
                    return false;
                };
                let hash = change_hash(raw);
                !(self.has(hash) || self.take(raw, hash, Some(Hash(*edit))))
            });
            if rest.is_empty() || rest.len() == before {
                break;
            }
        }
        rest.iter().for_each(|kept| push(&mut self.aside, kept));
        self.changed = true;
        if self.aside.is_empty() {
            self.parked = None;
        }
        self.dirty = true;
        Ok(())
    }
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
