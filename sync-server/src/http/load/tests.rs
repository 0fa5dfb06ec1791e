use std::sync::Mutex;

use axum::body::Body;
use fieldgrid_core::wire::frame::plain;
use fieldgrid_core::wire::limits::MAX_BODY;
use futures_util::future::join_all;
use futures_util::stream;
use tokio::time::sleep;

use super::*;

const MIB: usize = 1 << 20;
/// Half of GPRS.
const WEAK: (u64, usize) = (1_000, SLOWEST_BYTES_A_SECOND);

fn load(bodies: usize) -> Arc<Load> {
    Arc::new(Load::new(&Limits { bodies, ..Limits::default() }))
}

/// A body of `length` bytes, of which a piece comes every so many milliseconds, and what has come of it.
fn body(length: usize, (every_ms, piece): (u64, usize)) -> (Request, Arc<Mutex<usize>>) {
    let come = Arc::new(Mutex::new(0));
    let pieces = stream::unfold(Arc::clone(&come), move |come| async move {
        sleep(Duration::from_millis(every_ms)).await;
        let next = {
            let mut come = come.lock().unwrap();
            let next = piece.min(length - *come);
            *come += next;
            next
        };
        (next > 0).then(|| (Ok::<_, std::io::Error>(Bytes::from(vec![0; next])), come))
    });
    (Request::post("/v1/sync").header(header::CONTENT_LENGTH, length).body(Body::from_stream(pieces)).unwrap(), come)
}

fn here(body: &[u8]) -> Request {
    Request::post("/v1/sync").header(header::CONTENT_LENGTH, body.len()).body(Body::from(body.to_vec())).unwrap()
}

async fn from_stranger(_: Bytes) -> Result<Option<DeviceId>, ErrorBody> {
    Ok(None)
}

async fn from_device(_: Bytes) -> Result<Option<DeviceId>, ErrorBody> {
    Ok(Some(DeviceId::from_bytes([1; 16])))
}

async fn from_another(_: Bytes) -> Result<Option<DeviceId>, ErrorBody> {
    Ok(Some(DeviceId::from_bytes([2; 16])))
}

async fn session_ended(_: Bytes) -> Result<Option<DeviceId>, ErrorBody> {
    Err(ErrorBody { kind: ErrorKind::Unauthenticated, reason: "sign".to_owned(), retry_after_s: None })
}

fn kind(read: Result<Held<'_>, Problem>) -> Option<ErrorKind> {
    read.err().map(|problem| problem.0.kind)
}

/// Bytes that are set aside of all memory, and of the strangers' share.
fn held(load: &Load) -> (usize, usize) {
    let of = |[share, _]: &[Share; 2]| (share.pieces - share.free.available_permits()) * PIECE;
    (of(&load.bodies), of(&load.strangers))
}

#[tokio::test(start_paused = true)]
async fn strangers_that_trickle_hold_a_quarter_and_keep_no_device_out() {
    let load = load(32 * MIB);
    let crowd: Vec<_> = (0..400)
        .map(|n| {
            let load = Arc::clone(&load);
            tokio::spawn(async move {
                let (request, _) = body(if n % 2 == 0 { MAX_BODY } else { 48 << 10 }, WEAK);
                kind(load.read(request, MAX_BODY, from_stranger).await)
            })
        })
        .collect();
    for _ in 0..20 {
        sleep(Duration::from_secs(10)).await;
        let (all, strangers) = held(&load);
        assert!(all == strangers && strangers <= 8 * MIB, "{all} {strangers}");
        let sent = load.read(body(3 * MIB, (1, 64 << 10)).0, MAX_BODY, from_device).await;
        assert_eq!(sent.map(|held| held.bytes.len()).unwrap(), 3 * MIB);
        // Who enrols, and a phone that must sign and has no batches with it.
        assert_eq!(kind(load.read(here(&plain(&[0; 300])), MAX_BODY, from_stranger).await), None);
    }
    assert!(held(&load).1 > 4 * MIB, "they were there all the time");
    let refused = join_all(crowd).await.into_iter().filter(|kind| matches!(kind, Ok(Some(ErrorKind::Busy)))).count();
    assert!(refused > 100, "{refused}");
    assert_eq!(held(&load), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn small_bodies_of_strangers_pass_while_their_large_ones_crowd() {
    let load = load(32 * MIB);
    let crowd: Vec<_> = (0..20)
        .map(|_| {
            let load = Arc::clone(&load);
            tokio::spawn(async move { kind(load.read(body(MAX_BODY, (50, 64 << 10)).0, MAX_BODY, from_stranger).await) })
        })
        .collect();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(kind(load.read(body(MAX_BODY, (1, 64 << 10)).0, MAX_BODY, from_stranger).await), Some(ErrorKind::Busy));
    let mut held = load.read(body(20 << 10, (500, 1_400)).0, MAX_BODY, from_stranger).await.unwrap();
    held.unwraps_to(20 << 10).unwrap();
    assert!(join_all(crowd).await.into_iter().any(|kind| matches!(kind, Ok(Some(ErrorKind::Busy)))));
}

#[tokio::test(start_paused = true)]
async fn what_a_strangers_body_unpacks_to_is_of_the_strangers_share() {
    let load = load(32 * MIB);
    let bomb = frame::wrap(&vec![0; 4 * MIB], 1);
    let mut held = load.read(here(&bomb), MAX_BODY, from_stranger).await.unwrap();
    assert_eq!(held.unwraps_to(frame::plain_len(&bomb)).map_err(|problem| problem.0.kind), Err(ErrorKind::Busy), "12 MiB of 8");
}

#[tokio::test(start_paused = true)]
async fn a_device_at_half_of_gprs_is_read_to_its_end() {
    let (load, began) = (load(32 * MIB), Instant::now());
    let read = load.read(body(MIB, WEAK).0, MAX_BODY, from_device).await;
    assert_eq!(read.map(|held| held.bytes.len()).unwrap(), MIB);
    assert!(began.elapsed() >= Duration::from_secs(512));
}

#[tokio::test(start_paused = true)]
async fn a_third_body_of_a_device_is_turned_away_at_once() {
    let load = load(32 * MIB);
    let read = |sender| load.read(body(MIB, WEAK).0, MAX_BODY, sender);
    let (mut first, mut second) = (Box::pin(read(from_device)), Box::pin(read(from_device)));
    for reading in [&mut first, &mut second] {
        assert!(timeout(Duration::from_secs(5), reading).await.is_err(), "it is on its way");
    }
    let (third, come) = body(MIB, WEAK);
    assert_eq!(kind(load.read(third, MAX_BODY, from_device).await), Some(ErrorKind::Busy));
    assert_eq!(*come.lock().unwrap(), WEAK.1, "no more than its opening");
    drop(first);
    let (mine, theirs) = tokio::join!(read(from_device), load.read(body(MIB, WEAK).0, MAX_BODY, from_another));
    assert_eq!((kind(mine), kind(theirs)), (None, None));
}

#[tokio::test(start_paused = true)]
async fn the_body_of_an_ended_session_is_read_to_its_end_and_held_by_nobody() {
    let load = load(0);
    let (request, come) = body(MIB, WEAK);
    assert_eq!(kind(load.read(request, MAX_BODY, session_ended).await), Some(ErrorKind::Unauthenticated));
    assert_eq!(*come.lock().unwrap(), MIB);
    let (slow, began) = (body(MIB, (120_000, MIB - 1)).0, Instant::now());
    assert_eq!(kind(load.read(slow, MAX_BODY, session_ended).await), Some(ErrorKind::Malformed), "under the same deadline");
    assert_eq!(began.elapsed(), BODY_GRACE);
}

#[tokio::test(start_paused = true)]
async fn the_opening_is_waited_for_and_what_is_short_is_all_there_is() {
    let load = load(MIB);
    for (length, seen) in [(100, OPENING), (OPENING, OPENING), (5, 5), (0, 0)] {
        let sender = async |opening: Bytes| {
            assert_eq!(opening.len(), seen);
            from_device(opening).await
        };
        // Not plain, so that it is asked about however short it is.
        let bytes = stream::iter((0..length).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(b"x"))));
        let request = Request::post("/v1/sync").body(Body::from_stream(bytes)).unwrap();
        assert_eq!(load.read(request, MAX_BODY, sender).await.unwrap().bytes, vec![b'x'; length]);
    }
}

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
