//! What becomes of own work: refused, stranded, retired, there already, and done again.

use super::*;
use crate::device::store::{DeliveryState, SaveError};
use crate::domain::fact::{Visit, VisitKind, VisitResult};
use crate::domain::policy::Refusal;
use crate::domain::server_fact::Received;
use crate::domain::time::Interval;
use crate::wire::entry::{Entry, Leave};

#[test]
fn a_refused_edit_stays_visible_and_what_stood_on_it_is_done_again_once() {
    let (mut town, (a, da), (b, db)) = pair();
    let (saved, _) = a.household("民主街5号", "张三", "13812348000");
    town.sync(&a, da);
    let before = a.store.incarnation().unwrap();
    let refused = a.set(saved.doc, "note", "不该写的");
    // Two batches in flight: the refused edit in the first, later ones on top of it in both.
    a.set(saved.doc, "phone", "13900000001");
    a.store.prepare(Prepare::default()).unwrap();
    a.set(saved.doc, "tenure", "租住");
    let mut judge = refusing(refused.edit);
    town.sync_judged(&a, da, &mut judge);
    town.sync(&b, db);
    assert_ne!(before, a.store.incarnation().unwrap());
    for phone in [&a, &b] {
        assert_eq!(field(phone, saved.doc, "note"), None);
        assert_eq!(field(phone, saved.doc, "phone").as_deref(), Some("13900000001"));
        assert_eq!(field(phone, saved.doc, "tenure").as_deref(), Some("租住"));
    }
    assert_eq!(heads(&a, saved.doc), heads(&b, saved.doc));
    let status = a.store.status().unwrap();
    assert_eq!((status.unsent, status.refused, status.rebuilding), (0, 1, false));
    let edit = a.store.outbox().unwrap().pop().unwrap();
    assert_eq!((edit.edit, edit.delivery.state, edit.delivery.reason), (refused.edit, DeliveryState::Refused, Some(Refusal::OutOfScope)));
    assert!(edit.words.is_some());
    assert_eq!(delivery(&a, saved.doc), DeliveryState::Refused);
    // Redone edits keep their ids: the town has each once.
    let edits: Vec<Hash> =
        town.streams[&town.grid.id].iter().filter_map(|placed| if let Entry::Change(change) = &placed.entry { Some(change.edit_id()) } else { None }).collect();
    let mut once = edits.clone();
    once.sort();
    once.dedup();
    assert_eq!((edits.len(), once.len()), (3, 3));
    a.store.discard(refused.doc, refused.edit).unwrap();
    assert_eq!(a.store.status().unwrap().refused, 0);
    assert_eq!(delivery(&a, saved.doc), DeliveryState::Received);
}

#[test]
fn while_a_rebuild_is_pending_nothing_is_sealed_and_saving_goes_on() {
    let (mut town, (a, da), _) = pair();
    let (saved, _) = a.household("民主街5号", "张三", "13812348000");
    let refused = a.set(saved.doc, "note", "不该写的");
    // One batch at a time: the first answer only brings the first verdict.
    let prepared = a.store.prepare(Prepare::default()).unwrap();
    a.set(saved.doc, "tenure", "租住");
    let second = a.store.prepare(Prepare::default()).unwrap();
    assert_eq!((prepared.request.batches.len(), second.request.batches.len()), (1, 2));
    let mut judge = refusing(refused.edit);
    town.page = 1;
    let answer = town.answer(da, &second.bytes, &mut judge);
    town.page = 1_000;
    let applied = a.store.apply(&answer).unwrap();
    assert!(applied.more);
    a.set(saved.doc, "phone", "13900000001");
    let third = a.store.prepare(Prepare::default()).unwrap();
    assert_eq!(third.request.batches.len(), 0, "nothing is sealed meanwhile");
    assert!(a.store.status().unwrap().rebuilding);
    let answer = town.answer(da, &third.bytes, &mut judge);
    a.store.apply(&answer).unwrap();
    assert!(!a.store.status().unwrap().rebuilding);
    town.sync_judged(&a, da, &mut judge);
    assert_eq!(field(&a, saved.doc, "phone").as_deref(), Some("13900000001"));
    assert_eq!(field(&a, saved.doc, "tenure").as_deref(), Some("租住"));
    assert_eq!(a.store.status().unwrap().unsent, 0);
}

#[test]
fn what_is_typed_while_a_rebuild_is_pending_is_judged_by_what_had_been_read_then() {
    let (mut town, (a, da), (b, db)) = pair();
    let case = b.report("路灯不亮");
    town.sync(&b, db);
    let (saved, _) = a.household("民主街5号", "张三", "13812348000");
    town.sync(&a, da);
    let refused = a.set(saved.doc, "note", "不该写的");
    a.store.prepare(Prepare::default()).unwrap();
    a.set(saved.doc, "tenure", "租住");
    let second = a.store.prepare(Prepare::default()).unwrap();
    // The first answer brings the first verdict alone; the second the other one, and that the case has left.
    let mut judge = refusing(refused.edit);
    town.page = 1;
    let answer = town.answer(da, &second.bytes, &mut judge);
    a.store.apply(&answer).unwrap();
    let read = a.store.status().unwrap().streams;
    let typed = a.supplement(case.doc, "已设围挡");
    let by = FactId::from_bytes(town.id());
    let grid = town.grid.id;
    town.push(grid, Entry::Leave(Leave { doc: case.doc, by }));
    town.moved.push(case.doc);
    town.page = 1_000;
    let third = a.store.prepare(Prepare::default()).unwrap();
    assert!(a.store.status().unwrap().rebuilding);
    let answer = town.answer(da, &third.bytes, &mut judge);
    a.store.apply(&answer).unwrap();
    a.set(saved.doc, "language", "羌语");
    assert!(!a.store.status().unwrap().rebuilding);

    let sealed: Vec<Batch> = a.store.prepare(Prepare::default()).unwrap().request.batches.iter().map(|sealed| Batch::from_bytes(&sealed.0).unwrap()).collect();
    let of = |edit: Hash| {
        let carries = |batch: &&Batch| batch.items.iter().any(|item| matches!(item, Item::Change(change) if change.edit_id() == edit));
        let batch = sealed.iter().find(carries).unwrap();
        batch.header.positions.iter().find(|position| position.stream == grid).unwrap().seq
    };
    let then = read.iter().find(|row| row.stream == grid).unwrap().seq;
    assert_eq!(of(typed.edit), then);
    let ascending = |pair: &[Batch]| pair[0].header.positions < pair[1].header.positions;
    assert!(sealed.windows(2).all(ascending), "what was typed after that says so, and before too");
    town.sync_judged(&a, da, &mut judge);
    assert_eq!((standing(&a, typed.edit), a.store.status().unwrap().unsent), (Standing::Received, 0));
    assert!(a.store.case(case.doc).unwrap().is_none(), "and then it goes");
}

#[test]
fn what_fails_a_second_time_is_for_a_person_to_decide() {
    let (mut town, (a, da), _) = pair();
    let (saved, _) = a.household("民主街5号", "张三", "13812348000");
    town.sync(&a, da);
    let edit = a.set(saved.doc, "note", "总是搁浅");
    town.sync_judged(&a, da, &mut |_| Verdict::Stranded(Hash::ZERO));
    let status = a.store.status().unwrap();
    assert_eq!((status.unsent, status.refused, status.rebuilding), (0, 1, false));
    let row = a.store.outbox().unwrap().pop().unwrap();
    assert_eq!((row.edit, row.delivery.state), (edit.edit, DeliveryState::Decide));
    assert_eq!(field(&a, saved.doc, "note"), None);
}

#[test]
fn an_edit_that_is_there_already_is_not_done_twice() {
    let (mut town, (a, da), _) = pair();
    let (saved, _) = a.household("民主街5号", "张三", "13812348000");
    town.sync(&a, da);
    a.set(saved.doc, "note", "早已到了");
    a.set(saved.doc, "tenure", "租住");
    let mut first = true;
    town.sync_judged(&a, da, &mut move |_| if std::mem::take(&mut first) { Verdict::AlreadyHeld } else { Verdict::Accepted });
    let status = a.store.status().unwrap();
    assert_eq!((status.unsent, status.refused), (0, 0));
}

#[test]
fn work_on_a_retired_record_is_done_in_the_new_one() {
    let (mut town, (a, da), (b, db)) = pair();
    let (old, _) = a.household("民主街5号", "张三", "13812348000");
    let (new, _) = b.household("民主街5号", "张三", "13812348000");
    town.sync(&a, da);
    town.sync(&b, db);
    town.sync(&a, da);
    a.set(old.doc, "note", "写在旧的上");
    let mut judge = move |item: &Item| match item {
        Item::Change(change) if change.doc == old.doc => Verdict::Retired(new.doc),
        _ => Verdict::Accepted,
    };
    town.sync_judged(&a, da, &mut judge);
    assert_eq!(field(&a, old.doc, "note"), None);
    assert_eq!(field(&a, new.doc, "note").as_deref(), Some("写在旧的上"));
    assert_eq!(a.store.status().unwrap().unsent, 0);
}

#[test]
fn a_refused_report_stays_on_the_list_and_can_be_given_up() {
    let (mut town, (a, da), _) = pair();
    let saved = a.report("越界的上报");
    let mut judge = refusing(saved.edit);
    town.sync_judged(&a, da, &mut judge);
    let detail = a.store.case(saved.doc).unwrap().unwrap();
    assert_eq!(detail.row.delivery.state, DeliveryState::Refused);
    assert_eq!(detail.row.title.as_deref(), Some("越界的上报"));
    assert_eq!(a.store.send_as_note(saved.doc, saved.edit), Err(SaveError::NoSuchRecord), "the centre has no case that a note could go to");
    a.store.discard(saved.doc, saved.edit).unwrap();
    assert_eq!(a.store.case(saved.doc).unwrap(), None);
}

#[test]
fn a_refused_edit_can_be_sent_as_a_note() {
    let (mut town, (a, da), _) = pair();
    let case = a.report("井盖破损");
    town.sync(&a, da);
    let refused = a.supplement(case.doc, "有用的话");
    let mut judge = refusing(refused.edit);
    town.sync_judged(&a, da, &mut judge);
    assert_eq!(a.texts(case.doc), ["井盖破损,请尽快处理"]);
    let note = a.store.send_as_note(refused.doc, refused.edit).unwrap();
    assert_eq!(note.doc, case.doc);
    town.sync(&a, da);
    assert!(a.texts(case.doc).last().unwrap().contains("有用的话"));
    assert_eq!(a.store.status().unwrap().refused, 0);
}

#[test]
fn a_batch_that_is_too_new_for_the_server_is_kept_as_it_is() {
    let (mut town, (a, da), (b, db)) = pair();
    let theirs = b.report("路灯不亮");
    town.sync(&b, db);
    let (saved, _) = a.household("民主街5号", "张三", "13812348000");
    let sealed = a.store.prepare(Prepare::default()).unwrap().request.batches;
    let life = a.store.incarnation().unwrap();
    a.set(saved.doc, "note", "之后的");
    town.outdated = true;
    let applied = town.sync(&a, da);
    assert!(applied.server_outdated);
    assert!(a.store.case(theirs.doc).unwrap().is_some(), "what others wrote still comes down");
    a.set(saved.doc, "tenure", "租住");
    assert!(town.sync(&a, da).server_outdated);
    let status = a.store.status().unwrap();
    assert_eq!((status.unsent, status.refused, status.rebuilding, a.store.incarnation().unwrap()), (3, 0, false, life));
    let a = a.reopen();
    let again = a.store.prepare(Prepare::default()).unwrap().request.batches;
    assert_eq!((again.len(), &again[..1]), (3, &sealed[..]), "the same bytes");

    town.outdated = false;
    assert!(!town.sync(&a, da).server_outdated);
    town.sync(&b, db);
    assert_eq!((a.store.status().unwrap().unsent, a.store.incarnation().unwrap()), (0, life));
    assert_eq!(heads(&a, saved.doc), heads(&b, saved.doc));
    assert_eq!(town.streams[&town.grid.id].len(), 4, "nothing twice");
}

#[test]
fn work_on_a_record_that_cannot_be_read_waits_until_it_can() {
    let (mut town, (a, da), _) = pair();
    let (saved, _) = a.household("民主街5号", "张三", "13812348000");
    town.sync(&a, da);
    a.set(saved.doc, "note", "还没上传");
    let put = |phone: &Phone, changes: &[u8]| {
        phone.store.inner.db.write(|tx| Ok::<_, StoreError>(tx.execute("UPDATE documents SET changes = ?1", [changes])?)).unwrap();
    };
    let whole: Vec<u8> = a.store.inner.db.read(|db| Ok::<_, StoreError>(db.query_row("SELECT changes FROM documents", [], |row| row.get(0))?)).unwrap();
    put(&a, &[0, 0, 0, 1, 255]);
    a.store.inner.db.write(|tx| super::super::rebuild::set_renew(tx, super::super::meta::Renew::Refused)).unwrap();
    let before = a.store.incarnation().unwrap();
    assert_eq!(a.store.prepare(Prepare::default()).unwrap().request.batches, []);
    assert_ne!(before, a.store.incarnation().unwrap());
    // Nothing is written over what cannot be read, and what was shown stays.
    let more = Command::EditHousehold(vec![HouseholdEdit::Set("note".to_owned(), Value::Text("x".to_owned()))]);
    assert!(matches!(a.store.save(saved.doc, &more), Err(SaveError::Record(_))));
    a.store.rebuild_projections().unwrap();
    assert!(a.store.household(saved.doc).unwrap().unwrap().household.is_some());
    put(&a, &whole);
    let a = a.reopen();
    town.sync(&a, da);
    assert_eq!(delivery(&a, saved.doc), DeliveryState::Received);
    assert_eq!(a.store.status().unwrap().unsent, 0);
    assert_eq!(field(&a, saved.doc, "note").as_deref(), Some("还没上传"));
}

#[test]
fn only_what_comes_before_the_first_rejected_batch_is_held() {
    let (mut town, (a, da), _) = pair();
    let (saved, _) = a.household("民主街5号", "张三", "13812348000");
    a.store.prepare(Prepare::default()).unwrap();
    a.set(saved.doc, "note", "之后的");
    let prepared = a.store.prepare(Prepare::default()).unwrap();
    assert_eq!(prepared.request.batches.len(), 2);
    let rejections = vec![BatchRejection { index: 0, fault: BatchFault::Gap }];
    let applied = a.store.apply(&Answer { nonce: prepared.request.nonce, rejections, ..Answer::default() }).unwrap();
    assert!(!applied.progress && !applied.more);
    town.sync(&a, da);
    assert_eq!(delivery(&a, saved.doc), DeliveryState::Received);
}

#[test]
fn a_fact_that_fails_a_second_time_is_for_a_person_to_decide() {
    let (mut town, (a, da), _) = pair();
    let (saved, _) = a.household("民主街5号", "张三", "13812348000");
    town.sync(&a, da);
    let fact = a.store.visit(saved.doc, &care()).unwrap();
    town.sync_judged(&a, da, &mut |_| Verdict::Stranded(Hash::ZERO));
    assert_eq!(a.store.prepare(Prepare::default()).unwrap().request.batches, []);
    let visits = a.store.household(saved.doc).unwrap().unwrap().visits;
    assert_eq!(visits.iter().map(|row| (row.fact, row.delivery.state)).collect::<Vec<_>>(), [(fact, DeliveryState::Decide)]);
}

fn care() -> Visit {
    Visit { kind: VisitKind::Care, result: VisitResult::Met, persons: Vec::new(), needs: Some("药品".to_owned()), next_due_ms: None, cases: Vec::new() }
}

#[test]
fn a_refused_visit_outlives_the_household_until_it_is_given_up() {
    let (mut town, (a, da), (b, db)) = pair();
    let (saved, _) = b.household("民主街5号", "张三", "13812348000");
    town.sync(&b, db);
    town.sync(&a, da);
    let fact = a.store.visit(saved.doc, &care()).unwrap();
    town.sync_judged(&a, da, &mut |_| Verdict::Refused(Refusal::OutOfScope));
    let by = FactId::from_bytes(town.id());
    let grid = town.grid.id;
    town.push(grid, Entry::Leave(Leave { doc: saved.doc, by }));
    town.moved.push(saved.doc);
    assert_eq!(town.sync(&a, da).purged, 1);
    let kept = || a.store.inner.db.read(|db| super::super::outbox::fact(db, fact)).unwrap();
    assert!(kept().is_some());
    let edit = a.store.outbox().unwrap().pop().unwrap().edit;
    a.store.discard(saved.doc, edit).unwrap();
    assert!(kept().is_none());
}

#[test]
fn a_note_keeps_every_word() {
    let (mut town, (a, da), _) = pair();
    let held = a.report("井盖破损");
    town.sync(&a, da);
    let refused = a.supplement(held.doc, &"字".repeat(2_000));
    town.sync_judged(&a, da, &mut refusing(refused.edit));
    a.store.send_as_note(refused.doc, refused.edit).unwrap();
    town.sync(&a, da);
    assert_eq!(a.texts(held.doc).concat().matches('字').count(), 2_000);
}

#[test]
fn two_equal_saves_of_one_moment_are_decided_about_one_by_one() {
    let (mut town, (a, da), (b, db)) = pair();
    let (first, second, third) = (a.report("井盖破损"), a.report("井盖破损"), a.report("井盖破损"));
    assert_eq!((first.edit, second.edit), (third.edit, third.edit), "equal words in one millisecond");
    let mut taken = 0;
    let mut judge = move |_: &Item| {
        taken += 1;
        if taken == 3 { Verdict::Accepted } else { Verdict::Refused(Refusal::OutOfScope) }
    };
    town.sync_judged(&a, da, &mut judge);
    assert_eq!(a.store.discard(third.doc, third.edit), Err(SaveError::NoSuchRecord), "it was received");
    a.store.discard(first.doc, first.edit).unwrap();
    assert_eq!(a.store.case(first.doc).unwrap(), None);
    assert_eq!([second, third].map(|saved| delivery(&a, saved.doc)), [DeliveryState::Refused, DeliveryState::Received]);
    assert_eq!(a.store.discard(first.doc, first.edit), Err(SaveError::NoSuchRecord));

    // When the centre received them is kept for each: purging one leaves the other's.
    let (one, two) = (b.report("路灯不亮"), b.report("路灯不亮"));
    town.sync(&b, db);
    let action = b.store.case(one.doc).unwrap().unwrap().case.unwrap().history[0].id;
    let received = Interval { earliest_ms: 1, latest_ms: 2 };
    let grid = town.grid.id;
    town.state(grid, FactKind::Received, None, &Received::These(received, vec![action, action]));
    town.sync(&b, db);
    let shown = |phone: &Phone, doc| phone.store.case(doc).unwrap().map(|case| case.received.get(&action).copied());
    town.sync(&a, da);
    let by = FactId::from_bytes(town.id());
    for phone in [&a, &b] {
        assert_eq!([one, two].map(|saved| shown(phone, saved.doc)), [Some(Some(received)); 2]);
    }
    town.push(grid, Entry::Leave(Leave { doc: one.doc, by }));
    town.sync(&b, db);
    assert_eq!([one, two].map(|saved| shown(&b, saved.doc)), [None, Some(Some(received))]);
    b.store.rebuild_projections().unwrap();
    assert_eq!(shown(&b, two.doc), Some(Some(received)));
}

#[test]
fn an_edit_that_failed_twice_and_arrived_all_the_same_is_not_for_a_person_to_decide() {
    for by_stream in [true, false] {
        let (mut town, (a, da), _) = pair();
        let (saved, _) = a.household("民主街5号", "张三", "13812348000");
        town.sync(&a, da);
        let edit = a.set(saved.doc, "note", "有狗").edit;
        let first = Arc::new(std::sync::Mutex::new(None));
        let seen = first.clone();
        let mut judge = move |item: &Item| {
            seen.lock().unwrap().get_or_insert_with(|| item.clone());
            Verdict::Stranded(Hash::ZERO)
        };
        town.sync_judged(&a, da, &mut judge);
        assert_eq!((delivery(&a, saved.doc), field(&a, saved.doc, "note")), (DeliveryState::Decide, None));

        // The first change got in: its author hears of it by the stream that it is in, or by a later verdict.
        let (grid, own) = (town.grid.id, town.devices[&da].stream);
        if by_stream {
            town.push(grid, first.lock().unwrap().take().unwrap().into());
        } else {
            let verdicts = town.streams[&own].iter().filter_map(|placed| match &placed.entry {
                Entry::Fact(Fact { kind: FactKind::Verdict, body: Body::Held(body), .. }) => minicbor::decode::<BatchVerdict>(body).ok(),
                _ => None,
            });
            let said = verdicts.filter(|said| said.exceptions.len() == 1).min_by_key(|said| said.received_ms).unwrap();
            town.state(own, FactKind::Verdict, None, &BatchVerdict { exceptions: Vec::new(), ..said });
        }
        town.sync(&a, da);
        let rows: Vec<_> = a.store.edits(saved.doc).unwrap().into_iter().filter(|row| row.edit == edit).collect();
        assert_eq!(rows.iter().map(|row| row.delivery.state).collect::<Vec<_>>(), [DeliveryState::Received], "by its stream: {by_stream}");
        assert_eq!((delivery(&a, saved.doc), a.store.status().unwrap().refused), (DeliveryState::Received, 0));
        assert!(!by_stream || field(&a, saved.doc, "note").as_deref() == Some("有狗"));
    }
}
