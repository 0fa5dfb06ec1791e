//! What an author decides about own work that the centre did not let in, or keeps aside: sent again as it was, sent with other values, sent as a note, or
//! given up. Nobody else gives anything up.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::document::Document;
use super::meta::{self, Renew};
use super::observe::Touched;
use super::own::{self, OwnRow, Standing};
use super::typed::Correction;
use super::write::{compose, creates, gather, project_again, save, store_fact, unlocked};
use super::{Context, SaveError, Saved, Store, StoreError, outbox, project, purge, rebuild};
use crate::domain::action::{Action, ActionKind, Fields};
use crate::domain::case::{self, Case, RULES};
use crate::domain::fact::{Body, Fact, FactKind};
use crate::domain::form;
use crate::domain::household::{self, HouseholdEdit, Value};
use crate::domain::id::{DocId, FactId, Hash, PersonId};
use crate::domain::policy;
use crate::env::random;
use crate::record::{Command, RecordKind};

impl Store {
    /// Gives up an edit of a record that was refused, or that a person has to decide about.
    ///
    /// # Errors
    /// [`SaveError::NoSuchRecord`] when no such edit waits for a decision.
    pub fn discard(&self, doc: DocId, edit: Hash) -> Result<(), SaveError> {
        self.saving(|db, context, touched| {
            let row = find(db, doc, edit, own::UNDECIDED)?;
            own::set(db, row.n, Standing::Discarded, None, None)?;
            if let Some(fact) = row.fact {
                purge::given_up(db, fact)?;
                touched.visits = true;
            }
            project_again(db, context, doc, touched)
        })
    }

    /// Sends what was refused as a supplement to the case, in words, and gives up the edit itself.
    ///
    /// # Errors
    /// [`SaveError::NoSuchRecord`] when no such edit of a case waits for a decision, or the centre does not have the case; otherwise as [`Store::save`].
    pub fn send_as_note(&self, doc: DocId, edit: Hash) -> Result<Saved, SaveError> {
        self.saving(|db, context, touched| {
            let identity = context.identity.as_ref().ok_or(SaveError::NotEnrolled)?;
            let row = find(db, doc, edit, own::UNDECIDED)?;
            let Command::Act(actions) = command(&row)? else {
                return Err(SaveError::NoSuchRecord);
            };
            // A supplement to a case that the centre does not have would be refused as well.
            let opens = actions.iter().any(|action| action.kind == ActionKind::Report);
            if opens && !Document::find(db, doc)?.is_some_and(|document| document.is_confirmed()) {
                return Err(SaveError::NoSuchRecord);
            }
            gather(db, self, context, doc, touched)?;
            let notes = words(&actions)
                .into_iter()
                .map(|text| compose(db, self, identity, doc, ActionKind::Supplement, Fields { text: Some(text), ..Fields::default() }))
                .collect::<Result<Vec<_>, _>>()?;
            own::set(db, row.n, Standing::Discarded, None, None)?;
            save(db, self, context, doc, &Command::Act(notes), None, touched)
        })
    }

    /// Sends own work again as it was typed: over the record as it stands, under the authorisation in force, with the edit id that it had. So it is there
    /// once, should the centre have it after all.
    ///
    /// # Errors
    /// [`SaveError::NoSuchRecord`] when there is no such work, or it is on its way or received; otherwise as [`Store::save`].
    pub fn redo(&self, doc: DocId, edit: Hash) -> Result<Saved, SaveError> {
        self.saving(|db, context, touched| again(db, self, context, (doc, edit), None, touched))
    }

    /// Sends own work with other values in place of those that were typed. What was typed first stays in the history.
    ///
    /// # Errors
    /// As [`Store::redo`]; also where the values are those of another form.
    pub fn correct(&self, doc: DocId, edit: Hash, correction: Correction) -> Result<Saved, SaveError> {
        self.saving(|db, context, touched| again(db, self, context, (doc, edit), Some(correction), touched))
    }
}

/// Standings from which work can be sent again, for SQL.
const REPEATABLE: &str = "(3, 4, 5, 6, 7)";

fn again(
    db: &Connection,
    store: &Store,
    context: &Context,
    (doc, edit): (DocId, Hash),
    correction: Option<Correction>,
    touched: &mut Touched,
) -> Result<Saved, SaveError> {
    let row = find(db, doc, edit, REPEATABLE)?;
    if let Some(fact) = row.fact {
        return state_again(db, store, context, (doc, fact), row, correction, touched);
    }
    let typed = command(&row)?;
    let (wanted, edit) = match correction {
        Some(correction) => (corrected(typed, correction)?, None),
        None => (typed, Some(row.edit)),
    };
    // What is over the record still, or waits to be done again there, is done again in a rebuild.
    if row.raw.is_some() || row.standing == Standing::Redo {
        return later(db, context, doc, row, &wanted, edit, touched);
    }
    let document = Document::find(db, doc)?;
    let bare = document.as_ref().is_none_or(Document::is_bare);
    let wanted = match wanted {
        // Of a record that is not here, what the author had seen then is all that is known.
        Command::Act(actions) if document.is_none() && !opens(&actions) => Command::Act(actions),
        Command::Act(actions) => Command::Act(authored(db, store, context, doc, actions, bare, touched)?),
        edits @ Command::EditHousehold(_) => edits,
    };
    if document.is_none() && matches!(wanted, Command::EditHousehold(_)) && !creates(&wanted) {
        // A household's fields cannot be written without it.
        return Err(SaveError::NoSuchRecord);
    }
    if document.is_none() {
        // It goes when its author's work is delivered, unless a stream brings it.
        let document = Document::open(db, doc, RecordKind::from_code(row.kind))?;
        db.prepare_cached("UPDATE documents SET leaving = 1 WHERE n = ?1")?.execute([document.n])?;
    }
    replaced(db, row.n)?;
    save(db, store, context, doc, &wanted, edit, touched)
}

/// The actions anew, by their author as he is authorised now and with what he has seen now.
fn authored(
    db: &Connection,
    store: &Store,
    context: &Context,
    doc: DocId,
    actions: Vec<Action>,
    bare: bool,
    touched: &mut Touched,
) -> Result<Vec<Action>, SaveError> {
    let identity = context.identity.as_ref().ok_or(SaveError::NotEnrolled)?;
    if bare && opens(&actions) {
        let (draft, stamp) = (Case::draft(doc), store.inner.env.stamp());
        let compose = |action: Action| case::compose(&draft, identity.grant.author(), stamp, action.kind, action.fields, RULES).action;
        return Ok(actions.into_iter().map(compose).collect());
    }
    gather(db, store, context, doc, touched)?;
    actions.into_iter().map(|action| compose(db, store, identity, doc, action.kind, action.fields)).collect()
}

fn opens(actions: &[Action]) -> bool {
    actions.iter().any(|action| action.kind == ActionKind::Report)
}

/// Leaves it to the next rebuild, which takes what is there out of the record first.
fn later(db: &Connection, context: &Context, doc: DocId, row: OwnRow, wanted: &Command, edit: Option<Hash>, touched: &mut Touched) -> Result<Saved, SaveError> {
    let edit = match edit {
        Some(edit) => {
            db.prepare_cached("UPDATE own SET status = 4, attempt = 0, reason = NULL WHERE n = ?1")?.execute([row.n])?;
            edit
        }
        None => {
            let command = meta::encode(wanted);
            // No change carries it yet that could give it its id.
            let edit = Hash::of(&[b"fieldgrid correction\0", &row.edit.0, &command]);
            db.prepare_cached("UPDATE own SET status = 8 WHERE n = ?1")?.execute([row.n])?;
            OwnRow { edit, change: edit, raw: None, command: Some(command), standing: Standing::Redo, attempt: 0, ..row }.insert(db)?;
            edit
        }
    };
    rebuild::set_renew(db, Renew::Refused)?;
    touched.status = true;
    project_again(db, context, doc, touched)?;
    Ok(Saved { doc, edit })
}

/// A fact again: the same, or another in its place that happened at the same time.
fn state_again(
    db: &Connection,
    store: &Store,
    context: &Context,
    (doc, fact): (DocId, FactId),
    row: OwnRow,
    correction: Option<Correction>,
    touched: &mut Touched,
) -> Result<Saved, SaveError> {
    let identity = context.identity.as_ref().ok_or(SaveError::NotEnrolled)?;
    unlocked(db, store)?;
    let stated = outbox::fact(db, fact)?.ok_or(SaveError::NoSuchRecord)?;
    let area = stated.area;
    let env = store.inner.env.as_ref();
    let body = match (stated.kind, correction) {
        (_, None) => None,
        (FactKind::Visit, Some(Correction::Visit(visit))) => {
            form::visit(&visit)?;
            Some(meta::encode(&visit))
        }
        (FactKind::Sensitive, Some(Correction::IdNumber(value))) => {
            form::id_number(&value)?;
            Some([&random::<{ policy::SALT_BYTES }>(env)[..], value.as_bytes()].concat())
        }
        (_, Some(_)) => return Err(SaveError::NoSuchRecord),
    };
    let next = match &body {
        Some(body) => Fact { id: FactId::new(env.stamp().wall_ms, random(env)), body: Body::Held(body.clone()), ..stated },
        None => stated,
    };
    if let Some(area) = area {
        policy::may_state(&identity.grant, area, &next).map_err(SaveError::Refused)?;
    }
    let hash = next.hash();
    let (kind, id) = (next.kind, next.id);
    replaced(db, row.n)?;
    store_fact(db, &next, hash, touched)?;
    OwnRow { edit: hash, change: hash, fact: Some(id), standing: Standing::New, attempt: 0, positions: None, ..row }.insert(db)?;
    if body.is_some() && kind == FactKind::Sensitive {
        name_again(db, store, context, doc, (fact, id), touched)?;
    }
    if body.is_some() {
        db.prepare_cached("DELETE FROM visits WHERE fact = ?1")?.execute([fact.as_bytes()])?;
    }
    project::delivery(db, doc, touched)?;
    touched.visits = true;
    project_again(db, context, doc, touched)?;
    Ok(Saved { doc, edit: hash })
}

/// The household names another fact in place of one.
fn name_again(db: &Connection, store: &Store, context: &Context, doc: DocId, (before, now): (FactId, FactId), touched: &mut Touched) -> Result<(), SaveError> {
    let query = format!("SELECT {} FROM own WHERE doc = ?1 AND command IS NOT NULL AND status <> 8 ORDER BY n DESC", own::COLUMNS);
    let rows = db.prepare_cached(&query)?.query_map([doc.as_bytes()], OwnRow::read)?.collect::<Result<Vec<_>, _>>()?;
    let named = rows.into_iter().find_map(|row| Some((named(&command(&row).ok()?, before)?, row)));
    let ((person, field), row) = named.ok_or(SaveError::NoSuchRecord)?;
    let edit = Command::EditHousehold(vec![HouseholdEdit::SetPerson(person, field, Value::Text(now.to_string()))]);
    match row.standing {
        Standing::Waiting | Standing::Quarantined | Standing::Redo => return later(db, context, doc, row, &edit, None, touched).map(drop),
        Standing::Refused | Standing::Decide => replaced(db, row.n)?,
        _ => {}
    }
    save(db, store, context, doc, &edit, None, touched).map(drop)
}

/// The person and the field that a command gives a fact to.
fn named(command: &Command, fact: FactId) -> Option<(PersonId, String)> {
    let Command::EditHousehold(edits) = command else { return None };
    let name = Value::Text(fact.to_string());
    edits.iter().find_map(|edit| match edit {
        HouseholdEdit::SetPerson(person, field, value) if *value == name => Some((*person, field.clone())),
        _ => None,
    })
}

/// The command with other values.
fn corrected(typed: Command, correction: Correction) -> Result<Command, SaveError> {
    match (typed, correction) {
        (Command::Act(mut actions), Correction::Fields(fields)) if actions.len() == 1 => {
            actions.iter_mut().for_each(|action| action.fields = (*fields).clone());
            Ok(Command::Act(actions))
        }
        (Command::EditHousehold(before), Correction::Household(edits)) => Ok(Command::EditHousehold(reshaped(&before, edits))),
        _ => Err(SaveError::NoSuchRecord),
    }
}

/// A form's values in the shape in which the household needs them: what creates it, or a person, does so again.
fn reshaped(before: &[HouseholdEdit], edits: Vec<HouseholdEdit>) -> Vec<HouseholdEdit> {
    let creates = before.iter().any(|edit| matches!(edit, HouseholdEdit::Create(_)));
    let adds = |person: &PersonId| before.iter().any(|edit| matches!(edit, HouseholdEdit::AddPerson(added, _) if added == person));
    let mut base = household::Fields::new();
    let mut persons: Vec<(PersonId, household::Fields)> = Vec::new();
    let mut single = Vec::new();
    let mut person = |id: PersonId, fields: household::Fields| match persons.iter_mut().find(|(known, _)| *known == id) {
        Some((_, known)) => known.extend(fields),
        None => persons.push((id, fields)),
    };
    for edit in edits {
        match edit {
            HouseholdEdit::Create(fields) => base.extend(fields),
            HouseholdEdit::Set(name, value) if creates => drop(base.insert(name, value)),
            HouseholdEdit::AddPerson(id, fields) => person(id, fields),
            HouseholdEdit::SetPerson(id, name, value) if adds(&id) => person(id, household::Fields::from([(name, value)])),
            edit => single.push(edit),
        }
    }
    let base = creates.then_some(HouseholdEdit::Create(base));
    let persons = persons.into_iter().map(|(id, fields)| HouseholdEdit::AddPerson(id, fields));
    base.into_iter().chain(persons).chain(single).collect()
}

/// Another row carries it from here on. Why it was refused stays in the history.
fn replaced(db: &Connection, n: i64) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE own SET status = 8, raw = NULL WHERE n = ?1")?.execute([n])?;
    Ok(())
}

fn command(row: &OwnRow) -> Result<Command, SaveError> {
    Ok(meta::decode(row.command.as_deref().ok_or(SaveError::NoSuchRecord)?)?)
}

/// Two records whose first saves are equal and of one second share their edit's id, so the record is looked up with it.
fn find(db: &Connection, doc: DocId, edit: Hash, standings: &str) -> Result<OwnRow, SaveError> {
    db.prepare_cached(&format!("SELECT {} FROM own WHERE edit = ?1 AND doc = ?2 AND status IN {standings} ORDER BY n DESC LIMIT 1", own::COLUMNS))?
        .query_row(params![edit.0, doc.as_bytes()], OwnRow::read)
        .optional()?
        .ok_or(SaveError::NoSuchRecord)
}

/// What actions say, as texts for supplements: the kind's name and every word typed, so that nothing a person wrote is lost by a refusal.
fn words(actions: &[Action]) -> Vec<String> {
    let mut out = String::new();
    for action in actions {
        let f = &action.fields;
        let texts = [&f.title, &f.text, &f.measure, &f.result, &f.reason, &f.reply, &f.observation, &f.conclusion, &f.instruction];
        let said: Vec<&str> = texts.into_iter().filter_map(|text| text.as_deref()).collect();
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&format!("[{}] {}", action.kind, said.join("; ")));
    }
    out.chars().collect::<Vec<_>>().chunks(policy::MAX_TEXT_CHARS).map(|piece| piece.iter().collect()).collect()
}
