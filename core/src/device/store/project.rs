//! Projections: from a merged record to the rows that lists, screens and search are answered from.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::document::Document;
use super::observe::Touched;
use super::{Context, StoreError, meta, outbox, own, rebuild, search, typed};
use crate::domain::action::{Action, ActionKind};
use crate::domain::case::{self, AssignmentStatus, Case, CaseFacts};
use crate::domain::fact::{Body, Fact, FactKind, Visit};
use crate::domain::household::{self, Household};
use crate::domain::id::{ActionId, DocId, FactId};
use crate::domain::mask::{CaseProgress, HouseholdView};
use crate::domain::server_fact::{CaseNumber, StandsFor};
use crate::domain::time::Interval;
use crate::record::{Command, Content, Record, RecordKind};
use crate::wire::limits;

/// What the server shows of a record that the device does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum View {
    Household(HouseholdView),
    Progress(CaseProgress),
}

impl View {
    /// Reads a view's body. The two kinds share no set of required fields, so one never passes for the other.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        minicbor::decode(body).map(Self::Household).or_else(|_| minicbor::decode(body).map(Self::Progress)).ok()
    }

    pub(super) const fn record(&self) -> (DocId, RecordKind) {
        match self {
            Self::Household(view) => (view.household, RecordKind::Household),
            Self::Progress(progress) => (progress.case, RecordKind::Case),
        }
    }
}

/// Writes a record's projections. Own work that no longer fits over the base asks for a rebuild.
pub(super) fn document(db: &Connection, context: &Context, document: &Document, touched: &mut Touched) -> Result<(), StoreError> {
    touched.status = true;
    delivery(db, document.id, touched)?;
    let Ok((record, whole)) = document.record() else {
        return Ok(());
    };
    if !whole {
        rebuild::set_renew(db, meta::Renew::Refused)?;
    }
    written(db, context, document, &record, touched)
}

/// Writes the projections of a record, if it is here.
pub(super) fn again(db: &Connection, context: &Context, doc: Option<DocId>, touched: &mut Touched) -> Result<(), StoreError> {
    match doc.map(|doc| Document::find(db, doc)).transpose()?.flatten() {
        Some(found) => document(db, context, &found, touched),
        None => Ok(()),
    }
}

/// Writes the projections of a record that is loaded already, own work included.
pub(super) fn written(db: &Connection, context: &Context, document: &Document, record: &Record, touched: &mut Touched) -> Result<(), StoreError> {
    let undecided = typed::undecided(db, document.id)?;
    let texts = typed::texts(&undecided);
    match record.read() {
        Content::Case(mut actions) => {
            touched.cases = true;
            if actions.is_empty() {
                actions = refused(db, document.id)?;
            }
            if !actions.is_empty() {
                let facts = case_facts(db, document.id, actions.keys())?;
                let folded = case::fold(document.id, &actions, &facts);
                case_row(db, context, document.n, document.id, &folded, &facts, &texts)?;
            }
        }
        Content::Household(mut household) => {
            touched.households = true;
            if household.fields.is_empty() && household.persons.is_empty() {
                household = typed::household(&undecided);
            }
            if !household.fields.is_empty() || !household.persons.is_empty() {
                household_row(db, context, document.n, &household, &texts)?;
            }
        }
    }
    Ok(())
}

/// Writes where a record's own work is.
pub(super) fn delivery(db: &Connection, doc: DocId, touched: &mut Touched) -> Result<(), StoreError> {
    let delivery = own::of_record(db, doc)?;
    db.prepare_cached(
        "UPDATE documents SET delivery = ?2, reason = ?3, received_ms = ?4 WHERE doc = ?1 AND (delivery, reason, received_ms) IS NOT (?2, ?3, ?4)",
    )?
    .execute(params![doc.as_bytes(), delivery.state.code(), delivery.reason.map(|reason| reason.code()), delivery.received_ms])?;
    *touched = Touched { cases: true, households: true, visits: true, status: true, ..*touched };
    Ok(())
}

/// Writes the row that the server derived and masked.
pub(super) fn view(db: &Connection, view: &View, body: &[u8], touched: &mut Touched) -> Result<(), StoreError> {
    let (doc, kind) = view.record();
    db.prepare_cached("INSERT INTO documents (doc, kind, view) VALUES (?1, ?2, ?3) ON CONFLICT (doc) DO UPDATE SET view = excluded.view")?.execute(params![
        doc.as_bytes(),
        kind.code(),
        body
    ])?;
    let (n, held): (i64, bool) =
        db.prepare_cached("SELECT n, length(changes) > 0 FROM documents WHERE doc = ?1")?.query_row([doc.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    match view {
        View::Household(view) if !held => {
            touched.households = true;
            db.prepare_cached(
                "INSERT INTO households (n, grid, address, head, phone, persons, care, masked, updated_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, 0)
                 ON CONFLICT (n) DO UPDATE SET grid = excluded.grid, address = excluded.address, head = excluded.head, phone = excluded.phone,
                     persons = excluded.persons, care = excluded.care, masked = 1",
            )?
            .execute(params![n, view.grid.map(|grid| grid.to_string()), view.address, view.name, view.phone, view.persons, view.care])?;
            search::index(db, n, &[view.address.as_deref().unwrap_or_default(), view.name.as_deref().unwrap_or_default()])?;
        }
        View::Household(_) => {}
        View::Progress(progress) => {
            touched.cases = true;
            // The server's fold knows actions that this device may not read: its word stands over the device's own fold.
            progress_row(db, n, progress)?;
        }
    }
    Ok(())
}

/// Writes a visit's row.
pub(super) fn visit(db: &Connection, fact: &Fact, visit: &Visit, touched: &mut Touched) -> Result<(), StoreError> {
    touched.visits = true;
    db.prepare_cached(
        "INSERT INTO visits (fact, household, kind, result, wall_ms, next_due_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (fact) DO NOTHING",
    )?
    .execute(params![
        fact.id.as_bytes(),
        fact.subject.map(|subject| *subject.as_bytes()),
        visit.kind.code(),
        visit.result.code(),
        fact.at.wall_ms,
        visit.next_due_ms
    ])?;
    Ok(())
}

/// What the server's facts say about a case. Of two numbers, which only a restored server gives, the later holds: ids are in the order of its clock.
pub(super) fn case_facts<'a>(db: &Connection, doc: DocId, actions: impl Iterator<Item = &'a ActionId>) -> Result<CaseFacts, StoreError> {
    let mut facts = CaseFacts::default();
    let mut statement = db.prepare_cached("SELECT kind, body FROM facts WHERE subject = ?1 AND kind IN (102, 109) AND body IS NOT NULL ORDER BY fact")?;
    let mut rows = statement.query([doc.as_bytes()])?;
    while let Some(row) = rows.next()? {
        let body: Vec<u8> = row.get(1)?;
        match FactKind::from_code(row.get(0)?) {
            FactKind::CaseNumber => facts.number = minicbor::decode::<CaseNumber>(&body).ok().map(|fact| limits::shown(&fact.number)).or(facts.number),
            FactKind::StandsFor => facts.stands_for.extend(minicbor::decode::<StandsFor>(&body).map(|fact| fact.actions).unwrap_or_default()),
            _ => {}
        }
    }
    // Of an action that is new in this case: its receipt that came first, or what is known of an equal action in another case.
    // Each is looked up by the whole key: any number of cases may share an action, and sorting them all was quadratic.
    let mut known = db.prepare_cached(
        "SELECT doc, earliest_ms, latest_ms FROM actions WHERE action = ?1 AND doc = ?2
         UNION ALL SELECT doc, earliest_ms, latest_ms FROM actions WHERE action = ?1 AND doc = x''
         UNION ALL SELECT * FROM (SELECT doc, earliest_ms, latest_ms FROM actions WHERE action = ?1 LIMIT 1)
         LIMIT 1",
    )?;
    let mut name = db.prepare_cached("UPDATE actions SET doc = ?2 WHERE action = ?1 AND doc = x''")?;
    let mut put = db.prepare_cached("INSERT INTO actions (action, doc, earliest_ms, latest_ms) VALUES (?1, ?2, ?3, ?4)")?;
    for id in actions {
        let row = known
            .query_row(params![id.0, doc.as_bytes()], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Option<i64>>(1)?.zip(row.get::<_, Option<i64>>(2)?))))
            .optional()?;
        let (of, received) = row.unzip();
        let received = received.flatten();
        match of.as_deref() {
            Some(of) if of == doc.as_bytes() => {}
            Some([]) => drop(name.execute(params![id.0, doc.as_bytes()])?),
            Some(_) | None => drop(put.execute(params![id.0, doc.as_bytes(), received.map(|(earliest, _)| earliest), received.map(|(_, latest)| latest)])?),
        }
        if let Some((earliest_ms, latest_ms)) = received {
            facts.received.insert(*id, Interval { earliest_ms, latest_ms });
        }
    }
    Ok(facts)
}

/// The actions of a case of which nothing is left but what was refused: it stays visible, with its reason.
fn refused(db: &Connection, doc: DocId) -> Result<BTreeMap<ActionId, Action>, StoreError> {
    let commands = db
        .prepare_cached("SELECT command FROM own WHERE doc = ?1 AND status IN (3, 5) AND command IS NOT NULL ORDER BY n")?
        .query_map([doc.as_bytes()], |row| row.get::<_, Vec<u8>>(0))?
        .collect::<Result<Vec<_>, _>>()?;
    let mut actions = BTreeMap::new();
    for command in commands {
        if let Command::Act(acts) = meta::decode(&command)? {
            actions.extend(acts.into_iter().map(|action| (ActionId::of(&action.to_bytes()), action)));
        }
    }
    Ok(actions)
}

fn case_row(db: &Connection, context: &Context, n: i64, doc: DocId, case: &Case, facts: &CaseFacts, undecided: &[String]) -> Result<(), StoreError> {
    let (number, received) = (facts.number.as_deref(), &facts.received);
    let header = &case.header;
    let address = header.place.as_ref().and_then(|place| place.address.as_deref());
    let report = case.history.iter().find(|entry| entry.action.kind == ActionKind::Report).map(|entry| &entry.action);
    let grant = context.identity.as_ref().map(|identity| &identity.grant);
    let mine = grant.is_some_and(|grant| report.is_some_and(|report| report.author.user == grant.user));
    let assigned = grant.is_some_and(|grant| {
        case.assignments
            .iter()
            .filter(|assignment| is_live(assignment.status))
            .any(|assignment| assignment.person == Some(grant.user) || (assignment.person.is_none() && assignment.org.is_some() && assignment.org == grant.org))
    });
    let due = case.assignments.iter().filter(|assignment| is_live(assignment.status)).filter_map(|assignment| assignment.due_ms).min();
    // What the server knows of the time stands over what its author's clock claimed.
    let known = |id, claimed: i64| match received.get(id) {
        Some(Interval { earliest_ms, latest_ms }) => claimed.max(*earliest_ms).min(*latest_ms),
        None => claimed,
    };
    let updated = case.history.iter().map(|entry| known(&entry.id, entry.action.at.wall_ms)).max().unwrap_or_default();
    let flags = case.flags.iter().filter(|flag| flag.level == case::FlagLevel::Must).count();
    db.prepare_cached(
        "INSERT INTO cases (n, state, open, custody, severity, category, title, address, grid, number, due_ms, reported_ms, updated_ms, flags, mine, assigned)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
         ON CONFLICT (n) DO UPDATE SET state = excluded.state, open = excluded.open, custody = excluded.custody, severity = excluded.severity,
             category = excluded.category, title = excluded.title, address = excluded.address, grid = excluded.grid,
             number = coalesce(excluded.number, number), due_ms = excluded.due_ms, reported_ms = excluded.reported_ms, updated_ms = excluded.updated_ms,
             flags = excluded.flags, mine = excluded.mine, assigned = excluded.assigned",
    )?
    .execute(params![
        n,
        case.state.code(),
        !case.state.is_end() || case.reopen_pending,
        level_name(case),
        header.severity.map(|severity| severity.code()),
        header.category,
        header.title,
        address,
        header.grid.map(|grid| grid.to_string()),
        number,
        due,
        report.map(|report| report.at.wall_ms),
        updated,
        i64::try_from(flags).unwrap_or(i64::MAX),
        mine,
        assigned
    ])?;
    detail(db, n, case)?;
    let id = doc.to_string();
    let words = case.history.iter().filter_map(|entry| entry.action.fields.text.as_deref());
    let mut texts = vec![
        number.unwrap_or_default(),
        header.title.as_deref().unwrap_or_default(),
        address.unwrap_or_default(),
        header.category.as_deref().unwrap_or_default(),
        // What the phone shows before the number is given (`domain.md` §7).
        &id[id.len() - 6..],
    ];
    texts.extend(words);
    texts.extend(undecided.iter().map(String::as_str));
    search::index(db, n, &texts)?;
    let body: Option<Vec<u8>> = db.prepare_cached("SELECT view FROM documents WHERE n = ?1")?.query_row([n], |row| row.get(0))?;
    if let Some(View::Progress(progress)) = body.as_deref().and_then(View::read) {
        progress_row(db, n, &progress)?;
    }
    Ok(())
}

fn progress_row(db: &Connection, n: i64, progress: &CaseProgress) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT INTO cases (n, state, open, custody, number, updated_ms, flags, mine, assigned) VALUES (?1, ?2, ?3, '', ?4, ?5, 0, 1, 0)
         ON CONFLICT (n) DO UPDATE SET state = excluded.state, open = excluded.open, number = coalesce(excluded.number, number),
             updated_ms = max(updated_ms, excluded.updated_ms)",
    )?
    .execute(params![n, progress.state.code(), !progress.state.is_end(), progress.number, progress.updated_ms])?;
    Ok(())
}

fn household_row(db: &Connection, context: &Context, n: i64, household: &Household, undecided: &[String]) -> Result<(), StoreError> {
    let address: String = ["address", "building", "unit", "room"].iter().filter_map(|field| household.text(field)).collect();
    let care = household.living().filter(|(_, person)| household::needs_care(person)).count();
    db.prepare_cached(
        "INSERT INTO households (n, grid, address, head, phone, persons, care, masked, updated_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8)
         ON CONFLICT (n) DO UPDATE SET grid = excluded.grid, address = excluded.address, head = excluded.head, phone = excluded.phone,
             persons = excluded.persons, care = excluded.care, masked = 0, updated_ms = excluded.updated_ms",
    )?
    .execute(params![
        n,
        household.text("grid"),
        address,
        household.head_name(),
        household.head_phone(),
        household.living().count() as u64,
        care as u64,
        context.now_ms
    ])?;
    detail(db, n, household)?;
    let named = ["contact", "phone", "label", "note"].iter().filter_map(|field| household.text(field));
    let people = household.persons.values().flat_map(|person| ["name", "phone", "work"].into_iter().filter_map(|field| household::text(person, field)));
    let undecided = undecided.iter().map(String::as_str);
    let texts: Vec<&str> = std::iter::once(address.as_str()).chain(named).chain(people).chain(undecided).collect();
    search::index(db, n, &texts)
}

fn detail(db: &Connection, n: i64, value: &impl serde::Serialize) -> Result<(), StoreError> {
    let json = serde_json::to_vec(value).map_err(|_| StoreError::Damaged)?;
    db.prepare_cached("INSERT INTO details (n, body) VALUES (?1, ?2) ON CONFLICT (n) DO UPDATE SET body = excluded.body")?.execute(params![n, json])?;
    Ok(())
}

fn level_name(case: &Case) -> String {
    serde_json::to_value(case.custody).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

const fn is_live(status: AssignmentStatus) -> bool {
    matches!(status, AssignmentStatus::Unsigned | AssignmentStatus::Signed | AssignmentStatus::Paused)
}

/// Makes every projection again.
pub(super) fn all(db: &Connection, context: &Context) -> Result<(), StoreError> {
    db.execute("DELETE FROM visits", [])?;
    let mut touched = Touched::default();
    let docs = db.prepare("SELECT doc FROM documents ORDER BY n")?.query_map([], |row| row.get(0))?.collect::<Result<Vec<[u8; 16]>, _>>()?;
    for doc in docs.into_iter().map(DocId::from_bytes) {
        // Of a record that this version cannot read, what an earlier one showed is all there is.
        if let Some(found) = Document::find(db, doc)?.filter(Document::is_readable) {
            for (table, key) in [("search", "rowid"), ("details", "n"), ("cases", "n"), ("households", "n")] {
                db.prepare_cached(&format!("DELETE FROM {table} WHERE {key} = ?1"))?.execute([found.n])?;
            }
            document(db, context, &found, &mut touched)?;
        }
        let body: Option<Vec<u8>> = db.query_row("SELECT view FROM documents WHERE doc = ?1", [doc.as_bytes()], |row| row.get(0))?;
        if let Some(body) = body
            && let Some(shown) = View::read(&body)
        {
            view(db, &shown, &body, &mut touched)?;
        }
    }
    let visits =
        db.prepare("SELECT fact FROM facts WHERE kind = 1 AND body IS NOT NULL")?.query_map([], |row| row.get(0))?.collect::<Result<Vec<[u8; 16]>, _>>()?;
    let mut replaced = db.prepare("SELECT 1 FROM own WHERE fact = ?1 GROUP BY fact HAVING min(status) = 8 AND max(status) = 8")?;
    for id in visits {
        // Another visit was sent in its place.
        if replaced.exists([id])? {
            continue;
        }
        if let Some(fact) = outbox::fact(db, FactId::from_bytes(id))?
            && let Body::Held(body) = &fact.body
            && let Ok(said) = minicbor::decode::<Visit>(body)
        {
            visit(db, &fact, &said, &mut touched)?;
        }
    }
    Ok(())
}
