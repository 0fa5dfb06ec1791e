//! Bytes on the socket: TLS, stopping, and what an answer weighs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::routing::get;
use fieldgrid_core::device::transport::{HttpTransport, Transport, TransportError};
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::id::{Hash, StreamId};
use fieldgrid_core::wire::error::ErrorKind;
use fieldgrid_core::wire::sync::Token;
use sync_server::http::{self, Limits, Options, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::desk::Desk;
use crate::phone::Phone;

fn any() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Sends a request, and reads the answer's head and body as they came.
async fn exchange(stream: &mut TcpStream, request: &[u8]) -> (String, Vec<u8>) {
    stream.write_all(request).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    (head, body)
}

/// Passes bytes on to `address` and counts them, both ways.
async fn counting(address: SocketAddr) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind(any()).await.unwrap();
    let here = listener.local_addr().unwrap();
    let counted = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&counted);
    tokio::spawn(async move {
        while let Ok((phone, _)) = listener.accept().await {
            let server = TcpStream::connect(address).await.unwrap();
            let ((phone_in, phone_out), (server_in, server_out)) = (phone.into_split(), server.into_split());
            tokio::spawn(pass(phone_in, server_out, Arc::clone(&count)));
            tokio::spawn(pass(server_in, phone_out, Arc::clone(&count)));
        }
    });
    (here, counted)
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, count: Arc<AtomicU64>) {
    let mut bytes = [0; 4096];
    while let Ok(got @ 1..) = from.read(&mut bytes).await {
        count.fetch_add(got as u64, Ordering::Relaxed);
        to.write_all(&bytes[..got]).await.unwrap();
    }
}

#[tokio::test]
async fn nothing_new_costs_one_round_trip_and_at_most_240_bytes() {
    let desk = Desk::open(Options::default()).with_a_grid().await;
    let running = http::start(Arc::clone(&desk.app), desk.router(), any(), None).unwrap();
    let (address, counted) = counting(running.address).await;
    let url = format!("http://{address}");
    let transport = HttpTransport::new(&url, None).unwrap();
    let mut phone = Phone::enrol(&transport, &desk.invite(Role::GridMember, &url).await, 1).await;
    phone.sync(&transport).await;
    let before = counted.load(Ordering::Relaxed);
    let (_, requests) = phone.sync(&transport).await;
    let bytes = counted.load(Ordering::Relaxed) - before;
    assert_eq!(requests, 1);
    assert!(bytes <= 240, "{bytes} bytes");
    println!("idle: {bytes} bytes");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn an_answer_carries_its_status_and_length_and_nothing_else() {
    let desk = Desk::open(Options::default());
    let running = http::start(Arc::clone(&desk.app), desk.router(), any(), None).unwrap();
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let (head, body) = exchange(&mut stream, b"POST /v1/sync HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx").await;
    assert_eq!(head, format!("HTTP/1.1 400 Bad Request\r\ncontent-length: {}\r\n\r\n", body.len()));
    running.stop().await.unwrap();
}

#[tokio::test]
async fn http_2_is_not_spoken() {
    let desk = Desk::open(Options::default());
    let running = http::start(Arc::clone(&desk.app), desk.router(), any(), None).unwrap();
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    // A server that spoke it would send its settings at once.
    let mut answer = [0; 64];
    let read = timeout(Duration::from_secs(1), stream.read(&mut answer)).await.map_or(0, |read| read.unwrap_or(0));
    assert!(read == 0 || answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
    drop(stream);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_phone_trusts_the_certificate_it_was_given_and_the_renewed_one_only_after_a_reload() {
    let desk = Desk::open(Options::default());
    let make = || Tls::self_signed(desk.dir.path(), vec!["127.0.0.1".to_owned()]).unwrap();
    let tls = make();
    assert_eq!(make(), tls);
    let config = tls.load().await.unwrap();
    let running = http::start(Arc::clone(&desk.app), desk.router(), any(), Some(config.clone())).unwrap();
    let url = format!("https://{}", running.address);
    let ask = async |trusted: &[u8]| HttpTransport::new(&url, Some(trusted)).unwrap().sync(b"not a frame".to_vec()).await.unwrap_err();
    let reached = |error: &TransportError| matches!(error, TransportError::Refused(body) if body.kind == ErrorKind::Malformed);

    let first = std::fs::read(&tls.certificate).unwrap();
    assert!(reached(&ask(&first).await));
    std::fs::remove_file(&tls.key).unwrap();
    assert!(tls.reload(&config).await.unwrap_err().to_string().contains("self-signed.key.pem"));
    assert!(reached(&ask(&first).await), "files that do not fit leave the old certificate in use");

    make();
    tls.reload(&config).await.unwrap();
    assert_eq!(config.get_inner().alpn_protocols, [b"http/1.1"]);
    assert_eq!(ask(&first).await, TransportError::Untrusted);
    assert!(reached(&ask(&std::fs::read(&tls.certificate).unwrap()).await));
    running.stop().await.unwrap();
}

#[test]
fn the_key_made_here_is_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let tls = Tls::self_signed(dir.path(), vec!["localhost".to_owned()]).unwrap();
    assert_eq!(std::fs::metadata(&tls.key).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn stopping_finishes_what_is_in_flight_and_takes_nothing_new() {
    let desk = Desk::open(Options::default());
    let slow = get(async || {
        tokio::time::sleep(Duration::from_millis(300)).await;
        "done"
    });
    let running = http::start(Arc::clone(&desk.app), desk.router().route("/slow", slow), any(), None).unwrap();
    let address = running.address;
    let in_flight = tokio::spawn(async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        exchange(&mut stream, b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    running.stop().await.unwrap();
    assert_eq!(in_flight.await.unwrap().1, b"done");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn event_streams_tell_at_once_and_at_news_and_end_when_the_server_stops() {
    let desk = Desk::open(Options::default()).with_a_grid().await;
    let running = http::start(Arc::clone(&desk.app), desk.router(), any(), None).unwrap();
    let url = format!("http://{}", running.address);
    let transport = HttpTransport::new(&url, None).unwrap();
    let mut phone = Phone::enrol(&transport, &desk.invite(Role::GridMember, &url).await, 1).await;
    phone.sync(&transport).await;
    let mut news = transport.news(phone.token.unwrap()).await.unwrap();
    news.next().await.unwrap();
    // The village gets another grid: reference data for the whole town, which this phone reads.
    let grow = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        desk.town.create_grids("610702001001".parse().unwrap(), 2).await.unwrap();
    };
    let (told, ()) = tokio::join!(timeout(Duration::from_secs(5), news.next()), grow);
    told.expect("news within five seconds").unwrap();
    let (ended, stopped) = tokio::join!(timeout(Duration::from_secs(5), news.next()), running.stop());
    assert_eq!(ended.expect("the stream ends with the server").unwrap_err(), TransportError::NoNetwork);
    stopped.unwrap();
}

#[tokio::test]
async fn the_connection_of_an_event_stream_ends_with_it() {
    let desk = Desk::open(Options::default()).with_a_grid().await;
    let running = http::start(Arc::clone(&desk.app), desk.router(), any(), None).unwrap();
    let url = format!("http://{}", running.address);
    let transport = HttpTransport::new(&url, None).unwrap();
    let mut phone = Phone::enrol(&transport, &desk.invite(Role::GridMember, &url).await, 1).await;
    phone.sync(&transport).await;
    let token = phone.token.unwrap();
    let mut raw = TcpStream::connect(running.address).await.unwrap();
    let hex: String = token.0.iter().map(|byte| format!("{byte:02x}")).collect();
    raw.write_all(format!("GET /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {hex}\r\n\r\n").as_bytes()).await.unwrap();
    raw.read_u8().await.unwrap();
    // The third takes the first one's place.
    let (mut second, mut third) = (transport.news(token).await.unwrap(), transport.news(token).await.unwrap());
    second.next().await.unwrap();
    third.next().await.unwrap();
    timeout(Duration::from_secs(5), raw.read_to_end(&mut Vec::new())).await.expect("its connection ends too").unwrap();
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_device_has_two_event_streams_and_the_newest_takes_the_oldest_ones_place() {
    let limits = Limits { event_streams: 3, ..Limits::default() };
    let desk = Desk::open(Options { limits, ..Options::default() }).with_a_grid().await;
    let running = http::start(Arc::clone(&desk.app), desk.router(), any(), None).unwrap();
    let url = format!("http://{}", running.address);
    let transport = HttpTransport::new(&url, None).unwrap();
    let mut tokens = Vec::new();
    for n in 1..=2 {
        let mut phone = Phone::enrol(&transport, &desk.invite(Role::GridMember, &url).await, n).await;
        phone.sync(&transport).await;
        tokens.push(phone.token.unwrap());
    }
    let mut streams = Vec::new();
    for n in 0..20 {
        let mut stream = transport.news(tokens[0]).await.unwrap();
        stream.next().await.unwrap();
        streams.push(stream);
        if n >= 2 {
            let ended = timeout(Duration::from_secs(5), streams[n - 2].next()).await.expect("the oldest ends");
            assert_eq!(ended.unwrap_err(), TransportError::NoNetwork);
        }
    }
    transport.news(tokens[1]).await.expect("the other phone's place is free").next().await.unwrap();
    desk.town.create_grids("610702001001".parse().unwrap(), 2).await.unwrap();
    for stream in &mut streams[18..] {
        timeout(Duration::from_secs(5), stream.next()).await.expect("the two newest hear").unwrap();
    }
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_token_nobody_gave_out_opens_nothing() {
    let desk = Desk::open(Options::default()).with_a_grid().await;
    let running = http::start(Arc::clone(&desk.app), desk.router(), any(), None).unwrap();
    let transport = HttpTransport::new(&format!("http://{}", running.address), None).unwrap();
    let refused = |error: Option<TransportError>| matches!(error, Some(TransportError::Refused(body)) if body.kind == ErrorKind::Unauthenticated);
    assert!(refused(transport.news(Token([7; 16])).await.err()));
    let stream = StreamId::from_bytes([1; 16]);
    assert!(refused(transport.pack(Token([7; 16]), stream, Hash::of(&[b"pack"]), 0, &|_| ()).await.broke));
    running.stop().await.unwrap();
}
