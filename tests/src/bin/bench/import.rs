//! The town before its evening: divisions, grids, and the workload's records, put in through admission by one device a grid, in batches sealed by hand.

use std::collections::{BTreeMap, btree_map};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fieldgrid_core::domain::area::{AreaCode, Level};
use fieldgrid_core::domain::fact::{Body, Fact, FactKind};
use fieldgrid_core::domain::grant::{Grant, Role};
use fieldgrid_core::domain::id::{DeviceId, DocId, Hash, Incarnation, StreamId};
use fieldgrid_core::env::{Environment, System};
use fieldgrid_core::record::{Command, Content, Record as Document, RecordKind};
use fieldgrid_core::wire::batch::{Batch, ChangeItem, Item, Sealing};
use fieldgrid_core::wire::enrol::{EnrolAnswer, EnrolRequest};
use fieldgrid_core::wire::entry::Entry;
use fieldgrid_core::wire::frame;
use fieldgrid_core::wire::suite::KeyPair;
use fieldgrid_core::wire::sync::{Answer, Authenticate, OutboxHead, PageEntry, Request, SealedBytes, StateHash, StreamKind, SyncState};
use fieldgrid_core::wire::verdict::{BatchVerdict, Verdict};
use fieldgrid_tests::workload::{Record, Workload};
use sync_server::divisions::Division;
use sync_server::town::{InviteOrder, Town, TownOptions};

use crate::{Outcome, phone};

/// Items in a batch: what a phone seals at once is within the limits, too.
const BATCH: usize = 200;

/// A device made by hand.
#[derive(Debug, Clone)]
pub struct Importer {
    env: Arc<System>,
    secret: [u8; 32],
    device: DeviceId,
    grant: Grant,
    incarnation: Incarnation,
    outbox: OutboxHead,
    destination: StreamId,
    records: BTreeMap<DocId, Document>,
}

/// The grids of the workload, by its numbers.
pub fn grids(workload: &Workload) -> Outcome<Vec<AreaCode>> {
    let grid_of = |records: &Vec<Record>| match records.first() {
        Some(Record::Household(household)) => Ok(household.grid.parse()?),
        Some(Record::Case(case)) => Ok(case.grid.parse()?),
        None => Err("a grid without records".into()),
    };
    workload.grids.iter().map(grid_of).collect()
}

/// The town that a grid lies in.
pub fn town_of(grid: AreaCode) -> Outcome<AreaCode> {
    Ok(grid.at(Level::Town).ok_or("a grid outside any town")?)
}

/// Makes a town in `data` and imports the workload's records. Gives the devices that did, one a grid.
pub async fn town(data: &Path, workload: &Workload) -> Outcome<Vec<Importer>> {
    let town = Arc::new(Town::open(data, TownOptions::default(), Arc::new(System::new()))?);
    let grids = grids(workload)?;
    let mut villages: BTreeMap<AreaCode, u16> = BTreeMap::new();
    for village in grids.iter().filter_map(|grid| grid.parent()) {
        *villages.entry(village).or_default() += 1;
    }
    for (village, count) in villages {
        let above = std::iter::successors(Some(village), |area| area.parent());
        town.import_divisions(above.map(|code| Division { code, name: code.to_string() }).collect()).await?;
        town.create_grids(village, count).await?;
    }
    let mut tasks = Vec::new();
    for (grid, records) in grids.into_iter().zip(&workload.grids) {
        let mut importer = Importer::enrol(&town, grid).await?;
        let (town, records) = (Arc::clone(&town), records.clone());
        tasks.push(tokio::spawn(async move {
            let items = importer.base(&records)?;
            let batches = importer.seal(items);
            let requests = importer.requests(&batches);
            importer.send(&town, &requests).await?;
            Ok::<_, crate::Failure>(importer)
        }));
    }
    let mut importers = Vec::new();
    for task in tasks {
        importers.push(task.await??);
    }
    town.close().await;
    Ok(importers)
}

impl Importer {
    async fn enrol(town: &Town, grid: AreaCode) -> Outcome<Self> {
        let order = InviteOrder { role: Role::GridMember, org: None, scopes: vec![grid], name: None, valid: Duration::from_secs(3600) };
        let code = town.invite(order).await?.code;
        let env = Arc::new(System::new());
        let (secret, incarnation) = (env.random(), Incarnation::random(env.random()));
        let request = minicbor::to_vec(EnrolRequest::new(code, incarnation, &KeyPair::from_secret(&secret)))?;
        let answer = town.enrol(&frame::wrap(&request, 3)).await.map_err(|error| error.reason)?;
        let answer: EnrolAnswer = minicbor::decode(&frame::unwrap(&answer)?)?;
        let destination = answer.directory.iter().find(|info| info.kind == StreamKind::Grid).ok_or("no stream of the grid")?.id;
        Ok(Self {
            env,
            secret,
            device: answer.device,
            grant: answer.grant.open(&answer.keys.signing)?,
            incarnation,
            outbox: OutboxHead { incarnation, seq: 0, hash: Hash::ZERO },
            destination,
            records: BTreeMap::new(),
        })
    }

    fn base(&mut self, records: &[Record]) -> Outcome<Vec<Item>> {
        let mut items = Vec::new();
        for record in records {
            let (command, facts) = match record {
                Record::Household(household) => {
                    let new = household.new_household();
                    (new.command, new.facts)
                }
                Record::Case(case) => (Command::Act(case.actions(&self.grant.author())), Vec::<Fact>::new()),
            };
            items.push(self.write(record.doc(), &command)?);
            items.extend(facts.into_iter().map(Item::Fact));
        }
        Ok(items)
    }

    /// Device `d`'s evening on top of the records that this device imported.
    pub fn evening(&mut self, workload: &Workload, d: usize) -> Outcome<Vec<Item>> {
        let read = |doc| -> Outcome<Content> { Ok(self.records.get(&doc).ok_or("a record that was not imported")?.read()) };
        let commands = phone::evening(workload, d, &self.grant.author(), read)?;
        commands.iter().map(|(doc, command)| self.write(*doc, command)).collect()
    }

    fn write(&mut self, doc: DocId, command: &Command) -> Outcome<Item> {
        let kind: RecordKind = command.record_kind();
        let record = match self.records.entry(doc) {
            btree_map::Entry::Occupied(there) => there.into_mut(),
            btree_map::Entry::Vacant(free) => free.insert(Document::new(kind)?),
        };
        let change = record.write(self.incarnation, command, self.env.wall_ms() / 1000)?;
        Ok(Item::Change(ChangeItem { doc, kind, edit: None, raw: change.raw }))
    }

    /// Seals items into batches.
    pub fn seal(&mut self, items: Vec<Item>) -> Vec<Batch> {
        let key = KeyPair::from_secret(&self.secret);
        let mut batches = Vec::new();
        let mut items = items.into_iter().peekable();
        while items.peek().is_some() {
            let sealing = Sealing {
                device: self.device,
                incarnation: self.incarnation,
                seq: self.outbox.seq + 1,
                prev: self.outbox.hash,
                grant: self.grant.id,
                rules: 1,
                positions: Vec::new(),
                destination: self.destination,
                sealed: self.env.stamp(),
                anchor: None,
            };
            let batch = Batch::seal(sealing, items.by_ref().take(BATCH).collect(), &key);
            self.outbox = OutboxHead { seq: batch.header.seq, hash: batch.hash(), ..self.outbox };
            batches.push(batch);
        }
        batches
    }

    /// The requests that bring batches one by one, and ask for nothing: their admission is all that the server does.
    pub fn requests(&self, batches: &[Batch]) -> Vec<Vec<u8>> {
        batches.iter().map(|batch| self.request(None, vec![SealedBytes(batch.to_bytes())])).collect()
    }

    /// Sends requests.
    pub async fn send(&self, town: &Town, requests: &[Vec<u8>]) -> Outcome<()> {
        for request in requests {
            if let Some(rejection) = ask(town, request).await?.rejections.first() {
                return Err(format!("a batch was not taken: {rejection:?}").into());
            }
        }
        Ok(())
    }

    /// Fails unless every item of these batches was accepted.
    pub async fn check_accepted(&self, town: &Town, batches: &[Batch]) -> Outcome<()> {
        let state = SyncState { cursors: Vec::new(), outbox: self.outbox };
        let answer = ask(town, &self.request(Some(state), Vec::new())).await?;
        let facts = answer.pages.iter().flat_map(|page| &page.entries).filter_map(|entry| match entry {
            PageEntry::Entry(Entry::Fact(Fact { kind: FactKind::Verdict, body: Body::Held(body), .. })) => Some(minicbor::decode::<BatchVerdict>(body)),
            _ => None,
        });
        let verdicts: Vec<BatchVerdict> = facts.collect::<Result<_, _>>()?;
        for batch in batches {
            let verdict = verdicts.iter().find(|verdict| verdict.batch == batch.hash()).ok_or("a batch without verdict")?;
            if let Some(said) = (0..batch.header.count).map(|item| verdict.of(item)).find(|said| *said != Verdict::Accepted) {
                return Err(format!("not accepted: {said:?}").into());
            }
        }
        Ok(())
    }

    fn request(&self, state: Option<SyncState>, batches: Vec<SealedBytes>) -> Vec<u8> {
        let state_hash = state.as_ref().map_or(StateHash([0; 16]), SyncState::hash);
        let request = Request { nonce: 1, state_hash, state, batches, offers: vec![], shown: None };
        frame::plain(&request.to_bytes(&Authenticate::Sign(self.device, &KeyPair::from_secret(&self.secret))))
    }
}

async fn ask(town: &Town, request: &[u8]) -> Outcome<Answer> {
    let answer = town.sync(request).await.map_err(|error| error.reason)?;
    Ok(Answer::from_bytes(&frame::unwrap(&answer)?)?)
}
