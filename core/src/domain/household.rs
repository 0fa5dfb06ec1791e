//! The household with its persons: fields, edits, the read model and what is odd about it (`domain.md` §4).
//!
//! A household is written by [`HouseholdEdit`]s: one base when it is created, one base a person, and afterwards single fields. Field-level
//! merging follows from that: a field's value is its latest edit, or else what the base said.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::id::{FactId, PersonId};

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// Nothing: the field was cleared.
    #[n(0)]
    Null,
    /// Yes or no.
    #[n(1)]
    Bool(#[n(0)] bool),
    /// A number.
    #[n(2)]
    Int(#[n(0)] i64),
    /// Words or a code.
    #[n(3)]
    Text(#[n(0)] String),
}

/// Fields by name. The names are in [`HOUSEHOLD_FIELDS`] and [`PERSON_FIELDS`].
pub type Fields = BTreeMap<String, Value>;

/// How sensitive a field is (`domain.md` §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sensitivity {
    /// Internal.
    S1,
    /// Personal.
    S2,
    /// Sensitive: the value is a fact beside the document; the field holds the fact's id.
    S3,
}

/// One field that a household or a person may have.
#[derive(Debug, Clone, Copy)]
pub struct FieldSpec {
    /// Its name, also the key in the document.
    pub name: &'static str,
    /// How sensitive it is.
    pub sensitivity: Sensitivity,
    /// Longest text, in characters.
    pub max_chars: usize,
}

const fn s1(name: &'static str, max_chars: usize) -> FieldSpec {
    FieldSpec { name, sensitivity: Sensitivity::S1, max_chars }
}
const fn s2(name: &'static str, max_chars: usize) -> FieldSpec {
    FieldSpec { name, sensitivity: Sensitivity::S2, max_chars }
}
const fn s3(name: &'static str) -> FieldSpec {
    FieldSpec { name, sensitivity: Sensitivity::S3, max_chars: 36 }
}

/// What a household has. `grid` is the label it was created under; which grid it is in now is the server's fact.
pub const HOUSEHOLD_FIELDS: &[FieldSpec] = &[
    s1("grid", 15),
    s1("address", 200),
    s1("building", 40),
    s1("unit", 40),
    s1("room", 40),
    s1("area", 20),
    s1("use", 20),
    s1("tenure", 20),
    s1("kind", 20),
    s2("head", 36),
    s2("contact", 20),
    s2("phone", 40),
    s2("pets", 200),
    s2("evacuation_group", 40),
    s2("language", 20),
    s2("note", 2000),
    s1("ended", 20),
    s1("label", 40),
    s1("updated_at", 30),
    s1("updated_by", 40),
];

/// What a person has. `id_no` names a sensitive fact. Tags are fields of their own: `tag.` and the tag's word, true or false.
pub const PERSON_FIELDS: &[FieldSpec] = &[
    s2("name", 60),
    s2("sex", 4),
    s2("birth", 10),
    s2("id_kind", 4),
    s3("id_no"),
    s2("phone", 40),
    s2("ethnicity", 20),
    s2("relation", 20),
    s2("residence", 20),
    s2("registered", 40),
    s2("work", 200),
    s2("education", 20),
    s2("care", 40),
    s2("note", 2000),
    s2("ended", 20),
    s2("label", 40),
];

/// The prefix of tag fields, on households and persons.
pub const TAG_PREFIX: &str = "tag.";
/// Longest tag, in characters.
pub const MAX_TAG_CHARS: usize = 20;

/// The spec of a household's field; tags have one for all.
#[must_use]
pub fn household_field(name: &str) -> Option<FieldSpec> {
    find(HOUSEHOLD_FIELDS, name)
}

/// The spec of a person's field; tags have one for all.
#[must_use]
pub fn person_field(name: &str) -> Option<FieldSpec> {
    find(PERSON_FIELDS, name)
}

fn find(specs: &[FieldSpec], name: &str) -> Option<FieldSpec> {
    if let Some(tag) = name.strip_prefix(TAG_PREFIX) {
        let fits = !tag.is_empty() && tag.chars().count() <= MAX_TAG_CHARS;
        return fits.then_some(s2("tag", MAX_TAG_CHARS));
    }
    specs.iter().find(|spec| spec.name == name).copied()
}

/// One edit of a household. A form save is a list of these, written as one change.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub enum HouseholdEdit {
    /// Creates the household with what was known. Written once, first.
    #[n(0)]
    Create(#[n(0)] Fields),
    /// Sets one field of the household.
    #[n(1)]
    Set(#[n(0)] String, #[n(1)] Value),
    /// Adds a person with what was known.
    #[n(2)]
    AddPerson(#[n(0)] PersonId, #[n(1)] Fields),
    /// Sets one field of a person.
    #[n(3)]
    SetPerson(#[n(0)] PersonId, #[n(1)] String, #[n(2)] Value),
}

/// A household as its document reads: bases with later edits over them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Household {
    /// The household's fields, tags included.
    pub fields: Fields,
    /// The persons' fields by id.
    pub persons: BTreeMap<PersonId, Fields>,
    /// Fields that concurrent edits set differently: (person or household, field, the values that lost).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Alternative>,
}

/// Values that a concurrent edit also gave; kept, shown, and lost nothing (`domain.md` §4.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alternative {
    /// The person; none for the household itself.
    pub person: Option<PersonId>,
    /// The field.
    pub field: String,
    /// The other values.
    pub values: Vec<Value>,
}

impl Household {
    /// Text of a household field.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<&str> {
        text(&self.fields, field)
    }

    /// Persons who have not been ended (moved away, died).
    pub fn living(&self) -> impl Iterator<Item = (PersonId, &Fields)> + '_ {
        self.persons.iter().filter(|(_, person)| text(person, "ended").is_none()).map(|(id, person)| (*id, person))
    }

    /// The head: whom the household names, else whom the relation names (GB/T 4761 code 02, or 户主).
    #[must_use]
    pub fn head(&self) -> Option<(PersonId, &Fields)> {
        let named = self.text("head").and_then(|id| id.parse().ok()).and_then(|id| Some((id, self.persons.get(&id)?)));
        named.or_else(|| self.living().find(|(_, person)| is_head(person)))
    }

    /// The name that lists show: the head's, else the contact's.
    #[must_use]
    pub fn head_name(&self) -> Option<&str> {
        self.head().and_then(|(_, head)| text(head, "name")).or_else(|| self.text("contact"))
    }

    /// The phone that lists show: the household's, else the head's.
    #[must_use]
    pub fn head_phone(&self) -> Option<&str> {
        self.text("phone").or_else(|| self.head().and_then(|(_, head)| text(head, "phone")))
    }

    /// The household's tags.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        tags(&self.fields)
    }

    /// The sensitive facts that the document names.
    pub fn sensitive(&self) -> impl Iterator<Item = FactId> + '_ {
        self.persons.values().filter_map(|person| text(person, "id_no")?.parse().ok())
    }
}

/// Text of a field in a set of fields.
#[must_use]
pub fn text<'a>(fields: &'a Fields, field: &str) -> Option<&'a str> {
    match fields.get(field)? {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// The tags that are set among these fields.
pub fn tags(fields: &Fields) -> impl Iterator<Item = &str> {
    fields.iter().filter(|(_, value)| **value == Value::Bool(true)).filter_map(|(name, _)| name.strip_prefix(TAG_PREFIX))
}

/// Whether these fields carry a care tag, or words of care (`domain.md` §4.2).
#[must_use]
pub fn needs_care(person: &Fields) -> bool {
    tags(person).next().is_some() || text(person, "care").is_some_and(|care| !matches!(care.trim(), "" | "无"))
}

/// Whether a person's relation is that of the head.
#[must_use]
pub fn is_head(person: &Fields) -> bool {
    matches!(text(person, "relation"), Some("02" | "户主"))
}
