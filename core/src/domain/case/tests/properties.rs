//! What holds for any history, however tangled.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::kit::*;
use crate::domain::action::{Action, ActionKind as K, Severity};
use crate::domain::case::kinds::{self, Right};
use crate::domain::case::{Case, CaseFacts, Effect, Ineffective, fold, possible};
use crate::domain::grant::{Author, Role};
use crate::domain::id::{ActionId, DocId};

/// One step: who, what (an index into what he may do, or any kind), on which earlier actions, with which variation.
type Step = (u8, bool, u8, Vec<prop::sample::Index>, u8);

fn people() -> Vec<Author> {
    let mut all = vec![rider(), member(), other_member(), community(), dispatcher(), leader(), department(1), department(2)];
    all.extend([who(Role::Volunteer, 3), who(Role::GridHead, 4), who(Role::County, 5), who(Role::Auditor, 6)]);
    all
}

fn play(steps: &[Step]) -> Desk {
    let mut desk = Desk::new();
    let mut written: Vec<ActionId> = vec![desk.on(&[], rider(), K::Report)];
    for (person, sensible, what, on, variation) in steps {
        let author = people()[usize::from(*person) % people().len()].clone();
        let recent = &written[written.len().saturating_sub(5)..];
        let heads: Vec<ActionId> = on.iter().map(|index| *index.get(recent)).collect();
        let offered = possible(&desk.view(&heads), &author);
        let kind = if *sensible && !offered.is_empty() { offered[usize::from(*what) % offered.len()] } else { K::ALL[usize::from(*what) % K::ALL.len()] };
        let assignments: Vec<ActionId> = desk.view(&heads).assignments.iter().map(|one| one.id).collect();
        let id = desk.with(&heads, author, kind, |fields| {
            if kind == K::Dispatch {
                fields.org = Some(org(101 + variation % 2));
                fields.targets = (variation & 4 > 0).then_some(assignments);
            }
            fields.score = fields.score.map(|_| 1 + variation % 5);
            fields.severity = (variation & 8 > 0).then_some(Severity::Emergency);
            if kind == K::Close {
                fields.result = Some(format!("{}", variation % 3));
            }
        });
        written.push(id);
    }
    desk
}

fn steps(max: usize) -> impl Strategy<Value = Vec<Step>> {
    let on = proptest::collection::vec(any::<prop::sample::Index>(), 1..3);
    proptest::collection::vec((any::<u8>(), prop::bool::weighted(0.9), any::<u8>(), on, any::<u8>()), 1..max)
}

fn order(case: &Case) -> Vec<ActionId> {
    case.history.iter().map(|entry| entry.id).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_every_replica_agrees(steps in steps(24)) {
        let desk = play(&steps);
        let case = desk.fold();
        prop_assert_eq!(order(&case).into_iter().collect::<BTreeSet<_>>(), desk.actions.keys().copied().collect::<BTreeSet<_>>());
        // A replica that got the actions as bytes, one by one in another order, folding at each step.
        let mut theirs: BTreeMap<ActionId, Action> = BTreeMap::new();
        for (id, action) in desk.actions.iter().rev() {
            theirs.insert(*id, Action::from_bytes(&action.to_bytes()).unwrap());
            prop_assert_eq!(fold(desk.id, &theirs, &desk.facts).history.len(), theirs.len());
        }
        prop_assert_eq!(fold(desk.id, &theirs, &desk.facts), case);
    }

    #[test]
    fn what_an_author_saw_decides_once_and_for_all(steps in steps(20)) {
        let desk = play(&steps);
        let case = desk.fold();
        for entry in &case.history {
            // The view its author had, and he himself: the order is the same, and what was forbidden there is forbidden everywhere.
            let view = desk.view(&[entry.id]);
            let within: BTreeSet<ActionId> = view.history.iter().map(|entry| entry.id).collect();
            prop_assert_eq!(order(&view), order(&case).into_iter().filter(|id| within.contains(id)).collect::<Vec<_>>());
            match (view.effect(entry.id), entry.effect) {
                (Some(Effect::Effective), Effect::Effective | Effect::Ineffective(_)) => {}
                (own, merged) => prop_assert_eq!(own, Some(merged)),
            }
        }
    }

    #[test]
    fn no_unauthorised_action_is_effective(steps in steps(24)) {
        let desk = play(&steps);
        let case = desk.fold();
        let reporters: BTreeSet<_> = case.history.iter().filter(|entry| entry.action.kind == K::Report && entry.effect == Effect::Effective).map(|entry| entry.action.author.user).collect();
        for entry in case.history.iter().filter(|entry| entry.effect == Effect::Effective) {
            let right = kinds::spec(entry.action.kind).unwrap().right(entry.action.author.role);
            prop_assert!(!matches!(right, Right::No | Right::War | Right::Registry));
            prop_assert!(right != Right::Own || reporters.contains(&entry.action.author.user));
            prop_assert!(entry.action.kind == K::Report || right != Right::Asg || entry.action.kind == K::Supplement || entry.action.assignment.is_some());
        }
    }

    #[test]
    fn the_fold_ends_on_anything(bytes in proptest::collection::vec((any::<u8>(), any::<u8>(), proptest::collection::vec(any::<u8>(), 0..4), any::<u8>()), 0..40)) {
        // Ids that are no hashes, so that cycles, self-reference and missing actions all occur.
        let id = |n: u8| ActionId([n % 48; 16]);
        let actions: BTreeMap<ActionId, Action> = bytes.iter().enumerate().map(|(at, (kind, person, seen, other))| {
            let author = people()[usize::from(*person) % people().len()].clone();
            let action = Action {
                kind: K::from_code(kind % 44), author, at: Default::default(), seen: seen.iter().map(|n| id(*n)).collect(), rules: u32::from(other % 3),
                round: Some(id(*other)).filter(|_| other % 2 == 0), assignment: Some(id(other / 2)), mode: None, fields: full(K::from_code(kind % 44)),
            };
            (id(u8::try_from(at).unwrap()), action)
        }).collect();
        let facts = CaseFacts { stands_for: [(id(41), vec![id(42), id(1)]), (id(42), vec![id(41)])].into(), late: vec![id(3)], ..CaseFacts::default() };
        let case = fold(DocId::from_bytes([1; 16]), &actions, &facts);
        prop_assert_eq!(case.history.len(), actions.len());
        prop_assert!(case.history.iter().all(|entry| kinds::spec(entry.action.kind).is_some() || entry.effect == Effect::Ineffective(Ineffective::UnknownKind)));
    }
}

/// Ten actions in under 100 µs (optimised; a generous bound without).
#[test]
fn a_fold_is_quick() {
    let mut desk = Desk::new();
    desk.resolved();
    for _ in 0..2 {
        desk.next(member(), K::Supplement);
    }
    desk.next(member(), K::VerifyPass);
    desk.next(dispatcher(), K::Close);
    desk.next(rider(), K::Rate);
    assert_eq!(desk.actions.len(), 10);
    let started = std::time::Instant::now();
    for _ in 0..100 {
        std::hint::black_box(desk.fold());
    }
    let each = started.elapsed() / 100;
    println!("fold of ten actions: {each:?}");
    assert!(each < std::time::Duration::from_millis(5), "{each:?}");
}
