//! The server's signature over a whole message: a field at the array's end signs all fields before
//! it, as they were encoded, and the request that they answer.

use minicbor::Decoder;

use super::suite::{PublicKey, Purpose, Signature, Signer, verify};
use crate::domain::id::Hash;

/// A signature with what it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal {
    /// SHA-256 of the fields before it.
    fields: Hash,
    pub(super) signature: Signature,
}

impl Seal {
    /// Reads the seal of a message: the signature is its field `at`.
    pub(super) fn of(message: &[u8], at: u64, signature: Signature) -> Option<Self> {
        Some(Self { fields: Hash::of(&[fields(message, at)?]), signature })
    }

    /// Whether `key` signed the message for `purpose`, bound to `to`.
    pub(super) fn verify(&self, key: &PublicKey, purpose: Purpose, to: &[&[u8]]) -> bool {
        verify(key, purpose, &over(to, self.fields), &self.signature)
    }
}

/// What stands for the signature until it is made.
pub(super) const EMPTY: Signature = Signature([0; 64]);

/// Puts the signature into a message that ends with [`EMPTY`] as its field `at`.
pub(super) fn seal(mut message: Vec<u8>, at: u64, purpose: Purpose, to: &[&[u8]], signer: &dyn Signer) -> Vec<u8> {
    let fields = Hash::of(&[fields(&message, at).unwrap_or_default()]);
    let signature = signer.sign(purpose, &over(to, fields));
    let end = message.len().saturating_sub(signature.0.len());
    message.truncate(end);
    message.extend_from_slice(&signature.0);
    message
}

fn over(to: &[&[u8]], fields: Hash) -> Vec<u8> {
    [&to.concat(), fields.0.as_slice()].concat()
}

/// The bytes of the first `count` fields of an array.
fn fields(message: &[u8], count: u64) -> Option<&[u8]> {
    let mut decoder = Decoder::new(message);
    decoder.array().ok()??;
    let start = decoder.position();
    for _ in 0..count {
        decoder.skip().ok()?;
    }
    message.get(start..decoder.position())
}
