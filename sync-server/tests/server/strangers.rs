//! A crowd that anyone can raise: hundreds of bodies that come slowly, from nobody that the server knows.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use fieldgrid_core::device::Device;
use fieldgrid_core::device::sync::WaitReason;
use fieldgrid_core::domain::id::Hash;
use fieldgrid_core::wire::enrol::Invite;
use fieldgrid_core::wire::sync::{Authenticate, Request, StateHash, Token};
use fieldgrid_core::wire::{frame, limits::MAX_BODY};
use tempfile::TempDir;

use crate::engine::{lamp_out, phone};
use crate::process::{Server, lines, run};

const GRID: &str = "610702001001001";

fn invite(data: &TempDir, server: &Server) -> Invite {
    let line = ["invite", "--role", "grid_member", "--scope", GRID, "--public-url", &format!("http://{}", server.address), "--json"];
    let said: serde_json::Value = serde_json::from_str(&lines(&run(data.path(), &line))[0]).unwrap();
    said["invite"].as_str().unwrap().parse().unwrap()
}

/// Begins a body of which the end does not come.
fn begin(server: &Server, length: usize, body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    write!(stream, "POST /v1/sync HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n").unwrap();
    // Who is turned away may find the line closed.
    let _ = stream.write_all(body);
    stream
}

/// The sum of a metric's values whose line begins so.
fn metric(server: &Server, name: &str) -> f64 {
    let metrics = server.get("/metrics");
    metrics.lines().filter_map(|line| line.strip_prefix(name)?.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// Waits until nobody more of a crowd is turned away.
fn until_full(server: &Server) {
    let mut turned_away = 0.0;
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(300));
        let now = metric(server, "fieldgrid_requests_shed_total");
        if now > 0.0 && now == turned_away {
            return;
        }
        turned_away = now;
    }
    panic!("{turned_away} were turned away, and more are");
}

/// Reports that hardly compress: more than what counts as here at once.
fn work(device: &Device) {
    for n in 0..250_u32 {
        device.report(lamp_out(format!("路灯不亮 {}", Hash::of(&[&n.to_be_bytes()])))).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_strangers_that_trickle_keeps_no_phone_out() {
    let data = tempfile::tempdir().unwrap();
    lines(&run(data.path(), &["import-divisions", "--builtin", "hanzhong"]));
    lines(&run(data.path(), &["grids", "create", "610702001001", "--count", "1"]));
    let server = Server::start(data.path(), &["--body-memory", "32"]);
    let (with_session, without) = (phone(&data, 1), phone(&data, 2));
    for device in [&with_session, &without] {
        device.enrol(&invite(&data, &server)).await.unwrap();
    }
    assert_eq!(with_session.sync_now().await.unwrap().wait, None);
    work(&with_session);
    work(&without);

    // More than all of the memory, in the largest bodies and in small ones: signed as it seems, compressed, and by a token that nobody gave out.
    let request = Request { nonce: 1, state_hash: StateHash([0; 16]), state: None, batches: Vec::new(), offers: Vec::new(), shown: None };
    let forged = frame::plain(&request.to_bytes(&Authenticate::Token(Token([7; 16]))));
    let mut crowd = Vec::new();
    for (times, length) in [(12, MAX_BODY), (40, 900 << 10), (100, 60 << 10), (150, 9 << 10)] {
        for n in 0..times {
            let mut body = vec![u8::from(n % 4 == 0); length - 1];
            if n % 4 == 1 {
                body[..forged.len()].copy_from_slice(&forged);
            }
            crowd.push(begin(&server, length, &body));
        }
        until_full(&server);
    }
    let pushed = with_session.sync_now().await.unwrap();
    assert_eq!((pushed.wait, pushed.refused), (None, 0), "{pushed:?}");
    assert!(pushed.receipts > 0);
    let strangers = metric(&server, "fieldgrid_body_memory_bytes{of=\"strangers\"}");
    assert!((4.0..=8.0).contains(&(strangers / f64::from(1 << 20))), "{strangers} bytes for strangers");
    assert_eq!(metric(&server, "fieldgrid_body_memory_bytes{of=\"bodies\"}"), strangers, "and nothing for the rest of the crowd");

    // Who has a session to open is told to come back with all his work, comes with nothing, and then with all of it.
    let turned_away = without.sync_now().await.unwrap();
    assert_eq!(turned_away.wait.map(|wait| wait.reason), Some(WaitReason::ServerBusy), "{turned_away:?}");
    let opened = without.sync_now().await.unwrap();
    assert_eq!((opened.wait, opened.refused), (None, 0), "{opened:?}");
    assert!(opened.receipts > 0);
    // And who joins just now.
    let joined = phone(&data, 3);
    joined.enrol(&invite(&data, &server)).await.unwrap();
    assert_eq!(joined.sync_now().await.unwrap().wait, None);
    drop(crowd);
}
