//! Bounds on what the server takes on: bytes of bodies held, and requests worked on at once.
//!
//! A body is read before the request takes its turn, so a phone on a 64 kbit/s link holds memory while it sends, never a turn. All memory is for devices, which
//! are known by the token that a plain request opens with. Whoever cannot be told from anyone else on the way holds a quarter of it at most, together: a
//! crowd that trickles would else keep every phone out, and an address tells nothing behind a carrier's NAT. What is here at once waits for nobody.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::body::{BodyDataStream, Bytes};
use axum::extract::Request;
use axum::http::header;
use fieldgrid_core::domain::id::DeviceId;
use fieldgrid_core::wire::error::{ErrorBody, ErrorKind};
use fieldgrid_core::wire::frame;
use fieldgrid_core::wire::sync::OPENING;
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::{Limits, Problem, busy};
use crate::per_device::{PerDevice, Place};
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
/// The longest body that counts as here at once: what a connection reads first.
const AT_ONCE: usize = 8 << 10;
/// Bodies that need no more than this may have the last quarter of the memory: an evening's work, while a crowd sends the largest bodies there are.
const SMALL: usize = 1 << 20;
/// The same of the strangers' quarter: a signed request with the longest state and no batches.
const SMALL_OF_STRANGERS: usize = 128 << 10;

/// What is still free.
#[derive(Debug)]
pub(super) struct Load {
    bodies: [Share; 2],
    strangers: [Share; 2],
    devices: PerDevice,
    turns: Arc<Semaphore>,
    patience: Duration,
}

/// Memory that bodies have in common.
#[derive(Debug)]
struct Share {
    of: &'static str,
    pieces: usize,
    free: Arc<Semaphore>,
    /// Bodies that need no more do not count against it.
    above: usize,
}

impl Share {
    /// All of it, and what of it is for bodies that are not small.
    fn parted(of: &'static str, bytes: usize, small: usize) -> [Self; 2] {
        let pieces = bytes / PIECE;
        [(pieces, 0), (pieces - pieces / 4, small)].map(|(pieces, above)| Self { of, pieces, free: Arc::new(Semaphore::new(pieces)), above })
    }

    /// Nothing of it yet.
    fn part(&self) -> Part {
        let nothing = Arc::clone(&self.free).try_acquire_many_owned(0);
        Part { of: self.of, above: self.above, permit: nothing.expect("nothing is always there") }
    }
}

/// What is set aside of a share.
#[derive(Debug)]
struct Part {
    of: &'static str,
    above: usize,
    permit: OwnedSemaphorePermit,
}

impl Part {
    fn grow_to(&mut self, bytes: usize) -> Result<(), Problem> {
        let pieces = if bytes > self.above { bytes.div_ceil(PIECE) } else { 0 };
        let more = u32::try_from(pieces.saturating_sub(self.permit.num_permits())).map_err(|_| shed(self.of))?;
        self.permit.merge(Arc::clone(self.permit.semaphore()).try_acquire_many_owned(more).map_err(|_| shed(self.of))?);
        Ok(())
    }
}

/// A request's body, and what it counts for.
#[derive(Debug)]
pub(super) struct Held<'a> {
    pub(super) bytes: Vec<u8>,
    memory: Vec<Part>,
    _place: Option<Place<'a>>,
}

impl Held<'_> {
    /// Counts what it takes to unwrap and decode the body.
    pub(super) fn unwraps_to(&mut self, bytes: usize) -> Result<(), Problem> {
        self.grow_to(self.bytes.len() + COPIES * bytes)
    }

    /// Adds what came of a body that may have `most` bytes.
    fn add(&mut self, came: &[u8], most: usize) -> Result<(), Problem> {
        let length = self.bytes.len() + came.len();
        self.grow_to(length + length.min(READ_AHEAD))?;
        if self.bytes.is_empty() && !came.is_empty() {
            // At once: a buffer that grows leaves its former selves behind, and pages into which nothing came yet are none.
            self.bytes.reserve_exact(most);
        }
        self.bytes.extend_from_slice(came);
        Ok(())
    }

    fn grow_to(&mut self, bytes: usize) -> Result<(), Problem> {
        self.memory.iter_mut().try_for_each(|part| part.grow_to(bytes))
    }
}

/// A turn with the town.
#[derive(Debug)]
pub(super) struct Turn(#[expect(dead_code, reason = "held for its Drop")] OwnedSemaphorePermit);

impl Load {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            bodies: Share::parted("bodies", limits.bodies, SMALL),
            strangers: Share::parted("strangers", limits.bodies / 4, SMALL_OF_STRANGERS),
            devices: PerDevice::default(),
            turns: Arc::new(Semaphore::new(limits.in_flight)),
            patience: limits.patience,
        }
    }

    /// Reads a body of at most `limit` bytes. `sender` says by its opening whose it is: a device's, or nobody's that is known; memory is set aside as the
    /// body comes, so that who only announces one holds none.
    pub(super) async fn read<F, A>(&self, request: Request, limit: usize, sender: F) -> Result<Held<'_>, Problem>
    where
        F: FnOnce(Bytes) -> A,
        A: Future<Output = Result<Option<DeviceId>, ErrorBody>>,
    {
        let mut body = Incoming::new(request, limit)?;
        let opening = body.opening().await?;
        let (mut memory, mut place): (Vec<Part>, _) = (self.bodies.iter().map(Share::part).collect(), None);
        if !(body.is_here() && opening.len() <= AT_ONCE && frame::as_plain(&opening).is_some()) {
            match sender(opening.clone()).await {
                Ok(Some(device)) => place = Some(self.devices.enter(device).ok_or_else(crowded)?),
                Ok(None) => memory.extend(self.strangers.iter().map(Share::part)),
                Err(refusal) => {
                    // Said while the phone still sends, it could be lost with the connection, and a phone that does not hear that its session ended never signs.
                    while body.next().await?.is_some() {}
                    return Err(refusal.into());
                }
            }
        }
        let mut held = Held { bytes: Vec::new(), memory, _place: place };
        held.add(&opening, body.most)?;
        drop(opening);
        while let Some(came) = body.next().await? {
            held.add(&came, body.most)?;
        }
        Ok(held)
    }

    /// Sets the gauges of what is held just now.
    pub(super) fn measure(&self) {
        for [share, _] in [&self.bodies, &self.strangers] {
            let held = (share.pieces - share.free.available_permits()) * PIECE;
            metrics::gauge!(m::BODY_MEMORY, "of" => share.of).set(held as f64);
        }
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

/// A body on its way.
struct Incoming {
    chunks: BodyDataStream,
    /// The length that was declared; without one the most that may come.
    most: usize,
    came: usize,
    ended: bool,
    deadline: Instant,
}

impl Incoming {
    fn new(request: Request, limit: usize) -> Result<Self, Problem> {
        let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let most = declared.unwrap_or(limit);
        if most > limit {
            return Err(too_large(limit));
        }
        Ok(Self { chunks: request.into_body().into_data_stream(), most, came: 0, ended: false, deadline: Instant::now() + BODY_GRACE })
    }

    /// What comes next; none at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        let slow = |_| Problem::new(ErrorKind::Malformed, "the body came too slowly: send fewer batches in a request");
        let Some(chunk) = timeout_at(self.deadline, self.chunks.next()).await.map_err(slow)? else {
            self.ended = true;
            return Ok(None);
        };
        let chunk = chunk.map_err(|_| Problem::new(ErrorKind::Malformed, "the body broke off: send the request again"))?;
        self.came += chunk.len();
        if self.came > self.most {
            return Err(too_large(self.most));
        }
        self.deadline = extended(self.deadline, Instant::now(), chunk.len());
        Ok(Some(chunk))
    }

    /// Enough of it to see who sends, or all of it. Not counted: it is less than what a connection costs that sends nothing.
    async fn opening(&mut self) -> Result<Bytes, Problem> {
        let mut opening = Bytes::new();
        while opening.len() < OPENING && !self.is_here() {
            match self.next().await? {
                Some(chunk) if opening.is_empty() => opening = chunk,
                Some(chunk) => opening = [opening, chunk].concat().into(),
                None => {}
            }
        }
        Ok(opening)
    }

    /// Whether nothing more is to come.
    const fn is_here(&self) -> bool {
        self.ended || self.came == self.most
    }
}

/// Until when more of a body is waited for, once so many bytes came: as long as the slowest link takes for them, but no longer than a pause.
/// Else 64 connections that send all but a byte would hold all the memory for half an hour.
fn extended(deadline: Instant, now: Instant, bytes: usize) -> Instant {
    (deadline + Duration::from_millis((bytes * 1000 / SLOWEST_BYTES_A_SECOND) as u64)).min(now + LONGEST_PAUSE)
}

pub(super) fn too_large(limit: usize) -> Problem {
    Problem::new(ErrorKind::TooLarge, format!("this body may have {limit} bytes: send less"))
}

/// Too many bodies of one device.
fn crowded() -> Problem {
    metrics::counter!(m::REQUESTS_SHED, "of" => "device").increment(1);
    busy("two requests of this device are on their way already: one at a time is enough", 5)
}

fn shed(of: &'static str) -> Problem {
    metrics::counter!(m::REQUESTS_SHED, "of" => of).increment(1);
    // Dealt out evenly, so that ten thousand phones do not come back in the same second.
    static DEALT: AtomicU32 = AtomicU32::new(0);
    busy("more requests than the server takes at once: try again later", 5 + DEALT.fetch_add(1, Ordering::Relaxed) % 20)
}

#[cfg(test)]
mod tests;
