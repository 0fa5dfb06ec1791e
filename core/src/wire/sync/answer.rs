//! Down: what the server says, with its entries as pages of streams.

use minicbor::{Decode, Decoder, Encode, Encoder};

use super::{Cursor, OutboxHead, SealedBytes, StreamInfo, Token};
use crate::domain::code::codes;
use crate::domain::fact::Fact;
use crate::domain::id::{DeviceId, DocId, FactId, Hash, Incarnation, StreamId};
use crate::record::RecordKind;
use crate::wire::batch::ChangeItem;
use crate::wire::changes::Most;
use crate::wire::entry::{Entry, Join, Leave};
use crate::wire::error::WireError;
use crate::wire::seal::{EMPTY, Seal, seal};
use crate::wire::suite::{PublicKey, Purpose, Signature, Signer, verify};
use crate::wire::{VERSION, changes, decode, encode, limits, some};

/// What the server says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The request's nonce.
    pub nonce: u32,
    /// The server's clock, milliseconds since 1970.
    pub now_ms: i64,
    /// A token for the next requests.
    pub token: Option<Token>,
    /// The server does not know the state behind the hash: send it.
    pub need_state: bool,
    /// What the server holds of the device's outbox, where that is not what the device's state says.
    pub outbox: Option<OutboxHead>,
    /// Batches that took no position.
    pub rejections: Vec<BatchRejection>,
    /// The streams the device reads, where that changed or the device sent its state.
    pub directory: Option<Vec<StreamInfo>>,
    /// Cursors that the server does not know (it was restored): the last common positions. The device steps back to them.
    pub common: Vec<Cursor>,
    /// Packs that save reading a stream from its start.
    pub packs: Vec<PackRef>,
    /// Entries.
    pub pages: Vec<Page>,
    /// How far the streams in `pages` go with them.
    pub heads: Option<SignedHeads>,
    /// There is more: ask again at once.
    pub more: bool,
    /// The last of the device's batches that a verified backup covers; those above are to be kept.
    pub safe_through: Option<u64>,
    /// The server's signature over all of it.
    pub seal: Option<Seal>,
}

/// The field that signs those before it.
const SEAL: u64 = 15;

impl Answer {
    /// Whether it says anything: nothing new is nonce and clock alone.
    #[must_use]
    pub fn says_something(&self) -> bool {
        *self != Self { nonce: self.nonce, now_ms: self.now_ms, seal: self.seal, ..Self::default() }
    }

    /// Encodes and signs it, for the device that sent the request with this hash; not framed yet.
    #[must_use]
    pub fn to_signed_bytes(&self, device: DeviceId, request: Hash, signer: &dyn Signer) -> Vec<u8> {
        seal(self.encode(Some(EMPTY)), SEAL, Purpose::Answer, &[device.as_bytes(), &request.0], signer)
    }

    /// Whether `key` signed it for the device and its request.
    #[must_use]
    pub fn is_signed(&self, device: DeviceId, request: Hash, key: &PublicKey) -> bool {
        self.seal.is_some_and(|seal| seal.verify(key, Purpose::Answer, &[device.as_bytes(), &request.0]))
    }

    /// Encodes it as it is; not framed yet.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode(self.seal.map(|seal| seal.signature))
    }

    fn encode(&self, signature: Option<Signature>) -> Vec<u8> {
        let (mut chunks, mut rows) = (Vec::new(), Vec::new());
        let pages = self.pages.iter().map(|page| page_head(page, &mut chunks, &mut rows)).collect();
        let stored = StoredAnswer {
            version: VERSION,
            nonce: self.nonce,
            now_ms: self.now_ms,
            token: self.token,
            need_state: self.need_state.then_some(true),
            outbox: self.outbox,
            rejections: some(self.rejections.clone()),
            directory: self.directory.clone(),
            common: some(self.common.clone()),
            packs: some(self.packs.clone()),
            pages: some(pages),
            entries: (!rows.is_empty()).then(|| SealedBytes(changes::pack(&chunks, &rows))),
            heads: self.heads.clone(),
            more: self.more.then_some(true),
            safe_through: self.safe_through,
            signature,
        };
        encode(&stored)
    }

    /// Reads an answer, within the limits.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > limits::MAX_ANSWER {
            return Err(WireError::TooLarge("answer"));
        }
        let mut stored: StoredAnswer = decode(bytes, "answer")?;
        if stored.version > VERSION {
            return Err(WireError::NewerVersion(stored.version));
        }
        stored.within_limits()?;
        let run = match stored.entries.take() {
            Some(packed) => changes::unpack(&packed.0, Most { bytes: limits::MAX_ANSWER, changes: limits::MAX_ANSWER_CHANGES, rows: limits::MAX_ENTRIES })?,
            None => changes::Run::default(),
        };
        let (mut chunks, mut rows) = (run.changes.into_iter(), run.rows.iter());
        let pages: Vec<Page> = stored.pages.unwrap_or_default().into_iter().map(|head| head.page(&mut chunks, &mut rows)).collect::<Result<_, _>>()?;
        if chunks.next().is_some() || rows.next().is_some() {
            return Err(WireError::Malformed("more entries than the pages have"));
        }
        if pages.iter().flat_map(|page| &page.entries).map(PageEntry::count).sum::<usize>() > limits::MAX_ENTRIES {
            return Err(WireError::TooLarge("entries"));
        }
        Ok(Self {
            nonce: stored.nonce,
            now_ms: stored.now_ms,
            token: stored.token,
            need_state: stored.need_state.unwrap_or_default(),
            outbox: stored.outbox,
            rejections: stored.rejections.unwrap_or_default(),
            directory: stored.directory,
            common: stored.common.unwrap_or_default(),
            packs: stored.packs.unwrap_or_default(),
            pages,
            heads: stored.heads,
            more: stored.more.unwrap_or_default(),
            safe_through: stored.safe_through,
            seal: stored.signature.and_then(|signature| Seal::of(bytes, SEAL, signature)),
        })
    }
}

/// A piece of a page: an entry, or a reference to what the asking device wrote itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageEntry {
    /// An entry.
    Entry(Entry),
    /// `count` entries that are the items from `first` on of the device's own batch `seq`.
    Own(OwnRange),
}

impl PageEntry {
    /// How many entries of the stream it stands for.
    #[must_use]
    pub const fn count(&self) -> usize {
        match self {
            Self::Entry(_) => 1,
            Self::Own(range) => range.count as usize,
        }
    }
}

/// Items of the asking device's own batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct OwnRange {
    /// The incarnation the batch was sealed under.
    #[n(0)]
    pub incarnation: Incarnation,
    /// The batch.
    #[n(1)]
    pub seq: u64,
    /// Its first item here.
    #[n(2)]
    pub first: u32,
    /// How many, one after the other.
    #[n(3)]
    pub count: u32,
}

/// Entries of one stream, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The stream.
    pub stream: StreamId,
    /// The epoch of the numbers.
    pub epoch: u32,
    /// Number of the first entry.
    pub first: u64,
    /// The entries.
    pub entries: Vec<PageEntry>,
}

/// The server's word on how far a stream goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHeads {
    /// Where each stream stands after this answer's pages: what the device's cursors will be, for the streams in it. Sorted by stream.
    pub heads: Vec<Cursor>,
    /// The heads' bytes as signed.
    signed: SealedBytes,
    /// Over `device ‖ heads as signed`.
    pub signature: Signature,
}

impl SignedHeads {
    /// Signs heads for a device.
    #[must_use]
    pub fn sign(device: DeviceId, heads: Vec<Cursor>, signer: &dyn Signer) -> Self {
        let signed = encode(&heads);
        let signature = signer.sign(Purpose::Heads, &[device.as_bytes(), signed.as_slice()].concat());
        Self { heads, signed: SealedBytes(signed), signature }
    }

    /// Whether `key` signed these heads for `device`.
    #[must_use]
    pub fn verify(&self, device: DeviceId, key: &PublicKey) -> bool {
        verify(key, Purpose::Heads, &[device.as_bytes(), self.signed.0.as_slice()].concat(), &self.signature)
    }
}

/// An array of the heads' bytes as signed, and the signature.
impl<C> Encode<C> for SignedHeads {
    fn encode<W: minicbor::encode::Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(2)?;
        self.signed.encode(e, ctx)?;
        self.signature.encode(e, ctx)
    }
}

impl<'b, C> Decode<'b, C> for SignedHeads {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let Stored(signed, signature) = Stored::decode(d, ctx)?;
        let heads = decode(&signed.0, "heads").map_err(minicbor::decode::Error::custom)?;
        return Ok(Self { heads, signed, signature });

        #[derive(Decode)]
        #[cbor(array)]
        struct Stored(#[n(0)] SealedBytes, #[n(1)] Signature);
    }
}

/// A file with everything that a stream holds at a position ([`crate::wire::pack`]).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PackRef {
    /// The stream and position it brings the device to.
    #[n(0)]
    pub at: Cursor,
    /// Length of the file, bytes.
    #[n(1)]
    pub size: u64,
    /// SHA-256 of the file.
    #[n(2)]
    pub sha256: Hash,
}

codes! {
    /// Why a batch took no position in the outbox chain.
    pub enum BatchFault {
        /// The bytes are not a batch.
        Malformed = 1 "malformed",
        /// The signature or the contents do not fit.
        Unverified = 2 "unverified",
        /// Batches before it are missing; send from `outbox` on.
        Gap = 3 "gap",
        /// Its place is taken by another batch: this store is a copy. Take a new incarnation.
        Fork = 4 "fork",
        /// Sealed by another device or under an incarnation that is not this device's.
        Foreign = 5 "foreign",
        /// Past a limit.
        TooLarge = 6 "too_large",
        /// Of a newer version than the server reads: it waits until the server is updated.
        Version = 7 "version",
    }
}

/// A batch that took no position.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct BatchRejection {
    /// Its index in the request.
    #[n(0)]
    pub index: u32,
    /// Why.
    #[n(1)]
    pub fault: BatchFault,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct StoredAnswer {
    #[n(0)]
    version: u8,
    #[n(1)]
    nonce: u32,
    #[n(2)]
    now_ms: i64,
    #[n(3)]
    token: Option<Token>,
    #[n(4)]
    need_state: Option<bool>,
    #[n(5)]
    outbox: Option<OutboxHead>,
    #[n(6)]
    rejections: Option<Vec<BatchRejection>>,
    #[n(7)]
    directory: Option<Vec<StreamInfo>>,
    #[n(8)]
    common: Option<Vec<Cursor>>,
    #[n(9)]
    packs: Option<Vec<PackRef>>,
    #[n(10)]
    pages: Option<Vec<PageHead>>,
    /// A row for each entry of all pages ([`EntryHead`]), and the chunks of those that are changes and joins.
    #[n(11)]
    entries: Option<SealedBytes>,
    #[n(12)]
    heads: Option<SignedHeads>,
    #[n(13)]
    more: Option<bool>,
    #[n(14)]
    safe_through: Option<u64>,
    #[n(15)]
    signature: Option<Signature>,
}

impl StoredAnswer {
    /// Whether its lists are as long as they may be.
    fn within_limits(&self) -> Result<(), WireError> {
        let streams = limits::MAX_STREAMS;
        let within = self.rejections.as_ref().is_none_or(|list| list.len() <= limits::MAX_BATCHES)
            && self.directory.as_ref().is_none_or(|list| list.len() <= streams)
            && self.common.as_ref().is_none_or(|list| list.len() <= streams)
            && self.packs.as_ref().is_none_or(|list| list.len() <= streams)
            && self.heads.as_ref().is_none_or(|heads| heads.heads.len() <= streams)
            && self.pages.as_ref().is_none_or(|list| list.len() <= limits::MAX_PAGES);
        if within { Ok(()) } else { Err(WireError::TooLarge("a list of the answer")) }
    }
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct PageHead {
    #[n(0)]
    stream: StreamId,
    #[n(1)]
    epoch: u32,
    #[n(2)]
    first: u64,
    #[n(3)]
    count: u32,
}

#[derive(Encode, Decode)]
enum EntryHead {
    #[n(0)]
    Change(#[n(0)] DocId, #[n(1)] RecordKind, #[n(2)] Option<Hash>),
    #[n(1)]
    Fact(#[n(0)] Fact),
    #[n(2)]
    Join(#[n(0)] DocId, #[n(1)] RecordKind, #[n(2)] u32),
    #[n(3)]
    Leave(#[n(0)] DocId, #[n(1)] FactId),
    #[n(4)]
    Own(#[n(0)] OwnRange),
}

fn page_head<'a>(page: &'a Page, chunks: &mut Vec<&'a [u8]>, rows: &mut Vec<Vec<u8>>) -> PageHead {
    let heads = page.entries.iter().map(|entry| match entry {
        PageEntry::Entry(Entry::Change(change)) => {
            chunks.push(&change.raw);
            EntryHead::Change(change.doc, change.kind, change.edit)
        }
        PageEntry::Entry(Entry::Fact(fact)) => EntryHead::Fact(fact.clone()),
        PageEntry::Entry(Entry::Join(join)) => {
            chunks.extend(join.changes.iter().map(Vec::as_slice));
            EntryHead::Join(join.doc, join.kind, u32::try_from(join.changes.len()).unwrap_or(u32::MAX))
        }
        PageEntry::Entry(Entry::Leave(leave)) => EntryHead::Leave(leave.doc, leave.by),
        PageEntry::Own(own) => EntryHead::Own(*own),
    });
    rows.extend(heads.map(encode));
    PageHead { stream: page.stream, epoch: page.epoch, first: page.first, count: u32::try_from(page.entries.len()).unwrap_or(u32::MAX) }
}

impl PageHead {
    fn page<'a>(self, chunks: &mut impl Iterator<Item = Vec<u8>>, rows: &mut impl Iterator<Item = &'a Vec<u8>>) -> Result<Page, WireError> {
        let entries =
            (0..self.count).map(|_| decode::<EntryHead>(rows.next().ok_or(WireError::Malformed("fewer entries than the pages have"))?, "entry")?.entry(chunks));
        Ok(Page { stream: self.stream, epoch: self.epoch, first: self.first, entries: entries.collect::<Result<_, WireError>>()? })
    }
}

impl EntryHead {
    fn entry(self, chunks: &mut impl Iterator<Item = Vec<u8>>) -> Result<PageEntry, WireError> {
        let mut next = || chunks.next().ok_or(WireError::Malformed("fewer changes than entries"));
        Ok(match self {
            Self::Change(doc, kind, edit) => PageEntry::Entry(Entry::Change(ChangeItem { doc, kind, edit, raw: next()? })),
            Self::Fact(fact) => PageEntry::Entry(Entry::Fact(fact)),
            Self::Join(doc, kind, count) => {
                let changes = (0..count).map(|_| next()).collect::<Result<_, _>>()?;
                PageEntry::Entry(Entry::Join(Join { doc, kind, changes }))
            }
            Self::Leave(doc, by) => PageEntry::Entry(Entry::Leave(Leave { doc, by })),
            Self::Own(own) => PageEntry::Own(own),
        })
    }
}
