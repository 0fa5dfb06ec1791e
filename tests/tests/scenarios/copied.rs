//! A store is copied, and both go on.

use fieldgrid_core::device::store::{DeliveryState, Lease};
use fieldgrid_core::domain::action::ActionKind;
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::household::Value;
use fieldgrid_core::domain::policy::Refusal;
use fieldgrid_tests::harness::agree::{agree, is_there, server_records};
use fieldgrid_tests::harness::phone::Phone;
use fieldgrid_tests::harness::scene::Scene;
use fieldgrid_tests::harness::seeds;
use fieldgrid_tests::harness::typing::accept;

/// Copies the store of a phone whose app is closed; `life`: with the file that tells copies apart.
fn copy(from: &Phone, to: &Phone, life: bool) {
    std::fs::copy(&from.path, &to.path).unwrap();
    let wal = from.path.with_extension("db-wal");
    if wal.exists() {
        std::fs::copy(wal, to.path.with_extension("db-wal")).unwrap();
    }
    if life {
        std::fs::copy(from.path.with_extension("life"), to.path.with_extension("life")).unwrap();
    }
}

/// Rounds of both, until neither has anything to say. A limited phone still syncs.
async fn both(scene: &Scene, one: &Phone, two: &Phone) {
    for _ in 0..6 {
        one.sync().await;
        two.sync().await;
    }
    scene.settle(&[one, two]).await;
}

fn nothing_is_lost(scene: &Scene, phone: &Phone) {
    let read = scene.town().store().read().unwrap();
    for typed in &phone.typed {
        let there = is_there(read.as_ref(), *typed);
        let refused = phone.device().refused().unwrap().iter().any(|row| Some(typed.doc()) == row.doc);
        assert!(there || refused, "{}: {typed:?} is neither at the centre nor shown as refused", phone.name);
    }
    drop(server_records(read.as_ref()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_copied_with_everything_is_found_out_and_nothing_typed_on_either_is_lost() {
    let mut scene = Scene::set(8).await;
    let grid = scene.grids[0];
    let mut one = scene.phone("one", Role::GridMember, grid).await;
    let household = one.household("民主街12号", "张三", "12812348000").doc;
    let case = one.report("井盖破损").doc;
    scene.settle(&[&one]).await;
    // Something sealed and not yet known to be held, and something in no batch: the copy has both as well.
    one.line.lose_answers();
    one.supplement(case, "在路上");
    one.sync().await;
    one.line.restore();
    one.supplement(case, "还没有发");
    one.close();
    let mut two = one.twin(&mut scene, "two").await;
    copy(&one, &two, true);
    one.open();
    two.open();

    one.supplement(case, "第一部手机");
    let first = one.report("第一部手机的上报");
    two.supplement(case, "第二部手机");
    let second = two.report("第二部手机的上报");
    let edited = two.set(household, "note", "第二部手机的备注");
    one.sync().await;
    two.sync().await;
    both(&scene, &one, &two).await;

    for phone in [&one, &two] {
        nothing_is_lost(&scene, phone);
        assert_eq!(phone.device().status().unwrap().store.lease, Lease::ReportOnly, "{}: both are limited until the centre approves", phone.name);
    }
    assert_eq!((one.state(first), two.state(second)), (DeliveryState::Received, DeliveryState::Received));
    let row = two.edit(edited);
    assert_eq!((row.delivery.state, row.delivery.reason), (DeliveryState::Refused, Some(Refusal::ReportOnly)), "visible, with its reason");
    let texts = |phone: &Phone| {
        let case = phone.device().case(case).unwrap().unwrap().case.unwrap();
        let mut texts: Vec<_> = case.history.iter().filter_map(|entry| entry.action.fields.text.clone()).collect();
        texts.sort();
        texts
    };
    assert_eq!(texts(&one), texts(&two));
    let mut all = ["井盖破损", "在路上", "还没有发", "第一部手机", "第二部手机"].map(str::to_owned);
    all.sort();
    assert_eq!(texts(&one), all, "what both had is there once, what each typed is there");

    let device = one.device().identity().unwrap().device;
    let shown = scene.town().phones().unwrap().into_iter().find(|phone| phone.device == device).unwrap();
    assert!(format!("{shown:?}").contains("ReportOnly"), "the centre sees it: {shown:?}");
    scene.town().approve(device).await.unwrap();
    two.close();
    scene.settle(&[&one]).await;
    assert!(matches!(one.device().status().unwrap().store.lease, Lease::Open(_)));
    one.set(household, "note", "又可以改了");
    scene.settle(&[&one]).await;
    let _ = agree(scene.town(), &[&one]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_restored_from_a_phones_backup_begins_a_new_life() {
    let mut scene = Scene::set(9).await;
    let grid = scene.grids[0];
    let mut one = scene.phone("one", Role::GridMember, grid).await;
    let case = one.report("井盖破损").doc;
    scene.settle(&[&one]).await;
    one.close();
    let mut again = one.twin(&mut scene, "again").await;
    copy(&one, &again, false);
    // The old phone went on after its backup was made, and then fell into the river.
    one.open();
    let late = one.supplement(case, "备份之后");
    scene.settle(&[&one]).await;
    let before = one.device().identity().unwrap().incarnation;
    one.close();

    again.open();
    assert!(again.device().status().unwrap().store.copied);
    let typed = again.supplement(case, "新手机");
    scene.settle(&[&again]).await;
    assert_ne!(again.device().identity().unwrap().incarnation, before);
    assert_eq!(again.state(typed), DeliveryState::Received);
    let status = again.device().status().unwrap().store;
    assert!(matches!(status.lease, Lease::Open(_)) && !status.copied, "it found out by itself: nobody is limited");
    let history = again.device().case(case).unwrap().unwrap().case.unwrap().history;
    assert_eq!(history.len(), 3, "what was sent after the backup came back by the streams");
    assert!(history.iter().any(|entry| entry.action.fields.text.as_deref() == Some("备份之后")));
    let _ = (agree(scene.town(), &[&again]), late);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_typed_on_a_restored_phone_before_it_read_that_the_case_had_moved_are_kept() {
    let mut scene = Scene::set(10).await;
    let (town, first, second) = (scene.code(), scene.grids[0], scene.grids[1]);
    let mut one = scene.phone("one", Role::GridMember, first).await;
    let zhao = scene.phone("zhao", Role::GridMember, second).await;
    let mut desk = scene.phone("desk", Role::TownDispatcher, town).await;
    let case = one.report("井盖破损").doc;
    scene.settle(&[&one, &desk]).await;
    one.close();
    let mut again = one.twin(&mut scene, "again").await;
    copy(&one, &again, false);
    desk.act(case, ActionKind::Accept, accept(second));
    scene.settle(&[&desk, &zhao]).await;

    again.open();
    assert!(again.device().status().unwrap().store.copied);
    let typed = again.supplement(case, "已设围挡");
    scene.settle(&[&again, &desk, &zhao]).await;
    assert_eq!(again.edit(typed).delivery.state, DeliveryState::Received, "he stood where the case still was his grid's");
    assert!(again.device().case(case).unwrap().is_none());
    assert_eq!(zhao.device().case(case).unwrap().unwrap().case.unwrap().history.len(), 3);
    assert!(agree(scene.town(), &[&again, &zhao, &desk]).refused.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleagues_value_stays_beside_the_one_of_a_restored_phone() {
    let mut scene = Scene::set(11).await;
    let grid = scene.grids[0];
    let mut one = scene.phone("one", Role::GridMember, grid).await;
    let mut li = scene.phone("li", Role::GridMember, grid).await;
    let household = one.household("民主街12号", "张三", "12812348000").doc;
    scene.settle(&[&one, &li]).await;
    one.close();
    let mut again = one.twin(&mut scene, "again").await;
    copy(&one, &again, false);
    again.open();
    again.set(household, "note", "两条狗");
    li.set(household, "note", "没有狗");
    li.sync_well().await;
    scene.settle(&[&again, &li]).await;
    for phone in [&again, &li] {
        let read = phone.device().household(household).unwrap().unwrap().household.unwrap();
        let mut values: Vec<_> = read.alternatives.iter().flat_map(|other| &other.values).collect();
        values.push(&read.fields["note"]);
        values.sort_by_key(|value| format!("{value:?}"));
        let both = ["两条狗", "没有狗"].map(|text| Value::Text(text.to_owned()));
        assert_eq!(values, both.iter().collect::<Vec<_>>(), "{}", phone.name);
    }
    let _ = agree(scene.town(), &[&again, &li]);
}

/// Both go on for a day, each when it likes.
#[tokio::test(flavor = "multi_thread")]
async fn copies_that_go_on_at_any_time_lose_nothing() {
    for seed in seeds(4) {
        let mut scene = Scene::set(seed).await;
        let grid = scene.grids[0];
        let mut one = scene.phone("one", Role::GridMember, grid).await;
        let case = one.report("井盖破损").doc;
        scene.settle(&[&one]).await;
        one.supplement(case, "复制之前");
        if scene.rng.bool() {
            one.line.lose_answers();
            one.sync().await;
            one.line.restore();
        }
        one.close();
        let mut two = one.twin(&mut scene, "two").await;
        let life = scene.rng.bool();
        copy(&one, &two, life);
        one.open();
        two.open();
        for n in 0..20 {
            let phone = if scene.rng.bool() { &mut one } else { &mut two };
            let text = format!("{}-{n}", phone.name);
            match scene.rng.u8(..4) {
                0 => drop(phone.report(&text)),
                1 => drop(phone.supplement(case, &text)),
                2 => {
                    phone.line.lost_after(scene.rng.u32(..4));
                    phone.sync().await;
                    phone.line.restore();
                }
                _ => {
                    phone.sync().await;
                }
            }
        }
        both(&scene, &one, &two).await;
        for phone in [&one, &two] {
            nothing_is_lost(&scene, phone);
            assert_eq!(phone.device().refused().unwrap(), [], "seed {seed}: reports are never refused");
        }
        let texts = |phone: &Phone| phone.device().case(case).unwrap().unwrap().case.unwrap();
        assert_eq!(texts(&one), texts(&two), "seed {seed}");
    }
}
