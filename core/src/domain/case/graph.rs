//! The causal graph of a case's actions, in folded order (`domain.md` §3.8 R2, R3, R5).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::domain::action::{Action, ActionKind};
use crate::domain::id::{ActionId, DocId, Hash};

use super::kinds::{self, KindSpec};

/// One action in the graph.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub id: ActionId,
    pub action: &'a Action,
    pub spec: Option<&'static KindSpec>,
    tie: Hash,
}

/// Actions numbered by their place in the folded order: what an action has seen has smaller numbers.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    nodes: Vec<Node<'a>>,
    /// For each node the set of what it had seen, directly or not.
    past: Vec<Set>,
    frontier: Vec<ActionId>,
}

impl<'a> Graph<'a> {
    /// Builds the graph. An id in `seen` that is not here is ignored, or stands for what the server says it stands for.
    pub fn new(case: DocId, actions: &'a BTreeMap<ActionId, Action>, stands_for: &BTreeMap<ActionId, Vec<ActionId>>) -> Self {
        let unordered: Vec<Node<'a>> = actions.iter().map(|(id, action)| Node::new(case, *id, action)).collect();
        let seen: Vec<Vec<usize>> = unordered.iter().map(|node| seen(node, &unordered, stands_for)).collect();
        let order = linearise(&unordered, &seen);

        let mut place = vec![0; order.len()];
        for (at, old) in order.iter().enumerate() {
            place[*old] = at;
        }
        let mut past: Vec<Set> = Vec::with_capacity(order.len());
        let mut seen_by_others = Set::new(order.len());
        for (at, old) in order.iter().enumerate() {
            let mut set = Set::new(order.len());
            // A cycle cannot be made with content hashes; if one is forced on the fold, its closing edge is dropped.
            for earlier in seen[*old].iter().map(|old| place[*old]).filter(|earlier| *earlier < at) {
                set.insert(earlier);
                set.union(&past[earlier]);
            }
            seen_by_others.union(&set);
            past.push(set);
        }
        let mut slots: Vec<Option<Node<'a>>> = unordered.into_iter().map(Some).collect();
        let nodes: Vec<Node<'a>> = order.iter().filter_map(|old| slots[*old].take()).collect();
        let mut frontier: Vec<ActionId> = nodes.iter().enumerate().filter(|(at, _)| !seen_by_others.has(*at)).map(|(_, node)| node.id).collect();
        frontier.sort_unstable();
        Self { nodes, past, frontier }
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn node(&self, at: usize) -> &Node<'a> {
        &self.nodes[at]
    }

    pub fn action(&self, at: usize) -> &'a Action {
        self.nodes[at].action
    }

    pub fn kind(&self, at: usize) -> ActionKind {
        self.nodes[at].action.kind
    }

    pub fn id(&self, at: usize) -> ActionId {
        self.nodes[at].id
    }

    pub fn find(&self, id: ActionId) -> Option<usize> {
        self.nodes.iter().position(|node| node.id == id)
    }

    /// What nobody here has seen yet, sorted.
    pub fn frontier(&self) -> &[ActionId] {
        &self.frontier
    }

    /// What `at` had seen.
    pub fn past(&self, at: usize) -> &Set {
        &self.past[at]
    }

    /// Whether `later` had seen `earlier`.
    pub fn saw(&self, later: usize, earlier: usize) -> bool {
        self.past[later].has(earlier)
    }

    /// Whether neither had seen the other.
    pub fn concurrent(&self, a: usize, b: usize) -> bool {
        a != b && !self.saw(a, b) && !self.saw(b, a)
    }

    /// Whether `a` comes before `b` among concurrent equals: higher rank, then the tie hash (R5).
    pub fn better(&self, a: usize, b: usize) -> bool {
        let key = |at: usize| (Reverse(self.nodes[at].rank()), self.nodes[at].tie, self.nodes[at].id);
        key(a) < key(b)
    }
}

impl<'a> Node<'a> {
    fn new(case: DocId, id: ActionId, action: &'a Action) -> Self {
        Self { id, action, spec: kinds::spec(action.kind), tie: Hash::of(&[case.as_bytes(), &id.0]) }
    }

    pub fn rank(&self) -> u8 {
        self.action.author.role.rank()
    }

    /// The place among what is ready. A kind of a newer version changes nothing and holds nobody up.
    fn key(&self) -> (u8, Reverse<u8>, Hash, ActionId) {
        (self.spec.map_or(0, |spec| spec.class), Reverse(self.rank()), self.tie, self.id)
    }
}

/// The actions here that `node` names as seen, through what refused ones stand for. Each id is followed once.
fn seen(node: &Node<'_>, nodes: &[Node<'_>], stands_for: &BTreeMap<ActionId, Vec<ActionId>>) -> Vec<usize> {
    let mut open: Vec<ActionId> = node.action.seen.clone();
    let mut followed: Vec<ActionId> = Vec::new();
    let mut found = Vec::new();
    while let Some(id) = open.pop() {
        if let Ok(at) = nodes.binary_search_by_key(&id, |node| node.id) {
            found.push(at);
        } else if let Some(behind) = stands_for.get(&id)
            && !followed.contains(&id)
        {
            followed.push(id);
            open.extend(behind);
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// R5: repeatedly take, among actions whose seen actions are all taken, the least.
fn linearise(nodes: &[Node<'_>], seen: &[Vec<usize>]) -> Vec<usize> {
    let mut waits: Vec<usize> = seen.iter().map(Vec::len).collect();
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for (at, seen) in seen.iter().enumerate() {
        for earlier in seen {
            followers[*earlier].push(at);
        }
    }
    let mut taken = vec![false; nodes.len()];
    let mut ready: BinaryHeap<_> = waits.iter().enumerate().filter(|(_, waits)| **waits == 0).map(|(at, _)| Reverse((nodes[at].key(), at))).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while order.len() < nodes.len() {
        let next = ready.pop().map(|Reverse((_, at))| at).or_else(|| (0..nodes.len()).filter(|at| !taken[*at]).min_by_key(|at| nodes[*at].key()));
        let Some(at) = next else { break };
        if std::mem::replace(&mut taken[at], true) {
            continue;
        }
        order.push(at);
        for follower in &followers[at] {
            waits[*follower] = waits[*follower].saturating_sub(1);
            if waits[*follower] == 0 && !taken[*follower] {
                ready.push(Reverse((nodes[*follower].key(), *follower)));
            }
        }
    }
    order
}

/// A set of node numbers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Set(Vec<u64>);

impl Set {
    fn new(size: usize) -> Self {
        Self(vec![0; size.div_ceil(64)])
    }

    fn insert(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    fn union(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine |= theirs;
        }
    }

    pub fn has(&self, at: usize) -> bool {
        self.0.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.0.len() * 64).filter(|at| self.has(*at))
    }
}
