//! Whether this server's key was used for another database: copies that were started without
//! `restore`, and stolen keys.

use fieldgrid_core::wire::witness::HeadsNote;

use super::{Town, TownError};
use crate::answer;
use crate::store::ContradictionRow;
use crate::telemetry::metrics as m;

impl Town {
    /// Compares a phone's note of signed heads with the streams, and keeps what contradicts them:
    /// for the desk.
    ///
    /// # Errors
    /// [`TownError::Unfit`] when this server's key did not sign the note.
    pub async fn compare(&self, note: &HeadsNote) -> Result<Vec<ContradictionRow>, TownError> {
        let key = self.keys.signing;
        if note.shown.iter().any(|shown| !shown.heads.verify(shown.device, &key)) {
            return Err(TownError::Unfit("the note is not signed with this server's key".into()));
        }
        let found = answer::contradictions(&*self.store.read()?, &key, &note.shown, self.now_ms())?;
        let kept = found.clone();
        self.store.write(move |tx| kept.iter().try_for_each(|row| tx.insert_contradiction(row).map(drop))).await?;
        Ok(found)
    }

    /// What contradicts this database in the epoch that it is served in. A `restore` opens another,
    /// in which nothing does.
    ///
    /// # Errors
    /// [`TownError::Store`].
    pub fn contradictions(&self) -> Result<Vec<ContradictionRow>, TownError> {
        let read = self.store.read()?;
        let epoch = read.epochs()?.last().map(|epoch| epoch.epoch);
        Ok(read.contradictions()?.into_iter().filter(|row| Some(row.at.epoch) == epoch).collect())
    }
}

/// Tells the operator, once for each.
pub(super) fn alarm(row: &ContradictionRow) {
    metrics::counter!(m::CONTRADICTIONS).increment(1);
    tracing::error!(stream = %row.at.stream, seq = row.at.seq, epoch = row.at.epoch, "{WHAT_TO_DO}");
}

/// What the operator is told.
pub const WHAT_TO_DO: &str = "this server's key signed entries that this data folder does not have: a copy of the folder was started without `restore`, or the \
     key was stolen. Stop every other copy; then `backup` this folder and `restore` the backup into an empty one (docs/operations.md, \"Two copies\")";
