//! Households, with ID numbers as facts beside them.

use fieldgrid_core::domain::fact::{Body, Fact, FactKind};
use fieldgrid_core::domain::household::{Fields, Household, HouseholdEdit, TAG_PREFIX, Value, text};
use fieldgrid_core::domain::id::{DocId, FactId, Hash, PersonId};
use fieldgrid_core::record::Command;
use serde::{Deserialize, Serialize};

use super::time::stamp;
use super::{Edit, Op, Record, made_id};

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
