//! Figures on this machine; run with `--ignored --nocapture`, in release for figures that mean something.

use std::time::{Duration, Instant};

use super::*;
use crate::device::store::{CaseFilter, CaseOrder, HouseholdFilter, PageRequest};

fn percentile(mut times: Vec<Duration>, p: usize) -> Duration {
    times.sort();
    times[(times.len() * p / 100).min(times.len() - 1)]
}

#[test]
#[ignore = "measures"]
fn figures() {
    let mut town = Town::new();
    let (a, b) = (Phone::new(1), Phone::new(2));
    let (da, db) = (town.enrol(&a, Role::GridMember), town.enrol(&b, Role::GridMember));
    let records: usize = std::env::var("RECORDS").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let mut saves = Vec::new();
    for n in 0..records {
        let started = Instant::now();
        if n % 4 == 0 {
            b.report(&format!("第{n}件井盖破损"));
        } else {
            b.household(&format!("民主街{n}号"), "张三", &format!("138{n:08}"));
        }
        saves.push(started.elapsed());
    }
    println!("save: p50 {:?} p99 {:?}", percentile(saves.clone(), 50), percentile(saves, 99));
    let started = Instant::now();
    town.sync(&b, db);
    println!("push {records}: {:?}", started.elapsed());
    let pack = town.pack();
    println!("pack {} bytes", pack.len());
    let started = Instant::now();
    a.store.apply_pack(&pack).unwrap();
    println!("apply pack: {:?}", started.elapsed());
    town.sync(&a, da);
    let time = |name: &str, f: &dyn Fn()| {
        f();
        let times = (0..100)
            .map(|_| {
                let started = Instant::now();
                f();
                started.elapsed()
            })
            .collect::<Vec<_>>();
        println!("{name}: p50 {:?} p99 {:?}", percentile(times.clone(), 50), percentile(times, 99));
    };
    time("cases", &|| drop(a.store.cases(&CaseFilter::default(), PageRequest::first(50)).unwrap()));
    time("cases of an area", &|| {
        drop(a.store.cases(&CaseFilter { area: Some(GRID.parse().unwrap()), open: Some(true), ..CaseFilter::default() }, PageRequest::first(50)).unwrap())
    });
    time("today", &|| drop(a.store.cases(&CaseFilter { order: CaseOrder::Today, ..CaseFilter::default() }, PageRequest::first(50)).unwrap()));
    time("cases, none fit", &|| drop(a.store.cases(&CaseFilter { category: Some("09".to_owned()), ..CaseFilter::default() }, PageRequest::first(50)).unwrap()));
    time("households", &|| drop(a.store.households(&HouseholdFilter::default(), PageRequest::first(50)).unwrap()));
    for typed in ["张三", "井盖", "民主街77", "13800000", "3"] {
        time(&format!("search {typed}"), &|| drop(a.store.search(typed, PageRequest::first(50)).unwrap()));
    }
    time("status", &|| drop(a.store.status().unwrap()));
    let path = a.path();
    let (clock, dir) = (a.clock.clone(), a.dir);
    drop(a.store);
    let started = Instant::now();
    let store = Store::open(&options(&path, &clock)).unwrap();
    println!("open: {:?}", started.elapsed());
    drop((store, dir));
}
