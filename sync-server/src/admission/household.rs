//! Households: whole in their grid's stream, masked at the desk.

use fieldgrid_core::domain::area::Level;
use fieldgrid_core::domain::mask::{self, MaskClass};
use fieldgrid_core::record::{Content, Record};

use super::plan::{DocPlan, Projection};
use crate::store::StreamKey;

/// Fills in where the household goes and what the desk sees of it.
pub(super) fn project(plan: &mut DocPlan, record: &Record) {
    let Content::Household(household) = record.read() else { return };
    let grid = (plan.area.level() == Level::Grid).then_some(plan.area);
    plan.streams.extend(grid.map(StreamKey::Grid));
    plan.projection = Projection::Household(Box::new(mask::household(plan.doc, &household, grid, MaskClass::Desk)));
}
