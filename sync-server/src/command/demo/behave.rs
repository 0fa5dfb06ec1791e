//! What people do when they look at their phones: something plausible for their role, chosen from what the phone itself offers.

use fastrand::Rng;
use fieldgrid_core::device::store::{CaseFilter, CaseRow, HouseholdFilter, PageRequest, SaveError};
use fieldgrid_core::device::{Device, NewHousehold};
use fieldgrid_core::domain::action::{ActionKind, Fields, Severity};
use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::case::State;
use fieldgrid_core::domain::fact::{Visit, VisitKind, VisitResult};
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::household::{HouseholdEdit, Value};
use fieldgrid_core::domain::id::{DocId, OrgId, PersonId};

use super::cast::{self, Member};
use super::ledger::Typed;

/// A working day in milliseconds, for due times.
const DAY_MS: i64 = 86_400_000;

/// Someone at work.
#[derive(Debug)]
pub struct Person<'a> {
    /// Who.
    pub member: &'a Member,
    /// The phone.
    pub device: &'a Device,
    /// The department that cases go to.
    pub department: OrgId,
    /// The town's grids: whoever accepts a report without one names one.
    pub grids: &'a [AreaCode],
    /// The time on the phone.
    pub now_ms: i64,
}

impl Person<'_> {
    /// Does one thing, or nothing when there is nothing to do. What was typed is what comes back.
    ///
    /// # Errors
    /// When the phone would not save it.
    pub fn act(&self, rng: &mut Rng) -> Result<Option<Typed>, SaveError> {
        match self.member.role {
            Role::GridMember | Role::GridHead => match rng.u8(..100) {
                0..=29 => self.report(Some(self.member.scope), rng),
                30..=59 => self.edit_household(rng),
                60..=79 => self.visit(rng),
                80..=89 => self.on_case(&[State::Resolved], rng, verify),
                _ => self.on_case(&[State::Reported, State::Accepted, State::Handling], rng, supplement),
            },
            Role::Community => match rng.u8(..100) {
                0..=29 => self.on_case(&[State::Reported], rng, accept),
                30..=49 => self.on_case(&[State::Verified], rng, close),
                50..=79 => self.edit_household(rng),
                _ => self.visit(rng),
            },
            Role::Rider => match rng.u8(..100) {
                0..=64 => self.report(None, rng),
                65..=94 => self.on_mine(rng, supplement),
                _ => self.on_mine(rng, withdraw),
            },
            Role::TownDispatcher => match rng.u8(..100) {
                0..=39 => self.on_case(&[State::Reported], rng, accept),
                40..=74 => self.on_case(&[State::Accepted], rng, dispatch),
                75..=77 => self.on_case(&[State::Dispatched, State::Handling], rng, dispatch),
                78..=81 => self.on_case(&[State::Reported], rng, reject),
                _ => self.on_case(&[State::Verified], rng, close),
            },
            Role::Department => match rng.u8(..100) {
                0..=44 => self.on_case(&[State::Dispatched], rng, sign),
                45..=64 => self.on_case(&[State::Handling], rng, progress),
                _ => self.on_case(&[State::Handling], rng, finish),
            },
            _ => Ok(None),
        }
    }

    /// How many things he does while others do one: desks work through a queue.
    #[must_use]
    pub const fn diligence(role: Role) -> u8 {
        match role {
            Role::TownDispatcher | Role::Department => 4,
            Role::Community => 2,
            _ => 1,
        }
    }

    /// Enters a household with its residents, as in a first survey.
    ///
    /// # Errors
    /// When the phone would not save it.
    pub fn survey(&self, grid: AreaCode, number: usize, rng: &mut Rng) -> Result<Typed, SaveError> {
        let fields = cast::household(grid, number, rng);
        let persons = (0..cast::household_size(rng)).map(|index| cast::resident(index, rng)).collect();
        self.device.add_household(NewHousehold { fields, persons }).map(Typed::Edit)
    }

    fn report(&self, grid: Option<AreaCode>, rng: &mut Rng) -> Result<Option<Typed>, SaveError> {
        let mut fields = cast::trouble(grid, rng);
        fields.occurred_ms = Some(self.now_ms - i64::from(rng.u32(..1_800_000)));
        let saved = self.device.report(fields)?;
        Ok(Some(Typed::Edit(saved)))
    }

    fn edit_household(&self, rng: &mut Rng) -> Result<Option<Typed>, SaveError> {
        let Some(doc) = self.some_household(rng)? else { return Ok(None) };
        let Some(household) = self.device.household(doc)?.and_then(|detail| detail.household) else { return Ok(None) };
        let mut edits = Vec::new();
        match (rng.u8(..4), household.persons.keys().next()) {
            (0, Some(person)) => edits.push(HouseholdEdit::SetPerson(*person, "phone".to_owned(), Value::Text(cast::phone_number(rng)))),
            (1, Some(person)) => edits.push(HouseholdEdit::SetPerson(*person, "tag.独居老人".to_owned(), Value::Bool(true))),
            (2, _) => edits.push(HouseholdEdit::AddPerson(self.new_person(rng), cast::resident(1, rng))),
            _ => edits.push(HouseholdEdit::Set("note".to_owned(), Value::Text(cast::remark(rng)))),
        }
        self.device.edit_household(doc, edits).map(|saved| Some(Typed::Edit(saved)))
    }

    fn visit(&self, rng: &mut Rng) -> Result<Option<Typed>, SaveError> {
        let Some(doc) = self.some_household(rng)? else { return Ok(None) };
        let visit = Visit {
            kind: if rng.bool() { VisitKind::Routine } else { VisitKind::Care },
            result: if rng.u8(..5) == 0 { VisitResult::Absent } else { VisitResult::Met },
            persons: Vec::new(),
            needs: rng.bool().then(|| cast::remark(rng)),
            next_due_ms: Some(self.now_ms + 90 * DAY_MS),
            cases: Vec::new(),
        };
        Ok(Some(Typed::Fact(doc, self.device.visit(doc, &visit)?)))
    }

    /// One of the households here; often one of the first few, so that phones meet at the same door.
    fn some_household(&self, rng: &mut Rng) -> Result<Option<DocId>, SaveError> {
        let rows = self.device.households(&HouseholdFilter::default(), PageRequest::first(200))?.rows;
        let most = if rng.u8(..3) == 0 { rows.len().min(3) } else { rows.len() };
        Ok((most > 0).then(|| rows[rng.usize(..most)].doc))
    }

    fn on_case(&self, states: &[State], rng: &mut Rng, what: fn(&Self, &CaseRow, &mut Rng) -> (ActionKind, Fields)) -> Result<Option<Typed>, SaveError> {
        let mut rows = Vec::new();
        for state in states {
            rows.extend(self.device.cases(&CaseFilter { state: Some(*state), ..CaseFilter::default() }, PageRequest::first(50))?.rows);
        }
        self.on_one(&rows, rng, what)
    }

    fn on_mine(&self, rng: &mut Rng, what: fn(&Self, &CaseRow, &mut Rng) -> (ActionKind, Fields)) -> Result<Option<Typed>, SaveError> {
        let rows = self.device.cases(&CaseFilter { mine: true, ..CaseFilter::default() }, PageRequest::first(50))?.rows;
        self.on_one(&rows, rng, what)
    }

    /// Does it to one of the cases where the phone offers it; now and then to one where it does not, as people do.
    fn on_one(&self, rows: &[CaseRow], rng: &mut Rng, what: fn(&Self, &CaseRow, &mut Rng) -> (ActionKind, Fields)) -> Result<Option<Typed>, SaveError> {
        let stubborn = rng.u8(..20) == 0;
        for _ in 0..rows.len().min(6) {
            let row = &rows[rng.usize(..rows.len())];
            let (kind, fields) = what(self, row, rng);
            let offered = self.device.case(row.doc)?.is_some_and(|case| case.possible.contains(&kind));
            if offered || stubborn {
                return Ok(Some(Typed::Edit(self.device.act(row.doc, kind, fields)?)));
            }
        }
        Ok(None)
    }

    fn new_person(&self, rng: &mut Rng) -> PersonId {
        let mut random = [0; 10];
        rng.fill(&mut random);
        PersonId::new(self.now_ms, random)
    }
}

fn accept(person: &Person<'_>, row: &CaseRow, rng: &mut Rng) -> (ActionKind, Fields) {
    let fields = Fields {
        category: row.category.clone(),
        severity: Some(row.severity.unwrap_or(Severity::Normal)),
        grid: row.grid.or_else(|| Some(person.grids[rng.usize(..person.grids.len())])),
        duplicate_check: Some("无重复".to_owned()),
        ..Fields::default()
    };
    (ActionKind::Accept, fields)
}

fn reject(_: &Person<'_>, _: &CaseRow, _: &mut Rng) -> (ActionKind, Fields) {
    let fields = Fields {
        reason: Some("不属于受理范围".to_owned()), reply: Some("您反映的问题请联系小区物业处理。".to_owned()), ..Fields::default()
    };
    (ActionKind::Reject, fields)
}

fn dispatch(person: &Person<'_>, _: &CaseRow, _: &mut Rng) -> (ActionKind, Fields) {
    let fields = Fields {
        org: Some(person.department),
        due_ms: Some(person.now_ms + 3 * DAY_MS),
        instruction: Some("请到现场处置并反馈".to_owned()),
        ..Fields::default()
    };
    (ActionKind::Dispatch, fields)
}

fn sign(_: &Person<'_>, _: &CaseRow, _: &mut Rng) -> (ActionKind, Fields) {
    (ActionKind::Sign, Fields::default())
}

fn progress(_: &Person<'_>, _: &CaseRow, rng: &mut Rng) -> (ActionKind, Fields) {
    (ActionKind::Progress, Fields { text: Some(cast::remark(rng)), ..Fields::default() })
}

fn finish(person: &Person<'_>, row: &CaseRow, _: &mut Rng) -> (ActionKind, Fields) {
    let place = fieldgrid_core::domain::action::Place { address: row.address.clone(), ..Default::default() };
    let fields = Fields {
        result: Some("done".to_owned()),
        measure: Some("已现场处置完毕".to_owned()),
        finished_ms: Some(person.now_ms),
        place: Some(place),
        ..Fields::default()
    };
    (ActionKind::Finish, fields)
}

fn verify(person: &Person<'_>, _: &CaseRow, rng: &mut Rng) -> (ActionKind, Fields) {
    let passed = rng.u8(..100) >= 15;
    let fields = Fields {
        observation: Some(if passed { "现场已恢复" } else { "仍未处理到位" }.to_owned()),
        reason: (!passed).then(|| "仍未处理到位".to_owned()),
        seen_ms: Some(person.now_ms),
        ..Fields::default()
    };
    (if passed { ActionKind::VerifyPass } else { ActionKind::VerifyFail }, fields)
}

fn close(_: &Person<'_>, _: &CaseRow, _: &mut Rng) -> (ActionKind, Fields) {
    let fields = Fields {
        conclusion: Some("处置到位，同意结案".to_owned()), reply: Some("您反映的问题已处理，感谢。".to_owned()), ..Fields::default()
    };
    (ActionKind::Close, fields)
}

fn supplement(_: &Person<'_>, _: &CaseRow, rng: &mut Rng) -> (ActionKind, Fields) {
    (ActionKind::Supplement, Fields { text: Some(cast::remark(rng)), ..Fields::default() })
}

fn withdraw(_: &Person<'_>, _: &CaseRow, _: &mut Rng) -> (ActionKind, Fields) {
    (ActionKind::Withdraw, Fields { reason: Some("问题已经自行解决".to_owned()), ..Fields::default() })
}
