//! What watches the server: health, version, metrics.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fieldgrid_core::domain::id::Hash;
use fieldgrid_core::wire::error::ErrorKind;
use serde::Serialize;

use super::{App, Problem};

/// How long the outcome of a tried write stands for the next.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// What runs here.
#[derive(Debug, Serialize)]
pub(super) struct Version {
    name: &'static str,
    version: &'static str,
    protocol: u8,
}

#[derive(Debug, Serialize)]
struct Health {
    writable: bool,
}

/// 200 while the store takes writes and the server is not stopping; 503 otherwise, so that a balancer looks elsewhere.
pub(super) async fn health(State(app): State<Arc<App>>) -> Response {
    let writable = !*app.closing.borrow() && writable(&app).await;
    let status = if writable { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Health { writable })).into_response()
}

/// Tried once a second at most: everyone may ask, and each try is a commit.
async fn writable(app: &App) -> bool {
    let mut written = app.written.lock().await;
    match *written {
        Some((tried, writable)) if tried.elapsed() < TRY_EVERY => writable,
        _ => {
            let writable = app.town.writable().await;
            *written = Some((Instant::now(), writable));
            writable
        }
    }
}

pub(super) async fn version() -> Json<Version> {
    Json(Version { name: "fieldgrid sync-server", version: env!("CARGO_PKG_VERSION"), protocol: fieldgrid_core::wire::VERSION })
}

pub(super) async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    if let Some(token) = &app.options.metrics_token {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        // By their hashes: comparing these tells nothing about the token by the time it takes.
        if given.map(|given| Hash::of(&[given.as_bytes()])) != Some(Hash::of(&[token.as_bytes()])) {
            return Problem::new(ErrorKind::Unauthenticated, "send the metrics token: Authorization: Bearer").into_response();
        }
    }
    app.load.measure();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], app.metrics.render()).into_response()
}
