//! Signatures. The suite is a number in every signed thing, so that SM2/SM3 can stand in beside Ed25519/SHA-256.

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::domain::code::codes;

codes! {
    /// A signature algorithm with its hash.
    pub enum Suite {
        /// Ed25519 (RFC 8032) over SHA-256.
        Ed25519 = 1 "ed25519",
        /// SM2 with SM3 (GB/T 32918, GB/T 32905): reserved.
        Sm2 = 2 "sm2",
    }
}

macro_rules! byte_field {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({:02x}{:02x}…)"), self.0[0], self.0[1])
            }
        }

        impl<C> Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
                Ok(Self(*ByteArray::<$len>::decode(d, ctx)?))
            }
        }
    };
}

byte_field!(
    /// A public key.
    PublicKey, 32
);
byte_field!(
    /// A signature.
    Signature, 64
);

/// What a signature is for; part of what is signed, so that one can never pass for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A batch header.
    Batch,
    /// The heads of streams.
    Heads,
    /// A request that opens a session.
    Session,
    /// A grant.
    Grant,
    /// An area pack.
    Pack,
    /// A signing key certified by the root.
    Key,
    /// An enrolment request.
    Enrol,
    /// An answer to a request.
    Answer,
    /// An answer to an enrolment request.
    Welcome,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Batch => b"fieldgrid/1 batch\0",
            Self::Heads => b"fieldgrid/1 heads\0",
            Self::Session => b"fieldgrid/1 session\0",
            Self::Grant => b"fieldgrid/1 grant\0",
            Self::Pack => b"fieldgrid/1 pack\0",
            Self::Key => b"fieldgrid/1 key\0",
            Self::Enrol => b"fieldgrid/1 enrol\0",
            Self::Answer => b"fieldgrid/1 answer\0",
            Self::Welcome => b"fieldgrid/1 welcome\0",
        }
    }
}

/// What signs: a device's key, the server's key.
pub trait Signer: Send + Sync + std::fmt::Debug {
    /// The public half.
    fn public(&self) -> PublicKey;
    /// Signs `message` for `purpose`.
    fn sign(&self, purpose: Purpose, message: &[u8]) -> Signature;
}

/// An Ed25519 key pair in memory. Its bytes are wiped when dropped and never shown.
pub struct KeyPair(SigningKey);

impl KeyPair {
    /// From its 32 secret bytes.
    #[must_use]
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyPair({:?})", self.public())
    }
}

impl Signer for KeyPair {
    fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, purpose: Purpose, message: &[u8]) -> Signature {
        Signature(self.0.sign(&[purpose.label(), message].concat()).to_bytes())
    }
}

/// Whether `signature` is `key`'s over `message` for `purpose`. Strict verification: no small-order keys, one valid form only.
#[must_use]
pub fn verify(key: &PublicKey, purpose: Purpose, message: &[u8], signature: &Signature) -> bool {
    VerifyingKey::from_bytes(&key.0)
        .and_then(|key| key.verify_strict(&[purpose.label(), message].concat(), &ed25519_dalek::Signature::from_bytes(&signature.0)))
        .is_ok()
}
