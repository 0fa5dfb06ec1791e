//! The bytes between phone and server (`docs/sync-protocol.md`).
//!
//! Messages are CBOR (RFC 8949) arrays with fixed positions: a newer version appends, an older one leaves aside what it does not know. What is
//! signed or hashed is kept and passed on as the bytes it came in, so nothing a newer version added is lost on the way through an older one.

pub mod batch;
pub mod changes;
pub mod enrol;
pub mod entry;
pub mod error;
pub mod frame;
pub mod limits;
pub mod pack;
pub mod seal;
pub mod suite;
pub mod sync;
pub mod verdict;
pub mod witness;

#[cfg(test)]
mod tests;

use error::WireError;

/// The protocol version that this code speaks; in every request, answer and batch.
pub const VERSION: u8 = 1;

/// Encodes one CBOR item.
fn encode<T: minicbor::Encode<()>>(item: T) -> Vec<u8> {
    minicbor::to_vec(item).expect("encoding into memory does not fail")
}

/// An empty array is left out.
fn some<T>(items: Vec<T>) -> Option<Vec<T>> {
    (!items.is_empty()).then_some(items)
}

/// Decodes one CBOR item that takes up all of `bytes`.
fn decode<'b, T: minicbor::Decode<'b, ()>>(bytes: &'b [u8], what: &'static str) -> Result<T, WireError> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let item = decoder.decode().map_err(|_| WireError::Malformed(what))?;
    if decoder.position() == bytes.len() { Ok(item) } else { Err(WireError::Malformed(what)) }
}
