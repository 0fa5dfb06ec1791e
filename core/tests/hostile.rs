//! Small inputs that take a gigabyte, a second or the whole document when they reach Automerge: each has its own error, and costs nothing.

mod common;

use std::time::{Duration, Instant};

use automerge::{ExpandedChange, ScalarValue};
use common::{AT, body, chunk, phone, start, text};
use fieldgrid_core::domain::household::HouseholdEdit;
use fieldgrid_core::domain::id::Hash;
use fieldgrid_core::record::gate::{GateError, admit, inspect};
use fieldgrid_core::record::{Change, Command, Record, RecordKind};

/// Memory in use at its highest since the last call, bytes. The other test here takes next to nothing.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux says what a process uses");
    let high: usize = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok()).expect("a high-water mark");
    std::fs::write("/proc/self/clear_refs", "5").expect("the mark can be set back");
    high << 10
}

fn set(record: &mut Record, words: &str) -> Change {
    let command = Command::EditHousehold(vec![HouseholdEdit::Set("note".into(), text(words))]);
    record.write(phone(1), &command, AT).expect("a new note")
}

fn expanded(change: &Change) -> ExpandedChange {
    automerge::Change::try_from(change.raw.as_slice()).expect("a phone's change").decode()
}

/// The change with something about it changed, well-formed as Automerge sees it.
fn altered(change: &Change, alter: impl FnOnce(&mut ExpandedChange)) -> Vec<u8> {
    let mut expanded = expanded(change);
    alter(&mut expanded);
    automerge::Change::from(expanded).raw_bytes().to_vec()
}

fn put(value: ScalarValue) -> automerge::legacy::OpType {
    automerge::legacy::OpType::Put(value)
}

/// The body of a chunk up to its columns: no dependencies, an actor, sequence 1, first operation 1, time 0, no message, no other actors.
fn head() -> Vec<u8> {
    let mut head = vec![0, 16];
    head.extend_from_slice(phone(1).as_bytes());
    head.extend_from_slice(&[1, 1, 0, 0, 0]);
    head
}

fn with_columns(columns: &[(u8, &[u8])]) -> Vec<u8> {
    let mut body = head();
    body.push(columns.len() as u8);
    for (specification, column) in columns {
        body.extend_from_slice(&[*specification, column.len() as u8]);
    }
    columns.iter().for_each(|(_, column)| body.extend_from_slice(column));
    chunk(1, &body)
}

#[test]
fn each_has_its_own_error_and_costs_nothing() {
    let (mut record, _) = start(RecordKind::Household);
    let before = record.clone();
    let change = set(&mut record, "门口堆放杂物");
    let next = set(&mut record, "已清理");
    let actor = phone(1);

    // A key of a billion bytes in sixty; a million null operations in a hundred.
    let giant_key = with_columns(&[(0x15, &[0x7f, 0x80, 0x94, 0xeb, 0xdc, 0x03]), (0x34, &[1]), (0x42, &[0x7f, 1]), (0x56, &[0x7f, 0]), (0x70, &[0x7f, 0])]);
    let million = [0xc0, 0x84, 0x3d];
    let run = |value: u8| [&million[..], &[value]].concat();
    let nulls = with_columns(&[(0x15, &[&million[..], &[1, b'k']].concat()), (0x34, &million), (0x42, &run(1)), (0x56, &run(0)), (0x70, &run(0))]);
    let giant_value =
        with_columns(&[(0x15, &[0x7f, 1, b'k']), (0x34, &[1]), (0x42, &[0x7f, 1]), (0x56, &[0x7f, 0x87, 0x80, 0x80, 0x80, 0x40]), (0x70, &[0x7f, 0])]);
    assert!(giant_key.len() < 64 && nulls.len() < 104, "{} {}", giant_key.len(), nulls.len());
    let mut inflates = automerge::Change::try_from(altered(&change, |c| c.operations[0].action = put(ScalarValue::Bytes(vec![0; 40 << 20]))).as_slice())
        .expect("forty megabytes");
    let bomb = inflates.bytes().into_owned();
    assert!(bomb.len() < 60 << 10, "{}", bomb.len());
    drop(inflates);
    let deps = |count: u8, claim: u64| {
        let mut claim_bytes = Vec::new();
        let mut left = claim;
        while left > 0x7f {
            claim_bytes.push(left as u8 | 0x80);
            left >>= 7;
        }
        claim_bytes.push(left as u8);
        claim_bytes.extend_from_slice(&vec![7; usize::from(count) * 32]);
        chunk(1, &claim_bytes)
    };
    let with_extra = chunk(1, &[body(&change.raw), b"extra"].concat());
    let with_first = admit(&before, &change.raw, actor).expect("an honest change").record;
    let stranger = Hash::of(&[b"a change that nobody has"]);

    let malformed = |reason| GateError::Malformed(reason);
    let cases: Vec<(&str, Vec<u8>, GateError)> = vec![
        ("a giant key", giant_key, malformed("it ends too early")),
        ("a million operations", nulls, GateError::TooLarge("more operations than one save writes")),
        ("a giant value", giant_value, GateError::TooLarge("a value")),
        ("a bomb", bomb, malformed("not an uncompressed change chunk")),
        ("a document", before.save(), malformed("not an uncompressed change chunk")),
        ("too long", vec![0; (64 << 10) + 1], GateError::TooLarge("a change of more bytes than a record takes")),
        ("a billion dependencies", deps(1, 1_000_000_000), GateError::TooLarge("depends on more changes than a record has authors")),
        ("an overflowing number of dependencies", deps(1, u64::MAX / 16), GateError::TooLarge("depends on more changes than a record has authors")),
        ("nothing", Vec::new(), malformed("it ends too early")),
        (
            "a wrong checksum",
            {
                let mut raw = change.raw.clone();
                raw[5] ^= 1;
                raw
            },
            malformed("checksum"),
        ),
        ("cut short", change.raw[..change.raw.len() - 3].to_vec(), malformed("the chunk's length is not its length")),
        ("something behind", [change.raw.as_slice(), b"!"].concat(), malformed("the chunk's length is not its length")),
        ("extra bytes", with_extra, malformed("bytes after the operations, which no command writes")),
        (
            "a poisoned counter",
            altered(&change, |c| c.start_op = u64::from(u32::MAX - 10).try_into().unwrap()),
            GateError::TooLarge("operation numbers beyond what a full record has"),
        ),
        ("a counter ahead", altered(&change, |c| c.start_op = 500.try_into().unwrap()), malformed("not the change that its values make")),
        ("a message", altered(&change, |c| c.message = Some("hello".into())), malformed("a message, which no command writes")),
        ("a missing dependency", altered(&change, |c| c.deps = vec![automerge::ChangeHash(stranger.0)]), GateError::UnknownDependency(stranger)),
        ("a change missing before it", next.raw.clone(), GateError::UnknownDependency(change.hash)),
        ("a sequence ahead", altered(&change, |c| c.seq = 2), GateError::BadSequence { expected: 1, found: 2 }),
        ("another actor", altered(&change, |c| c.actor_id = phone(2).as_bytes().into()), GateError::WrongActor),
        ("a short actor", altered(&change, |c| c.actor_id = [1, 2, 3][..].into()), GateError::WrongActor),
        ("no dependency", altered(&change, |c| c.deps = Vec::new()), malformed("depends on nothing, not even genesis")),
        ("no predecessor", altered(&next, |c| c.operations[0].pred = Vec::new().into()), malformed("not the change that its values make")),
        ("a delete", altered(&change, |c| c.operations[0].action = automerge::legacy::OpType::Delete), malformed("an operation that is not a put")),
        (
            "an object",
            altered(&change, |c| c.operations[0].action = automerge::legacy::OpType::Make(automerge::ObjType::List)),
            malformed("an operation that is not a put"),
        ),
        ("a counter", altered(&change, |c| c.operations[0].action = put(ScalarValue::counter(1))), malformed("a value of a type that no command writes")),
        (
            "an unknown type",
            altered(&change, |c| c.operations[0].action = put(ScalarValue::Unknown { type_code: 12, bytes: vec![1] })),
            malformed("a value of a type that no command writes"),
        ),
        ("the same again", altered(&change, |c| c.operations.push(c.operations[0].clone())), malformed("not the change that its values make")),
        (
            "another object",
            altered(&change, |c| c.operations[0].obj = automerge::legacy::ObjectId::Id(automerge::legacy::OpId(9, phone(0).as_bytes().into()))),
            malformed("an object that genesis did not create"),
        ),
        (
            "a container of none",
            altered(&change, |c| c.operations[0].obj = automerge::legacy::ObjectId::Id(automerge::legacy::OpId(3, [0; 16][..].into()))),
            malformed("an object that genesis did not create"),
        ),
        ("the root", altered(&change, |c| c.operations[0].obj = automerge::legacy::ObjectId::Root), malformed("a key that no command writes")),
    ];

    for (what, raw, expected) in &cases {
        // What builds on the first change is tried where that is.
        let record = if *what == "no predecessor" { &with_first } else { &before };
        peak();
        let low = peak();
        let started = Instant::now();
        let passes = inspect(raw).is_ok();
        let found = admit(record, raw, actor).err();
        let (took, used) = (started.elapsed(), peak() - low);
        assert_eq!(found.as_ref(), Some(expected), "{what}");
        assert!(passes || matches!(expected, GateError::TooLarge(_) | GateError::Malformed(_)), "{what}: the preflight has the same reasons");
        assert!(used < 1 << 20, "{what} took {used} bytes");
        assert!(took < Duration::from_millis(200), "{what} took {took:?}");
    }

    let fork = altered(&change, |c| c.time += 1);
    assert_eq!(admit(&record, &fork, actor).unwrap_err(), GateError::BadSequence { expected: 3, found: 1 });
    assert!(admit(&before, &fork, actor).is_ok(), "another time is another honest change, where the first is not");
    assert_eq!(admit(&record, &change.raw, actor).unwrap_err(), GateError::AlreadyHeld);
}

#[test]
fn what_is_written_once_is_not_written_again() {
    let (household, first) = start(RecordKind::Household);
    let empty = Record::new(RecordKind::Household).expect("a known kind");
    let rival = |fields| {
        let mut record = empty.clone();
        record.write(phone(1), &Command::EditHousehold(vec![HouseholdEdit::Create(fields)]), AT).expect("a new household")
    };
    let other = rival(common::fields([("address", "elsewhere")]));
    assert!(admit(&empty, &other.raw, phone(1)).is_ok());
    assert_eq!(admit(&household, &other.raw, phone(1)).unwrap_err(), GateError::Rewrite, "beside another base");
    let twin = rival(common::fields([("address", "北关街道民主街1号"), ("room", "301"), ("phone", "12012345678")]));
    assert!(admit(&household, &twin.raw, phone(1)).is_ok(), "the same base, made again without having seen it, is a redo");
    let base = expanded(&first[0]).operations.into_iter().next().expect("the base").action;
    let over = altered(&other, |c| {
        c.deps = vec![automerge::ChangeHash(first[0].hash.0)];
        c.start_op = 5.try_into().expect("not zero");
        c.operations[0].pred = vec![automerge::legacy::OpId(3, phone(0).as_bytes().into())].into();
    });
    assert_eq!(admit(&household, &over, phone(1)).unwrap_err(), GateError::Rewrite, "over the base");
    let foreign = altered(&other, |c| c.operations[0].key = "actions".into());
    assert_eq!(admit(&empty, &foreign, phone(1)).unwrap_err(), GateError::Malformed("a key that no command writes"));
    let orphan = altered(&other, |c| {
        c.operations[0].obj = automerge::legacy::ObjectId::Id(automerge::legacy::OpId(1, [0; 16][..].into()));
        c.operations[0].key = "room".into();
        c.operations[0].action = put("302".into());
    });
    assert_eq!(admit(&empty, &orphan, phone(1)).unwrap_err(), GateError::Malformed("a field of what was never created"));
    let bytes = altered(&other, |c| c.operations[0].action = base.clone());
    assert!(admit(&empty, &bytes, phone(1)).is_ok());

    let mut case = Record::new(RecordKind::Case).expect("a known kind");
    let before = case.clone();
    let change = case.write(phone(1), &Command::Act(vec![common::action(1, Vec::new())]), AT).expect("a new action");
    let renamed = altered(&change, |c| c.operations[0].key = "00112233445566778899aabbccddeeff".into());
    assert_eq!(admit(&before, &renamed, phone(1)).unwrap_err(), GateError::Malformed("an action's key is not the hash of its bytes"));
    let not_one = altered(&change, |c| c.operations[0].action = put(ScalarValue::Bytes(b"x".to_vec())));
    assert_eq!(admit(&before, &not_one, phone(1)).unwrap_err(), GateError::Malformed("an action's key is not the hash of its bytes"));
}

#[test]
fn more_actions_than_one_change_may_hold_are_not_let_in() {
    use automerge::transaction::Transactable;
    use automerge::{ActorId, Automerge, ROOT, ReadDoc};
    let (record, _) = start(RecordKind::Case);
    let change = |count: u32| {
        let mut doc = Automerge::load(&record.save()).expect("a record's file").with_actor(ActorId::from(*phone(9).as_bytes()));
        let (_, actions) = doc.get(ROOT, "actions").expect("a map").expect("genesis made it");
        let mut transaction = doc.transaction();
        for n in 0..count {
            let bytes = common::action(1_000 + n, Vec::new()).to_bytes();
            let id = fieldgrid_core::domain::id::ActionId::of(&bytes);
            let key: String = id.0.iter().map(|byte| format!("{byte:02x}")).collect();
            transaction.put(&actions, key, ScalarValue::Bytes(bytes)).expect("a put");
        }
        let (hash, _) = transaction.commit();
        doc.get_change_by_hash(&hash.expect("a change")).expect("the change").raw_bytes().to_vec()
    };
    assert!(admit(&record, &change(16), phone(9)).is_ok());
    assert_eq!(admit(&record, &change(17), phone(9)).err(), Some(GateError::TooLarge("more actions than one change may hold")));
}
