//! The workload told in this system's words and read back again: nothing is lost.

use std::collections::HashMap;

use fieldgrid_core::domain::fact::Body;
use fieldgrid_core::domain::grant::{Author, Role};
use fieldgrid_core::domain::id::{ActionId, FactId, GrantId, Incarnation, UserId};
use fieldgrid_core::record::{self, Command, Content, RecordKind};
use fieldgrid_tests::workload::{CaseRecord, Edit, HouseholdRecord, Record, apply, digest};

const HOUSEHOLD: &str = r#"{"id":"H9901060030000010000","kind":"household","grid":"990106003000001","addr":"到把市市委约区路火街道消并社区油增路117号","bldg":"5幢","unit":"1单元","room":"1001","area":151,"tenure":"自有","tags":["空巢"],"note":"","updated_at":"2025-06-15T00:00:00Z","updated_by":"U6cc67b","persons":[{"pid":"P07957796dd84","name":"曹力帆","sex":"女","birth":"1992-09-15","idno":"000000199209154876","phone":"19905973627","ethnic":"汉族","relation":"户主","hukou":"本地户籍","work":"标处三水划照","edu":"小学","care":"无"},{"pid":"P0000000000aa","name":"喻丽","sex":"男","birth":"2012-07-23","idno":"000000201207238306","phone":"19906173028","ethnic":"畲族","relation":"父母","hukou":"港澳台","work":"来金十般研算","edu":"初中","care":"无"}]}"#;
const HOUSEHOLD_EDIT: &str = r#"{"id":"H9901060030000010000","ops":[{"op":"set","path":["persons",1,"phone"],"value":"19905884278"},{"op":"set","path":["persons",1,"work"],"value":"段老质"},{"op":"set","path":["note"],"value":"明么开满"},{"op":"set","path":["updated_at"],"value":"2026-01-01T13:28:15Z"},{"op":"set","path":["updated_by"],"value":"U0e2c1f"}]}"#;
const CASE: &str = r#"{"id":"01KZRNP4687EMA6D89ZW3VAKTF","kind":"case","grid":"990106003000001","no":"AJ202696681553","title":"正养才温","category":"流动人口","source":"巡查上报","level":"紧急","status":"处置中","reporter":"孙慧","phone":"19901230239","addr":"近内路223号","lat":30213302,"lng":120053571,"desc":"具眼应长","due_at":"2026-01-07T01:00:00Z","updated_at":"2026-01-01T06:31:17Z","updated_by":"U0e2c1f","events":[{"at":"2026-01-01T01:00:00Z","by":"U0e2c1f","act":"上报","note":"片线整金"},{"at":"2026-01-01T01:46:01Z","by":"U0e2c1f","act":"受理","note":"号直式果"}],"attachments":[{"sha256":"5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a","name":"IMG_85685507.jpg","mime":"image/jpeg","size":80001}]}"#;
const CASE_EDIT: &str = r#"{"id":"01KZRNP4687EMA6D89ZW3VAKTF","ops":[{"op":"set","path":["status"],"value":"复查-集结"},{"op":"push","path":["events"],"value":{"at":"2026-01-01T12:00:00Z","by":"U0e2c1f","act":"复查","note":"人山商量"}},{"op":"set","path":["updated_at"],"value":"2026-01-01T12:00:00Z"},{"op":"set","path":["updated_by"],"value":"U0e2c1f"}]}"#;

fn author() -> Author {
    Author {
        grant: GrantId::from_bytes([1; 16]),
        user: UserId::from_bytes([2; 16]),
        role: Role::GridMember,
        org: None,
        scopes: vec!["990106003000001".parse().expect("a grid")],
    }
}

fn actor() -> Incarnation {
    Incarnation::random([3; 16])
}

#[test]
fn a_household_survives_creation_and_edits() {
    let Record::Household(household) = serde_json::from_str(HOUSEHOLD).unwrap() else { panic!("a household") };
    let new = household.new_household();
    let values: HashMap<FactId, String> = new.facts.iter().map(|fact| (fact.id, value(&fact.body))).collect();
    let mut doc = record::Record::new(RecordKind::Household).unwrap();
    doc.write(actor(), &new.command, 0).unwrap();
    let read = |doc: &record::Record| match doc.read() {
        Content::Household(content) => HouseholdRecord::read(&content, |id| values.get(&id).cloned()),
        Content::Case(_) => panic!("a household"),
    };
    assert_eq!(read(&doc), household);

    let edit: Edit = serde_json::from_str(HOUSEHOLD_EDIT).unwrap();
    doc.write(actor(), &household.edit(&edit), 1).unwrap();
    let mut expected = Record::Household(household);
    apply(&mut expected, &edit);
    assert_eq!(Record::Household(read(&doc)), expected);
}

fn value(body: &Body) -> String {
    let Body::Held(bytes) = body else { panic!("held") };
    String::from_utf8(bytes[8..].to_vec()).expect("a number in text")
}

#[test]
fn a_case_survives_as_actions() {
    let Record::Case(case) = serde_json::from_str(CASE).unwrap() else { panic!("a case") };
    let actions = case.actions(&author());
    assert_eq!(actions.len(), 1 + case.events.len());
    let mut doc = record::Record::new(RecordKind::Case).unwrap();
    doc.write(actor(), &Command::Act(actions.clone()), 0).unwrap();
    let read = |doc: &record::Record| match doc.read() {
        Content::Case(actions) => CaseRecord::read(&actions).unwrap(),
        Content::Household(_) => panic!("a case"),
    };
    assert_eq!(read(&doc), case);

    let edit: Edit = serde_json::from_str(CASE_EDIT).unwrap();
    let id = |at: usize| ActionId::of(&actions[at].to_bytes());
    let further = CaseRecord::edit(&edit, &author(), id(0), id(actions.len() - 1));
    assert_eq!(further.len(), 1);
    doc.write(actor(), &Command::Act(further), 1).unwrap();
    let mut expected = Record::Case(case);
    apply(&mut expected, &edit);
    assert_eq!(Record::Case(read(&doc)), expected);
}

/// The digest is over the generator's own canonical JSON, so a reader's digest can be held against its manifest.
#[test]
fn the_digest_is_the_generators() {
    let records: Vec<Record> = [CASE, HOUSEHOLD].into_iter().map(|json| serde_json::from_str(json).unwrap()).collect();
    let canonical = [CASE, HOUSEHOLD].map(|json| serde_json::from_str::<serde_json::Value>(json).unwrap().to_string() + "\n").concat();
    assert_eq!(digest(&records), fieldgrid_core::domain::id::Hash::of(&[canonical.as_bytes()]).to_string());
}
