//! The gate: what a change from another device must pass before it is let in.
//!
//! Sixty-four hostile bytes can take a gigabyte of memory, and 7 % of mutated changes make Automerge 0.12 panic or brick the document. So: a
//! preflight that allocates nothing, then parse, sequence, dependency, `start_op` and actor rules, then apply, save, reload and compare on a
//! copy where a panic is caught. What passes is decoded into the typed edits that it makes, for policy to judge.

use super::{ChangeInfo, Command, Record};
use crate::domain::id::{Hash, Incarnation};

/// What the gate lets through.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// Facts about the change.
    pub info: ChangeInfo,
    /// The typed command that the change amounts to: exactly these writes and no others.
    pub command: Command,
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
    /// The record is at its limit of changes or actors.
    #[error("the record is full: {0}")]
    RecordFull(&'static str),
    /// Already in the record.
    #[error("already in the record")]
    AlreadyHeld,
}

/// Reads what can be known of a raw change without its document, within the limits and without a panic.
///
/// # Errors
/// [`GateError::TooLarge`] or [`GateError::Malformed`].
pub fn inspect(_raw: &[u8]) -> Result<ChangeInfo, GateError> {
    unimplemented!()
}

/// Lets a raw change of `actor` into a copy of `record`, or says why not. `record` is untouched; a panic inside Automerge is an error.
///
/// # Errors
/// See [`GateError`].
pub fn admit(_record: &Record, _raw: &[u8], _actor: Incarnation) -> Result<Admitted, GateError> {
    unimplemented!()
}
