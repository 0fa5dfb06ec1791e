//! Admission: a batch in, verdicts out (`DESIGN` §4). No HTTP, no SQL.
//!
//! Cheapest first: size limits, decoding, signature and place in the outbox chain (`chain`); then each piece: its edit, its dependencies, the
//! gate, policy (`judge`); then one transaction (`apply`) in which the documents' heads are compared: changed meanwhile, judged again. A
//! well-signed batch in its place always advances the chain; what is wrong with its contents is a verdict for each piece, and the rest goes on.
//!
//! The judging is done outside the writer's lock, on as many threads as there are cores. After `TRIES` lost races it is done once inside it, so that it
//! ends.

mod apply;
mod case;
mod chain;
mod facts;
mod household;
mod judge;
mod number;
mod plan;
mod quarantine;
mod sender;

use std::sync::Arc;

use fieldgrid_core::domain::id::{DeviceId, DocId, Hash, StreamId};
use fieldgrid_core::env::Environment;
use fieldgrid_core::record::RecordKind;
use fieldgrid_core::wire::batch::ChangeItem;
use fieldgrid_core::wire::sync::{BatchRejection, OutboxHead, SealedBytes};
use minicbor::bytes::ByteVec;
use tokio::sync::Semaphore;

use crate::store::{DeviceRow, Read, Store, StoreError, Write};
use crate::telemetry::metrics as m;

pub(crate) use apply::{SERIAL_FLOOR, fact, stored_verdict, stream_for};
pub(crate) use number::day;
pub use quarantine::{Aside, Decided};
pub(crate) use quarantine::{decide, list};

/// Lost races before the judging moves into the writer's lock.
const TRIES: u32 = 3;
/// KiB of batches that may wait or be judged at once: what a hostile crowd can make the server hold. Beyond it the server is busy.
const IN_FLIGHT_KIB: usize = 64 << 10;

/// A change that is held back, as stored: document, kind, edit, raw chunk.
type StoredChange = (DocId, RecordKind, Option<Hash>, ByteVec);

fn change_bytes(change: &ChangeItem) -> Vec<u8> {
    let stored: StoredChange = (change.doc, change.kind, change.edit, ByteVec::from(change.raw.clone()));
    minicbor::to_vec(stored).expect("encoding into memory does not fail")
}

fn stored_change(bytes: &[u8]) -> Result<ChangeItem, StoreError> {
    let (doc, kind, edit, raw): StoredChange = minicbor::decode(bytes).map_err(|_| StoreError::Damaged("held change"))?;
    Ok(ChangeItem { doc, kind, edit, raw: raw.into() })
}

/// Why nothing was judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdmissionError {
    /// Too many wait already.
    #[error("too many requests wait; try again in a moment")]
    Busy,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What came of the batches of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Batches that took no position.
    pub rejections: Vec<BatchRejection>,
    /// What the server holds of the device's outbox now.
    pub outbox: Option<OutboxHead>,
    /// The hashes of the batches of this request that the server holds, also those it held before.
    pub held: Vec<Hash>,
    /// Streams that have new entries.
    pub bumped: Vec<StreamId>,
    /// Pieces accepted, and pieces refused or stranded.
    pub counts: Counts,
}

/// How many pieces fared how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// In the streams.
    pub accepted: u64,
    /// Refused or stranded.
    pub refused: u64,
    /// Held back: waiting or quarantined.
    pub held: u64,
}

/// Lets batches in.
#[derive(Debug)]
pub struct Admission {
    store: Arc<dyn Store>,
    env: Arc<dyn Environment>,
    threads: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl Admission {
    /// Over a store, with `threads` gates at once.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, env: Arc<dyn Environment>, threads: usize) -> Self {
        let threads = threads.max(1);
        Self { store, env, threads: Arc::new(Semaphore::new(threads)), queue: Arc::new(Semaphore::new(IN_FLIGHT_KIB)) }
    }

    /// Lets the sealed batches of one device's request in, in their order. Durable when it returns.
    ///
    /// # Errors
    /// [`AdmissionError`]: nothing was judged, nothing is lost, the same request may come again.
    pub async fn admit(&self, device: DeviceRow, sealed: Vec<SealedBytes>) -> Result<Outcome, AdmissionError> {
        let kib = 1 + sealed.iter().map(|batch| batch.0.len()).sum::<usize>() / 1024;
        let kib = u32::try_from(kib).map_err(|_| AdmissionError::Busy)?;
        let queued = Arc::clone(&self.queue).try_acquire_many_owned(kib).map_err(|_| AdmissionError::Busy)?;
        let waiting = m::Level::raise(m::ADMISSION_WAITING);
        let turn = Arc::clone(&self.threads).acquire_owned().await.map_err(|_| AdmissionError::Busy)?;
        drop(waiting);
        let (store, env) = (Arc::clone(&self.store), Arc::clone(&self.env));
        // Spawned: a request that is dropped half-way is still judged to its end, so its device finds its verdicts.
        let work = tokio::task::spawn_blocking(move || {
            let outcome = admit(&*store, &env, &device, &sealed);
            drop((turn, queued));
            outcome.inspect(Outcome::count)
        });
        work.await.map_err(|_| StoreError::Closed)?
    }
}

fn admit(store: &dyn Store, env: &Arc<dyn Environment>, device: &DeviceRow, sealed: &[SealedBytes]) -> Result<Outcome, AdmissionError> {
    let received_ms = env.wall_ms();
    let batches = chain::decode(sealed);
    for _ in 0..TRIES {
        let (checked, plan) = {
            let read = store.read()?;
            prepare(&*read, device.id, &batches, received_ms)?
        };
        if plan.is_empty() {
            return Ok(checked.outcome());
        }
        let (env, outcome) = (Arc::clone(env), checked.outcome());
        match store.write_blocking(move |tx| apply::apply(tx, &*env, &plan)) {
            Ok(applied) => return Ok(outcome.with(applied)),
            Err(StoreError::Changed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let (env, device) = (Arc::clone(env), device.id);
    let outcome = store.write_blocking(move |tx: &mut dyn Write| {
        let (checked, plan) = prepare(tx, device, &batches, received_ms)?;
        Ok(checked.outcome().with(apply::apply(tx, &*env, &plan)?))
    })?;
    Ok(outcome)
}

fn prepare(read: &dyn Read, device: DeviceId, batches: &[chain::Decoded], received_ms: i64) -> Result<(chain::Checked, plan::Plan), StoreError> {
    let device = read.device(device)?.ok_or(StoreError::Damaged("device"))?;
    let checked = chain::check(read, &device, batches, received_ms)?;
    let plan = judge::judge(read, &device, &checked)?;
    Ok((checked, plan))
}

impl Outcome {
    fn count(&self) {
        let Counts { accepted, refused, held } = self.counts;
        for (outcome, batches) in [("held", self.held.len()), ("rejected", self.rejections.len())] {
            metrics::counter!(m::BATCHES, "outcome" => outcome).increment(batches as u64);
        }
        for (outcome, items) in [("accepted", accepted), ("refused", refused), ("held", held)] {
            metrics::counter!(m::ITEMS, "outcome" => outcome).increment(items);
        }
    }

    fn with(self, applied: apply::Applied) -> Self {
        Self { bumped: applied.bumped, counts: applied.counts, ..self }
    }
}
