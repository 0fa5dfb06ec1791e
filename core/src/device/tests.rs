use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::time::sleep;

use super::runner::SyncStatus;
use super::store::Lease;
use super::sync::WaitReason;
use super::sync::tests::Seeded;
use super::syncing::CLOSING;
use super::transport::{Arrived, BoxFuture, News, PackPart, Transport, TransportError, TransportSetupError};
use super::*;
use crate::domain::action::{Place, Severity};
use crate::domain::fact::{Body, VisitKind, VisitResult};
use crate::domain::form::{Fault, FormError};
use crate::domain::grant::{Grant, Role};
use crate::domain::household::{Value, text};
use crate::domain::id::{DeviceId, GrantId, StreamId, UserId};
use crate::env::Environment;
use crate::wire::batch::{Batch, Item};
use crate::wire::enrol::{EnrolAnswer, EnrolRequest, ServerKeys, SignedGrant};
use crate::wire::error::{ErrorBody, ErrorKind, WireError};
use crate::wire::frame;
use crate::wire::suite::{KeyPair, Purpose, Signer};
use crate::wire::sync::{Answer, Request, StreamInfo, StreamKind, Token};

/// A centre that enrols and takes everything it is sent, and says nothing about it: what it cannot do, the tests of the whole system do.
#[derive(Debug, Default)]
struct Centre {
    enrolments: Mutex<Vec<EnrolRequest>>,
    batches: Mutex<Vec<Batch>>,
    lost: Mutex<u32>,
    silent: Mutex<bool>,
    refusal: Mutex<Option<ErrorKind>>,
    /// How much longer the name is that an enrolment gives.
    long: Mutex<usize>,
    /// It signs its answers.
    signs: Mutex<bool>,
    /// The bit that is wrong in an answer to an enrolment.
    flipped: Mutex<Option<usize>>,
}

const ROOT: [u8; 32] = [1; 32];
const SIGNING: [u8; 32] = [2; 32];
const GRID: &str = "610702001001001";

impl Centre {
    fn invite() -> Invite {
        Invite { server: "http://centre".into(), code: "ABCD-1234".into(), root: Hash::of(&[&KeyPair::from_secret(&ROOT).public().0]), signs: false }
    }

    fn answer(&self, request: &EnrolRequest) -> Result<EnrolAnswer, ErrorKind> {
        self.enrolments.lock().unwrap().push(request.clone());
        if let Some(kind) = *self.refusal.lock().unwrap() {
            return Err(kind);
        }
        assert!(request.verify(), "the phone shows that it has the key");
        let (root, signing) = (KeyPair::from_secret(&ROOT), KeyPair::from_secret(&SIGNING));
        let device = DeviceId::from_bytes([7; 16]);
        let grant = Grant {
            id: GrantId::from_bytes([8; 16]),
            device,
            user: UserId::from_bytes([9; 16]),
            role: Role::GridMember,
            org: None,
            scopes: vec![GRID.parse().unwrap()],
            issued_ms: 1_780_000_000_000,
            expires_ms: 1_790_000_000_000,
            supersedes: None,
            lease_ms: 7 * 86_400_000,
        };
        let stream = |id: u8, kind, area: Option<&str>| StreamInfo {
            id: StreamId::from_bytes([id; 16]),
            kind,
            area: area.map(|code| code.parse().unwrap()),
            org: None,
            epoch: 1,
        };
        Ok(EnrolAnswer {
            version: 1,
            device,
            grant: SignedGrant::sign(&grant, &signing),
            keys: ServerKeys { root: root.public(), signing: signing.public(), certificate: root.sign(Purpose::Key, &signing.public().0) },
            stream: StreamId::from_bytes([1; 16]),
            directory: vec![stream(1, StreamKind::Device, None), stream(2, StreamKind::Grid, Some(GRID))],
            now_ms: 1_780_000_000_000,
            name: Some(format!("王网格员{}", "王".repeat(*self.long.lock().unwrap()))),
            signature: None,
        })
    }

    fn lose(&self) -> Result<(), TransportError> {
        let mut lost = self.lost.lock().unwrap();
        if *lost > 0 {
            *lost -= 1;
            return Err(TransportError::Timeout);
        }
        Ok(())
    }
}

#[derive(Debug, Clone)]
struct Line(Arc<Centre>);

impl Connect for Line {
    fn connect(&self, _: &str) -> Result<Arc<dyn Transport>, TransportSetupError> {
        Ok(Arc::new(self.clone()))
    }
}

impl Transport for Line {
    fn sync(&self, body: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, TransportError>> {
        Box::pin(async move {
            if *self.0.silent.lock().unwrap() {
                std::future::pending::<()>().await;
            }
            let received = Request::from_bytes(&frame::unwrap(&body).unwrap()).unwrap();
            let mut held = self.0.batches.lock().unwrap();
            held.extend(received.request.batches.iter().map(|batch| Batch::from_bytes(&batch.0).unwrap()));
            Ok(frame::wrap(
                &Answer { nonce: received.request.nonce, now_ms: 1_780_000_000_000, token: Some(Token([3; 16])), ..Answer::default() }.to_bytes(),
                3,
            ))
        })
    }

    fn enrol(&self, body: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, TransportError>> {
        Box::pin(async move {
            let asked = frame::unwrap(&body).unwrap();
            let answer = self.0.answer(&minicbor::decode(&asked).unwrap());
            self.0.lose()?;
            let signs = *self.0.signs.lock().unwrap();
            let signed = |answer: EnrolAnswer| answer.to_signed_bytes(&asked, &KeyPair::from_secret(&SIGNING));
            answer
                .map(|answer| if signs { signed(answer) } else { minicbor::to_vec(answer).unwrap() })
                .map(|mut bytes| {
                    if let Some(bit) = *self.0.flipped.lock().unwrap() {
                        bytes[bit / 8] ^= 1 << (bit % 8);
                    }
                    frame::plain(&bytes)
                })
                .map_err(|kind| TransportError::Refused(ErrorBody { kind, reason: String::new(), retry_after_s: None }))
        })
    }

    fn pack<'a>(&'a self, _: Token, _: StreamId, _: Hash, _: u64, _: Arrived<'a>) -> BoxFuture<'a, PackPart> {
        Box::pin(async { PackPart::default() })
    }

    fn news(&self, _: Token) -> BoxFuture<'_, Result<Box<dyn News>, TransportError>> {
        Box::pin(async { Err(TransportError::Status(404)) })
    }

    fn authenticates(&self) -> bool {
        true
    }
}

struct Phone {
    device: Device,
    centre: Arc<Centre>,
    _folder: tempfile::TempDir,
}

fn phone() -> Phone {
    phone_of(Seeded::new(3))
}

fn phone_of(env: Arc<dyn Environment>) -> Phone {
    let folder = tempfile::tempdir().unwrap();
    let centre = Arc::new(Centre::default());
    let store = OpenOptions::new(folder.path().join("phone.db"), [5; 32], env);
    let options = DeviceOptions { store, connect: Arc::new(Line(centre.clone())), pace: Pace::default() };
    Phone { device: Device::open(options, Handle::current()).unwrap(), centre, _folder: folder }
}

fn household() -> NewHousehold {
    let text = |value: &str| Value::Text(value.to_owned());
    let fields = [("grid", text(GRID)), ("address", text("民主街12号1单元301"))].map(|(name, value)| (name.to_owned(), value)).into();
    let person = [("name", text("张三")), ("relation", text("02"))].map(|(name, value)| (name.to_owned(), value)).into();
    NewHousehold { fields, persons: vec![person] }
}

#[tokio::test(start_paused = true)]
async fn only_the_server_that_the_invite_names_enrols() {
    let Phone { device, _folder, .. } = phone();
    let elsewhere = Invite { root: Hash::of(&[b"another root"]), ..Centre::invite() };
    assert!(matches!(device.enrol(&elsewhere).await, Err(EnrolError::NotTheServer(_))));
    assert_eq!(device.identity(), None);
    let identity = device.enrol(&Centre::invite()).await.unwrap();
    assert_eq!((identity.grant.role, identity.name.as_deref()), (Role::GridMember, Some("王网格员")));
    assert!(matches!(device.enrol(&Centre::invite()).await, Err(EnrolError::AlreadyEnrolled)));
}

#[tokio::test(start_paused = true)]
async fn what_an_enrolment_brings_is_bounded() {
    let Phone { device, centre, _folder } = phone();
    *centre.long.lock().unwrap() = 1 << 20;
    assert!(matches!(device.enrol(&Centre::invite()).await, Err(EnrolError::NotTheServer(WireError::TooLarge(_)))));
    *centre.long.lock().unwrap() = 10_000;
    let name = device.enrol(&Centre::invite()).await.unwrap().name.unwrap();
    assert_eq!(name.chars().count(), crate::wire::limits::MAX_TEXT);
}

#[tokio::test(start_paused = true)]
async fn no_bit_of_a_signed_enrolment_answer_can_be_another() {
    let Phone { device, centre, _folder } = phone();
    let invite = Invite { signs: true, ..Centre::invite() };
    let unsigned = device.enrol(&invite).await;
    assert!(matches!(unsigned, Err(EnrolError::NotTheServer(WireError::Unverified(_)))), "the invite says that it signs: {unsigned:?}");
    *centre.signs.lock().unwrap() = true;
    let request = centre.enrolments.lock().unwrap()[0].clone();
    let length = centre.answer(&request).unwrap().to_signed_bytes(&[], &KeyPair::from_secret(&SIGNING)).len();
    for bit in 0..length * 8 {
        *centre.flipped.lock().unwrap() = Some(bit);
        let enrolled = device.enrol(&invite).await;
        assert!(matches!(enrolled, Err(EnrolError::NotTheServer(_))), "bit {bit} of {length} bytes: {enrolled:?}");
    }
    *centre.flipped.lock().unwrap() = None;
    device.enrol(&invite).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_enrolment_answer_to_another_phone_or_code_is_refused() {
    let (first, second) = (phone(), phone_of(Seeded::new(4)));
    let invite = Invite { signs: true, ..Centre::invite() };
    drop(first.device.enrol(&invite).await);
    let request = minicbor::to_vec(&first.centre.enrolments.lock().unwrap()[0]).unwrap();
    let theirs = first.centre.answer(&minicbor::decode(&request).unwrap()).unwrap().to_signed_bytes(&request, &KeyPair::from_secret(&SIGNING));
    assert!(EnrolAnswer::from_bytes(&theirs, &request).is_ok());
    drop(second.device.enrol(&invite).await);
    let another = minicbor::to_vec(&second.centre.enrolments.lock().unwrap()[0]).unwrap();
    assert!(matches!(EnrolAnswer::from_bytes(&theirs, &another), Err(WireError::Unverified(_))));
}

#[tokio::test(start_paused = true)]
async fn an_enrolment_whose_answer_is_lost_is_asked_for_with_the_same_key() {
    let Phone { device, centre, _folder } = phone();
    *centre.lost.lock().unwrap() = 2;
    device.enrol(&Centre::invite()).await.unwrap();
    let asked = centre.enrolments.lock().unwrap();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|request| request == &asked[0]));
}

#[tokio::test(start_paused = true)]
async fn a_refused_enrolment_says_what_to_do_and_is_not_tried_again() {
    let Phone { device, centre, _folder } = phone();
    for (kind, expected) in [(ErrorKind::CodeEnded, EnrolError::CodeEnded), (ErrorKind::NotFound, EnrolError::NoSuchCode)] {
        *centre.refusal.lock().unwrap() = Some(kind);
        assert_eq!(device.enrol(&Centre::invite()).await, Err(expected));
    }
    assert_eq!(centre.enrolments.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn before_enrolment_nothing_syncs_and_nothing_can_be_saved() {
    let Phone { device, _folder, .. } = phone();
    assert_eq!(device.sync_now().await.unwrap().wait.map(|wait| wait.reason), Some(WaitReason::NotEnrolled));
    assert_eq!(device.add_household(household()), Err(SaveError::NotEnrolled));
    assert_eq!(device.status().unwrap().store.lease, Lease::ReportOnly);
}

#[tokio::test(start_paused = true)]
async fn what_is_saved_goes_out_by_itself_soon() {
    let Phone { device, centre, _folder } = phone();
    device.enrol(&Centre::invite()).await.unwrap();
    device.start().unwrap();
    sleep(Duration::from_secs(5)).await;
    let saved = device.add_household(household()).unwrap();
    assert_eq!(device.status().unwrap().store.unsent, 1);
    sleep(Duration::from_secs(5)).await;
    let edits: Vec<_> = centre.batches.lock().unwrap().iter().flat_map(|batch| batch.items.clone()).collect();
    assert!(matches!(edits.as_slice(), [Item::Change(change)] if change.doc == saved.doc));
    device.stop().await;
    assert!(!device.status().unwrap().sync.background);
}

/// A clock that is never asked twice in one millisecond.
#[derive(Debug)]
struct Ticking(Arc<Seeded>, AtomicI64);

impl Environment for Ticking {
    fn wall_ms(&self) -> i64 {
        self.0.wall_ms() + self.1.fetch_add(1, Ordering::Relaxed)
    }
    fn mono_ms(&self) -> u64 {
        self.0.mono_ms()
    }
    fn fill(&self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }
}

/// Times, ids and what was seen are the device's own: with every call, the same form is the same again.
#[tokio::test(start_paused = true)]
async fn every_call_saves_a_form_once() {
    let Phone { device, _folder, .. } = phone_of(Arc::new(Ticking(Seeded::new(4), AtomicI64::default())));
    device.enrol(&Centre::invite()).await.unwrap();
    let form = |n: u8| device.for_form(Some(FormId::from_bytes([n; 16])));
    let unsent = || device.status().unwrap().store.unsent;
    fn twice<T: PartialEq + std::fmt::Debug>(save: impl Fn() -> Result<T, SaveError>) -> T {
        let saved = save().unwrap();
        assert_eq!(save().as_ref(), Ok(&saved));
        saved
    }
    let fields = |text: &str| Fields { text: Some(text.to_owned()), ..Fields::default() };
    let report =
        Fields { category: Some("0201".into()), place: Some(Place { address: Some("劳动路口".into()), ..Place::default() }), ..fields("井盖破损") };
    let case = twice(|| form(1).report(report.clone())).doc;
    twice(|| form(2).act(case, ActionKind::Supplement, fields("已设围栏")));
    let resident = household();
    let home = twice(|| form(3).add_household(resident.clone())).doc;
    let edit = |note: &str| vec![HouseholdEdit::Set("note".to_owned(), Value::Text(note.to_owned()))];
    twice(|| form(4).edit_household(home, edit("有狗")));
    let person = twice(|| form(5).add_person(home, resident.persons[0].clone()));
    let visit = Visit { kind: VisitKind::Care, result: VisitResult::Met, persons: vec![person], needs: None, next_due_ms: None, cases: Vec::new() };
    twice(|| form(6).visit(home, &visit));
    let before = unsent();
    twice(|| form(7).set_id_number(home, person, "610799198001010017"));
    assert_eq!((before, unsent()), (6, 8), "a number is a fact and its name");

    // What was changed meanwhile is not passed over, nor is another call.
    let already = Err(SaveError::AlreadySaved);
    assert_eq!(form(1).report(Fields { severity: Some(Severity::Urgent), ..report.clone() }), already);
    assert_eq!(form(1).report(Fields { occurred_ms: Some(1), ..report }), already);
    assert_eq!(form(2).act(case, ActionKind::Supplement, fields("已设围栏和灯")), already);
    assert_eq!(form(2).act(case, ActionKind::Progress, fields("已设围栏")), already);
    assert_eq!(form(3).add_household(NewHousehold { persons: Vec::new(), ..resident.clone() }), already);
    assert_eq!(form(4).edit_household(home, edit("没有狗")), already);
    assert_eq!(form(4).add_person(home, resident.persons[0].clone()), Err(SaveError::AlreadySaved));
    assert_eq!(form(5).add_person(home, household::Fields::new()), Err(SaveError::AlreadySaved));
    assert_eq!(form(6).visit(home, &Visit { needs: Some("药品".to_owned()), ..visit }), Err(SaveError::AlreadySaved));
    assert_eq!(form(7).set_id_number(home, person, "610799194509300025"), already);
    assert_eq!(unsent(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_form_that_changes_nothing_is_told_from_a_record_that_cannot_be_read() {
    let Phone { device, _folder, .. } = phone();
    device.enrol(&Centre::invite()).await.unwrap();
    let household = device.add_household(household()).unwrap().doc;
    let address = Value::Text("民主街12号1单元301".to_owned());
    let unsent = device.status().unwrap().store.unsent;
    assert_eq!(device.edit_household(household, vec![HouseholdEdit::Set("address".to_owned(), address)]), Err(SaveError::Nothing));
    assert_eq!(device.edit_household(household, Vec::new()), Err(SaveError::Nothing));
    assert_eq!(device.status().unwrap().store.unsent, unsent);
}

#[tokio::test(start_paused = true)]
async fn a_sensitive_value_is_beside_the_record_and_reading_it_is_recorded() {
    let Phone { device, centre, _folder } = phone();
    device.enrol(&Centre::invite()).await.unwrap();
    let household = device.add_household(household()).unwrap().doc;
    let person = *device.household(household).unwrap().unwrap().household.unwrap().persons.keys().next().unwrap();
    let reveal = |note: Option<&str>| device.reveal_id_number(household, person, RevealReason::Unlisted, note.map(str::to_owned));
    assert_eq!(reveal(None), Ok(None));
    device.set_id_number(household, person, "610799198001010017").unwrap();
    assert_eq!(reveal(Some(&"因".repeat(2001))), Err(FormError::of(Fault::TooLong, "note").into()));
    assert_eq!(reveal(Some("补办社保卡")).unwrap().as_deref(), Some("610799198001010017"));

    let detail = device.household(household).unwrap().unwrap();
    assert!(!serde_json::to_string(&detail).unwrap().contains("610799198001010017"));
    assert!(text(&detail.household.unwrap().persons[&person], ID_NUMBER).is_some());
    device.sync_now().await.unwrap();
    let facts: Vec<_> = centre
        .batches
        .lock()
        .unwrap()
        .iter()
        .flat_map(|batch| batch.items.clone())
        .filter_map(|item| match item {
            Item::Fact(fact) => Some(fact),
            Item::Change(_) => None,
        })
        .collect();
    assert_eq!(facts.iter().map(|fact| fact.kind).collect::<Vec<_>>(), [FactKind::Sensitive, FactKind::Reveal]);
    let Body::Held(body) = &facts[1].body else { panic!("a body") };
    let expected = Reveal {
        person: Some(person),
        field: ID_NUMBER.to_owned(),
        value: Some(facts[0].id),
        reason: Some(RevealReason::Unlisted),
        note: Some("补办社保卡".to_owned()),
    };
    assert_eq!((facts[1].subject, minicbor::decode::<Reveal>(body).unwrap()), (Some(household), expected));
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_changes_hands_starts_anew() {
    let Phone { device, centre, _folder } = phone();
    device.enrol(&Centre::invite()).await.unwrap();
    device.start().unwrap();
    device.add_household(household()).unwrap();
    device.wipe().await.unwrap();
    assert_eq!(device.identity(), None);
    assert!(device.records().unwrap().is_empty());
    device.enrol(&Centre::invite()).await.unwrap();
    let asked = centre.enrolments.lock().unwrap();
    assert_ne!((asked[0].key, asked[0].incarnation), (asked[1].key, asked[1].incarnation));
}

#[tokio::test(start_paused = true)]
async fn one_watch_tells_of_the_store_of_sync_and_of_enrolment() {
    let Phone { device, _folder, .. } = phone();
    let mut watch = device.observe_device();
    let mut until = async |what: &dyn Fn(&DeviceStatus) -> bool| {
        loop {
            let status = tokio::time::timeout(Duration::from_secs(3_600), watch.next()).await.expect("it tells").unwrap();
            if what(&status) {
                return status;
            }
        }
    };
    assert_eq!(until(&|_| true).await.enrolment, None);
    device.enrol(&Centre::invite()).await.unwrap();
    until(&|status| status.enrolment.as_ref().is_some_and(|enrolment| enrolment.role == Role::GridMember)).await;
    device.add_household(household()).unwrap();
    until(&|status| status.store.unsent == 1).await;
    device.start().unwrap();
    until(&|status| status.sync.background && status.sync.last.is_some()).await;
    device.wipe().await.unwrap();
    let status = until(&|status| status.enrolment.is_none() && status.sync == SyncStatus::default()).await;
    assert_eq!(status.store.unsent, 0);
}

#[tokio::test]
async fn a_watch_keeps_nothing_open_and_ends_with_the_last_device() {
    let Phone { device, _folder, .. } = phone();
    let (mut watch, mut all) = (device.observe_refused(), device.observe_device());
    watch.next().await.unwrap();
    all.next().await.unwrap();
    let options = DeviceOptions::clone(&device.options);
    let waiting = tokio::spawn(async move { all.next().await });
    sleep(Duration::from_millis(50)).await;
    drop(device);
    assert_eq!(tokio::time::timeout(CLOSING, waiting).await.expect("who waits is told").unwrap(), Err(StoreError::Closed));
    Device::open(options, Handle::current()).expect("the files are closed");
    assert_eq!(watch.next().await, Err(StoreError::Closed));
}

#[tokio::test]
async fn who_stops_waiting_for_a_watch_loses_nothing() {
    let Phone { device, _folder, .. } = phone();
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let mut watch = device.store.watch(&[Topic::Cases], move |_| Ok(gate.lock().unwrap().recv().is_err()));
    let begun = std::future::poll_fn(|context| Poll::Ready(std::pin::pin!(watch.next()).poll(context).is_pending())).await;
    assert!(begun, "dropped while it looks");
    drop(open);
    assert!(tokio::time::timeout(CLOSING, watch.next()).await.expect("it was not given yet").unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_ends_what_is_under_way_and_frees_the_files_at_once() {
    let Phone { device, centre, _folder } = phone();
    device.enrol(&Centre::invite()).await.unwrap();
    device.add_household(household()).unwrap();
    device.start().unwrap();
    *centre.silent.lock().unwrap() = true;
    let sync = tokio::spawn({
        let device = device.clone();
        async move { device.sync_now().await.map(|_| ()) }
    });
    let (mut watch, mut all) = (device.observe_households(HouseholdFilter::default(), PageRequest::first(1)), device.observe_device());
    assert_eq!(watch.next().await.unwrap().rows.len(), 1);
    let watching = tokio::spawn(async move { while watch.next().await.is_ok() {} });
    let watching_all = tokio::spawn(async move { while all.next().await.is_ok() {} });
    // Nobody asks these any more.
    let (mut idle, mut idle_all) = (device.observe_cases(CaseFilter::default(), PageRequest::first(1)), device.observe_device());
    idle.next().await.unwrap();
    idle_all.next().await.unwrap();
    sleep(Duration::from_millis(50)).await;

    let options = DeviceOptions::clone(&device.options);
    let begun = std::time::Instant::now();
    let closing = device.close();
    assert_eq!(idle.next().await, Err(StoreError::Closed), "before anything is waited for");
    closing.await;
    assert!(begun.elapsed() < CLOSING, "nobody was waited for in vain: {:?}", begun.elapsed());
    sync.await.unwrap().unwrap();
    watching.await.unwrap();
    watching_all.await.unwrap();
    assert_eq!(idle.next().await, Err(StoreError::Closed));
    assert_eq!(idle_all.next().await, Err(StoreError::Closed));
    let begun = std::time::Instant::now();
    let again = Device::open(options, Handle::current()).unwrap();
    assert!(begun.elapsed() < Duration::from_millis(90), "the lock was free: {:?}", begun.elapsed());
    assert_eq!(again.households(&HouseholdFilter::default(), PageRequest::first(2)).unwrap().rows.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn keeping_in_sync_may_be_asked_for_before_enrolment() {
    let Phone { device, centre, _folder } = phone();
    device.start().unwrap();
    assert!(!device.status().unwrap().sync.background);
    device.enrol(&Centre::invite()).await.unwrap();
    assert!(device.status().unwrap().sync.background);
    let report = Fields {
        text: Some("井盖破损".into()),
        category: Some("0201".into()),
        place: Some(Place { address: Some("劳动路口".into()), ..Place::default() }),
        ..Fields::default()
    };
    device.report(report).unwrap();
    sleep(Duration::from_secs(5)).await;
    assert_eq!(centre.batches.lock().unwrap().len(), 1);
    device.stop().await;
    assert!(!device.status().unwrap().sync.background);
}
