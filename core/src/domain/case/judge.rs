//! Whether an action is allowed: role, scope, custody, from-state, round, assignment, fields (`domain.md` §3.2, §3.8 R6, R9–R13).

use crate::domain::action::{Action, ActionKind, Severity};
use crate::domain::area::Level;
use crate::domain::grant::Author;

use super::kinds::{Custody, KindSpec, Right};
use super::standing::{Share, Standing, World};
use super::{AssignmentStatus, Ineffective, State};

/// Category majors that are disputes: never resolved by the one who found them (§3.2, SELF_RESOLVE; §7).
const DISPUTES: &str = "06";

/// Against its own view: the fold of what it had seen (R6a).
pub(super) fn in_own_view(world: &World<'_>, view: &Standing, action: &Action, spec: &KindSpec) -> Result<(), Ineffective> {
    allowed(world, view, action, spec)?;
    if spec.decides() && !spec.missing(action).is_empty() { Err(Ineffective::Fields) } else { Ok(()) }
}

/// Everything but the required fields.
pub(super) fn allowed(world: &World<'_>, view: &Standing, action: &Action, spec: &KindSpec) -> Result<(), Ineffective> {
    right(world, view, action, spec)?;
    state(world, view, action, spec)?;
    if let Some(named) = acts_on_round(action, spec)
        && !view.rounds.last().into_iter().flatten().any(|opener| world.graph.id(*opener) == named)
    {
        return Err(Ineffective::Round);
    }
    custody(world, view, action, spec)?;
    particular(world, view, action, spec)
}

/// Against the merged state (R6b): what may differ there, because of concurrent actions only.
pub(super) fn in_merged(world: &World<'_>, merged: &Standing, at: usize, spec: &KindSpec) -> Result<(), Ineffective> {
    let action = world.graph.action(at);
    state(world, merged, action, spec)?;
    if acts_on_round(action, spec).is_some() && world.judged[at].opener.is_some_and(|opener| merged.round_of(opener) != Some(merged.round())) {
        return Err(Ineffective::Round);
    }
    custody(world, merged, action, spec)
}

/// The round an action names, where rounds matter: what may be said in any state belongs to the case, not to a round.
fn acts_on_round(action: &Action, spec: &KindSpec) -> Option<crate::domain::id::ActionId> {
    use super::kinds::When;
    (!matches!(spec.when, When::Any | When::Nothing)).then_some(action.round).flatten()
}

fn right(world: &World<'_>, view: &Standing, action: &Action, spec: &KindSpec) -> Result<(), Ineffective> {
    let (graph, author) = (&world.graph, &action.author);
    let need = |fits: bool, why| if fits { Ok(()) } else { Err(why) };
    let scope = || need(in_scope(world, view, author), Ineffective::Scope);
    let severity = || view.severity(graph);
    match spec.right(author.role) {
        Right::No | Right::War | Right::Registry => Err(Ineffective::Role),
        Right::Yes if spec.kind == ActionKind::Report => Ok(()),
        Right::Yes => scope(),
        Right::Own => need(view.reported_by(graph, author.user), Ineffective::NotReporter),
        Right::Asg => handler(world, view, action, spec),
        Right::Nrm => scope().and_then(|()| need(severity() == Severity::Normal, Ineffective::Custody)),
        Right::Ppl => scope().and_then(|()| need(action.fields.org.is_some() && action.fields.org == author.org, Ineffective::Role)),
        Right::Esc | Right::OwnCustody => scope().and_then(|()| need(author.role.level() == Some(view.custody(graph)), Ineffective::Custody)),
        Right::Emg => scope().and_then(|()| need(severity() == Severity::Emergency, Ineffective::Role)),
    }
}

/// Whether the case lies in the author's area: its grid, or where it has none yet, the reporter's own area.
fn in_scope(world: &World<'_>, view: &Standing, author: &Author) -> bool {
    let (header, _) = super::header::fold(&world.graph, &view.writers);
    if let Some(grid) = header.grid {
        return author.covers(grid);
    }
    let reporters = view.rounds.first().into_iter().flatten().flat_map(|report| &world.graph.action(*report).author.scopes);
    reporters.into_iter().any(|theirs| author.scopes.iter().any(|mine| mine.contains(*theirs) || theirs.contains(*mine)))
}

fn handler(world: &World<'_>, view: &Standing, action: &Action, spec: &KindSpec) -> Result<(), Ineffective> {
    let mut mine = view.shares.iter().filter(|share| share.handled_by(&action.author));
    if spec.kind == ActionKind::Supplement && action.assignment.is_none() {
        return mine.next().map(|_| ()).ok_or(Ineffective::Assignment);
    }
    let named = action.assignment.and_then(|id| mine.find(|share| share.is(&world.graph, id))).ok_or(Ineffective::Assignment)?;
    let live = |share: &Share| match view.status(world, share) {
        AssignmentStatus::Unsigned => true,
        AssignmentStatus::Signed => spec.kind != ActionKind::Sign,
        AssignmentStatus::Finished => matches!(spec.kind, ActionKind::Progress | ActionKind::Supplement),
        _ => spec.kind == ActionKind::Supplement,
    };
    if live(named) { Ok(()) } else { Err(Ineffective::Assignment) }
}

fn state(world: &World<'_>, standing: &Standing, action: &Action, spec: &KindSpec) -> Result<(), Ineffective> {
    let now = standing.state(world);
    let closes_at_once = action.kind == ActionKind::Close && now == State::Resolved && self_resolved(world, standing);
    if spec.when.allows(now) || closes_at_once { Ok(()) } else { Err(Ineffective::State) }
}

/// Resolved by the finder on the spot: the custodian may close it directly (§3.2). The 5 % sample is a later fact of the server.
fn self_resolved(world: &World<'_>, standing: &Standing) -> bool {
    let round = standing.round();
    standing.claims.iter().any(|(of, at)| *of == round && world.graph.kind(*at) == ActionKind::SelfResolve)
}

fn custody(world: &World<'_>, standing: &Standing, action: &Action, spec: &KindSpec) -> Result<(), Ineffective> {
    if spec.right(action.author.role) == Right::Emg {
        return Ok(());
    }
    let Some(level) = action.author.role.level() else {
        return if spec.custody == Custody::Free { Ok(()) } else { Err(Ineffective::Custody) };
    };
    let held = standing.custody(&world.graph);
    let fits = match spec.custody {
        Custody::Free => true,
        // Level is ordered from the top down: a higher level is less.
        Custody::AtLeast => level <= held,
        Custody::Holder => level == held,
    };
    if fits { Ok(()) } else { Err(Ineffective::Custody) }
}

/// What only some kinds ask.
fn particular(world: &World<'_>, view: &Standing, action: &Action, spec: &KindSpec) -> Result<(), Ineffective> {
    let graph = &world.graph;
    match spec.kind {
        ActionKind::Accept | ActionKind::Edit => match action.fields.grid {
            Some(grid) if !action.author.covers(grid) => Err(Ineffective::Scope),
            _ => Ok(()),
        },
        ActionKind::SelfResolve => {
            let (header, _) = super::header::fold(graph, &view.writers);
            if view.severity(graph) > Severity::Normal {
                Err(Ineffective::Custody)
            } else if header.category.is_some_and(|category| category.starts_with(DISPUTES)) {
                Err(Ineffective::Role)
            } else {
                Ok(())
            }
        }
        ActionKind::VerifyPass | ActionKind::VerifyFail | ActionKind::Rate => {
            if finished(world, view, &action.author) {
                Err(Ineffective::SamePerson)
            } else {
                Ok(())
            }
        }
        ActionKind::Close if !super::incomplete(world, view).is_empty() => Err(Ineffective::Fields),
        _ => Ok(()),
    }
}

/// R13: a finisher of the round, or of the same assignment's organisation (the town desk excepted).
fn finished(world: &World<'_>, view: &Standing, author: &Author) -> bool {
    let round = view.round();
    let desk = author.role.level() == Some(Level::Town);
    view.claims.iter().filter(|(of, _)| *of == round).any(|(_, at)| {
        let finisher = &world.graph.action(*at).author;
        let colleague = world.graph.kind(*at) == ActionKind::Finish && finisher.org.is_some() && finisher.org == author.org;
        finisher.user == author.user || (colleague && !desk)
    })
}
