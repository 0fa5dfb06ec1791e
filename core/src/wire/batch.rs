//! Up: the device's outbox as a chain of sealed batches.

use minicbor::{Decode, Encode};

use super::changes::Most;
use super::error::WireError;
use super::limits;
use super::suite::{PublicKey, Purpose, Signature, Signer, Suite, verify};
use super::{changes, decode, encode};
use crate::domain::fact::Fact;
use crate::domain::id::{DeviceId, DocId, GrantId, Hash, Incarnation, StreamId};
use crate::domain::time::{Anchor, Stamp};
use crate::record::RecordKind;

/// What a batch's signature covers. Its hash is the batch's identity and the next one's `prev`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct BatchHeader {
    /// Protocol version.
    #[n(0)]
    pub version: u8,
    /// Signature suite.
    #[n(1)]
    pub suite: Suite,
    /// The sealing device.
    #[n(2)]
    pub device: DeviceId,
    /// The life of its store; also the Automerge actor of every change in the batch.
    #[n(3)]
    pub incarnation: Incarnation,
    /// Place in the incarnation's outbox, from 1, without gaps.
    #[n(4)]
    pub seq: u64,
    /// Hash of the batch before; zero for the first.
    #[n(5)]
    pub prev: Hash,
    /// The grant it was done under.
    #[n(6)]
    pub grant: GrantId,
    /// Rules version.
    #[n(7)]
    pub rules: u32,
    /// How far each stream was read at sealing.
    #[n(8)]
    pub positions: Vec<Position>,
    /// Where it goes: a grid's stream, a desk's, or the device's own.
    #[n(9)]
    pub destination: StreamId,
    /// The device's clocks at sealing.
    #[n(10)]
    pub sealed: Stamp,
    /// The last server time the device had.
    #[n(11)]
    pub anchor: Option<Anchor>,
    /// How many items.
    #[n(12)]
    pub count: u32,
    /// SHA-256 over the items' hashes, one after the other.
    #[n(13)]
    pub contents: Hash,
}

/// How far a stream was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct Position {
    /// The stream.
    #[n(0)]
    pub stream: StreamId,
    /// The epoch the number belongs to.
    #[n(1)]
    pub epoch: u32,
    /// Number of the last entry read; 0 before the first.
    #[n(2)]
    pub seq: u64,
}

/// A piece of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A change of a document.
    Change(ChangeItem),
    /// An immutable row.
    Fact(Fact),
}

/// A change of a document, as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeItem {
    /// The document.
    pub doc: DocId,
    /// Its kind.
    pub kind: RecordKind,
    /// The edit it carries out, when it is a redo: the hash of the change that first carried it. Otherwise the change's own hash is its edit id.
    pub edit: Option<Hash>,
    /// The raw change chunk.
    pub raw: Vec<u8>,
}

impl ChangeItem {
    /// The Automerge change hash: SHA-256 of the chunk from its type byte on.
    #[must_use]
    pub fn change_hash(&self) -> Hash {
        change_hash(&self.raw)
    }

    /// The edit's identity, the same for every redo.
    #[must_use]
    pub fn edit_id(&self) -> Hash {
        self.edit.unwrap_or_else(|| self.change_hash())
    }

    /// SHA-256 over `1 ‖ doc ‖ kind ‖ change hash ‖ edit id`.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let change = self.change_hash();
        let edit = self.edit.unwrap_or(change);
        Hash::of(&[&[1], self.doc.as_bytes(), &[self.kind.code()], &change.0, &edit.0])
    }
}

/// The hash of a raw change chunk: SHA-256 from its type byte on (Automerge binary format; magic and checksum are left out).
#[must_use]
pub fn change_hash(raw: &[u8]) -> Hash {
    Hash::of(&[raw.get(8..).unwrap_or_default()])
}

impl Item {
    /// The item's hash; also the hash of the stream entry it becomes.
    #[must_use]
    pub fn hash(&self) -> Hash {
        match self {
            Self::Change(change) => change.hash(),
            Self::Fact(fact) => fact.hash(),
        }
    }

    fn raw_len(&self) -> usize {
        match self {
            Self::Change(change) => change.raw.len(),
            Self::Fact(fact) => match &fact.body {
                crate::domain::fact::Body::Held(bytes) => bytes.len(),
                crate::domain::fact::Body::Erased(_) => 32,
            },
        }
    }
}

/// What a header says before its contents are known.
#[derive(Debug, Clone)]
pub struct Sealing {
    /// The sealing device.
    pub device: DeviceId,
    /// The life of its store.
    pub incarnation: Incarnation,
    /// Place in the outbox.
    pub seq: u64,
    /// Hash of the batch before.
    pub prev: Hash,
    /// The grant.
    pub grant: GrantId,
    /// Rules version.
    pub rules: u32,
    /// How far each stream was read.
    pub positions: Vec<Position>,
    /// Where it goes.
    pub destination: StreamId,
    /// The clocks.
    pub sealed: Stamp,
    /// The last server time.
    pub anchor: Option<Anchor>,
}

/// A sealed batch. It is stored before its first byte is sent and never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The header, read.
    pub header: BatchHeader,
    /// The header's bytes as signed.
    header_bytes: Vec<u8>,
    /// Over the header's bytes.
    pub signature: Signature,
    /// The items.
    pub items: Vec<Item>,
}

impl Batch {
    /// Seals items under a header.
    #[must_use]
    pub fn seal(sealing: Sealing, items: Vec<Item>, signer: &dyn Signer) -> Self {
        let header = BatchHeader {
            version: super::VERSION,
            suite: Suite::Ed25519,
            device: sealing.device,
            incarnation: sealing.incarnation,
            seq: sealing.seq,
            prev: sealing.prev,
            grant: sealing.grant,
            rules: sealing.rules,
            positions: sealing.positions,
            destination: sealing.destination,
            sealed: sealing.sealed,
            anchor: sealing.anchor,
            count: u32::try_from(items.len()).unwrap_or(u32::MAX),
            contents: contents(&items),
        };
        let header_bytes = encode(&header);
        let signature = signer.sign(Purpose::Batch, &header_bytes);
        Self { header, header_bytes, signature, items }
    }

    /// The batch's identity: SHA-256 of the header as signed.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(&[&self.header_bytes])
    }

    /// The header's bytes as signed.
    #[must_use]
    pub fn header_bytes(&self) -> &[u8] {
        &self.header_bytes
    }

    /// Checks the signature, and that the items are those the header names.
    ///
    /// # Errors
    /// [`WireError::Unverified`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), WireError> {
        if self.header.suite != Suite::Ed25519 {
            return Err(WireError::Unverified("unknown signature suite"));
        }
        if !verify(key, Purpose::Batch, &self.header_bytes, &self.signature) {
            return Err(WireError::Unverified("batch signature"));
        }
        if self.header.count as usize != self.items.len() || self.header.contents != contents(&self.items) {
            return Err(WireError::Unverified("batch contents"));
        }
        Ok(())
    }

    /// The bytes that are stored and sent.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let chunks: Vec<_> = self.items.iter().filter_map(|item| if let Item::Change(change) = item { Some(change.raw.as_slice()) } else { None }).collect();
        let rows: Vec<_> = self.items.iter().map(|item| encode(ItemHead::from(item))).collect();
        let stored = Stored { header: self.header_bytes.clone(), signature: self.signature, items: changes::pack(&chunks, &rows) };
        encode(&stored)
    }

    /// Reads stored or received bytes, within the limits. Nothing is verified yet.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let stored: Stored = decode(bytes, "batch")?;
        let header: BatchHeader = decode(&stored.header, "batch header")?;
        if header.version > super::VERSION {
            return Err(WireError::NewerVersion(header.version));
        }
        if header.count as usize > limits::MAX_ITEMS || header.positions.len() > limits::MAX_STREAMS {
            return Err(WireError::TooLarge("batch"));
        }
        let run = changes::unpack(
            &stored.items,
            Most { bytes: limits::MAX_BATCH_RAW + limits::MAX_BATCH_RAW / 2, changes: limits::MAX_ITEMS, rows: limits::MAX_ITEMS },
        )?;
        if run.rows.len() != header.count as usize {
            return Err(WireError::Malformed("not as many items as the header says"));
        }
        let mut chunks = run.changes.into_iter();
        let items = run.rows.iter().map(|row| decode::<ItemHead>(row, "item")?.item(&mut chunks)).collect::<Result<Vec<_>, _>>()?;
        if chunks.next().is_some() {
            return Err(WireError::Malformed("more changes than items"));
        }
        if items.iter().map(Item::raw_len).sum::<usize>() > limits::MAX_BATCH_RAW + limits::MAX_CHANGE {
            return Err(WireError::TooLarge("batch"));
        }
        Ok(Self { header, header_bytes: stored.header, signature: stored.signature, items })
    }
}

fn contents(items: &[Item]) -> Hash {
    let hashes: Vec<u8> = items.iter().flat_map(|item| item.hash().0).collect();
    Hash::of(&[&hashes])
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Stored {
    #[cbor(n(0), with = "minicbor::bytes")]
    header: Vec<u8>,
    #[n(1)]
    signature: Signature,
    /// A row for each item ([`ItemHead`]), and the chunks of those that are changes.
    #[cbor(n(2), with = "minicbor::bytes")]
    items: Vec<u8>,
}

#[derive(Encode, Decode)]
enum ItemHead {
    #[n(0)]
    Change(#[n(0)] DocId, #[n(1)] RecordKind, #[n(2)] Option<Hash>),
    #[n(1)]
    Fact(#[n(0)] Fact),
}

impl From<&Item> for ItemHead {
    fn from(item: &Item) -> Self {
        match item {
            Item::Change(change) => Self::Change(change.doc, change.kind, change.edit),
            Item::Fact(fact) => Self::Fact(fact.clone()),
        }
    }
}

impl ItemHead {
    fn item(self, chunks: &mut impl Iterator<Item = Vec<u8>>) -> Result<Item, WireError> {
        Ok(match self {
            Self::Change(doc, kind, edit) => {
                let raw = chunks.next().ok_or(WireError::Malformed("fewer changes than items"))?;
                Item::Change(ChangeItem { doc, kind, edit, raw })
            }
            Self::Fact(fact) => Item::Fact(fact),
        })
    }
}
