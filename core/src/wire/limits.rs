//! Limits. Checked before anything is parsed or allocated; a phone seals within them, so only a hostile or broken one meets them.
//! Those of a record are in [`crate::record::limits`].

pub use crate::record::limits::{MAX_CHANGE, MAX_OPS};

/// Longest request or answer body as sent, bytes.
pub const MAX_BODY: usize = 4 << 20;
/// Longest body after decompression, bytes.
pub const MAX_BODY_PLAIN: usize = 16 << 20;
/// Longest request to enrol, as sent and after decompression, bytes.
pub const MAX_ENROL: usize = 8 << 10;
/// Most batches in a request.
pub const MAX_BATCHES: usize = 64;
/// Most offers in a request; version 1 sends none.
pub const MAX_OFFERS: usize = 256;
/// Most items in a batch.
pub const MAX_ITEMS: usize = 500;
/// Longest fact body, bytes.
pub const MAX_FACT: usize = 16 << 10;
/// Most bytes of raw items in a batch: a phone seals below this.
pub const MAX_BATCH_RAW: usize = 1 << 20;
/// Most streams whose position a batch header or a request names.
pub const MAX_STREAMS: usize = 256;
/// Page size the server aims at, bytes of raw entries.
pub const PAGE_RAW: usize = 512 << 10;
