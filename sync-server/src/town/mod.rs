//! The town: store, admission and answers as one thing, for HTTP, the console and the commands.
//!
//! One file each: `keys`, `sync`, `enrol`, `places`, `quarantine`, `console`, `verify`, `backup`,
//! `news`, `witness`.

mod backup;
mod console;
mod enrol;
mod keys;
mod news;
mod places;
mod quarantine;
mod sync;
mod verify;
mod witness;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fieldgrid_core::domain::id::Hash;
use fieldgrid_core::env::Environment;
use fieldgrid_core::wire::enrol::ServerKeys;
use fieldgrid_core::wire::error::{ErrorBody, ErrorKind};
use fieldgrid_core::wire::suite::{KeyPair, Signer};

pub use backup::BackupReport;
pub use console::{CaseDetail, Counts, Latest, Phone};
pub use enrol::{CODE_VALID, InviteCode, InviteOrder};
pub use verify::{Finding, Verified};
pub use witness::WHAT_TO_DO;

pub use crate::admission::{Aside, Decided, Quota};

use crate::admission::{Admission, AdmissionError};
use crate::answer::{PackError, Packs};
use crate::per_device::PerDevice;
use crate::store::sqlite::{OpenError, Sqlite};
use crate::store::{Store, StoreError};
use news::News;

/// The database in the data directory.
const DATABASE: &str = "town.db";
/// The packs in the data directory.
const PACKS: &str = "packs";

/// How a town is run.
#[derive(Debug, Clone)]
pub struct TownOptions {
    /// Gates at once; by default one for each core.
    pub threads: usize,
    /// How long a session lasts.
    pub session: Duration,
    /// How long a grant lasts (`domain.md` §5: 90 days).
    pub grant: Duration,
    /// What each device may bring in an hour.
    pub quota: Quota,
}

impl Default for TownOptions {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(86_400);
        Self { threads: std::thread::available_parallelism().map_or(2, Into::into), session: DAY, grant: DAY * 90, quota: Quota::default() }
    }
}

/// Why something could not be done for the town.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TownError {
    /// The database did not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The data directory cannot be used.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The server's keys are missing or damaged.
    #[error("the server's keys are damaged: restore a backup")]
    Keys,
    /// What was asked does not fit.
    #[error("{0}")]
    Unfit(String),
    /// The copy does not verify.
    #[error("the copy does not verify: {0}; the backup before it is still the last good one")]
    Unverified(String),
}

/// A town's server, without HTTP.
#[derive(Debug)]
pub struct Town {
    options: TownOptions,
    env: Arc<dyn Environment>,
    sqlite: Arc<Sqlite>,
    store: Arc<dyn Store>,
    signer: Arc<KeyPair>,
    keys: ServerKeys,
    admission: Admission,
    packs: Arc<Packs>,
    news: News,
    answering: PerDevice,
}

impl Town {
    /// Opens the data directory, or makes it: database, keys, first epoch.
    ///
    /// # Errors
    /// [`TownError`]; nothing is destroyed.
    pub fn open(data: &Path, options: TownOptions, env: Arc<dyn Environment>) -> Result<Self, TownError> {
        std::fs::create_dir_all(data).map_err(io(data))?;
        let sqlite = Arc::new(Sqlite::open(&data.join(DATABASE))?);
        let store: Arc<dyn Store> = sqlite.clone();
        let (signer, keys) = keys::open(&*store, &*env)?;
        let signer = Arc::new(signer);
        let packs = Packs::open(data.join(PACKS), Arc::clone(&store), Arc::clone(&signer) as Arc<dyn Signer>, Arc::clone(&env)).map_err(io(data))?;
        let admission = Admission::new(Arc::clone(&store), Arc::clone(&env), options.threads, options.quota);
        let packs = Arc::new(packs);
        Ok(Self { options, env, sqlite, store, signer, keys, admission, packs, news: News::default(), answering: PerDevice::default() })
    }

    /// The server's public keys.
    #[must_use]
    pub const fn keys(&self) -> &ServerKeys {
        &self.keys
    }

    /// SHA-256 of the root key: what an invitation pins.
    #[must_use]
    pub fn root(&self) -> Hash {
        Hash::of(&[&self.keys.root.0])
    }

    /// The server's clock, milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.env.wall_ms()
    }

    /// The store, for what compares everything.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Whether the store takes a write just now.
    pub async fn writable(&self) -> bool {
        self.store.write(|_| Ok(())).await.is_ok()
    }

    /// Makes the packs better that were built in a hurry. For idle moments.
    ///
    /// # Errors
    /// [`PackError`].
    pub async fn improve_packs(&self) -> Result<usize, PackError> {
        let packs = Arc::clone(&self.packs);
        tokio::task::spawn_blocking(move || packs.improve()).await.map_err(|_| PackError::Store(StoreError::Closed))?
    }

    /// Waits until what was queued is durable.
    pub async fn close(&self) {
        // The writer works in order: what is queued before this is done when this is.
        drop(self.store.write(|_| Ok(())).await);
    }
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> TownError {
    let path = path.to_owned();
    move |source| TownError::Io { path, source }
}

fn refusal(kind: ErrorKind, reason: &str) -> ErrorBody {
    ErrorBody { kind, reason: reason.to_owned(), retry_after_s: None }
}

fn busy(kind: ErrorKind, reason: &str, retry_after_s: u32) -> ErrorBody {
    ErrorBody { kind, reason: reason.to_owned(), retry_after_s: Some(retry_after_s) }
}

/// What a phone is told when the store fails.
fn failed(error: StoreError) -> ErrorBody {
    match error {
        StoreError::Busy => busy(ErrorKind::Busy, "the server is busy; try again in a moment", 2),
        StoreError::Closed => busy(ErrorKind::Busy, "the server is closing; try again in a minute", 30),
        error => {
            tracing::error!(%error, "the store failed");
            refusal(ErrorKind::Internal, "the server failed; nothing was lost, try again")
        }
    }
}

fn not_admitted(error: AdmissionError) -> ErrorBody {
    match error {
        AdmissionError::Busy => busy(ErrorKind::Busy, "the server is busy; try again in a moment", 2),
        AdmissionError::TooMuch { retry_after_s } => {
            busy(ErrorKind::TooOften, "this device brought more than it may in an hour; the rest waits with it", retry_after_s)
        }
        AdmissionError::Store(error) => failed(error),
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
