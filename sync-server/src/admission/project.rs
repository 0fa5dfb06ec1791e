//! What lists and views show of a document, once it is written.

use fieldgrid_core::domain::area::{AreaCode, Level};
use fieldgrid_core::domain::fact::FactKind;
use fieldgrid_core::domain::id::StreamId;
use fieldgrid_core::domain::mask::{CaseProgress, HouseholdView};
use fieldgrid_core::domain::server_fact::CaseNumber;

use super::apply::{Applying, Writing};
use super::case::desk;
use super::number::{self, day};
use super::plan::{DocPlan, Projection};
use crate::store::{CaseRow, HouseholdRow, Result, StoreError, StreamKey};

/// Name of the setting that says above which serial a day's case numbers go on after a restore: CBOR of (day, serial).
pub(crate) const SERIAL_FLOOR: &str = "serial_floor";

impl Applying<'_> {
    pub(super) fn project(&mut self, plan: &DocPlan, writing: &Writing) -> Result<()> {
        match &plan.projection {
            Projection::Case { row, numbered, reporter } => self.case(plan, writing, row, *numbered, reporter.as_ref()),
            Projection::Household(view) => self.household(plan, view),
            Projection::None => Ok(()),
        }
    }

    fn case(&mut self, plan: &DocPlan, writing: &Writing, row: &CaseRow, numbered: bool, reporter: Option<&(StreamId, Option<String>)>) -> Result<()> {
        let mut row = row.clone();
        if numbered {
            let number = self.next_number(plan.area)?;
            let streams: Vec<StreamId> = writing.held.iter().map(|at| at.stream).chain(writing.joins.iter().copied()).collect();
            self.state(FactKind::CaseNumber, Some(plan.doc), &CaseNumber { number: number.clone() }, &streams)?;
            row.number = Some(number);
        }
        if let Some((stream, reply)) = reporter {
            let mut progress = CaseProgress { case: plan.doc, state: row.state, number: row.number.clone(), reply: reply.clone(), updated_ms: 0 };
            // News is what the reporter can see; the time alone is none.
            let seen = minicbor::to_vec(&progress).expect("encoding into memory does not fail");
            if row.progress.as_ref() != Some(&seen) {
                progress.updated_ms = row.updated_ms;
                self.state(FactKind::View, Some(plan.doc), &progress, &[*stream])?;
                row.progress = Some(seen);
            }
        }
        self.tx.put_case(&row)
    }

    fn household(&mut self, plan: &DocPlan, view: &HouseholdView) -> Result<()> {
        let body = minicbor::to_vec(view).expect("encoding into memory does not fail");
        if self.tx.household(plan.doc)?.is_none_or(|before| before.view != body) {
            let key = StreamKey::Desk(desk(plan.area));
            let stream = *self.streams.get(&key).ok_or(StoreError::Damaged("stream"))?;
            self.state(FactKind::View, Some(plan.doc), view, &[stream])?;
        }
        let row = HouseholdRow { doc: plan.doc, area: plan.area, persons: view.persons, care: view.care, view: body, updated_ms: self.now_ms };
        self.tx.put_household(&row)
    }

    fn next_number(&mut self, area: AreaCode) -> Result<String> {
        let day = day(self.now_ms);
        let floor: Option<(String, u32)> = self.tx.meta(SERIAL_FLOOR)?.and_then(|value| minicbor::decode(&value).ok());
        let floor = floor.filter(|(of, _)| *of == day).map_or(0, |(_, serial)| serial);
        let town = area.at(Level::Town).unwrap_or(area);
        let serial = self.tx.next_serial(town, &day, floor)?;
        Ok(number::of(town, &day, serial))
    }
}
