//! What was typed, read back from the intents and facts of own work; and what its author can still do about it.

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::own::{self, OwnRow, Standing};
use super::{StoreError, meta, outbox};
use crate::domain::action::{ActionKind, Fields};
use crate::domain::code::codes;
use crate::domain::fact::{Body, Fact, FactKind, Visit};
use crate::domain::household::{Household, HouseholdEdit, Value};
use crate::domain::id::DocId;
use crate::domain::words::{self, Words};
use crate::domain::{mask, policy};
use crate::record::Command;

/// What one form said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "snake_case")]
pub enum Typed {
    /// Actions on a case: one, but where a note was too long for one.
    Actions {
        /// The actions, in order.
        actions: Vec<TypedAction>,
    },
    /// Fields of a household and of its persons.
    Household {
        /// The edits, in order.
        edits: Vec<HouseholdEdit>,
    },
    /// A visit.
    Visit {
        /// What it says.
        visit: Visit,
    },
    /// A person's ID number.
    IdNumber {
        /// The number, masked; the whole is revealed like any other.
        masked: String,
    },
}

/// What one action said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TypedAction {
    /// What it did.
    pub kind: ActionKind,
    /// What it said.
    pub fields: Fields,
}

/// Other values for the form that was typed, all of them.
#[derive(Debug, Clone, PartialEq)]
pub enum Correction {
    /// Of an action on a case.
    Fields(Box<Fields>),
    /// Of a household and its persons.
    Household(Vec<HouseholdEdit>),
    /// Of a visit.
    Visit(Visit),
    /// Of an ID number.
    IdNumber(String),
}

codes! {
    /// What an author can do about own work that is not let in at the centre.
    pub enum Remedy {
        /// Send it again as it was.
        Redo = 1 "redo",
        /// Send it with other values.
        Correct = 2 "correct",
        /// Send what it said as a supplement to the case.
        Note = 3 "note",
        /// Give it up.
        Discard = 4 "discard",
    }
}

impl Remedy {
    /// Its name.
    #[must_use]
    pub const fn words(self) -> Words {
        let (zh, en) = match self {
            Self::Redo => ("重新上传", "send again"),
            Self::Correct => ("更正后上传", "correct and send"),
            Self::Note => ("作为补充上传", "send as a note"),
            Self::Discard => ("放弃", "give up"),
            Self::Other(_) => ("新版内容", "from a newer version"),
        };
        Words { zh, en }
    }
}

impl Typed {
    /// What it is called.
    #[must_use]
    pub fn name(&self) -> Words {
        let (zh, en) = match self {
            Self::Actions { actions } => return words::action(actions.first().map_or(ActionKind::Other(0), |action| action.kind)),
            Self::Household { edits } if edits.iter().any(|edit| matches!(edit, HouseholdEdit::Create(_))) => ("新增住户", "new household"),
            Self::Household { .. } => ("修改住户", "household edit"),
            Self::Visit { .. } => ("走访", "visit"),
            Self::IdNumber { .. } => ("证件号码", "ID number"),
        };
        Words { zh, en }
    }

    /// Every value that was typed, with its field's name. Of a person's field the person comes first.
    #[must_use]
    pub fn values(&self) -> Vec<(String, String)> {
        match self {
            Self::Actions { actions } => actions.iter().flat_map(|action| named(&action.fields)).collect(),
            Self::Household { edits } => edits.iter().flat_map(edited).collect(),
            Self::Visit { visit } => named(visit),
            Self::IdNumber { masked } => vec![("id_no".to_owned(), masked.clone())],
        }
    }
}

fn edited(edit: &HouseholdEdit) -> Vec<(String, String)> {
    let of = |person: Option<&dyn std::fmt::Display>, name: &str, value: &Value| {
        let name = person.map_or_else(|| name.to_owned(), |person| format!("{person}.{name}"));
        let value = match value {
            Value::Null => String::new(),
            Value::Bool(yes) => yes.to_string(),
            Value::Int(number) => number.to_string(),
            Value::Text(text) => text.clone(),
        };
        (name, value)
    };
    match edit {
        HouseholdEdit::Create(fields) => fields.iter().map(|(name, value)| of(None, name, value)).collect(),
        HouseholdEdit::Set(name, value) => vec![of(None, name, value)],
        HouseholdEdit::AddPerson(person, fields) => fields.iter().map(|(name, value)| of(Some(person), name, value)).collect(),
        HouseholdEdit::SetPerson(person, name, value) => vec![of(Some(person), name, value)],
    }
}

/// The fields of a form that are set, by name.
fn named(form: &impl Serialize) -> Vec<(String, String)> {
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(form) else {
        return Vec::new();
    };
    let said = fields.into_iter().filter(|(_, value)| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
    said.map(|(name, value)| (name, value.as_str().map_or_else(|| value.to_string(), str::to_owned))).collect()
}

/// What a row of own work says, as far as it is still here.
pub(super) fn of_row(db: &Connection, row: &OwnRow) -> Result<Option<Typed>, StoreError> {
    let Some(id) = row.fact else {
        return Ok(row.command.as_deref().map(meta::decode::<Command>).transpose()?.map(of_command));
    };
    let Some(Fact { kind, body: Body::Held(body), .. }) = outbox::fact(db, id)? else {
        return Ok(None);
    };
    Ok(match kind {
        FactKind::Visit => minicbor::decode(&body).ok().map(|visit| Typed::Visit { visit }),
        FactKind::Sensitive => {
            let value = body.get(policy::SALT_BYTES..).map(String::from_utf8_lossy);
            value.map(|value| Typed::IdNumber { masked: mask::id_no(&value) })
        }
        _ => None,
    })
}

fn of_command(command: Command) -> Typed {
    match command {
        Command::Act(actions) => {
            Typed::Actions { actions: actions.into_iter().map(|action| TypedAction { kind: action.kind, fields: action.fields }).collect() }
        }
        Command::EditHousehold(edits) => Typed::Household { edits },
    }
}

/// What the author can do about a row of own work. Giving it up is his alone, so it is always among these where anything is.
/// `there`: whether its record is on this phone; a household's fields cannot be written without it.
pub(super) fn remedies(row: &OwnRow, typed: Option<&Typed>, there: bool) -> Vec<Remedy> {
    let fits = |edits: &[HouseholdEdit]| there || edits.iter().any(|edit| matches!(edit, HouseholdEdit::Create(_)));
    let correctable = match typed {
        Some(Typed::Actions { actions }) => actions.len() == 1,
        Some(Typed::Household { edits }) => fits(edits),
        Some(_) => true,
        None => false,
    };
    let note = matches!(typed, Some(Typed::Actions { actions }) if actions.iter().all(|action| action.kind != ActionKind::Report));
    let here = match typed {
        Some(Typed::Household { edits }) => fits(edits),
        _ => row.command.is_some() || row.fact.is_some(),
    };
    let (redo, undecided) = match row.standing {
        Standing::Refused | Standing::Decide => (here, true),
        Standing::Waiting | Standing::Quarantined => (here, false),
        Standing::Redo => (false, false),
        _ => return Vec::new(),
    };
    let offered = [(Remedy::Redo, redo), (Remedy::Correct, correctable), (Remedy::Note, note && undecided), (Remedy::Discard, undecided)];
    offered.into_iter().filter_map(|(remedy, can)| can.then_some(remedy)).collect()
}

/// What was typed on a record and is not in it: refused, or for its author to decide about.
pub(super) fn undecided(db: &Connection, doc: DocId) -> Result<Vec<Typed>, StoreError> {
    let query = format!("SELECT {} FROM own WHERE doc = ?1 AND status IN {} ORDER BY n", own::COLUMNS, own::UNDECIDED);
    let rows = db.prepare_cached(&query)?.query_map(params![doc.as_bytes()], OwnRow::read)?.collect::<Result<Vec<_>, _>>()?;
    rows.iter().filter_map(|row| of_row(db, row).transpose()).collect()
}

/// Words of what is undecided about a record, for the search.
pub(super) fn texts(undecided: &[Typed]) -> Vec<String> {
    undecided.iter().flat_map(Typed::values).map(|(_, value)| value).filter(|value| !value.is_empty()).collect()
}

/// A household of which nothing is left but what was refused: it stays visible, with its reason.
pub(super) fn household(undecided: &[Typed]) -> Household {
    let mut household = Household::default();
    for edit in undecided.iter().flat_map(|typed| if let Typed::Household { edits } = typed { edits.as_slice() } else { &[] }) {
        match edit.clone() {
            HouseholdEdit::Create(fields) => household.fields.extend(fields),
            HouseholdEdit::Set(name, value) => drop(household.fields.insert(name, value)),
            HouseholdEdit::AddPerson(person, fields) => household.persons.entry(person).or_default().extend(fields),
            HouseholdEdit::SetPerson(person, name, value) => drop(household.persons.entry(person).or_default().insert(name, value)),
        }
    }
    household
}
