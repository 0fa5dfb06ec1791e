//! Entries, as many as an answer takes, fairly over the streams; what the asking device wrote itself as references.

use std::collections::VecDeque;

use fieldgrid_core::domain::fact::{Body, Fact, FactKind};
use fieldgrid_core::domain::id::{Hash, StreamId};
use fieldgrid_core::wire::entry::Entry;
use fieldgrid_core::wire::limits;
use fieldgrid_core::wire::sync::{Cursor, OutboxHead, OwnRange, Page, PageEntry};

use super::cursors::epoch_of;
use crate::store::{Placed, Read, Result, StreamRow};

/// Rows read at once.
const ROWS: usize = 256;
/// Bytes an entry counts beside its payload, so that many small ones end a page too.
const ENTRY: usize = 64;

/// A stream while an answer is filled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) stream: StreamRow,
    /// Where the device will be.
    pub(super) at: Cursor,
    /// There are entries it lacks and gets by pages.
    pub(super) wanted: bool,
}

/// What of its own the device says that it has.
#[derive(Debug)]
pub(super) struct Own<'a> {
    /// Its last batch that the server is known to hold.
    pub(super) outbox: OutboxHead,
    /// Hashes of the batches it sent just now.
    pub(super) sent: &'a [Hash],
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Pages {
    pub(super) pages: Vec<Page>,
    pub(super) more: bool,
}

/// Whether a stream begins with more of others than a pack is worth: its author needs only references to what he wrote.
pub(super) fn mostly_others(read: &dyn Read, stream: &StreamRow, own: &Own<'_>) -> Result<bool> {
    let mut others = 0;
    for placed in read.placed(stream.id, 0, ROWS)? {
        others += u64::from(!own.has(read, &placed)?);
    }
    Ok(others >= super::PACK_FROM)
}

/// Fills an answer, of which no more than one entry goes beyond its room. The device's own stream
/// comes first (its receipts), then each stream has a fair share, then the room that is left goes
/// to whoever has more.
pub(super) fn pages(read: &dyn Read, reading: &mut [Reading], own_stream: StreamId, own: &Own<'_>, holds_households: bool) -> Result<Pages> {
    let mut filled = Pages::default();
    let mut room = limits::PAGE_RAW;
    let mut queue: VecDeque<usize> = (0..reading.len()).filter(|i| reading[*i].wanted).collect();
    if let Some(first) = queue.iter().position(|i| reading[*i].stream.id == own_stream)
        && let Some(i) = queue.remove(first)
    {
        queue.push_front(i);
    }
    while let Some(i) = queue.pop_front() {
        // Every stream of many with a long history at its head would make more than a device takes.
        if room == 0 {
            filled.more = true;
            break;
        }
        let share = if reading[i].stream.id == own_stream { room } else { room / (queue.len() + 1) };
        let (pages, taken) = fill(read, &mut reading[i], share, own, holds_households)?;
        room = room.saturating_sub(taken);
        filled.pages.extend(pages);
        if reading[i].at.seq < reading[i].stream.head {
            filled.more = true;
        }
    }
    Ok(filled)
}

/// Pages of one stream, at least one entry, otherwise up to `share` bytes; a page for each epoch.
fn fill(read: &dyn Read, reading: &mut Reading, share: usize, own: &Own<'_>, holds_households: bool) -> Result<(Vec<Page>, usize)> {
    let epochs = read.epochs_of(reading.stream.id)?;
    let (mut pages, mut taken): (Vec<Page>, usize) = (Vec::new(), 0);
    while reading.at.seq < reading.stream.head {
        for placed in read.placed(reading.stream.id, reading.at.seq, ROWS)? {
            if taken >= share && taken > 0 {
                return Ok((pages, taken));
            }
            let epoch = epoch_of(&epochs, placed.seq, reading.stream.epoch);
            if pages.last().is_none_or(|page| page.epoch != epoch) {
                pages.push(Page { stream: reading.stream.id, epoch, first: placed.seq, entries: Vec::new() });
            }
            let Some(page) = pages.last_mut() else { continue };
            taken += ENTRY + add(read, page, &placed, own, holds_households)?;
            reading.at = Cursor { stream: reading.stream.id, epoch, seq: placed.seq, chain: placed.chain };
        }
    }
    Ok((pages, taken))
}

/// Adds an entry to a page; gives the bytes of its payload.
fn add(read: &dyn Read, page: &mut Page, placed: &Placed, own: &Own<'_>, holds_households: bool) -> Result<usize> {
    if let Some(origin) = placed.origin
        && own.has(read, placed)?
    {
        match page.entries.last_mut() {
            Some(PageEntry::Own(range)) if (range.incarnation, range.seq, range.first + range.count) == (origin.incarnation, origin.seq, origin.item) => {
                range.count += 1;
            }
            _ => page.entries.push(PageEntry::Own(OwnRange { incarnation: origin.incarnation, seq: origin.seq, first: origin.item, count: 1 })),
        }
        return Ok(0);
    }
    let entry = match read.entry(placed.entry)? {
        // The hash covers a body by its own hash only, so the chain holds without it.
        Entry::Fact(fact) if fact.kind == FactKind::Sensitive && !holds_households => Entry::Fact(Fact { body: Body::Erased(fact.body.hash()), ..fact }),
        entry => entry,
    };
    let size = match &entry {
        Entry::Join(join) => join.changes.iter().map(Vec::len).sum(),
        _ => placed.size,
    };
    page.entries.push(PageEntry::Entry(entry));
    Ok(size)
}

impl Own<'_> {
    /// Whether the device has the batch that brought an entry: it says so, or sent it just now.
    fn has(&self, read: &dyn Read, placed: &Placed) -> Result<bool> {
        let Some(origin) = placed.origin else { return Ok(false) };
        if origin.incarnation == self.outbox.incarnation && origin.seq <= self.outbox.seq {
            return Ok(true);
        }
        if self.sent.is_empty() {
            return Ok(false);
        }
        Ok(read.batch(origin.incarnation, origin.seq)?.is_some_and(|batch| self.sent.contains(&batch.hash)))
    }
}
