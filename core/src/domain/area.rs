//! Division and grid codes: labels whose prefixes are scopes (`domain.md` §2.1).

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Decoder, Encode, Encoder};
use serde::{Deserialize, Serialize};

use super::id::ParseIdError;

/// How deep in the tree of divisions a code stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// 2 digits.
    Province,
    /// 4 digits (GB/T 2260).
    City,
    /// 6 digits (GB/T 2260).
    County,
    /// 9 digits (GB/T 10114).
    Town,
    /// 12 digits: community or village.
    Village,
    /// 15 digits: a grid inside one village.
    Grid,
}

/// A division or grid code of 2, 4, 6, 9, 12 or 15 digits. A shorter code is a scope that holds every code it is a prefix of.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AreaCode {
    digits: u64,
    len: u8,
}

impl AreaCode {
    /// The level that the number of digits gives.
    #[must_use]
    pub const fn level(self) -> Level {
        match self.len {
            2 => Level::Province,
            4 => Level::City,
            6 => Level::County,
            9 => Level::Town,
            12 => Level::Village,
            _ => Level::Grid,
        }
    }

    /// Whether `other` is this area or lies in it.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.len <= other.len && other.digits / 10_u64.pow((other.len - self.len) as u32) == self.digits
    }

    /// The area at `level` that this one lies in; `None` when it is above that level.
    #[must_use]
    pub const fn at(self, level: Level) -> Option<Self> {
        let len = match level {
            Level::Province => 2,
            Level::City => 4,
            Level::County => 6,
            Level::Town => 9,
            Level::Village => 12,
            Level::Grid => 15,
        };
        if len > self.len {
            return None;
        }
        Some(Self { digits: self.digits / 10_u64.pow((self.len - len) as u32), len })
    }

    /// The next area above; `None` for a province.
    #[must_use]
    pub const fn parent(self) -> Option<Self> {
        match self.level() {
            Level::Province => None,
            Level::City => self.at(Level::Province),
            Level::County => self.at(Level::City),
            Level::Town => self.at(Level::County),
            Level::Village => self.at(Level::Town),
            Level::Grid => self.at(Level::Village),
        }
    }

    /// The grid with this serial (1–999) in a village; `None` when this is not a village or the serial does not fit.
    #[must_use]
    pub const fn grid(self, serial: u16) -> Option<Self> {
        if self.len != 12 || serial == 0 || serial > 999 {
            return None;
        }
        Some(Self { digits: self.digits * 1000 + serial as u64, len: 15 })
    }
}

impl FromStr for AreaCode {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let wrong = ParseIdError { expected: "a division or grid code of 2, 4, 6, 9, 12 or 15 digits" };
        if !matches!(text.len(), 2 | 4 | 6 | 9 | 12 | 15) || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong);
        }
        let digits = text.parse().map_err(|_| wrong)?;
        Ok(Self { digits, len: text.len() as u8 })
    }
}

impl fmt::Display for AreaCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$}", self.digits, width = usize::from(self.len))
    }
}

impl fmt::Debug for AreaCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AreaCode({self})")
    }
}

/// By digits from the left, a shorter code before those it holds.
impl Ord for AreaCode {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let left = |code: &Self| code.digits * 10_u64.pow(u32::from(15 - code.len));
        left(self).cmp(&left(other)).then(self.len.cmp(&other.len))
    }
}

impl PartialOrd for AreaCode {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for AreaCode {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AreaCode {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// On the wire: the text, so that leading zeros survive.
impl<C> Encode<C> for AreaCode {
    fn encode<W: minicbor::encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.to_string())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for AreaCode {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.str()?.parse().map_err(|_| minicbor::decode::Error::message("not an area code"))
    }
}
