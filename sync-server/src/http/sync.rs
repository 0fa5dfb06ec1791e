//! `POST /v1/sync` and `POST /v1/enrol`: framed bytes in, framed bytes out.

use std::future::Future;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use fieldgrid_core::wire::error::{ErrorBody, ErrorKind};
use fieldgrid_core::wire::frame;
use tokio::time::timeout;

use super::{App, Problem, busy};
use crate::telemetry::metrics as m;

pub(super) async fn sync(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    answer(&app, request, async |framed| app.town.sync(framed).await).await
}

pub(super) async fn enrol(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    if let Err(retry_after_s) = app.attempt(&request) {
        let reason = "too many attempts to enrol from this address: wait, and check the code with the centre".to_owned();
        return Err(Problem(ErrorBody { kind: ErrorKind::TooOften, reason, retry_after_s: Some(retry_after_s) }));
    }
    answer(&app, request, async |framed| app.town.enrol(&framed).await).await
}

/// The answer carries status line and length, nothing else: an idle sync is to stay under 240 bytes both ways.
async fn answer<F, A>(app: &App, request: Request, ask: F) -> Result<Response, Problem>
where
    F: FnOnce(Vec<u8>) -> A,
    A: Future<Output = Result<Vec<u8>, ErrorBody>>,
{
    let mut held = app.load.read(request).await?;
    let _turn = app.load.turn().await?;
    held.unwraps_to(frame::plain_len(&held.bytes))?;
    metrics::counter!(m::BODY_BYTES, "direction" => "in").increment(held.bytes.len() as u64);
    let framed = std::mem::take(&mut held.bytes);
    let answer = timeout(app.options.limits.answer_within, ask(framed)).await;
    let bytes = answer.map_err(|_| busy("this took too long: send the same request again", 30))??;
    metrics::counter!(m::BODY_BYTES, "direction" => "out").increment(bytes.len() as u64);
    Ok(Response::new(Body::from(bytes)))
}
