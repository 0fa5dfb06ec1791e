//! A server that lies, with the real server's keys or without, between a real phone and a real town.
//! What it says is chosen by a run of bytes ([`script::Script`]), so that a fuzzer can steer it.
//!
//! What must hold, whatever was said: what was typed is shown on the phone or is at the centre; a
//! round asks no more often than its budget allows; and when the honest server answers again,
//! everything comes home without anybody's help, once.

mod lies;
pub mod script;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fieldgrid_core::device::store::{DeliveryState, StreamRow};
use fieldgrid_core::device::sync::MAX_ASKS;
use fieldgrid_core::domain::action::{ActionKind, Fields};
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::household::{HouseholdEdit, Value};
use fieldgrid_core::domain::id::{DocId, Hash, Incarnation};
use fieldgrid_core::wire::batch::Batch;
use fieldgrid_core::wire::enrol::Invite;
use fieldgrid_core::wire::frame;
use fieldgrid_core::wire::suite::KeyPair;
use fieldgrid_core::wire::sync::{Answer, Cursor, Request, StreamInfo, StreamKind};

use crate::harness::agree::{Reckoning, agree, is_there};
use crate::harness::line::Between;
use crate::harness::phone::{Phone, Typed};
use crate::harness::scene::Scene;
use crate::harness::typing;
use lies::Knows;
use script::Script;

/// Most things that happen in a script.
const STEPS: usize = 32;
/// Rounds in which everything has to come home.
const ROUNDS: usize = 24;

/// Plays a script, and the honest end of it.
///
/// # Panics
/// When something does not hold that must.
pub async fn endure(bytes: &[u8]) -> Reckoning {
    let mut script = Script::new(bytes);
    let mut siege = Siege::lay(script.below(4) != 3).await;
    let mut steps = 0;
    while !script.is_over() && steps < STEPS {
        siege.step(&mut script).await;
        steps += 1;
        // An order to wipe counts, if whoever has the key signed it.
        if siege.victim.device().identity().is_none() {
            return Reckoning::default();
        }
    }
    siege.relieve().await
}

/// A town, a phone that is lied to, and one that is not.
struct Siege {
    scene: Scene,
    victim: Phone,
    other: Phone,
    case: DocId,
    household: DocId,
    batches: Arc<Mutex<Vec<(Incarnation, u64, Hash)>>>,
    typed: u32,
}

impl Siege {
    /// `signs`: the phone knows that the server signs its answers.
    async fn lay(signs: bool) -> Self {
        let mut scene = Scene::set(1).await;
        let grid = scene.grids[0];
        let mut victim = Phone::new(&mut scene, "victim", Role::GridMember, grid).await;
        let invite = scene.invite(Role::GridMember, grid, victim.link.url()).await;
        let enrolled = victim.device().enrol(&Invite { signs, ..invite }).await;
        enrolled.expect("the centre enrols it");
        let other = scene.phone("other", Role::GridMember, grid).await;
        let case = victim.report("井盖破损").doc;
        let household = victim.household("民主街12号", "张三", "12812348000").doc;
        scene.settle(&[&victim, &other]).await;
        Self { scene, victim, other, case, household, batches: Arc::default(), typed: 0 }
    }

    async fn step(&mut self, script: &mut Script) {
        match script.below(16) {
            0..=2 => self.types(script, true),
            3 => self.types(script, false),
            4 => {
                let _ = self.other.sync().await;
            }
            5 => {
                let _ = self.victim.device().sync_now().await;
            }
            6 => self.scene.pass(Duration::from_secs(60 << script.below(12))),
            7 => {
                self.victim.close();
                self.victim.open();
            }
            _ => self.lie(script).await,
        }
        if self.victim.device().identity().is_some() {
            self.nothing_typed_is_lost();
        }
    }

    /// Something is typed, as far as the phone lets it: a lie may have made it a phone that only
    /// reports, or may have taken a record away.
    fn types(&mut self, script: &mut Script, victim: bool) {
        self.typed += 1;
        self.scene.pass(Duration::from_secs(1));
        let words = format!("第{}句", self.typed);
        let phone = if victim { &mut self.victim } else { &mut self.other };
        let (case, household) = (self.case, self.household);
        match script.below(4) {
            0 => {
                let grid = Some(phone.scope);
                let saved = phone.device().report(typing::trouble(&words, grid));
                drop(phone.note(saved));
            }
            1 => {
                let device = phone.device().clone();
                let edit = HouseholdEdit::Set("note".to_owned(), Value::Text(words));
                let saved = device.edit_household(household, vec![edit]);
                drop(phone.note(saved));
            }
            2 => {
                let fields = Fields { text: Some(words), ..Fields::default() };
                let saved = phone.device().act(case, ActionKind::Supplement, fields);
                drop(phone.note(saved));
            }
            _ => {
                if let Ok(fact) = phone.device().visit(household, &typing::visited(&words)) {
                    phone.typed.push(Typed::Fact(household, fact));
                }
            }
        }
    }

    /// One round in which the phone is lied to.
    async fn lie(&mut self, script: &mut Script) {
        let with_key = script.below(2) == 1;
        let Some(knows) = self.knows(with_key) else { return };
        let liar = Liar {
            swallows: script.below(3) == 0,
            spoils: !with_key && script.below(6) == 5,
            lies: 1 + script.below(3),
            answers: [1, 2, usize::MAX][script.below(3)],
            script: script.clone(),
            knows,
            batches: Arc::clone(&self.batches),
        };
        self.victim.line.put_between(Some(Box::new(liar)));
        let _ = self.sync().await;
        self.victim.line.put_between(None);
        // What the liar chose, the next step does not choose again.
        for _ in 0..8 {
            let _ = script.byte();
        }
    }

    async fn sync(&self) -> bool {
        let before = self.victim.line.asked();
        let round = self.victim.device().sync_now().await.expect("HTTP is set up");
        let asked = self.victim.line.asked() - before;
        assert!(asked <= u64::from(MAX_ASKS) + 1, "{asked} requests in a round");
        round.wait.is_none() && round.entries == 0 && round.receipts == 0
    }

    fn knows(&self, with_key: bool) -> Option<Knows> {
        let device = self.victim.device();
        let identity = device.identity()?;
        let read = self.scene.town().store().read().expect("a snapshot");
        let epoch = read.epochs().expect("a snapshot").last().map_or(1, |epoch| epoch.epoch);
        let rows = device.status().expect("the store is read").store.streams;
        let info = |row: &StreamRow| StreamInfo { id: row.stream, kind: row.kind, area: row.area, org: None, epoch };
        let streams: Vec<_> = rows.iter().map(info).collect();
        let cursor = |row: &StreamRow| Cursor { stream: row.stream, epoch, seq: row.seq, chain: row.chain };
        let secret = read.meta("signing_secret").expect("a snapshot").expect("a key");
        let key = with_key.then(|| KeyPair::from_secret(&secret.try_into().expect("a key")));
        let record = self.other.device().record(self.household).expect("it loads")?;
        Some(Knows {
            device: identity.device,
            own: streams.iter().find(|stream| stream.kind == StreamKind::Device)?.id,
            incarnation: identity.incarnation,
            grant: identity.grant,
            cursors: rows.iter().map(cursor).collect(),
            streams,
            batches: self.batches.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            docs: vec![self.case, self.household],
            household: (self.household, record),
            key,
        })
    }

    /// What was typed and is not at the centre is on the phone, and nobody gave it up.
    fn nothing_typed_is_lost(&self) {
        let read = self.scene.town().store().read().expect("a snapshot");
        for typed in &self.victim.typed {
            if is_there(read.as_ref(), *typed) {
                continue;
            }
            let rows = self.victim.edits(typed.doc());
            let row = rows.iter().find(|row| match *typed {
                Typed::Edit(_, edit) => row.edit == edit,
                Typed::Fact(_, fact) => row.fact == Some(fact),
            });
            let state = row.map(|row| row.delivery.state);
            assert!(state.is_some_and(|state| state != DeliveryState::Discarded), "{typed:?} is not at the centre, and on the phone it is {state:?}");
        }
    }

    /// The honest server answers again, and everything comes home.
    async fn relieve(mut self) -> Reckoning {
        self.victim.line.put_between(None);
        self.victim.close();
        self.victim.open();
        let mut quiet = 0;
        for _ in 0..ROUNDS {
            self.scene.pass(Duration::from_secs(3_600));
            let _ = self.other.sync().await;
            quiet = if self.sync().await { quiet + 1 } else { 0 };
            if quiet == 2 {
                break;
            }
        }
        let last = self.victim.device().sync_now().await.expect("HTTP is set up");
        assert_eq!(last.wait, None, "it still waits: {last:?}; {:?}", self.victim.device().status());
        let _ = self.other.sync().await;
        let reckoning = agree(self.scene.town(), &[&self.victim, &self.other]);
        assert!(reckoning.refused.is_empty(), "{reckoning:?}");
        let undecided = self.victim.device().refused().expect("the store is read");
        assert!(undecided.is_empty(), "{undecided:?}");
        self.scene.stop().await;
        reckoning
    }
}

/// Answers in the server's place.
#[derive(Debug)]
struct Liar {
    swallows: bool,
    /// Flips bits in what goes by, which needs neither a key nor a thought.
    spoils: bool,
    lies: usize,
    /// How many answers are untrue; the others go by as they are.
    answers: usize,
    script: Script,
    knows: Knows,
    batches: Arc<Mutex<Vec<(Incarnation, u64, Hash)>>>,
}

impl Between for Liar {
    fn lets_through(&mut self, request: &[u8]) -> bool {
        if let Some(request) = read(request) {
            let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
            for sealed in &request.batches {
                if let Ok(batch) = Batch::from_bytes(&sealed.0) {
                    let one = (batch.header.incarnation, batch.header.seq, batch.hash());
                    if !batches.contains(&one) {
                        batches.push(one);
                    }
                }
            }
            self.knows.batches.clone_from(&batches);
        }
        !self.swallows
    }

    fn answer(&mut self, request: &[u8], honest: Option<Vec<u8>>) -> Vec<u8> {
        if self.answers == 0
            && let Some(honest) = honest
        {
            return honest;
        }
        self.answers = self.answers.saturating_sub(1);
        // The same lies for every answer of the round.
        let mut script = self.script.clone();
        if self.spoils
            && let Some(mut honest) = honest
        {
            let at = (usize::from(script.byte()) << 8 | usize::from(script.byte())) % honest.len().max(1);
            if let Some(byte) = honest.get_mut(at) {
                *byte ^= 1 << script.below(8);
            }
            return honest;
        }
        let asked = read(request);
        let (nonce, hash) = asked.map_or((0, Hash::ZERO), |asked| (asked.nonce, asked.hash()));
        let honest = honest.and_then(|honest| Answer::from_bytes(&frame::unwrap(&honest).ok()?).ok());
        let mut answer = honest.unwrap_or_else(|| Answer { nonce, now_ms: 1_780_272_000_000, ..Answer::default() });
        for _ in 0..self.lies {
            lies::tell(&mut answer, &mut script, &self.knows);
        }
        lies::sign(&mut answer, &mut script, &self.knows);
        frame::plain(&match &self.knows.key {
            Some(key) => answer.to_signed_bytes(self.knows.device, hash, key),
            None => answer.to_bytes(),
        })
    }
}

fn read(request: &[u8]) -> Option<Request> {
    Some(Request::from_bytes(&frame::unwrap(request).ok()?).ok()?.request)
}
