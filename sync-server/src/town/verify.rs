//! Everything is checked again: each stream's chain, each entry's hash, each batch's signature, chain and verdict, each document's heads.

use std::fmt;

use fieldgrid_core::domain::id::{DocId, Hash, Incarnation, StreamId};
use fieldgrid_core::wire::batch::BatchHeader;
use fieldgrid_core::wire::entry::{Entry, chain};
use fieldgrid_core::wire::suite::{Purpose, verify};

use super::console::record;
use super::{Town, TownError};
use crate::admission::stored_verdict;
use crate::store::{DeviceRow, DocStream, IncarnationRow, Read, Result as Stored, StreamRow};

/// Rows read at once.
const ROWS: usize = 512;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A stream's numbers are not dense, or its chain does not follow from its entries.
    Chain(StreamId, u64),
    /// An entry's payload is not what its hash says.
    Entry(StreamId, u64),
    /// A stream's counter is not at its last entry.
    Head(StreamId),
    /// A batch's signature, hash or place does not fit.
    Batch(Incarnation, u64),
    /// A batch has no verdict, or one on another batch.
    Verdict(Incarnation, u64),
    /// A document does not load, or its heads are not those of its changes.
    Document(DocId),
    /// A document's stay in a stream is not what the stream's entries say.
    Stay(DocId, StreamId),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain(stream, seq) => write!(f, "stream {stream}: the chain breaks at {seq}"),
            Self::Entry(stream, seq) => write!(f, "stream {stream}: entry {seq} is not what its hash says"),
            Self::Head(stream) => write!(f, "stream {stream}: the counter is not at the last entry"),
            Self::Batch(incarnation, seq) => write!(f, "batch {seq} of {incarnation}: signature, hash or place does not fit"),
            Self::Verdict(incarnation, seq) => write!(f, "batch {seq} of {incarnation}: no verdict on it"),
            Self::Document(doc) => write!(f, "document {doc}: does not load to its heads"),
            Self::Stay(doc, stream) => write!(f, "document {doc}: stream {stream} does not say that it came or left where it is said to have"),
        }
    }
}

/// What was checked, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// Streams checked.
    pub streams: u64,
    /// Entries checked.
    pub entries: u64,
    /// Batches checked.
    pub batches: u64,
    /// Documents checked.
    pub documents: u64,
    /// What is wrong; empty when all is well.
    pub findings: Vec<Finding>,
    /// Positions that the server's key signed in this epoch and that are not here
    /// ([`WHAT_TO_DO`](super::WHAT_TO_DO)). A backup can be made all the same.
    pub contradictions: u64,
}

impl Town {
    /// Checks everything again from what is stored. Reads all of the database; writes nothing.
    ///
    /// # Errors
    /// [`TownError::Store`].
    pub fn verify(&self) -> Result<Verified, TownError> {
        let read = self.store.read()?;
        let mut verified = Verified { contradictions: self.contradictions()?.len() as u64, ..Verified::default() };
        for stream in read.streams()? {
            verified.stream(&*read, &stream)?;
        }
        for life in read.incarnations()? {
            let Some(device) = read.device(life.device)? else {
                verified.findings.push(Finding::Batch(life.id, 0));
                continue;
            };
            verified.life(&*read, &life, &device)?;
        }
        for doc in read.docs()? {
            verified.documents += 1;
            let heads = record(&*read, doc.id).ok().flatten().map(|record| record.heads());
            if heads.as_ref() != Some(&doc.heads) {
                verified.findings.push(Finding::Document(doc.id));
            }
            for stay in read.stays(doc.id)? {
                if !vouched(&*read, doc.id, &stay)? {
                    verified.findings.push(Finding::Stay(doc.id, stay.stream));
                }
            }
        }
        Ok(verified)
    }
}

/// Whether a stream's entries say that the document came and left where its stay does.
fn vouched(read: &dyn Read, doc: DocId, stay: &DocStream) -> Stored<bool> {
    let at = |seq: u64| -> Stored<Option<Entry>> {
        let placed = read.placed(stay.stream, seq.saturating_sub(1), 1)?.into_iter().find(|placed| placed.seq == seq);
        Ok(placed.and_then(|placed| read.entry(placed.entry).ok()))
    };
    let came = match at(stay.joined)? {
        Some(Entry::Change(change)) => change.doc == doc,
        Some(Entry::Join(join)) => join.doc == doc,
        _ => false,
    };
    let left = match stay.left {
        Some(left) => matches!(at(left)?, Some(Entry::Leave(leave)) if leave.doc == doc && left > stay.joined),
        None => true,
    };
    Ok(came && left)
}

impl Verified {
    fn stream(&mut self, read: &dyn Read, stream: &StreamRow) -> Stored<()> {
        self.streams += 1;
        let (mut seq, mut before) = (0, Hash::ZERO);
        loop {
            let placed = read.placed(stream.id, seq, ROWS)?;
            if placed.is_empty() {
                break;
            }
            for placed in placed {
                self.entries += 1;
                before = chain(before, placed.hash);
                if placed.seq != seq + 1 || placed.chain != before {
                    self.findings.push(Finding::Chain(stream.id, placed.seq));
                    before = placed.chain;
                }
                if read.entry(placed.entry).map(|entry| entry.hash()) != Ok(placed.hash) {
                    self.findings.push(Finding::Entry(stream.id, placed.seq));
                }
                seq = placed.seq;
            }
        }
        if (seq, before) != (stream.head, stream.chain) {
            self.findings.push(Finding::Head(stream.id));
        }
        Ok(())
    }

    fn life(&mut self, read: &dyn Read, life: &IncarnationRow, device: &DeviceRow) -> Stored<()> {
        let (mut seq, mut before) = (0, None);
        loop {
            let batches = read.batches(life.id, seq, ROWS)?;
            if batches.is_empty() {
                break;
            }
            for batch in batches {
                self.batches += 1;
                let header = minicbor::decode::<BatchHeader>(&batch.header).ok();
                let contents = Hash::of(&[&batch.items.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>()]);
                let fits = header.is_some_and(|header| {
                    (header.device, header.incarnation, header.seq, header.contents) == (device.id, life.id, batch.seq, contents)
                        && batch.seq == seq + 1
                        && before.is_none_or(|before| header.prev == before)
                });
                let signed = verify(&device.key, Purpose::Batch, &batch.header, &batch.signature) && Hash::of(&[&batch.header]) == batch.hash;
                if !fits || !signed {
                    self.findings.push(Finding::Batch(life.id, batch.seq));
                }
                if stored_verdict(read, batch.verdict).map(|said| said.batch) != Ok(batch.hash) {
                    self.findings.push(Finding::Verdict(life.id, batch.seq));
                }
                (seq, before) = (batch.seq, Some(batch.hash));
            }
        }
        if seq != life.seq || before.unwrap_or(Hash::ZERO) != life.hash {
            self.findings.push(Finding::Batch(life.id, life.seq));
        }
        Ok(())
    }
}
