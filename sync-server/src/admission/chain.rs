//! The outbox chain: which batches are in their place.

use std::sync::Arc;

use fieldgrid_core::domain::id::{Hash, Incarnation};
use fieldgrid_core::wire::batch::Batch;
use fieldgrid_core::wire::error::WireError;
use fieldgrid_core::wire::sync::{BatchFault, BatchRejection, OutboxHead, SealedBytes};

use super::Outcome;
use super::sender::Sender;
use crate::store::{DeviceRow, IncarnationRow, Read, Result};

/// A batch as it reads, or why it does not.
pub(super) type Decoded = Result<Arc<Batch>, BatchFault>;

/// A request's batches against the chain.
#[derive(Debug)]
pub(super) struct Checked {
    /// Those in their place, in order.
    pub(super) placed: Vec<InPlace>,
    /// Whether the store of this device was found to be one of two.
    pub(super) forked: bool,
    rejections: Vec<BatchRejection>,
    held: Vec<Hash>,
    head: Option<OutboxHead>,
}

/// A batch in its place, with who sent it.
#[derive(Debug, Clone)]
pub(super) struct InPlace {
    pub(super) batch: Arc<Batch>,
    pub(super) sender: Arc<Sender>,
    /// It is the first of a new life of the device's store.
    pub(super) opens: bool,
}

impl Checked {
    pub(super) fn outcome(&self) -> Outcome {
        Outcome { rejections: self.rejections.clone(), outbox: self.head, held: self.held.clone(), ..Outcome::default() }
    }
}

/// Reads sealed batches, within the limits.
pub(super) fn decode(sealed: &[SealedBytes]) -> Vec<Decoded> {
    sealed
        .iter()
        .map(|bytes| {
            Batch::from_bytes(&bytes.0).map(Arc::new).map_err(|error| match error {
                WireError::TooLarge(_) => BatchFault::TooLarge,
                WireError::Unverified(_) => BatchFault::Unverified,
                WireError::NewerVersion(_) => BatchFault::Version,
                _ => BatchFault::Malformed,
            })
        })
        .collect()
}

/// Puts each batch in its place, or says why it has none.
pub(super) fn check(read: &dyn Read, device: &DeviceRow, batches: &[Decoded], received_ms: i64) -> Result<Checked> {
    let mut life = read.latest_incarnation(device.id)?;
    let mut checked = Checked { placed: Vec::new(), forked: false, rejections: Vec::new(), held: Vec::new(), head: None };
    for (index, decoded) in (0_u32..).zip(batches) {
        let placed = match decoded {
            Ok(batch) => place(read, device, batch, &mut life, received_ms)?,
            Err(fault) => Place::Fault(*fault),
        };
        match placed {
            Place::Next(placed) => {
                checked.held.push(placed.batch.hash());
                checked.placed.push(placed);
            }
            Place::Held(hash) => checked.held.push(hash),
            Place::Fault(fault) => {
                checked.forked |= fault == BatchFault::Fork;
                checked.rejections.push(BatchRejection { index, fault });
            }
        }
    }
    checked.head = life.map(|life| OutboxHead { incarnation: life.id, seq: life.seq, hash: life.hash });
    Ok(checked)
}

enum Place {
    Next(InPlace),
    Held(Hash),
    Fault(BatchFault),
}

/// The place of one batch. `life` is the device's latest incarnation as it is after the batches before.
fn place(read: &dyn Read, device: &DeviceRow, batch: &Arc<Batch>, life: &mut Option<IncarnationRow>, received_ms: i64) -> Result<Place> {
    let header = &batch.header;
    if header.device != device.id {
        return Ok(Place::Fault(BatchFault::Foreign));
    }
    if batch.verify(&device.key).is_err() {
        return Ok(Place::Fault(BatchFault::Unverified));
    }
    let (hash, current) = (batch.hash(), life.filter(|life| life.id == header.incarnation));
    let opens = match current {
        Some(current) if header.seq == current.seq + 1 => {
            if header.prev != current.hash {
                return Ok(Place::Fault(BatchFault::Fork));
            }
            false
        }
        Some(current) if header.seq > current.seq => return Ok(Place::Fault(BatchFault::Gap)),
        Some(current) if header.seq == current.seq => return Ok(if hash == current.hash { Place::Held(hash) } else { Place::Fault(BatchFault::Fork) }),
        Some(_) => return replayed(read, header.incarnation, header.seq, hash),
        None => match read.incarnation(header.incarnation)? {
            Some(known) if known.device != device.id => return Ok(Place::Fault(BatchFault::Foreign)),
            // A closed life: what it sent before is a replay, anything else comes from a copy of the store.
            Some(_) => return replayed(read, header.incarnation, header.seq, hash),
            None if header.seq != 1 => return Ok(Place::Fault(BatchFault::Gap)),
            // A new life names the last batch the server holds of this device, whatever its life. One that it does not hold was lost with what a backup lacks.
            None if header.prev != life.map_or(Hash::ZERO, |life| life.hash) => {
                let lost = header.prev != Hash::ZERO && !read.holds(device.id, header.prev)?;
                return Ok(Place::Fault(if lost { BatchFault::Gap } else { BatchFault::Fork }));
            }
            None => true,
        },
    };
    let place = life.map_or(1, |life| life.place + u32::from(opens));
    *life = Some(IncarnationRow { id: header.incarnation, device: device.id, place, closed: false, seq: header.seq, hash, safe: 0 });
    let sender = Arc::new(Sender::of(read, device, header, received_ms)?);
    Ok(Place::Next(InPlace { batch: Arc::clone(batch), sender, opens }))
}

fn replayed(read: &dyn Read, incarnation: Incarnation, seq: u64, hash: Hash) -> Result<Place> {
    Ok(match read.batch(incarnation, seq)? {
        Some(held) if held.hash == hash => Place::Held(hash),
        _ => Place::Fault(BatchFault::Fork),
    })
}
