//! The centre refuses something in the middle of a record.

use std::time::Duration;

use fieldgrid_core::device::store::DeliveryState;
use fieldgrid_core::domain::action::{ActionKind, Fields};
use fieldgrid_core::domain::case::State;
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::policy::Refusal;
use fieldgrid_tests::harness::agree::agree;
use fieldgrid_tests::harness::clock::Day;
use fieldgrid_tests::harness::scene::Scene;
use sync_server::town::TownOptions;

const HOUR: Duration = Duration::from_secs(3_600);

/// The authorisation ends while the phone has no signal; two batches go out under it and their answers are lost; the centre renews it. What was typed
/// after its end is refused, what stands on that is done again once.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_on_a_refused_edit_is_redone_once_and_the_refused_one_stays_visible() {
    let options = TownOptions { grant: 8 * HOUR, ..TownOptions::default() };
    let mut scene = Scene::with(6, options, Some(Day::begin())).await;
    let (grid, town) = (scene.grids[0], scene.code());
    let mut wang = scene.phone("wang", Role::GridMember, grid).await;
    let household = wang.household("民主街12号", "张三", "12812348000").doc;
    let case = wang.report("井盖破损").doc;
    scene.settle(&[&wang]).await;

    scene.pass(9 * HOUR);
    wang.line.lose_answers();
    let note = wang.set(household, "note", "北门已锁");
    let gone = wang.act(case, ActionKind::Withdraw, Fields { reason: Some("已自行解决".into()), ..Fields::default() });
    wang.sync().await;
    let pets = wang.set(household, "pets", "一只猫");
    let more = wang.supplement(case, "还有一处");
    wang.sync().await;
    assert_eq!(scene.town().verify().unwrap().batches, 3, "two more are there, and the phone does not know what became of them");
    // Typed while they are in flight, and in no batch yet.
    let language = wang.set(household, "language", "汉中话");
    let last = wang.supplement(case, "第三处");
    assert_eq!([note, gone, pets, more, language, last].map(|saved| wang.state(saved)), [DeliveryState::OnPhone; 6]);

    let device = wang.device().identity().unwrap().device;
    scene.town().regrant(device, Role::GridMember, None, vec![grid]).await.unwrap();
    wang.line.restore();
    let mut li = scene.phone("li", Role::GridHead, grid).await;
    let desk = scene.phone("desk", Role::TownDispatcher, town).await;
    scene.settle(&[&wang, &li, &desk]).await;

    for refused in [note, gone] {
        let row = wang.edit(refused);
        assert_eq!((row.delivery.state, row.delivery.reason), (DeliveryState::Refused, Some(Refusal::GrantEnded)));
        assert!(row.words.is_some_and(|(zh, en)| !zh.is_empty() && !en.is_empty()), "a reason that a person can read");
    }
    assert_eq!(wang.device().refused().unwrap().len(), 2);
    for redone in [pets, more, language, last] {
        let rows: Vec<_> = wang.edits(redone.doc).into_iter().filter(|row| row.edit == redone.edit).collect();
        assert_eq!(rows.iter().map(|row| row.delivery.state).collect::<Vec<_>>(), [DeliveryState::Received], "shown once");
    }
    let reckoning = agree(scene.town(), &[&wang, &li, &desk]);
    assert_eq!((reckoning.received, reckoning.refused), (6, [(Refusal::GrantEnded, 2)].into()));

    for phone in [&wang, &li] {
        let home = phone.device().household(household).unwrap().unwrap().household.unwrap();
        assert_eq!([home.text("note"), home.text("pets"), home.text("language")], [None, Some("一只猫"), Some("汉中话")], "{}", phone.name);
        assert!(home.alternatives.is_empty());
    }
    for phone in [&wang, &li, &desk] {
        let folded = phone.device().case(case).unwrap().unwrap().case.unwrap();
        assert_eq!((folded.state, folded.history.len()), (State::Reported, 3), "{}: the report and two supplements, each once", phone.name);
    }

    // The person decides about what was refused, and the phone works on as before.
    assert!(wang.edit(note).typed.unwrap().values().contains(&("note".to_owned(), "北门已锁".to_owned())), "what he typed is still there to be read");
    assert_eq!(wang.device().redo(note.doc, note.edit).unwrap(), note);
    scene.settle(&[&wang, &li, &desk]).await;
    assert_eq!(wang.state(note), DeliveryState::Received, "under the authorisation in force the same edit is let in");
    let home = li.device().household(household).unwrap().unwrap().household.unwrap();
    assert_eq!(home.text("note"), Some("北门已锁"));
    let sent = wang.device().send_as_note(gone.doc, gone.edit);
    let sent = wang.note(sent).unwrap();
    li.set(household, "note", "南门可进");
    wang.typed.retain(|typed| !matches!(typed, fieldgrid_tests::harness::phone::Typed::Edit(_, edit) if *edit == gone.edit));
    scene.settle(&[&wang, &li, &desk]).await;
    assert_eq!(wang.state(sent), DeliveryState::Received);
    assert!(wang.device().refused().unwrap().is_empty());
    assert_eq!(agree(scene.town(), &[&wang, &li, &desk]).received, 9);
}
