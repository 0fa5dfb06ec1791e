//! Enrolment: a one-time code becomes a key pair at the phone and a signed grant. `POST /v1/enrol`, framed.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};

use super::error::WireError;
use super::seal::{EMPTY, Seal, seal};
use super::suite::{PublicKey, Purpose, Signature, Signer, verify};
use super::sync::{SealedBytes, StreamInfo};
use super::{decode, encode};
use crate::domain::grant::Grant;
use crate::domain::id::{DeviceId, Hash, Incarnation, StreamId};

/// What the centre hands to a person, as a QR code or in words: where the server is, a one-time code, and the root key to pin.
/// As text: `fieldgrid:1?server=URL&code=CODE&root=HEX&signs=1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// Base URL of the server.
    pub server: String,
    /// The one-time code.
    pub code: String,
    /// SHA-256 of the server's root key.
    pub root: Hash,
    /// The server signs its answers: one without a signature is not the server's.
    pub signs: bool,
}

impl fmt::Display for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fieldgrid:1?server={}&code={}&root={}", self.server, self.code, self.root)?;
        if self.signs { f.write_str("&signs=1") } else { Ok(()) }
    }
}

impl FromStr for Invite {
    type Err = WireError;
    fn from_str(text: &str) -> Result<Self, WireError> {
        let malformed = WireError::Malformed("invite: scan the code again, or ask the centre for a new one");
        let query = text.trim().strip_prefix("fieldgrid:1?").ok_or(malformed.clone())?;
        let field = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        Ok(Self {
            server: field("server").ok_or(malformed.clone())?.to_owned(),
            code: field("code").ok_or(malformed.clone())?.to_owned(),
            root: field("root").and_then(|hex| hex.parse().ok()).ok_or(malformed)?,
            signs: field("signs") == Some("1"),
        })
    }
}

/// The phone asks to be enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct EnrolRequest {
    /// Protocol version.
    #[n(0)]
    pub version: u8,
    /// The one-time code.
    #[n(1)]
    pub code: String,
    /// The phone's public key.
    #[n(2)]
    pub key: PublicKey,
    /// The first life of its store.
    #[n(3)]
    pub incarnation: Incarnation,
    /// Over `code ‖ incarnation`: the phone has the key.
    #[n(4)]
    pub signature: Signature,
}

impl EnrolRequest {
    /// A request signed with the phone's key.
    #[must_use]
    pub fn new(code: String, incarnation: Incarnation, signer: &dyn Signer) -> Self {
        let signature = signer.sign(Purpose::Enrol, &Self::message(&code, incarnation));
        Self { version: super::VERSION, code, key: signer.public(), incarnation, signature }
    }

    /// Whether the asker has the key.
    #[must_use]
    pub fn verify(&self) -> bool {
        verify(&self.key, Purpose::Enrol, &Self::message(&self.code, self.incarnation), &self.signature)
    }

    fn message(code: &str, incarnation: Incarnation) -> Vec<u8> {
        [code.as_bytes(), incarnation.as_bytes()].concat()
    }
}

/// A grant with the server's signature over its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SignedGrant {
    /// The grant's bytes.
    #[n(0)]
    pub grant: SealedBytes,
    /// The server's signature over them.
    #[n(1)]
    pub signature: Signature,
}

impl SignedGrant {
    /// Signs a grant.
    #[must_use]
    pub fn sign(grant: &Grant, signer: &dyn Signer) -> Self {
        let bytes = encode(grant);
        let signature = signer.sign(Purpose::Grant, &bytes);
        Self { grant: SealedBytes(bytes), signature }
    }

    /// The grant, once `key` is seen to have signed it.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn open(&self, key: &PublicKey) -> Result<Grant, WireError> {
        if !verify(key, Purpose::Grant, &self.grant.0, &self.signature) {
            return Err(WireError::Unverified("grant"));
        }
        decode(&self.grant.0, "grant")
    }
}

/// The server's keys: the root, pinned at enrolment, and the key in daily use, certified by it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ServerKeys {
    /// The root key.
    #[n(0)]
    pub root: PublicKey,
    /// The key that signs heads, grants and packs.
    #[n(1)]
    pub signing: PublicKey,
    /// The root's signature over the signing key.
    #[n(2)]
    pub certificate: Signature,
}

impl ServerKeys {
    /// Whether these are the keys of the server whose root the invite names.
    #[must_use]
    pub fn verify(&self, pinned: Hash) -> bool {
        Hash::of(&[&self.root.0]) == pinned && verify(&self.root, Purpose::Key, &self.signing.0, &self.certificate)
    }
}

/// The server's answer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct EnrolAnswer {
    /// Protocol version.
    #[n(0)]
    pub version: u8,
    /// The device's identity.
    #[n(1)]
    pub device: DeviceId,
    /// Its grant.
    #[n(2)]
    pub grant: SignedGrant,
    /// The server's keys.
    #[n(3)]
    pub keys: ServerKeys,
    /// The device's own stream.
    #[n(4)]
    pub stream: StreamId,
    /// The streams it reads, its own included.
    #[n(5)]
    pub directory: Vec<StreamInfo>,
    /// The server's clock, milliseconds since 1970.
    #[n(6)]
    pub now_ms: i64,
    /// The person's display name.
    #[n(7)]
    pub name: Option<String>,
    /// The server's signature over all of it and the request.
    #[n(8)]
    pub signature: Option<Signature>,
}

/// The field that signs those before it.
const SEAL: u64 = 8;

impl EnrolAnswer {
    /// Encodes and signs it, as the answer to the request with these bytes; not framed yet.
    #[must_use]
    pub fn to_signed_bytes(&self, request: &[u8], signer: &dyn Signer) -> Vec<u8> {
        let message = encode(Self { signature: Some(EMPTY), ..self.clone() });
        seal(message, SEAL, Purpose::Welcome, &[&Hash::of(&[request]).0], signer)
    }

    /// Reads an answer to the request with these bytes. One that is signed is signed by the key
    /// that it names, whoever that belongs to.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn from_bytes(bytes: &[u8], request: &[u8]) -> Result<Self, WireError> {
        let answer: Self = decode(bytes, "enrolment answer")?;
        if answer.version > super::VERSION {
            return Err(WireError::NewerVersion(answer.version));
        }
        let seal = answer.signature.map(|signature| Seal::of(bytes, SEAL, signature));
        let to = Hash::of(&[request]);
        if seal.is_some_and(|seal| !seal.is_some_and(|seal| seal.verify(&answer.keys.signing, Purpose::Welcome, &[&to.0]))) {
            return Err(WireError::Unverified("the enrolment answer: it is not the answer to this phone and code"));
        }
        Ok(answer)
    }
}
