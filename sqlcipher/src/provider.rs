//! SQLCipher's provider interface (`struct sqlcipher_provider` in `sqlcipher.h`), over [`crypto`](crate::crypto).
//!
//! The functions hold no state, so SQLCipher may call them from any thread at once. What fails is `SQLITE_ERROR`; SQLCipher then wipes the page or key it was making.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::{ptr, slice};

use crate::crypto::{self, BLOCK, Hash, KEY, Unfit};

const SQLITE_OK: c_int = 0;
const SQLITE_ERROR: c_int = 1;
const ENCRYPT: c_int = 1;
const DECRYPT: c_int = 0;

type Text = unsafe extern "C" fn(*mut c_void) -> *const c_char;
type Number = unsafe extern "C" fn(*mut c_void) -> c_int;
type Context = unsafe extern "C" fn(*mut *mut c_void) -> c_int;
type Hmac = unsafe extern "C" fn(*mut c_void, c_int, *const u8, c_int, *const u8, c_int, *const u8, c_int, *mut u8) -> c_int;
type Kdf = unsafe extern "C" fn(*mut c_void, c_int, *const u8, c_int, *const u8, c_int, c_int, c_int, *mut u8) -> c_int;
type Cipher = unsafe extern "C" fn(*mut c_void, c_int, *const u8, c_int, *const u8, *const u8, c_int, *mut u8) -> c_int;

/// `struct sqlcipher_provider` of SQLCipher 4.20: its fields in its order. `sqlcipher-src` is pinned to that version; a test calls every function that SQLCipher calls.
#[repr(C)]
struct Provider {
    init: Option<unsafe extern "C" fn() -> c_int>,
    shutdown: Option<unsafe extern "C" fn()>,
    get_provider_name: Text,
    add_random: unsafe extern "C" fn(*mut c_void, *const c_void, c_int) -> c_int,
    random: unsafe extern "C" fn(*mut c_void, *mut c_void, c_int) -> c_int,
    hmac: Hmac,
    kdf: Kdf,
    cipher: Cipher,
    get_cipher: Text,
    get_key_sz: Number,
    get_iv_sz: Number,
    get_block_sz: Number,
    get_hmac_sz: unsafe extern "C" fn(*mut c_void, c_int) -> c_int,
    ctx_init: Context,
    ctx_free: Context,
    fips_status: Number,
    get_provider_version: Text,
    next: *mut Provider,
}

/// What SQLCipher calls when SQLite is first used (`SQLCIPHER_CRYPTO_CUSTOM` in `build.rs`).
///
/// # Safety
///
/// `provider` is memory for a `struct sqlcipher_provider`.
// SAFETY: the name has the crate's, so no other symbol is called like it.
#[unsafe(no_mangle)]
unsafe extern "C" fn fieldgrid_sqlcipher_setup(provider: *mut Provider) -> c_int {
    let filled = Provider {
        init: None,
        shutdown: None,
        get_provider_name,
        add_random,
        random,
        hmac,
        kdf,
        cipher,
        get_cipher,
        get_key_sz,
        get_iv_sz,
        get_block_sz,
        get_hmac_sz,
        ctx_init,
        ctx_free,
        fips_status,
        get_provider_version,
        next: ptr::null_mut(),
    };
    // SAFETY: SQLCipher gives memory that it has just allocated for this struct; it may be uninitialised, so it is written and not assigned.
    unsafe { provider.write(filled) };
    SQLITE_OK
}

/// The bytes that C names by pointer and length.
///
/// # Safety
///
/// `data` is null, or readable for `len` bytes that nobody writes during `'a`.
unsafe fn bytes<'a>(data: *const u8, len: c_int) -> Result<&'a [u8], Unfit> {
    let len = usize::try_from(len).map_err(|_| Unfit)?;
    match (data.is_null(), len) {
        (true, 0) => Ok(&[]),
        (true, _) => Err(Unfit),
        // SAFETY: the caller's promise.
        (false, _) => Ok(unsafe { slice::from_raw_parts(data, len) }),
    }
}

/// The same, to write to.
///
/// # Safety
///
/// `data` is null, or initialised and writable for `len` bytes that nobody else touches during `'a`.
unsafe fn bytes_mut<'a>(data: *mut u8, len: usize) -> Result<&'a mut [u8], Unfit> {
    if data.is_null() {
        return Err(Unfit);
    }
    // SAFETY: the caller's promise.
    Ok(unsafe { slice::from_raw_parts_mut(data, len) })
}

fn code(result: Result<(), Unfit>) -> c_int {
    match result {
        Ok(()) => SQLITE_OK,
        Err(Unfit) => SQLITE_ERROR,
    }
}

unsafe extern "C" fn random(_: *mut c_void, buffer: *mut c_void, len: c_int) -> c_int {
    let Ok(len) = usize::try_from(len) else { return SQLITE_ERROR };
    // SAFETY: SQLCipher gives `len` bytes of its own to fill.
    code(unsafe { bytes_mut(buffer.cast(), len) }.and_then(|buffer| getrandom::fill(buffer).map_err(|_| Unfit)))
}

/// The operating system's source needs nothing added.
unsafe extern "C" fn add_random(_: *mut c_void, _: *const c_void, _: c_int) -> c_int {
    SQLITE_OK
}

unsafe extern "C" fn hmac(
    _: *mut c_void,
    algorithm: c_int,
    key: *const u8,
    key_len: c_int,
    data: *const u8,
    len: c_int,
    more: *const u8,
    more_len: c_int,
    out: *mut u8,
) -> c_int {
    if data.is_null() {
        return SQLITE_ERROR;
    }
    code(Hash::try_from(algorithm).and_then(|hash| {
        let mut tag = [0; 64];
        let tag = &mut tag[..hash.len()];
        // SAFETY: three inputs that SQLCipher holds for the length of the call; `more` may be null.
        unsafe { hash.hmac(bytes(key, key_len)?, bytes(data, len)?, bytes(more, if more.is_null() { 0 } else { more_len })?, tag)? };
        // SAFETY: SQLCipher's `out` has room for the hash of this algorithm (`get_hmac_sz`), and no slice of the inputs lives any more.
        unsafe { ptr::copy(tag.as_ptr(), out, tag.len()) };
        Ok(())
    }))
}

unsafe extern "C" fn kdf(
    _: *mut c_void,
    algorithm: c_int,
    pass: *const u8,
    pass_len: c_int,
    salt: *const u8,
    salt_len: c_int,
    rounds: c_int,
    key_len: c_int,
    key: *mut u8,
) -> c_int {
    code(Hash::try_from(algorithm).and_then(|hash| {
        let rounds = u32::try_from(rounds).map_err(|_| Unfit)?;
        let key_len = usize::try_from(key_len).map_err(|_| Unfit)?;
        // SAFETY: SQLCipher derives from one buffer into another (passphrase or key, salt; key or HMAC key), each its own and as long as it says.
        unsafe { hash.derive(bytes(pass, pass_len)?, bytes(salt, salt_len)?, rounds, bytes_mut(key, key_len)?) }
    }))
}

unsafe extern "C" fn cipher(_: *mut c_void, mode: c_int, key: *const u8, key_len: c_int, iv: *const u8, data: *const u8, len: c_int, out: *mut u8) -> c_int {
    if data.is_null() || out.is_null() {
        return SQLITE_ERROR;
    }
    let Ok(len_out) = usize::try_from(len) else { return SQLITE_ERROR };
    // SAFETY: both are pages of SQLCipher's, at least `len` bytes long. They may be the same page, which `copy` allows.
    unsafe { ptr::copy(data, out, len_out) };
    // SAFETY: `out` has just been initialised. Key and vector stand outside its first `len` bytes: the key in the codec's context, the vector behind the page's data.
    let parts = unsafe { bytes(key, key_len).and_then(|key| Ok((key, bytes(iv, BLOCK as c_int)?, bytes_mut(out, len_out)?))) };
    code(parts.and_then(|(key, iv, page)| match mode {
        ENCRYPT => crypto::encrypt(key, iv, page),
        DECRYPT => crypto::decrypt(key, iv, page),
        _ => Err(Unfit),
    }))
}

unsafe extern "C" fn get_hmac_sz(_: *mut c_void, algorithm: c_int) -> c_int {
    Hash::try_from(algorithm).map_or(0, |hash| hash.len() as c_int)
}

unsafe extern "C" fn get_key_sz(_: *mut c_void) -> c_int {
    KEY as c_int
}

unsafe extern "C" fn get_iv_sz(_: *mut c_void) -> c_int {
    BLOCK as c_int
}

unsafe extern "C" fn get_block_sz(_: *mut c_void) -> c_int {
    BLOCK as c_int
}

unsafe extern "C" fn fips_status(_: *mut c_void) -> c_int {
    0
}

/// There is no state to make.
unsafe extern "C" fn ctx_init(_: *mut *mut c_void) -> c_int {
    SQLITE_OK
}

unsafe extern "C" fn ctx_free(_: *mut *mut c_void) -> c_int {
    SQLITE_OK
}

unsafe extern "C" fn get_provider_name(_: *mut c_void) -> *const c_char {
    c"rustcrypto".as_ptr()
}

unsafe extern "C" fn get_provider_version(_: *mut c_void) -> *const c_char {
    const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };
    VERSION.as_ptr()
}

/// By the name that OpenSSL gives it, which SQLCipher's pragma has always told.
unsafe extern "C" fn get_cipher(_: *mut c_void) -> *const c_char {
    c"AES-256-CBC".as_ptr()
}
