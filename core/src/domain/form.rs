//! What a form may save. It is stricter than [`policy`](super::policy), which reads what others wrote: nobody has
//! signed a form yet, and its author can still put it right. Every error names the fields.
//!
//! A phone's clock may be wrong, and its owner saves all the same: only a time that is nonsense by every clock the
//! phone has is an error. What is merely odd about a household is for [`quality`](super::quality) to say.

use super::action::{Action, Fields, Place, Severity};
use super::area::{AreaCode, Level};
use super::case::kinds;
use super::category;
use super::fact::{RevealReason, Visit, VisitKind, VisitResult};
use super::household::{self, FieldSpec, HouseholdEdit, TAG_PREFIX, Value};
use super::policy::{MAX_LIST, MAX_TEXT_CHARS};
use super::words::Words;

/// Longest ID number, in characters.
pub const MAX_ID_NUMBER_CHARS: usize = 40;
/// Widest circle in which a fix may lie, metres.
pub const MAX_ACCURACY_M: u32 = 1_000_000;
/// The latest time that a form may name: the end of 2199, milliseconds since 1970.
pub const MAX_TIME_MS: i64 = 7_258_118_399_999;
/// How far what has happened may lie after the phone's clocks: more than any zone, travel or drift.
const AHEAD_MS: i64 = 366 * 86_400_000;
const MAX_DEGREES_E6: (i32, i32) = (90_000_000, 180_000_000);

/// What is wrong with a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A required field is empty.
    Missing,
    /// The value is outside its range.
    Range,
    /// The text or the list is too long.
    TooLong,
    /// There is no such field or code.
    Unknown,
    /// The value is not of the field's form.
    Malformed,
}

/// Why a form cannot be saved, and where. No content is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", self.words().en, fields.join(", "))]
pub struct FormError {
    /// What is wrong.
    pub fault: Fault,
    /// The fields that it is wrong with (`docs/codes.md`, "What a form may save").
    pub fields: Vec<String>,
}

impl FormError {
    /// One field.
    #[must_use]
    pub fn of(fault: Fault, field: impl Into<String>) -> Self {
        Self { fault, fields: vec![field.into()] }
    }

    /// What to tell a person; the app marks the fields.
    #[must_use]
    pub const fn words(&self) -> Words {
        let (zh, en) = match self.fault {
            Fault::Missing => ("有必填项没有填写", "A required field is empty"),
            Fault::Range => ("有一项的数值超出范围，请核对", "A value is out of range; check it"),
            Fault::TooLong => ("有一项太长，请缩短文字或分几次填写", "A field is too long; shorten it or enter it in several parts"),
            Fault::Unknown => ("有一项不在可选范围内，请重新选择", "There is no such choice; choose again"),
            Fault::Malformed => ("有一项格式不正确，请核对", "A field is not in the right form; check it"),
        };
        Words { zh, en }
    }
}

type Checked = Result<(), FormError>;

/// A report in which what was said elsewhere stands where it is required: the title for the text, and the severity
/// that the category has by default.
#[must_use]
pub fn complete(fields: Fields) -> Fields {
    let blank = |text: &Option<String>| text.as_ref().is_none_or(|text| text.trim().is_empty());
    let text = if blank(&fields.text) && fields.evidence.is_none() { fields.title.clone() } else { fields.text };
    let by_category = || {
        let code = fields.category.as_deref()?;
        let minor = category::find(code).map(|minor| minor.severity);
        minor.or_else(|| category::words(code).map(|_| Severity::Normal))
    };
    let severity = fields.severity.or_else(by_category);
    Fields { text, severity, ..fields }
}

/// Checks an action. `now_ms` is the latest that any clock of the phone says.
///
/// # Errors
/// The first thing that is wrong; everything required that lacks, together.
pub fn action(action: &Action, now_ms: i64) -> Checked {
    let Action { kind, fields, .. } = action;
    let spec = kinds::spec(*kind).ok_or_else(|| FormError::of(Fault::Unknown, "kind"))?;
    if matches!(fields.severity, Some(Severity::Other(_))) {
        return Err(FormError::of(Fault::Unknown, "severity"));
    }
    if fields.category.as_deref().is_some_and(|code| category::words(code).is_none()) {
        return Err(FormError::of(Fault::Unknown, "category"));
    }
    fields.place.as_ref().map_or(Ok(()), place)?;
    let happened = [("occurred_at", fields.occurred_ms), ("finished_at", fields.finished_ms), ("seen_at", fields.seen_ms)];
    happened.into_iter().try_for_each(|(name, ms)| time(name, ms, now_ms.saturating_add(AHEAD_MS)))?;
    time("due_at", fields.due_ms, MAX_TIME_MS)?;
    if fields.score.is_some_and(|score| !(1..=5).contains(&score)) {
        return Err(FormError::of(Fault::Range, "score"));
    }
    texts(fields).try_for_each(|(name, text)| short(name, text, MAX_TEXT_CHARS))?;
    lists(fields).into_iter().try_for_each(|(name, len)| few(name, len))?;
    let missing: Vec<String> = spec.missing(action).into_iter().map(|field| field.name().to_owned()).collect();
    if missing.is_empty() { Ok(()) } else { Err(FormError { fault: Fault::Missing, fields: missing }) }
}

/// Checks one save of a household.
///
/// # Errors
/// The first thing that is wrong; everything required that lacks, together.
pub fn household(edits: &[HouseholdEdit]) -> Checked {
    for edit in edits {
        match edit {
            HouseholdEdit::Create(fields) => {
                fields.iter().try_for_each(|(name, value)| household_field(name, value))?;
                let lacks = |name: &&str| household::text(fields, name).is_none_or(|text| text.trim().is_empty());
                let missing: Vec<String> = REQUIRED.into_iter().filter(lacks).map(str::to_owned).collect();
                if !missing.is_empty() {
                    return Err(FormError { fault: Fault::Missing, fields: missing });
                }
            }
            HouseholdEdit::Set(name, value) => household_field(name, value)?,
            HouseholdEdit::AddPerson(_, fields) => {
                fields.iter().try_for_each(|(name, value)| person_field(name, value))?;
            }
            HouseholdEdit::SetPerson(_, name, value) => person_field(name, value)?,
        }
    }
    Ok(())
}

/// Checks a visit.
///
/// # Errors
/// The first thing that is wrong.
pub fn visit(visit: &Visit) -> Checked {
    if matches!(visit.kind, VisitKind::Other(_)) {
        return Err(FormError::of(Fault::Unknown, "kind"));
    }
    if matches!(visit.result, VisitResult::Other(_)) {
        return Err(FormError::of(Fault::Unknown, "result"));
    }
    time("next_due_at", visit.next_due_ms, MAX_TIME_MS)?;
    short("needs", visit.needs.as_deref().unwrap_or_default(), MAX_TEXT_CHARS)?;
    few("persons", visit.persons.len())?;
    few("cases", visit.cases.len())
}

/// Checks a person's ID number. Whether it is one of a Chinese identity card is only worth a warning: there are other
/// papers.
///
/// # Errors
/// What is wrong.
pub fn id_number(value: &str) -> Checked {
    if value.trim().is_empty() {
        return Err(FormError::of(Fault::Missing, "id_number"));
    }
    short("id_number", value, MAX_ID_NUMBER_CHARS)
}

/// Checks why a sensitive value is shown.
///
/// # Errors
/// What is wrong.
pub fn reveal(reason: RevealReason, note: Option<&str>) -> Checked {
    if matches!(reason, RevealReason::Other(_)) {
        return Err(FormError::of(Fault::Unknown, "reason"));
    }
    short("note", note.unwrap_or_default(), MAX_TEXT_CHARS)
}

/// What every household has.
const REQUIRED: [&str; 2] = ["grid", "address"];

fn household_field(name: &str, value: &Value) -> Checked {
    field(household::household_field(name), name, value, shown(name))?;
    let text = match value {
        Value::Text(text) => text.trim(),
        _ => "",
    };
    if REQUIRED.contains(&name) && text.is_empty() {
        return Err(FormError::of(Fault::Missing, name));
    }
    if name == "grid" && !text.parse().is_ok_and(|grid: AreaCode| grid.level() == Level::Grid) {
        return Err(FormError::of(Fault::Malformed, name));
    }
    Ok(())
}

fn person_field(name: &str, value: &Value) -> Checked {
    field(household::person_field(name), name, value, &format!("person.{}", shown(name)))
}

/// A tag's own words were typed, and are in no error.
fn shown(name: &str) -> &str {
    if name.starts_with(TAG_PREFIX) { "tag" } else { name }
}

fn field(spec: Option<FieldSpec>, name: &str, value: &Value, shown: &str) -> Checked {
    let spec = spec.ok_or_else(|| FormError::of(Fault::Unknown, shown))?;
    let fits = match value {
        Value::Null => true,
        Value::Bool(_) => name.starts_with(TAG_PREFIX),
        Value::Int(_) => name == "area",
        Value::Text(text) => {
            short(shown, text, spec.max_chars)?;
            let names_a_fact = || text.parse::<super::id::FactId>().is_ok();
            !name.starts_with(TAG_PREFIX) && (spec.sensitivity != household::Sensitivity::S3 || names_a_fact())
        }
    };
    if fits { Ok(()) } else { Err(FormError::of(Fault::Malformed, shown)) }
}

fn place(place: &Place) -> Checked {
    let Place { lat_e6, lng_e6, accuracy_m, address: _ } = place;
    let within = |degrees: &Option<i32>, limit: i32| degrees.is_none_or(|degrees| (-limit..=limit).contains(&degrees));
    let fault = |fault, field: &str| Err(FormError::of(fault, field));
    match (lat_e6, lng_e6) {
        (Some(_), None) => fault(Fault::Missing, "place.longitude"),
        (None, Some(_)) => fault(Fault::Missing, "place.latitude"),
        _ if !within(lat_e6, MAX_DEGREES_E6.0) => fault(Fault::Range, "place.latitude"),
        _ if !within(lng_e6, MAX_DEGREES_E6.1) => fault(Fault::Range, "place.longitude"),
        _ if accuracy_m.is_some_and(|metres| metres > MAX_ACCURACY_M) => fault(Fault::Range, "place.accuracy"),
        _ => Ok(()),
    }
}

fn time(name: &str, ms: Option<i64>, latest_ms: i64) -> Checked {
    let fits = ms.is_none_or(|ms| (0..=latest_ms.min(MAX_TIME_MS)).contains(&ms));
    if fits { Ok(()) } else { Err(FormError::of(Fault::Range, name)) }
}

fn short(name: &str, text: &str, most: usize) -> Checked {
    if text.chars().count() > most { Err(FormError::of(Fault::TooLong, name)) } else { Ok(()) }
}

fn few(name: &str, len: usize) -> Checked {
    if len > MAX_LIST { Err(FormError::of(Fault::TooLong, name)) } else { Ok(()) }
}

fn texts(f: &Fields) -> impl Iterator<Item = (&'static str, &str)> {
    let plain = [
        ("title", &f.title),
        ("text", &f.text),
        ("category", &f.category),
        ("reason", &f.reason),
        ("reply", &f.reply),
        ("result", &f.result),
        ("measure", &f.measure),
        ("instruction", &f.instruction),
        ("observation", &f.observation),
        ("conclusion", &f.conclusion),
        ("duplicate_check", &f.duplicate_check),
        ("source", &f.source),
        ("decision", &f.decision),
    ];
    let address = f.place.iter().filter_map(|place| Some(("place.address", place.address.as_deref()?)));
    plain.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?))).chain(address)
}

fn lists(f: &Fields) -> [(&'static str, usize); 5] {
    [
        ("targets", f.targets.as_ref().map_or(0, Vec::len)),
        ("required", f.required.as_ref().map_or(0, Vec::len)),
        ("departments", f.departments.as_ref().map_or(0, Vec::len)),
        ("evidence", f.evidence.as_ref().map_or(0, Vec::len)),
        ("extra", f.extra.as_ref().map_or(0, std::collections::BTreeMap::len)),
    ]
}

#[cfg(test)]
mod tests;
