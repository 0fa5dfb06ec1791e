//! The rows of `domain.md` §3.7 and §3.8, each in both orders of application.

use super::kit::*;
use crate::domain::action::{ActionKind as K, Severity};
use crate::domain::case::AssignmentStatus::{Finished, Paused, Recalled, Signed, Superseded, Unsigned};
use crate::domain::case::{AssignmentStatus, Case, Effect, Ineffective, State};
use crate::domain::grant::{Author, Role};
use crate::domain::id::{ActionId, UserId};

type Write = fn(&mut Desk, &[ActionId]) -> ActionId;

/// One row: what both sides had seen, what each does, and what comes of it.
struct Pair {
    row: &'static str,
    before: fn(&mut Desk),
    a: Write,
    b: Write,
    state: State,
    a_stands: bool,
    b_stands: bool,
    flags: &'static [(u8, bool)],
    also: fn(&Case),
}

const NOTHING_MORE: fn(&Case) = |_| {};

fn reported(desk: &mut Desk) {
    desk.next(rider(), K::Report);
}
fn accepted(desk: &mut Desk) {
    reported(desk);
    desk.next(dispatcher(), K::Accept);
}
fn dispatched(desk: &mut Desk) {
    accepted(desk);
    desk.next(dispatcher(), K::Dispatch);
}
fn dispatched_in_emergency(desk: &mut Desk) {
    desk.with(&[], rider(), K::Report, |fields| fields.severity = Some(Severity::Emergency));
    desk.next(dispatcher(), K::Accept);
    desk.next(dispatcher(), K::Dispatch);
}
fn handling(desk: &mut Desk) {
    desk.handling();
}
fn resolved(desk: &mut Desk) {
    desk.resolved();
}
fn verified(desk: &mut Desk) {
    desk.resolved();
    desk.next(member(), K::VerifyPass);
}

/// Another clerk of department 1.
fn colleague() -> Author {
    Author { user: UserId::from_bytes([99; 16]), ..department(1) }
}

fn to(desk: &mut Desk, heads: &[ActionId], author: Author, number: u8) -> ActionId {
    desk.with(heads, author, K::Dispatch, |fields| fields.org = Some(org(number)))
}

/// Dispatches to department 2 in place of the assignment that stands.
fn instead(desk: &mut Desk, heads: &[ActionId]) -> ActionId {
    let old = desk.view(heads).assignments[0].id;
    desk.with(heads, dispatcher(), K::Dispatch, |fields| (fields.org, fields.targets) = (Some(org(102)), Some(vec![old])))
}

fn closed(desk: &mut Desk, heads: &[ActionId]) -> ActionId {
    let pass = desk.on(heads, other_member(), K::VerifyPass);
    desk.on(&[pass], dispatcher(), K::Close)
}

fn finished_and_closed(desk: &mut Desk, heads: &[ActionId]) -> ActionId {
    let finish = desk.on(heads, department(1), K::Finish);
    closed(desk, &[finish])
}

fn statuses(case: &Case) -> Vec<AssignmentStatus> {
    case.assignments.iter().map(|assignment| assignment.status).collect()
}

#[rustfmt::skip]
const PAIRS: &[Pair] = &[
    Pair { row: "1: late evidence", before: verified, a: |d, h| d.on(h, member(), K::Supplement), b: |d, h| d.on(h, dispatcher(), K::Close),
        state: State::Closed, a_stands: true, b_stands: true, flags: &[(1, false)], also: NOTHING_MORE },
    Pair { row: "3", before: reported, a: |d, h| d.on(h, dispatcher(), K::Accept), b: |d, h| d.on(h, rider(), K::Withdraw),
        state: State::Accepted, a_stands: true, b_stands: false, flags: &[(3, false)], also: NOTHING_MORE },
    Pair { row: "4", before: reported, a: |d, h| d.on(h, member(), K::Supplement), b: |d, h| d.on(h, rider(), K::Withdraw),
        state: State::Reported, a_stands: true, b_stands: false, flags: &[(4, false)], also: NOTHING_MORE },
    Pair { row: "4: his own supplement", before: reported, a: |d, h| d.on(h, rider(), K::Supplement), b: |d, h| d.on(h, rider(), K::Withdraw),
        state: State::Withdrawn, a_stands: true, b_stands: true, flags: &[(1, false)], also: NOTHING_MORE },
    Pair { row: "5", before: reported, a: |d, h| d.on(h, leader(), K::Accept), b: |d, h| d.with(h, dispatcher(), K::Accept, |f| f.severity = Some(Severity::Urgent)),
        state: State::Accepted, a_stands: true, b_stands: true, flags: &[(5, false), (38, false)], also: |case| assert_eq!(case.header.severity, Some(Severity::Urgent)) },
    Pair { row: "5: categories differ", before: reported, a: |d, h| d.on(h, leader(), K::Accept), b: |d, h| d.with(h, dispatcher(), K::Accept, |f| f.category = Some("0202".into())),
        state: State::Accepted, a_stands: true, b_stands: true, flags: &[(5, true)], also: |case| assert_eq!(case.header.category.as_deref(), Some("0201")) },
    Pair { row: "6", before: reported, a: |d, h| d.on(h, community(), K::Accept), b: |d, h| d.on(h, dispatcher(), K::Reject),
        state: State::Accepted, a_stands: true, b_stands: false, flags: &[(6, true)], also: NOTHING_MORE },
    Pair { row: "7", before: accepted, a: |d, h| d.on(h, dispatcher(), K::Dispatch), b: |d, h| d.with(h, leader(), K::Dispatch, |f| f.due_ms = Some(5)),
        state: State::Dispatched, a_stands: true, b_stands: true, flags: &[], also: |case| assert_eq!((case.assignments.len(), case.assignments[0].due_ms), (1, Some(5))) },
    Pair { row: "8", before: accepted, a: |d, h| to(d, h, dispatcher(), 101), b: |d, h| to(d, h, leader(), 102),
        state: State::Dispatched, a_stands: true, b_stands: true, flags: &[(8, true)],
        also: |case| assert_eq!(case.assignments.iter().filter(|one| one.required).map(|one| one.org).collect::<Vec<_>>(), [Some(org(102))]) },
    Pair { row: "9: recalled", before: dispatched, a: |d, h| d.on(h, department(1), K::Sign), b: |d, h| d.on(h, dispatcher(), K::Recall),
        state: State::Accepted, a_stands: true, b_stands: true, flags: &[(9, false)], also: |case| assert_eq!(statuses(case), [Recalled]) },
    Pair { row: "9: dispatched to another", before: handling, a: |d, h| d.on(h, department(1), K::Progress), b: instead,
        state: State::Dispatched, a_stands: true, b_stands: true, flags: &[(9, false)], also: |case| assert_eq!(statuses(case), [Superseded, Unsigned]) },
    Pair { row: "9: in an emergency both stay", before: dispatched_in_emergency, a: |d, h| d.on(h, department(1), K::Sign), b: instead,
        state: State::Handling, a_stands: true, b_stands: true, flags: &[(9, true)], also: |case| assert_eq!(statuses(case), [Signed, Unsigned]) },
    Pair { row: "10: dispatched to another", before: handling, a: |d, h| d.on(h, department(1), K::Finish), b: instead,
        state: State::Resolved, a_stands: true, b_stands: true, flags: &[(10, true)], also: |case| assert_eq!(statuses(case), [Finished, Paused]) },
    Pair { row: "10: recalled", before: handling, a: |d, h| d.on(h, department(1), K::Finish), b: |d, h| d.on(h, dispatcher(), K::Recall),
        state: State::Resolved, a_stands: true, b_stands: true, flags: &[(10, true)], also: |case| assert_eq!(statuses(case), [Finished]) },
    Pair { row: "17", before: handling, a: |d, h| d.on(h, department(1), K::Finish), b: |d, h| d.with(h, colleague(), K::Finish, |f| f.result = Some("nothing_found".into())),
        state: State::Resolved, a_stands: true, b_stands: true, flags: &[(17, false)], also: NOTHING_MORE },
    Pair { row: "21", before: resolved, a: |d, h| d.on(h, member(), K::VerifyFail), b: |d, h| d.on(h, other_member(), K::VerifyPass),
        state: State::Handling, a_stands: true, b_stands: false, flags: &[(21, true)], also: |case| assert_eq!(case.round, 2) },
    Pair { row: "22", before: resolved, a: |d, h| d.on(h, member(), K::VerifyFail), b: closed,
        state: State::Closed, a_stands: true, b_stands: true, flags: &[(22, true)], also: |case| assert!(case.reopen_pending) },
    Pair { row: "23", before: verified, a: |d, h| d.with(h, rider(), K::Rate, |f| f.score = Some(1)), b: |d, h| d.on(h, dispatcher(), K::Close),
        state: State::Closed, a_stands: true, b_stands: true, flags: &[(23, true)], also: |case| assert!(case.reopen_pending) },
    Pair { row: "24", before: verified, a: |d, h| d.on(h, leader(), K::Close), b: |d, h| d.with(h, dispatcher(), K::Close, |f| f.reply = Some("另一答复".into())),
        state: State::Closed, a_stands: true, b_stands: true, flags: &[(24, false)], also: |case| assert_eq!(case.reply.as_deref(), Some("井盖已更换")) },
    Pair { row: "26", before: handling, a: instead, b: finished_and_closed,
        state: State::Verified, a_stands: true, b_stands: false, flags: &[(26, true)], also: |case| assert_eq!(statuses(case), [Finished, Paused]) },
    Pair { row: "38", before: reported, a: |d, h| d.with(h, member(), K::Edit, |f| f.severity = Some(Severity::Urgent)), b: |d, h| d.with(h, rider(), K::Edit, |f| f.severity = Some(Severity::Normal)),
        state: State::Reported, a_stands: true, b_stands: true, flags: &[(38, false)], also: |case| assert_eq!(case.header.severity, Some(Severity::Urgent)) },
    Pair { row: "39", before: accepted, a: |d, h| d.with(h, leader(), K::Edit, |f| f.category = Some("0301".into())), b: |d, h| d.with(h, member(), K::Edit, |f| f.category = Some("0302".into())),
        state: State::Accepted, a_stands: true, b_stands: true, flags: &[(39, true)], also: |case| assert_eq!(case.header.category.as_deref(), Some("0301")) },
    Pair { row: "47: accepted", before: reported, a: |d, h| d.on(h, member(), K::SelfResolve), b: |d, h| d.on(h, dispatcher(), K::Accept),
        state: State::Accepted, a_stands: false, b_stands: true, flags: &[(47, true)], also: NOTHING_MORE },
    Pair { row: "47: rejected", before: reported, a: |d, h| d.on(h, member(), K::SelfResolve), b: |d, h| d.on(h, dispatcher(), K::Reject),
        state: State::Resolved, a_stands: true, b_stands: false, flags: &[(47, true)], also: NOTHING_MORE },
    Pair { row: "47: withdrawn", before: reported, a: |d, h| d.on(h, member(), K::SelfResolve), b: |d, h| d.on(h, rider(), K::Withdraw),
        state: State::Resolved, a_stands: true, b_stands: false, flags: &[(47, false)], also: NOTHING_MORE },
    Pair { row: "49", before: reported, a: |d, h| d.on(h, dispatcher(), K::Reject), b: |d, h| d.on(h, rider(), K::Withdraw),
        state: State::Rejected, a_stands: true, b_stands: false, flags: &[(49, false)], also: NOTHING_MORE },
    Pair { row: "49: two replies", before: reported, a: |d, h| d.on(h, leader(), K::Reject), b: |d, h| d.with(h, dispatcher(), K::Reject, |f| f.reply = Some("另一答复".into())),
        state: State::Rejected, a_stands: true, b_stands: false, flags: &[(49, true)], also: |case| assert_eq!(case.reply.as_deref(), Some("不在本镇")) },
    Pair { row: "51: failed twice", before: resolved, a: |d, h| d.on(h, member(), K::VerifyFail), b: |d, h| d.on(h, other_member(), K::VerifyFail),
        state: State::Handling, a_stands: true, b_stands: true, flags: &[], also: |case| assert_eq!(case.round, 2) },
    Pair { row: "51: passed twice", before: resolved, a: |d, h| d.on(h, member(), K::VerifyPass), b: |d, h| d.on(h, other_member(), K::VerifyPass),
        state: State::Verified, a_stands: true, b_stands: true, flags: &[], also: NOTHING_MORE },
    Pair { row: "53", before: dispatched, a: |d, h| d.on(h, dispatcher(), K::Recall), b: |d, h| to(d, h, leader(), 102),
        state: State::Dispatched, a_stands: true, b_stands: true, flags: &[(53, false)], also: |case| assert_eq!(statuses(case), [Recalled, Unsigned]) },
    Pair { row: "54", before: resolved, a: |d, h| { let close = closed(d, h); d.on(&[close], leader(), K::Reopen) }, b: |d, h| d.on(h, member(), K::VerifyFail),
        state: State::Accepted, a_stands: true, b_stands: true, flags: &[(22, true), (54, false)], also: |case| assert_eq!(case.round, 2) },
    Pair { row: "57", before: handling, a: |d, h| { let close = finished_and_closed(d, h); d.on(&[close], leader(), K::Reopen) }, b: instead,
        state: State::Dispatched, a_stands: true, b_stands: true, flags: &[(26, true), (57, false)], also: |case| assert_eq!(case.round, 2) },
];

/// Whether the first side comes before the second in the folded order.
fn first_leads(case: &Case, a: ActionId, b: ActionId) -> bool {
    let place = |id| case.history.iter().position(|entry| entry.id == id);
    place(a) < place(b)
}

/// An action without effect that comes late in the order: what has seen it is applied after what has not.
fn delay(desk: &mut Desk, heads: &[ActionId]) -> Vec<ActionId> {
    vec![desk.on(heads, who(Role::Volunteer, 9), K::Withdraw)]
}

#[test]
fn each_row_gives_the_same_in_both_orders() {
    for pair in PAIRS {
        let mut orders = [0, 0];
        for (salt, late) in (0..4).flat_map(|salt| [(salt, 0), (salt, 1), (salt, 2)]) {
            let mut desk = Desk::salted(salt);
            (pair.before)(&mut desk);
            let heads = desk.fold().frontier;
            let heads_of = |desk: &mut Desk, side| if late == side { delay(desk, &heads) } else { heads.clone() };
            let (for_a, for_b) = (heads_of(&mut desk, 1), heads_of(&mut desk, 2));
            let (a, b) = ((pair.a)(&mut desk, &for_a), (pair.b)(&mut desk, &for_b));
            let case = desk.fold();
            orders[usize::from(first_leads(&case, a, b))] += 1;

            let row = pair.row;
            let effect = |stands| if stands { Effect::Effective } else { Effect::Ineffective(Ineffective::Superseded) };
            assert_eq!(case.effect(a), Some(effect(pair.a_stands)), "row {row}: a, late {late}");
            assert_eq!(case.effect(b), Some(effect(pair.b_stands)), "row {row}: b, late {late}");
            assert_eq!(case.state, pair.state, "row {row}, late {late}");
            let mut found = flags(&case);
            found.sort_unstable();
            assert_eq!(found, pair.flags, "row {row}, late {late}");
            (pair.also)(&case);
        }
        assert!(orders.iter().all(|count| *count > 0), "row {} was seen in both orders: {orders:?}", pair.row);
    }
}

#[test]
fn where_no_row_fits_it_is_kept_and_flagged() {
    let mut desk = Desk::new();
    dispatched(&mut desk);
    let heads = desk.fold().frontier;
    let (one, two) = (desk.on(&heads, leader(), K::Recall), desk.on(&heads, dispatcher(), K::Recall));
    let case = desk.fold();
    effective(&case, &[one]);
    ineffective(&case, two, Ineffective::State);
    assert_eq!((case.state, flags(&case)), (State::Accepted, vec![(0, false)]));
}

#[test]
fn a_close_is_void_where_the_next_round_was_verified() {
    let mut desk = Desk::new();
    let finish = desk.resolved();
    let close = closed(&mut desk, &[finish]);
    let fail = desk.on(&[finish], member(), K::VerifyFail);
    let again = desk.on(&[fail], department(1), K::Finish);
    assert_eq!((desk.fold().state, desk.fold().reopen_pending), (State::Closed, true));
    desk.on(&[again], member(), K::VerifyPass);
    let case = desk.fold();
    ineffective(&case, close, Ineffective::Superseded);
    assert_eq!((case.state, case.round), (State::Verified, 2));
    assert!(flags(&case).contains(&(22, false)));
}

#[test]
fn a_decision_found_too_late_does_not_void_the_close() {
    let mut desk = Desk::new();
    handling(&mut desk);
    let heads = desk.fold().frontier;
    let close = finished_and_closed(&mut desk, &heads);
    let dispatch = instead(&mut desk, &heads);
    desk.facts.late.push(dispatch);
    let case = desk.fold();
    effective(&case, &[close]);
    ineffective(&case, dispatch, Ineffective::Late);
    assert_eq!((case.state, case.reopen_pending, flags(&case)), (State::Closed, true, vec![(22, true)]));
}

#[test]
fn of_three_that_meet_the_one_with_precedence_speaks() {
    let mut desk = Desk::new();
    reported(&mut desk);
    let heads = desk.fold().frontier;
    let accept = desk.on(&heads, dispatcher(), K::Accept);
    let supplement = desk.on(&heads, member(), K::Supplement);
    let withdraw = desk.on(&heads, rider(), K::Withdraw);
    let case = desk.fold();
    effective(&case, &[accept, supplement]);
    ineffective(&case, withdraw, Ineffective::Superseded);
    assert_eq!(flags(&case), [(3, false)]);
}
