//! The store against a small town: a server made of the wire types alone, which does what each test tells it to.

mod access;
mod bombs;
mod bounds;
mod claimed;
mod copies;
mod forms;
mod measuring;
mod opening;
mod positions;
mod rebuilding;
mod syncing;
mod town;
mod typed;
mod verdicts;
mod working;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use rusqlite::types::ValueRef;

use super::{Applied, DeliveryState, OpenOptions, Prepare, Saved, Standing, Store, StoreError};
use crate::domain::action::{ActionKind, Fields, Place, Severity};
use crate::domain::fact::{Body, Fact, FactKind};
use crate::domain::grant::{Grant, Role};
use crate::domain::household::{HouseholdEdit, Value};
use crate::domain::id::{DeviceId, DocId, FactId, GrantId, Hash, Incarnation, OrgId, PersonId, StreamId, UserId};
use crate::domain::policy::Refusal;
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

use town::Town;

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

fn pair() -> (Town, (Phone, DeviceId), (Phone, DeviceId)) {
    let mut town = Town::new();
    let (a, b) = (Phone::new(1), Phone::new(2));
    let (da, db) = (town.enrol(&a, Role::GridMember), town.enrol(&b, Role::GridMember));
    (town, (a, da), (b, db))
}

fn delivery(phone: &Phone, doc: DocId) -> DeliveryState {
    phone.store.inner.db.read(|db| super::own::of_record(db, doc)).unwrap().state
}

fn field(phone: &Phone, doc: DocId, field: &str) -> Option<String> {
    phone.store.household(doc).unwrap().unwrap().household.unwrap().text(field).map(str::to_owned)
}

/// The heads of the record as it stands, own work included.
fn heads(phone: &Phone, doc: DocId) -> Vec<Hash> {
    phone.store.record(doc).unwrap().unwrap().heads()
}

fn standing(phone: &Phone, edit: Hash) -> Standing {
    let code = phone.store.inner.db.read(|db| Ok::<_, StoreError>(db.query_row("SELECT status FROM own WHERE edit = ?1", [edit.0], |row| row.get(0))?));
    Standing::from_code(code.unwrap())
}

/// Every text and blob of every table, read through the key.
fn stored_bytes(phone: &Phone) -> Vec<Vec<u8>> {
    phone
        .store
        .inner
        .db
        .read(|db| {
            let tables: Vec<String> =
                db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'")?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let mut all: Vec<Vec<u8>> = Vec::new();
            for table in tables {
                let mut statement = db.prepare(&format!("SELECT * FROM {table}"))?;
                let columns = statement.column_count();
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    for column in 0..columns {
                        if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = row.get_ref(column)? {
                            all.push(bytes.to_vec());
                        }
                    }
                }
            }
            Ok::<_, StoreError>(all)
        })
        .unwrap()
}

/// Refuses the change that carries this edit, and strands what depends on it in the same record.
fn refusing(edit: Hash) -> impl FnMut(&Item) -> Verdict {
    let mut lost: Vec<Hash> = Vec::new();
    move |item| {
        let Item::Change(change) = item else { return Verdict::Accepted };
        if change.edit_id() == edit {
            lost.push(change.change_hash());
            return Verdict::Refused(Refusal::OutOfScope);
        }
        let deps = automerge::Change::from_bytes(change.raw.clone()).unwrap().deps().to_vec();
        match deps.iter().map(|dep| Hash(dep.0)).find(|dep| lost.contains(dep)) {
            Some(dep) => {
                lost.push(change.change_hash());
                Verdict::Stranded(dep)
            }
            None => Verdict::Accepted,
        }
    }
}
