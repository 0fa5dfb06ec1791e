//! What a record promises to those who use it.

use std::collections::BTreeMap;

use automerge::transaction::Transactable;
use automerge::{ActorId, Automerge, ObjType, ROOT, ReadDoc, ScalarValue};

use super::genesis::Container;
use super::*;
use crate::domain::action::{ActionKind, Fields as ActionFields, Severity};
use crate::domain::grant::{Author, Role};
use crate::domain::household::{Alternative, Fields, HouseholdEdit, Value};
use crate::domain::id::{GrantId, PersonId, UserId};
use crate::domain::time::Stamp;

const AT: i64 = 1_790_000_000;

fn phone(n: u8) -> Incarnation {
    Incarnation::from_bytes([n; 16])
}

fn person(n: u8) -> PersonId {
    PersonId::from_bytes([n; 16])
}

fn text(words: &str) -> Value {
    Value::Text(words.to_owned())
}

fn fields<const N: usize>(of: [(&str, &str); N]) -> Fields {
    of.into_iter().map(|(name, words)| (name.to_owned(), text(words))).collect()
}

fn set(name: &str, words: &str) -> Command {
    Command::EditHousehold(vec![HouseholdEdit::Set(name.to_owned(), text(words))])
}

fn action(words: &str) -> Action {
    Action {
        kind: ActionKind::Progress,
        author: Author {
            grant: GrantId::from_bytes([9; 16]),
            user: UserId::from_bytes([8; 16]),
            role: Role::GridMember,
            org: None,
            scopes: vec!["610702001001001".parse().unwrap()],
        },
        at: Stamp { wall_ms: AT * 1000, mono_ms: 5 },
        seen: Vec::new(),
        rules: 1,
        round: None,
        assignment: None,
        mode: None,
        fields: ActionFields { text: Some(words.to_owned()), severity: Some(Severity::Urgent), ..ActionFields::default() },
    }
}

fn household() -> (Record, Change) {
    let mut record = Record::new(RecordKind::Household).unwrap();
    let edits = vec![
        HouseholdEdit::Create(fields([("address", "北关街道民主街1号"), ("room", "301")])),
        HouseholdEdit::AddPerson(person(1), fields([("name", "张三"), ("relation", "head")])),
    ];
    let change = record.write(phone(1), &Command::EditHousehold(edits), AT).unwrap();
    (record, change)
}

fn read(record: &Record) -> Household {
    match record.read() {
        Content::Household(household) => household,
        Content::Case(_) => panic!("a household reads as a household"),
    }
}

fn apply(record: &mut Record, changes: &[&Change]) -> Result<(), RecordError> {
    record.apply(changes.iter().map(|change| change.raw.as_slice()))
}

#[test]
fn what_is_written_is_read_and_loads_again() {
    let (mut record, first) = household();
    let second = record
        .write(
            phone(1),
            &Command::EditHousehold(vec![
                HouseholdEdit::Set("phone".to_owned(), text("12012345678")),
                HouseholdEdit::Set("tag.独居老人".to_owned(), Value::Bool(true)),
                HouseholdEdit::SetPerson(person(1), "name".to_owned(), text("张三丰")),
            ]),
            AT,
        )
        .unwrap();
    let read_back = read(&record);
    assert_eq!(read_back.text("address"), Some("北关街道民主街1号"));
    assert_eq!(read_back.text("phone"), Some("12012345678"));
    assert_eq!(read_back.fields["tag.独居老人"], Value::Bool(true));
    assert_eq!(read_back.persons[&person(1)]["name"], text("张三丰"));
    assert_eq!(read_back.persons[&person(1)]["relation"], text("head"));

    let loaded = Record::load(RecordKind::Household, [first.raw.as_slice(), second.raw.as_slice()]).unwrap();
    assert_eq!(loaded.read(), record.read());
    assert_eq!(loaded.heads(), vec![second.hash]);
    assert_eq!(loaded.changes(), vec![first.clone(), second.clone()]);
    assert_eq!((loaded.sequence(phone(1)), loaded.sequence(phone(2)), loaded.len()), (2, 0, 2));
    assert!(loaded.has(first.hash) && loaded.has(second.hash) && !loaded.has(Hash::of(&[b"another"])));
    assert_eq!(second.hash, hash_of(&second.raw));
}

#[test]
fn only_what_differs_is_written() {
    let (mut record, _) = household();
    let before = record.heads();
    for same in [set("room", "301"), Command::EditHousehold(vec![HouseholdEdit::Set("note".to_owned(), Value::Null)])] {
        assert_eq!(record.write(phone(1), &same, AT), Err(RecordError::Nothing));
    }
    let back_and_forth = Command::EditHousehold(vec![
        HouseholdEdit::Set("room".to_owned(), text("302")),
        HouseholdEdit::Set("room".to_owned(), text("301")),
        HouseholdEdit::AddPerson(person(1), fields([("name", "张三"), ("relation", "head")])),
    ]);
    assert_eq!(record.write(phone(1), &back_and_forth, AT), Err(RecordError::Nothing));
    assert_eq!(record.heads(), before);

    record.write(phone(1), &set("room", "302"), AT).unwrap();
    record.write(phone(1), &set("room", "301"), AT).expect("what the base says differs from what was put since");
    assert_eq!(read(&record).text("room"), Some("301"));
}

#[test]
fn different_fields_both_stay_and_the_same_field_keeps_both_values() {
    let (mut one, first) = household();
    let mut two = Record::load(RecordKind::Household, [first.raw.as_slice()]).unwrap();
    let phones = one.write(phone(1), &set("phone", "12011111111"), AT).unwrap();
    let room = one.write(phone(1), &set("room", "302"), AT).unwrap();
    let other_phone = two.write(phone(2), &set("phone", "12022222222"), AT).unwrap();
    apply(&mut one, &[&other_phone]).unwrap();
    apply(&mut two, &[&phones, &room]).unwrap();

    assert_eq!(one.read(), two.read());
    let merged = read(&one);
    assert_eq!(merged.text("room"), Some("302"));
    let winner = merged.text("phone").unwrap();
    let loser = if winner == "12011111111" { "12022222222" } else { "12011111111" };
    assert_eq!(merged.alternatives, vec![Alternative { person: None, field: "phone".to_owned(), values: vec![text(loser)] }]);

    let winner = winner.to_owned();
    one.write(phone(1), &set("phone", &winner), AT).expect("saying which of two is right is an edit");
    assert_eq!(read(&one).alternatives, Vec::new());
}

#[test]
fn a_redo_changes_nothing_twice() {
    let mut one = Record::new(RecordKind::Case).unwrap();
    let command = Command::Act(vec![action("到达现场"), action("已清理"), action("到达现场")]);
    let change = one.write(phone(1), &command, AT).unwrap();
    assert_eq!(one.write(phone(2), &command, AT), Err(RecordError::Nothing));

    let mut two = Record::new(RecordKind::Case).unwrap();
    let twin = two.write(phone(2), &command, AT).unwrap();
    apply(&mut one, &[&twin]).unwrap();
    apply(&mut two, &[&change]).unwrap();
    assert_eq!(one.read(), two.read());
    let Content::Case(actions) = one.read() else { panic!("a case reads as a case") };
    assert_eq!(actions.len(), 2);
}

#[test]
fn what_a_command_may_not_say() {
    let (mut record, _) = household();
    let unfit = |record: &mut Record, edit: HouseholdEdit| match record.write(phone(1), &Command::EditHousehold(vec![edit]), AT) {
        Err(RecordError::Unfit(reason)) => reason,
        other => panic!("expected a refusal, got {other:?}"),
    };
    let set = |name: &str, value: Value| HouseholdEdit::Set(name.to_owned(), value);
    assert_eq!(unfit(&mut record, set("room", text(&"室".repeat(41)))), "a field's text is too long");
    assert_eq!(unfit(&mut record, set("colour", text("red"))), "not a field of a household");
    assert_eq!(unfit(&mut record, set("tag.独居老人", text("是"))), "a tag is true, false or cleared");
    assert_eq!(unfit(&mut record, set(&format!("tag.{}", "长".repeat(21)), Value::Bool(true))), "not a field of a household");
    assert_eq!(unfit(&mut record, HouseholdEdit::Create(fields([("address", "elsewhere")]))), "the household has been created already, with other fields");
    assert_eq!(unfit(&mut record, HouseholdEdit::AddPerson(person(1), Fields::new())), "the person has been added already, with other fields");
    assert_eq!(unfit(&mut record, HouseholdEdit::SetPerson(person(2), "name".to_owned(), text("李四"))), "the person is not in this household");
    assert_eq!(
        unfit(&mut record, HouseholdEdit::SetPerson(person(1), "id_no".to_owned(), text("610799198001010017"))),
        "a sensitive field names a fact and does not hold the value"
    );
    assert_eq!(record.write(phone(1), &Command::Act(vec![action("x")]), AT), Err(RecordError::Unfit("the command is for another kind of record")));
    let mut empty = Record::new(RecordKind::Household).unwrap();
    assert_eq!(unfit(&mut empty, set("room", text("301"))), "the household has not been created here");
    assert_eq!(Record::new(RecordKind::Other(77)).unwrap_err(), RecordError::UnknownKind(RecordKind::Other(77)));
}

#[test]
fn a_change_in_the_middle_missing_is_an_error_and_changes_nothing() {
    let (mut record, first) = household();
    let second = record.write(phone(1), &set("room", "302"), AT).unwrap();
    let third = record.write(phone(1), &set("phone", "12011111111"), AT).unwrap();
    let mut other = Record::load(RecordKind::Household, [first.raw.as_slice()]).unwrap();
    let before = other.save();
    assert_eq!(apply(&mut other, &[&third]), Err(RecordError::MissingDependency { change: third.hash, missing: second.hash }));
    assert_eq!(other.save(), before);
    apply(&mut other, &[&third, &second]).expect("their order does not matter");
    assert_eq!(other.read(), record.read());
}

#[test]
fn a_fork_of_an_actor_is_unreadable_and_names_the_change() {
    let (mut one, first) = household();
    let mut two = Record::load(RecordKind::Household, [first.raw.as_slice()]).unwrap();
    let mine = one.write(phone(1), &set("room", "302"), AT).unwrap();
    let copy = two.write(phone(1), &set("room", "303"), AT).unwrap();
    let other = two.write(phone(2), &set("phone", "12011111111"), AT).unwrap();
    let found = apply(&mut one, &[&copy, &other]);
    assert_eq!(found, Err(RecordError::Unreadable { change: copy.hash, reason: "its place in its author's sequence is taken" }));
    assert_eq!(one.heads(), vec![mine.hash]);

    let mut damaged = first.raw.clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert!(matches!(Record::load(RecordKind::Household, [damaged.as_slice()]), Err(RecordError::Unreadable { reason: "not a change chunk", .. })));
}

#[test]
fn what_surely_follows_is_told_from_the_changes_alone() {
    let (mut mine, first) = household();
    let mut theirs = Record::load(RecordKind::Household, [first.raw.as_slice()]).unwrap();
    let second = mine.write(phone(1), &set("room", "302"), AT).unwrap();
    let third = mine.write(phone(1), &set("phone", "12011111111"), AT).unwrap();
    let beside = theirs.write(phone(2), &set("note", "门口有狗"), AT).unwrap();
    let twin = theirs.write(phone(1), &set("room", "303"), AT).unwrap();
    let on_twin = theirs.write(phone(3), &set("room", "304"), AT).unwrap();

    let follow = |held: &[&Change], fresh: &[&Change]| {
        let [held, fresh] = [held, fresh].map(|changes| changes.iter().map(|change| change.raw.as_slice()).collect::<Vec<_>>());
        let said = gate::follow(RecordKind::Household, &held, &fresh);
        let goes_in = Record::load(RecordKind::Household, held.into_iter().chain(fresh)).is_ok();
        assert!(goes_in || !said, "what follows goes in");
        said
    };
    assert!(follow(&[], &[&first, &second, &third]));
    assert!(follow(&[&first, &beside, &second], &[&third]));
    assert!(!follow(&[&first], &[&third]), "one in the middle is missing");
    assert!(!follow(&[], &[&second]), "so is the first");
    assert!(!follow(&[&first, &second], &[&second]), "it is there");
    assert!(!follow(&[&first, &beside, &second], &[&twin]), "its place in its author's sequence is taken");
    assert!(!follow(&[&first, &beside, &second], &[&on_twin]));
    assert!(!follow(&[], &[&Change { hash: first.hash, raw: first.raw[..40].to_vec() }]));
}

#[test]
fn who_lags_behind_goes_on_and_reads_on() {
    let (mut record, _) = household();
    let (mut two, mut three) = (record.clone(), record.clone());
    let main: Vec<Change> = (0..30).map(|n| record.write(phone(1), &set("note", &format!("主{n}")), AT).unwrap()).collect();
    let raws = |of: &[Change]| of.iter().map(|change| change.raw.clone()).collect::<Vec<_>>();
    for n in 0..24 {
        // A little at a time, and once so much that it is read together with all the rest.
        let read = if n < 18 { n / 3 } else { 28 };
        two.apply(raws(&main[..read]).iter().map(Vec::as_slice)).unwrap();
        let mut changes = vec![(phone(2), two.write(phone(2), &set("note", &format!("支{n}")), AT).unwrap())];
        if n % 7 == 0 {
            changes.push((phone(3), three.write(phone(3), &set("room", &format!("{n}")), AT).unwrap()));
        }
        for (actor, change) in changes {
            record = gate::admit(&record, &change.raw, actor).unwrap().record;
        }
    }
    let loaded = Record::load(record.kind(), raws(&record.changes()).iter().map(Vec::as_slice)).unwrap();
    assert_eq!((loaded.heads(), loaded.read(), loaded.len()), (record.heads(), record.read(), 1 + 30 + 24 + 4));
}

#[test]
fn what_a_newer_version_added_survives() {
    let (record, first) = household();
    let mut newer = Automerge::load(&record.save()).unwrap().with_actor(ActorId::from([7; 16]));
    let mut transaction = newer.transaction();
    transaction.put(Container::Root.object(), "summary", "added by a newer version").unwrap();
    transaction.put(Container::Fields.object(), "wifi", "yes").unwrap();
    transaction.put(Container::Fields.object(), "height", 2.5).unwrap();
    transaction.put(Container::Fields.object(), "room", ScalarValue::counter(3)).unwrap();
    transaction.put(Container::Persons.object(), "not a person", "x").unwrap();
    transaction.put_object(ROOT, "visits", ObjType::List).unwrap();
    let (hash, _) = transaction.commit();
    let theirs = Change::from(&newer.get_change_by_hash(&hash.unwrap()).unwrap());

    let mut older = Record::load(RecordKind::Household, [first.raw.as_slice(), theirs.raw.as_slice()]).unwrap();
    let household = read(&older);
    assert_eq!(household.text("wifi"), Some("yes"));
    assert_eq!(household.text("room"), Some("301"), "a value of an unknown type leaves what the base said");
    let mine = older.write(phone(1), &set("phone", "12011111111"), AT).unwrap();
    newer.apply_changes([parse(&mine.raw).unwrap()]).unwrap();
    assert_eq!(newer.get(ROOT, "summary").unwrap().unwrap().0.as_str(), Some("added by a newer version"));
    assert_eq!(newer.get_heads(), older.doc.get_heads());
    assert_eq!(BTreeMap::from_iter(older.sequences.clone()), BTreeMap::from([(phone(1), 2), (phone(7), 1)]));
}

/// A change as text: its hash, its length and its bytes.
fn pinned(change: &Change) -> String {
    let hex: String = change.raw.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{} {}\n{hex}", change.hash, change.raw.len())
}

#[test]
fn the_bytes_of_genesis_never_change() {
    let genesis = |kind| {
        let doc = genesis::document(kind).unwrap();
        let changes = doc.get_changes(&[]);
        pinned(&Change::from(&changes[0]))
    };
    insta::assert_snapshot!("genesis_case", genesis(RecordKind::Case));
    insta::assert_snapshot!("genesis_household", genesis(RecordKind::Household));
}

#[test]
fn the_bytes_of_each_command_never_change() {
    let mut case = Record::new(RecordKind::Case).unwrap();
    insta::assert_snapshot!("act", pinned(&case.write(phone(1), &Command::Act(vec![action("到达现场")]), AT).unwrap()));

    let (mut record, created) = household();
    insta::assert_snapshot!("create_and_add_person", pinned(&created));
    let edits = vec![
        HouseholdEdit::Set("phone".to_owned(), text("12012345678")),
        HouseholdEdit::Set("tag.独居老人".to_owned(), Value::Bool(true)),
        HouseholdEdit::Set("updated_at".to_owned(), Value::Int(AT)),
        HouseholdEdit::SetPerson(person(1), "phone".to_owned(), Value::Null),
        HouseholdEdit::SetPerson(person(1), "work".to_owned(), text("北关街道办")),
    ];
    insta::assert_snapshot!("set_and_set_person", pinned(&record.write(phone(2), &Command::EditHousehold(edits), AT + 60).unwrap()));
    insta::assert_snapshot!("set_again", pinned(&record.write(phone(1), &set("phone", "12087654321"), AT + 120).unwrap()));
}
