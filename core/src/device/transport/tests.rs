use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;

use super::*;
use crate::wire::sync::{Answer, Authenticate, Request, StateHash};

/// A server of bare sockets: it answers each request by a function and keeps the very bytes that came.
struct Server {
    url: String,
    requests: Receiver<Vec<u8>>,
}

/// What the server does with a request.
enum Reply {
    /// Sends these bytes and keeps the connection.
    Send(Vec<u8>),
    /// Sends these bytes and breaks the connection.
    Break(Vec<u8>),
    /// Says nothing for ever.
    Silence,
    /// Sends the first bytes, and then a byte every tenth of a second for ever.
    Drip(Vec<u8>),
}

impl Server {
    fn start(reply: impl Fn(&[u8]) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = channel();
        let reply = Arc::new(reply);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (sender, reply) = (sender.clone(), reply.clone());
                thread::spawn(move || serve(stream, &sender, &*reply));
            }
        });
        Self { url, requests }
    }

    fn transport(&self) -> HttpTransport {
        let patience = Patience { connect: Duration::from_millis(500), quiet: Duration::from_millis(500), slowest: 1_000_000 };
        HttpTransport::with_patience(&self.url, None, patience).unwrap()
    }
}

fn serve(mut stream: TcpStream, requests: &Sender<Vec<u8>>, reply: &dyn Fn(&[u8]) -> Reply) {
    let mut held = Vec::new();
    let mut buffer = [0; 65536];
    loop {
        while let Some(length) = request_length(&held) {
            let request: Vec<u8> = held.drain(..length).collect();
            let reply = reply(&request);
            let _ = requests.send(request);
            match reply {
                Reply::Send(bytes) => stream.write_all(&bytes).unwrap_or_default(),
                Reply::Break(bytes) => {
                    let _ = stream.write_all(&bytes);
                    let _ = stream.shutdown(Shutdown::Both);
                    return;
                }
                Reply::Drip(bytes) => {
                    let _ = stream.write_all(&bytes);
                    while stream.write_all(b"1\r\n.\r\n").is_ok() {
                        thread::sleep(Duration::from_millis(100));
                    }
                }
                Reply::Silence => thread::sleep(Duration::from_secs(30)),
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(n) => held.extend_from_slice(&buffer[..n]),
        }
    }
}

fn request_length(held: &[u8]) -> Option<usize> {
    let head = held.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&held[..head]).unwrap();
    let body = text.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |length| length.parse().unwrap());
    (held.len() >= head + body).then_some(head + body)
}

fn http(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

fn error_body(kind: ErrorKind) -> Vec<u8> {
    frame::wrap(&minicbor::to_vec(ErrorBody { kind, reason: "a reason".into(), retry_after_s: None }).unwrap(), 3)
}

const STREAM: StreamId = StreamId::from_bytes([5; 16]);

#[tokio::test]
async fn an_idle_reconnect_is_at_most_240_bytes_both_ways() {
    let answer = http("200 OK", "", &frame::wrap(&Answer { nonce: 0xdead_beef, now_ms: 1_780_000_000_000, ..Answer::default() }.to_bytes(), 3));
    let answered = answer.len();
    let server = Server::start(move |_| Reply::Send(answer.clone()));
    let transport = server.transport();
    let request = Request { nonce: 0xdead_beef, state_hash: StateHash([7; 16]), state: None, batches: Vec::new(), offers: Vec::new(), shown: None };
    let body = frame::wrap(&request.to_bytes(&Authenticate::Token(Token([9; 16]))), 19);

    for _ in 0..2 {
        let framed = transport.sync(body.clone()).await.unwrap();
        assert_eq!(Answer::from_bytes(&frame::unwrap(&framed).unwrap()).unwrap().nonce, 0xdead_beef);
        let sent = server.requests.recv().unwrap();
        let head = String::from_utf8_lossy(&sent[..sent.len() - body.len()]).into_owned();
        println!("idle reconnect: {} bytes sent (body {}), {answered} received, {} both ways\n{head}", sent.len(), body.len(), sent.len() + answered);
        let headers: Vec<_> = head.lines().skip(1).filter_map(|line| line.split_once(':')).map(|(name, _)| name.to_owned()).collect();
        assert_eq!(headers, ["accept", "host", "content-length"]);
        assert!(sent.len() + answered <= 240);
    }
}

#[tokio::test]
async fn a_connection_is_kept_and_used_again() {
    let (sender, peers) = channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            sender.send(()).unwrap();
            let (requests, _kept) = channel();
            thread::spawn(move || serve(stream, &requests, &|_| Reply::Send(http("200 OK", "", b"ok"))));
        }
    });
    let transport = HttpTransport::new(&url, None).unwrap();
    for _ in 0..5 {
        assert_eq!(transport.sync(vec![1]).await.unwrap(), b"ok");
    }
    assert_eq!(peers.try_iter().count(), 1);
}

#[tokio::test]
async fn only_a_framed_body_is_the_servers_word() {
    let cases = [
        (http("403 Forbidden", "", &error_body(ErrorKind::Revoked)), Some(ErrorKind::Revoked), None),
        (http("503 Service Unavailable", "retry-after: 17\r\n", &error_body(ErrorKind::Busy)), Some(ErrorKind::Busy), Some(17)),
        (http("429 Too Many Requests", "retry-after: 9\r\n", b"<html>slow down</html>"), Some(ErrorKind::Busy), Some(9)),
    ];
    for (reply, kind, retry) in cases {
        let server = Server::start(move |_| Reply::Send(reply.clone()));
        let Err(TransportError::Refused(body)) = server.transport().sync(vec![1]).await else { panic!("not refused") };
        assert_eq!((Some(body.kind), body.retry_after_s), (kind, retry));
    }
    let long = ErrorBody { kind: ErrorKind::Busy, reason: format!("\u{1b}[2J{}", "x".repeat(2_000)), retry_after_s: None };
    let long = http("503 Service Unavailable", "", &frame::plain(&minicbor::to_vec(&long).unwrap()));
    let server = Server::start(move |_| Reply::Send(long.clone()));
    let Err(TransportError::Refused(body)) = server.transport().sync(vec![1]).await else { panic!("not refused") };
    assert_eq!(body.reason, shown(&format!("[2J{}", "x".repeat(2_000))));
    for status in ["403 Forbidden", "302 Found", "502 Bad Gateway", "511 Network Authentication Required"] {
        let server = Server::start(move |_| Reply::Send(http(status, "location: http://portal.example/\r\n", b"<html>please log in</html>")));
        assert_eq!(server.transport().sync(vec![1]).await, Err(TransportError::Status(status[..3].parse().unwrap())));
    }
}

#[tokio::test]
async fn what_is_too_large_is_not_read() {
    let told = Server::start(|_| Reply::Send(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", MAX_BODY + 1).into_bytes()));
    assert_eq!(told.transport().sync(vec![1]).await, Err(TransportError::TooLarge));
    let untold = Server::start(|_| {
        let chunk = [format!("{:x}\r\n", 1 << 20).as_bytes(), &vec![0; 1 << 20], b"\r\n"].concat();
        Reply::Send([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".as_slice(), &chunk.repeat(5)].concat())
    });
    assert_eq!(untold.transport().sync(vec![1]).await, Err(TransportError::TooLarge));
}

#[tokio::test]
async fn every_wait_has_a_bound() {
    let silent = Server::start(|_| Reply::Silence);
    assert_eq!(silent.transport().sync(vec![1]).await, Err(TransportError::Timeout));
    let stuck = Server::start(|_| Reply::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_vec()));
    assert_eq!(stuck.transport().sync(vec![1]).await, Err(TransportError::Timeout));
    // Not by what the answer may come to: a whole one may take an hour.
    let dripping = Server::start(|_| Reply::Drip(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()));
    let patience = Patience { connect: Duration::from_millis(500), quiet: Duration::from_millis(500), slowest: 1_000 };
    let patient = HttpTransport::with_patience(&dripping.url, None, patience).unwrap();
    assert_eq!(timeout(Duration::from_secs(5), patient.sync(vec![1])).await, Ok(Err(TransportError::Timeout)));
    let broken = Server::start(|_| Reply::Break(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_vec()));
    assert_eq!(broken.transport().sync(vec![1]).await, Err(TransportError::NoNetwork));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(HttpTransport::new(&format!("http://{closed}"), None).unwrap().sync(vec![1]).await, Err(TransportError::NoNetwork));
}

#[tokio::test]
async fn a_pack_comes_in_parts_and_what_came_is_kept() {
    let file: Vec<u8> = (0..5000_u32).map(|n| n as u8).collect();
    let whole = file.clone();
    let server = Server::start(move |request| {
        let text = String::from_utf8_lossy(request);
        let from: usize = text.split_once("bytes=").and_then(|(_, range)| range.split_once('-')?.0.parse().ok()).unwrap();
        let head = format!("HTTP/1.1 206 Partial Content\r\ncontent-range: bytes {from}-4999/5000\r\ncontent-length: {}\r\n\r\n", 5000 - from);
        let until = if from == 0 { 1234 } else { 5000 };
        let bytes = [head.as_bytes(), &whole[from..until]].concat();
        if from == 0 { Reply::Break(bytes) } else { Reply::Send(bytes) }
    });
    let transport = server.transport();
    let first = transport.pack(Token([0xab; 16]), STREAM, Hash::ZERO, 0, &|_| ()).await;
    assert_eq!((first.bytes.as_slice(), first.total, first.broke), (&file[..1234], Some(5000), Some(TransportError::NoNetwork)));
    let rest = transport.pack(Token([0xab; 16]), STREAM, Hash::ZERO, 1234, &|_| ()).await;
    assert_eq!((rest.bytes.as_slice(), rest.total, rest.broke), (&file[1234..], Some(5000), None));
    let request = String::from_utf8(server.requests.recv().unwrap()).unwrap();
    assert!(request.starts_with(&format!("GET /v1/packs/{STREAM}/{} HTTP/1.1\r\n", Hash::ZERO)), "{request}");
    assert!(request.contains(&format!("authorization: Bearer {}\r\n", "ab".repeat(16))), "{request}");
}

#[tokio::test]
async fn a_server_without_ranges_costs_bytes_and_nothing_else() {
    let server = Server::start(|_| Reply::Send(http("200 OK", "", b"0123456789")));
    let arrived = std::sync::Mutex::new(Vec::new());
    let part = server.transport().pack(Token([1; 16]), STREAM, Hash::ZERO, 4, &|piece| arrived.lock().unwrap().extend_from_slice(piece)).await;
    assert_eq!((part.bytes.as_slice(), part.total, part.broke), (b"456789".as_slice(), Some(10), None));
    assert_eq!(*arrived.lock().unwrap(), b"456789", "what is skipped is not shown either");
}

#[tokio::test]
async fn news_are_events_with_data_and_not_comments() {
    let server = Server::start(|_| {
        let events = ": here\n\ndata: 1\n\n: still here\n\nevent: new\r\ndata: 2\r\n\r\n";
        Reply::Break(format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{events}").into_bytes())
    });
    let mut news = server.transport().news(Token([1; 16])).await.unwrap();
    // Both events may come in one read, which is one look.
    assert_eq!(news.next().await, Ok(()));
    let mut heard = 1;
    while news.next().await.is_ok() {
        heard += 1;
    }
    assert!(heard <= 2);
    let refusing = Server::start(|_| Reply::Send(http("401 Unauthorized", "", &error_body(ErrorKind::Unauthenticated))));
    assert!(matches!(refusing.transport().news(Token([1; 16])).await, Err(TransportError::Refused(_))));
}

/// A TLS server with a certificate of this CA that holds until this year.
fn tls_server(ca: &CertifiedIssuer<'_, KeyPair>, until: i32) -> String {
    let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2000, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, ca).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut tls = rustls::StreamOwned::new(rustls::ServerConnection::new(config.clone()).unwrap(), stream);
            let (mut held, mut buffer) = (Vec::new(), [0; 4096]);
            while let Ok(n @ 1..) = tls.read(&mut buffer) {
                held.extend_from_slice(&buffer[..n]);
                if request_length(&held).is_some() {
                    let _ = tls.write_all(&http("200 OK", "", b"ok"));
                    held.clear();
                }
            }
        }
    });
    url
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

#[tokio::test]
async fn a_private_ca_is_trusted_and_a_wrong_clock_is_told_from_a_wrong_server() {
    let (ours, theirs) = (authority(), authority());
    let ask = async |url: &str, trusted: &str| HttpTransport::new(url, Some(trusted.as_bytes())).unwrap().sync(vec![1]).await;
    let (good, expired) = (tls_server(&ours, 4000), tls_server(&ours, 2001));
    assert_eq!(ask(&good, &ours.pem()).await, Ok(b"ok".to_vec()));
    assert_eq!(ask(&good, &theirs.pem()).await, Err(TransportError::Untrusted));
    assert_eq!(HttpTransport::new(&good, None).unwrap().sync(vec![1]).await, Err(TransportError::Untrusted));
    assert_eq!(ask(&expired, &ours.pem()).await, Err(TransportError::Clock));
}

#[test]
fn only_tls_or_this_machine_is_known_to_be_the_server() {
    for (url, known) in [("https://sync.example.cn", true), ("http://127.0.0.1:8080", true), ("http://[::1]:8080", true), ("http://sync.example.cn", false)] {
        assert_eq!(HttpTransport::new(url, None).unwrap().authenticates(), known, "{url}");
    }
}

#[test]
fn a_wrong_address_and_a_wrong_ca_are_told_apart() {
    assert_eq!(HttpTransport::new("ftp://example.cn", None).unwrap_err(), TransportSetupError::Address);
    assert_eq!(HttpTransport::new("sync.example.cn", None).unwrap_err(), TransportSetupError::Address);
    assert_eq!(HttpTransport::new("https://sync.example.cn", Some(b"no pem")).unwrap_err(), TransportSetupError::CertificateAuthority);
    let behind = HttpTransport::new("https://proxy.example.cn/grid", None).unwrap();
    assert_eq!(behind.url("v1/sync").as_str(), "https://proxy.example.cn/grid/v1/sync");
}
