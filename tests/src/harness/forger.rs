//! A device made by hand: enrolled like any other, and able to seal and send whatever it likes.

use std::sync::Arc;

use fieldgrid_core::device::transport::{Connect as _, HttpConnect, Transport, TransportError};
use fieldgrid_core::domain::action::{Action, ActionKind, Fields};
use fieldgrid_core::domain::fact::{Body, Fact, FactKind};
use fieldgrid_core::domain::grant::{Grant, Role};
use fieldgrid_core::domain::household::{HouseholdEdit, Value};
use fieldgrid_core::domain::id::{DeviceId, DocId, FactId, Hash, Incarnation, StreamId};
use fieldgrid_core::env::{Environment, random};
use fieldgrid_core::record::{Command, Record};
use fieldgrid_core::wire::batch::{Batch, ChangeItem, Item, Sealing};
use fieldgrid_core::wire::enrol::{EnrolAnswer, EnrolRequest};
use fieldgrid_core::wire::entry::Entry;
use fieldgrid_core::wire::frame;
use fieldgrid_core::wire::suite::KeyPair;
use fieldgrid_core::wire::sync::{Answer, Authenticate, Cursor, OutboxHead, PageEntry, Request, SealedBytes, StreamInfo, SyncState};
use fieldgrid_core::wire::verdict::{BatchVerdict, Verdict};

use super::clock::Machine;
use super::scene::Scene;

/// A hand-made device.
#[derive(Debug)]
pub struct Forger {
    /// Its key.
    pub key: KeyPair,
    /// Its identity.
    pub device: DeviceId,
    /// What it may do.
    pub grant: Grant,
    /// Its store's life, and the actor of its changes.
    pub incarnation: Incarnation,
    /// The last batch that took its place.
    pub head: (u64, Hash),
    stream: StreamId,
    directory: Vec<StreamInfo>,
    transport: Arc<dyn Transport>,
    env: Arc<Machine>,
}

impl Forger {
    /// Enrols it in a scene, with an honest code.
    ///
    /// # Panics
    /// When the town does not take it.
    pub async fn enrol(scene: &mut Scene, role: Role) -> Self {
        let env = scene.machine();
        let url = format!("http://{}", scene.address);
        let scope = if role == Role::Rider { scene.code() } else { scene.grids[0] };
        let invite = scene.invite(role, scope, url.clone()).await;
        let transport = HttpConnect::default().connect(&url).expect("HTTP is set up");
        let (key, incarnation) = (KeyPair::from_secret(&random(&*env)), Incarnation::random(random(&*env)));
        let request = minicbor::to_vec(EnrolRequest::new(invite.code, incarnation, &key)).expect("it encodes");
        let answer = transport.enrol(frame::wrap(&request, 3)).await.expect("the town enrols it");
        let answer: EnrolAnswer = minicbor::decode(&frame::unwrap(&answer).expect("a frame")).expect("an answer");
        let grant = answer.grant.open(&answer.keys.signing).expect("a grant");
        let head = (0, Hash::ZERO);
        Self { key, device: answer.device, grant, incarnation, head, stream: answer.stream, directory: answer.directory, transport, env }
    }

    /// A new record's id.
    #[must_use]
    pub fn doc(&self) -> DocId {
        DocId::new(self.env.wall_ms(), random(&*self.env))
    }

    /// An action of its own.
    #[must_use]
    pub fn action(&self, kind: ActionKind, fields: Fields) -> Action {
        Action { kind, author: self.grant.author(), at: self.env.stamp(), seen: Vec::new(), rules: 1, round: None, assignment: None, mode: None, fields }
    }

    /// An honest report of a new case: the record and the change.
    #[must_use]
    pub fn report(&self, text: &str) -> (DocId, Record, ChangeItem) {
        let fields = Fields { occurred_ms: Some(self.env.wall_ms()), ..super::typing::trouble(text, self.grant.scopes.first().copied()) };
        self.first(&Command::Act(vec![self.action(ActionKind::Report, fields)]))
    }

    /// An honest new household in an area: the record and the change.
    #[must_use]
    pub fn household(&self, grid: &str) -> (DocId, Record, ChangeItem) {
        let fields = [("grid", grid), ("address", "民主街1号")].map(|(name, value)| (name.to_owned(), Value::Text(value.to_owned())));
        self.first(&Command::EditHousehold(vec![HouseholdEdit::Create(fields.into())]))
    }

    /// A record that begins with a command.
    #[must_use]
    pub fn first(&self, command: &Command) -> (DocId, Record, ChangeItem) {
        let doc = self.doc();
        let mut record = Record::new(command.record_kind()).expect("a known kind");
        let change = self.write(doc, &mut record, self.incarnation, command);
        (doc, record, change)
    }

    /// A command written as a change, under whatever actor.
    ///
    /// # Panics
    /// When it does not fit the record.
    #[must_use]
    pub fn write(&self, doc: DocId, record: &mut Record, actor: Incarnation, command: &Command) -> ChangeItem {
        let change = record.write(actor, command, self.env.wall_ms() / 1000).expect("the command fits");
        ChangeItem { doc, kind: command.record_kind(), edit: None, raw: change.raw }
    }

    /// A fact.
    #[must_use]
    pub fn fact(&self, kind: FactKind, subject: DocId, body: Vec<u8>) -> Item {
        let id = FactId::new(self.env.wall_ms(), random(&*self.env));
        Item::Fact(Fact { id, kind, subject: Some(subject), area: None, at: self.env.stamp(), body: Body::Held(body) })
    }

    /// The header of its next batch.
    #[must_use]
    pub fn sealing(&self) -> Sealing {
        Sealing {
            device: self.device,
            incarnation: self.incarnation,
            seq: self.head.0 + 1,
            prev: self.head.1,
            grant: self.grant.id,
            rules: 1,
            positions: Vec::new(),
            destination: self.stream,
            sealed: self.env.stamp(),
            anchor: None,
        }
    }

    /// Seals its next batch, in its place.
    #[must_use]
    pub fn seal(&mut self, items: Vec<Item>) -> Batch {
        let batch = Batch::seal(self.sealing(), items, &self.key);
        self.head = (batch.header.seq, batch.hash());
        batch
    }

    /// Sends batches, and asks for everything from the start.
    ///
    /// # Errors
    /// What the server says instead.
    pub async fn send(&self, batches: Vec<Vec<u8>>) -> Result<Answer, TransportError> {
        let fresh = |info: &StreamInfo| Cursor { stream: info.id, epoch: info.epoch, seq: 0, chain: Hash::ZERO };
        let outbox = OutboxHead { incarnation: self.incarnation, seq: 0, hash: Hash::ZERO };
        let state = SyncState { cursors: self.directory.iter().map(fresh).collect(), outbox };
        let batches = batches.into_iter().map(SealedBytes).collect();
        let request = Request { nonce: 7, state_hash: state.hash(), state: Some(state), batches, offers: Vec::new(), shown: None };
        self.ask(frame::wrap(&request.to_bytes(&Authenticate::Sign(self.device, &self.key)), 3)).await
    }

    /// Sends a body as it is.
    ///
    /// # Errors
    /// What the server says instead.
    ///
    /// # Panics
    /// When the answer is none.
    pub async fn ask(&self, body: Vec<u8>) -> Result<Answer, TransportError> {
        let framed = self.transport.sync(body).await?;
        Ok(Answer::from_bytes(&frame::unwrap(&framed).expect("a frame")).expect("an answer"))
    }

    /// Seals items as its next batch and sends them; the verdict on each.
    ///
    /// # Panics
    /// When the batch takes no place.
    pub async fn offer(&mut self, items: Vec<Item>) -> Vec<Verdict> {
        let batch = self.seal(items);
        let answer = self.send(vec![batch.to_bytes()]).await.expect("an answer");
        assert_eq!(answer.rejections, [], "a well-signed batch in its place takes it");
        verdicts(&answer, &batch).expect("every batch in its place has a verdict")
    }
}

/// The verdict on each item of a batch, where the answer has one.
#[must_use]
pub fn verdicts(answer: &Answer, batch: &Batch) -> Option<Vec<Verdict>> {
    let entries = answer.pages.iter().flat_map(|page| &page.entries);
    let said = entries.filter_map(|piece| match piece {
        PageEntry::Entry(Entry::Fact(Fact { kind: FactKind::Verdict, body: Body::Held(body), .. })) => minicbor::decode::<BatchVerdict>(body).ok(),
        _ => None,
    });
    let said = said.rev().find(|said| said.batch == batch.hash())?;
    Some((0..batch.header.count).map(|item| said.of(item)).collect())
}
