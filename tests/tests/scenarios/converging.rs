//! Two phones edit without signal.

use fieldgrid_core::device::store::DeliveryState;
use fieldgrid_core::domain::action::ActionKind;
use fieldgrid_core::domain::case::{Effect, State};
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::household::Value;
use fieldgrid_tests::harness::agree::agree;
use fieldgrid_tests::harness::scene::Scene;
use fieldgrid_tests::harness::typing::visited;

#[tokio::test(flavor = "multi_thread")]
async fn two_phones_that_edit_offline_converge() {
    let mut scene = Scene::set(1).await;
    let grid = scene.grids[0];
    let mut wang = scene.phone("wang", Role::GridMember, grid).await;
    let mut li = scene.phone("li", Role::GridHead, grid).await;
    let household = wang.household("民主街12号", "张三", "12812348000").doc;
    let case = wang.report("井盖破损,行人绕行").doc;
    scene.settle(&[&wang, &li]).await;

    // Neither hears of the other: the same field, other fields, the same case, a visit.
    wang.set(household, "note", "北门已锁");
    wang.set(household, "pets", "一只猫");
    wang.supplement(case, "从东侧看");
    li.set(household, "note", "南门可进");
    li.set(household, "language", "汉中话");
    li.supplement(case, "从西侧看");
    li.visit(household, &visited("煤气灶需要检修"));
    let later = li.report("路灯不亮");
    assert_eq!(li.state(later), DeliveryState::OnPhone);
    scene.settle(&[&wang, &li]).await;

    let reckoning = agree(scene.town(), &[&wang, &li]);
    assert_eq!((reckoning.received, reckoning.refused.len(), reckoning.records), (wang.typed.len() + li.typed.len(), 0, 3));
    let read = |phone: &fieldgrid_tests::harness::phone::Phone| phone.device().household(household).unwrap().unwrap().household.unwrap();
    let (mine, theirs) = (read(&wang), read(&li));
    assert_eq!(mine, theirs);
    assert_eq!((mine.text("pets"), mine.text("language")), (Some("一只猫"), Some("汉中话")), "fields that only one touched keep his value");
    let note = mine.fields["note"].clone();
    let other = mine.alternatives.iter().find(|other| other.field == "note").expect("the value that lost is kept beside it");
    let mut both = other.values.clone();
    both.push(note);
    both.sort_by_key(|value| format!("{value:?}"));
    assert_eq!(both, [Value::Text("北门已锁".into()), Value::Text("南门可进".into())]);

    let [one, two] = [&wang, &li].map(|phone| phone.device().case(case).unwrap().unwrap().case.unwrap());
    assert_eq!(one, two, "both fold the case alike");
    assert_eq!((one.state, one.history.len()), (State::Reported, 3));
    assert!(one.history.iter().all(|entry| entry.effect == Effect::Effective));
    assert_eq!(one.history.iter().filter(|entry| entry.action.kind == ActionKind::Supplement).count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn deciding_the_same_conflict_settles_it_for_everyone() {
    let mut scene = Scene::set(2).await;
    let grid = scene.grids[0];
    let mut wang = scene.phone("wang", Role::GridMember, grid).await;
    let mut li = scene.phone("li", Role::GridMember, grid).await;
    let household = wang.household("民主街12号", "张三", "12812348000").doc;
    scene.settle(&[&wang, &li]).await;
    wang.set(household, "note", "北门已锁");
    li.set(household, "note", "南门可进");
    scene.settle(&[&wang, &li]).await;
    // Whoever looks decides for one of the two, be it the one that shows already.
    li.set(household, "note", "北门已锁");
    scene.settle(&[&wang, &li]).await;
    let _ = agree(scene.town(), &[&wang, &li]);
    let decided = wang.device().household(household).unwrap().unwrap().household.unwrap();
    assert_eq!((decided.text("note"), decided.alternatives.len()), (Some("北门已锁"), 0));
}
