//! The benchmark's workload, told in this system's words.
//!
//! `bench/workload.mjs` writes records as JSON lines, the same for every system that is measured. Here they become typed records, the
//! records become [`Command`]s, and what a replica then reads becomes records again, so that a figure counts only when every field survived:
//! a household with its persons is one form save; a case is its report and one PROGRESS action for each event; an edit is one save more.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use fieldgrid_core::domain::action::{Action, ActionKind, Attachment, Fields as Said, Place, Severity};
use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::fact::{Body, Fact, FactKind};
use fieldgrid_core::domain::grant::Author;
use fieldgrid_core::domain::household::{Fields, Household, HouseholdEdit, TAG_PREFIX, Value, text};
use fieldgrid_core::domain::id::{ActionId, DocId, FactId, Hash, PersonId};
use fieldgrid_core::domain::time::Stamp;
use fieldgrid_core::record::Command;
use serde::{Deserialize, Serialize};

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

/// A household.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the generator's own names; their meaning is in `HouseholdRecord::fields`")]
pub struct HouseholdRecord {
    pub id: String,
    pub grid: String,
    pub addr: String,
    pub bldg: String,
    pub unit: String,
    pub room: String,
    pub area: i64,
    pub tenure: String,
    pub tags: Vec<String>,
    pub note: String,
    pub updated_at: String,
    pub updated_by: String,
    pub persons: Vec<PersonRecord>,
}

/// A person of a household.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the generator's own names; their meaning is in `PERSON`")]
pub struct PersonRecord {
    pub pid: String,
    pub name: String,
    pub sex: String,
    pub birth: String,
    pub idno: String,
    pub phone: String,
    pub ethnic: String,
    pub relation: String,
    pub hukou: String,
    pub work: String,
    pub edu: String,
    pub care: String,
}

/// A case with its events and photos.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the generator's own names; their meaning is in `CaseRecord::actions`")]
pub struct CaseRecord {
    pub id: String,
    pub grid: String,
    pub no: String,
    pub title: String,
    pub category: String,
    pub source: String,
    pub level: String,
    pub status: String,
    pub reporter: String,
    pub phone: String,
    pub addr: String,
    pub lat: i32,
    pub lng: i32,
    pub desc: String,
    pub due_at: String,
    pub updated_at: String,
    pub updated_by: String,
    pub events: Vec<Event>,
    pub attachments: Vec<AttachmentRecord>,
}

/// Something that happened to a case.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the generator's own names")]
pub struct Event {
    pub at: String,
    pub by: String,
    pub act: String,
    pub note: String,
}

/// A photo's reference.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the generator's own names")]
pub struct AttachmentRecord {
    pub sha256: String,
    pub name: String,
    pub mime: String,
    pub size: u64,
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

/// What a new household needs written: its document's command, and its persons' ID numbers as facts beside it.
#[derive(Debug, Clone)]
pub struct NewHousehold {
    /// The document.
    pub doc: DocId,
    /// The form save.
    pub command: Command,
    /// The sensitive values.
    pub facts: Vec<Fact>,
}

/// The person's fields: the generator's name, ours, and how to get it.
type PersonField = (&'static str, fn(&mut PersonRecord) -> &mut String);
const PERSON: &[PersonField] = &[
    ("label", |person| &mut person.pid),
    ("name", |person| &mut person.name),
    ("sex", |person| &mut person.sex),
    ("birth", |person| &mut person.birth),
    ("phone", |person| &mut person.phone),
    ("ethnicity", |person| &mut person.ethnic),
    ("relation", |person| &mut person.relation),
    ("residence", |person| &mut person.hukou),
    ("work", |person| &mut person.work),
    ("education", |person| &mut person.edu),
    ("care", |person| &mut person.care),
];
/// The generator's names of fields that edits set, and ours.
const RENAMED: &[(&str, &str)] = &[("addr", "address"), ("bldg", "building"), ("ethnic", "ethnicity"), ("hukou", "residence"), ("edu", "education")];

impl HouseholdRecord {
    /// The household as one form save.
    #[must_use]
    pub fn new_household(&self) -> NewHousehold {
        let mut edits = vec![HouseholdEdit::Create(self.fields())];
        let mut facts = Vec::new();
        for (index, person) in self.persons.iter().enumerate() {
            let id = self.person(index);
            let fact = self.id_no(index);
            let mut fields = person.fields();
            fields.insert("id_no".to_owned(), Value::Text(fact.id.to_string()));
            edits.push(HouseholdEdit::AddPerson(id, fields));
            facts.push(fact);
        }
        NewHousehold { doc: Record::Household(self.clone()).doc(), command: Command::EditHousehold(edits), facts }
    }

    /// The identity of the person at an index. Ids sort as the persons stand.
    #[must_use]
    pub fn person(&self, index: usize) -> PersonId {
        PersonId::from_bytes(made_id("person", &self.id, &self.updated_at, index))
    }

    /// An edit as a command. `self` is the record as it was created: ids of persons come from it.
    #[must_use]
    pub fn edit(&self, edit: &Edit) -> Command {
        let edits = edit.ops.iter().filter_map(|op| {
            let Op::Set { path, value } = op else { return None };
            let name = path.last()?.as_str()?;
            let name = RENAMED.iter().find(|(theirs, _)| *theirs == name).map_or(name, |(_, ours)| ours).to_owned();
            let value = Value::Text(value.as_str()?.to_owned());
            Some(match path.get(1).and_then(serde_json::Value::as_u64) {
                Some(index) => HouseholdEdit::SetPerson(self.person(usize::try_from(index).ok()?), name, value),
                None => HouseholdEdit::Set(name, value),
            })
        });
        Command::EditHousehold(edits.collect())
    }

    /// The record that a replica reads, with the ID numbers it holds.
    #[must_use]
    pub fn read(household: &Household, id_no: impl Fn(FactId) -> Option<String>) -> Self {
        let said = |name: &str| household.text(name).unwrap_or_default().to_owned();
        let area = match household.fields.get("area") {
            Some(Value::Int(area)) => *area,
            _ => 0,
        };
        let tags =
            household.fields.iter().filter(|(_, value)| **value == Value::Bool(true)).filter_map(|(name, _)| Some(name.strip_prefix(TAG_PREFIX)?.to_owned()));
        let persons = household.persons.values().map(|fields| {
            let mut person = PersonRecord::default();
            for (name, field) in PERSON {
                *field(&mut person) = text(fields, name).unwrap_or_default().to_owned();
            }
            person.idno = text(fields, "id_no").and_then(|fact| id_no(fact.parse().ok()?)).unwrap_or_default();
            person
        });
        Self {
            id: said("label"),
            grid: said("grid"),
            addr: said("address"),
            bldg: said("building"),
            unit: said("unit"),
            room: said("room"),
            area,
            tenure: said("tenure"),
            tags: tags.collect(),
            note: said("note"),
            updated_at: said("updated_at"),
            updated_by: said("updated_by"),
            persons: persons.collect(),
        }
    }

    fn fields(&self) -> Fields {
        let texts = [
            ("label", &self.id),
            ("grid", &self.grid),
            ("address", &self.addr),
            ("building", &self.bldg),
            ("unit", &self.unit),
            ("room", &self.room),
            ("tenure", &self.tenure),
            ("note", &self.note),
            ("updated_at", &self.updated_at),
            ("updated_by", &self.updated_by),
        ];
        let texts = texts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name.to_owned(), Value::Text(text.clone())));
        let tags = self.tags.iter().map(|tag| (format!("{TAG_PREFIX}{tag}"), Value::Bool(true)));
        texts.chain(tags).chain([("area".to_owned(), Value::Int(self.area))]).collect()
    }

    fn id_no(&self, index: usize) -> Fact {
        let id = FactId::from_bytes(made_id("id_no", &self.id, &self.updated_at, index));
        let salt = Hash::of(&[b"salt", id.as_bytes()]);
        Fact {
            id,
            kind: FactKind::Sensitive,
            subject: Some(Record::Household(self.clone()).doc()),
            area: self.grid.parse().ok(),
            at: stamp(&self.updated_at),
            body: Body::Held([&salt.0[..8], self.persons[index].idno.as_bytes()].concat()),
        }
    }
}

impl PersonRecord {
    fn fields(&self) -> Fields {
        let mut copy = self.clone();
        PERSON.iter().map(|(name, field)| ((*name).to_owned(), Value::Text(field(&mut copy).clone()))).collect()
    }
}

/// The generator's words for categories, and the majors of `domain.md` §7 that stand for them here.
const CATEGORIES: &[(&str, &str)] = &[("环境卫生", "01"), ("公共设施", "02"), ("消防安全", "03"), ("矛盾纠纷", "06"), ("市容秩序", "07"), ("流动人口", "10")];
/// The generator's words for severities.
const LEVELS: &[(&str, Severity)] = &[("一般", Severity::Normal), ("较急", Severity::Urgent), ("紧急", Severity::Emergency)];
/// The rules version that the actions name.
const RULES: u32 = 1;

impl CaseRecord {
    /// The document it becomes.
    #[must_use]
    pub fn doc(&self) -> DocId {
        let at = self.events.first().map_or("", |event| &event.at);
        DocId::from_bytes(made_id("case", &self.id, at, 0))
    }

    /// The case as actions, oldest first: its report, and one PROGRESS for each event. Saved together as one command.
    #[must_use]
    pub fn actions(&self, author: &Author) -> Vec<Action> {
        let at = self.events.first().map_or(self.updated_at.as_str(), |event| &event.at);
        let said = Said {
            title: Some(self.title.clone()),
            text: Some(self.desc.clone()),
            category: by_word(CATEGORIES, &self.category).map(|code| (*code).to_owned()),
            severity: by_word(LEVELS, &self.level).copied(),
            place: Some(Place { lat_e6: Some(self.lat), lng_e6: Some(self.lng), accuracy_m: None, address: Some(self.addr.clone()) }),
            occurred_ms: Some(stamp(at).wall_ms),
            evidence: Some(self.attachments.iter().map(AttachmentRecord::attachment).collect()),
            due_ms: Some(stamp(&self.due_at).wall_ms),
            source: Some(self.source.clone()),
            grid: self.grid.parse::<AreaCode>().ok(),
            extra: Some(extra(&[
                ("label", &self.id),
                ("no", &self.no),
                ("status", &self.status),
                ("reporter", &self.reporter),
                ("phone", &self.phone),
                ("updated_at", &self.updated_at),
                ("updated_by", &self.updated_by),
            ])),
            ..Said::default()
        };
        let report = action(ActionKind::Report, author, at, vec![], None, said);
        let round = ActionId::of(&report.to_bytes());
        let mut actions = vec![report];
        let mut seen = round;
        for event in &self.events {
            let next = action(ActionKind::Progress, author, &event.at, vec![seen], Some(round), event.said(&[]));
            seen = ActionId::of(&next.to_bytes());
            actions.push(next);
        }
        actions
    }

    /// An edit as actions on top of those the author has: `round` is the report, `seen` the last.
    #[must_use]
    pub fn edit(edit: &Edit, author: &Author, round: ActionId, seen: ActionId) -> Vec<Action> {
        let set = |name: &str| {
            edit.ops.iter().find_map(|op| match op {
                Op::Set { path, value } if path.first().and_then(serde_json::Value::as_str) == Some(name) => value.as_str(),
                _ => None,
            })
        };
        let event = edit.ops.iter().find_map(|op| if let Op::Push { value, .. } = op { Some(value.clone()) } else { None }).unwrap_or_default();
        // An edit's own time and author are the action's, and are named only where they differ.
        let updated_at = set("updated_at").filter(|at| *at != event.at);
        let updated_by = set("updated_by").filter(|by| *by != event.by);
        let further = [("status", set("status")), ("level", set("level")), ("updated_at", updated_at), ("updated_by", updated_by)];
        let further: Vec<(&str, &str)> = further.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let progress = action(ActionKind::Progress, author, &event.at, vec![seen], Some(round), event.said(&further));
        let titled = set("title").map(|title| {
            let said = Said { title: Some(title.to_owned()), ..Said::default() };
            action(ActionKind::Edit, author, &event.at, vec![ActionId::of(&progress.to_bytes())], Some(round), said)
        });
        std::iter::once(progress).chain(titled).collect()
    }

    /// The record that a replica reads; `None` when there is no report.
    #[must_use]
    pub fn read(actions: &BTreeMap<ActionId, Action>) -> Option<Self> {
        let (&round, report) = actions.iter().find(|(_, action)| action.kind == ActionKind::Report)?;
        let said = &report.fields;
        let place = said.place.clone()?;
        let word = |name: &str| said.extra.as_ref()?.get(name).cloned();
        let mut record = Self {
            id: word("label")?,
            grid: said.grid?.to_string(),
            no: word("no")?,
            title: said.title.clone()?,
            category: CATEGORIES.iter().find(|(_, code)| Some(*code) == said.category.as_deref())?.0.to_owned(),
            source: said.source.clone()?,
            level: LEVELS.iter().find(|(_, level)| Some(*level) == said.severity)?.0.to_owned(),
            status: word("status")?,
            reporter: word("reporter")?,
            phone: word("phone")?,
            addr: place.address?,
            lat: place.lat_e6?,
            lng: place.lng_e6?,
            desc: said.text.clone()?,
            due_at: time_text(said.due_ms?),
            updated_at: word("updated_at")?,
            updated_by: word("updated_by")?,
            events: Vec::new(),
            attachments: said.evidence.as_ref()?.iter().map(AttachmentRecord::read).collect(),
        };
        let mut last = round;
        while let Some((&id, action)) = actions.iter().find(|(_, action)| action.seen == [last]) {
            last = id;
            let Some(event) = Event::read(action) else { continue };
            let word = |name: &str| action.fields.extra.as_ref()?.get(name).cloned();
            if let Some(status) = word("status") {
                record.status = status;
                record.updated_at = word("updated_at").unwrap_or_else(|| event.at.clone());
                record.updated_by = word("updated_by").unwrap_or_else(|| event.by.clone());
            }
            record.events.push(event);
        }
        Some(record)
    }
}

impl Event {
    fn said(&self, further: &[(&str, &str)]) -> Said {
        let mut words = extra(&[("act", &self.act), ("by", &self.by)]);
        words.extend(further.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Said { text: Some(self.note.clone()), extra: Some(words), ..Said::default() }
    }

    fn read(action: &Action) -> Option<Self> {
        let words = action.fields.extra.as_ref()?;
        Some(Self { at: time_text(action.at.wall_ms), by: words.get("by")?.clone(), act: words.get("act")?.clone(), note: action.fields.text.clone()? })
    }
}

impl AttachmentRecord {
    fn attachment(&self) -> Attachment {
        Attachment { sha256: self.sha256.parse().unwrap_or_default(), name: self.name.clone(), mime: self.mime.clone(), size: self.size }
    }

    fn read(attachment: &Attachment) -> Self {
        Self { sha256: attachment.sha256.to_string(), name: attachment.name.clone(), mime: attachment.mime.clone(), size: attachment.size }
    }
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

fn action(kind: ActionKind, author: &Author, at: &str, seen: Vec<ActionId>, round: Option<ActionId>, fields: Said) -> Action {
    Action { kind, author: author.clone(), at: stamp(at), seen, rules: RULES, round, assignment: None, mode: None, fields }
}

fn extra(words: &[(&str, &str)]) -> BTreeMap<String, String> {
    words.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn by_word<'a, T>(table: &'a [(&str, T)], word: &str) -> Option<&'a T> {
    table.iter().find(|(known, _)| *known == word).map(|(_, value)| value)
}

/// A UUIDv7 whose random part follows from a label, so that a record and its edits name the same thing; `index` keeps siblings in order.
fn made_id(what: &str, label: &str, at: &str, index: usize) -> [u8; 16] {
    let hash = Hash::of(&[what.as_bytes(), label.as_bytes(), &index.to_be_bytes()]).0;
    let mut random = [0; 10];
    random.copy_from_slice(&hash[..10]);
    random[..2].copy_from_slice(&u16::try_from(index).unwrap_or(u16::MAX).to_be_bytes());
    *DocId::new(stamp(at).wall_ms, random).as_bytes()
}

/// A phone that was switched on at the end of 2024.
const BOOT_MS: i64 = 1_735_000_000_000;

fn stamp(time: &str) -> Stamp {
    let wall_ms = parse_time(time).unwrap_or(BOOT_MS);
    Stamp { wall_ms, mono_ms: u64::try_from(wall_ms - BOOT_MS).unwrap_or_default() }
}

/// `2026-01-01T01:00:00Z` as milliseconds since 1970 (the days by Howard Hinnant's `days_from_civil`).
fn parse_time(text: &str) -> Option<i64> {
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (part(0..4)?, part(5..7)?, part(8..10)?);
    let (hour, minute, second) = (part(11..13)?, part(14..16)?, part(17..19)?);
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60_000 + second * 1_000)
}

fn time_text(ms: i64) -> String {
    let (days, in_day) = (ms.div_euclid(86_400_000) + 719_468, ms.rem_euclid(86_400_000) / 1_000);
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", in_day / 3_600, in_day / 60 % 60, in_day % 60)
}
