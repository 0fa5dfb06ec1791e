//! Rows and transactions; no rules.
//!
//! `Store` is what the rest of the server knows. It is **blocking**: gates burn CPU, SQLite blocks, and so every caller is on a thread of its
//! own anyway (a blocking task, the writer's thread). An implementation over tokio-postgres drives its client with `Handle::block_on` from those
//! threads, as the `postgres` crate does, and no row costs a boxed future.
//!
//! - `Read` is a consistent snapshot: everything read through one is of one moment.
//! - `Write` is a read that also writes. A `Job` runs in one: everything it did is durable before it is told so, or none of it happened.
//!   Jobs that arrive together share one commit (**group commit**), each undone alone when it fails.
//!
//! Nothing is kept in memory for a document; what a transaction locks are the counters of the streams it appends to, in the order of their ids.

mod rows;
pub mod sqlite;
#[cfg(test)]
pub(crate) mod suite;

use std::collections::BTreeMap;
use std::fmt;

use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::case::State;
use fieldgrid_core::domain::id::{ActionId, DeviceId, DocId, FactId, GrantId, Hash, Incarnation, OrgId, StreamId, UserId};
use fieldgrid_core::wire::batch::ChangeItem;
use fieldgrid_core::wire::entry::Entry;
use fieldgrid_core::wire::sync::StateHash;

pub use rows::*;

/// Why the store did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The queue of jobs is full.
    #[error("the store is busy; try again in a moment")]
    Busy,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The database failed. Its words, without values.
    #[error("the database failed: {0}")]
    Database(String),
    /// A stored row does not read.
    #[error("a stored {0} does not read; run `sync-server verify`")]
    Damaged(&'static str),
    /// Something changed since it was read; nothing was written.
    #[error("changed meanwhile")]
    Changed,
}

/// The result of everything here.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A town's database.
pub trait Store: Send + Sync + fmt::Debug {
    /// A snapshot of now. Blocks while all readers are in use.
    ///
    /// # Errors
    /// [`StoreError`].
    fn read(&self) -> Result<Box<dyn Read + '_>>;

    /// Queues a job for the next commit.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when too many wait; the job is not kept.
    fn submit(&self, job: Box<dyn Job>) -> Result<()>;
}

/// Work for the writer.
pub trait Job: Send {
    /// Does it. On error everything it wrote is undone; jobs beside it are not.
    ///
    /// # Errors
    /// [`StoreError`].
    fn run(&mut self, tx: &mut dyn Write) -> Result<()>;

    /// Told once it is durable, or that it is not.
    fn done(self: Box<Self>, outcome: Result<()>);
}

impl dyn Store + '_ {
    /// Runs `work` in a transaction and waits until it is durable. When the waiting is given up, the work still happens.
    ///
    /// # Errors
    /// What `work` says, or [`StoreError`].
    pub async fn write<T: Send + 'static>(&self, work: impl FnOnce(&mut dyn Write) -> Result<T> + Send + 'static) -> Result<T> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        // When nobody waits any more, what was done stays done.
        self.submit(Box::new(Once { work: Some(work), value: None, reply: |answer| drop(sender.send(answer)) }))?;
        receiver.await.map_err(|_| StoreError::Closed)?
    }

    /// Queues `work` and does not wait for it: for what may be lost in a crash.
    ///
    /// # Errors
    /// [`StoreError::Busy`].
    pub fn note(&self, work: impl FnOnce(&mut dyn Write) -> Result<()> + Send + 'static) -> Result<()> {
        self.submit(Box::new(Once { work: Some(work), value: None, reply: drop }))
    }

    /// As `write`, from a thread that may block.
    ///
    /// # Errors
    /// What `work` says, or [`StoreError`].
    pub fn write_blocking<T: Send + 'static>(&self, work: impl FnOnce(&mut dyn Write) -> Result<T> + Send + 'static) -> Result<T> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        self.submit(Box::new(Once { work: Some(work), value: None, reply: move |answer| drop(sender.send(answer)) }))?;
        receiver.recv().map_err(|_| StoreError::Closed)?
    }
}

struct Once<T, F, R> {
    work: Option<F>,
    value: Option<T>,
    reply: R,
}

impl<T, F, R> Job for Once<T, F, R>
where
    T: Send,
    F: FnOnce(&mut dyn Write) -> Result<T> + Send,
    R: FnOnce(Result<T>) + Send,
{
    fn run(&mut self, tx: &mut dyn Write) -> Result<()> {
        let work = self.work.take().ok_or(StoreError::Closed)?;
        self.value = Some(work(tx)?);
        Ok(())
    }

    fn done(self: Box<Self>, outcome: Result<()>) {
        let Self { value, reply, .. } = *self;
        reply(outcome.and_then(|()| value.ok_or(StoreError::Closed)));
    }
}

/// A consistent snapshot.
pub trait Read {
    /// A setting or secret of the server.
    ///
    /// # Errors
    /// [`StoreError`], as for everything below.
    fn meta(&self, key: &str) -> Result<Option<Vec<u8>>>;
    /// The server's lives, oldest first.
    fn epochs(&self) -> Result<Vec<Epoch>>;
    /// The first position of each epoch in a stream, oldest first.
    fn epochs_of(&self, stream: StreamId) -> Result<Vec<(u32, u64)>>;

    /// A stream.
    fn stream(&self, id: StreamId) -> Result<Option<StreamRow>>;
    /// The stream for something.
    fn stream_for(&self, key: StreamKey) -> Result<Option<StreamRow>>;
    /// The grids' streams in a scope, by code.
    fn grids_under(&self, scope: AreaCode) -> Result<Vec<StreamRow>>;
    /// Every stream.
    fn streams(&self) -> Result<Vec<StreamRow>>;
    /// The chain after an entry of a stream.
    fn chain_at(&self, stream: StreamId, seq: u64) -> Result<Option<Hash>>;
    /// The entries after `after`, at most `limit`.
    fn placed(&self, stream: StreamId, after: u64, limit: usize) -> Result<Vec<Placed>>;
    /// The facts of a stream up to `through`, oldest first.
    fn facts_in(&self, stream: StreamId, through: u64) -> Result<Vec<Placed>>;
    /// An entry, with its payload.
    fn entry(&self, id: i64) -> Result<Entry>;
    /// A fact that is there already.
    fn fact(&self, id: FactId) -> Result<Option<FactRow>>;

    /// A document.
    fn doc(&self, id: DocId) -> Result<Option<DocRow>>;
    /// A document's changes with their entries, dependencies first.
    fn changes(&self, doc: DocId) -> Result<Vec<(i64, ChangeItem)>>;
    /// The streams a document is in now.
    fn streams_of(&self, doc: DocId) -> Result<Vec<DocStream>>;
    /// Every stay of a document in a stream, those that have ended too.
    fn stays(&self, doc: DocId) -> Result<Vec<DocStream>>;
    /// Whether a document left a stream above a position.
    fn left_above(&self, stream: StreamId, seq: u64) -> Result<bool>;
    /// Whether a document was in a stream and is not now.
    fn has_left(&self, doc: DocId, stream: StreamId) -> Result<bool>;
    /// The documents in a stream.
    fn docs_in(&self, stream: StreamId) -> Result<Vec<DocRow>>;
    /// Every document.
    fn docs(&self) -> Result<Vec<DocRow>>;
    /// The change of a document that carries an edit.
    fn edit(&self, doc: DocId, edit: Hash) -> Result<Option<Hash>>;
    /// A change that is not in its document: the hash of the item that brought it, and why.
    fn refused(&self, doc: DocId, change: Hash) -> Result<Option<(Hash, Missing)>>;
    /// The actions of a case.
    fn actions(&self, doc: DocId) -> Result<Vec<ActionRow>>;
    /// Which of these entries a stream holds at or below a position.
    fn delivered(&self, stream: StreamId, through: u64, entries: &[i64]) -> Result<Vec<i64>>;
    /// Refused actions of a case, each standing for its `seen`.
    fn stands_for(&self, doc: DocId) -> Result<BTreeMap<ActionId, Vec<ActionId>>>;

    /// A device.
    fn device(&self, id: DeviceId) -> Result<Option<DeviceRow>>;
    /// The devices of a person that are not revoked.
    fn devices_of(&self, user: UserId) -> Result<Vec<DeviceRow>>;
    /// The device of a session that has not ended.
    fn session(&self, token: Hash, now_ms: i64) -> Result<Option<DeviceId>>;
    /// An incarnation.
    fn incarnation(&self, id: Incarnation) -> Result<Option<IncarnationRow>>;
    /// The device's latest life.
    fn latest_incarnation(&self, device: DeviceId) -> Result<Option<IncarnationRow>>;
    /// A batch.
    fn batch(&self, incarnation: Incarnation, seq: u64) -> Result<Option<BatchRow>>;
    /// Batches of a life after a number, at most `limit`.
    fn batches(&self, incarnation: Incarnation, after: u64, limit: usize) -> Result<Vec<BatchRow>>;
    /// Every incarnation, a device's in their order.
    fn incarnations(&self) -> Result<Vec<IncarnationRow>>;
    /// A grant.
    fn grant(&self, id: GrantId) -> Result<Option<GrantRow>>;
    /// The device's latest grant.
    fn latest_grant(&self, device: DeviceId) -> Result<Option<GrantRow>>;
    /// An invitation.
    fn invite(&self, code: Hash) -> Result<Option<InviteRow>>;
    /// What waits in a document, the oldest first, each with the change it waits for.
    fn waiting(&self, doc: DocId) -> Result<Vec<(i64, Option<Hash>)>>;
    /// What has waited since before a time, the oldest first, at most `limit`.
    fn waiting_since(&self, before_ms: i64, limit: usize) -> Result<Vec<HeldRow>>;
    /// How many items of a device are held back, and their bytes together.
    fn held(&self, device: DeviceId, why: Why) -> Result<(u32, u64)>;
    /// An item that is held back.
    fn held_item(&self, id: i64) -> Result<Option<HeldRow>>;
    /// What is kept aside for an administrator, oldest first.
    fn quarantined(&self, limit: usize) -> Result<Vec<HeldRow>>;
    /// A state of a device.
    fn state(&self, device: DeviceId, hash: StateHash) -> Result<Option<StateRow>>;

    /// What contradicts this database, as it was shown first.
    fn contradictions(&self) -> Result<Vec<ContradictionRow>>;

    /// Name of a division or grid.
    fn division(&self, code: AreaCode) -> Result<Option<String>>;
    /// Divisions and grids under a scope, the scope itself too, by code.
    fn divisions(&self, scope: AreaCode) -> Result<Vec<(AreaCode, String)>>;
    /// An organisation.
    fn org(&self, id: OrgId) -> Result<Option<OrgRow>>;
    /// Organisations that work for an area.
    fn orgs(&self, scope: AreaCode) -> Result<Vec<OrgRow>>;
    /// A person's display name.
    fn person(&self, user: UserId) -> Result<Option<String>>;
    /// Packs of a stream, the furthest first.
    fn packs(&self, stream: StreamId) -> Result<Vec<PackRow>>;

    /// A case's row.
    fn case(&self, doc: DocId) -> Result<Option<CaseRow>>;
    /// Cases under a scope, the latest first; of one state when given.
    fn cases(&self, scope: AreaCode, state: Option<State>, limit: usize) -> Result<Vec<CaseRow>>;
    /// How many cases under a scope are in each state.
    fn case_counts(&self, scope: AreaCode) -> Result<Vec<(State, u32)>>;
    /// A household's row.
    fn household(&self, doc: DocId) -> Result<Option<HouseholdRow>>;
    /// Under a scope, by grid: households, persons, persons with care tags.
    fn household_counts(&self, scope: AreaCode) -> Result<Vec<(AreaCode, u32, u32, u32)>>;
    /// The devices, with what lists of phones show.
    fn phones(&self) -> Result<Vec<PhoneRow>>;
    /// The last entries that devices brought, the latest first: (entry id, device, received).
    fn latest(&self, limit: usize) -> Result<Vec<(i64, Origin)>>;
}

/// A transaction that writes.
pub trait Write: Read {
    /// Sets a setting.
    ///
    /// # Errors
    /// [`StoreError`], as for everything below.
    fn set_meta(&mut self, key: &str, value: &[u8]) -> Result<()>;
    /// Opens a life of the server: every stream goes on numbering in it.
    fn open_epoch(&mut self, epoch: Epoch) -> Result<()>;
    /// Makes a stream, in the last epoch.
    fn insert_stream(&mut self, id: StreamId, key: StreamKey) -> Result<()>;
    /// Locks streams for appending. An implementation locks their counters in the order of the ids, whatever the order given.
    fn lock_streams(&mut self, ids: &[StreamId]) -> Result<()>;
    /// Stores a payload.
    fn insert_entry(&mut self, payload: &Payload, origin: Option<Origin>) -> Result<i64>;
    /// Appends an entry to a locked stream; gives its number.
    fn append(&mut self, stream: StreamId, entry: i64) -> Result<u64>;

    /// Writes a document's row. `expected` are the heads it had when it was read, `None` for a new one: [`StoreError::Changed`] when it is not so.
    fn put_doc(&mut self, doc: &DocRow, expected: Option<&[Hash]>) -> Result<()>;
    /// Puts a document into a stream.
    fn insert_doc_stream(&mut self, doc: DocId, at: DocStream) -> Result<()>;
    /// Takes a document out of a stream, where it left.
    fn end_doc_stream(&mut self, doc: DocId, stream: StreamId, left: u64) -> Result<()>;
    /// Remembers an edit.
    fn insert_edit(&mut self, doc: DocId, edit: Hash, change: Hash) -> Result<()>;
    /// Remembers a change that is not in its document.
    fn insert_refused(&mut self, doc: DocId, change: Hash, item: Hash, why: Missing) -> Result<()>;
    /// Remembers an action.
    fn insert_action(&mut self, doc: DocId, action: &ActionRow) -> Result<()>;
    /// Remembers a refused action.
    fn insert_stands_for(&mut self, doc: DocId, action: ActionId, seen: &[ActionId]) -> Result<()>;
    /// Replaces a case's row.
    fn put_case(&mut self, case: &CaseRow) -> Result<()>;
    /// Replaces a household's row.
    fn put_household(&mut self, household: &HouseholdRow) -> Result<()>;
    /// The next serial of a town's day, above `floor`.
    fn next_serial(&mut self, town: AreaCode, day: &str, floor: u32) -> Result<u32>;

    /// Adds a device.
    fn insert_device(&mut self, device: &DeviceRow) -> Result<()>;
    /// Sets what a device may do.
    fn set_standing(&mut self, device: DeviceId, standing: Standing) -> Result<()>;
    /// Notes that a device was heard.
    fn set_heard(&mut self, device: DeviceId, at_ms: i64) -> Result<()>;
    /// Counts refused items.
    fn add_refused(&mut self, device: DeviceId, count: u64) -> Result<()>;
    /// Opens a life of a device's store; those before are closed.
    fn open_incarnation(&mut self, id: Incarnation, device: DeviceId) -> Result<()>;
    /// Takes a batch into the chain: [`StoreError::Changed`] when its place is not the next.
    fn insert_batch(&mut self, batch: &BatchRow) -> Result<()>;
    /// A later verdict on a batch.
    fn set_verdict(&mut self, incarnation: Incarnation, seq: u64, entry: i64) -> Result<()>;
    /// A verified backup covers the batches of a life up to this one.
    fn set_safe(&mut self, incarnation: Incarnation, seq: u64) -> Result<()>;
    /// Holds an item back.
    fn insert_held(&mut self, held: &HeldRow) -> Result<()>;
    /// No longer held back.
    fn delete_held(&mut self, id: i64) -> Result<()>;
    /// Adds a grant; the device's earlier ones end at its time of issue.
    fn insert_grant(&mut self, grant: &GrantRow) -> Result<()>;
    /// Revokes all grants of a device.
    fn revoke_grants(&mut self, device: DeviceId, at_ms: i64) -> Result<()>;
    /// Adds an invitation.
    fn insert_invite(&mut self, invite: &InviteRow) -> Result<()>;
    /// Uses an invitation: false when it was used before.
    fn use_invite(&mut self, code: Hash, at_ms: i64) -> Result<bool>;
    /// Opens a session; the device's oldest beyond four end, and all that have run out.
    fn insert_session(&mut self, token: Hash, device: DeviceId, expires_ms: i64, now_ms: i64) -> Result<()>;
    /// Uses a signed request of a device: false when it was used before. Of those before only the last `keep` are remembered.
    fn use_signed(&mut self, device: DeviceId, hash: Hash, keep: u32) -> Result<bool>;
    /// Ends the sessions of a device.
    fn end_sessions(&mut self, device: DeviceId) -> Result<()>;
    /// Remembers a device's states; of earlier ones only the latest `keep` stay.
    fn put_states(&mut self, device: DeviceId, states: &[StateRow], keep: usize) -> Result<()>;

    /// Keeps what contradicts this database: false when it is there already, or there are enough.
    fn insert_contradiction(&mut self, row: &ContradictionRow) -> Result<bool>;

    /// Sets the name of a division or grid.
    fn put_division(&mut self, code: AreaCode, name: &str) -> Result<()>;
    /// Sets an organisation.
    fn put_org(&mut self, org: &OrgRow) -> Result<()>;
    /// Sets a person's display name.
    fn put_person(&mut self, user: UserId, name: &str, area: AreaCode) -> Result<()>;
    /// Adds a pack.
    fn insert_pack(&mut self, pack: &PackRow) -> Result<()>;
    /// Forgets a pack.
    fn delete_pack(&mut self, stream: StreamId, sha256: Hash) -> Result<()>;
}
