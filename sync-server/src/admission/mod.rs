//! Admission: a batch in, verdicts out (`DESIGN` §4). No HTTP, no SQL.
//!
//! Cheapest first: size limits, decoding, signature and place in the outbox chain (`chain`); then each piece: its edit, its dependencies, the
//! gate, policy (`judge`); then one transaction (`apply`) in which the documents' heads are compared: changed meanwhile, judged again. A
//! well-signed batch in its place always advances the chain; what is wrong with its contents is a verdict for each piece, and the rest goes on.
//!
//! The judging is done outside the writer's lock, on as many threads as there are cores, in the order of `turns`. When a race is lost, only the documents that
//! changed are judged again; after `TRIES` lost races that is done once inside the lock, if it takes no longer than the others can wait.

mod allowed;
mod apply;
mod case;
mod chain;
mod facts;
mod hold;
mod household;
mod judge;
mod lapse;
mod number;
mod plan;
mod project;
mod quarantine;
mod sender;
mod source;
mod turns;
mod verdicts;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fieldgrid_core::domain::id::{DeviceId, DocId, Hash, StreamId};
use fieldgrid_core::env::Environment;
use fieldgrid_core::record::RecordKind;
use fieldgrid_core::wire::batch::ChangeItem;
use fieldgrid_core::wire::sync::{BatchRejection, OutboxHead, SealedBytes};
use minicbor::bytes::ByteVec;

use crate::store::{DeviceRow, Store, StoreError};
use crate::telemetry::metrics as m;
use chain::{Group, Groups};
use plan::Plan;
use source::Source;
use turns::{Place, Turn, Turns};

pub(crate) use apply::{fact, stream_for};
pub(crate) use lapse::lapse;
pub(crate) use number::day;
pub(crate) use project::SERIAL_FLOOR;
pub use quarantine::{Aside, Decided};
pub(crate) use quarantine::{decide, list};
pub use turns::Quota;
pub(crate) use verdicts::stored_verdict;

/// Lost races before the judging may move into the writer's lock.
const TRIES: usize = 3;
/// Lost races before the device is told to come again.
const MOST_TRIES: usize = 20;
/// What was judged again in less time than this may be judged inside the writer's lock.
const IN_LOCK: Duration = Duration::from_millis(20);
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
    /// The device brought more than it may in an hour.
    #[error("more than one device may bring in an hour; the rest has to wait {retry_after_s} s")]
    TooMuch {
        /// When to come again.
        retry_after_s: u32,
    },
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
    turns: Arc<Turns>,
}

impl Admission {
    /// Over a store, with `threads` gates at once, and so much for each device.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, env: Arc<dyn Environment>, threads: usize, quota: Quota) -> Self {
        Self { store, env, turns: Turns::new(threads, quota) }
    }

    /// Lets the sealed batches of one device's request in, in their order. Durable when it returns.
    ///
    /// # Errors
    /// [`AdmissionError`]: nothing is lost, the same request may come again. Batches of it that were judged are held already then.
    pub async fn admit(&self, device: DeviceRow, sealed: Vec<SealedBytes>) -> Result<Outcome, AdmissionError> {
        let bytes = sealed.iter().map(|batch| batch.0.len()).sum();
        let place = self.turns.enter(device.id, bytes)?;
        let request = Request { store: Arc::clone(&self.store), env: Arc::clone(&self.env), place, device: device.id, received_ms: self.env.wall_ms() };
        // Spawned: a request that is dropped half-way is still judged to its end, so its device finds its verdicts.
        tokio::spawn(request.admit(sealed)).await.map_err(|_| StoreError::Closed)?
    }
}

/// A request at work.
struct Request {
    store: Arc<dyn Store>,
    env: Arc<dyn Environment>,
    place: Place,
    device: DeviceId,
    received_ms: i64,
}

/// What came of one try to judge.
struct Tried {
    outcome: Outcome,
    plan: Plan,
    /// How long it took.
    took: Duration,
}

impl Request {
    async fn admit(self, sealed: Vec<SealedBytes>) -> Result<Outcome, AdmissionError> {
        let _alone = self.place.alone().await;
        let (mut left, mut outcome) = (Groups::of(sealed), Outcome::default());
        while !left.is_empty() {
            let turn = self.place.turn().await?;
            let (group, rest, turn) = blocking(move || Ok((left.next(), left, turn))).await?;
            let next = self.group(Arc::new(group), turn).await?;
            next.count();
            (left, outcome) = (rest, outcome.and(next));
        }
        Ok(outcome)
    }

    /// Judges batches together and writes what comes of it.
    async fn group(&self, group: Arc<Group>, turn: Turn) -> Result<Outcome, AdmissionError> {
        self.place.brought(group.items());
        let (mut turn, mut before) = (Some(turn), Plan::default());
        for tries in 1..=MOST_TRIES {
            let turn = match turn.take() {
                Some(turn) => turn,
                None => self.place.turn().await?,
            };
            let Tried { outcome, plan, took } = self.judge(&group, turn, before).await?;
            if plan.is_empty() {
                return Ok(outcome);
            }
            let plan = Arc::new(plan);
            let (env, writing) = (Arc::clone(&self.env), Arc::clone(&plan));
            match self.store.write(move |tx| apply::apply(tx, &*env, &writing)).await {
                Ok(applied) => return Ok(outcome.with(applied)),
                Err(StoreError::Changed) => {}
                Err(error) => return Err(error.into()),
            }
            before = Arc::into_inner(plan).unwrap_or_default();
            if tries >= TRIES && took <= IN_LOCK {
                return self.in_lock(group, before).await;
            }
        }
        Err(AdmissionError::Busy)
    }

    /// Judges in a turn, outside the writer's lock.
    async fn judge(&self, group: &Arc<Group>, turn: Turn, before: Plan) -> Result<Tried, StoreError> {
        let (store, group, device, received_ms) = (Arc::clone(&self.store), Arc::clone(group), self.device, self.received_ms);
        blocking(move || {
            let source = Source::of(&*store, turn)?;
            let begun = Instant::now();
            let (outcome, plan) = prepare(source, device, &group, before, received_ms)?;
            Ok(Tried { outcome, plan, took: begun.elapsed() })
        })
        .await
    }

    async fn in_lock(&self, group: Arc<Group>, before: Plan) -> Result<Outcome, AdmissionError> {
        let (env, device, received_ms) = (Arc::clone(&self.env), self.device, self.received_ms);
        let done = self.store.write(move |tx| {
            let (outcome, plan) = prepare(Source::Transaction(&*tx), device, &group, before, received_ms)?;
            Ok(outcome.with(apply::apply(tx, &*env, &plan)?))
        });
        Ok(done.await?)
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, StoreError> + Send + 'static) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)?
}

fn prepare(source: Source<'_>, device: DeviceId, group: &Group, before: Plan, received_ms: i64) -> Result<(Outcome, Plan), StoreError> {
    let device = source.now().device(device)?.ok_or(StoreError::Damaged("device"))?;
    let checked = chain::check(source.now(), &device, group, received_ms)?;
    let plan = judge::judge(source, &device, &checked, before)?;
    Ok((checked.outcome(), plan))
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

    /// With what came of the batches after these.
    fn and(mut self, next: Self) -> Self {
        self.rejections.extend(next.rejections);
        self.held.extend(next.held);
        self.bumped.extend(next.bumped);
        let (had, new) = (self.counts, next.counts);
        self.counts = Counts { accepted: had.accepted + new.accepted, refused: had.refused + new.refused, held: had.held + new.held };
        Self { outbox: next.outbox, ..self }
    }
}
