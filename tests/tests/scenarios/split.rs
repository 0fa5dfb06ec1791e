//! One server key, two stories: a copy of the data folder that was started without `restore`, or
//! somebody with the server's keys.

use fieldgrid_core::device::store::{DeliveryState, Lease};
use fieldgrid_core::domain::fact::{Body, Fact, FactKind};
use fieldgrid_core::domain::grant::{Grant, Role};
use fieldgrid_core::domain::id::{FactId, GrantId};
use fieldgrid_core::domain::server_fact::Instruction;
use fieldgrid_core::domain::time::Stamp;
use fieldgrid_core::env::random;
use fieldgrid_core::wire::enrol::SignedGrant;
use fieldgrid_core::wire::suite::KeyPair;
use fieldgrid_tests::harness::agree::agree;
use fieldgrid_tests::harness::phone::Phone;
use fieldgrid_tests::harness::scene::Scene;
use sync_server::store::{Epoch, Payload};

#[tokio::test(flavor = "multi_thread")]
async fn an_old_copy_of_the_data_started_without_restore_loses_nothing_that_phones_have() {
    let mut scene = Scene::set(71).await;
    let grid = scene.grids[0];
    let mut wang = scene.phone("wang", Role::GridMember, grid).await;
    let mut li = scene.phone("li", Role::GridHead, grid).await;
    let household = wang.household("民主街12号", "张三", "12812348000").doc;
    for n in 0..6 {
        li.report(&format!("井盖破损 {n}"));
        scene.settle(&[&wang, &li]).await;
    }
    scene.stop().await;
    let copy = scene.copy("snapshot");
    scene.serve();

    // What the copy does not have, with receipts for it; and one phone that has not sent yet.
    let note = wang.set(household, "note", "北门已锁");
    let report = li.report("路灯不亮");
    scene.settle(&[&wang, &li]).await;
    let unsent = wang.supplement(report.doc, "还在闪");
    scene.swap(&copy).await;

    // The copy numbers on in the same epoch, with other entries, before the phones that are ahead
    // of it come.
    let mut zhou = scene.phone("zhou", Role::GridMember, grid).await;
    zhou.sync_well().await;
    for n in 0..4 {
        zhou.report(&format!("树枝折断 {n}"));
        zhou.sync_well().await;
    }
    scene.settle(&[&wang, &li, &zhou]).await;
    assert_eq!([wang.state(note), li.state(report), wang.state(unsent)], [DeliveryState::Received; 3]);
    let reckoning = agree(scene.town(), &[&wang, &li, &zhou]);
    let typed: usize = [&wang, &li, &zhou].iter().map(|phone| phone.typed.len()).sum();
    assert_eq!((reckoning.received, reckoning.refused.len()), (typed, 0), "nothing is lost, nothing is refused");

    // Both sides have noticed: the phones keep the proof and have sent it, and the operator is
    // told, until he restores.
    for phone in [&wang, &li] {
        let proofs = phone.device().split_views().unwrap();
        assert!(!proofs.is_empty() && proofs.iter().all(|proof| proof.told && proof.chains[0] != proof.chains[1]), "{proofs:?}");
        assert_eq!(phone.device().status().unwrap().store.split_views as usize, proofs.len());
    }
    assert!(zhou.device().split_views().unwrap().is_empty(), "it was told one story");
    let told = scene.town().contradictions().unwrap();
    assert!(told.iter().any(|row| row.ours.is_some_and(|ours| ours != row.at.chain)), "{told:?}");
    assert_eq!(scene.town().verify().unwrap().contradictions, told.len() as u64);
    let backup = scene.path("the copy.db");
    scene.town().backup(&backup).unwrap();
    scene.pass(std::time::Duration::from_secs(60));
    scene.restore(&backup).await;
    scene.settle(&[&wang, &li, &zhou]).await;
    assert!(scene.town().contradictions().unwrap().is_empty(), "a new life contradicts nothing");
    let _ = agree(scene.town(), &[&wang, &li, &zhou]);
}

/// The copy is behind, and nothing has been written to it: it has no chain yet where phones are.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_behind_learns_so_from_the_first_phone() {
    let mut scene = Scene::set(74).await;
    let grid = scene.grids[0];
    let mut wang = scene.phone("wang", Role::GridMember, grid).await;
    let li = scene.phone("li", Role::GridHead, grid).await;
    wang.report("井盖破损");
    scene.settle(&[&wang, &li]).await;
    scene.stop().await;
    let copy = scene.copy("snapshot");
    scene.serve();
    let saved = wang.report("路灯不亮");
    scene.settle(&[&wang, &li]).await;
    scene.swap(&copy).await;
    assert!(scene.town().contradictions().unwrap().is_empty());
    scene.settle(&[&li]).await;
    let told = scene.town().contradictions().unwrap();
    assert!(!told.is_empty() && told.iter().all(|row| row.ours.is_none()), "{told:?}");
    scene.settle(&[&wang, &li]).await;
    assert_eq!(wang.state(saved), DeliveryState::Received);
    assert!(li.device().case(saved.doc).unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_that_meet_and_the_desk_prove_a_split_view_and_an_honest_restore_is_none() {
    let mut scene = Scene::set(75).await;
    let grid = scene.grids[0];
    let mut wang = scene.phone("wang", Role::GridMember, grid).await;
    let mut li = scene.phone("li", Role::GridHead, grid).await;
    wang.report("井盖破损");
    scene.settle(&[&wang, &li]).await;
    let shown = |phone: &Phone| phone.device().heads_note().unwrap().to_string().parse().unwrap();
    let compared = wang.device().compare(&shown(&li)).unwrap();
    assert!(compared.same > 0 && compared.split == 0, "{compared:?}");
    scene.stop().await;
    let lair = scene.copy("lair");
    scene.serve();

    // Each of the two is told another entry at the same place.
    wang.report("路灯不亮");
    scene.settle(&[&wang]).await;
    let home = scene.swap(&lair).await;
    li.report("树枝折断");
    scene.settle(&[&li]).await;
    let compared = wang.device().compare(&shown(&li)).unwrap();
    assert_eq!(compared.split, 1, "{compared:?}");
    assert_eq!(li.device().compare(&shown(&wang)).unwrap().split, 1);
    let proof = wang.device().split_views().unwrap();
    assert!(proof.len() == 1 && !proof[0].told);

    // A note that somebody else signed proves nothing, and is not kept.
    let mut forged: fieldgrid_core::wire::witness::HeadsNote = shown(&li);
    forged.shown[0].device = wang.device().identity().unwrap().device;
    assert!(wang.device().compare(&forged).is_err());

    // The desk sees it from the note alone, and from the phone when it comes home.
    scene.swap(&home).await;
    assert_eq!(scene.town().compare(&shown(&wang)).await.unwrap(), []);
    assert!(!scene.town().compare(&shown(&li)).await.unwrap().is_empty());
    scene.settle(&[&wang, &li]).await;
    assert!([&wang, &li].iter().all(|phone| phone.device().split_views().unwrap().iter().all(|proof| proof.told)));
    let _ = agree(scene.town(), &[&wang, &li]);

    let backup = scene.path("backup.db");
    scene.town().backup(&backup).unwrap();
    li.report("垃圾未清");
    scene.settle(&[&wang, &li]).await;
    let before = [&wang, &li].map(|phone| phone.device().split_views().unwrap().len());
    scene.pass(std::time::Duration::from_secs(60));
    scene.restore(&backup).await;
    wang.report("护栏损坏");
    scene.settle(&[&wang, &li]).await;
    assert_eq!([&wang, &li].map(|phone| phone.device().split_views().unwrap().len()), before, "what a backup lacks is no lie");
    assert!(scene.town().contradictions().unwrap().is_empty());
}

/// Puts a fact into a phone's own stream, as the server's own hand would.
async fn state(scene: &mut Scene, phone: &Phone, kind: FactKind, body: Vec<u8>) {
    let env = scene.machine();
    let stream = phone.device().identity().unwrap().stream;
    let fact = Fact { id: FactId::new(1, random(&*env)), kind, subject: None, area: None, at: Stamp { wall_ms: 1, mono_ms: 1 }, body: Body::Held(body) };
    let placed = move |tx: &mut dyn sync_server::store::Write| {
        let entry = tx.insert_entry(&Payload::Fact(fact), None)?;
        tx.lock_streams(&[stream])?;
        tx.append(stream, entry)
    };
    scene.town().store().write(placed).await.unwrap();
}

/// What a liar makes of a grant.
type Lie = fn(&mut Grant);

#[tokio::test(flavor = "multi_thread")]
async fn grants_and_orders_of_a_liar_with_the_keys_end_at_home() {
    let mut scene = Scene::set(72).await;
    let grid = scene.grids[0];
    let mut wang = scene.phone("wang", Role::GridMember, grid).await;
    wang.household("民主街12号", "张三", "12812348000");
    scene.settle(&[&wang]).await;
    let honest = wang.device().identity().unwrap().grant;
    scene.stop().await;
    let lair = scene.copy("lair");
    scene.serve();
    scene.settle(&[&wang]).await;
    let lies: [(&str, Lie); 7] = [
        ("an auditor", |grant| grant.role = Role::Auditor),
        ("without end", |grant| grant.lease_ms = i64::MAX),
        ("without lease", |grant| grant.lease_ms = 0),
        ("ended", |grant| grant.expires_ms = 1),
        ("narrowed", |grant| grant.scopes.clear()),
        ("issued in 9999", |grant| grant.issued_ms = 253_370_764_800_000),
        ("issued in 1970", |grant| grant.issued_ms = 0),
    ];
    for (what, lie) in lies {
        let home = scene.swap(&lair).await;
        let mut grant = Grant { id: GrantId::new(1, random(&*scene.machine())), supersedes: Some(honest.id), ..honest.clone() };
        lie(&mut grant);
        let secret: [u8; 32] = scene.town().store().read().unwrap().meta("signing_secret").unwrap().unwrap().try_into().unwrap();
        let signed = SignedGrant::sign(&grant, &KeyPair::from_secret(&secret));
        state(&mut scene, &wang, FactKind::Grant, minicbor::to_vec(&signed).unwrap()).await;
        state(&mut scene, &wang, FactKind::Instruction, minicbor::to_vec(Instruction::ReportOnly).unwrap()).await;
        wang.sync_well().await;
        assert_eq!(wang.device().identity().unwrap().grant, grant, "{what}: it is signed");
        assert_eq!(wang.device().status().unwrap().store.lease, Lease::ReportOnly);
        scene.swap(&home).await;
        scene.settle(&[&wang]).await;
        assert_eq!(wang.device().identity().unwrap().grant, honest, "{what}: it was not given at home");
        assert_ne!(wang.device().status().unwrap().store.lease, Lease::ReportOnly, "{what}");
    }
    let after = wang.household("民主街13号", "李四", "12812348001");
    scene.settle(&[&wang]).await;
    assert_eq!(wang.state(after), DeliveryState::Received);
    let _ = agree(scene.town(), &[&wang]);
}

/// With the keys an epoch can be raised as high as it goes, and a directory cut down to nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_liar_with_the_keys_in_the_last_epoch_keeps_no_phone() {
    let mut scene = Scene::set(76).await;
    let grid = scene.grids[0];
    let mut wang = scene.phone("wang", Role::GridMember, grid).await;
    let mut li = scene.phone("li", Role::GridHead, grid).await;
    let household = wang.household("民主街12号", "张三", "12812348000").doc;
    scene.settle(&[&wang, &li]).await;
    scene.stop().await;
    let lair = scene.copy("lair");
    scene.serve();
    let home = scene.swap(&lair).await;
    let last = Epoch { epoch: u32::MAX, opened_ms: scene.town().now_ms() };
    scene.town().store().write(move |tx| tx.open_epoch(last)).await.unwrap();
    let astray = [wang.set(household, "note", "北门已锁"), li.report("路灯不亮")];
    scene.settle(&[&wang, &li]).await;
    let device = wang.device().identity().unwrap().device;
    let unsent = wang.report("树枝折断");
    scene.town().regrant(device, Role::Rider, None, vec![scene.code()]).await.unwrap();
    wang.sync_well().await;
    assert_eq!(wang.device().status().unwrap().store.streams.len(), 1);

    for _ in 0..2 {
        scene.swap(&home).await;
        scene.settle(&[&wang, &li]).await;
        assert_eq!([wang.state(astray[0]), li.state(astray[1]), wang.state(unsent)], [DeliveryState::Received; 3]);
        let _ = agree(scene.town(), &[&wang, &li]);
        // And once more, from where the honest server left off.
        scene.swap(&lair).await;
        scene.settle(&[&li]).await;
    }
    scene.swap(&home).await;
    let saved = li.supplement(astray[1].doc, "已修好");
    scene.settle(&[&wang, &li]).await;
    assert_eq!(li.state(saved), DeliveryState::Received);
    let reckoning = agree(scene.town(), &[&wang, &li]);
    assert_eq!(reckoning.received, wang.typed.len() + li.typed.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_to_before_a_grant_takes_it_back() {
    let mut scene = Scene::set(73).await;
    let (grid, town) = (scene.grids[0], scene.code());
    let mut wang = scene.phone("wang", Role::GridMember, grid).await;
    wang.report("井盖破损");
    scene.settle(&[&wang]).await;
    let before = wang.device().identity().unwrap();
    let backup = scene.path("before.db");
    scene.town().backup(&backup).unwrap();
    scene.pass(std::time::Duration::from_secs(60));
    let head = scene.town().regrant(before.device, Role::TownDispatcher, None, vec![town]).await.unwrap();
    scene.settle(&[&wang]).await;
    assert_eq!(wang.device().identity().unwrap().grant, head);
    scene.pass(std::time::Duration::from_secs(60));
    scene.restore(&backup).await;
    scene.settle(&[&wang]).await;
    assert_eq!(wang.device().identity().unwrap().grant, before.grant, "the centre knows of no other");
    let again = scene.town().regrant(before.device, Role::GridHead, None, vec![grid]).await.unwrap();
    scene.settle(&[&wang]).await;
    assert_eq!(wang.device().identity().unwrap().grant, again);
    let _ = agree(scene.town(), &[&wang]);
}
