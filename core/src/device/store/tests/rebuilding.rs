//! What a rebuild must not change: who knew of whom. The same day is lived twice, by phones that are
//! rebuilt in it and by phones that are not, and both end with the same values beside each other.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::domain::household::Household;
use crate::record::{Record, RecordKind, gate};
use crate::wire::sync::OutboxHead;

/// Why a phone does its work again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rebuild {
    /// The file that tells a restored store is gone.
    Lost,
    /// The store's file is the one that was put by, and the phone had synced since.
    Restored,
    /// The centre closed its incarnation.
    Forked,
    /// The centre refuses an edit, and strands what rests on it.
    Refused,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// A phone sets a field of the household, or of its person.
    Set {
        phone: usize,
        field: usize,
        value: usize,
    },
    /// A phone writes into the case's history.
    Note {
        phone: usize,
    },
    Sync {
        phone: usize,
    },
    /// A phone is rebuilt, in one of the two lives of the day.
    Rebuild {
        phone: usize,
        why: Rebuild,
    },
    /// A phone's file is put by.
    PutBy {
        phone: usize,
    },
}

const PHONES: usize = 3;
const FIELDS: [&str; 4] = ["note", "tenure", "language", "name"];
const VALUES: [&str; 3] = ["两条狗", "没有狗", "一只猫"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let why = prop_oneof![Just(Rebuild::Lost), Just(Rebuild::Restored), Just(Rebuild::Forked), Just(Rebuild::Refused)];
    let step = prop_oneof![
        4 => (0..PHONES, 0..FIELDS.len(), 0..VALUES.len())
            .prop_map(|(phone, field, value)| Step::Set { phone, field, value }),
        2 => (0..PHONES).prop_map(|phone| Step::Note { phone }),
        2 => (0..PHONES).prop_map(|phone| Step::Sync { phone }),
        2 => (0..PHONES, why).prop_map(|(phone, why)| Step::Rebuild { phone, why }),
        1 => (0..PHONES).prop_map(|phone| Step::PutBy { phone }),
    ];
    prop::collection::vec(step, 2..14)
}

/// A town, its phones, a household and a case that all of them have.
struct Day {
    town: Town,
    phones: Vec<(Option<Phone>, DeviceId)>,
    household: DocId,
    person: PersonId,
    case: DocId,
    /// Whether phones are rebuilt in this life of the day.
    rebuilds: bool,
    /// Edits that the centre refuses, and the changes that fall with them.
    refused: HashSet<Hash>,
    lost: HashSet<Hash>,
}

impl Day {
    fn begin(rebuilds: bool) -> Self {
        let mut town = Town::new();
        let phones: Vec<_> = (1..=PHONES as u64)
            .map(|seed| {
                let phone = Phone::new(seed);
                let device = town.enrol(&phone, Role::GridMember);
                (Some(phone), device)
            })
            .collect();
        let first = phones[0].0.as_ref().unwrap();
        let (household, person) = first.household("民主街5号", "张三", "13812348000");
        let case = first.report("井盖破损").doc;
        let (refused, lost) = (HashSet::new(), HashSet::new());
        let household = household.doc;
        let mut day = Self { town, phones, household, person, case, rebuilds, refused, lost };
        (0..PHONES).for_each(|phone| day.sync(phone));
        day
    }

    fn phone(&self, phone: usize) -> &Phone {
        self.phones[phone].0.as_ref().unwrap()
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Set { phone, field, value } => self.set(phone, field, VALUES[value]),
            Step::Note { phone } => drop(self.phone(phone).supplement(self.case, "到场")),
            Step::Sync { phone } => self.sync(phone),
            Step::PutBy { phone } => {
                self.reopened(phone, |path| drop(std::fs::copy(path, path.with_extension("by"))));
            }
            Step::Rebuild { phone, why } => self.rebuild(phone, why),
        }
    }

    fn set(&mut self, phone: usize, field: usize, value: &str) {
        let value = Value::Text(value.to_owned());
        let edit = match FIELDS[field] {
            name @ "name" => HouseholdEdit::SetPerson(self.person, name.to_owned(), value),
            name => HouseholdEdit::Set(name.to_owned(), value),
        };
        let phone = self.phone(phone);
        phone.clock.pass(1_000);
        match phone.store.save(self.household, &Command::EditHousehold(vec![edit])) {
            Ok(_) | Err(super::super::SaveError::Nothing) => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn rebuild(&mut self, phone: usize, why: Rebuild) {
        // What is lost with a store that is put back has to be at the centre, in both lives, and is
        // read again before its author goes on.
        if why == Rebuild::Restored {
            self.sync(phone);
        }
        if self.rebuilds {
            self.rebuilt(phone, why);
        } else if why == Rebuild::Refused {
            self.phone(phone).clock.pass(1_000);
        }
        if why == Rebuild::Restored {
            self.sync(phone);
        }
    }

    fn rebuilt(&mut self, phone: usize, why: Rebuild) {
        match why {
            Rebuild::Lost => self.reopened(phone, |path| {
                std::fs::remove_file(path.with_extension("life")).unwrap();
            }),
            Rebuild::Restored => self.reopened(phone, |path| {
                if path.with_extension("by").exists() {
                    std::fs::copy(path.with_extension("by"), path).unwrap();
                }
            }),
            Rebuild::Forked => {
                let incarnation = self.phone(phone).store.incarnation().unwrap();
                let known = self.town.devices.get_mut(&self.phones[phone].1).unwrap();
                known.closed.push(incarnation);
            }
            Rebuild::Refused => {
                let words = format!("要拒绝的 {}", self.refused.len());
                let edit = self.phone(phone).set(self.household, "pets", &words).edit;
                self.refused.insert(edit);
            }
        }
    }

    /// Closes a phone's store, lets something happen to the file, and opens it again.
    fn reopened(&mut self, phone: usize, happens: impl FnOnce(&Path)) {
        let Phone { store, clock, dir } = self.phones[phone].0.take().unwrap();
        drop(store);
        let path = dir.path().join("phone.db");
        happens(&path);
        let store = Store::open(&options(&path, &clock)).unwrap();
        self.phones[phone].0 = Some(Phone { store, clock, dir });
    }

    fn sync(&mut self, phone: usize) {
        let Self { town, phones, refused, lost, .. } = self;
        let (phone, device) = &phones[phone];
        let mut judge = |item: &Item| {
            let Item::Change(change) = item else { return Verdict::Accepted };
            let info = gate::inspect(&change.raw).unwrap();
            if refused.contains(&change.edit_id()) {
                lost.insert(info.hash);
                return Verdict::Refused(Refusal::OutOfScope);
            }
            match info.deps.iter().find(|dep| lost.contains(*dep)) {
                Some(dep) => {
                    lost.insert(info.hash);
                    Verdict::Stranded(*dep)
                }
                None => Verdict::Accepted,
            }
        };
        town.sync_judged(phone.as_ref().unwrap(), *device, &mut judge);
    }

    /// Everyone syncs until nobody has anything to say.
    fn end(&mut self) {
        for _ in 0..3 {
            (0..PHONES).for_each(|phone| self.sync(phone));
        }
    }

    /// What the phones say, after they agreed.
    fn said(&self) -> (Household, crate::domain::case::Case) {
        let of = |phone: &Phone| {
            let household = phone.store.household(self.household).unwrap().unwrap();
            let case = phone.store.case(self.case).unwrap().unwrap();
            (household.household.unwrap(), case.case.unwrap())
        };
        let first = of(self.phone(0));
        for phone in 0..PHONES {
            assert_eq!(of(self.phone(phone)), first, "phone {phone} and the first");
            let status = self.phone(phone).store.status().unwrap();
            assert_eq!((status.unsent, status.rebuilding, status.parked), (0, false, 0));
        }
        first
    }

    /// The server's gate lets in every change of the grid's stream.
    fn passes_the_gate(&self) {
        let mut records: BTreeMap<DocId, Record> = BTreeMap::new();
        for placed in &self.town.streams[&self.town.grid.id] {
            let Entry::Change(change) = &placed.entry else { continue };
            let new = || Record::new(RecordKind::from_code(change.kind.code())).unwrap();
            let record = records.entry(change.doc).or_insert_with(new);
            let actor = gate::inspect(&change.raw).unwrap().actor.unwrap();
            *record = gate::admit(record, &change.raw, actor).unwrap().record;
        }
    }
}

fn lived(steps: &[Step], rebuilds: bool) -> (Household, crate::domain::case::Case) {
    let mut day = Day::begin(rebuilds);
    steps.iter().for_each(|step| day.step(*step));
    day.end();
    day.passes_the_gate();
    day.said()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn rebuilds_leave_concurrent_what_was_concurrent(steps in steps()) {
        prop_assert_eq!(lived(&steps, true), lived(&steps, false));
    }
}

#[test]
fn a_colleagues_value_stays_beside_that_of_a_phone_which_is_rebuilt() {
    for why in [Rebuild::Lost, Rebuild::Restored, Rebuild::Forked, Rebuild::Refused] {
        let steps = [
            Step::PutBy { phone: 0 },
            Step::Rebuild { phone: 0, why },
            Step::Set { phone: 0, field: 0, value: 0 },
            Step::Set { phone: 1, field: 0, value: 1 },
            Step::Sync { phone: 1 },
            Step::Sync { phone: 0 },
        ];
        let (household, _) = lived(&steps, true);
        let value = household.text("note").map(str::to_owned);
        let [beside] = household.alternatives.as_slice() else { panic!("{why:?}: {household:?}") };
        let mut both = beside.values.clone();
        both.extend(value.map(Value::Text));
        both.sort_by_key(|value| format!("{value:?}"));
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(both, [text(VALUES[0]), text(VALUES[1])], "{why:?}");
    }
}

/// Done again twice, the second time without an edit between that was refused meanwhile.
#[test]
fn work_that_is_done_again_twice_still_knows_what_its_author_had_seen() {
    let steps = [
        Step::Set { phone: 2, field: 2, value: 2 },
        Step::Rebuild { phone: 2, why: Rebuild::Refused },
        Step::Set { phone: 2, field: 2, value: 0 },
        Step::Rebuild { phone: 2, why: Rebuild::Forked },
    ];
    assert_eq!(lived(&steps, true), lived(&steps, false));
}

/// A record that the centre keeps under a new id has none of the changes that its author had seen.
#[test]
fn work_for_a_retired_record_stays_beside_what_its_author_had_not_seen() {
    let (mut town, (a, da), (b, db)) = pair();
    let (old, _) = a.household("民主街5号", "张三", "13812348000");
    let (new, _) = a.household("民主街5号", "张三", "13812348000");
    town.sync(&a, da);
    town.sync(&b, db);
    a.set(old.doc, "note", VALUES[0]);
    b.set(new.doc, "note", VALUES[1]);
    town.sync(&b, db);
    let outbox: OutboxHead = town.devices[&da].outbox;
    assert_eq!(outbox.seq, 1);
    town.sync_judged(&a, da, &mut |item| match item {
        Item::Change(change) if change.doc == old.doc => Verdict::Retired(new.doc),
        _ => Verdict::Accepted,
    });
    town.sync(&a, da);
    let household = a.store.household(new.doc).unwrap().unwrap().household.unwrap();
    assert_eq!(household.alternatives.len(), 1, "{household:?}");
}
