//! The centre lost its disk and goes on from a backup.

use fieldgrid_core::device::store::DeliveryState;
use fieldgrid_core::domain::action::{ActionKind, Fields};
use fieldgrid_core::domain::case::State;
use fieldgrid_core::domain::grant::Role;
use fieldgrid_tests::harness::agree::agree;
use fieldgrid_tests::harness::scene::Scene;
use fieldgrid_tests::harness::typing::{accept, visited};

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_centre_gets_back_what_phones_ahead_of_it_had_delivered() {
    let mut scene = Scene::set(7).await;
    let (grid, town) = (scene.grids[0], scene.code());
    let mut wang = scene.phone("wang", Role::GridMember, grid).await;
    let mut li = scene.phone("li", Role::GridHead, grid).await;
    let mut desk = scene.phone("desk", Role::TownDispatcher, town).await;
    let household = wang.household("民主街12号", "张三", "12812348000").doc;
    let case = li.report("井盖破损").doc;
    scene.settle(&[&wang, &li, &desk]).await;
    let (backup, before) = (scene.path("backup.db"), scene.town().store().read().unwrap().epochs().unwrap().len());
    scene.town().backup(&backup).unwrap();
    scene.settle(&[&wang, &li, &desk]).await;

    // What the backup does not have: of one phone, of two on the same record, of the desk; and something on a phone that has not been sent.
    let note = wang.set(household, "note", "北门已锁");
    let seen = wang.visit(household, &visited("煤气灶需要检修"));
    let second = wang.report("路灯不亮");
    scene.settle(&[&wang, &li]).await;
    li.set(household, "pets", "一只猫");
    desk.act(case, ActionKind::Accept, accept(grid));
    scene.settle(&[&wang, &li, &desk]).await;
    let numbered = desk.device().case(case).unwrap().unwrap().row.number.unwrap();
    let unsent = wang.supplement(second.doc, "还在闪");
    assert_eq!(wang.state(note), DeliveryState::Received);
    let lost = scene.town().verify().unwrap();

    scene.restore(&backup).await;
    let town = scene.town().clone();
    assert_eq!(town.store().read().unwrap().epochs().unwrap().len(), before + 1, "a new life has a new epoch");
    assert!(town.verify().unwrap().documents < lost.documents);

    // It has gone on numbering before the phone that is ahead comes: another phone, at the backup's positions, writes to the same streams.
    let mut zhou = scene.phone("zhou", Role::GridMember, grid).await;
    zhou.sync_well().await;
    zhou.set(household, "language", "汉中话");
    zhou.report("树枝折断");
    zhou.sync_well().await;

    // The first answer tells it; before anything is sent again, the phone shows what is to be delivered again.
    wang.link.set_down(true);
    wang.sync().await;
    wang.link.set_down(false);
    wang.line.lost_after(2);
    wang.sync().await;
    let status = wang.device().status().unwrap().store;
    if status.again == 0 {
        assert_eq!(wang.state(note), DeliveryState::Received, "either not told yet, or delivered again already: {status:?}");
    } else {
        assert_eq!(wang.state(note), DeliveryState::Again);
    }
    wang.line.restore();

    scene.settle(&[&wang, &li, &desk, &zhou]).await;
    let reckoning = agree(scene.town(), &[&wang, &li, &desk, &zhou]);
    let typed: usize = [&wang, &li, &desk, &zhou].iter().map(|phone| phone.typed.len()).sum();
    assert_eq!((reckoning.received, reckoning.refused.len()), (typed, 0), "nothing is lost, nothing is refused");
    assert_eq!([note, second, unsent].map(|saved| wang.state(saved)), [DeliveryState::Received; 3]);
    assert!(wang.device().household(household).unwrap().unwrap().visits.iter().any(|visit| visit.fact == seen));
    assert!(wang.line.heard().len() > 1000);
    for phone in [&wang, &li, &zhou] {
        let home = phone.device().household(household).unwrap().unwrap().household.unwrap();
        assert_eq!([home.text("note"), home.text("pets"), home.text("language")], [Some("北门已锁"), Some("一只猫"), Some("汉中话")], "{}", phone.name);
    }
    let folded = wang.device().case(case).unwrap().unwrap();
    assert_eq!(folded.case.unwrap().state, State::Accepted);
    assert_ne!(folded.row.number.as_ref(), Some(&numbered), "numbers that the lost centre may have given out are not given again");
    wang.act(second.doc, ActionKind::Supplement, Fields { text: Some("已修好".into()), ..Fields::default() });
    scene.settle(&[&wang, &li, &desk, &zhou]).await;
    let _ = agree(scene.town(), &[&wang, &li, &desk, &zhou]);
}
