//! The outermost byte of a body: how it is compressed. Small bodies go plain; large ones as one zstd frame, within limits that are
//! checked before memory is taken.

use super::error::WireError;
use super::limits::{MAX_BODY, MAX_BODY_PLAIN};

/// Bodies below this go plain: zstd gains nothing on them.
const PLAIN_BELOW: usize = 160;
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;

/// A body as it stands. So phones send: batches are compressed already, and what else is in a request is hashes. zstd's highest level made an evening 0.6 %
/// shorter (190 bytes), and a phone's library 0.23 MB larger.
#[must_use]
pub fn plain(body: &[u8]) -> Vec<u8> {
    [&[PLAIN], body].concat()
}

/// Wraps a body for sending, compressed at zstd's `level` where that makes it shorter.
#[must_use]
pub fn wrap(body: &[u8], level: i32) -> Vec<u8> {
    if body.len() >= PLAIN_BELOW
        && let Ok(mut packed) = zstd::bulk::compress(body, level)
        && packed.len() + 1 < body.len()
    {
        packed.insert(0, ZSTD);
        return packed;
    }
    plain(body)
}

/// What is here of a body that goes plain; none for any other, and for none.
#[must_use]
pub fn as_plain(framed: &[u8]) -> Option<&[u8]> {
    framed.split_first().filter(|(frame, _)| **frame == PLAIN).map(|(_, body)| body)
}

/// How long a framed body is once it is unwrapped, as it says itself; 0 where [`unwrap`] would say why not.
#[must_use]
pub fn plain_len(framed: &[u8]) -> usize {
    match framed.split_first() {
        Some((&PLAIN, body)) => body.len(),
        Some((&ZSTD, packed)) => plain_size(packed).ok().filter(|size| *size <= MAX_BODY_PLAIN).unwrap_or_default(),
        _ => 0,
    }
}

/// Unwraps a body.
///
/// # Errors
/// [`WireError::TooLarge`] past the limits, [`WireError::Malformed`] for anything that is not a frame.
pub fn unwrap(framed: &[u8]) -> Result<Vec<u8>, WireError> {
    if framed.len() > MAX_BODY {
        return Err(WireError::TooLarge("body"));
    }
    match framed.split_first() {
        Some((&PLAIN, body)) => Ok(body.to_vec()),
        Some((&ZSTD, packed)) => unzstd(packed, MAX_BODY_PLAIN),
        _ => Err(WireError::Malformed("frame")),
    }
}

/// Decompresses one zstd frame that may come to at most `limit` bytes.
///
/// # Errors
/// [`WireError::TooLarge`] or [`WireError::Malformed`].
pub fn unzstd(packed: &[u8], limit: usize) -> Result<Vec<u8>, WireError> {
    let size = plain_size(packed)?;
    if size > limit {
        return Err(WireError::TooLarge("decompressed body"));
    }
    zstd::bulk::decompress(packed, size).map_err(|_| WireError::Malformed("zstd"))
}

fn plain_size(packed: &[u8]) -> Result<usize, WireError> {
    let size = zstd::zstd_safe::get_frame_content_size(packed).ok().flatten().ok_or(WireError::Malformed("frame without its size"))?;
    Ok(usize::try_from(size).unwrap_or(usize::MAX))
}
