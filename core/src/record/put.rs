//! One scalar under one key: all that a change after genesis is made of, and what it means.

use automerge::ScalarValue;

use super::genesis::Container;
use super::limits;
use crate::domain::action::Action;
use crate::domain::household::{self, FieldSpec, Fields, Sensitivity, TAG_PREFIX, Value};
use crate::domain::id::{ActionId, FactId, PersonId};

/// The root key of a household's base.
pub(super) const BASE: &str = "base";
/// Length of a person's UUID at the start of a key.
const UUID: usize = 36;

/// One scalar under one key of one container.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Put {
    pub(super) container: Container,
    pub(super) key: String,
    pub(super) value: ScalarValue,
}

/// What a put says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Meaning {
    Action(ActionId, Box<Action>),
    Base(Fields),
    Field(String, Value),
    Person(PersonId, Fields),
    PersonField(PersonId, String, Value),
}

impl Put {
    pub(super) fn action(stored: Vec<u8>) -> Self {
        Self { container: Container::Actions, key: ActionId::of(&stored).to_string(), value: ScalarValue::Bytes(stored) }
    }

    pub(super) fn base(fields: &Fields) -> Self {
        Self { container: Container::Root, key: BASE.to_owned(), value: ScalarValue::Bytes(base_bytes(fields)) }
    }

    pub(super) fn field(name: &str, value: &Value) -> Self {
        Self { container: Container::Fields, key: name.to_owned(), value: scalar(value) }
    }

    pub(super) fn person(id: PersonId, fields: &Fields) -> Self {
        Self { container: Container::Persons, key: id.to_string(), value: ScalarValue::Bytes(base_bytes(fields)) }
    }

    pub(super) fn person_field(id: PersonId, name: &str, value: &Value) -> Self {
        Self { container: Container::Persons, key: format!("{id}.{name}"), value: scalar(value) }
    }

    /// What it says, if it is what a typed command of this or a newer version writes.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn meaning(&self) -> Result<Meaning, &'static str> {
        match (self.container, &self.value) {
            (Container::Actions, ScalarValue::Bytes(stored)) => {
                fits(stored)?;
                let id = ActionId::of(stored);
                if self.key.parse() != Ok(id) {
                    return Err("an action's key is not the hash of its bytes");
                }
                Ok(Meaning::Action(id, Box::new(whole(stored).ok_or("not an action")?)))
            }
            (Container::Root, ScalarValue::Bytes(stored)) if self.key == BASE => Ok(Meaning::Base(base(stored, household::household_field)?)),
            (Container::Fields, scalar) => {
                let value = value(scalar).ok_or("a field's value is of no known type")?;
                check(&self.key, &value, household::household_field)?;
                Ok(Meaning::Field(self.key.clone(), value))
            }
            (Container::Persons, scalar) => {
                let (id, field) = person_key(&self.key).ok_or("not a person's key")?;
                match (field, scalar) {
                    (None, ScalarValue::Bytes(stored)) => Ok(Meaning::Person(id, base(stored, household::person_field)?)),
                    (Some(name), scalar) => {
                        let value = value(scalar).ok_or("a field's value is of no known type")?;
                        check(name, &value, household::person_field)?;
                        Ok(Meaning::PersonField(id, name.to_owned(), value))
                    }
                    _ => Err("a person's base is not bytes"),
                }
            }
            _ => Err("a key that no command writes"),
        }
    }

    /// What must have been created before it: a household before its fields and persons, a person before his fields.
    pub(super) fn rests_on(&self) -> Option<(Container, &str)> {
        match self.container {
            Container::Root | Container::Actions => None,
            Container::Persons if !self.once() => Some((Container::Persons, self.key.get(..UUID)?)),
            Container::Fields | Container::Persons => Some((Container::Root, BASE)),
        }
    }

    /// Whether it is written once and never again.
    pub(super) fn once(&self) -> bool {
        matches!(self.value, ScalarValue::Bytes(_))
    }
}

/// A person's key, read: whose it is, and which field.
pub(super) fn person_key(key: &str) -> Option<(PersonId, Option<&str>)> {
    let (id, rest) = key.split_at_checked(UUID)?;
    let person: PersonId = id.parse().ok()?;
    let field = match rest {
        "" => None,
        rest => Some(rest.strip_prefix('.')?),
    };
    // One person has one key: a UUID in capitals would be a second.
    (person.to_string() == id).then_some((person, field))
}

/// The scalar of a field's value.
fn scalar(value: &Value) -> ScalarValue {
    match value {
        Value::Null => ScalarValue::Null,
        Value::Bool(yes) => ScalarValue::Boolean(*yes),
        Value::Int(number) => ScalarValue::Int(*number),
        Value::Text(text) => ScalarValue::Str(text.as_str().into()),
    }
}

/// The field's value of a scalar; `None` for a type that fields do not have.
pub(super) fn value(scalar: &ScalarValue) -> Option<Value> {
    Some(match scalar {
        ScalarValue::Null => Value::Null,
        ScalarValue::Boolean(yes) => Value::Bool(*yes),
        ScalarValue::Int(number) => Value::Int(*number),
        ScalarValue::Str(text) => Value::Text(text.to_string()),
        _ => return None,
    })
}

/// Checks a field's name and value. A name that this version does not know may come from a newer one, and has limits of its own.
pub(super) fn check(name: &str, value: &Value, spec: fn(&str) -> Option<FieldSpec>) -> Result<(), &'static str> {
    let spec = spec(name);
    if spec.is_none() && !plausible(name) {
        return Err("not a field's name");
    }
    if name.starts_with(TAG_PREFIX) && !matches!(value, Value::Bool(_) | Value::Null) {
        return Err("a tag is true, false or cleared");
    }
    let Value::Text(text) = value else {
        return Ok(());
    };
    if text.chars().count() > spec.map_or(limits::MAX_UNKNOWN_TEXT, |spec| spec.max_chars) {
        return Err("a field's text is too long");
    }
    // A sensitive value in the document itself could never be erased.
    if spec.is_some_and(|spec| spec.sensitivity == Sensitivity::S3) && text.parse::<FactId>().is_err() {
        return Err("a sensitive field names a fact and does not hold the value");
    }
    Ok(())
}

fn plausible(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= limits::MAX_FIELD_NAME
        && !name.starts_with(TAG_PREFIX)
        && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.'))
}

fn base_bytes(fields: &Fields) -> Vec<u8> {
    minicbor::to_vec(fields).expect("encoding into memory does not fail")
}

fn base(stored: &[u8], spec: fn(&str) -> Option<FieldSpec>) -> Result<Fields, &'static str> {
    fits(stored)?;
    let fields = fields(stored).ok_or("not a base")?;
    if fields.len() > limits::MAX_FIELDS {
        return Err("a base has too many fields");
    }
    fields.iter().try_for_each(|(name, value)| check(name, value, spec))?;
    Ok(fields)
}

/// Reads a base, leaving aside values of kinds that a newer version added.
pub(super) fn fields(stored: &[u8]) -> Option<Fields> {
    let mut decoder = minicbor::Decoder::new(stored);
    let mut fields = Fields::new();
    for _ in 0..decoder.map().ok()?? {
        let name = decoder.str().ok()?;
        if let Ok(value) = decoder.probe().decode() {
            fields.insert(name.to_owned(), value);
        }
        decoder.skip().ok()?;
    }
    (decoder.position() == stored.len()).then_some(fields)
}

fn fits(stored: &[u8]) -> Result<(), &'static str> {
    if stored.len() > limits::MAX_VALUE { Err("a value is too long") } else { Ok(()) }
}

fn whole<'b, T: minicbor::Decode<'b, ()>>(stored: &'b [u8]) -> Option<T> {
    let mut decoder = minicbor::Decoder::new(stored);
    let value = decoder.decode().ok()?;
    (decoder.position() == stored.len()).then_some(value)
}
