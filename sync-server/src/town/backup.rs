//! Backups of a running town, and towns from backups.

use std::path::Path;
use std::sync::Arc;

use fieldgrid_core::env::Environment;

use super::{DATABASE, Town, TownError, TownOptions, Verified, io};
use crate::admission::{SERIAL_FLOOR, day};
use crate::store::Epoch;

/// Serials above this go on after a restore on the same day: what the lost server may have handed out lies below.
const RESTORED_SERIAL: u32 = 5_000;

/// What a backup came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupReport {
    /// What was checked in the copy.
    pub verified: Verified,
    /// Bytes of the copy.
    pub size: u64,
}

impl Town {
    /// Copies the database into a new file while the server runs, opens the copy and verifies it. Phones are told afterwards that it covers what it holds.
    /// Blocks.
    ///
    /// # Errors
    /// [`TownError`]; a copy that does not verify is left for inspection and not counted.
    pub fn backup(&self, to: &Path) -> Result<BackupReport, TownError> {
        if to.exists() {
            return Err(TownError::Unfit(format!("{} is there already; name a new file", to.display())));
        }
        self.sqlite.copy_to(to)?;
        let (verified, safe) = {
            let scratch = to.with_extension("verify");
            std::fs::create_dir_all(&scratch).map_err(io(&scratch))?;
            let checked = check(to, &scratch, &self.env);
            std::fs::remove_dir_all(&scratch).map_err(io(&scratch))?;
            checked?
        };
        if let Some(finding) = verified.findings.first() {
            return Err(TownError::Unverified(finding.to_string()));
        }
        self.store.write_blocking(move |tx| safe.iter().try_for_each(|(incarnation, seq)| tx.set_safe(*incarnation, *seq)))?;
        let size = std::fs::metadata(to).map_err(io(to))?.len();
        Ok(BackupReport { verified, size })
    }

    /// Makes an empty data directory from a backup. The server opens a new life: phones find out by their chains what was lost, and send it again; the day's
    /// case numbers skip ahead.
    ///
    /// # Errors
    /// [`TownError`]; the backup is only read.
    pub fn restore(backup: &Path, data: &Path, options: TownOptions, env: Arc<dyn Environment>) -> Result<Self, TownError> {
        std::fs::create_dir_all(data).map_err(io(data))?;
        let database = data.join(DATABASE);
        if database.exists() {
            return Err(TownError::Unfit(format!("{} holds a town already; name an empty directory", data.display())));
        }
        if !backup.is_file() {
            return Err(TownError::Unfit(format!("{} is not a backup", backup.display())));
        }
        // Under its name only when its new life is open: broken off before, there is no town yet that could serve the old one.
        let scratch = data.join("restoring");
        if scratch.exists() {
            std::fs::remove_dir_all(&scratch).map_err(io(&scratch))?;
        }
        std::fs::create_dir_all(&scratch).map_err(io(&scratch))?;
        std::fs::copy(backup, scratch.join(DATABASE)).map_err(io(backup))?;
        Self::begin_again(&scratch, Arc::clone(&env))?;
        std::fs::rename(scratch.join(DATABASE), &database).map_err(io(&database))?;
        std::fs::remove_dir_all(&scratch).map_err(io(&scratch))?;
        Self::open(data, options, env)
    }

    /// Opens the new life of a restored town, and closes the town.
    fn begin_again(data: &Path, env: Arc<dyn Environment>) -> Result<(), TownError> {
        let town = Self::open(data, TownOptions::default(), env)?;
        let last = town.store.read()?.epochs()?.last().map_or(0, |epoch| epoch.epoch);
        let opened_ms = town.env.wall_ms();
        // Numbered by the time, so that a second restore of the same backup is another life.
        let epoch = u32::try_from(opened_ms / 1000).unwrap_or(0).max(last + 1);
        let floor = minicbor::to_vec((day(opened_ms), RESTORED_SERIAL)).expect("encoding into memory does not fail");
        town.store.write_blocking(move |tx| {
            tx.set_meta(SERIAL_FLOOR, &floor)?;
            tx.open_epoch(Epoch { epoch, opened_ms })
        })?;
        drop(town);
        // Closing the last connection moves the log into the file.
        let mut log = data.join(DATABASE).into_os_string();
        log.push("-wal");
        if std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
            return Err(TownError::Unfit("the restored database could not be closed; restore again".into()));
        }
        Ok(())
    }
}

type Safe = Vec<(fieldgrid_core::domain::id::Incarnation, u64)>;

/// Opens a copy of the copy, so that the backup itself stays one closed file.
fn check(copy: &Path, scratch: &Path, env: &Arc<dyn Environment>) -> Result<(Verified, Safe), TownError> {
    let database = scratch.join(DATABASE);
    std::fs::copy(copy, &database).map_err(io(&database))?;
    let town = Town::open(scratch, TownOptions::default(), Arc::clone(env))?;
    let verified = town.verify()?;
    let safe = town.store.read()?.incarnations()?.into_iter().map(|life| (life.id, life.seq)).collect();
    Ok((verified, safe))
}
