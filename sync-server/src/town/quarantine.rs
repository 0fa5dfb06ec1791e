//! What is kept aside for an administrator.

use std::sync::Arc;

use super::{Town, TownError};
use crate::admission::{Aside, Decided, decide, lapse, list};

impl Town {
    /// What is kept aside, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`TownError::Store`].
    pub fn quarantined(&self, limit: usize) -> Result<Vec<Aside>, TownError> {
        Ok(list(&*self.store.read()?, limit)?)
    }

    /// Decides about a piece that is kept aside: lets it in as if its grant had counted, or refuses it. Its author is told by his stream.
    ///
    /// # Errors
    /// [`TownError::Store`].
    pub async fn decide(&self, id: i64, take: bool) -> Result<Decided, TownError> {
        let env = Arc::clone(&self.env);
        let (decided, grown) = self.store.write(move |tx| decide(tx, &*env, id, take)).await?;
        self.news.grown(&grown);
        Ok(decided)
    }

    /// Keeps what has waited for thirty days aside: what it builds on may never come, and a person decides. For idle moments. Gives how much of it.
    ///
    /// # Errors
    /// [`TownError::Store`].
    pub async fn lapse(&self) -> Result<usize, TownError> {
        let mut lapsed = 0;
        loop {
            let env = Arc::clone(&self.env);
            let (items, grown) = self.store.write(move |tx| lapse(tx, &*env)).await?;
            if items == 0 {
                return Ok(lapsed);
            }
            self.news.grown(&grown);
            lapsed += items;
        }
    }
}
