//! What screens ask. Lists are paged by key, never by offset; a record is read from its folded JSON, and no document is loaded.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::own::{self, Delivery, DeliveryState, OwnRow, Standing, UNDELIVERED};
use super::project::View;
use super::{Lease, Store, StoreError, meta, search};
use crate::domain::action::{Action, Severity};
use crate::domain::area::AreaCode;
use crate::domain::case::{self, Case, State};
use crate::domain::fact::{VisitKind, VisitResult};
use crate::domain::id::{ActionId, DocId, FactId, Hash, OrgId, StreamId};
use crate::domain::policy::{Refusal, SALT_BYTES};
use crate::domain::time::Interval;
use crate::record::{Command, Record, RecordKind};
use crate::wire::sync::StreamKind;

use super::view::{
    CaseDetail, CaseFilter, CaseOrder, CaseRow, EditRow, Hit, HouseholdDetail, HouseholdFilter, HouseholdRow, MAX_PAGE, Names, Page, PageRequest, PageToken,
    Status, StreamRow, VisitRow,
};

const CASE_COLUMNS: &str = "d.doc, c.state, c.open, c.severity, c.category, c.title, c.address, c.grid, c.number, c.due_ms, c.updated_ms, c.flags, c.mine, \
    c.assigned, d.delivery, d.reason, d.received_ms, c.n";
const HOUSEHOLD_COLUMNS: &str =
    "d.doc, h.grid, h.address, h.head, h.phone, h.persons, h.care, h.masked, d.delivery, d.reason, d.received_ms, h.updated_ms, h.n";
const VISIT_COLUMNS: &str = "v.fact, v.household, v.kind, v.result, v.wall_ms, v.next_due_ms, o.status, o.reason, o.received_ms, v.n";

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

    /// A case with all that its screen shows.
    ///
    /// # Errors
    /// Storage.
    pub fn case(&self, doc: DocId) -> Result<Option<CaseDetail>, StoreError> {
        let identity = self.enrolled();
        self.inner.db.read(|db| {
            let found = db
                .prepare_cached(&format!("SELECT {CASE_COLUMNS}, d.view, d.parked IS NOT NULL FROM cases c JOIN documents d USING (n) WHERE d.doc = ?1"))?
                .query_row([doc.as_bytes()], |row| Ok((case_row(row)?, row.get::<_, Option<Vec<u8>>>(18)?, row.get::<_, bool>(19)?)))
                .optional()?;
            let Some((row, view, parked)) = found else {
                return Ok(None);
            };
            let case = folded(db, doc)?;
            let progress = match view.as_deref().and_then(View::read) {
                Some(View::Progress(progress)) => Some(progress),
                _ => None,
            };
            let received = db
                .prepare_cached("SELECT action, earliest_ms, latest_ms FROM actions WHERE doc = ?1 AND latest_ms IS NOT NULL")?
                .query_map([doc.as_bytes()], |row| Ok((ActionId(row.get(0)?), Interval { earliest_ms: row.get(1)?, latest_ms: row.get(2)? })))?
                .collect::<Result<_, _>>()?;
            let possible = match (&case, &identity) {
                (Some(case), Some(identity)) => case::possible(case, &identity.grant.author()),
                _ => Vec::new(),
            };
            let names = case.as_ref().map(|case| names_in(db, case, &row)).transpose()?.unwrap_or_default();
            Ok(Some(CaseDetail { row, case, progress, received, possible, edits: edits(db, Some(doc))?, names, parked }))
        })
    }

    /// A household with all that its screen shows.
    ///
    /// # Errors
    /// [`StoreError::RegistryLocked`] after the lease, or storage.
    pub fn household(&self, doc: DocId) -> Result<Option<HouseholdDetail>, StoreError> {
        self.registry(|db| {
            let found = db
                .prepare_cached(&format!(
                    "SELECT {HOUSEHOLD_COLUMNS}, d.view, d.parked IS NOT NULL FROM households h JOIN documents d USING (n) WHERE d.doc = ?1"
                ))?
                .query_row([doc.as_bytes()], |row| Ok((household_row(row)?, row.get::<_, Option<Vec<u8>>>(13)?, row.get::<_, bool>(14)?)))
                .optional()?;
            let Some((row, view, parked)) = found else {
                return Ok(None);
            };
            let household = detail(db, doc)?;
            let view = match view.as_deref().and_then(View::read) {
                Some(View::Household(view)) => Some(view),
                _ => None,
            };
            let visits = visits(db, Some(doc), PageRequest::first(20))?.rows;
            Ok(Some(HouseholdDetail { row, household, view, visits, edits: edits(db, Some(doc))?, parked }))
        })
    }

    /// A sensitive value (S3) that a household names; `None` when it is not here or was erased. Reading it is to be logged as a reveal by whoever shows it.
    ///
    /// # Errors
    /// [`StoreError::RegistryLocked`] after the lease, or storage.
    pub fn sensitive_value(&self, id: FactId) -> Result<Option<String>, StoreError> {
        self.registry(|db| {
            let body: Option<Vec<u8>> =
                db.prepare_cached("SELECT body FROM facts WHERE fact = ?1 AND kind = 2")?.query_row([id.as_bytes()], |row| row.get(0)).optional()?.flatten();
            Ok(body.and_then(|body| String::from_utf8(body.get(SALT_BYTES..)?.to_vec()).ok()))
        })
    }

    /// Own work on a record with what became of it, oldest first; also when the record has left this phone.
    ///
    /// # Errors
    /// Storage.
    pub fn edits(&self, doc: DocId) -> Result<Vec<EditRow>, StoreError> {
        self.inner.db.read(|db| edits(db, Some(doc)))
    }

    /// Own work that is not safe at the centre, or that a person has to decide about, oldest first.
    ///
    /// # Errors
    /// Storage.
    pub fn outbox(&self) -> Result<Vec<EditRow>, StoreError> {
        self.inner.db.read(|db| edits(db, None))
    }

    /// How the phone stands with the centre.
    ///
    /// # Errors
    /// Storage.
    pub fn status(&self) -> Result<Status, StoreError> {
        self.inner.db.read(|db| {
            let count = |sql: &str| db.prepare_cached(sql)?.query_row([], |row| row.get::<_, u32>(0));
            let clock = meta::get(db, meta::CLOCK)?;
            let renew = meta::get(db, meta::RENEW)?;
            Ok(Status {
                unsent: count(&format!("SELECT count(*) FROM own WHERE status IN {UNDELIVERED} AND status NOT IN (2, 8, 9)"))?,
                again: count("SELECT count(*) FROM own WHERE status = 10 AND status NOT IN (2, 8, 9)")?,
                refused: count("SELECT count(*) FROM own WHERE status IN (3, 5) AND status NOT IN (2, 8, 9)")?,
                received: count("SELECT count(*) FROM own WHERE status = 2")?,
                rebuilding: renew.is_some(),
                copied: renew == Some(meta::Renew::Copied),
                parked: count("SELECT count(*) FROM documents WHERE parked IS NOT NULL")?,
                cases: count("SELECT count(*) FROM cases")?,
                households: count("SELECT count(*) FROM households")?,
                contact_ms: clock.map(|clock| clock.contact_ms),
                server_ms: meta::get(db, meta::ANCHOR)?.map(|anchor| anchor.server_ms),
                safe_through: meta::get(db, meta::SAFE_THROUGH)?,
                lease: self.lease_in(db)?,
                streams: streams(db)?,
            })
        })
    }

    /// Names for codes and ids, as the streams brought them.
    ///
    /// # Errors
    /// Storage.
    pub fn names(&self) -> Result<Names, StoreError> {
        self.inner.db.read(|db| {
            let mut names = Names::default();
            let mut statement = db.prepare_cached("SELECT kind, key, name FROM reference")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let map = match row.get::<_, u8>(0)? {
                    0 => &mut names.areas,
                    1 => &mut names.orgs,
                    _ => &mut names.people,
                };
                map.insert(row.get(1)?, row.get(2)?);
            }
            Ok(names)
        })
    }

    /// An organisation's name.
    ///
    /// # Errors
    /// Storage.
    pub fn org_name(&self, org: OrgId) -> Result<Option<String>, StoreError> {
        self.inner.db.read(|db| {
            Ok(db.prepare_cached("SELECT name FROM reference WHERE kind = 1 AND key = ?1")?.query_row([org.to_string()], |row| row.get(0)).optional()?)
        })
    }

    /// Every record on this phone with its kind, in the order in which they came.
    ///
    /// # Errors
    /// Storage.
    pub fn records(&self) -> Result<Vec<(DocId, RecordKind)>, StoreError> {
        self.inner.db.read(|db| {
            Ok(db
                .prepare_cached("SELECT doc, kind FROM documents WHERE length(changes) > 0 OR doc IN (SELECT doc FROM own WHERE raw IS NOT NULL) ORDER BY n")?
                .query_map([], |row| Ok((DocId::from_bytes(row.get(0)?), RecordKind::from_code(row.get(1)?))))?
                .collect::<Result<_, _>>()?)
        })
    }

    /// The record as a document, own work included, for export and for checks.
    ///
    /// # Errors
    /// Storage; [`StoreError::Damaged`] when this version cannot read it.
    pub fn record(&self, doc: DocId) -> Result<Option<Record>, StoreError> {
        self.inner.db.read(|db| match super::document::Document::find(db, doc)? {
            // A row of which only a view is here holds nothing.
            Some(document) if !document.is_bare() => document.record().map(|(record, _)| Some(record)).map_err(|_| StoreError::Damaged),
            Some(_) | None => Ok(None),
        })
    }

    /// Households are locked after the lease.
    fn registry<T>(&self, f: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.inner.db.read(|db| match self.lease_in(db)? {
            Lease::Open(_) => f(db),
            Lease::ReportOnly => Err(StoreError::RegistryLocked),
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

/// The folded case.
pub(super) fn folded(db: &Connection, doc: DocId) -> Result<Option<Case>, StoreError> {
    detail(db, doc)
}

/// The names of those whom a case's screen shows.
fn names_in(db: &Connection, case: &Case, row: &CaseRow) -> Result<Names, StoreError> {
    let mut statement = db.prepare_cached("SELECT name FROM reference WHERE kind = ?1 AND key = ?2")?;
    let mut find = |kind: u8, keys: BTreeSet<String>| {
        let mut found = BTreeMap::new();
        for key in keys {
            if let Some(name) = statement.query_row(params![kind, key], |row| row.get(0)).optional()? {
                found.insert(key, name);
            }
        }
        Ok::<_, StoreError>(found)
    };
    let actions = || case.history.iter().map(|entry| &entry.action);
    let orgs = actions().flat_map(|action| [action.author.org, action.fields.org]).chain(case.assignments.iter().map(|given| given.org));
    let people = actions().flat_map(|action| [Some(action.author.user), action.fields.person]).chain(case.assignments.iter().map(|given| given.person));
    Ok(Names {
        areas: find(0, row.grid.iter().map(ToString::to_string).collect())?,
        orgs: find(1, orgs.flatten().map(|id| id.to_string()).collect())?,
        people: find(2, people.flatten().map(|id| id.to_string()).collect())?,
    })
}

fn detail<T: serde::de::DeserializeOwned>(db: &Connection, doc: DocId) -> Result<Option<T>, StoreError> {
    let body: Option<Vec<u8>> = db
        .prepare_cached("SELECT t.body FROM details t JOIN documents d USING (n) WHERE d.doc = ?1")?
        .query_row([doc.as_bytes()], |row| row.get(0))
        .optional()?;
    body.map(|body| serde_json::from_slice(&body).map_err(|_| StoreError::Damaged)).transpose()
}

fn visits(db: &Connection, household: Option<DocId>, page: PageRequest) -> Result<Page<VisitRow>, StoreError> {
    let mut sql = format!("SELECT {VISIT_COLUMNS} FROM visits v LEFT JOIN own o ON o.fact = v.fact AND o.status <> 8 WHERE 1");
    let mut values: Vec<Value> = Vec::new();
    if let Some(household) = household {
        bind(&mut sql, &mut values, "v.household =", household.as_bytes().to_vec());
    }
    keyset(&mut sql, &mut values, page, "v.wall_ms", "v.n", "<", "DESC");
    paged(db, &sql, values, page, |row| {
        let standing: Option<u8> = row.get(6)?;
        let state = standing.map_or(DeliveryState::Theirs, |code| Standing::from_code(code).delivery());
        let visit = VisitRow {
            fact: FactId::from_bytes(row.get(0)?),
            household: row.get::<_, Option<[u8; 16]>>(1)?.map(DocId::from_bytes),
            kind: VisitKind::from_code(row.get(2)?),
            result: VisitResult::from_code(row.get(3)?),
            wall_ms: row.get(4)?,
            next_due_ms: row.get(5)?,
            delivery: Delivery::from_columns(state.code(), row.get(7)?, row.get(8)?),
        };
        let token = PageToken { key: visit.wall_ms, n: row.get(9)? };
        Ok((visit, token))
    })
}

/// Own edits of a record with everything that became of them; without one, all that is open.
fn edits(db: &Connection, doc: Option<DocId>) -> Result<Vec<EditRow>, StoreError> {
    let which = match doc {
        Some(_) => "doc = ?1 AND status <> 8",
        None => "?1 IS NULL AND status NOT IN (2, 8, 9)",
    };
    let rows = db
        .prepare_cached(&format!("SELECT {}, reason, received_ms FROM own WHERE {which} ORDER BY n", own::COLUMNS))?
        .query_map([doc.map(|doc| *doc.as_bytes())], |row| Ok((OwnRow::read(row)?, row.get::<_, Option<u8>>(11)?, row.get::<_, Option<i64>>(12)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    let mut titled = db.prepare_cached(
        "SELECT coalesce(c.title, c.address, h.address) FROM documents d LEFT JOIN cases c USING (n) LEFT JOIN households h USING (n) WHERE d.doc = ?1",
    )?;
    rows.into_iter()
        .map(|(row, reason, received_ms)| {
            let title = titled.query_row([row.doc.map(|doc| *doc.as_bytes())], |row| row.get::<_, Option<String>>(0)).optional()?.flatten();
            let actions: Vec<Action> = match row.command.as_deref().map(meta::decode::<Command>).transpose()? {
                Some(Command::Act(actions)) => actions,
                _ => Vec::new(),
            };
            let words = reason.map(|reason| Refusal::from_code(reason).words()).map(|(zh, en)| (zh.to_owned(), en.to_owned()));
            Ok(EditRow {
                edit: row.edit,
                doc: row.doc,
                title,
                fact: row.fact,
                made_ms: row.made_ms,
                delivery: Delivery::from_columns(row.standing.delivery().code(), reason, received_ms),
                kinds: actions.iter().map(|action| action.kind).collect(),
                actions: actions.iter().map(|action| ActionId::of(&action.to_bytes())).collect(),
                words,
            })
        })
        .collect()
}

fn streams(db: &Connection) -> Result<Vec<StreamRow>, StoreError> {
    Ok(db
        .prepare_cached("SELECT stream, kind, area, seq, chain FROM streams ORDER BY stream")?
        .query_map([], |row| {
            Ok(StreamRow {
                stream: StreamId::from_bytes(row.get(0)?),
                kind: StreamKind::from_code(row.get(1)?),
                area: area(row, 2)?,
                seq: u64::try_from(row.get::<_, i64>(3)?).unwrap_or_default(),
                chain: Hash(row.get(4)?),
            })
        })?
        .collect::<Result<_, _>>()?)
}

fn case_row(row: &Row<'_>) -> Result<CaseRow, rusqlite::Error> {
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

fn household_row(row: &Row<'_>) -> Result<HouseholdRow, rusqlite::Error> {
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

fn area(row: &Row<'_>, column: usize) -> Result<Option<AreaCode>, rusqlite::Error> {
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
