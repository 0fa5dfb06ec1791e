//! Opening: every check before the first write, typed errors, and nothing destroyed.

use std::fs::{File, OpenOptions as FileOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use minicbor::{Decode, Encode};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use zeroize::Zeroizing;

use super::db::{self, Database, Mac};
use super::meta::{self, Renew};
use super::{Store, StoreError, rebuild};
use crate::domain::id::{Hash, Incarnation};
use crate::domain::words::Words;
use crate::env::{Environment, random};

/// The steps from an empty file to this version, in order. `user_version` is the number of steps taken.
const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/001_store.sql"),
    include_str!("../../../migrations/002_search_marks_what_is_gone.sql"),
    include_str!("../../../migrations/003_lists_by_what_is_due.sql"),
    include_str!("../../../migrations/004_positions_of_what_waits.sql"),
    include_str!("../../../migrations/005_received_is_counted.sql"),
    include_str!("../../../migrations/006_a_form_saves_once.sql"),
    include_str!("../../../migrations/007_what_an_author_had_seen.sql"),
    include_str!("../../../migrations/008_signed_positions.sql"),
    include_str!("../../../migrations/009_covered_batches_are_kept_a_while.sql"),
];
/// How long a second opener waits for the first to leave.
const LOCK_TRIES: u32 = 20;
const PAGE: u64 = 4096;

/// Where a store is and what opens it.
#[derive(Clone)]
pub struct OpenOptions {
    /// The database file; created when missing.
    pub path: PathBuf,
    /// The raw key, from the platform's keystore. The store derives nothing from it and keeps it in memory only.
    pub key: [u8; 32],
    /// Clocks and randomness.
    pub env: Arc<dyn Environment>,
    /// A small file that backups do not reach (Android: `noBackupFilesDir`); by default beside the database, with the ending `.life`. It tells a restored or
    /// copied store from the one that was closed last, and a wrong key from a damaged file.
    pub life: Option<PathBuf>,
}

impl OpenOptions {
    /// Options with the life file in its default place.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, key: [u8; 32], env: Arc<dyn Environment>) -> Self {
        Self { path: path.into(), key, env, life: None }
    }
}

impl std::fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenOptions").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Why a store did not open. Whatever it was, the file is as it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The key is not the store's.
    #[error("the key does not fit this store; nothing was changed")]
    WrongKey,
    /// The store was written by a newer version.
    #[error("the store has schema {found}, this version knows up to {known}; update the app, nothing was changed")]
    NewerSchema {
        /// The store's schema.
        found: u32,
        /// The newest this version knows.
        known: u32,
    },
    /// The file is not a readable store.
    #[error("the store's file is damaged; it was left as it is, keep it for recovery")]
    Damaged,
    /// Another process has it open.
    #[error("the store is open in another process")]
    Locked,
    /// The file system refused.
    #[error("the store's files cannot be used: {0}")]
    Io(std::io::ErrorKind),
    /// Anything else SQLite said.
    #[error("the store could not be opened: {0}")]
    Storage(#[from] StoreError),
}

impl OpenError {
    /// What to tell a person: what is the matter and what to do.
    #[must_use]
    pub const fn words(&self) -> Words {
        let (zh, en) = match self {
            Self::WrongKey => ("密钥不对，内容没有改动", "The key does not fit; nothing was changed"),
            Self::NewerSchema { .. } => ("本机内容由新版本写成，请更新应用", "What is here was written by a newer version; update the app"),
            Self::Damaged => (
                "本机内容的文件已损坏，已原样保留；请联系镇街中心",
                "The file with this phone's records is damaged; it was left as it is. Call the town centre",
            ),
            Self::Locked => ("另一个程序正在使用本机内容，请稍后再试", "Another process has this phone's records open; try again later"),
            Self::Io(_) => return StoreError::Full.words(),
            Self::Storage(error) => return error.words(),
        };
        Words { zh, en }
    }
}

impl From<std::io::Error> for OpenError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.kind())
    }
}

/// What the life file says. Written before the database's own copy of the counter, so a crash between the two looks like a restored store: that costs a
/// new incarnation and nothing else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Life {
    /// Counts openings and sealings.
    #[n(0)]
    counter: u64,
    /// First bytes of a hash of the key.
    #[cbor(n(1), with = "minicbor::bytes")]
    key_check: [u8; 8],
}

/// The open, locked life file.
#[derive(Debug)]
pub(super) struct LifeFile {
    file: File,
    life: Option<Life>,
    key_check: [u8; 8],
}

impl LifeFile {
    fn open(path: &Path, key: &[u8; 32]) -> Result<Self, OpenError> {
        let mut file = FileOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut tries = 0;
        while let Err(error) = file.try_lock() {
            tries += 1;
            match error {
                std::fs::TryLockError::WouldBlock if tries < LOCK_TRIES => std::thread::sleep(Duration::from_millis(100)),
                std::fs::TryLockError::WouldBlock => return Err(OpenError::Locked),
                std::fs::TryLockError::Error(error) => return Err(error.into()),
            }
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut key_check = [0; 8];
        key_check.copy_from_slice(&Hash::of(&[b"fieldgrid store key check\0", key]).0[..8]);
        Ok(Self { file, life: minicbor::decode(&bytes).ok(), key_check })
    }

    /// Counts on, durably; the database follows in the transaction that called.
    pub(super) fn advance(&mut self) -> Result<u64, std::io::Error> {
        let counter = self.life.unwrap_or_default().counter + 1;
        self.write(counter)?;
        Ok(counter)
    }

    fn write(&mut self, counter: u64) -> Result<(), std::io::Error> {
        let life = Life { counter, key_check: self.key_check };
        let bytes = minicbor::to_vec(life).expect("encoding into memory does not fail");
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&bytes)?;
        self.file.set_len(bytes.len() as u64)?;
        self.file.sync_data()?;
        self.life = Some(life);
        Ok(())
    }
}

/// Opens the store, or creates it.
pub(super) fn open(options: &OpenOptions) -> Result<Store, OpenError> {
    let key = Zeroizing::new(options.key);
    let life_path = options.life.clone().unwrap_or_else(|| options.path.with_extension("life"));
    let size = match std::fs::metadata(&options.path) {
        Ok(meta) => meta.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error.into()),
    };
    if let Some(folder) = options.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut life = LifeFile::open(&life_path, &key)?;
    let (connection, mac, found) = unlock(&options.path, &key).map_err(|error| classify(&error, size, &life))?;
    let known = MIGRATIONS.len() as u32;
    if found > known {
        return Err(OpenError::NewerSchema { found, known });
    }
    db::make_writer(&connection).map_err(|error| classify(&error, size, &life))?;
    migrate(&connection, found).map_err(|error| classify(&error, size, &life))?;
    let database = Database::new(&options.path, &key, mac, connection);
    database.write(|tx| begin_life(tx, options.env.as_ref(), &mut life))?;
    Ok(Store::assemble(database, options.env.clone(), life)?)
}

/// A connection that reads the file, how its pages are proved, and how many steps it has taken.
fn unlock(path: &Path, key: &[u8; 32]) -> Result<(Connection, Mac, u32), rusqlite::Error> {
    let by = |mac| {
        let connection = db::connect(path, key, mac, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        let found = version(&connection)?;
        Ok((connection, mac, found))
    };
    by(Mac::Sha256).or_else(|error| if db::code(&error) == Some(ErrorCode::NotADatabase) { by(Mac::Sha512) } else { Err(error) })
}

/// How many steps the file has taken; reading it is the first thing that needs the key.
fn version(connection: &Connection) -> Result<u32, rusqlite::Error> {
    connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn migrate(connection: &Connection, from: u32) -> Result<(), rusqlite::Error> {
    for (step, sql) in MIGRATIONS.iter().enumerate().skip(from as usize) {
        let tx = connection.unchecked_transaction()?;
        tx.execute_batch(sql)?;
        tx.pragma_update(None, "user_version", step as u32 + 1)?;
        tx.commit()?;
    }
    Ok(())
}

/// A store that is not the one closed last was copied or restored: it writes under a new incarnation from now on, and the work that the server has not
/// confirmed is set aside until the server has said what it holds.
fn begin_life(tx: &Connection, env: &dyn Environment, life: &mut LifeFile) -> Result<(), StoreError> {
    // Not told by the schema's number: the first opening may have ended between the tables and this.
    let fresh = !tx.prepare("SELECT 1 FROM lives")?.exists([])?;
    let known: Option<u64> = meta::get(tx, meta::LIFE)?;
    let restored = !fresh && known != life.life.map(|life| life.counter);
    let counter = match life.advance() {
        Ok(counter) => counter,
        Err(_) => return Err(StoreError::Full),
    };
    meta::put(tx, meta::LIFE, &counter)?;
    if fresh {
        meta::new_incarnation(tx, Incarnation::random(random(env)))?;
        let secret = Zeroizing::new(random::<32>(env));
        meta::put_secret(tx, &secret)?;
    } else if restored {
        meta::next_life(tx, env)?;
        rebuild::set_renew(tx, Renew::Copied)?;
    }
    rebuild::stranded(tx)
}

fn classify(error: &rusqlite::Error, size: u64, life: &LifeFile) -> OpenError {
    match db::code(error) {
        Some(ErrorCode::NotADatabase) => match life.life {
            Some(life_file) if life_file.key_check == life.key_check => OpenError::Damaged,
            Some(_) => OpenError::WrongKey,
            None if size == 0 || !size.is_multiple_of(PAGE) => OpenError::Damaged,
            None => OpenError::WrongKey,
        },
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Locked,
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => OpenError::Io(std::io::ErrorKind::PermissionDenied),
        _ => OpenError::Storage(StoreError::of(error)),
    }
}
