use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::time::Instant;

use super::super::store::UnsentReason;
use super::super::sync::FIRST_WAIT_MS;
use super::super::sync::tests::Seeded;
use super::super::transport::Arrived;
use super::*;
use crate::domain::id::StreamId;
use crate::wire::frame;
use crate::wire::sync::{Cursor, PackRef, StateHash};

/// A store that counts what it is asked and applies anything.
#[derive(Debug, Default)]
struct ScriptedStore {
    prepared: AtomicU32,
    applied: AtomicU32,
    wiped: AtomicBool,
    kept: Mutex<Vec<u8>>,
    packs: Vec<PackRef>,
    /// Requests that are out. Whoever applies an answer that says "more" waits for the next, though not for ever.
    out: Option<Arc<AtomicU32>>,
}

impl SyncStore for ScriptedStore {
    fn prepare(&self, ask: Prepare) -> Result<Outgoing, StoreFault> {
        let nonce = ask.ahead.map_or_else(|| self.prepared.fetch_add(1, Ordering::SeqCst), |ahead| ahead.nonce);
        Ok(Outgoing { nonce, body: nonce.to_be_bytes().to_vec(), signed: ask.sign, has_state: ask.send_state, bare: ask.bare })
    }
    fn ahead(&self, answer: &Answer) -> Result<Option<(Ahead, Vec<u8>)>, StoreFault> {
        let nonce = self.prepared.fetch_add(1, Ordering::SeqCst);
        let ahead = Ahead { nonce, state_hash: StateHash([0; 16]) };
        Ok(answer.more.then(|| (ahead, nonce.to_be_bytes().to_vec())))
    }
    fn apply(&self, answer: &Answer) -> Result<Applied, StoreFault> {
        let before = self.applied.fetch_add(1, Ordering::SeqCst);
        if let Some(out) = self.out.as_ref().filter(|_| answer.more) {
            let long = std::time::Instant::now() + Duration::from_secs(5);
            while out.load(Ordering::SeqCst) < before + 2 {
                assert!(std::time::Instant::now() < long, "the next request is not out");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(Applied { packs: self.packs.clone(), more: answer.more, rose: answer.more, progress: answer.more, ..Applied::default() })
    }
    fn apply_pack(&self, _: &[u8]) -> Result<Applied, StoreFault> {
        Ok(Applied::default())
    }
    fn kept_part(&self, _: Hash) -> Result<Vec<u8>, StoreFault> {
        Ok(self.kept.lock().unwrap().clone())
    }
    fn keep_part(&self, _: Hash, at: u64, bytes: &[u8]) -> Result<(), StoreFault> {
        let mut kept = self.kept.lock().unwrap();
        kept.truncate(at as usize);
        kept.extend_from_slice(bytes);
        Ok(())
    }
    fn forget_part(&self) -> Result<(), StoreFault> {
        self.kept.lock().unwrap().clear();
        Ok(())
    }
    fn token(&self) -> Result<Option<Token>, StoreFault> {
        Ok(Some(Token([1; 16])))
    }
    fn unsent(&self) -> Result<Unsent, StoreFault> {
        Ok(Unsent { count: 3, why: Some(UnsentReason::NextSync), aside: 1 })
    }
    fn wipe(&self) -> Result<(), StoreFault> {
        self.wiped.store(true, Ordering::SeqCst);
        Ok(())
    }
}

/// A transport that answers from a script, then always well; and keeps when it was asked.
#[derive(Debug, Default)]
struct ScriptedTransport {
    script: Mutex<VecDeque<Result<(), TransportError>>>,
    asked: Mutex<Vec<Instant>>,
    delay: Duration,
    lines: Mutex<VecDeque<Duration>>,
    offsets: Mutex<Vec<u64>>,
    stranger: bool,
    /// Answers until one says that there is no more.
    pages: AtomicU32,
    out: Arc<AtomicU32>,
}

impl ScriptedTransport {
    fn failing(times: usize, error: &TransportError) -> Self {
        Self { script: Mutex::new(vec![Err(error.clone()); times].into()), ..Self::default() }
    }
    fn asked(&self) -> Vec<Instant> {
        self.asked.lock().unwrap().clone()
    }
}

impl Transport for ScriptedTransport {
    fn sync(&self, body: Vec<u8>) -> super::super::transport::BoxFuture<'_, Result<Vec<u8>, TransportError>> {
        Box::pin(async move {
            self.asked.lock().unwrap().push(Instant::now());
            self.out.fetch_add(1, Ordering::SeqCst);
            sleep(self.delay).await;
            let next = self.script.lock().unwrap().pop_front().unwrap_or(Ok(()));
            let nonce = u32::from_be_bytes(body.try_into().unwrap());
            let more = self.pages.load(Ordering::SeqCst) > 1;
            self.pages.fetch_sub(u32::from(more), Ordering::SeqCst);
            next.map(|()| frame::wrap(&Answer { nonce, more, ..Answer::default() }.to_bytes(), 3))
        })
    }
    fn enrol(&self, _: Vec<u8>) -> super::super::transport::BoxFuture<'_, Result<Vec<u8>, TransportError>> {
        Box::pin(async { Err(TransportError::NoNetwork) })
    }
    fn pack<'a>(&'a self, _: Token, _: StreamId, _: Hash, offset: u64, arrived: Arrived<'a>) -> super::super::transport::BoxFuture<'a, PackPart> {
        Box::pin(async move {
            self.offsets.lock().unwrap().push(offset);
            // A kilobyte every 0.9 s, and never to the end.
            for _ in 0..5 {
                sleep(Duration::from_millis(900)).await;
                arrived(&[7; 1000]);
            }
            std::future::pending().await
        })
    }
    fn news(&self, _: Token) -> super::super::transport::BoxFuture<'_, Result<Box<dyn News>, TransportError>> {
        let line = self.lines.lock().unwrap().pop_front();
        Box::pin(async move { line.map(|after| Box::new(OneEvent(Some(after))) as Box<dyn News>).ok_or(TransportError::Status(404)) })
    }
    fn authenticates(&self) -> bool {
        !self.stranger
    }
}

/// A line with one event, that breaks ten seconds later.
struct OneEvent(Option<Duration>);

impl News for OneEvent {
    fn next(&mut self) -> super::super::transport::BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            let Some(after) = self.0 else {
                sleep(Duration::from_secs(10)).await;
                return Err(TransportError::NoNetwork);
            };
            sleep(after).await;
            self.0 = None;
            Ok(())
        })
    }
}

fn runner(transport: ScriptedTransport) -> (Runner, Arc<ScriptedStore>, Arc<ScriptedTransport>) {
    let (store, transport) = (Arc::new(ScriptedStore::default()), Arc::new(transport));
    let runner = Runner::new(store.clone(), transport.clone(), Seeded::new(7), Handle::current(), Pace::default());
    (runner, store, transport)
}

fn gaps(asked: &[Instant]) -> Vec<Duration> {
    asked.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[tokio::test(start_paused = true)]
async fn a_round_ends_with_what_it_did_or_why_it_waits() {
    let (runner, store, _) = runner(ScriptedTransport::failing(1, &TransportError::NoNetwork));
    let first = runner.sync_once().await;
    assert_eq!(first.wait.map(|wait| wait.reason), Some(WaitReason::NoNetwork));
    let status = runner.status().borrow().clone();
    assert_eq!(status.wait, first.wait);
    assert_eq!(status.next_try_ms, Some(1_780_000_000_000 + i64::try_from(first.wait.unwrap().ms).unwrap()));
    let second = runner.sync_once().await;
    assert_eq!((second.wait, second.round_trips), (None, 2), "the lost request and the one that was answered are one round");
    assert_eq!(store.applied.load(Ordering::SeqCst), 1);
    for summary in [first, second] {
        assert_eq!(summary.unsent, Unsent { count: 3, why: Some(UnsentReason::NextSync), aside: 1 }, "what is left is said, waiting or not");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_future_does_not_stop_the_work() {
    let (runner, store, _) = runner(ScriptedTransport { delay: Duration::from_secs(3), ..ScriptedTransport::default() });
    assert!(timeout(Duration::from_secs(1), runner.sync_once()).await.is_err());
    assert_eq!(store.applied.load(Ordering::SeqCst), 0);
    let mut status = runner.status();
    status.wait_for(|status| status.last.is_some()).await.unwrap();
    assert_eq!(store.applied.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn rounds_asked_for_together_run_one_after_the_other() {
    let (runner, store, transport) = runner(ScriptedTransport { delay: Duration::from_secs(3), ..ScriptedTransport::default() });
    tokio::join!(runner.sync_once(), runner.sync_once());
    assert!(gaps(&transport.asked())[0] >= Duration::from_secs(3), "one outstanding request");
    assert_eq!(store.applied.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn the_next_request_is_out_while_an_answer_is_applied() {
    let out = Arc::new(AtomicU32::new(0));
    let store = Arc::new(ScriptedStore { out: Some(out.clone()), ..ScriptedStore::default() });
    let transport = Arc::new(ScriptedTransport { pages: AtomicU32::new(3), out, ..ScriptedTransport::default() });
    let runner = Runner::new(store.clone(), transport.clone(), Seeded::new(7), Handle::current(), Pace::default());
    let summary = runner.sync_once().await;
    assert_eq!((summary.round_trips, summary.wait), (3, None));
    assert_eq!((transport.asked().len(), store.applied.load(Ordering::SeqCst)), (3, 3), "each was asked once and applied once");
}

#[tokio::test(start_paused = true)]
async fn the_background_backs_off_and_recovers() {
    let (runner, _, transport) = runner(ScriptedTransport::failing(4, &TransportError::NoNetwork));
    runner.start();
    runner.start();
    sleep(Duration::from_secs(600)).await;
    let asked = transport.asked();
    let gaps = gaps(&asked);
    for (n, gap) in gaps.iter().take(4).enumerate() {
        let full = Duration::from_millis(FIRST_WAIT_MS << n);
        assert!(*gap >= full / 2 && *gap <= full + Duration::from_millis(100), "wait {n} was {gap:?}");
    }
    assert!(gaps[4..].iter().all(|gap| *gap >= Pace::default().poll), "polls at its pace once all is well: {gaps:?}");
    runner.stop().await;
    let asked = transport.asked().len();
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(transport.asked().len(), asked);
}

#[tokio::test(start_paused = true)]
async fn saves_go_out_together_soon_but_not_while_the_network_is_away() {
    let (online, _, transport) = runner(ScriptedTransport::default());
    online.start();
    sleep(Duration::from_secs(5)).await;
    for _ in 0..10 {
        online.saved();
    }
    sleep(Duration::from_secs(5)).await;
    assert_eq!(transport.asked().len(), 2);

    let (offline, _, transport) = runner(ScriptedTransport::failing(usize::from(u8::MAX), &TransportError::NoNetwork));
    offline.start();
    sleep(Duration::from_secs(300)).await;
    let before = transport.asked().len();
    for _ in 0..10 {
        offline.saved();
        sleep(Duration::from_secs(1)).await;
    }
    assert!(transport.asked().len() <= before + 1, "saving does not hammer a dead network");
    offline.wake();
    sleep(Duration::from_secs(1)).await;
    assert!(transport.asked().len() > before, "but the network's return is used");
}

#[tokio::test(start_paused = true)]
async fn news_are_fetched_at_once_and_a_line_that_breaks_is_not_hammered() {
    let lines = Mutex::new(vec![Duration::from_secs(40); 100].into());
    let (runner, _, transport) = runner(ScriptedTransport { lines, ..ScriptedTransport::default() });
    runner.start();
    sleep(Duration::from_secs(41)).await;
    assert_eq!(gaps(&transport.asked()), [Duration::from_secs(40)]);
    sleep(Duration::from_secs(3600)).await;
    let opened = 100 - transport.lines.lock().unwrap().len();
    assert!((2..=12).contains(&opened), "opened {opened} times in an hour");
}

#[tokio::test(start_paused = true)]
async fn a_revoked_device_is_wiped_and_stays_silent() {
    let revoked = TransportError::Refused(ErrorBody { kind: ErrorKind::Revoked, reason: String::new(), retry_after_s: None });
    let (runner, store, transport) = runner(ScriptedTransport::failing(1, &revoked));
    runner.start();
    sleep(Duration::from_secs(24 * 3600)).await;
    assert!(store.wiped.load(Ordering::SeqCst));
    assert_eq!(transport.asked().len(), 1);
    assert_eq!(runner.status().borrow().wait.map(|wait| wait.reason), Some(WaitReason::Revoked));
}

#[tokio::test(start_paused = true)]
async fn nobodys_word_but_the_servers_wipes_a_store() {
    let revoked = TransportError::Refused(ErrorBody { kind: ErrorKind::Revoked, reason: String::new(), retry_after_s: None });
    let (runner, store, _) = runner(ScriptedTransport { stranger: true, ..ScriptedTransport::failing(1, &revoked) });
    assert_eq!(runner.sync_once().await.wait.map(|wait| wait.reason), Some(WaitReason::Revoked));
    assert!(!store.wiped.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn the_background_ends_with_its_last_handle() {
    let (runner, _, transport) = runner(ScriptedTransport::default());
    let other = runner.clone();
    runner.start();
    sleep(Duration::from_secs(1)).await;
    drop(runner);
    sleep(Duration::from_secs(600)).await;
    let asked = transport.asked().len();
    assert!(asked > 1);
    drop(other);
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(transport.asked().len(), asked);
}

#[tokio::test(start_paused = true)]
async fn an_app_that_is_killed_in_a_download_goes_on_with_it_when_it_starts_again() {
    let at = Cursor { stream: StreamId::from_bytes([1; 16]), epoch: 1, seq: 40, chain: Hash::ZERO };
    let pack = PackRef { at, size: 100_000, sha256: Hash([9; 32]) };
    let store = Arc::new(ScriptedStore { packs: vec![pack], ..ScriptedStore::default() });
    let transport = Arc::new(ScriptedTransport::default());
    for kept in [4_000, 8_000] {
        let runner = Runner::new(store.clone(), transport.clone(), Seeded::new(7), Handle::current(), Pace::default());
        let round = runner.inner.round();
        // Killed after five seconds: what came in the first four was kept.
        assert!(timeout(Duration::from_millis(5_500), round).await.is_err());
        assert_eq!(store.kept.lock().unwrap().len(), kept);
    }
    assert_eq!(*transport.offsets.lock().unwrap(), [0, 4_000]);
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_and_does_not_fit_is_thrown_away_and_fetched_from_its_start() {
    let at = Cursor { stream: StreamId::from_bytes([1; 16]), epoch: 1, seq: 40, chain: Hash::ZERO };
    let pack = PackRef { at, size: 10, sha256: Hash([9; 32]) };
    let store = Arc::new(ScriptedStore { packs: vec![pack], kept: Mutex::new(vec![0; 11]), ..ScriptedStore::default() });
    let transport = Arc::new(ScriptedTransport::default());
    let runner = Runner::new(store.clone(), transport.clone(), Seeded::new(7), Handle::current(), Pace::default());
    assert!(timeout(Duration::from_secs(3), runner.inner.round()).await.is_err(), "fetched at once from its start");
    assert_eq!((transport.offsets.lock().unwrap().clone(), store.kept.lock().unwrap().len()), (vec![0], 2_000), "from its start, over what was kept");
}

/// A line on which there is always something new.
struct Flood;

impl News for Flood {
    fn next(&mut self) -> super::super::transport::BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async { Ok(()) })
    }
}

/// Answers every request at once; what its line does is the test's.
#[derive(Debug)]
struct Listened {
    asked: AtomicU32,
    answers: bool,
}

impl Transport for Listened {
    fn sync(&self, body: Vec<u8>) -> super::super::transport::BoxFuture<'_, Result<Vec<u8>, TransportError>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let nonce = u32::from_be_bytes(body.try_into().unwrap());
        Box::pin(async move { Ok(frame::plain(&Answer { nonce, ..Answer::default() }.to_bytes())) })
    }
    fn enrol(&self, _: Vec<u8>) -> super::super::transport::BoxFuture<'_, Result<Vec<u8>, TransportError>> {
        Box::pin(async { Err(TransportError::NoNetwork) })
    }
    fn pack<'a>(&'a self, _: Token, _: StreamId, _: Hash, _: u64, _: Arrived<'a>) -> super::super::transport::BoxFuture<'a, PackPart> {
        Box::pin(async { PackPart::default() })
    }
    fn news(&self, _: Token) -> super::super::transport::BoxFuture<'_, Result<Box<dyn News>, TransportError>> {
        let answers = self.answers;
        Box::pin(async move { if answers { Ok(Box::new(Flood) as Box<dyn News>) } else { std::future::pending().await } })
    }
    fn authenticates(&self) -> bool {
        true
    }
}

fn listened(answers: bool) -> (Runner, Arc<Listened>) {
    let transport = Arc::new(Listened { asked: AtomicU32::new(0), answers });
    (Runner::new(Arc::new(ScriptedStore::default()), transport.clone(), Seeded::new(7), Handle::current(), Pace::default()), transport)
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_news_is_followed_at_a_pace() {
    let (runner, transport) = listened(true);
    runner.start();
    sleep(Duration::from_secs(15)).await;
    let soon = transport.asked.load(Ordering::SeqCst);
    assert!((5..=10).contains(&soon), "{soon} requests in 15 s");
    sleep(Duration::from_secs(3_585)).await;
    assert!(transport.asked.load(Ordering::SeqCst) <= soon + 360, "one in ten seconds");
}

#[tokio::test(start_paused = true)]
async fn a_save_goes_out_while_the_line_for_news_is_not_answered() {
    let (runner, transport) = listened(false);
    runner.start();
    sleep(Duration::from_secs(1)).await;
    runner.saved();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(transport.asked.load(Ordering::SeqCst), 2);
}
