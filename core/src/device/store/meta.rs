//! Single values of the store, and who the device is.

use minicbor::{Decode, Encode};
use rusqlite::{Connection, OptionalExtension, params};
use zeroize::Zeroizing;

use super::StoreError;
use super::held::Rejected;
use super::own::Wiped;
use crate::domain::grant::Grant;
use crate::domain::id::{DeviceId, Hash, Incarnation, StreamId};
use crate::domain::time::{Anchor, Stamp};
use crate::env::{Environment, random};
use crate::wire::enrol::{ServerKeys, SignedGrant};
use crate::wire::sync::{OutboxHead, Token};

/// The counter that is also kept where backups do not reach: `u64`.
pub(super) const LIFE: Key<u64> = Key::new("life");
/// What the version takes that had the store last ([`super::parked`]).
pub(super) const TAKES: Key<u32> = Key::new("takes");
/// Who the device is.
pub(super) const IDENTITY: Key<Enrolled> = Key::new("identity");
/// The session's token.
pub(super) const TOKEN: Key<Token> = Key::new("token");
/// The server's time at the last answer.
pub(super) const ANCHOR: Key<Anchor> = Key::new("anchor");
/// What the lease is counted by.
pub(super) const CLOCK: Key<Clock> = Key::new("clock");
/// The last batch that the server is known to hold.
pub(super) const OUTBOX: Key<OutboxHead> = Key::new("outbox");
/// The rebuild that is pending.
pub(super) const RENEW: Key<Renew> = Key::new("renew");
/// Batches that the server did not take, without a receipt that says why.
pub(super) const REJECTED: Key<Rejected> = Key::new("rejected");
/// The last own batch that a verified backup of the server covers.
pub(super) const SAFE_THROUGH: Key<u64> = Key::new("safe_through");
/// The server signs its answers: one without a signature is not the server's.
pub(super) const SIGNS: Key<bool> = Key::new("signs");
/// The state changed in a way the server cannot have followed: send it whole.
pub(super) const TELL_STATE: Key<bool> = Key::new("tell_state");
/// A reference to an own batch did not fit: claim to hold none, so that the server sends entries whole.
pub(super) const CLAIM_NOTHING: Key<bool> = Key::new("claim_nothing");
/// Projections are to be made again.
pub(super) const REPROJECT: Key<bool> = Key::new("reproject");

/// The centre told the device to wipe itself, and it has not yet.
pub(super) const WIPE: Key<bool> = Key::new("wipe");

/// What the centre had when it revoked the device and the store was wiped.
pub(super) const WIPED: Key<Wiped> = Key::new("wiped");

const SECRET: &str = "secret";

/// A key of the `meta` table with the type of its value.
pub(super) struct Key<T> {
    name: &'static str,
    of: std::marker::PhantomData<T>,
}

impl<T> Key<T> {
    const fn new(name: &'static str) -> Self {
        Self { name, of: std::marker::PhantomData }
    }
}

/// What enrolment gave, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct Enrolled {
    #[n(0)]
    pub(super) device: DeviceId,
    #[n(1)]
    pub(super) server: String,
    #[n(2)]
    pub(super) root: Hash,
    #[n(3)]
    pub(super) keys: ServerKeys,
    #[n(4)]
    pub(super) stream: StreamId,
    #[n(5)]
    pub(super) name: Option<String>,
}

/// Why own work is to be redone under a new incarnation, and what that waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(super) enum Renew {
    /// Something was refused, stranded or contradicted: as soon as every sealed batch has its verdict.
    #[n(0)]
    Refused,
    /// This store is a copy or was restored: once the streams are read to their heads. What the server does not hold by then, it never will under the old
    /// incarnation.
    #[n(1)]
    Copied,
}

/// What the lease is counted by. A clock set back does not extend it, and a dead battery's clock does not end it (`DESIGN` §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(array)]
pub(super) struct Clock {
    /// The phone's wall clock at the last contact.
    #[n(0)]
    pub(super) contact_ms: i64,
    /// The highest it said since.
    #[n(1)]
    pub(super) high_ms: i64,
    /// Running time since, summed over processes.
    #[n(2)]
    pub(super) run_ms: u64,
}

impl Clock {
    /// Time without contact: the larger of the two counts.
    pub(super) fn alone_ms(self) -> i64 {
        (self.high_ms - self.contact_ms).max(i64::try_from(self.run_ms).unwrap_or(i64::MAX))
    }

    /// The clock after `stamp`, with `since` the monotonic time this process last counted.
    pub(super) fn at(self, stamp: Stamp, since: u64) -> Self {
        Self { high_ms: self.high_ms.max(stamp.wall_ms), run_ms: self.run_ms.saturating_add(stamp.mono_ms.saturating_sub(since)), ..self }
    }
}

/// Who this device is, as a signed grant says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The device.
    pub device: DeviceId,
    /// What it may do; the grant in force.
    pub grant: Grant,
    /// The person's display name.
    pub name: Option<String>,
    /// Base URL of the server.
    pub server: String,
    /// The server's keys; the root is pinned.
    pub keys: ServerKeys,
    /// The device's own stream.
    pub stream: StreamId,
    /// The life of this store: the actor of what is written now.
    pub incarnation: Incarnation,
}

pub(super) fn get<T>(db: &Connection, key: Key<T>) -> Result<Option<T>, StoreError>
where
    T: for<'b> Decode<'b, ()>,
{
    let bytes: Option<Vec<u8>> = db.prepare_cached("SELECT value FROM meta WHERE key = ?1")?.query_row([key.name], |row| row.get(0)).optional()?;
    bytes.map(|bytes| decode(&bytes)).transpose()
}

pub(super) fn put<T: Encode<()>>(db: &Connection, key: Key<T>, value: &T) -> Result<(), StoreError> {
    db.prepare_cached("INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value")?
        .execute(params![key.name, encode(value)])?;
    Ok(())
}

pub(super) fn clear<T>(db: &Connection, key: Key<T>) -> Result<(), StoreError> {
    db.prepare_cached("DELETE FROM meta WHERE key = ?1")?.execute([key.name])?;
    Ok(())
}

pub(super) fn put_secret(db: &Connection, secret: &[u8; 32]) -> Result<(), StoreError> {
    db.execute("INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value", params![SECRET, secret.as_slice()])?;
    Ok(())
}

/// The secret half of the device's key.
pub(super) fn secret(db: &Connection) -> Result<Zeroizing<[u8; 32]>, StoreError> {
    let bytes: Zeroizing<Vec<u8>> = Zeroizing::new(db.query_row("SELECT value FROM meta WHERE key = ?1", [SECRET], |row| row.get(0))?);
    bytes.as_slice().try_into().map(Zeroizing::new).map_err(|_| StoreError::Damaged)
}

/// The life in force.
pub(super) fn incarnation(db: &Connection) -> Result<Incarnation, StoreError> {
    let bytes = db.prepare_cached("SELECT incarnation FROM lives ORDER BY n DESC LIMIT 1")?.query_row([], |row| row.get::<_, [u8; 16]>(0))?;
    Ok(Incarnation::from_bytes(bytes))
}

/// Begins a life.
pub(super) fn new_incarnation(db: &Connection, incarnation: Incarnation) -> Result<(), StoreError> {
    db.execute("INSERT INTO lives (incarnation) VALUES (?1)", [incarnation.as_bytes()])?;
    Ok(())
}

/// Begins the life that follows the one in force.
pub(super) fn next_life(db: &Connection, env: &dyn Environment) -> Result<Incarnation, StoreError> {
    let next = incarnation(db)?.successor(random(env));
    new_incarnation(db, next)?;
    Ok(next)
}

/// Whether `incarnation` is or was a life of this store.
pub(super) fn lived(db: &Connection, incarnation: Incarnation) -> Result<bool, StoreError> {
    Ok(db.prepare_cached("SELECT 1 FROM lives WHERE incarnation = ?1")?.exists([incarnation.as_bytes()])?)
}

/// Who the device is; `None` before enrolment.
pub(super) fn identity(db: &Connection) -> Result<Option<Identity>, StoreError> {
    let Some(enrolled) = get(db, IDENTITY)? else {
        return Ok(None);
    };
    let signed: Vec<u8> = db.query_row("SELECT signed FROM grants ORDER BY seq DESC, issued_ms DESC, grant_id DESC LIMIT 1", [], |row| row.get(0))?;
    let signed: SignedGrant = decode(&signed)?;
    let grant = signed.open(&enrolled.keys.signing).map_err(|_| StoreError::Damaged)?;
    let Enrolled { device, server, root: _, keys, stream, name } = enrolled;
    Ok(Some(Identity { device, grant, name, server, keys, stream, incarnation: incarnation(db)? }))
}

pub(super) fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("encoding into memory does not fail")
}

pub(super) fn decode<T>(bytes: &[u8]) -> Result<T, StoreError>
where
    T: for<'b> Decode<'b, ()>,
{
    minicbor::decode(bytes).map_err(|_| StoreError::Damaged)
}
