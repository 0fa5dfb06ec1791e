//! `POST /v1/sync` and `POST /v1/enrol`: framed bytes in, framed bytes out.

use std::future::Future;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use fieldgrid_core::wire::error::{ErrorBody, ErrorKind};
use fieldgrid_core::wire::frame;
use fieldgrid_core::wire::limits::{MAX_BODY, MAX_ENROL};
use fieldgrid_core::wire::sync::opening_token;
use tokio::time::timeout;

use super::load::{Held, too_large};
use super::{App, Problem, busy};
use crate::telemetry::metrics as m;

pub(super) async fn sync(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let sender = async |opening: Bytes| match opening_token(&opening) {
        Some(token) => app.town.holder(token).await.map(Some),
        None => Ok(None),
    };
    let held = app.load.read(request, MAX_BODY, sender).await?;
    answer(&app, held, async |framed| app.town.sync(framed).await).await
}

pub(super) async fn enrol(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    if let Err(retry_after_s) = app.attempt(&request) {
        let reason = "too many attempts to enrol from this address: wait, and check the code with the centre".to_owned();
        return Err(Problem(ErrorBody { kind: ErrorKind::TooOften, reason, retry_after_s: Some(retry_after_s) }));
    }
    let held = app.load.read(request, MAX_ENROL, async |_| Ok(None)).await?;
    if frame::plain_len(&held.bytes) > MAX_ENROL {
        return Err(too_large(MAX_ENROL));
    }
    answer(&app, held, async |framed| app.town.enrol(&framed).await).await
}

/// The answer carries status line and length, nothing else: an idle sync is to stay under 240 bytes both ways.
async fn answer<F, A>(app: &App, mut held: Held<'_>, ask: F) -> Result<Response, Problem>
where
    F: FnOnce(Vec<u8>) -> A,
    A: Future<Output = Result<Vec<u8>, ErrorBody>>,
{
    let _turn = app.load.turn().await?;
    held.unwraps_to(frame::plain_len(&held.bytes))?;
    metrics::counter!(m::BODY_BYTES, "direction" => "in").increment(held.bytes.len() as u64);
    let framed = std::mem::take(&mut held.bytes);
    let answer = timeout(app.options.limits.answer_within, ask(framed)).await;
    let bytes = answer.map_err(|_| busy("this took too long: send the same request again", 30))??;
    metrics::counter!(m::BODY_BYTES, "direction" => "out").increment(bytes.len() as u64);
    Ok(Response::new(Body::from(bytes)))
}
