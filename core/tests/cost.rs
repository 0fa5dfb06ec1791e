//! What a record costs: `cargo test --release --test cost -- --ignored --nocapture`.

mod common;

use std::time::{Duration, Instant};

use common::{command, phone, raws, start, write};
use fieldgrid_core::domain::household::HouseholdEdit;
use fieldgrid_core::record::{Change, Command, Record, RecordKind, gate};

fn timed<T>(count: usize, mut work: impl FnMut(usize) -> T) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let started = Instant::now();
        for n in 0..count {
            std::hint::black_box(work(n));
        }
        best = best.min(started.elapsed());
    }
    best / count as u32
}

/// A record of some six changes by two phones, one after the other.
struct Grown {
    record: Record,
    changes: Vec<Change>,
    /// Each change with the record it was made on and whose it is.
    steps: Vec<(Record, Change, u8)>,
}

fn records(kind: RecordKind, count: u32) -> Vec<Grown> {
    (0..count)
        .map(|n| {
            let (mut record, mut changes) = start(kind);
            let mut steps = Vec::new();
            for step in 0..6 {
                let before = record.clone();
                let by = (step % 2) as u8;
                if let Some(change) = write(&mut record, phone(by), n * 97 + step * 13) {
                    steps.push((before, change.clone(), by));
                    changes.push(change);
                }
            }
            Grown { record, changes, steps }
        })
        .collect()
}

#[test]
#[ignore = "a measurement, for a release build"]
fn what_it_costs() {
    for kind in [RecordKind::Household, RecordKind::Case] {
        let all = records(kind, 400);
        let changes: usize = all.iter().map(|grown| grown.changes.len()).sum();
        let raw: usize = all.iter().flat_map(|grown| &grown.changes).map(|change| change.raw.len()).sum();
        println!("{kind}: 400 records, {changes} changes of {} bytes in the mean", raw / changes);
        let load = timed(400, |n| Record::load(kind, raws(&all[n].changes)).expect("it loads"));
        println!("  load one: {load:?}; all 400: {:?}", load * 400);
        println!("  read: {:?}", timed(400, |n| all[n].record.read()));
        println!("  clone: {:?}", timed(400, |n| all[n].record.clone()));
        println!("  save: {:?}", timed(400, |n| all[n].record.save()));

        let steps: Vec<_> = all.iter().flat_map(|grown| &grown.steps).collect();
        println!("  plan a command: {:?}", timed(steps.len(), |n| command(&steps[n].0, 5)));
        println!("  preflight: {:?}", timed(steps.len(), |n| gate::inspect(&steps[n].1.raw)));
        let admit = timed(steps.len(), |n| gate::admit(&steps[n].0, &steps[n].1.raw, phone(steps[n].2)).expect("it passes"));
        println!("  gate, dependencies are the heads: {admit:?}, {:.0} a second", 1.0 / admit.as_secs_f64());
        let written = timed(steps.len(), |n| {
            let mut record = steps[n].0.clone();
            record.write(phone(7), &command(&record, 7 * 1234 + 5), 0)
        });
        println!("  write: {written:?}");

        let beside: Vec<_> = all
            .iter()
            .filter_map(|Grown { record, .. }| {
                let mut other = record.clone();
                let mut now = record.clone();
                let change = (0..9).find_map(|n| write_other(&mut other, n))?;
                (0..9).find_map(|n| write(&mut now, phone(8), 7 * 777 + n))?;
                Some((now, change))
            })
            .collect();
        let admit = timed(beside.len(), |n| gate::admit(&beside[n].0, &beside[n].1.raw, phone(7)).expect("it passes"));
        println!("  gate, beside another's change: {admit:?}");
        let apply = timed(beside.len(), |n| {
            let mut record = beside[n].0.clone();
            record.apply([beside[n].1.raw.as_slice()])
        });
        println!("  apply without a gate: {apply:?}");
        println!("  the gate by parse, apply, save, reload and compare: {:?}", timed(steps.len(), |n| sandbox(&steps[n].0, &steps[n].1)));
    }
    let (mut record, _) = start(RecordKind::Household);
    for n in 0..3_000_u32 {
        let edit = HouseholdEdit::Set("note".into(), common::text(format!("{n}")));
        record.write(phone((n % 50) as u8), &Command::EditHousehold(vec![edit]), 0).expect("it fits");
    }
    let change = write_other(&mut record.clone(), 1).expect("something to write");
    write(&mut record, phone(8), 7 * 777 + 1).expect("something to write");
    let admit = timed(3, |_| gate::admit(&record, &change.raw, phone(7)).expect("it passes"));
    println!("a record of {} changes, gate beside another's: {admit:?}", record.len());
}

fn write_other(record: &mut Record, n: u32) -> Option<Change> {
    write(record, phone(7), 7 * 555 + n)
}

/// What the gate would cost if it let Automerge parse the change and then looked whether the document survives.
fn sandbox(record: &Record, change: &Change) -> bool {
    let mut next = record.clone();
    next.apply([change.raw.as_slice()]).expect("it applies");
    let reloaded = automerge::Automerge::load(&next.save()).expect("it reloads");
    let kept = automerge::ReadDoc::get_change_by_hash(&reloaded, &automerge::ChangeHash(change.hash.0)).expect("it is there");
    let again = automerge::Automerge::load(&reloaded.save()).expect("it reloads");
    kept.raw_bytes() == change.raw && reloaded.get_heads() == again.get_heads() && reloaded.hydrate(None) == again.hydrate(None)
}
