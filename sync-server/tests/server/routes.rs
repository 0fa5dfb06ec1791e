//! What each route answers, and how errors look.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use fieldgrid_core::wire::error::{ErrorBody, ErrorKind};
use fieldgrid_core::wire::frame;
use fieldgrid_core::wire::limits::{MAX_BODY, MAX_ENROL};
use futures_util::stream;
use sync_server::console::{self, Console, Lock};
use sync_server::http::{Limits, Options, Problem};
use tower::ServiceExt;

use crate::desk::Desk;

#[tokio::test]
async fn what_is_not_there_is_a_framed_error_too() {
    let desk = Desk::open(Options::default());
    let shown = [
        desk.get("/v1/nothing").await.shown(),
        desk.get("/v1/sync").await.shown(),
        desk.post("/v1/sync", "not a frame").await.shown(),
        desk.post("/v1/enrol", frame::wrap(b"not a request", 3)).await.shown(),
        desk.get("/v1/events").await.shown(),
        desk.get("/v1/packs/x/y").await.shown(),
    ];
    insta::assert_snapshot!(shown.join("\n\n"));
}

#[tokio::test]
async fn every_kind_of_error_travels_under_its_status() {
    use axum::response::IntoResponse;
    for kind in ErrorKind::ALL {
        let body = ErrorBody { kind: *kind, reason: "because".to_owned(), retry_after_s: (kind.status() == 503).then_some(7) };
        let response = Problem(body.clone()).into_response();
        assert_eq!(response.status().as_u16(), kind.status());
        assert_eq!(response.headers().get("retry-after").map(|value| value.to_str().unwrap()), (kind.status() == 503).then_some("7"));
        assert!(response.headers().get("content-type").is_none());
        let framed = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
        assert_eq!(minicbor::decode::<ErrorBody>(&frame::unwrap(&framed).unwrap()).unwrap(), body);
    }
}

#[tokio::test]
async fn health_and_version_say_what_runs() {
    let desk = Desk::open(Options::default());
    let health = desk.get("/v1/health").await;
    assert_eq!((health.status, health.body.as_slice()), (StatusCode::OK, br#"{"writable":true}"#.as_slice()));
    let version: serde_json::Value = serde_json::from_slice(&desk.get("/v1/version").await.body).unwrap();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(version["protocol"], fieldgrid_core::wire::VERSION);
}

#[tokio::test]
async fn metrics_count_requests_by_route_and_can_ask_for_a_token() {
    let desk = Desk::open(Options { metrics_token: Some("hush".to_owned()), ..Options::default() });
    desk.get("/v1/version").await;
    assert_eq!(desk.get("/metrics").await.error().kind, ErrorKind::Unauthenticated);
    let request = Request::get("/metrics").header("authorization", "Bearer hush").body(Body::empty()).unwrap();
    let answer = desk.ask(request).await;
    let text = String::from_utf8(answer.body).unwrap();
    assert!(text.contains("fieldgrid_requests_total{route=\"/v1/version\",status=\"200\"}"), "{text}");
    assert!(text.contains("fieldgrid_request_seconds_bucket{route=\"/v1/version\",le=\"0.5\"}"), "{text}");
    assert!(text.contains("# HELP fieldgrid_requests_total"), "{text}");
}

#[tokio::test]
async fn a_body_past_the_limit_is_refused_before_it_is_read() {
    let desk = Desk::open(Options::default());
    // Would panic if a byte of it were asked for.
    let unread = Body::from_stream(stream::poll_fn(|_| -> std::task::Poll<Option<Result<Bytes, std::io::Error>>> { panic!("read") }));
    let request = Request::post("/v1/sync").header("content-length", MAX_BODY + 1).body(unread).unwrap();
    assert_eq!(desk.ask(request).await.error().kind, ErrorKind::TooLarge);

    // One that does not say how long it is, is cut off at the limit.
    let pulled = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&pulled);
    let endless = Body::from_stream(stream::repeat_with(move || {
        counted.fetch_add(1 << 20, std::sync::atomic::Ordering::Relaxed);
        Ok::<_, std::io::Error>(Bytes::from(vec![0; 1 << 20]))
    }));
    assert_eq!(desk.post("/v1/sync", endless).await.error().kind, ErrorKind::TooLarge);
    assert!(pulled.load(std::sync::atomic::Ordering::Relaxed) <= MAX_BODY + (1 << 20));
}

#[tokio::test]
async fn a_request_to_enrol_is_short_and_unpacks_to_little() {
    let desk = Desk::open(Options::default());
    let kind = async |body: Vec<u8>| {
        let request = Request::post("/v1/enrol").header("content-length", body.len()).body(Body::from(body)).unwrap();
        desk.ask(request).await.error().kind
    };
    assert_eq!(kind(frame::plain(&[0; MAX_ENROL - 1])).await, ErrorKind::Malformed);
    assert_eq!(kind(frame::plain(&[0; MAX_ENROL])).await, ErrorKind::TooLarge);
    assert_eq!(kind(frame::wrap(&[0; MAX_ENROL + 1], 3)).await, ErrorKind::TooLarge);
}

#[tokio::test]
async fn a_body_that_breaks_off_changes_nothing() {
    let desk = Desk::open(Options::default());
    let broken = Body::from_stream(stream::iter([Ok(Bytes::from_static(b"\0abc")), Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))]));
    assert_eq!(desk.post("/v1/sync", broken).await.error().kind, ErrorKind::Malformed);
}

#[tokio::test]
async fn a_server_without_free_memory_or_turns_says_when_to_come_back() {
    let no_memory = Desk::open(Options { limits: Limits { bodies: 0, ..Limits::default() }, ..Options::default() });
    let no_turns = Desk::open(Options { limits: Limits { in_flight: 0, patience: Duration::from_millis(20), ..Limits::default() }, ..Options::default() });
    for desk in [no_memory, no_turns] {
        let answer = desk.post("/v1/sync", "x").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        let error = answer.error();
        assert_eq!(error.kind, ErrorKind::Busy);
        let wait = error.retry_after_s.unwrap();
        assert!((5..25).contains(&wait), "{wait}");
        assert_eq!(answer.headers["retry-after"], wait.to_string());
    }
}

#[tokio::test]
async fn guessing_enrolment_codes_is_slowed_by_address() {
    let limits = Limits { enrolments_a_minute: 2, ..Limits::default() };
    let attempt = |peer: &str, forwarded: &str| {
        let peer: SocketAddr = peer.parse().unwrap();
        Request::post("/v1/enrol").header("x-forwarded-for", forwarded).extension(ConnectInfo(peer)).body(Body::from("x")).unwrap()
    };
    let open = Desk::open(Options { limits: limits.clone(), ..Options::default() });
    let proxied = Desk::open(Options { limits, behind_proxy: true, ..Options::default() });
    for n in 0..2 {
        // A client's own word on where it comes from counts for nothing, unless a proxy wrote it.
        assert_eq!(open.ask(attempt("192.0.2.1:5", &format!("198.51.100.{n}"))).await.error().kind, ErrorKind::Malformed);
        assert_eq!(proxied.ask(attempt("10.0.0.1:5", "forged, 198.51.100.1")).await.error().kind, ErrorKind::Malformed);
    }
    let slowed = open.ask(attempt("192.0.2.1:6", "198.51.100.9")).await;
    assert_eq!(slowed.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(slowed.headers.contains_key("retry-after"));
    assert_eq!(proxied.ask(attempt("10.0.0.1:5", "198.51.100.1")).await.error().kind, ErrorKind::TooOften);
    assert_eq!(proxied.ask(attempt("10.0.0.1:5", "198.51.100.2")).await.error().kind, ErrorKind::Malformed);
}

#[tokio::test]
async fn guessing_the_consoles_key_is_slowed_by_address() {
    let desk = Desk::open(Options { limits: Limits { enrolments_a_minute: 3, ..Limits::default() }, ..Options::default() });
    let open = |secure| {
        let lock = Lock::new("right".to_owned(), std::sync::Arc::clone(&desk.app), secure);
        console::router(Console { town: std::sync::Arc::clone(&desk.town), lock: Some(lock), phones: None })
    };
    let (plain, tls) = (open(false), open(true));
    let say = async |console: &Router, peer: &str, site: &str, key: &str| {
        let request = Request::post("/console/key").header("content-type", "application/x-www-form-urlencoded").header("sec-fetch-site", site);
        let request = request.extension(ConnectInfo(peer.parse::<SocketAddr>().unwrap())).body(Body::from(format!("key={key}"))).unwrap();
        console.clone().oneshot(request).await.unwrap()
    };
    let cookie = |answer: &axum::response::Response| answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    let opened = say(&plain, "192.0.2.1:5", "same-origin", "right").await;
    assert_eq!(opened.status(), StatusCode::SEE_OTHER);
    assert!(!cookie(&opened).contains("Secure"));
    assert_eq!(say(&plain, "192.0.2.1:6", "cross-site", "right").await.status(), StatusCode::FORBIDDEN, "another site's form");
    for _ in 0..2 {
        assert_eq!(say(&plain, "192.0.2.1:7", "same-origin", "wrong").await.status(), StatusCode::FORBIDDEN);
    }
    let slowed = say(&plain, "192.0.2.1:8", "same-origin", "right").await;
    assert_eq!(slowed.status(), StatusCode::TOO_MANY_REQUESTS, "also the right key: else it would be found all the same");
    assert!(slowed.headers().contains_key("retry-after"));

    let elsewhere = say(&tls, "192.0.2.2:5", "same-origin", "right").await;
    assert!(cookie(&elsewhere).ends_with("; Secure"));
    let visit = async |console: &Router, cookie: &str| {
        let request = Request::get("/console").header("cookie", cookie.split(';').next().unwrap()).body(Body::empty()).unwrap();
        console.clone().oneshot(request).await.unwrap().status()
    };
    assert_eq!(visit(&plain, &cookie(&opened)).await, StatusCode::OK);
    assert_eq!(visit(&plain, &cookie(&elsewhere)).await, StatusCode::UNAUTHORIZED, "another server's session, though its key is the same");
}
