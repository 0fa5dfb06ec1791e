//! The outbox up and the streams down.

use super::*;
use crate::device::store::{ApplyError, DeliveryState, PageRequest};
use crate::domain::server_fact::{Instruction, Received};
use crate::domain::time::Interval;
use crate::record::RecordKind;
use crate::wire::entry::{Join, Leave};

#[test]
fn two_phones_edit_offline_and_converge() {
    let (mut town, (a, da), (b, db)) = pair();
    let (saved, _) = a.household("民主街5号", "张三", "13812348000");
    town.sync(&a, da);
    town.sync(&b, db);
    a.set(saved.doc, "phone", "13900000001");
    b.set(saved.doc, "note", "养狗");
    b.set(saved.doc, "tenure", "租住");
    assert_eq!(delivery(&a, saved.doc), DeliveryState::OnPhone);
    town.sync(&a, da);
    town.sync(&b, db);
    town.sync(&a, da);
    for phone in [&a, &b] {
        assert_eq!(field(phone, saved.doc, "phone").as_deref(), Some("13900000001"));
        assert_eq!(field(phone, saved.doc, "note").as_deref(), Some("养狗"));
        assert_eq!(phone.store.status().unwrap().unsent, 0);
        assert_eq!(phone.store.status().unwrap().streams.iter().find(|row| row.stream == town.grid.id).unwrap().chain, town.chain(town.grid.id, 4));
    }
    assert_eq!(heads(&a, saved.doc), heads(&b, saved.doc));
    assert_eq!(delivery(&a, saved.doc), DeliveryState::Received);
    assert_eq!(a.store.household(saved.doc).unwrap().unwrap().edits.last().unwrap().delivery.received_ms.map(|ms| ms > 0), Some(true));
}

#[test]
fn an_idle_request_is_answered_without_the_state() {
    let (mut town, (a, da), _) = pair();
    a.household("民主街5号", "张三", "13812348000");
    town.sync(&a, da);
    let prepared = a.store.prepare(Prepare::default()).unwrap();
    assert_eq!((prepared.request.state.clone(), prepared.request.batches.len(), prepared.signed), (None, 0, false));
    let answer = town.answer(da, &prepared.bytes, &mut |_| Verdict::Accepted);
    assert!(!answer.need_state && answer.pages.is_empty());
    let applied = a.store.apply(&answer).unwrap();
    assert!(!applied.progress && !applied.more);
    assert!(prepared.bytes.len() < 60, "{} bytes", prepared.bytes.len());
}

#[test]
fn a_bare_request_opens_a_session_and_leaves_the_batches_for_it() {
    let (mut town, (a, da), _) = pair();
    let bare = Prepare { sign: true, bare: true, ..Prepare::default() };
    let nothing = a.store.prepare(bare).unwrap();
    assert!(nothing.signed && !nothing.bare, "nothing waits for it");
    let (saved, _) = a.household("民主街5号", "张三", "13812348000");
    let first = a.store.prepare(bare).unwrap();
    assert_eq!((first.request.batches.len(), first.signed, first.bare), (0, true, true));
    let answer = town.answer(da, &first.bytes, &mut |_| Verdict::Accepted);
    a.store.apply(&answer).unwrap();
    let then = a.store.prepare(Prepare { bare: true, ..Prepare::default() }).unwrap();
    assert_eq!((then.request.batches.len(), then.signed, then.bare), (1, false, false));
    town.sync(&a, da);
    assert_eq!(delivery(&a, saved.doc), DeliveryState::Received);
}

#[test]
fn a_lost_answer_is_asked_again_and_nothing_is_doubled() {
    let (mut town, (a, da), (b, db)) = pair();
    let (saved, _) = a.household("民主街5号", "张三", "13812348000");
    let prepared = a.store.prepare(Prepare::default()).unwrap();
    let lost = town.answer(da, &prepared.bytes, &mut |_| Verdict::Accepted);
    let a = a.reopen();
    assert_eq!(a.store.apply(&lost), Err(ApplyError::Stale), "after a restart nothing is outstanding");
    town.sync(&a, da);
    town.sync(&b, db);
    assert_eq!(delivery(&a, saved.doc), DeliveryState::Received);
    assert_eq!(town.streams[&town.grid.id].len(), 1);
    assert_eq!(heads(&a, saved.doc), heads(&b, saved.doc));
}

#[test]
fn only_the_answer_to_the_outstanding_request_is_applied() {
    let (mut town, (a, da), _) = pair();
    a.household("民主街5号", "张三", "13812348000");
    let first = a.store.prepare(Prepare::default()).unwrap();
    let stale = town.answer(da, &first.bytes, &mut |_| Verdict::Accepted);
    let second = a.store.prepare(Prepare::default()).unwrap();
    let fresh = town.answer(da, &second.bytes, &mut |_| Verdict::Accepted);
    assert_eq!(a.store.apply(&stale), Err(ApplyError::Stale));
    assert!(a.store.apply(&fresh).is_ok());
    assert_eq!(a.store.apply(&fresh), Err(ApplyError::Stale), "once");
}

#[test]
fn a_page_that_is_not_proved_changes_nothing() {
    let (mut town, (a, da), (b, db)) = pair();
    b.household("民主街5号", "张三", "13812348000");
    town.sync(&b, db);
    let state = || a.store.status().unwrap().streams;
    let before = state();
    for (name, spoil) in [
        (
            "a changed entry",
            Box::new(|answer: &mut Answer| {
                if let PageEntry::Entry(Entry::Change(change)) = &mut answer.pages.last_mut().unwrap().entries[0] {
                    change.raw[60] ^= 1;
                }
            }) as Box<dyn Fn(&mut Answer)>,
        ),
        (
            "another entry",
            Box::new(|answer| {
                let other = Entry::Leave(Leave { doc: DocId::from_bytes([1; 16]), by: FactId::from_bytes([1; 16]) });
                answer.pages.iter_mut().for_each(|page| page.entries[0] = PageEntry::Entry(other.clone()));
            }),
        ),
        (
            "one entry more",
            Box::new(|answer| {
                let other = Entry::Leave(Leave { doc: DocId::from_bytes([1; 16]), by: FactId::from_bytes([1; 16]) });
                answer.pages.iter_mut().for_each(|page| page.entries.push(PageEntry::Entry(other.clone())));
            }),
        ),
        ("a gap", Box::new(|answer| answer.pages.iter_mut().for_each(|page| page.first += 1))),
        ("no heads", Box::new(|answer| answer.heads = None)),
        (
            "another's signature",
            Box::new(|answer| {
                let heads = answer.heads.take().unwrap();
                answer.heads = Some(SignedHeads::sign(DeviceId::from_bytes([3; 16]), heads.heads, &KeyPair::from_secret(&[1; 32])));
            }),
        ),
        (
            "another key's signature",
            Box::new(move |answer| {
                let heads = answer.heads.take().unwrap();
                answer.heads = Some(SignedHeads::sign(da, heads.heads, &KeyPair::from_secret(&[8; 32])));
            }),
        ),
        ("a stream nobody listed", Box::new(|answer| answer.pages.iter_mut().for_each(|page| page.stream = StreamId::from_bytes([77; 16])))),
    ] {
        let prepared = a.store.prepare(Prepare { send_state: true, sign: true, ..Prepare::default() }).unwrap();
        let mut answer = town.answer(da, &prepared.bytes, &mut |_| Verdict::Accepted);
        spoil(&mut answer);
        assert!(matches!(a.store.apply(&answer), Err(ApplyError::Unproven(_))), "{name}");
        assert_eq!(before, state(), "{name}");
    }
    town.sync(&a, da);
    assert_ne!(before, state());
}

#[test]
fn one_bad_record_is_parked_and_the_page_goes_on() {
    let (mut town, (a, da), (b, db)) = pair();
    let (good, _) = b.household("民主街5号", "张三", "13812348000");
    let (bad, _) = b.household("西环路8号", "李四", "13900000001");
    b.set(bad.doc, "note", "之后的");
    town.sync(&b, db);
    // The middle of the bad record's history is not in the stream: what comes after cannot go in.
    let placed = town.streams.get_mut(&town.grid.id).unwrap();
    let at = placed.iter().position(|placed| matches!(&placed.entry, Entry::Change(change) if change.doc == bad.doc)).unwrap();
    let missing = placed.remove(at);
    let applied = town.sync(&a, da);
    assert!(applied.parked > 0);
    assert_eq!(a.store.status().unwrap().parked, 1);
    assert!(a.store.household(good.doc).unwrap().is_some());
    // It comes after all: what was kept aside goes in too.
    town.streams.get_mut(&town.grid.id).unwrap().push(missing);
    town.sync(&a, da);
    assert_eq!(a.store.status().unwrap().parked, 0);
    assert_eq!(field(&a, bad.doc, "note").as_deref(), Some("之后的"));
    assert_eq!(heads(&a, bad.doc), heads(&b, bad.doc));
}

#[test]
fn a_pack_brings_a_stream_at_once_and_own_work_in_it_is_settled() {
    let (mut town, (a, da), (b, db)) = pair();
    let docs: Vec<DocId> = (0..40).map(|n| b.household(&format!("民主街{n}号"), "张三", "13812348000").0.doc).collect();
    town.sync(&b, db);
    // Own work that the pack contains: sealed and admitted, the answer lost.
    let (own, _) = a.household("西环路8号", "李四", "13900000001");
    let prepared = a.store.prepare(Prepare::default()).unwrap();
    drop(town.answer(da, &prepared.bytes, &mut |_| Verdict::Accepted));
    let pack = town.pack();
    let mut spoiled = pack.clone();
    let last = spoiled.len() - 1;
    spoiled[last] ^= 1;
    assert!(matches!(a.store.apply_pack(&spoiled), Err(ApplyError::Wire(_))));
    a.store.apply_pack(&pack).unwrap();
    assert_eq!(a.store.households(&Default::default(), PageRequest::first(100)).unwrap().rows.len(), 41);
    assert_eq!(heads(&a, docs[7]), heads(&b, docs[7]));
    let applied = town.sync(&a, da);
    assert_eq!(delivery(&a, own.doc), DeliveryState::Received);
    assert!(applied.entries <= 2, "only the verdict was left to read");
}

#[test]
fn when_the_server_received_an_action_is_shown_whichever_came_first() {
    let (mut town, (a, da), (b, db)) = pair();
    let saved = a.report("井盖破损");
    town.sync(&a, da);
    let case = a.store.case(saved.doc).unwrap().unwrap().case.unwrap();
    let received = Interval { earliest_ms: 1, latest_ms: 2 };
    let grid = town.grid.id;
    town.state(grid, FactKind::Received, None, &Received::These(received, vec![case.history[0].id]));
    let placed = town.streams.get_mut(&grid).unwrap();
    placed.swap(0, 1);
    town.sync(&b, db);
    assert_eq!(b.store.case(saved.doc).unwrap().unwrap().received.get(&case.history[0].id), Some(&received));
}

#[test]
fn a_stream_says_before_what_follows_when_the_server_received_it() {
    let (mut town, (a, da), (b, db)) = pair();
    let c = Phone::new(3);
    let dc = town.enrol(&c, Role::GridMember);
    let grid = town.grid.id;
    let [early, late] = [(1, 2), (3, 4)].map(|(earliest_ms, latest_ms)| Interval { earliest_ms, latest_ms });
    let received = |phone: &Phone, doc| phone.store.case(doc).unwrap().unwrap().received.into_values().collect::<Vec<_>>();

    town.state(grid, FactKind::Received, None, &Received::Next(early));
    let one = a.report("井盖破损");
    town.sync(&a, da);
    town.sync(&b, db);
    // What comes with a later answer is still received then, until the stream says something else.
    let two = a.report("路灯不亮");
    town.sync(&a, da);
    town.sync(&b, db);
    town.state(grid, FactKind::Received, None, &Received::Next(late));
    let three = a.report("垃圾未清");
    town.sync(&a, da);
    town.sync(&b, db);
    c.store.apply_pack(&town.pack()).unwrap();
    town.sync(&c, dc);
    for phone in [&a, &b, &c] {
        assert_eq!([&one, &two, &three].map(|saved| received(phone, saved.doc)), [vec![early], vec![early], vec![late]]);
    }
}

#[test]
fn a_save_goes_in_between_the_pieces_of_a_long_page() {
    let (mut town, (a, da), (b, db)) = pair();
    for n in 0..120 {
        b.household(&format!("民主街{n}号"), "张三", "13812348000");
    }
    town.sync(&b, db);
    let prepared = a.store.prepare(Prepare::default()).unwrap();
    let answer = town.answer(da, &prepared.bytes, &mut |_| Verdict::Accepted);
    std::thread::scope(|scope| {
        let applying = scope.spawn(|| a.store.apply(&answer).unwrap());
        let mut saved = 0;
        while !applying.is_finished() {
            a.store.act(None, ActionKind::Report, report("忙时上报")).unwrap();
            saved += 1;
        }
        assert_eq!(applying.join().unwrap().entries, 120);
        assert!(saved > 1, "{saved} saves while the page was applied");
    });
    town.sync(&a, da);
    assert_eq!(a.store.status().unwrap().unsent, 0);
}

#[test]
fn what_was_typed_before_an_answer_is_sealed_at_the_positions_it_was_typed_at() {
    let (mut town, (a, da), (b, db)) = pair();
    let theirs = b.report("路灯不亮");
    town.sync(&b, db);
    let prepared = a.store.prepare(Prepare::default()).unwrap();
    let typed = a.report("井盖破损");
    let answer = town.answer(da, &prepared.bytes, &mut |_| Verdict::Accepted);
    a.store.apply(&answer).unwrap();
    assert!(a.store.case(theirs.doc).unwrap().is_some());
    let next = a.store.prepare(Prepare::default()).unwrap();
    let sealed: Vec<Batch> = next.request.batches.iter().map(|sealed| Batch::from_bytes(&sealed.0).unwrap()).collect();
    assert_eq!(sealed.len(), 1);
    assert!(sealed[0].header.positions.iter().all(|position| position.seq == 0), "he had seen nothing of what the answer brought");
    town.sync(&a, da);
    assert_eq!(delivery(&a, typed.doc), DeliveryState::Received);
}

#[test]
fn a_record_that_leaves_one_stream_and_has_joined_another_stays() {
    let (mut town, (a, da), (b, db)) = pair();
    let saved = b.report("路灯不亮");
    town.sync(&b, db);
    town.sync(&a, da);
    let raw = a.store.record(saved.doc).unwrap().unwrap().changes().into_iter().map(|change| change.raw).collect();
    let by = FactId::from_bytes(town.id());
    let (grid, own) = (town.grid.id, town.devices[&da].stream);
    town.push(grid, Entry::Leave(Leave { doc: saved.doc, by }));
    town.state(own, FactKind::Instruction, None, &Instruction::Approved);
    town.push(own, Entry::Join(Join { doc: saved.doc, kind: RecordKind::Case, changes: raw }));
    // The leave comes an answer before the join.
    town.page = 1;
    let applied = town.sync(&a, da);
    assert_eq!((applied.purged, a.texts(saved.doc).len()), (0, 1));
    town.push(own, Entry::Leave(Leave { doc: saved.doc, by }));
    assert_eq!(town.sync(&a, da).purged, 1);
    assert!(a.store.case(saved.doc).unwrap().is_none());
}

#[test]
fn what_left_in_a_life_of_the_server_that_was_lost_is_read_again() {
    let (mut town, (a, da), (b, db)) = pair();
    let saved = b.report("路灯不亮");
    town.sync(&b, db);
    let backup = town.streams.iter().map(|(id, placed)| (*id, placed.len())).collect();
    let by = FactId::from_bytes(town.id());
    let grid = town.grid.id;
    town.push(grid, Entry::Leave(Leave { doc: saved.doc, by }));
    town.sync(&a, da);
    assert!(a.store.case(saved.doc).unwrap().is_none());
    town.restore(&backup);
    town.sync(&b, db);
    b.supplement(saved.doc, "还在闪");
    town.sync(&b, db);
    town.sync(&a, da);
    assert_eq!((a.texts(saved.doc), a.store.status().unwrap().parked), (b.texts(saved.doc), 0));
    assert_eq!(a.texts(saved.doc).len(), 2);
}
