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
/// A body may pause this long, however fast it came before: on the stairs a phone has no signal for a while.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
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
        let (mut deadline, mut bytes, mut chunks) = (Instant::now() + BODY_GRACE, Vec::new(), request.into_body().into_data_stream());
        loop {
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
            deadline = extended(deadline, Instant::now(), chunk.len());
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

/// Until when more of a body is waited for, once so many bytes came: as long as the slowest link takes for them, but no longer than a pause.
/// Else 64 connections that send all but a byte would hold all the memory for half an hour.
fn extended(deadline: Instant, now: Instant, bytes: usize) -> Instant {
    (deadline + Duration::from_millis((bytes * 1000 / SLOWEST_BYTES_A_SECOND) as u64)).min(now + LONGEST_PAUSE)
}

fn shed(of: &'static str) -> Problem {
    metrics::counter!(m::REQUESTS_SHED, "of" => of).increment(1);
    // Dealt out evenly, so that ten thousand phones do not come back in the same second.
    static DEALT: AtomicU32 = AtomicU32::new(0);
    busy("more requests than the server takes at once: try again later", 5 + DEALT.fetch_add(1, Ordering::Relaxed) % 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For how many seconds a body holds memory whose pieces come after so many seconds and have so many bytes; after the last, or too late, comes nothing.
    fn held_for(pieces: &[(u64, usize)]) -> u64 {
        let began = Instant::now();
        let (mut now, mut deadline) = (began, began + BODY_GRACE);
        for (after_s, bytes) in pieces {
            now += Duration::from_secs(*after_s);
            if now > deadline {
                break;
            }
            deadline = extended(deadline, now, *bytes);
        }
        (deadline - began).as_secs()
    }

    #[test]
    fn memory_is_held_for_what_comes_and_not_for_what_came() {
        assert_eq!(held_for(&[]), 20);
        assert_eq!(held_for(&[(0, MAX_BODY - 1)]), 60, "all but a byte, and silence");
        assert_eq!(held_for(&[(0, 1 << 20), (45, 1), (45, 1)]), 60, "a byte now and then buys nothing");
        let weak = [(2, 4 << 10); 256];
        assert_eq!(held_for(&weak), 512 + 20, "half of GPRS");
        assert_eq!(held_for(&[&weak[..], &[(18, 120 << 10)], &weak[..]].concat()), 512 + 18 + 512 + 60, "with a pause on the stairs");
    }
}
