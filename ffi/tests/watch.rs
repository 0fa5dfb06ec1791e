//! Observers, for languages whose cancelled tasks go on awaiting.

use std::sync::Arc;
use std::time::Duration;

use fieldgrid_ffi::{ErrorKind, FieldgridError, LogLevel, OpenRequest, observe_log, open_device};
use tokio::time::{sleep, timeout};

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn who_waits_for_a_value_is_let_go_by_cancel_and_by_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db").to_str().unwrap().to_owned();
    let device = open_device(OpenRequest { path, key: vec![1; 32], life: None, ca_pem: None, start_anew: false }).await.unwrap();
    let closed = |ended| matches!(ended, Err(FieldgridError::Failed { kind: ErrorKind::Closed, .. }));
    for by_shutdown in [false, true] {
        let watch = device.observe_status().unwrap();
        watch.next().await.unwrap();
        let waiting = tokio::spawn({
            let watch = Arc::clone(&watch);
            async move { watch.next().await }
        });
        sleep(Duration::from_millis(50)).await;
        assert!(!waiting.is_finished());
        if by_shutdown {
            device.shutdown().await;
        } else {
            watch.cancel();
        }
        assert!(closed(timeout(SOON, waiting).await.unwrap().unwrap()));
        // For good.
        assert!(closed(timeout(SOON, watch.next()).await.unwrap()));
    }
}

#[tokio::test]
async fn who_waits_for_a_line_is_let_go_by_cancel() {
    let log = observe_log(LogLevel::Error);
    let waiting = tokio::spawn({
        let log = Arc::clone(&log);
        async move { log.next().await }
    });
    sleep(Duration::from_millis(50)).await;
    log.cancel();
    assert!(timeout(SOON, waiting).await.unwrap().unwrap().is_none());
}
