//! What forms give.

use std::collections::HashMap;

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
    /// The actions it is about.
    #[uniffi(default = None)]
    pub targets: Option<Vec<String>>,
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

impl From<Place> for action::Place {
    fn from(place: Place) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a degree in millionths fits, and out of range it saturates")]
        let e6 = |degrees: f64| (degrees * 1e6).round() as i32;
        Self { lat_e6: place.latitude.map(e6), lng_e6: place.longitude.map(e6), accuracy_m: place.accuracy_m, address: place.address }
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
            place: fields.place.map(Into::into),
            occurred_ms: fields.occurred_ms,
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
            grid: fields.grid.as_deref().map(id).transpose()?,
            org: fields.org.as_deref().map(id).transpose()?,
            person: fields.person.as_deref().map(id).transpose()?,
            targets: fields.targets.map(|targets| targets.iter().map(|target| id(target)).collect()).transpose()?,
            ..Self::default()
        })
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
        let persons = persons.iter().map(|person| id(person)).collect::<Result<_, _>>()?;
        let cases = cases.iter().map(|case| id(case)).collect::<Result<_, _>>()?;
        Ok(Self { kind: kind.into(), result: result.into(), persons, needs, next_due_ms, cases })
    }
}
