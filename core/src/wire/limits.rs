//! The one table of limits, which both sides keep (`docs/sync-protocol.md` §4). Checked before anything is parsed or allocated; who keeps to the protocol never
//! meets them. Those of a record stand in [`crate::record::limits`], and here too.

pub use crate::record::limits::*;

/// Longest request or answer body as sent, bytes.
pub const MAX_BODY: usize = 4 << 20;
/// Longest body after decompression, bytes.
pub const MAX_BODY_PLAIN: usize = 16 << 20;
/// Longest request to enrol, as sent and after decompression, bytes.
pub const MAX_ENROL: usize = 8 << 10;
/// Longest answer to a request to enrol, after decompression, bytes.
pub const MAX_ENROL_ANSWER: usize = 64 << 10;
/// Longest error body, as sent and after decompression, bytes.
pub const MAX_ERROR: usize = 4 << 10;
/// Longest text of a server's that is shown and is not part of a record: names, reasons;
/// characters.
pub const MAX_TEXT: usize = 200;
/// Longest answer after decompression, bytes; its run of entries comes to no more either.
pub const MAX_ANSWER: usize = 8 << 20;
/// Most entries in an answer, references to own batches counted by what they stand for.
pub const MAX_ENTRIES: usize = 16_384;
/// Most raw changes in an answer: its entries, and the histories that documents join with.
pub const MAX_ANSWER_CHANGES: usize = 32_768;
/// Most pages in an answer: one for each epoch that it brings of a stream.
pub const MAX_PAGES: usize = 1_024;
/// Longest pack after decompression, bytes; its run comes to no more either.
pub const MAX_PACK_PLAIN: usize = 24 << 20;
/// Most documents and facts in a pack together.
pub const MAX_PACK_ROWS: usize = 65_536;
/// Most raw changes in a pack.
pub const MAX_PACK_CHANGES: usize = 131_072;
/// Most batches in a request.
pub const MAX_BATCHES: usize = 64;
/// Most offers in a request; version 1 sends none.
pub const MAX_OFFERS: usize = 256;
/// Most items in a batch.
pub const MAX_ITEMS: usize = 500;
/// Longest fact body, bytes.
pub const MAX_FACT: usize = 16 << 10;
/// Longest body of a fact that a server states, bytes: a thousand names.
pub const MAX_STATED: usize = 256 << 10;
/// Most rows in a fact that a server states: names, or actions that were received.
pub const MAX_STATED_ROWS: usize = 4_096;
/// Most facts about one case that a server states and that its fold needs, and no more bytes than
/// [`MAX_RECORD`].
pub const MAX_STATED_PER_CASE: usize = 1_000;
/// Most names of areas, organisations and people that a device keeps.
pub const MAX_NAMES: usize = 65_536;
/// Most facts of kinds that it does not know which a device keeps, and their bytes.
pub const MAX_UNREAD: usize = 4_096;
/// Most bytes of facts of kinds that it does not know which a device keeps.
pub const MAX_UNREAD_BYTES: usize = 4 << 20;
/// Most bytes of changes of a document that a device keeps aside.
pub const MAX_ASIDE: usize = 256 << 10;
/// Most changes of a document that a device keeps aside.
pub const MAX_ASIDE_CHANGES: usize = 200;
/// Most bytes that a device's store holds of what streams bring. What a person types always has room.
pub const MAX_STORE: u64 = 1 << 30;
/// Most bytes of raw items in a batch: a phone seals below this.
pub const MAX_BATCH_RAW: usize = 1 << 20;
/// Most streams whose position a batch header or a request names.
pub const MAX_STREAMS: usize = 256;
/// Longest area pack, bytes: its file.
pub const MAX_PACK: u64 = 8 << 20;
/// Greatest number of an entry in a stream: numbers are stored as signed integers, and none is to
/// overflow.
pub const MAX_POSITION: u64 = 1 << 62;
/// Most signatures that are shown in one request or note.
pub const MAX_SHOWN: usize = 16;
/// Longest note of signed heads, bytes.
pub const MAX_NOTE: usize = 32 << 10;
/// Page size the server aims at, bytes of raw entries.
pub const PAGE_RAW: usize = 512 << 10;

/// A server's text, cut to [`MAX_TEXT`] and without what would move a terminal's cursor.
#[must_use]
pub fn shown(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `4 MiB`, `16 KiB`.
    fn size(bytes: u64) -> String {
        if bytes.is_multiple_of(1 << 30) {
            format!("{} GiB", bytes >> 30)
        } else if bytes.is_multiple_of(1 << 20) {
            format!("{} MiB", bytes >> 20)
        } else {
            format!("{} KiB", bytes >> 10)
        }
    }

    /// `16,384`.
    fn count(n: usize) -> String {
        if n < 1_000 { n.to_string() } else { format!("{},{:03}", n / 1_000, n % 1_000) }
    }

    #[test]
    fn the_protocol_document_says_the_limits_as_they_are() {
        let page = include_str!("../../../docs/sync-protocol.md");
        let bytes = |bytes: usize| size(bytes as u64);
        let said = [
            format!("| body as sent / after its frame | {} / {} |", bytes(MAX_BODY), bytes(MAX_BODY_PLAIN)),
            format!("| body of a request to enrol, as sent and after its frame | {} |", bytes(MAX_ENROL)),
            format!("| batches in a request | {} |", count(MAX_BATCHES)),
            format!("| offers in a request | {} |", count(MAX_OFFERS)),
            format!("| items in a batch | {} |", count(MAX_ITEMS)),
            format!("| raw items in a batch | a phone seals below {} |", bytes(MAX_BATCH_RAW)),
            format!("| raw change | {}, {} operations |", bytes(MAX_CHANGE), count(MAX_OPS as usize)),
            format!(
                "| document | {} changes, {} authors, {} of raw changes, {} operations; a case {} actions, {} in a change |",
                count(MAX_CHANGES_PER_RECORD),
                count(MAX_ACTORS_PER_RECORD),
                bytes(MAX_RECORD),
                count(MAX_OPS_PER_RECORD as usize),
                count(MAX_ACTIONS_PER_CASE),
                count(MAX_ACTIONS_PER_CHANGE)
            ),
            format!("| body of a fact from a device, or of a view | {} |", bytes(MAX_FACT)),
            format!("| body of another fact of the server's | {}, {} rows |", bytes(MAX_STATED), count(MAX_STATED_ROWS)),
            format!("| streams in a state, a header or a directory | {} |", count(MAX_STREAMS)),
            format!("| signatures shown in a request or a note; a note | {}; {} |", count(MAX_SHOWN), bytes(MAX_NOTE)),
            format!(
                "| answer after its frame, and its run | {}, {} entries, {} raw changes, {} pages |",
                bytes(MAX_ANSWER),
                count(MAX_ENTRIES),
                count(MAX_ANSWER_CHANGES),
                count(MAX_PAGES)
            ),
            format!("| answer to a request to enrol, after its frame | {} |", bytes(MAX_ENROL_ANSWER)),
            format!("| error body, as sent and after its frame | {} |", bytes(MAX_ERROR)),
            format!("| page | the server aims at {} of raw entries |", bytes(PAGE_RAW)),
            format!(
                "| pack: its file / after zstd, and its run | {} / {}, {} documents and facts, {} raw changes |",
                size(MAX_PACK),
                bytes(MAX_PACK_PLAIN),
                count(MAX_PACK_ROWS),
                count(MAX_PACK_CHANGES)
            ),
            format!("up to {} of them about a case", count(MAX_STATED_PER_CASE)),
            format!("and {} names.", count(MAX_NAMES)),
            format!("kept aside, up to {} changes and {} a document", count(MAX_ASIDE_CHANGES), bytes(MAX_ASIDE)),
            format!("kept up to {} and {}.", count(MAX_UNREAD), bytes(MAX_UNREAD_BYTES)),
            format!("once it holds\n{}, but", size(MAX_STORE)),
        ];
        for line in said {
            assert!(page.contains(&line), "docs/sync-protocol.md does not say: {line}");
        }
    }
}
