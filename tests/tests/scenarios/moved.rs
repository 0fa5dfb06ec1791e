//! A case changes hands while phones are without signal.

use fieldgrid_core::device::store::{DeliveryState, PageRequest};
use fieldgrid_core::domain::action::{ActionKind, Fields};
use fieldgrid_core::domain::case::{Effect, State};
use fieldgrid_core::domain::grant::Role;
use fieldgrid_tests::harness::agree::agree;
use fieldgrid_tests::harness::phone::Phone;
use fieldgrid_tests::harness::scene::Scene;
use fieldgrid_tests::harness::typing::{accept, fields};

#[tokio::test(flavor = "multi_thread")]
async fn a_department_that_is_recalled_forgets_the_case_and_what_it_had_finished_counts() {
    let mut scene = Scene::set(5).await;
    let (town, grid, org) = (scene.code(), scene.grids[0], scene.org);
    let mut wang = scene.phone("wang", Role::GridMember, grid).await;
    let mut desk = scene.phone("desk", Role::TownDispatcher, town).await;
    let mut bumen = scene.phone("bumen", Role::Department, town).await;
    let tongshi = scene.phone("tongshi", Role::Department, town).await;
    let case = wang.report("井盖破损,行人绕行").doc;
    scene.settle(&[&wang, &desk]).await;
    desk.act(case, ActionKind::Accept, accept(grid));
    desk.act(case, ActionKind::Dispatch, fields(ActionKind::Dispatch, "当日修复", grid, org).unwrap());
    scene.settle(&[&desk, &bumen, &tongshi]).await;
    bumen.act(case, ActionKind::Sign, Fields::default());
    scene.settle(&[&bumen, &desk]).await;

    // Out of signal, one of them writes and the other does not; the desk takes the case back.
    bumen.link.set_down(true);
    let note = bumen.act(case, ActionKind::Progress, fields(ActionKind::Progress, "配件在路上", grid, org).unwrap());
    desk.act(case, ActionKind::Recall, fields(ActionKind::Recall, "另派他人", grid, org).unwrap());
    scene.settle(&[&desk, &wang, &tongshi]).await;
    let here = |phone: &Phone| phone.device().case(case).unwrap().is_some();
    assert_eq!([here(&bumen), here(&tongshi), here(&wang)], [true, false, true]);

    bumen.link.set_down(false);
    scene.settle(&[&bumen, &desk, &wang]).await;
    assert!(!here(&bumen), "once what it wrote has its verdict");
    let edits = bumen.device().edits(case).unwrap();
    assert!(edits.iter().any(|row| row.edit == note.edit && row.delivery.state == DeliveryState::Received), "and still shows that it arrived");
    assert!(bumen.device().search("井盖", PageRequest::first(10)).unwrap().rows.is_empty());
    let _ = agree(scene.town(), &[&wang, &desk, &bumen, &tongshi]);

    // A second time, and now the work was done before the recall was read.
    desk.act(case, ActionKind::Dispatch, fields(ActionKind::Dispatch, "请继续", grid, org).unwrap());
    scene.settle(&[&desk, &bumen, &tongshi]).await;
    bumen.act(case, ActionKind::Sign, Fields::default());
    scene.settle(&[&bumen, &desk]).await;
    bumen.link.set_down(true);
    let finish = bumen.act(case, ActionKind::Finish, fields(ActionKind::Finish, "已更换井盖", grid, org).unwrap());
    desk.act(case, ActionKind::Recall, fields(ActionKind::Recall, "不用了", grid, org).unwrap());
    scene.settle(&[&desk, &tongshi]).await;
    assert!(!here(&tongshi));
    bumen.link.set_down(false);
    let everyone = [&wang, &desk, &bumen, &tongshi];
    scene.settle(&everyone).await;
    for phone in everyone {
        let folded = phone.device().case(case).unwrap().unwrap().case.unwrap();
        let finished = folded.history.iter().find(|entry| entry.action.kind == ActionKind::Finish).unwrap();
        assert_eq!((folded.state, finished.effect), (State::Resolved, Effect::Effective), "{}: row 10", phone.name);
    }
    assert_eq!(bumen.state(finish), DeliveryState::Received);
    assert!(agree(scene.town(), &everyone).refused.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_that_lies_in_another_grid_goes_there_and_words_from_the_first_are_kept() {
    let mut scene = Scene::set(6).await;
    let (town, first, second) = (scene.code(), scene.grids[0], scene.grids[1]);
    let mut wang = scene.phone("wang", Role::GridMember, first).await;
    let zhao = scene.phone("zhao", Role::GridMember, second).await;
    let mut desk = scene.phone("desk", Role::TownDispatcher, town).await;
    let case = wang.report("井盖破损,行人绕行").doc;
    scene.settle(&[&wang, &desk]).await;
    wang.supplement(case, "已设围挡");
    desk.act(case, ActionKind::Accept, accept(second));
    scene.settle(&[&desk, &zhao]).await;
    assert!(zhao.device().case(case).unwrap().is_some());
    scene.settle(&[&wang, &desk, &zhao]).await;
    assert!(wang.device().case(case).unwrap().is_none(), "his words are there, and the case is another grid's");
    let history = zhao.device().case(case).unwrap().unwrap().case.unwrap().history;
    assert_eq!(history.len(), 3);
    assert!(agree(scene.town(), &[&wang, &zhao, &desk]).refused.is_empty());
}
