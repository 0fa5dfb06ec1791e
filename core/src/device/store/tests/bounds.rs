//! What an answer may cost: a server with keys that sends too much of everything.

use super::*;

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
