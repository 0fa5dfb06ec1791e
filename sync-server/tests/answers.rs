//! What phones are told: little when nothing is new, packs for a first load, the last common position after a restore.

mod common;

use std::slice::from_ref;
use std::sync::Arc;
use std::time::Duration;

use common::{GRID, Phone, TOWN, World};
use fieldgrid_core::domain::action::{ActionKind, Fields};
use fieldgrid_core::domain::fact::FactKind;
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::id::{Hash, StreamId};
use fieldgrid_core::wire::batch::{ChangeItem, Item};
use fieldgrid_core::wire::error::ErrorKind;
use fieldgrid_core::wire::frame;
use fieldgrid_core::wire::limits::MAX_OFFERS;
use fieldgrid_core::wire::pack::Pack;
use fieldgrid_core::wire::sync::{Authenticate, Cursor, PageEntry, SealedBytes, StreamKind, Token};
use fieldgrid_core::wire::verdict::Verdict;
use sync_server::town::{Town, TownOptions};

/// Households in a grid, in batches of a hundred.
async fn fill(world: &World, member: &mut Phone, households: usize) {
    for hundred in (0..households).collect::<Vec<_>>().chunks(100) {
        let items: Vec<ChangeItem> = hundred.iter().map(|n| member.household(GRID, &format!("住户{n}")).2).collect();
        let batch = member.changes(items);
        member.sync(&world.town, from_ref(&batch)).await;
        assert!(member.verdicts(&batch).iter().all(|verdict| *verdict == Verdict::Accepted));
    }
}

#[tokio::test]
async fn nothing_new_is_told_in_a_few_bytes_whatever_the_number_of_records() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let mut sizes = Vec::new();
    for households in [0, 5, 200] {
        fill(&world, &mut member, households).await;
        let answer = member.sync(&world.town, &[]).await;
        assert!(answer.pages.is_empty() && answer.directory.is_none() && !answer.need_state);
        sizes.push(*member.bytes.lock().unwrap());
    }
    assert!(sizes.windows(2).all(|pair| pair[0] == pair[1]), "{sizes:?}");
    let (up, down) = sizes[0];
    assert!(up <= 50 && down <= 20, "{up} bytes up, {down} down");
}

#[tokio::test]
async fn a_state_that_is_not_known_is_asked_for() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let (_, change) = member.report(Some(GRID));
    let batch = member.changes(vec![change]);
    let mut request = member.request(from_ref(&batch));
    request.state_hash.0 = [1; 16];
    let answer = member.ask(&world.town, &request).await.unwrap();
    assert!(answer.need_state && answer.pages.is_empty());
    assert_eq!(answer.outbox.unwrap().hash, batch.hash(), "what it brought was taken all the same");
    member.apply(&world.town, &answer).await;
    member.sync(&world.town, &[]).await;
    assert_eq!(member.verdicts(&batch), [Verdict::Accepted]);
}

#[tokio::test]
async fn a_first_load_comes_as_a_pack_and_goes_on_from_there() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    fill(&world, &mut member, 60).await;
    let (household, _, made) = member.household(GRID, "有证件的人");
    let id_no = member.fact(FactKind::Sensitive, household, [&[5; 16], b"610799198001010017".as_slice()].concat());
    let batch = member.seal(vec![Item::Change(made), Item::Fact(id_no.clone())]);
    member.sync(&world.town, &[batch]).await;

    let mut fresh = world.phone(Role::GridHead, GRID).await;
    assert_eq!(fresh.records.len(), 61);
    for (doc, record) in &member.records {
        assert_eq!(fresh.records[doc].heads(), record.heads());
    }
    assert!(!fresh.entries.contains_key(&fresh.stream_of(StreamKind::Grid)), "by pack, not by pages");
    assert_eq!(member.packs + fresh.packs, 1, "what one wrote oneself comes as references");
    for file in std::fs::read_dir(world.path("town").join("packs")).unwrap() {
        let pack = Pack::from_file(&std::fs::read(file.unwrap().path()).unwrap(), &fresh.server).unwrap();
        assert!(pack.facts.iter().all(|fact| fact.kind != FactKind::Sensitive));
    }
    fresh.sync(&world.town, &[]).await;
    assert_eq!(fresh.facts.get(&id_no.id), Some(&id_no), "sensitive facts are never in packs and come after them");

    let (_, _, made) = member.household(GRID, "新住户");
    let batch = member.changes(vec![made]);
    member.sync(&world.town, &[batch]).await;
    fresh.sync(&world.town, &[]).await;
    assert_eq!(fresh.records.len(), 62);
    assert!(fresh.cursors == fresh.state().cursors.iter().map(|cursor| (cursor.stream, *cursor)).collect());

    world.town.improve_packs().await.unwrap();
    let late = world.phone(Role::GridMember, GRID).await;
    assert_eq!(late.records.len(), 62);

    // A pack is for those who read its stream.
    let desk = world.phone(Role::TownDispatcher, TOWN).await;
    let stream = fresh.stream_of(StreamKind::Grid);
    let refused = world.town.pack(desk.token.unwrap(), stream, Hash::ZERO).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound);
    assert_eq!(world.town.pack(Token([0; 16]), stream, Hash::ZERO).await.unwrap_err().kind, ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn a_long_stream_comes_in_pages_that_share_the_room() {
    let world = World::new().await;
    let mut desk = world.phone(Role::TownDispatcher, TOWN).await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let text = "情况说明".repeat(400);
    for _ in 0..4 {
        let items: Vec<ChangeItem> = (0..60)
            .map(|_| {
                let doc = member.doc();
                member.act(doc, ActionKind::Report, Fields { text: Some(text.clone()), ..common::report(Some(GRID)) })
            })
            .collect();
        let batch = member.changes(items);
        member.sync(&world.town, &[batch]).await;
    }
    // The desk read the stream from its start before it was long, so it goes on by pages.
    let answer = desk.ask(&world.town, &desk.request(&[])).await.unwrap();
    assert!(answer.more || !answer.packs.is_empty());
    desk.sync(&world.town, &[]).await;
    assert_eq!(desk.records.len(), 240);
}

#[tokio::test]
async fn a_restored_server_names_the_last_common_position() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let (doc, first) = member.report(Some(GRID));
    let one = member.changes(vec![first]);
    member.sync(&world.town, from_ref(&one)).await;
    let backup = world.path("monday.db");
    let (town, to) = (Arc::clone(&world.town), backup.clone());
    let report = tokio::task::spawn_blocking(move || town.backup(&to)).await.unwrap().unwrap();
    assert!(report.verified.findings.is_empty() && report.verified.batches == 1 && report.size > 0);

    let supplement = member.supplement(doc, "补充");
    let two = member.changes(vec![supplement]);
    let answer = member.sync(&world.town, from_ref(&two)).await;
    assert_eq!(answer.safe_through, Some(1), "the phone keeps what no backup covers");

    // The server is lost. The one from the backup goes on numbering before the phone comes.
    world.env.pass(Duration::from_secs(3_600));
    let data = world.path("restored");
    let restored = Arc::new(Town::restore(&backup, &data, TownOptions::default(), world.env.clone()).unwrap());
    let mut other = {
        let code = restored.invite(world.order(Role::GridMember, GRID)).await.unwrap().code;
        Phone::enrol(&restored, &world.env, code).await.unwrap()
    };
    other.sync(&restored, &[]).await;
    let theirs = other.supplement(doc, "恢复之后");
    let batch = other.changes(vec![theirs]);
    other.sync(&restored, &[batch]).await;

    member.token = None;
    let before = member.cursors.clone();
    let answer = member.ask(&restored, &member.request(&[])).await.unwrap();
    assert!(answer.need_state, "a state that the lost server told");
    member.apply(&restored, &answer).await;
    let answer = member.ask(&restored, &member.request(&[])).await.unwrap();
    let lost: Vec<StreamId> = answer.common.iter().map(|common| common.stream).collect();
    assert_eq!(lost.len(), 2, "its grid's and its own stream went on in the lost life");
    for common in &answer.common {
        assert!(common.seq < before[&common.stream].seq && common.epoch == 1);
    }
    assert_eq!(answer.outbox.unwrap().hash, one.hash(), "batches above are to be sent again");
    assert!(answer.pages.iter().any(|page| page.epoch > 1));
    member.apply(&restored, &answer).await;

    member.sync(&restored, from_ref(&two)).await;
    assert_eq!(member.verdicts(&two), [Verdict::Accepted]);
    assert_eq!(member.actions(doc).len(), 3);
    assert!(restored.verify().unwrap().findings.is_empty());
    assert!(Town::restore(&backup, &data, TownOptions::default(), world.env.clone()).is_err(), "never over a town that is there");
}

/// What it cannot prove it does not name; where it has another chain of the epoch itself, it signs that.
#[tokio::test]
async fn common_is_what_the_server_can_prove() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let (doc, first) = member.report(Some(GRID));
    let second = member.supplement(doc, "补充");
    let batch = member.changes(vec![first, second]);
    member.sync(&world.town, from_ref(&batch)).await;
    let honest = *member.cursors.values().max_by_key(|cursor| cursor.seq).unwrap();
    let grid = honest.stream;
    let (other, start) = (Hash([9; 32]), Cursor { seq: 0, chain: Hash::ZERO, ..honest });
    let signed = |seq: u64, heads: &[Cursor]| heads.iter().any(|head| head.stream == grid && head.seq == seq);
    for (what, claimed, common, proof) in [
        ("as it is", honest, None, false),
        ("the right chain of a wrong epoch", Cursor { epoch: u32::MAX, ..honest }, Some(honest), false),
        ("another chain at its head", Cursor { chain: other, ..honest }, Some(start), true),
        ("another chain below", Cursor { chain: other, seq: 1, ..honest }, Some(start), true),
        ("beyond its head", Cursor { chain: other, seq: 99, ..honest }, Some(start), false),
        ("another chain of an unknown epoch", Cursor { chain: other, epoch: 7, ..honest }, Some(start), false),
    ] {
        member.cursors.insert(grid, claimed);
        member.tell = true;
        let answer = member.ask(&world.town, &member.request(&[])).await.unwrap();
        assert_eq!(answer.common.iter().find(|named| named.stream == grid).copied(), common, "{what}");
        let heads = answer.heads.map(|heads| heads.heads).unwrap_or_default();
        assert!(!proof || signed(claimed.seq, &heads), "{what}: {heads:?}");
        if let Some(seq) = common.map(|common| common.seq).filter(|seq| *seq == 0) {
            assert!(answer.pages.iter().any(|page| page.stream == grid && page.first == seq + 1), "{what}");
        }
    }
}

#[tokio::test]
async fn news_reaches_who_reads_the_stream_and_nobody_else() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let reader = world.phone(Role::GridHead, GRID).await;
    let elsewhere = world.phone(Role::GridMember, common::OTHER_GRID).await;
    let (mut near, far) = (world.town.news(reader.token.unwrap()).unwrap(), world.town.news(elsewhere.token.unwrap()).unwrap());
    let (_, change) = member.report(Some(GRID));
    let batch = member.changes(vec![change]);
    member.sync(&world.town, &[batch]).await;
    tokio::time::timeout(Duration::from_secs(5), near.changed()).await.unwrap().unwrap();
    assert!(!far.has_changed().unwrap());
    assert_eq!(world.town.news(Token([3; 16])).unwrap_err().kind, ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn own_words_of_batches_the_phone_does_not_claim_come_whole() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let (_, change) = member.report(Some(GRID));
    let batch = member.changes(vec![change.clone()]);
    let before = member.state();
    drop(member.ask(&world.town, &member.request(&[batch])).await.unwrap());
    // A phone restored from its own backup: it neither claims the batch nor sends it.
    let mut request = member.request(&[]);
    request.state = Some(before);
    let answer = member.ask(&world.town, &request).await.unwrap();
    let grid = answer.pages.iter().find(|page| page.stream == member.stream_of(StreamKind::Grid)).unwrap();
    assert!(matches!(&grid.entries[1], PageEntry::Entry(entry) if entry.hash() == change.hash()), "after the word on when it was received");
}

#[tokio::test]
async fn offers_are_left_aside_up_to_their_limit() {
    let world = World::new().await;
    let member = world.phone(Role::GridMember, GRID).await;
    let mut request = member.request(&[]);
    request.offers = vec![SealedBytes(vec![1]); MAX_OFFERS];
    member.ask(&world.town, &request).await.unwrap();
    request.offers.push(SealedBytes(vec![1]));
    assert_eq!(member.ask(&world.town, &request).await.unwrap_err().kind, ErrorKind::TooLarge);
}

#[tokio::test]
async fn a_signed_request_is_answered_once() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    member.token = None;
    let framed = frame::wrap(&member.request(&[]).to_bytes(&Authenticate::Sign(member.device, &member.key)), 3);
    assert!(world.town.sync(&framed).await.is_ok());
    // Somebody has got hold of it.
    let error = world.town.sync(&framed).await.unwrap_err();
    assert_eq!((error.kind, error.retry_after_s), (ErrorKind::TooOften, Some(1)));
    // The phone itself, restored or not, signs another.
    let again = frame::wrap(&member.request(&[]).to_bytes(&Authenticate::Sign(member.device, &member.key)), 3);
    assert!(world.town.sync(&again).await.is_ok());
}
