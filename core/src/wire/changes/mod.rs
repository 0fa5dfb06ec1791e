//! Many raw change chunks as one run of bytes that compresses well.
//!
//! The first byte names the layout: 0 is chunks end to end, each after its length (u32, big-endian); 1 is [`columns`].

mod chunk;
mod civil;
mod columns;
mod template;
#[cfg(test)]
mod tests;

use super::error::WireError;
use super::limits::MAX_CHANGE;

const PLAIN: u8 = 0;
const COLUMNS: u8 = 1;
/// Most changes in a run.
const MAX_CHUNKS: usize = 1 << 18;

/// Packs raw chunks, in order. Not compressed itself: what carries it is ([`super::frame`]).
#[must_use]
pub fn pack(chunks: &[&[u8]]) -> Vec<u8> {
    if let Some(packed) = columns::pack(chunks)
        && unpack(&packed, usize::MAX).is_ok_and(|unpacked| unpacked == chunks)
    {
        return packed;
    }
    let mut out = vec![PLAIN];
    for chunk in chunks {
        out.extend_from_slice(&u32::try_from(chunk.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(chunk);
    }
    out
}

/// Unpacks to the very bytes that were packed, of at most `limit` bytes together.
///
/// # Errors
/// [`WireError::TooLarge`] or [`WireError::Malformed`].
pub fn unpack(packed: &[u8], limit: usize) -> Result<Vec<Vec<u8>>, WireError> {
    match packed.split_first() {
        Some((&PLAIN, rest)) => unpack_plain(rest, limit),
        Some((&COLUMNS, rest)) => columns::unpack(rest, limit),
        _ => Err(WireError::Malformed("changes")),
    }
}

fn unpack_plain(mut rest: &[u8], limit: usize) -> Result<Vec<Vec<u8>>, WireError> {
    let malformed = WireError::Malformed("changes");
    if rest.len() > limit {
        return Err(WireError::TooLarge("changes"));
    }
    let mut chunks = Vec::new();
    while !rest.is_empty() {
        let (len, after) = rest.split_first_chunk::<4>().ok_or(malformed.clone())?;
        let len = u32::from_be_bytes(*len) as usize;
        if len > MAX_CHANGE {
            return Err(WireError::TooLarge("change"));
        }
        let (chunk, after) = after.split_at_checked(len).ok_or(malformed.clone())?;
        if chunks.len() == MAX_CHUNKS {
            return Err(WireError::TooLarge("changes"));
        }
        chunks.push(chunk.to_vec());
        rest = after;
    }
    Ok(chunks)
}
