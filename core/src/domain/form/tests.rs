//! What a form may save, and which field an error names.

use super::*;
use crate::domain::action::ActionKind;
use crate::domain::grant::{Author, Role};
use crate::domain::id::{GrantId, PersonId, UserId};
use crate::domain::time::Stamp;

const NOW_MS: i64 = 1_796_000_000_000;
const YEAR_2099_MS: i64 = 4_070_908_800_000;

fn said(kind: ActionKind, fields: Fields) -> Result<(), FormError> {
    let author = Author { grant: GrantId::from_bytes([1; 16]), user: UserId::from_bytes([2; 16]), role: Role::GridMember, org: None, scopes: vec![] };
    let at = Stamp { wall_ms: NOW_MS, mono_ms: 1 };
    let made = Action { kind, author, at, seen: vec![], rules: 1, round: None, assignment: None, mode: None, fields };
    action(&made, NOW_MS)
}

fn report() -> Fields {
    Fields {
        text: Some("井盖破损".into()),
        category: Some("0201".into()),
        severity: Some(Severity::Urgent),
        occurred_ms: Some(NOW_MS),
        place: Some(Place { address: Some("天汉大道12号".into()), ..Place::default() }),
        ..Fields::default()
    }
}

fn at(lat: Option<i32>, lng: Option<i32>, accuracy_m: Option<u32>) -> Fields {
    Fields { place: Some(Place { lat_e6: lat, lng_e6: lng, accuracy_m, address: Some("桥头".into()) }), ..report() }
}

fn of(fault: Fault, fields: &[&str]) -> Result<(), FormError> {
    Err(FormError { fault, fields: fields.iter().map(|&field| field.to_owned()).collect() })
}

#[test]
fn a_whole_report_passes_also_at_the_edges() {
    assert_eq!(said(ActionKind::Report, report()), Ok(()));
    for (lat, lng) in [(90_000_000, 180_000_000), (-90_000_000, -180_000_000), (0, 0)] {
        assert_eq!(said(ActionKind::Report, at(Some(lat), Some(lng), Some(0))), Ok(()));
    }
    let long = Fields { text: Some("字".repeat(MAX_TEXT_CHARS)), ..report() };
    assert_eq!(said(ActionKind::Report, long), Ok(()));
}

#[test]
fn what_a_report_lacks_is_named_all_at_once() {
    let all = ["category", "place", "occurred_at", "severity", "evidence"];
    assert_eq!(said(ActionKind::Report, Fields::default()), of(Fault::Missing, &all));
    let blank = Fields { text: Some("  \n".into()), ..report() };
    assert_eq!(said(ActionKind::Report, blank), of(Fault::Missing, &["evidence"]));
    assert_eq!(said(ActionKind::Withdraw, Fields::default()), of(Fault::Missing, &["reason"]));
}

#[test]
fn nonsense_is_refused_with_its_field() {
    let severity = Fields { severity: Some(Severity::Other(9)), ..report() };
    let category = Fields { category: Some("9999".into()), ..report() };
    let title = Fields { title: Some("字".repeat(MAX_TEXT_CHARS + 1)), ..report() };
    let score = Fields { score: Some(77), ..Fields::default() };
    for (kind, fields, fault, field) in [
        (ActionKind::Other(0), report(), Fault::Unknown, "kind"),
        (ActionKind::Report, severity, Fault::Unknown, "severity"),
        (ActionKind::Report, category, Fault::Unknown, "category"),
        (ActionKind::Report, at(Some(999_000_000), Some(0), None), Fault::Range, "place.latitude"),
        (ActionKind::Report, at(Some(0), Some(-180_000_001), None), Fault::Range, "place.longitude"),
        (ActionKind::Report, at(Some(33_000_000), None, None), Fault::Missing, "place.longitude"),
        (ActionKind::Report, at(None, Some(107_000_000), None), Fault::Missing, "place.latitude"),
        (ActionKind::Report, at(Some(0), Some(0), Some(u32::MAX - 4)), Fault::Range, "place.accuracy"),
        (ActionKind::Report, title, Fault::TooLong, "title"),
        (ActionKind::Rate, score, Fault::Range, "score"),
    ] {
        assert_eq!(said(kind, fields), of(fault, &[field]));
    }
}

#[test]
fn a_time_is_refused_only_when_no_clock_could_say_it() {
    let occurred = |ms| said(ActionKind::Report, Fields { occurred_ms: Some(ms), ..report() });
    for ms in [0, 1, NOW_MS - 20_000 * 86_400_000, NOW_MS, NOW_MS + 300 * 86_400_000] {
        assert_eq!(occurred(ms), Ok(()), "{ms}");
    }
    for ms in [-1, i64::MIN, YEAR_2099_MS, i64::MAX] {
        assert_eq!(occurred(ms), of(Fault::Range, &["occurred_at"]), "{ms}");
    }
    // Due times lie ahead.
    let due = |ms| said(ActionKind::Progress, Fields { due_ms: Some(ms), text: Some("在修".into()), ..Fields::default() });
    assert_eq!(due(YEAR_2099_MS), Ok(()));
    assert_eq!(due(MAX_TIME_MS + 1), of(Fault::Range, &["due_at"]));
}

#[test]
fn what_was_said_elsewhere_completes_a_report() {
    let short = Fields { title: Some("井盖破损".into()), text: None, severity: None, ..report() };
    let whole = complete(short);
    assert_eq!((whole.text.as_deref(), whole.severity), (Some("井盖破损"), Some(Severity::Urgent)));
    let by = |category: &str| complete(Fields { category: Some(category.into()), severity: None, ..report() }).severity;
    assert_eq!((by("02"), by("0306"), by("9999")), (Some(Severity::Normal), Some(Severity::Emergency), None));
    assert_eq!(complete(report()), report());
    assert_eq!(complete(Fields::default()), Fields::default());
}

fn fields<const N: usize>(of: [(&str, &str); N]) -> household::Fields {
    of.into_iter().map(|(name, value)| (name.to_owned(), Value::Text(value.to_owned()))).collect()
}

#[test]
fn a_household_has_a_grid_and_an_address_for_good() {
    let create = |fields| household(&[HouseholdEdit::Create(fields)]);
    let set = |name: &str, value| household(&[HouseholdEdit::Set(name.to_owned(), value)]);
    assert_eq!(create(fields([("grid", "610702001001001"), ("address", "民主街5号")])), Ok(()));
    assert_eq!(create(household::Fields::new()), of(Fault::Missing, &["grid", "address"]));
    assert_eq!(create(fields([("grid", "610702001001001"), ("address", " ")])), of(Fault::Missing, &["address"]));
    for name in REQUIRED {
        assert_eq!(set(name, Value::Null), of(Fault::Missing, &[name]));
        assert_eq!(set(name, Value::Text("  ".into())), of(Fault::Missing, &[name]));
    }
    for wrong in ["610702001001", "一网格"] {
        assert_eq!(set("grid", Value::Text(wrong.into())), of(Fault::Malformed, &["grid"]));
    }
    assert_eq!(set("phone", Value::Null), Ok(()));
}

#[test]
fn a_field_that_is_none_is_named_and_a_tags_words_are_not() {
    let person = PersonId::from_bytes([3; 16]);
    let set = |name: &str, value| household(&[HouseholdEdit::Set(name.to_owned(), value)]);
    let of_person = |name: &str, value| household(&[HouseholdEdit::SetPerson(person, name.to_owned(), value)]);
    let text = |text: &str| Value::Text(text.to_owned());
    assert_eq!(set("shoe_size", text("x")), of(Fault::Unknown, &["shoe_size"]));
    assert_eq!(set("tag.", Value::Bool(true)), of(Fault::Unknown, &["tag"]));
    let long = format!("{TAG_PREFIX}{}", "独".repeat(21));
    assert_eq!(of_person(&long, Value::Bool(true)), of(Fault::Unknown, &["person.tag"]));
    assert_eq!(of_person("id_no", text("610799194509300025")), of(Fault::Malformed, &["person.id_no"]));
    assert_eq!(of_person("phone", text(&"1".repeat(41))), of(Fault::TooLong, &["person.phone"]));
    // What is only odd is saved, and marked.
    assert_eq!(of_person("birth", text("yesterday")), Ok(()));
}

#[test]
fn a_visit_an_id_number_and_a_reveal_are_checked() {
    let made = |kind, result, next_due_ms| Visit { kind, result, persons: vec![], needs: None, next_due_ms, cases: vec![] };
    assert_eq!(visit(&made(VisitKind::Care, VisitResult::Met, None)), Ok(()));
    assert_eq!(visit(&made(VisitKind::Other(0), VisitResult::Met, None)), of(Fault::Unknown, &["kind"]));
    assert_eq!(visit(&made(VisitKind::Care, VisitResult::Other(0), None)), of(Fault::Unknown, &["result"]));
    assert_eq!(visit(&made(VisitKind::Care, VisitResult::Met, Some(-1))), of(Fault::Range, &["next_due_at"]));
    assert_eq!(id_number("护照E12345678"), Ok(()));
    assert_eq!(id_number(" "), of(Fault::Missing, &["id_number"]));
    assert_eq!(id_number(&"6".repeat(3_000)), of(Fault::TooLong, &["id_number"]));
    assert_eq!(reveal(RevealReason::Other(0), None), of(Fault::Unknown, &["reason"]));
    assert_eq!(reveal(RevealReason::Identity, Some(&"字".repeat(2_001))), of(Fault::TooLong, &["note"]));
}
