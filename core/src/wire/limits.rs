//! Limits. Checked before anything is parsed or allocated; a phone seals within them, so only a hostile or broken one meets them.

/// Longest request or answer body as sent, bytes.
pub const MAX_BODY: usize = 4 << 20;
/// Longest body after decompression, bytes.
pub const MAX_BODY_PLAIN: usize = 16 << 20;
/// Most batches in a request.
pub const MAX_BATCHES: usize = 64;
/// Most items in a batch.
pub const MAX_ITEMS: usize = 500;
/// Longest raw change chunk, bytes.
pub const MAX_CHANGE: usize = 64 << 10;
/// Longest fact body, bytes.
pub const MAX_FACT: usize = 16 << 10;
/// Most bytes of raw items in a batch: a phone seals below this.
pub const MAX_BATCH_RAW: usize = 1 << 20;
/// Most streams whose position a batch header or a request names.
pub const MAX_STREAMS: usize = 256;
/// Most changes in one document.
pub const MAX_CHANGES_PER_RECORD: usize = 4_000;
/// Most actors in one document.
pub const MAX_ACTORS_PER_RECORD: usize = 400;
/// Most operations in one change.
pub const MAX_OPS: u64 = 2_000;
/// Page size the server aims at, bytes of raw entries.
pub const PAGE_RAW: usize = 512 << 10;
