//! The table of concurrent pairs (`domain.md` §3.7 as amended by §3.8), in the order of precedence of R8.
//!
//! A rule is written for a pair, not for an order: it says who holds, and the run undoes or refuses whichever came later. Built: rows 1, 3–10,
//! 17, 21–24, 26, 47, 49, 51, 53, 54 and 57; row 2 is about two cases (the server's), rows 5, 38 and 39 about the header are in `header`,
//! the rest of row 9 (who is called off), 10 (who is paused) and 12 (required again) is read off what stands.

use crate::domain::action::ActionKind::{
    self as K, Accept, Close, Dispatch, Finish, Progress, Rate, Recall, Reject, Reopen, Report, RequestReopen, SelfResolve, Sign, Supplement, VerifyFail,
    VerifyPass, Withdraw,
};

use super::FlagLevel::{Info, Must};
use super::run::Run;
use super::standing::World;
use super::{FlagLevel, effects};

/// Who of a pair holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// Both are effective.
    Both,
    /// The first only.
    A,
    /// The second only.
    B,
}

/// What a row says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ruling {
    pub holds: Holds,
    pub flag: Option<FlagLevel>,
}

/// Says what becomes of a pair; `None` when the row does not apply to it after all.
type Rule = fn(&World<'_>, &Run, usize, usize) -> Option<Ruling>;

/// One row.
pub(super) struct Row {
    pub number: u8,
    a: &'static [K],
    b: &'static [K],
    pub rule: Rule,
    /// Steps back where a specific row has ruled on the pair.
    pub general: bool,
}

impl Row {
    /// The pair as the row names it; of two of a kind the better first.
    pub fn sides(&self, world: &World<'_>, x: usize, y: usize) -> Option<(usize, usize)> {
        let graph = &world.graph;
        let fits = |a: usize, b: usize| self.a.contains(&graph.kind(a)) && self.b.contains(&graph.kind(b));
        match (fits(x, y), fits(y, x)) {
            (true, true) if graph.better(y, x) => Some((y, x)),
            (true, _) => Some((x, y)),
            (false, true) => Some((y, x)),
            (false, false) => None,
        }
    }
}

const fn row(number: u8, a: &'static [K], b: &'static [K], rule: Rule) -> Row {
    Row { number, a, b, rule, general: false }
}

const ENDINGS: &[K] = &[Close, Reject, Withdraw];
const AGAIN: &[K] = &[Recall, Dispatch, Reopen];
const GIVE_OR_TAKE: &[K] = &[Recall, Dispatch];

/// R8: the facts' own rows, then 3, 4, 6 (and 47, which is their like), then 26, 24, 22 and 23, 21; the others do not meet.
pub(super) const ROWS: &[Row] = &[
    row(10, &[Finish], GIVE_OR_TAKE, finish_meets_dispatch),
    row(17, &[Finish, SelfResolve], &[Finish, SelfResolve], two_finishes),
    row(9, &[Sign, Progress], GIVE_OR_TAKE, work_meets_recall),
    row(3, &[Accept], &[Withdraw], |_, _, _, _| a_holds(Info)),
    row(4, &[Supplement], &[Withdraw], supplement_by_another),
    row(6, &[Accept], &[Reject], |_, _, _, _| a_holds(Must)),
    row(47, &[Accept], &[SelfResolve], |_, _, _, _| a_holds(Must)),
    row(47, &[SelfResolve], &[Reject], |_, _, _, _| a_holds(Must)),
    row(47, &[SelfResolve], &[Withdraw], |_, _, _, _| a_holds(Info)),
    row(26, AGAIN, &[Close], decision_meets_close),
    row(24, &[Close], &[Close], |world, _, a, b| both(Some(if differ(world, a, b, |f| &f.result) { Must } else { Info }))),
    row(22, &[VerifyPass], &[Close], later_round_verified),
    row(22, &[VerifyFail], &[Close], fail_meets_close),
    row(23, &[Rate, RequestReopen], &[Close], dissatisfied_meets_close),
    row(21, &[VerifyFail], &[VerifyPass], fail_meets_pass),
    row(49, ENDINGS, ENDINGS, two_endings),
    row(5, &[Accept], &[Accept], |world, _, a, b| both(Some(if differ(world, a, b, |f| &f.category) { Must } else { Info }))),
    row(7, &[Dispatch], &[Dispatch], same_assignee),
    row(8, &[Dispatch], &[Dispatch], other_assignee),
    row(53, &[Recall], &[Dispatch], |_, _, _, _| both(Some(Info))),
    row(51, &[Report], &[Report], |_, _, _, _| both(None)),
    row(51, &[Reopen], &[Reopen], same_round),
    row(51, &[VerifyFail], &[VerifyFail], same_round),
    row(51, &[VerifyPass], &[VerifyPass], same_round),
    row(51, &[Sign], &[Sign], |world, _, a, b| (world.graph.action(a).assignment == world.graph.action(b).assignment).then_some(BOTH)),
    row(54, &[Reopen], &[VerifyFail], |world, run, a, b| same_round(world, run, a, b).map(|_| Ruling { flag: Some(Info), ..BOTH })),
    Row { number: 1, a: &[Supplement, Rate, Progress], b: ENDINGS, rule: |_, _, _, _| both(Some(Info)), general: true },
    Row { number: 1, a: &[Supplement, Rate, Progress], b: K::ALL, rule: |_, _, _, _| both(None), general: true },
];

/// The decisions that void a CLOSE that had not seen them (row 26).
pub(super) fn voids_close(kind: K) -> bool {
    AGAIN.contains(&kind)
}

const BOTH: Ruling = Ruling { holds: Holds::Both, flag: None };

const fn both(flag: Option<FlagLevel>) -> Option<Ruling> {
    Some(Ruling { holds: Holds::Both, flag })
}

const fn a_holds(flag: FlagLevel) -> Option<Ruling> {
    Some(Ruling { holds: Holds::A, flag: Some(flag) })
}

fn differ<T: PartialEq>(world: &World<'_>, a: usize, b: usize, field: impl Fn(&crate::domain::action::Fields) -> &Option<T>) -> bool {
    field(&world.graph.action(a).fields) != field(&world.graph.action(b).fields)
}

/// Both act on the same round of the standing line.
fn same_round(world: &World<'_>, run: &Run, a: usize, b: usize) -> Option<Ruling> {
    (round(world, run, a)? == round(world, run, b)?).then_some(BOTH)
}

fn round(world: &World<'_>, run: &Run, at: usize) -> Option<usize> {
    run.standing.round_of(world.judged[at].opener?)
}

/// Row 10: the work is done, whatever was decided about who should do it.
fn finish_meets_dispatch(world: &World<'_>, run: &Run, finish: usize, decision: usize) -> Option<Ruling> {
    same_round(world, run, finish, decision)?;
    let matters = world.judged[finish].resolves || takes(world, decision, finish);
    both(matters.then_some(Must))
}

/// Whether a RECALL or DISPATCH takes back the assignment that an action is done under.
fn takes(world: &World<'_>, decision: usize, work: usize) -> bool {
    let named = world.graph.action(work).assignment;
    world.graph.action(decision).fields.targets.iter().flatten().any(|target| Some(*target) == named)
}

/// Row 17: both reports are kept.
fn two_finishes(world: &World<'_>, run: &Run, a: usize, b: usize) -> Option<Ruling> {
    same_round(world, run, a, b)?;
    both(differ(world, a, b, |f| &f.result).then_some(Info))
}

/// Row 9: the old handler is told to stop, what he did is kept; in an emergency both stay.
fn work_meets_recall(world: &World<'_>, _: &Run, work: usize, decision: usize) -> Option<Ruling> {
    takes(world, decision, work).then_some(Ruling { holds: Holds::Both, flag: Some(if world.emergency(work, decision) { Must } else { Info }) })
}

/// Row 4.
fn supplement_by_another(world: &World<'_>, _: &Run, supplement: usize, withdraw: usize) -> Option<Ruling> {
    let another = world.graph.action(supplement).author.user != world.graph.action(withdraw).author.user;
    another.then_some(Ruling { holds: Holds::A, flag: Some(Info) })
}

/// Row 26: a decision that the CLOSE had not seen, by the level it had seen in custody or above.
fn decision_meets_close(world: &World<'_>, _: &Run, decision: usize, close: usize) -> Option<Ruling> {
    let level = world.graph.action(decision).author.role.level()?;
    (level <= world.judged[close].custody).then_some(Ruling { holds: Holds::A, flag: Some(Must) })
}

/// Row 22 as amended: the CLOSE's round was succeeded, and the new one is verified.
fn later_round_verified(world: &World<'_>, run: &Run, pass: usize, close: usize) -> Option<Ruling> {
    (round(world, run, pass)? > round(world, run, close)?).then_some(Ruling { holds: Holds::A, flag: Some(Info) })
}

/// Row 22: closed, and to be opened again.
fn fail_meets_close(world: &World<'_>, run: &Run, fail: usize, close: usize) -> Option<Ruling> {
    same_round(world, run, fail, close).map(|_| Ruling { flag: Some(Must), ..BOTH })
}

/// Row 23.
fn dissatisfied_meets_close(world: &World<'_>, _: &Run, request: usize, close: usize) -> Option<Ruling> {
    debug_assert_eq!(world.graph.kind(close), Close);
    let action = world.graph.action(request);
    let asks = action.kind == RequestReopen || action.fields.score.is_some_and(|score| score <= effects::DISSATISFIED);
    asks.then_some(Ruling { flag: Some(Must), ..BOTH })
}

/// Row 21: not gone, says the fail-safe, unless the round was closed meanwhile (row 22 then speaks).
fn fail_meets_pass(world: &World<'_>, run: &Run, fail: usize, pass: usize) -> Option<Ruling> {
    same_round(world, run, fail, pass)?;
    let closed = run.may_stand(world, Close).any(|close| world.graph.concurrent(close, fail) && same_round(world, run, close, fail).is_some());
    if closed { Some(BOTH) } else { a_holds(Must) }
}

/// Row 49: MERGE > CLOSE > REJECT > WITHDRAW > VOID; of two of a kind the better.
fn two_endings(world: &World<'_>, _: &Run, a: usize, b: usize) -> Option<Ruling> {
    let place = |at: usize| [K::Merge, Close, Reject, Withdraw, K::Void].iter().position(|kind| *kind == world.graph.kind(at));
    let (fields_a, fields_b) = (&world.graph.action(a).fields, &world.graph.action(b).fields);
    let told_twice = fields_a.reply.is_some() && fields_b.reply.is_some() && fields_a.reply != fields_b.reply;
    let a_first = match place(a).cmp(&place(b)) {
        std::cmp::Ordering::Less => true,
        std::cmp::Ordering::Greater => false,
        std::cmp::Ordering::Equal => world.graph.better(a, b),
    };
    let both_closed = world.graph.kind(a) == Close && world.graph.kind(b) == Close;
    let ruling = Ruling { holds: if a_first { Holds::A } else { Holds::B }, flag: Some(if told_twice { Must } else { Info }) };
    (!both_closed).then_some(ruling)
}

/// Row 7: one assignment, the earlier due.
fn same_assignee(world: &World<'_>, _: &Run, a: usize, b: usize) -> Option<Ruling> {
    is_same_assignee(world, a, b).then_some(BOTH)
}

/// Row 8: the better leads, the other stays as co-handler.
fn other_assignee(world: &World<'_>, _: &Run, a: usize, b: usize) -> Option<Ruling> {
    (!is_same_assignee(world, a, b)).then_some(Ruling { flag: Some(Must), ..BOTH })
}

fn is_same_assignee(world: &World<'_>, a: usize, b: usize) -> bool {
    !differ(world, a, b, |f| &f.org) && !differ(world, a, b, |f| &f.person)
}

/// Row 57: the REOPEN stands although the CLOSE it stood on was voided; gives what voided it, which may come later in the order.
pub(super) fn voider_of_its_close(world: &World<'_>, run: &Run, reopen: usize) -> Option<usize> {
    let closes = world.graph.past(reopen).iter().filter(|at| world.graph.kind(*at) == Close);
    let mut voiders = closes.filter_map(|close| run.lost_to(close)).filter(|voider| world.graph.concurrent(*voider, reopen));
    (world.graph.kind(reopen) == Reopen).then(|| voiders.next()).flatten()
}
