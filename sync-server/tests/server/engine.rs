//! The phone's engine against the server's routes, over real sockets.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use fieldgrid_core::device::store::OpenOptions;
use fieldgrid_core::device::{Device, DeviceOptions};
use fieldgrid_core::domain::action::{Fields, Place};
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::env::System;
use sync_server::http::{self, Options};
use tempfile::TempDir;
use tokio::runtime::Handle;

use crate::desk::Desk;

pub fn phone(dir: &TempDir, n: u8) -> Device {
    let store = OpenOptions::new(dir.path().join(format!("phone-{n}.db")), [n; 32], Arc::new(System::new()));
    Device::open(DeviceOptions::new(store), Handle::current()).unwrap()
}

/// A report of a street lamp.
pub fn lamp_out(title: String) -> Fields {
    Fields {
        title: Some(title),
        category: Some("0203".to_owned()),
        place: Some(Place { address: Some("天汉大道".to_owned()), ..Place::default() }),
        grid: Some("610702001001001".parse().unwrap()),
        ..Fields::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_phone_reports_the_next_one_gets_in_a_pack() {
    let desk = Desk::open(Options::default()).with_a_grid().await;
    let running = http::start(Arc::clone(&desk.app), desk.router(), SocketAddr::from(([127, 0, 0, 1], 0)), None).unwrap();
    let url = format!("http://{}", running.address);
    let first = phone(&desk.dir, 1);
    first.enrol(&desk.invite(Role::GridMember, &url).await).await.unwrap();
    first.sync_now().await.unwrap();
    for n in 0..60 {
        first.report(lamp_out(format!("路灯不亮 {n}"))).unwrap();
    }
    let pushed = first.sync_now().await.unwrap();
    assert_eq!((pushed.wait, pushed.refused), (None, 0), "{pushed:?}");
    assert!(pushed.receipts > 0);

    let second = phone(&desk.dir, 2);
    second.enrol(&desk.invite(Role::GridHead, &url).await).await.unwrap();
    let loaded = second.sync_now().await.unwrap();
    assert_eq!((loaded.wait, loaded.packs), (None, 1), "{loaded:?}");
    let records = |device: &Device| device.records().unwrap().into_iter().map(|(doc, _)| doc).collect::<BTreeSet<_>>();
    assert_eq!(records(&second).len(), 60);
    assert_eq!(records(&second), records(&first));
    for doc in records(&first) {
        assert_eq!(first.automerge_file(doc).unwrap(), second.automerge_file(doc).unwrap(), "both hold the same bytes");
    }

    let metrics = String::from_utf8(desk.get("/metrics").await.body).unwrap();
    let value = |name: &str| metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok()).unwrap_or_default();
    assert!(value("fieldgrid_items_total{outcome=\"accepted\"}") >= 60.0, "{metrics}");
    assert!(value("fieldgrid_gate_seconds_count") >= 60.0, "{metrics}");
    assert!(value("fieldgrid_commit_seconds_count") > 0.0, "{metrics}");
    running.stop().await.unwrap();
}
