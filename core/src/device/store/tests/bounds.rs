//! What an answer may cost: a server with keys that sends too much of everything.

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, ReadDoc, ScalarValue};

use super::super::{ApplyError, ParkReason, Parked};
use super::*;
use crate::domain::server_fact::{CaseNumber, Received, Reference};
use crate::domain::time::Interval;
use crate::record::{Record, RecordKind};
use crate::wire::batch::ChangeItem;
use crate::wire::entry::{Join, Leave};
use crate::wire::error::WireError;
use crate::wire::limits;

#[test]
fn only_a_position_that_was_never_proved_before_is_a_rise() {
    let (mut town, (a, da), (b, db)) = pair();
    b.report("路灯不亮");
    town.sync(&b, db);
    let ask = |town: &mut Town| {
        let prepared = a.store.prepare(Prepare::default()).unwrap();
        town.answer(da, &prepared.bytes, &mut |_| Verdict::Accepted)
    };
    let pages = ask(&mut town);
    assert!(a.store.apply(&pages).unwrap().rose);
    assert!(!town.sync(&a, da).rose, "nothing new");
    // The same pages again, after a step back that nobody signed.
    for _ in 0..3 {
        let at = a.store.inner.db.read(super::super::outbox::cursors).unwrap();
        let common: Vec<Cursor> = at.into_iter().map(|at| Cursor { seq: 0, chain: Hash::ZERO, ..at }).collect();
        let nonce = a.store.prepare(Prepare::default()).unwrap().request.nonce;
        let again = Answer { nonce, common, ..pages.clone() };
        let applied = a.store.apply(&again);
        assert!(applied.is_err() || !applied.unwrap().rose);
    }
    b.report("井盖破损");
    town.sync(&b, db);
    let next = ask(&mut town);
    assert!(a.store.apply(&next).unwrap().rose);
}

#[test]
fn what_is_kept_of_a_pack_can_be_thrown_away() {
    let phone = Phone::new(1);
    let pack = Hash([9; 32]);
    phone.store.keep_part(pack, 0, b"spoilt").unwrap();
    assert_eq!(phone.store.kept_part(pack).unwrap(), b"spoilt");
    phone.store.forget_part().unwrap();
    assert!(phone.store.kept_part(pack).unwrap().is_empty());
}

#[test]
fn references_are_counted_by_what_they_stand_for_before_any_is_looked_up() {
    let (mut town, (a, da), _) = pair();
    for n in 0..20 {
        a.report(&format!("第{n}件"));
    }
    town.sync(&a, da);
    let prepared = a.store.prepare(Prepare::default()).unwrap();
    let head = town.devices[&da].outbox;
    let range = OwnRange { incarnation: head.incarnation, seq: head.seq, first: 0, count: 20 };
    let (grid, pieces) = (town.grid.id, limits::MAX_ENTRIES / 20);
    let mut answer = Answer { nonce: prepared.request.nonce, ..Answer::default() };
    answer.pages = vec![Page { stream: grid, epoch: 1, first: 21, entries: vec![PageEntry::Own(range); pieces] }];
    answer.heads = Some(SignedHeads::sign(da, Vec::new(), &town.key));
    let read = Answer::from_bytes(&answer.to_bytes()).unwrap();
    assert!(matches!(a.store.apply(&read), Err(ApplyError::Unproven(_))));
    for _ in 0..2 {
        answer.pages[0].entries.push(PageEntry::Own(range));
    }
    assert!(matches!(Answer::from_bytes(&answer.to_bytes()), Err(WireError::TooLarge(_))));
}

#[test]
fn what_is_referred_to_is_applied_as_if_it_had_come_whole() {
    let (mut town, (a, da), (b, db)) = pair();
    let docs: Vec<DocId> = (0..30).map(|n| a.household(&format!("民主街{n}号"), "张三", "13812348000").0.doc).collect();
    let case = a.report("井盖破损").doc;
    town.sync(&a, da);
    town.sync(&b, db);
    for doc in docs {
        assert_eq!((delivery(&a, doc), heads(&a, doc)), (DeliveryState::Received, heads(&b, doc)));
    }
    assert_eq!(a.texts(case), b.texts(case));
}

/// Changes of an author whom no gate has seen, on a household as it stands: field after field, as long as it says.
pub(super) fn written_on(record: &Record, author: [u8; 16], values: impl IntoIterator<Item = Vec<(String, ScalarValue)>>) -> Vec<Vec<u8>> {
    let mut doc = Automerge::load(&record.save()).unwrap().with_actor(ActorId::from(author));
    let (_, fields) = doc.get(automerge::ROOT, if record.kind() == RecordKind::Case { "actions" } else { "fields" }).unwrap().unwrap();
    values
        .into_iter()
        .map(|values| {
            let mut transaction = doc.transaction();
            for (key, value) in values {
                transaction.put(&fields, key, value).unwrap();
            }
            let (hash, _) = transaction.commit_with(CommitOptions::default().with_time(1));
            doc.get_change_by_hash(&hash.unwrap()).unwrap().raw_bytes().to_vec()
        })
        .collect()
}

/// A change of some 46 KiB.
pub(super) fn large(n: usize) -> Vec<(String, ScalarValue)> {
    ["note", "label", "use"].map(|key| (key.to_owned(), ScalarValue::Str(format!("{n:04}{}", "x".repeat(15_500)).into()))).into()
}

pub(super) fn change(doc: DocId, kind: RecordKind, raw: Vec<u8>) -> Entry {
    Entry::Change(ChangeItem { doc, kind, edit: None, raw })
}

fn number(phone: &Phone, sql: &str) -> i64 {
    phone.store.inner.db.read(|db| Ok::<_, StoreError>(db.query_row(sql, [], |row| row.get(0))?)).unwrap()
}

#[test]
fn a_record_takes_what_a_record_may_hold_and_the_page_goes_on() {
    let (mut town, (a, da), (b, db)) = pair();
    let (full, _) = b.household("民主街1号", "张三", "13812348000");
    town.sync(&b, db);
    let (grid, record) = (town.grid.id, b.store.record(full.doc).unwrap().unwrap());
    for raw in written_on(&record, [0xee; 16], (0..60).map(large)) {
        town.push(grid, change(full.doc, RecordKind::Household, raw));
    }
    let (after, _) = b.household("民主街2号", "李四", "13900000001");
    // B reads its own stream only: what is too much is not for it either.
    town.sync(&b, db);
    let applied = town.sync(&a, da);
    assert!(applied.parked > 30, "{applied:?}");
    assert_eq!(field(&a, after.doc, "address").as_deref(), Some("民主街2号"));
    assert!(field(&a, full.doc, "note").is_some_and(|note| note.starts_with("0021")), "as many as fit");
    let status = a.store.status().unwrap();
    assert_eq!((status.parked, status.parked_for), (1, vec![Parked { reason: ParkReason::Full, records: 1, entries: 0 }]));
    assert!(number(&a, "SELECT max(length(changes)) FROM documents") <= (limits::MAX_RECORD + 4 * 100) as i64);
    assert!(number(&a, "SELECT max(length(aside)) FROM documents") <= (limits::MAX_ASIDE + 4 * 100) as i64);
    assert!(number(&a, "SELECT max(dropped) FROM documents") > 25);
    assert_eq!(town.sync(&a, da).entries, 0, "the cursor went on");

    // A version that takes more reads the stream again.
    a.store.inner.db.write(|tx| super::super::meta::clear(tx, super::super::meta::TAKES)).unwrap();
    let a = a.reopen();
    assert_eq!(number(&a, "SELECT sum(dropped) FROM documents"), 0);
    assert!(town.sync(&a, da).entries > 60);
}

#[test]
fn a_history_of_too_many_changes_is_taken_as_far_as_it_may_go() {
    let (mut town, (a, da), (b, db)) = pair();
    let (doc, _) = b.household("民主街1号", "张三", "13812348000");
    town.sync(&b, db);
    let (grid, record) = (town.grid.id, b.store.record(doc.doc).unwrap().unwrap());
    let most = limits::MAX_CHANGES_PER_RECORD;
    let short = |n: usize| vec![("note".to_owned(), ScalarValue::Str(format!("{n}").into()))];
    let history = written_on(&record, [0xee; 16], (0..most + 300).map(short));
    town.push(grid, Entry::Join(Join { doc: doc.doc, kind: RecordKind::Household, changes: history }));
    let applied = town.sync(&a, da);
    assert_eq!(applied.parked, 301, "one is the household's creation");
    assert_eq!(a.store.record(doc.doc).unwrap().unwrap().len(), most);
    assert_eq!(number(&a, "SELECT dropped FROM documents"), 301 - limits::MAX_ASIDE_CHANGES as i64);
}

#[test]
fn a_change_that_would_make_automerge_panic_is_parked() {
    let (mut town, (a, da), (b, db)) = pair();
    let (doc, _) = b.household("民主街1号", "张三", "13812348000");
    town.sync(&b, db);
    town.sync(&a, da);
    let record = b.store.record(doc.doc).unwrap().unwrap();
    let raw = written_on(&record, [0xee; 16], [vec![("note".to_owned(), ScalarValue::Str("假".into()))]]).remove(0);
    let body: Vec<u8> = raw[9..].splitn(2, |_| false).flatten().copied().collect();
    let length = body.iter().take_while(|byte| **byte >= 0x80).count() + 1;
    let body = &body[length..];
    // Its number of dependencies, these, the length of the author, the author, the sequence.
    let at = 1 + 32 * usize::from(body[0]) + 17;
    assert_eq!((body[at - 17], body[at]), (16, 1));
    let sequence = [&body[..at], &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1], &body[at + 1..]].concat();
    // The author of what is overwritten, by its number among those that the change names.
    let mut author = body.to_vec();
    let genesis = body.windows(16).rposition(|bytes| bytes == [0; 16]).unwrap();
    author[genesis..genesis + 16].copy_from_slice(&[0xdd; 16]);
    let grid = town.grid.id;
    for body in [sequence, author] {
        let mut chunk = vec![1];
        let mut length = body.len();
        while length >= 0x80 {
            chunk.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        chunk.push(length as u8);
        chunk.extend_from_slice(&body);
        let checksum = Hash::of(&[&chunk]).0;
        let raw = [&raw[..4], &checksum[..4], &chunk].concat();
        town.push(grid, change(doc.doc, RecordKind::Household, raw));
    }
    let (after, _) = b.household("民主街2号", "李四", "13900000001");
    town.sync(&b, db);
    assert_eq!(town.sync(&a, da).parked, 2);
    assert!(field(&a, after.doc, "address").is_some());
    assert_eq!(field(&a, doc.doc, "note"), None);
}

#[test]
fn a_change_under_the_phones_own_name_does_not_take_the_place_of_what_it_wrote() {
    let (mut town, (a, da), (b, db)) = pair();
    let saved = a.report("井盖破损");
    let incarnation = a.store.incarnation().unwrap();
    let (grid, empty) = (town.grid.id, Record::new(RecordKind::Case).unwrap());
    let forged = written_on(&empty, *incarnation.as_bytes(), [vec![("0".repeat(32), ScalarValue::Bytes(vec![1]))]]).remove(0);
    town.push(grid, change(saved.doc, RecordKind::Case, forged));
    town.sync(&a, da);
    let case = a.store.case(saved.doc).unwrap().unwrap();
    assert_eq!((case.row.title.as_deref(), delivery(&a, saved.doc)), (Some("井盖破损"), DeliveryState::Received));
    assert_eq!(a.store.status().unwrap().parked_for[0].reason, ParkReason::Sequence);
    // Whoever cannot know takes what came first, as before.
    town.sync(&b, db);
    assert_eq!(b.store.status().unwrap().parked, 1);
}

#[test]
fn facts_that_this_version_does_not_know_are_kept_as_far_as_there_is_room() {
    let (mut town, (a, da), (b, db)) = pair();
    let grid = town.grid.id;
    let fact = |town: &mut Town, kind, length| {
        let id = FactId::from_bytes(town.id());
        let at = Stamp { wall_ms: 1, mono_ms: 0 };
        Entry::Fact(Fact { id, kind, subject: None, area: None, at, body: Body::Held(vec![0; length]) })
    };
    for _ in 0..300 {
        let one = fact(&mut town, FactKind::Other(77), limits::MAX_FACT);
        town.push(grid, one);
    }
    for kind in [FactKind::Other(77), FactKind::Visit, FactKind::View] {
        let one = fact(&mut town, kind, limits::MAX_FACT + 1);
        town.push(grid, one);
    }
    let one = fact(&mut town, FactKind::Reference, limits::MAX_STATED + 1);
    town.push(grid, one);
    let (after, _) = b.household("民主街2号", "李四", "13900000001");
    town.sync(&b, db);
    town.page = 100;
    town.sync(&a, da);
    assert!(field(&a, after.doc, "address").is_some());
    let kept = number(&a, "SELECT sum(length(body)) FROM facts WHERE kind = 77");
    assert_eq!(kept, limits::MAX_UNREAD_BYTES as i64);
    let parked = |reason, entries| Parked { reason, records: 0, entries };
    let all = a.store.status().unwrap().parked_for;
    assert_eq!(all, [parked(ParkReason::TooLarge, 4), parked(ParkReason::Unread, 300 - 256)]);
}

#[test]
fn a_full_store_takes_what_is_about_own_work_and_saves() {
    let (mut town, (a, da), (b, db)) = pair();
    let own = a.report("井盖破损");
    for n in 0..30 {
        b.household(&format!("民主街{n}号"), "张三", "13812348000");
    }
    town.sync(&b, db);
    let Phone { store, clock, dir } = a;
    drop(store);
    let small = OpenOptions { room: 0, ..options(&dir.path().join("phone.db"), &clock) };
    let a = Phone { store: Store::open(&small).unwrap(), clock, dir };
    town.sync(&a, da);
    let status = a.store.status().unwrap();
    assert_eq!((status.households, delivery(&a, own.doc)), (0, DeliveryState::Received));
    assert_eq!(status.parked_for, [Parked { reason: ParkReason::StoreFull, records: 0, entries: 30 }]);
    let next = a.report("路灯不亮");
    town.sync(&a, da);
    assert_eq!(delivery(&a, next.doc), DeliveryState::Received);
}

#[test]
fn cases_that_share_an_action_cost_no_more_than_others() {
    let (mut town, (a, da), (b, db)) = pair();
    let saved = b.report("井盖破损");
    town.sync(&b, db);
    let record = b.store.record(saved.doc).unwrap().unwrap();
    let (grid, raw) = (town.grid.id, record.changes()[0].raw.clone());
    for _ in 0..200 {
        let doc = DocId::from_bytes(town.id());
        town.push(grid, change(doc, RecordKind::Case, raw.clone()));
    }
    let action = b.store.case(saved.doc).unwrap().unwrap().case.unwrap().history[0].id;
    let interval = Interval { earliest_ms: 1, latest_ms: 2 };
    town.state(grid, FactKind::Received, None, &Received::These(interval, vec![action]));
    town.sync(&a, da);
    assert_eq!(number(&a, "SELECT count(*) FROM cases"), 201);
    assert!(number(&a, "SELECT count(*) FROM actions WHERE earliest_ms = 1") < 40, "of each of any number it is not said");
}

#[test]
fn a_slice_ends_by_what_its_records_hold() {
    let (mut town, (a, da), (b, db)) = pair();
    let docs: Vec<DocId> = (0..6).map(|n| b.household(&format!("民主街{n}号"), "张三", "13812348000").0.doc).collect();
    town.sync(&b, db);
    let grid = town.grid.id;
    for doc in &docs {
        let record = b.store.record(*doc).unwrap().unwrap();
        let changes = written_on(&record, [0xee; 16], (0..20).map(large));
        town.push(grid, Entry::Join(Join { doc: *doc, kind: RecordKind::Household, changes }));
    }
    let prepared = a.store.prepare(Prepare::default()).unwrap();
    let answer = town.answer(da, &prepared.bytes, &mut |_| Verdict::Accepted);
    let revisions = a.store.inner.announcer.revisions();
    let waiting = a.store.inner.db.await_for_test();
    a.store.apply(&answer).unwrap();
    drop(waiting);
    let pieces = a.store.inner.announcer.revisions().households - revisions.households;
    assert!(pieces >= 3, "{pieces} transactions: a save that waits gets in after two of these records");
}

#[test]
fn operations_that_cost_no_bytes_are_not_taken() {
    let (mut town, (a, da), (b, db)) = pair();
    let (doc, _) = b.household("民主街1号", "张三", "13812348000");
    town.sync(&b, db);
    let record = b.store.record(doc.doc).unwrap().unwrap();
    let equal = (0..limits::MAX_OPS).map(|n| ("note".to_owned(), ScalarValue::Boolean(n % 2 == 0))).collect::<Vec<_>>();
    let raw = written_on(&record, [0xee; 16], [equal]).remove(0);
    assert!(raw.len() < 2_500, "{} bytes", raw.len());
    let grid = town.grid.id;
    town.push(grid, change(doc.doc, RecordKind::Household, raw));
    assert_eq!(town.sync(&a, da).parked, 1);
    assert_eq!(a.store.status().unwrap().parked_for[0].reason, ParkReason::Malformed);
}

#[test]
fn what_is_said_of_a_case_and_the_names_are_bounded() {
    let (mut town, (a, da), (b, db)) = pair();
    let saved = b.report("井盖破损");
    town.sync(&b, db);
    let grid = town.grid.id;
    let named = |n: usize| CaseNumber { number: format!("HZ{n}\u{1b}[2J{}", "9".repeat(2_000)) };
    for n in 0..limits::MAX_STATED_PER_CASE + 20 {
        town.state(grid, FactKind::CaseNumber, Some(saved.doc), &named(n));
    }
    let user = |n: u32| UserId::from_bytes(Hash::of(&[&n.to_be_bytes()]).0[..16].try_into().unwrap());
    for page in 0..3 {
        let people = (0..30_000).map(|n| (user(page * 30_000 + n), String::new()));
        let people: Vec<_> = people.collect();
        for rows in people.chunks(limits::MAX_STATED_ROWS) {
            town.state(grid, FactKind::Reference, None, &Reference::People(rows.to_vec()));
        }
    }
    town.page = 100;
    town.sync(&a, da);
    let said = a.store.case(saved.doc).unwrap().unwrap().row.number.unwrap();
    assert_eq!(said.chars().count(), limits::MAX_TEXT);
    assert!(!said.contains('\u{1b}'));
    assert!(number(&a, "SELECT count(*) FROM facts WHERE kind = 102") <= limits::MAX_STATED_PER_CASE as i64);
    assert_eq!(number(&a, "SELECT count(*) FROM reference"), limits::MAX_NAMES as i64);
    assert_eq!(a.store.status().unwrap().parked_for[0].reason, ParkReason::Full);
}

#[test]
fn much_that_leaves_is_purged_piece_by_piece() {
    let (mut town, (a, da), _) = pair();
    let grid = town.grid.id;
    let record = Record::new(RecordKind::Household).unwrap();
    let raw = written_on(&record, [0xee; 16], [vec![("note".to_owned(), ScalarValue::Str("离".into()))]]).remove(0);
    let docs: Vec<DocId> = (0..super::super::purge::AT_ONCE + 5).map(|_| DocId::from_bytes(town.id())).collect();
    for doc in &docs {
        town.push(grid, change(*doc, RecordKind::Household, raw.clone()));
    }
    town.page = 10_000;
    town.sync(&a, da);
    let by = FactId::from_bytes(town.id());
    for doc in docs {
        town.push(grid, Entry::Leave(Leave { doc, by }));
    }
    let prepared = a.store.prepare(Prepare::default()).unwrap();
    let answer = town.answer(da, &prepared.bytes, &mut |_| Verdict::Accepted);
    let applied = a.store.apply(&answer).unwrap();
    assert_eq!((applied.purged, applied.more), (super::super::purge::AT_ONCE, true));
    assert_eq!(town.sync(&a, da).purged, 5);
}
