//! A town and hand-made phones: each seals real batches, so that it can also seal wrong ones.

#![allow(dead_code, reason = "each test file uses its part")]
#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fieldgrid_core::domain::action::{Action, ActionKind, Fields, Place, Severity};
use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::fact::{Body, Fact, FactKind, Visit, VisitKind, VisitResult};
use fieldgrid_core::domain::grant::{Grant, Role};
use fieldgrid_core::domain::household::{HouseholdEdit, Value};
use fieldgrid_core::domain::id::{ActionId, DeviceId, DocId, FactId, Hash, Incarnation, OrgId, PersonId, StreamId};
use fieldgrid_core::domain::time::Anchor;
use fieldgrid_core::env::{Environment, random};
use fieldgrid_core::record::{Command, Content, Record, RecordKind};
use fieldgrid_core::wire::batch::{Batch, ChangeItem, Item, Position, Sealing};
use fieldgrid_core::wire::enrol::{EnrolAnswer, EnrolRequest};
use fieldgrid_core::wire::entry::{Entry, chain};
use fieldgrid_core::wire::error::ErrorBody;
use fieldgrid_core::wire::frame;
use fieldgrid_core::wire::suite::{KeyPair, PublicKey};
use fieldgrid_core::wire::sync::{Answer, Authenticate, Cursor, OutboxHead, PageEntry, Request, SealedBytes, StreamInfo, StreamKind, SyncState, Token};
use fieldgrid_core::wire::verdict::{BatchVerdict, Verdict};
use sync_server::divisions::Division;
use sync_server::town::{InviteOrder, Town, TownOptions};
use tempfile::TempDir;

/// 2026-03-02 09:00 in China.
const START_MS: i64 = 1_772_413_200_000;

/// Clocks that stand still until told, and randomness that repeats.
#[derive(Debug)]
pub struct Still {
    now: AtomicI64,
    seed: u64,
    drawn: AtomicU64,
}

impl Still {
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self { now: AtomicI64::new(START_MS), seed, drawn: AtomicU64::new(0) })
    }

    pub fn pass(&self, time: Duration) {
        self.now.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Environment for Still {
    fn wall_ms(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    fn mono_ms(&self) -> u64 {
        u64::try_from(self.wall_ms() - START_MS).unwrap() + 1_000
    }

    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let n = self.drawn.fetch_add(1, Ordering::SeqCst);
            chunk.copy_from_slice(&Hash::of(&[&self.seed.to_be_bytes(), &n.to_be_bytes()]).0[..chunk.len()]);
        }
    }
}

pub fn area(code: &str) -> AreaCode {
    code.parse().unwrap()
}

pub const TOWN: &str = "610702001";
pub const VILLAGE: &str = "610702001001";
pub const GRID: &str = "610702001001001";
pub const OTHER_GRID: &str = "610702001001002";

/// A town with two grids and a department.
pub struct World {
    pub town: Arc<Town>,
    pub env: Arc<Still>,
    pub dir: TempDir,
    pub org: OrgId,
}

impl World {
    pub async fn new() -> Self {
        Self::with(TownOptions::default()).await
    }

    pub async fn with(options: TownOptions) -> Self {
        let (dir, env) = (tempfile::tempdir().unwrap(), Still::new(7));
        let town = Town::open(&dir.path().join("town"), options, env.clone()).unwrap();
        let names = [("6107", "汉中市"), ("610702", "汉台区"), (TOWN, "北关街道"), (VILLAGE, "人民路居委会")];
        town.import_divisions(names.map(|(code, name)| Division { code: area(code), name: name.into() }).to_vec()).await.unwrap();
        assert_eq!(town.create_grids(area(VILLAGE), 2).await.unwrap(), [area(GRID), area(OTHER_GRID)]);
        let org = town.create_org("综合执法办公室", area(TOWN)).await.unwrap();
        Self { town: Arc::new(town), env, dir, org }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn order(&self, role: Role, scope: &str) -> InviteOrder {
        let org = (role == Role::Department).then_some(self.org);
        InviteOrder { role, org, scopes: vec![area(scope)], name: Some("王芳".into()), valid: Duration::from_secs(600) }
    }

    pub async fn phone(&self, role: Role, scope: &str) -> Phone {
        let code = self.town.invite(self.order(role, scope)).await.unwrap().code;
        let mut phone = Phone::enrol(&self.town, &self.env, code).await.unwrap();
        phone.sync(&self.town, &[]).await;
        phone
    }
}

/// A phone made by hand.
pub struct Phone {
    pub env: Arc<Still>,
    pub key: KeyPair,
    pub server: PublicKey,
    pub device: DeviceId,
    pub grant: Grant,
    pub stream: StreamId,
    pub incarnation: Incarnation,
    pub directory: Vec<StreamInfo>,
    pub cursors: BTreeMap<StreamId, Cursor>,
    pub entries: BTreeMap<StreamId, Vec<Entry>>,
    pub outbox: OutboxHead,
    pub sealed: Vec<Batch>,
    pub token: Option<Token>,
    pub records: BTreeMap<DocId, Record>,
    pub facts: BTreeMap<FactId, Fact>,
    pub anchor: Option<Anchor>,
    pub tell: bool,
    pub packs: usize,
    pub bytes: Mutex<(usize, usize)>,
}

impl Phone {
    pub async fn enrol(town: &Town, env: &Arc<Still>, code: String) -> Result<Self, ErrorBody> {
        let key = KeyPair::from_secret(&random(&**env));
        let incarnation = Incarnation::random(random(&**env));
        Self::enrol_as(town, env, code, key, incarnation).await
    }

    pub async fn enrol_as(town: &Town, env: &Arc<Still>, code: String, key: KeyPair, incarnation: Incarnation) -> Result<Self, ErrorBody> {
        let request = minicbor::to_vec(EnrolRequest::new(code, incarnation, &key)).unwrap();
        let answer = frame::unwrap(&town.enrol(&frame::wrap(&request, 3)).await?).unwrap();
        let answer: EnrolAnswer = minicbor::decode(&answer).unwrap();
        assert!(answer.keys.verify(town.root()));
        let grant = answer.grant.open(&answer.keys.signing).unwrap();
        let mut phone = Self {
            env: env.clone(),
            key,
            server: answer.keys.signing,
            device: answer.device,
            grant,
            stream: answer.stream,
            incarnation,
            directory: Vec::new(),
            cursors: BTreeMap::new(),
            entries: BTreeMap::new(),
            outbox: OutboxHead { incarnation, seq: 0, hash: Hash::ZERO },
            sealed: Vec::new(),
            token: None,
            records: BTreeMap::new(),
            facts: BTreeMap::new(),
            anchor: None,
            tell: true,
            packs: 0,
            bytes: Mutex::default(),
        };
        phone.listed(answer.directory);
        Ok(phone)
    }

    fn listed(&mut self, directory: Vec<StreamInfo>) {
        let fresh = |info: &StreamInfo| Cursor { stream: info.id, epoch: info.epoch, seq: 0, chain: Hash::ZERO };
        self.cursors = directory.iter().map(|info| (info.id, self.cursors.get(&info.id).copied().unwrap_or_else(|| fresh(info)))).collect();
        self.directory = directory;
    }

    pub fn stream_of(&self, kind: StreamKind) -> StreamId {
        self.directory.iter().find(|info| info.kind == kind).unwrap().id
    }

    // ---- writing

    pub fn doc(&self) -> DocId {
        DocId::new(self.env.wall_ms(), random(&*self.env))
    }

    pub fn write(&mut self, doc: DocId, command: &Command) -> ChangeItem {
        let kind = command.record_kind();
        let record = self.records.entry(doc).or_insert_with(|| Record::new(kind).unwrap());
        let change = record.write(self.incarnation, command, self.env.wall_ms() / 1000).unwrap();
        ChangeItem { doc, kind, edit: None, raw: change.raw }
    }

    pub fn report(&mut self, grid: Option<&str>) -> (DocId, ChangeItem) {
        let doc = self.doc();
        let item = self.act(doc, ActionKind::Report, report(grid));
        (doc, item)
    }

    pub fn act(&mut self, doc: DocId, kind: ActionKind, fields: Fields) -> ChangeItem {
        let action = self.action(doc, kind, fields);
        self.write(doc, &Command::Act(vec![action]))
    }

    pub fn supplement(&mut self, doc: DocId, text: &str) -> ChangeItem {
        self.act(doc, ActionKind::Supplement, Fields { text: Some(text.into()), ..Fields::default() })
    }

    pub fn action(&self, doc: DocId, kind: ActionKind, fields: Fields) -> Action {
        let actions = self.actions(doc);
        let seen: BTreeSet<ActionId> = actions.values().flat_map(|action| action.seen.iter().copied()).collect();
        let frontier: Vec<ActionId> = actions.keys().copied().filter(|id| !seen.contains(id)).collect();
        let report = actions.iter().find(|(_, action)| action.kind == ActionKind::Report).map(|(id, _)| *id);
        let dispatch = actions.iter().find(|(_, action)| action.kind == ActionKind::Dispatch).map(|(id, _)| *id);
        let assignment = matches!(kind, ActionKind::Sign | ActionKind::Progress | ActionKind::Finish).then_some(dispatch).flatten();
        Action { kind, author: self.grant.author(), at: self.env.stamp(), seen: frontier, rules: 1, round: report, assignment, mode: None, fields }
    }

    pub fn actions(&self, doc: DocId) -> BTreeMap<ActionId, Action> {
        match self.records.get(&doc).map(Record::read) {
            Some(Content::Case(actions)) => actions,
            _ => BTreeMap::new(),
        }
    }

    pub fn household(&mut self, grid: &str, name: &str) -> (DocId, PersonId, ChangeItem) {
        let (doc, person) = (self.doc(), PersonId::new(self.env.wall_ms(), random(&*self.env)));
        let text = |text: &str| Value::Text(text.into());
        let household = BTreeMap::from([("grid".into(), text(grid)), ("address".into(), text("天汉大道12号3号楼2单元501室"))]);
        let head = BTreeMap::from([("name".into(), text(name)), ("phone".into(), text("12812348000")), ("relation".into(), text("02"))]);
        let command = Command::EditHousehold(vec![HouseholdEdit::Create(household), HouseholdEdit::AddPerson(person, head)]);
        let item = self.write(doc, &command);
        (doc, person, item)
    }

    pub fn set(&mut self, doc: DocId, field: &str, value: &str) -> ChangeItem {
        self.write(doc, &Command::EditHousehold(vec![HouseholdEdit::Set(field.into(), Value::Text(value.into()))]))
    }

    pub fn fact(&self, kind: FactKind, subject: DocId, body: Vec<u8>) -> Fact {
        let id = FactId::new(self.env.wall_ms(), random(&*self.env));
        Fact { id, kind, subject: Some(subject), area: None, at: self.env.stamp(), body: Body::Held(body) }
    }

    pub fn visit(&self, household: DocId) -> Fact {
        let visit = Visit {
            kind: VisitKind::Routine,
            result: VisitResult::Met,
            persons: vec![],
            needs: Some("煤气灶需要检修".into()),
            next_due_ms: None,
            cases: vec![],
        };
        self.fact(FactKind::Visit, household, minicbor::to_vec(visit).unwrap())
    }

    // ---- sealing

    pub fn sealing(&self) -> Sealing {
        let last = self.sealed.iter().rev().find(|batch| batch.header.incarnation == self.incarnation);
        let (seq, prev) = last.map_or((1, self.outbox.hash), |last| (last.header.seq + 1, last.hash()));
        Sealing {
            device: self.device,
            incarnation: self.incarnation,
            seq,
            prev,
            grant: self.grant.id,
            rules: 1,
            positions: self.cursors.values().map(|cursor| Position { stream: cursor.stream, epoch: cursor.epoch, seq: cursor.seq }).collect(),
            destination: self.stream,
            sealed: self.env.stamp(),
            anchor: self.anchor,
        }
    }

    pub fn seal(&mut self, items: Vec<Item>) -> Batch {
        let batch = Batch::seal(self.sealing(), items, &self.key);
        self.sealed.push(batch.clone());
        batch
    }

    pub fn changes(&mut self, items: Vec<ChangeItem>) -> Batch {
        self.seal(items.into_iter().map(Item::Change).collect())
    }

    // ---- syncing

    pub fn state(&self) -> SyncState {
        SyncState { cursors: self.cursors.values().copied().collect(), outbox: self.outbox }
    }

    pub fn request(&self, batches: &[Batch]) -> Request {
        let state = self.state();
        let batches = batches.iter().map(|batch| SealedBytes(batch.to_bytes())).collect();
        // Small, so that sizes are always the same; a signed request is answered once.
        let nonce = if self.token.is_some() { 1 } else { u32::from_be_bytes(random(&*self.env)) };
        Request { nonce, state_hash: state.hash(), state: self.tell.then_some(state), batches, offers: vec![], shown: None }
    }

    pub async fn ask(&self, town: &Town, request: &Request) -> Result<Answer, ErrorBody> {
        let how = self.token.map_or(Authenticate::Sign(self.device, &self.key), Authenticate::Token);
        let framed = frame::wrap(&request.to_bytes(&how), 3);
        let answer = town.sync(&framed).await?;
        *self.bytes.lock().unwrap() = (framed.len(), answer.len());
        Ok(Answer::from_bytes(&frame::unwrap(&answer).unwrap()).unwrap())
    }

    /// Sends batches, applies the answer, and reads on until there is no more. Gives the first answer.
    pub async fn sync(&mut self, town: &Town, batches: &[Batch]) -> Answer {
        let first = self.ask(town, &self.request(batches)).await.unwrap();
        self.apply(town, &first).await;
        let mut more = first.more || first.need_state || !first.packs.is_empty();
        while more {
            let answer = self.ask(town, &self.request(&[])).await.unwrap();
            self.apply(town, &answer).await;
            more = answer.more || answer.need_state;
        }
        first
    }

    pub async fn apply(&mut self, town: &Town, answer: &Answer) {
        self.token = answer.token.or(self.token);
        self.anchor = Some(Anchor { server_ms: answer.now_ms, stamp: self.env.stamp() });
        self.tell = answer.need_state;
        if let Some(directory) = &answer.directory {
            self.listed(directory.clone());
        }
        for common in &answer.common {
            self.entries.entry(common.stream).or_default().truncate(usize::try_from(common.seq).unwrap());
            self.cursors.insert(common.stream, *common);
        }
        if let Some(outbox) = answer.outbox {
            self.outbox = outbox;
        }
        if !answer.pages.is_empty() {
            assert!(answer.heads.as_ref().unwrap().verify(self.device, &self.server), "the server signs the heads");
        }
        for page in &answer.pages {
            let mut cursor = self.cursors[&page.stream];
            assert_eq!(page.first, cursor.seq + 1, "pages are dense");
            for piece in &page.entries {
                let entries = match piece {
                    PageEntry::Entry(entry) => vec![entry.clone()],
                    PageEntry::Own(own) => {
                        let batch = self.sealed.iter().find(|batch| (batch.header.incarnation, batch.header.seq) == (own.incarnation, own.seq)).unwrap();
                        batch.items[own.first as usize..][..own.count as usize].iter().cloned().map(Entry::from).collect()
                    }
                };
                for entry in entries {
                    cursor = Cursor { seq: cursor.seq + 1, chain: chain(cursor.chain, entry.hash()), epoch: page.epoch, ..cursor };
                    self.take(&entry);
                    self.entries.entry(page.stream).or_default().push(entry);
                }
            }
            self.cursors.insert(page.stream, cursor);
        }
        for moved in answer.pages.iter().map(|page| page.stream) {
            assert!(answer.heads.as_ref().unwrap().heads.contains(&self.cursors[&moved]), "the chain leads to the signed head");
        }
        for pack in &answer.packs {
            let path = town.pack(self.token.unwrap(), pack.at.stream, pack.sha256).await.unwrap();
            let file = std::fs::read(path).unwrap();
            assert_eq!((file.len() as u64, Hash::of(&[&file])), (pack.size, pack.sha256));
            let read = fieldgrid_core::wire::pack::Pack::from_file(&file, &self.server).unwrap();
            assert_eq!(read.at, pack.at);
            for doc in read.docs {
                let changes = doc.changes.into_iter().map(|raw| ChangeItem { doc: doc.doc, kind: doc.kind, edit: None, raw });
                changes.for_each(|change| self.take(&Entry::Change(change)));
            }
            read.facts.into_iter().for_each(|fact| self.take(&Entry::Fact(fact)));
            self.cursors.insert(pack.at.stream, pack.at);
            self.tell = true;
            self.packs += 1;
        }
    }

    fn take(&mut self, entry: &Entry) {
        match entry {
            Entry::Change(change) => self.merge(change.doc, change.kind, std::slice::from_ref(&change.raw)),
            Entry::Join(join) => self.merge(join.doc, join.kind, &join.changes),
            Entry::Fact(fact) => drop(self.facts.insert(fact.id, fact.clone())),
            Entry::Leave(leave) => drop(self.records.remove(&leave.doc)),
        }
    }

    fn merge(&mut self, doc: DocId, kind: RecordKind, changes: &[Vec<u8>]) {
        let record = self.records.entry(doc).or_insert_with(|| Record::new(kind).unwrap());
        let new: Vec<&[u8]> = changes.iter().filter(|raw| !record.has(fieldgrid_core::wire::batch::change_hash(raw))).map(Vec::as_slice).collect();
        record.apply(new).unwrap();
    }

    // ---- looking

    /// The latest verdict on each batch.
    pub fn verdict(&self, batch: &Batch) -> BatchVerdict {
        let said = self.entries.get(&self.stream).into_iter().flatten().filter_map(|entry| match entry {
            Entry::Fact(Fact { kind: FactKind::Verdict, body: Body::Held(body), .. }) => Some(minicbor::decode::<BatchVerdict>(body).unwrap()),
            _ => None,
        });
        said.rev().find(|said| said.batch == batch.hash()).expect("every batch in its place has a verdict")
    }

    pub fn verdicts(&self, batch: &Batch) -> Vec<Verdict> {
        let said = self.verdict(batch);
        (0..batch.items.len()).map(|item| said.of(item as u32)).collect()
    }

    pub fn bodies<T: for<'b> minicbor::Decode<'b, ()>>(&self, kind: FactKind) -> Vec<T> {
        let held = |fact: &Fact| if let Body::Held(body) = &fact.body { minicbor::decode(body).ok() } else { None };
        self.facts.values().filter(|fact| fact.kind == kind).filter_map(held).collect()
    }
}

pub fn report(grid: Option<&str>) -> Fields {
    Fields {
        title: Some("天汉大道井盖破损".into()),
        text: Some("路口井盖破损,有安全隐患".into()),
        category: Some("0201".into()),
        severity: Some(Severity::Normal),
        place: Some(Place { lat_e6: Some(33_067_500), lng_e6: Some(107_023_300), accuracy_m: Some(8), address: None }),
        occurred_ms: Some(START_MS),
        grid: grid.map(area),
        ..Fields::default()
    }
}

pub fn accept(grid: Option<&str>) -> Fields {
    Fields { category: Some("0201".into()), severity: Some(Severity::Normal), grid: grid.map(area), duplicate_check: Some("none".into()), ..Fields::default() }
}

pub fn dispatch(org: OrgId) -> Fields {
    Fields { org: Some(org), due_ms: Some(START_MS + 86_400_000), instruction: Some("当日修复".into()), ..Fields::default() }
}
