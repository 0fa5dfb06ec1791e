//! A case leaves the streams that it is no longer meant for, and what was written before its author read that is judged where he stood.

mod common;

use std::slice::from_ref;

use common::{GRID, OTHER_GRID, Phone, TOWN, VILLAGE, World, accept, dispatch};
use fieldgrid_core::domain::action::{ActionKind, Fields};
use fieldgrid_core::domain::fact::FactKind;
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::id::{ActionId, DocId, StreamId};
use fieldgrid_core::domain::policy::Refusal;
use fieldgrid_core::domain::server_fact::{CaseNumber, Received};
use fieldgrid_core::wire::entry::Entry;
use fieldgrid_core::wire::sync::StreamKind;
use fieldgrid_core::wire::verdict::Verdict;

/// What a stream's entries say of a document's stay in it, and of nothing else.
fn stays(phone: &Phone, stream: StreamId, doc: DocId) -> Vec<&'static str> {
    let say = |entry: &Entry| match entry {
        Entry::Join(join) if join.doc == doc => Some("join"),
        Entry::Leave(leave) if leave.doc == doc => {
            let moved = phone.facts.get(&leave.by).expect("the move that decided it is told first");
            assert_eq!((moved.kind, moved.subject), (FactKind::Move, Some(doc)));
            Some("leave")
        }
        _ => None,
    };
    phone.entries.get(&stream).into_iter().flatten().filter_map(say).collect()
}

fn text(text: &str) -> Fields {
    Fields { text: Some(text.into()), ..Fields::default() }
}

fn recall(dispatch: ActionId) -> Fields {
    Fields { reason: Some("派错单位".into()), targets: Some(vec![dispatch]), ..Fields::default() }
}

async fn dispatched(world: &World, desk: &mut Phone) -> (DocId, ActionId) {
    let mut member = world.phone(Role::GridMember, GRID).await;
    let (doc, change) = member.report(Some(GRID));
    let batch = member.changes(vec![change]);
    member.sync(&world.town, &[batch]).await;
    desk.sync(&world.town, &[]).await;
    let accepted = desk.act(doc, ActionKind::Accept, accept(Some(GRID)));
    let action = desk.action(doc, ActionKind::Dispatch, dispatch(world.org));
    let id = ActionId::of(&action.to_bytes());
    let dispatched = desk.write(doc, &fieldgrid_core::record::Command::Act(vec![action]));
    let batch = desk.changes(vec![accepted, dispatched]);
    desk.sync(&world.town, &[batch]).await;
    (doc, id)
}

#[tokio::test]
async fn a_recalled_department_no_longer_gets_the_case_and_what_it_finished_before_counts() {
    let world = World::new().await;
    let mut desk = world.phone(Role::TownDispatcher, TOWN).await;
    let (doc, dispatch) = dispatched(&world, &mut desk).await;
    let mut handler = world.phone(Role::Department, TOWN).await;
    let mut colleague = world.phone(Role::Department, TOWN).await;
    let orders = handler.stream_of(StreamKind::Assignments);
    let signed = handler.act(doc, ActionKind::Sign, Fields::default());
    let batch = handler.changes(vec![signed]);
    handler.sync(&world.town, &[batch]).await;

    desk.sync(&world.town, &[]).await;
    let taken = desk.act(doc, ActionKind::Recall, recall(dispatch));
    let batch = desk.changes(vec![taken]);
    desk.sync(&world.town, from_ref(&batch)).await;
    assert_eq!(desk.verdicts(&batch), [Verdict::Accepted]);
    assert!(desk.records.contains_key(&doc), "the desk keeps it");
    colleague.sync(&world.town, &[]).await;
    assert!(!colleague.records.contains_key(&doc), "who has read that it left forgets it");
    assert_eq!(stays(&colleague, orders, doc), ["join", "leave"]);
    let noted = desk.act(doc, ActionKind::Supplement, text("另派他人"));
    let batch = desk.changes(vec![noted]);
    desk.sync(&world.town, &[batch]).await;
    colleague.sync(&world.town, &[]).await;
    assert!(!colleague.records.contains_key(&doc), "nothing more of it comes");

    // He has not read the recall. What he did counts, and with it the case is his department's again.
    let finished = Fields { result: Some("01".into()), measure: Some("更换井盖".into()), ..Fields::default() };
    let finished = handler.act(doc, ActionKind::Finish, finished);
    let batch = handler.changes(vec![finished]);
    handler.sync(&world.town, from_ref(&batch)).await;
    assert_eq!(handler.verdicts(&batch), [Verdict::Accepted]);
    assert_eq!(stays(&handler, orders, doc), ["join", "leave", "join"]);
    colleague.sync(&world.town, &[]).await;
    desk.sync(&world.town, &[]).await;
    for phone in [&handler, &colleague] {
        assert_eq!(phone.actions(doc), desk.actions(doc), "it comes with its whole history");
    }
    let history = |received: Received| if let Received::These(_, actions) = received { actions } else { Vec::new() };
    assert_eq!(colleague.bodies(FactKind::Received).into_iter().flat_map(history).filter(|id| *id == dispatch).count(), 2);
    assert!(world.town.verify().unwrap().findings.is_empty());
}

#[tokio::test]
async fn a_superseded_department_no_longer_gets_the_case() {
    let world = World::new().await;
    let mut desk = world.phone(Role::TownDispatcher, TOWN).await;
    let (doc, first) = dispatched(&world, &mut desk).await;
    let mut handler = world.phone(Role::Department, TOWN).await;
    assert!(handler.records.contains_key(&doc));
    let other = world.town.create_org("城管执法中队", TOWN.parse().unwrap()).await.unwrap();
    let again = desk.act(doc, ActionKind::Dispatch, Fields { targets: Some(vec![first]), ..dispatch(other) });
    let batch = desk.changes(vec![again]);
    desk.sync(&world.town, &[batch]).await;
    handler.sync(&world.town, &[]).await;
    assert!(!handler.records.contains_key(&doc));
    assert_eq!(stays(&handler, handler.stream_of(StreamKind::Assignments), doc), ["join", "leave"]);
}

#[tokio::test]
async fn an_accepted_case_moves_to_its_grid_and_the_old_one_is_judged_where_it_stood() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let mut colleague = world.phone(Role::GridMember, GRID).await;
    let mut neighbour = world.phone(Role::GridMember, OTHER_GRID).await;
    let mut desk = world.phone(Role::TownDispatcher, TOWN).await;
    let (doc, change) = member.report(Some(GRID));
    let batch = member.changes(vec![change]);
    member.sync(&world.town, &[batch]).await;
    colleague.sync(&world.town, &[]).await;

    // A correction brings it to the other grid; only with the acceptance does it leave the first.
    let mut community = world.phone(Role::Community, VILLAGE).await;
    let edited = community.act(doc, ActionKind::Edit, Fields { grid: Some(OTHER_GRID.parse().unwrap()), ..Fields::default() });
    let batch = community.changes(vec![edited]);
    community.sync(&world.town, &[batch]).await;
    colleague.sync(&world.town, &[]).await;
    assert!(colleague.records.contains_key(&doc));
    neighbour.sync(&world.town, &[]).await;
    assert_eq!(neighbour.actions(doc), colleague.actions(doc));

    desk.sync(&world.town, &[]).await;
    let accepted = desk.act(doc, ActionKind::Accept, accept(Some(OTHER_GRID)));
    let batch = desk.changes(vec![accepted]);
    desk.sync(&world.town, &[batch]).await;
    colleague.sync(&world.town, &[]).await;
    assert!(!colleague.records.contains_key(&doc));
    let grid = colleague.stream_of(StreamKind::Grid);
    assert_eq!(stays(&colleague, grid, doc), ["leave"]);
    neighbour.sync(&world.town, &[]).await;
    assert_eq!(neighbour.bodies::<CaseNumber>(FactKind::CaseNumber).len(), 1);

    // The reporter has not read that: his words are let in. Once he has, the case is another grid's.
    let more = member.act(doc, ActionKind::Supplement, text("已设围挡"));
    let batch = member.changes(vec![more]);
    let late = {
        let mut record = member.records[&doc].clone();
        let action = member.action(doc, ActionKind::Supplement, text("还有一处"));
        let raw = record.write(member.incarnation, &fieldgrid_core::record::Command::Act(vec![action]), 1_772_413_300).unwrap().raw;
        fieldgrid_core::wire::batch::ChangeItem { doc, kind: fieldgrid_core::record::RecordKind::Case, edit: None, raw }
    };
    member.sync(&world.town, from_ref(&batch)).await;
    assert_eq!(member.verdicts(&batch), [Verdict::Accepted]);
    assert!(!member.records.contains_key(&doc));
    let batch = member.changes(vec![late]);
    member.sync(&world.town, from_ref(&batch)).await;
    assert_eq!(member.verdicts(&batch), [Verdict::Refused(Refusal::OutOfScope)]);
    neighbour.sync(&world.town, &[]).await;
    desk.sync(&world.town, &[]).await;
    assert_eq!((neighbour.actions(doc).len(), neighbour.actions(doc)), (4, desk.actions(doc)));
    assert!(world.town.verify().unwrap().findings.is_empty());
}

#[tokio::test]
async fn a_pack_holds_nothing_of_what_has_left() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let mut desk = world.phone(Role::TownDispatcher, TOWN).await;
    let reports: Vec<_> = (0..40).map(|_| member.report(Some(GRID))).collect();
    let doc = reports[0].0;
    let batch = member.changes(reports.into_iter().map(|(_, change)| change).collect());
    member.sync(&world.town, &[batch]).await;
    let first = world.phone(Role::GridMember, GRID).await;
    assert_eq!((first.packs, first.records.len()), (1, 40));

    desk.sync(&world.town, &[]).await;
    let accepted = desk.act(doc, ActionKind::Accept, accept(Some(OTHER_GRID)));
    let batch = desk.changes(vec![accepted]);
    desk.sync(&world.town, &[batch]).await;
    let second = world.phone(Role::GridMember, GRID).await;
    assert_eq!((second.packs, second.records.len()), (1, 39));
    assert!(second.facts.values().all(|fact| fact.subject != Some(doc)), "not even its number");
    assert_eq!(stays(&second, second.stream_of(StreamKind::Grid), doc), [""; 0], "a new pack, past the leave");
}

#[tokio::test]
async fn what_was_done_where_a_case_was_seen_to_lie_counts_also_when_all_of_it_comes_at_once() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let mut neighbour = world.phone(Role::GridMember, OTHER_GRID).await;
    let mut desk = world.phone(Role::TownDispatcher, TOWN).await;
    // A town that was lost had told them of each other's work; this one hears of it in another order.
    let (doc, reported) = member.report(Some(GRID));
    desk.records.insert(doc, member.records[&doc].clone());
    let accepted = desk.act(doc, ActionKind::Accept, accept(Some(OTHER_GRID)));
    neighbour.records.insert(doc, desk.records[&doc].clone());
    let noted = neighbour.act(doc, ActionKind::Supplement, text("已到现场"));
    desk.records.insert(doc, neighbour.records[&doc].clone());
    let moved = desk.act(doc, ActionKind::Edit, Fields { grid: Some(GRID.parse().unwrap()), ..Fields::default() });
    let (first, second) = (desk.changes(vec![accepted, moved]), neighbour.changes(vec![noted]));
    desk.sync(&world.town, &[first]).await;
    neighbour.sync(&world.town, from_ref(&second)).await;
    let batch = member.changes(vec![reported]);
    member.sync(&world.town, &[batch]).await;
    neighbour.sync(&world.town, &[]).await;
    assert_eq!(neighbour.verdicts(&second), [Verdict::Accepted]);
    desk.sync(&world.town, &[]).await;
    assert_eq!(desk.actions(doc).len(), 4);
}
