//! Somebody on the way who has not the server's keys, or a server with a fault: what nobody signed
//! leaves nothing behind.

use fieldgrid_core::device::store::DeliveryState;
use fieldgrid_core::device::sync::WaitReason;
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::id::{Hash, Incarnation, StreamId};
use fieldgrid_core::wire::enrol::Invite;
use fieldgrid_core::wire::sync::{Answer, BatchFault, BatchRejection, Cursor, OutboxHead, StreamInfo, StreamKind};
use fieldgrid_tests::harness::agree::agree;
use fieldgrid_tests::harness::phone::Phone;
use fieldgrid_tests::harness::scene::Scene;

/// What is put into an answer.
type Lie = fn(&mut Answer, &Phone);

fn stream(n: u16) -> StreamInfo {
    let mut id = [0x77; 16];
    id[..2].copy_from_slice(&n.to_be_bytes());
    StreamInfo { id: StreamId::from_bytes(id), kind: StreamKind::Grid, area: None, org: None, epoch: 1 }
}

fn cursors(phone: &Phone, epoch: u32) -> Vec<Cursor> {
    let streams = phone.device().status().unwrap().store.streams;
    streams.into_iter().map(|row| Cursor { stream: row.stream, epoch, seq: 0, chain: Hash::ZERO }).collect()
}

fn own(phone: &Phone) -> StreamInfo {
    let id = phone.device().identity().unwrap().stream;
    StreamInfo { id, kind: StreamKind::Device, area: None, org: None, epoch: u32::MAX }
}

const LIES: [(&str, Lie); 9] = [
    ("257 streams", |answer, phone| answer.directory = Some((0..256).map(stream).chain([own(phone)]).collect())),
    ("no streams", |answer, _| answer.directory = Some(Vec::new())),
    ("its own stream alone, in the last epoch", |answer, phone| answer.directory = Some(vec![own(phone)])),
    ("the start of the last epoch is common", |answer, phone| answer.common = cursors(phone, u32::MAX)),
    ("nothing is held", |answer, phone| {
        let incarnation = phone.device().identity().unwrap().incarnation;
        answer.outbox = Some(OutboxHead { incarnation, seq: 0, hash: Hash::ZERO });
    }),
    ("another phone's batch is held", |answer, _| {
        answer.outbox = Some(OutboxHead { incarnation: Incarnation::from_bytes([9; 16]), seq: 3, hash: Hash([9; 32]) });
    }),
    ("all is safe", |answer, _| answer.safe_through = Some(u64::MAX)),
    ("a fork", |answer, _| answer.rejections = vec![BatchRejection { index: 0, fault: BatchFault::Fork }]),
    ("the receipts are left out", |answer, _| answer.pages.clear()),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_signed_leaves_nothing_behind() {
    let mut scene = Scene::set(81).await;
    let grid = scene.grids[0];
    let mut wang = scene.phone("wang", Role::GridMember, grid).await;
    let household = wang.household("民主街12号", "张三", "12812348000").doc;
    wang.report("井盖破损");
    scene.settle(&[&wang]).await;
    for (what, lie) in LIES {
        let saved = wang.set(household, "note", what);
        let before = wang.device().status().unwrap().store;
        let mut lies = Answer::default();
        lie(&mut lies, &wang);
        let cleared = what.starts_with("the receipts");
        wang.line.alter(move |body| {
            let mut answer = Answer::from_bytes(&body).unwrap();
            let Answer { directory, common, outbox, safe_through, rejections, .. } = lies.clone();
            answer.directory = directory.or(answer.directory);
            answer.common.extend(common);
            answer.outbox = outbox.or(answer.outbox);
            answer.safe_through = safe_through.or(answer.safe_through);
            answer.rejections.extend(rejections);
            if cleared {
                (answer.pages, answer.heads) = (Vec::new(), None);
            }
            answer.to_bytes()
        });
        let round = wang.sync().await;
        assert_eq!(round.wait.map(|wait| wait.reason), Some(WaitReason::BadAnswer), "{what}");
        let after = wang.device().status().unwrap().store;
        assert_eq!((after.streams, after.received, after.again, after.copied), (before.streams, before.received, 0, false), "{what}");
        assert_eq!(wang.state(saved), DeliveryState::OnPhone, "{what}: nobody signed a receipt");
        wang.line.restore();
        scene.settle(&[&wang]).await;
        assert_eq!(wang.state(saved), DeliveryState::Received, "{what}");
    }
    let reckoning = agree(scene.town(), &[&wang]);
    assert_eq!((reckoning.received, reckoning.refused.len()), (wang.typed.len(), 0));
}

/// Of a server that signs no answers yet: a phone takes what it says, and can be led nowhere from
/// where it does not come back.
#[tokio::test(flavor = "multi_thread")]
async fn a_bit_that_is_wrong_when_an_unsigned_answer_enrols_costs_no_more_than_another_code() {
    let mut scene = Scene::set(82).await;
    let grid = scene.grids[0];
    let mut works = 0;
    for n in 0..60 {
        let mut phone = Phone::new(&mut scene, &format!("phone {n}"), Role::GridMember, grid).await;
        let invite = Invite { signs: false, ..scene.invite(Role::GridMember, grid, phone.link.url()).await };
        let chance = scene.rng.u64(..);
        phone.line.alter(move |mut body| {
            // The signature is the last field, of 66 bytes, and taken off.
            body.truncate(body.len() - 66);
            body[0] -= 1;
            let bit = usize::try_from(chance).unwrap() % (body.len() * 8);
            body[bit / 8] ^= 1 << (bit % 8);
            body
        });
        let enrolled = phone.device().enrol(&invite).await;
        phone.line.restore();
        if enrolled.is_err() {
            phone.device().enrol(&invite).await.expect("the code still holds for this phone");
        }
        let saved = phone.household("民主街12号", "张三", "12812348000");
        phone.sync().await;
        scene.settle(&[&phone]).await;
        assert_eq!(phone.state(saved), DeliveryState::Received, "phone {n}, enrolled by a wrong answer: {}", enrolled.is_ok());
        works += u32::from(enrolled.is_ok());
    }
    assert!(works > 0, "some bits say nothing that is checked");
}
