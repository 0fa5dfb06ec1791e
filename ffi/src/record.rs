//! Rows of lists.

use std::collections::HashMap;

use fieldgrid_core::device::store::{self, Typed};
use fieldgrid_core::domain::household::HouseholdEdit;

use crate::code::{ActionKind, CaseState, DeliveryState, Remedy, Severity, VisitKind, VisitResult, Words};
use crate::edit::{ActionFields, FieldEdit, Visit, texts};

/// Where work is, told from receipts only, with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Delivery {
    /// Where it is.
    pub state: DeliveryState,
    /// Why it was refused, and what to do.
    #[uniffi(default = None)]
    pub reason: Option<Words>,
    /// When the centre received it, milliseconds since 1970, server's clock.
    #[uniffi(default = None)]
    pub received_ms: Option<i64>,
}

impl From<store::Delivery> for Delivery {
    fn from(delivery: store::Delivery) -> Self {
        Self { state: delivery.state.into(), reason: delivery.reason.map(|reason| Words::of(reason.words())), received_ms: delivery.received_ms }
    }
}

/// Where a page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct PageToken {
    /// What the list is ordered by.
    pub key: i64,
    /// Between equal keys.
    pub n: i64,
}

impl From<store::PageToken> for PageToken {
    fn from(store::PageToken { key, n }: store::PageToken) -> Self {
        Self { key, n }
    }
}

impl From<PageToken> for store::PageToken {
    fn from(PageToken { key, n }: PageToken) -> Self {
        Self { key, n }
    }
}

macro_rules! pages {
    ($($(#[$doc:meta])* $name:ident($core:ty) of $row:ty;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
        pub struct $name {
            /// The rows.
            pub rows: Vec<$row>,
            /// Where the next page begins; none at the end.
            #[uniffi(default = None)]
            pub next: Option<PageToken>,
        }

        impl From<store::Page<$core>> for $name {
            fn from(page: store::Page<$core>) -> Self {
                Self { rows: page.rows.into_iter().map(Into::into).collect(), next: page.next.map(Into::into) }
            }
        }
    )*};
}

pages! {
    /// Some cases of a list.
    CasePage(store::CaseRow) of CaseRow;
    /// Some households of a list.
    HouseholdPage(store::HouseholdRow) of HouseholdRow;
    /// Some visits of a list.
    VisitPage(store::VisitRow) of VisitRow;
    /// Some of what a search found.
    HitPage(store::Hit) of Hit;
}

/// Some of what was typed on this phone.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct EditPage {
    /// The edits, newest first.
    pub rows: Vec<RefusedEdit>,
    /// Where the next page begins; none at the end.
    #[uniffi(default = None)]
    pub next: Option<PageToken>,
}

impl From<store::Page<store::EditRow>> for EditPage {
    fn from(page: store::Page<store::EditRow>) -> Self {
        Self { rows: page.rows.into_iter().map(Into::into).collect(), next: page.next.map(Into::into) }
    }
}

/// A case in a list.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CaseRow {
    /// The case.
    pub id: String,
    /// Where it stands.
    pub state: CaseState,
    /// Whether there is still something to do.
    pub open: bool,
    /// How bad it is.
    pub severity: Option<Severity>,
    /// Category code.
    pub category: Option<String>,
    /// Title.
    pub title: Option<String>,
    /// Address in words.
    pub address: Option<String>,
    /// The grid's code.
    pub grid: Option<String>,
    /// The case number, once accepted.
    pub number: Option<String>,
    /// When the soonest live assignment is due, milliseconds since 1970.
    pub due_ms: Option<i64>,
    /// When it was last changed, milliseconds since 1970.
    pub updated_ms: i64,
    /// How many flags a person must decide.
    pub flags: u32,
    /// Reported by the phone's person.
    pub mine: bool,
    /// With a live assignment to the phone's person or organisation.
    pub assigned: bool,
    /// Where own work on it is.
    pub delivery: Delivery,
}

impl From<store::CaseRow> for CaseRow {
    fn from(row: store::CaseRow) -> Self {
        Self {
            id: row.doc.to_string(),
            state: row.state.into(),
            open: row.open,
            severity: row.severity.map(Severity::from),
            category: row.category,
            title: row.title,
            address: row.address,
            grid: row.grid.map(|grid| grid.to_string()),
            number: row.number,
            due_ms: row.due_ms,
            updated_ms: row.updated_ms,
            flags: row.flags,
            mine: row.mine,
            assigned: row.assigned,
            delivery: row.delivery.into(),
        }
    }
}

/// A household in a list.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct HouseholdRow {
    /// The household.
    pub id: String,
    /// The grid's code.
    pub grid: Option<String>,
    /// Address.
    pub address: Option<String>,
    /// Head or contact.
    pub head: Option<String>,
    /// Phone.
    pub phone: Option<String>,
    /// How many live there.
    pub persons: u32,
    /// How many of them need care.
    pub care: u32,
    /// A masked view: the household itself is not on this phone.
    pub masked: bool,
    /// Where own work on it is.
    pub delivery: Delivery,
}

impl From<store::HouseholdRow> for HouseholdRow {
    fn from(row: store::HouseholdRow) -> Self {
        let store::HouseholdRow { doc, grid, address, head, phone, persons, care, masked, delivery } = row;
        Self { id: doc.to_string(), grid: grid.map(|grid| grid.to_string()), address, head, phone, persons, care, masked, delivery: delivery.into() }
    }
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Hit {
    /// A case.
    Case {
        /// The case.
        row: CaseRow,
    },
    /// A household.
    Household {
        /// The household.
        row: HouseholdRow,
    },
}

impl From<store::Hit> for Hit {
    fn from(hit: store::Hit) -> Self {
        match hit {
            store::Hit::Case(row) => Self::Case { row: row.into() },
            store::Hit::Household(row) => Self::Household { row: row.into() },
        }
    }
}

/// A visit in a list.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct VisitRow {
    /// The visit.
    pub id: String,
    /// The household.
    pub household: Option<String>,
    /// Why.
    pub kind: VisitKind,
    /// How it went.
    pub result: VisitResult,
    /// When, by the visitor's clock, milliseconds since 1970.
    pub visited_ms: i64,
    /// When the next is due, milliseconds since 1970.
    pub next_due_ms: Option<i64>,
    /// Where it is.
    pub delivery: Delivery,
    /// What they need.
    #[uniffi(default = None)]
    pub needs: Option<String>,
    /// Who was met, by id.
    #[uniffi(default)]
    pub persons: Vec<String>,
    /// Cases raised during it, by id.
    #[uniffi(default)]
    pub cases: Vec<String>,
}

impl From<store::VisitRow> for VisitRow {
    fn from(row: store::VisitRow) -> Self {
        Self {
            id: row.fact.to_string(),
            household: row.household.map(|household| household.to_string()),
            kind: row.kind.into(),
            result: row.result.into(),
            visited_ms: row.wall_ms,
            next_due_ms: row.next_due_ms,
            delivery: row.delivery.into(),
            needs: row.needs,
            persons: texts(&row.persons),
            cases: texts(&row.cases),
        }
    }
}

/// An own edit: one that waits for a person's decision, or any in a history.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct RefusedEdit {
    /// The edit.
    pub id: String,
    /// The record that it is about.
    pub record: Option<String>,
    /// What lists call that record.
    pub title: Option<String>,
    /// When it was made, milliseconds since 1970, phone's clock.
    pub made_ms: i64,
    /// Where it is, with the centre's reason.
    pub delivery: Delivery,
    /// What it did, when it was on a case; empty for a household or a visit.
    pub actions: Vec<ActionKind>,
    /// Whether it can go to the centre as a note instead.
    pub may_be_note: bool,
    /// What it is called.
    pub name: Option<Words>,
    /// What an action on a case said.
    pub fields: Option<ActionFields>,
    /// What was set of a household; none when it was not about one.
    pub household: Option<FieldEdit>,
    /// What was set of its persons, by id.
    pub persons: HashMap<String, FieldEdit>,
    /// What a visit said.
    pub visit: Option<Visit>,
    /// An ID number, masked.
    pub id_number: Option<String>,
    /// The centre has said that a verified backup covers it.
    pub backed_up: bool,
    /// What its author can still do about it.
    pub remedies: Vec<Remedy>,
}

impl From<store::EditRow> for RefusedEdit {
    fn from(row: store::EditRow) -> Self {
        let mut edit = Self {
            may_be_note: row.may_be_note(),
            id: row.edit.to_string(),
            record: row.doc.map(|doc| doc.to_string()),
            title: row.title,
            made_ms: row.made_ms,
            delivery: row.delivery.into(),
            actions: row.kinds.into_iter().map(ActionKind::from).collect(),
            name: row.typed.as_ref().map(|typed| Words::from(typed.name())),
            fields: None,
            household: None,
            persons: HashMap::new(),
            visit: None,
            id_number: None,
            backed_up: row.backed_up,
            remedies: row.remedies.into_iter().map(Remedy::from).collect(),
        };
        match row.typed {
            Some(Typed::Actions { actions }) => edit.fields = actions.into_iter().next().map(|action| action.fields.into()),
            Some(Typed::Household { edits }) => edit.says(edits),
            Some(Typed::Visit { visit }) => edit.visit = Some(visit.into()),
            Some(Typed::IdNumber { masked }) => edit.id_number = Some(masked),
            None => {}
        }
        edit
    }
}

impl RefusedEdit {
    fn says(&mut self, edits: Vec<HouseholdEdit>) {
        let mut household = FieldEdit::default();
        for edit in edits {
            match edit {
                HouseholdEdit::Create(fields) => household.extend(fields),
                HouseholdEdit::Set(name, value) => household.extend([(name, value)]),
                HouseholdEdit::AddPerson(person, fields) => self.persons.entry(person.to_string()).or_default().extend(fields),
                HouseholdEdit::SetPerson(person, name, value) => self.persons.entry(person.to_string()).or_default().extend([(name, value)]),
            }
        }
        self.household = Some(household);
    }
}
