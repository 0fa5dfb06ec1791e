//! SQLCipher, built from source, with its cryptography in Rust.
//!
//! A program that has this crate (`use fieldgrid_sqlcipher as _;`) and rusqlite with the feature `in_gecko` has SQLCipher 4: AES-256-CBC, HMAC-SHA512 and PBKDF2, byte for byte the
//! files that SQLCipher writes over OpenSSL (`tests/format.rs`). There is nothing to call.
//!
//! OpenSSL would be 3.5 MB of a phone's library, of which SQLCipher calls six functions (`docs/size.md`, ADR 0012).

mod crypto;
mod provider;
