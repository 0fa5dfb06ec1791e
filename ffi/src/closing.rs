//! Stores that this process is just closing, so that who opens one of them again waits for that instead of finding it in use.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// Longest that anybody waits: an engine that is closed takes some milliseconds, and ten seconds at most.
const LONGEST: Duration = Duration::from_secs(10);

/// What ends with the sender of each is the closing.
static CLOSING: LazyLock<Mutex<HashMap<PathBuf, watch::Receiver<()>>>> = LazyLock::new(Mutex::default);

/// What a store's path is, whatever the folder that the process is in.
pub(crate) fn place(path: &str) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

/// Closes a store in the background.
pub(crate) fn begin(path: PathBuf, close: impl Future<Output = ()> + Send + 'static) {
    let (open, closed) = watch::channel(());
    closings().insert(path.clone(), closed);
    crate::runtime().spawn(async move {
        close.await;
        closings().remove(&path);
        drop(open);
    });
}

/// Returns when the store is no longer being closed.
pub(crate) async fn done(path: &Path) {
    let closing = closings().get(path).cloned();
    if let Some(mut closing) = closing {
        let _ = timeout(LONGEST, closing.changed()).await;
    }
}

fn closings() -> MutexGuard<'static, HashMap<PathBuf, watch::Receiver<()>>> {
    CLOSING.lock().unwrap_or_else(PoisonError::into_inner)
}
