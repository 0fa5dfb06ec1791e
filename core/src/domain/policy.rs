//! Policy: what an author may write at all (`domain.md` §5). It decides what is refused. A case action that role, custody or state
//! does not allow is not refused: it is accepted, ineffective, and visible with its reason (`case::fold`).

use super::action::Action;
use super::area::AreaCode;
use super::code::codes;
use super::fact::Fact;
use super::grant::{Grant, Role};
use super::household::HouseholdEdit;

codes! {
    /// Why something was refused. Stable; the words for people are in [`Refusal::words`].
    pub enum Refusal {
        /// Not a change, action or fact at all, or one that no command can produce.
        Malformed = 1 "malformed",
        /// Larger than the limits.
        TooLarge = 2 "too_large",
        /// Written under an actor that is not the sending device's.
        WrongActor = 3 "wrong_actor",
        /// Its place in the actor's sequence is taken by something else.
        BadSequence = 4 "bad_sequence",
        /// The area is outside the grant.
        OutOfScope = 5 "out_of_scope",
        /// The role may not write this kind of thing.
        NotPermitted = 6 "not_permitted",
        /// The action names another grant, role or area than the sender's.
        ForgedAuthor = 7 "forged_author",
        /// An existing entry would be overwritten.
        Rewrite = 8 "rewrite",
        /// A decision that had not seen what the phone had been given.
        StaleSeen = 9 "stale_seen",
        /// The device is limited to reports until the centre approves it.
        ReportOnly = 10 "report_only",
        /// The document does not exist and this change does not create it.
        NoSuchRecord = 11 "no_such_record",
        /// The document has reached its limit of changes or authors.
        RecordFull = 12 "record_full",
        /// The grant had ended.
        GrantEnded = 13 "grant_ended",
    }
}

impl Refusal {
    /// What to tell a person, in Chinese and English: what happened and what to do.
    #[must_use]
    pub fn words(self) -> (&'static str, &'static str) {
        unimplemented!()
    }
}

/// Whether this author may write this action on a case in `area` (the case's grid or town, as the server holds it).
///
/// # Errors
/// The reason for a refusal. Ineffective is not refused.
pub fn may_act(_grant: &Grant, _area: AreaCode, _action: &Action) -> Result<(), Refusal> {
    unimplemented!()
}

/// Whether this author may make this edit to a household in `area`.
///
/// # Errors
/// The reason for a refusal.
pub fn may_edit(_grant: &Grant, _area: AreaCode, _edit: &HouseholdEdit) -> Result<(), Refusal> {
    unimplemented!()
}

/// Whether this author may write this fact about something in `area`.
///
/// # Errors
/// The reason for a refusal.
pub fn may_state(_grant: &Grant, _area: AreaCode, _fact: &Fact) -> Result<(), Refusal> {
    unimplemented!()
}

/// Whether the role reads the grid streams in its scopes (documents whole), the town's desk, its organisation's assignments, or only its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// The grids in the grant's scopes.
    Grids,
    /// The town's desk.
    Desk,
    /// What is assigned to the organisation.
    Assignments,
    /// Only what it reported itself.
    Own,
}

/// What a role reads.
#[must_use]
pub const fn reads(role: Role) -> Reads {
    match role {
        Role::GridMember | Role::GridHead | Role::Community => Reads::Grids,
        Role::TownDispatcher | Role::TownLeader | Role::County | Role::City => Reads::Desk,
        Role::Department => Reads::Assignments,
        _ => Reads::Own,
    }
}
