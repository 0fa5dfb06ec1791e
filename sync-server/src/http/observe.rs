//! Around every request: an id in its logs, its time in the metrics, and a panic becomes an answer.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use fieldgrid_core::wire::error::{ErrorBody, ErrorKind};
use futures_util::FutureExt;
use tracing::Instrument;

use super::Problem;
use crate::telemetry::metrics as m;

/// Numbers requests within this process. Neither addresses nor tokens are logged.
static NEXT: AtomicU64 = AtomicU64::new(1);

pub(super) async fn observe(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let span = tracing::info_span!("request", id = NEXT.fetch_add(1, Ordering::Relaxed), %route);
    async {
        let handled = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        // Where it panicked is logged by the hook in `telemetry`; what it said may name a person and is not.
        let response = handled.unwrap_or_else(|_| Problem::new(ErrorKind::Internal, "the server failed at this request: send it again later").into_response());
        let status = response.status();
        let error = response.extensions().get::<ErrorBody>();
        let (kind, reason) = error.map_or((None, ""), |body| (Some(body.kind), body.reason.as_str()));
        let ms = started.elapsed().as_millis() as u64;
        match (status.as_u16(), kind) {
            (500.., Some(ErrorKind::Busy)) => tracing::warn!(status = status.as_u16(), ms, reason, "turned away"),
            (500.., _) => tracing::error!(status = status.as_u16(), ms, reason, "failed"),
            (400.., _) => tracing::info!(status = status.as_u16(), ms, reason, "refused"),
            _ => tracing::debug!(status = status.as_u16(), ms, "answered"),
        }
        metrics::counter!(m::REQUESTS, "route" => route.clone(), "status" => status.as_u16().to_string()).increment(1);
        metrics::histogram!(m::REQUEST_SECONDS, "route" => route).record(started.elapsed());
        response
    }
    .instrument(span)
    .await
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use fieldgrid_core::wire::frame;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_an_internal_error_that_tells_nothing() {
        let router = Router::new().route("/", get(async || -> &'static str { panic!("张三's record is odd") })).layer(from_fn(observe));
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let framed = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let body: ErrorBody = minicbor::decode(&frame::unwrap(&framed).unwrap()).unwrap();
        assert_eq!(body.kind, ErrorKind::Internal);
        assert!(!body.reason.contains("张三"));
    }
}
