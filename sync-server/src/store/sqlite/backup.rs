//! Copies of the database while it is in use.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::Backup;

use super::Sqlite;
use crate::store::{Result, StoreError};

impl Sqlite {
    /// Copies the database as it is now into a new file, page by page, while it goes on being used.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn copy_to(&self, to: &Path) -> Result<()> {
        let from = Connection::open_with_flags(&self.path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut copy = Connection::open(to)?;
        Backup::new(&from, &mut copy)?.run_to_completion(1024, Duration::ZERO, None)?;
        // One file, without a WAL beside it.
        copy.pragma_update(None, "journal_mode", "DELETE")?;
        let check: String = copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if check == "ok" { Ok(()) } else { Err(StoreError::Damaged("backup")) }
    }
}
