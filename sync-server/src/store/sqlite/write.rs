//! Writing: one statement a method.

use std::collections::BTreeMap;

use fieldgrid_core::domain::action::Severity;
use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::id::{ActionId, DeviceId, DocId, Hash, Incarnation, StreamId, UserId};
use fieldgrid_core::wire::batch::change_hash;
use fieldgrid_core::wire::entry::{Entry, Join, chain};
use rusqlite::{Connection, Params};

use super::Connected;
use super::columns::{cbor, joined, missing_code, sql, standing_code, why_code};
use crate::store::{
    ActionRow, BatchRow, CaseRow, ContradictionRow, DeviceRow, DocRow, DocStream, Epoch, GrantRow, HeldRow, HouseholdRow, InviteRow, Missing, OrgRow, Origin,
    PackRow, Payload, Read as _, Result, Standing, StateRow, StoreError, StreamKey, Write,
};

/// A job's part of a transaction. Counters of the streams that it locked are kept here and written once, at its end.
pub(super) struct Tx<'c> {
    connection: &'c Connection,
    heads: BTreeMap<StreamId, (u64, Hash)>,
    /// The entry written last: most go into their streams at once.
    last: Option<(i64, Hash)>,
}

impl<'c> Tx<'c> {
    pub(super) const fn new(connection: &'c Connection) -> Self {
        Self { connection, heads: BTreeMap::new(), last: None }
    }

    /// Writes the counters.
    pub(super) fn flush(&mut self) -> Result<()> {
        for (stream, (head, chain)) in std::mem::take(&mut self.heads) {
            self.run("UPDATE streams SET head = ?2, chain = ?3 WHERE id = ?1", (stream.as_bytes(), sql(head), chain.0))?;
        }
        Ok(())
    }

    fn run(&self, text: &str, params: impl Params) -> Result<usize> {
        Ok(self.connection.prepare_cached(text)?.execute(params)?)
    }

    fn entry_hash(&self, entry: i64) -> Result<Hash> {
        if let Some((_, hash)) = self.last.filter(|(last, _)| *last == entry) {
            return Ok(hash);
        }
        let mut query = self.connection.prepare_cached("SELECT hash FROM entries WHERE id = ?1")?;
        Ok(query.query_row([entry], |row| row.get(0).map(Hash))?)
    }

    fn join_hash(&self, doc: DocId, kind: fieldgrid_core::record::RecordKind, changes: &[i64]) -> Result<Hash> {
        let mut query = self.connection.prepare_cached("SELECT body FROM entries WHERE id = ?1")?;
        let changes = changes.iter().map(|entry| query.query_row([entry], |row| row.get(0))).collect::<rusqlite::Result<_>>()?;
        Ok(Entry::Join(Join { doc, kind, changes }).hash())
    }
}

impl Connected for Tx<'_> {
    fn sql(&self) -> &Connection {
        self.connection
    }
}

impl Write for Tx<'_> {
    fn set_meta(&mut self, key: &str, value: &[u8]) -> Result<()> {
        self.run("INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value", (key, value)).map(drop)
    }

    fn open_epoch(&mut self, epoch: Epoch) -> Result<()> {
        self.flush()?;
        self.run("INSERT INTO epochs (epoch, opened_ms) VALUES (?1, ?2)", (epoch.epoch, epoch.opened_ms))?;
        self.run("INSERT INTO epoch_streams (stream, epoch, first) SELECT id, ?1, head + 1 FROM streams", [epoch.epoch]).map(drop)
    }

    fn insert_stream(&mut self, id: StreamId, key: StreamKey) -> Result<()> {
        let device = if let StreamKey::Device(device) = key { Some(*device.as_bytes()) } else { None };
        self.run(
            "INSERT INTO streams (id, kind, area, org, device, head, chain) VALUES (?1, ?2, ?3, ?4, ?5, 0, zeroblob(32))",
            (id.as_bytes(), key.kind().code(), key.area().map(|area| area.to_string()), key.org().map(|org| *org.as_bytes()), device),
        )?;
        self.run("INSERT INTO epoch_streams (stream, epoch, first) SELECT ?1, max(epoch), 1 FROM epochs", [id.as_bytes()]).map(drop)
    }

    fn lock_streams(&mut self, ids: &[StreamId]) -> Result<()> {
        for id in ids {
            if !self.heads.contains_key(id) {
                let row = self.stream(*id)?.ok_or(StoreError::Damaged("stream"))?;
                self.heads.insert(*id, (row.head, row.chain));
            }
        }
        Ok(())
    }

    fn insert_entry(&mut self, payload: &Payload, origin: Option<Origin>) -> Result<i64> {
        let (kind, hash, doc, record, change, edit, fact, body) = match payload {
            Payload::Change(item) => {
                (1, item.hash(), Some(item.doc), Some(item.kind), Some(change_hash(&item.raw)), item.edit, None, std::borrow::Cow::Borrowed(&item.raw))
            }
            Payload::Fact(fact) => (2, fact.hash(), fact.subject, None, None, None, Some((fact.id, fact.kind)), std::borrow::Cow::Owned(cbor(fact))),
            Payload::Join { doc, kind, changes } => {
                (3, self.join_hash(*doc, *kind, changes)?, Some(*doc), Some(*kind), None, None, None, std::borrow::Cow::Owned(cbor(changes)))
            }
            Payload::Leave(leave) => (4, Entry::Leave(leave.clone()).hash(), Some(leave.doc), None, None, None, None, std::borrow::Cow::Owned(cbor(&leave.by))),
        };
        self.run(
            "INSERT INTO entries (kind, hash, doc, doc_kind, change, edit, fact, fact_kind, incarnation, batch, item, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            (
                kind,
                hash.0,
                doc.map(|doc| *doc.as_bytes()),
                record.map(|kind| kind.code()),
                change.map(|hash| hash.0),
                edit.map(|hash| hash.0),
                fact.map(|(id, _)| *id.as_bytes()),
                fact.map(|(_, kind)| kind.code()),
                origin.map(|origin| *origin.incarnation.as_bytes()),
                origin.map(|origin| sql(origin.seq)),
                origin.map(|origin| origin.item),
                body.as_slice(),
            ),
        )?;
        let entry = self.connection.last_insert_rowid();
        self.last = Some((entry, hash));
        Ok(entry)
    }

    fn append(&mut self, stream: StreamId, entry: i64) -> Result<u64> {
        let hash = self.entry_hash(entry)?;
        let (head, before) = self.heads.get_mut(&stream).ok_or(StoreError::Damaged("lock of a stream"))?;
        *head += 1;
        *before = chain(*before, hash);
        let (seq, after) = (*head, *before);
        self.run("INSERT INTO stream_entries (stream, seq, entry, chain) VALUES (?1, ?2, ?3, ?4)", (stream.as_bytes(), sql(seq), entry, after.0))?;
        Ok(seq)
    }

    fn put_doc(&mut self, doc: &DocRow, expected: Option<&[Hash]>) -> Result<()> {
        let (id, heads) = (doc.id.as_bytes(), joined(&doc.heads));
        let written = match expected {
            None => self.run(
                "INSERT INTO docs (id, kind, area, heads, changes, author) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
                (id, doc.kind.code(), doc.area.to_string(), heads, doc.changes, doc.author.as_bytes()),
            )?,
            Some(expected) => self.run(
                "UPDATE docs SET area = ?2, heads = ?3, changes = ?4 WHERE id = ?1 AND heads = ?5",
                (id, doc.area.to_string(), heads, doc.changes, joined(expected)),
            )?,
        };
        if written == 1 { Ok(()) } else { Err(StoreError::Changed) }
    }

    fn insert_doc_stream(&mut self, doc: DocId, at: DocStream) -> Result<()> {
        let params = (doc.as_bytes(), at.stream.as_bytes(), sql(at.joined), at.through, at.left.map(sql));
        self.run("INSERT INTO doc_streams (doc, stream, joined, through, left) VALUES (?1, ?2, ?3, ?4, ?5)", params).map(drop)
    }

    fn end_doc_stream(&mut self, doc: DocId, stream: StreamId, left: u64) -> Result<()> {
        self.run("UPDATE doc_streams SET left = ?3 WHERE doc = ?1 AND stream = ?2 AND left IS NULL", (doc.as_bytes(), stream.as_bytes(), sql(left))).map(drop)
    }

    fn insert_edit(&mut self, doc: DocId, edit: Hash, change: Hash) -> Result<()> {
        // Whoever was first has the edit: a twin that was written meanwhile makes the gate run again.
        let written = self.run("INSERT INTO edits (doc, edit, change) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", (doc.as_bytes(), edit.0, change.0))?;
        if written == 1 { Ok(()) } else { Err(StoreError::Changed) }
    }

    fn insert_refused(&mut self, doc: DocId, change: Hash, item: Hash, why: Missing) -> Result<()> {
        let params = (doc.as_bytes(), change.0, item.0, missing_code(why));
        self.run("INSERT INTO refused (doc, change, item, verdict) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING", params).map(drop)
    }

    fn insert_action(&mut self, doc: DocId, action: &ActionRow) -> Result<()> {
        let params = (doc.as_bytes(), action.action.0, action.entry, action.interval.earliest_ms, action.interval.latest_ms);
        self.run("INSERT INTO actions (doc, action, entry, earliest, latest) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING", params).map(drop)
    }

    fn insert_stands_for(&mut self, doc: DocId, action: ActionId, seen: &[ActionId]) -> Result<()> {
        let seen: Vec<u8> = seen.iter().flat_map(|id| id.0).collect();
        self.run("INSERT INTO stands_for (doc, action, seen) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", (doc.as_bytes(), action.0, seen)).map(drop)
    }

    fn put_case(&mut self, case: &CaseRow) -> Result<()> {
        self.run(
            "INSERT INTO cases
             (doc, area, number, state, title, category, severity, reopen_pending, flags, actions, reporter, due_ms, created_ms, updated_ms, progress)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
             ON CONFLICT DO UPDATE SET area = ?2, number = ?3, state = ?4, title = ?5, category = ?6, severity = ?7, reopen_pending = ?8, flags = ?9,
                 actions = ?10, reporter = ?11, due_ms = ?12, created_ms = ?13, updated_ms = ?14, progress = ?15",
            rusqlite::params![
                case.doc.as_bytes(),
                case.area.to_string(),
                case.number,
                case.state.code(),
                case.title,
                case.category,
                case.severity.map(Severity::code),
                case.reopen_pending,
                case.flags,
                case.actions,
                case.reporter.code(),
                case.due_ms,
                case.created_ms,
                case.updated_ms,
                case.progress,
            ],
        )
        .map(drop)
    }

    fn put_household(&mut self, household: &HouseholdRow) -> Result<()> {
        let HouseholdRow { doc, area, persons, care, view, updated_ms } = household;
        self.run(
            "INSERT INTO households (doc, area, persons, care, view, updated_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET area = ?2, persons = ?3, care = ?4, view = ?5, updated_ms = ?6",
            (doc.as_bytes(), area.to_string(), persons, care, view, updated_ms),
        )
        .map(drop)
    }

    fn next_serial(&mut self, town: AreaCode, day: &str, floor: u32) -> Result<u32> {
        let mut next = self.connection.prepare_cached(
            "INSERT INTO serials (town, day, last) VALUES (?1, ?2, ?3 + 1) ON CONFLICT DO UPDATE SET last = max(last, ?3) + 1 RETURNING last",
        )?;
        Ok(next.query_row((town.to_string(), day, floor), |row| row.get(0))?)
    }

    fn insert_device(&mut self, device: &DeviceRow) -> Result<()> {
        self.run(
            "INSERT INTO devices (id, key, user, stream, standing, enrolled_ms, heard_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            (
                device.id.as_bytes(),
                device.key.0,
                device.user.as_bytes(),
                device.stream.as_bytes(),
                standing_code(device.standing),
                device.enrolled_ms,
                device.heard_ms,
            ),
        )
        .map(drop)
    }

    fn set_standing(&mut self, device: DeviceId, standing: Standing) -> Result<()> {
        self.run("UPDATE devices SET standing = ?2 WHERE id = ?1", (device.as_bytes(), standing_code(standing))).map(drop)
    }

    fn set_heard(&mut self, device: DeviceId, at_ms: i64) -> Result<()> {
        self.run("UPDATE devices SET heard_ms = max(heard_ms, ?2) WHERE id = ?1", (device.as_bytes(), at_ms)).map(drop)
    }

    fn add_refused(&mut self, device: DeviceId, count: u64) -> Result<()> {
        self.run("UPDATE devices SET refused = refused + ?2 WHERE id = ?1", (device.as_bytes(), sql(count))).map(drop)
    }

    fn open_incarnation(&mut self, id: Incarnation, device: DeviceId) -> Result<()> {
        self.run("UPDATE incarnations SET closed = 1 WHERE device = ?1", [device.as_bytes()])?;
        self.run(
            "INSERT INTO incarnations (id, device, place, closed, seq, hash)
             SELECT ?1, ?2, (SELECT coalesce(max(place), 0) + 1 FROM incarnations WHERE device = ?2), 0, 0, zeroblob(32)",
            (id.as_bytes(), device.as_bytes()),
        )
        .map(drop)
    }

    fn insert_batch(&mut self, batch: &BatchRow) -> Result<()> {
        let id = batch.incarnation.as_bytes();
        let moved =
            self.run("UPDATE incarnations SET seq = ?2, hash = ?3 WHERE id = ?1 AND seq = ?2 - 1 AND closed = 0", (id, sql(batch.seq), batch.hash.0))?;
        if moved != 1 {
            return Err(StoreError::Changed);
        }
        self.run(
            "INSERT INTO batches (incarnation, seq, hash, header, signature, items, verdict, received_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            (id, sql(batch.seq), batch.hash.0, &batch.header, batch.signature.0, joined(&batch.items), batch.verdict, batch.received_ms),
        )
        .map(drop)
    }

    fn set_verdict(&mut self, incarnation: Incarnation, seq: u64, entry: i64) -> Result<()> {
        self.run("UPDATE batches SET verdict = ?3 WHERE incarnation = ?1 AND seq = ?2", (incarnation.as_bytes(), sql(seq), entry)).map(drop)
    }

    fn set_safe(&mut self, incarnation: Incarnation, seq: u64) -> Result<()> {
        self.run("UPDATE incarnations SET safe = max(safe, ?2) WHERE id = ?1", (incarnation.as_bytes(), sql(seq))).map(drop)
    }

    fn insert_held(&mut self, held: &HeldRow) -> Result<()> {
        self.run(
            "INSERT INTO held (why, device, incarnation, seq, item, doc, missing, body, since_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            (
                why_code(held.why),
                held.device.as_bytes(),
                held.origin.incarnation.as_bytes(),
                sql(held.origin.seq),
                held.origin.item,
                held.doc.map(|doc| *doc.as_bytes()),
                held.missing.map(|hash| hash.0),
                &held.body,
                held.since_ms,
            ),
        )
        .map(drop)
    }

    fn delete_held(&mut self, id: i64) -> Result<()> {
        // Whoever released it first has it.
        if self.run("DELETE FROM held WHERE id = ?1", [id])? == 1 { Ok(()) } else { Err(StoreError::Changed) }
    }

    fn insert_grant(&mut self, row: &GrantRow) -> Result<()> {
        let grant = &row.grant;
        self.run("UPDATE grants SET ended_ms = ?2 WHERE device = ?1 AND ended_ms IS NULL", (grant.device.as_bytes(), grant.issued_ms))?;
        self.run(
            "INSERT INTO grants (id, device, body, issued_ms, ended_ms, revoked_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (grant.id.as_bytes(), grant.device.as_bytes(), cbor(grant), grant.issued_ms, row.ended_ms, row.revoked_ms),
        )
        .map(drop)
    }

    fn revoke_grants(&mut self, device: DeviceId, at_ms: i64) -> Result<()> {
        self.run("UPDATE grants SET revoked_ms = ?2 WHERE device = ?1 AND revoked_ms IS NULL", (device.as_bytes(), at_ms)).map(drop)
    }

    fn insert_invite(&mut self, invite: &InviteRow) -> Result<()> {
        let scopes: Vec<String> = invite.scopes.iter().map(ToString::to_string).collect();
        self.run(
            "INSERT INTO invites (code, role, org, scopes, name, user, expires_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            (
                invite.code.0,
                invite.role.code(),
                invite.org.map(|org| *org.as_bytes()),
                scopes.join(" "),
                &invite.name,
                invite.user.as_bytes(),
                invite.expires_ms,
            ),
        )
        .map(drop)
    }

    fn use_invite(&mut self, code: Hash, at_ms: i64) -> Result<bool> {
        Ok(self.run("UPDATE invites SET used_ms = ?2 WHERE code = ?1 AND used_ms IS NULL", (code.0, at_ms))? == 1)
    }

    fn insert_session(&mut self, token: Hash, device: DeviceId, expires_ms: i64, now_ms: i64) -> Result<()> {
        self.run("DELETE FROM sessions WHERE device = ?1 AND expires_ms <= ?2", (device.as_bytes(), now_ms))?;
        self.run("INSERT INTO sessions (token, device, expires_ms) VALUES (?1, ?2, ?3)", (token.0, device.as_bytes(), expires_ms))?;
        self.run(
            "DELETE FROM sessions WHERE device = ?1 AND token NOT IN (SELECT token FROM sessions WHERE device = ?1 ORDER BY expires_ms DESC LIMIT 4)",
            [device.as_bytes()],
        )
        .map(drop)
    }

    fn use_signed(&mut self, device: DeviceId, hash: Hash, keep: u32) -> Result<bool> {
        let used = self.run(
            "INSERT INTO signed_requests (device, hash, at) SELECT ?1, ?2, coalesce(max(at), 0) + 1 FROM signed_requests WHERE device = ?1 ON CONFLICT DO NOTHING",
            (device.as_bytes(), hash.0),
        )?;
        self.run(
            "DELETE FROM signed_requests WHERE device = ?1 AND at <= (SELECT max(at) FROM signed_requests WHERE device = ?1) - ?2",
            (device.as_bytes(), keep),
        )?;
        Ok(used == 1)
    }

    fn end_sessions(&mut self, device: DeviceId) -> Result<()> {
        self.run("DELETE FROM sessions WHERE device = ?1", [device.as_bytes()]).map(drop)
    }

    fn put_states(&mut self, device: DeviceId, states: &[StateRow], keep: usize) -> Result<()> {
        for state in states {
            // Counted, not timed: of two states told in one millisecond, or before the clock was set back, the later one stays.
            self.run(
                "INSERT OR REPLACE INTO device_states (device, hash, state, directory, at)
                 VALUES (?1, ?2, ?3, ?4, (SELECT coalesce(max(at), 0) + 1 FROM device_states WHERE device = ?1))",
                (device.as_bytes(), state.hash.0, cbor(&state.state), state.directory.0),
            )?;
        }
        self.run(
            "DELETE FROM device_states WHERE device = ?1 AND hash NOT IN (SELECT hash FROM device_states WHERE device = ?1 ORDER BY at DESC LIMIT ?2)",
            (device.as_bytes(), keep as i64),
        )
        .map(drop)
    }

    fn insert_contradiction(&mut self, row: &ContradictionRow) -> Result<bool> {
        let ContradictionRow { at, ours, device, heads, seen_ms } = row;
        let added = self.run(
            "INSERT OR IGNORE INTO contradictions (stream, epoch, seq, chain, ours, device, heads, seen_ms)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE (SELECT count(*) FROM contradictions) < 1000",
            (at.stream.as_bytes(), at.epoch, sql(at.seq), at.chain.0, ours.map(|hash| hash.0), device.as_bytes(), heads, seen_ms),
        )?;
        Ok(added > 0)
    }

    fn put_division(&mut self, code: AreaCode, name: &str) -> Result<()> {
        self.run("INSERT OR REPLACE INTO divisions (code, name) VALUES (?1, ?2)", (code.to_string(), name)).map(drop)
    }

    fn put_org(&mut self, org: &OrgRow) -> Result<()> {
        self.run("INSERT OR REPLACE INTO orgs (id, name, area) VALUES (?1, ?2, ?3)", (org.id.as_bytes(), &org.name, org.area.to_string())).map(drop)
    }

    fn put_person(&mut self, user: UserId, name: &str, area: AreaCode) -> Result<()> {
        self.run("INSERT OR REPLACE INTO people (user, name, area) VALUES (?1, ?2, ?3)", (user.as_bytes(), name, area.to_string())).map(drop)
    }

    fn insert_pack(&mut self, pack: &PackRow) -> Result<()> {
        self.run(
            "INSERT OR REPLACE INTO packs (stream, seq, epoch, chain, level, size, sha256, built_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            (pack.stream.as_bytes(), sql(pack.seq), pack.epoch, pack.chain.0, pack.level, sql(pack.size), pack.sha256.0, pack.built_ms),
        )
        .map(drop)
    }

    fn delete_pack(&mut self, stream: StreamId, sha256: Hash) -> Result<()> {
        self.run("DELETE FROM packs WHERE stream = ?1 AND sha256 = ?2", (stream.as_bytes(), sha256.0)).map(drop)
    }
}
