//! Replicas that write commands chosen by numbers, and changes taken apart and put together again.
#![allow(dead_code, reason = "each test file uses a part")]

use fieldgrid_core::domain::action::{Action, ActionKind, Fields as ActionFields, Severity};
use fieldgrid_core::domain::grant::{Author, Role};
use fieldgrid_core::domain::household::{Fields, HouseholdEdit, Value};
use fieldgrid_core::domain::id::{GrantId, Hash, Incarnation, PersonId, UserId};
use fieldgrid_core::domain::time::Stamp;
use fieldgrid_core::record::{Change, Command, Content, Record, RecordError, RecordKind, gate};

/// Seconds since 1970 at which everything is written.
pub const AT: i64 = 1_790_000_000;

/// The n-th phone's incarnation.
pub fn phone(n: u8) -> Incarnation {
    let mut bytes = [n; 16];
    bytes[0] = 0xa0;
    Incarnation::from_bytes(bytes)
}

pub fn text(words: impl Into<String>) -> Value {
    Value::Text(words.into())
}

pub fn fields<const N: usize>(of: [(&str, &str); N]) -> Fields {
    of.into_iter().map(|(name, words)| (name.to_owned(), text(words))).collect()
}

pub fn action(n: u32, seen: Vec<fieldgrid_core::domain::id::ActionId>) -> Action {
    let kinds = [ActionKind::Report, ActionKind::Accept, ActionKind::Dispatch, ActionKind::Progress, ActionKind::Finish];
    Action {
        kind: kinds[n as usize % kinds.len()],
        author: Author {
            grant: GrantId::from_bytes([9; 16]),
            user: UserId::from_bytes([8; 16]),
            role: Role::GridMember,
            org: None,
            scopes: vec!["610702001001001".parse().expect("a grid's code")],
        },
        at: Stamp { wall_ms: AT * 1000 + i64::from(n), mono_ms: u64::from(n) },
        seen,
        rules: 1,
        round: None,
        assignment: None,
        mode: None,
        fields: ActionFields { text: Some(format!("第{n}次到场,已通知物业处理")), severity: Some(Severity::Urgent), ..ActionFields::default() },
    }
}

pub fn household_base() -> Command {
    Command::EditHousehold(vec![
        HouseholdEdit::Create(fields([("address", "北关街道民主街1号"), ("room", "301"), ("phone", "12012345678")])),
        HouseholdEdit::AddPerson(PersonId::from_bytes([1; 16]), fields([("name", "张三"), ("relation", "head")])),
    ])
}

/// A command that fits the record, chosen by `choice`.
pub fn command(record: &Record, choice: u32) -> Command {
    let n = choice / 7;
    match record.read() {
        Content::Case(actions) => {
            let seen: Vec<_> = actions.keys().copied().take(n as usize % 3).collect();
            Command::Act((0..=n % 3).map(|i| action(n.wrapping_mul(31).wrapping_add(i) % 40, seen.clone())).collect())
        }
        Content::Household(household) => {
            let person = household.persons.keys().nth(n as usize % household.persons.len().max(1)).copied();
            let value = match n % 5 {
                0 => Value::Null,
                1 => Value::Int(i64::from(n) - 50),
                _ => text(format!("值{}", n % 6)),
            };
            let edits = match (choice % 7, person) {
                (0 | 1, _) => vec![HouseholdEdit::Set("phone".into(), value)],
                (2, _) => vec![HouseholdEdit::Set("note".into(), value.clone()), HouseholdEdit::Set("use".into(), value)],
                (3, _) => vec![HouseholdEdit::Set("tag.独居老人".into(), Value::Bool(n.is_multiple_of(2)))],
                (4, _) => vec![HouseholdEdit::AddPerson(PersonId::from_bytes([n as u8; 16]), fields([("name", "李四")]))],
                (5, Some(person)) => vec![HouseholdEdit::SetPerson(person, "work".into(), value)],
                (_, Some(person)) => {
                    vec![HouseholdEdit::SetPerson(person, "tag.低保".into(), Value::Bool(n.is_multiple_of(2))), HouseholdEdit::Set("room".into(), value)]
                }
                (_, None) => vec![HouseholdEdit::Set("room".into(), value)],
            };
            Command::EditHousehold(edits)
        }
    }
}

/// Writes what `choice` says; `None` when it changes nothing or does not fit.
pub fn write(record: &mut Record, actor: Incarnation, choice: u32) -> Option<Change> {
    match record.write(actor, &command(record, choice), AT + i64::from(choice % 100)) {
        Ok(change) => Some(change),
        Err(RecordError::Nothing | RecordError::Unfit(_)) => None,
        Err(error) => panic!("a fitting command is written: {error}"),
    }
}

/// An empty case, or a household that phone 0 has created.
pub fn start(kind: RecordKind) -> (Record, Vec<Change>) {
    let mut record = Record::new(kind).expect("a known kind");
    let changes = match kind {
        RecordKind::Household => vec![record.write(phone(0), &household_base(), AT).expect("a new household")],
        _ => Vec::new(),
    };
    (record, changes)
}

pub fn raws(changes: &[Change]) -> impl Iterator<Item = &[u8]> {
    changes.iter().map(|change| change.raw.as_slice())
}

/// What every replica would do with a record that a gate let something into: read it, save and reload it, load it from its changes, write to it,
/// take in somebody's concurrent change, and do all that again.
pub fn must_be_unhurt(record: &Record) {
    let changes = record.changes();
    let rebuilt = Record::load(record.kind(), raws(&changes)).expect("it loads from its changes");
    assert_eq!((rebuilt.read(), rebuilt.heads()), (record.read(), record.heads()));
    assert_eq!(rebuilt.changes().len(), changes.len());
    for change in &changes {
        assert!(rebuilt.changes().contains(change), "every change keeps its bytes");
    }

    let mut mine = record.clone();
    let mut theirs = rebuilt;
    let edit = |record: &Record, n: u32| match record.kind() {
        RecordKind::Case => Command::Act(vec![action(1000 + n, Vec::new())]),
        _ => Command::EditHousehold(vec![HouseholdEdit::Set("note".into(), text(format!("并发{n}")))]),
    };
    for round in 0..2 {
        let (left, right) = (edit(&mine, round * 2), edit(&theirs, round * 2 + 1));
        let one = mine.write(phone(201), &left, AT);
        let two = theirs.write(phone(202), &right, AT);
        if let (Ok(one), Ok(two)) = (one, two) {
            mine.apply([two.raw.as_slice()]).expect("a concurrent edit merges");
            theirs = gate::admit(&theirs, &one.raw, phone(201)).expect("a concurrent edit passes the gate").record;
        }
        assert_eq!((mine.read(), mine.heads()), (theirs.read(), theirs.heads()));
    }

    let saved = mine.save();
    let reloaded = automerge::Automerge::load(&saved).expect("it reloads from its own file");
    assert_eq!(reloaded.get_heads().iter().map(|head| Hash(head.0)).collect::<Vec<_>>(), mine.heads());
    let hydrated = automerge::Automerge::load(&theirs.save()).expect("and the other").hydrate(None);
    assert_eq!(reloaded.hydrate(None), hydrated);
    for change in mine.changes() {
        let kept = automerge::ReadDoc::get_change_by_hash(&reloaded, &automerge::ChangeHash(change.hash.0)).expect("it has every change");
        assert_eq!(kept.raw_bytes(), change.raw);
    }
}

/// A chunk with its length and checksum put right.
pub fn chunk(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut hashed = vec![kind];
    let mut length = body.len();
    while length > 0x7f {
        hashed.push(length as u8 | 0x80);
        length >>= 7;
    }
    hashed.push(length as u8);
    hashed.extend_from_slice(body);
    let mut raw = vec![0x85, 0x6f, 0x4a, 0x83];
    raw.extend_from_slice(&Hash::of(&[&hashed]).0[..4]);
    raw.extend_from_slice(&hashed);
    raw
}

/// A chunk's body: what follows its length.
pub fn body(raw: &[u8]) -> &[u8] {
    let mut at = 9;
    while raw[at] >= 0x80 {
        at += 1;
    }
    &raw[at + 1..]
}

/// Numbers from a seed (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// Records to try changes on, and whose the next change is: new and used ones, by a newcomer and by one who has written before, with conflicts.
pub fn scene(n: u8) -> (Record, Incarnation) {
    let kind = if n.is_multiple_of(2) { RecordKind::Household } else { RecordKind::Case };
    let (mut record, _) = start(kind);
    if n & 2 != 0 {
        let mut other = record.clone();
        for choice in 0..6 {
            write(&mut record, phone(1), choice * 7 + choice);
            write(&mut other, phone(2), choice * 7 + 7 + choice);
        }
        record.apply(raws(&other.changes())).expect("honest changes apply");
    }
    (if n & 4 == 0 { record } else { Record::new(kind).expect("a known kind") }, phone(1 + 2 * (n >> 3 & 1)))
}
