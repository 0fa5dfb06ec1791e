//! What is sent arrives, what is answered does not.

use fieldgrid_core::device::store::DeliveryState;
use fieldgrid_core::device::sync::WaitReason;
use fieldgrid_core::domain::grant::Role;
use fieldgrid_tests::harness::agree::agree;
use fieldgrid_tests::harness::scene::Scene;
use fieldgrid_tests::harness::{Told, long};

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_asked_for_again_without_duplicates() {
    let mut scene = Scene::set(3).await;
    let grid = scene.grids[0];
    let mut wang = scene.phone("wang", Role::GridMember, grid).await;
    let case = wang.report("井盖破损").doc;
    scene.settle(&[&wang]).await;

    wang.line.lose_answers();
    let first = wang.supplement(case, "一");
    assert_eq!(wang.sync().await.wait.map(|wait| wait.reason), Some(WaitReason::NoNetwork));
    assert_eq!(wang.state(first), DeliveryState::OnPhone, "nothing is received before the phone holds the receipt");
    let entries = scene.town().verify().unwrap().entries;
    // A second one in flight, and the first comes again beside it.
    let second = wang.supplement(case, "二");
    wang.sync().await;
    wang.line.restore();
    let round = wang.sync_well().await;
    assert_eq!(round.receipts, 2);
    assert_eq!([first, second].map(|saved| wang.state(saved)), [DeliveryState::Received; 2]);
    scene.settle(&[&wang]).await;
    assert_eq!(agree(scene.town(), &[&wang]).received, 3);
    let after = scene.town().verify().unwrap();
    assert_eq!(after.batches, 3, "each batch once");
    assert!(after.entries > entries);
}

/// Cut at every place: before the first byte arrives, in the head of the answer, in its middle, in the middle of the request.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_breaks_at_any_byte_loses_and_doubles_nothing() {
    let seed = fieldgrid_tests::harness::seeds(1)[0];
    let _told = Told(seed);
    let mut scene = Scene::set(seed).await;
    let grid = scene.grids[0];
    let mut wang = scene.phone("wang", Role::GridMember, grid).await;
    let mut li = scene.phone("li", Role::GridMember, grid).await;
    let household = wang.household("民主街12号", "张三", "12812348000").doc;
    scene.settle(&[&wang, &li]).await;
    for n in 0..24 * long() {
        let text = format!("{n}");
        wang.set(household, "note", &text);
        li.report(&text);
        for phone in [&wang, &li] {
            match scene.rng.u8(..3) {
                0 => phone.link.cut_down_after(scene.rng.u32(..700)),
                1 => phone.link.cut_up_after(scene.rng.u32(..900)),
                _ => {}
            }
            phone.sync().await;
        }
    }
    for phone in [&wang, &li] {
        // What was not cut yet is cut now; the round after it is whole.
        phone.sync().await;
        phone.sync().await;
    }
    scene.settle(&[&wang, &li]).await;
    assert_eq!(agree(scene.town(), &[&wang, &li]).received, wang.typed.len() + li.typed.len());
}
