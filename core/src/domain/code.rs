//! Codes: enumerations that a newer version may extend. An unknown code survives an older version unchanged.

/// Declares an enumeration with stable numbers and names. `Other` keeps a code of a newer version.
/// On the wire it is the number; in JSON and text it is the name (`other_77` when unknown).
macro_rules! codes {
    ($(#[$doc:meta])* pub enum $name:ident { $($(#[doc = $vdoc:literal])* $variant:ident = $code:literal $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[doc = $vdoc])* $variant,)*
            /// A code this version does not know.
            Other(u8),
        }

        impl $name {
            /// Every code this version knows.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable number.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self {
                    $(Self::$variant => $code,)*
                    Self::Other(code) => code,
                }
            }

            /// From the number; never fails.
            #[must_use]
            pub const fn from_code(code: u8) -> Self {
                match code {
                    $($code => Self::$variant,)*
                    other => Self::Other(other),
                }
            }

            /// The stable name; `None` for a code this version does not know.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some($text),)*
                    Self::Other(_) => None,
                }
            }
        }

        #[cfg(test)]
        impl $crate::domain::code::tests::Documented for $name {
            const ROWS: &'static [(u8, &'static str, &'static str)] = &[$(($code, $text, concat!($($vdoc),*))),*];
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "other_{}", self.code()),
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::id::ParseIdError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => text.strip_prefix("other_").and_then(|n| n.parse().ok()).map(Self::from_code)
                        .ok_or($crate::domain::id::ParseIdError { expected: concat!("one of: ", $($text, " "),*) }),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                std::borrow::Cow::<'de, str>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(&self, e: &mut minicbor::Encoder<W>, _: &mut C) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.u8(self.code())?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                Ok(Self::from_code(d.u8()?))
            }
        }
    };
}
pub(crate) use codes;

#[cfg(test)]
pub(crate) mod tests;
