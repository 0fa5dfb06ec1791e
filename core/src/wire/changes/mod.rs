//! Many raw change chunks, and the CBOR rows that go with them, as one run of bytes that compresses well.
//!
//! The first byte names the layout: 0 is everything as it stands (how many rows, then rows and chunks, each after its length; numbers u32,
//! big-endian), 1 is column by column (`known.rs`).

mod chunk;
mod civil;
mod known;
mod pack;
mod template;
#[cfg(test)]
mod tests;
mod unpack;

use super::error::WireError;
use super::limits::MAX_CHANGE;

const PLAIN: u8 = 0;
const COLUMNS: u8 = 1;
/// What a run may come to.
#[derive(Debug, Clone, Copy)]
pub struct Most {
    /// Bytes: the sum over its pieces of the greatest of length, 16, and 8 for each operation.
    pub bytes: usize,
    /// Changes.
    pub changes: usize,
    /// Rows.
    pub rows: usize,
}

impl Most {
    /// Without a bound: of what this process packed itself.
    const ANY: Self = Self { bytes: usize::MAX, changes: usize::MAX, rows: usize::MAX };
}

/// What was packed together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Run {
    /// Raw change chunks, in order.
    pub changes: Vec<Vec<u8>>,
    /// CBOR items, in order.
    pub rows: Vec<Vec<u8>>,
}

/// Packs raw chunks and rows, in order: compressed, but for random bytes.
#[must_use]
pub fn pack(changes: &[&[u8]], rows: &[Vec<u8>]) -> Vec<u8> {
    let plain = pack_plain(changes, rows);
    let is_same = |run: Result<Run, WireError>| run.is_ok_and(|run| run.changes == changes && run.rows == rows);
    // That what was taken apart comes together to the same bytes is looked at each time; PPMd's own way back would be three quarters of that time.
    if let Some(apart) = pack::apart(changes, rows).filter(|apart| is_same(unpack::run(apart, Most::ANY)))
        && let Some(mut packed) = apart.pack().filter(|packed| packed.len() + 1 < plain.len())
    {
        debug_assert!(is_same(unpack::unpack(&packed, Most::ANY)));
        packed.insert(0, COLUMNS);
        return packed;
    }
    plain
}

fn pack_plain(changes: &[&[u8]], rows: &[Vec<u8>]) -> Vec<u8> {
    let number = |len: usize| u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes();
    let mut out = vec![PLAIN];
    out.extend(number(rows.len()));
    for piece in rows.iter().map(Vec::as_slice).chain(changes.iter().copied()) {
        out.extend(number(piece.len()));
        out.extend_from_slice(piece);
    }
    out
}

/// Unpacks to the very bytes that were packed, as far as they are within `most`.
///
/// # Errors
/// [`WireError::TooLarge`] or [`WireError::Malformed`].
pub fn unpack(packed: &[u8], most: Most) -> Result<Run, WireError> {
    match packed.split_first() {
        Some((&PLAIN, rest)) => unpack_plain(rest, most),
        Some((&COLUMNS, rest)) => unpack::unpack(rest, most),
        _ => Err(WireError::Malformed("changes")),
    }
}

fn unpack_plain(mut rest: &[u8], most: Most) -> Result<Run, WireError> {
    if rest.len() > most.bytes {
        return Err(WireError::TooLarge("changes"));
    }
    let rows = number(&mut rest)?;
    if rows > most.rows {
        return Err(WireError::TooLarge("rows"));
    }
    let mut run = Run::default();
    while !rest.is_empty() {
        let len = number(&mut rest)?;
        let is_row = run.rows.len() < rows;
        if !is_row && (len > MAX_CHANGE || run.changes.len() == most.changes) {
            return Err(WireError::TooLarge("change"));
        }
        let (piece, after) = rest.split_at_checked(len).ok_or(WireError::Malformed("changes"))?;
        if is_row { &mut run.rows } else { &mut run.changes }.push(piece.to_vec());
        rest = after;
    }
    if run.rows.len() < rows { Err(WireError::Malformed("changes")) } else { Ok(run) }
}

fn number(rest: &mut &[u8]) -> Result<usize, WireError> {
    let (number, after) = rest.split_first_chunk::<4>().ok_or(WireError::Malformed("changes"))?;
    *rest = after;
    Ok(u32::from_be_bytes(*number) as usize)
}
