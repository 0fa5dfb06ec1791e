//! Pins the stored bytes: what was written once is read for ever. A change here is a new format, and old records would no longer be found.

use std::fmt::Write;

use minicbor::Encoder;

use super::action::{Action, ActionKind, Attachment, Fields, Place, Severity};
use super::fact::{Reveal, RevealReason, Visit, VisitKind, VisitResult};
use super::grant::{Author, Role};
use super::household::{HouseholdEdit, Value};
use super::id::{ActionId, DocId, FactId, GrantId, Hash, OrgId, PersonId, UserId};
use super::mask::CaseProgress;
use super::time::Stamp;

fn action() -> Action {
    Action {
        kind: ActionKind::Report,
        author: Author {
            grant: GrantId::from_bytes([1; 16]),
            user: UserId::from_bytes([2; 16]),
            role: Role::GridMember,
            org: Some(OrgId::from_bytes([3; 16])),
            scopes: vec!["610702001001001".parse().unwrap()],
        },
        at: Stamp { wall_ms: 1_767_225_600_000, mono_ms: 42 },
        seen: vec![ActionId([4; 16])],
        rules: 1,
        round: Some(ActionId([5; 16])),
        assignment: None,
        mode: Some(FactId::from_bytes([6; 16])),
        fields: Fields {
            title: Some("井盖破损".into()),
            severity: Some(Severity::Urgent),
            place: Some(Place { lat_e6: Some(33_067_500), lng_e6: Some(107_023_300), accuracy_m: Some(8), address: None }),
            evidence: Some(vec![Attachment { sha256: Hash([7; 32]), name: "a.jpg".into(), mime: "image/jpeg".into(), size: 300_000 }]),
            extra: Some([("来源".to_owned(), "热线".to_owned())].into()),
            ..Fields::default()
        },
    }
}

fn visit() -> Visit {
    Visit {
        kind: VisitKind::Care,
        result: VisitResult::Met,
        persons: vec![PersonId::from_bytes([1; 16])],
        needs: Some("需要送药".into()),
        next_due_ms: Some(1_767_225_600_000),
        cases: vec![DocId::from_bytes([2; 16])],
    }
}

fn reveal() -> Reveal {
    Reveal {
        person: Some(PersonId::from_bytes([1; 16])),
        field: "id_no".into(),
        value: Some(FactId::from_bytes([2; 16])),
        reason: Some(RevealReason::Unlisted),
        note: Some("补办社保卡".into()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[test]
fn stored_bytes_are_pinned() {
    insta::assert_snapshot!("action", format!("{}\n{}", ActionId::of(&action().to_bytes()), hex(&action().to_bytes())));
    insta::assert_snapshot!("visit", hex(&minicbor::to_vec(visit()).unwrap()));
    insta::assert_snapshot!("reveal", hex(&minicbor::to_vec(reveal()).unwrap()));
    let edit = HouseholdEdit::SetPerson(PersonId::from_bytes([1; 16]), "phone".into(), Value::Text("12812348000".into()));
    insta::assert_snapshot!("household_edit", hex(&minicbor::to_vec(edit).unwrap()));
}

#[test]
fn what_was_written_is_read() {
    assert_eq!(Action::from_bytes(&action().to_bytes()).unwrap(), action());
    let bytes = minicbor::to_vec(visit()).unwrap();
    assert_eq!(minicbor::decode::<Visit>(&bytes).unwrap(), visit());
    assert_eq!(minicbor::decode::<Reveal>(&minicbor::to_vec(reveal()).unwrap()).unwrap(), reveal());
    let json = serde_json::to_string(&action()).unwrap();
    assert_eq!(serde_json::from_str::<Action>(&json).unwrap(), action());
}

#[test]
fn a_reveal_of_a_version_that_asked_for_no_reason_is_read() {
    let bytes = [b"\xa3\x00\x50".as_slice(), &[1; 16], b"\x01\x65id_no\x02\x50", &[2; 16]].concat();
    assert_eq!(minicbor::decode::<Reveal>(&bytes).unwrap(), Reveal { reason: None, note: None, ..reveal() });
}

/// One more key at the end of a CBOR map, and nothing else changed.
fn with_key(mut map: Vec<u8>, key: u8) -> Vec<u8> {
    assert!((0xa0..0xb7).contains(&map[0]), "a short map");
    map[0] += 1;
    let mut more = Encoder::new(Vec::new());
    more.u8(key).unwrap().map(1).unwrap().str("newer").unwrap().array(2).unwrap().bool(true).unwrap().null().unwrap();
    map.extend(more.into_writer());
    map
}

#[test]
fn what_a_newer_version_adds_is_left_aside() {
    let visit_bytes = with_key(minicbor::to_vec(visit()).unwrap(), 99);
    assert_eq!(minicbor::decode::<Visit>(&visit_bytes).unwrap(), visit());
    let newer = Reveal { reason: Some(RevealReason::Other(200)), ..reveal() };
    assert_eq!(minicbor::decode::<Reveal>(&with_key(minicbor::to_vec(&newer).unwrap(), 99)).unwrap(), newer);

    // A new element at the end of the action, and a new key in its fields, which come last.
    let fields = minicbor::to_vec(&action().fields).unwrap();
    let mut bytes = action().to_bytes();
    bytes.truncate(bytes.len() - fields.len());
    assert_eq!(bytes[0], 0x89, "nine elements");
    bytes[0] += 1;
    bytes.extend(with_key(fields, 120));
    bytes.extend(minicbor::to_vec("of a newer version").unwrap());
    assert_eq!(Action::from_bytes(&bytes).unwrap(), action());

    // A kind, a role and a severity that this version does not know.
    let mut newer = action();
    (newer.kind, newer.author.role, newer.fields.severity) = (ActionKind::Other(200), Role::Other(201), Some(Severity::Other(202)));
    assert_eq!(Action::from_bytes(&newer.to_bytes()).unwrap(), newer);
}

#[test]
fn a_view_of_progress_survives_the_wire() {
    let case = super::case::Case::draft(DocId::from_bytes([1; 16]));
    let progress = CaseProgress::of(case.id, &case, Some("HZ610702001202601010001"), 1_767_225_600_000);
    let bytes = with_key(minicbor::to_vec(&progress).unwrap(), 50);
    assert_eq!(minicbor::decode::<CaseProgress>(&bytes).unwrap(), progress);
}
