//! What may go into a record, told from the changes alone: within the limits, each the next of its
//! author, on nothing that is not there. It is what a phone asks of what its streams bring, before
//! Automerge sees any of it: the centre's gate let it in, but the phone need not take a server's
//! word for that.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::chunk::Chunk;
use super::gate::GateError;
use super::genesis::Container;
use super::{MANY_ACTIONS, RecordKind, genesis, hash_of, limits};
use crate::domain::id::{Hash, Incarnation};

/// A record's changes, as far as it matters to those that come after.
#[derive(Debug)]
pub struct Intake<'a> {
    kind: RecordKind,
    /// The changes that are there, and the number of their last operation.
    known: HashMap<Hash, u64>,
    /// Of each author the number of his last change and of its last operation.
    authors: BTreeMap<Incarnation, (u64, u64)>,
    bytes: usize,
    ops: u64,
    /// Keys of the actions of a case.
    actions: HashSet<&'a str>,
}

impl<'a> Intake<'a> {
    /// The intake of a record that has its genesis only; none for a kind of a newer version.
    #[must_use]
    pub fn new(kind: RecordKind) -> Option<Self> {
        let genesis = genesis::document(kind)?;
        let known = genesis.get_heads().iter().map(|head| (Hash(head.0), genesis::last_op(kind))).collect();
        Some(Self { kind, known, authors: BTreeMap::new(), bytes: 0, ops: genesis::last_op(kind), actions: HashSet::new() })
    }

    /// A change that is in the record. It is not judged any more.
    pub fn hold(&mut self, raw: &'a [u8]) {
        match Chunk::read(raw) {
            Ok(chunk) => self.add(raw, &chunk),
            Err(_) => {
                self.known.insert(hash_of(raw), 0);
                self.bytes += raw.len();
            }
        }
    }

    /// Whether the change is in the record.
    #[must_use]
    pub fn has(&self, change: Hash) -> bool {
        self.known.contains_key(&change)
    }

    /// Takes one change more, or says why not; then nothing is other than before.
    ///
    /// # Errors
    /// [`GateError`]. [`GateError::UnknownDependency`], and a [`GateError::BadSequence`] that is
    /// found above what is next, may pass when more has come.
    pub fn take(&mut self, raw: &'a [u8]) -> Result<(), GateError> {
        let chunk = Chunk::read(raw)?;
        let info = &chunk.info;
        if self.has(info.hash) {
            return Err(GateError::AlreadyHeld);
        }
        let actor = info.actor.ok_or(GateError::Malformed("its author is not sixteen bytes"))?;
        if info.deps.is_empty() {
            return Err(GateError::Malformed("depends on nothing, not even genesis"));
        }
        let mut last_op = 0;
        for dep in &info.deps {
            last_op = self.known.get(dep).ok_or(GateError::UnknownDependency(*dep))?.max(&last_op).to_owned();
        }
        let (last, own_op) = self.authors.get(&actor).copied().unwrap_or_default();
        if info.seq != last + 1 {
            return Err(GateError::BadSequence { expected: last + 1, found: info.seq });
        }
        if chunk.start_op <= last_op.max(own_op) {
            return Err(GateError::Malformed("operation numbers that are taken"));
        }
        let mut before: Option<&[u8]> = None;
        for other in chunk.others() {
            let known = other == genesis::ACTOR || other.try_into().is_ok_and(|other| self.authors.contains_key(&Incarnation::from_bytes(other)));
            if !known || other == actor.as_bytes() || before.is_some_and(|before| before >= other) {
                return Err(GateError::Malformed("names authors who are not there"));
            }
            before = Some(other);
        }
        // Equal ones cost no bytes, and as much memory as others.
        if chunk.weight() > raw.len() as u64 {
            return Err(GateError::Malformed("more operations than its bytes can name"));
        }
        let created = |counter| Container::created_as(self.kind, counter).is_some();
        if chunk.ops().any(|op| op.is_ok_and(|op| op.object.is_some_and(|counter| !created(counter)))) {
            return Err(GateError::Malformed("an object that genesis did not create"));
        }
        self.room_for(raw, &chunk, last)?;
        self.add(raw, &chunk);
        Ok(())
    }

    fn room_for(&self, raw: &[u8], chunk: &Chunk<'a>, last: u64) -> Result<(), GateError> {
        let full = |what| Err(GateError::RecordFull(what));
        // Genesis is not counted.
        if self.known.len() > limits::MAX_CHANGES_PER_RECORD {
            return full("it has as many changes as it may have");
        }
        if last == 0 && self.authors.len() >= limits::MAX_ACTORS_PER_RECORD {
            return full("it has as many actors as it may have");
        }
        if self.bytes + raw.len() > limits::MAX_RECORD {
            return full("it has as many bytes as it may have");
        }
        if self.ops.saturating_add(chunk.ops) > limits::MAX_OPS_PER_RECORD {
            return full("it has as many operations as it may have");
        }
        if self.kind == RecordKind::Case {
            let keys: HashSet<&str> = chunk.keys().collect();
            if keys.len() > limits::MAX_ACTIONS_PER_CHANGE {
                return Err(GateError::TooLarge(MANY_ACTIONS));
            }
            if self.actions.len() + keys.difference(&self.actions).count() > limits::MAX_ACTIONS_PER_CASE {
                return full("it has as many actions as it may have");
            }
        }
        Ok(())
    }

    fn add(&mut self, raw: &'a [u8], chunk: &Chunk<'a>) {
        let last_op = chunk.start_op + chunk.ops - 1;
        self.known.insert(chunk.info.hash, last_op);
        if let Some(actor) = chunk.info.actor {
            let (seq, op) = self.authors.entry(actor).or_default();
            (*seq, *op) = (chunk.info.seq.max(*seq), last_op.max(*op));
        }
        self.bytes += raw.len();
        self.ops = self.ops.saturating_add(chunk.ops);
        if self.kind == RecordKind::Case {
            self.actions.extend(chunk.keys());
        }
    }
}
