//! What servers claim and do not sign, and what they sign and take back: nothing typed is lost by it, and an honest server gets everything, once.

use super::*;
use crate::domain::fact::{Visit, VisitKind, VisitResult};
use crate::wire::entry::Leave;

/// A household that the town holds, and on the phone a note and a visit that it does not.
fn day() -> (Town, Phone, DeviceId, Saved, Vec<Hash>) {
    let (mut town, (a, da), _) = pair();
    let (home, _) = a.household("民主街5号", "张三", "13812348000");
    town.sync(&a, da);
    let note = a.set(home.doc, "note", "有狗");
    a.store.visit(home.doc, &care()).unwrap();
    let visit = a.store.edits(home.doc).unwrap().pop().unwrap().edit;
    (town, a, da, home, vec![home.edit, note.edit, visit])
}

fn care() -> Visit {
    Visit { kind: VisitKind::Care, result: VisitResult::Met, persons: Vec::new(), needs: Some("药品".to_owned()), next_due_ms: None, cases: Vec::new() }
}

/// One exchange, with an answer that is none of the town's.
fn told(phone: &Phone, change: impl FnOnce(&mut Answer)) -> Applied {
    let prepared = phone.store.prepare(Prepare::default()).unwrap();
    let mut answer = Answer { nonce: prepared.request.nonce, now_ms: 1_790_000_200_000, ..Answer::default() };
    change(&mut answer);
    phone.store.apply(&answer).unwrap()
}

fn reject(fault: BatchFault) -> impl Fn(&mut Answer) {
    move |answer| answer.rejections = vec![BatchRejection { index: 0, fault }]
}

/// The honest town has everything once, and the phone says so and nothing else.
#[track_caller]
fn comes_home(mut town: Town, a: &Phone, da: DeviceId, home: Saved, typed: &[Hash]) {
    for _ in 0..2 {
        town.sync(a, da);
    }
    let mut there = town.edits();
    there.sort();
    let mut all = typed.to_vec();
    all.sort();
    assert_eq!(there, all, "everything once");
    let status = a.store.status().unwrap();
    assert_eq!((status.unsent, status.refused, status.rebuilding), (0, 0, false));
    assert_eq!(delivery(a, home.doc), DeliveryState::Received);
    let rows = a.store.edits(home.doc).unwrap();
    assert!(rows.iter().all(|row| row.delivery.state == DeliveryState::Received && row.delivery.reason.is_none()), "{rows:#?}");
    assert_eq!(rows.len(), typed.len(), "each is shown once");
    assert_eq!(field(a, home.doc, "note").as_deref(), Some("有狗"));
    assert_eq!(a.store.status().unwrap().parked, 0);
}

const FAULTS: [BatchFault; 6] =
    [BatchFault::Malformed, BatchFault::Unverified, BatchFault::Foreign, BatchFault::TooLarge, BatchFault::Gap, BatchFault::Other(99)];

#[test]
fn a_rejection_that_nobody_signed_keeps_the_work_as_it_is() {
    for fault in FAULTS {
        let (town, a, da, home, mut typed) = day();
        let life = a.store.incarnation().unwrap();
        let sealed = a.store.prepare(Prepare::default()).unwrap().request.batches;
        for times in 1..=3 {
            let applied = told(&a, reject(fault));
            assert_eq!((applied.rejected, applied.more, applied.refused), (times, false, 0), "{fault:?}");
        }
        let a = a.reopen();
        assert_eq!(told(&a, reject(fault)).rejected, 4, "a restart does not begin anew");
        typed.push(a.set(home.doc, "tenure", "租住").edit);
        let status = a.store.status().unwrap();
        assert_eq!((status.unsent, status.refused, status.rebuilding), (3, 0, false), "{fault:?}");
        let again = a.store.prepare(Prepare::default()).unwrap().request.batches;
        assert_eq!(again[..sealed.len()], sealed, "the same bytes");
        assert!(a.store.prepare(Prepare { keep: true, ..Prepare::default() }).unwrap().request.batches.is_empty());
        comes_home(town, &a, da, home, &typed);
        assert_eq!(a.store.incarnation().unwrap(), life);
    }
}

#[test]
fn what_no_server_takes_is_sealed_anew_and_never_for_a_person_to_decide() {
    for fault in FAULTS {
        let (town, a, da, home, typed) = day();
        let life = a.store.incarnation().unwrap();
        for _ in 0..40 {
            told(&a, reject(fault));
            let status = a.store.status().unwrap();
            assert_eq!((status.unsent, status.refused), (2, 0), "{fault:?}");
        }
        assert_ne!(a.store.incarnation().unwrap(), life, "{fault:?}");
        let lives: i64 = a.store.inner.db.read(|db| Ok::<_, StoreError>(db.query_row("SELECT count(*) FROM lives", [], |row| row.get(0))?)).unwrap();
        assert!(lives <= 4, "{lives} lives: each costs twice as many rejections as the one before");
        comes_home(town, &a, da, home, &typed);
    }
}

#[test]
fn what_was_taken_and_said_to_be_rejected_is_there_once() {
    for times in [1, 7, 8, 9, 20] {
        for fault in [BatchFault::Malformed, BatchFault::Unverified, BatchFault::TooLarge] {
            let (mut town, a, da, home, typed) = day();
            for _ in 0..times {
                let prepared = a.store.prepare(Prepare::default()).unwrap();
                town.answer(da, &prepared.bytes, &mut |_| Verdict::Accepted);
                let mut answer = Answer { nonce: prepared.request.nonce, ..Answer::default() };
                reject(fault)(&mut answer);
                a.store.apply(&answer).unwrap();
            }
            comes_home(town, &a, da, home, &typed);
        }
    }
}

#[test]
fn an_outbox_head_that_goes_down_takes_back_no_receipt() {
    let (mut town, a, da, home, typed) = day();
    town.sync(&a, da);
    let known = town.devices[&da].outbox;
    for seq in [0, 1] {
        let hash = if seq == 0 { Hash::ZERO } else { batch_hash(&a, seq) };
        let applied = told(&a, |answer| answer.outbox = Some(OutboxHead { incarnation: known.incarnation, seq, hash }));
        assert!(!applied.progress && !applied.more, "an unsigned word below a receipt is no news");
        assert_eq!((delivery(&a, home.doc), a.store.status().unwrap().unsent), (DeliveryState::Received, 0));
    }
    comes_home(town, &a, da, home, &typed);
}

#[test]
fn an_outbox_head_that_goes_up_leaves_nothing_unsent() {
    for unknown in [true, false] {
        let (town, a, da, home, typed) = day();
        let prepared = a.store.prepare(Prepare::default()).unwrap();
        let last = Batch::from_bytes(&prepared.request.batches.last().unwrap().0).unwrap();
        let seq = if unknown { 77 } else { last.header.seq };
        let hash = if unknown { Hash([7; 32]) } else { last.hash() };
        for _ in 0..3 {
            told(&a, |answer| answer.outbox = Some(OutboxHead { incarnation: last.header.incarnation, seq, hash }));
        }
        comes_home(town, &a, da, home, &typed);
    }
}

#[test]
fn what_is_said_to_be_taken_and_is_not_is_sent_again() {
    // Also where the server holds nothing of the device at all, and so has no head to name.
    for first in [true, false] {
        let (mut town, (a, da), _) = pair();
        let (home, _) = a.household("民主街5号", "张三", "13812348000");
        if !first {
            town.sync(&a, da);
        }
        let note = a.set(home.doc, "note", "有狗");
        told(&a, |_| {});
        comes_home(town, &a, da, home, &[home.edit, note.edit]);
    }
}

fn batch_hash(phone: &Phone, seq: u64) -> Hash {
    let hash = |db: &rusqlite::Connection| Ok::<_, StoreError>(db.query_row("SELECT hash FROM batches WHERE seq = ?1", [seq], |row| row.get(0))?);
    Hash(phone.store.inner.db.read(hash).unwrap())
}

/// A server with the keys takes the work, does to its word what `lie` says, and is replaced by the honest one, which knows nothing of it.
fn deceived(lie: impl Fn(&mut Town, DeviceId, &Phone, Saved)) -> (Town, Phone, DeviceId, Saved, Vec<Hash>) {
    let (mut town, a, da, home, typed) = day();
    let mut liar = town.twin();
    lie(&mut liar, da, &a, home);
    liar.sync(&a, da);
    let lengths = town.lengths();
    town.begin_epoch(lengths);
    (town, a, da, home, typed)
}

#[test]
fn a_receipt_with_another_hash_has_a_way_out() {
    for taken in [true, false] {
        let (town, a, da, home, typed) = deceived(|liar, da, a, _| {
            let own = liar.devices[&da].stream;
            if taken {
                liar.sync(a, da);
                liar.streams.get_mut(&own).unwrap().pop();
            }
            let (incarnation, seq) = (a.store.incarnation().unwrap(), 2);
            let batch = Hash([9; 32]);
            liar.state(own, FactKind::Verdict, None, &BatchVerdict { incarnation, seq, batch, received_ms: 5, exceptions: Vec::new() });
        });
        comes_home(town, &a, da, home, &typed);
    }
}

#[test]
fn a_receipt_for_what_is_not_held_is_taken_back_and_the_work_sent() {
    let (town, a, da, home, typed) = deceived(|_, _, _, _| {});
    comes_home(town, &a, da, home, &typed);
}

#[test]
fn a_batch_covered_by_a_backup_is_still_here_when_the_server_that_said_so_is_gone() {
    for left in [false, true] {
        let (town, a, da, home, typed) = deceived(|liar, da, a, home| {
            liar.sync(a, da);
            told(a, |answer| answer.safe_through = Some(u64::MAX));
            if left {
                let (grid, by) = (liar.grid.id, FactId::from_bytes(liar.id()));
                liar.push(grid, Entry::Leave(Leave { doc: home.doc, by }));
            }
        });
        assert!(!left || a.store.household(home.doc).unwrap().is_none());
        comes_home(town, &a, da, home, &typed);
    }
}

#[test]
fn a_false_verdict_that_is_taken_back_leaves_nothing_behind() {
    type Judged = fn() -> Verdict;
    let verdicts: [Judged; 5] = [
        || Verdict::Refused(Refusal::OutOfScope),
        || Verdict::Stranded(Hash::ZERO),
        || Verdict::Waiting(Hash::ZERO),
        || Verdict::Quarantined,
        || Verdict::AlreadyHeld,
    ];
    // The honest server took the work, or never saw it.
    for verdict in verdicts {
        for taken in [true, false] {
            let (mut town, a, da, home, typed) = day();
            let (mut liar, lengths) = (town.twin(), town.lengths());
            let prepared = a.store.prepare(Prepare::default()).unwrap();
            if taken {
                town.answer(da, &prepared.bytes, &mut |_| Verdict::Accepted);
            }
            liar.sync_judged(&a, da, &mut move |_| verdict());
            town.begin_epoch(lengths);
            comes_home(town, &a, da, home, &typed);
        }
    }
}

/// A receipt alone put the change into the record; no stream ever brought it.
#[test]
fn a_receipt_that_is_taken_back_is_no_delivery_when_work_is_done_again() {
    let (mut town, a, da, home, typed) = day();
    let (mut liar, lengths) = (town.twin(), town.lengths());
    liar.moved.push(home.doc);
    liar.sync(&a, da);
    assert_eq!(delivery(&a, home.doc), DeliveryState::Received);
    town.begin_epoch(lengths);
    let Phone { store, clock, dir } = a;
    drop(store);
    let path = dir.path().join("phone.db");
    std::fs::remove_file(path.with_extension("life")).unwrap();
    let a = Phone { store: Store::open(&options(&path, &clock)).unwrap(), clock, dir };
    comes_home(town, &a, da, home, &typed);
}
