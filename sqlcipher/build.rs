//! Compiles SQLCipher's amalgamation with this crate as its cryptography.
//!
//! `libsqlite3-sys` can build SQLCipher too, but only over OpenSSL. Here rusqlite and `libsqlite3-sys` have the feature `in_gecko`, by which they bring
//! their bindings and leave the library to the program, as in Firefox.

use std::env;

fn main() {
    let source = sqlcipher_src::source_dir().join(sqlcipher_src::SOURCE_FILE);
    let android = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "android");
    let mut build = cc::Build::new();
    build
        .file(source)
        .define("SQLITE_CORE", None)
        .define("SQLITE_THREADSAFE", "1")
        .define("SQLITE_DEFAULT_FOREIGN_KEYS", "1")
        .define("SQLITE_ENABLE_FTS5", None)
        .define("HAVE_ISNAN", None)
        .define("HAVE_STDINT_H", "1")
        // No one counts SQLite's allocations, and a word in double quotes is a name and never a text.
        .define("SQLITE_DEFAULT_MEMSTATUS", "0")
        .define("SQLITE_DQS", "0")
        // What nothing here calls.
        .define("SQLITE_OMIT_AUTHORIZATION", None)
        .define("SQLITE_OMIT_DECLTYPE", None)
        .define("SQLITE_OMIT_DEPRECATED", None)
        .define("SQLITE_OMIT_DESERIALIZE", None)
        .define("SQLITE_OMIT_JSON", None)
        .define("SQLITE_OMIT_LOAD_EXTENSION", None)
        .define("SQLITE_OMIT_PROGRESS_CALLBACK", None)
        .define("SQLITE_OMIT_SHARED_CACHE", None)
        .define("SQLITE_UNTESTABLE", None)
        // What SQLCipher asks of every build.
        .define("SQLITE_HAS_CODEC", None)
        .define("SQLITE_EXTRA_INIT", "sqlcipher_extra_init")
        .define("SQLITE_EXTRA_SHUTDOWN", "sqlcipher_extra_shutdown")
        // Android has no directory for temporary files that SQLite would find.
        .define("SQLITE_TEMP_STORE", if android { "3" } else { "2" })
        .define("SQLCIPHER_CRYPTO_CUSTOM", "fieldgrid_sqlcipher_setup")
        // It would print on standard error or in the device's log; callers get errors typed.
        .define("SQLCIPHER_OMIT_LOG", None)
        // No panic crosses it: 127 KB less in a phone's library.
        .flag_if_supported("-fno-asynchronous-unwind-tables")
        .flag_if_supported("-fno-unwind-tables")
        .warnings(false);
    if env::var("CARGO_CFG_UNIX").is_ok() {
        build.define("HAVE_USLEEP", "1").define("HAVE_LOCALTIME_R", None);
    }
    // Nothing on the Rust side names what is inside, and linkers that read each archive once may come to this one before rusqlite.
    build.link_lib_modifier("+whole-archive").compile("fieldgrid_sqlcipher");
    println!("cargo:rerun-if-changed=build.rs");
}
