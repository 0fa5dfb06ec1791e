//! What may be done next, and how to say it: for screens and for whatever composes actions.

use serde::{Deserialize, Serialize};

use crate::domain::action::{Action, ActionKind, Fields, Severity};
use crate::domain::grant::Author;
use crate::domain::id::ActionId;
use crate::domain::time::Stamp;

use super::kinds::{self, Field, KINDS, Right};
use super::standing::{Standing, World};
use super::{AssignmentStatus, Case, Ineffective, effects, fold, judge};

/// An action ready to be written, and what its author should be told before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Composed {
    /// The action. Writing it is always possible: what was typed is never lost.
    pub action: Action,
    /// Why it would have no effect, or what it lacks.
    pub warning: Option<Warning>,
}

/// What an author should be told before an action is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Warning {
    /// It would be kept and have no effect.
    NoEffect(Ineffective),
    /// It would be kept without effect, because these are missing.
    Missing(Vec<Field>),
    /// It would take effect, and the case could not be closed until these are supplied (R10).
    Incomplete(Vec<Field>),
}

/// What may be done next by an author who has seen everything here: the kinds that role, custody, state and assignment allow.
#[must_use]
pub fn possible(case: &Case, author: &Author) -> Vec<ActionKind> {
    let actions = case.actions();
    let (world, run) = fold::run(case.id, &actions, &case.facts);
    let allowed = |kind: &ActionKind| {
        let Some(spec) = kinds::spec(*kind).filter(|spec| effects::built(spec.kind)) else { return false };
        let mut fields = Fields::default();
        if spec.right(author.role) == Right::Ppl {
            fields.org = author.org;
        }
        let action = draft(&world, &run.standing, case, author.clone(), Stamp::default(), *kind, fields, super::RULES);
        judge::allowed(&world, &run.standing, &action, spec).is_ok()
    };
    KINDS.iter().map(|spec| spec.kind).filter(allowed).collect()
}

/// An action by an author who has seen everything here: fills in `seen`, the round, the author's assignment, and what follows from the case
/// or the clock where `fields` leaves it open; says in advance why it would have no effect.
#[must_use]
pub fn compose(case: &Case, author: Author, at: Stamp, kind: ActionKind, fields: Fields, rules: u32) -> Composed {
    let actions = case.actions();
    let (world, run) = fold::run(case.id, &actions, &case.facts);
    let action = draft(&world, &run.standing, case, author, at, kind, fields, rules);
    let warning = match kinds::spec(kind).filter(|spec| effects::built(spec.kind)) {
        None => Some(Warning::NoEffect(Ineffective::UnknownKind)),
        Some(spec) => {
            let missing = spec.missing(&action);
            match judge::allowed(&world, &run.standing, &action, spec) {
                Err(why) => Some(Warning::NoEffect(why)),
                Ok(()) if missing.is_empty() => None,
                Ok(()) if spec.decides() => Some(Warning::Missing(missing)),
                Ok(()) => Some(Warning::Incomplete(missing)),
            }
        }
    };
    Composed { action, warning }
}

#[expect(clippy::too_many_arguments, reason = "what an action is made of")]
fn draft(world: &World<'_>, standing: &Standing, case: &Case, author: Author, at: Stamp, kind: ActionKind, fields: Fields, rules: u32) -> Action {
    let handles = kinds::spec(kind).is_some_and(|spec| spec.right(author.role) == Right::Asg);
    let assignment = if handles { assignment(world, standing, &author, kind) } else { None };
    let round = if kind == ActionKind::Report { None } else { case.round_id };
    Action { kind, at, seen: case.frontier.clone(), rules, round, assignment, mode: None, fields: filled(case, kind, at, fields), author }
}

/// The author's assignment that the kind is about: one he works on, for SIGN one he has not signed for.
fn assignment(world: &World<'_>, standing: &Standing, author: &Author, kind: ActionKind) -> Option<ActionId> {
    let wanted: &[AssignmentStatus] = match kind {
        ActionKind::Sign => &[AssignmentStatus::Unsigned],
        _ => &[AssignmentStatus::Signed, AssignmentStatus::Unsigned, AssignmentStatus::Finished, AssignmentStatus::Paused],
    };
    let mine: Vec<_> = standing.shares.iter().filter(|share| share.handled_by(author)).collect();
    let of = |status: &AssignmentStatus| mine.iter().rev().find(|share| standing.status(world, share) == *status);
    let share = wanted.iter().find_map(of).or_else(|| mine.last())?;
    share.dispatches.first().map(|at| world.graph.id(*at))
}

/// Fields that follow from the case or the clock.
fn filled(case: &Case, kind: ActionKind, at: Stamp, mut fields: Fields) -> Fields {
    let now = Some(at.wall_ms);
    match kind {
        ActionKind::Report => {
            fields.occurred_ms = fields.occurred_ms.or(now);
            fields.severity = fields.severity.or(Some(Severity::Normal));
        }
        ActionKind::SelfResolve | ActionKind::Finish => fields.finished_ms = fields.finished_ms.or(now),
        ActionKind::VerifyPass | ActionKind::VerifyFail => fields.seen_ms = fields.seen_ms.or(now),
        ActionKind::Accept => {
            fields.category = fields.category.or_else(|| case.header.category.clone());
            fields.severity = fields.severity.or(case.header.severity);
            fields.grid = fields.grid.or(case.header.grid);
        }
        ActionKind::Recall if fields.targets.is_none() => {
            let live = case.assignments.iter().filter(|assignment| matches!(assignment.status, AssignmentStatus::Unsigned | AssignmentStatus::Signed));
            let mut targets: Vec<ActionId> = live.map(|assignment| assignment.id).collect();
            targets.sort_unstable();
            targets.dedup();
            fields.targets = Some(targets);
        }
        _ => {}
    }
    fields
}
