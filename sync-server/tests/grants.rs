//! By what right something counts: grants that were superseded, have ended or were revoked, and what an administrator says.

mod common;

use std::slice::from_ref;

use common::{GRID, OTHER_GRID, TOWN, World, accept, area};
use fieldgrid_core::domain::action::{ActionKind, Fields};
use fieldgrid_core::domain::fact::FactKind;
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::id::Hash;
use fieldgrid_core::domain::policy::Refusal;
use fieldgrid_core::wire::batch::Item;
use fieldgrid_core::wire::error::ErrorKind;
use fieldgrid_core::wire::verdict::Verdict;
use sync_server::town::Decided;

#[tokio::test]
async fn what_a_revoked_device_still_sends_is_kept_aside() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let (_, change) = member.report(Some(GRID));
    let (household, _, made) = member.household(GRID, "张三");
    let visit = Item::Fact(member.visit(household));
    let batch = member.seal(vec![Item::Change(change), Item::Change(made), visit]);
    world.town.revoke(member.device).await.unwrap();
    let session = member.token.take().unwrap();
    assert_eq!(world.town.news(session).unwrap_err().kind, ErrorKind::Unauthenticated, "its sessions end");
    assert_eq!(world.town.pack(session, member.stream, Hash::ZERO).await.unwrap_err().kind, ErrorKind::Unauthenticated);
    let refused = member.ask(&world.town, &member.request(&[batch])).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Revoked);
    let phones = world.town.phones().unwrap();
    let phone = phones.iter().find(|phone| phone.device == member.device).unwrap();
    assert_eq!((phone.quarantined, phone.batches), (3, 1));
    assert!(world.town.counts(area(TOWN)).unwrap().cases.is_empty());
}

#[tokio::test]
async fn a_superseded_grant_counts_until_its_lease_ends() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let (_, change) = member.report(Some(GRID));
    let batch = member.changes(vec![change]);
    world.town.regrant(member.device, Role::GridMember, None, vec![area(OTHER_GRID)]).await.unwrap();
    world.env.pass(std::time::Duration::from_secs(3 * 86_400));
    member.token = None;
    member.sync(&world.town, from_ref(&batch)).await;
    assert_eq!(member.verdicts(&batch), [Verdict::Accepted], "it was right where it was done");
    // Eight days on, what is sealed under it is too late; a report is still taken.
    world.env.pass(std::time::Duration::from_secs(8 * 86_400));
    member.token = None;
    let (household, _, made) = member.household(GRID, "张三");
    let (_, late) = member.report(Some(GRID));
    let visit = Item::Fact(member.visit(household));
    let batch = member.seal(vec![Item::Change(made), visit, Item::Change(late)]);
    member.sync(&world.town, from_ref(&batch)).await;
    let ended = Verdict::Refused(Refusal::GrantEnded);
    assert_eq!(member.verdicts(&batch), [ended.clone(), ended, Verdict::Accepted]);
}

#[tokio::test]
async fn an_ended_grant_is_not_kept_alive_by_the_phones_clock_or_by_naming_it() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let (doc, change) = member.report(Some(GRID));
    let batch = member.changes(vec![change]);
    member.sync(&world.town, from_ref(&batch)).await;
    let granted = world.town.regrant(member.device, Role::GridMember, None, vec![area(OTHER_GRID)]).await.unwrap();
    world.env.pass(std::time::Duration::from_secs(15 * 86_400));
    member.token = None;
    // Without an anchor, nothing says when it was sealed.
    member.anchor = None;
    let (_, _, made) = member.household(GRID, "张三");
    let batch = member.changes(vec![made]);
    member.sync(&world.town, from_ref(&batch)).await;
    assert_eq!(member.verdicts(&batch), [Verdict::Quarantined]);
    // Done in the name of the old grant, sent under the new one.
    let accepted = member.act(doc, ActionKind::Accept, accept(Some(GRID)));
    member.grant = granted;
    let batch = member.changes(vec![accepted]);
    member.sync(&world.town, from_ref(&batch)).await;
    assert_eq!(member.verdicts(&batch), [Verdict::Refused(Refusal::GrantEnded)]);
}

#[tokio::test]
async fn what_was_done_in_time_and_comes_too_late_to_tell_is_kept_for_the_administrator() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let mut colleague = world.phone(Role::GridMember, GRID).await;
    let (household, _, made) = member.household(GRID, "张三");
    let hash = made.change_hash();
    let noted = member.set(household, "note", "有狗");
    let visit = Item::Fact(member.visit(household));
    let (case, reported) = member.report(Some(GRID));
    let decided = member.act(case, ActionKind::VerifyPass, Fields::default());
    let batch = member.seal(vec![Item::Change(made), Item::Change(noted), visit, Item::Change(reported), Item::Change(decided)]);
    world.town.regrant(member.device, Role::GridMember, None, vec![area(OTHER_GRID)]).await.unwrap();
    world.env.pass(std::time::Duration::from_secs(15 * 86_400));
    member.token = None;
    member.sync(&world.town, from_ref(&batch)).await;
    let aside = || Verdict::Quarantined;
    let waits = || Verdict::Waiting(hash);
    assert_eq!(member.verdicts(&batch), [aside(), waits(), aside(), Verdict::Accepted, aside()], "a report is always taken");

    let kept = || world.town.quarantined(10).unwrap();
    let mut kinds: Vec<_> = kept().into_iter().map(|aside| (aside.kind, aside.id)).collect();
    kinds.sort();
    let [(_, decided), (_, made), (_, visit)] = kinds.as_slice() else { panic!("three pieces: {kinds:?}") };
    let (decided, made, visit) = (*decided, *made, *visit);
    assert!(kept().iter().find(|aside| aside.id == made).unwrap().command.is_some());
    assert_eq!(world.town.decide(made, true).await.unwrap(), Decided::Verdict(Verdict::Accepted));
    let noted = kept().last().unwrap().id;
    assert!(![decided, visit].contains(&noted), "what waited for it is for the administrator too");
    for id in [noted, visit] {
        assert_eq!(world.town.decide(id, true).await.unwrap(), Decided::Verdict(Verdict::Accepted));
    }
    assert_eq!(world.town.decide(decided, false).await.unwrap(), Decided::Verdict(Verdict::Refused(Refusal::Rejected)));
    assert_eq!(world.town.decide(decided, true).await.unwrap(), Decided::Gone);
    member.sync(&world.town, &[]).await;
    let yes = || Verdict::Accepted;
    assert_eq!(member.verdicts(&batch), [yes(), yes(), yes(), yes(), Verdict::Refused(Refusal::Rejected)]);
    colleague.token = None;
    colleague.sync(&world.town, &[]).await;
    assert!(colleague.records.contains_key(&household) && colleague.facts.values().any(|fact| fact.kind == FactKind::Visit));
    assert!(world.town.quarantined(10).unwrap().is_empty());
    assert!(world.town.verify().unwrap().findings.is_empty());
}

#[tokio::test]
async fn of_a_revoked_device_an_administrator_lets_in_what_was_honest() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let (doc, first) = member.report(Some(GRID));
    let second = member.supplement(doc, "伪造");
    let third = member.supplement(doc, "接着写");
    let batch = member.changes(vec![first, second, third]);
    world.town.revoke(member.device).await.unwrap();
    member.token = None;
    assert!(member.ask(&world.town, &member.request(&[batch])).await.is_err());
    let [first, second, third] = [0, 1, 2].map(|n| world.town.quarantined(10).unwrap()[n].id);
    assert!(matches!(world.town.decide(second, true).await.unwrap(), Decided::BuildsOn(_)));
    assert_eq!(world.town.decide(first, true).await.unwrap(), Decided::Verdict(Verdict::Accepted));
    assert_eq!(world.town.decide(second, false).await.unwrap(), Decided::Verdict(Verdict::Refused(Refusal::Rejected)));
    assert!(matches!(world.town.decide(third, true).await.unwrap(), Decided::Verdict(Verdict::Stranded(_))), "it stood on what was not let in");
    let case = world.town.case(doc).unwrap().unwrap().case;
    assert_eq!(case.history.len(), 1);
    assert!(world.town.verify().unwrap().findings.is_empty());
}
