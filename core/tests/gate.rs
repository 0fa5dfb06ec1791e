//! Changes with their bytes tampered with and their checksum put right again: whatever the gate lets through hurts nobody.
//!
//! A few seconds here; `FIELDGRID_FUZZ_SECONDS=600 cargo test --release --test gate -- --nocapture` for longer. `fuzz/` looks for the same with libFuzzer.

mod common;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::{Random, body, chunk, must_be_unhurt, phone, start, write};
use fieldgrid_core::record::gate::{GateError, admit};
use fieldgrid_core::record::intake::Intake;
use fieldgrid_core::record::{Change, Record, RecordKind};

/// A record, a change that fits it, and whose it is.
struct Honest {
    record: Record,
    change: Change,
    phone: u8,
}

/// Honest changes on records of all sorts: with one head and with several, with conflicts, by newcomers and by those who have written before.
fn honest(random: &mut Random) -> Vec<Honest> {
    let mut all = Vec::new();
    for kind in [RecordKind::Household, RecordKind::Case] {
        for _ in 0..6 {
            let (first, _) = start(kind);
            let mut replicas = vec![first; 3];
            for _ in 0..12 {
                let n = random.below(3);
                let elsewhere = replicas[random.below(3)].clone();
                let before = replicas[n].clone();
                if let Some(change) = write(&mut replicas[n], phone(n as u8), random.next() as u32) {
                    for record in [before, elsewhere] {
                        if let Ok(admitted) = admit(&record, &change.raw, phone(n as u8)) {
                            assert_eq!(admitted.info.hash, change.hash);
                            all.push(Honest { record, change: change.clone(), phone: n as u8 });
                        }
                    }
                }
                let (from, to) = (random.below(3), random.below(3));
                let theirs = replicas[from].changes();
                replicas[to].apply(common::raws(&theirs)).expect("honest changes apply");
            }
        }
    }
    all
}

/// One or a few bytes changed, cut out, doubled, or taken from another change.
fn mutated(raw: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let (mut bytes, other) = (body(raw).to_vec(), body(other));
    for _ in 0..1 + random.below(3) {
        if bytes.is_empty() {
            break;
        }
        let at = random.below(bytes.len());
        match random.below(7) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => bytes[at] = bytes[at].wrapping_add(if random.below(2) == 0 { 1 } else { 255 }),
            3 => drop(bytes.drain(at..(at + 1 + random.below(4)).min(bytes.len()))),
            4 => bytes.insert(at, [0, 1, 0x7f, 0x80, 0xff, random.next() as u8][random.below(6)]),
            5 => {
                let part = bytes[at..(at + 1 + random.below(24)).min(bytes.len())].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, part);
            }
            _ => {
                let from = random.below(other.len());
                let part = &other[from..(from + 1 + random.below(40)).min(other.len())];
                let end = (at + part.len()).min(bytes.len());
                bytes.splice(at..end, part.iter().copied());
            }
        }
    }
    chunk(1, &bytes)
}

#[test]
fn nothing_that_passes_hurts() {
    let seconds = std::env::var("FIELDGRID_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(3);
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut random = Random(seconds);
    let (mut tried, mut passed, mut slowest) = (0, 0, Duration::ZERO);
    while Instant::now() < until {
        let seeds = honest(&mut random);
        assert!(!seeds.is_empty());
        for _ in 0..2_000 {
            let (one, other) = (&seeds[random.below(seeds.len())], &seeds[random.below(seeds.len())]);
            let raw = mutated(&one.change.raw, &other.change.raw, &mut random);
            let before = Instant::now();
            let found = admit(&one.record, &raw, phone(one.phone));
            slowest = slowest.max(before.elapsed());
            tried += 1;
            match found {
                Ok(admitted) => {
                    passed += 1;
                    assert!(admitted.record.has(admitted.info.hash));
                    assert_eq!(admitted.record.len(), one.record.len() + 1);
                    must_be_unhurt(&admitted.record);
                }
                Err(GateError::AlreadyHeld) => assert!(one.record.changes().iter().any(|change| change.raw == raw)),
                Err(_) => {}
            }
        }
    }
    println!("{tried} tampered changes, {passed} passed and hurt nobody; the slowest took {slowest:?}");
    assert!(passed > 0, "a changed letter in a text is another honest change");
}

/// What a phone lets in: Automerge takes all of it, reads it, writes on it, and does not panic.
#[test]
fn what_the_intake_takes_automerge_takes() {
    let seconds = std::env::var("FIELDGRID_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(3);
    let until = Instant::now() + Duration::from_secs(seconds);
    count_panics();
    let mut random = Random(seconds + 1);
    let (mut tried, mut passed) = (0, 0);
    while Instant::now() < until {
        let seeds = honest(&mut random);
        for _ in 0..2_000 {
            let (one, other) = (&seeds[random.below(seeds.len())], &seeds[random.below(seeds.len())]);
            let raw = mutated(&one.change.raw, &other.change.raw, &mut random);
            let held = one.record.changes();
            let mut intake = Intake::new(one.record.kind()).expect("a known kind");
            for change in &held {
                intake.take(&change.raw).expect("what is in the record was let in");
            }
            tried += 1;
            if intake.take(&raw).is_err() {
                continue;
            }
            passed += 1;
            let mut record = one.record.clone();
            let panics = PANICS.with(Cell::get);
            let taken = record.apply([raw.as_slice()]);
            if taken.is_err() || PANICS.with(Cell::get) > panics {
                println!("{taken:?} {} {raw:02x?}", PANICS.with(Cell::get) - panics);
            }
            assert!(taken.is_ok());
            let _ = record.read();
            write(&mut record, phone(203), random.next() as u32);
            let _ = record.save();
            assert_eq!(PANICS.with(Cell::get), panics, "{raw:02x?}");
        }
    }
    println!("{tried} tampered changes, {passed} taken, and Automerge took them all");
    assert!(passed > 0);
}

thread_local! {
    static PANICS: Cell<u32> = const { Cell::new(0) };
}

/// Counts the panics of each thread, also those that are caught.
fn count_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.with(|panics| panics.set(panics.get() + 1));
        before(info);
    }));
}

fn fuzz(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz").join(folder)
}

/// What the fuzz target `gate` does with an input.
fn replay(input: &[u8]) -> bool {
    let (scene, body) = input.split_first().expect("a scene's number");
    let (record, phone) = common::scene(*scene);
    let found = admit(&record, &chunk(1, body), phone);
    if let Ok(admitted) = &found {
        must_be_unhurt(&admitted.record);
    }
    found.is_ok()
}

#[test]
fn what_once_broke_the_gate_does_not_and_the_seeds_are_honest() {
    let inputs = |folder| std::fs::read_dir(fuzz(folder)).expect("a folder").map(|file| std::fs::read(file.expect("a file").path()).expect("an input"));
    assert!(inputs("seeds/gate").all(|input| replay(&input)), "a seed that does not pass shows that the format has changed");
    for input in inputs("crashers/gate").filter(|input| !input.is_empty()) {
        replay(&input);
    }
}

/// Writes `fuzz/seeds/gate`: a scene's number, and the body of an honest change in it.
#[test]
#[ignore = "writes the seeds of the fuzz target"]
fn seeds() {
    let folder = fuzz("seeds/gate");
    std::fs::create_dir_all(&folder).expect("a folder for the seeds");
    for n in 0..16 {
        let (mut record, phone) = common::scene(n);
        let change = (0..50).find_map(|choice| write(&mut record, phone, choice)).or_else(|| record.write(phone, &common::household_base(), common::AT).ok());
        let seed = [&[n], body(&change.expect("something to write").raw)].concat();
        std::fs::write(folder.join(format!("scene-{n:02}")), seed).expect("a seed");
    }
}
