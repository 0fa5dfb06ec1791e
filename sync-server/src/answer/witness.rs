//! What devices show of this server's own signatures, held against its streams.

use fieldgrid_core::domain::id::Hash;
use fieldgrid_core::wire::suite::PublicKey;
use fieldgrid_core::wire::sync::Cursor;
use fieldgrid_core::wire::witness::Shown;

use super::cursors::epoch_of;
use crate::store::{ContradictionRow, Read, Result};

/// The positions among those shown that `key` signed and this database does not have, in an epoch
/// in which it has that place itself, or should have. What a restore lost is of an epoch that has
/// ended, and contradicts nothing.
pub(crate) fn contradictions(read: &dyn Read, key: &PublicKey, shown: &[Shown], now_ms: i64) -> Result<Vec<ContradictionRow>> {
    let mut found = Vec::new();
    for Shown { device, heads } in shown.iter().filter(|shown| shown.heads.verify(shown.device, key)) {
        for at in &heads.heads {
            if let Some(ours) = contradicted(read, at)? {
                let signed = minicbor::to_vec(heads).expect("encoding into memory does not fail");
                found.push(ContradictionRow { at: *at, ours, device: *device, heads: signed, seen_ms: now_ms });
            }
        }
    }
    Ok(found)
}

/// What this database has at a position that it contradicts: another chain, or nothing yet.
fn contradicted(read: &dyn Read, at: &Cursor) -> Result<Option<Option<Hash>>> {
    let Some(stream) = read.stream(at.stream)? else { return Ok(None) };
    let epochs = read.epochs_of(at.stream)?;
    if at.seq > stream.head {
        return Ok((epochs.last().map(|(epoch, _)| *epoch) == Some(at.epoch)).then_some(None));
    }
    let ours = read.chain_at(at.stream, at.seq)?;
    Ok((at.seq > 0 && epoch_of(&epochs, at.seq, stream.epoch) == at.epoch && ours != Some(at.chain)).then_some(ours))
}
