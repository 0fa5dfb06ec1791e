//! Replicas that write offline and meet in any order come to the same record, and every change passes the gate wherever its dependencies are.

mod common;

use common::{phone, raws, start, write};
use fieldgrid_core::record::gate::{self, GateError};
use fieldgrid_core::record::{Change, Record, RecordKind};
use proptest::prelude::*;

const PHONES: usize = 4;

#[derive(Debug, Clone)]
enum Step {
    Write { phone: usize, choice: u32 },
    Meet { from: usize, to: usize, order: u32 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..PHONES, any::<u32>()).prop_map(|(phone, choice)| Step::Write { phone, choice }),
        1 => (0..PHONES, 0..PHONES, any::<u32>()).prop_map(|(from, to, order)| Step::Meet { from, to, order }),
    ]
}

/// Brings every change that `to` lacks in an order chosen by `order`, each through the gate as soon as its dependencies are there.
fn deliver(from: &[Change], to: &mut Record, order: u32) {
    let mut waiting: Vec<_> = from.iter().filter(|change| !to.has(change.hash)).collect();
    let mut random = common::Random(u64::from(order));
    while !waiting.is_empty() {
        let index = random.below(waiting.len());
        let info = gate::inspect(&waiting[index].raw).expect("a phone's change passes the preflight");
        assert_eq!(info.hash, waiting[index].hash);
        match gate::admit(to, &waiting[index].raw, info.actor.expect("a phone's actor")) {
            Ok(admitted) => {
                assert_eq!(admitted.info, info);
                *to = admitted.record;
                waiting.remove(index);
            }
            Err(GateError::UnknownDependency(missing)) => assert!(waiting.iter().any(|change| change.hash == missing), "what is missing is on its way"),
            Err(error) => panic!("a phone's change passes the gate: {error}"),
        }
    }
}

fn play(kind: RecordKind, steps: &[Step]) -> Result<(), TestCaseError> {
    let (first, mut all) = start(kind);
    let mut replicas = vec![first.clone(); PHONES];
    for step in steps {
        match *step {
            Step::Write { phone: n, choice } => {
                let before = replicas[n].clone();
                if let Some(change) = write(&mut replicas[n], phone(n as u8), choice) {
                    let admitted = gate::admit(&before, &change.raw, phone(n as u8)).expect("it passes the gate where it was made");
                    prop_assert_eq!(admitted.record.read(), replicas[n].read());
                    let time = common::AT + i64::from(choice % 100);
                    prop_assert_eq!(
                        before.clone().write(phone(n as u8), &admitted.command, time),
                        Ok(change.clone()),
                        "the decoded command makes the same change"
                    );
                    all.push(change);
                }
            }
            Step::Meet { from, to, order } => {
                let theirs = replicas[from].changes();
                deliver(&theirs, &mut replicas[to], order);
            }
        }
    }
    for (n, replica) in replicas.iter_mut().enumerate() {
        deliver(&all, replica, n as u32 * 77);
    }
    let mut backwards = all.clone();
    backwards.reverse();
    let loaded = Record::load(kind, raws(&backwards)).expect("all changes in any order");
    for replica in &replicas {
        prop_assert_eq!(replica.heads(), loaded.heads());
        prop_assert_eq!(replica.read(), loaded.read());
        prop_assert_eq!(replica.sequence(phone(1)), loaded.sequence(phone(1)));
    }
    for change in &all {
        prop_assert_eq!(gate::admit(&loaded, &change.raw, phone(0)).err(), Some(GateError::AlreadyHeld));
    }
    common::must_be_unhurt(&loaded);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn households_converge(steps in prop::collection::vec(step(), 1..40)) {
        play(RecordKind::Household, &steps)?;
    }

    #[test]
    fn cases_converge(steps in prop::collection::vec(step(), 1..40)) {
        play(RecordKind::Case, &steps)?;
    }
}
