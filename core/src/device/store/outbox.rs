//! Up: what is unsent is sealed into batches, each stored before its first byte is sent, and offered in order until the server holds it.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use rusqlite::{Connection, OptionalExtension, params};

use super::meta::{self, Identity, Renew};
use super::own::{self, OwnRow};
use super::{Store, StoreError, held, rebuild, witness};
use crate::domain::area::AreaCode;
use crate::domain::fact::{Body, Fact, FactKind};
use crate::domain::id::{DocId, FactId, Hash, Incarnation, StreamId};
use crate::domain::time::Stamp;
use crate::env::random;
use crate::record::RecordKind;
use crate::wire::batch::{Batch, ChangeItem, Item, Position, Sealing};
use crate::wire::limits;
use crate::wire::suite::KeyPair;
use crate::wire::sync::{Answer, Authenticate, Cursor, OutboxHead, Request, SealedBytes, StateHash, StreamKind, SyncState};

/// Most bytes of batches in one request: below [`limits::MAX_BODY`] even where nothing compresses.
const MAX_SENT: usize = 3 << 20;

/// What the next request is to carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prepare {
    /// The whole state, not only its hash.
    pub send_state: bool,
    /// The device's signature instead of the token.
    pub sign: bool,
    /// Where it is signed, no batches: it only opens a session.
    pub bare: bool,
    /// No batches: one was not taken just now.
    pub keep: bool,
    /// What was asked already, before the last answer was applied ([`Store::ahead`]). Where it is what would be asked now, it is taken up instead of a new request.
    pub ahead: Option<Ahead>,
}

/// A request that went out before the answer to the one before was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ahead {
    /// Its nonce.
    pub nonce: u32,
    /// The state that it asks from.
    pub state_hash: StateHash,
}

/// A request that is stored and ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The request.
    pub request: Request,
    /// The request encoded and authenticated; not framed yet.
    pub bytes: Vec<u8>,
    /// Whether it is signed: it is also without being asked for, when there is no token.
    pub signed: bool,
    /// Whether batches wait for the session that it opens.
    pub bare: bool,
}

/// The one request whose answer may be applied. In memory only: after a restart nothing is outstanding.
#[derive(Debug)]
pub(super) struct Outstanding {
    pub(super) nonce: u32,
    /// What makes it the one it is; the server's signature is bound to it.
    pub(super) hash: Hash,
    /// It carries nothing but the state's hash: that there is nothing new needs no signature.
    pub(super) idle: bool,
    /// The batches it carried, by row.
    pub(super) sent: Vec<i64>,
    /// The signatures that it showed, by row.
    pub(super) shown: Vec<i64>,
}

impl Store {
    /// Seals what is unsent, and prepares the next request. The answer to any earlier one will not be applied any more.
    ///
    /// # Errors
    /// [`StoreError::NotEnrolled`], or storage.
    pub fn prepare(&self, ask: Prepare) -> Result<Prepared, StoreError> {
        let mut outstanding = super::db::lock(&self.inner.outstanding);
        *outstanding = None;
        // An answer that was not applied to its end may have told so.
        if self.inner.db.read(|db| meta::get(db, meta::WIPE))?.unwrap_or(false) {
            drop(outstanding);
            self.wipe_revoked()?;
            return Err(StoreError::NotEnrolled);
        }
        let mut touched = super::observe::Touched::default();
        let (request, (sent, shown), token, bare, (device, secret)) = self.inner.db.write(|tx| {
            self.tick(tx)?;
            let mut context = self.context_in(tx)?;
            held::reseal(tx)?;
            rebuild::if_ready(tx, &mut context, self.inner.env.as_ref(), false, &mut touched)?;
            let identity = meta::identity(tx)?.ok_or(StoreError::NotEnrolled)?;
            let secret = meta::secret(tx)?;
            self.seal_unsent(tx, &identity)?;
            let renew = meta::get(tx, meta::RENEW)?;
            let state = state(tx, identity.incarnation)?;
            let state_hash = state.hash();
            let tell = ask.send_state || renew == Some(Renew::Copied) || meta::get(tx, meta::TELL_STATE)?.unwrap_or(true);
            let token = meta::get(tx, meta::TOKEN)?.filter(|_| !ask.sign);
            let ahead = ask.ahead.filter(|ahead| ahead.state_hash == state_hash && !tell && token.is_some());
            let (mut batches, mut sent) = if renew == Some(Renew::Copied) { (Vec::new(), Vec::new()) } else { unheld(tx)? };
            let bare = ask.bare && token.is_none() && !sent.is_empty();
            // What was sealed meanwhile goes with the request after the one that is out.
            if bare || ask.keep || ahead.is_some() {
                (batches, sent) = (Vec::new(), Vec::new());
            }
            let nonce = ahead.map_or_else(|| self.nonce(), |ahead| ahead.nonce);
            // A request that went out already carried nothing of it.
            let (rows, shown): (Vec<_>, Vec<_>) = if ahead.is_some() { (Vec::new(), Vec::new()) } else { witness::untold(tx)?.into_iter().unzip() };
            let shown = (!shown.is_empty()).then_some(shown);
            let request = Request { nonce, state_hash, state: tell.then_some(state), batches, offers: Vec::new(), shown };
            Ok::<_, StoreError>((request, (sent, rows), token, bare, (identity.device, secret)))
        })?;
        let key = KeyPair::from_secret(&secret);
        let how = token.map_or(Authenticate::Sign(device, &key), Authenticate::Token);
        let bytes = request.to_bytes(&how);
        *outstanding = Some(Outstanding { nonce: request.nonce, hash: request.hash(), idle: request.is_idle(), sent, shown });
        drop(outstanding);
        self.refresh()?;
        self.inner.announcer.announce(touched);
        Ok(Prepared { request, bytes, signed: token.is_none(), bare })
    }

    /// The request that will follow an answer, while that is not applied yet: it can be out meanwhile. None where the answer brings more than entries, or work of
    /// this device is on its way: then what follows is known only afterwards.
    ///
    /// # Errors
    /// [`StoreError::NotEnrolled`], or storage.
    pub fn ahead(&self, answer: &Answer) -> Result<Option<(Ahead, Prepared)>, StoreError> {
        let Answer { more, need_state, directory, common, outbox, rejections, packs, heads, .. } = answer;
        let Some(heads) = heads else { return Ok(None) };
        let entries_only = !need_state && directory.is_none() && common.is_empty() && outbox.is_none() && rejections.is_empty() && packs.is_empty();
        if !more || !entries_only {
            return Ok(None);
        }
        let asked = self.inner.db.read(|db| {
            let busy = meta::get(db, meta::RENEW)?.is_some()
                || db.prepare_cached("SELECT 1 FROM batches WHERE held = 0 AND void = 0")?.exists([])?
                || db.prepare_cached("SELECT 1 FROM own WHERE status = 0")?.exists([])?;
            let token = answer.token.or(meta::get(db, meta::TOKEN)?).filter(|_| !busy);
            let identity = meta::identity(db)?.ok_or(StoreError::NotEnrolled)?;
            token.map(|token| Ok::<_, StoreError>((state(db, identity.incarnation)?, token))).transpose()
        })?;
        let Some((mut state, token)) = asked else { return Ok(None) };
        for cursor in &mut state.cursors {
            if let Some(head) = heads.heads.iter().find(|head| head.stream == cursor.stream) {
                *cursor = *head;
            }
        }
        let ahead = Ahead { nonce: self.nonce(), state_hash: state.hash() };
        let request = Request { nonce: ahead.nonce, state_hash: ahead.state_hash, state: None, batches: Vec::new(), offers: Vec::new(), shown: None };
        let bytes = request.to_bytes(&Authenticate::Token(token));
        Ok(Some((ahead, Prepared { request, bytes, signed: false, bare: false })))
    }

    fn nonce(&self) -> u32 {
        u32::from_be_bytes(random(self.inner.env.as_ref()))
    }

    /// Seals what is unsent. Also before anything is applied: a batch says how far the device had read when its contents were typed, and by that they are judged.
    pub(super) fn seal_unsent(&self, tx: &Connection, identity: &Identity) -> Result<(), StoreError> {
        if meta::get(tx, meta::RENEW)?.is_some() {
            return keep_positions(tx);
        }
        let rows = tx
            .prepare_cached(&format!("SELECT {} FROM own WHERE status = 0 ORDER BY n", own::COLUMNS))?
            .query_map([], OwnRow::read)?
            .collect::<Result<Vec<_>, _>>()?;
        if rows.is_empty() {
            return Ok(());
        }
        let key = KeyPair::from_secret(&*meta::secret(tx)?);
        let life = super::db::lock(&self.inner.life).advance().map_err(|_| StoreError::Full)?;
        meta::put(tx, meta::LIFE, &life)?;
        let anchor = meta::get(tx, meta::ANCHOR)?;
        let sealed: Stamp = self.inner.env.stamp();
        let (mut seq, mut prev) = last_sealed(tx, identity.incarnation)?;
        for Group { destination, positions, items, .. } in group(tx, identity, rows)? {
            seq += 1;
            let (ns, items): (Vec<i64>, Vec<Item>) = items.into_iter().unzip();
            let sealing = Sealing {
                device: identity.device,
                incarnation: identity.incarnation,
                seq,
                prev,
                grant: identity.grant.id,
                rules: crate::domain::case::RULES,
                positions,
                destination,
                sealed,
                anchor,
            };
            let batch = Batch::seal(sealing, items, &key);
            prev = batch.hash();
            tx.prepare_cached("INSERT INTO batches (incarnation, seq, hash, bytes) VALUES (?1, ?2, ?3, ?4)")?.execute(params![
                identity.incarnation.as_bytes(),
                seq,
                prev.0,
                batch.to_bytes()
            ])?;
            let row = tx.last_insert_rowid();
            for (item, n) in ns.into_iter().enumerate() {
                tx.prepare_cached("UPDATE own SET batch = ?2, item = ?3, status = 1 WHERE n = ?1")?.execute(params![n, row, item as u64])?;
            }
            *super::db::lock(&self.inner.sealed) = Some(batch);
        }
        Ok(())
    }
}

/// What one batch takes.
struct Group {
    destination: StreamId,
    positions: Vec<Position>,
    items: Vec<(i64, Item)>,
    bytes: usize,
}

/// Unsent work by destination and by how far its author had read, within a batch's limits. A record has one of each, so what depends on another change of it
/// comes after that.
fn group(db: &Connection, identity: &Identity, rows: Vec<OwnRow>) -> Result<Vec<Group>, StoreError> {
    let now = positions(db)?;
    let mut kept: HashMap<Option<DocId>, Vec<Position>> = HashMap::new();
    for row in &rows {
        if let Some(positions) = &row.positions {
            let positions: Vec<Position> = meta::decode(positions)?;
            let earliest = kept.entry(row.doc).or_insert_with(|| positions.clone());
            *earliest = std::mem::take(earliest).min(positions);
        }
    }
    let (mut full, mut filling): (Vec<Group>, Vec<Group>) = (Vec::new(), Vec::new());
    let mut places: HashMap<Option<DocId>, usize> = HashMap::new();
    for row in rows {
        let at = match places.entry(row.doc) {
            Slot::Occupied(place) => *place.get(),
            Slot::Vacant(slot) => {
                let (destination, positions) = (destination(db, identity, row.doc)?, kept.remove(&row.doc).unwrap_or_else(|| now.clone()));
                let same = filling.iter().position(|group| group.destination == destination && group.positions == positions);
                if same.is_none() {
                    filling.push(Group { destination, positions, items: Vec::new(), bytes: 0 });
                }
                *slot.insert(same.unwrap_or(filling.len() - 1))
            }
        };
        let n = row.n;
        let Some(item) = item(db, row)? else {
            continue;
        };
        let size = size(&item);
        let Group { destination, positions, items, bytes } = &mut filling[at];
        if items.len() >= limits::MAX_ITEMS || (*bytes + size > limits::MAX_BATCH_RAW && !items.is_empty()) {
            full.push(Group { destination: *destination, positions: positions.clone(), items: std::mem::take(items), bytes: *bytes });
            *bytes = 0;
        }
        items.push((n, item));
        *bytes += size;
    }
    full.extend(filling.into_iter().filter(|group| !group.items.is_empty()));
    // Positions do not go back along an outbox.
    full.sort_by(|a, b| (a.positions == now).cmp(&(b.positions == now)).then_with(|| a.positions.cmp(&b.positions)));
    Ok(full)
}

/// What is done while nothing can be sealed is sealed later, and says then how far its author had read now. What is done again goes with it: it comes before
/// it in their record.
fn keep_positions(db: &Connection) -> Result<(), StoreError> {
    let waits = "status IN (0, 4) AND status NOT IN (2, 8, 9) AND positions IS NULL";
    if db.prepare_cached(&format!("SELECT 1 FROM own WHERE {waits}"))?.exists([])? {
        db.prepare_cached(&format!("UPDATE own SET positions = ?1 WHERE {waits}"))?.execute([meta::encode(&positions(db)?)])?;
    }
    Ok(())
}

fn item(db: &Connection, row: OwnRow) -> Result<Option<Item>, StoreError> {
    if let Some(id) = row.fact {
        return Ok(fact(db, id)?.map(Item::Fact));
    }
    let (Some(doc), Some(raw)) = (row.doc, row.raw) else {
        return Ok(None);
    };
    let edit = (row.edit != row.change).then_some(row.edit);
    Ok(Some(Item::Change(ChangeItem { doc, kind: RecordKind::from_code(row.kind), edit, raw })))
}

/// A stored fact.
pub(super) fn fact(db: &Connection, id: FactId) -> Result<Option<Fact>, StoreError> {
    Ok(db
        .prepare_cached("SELECT kind, subject, area, wall_ms, mono_ms, hash, body FROM facts WHERE fact = ?1")?
        .query_row([id.as_bytes()], |row| {
            let area: Option<String> = row.get(2)?;
            // The fact's hash covers the body's hash only; of an erased body that hash is not kept apart.
            let body: Option<Vec<u8>> = row.get(6)?;
            Ok(Fact {
                id,
                kind: FactKind::from_code(row.get(0)?),
                subject: row.get::<_, Option<[u8; 16]>>(1)?.map(DocId::from_bytes),
                area: area.and_then(|area| area.parse().ok()),
                at: Stamp { wall_ms: row.get(3)?, mono_ms: row.get(4)? },
                body: body.map_or(Body::Erased(Hash::ZERO), Body::Held),
            })
        })
        .optional()?
        .filter(|fact| matches!(fact.body, Body::Held(_))))
}

fn size(item: &Item) -> usize {
    match item {
        Item::Change(change) => change.raw.len(),
        Item::Fact(Fact { body: Body::Held(bytes), .. }) => bytes.len(),
        Item::Fact(_) => 0,
    }
}

/// Where work on a record goes: the grid that holds it or that its area names, else the town's desk, else the device's own stream.
fn destination(db: &Connection, identity: &Identity, doc: Option<DocId>) -> Result<StreamId, StoreError> {
    let Some(doc) = doc else {
        return Ok(identity.stream);
    };
    let holds: Option<[u8; 16]> = db
        .prepare_cached("SELECT s.stream FROM held h JOIN streams s USING (stream) WHERE h.item = ?1 AND s.kind IN (1, 2) ORDER BY s.kind, s.stream LIMIT 1")?
        .query_row([doc.as_bytes()], |row| row.get(0))
        .optional()?;
    if let Some(stream) = holds {
        return Ok(StreamId::from_bytes(stream));
    }
    let area = grid_of(db, doc)?.or_else(|| identity.grant.scopes.first().copied());
    if let Some(area) = area {
        let by_area: Option<[u8; 16]> =
            db.prepare_cached("SELECT stream FROM streams WHERE kind = 1 AND area = ?1 LIMIT 1")?.query_row([area.to_string()], |row| row.get(0)).optional()?;
        if let Some(stream) = by_area {
            return Ok(StreamId::from_bytes(stream));
        }
    }
    let desk: Option<[u8; 16]> = db
        .prepare_cached("SELECT stream FROM streams WHERE kind = ?1 ORDER BY stream LIMIT 1")?
        .query_row([StreamKind::Desk.code()], |row| row.get(0))
        .optional()?;
    Ok(desk.map_or(identity.stream, StreamId::from_bytes))
}

/// The grid that a record names.
pub(super) fn grid_of(db: &Connection, doc: DocId) -> Result<Option<AreaCode>, StoreError> {
    let grid: Option<String> = db
        .prepare_cached("SELECT coalesce(c.grid, h.grid) FROM documents d LEFT JOIN cases c USING (n) LEFT JOIN households h USING (n) WHERE d.doc = ?1")?
        .query_row([doc.as_bytes()], |row| row.get(0))
        .optional()?
        .flatten();
    Ok(grid.and_then(|grid| grid.parse().ok()))
}

/// The incarnation's last batch. The first of a new incarnation follows the last batch that the server holds of this device, whatever its incarnation.
fn last_sealed(db: &Connection, incarnation: Incarnation) -> Result<(u64, Hash), StoreError> {
    let last = db
        .prepare_cached("SELECT seq, hash FROM batches WHERE incarnation = ?1 ORDER BY seq DESC LIMIT 1")?
        .query_row([incarnation.as_bytes()], |row| Ok((row.get(0)?, Hash(row.get(1)?))))
        .optional()?;
    match last {
        Some(last) => Ok(last),
        None => Ok((0, meta::get(db, meta::OUTBOX)?.map_or(Hash::ZERO, |head| head.hash))),
    }
}

/// The batches that the server is not known to hold, oldest first, as many as one request takes.
fn unheld(db: &Connection) -> Result<(Vec<SealedBytes>, Vec<i64>), StoreError> {
    let mut statement = db.prepare_cached("SELECT n, bytes FROM batches WHERE held = 0 AND void = 0 AND bytes IS NOT NULL ORDER BY n LIMIT ?1")?;
    let mut rows = statement.query([limits::MAX_BATCHES as u64])?;
    let (mut batches, mut sent, mut total) = (Vec::new(), Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let bytes: Vec<u8> = row.get(1)?;
        total += bytes.len();
        if total > MAX_SENT && !batches.is_empty() {
            break;
        }
        batches.push(SealedBytes(bytes));
        sent.push(row.get(0)?);
    }
    Ok((batches, sent))
}

fn positions(db: &Connection) -> Result<Vec<Position>, StoreError> {
    let cursors = cursors(db)?;
    Ok(cursors.into_iter().take(limits::MAX_STREAMS).map(|Cursor { stream, epoch, seq, .. }| Position { stream, epoch, seq }).collect())
}

/// The cursor vector, sorted by stream.
pub(super) fn cursors(db: &Connection) -> Result<Vec<Cursor>, StoreError> {
    Ok(db
        .prepare_cached("SELECT stream, epoch, seq, chain FROM streams ORDER BY stream")?
        .query_map([], |row| Ok(Cursor { stream: StreamId::from_bytes(row.get(0)?), epoch: row.get(1)?, seq: row.get(2)?, chain: Hash(row.get(3)?) }))?
        .collect::<Result<_, _>>()?)
}

/// Everything that sync depends on. A copied store claims to hold no batch: references to batches that another phone sealed under its incarnation would
/// not fit, so the server is to send entries whole.
pub(super) fn state(db: &Connection, incarnation: Incarnation) -> Result<SyncState, StoreError> {
    let nothing = OutboxHead { incarnation, seq: 0, hash: Hash::ZERO };
    let claims = meta::get(db, meta::RENEW)? != Some(Renew::Copied) && !meta::get(db, meta::CLAIM_NOTHING)?.unwrap_or(false);
    let outbox = meta::get(db, meta::OUTBOX)?.filter(|_| claims).unwrap_or(nothing);
    Ok(SyncState { cursors: cursors(db)?, outbox })
}
