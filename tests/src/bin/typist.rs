//! A phone that types and syncs until it is killed: `typist STORE KEY SEED`. Every save that the store has acknowledged is a line `saved DOC EDIT .`.

use std::io::Write as _;
use std::sync::Arc;

use fastrand::Rng;
use fieldgrid_core::device::store::{OpenOptions, SaveError, Saved};
use fieldgrid_core::device::{Device, DeviceOptions, NewHousehold};
use fieldgrid_core::domain::action::{ActionKind, Fields};
use fieldgrid_core::domain::household::{HouseholdEdit, Value};
use fieldgrid_core::domain::id::DocId;
use fieldgrid_core::env::System;
use fieldgrid_tests::harness::typing;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, path, key, seed] = arguments.as_slice() else { panic!("typist STORE KEY SEED") };
    let mut bytes = [0; 32];
    for (byte, hex) in bytes.iter_mut().zip(key.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(hex).expect("hex"), 16).expect("hex");
    }
    let store = OpenOptions::new(path, bytes, Arc::new(System::new()));
    let device = Device::open(DeviceOptions::new(store), tokio::runtime::Handle::current()).expect("the store opens after a kill");
    let grid = device.identity().expect("enrolled").grant.scopes[0];
    say("open");

    let mut rng = Rng::with_seed(seed.parse().expect("a seed"));
    let (mut case, mut household): (Option<DocId>, Option<DocId>) = (None, None);
    for n in 0_u64.. {
        let text = format!("{seed}-{n}");
        let saved = match (rng.u8(..10), case, household) {
            (0, ..) => device.report(typing::trouble(&text, Some(grid))).inspect(|saved| case = Some(saved.doc)),
            (1, ..) => device.add_household(new_household(&grid.to_string(), &text)).inspect(|saved| household = Some(saved.doc)),
            (2..=4, Some(case), _) => device.act(case, ActionKind::Supplement, Fields { text: Some(text), ..Fields::default() }),
            (5..=7, _, Some(household)) => device.edit_household(household, vec![HouseholdEdit::Set("note".to_owned(), Value::Text(text))]),
            (8.., ..) => {
                device.sync_now().await.expect("HTTP is set up");
                continue;
            }
            _ => continue,
        };
        match saved {
            Ok(Saved { doc, edit }) => say(&format!("saved {doc} {edit} .")),
            Err(SaveError::Nothing) => {}
            Err(error) => panic!("not saved: {error}"),
        }
    }
}

fn new_household(grid: &str, address: &str) -> NewHousehold {
    let fields = [("grid", grid), ("address", address)].map(|(name, value)| (name.to_owned(), Value::Text(value.to_owned())));
    NewHousehold { fields: fields.into(), persons: Vec::new() }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("somebody listens");
}
