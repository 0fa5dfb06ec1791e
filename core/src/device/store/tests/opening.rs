//! Opening: typed errors that destroy nothing; a copied or restored store notices.

use std::fs;

use super::*;
use crate::device::store::db::Mac;
use crate::device::store::{Given, OpenError, StoreError, Unusable};

fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// A store with something in it, closed; its folder and its clock.
fn closed() -> (tempfile::TempDir, Arc<Clock>, DocId) {
    let mut town = Town::new();
    let phone = Phone::new(1);
    town.enrol(&phone, Role::GridMember);
    let (saved, _) = phone.household("民主街5号", "张三", "13812348000");
    let Phone { store, clock, dir } = phone;
    drop(store);
    (dir, clock, saved.doc)
}

#[test]
fn a_wrong_key_is_said_and_nothing_is_touched() {
    let (dir, clock, doc) = closed();
    let before = files(dir.path());
    let mut wrong = options(&dir.path().join("phone.db"), &clock);
    wrong.key[0] ^= 1;
    assert!(matches!(Store::open(&wrong), Err(OpenError::WrongKey)));
    assert_eq!(before, files(dir.path()));
    let store = Store::open(&options(&dir.path().join("phone.db"), &clock)).unwrap();
    assert!(store.household(doc).unwrap().is_some());
}

#[test]
fn a_wrong_key_is_said_also_where_the_life_file_is_gone() {
    let (dir, clock, _) = closed();
    fs::remove_file(dir.path().join("phone.life")).unwrap();
    let mut wrong = options(&dir.path().join("phone.db"), &clock);
    wrong.key[0] ^= 1;
    assert!(matches!(Store::open(&wrong), Err(OpenError::WrongKey)));
}

#[test]
fn a_newer_schema_is_refused_and_nothing_is_touched() {
    let (dir, clock, _) = closed();
    let path = dir.path().join("phone.db");
    let connection = super::super::db::connect(&path, &KEY, Mac::Sha256, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    connection.close().unwrap();
    let before = files(dir.path());
    assert!(matches!(Store::open(&options(&path, &clock)), Err(OpenError::NewerSchema { found: 99, .. })));
    assert_eq!(before, files(dir.path()));
}

#[test]
fn a_damaged_file_is_said_and_kept() {
    let (dir, clock, _) = closed();
    let path = dir.path().join("phone.db");
    let whole = fs::read(&path).unwrap();
    let mut scrambled = whole.clone();
    scrambled[20..4096].fill(0xa5);
    for damage in [whole[..whole.len() / 2 + 100].to_vec(), whole[..1000].to_vec(), scrambled, b"this is no database".repeat(40)] {
        fs::write(&path, &damage).unwrap();
        let before = files(dir.path());
        let opened = Store::open(&options(&path, &clock));
        if let Ok(store) = opened {
            // Half of the pages may open; a check finds what is missing, and nothing is thrown away.
            assert!(store.check().is_err());
            continue;
        }
        assert!(matches!(opened, Err(OpenError::Damaged)), "{opened:?}");
        assert_eq!(before, files(dir.path()));
    }
    fs::write(&path, &whole).unwrap();
    Store::open(&options(&path, &clock)).unwrap().check().unwrap();
}

#[test]
fn a_second_opening_is_told_that_the_store_is_open() {
    let phone = Phone::new(2);
    assert!(matches!(Store::open(&options(&phone.path(), &phone.clock)), Err(OpenError::OpenHere)));
}

#[test]
fn nothing_readable_is_in_the_file() {
    let (dir, _, _) = closed();
    for (path, bytes) in files(dir.path()) {
        for secret in ["张三", "13812348000", "民主街", "SQLite format"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret} in {path:?}");
        }
    }
}

#[test]
fn the_same_store_opened_again_keeps_its_incarnation() {
    let phone = Phone::new(3);
    let before = phone.store.incarnation().unwrap();
    let phone = phone.reopen();
    assert_eq!(before, phone.store.incarnation().unwrap());
}

#[test]
fn a_restored_store_takes_a_new_incarnation_before_it_writes() {
    let (dir, clock, _) = closed();
    let path = dir.path().join("phone.db");
    let backup = fs::read(&path).unwrap();
    let store = Store::open(&options(&path, &clock)).unwrap();
    let before = store.incarnation().unwrap();
    drop(store);
    fs::write(&path, &backup).unwrap();
    let store = Store::open(&options(&path, &clock)).unwrap();
    assert_ne!(before, store.incarnation().unwrap());
    assert!(store.status().unwrap().copied);
}

#[test]
fn a_copy_without_its_life_file_takes_a_new_incarnation() {
    let (dir, clock, _) = closed();
    let other = tempfile::tempdir().unwrap();
    fs::copy(dir.path().join("phone.db"), other.path().join("phone.db")).unwrap();
    let original = Store::open(&options(&dir.path().join("phone.db"), &clock)).unwrap();
    let copy = Store::open(&options(&other.path().join("phone.db"), &clock)).unwrap();
    assert_ne!(original.incarnation().unwrap(), copy.incarnation().unwrap());
    assert!(copy.status().unwrap().copied && !original.status().unwrap().copied);
}

/// Version 1 as it was shipped, with pages proved by SHA-512, brought to today, has the schema of a fresh store and keeps its rows.
#[test]
fn the_first_schema_comes_to_todays() {
    let schema = |path: &Path, mac| {
        let connection = super::super::db::connect(path, &KEY, mac, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        let mut statement = connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name").unwrap();
        let rows: Vec<(String, String, String, Option<String>)> =
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap().collect::<Result<_, _>>().unwrap();
        rows
    };
    let dir = tempfile::tempdir().unwrap();
    let (old, fresh) = (dir.path().join("old.db"), dir.path().join("fresh.db"));
    let clock = Clock::new(4);
    let connection =
        super::super::db::connect(&old, &KEY, Mac::Sha512, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_CREATE).unwrap();
    connection.execute_batch(include_str!("../../../../tests/fixtures/store_v1.sql")).unwrap();
    connection.close().unwrap();
    drop(Store::open(&options(&fresh, &clock)).unwrap());
    let store = Store::open(&options(&old, &clock)).unwrap();
    assert_eq!(store.status().unwrap().unsent, 1, "unsent work survives every migration");
    drop(store);
    assert_eq!(schema(&old, Mac::Sha512), schema(&fresh, Mac::Sha256));
}

#[test]
fn an_opening_cut_short_is_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::new(9);
    let path = dir.path().join("phone.db");
    drop(Store::open(&options(&path, &clock)).unwrap());
    // As after a crash between the tables and the first life.
    let connection = super::super::db::connect(&path, &KEY, Mac::Sha256, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    connection.execute_batch("DELETE FROM lives; DELETE FROM meta;").unwrap();
    connection.close().unwrap();
    let store = Store::open(&options(&path, &clock)).unwrap();
    store.incarnation().unwrap();
    store.key_pair().unwrap();
    assert!(!store.status().unwrap().copied);
}

/// Bytes of the phone's log.
fn log(phone: &Phone) -> u64 {
    fs::metadata(phone.path().with_extension("db-wal")).unwrap().len()
}

fn write(phone: &Phone, bytes: u32) {
    let filling = |tx: &rusqlite::Transaction<'_>| {
        tx.execute_batch("CREATE TABLE IF NOT EXISTS filler (body BLOB)")?;
        tx.execute("INSERT INTO filler VALUES (zeroblob(?1))", [bytes])?;
        Ok::<_, StoreError>(())
    };
    phone.store.inner.db.write(filling).unwrap();
}

#[test]
fn the_log_does_not_keep_the_size_that_a_reader_who_stayed_made_it_grow_to() {
    let phone = Phone::new(9);
    let read = |reader: &rusqlite::Connection| {
        reader.query_row("SELECT count(*) FROM own", [], |row| row.get::<_, i64>(0))?;
        write(&phone, 20 << 20);
        Ok::<_, StoreError>(())
    };
    phone.store.inner.db.read(read).unwrap();
    assert!(log(&phone) > 20 << 20);
    // It is moved into the file when the reader has gone, and the next write begins it anew.
    for _ in 0..500 {
        std::thread::sleep(std::time::Duration::from_millis(10));
        write(&phone, 1);
        if log(&phone) <= 16 << 20 {
            return;
        }
    }
    panic!("{} bytes", log(&phone));
}

#[test]
fn a_log_that_a_reader_kept_from_being_emptied_is_emptied_later() {
    let phone = Phone::new(11);
    let db = &phone.store.inner.db;
    let read = |reader: &rusqlite::Connection| {
        reader.query_row("SELECT count(*) FROM own", [], |row| row.get::<_, i64>(0))?;
        write(&phone, 1);
        db.truncate_wal()
    };
    db.read(read).unwrap();
    assert!(db.owes_emptying() && log(&phone) > 0);
    db.truncate_wal().unwrap();
    assert_eq!((db.owes_emptying(), log(&phone)), (false, 0));
}

#[test]
fn the_log_stays_short_under_who_never_pauses_and_goes_when_the_store_closes() {
    let phone = Phone::new(10);
    for _ in 0..100 {
        write(&phone, 1 << 20);
        assert!(log(&phone) < 40 << 20, "{} bytes", log(&phone));
    }
    let Phone { store, dir, .. } = phone;
    drop(store);
    assert!(!dir.path().join("phone.db-wal").exists());
}

#[test]
fn a_lost_store_is_told_from_a_new_one_and_begun_anew_only_when_asked() {
    let (dir, clock, _) = closed();
    let path = dir.path().join("phone.db");
    fs::remove_file(&path).unwrap();
    for empty in [false, true] {
        if empty {
            fs::write(&path, []).unwrap();
        }
        let before = files(dir.path());
        assert!(matches!(Store::open(&options(&path, &clock)), Err(OpenError::Lost)));
        assert_eq!(before, files(dir.path()));
    }
    // What is left of the lost store's log does not come into the new one.
    fs::write(dir.path().join("phone.db-wal"), [7; 5_000]).unwrap();
    let anew = OpenOptions { start_anew: true, ..options(&path, &clock) };
    let store = Store::open(&anew).unwrap();
    assert!(!store.status().unwrap().copied);
    assert_eq!(store.records().unwrap(), []);
    drop(store);
    drop(Store::open(&options(&path, &clock)).unwrap());
    // Where there is a store, it is opened: asking for a new one takes nothing away.
    drop(Store::open(&anew).unwrap());
}

/// A process may end at any time: from its first opening on the file is never empty.
#[test]
fn a_store_that_was_only_just_made_is_not_taken_for_a_lost_one() {
    let phone = Phone::new(9);
    let killed = tempfile::tempdir().unwrap();
    for (path, bytes) in files(phone.dir.path()) {
        fs::write(killed.path().join(path.file_name().unwrap()), bytes).unwrap();
    }
    assert!(fs::metadata(killed.path().join("phone.db")).unwrap().len() > 0);
    drop(Store::open(&options(&killed.path().join("phone.db"), &phone.clock)).unwrap());
}

#[test]
fn a_life_file_that_is_no_file_of_its_own_is_refused() {
    let (dir, clock, _) = closed();
    let path = dir.path().join("phone.db");
    let photo = dir.path().join("photo.jpg");
    fs::write(&photo, [1; 100]).unwrap();
    let folder = dir.path().join("folder");
    fs::create_dir(&folder).unwrap();
    let before = files_only(dir.path());
    for (life, why) in [
        (path.clone(), Unusable::Same),
        (dir.path().join("folder/../phone.db"), Unusable::Same),
        (dir.path().join("phone.db-wal"), Unusable::Same),
        (photo, Unusable::Foreign),
        (folder, Unusable::Folder),
    ] {
        let given = OpenOptions { life: Some(life.clone()), ..options(&path, &clock) };
        let opened = Store::open(&given).map(drop);
        assert!(matches!(opened, Err(OpenError::Unusable(Given::Life, found)) if found == why), "{life:?}: {opened:?}");
    }
    assert_eq!(before, files_only(dir.path()));
    drop(Store::open(&options(&path, &clock)).unwrap());
}

#[test]
fn a_path_that_cannot_be_a_store_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::new(5);
    fs::write(dir.path().join("file"), b"x").unwrap();
    for (path, why) in
        [(dir.path().to_owned(), Unusable::Folder), (PathBuf::from("/"), Unusable::Folder), (dir.path().join("file/phone.db"), Unusable::NoFolder)]
    {
        let opened = Store::open(&options(&path, &clock)).map(drop);
        assert!(matches!(opened, Err(OpenError::Unusable(Given::Store, found)) if found == why), "{path:?}: {opened:?}");
    }
    // A folder that is missing is made, for the life file as for the store.
    let life = Some(dir.path().join("no backup/phone.life"));
    drop(Store::open(&OpenOptions { life, ..options(&dir.path().join("deep/phone.db"), &clock) }).unwrap());
}

#[cfg(unix)]
#[test]
fn a_store_is_locked_under_every_name_it_has() {
    let phone = Phone::new(6);
    let (linked, hard) = (phone.dir.path().join("linked.db"), phone.dir.path().join("hard.db"));
    std::os::unix::fs::symlink(phone.path(), &linked).unwrap();
    fs::hard_link(phone.path(), &hard).unwrap();
    for name in [&linked, &hard] {
        let life = Some(name.with_extension("own.life"));
        for given in [options(name, &phone.clock), OpenOptions { life, ..options(name, &phone.clock) }] {
            assert!(matches!(Store::open(&given), Err(OpenError::OpenHere)), "{name:?}");
        }
    }
    // By a link it is the same store, with the same life.
    let Phone { store, clock, dir } = phone;
    drop(store);
    let store = Store::open(&options(&linked, &clock)).unwrap();
    assert!(!store.status().unwrap().copied);
    drop((store, dir));
}

/// The files of a folder, without its folders.
fn files_only(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn who_waits_for_a_first_opening_finds_its_store_and_no_loss() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::new(8);
    let path = dir.path().join("phone.db");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| match Store::open(&options(&path, &clock)) {
                Ok(store) => drop(store),
                Err(error) => assert!(matches!(error, OpenError::OpenHere), "{error}"),
            });
        }
    });
}
