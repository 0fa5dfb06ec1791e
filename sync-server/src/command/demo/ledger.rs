//! Everything that was typed, so that at the end of the day nothing may be missing.

use fieldgrid_core::device::store::Saved;
use fieldgrid_core::domain::id::{DocId, FactId};

/// Something that was typed on a phone.
#[derive(Debug, Clone, Copy)]
pub enum Typed {
    /// A form that was saved.
    Edit(Saved),
    /// A fact that was stated about a record.
    Fact(DocId, FactId),
}

/// A line of the ledger.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// What.
    pub typed: Typed,
    /// Whether the phone had no signal.
    pub offline: bool,
}

/// What was typed on one phone.
#[derive(Debug, Default)]
pub struct Ledger {
    /// In order.
    pub entries: Vec<Entry>,
}
