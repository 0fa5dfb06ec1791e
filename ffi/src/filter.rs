//! What lists are asked for.

use fieldgrid_core::device::store;

use crate::code::CaseState;
use crate::device::id;
use crate::error::FieldgridError;

/// What a list of cases is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum CaseOrder {
    /// The latest change first.
    Updated,
    /// Only open cases with a due time, soonest first.
    Due,
    /// A day's list: open cases, what is due soonest first, then the others, the latest change first.
    Today,
}

/// Which cases.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CaseFilter {
    /// In this state.
    #[uniffi(default = None)]
    pub state: Option<CaseState>,
    /// Still open, or ended.
    #[uniffi(default = None)]
    pub open: Option<bool>,
    /// Reported by the phone's person.
    #[uniffi(default = false)]
    pub mine: bool,
    /// With a live assignment to the phone's person or organisation.
    #[uniffi(default = false)]
    pub assigned: bool,
    /// Of this category, or of the minor ones under it.
    #[uniffi(default = None)]
    pub category: Option<String>,
    /// In this area, by code.
    #[uniffi(default = None)]
    pub area: Option<String>,
    /// The order.
    pub order: CaseOrder,
}

impl TryFrom<CaseFilter> for store::CaseFilter {
    type Error = FieldgridError;

    fn try_from(filter: CaseFilter) -> Result<Self, FieldgridError> {
        let CaseFilter { state, open, mine, assigned, category, area, order } = filter;
        let order = match order {
            CaseOrder::Updated => store::CaseOrder::Updated,
            CaseOrder::Due => store::CaseOrder::Due,
            CaseOrder::Today => store::CaseOrder::Today,
        };
        Ok(Self { state: state.map(Into::into), open, mine, assigned, category, area: area.as_deref().map(|text| id("area", text)).transpose()?, order })
    }
}

/// Which households.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct HouseholdFilter {
    /// In this grid or area, by code.
    #[uniffi(default = None)]
    pub area: Option<String>,
    /// Where someone needs care.
    #[uniffi(default = false)]
    pub care: bool,
}

impl TryFrom<HouseholdFilter> for store::HouseholdFilter {
    type Error = FieldgridError;

    fn try_from(HouseholdFilter { area, care }: HouseholdFilter) -> Result<Self, FieldgridError> {
        Ok(Self { area: area.as_deref().map(|text| id("area", text)).transpose()?, care })
    }
}
