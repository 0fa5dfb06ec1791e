//! The life file, which backups do not reach: it tells a restored or copied store from the one that was closed last,
//! a wrong key from a damaged file, and a lost store from a new one. It is also what a store is locked by.

use std::collections::HashSet;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use minicbor::{Decode, Encode};

use super::db;
use super::open::{Given, OpenError, Unusable};
use crate::domain::id::Hash;

/// How long a second opener waits for the first to leave.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);
/// Longest life file; a longer file is somebody else's.
const MAX_BYTES: u64 = 64;

/// What the life file says. Written before the database's own copy of the counter, so a crash between the two looks like a restored store: that costs a
/// new incarnation and nothing else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Life {
    /// Counts openings and sealings.
    #[n(0)]
    counter: u64,
    /// First bytes of a hash of the key.
    #[cbor(n(1), with = "minicbor::bytes")]
    key_check: [u8; 8],
}

/// The open, locked life file.
#[derive(Debug)]
pub(super) struct LifeFile {
    file: File,
    life: Option<Life>,
    key_check: [u8; 8],
    /// Given back after the file's lock.
    _claim: Claim,
}

impl LifeFile {
    /// Opens and locks it, for the store at `store`, which may not be there yet.
    pub(super) fn open(path: &Path, store: &Path, key: &[u8; 32]) -> Result<Self, OpenError> {
        let claim = patiently(|| Claim::take(store).ok_or(OpenError::OpenHere))?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| OpenError::file(Given::Life, &error))?;
        }
        let io = |error: std::io::Error| OpenError::file(Given::Life, &error);
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        if file.metadata().map_err(io)?.len() > MAX_BYTES {
            return Err(OpenError::Unusable(Given::Life, Unusable::Foreign));
        }
        patiently(|| match file.try_lock() {
            Ok(()) => Ok(()),
            Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::Locked),
            Err(std::fs::TryLockError::Error(error)) => Err(io(error)),
        })?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let mut key_check = [0; 8];
        key_check.copy_from_slice(&Hash::of(&[b"fieldgrid store key check\0", key]).0[..8]);
        Ok(Self { file, life: minicbor::decode(&bytes).ok(), key_check, _claim: claim })
    }

    /// What it counted when the store was closed last; none when there was none.
    pub(super) fn counter(&self) -> Option<u64> {
        self.life.map(|life| life.counter)
    }

    /// Whether the key is that of the last opening; none when there was none.
    pub(super) fn key_fits(&self) -> Option<bool> {
        self.life.map(|life| life.key_check == self.key_check)
    }

    /// The store's file is there by now: no other name of it opens it again.
    pub(super) fn created(&mut self, store: &Path) {
        self._claim.extend(store);
    }

    /// Counts on, durably; the database follows in the transaction that called.
    pub(super) fn advance(&mut self) -> Result<u64, std::io::Error> {
        let counter = self.life.unwrap_or_default().counter + 1;
        self.write(counter)?;
        Ok(counter)
    }

    fn write(&mut self, counter: u64) -> Result<(), std::io::Error> {
        let life = Life { counter, key_check: self.key_check };
        let bytes = minicbor::to_vec(life).expect("encoding into memory does not fail");
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&bytes)?;
        self.file.set_len(bytes.len() as u64)?;
        self.file.sync_data()?;
        self.life = Some(life);
        Ok(())
    }
}

/// Tries again as long as somebody else has it open: he may be closing.
fn patiently<T>(mut attempt: impl FnMut() -> Result<T, OpenError>) -> Result<T, OpenError> {
    for _ in 1..TRIES {
        match attempt() {
            Err(OpenError::Locked | OpenError::OpenHere) => std::thread::sleep(PAUSE),
            done => return done,
        }
    }
    attempt()
}

/// The stores that this process has open, by every name that is known of them.
static OPEN: LazyLock<Mutex<HashSet<Name>>> = LazyLock::new(Mutex::default);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Name {
    Path(PathBuf),
    #[cfg(unix)]
    File {
        device: u64,
        inode: u64,
    },
}

/// A store that this process has open.
#[derive(Debug)]
struct Claim(Vec<Name>);

impl Claim {
    /// Takes it, unless this process has it open already.
    fn take(store: &Path) -> Option<Self> {
        let names: Vec<Name> = [Name::Path(store.to_owned())].into_iter().chain(Name::of_file(store)).collect();
        let mut open = db::lock(&OPEN);
        if names.iter().any(|name| open.contains(name)) {
            return None;
        }
        open.extend(names.iter().cloned());
        Some(Self(names))
    }

    fn extend(&mut self, store: &Path) {
        if let Some(name) = Name::of_file(store).filter(|name| !self.0.contains(name)) {
            db::lock(&OPEN).insert(name.clone());
            self.0.push(name);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut open = db::lock(&OPEN);
        for name in &self.0 {
            open.remove(name);
        }
    }
}

impl Name {
    fn of_file(store: &Path) -> Option<Self> {
        Self::of(&std::fs::metadata(store).ok()?)
    }

    #[cfg(unix)]
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere a file has no such name")]
    fn of(file: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        Some(Self::File { device: file.dev(), inode: file.ino() })
    }

    #[cfg(not(unix))]
    const fn of(_: &Metadata) -> Option<Self> {
        None
    }
}
