//! Up: what the phone asks and brings, and who it is.

use minicbor::{Decode, Encode};

use super::{SealedBytes, StateHash, SyncState, Token};
use crate::domain::id::{DeviceId, Hash};
use crate::wire::error::WireError;
use crate::wire::suite::{PublicKey, Purpose, Signature, Signer, verify};
use crate::wire::witness::Shown;
use crate::wire::{VERSION, decode, encode, frame, limits};

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
    /// Sealed batches in outbox order ([`crate::wire::batch::Batch::to_bytes`]).
    #[n(3)]
    pub batches: Vec<SealedBytes>,
    /// Entries that the server once signed and may have lost (healing a restored server).
    #[n(4)]
    #[cbor(default)]
    pub offers: Vec<SealedBytes>,
    /// What the server signed, for this device or another, and this device cannot reconcile with
    /// its streams.
    #[n(5)]
    pub shown: Option<Vec<Shown>>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Envelope<'b> {
    #[n(0)]
    version: u8,
    #[n(1)]
    auth: Auth,
    #[cbor(b(2), with = "minicbor::bytes")]
    payload: &'b [u8],
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
    hash: Hash,
    /// What the signature is over; a token is over nothing.
    signed: Vec<u8>,
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
        encode(Envelope { version: VERSION, auth, payload: &payload })
    }

    /// Whether it brings nothing: the answer that there is nothing new needs no signature.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.state.is_none() && self.batches.is_empty() && self.shown.is_none()
    }

    /// What makes it the one it is: SHA-256 of its payload. No two of a phone are equal, as each
    /// has a nonce of its own.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(&[&encode(self)])
    }

    /// Reads a request, within the limits.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Received, WireError> {
        let Envelope { version, auth, payload } = decode(bytes, "request")?;
        if version > VERSION {
            return Err(WireError::NewerVersion(version));
        }
        let request: Self = decode(payload, "request payload")?;
        let streams = request.state.as_ref().map_or(0, |state| state.cursors.len());
        let shown = request.shown.as_ref().map_or(0, Vec::len);
        if request.batches.len() > limits::MAX_BATCHES
            || request.offers.len() > limits::MAX_OFFERS
            || streams > limits::MAX_STREAMS
            || shown > limits::MAX_SHOWN
        {
            return Err(WireError::TooLarge("request"));
        }
        let signed = if let Auth::Signed(device, _) = &auth { [device.as_bytes(), payload].concat() } else { Vec::new() };
        Ok(Received { auth, request, hash: Hash::of(&[payload]), signed })
    }
}

/// Bytes of a framed request within which its token ends: the frame, the envelope with the version, and the token in its three wrappings.
pub const OPENING: usize = 24;

/// The token of which the first [`OPENING`] bytes of a framed request speak; none where it is signed, compressed, or no request.
#[must_use]
pub fn opening_token(framed: &[u8]) -> Option<Token> {
    let mut decoder = minicbor::Decoder::new(frame::as_plain(framed)?);
    decoder.array().ok()?;
    decoder.u8().ok()?;
    match decoder.decode().ok()? {
        Auth::Token(token) => Some(token),
        Auth::Signed(..) => None,
    }
}

impl Received {
    /// What makes this request the one it is: SHA-256 of what is authenticated. No two of a phone are equal, as each has a nonce of its own.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// Whether the signature is the device's. A token is for the server to look up.
    #[must_use]
    pub fn signed_by(&self, key: &PublicKey) -> bool {
        match &self.auth {
            Auth::Signed(_, signature) => verify(key, Purpose::Session, &self.signed, signature),
            Auth::Token(_) => false,
        }
    }
}
