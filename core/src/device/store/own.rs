//! Own work: what this device wrote, from the save to the receipt.

use minicbor::{Decode, Encode};
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::outbox::Outstanding;
use super::{StoreError, meta};
use crate::domain::code::codes;
use crate::domain::id::{DocId, FactId, Hash};
use crate::domain::policy::Refusal;

codes! {
    /// How far a piece of own work is.
    pub enum Standing {
        /// Saved; in no batch yet.
        New = 0 "new",
        /// In a sealed batch.
        Sealed = 1 "sealed",
        /// The centre has it.
        Received = 2 "received",
        /// The centre did not let it in.
        Refused = 3 "refused",
        /// To be done again under a new incarnation.
        Redo = 4 "redo",
        /// Done again and failed again: a person decides.
        Decide = 5 "decide",
        /// The centre keeps it until what it depends on arrives.
        Waiting = 6 "waiting",
        /// The centre keeps it aside for an administrator.
        Quarantined = 7 "quarantined",
        /// Done again; a later row carries the edit.
        Replaced = 8 "replaced",
        /// The person gave it up.
        Discarded = 9 "discarded",
        /// Was received by a server that lost it: to be delivered again.
        Again = 10 "again",
    }
}

codes! {
    /// Where a record's or an edit's work is, as a person sees it. Told from receipts only.
    pub enum DeliveryState {
        /// Nothing of this device's own is in it.
        Theirs = 0 "theirs",
        /// On this phone.
        OnPhone = 1 "on_phone",
        /// Received by the centre.
        Received = 2 "received",
        /// Was received, and is to be delivered again: the centre restored a backup.
        Again = 3 "again",
        /// Refused, for a reason.
        Refused = 4 "refused",
        /// A person decides what is to become of it.
        Decide = 5 "decide",
        /// The centre waits for what it depends on.
        Waiting = 6 "waiting",
        /// The centre keeps it aside for an administrator.
        Quarantined = 7 "quarantined",
        /// Given up by the person.
        Discarded = 8 "discarded",
        /// Done again: a later edit stands for it. Only a history shows it.
        Replaced = 9 "replaced",
    }
}

/// Where work is, with what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Where it is.
    pub state: DeliveryState,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Refusal>,
    /// When the centre received it, milliseconds since 1970, server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_ms: Option<i64>,
}

impl Delivery {
    pub(super) fn from_columns(state: u8, reason: Option<u8>, received_ms: Option<i64>) -> Self {
        Self { state: DeliveryState::from_code(state), reason: reason.map(Refusal::from_code), received_ms }
    }
}

impl Standing {
    /// What a person sees of it.
    #[must_use]
    pub const fn delivery(self) -> DeliveryState {
        match self {
            Self::New | Self::Sealed | Self::Redo | Self::Other(_) => DeliveryState::OnPhone,
            Self::Received => DeliveryState::Received,
            Self::Replaced => DeliveryState::Replaced,
            Self::Refused => DeliveryState::Refused,
            Self::Decide => DeliveryState::Decide,
            Self::Waiting => DeliveryState::Waiting,
            Self::Quarantined => DeliveryState::Quarantined,
            Self::Discarded => DeliveryState::Discarded,
            Self::Again => DeliveryState::Again,
        }
    }

    /// Whether it still has to get to the centre.
    #[must_use]
    pub const fn undelivered(self) -> bool {
        matches!(self, Self::New | Self::Sealed | Self::Redo | Self::Waiting | Self::Quarantined | Self::Again)
    }
}

/// What had become of the phone's work when the centre revoked it and its store was wiped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
pub struct Wiped {
    /// When, milliseconds since 1970, phone's clock.
    #[n(0)]
    pub at_ms: i64,
    /// Edits and facts that the centre had received.
    #[n(1)]
    pub received: u32,
    /// Those that the centre keeps aside until its administrator decides.
    #[n(2)]
    pub kept_aside: u32,
    /// Those that never reached the centre, or were refused: they are lost with the store.
    #[n(3)]
    pub lost: u32,
}

/// Counts what becomes of own work with a store that is wiped now; what was counted before stays. A revoked phone's
/// request is admitted to the quarantine before it is told, so what it carried is kept aside.
pub(super) fn wiped(db: &Connection, asked: Option<&Outstanding>, at_ms: i64) -> Result<Option<Wiped>, StoreError> {
    if meta::get(db, meta::IDENTITY)?.is_none() {
        return meta::get(db, meta::WIPED);
    }
    let mut wiped = Wiped { at_ms, received: 0, kept_aside: 0, lost: 0 };
    let mut rows = db.prepare("SELECT status, batch FROM own WHERE status NOT IN (8, 9)")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let standing = Standing::from_code(row.get(0)?);
        let batch: Option<i64> = row.get(1)?;
        let sent = || asked.zip(batch).is_some_and(|(asked, batch)| asked.sent.contains(&batch));
        match standing {
            Standing::Received => wiped.received += 1,
            Standing::Quarantined | Standing::Waiting => wiped.kept_aside += 1,
            _ if sent() => wiped.kept_aside += 1,
            _ => wiped.lost += 1,
        }
    }
    Ok(Some(wiped))
}

/// Standings whose work is not yet safe at the centre, for SQL.
pub(super) const UNDELIVERED: &str = "(0, 1, 4, 6, 7, 10)";

/// Standings that a person decides about, for SQL: what he wrote is kept until he has.
pub(super) const UNDECIDED: &str = "(3, 5)";

/// What of a record's own work stands out most.
pub(super) fn of_record(db: &Connection, doc: DocId) -> Result<Delivery, StoreError> {
    let mut statement = db.prepare_cached("SELECT status, reason, received_ms FROM own WHERE doc = ?1 AND status <> 8")?;
    let mut rows = statement.query([doc.as_bytes()])?;
    let mut found = Delivery { state: DeliveryState::Theirs, reason: None, received_ms: None };
    while let Some(row) = rows.next()? {
        let state = Standing::from_code(row.get(0)?).delivery();
        let received: Option<i64> = row.get(2)?;
        found.received_ms = found.received_ms.max(received);
        if weight(state) > weight(found.state) {
            found.state = state;
            found.reason = row.get::<_, Option<u8>>(1)?.map(Refusal::from_code);
        }
    }
    Ok(found)
}

const fn weight(state: DeliveryState) -> u8 {
    match state {
        DeliveryState::Theirs | DeliveryState::Replaced | DeliveryState::Other(_) => 0,
        DeliveryState::Discarded => 1,
        DeliveryState::Received => 2,
        DeliveryState::OnPhone => 3,
        DeliveryState::Waiting => 4,
        DeliveryState::Quarantined => 5,
        DeliveryState::Again => 6,
        DeliveryState::Refused => 7,
        DeliveryState::Decide => 8,
    }
}

/// A row of `own`.
#[derive(Debug, Clone)]
pub(super) struct OwnRow {
    pub(super) n: i64,
    pub(super) doc: Option<DocId>,
    pub(super) kind: u8,
    pub(super) edit: Hash,
    pub(super) change: Hash,
    pub(super) fact: Option<FactId>,
    pub(super) raw: Option<Vec<u8>>,
    pub(super) command: Option<Vec<u8>>,
    pub(super) made_ms: i64,
    pub(super) standing: Standing,
    pub(super) attempt: u32,
    /// How far the streams had been read when it was done, where it could not be sealed then.
    pub(super) positions: Option<Vec<u8>>,
    /// What its author had before him: [`super::seen::Seen`].
    pub(super) seen: Option<Vec<u8>>,
}

/// Columns of [`OwnRow`], in the order [`OwnRow::read`] takes them.
pub(super) const COLUMNS: &str = "n, doc, kind, edit, change, fact, raw, command, made_ms, status, attempt, positions, seen";

/// How many columns that are.
pub(super) const WIDTH: usize = 13;

impl OwnRow {
    pub(super) fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            n: row.get(0)?,
            doc: row.get::<_, Option<[u8; 16]>>(1)?.map(DocId::from_bytes),
            kind: row.get(2)?,
            edit: Hash(row.get(3)?),
            change: Hash(row.get(4)?),
            fact: row.get::<_, Option<[u8; 16]>>(5)?.map(FactId::from_bytes),
            raw: row.get(6)?,
            command: row.get(7)?,
            made_ms: row.get(8)?,
            standing: Standing::from_code(row.get(9)?),
            attempt: row.get(10)?,
            positions: row.get(11)?,
            seen: row.get(12)?,
        })
    }

    /// Writes it as a new row.
    pub(super) fn insert(&self, db: &Connection) -> Result<i64, StoreError> {
        db.prepare_cached(
            "INSERT INTO own (doc, kind, edit, change, fact, raw, command, made_ms, status, attempt, positions, seen)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            self.doc.map(|doc| *doc.as_bytes()),
            self.kind,
            self.edit.0,
            self.change.0,
            self.fact.map(|fact| *fact.as_bytes()),
            self.raw,
            self.command,
            self.made_ms,
            self.standing.code(),
            self.attempt,
            self.positions,
            self.seen
        ])?;
        Ok(db.last_insert_rowid())
    }
}

/// Moves a row to another standing.
pub(super) fn set(db: &Connection, n: i64, standing: Standing, reason: Option<Refusal>, received_ms: Option<i64>) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE own SET status = ?2, reason = ?3, received_ms = coalesce(?4, received_ms) WHERE n = ?1")?.execute(params![
        n,
        standing.code(),
        reason.map(Refusal::code),
        received_ms
    ])?;
    Ok(())
}

/// Whether this device wrote the change.
pub(super) fn made(db: &Connection, change: Hash) -> Result<bool, StoreError> {
    Ok(db.prepare_cached("SELECT 1 FROM own WHERE change = ?1")?.exists([change.0])?)
}

/// The centre has an edit after all, by whatever change: it is neither to be done again nor to be decided about. Says whether it was.
///
/// It is looked for first. An UPDATE that may fail half-way begins with a savepoint, before which FTS5 writes what it has, even when no row is found: with
/// one for each change that arrived, a long answer spent an eighth of its time on writing and merging pieces of the index.
pub(super) fn arrived(db: &Connection, doc: DocId, edit: Hash) -> Result<bool, StoreError> {
    let undecided = "SELECT n FROM own WHERE edit = ?1 AND doc = ?2 AND status IN (3, 4, 5)";
    let rows: Vec<i64> = db.prepare_cached(undecided)?.query_map(params![edit.0, doc.as_bytes()], |row| row.get(0))?.collect::<Result<_, rusqlite::Error>>()?;
    for n in &rows {
        db.prepare_cached("UPDATE own SET status = 2, reason = NULL, raw = NULL WHERE n = ?1")?.execute([n])?;
    }
    Ok(!rows.is_empty())
}

/// Takes a row's change out of the overlay: it is confirmed, or will never be.
pub(super) fn drop_raw(db: &Connection, n: i64) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE own SET raw = NULL WHERE n = ?1")?.execute([n])?;
    Ok(())
}

/// Index of a redo among a document's changes, and its edit id.
pub(super) type Redo = (u32, Hash);

/// `documents.edits`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct Redos(#[n(0)] pub(super) Vec<Redo>);
