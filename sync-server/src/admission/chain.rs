//! The outbox chain: which batches are in their place.

use std::sync::Arc;

use fieldgrid_core::domain::id::{Hash, Incarnation};
use fieldgrid_core::wire::batch::Batch;
use fieldgrid_core::wire::error::WireError;
use fieldgrid_core::wire::sync::{BatchFault, BatchRejection, OutboxHead, SealedBytes};

use super::Outcome;
use super::sender::Sender;
use crate::store::{DeviceRow, IncarnationRow, Read, Result};

/// Items that are judged together, in one transaction, as far as whole batches come to that.
const TOGETHER: usize = 250;

/// A batch as it reads, or why it does not.
type Decoded = Result<Arc<Batch>, BatchFault>;

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

/// The same batch, by the same right.
impl PartialEq for InPlace {
    fn eq(&self, other: &Self) -> bool {
        self.batch.hash() == other.batch.hash() && self.sender.right == other.sender.right
    }
}

impl Checked {
    pub(super) fn outcome(&self) -> Outcome {
        Outcome { rejections: self.rejections.clone(), outbox: self.head, held: self.held.clone(), ..Outcome::default() }
    }
}

/// Batches of a request that are judged together.
#[derive(Debug)]
pub(super) struct Group {
    /// The index of the first in the request.
    first: u32,
    batches: Vec<Decoded>,
}

impl Group {
    /// How many changes and facts there are.
    pub(super) fn items(&self) -> usize {
        self.batches.iter().flatten().map(|batch| batch.items.len()).sum()
    }
}

/// A request's batches, of which no more than a group is decoded at once.
#[derive(Debug)]
pub(super) struct Groups {
    sealed: std::vec::IntoIter<SealedBytes>,
    taken: u32,
}

impl Groups {
    pub(super) fn of(sealed: Vec<SealedBytes>) -> Self {
        Self { sealed: sealed.into_iter(), taken: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sealed.as_slice().is_empty()
    }

    /// The next batches, as many as it takes to come to [`TOGETHER`] items.
    pub(super) fn next(&mut self) -> Group {
        let mut group = Group { first: self.taken, batches: Vec::new() };
        while group.items() < TOGETHER
            && let Some(sealed) = self.sealed.next()
        {
            group.batches.push(decode(&sealed));
            self.taken += 1;
        }
        group
    }
}

/// Reads a sealed batch, within the limits.
fn decode(sealed: &SealedBytes) -> Decoded {
    Batch::from_bytes(&sealed.0).map(Arc::new).map_err(|error| match error {
        WireError::TooLarge(_) => BatchFault::TooLarge,
        WireError::Unverified(_) => BatchFault::Unverified,
        WireError::NewerVersion(_) => BatchFault::Version,
        _ => BatchFault::Malformed,
    })
}

/// Puts each batch in its place, or says why it has none.
pub(super) fn check(read: &dyn Read, device: &DeviceRow, group: &Group, received_ms: i64) -> Result<Checked> {
    let mut life = read.latest_incarnation(device.id)?;
    let mut checked = Checked { placed: Vec::new(), forked: false, rejections: Vec::new(), held: Vec::new(), head: None };
    for (index, decoded) in (group.first..).zip(&group.batches) {
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
    if header.incarnation.is_zero() {
        return Ok(Place::Fault(BatchFault::Malformed));
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
            // A new life names the last batch the server holds of this device, whatever its life. Another one is no proof of a copy: a backup may lack it, or
            // the device may have been told nothing of the last. A copy shows when the other store goes on in the life that is closed then.
            None if header.prev != life.map_or(Hash::ZERO, |life| life.hash) => return Ok(Place::Fault(BatchFault::Gap)),
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
