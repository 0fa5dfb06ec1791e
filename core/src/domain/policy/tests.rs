//! What is refused, and what is not.

use super::*;
use crate::domain::action::Place;
use crate::domain::fact::{RevealReason, VisitKind, VisitResult};
use crate::domain::id::{ActionId, DeviceId, DocId, GrantId, Hash, PersonId, UserId};
use crate::domain::time::Stamp;

const GRID: &str = "610702001001001";

fn area(code: &str) -> AreaCode {
    code.parse().unwrap()
}

fn grant(role: Role, scope: &str) -> Grant {
    Grant {
        id: GrantId::from_bytes([1; 16]),
        device: DeviceId::from_bytes([2; 16]),
        user: UserId::from_bytes([3; 16]),
        role,
        org: None,
        scopes: vec![area(scope)],
        issued_ms: 0,
        expires_ms: i64::MAX,
        supersedes: None,
        lease_ms: 0,
    }
}

fn action(grant: &Grant, kind: ActionKind) -> Action {
    Action { kind, author: grant.author(), at: Stamp::default(), seen: vec![], rules: 1, round: None, assignment: None, mode: None, fields: Fields::default() }
}

#[test]
fn every_refusal_has_words_that_say_what_to_do() {
    for refusal in Refusal::ALL.iter().chain([&Refusal::Other(99)]) {
        let (zh, en) = refusal.words();
        assert!(zh.ends_with('。') && en.ends_with('.') && en.is_ascii(), "{refusal}");
    }
}

#[test]
fn an_author_is_who_the_grant_names() {
    let grant = grant(Role::GridMember, GRID);
    for forge in [
        |action: &mut Action| action.author.role = Role::TownLeader,
        |action: &mut Action| action.author.scopes = vec![area("61")],
        |action: &mut Action| action.author.user = UserId::from_bytes([9; 16]),
    ] {
        let mut forged = action(&grant, ActionKind::Report);
        forge(&mut forged);
        assert_eq!(may_act(&grant, area(GRID), &forged), Err(Refusal::ForgedAuthor));
    }
}

#[test]
fn what_a_role_can_never_do_is_refused_and_what_it_may_not_do_now_is_not() {
    let rider = grant(Role::Rider, "610702001");
    let allowed = [ActionKind::Report, ActionKind::Supplement, ActionKind::Withdraw, ActionKind::Rate, ActionKind::RequestReopen, ActionKind::Edit];
    for kind in ActionKind::ALL {
        let expected = if allowed.contains(kind) { Ok(()) } else { Err(Refusal::NotPermitted) };
        assert_eq!(may_act(&rider, area("610702001"), &action(&rider, *kind)), expected, "a rider's {kind}");
        // A grid member holds the case: what he may not do is accepted, and the fold says that it had no effect.
        let member = grant(Role::GridMember, GRID);
        assert_eq!(may_act(&member, area(GRID), &action(&member, *kind)), Ok(()), "a grid member's {kind}");
        let auditor = grant(Role::Auditor, "6107");
        assert_eq!(may_act(&auditor, area(GRID), &action(&auditor, *kind)), Err(Refusal::NotPermitted));
    }
    assert_eq!(may_act(&rider, area("610702001"), &action(&rider, ActionKind::Other(77))), Ok(()), "a kind of a newer version is a note");
}

#[test]
fn reports_and_decisions_lie_in_scope() {
    let member = grant(Role::GridMember, GRID);
    assert_eq!(may_act(&member, area("610702001001002"), &action(&member, ActionKind::Report)), Err(Refusal::OutOfScope));
    let mut elsewhere = action(&member, ActionKind::Report);
    elsewhere.fields.grid = Some(area("610702001001002"));
    assert_eq!(may_act(&member, area(GRID), &elsewhere), Err(Refusal::OutOfScope));
    let dispatcher = grant(Role::TownDispatcher, "610702001");
    assert_eq!(may_act(&dispatcher, area("610702002001001"), &action(&dispatcher, ActionKind::Accept)), Err(Refusal::OutOfScope));
    assert_eq!(may_act(&dispatcher, area(GRID), &action(&dispatcher, ActionKind::Accept)), Ok(()));
    // A case without a grid is held by the town, which holds the member's grid.
    assert_eq!(may_act(&member, area("610702001"), &action(&member, ActionKind::Supplement)), Ok(()));
    // A handler is sent where he is needed.
    let department = grant(Role::Department, "610702001");
    assert_eq!(may_act(&department, area("610702002"), &action(&department, ActionKind::Finish)), Ok(()));
}

#[test]
fn what_is_too_large_or_malformed_is_refused() {
    let member = grant(Role::GridMember, GRID);
    let verdict = |change: fn(&mut Action)| {
        let mut action = action(&member, ActionKind::Report);
        change(&mut action);
        may_act(&member, area(GRID), &action)
    };
    assert_eq!(verdict(|a| a.fields.text = Some("文".repeat(2000))), Ok(()));
    assert_eq!(verdict(|a| a.fields.text = Some("文".repeat(2001))), Err(Refusal::TooLarge));
    assert_eq!(verdict(|a| a.fields.place = Some(Place { address: Some("a".repeat(2001)), ..Place::default() })), Err(Refusal::TooLarge));
    assert_eq!(verdict(|a| a.fields.targets = Some(vec![ActionId([1; 16]); 65])), Err(Refusal::TooLarge));
    assert_eq!(verdict(|a| a.fields.score = Some(6)), Err(Refusal::Malformed));
    assert_eq!(verdict(|a| a.seen = vec![ActionId([2; 16]), ActionId([1; 16])]), Err(Refusal::Malformed));
}

#[test]
fn households_are_written_by_those_who_hold_them() {
    let member = grant(Role::GridMember, GRID);
    let set = |name: &str, value: Value| HouseholdEdit::Set(name.to_owned(), value);
    let note = set("note", Value::Text("已搬入".into()));
    assert_eq!(may_edit(&member, area(GRID), &note), Ok(()));
    for role in [
        Role::Rider,
        Role::Volunteer,
        Role::BuildingLeader,
        Role::EstateLead,
        Role::Department,
        Role::TownDispatcher,
        Role::TownLeader,
        Role::County,
        Role::City,
        Role::Auditor,
        Role::Other(50),
    ] {
        assert_eq!(may_edit(&grant(role, "610702001"), area(GRID), &note), Err(Refusal::NotPermitted), "{role}");
    }
    let verdict = |edit: HouseholdEdit| may_edit(&member, area(GRID), &edit);
    assert_eq!(may_edit(&member, area("610702001001002"), &note), Err(Refusal::OutOfScope));
    assert_eq!(verdict(set("religion", Value::Text("x".into()))), Err(Refusal::Malformed));
    assert_eq!(verdict(set("note", Value::Text("文".repeat(2001)))), Err(Refusal::TooLarge));
    assert_eq!(verdict(set("note", Value::Bool(true))), Err(Refusal::Malformed));
    assert_eq!(verdict(set("area", Value::Int(90))), Ok(()));
    assert_eq!(verdict(set("tag.出租房", Value::Bool(true))), Ok(()));
    assert_eq!(verdict(set("tag.出租房", Value::Text("yes".into()))), Err(Refusal::Malformed));
    assert_eq!(verdict(set("grid", Value::Text("610702001001002".into()))), Err(Refusal::OutOfScope));
    let person = |name: &str, value: &str| HouseholdEdit::SetPerson(PersonId::from_bytes([4; 16]), name.to_owned(), Value::Text(value.to_owned()));
    // S3: the document names the fact, and never holds the number.
    assert_eq!(verdict(person("id_no", "610799198001010017")), Err(Refusal::Malformed));
    assert_eq!(verdict(person("id_no", "01234567-89ab-7def-8123-456789abcdef")), Ok(()));
    assert_eq!(verdict(HouseholdEdit::Create([("grid".to_owned(), Value::Text("6107020".into()))].into())), Err(Refusal::Malformed));
}

#[test]
fn facts_are_stated_by_those_whose_work_they_are() {
    let visit = Visit { kind: VisitKind::Care, result: VisitResult::Met, persons: vec![], needs: None, next_due_ms: None, cases: vec![] };
    let fact = |kind, body| Fact {
        id: FactId::from_bytes([5; 16]),
        kind,
        subject: Some(DocId::from_bytes([6; 16])),
        area: Some(area(GRID)),
        at: Stamp::default(),
        body,
    };
    let held = |visit: &Visit| Body::Held(minicbor::to_vec(visit).unwrap());
    let member = grant(Role::GridMember, GRID);
    assert_eq!(may_state(&member, area(GRID), &fact(FactKind::Visit, held(&visit))), Ok(()));
    assert_eq!(may_state(&grant(Role::Rider, "610702001"), area(GRID), &fact(FactKind::Visit, held(&visit))), Err(Refusal::NotPermitted));
    assert_eq!(may_state(&grant(Role::TownDispatcher, "610702001"), area(GRID), &fact(FactKind::Sensitive, held(&visit))), Err(Refusal::NotPermitted));
    assert_eq!(may_state(&member, area("610702001001002"), &fact(FactKind::Visit, held(&visit))), Err(Refusal::OutOfScope));
    assert_eq!(may_state(&member, area(GRID), &fact(FactKind::Visit, Body::Held(vec![0xff]))), Err(Refusal::Malformed));
    assert_eq!(may_state(&member, area(GRID), &fact(FactKind::Visit, Body::Erased(Hash::ZERO))), Err(Refusal::Malformed));
    assert_eq!(
        may_state(&member, area(GRID), &fact(FactKind::Visit, held(&Visit { needs: Some("文".repeat(2001)), ..visit.clone() }))),
        Err(Refusal::TooLarge)
    );
    assert_eq!(may_state(&member, area(GRID), &fact(FactKind::Sensitive, Body::Held(vec![0; SALT_BYTES]))), Err(Refusal::Malformed));
    assert_eq!(may_state(&member, area(GRID), &fact(FactKind::Sensitive, Body::Held(vec![0; SALT_BYTES + 18]))), Ok(()));
    // A reveal says why; versions that did not ask are let in, and so is a reason of a newer one.
    let reveal = Reveal { person: None, field: "id_no".into(), value: None, reason: None, note: None };
    let revealed = |reveal: &Reveal| may_state(&member, area(GRID), &fact(FactKind::Reveal, Body::Held(minicbor::to_vec(reveal).unwrap())));
    for reason in [None, Some(RevealReason::Identity), Some(RevealReason::Other(250))] {
        assert_eq!(revealed(&Reveal { reason, ..reveal.clone() }), Ok(()), "{reason:?}");
    }
    assert_eq!(revealed(&Reveal { note: Some("因".repeat(2000)), ..reveal.clone() }), Ok(()));
    assert_eq!(revealed(&Reveal { note: Some("因".repeat(2001)), ..reveal.clone() }), Err(Refusal::TooLarge));
    assert_eq!(may_state(&member, area(GRID), &fact(FactKind::Reveal, Body::Held(vec![0xff]))), Err(Refusal::Malformed));
    for kind in FactKind::ALL.iter().filter(|kind| !kind.by_device()) {
        for role in Role::ALL {
            assert_eq!(may_state(&grant(*role, "610702001"), area(GRID), &fact(*kind, held(&visit))), Err(Refusal::NotPermitted), "{role} states {kind}");
        }
    }
}

#[test]
fn a_command_reaches_no_further_than_who_gives_it() {
    let leader = grant(Role::TownLeader, "610702001");
    let command = |at: &str| Fact {
        id: FactId::from_bytes([5; 16]),
        kind: FactKind::Command,
        subject: None,
        area: Some(area(at)),
        at: Stamp::default(),
        body: Body::Held(vec![1]),
    };
    for (at, verdict) in [("610702001", Ok(())), (GRID, Ok(())), ("610702", Err(Refusal::OutOfScope)), ("6107", Err(Refusal::OutOfScope))] {
        assert_eq!(may_state(&leader, area(at), &command(at)), verdict, "{at}");
    }
}

#[test]
fn a_case_is_moved_within_the_town_only() {
    let dispatcher = grant(Role::TownDispatcher, "610702001");
    let member = grant(Role::GridMember, GRID);
    let to = |grant: &Grant, grid: &str| {
        let mut accept = action(grant, ActionKind::Accept);
        accept.fields.grid = Some(area(grid));
        may_act(grant, area(GRID), &accept)
    };
    for author in [&dispatcher, &member] {
        assert_eq!(to(author, "610702001001002"), Ok(()));
        assert_eq!(to(author, "610702002001001"), Err(Refusal::OutOfScope));
    }
    assert_eq!(to(&grant(Role::County, "610702"), "610702002001001"), Ok(()));
}
