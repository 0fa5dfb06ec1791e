//! The real phone's store against the town, without a network between them: both agree to the byte, and nothing typed is lost.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{GRID, Still, TOWN, World, accept, area, dispatch, report};
use fieldgrid_core::device::store::{DeliveryState, OpenOptions, Prepare, Store};
use fieldgrid_core::domain::action::{ActionKind, Fields};
use fieldgrid_core::domain::case::{RULES, State, compose};
use fieldgrid_core::domain::fact::{Visit, VisitKind, VisitResult};
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::household::{self, HouseholdEdit, Value};
use fieldgrid_core::domain::id::{DocId, FactId};
use fieldgrid_core::env::{Environment, random};
use fieldgrid_core::record::Command;
use fieldgrid_core::wire::enrol::{EnrolAnswer, EnrolRequest};
use fieldgrid_core::wire::frame;
use fieldgrid_core::wire::sync::Answer;
use sync_server::town::{Town, TownOptions};

struct Real {
    store: Store,
    trips: usize,
    /// Requests that went out before the answer to the one before was applied, and were the right ones.
    ahead: usize,
}

impl Real {
    async fn enrol(town: &Town, world: &World, name: &str, role: Role, scope: &str) -> Self {
        let options = OpenOptions::new(world.path(name), random(&*world.env), world.env.clone());
        let store = Store::open(&options).unwrap();
        let code = town.invite(world.order(role, scope)).await.unwrap().code;
        let request = EnrolRequest::new(code, store.incarnation().unwrap(), &store.key_pair().unwrap());
        let answer = town.enrol(&frame::wrap(&minicbor::to_vec(request).unwrap(), 3)).await.unwrap();
        let answer: EnrolAnswer = minicbor::decode(&frame::unwrap(&answer).unwrap()).unwrap();
        store.enrol(&answer, "http://town", town.root()).unwrap();
        let mut real = Self { store, trips: 0, ahead: 0 };
        real.sync(town).await;
        real
    }

    /// Until there is no more to do; bounded, so that two sides that disagree fail instead of hanging. What will be asked next is asked as soon as it is known.
    async fn sync(&mut self, town: &Town) {
        let ask_town = async |bytes: &[u8]| town.sync(&frame::wrap(bytes, 3)).await.map(|answer| Answer::from_bytes(&frame::unwrap(&answer).unwrap()).unwrap());
        let (mut ask, mut asked) = (Prepare::default(), None);
        for _ in 0..40 {
            let prepared = self.store.prepare(ask).unwrap();
            self.trips += 1;
            let answer = match asked.take() {
                Some((bytes, answer)) => {
                    assert_eq!(prepared.bytes, bytes, "nothing came between: what was asked ahead is what is asked now");
                    self.ahead += 1;
                    answer
                }
                None => ask_town(&prepared.bytes).await,
            };
            let answer = match answer {
                Ok(answer) => answer,
                Err(error) if !prepared.signed => {
                    assert_eq!(error.kind.status(), 401);
                    ask.sign = true;
                    continue;
                }
                Err(error) => panic!("{error:?}"),
            };
            let ahead = self.store.ahead(&answer).unwrap();
            if let Some((_, prepared)) = &ahead {
                asked = Some((prepared.bytes.clone(), ask_town(&prepared.bytes).await));
            }
            let applied = self.store.apply(&answer).unwrap();
            for pack in &applied.packs {
                let path = town.pack(self.store.token().unwrap().unwrap(), pack.at.stream, pack.sha256).await.unwrap();
                self.store.apply_pack(&std::fs::read(path).unwrap()).unwrap();
            }
            ask = Prepare { send_state: applied.need_state, ahead: ahead.map(|(ahead, _)| ahead), ..Prepare::default() };
            if !applied.more && !applied.need_state && applied.packs.is_empty() {
                return;
            }
        }
        panic!("the phone and the town do not come to an end");
    }

    /// Sends, and loses the answer.
    async fn lose(&self, town: &Town) {
        let prepared = self.store.prepare(Prepare::default()).unwrap();
        town.sync(&frame::wrap(&prepared.bytes, 3)).await.unwrap();
    }

    fn household(&self, grid: &str, name: &str) -> DocId {
        let (doc, person) = (self.store.new_doc(), self.store.new_person());
        let text = |text: &str| Value::Text(text.into());
        let household = [("grid".into(), text(grid)), ("address".into(), text("天汉大道12号"))].into();
        let head = [("name".into(), text(name)), ("relation".into(), text("02"))].into();
        self.store.save(doc, &Command::EditHousehold(vec![HouseholdEdit::Create(household), HouseholdEdit::AddPerson(person, head)])).unwrap();
        doc
    }

    /// Keeps an ID number of the household's first person; gives the fact's id.
    fn identify(&self, home: DocId) -> FactId {
        let read = || self.store.household(home).unwrap().unwrap().household.unwrap();
        let person = *read().persons.keys().next().unwrap();
        self.store.set_sensitive(home, person, "id_no", "610799198001010017").unwrap();
        household::text(&read().persons[&person], "id_no").unwrap().parse().unwrap()
    }
}

fn agree(town: &Town, phones: &[&Real]) {
    assert!(town.verify().unwrap().findings.is_empty());
    town.export(|kind, doc, record| {
        for phone in phones {
            // Who only sees a view holds no change of it.
            if let Some(held) = phone.store.record(doc).unwrap().filter(|held| !held.changes().is_empty()) {
                assert_eq!((held.kind(), held.heads(), held.read()), (kind, record.heads(), record.read()), "{doc}: phone and town differ");
            }
        }
        Ok(())
    })
    .unwrap();
    for phone in phones {
        phone.store.check().unwrap();
    }
}

#[tokio::test]
async fn a_day_in_a_town() {
    let world = World::new().await;
    let town = Arc::clone(&world.town);
    let mut member = Real::enrol(&town, &world, "member", Role::GridMember, GRID).await;
    let mut head = Real::enrol(&town, &world, "head", Role::GridHead, GRID).await;
    let mut desk = Real::enrol(&town, &world, "desk", Role::TownDispatcher, TOWN).await;
    let mut handler = Real::enrol(&town, &world, "handler", Role::Department, TOWN).await;
    let mut rider = Real::enrol(&town, &world, "rider", Role::Rider, TOWN).await;

    let manhole = rider.store.act(None, ActionKind::Report, report(None)).unwrap().doc;
    rider.sync(&town).await;
    let home = member.household(GRID, "张三");
    let visit = Visit { kind: VisitKind::Routine, result: VisitResult::Met, persons: vec![], needs: None, next_due_ms: None, cases: vec![] };
    member.store.visit(home, &visit).unwrap();
    member.identify(home);
    member.sync(&town).await;
    head.sync(&town).await;
    for (phone, note) in [(&member, "有狗"), (&head, "老人独居")] {
        phone.store.save(home, &Command::EditHousehold(vec![HouseholdEdit::Set("note".into(), Value::Text(note.into()))])).unwrap();
    }
    head.sync(&town).await;
    member.lose(&town).await;
    member.sync(&town).await;
    head.sync(&town).await;

    desk.sync(&town).await;
    desk.store.act(Some(manhole), ActionKind::Accept, accept(Some(GRID))).unwrap();
    desk.store.act(Some(manhole), ActionKind::Dispatch, dispatch(world.org)).unwrap();
    desk.sync(&town).await;
    handler.sync(&town).await;
    handler.store.act(Some(manhole), ActionKind::Sign, Fields::default()).unwrap();
    handler.sync(&town).await;
    rider.store.act(Some(manhole), ActionKind::Supplement, Fields { text: Some("旁边还有一处".into()), ..Fields::default() }).unwrap();
    for phone in [&mut rider, &mut handler, &mut desk, &mut member, &mut head] {
        phone.sync(&town).await;
    }

    assert_eq!(town.case(manhole).unwrap().unwrap().case.history.len(), 5);
    let detail = member.store.case(manhole).unwrap().unwrap();
    assert_eq!(detail.case.unwrap().history.len(), 5, "the grid that the acceptance named holds the case");
    for phone in [&member, &head, &desk, &handler, &rider] {
        assert!(phone.store.outbox().unwrap().is_empty(), "everything is received");
    }
    assert_eq!(rider.store.records().unwrap().len(), 1);
    assert!(desk.store.record(home).unwrap().is_none_or(|held| held.changes().is_empty()), "the desk holds no household");
    agree(&town, &[&member, &head, &desk, &handler]);
    let trips = member.trips;
    member.sync(&town).await;
    assert_eq!(member.trips, trips + 1, "nothing new is one round trip");
}

#[tokio::test]
async fn what_was_refused_is_seen_and_what_stood_on_it_is_redone_once() {
    let world = World::new().await;
    let town = Arc::clone(&world.town);
    let mut member = Real::enrol(&town, &world, "member", Role::GridMember, GRID).await;
    let home = member.household(GRID, "张三");
    member.sync(&town).await;
    // The centre limits the phone to reports without its knowing; it goes on, and seals two batches.
    let standing = |code: i64| {
        let database = rusqlite::Connection::open(world.path("town").join("town.db")).unwrap();
        assert_eq!(database.execute("UPDATE devices SET standing = ?1", [code]).unwrap(), 1);
    };
    standing(2);
    let set = |field: &str, value: &str| Command::EditHousehold(vec![HouseholdEdit::Set(field.into(), Value::Text(value.into()))]);
    member.store.save(home, &set("address", "劳动路3号")).unwrap();
    member.store.prepare(Prepare::default()).unwrap();
    let kept = member.store.save(home, &set("note", "有狗")).unwrap();
    let prepared = member.store.prepare(Prepare::default()).unwrap();
    assert_eq!(prepared.request.batches.len(), 2);
    let answer = town.sync(&frame::wrap(&prepared.bytes, 3)).await.unwrap();
    standing(1);
    member.store.apply(&Answer::from_bytes(&frame::unwrap(&answer).unwrap()).unwrap()).unwrap();
    member.sync(&town).await;
    let status = member.store.status().unwrap();
    assert_eq!((status.refused, status.unsent), (1, 0));
    let household = member.store.household(home).unwrap().unwrap().household.unwrap();
    assert_eq!((household.text("note"), household.text("address")), (Some("有狗"), Some("天汉大道12号")));
    let edits = member.store.outbox().unwrap();
    assert!(edits.iter().all(|edit| edit.edit != kept.edit || edit.delivery.state == DeliveryState::Received));
    agree(&town, &[&member]);
}

#[tokio::test]
async fn a_phone_ahead_of_a_restored_server_gives_back_what_was_lost() {
    let world = World::new().await;
    let town = Arc::clone(&world.town);
    let mut member = Real::enrol(&town, &world, "member", Role::GridMember, GRID).await;
    let home = member.household(GRID, "张三");
    member.sync(&town).await;
    let backup = world.path("backup.db");
    {
        let (town, to) = (Arc::clone(&town), backup.clone());
        tokio::task::spawn_blocking(move || town.backup(&to)).await.unwrap().unwrap();
    }
    let set = |value: &str| Command::EditHousehold(vec![HouseholdEdit::Set("note".into(), Value::Text(value.into()))]);
    member.store.save(home, &set("备份之后")).unwrap();
    let lost = member.household(GRID, "李四");
    member.sync(&town).await;

    world.env.pass(Duration::from_secs(60));
    let restored = Town::restore(&backup, &world.path("restored"), TownOptions::default(), world.env.clone() as Arc<Still>).unwrap();
    let mut head = Real::enrol(&restored, &world, "head", Role::GridHead, GRID).await;
    head.household(GRID, "王五");
    head.sync(&restored).await;
    member.sync(&restored).await;
    member.sync(&restored).await;
    head.sync(&restored).await;
    assert_eq!(restored.counts(area(TOWN)).unwrap().households[0].1, 3);
    assert!(head.store.household(lost).unwrap().is_some());
    assert_eq!(head.store.household(home).unwrap().unwrap().household.unwrap().text("note"), Some("备份之后"));
    agree(&restored, &[&member, &head]);
}

#[tokio::test]
async fn a_first_load_is_a_pack_with_everything_in_it() {
    let world = World::new().await;
    let town = Arc::clone(&world.town);
    let mut member = Real::enrol(&town, &world, "member", Role::GridMember, GRID).await;
    let mut homes = Vec::new();
    for n in 0..80 {
        let home = member.household(GRID, &format!("住户{n}"));
        let id = member.identify(home);
        homes.push((home, id));
    }
    member.sync(&town).await;
    let mut head = Real::enrol(&town, &world, "head", Role::GridHead, GRID).await;
    head.sync(&town).await;
    assert!(head.trips <= 5, "{} round trips", head.trips);
    assert_eq!(head.store.records().unwrap().len(), 80);
    assert_eq!(head.store.sensitive_value(homes[79].1).unwrap().as_deref(), Some("610799198001010017"));
    agree(&town, &[&member, &head]);
}

#[tokio::test]
async fn while_an_answer_is_applied_the_next_one_comes() {
    let world = World::new().await;
    let town = Arc::clone(&world.town);
    let mut member = Real::enrol(&town, &world, "member", Role::GridMember, GRID).await;
    let mut head = Real::enrol(&town, &world, "head", Role::GridHead, GRID).await;
    // Who has read nothing yet gets a pack.
    member.household(GRID, "李四");
    member.sync(&town).await;
    head.sync(&town).await;
    // Some six kilobytes each: two or three answers.
    let write = |phone: &Real| {
        for _ in 0..120 {
            let note = HouseholdEdit::Set("note".into(), Value::Text("记".repeat(1_900)));
            phone.store.save(phone.household(GRID, "张三"), &Command::EditHousehold(vec![note])).unwrap();
        }
    };
    write(&member);
    member.sync(&town).await;
    head.sync(&town).await;
    assert!(head.ahead >= 1, "{}", head.ahead);
    agree(&town, &[&member, &head]);

    // What is typed between the two requests goes with the one after.
    write(&member);
    member.sync(&town).await;
    let first = head.store.prepare(Prepare::default()).unwrap();
    let framed = town.sync(&frame::wrap(&first.bytes, 3)).await.unwrap();
    let answer = Answer::from_bytes(&frame::unwrap(&framed).unwrap()).unwrap();
    let (ahead, second) = head.store.ahead(&answer).unwrap().unwrap();
    let typed = head.household(GRID, "李四");
    head.store.apply(&answer).unwrap();
    let ask = Prepare { ahead: Some(ahead), ..Prepare::default() };
    assert_eq!(head.store.prepare(ask).unwrap().bytes, second.bytes);
    let framed = town.sync(&frame::wrap(&second.bytes, 3)).await.unwrap();
    let answer = Answer::from_bytes(&frame::unwrap(&framed).unwrap()).unwrap();
    assert_eq!(head.store.ahead(&answer).unwrap(), None, "there is work to send first");
    head.store.apply(&answer).unwrap();
    let third = head.store.prepare(ask).unwrap();
    assert_ne!(third.request.nonce, ahead.nonce, "what was asked from another state is not asked again");
    assert_eq!(third.request.batches.len(), 1);
    head.sync(&town).await;
    member.sync(&town).await;
    assert!(member.store.household(typed).unwrap().is_some());
    agree(&town, &[&member, &head]);
}

#[tokio::test]
async fn a_case_that_many_wrote_on_at_once_can_still_be_acted_on() {
    let world = World::new().await;
    let town = Arc::clone(&world.town);
    let mut member = Real::enrol(&town, &world, "member", Role::GridMember, GRID).await;
    let mut desk = Real::enrol(&town, &world, "desk", Role::TownDispatcher, TOWN).await;
    let case = member.store.act(None, ActionKind::Report, report(Some(GRID))).unwrap().doc;
    let seen = member.store.case(case).unwrap().unwrap().case.unwrap();
    let author = member.store.enrolled().unwrap().grant.author();
    let note = |n: usize| {
        let fields = Fields { text: Some(format!("补充{n}")), ..Fields::default() };
        compose(&seen, author.clone(), world.env.stamp(), ActionKind::Supplement, fields, RULES).action
    };
    for n in 0..10 {
        member.store.save(case, &Command::Act((0..16).map(|m| note(16 * n + m)).collect())).unwrap();
    }
    member.sync(&town).await;
    desk.sync(&town).await;
    let heads = |phone: &Real| phone.store.case(case).unwrap().unwrap().case.unwrap().frontier.len();
    assert_eq!(heads(&desk), 160, "more than one action may name as seen");
    desk.store.act(Some(case), ActionKind::Accept, accept(Some(GRID))).unwrap();
    desk.sync(&town).await;
    assert_eq!((heads(&desk), desk.store.status().unwrap().refused), (1, 0));
    let detail = desk.store.case(case).unwrap().unwrap();
    assert_eq!((detail.row.delivery.state, detail.case.unwrap().state), (DeliveryState::Received, State::Accepted));
    member.sync(&town).await;
    agree(&town, &[&member, &desk]);
}
