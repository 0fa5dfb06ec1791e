//! What the effective actions add up to. Effects only add to these lists; where the case stands is read off them, so that the order in
//! which concurrent actions were applied leaves no trace.

use crate::domain::action::{ActionKind, Severity};
use crate::domain::area::Level;
use crate::domain::grant::Author;
use crate::domain::id::{ActionId, OrgId, UserId};

use super::graph::Graph;
use super::run::Judged;
use super::{Assignment, AssignmentStatus, State, header};

/// What every reading needs: the graph, and what is known of each action before it is applied.
#[derive(Debug)]
pub(super) struct World<'a> {
    pub graph: Graph<'a>,
    pub judged: Vec<Judged>,
    pub late: Vec<bool>,
}

impl World<'_> {
    /// Whether one of the two sides saw an emergency (row 9).
    pub fn emergency(&self, a: usize, b: usize) -> bool {
        [a, b].iter().any(|at| self.judged.get(*at).is_some_and(|judged| judged.emergency))
    }
}

/// The effective actions, by what they contribute.
#[derive(Debug, Clone, Default)]
pub(super) struct Standing {
    /// Rounds by their openers (R9); the first is opened by the report.
    pub rounds: Vec<Vec<usize>>,
    pub accepts: Vec<usize>,
    pub reopens: Vec<usize>,
    pub shares: Vec<Share>,
    /// SELF_RESOLVE and FINISH, with their round.
    pub claims: Vec<(usize, usize)>,
    pub passes: Vec<(usize, usize)>,
    pub endings: Vec<usize>,
    /// What asks for the case to be opened again.
    pub requests: Vec<usize>,
    pub denials: Vec<usize>,
    /// REPORT, ACCEPT and EDIT.
    pub writers: Vec<usize>,
    pub resolutions: Vec<usize>,
    /// Everything effective.
    pub effective: Vec<usize>,
}

/// One organisation's share of a dispatch.
#[derive(Debug, Clone)]
pub(super) struct Share {
    /// The DISPATCH, and those that collapsed into it (row 7).
    pub dispatches: Vec<usize>,
    pub org: Option<OrgId>,
    pub person: Option<UserId>,
    /// A declared co-handler, whose finishing is required.
    pub declared: bool,
    /// SIGN and PROGRESS.
    pub work: Vec<usize>,
    /// FINISH, with its round.
    pub finishes: Vec<(usize, usize)>,
    /// RECALL and DISPATCH that took it back.
    pub taken: Vec<usize>,
}

impl Share {
    /// Whether the author is the handler: the person it names; or anybody of the organisation where it names none, and of a department in any case.
    pub fn handled_by(&self, author: &Author) -> bool {
        let department = author.role == crate::domain::grant::Role::Department;
        self.person == Some(author.user) || (self.org.is_some() && self.org == author.org && (self.person.is_none() || department))
    }

    /// Whether it is known under this id; a collapsed id is an alias (R12).
    pub fn is(&self, graph: &Graph<'_>, id: ActionId) -> bool {
        self.dispatches.iter().any(|at| graph.id(*at) == id)
    }

    fn lead(&self, graph: &Graph<'_>) -> usize {
        self.dispatches.iter().copied().reduce(|best, next| if graph.better(next, best) { next } else { best }).unwrap_or_default()
    }
}

impl Standing {
    /// The number of the standing round, from 0.
    pub fn round(&self) -> usize {
        self.rounds.len().saturating_sub(1)
    }

    /// The round that `opener` opened, when it is on the standing line.
    pub fn round_of(&self, opener: usize) -> Option<usize> {
        self.rounds.iter().position(|openers| openers.contains(&opener))
    }

    /// The name of a round: the least id among its openers.
    pub fn round_id(&self, graph: &Graph<'_>, round: usize) -> Option<ActionId> {
        self.rounds.get(round)?.iter().map(|at| graph.id(*at)).min()
    }

    /// Whether this person reported the case.
    pub fn reported_by(&self, graph: &Graph<'_>, user: UserId) -> bool {
        self.rounds.first().into_iter().flatten().any(|at| graph.action(*at).author.user == user)
    }

    /// The severity at the head of the case.
    pub fn severity(&self, graph: &Graph<'_>) -> Severity {
        header::severity(graph, &self.writers).unwrap_or(Severity::Normal)
    }

    /// The level that holds the case (R11).
    pub fn custody(&self, graph: &Graph<'_>) -> Level {
        let by_severity = if self.severity(graph) > Severity::Normal { Level::Town } else { Level::Village };
        // Level is ordered from the top down.
        self.accepts.iter().filter_map(|at| graph.action(*at).author.role.level()).fold(by_severity, Level::min)
    }

    /// Where the case stands.
    pub fn state(&self, world: &World<'_>) -> State {
        if self.rounds.is_empty() {
            return State::Draft;
        }
        if let Some(ending) = self.ending(world) {
            return ended(world.graph.kind(ending));
        }
        let round = self.round();
        if self.passes.iter().any(|(of, _)| *of == round) {
            return State::Verified;
        }
        if self.resolved(world) {
            return State::Resolved;
        }
        let statuses = || self.shares.iter().map(|share| self.status(world, share));
        if statuses().any(|status| matches!(status, AssignmentStatus::Signed)) || self.finished_in_part(world) {
            State::Handling
        } else if statuses().any(|status| status == AssignmentStatus::Unsigned) {
            State::Dispatched
        } else if self.accepts.is_empty() && self.reopens.is_empty() {
            State::Reported
        } else {
            State::Accepted
        }
    }

    /// The ending that stands: not undone by a REOPEN that had seen it. Rows 24 and 49 leave one kind; the best of them speaks.
    pub fn ending(&self, world: &World<'_>) -> Option<usize> {
        let graph = &world.graph;
        let stands = |ending: &usize| !self.reopens.iter().any(|reopen| graph.saw(*reopen, *ending));
        self.endings.iter().copied().filter(stands).reduce(|best, next| if graph.better(next, best) { next } else { best })
    }

    /// Whether a finish resolved this round, or all required assignments are finished (§3.2, rows 10 and 17).
    fn resolved(&self, world: &World<'_>) -> bool {
        let round = self.round();
        let claimed = |(of, at): &(usize, usize)| *of == round && world.judged.get(*at).is_some_and(|judged| judged.resolves);
        self.claims.iter().any(claimed) || self.required_finished(world)
    }

    fn required_finished(&self, world: &World<'_>) -> bool {
        let required = self.required(world);
        !required.is_empty() && required.iter().all(|share| self.finished(&self.shares[*share]))
    }

    fn finished_in_part(&self, world: &World<'_>) -> bool {
        self.shares.iter().any(|share| self.finished(share) && self.is_live(world, share))
    }

    fn finished(&self, share: &Share) -> bool {
        share.finishes.iter().any(|(round, _)| *round == self.round())
    }

    /// The assignments the case waits for (R12): the best live lead of a concurrent group, and the declared co-handlers.
    pub fn required(&self, world: &World<'_>) -> Vec<usize> {
        let graph = &world.graph;
        let live: Vec<usize> = (0..self.shares.len()).filter(|share| self.is_live(world, &self.shares[*share])).collect();
        let leads = live.iter().copied().filter(|share| !self.shares[*share].declared);
        let follows =
            |share: usize| live.iter().any(|other| !self.shares[*other].declared && graph.saw(self.shares[share].lead(graph), self.shares[*other].lead(graph)));
        // Row 8 as amended: ranks lead only while neither has finished.
        let best = leads.filter(|share| !follows(*share)).reduce(|best, next| {
            let (b, n) = (&self.shares[best], &self.shares[next]);
            match (self.finished(b), self.finished(n)) {
                (true, false) => best,
                (false, true) => next,
                _ if graph.better(n.lead(graph), b.lead(graph)) => next,
                _ => best,
            }
        });
        live.iter().copied().filter(|share| self.shares[*share].declared).chain(best).collect()
    }

    fn is_live(&self, world: &World<'_>, share: &Share) -> bool {
        !self.is_over(world, share) && self.taken_by(world, share).is_none() && !self.is_paused(world, share)
    }

    /// A REOPEN starts afresh: what it had seen dispatched is history.
    fn is_over(&self, world: &World<'_>, share: &Share) -> bool {
        self.reopens.iter().any(|reopen| share.dispatches.iter().any(|at| world.graph.saw(*reopen, *at)))
    }

    /// What took the assignment back. It takes only what it had seen (row 53), and in an emergency nobody is called off who was at work and not
    /// known to be (row 9).
    fn taken_by(&self, world: &World<'_>, share: &Share) -> Option<usize> {
        let unseen = |taker: usize| share.dispatches.iter().any(|dispatch| !world.graph.saw(taker, *dispatch));
        let at_work = |taker: usize| share.work.iter().any(|work| world.graph.concurrent(*work, taker) && world.emergency(*work, taker));
        let spared = |taker: usize| unseen(taker) || at_work(taker);
        let takers = share.taken.iter().copied().filter(|taker| !spared(*taker));
        takers.reduce(|best, next| if world.graph.better(next, best) { next } else { best })
    }

    /// Paused while a finish that had not seen it awaits verification (row 10).
    fn is_paused(&self, world: &World<'_>, share: &Share) -> bool {
        let round = self.round();
        let unseen = |at: usize| share.dispatches.iter().all(|dispatch| !world.graph.saw(at, *dispatch));
        let resolves = |at: usize| world.judged.get(at).is_some_and(|judged| judged.resolves);
        !self.finished(share) && self.claims.iter().any(|(of, at)| *of == round && resolves(*at) && world.graph.kind(*at) == ActionKind::Finish && unseen(*at))
    }

    /// How far an assignment is.
    pub fn status(&self, world: &World<'_>, share: &Share) -> AssignmentStatus {
        let worked = !share.work.is_empty() || !share.finishes.is_empty();
        if self.finished(share) {
            return AssignmentStatus::Finished;
        }
        if let Some(taker) = self.taken_by(world, share) {
            return if world.graph.kind(taker) == ActionKind::Dispatch { AssignmentStatus::Superseded } else { AssignmentStatus::Recalled };
        }
        if self.is_over(world, share) {
            return if share.finishes.is_empty() { AssignmentStatus::Recalled } else { AssignmentStatus::Finished };
        }
        if self.is_paused(world, share) {
            AssignmentStatus::Paused
        } else if worked {
            AssignmentStatus::Signed
        } else {
            AssignmentStatus::Unsigned
        }
    }

    /// The assignments as screens show them. With the end of the case, what was still open is taken back.
    pub fn assignments(&self, world: &World<'_>) -> Vec<Assignment> {
        let required = self.required(world);
        let ended = self.ending(world).is_some();
        let shown = |(at, share): (usize, &Share)| {
            let status = self.status(world, share);
            let status =
                if ended && status != AssignmentStatus::Finished && status != AssignmentStatus::Superseded { AssignmentStatus::Recalled } else { status };
            let due_ms = share.dispatches.iter().filter_map(|at| world.graph.action(*at).fields.due_ms).min();
            Assignment { id: world.graph.id(share.lead(&world.graph)), org: share.org, person: share.person, due_ms, status, required: required.contains(&at) }
        };
        self.shares.iter().enumerate().map(shown).collect()
    }

    /// Closed, but something the CLOSE had not seen asks for more (rows 22 and 23, R17).
    pub fn reopen_pending(&self, world: &World<'_>) -> bool {
        let graph = &world.graph;
        let Some(close) = self.ending(world).filter(|ending| graph.kind(*ending) == ActionKind::Close) else { return false };
        let answered = |request: usize| self.denials.iter().any(|denial| graph.saw(*denial, request));
        let open = |request: usize| !graph.saw(close, request) && !answered(request);
        self.requests.iter().copied().chain(self.fails(graph)).any(open)
    }

    /// The effective VERIFY_FAILs.
    fn fails<'b>(&'b self, graph: &'b Graph<'_>) -> impl Iterator<Item = usize> + 'b {
        self.rounds.iter().flatten().copied().filter(|at| graph.kind(*at) == ActionKind::VerifyFail)
    }
}

const fn ended(kind: ActionKind) -> State {
    match kind {
        ActionKind::Reject => State::Rejected,
        ActionKind::Withdraw => State::Withdrawn,
        ActionKind::Merge => State::Merged,
        ActionKind::Void => State::Void,
        _ => State::Closed,
    }
}
