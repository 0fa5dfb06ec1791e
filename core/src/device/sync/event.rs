//! What the machine is told and what it asks for.

use super::Wait;
use crate::device::store::{Applied, ApplyError, Prepare, StoreError, Unsent};
use crate::device::transport::{PackPart, TransportError};
use crate::wire::error::WireError;
use crate::wire::frame;
use crate::wire::sync::{Answer, PackRef};

/// What one round of sync did. Bytes are those of message bodies, without HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct SyncSummary {
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Requests sent.
    pub round_trips: u32,
    /// Stream entries applied.
    pub entries: u64,
    /// Batches that got their verdict.
    pub receipts: u64,
    /// Items that were refused.
    pub refused: u64,
    /// Area packs applied.
    pub packs: u32,
    /// Own work that the centre does not have when the round ends, and why. Only where nothing of it is left was everything exchanged.
    pub unsent: Unsent,
    /// Why it ended before everything was exchanged; none when it is done.
    pub wait: Option<Wait>,
}

impl SyncSummary {
    /// What it came to, for developers.
    pub(in crate::device) fn log(&self) {
        let Self { sent_bytes, received_bytes, round_trips, entries, receipts, refused, packs, wait, unsent } = self;
        let (unsent, aside) = (unsent.count, unsent.aside);
        match wait {
            None => tracing::info!(sent_bytes, received_bytes, round_trips, entries, receipts, refused, packs, "sync: all is exchanged"),
            Some(Wait { ms, reason }) => tracing::info!(
                %reason,
                wait_ms = ms,
                sent_bytes,
                received_bytes,
                round_trips,
                entries,
                receipts,
                refused,
                unsent,
                aside,
                "sync: waits"
            ),
        }
    }
}

/// A request, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its nonce.
    pub nonce: u32,
    /// The framed body.
    pub body: Vec<u8>,
    /// Whether it is signed: the store signs by itself when it has no token.
    pub signed: bool,
    /// Whether it carries the state.
    pub has_state: bool,
    /// Whether batches wait for the session that it opens.
    pub bare: bool,
}

/// An answer, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Bytes of the framed body.
    pub bytes: u64,
    /// What it says.
    pub answer: Result<Box<Answer>, WireError>,
}

impl Answered {
    /// Reads a framed answer. A long one takes some 30 ms.
    #[must_use]
    pub fn read(framed: &[u8]) -> Self {
        Self { bytes: framed.len() as u64, answer: frame::unwrap(framed).and_then(|body| Answer::from_bytes(&body)).map(Box::new) }
    }
}

/// How the store failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFault {
    /// The device is not enrolled.
    NotEnrolled,
    /// What was to be applied does not verify; nothing was changed.
    BadData,
    /// Storage failed; nothing was changed.
    Storage,
}

impl From<StoreError> for StoreFault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotEnrolled => Self::NotEnrolled,
            _ => Self::Storage,
        }
    }
}

impl From<ApplyError> for StoreFault {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Storage(error) => error.into(),
            _ => Self::BadData,
        }
    }
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// It is time: at the start of a round, or when a wait is over or cut short. Whatever was outstanding counts as lost.
    Due,
    /// The request is stored and ready.
    Prepared(Outgoing),
    /// The answer is here.
    Answered(Answered),
    /// No answer: the network, or the server's refusal.
    Failed(TransportError),
    /// The answer is applied.
    Applied(Applied),
    /// What came of a pack.
    Pack(PackPart),
    /// The pack is applied.
    PackApplied(Applied),
    /// Nothing is kept of a pack any more.
    Forgotten,
    /// The store could not do what it was asked.
    StoreFailed(StoreFault),
}

/// What the driver is to do now.
#[derive(Debug)]
pub enum Effect {
    /// Have the store prepare a request; then [`Event::Prepared`] or [`Event::StoreFailed`].
    Prepare(Prepare),
    /// Send the framed body; then [`Event::Answered`] or [`Event::Failed`].
    Send(Vec<u8>),
    /// Have the store apply the answer; then [`Event::Applied`] or [`Event::StoreFailed`].
    Apply(Box<Answer>),
    /// Fetch the pack from an offset on; then [`Event::Pack`].
    FetchPack(PackRef, u64),
    /// Have the store apply the pack's file; then [`Event::PackApplied`] or [`Event::StoreFailed`].
    ApplyPack(Vec<u8>),
    /// Have the store throw away what it keeps of a pack; then [`Event::Forgotten`] or
    /// [`Event::StoreFailed`].
    ForgetPart,
    /// Wait; then [`Event::Due`].
    Wait(Wait),
    /// The round is over; all is exchanged.
    Finished(SyncSummary),
    /// The device is revoked: wipe the store. There is nothing after this.
    Wipe,
}
