//! One request does both: batches up, entries down. `POST /v1/sync`, a framed [`Request`] answered by a framed [`Answer`].

use minicbor::{Decode, Decoder, Encode, Encoder};

use super::batch::ChangeItem;
use super::entry::{Entry, Join, Leave};
use super::error::WireError;
use super::limits;
use super::suite::{PublicKey, Purpose, Signature, Signer, verify};
use super::{changes, decode, encode};
use crate::domain::area::AreaCode;
use crate::domain::code::codes;
use crate::domain::fact::Fact;
use crate::domain::id::{DeviceId, DocId, FactId, Hash, Incarnation, OrgId, StreamId};
use crate::record::RecordKind;

/// How far a stream has been read and applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct Cursor {
    /// The stream.
    #[n(0)]
    pub stream: StreamId,
    /// The server's epoch that `seq` was numbered in.
    #[n(1)]
    pub epoch: u32,
    /// The last entry applied; 0 before the first.
    #[n(2)]
    pub seq: u64,
    /// The chain after it.
    #[n(3)]
    pub chain: Hash,
}

/// The head of the device's outbox: its last sealed batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct OutboxHead {
    /// The incarnation.
    #[n(0)]
    pub incarnation: Incarnation,
    /// Number of the last batch; 0 before the first.
    #[n(1)]
    pub seq: u64,
    /// Its hash; zero before the first.
    #[n(2)]
    pub hash: Hash,
}

/// Everything that sync depends on: the cursor vector, sorted by stream, and the last batch that the server is known to hold.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SyncState {
    /// Cursors, sorted by stream.
    #[n(0)]
    pub cursors: Vec<Cursor>,
    /// The last batch with a verdict, or known to be held.
    #[n(1)]
    pub outbox: OutboxHead,
}

/// The first 16 bytes of a state's SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct StateHash(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl SyncState {
    /// The hash the server remembers it by.
    #[must_use]
    pub fn hash(&self) -> StateHash {
        let full = Hash::of(&[&encode(self)]);
        let mut short = [0; 16];
        short.copy_from_slice(&full.0[..16]);
        StateHash(short)
    }
}

/// A secret that stands for the device's signature until it ends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Token(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Auth {
    /// By the session the server opened.
    #[n(0)]
    Token(#[n(0)] Token),
    /// By signature over `device ‖ payload`; the answer carries a token.
    #[n(1)]
    Signed(#[n(0)] DeviceId, #[n(1)] Signature),
}

/// What the phone asks and brings.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Request {
    /// Only the answer with the same nonce is applied.
    #[n(0)]
    pub nonce: u32,
    /// Hash of the device's state.
    #[n(1)]
    pub state_hash: StateHash,
    /// The state itself, where the server asked for it or the phone knows that the server cannot have it.
    #[n(2)]
    pub state: Option<SyncState>,
    /// Sealed batches in outbox order ([`super::batch::Batch::to_bytes`]).
    #[n(3)]
    pub batches: Vec<SealedBytes>,
    /// Entries that the server once signed and may have lost (healing a restored server).
    #[n(4)]
    #[cbor(default)]
    pub offers: Vec<SealedBytes>,
}

/// Bytes that are passed on as they are.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct SealedBytes(#[cbor(n(0), with = "minicbor::bytes")] pub Vec<u8>);

#[derive(Encode, Decode)]
#[cbor(array)]
struct Envelope {
    #[n(0)]
    version: u8,
    #[n(1)]
    auth: Auth,
    #[cbor(n(2), with = "minicbor::bytes")]
    payload: Vec<u8>,
}

/// How a request is authenticated when it is encoded.
#[derive(Debug)]
pub enum Authenticate<'a> {
    /// With a token.
    Token(Token),
    /// With the device's signature.
    Sign(DeviceId, &'a dyn Signer),
}

/// A request as received: who claims to ask, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Who asks.
    pub auth: Auth,
    /// What.
    pub request: Request,
    payload: Vec<u8>,
}

impl Request {
    /// Encodes and authenticates; not framed yet.
    #[must_use]
    pub fn to_bytes(&self, how: &Authenticate<'_>) -> Vec<u8> {
        let payload = encode(self);
        let auth = match how {
            Authenticate::Token(token) => Auth::Token(*token),
            Authenticate::Sign(device, signer) => Auth::Signed(*device, signer.sign(Purpose::Session, &[device.as_bytes(), payload.as_slice()].concat())),
        };
        encode(Envelope { version: super::VERSION, auth, payload })
    }

    /// Reads a request, within the limits.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Received, WireError> {
        let Envelope { version, auth, payload } = decode(bytes, "request")?;
        if version > super::VERSION {
            return Err(WireError::NewerVersion(version));
        }
        let request: Self = decode(&payload, "request payload")?;
        let streams = request.state.as_ref().map_or(0, |state| state.cursors.len());
        if request.batches.len() > limits::MAX_BATCHES || request.offers.len() > limits::MAX_OFFERS || streams > limits::MAX_STREAMS {
            return Err(WireError::TooLarge("request"));
        }
        Ok(Received { auth, request, payload })
    }
}

impl Received {
    /// What makes this request the one it is: SHA-256 of what is authenticated. No two of a phone are equal, as each has a nonce of its own.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(&[&self.payload])
    }

    /// Whether the signature is the device's. A token is for the server to look up.
    #[must_use]
    pub fn signed_by(&self, key: &PublicKey) -> bool {
        match &self.auth {
            Auth::Signed(device, signature) => verify(key, Purpose::Session, &[device.as_bytes(), self.payload.as_slice()].concat(), signature),
            Auth::Token(_) => false,
        }
    }
}

codes! {
    /// What a stream is for.
    pub enum StreamKind {
        /// A grid: its cases and households, whole.
        Grid = 1 "grid",
        /// A town's desk: its cases, and masked views of its households.
        Desk = 2 "desk",
        /// An organisation: what is assigned to it.
        Assignments = 3 "assignments",
        /// A scope's orders and reference data.
        Scope = 4 "scope",
        /// One device: its verdicts, grants and instructions, and for those who only report, their own changes.
        Device = 5 "device",
    }
}

/// A stream that the device reads.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct StreamInfo {
    /// Identity.
    #[n(0)]
    pub id: StreamId,
    /// What it is for.
    #[n(1)]
    pub kind: StreamKind,
    /// The grid's, town's or scope's code.
    #[n(2)]
    pub area: Option<AreaCode>,
    /// The organisation of an assignments stream.
    #[n(3)]
    pub org: Option<OrgId>,
    /// The epoch its numbers are of.
    #[n(4)]
    pub epoch: u32,
}

/// A piece of a page: an entry, or a reference to what the asking device wrote itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageEntry {
    /// An entry.
    Entry(Entry),
    /// `count` entries that are the items from `first` on of the device's own batch `seq`.
    Own(OwnRange),
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

/// A file with everything that a stream holds at a position ([`super::pack`]).
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
}

impl Answer {
    /// Encodes; not framed yet.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (mut chunks, mut rows) = (Vec::new(), Vec::new());
        let pages = self.pages.iter().map(|page| page_head(page, &mut chunks, &mut rows)).collect();
        let stored = StoredAnswer {
            version: super::VERSION,
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
        };
        encode(&stored)
    }

    /// Reads an answer, within the limits.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let stored: StoredAnswer = decode(bytes, "answer")?;
        if stored.version > super::VERSION {
            return Err(WireError::NewerVersion(stored.version));
        }
        let run = match &stored.entries {
            Some(packed) => changes::unpack(&packed.0, limits::MAX_BODY_PLAIN)?,
            None => changes::Run::default(),
        };
        let (mut chunks, mut rows) = (run.changes.into_iter(), run.rows.iter());
        let pages = stored.pages.unwrap_or_default().into_iter().map(|head| head.page(&mut chunks, &mut rows)).collect::<Result<_, _>>()?;
        if chunks.next().is_some() || rows.next().is_some() {
            return Err(WireError::Malformed("more entries than the pages have"));
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
        })
    }
}

pub(super) fn some<T>(items: Vec<T>) -> Option<Vec<T>> {
    (!items.is_empty()).then_some(items)
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
