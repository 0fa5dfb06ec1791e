//! A case under test: people, and actions written on any view of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::action::{Action, ActionKind as K, Fields, Place, Severity};
use crate::domain::case::{Case, CaseFacts, Composed, Effect, Ineffective, RULES, compose, fold};
use crate::domain::grant::{Author, Role};
use crate::domain::id::{ActionId, DocId, GrantId, OrgId, UserId};
use crate::domain::time::Stamp;

pub const GRID: &str = "610702001001001";

pub fn org(n: u8) -> OrgId {
    OrgId::from_bytes([n; 16])
}

/// A person of the town of 北关街道; people with different numbers are different people.
pub fn who(role: Role, n: u8) -> Author {
    let (scope, org_number) = match role {
        Role::GridMember | Role::GridHead => (GRID, 1),
        Role::Community => ("610702001001", 1),
        Role::Department => ("610702001", 100 + n),
        Role::County => ("610702", 3),
        Role::City => ("6107", 4),
        _ => ("610702001", 2),
    };
    let mut user = [role.code(); 16];
    user[15] = n;
    Author { grant: GrantId::from_bytes([n; 16]), user: UserId::from_bytes(user), role, org: Some(org(org_number)), scopes: vec![scope.parse().unwrap()] }
}

pub fn member() -> Author {
    who(Role::GridMember, 1)
}
pub fn other_member() -> Author {
    who(Role::GridMember, 2)
}
pub fn rider() -> Author {
    who(Role::Rider, 1)
}
pub fn community() -> Author {
    who(Role::Community, 1)
}
pub fn dispatcher() -> Author {
    who(Role::TownDispatcher, 1)
}
pub fn leader() -> Author {
    who(Role::TownLeader, 1)
}
pub fn department(n: u8) -> Author {
    who(Role::Department, n)
}

/// Fields with everything that the kind asks for.
pub fn full(kind: K) -> Fields {
    let text = |text: &str| Some(text.to_owned());
    let place = Some(Place { lat_e6: Some(33_067_500), lng_e6: Some(107_023_300), accuracy_m: Some(10), address: text("东大街12号") });
    match kind {
        K::Report => Fields {
            title: text("井盖破损"),
            text: text("井盖破损,无围挡"),
            category: text("0201"),
            severity: Some(Severity::Normal),
            place,
            grid: Some(GRID.parse().unwrap()),
            ..Fields::default()
        },
        K::Supplement | K::Progress => Fields { text: text("已放置警示"), ..Fields::default() },
        K::Rate => Fields { score: Some(5), ..Fields::default() },
        K::Accept => Fields { duplicate_check: text("none"), ..Fields::default() },
        K::Dispatch => Fields { org: Some(org(101)), due_ms: Some(1_000_000), instruction: text("更换井盖"), ..Fields::default() },
        K::Finish | K::SelfResolve => Fields { result: text("done"), measure: text("已更换"), place, ..Fields::default() },
        K::VerifyPass | K::VerifyFail => Fields { observation: text("看过现场"), reason: text("仍有松动"), ..Fields::default() },
        K::Close => Fields { conclusion: text("办结"), reply: text("井盖已更换"), ..Fields::default() },
        K::Reject => Fields { reason: text("not_here"), reply: text("不在本镇"), ..Fields::default() },
        _ => Fields { reason: text("reason"), ..Fields::default() },
    }
}

/// A case and everything done on it, by anybody, on any view.
#[derive(Debug, Clone)]
pub struct Desk {
    pub id: DocId,
    pub actions: BTreeMap<ActionId, Action>,
    pub facts: CaseFacts,
    clock: i64,
}

impl Desk {
    pub fn new() -> Self {
        Self::salted(0)
    }

    /// Other clocks give other ids, and so other ties.
    pub fn salted(salt: i64) -> Self {
        Self { id: DocId::from_bytes([7; 16]), actions: BTreeMap::new(), facts: CaseFacts::default(), clock: salt * 1_000_003 }
    }

    /// What somebody sees who has these and everything behind them.
    pub fn view(&self, heads: &[ActionId]) -> Case {
        let mut open = heads.to_vec();
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(self.actions.get(&id).map(|action| action.seen.clone()).unwrap_or_default());
            }
        }
        fold(self.id, &self.actions.iter().filter(|(id, _)| seen.contains(*id)).map(|(id, action)| (*id, action.clone())).collect(), &self.facts)
    }

    pub fn fold(&self) -> Case {
        fold(self.id, &self.actions, &self.facts)
    }

    pub fn compose(&mut self, heads: &[ActionId], author: Author, kind: K, change: impl FnOnce(&mut Fields)) -> Composed {
        self.clock += 1000;
        let mut fields = full(kind);
        change(&mut fields);
        compose(&self.view(heads), author, Stamp { wall_ms: self.clock, mono_ms: 0 }, kind, fields, RULES)
    }

    /// Writes an action by somebody who has seen `heads`.
    pub fn with(&mut self, heads: &[ActionId], author: Author, kind: K, change: impl FnOnce(&mut Fields)) -> ActionId {
        let composed = self.compose(heads, author, kind, change);
        let id = ActionId::of(&composed.action.to_bytes());
        self.actions.insert(id, composed.action);
        id
    }

    pub fn on(&mut self, heads: &[ActionId], author: Author, kind: K) -> ActionId {
        self.with(heads, author, kind, |_| {})
    }

    /// Writes an action by somebody who has seen everything.
    pub fn next(&mut self, author: Author, kind: K) -> ActionId {
        let heads = self.fold().frontier;
        self.on(&heads, author, kind)
    }

    /// Report, accept, dispatch to department 1, sign: the ids.
    pub fn handling(&mut self) -> [ActionId; 4] {
        [self.next(rider(), K::Report), self.next(dispatcher(), K::Accept), self.next(dispatcher(), K::Dispatch), self.next(department(1), K::Sign)]
    }

    /// As [`Desk::handling`], and finished: the id of the FINISH.
    pub fn resolved(&mut self) -> ActionId {
        self.handling();
        self.next(department(1), K::Finish)
    }
}

#[track_caller]
pub fn effective(case: &Case, ids: &[ActionId]) {
    for id in ids {
        assert_eq!(case.effect(*id), Some(Effect::Effective), "{:?}", case.history.iter().find(|entry| entry.id == *id).map(|entry| entry.action.kind));
    }
}

#[track_caller]
pub fn ineffective(case: &Case, id: ActionId, why: Ineffective) {
    assert_eq!(case.effect(id), Some(Effect::Ineffective(why)));
}

/// The flags as (row, must).
pub fn flags(case: &Case) -> Vec<(u8, bool)> {
    case.flags.iter().map(|flag| (flag.row, flag.level == crate::domain::case::FlagLevel::Must)).collect()
}
