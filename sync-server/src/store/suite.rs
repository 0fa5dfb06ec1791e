//! What every store must do. `store_suite!(open)` makes a test of each; `open` gives an empty store that lives as long as what it returns beside it.

use std::sync::Arc;

use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::fact::{Body, Fact, FactKind};
use fieldgrid_core::domain::id::{DeviceId, DocId, FactId, Hash, Incarnation, StreamId, UserId};
use fieldgrid_core::domain::time::Stamp;
use fieldgrid_core::record::RecordKind;
use fieldgrid_core::wire::batch::ChangeItem;
use fieldgrid_core::wire::entry::{Entry, chain};
use fieldgrid_core::wire::suite::{PublicKey, Signature};
use fieldgrid_core::wire::sync::{OutboxHead, SyncState};

use super::{BatchRow, DeviceRow, DocRow, DocStream, Epoch, Origin, Payload, Result, Standing, StateRow, Store, StoreError, StreamKey, Write};

/// A test of each thing that a store must do.
macro_rules! store_suite {
    ($open:path) => {
        $crate::store::suite::store_suite!(
            $open,
            a_job_that_fails_is_undone_and_those_beside_it_are_not,
            jobs_that_wait_together_share_a_commit,
            a_snapshot_stands_still,
            streams_are_dense_and_chained,
            appending_needs_the_lock,
            a_payload_is_stored_once,
            a_document_changes_only_from_the_heads_it_had,
            a_stay_in_a_stream_ends_and_may_begin_again,
            the_outbox_chain_takes_only_the_next_batch,
            a_new_life_closes_those_before,
            epochs_begin_where_the_streams_are,
            serials_go_on_above_the_floor,
            a_signed_request_is_used_once,
            the_last_states_are_kept,
            grids_are_found_by_prefix,
        );
    };
    ($open:path, $($case:ident,)*) => {
        $(#[test]
        fn $case() {
            let (store, _guard) = $open();
            $crate::store::suite::$case(store);
        })*
    };
}
pub(crate) use store_suite;

fn area(code: &str) -> AreaCode {
    code.parse().unwrap()
}

fn stream(n: u8) -> StreamId {
    StreamId::from_bytes([n; 16])
}

fn fact(n: u8) -> Payload {
    let id = FactId::from_bytes([n; 16]);
    Payload::Fact(Fact { id, kind: FactKind::Reference, subject: None, area: None, at: Stamp::default(), body: Body::Held(vec![n]) })
}

fn begin(store: &Arc<dyn Store>) {
    store
        .write_blocking(|tx| {
            tx.open_epoch(Epoch { epoch: 1, opened_ms: 0 })?;
            tx.insert_stream(stream(1), StreamKey::Grid(area("610702001001001")))?;
            tx.insert_stream(stream(2), StreamKey::Desk(area("610702001")))
        })
        .unwrap();
}

fn append(tx: &mut dyn Write, to: StreamId, payload: &Payload) -> Result<u64> {
    let entry = tx.insert_entry(payload, None)?;
    tx.lock_streams(&[to])?;
    tx.append(to, entry)
}

fn device(store: &Arc<dyn Store>) -> DeviceId {
    let (id, own) = (DeviceId::from_bytes([7; 16]), stream(7));
    store
        .write_blocking(move |tx| {
            tx.insert_stream(own, StreamKey::Device(id))?;
            let (key, user) = (PublicKey([0; 32]), UserId::from_bytes([8; 16]));
            tx.insert_device(&DeviceRow { id, key, user, stream: own, standing: Standing::Active, enrolled_ms: 0, heard_ms: 0, refused: 0 })?;
            tx.open_incarnation(Incarnation::from_bytes([1; 16]), id)
        })
        .unwrap();
    id
}

pub(crate) fn a_job_that_fails_is_undone_and_those_beside_it_are_not(store: Arc<dyn Store>) {
    begin(&store);
    let failed: Result<()> = store.write_blocking(|tx| {
        append(tx, stream(1), &fact(1))?;
        tx.set_meta("failed", b"1")?;
        Err(StoreError::Changed)
    });
    assert_eq!(failed, Err(StoreError::Changed));
    let seq = store.write_blocking(|tx| append(tx, stream(1), &fact(1))).unwrap();
    assert_eq!((seq, store.read().unwrap().meta("failed").unwrap()), (1, None));
}

pub(crate) fn jobs_that_wait_together_share_a_commit(store: Arc<dyn Store>) {
    begin(&store);
    let (open, gate) = std::sync::mpsc::channel::<()>();
    store.note(move |_| gate.recv().map_err(|_| StoreError::Closed)).unwrap();
    // Queued while the writer is busy: the last of them runs before the first is visible.
    store.note(|tx| tx.set_meta("first", b"1")).unwrap();
    store.note(|_| Err(StoreError::Changed)).unwrap();
    let (seen, looked) = std::sync::mpsc::channel();
    let outside = Arc::clone(&store);
    store
        .note(move |tx| {
            let inside = tx.meta("first")?.is_some();
            seen.send((inside, outside.read()?.meta("first")?.is_some())).map_err(|_| StoreError::Closed)
        })
        .unwrap();
    open.send(()).unwrap();
    assert_eq!(looked.recv().unwrap(), (true, false), "in one transaction, and not visible before its commit");
    store.write_blocking(|_| Ok(())).unwrap();
    assert!(store.read().unwrap().meta("first").unwrap().is_some());
}

pub(crate) fn a_snapshot_stands_still(store: Arc<dyn Store>) {
    begin(&store);
    let read = store.read().unwrap();
    assert_eq!(read.stream(stream(1)).unwrap().unwrap().head, 0);
    store.write_blocking(|tx| append(tx, stream(1), &fact(1))).unwrap();
    assert_eq!(read.stream(stream(1)).unwrap().unwrap().head, 0);
    drop(read);
    assert_eq!(store.read().unwrap().stream(stream(1)).unwrap().unwrap().head, 1);
}

pub(crate) fn streams_are_dense_and_chained(store: Arc<dyn Store>) {
    begin(&store);
    for n in 1..=5 {
        store.write_blocking(move |tx| append(tx, stream(1), &fact(n))).unwrap();
    }
    let read = store.read().unwrap();
    let placed = read.placed(stream(1), 0, 10).unwrap();
    let mut before = Hash::ZERO;
    for (placed, seq) in placed.iter().zip(1..) {
        before = chain(before, read.entry(placed.entry).unwrap().hash());
        assert_eq!((placed.seq, placed.chain), (seq, before));
        assert_eq!(read.chain_at(stream(1), seq).unwrap(), Some(before));
    }
    let row = read.stream(stream(1)).unwrap().unwrap();
    assert_eq!((placed.len(), row.head, row.chain, row.epoch), (5, 5, before, 1));
    assert_eq!(read.placed(stream(1), 3, 1).unwrap()[0].seq, 4);
    assert_eq!((read.chain_at(stream(1), 0).unwrap(), read.chain_at(stream(1), 6).unwrap()), (Some(Hash::ZERO), None));
}

pub(crate) fn appending_needs_the_lock(store: Arc<dyn Store>) {
    begin(&store);
    let unlocked = store.write_blocking(|tx| {
        let entry = tx.insert_entry(&fact(1), None)?;
        tx.append(stream(1), entry)
    });
    assert!(matches!(unlocked, Err(StoreError::Damaged(_))));
}

pub(crate) fn a_payload_is_stored_once(store: Arc<dyn Store>) {
    begin(&store);
    store
        .write_blocking(|tx| {
            let entry = tx.insert_entry(&fact(1), None)?;
            tx.lock_streams(&[stream(1), stream(2)])?;
            tx.append(stream(1), entry)?;
            tx.append(stream(2), entry)
        })
        .unwrap();
    {
        let read = store.read().unwrap();
        let (one, two) = (read.placed(stream(1), 0, 1).unwrap()[0], read.placed(stream(2), 0, 1).unwrap()[0]);
        assert_eq!((one.entry, one.hash), (two.entry, two.hash));
        assert_eq!(read.delivered(stream(2), 1, &[one.entry]).unwrap(), [one.entry]);
        assert!(read.delivered(stream(2), 0, &[one.entry]).unwrap().is_empty());
    }
    assert!(store.write_blocking(|tx| tx.insert_entry(&fact(1), None)).is_err(), "a fact's id is its own");
}

fn doc(heads: &[u8], changes: u32) -> DocRow {
    let heads = heads.iter().map(|n| Hash([*n; 32])).collect();
    DocRow { id: DocId::from_bytes([3; 16]), kind: RecordKind::Case, area: area("610702001"), heads, changes, author: DeviceId::from_bytes([7; 16]) }
}

pub(crate) fn a_document_changes_only_from_the_heads_it_had(store: Arc<dyn Store>) {
    begin(&store);
    store.write_blocking(|tx| tx.put_doc(&doc(&[1], 1), None)).unwrap();
    let put = |row: DocRow, expected: Option<Vec<Hash>>| store.write_blocking(move |tx| tx.put_doc(&row, expected.as_deref()));
    assert_eq!(put(doc(&[2], 2), None), Err(StoreError::Changed));
    assert_eq!(put(doc(&[2], 2), Some(vec![Hash([9; 32])])), Err(StoreError::Changed));
    put(doc(&[2, 3], 3), Some(vec![Hash([1; 32])])).unwrap();
    assert_eq!(store.read().unwrap().doc(doc(&[], 0).id).unwrap(), Some(doc(&[2, 3], 3)));

    let change = |n: u8| ChangeItem { doc: doc(&[], 0).id, kind: RecordKind::Case, edit: None, raw: vec![n; 20] };
    let origin = Origin { incarnation: Incarnation::from_bytes([1; 16]), seq: 4, item: 2 };
    for n in 1..=2 {
        store.write_blocking(move |tx| tx.insert_entry(&Payload::Change(change(n)), Some(origin))).unwrap();
    }
    let read = store.read().unwrap();
    let changes = read.changes(doc(&[], 0).id).unwrap();
    assert_eq!(changes.iter().map(|(_, change)| change.clone()).collect::<Vec<_>>(), [change(1), change(2)]);
    assert_eq!(read.entry(changes[1].0).unwrap(), Entry::Change(change(2)));
    assert_eq!(read.latest(1).unwrap(), [(changes[1].0, origin)]);
}

fn batch(seq: u64) -> BatchRow {
    BatchRow {
        incarnation: Incarnation::from_bytes([1; 16]),
        seq,
        hash: Hash([u8::try_from(seq).unwrap(); 32]),
        header: vec![1, 2, 3],
        signature: Signature([5; 64]),
        items: vec![Hash([1; 32]), Hash([2; 32])],
        verdict: 1,
        received_ms: 9,
    }
}

pub(crate) fn a_stay_in_a_stream_ends_and_may_begin_again(store: Arc<dyn Store>) {
    begin(&store);
    let (id, of) = (doc(&[], 0).id, stream(1));
    let stay = move |joined, left| DocStream { stream: of, joined, through: 0, left };
    store.write_blocking(move |tx| tx.put_doc(&doc(&[1], 1), None).and_then(|()| tx.insert_doc_stream(id, stay(1, None)))).unwrap();
    let look = |seq| {
        let read = store.read().unwrap();
        (read.streams_of(id).unwrap(), read.docs_in(of).unwrap().len(), read.has_left(id, of).unwrap(), read.left_above(of, seq).unwrap())
    };
    assert_eq!(look(0), (vec![stay(1, None)], 1, false, false));
    store.write_blocking(move |tx| tx.end_doc_stream(id, of, 5)).unwrap();
    assert_eq!(look(4), (vec![], 0, true, true));
    store.write_blocking(move |tx| tx.insert_doc_stream(id, stay(8, None))).unwrap();
    assert_eq!(look(5), (vec![stay(8, None)], 1, false, false));
    let read = store.read().unwrap();
    assert_eq!(read.stays(id).unwrap(), [stay(1, Some(5)), stay(8, None)]);
    assert!(!read.has_left(id, stream(2)).unwrap(), "it never was there");
}

pub(crate) fn the_outbox_chain_takes_only_the_next_batch(store: Arc<dyn Store>) {
    begin(&store);
    let device = device(&store);
    let insert = |seq: u64| store.write_blocking(move |tx| tx.insert_batch(&batch(seq)));
    assert_eq!(insert(2), Err(StoreError::Changed));
    insert(1).unwrap();
    assert_eq!(insert(1), Err(StoreError::Changed));
    insert(2).unwrap();
    let read = store.read().unwrap();
    assert_eq!(read.batch(batch(2).incarnation, 2).unwrap(), Some(batch(2)));
    let life = read.latest_incarnation(device).unwrap().unwrap();
    assert_eq!((life.seq, life.hash, life.place, life.closed), (2, batch(2).hash, 1, false));
}

pub(crate) fn a_new_life_closes_those_before(store: Arc<dyn Store>) {
    begin(&store);
    let id = device(&store);
    store.write_blocking(move |tx| tx.open_incarnation(Incarnation::from_bytes([2; 16]), id)).unwrap();
    assert_eq!(store.write_blocking(|tx| tx.insert_batch(&batch(1))), Err(StoreError::Changed), "a closed life takes no more");
    let life = store.read().unwrap().latest_incarnation(id).unwrap().unwrap();
    assert_eq!((life.id, life.place, life.closed), (Incarnation::from_bytes([2; 16]), 2, false));
}

pub(crate) fn epochs_begin_where_the_streams_are(store: Arc<dyn Store>) {
    begin(&store);
    store.write_blocking(|tx| append(tx, stream(1), &fact(1))).unwrap();
    store.write_blocking(|tx| tx.open_epoch(Epoch { epoch: 9, opened_ms: 5 })).unwrap();
    store.write_blocking(|tx| tx.insert_stream(stream(3), StreamKey::Scope(area("610702001")))).unwrap();
    let read = store.read().unwrap();
    assert_eq!(read.epochs_of(stream(1)).unwrap(), [(1, 1), (9, 2)]);
    assert_eq!(read.epochs_of(stream(2)).unwrap(), [(1, 1), (9, 1)]);
    assert_eq!(read.epochs_of(stream(3)).unwrap(), [(9, 1)]);
    assert_eq!(read.stream(stream(1)).unwrap().unwrap().epoch, 1);
}

pub(crate) fn serials_go_on_above_the_floor(store: Arc<dyn Store>) {
    let next = |floor| store.write_blocking(move |tx| tx.next_serial(area("610702001"), "20260302", floor)).unwrap();
    assert_eq!([next(0), next(0), next(5_000), next(5_000), next(0)], [1, 2, 5_001, 5_002, 5_003]);
    assert_eq!(store.write_blocking(|tx| tx.next_serial(area("610702002"), "20260302", 0)), Ok(1));
}

pub(crate) fn a_signed_request_is_used_once(store: Arc<dyn Store>) {
    begin(&store);
    let id = device(&store);
    let used = |n: u8| store.write_blocking(move |tx| tx.use_signed(id, Hash([n; 32]), 2)).unwrap();
    assert_eq!([1, 2, 1, 2, 3, 2, 3].map(used), [true, true, false, false, true, false, false]);
    assert!(used(1), "only the last two are remembered");
}

pub(crate) fn the_last_states_are_kept(store: Arc<dyn Store>) {
    begin(&store);
    let id = device(&store);
    let state = |seq| {
        let outbox = OutboxHead { incarnation: Incarnation::from_bytes([1; 16]), seq, hash: Hash::ZERO };
        let state = SyncState { cursors: vec![], outbox };
        StateRow { hash: state.hash(), state, directory: Hash([1; 32]) }
    };
    for seq in 1..=4 {
        let states = [state(seq)];
        store.write_blocking(move |tx| tx.put_states(id, &states, 2)).unwrap();
    }
    let read = store.read().unwrap();
    assert_eq!(read.state(id, state(2).hash).unwrap(), None);
    assert_eq!(read.state(id, state(3).hash).unwrap(), Some(state(3)));
}

pub(crate) fn grids_are_found_by_prefix(store: Arc<dyn Store>) {
    begin(&store);
    store.write_blocking(|tx| tx.insert_stream(stream(4), StreamKey::Grid(area("610702002001001")))).unwrap();
    let read = store.read().unwrap();
    let under = |scope: &str| read.grids_under(area(scope)).unwrap().iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(under("610702001"), [stream(1)]);
    assert_eq!(under("610702"), [stream(1), stream(4)]);
    assert_eq!(under("610702001001001"), [stream(1)]);
    assert!(under("610703").is_empty());
    assert_eq!(read.stream_for(StreamKey::Desk(area("610702001"))).unwrap().unwrap().id, stream(2));
    assert_eq!(read.stream_for(StreamKey::Scope(area("610702001"))).unwrap(), None);
}
