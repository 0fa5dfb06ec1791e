//! The device's store: everything a phone knows, encrypted, answering every screen from local storage and losing nothing that was typed.
//!
//! - [`open`](Store::open): every check before the first write; a wrong key, a newer schema or a damaged file is a typed error and destroys nothing.
//! - [`save`](Store::save): one change, its intent and its projections in one durable transaction. It never waits for sync.
//! - [`prepare`](Store::prepare) and [`apply`](Store::apply): the outbox up, the streams down. What is sent was stored first; what is applied was proved first.
//! - queries and [`watch`](Store::watch): lists, records, search, status.
//!
//! A record is a confirmed base with own unconfirmed work over it. The log beats the unconfirmed: what a stream brings is merged into the base, and own work
//! that was refused, stranded or contradicted is done again over it, once (`rebuild.rs`).
//!
//! SQL is in `core/migrations`; the tables are described in `docs/schema.md`, "On the phone".

mod apply;
mod arrivals;
mod author;
mod db;
mod decide;
mod document;
mod form;
mod held;
mod life;
mod list;
mod meta;
mod observe;
mod open;
mod outbox;
mod own;
mod parked;
mod part;
mod position;
mod project;
mod prove;
mod purge;
mod query;
mod rebuild;
mod search;
mod seen;
mod session;
mod steps;
mod typed;
mod view;
mod witness;
mod work;
mod write;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rusqlite::{Connection, ErrorCode};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use apply::{Applied, ApplyError};
pub use form::Form;
pub use meta::Identity;
pub use observe::{Topic, Watch};
pub use open::{Given, OpenError, OpenOptions, Unusable};
pub use outbox::{Ahead, Prepare, Prepared};
pub use own::{Delivery, DeliveryState, Standing, Wiped};
pub use parked::{ParkReason, Parked};
pub use typed::{Correction, Remedy, Typed, TypedAction};
pub use view::{
    CaseDetail, CaseFilter, CaseOrder, CaseRow, EditRow, Hit, HouseholdDetail, HouseholdFilter, HouseholdRow, Names, Page, PageRequest, PageToken, Status,
    StreamRow, Unsent, UnsentReason, VisitRow,
};
pub use witness::{CompareError, Compared, SplitView, split_view_words};
pub use write::{SaveError, Saved};

use crate::domain::id::{Hash, Incarnation, StreamId};
use crate::domain::time::Stamp;
use crate::domain::words::Words;
use crate::env::{Environment, random};
use crate::wire::batch::Batch;
use crate::wire::enrol::EnrolAnswer;
use crate::wire::error::WireError;
use crate::wire::suite::KeyPair;
use crate::wire::sync::{OutboxHead, Token};

use db::Database;
use life::LifeFile;
use observe::{Announcer, Touched};
use outbox::Outstanding;

/// The store of one device. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
    /// Whose saves these are; of no form, unless [`Self::for_form`] said so.
    form: Option<Form>,
}

struct Inner {
    db: Database,
    env: Arc<dyn Environment>,
    /// Most bytes that it holds of what streams bring.
    room: u64,
    life: Mutex<LifeFile>,
    /// The one request whose answer may be applied; held while one is prepared or applied.
    outstanding: Mutex<Option<Outstanding>>,
    /// The batch sealed last, until an answer comes: most answers name its contents, and reading it back costs as much as sealing it.
    sealed: Mutex<Option<Batch>>,
    identity: RwLock<Option<Identity>>,
    /// The highest position of each stream that was proved since the store was opened.
    highest: Mutex<BTreeMap<StreamId, (u32, u64)>>,
    /// Up to when running time is counted, in the clock of this process.
    counted_ms: Mutex<u64>,
    /// Last, so that it is dropped last: who waits for its end finds the files closed.
    announcer: Announcer,
}

impl std::fmt::Debug for Inner {
    /// What was typed is in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").finish_non_exhaustive()
    }
}

/// How the store failed. No content is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The device is not enrolled.
    #[error("the device is not enrolled")]
    NotEnrolled,
    /// No space left, or the file system refused to write.
    #[error("this phone's storage is full or cannot be written")]
    Full,
    /// Another process kept the store busy for too long.
    #[error("the store is busy in another process")]
    Busy,
    /// Something stored cannot be read back.
    #[error("something in the store cannot be read")]
    Damaged,
    /// Too long without contact: households are locked until the centre is reached.
    #[error("households are locked until the centre is reached")]
    RegistryLocked,
    /// The centre has yet to approve this phone: until then it may only report.
    #[error("households are locked until the centre has approved this phone")]
    NotApproved,
    /// What watched the store has ended.
    #[error("the store is closed")]
    Closed,
    /// Anything else, by SQLite's extended result code.
    #[error("storage failed (code {0})")]
    Sqlite(i32),
}

impl StoreError {
    /// What to tell a person: what is the matter and what to do.
    #[must_use]
    pub const fn words(&self) -> Words {
        let (zh, en) = match self {
            Self::NotEnrolled => ("本机尚未入网，请扫描镇街中心的二维码", "This phone is not enrolled; scan the town centre's code"),
            Self::Full => ("本机存储已满或无法写入，请清理空间后重试", "This phone's storage is full or cannot be written; make room and try again"),
            Self::Busy => ("本机存储正忙，请稍后再试", "This phone's storage is busy; try again"),
            Self::Damaged => ("本机有内容无法读出，请联系镇街中心", "Something stored on this phone cannot be read; call the town centre"),
            Self::RegistryLocked => {
                ("太久没有联系中心，住户已锁定；连网同步一次即可恢复", "No contact for too long, so households are locked; one sync opens them")
            }
            Self::NotApproved => (
                "本机等待镇街中心确认，确认前只能上报；请联系镇街中心",
                "This phone waits for the centre's approval and may only report until then; call the town centre",
            ),
            Self::Closed => ("应用已关闭本机存储，请重新打开", "The app has closed this phone's storage; open it again"),
            Self::Sqlite(_) => ("本机存储出错，请检查剩余空间", "This phone's storage failed; see whether there is space left"),
        };
        Words { zh, en }
    }

    fn of(error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure | ErrorCode::ReadOnly) => Self::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged,
            _ => match error {
                rusqlite::Error::SqliteFailure(code, _) => Self::Sqlite(code.extended_code),
                rusqlite::Error::SqlInputError { error, .. } => Self::Sqlite(error.extended_code),
                _ => Self::Damaged,
            },
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::of(&error)
    }
}

/// Why enrolment was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnrolError {
    /// The answer is not from the server that the code names.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The device is enrolled already.
    #[error("the device is enrolled already; wipe it first")]
    AlreadyEnrolled,
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StoreError),
}

/// What the device may still do without contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lease {
    /// Everything its grant allows, for this many milliseconds more.
    Open(i64),
    /// Reports and supplements; households are locked.
    ReportOnly,
}

/// What a write transaction knows of the device.
#[derive(Debug, Clone)]
struct Context {
    identity: Option<Identity>,
    now_ms: i64,
    stamp: Stamp,
}

impl Store {
    /// Opens the store, or creates it. Nothing is written before the key fits, the schema is known and the file can be read.
    ///
    /// # Errors
    /// See [`OpenError`]; the file is as it was.
    pub fn open(options: &OpenOptions) -> Result<Self, OpenError> {
        open::open(options)
    }

    fn assemble(db: Database, options: &OpenOptions, life: LifeFile) -> Result<Self, StoreError> {
        let env = Arc::clone(&options.env);
        let counted_ms = Mutex::new(env.stamp().mono_ms);
        let inner = Inner {
            db,
            env,
            room: options.room,
            life: Mutex::new(life),
            outstanding: Mutex::default(),
            sealed: Mutex::default(),
            announcer: Announcer::new(),
            identity: RwLock::default(),
            highest: Mutex::default(),
            counted_ms,
        };
        let store = Self { inner: Arc::new(inner), form: None };
        if store.inner.db.alone(|db| meta::get(db, meta::WIPE))?.unwrap_or(false) {
            store.wipe_revoked()?;
        }
        store.refresh()?;
        if store.inner.db.alone(|db| meta::get(db, meta::REPROJECT))?.unwrap_or(false) {
            store.rebuild_projections()?;
        }
        Ok(store)
    }

    /// Who the device is; `None` before enrolment.
    #[must_use]
    pub fn enrolled(&self) -> Option<Identity> {
        self.inner.identity.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The life of this store, for enrolment.
    ///
    /// # Errors
    /// Storage.
    pub fn incarnation(&self) -> Result<Incarnation, StoreError> {
        self.inner.db.read(meta::incarnation)
    }

    /// The device's key pair; made when the store was, and never shown.
    ///
    /// # Errors
    /// Storage.
    pub fn key_pair(&self) -> Result<KeyPair, StoreError> {
        Ok(KeyPair::from_secret(&*self.inner.db.read(meta::secret)?))
    }

    /// Takes the server's answer to an enrolment that was asked for with [`key_pair`](Self::key_pair) and [`incarnation`](Self::incarnation). `root` is the
    /// hash that the invite named.
    ///
    /// # Errors
    /// [`EnrolError`]; the device is not enrolled then.
    pub fn enrol(&self, answer: &EnrolAnswer, server: &str, root: Hash) -> Result<Identity, EnrolError> {
        if !answer.keys.verify(root) {
            return Err(WireError::Unverified("the server's keys: this is not the server that the code names").into());
        }
        let grant = answer.grant.open(&answer.keys.signing)?;
        if grant.device != answer.device {
            return Err(WireError::Unverified("the grant is for another device").into());
        }
        prove::readable(&answer.directory, answer.stream).map_err(WireError::Malformed)?;
        self.inner.db.write(|tx| {
            if meta::get(tx, meta::IDENTITY)?.is_some() {
                return Err(EnrolError::AlreadyEnrolled);
            }
            let enrolled = meta::Enrolled {
                device: answer.device,
                server: server.to_owned(),
                root,
                keys: answer.keys.clone(),
                stream: answer.stream,
                name: answer.name.clone(),
            };
            meta::put(tx, meta::IDENTITY, &enrolled)?;
            session::put_grant(tx, &grant, &answer.grant, 0)?;
            if answer.signature.is_some() {
                meta::put(tx, meta::SIGNS, &true)?;
            }
            for info in &answer.directory {
                session::list_stream(tx, info)?;
            }
            meta::clear(tx, meta::WIPED)?;
            let stamp = self.inner.env.stamp();
            meta::put(tx, meta::ANCHOR, &crate::domain::time::Anchor { server_ms: answer.now_ms, stamp })?;
            meta::put(tx, meta::CLOCK, &meta::Clock { contact_ms: stamp.wall_ms, high_ms: stamp.wall_ms, run_ms: 0 })?;
            meta::put(tx, meta::OUTBOX, &OutboxHead { incarnation: meta::incarnation(tx)?, seq: 0, hash: Hash::ZERO })?;
            Ok(())
        })?;
        self.refresh()?;
        self.inner.announcer.announce(Touched::ALL);
        self.enrolled().ok_or(EnrolError::Storage(StoreError::NotEnrolled))
    }

    /// The session's token, for what is fetched beside sync.
    ///
    /// # Errors
    /// Storage.
    pub fn token(&self) -> Result<Option<Token>, StoreError> {
        self.inner.db.read(|db| meta::get(db, meta::TOKEN))
    }

    /// What the device may do without contact, and for how long.
    ///
    /// # Errors
    /// Storage.
    pub fn lease(&self) -> Result<Lease, StoreError> {
        self.inner.db.read(|db| self.lease_in(db))
    }

    /// Counts running time on; for an app that is open without saving or syncing. Once a minute is enough.
    ///
    /// # Errors
    /// Storage.
    pub fn count_time(&self) -> Result<(), StoreError> {
        self.inner.db.write(|tx| self.tick(tx))
    }

    /// Forgets everything: the device is given to someone else. What is left is an empty store under a new incarnation and key.
    ///
    /// # Errors
    /// Storage; [`StoreError::Busy`] where a reader stayed: all is deleted, and still in the WAL until it is wiped again or closed.
    pub fn wipe(&self) -> Result<(), StoreError> {
        self.forget(false)
    }

    /// Forgets everything because the centre revoked the device. How much of its work the centre had by then stays: [`Status::wiped`] says it.
    ///
    /// # Errors
    /// As [`Self::wipe`].
    pub fn wipe_revoked(&self) -> Result<(), StoreError> {
        self.forget(true)
    }

    fn forget(&self, revoked: bool) -> Result<(), StoreError> {
        let asked = db::lock(&self.inner.outstanding).take();
        *db::lock(&self.inner.sealed) = None;
        let env = self.inner.env.as_ref();
        self.inner.db.write(|tx| {
            let wiped = if revoked { own::wiped(tx, asked.as_ref(), env.wall_ms())? } else { None };
            let life: Option<u64> = meta::get(tx, meta::LIFE)?;
            let tables = [
                "split_views",
                "sightings",
                "rungs",
                "signed_heads",
                "instructions",
                "forms",
                "left_out",
                "parts",
                "search",
                "visits",
                "details",
                "households",
                "cases",
                "actions",
                "own",
                "batches",
                "facts",
                "held",
                "documents",
                "streams",
                "reference",
            ];
            for table in tables.into_iter().chain(["lives", "grants", "meta"]) {
                tx.execute(&format!("DELETE FROM {table}"), [])?;
            }
            search::scrub(tx)?;
            if let Some(life) = life {
                meta::put(tx, meta::LIFE, &life)?;
            }
            if let Some(wiped) = wiped {
                tracing::warn!(?wiped, "the centre revoked this phone; its store is wiped");
                meta::put(tx, meta::WIPED, &wiped)?;
            }
            meta::new_incarnation(tx, Incarnation::random(random(env)))?;
            meta::put_secret(tx, &Zeroizing::new(random::<32>(env)))
        })?;
        self.inner.db.truncate_wal()?;
        self.inner.db.alone(|db| Ok(db.execute_batch("VACUUM")?))?;
        self.inner.db.truncate_wal()?;
        self.refresh()?;
        self.inner.announcer.announce(Touched::ALL);
        if self.inner.db.owes_emptying() { Err(StoreError::Busy) } else { Ok(()) }
    }

    /// Makes every projection again from the stored changes and facts: after an update that shows more, or when a check found one wrong.
    ///
    /// # Errors
    /// Storage.
    pub fn rebuild_projections(&self) -> Result<(), StoreError> {
        self.inner.db.write(|tx| {
            let context = self.context_in(tx)?;
            project::all(tx, &context)?;
            meta::clear(tx, meta::REPROJECT)
        })?;
        self.inner.announcer.announce(Touched::ALL);
        Ok(())
    }

    /// Reads every page and index, and says whether all is well. Slow: for a scrub at night.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when something is not.
    pub fn check(&self) -> Result<(), StoreError> {
        self.inner.db.apart(|db| {
            let broken = db.prepare("PRAGMA cipher_integrity_check")?.exists([])?;
            let sound: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
            if broken || sound != "ok" { Err(StoreError::Damaged) } else { Ok(()) }
        })
    }

    fn lease_in(&self, db: &Connection) -> Result<Lease, StoreError> {
        if position::report_only(db)? {
            return Ok(Lease::ReportOnly);
        }
        let Some(identity) = self.enrolled() else {
            return Ok(Lease::ReportOnly);
        };
        let clock = meta::get(db, meta::CLOCK)?.unwrap_or_default().at(self.inner.env.stamp(), *db::lock(&self.inner.counted_ms));
        let left = identity.grant.lease_ms - clock.alone_ms();
        Ok(if left > 0 { Lease::Open(left) } else { Lease::ReportOnly })
    }

    /// Households are read only by a phone that is enrolled, approved and within its lease.
    fn registry<T>(&self, f: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.inner.db.read(|db| match self.locked_in(db)? {
            None => f(db),
            Some(error) => Err(error),
        })
    }

    /// Why everything but reports is locked, if it is.
    fn locked_in(&self, db: &Connection) -> Result<Option<StoreError>, StoreError> {
        if self.enrolled().is_none() {
            return Ok(Some(StoreError::NotEnrolled));
        }
        if position::report_only(db)? {
            return Ok(Some(StoreError::NotApproved));
        }
        Ok((self.lease_in(db)? == Lease::ReportOnly).then_some(StoreError::RegistryLocked))
    }

    /// Counts the time since it was last counted.
    fn tick(&self, tx: &Connection) -> Result<(), StoreError> {
        let mut counted = db::lock(&self.inner.counted_ms);
        let stamp = self.inner.env.stamp();
        if let Some(clock) = meta::get(tx, meta::CLOCK)? {
            meta::put(tx, meta::CLOCK, &clock.at(stamp, *counted))?;
        }
        *counted = stamp.mono_ms;
        Ok(())
    }

    /// What a transaction needs to know. The incarnation is read in it: a rebuild may just have begun another.
    fn context_in(&self, tx: &Connection) -> Result<Context, StoreError> {
        let stamp = self.inner.env.stamp();
        let mut identity = self.enrolled();
        if let Some(identity) = &mut identity {
            identity.incarnation = meta::incarnation(tx)?;
        }
        Ok(Context { identity, now_ms: stamp.wall_ms, stamp })
    }

    fn refresh(&self) -> Result<(), StoreError> {
        let identity = self.inner.db.alone(meta::identity)?;
        *self.inner.identity.write().unwrap_or_else(PoisonError::into_inner) = identity;
        Ok(())
    }
}
