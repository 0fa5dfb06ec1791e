//! Bounds on what the server takes on: bytes of bodies held, and requests worked on at once.
//!
//! A body is read before the request takes its turn, so a phone on a 64 kbit/s link holds memory while it sends, never a turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::extract::Request;
use axum::http::header;
use fieldgrid_core::wire::error::ErrorKind;
use fieldgrid_core::wire::limits::MAX_BODY;
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::{Limits, Problem, busy};
use crate::telemetry::metrics as m;

/// The slowest link that is waited for: 2 KiB/s, half of GPRS.
const SLOWEST_BYTES_A_SECOND: usize = 2 << 10;
/// Every body may take this long, however short it is.
const BODY_GRACE: Duration = Duration::from_secs(20);
/// Memory is counted in pieces of this many bytes: a semaphore counts to 2^32, and the least a request costs is about this.
const PIECE: usize = 4 << 10;

/// What is still free.
#[derive(Debug)]
pub(super) struct Load {
    memory: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    patience: Duration,
}

/// A request's body, and the memory it counts for.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) bytes: Vec<u8>,
    _memory: OwnedSemaphorePermit,
}

/// A turn with the town.
#[derive(Debug)]
pub(super) struct Turn(#[expect(dead_code, reason = "held for its Drop")] OwnedSemaphorePermit);

impl Load {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { memory: Arc::new(Semaphore::new(limits.bodies / PIECE)), turns: Arc::new(Semaphore::new(limits.in_flight)), patience: limits.patience }
    }

    /// Reads a body of at most [`MAX_BODY`] bytes.
    pub(super) async fn read(&self, request: Request) -> Result<Held, Problem> {
        let too_large = || Problem::new(ErrorKind::TooLarge, format!("a body may have {MAX_BODY} bytes: send fewer batches"));
        let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        // Without a declared length the most that may come is counted.
        let most = declared.unwrap_or(MAX_BODY);
        if most > MAX_BODY {
            return Err(too_large());
        }
        // Memory is set aside as the body comes, so that who only announces one holds none.
        let mut memory = self.piece(1)?;
        let (began, mut bytes, mut chunks) = (Instant::now(), Vec::new(), request.into_body().into_data_stream());
        loop {
            let deadline = began + BODY_GRACE + Duration::from_secs((bytes.len() / SLOWEST_BYTES_A_SECOND) as u64);
            let slow = |_| Problem::new(ErrorKind::Malformed, "the body came too slowly: send fewer batches in a request");
            let Some(chunk) = timeout_at(deadline, chunks.next()).await.map_err(slow)? else { break };
            let chunk = chunk.map_err(|_| Problem::new(ErrorKind::Malformed, "the body broke off: send the request again"))?;
            let length = bytes.len() + chunk.len();
            if length > most {
                return Err(too_large());
            }
            let more = length.div_ceil(PIECE).saturating_sub(memory.num_permits());
            memory.merge(self.piece(more)?);
            bytes.extend_from_slice(&chunk);
        }
        Ok(Held { bytes, _memory: memory })
    }

    /// Memory for more pieces of a body.
    fn piece(&self, pieces: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let pieces = u32::try_from(pieces).map_err(|_| shed("bodies"))?;
        Arc::clone(&self.memory).try_acquire_many_owned(pieces).map_err(|_| shed("bodies"))
    }

    /// Waits for a turn, but not longer than the patience.
    pub(super) async fn turn(&self) -> Result<Turn, Problem> {
        let waiting = m::Level::raise(m::REQUESTS_WAITING);
        let turn = timeout(self.patience, Arc::clone(&self.turns).acquire_owned()).await;
        drop(waiting);
        match turn {
            Ok(Ok(permit)) => Ok(Turn(permit)),
            _ => Err(shed("turns")),
        }
    }
}

fn shed(of: &'static str) -> Problem {
    metrics::counter!(m::REQUESTS_SHED, "of" => of).increment(1);
    // Dealt out evenly, so that ten thousand phones do not come back in the same second.
    static DEALT: AtomicU32 = AtomicU32::new(0);
    busy("more requests than the server takes at once: try again later", 5 + DEALT.fetch_add(1, Ordering::Relaxed) % 20)
}
