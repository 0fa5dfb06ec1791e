//! Layout 1: many changes, and rows of CBOR beside them, column by column.
//!
//! What follows from something else is left out and made again (magic, checksum, lengths, the hashes of changes in the same run, the ids of
//! actions); what repeats is a template; and what is left stands beside its like: numbers as differences, words with the words of the same
//! field, random bytes at the end. The random bytes stay as they are; text that is not ASCII goes through one PPMd model and everything else
//! through another. On the benchmark's evening that is 15 % less than zstd 19 over the same columns, and no level to choose.
//!
//! Here is what both sides know after each change: the packer learns it as it writes, the unpacker as it reads.

use std::borrow::Cow;

use super::super::batch::change_hash;
use super::chunk::Chunk;
use super::template::{Columns, LeafKind, Plan};
use crate::domain::id::Hash;

/// A run taken apart, and not compressed.
pub(super) struct Apart<'a> {
    /// Counts, lengths, streams and columns.
    pub(super) plain: Vec<u8>,
    /// The columns of text, which compress better on their own.
    pub(super) texts: Vec<u8>,
    /// Bytes that nothing can make shorter.
    pub(super) random: Cow<'a, [u8]>,
}

/// The streams that every run has. Columns follow them, by kind and then by number.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    /// For each operation template: its bytes after their length.
    OpTemplates,
    /// For each change template: its bytes after their length.
    ChangeTemplates,
    /// For each change: 0 = as it stands, or the number of its template + 1.
    Forms,
    /// For each change: how many dependencies, and for each 0 = new, 2n + 1 = the n-th new one, 2n + 2 = the n-th change before this one.
    Deps,
    /// For each change: its actor's number, in order of appearance; a new one is among the random bytes after its length.
    Actors,
    /// For each change: sequence, less what its dependency makes likely.
    Seqs,
    /// For each change: first operation's counter, less what its dependency makes likely.
    Starts,
    /// For each change: seconds since 1970, less those of the change before.
    Times,
    /// Changes that stand as they are, after their lengths.
    Raw,
    /// For each row: the number of its template.
    Rows,
}
pub(super) const STREAMS: usize = 10;

/// What both sides know after each change.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub columns: Columns,
    pub plans: Vec<Plan>,
    /// Sixteen-byte ids in order of appearance: of actions, and those that were new.
    pub ids: Vec<[u8; 16]>,
    pub changes: Vec<Made>,
    pub outside: Vec<Hash>,
    pub last_time: i64,
    pub last_start: u64,
    pub last: Vec<Last>,
    /// By how much the last integer differed from the one before it in its column.
    pub step: i64,
}

/// What a column held last.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Last {
    pub int: i64,
    pub id: [u8; 16],
    /// Place of the id among those known.
    pub place: usize,
}

/// A change of the run.
#[derive(Debug)]
pub(super) struct Made {
    pub hash: Hash,
    actor: usize,
    seq: u64,
    /// The counter after its last operation.
    end: u64,
}

/// A dependency: the n-th change of the run, or one outside of it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Dep {
    Inside(usize),
    Outside,
}

impl Known {
    pub fn last(&mut self, column: usize) -> &mut Last {
        if self.last.len() <= column {
            self.last.resize(column + 1, Last::default());
        }
        &mut self.last[column]
    }

    pub fn expected(&mut self, kind: LeafKind, column: usize) -> i64 {
        let twin = if kind == LeafKind::Twin { self.step } else { 0 };
        self.last(column).int.wrapping_add(twin)
    }

    pub fn learn(&mut self, column: usize, value: i64) {
        let last = self.last(column);
        let step = value.wrapping_sub(last.int);
        last.int = value;
        self.step = step;
    }

    /// Sequence and first counter that a change of `actor` on these dependencies most likely has.
    pub fn likely(&self, actor: usize, deps: &[Dep]) -> (u64, u64) {
        let inside = deps.iter().filter_map(|dep| if let Dep::Inside(index) = dep { self.changes.get(*index) } else { None });
        let outside = deps.iter().any(|dep| matches!(dep, Dep::Outside));
        inside.fold((1, if outside { self.last_start } else { 1 }), |(seq, start), made| {
            (if made.actor == actor { seq.max(made.seq.saturating_add(1)) } else { seq }, start.max(made.end))
        })
    }

    pub fn made(&mut self, hash: Hash, actor: usize, chunk: &Chunk<'_>, deps: &[Dep], ops: usize) {
        if deps.iter().any(|dep| matches!(dep, Dep::Outside)) {
            self.last_start = chunk.start_op;
        }
        self.last_time = chunk.time;
        self.changes.push(Made { hash, actor, seq: chunk.seq, end: chunk.start_op.saturating_add(ops as u64) });
    }

    /// A change that stands as it is.
    pub fn stands(&mut self, raw: &[u8]) {
        self.changes.push(Made { hash: change_hash(raw), actor: usize::MAX, seq: 0, end: 0 });
    }

    /// The numbers of the columns in the order in which they are written: like beside like.
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.columns.kinds.len()).collect();
        order.sort_by_key(|&number| LeafKind::ALL.iter().position(|kind| *kind == self.columns.kinds[number]));
        order
    }
}

pub(super) const ID_NEW: u64 = 0;
pub(super) const ID_NEW_V7: u64 = 1;
pub(super) const ID_AS_BEFORE: u64 = 2;
/// From here on: a known id, and how far its place is from that of the column's last (zigzag).
pub(super) const ID_KNOWN: u64 = 3;

/// A UUIDv7 (RFC 9562) has 48 bits of time in front.
pub(super) fn split_v7(id: [u8; 16]) -> Option<(i64, [u8; 10])> {
    let (time, rest) = id.split_first_chunk::<6>()?;
    let time = time.iter().fold(0, |time, byte| time << 8 | i64::from(*byte));
    (id[6] >> 4 == 7 && id[8] >> 6 == 2).then(|| (time, rest.try_into().expect("ten bytes are left")))
}

pub(super) fn join_v7(time: i64, rest: &[u8]) -> Option<[u8; 16]> {
    [&time.to_be_bytes()[2..], rest].concat().try_into().ok()
}

/// The order of the PPMd models: two characters of Chinese.
pub(super) const PPMD_ORDER: u32 = 6;

/// The most that PPMd may stretch: real runs stay below a tenth of this, and a hostile one costs no more time than its bytes are worth.
const MAX_STRETCH: usize = 64;

/// Whether so many bytes are more than so many packed ones may become.
pub(super) const fn stretches(plain: usize, packed: usize) -> bool {
    plain / MAX_STRETCH > packed
}

/// The memory of a PPMd model for so many bytes. Part of the format, as the order is: both sides forget at the same place.
pub(super) fn ppmd_memory(len: usize) -> u32 {
    let wanted = u32::try_from(len).unwrap_or(u32::MAX).saturating_mul(32).clamp(1 << 16, 8 << 20);
    wanted.next_power_of_two()
}
