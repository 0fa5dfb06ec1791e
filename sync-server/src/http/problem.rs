//! Errors as answers.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fieldgrid_core::wire::error::{ErrorBody, ErrorKind};
use fieldgrid_core::wire::frame;

/// An [`ErrorBody`] on its way out: the status of its kind, `Retry-After` where it names a time, and the framed body.
#[derive(Debug)]
pub struct Problem(pub ErrorBody);

impl Problem {
    /// A problem that does not say when to try again.
    pub fn new(kind: ErrorKind, reason: impl Into<String>) -> Self {
        Self(ErrorBody { kind, reason: reason.into(), retry_after_s: None })
    }
}

impl From<ErrorBody> for Problem {
    fn from(body: ErrorBody) -> Self {
        Self(body)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self(body) = self;
        let plain = minicbor::to_vec(&body).expect("encoding into memory does not fail");
        let mut response = Response::new(Body::from(frame::wrap(&plain, 3)));
        *response.status_mut() = StatusCode::from_u16(body.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if let Some(seconds) = body.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(body);
        response
    }
}
