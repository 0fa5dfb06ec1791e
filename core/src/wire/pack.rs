//! Area packs: everything a stream holds at a position, compressed well once. `GET /v1/packs/{stream}/{sha256}`, range-resumable.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::changes::Most;
use super::error::WireError;
use super::frame::unzstd;
use super::suite::{PublicKey, Purpose, Signature, Signer, verify};
use super::sync::Cursor;
use super::{changes, decode, encode, limits, some};
use crate::domain::fact::Fact;
use crate::domain::id::{DocId, Hash};
use crate::domain::time::Interval;
use crate::record::RecordKind;

/// What the shortest piece of a run counts, bytes.
const LEAST: usize = 16;

/// What a stream holds at a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pack {
    /// The position the device is at when it has applied it.
    pub at: Cursor,
    /// Documents with all their changes.
    pub docs: Vec<PackDoc>,
    /// Facts, without the sensitive ones.
    pub facts: Vec<Fact>,
}

/// A document in a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackDoc {
    /// Identity.
    pub doc: DocId,
    /// Kind.
    pub kind: RecordKind,
    /// Raw changes, dependencies first.
    pub changes: Vec<Vec<u8>>,
    /// Edit ids of the changes that are redos: (index, edit).
    pub edits: Vec<(u32, Hash)>,
    /// Of a case, for each change: when the server received its actions, where the stream says so. Empty when it says so of none.
    pub received: Vec<Option<Interval>>,
}

impl Pack {
    /// Builds the file. `level` is zstd's: 9 at once, 19 when there is time.
    ///
    /// # Errors
    /// [`WireError::TooLarge`] past the limits that a device keeps; when zstd fails, which it does
    /// only out of memory.
    pub fn to_file(&self, level: i32, signer: &dyn Signer) -> Result<Vec<u8>, WireError> {
        let changes: usize = self.docs.iter().map(|doc| doc.changes.len()).sum();
        let chunks = self.docs.iter().flat_map(|doc| &doc.changes).map(Vec::len);
        let pieces = chunks.chain(self.facts.iter().map(|fact| encode(fact).len())).map(|len| len.max(LEAST));
        if self.docs.len() + self.facts.len() > limits::MAX_PACK_ROWS || changes > limits::MAX_PACK_CHANGES || pieces.sum::<usize>() > limits::MAX_PACK_PLAIN {
            return Err(WireError::TooLarge("pack"));
        }
        let plain = self.plain_body();
        if plain.len() > limits::MAX_PACK_PLAIN {
            return Err(WireError::TooLarge("pack"));
        }
        let packed = zstd::bulk::compress(&plain, level).map_err(|_| WireError::Malformed("zstd"))?;
        let head = encode(FileHead { version: super::VERSION, at: self.at, body: Hash::of(&[&packed]) });
        let signature = signer.sign(Purpose::Pack, &head);
        let file = encode(File { head: &head, signature, body: &packed });
        if file.len() as u64 > limits::MAX_PACK { Err(WireError::TooLarge("pack")) } else { Ok(file) }
    }

    /// What the file holds compressed.
    pub(super) fn plain_body(&self) -> Vec<u8> {
        let chunks: Vec<&[u8]> = self.docs.iter().flat_map(|doc| doc.changes.iter().map(Vec::as_slice)).collect();
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let mut receipts: Vec<Interval> = Vec::new();
        let mut numbers: BTreeMap<(i64, i64), u32> = BTreeMap::new();
        let mut number = |received: &Option<Interval>| {
            received.map_or(0, |interval| {
                *numbers.entry((interval.earliest_ms, interval.latest_ms)).or_insert_with(|| {
                    receipts.push(interval);
                    count(receipts.len())
                })
            })
        };
        let docs: Vec<_> = self
            .docs
            .iter()
            .map(|doc| {
                let received: Vec<u32> = doc.received.iter().map(&mut number).collect();
                encode(DocHead(doc.doc, doc.kind, count(doc.changes.len()), some(doc.edits.clone()), some(received)))
            })
            .collect();
        let rows: Vec<_> = docs.into_iter().chain(self.facts.iter().map(encode)).collect();
        encode(Body { docs: count(self.docs.len()), contents: &changes::pack(&chunks, &rows), receipts: some(receipts) })
    }

    /// Reads and verifies a file.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn from_file(file: &[u8], key: &PublicKey) -> Result<Self, WireError> {
        let File { head, signature, body } = decode(file, "pack")?;
        if !verify(key, Purpose::Pack, head, &signature) {
            return Err(WireError::Unverified("pack signature"));
        }
        let head: FileHead = decode(head, "pack head")?;
        if head.version > super::VERSION {
            return Err(WireError::NewerVersion(head.version));
        }
        if Hash::of(&[body]) != head.body {
            return Err(WireError::Unverified("pack contents"));
        }
        let plain = unzstd(body, limits::MAX_PACK_PLAIN)?;
        let Body { docs, contents, receipts } = decode(&plain, "pack body")?;
        let receipts: Vec<Interval> = receipts.unwrap_or_default();
        let run = changes::unpack(contents, Most { bytes: limits::MAX_PACK_PLAIN, changes: limits::MAX_PACK_CHANGES, rows: limits::MAX_PACK_ROWS })?;
        let (docs, facts) = run.rows.split_at_checked(docs as usize).ok_or(WireError::Malformed("pack"))?;
        let mut chunks = run.changes.into_iter();
        let docs = docs.iter().map(|row| {
            let DocHead(doc, kind, count, edits, received) = decode(row, "pack document")?;
            let changes = (0..count).map(|_| chunks.next().ok_or(WireError::Malformed("pack"))).collect::<Result<_, _>>()?;
            let receipt = |number: u32| number.checked_sub(1).map(|at| receipts.get(at as usize).copied().ok_or(WireError::Malformed("pack"))).transpose();
            let received = received.unwrap_or_default().into_iter().map(receipt).collect::<Result<_, _>>()?;
            Ok(PackDoc { doc, kind, changes, edits: edits.unwrap_or_default(), received })
        });
        let docs = docs.collect::<Result<_, WireError>>()?;
        let facts = facts.iter().map(|row| decode(row, "pack fact")).collect::<Result<_, _>>()?;
        if chunks.next().is_some() {
            return Err(WireError::Malformed("more changes than documents have"));
        }
        Ok(Self { at: head.at, docs, facts })
    }
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct File<'a> {
    #[cbor(n(0), with = "minicbor::bytes")]
    head: &'a [u8],
    #[n(1)]
    signature: Signature,
    #[cbor(n(2), with = "minicbor::bytes")]
    body: &'a [u8],
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct FileHead {
    #[n(0)]
    version: u8,
    #[n(1)]
    at: Cursor,
    #[n(2)]
    body: Hash,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Body<'a> {
    /// How many of the rows are documents; the rest are facts.
    #[n(0)]
    docs: u32,
    #[cbor(n(1), with = "minicbor::bytes")]
    contents: &'a [u8],
    /// What the documents' rows refer to, from 1.
    #[n(2)]
    receipts: Option<Vec<Interval>>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct DocHead(#[n(0)] DocId, #[n(1)] RecordKind, #[n(2)] u32, #[n(3)] Option<Vec<(u32, Hash)>>, #[n(4)] Option<Vec<u32>>);
