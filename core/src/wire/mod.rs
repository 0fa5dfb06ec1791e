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
pub mod suite;
pub mod sync;
pub mod verdict;

/// The protocol version that this code speaks; in every request, answer and batch.
pub const VERSION: u8 = 1;
