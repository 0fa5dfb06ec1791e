//! The store against a small town: a server made of the wire types alone, which does what each test tells it to.

mod measuring;
mod opening;
mod syncing;
mod working;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::{Applied, OpenOptions, Prepare, Saved, Store};
use crate::domain::action::{ActionKind, Fields, Place, Severity};
use crate::domain::fact::{Body, Fact, FactKind};
use crate::domain::grant::{Grant, Role};
use crate::domain::household::{HouseholdEdit, Value};
use crate::domain::id::{DeviceId, DocId, FactId, GrantId, Hash, Incarnation, OrgId, PersonId, StreamId, UserId};
use crate::domain::time::Stamp;
use crate::env::Environment;
use crate::record::Command;
use crate::wire::batch::{Batch, Item};
use crate::wire::enrol::{EnrolAnswer, ServerKeys, SignedGrant};
use crate::wire::entry::{Entry, chain};
use crate::wire::pack::{Pack, PackDoc};
use crate::wire::suite::{KeyPair, Purpose, Signer};
use crate::wire::sync::{
    Answer, BatchFault, BatchRejection, Cursor, OutboxHead, OwnRange, Page, PageEntry, Request, SignedHeads, StreamInfo, StreamKind, SyncState, Token,
};
use crate::wire::verdict::{BatchVerdict, Exception, Verdict};

const GRID: &str = "610702001001001";
const TOWN: &str = "610702001";
const KEY: [u8; 32] = [7; 32];

/// Clocks that tests move, and randomness that counts.
#[derive(Debug, Default)]
struct Clock {
    wall: AtomicI64,
    mono: AtomicU64,
    random: AtomicU64,
}

impl Clock {
    fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self { wall: AtomicI64::new(1_790_000_000_000), mono: AtomicU64::new(1_000), random: AtomicU64::new(seed << 32) })
    }

    fn pass(&self, ms: i64) {
        self.wall.fetch_add(ms, Ordering::SeqCst);
        self.mono.fetch_add(ms.unsigned_abs(), Ordering::SeqCst);
    }
}

impl Environment for Clock {
    fn wall_ms(&self) -> i64 {
        self.wall.load(Ordering::SeqCst)
    }
    fn mono_ms(&self) -> u64 {
        self.mono.load(Ordering::SeqCst)
    }
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let n = self.random.fetch_add(1, Ordering::SeqCst);
            chunk.copy_from_slice(&Hash::of(&[b"test randomness", &n.to_be_bytes()]).0[..chunk.len()]);
        }
    }
}

/// A phone with its own folder.
struct Phone {
    store: Store,
    clock: Arc<Clock>,
    dir: tempfile::TempDir,
}

impl Phone {
    fn new(seed: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::new(seed);
        let store = Store::open(&options(&dir.path().join("phone.db"), &clock)).unwrap();
        Self { store, clock, dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("phone.db")
    }

    /// Closes the store and opens it again, as after a restart.
    fn reopen(self) -> Self {
        let Self { store, clock, dir } = self;
        drop(store);
        let store = Store::open(&options(&dir.path().join("phone.db"), &clock)).unwrap();
        Self { store, clock, dir }
    }

    fn report(&self, title: &str) -> Saved {
        self.store.act(None, ActionKind::Report, report(title)).unwrap()
    }

    fn supplement(&self, doc: DocId, text: &str) -> Saved {
        self.clock.pass(1_000);
        self.store.act(Some(doc), ActionKind::Supplement, Fields { text: Some(text.to_owned()), ..Fields::default() }).unwrap()
    }

    fn household(&self, address: &str, head: &str, phone: &str) -> (Saved, PersonId) {
        self.clock.pass(1_000);
        let person = self.store.new_person();
        let text = |text: &str| Value::Text(text.to_owned());
        let base = [("grid", GRID), ("address", address), ("phone", phone)].map(|(name, value)| (name.to_owned(), text(value))).into();
        let head = [("name", head), ("relation", "02")].map(|(name, value)| (name.to_owned(), text(value))).into();
        let command = Command::EditHousehold(vec![HouseholdEdit::Create(base), HouseholdEdit::AddPerson(person, head)]);
        (self.store.save(self.store.new_doc(), &command).unwrap(), person)
    }

    fn set(&self, doc: DocId, field: &str, value: &str) -> Saved {
        self.clock.pass(1_000);
        self.store.save(doc, &Command::EditHousehold(vec![HouseholdEdit::Set(field.to_owned(), Value::Text(value.to_owned()))])).unwrap()
    }

    /// Texts of a case's history.
    fn texts(&self, doc: DocId) -> Vec<String> {
        let case = self.store.case(doc).unwrap().and_then(|detail| detail.case);
        case.map(|case| case.history.into_iter().filter_map(|entry| entry.action.fields.text).collect()).unwrap_or_default()
    }
}

fn options(path: &Path, clock: &Arc<Clock>) -> OpenOptions {
    OpenOptions::new(path, KEY, clock.clone())
}

fn report(title: &str) -> Fields {
    Fields {
        title: Some(title.to_owned()),
        text: Some(format!("{title},请尽快处理")),
        category: Some("0201".to_owned()),
        severity: Some(Severity::Urgent),
        place: Some(Place { lat_e6: Some(33_067_500), lng_e6: Some(107_023_000), accuracy_m: Some(8), address: Some("天汉大道12号".to_owned()) }),
        occurred_ms: Some(1_790_000_000_000),
        grid: Some(GRID.parse().unwrap()),
        ..Fields::default()
    }
}

/// What the town decides about a batch's item.
type Judge = dyn FnMut(&Item) -> Verdict;

/// One device as the town knows it.
struct Known {
    key: crate::wire::suite::PublicKey,
    stream: StreamId,
    outbox: OutboxHead,
    closed: Vec<Incarnation>,
    reads: Vec<StreamInfo>,
    sent: BTreeMap<(Incarnation, u64), u32>,
    state: Option<SyncState>,
}

/// An entry with where it came from, so that its author gets a reference instead of an echo.
#[derive(Clone)]
struct Placed {
    entry: Entry,
    from: Option<(DeviceId, OwnRange)>,
}

/// The server of the tests.
struct Town {
    key: KeyPair,
    root: KeyPair,
    streams: BTreeMap<StreamId, Vec<Placed>>,
    devices: BTreeMap<DeviceId, Known>,
    grid: StreamInfo,
    epoch: u32,
    /// Records that are in another grid now: what is written on them goes there.
    moved: Vec<DocId>,
    /// How much of each stream came through the last restore.
    cut: BTreeMap<StreamId, u64>,
    now_ms: i64,
    page: usize,
    ids: u64,
}

impl Town {
    fn new() -> Self {
        let grid = StreamInfo { id: StreamId::from_bytes([1; 16]), kind: StreamKind::Grid, area: Some(GRID.parse().unwrap()), org: None, epoch: 1 };
        Self {
            key: KeyPair::from_secret(&[1; 32]),
            root: KeyPair::from_secret(&[2; 32]),
            streams: BTreeMap::new(),
            devices: BTreeMap::new(),
            grid,
            epoch: 1,
            moved: Vec::new(),
            cut: BTreeMap::new(),
            now_ms: 1_790_000_100_000,
            page: 1_000,
            ids: 0,
        }
    }

    fn id(&mut self) -> [u8; 16] {
        self.ids += 1;
        let mut id = [0; 16];
        id.copy_from_slice(&Hash::of(&[b"town id", &self.ids.to_be_bytes()]).0[..16]);
        id
    }

    fn keys(&self) -> ServerKeys {
        let signing = self.key.public();
        ServerKeys { root: self.root.public(), signing, certificate: self.root.sign(Purpose::Key, &signing.0) }
    }

    fn grant(&mut self, device: DeviceId, role: Role) -> SignedGrant {
        let scope = if role.holds_households() { GRID } else { TOWN };
        let grant = Grant {
            id: GrantId::from_bytes(self.id()),
            device,
            user: UserId::from_bytes(*device.as_bytes()),
            role,
            org: Some(OrgId::from_bytes([9; 16])),
            scopes: vec![scope.parse().unwrap()],
            issued_ms: self.now_ms,
            expires_ms: self.now_ms + 90 * 86_400_000,
            supersedes: None,
            lease_ms: 7 * 86_400_000,
        };
        SignedGrant::sign(&grant, &self.key)
    }

    fn enrol(&mut self, phone: &Phone, role: Role) -> DeviceId {
        let device = DeviceId::from_bytes(self.id());
        let stream = StreamId::from_bytes(self.id());
        let own = StreamInfo { id: stream, kind: StreamKind::Device, area: None, org: None, epoch: self.epoch };
        let reads = if role == Role::Rider { vec![own] } else { vec![own, self.grid.clone()] };
        let answer = EnrolAnswer {
            version: crate::wire::VERSION,
            device,
            grant: self.grant(device, role),
            keys: self.keys(),
            stream,
            directory: reads.clone(),
            now_ms: self.now_ms,
            name: Some("测试员".to_owned()),
        };
        let key = phone.store.key_pair().unwrap().public();
        let incarnation = phone.store.incarnation().unwrap();
        phone.store.enrol(&answer, "https://town.example", Hash::of(&[&self.root.public().0])).unwrap();
        let outbox = OutboxHead { incarnation, seq: 0, hash: Hash::ZERO };
        self.devices.insert(device, Known { key, stream, outbox, closed: Vec::new(), reads, sent: BTreeMap::new(), state: None });
        device
    }

    fn push(&mut self, stream: StreamId, entry: Entry) {
        self.streams.entry(stream).or_default().push(Placed { entry, from: None });
    }

    /// The server states something in a stream.
    fn state(&mut self, stream: StreamId, kind: FactKind, subject: Option<DocId>, body: &impl minicbor::Encode<()>) {
        let id = FactId::from_bytes(self.id());
        let at = Stamp { wall_ms: self.now_ms, mono_ms: 0 };
        self.push(stream, Entry::Fact(Fact { id, kind, subject, area: None, at, body: Body::Held(minicbor::to_vec(body).unwrap()) }));
    }

    /// Answers a request as the real server would, with `judge`'s word on every item.
    fn answer(&mut self, device: DeviceId, bytes: &[u8], judge: &mut Judge) -> Answer {
        self.now_ms += 1_000;
        let received = Request::from_bytes(bytes).unwrap();
        let request = received.request.clone();
        let known = &self.devices[&device];
        assert!(matches!(received.auth, crate::wire::sync::Auth::Token(_)) || received.signed_by(&known.key), "signed by the device");
        let mut answer = Answer { nonce: request.nonce, now_ms: self.now_ms, token: Some(Token([5; 16])), ..Answer::default() };
        let state = match request.state.or_else(|| known.state.clone().filter(|state| state.hash() == request.state_hash)) {
            Some(state) => state,
            None => {
                answer.need_state = true;
                return answer;
            }
        };
        for (index, sealed) in request.batches.iter().enumerate() {
            let batch = Batch::from_bytes(&sealed.0).unwrap();
            if let Err(fault) = self.admit(device, &batch, judge) {
                answer.rejections.push(BatchRejection { index: index as u32, fault });
            }
        }
        let known = &self.devices[&device];
        let claimed = request.batches.last().map_or(state.outbox, |sealed| {
            let batch = Batch::from_bytes(&sealed.0).unwrap();
            OutboxHead { incarnation: batch.header.incarnation, seq: batch.header.seq, hash: batch.hash() }
        });
        if known.outbox != claimed {
            answer.outbox = Some(known.outbox);
        }
        let reads = known.reads.clone();
        let listed: Vec<StreamId> = reads.iter().map(|info| info.id).collect();
        if state.cursors.iter().map(|cursor| cursor.stream).ne({
            let mut sorted = listed.clone();
            sorted.sort();
            sorted
        }) {
            answer.directory = Some(reads.clone());
        }
        let mut heads = Vec::new();
        for info in &reads {
            let cursor = state.cursors.iter().find(|cursor| cursor.stream == info.id).copied();
            let mut cursor = cursor.unwrap_or(Cursor { stream: info.id, epoch: info.epoch, seq: 0, chain: Hash::ZERO });
            let placed = self.streams.get(&info.id).map_or(&[][..], Vec::as_slice);
            let cut = self.cut.get(&info.id).copied().unwrap_or(if self.epoch > 1 { 0 } else { u64::MAX });
            if cursor.epoch < self.epoch && cursor.seq > cut {
                cursor = Cursor { seq: cut, chain: self.chain(info.id, cut), ..cursor };
                answer.common.push(cursor);
            }
            let mut rest = &placed[cursor.seq as usize..];
            if cursor.seq >= cut {
                cursor.epoch = self.epoch;
            } else if cut != u64::MAX && cursor.epoch < self.epoch {
                rest = &rest[..(cut - cursor.seq) as usize];
                answer.more = true;
            }
            let taken = &rest[..rest.len().min(self.page)];
            answer.more |= taken.len() < rest.len();
            if taken.is_empty() {
                continue;
            }
            let entries = taken.iter().map(|placed| self.piece(device, &claimed, placed)).collect();
            answer.pages.push(Page { stream: info.id, epoch: cursor.epoch, first: cursor.seq + 1, entries });
            for placed in taken {
                cursor.seq += 1;
                cursor.chain = chain(cursor.chain, placed.entry.hash());
            }
            heads.push(cursor);
        }
        heads.sort();
        if !heads.is_empty() {
            answer.heads = Some(SignedHeads::sign(device, heads.clone(), &self.key));
        }
        let mut cursors: BTreeMap<StreamId, Cursor> =
            state.cursors.into_iter().filter(|cursor| listed.contains(&cursor.stream)).map(|c| (c.stream, c)).collect();
        cursors.extend(answer.common.iter().chain(&heads).map(|cursor| (cursor.stream, *cursor)));
        let outbox = self.devices[&device].outbox;
        self.devices.get_mut(&device).unwrap().state = Some(SyncState { cursors: cursors.into_values().collect(), outbox });
        // Through the bytes, as over the network.
        Answer::from_bytes(&answer.to_bytes()).unwrap()
    }

    fn piece(&self, device: DeviceId, claimed: &OutboxHead, placed: &Placed) -> PageEntry {
        match &placed.from {
            Some((from, range)) if *from == device && range.incarnation == claimed.incarnation && range.seq <= claimed.seq => PageEntry::Own(*range),
            _ => PageEntry::Entry(placed.entry.clone()),
        }
    }

    fn chain(&self, stream: StreamId, seq: u64) -> Hash {
        let placed = self.streams.get(&stream).map_or(&[][..], Vec::as_slice);
        placed.iter().take(seq as usize).fold(Hash::ZERO, |before, placed| chain(before, placed.entry.hash()))
    }

    /// The server comes back from a backup that had this much of each stream, and goes on in a new epoch.
    fn restore(&mut self, backup: &BTreeMap<StreamId, usize>) {
        self.epoch += 1;
        for (stream, placed) in &mut self.streams {
            let len = backup.get(stream).copied().unwrap_or_default();
            placed.truncate(len);
            self.cut.insert(*stream, len as u64);
        }
        self.devices.values_mut().for_each(|known| known.state = None);
    }

    fn admit(&mut self, device: DeviceId, batch: &Batch, judge: &mut Judge) -> Result<(), BatchFault> {
        let known = self.devices.get_mut(&device).unwrap();
        batch.verify(&known.key).map_err(|_| BatchFault::Unverified)?;
        let header = &batch.header;
        let OutboxHead { incarnation, seq, hash } = known.outbox;
        if known.closed.contains(&header.incarnation) {
            return Err(BatchFault::Fork);
        }
        if header.incarnation == incarnation && header.seq <= seq {
            return if known.sent.contains_key(&(incarnation, header.seq)) && (header.seq < seq || batch.hash() == hash) {
                Ok(())
            } else {
                Err(BatchFault::Fork)
            };
        }
        let next = header.incarnation == incarnation && header.seq == seq + 1;
        let first = header.incarnation != incarnation && header.seq == 1;
        if !next && !first {
            return Err(BatchFault::Gap);
        }
        if header.prev != hash {
            return Err(BatchFault::Fork);
        }
        if first {
            known.closed.push(incarnation);
        }
        known.outbox = OutboxHead { incarnation: header.incarnation, seq: header.seq, hash: batch.hash() };
        known.sent.insert((header.incarnation, header.seq), header.count);
        let own = known.stream;
        let mut exceptions = Vec::new();
        for (index, item) in (0..).zip(&batch.items) {
            if let Item::Change(change) = item {
                let raw = automerge::Change::from_bytes(change.raw.clone()).unwrap();
                assert_eq!(raw.actor_id().to_bytes(), header.incarnation.as_bytes(), "every change of a batch is written under its incarnation");
            }
            match judge(item) {
                Verdict::Accepted => {
                    let range = OwnRange { incarnation: header.incarnation, seq: header.seq, first: index, count: 1 };
                    let moved = matches!(item, Item::Change(change) if self.moved.contains(&change.doc));
                    let stream = if moved { StreamId::from_bytes([66; 16]) } else { header.destination };
                    self.streams.entry(stream).or_default().push(Placed { entry: item.clone().into(), from: Some((device, range)) });
                }
                verdict => exceptions.push(Exception { item: index, verdict }),
            }
        }
        let verdict = BatchVerdict { incarnation: header.incarnation, seq: header.seq, batch: batch.hash(), received_ms: self.now_ms, exceptions };
        self.state(own, FactKind::Verdict, None, &verdict);
        Ok(())
    }

    /// A whole round of sync: until nothing is left.
    fn sync_judged(&mut self, phone: &Phone, device: DeviceId, judge: &mut Judge) -> Applied {
        let mut all = Applied::default();
        let mut ask = Prepare::default();
        for _ in 0..50 {
            let prepared = phone.store.prepare(ask).unwrap();
            let answer = self.answer(device, &prepared.bytes, judge);
            let applied = phone.store.apply(&answer).unwrap();
            all.entries += applied.entries;
            all.receipts += applied.receipts;
            all.refused += applied.refused;
            all.parked += applied.parked;
            all.purged += applied.purged;
            all.wiped |= applied.wiped;
            ask = Prepare { send_state: applied.need_state, sign: false };
            if !applied.more && !applied.need_state {
                return all;
            }
        }
        panic!("sync does not come to an end");
    }

    fn sync(&mut self, phone: &Phone, device: DeviceId) -> Applied {
        self.sync_judged(phone, device, &mut |_| Verdict::Accepted)
    }

    /// The grid's pack as it stands.
    fn pack(&self) -> Vec<u8> {
        let placed = self.streams.get(&self.grid.id).map_or(&[][..], Vec::as_slice);
        let mut docs: Vec<PackDoc> = Vec::new();
        let mut facts = Vec::new();
        for Placed { entry, .. } in placed {
            match entry {
                Entry::Change(change) => {
                    let at = match docs.iter().position(|doc| doc.doc == change.doc) {
                        Some(at) => at,
                        None => {
                            docs.push(PackDoc { doc: change.doc, kind: change.kind, changes: Vec::new(), edits: Vec::new() });
                            docs.len() - 1
                        }
                    };
                    if let Some(edit) = change.edit {
                        let index = docs[at].changes.len() as u32;
                        docs[at].edits.push((index, edit));
                    }
                    docs[at].changes.push(change.raw.clone());
                }
                Entry::Fact(fact) if fact.kind != FactKind::Sensitive => facts.push(fact.clone()),
                _ => {}
            }
        }
        let seq = placed.len() as u64;
        let at = Cursor { stream: self.grid.id, epoch: self.epoch, seq, chain: self.chain(self.grid.id, seq) };
        Pack { at, docs, facts }.to_file(3, &self.key).unwrap()
    }
}
