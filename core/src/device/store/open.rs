//! Opening: every check before the first write, typed errors, and nothing destroyed.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use zeroize::Zeroizing;

use super::db::{self, Database, Mac};
use super::life::LifeFile;
use super::meta::{self, Renew};
use super::{Store, StoreError, parked, rebuild};
use crate::domain::id::Incarnation;
use crate::domain::words::Words;
use crate::env::{Environment, random};
use crate::wire::limits;

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
    include_str!("../../../migrations/010_what_was_not_taken.sql"),
    include_str!("../../../migrations/011_what_was_seen_is_shown.sql"),
    include_str!("../../../migrations/012_what_a_position_brought.sql"),
];
pub(super) const PAGE: u64 = 4096;

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
    /// Begins a new store where the life file tells of one that is gone, instead of [`OpenError::Lost`].
    pub start_anew: bool,
    /// Most bytes that the store holds of what streams bring. What a person types always has room.
    pub room: u64,
}

impl OpenOptions {
    /// Options with the life file in its default place.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, key: [u8; 32], env: Arc<dyn Environment>) -> Self {
        Self { path: path.into(), key, env, life: None, start_anew: false, room: limits::MAX_STORE }
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
    /// The file is gone or empty, and the life file tells of a store that was here.
    #[error("the store that was here is gone; nothing was changed")]
    Lost,
    /// Another process has it open.
    #[error("the store is open in another process")]
    Locked,
    /// This process has it open already, by this or another name of the file.
    #[error("this process has the store open already")]
    OpenHere,
    /// A file that was given cannot be one of the store's.
    #[error("{0}: {1}")]
    Unusable(Given, Unusable),
    /// The private CA is not a PEM file of certificates.
    #[error("the private CA is not a PEM file with at least one certificate")]
    CertificateAuthority,
    /// The file system refused.
    #[error("the store's files cannot be used: {0}")]
    Io(ErrorKind),
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
            Self::Lost => {
                ("本机原有的内容不见了，未上传的已丢失；要重新开始，请确认后新建", "What this phone held is gone, unsent work with it. To begin anew, say so")
            }
            Self::OpenHere => ("应用已经打开了本机内容", "The app has this phone's records open already"),
            Self::Unusable(..) => (
                "指定的文件不能用来存放本机内容，请更新应用或联系技术支持",
                "A file that the app named cannot hold this phone's records; update the app or ask its maker",
            ),
            Self::CertificateAuthority => ("应用指定的证书文件有误", "The certificate file that the app named is wrong"),
            Self::Io(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => return StoreError::Full.words(),
            Self::Io(_) => ("本机内容的文件打不开", "The files with this phone's records cannot be opened"),
            Self::Storage(error) => return error.words(),
        };
        Words { zh, en }
    }
}

impl OpenError {
    /// What the file system said about a file that was given.
    pub(super) fn file(given: Given, error: &std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::IsADirectory => Self::Unusable(given, Unusable::Folder),
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::AlreadyExists | ErrorKind::InvalidInput | ErrorKind::InvalidFilename => {
                Self::Unusable(given, Unusable::NoFolder)
            }
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::Unusable(given, Unusable::NoPermission),
            kind => Self::Io(kind),
        }
    }
}

/// Which file was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// The store's own.
    Store,
    /// The life file.
    Life,
}

impl Given {
    /// The option that gave it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Store => "path",
            Self::Life => "life",
        }
    }
}

impl std::fmt::Display for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a file cannot be one of the store's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is a folder.
    #[error("this is a folder, not a file")]
    Folder,
    /// Its folder is none and cannot be made.
    #[error("its folder is none, and cannot be made")]
    NoFolder,
    /// The program may not read and write there.
    #[error("this program may not read and write there")]
    NoPermission,
    /// The life file is one of the store's other files.
    #[error("the life file must be a file of its own")]
    Same,
    /// It holds something else.
    #[error("it holds something else; it was left as it is")]
    Foreign,
}

/// Opens the store, or creates it.
pub(super) fn open(options: &OpenOptions) -> Result<Store, OpenError> {
    let key = Zeroizing::new(options.key);
    let files = Files::of(options)?;
    let mut life = LifeFile::open(&files.life, &files.store, &key)?;
    let size = files.size()?;
    if size == 0 && life.counter().is_some() {
        if !options.start_anew {
            return Err(OpenError::Lost);
        }
        files.clear_remains()?;
        tracing::warn!("the store that was here is lost; a new one begins, as asked");
    }
    let (connection, mac, found) = unlock(&files.store, &key).map_err(|error| classify(&error, size, &life))?;
    let known = MIGRATIONS.len() as u32;
    if found > known {
        return Err(OpenError::NewerSchema { found, known });
    }
    db::make_writer(&connection).map_err(|error| classify(&error, size, &life))?;
    migrate(&connection, found).map_err(|error| classify(&error, size, &life))?;
    life.created(&files.store);
    let database = Database::new(&files.store, &key, mac, connection);
    let began = database.write(|tx| begin_life(tx, options.env.as_ref(), &mut life))?;
    tracing::info!(schema = known, migrated_from = found, ?began, "store opened");
    Ok(Store::assemble(database, options, life)?)
}

/// The files of a store, by their own names: a link to one of them is that one.
#[derive(Debug)]
struct Files {
    store: PathBuf,
    life: PathBuf,
}

impl Files {
    fn of(options: &OpenOptions) -> Result<Self, OpenError> {
        let store = own_name(&options.path, Given::Store)?;
        let life = match &options.life {
            Some(life) => own_name(life, Given::Life)?,
            None => own_name(&store.with_extension("life"), Given::Life)?,
        };
        if life == store || beside(&store).contains(&life) {
            return Err(OpenError::Unusable(Given::Life, Unusable::Same));
        }
        Ok(Self { store, life })
    }

    /// Bytes of the store's file; none when it is missing. Asked under the lock: another opening may be making it.
    fn size(&self) -> Result<u64, OpenError> {
        match std::fs::metadata(&self.store) {
            Ok(meta) => Ok(meta.len()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(OpenError::file(Given::Store, &error)),
        }
    }

    /// A lost store may have left its log, which SQLite would take for the new one's.
    fn clear_remains(&self) -> Result<(), OpenError> {
        for file in beside(&self.store) {
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(OpenError::file(Given::Store, &error)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// What SQLite keeps beside a store.
fn beside(store: &Path) -> [PathBuf; 3] {
    ["-wal", "-shm", "-journal"].map(|ending| {
        let mut name = store.as_os_str().to_owned();
        name.push(ending);
        name.into()
    })
}

/// The file's path without links; its folder is made when missing.
fn own_name(path: &Path, given: Given) -> Result<PathBuf, OpenError> {
    let io = |error: std::io::Error| OpenError::file(given, &error);
    let name = path.file_name().ok_or(OpenError::Unusable(given, Unusable::Folder))?;
    if path.is_dir() {
        return Err(OpenError::Unusable(given, Unusable::Folder));
    }
    if let Ok(own) = path.canonicalize() {
        return Ok(own);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(folder).map_err(io)?;
    Ok(folder.canonicalize().map_err(io)?.join(name))
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
fn begin_life(tx: &Connection, env: &dyn Environment, life: &mut LifeFile) -> Result<Began, StoreError> {
    // Not told by the schema's number: the first opening may have ended between the tables and this.
    let fresh = !tx.prepare("SELECT 1 FROM lives")?.exists([])?;
    let known: Option<u64> = meta::get(tx, meta::LIFE)?;
    let restored = !fresh && known != life.counter();
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
    parked::read_again(tx)?;
    rebuild::stranded(tx)?;
    Ok(match (fresh, restored) {
        (true, _) => Began::New,
        (false, true) => Began::Copied,
        (false, false) => Began::Same,
    })
}

/// What an opening found.
#[derive(Debug, Clone, Copy)]
enum Began {
    New,
    Same,
    Copied,
}

fn classify(error: &rusqlite::Error, size: u64, life: &LifeFile) -> OpenError {
    match db::code(error) {
        Some(ErrorCode::NotADatabase) => match life.key_fits() {
            Some(true) => OpenError::Damaged,
            Some(false) => OpenError::WrongKey,
            None if size == 0 || !size.is_multiple_of(PAGE) => OpenError::Damaged,
            None => OpenError::WrongKey,
        },
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Locked,
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => OpenError::Unusable(Given::Store, Unusable::NoPermission),
        _ => OpenError::Storage(StoreError::of(error)),
    }
}
