//! Connections: one that writes, several that read, and now and then one that moves the WAL into the file.
//!
//! SQLCipher with a raw key: its own key derivation (256,000 rounds) would run on every connection opened. WAL cannot be set inside a transaction, and
//! `foreign_keys` is per connection, so both are set where a connection is made and nowhere else.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use zeroize::Zeroizing;

use super::StoreError;

/// Idle readers that are kept; more are opened when more screens ask at once, and dropped after.
const READERS: usize = 4;
/// How long a connection waits for another process before it says that the store is busy.
const BUSY: Duration = Duration::from_secs(5);
/// Statements kept prepared on each connection.
const STATEMENTS: usize = 128;

/// Pages in the WAL from which on they are moved into the file, aside from who writes.
const WAL_MOVED: i64 = 1000;
/// Pages in the WAL at which who writes moves them himself: whoever never pauses would let it grow for ever.
const WAL_LIMIT: u32 = 4000;
/// Bytes of the WAL's file that are kept when it starts again. Without a limit it would keep for good what a reader that stayed let it grow to.
const WAL_KEPT: u32 = 16 << 20;

/// What proves that a page is as it was written. The file does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mac {
    /// Of every store made now: phones' processors have instructions for SHA-256, and most have none for SHA-512, which was a sixth of the time of a long answer
    /// even where it is quick (6.9 µs a page against 3.0).
    Sha256,
    /// SQLCipher's own choice, of stores that were made before.
    Sha512,
}

/// The store's connections.
pub(super) struct Database {
    path: PathBuf,
    key: Zeroizing<[u8; 32]>,
    mac: Mac,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    waiting: AtomicUsize,
    mover: Mutex<Option<Mover>>,
    /// What was deleted is still in the WAL: a reader kept it from being emptied.
    owes_emptying: AtomicBool,
}

/// Who moves the WAL into the file, and how long it was then.
struct Mover {
    thread: JoinHandle<()>,
    pages: i64,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

impl Database {
    pub(super) fn new(path: &Path, key: &[u8; 32], mac: Mac, writer: Connection) -> Self {
        Self {
            path: path.to_owned(),
            key: Zeroizing::new(*key),
            mac,
            writer: Mutex::new(writer),
            readers: Mutex::default(),
            waiting: AtomicUsize::new(0),
            mover: Mutex::default(),
            owes_emptying: AtomicBool::new(false),
        }
    }

    /// Reads at one moment of the store: every query in `f` sees the same.
    pub(super) fn read<T, E: From<StoreError>>(&self, f: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        let idle = lock(&self.readers).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.reader()?,
        };
        let result = {
            let moment = connection.unchecked_transaction().map_err(StoreError::from)?;
            f(&moment)
        };
        let mut readers = lock(&self.readers);
        if readers.len() < READERS {
            readers.push(connection);
        }
        result
    }

    /// Writes: all of `f` or, when it fails, nothing. Durable when it returns.
    pub(super) fn write<T, E: From<StoreError>>(&self, f: impl FnOnce(&Transaction<'_>) -> Result<T, E>) -> Result<T, E> {
        self.write_as(true, f)
    }

    /// Writes as a piece of longer work. It becomes durable with the next durable write; a crash before that loses it, and nothing after it is kept without it.
    pub(super) fn write_piece<T, E: From<StoreError>>(&self, f: impl FnOnce(&Transaction<'_>) -> Result<T, E>) -> Result<T, E> {
        self.write_as(false, f)
    }

    fn write_as<T, E: From<StoreError>>(&self, durable: bool, f: impl FnOnce(&Transaction<'_>) -> Result<T, E>) -> Result<T, E> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut writer = lock(&self.writer);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        // FULL syncs the whole WAL at commit, with all that was written in pieces before.
        writer.execute_batch(if durable { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" }).map_err(StoreError::from)?;
        let tx = writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from)?;
        let result = f(&tx)?;
        tx.commit().map_err(StoreError::from)?;
        self.move_aside(&writer);
        Ok(result)
    }

    /// Begins to move the WAL into the file where it has become long. Who saves does not wait for it: by SQLite's own choice every hundredth save wrote 4 MB more.
    fn move_aside(&self, writer: &Connection) {
        let counted = |row: &rusqlite::Row<'_>| Ok((row.get(1)?, row.get::<_, i64>(1)? - row.get::<_, i64>(2)?));
        let noop = writer.prepare_cached("PRAGMA wal_checkpoint(NOOP)");
        let (pages, waiting): (i64, i64) = noop.and_then(|mut noop| noop.query_row([], counted)).unwrap_or_default();
        let mut mover = lock(&self.mover);
        if let Some(last) = mover.as_mut() {
            if pages < last.pages {
                // The WAL has begun anew.
                last.pages = 0;
            }
            // A reader that stays leaves work to one mover after the other: each begins when there is as much again.
            if !last.thread.is_finished() || pages < last.pages + WAL_MOVED {
                return;
            }
        }
        if waiting < WAL_MOVED {
            return;
        }
        // Where no connection or no thread is to be had, the WAL grows to its limit.
        let Ok(connection) = self.reader() else { return };
        let work = move || drop(connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())));
        *mover = std::thread::Builder::new().name("fieldgrid-wal".to_owned()).spawn(work).ok().map(|thread| Mover { thread, pages });
    }

    /// Whether another writer waits.
    pub(super) fn is_awaited(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// As if a writer waited, until what it gives is dropped.
    #[cfg(test)]
    pub(super) fn await_for_test(&self) -> impl Drop {
        struct Waiting<'a>(&'a AtomicUsize);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.waiting.fetch_add(1, Ordering::SeqCst);
        Waiting(&self.waiting)
    }

    /// Lets a waiting writer in between two steps of a long piece of work: a mutex is not fair, and a save is not to wait for a whole page.
    pub(super) fn let_others_write(&self) {
        for _ in 0..20 {
            if !self.is_awaited() {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Moves the WAL into the file and empties it, so that what was deleted is gone from both. A reader that stays for seconds keeps it from that; then
    /// [`Self::owes_emptying`] says so, and it is tried again.
    pub(super) fn truncate_wal(&self) -> Result<(), StoreError> {
        lock(&self.readers).clear();
        let writer = lock(&self.writer);
        // SQLite does not wait for another who moves the WAL.
        self.moved();
        let busy = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        self.owes_emptying.store(busy, Ordering::SeqCst);
        Ok(())
    }

    /// Whether what was deleted is still in the WAL.
    pub(super) fn owes_emptying(&self) -> bool {
        self.owes_emptying.load(Ordering::SeqCst)
    }

    /// Runs on the writing connection outside a transaction: at opening, where another connection would cost more than what is read, and for `VACUUM`.
    pub(super) fn alone<T>(&self, f: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        f(&lock(&self.writer))
    }

    /// Reads on a connection of its own. SQLite's integrity check needs one: where FTS5 remembers its index from before another connection wrote, it calls the index
    /// corrupt (SQLite 3.54.1; queries look first whether it is still so).
    pub(super) fn apart<T>(&self, f: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        f(&self.reader()?)
    }

    /// Waits until nobody moves the WAL.
    fn moved(&self) {
        if let Some(mover) = lock(&self.mover).take() {
            let _ = mover.thread.join();
        }
    }

    fn reader(&self) -> Result<Connection, StoreError> {
        let connection = connect(&self.path, &self.key, self.mac, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Who closes last moves what is left and removes the WAL; a connection that outlived the store would leave it there.
        self.moved();
    }
}

/// Opens a connection with the key set and nothing read yet.
pub(super) fn connect(path: &Path, key: &[u8; 32], mac: Mac, flags: OpenFlags) -> Result<Connection, rusqlite::Error> {
    fieldgrid_sqlcipher::initialize();
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let mut pragma = Zeroizing::new(String::with_capacity(90));
    pragma.push_str("PRAGMA key = \"x'");
    for byte in key {
        use std::fmt::Write as _;
        let _ = write!(pragma, "{byte:02x}");
    }
    pragma.push_str("'\"");
    connection.execute_batch(&pragma)?;
    if mac == Mac::Sha256 {
        connection.execute_batch("PRAGMA cipher_hmac_algorithm = HMAC_SHA256")?;
    }
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Else a value that is compared with a partial index's column makes SQLite prepare the statement anew whenever it is bound: 7 % of applying an answer.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.execute_batch("PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8000;")?;
    Ok(connection)
}

/// Makes an opened connection the one that writes. Changes the file, so it comes after every check.
pub(super) fn make_writer(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.query_row(&format!("PRAGMA journal_size_limit = {WAL_KEPT}"), [], |_| Ok(()))?;
    connection.execute_batch(&format!("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = {WAL_LIMIT};"))
}

pub(super) fn code(error: &rusqlite::Error) -> Option<ErrorCode> {
    error.sqlite_error_code()
}

/// A panic elsewhere left nothing half done: transactions roll back.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
