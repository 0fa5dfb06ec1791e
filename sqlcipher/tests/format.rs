//! The file format stays SQLCipher 4's, whoever does the cryptography. The fixtures were written by SQLCipher 4.20 over OpenSSL 3.6.3, before this crate was.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode};
use tempfile::TempDir;

const RAW: &str = "PRAGMA key = \"x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'\";";
const WRONG: &str = "PRAGMA key = \"x'100102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'\";";
const WORDS: &str = "PRAGMA key = 'correct horse'; PRAGMA kdf_iter = 4000;";
const PAGE: usize = 4096;

/// A copy of a fixture, with its WAL if it has one.
fn fixture(name: &str) -> (TempDir, PathBuf) {
    let dir = TempDir::new().expect("a copy of a fixture");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for file in [name.to_owned(), format!("{name}-wal")] {
        if from.join(&file).exists() {
            fs::copy(from.join(&file), dir.path().join(&file)).expect("a copy of a fixture");
        }
    }
    let path = dir.path().join(name);
    (dir, path)
}

fn open(path: &Path, key: &str) -> rusqlite::Result<Connection> {
    fieldgrid_sqlcipher::initialize();
    let db = Connection::open(path)?;
    db.execute_batch(key)?;
    Ok(db)
}

fn rows(db: &Connection) -> rusqlite::Result<Vec<(u32, String)>> {
    db.prepare("SELECT id, note FROM visit ORDER BY id")?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn expected(count: u32) -> Vec<(u32, String)> {
    (1..=count).map(|id| (id, format!("走访第{id}户"))).collect()
}

fn unsound(db: &Connection) -> Vec<String> {
    db.prepare("PRAGMA cipher_integrity_check")
        .expect("a copy of a fixture")
        .query_map([], |row| row.get(0))
        .expect("a copy of a fixture")
        .map(|row| row.expect("a row"))
        .collect()
}

#[test]
fn files_written_over_openssl_open() {
    let sha256 = format!("{WORDS} PRAGMA cipher_kdf_algorithm = PBKDF2_HMAC_SHA256; PRAGMA cipher_hmac_algorithm = HMAC_SHA256;");
    // Version 3's files: SHA-1, pages of 1,024 bytes.
    let sha1 = "PRAGMA key = 'correct horse'; PRAGMA cipher_compatibility = 3; PRAGMA kdf_iter = 4000;";
    for (name, key, count) in [("raw.sqlcipher", RAW, 300), ("words.sqlcipher", WORDS, 20), ("sha256.sqlcipher", &sha256, 20), ("sha1.sqlcipher", sha1, 20)] {
        let (_dir, path) = fixture(name);
        let db = open(&path, key).unwrap();
        assert_eq!(rows(&db).unwrap(), expected(count), "{name}");
        assert!(unsound(&db).is_empty(), "{name}");
        // And written to, they open again.
        db.execute("INSERT INTO visit VALUES (1000, 'later')", []).unwrap();
        drop(db);
        let db = open(&path, key).unwrap();
        assert_eq!(rows(&db).unwrap().len() as u32, count + 1, "{name}");
        assert!(unsound(&db).is_empty(), "{name}");
    }
}

#[test]
fn a_wal_left_by_a_killed_process_is_read() {
    let (_dir, path) = fixture("wal.sqlcipher");
    let db = open(&path, RAW).unwrap();
    let mut wanted = expected(20);
    wanted.push((21, "only in the WAL".to_owned()));
    assert_eq!(rows(&db).unwrap(), wanted);
}

#[test]
fn the_provider_says_what_it_is() {
    let (_dir, path) = fixture("raw.sqlcipher");
    let db = open(&path, RAW).unwrap();
    let pragma = |name: &str| db.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(pragma("cipher_provider"), "rustcrypto");
    assert_eq!(pragma("cipher_provider_version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(pragma("cipher"), "AES-256-CBC");
    assert_eq!(pragma("cipher_fips_status"), "0");
    assert_eq!(pragma("cipher_hmac_algorithm"), "HMAC_SHA512");
    db.execute_batch("PRAGMA cipher_add_random = \"x'0011'\";").unwrap();
}

#[test]
fn a_wrong_key_opens_nothing() {
    for name in ["raw.sqlcipher", "wal.sqlcipher"] {
        let (_dir, path) = fixture(name);
        let error = open(&path, WRONG).and_then(|db| rows(&db)).unwrap_err();
        assert_eq!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase), "{name}");
        let error = Connection::open(&path).and_then(|db| rows(&db)).unwrap_err();
        assert_eq!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase), "{name}, without a key");
    }
}

#[test]
fn one_changed_bit_is_found_wherever_it_is() {
    let (_dir, path) = fixture("raw.sqlcipher");
    let sound = fs::read(&path).unwrap();
    let pages = sound.len() / PAGE;
    assert!(pages > 2);
    for page in 1..pages {
        // In the data, in the vector and in the authentication code.
        for place in [0, PAGE - 80, PAGE - 64] {
            let mut damaged = sound.clone();
            damaged[page * PAGE + place] ^= 1;
            fs::write(&path, damaged).unwrap();
            let db = open(&path, RAW).unwrap();
            let found = unsound(&db);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains(&format!("page {}", page + 1)), "{found:?}");
        }
    }
    // Pages that changed places are each sound by themselves, and are not taken.
    let mut swapped = sound.clone();
    swapped[PAGE..3 * PAGE].rotate_left(PAGE);
    fs::write(&path, swapped).unwrap();
    let db = open(&path, RAW).unwrap();
    assert_eq!(unsound(&db).len(), 2);
    assert!(rows(&db).is_err());
}

#[test]
fn equal_contents_are_never_equal_bytes() {
    let dir = TempDir::new().unwrap();
    let files = ["a", "b"].map(|name| {
        let path = dir.path().join(name);
        let db = open(&path, RAW).unwrap();
        db.execute_batch("CREATE TABLE visit(id INTEGER PRIMARY KEY, note TEXT); INSERT INTO visit VALUES (1, '张三 13900000000');").unwrap();
        drop(db);
        fs::read(path).unwrap()
    });
    assert_eq!(files[0].len(), files[1].len());
    for (a, b) in files[0].chunks(PAGE).zip(files[1].chunks(PAGE)) {
        // Of 4,096 pairs of random bytes some 16 are equal.
        assert!(a.iter().zip(b).filter(|(a, b)| a == b).count() < 80);
    }
    for file in &files {
        assert!(!file.windows(11).any(|bytes| bytes == b"13900000000"));
        assert!(!file.starts_with(b"SQLite format 3"));
    }
}

#[test]
fn a_file_takes_another_key_and_a_copy_by_export() {
    let (dir, path) = fixture("words.sqlcipher");
    let db = open(&path, WORDS).unwrap();
    db.execute_batch("PRAGMA rekey = 'battery staple';").unwrap();
    let plain = dir.path().join("plain");
    db.execute("ATTACH ?1 AS plain KEY ''", [plain.to_str()]).unwrap();
    db.query_row("SELECT sqlcipher_export('plain')", [], |_| Ok(())).unwrap();
    drop(db);
    assert!(open(&path, WORDS).and_then(|db| rows(&db)).is_err());
    assert_eq!(rows(&open(&path, "PRAGMA key = 'battery staple'; PRAGMA kdf_iter = 4000;").unwrap()).unwrap(), expected(20));
    assert_eq!(rows(&Connection::open(plain).unwrap()).unwrap(), expected(20));
}

#[test]
fn many_threads_read_and_write_at_once() {
    let (_dir, path) = fixture("raw.sqlcipher");
    let db = open(&path, RAW).unwrap();
    db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8_u32 {
            let path = &path;
            scope.spawn(move || {
                for round in 0..5 {
                    let db = open(path, RAW).unwrap();
                    db.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
                    db.execute("INSERT INTO visit VALUES (?1, 'later')", [10_000 + thread * 100 + round]).unwrap();
                    assert!(rows(&db).unwrap().len() > 300);
                }
            });
        }
    });
    assert_eq!(rows(&db).unwrap().len(), 340);
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    assert!(unsound(&db).is_empty());
}
