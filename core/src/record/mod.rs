//! A record as an Automerge document.
//!
//! Every document of a kind starts from the same genesis change, which creates its containers and is never sent. After that
//! only scalars are put into those containers, each under a key that names what it is, so no object is ever created twice and no key of an
//! action or a base is ever written twice (`docs/schema.md`).
//!
//! - [`Record`]: a document in memory: load, write by typed [`Command`]s, apply, read.
//! - [`gate`]: what a change from another device must pass before it is let in.
//! - [`intake`]: what a change from a stream must be like before Automerge sees it.

mod chunk;
pub mod gate;
mod genesis;
pub mod intake;
pub mod limits;
mod put;
mod reader;
mod writer;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use automerge::{Automerge, ChangeHash, ReadDoc};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::domain::action::Action;
use crate::domain::code::codes;
use crate::domain::household::{Household, HouseholdEdit};
use crate::domain::id::{ActionId, Hash, Incarnation};

codes! {
    /// What a document is about.
    pub enum RecordKind {
        /// A case: actions.
        Case = 1 "case",
        /// A household with its persons.
        Household = 2 "household",
    }
}

/// What one form save asks for. One command is one Automerge change.
#[derive(Debug, Clone, PartialEq, Encode, Decode, Serialize, Deserialize)]
pub enum Command {
    /// Adds actions to a case. An action that is there already is left out, so a redo changes nothing twice.
    #[n(0)]
    Act(#[n(0)] Vec<Action>),
    /// Edits a household.
    #[n(1)]
    EditHousehold(#[n(0)] Vec<HouseholdEdit>),
}

impl Command {
    /// The kind of record the command writes.
    #[must_use]
    pub const fn record_kind(&self) -> RecordKind {
        match self {
            Self::Act(_) => RecordKind::Case,
            Self::EditHousehold(_) => RecordKind::Household,
        }
    }
}

/// A change as made or received: its hash and its raw, uncompressed chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The Automerge change hash: SHA-256 of the chunk.
    pub hash: Hash,
    /// The raw change chunk (type 1), checksum included.
    pub raw: Vec<u8>,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A case's actions by id, as far as this version can read them.
    Case(BTreeMap<ActionId, Action>),
    /// A household.
    Household(Household),
}

/// Why a record could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The kind is of a newer version.
    #[error("record kind {0} is not known to this version; update the app")]
    UnknownKind(RecordKind),
    /// A stored change could not be applied; the record is parked, nothing is lost.
    #[error("change {change} could not be applied: {reason}")]
    Unreadable {
        /// The change.
        change: Hash,
        /// What was wrong, without content.
        reason: &'static str,
    },
    /// A change depends on another that is not here.
    #[error("change {change} depends on {missing}, which is not here")]
    MissingDependency {
        /// The change.
        change: Hash,
        /// What it depends on.
        missing: Hash,
    },
    /// The command does not fit the record.
    #[error("{0}")]
    Unfit(&'static str),
    /// More than one change takes.
    #[error("too much for one save: {0}")]
    TooLarge(&'static str),
    /// The record is at a limit.
    #[error("the record is full: {0}")]
    Full(&'static str),
    /// Nothing would change.
    #[error("nothing would change")]
    Nothing,
}

/// What is said of a record that Automerge does not write.
const UNWRITABLE: &str = "the record could not be written";
/// What is said of more actions in one change than there may be.
const MANY_ACTIONS: &str = "more actions than one change may hold";

/// A document in memory. Loading one costs about 0.1–0.2 ms and 20 KB (`docs/schema.md`), so lists and screens never do: they read projections.
#[derive(Clone)]
pub struct Record {
    kind: RecordKind,
    doc: Automerge,
    /// How many changes each actor has; Automerge knows and does not tell.
    sequences: BTreeMap<Incarnation, u64>,
    /// Bytes of its raw changes.
    bytes: usize,
    /// The document as the author of the change last let in had it, who had not seen all of it. He goes on from there, and reading a document as of then costs
    /// as much as loading it.
    apart: Option<Arc<Automerge>>,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Record {
    /// The empty record of a kind: its genesis and nothing else.
    ///
    /// # Errors
    /// [`RecordError::UnknownKind`].
    pub fn new(kind: RecordKind) -> Result<Self, RecordError> {
        let doc = genesis::document(kind).ok_or(RecordError::UnknownKind(kind))?;
        Ok(Self { kind, doc: doc.clone(), sequences: BTreeMap::new(), bytes: 0, apart: None })
    }

    /// Genesis and then these raw changes, in any order, as long as all they depend on is among them. Never panics: a change that makes
    /// Automerge panic, or that Automerge accepts without taking it into the graph, is an error. For changes that a gate has let in.
    ///
    /// # Errors
    /// [`RecordError::Unreadable`] or [`RecordError::MissingDependency`] for the first change that cannot be applied.
    pub fn load<'a>(kind: RecordKind, changes: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, RecordError> {
        let mut record = Self::new(kind)?;
        record.apply(changes)?;
        Ok(record)
    }

    /// Applies more raw changes to this record; on error the record is as before. What it has already is passed over.
    ///
    /// # Errors
    /// As [`Record::load`].
    pub fn apply<'a>(&mut self, changes: impl IntoIterator<Item = &'a [u8]>) -> Result<(), RecordError> {
        let raws: Vec<_> = changes.into_iter().collect();
        let changes = raws.iter().copied().map(parse).collect::<Result<Vec<_>, _>>()?;
        let coming: HashSet<ChangeHash> = changes.iter().map(automerge::Change::hash).collect();
        for change in &changes {
            if let Some(missing) = change.deps().iter().find(|dep| !coming.contains(dep) && !self.has(Hash(dep.0))) {
                return Err(RecordError::MissingDependency { change: Hash(change.hash().0), missing: Hash(missing.0) });
            }
        }
        let mut next = self.clone();
        match next.take(changes) {
            Ok(()) => {
                *self = next;
                Ok(())
            }
            Err(reason) => Err(self.first_unreadable(&raws, reason)),
        }
    }

    /// Writes a command as one change of `actor`, at `time_s` seconds since 1970. What the record
    /// already says is left out.
    ///
    /// # Errors
    /// [`RecordError::Nothing`] when nothing is left; [`RecordError::Unfit`] when the command does
    /// not fit; [`RecordError::TooLarge`] and [`RecordError::Full`] for the limits that the gate
    /// keeps too.
    pub fn write(&mut self, actor: Incarnation, command: &Command, time_s: i64) -> Result<Change, RecordError> {
        let stood = Cow::Borrowed(&self.doc);
        let (next, change) = self.write_over(stood, actor, command, time_s)?;
        *self = next;
        Ok(change)
    }

    /// Writes a command as [`Record::write`] does, but as an author writes it who has `seen` these
    /// changes and what they rest on, and nothing else: what stands beside them stays concurrent.
    ///
    /// # Errors
    /// As [`Record::write`]; [`RecordError::Unfit`] also when one of `seen` is not in the record, or
    /// when the actor has a change that does not lie in them, since its changes are a sequence.
    pub fn write_as_seen(&mut self, actor: Incarnation, command: &Command, time_s: i64, seen: &[Hash]) -> Result<Change, RecordError> {
        if !seen.iter().all(|change| self.has(*change)) {
            return Err(RecordError::Unfit("the record lacks a change that the author had seen"));
        }
        let stood = gate::at(self, seen).ok_or(RecordError::Unfit(UNWRITABLE))?;
        let (next, change) = self.write_over(stood, actor, command, time_s)?;
        *self = next;
        Ok(change)
    }

    /// This record with a command in it, written over the document as its author had it.
    fn write_over(&self, stood: Cow<'_, Automerge>, actor: Incarnation, command: &Command, time_s: i64) -> Result<(Self, Change), RecordError> {
        if command.record_kind() != self.kind {
            return Err(RecordError::Unfit("the command is for another kind of record"));
        }
        let puts = writer::plan(&stood, command)?;
        if puts.is_empty() {
            return Err(RecordError::Nothing);
        }
        if self.kind == RecordKind::Case && puts.len() > limits::MAX_ACTIONS_PER_CHANGE {
            return Err(RecordError::TooLarge(MANY_ACTIONS));
        }
        let unwritable = RecordError::Unfit(UNWRITABLE);
        let (doc, made) = writer::commit(&stood, actor, &puts, time_s).ok_or(unwritable.clone())?;
        if made.raw_bytes().len() > limits::MAX_CHANGE || made.len() as u64 > limits::MAX_OPS {
            return Err(RecordError::TooLarge("more than one change may hold"));
        }
        if let Some(what) = self.full_for(actor, made.raw_bytes().len(), puts.len(), made.len() as u64) {
            return Err(RecordError::Full(what));
        }
        if made.seq() != self.sequence(actor) + 1 {
            return Err(unwritable);
        }
        let change = Change::from(&made);
        let next = match stood {
            Cow::Borrowed(_) => self.grown(doc, &made),
            Cow::Owned(_) => self.merged(made, doc).ok_or(unwritable)?,
        };
        Ok((next, change))
    }

    /// What the record says, leaving aside what a newer version added.
    #[must_use]
    pub fn read(&self) -> Content {
        match self.kind {
            RecordKind::Household => Content::Household(reader::household(&self.doc)),
            RecordKind::Case | RecordKind::Other(_) => Content::Case(reader::case(&self.doc)),
        }
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> RecordKind {
        self.kind
    }

    /// The hashes that no other change depends on yet, sorted.
    #[must_use]
    pub fn heads(&self) -> Vec<Hash> {
        self.doc.get_heads().iter().map(|head| Hash(head.0)).collect()
    }

    /// Whether the change is in the graph.
    #[must_use]
    pub fn has(&self, change: Hash) -> bool {
        self.doc.get_missing_deps(&[ChangeHash(change.0)]).is_empty()
    }

    /// The changes that rest on genesis alone: with them the record began.
    #[must_use]
    pub fn founders(&self) -> Vec<Hash> {
        let genesis = genesis::document(self.kind).map(Automerge::get_heads).unwrap_or_default();
        let changes = self.doc.get_changes(&genesis);
        let founders = changes.iter().filter(|change| change.deps() == genesis);
        founders.map(|change| Hash(change.hash().0)).collect()
    }

    /// Every change but the genesis, dependencies first.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        let genesis = genesis::document(self.kind).map(Automerge::get_heads).unwrap_or_default();
        self.doc.get_changes(&genesis).iter().map(Change::from).collect()
    }

    /// How many changes the record has, genesis left aside.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.doc.stats().num_changes).map_or(usize::MAX, |changes| changes.saturating_sub(1))
    }

    /// Whether nothing was ever written to it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many changes the actor has in the record.
    #[must_use]
    pub fn sequence(&self, actor: Incarnation) -> u64 {
        self.sequences.get(&actor).copied().unwrap_or(0)
    }

    /// The whole document as an Automerge file, for other programs.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        self.doc.save()
    }

    /// The record with `doc` in place of its own, which has one change more.
    fn grown(&self, doc: Automerge, change: &automerge::Change) -> Self {
        let mut sequences = self.sequences.clone();
        if let Some(actor) = actor(change) {
            sequences.insert(actor, change.seq());
        }
        Self { kind: self.kind, doc, sequences, bytes: self.bytes + change.raw_bytes().len(), apart: self.apart.clone() }
    }

    /// The record with one more change, whose dependencies are here, and whose author has `apart`; `None` when it does not fit.
    fn merged(&self, change: automerge::Change, apart: Automerge) -> Option<Self> {
        let mut next = Self { apart: Some(Arc::new(apart)), ..self.clone() };
        next.take(vec![change]).ok()?;
        Some(next)
    }

    /// What keeps the actor from writing one more change, of so many bytes, puts and operations.
    fn full_for(&self, actor: Incarnation, bytes: usize, puts: usize, ops: u64) -> Option<&'static str> {
        let actions = || reader::actions(&self.doc);
        if self.len() >= limits::MAX_CHANGES_PER_RECORD {
            Some("it has as many changes as it may have")
        } else if self.sequences.len() >= limits::MAX_ACTORS_PER_RECORD && self.sequence(actor) == 0 {
            Some("it has as many actors as it may have")
        } else if self.bytes + bytes > limits::MAX_RECORD {
            Some("it has as many bytes as it may have")
        } else if self.doc.stats().num_ops.saturating_add(ops) > limits::MAX_OPS_PER_RECORD {
            Some("it has as many operations as it may have")
        } else if self.kind == RecordKind::Case && actions() + puts > limits::MAX_ACTIONS_PER_CASE {
            Some("it has as many actions as it may have")
        } else {
            None
        }
    }

    /// Takes changes whose dependencies are here or among them. On error the record is spoilt.
    fn take(&mut self, changes: Vec<automerge::Change>) -> Result<(), &'static str> {
        let hashes: Vec<_> = changes.iter().map(automerge::Change::hash).collect();
        for change in &changes {
            let actor = actor(change).ok_or("its actor is not sixteen bytes")?;
            if !self.has(Hash(change.hash().0)) {
                self.bytes += change.raw_bytes().len();
            }
            let sequence = self.sequences.entry(actor).or_default();
            *sequence = change.seq().max(*sequence);
        }
        match guarded(|| self.doc.apply_changes(changes)) {
            None => return Err("it does not fit the document"),
            Some(Err(_)) => return Err("its place in its author's sequence is taken"),
            Some(Ok(())) => {}
        }
        // Automerge says Ok and keeps a change that it cannot apply yet in a queue, invisible.
        if self.doc.get_missing_deps(&hashes).is_empty() { Ok(()) } else { Err("it was not taken into the document") }
    }

    fn first_unreadable(&self, raws: &[&[u8]], reason: &'static str) -> RecordError {
        let mut record = self.clone();
        let mut waiting: Vec<_> = raws.iter().copied().filter_map(|raw| parse(raw).ok()).collect();
        while let Some(next) = waiting.iter().position(|change| change.deps().iter().all(|dep| record.has(Hash(dep.0)))) {
            let change = waiting.remove(next);
            let hash = Hash(change.hash().0);
            if let Err(reason) = record.take(vec![change]) {
                return RecordError::Unreadable { change: hash, reason };
            }
        }
        RecordError::Unreadable { change: raws.first().map_or(Hash::ZERO, |raw| hash_of(raw)), reason }
    }
}

impl From<&automerge::Change> for Change {
    fn from(change: &automerge::Change) -> Self {
        Self { hash: Hash(change.hash().0), raw: change.raw_bytes().to_vec() }
    }
}

/// Runs what may panic inside Automerge. The process's panic hook is left as it is, so a panic still prints its place to standard error.
fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// Parses a stored change and checks its checksum, which Automerge's own parser leaves out.
fn parse(raw: &[u8]) -> Result<automerge::Change, RecordError> {
    guarded(|| automerge::Change::try_from(raw))
        .and_then(Result::ok)
        .filter(|change| change.raw_bytes() == raw && raw.get(4..8) == Some(&change.hash().0[..4]))
        .ok_or(RecordError::Unreadable { change: hash_of(raw), reason: "not a change chunk" })
}

fn actor(change: &automerge::Change) -> Option<Incarnation> {
    change.actor_id().to_bytes().try_into().ok().map(Incarnation::from_bytes)
}

/// The hash of a raw change chunk: SHA-256 from its type byte on; magic and checksum are left out.
fn hash_of(raw: &[u8]) -> Hash {
    Hash::of(&[raw.get(8..).unwrap_or_default()])
}

/// Facts about a raw change that need no document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeInfo {
    /// Its hash.
    pub hash: Hash,
    /// Its actor; `None` when that is not 16 bytes.
    pub actor: Option<Incarnation>,
    /// Its place in the actor's sequence in this document, from 1.
    pub seq: u64,
    /// What it depends on.
    pub deps: Vec<Hash>,
}

#[cfg(test)]
mod tests;
