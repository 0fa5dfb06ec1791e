//! SQLCipher, built from source, with its cryptography in Rust.
//!
//! A program that has this crate and rusqlite with the feature `in_gecko` has SQLCipher 4: AES-256-CBC, HMAC-SHA512 and PBKDF2, byte for byte the files that
//! SQLCipher writes over OpenSSL (`tests/format.rs`). It calls [`initialize`] before it opens a file, and nothing else.
//!
//! OpenSSL would be 3.5 MB of a phone's library, of which SQLCipher calls six functions (`docs/size.md`, ADR 0012).

use std::ffi::{c_char, c_int};
use std::ptr;
use std::sync::{Mutex, PoisonError};

mod crypto;
mod provider;

unsafe extern "C" {
    fn sqlite3_initialize() -> c_int;
    fn sqlcipher_extra_init(unused: *const c_char) -> c_int;
}

/// Waits until SQLCipher is ready, on whichever thread it is being made ready. Costs a mutex.
///
/// SQLite counts itself as ready before it calls SQLCipher's part, and SQLCipher's part before it registers `sqlcipher_export`: of threads that open the first files of
/// a process at the same time, one would be told that its key cannot be set, another that there is no such function (`tests/first_use.rs`). Should either part fail,
/// opening says so.
pub fn initialize() {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: both may be called at any time, from any thread and again; in this order, because SQLCipher's part takes memory from SQLite.
    unsafe {
        sqlite3_initialize();
        sqlcipher_extra_init(ptr::null());
    }
}
