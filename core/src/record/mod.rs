//! A record as an Automerge document.
//!
//! Every document of a kind starts from the same [genesis](genesis) change, which creates its containers and is never sent. After that
//! only scalars are put into those containers, each under a key that names what it is, so no object is ever created twice and no key of an
//! action or a base is ever written twice (`docs/schema.md`).
//!
//! - [`Record`]: a document in memory: load, write by typed [`Command`]s, apply, read.
//! - [`gate`]: what a change from another device must pass before it is let in.

pub mod gate;
mod genesis;
mod reader;
mod writer;

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::domain::action::Action;
use crate::domain::code::codes;
use crate::domain::household::{Household, HouseholdEdit};
use crate::domain::id::{ActionId, DocId, Hash, Incarnation};

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
    /// Nothing would change.
    #[error("nothing would change")]
    Nothing,
}

/// A document in memory. Loading one costs about 0.1–0.2 ms and 20 KB (`docs/schema.md`), so lists and screens never do: they read projections.
#[derive(Clone)]
pub struct Record {
    kind: RecordKind,
    doc: automerge::Automerge,
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
    pub fn new(_kind: RecordKind) -> Result<Self, RecordError> {
        unimplemented!()
    }

    /// Genesis and then these raw changes, in an order in which dependencies come first. Never panics: a change that makes Automerge panic, or that
    /// Automerge accepts without taking it into the graph, is an error.
    ///
    /// # Errors
    /// [`RecordError::Unreadable`] or [`RecordError::MissingDependency`] for the first change that cannot be applied.
    pub fn load<'a>(_kind: RecordKind, _changes: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, RecordError> {
        unimplemented!()
    }

    /// Applies more raw changes to this record; on error the record is as before.
    ///
    /// # Errors
    /// As [`Record::load`].
    pub fn apply<'a>(&mut self, _changes: impl IntoIterator<Item = &'a [u8]>) -> Result<(), RecordError> {
        unimplemented!()
    }

    /// Writes a command as one change of `actor`, at `time_s` seconds since 1970. What the record already says is left out.
    ///
    /// # Errors
    /// [`RecordError::Nothing`] when nothing is left; [`RecordError::Unfit`] when the command is for another kind of record or breaks a limit.
    pub fn write(&mut self, _actor: Incarnation, _command: &Command, _time_s: i64) -> Result<Change, RecordError> {
        unimplemented!()
    }

    /// What the record says, leaving aside what a newer version added.
    #[must_use]
    pub fn read(&self) -> Content {
        unimplemented!()
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> RecordKind {
        self.kind
    }

    /// The hashes that no other change depends on yet, sorted.
    #[must_use]
    pub fn heads(&self) -> Vec<Hash> {
        unimplemented!()
    }

    /// Whether the change is in the graph.
    #[must_use]
    pub fn has(&self, _change: Hash) -> bool {
        unimplemented!()
    }

    /// Every change but the genesis, dependencies first.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        unimplemented!()
    }

    /// How many changes the actor has in the record.
    #[must_use]
    pub fn sequence(&self, _actor: Incarnation) -> u64 {
        unimplemented!()
    }

    /// The whole document as an Automerge file, for other programs.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        unimplemented!()
    }
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
