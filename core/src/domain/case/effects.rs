//! What each kind does when it is effective. An effect only adds to what stands.
//!
//! Built: REPORT, SUPPLEMENT, RATE, SELF_RESOLVE, SIGN, PROGRESS, FINISH, REQ_REOPEN, VERIFY_FAIL, ACCEPT, DISPATCH, RECALL, REOPEN,
//! DENY_REOPEN, RESOLVE_FLAG, EDIT, VERIFY_PASS, CLOSE, REJECT, WITHDRAW. The other kinds are checked against the table and kept as notes
//! ([`Ineffective::UnknownKind`](super::Ineffective::UnknownKind)); they take effect for actions of a later rules version.

use crate::domain::action::ActionKind as K;
use crate::domain::id::OrgId;

use super::standing::{Share, Standing, World};

/// Whether this version has an effect for the kind.
pub(super) const fn built(kind: K) -> bool {
    matches!(
        kind,
        K::Report
            | K::Supplement
            | K::Rate
            | K::SelfResolve
            | K::Sign
            | K::Progress
            | K::Finish
            | K::RequestReopen
            | K::VerifyFail
            | K::Accept
            | K::Dispatch
            | K::Recall
            | K::Reopen
            | K::DenyReopen
            | K::ResolveFlag
            | K::Edit
            | K::VerifyPass
            | K::Close
            | K::Reject
            | K::Withdraw
    )
}

/// Takes effect.
pub(super) fn apply(world: &World<'_>, standing: &mut Standing, at: usize) {
    match world.graph.kind(at) {
        K::Report => {
            open(standing, 0, at);
            standing.writers.push(at);
        }
        K::Rate if world.graph.action(at).fields.score.is_some_and(|score| score <= DISSATISFIED) => standing.requests.push(at),
        K::RequestReopen => standing.requests.push(at),
        K::SelfResolve => claim(world, standing, at),
        K::Sign | K::Progress => {
            if let Some(share) = share(world, standing, at) {
                share.work.push(at);
            }
        }
        K::Finish => {
            claim(world, standing, at);
            let round = round(world, standing, at);
            if let Some(share) = share(world, standing, at) {
                share.finishes.push((round, at));
            }
        }
        K::VerifyFail => {
            let next = round(world, standing, at) + 1;
            open(standing, next, at);
        }
        K::Accept => {
            standing.accepts.push(at);
            standing.writers.push(at);
        }
        K::Dispatch => dispatch(world, standing, at),
        K::Recall => take_back(world, standing, at),
        K::Reopen => {
            let next = round(world, standing, at) + 1;
            open(standing, next, at);
            standing.reopens.push(at);
        }
        K::DenyReopen => standing.denials.push(at),
        K::ResolveFlag => standing.resolutions.push(at),
        K::Edit => standing.writers.push(at),
        K::VerifyPass => {
            let round = round(world, standing, at);
            standing.passes.push((round, at));
        }
        K::Close | K::Reject | K::Withdraw => standing.endings.push(at),
        _ => {}
    }
}

/// A rating at or below this asks for the case to be opened again (§3.2, REQ_REOPEN).
pub(super) const DISSATISFIED: u8 = 2;

/// The round an action acts on.
fn round(world: &World<'_>, standing: &Standing, at: usize) -> usize {
    world.judged.get(at).and_then(|judged| judged.opener).and_then(|opener| standing.round_of(opener)).unwrap_or_else(|| standing.round())
}

/// Opens a round, or joins those who opened it concurrently (R9).
fn open(standing: &mut Standing, round: usize, at: usize) {
    match standing.rounds.get_mut(round) {
        Some(openers) => openers.push(at),
        None => standing.rounds.push(vec![at]),
    }
}

fn claim(world: &World<'_>, standing: &mut Standing, at: usize) {
    let round = round(world, standing, at);
    standing.claims.push((round, at));
}

/// The share that a handler's action names.
fn share<'s>(world: &World<'_>, standing: &'s mut Standing, at: usize) -> Option<&'s mut Share> {
    let action = world.graph.action(at);
    let id = action.assignment?;
    standing.shares.iter_mut().find(|share| share.is(&world.graph, id) && share.handled_by(&action.author))
}

/// A share for the organisation, and one for each declared co-handler. Concurrent dispatches to the same assignee collapse (row 7).
fn dispatch(world: &World<'_>, standing: &mut Standing, at: usize) {
    take_back(world, standing, at);
    let fields = &world.graph.action(at).fields;
    let co_handlers = fields.required.iter().flatten().filter(|org| Some(**org) != fields.org);
    let shares = std::iter::once((fields.org, fields.person, false)).chain(co_handlers.map(|org: &OrgId| (Some(*org), None, true)));
    for (org, person, declared) in shares {
        let same = |share: &&mut Share| {
            share.org == org && share.person == person && share.declared == declared && share.dispatches.iter().any(|other| world.graph.concurrent(*other, at))
        };
        if let Some(share) = standing.shares.iter_mut().find(same) {
            share.dispatches.push(at);
        } else {
            standing.shares.push(Share { dispatches: vec![at], org, person, declared, work: vec![], finishes: vec![], taken: vec![] });
        }
    }
}

/// Takes back the assignments it names and had seen (row 53).
fn take_back(world: &World<'_>, standing: &mut Standing, at: usize) {
    let graph = &world.graph;
    for target in world.graph.action(at).fields.targets.iter().flatten() {
        let named = standing.shares.iter_mut().filter(|share| share.is(graph, *target) && share.dispatches.iter().any(|seen| graph.saw(at, *seen)));
        named.for_each(|share| share.taken.push(at));
    }
}
