//! What was typed is read, corrected and sent again from every state, and given up by nobody but its author.

use super::*;
use crate::device::store::{Correction, PageRequest, Remedy, SaveError, Typed};
use crate::domain::fact::{Visit, VisitKind, VisitResult};
use crate::wire::entry::Leave;

fn care(needs: &str) -> Visit {
    Visit { kind: VisitKind::Care, result: VisitResult::Met, persons: Vec::new(), needs: Some(needs.to_owned()), next_due_ms: None, cases: Vec::new() }
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

/// Everything that may stand in the way of work, as a verdict on it.
fn hindrances() -> Vec<(Verdict, DeliveryState)> {
    vec![
        (Verdict::Refused(Refusal::OutOfScope), DeliveryState::Refused),
        (Verdict::Stranded(Hash::ZERO), DeliveryState::Decide),
        (Verdict::Quarantined, DeliveryState::Quarantined),
        (Verdict::Waiting(Hash::ZERO), DeliveryState::Waiting),
    ]
}

/// Judges everything so.
fn all(verdict: &Verdict) -> impl FnMut(&Item) -> Verdict + use<> {
    let verdict = verdict.clone();
    move |_| verdict.clone()
}

fn values(phone: &Phone, edit: Hash) -> Vec<(String, String)> {
    let rows = phone.store.history(PageRequest::first(100)).unwrap().rows;
    rows.into_iter().find(|row| row.edit == edit).unwrap().typed.unwrap().values()
}

#[track_caller]
fn says(phone: &Phone, edit: Hash, name: &str, value: &str) {
    let said = values(phone, edit);
    assert!(said.iter().any(|(field, said)| field.ends_with(name) && said == value), "{said:?}");
}

/// One of each form, on records that the town holds: action, household edit, visit, ID number.
struct Day {
    town: Town,
    a: Phone,
    da: DeviceId,
    case: Saved,
    home: Saved,
    person: PersonId,
}

fn day() -> Day {
    let (mut town, (a, da), _) = pair();
    let case = a.report("井盖破损");
    let (home, person) = a.household("民主街5号", "张三", "13812348000");
    town.sync(&a, da);
    Day { town, a, da, case, home, person }
}

fn facts_edit(phone: &Phone, doc: DocId) -> Hash {
    phone.store.edits(doc).unwrap().into_iter().rev().find(|row| row.fact.is_some()).unwrap().edit
}

#[test]
fn what_was_typed_is_read_in_every_state() {
    for (verdict, state) in hindrances() {
        let Day { mut town, a, da, case, home, person } = day();
        let withdrawal = a.store.act(Some(case.doc), ActionKind::Withdraw, Fields { reason: Some("已自行解决".to_owned()), ..Fields::default() }).unwrap();
        let note = a.set(home.doc, "note", "有狗");
        a.store.visit(home.doc, &care("药品")).unwrap();
        let visit = facts_edit(&a, home.doc);
        a.store.set_sensitive(home.doc, person, "id_no", "610702198001010017").unwrap();
        let number = facts_edit(&a, home.doc);
        let read = |phone: &Phone| {
            says(phone, withdrawal.edit, "reason", "已自行解决");
            says(phone, note.edit, "note", "有狗");
            says(phone, visit, "needs", "药品");
            says(phone, number, "id_no", "610702********0017");
        };
        read(&a);
        town.sync_judged(&a, da, &mut all(&verdict));
        read(&a);
        let a = a.reopen();
        read(&a);
        let rows = a.store.edits(home.doc).unwrap();
        assert_eq!(rows.iter().find(|row| row.edit == note.edit).unwrap().delivery.state, state);
        let visits = a.store.visits(Some(home.doc), PageRequest::first(5)).unwrap().rows;
        assert_eq!(visits[0].needs.as_deref(), Some("药品"));
        if matches!(state, DeliveryState::Refused | DeliveryState::Decide) {
            for word in ["有狗", "药品", "自行解决"] {
                assert_eq!(a.store.search(word, PageRequest::first(5)).unwrap().rows.len(), 1, "{word} {state}");
            }
        }
    }
}

#[test]
fn work_is_sent_again_as_it_was_from_every_state() {
    for (verdict, state) in hindrances() {
        let Day { mut town, a, da, case, home, .. } = day();
        let supplement = a.supplement(case.doc, "还有一处");
        let note = a.set(home.doc, "note", "有狗");
        a.store.visit(home.doc, &care("药品")).unwrap();
        let visit = facts_edit(&a, home.doc);
        town.sync_judged(&a, da, &mut all(&verdict));
        let edits = [(case.doc, supplement.edit), (home.doc, note.edit), (home.doc, visit)];
        for (doc, edit) in edits {
            let row = a.store.edits(doc).unwrap().into_iter().find(|row| row.edit == edit).unwrap();
            assert_eq!(row.delivery.state, state);
            assert!(row.remedies.contains(&Remedy::Redo) && row.remedies.contains(&Remedy::Correct), "{row:?}");
            assert_eq!(a.store.redo(doc, edit).unwrap(), Saved { doc, edit }, "{state}");
        }
        town.sync(&a, da);
        let status = a.store.status().unwrap();
        assert_eq!((status.unsent, status.refused, status.rebuilding), (0, 0, false), "{state}");
        assert_eq!(field(&a, home.doc, "note").as_deref(), Some("有狗"), "{state}");
        assert_eq!(a.texts(case.doc).iter().filter(|text| *text == "还有一处").count(), 1, "{state}");
        for (doc, edit) in edits {
            assert_eq!(town.edits().iter().filter(|there| **there == edit).count(), 1, "once: {state}");
            let rows: Vec<_> = a.store.edits(doc).unwrap().into_iter().filter(|row| row.edit == edit).collect();
            assert_eq!(rows.iter().map(|row| row.delivery.state).collect::<Vec<_>>(), [DeliveryState::Received], "{state}");
            assert_eq!(a.store.redo(doc, edit), Err(SaveError::NoSuchRecord), "it is there");
        }
    }
}

#[test]
fn work_is_sent_with_other_values_from_every_state() {
    for (verdict, state) in hindrances() {
        let Day { mut town, a, da, case, home, person } = day();
        let supplement = a.supplement(case.doc, "还有一出");
        let note = a.set(home.doc, "note", "有够");
        a.store.visit(home.doc, &care("要品")).unwrap();
        let visit = facts_edit(&a, home.doc);
        a.store.set_sensitive(home.doc, person, "id_no", "610702198001010018").unwrap();
        let number = facts_edit(&a, home.doc);
        town.sync_judged(&a, da, &mut all(&verdict));
        let when = a.store.visits(Some(home.doc), PageRequest::first(5)).unwrap().rows[0].wall_ms;
        a.clock.pass(3_600_000);
        let fields = Fields { text: Some("还有一处".to_owned()), ..Fields::default() };
        assert_eq!(a.store.correct(home.doc, note.edit, Correction::Fields(Box::default())), Err(SaveError::NoSuchRecord), "another form's values");
        a.store.correct(case.doc, supplement.edit, Correction::Fields(Box::new(fields))).unwrap();
        a.store.correct(home.doc, note.edit, Correction::Household(vec![HouseholdEdit::Set("note".to_owned(), text("有狗"))])).unwrap();
        a.store.correct(home.doc, visit, Correction::Visit(care("药品"))).unwrap();
        a.store.correct(home.doc, number, Correction::IdNumber("610702198001010017".to_owned())).unwrap();
        town.sync(&a, da);
        let status = a.store.status().unwrap();
        assert_eq!((status.unsent, status.refused, status.rebuilding), (0, 0, false), "{state}");
        assert_eq!(field(&a, home.doc, "note").as_deref(), Some("有狗"), "{state}");
        assert_eq!(a.texts(case.doc).last().map(String::as_str), Some("还有一处"), "{state}");
        let visits = a.store.visits(Some(home.doc), PageRequest::first(5)).unwrap().rows;
        assert_eq!(visits.iter().map(|row| (row.needs.as_deref(), row.wall_ms)).collect::<Vec<_>>(), [(Some("药品"), when)], "{state}");
        let household = a.store.household(home.doc).unwrap().unwrap().household.unwrap();
        let named = crate::domain::household::text(&household.persons[&person], "id_no").unwrap().parse().unwrap();
        assert_eq!(a.store.sensitive_value(named).unwrap().as_deref(), Some("610702198001010017"), "{state}");
        // What was typed first is told apart.
        let first = a.store.history(PageRequest::first(100)).unwrap().rows.into_iter().find(|row| row.edit == note.edit).unwrap();
        assert_eq!((first.delivery.state, first.remedies), (DeliveryState::Replaced, Vec::new()), "{state}");
    }
}

#[test]
fn work_that_waits_at_the_centre_holds_up_nothing_else() {
    let Day { mut town, a, da, case, home, .. } = day();
    let waits = a.set(home.doc, "note", "有狗");
    let refused = a.supplement(case.doc, "还有一处");
    let mut judge = move |item: &Item| match item {
        Item::Change(change) if change.edit_id() == waits.edit => Verdict::Waiting(Hash::ZERO),
        _ => Verdict::Refused(Refusal::OutOfScope),
    };
    town.sync_judged(&a, da, &mut judge);
    let more = a.supplement(case.doc, "第三处");
    a.store.redo(case.doc, refused.edit).unwrap();
    town.sync(&a, da);
    let state = |doc, edit| a.store.edits(doc).unwrap().into_iter().find(|row| row.edit == edit).unwrap().delivery.state;
    assert_eq!([more.edit, refused.edit].map(|edit| state(case.doc, edit)), [DeliveryState::Received; 2]);
    assert_eq!((state(home.doc, waits.edit), field(&a, home.doc, "note").as_deref()), (DeliveryState::Waiting, Some("有狗")));
    // It gets in at last, and what was written on it with it.
    let last = a.set(home.doc, "pets", "一只猫");
    town.sync(&a, da);
    let (own, said) = (town.devices[&da].stream, verdicts(&town, da).into_iter().find(|said| said.exceptions.len() == 2).unwrap());
    town.state(own, FactKind::Verdict, None, &BatchVerdict { exceptions: said.exceptions.into_iter().filter(|one| one.item != 0).collect(), ..said });
    town.sync(&a, da);
    assert_eq!([waits.edit, last.edit].map(|edit| state(home.doc, edit)), [DeliveryState::Received; 2]);
    assert_eq!(["note", "pets"].map(|name| field(&a, home.doc, name)), ["有狗", "一只猫"].map(|value| Some(value.to_owned())));
}

/// What the town said of a device's batches.
fn verdicts(town: &Town, device: DeviceId) -> Vec<BatchVerdict> {
    let said = |placed: &town::Placed| match &placed.entry {
        Entry::Fact(Fact { kind: FactKind::Verdict, body: Body::Held(body), .. }) => minicbor::decode(body).ok(),
        _ => None,
    };
    town.streams[&town.devices[&device].stream].iter().filter_map(said).collect()
}

#[test]
fn a_new_record_that_was_refused_stays_visible_and_is_sent_again() {
    for corrected in [false, true] {
        let (mut town, (a, da), _) = pair();
        let (home, _) = a.household("民主街5号", "张三", "13812348000");
        let case = a.report("井盖破损");
        town.sync_judged(&a, da, &mut all(&Verdict::Refused(Refusal::GrantEnded)));
        assert_eq!(field(&a, home.doc, "address").as_deref(), Some("民主街5号"));
        assert_eq!(a.store.search("张三", PageRequest::first(5)).unwrap().rows.len(), 1);
        if corrected {
            a.store
                .correct(
                    home.doc,
                    home.edit,
                    Correction::Household(vec![HouseholdEdit::Set("grid".to_owned(), text(GRID)), HouseholdEdit::Set("address".to_owned(), text("民主街6号"))]),
                )
                .unwrap();
            a.store.correct(case.doc, case.edit, Correction::Fields(Box::new(report("路灯不亮")))).unwrap();
        } else {
            a.store.redo(home.doc, home.edit).unwrap();
            a.store.redo(case.doc, case.edit).unwrap();
        }
        town.sync(&a, da);
        let status = a.store.status().unwrap();
        assert_eq!((status.unsent, status.refused), (0, 0));
        assert_eq!(field(&a, home.doc, "address").as_deref(), Some(if corrected { "民主街6号" } else { "民主街5号" }));
        let title = a.store.case(case.doc).unwrap().unwrap().row.title;
        assert_eq!(title.as_deref(), Some(if corrected { "路灯不亮" } else { "井盖破损" }));
        assert_eq!(town.edits().len(), 2);
    }
}

#[test]
fn what_was_refused_on_a_record_that_left_is_read_and_sent_again() {
    let Day { mut town, a, da, case, home, .. } = day();
    let supplement = a.supplement(case.doc, "还有一处");
    let note = a.set(home.doc, "note", "有狗");
    a.store.visit(home.doc, &care("药品")).unwrap();
    let visit = facts_edit(&a, home.doc);
    town.sync_judged(&a, da, &mut all(&Verdict::Refused(Refusal::OutOfScope)));
    for doc in [case.doc, home.doc] {
        let (grid, by) = (town.grid.id, FactId::from_bytes(town.id()));
        town.push(grid, Entry::Leave(Leave { doc, by }));
        town.moved.push(doc);
    }
    assert_eq!(town.sync(&a, da).purged, 2);
    says(&a, supplement.edit, "text", "还有一处");
    says(&a, note.edit, "note", "有狗");
    says(&a, visit, "needs", "药品");
    for (doc, edit) in [(case.doc, supplement.edit), (home.doc, visit)] {
        a.store.redo(doc, edit).unwrap();
    }
    // A household's field cannot be set without the household: it is read, and given up.
    assert_eq!(a.store.redo(home.doc, note.edit), Err(SaveError::NoSuchRecord));
    let row = a.store.outbox().unwrap().into_iter().find(|row| row.edit == note.edit).unwrap();
    assert_eq!(row.remedies, [Remedy::Discard]);
    a.store.discard(home.doc, note.edit).unwrap();
    town.sync(&a, da);
    let status = a.store.status().unwrap();
    assert_eq!((status.unsent, status.refused, status.cases, status.households), (0, 0, 0, 0), "and they go again");
}

#[test]
fn the_history_tells_everything_newest_first() {
    let Day { mut town, a, da, case, home, .. } = day();
    let first = a.store.prepare(Prepare::default()).unwrap();
    let answer = town.answer(da, &first.bytes, &mut |_| Verdict::Accepted);
    a.store.apply(&Answer { safe_through: Some(u64::MAX), ..answer }).unwrap();
    let refused = a.set(home.doc, "note", "有狗");
    town.sync_judged(&a, da, &mut all(&Verdict::Refused(Refusal::OutOfScope)));
    let kept = a.supplement(case.doc, "还有一处");
    let mut rows = Vec::new();
    let mut page = PageRequest::first(1);
    loop {
        let found = a.store.history(page).unwrap();
        rows.extend(found.rows);
        let Some(next) = found.next else { break };
        page.after = Some(next);
    }
    let told: Vec<_> = rows.iter().map(|row| (row.edit, row.delivery.state, row.backed_up)).collect();
    let expected = [
        (kept.edit, DeliveryState::OnPhone, false),
        (refused.edit, DeliveryState::Refused, false),
        (home.edit, DeliveryState::Received, true),
        (case.edit, DeliveryState::Received, true),
    ];
    assert_eq!(told, expected);
    assert_eq!(rows[1].remedies, [Remedy::Redo, Remedy::Correct, Remedy::Discard]);
    assert!(rows[1].words.is_some() && rows[0].remedies.is_empty());
    a.store.discard(home.doc, refused.edit).unwrap();
    let rows = a.store.history(PageRequest::first(10)).unwrap().rows;
    assert_eq!((rows[1].delivery.state, rows[1].typed.is_some()), (DeliveryState::Discarded, true));
    assert!(matches!(rows[0].typed, Some(Typed::Actions { .. })));
}
