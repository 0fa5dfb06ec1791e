//! What people type: something plausible for their role, chosen by chance from what their phone offers.

use fastrand::Rng;
use fieldgrid_core::device::store::{CaseFilter, HouseholdFilter, PageRequest, SaveError};
use fieldgrid_core::domain::action::{ActionKind, Fields, Place, Severity};
use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::fact::{Visit, VisitKind, VisitResult};
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::household::{HouseholdEdit, Value};
use fieldgrid_core::domain::id::{DocId, OrgId};

use super::phone::Phone;

/// Far enough for every due time.
const DUE_MS: i64 = 1_900_000_000_000;

/// A report.
#[must_use]
pub fn trouble(text: &str, grid: Option<AreaCode>) -> Fields {
    Fields {
        title: Some("井盖破损".to_owned()),
        text: Some(text.to_owned()),
        category: Some("0201".to_owned()),
        severity: Some(Severity::Urgent),
        place: Some(Place { address: Some("天汉大道与劳动西路口".to_owned()), ..Place::default() }),
        grid,
        ..Fields::default()
    }
}

/// A visit that went well.
#[must_use]
pub fn visited(needs: &str) -> Visit {
    Visit { kind: VisitKind::Routine, result: VisitResult::Met, persons: vec![], needs: Some(needs.to_owned()), next_due_ms: None, cases: vec![] }
}

/// An acceptance that names the grid.
#[must_use]
pub fn accept(grid: AreaCode) -> Fields {
    Fields {
        category: Some("0201".to_owned()),
        severity: Some(Severity::Normal),
        grid: Some(grid),
        duplicate_check: Some("无重复".to_owned()),
        ..Fields::default()
    }
}

/// What an action of this kind says; none for kinds that nobody types here.
#[must_use]
pub fn fields(kind: ActionKind, text: &str, grid: AreaCode, org: OrgId) -> Option<Fields> {
    let words = Some(text.to_owned());
    let place = || Some(Place { address: Some("天汉大道".to_owned()), ..Place::default() });
    Some(match kind {
        ActionKind::Supplement | ActionKind::Progress => Fields { text: words, ..Fields::default() },
        ActionKind::Accept => accept(grid),
        ActionKind::Dispatch => Fields { org: Some(org), due_ms: Some(DUE_MS), instruction: words, ..Fields::default() },
        ActionKind::Sign => Fields::default(),
        ActionKind::Finish => Fields { result: Some("done".to_owned()), measure: words, place: place(), ..Fields::default() },
        ActionKind::VerifyPass => Fields { observation: words, ..Fields::default() },
        ActionKind::VerifyFail => Fields { observation: words, reason: Some("仍未处理到位".to_owned()), ..Fields::default() },
        ActionKind::Close => Fields { conclusion: words, reply: Some("已处理,感谢".to_owned()), ..Fields::default() },
        ActionKind::Reject => Fields { reason: words, reply: Some("请联系物业".to_owned()), ..Fields::default() },
        ActionKind::Withdraw | ActionKind::Recall => Fields { reason: words, ..Fields::default() },
        ActionKind::Edit => Fields { grid: Some(grid), ..Fields::default() },
        _ => return None,
    })
}

/// Does something, or nothing when there is nothing to do.
///
/// # Panics
/// When the store fails.
pub fn act(phone: &mut Phone, grids: &[AreaCode], org: OrgId, rng: &mut Rng) {
    let text = format!("{}-{}", phone.name, phone.typed.len());
    match (phone.role, rng.u8(..100)) {
        (Role::GridMember | Role::GridHead, 0..=24) | (Role::Rider, 0..=54) => drop(phone.report(&text)),
        (Role::GridMember | Role::GridHead, 25..=39) => drop(phone.household(&format!("民主街{text}号"), "张三", "12812348000")),
        (Role::GridMember | Role::GridHead, 40..=69) => edit_household(phone, &text, rng),
        (Role::GridMember | Role::GridHead, 70..=79) => {
            if let Some(household) = some_household(phone, rng) {
                phone.visit(household, &visited(&text));
            }
        }
        _ => act_on_a_case(phone, &text, grids, org, rng),
    }
}

fn edit_household(phone: &mut Phone, text: &str, rng: &mut Rng) {
    let Some(household) = some_household(phone, rng) else { return };
    let text = Value::Text(text.to_owned());
    let edits = match rng.u8(..3) {
        0 => {
            let detail = phone.device().household(household).expect("the store is read").and_then(|detail| detail.household);
            let Some(person) = detail.and_then(|household| household.persons.keys().next().copied()) else { return };
            vec![HouseholdEdit::SetPerson(person, "work".to_owned(), text)]
        }
        1 => vec![HouseholdEdit::Set("note".to_owned(), text)],
        _ => vec![HouseholdEdit::Set("pets".to_owned(), text), HouseholdEdit::Set("tag.独居老人".to_owned(), Value::Bool(rng.bool()))],
    };
    let saved = phone.device().edit_household(household, edits);
    passable(phone.note(saved));
}

/// One of the first few, so that phones meet at the same door.
fn some_household(phone: &Phone, rng: &mut Rng) -> Option<DocId> {
    let rows = phone.device().households(&HouseholdFilter::default(), PageRequest::first(5)).expect("the store is read").rows;
    (!rows.is_empty()).then(|| rows[rng.usize(..rows.len())].doc)
}

fn act_on_a_case(phone: &mut Phone, text: &str, grids: &[AreaCode], org: OrgId, rng: &mut Rng) {
    let rows = phone.device().cases(&CaseFilter::default(), PageRequest::first(20)).expect("the store is read").rows;
    if rows.is_empty() {
        return;
    }
    let row = &rows[rng.usize(..rows.len())];
    let possible = phone.device().case(row.doc).expect("the store is read").map(|case| case.possible).unwrap_or_default();
    // Now and then the place turns out to lie in another grid.
    let grid = row.grid.filter(|_| rng.u8(..4) > 0).unwrap_or_else(|| grids[rng.usize(..grids.len())]);
    let offered: Vec<_> = possible.into_iter().filter_map(|kind| Some((kind, fields(kind, text, grid, org)?))).collect();
    if offered.is_empty() {
        return;
    }
    let (kind, fields) = offered[rng.usize(..offered.len())].clone();
    let saved = phone.device().act(row.doc, kind, fields);
    passable(phone.note(saved));
}

/// Saying what the record already says, or what the phone knows would be refused, is not typed at all. Anything else is a failure.
fn passable<T>(saved: Result<T, SaveError>) {
    match saved {
        Ok(_) | Err(SaveError::Nothing | SaveError::Refused(_)) => {}
        Err(error) => panic!("not saved: {error}"),
    }
}
