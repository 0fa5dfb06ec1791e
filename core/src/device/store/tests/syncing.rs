//! The outbox up and the streams down, and everything that can become of own work on the way.

use rusqlite::types::ValueRef;

use super::*;
use crate::device::store::{ApplyError, DeliveryState, PageRequest, SaveError, Standing, StoreError};
use crate::domain::case::State;
use crate::domain::mask::{self, CaseProgress, HouseholdView, MaskClass};
use crate::domain::policy::Refusal;
use crate::domain::server_fact::{CaseNumber, Instruction, Received};
use crate::domain::time::Interval;
use crate::record::Content;
use crate::wire::entry::{Join, Leave};

fn pair() -> (Town, (Phone, DeviceId), (Phone, DeviceId)) {
    let mut town = Town::new();
    let (a, b) = (Phone::new(1), Phone::new(2));
    let (da, db) = (town.enrol(&a, Role::GridMember), town.enrol(&b, Role::GridMember));
    (town, (a, da), (b, db))
}

fn delivery(phone: &Phone, doc: DocId) -> DeliveryState {
    phone.store.inner.db.read(|db| super::super::own::of_record(db, doc)).unwrap().state
}

fn field(phone: &Phone, doc: DocId, field: &str) -> Option<String> {
    phone.store.household(doc).unwrap().unwrap().household.unwrap().text(field).map(str::to_owned)
}

/// The heads of the record as it stands, own work included.
fn heads(phone: &Phone, doc: DocId) -> Vec<Hash> {
    phone.store.record(doc).unwrap().unwrap().heads()
}

fn standing(phone: &Phone, edit: Hash) -> Standing {
    let code = phone.store.inner.db.read(|db| Ok::<_, StoreError>(db.query_row("SELECT status FROM own WHERE edit = ?1", [edit.0], |row| row.get(0))?));
    Standing::from_code(code.unwrap())
}

/// Every text and blob of every table, read through the key.
fn stored_bytes(phone: &Phone) -> Vec<Vec<u8>> {
    phone
        .store
        .inner
        .db
        .read(|db| {
            let tables: Vec<String> =
                db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'")?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let mut all: Vec<Vec<u8>> = Vec::new();
            for table in tables {
                let mut statement = db.prepare(&format!("SELECT * FROM {table}"))?;
                let columns = statement.column_count();
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    for column in 0..columns {
                        if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = row.get_ref(column)? {
                            all.push(bytes.to_vec());
                        }
                    }
                }
            }
            Ok::<_, StoreError>(all)
        })
        .unwrap()
}

/// Refuses the change that carries this edit, and strands what depends on it in the same record.
fn refusing(edit: Hash) -> impl FnMut(&Item) -> Verdict {
    let mut lost: Vec<Hash> = Vec::new();
    move |item| {
        let Item::Change(change) = item else { return Verdict::Accepted };
        if change.edit_id() == edit {
            lost.push(change.change_hash());
            return Verdict::Refused(Refusal::OutOfScope);
        }
        let deps = automerge::Change::from_bytes(change.raw.clone()).unwrap().deps().to_vec();
        match deps.iter().map(|dep| Hash(dep.0)).find(|dep| lost.contains(dep)) {
            Some(dep) => {
                lost.push(change.change_hash());
                Verdict::Stranded(dep)
            }
            None => Verdict::Accepted,
        }
    }
}

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
        let prepared = a.store.prepare(Prepare { send_state: true, sign: true }).unwrap();
        let mut answer = town.answer(da, &prepared.bytes, &mut |_| Verdict::Accepted);
        spoil(&mut answer);
        assert!(matches!(a.store.apply(&answer), Err(ApplyError::Unproven(_))), "{name}");
        assert_eq!(before, state(), "{name}");
    }
    town.sync(&a, da);
    assert_ne!(before, state());
}

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
    a.store.discard(refused.edit).unwrap();
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
    assert!(a.store.send_as_note(saved.edit).is_ok());
    a.store.discard(saved.edit).unwrap_err();
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
    let note = a.store.send_as_note(refused.edit).unwrap();
    assert_eq!(note.doc, case.doc);
    town.sync(&a, da);
    assert!(a.texts(case.doc).last().unwrap().contains("有用的话"));
    assert_eq!(a.store.status().unwrap().refused, 0);
}

#[test]
fn a_batch_the_server_cannot_read_is_sealed_anew() {
    let (mut town, (a, da), _) = pair();
    let (saved, _) = a.household("民主街5号", "张三", "13812348000");
    let prepared = a.store.prepare(Prepare::default()).unwrap();
    let answer = Answer { nonce: prepared.request.nonce, rejections: vec![BatchRejection { index: 0, fault: BatchFault::Malformed }], ..Answer::default() };
    assert!(a.store.apply(&answer).unwrap().more);
    town.sync(&a, da);
    assert_eq!(delivery(&a, saved.doc), DeliveryState::Received);
    assert_eq!(town.streams[&town.grid.id].len(), 1);
}

#[test]
fn a_copied_store_keeps_its_work_and_says_it_once() {
    let mut town = Town::new();
    let a = Phone::new(1);
    let da = town.enrol(&a, Role::GridMember);
    let (saved, _) = a.household("民主街5号", "张三", "13812348000");
    town.sync(&a, da);
    // Both have this edit, unsent.
    a.set(saved.doc, "note", "两边都有");
    let Phone { store, clock, dir } = a;
    drop(store);
    let copied = tempfile::tempdir().unwrap();
    for name in ["phone.db", "phone.life"] {
        // Life file and all: nothing local tells the copy from the original.
        std::fs::copy(dir.path().join(name), copied.path().join(name)).unwrap();
    }
    let a = Phone { store: Store::open(&options(&dir.path().join("phone.db"), &clock)).unwrap(), clock, dir };
    let clock = Clock::new(99);
    let b = Phone { store: Store::open(&options(&copied.path().join("phone.db"), &clock)).unwrap(), clock, dir: copied };
    a.set(saved.doc, "phone", "13900000001");
    town.sync(&a, da);
    b.set(saved.doc, "tenure", "租住");
    town.sync(&b, da);
    assert_ne!(a.store.incarnation().unwrap(), b.store.incarnation().unwrap());
    town.sync(&b, da);
    for (name, value) in [("note", "两边都有"), ("phone", "13900000001"), ("tenure", "租住")] {
        assert_eq!(field(&b, saved.doc, name).as_deref(), Some(value));
    }
    let edits: Vec<Hash> =
        town.streams[&town.grid.id].iter().filter_map(|placed| if let Entry::Change(change) = &placed.entry { Some(change.edit_id()) } else { None }).collect();
    assert_eq!(edits.len(), 4, "the edit that both had is there once");
    assert_eq!(b.store.status().unwrap().unsent, 0);
    // The original finds that its incarnation was closed, and goes on under a new one.
    a.set(saved.doc, "language", "羌语");
    town.sync(&a, da);
    assert_eq!(a.store.status().unwrap().unsent, 0);
    town.sync(&b, da);
    assert_eq!(heads(&a, saved.doc), heads(&b, saved.doc));
}

#[test]
fn a_restored_phone_pulls_to_the_head_and_goes_on_under_a_new_incarnation() {
    let mut town = Town::new();
    let a = Phone::new(1);
    let da = town.enrol(&a, Role::GridMember);
    let (saved, _) = a.household("民主街5号", "张三", "13812348000");
    town.sync(&a, da);
    let Phone { store, clock, dir } = a;
    drop(store);
    let path = dir.path().join("phone.db");
    let backup = std::fs::read(&path).unwrap();
    let a = Phone { store: Store::open(&options(&path, &clock)).unwrap(), clock, dir };
    a.set(saved.doc, "note", "备份之后");
    town.sync(&a, da);
    let Phone { store, clock, dir } = a;
    let before = store.incarnation().unwrap();
    drop(store);
    std::fs::write(&path, &backup).unwrap();
    let a = Phone { store: Store::open(&options(&path, &clock)).unwrap(), clock, dir };
    assert_ne!(before, a.store.incarnation().unwrap());
    a.set(saved.doc, "tenure", "租住");
    town.sync(&a, da);
    assert_eq!(field(&a, saved.doc, "note").as_deref(), Some("备份之后"));
    assert_eq!(field(&a, saved.doc, "tenure").as_deref(), Some("租住"));
    let status = a.store.status().unwrap();
    assert_eq!((status.unsent, status.copied), (0, false));
}

#[test]
fn a_restored_server_is_met_by_a_phone_ahead_of_it() {
    let (mut town, (a, da), (b, db)) = pair();
    let (saved, _) = a.household("民主街5号", "张三", "13812348000");
    town.sync(&a, da);
    town.sync(&b, db);
    let backup: BTreeMap<StreamId, usize> = town.streams.iter().map(|(id, placed)| (*id, placed.len())).collect();
    let (outbox, sent) = (town.devices[&da].outbox, town.devices[&da].sent.clone());
    a.set(saved.doc, "note", "备份之后");
    town.sync(&a, da);
    assert_eq!(delivery(&a, saved.doc), DeliveryState::Received);
    town.restore(&backup);
    let known = town.devices.get_mut(&da).unwrap();
    (known.outbox, known.sent, known.state) = (outbox, sent, None);
    // The restored server has gone on numbering.
    b.set(saved.doc, "tenure", "租住");
    town.sync(&b, db);
    let prepared = a.store.prepare(Prepare { send_state: true, sign: true }).unwrap();
    let answer = town.answer(da, &prepared.bytes, &mut |_| Verdict::Accepted);
    assert!(!answer.common.is_empty());
    a.store.apply(&answer).unwrap();
    assert_eq!(delivery(&a, saved.doc), DeliveryState::Again, "the receipt is worth nothing any more, and says so");
    assert_eq!(field(&a, saved.doc, "note").as_deref(), Some("备份之后"), "what was held is kept");
    town.sync(&a, da);
    town.sync(&b, db);
    assert_eq!(delivery(&a, saved.doc), DeliveryState::Received);
    for phone in [&a, &b] {
        assert_eq!(field(phone, saved.doc, "note").as_deref(), Some("备份之后"));
        assert_eq!(field(phone, saved.doc, "tenure").as_deref(), Some("租住"));
    }
    assert_eq!(heads(&a, saved.doc), heads(&b, saved.doc));
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
fn what_leaves_every_stream_is_purged_once_own_work_is_delivered() {
    let (mut town, (a, da), (b, db)) = pair();
    let (saved, _) = b.household("绝无仅有街5号", "慕容雪", "13812348000");
    town.sync(&b, db);
    town.sync(&a, da);
    // The edit is typed between asking and the answer that brings the leave.
    let prepared = a.store.prepare(Prepare::default()).unwrap();
    let edit = a.set(saved.doc, "note", "还没上传");
    let by = FactId::from_bytes(town.id());
    let grid = town.grid.id;
    town.push(grid, Entry::Leave(Leave { doc: saved.doc, by }));
    town.moved.push(saved.doc);
    let answer = town.answer(da, &prepared.bytes, &mut |_| Verdict::Accepted);
    a.store.apply(&answer).unwrap();
    assert!(a.store.household(saved.doc).unwrap().is_some(), "kept until the town has what was typed");
    let applied = town.sync(&a, da);
    assert_eq!(applied.purged, 1);
    assert_eq!(a.store.household(saved.doc).unwrap(), None);
    assert_eq!(a.store.search("慕容", PageRequest::first(10)).unwrap().rows, []);
    assert_eq!(standing(&a, edit.edit), Standing::Received);
    // Not a word of it is in any row, not even in the index.
    let words = stored_bytes(&a);
    for secret in ["慕", "容", "绝", "13812348000"] {
        assert!(!words.iter().any(|bytes| bytes.windows(secret.len()).any(|window| window == secret.as_bytes())), "{secret}");
    }
}

#[test]
fn a_stream_that_is_no_longer_read_takes_its_records_with_it() {
    let (mut town, (a, da), (b, db)) = pair();
    let (saved, _) = b.household("民主街5号", "张三", "13812348000");
    town.sync(&b, db);
    town.sync(&a, da);
    let grid = town.grid.id;
    town.devices.get_mut(&da).unwrap().reads.retain(|info| info.id != grid);
    assert_eq!(town.sync(&a, da).purged, 1);
    assert_eq!(a.store.household(saved.doc).unwrap(), None);
    // And comes back with it.
    let info = town.grid.clone();
    town.devices.get_mut(&da).unwrap().reads.push(info);
    town.sync(&a, da);
    assert_eq!(heads(&a, saved.doc), heads(&b, saved.doc));
}

#[test]
fn a_record_joins_with_its_history() {
    let (mut town, (a, da), (b, db)) = pair();
    let (saved, _) = b.household("民主街5号", "张三", "13812348000");
    b.set(saved.doc, "note", "养狗");
    town.sync(&b, db);
    let record = b.store.record(saved.doc).unwrap().unwrap();
    let changes = record.changes().into_iter().map(|change| change.raw).collect();
    town.streams.clear();
    let grid = town.grid.id;
    town.push(grid, Entry::Join(Join { doc: saved.doc, kind: record.kind(), changes }));
    town.sync(&a, da);
    assert_eq!(heads(&a, saved.doc), heads(&b, saved.doc));
}

#[test]
fn the_centre_can_limit_a_device_and_wipe_it() {
    let (mut town, (a, da), _) = pair();
    let (saved, _) = a.household("民主街5号", "张三", "13812348000");
    let own = town.devices[&da].stream;
    town.state(own, FactKind::Instruction, None, &Instruction::ReportOnly);
    town.sync(&a, da);
    let edit = Command::EditHousehold(vec![HouseholdEdit::Set("note".to_owned(), Value::Text("x".to_owned()))]);
    assert_eq!(a.store.save(saved.doc, &edit), Err(SaveError::ReportOnly));
    town.state(own, FactKind::Instruction, None, &Instruction::Approved);
    town.sync(&a, da);
    a.store.save(saved.doc, &edit).unwrap();
    let key = a.store.key_pair().unwrap().public();
    town.state(own, FactKind::Instruction, None, &Instruction::Wipe);
    let prepared = a.store.prepare(Prepare::default()).unwrap();
    let answer = town.answer(da, &prepared.bytes, &mut |_| Verdict::Accepted);
    assert!(a.store.apply(&answer).unwrap().wiped);
    assert_eq!(a.store.enrolled(), None);
    assert_eq!(a.store.records().unwrap(), []);
    assert_ne!(key, a.store.key_pair().unwrap().public());
    let a = a.reopen();
    assert_eq!(a.store.enrolled(), None);
}

#[test]
fn a_new_grant_takes_the_place_of_the_old() {
    let (mut town, (a, da), _) = pair();
    town.now_ms += 1_000;
    let signed = town.grant(da, Role::GridHead);
    let own = town.devices[&da].stream;
    town.state(own, FactKind::Grant, None, &signed);
    let forged =
        SignedGrant::sign(&Grant { role: Role::City, issued_ms: town.now_ms + 1, ..signed.open(&town.key.public()).unwrap() }, &KeyPair::from_secret(&[8; 32]));
    town.state(own, FactKind::Grant, None, &forged);
    town.sync(&a, da);
    assert_eq!(a.store.enrolled().unwrap().grant.role, Role::GridHead);
}

#[test]
fn a_rider_who_supplements_holds_genesis_and_his_own_words() {
    let mut town = Town::new();
    let rider = Phone::new(1);
    let device = town.enrol(&rider, Role::Rider);
    let saved = rider.store.act(None, ActionKind::Report, Fields { grid: None, ..report("井盖破损") }).unwrap();
    town.sync(&rider, device);
    rider.supplement(saved.doc, "车已绕行");
    town.sync(&rider, device);
    assert_eq!(rider.texts(saved.doc), ["井盖破损,请尽快处理", "车已绕行"]);
    let record = rider.store.record(saved.doc).unwrap().unwrap();
    assert_eq!(record.changes().len(), 2);
    let Content::Case(actions) = record.read() else { panic!("a case") };
    assert_eq!(actions.len(), 2);
    assert_eq!(rider.store.status().unwrap().unsent, 0);
}

#[test]
fn a_desk_sees_masked_rows_and_holds_no_household() {
    let (mut town, _, (b, db)) = pair();
    let (saved, _) = b.household("民主街5号", "张三", "13812348000");
    town.sync(&b, db);
    let Content::Household(household) = b.store.record(saved.doc).unwrap().unwrap().read() else { panic!("a household") };
    let desk = Phone::new(3);
    let device = town.enrol(&desk, Role::TownDispatcher);
    let stream = StreamInfo { id: StreamId::from_bytes([2; 16]), kind: StreamKind::Desk, area: Some(TOWN.parse().unwrap()), org: None, epoch: 1 };
    let known = town.devices.get_mut(&device).unwrap();
    known.reads = vec![known.reads[0].clone(), stream.clone()];
    let view = mask::household(saved.doc, &household, Some(GRID.parse().unwrap()), MaskClass::Desk);
    town.state(stream.id, FactKind::View, Some(saved.doc), &view);
    town.sync(&desk, device);
    let detail = desk.store.household(saved.doc).unwrap().unwrap();
    assert!(detail.row.masked && detail.household.is_none());
    assert_eq!((detail.row.head.as_deref(), detail.row.phone.as_deref(), detail.row.persons), (Some("张*"), Some("138****8000"), 1));
    assert_eq!(desk.store.records().unwrap(), []);
    let words = stored_bytes(&desk);
    for secret in ["张三", "13812348000"] {
        assert!(!words.iter().any(|bytes| bytes.windows(secret.len()).any(|window| window == secret.as_bytes())), "{secret}");
    }
    // Replaced whole by the next version; gone with the stream.
    town.state(stream.id, FactKind::View, Some(saved.doc), &HouseholdView { persons: 4, ..view });
    town.sync(&desk, device);
    assert_eq!(desk.store.household(saved.doc).unwrap().unwrap().row.persons, 4);
    town.devices.get_mut(&device).unwrap().reads.truncate(1);
    town.sync(&desk, device);
    assert_eq!(desk.store.household(saved.doc).unwrap(), None);
}

#[test]
fn a_reporter_sees_the_progress_of_a_case_he_does_not_hold() {
    let mut town = Town::new();
    let rider = Phone::new(1);
    let device = town.enrol(&rider, Role::Rider);
    let saved = rider.store.act(None, ActionKind::Report, Fields { grid: None, ..report("井盖破损") }).unwrap();
    town.sync(&rider, device);
    let own = town.devices[&device].stream;
    let number = CaseNumber { number: "HZ610702001202609120001".to_owned() };
    town.state(own, FactKind::CaseNumber, Some(saved.doc), &number);
    let progress = CaseProgress {
        case: saved.doc,
        state: State::Closed,
        number: Some(number.number.clone()),
        reply: Some("已修好,谢谢".to_owned()),
        updated_ms: 1_790_000_200_000,
    };
    town.state(own, FactKind::View, Some(saved.doc), &progress);
    town.sync(&rider, device);
    let detail = rider.store.case(saved.doc).unwrap().unwrap();
    assert_eq!((detail.row.state, detail.row.open, detail.row.number.as_ref()), (State::Closed, false, Some(&number.number)));
    assert_eq!(detail.progress.and_then(|progress| progress.reply).as_deref(), Some("已修好,谢谢"));
    assert_eq!(rider.store.search("0001", PageRequest::first(5)).unwrap().rows.len(), 1);
    // The device's own fold does not take the server's word back.
    rider.supplement(saved.doc, "多谢");
    assert_eq!(rider.store.case(saved.doc).unwrap().unwrap().row.state, State::Closed);
}

#[test]
fn when_the_server_received_an_action_is_shown_whichever_came_first() {
    let (mut town, (a, da), (b, db)) = pair();
    let saved = a.report("井盖破损");
    town.sync(&a, da);
    let case = a.store.case(saved.doc).unwrap().unwrap().case.unwrap();
    let received = Received { interval: Interval { earliest_ms: 1, latest_ms: 2 }, actions: vec![case.history[0].id] };
    let grid = town.grid.id;
    town.state(grid, FactKind::Received, None, &received);
    let placed = town.streams.get_mut(&grid).unwrap();
    placed.swap(0, 1);
    town.sync(&b, db);
    assert_eq!(b.store.case(saved.doc).unwrap().unwrap().received.get(&case.history[0].id), Some(&received.interval));
}

#[test]
fn what_a_backup_covers_is_not_kept_twice_and_is_read_whole_if_it_comes_again() {
    let (mut town, (a, da), _) = pair();
    let (saved, _) = a.household("民主街5号", "张三", "13812348000");
    town.sync(&a, da);
    let prepared = a.store.prepare(Prepare::default()).unwrap();
    let mut answer = town.answer(da, &prepared.bytes, &mut |_| Verdict::Accepted);
    answer.safe_through = Some(1);
    a.store.apply(&answer).unwrap();
    assert_eq!(a.store.status().unwrap().safe_through, Some(1));
    // The stream is read again from its start, with a reference to the batch that is gone.
    let grid = town.grid.clone();
    town.devices.get_mut(&da).unwrap().reads.retain(|info| info.id != grid.id);
    town.sync(&a, da);
    town.devices.get_mut(&da).unwrap().reads.push(grid);
    let prepared = a.store.prepare(Prepare { send_state: true, sign: false }).unwrap();
    let answer = town.answer(da, &prepared.bytes, &mut |_| Verdict::Accepted);
    assert!(matches!(a.store.apply(&answer), Err(ApplyError::Unproven(_))));
    town.sync(&a, da);
    assert!(a.store.household(saved.doc).unwrap().is_some());
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
