//! Reading: one query a method.

use std::collections::BTreeMap;

use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::case::State;
use fieldgrid_core::domain::fact::Fact;
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::id::{ActionId, DeviceId, DocId, FactId, GrantId, Hash, Incarnation, OrgId, StreamId, UserId};
use fieldgrid_core::domain::time::Interval;
use fieldgrid_core::record::RecordKind;
use fieldgrid_core::wire::batch::ChangeItem;
use fieldgrid_core::wire::entry::{Entry, Join, Leave};
use fieldgrid_core::wire::sync::{Cursor, StateHash};
use rusqlite::{OptionalExtension as _, Params, Row};

use super::Connected;
use super::columns::{area, bytes, from_cbor, maybe, missing, number, sql, under, why_code};
use super::rows::{batch_row, case_row, device_row, doc_row, grant_columns, grant_row, held_row, incarnation_row, org_row, placed_row, stay_row, stream_row};
use crate::store::{
    ActionRow, BatchRow, CaseRow, ContradictionRow, DeviceRow, DocRow, DocStream, Epoch, FactRow, GrantRow, HeldRow, HouseholdRow, IncarnationRow, InviteRow,
    Missing, OrgRow, Origin, PackRow, PhoneRow, Placed, Read, Result, StateRow, StoreError, StreamKey, StreamRow, Why,
};

/// Queries with their statements cached.
trait Query: Connected {
    fn one<T>(&self, text: &str, params: impl Params, read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>) -> Result<Option<T>> {
        Ok(self.sql().prepare_cached(text)?.query_row(params, read).optional()?)
    }

    fn all<T>(&self, text: &str, params: impl Params, read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>) -> Result<Vec<T>> {
        Ok(self.sql().prepare_cached(text)?.query_map(params, read)?.collect::<rusqlite::Result<_>>()?)
    }
}

impl<C: Connected + ?Sized> Query for C {}

const STREAM: &str = "SELECT id, kind, area, org, device, head, chain, (SELECT min(epoch) FROM epoch_streams WHERE stream = id) FROM streams";
const PLACED: &str = "SELECT s.seq, s.chain, e.id, e.hash, e.fact_kind, e.incarnation, e.batch, e.item, length(e.body)
    FROM stream_entries s JOIN entries e ON e.id = s.entry WHERE s.stream = ?1";
const DOC: &str = "SELECT id, kind, area, heads, changes, author FROM docs";
const STAY: &str = "SELECT stream, joined, through, left FROM doc_streams";
const DEVICE: &str = "SELECT id, key, user, stream, standing, enrolled_ms, heard_ms, refused FROM devices";
const INCARNATION: &str = "SELECT id, device, place, closed, seq, hash, safe FROM incarnations";
const BATCH: &str = "SELECT incarnation, seq, hash, header, signature, items, verdict, received_ms FROM batches";
const HELD: &str = "SELECT id, why, device, incarnation, seq, item, doc, missing, body, since_ms FROM held";
const CASE: &str =
    "SELECT doc, area, number, state, title, category, severity, reopen_pending, flags, actions, reporter, due_ms, created_ms, updated_ms, progress
    FROM cases";

impl<C: Connected> Read for C {
    fn meta(&self, key: &str) -> Result<Option<Vec<u8>>> {
        self.one("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
    }

    fn epochs(&self) -> Result<Vec<Epoch>> {
        self.all("SELECT epoch, opened_ms FROM epochs ORDER BY epoch", [], |row| Ok(Epoch { epoch: row.get(0)?, opened_ms: row.get(1)? }))
    }

    fn epochs_of(&self, stream: StreamId) -> Result<Vec<(u32, u64)>> {
        self.all("SELECT epoch, first FROM epoch_streams WHERE stream = ?1 ORDER BY epoch", [stream.as_bytes()], |row| Ok((row.get(0)?, number(row, 1)?)))
    }

    fn stream(&self, id: StreamId) -> Result<Option<StreamRow>> {
        self.one(&format!("{STREAM} WHERE id = ?1"), [id.as_bytes()], stream_row)
    }

    fn stream_for(&self, key: StreamKey) -> Result<Option<StreamRow>> {
        match key {
            StreamKey::Grid(area) | StreamKey::Desk(area) | StreamKey::Scope(area) => {
                self.one(&format!("{STREAM} WHERE kind = ?1 AND area = ?2"), (key.kind().code(), area.to_string()), stream_row)
            }
            StreamKey::Assignments(org) => self.one(&format!("{STREAM} WHERE org = ?1"), [org.as_bytes()], stream_row),
            StreamKey::Device(device) => self.one(&format!("{STREAM} WHERE device = ?1"), [device.as_bytes()], stream_row),
        }
    }

    fn grids_under(&self, scope: AreaCode) -> Result<Vec<StreamRow>> {
        let (from, to) = under(scope);
        self.all(&format!("{STREAM} WHERE kind = 1 AND area >= ?1 AND area < ?2 ORDER BY area"), (from, to), stream_row)
    }

    fn streams(&self) -> Result<Vec<StreamRow>> {
        self.all(&format!("{STREAM} ORDER BY id"), [], stream_row)
    }

    fn chain_at(&self, stream: StreamId, seq: u64) -> Result<Option<Hash>> {
        if seq == 0 {
            return Ok(Some(Hash::ZERO));
        }
        self.one("SELECT chain FROM stream_entries WHERE stream = ?1 AND seq = ?2", (stream.as_bytes(), sql(seq)), |row| bytes(row, 0).map(Hash))
    }

    fn placed(&self, stream: StreamId, after: u64, limit: usize) -> Result<Vec<Placed>> {
        let text = format!("{PLACED} AND s.seq > ?2 ORDER BY s.seq LIMIT ?3");
        self.all(&text, (stream.as_bytes(), sql(after), limit as i64), placed_row)
    }

    fn facts_in(&self, stream: StreamId, through: u64) -> Result<Vec<Placed>> {
        self.all(&format!("{PLACED} AND s.seq <= ?2 AND e.kind = 2 ORDER BY s.seq"), (stream.as_bytes(), sql(through)), placed_row)
    }

    fn entry(&self, id: i64) -> Result<Entry> {
        let text = "SELECT kind, doc, doc_kind, edit, body FROM entries WHERE id = ?1";
        let (kind, doc, doc_kind, edit, body) = self
            .one(text, [id], |row| Ok((row.get::<_, i64>(0)?, maybe(row, 1)?, row.get::<_, Option<u8>>(2)?, maybe(row, 3)?, row.get::<_, Vec<u8>>(4)?)))?
            .ok_or(StoreError::Damaged("entry"))?;
        let doc = || doc.map(DocId::from_bytes).ok_or(StoreError::Damaged("entry"));
        let record = || doc_kind.map(RecordKind::from_code).ok_or(StoreError::Damaged("entry"));
        Ok(match kind {
            1 => Entry::Change(ChangeItem { doc: doc()?, kind: record()?, edit: edit.map(Hash), raw: body }),
            2 => Entry::Fact(from_cbor::<Fact>(&body, "fact")?),
            3 => {
                let carried: Vec<i64> = from_cbor(&body, "join")?;
                let changes = carried.into_iter().map(|change| self.raw(change)).collect::<Result<_>>()?;
                Entry::Join(Join { doc: doc()?, kind: record()?, changes })
            }
            4 => Entry::Leave(Leave { doc: doc()?, by: from_cbor::<FactId>(&body, "leave")? }),
            _ => return Err(StoreError::Damaged("entry")),
        })
    }

    fn fact(&self, id: FactId) -> Result<Option<FactRow>> {
        let text = "SELECT id, hash FROM entries WHERE fact = ?1 AND kind = 2";
        self.one(text, [id.as_bytes()], |row| Ok(FactRow { id, entry: row.get(0)?, hash: Hash(bytes(row, 1)?) }))
    }

    fn doc(&self, id: DocId) -> Result<Option<DocRow>> {
        self.one(&format!("{DOC} WHERE id = ?1"), [id.as_bytes()], doc_row)
    }

    fn changes(&self, doc: DocId) -> Result<Vec<(i64, ChangeItem)>> {
        self.all("SELECT id, doc_kind, edit, body FROM entries WHERE doc = ?1 AND kind = 1 ORDER BY id", [doc.as_bytes()], |row| {
            Ok((row.get(0)?, ChangeItem { doc, kind: RecordKind::from_code(row.get(1)?), edit: maybe(row, 2)?.map(Hash), raw: row.get(3)? }))
        })
    }

    fn streams_of(&self, doc: DocId) -> Result<Vec<DocStream>> {
        self.all(&format!("{STAY} WHERE doc = ?1 AND left IS NULL ORDER BY stream"), [doc.as_bytes()], stay_row)
    }

    fn stays(&self, doc: DocId) -> Result<Vec<DocStream>> {
        self.all(&format!("{STAY} WHERE doc = ?1 ORDER BY stream, joined"), [doc.as_bytes()], stay_row)
    }

    fn left_above(&self, stream: StreamId, seq: u64) -> Result<bool> {
        let text = "SELECT 1 FROM doc_streams WHERE stream = ?1 AND left > ?2 LIMIT 1";
        Ok(self.one(text, (stream.as_bytes(), sql(seq)), |_| Ok(()))?.is_some())
    }

    fn has_left(&self, doc: DocId, stream: StreamId) -> Result<bool> {
        let text = "SELECT count(*) > 0 AND count(left) = count(*) FROM doc_streams WHERE doc = ?1 AND stream = ?2";
        Ok(self.one(text, (doc.as_bytes(), stream.as_bytes()), |row| row.get(0))?.unwrap_or_default())
    }

    fn docs_in(&self, stream: StreamId) -> Result<Vec<DocRow>> {
        self.all(&format!("{DOC} WHERE id IN (SELECT doc FROM doc_streams WHERE stream = ?1 AND left IS NULL) ORDER BY id"), [stream.as_bytes()], doc_row)
    }

    fn docs(&self) -> Result<Vec<DocRow>> {
        self.all(&format!("{DOC} ORDER BY id"), [], doc_row)
    }

    fn edit(&self, doc: DocId, edit: Hash) -> Result<Option<Hash>> {
        self.one("SELECT change FROM edits WHERE doc = ?1 AND edit = ?2", (doc.as_bytes(), edit.0), |row| bytes(row, 0).map(Hash))
    }

    fn refused(&self, doc: DocId, change: Hash) -> Result<Option<(Hash, Missing)>> {
        self.one("SELECT item, verdict FROM refused WHERE doc = ?1 AND change = ?2", (doc.as_bytes(), change.0), |row| {
            Ok((Hash(bytes(row, 0)?), missing(row.get(1)?)))
        })
    }

    fn actions(&self, doc: DocId) -> Result<Vec<ActionRow>> {
        self.all("SELECT action, entry, earliest, latest FROM actions WHERE doc = ?1", [doc.as_bytes()], |row| {
            let interval = Interval { earliest_ms: row.get(2)?, latest_ms: row.get(3)? };
            Ok(ActionRow { action: ActionId(bytes(row, 0)?), entry: row.get(1)?, interval })
        })
    }

    fn delivered(&self, stream: StreamId, through: u64, entries: &[i64]) -> Result<Vec<i64>> {
        let text = "SELECT 1 FROM stream_entries WHERE entry = ?1 AND stream = ?2 AND seq <= ?3";
        let mut there = Vec::new();
        for entry in entries {
            if self.one(text, (entry, stream.as_bytes(), sql(through)), |_| Ok(()))?.is_some() {
                there.push(*entry);
            }
        }
        Ok(there)
    }

    fn stands_for(&self, doc: DocId) -> Result<BTreeMap<ActionId, Vec<ActionId>>> {
        let rows = self.all("SELECT action, seen FROM stands_for WHERE doc = ?1", [doc.as_bytes()], |row| {
            let seen: Vec<u8> = row.get(1)?;
            Ok((ActionId(bytes(row, 0)?), seen.as_chunks().0.iter().map(|id| ActionId(*id)).collect()))
        })?;
        Ok(rows.into_iter().collect())
    }

    fn device(&self, id: DeviceId) -> Result<Option<DeviceRow>> {
        self.one(&format!("{DEVICE} WHERE id = ?1"), [id.as_bytes()], device_row)
    }

    fn devices_of(&self, user: UserId) -> Result<Vec<DeviceRow>> {
        self.all(&format!("{DEVICE} WHERE user = ?1 AND standing <> 3 ORDER BY enrolled_ms"), [user.as_bytes()], device_row)
    }

    fn session(&self, token: Hash, now_ms: i64) -> Result<Option<DeviceId>> {
        let text = "SELECT device FROM sessions WHERE token = ?1 AND expires_ms > ?2";
        self.one(text, (token.0, now_ms), |row| bytes(row, 0).map(DeviceId::from_bytes))
    }

    fn incarnation(&self, id: Incarnation) -> Result<Option<IncarnationRow>> {
        self.one(&format!("{INCARNATION} WHERE id = ?1"), [id.as_bytes()], incarnation_row)
    }

    fn latest_incarnation(&self, device: DeviceId) -> Result<Option<IncarnationRow>> {
        self.one(&format!("{INCARNATION} WHERE device = ?1 ORDER BY place DESC LIMIT 1"), [device.as_bytes()], incarnation_row)
    }

    fn batch(&self, incarnation: Incarnation, seq: u64) -> Result<Option<BatchRow>> {
        self.one(&format!("{BATCH} WHERE incarnation = ?1 AND seq = ?2"), (incarnation.as_bytes(), sql(seq)), batch_row)
    }

    fn batches(&self, incarnation: Incarnation, after: u64, limit: usize) -> Result<Vec<BatchRow>> {
        let text = format!("{BATCH} WHERE incarnation = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3");
        self.all(&text, (incarnation.as_bytes(), sql(after), limit as i64), batch_row)
    }

    fn incarnations(&self) -> Result<Vec<IncarnationRow>> {
        self.all(&format!("{INCARNATION} ORDER BY device, place"), [], incarnation_row)
    }

    fn grant(&self, id: GrantId) -> Result<Option<GrantRow>> {
        self.one("SELECT body, ended_ms, revoked_ms FROM grants WHERE id = ?1", [id.as_bytes()], grant_columns)?.map(grant_row).transpose()
    }

    fn latest_grant(&self, device: DeviceId) -> Result<Option<GrantRow>> {
        let text = "SELECT body, ended_ms, revoked_ms FROM grants WHERE device = ?1 ORDER BY issued_ms DESC, id DESC LIMIT 1";
        self.one(text, [device.as_bytes()], grant_columns)?.map(grant_row).transpose()
    }

    fn invite(&self, code: Hash) -> Result<Option<InviteRow>> {
        self.one("SELECT role, org, scopes, name, user, expires_ms, used_ms FROM invites WHERE code = ?1", [code.0], |row| {
            let scopes: String = row.get(2)?;
            Ok(InviteRow {
                code,
                role: Role::from_code(row.get(0)?),
                org: maybe(row, 1)?.map(OrgId::from_bytes),
                scopes: scopes.split(' ').filter_map(|scope| scope.parse().ok()).collect(),
                name: row.get(3)?,
                user: UserId::from_bytes(bytes(row, 4)?),
                expires_ms: row.get(5)?,
                used_ms: row.get(6)?,
            })
        })
    }

    fn waiting(&self, doc: DocId) -> Result<Vec<(i64, Option<Hash>)>> {
        self.all("SELECT id, missing FROM held WHERE doc = ?1 AND why = 1 ORDER BY id", [doc.as_bytes()], |row| Ok((row.get(0)?, maybe(row, 1)?.map(Hash))))
    }

    fn waiting_since(&self, before_ms: i64, limit: usize) -> Result<Vec<HeldRow>> {
        self.all(&format!("{HELD} WHERE why = 1 AND since_ms < ?1 ORDER BY id LIMIT ?2"), (before_ms, limit as i64), held_row)
    }

    fn held(&self, device: DeviceId, why: Why) -> Result<(u32, u64)> {
        let text = "SELECT count(*), coalesce(sum(length(body)), 0) FROM held WHERE device = ?1 AND why = ?2";
        Ok(self.one(text, (device.as_bytes(), why_code(why)), |row| Ok((row.get(0)?, number(row, 1)?)))?.unwrap_or_default())
    }

    fn held_item(&self, id: i64) -> Result<Option<HeldRow>> {
        self.one(&format!("{HELD} WHERE id = ?1"), [id], held_row)
    }

    fn quarantined(&self, limit: usize) -> Result<Vec<HeldRow>> {
        self.all(&format!("{HELD} WHERE why = 2 ORDER BY id LIMIT ?1"), [limit as i64], held_row)
    }

    fn state(&self, device: DeviceId, hash: StateHash) -> Result<Option<StateRow>> {
        let text = "SELECT state, directory FROM device_states WHERE device = ?1 AND hash = ?2";
        let columns = self.one(text, (device.as_bytes(), hash.0), |row| Ok((row.get::<_, Vec<u8>>(0)?, bytes(row, 1)?)))?;
        let Some((state, directory)) = columns else {
            return Ok(None);
        };
        Ok(Some(StateRow { hash, state: from_cbor(&state, "device state")?, directory: Hash(directory) }))
    }

    fn contradictions(&self) -> Result<Vec<ContradictionRow>> {
        let text = "SELECT stream, epoch, seq, chain, ours, device, heads, seen_ms FROM contradictions ORDER BY seen_ms, stream, seq";
        self.all(text, [], |row| {
            let at = Cursor { stream: StreamId::from_bytes(bytes(row, 0)?), epoch: row.get(1)?, seq: number(row, 2)?, chain: Hash(bytes(row, 3)?) };
            let ours = row.get::<_, Option<[u8; 32]>>(4)?.map(Hash);
            Ok(ContradictionRow { at, ours, device: DeviceId::from_bytes(bytes(row, 5)?), heads: row.get(6)?, seen_ms: row.get(7)? })
        })
    }

    fn division(&self, code: AreaCode) -> Result<Option<String>> {
        self.one("SELECT name FROM divisions WHERE code = ?1", [code.to_string()], |row| row.get(0))
    }

    fn divisions(&self, scope: AreaCode) -> Result<Vec<(AreaCode, String)>> {
        let (from, to) = under(scope);
        self.all("SELECT code, name FROM divisions WHERE code >= ?1 AND code < ?2 ORDER BY code", (from, to), |row| Ok((area(row, 0)?, row.get(1)?)))
    }

    fn org(&self, id: OrgId) -> Result<Option<OrgRow>> {
        self.one("SELECT id, name, area FROM orgs WHERE id = ?1", [id.as_bytes()], org_row)
    }

    fn orgs(&self, scope: AreaCode) -> Result<Vec<OrgRow>> {
        let (from, to) = under(scope);
        self.all("SELECT id, name, area FROM orgs WHERE area >= ?1 AND area < ?2 ORDER BY name", (from, to), org_row)
    }

    fn person(&self, user: UserId) -> Result<Option<String>> {
        self.one("SELECT name FROM people WHERE user = ?1", [user.as_bytes()], |row| row.get(0))
    }

    fn packs(&self, stream: StreamId) -> Result<Vec<PackRow>> {
        let text = "SELECT seq, epoch, chain, level, size, sha256, built_ms FROM packs WHERE stream = ?1 ORDER BY seq DESC, level DESC";
        self.all(text, [stream.as_bytes()], |row| {
            Ok(PackRow {
                stream,
                seq: number(row, 0)?,
                epoch: row.get(1)?,
                chain: Hash(bytes(row, 2)?),
                level: row.get(3)?,
                size: number(row, 4)?,
                sha256: Hash(bytes(row, 5)?),
                built_ms: row.get(6)?,
            })
        })
    }

    fn case(&self, doc: DocId) -> Result<Option<CaseRow>> {
        self.one(&format!("{CASE} WHERE doc = ?1"), [doc.as_bytes()], case_row)
    }

    fn cases(&self, scope: AreaCode, state: Option<State>, limit: usize) -> Result<Vec<CaseRow>> {
        let (from, to) = under(scope);
        let text = format!("{CASE} WHERE area >= ?1 AND area < ?2 AND (?3 IS NULL OR state = ?3) ORDER BY updated_ms DESC, doc LIMIT ?4");
        self.all(&text, (from, to, state.map(State::code), limit as i64), case_row)
    }

    fn case_counts(&self, scope: AreaCode) -> Result<Vec<(State, u32)>> {
        let (from, to) = under(scope);
        let text = "SELECT state, count(*) FROM cases WHERE area >= ?1 AND area < ?2 GROUP BY state ORDER BY state";
        self.all(text, (from, to), |row| Ok((State::from_code(row.get(0)?), row.get(1)?)))
    }

    fn household(&self, doc: DocId) -> Result<Option<HouseholdRow>> {
        self.one("SELECT doc, area, persons, care, view, updated_ms FROM households WHERE doc = ?1", [doc.as_bytes()], |row| {
            Ok(HouseholdRow {
                doc: DocId::from_bytes(bytes(row, 0)?),
                area: area(row, 1)?,
                persons: row.get(2)?,
                care: row.get(3)?,
                view: row.get(4)?,
                updated_ms: row.get(5)?,
            })
        })
    }

    fn household_counts(&self, scope: AreaCode) -> Result<Vec<(AreaCode, u32, u32, u32)>> {
        let (from, to) = under(scope);
        let text = "SELECT area, count(*), sum(persons), sum(care) FROM households WHERE area >= ?1 AND area < ?2 GROUP BY area ORDER BY area";
        self.all(text, (from, to), |row| Ok((area(row, 0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
    }

    fn phones(&self) -> Result<Vec<PhoneRow>> {
        let devices = self.all(&format!("{DEVICE} ORDER BY heard_ms DESC, id"), [], device_row)?;
        devices.into_iter().map(|device| self.phone(device)).collect()
    }

    fn latest(&self, limit: usize) -> Result<Vec<(i64, Origin)>> {
        let text = "SELECT id, incarnation, batch, item FROM entries WHERE incarnation IS NOT NULL ORDER BY id DESC LIMIT ?1";
        self.all(text, [limit as i64], |row| {
            let origin = Origin { incarnation: Incarnation::from_bytes(bytes(row, 1)?), seq: number(row, 2)?, item: row.get(3)? };
            Ok((row.get(0)?, origin))
        })
    }
}

/// Queries that answer part of a method.
trait Parts: Query {
    fn raw(&self, entry: i64) -> Result<Vec<u8>> {
        self.one("SELECT body FROM entries WHERE id = ?1 AND kind = 1", [entry], |row| row.get(0))?.ok_or(StoreError::Damaged("join"))
    }
}

impl<C: Connected + ?Sized> Parts for C {}

/// What lists of phones need beside the device.
trait Phones: Read + Query {
    fn phone(&self, device: DeviceRow) -> Result<PhoneRow> {
        let grant = self.latest_grant(device.id)?;
        let batches = self.one("SELECT coalesce(sum(seq), 0) FROM incarnations WHERE device = ?1", [device.id.as_bytes()], |row| number(row, 0))?;
        Ok(PhoneRow {
            name: self.person(device.user)?,
            held: (self.held(device.id, Why::Waiting)?.0, self.held(device.id, Why::Quarantined)?.0),
            batches: batches.unwrap_or_default(),
            grant: grant.map(|row| row.grant),
            device,
        })
    }
}

impl<C: Connected> Phones for C {}
