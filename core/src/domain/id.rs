//! Identity. Everything is a UUIDv7 or a hash; codes and numbers are labels with dates (`code`).

use std::fmt;
use std::str::FromStr;

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Decoder, Encode, Encoder};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Text that is not an identifier of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not {expected}")]
pub struct ParseIdError {
    /// What was expected, for instance `a UUID`.
    pub expected: &'static str,
}

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new UUIDv7 (RFC 9562 §5.7) from the wall clock in milliseconds and ten random bytes.
            #[must_use]
            pub fn new(wall_ms: i64, random: [u8; 10]) -> Self {
                Self(uuid_v7(wall_ms, random))
            }

            /// From its sixteen bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// Its sixteen bytes, in network order.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                Uuid::parse_str(text).map(Self).map_err(|_| ParseIdError { expected: "a UUID" })
            }
        }

        impl<C> Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(self.as_bytes())?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
                Ok(Self::from_bytes(*ByteArray::<16>::decode(d, ctx)?))
            }
        }
    )*};
}

fn uuid_v7(wall_ms: i64, random: [u8; 10]) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(u64::try_from(wall_ms).unwrap_or(0), &random).into_uuid()
}

uuid_id! {
    /// A document: a case, a household.
    DocId;
    /// A person inside a household.
    PersonId;
    /// A phone, or a device the server hosts for a person at a desk.
    DeviceId;
    /// A member of staff, a rider, a volunteer.
    UserId;
    /// A grant: what a device may do, for how long.
    GrantId;
    /// A stream of entries that a set of devices reads.
    StreamId;
    /// A department, a centre, a community.
    OrgId;
    /// An immutable row: a visit, a verdict, a case number.
    FactId;
    /// A form on a screen, from when it is opened until it is closed: what it saves is saved once. Random, of any version: what is noted under it is kept from
    /// others by it.
    FormId;
    /// One life of a store: the Automerge actor. Random, never derived; a restored or copied store takes a new one before its first write.
    Incarnation;
}

impl Incarnation {
    /// An incarnation is sixteen random bytes, with no time in it.
    #[must_use]
    pub const fn random(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The next life of the same store. It keeps the first half and takes a random second half:
    /// where two values tie, Automerge lets the greater actor win, and work done again then wins
    /// against the same values as before.
    #[must_use]
    pub fn successor(&self, bytes: [u8; 8]) -> Self {
        let mut next = *self.as_bytes();
        next[8..].copy_from_slice(&bytes);
        Self(Uuid::from_bytes(next))
    }

    /// Sixteen zero bytes: genesis' actor, and no life of any store.
    #[must_use]
    pub const fn is_zero(&self) -> bool {
        self.0.is_nil()
    }
}

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The hash before the first of a chain.
    pub const ZERO: Self = Self([0; 32]);

    /// SHA-256 of the parts, one after the other.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut sha = Sha256::new();
        for part in parts {
            sha.update(part);
        }
        Self(sha.finalize().into())
    }
}

/// An action's identity: the first 16 bytes of the SHA-256 of its stored bytes, so no two contents share one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionId(pub [u8; 16]);

impl ActionId {
    /// The identity of an action with these stored bytes.
    #[must_use]
    pub fn of(stored: &[u8]) -> Self {
        let Hash(full) = Hash::of(&[stored]);
        let mut id = [0; 16];
        id.copy_from_slice(&full[..16]);
        Self(id)
    }
}

macro_rules! hex_id {
    ($name:ident, $len:literal, $expected:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}(", stringify!($name))?;
                self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str("…)")
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let wrong = ParseIdError { expected: $expected };
                if text.len() != $len * 2 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                    return Err(wrong);
                }
                let mut bytes = [0; $len];
                for (i, byte) in bytes.iter_mut().enumerate() {
                    *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_| wrong.clone())?;
                }
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                std::borrow::Cow::<'de, str>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
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

hex_id!(Hash, 32, "a SHA-256 in 64 lower-case hex digits");
hex_id!(ActionId, 16, "an action id of 32 lower-case hex digits");
