//! What forms give.

use std::collections::HashMap;
use std::str::FromStr;

use fieldgrid_core::domain::action::{self, Fields};
use fieldgrid_core::domain::fact;
use fieldgrid_core::domain::household::{self, TAG_PREFIX, Value};

use crate::code::{Severity, VisitKind, VisitResult};
use crate::device::id;
use crate::error::FieldgridError;

/// What an action says. Which of these a kind needs says `required_fields`; times that it lacks are filled in.
#[derive(Debug, Clone, Default, PartialEq, uniffi::Record)]
pub struct ActionFields {
    /// A short title.
    #[uniffi(default = None)]
    pub title: Option<String>,
    /// Free text, at most 2,000 characters.
    #[uniffi(default = None)]
    pub text: Option<String>,
    /// Category code.
    #[uniffi(default = None)]
    pub category: Option<String>,
    /// How bad it is.
    #[uniffi(default = None)]
    pub severity: Option<Severity>,
    /// Where.
    #[uniffi(default = None)]
    pub place: Option<Place>,
    /// When it happened, milliseconds since 1970.
    #[uniffi(default = None)]
    pub occurred_ms: Option<i64>,
    /// When it was finished, milliseconds since 1970, as claimed.
    #[uniffi(default = None)]
    pub finished_ms: Option<i64>,
    /// When it was seen, milliseconds since 1970.
    #[uniffi(default = None)]
    pub seen_ms: Option<i64>,
    /// Why.
    #[uniffi(default = None)]
    pub reason: Option<String>,
    /// The reply to the reporter.
    #[uniffi(default = None)]
    pub reply: Option<String>,
    /// Result code of finishing or closing.
    #[uniffi(default = None)]
    pub result: Option<String>,
    /// What was done.
    #[uniffi(default = None)]
    pub measure: Option<String>,
    /// What was seen on the spot.
    #[uniffi(default = None)]
    pub observation: Option<String>,
    /// Conclusion of closing.
    #[uniffi(default = None)]
    pub conclusion: Option<String>,
    /// Instruction to the handler.
    #[uniffi(default = None)]
    pub instruction: Option<String>,
    /// Result of the check for duplicates.
    #[uniffi(default = None)]
    pub duplicate_check: Option<String>,
    /// Satisfaction, 1–5.
    #[uniffi(default = None)]
    pub score: Option<u8>,
    /// When it is (newly) due, milliseconds since 1970.
    #[uniffi(default = None)]
    pub due_ms: Option<i64>,
    /// The grid it belongs to.
    #[uniffi(default = None)]
    pub grid: Option<String>,
    /// The organisation it is dispatched to.
    #[uniffi(default = None)]
    pub org: Option<String>,
    /// The person it is dispatched to.
    #[uniffi(default = None)]
    pub person: Option<String>,
    /// Organisations that handle it too, and whose finishing is required.
    #[uniffi(default = None)]
    pub required: Option<Vec<String>>,
    /// Departments that are whistled for.
    #[uniffi(default = None)]
    pub departments: Option<Vec<String>>,
    /// The assignments, requests or actions it is about.
    #[uniffi(default = None)]
    pub targets: Option<Vec<String>>,
    /// Days of a suspension.
    #[uniffi(default = None)]
    pub max_days: Option<u16>,
    /// The flag that a decision clears.
    #[uniffi(default = None)]
    pub row: Option<u8>,
    /// A decision's word, or a supervision's level.
    #[uniffi(default = None)]
    pub decision: Option<String>,
    /// The other case of a merge.
    #[uniffi(default = None)]
    pub primary: Option<String>,
    /// Where the case came from.
    #[uniffi(default = None)]
    pub source: Option<String>,
}

/// A place: a point in WGS-84, words, or both.
#[derive(Debug, Clone, Default, PartialEq, uniffi::Record)]
pub struct Place {
    /// The address in words.
    #[uniffi(default = None)]
    pub address: Option<String>,
    /// Degrees.
    #[uniffi(default = None)]
    pub latitude: Option<f64>,
    /// Degrees.
    #[uniffi(default = None)]
    pub longitude: Option<f64>,
    /// Accuracy of the fix, metres.
    #[uniffi(default = None)]
    pub accuracy_m: Option<u32>,
}

impl TryFrom<Place> for action::Place {
    type Error = FieldgridError;

    fn try_from(place: Place) -> Result<Self, FieldgridError> {
        let Place { address, latitude, longitude, accuracy_m } = place;
        Ok(Self {
            lat_e6: latitude.map(|degrees| e6("place.latitude", degrees, 90.0)).transpose()?,
            lng_e6: longitude.map(|degrees| e6("place.longitude", degrees, 180.0)).transpose()?,
            accuracy_m,
            address,
        })
    }
}

/// Millionths of a degree. What is no number would become a place.
fn e6(field: &str, degrees: f64, limit: f64) -> Result<i32, FieldgridError> {
    if !(-limit..=limit).contains(&degrees) {
        return Err(FieldgridError::out_of_range(field));
    }
    #[expect(clippy::cast_possible_truncation, reason = "180 degrees in millionths fit")]
    let e6 = (degrees * 1e6).round() as i32;
    Ok(e6)
}

impl From<action::Place> for Place {
    fn from(action::Place { lat_e6, lng_e6, accuracy_m, address }: action::Place) -> Self {
        let degrees = |e6: i32| f64::from(e6) / 1e6;
        Self { address, latitude: lat_e6.map(degrees), longitude: lng_e6.map(degrees), accuracy_m }
    }
}

impl TryFrom<ActionFields> for Fields {
    type Error = FieldgridError;

    fn try_from(fields: ActionFields) -> Result<Self, FieldgridError> {
        Ok(Self {
            title: fields.title,
            text: fields.text,
            category: fields.category,
            severity: fields.severity.map(Into::into),
            place: fields.place.map(TryInto::try_into).transpose()?,
            occurred_ms: fields.occurred_ms,
            // Photos and voice are not exported yet.
            evidence: None,
            reason: fields.reason,
            reply: fields.reply,
            result: fields.result,
            measure: fields.measure,
            finished_ms: fields.finished_ms,
            org: fields.org.as_deref().map(|text| id("org", text)).transpose()?,
            person: fields.person.as_deref().map(|text| id("person", text)).transpose()?,
            required: fields.required.map(|texts| ids("required", texts)).transpose()?,
            due_ms: fields.due_ms,
            instruction: fields.instruction,
            targets: fields.targets.map(|texts| ids("targets", texts)).transpose()?,
            observation: fields.observation,
            seen_ms: fields.seen_ms,
            conclusion: fields.conclusion,
            grid: fields.grid.as_deref().map(|text| id("grid", text)).transpose()?,
            duplicate_check: fields.duplicate_check,
            score: fields.score,
            source: fields.source,
            max_days: fields.max_days,
            departments: fields.departments.map(|texts| ids("departments", texts)).transpose()?,
            primary: fields.primary.as_deref().map(|text| id("primary", text)).transpose()?,
            row: fields.row,
            decision: fields.decision,
            // What an import brought, which nobody types.
            extra: None,
        })
    }
}

impl From<Fields> for ActionFields {
    fn from(fields: Fields) -> Self {
        Self {
            title: fields.title,
            text: fields.text,
            category: fields.category,
            severity: fields.severity.map(Into::into),
            place: fields.place.map(Into::into),
            occurred_ms: fields.occurred_ms,
            finished_ms: fields.finished_ms,
            seen_ms: fields.seen_ms,
            reason: fields.reason,
            reply: fields.reply,
            result: fields.result,
            measure: fields.measure,
            observation: fields.observation,
            conclusion: fields.conclusion,
            instruction: fields.instruction,
            duplicate_check: fields.duplicate_check,
            score: fields.score,
            due_ms: fields.due_ms,
            grid: fields.grid.map(|id| id.to_string()),
            org: fields.org.map(|id| id.to_string()),
            person: fields.person.map(|id| id.to_string()),
            required: fields.required.map(|ids| texts(&ids)),
            departments: fields.departments.map(|ids| texts(&ids)),
            targets: fields.targets.map(|ids| texts(&ids)),
            max_days: fields.max_days,
            row: fields.row,
            decision: fields.decision,
            primary: fields.primary.map(|id| id.to_string()),
            source: fields.source,
        }
    }
}

/// The fields of a household or person that a form sets, and no others.
#[derive(Debug, Clone, Default, PartialEq, Eq, uniffi::Record)]
pub struct FieldEdit {
    /// Values by field name; none clears the field.
    #[uniffi(default)]
    pub values: HashMap<String, Option<String>>,
    /// Tags: set or not.
    #[uniffi(default)]
    pub tags: HashMap<String, bool>,
}

impl FieldEdit {
    pub(crate) fn into_fields(self) -> household::Fields {
        let values = self.values.into_iter().map(|(name, value)| (name, value.map_or(Value::Null, Value::Text)));
        let tags = self.tags.into_iter().map(|(tag, set)| (format!("{TAG_PREFIX}{tag}"), Value::Bool(set)));
        values.chain(tags).collect()
    }

    pub(crate) fn extend(&mut self, fields: impl IntoIterator<Item = (String, Value)>) {
        for (name, value) in fields {
            match (name.strip_prefix(TAG_PREFIX), value) {
                (Some(tag), Value::Bool(set)) => drop(self.tags.insert(tag.to_owned(), set)),
                (_, Value::Null) => drop(self.values.insert(name, None)),
                (_, Value::Bool(yes)) => drop(self.values.insert(name, Some(yes.to_string()))),
                (_, Value::Int(number)) => drop(self.values.insert(name, Some(number.to_string()))),
                (_, Value::Text(text)) => drop(self.values.insert(name, Some(text))),
            }
        }
    }
}

/// A visit as its form gives it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Visit {
    /// Why.
    pub kind: VisitKind,
    /// How it went.
    pub result: VisitResult,
    /// Who was met.
    #[uniffi(default)]
    pub persons: Vec<String>,
    /// What they need, at most 2,000 characters.
    #[uniffi(default = None)]
    pub needs: Option<String>,
    /// When the next is due, milliseconds since 1970.
    #[uniffi(default = None)]
    pub next_due_ms: Option<i64>,
    /// Cases raised during it.
    #[uniffi(default)]
    pub cases: Vec<String>,
}

impl TryFrom<Visit> for fact::Visit {
    type Error = FieldgridError;

    fn try_from(visit: Visit) -> Result<Self, FieldgridError> {
        let Visit { kind, result, persons, needs, next_due_ms, cases } = visit;
        Ok(Self { kind: kind.into(), result: result.into(), persons: ids("persons", persons)?, needs, next_due_ms, cases: ids("cases", cases)? })
    }
}

impl From<fact::Visit> for Visit {
    fn from(visit: fact::Visit) -> Self {
        let fact::Visit { kind, result, persons, needs, next_due_ms, cases } = visit;
        Self { kind: kind.into(), result: result.into(), persons: texts(&persons), needs, next_due_ms, cases: texts(&cases) }
    }
}

fn ids<T: FromStr>(field: &str, texts: Vec<String>) -> Result<Vec<T>, FieldgridError> {
    texts.iter().map(|text| id(field, text)).collect()
}

pub(crate) fn texts(ids: &[impl ToString]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use fieldgrid_core::domain::action::Attachment;
    use fieldgrid_core::domain::id::{DocId, Hash, OrgId, UserId};

    use super::*;

    /// Every field that the engine has, and no `..`: a new one does not compile until it is decided here whether apps have it.
    fn every_field() -> Fields {
        let text = |text: &str| Some(text.to_owned());
        Fields {
            title: text("井盖"),
            text: text("破损"),
            category: text("0201"),
            severity: Some(action::Severity::Urgent),
            place: Some(action::Place { lat_e6: Some(33_067_512), lng_e6: Some(-107_023_049), accuracy_m: Some(8), address: text("天汉大道12号") }),
            occurred_ms: Some(1),
            evidence: Some(vec![Attachment { sha256: Hash([1; 32]), name: "a.jpg".into(), mime: "image/jpeg".into(), size: 1 }]),
            reason: text("原因"),
            reply: text("答复"),
            result: text("done"),
            measure: text("已修"),
            finished_ms: Some(2),
            org: Some(OrgId::from_bytes([1; 16])),
            person: Some(UserId::from_bytes([2; 16])),
            required: Some(vec![OrgId::from_bytes([3; 16])]),
            due_ms: Some(3),
            instruction: text("请处理"),
            targets: Some(vec!["0a".repeat(16).parse().unwrap()]),
            observation: text("已填平"),
            seen_ms: Some(4),
            conclusion: text("办结"),
            grid: Some("610702001001001".parse().unwrap()),
            duplicate_check: text("none"),
            score: Some(5),
            source: text("12345"),
            max_days: Some(6),
            departments: Some(vec![OrgId::from_bytes([4; 16]), OrgId::from_bytes([5; 16])]),
            primary: Some(DocId::from_bytes([6; 16])),
            row: Some(7),
            decision: text("yellow"),
            extra: Some(BTreeMap::from([("a".to_owned(), "b".to_owned())])),
        }
    }

    #[test]
    fn what_an_action_says_goes_out_and_back_unchanged() {
        let back: Fields = ActionFields::from(every_field()).try_into().unwrap();
        assert_eq!(back, Fields { evidence: None, extra: None, ..every_field() });
        assert_eq!(Fields::try_from(ActionFields::default()).unwrap(), Fields::default());
    }

    #[test]
    fn an_id_that_is_none_is_an_error_and_not_left_out() {
        let wrong = ActionFields { departments: Some(vec!["住建局".into()]), ..ActionFields::default() };
        assert_eq!(Fields::try_from(wrong), Err(FieldgridError::invalid_input("departments")));
    }

    #[test]
    fn what_is_no_place_becomes_none() {
        for (latitude, longitude, field) in [
            (f64::NAN, 0.0, "place.latitude"),
            (f64::INFINITY, 0.0, "place.latitude"),
            (90.000_001, 0.0, "place.latitude"),
            (0.0, f64::NAN, "place.longitude"),
            (0.0, -180.1, "place.longitude"),
            (1e300, 0.0, "place.latitude"),
        ] {
            let place = Place { latitude: Some(latitude), longitude: Some(longitude), ..Place::default() };
            let wrong = ActionFields { place: Some(place), ..ActionFields::default() };
            assert_eq!(Fields::try_from(wrong), Err(FieldgridError::out_of_range(field)));
        }
    }
}
