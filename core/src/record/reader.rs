//! The tolerant reader: what this version knows of a record. What a newer version added stays in the document and is left aside.

use std::collections::BTreeMap;

use automerge::{Automerge, ReadDoc, ScalarValue, ScalarValueRef, ValueRef};

use super::genesis::Container;
use super::put::{self, BASE, Put};
use crate::domain::action::Action;
use crate::domain::household::{Alternative, Fields, Household, Value};
use crate::domain::id::ActionId;

/// How many actions a case has, also such as this version cannot read.
pub(super) fn actions(doc: &Automerge) -> usize {
    doc.length(Container::Actions.object())
}

/// A case's actions, as far as this version can read them.
pub(super) fn case(doc: &Automerge) -> BTreeMap<ActionId, Action> {
    let mut actions = BTreeMap::new();
    for entry in doc.map_range(Container::Actions.object(), ..) {
        let ValueRef::Scalar(ScalarValueRef::Bytes(stored)) = &entry.value else {
            continue;
        };
        let id = ActionId::of(stored);
        if entry.key.parse() == Ok(id)
            && let Ok(action) = Action::from_bytes(stored)
        {
            actions.insert(id, action);
        }
    }
    actions
}

/// A household: bases with later edits over them.
pub(super) fn household(doc: &Automerge) -> Household {
    let mut household = Household { fields: base(doc, Container::Root, BASE).unwrap_or_default(), ..Household::default() };
    for entry in doc.map_range(Container::Fields.object(), ..) {
        let Some(value) = value(&entry.value) else {
            continue;
        };
        if entry.conflict {
            let values = others(doc, Container::Fields, &entry.key, &value);
            note(&mut household.alternatives, Alternative { person: None, field: entry.key.to_string(), values });
        }
        household.fields.insert(entry.key.into_owned(), value);
    }
    // A person's base sorts before his fields, because its key is the start of theirs.
    for entry in doc.map_range(Container::Persons.object(), ..) {
        match put::person_key(&entry.key) {
            Some((id, None)) => {
                if let ValueRef::Scalar(ScalarValueRef::Bytes(stored)) = &entry.value
                    && let Some(fields) = put::fields(stored)
                {
                    household.persons.insert(id, fields);
                }
            }
            Some((id, Some(name))) => {
                let Some(value) = value(&entry.value) else {
                    continue;
                };
                if entry.conflict {
                    let values = others(doc, Container::Persons, &entry.key, &value);
                    note(&mut household.alternatives, Alternative { person: Some(id), field: name.to_owned(), values });
                }
                household.persons.entry(id).or_default().insert(name.to_owned(), value);
            }
            None => {}
        }
    }
    household
}

/// The base under a key.
pub(super) fn base(doc: &Automerge, container: Container, key: &str) -> Option<Fields> {
    match get(doc, container, key)? {
        ScalarValue::Bytes(stored) => put::fields(&stored),
        _ => None,
    }
}

/// The scalar under a key.
pub(super) fn get(doc: &Automerge, container: Container, key: &str) -> Option<ScalarValue> {
    match doc.get(container.object(), key).ok()?? {
        (automerge::Value::Scalar(scalar), _) => Some(scalar.into_owned()),
        (automerge::Value::Object(_), _) => None,
    }
}

/// Whether the put's key says the put's value already and nothing beside it; `base` is what is said where nothing was ever put.
pub(super) fn says(doc: &Automerge, put: &Put, base: &Value) -> bool {
    let Ok(values) = doc.get_all(put.container.object(), put.key.as_str()) else {
        return false;
    };
    match values.as_slice() {
        [] => put::value(&put.value).as_ref() == Some(base),
        [(automerge::Value::Scalar(scalar), _)] => scalar.as_ref() == &put.value,
        _ => false,
    }
}

/// The winner among concurrent values of a field is Automerge's: the same on every replica, but decided by its operation counter. `domain.md`
/// §4.5 wants the author's rank and then the tie hash; a document does not say who stands behind an actor, so whoever does know decides
/// between the value and its [`Alternative`]s. Both are always here.
fn others(doc: &Automerge, container: Container, key: &str, winner: &Value) -> Vec<Value> {
    let mut others = Vec::new();
    for (found, _) in doc.get_all(container.object(), key).unwrap_or_default() {
        if let automerge::Value::Scalar(scalar) = found
            && let Some(value) = put::value(&scalar)
            && value != *winner
            && !others.contains(&value)
        {
            others.push(value);
        }
    }
    others
}

fn note(alternatives: &mut Vec<Alternative>, alternative: Alternative) {
    if !alternative.values.is_empty() {
        alternatives.push(alternative);
    }
}

fn value(value: &ValueRef<'_>) -> Option<Value> {
    let ValueRef::Scalar(scalar) = value else {
        return None;
    };
    Some(match scalar {
        ScalarValueRef::Null => Value::Null,
        ScalarValueRef::Boolean(yes) => Value::Bool(*yes),
        ScalarValueRef::Int(number) => Value::Int(*number),
        ScalarValueRef::Str(text) => Value::Text(text.to_string()),
        _ => return None,
    })
}
