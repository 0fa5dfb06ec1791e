//! A phone: the real engine with its own encrypted store, on a line of its own, and what was typed on it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use fieldgrid_core::device::runner::Pace;
use fieldgrid_core::device::store::{DeliveryState, EditRow, OpenOptions, SaveError, Saved};
use fieldgrid_core::device::sync::SyncSummary;
use fieldgrid_core::device::{Device, DeviceOptions, NewHousehold};
use fieldgrid_core::domain::action::{ActionKind, Fields};
use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::fact::Visit;
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::household::{HouseholdEdit, Value};
use fieldgrid_core::domain::id::{DocId, FactId, Hash};
use tokio::runtime::Handle;

use super::clock::Machine;
use super::line::{By, Line};
use super::scene::Scene;
use crate::link::{Link, Speed};

/// Something that was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typed {
    /// A form that was saved.
    Edit(DocId, Hash),
    /// A fact that was stated about a record.
    Fact(DocId, FactId),
}

impl Typed {
    /// The record.
    #[must_use]
    pub const fn doc(self) -> DocId {
        match self {
            Self::Edit(doc, _) | Self::Fact(doc, _) => doc,
        }
    }
}

/// Someone's phone.
#[derive(Debug)]
pub struct Phone {
    /// Whose, for messages.
    pub name: String,
    /// His role.
    pub role: Role,
    /// Where he works.
    pub scope: AreaCode,
    /// The wire, which can be cut in the middle of a message.
    pub link: Link,
    /// What is said on it.
    pub line: Arc<Line>,
    /// The store's file.
    pub path: PathBuf,
    /// What opens it.
    pub key: [u8; 32],
    /// Everything that was typed.
    pub typed: Vec<Typed>,
    device: Option<Device>,
    env: Arc<Machine>,
    /// Requests of its last round, which goes on with the count after a wait.
    asked: AtomicU32,
}

/// More requests in a round than any exchange here needs.
const MANY: u32 = 200;

impl Phone {
    /// Unpacks a phone and enrols it.
    ///
    /// # Panics
    /// When it cannot be enrolled.
    pub async fn join(scene: &mut Scene, name: &str, role: Role, scope: AreaCode) -> Self {
        let phone = Self::new(scene, name, role, scope).await;
        let invite = scene.invite(role, scope, phone.link.url()).await;
        phone.device().enrol(&invite).await.expect("the centre enrols it");
        phone
    }

    /// The same phone again: another folder and another line, the store to be copied into it.
    pub async fn twin(&self, scene: &mut Scene, name: &str) -> Self {
        let twin = Self::unpacked(scene, name, self.role, self.scope).await;
        Self { key: self.key, typed: self.typed.clone(), ..twin }
    }

    /// A phone that has not joined: its app is open.
    pub async fn new(scene: &mut Scene, name: &str, role: Role, scope: AreaCode) -> Self {
        let mut phone = Self::unpacked(scene, name, role, scope).await;
        phone.open();
        phone
    }

    async fn unpacked(scene: &mut Scene, name: &str, role: Role, scope: AreaCode) -> Self {
        let folder = scene.path(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut key = [0; 32];
        scene.rng.fill(&mut key);
        Self {
            name: name.to_owned(),
            role,
            scope,
            link: Link::open(scene.address, Speed::default()).await.expect("a line"),
            line: Arc::default(),
            path: folder.join("phone.db"),
            key,
            typed: Vec::new(),
            device: None,
            env: scene.machine(),
            asked: AtomicU32::new(0),
        }
    }

    /// The engine.
    ///
    /// # Panics
    /// When the app is closed.
    #[must_use]
    pub fn device(&self) -> &Device {
        self.device.as_ref().expect("the app is open")
    }

    /// Opens the app.
    ///
    /// # Panics
    /// When the store does not open.
    pub fn open(&mut self) {
        let store = OpenOptions::new(&self.path, self.key, self.env.clone());
        let options = DeviceOptions { store, connect: Arc::new(By(Arc::clone(&self.line))), pace: Pace::default() };
        self.device = Some(Device::open(options, Handle::current()).expect("the store opens"));
    }

    /// Closes the app.
    pub fn close(&mut self) {
        self.device = None;
    }

    /// Syncs once.
    ///
    /// # Panics
    /// When HTTP cannot be set up, or the phone asks without end; a lost line is in the summary.
    pub async fn sync(&self) -> SyncSummary {
        let round = self.device().sync_now().await.expect("HTTP is set up");
        let asked = round.round_trips - self.asked.swap(round.round_trips, Ordering::SeqCst).min(round.round_trips);
        assert!(asked < MANY, "{} asks without end: {round:?}; it was told last: {:#?}", self.name, self.line.last());
        round
    }

    /// Syncs, and nothing stands in the way.
    ///
    /// # Panics
    /// When something does.
    pub async fn sync_well(&self) -> SyncSummary {
        let round = self.sync().await;
        assert_eq!(round.wait, None, "{}: {round:?}", self.name);
        round
    }

    /// Notes what was saved.
    ///
    /// # Errors
    /// What the store says.
    pub fn note(&mut self, saved: Result<Saved, SaveError>) -> Result<Saved, SaveError> {
        self.typed.extend(saved.iter().map(|saved| Typed::Edit(saved.doc, saved.edit)));
        saved
    }

    /// Reports a case; in his own grid when he works in one.
    ///
    /// # Panics
    /// When it is not saved.
    pub fn report(&mut self, text: &str) -> Saved {
        let grid = (self.role != Role::Rider).then_some(self.scope);
        let saved = self.device().report(super::typing::trouble(text, grid));
        self.note(saved).expect("a report is saved")
    }

    /// Acts on a case.
    ///
    /// # Panics
    /// When it is not saved.
    pub fn act(&mut self, case: DocId, kind: ActionKind, fields: Fields) -> Saved {
        let saved = self.device().act(case, kind, fields);
        self.note(saved).expect("an action is saved")
    }

    /// Supplements a case.
    pub fn supplement(&mut self, case: DocId, text: &str) -> Saved {
        self.act(case, ActionKind::Supplement, Fields { text: Some(text.to_owned()), ..Fields::default() })
    }

    /// Adds a household of one person.
    ///
    /// # Panics
    /// When it is not saved.
    pub fn household(&mut self, address: &str, name: &str, number: &str) -> Saved {
        let of = |fields: &[(&str, &str)]| fields.iter().map(|(field, value)| ((*field).to_owned(), Value::Text((*value).to_owned()))).collect();
        let grid = self.scope.to_string();
        let household =
            NewHousehold { fields: of(&[("grid", &grid), ("address", address)]), persons: vec![of(&[("name", name), ("phone", number), ("relation", "02")])] };
        let saved = self.device().add_household(household);
        self.note(saved).expect("a household is saved")
    }

    /// Sets a field of a household.
    ///
    /// # Panics
    /// When it is not saved.
    pub fn set(&mut self, household: DocId, field: &str, value: &str) -> Saved {
        let edit = HouseholdEdit::Set(field.to_owned(), Value::Text(value.to_owned()));
        let saved = self.device().edit_household(household, vec![edit]);
        self.note(saved).expect("an edit is saved")
    }

    /// Records a visit.
    ///
    /// # Panics
    /// When it is not saved.
    pub fn visit(&mut self, household: DocId, visit: &Visit) -> FactId {
        let fact = self.device().visit(household, visit).expect("a visit is saved");
        self.typed.push(Typed::Fact(household, fact));
        fact
    }

    /// What the screens say of own work on a record.
    ///
    /// # Panics
    /// When the store cannot be read.
    #[must_use]
    pub fn edits(&self, doc: DocId) -> Vec<EditRow> {
        self.device().edits(doc).expect("the store is read")
    }

    /// What the screen says of one edit.
    ///
    /// # Panics
    /// When the screen does not show it.
    #[must_use]
    pub fn edit(&self, saved: Saved) -> EditRow {
        self.edits(saved.doc).into_iter().find(|row| row.edit == saved.edit).unwrap_or_else(|| panic!("{}: {saved:?} is not shown", self.name))
    }

    /// Where an edit is.
    #[must_use]
    pub fn state(&self, saved: Saved) -> DeliveryState {
        self.edit(saved).delivery.state
    }

    /// Everything that is in the store's file, all columns of all tables end to end.
    ///
    /// # Panics
    /// When the file cannot be read.
    #[must_use]
    pub fn contents(&self) -> Vec<u8> {
        let database = rusqlite::Connection::open(&self.path).expect("the file");
        let key: String = self.key.iter().map(|byte| format!("{byte:02x}")).collect();
        database.execute_batch(&format!("PRAGMA key = \"x'{key}'\"; PRAGMA cipher_hmac_algorithm = HMAC_SHA256")).expect("the key");
        let mut tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").expect("the schema");
        let names: Vec<String> = tables.query_map([], |row| row.get(0)).expect("names").collect::<Result<_, _>>().expect("names");
        let mut all = Vec::new();
        for name in names {
            let mut rows = database.prepare(&format!("SELECT * FROM \"{name}\"")).expect("a table");
            let columns = rows.column_count();
            let mut rows = rows.query([]).expect("rows");
            while let Some(row) = rows.next().expect("a row") {
                for column in 0..columns {
                    if let rusqlite::types::ValueRef::Blob(bytes) | rusqlite::types::ValueRef::Text(bytes) = row.get_ref(column).expect("a value") {
                        all.extend_from_slice(bytes);
                    }
                }
            }
        }
        all
    }
}
