//! One code, one phone.

mod common;

use std::time::Duration;

use common::{GRID, Phone, TOWN, World, area};
use fieldgrid_core::domain::fact::FactKind;
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::id::Incarnation;
use fieldgrid_core::domain::server_fact::Reference;
use fieldgrid_core::env::random;
use fieldgrid_core::wire::enrol::EnrolRequest;
use fieldgrid_core::wire::error::ErrorKind;
use fieldgrid_core::wire::frame;
use fieldgrid_core::wire::suite::KeyPair;
use fieldgrid_core::wire::sync::StreamKind;
use sync_server::town::TownError;

#[tokio::test]
async fn a_code_enrols_one_phone_until_it_ends() {
    let world = World::new().await;
    let code = world.town.invite(world.order(Role::GridMember, GRID)).await.unwrap().code;
    let phone = Phone::enrol(&world.town, &world.env, code.to_lowercase()).await.unwrap();
    assert_eq!((phone.grant.role, phone.grant.scopes.as_slice()), (Role::GridMember, [area(GRID)].as_slice()));
    let kinds: Vec<StreamKind> = phone.directory.iter().map(|info| info.kind).collect();
    assert!(kinds.contains(&StreamKind::Grid) && kinds.contains(&StreamKind::Device) && !kinds.contains(&StreamKind::Desk));

    let used = Phone::enrol(&world.town, &world.env, code).await.err().unwrap();
    assert_eq!(used.kind, ErrorKind::CodeEnded);
    let late = world.town.invite(world.order(Role::GridMember, GRID)).await.unwrap().code;
    world.env.pass(Duration::from_secs(601));
    assert_eq!(Phone::enrol(&world.town, &world.env, late).await.err().unwrap().kind, ErrorKind::CodeEnded);
}

#[tokio::test]
async fn a_phone_that_lost_the_answer_asks_again() {
    let world = World::new().await;
    let code = world.town.invite(world.order(Role::GridMember, GRID)).await.unwrap().code;
    let (secret, incarnation) = (random(&*world.env), Incarnation::random(random(&*world.env)));
    let first = Phone::enrol_as(&world.town, &world.env, code.clone(), KeyPair::from_secret(&secret), incarnation).await.unwrap();
    let again = Phone::enrol_as(&world.town, &world.env, code.clone(), KeyPair::from_secret(&secret), incarnation).await.unwrap();
    assert_eq!((first.device, first.grant), (again.device, again.grant));
    let thief = Phone::enrol_as(&world.town, &world.env, code, KeyPair::from_secret(&random(&*world.env)), incarnation).await.err().unwrap();
    assert_eq!(thief.kind, ErrorKind::Conflict);
}

#[tokio::test]
async fn a_rider_has_one_phone_and_a_lost_one_is_revoked_first() {
    let world = World::new().await;
    let invited = world.town.invite(world.order(Role::Rider, TOWN)).await.unwrap();
    let rider = Phone::enrol(&world.town, &world.env, invited.code).await.unwrap();
    let second = world.town.invite_again(invited.user, world.order(Role::Rider, TOWN)).await.unwrap().code;
    assert_eq!(Phone::enrol(&world.town, &world.env, second.clone()).await.err().unwrap().kind, ErrorKind::Conflict);
    world.town.revoke(rider.device).await.unwrap();
    let replaced = Phone::enrol(&world.town, &world.env, second).await.unwrap();
    assert_eq!(replaced.grant.user, rider.grant.user);
}

#[tokio::test]
async fn what_is_no_enrolment_is_told_so() {
    let world = World::new().await;
    assert_eq!(world.town.enrol(b"\0not cbor").await.unwrap_err().kind, ErrorKind::Malformed);
    let (one, other) = (KeyPair::from_secret(&[1; 32]), KeyPair::from_secret(&[2; 32]));
    let mut request = EnrolRequest::new("CODE".into(), Incarnation::random([3; 16]), &one);
    request.key = fieldgrid_core::wire::suite::Signer::public(&other);
    let framed = frame::wrap(&minicbor::to_vec(&request).unwrap(), 3);
    assert_eq!(world.town.enrol(&framed).await.unwrap_err().kind, ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn a_phone_that_did_not_draw_its_incarnation_leaves_the_code_unused() {
    let world = World::new().await;
    let code = world.town.invite(world.order(Role::GridMember, GRID)).await.unwrap().code;
    let key = || KeyPair::from_secret(&[1; 32]);
    let refused = Phone::enrol_as(&world.town, &world.env, code.clone(), key(), Incarnation::from_bytes([0; 16])).await.err().unwrap();
    assert_eq!((refused.kind, refused.kind.status()), (ErrorKind::Malformed, 400));
    Phone::enrol_as(&world.town, &world.env, code, key(), Incarnation::random([3; 16])).await.unwrap();
}

#[tokio::test]
async fn an_order_that_makes_no_sense_is_not_carried_out() {
    let world = World::new().await;
    let mut order = world.order(Role::Department, TOWN);
    order.org = None;
    assert!(matches!(world.town.invite(order).await, Err(TownError::Unfit(_))));
    let mut order = world.order(Role::GridMember, GRID);
    order.scopes.clear();
    assert!(matches!(world.town.invite(order).await, Err(TownError::Unfit(_))));
    assert!(matches!(world.town.create_grids(area("610702999001"), 1).await, Err(TownError::Unfit(_))));
}

#[tokio::test]
async fn colleagues_and_places_have_names() {
    let world = World::new().await;
    let phone = world.phone(Role::GridMember, GRID).await;
    let rows = phone.bodies::<Reference>(FactKind::Reference);
    let named = |code: &str| rows.iter().any(|row| matches!(row, Reference::Areas(areas) if areas.iter().any(|(area, _)| area.to_string() == code)));
    assert!(named(GRID) && named(common::VILLAGE));
    assert!(rows.iter().any(|row| matches!(row, Reference::People(people) if people[0].1 == "王芳")));
    assert!(rows.iter().any(|row| matches!(row, Reference::Orgs(orgs) if orgs[0].0 == world.org)));
}
