//! What streams brought and this version does not take: why, how much, and that a newer version reads it again.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::{StoreError, meta};
use crate::domain::code::codes;
use crate::domain::id::StreamId;
use crate::domain::words::Words;
use crate::record::gate::GateError;

codes! {
    /// Why something that a stream brought was not taken.
    pub enum ParkReason {
        /// Larger than one of its kind may be.
        TooLarge = 1 "too_large",
        /// Not what a record or a fact is made of.
        Malformed = 2 "malformed",
        /// Its place in its author's sequence is taken.
        Sequence = 3 "sequence",
        /// It waits for what it builds on.
        Waiting = 4 "waiting",
        /// The record is at a limit.
        Full = 5 "full",
        /// A newer version wrote it.
        Unread = 6 "unread",
        /// The phone keeps no more.
        StoreFull = 7 "store_full",
    }
}

impl ParkReason {
    pub(super) const fn of(error: &GateError) -> Self {
        match error {
            GateError::TooLarge(_) => Self::TooLarge,
            GateError::RecordFull(_) => Self::Full,
            GateError::UnknownDependency(_) => Self::Waiting,
            GateError::BadSequence { expected, found } if *found > *expected => Self::Waiting,
            GateError::BadSequence { .. } => Self::Sequence,
            GateError::Malformed(_) | GateError::WrongActor | GateError::Rewrite | GateError::AlreadyHeld => Self::Malformed,
        }
    }

    /// What earlier versions kept as words counts as not read.
    pub(super) fn from_name(name: &str) -> Self {
        Self::ALL.iter().copied().find(|reason| reason.name() == Some(name)).unwrap_or(Self::Unread)
    }

    /// What to tell a person.
    #[must_use]
    pub const fn words(self) -> Words {
        let (zh, en) = match self {
            Self::TooLarge => ("内容超过允许的大小，未收入", "Larger than it may be; not taken in"),
            Self::Malformed => ("内容格式不对，未收入", "Not in the right form; not taken in"),
            Self::Sequence => ("与已有的修改冲突，未收入", "Its place is taken by another change; not taken in"),
            Self::Waiting => ("所依据的修改尚未收到，先搁置", "What it builds on is not here yet; kept aside"),
            Self::Full => ("该记录已达上限，未收入", "The record is full; not taken in"),
            Self::Unread | Self::Other(_) => ("由新版本写成，更新应用后再读", "Written by a newer version; read again after an update"),
            Self::StoreFull => ("本机存放已达上限，未收入", "This phone keeps no more; not taken in"),
        };
        Words { zh, en }
    }
}

/// What is parked for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// Why.
    pub reason: ParkReason,
    /// Records that lack something for it.
    pub records: u32,
    /// Entries that were left out for it, beside what records lack.
    pub entries: u64,
}

/// What is parked, and why.
pub(super) fn parked(db: &Connection) -> Result<Vec<Parked>, StoreError> {
    let mut all: BTreeMap<ParkReason, Parked> = BTreeMap::new();
    let sums = "SELECT parked, count(*), 0 FROM documents WHERE parked IS NOT NULL GROUP BY parked
                UNION ALL SELECT reason, 0, sum(entries) FROM left_out GROUP BY reason";
    let mut statement = db.prepare_cached(sums)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let reason = ParkReason::from_name(&row.get::<_, String>(0)?);
        let sum = all.entry(reason).or_insert(Parked { reason, records: 0, entries: 0 });
        sum.records += row.get::<_, u32>(1)?;
        sum.entries += u64::try_from(row.get::<_, i64>(2)?).unwrap_or_default();
    }
    Ok(all.into_values().collect())
}

/// Entries of streams were left out. What they were is not kept: there may be any number of them.
pub(super) fn left_out(db: &Connection, stream: StreamId, reason: ParkReason, entries: u64) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT INTO left_out (stream, reason, entries) VALUES (?1, ?2, ?3)
         ON CONFLICT (stream, reason) DO UPDATE SET entries = entries + excluded.entries",
    )?
    .execute(params![stream.as_bytes(), reason.to_string(), i64::try_from(entries).unwrap_or(i64::MAX)])?;
    Ok(())
}

/// The kinds of facts that this version knows, for SQL; as in the index over the others.
pub(super) const KNOWN_FACTS: &str = "(1, 2, 3, 4, 5, 6, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109)";

/// What this version takes; one more whenever it is more than the version before took.
pub(super) const TAKES: u32 = 1;

/// A version that takes more than the one before reads again what was left out: the streams from their start.
pub(super) fn read_again(db: &Connection) -> Result<(), StoreError> {
    if meta::get(db, meta::TAKES)? == Some(TAKES) {
        return Ok(());
    }
    db.execute_batch(
        "UPDATE streams SET reread = 1 WHERE stream IN (SELECT stream FROM left_out)
             OR stream IN (SELECT h.stream FROM held h JOIN documents d ON d.doc = h.item WHERE d.dropped > 0);
         DELETE FROM left_out;
         UPDATE documents SET dropped = 0 WHERE dropped > 0;",
    )?;
    meta::put(db, meta::TAKES, &TAKES)
}
