//! A crowd of enrolled phones that makes judging as dear as it can, and one phone that wants to send its work.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use std::slice::from_ref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{GRID, Phone, World};
use fieldgrid_core::domain::action::{Action, ActionKind, Fields};
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::id::DocId;
use fieldgrid_core::record::{Command, Record};
use fieldgrid_core::wire::batch::{Batch, ChangeItem};
use fieldgrid_core::wire::error::ErrorKind;
use fieldgrid_core::wire::verdict::Verdict;
use sync_server::town::{Quota, TownOptions};

const CROWD: usize = 6;

/// What the crowd branches: a record, and one more change to it, with a text.
struct Target {
    create: fn(&mut Phone) -> (DocId, ChangeItem),
    change: fn(&mut Phone, DocId, String) -> ChangeItem,
    records: usize,
    /// Changes of each record before the crowd comes, and in the branch of each of them.
    changes: (usize, usize),
}

/// Sends one batch without reading on; tries until it is taken.
async fn push(world: &World, phone: &Phone, batch: &Batch) {
    let mut request = phone.request(from_ref(batch));
    (request.state, request.state_hash.0) = (None, [0; 16]);
    while let Err(error) = phone.ask(&world.town, &request).await {
        assert!(error.retry_after_s.is_some(), "{error:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// How long an honest phone waits, push by push, while each of a crowd branches the same records beside everything that is in them.
async fn waits(target: Target) -> Vec<Duration> {
    let world = Arc::new(World::new().await);
    let mut author = world.phone(Role::GridMember, GRID).await;
    let mut bases = Vec::new();
    for _ in 0..target.records {
        let (doc, first) = (target.create)(&mut author);
        let mut changes = vec![first.clone()];
        changes.extend((0..target.changes.0).map(|n| (target.change)(&mut author, doc, format!("主线{n}"))));
        let batch = author.changes(changes);
        push(&world, &author, &batch).await;
        bases.push((doc, first));
    }
    let mut crowd = Vec::new();
    for n in 0..CROWD {
        let mut phone = world.phone(Role::GridMember, GRID).await;
        phone.records = bases.iter().map(|(doc, first)| (*doc, Record::load(first.kind, [first.raw.as_slice()]).unwrap())).collect();
        let mut batches = Vec::new();
        for quarter in 0..4 {
            let mut changes = Vec::new();
            for (m, (doc, _)) in (0..target.changes.1 / 4).flat_map(|m| bases.iter().map(move |base| (m, base))) {
                changes.push((target.change)(&mut phone, *doc, format!("支线{n}.{quarter}.{m}")));
            }
            batches.push(phone.changes(changes));
        }
        crowd.push((phone, batches));
    }
    let mut honest = world.phone(Role::GridMember, GRID).await;
    let at_work = Arc::new(AtomicUsize::new(CROWD));
    for (phone, batches) in crowd {
        let (world, at_work) = (Arc::clone(&world), Arc::clone(&at_work));
        tokio::spawn(async move {
            for batch in &batches {
                push(&world, &phone, batch).await;
            }
            at_work.fetch_sub(1, Ordering::SeqCst);
        });
    }
    let mut waits = Vec::new();
    while at_work.load(Ordering::SeqCst) > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let work = (0..5).map(|_| honest.report(Some(GRID)).1).collect();
        let batch = honest.changes(work);
        let asked = Instant::now();
        push(&world, &honest, &batch).await;
        waits.push(asked.elapsed());
    }
    honest.tell = true;
    honest.sync(&world.town, &[]).await;
    assert!(honest.sealed.iter().all(|batch| honest.verdicts(batch).iter().all(|verdict| *verdict == Verdict::Accepted)));
    waits.sort();
    waits
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_a_days_work_does_not_wait_for_a_crowd_that_branches_old_records() {
    let create = |phone: &mut Phone| {
        let (doc, _, item) = phone.household(GRID, "张三");
        (doc, item)
    };
    let waits = waits(Target { create, change: |phone, doc, text| phone.set(doc, "note", &text), records: 2, changes: (120, 40) }).await;
    assert!(waits.len() > 2, "the crowd kept the server busy: {waits:?}");
    assert!(waits[waits.len() - 1] < Duration::from_secs(1), "{waits:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, for an optimised build"]
async fn waits_for_a_crowd_that_branches_old_cases() {
    let change = |phone: &mut Phone, doc: DocId, text| {
        let first = phone.actions(doc).into_keys().take(1).collect();
        let action = phone.action(doc, ActionKind::Supplement, Fields { text: Some(text), ..Fields::default() });
        phone.write(doc, &Command::Act(vec![Action { seen: first, ..action }]))
    };
    let waits = waits(Target { create: |phone| phone.report(Some(GRID)), change, records: 4, changes: (200, 120) }).await;
    println!("{} pushes: median {:?}, longest {:?}", waits.len(), waits[waits.len() / 2], waits[waits.len() - 1]);
}

#[tokio::test]
async fn who_brings_too_much_in_an_hour_is_told_when_to_come_again_and_keeps_it() {
    let world = World::with(TownOptions { quota: Quota { items: 10, bytes: 1 << 20 }, ..TownOptions::default() }).await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let batches: Vec<Batch> = (0..3)
        .map(|_| {
            let reports = (0..8).map(|_| member.report(Some(GRID)).1).collect();
            member.changes(reports)
        })
        .collect();
    for batch in &batches[..2] {
        member.sync(&world.town, from_ref(batch)).await;
        assert_eq!(member.verdicts(batch), vec![Verdict::Accepted; 8], "what is begun is finished");
    }
    let error = member.ask(&world.town, &member.request(from_ref(&batches[2]))).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooOften);
    assert!((2_000..=2_200).contains(&error.retry_after_s.unwrap()), "{error:?}");
    member.sync(&world.town, &[]).await;
    let mut other = world.phone(Role::GridMember, GRID).await;
    let (_, report) = other.report(Some(GRID));
    let batch = other.changes(vec![report]);
    other.sync(&world.town, from_ref(&batch)).await;
    assert_eq!(other.verdicts(&batch), [Verdict::Accepted]);
}
