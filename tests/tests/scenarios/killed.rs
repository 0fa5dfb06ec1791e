//! Processes that are killed (SIGKILL) wherever they happen to be.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use fieldgrid_core::device::store::DeliveryState;
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::record::Content;
use fieldgrid_tests::harness::agree::{agree, is_there, server_records};
use fieldgrid_tests::harness::phone::{Phone, Typed};
use fieldgrid_tests::harness::process::Typist;
use fieldgrid_tests::harness::scene::Scene;
use fieldgrid_tests::harness::{long, seeds, typing};
use futures_util::future::join_all;

const TYPIST: &str = env!("CARGO_BIN_EXE_typist");
const CENTRE: &str = env!("CARGO_BIN_EXE_centre");

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_killed_while_it_saves_and_syncs_keeps_all_that_it_acknowledged() {
    let mut scene = Scene::in_real_time(seeds(1)[0]).await;
    let grid = scene.grids[0];
    let mut phone = scene.phone("wang", Role::GridMember, grid).await;
    phone.close();
    for n in 1..=10 * long() {
        let typist = Typist::start(Path::new(TYPIST), &phone, scene.rng.u64(..));
        tokio::time::sleep(Duration::from_millis(scene.rng.u64(..400))).await;
        phone.typed.extend(typist.kill());
        if n % 5 == 0 {
            phone.open();
            for typed in &phone.typed {
                let Typed::Edit(doc, edit) = *typed else { unreachable!("the typist states no facts") };
                assert!(phone.edits(doc).iter().any(|row| row.edit == edit), "acknowledged and gone after kill {n}: {typed:?}");
            }
            phone.close();
        }
    }
    assert!(phone.typed.len() > 20, "it did type: {}", phone.typed.len());
    phone.open();
    scene.settle(&[&phone]).await;
    let reckoning = agree(scene.town(), &[&phone]);
    assert_eq!((reckoning.received, reckoning.refused.len()), (phone.typed.len(), 0));
    nothing_twice(&scene);
}

/// Every text is typed once, so it is once at the centre, whatever was sent and done again.
fn nothing_twice(scene: &Scene) {
    let read = scene.town().store().read().unwrap();
    let mut texts = BTreeSet::new();
    for record in server_records(read.as_ref()).values() {
        if let Content::Case(actions) = record.read() {
            for action in actions.into_values() {
                let text = action.fields.text.unwrap();
                assert!(texts.insert(text.clone()), "{text} is there twice");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_centre_killed_while_phones_push_has_everything_that_it_gave_a_receipt_for() {
    let mut scene = Scene::in_real_time(seeds(1)[0]).await;
    let mut phones = scene.crew().await;
    scene.stop().await;
    for _ in 0..6 * long() {
        scene.serve_apart(Path::new(CENTRE));
        let (grids, org) = (scene.grids.clone(), scene.org);
        for phone in &mut phones {
            for _ in 0..4 {
                typing::act(phone, &grids, org, &mut scene.rng);
            }
        }
        // All push at once; the kill comes somewhere in between.
        let delay = Duration::from_millis(scene.rng.u64(..250));
        let pushing = join_all(phones.iter().map(Phone::sync));
        let killing = async {
            tokio::time::sleep(delay).await;
            scene.centre().kill();
        };
        futures_util::future::join(pushing, killing).await;
        scene.stop().await;

        let receipts: Vec<Typed> = phones.iter().flat_map(with_receipt).collect();
        scene.serve();
        {
            let read = scene.town().store().read().unwrap();
            for typed in receipts {
                assert!(is_there(read.as_ref(), typed), "received, and gone after the kill: {typed:?}");
            }
            assert!(scene.town().verify().unwrap().findings.is_empty());
        }
        scene.stop().await;
    }
    scene.serve();
    let phones: Vec<&Phone> = phones.iter().collect();
    scene.settle(&phones).await;
    let reckoning = agree(scene.town(), &phones);
    assert_eq!((reckoning.received, reckoning.refused.len()), (phones.iter().map(|phone| phone.typed.len()).sum(), 0));
}

/// What the phone shows as received.
fn with_receipt(phone: &Phone) -> Vec<Typed> {
    let received = |typed: &Typed| {
        let rows = phone.edits(typed.doc());
        let row = rows.iter().find(|row| match *typed {
            Typed::Edit(_, edit) => row.edit == edit,
            Typed::Fact(_, fact) => row.fact == Some(fact),
        });
        row.is_some_and(|row| row.delivery.state == DeliveryState::Received)
    };
    phone.typed.iter().copied().filter(received).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_killed_in_its_first_load_goes_on_with_it() {
    let mut scene = Scene::set(8).await;
    let grid = scene.grids[0];
    let mut wang = scene.phone("wang", Role::GridMember, grid).await;
    for n in 0..60 {
        let text: String = std::iter::repeat_with(|| scene.rng.alphanumeric()).take(200).collect();
        let home = wang.household(&format!("民主街{n}号"), "张三", "12812348000").doc;
        wang.set(home, "note", &text);
    }
    scene.settle(&[&wang]).await;
    let mut xin = scene.phone("xin", Role::GridMember, grid).await;
    let before = xin.link.count().down;
    xin.link.cut_down_after(8_000);
    xin.sync().await;
    xin.close();
    let files = std::fs::read_dir(xin.path.parent().unwrap()).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
    let zstd = [0x28, 0xb5, 0x2f, 0xfd];
    assert!(files.into_iter().all(|file| !file.windows(4).any(|four| four == zstd)), "no part of a pack lies in clear");
    xin.open();
    scene.settle(&[&xin, &wang]).await;
    let down = xin.link.count().down - before;
    let size = std::fs::read_dir(scene.path("town").join("packs")).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).max().unwrap();
    assert!(size > 10_000 && down < size + 4_000, "{down} bytes came for a pack of {size}");
    let _ = agree(scene.town(), &[&wang, &xin]);
}
