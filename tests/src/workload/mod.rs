//! The benchmark's workload, told in this system's words.
//!
//! `bench/workload.mjs` writes records as JSON lines, the same for every system that is measured. Here they become typed records, the
//! records become commands, and what a replica then reads becomes records again, so that a figure counts only when every field survived:
//! a household with its persons is one form save; a case is its report and one PROGRESS action for each event; an edit is one save more.

mod case;
mod household;
mod time;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use fieldgrid_core::domain::id::{DocId, Hash};
use serde::{Deserialize, Serialize};

pub use case::{AttachmentRecord, CaseRecord, Event};
pub use household::{HouseholdRecord, NewHousehold, PersonRecord};

/// Why the workload's files could not be used.
#[derive(Debug)]
pub enum WorkloadError {
    /// A file is missing or cannot be read; make them with `node bench/workload.mjs --out DIR`.
    Unreadable(PathBuf, std::io::Error),
    /// A line is not what the generator writes.
    Malformed(PathBuf, serde_json::Error),
}

impl std::fmt::Display for WorkloadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable(path, error) => write!(f, "{}: {error}; make it with `node workload.mjs --out DIR`", path.display()),
            Self::Malformed(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for WorkloadError {}

/// What the generator wrote.
#[derive(Debug, Clone, Default)]
pub struct Workload {
    /// The records of each grid: 300 households, then 100 cases.
    pub grids: Vec<Vec<Record>>,
    /// What each device does in an evening without signal; device `d` works in grid `d`.
    pub evenings: Vec<Evening>,
    /// Digest of grid 0 ([`digest`]).
    pub grid_digest: String,
    /// Digest of the town after every evening.
    pub town_digest: String,
}

/// An evening's work of one device.
#[derive(Debug, Clone, Default)]
pub struct Evening {
    /// New cases.
    pub new: Vec<CaseRecord>,
    /// Edits of records of its grid.
    pub edits: Vec<Edit>,
}

/// A record as the generator writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[expect(missing_docs, reason = "what the records hold is said where they are declared")]
pub enum Record {
    Household(HouseholdRecord),
    Case(CaseRecord),
}

impl Record {
    /// The generator's identity.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Household(record) => &record.id,
            Self::Case(record) => &record.id,
        }
    }

    /// The document it becomes.
    #[must_use]
    pub fn doc(&self) -> DocId {
        match self {
            Self::Household(record) => DocId::from_bytes(made_id("household", &record.id, &record.updated_at, 0)),
            Self::Case(record) => record.doc(),
        }
    }
}

/// One edit of an existing record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Edit {
    /// The record.
    pub id: String,
    /// What it changes, saved together.
    pub ops: Vec<Op>,
}

/// A step of an edit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Op {
    /// Sets a field.
    Set {
        /// Where: field names and indices.
        path: Vec<serde_json::Value>,
        /// What.
        value: serde_json::Value,
    },
    /// Appends an event.
    Push {
        /// Where: always `events`.
        path: Vec<serde_json::Value>,
        /// The event.
        value: Event,
    },
}

/// Reads what `node workload.mjs --out DIR` wrote.
///
/// # Errors
/// [`WorkloadError`].
pub fn load(dir: &Path) -> Result<Workload, WorkloadError> {
    #[derive(Deserialize)]
    struct Line {
        grid: usize,
        rec: Option<Record>,
        #[serde(flatten)]
        edit: Option<Edit>,
    }
    #[derive(Deserialize)]
    struct Manifest {
        grids: usize,
        devices: usize,
        expect: BTreeMap<String, String>,
    }
    let manifest: Manifest = {
        let path = dir.join("manifest.json");
        let text = std::fs::read_to_string(&path).map_err(|error| WorkloadError::Unreadable(path.clone(), error))?;
        serde_json::from_str(&text).map_err(|error| WorkloadError::Malformed(path, error))?
    };
    let mut workload = Workload {
        grids: vec![Vec::new(); manifest.grids],
        evenings: vec![Evening::default(); manifest.devices],
        grid_digest: manifest.expect["W1_grid0"].clone(),
        town_digest: manifest.expect["W2_town"].clone(),
    };
    for line in lines::<Line>(&dir.join(format!("base-g{}.jsonl", manifest.grids)))? {
        workload.grids[line.grid].extend(line.rec);
    }
    for line in lines::<Line>(&dir.join(format!("w2-d{}.jsonl", manifest.devices)))? {
        let evening = &mut workload.evenings[line.grid];
        match (line.rec, line.edit) {
            (Some(Record::Case(case)), _) => evening.new.push(case),
            (_, Some(edit)) => evening.edits.push(edit),
            _ => {}
        }
    }
    Ok(workload)
}

fn lines<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Vec<T>, WorkloadError> {
    let unreadable = |error| WorkloadError::Unreadable(path.to_owned(), error);
    BufReader::new(File::open(path).map_err(unreadable)?)
        .lines()
        .map(|line| serde_json::from_str(&line.map_err(unreadable)?).map_err(|error| WorkloadError::Malformed(path.to_owned(), error)))
        .collect()
}

/// The generator's digest: SHA-256 in hex over canonical JSON (keys sorted, no spaces), records sorted by id, one a line.
#[must_use]
pub fn digest(records: &[Record]) -> String {
    let mut sorted: Vec<&Record> = records.iter().collect();
    sorted.sort_by_key(|record| record.id());
    let text: String = sorted.into_iter().map(|record| serde_json::to_value(record).expect("a record is JSON").to_string() + "\n").collect();
    Hash::of(&[text.as_bytes()]).to_string()
}

/// Applies an edit to a record as the generator means it.
///
/// # Panics
/// When the edit names a field that the generator never edits.
pub fn apply(record: &mut Record, edit: &Edit) {
    let mut json = serde_json::to_value(&*record).expect("a record is JSON");
    for op in &edit.ops {
        let (path, value) = match op {
            Op::Set { path, value } => (path, value.clone()),
            Op::Push { path, value } => (path, serde_json::to_value(value).expect("an event is JSON")),
        };
        let target = path.iter().fold(&mut json, |json, step| match step.as_u64() {
            Some(index) => &mut json[usize::try_from(index).expect("a small index")],
            None => &mut json[step.as_str().expect("a name or an index")],
        });
        match op {
            Op::Set { .. } => *target = value,
            Op::Push { .. } => target.as_array_mut().expect("a list").push(value),
        }
    }
    *record = serde_json::from_value(json).expect("the record of the same shape");
}

/// A UUIDv7 whose random part follows from a label, so that a record and its edits name the same thing; `index` keeps siblings in order.
fn made_id(what: &str, label: &str, at: &str, index: usize) -> [u8; 16] {
    let hash = Hash::of(&[what.as_bytes(), label.as_bytes(), &index.to_be_bytes()]).0;
    let mut random = [0; 10];
    random.copy_from_slice(&hash[..10]);
    random[..2].copy_from_slice(&u16::try_from(index).unwrap_or(u16::MAX).to_be_bytes());
    *DocId::new(time::stamp(at).wall_ms, random).as_bytes()
}
