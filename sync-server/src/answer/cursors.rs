//! Where the device is in each stream, held against the server's chain.

use fieldgrid_core::domain::id::Hash;
use fieldgrid_core::wire::sync::{Cursor, SyncState};

use crate::store::{Read, Result, StreamRow};

/// Where reading goes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub(super) at: Cursor,
    /// The last common position, when the device is at one the server does not know.
    pub(super) common: Option<Cursor>,
}

/// Where reading a stream goes on. A cursor whose chain the server has not is of a life that was lost: what is common ends where the lists of epochs part.
pub(super) fn start(read: &dyn Read, stream: &StreamRow, state: &SyncState) -> Result<Start> {
    let fresh = Cursor { stream: stream.id, epoch: stream.epoch, seq: 0, chain: Hash::ZERO };
    let Some(claimed) = state.cursors.iter().find(|cursor| cursor.stream == stream.id) else {
        return Ok(Start { at: fresh, common: None });
    };
    if claimed.seq <= stream.head && read.chain_at(stream.id, claimed.seq)? == Some(claimed.chain) {
        return Ok(Start { at: *claimed, common: None });
    }
    let epochs = read.epochs_of(stream.id)?;
    let end = epochs.iter().find(|(epoch, _)| *epoch > claimed.epoch).map_or(stream.head, |(_, first)| first - 1);
    let seq = claimed.seq.min(end).min(stream.head);
    let chain = read.chain_at(stream.id, seq)?.unwrap_or(Hash::ZERO);
    let at = Cursor { stream: stream.id, epoch: epoch_of(&epochs, seq, stream.epoch), seq, chain };
    Ok(Start { at, common: Some(at) })
}

/// The epoch that a position is numbered in.
pub(super) fn epoch_of(epochs: &[(u32, u64)], seq: u64, latest: u32) -> u32 {
    epochs.iter().rev().find(|(_, first)| *first <= seq.max(1)).map_or(latest, |(epoch, _)| *epoch)
}
