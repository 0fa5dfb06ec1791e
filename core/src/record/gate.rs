//! The gate: what a change from another device must pass before it is let in.
//!
//! Sixty-four hostile bytes can take a gigabyte of memory, and 7 % of mutated changes make Automerge 0.12 panic or brick the document. So
//! Automerge never parses what a stranger sent. The change is read by a reader of our own that knows only what a command can write (`chunk`), within
//! limits and without allocating; its sequence, dependencies and actor are checked; its puts are decoded into a typed [`Command`]; and then
//! Automerge itself writes these puts into a copy of the document as the author had it. **The change is let in if that gives the same bytes.**
//! Then it is, to the byte, a change that our own [`Record::write`] makes on this history: operation numbers, predecessors, object ids, encoding and
//! all, and applying, saving and reloading it are as safe as for a change of one's own. The fuzz loop in `core/tests/gate.rs` checks that.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use automerge::{Automerge, ChangeHash, ReadDoc};

use super::chunk::{Chunk, Op};
use super::genesis::{self, Container};
use super::put::{Meaning, Put};
use super::{ChangeInfo, Command, MANY_ACTIONS, Record, RecordKind, guarded, limits, reader, writer};
use crate::domain::household::HouseholdEdit;
use crate::domain::id::{ActionId, Hash, Incarnation};

/// Changes that are taken one by one into what an author had seen. More of them are read together with all the rest.
const MUCH: usize = 8;

/// What the gate lets through.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// Facts about the change.
    pub info: ChangeInfo,
    /// The typed command that the change amounts to: exactly these writes and no others.
    pub command: Command,
    /// The ids of the command's actions, in their order. They are hashes of the stored bytes, in which a newer version may have put more
    /// than `command` shows.
    pub actions: Vec<ActionId>,
    /// The record with the change in it.
    pub record: Record,
}

/// Why a change was not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// Larger than a limit.
    #[error("too large: {0}")]
    TooLarge(&'static str),
    /// Not a change, or one that no command can produce.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// Not written under the expected actor.
    #[error("written under another actor")]
    WrongActor,
    /// Not the actor's next change in this document.
    #[error("change {found} of its actor where {expected} is next")]
    BadSequence {
        /// The next number.
        expected: u64,
        /// The number it has.
        found: u64,
    },
    /// Depends on a change that is not here (yet).
    #[error("depends on {0}, which is not here")]
    UnknownDependency(Hash),
    /// Would overwrite an entry that is written once.
    #[error("an entry that is written once would be overwritten")]
    Rewrite,
    /// The record is at a limit.
    #[error("the record is full: {0}")]
    RecordFull(&'static str),
    /// Already in the record.
    #[error("already in the record")]
    AlreadyHeld,
}

/// Reads what can be known of a raw change without its document, within the limits and without a panic. Only a change that passes is worth
/// loading its document for.
///
/// # Errors
/// [`GateError::TooLarge`] or [`GateError::Malformed`].
pub fn inspect(raw: &[u8]) -> Result<ChangeInfo, GateError> {
    Chunk::read(raw).map(|chunk| chunk.info)
}

/// The ids of the actions that a change puts into a case, as its keys name them; none of a change that no typed command writes.
#[must_use]
pub fn actions(raw: &[u8]) -> Vec<ActionId> {
    let puts = Chunk::read(raw).and_then(|chunk| puts(RecordKind::Case, &chunk)).unwrap_or_default();
    puts.iter().filter(|put| put.container == Container::Actions).filter_map(|put| put.key.parse().ok()).collect()
}

/// Whether changes that this device wrote itself surely go into a record of a kind and these changes, told without making it: each is the next of its author,
/// and all that it depends on is there.
#[must_use]
pub fn follow(kind: RecordKind, held: &[&[u8]], fresh: &[&[u8]]) -> bool {
    let Some(genesis) = genesis::document(kind) else {
        return false;
    };
    let mut known: HashSet<Hash> = genesis.get_heads().iter().map(|head| Hash(head.0)).collect();
    let mut last: BTreeMap<Incarnation, u64> = BTreeMap::new();
    let infos = |raws: &[&[u8]]| raws.iter().map(|raw| inspect(raw).ok()).collect::<Option<Vec<_>>>();
    let (Some(held), Some(fresh)) = (infos(held), infos(fresh)) else {
        return false;
    };
    for info in &held {
        known.insert(info.hash);
        if let Some(actor) = info.actor {
            let last = last.entry(actor).or_default();
            *last = info.seq.max(*last);
        }
    }
    fresh.iter().all(|info| {
        let Some(last) = info.actor.map(|actor| last.entry(actor).or_default()) else {
            return false;
        };
        let next = info.seq == *last + 1 && info.deps.iter().all(|dep| known.contains(dep));
        *last = info.seq;
        known.insert(info.hash);
        next
    })
}

/// Lets a raw change of `actor` into a copy of `record`, or says why not. `record` is untouched; a panic inside Automerge is an error.
///
/// # Errors
/// See [`GateError`].
pub fn admit(record: &Record, raw: &[u8], actor: Incarnation) -> Result<Admitted, GateError> {
    let chunk = Chunk::read(raw)?;
    place(record, &chunk.info, actor)?;
    let puts = puts(record.kind(), &chunk)?;
    if record.kind() == RecordKind::Case && puts.len() > limits::MAX_ACTIONS_PER_CHANGE {
        return Err(GateError::TooLarge(MANY_ACTIONS));
    }
    if let Some(what) = record.full_for(actor, raw.len(), puts.len(), chunk.ops) {
        return Err(GateError::RecordFull(what));
    }
    let (command, actions) = command(record.kind(), &puts)?;
    let stood = at(record, &chunk.info.deps).ok_or(GateError::Malformed("what it depends on cannot be read"))?;
    stands(&stood, &record.doc, &puts)?;
    let (doc, made) = writer::commit(&stood, actor, &puts, chunk.time_s).ok_or(GateError::Malformed("Automerge does not take its values"))?;
    if made.raw_bytes() != raw {
        return Err(GateError::Malformed("not the change that its values make"));
    }
    let record = match stood {
        Cow::Borrowed(_) => record.grown(doc, &made),
        Cow::Owned(_) => record.merged(made, doc).ok_or(GateError::Malformed("it does not fit the document"))?,
    };
    Ok(Admitted { info: chunk.info, command, actions, record })
}

/// The document as an author saw it whose change depends on these.
pub(super) fn at<'a>(record: &'a Record, deps: &[Hash]) -> Option<Cow<'a, Automerge>> {
    let doc = &record.doc;
    let deps: Vec<_> = deps.iter().map(|dep| ChangeHash(dep.0)).collect();
    if within(doc, &deps) {
        return Some(Cow::Borrowed(doc));
    }
    let apart = guarded(|| gone_on(record.apart.as_deref()?, doc, &deps))?;
    apart.map_or_else(|| guarded(|| doc.fork_at(&deps))?.ok(), Some).map(Cow::Owned)
}

/// Whether all of a document is in these and what they rest on.
fn within(doc: &Automerge, deps: &[ChangeHash]) -> bool {
    doc.get_heads().iter().all(|head| deps.contains(head))
}

/// `apart` with what else these of the document rest on; none when that is much, or when not all of `apart` is in it.
fn gone_on(apart: &Automerge, doc: &Automerge, deps: &[ChangeHash]) -> Option<Automerge> {
    let (mut next, mut beyond) = (deps.to_vec(), BTreeMap::new());
    while let Some(hash) = next.pop() {
        if beyond.contains_key(&hash) || apart.get_missing_deps(&[hash]).is_empty() {
            continue;
        }
        if beyond.len() == MUCH {
            return None;
        }
        let change = doc.get_change_by_hash(&hash)?;
        next.extend(change.deps());
        beyond.insert(hash, change);
    }
    let mut apart = apart.clone();
    if !beyond.is_empty() {
        apart.apply_changes(beyond.into_values().collect::<Vec<_>>()).ok()?;
    }
    within(&apart, deps).then_some(apart)
}

/// Whether the record is where the change wants to be.
fn place(record: &Record, info: &ChangeInfo, actor: Incarnation) -> Result<(), GateError> {
    if record.has(info.hash) {
        return Err(GateError::AlreadyHeld);
    }
    if info.actor != Some(actor) {
        return Err(GateError::WrongActor);
    }
    if info.deps.is_empty() {
        return Err(GateError::Malformed("depends on nothing, not even genesis"));
    }
    if let Some(missing) = info.deps.iter().find(|dep| !record.has(**dep)) {
        return Err(GateError::UnknownDependency(*missing));
    }
    let expected = record.sequence(actor) + 1;
    if info.seq != expected {
        return Err(GateError::BadSequence { expected, found: info.seq });
    }
    Ok(())
}

/// The change's operations as puts into the containers of the kind, each key once. Two in a row under one key are how a winner is confirmed
/// (`writer::commit`); whether these are will show when they are made again.
fn puts(kind: RecordKind, chunk: &Chunk<'_>) -> Result<Vec<Put>, GateError> {
    let mut keys = HashSet::new();
    let mut puts: Vec<Put> = Vec::new();
    for op in chunk.ops() {
        let Op { object, key, value } = op?;
        let container = match object {
            None => Container::Root,
            Some(counter) => Container::created_as(kind, counter).ok_or(GateError::Malformed("an object that genesis did not create"))?,
        };
        if keys.insert((container, key)) {
            puts.push(Put { container, key: key.to_owned(), value: value.into() });
        } else if let Some(put) = puts.last_mut().filter(|put| put.container == container && put.key == key) {
            put.value = value.into();
        } else {
            return Err(GateError::Malformed("the same key twice"));
        }
    }
    Ok(puts)
}

/// The typed command that the puts amount to, and the ids of its actions.
fn command(kind: RecordKind, puts: &[Put]) -> Result<(Command, Vec<ActionId>), GateError> {
    let (mut ids, mut actions, mut edits) = (Vec::new(), Vec::new(), Vec::new());
    for put in puts {
        match put.meaning().map_err(GateError::Malformed)? {
            Meaning::Action(id, action) => {
                ids.push(id);
                actions.push(*action);
            }
            Meaning::Base(fields) => edits.push(HouseholdEdit::Create(fields)),
            Meaning::Field(name, value) => edits.push(HouseholdEdit::Set(name, value)),
            Meaning::Person(id, fields) => edits.push(HouseholdEdit::AddPerson(id, fields)),
            Meaning::PersonField(id, name, value) => edits.push(HouseholdEdit::SetPerson(id, name, value)),
        }
    }
    match kind {
        RecordKind::Case if edits.is_empty() => Ok((Command::Act(actions), ids)),
        RecordKind::Household if actions.is_empty() => Ok((Command::EditHousehold(edits), ids)),
        _ => Err(GateError::Malformed("a key that no command writes")),
    }
}

/// Whether the puts may stand in the document as their author had it, and as it is now.
fn stands(stood: &Automerge, now: &Automerge, puts: &[Put]) -> Result<(), GateError> {
    for (place, put) in puts.iter().enumerate() {
        if put.once() {
            // The same bytes from elsewhere, which the author had not seen, are a redo.
            let otherwise = reader::get(now, put.container, &put.key).is_some_and(|held| held != put.value);
            if otherwise || reader::get(stood, put.container, &put.key).is_some() {
                return Err(GateError::Rewrite);
            }
        }
        if let Some((container, key)) = put.rests_on()
            && !puts[..place].iter().any(|earlier| earlier.container == container && earlier.key == key)
            && reader::get(stood, container, key).is_none()
        {
            return Err(GateError::Malformed("a field of what was never created"));
        }
    }
    Ok(())
}
