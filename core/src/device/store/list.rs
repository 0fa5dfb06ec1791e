//! Lists that screens ask for and the search: a page at a time, by key and never by offset.

use std::fmt::Write as _;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::own::{Delivery, DeliveryState, Standing};
use super::view::{CaseFilter, CaseOrder, CaseRow, Hit, HouseholdFilter, HouseholdRow, MAX_PAGE, Page, PageRequest, PageToken, VisitRow};
use super::{Lease, Store, StoreError, search};
use crate::domain::action::Severity;
use crate::domain::area::AreaCode;
use crate::domain::case::State;
use crate::domain::fact::{Visit, VisitKind, VisitResult};
use crate::domain::id::{DocId, FactId};
use crate::record::RecordKind;

pub(super) const CASE_COLUMNS: &str = "d.doc, c.state, c.open, c.severity, c.category, c.title, c.address, c.grid, c.number, c.due_ms, c.updated_ms, c.flags, c.mine, \
    c.assigned, d.delivery, d.reason, d.received_ms, c.n";
pub(super) const HOUSEHOLD_COLUMNS: &str =
    "d.doc, h.grid, h.address, h.head, h.phone, h.persons, h.care, h.masked, d.delivery, d.reason, d.received_ms, h.updated_ms, h.n";
const VISIT_COLUMNS: &str = "v.fact, v.household, v.kind, v.result, v.wall_ms, v.next_due_ms, o.status, o.reason, o.received_ms, v.n, f.body";

impl Store {
    /// Cases, a page at a time.
    ///
    /// # Errors
    /// Storage.
    pub fn cases(&self, filter: &CaseFilter, page: PageRequest) -> Result<Page<CaseRow>, StoreError> {
        let (sql, values) = cases(filter, page);
        self.inner.db.read(|db| paged(db, &sql, values, page, |row| Ok((case_row(row)?, PageToken { key: row.get(18)?, n: row.get(17)? }))))
    }

    /// Households, a page at a time, the latest change first.
    ///
    /// # Errors
    /// [`StoreError::RegistryLocked`] after the lease, or storage.
    pub fn households(&self, filter: &HouseholdFilter, page: PageRequest) -> Result<Page<HouseholdRow>, StoreError> {
        self.registry(|db| {
            let mut sql = format!("SELECT {HOUSEHOLD_COLUMNS} FROM households h JOIN documents d USING (n) WHERE 1");
            let mut values: Vec<Value> = Vec::new();
            if let Some(area) = filter.area {
                prefix(&mut sql, &mut values, "h.grid", &area.to_string());
            }
            if filter.care {
                sql.push_str(" AND h.care > 0");
            }
            keyset(&mut sql, &mut values, page, "h.updated_ms", "h.n", "<", "DESC");
            paged(db, &sql, values, page, |row| Ok((household_row(row)?, PageToken { key: row.get(11)?, n: row.get(12)? })))
        })
    }

    /// Visits, of one household or all, a page at a time, the latest first.
    ///
    /// # Errors
    /// [`StoreError::RegistryLocked`] after the lease, or storage.
    pub fn visits(&self, household: Option<DocId>, page: PageRequest) -> Result<Page<VisitRow>, StoreError> {
        self.registry(|db| visits(db, household, page))
    }

    /// Records whose names, addresses, titles, texts, phones or numbers match what was typed: Han characters as they stand, words and numbers from their
    /// beginning, long numbers also by their last four digits. The latest to arrive first.
    ///
    /// # Errors
    /// Storage.
    pub fn search(&self, typed: &str, page: PageRequest) -> Result<Page<Hit>, StoreError> {
        let Some(query) = search::query(typed) else {
            return Ok(Page { rows: Vec::new(), next: None });
        };
        self.inner.db.read(|db| {
            let locked = self.lease_in(db)? == Lease::ReportOnly;
            let limit = page.limit.clamp(1, MAX_PAGE);
            let before = page.after.map_or(i64::MAX, |after| after.n);
            let found = db
                .prepare_cached("SELECT search.rowid, d.kind FROM search JOIN documents d ON d.n = search.rowid WHERE search MATCH ?1 AND search.rowid < ?2 ORDER BY search.rowid DESC LIMIT ?3")?
                .query_map(params![query, before, limit + 1], |row| Ok((row.get::<_, i64>(0)?, RecordKind::from_code(row.get(1)?))))?
                .collect::<Result<Vec<_>, _>>()?;
            let shown = &found[..found.len().min(limit as usize)];
            let mut cases = db.prepare_cached(&format!("SELECT {CASE_COLUMNS} FROM cases c JOIN documents d USING (n) WHERE c.n = ?1"))?;
            let mut households = db.prepare_cached(&format!("SELECT {HOUSEHOLD_COLUMNS} FROM households h JOIN documents d USING (n) WHERE h.n = ?1"))?;
            let mut rows = Vec::with_capacity(shown.len());
            for (n, kind) in shown {
                match kind {
                    RecordKind::Case => rows.extend(cases.query_row([n], case_row).optional()?.map(Hit::Case)),
                    RecordKind::Household if !locked => rows.extend(households.query_row([n], household_row).optional()?.map(Hit::Household)),
                    _ => {}
                }
            }
            let next = (found.len() > shown.len()).then(|| PageToken { key: 0, n: shown.last().map_or(0, |(n, _)| *n) });
            Ok(Page { rows, next })
        })
    }
}

/// A page of cases: the query, and what is bound in it.
pub(super) fn cases(filter: &CaseFilter, page: PageRequest) -> (String, Vec<Value>) {
    let (key, direction, beyond) = match filter.order {
        CaseOrder::Updated => ("c.updated_ms", "DESC", "<"),
        CaseOrder::Due => ("c.due_ms", "ASC", ">"),
        CaseOrder::Today => ("c.today", "ASC", ">"),
    };
    let mut sql = format!("SELECT {CASE_COLUMNS}, {key} FROM cases c JOIN documents d USING (n) WHERE 1");
    let mut values: Vec<Value> = Vec::new();
    if let Some(state) = filter.state {
        bind(&mut sql, &mut values, "c.state =", i64::from(state.code()));
    }
    if let Some(open) = filter.open {
        bind(&mut sql, &mut values, "c.open =", i64::from(open));
    }
    if filter.mine {
        sql.push_str(" AND c.mine = 1");
    }
    if filter.assigned {
        sql.push_str(" AND c.assigned = 1");
    }
    if let Some(category) = &filter.category {
        prefix(&mut sql, &mut values, "c.category", category);
    }
    if let Some(area) = filter.area {
        prefix(&mut sql, &mut values, "c.grid", &area.to_string());
    }
    match filter.order {
        CaseOrder::Updated => {}
        CaseOrder::Due => sql.push_str(" AND c.open = 1 AND c.due_ms IS NOT NULL"),
        CaseOrder::Today => sql.push_str(" AND c.open = 1"),
    }
    keyset(&mut sql, &mut values, page, key, "c.n", beyond, direction);
    (sql, values)
}

pub(super) fn visits(db: &Connection, household: Option<DocId>, page: PageRequest) -> Result<Page<VisitRow>, StoreError> {
    let mut sql = format!("SELECT {VISIT_COLUMNS} FROM visits v JOIN facts f USING (fact) LEFT JOIN own o ON o.fact = v.fact AND o.status <> 8 WHERE 1");
    let mut values: Vec<Value> = Vec::new();
    if let Some(household) = household {
        bind(&mut sql, &mut values, "v.household =", household.as_bytes().to_vec());
    }
    keyset(&mut sql, &mut values, page, "v.wall_ms", "v.n", "<", "DESC");
    paged(db, &sql, values, page, |row| {
        let standing: Option<u8> = row.get(6)?;
        let state = standing.map_or(DeliveryState::Theirs, |code| Standing::from_code(code).delivery());
        let said: Option<Visit> = row.get::<_, Option<Vec<u8>>>(10)?.and_then(|body| minicbor::decode(&body).ok());
        let (needs, persons, cases) = said.map(|said| (said.needs, said.persons, said.cases)).unwrap_or_default();
        let visit = VisitRow {
            fact: FactId::from_bytes(row.get(0)?),
            household: row.get::<_, Option<[u8; 16]>>(1)?.map(DocId::from_bytes),
            kind: VisitKind::from_code(row.get(2)?),
            result: VisitResult::from_code(row.get(3)?),
            wall_ms: row.get(4)?,
            next_due_ms: row.get(5)?,
            needs,
            persons,
            cases,
            delivery: Delivery::from_columns(state.code(), row.get(7)?, row.get(8)?),
        };
        let token = PageToken { key: visit.wall_ms, n: row.get(9)? };
        Ok((visit, token))
    })
}

pub(super) fn case_row(row: &Row<'_>) -> Result<CaseRow, rusqlite::Error> {
    Ok(CaseRow {
        doc: DocId::from_bytes(row.get(0)?),
        state: State::from_code(row.get(1)?),
        open: row.get(2)?,
        severity: row.get::<_, Option<u8>>(3)?.map(Severity::from_code),
        category: row.get(4)?,
        title: row.get(5)?,
        address: row.get(6)?,
        grid: area(row, 7)?,
        number: row.get(8)?,
        due_ms: row.get(9)?,
        updated_ms: row.get(10)?,
        flags: row.get(11)?,
        mine: row.get(12)?,
        assigned: row.get(13)?,
        delivery: Delivery::from_columns(row.get(14)?, row.get(15)?, row.get(16)?),
    })
}

pub(super) fn household_row(row: &Row<'_>) -> Result<HouseholdRow, rusqlite::Error> {
    Ok(HouseholdRow {
        doc: DocId::from_bytes(row.get(0)?),
        grid: area(row, 1)?,
        address: row.get(2)?,
        head: row.get(3)?,
        phone: row.get(4)?,
        persons: row.get(5)?,
        care: row.get(6)?,
        masked: row.get(7)?,
        delivery: Delivery::from_columns(row.get(8)?, row.get(9)?, row.get(10)?),
    })
}

pub(super) fn area(row: &Row<'_>, column: usize) -> Result<Option<AreaCode>, rusqlite::Error> {
    Ok(row.get::<_, Option<String>>(column)?.and_then(|code| code.parse().ok()))
}

fn bind(sql: &mut String, values: &mut Vec<Value>, condition: &str, value: impl Into<Value>) {
    values.push(value.into());
    let _ = write!(sql, " AND {condition} ?{}", values.len());
}

/// Codes under a code: a range, so that an index serves it.
fn prefix(sql: &mut String, values: &mut Vec<Value>, column: &str, prefix: &str) {
    bind(sql, values, &format!("{column} >="), prefix.to_owned());
    bind(sql, values, &format!("{column} <"), format!("{prefix}:"));
}

fn keyset(sql: &mut String, values: &mut Vec<Value>, page: PageRequest, key: &str, n: &str, beyond: &str, direction: &str) {
    if let Some(after) = page.after {
        values.extend([Value::from(after.key), Value::from(after.n)]);
        let at = values.len();
        let _ = write!(sql, " AND ({key}, {n}) {beyond} (?{}, ?{at})", at - 1);
    }
    values.push(Value::from(i64::from(page.limit.clamp(1, MAX_PAGE)) + 1));
    let _ = write!(sql, " ORDER BY {key} {direction}, {n} {direction} LIMIT ?{}", values.len());
}

/// One row more than asked for says whether there is a next page.
fn paged<T>(
    db: &Connection,
    sql: &str,
    values: Vec<Value>,
    page: PageRequest,
    read: impl FnMut(&Row<'_>) -> Result<(T, PageToken), rusqlite::Error>,
) -> Result<Page<T>, StoreError> {
    let mut rows = db.prepare_cached(sql)?.query_map(params_from_iter(values), read)?.collect::<Result<Vec<_>, _>>()?;
    let limit = page.limit.clamp(1, MAX_PAGE) as usize;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|(_, token)| *token);
    Ok(Page { rows: rows.into_iter().map(|(row, _)| row).collect(), next })
}
