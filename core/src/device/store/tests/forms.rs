//! A form saves once, whatever becomes of what it saved.

use super::*;
use crate::device::store::form::KEPT;
use crate::device::store::{Form, SaveError};
use crate::domain::id::FormId;
use crate::domain::server_fact::Instruction;
use crate::wire::entry::Leave;

fn form(n: u8) -> FormId {
    FormId::from_bytes([n; 16])
}

/// A form for a note on a household, saved; a second later each time.
fn note(phone: &Phone, id: FormId, doc: DocId, text: &str) -> Result<Saved, SaveError> {
    phone.clock.pass(1_000);
    let edit = Command::EditHousehold(vec![HouseholdEdit::Set("note".to_owned(), Value::Text(text.to_owned()))]);
    phone.store.for_form(Some(Form::new(id, &("note", doc, text)))).save(doc, &edit)
}

fn rows(phone: &Phone, table: &str) -> i64 {
    phone.store.inner.db.read(|db| Ok::<_, StoreError>(db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?)).unwrap()
}

fn leave(town: &mut Town, doc: DocId) {
    let (grid, by) = (town.grid.id, FactId::from_bytes(town.id()));
    town.push(grid, Entry::Leave(Leave { doc, by }));
    town.moved.push(doc);
}

/// What may happen between a save and the same form's coming back.
type Meanwhile = fn(Phone, &mut Town, DeviceId, Saved) -> Phone;

const MEANWHILE: &[(&str, Meanwhile)] = &[
    ("nothing", |phone, _, _, _| phone),
    ("the process ended", |phone, _, _, _| phone.reopen()),
    ("received", |phone, town, device, _| {
        town.sync(&phone, device);
        phone
    }),
    ("overwritten", |phone, _, _, saved| {
        phone.set(saved.doc, "note", "同事写的");
        phone
    }),
    ("refused", |phone, town, device, saved| {
        town.sync_judged(&phone, device, &mut refusing(saved.edit));
        assert_eq!(standing(&phone, saved.edit), Standing::Refused);
        phone
    }),
    ("given up", |phone, town, device, saved| {
        town.sync_judged(&phone, device, &mut refusing(saved.edit));
        phone.store.discard(saved.doc, saved.edit).unwrap();
        phone
    }),
    ("done again under another incarnation", |phone, town, device, saved| {
        let before = phone.store.incarnation().unwrap();
        let other = phone.report("路灯不亮");
        town.sync_judged(&phone, device, &mut refusing(other.edit));
        town.sync(&phone, device);
        assert_ne!(before, phone.store.incarnation().unwrap());
        assert_eq!(field(&phone, saved.doc, "note").as_deref(), Some("有狗"));
        phone
    }),
    ("purged", |phone, town, device, saved| {
        town.sync(&phone, device);
        leave(town, saved.doc);
        assert_eq!(town.sync(&phone, device).purged, 1);
        phone.reopen()
    }),
    ("limited to reports", |phone, town, device, _| {
        let own = town.devices[&device].stream;
        town.state(own, FactKind::Instruction, None, &Instruction::ReportOnly);
        town.sync(&phone, device);
        phone
    }),
];

#[test]
fn a_form_that_comes_back_is_told_what_it_saved_and_writes_nothing() {
    for (meanwhile, happens) in MEANWHILE {
        let mut town = Town::new();
        let phone = Phone::new(1);
        let device = town.enrol(&phone, Role::GridMember);
        let (household, _) = phone.household("民主街5号", "张三", "13812348000");
        town.sync(&phone, device);
        let saved = note(&phone, form(1), household.doc, "有狗").unwrap();
        let phone = happens(phone, &mut town, device, saved);
        let before = (rows(&phone, "own"), stored_bytes(&phone));
        assert_eq!(note(&phone, form(1), household.doc, "有狗"), Ok(saved), "{meanwhile}");
        assert_eq!((rows(&phone, "own"), stored_bytes(&phone)), before, "{meanwhile}");
        assert_eq!(note(&phone, form(1), household.doc, "有狗,拴着"), Err(SaveError::AlreadySaved), "{meanwhile}");
        assert_eq!((rows(&phone, "own"), stored_bytes(&phone)), before, "{meanwhile}");
    }
}

#[test]
fn another_form_or_none_saves_the_same_again() {
    let phone = Phone::new(1);
    Town::new().enrol(&phone, Role::GridMember);
    let report =
        |form: Option<FormId>| phone.store.for_form(form.map(|id| Form::new(id, &"井盖破损"))).act(None, ActionKind::Report, report("井盖破损")).unwrap();
    let cases = [report(None), report(None), report(Some(form(1))), report(Some(form(2))), report(Some(form(1)))].map(|saved| saved.doc);
    assert_eq!(cases[4], cases[2]);
    assert_eq!(cases[..4].iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
}

#[test]
fn a_save_that_failed_is_not_noted() {
    let phone = Phone::new(1);
    assert_eq!(note(&phone, form(1), phone.store.new_doc(), "有狗"), Err(SaveError::NotEnrolled));
    Town::new().enrol(&phone, Role::GridMember);
    let (household, _) = phone.household("民主街5号", "张三", "13812348000");
    assert!(matches!(note(&phone, form(1), household.doc, &"长".repeat(2_001)), Err(SaveError::Form(_))));
    assert_eq!(rows(&phone, "forms"), 0);
    note(&phone, form(1), household.doc, "有狗").unwrap();
    assert_eq!(note(&phone, form(2), household.doc, "有狗"), Err(SaveError::Nothing));
    assert_eq!(rows(&phone, "forms"), 1);
}

#[test]
fn the_last_forms_are_remembered_whatever_the_clock_says() {
    let phone = Phone::new(1);
    Town::new().enrol(&phone, Role::GridMember);
    let case = phone.report("井盖破损").doc;
    let save = |n: u8| {
        let fields = Fields { text: Some(format!("第{n}次")), ..Fields::default() };
        phone.store.for_form(Some(Form::new(form(n), &n))).act(Some(case), ActionKind::Supplement, fields).unwrap()
    };
    // Whatever the lease says: a case may be supplemented.
    let first = save(1);
    phone.clock.wall.store(0, Ordering::SeqCst);
    let second = save(2);
    phone.clock.wall.store(i64::MAX, Ordering::SeqCst);
    save(3);
    assert_eq!((save(1), save(2), rows(&phone, "forms")), (first, second, 3), "a form that comes back notes nothing");
    let others = "WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < ?1)
        INSERT INTO forms (form, given, saved) SELECT cast(i AS BLOB), x'', x'' FROM i";
    phone.store.inner.db.write(|tx| Ok::<_, StoreError>(tx.execute(others, [KEPT - 3])?)).unwrap();
    save(4);
    assert_eq!((save(2), rows(&phone, "forms")), (second, KEPT));
    assert_ne!(save(1), first, "the oldest are forgotten");
}

#[test]
fn what_is_noted_says_nothing_of_what_was_given_and_goes_with_a_wipe() {
    let phone = Phone::new(1);
    Town::new().enrol(&phone, Role::GridMember);
    let (household, person) = phone.household("民主街5号", "张三", "13812348000");
    let number = "610799198001010017";
    let given = ("set_id_number", household.doc, person, number);
    phone.store.for_form(Some(Form::new(form(7), &given))).set_sensitive(household.doc, person, "id_no", number).unwrap();
    let noted: Vec<Vec<u8>> = phone
        .store
        .inner
        .db
        .read(|db| Ok::<_, StoreError>(db.query_row("SELECT form, given, saved FROM forms", [], |row| Ok(vec![row.get(0)?, row.get(1)?, row.get(2)?]))?))
        .unwrap();
    // Neither the number nor the id without which nobody can try out numbers.
    for kept in [form(7).as_bytes().as_slice(), number.as_bytes(), &Hash::of(&[number.as_bytes()]).0, &Hash::of(&[&super::super::meta::encode(&given)]).0] {
        assert!(!noted.iter().any(|noted| noted.windows(kept.len()).any(|window| window == kept)));
    }
    phone.store.wipe().unwrap();
    assert_eq!(rows(&phone, "forms"), 0);
}
