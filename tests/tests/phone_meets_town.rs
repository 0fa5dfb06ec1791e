//! Phones and a town, in one process.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::sync::Arc;
use std::time::Duration;

use fieldgrid_core::device::runner::Pace;
use fieldgrid_core::device::store::{CaseFilter, DeliveryState, HouseholdDetail, HouseholdFilter, OpenOptions, PageRequest};
use fieldgrid_core::device::sync::{SyncSummary, WaitReason};
use fieldgrid_core::device::transport::{Arrived, BoxFuture, Connect, News, PackPart, Transport, TransportError, TransportSetupError};
use fieldgrid_core::device::{Device, DeviceOptions, NewHousehold};
use fieldgrid_core::domain::action::{ActionKind, Fields, Place, Severity};
use fieldgrid_core::domain::area::{AreaCode, Level};
use fieldgrid_core::domain::case::{Effect, State};
use fieldgrid_core::domain::fact::{RevealReason, Visit, VisitKind, VisitResult};
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::household::Value;
use fieldgrid_core::domain::id::{DocId, Hash, OrgId, StreamId};
use fieldgrid_core::env::System;
use fieldgrid_core::wire::enrol::Invite;
use fieldgrid_core::wire::sync::Token;
use sync_server::town::{InviteOrder, Town, TownOptions};

#[derive(Debug, Clone)]
struct Direct(Arc<Town>);

impl Connect for Direct {
    fn connect(&self, _: &str) -> Result<Arc<dyn Transport>, TransportSetupError> {
        Ok(Arc::new(self.clone()))
    }
}

impl Transport for Direct {
    fn sync(&self, body: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, TransportError>> {
        Box::pin(async move { self.0.sync(&body).await.map_err(TransportError::Refused) })
    }
    fn enrol(&self, body: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, TransportError>> {
        Box::pin(async move { self.0.enrol(&body).await.map_err(TransportError::Refused) })
    }
    fn pack<'a>(&'a self, token: Token, stream: StreamId, sha256: Hash, offset: u64, _: Arrived<'a>) -> BoxFuture<'a, PackPart> {
        Box::pin(async move {
            match self.0.pack(token, stream, sha256).await {
                Ok(path) => {
                    let file = std::fs::read(path).unwrap();
                    PackPart { bytes: file[offset as usize..].to_vec(), total: Some(file.len() as u64), ..PackPart::default() }
                }
                Err(error) => PackPart { broke: Some(TransportError::Refused(error)), ..PackPart::default() },
            }
        })
    }
    fn news(&self, _: Token) -> BoxFuture<'_, Result<Box<dyn News>, TransportError>> {
        Box::pin(async { Err(TransportError::Status(404)) })
    }
    fn authenticates(&self) -> bool {
        true
    }
}

struct Stage {
    town: Arc<Town>,
    folder: tempfile::TempDir,
    grids: Vec<AreaCode>,
    org: OrgId,
}

async fn stage() -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("town");
    let town = tokio::task::spawn_blocking(move || Town::open(&data, TownOptions::default(), Arc::new(System::new())).unwrap()).await.unwrap();

    let divisions = sync_server::divisions::read(sync_server::divisions::HANZHONG.as_bytes(), |_| false).unwrap();
    town.import_divisions(divisions).await.unwrap();
    let grids = town.create_grids("610702001001".parse().unwrap(), 3).await.unwrap();
    let org = town.create_org("城管队", "610702001".parse().unwrap()).await.unwrap();
    Stage { town: Arc::new(town), folder, grids, org }
}

impl Stage {
    fn town_code(&self) -> AreaCode {
        self.grids[0].at(Level::Town).unwrap()
    }

    async fn phone(&self, name: &str, role: Role, scope: AreaCode, org: Option<OrgId>) -> Device {
        let order = InviteOrder { role, org, scopes: vec![scope], name: Some(name.to_owned()), valid: Duration::from_secs(60) };
        let code = self.town.invite(order).await.unwrap();
        let invite = Invite { server: "http://town".into(), code: code.code, root: code.root, signs: true };
        let store = OpenOptions::new(self.folder.path().join(format!("{name}.db")), [1; 32], Arc::new(System::new()));
        let options = DeviceOptions { store, connect: Arc::new(Direct(self.town.clone())), pace: Pace::default() };
        let device = Device::open(options, tokio::runtime::Handle::current()).unwrap();
        device.enrol(&invite).await.unwrap();
        device
    }
}

async fn sync(device: &Device) -> SyncSummary {
    let summary = device.sync_now().await.unwrap();
    assert_eq!(summary.wait, None, "{summary:?}");
    summary
}

fn household(grid: AreaCode, address: &str) -> NewHousehold {
    let text = |value: &str| Value::Text(value.to_owned());
    let fields = [("grid", text(&grid.to_string())), ("address", text(address))].map(|(name, value)| (name.to_owned(), value)).into();
    let person = [("name", text("张三")), ("phone", text("12812348000"))].map(|(name, value)| (name.to_owned(), value)).into();
    NewHousehold { fields, persons: vec![person] }
}

fn manhole(grid: Option<AreaCode>) -> Fields {
    Fields {
        title: Some("井盖破损".into()),
        text: Some("行人绕行".into()),
        category: Some("0201".into()),
        severity: Some(Severity::Urgent),
        place: Some(Place { address: Some("天汉大道与劳动西路口".into()), ..Place::default() }),
        grid,
        ..Fields::default()
    }
}

fn state(device: &Device, case: DocId) -> State {
    device.case(case).unwrap().unwrap().row.state
}

/// Everything on a phone took effect.
fn all_effective(device: &Device, case: DocId) -> bool {
    device.case(case).unwrap().unwrap().case.unwrap().history.iter().all(|entry| entry.effect == Effect::Effective)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_goes_from_the_report_to_its_end() {
    let stage = stage().await;
    let (grid, town) = (stage.grids[0], stage.town_code());
    let member = stage.phone("王", Role::GridMember, grid, None).await;
    let desk = stage.phone("张", Role::TownDispatcher, town, None).await;
    let handler = stage.phone("赵", Role::Department, town, Some(stage.org)).await;

    let case = member.report(manhole(Some(grid))).unwrap().doc;
    assert_eq!(member.case(case).unwrap().unwrap().row.delivery.state, DeliveryState::OnPhone);
    assert_eq!(sync(&member).await.receipts, 1);
    assert_eq!(member.case(case).unwrap().unwrap().row.delivery.state, DeliveryState::Received);
    assert_eq!(member.status().unwrap().store.unsent, 0);

    sync(&desk).await;
    let decision = Fields { duplicate_check: Some("none".into()), grid: Some(grid), ..manhole(None) };
    desk.act(case, ActionKind::Accept, Fields { title: None, text: None, place: None, ..decision }).unwrap();
    let order = Fields { org: Some(stage.org), instruction: Some("今日更换".into()), due_ms: Some(1_900_000_000_000), ..Fields::default() };
    desk.act(case, ActionKind::Dispatch, order).unwrap();
    sync(&desk).await;

    sync(&handler).await;
    handler.act(case, ActionKind::Sign, Fields::default()).unwrap();
    handler.act(case, ActionKind::Finish, Fields { result: Some("done".into()), measure: Some("已更换".into()), ..manhole(None) }).unwrap();
    sync(&handler).await;

    sync(&member).await;
    assert_eq!(state(&member, case), State::Resolved);
    assert!(member.case(case).unwrap().unwrap().row.number.is_some(), "the centre numbered it when it was accepted");
    let seen = Fields { observation: Some("新井盖已装好".into()), ..manhole(None) };
    member.act(case, ActionKind::VerifyPass, seen).unwrap();
    sync(&member).await;
    sync(&desk).await;
    let end =
        Fields { conclusion: Some("属实,已办结".into()), reply: Some("井盖已更换,谢谢".into()), result: Some("done".into()), ..Fields::default() };
    desk.act(case, ActionKind::Close, end).unwrap();
    sync(&desk).await;
    for phone in [&member, &desk, &handler] {
        sync(phone).await;
        assert_eq!(state(phone, case), State::Closed);
        assert!(all_effective(phone, case));
    }
    assert!(stage.town.verify().unwrap().findings.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_new_is_one_small_round_trip() {
    let stage = stage().await;
    let member = stage.phone("王", Role::GridMember, stage.grids[0], None).await;
    for n in 1..=50 {
        member.add_household(household(stage.grids[0], &format!("民主街{n}号"))).unwrap();
    }
    sync(&member).await;
    let idle = sync(&member).await;
    assert_eq!((idle.round_trips, idle.entries), (1, 0));
    assert!(idle.sent_bytes + idle.received_bytes <= 80);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_phone_gets_its_grid_as_a_pack() {
    let stage = stage().await;
    let grid = stage.grids[0];
    let member = stage.phone("王", Role::GridMember, grid, None).await;
    for n in 1..=50 {
        member.add_household(household(grid, &format!("民主街{n}号"))).unwrap();
    }
    let person = |detail: &HouseholdDetail| *detail.household.as_ref().unwrap().persons.keys().next().unwrap();
    let first = member.households(&HouseholdFilter::default(), PageRequest::first(1)).unwrap().rows[0].doc;
    member.set_id_number(first, person(&member.household(first).unwrap().unwrap()), "610799198001010017").unwrap();
    sync(&member).await;

    let mate = stage.phone("李", Role::GridMember, grid, None).await;
    let load = sync(&mate).await;
    assert_eq!((load.packs, load.round_trips), (1, 3));
    assert_eq!(mate.households(&HouseholdFilter::default(), PageRequest::first(100)).unwrap().rows.len(), 50);
    let detail = mate.household(first).unwrap().unwrap();
    let id_number = mate.reveal_id_number(first, person(&detail), RevealReason::Identity, None).unwrap();
    assert_eq!(id_number.as_deref(), Some("610799198001010017"), "sensitive values come beside the pack");
    assert_eq!(sync(&mate).await.round_trips, 1);
    assert_eq!(sync(&mate).await.entries, 0);
    let streams = |device: &Device| {
        let grids = device.status().unwrap().store.streams.into_iter().filter(|stream| stream.area == Some(grid));
        grids.map(|stream| (stream.seq, stream.chain)).collect::<Vec<_>>()
    };
    sync(&member).await;
    assert_eq!(streams(&member), streams(&mate), "equal chains prove equal entries");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_household_is_whole_masked_or_absent_by_role() {
    let stage = stage().await;
    let (grid, town) = (stage.grids[0], stage.town_code());
    let member = stage.phone("王", Role::GridMember, grid, None).await;
    let desk = stage.phone("张", Role::TownDispatcher, town, None).await;
    let rider = stage.phone("骑手", Role::Rider, town, None).await;
    let doc = member.add_household(household(grid, "民主街12号")).unwrap().doc;
    let visit = Visit { kind: VisitKind::Routine, result: VisitResult::Met, persons: vec![], needs: None, next_due_ms: None, cases: vec![] };
    member.visit(doc, &visit).unwrap();
    let own = rider.report(manhole(None)).unwrap().doc;
    for phone in [&member, &rider, &desk, &member] {
        sync(phone).await;
    }
    assert_eq!(member.household(doc).unwrap().unwrap().visits[0].delivery.state, DeliveryState::Received);
    let view = desk.household(doc).unwrap().unwrap();
    assert!(view.row.masked && view.household.is_none());
    assert!(!serde_json::to_string(&view).unwrap().contains("12812348000"));
    assert_eq!(rider.status().unwrap().store.households, 0);
    assert_eq!(rider.cases(&CaseFilter::default(), PageRequest::first(10)).unwrap().rows.len(), 1);
    assert!(desk.case(own).unwrap().is_some());
    assert!(member.case(own).unwrap().is_none(), "in no grid yet");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_phone_is_wiped_on_contact() {
    let stage = stage().await;
    let member = stage.phone("王", Role::GridMember, stage.grids[0], None).await;
    member.add_household(household(stage.grids[0], "民主街12号")).unwrap();
    sync(&member).await;
    stage.town.revoke(member.identity().unwrap().device).await.unwrap();
    assert_eq!(member.sync_now().await.unwrap().wait.map(|wait| wait.reason), Some(WaitReason::Revoked));
    assert_eq!((member.identity(), member.records().unwrap().len()), (None, 0));
}
