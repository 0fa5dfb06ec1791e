//! `GET /v1/events`: "something new", for devices with a good connection. What is new comes by sync alone.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use fieldgrid_core::wire::error::ErrorKind;
use futures_util::stream;
use tokio::sync::watch;

use super::{App, Problem, bearer, busy};
use crate::telemetry::metrics as m;

/// Town-wide bursts reach a phone as one event: the next is held back this long.
const PAUSE: Duration = Duration::from_millis(500);
/// A comment this often keeps the connection through carriers that cut idle ones after a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(25);

/// One event at once, so that nothing falls between a sync and the opening of the stream; then one whenever something came in.
/// The stream ends when the server stops, or when its device opens a second one after it.
pub(super) async fn events(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Problem> {
    let token = bearer(&headers)?;
    let town = Arc::clone(&app.town);
    let news = tokio::task::spawn_blocking(move || town.news(token)).await.map_err(|_| Problem::new(ErrorKind::Internal, "the server failed: try again"))??;
    let permit = Arc::clone(&app.streams).try_acquire_owned().map_err(|_| busy("too many event streams: sync by the clock", 600))?;
    let listener = Listener { news, closing: app.closing.subscribe(), heard: None, _permit: permit, _open: m::Level::raise(m::EVENT_STREAMS) };
    let events = stream::unfold(listener, |mut listener| async move {
        let number = listener.next().await?;
        Some((Ok::<_, Infallible>(Event::default().data(number.to_string())), listener))
    });
    let sse = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    // nginx holds events back until its buffer is full unless told not to. A connection that was kept would outlive its stream, and who opens streams without
    // end would have as many.
    Ok(([("x-accel-buffering", "no"), ("connection", "close")], sse).into_response())
}

struct Listener {
    news: watch::Receiver<u64>,
    closing: watch::Receiver<bool>,
    heard: Option<u64>,
    _permit: tokio::sync::OwnedSemaphorePermit,
    _open: m::Level,
}

impl Listener {
    async fn next(&mut self) -> Option<u64> {
        let closing = &mut self.closing;
        let news = &mut self.news;
        let heard = self.heard;
        tokio::select! {
            _ = closing.wait_for(|closing| *closing) => None,
            number = async {
                if heard.is_some() {
                    tokio::time::sleep(PAUSE).await;
                }
                news.wait_for(|number| Some(*number) != heard).await.ok().map(|number| *number)
            } => {
                self.heard = number;
                number
            }
        }
    }
}
