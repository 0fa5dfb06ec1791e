//! Many raw change chunks as one run of bytes that compresses well.
//!
//! The first byte names the layout: 0 is length-prefixed chunks end to end.

use super::error::WireError;
use super::limits::MAX_CHANGE;

/// Packs raw chunks, in order. Not compressed itself: what carries it is ([`super::frame`]).
#[must_use]
pub fn pack(chunks: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![0];
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
    let malformed = WireError::Malformed("changes");
    let Some((&0, mut rest)) = packed.split_first() else {
        return Err(malformed);
    };
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
        chunks.push(chunk.to_vec());
        rest = after;
    }
    Ok(chunks)
}
