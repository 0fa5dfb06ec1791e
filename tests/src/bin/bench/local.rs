//! A phone that holds 10,000 records: lists, search, opening; and its reconnecting.

use std::time::Instant;

use fieldgrid_core::device::store::{CaseFilter, CaseOrder, HouseholdFilter, PageRequest, Store};
use fieldgrid_core::domain::grant::Role;
use fieldgrid_tests::link::Speed;
use fieldgrid_tests::workload::Record;

use crate::figure::{Figures, median};
use crate::phone::Phone;
use crate::server::Server;
use crate::{Outcome, Stage, idle, note};

const NAMES: &[&str] = &["idle_10000_bytes", "idle_round_trips", "list_10000_ms", "search_10000_ms", "open_10000_ms"];
/// A screenful and the one after it.
const PAGE: u32 = 50;
/// A query's runs: they are short.
const TIMES: usize = 101;

type Query = Box<dyn Fn(&Store) -> Outcome<usize>>;

pub async fn measure(stage: &Stage, figures: &mut Figures) -> Outcome<()> {
    if !figures.want(NAMES) {
        return Ok(());
    }
    note("a phone with every grid …");
    let mut server = Server::start(&stage.town("all-grids")?)?;
    let mut phone = Phone::enrol(&stage.folder("all-grids-phones")?, &mut server, Role::GridMember, &stage.grids).await?;
    phone.sync(Speed::default()).await?;
    phone.check(&stage.workload.grids.concat())?;
    let records = phone.store.records()?.len();

    let mut idles = Vec::new();
    for _ in 0..stage.runs {
        idles.push(idle::once(&phone).await?);
    }
    idle::put(figures, "idle_10000_bytes", &idles, &format!("{} grids, {records} records", stage.grids.len()));

    let (took, which) = slowest(&phone.store, lists(stage))?;
    figures.put("list_10000_ms", took, format!("the slowest of the lists ({which}), {PAGE} rows of {records} records; median of {TIMES} runs"));
    let (took, which) = slowest(&phone.store, searches(stage))?;
    figures.put("search_10000_ms", took, format!("the slowest of the searches ({which}), first {PAGE} of {records} records; median of {TIMES} runs"));

    let mut times = Vec::new();
    for _ in 0..stage.runs.max(7) {
        let (again, took) = phone.reopen(|store| {
            store.cases(&CaseFilter::default(), PageRequest::first(PAGE))?;
            Ok(())
        })?;
        phone = again;
        times.push(took.as_secs_f64() * 1000.0);
    }
    let how = format!("opening the closed store of {records} records until its first list is there; file cached by the system; median of {} runs", times.len());
    figures.put("open_10000_ms", median(&times), how);
    Ok(())
}

/// The query with the longest median, milliseconds.
fn slowest(store: &Store, queries: Vec<(String, Query)>) -> Outcome<(f64, String)> {
    let mut slowest = (0.0, String::new());
    for (name, query) in queries {
        let mut times = Vec::with_capacity(TIMES);
        let mut rows = 0;
        for _ in 0..TIMES {
            let started = Instant::now();
            rows = query(store)?;
            times.push(started.elapsed().as_secs_f64() * 1000.0);
        }
        let took = median(&times);
        note(&format!("  {name}: {took:.3} ms, {rows} rows"));
        if took > slowest.0 {
            slowest = (took, name);
        }
    }
    Ok(slowest)
}

fn lists(stage: &Stage) -> Vec<(String, Query)> {
    let grid = stage.grids[stage.grids.len() / 2];
    let cases = |filter: CaseFilter| -> Query { Box::new(move |store| Ok(store.cases(&filter, PageRequest::first(PAGE))?.rows.len())) };
    let households = |filter: HouseholdFilter| -> Query { Box::new(move |store| Ok(store.households(&filter, PageRequest::first(PAGE))?.rows.len())) };
    vec![
        ("cases".into(), cases(CaseFilter::default())),
        ("open cases".into(), cases(CaseFilter { open: Some(true), ..CaseFilter::default() })),
        ("cases by due time".into(), cases(CaseFilter { order: CaseOrder::Due, ..CaseFilter::default() })),
        ("today's list".into(), cases(CaseFilter { order: CaseOrder::Today, ..CaseFilter::default() })),
        ("cases of a grid".into(), cases(CaseFilter { area: Some(grid), ..CaseFilter::default() })),
        ("cases of a category".into(), cases(CaseFilter { category: Some("03".into()), ..CaseFilter::default() })),
        ("households".into(), households(HouseholdFilter::default())),
        ("households of a grid".into(), households(HouseholdFilter { area: Some(grid), care: false })),
        ("households that need care".into(), households(HouseholdFilter { area: None, care: true })),
        (
            "the second page of households".into(),
            Box::new(|store| {
                let first = store.households(&HouseholdFilter::default(), PageRequest::first(PAGE))?;
                Ok(store.households(&HouseholdFilter::default(), PageRequest { limit: PAGE, after: first.next })?.rows.len())
            }),
        ),
    ]
}

/// A word that is nearly everywhere, one of two characters in many records, a name, a phone number, an address, and nothing.
fn searches(stage: &Stage) -> Vec<(String, Query)> {
    let search = |typed: String| -> Query { Box::new(move |store| Ok(store.search(&typed, PageRequest::first(PAGE))?.rows.len())) };
    let named = |what: &str, typed: &str| (format!("{what} “{typed}”"), search(typed.to_owned()));
    let households = stage.workload.grids.iter().flatten().filter_map(|record| if let Record::Household(household) = record { Some(household) } else { None });
    let sample = households.skip(1234).find(|household| !household.note.is_empty());
    let mut searches = vec![named("a word everywhere", "街道"), named("nothing", "查无此人")];
    if let Some(household) = sample {
        let first = |text: &str, chars: usize| text.chars().take(chars).collect::<String>();
        searches.push(named("a word", &first(&household.note, 2)));
        searches.push(named("an address", &household.addr));
        if let Some(person) = household.persons.first() {
            searches.push(named("a name", &person.name));
            searches.push(named("a phone number", &person.phone));
        }
    }
    searches
}
