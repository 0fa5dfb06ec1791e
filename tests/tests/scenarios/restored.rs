//! The centre lost its disk and goes on from a backup.

use fieldgrid_core::device::store::DeliveryState;
use fieldgrid_core::domain::action::{ActionKind, Fields};
use fieldgrid_core::domain::case::State;
use fieldgrid_core::domain::grant::Role;
use fieldgrid_tests::harness::agree::agree;
use fieldgrid_tests::harness::phone::Phone;
use fieldgrid_tests::harness::scene::Scene;
use fieldgrid_tests::harness::seeds;
use fieldgrid_tests::harness::typing::{self, accept, visited};

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
    let on_top = wang.set(household, "label", "写在别人的修改之后");
    scene.settle(&[&wang, &li, &desk]).await;
    let numbered = desk.device().case(case).unwrap().unwrap().row.number.unwrap();
    let unsent = wang.supplement(second.doc, "还在闪");
    assert_eq!(wang.state(note), DeliveryState::Received);
    let lost = scene.town().verify().unwrap();

    scene.pass(std::time::Duration::from_secs(3_600));
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

    // The first answers tell it; then the signal is gone again, and the phone shows what is to be delivered again.
    let mut status = wang.device().status().unwrap().store;
    for _ in 0..5 {
        if status.again == 0 {
            wang.line.lost_after(1);
            wang.sync().await;
            status = wang.device().status().unwrap().store;
        }
    }
    assert_eq!((status.again, status.received), (4, 1), "what the backup has stays received: {status:?}");
    assert_eq!([note, second, on_top].map(|saved| wang.state(saved)), [DeliveryState::Again; 3]);
    assert_eq!(wang.state(unsent), DeliveryState::OnPhone);
    wang.line.restore();

    // It comes before the phone on whose edit its own stands: that one waits, and needs nobody's help.
    wang.sync_well().await;
    assert_eq!([note, on_top].map(|saved| wang.state(saved)), [DeliveryState::Received, DeliveryState::Waiting]);
    scene.settle(&[&wang, &li, &desk, &zhou]).await;
    let reckoning = agree(scene.town(), &[&wang, &li, &desk, &zhou]);
    let typed: usize = [&wang, &li, &desk, &zhou].iter().map(|phone| phone.typed.len()).sum();
    assert_eq!((reckoning.received, reckoning.refused.len()), (typed, 0), "nothing is lost, nothing is refused");
    assert_eq!([note, second, on_top, unsent].map(|saved| wang.state(saved)), [DeliveryState::Received; 4]);
    assert_eq!(wang.device().status().unwrap().store.again, 0);
    assert!(wang.device().household(household).unwrap().unwrap().visits.iter().any(|visit| visit.fact == seen));
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

/// Backups, losses and restores on a day on which everyone works. Every phone comes back, so nothing is lost, however far back the backup is.
#[tokio::test(flavor = "multi_thread")]
async fn restores_at_any_time_lose_nothing_that_a_phone_still_has() {
    for seed in seeds(2) {
        let mut scene = Scene::set(seed).await;
        let mut phones = scene.crew().await;
        let (grids, org) = (scene.grids.clone(), scene.org);
        scene.settle(&phones.iter().collect::<Vec<_>>()).await;
        let mut backup = scene.path("0.db");
        scene.town().backup(&backup).unwrap();
        for n in 1..30 {
            for phone in &mut phones {
                for _ in 0..scene.rng.u8(..3) {
                    typing::act(phone, &grids, org, &mut scene.rng);
                }
                if scene.rng.u8(..3) > 0 {
                    phone.sync().await;
                }
            }
            match scene.rng.u8(..12) {
                0 => {
                    backup = scene.path(&format!("{n}.db"));
                    scene.town().backup(&backup).unwrap();
                }
                1 | 2 => scene.restore(&backup).await,
                _ => {}
            }
            scene.pass(std::time::Duration::from_secs(600));
        }
        let phones: Vec<&Phone> = phones.iter().collect();
        scene.settle(&phones).await;
        let reckoning = agree(scene.town(), &phones);
        let typed: usize = phones.iter().map(|phone| phone.typed.len()).sum();
        assert_eq!((reckoning.received, reckoning.refused.len()), (typed, 0), "seed {seed}: {reckoning:?}");
    }
}
