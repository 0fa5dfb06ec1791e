//! What has arrived of a pack whose download goes on: a process that is killed does not begin again. In the store, and so encrypted: a pack is personal data.

use rusqlite::{Connection, params};

use super::apply::i64_of;
use super::{Store, StoreError};
use crate::domain::id::Hash;

impl Store {
    /// What is kept of a pack: its first bytes, without a gap.
    ///
    /// # Errors
    /// Storage.
    pub fn kept_part(&self, pack: Hash) -> Result<Vec<u8>, StoreError> {
        self.inner.db.read(|db| {
            let mut kept = Vec::new();
            let mut pieces = db.prepare("SELECT at, bytes FROM parts WHERE pack = ?1 ORDER BY at")?;
            let mut rows = pieces.query([pack.0])?;
            while let Some(row) = rows.next()? {
                if row.get::<_, i64>(0)? != i64_of(kept.len() as u64) {
                    break;
                }
                kept.extend_from_slice(row.get_ref(1)?.as_blob().map_err(|_| StoreError::Damaged)?);
            }
            Ok(kept)
        })
    }

    /// Keeps a piece of a pack. What was kept of another, or from this offset on, goes. It becomes durable with the next save; until then a crash of the phone,
    /// though not of the app, may lose it.
    ///
    /// # Errors
    /// Storage.
    pub fn keep_part(&self, pack: Hash, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        self.inner.db.write_piece(|tx| {
            tx.prepare_cached("DELETE FROM parts WHERE pack <> ?1 OR at >= ?2")?.execute(params![pack.0, i64_of(at)])?;
            tx.prepare_cached("INSERT INTO parts (at, pack, bytes) VALUES (?2, ?1, ?3)")?.execute(params![pack.0, i64_of(at), bytes])?;
            Ok(())
        })
    }

    /// Throws away what is kept of a pack: it is not what was named, or did not go in.
    ///
    /// # Errors
    /// Storage.
    pub fn forget_part(&self) -> Result<(), StoreError> {
        self.inner.db.write(|tx| forget(tx))
    }
}

/// Nothing is being fetched any more.
pub(super) fn forget(db: &Connection) -> Result<(), StoreError> {
    db.prepare_cached("DELETE FROM parts")?.execute([])?;
    Ok(())
}
