//! One run of the fold over a set of actions: each is judged, the rows of concurrent pairs are applied, and what is effective takes effect.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::action::ActionKind;
use crate::domain::area::Level;

use super::kinds::KindSpec;
use super::rows::{self, Holds, Ruling};
use super::standing::{Standing, World};
use super::{Effect, Flag, FlagLevel, Ineffective, effects, judge, pair, row};

/// What is known of an action from its own view alone; the same in every run.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    /// Whether it was allowed there (R6a).
    pub own: Result<(), Ineffective>,
    /// The opener of the round it acts on.
    pub opener: Option<usize>,
    /// The level that held the case.
    pub custody: Level,
    /// Whether its author saw an emergency.
    pub emergency: bool,
    /// Whether it, finishing, resolved the case there.
    pub resolves: bool,
}

/// A concurrent action that takes another's effect away, and the flag it leaves.
#[derive(Debug, Clone)]
struct Loss {
    to: usize,
    flag: Option<Flag>,
}

/// The state of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Run {
    /// What has been pushed, in order.
    sequence: Vec<usize>,
    /// Actions that a later one in the order took precedence over.
    lost: BTreeMap<usize, Loss>,
    /// Actions that an earlier one in the order took precedence over, and which.
    fallen: BTreeMap<usize, usize>,
    pub standing: Standing,
    pub effects: BTreeMap<usize, Effect>,
    pub flags: BTreeSet<Flag>,
    replays: usize,
}

/// More replays than this, and losses already found are final: the fold ends on any input.
const MAX_REPLAYS: usize = 200;

impl Run {
    /// The run over these actions, which must be in order.
    pub fn over(world: &World<'_>, actions: impl Iterator<Item = usize>) -> Self {
        let mut run = Self::default();
        for at in actions {
            run.push(world, at);
        }
        run
    }

    /// How many actions were pushed.
    pub fn len(&self) -> usize {
        self.sequence.len()
    }

    /// Takes the next action of the order.
    pub fn push(&mut self, world: &World<'_>, at: usize) {
        self.sequence.push(at);
        // A CLOSE decides what became of verifications before it (row 21 asks for "no effective CLOSE").
        let again = if world.graph.kind(at) == ActionKind::Close { true } else { self.step(world, at) };
        if again {
            self.replay(world);
        }
    }

    /// Runs the sequence again, until no action takes precedence over an earlier one.
    fn replay(&mut self, world: &World<'_>) {
        'again: loop {
            self.replays += 1;
            self.standing = Standing::default();
            self.effects.clear();
            self.fallen.clear();
            self.flags.clear();
            for place in 0..self.sequence.len() {
                if self.step(world, self.sequence[place]) {
                    continue 'again;
                }
            }
            return;
        }
    }

    /// Whether an action was pushed, is allowed and has not lost: it may yet be effective.
    pub fn may_stand(&self, world: &World<'_>, kind: ActionKind) -> impl Iterator<Item = usize> {
        let stands = move |at: &usize| world.graph.kind(*at) == kind && world.judged[*at].own.is_ok() && !world.late[*at] && !self.lost.contains_key(at);
        self.sequence.iter().copied().filter(stands)
    }

    /// What took precedence over an action.
    pub fn lost_to(&self, at: usize) -> Option<usize> {
        self.fallen.get(&at).copied().or_else(|| self.lost.get(&at).map(|loss| loss.to))
    }

    /// Applies one action. True when it takes precedence over an earlier one, which must then be undone.
    fn step(&mut self, world: &World<'_>, at: usize) -> bool {
        let Some(spec) = world.graph.node(at).spec.filter(|spec| effects::built(spec.kind)) else {
            return self.note(at, world.judged[at].own.err().unwrap_or(Ineffective::UnknownKind));
        };
        if let Err(why) = world.judged[at].own {
            return self.note(at, why);
        }
        if world.late[at] && spec.decides() {
            return self.too_late(world, at);
        }
        if let Some(loss) = self.lost.get(&at) {
            self.flags.extend(loss.flag);
            return self.note(at, Ineffective::Superseded);
        }
        match self.rule(world, at) {
            Verdict::Stands { ruled, flags } => {
                let voider = rows::voider_of_its_close(world, self, at);
                if let Some(voider) = voider {
                    self.flag(world, 57, FlagLevel::Info, voider, at);
                }
                let ruled = ruled || voider.is_some();
                if let Err(why) = judge::in_merged(world, &self.standing, at, spec)
                    && !ruled
                {
                    return self.unsettled(world, at, spec, why);
                }
                self.flags.extend(flags);
                self.take_effect(world, at, spec);
                false
            }
            Verdict::Falls(winner, flag) => {
                self.fallen.insert(at, winner);
                self.flags.extend(flag);
                self.note(at, Ineffective::Superseded)
            }
            Verdict::Beats(earlier, flag) => {
                // What had lost to the one that loses now may stand again.
                self.lost.retain(|_, loss| loss.to != earlier || self.replays > MAX_REPLAYS / 2);
                self.lost.insert(earlier, Loss { to: at, flag });
                true
            }
        }
    }

    fn take_effect(&mut self, world: &World<'_>, at: usize, spec: &KindSpec) {
        if world.late[at] {
            self.flag(world, row::LATE, FlagLevel::Info, at, at);
        }
        if !spec.decides() && !spec.missing(world.graph.action(at)).is_empty() {
            self.flag(world, row::INCOMPLETE, FlagLevel::Must, at, at);
        }
        self.standing.effective.push(at);
        self.effects.insert(at, Effect::Effective);
        effects::apply(world, &mut self.standing, at);
    }

    fn note(&mut self, at: usize, why: Ineffective) -> bool {
        self.effects.insert(at, Effect::Ineffective(why));
        false
    }

    /// R4: a late decision fails; one that would have voided a CLOSE asks for the case to be opened again.
    fn too_late(&mut self, world: &World<'_>, at: usize) -> bool {
        if rows::voids_close(world.graph.kind(at)) {
            self.standing.requests.push(at);
        }
        self.note(at, Ineffective::Late)
    }

    /// R6: no row fits. It is kept, and never silently.
    fn unsettled(&mut self, world: &World<'_>, at: usize, spec: &KindSpec, why: Ineffective) -> bool {
        let level = if spec.decides() { FlagLevel::Info } else { FlagLevel::Must };
        let other = self.standing.effective.iter().rev().copied().find(|other| world.graph.concurrent(*other, at)).unwrap_or(at);
        self.flag(world, row::UNSETTLED, level, other, at);
        self.note(at, why)
    }

    fn flag(&mut self, world: &World<'_>, row: u8, level: FlagLevel, a: usize, b: usize) {
        self.flags.insert(Flag { row, level, actions: pair(world.graph.id(a), world.graph.id(b)) });
    }

    /// R7, R8: the rows, in order of precedence, between this action and the concurrent effective ones before it.
    fn rule(&self, world: &World<'_>, at: usize) -> Verdict {
        let concurrent: Vec<usize> = self.standing.effective.iter().copied().filter(|other| world.graph.concurrent(*other, at)).collect();
        let mut ruled_pairs: Vec<usize> = Vec::new();
        let mut flags = Vec::new();
        if concurrent.is_empty() {
            return Verdict::Stands { ruled: false, flags };
        }
        for row in rows::ROWS {
            for other in &concurrent {
                let Some((a, b)) = row.sides(world, at, *other) else { continue };
                if row.general && ruled_pairs.contains(other) {
                    continue;
                }
                let Some(Ruling { holds, flag }) = (row.rule)(world, self, a, b) else { continue };
                let flag = flag.map(|level| Flag { row: row.number, level, actions: pair(world.graph.id(a), world.graph.id(b)) });
                let winner = match holds {
                    Holds::Both => {
                        ruled_pairs.push(*other);
                        flags.extend(flag);
                        continue;
                    }
                    Holds::A => a,
                    Holds::B => b,
                };
                let final_now = self.replays > MAX_REPLAYS;
                return if winner == at && !final_now { Verdict::Beats(*other, flag) } else { Verdict::Falls(*other, flag) };
            }
        }
        Verdict::Stands { ruled: !ruled_pairs.is_empty(), flags }
    }
}

/// What the rows say of an action.
enum Verdict {
    Stands { ruled: bool, flags: Vec<Flag> },
    Falls(usize, Option<Flag>),
    Beats(usize, Option<Flag>),
}
