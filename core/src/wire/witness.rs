//! Signed heads that are shown to others: phones that meet, and the desk, find out whether the
//! server told them the same story. Two signatures of one key over one place of a stream, in one
//! epoch, with two chains, prove that it did not.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};

use super::error::WireError;
use super::sync::SignedHeads;
use super::{decode, encode, limits};
use crate::domain::id::DeviceId;

/// What the server signed for a device.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Shown {
    /// The device that it was signed for.
    #[n(0)]
    pub device: DeviceId,
    /// The heads.
    #[n(1)]
    pub heads: SignedHeads,
}

/// Where a phone stands, as text that fits a QR code: `FIELDGRID:HEADS:1:HEX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadsNote {
    /// The signatures over the phone's latest positions.
    pub shown: Vec<Shown>,
}

const PREFIX: &str = "FIELDGRID:HEADS:1:";

impl fmt::Display for HeadsNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        encode(&self.shown).iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl FromStr for HeadsNote {
    type Err = WireError;
    fn from_str(text: &str) -> Result<Self, WireError> {
        let malformed = WireError::Malformed("note of signed heads: scan it again");
        let hex = text.trim().strip_prefix(PREFIX).ok_or(malformed.clone())?;
        if hex.len() > 2 * limits::MAX_NOTE {
            return Err(WireError::TooLarge("note of signed heads"));
        }
        let digits = hex
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit())));
        let bytes: Option<Vec<u8>> = digits.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect();
        let shown: Vec<Shown> = decode(&bytes.ok_or(malformed)?, "note of signed heads")?;
        if shown.len() > limits::MAX_SHOWN {
            return Err(WireError::TooLarge("note of signed heads"));
        }
        Ok(Self { shown })
    }
}
