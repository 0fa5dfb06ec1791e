//! Whether the server told everyone the same story: every signed position that comes is compared
//! with all that are kept, whoever showed it. What proves two stories is kept, shown to the person,
//! and sent to the centre.

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::apply::i64_of;
use super::{Store, StoreError, meta, position};
use crate::domain::id::{DeviceId, Hash, StreamId};
use crate::domain::words::Words;
use crate::wire::error::WireError;
use crate::wire::limits;
use crate::wire::sync::{Cursor, SignedHeads};
use crate::wire::witness::{HeadsNote, Shown};

/// Most signed positions kept that the device does not stand on.
const MAX_SIGHTINGS: u32 = 512;
/// Most proofs kept; the first are as good as any.
const MAX_SPLIT_VIEWS: u32 = 64;

/// A proof that the server told two stories: at one place of a stream, in one epoch, it signed two
/// chains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitView {
    /// The stream.
    pub stream: StreamId,
    /// The server's epoch.
    pub epoch: u32,
    /// The place.
    pub seq: u64,
    /// The two chains.
    pub chains: [Hash; 2],
    /// When it was found, by the phone's clock, milliseconds since 1970.
    pub seen_ms: i64,
    /// The centre has both signatures.
    pub told: bool,
}

/// What to tell a person of a split view: what is the matter and what to do.
#[must_use]
pub const fn split_view_words() -> Words {
    Words {
        zh: "中心对同一处签署了两种内容：可能有旧数据副本被启动，或密钥被盗；请告知镇街中心管理员",
        en: "The centre signed two contents for one place: an old copy of its data may be running, or its key was stolen. Tell the town centre's administrator",
    }
}

/// What a comparison with another's signed heads came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Compared {
    /// Positions at which both were told the same.
    pub same: u32,
    /// Positions at which the server told two stories.
    pub split: u32,
    /// Positions that this phone has not; kept, and shown to the centre at the next sync.
    pub unknown: u32,
}

/// Why nothing was compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// It is not a note of this centre's signatures.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Storage failed, or the device is not enrolled.
    #[error(transparent)]
    Storage(#[from] StoreError),
}

impl From<rusqlite::Error> for CompareError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.into())
    }
}

impl Store {
    /// The signatures over this phone's latest positions, for another phone or the desk.
    ///
    /// # Errors
    /// Storage.
    pub fn heads_note(&self) -> Result<HeadsNote, StoreError> {
        self.inner.db.read(|db| {
            let latest = "SELECT DISTINCT heads FROM rungs r WHERE heads IS NOT NULL
                 AND seq = (SELECT max(seq) FROM rungs WHERE stream = r.stream) ORDER BY heads DESC LIMIT ?1";
            let mut room = limits::MAX_NOTE - 8;
            let fits = |(_, shown): &(i64, Shown)| {
                let left = room.checked_sub(meta::encode(shown).len());
                room = left.unwrap_or(room);
                left.is_some()
            };
            let shown = shown(db, latest, limits::MAX_SHOWN as u64)?.into_iter().filter(fits);
            Ok(HeadsNote { shown: shown.map(|(_, shown)| shown).collect() })
        })
    }

    /// Compares what the server told another with what it told this phone.
    ///
    /// # Errors
    /// [`CompareError`]; nothing is kept of a note that does not verify.
    pub fn compare(&self, note: &HeadsNote) -> Result<Compared, CompareError> {
        let identity = self.enrolled().ok_or(StoreError::NotEnrolled)?;
        if note.shown.iter().any(|shown| !shown.heads.verify(shown.device, &identity.keys.signing)) {
            return Err(WireError::Unverified("the note: this centre did not sign it").into());
        }
        let now_ms = self.inner.env.stamp().wall_ms;
        let compared = self.inner.db.write(|tx| {
            let mut compared = Compared::default();
            for Shown { device, heads } in &note.shown {
                let n = position::note(tx, *device, heads)?;
                for head in &heads.heads {
                    match compare(tx, head, n, now_ms)? {
                        Seen::Same => compared.same += 1,
                        Seen::Split => compared.split += 1,
                        Seen::Unknown => {
                            compared.unknown += 1;
                            sight(tx, head, n)?;
                        }
                    }
                }
            }
            position::forget(tx)?;
            Ok::<_, StoreError>(compared)
        })?;
        let touched = super::observe::Touched { status: true, ..super::observe::Touched::default() };
        self.inner.announcer.announce(touched);
        Ok(compared)
    }

    /// The proofs that the server told two stories, the oldest first.
    ///
    /// # Errors
    /// Storage.
    pub fn split_views(&self) -> Result<Vec<SplitView>, StoreError> {
        self.inner.db.read(split_views)
    }
}

/// What is known of a signed position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Same,
    Split,
    Unknown,
}

/// Compares a signed position with all that are kept; a contradiction is kept with both signatures.
/// Says what it came to.
pub(super) fn compare(db: &Connection, head: &Cursor, signed: i64, now_ms: i64) -> Result<Seen, StoreError> {
    let place = params![head.stream.as_bytes(), i64_of(head.seq), head.epoch, head.chain.0];
    let other = "SELECT heads FROM rungs WHERE (stream, seq, epoch) = (?1, ?2, ?3) AND chain <> ?4 AND heads IS NOT NULL
         UNION ALL SELECT heads FROM sightings WHERE (stream, seq, epoch) = (?1, ?2, ?3) AND chain <> ?4 LIMIT 1";
    let other: Option<i64> = db.prepare_cached(other)?.query_row(place, |row| row.get(0)).optional()?;
    if let Some(other) = other {
        let keep = "INSERT OR IGNORE INTO split_views (stream, seq, epoch, one, other, seen_ms)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE (SELECT count(*) FROM split_views) < ?7";
        let proof = params![head.stream.as_bytes(), i64_of(head.seq), head.epoch, other, signed, now_ms, MAX_SPLIT_VIEWS];
        if db.prepare_cached(keep)?.execute(proof)? > 0 {
            tracing::error!(stream = %head.stream, seq = head.seq, epoch = head.epoch, "the server signed two chains for one place");
        }
        return Ok(Seen::Split);
    }
    let same = db.prepare_cached("SELECT 1 FROM rungs WHERE (stream, seq, epoch, chain) = (?1, ?2, ?3, ?4)")?.exists(place)?;
    Ok(if same || head.seq == 0 { Seen::Same } else { Seen::Unknown })
}

/// Compares what the server signed for this phone, and keeps it: as a rung where the phone stands
/// on it.
pub(super) fn note(db: &Connection, device: DeviceId, heads: &SignedHeads, now_ms: i64) -> Result<(), StoreError> {
    let signed = position::note(db, device, heads)?;
    for head in &heads.heads {
        compare(db, head, signed, now_ms)?;
        position::keep(db, head, Some(signed))?;
    }
    // What is now a rung needs no other witness.
    let confirmed = "DELETE FROM sightings WHERE EXISTS (SELECT 1 FROM rungs r
         WHERE (r.stream, r.seq, r.epoch, r.chain) = (sightings.stream, sightings.seq, sightings.epoch, sightings.chain))";
    db.prepare_cached(confirmed)?.execute([])?;
    position::forget(db)
}

/// Keeps a position of a stream that this phone reads, to be compared with what comes.
fn sight(db: &Connection, head: &Cursor, signed: i64) -> Result<(), StoreError> {
    let keep = "INSERT OR IGNORE INTO sightings (stream, seq, epoch, chain, heads)
         SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM streams WHERE stream = ?1)";
    db.prepare_cached(keep)?.execute(params![head.stream.as_bytes(), i64_of(head.seq), head.epoch, head.chain.0, signed])?;
    db.prepare_cached("DELETE FROM sightings WHERE n <= (SELECT max(n) FROM sightings) - ?1")?.execute([MAX_SIGHTINGS])?;
    Ok(())
}

/// What the centre has not been shown yet, as much as one request takes, with its rows.
pub(super) fn untold(db: &Connection) -> Result<Vec<(i64, Shown)>, StoreError> {
    let untold = "SELECT one AS heads FROM split_views WHERE told = 0 UNION SELECT other FROM split_views WHERE told = 0
         UNION SELECT heads FROM sightings WHERE told = 0 ORDER BY heads LIMIT ?1";
    shown(db, untold, limits::MAX_SHOWN as u64)
}

/// The centre was shown these.
pub(super) fn told(db: &Connection, heads: &[i64]) -> Result<(), StoreError> {
    for n in heads {
        db.prepare_cached("UPDATE sightings SET told = 1 WHERE heads = ?1")?.execute([n])?;
    }
    let untold: Vec<(Vec<u8>, i64, u32, i64, i64)> = db
        .prepare_cached("SELECT stream, seq, epoch, one, other FROM split_views WHERE told = 0")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?
        .collect::<Result<_, rusqlite::Error>>()?;
    for (stream, seq, epoch, one, other) in untold {
        if heads.contains(&one) && heads.contains(&other) {
            db.prepare_cached("UPDATE split_views SET told = 1 WHERE (stream, seq, epoch) = (?1, ?2, ?3)")?.execute(params![stream, seq, epoch])?;
        }
    }
    Ok(())
}

/// How many proofs there are.
pub(super) fn count(db: &Connection) -> Result<u32, StoreError> {
    Ok(db.prepare_cached("SELECT count(*) FROM split_views")?.query_row([], |row| row.get(0))?)
}

fn shown(db: &Connection, rows: &str, limit: u64) -> Result<Vec<(i64, Shown)>, StoreError> {
    let rows: Vec<i64> = db.prepare(rows)?.query_map([limit], |row| row.get(0))?.collect::<Result<_, rusqlite::Error>>()?;
    let of = |n: i64| {
        let query = "SELECT device, heads FROM signed_heads WHERE n = ?1";
        let (device, heads): ([u8; 16], Vec<u8>) = db.prepare_cached(query)?.query_row([n], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok((n, Shown { device: DeviceId::from_bytes(device), heads: meta::decode(&heads)? }))
    };
    rows.into_iter().map(of).collect()
}

fn split_views(db: &Connection) -> Result<Vec<SplitView>, StoreError> {
    let query = "SELECT v.stream, v.epoch, v.seq, one.heads, other.heads, v.seen_ms, v.told FROM split_views v
         JOIN signed_heads one ON one.n = v.one JOIN signed_heads other ON other.n = v.other ORDER BY v.seen_ms, v.stream, v.seq";
    let mut statement = db.prepare_cached(query)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (stream, epoch, seq) = (StreamId::from_bytes(row.get(0)?), row.get(1)?, row.get(2)?);
        let chain = |heads: Vec<u8>| {
            let heads: SignedHeads = meta::decode(&heads)?;
            let head = heads.heads.iter().find(|head| (head.stream, head.epoch, head.seq) == (stream, epoch, seq));
            head.map(|head| head.chain).ok_or(StoreError::Damaged)
        };
        let chains = [chain(row.get(3)?)?, chain(row.get(4)?)?];
        found.push(SplitView { stream, epoch, seq, chains, seen_ms: row.get(5)?, told: row.get(6)? });
    }
    Ok(found)
}
