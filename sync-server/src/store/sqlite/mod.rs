//! The embedded store: one SQLite file in the data directory, WAL, synchronous=FULL, one writer's thread, a pool of readers.

mod backup;
mod columns;
mod read;
mod rows;
mod write;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::{Job, Read, Result, Store, StoreError};
use crate::telemetry::metrics::{COMMIT_SECONDS, timed};
use write::Tx;

/// Each migration with the `user_version` it leads to is its place in this list, from 1.
const MIGRATIONS: &[&str] = &[include_str!("../../../migrations/001_town.sql"), include_str!("../../../migrations/002_contradictions.sql")];

/// Jobs that may wait for the writer. Beyond it, requests are told to come again.
const QUEUE: usize = 512;
/// Jobs that share one commit at most, so that the first of them does not wait for ever.
const GROUP: usize = 64;
/// Open readers. Each holds a 2 MB page cache at most.
const READERS: usize = 8;

/// Why the database could not be opened. Nothing was destroyed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Written by a newer version.
    #[error("the database is of version {found}, this program knows {known}: install the newer program")]
    Newer {
        /// Its version.
        found: u32,
        /// The latest this program knows.
        known: u32,
    },
    /// Not a database of ours, or damaged.
    #[error("{path} is not a readable database; restore a backup into an empty directory")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Another process has it.
    #[error("{path} is in use by another process; stop that server first")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file system says no.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database says no.
    #[error("{path}: {source}")]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

/// Pages that the writer keeps, in KiB as SQLite counts them: with its 2 MB, an evening's group commits wrote pages to the WAL and read them again
/// before they were done.
const WRITER_CACHE_KIB: i64 = -16_000;

/// The embedded store.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    jobs: Option<SyncSender<Box<dyn Job>>>,
    writer: Option<JoinHandle<()>>,
    readers: Arc<Readers>,
}

#[derive(Debug)]
struct Readers {
    idle: Mutex<Vec<Connection>>,
    returned: Condvar,
}

impl Sqlite {
    /// Opens the file, or makes it, and brings it to this version.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let failed = |source| opening(path, source);
        let mut writer = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE).map_err(failed)?;
        migrate(path, &mut writer)?;
        writer.pragma_update(None, "cache_size", WRITER_CACHE_KIB).map_err(failed)?;
        let readers = (0..READERS)
            .map(|_| connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).and_then(|reader| reader.pragma_update(None, "query_only", true).map(|()| reader)))
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        let (jobs, queue) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || write_loop(writer, &queue))
            .map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
        Ok(Self {
            path: path.to_owned(),
            jobs: Some(jobs),
            writer: Some(thread),
            readers: Arc::new(Readers { idle: Mutex::new(readers), returned: Condvar::new() }),
        })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Sqlite {
    /// Waits until the writer has done what was queued.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.writer.take() {
            drop(thread.join());
        }
    }
}

impl Store for Sqlite {
    fn read(&self) -> Result<Box<dyn Read + '_>> {
        let mut idle = self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = loop {
            match idle.pop() {
                Some(connection) => break connection,
                None => idle = self.readers.returned.wait(idle).unwrap_or_else(PoisonError::into_inner),
            }
        };
        drop(idle);
        let snapshot = Snapshot { connection: Some(connection), readers: &self.readers };
        snapshot.connection().execute_batch("BEGIN")?;
        Ok(Box::new(snapshot))
    }

    fn submit(&self, job: Box<dyn Job>) -> Result<()> {
        let jobs = self.jobs.as_ref().ok_or(StoreError::Closed)?;
        jobs.try_send(job).map_err(|full| match full {
            TrySendError::Full(_) => StoreError::Busy,
            TrySendError::Disconnected(_) => StoreError::Closed,
        })
    }
}

/// A reader in a transaction; goes back to the pool when dropped.
struct Snapshot<'s> {
    connection: Option<Connection>,
    readers: &'s Readers,
}

impl Snapshot<'_> {
    fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("a snapshot has its connection until it is dropped")
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // Ending a read transaction cannot lose anything; were it to fail, the next BEGIN says so.
            drop(connection.execute_batch("ROLLBACK"));
            self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            self.readers.returned.notify_one();
        }
    }
}

/// What the shared reading code needs of a snapshot and of a transaction.
trait Connected {
    fn sql(&self) -> &Connection;
}

impl Connected for Snapshot<'_> {
    fn sql(&self) -> &Connection {
        self.connection()
    }
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    connection.set_prepared_statement_cache_capacity(128);
    // Else a value that is compared with a partial index's column makes SQLite prepare the statement anew whenever it is bound.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

fn migrate(path: &Path, connection: &mut Connection) -> Result<(), OpenError> {
    let failed = |source| opening(path, source);
    let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(failed)?;
    let found: u32 = tx.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    for (migration, version) in MIGRATIONS.iter().zip(1_u32..).skip(found as usize) {
        tx.execute_batch(migration).map_err(failed)?;
        tx.pragma_update(None, "user_version", version).map_err(failed)?;
    }
    tx.commit().map_err(failed)
}

fn opening(path: &Path, source: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => OpenError::Damaged { path },
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => OpenError::InUse { path },
        _ => OpenError::Database { path, source },
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        // SQLite's messages name tables and columns, never values.
        Self::Database(error.to_string())
    }
}

fn write_loop(mut connection: Connection, queue: &Receiver<Box<dyn Job>>) {
    while let Ok(first) = queue.recv() {
        let mut jobs = vec![first];
        while jobs.len() < GROUP
            && let Ok(next) = queue.try_recv()
        {
            jobs.push(next);
        }
        let (outcomes, commit) = match timed(COMMIT_SECONDS, || commit_group(&mut connection, &mut jobs)) {
            Ok(outcomes) => (outcomes, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        let mut outcomes = outcomes.into_iter();
        for job in jobs {
            let outcome = commit.clone().and_then(|()| outcomes.next().unwrap_or(Err(StoreError::Closed)));
            job.done(outcome);
        }
    }
    drop(connection.execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE)"));
}

fn commit_group(connection: &mut Connection, jobs: &mut [Box<dyn Job>]) -> Result<Vec<Result<()>>> {
    let mut tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let mut outcomes = Vec::with_capacity(jobs.len());
    for job in jobs {
        let savepoint = tx.savepoint()?;
        let mut work = Tx::new(&savepoint);
        // A job that panics is undone like one that fails: the writer goes on for all the others.
        let outcome = catch_unwind(AssertUnwindSafe(|| job.run(&mut work).and_then(|()| work.flush())));
        let outcome = outcome.unwrap_or_else(|_| Err(StoreError::Database("a write panicked and was undone".into())));
        match &outcome {
            Ok(()) => savepoint.commit()?,
            Err(_) => savepoint.finish()?,
        }
        outcomes.push(outcome);
    }
    tx.commit()?;
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Sqlite;
    use crate::store::Store;
    use crate::store::suite::store_suite;

    fn open() -> (Arc<dyn Store>, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Sqlite::open(&dir.path().join("town.db")).unwrap());
        (store, dir)
    }

    store_suite!(open);

    #[test]
    fn a_write_that_panics_is_undone_and_the_next_is_done() {
        let (store, _dir) = open();
        let broken = store.write_blocking(|tx| -> crate::store::Result<()> {
            tx.set_meta("half", b"done")?;
            panic!("a mistake in a job")
        });
        assert!(matches!(broken, Err(crate::store::StoreError::Database(_))), "{broken:?}");
        store.write_blocking(|tx| tx.set_meta("whole", b"done")).unwrap();
        let read = store.read().unwrap();
        assert_eq!((read.meta("half").unwrap(), read.meta("whole").unwrap()), (None, Some(b"done".to_vec())));
    }
}
