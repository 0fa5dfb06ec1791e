//! What becomes of what phones send: accepted into streams, or each wrong thing with its own verdict, and the rest goes on.

mod common;

use std::slice::from_ref;

use common::{GRID, OTHER_GRID, Phone, TOWN, World, accept, area, dispatch, report};
use fieldgrid_core::domain::action::{ActionKind, Fields};
use fieldgrid_core::domain::fact::{Body, Fact, FactKind};
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::id::{Hash, Incarnation};
use fieldgrid_core::domain::mask::{CaseProgress, HouseholdView};
use fieldgrid_core::domain::policy::Refusal;
use fieldgrid_core::domain::server_fact::{CaseNumber, Instruction, Received};
use fieldgrid_core::env::random;
use fieldgrid_core::record::Command;
use fieldgrid_core::wire::batch::{Batch, ChangeItem, Item, Sealing};
use fieldgrid_core::wire::entry::Entry;
use fieldgrid_core::wire::suite::{KeyPair, Purpose, Signature, Signer};
use fieldgrid_core::wire::sync::{BatchFault, BatchRejection, PageEntry, SealedBytes, StreamKind};
use fieldgrid_core::wire::verdict::Verdict;
use minicbor::bytes::ByteVec;

#[tokio::test]
async fn a_case_goes_from_report_to_the_department() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let mut desk = world.phone(Role::TownDispatcher, TOWN).await;
    let mut handler = world.phone(Role::Department, TOWN).await;

    let (doc, change) = member.report(Some(GRID));
    let batch = member.changes(vec![change]);
    let answer = member.sync(&world.town, from_ref(&batch)).await;
    assert_eq!(member.verdicts(&batch), [Verdict::Accepted]);
    let grid = answer.pages.iter().find(|page| page.stream == member.stream_of(StreamKind::Grid)).unwrap();
    assert!(matches!(grid.entries[1], PageEntry::Own(own) if (own.seq, own.first, own.count) == (1, 0, 1)), "own words come back as a reference");
    assert!(matches!(member.bodies::<Received>(FactKind::Received)[..], [Received::Next(_)]), "before it, when it was received");

    desk.sync(&world.town, &[]).await;
    assert_eq!(desk.actions(doc).len(), 1);
    let accepted = desk.act(doc, ActionKind::Accept, accept(Some(GRID)));
    let dispatched = desk.act(doc, ActionKind::Dispatch, dispatch(world.org));
    let batch = desk.changes(vec![accepted, dispatched]);
    desk.sync(&world.town, from_ref(&batch)).await;
    assert_eq!(desk.verdicts(&batch), [Verdict::Accepted, Verdict::Accepted]);

    member.sync(&world.town, &[]).await;
    let numbers = member.bodies::<CaseNumber>(FactKind::CaseNumber);
    assert_eq!(numbers, [CaseNumber { number: format!("HZ{TOWN}202603020001") }]);

    handler.sync(&world.town, &[]).await;
    assert_eq!(handler.actions(doc), desk.actions(doc), "a dispatch brings the case with its history");
    assert_eq!(handler.bodies::<CaseNumber>(FactKind::CaseNumber), numbers);
    let history = |received: Received| if let Received::These(_, actions) = received { actions } else { Vec::new() };
    assert_eq!(handler.bodies(FactKind::Received).into_iter().flat_map(history).count(), 3);
    let signed = handler.act(doc, ActionKind::Sign, Fields::default());
    let batch = handler.changes(vec![signed]);
    handler.sync(&world.town, &[batch]).await;
    member.sync(&world.town, &[]).await;
    assert_eq!(member.actions(doc).len(), 4);

    let detail = world.town.case(doc).unwrap().unwrap();
    assert_eq!((detail.row.number.as_deref(), detail.row.state), (Some(numbers[0].number.as_str()), detail.case.state));
    assert!(world.town.verify().unwrap().findings.is_empty());
}

#[tokio::test]
async fn a_batch_out_of_its_place_takes_none() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let other = world.phone(Role::GridMember, GRID).await;
    let (_, first) = member.report(Some(GRID));
    let (_, second) = member.report(Some(GRID));
    let (_, third) = member.report(Some(GRID));

    let forged = Batch::seal(member.sealing(), vec![Item::Change(first.clone())], &KeyPair::from_secret(&random(&*world.env)));
    let foreign = Batch::seal(other.sealing(), vec![Item::Change(first.clone())], &member.key);
    let genesis = Sealing { incarnation: Incarnation::random([0; 16]), ..member.sealing() };
    let genesis = Batch::seal(genesis, vec![Item::Change(first.clone())], &member.key);
    let one = member.changes(vec![first]);
    let two = member.changes(vec![second]);
    let three = member.changes(vec![third]);
    let mut request = member.request(&[forged, foreign, genesis, one.clone(), three.clone(), two.clone()]);
    request.batches.push(SealedBytes(b"not a batch".to_vec()));
    let answer = member.ask(&world.town, &request).await.unwrap();
    let faults: Vec<(u32, BatchFault)> = answer.rejections.iter().map(|rejection| (rejection.index, rejection.fault)).collect();
    let expected = [(0, BatchFault::Unverified), (1, BatchFault::Foreign), (2, BatchFault::Malformed), (4, BatchFault::Gap), (6, BatchFault::Malformed)];
    assert_eq!(faults, expected);
    assert_eq!(answer.outbox.unwrap().seq, 2);

    member.apply(&world.town, &answer).await;
    member.sync(&world.town, from_ref(&three)).await;
    for batch in [&one, &two, &three] {
        assert_eq!(member.verdicts(batch), [Verdict::Accepted]);
    }
}

#[tokio::test]
async fn a_batch_of_a_newer_version_waits_for_a_newer_server() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let (_, change) = member.report(Some(GRID));
    let batch = member.changes(vec![change]);
    let version = fieldgrid_core::wire::VERSION;
    let mut header = batch.header_bytes().to_vec();
    let at = header.iter().position(|byte| *byte == version).unwrap();
    header[at] = version + 1;
    let signature = member.key.sign(Purpose::Batch, &header);
    let (_, _, items): (ByteVec, Signature, ByteVec) = minicbor::decode(&batch.to_bytes()).unwrap();
    let mut request = member.request(&[]);
    request.batches.push(SealedBytes(minicbor::to_vec((ByteVec::from(header), signature, items)).unwrap()));
    let answer = member.ask(&world.town, &request).await.unwrap();
    assert_eq!(answer.rejections, [BatchRejection { index: 0, fault: BatchFault::Version }]);

    member.sync(&world.town, from_ref(&batch)).await;
    assert_eq!(member.verdicts(&batch), [Verdict::Accepted], "its place was left free");
}

#[tokio::test]
async fn what_comes_again_is_not_taken_twice() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let (_, change) = member.report(Some(GRID));
    let batch = member.changes(vec![change]);
    // The answer is lost.
    drop(member.ask(&world.town, &member.request(from_ref(&batch))).await.unwrap());
    let entries = world.town.verify().unwrap().entries;
    let answer = member.sync(&world.town, from_ref(&batch)).await;
    assert_eq!((answer.rejections.len(), world.town.verify().unwrap().entries), (0, entries));
    assert_eq!(member.verdicts(&batch), [Verdict::Accepted]);
}

#[tokio::test]
async fn a_second_head_is_a_fork_and_limits_the_device_to_reports() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let (doc, change) = member.report(Some(GRID));
    let batch = member.changes(vec![change]);
    let (_, other) = member.report(Some(GRID));
    let mut sealing = member.sealing();
    (sealing.seq, sealing.prev) = (1, Hash::ZERO);
    let twin = Batch::seal(sealing, vec![Item::Change(other)], &member.key);
    member.sync(&world.town, &[batch]).await;
    let answer = member.sync(&world.town, &[twin]).await;
    assert_eq!(answer.rejections[0].fault, BatchFault::Fork);
    assert_eq!(member.bodies::<Instruction>(FactKind::Instruction), [Instruction::ReportOnly]);

    // Under a new life, named by what the server holds: reports yes, the rest not until the centre approves.
    member.incarnation = Incarnation::random(random(&*world.env));
    let (_, report) = member.report(Some(GRID));
    let verified = member.act(doc, ActionKind::VerifyPass, Fields::default());
    let batch = member.changes(vec![report, verified]);
    member.sync(&world.town, from_ref(&batch)).await;
    assert_eq!(member.verdicts(&batch), [Verdict::Accepted, Verdict::Refused(Refusal::ReportOnly)]);
    world.town.approve(member.device).await.unwrap();
    let (_, _, household) = member.household(GRID, "张三");
    let batch = member.changes(vec![household]);
    member.sync(&world.town, from_ref(&batch)).await;
    assert_eq!(member.verdicts(&batch), [Verdict::Accepted]);
}

#[tokio::test]
async fn each_wrong_piece_has_its_verdict_and_the_rest_goes_on() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let mut other = world.phone(Role::GridMember, GRID).await;
    let (_, good) = member.report(Some(GRID));
    let (_, foreign) = other.report(Some(GRID));
    let (_, elsewhere) = {
        let doc = member.doc();
        let action = member.action(doc, ActionKind::Report, report(Some("610702002001001")));
        (doc, member.write(doc, &Command::Act(vec![action])))
    };
    let forged = {
        let doc = member.doc();
        let mut action = member.action(doc, ActionKind::Report, report(Some(GRID)));
        action.author.role = Role::TownLeader;
        member.write(doc, &Command::Act(vec![action]))
    };
    let mut malformed = member.report(Some(GRID)).1;
    malformed.raw.truncate(60);
    let nothing = {
        let doc = member.doc();
        member.act(doc, ActionKind::Progress, Fields { text: Some("?".into()), ..Fields::default() })
    };
    let own_server_fact = Item::Fact(member.fact(FactKind::Verdict, good.doc, vec![1]));
    let (household, _, made) = member.household(GRID, "李四");
    let visit = Item::Fact(member.visit(household));
    let items = vec![
        Item::Change(good),
        Item::Change(foreign),
        Item::Change(elsewhere),
        Item::Change(forged),
        Item::Change(malformed),
        Item::Change(nothing),
        own_server_fact,
        Item::Change(made),
        visit.clone(),
        visit,
    ];
    let batch = member.seal(items);
    member.sync(&world.town, from_ref(&batch)).await;
    let refused = |refusal| Verdict::Refused(refusal);
    assert_eq!(
        member.verdicts(&batch),
        [
            Verdict::Accepted,
            refused(Refusal::WrongActor),
            refused(Refusal::OutOfScope),
            refused(Refusal::ForgedAuthor),
            refused(Refusal::Malformed),
            refused(Refusal::NoSuchRecord),
            refused(Refusal::NotPermitted),
            Verdict::Accepted,
            Verdict::Accepted,
            Verdict::AlreadyHeld,
        ]
    );
    let (_, next) = member.report(Some(GRID));
    let batch = member.changes(vec![next]);
    member.sync(&world.town, from_ref(&batch)).await;
    assert_eq!(member.verdicts(&batch), [Verdict::Accepted]);
}

#[tokio::test]
async fn an_oversized_fact_is_too_large() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let (household, _, made) = member.household(GRID, "李四");
    let large = member.fact(FactKind::Sensitive, household, vec![7; 17 << 10]);
    let batch = member.seal(vec![Item::Change(made), Item::Fact(large)]);
    member.sync(&world.town, from_ref(&batch)).await;
    assert_eq!(member.verdicts(&batch), [Verdict::Accepted, Verdict::Refused(Refusal::TooLarge)]);
}

/// A change that no grid member may write, in the middle of a document, with a good one on top.
fn refused_in_the_middle(member: &mut Phone) -> (fieldgrid_core::domain::id::DocId, ChangeItem, ChangeItem, ChangeItem) {
    let (doc, first) = member.report(Some(GRID));
    let mut action = member.action(doc, ActionKind::Supplement, Fields { text: Some("补充".into()), ..Fields::default() });
    action.author.org = Some(fieldgrid_core::domain::id::OrgId::new(1, [9; 10]));
    let refused = member.write(doc, &Command::Act(vec![action]));
    let on_top = member.supplement(doc, "再补充");
    (doc, first, refused, on_top)
}

#[tokio::test]
async fn what_stands_on_a_refused_change_is_stranded_and_redone_once() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let (doc, first, refused, on_top) = refused_in_the_middle(&mut member);
    let one = member.changes(vec![first.clone(), refused.clone()]);
    let two = member.changes(vec![on_top.clone()]);
    member.sync(&world.town, &[one.clone(), two.clone()]).await;
    assert_eq!(member.verdicts(&one), [Verdict::Accepted, Verdict::Refused(Refusal::ForgedAuthor)]);
    assert_eq!(member.verdicts(&two), [Verdict::Stranded(refused.hash())]);

    // The phone rebuilds from what is confirmed, under a new life, and does the stranded edit again.
    let redo = |member: &mut Phone| {
        member.incarnation = Incarnation::random(random(&*member.env));
        let mut record = fieldgrid_core::record::Record::load(first.kind, [first.raw.as_slice()]).unwrap();
        let action = member.actions(doc).into_values().find(|action| action.fields.text.as_deref() == Some("再补充")).unwrap();
        let change = record.write(member.incarnation, &Command::Act(vec![action]), 0).unwrap();
        ChangeItem { doc, kind: first.kind, edit: Some(on_top.edit_id()), raw: change.raw }
    };
    let again = redo(&mut member);
    let batch = member.changes(vec![again]);
    member.sync(&world.town, from_ref(&batch)).await;
    assert_eq!(member.verdicts(&batch), [Verdict::Accepted]);

    let twice = redo(&mut member);
    let batch = member.changes(vec![twice]);
    member.sync(&world.town, from_ref(&batch)).await;
    assert_eq!(member.verdicts(&batch), [Verdict::AlreadyHeld]);
    assert_eq!(world.town.case(doc).unwrap().unwrap().row.actions, 2);
}

#[tokio::test]
async fn phones_that_race_on_one_document_all_get_in() {
    let world = World::new().await;
    let mut author = world.phone(Role::GridMember, GRID).await;
    let (doc, _, made) = author.household(GRID, "张三");
    let batch = author.changes(vec![made]);
    author.sync(&world.town, &[batch]).await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..8 {
        let mut phone = world.phone(Role::GridMember, GRID).await;
        let town = world.town.clone();
        tasks.spawn(async move {
            let edits: Vec<ChangeItem> = (0..5).map(|i| phone.set(doc, "note", &format!("第{n}-{i}次"))).collect();
            for edit in edits {
                let batch = phone.changes(vec![edit]);
                phone.sync(&town, from_ref(&batch)).await;
                assert_eq!(phone.verdicts(&batch), [Verdict::Accepted]);
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    author.sync(&world.town, &[]).await;
    assert_eq!(author.records[&doc].changes().len(), 41);
    assert!(world.town.verify().unwrap().findings.is_empty());
}

#[tokio::test]
async fn a_rider_holds_his_own_words_and_nothing_else() {
    let world = World::new().await;
    let mut rider = world.phone(Role::Rider, TOWN).await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let mut desk = world.phone(Role::TownDispatcher, TOWN).await;
    let (_, _, household) = member.household(GRID, "张三");
    let (_, others) = member.report(Some(GRID));
    let batch = member.changes(vec![household, others]);
    member.sync(&world.town, &[batch]).await;

    let (doc, report) = rider.report(None);
    let batch = rider.changes(vec![report]);
    rider.sync(&world.town, from_ref(&batch)).await;
    assert_eq!(rider.verdicts(&batch), [Verdict::Accepted]);
    desk.sync(&world.town, &[]).await;
    let accepted = desk.act(doc, ActionKind::Accept, accept(Some(OTHER_GRID)));
    let batch = desk.changes(vec![accepted]);
    desk.sync(&world.town, &[batch]).await;
    let supplement = rider.supplement(doc, "旁边还有一处");
    let batch = rider.changes(vec![supplement]);
    rider.sync(&world.town, from_ref(&batch)).await;
    assert_eq!(rider.verdicts(&batch), [Verdict::Accepted]);

    assert_eq!(rider.directory.len(), 1);
    for entry in &rider.entries[&rider.stream] {
        match entry {
            Entry::Change(change) => assert!(rider.sealed.iter().any(|batch| batch.items.contains(&Item::Change(change.clone()))), "only his own changes"),
            Entry::Fact(fact) => assert!(matches!(fact.kind, FactKind::Verdict | FactKind::View)),
            other => panic!("{other:?}"),
        }
    }
    let progress = rider.bodies::<CaseProgress>(FactKind::View);
    assert!(progress.iter().all(|progress| progress.case == doc));
    assert!(progress.iter().any(|progress| progress.number.is_some()), "he is told that it was accepted");

    // The grid that the acceptance named has the case now, with the rider's words.
    let mut other = world.phone(Role::GridMember, OTHER_GRID).await;
    other.sync(&world.town, &[]).await;
    assert_eq!(other.actions(doc).len(), 3);
}

#[tokio::test]
async fn the_desk_sees_households_masked() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let mut desk = world.phone(Role::TownDispatcher, TOWN).await;
    let (doc, _, made) = member.household(GRID, "张三");
    let noted = member.set(doc, "note", "有狗");
    let batch = member.changes(vec![made, noted]);
    member.sync(&world.town, &[batch]).await;
    desk.sync(&world.town, &[]).await;
    assert!(desk.records.is_empty(), "the desk holds no household");
    let views = desk.bodies::<HouseholdView>(FactKind::View);
    assert_eq!(views.len(), 1);
    assert_eq!((views[0].household, views[0].name.as_deref(), views[0].grid), (doc, Some("张*"), Some(area(GRID))));
    let all = format!("{:?}", desk.facts);
    assert!(!all.contains("张三") && !all.contains("12812348000"));
}

#[tokio::test]
async fn a_decision_that_leaves_out_what_its_phone_was_given_is_stale() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let mut desk = world.phone(Role::TownDispatcher, TOWN).await;
    let (doc, report) = member.report(Some(GRID));
    let batch = member.changes(vec![report]);
    member.sync(&world.town, &[batch]).await;
    desk.sync(&world.town, &[]).await;
    let blind = desk.action(doc, ActionKind::Accept, accept(Some(GRID)));
    let supplement = member.supplement(doc, "井盖下有燃气管");
    let batch = member.changes(vec![supplement]);
    member.sync(&world.town, &[batch]).await;
    desk.sync(&world.town, &[]).await;
    // It was given the supplement, and decides as if it had not been.
    let change = desk.write(doc, &Command::Act(vec![blind]));
    let batch = desk.changes(vec![change]);
    desk.sync(&world.town, from_ref(&batch)).await;
    assert_eq!(desk.verdicts(&batch), [Verdict::Refused(Refusal::StaleSeen)]);
}

#[tokio::test]
async fn one_request_may_end_one_life_and_begin_the_next() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let (_, change) = member.report(Some(GRID));
    let last = member.changes(vec![change]);
    member.incarnation = Incarnation::random(random(&*world.env));
    member.outbox.hash = last.hash();
    let (_, change) = member.report(Some(GRID));
    let first = member.changes(vec![change]);
    let answer = member.sync(&world.town, &[last.clone(), first.clone()]).await;
    assert_eq!((answer.rejections.len(), answer.outbox.map(|head| head.incarnation)), (0, Some(member.incarnation)));
    for batch in [&last, &first] {
        assert_eq!(member.verdicts(batch), [Verdict::Accepted]);
    }
    assert!(world.town.verify().unwrap().findings.is_empty());
}

#[tokio::test]
async fn a_new_life_that_follows_what_a_backup_lacks_is_asked_for_what_lies_between() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let (_, first) = member.report(Some(GRID));
    let lost = member.changes(vec![first]);
    // The town that took `lost` is gone, and this one never had it. The phone has begun another life since.
    member.outbox.hash = lost.hash();
    let ended = std::mem::replace(&mut member.incarnation, Incarnation::random(random(&*world.env)));
    let (_, second) = member.report(Some(GRID));
    let next = member.changes(vec![second]);
    let answer = member.ask(&world.town, &member.request(from_ref(&next))).await.unwrap();
    assert_eq!((answer.rejections[0].fault, answer.outbox.unwrap().incarnation), (BatchFault::Gap, ended));
    member.outbox.hash = Hash::ZERO;
    member.sync(&world.town, &[lost.clone(), next.clone()]).await;
    assert_eq!([&lost, &next].map(|batch| member.verdicts(batch)), [[Verdict::Accepted], [Verdict::Accepted]]);
    assert!(member.bodies::<Instruction>(FactKind::Instruction).is_empty(), "nobody forked");
}

#[tokio::test]
async fn a_fact_is_written_once() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let (household, _, made) = member.household(GRID, "张三");
    let visit = member.visit(household);
    let batch = member.seal(vec![Item::Change(made), Item::Fact(visit.clone())]);
    member.sync(&world.town, &[batch]).await;
    let rewritten = Fact { body: Body::Held(member.visit(household).body.clone().hash().0.to_vec()), ..visit.clone() };
    let batch = member.seal(vec![Item::Fact(visit), Item::Fact(rewritten)]);
    member.sync(&world.town, from_ref(&batch)).await;
    assert_eq!(member.verdicts(&batch), [Verdict::AlreadyHeld, Verdict::Refused(Refusal::Rewrite)]);
}

#[tokio::test]
async fn a_record_has_an_end() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let (doc, first) = member.report(Some(GRID));
    // A thousand actions, sixteen in a change: the report, and 62 times 16, are 993.
    let mut changes = vec![first];
    for n in 0..62 {
        let text = |m: usize| Fields { text: Some(format!("补充{n}.{m}")), ..Fields::default() };
        let report: Vec<_> = member.actions(doc).into_keys().take(1).collect();
        let sixteen = (0..16).map(|m| fieldgrid_core::domain::action::Action { seen: report.clone(), ..member.action(doc, ActionKind::Supplement, text(m)) });
        let command = Command::Act(sixteen.collect());
        changes.push(member.write(doc, &command));
    }
    let batch = member.changes(changes);
    member.sync(&world.town, from_ref(&batch)).await;
    assert!(member.verdicts(&batch).iter().all(|verdict| *verdict == Verdict::Accepted));

    // Each phone still sees room for four; together they are one too many.
    let mut colleague = world.phone(Role::GridMember, GRID).await;
    let four = |phone: &mut Phone| {
        let text = |m: usize| Fields { text: Some(format!("最后{m}")), ..Fields::default() };
        let report: Vec<_> = phone.actions(doc).into_keys().take(1).collect();
        let four = (0..4).map(|m| fieldgrid_core::domain::action::Action { seen: report.clone(), ..phone.action(doc, ActionKind::Supplement, text(m)) });
        let command = Command::Act(four.collect());
        let change = phone.write(doc, &command);
        phone.changes(vec![change])
    };
    let (mine, theirs) = (four(&mut member), four(&mut colleague));
    member.sync(&world.town, from_ref(&mine)).await;
    colleague.sync(&world.town, from_ref(&theirs)).await;
    assert_eq!([member.verdicts(&mine), colleague.verdicts(&theirs)], [[Verdict::Accepted], [Verdict::Refused(Refusal::RecordFull)]]);
    assert!(member.bodies::<Received>(FactKind::Received).iter().all(|received| matches!(received, Received::Next(_))));
}
