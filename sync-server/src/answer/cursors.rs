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
    /// This server's chain where the device has another one of the same epoch.
    pub(super) contradicts: Option<Cursor>,
}

/// Where reading a stream goes on. What is common of two lives is what both have: the part below
/// the epoch that the device does not know. Where the chains differ within an epoch that both know,
/// the server can prove nothing but the start; the device may have a position below its own to ask
/// about.
pub(super) fn start(read: &dyn Read, stream: &StreamRow, state: &SyncState) -> Result<Start> {
    let fresh = Cursor { stream: stream.id, epoch: stream.epoch, seq: 0, chain: Hash::ZERO };
    let Some(claimed) = state.cursors.iter().find(|cursor| cursor.stream == stream.id) else {
        return Ok(Start { at: fresh, common: None, contradicts: None });
    };
    let epochs = read.epochs_of(stream.id)?;
    if claimed.seq <= stream.head && read.chain_at(stream.id, claimed.seq)? == Some(claimed.chain) {
        let epoch = if claimed.seq == 0 { claimed.epoch } else { epoch_of(&epochs, claimed.seq, stream.epoch) };
        let at = Cursor { epoch, ..*claimed };
        // The entries are the same; the number of their epoch is not, if somebody else gave it.
        return Ok(Start { at, common: (at != *claimed).then_some(at), contradicts: None });
    }
    let known = epochs.iter().any(|(epoch, _)| *epoch == claimed.epoch);
    let end = epochs.iter().find(|(epoch, _)| *epoch > claimed.epoch).map_or(0, |(_, first)| first - 1);
    let at = if known && 0 < end && end < claimed.seq {
        Cursor { stream: stream.id, epoch: epoch_of(&epochs, end, stream.epoch), seq: end, chain: read.chain_at(stream.id, end)?.unwrap_or(Hash::ZERO) }
    } else {
        fresh
    };
    let ours =
        if claimed.seq <= stream.head && epoch_of(&epochs, claimed.seq, stream.epoch) == claimed.epoch { read.chain_at(stream.id, claimed.seq)? } else { None };
    Ok(Start { at, common: Some(at), contradicts: ours.map(|chain| Cursor { chain, ..*claimed }) })
}

/// The epoch that a position is numbered in.
pub(super) fn epoch_of(epochs: &[(u32, u64)], seq: u64, latest: u32) -> u32 {
    epochs.iter().rev().find(|(_, first)| *first <= seq.max(1)).map_or(latest, |(epoch, _)| *epoch)
}
