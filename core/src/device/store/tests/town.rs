//! The server of the tests: made of the wire types alone, it does what each test tells it to.

use super::*;
use crate::domain::server_fact::Received;

/// What the town decides about a batch's item.
pub(super) type Judge<'a> = dyn FnMut(&Item) -> Verdict + 'a;

/// One device as the town knows it.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) key: crate::wire::suite::PublicKey,
    pub(super) stream: StreamId,
    pub(super) outbox: OutboxHead,
    pub(super) closed: Vec<Incarnation>,
    pub(super) reads: Vec<StreamInfo>,
    pub(super) sent: BTreeMap<(Incarnation, u64), u32>,
    pub(super) state: Option<SyncState>,
}

/// An entry with where it came from, so that its author gets a reference instead of an echo.
#[derive(Clone)]
pub(super) struct Placed {
    pub(super) entry: Entry,
    pub(super) from: Option<(DeviceId, OwnRange)>,
}

/// The server of the tests.
pub(super) struct Town {
    pub(super) key: KeyPair,
    pub(super) root: KeyPair,
    pub(super) streams: BTreeMap<StreamId, Vec<Placed>>,
    pub(super) devices: BTreeMap<DeviceId, Known>,
    pub(super) grid: StreamInfo,
    pub(super) epoch: u32,
    /// Records that are in another grid now: what is written on them goes there.
    pub(super) moved: Vec<DocId>,
    /// How much of each stream came through the last restore.
    pub(super) cut: BTreeMap<StreamId, u64>,
    pub(super) now_ms: i64,
    pub(super) page: usize,
    /// It is too old to read any batch.
    pub(super) outdated: bool,
    pub(super) ids: u64,
}

impl Town {
    pub(super) fn new() -> Self {
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
            outdated: false,
            ids: 0,
        }
    }

    /// A server with the same keys, that goes its own way from here on.
    pub(super) fn twin(&self) -> Self {
        Self {
            key: KeyPair::from_secret(&[1; 32]),
            root: KeyPair::from_secret(&[2; 32]),
            streams: self.streams.clone(),
            devices: self.devices.clone(),
            grid: self.grid.clone(),
            epoch: self.epoch,
            moved: self.moved.clone(),
            cut: self.cut.clone(),
            now_ms: self.now_ms,
            page: self.page,
            outdated: self.outdated,
            ids: self.ids,
        }
    }

    /// How much there is of each stream.
    pub(super) fn lengths(&self) -> BTreeMap<StreamId, u64> {
        self.streams.iter().map(|(id, placed)| (*id, placed.len() as u64)).collect()
    }

    /// Goes on in a new epoch: what anyone read above these positions is stepped back from, and read as it stands here.
    pub(super) fn begin_epoch(&mut self, from: BTreeMap<StreamId, u64>) {
        self.epoch += 1;
        self.cut = from;
        self.devices.values_mut().for_each(|known| known.state = None);
    }

    /// The ids of edits and facts in the grid's stream, in order.
    pub(super) fn edits(&self) -> Vec<Hash> {
        let placed = self.streams.get(&self.grid.id).map_or(&[][..], Vec::as_slice);
        placed
            .iter()
            .filter_map(|placed| match &placed.entry {
                Entry::Change(change) => Some(change.edit_id()),
                Entry::Fact(fact) if fact.kind.by_device() => Some(fact.hash()),
                _ => None,
            })
            .collect()
    }

    pub(super) fn id(&mut self) -> [u8; 16] {
        self.ids += 1;
        let mut id = [0; 16];
        id.copy_from_slice(&Hash::of(&[b"town id", &self.ids.to_be_bytes()]).0[..16]);
        id
    }

    pub(super) fn keys(&self) -> ServerKeys {
        let signing = self.key.public();
        ServerKeys { root: self.root.public(), signing, certificate: self.root.sign(Purpose::Key, &signing.0) }
    }

    pub(super) fn grant(&mut self, device: DeviceId, role: Role) -> SignedGrant {
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

    pub(super) fn enrol(&mut self, phone: &Phone, role: Role) -> DeviceId {
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
            signature: None,
        };
        let key = phone.store.key_pair().unwrap().public();
        let incarnation = phone.store.incarnation().unwrap();
        phone.store.enrol(&answer, "https://town.example", Hash::of(&[&self.root.public().0])).unwrap();
        let outbox = OutboxHead { incarnation, seq: 0, hash: Hash::ZERO };
        self.devices.insert(device, Known { key, stream, outbox, closed: Vec::new(), reads, sent: BTreeMap::new(), state: None });
        device
    }

    pub(super) fn push(&mut self, stream: StreamId, entry: Entry) {
        self.streams.entry(stream).or_default().push(Placed { entry, from: None });
    }

    /// The server states something in a stream.
    pub(super) fn state(&mut self, stream: StreamId, kind: FactKind, subject: Option<DocId>, body: &impl minicbor::Encode<()>) {
        let id = FactId::from_bytes(self.id());
        let at = Stamp { wall_ms: self.now_ms, mono_ms: 0 };
        self.push(stream, Entry::Fact(Fact { id, kind, subject, area: None, at, body: Body::Held(minicbor::to_vec(body).unwrap()) }));
    }

    /// Answers a request as the real server would, with `judge`'s word on every item.
    pub(super) fn answer(&mut self, device: DeviceId, bytes: &[u8], judge: &mut Judge<'_>) -> Answer {
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

    pub(super) fn piece(&self, device: DeviceId, claimed: &OutboxHead, placed: &Placed) -> PageEntry {
        match &placed.from {
            Some((from, range)) if *from == device && range.incarnation == claimed.incarnation && range.seq <= claimed.seq => PageEntry::Own(*range),
            _ => PageEntry::Entry(placed.entry.clone()),
        }
    }

    pub(super) fn chain(&self, stream: StreamId, seq: u64) -> Hash {
        let placed = self.streams.get(&stream).map_or(&[][..], Vec::as_slice);
        placed.iter().take(seq as usize).fold(Hash::ZERO, |before, placed| chain(before, placed.entry.hash()))
    }

    /// The server comes back from a backup that had this much of each stream, and goes on in a new epoch.
    pub(super) fn restore(&mut self, backup: &BTreeMap<StreamId, usize>) {
        self.epoch += 1;
        for (stream, placed) in &mut self.streams {
            let len = backup.get(stream).copied().unwrap_or_default();
            placed.truncate(len);
            self.cut.insert(*stream, len as u64);
        }
        self.devices.values_mut().for_each(|known| known.state = None);
    }

    pub(super) fn admit(&mut self, device: DeviceId, batch: &Batch, judge: &mut Judge<'_>) -> Result<(), BatchFault> {
        let known = self.devices.get_mut(&device).unwrap();
        if self.outdated {
            return Err(BatchFault::Version);
        }
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
            let id = match item {
                Item::Change(change) => change.edit_id(),
                Item::Fact(fact) => fact.hash(),
            };
            let there = |placed: &Placed| match &placed.entry {
                Entry::Change(change) => change.edit_id() == id && Some(change.doc) == item_doc(item),
                Entry::Fact(fact) => fact.hash() == id,
                Entry::Join(_) | Entry::Leave(_) => false,
            };
            let held = self.streams.values().flatten().any(there);
            match judge(item) {
                Verdict::Accepted if held => exceptions.push(Exception { item: index, verdict: Verdict::AlreadyHeld }),
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
    pub(super) fn sync_judged(&mut self, phone: &Phone, device: DeviceId, judge: &mut Judge<'_>) -> Applied {
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
            all.server_outdated = applied.server_outdated;
            ask = Prepare { send_state: applied.need_state, ..Prepare::default() };
            if !applied.more && !applied.need_state {
                return all;
            }
        }
        panic!("sync does not come to an end");
    }

    pub(super) fn sync(&mut self, phone: &Phone, device: DeviceId) -> Applied {
        self.sync_judged(phone, device, &mut |_| Verdict::Accepted)
    }

    /// The grid's pack as it stands.
    pub(super) fn pack(&self) -> Vec<u8> {
        let placed = self.streams.get(&self.grid.id).map_or(&[][..], Vec::as_slice);
        let mut docs: Vec<PackDoc> = Vec::new();
        let (mut facts, mut received) = (Vec::new(), None);
        for Placed { entry, .. } in placed {
            if let Entry::Fact(Fact { kind: FactKind::Received, body: Body::Held(body), .. }) = entry
                && let Ok(Received::Next(interval)) = minicbor::decode(body)
            {
                received = Some(interval);
                continue;
            }
            match entry {
                Entry::Change(change) => {
                    let at = match docs.iter().position(|doc| doc.doc == change.doc) {
                        Some(at) => at,
                        None => {
                            docs.push(PackDoc { doc: change.doc, kind: change.kind, changes: Vec::new(), edits: Vec::new(), received: Vec::new() });
                            docs.len() - 1
                        }
                    };
                    if let Some(edit) = change.edit {
                        let index = docs[at].changes.len() as u32;
                        docs[at].edits.push((index, edit));
                    }
                    docs[at].changes.push(change.raw.clone());
                    docs[at].received.push(received);
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

fn item_doc(item: &Item) -> Option<DocId> {
    match item {
        Item::Change(change) => Some(change.doc),
        Item::Fact(fact) => fact.subject,
    }
}
