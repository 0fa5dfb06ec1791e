//! What a person does on the phone, without the town.

use super::*;
use crate::device::store::{
    CaseFilter, CaseOrder, DeliveryState, Hit, HouseholdFilter, Lease, PageRequest, PageToken, SaveError, StoreError, Topic, list, query,
};
use crate::domain::fact::{Visit, VisitKind, VisitResult};
use crate::domain::form::{Fault, FormError};
use crate::domain::policy::Refusal;

fn member(seed: u64) -> Phone {
    let phone = Phone::new(seed);
    Town::new().enrol(&phone, Role::GridMember);
    phone
}

fn found(phone: &Phone, typed: &str) -> Vec<DocId> {
    let page = phone.store.search(typed, PageRequest::first(20)).unwrap();
    page.rows
        .into_iter()
        .map(|hit| match hit {
            Hit::Case(row) => row.doc,
            Hit::Household(row) => row.doc,
        })
        .collect()
}

#[test]
fn nothing_is_saved_before_enrolment() {
    let phone = Phone::new(1);
    assert_eq!(phone.store.act(None, ActionKind::Report, report("井盖破损")), Err(SaveError::NotEnrolled));
}

#[test]
fn what_was_saved_is_there_after_a_restart() {
    let phone = member(2);
    let (saved, _) = phone.household("民主街5号", "张三", "13812348000");
    let case = phone.report("井盖破损");
    phone.supplement(case.doc, "已设围栏");
    let phone = phone.reopen();
    let row = phone.store.household(saved.doc).unwrap().unwrap().row;
    assert_eq!((row.head.as_deref(), row.address.as_deref(), row.persons), (Some("张三"), Some("民主街5号"), 1));
    assert_eq!(phone.texts(case.doc), ["井盖破损,请尽快处理", "已设围栏"]);
    let detail = phone.store.case(case.doc).unwrap().unwrap();
    assert_eq!(detail.row.delivery.state, DeliveryState::OnPhone);
    assert!(detail.row.mine);
    assert_eq!(phone.store.status().unwrap().unsent, 3);
}

#[test]
fn chinese_is_found_by_one_two_or_more_characters_and_numbers_by_both_ends() {
    let phone = member(3);
    let (zhang, _) = phone.household("东大街街道民主街5号", "张三丰", "13812348000");
    let (ouyang, _) = phone.household("天汉大道与劳动西路口12号", "欧阳娜娜", "13912345678");
    let case = phone.report("天汉大道井盖破损");
    for (typed, expected) in [
        ("张三", vec![zhang.doc]),
        ("三丰", vec![zhang.doc]),
        ("丰", vec![zhang.doc]),
        ("民主", vec![zhang.doc]),
        ("主民", vec![]),
        ("欧阳", vec![ouyang.doc]),
        ("13812348000", vec![zhang.doc]),
        ("1381234", vec![zhang.doc]),
        ("8000", vec![zhang.doc]),
        ("天汉", vec![case.doc, ouyang.doc]),
        ("天汉 井盖", vec![case.doc]),
        ("破损", vec![case.doc]),
        ("5678 娜", vec![ouyang.doc]),
        // As it is written in an address: neither another's number with a sign of its own, nor both somewhere.
        ("路口12号", vec![ouyang.doc]),
        ("路口5号", vec![]),
        ("民主街5", vec![zhang.doc]),
        ("没有", vec![]),
        ("\"*(", vec![]),
    ] {
        assert_eq!(found(&phone, typed), expected, "{typed}");
    }
    phone.set(zhang.doc, "address", "西环路8号");
    assert_eq!(found(&phone, "民主"), []);
    assert_eq!(found(&phone, "西环路"), [zhang.doc]);
}

#[test]
fn lists_are_paged_by_key() {
    let phone = member(4);
    let docs: Vec<DocId> = (0..25)
        .map(|n| {
            phone.clock.pass(1_000);
            phone.report(&format!("第{n}件")).doc
        })
        .collect();
    let mut seen = Vec::new();
    let mut page = PageRequest::first(10);
    loop {
        let rows = phone.store.cases(&CaseFilter::default(), page).unwrap();
        seen.extend(rows.rows.iter().map(|row| row.doc));
        match rows.next {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, docs.iter().rev().copied().collect::<Vec<_>>());
    let mine = phone
        .store
        .cases(
            &CaseFilter { mine: true, open: Some(true), category: Some("02".to_owned()), area: Some(TOWN.parse().unwrap()), ..CaseFilter::default() },
            PageRequest::first(100),
        )
        .unwrap();
    assert_eq!(mine.rows.len(), 25);
    let none = phone.store.cases(&CaseFilter { category: Some("03".to_owned()), ..CaseFilter::default() }, PageRequest::first(100)).unwrap();
    assert_eq!(none.rows, []);
}

#[test]
fn what_the_centre_would_refuse_is_not_saved() {
    let phone = member(5);
    let far = Fields { grid: Some("610702002001001".parse().unwrap()), ..report("别处") };
    assert_eq!(phone.store.act(None, ActionKind::Report, far), Err(SaveError::Refused(Refusal::OutOfScope)));
    let (saved, _) = phone.household("民主街5号", "张三", "13812348000");
    let unknown = Command::EditHousehold(vec![HouseholdEdit::Set("no_such_field".to_owned(), Value::Null)]);
    assert_eq!(phone.store.save(saved.doc, &unknown), Err(FormError::of(Fault::Unknown, "no_such_field").into()));
    let close = Fields { conclusion: Some("办结".into()), reply: Some("已办".into()), ..Fields::default() };
    let case = phone.report("井盖破损").doc;
    let act = |kind, fields| phone.store.act(Some(case), kind, fields);
    assert_eq!(act(ActionKind::Close, close), Err(SaveError::Refused(Refusal::NotPermitted)));
    assert_eq!(act(ActionKind::Report, report("再报")), Err(FormError::of(Fault::Unknown, "kind").into()));
    assert_eq!(act(ActionKind::Supplement, Fields::default()), Err(FormError::of(Fault::Missing, "evidence").into()));
    assert_eq!(phone.store.status().unwrap().unsent, 2);
}

#[test]
fn what_is_meant_for_a_record_of_another_kind_is_not_saved() {
    let phone = member(5);
    let (household, person) = phone.household("民主街5号", "张三", "13812348000");
    let case = phone.report("井盖破损").doc;
    let (kind, result) = (VisitKind::Care, VisitResult::Met);
    let visit = Visit { kind, result, persons: vec![], needs: None, next_due_ms: None, cases: vec![] };
    let note = Fields { text: Some("补充".into()), ..Fields::default() };
    let edit = Command::EditHousehold(vec![HouseholdEdit::Set("note".to_owned(), Value::Null)]);
    let other = Err(SaveError::OtherKind);
    assert_eq!(phone.store.act(Some(household.doc), ActionKind::Supplement, note).map(drop), other);
    assert_eq!(phone.store.visit(case, &visit).map(drop), other);
    assert_eq!(phone.store.save(case, &edit).map(drop), other);
    assert_eq!(phone.store.set_sensitive(case, person, "id_no", "1").map(drop), other);
    assert_eq!(phone.store.status().unwrap().unsent, 2);
}

#[test]
fn visits_and_sensitive_values_are_facts_beside_the_record() {
    let phone = member(6);
    let (saved, person) = phone.household("民主街5号", "张三", "13812348000");
    let visit =
        Visit {
            kind: VisitKind::Care, result: VisitResult::Met, persons: vec![person], needs: Some("药品".to_owned()), next_due_ms: None, cases: Vec::new()
        };
    let fact = phone.store.visit(saved.doc, &visit).unwrap();
    let detail = phone.store.household(saved.doc).unwrap().unwrap();
    assert_eq!(detail.visits.iter().map(|row| (row.fact, row.delivery.state)).collect::<Vec<_>>(), [(fact, DeliveryState::OnPhone)]);
    let unsent = phone.store.status().unwrap().unsent;
    let nobody = phone.store.new_person();
    assert!(matches!(phone.store.set_sensitive(saved.doc, nobody, "id_no", "610799198001010017"), Err(SaveError::NoSuchPerson)));
    assert_eq!(phone.store.status().unwrap().unsent, unsent, "no value without its name");
    phone.store.set_sensitive(saved.doc, person, "id_no", "610799198001010017").unwrap();
    let household = phone.store.household(saved.doc).unwrap().unwrap().household.unwrap();
    let id = crate::domain::household::text(&household.persons[&person], "id_no").unwrap().parse().unwrap();
    assert_eq!(phone.store.sensitive_value(id).unwrap().as_deref(), Some("610799198001010017"));
    let raw: Vec<u8> = phone.store.record(saved.doc).unwrap().unwrap().changes().into_iter().flat_map(|change| change.raw).collect();
    assert!(!raw.windows(18).any(|window| window == b"610799198001010017"));
}

#[test]
fn after_the_lease_only_reports_are_made_and_households_are_locked() {
    let phone = member(7);
    let (saved, _) = phone.household("民主街5号", "张三", "13812348000");
    let day = 86_400_000;
    phone.clock.pass(6 * day);
    assert!(matches!(phone.store.lease().unwrap(), Lease::Open(left) if left <= day));
    phone.clock.pass(day);
    assert_eq!(phone.store.lease().unwrap(), Lease::ReportOnly);
    assert_eq!(phone.store.household(saved.doc), Err(StoreError::RegistryLocked));
    assert_eq!(phone.store.households(&HouseholdFilter::default(), PageRequest::first(10)), Err(StoreError::RegistryLocked));
    assert!(found(&phone, "张三").is_empty());
    let edit = Command::EditHousehold(vec![HouseholdEdit::Set("note".to_owned(), Value::Text("x".to_owned()))]);
    assert_eq!(phone.store.save(saved.doc, &edit), Err(SaveError::ReportOnly));
    phone.report("井盖破损");
}

#[test]
fn setting_the_clock_back_does_not_extend_the_lease_and_a_dead_clock_does_not_end_it() {
    let phone = member(8);
    let day = 86_400_000;
    phone.clock.pass(4 * day);
    phone.store.count_time().unwrap();
    // Back to the start by the wall, four more days by the running time.
    phone.clock.wall.fetch_sub(4 * day, Ordering::SeqCst);
    phone.clock.pass(4 * day);
    assert_eq!(phone.store.lease().unwrap(), Lease::ReportOnly);

    let phone = member(9);
    phone.clock.wall.store(0, Ordering::SeqCst);
    assert!(matches!(phone.store.lease().unwrap(), Lease::Open(_)));
    let phone = phone.reopen();
    assert!(matches!(phone.store.lease().unwrap(), Lease::Open(_)));
}

#[tokio::test]
async fn an_observer_gets_the_value_at_once_and_then_what_changed() {
    let phone = member(10);
    let mut open = phone.store.watch(&[Topic::Cases], |store| Ok(store.cases(&CaseFilter::default(), PageRequest::first(10))?.rows.len()));
    assert_eq!(open.next().await.unwrap(), 0);
    phone.report("一");
    phone.report("二");
    assert_eq!(open.next().await.unwrap(), 2, "two commits are one look");
    phone.household("民主街5号", "张三", "13812348000");
    let store = phone.store.clone();
    let later = tokio::task::spawn_blocking(move || {
        std::thread::sleep(std::time::Duration::from_millis(20));
        store.act(None, ActionKind::Report, report("三")).unwrap();
    });
    assert_eq!(open.next().await.unwrap(), 3, "a household wakes nobody who looks at cases");
    later.await.unwrap();
}

#[test]
fn errors_and_debug_say_nothing_personal() {
    let phone = member(11);
    let (saved, _) = phone.household("民主街5号", "张三", "13812348000");
    let signed = phone.store.prepare(Prepare::default()).map(|prepared| prepared.signed);
    // After sealing: what was sealed last stays in memory.
    let shown = format!("{:?} {signed:?} {saved:?}", phone.store);
    for secret in ["张三", "13812348000", "民主街"] {
        let bytes = format!("{:?}", secret.as_bytes());
        assert!(!shown.contains(secret) && !shown.contains(bytes.trim_matches(['[', ']'])));
    }
}

#[test]
fn what_a_limit_of_the_centre_would_refuse_is_not_saved() {
    let phone = member(12);
    let case = phone.report("井盖破损").doc;
    let identity = phone.store.enrolled().unwrap();
    let action = |n: usize| {
        let fields = Fields { text: Some(format!("{n}{}", "字".repeat(1_990))), ..Fields::default() };
        let history = phone.store.case(case).unwrap().unwrap().case.unwrap();
        crate::domain::case::compose(&history, identity.grant.author(), phone.clock.stamp(), ActionKind::Supplement, fields, crate::domain::case::RULES).action
    };
    let save = |actions: Vec<_>| phone.store.save(case, &Command::Act(actions));
    let equal = Fields { text: Some("同样的话".to_owned()), ..Fields::default() };
    assert_eq!(save((0..17).map(|n| crate::domain::action::Action { fields: equal.clone(), ..action(n) }).collect()).err(), None, "equal actions are one");
    assert_eq!(save((0..17).map(action).collect()), Err(SaveError::Refused(Refusal::TooLarge)), "seventeen actions");
    assert_eq!(save((0..16).map(action).collect()), Err(SaveError::Refused(Refusal::TooLarge)), "more than 64 KiB");
    // Six kilobytes each: the record is full at a megabyte.
    let mut saved = 0;
    let refused = loop {
        match save((0..8).map(|n| action(saved * 8 + n)).collect()) {
            Ok(_) => saved += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((refused, saved), (SaveError::Refused(Refusal::RecordFull), 20));
    assert_eq!(phone.store.status().unwrap().unsent as usize, 2 + saved);
    phone.supplement(case, "还有空间的话");
}

#[test]
fn a_days_list_is_what_is_due_and_then_what_is_open_page_by_page() {
    let (mut town, (a, da), _) = pair();
    let cases: Vec<_> = (0..5)
        .map(|n| {
            a.clock.pass(1_000);
            a.report(&format!("第{n}处")).doc
        })
        .collect();
    town.sync(&a, da);
    let due = |doc: DocId, ms: Option<i64>, open: bool| {
        let sql = "UPDATE cases SET due_ms = ?2, open = ?3 WHERE n = (SELECT n FROM documents WHERE doc = ?1)";
        a.store.inner.db.write(|tx| Ok::<_, StoreError>(tx.execute(sql, rusqlite::params![doc.as_bytes(), ms, open])?)).unwrap()
    };
    due(cases[1], Some(2_000_000_000_000), true);
    due(cases[3], Some(1_900_000_000_000), true);
    due(cases[4], None, false);
    let filter = CaseFilter { order: CaseOrder::Today, ..CaseFilter::default() };
    let mut seen = Vec::new();
    let mut page = PageRequest::first(1);
    loop {
        let found = a.store.cases(&filter, page).unwrap();
        seen.extend(found.rows.iter().map(|row| row.doc));
        let Some(next) = found.next else { break };
        page.after = Some(next);
    }
    assert_eq!(seen, [cases[3], cases[1], cases[2], cases[0]]);
}

#[test]
fn a_days_list_ends_also_where_clocks_were_absurd() {
    let (mut town, (a, da), _) = pair();
    let ends = [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX];
    let cases = ends.map(|_| a.report("井盖破损").doc);
    town.sync(&a, da);
    for (doc, ms) in cases.iter().zip(ends) {
        let sql = "UPDATE cases SET updated_ms = ?2 WHERE n = (SELECT n FROM documents WHERE doc = ?1)";
        a.store.inner.db.write(|tx| Ok::<_, StoreError>(tx.execute(sql, rusqlite::params![doc.as_bytes(), ms])?)).unwrap();
    }
    let filter = CaseFilter { order: CaseOrder::Today, ..CaseFilter::default() };
    let (mut seen, mut page) = (Vec::new(), PageRequest::first(1));
    for _ in 0..cases.len() {
        let found = a.store.cases(&filter, page).unwrap();
        seen.extend(found.rows.iter().map(|row| row.doc));
        page.after = found.next;
    }
    assert_eq!((seen[0], seen.len(), page.after), (cases[4], cases.len(), None));
    assert!(cases.iter().all(|case| seen.contains(case)));
}

/// What SQLite would do.
fn plan(phone: &Phone, sql: &str, values: impl IntoIterator<Item: rusqlite::ToSql>) -> Vec<String> {
    let explained = |db: &rusqlite::Connection| {
        let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
        Ok::<_, StoreError>(statement.query_map(rusqlite::params_from_iter(values), |row| row.get(3))?.collect::<Result<_, _>>()?)
    };
    phone.store.inner.db.read(explained).unwrap()
}

#[test]
fn own_edits_are_found_by_indexes() {
    let phone = member(13);
    for (sql, values) in
        [query::edited(query::Which::Of(DocId::from_bytes([7; 16]))), query::edited(query::Which::Open), query::edited(query::Which::Before(9, 10))]
    {
        let plan = plan(&phone, &sql, values);
        assert!(plan.iter().any(|step| step.contains("INDEX") || step.contains("PRIMARY KEY (rowid<?)")), "{sql}: {plan:?}");
    }
}

#[test]
fn the_status_is_counted_by_indexes() {
    let phone = member(13);
    for sql in query::counted() {
        let plan = plan(&phone, &sql, [0; 0]);
        assert!(plan.iter().all(|step| step.contains("INDEX")), "{sql}: {plan:?}");
    }
}

#[test]
fn no_list_of_cases_is_sorted_to_be_shown() {
    let (_, (a, _), _) = pair();
    let after = Some(PageToken { key: 1_790_000_000_000, n: 7 });
    for order in [CaseOrder::Updated, CaseOrder::Due, CaseOrder::Today] {
        for filter in [
            CaseFilter { order, ..CaseFilter::default() },
            CaseFilter { order, open: Some(true), ..CaseFilter::default() },
            CaseFilter { order, mine: true, ..CaseFilter::default() },
            CaseFilter { order, assigned: true, ..CaseFilter::default() },
            CaseFilter { order, area: Some(TOWN.parse().unwrap()), ..CaseFilter::default() },
        ] {
            for page in [PageRequest::first(50), PageRequest { limit: 50, after }] {
                let (sql, values) = list::cases(&filter, page);
                let plan = plan(&a, &sql, values);
                assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{filter:?}: {plan:?}");
            }
        }
    }
}

#[test]
fn a_case_that_is_to_go_to_another_grid_can_be_written_on_until_it_has_left() {
    let (mut town, (a, da), _) = pair();
    let desk = Phone::new(3);
    let ddesk = town.enrol(&desk, Role::TownDispatcher);
    // Many, as an action's id decides nothing.
    let cases: Vec<DocId> = (0..8).map(|n| a.report(&format!("第{n}处")).doc).collect();
    town.sync(&a, da);
    town.sync(&desk, ddesk);
    for case in &cases {
        desk.store.act(Some(*case), ActionKind::Edit, Fields { grid: Some("610702001001002".parse().unwrap()), ..Fields::default() }).unwrap();
    }
    town.sync(&desk, ddesk);
    town.sync(&a, da);
    for case in cases {
        a.supplement(case, "已设围挡");
    }
}

#[test]
fn a_check_finds_nothing_wrong_with_what_was_written_since_the_last() {
    let phone = member(31);
    let note = Command::EditHousehold(vec![HouseholdEdit::Set("note".into(), Value::Text("记".repeat(1_900)))]);
    for _ in 0..5 {
        for _ in 0..5 {
            let (saved, _) = phone.household("民主街5号", "张三", "13812348000");
            phone.store.save(saved.doc, &note).unwrap();
        }
        phone.store.check().unwrap();
    }
}
