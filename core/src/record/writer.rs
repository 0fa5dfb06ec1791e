//! Typed commands as puts: exactly what differs, so that nobody's edit is reverted by a form that was opened before it.

use std::collections::BTreeMap;

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, ReadDoc, ScalarValue};

use super::genesis::Container;
use super::put::{self, BASE, Put};
use super::{Command, RecordError, guarded, reader};
use crate::domain::action::Action;
use crate::domain::household::{self, Fields, HouseholdEdit, Value};
use crate::domain::id::{Incarnation, PersonId};

/// The puts that carry out a command, without what the document says already.
pub(super) fn plan(doc: &Automerge, command: &Command) -> Result<Vec<Put>, RecordError> {
    match command {
        Command::Act(actions) => act(doc, actions),
        Command::EditHousehold(edits) => HouseholdPlan::new(doc).edits(edits),
    }
}

/// A copy of the document with these puts in it as one change of `actor`; `None` when Automerge would not, or panicked.
pub(super) fn commit(doc: &Automerge, actor: Incarnation, puts: &[Put], time_s: i64) -> Option<(Automerge, automerge::Change)> {
    guarded(|| {
        let mut doc = doc.clone().with_actor(ActorId::from(*actor.as_bytes()));
        let mut transaction = doc.transaction();
        for put in puts {
            let object = put.container.object();
            let held = transaction.get_all(&object, put.key.as_str()).ok()?;
            // Putting again what has won already makes Automerge delete what lost, and a concurrent third value would then win without a trace of
            // who confirmed the first. Through another value it stays a put.
            if held.len() > 1 && held.last().is_some_and(|(winner, _)| winner.as_scalar() == Some(&put.value)) {
                transaction.put(&object, put.key.as_str(), if put.value.is_null() { false.into() } else { ScalarValue::Null }).ok()?;
            }
            transaction.put(&object, put.key.as_str(), put.value.clone()).ok()?;
        }
        let (hash, _) = transaction.commit_with(CommitOptions::default().with_time(time_s));
        let change = doc.get_change_by_hash(&hash?)?;
        Some((doc, change))
    })?
}

fn act(doc: &Automerge, actions: &[Action]) -> Result<Vec<Put>, RecordError> {
    let mut puts = BTreeMap::new();
    let mut order = Vec::new();
    for action in actions {
        let put = Put::action(action.to_bytes());
        put.meaning().map_err(RecordError::Unfit)?;
        if reader::get(doc, put.container, &put.key).is_none() && !puts.contains_key(&put.key) {
            order.push(put.key.clone());
            puts.insert(put.key.clone(), put);
        }
    }
    Ok(order.iter().filter_map(|key| puts.remove(key)).collect())
}

/// What a list of edits comes to. An edit of what an earlier one in the list already set takes its place.
struct HouseholdPlan<'a> {
    doc: &'a Automerge,
    base: Option<Fields>,
    persons: BTreeMap<PersonId, Fields>,
    puts: Vec<Put>,
    places: BTreeMap<(Container, String), usize>,
}

impl<'a> HouseholdPlan<'a> {
    fn new(doc: &'a Automerge) -> Self {
        Self { doc, base: reader::base(doc, Container::Root, BASE), persons: BTreeMap::new(), puts: Vec::new(), places: BTreeMap::new() }
    }

    fn edits(mut self, edits: &[HouseholdEdit]) -> Result<Vec<Put>, RecordError> {
        for edit in edits {
            match edit {
                HouseholdEdit::Create(fields) => self.create(fields)?,
                HouseholdEdit::Set(name, value) => self.set(name, value)?,
                HouseholdEdit::AddPerson(id, fields) => self.add_person(*id, fields)?,
                HouseholdEdit::SetPerson(id, name, value) => self.set_person(*id, name, value)?,
            }
        }
        let Self { doc, base, persons, mut puts, .. } = self;
        puts.retain(|put| {
            put.once() || {
                let said = match put::person_key(&put.key) {
                    Some((id, Some(name))) if put.container == Container::Persons => persons.get(&id).and_then(|base| base.get(name)),
                    _ => base.as_ref().and_then(|base| base.get(&put.key)),
                };
                !reader::says(doc, put, said.unwrap_or(&Value::Null))
            }
        });
        Ok(puts)
    }

    fn create(&mut self, fields: &Fields) -> Result<(), RecordError> {
        if let Some(base) = &self.base {
            return same(base, fields, "the household has been created already, with other fields");
        }
        known(fields, household::household_field, "not a field of a household")?;
        self.put(Put::base(fields))?;
        self.base = Some(fields.clone());
        Ok(())
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), RecordError> {
        if self.base.is_none() {
            return Err(RecordError::Unfit("the household has not been created here"));
        }
        if household::household_field(name).is_none() {
            return Err(RecordError::Unfit("not a field of a household"));
        }
        self.put(Put::field(name, value))
    }

    fn add_person(&mut self, id: PersonId, fields: &Fields) -> Result<(), RecordError> {
        if self.base.is_none() {
            return Err(RecordError::Unfit("the household has not been created here"));
        }
        if let Some(base) = self.person(id) {
            return same(base, fields, "the person has been added already, with other fields");
        }
        known(fields, household::person_field, "not a field of a person")?;
        self.put(Put::person(id, fields))?;
        self.persons.insert(id, fields.clone());
        Ok(())
    }

    fn set_person(&mut self, id: PersonId, name: &str, value: &Value) -> Result<(), RecordError> {
        if self.person(id).is_none() {
            return Err(RecordError::Unfit("the person is not in this household"));
        }
        if household::person_field(name).is_none() {
            return Err(RecordError::Unfit("not a field of a person"));
        }
        self.put(Put::person_field(id, name, value))
    }

    /// The person's base, read once.
    fn person(&mut self, id: PersonId) -> Option<&Fields> {
        if !self.persons.contains_key(&id) {
            self.persons.insert(id, reader::base(self.doc, Container::Persons, &id.to_string())?);
        }
        self.persons.get(&id)
    }

    fn put(&mut self, put: Put) -> Result<(), RecordError> {
        put.meaning().map_err(RecordError::Unfit)?;
        match self.places.get(&(put.container, put.key.clone())) {
            Some(place) => self.puts[*place] = put,
            None => {
                self.places.insert((put.container, put.key.clone()), self.puts.len());
                self.puts.push(put);
            }
        }
        Ok(())
    }
}

/// Creating again what is there is a redo, and changes nothing; creating something else in its place is a mistake.
fn same(base: &Fields, fields: &Fields, otherwise: &'static str) -> Result<(), RecordError> {
    if base == fields { Ok(()) } else { Err(RecordError::Unfit(otherwise)) }
}

fn known(fields: &Fields, spec: fn(&str) -> Option<household::FieldSpec>, otherwise: &'static str) -> Result<(), RecordError> {
    if fields.keys().all(|name| spec(name).is_some()) { Ok(()) } else { Err(RecordError::Unfit(otherwise)) }
}
