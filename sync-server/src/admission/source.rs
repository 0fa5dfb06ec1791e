//! What judging reads.

use super::turns::Turn;
use crate::store::{Read, Result, Store};

/// What judging reads: a transaction that it is part of, or in its turn one snapshot after another, so that none is held open while others are judged.
/// Whether everything still is as it was judged is looked at when it is written.
pub(super) enum Source<'r> {
    /// A transaction.
    Transaction(&'r dyn Read),
    /// Snapshots of a store.
    Store(&'r dyn Store, Option<(Turn, Box<dyn Read + 'r>)>),
}

impl<'r> Source<'r> {
    /// Snapshots, in a turn.
    pub(super) fn of(store: &'r dyn Store, turn: Turn) -> Result<Self> {
        Ok(Self::Store(store, Some((turn, store.read()?))))
    }

    /// The transaction, or the latest snapshot.
    pub(super) fn now(&self) -> &dyn Read {
        match self {
            Self::Transaction(read) => *read,
            Self::Store(_, at) => &*at.as_ref().expect("after a rest that failed nothing is read").1,
        }
    }

    /// Gives way where the turn is over.
    pub(super) fn rest(&mut self) -> Result<()> {
        if let Self::Store(store, at) = self
            && let Some((turn, read)) = at.take_if(|(turn, _)| turn.is_over())
        {
            drop(read);
            let turn = turn.give_way()?;
            *at = Some((turn, store.read()?));
        }
        Ok(())
    }
}
