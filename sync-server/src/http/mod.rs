//! The routes between phones and the [`Town`]. Thin: bytes in, bytes out, and every wait and every buffer has a bound.
//!
//! | route | for |
//! |---|---|
//! | `POST /v1/sync` | batches up, entries down; framed (`fieldgrid_core::wire`) |
//! | `POST /v1/enrol` | a one-time code becomes a grant; framed |
//! | `GET /v1/packs/{stream}/{sha256}` | an area pack, resumable by `Range`; `Authorization: Bearer` and the session's token in hex |
//! | `GET /v1/events` | server-sent events "something new"; the same token |
//! | `GET /v1/health` | 200 while the store takes writes |
//! | `GET /v1/version` | what runs here |
//! | `GET /metrics` | Prometheus |
//!
//! An error is its status and a framed [`ErrorBody`], whatever the route.

mod events;
mod load;
mod observe;
mod packs;
mod problem;
mod rate;
mod serve;
mod status;
mod sync;
mod tls;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware;
use axum::routing::{get, post};
use fieldgrid_core::wire::error::{ErrorBody, ErrorKind};
use fieldgrid_core::wire::sync::Token;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::watch;

pub use self::problem::Problem;
pub use self::serve::{Running, start};
pub use self::tls::{Tls, TlsError};
use crate::town::Town;

/// Bounds of the HTTP side. What a phone may send in one request is in [`fieldgrid_core::wire::limits`].
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests that the town works on at once.
    pub in_flight: usize,
    /// How long a request whose body is read waits for its turn before it is told to come back.
    pub patience: Duration,
    /// Most bytes of request bodies held at once.
    pub bodies: usize,
    /// How long the town may take over one request.
    pub answer_within: Duration,
    /// Most event streams open at once.
    pub event_streams: usize,
    /// Attempts from one address in a minute to enrol or to open the console: codes and keys are short, so guessing is slowed here.
    pub enrolments_a_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            in_flight: 64,
            patience: Duration::from_secs(5),
            bodies: 256 << 20,
            answer_within: Duration::from_secs(30),
            event_streams: 10_000,
            enrolments_a_minute: 20,
        }
    }
}

/// How the HTTP side is set up.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Bounds.
    pub limits: Limits,
    /// A proxy in front sets `X-Forwarded-For`: its last address counts as the client's for rate limits.
    pub behind_proxy: bool,
    /// `/metrics` asks for this bearer token.
    pub metrics_token: Option<String>,
}

/// What the routes share.
#[derive(Debug)]
pub struct App {
    town: Arc<Town>,
    options: Options,
    load: load::Load,
    streams: Arc<tokio::sync::Semaphore>,
    enrolments: rate::Rate,
    metrics: PrometheusHandle,
    closing: watch::Sender<bool>,
    /// Whether the store took a write, and when that was tried.
    written: tokio::sync::Mutex<Option<(std::time::Instant, bool)>>,
}

impl App {
    /// The routes' state over a town.
    #[must_use]
    pub fn new(town: Arc<Town>, options: Options) -> Arc<Self> {
        Arc::new(Self {
            load: load::Load::new(&options.limits),
            streams: Arc::new(tokio::sync::Semaphore::new(options.limits.event_streams)),
            enrolments: rate::Rate::new(options.limits.enrolments_a_minute),
            metrics: crate::telemetry::metrics::recorder(),
            closing: watch::Sender::new(false),
            town,
            options,
            written: tokio::sync::Mutex::default(),
        })
    }

    /// Counts an attempt to enrol or to open the console. `Err` is the number of seconds until the next is allowed.
    pub(crate) fn attempt(&self, request: &Request) -> Result<(), u32> {
        self.client(request).map_or(Ok(()), |client| self.enrolments.take(client))
    }

    /// The address a request counts against.
    fn client(&self, request: &Request) -> Option<IpAddr> {
        let peer = || request.extensions().get::<ConnectInfo<std::net::SocketAddr>>().map(|info| info.0.ip());
        if self.options.behind_proxy { forwarded_for(request.headers()).or_else(peer) } else { peer() }
    }
}

/// All routes. `/v1` and `/metrics` are taken; the console is merged beside them.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/sync", post(sync::sync))
        .route("/v1/enrol", post(sync::enrol))
        .route("/v1/packs/{stream}/{sha256}", get(packs::pack))
        .route("/v1/events", get(events::events))
        .route("/v1/health", get(status::health))
        .route("/v1/version", get(status::version))
        .route("/metrics", get(status::metrics))
        .fallback(async || Problem::new(ErrorKind::NotFound, "no such path"))
        .method_not_allowed_fallback(async |method: Method| {
            (StatusCode::METHOD_NOT_ALLOWED, Problem::new(ErrorKind::Malformed, format!("{method} is not answered on this path")))
        })
        .layer(middleware::from_fn(observe::observe))
        .with_state(app)
}

/// The last hop's word: earlier addresses in the header are whatever the client wrote.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

/// The session's token from `Authorization: Bearer <32 hex digits>`.
fn bearer(headers: &HeaderMap) -> Result<Token, Problem> {
    let read = || {
        let hex = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?.trim();
        let mut token = [0; 16];
        if hex.len() != 32 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        for (i, byte) in token.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).ok()?;
        }
        Some(Token(token))
    };
    read().ok_or_else(|| Problem::new(ErrorKind::Unauthenticated, "send the session's token: Authorization: Bearer, 32 hex digits"))
}

/// The server has more to do than it can; come back.
fn busy(reason: &str, retry_after_s: u32) -> Problem {
    Problem(ErrorBody { kind: ErrorKind::Busy, reason: reason.to_owned(), retry_after_s: Some(retry_after_s) })
}
