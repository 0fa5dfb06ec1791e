//! Who may look, and who may not.

use fieldgrid_core::domain::action::ActionKind;
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::household::{HouseholdEdit, Value};
use fieldgrid_tests::harness::agree::agree;
use fieldgrid_tests::harness::scene::Scene;
use fieldgrid_tests::harness::typing::{accept, visited};

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_desk_sees_a_household_as_a_masked_view_and_a_rider_nothing_of_it() {
    const SECRETS: [&str; 5] = ["欧阳建国", "12812348765", "610799198001010017", "每周二透析", "诸葛小明"];
    let mut scene = Scene::set(10).await;
    let (grid, town) = (scene.grids[0], scene.code());
    let mut wang = scene.phone("wang", Role::GridMember, grid).await;
    let desk = scene.phone("desk", Role::TownDispatcher, town).await;
    let mut rider = scene.phone("qishou", Role::Rider, town).await;
    let household = wang.household("民主街12号", SECRETS[0], SECRETS[1]).doc;
    let person = *wang.device().household(household).unwrap().unwrap().household.unwrap().persons.keys().next().unwrap();
    let saved = wang.device().set_id_number(household, person, SECRETS[2]);
    wang.note(saved).unwrap();
    wang.set(household, "note", SECRETS[3]);
    let edit = HouseholdEdit::SetPerson(person, "name".into(), Value::Text(SECRETS[4].into()));
    let saved = wang.device().edit_household(household, vec![edit]);
    wang.note(saved).unwrap();
    wang.visit(household, &visited(SECRETS[3]));
    rider.report("井盖破损");
    scene.settle(&[&wang, &desk, &rider]).await;

    let view = desk.device().household(household).unwrap().unwrap();
    assert!(view.row.masked && view.household.is_none() && view.view.is_some() && view.visits.is_empty());
    assert!(desk.device().record(household).unwrap().is_none(), "not the document either");
    assert_eq!(rider.device().status().unwrap().store.households, 0);
    assert!(rider.device().detail(household).unwrap().is_none());

    // Not only on the screens: in nothing that either was ever told, and nowhere in its store.
    for secret in SECRETS {
        assert!(holds(&wang.contents(), secret.as_bytes()), "the search finds what is there: {secret}");
        for phone in [&desk, &rider] {
            assert!(!holds(&phone.line.heard(), secret.as_bytes()), "{} was told {secret}", phone.name);
            assert!(!holds(&phone.contents(), secret.as_bytes()), "{} stores {secret}", phone.name);
        }
    }
    assert!(holds(&desk.line.heard(), household.as_bytes()) && holds(&desk.contents(), household.as_bytes()));
    assert!(!holds(&rider.line.heard(), household.as_bytes()) && !holds(&rider.contents(), household.as_bytes()), "not even that there is one");
    let _ = agree(scene.town(), &[&wang, &desk, &rider]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rider_supplements_his_report_holding_genesis_and_his_own_words_only() {
    let mut scene = Scene::set(11).await;
    let (grid, town) = (scene.grids[0], scene.code());
    let mut rider = scene.phone("qishou", Role::Rider, town).await;
    let mut wang = scene.phone("wang", Role::GridMember, grid).await;
    let mut desk = scene.phone("desk", Role::TownDispatcher, town).await;
    let case = rider.report("井盖破损,骑手上报").doc;
    scene.settle(&[&rider, &wang, &desk]).await;
    assert!(wang.device().case(case).unwrap().is_none(), "in no grid yet");

    desk.act(case, ActionKind::Accept, accept(grid));
    scene.settle(&[&rider, &wang, &desk]).await;
    wang.supplement(case, "网格员到场,住户欧阳建国反映");
    scene.settle(&[&rider, &wang, &desk]).await;
    rider.supplement(case, "骑手补充:还有一处");
    scene.settle(&[&rider, &wang, &desk]).await;

    let own = rider.device().record(case).unwrap().unwrap();
    assert_eq!(own.len(), 2, "his report and his supplement");
    assert!(!holds(&rider.line.heard(), "欧阳建国".as_bytes()) && !holds(&rider.contents(), "欧阳建国".as_bytes()));
    let progress = rider.device().case(case).unwrap().unwrap().progress.unwrap();
    assert!(progress.number.is_some(), "he is told how far it is");
    for phone in [&wang, &desk] {
        let history = phone.device().case(case).unwrap().unwrap().case.unwrap().history;
        let texts: Vec<_> = history.iter().filter_map(|entry| entry.action.fields.text.as_deref()).collect();
        assert_eq!(history.len(), 4, "{}", phone.name);
        assert!(texts.contains(&"井盖破损,骑手上报") && texts.contains(&"骑手补充:还有一处"), "{}: {texts:?}", phone.name);
    }
    assert_eq!(agree(scene.town(), &[&rider, &wang, &desk]).received, 4);
}
