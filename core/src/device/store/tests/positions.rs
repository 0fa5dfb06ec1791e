//! What a server that signs no answers may say of directory, epochs and common positions, and the
//! way back from it.

use super::*;
use crate::device::store::{ApplyError, outbox};

/// A phone in the grid of a town that sends one entry an answer, after `entries` of them.
fn far(entries: u64) -> (Town, Phone, DeviceId) {
    let (mut town, (a, da), (b, db)) = pair();
    for n in 0..entries {
        b.report(&format!("井盖破损 {n}"));
    }
    town.sync(&b, db);
    town.page = 1;
    for _ in 0..entries {
        let prepared = a.store.prepare(Prepare::default()).unwrap();
        let answer = town.answer(da, &prepared.bytes, &mut |_| Verdict::Accepted);
        a.store.apply(&answer).unwrap();
    }
    town.page = 1_000;
    (town, a, da)
}

fn cursor(phone: &Phone, stream: StreamId) -> Cursor {
    let cursors = phone.store.inner.db.read(outbox::cursors).unwrap();
    cursors.into_iter().find(|cursor| cursor.stream == stream).unwrap()
}

fn rungs(phone: &Phone, stream: StreamId) -> Vec<u64> {
    let query = |db: &rusqlite::Connection| {
        let mut rows = db.prepare("SELECT seq FROM rungs WHERE stream = ?1 ORDER BY seq DESC")?;
        let rows = rows.query_map([stream.as_bytes()], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok::<Vec<u64>, StoreError>(rows)
    };
    phone.store.inner.db.read(query).unwrap()
}

/// Applies an answer that says this and nothing else.
fn told(phone: &Phone, says: Answer) -> Result<Applied, ApplyError> {
    let nonce = phone.store.prepare(Prepare::default()).unwrap().request.nonce;
    phone.store.apply(&Answer { nonce, ..says })
}

#[test]
fn rungs_lie_further_apart_the_older_they_are() {
    let (town, a, _) = far(200);
    let rungs = rungs(&a, town.grid.id);
    assert_eq!(rungs[..2], [200, 199]);
    assert!((8..20).contains(&rungs.len()), "{rungs:?}");
    let apart = rungs.windows(3).map(|three| (three[0] - three[1], 200 - three[2]));
    assert!(apart.into_iter().all(|(gap, distance)| gap <= distance), "{rungs:?}");
}

#[test]
fn a_position_that_is_not_proved_is_asked_about_and_an_honest_server_is_read_on() {
    let (mut town, a, da) = far(64);
    let at = cursor(&a, town.grid.id);
    for (what, named) in [
        ("its own, with another chain", Cursor { chain: Hash([9; 32]), ..at }),
        ("one that was never a rung", Cursor { seq: 40, chain: Hash([9; 32]), ..at }),
        ("the start, where more is common", Cursor { seq: 0, chain: Hash::ZERO, epoch: u32::MAX, ..at }),
        ("the start, with a chain", Cursor { seq: 0, chain: Hash([9; 32]), ..at }),
    ] {
        let applied = told(&a, Answer { common: vec![named], ..Answer::default() }).unwrap();
        let back = cursor(&a, town.grid.id);
        assert!(applied.more && back.seq < at.seq, "{what}: {back:?}");
        assert_eq!(back.chain, town.chain(town.grid.id, back.seq), "{what}: it stands where the chain is proved");
        town.devices.get_mut(&da).unwrap().state = None;
        town.sync(&a, da);
        assert_eq!(cursor(&a, town.grid.id), at, "{what}");
    }
    assert!(matches!(told(&a, Answer { common: vec![Cursor { seq: 65, ..at }], ..Answer::default() }), Err(ApplyError::Unproven(_))));
    assert_eq!(a.store.status().unwrap().cases, 64);
}

#[test]
fn who_names_no_common_position_leads_to_the_start_in_a_few_questions() {
    let (town, a, _) = far(200);
    let start = Cursor { stream: town.grid.id, epoch: 1, seq: 0, chain: Hash::ZERO };
    let mut asked = 0;
    while cursor(&a, town.grid.id).seq > 0 {
        told(&a, Answer { common: vec![start], ..Answer::default() }).unwrap();
        asked += 1;
    }
    assert!(asked <= 5, "{asked}");
}

#[test]
fn a_false_epoch_does_not_keep_from_reading() {
    let (mut town, (a, da), (b, db)) = pair();
    b.report("井盖破损");
    town.sync(&b, db);
    let reads = town.devices[&da].reads.clone();
    let last = |info: &StreamInfo| Cursor { stream: info.id, epoch: u32::MAX, seq: 0, chain: Hash::ZERO };
    told(&a, Answer { common: reads.iter().map(last).collect(), ..Answer::default() }).unwrap();
    let own = reads.iter().filter(|info| info.kind == StreamKind::Device).cloned().collect();
    told(&a, Answer { directory: Some(own), ..Answer::default() }).unwrap();
    let later = reads.iter().map(|info| StreamInfo { epoch: u32::MAX, ..info.clone() }).collect();
    told(&a, Answer { directory: Some(later), ..Answer::default() }).unwrap();
    let saved = a.report("路灯不亮");
    town.sync(&a, da);
    assert_eq!((delivery(&a, saved.doc), a.store.status().unwrap().cases), (DeliveryState::Received, 2));
}

#[test]
fn a_directory_by_which_no_phone_could_read_is_refused() {
    let (mut town, (a, da), _) = pair();
    let saved = a.report("路灯不亮");
    town.sync(&a, da);
    let reads = town.devices[&da].reads.clone();
    let many = |n: u16| {
        let mut id = [0x77; 16];
        id[..2].copy_from_slice(&n.to_be_bytes());
        StreamInfo { id: StreamId::from_bytes(id), kind: StreamKind::Scope, area: None, org: None, epoch: 1 }
    };
    let own = reads.iter().find(|info| info.kind == StreamKind::Device).unwrap();
    for (what, directory) in [
        ("more than a state may name", reads.iter().cloned().chain((0..255).map(many)).collect()),
        ("none", Vec::new()),
        ("without its own", vec![town.grid.clone()]),
        ("one twice", [reads.as_slice(), &reads].concat()),
        ("another device's", [reads.as_slice(), &[StreamInfo { id: StreamId::from_bytes([8; 16]), ..own.clone() }]].concat()),
        ("its own as a grid", vec![StreamInfo { kind: StreamKind::Grid, ..own.clone() }]),
    ] {
        let told = told(&a, Answer { directory: Some(directory), ..Answer::default() });
        assert!(matches!(told, Err(ApplyError::Unproven(_))), "{what}: {told:?}");
        assert_eq!(a.store.status().unwrap().streams.len(), reads.len(), "{what}");
    }
    town.sync(&a, da);
    assert_eq!(delivery(&a, saved.doc), DeliveryState::Received);
}
