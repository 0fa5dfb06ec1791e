//! Area packs: everything a stream holds at a position, compressed well once. `GET /v1/packs/{stream}/{sha256}`, range-resumable.

use minicbor::{Decode, Encode};

use super::changes;
use super::error::WireError;
use super::frame::unzstd;
use super::suite::{PublicKey, Purpose, Signature, Signer, verify};
use super::sync::{Cursor, SealedBytes};
use crate::domain::fact::Fact;
use crate::domain::id::{DocId, Hash};
use crate::record::RecordKind;

/// Longest pack after decompression, bytes.
const MAX_PACK_PLAIN: usize = 64 << 20;

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
}

impl Pack {
    /// Builds the file. `level` is zstd's: 9 at once, 19 when there is time.
    ///
    /// # Errors
    /// When zstd fails, which it does only out of memory.
    pub fn to_file(&self, level: i32, signer: &dyn Signer) -> Result<Vec<u8>, WireError> {
        let chunks: Vec<&[u8]> = self.docs.iter().flat_map(|doc| doc.changes.iter().map(Vec::as_slice)).collect();
        let docs = self
            .docs
            .iter()
            .map(|doc| DocHead(doc.doc, doc.kind, u32::try_from(doc.changes.len()).unwrap_or(u32::MAX), (!doc.edits.is_empty()).then(|| doc.edits.clone())))
            .collect();
        let body = Body { docs, facts: self.facts.clone(), changes: SealedBytes(changes::pack(&chunks)) };
        let plain = minicbor::to_vec(&body).expect("encoding into memory does not fail");
        let packed = zstd::bulk::compress(&plain, level).map_err(|_| WireError::Malformed("zstd"))?;
        let head = minicbor::to_vec(FileHead { version: super::VERSION, at: self.at, body: Hash::of(&[&packed]) }).expect("encoding into memory does not fail");
        let signature = signer.sign(Purpose::Pack, &head);
        Ok(minicbor::to_vec(File { head: SealedBytes(head), signature, body: SealedBytes(packed) }).expect("encoding into memory does not fail"))
    }

    /// Reads and verifies a file.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn from_file(file: &[u8], key: &PublicKey) -> Result<Self, WireError> {
        let malformed = |_| WireError::Malformed("pack");
        let File { head, signature, body } = minicbor::decode(file).map_err(malformed)?;
        if !verify(key, Purpose::Pack, &head.0, &signature) {
            return Err(WireError::Unverified("pack signature"));
        }
        let head: FileHead = minicbor::decode(&head.0).map_err(malformed)?;
        if head.version > super::VERSION {
            return Err(WireError::NewerVersion(head.version));
        }
        if Hash::of(&[&body.0]) != head.body {
            return Err(WireError::Unverified("pack contents"));
        }
        let body: Body = minicbor::decode(&unzstd(&body.0, MAX_PACK_PLAIN)?).map_err(malformed)?;
        let mut chunks = changes::unpack(&body.changes.0, MAX_PACK_PLAIN)?.into_iter();
        let docs = body
            .docs
            .into_iter()
            .map(|DocHead(doc, kind, count, edits)| {
                let changes = (0..count).map(|_| chunks.next().ok_or(WireError::Malformed("pack"))).collect::<Result<_, _>>()?;
                Ok(PackDoc { doc, kind, changes, edits: edits.unwrap_or_default() })
            })
            .collect::<Result<_, WireError>>()?;
        Ok(Self { at: head.at, docs, facts: body.facts })
    }
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct File {
    #[n(0)]
    head: SealedBytes,
    #[n(1)]
    signature: Signature,
    #[n(2)]
    body: SealedBytes,
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
struct Body {
    #[n(0)]
    docs: Vec<DocHead>,
    #[n(1)]
    facts: Vec<Fact>,
    #[n(2)]
    changes: SealedBytes,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct DocHead(#[n(0)] DocId, #[n(1)] RecordKind, #[n(2)] u32, #[n(3)] Option<Vec<(u32, Hash)>>);
