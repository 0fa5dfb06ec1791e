//! What a device may hold: views, joins, leaves, grants, instructions.

use super::*;
use crate::device::store::{CaseFilter, PageRequest, SaveError, Standing};
use crate::domain::case::State;
use crate::domain::mask::{self, CaseProgress, HouseholdView, MaskClass};
use crate::domain::server_fact::{CaseNumber, Instruction, Received, Reference};
use crate::domain::time::Interval;
use crate::record::Content;
use crate::wire::entry::{Join, Leave};

#[test]
fn a_new_household_may_be_of_the_grids_whose_streams_the_phone_reads() {
    let mut town = Town::new();
    let (member, rider) = (Phone::new(1), Phone::new(2));
    let grids = |phone: &Phone| phone.store.grids().unwrap().into_iter().collect::<Vec<_>>();
    assert_eq!(grids(&member), []);
    let device = town.enrol(&member, Role::GridMember);
    town.enrol(&rider, Role::Rider);
    assert_eq!(grids(&member), [(GRID.to_owned(), GRID.to_owned())], "offline, before the first sync");
    assert_eq!(grids(&rider), []);
    let areas = Reference::Areas(vec![(GRID.parse().unwrap(), "劳动路社区三组".to_owned())]);
    town.state(town.grid.id, FactKind::Reference, None, &areas);
    town.sync(&member, device);
    assert_eq!(grids(&member), [(GRID.to_owned(), "劳动路社区三组".to_owned())]);
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
    assert_eq!(a.store.save(saved.doc, &edit), Err(SaveError::NotApproved));
    assert_eq!(a.store.household(saved.doc), Err(StoreError::NotApproved));
    town.state(own, FactKind::Instruction, None, &Instruction::Approved);
    town.sync(&a, da);
    a.store.save(saved.doc, &edit).unwrap();
    let key = a.store.key_pair().unwrap().public();
    town.state(own, FactKind::Instruction, None, &Instruction::Wipe);
    let prepared = a.store.prepare(Prepare::default()).unwrap();
    let answer = town.answer(da, &prepared.bytes, &mut |_| Verdict::Accepted);
    assert!(a.store.apply(&answer).unwrap().wiped);
    assert_eq!(a.store.enrolled(), None);
    let wiped = a.store.status().unwrap().wiped.unwrap();
    assert_eq!((wiped.received, wiped.kept_aside, wiped.lost), (2, 0, 0), "what the centre had by then");
    assert_eq!(a.store.household(saved.doc), Err(StoreError::NotEnrolled));
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
fn a_wipe_that_was_cut_short_is_done_at_the_next_opening() {
    let (mut town, (a, da), _) = pair();
    a.household("民主街5号", "张三", "13812348000");
    town.sync(&a, da);
    a.store.inner.db.write(|tx| super::super::meta::put(tx, super::super::meta::WIPE, &true)).unwrap();
    let a = a.reopen();
    assert_eq!(a.store.enrolled(), None);
    assert_eq!(a.store.records().unwrap(), []);
}

/// The centre admits what a revoked phone's request carries to its quarantine, and only then says that it is revoked.
#[test]
fn a_revoked_phone_says_how_much_the_centre_has_and_what_is_lost() {
    let (mut town, (a, da), _) = pair();
    let (household, _) = a.household("民主街5号", "张三", "13812348000");
    town.sync(&a, da);
    let refused = a.report("井盖破损");
    town.sync_judged(&a, da, &mut refusing(refused.edit));
    a.set(household.doc, "note", "有狗");
    a.report("路灯不亮");
    a.store.prepare(Prepare::default()).unwrap();
    a.set(household.doc, "phone", "12012345678");
    a.store.wipe_revoked().unwrap();
    let told = |phone: &Phone| phone.store.status().unwrap().wiped.map(|wiped| (wiped.received, wiped.kept_aside, wiped.lost));
    assert_eq!(told(&a), Some((1, 2, 2)));
    let a = a.reopen();
    assert_eq!(told(&a), Some((1, 2, 2)), "also after the app was closed");
    a.store.wipe_revoked().unwrap();
    assert_eq!(told(&a), Some((1, 2, 2)), "and when it is told again");
    town.enrol(&a, Role::GridMember);
    assert_eq!(told(&a), None);
    a.store.wipe().unwrap();
    assert_eq!(told(&a), None, "who wipes his phone by hand knows");
}

#[test]
fn a_clock_far_ahead_puts_nothing_on_top_of_the_list_for_good() {
    let (mut town, (a, da), (b, db)) = pair();
    let day = 86_400_000;
    a.clock.wall.fetch_add(20_000 * day, Ordering::SeqCst);
    let ahead = a.report("钟快了").doc;
    a.clock.wall.fetch_sub(20_000 * day, Ordering::SeqCst);
    town.sync(&a, da);
    b.clock.pass(60_000);
    let right = b.report("钟准").doc;
    town.sync(&b, db);
    let order = |phone: &Phone| {
        let rows = phone.store.cases(&CaseFilter::default(), PageRequest::first(10)).unwrap().rows;
        rows.into_iter().map(|row| row.doc).collect::<Vec<_>>()
    };
    assert_eq!(order(&b), [ahead, right], "as long as nobody knows better");
    let grid = town.grid.id;
    let told = b.store.case(ahead).unwrap().unwrap().case.unwrap().history[0].id;
    let when = Interval { earliest_ms: 0, latest_ms: b.clock.stamp().wall_ms - 30_000 };
    town.state(grid, FactKind::Received, None, &Received::These(when, vec![told]));
    town.sync(&a, da);
    town.sync(&b, db);
    for phone in [&a, &b] {
        assert_eq!(order(phone), [right, ahead]);
    }
}
