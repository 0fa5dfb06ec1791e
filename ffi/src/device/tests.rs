use std::path::Path;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use super::*;
use crate::error::ErrorKind;

fn request(folder: &Path) -> OpenRequest {
    OpenRequest { path: folder.join("phone.db").to_str().unwrap().to_owned(), key: vec![7; 32], life: None, ca_pem: None, start_anew: false }
}

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|FieldgridError::Failed { kind, .. }| kind)
}

/// Begins, as a caller does who is cancelled then.
fn begun_and_dropped(work: impl Future) {
    assert!(pin!(work).poll(&mut Context::from_waker(Waker::noop())).is_pending(), "nothing is done on the thread that polls");
}

async fn eventually(what: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !what() {
        assert!(Instant::now() < end);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_cancelled_caller_leaves_nothing_half_done() {
    let folder = tempfile::tempdir().unwrap();
    let (done, heard) = std::sync::mpsc::channel();
    begun_and_dropped(blocking(move || {
        std::thread::sleep(Duration::from_millis(50));
        done.send(()).unwrap();
        Ok(())
    }));
    heard.recv_timeout(Duration::from_secs(10)).expect("it went on to its end");

    // An opening: the store is made, and nobody is left with it.
    begun_and_dropped(open_device(request(folder.path())));
    eventually(|| folder.path().join("phone.life").exists()).await;
    let device = open_device(request(folder.path())).await.unwrap();

    // A look: what was found for the caller who has gone is given to the next.
    for found in [false, true] {
        let watch = device.observe_status().unwrap();
        {
            let mut next = pin!(watch.next());
            assert!(next.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            if found {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        let given = tokio::time::timeout(Duration::from_secs(10), watch.next()).await.expect("it was not lost");
        assert_eq!(given.unwrap().enrolment, None);
    }

    // A wipe and a closing.
    begun_and_dropped(device.wipe());
    begun_and_dropped(device.shutdown());
    assert_eq!(kind(device.status().await), Some(ErrorKind::Closed));
    open_device(request(folder.path())).await.unwrap();
}

#[tokio::test]
async fn closing_ends_who_watches_and_the_store_is_opened_again_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut idle = Vec::new();
    for _ in 0..10 {
        let device = open_device(request(folder.path())).await.unwrap();
        let (refused, status) = (device.observe_refused().unwrap(), device.observe_status().unwrap());
        refused.next().await.unwrap();
        status.next().await.unwrap();
        idle.push((refused, status));
        let watch = device.observe_status().unwrap();
        watch.next().await.unwrap();
        let watching = tokio::spawn(async move { kind(watch.next().await) });
        device.begin_shutdown();
        device.begin_shutdown();
        let (refused, status) = idle.last().unwrap();
        assert_eq!(kind(refused.next().await), Some(ErrorKind::Closed), "from here on");
        assert_eq!(kind(status.next().await), Some(ErrorKind::Closed));
        assert_eq!(kind(device.names().await), Some(ErrorKind::Closed));
        assert_eq!(kind(device.observe_refused()), Some(ErrorKind::Closed));
        assert_eq!(watching.await.unwrap(), Some(ErrorKind::Closed));
    }
    let device = open_device(request(folder.path())).await.unwrap();
    assert_eq!(kind(open_device(request(folder.path())).await), Some(ErrorKind::InUse), "one that nobody closes stays");
    device.shutdown().await;
    let begun = Instant::now();
    open_device(request(folder.path())).await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(90), "after a shutdown the files are free: {:?}", begun.elapsed());
}
