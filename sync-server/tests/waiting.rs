//! What waits for something that is not there yet: it is let in with it, whatever came first, and does not wait for ever.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use std::slice::from_ref;
use std::time::Duration;

use common::{GRID, Phone, World};
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::id::DocId;
use fieldgrid_core::domain::policy::Refusal;
use fieldgrid_core::wire::batch::{Batch, ChangeItem};
use fieldgrid_core::wire::verdict::Verdict;
use sync_server::town::Decided;

/// A case of which only a supplement has arrived.
struct Early {
    world: World,
    /// Who reported it, and did not send it.
    author: Phone,
    doc: DocId,
    report: ChangeItem,
    /// Who got the report by a bundle, not by the server.
    reader: Phone,
    supplement: Batch,
}

impl Early {
    async fn new() -> Self {
        let world = World::new().await;
        let mut author = world.phone(Role::GridMember, GRID).await;
        let mut reader = world.phone(Role::GridMember, GRID).await;
        let (doc, report) = author.report(Some(GRID));
        reader.records.insert(doc, author.records[&doc].clone());
        let change = reader.supplement(doc, "补充");
        let supplement = reader.changes(vec![change]);
        reader.sync(&world.town, from_ref(&supplement)).await;
        assert_eq!(reader.verdicts(&supplement), [Verdict::Waiting(report.change_hash())]);
        Self { world, author, doc, report, reader, supplement }
    }

    async fn report_arrives(&mut self) {
        let batch = self.author.changes(vec![self.report.clone()]);
        self.author.sync(&self.world.town, &[batch]).await;
    }
}

/// Items of the reader that (wait, are kept aside).
fn held(early: &Early) -> (u32, u32) {
    let phone = early.world.town.phones().unwrap().into_iter().find(|phone| phone.device == early.reader.device).unwrap();
    (phone.waiting, phone.quarantined)
}

#[tokio::test]
async fn a_change_waits_for_what_it_depends_on() {
    let mut early = Early::new().await;
    early.report_arrives().await;
    early.reader.sync(&early.world.town, &[]).await;
    assert_eq!(early.reader.verdicts(&early.supplement), [Verdict::Accepted], "the verdict follows");
    early.author.sync(&early.world.town, &[]).await;
    assert_eq!(early.author.actions(early.doc).len(), 2);
}

#[tokio::test]
async fn what_waited_when_its_author_was_revoked_is_kept_aside() {
    let mut early = Early::new().await;
    early.world.town.revoke(early.reader.device).await.unwrap();
    early.report_arrives().await;
    assert_eq!(held(&early), (0, 1));
    assert_eq!(early.world.town.case(early.doc).unwrap().unwrap().row.actions, 1);
}

#[tokio::test]
async fn what_has_waited_for_a_month_is_for_the_administrator() {
    let mut early = Early::new().await;
    early.world.env.pass(Duration::from_secs(29 * 86_400));
    assert_eq!((early.world.town.lapse().await.unwrap(), held(&early)), (0, (1, 0)));
    early.world.env.pass(Duration::from_secs(2 * 86_400));
    assert_eq!((early.world.town.lapse().await.unwrap(), held(&early)), (1, (0, 1)));
    early.reader.token = None;
    early.reader.sync(&early.world.town, &[]).await;
    assert_eq!(early.reader.verdicts(&early.supplement), [Verdict::Quarantined]);

    let aside = early.world.town.quarantined(10).unwrap()[0].id;
    assert_eq!(early.world.town.decide(aside, true).await.unwrap(), Decided::BuildsOn(early.report.change_hash()));
    early.author.token = None;
    early.report_arrives().await;
    assert_eq!(early.world.town.decide(aside, true).await.unwrap(), Decided::Verdict(Verdict::Accepted));
    early.reader.sync(&early.world.town, &[]).await;
    assert_eq!(early.reader.verdicts(&early.supplement), [Verdict::Accepted]);
    assert!(early.world.town.verify().unwrap().findings.is_empty());
}

#[tokio::test]
async fn more_than_can_be_on_its_way_is_kept_aside_and_takes_nobody_elses_room() {
    let mut early = Early::new().await;
    let town = early.world.town.clone();
    let mut verdicts = Vec::new();
    for n in 0..26 {
        // Reports that never come, and words on them that do.
        let junk = (0..100).map(|m| {
            let (lost, _) = early.reader.report(Some(GRID));
            early.reader.supplement(lost, &format!("{n}.{m}"))
        });
        let junk: Vec<ChangeItem> = junk.collect();
        let batch = early.reader.changes(junk);
        early.reader.sync(&town, from_ref(&batch)).await;
        verdicts.extend(early.reader.verdicts(&batch));
    }
    let count = |wanted: fn(&Verdict) -> bool| verdicts.iter().filter(|verdict| wanted(verdict)).count();
    assert_eq!(count(|verdict| matches!(verdict, Verdict::Waiting(_))), 499);
    assert_eq!(count(|verdict| *verdict == Verdict::Quarantined), 2_000);
    assert_eq!(count(|verdict| *verdict == Verdict::Refused(Refusal::NoSuchRecord)), 101);
    assert_eq!(held(&early), (500, 2_000));

    let mut other = early.world.phone(Role::GridMember, GRID).await;
    other.records.insert(early.doc, early.author.records[&early.doc].clone());
    let change = other.supplement(early.doc, "另一人");
    let batch = other.changes(vec![change]);
    other.sync(&town, from_ref(&batch)).await;
    assert!(matches!(other.verdicts(&batch)[..], [Verdict::Waiting(_)]));
    early.report_arrives().await;
    for (phone, batch) in [(&mut other, &batch), (&mut early.reader, &early.supplement)] {
        phone.sync(&town, &[]).await;
        assert_eq!(phone.verdicts(batch), [Verdict::Accepted]);
    }
}

#[tokio::test]
async fn what_waits_for_several_is_let_in_with_the_last_whatever_their_order() {
    let world = World::new().await;
    let mut phones = Vec::new();
    for _ in 0..4 {
        phones.push(world.phone(Role::GridMember, GRID).await);
    }
    let [one, two, three, four] = &mut phones[..] else { unreachable!("four phones") };
    // Which of two missing ones is named first depends on their hashes: of six documents, some have it the one way and some the other.
    for n in 0..6 {
        let (doc, report) = one.report(Some(GRID));
        let batch = one.changes(vec![report]);
        one.sync(&world.town, &[batch]).await;
        let base = one.records[&doc].clone();
        two.records.insert(doc, base);
        let first = one.supplement(doc, &format!("一{n}"));
        let second = two.supplement(doc, &format!("二{n}"));
        // Three has two's word and four everyone's, but not by the server.
        three.records.insert(doc, two.records[&doc].clone());
        let third = three.supplement(doc, &format!("三{n}"));
        let mut all = three.records[&doc].clone();
        all.apply([first.raw.as_slice()]).unwrap();
        four.records.insert(doc, all);
        let last = four.supplement(doc, &format!("四{n}"));

        let [last, third, first, second] = [four.changes(vec![last]), three.changes(vec![third]), one.changes(vec![first]), two.changes(vec![second])];
        for (phone, batch) in [(&mut *four, &last), (&mut *three, &third)] {
            phone.sync(&world.town, from_ref(batch)).await;
            assert!(matches!(phone.verdicts(batch)[..], [Verdict::Waiting(_)]));
        }
        one.sync(&world.town, &[first]).await;
        two.sync(&world.town, &[second]).await;
        for (phone, batch) in [(&mut *three, &third), (&mut *four, &last)] {
            phone.sync(&world.town, &[]).await;
            assert_eq!(phone.verdicts(batch), [Verdict::Accepted], "document {n}");
        }
    }
}

#[tokio::test]
async fn what_stands_on_something_that_the_same_request_releases_is_let_in_with_it() {
    let world = World::new().await;
    let mut one = world.phone(Role::GridMember, GRID).await;
    let mut two = world.phone(Role::GridMember, GRID).await;
    let (doc, report) = one.report(Some(GRID));
    two.records.insert(doc, one.records[&doc].clone());
    let answer = two.supplement(doc, "二");
    one.records.insert(doc, two.records[&doc].clone());
    let last = one.supplement(doc, "一");
    let early = two.changes(vec![answer]);
    two.sync(&world.town, from_ref(&early)).await;
    assert!(matches!(two.verdicts(&early)[..], [Verdict::Waiting(_)]));
    let batches = [one.changes(vec![report]), one.changes(vec![last])];
    one.sync(&world.town, &batches).await;
    assert_eq!(batches.each_ref().map(|batch| one.verdicts(batch)), [[Verdict::Accepted], [Verdict::Accepted]]);
}
