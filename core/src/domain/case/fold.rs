//! The fold: from actions and the server's facts to what the case is (`domain.md` §3.1, §3.8).
//!
//! The order is fixed by the graph and the ids (R5). Each action is judged twice: against the fold of what its author had seen, once and for
//! all; and in the run over everything, where rows settle what concurrent actions make of each other (R6). Both runs are the same code, and a
//! run over a prefix of the order is the fold of that prefix, so a linear history is folded in one pass.

use std::collections::{BTreeMap, HashMap};

use crate::domain::action::{Action, ActionKind, Severity};
use crate::domain::area::Level;
use crate::domain::id::{ActionId, DocId};

use super::graph::{Graph, Set};
use super::kinds::Field;
use super::run::{Judged, Run};
use super::standing::{Standing, World};
use super::{Case, CaseFacts, Effect, Entry, Flag, FlagLevel, Ineffective, State, header, judge, pair, row, rows};

/// Most folds of pasts that are kept for the next action with the same past: a hostile case has as many as it has actions.
const MAX_VIEWS: usize = 64;

/// Folds a case's actions and the server's facts about it. Any order, duplication or partial delivery of the same set gives the same result.
#[must_use]
pub fn fold(case: DocId, actions: &BTreeMap<ActionId, Action>, facts: &CaseFacts) -> Case {
    let (world, run) = run(case, actions, facts);
    result(case, facts, &world, &run)
}

/// The run over all actions.
pub(super) fn run<'a>(case: DocId, actions: &'a BTreeMap<ActionId, Action>, facts: &CaseFacts) -> (World<'a>, Run) {
    let graph = Graph::new(case, actions, &facts.stands_for);
    let late = (0..graph.len()).map(|at| facts.late.contains(&graph.id(at))).collect();
    let mut world = World { judged: Vec::with_capacity(graph.len()), graph, late };
    let mut run = Run::default();
    let mut views: HashMap<Set, Run> = HashMap::new();
    for at in 0..world.graph.len() {
        let past = world.graph.past(at);
        if views.len() >= MAX_VIEWS && !views.contains_key(past) {
            views.clear();
        }
        let view = if past.len() == run.len() { &run } else { &*views.entry(past.clone()).or_insert_with(|| Run::over(&world, past.iter())) };
        let judged = judge_one(&world, view, at);
        let finishes = judged.own.is_ok() && matches!(world.graph.kind(at), ActionKind::Finish | ActionKind::SelfResolve);
        world.judged.push(judged);
        if finishes {
            let resolves = world.graph.kind(at) == ActionKind::SelfResolve || {
                let mut after = view.clone();
                after.push(&world, at);
                after.standing.state(&world) == State::Resolved
            };
            world.judged[at].resolves = resolves;
        }
        run.push(&world, at);
    }
    (world, run)
}

/// R6a.
fn judge_one(world: &World<'_>, view: &Run, at: usize) -> Judged {
    let (graph, action, standing) = (&world.graph, world.graph.action(at), &view.standing);
    let own = graph.node(at).spec.map_or(Err(Ineffective::UnknownKind), |spec| judge::in_own_view(world, standing, action, spec));
    let named = action.round.and_then(|round| graph.find(round));
    Judged {
        own,
        opener: named.or_else(|| standing.rounds.last()?.first().copied()),
        custody: standing.custody(graph),
        emergency: standing.severity(graph) == Severity::Emergency,
        resolves: false,
    }
}

/// The facts that lack required evidence, and were not supplied since or waived (R10).
pub(super) fn incomplete(world: &World<'_>, standing: &Standing) -> Vec<(usize, Vec<Field>)> {
    let graph = &world.graph;
    let supplied = |at: usize, field: Field| standing.effective.iter().any(|later| graph.saw(*later, at) && field.given(graph.action(*later)));
    let waived = |at: usize| resolutions(world, standing, row::INCOMPLETE).any(|(by, targets)| targets.contains(&graph.id(at)) && graph.saw(by, at));
    let lacks = |at: &usize| {
        let spec = graph.node(*at).spec.filter(|spec| !spec.decides())?;
        let missing: Vec<Field> = spec.missing(graph.action(*at)).into_iter().filter(|field| !supplied(*at, *field)).collect();
        (!missing.is_empty() && !waived(*at)).then_some((*at, missing))
    };
    standing.effective.iter().filter_map(lacks).collect()
}

/// The decisions on flags of a row: who, and about which actions.
fn resolutions<'a>(world: &'a World<'_>, standing: &'a Standing, row: u8) -> impl Iterator<Item = (usize, &'a [ActionId])> {
    let of_row = move |at: &usize| {
        let fields = &world.graph.action(*at).fields;
        (fields.row == Some(row)).then(|| (*at, fields.targets.as_deref().unwrap_or_default()))
    };
    standing.resolutions.iter().filter_map(of_row)
}

fn result(case: DocId, facts: &CaseFacts, world: &World<'_>, run: &Run) -> Case {
    let (graph, standing) = (&world.graph, &run.standing);
    let (header, header_flags) = header::fold(graph, &standing.writers);
    let state = standing.state(world);
    let entry = |at: usize| Entry { id: graph.id(at), action: graph.action(at).clone(), effect: run.effects.get(&at).copied().unwrap_or(Effect::Effective) };
    Case {
        id: case,
        facts: facts.clone(),
        state,
        custody: if state == State::Draft { Level::Village } else { standing.custody(graph) },
        round: u16::try_from(standing.round() + 1).unwrap_or(u16::MAX),
        round_id: standing.round_id(graph, standing.round()),
        header,
        assignments: standing.assignments(world),
        reopen_pending: standing.reopen_pending(world),
        flags: flags(world, run, header_flags),
        history: (0..graph.len()).map(entry).collect(),
        reply: reply(world, standing),
        frontier: graph.frontier().to_vec(),
    }
}

/// What was told to the reporter last: with the ending that stands, or with the answer to a request for reopening.
fn reply(world: &World<'_>, standing: &Standing) -> Option<String> {
    let said = |at: usize| world.graph.action(at).fields.reply.clone();
    let ending = standing.ending(world)?;
    standing.denials.iter().rev().copied().find(|denial| world.graph.saw(*denial, ending)).and_then(said).or_else(|| said(ending))
}

/// Late decisions that would have voided the CLOSE that stands (R4).
fn late<'a>(world: &'a World<'_>, standing: &'a Standing) -> impl Iterator<Item = Flag> + 'a {
    let graph = &world.graph;
    let close = standing.ending(world).filter(|ending| graph.kind(*ending) == ActionKind::Close);
    let decisions = move |close: usize| standing.requests.iter().copied().filter(move |at| rows::voids_close(graph.kind(*at)) && graph.concurrent(close, *at));
    close
        .into_iter()
        .flat_map(move |close| decisions(close).map(move |at| Flag { row: 22, level: FlagLevel::Must, actions: pair(graph.id(close), graph.id(at)) }))
}

/// The flags that stand: row 26 absorbs row 10 for the same decision (R8), and a decision on a flag clears it (R17).
fn flags(world: &World<'_>, run: &Run, header_flags: Vec<Flag>) -> Vec<Flag> {
    let all: Vec<Flag> = run.flags.iter().copied().chain(header_flags).chain(late(world, &run.standing)).collect();
    let decisions: Vec<ActionId> = all.iter().filter(|flag| flag.row == 26).flat_map(|flag| flag.actions).collect();
    let absorbed = |flag: &Flag| flag.row == 10 && flag.actions.iter().any(|id| decisions.contains(id));
    let open: Vec<ActionId> = incomplete(world, &run.standing).into_iter().map(|(at, _)| world.graph.id(at)).collect();
    let supplied = |flag: &Flag| flag.row == row::INCOMPLETE && !open.contains(&flag.actions[0]);
    let decided = |flag: &Flag| {
        resolutions(world, &run.standing, flag.row).any(|(by, targets)| {
            let saw = |id: &ActionId| targets.contains(id) && world.graph.find(*id).is_some_and(|at| world.graph.saw(by, at));
            flag.actions.iter().all(saw)
        })
    };
    let mut open: Vec<Flag> = all.into_iter().filter(|flag| !absorbed(flag) && !supplied(flag) && !decided(flag)).collect();
    open.sort_unstable_by_key(|flag| (std::cmp::Reverse(flag.level), flag.row, flag.actions));
    open.dedup();
    open
}
