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
/// What a connection reads ahead, bytes.
pub(super) const READ_AHEAD: usize = 64 << 10;
/// What is decoded of a body is there up to three times, while it is copied from one form into the next.
const COPIES: usize = 3;
/// Bodies that need no more than this may have the last quarter of the memory: an evening's work, while a crowd sends the largest bodies there are.
const SMALL: usize = 1 << 20;

/// What is still free.
#[derive(Debug)]
pub(super) struct Load {
    all: Arc<Semaphore>,
    large: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    patience: Duration,
}

/// A request's body, and the memory it counts for.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) bytes: Vec<u8>,
    memory: Memory,
}

impl Held {
    /// Counts what it takes to unwrap and decode the body.
    pub(super) fn unwraps_to(&mut self, bytes: usize) -> Result<(), Problem> {
        self.memory.grow_to(self.bytes.len() + COPIES * bytes)
    }
}

/// Memory that is set aside.
#[derive(Debug)]
struct Memory {
    all: OwnedSemaphorePermit,
    large: OwnedSemaphorePermit,
}

impl Memory {
    fn grow_to(&mut self, bytes: usize) -> Result<(), Problem> {
        let pieces = bytes.div_ceil(PIECE);
        let large = if bytes > SMALL { pieces } else { 0 };
        for (permit, pieces) in [(&mut self.all, pieces), (&mut self.large, large)] {
            let more = u32::try_from(pieces.saturating_sub(permit.num_permits())).map_err(|_| shed("bodies"))?;
            permit.merge(Arc::clone(permit.semaphore()).try_acquire_many_owned(more).map_err(|_| shed("bodies"))?);
        }
        Ok(())
    }
}

/// A turn with the town.
#[derive(Debug)]
pub(super) struct Turn(#[expect(dead_code, reason = "held for its Drop")] OwnedSemaphorePermit);

impl Load {
    pub(super) fn new(limits: &Limits) -> Self {
        let pieces = limits.bodies / PIECE;
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self { all: semaphore(pieces), large: semaphore(pieces - pieces / 4), turns: semaphore(limits.in_flight), patience: limits.patience }
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
        let mut held = Held { bytes: Vec::new(), memory: self.piece()? };
        let (mut deadline, mut chunks) = (Instant::now() + BODY_GRACE, request.into_body().into_data_stream());
        loop {
            let slow = |_| Problem::new(ErrorKind::Malformed, "the body came too slowly: send fewer batches in a request");
            let Some(chunk) = timeout_at(deadline, chunks.next()).await.map_err(slow)? else { break };
            let chunk = chunk.map_err(|_| Problem::new(ErrorKind::Malformed, "the body broke off: send the request again"))?;
            let length = held.bytes.len() + chunk.len();
            if length > most {
                return Err(too_large());
            }
            held.memory.grow_to(length + length.min(READ_AHEAD))?;
            if held.bytes.is_empty() {
                // At once: a buffer that grows leaves its former selves behind, and pages into which nothing came yet are none.
                held.bytes.reserve_exact(most);
            }
            held.bytes.extend_from_slice(&chunk);
            deadline = extended(deadline, Instant::now(), chunk.len());
        }
        Ok(held)
    }

    /// The memory of a body of which nothing has come.
    fn piece(&self) -> Result<Memory, Problem> {
        let piece = |of: &Arc<Semaphore>, pieces| Arc::clone(of).try_acquire_many_owned(pieces).map_err(|_| shed("bodies"));
        Ok(Memory { all: piece(&self.all, 1)?, large: piece(&self.large, 0)? })
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
