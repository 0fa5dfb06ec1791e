//! Copies, restored phones, restored servers.

use super::*;
use crate::device::store::{ApplyError, DeliveryState};

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
    let prepared = a.store.prepare(Prepare { send_state: true, sign: true, ..Prepare::default() }).unwrap();
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
fn what_a_backup_covers_is_not_kept_twice_and_is_read_whole_if_it_comes_again() {
    let (mut town, (a, da), _) = pair();
    let (saved, _) = a.household("民主街5号", "张三", "13812348000");
    town.sync(&a, da);
    let prepared = a.store.prepare(Prepare::default()).unwrap();
    let mut answer = town.answer(da, &prepared.bytes, &mut |_| Verdict::Accepted);
    answer.safe_through = Some(1);
    a.store.apply(&answer).unwrap();
    assert_eq!(a.store.status().unwrap().safe_through, Some(1));
    let kept = || a.store.inner.db.read(|db| Ok::<_, StoreError>(db.prepare("SELECT 1 FROM batches WHERE bytes IS NOT NULL")?.exists([])?)).unwrap();
    assert!(kept(), "a while longer: what says so is not signed");
    a.clock.pass(7 * 86_400_000);
    let prepared = a.store.prepare(Prepare::default()).unwrap();
    let answer = town.answer(da, &prepared.bytes, &mut |_| Verdict::Accepted);
    a.store.apply(&Answer { safe_through: Some(1), ..answer }).unwrap();
    assert!(!kept());
    // The stream is read again from its start, with a reference to the batch that is gone.
    let grid = town.grid.clone();
    town.devices.get_mut(&da).unwrap().reads.retain(|info| info.id != grid.id);
    town.sync(&a, da);
    town.devices.get_mut(&da).unwrap().reads.push(grid);
    let prepared = a.store.prepare(Prepare { send_state: true, ..Prepare::default() }).unwrap();
    let answer = town.answer(da, &prepared.bytes, &mut |_| Verdict::Accepted);
    assert!(matches!(a.store.apply(&answer), Err(ApplyError::Unproven(_))));
    town.sync(&a, da);
    assert!(a.store.household(saved.doc).unwrap().is_some());
}
