//! What an answer may cost: a server with keys that sends too much of everything.

use super::super::ApplyError;
use super::*;
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
