//! Drives the sync machine with a store, a transport and the clock.
//!
//! Work is spawned and its handle awaited, so a caller may drop any future here: the work goes on, or was never begun. Nothing waits without a
//! bound. SQLite runs on blocking threads, never in a polled body.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

mod news;

use news::{Heard, Listening};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};

use super::store::{Ahead, Applied, Prepare, Prepared, Store, Unsent};
use super::sync::{Answered, Effect, Event, Outgoing, StoreFault, SyncMachine, SyncSummary, Wait, WaitReason};
use super::transport::{News, PackPart, Transport, TransportError};
use crate::domain::id::Hash;
use crate::env::Environment;
use crate::wire::error::{ErrorBody, ErrorKind};
use crate::wire::frame;
use crate::wire::sync::{Answer, Token};

/// What sync needs of a store. Every method is one transaction: done, or not begun.
pub trait SyncStore: Send + Sync + std::fmt::Debug + 'static {
    /// Seals what is unsent and readies a request. A batch is stored before it is in one.
    ///
    /// # Errors
    /// [`StoreFault`].
    fn prepare(&self, ask: Prepare) -> Result<Outgoing, StoreFault>;
    /// What will be asked once the answer is applied, and the framed request; none where that is not known before.
    ///
    /// # Errors
    /// [`StoreFault`].
    fn ahead(&self, answer: &Answer) -> Result<Option<(Ahead, Vec<u8>)>, StoreFault>;
    /// Applies an answer: entries and cursors together.
    ///
    /// # Errors
    /// [`StoreFault`].
    fn apply(&self, answer: &Answer) -> Result<Applied, StoreFault>;
    /// Applies an area pack's file.
    ///
    /// # Errors
    /// [`StoreFault`].
    fn apply_pack(&self, file: &[u8]) -> Result<Applied, StoreFault>;
    /// What is kept of a pack from before.
    ///
    /// # Errors
    /// [`StoreFault`].
    fn kept_part(&self, pack: Hash) -> Result<Vec<u8>, StoreFault>;
    /// Keeps a piece of a pack, at its offset.
    ///
    /// # Errors
    /// [`StoreFault`].
    fn keep_part(&self, pack: Hash, at: u64, bytes: &[u8]) -> Result<(), StoreFault>;
    /// Throws away what is kept of a pack.
    ///
    /// # Errors
    /// [`StoreFault`].
    fn forget_part(&self) -> Result<(), StoreFault>;
    /// The session's token.
    ///
    /// # Errors
    /// [`StoreFault`].
    fn token(&self) -> Result<Option<Token>, StoreFault>;
    /// Own work that the centre does not have.
    ///
    /// # Errors
    /// [`StoreFault`].
    fn unsent(&self) -> Result<Unsent, StoreFault>;
    /// Forgets everything, for good.
    ///
    /// # Errors
    /// [`StoreFault`].
    fn wipe(&self) -> Result<(), StoreFault>;
}

impl SyncStore for Store {
    fn prepare(&self, ask: Prepare) -> Result<Outgoing, StoreFault> {
        let Prepared { request, bytes, signed, bare } = Self::prepare(self, ask)?;
        Ok(Outgoing { nonce: request.nonce, body: frame::plain(&bytes), signed, has_state: request.state.is_some(), bare })
    }

    fn ahead(&self, answer: &Answer) -> Result<Option<(Ahead, Vec<u8>)>, StoreFault> {
        Ok(Self::ahead(self, answer)?.map(|(ahead, prepared)| (ahead, frame::plain(&prepared.bytes))))
    }

    fn apply(&self, answer: &Answer) -> Result<Applied, StoreFault> {
        Ok(Self::apply(self, answer)?)
    }

    fn apply_pack(&self, file: &[u8]) -> Result<Applied, StoreFault> {
        Ok(Self::apply_pack(self, file)?)
    }

    fn kept_part(&self, pack: Hash) -> Result<Vec<u8>, StoreFault> {
        Ok(Self::kept_part(self, pack)?)
    }

    fn keep_part(&self, pack: Hash, at: u64, bytes: &[u8]) -> Result<(), StoreFault> {
        Ok(Self::keep_part(self, pack, at, bytes)?)
    }

    fn forget_part(&self) -> Result<(), StoreFault> {
        Ok(Self::forget_part(self)?)
    }

    fn token(&self) -> Result<Option<Token>, StoreFault> {
        Ok(Self::token(self)?)
    }

    fn unsent(&self) -> Result<Unsent, StoreFault> {
        Ok(Self::unsent(self)?)
    }

    fn wipe(&self) -> Result<(), StoreFault> {
        Ok(Self::wipe_revoked(self)?)
    }
}

/// How often the background looks.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between looks while no event stream is open.
    pub poll: Duration,
    /// Between looks while one is: it may have died without a word.
    pub poll_with_news: Duration,
    /// How long a save waits for others to go out together with it.
    pub gather: Duration,
    /// Whether to listen to "something new" at all. An open line costs some 30 bytes every 15 s.
    pub listen: bool,
}

impl Default for Pace {
    fn default() -> Self {
        Self { poll: Duration::from_secs(120), poll_with_news: Duration::from_secs(900), gather: Duration::from_millis(500), listen: true }
    }
}

/// How sync stands now.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct SyncStatus {
    /// Whether the background runs.
    pub background: bool,
    /// Whether a round is under way.
    pub syncing: bool,
    /// Why the phone waits, and how long in all; none when the last round exchanged everything.
    pub wait: Option<Wait>,
    /// When the wait ends by this phone's wall clock, milliseconds since 1970.
    pub next_try_ms: Option<i64>,
    /// What the last round did.
    pub last: Option<SyncSummary>,
}

/// Longest that one exchange may take, whatever the transport promises.
const EXCHANGE: Duration = Duration::from_secs(20 * 60);
/// How often what arrives of a pack is kept: what a killed app loses of it.
const KEEP_EVERY: Duration = Duration::from_secs(2);
/// Longest that stopping waits for what is under way.
const STOPPING: Duration = Duration::from_secs(5);

/// The runner of one store. Clones share it; the background ends with the last of them.
#[derive(Debug, Clone)]
pub struct Runner {
    inner: Arc<Inner>,
    background: Arc<Mutex<Option<Background>>>,
}

#[derive(Debug)]
struct Inner {
    store: Arc<dyn SyncStore>,
    transport: Arc<dyn Transport>,
    env: Arc<dyn Environment>,
    runtime: Handle,
    pace: Pace,
    machine: tokio::sync::Mutex<SyncMachine>,
    /// The pack of which was taken up what is kept: should that not do, it is fetched from its start.
    taken_up: Mutex<Option<Hash>>,
    status: watch::Sender<SyncStatus>,
    saved: Notify,
    wake: Notify,
    closed: watch::Sender<bool>,
}

/// The next request, out while the answer before it is applied: reading what comes and applying what came go on side by side.
struct AskedAhead {
    ahead: Ahead,
    body: Vec<u8>,
    /// Ends with it.
    answer: JoinSet<Result<Answered, TransportError>>,
}

#[derive(Debug)]
struct Background {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Runner {
    /// A runner that works on `runtime`. Nothing runs yet.
    #[must_use]
    pub fn new(store: Arc<dyn SyncStore>, transport: Arc<dyn Transport>, env: Arc<dyn Environment>, runtime: Handle, pace: Pace) -> Self {
        let machine = tokio::sync::Mutex::new(SyncMachine::new(env.clone()));
        let (status, _) = watch::channel(SyncStatus::default());
        let (saved, wake) = (Notify::new(), Notify::new());
        let (closed, _) = watch::channel(false);
        Self {
            inner: Arc::new(Inner { store, transport, env, runtime, pace, machine, taken_up: Mutex::default(), status, saved, wake, closed }),
            background: Arc::default(),
        }
    }

    /// One round now, whatever wait is on: until everything is exchanged or something makes it wait (`SyncSummary::wait`). When a round is under
    /// way already, this one follows it.
    pub async fn sync_once(&self) -> SyncSummary {
        let inner = self.inner.clone();
        let mut closed = self.inner.closed.subscribe();
        let round = self.inner.runtime.spawn(async move {
            tokio::select! {
                summary = inner.round() => summary,
                () = told(&mut closed) => SyncSummary::default(),
            }
        });
        round.await.unwrap_or_else(|_| SyncSummary { wait: Some(Wait { ms: 0, reason: WaitReason::Storage }), ..SyncSummary::default() })
    }

    /// Syncs by itself from now on: at once, after saves, when the server has news, and from time to time. Twice is once.
    pub fn start(&self) {
        let mut background = self.background();
        if background.is_some() {
            return;
        }
        let (stop, stopped) = watch::channel(false);
        let inner = self.inner.clone();
        let task = self.inner.runtime.spawn(async move { inner.run(stopped).await });
        self.inner.status.send_modify(|status| status.background = true);
        *background = Some(Background { stop, task });
    }

    /// Stops the background, within five seconds. What was under way is sent again next time.
    pub async fn stop(&self) {
        let Some(Background { stop, mut task }) = self.background().take() else {
            return;
        };
        stop.send_replace(true);
        if timeout(STOPPING, &mut task).await.is_err() {
            task.abort();
        }
        self.inner.status.send_modify(|status| {
            status.background = false;
            status.syncing = false;
        });
    }

    /// Stops the background, and every other round too. What was under way is sent again when the store is opened next.
    pub async fn close(&self) {
        self.inner.closed.send_replace(true);
        self.stop().await;
    }

    /// Says that something was saved: the background sends it soon, unless it is waiting for a reason.
    pub fn saved(&self) {
        self.inner.saved.notify_one();
    }

    /// Says that the network is back or the app is in front: the background stops waiting and tries.
    pub fn wake(&self) {
        self.inner.wake.notify_one();
    }

    /// How sync stands; the receiver holds the present value first.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<SyncStatus> {
        self.inner.status.subscribe()
    }

    fn background(&self) -> MutexGuard<'_, Option<Background>> {
        self.background.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    async fn run(&self, mut stop: watch::Receiver<bool>) {
        let mut listening = Listening::default();
        loop {
            // What was saved until now goes out with this round.
            tokio::select! {
                biased;
                () = self.saved.notified() => {}
                () = std::future::ready(()) => {}
            }
            let summary = tokio::select! {
                summary = self.round() => summary,
                () = told(&mut stop) => return,
            };
            if summary.wait.is_none() && self.pace.listen && listening.is_due() {
                listening.open(listen(Arc::clone(&self.store), Arc::clone(&self.transport)), &self.runtime);
            }
            loop {
                let pause = match summary.wait {
                    Some(wait) => Duration::from_millis(wait.ms),
                    None if listening.is_open() => self.pace.poll_with_news,
                    None => self.pace.poll,
                };
                tokio::select! {
                    () = told(&mut stop) => return,
                    () = sleep(pause) => break,
                    () = self.wake.notified() => break,
                    () = self.saved.notified(), if summary.wait.is_none() => {
                        sleep(self.pace.gather).await;
                        break;
                    },
                    heard = listening.hear(), if summary.wait.is_none() => if heard == Heard::News {
                        break;
                    },
                }
            }
        }
    }

    /// One round, to its end or its first wait.
    async fn round(&self) -> SyncSummary {
        let mut machine = self.machine.lock().await;
        self.status.send_modify(|status| status.syncing = true);
        let mut event = Event::Due;
        let mut ahead: Option<AskedAhead> = None;
        let mut summary = loop {
            event = match machine.handle(event) {
                Some(Effect::Prepare(ask)) => {
                    let ask = Prepare { ahead: ahead.as_ref().map(|asked| asked.ahead), ..ask };
                    self.blocking(move |store| store.prepare(ask)).await.map_or_else(Event::StoreFailed, Event::Prepared)
                }
                Some(Effect::Send(body)) => {
                    let answered = match ahead.take().filter(|asked| asked.body == body) {
                        Some(mut asked) => asked.answer.join_next().await.and_then(Result::ok).unwrap_or(Err(TransportError::Timeout)),
                        None => ask(self.transport.as_ref(), body).await,
                    };
                    answered.map_or_else(Event::Failed, Event::Answered)
                }
                Some(Effect::Apply(answer)) => {
                    let answer = Arc::new(*answer);
                    ahead = self.ask_ahead(Arc::clone(&answer)).await;
                    self.blocking(move |store| store.apply(&answer)).await.map_or_else(Event::StoreFailed, Event::Applied)
                }
                Some(Effect::FetchPack(pack, offset)) => Event::Pack(self.fetch(pack, offset).await),
                Some(Effect::ApplyPack(file)) => self.blocking(move |store| store.apply_pack(&file)).await.map_or_else(Event::StoreFailed, Event::PackApplied),
                Some(Effect::ForgetPart) => self.blocking(|store| store.forget_part()).await.map_or_else(Event::StoreFailed, |()| Event::Forgotten),
                Some(Effect::Wipe) if !self.transport.authenticates() => {
                    tracing::warn!("something that is not known to be the server says that this device is revoked; the store is kept, sync stops");
                    Event::Due
                }
                Some(Effect::Wipe) => {
                    if let Err(fault) = self.blocking(|store| store.wipe()).await {
                        tracing::error!(?fault, "the store of a revoked device could not be wiped; trying again at the next start");
                    }
                    Event::Due
                }
                Some(Effect::Finished(summary)) => break summary,
                Some(Effect::Wait(_)) | None => break machine.summary(),
            };
        };
        summary.unsent = self.blocking(|store| store.unsent()).await.unwrap_or_default();
        summary.log();
        self.status.send_modify(|status| {
            status.syncing = false;
            status.wait = summary.wait;
            status.next_try_ms = summary.wait.map(|wait| self.env.wall_ms().saturating_add(i64::try_from(wait.ms).unwrap_or(i64::MAX)));
            status.last = Some(summary.clone());
        });
        summary
    }

    /// Sends what will be asked after an answer, where that is known already.
    async fn ask_ahead(&self, answer: Arc<Answer>) -> Option<AskedAhead> {
        if !answer.more {
            return None;
        }
        let (ahead, body) = self.blocking(move |store| store.ahead(&answer)).await.ok()??;
        let (transport, sent, mut answer) = (Arc::clone(&self.transport), body.clone(), JoinSet::new());
        answer.spawn_on(async move { ask(transport.as_ref(), sent).await }, &self.runtime);
        Some(AskedAhead { ahead, body, answer })
    }

    async fn fetch(&self, pack: crate::wire::sync::PackRef, offset: u64) -> PackPart {
        let broken = |broke| PackPart { broke: Some(broke), ..PackPart::default() };
        if offset == 0 && lock(&self.taken_up).replace(pack.sha256) != Some(pack.sha256) {
            let kept = self.blocking(move |store| store.kept_part(pack.sha256)).await.unwrap_or_default();
            if !kept.is_empty() {
                return PackPart { bytes: kept, kept: true, ..PackPart::default() };
            }
        }
        let Ok(Some(token)) = self.blocking(|store| store.token()).await else {
            let reason = "no session".to_owned();
            return broken(TransportError::Refused(ErrorBody { kind: ErrorKind::Unauthenticated, reason, retry_after_s: None }));
        };
        let arrived = Mutex::new(Vec::new());
        let arriving = |piece: &[u8]| lock(&arrived).extend_from_slice(piece);
        let mut fetching = std::pin::pin!(timeout(EXCHANGE, self.transport.pack(token, pack.at.stream, pack.sha256, offset, &arriving)));
        let mut kept = 0;
        let part = loop {
            tokio::select! {
                part = &mut fetching => break part,
                () = sleep(KEEP_EVERY) => kept += self.keep(pack.sha256, offset, &arrived, kept).await,
            }
        };
        let part = part.unwrap_or_else(|_| PackPart { bytes: lock(&arrived).clone(), ..broken(TransportError::Timeout) });
        if part.broke.is_some() {
            self.keep(pack.sha256, offset, &arrived, kept).await;
        }
        part
    }

    /// Keeps what has arrived of a pack beyond `from` bytes; says how many that were. What cannot be kept is only fetched again.
    async fn keep(&self, pack: Hash, offset: u64, arrived: &Mutex<Vec<u8>>, from: usize) -> usize {
        let piece = lock(arrived)[from..].to_vec();
        let (length, at) = (piece.len(), offset + from as u64);
        if length == 0 || self.blocking(move |store| store.keep_part(pack, at, &piece)).await.is_err() {
            return 0;
        }
        length
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&dyn SyncStore) -> Result<T, StoreFault> + Send + 'static) -> Result<T, StoreFault> {
        blocking(Arc::clone(&self.store), work).await
    }
}

async fn blocking<T: Send + 'static>(
    store: Arc<dyn SyncStore>,
    work: impl FnOnce(&dyn SyncStore) -> Result<T, StoreFault> + Send + 'static,
) -> Result<T, StoreFault> {
    spawn_blocking(move || work(&*store)).await.unwrap_or(Err(StoreFault::Storage))
}

/// Opens the line for "something new".
async fn listen(store: Arc<dyn SyncStore>, transport: Arc<dyn Transport>) -> Option<Box<dyn News>> {
    let token = blocking(store, |store| store.token()).await.ok()??;
    timeout(EXCHANGE, transport.news(token)).await.ok()?.ok()
}

/// Sends a request, and reads what is answered.
async fn ask(transport: &dyn Transport, body: Vec<u8>) -> Result<Answered, TransportError> {
    let framed = timeout(EXCHANGE, transport.sync(body)).await.unwrap_or(Err(TransportError::Timeout))?;
    // It takes a while: never in a polled body.
    spawn_blocking(move || Answered::read(&framed)).await.map_err(|_| TransportError::Timeout)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends when the background is to stop, also because no handle of it is left.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod tests;
