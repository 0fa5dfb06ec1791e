//! What screens ask of one record, and of the phone. A record is read from its folded JSON, and no document is loaded.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::list::{CASE_COLUMNS, HOUSEHOLD_COLUMNS, area, case_row, household_row, visits};
use super::own::{self, Delivery, OwnRow, Standing, UNDELIVERED};
use super::project::View;
use super::view::{CaseDetail, CaseRow, EditRow, HouseholdDetail, MAX_PAGE, Names, Page, PageRequest, PageToken, Status, StreamRow, Unsent, UnsentReason};
use super::{Store, StoreError, meta, parked, typed, witness};
use crate::domain::action::Action;
use crate::domain::case::{self, Case};
use crate::domain::id::{ActionId, DocId, FactId, Hash, OrgId, StreamId};
use crate::domain::policy::{Refusal, SALT_BYTES};
use crate::domain::time::Interval;
use crate::record::{Command, Record, RecordKind};
use crate::wire::sync::StreamKind;

impl Store {
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
            Ok(Some(CaseDetail { row, case, progress, received, possible, edits: rows(edits(db, Which::Of(doc))?), names, parked }))
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
            Ok(Some(HouseholdDetail { row, household, view, visits, edits: rows(edits(db, Which::Of(doc))?), parked }))
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
        self.inner.db.read(|db| Ok(rows(edits(db, Which::Of(doc))?)))
    }

    /// Own work that is not safe at the centre, or that a person has to decide about, oldest first.
    ///
    /// # Errors
    /// Storage.
    pub fn outbox(&self) -> Result<Vec<EditRow>, StoreError> {
        self.inner.db.read(|db| Ok(rows(edits(db, Which::Open)?)))
    }

    /// Everything that was typed on this phone, newest first, a page at a time: what it said, where it is, and what can still be done about it.
    ///
    /// # Errors
    /// Storage.
    pub fn history(&self, page: PageRequest) -> Result<Page<EditRow>, StoreError> {
        let limit = page.limit.clamp(1, MAX_PAGE);
        let before = page.after.map_or(i64::MAX, |after| after.n);
        self.inner.db.read(|db| {
            let mut found = edits(db, Which::Before(before, limit + 1))?;
            let more = found.len() > limit as usize;
            found.truncate(limit as usize);
            let next = found.last().filter(|_| more).map(|(n, _)| PageToken { key: 0, n: *n });
            Ok(Page { rows: rows(found), next })
        })
    }

    /// Own work that the centre does not have, and why.
    ///
    /// # Errors
    /// Storage.
    pub fn unsent(&self) -> Result<Unsent, StoreError> {
        self.inner.db.read(|db| {
            let counted = "SELECT count(*) FILTER (WHERE status IN (0, 1, 4, 10)), count(*) FILTER (WHERE status IN (6, 7)), max(status = 4)
                 FROM own INDEXED BY own_open WHERE status NOT IN (2, 8, 9)";
            let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, Option<bool>>(2)?.unwrap_or(false)));
            let (count, aside, to_redo) = db.prepare_cached(counted)?.query_row([], row)?;
            if count == 0 {
                return Ok(Unsent { aside, ..Unsent::default() });
            }
            let why = if meta::get(db, meta::REJECTED)?.is_some() {
                UnsentReason::NotTaken
            } else if meta::get(db, meta::RENEW)?.is_some() {
                UnsentReason::Rebuilding
            } else if to_redo {
                UnsentReason::Unreadable
            } else if db.prepare_cached("SELECT 1 FROM batches WHERE held = 1 AND void = 0 AND verdict_seq IS NULL")?.exists([])? {
                UnsentReason::NoReceipt
            } else {
                UnsentReason::NextSync
            };
            Ok(Unsent { count, why: Some(why), aside })
        })
    }

    /// How the phone stands with the centre.
    ///
    /// # Errors
    /// Storage.
    pub fn status(&self) -> Result<Status, StoreError> {
        self.inner.db.read(|db| {
            let mut counts = [0; 7];
            for (count, what) in counts.iter_mut().zip(counted()) {
                *count = db.prepare_cached(&what)?.query_row([], |row| row.get(0))?;
            }
            let [unsent, again, refused, received, parked, cases, households] = counts;
            let clock = meta::get(db, meta::CLOCK)?;
            let renew = meta::get(db, meta::RENEW)?;
            Ok(Status {
                unsent,
                again,
                refused,
                received,
                rebuilding: renew.is_some(),
                copied: renew == Some(meta::Renew::Copied),
                parked,
                parked_for: parked::parked(db)?,
                cases,
                households,
                contact_ms: clock.map(|clock| clock.contact_ms),
                server_ms: meta::get(db, meta::ANCHOR)?.map(|anchor| anchor.server_ms),
                safe_through: meta::get(db, meta::SAFE_THROUGH)?,
                awaits_approval: super::position::report_only(db)?,
                wiped: meta::get(db, meta::WIPED)?,
                lease: self.lease_in(db)?,
                streams: streams(db)?,
                split_views: witness::count(db)?,
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

    /// The grids that this phone works in, by code, with their names: one of them is a new household's. Known since enrolment; without a name yet, a grid is
    /// called by its code.
    ///
    /// # Errors
    /// Storage.
    pub fn grids(&self) -> Result<BTreeMap<String, String>, StoreError> {
        self.inner.db.read(|db| {
            Ok(db
                .prepare_cached(
                    "SELECT s.area, coalesce(r.name, s.area) FROM streams s LEFT JOIN reference r ON r.kind = 0 AND r.key = s.area WHERE s.kind = ?1 AND s.area IS NOT NULL",
                )?
                .query_map([StreamKind::Grid.code()], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?)
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
            Some(document) if !document.is_bare() => document.record().map(|(record, _)| Some(record.into_owned())).map_err(|_| StoreError::Damaged),
            Some(_) | None => Ok(None),
        })
    }
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

/// What the status counts, in its order. Each by an index: it is looked at after every save, and `own` is all that the phone ever wrote.
pub(super) fn counted() -> [String; 7] {
    [
        &format!("own WHERE status IN {UNDELIVERED} AND status NOT IN (2, 8, 9)"),
        "own WHERE status = 10 AND status NOT IN (2, 8, 9)",
        "own WHERE status IN (3, 5) AND status NOT IN (2, 8, 9)",
        "own WHERE status = 2",
        "documents WHERE parked IS NOT NULL",
        "cases",
        "households",
    ]
    .map(|what| format!("SELECT count(*) FROM {what}"))
}

/// Which own edits.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    /// Of a record, oldest first.
    Of(DocId),
    /// All that are open, oldest first.
    Open,
    /// All, newest first, before a row.
    Before(i64, u32),
}

/// What own edits are read by, and what is bound in it. Without the index's name SQLite would rather read all that was ever written, to have it in order.
pub(super) fn edited(which: Which) -> (String, Vec<Value>) {
    let (rows, order, values) = match which {
        Which::Of(doc) => ("own WHERE doc = ?1 AND status <> 8", "n", vec![Value::from(doc.as_bytes().to_vec())]),
        Which::Open => ("own INDEXED BY own_open WHERE status NOT IN (2, 8, 9)", "n", Vec::new()),
        Which::Before(n, limit) => ("own WHERE n < ?1", "n DESC LIMIT ?2", vec![Value::from(n), Value::from(limit)]),
    };
    let backed_up = "(SELECT safe_ms IS NOT NULL FROM batches WHERE batches.n = own.batch)";
    (format!("SELECT {}, reason, received_ms, {backed_up} FROM {rows} ORDER BY {order}", own::COLUMNS), values)
}

/// Own edits with everything that became of them, and the rows that they are.
fn edits(db: &Connection, which: Which) -> Result<Vec<(i64, EditRow)>, StoreError> {
    const AFTER: usize = own::WIDTH;
    let (query, values) = edited(which);
    let rows = db
        .prepare_cached(&query)?
        .query_map(params_from_iter(values), |row| {
            let (reason, received_ms): (Option<u8>, Option<i64>) = (row.get(AFTER)?, row.get(AFTER + 1)?);
            Ok((OwnRow::read(row)?, reason, received_ms, row.get::<_, Option<bool>>(AFTER + 2)?.unwrap_or(false)))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    let mut titled = db.prepare_cached(
        "SELECT coalesce(c.title, c.address, h.address) FROM documents d LEFT JOIN cases c USING (n) LEFT JOIN households h USING (n) WHERE d.doc = ?1",
    )?;
    rows.into_iter()
        .map(|(row, reason, received_ms, safe)| {
            let found = titled.query_row([row.doc.map(|doc| *doc.as_bytes())], |row| row.get::<_, Option<String>>(0)).optional()?;
            let (there, title) = (found.is_some(), found.flatten());
            let actions: Vec<Action> = match row.command.as_deref().map(meta::decode::<Command>).transpose()? {
                Some(Command::Act(actions)) => actions,
                _ => Vec::new(),
            };
            let words = reason.map(|reason| Refusal::from_code(reason).words()).map(|(zh, en)| (zh.to_owned(), en.to_owned()));
            let typed = typed::of_row(db, &row)?;
            let remedies = typed::remedies(&row, typed.as_ref(), there);
            let edit = EditRow {
                edit: row.edit,
                doc: row.doc,
                title,
                fact: row.fact,
                made_ms: row.made_ms,
                delivery: Delivery::from_columns(row.standing.delivery().code(), reason, received_ms),
                kinds: actions.iter().map(|action| action.kind).collect(),
                actions: actions.iter().map(|action| ActionId::of(&action.to_bytes())).collect(),
                words,
                typed,
                backed_up: safe && row.standing == Standing::Received,
                remedies,
            };
            Ok((row.n, edit))
        })
        .collect()
}

fn rows(edits: Vec<(i64, EditRow)>) -> Vec<EditRow> {
    edits.into_iter().map(|(_, edit)| edit).collect()
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
