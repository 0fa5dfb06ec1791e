//! `report`, `list`, `act`, and a case on the screen.

use fieldgrid_core::device::store::{CaseDetail, CaseFilter, CaseOrder, CaseRow, Page, PageRequest, Saved, StoreError};
use fieldgrid_core::domain::action::{Fields, Place};
use fieldgrid_core::domain::case::kinds::{self, Field};
use fieldgrid_core::domain::case::{Case, Effect, Entry};
use fieldgrid_core::domain::words;
use serde::Serialize;

use crate::args::{self, Act, ActionFields, List};
use crate::output::table;
use crate::record::short;
use crate::time::Moment;
use crate::{App, Failure};

/// Millionths in a degree.
const E6: f64 = 1e6;

impl App {
    pub fn report(&self, fields: ActionFields) -> Result<(), Failure> {
        let saved = self.device.report(fields.into_fields()?)?;
        self.acted(saved)
    }

    pub fn act(&self, args: Act) -> Result<(), Failure> {
        let case = self.find(&args.case)?;
        let saved = self.device.act(case, args.kind, args.fields.into_fields()?)?;
        self.acted(saved)
    }

    pub fn list(&self, args: &List) -> Result<(), Failure> {
        let order = if args.due { CaseOrder::Due } else { CaseOrder::Updated };
        let filter =
            CaseFilter { state: args.state, open: args.open.then_some(true), mine: args.mine, assigned: args.assigned, order, ..CaseFilter::default() };
        let page = paged(&args.page, |page| self.device.cases(&filter, page))?;
        self.out.result(&page, || self.lines(page.rows.iter().map(|row| self.case_line(row)).collect()));
        Ok(())
    }

    /// Says what was saved, and whether it takes effect as the case stands here.
    fn acted(&self, saved: Saved) -> Result<(), Failure> {
        let Some(entry) = self.own_entry(saved)? else {
            return self.saved(saved);
        };
        let missing: Vec<_> = kinds::spec(entry.action.kind).map(|spec| spec.missing(&entry.action)).unwrap_or_default().into_iter().map(flag).collect();
        let done = serde_json::json!({ "doc": saved.doc, "edit": saved.edit, "action": entry.id, "effect": entry.effect, "missing": missing });
        self.out.result(&done, || {
            let mut text = vec![self.saved_text(saved)];
            if let Effect::Ineffective(reason) = entry.effect {
                let reason = self.out.word(words::ineffective(reason));
                text.push(self.out.say(format_args!("但按本机所见未生效：{reason}"), format_args!("but it has no effect as the case stands here: {reason}")));
            }
            if !missing.is_empty() {
                let missing = missing.join(" ");
                text.push(self.out.say(format_args!("还缺：{missing}"), format_args!("missing: {missing}")));
            }
            text.join("\n")
        });
        Ok(())
    }

    fn own_entry(&self, saved: Saved) -> Result<Option<Entry>, Failure> {
        let Some(detail) = self.device.case(saved.doc)? else {
            return Ok(None);
        };
        let actions = detail.edits.into_iter().find(|edit| edit.edit == saved.edit).map(|edit| edit.actions).unwrap_or_default();
        Ok(detail.case.and_then(|case| case.history.into_iter().find(|entry| actions.contains(&entry.id))))
    }

    /// Says what was saved: durable on this phone, not yet at the centre.
    pub fn saved(&self, saved: Saved) -> Result<(), Failure> {
        self.out.result(&saved, || self.saved_text(saved));
        Ok(())
    }

    fn saved_text(&self, saved: Saved) -> String {
        self.out.say(format_args!("已保存在本机：{}", short(saved.doc)), format_args!("Saved on this phone: {}", short(saved.doc)))
    }

    pub fn case_line(&self, row: &CaseRow) -> Vec<String> {
        let state = self.out.word(words::state(row.state));
        let severity = row.severity.map(|severity| self.out.word(words::severity(severity))).unwrap_or_default();
        let due = row.due_ms.map(|ms| self.out.say(format_args!("限 {}", Moment(ms)), format_args!("due {}", Moment(ms)))).unwrap_or_default();
        let name = row.number.clone().unwrap_or_else(|| short(row.doc));
        let title = row.title.clone().or_else(|| row.address.clone()).unwrap_or_default();
        vec![name, state.to_owned(), severity.to_owned(), title, due, self.delivery(&row.delivery)]
    }

    pub fn case_text(&self, detail: &CaseDetail) -> String {
        let mut text = vec![table(&[self.case_line(&detail.row)])];
        if let Some(case) = &detail.case {
            text.push(table(&self.header(case, &detail.row)));
            text.push(table(&case.history.iter().map(|entry| self.entry(entry, detail)).collect::<Vec<_>>()));
        }
        if let Some(progress) = &detail.progress {
            text.push(crate::output::pretty(progress));
        }
        text.extend(self.undecided_text(&detail.edits));
        if !detail.possible.is_empty() {
            let kinds = detail.possible.iter().map(|kind| format!("{kind}({})", self.out.word(words::action(*kind)))).collect::<Vec<_>>().join(" ");
            text.push(self.out.say(format_args!("下一步可做：{kinds}"), format_args!("Possible next: {kinds}")));
        }
        text.join("\n\n")
    }

    fn header(&self, case: &Case, row: &CaseRow) -> Vec<Vec<String>> {
        let header = &case.header;
        let lines = [
            (self.out.say("编号", "id"), Some(row.doc.to_string())),
            (self.out.say("内容", "text"), header.text.clone()),
            (self.out.say("类别", "category"), header.category.clone()),
            (self.out.say("地址", "address"), header.place.as_ref().and_then(|place| place.address.clone())),
            (self.out.say("网格", "grid"), header.grid.map(|grid| grid.to_string())),
            (self.out.say("答复", "reply"), case.reply.clone()),
            (self.out.say("待裁决", "flags"), (!case.flags.is_empty()).then(|| case.flags.len().to_string())),
        ];
        lines.into_iter().filter_map(|(name, value)| Some(vec![name, value?])).collect()
    }

    fn entry(&self, entry: &Entry, detail: &CaseDetail) -> Vec<String> {
        let action = &entry.action;
        let effect = match entry.effect {
            Effect::Effective => String::new(),
            Effect::Ineffective(reason) => {
                let reason = self.out.word(words::ineffective(reason));
                self.out.say(format_args!("未生效：{reason}"), format_args!("no effect: {reason}"))
            }
        };
        let fields = &action.fields;
        let said = [&fields.title, &fields.text, &fields.measure, &fields.reason, &fields.reply, &fields.observation, &fields.conclusion, &fields.instruction];
        let said = said.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" · ");
        let own = detail.edits.iter().find(|edit| edit.actions.contains(&entry.id)).map(|edit| self.delivery(&edit.delivery));
        let role = self.out.word(words::role(action.author.role));
        vec![
            Moment(action.at.wall_ms).to_string(),
            self.out.word(words::action(action.kind)).to_owned(),
            role.to_owned(),
            said,
            effect,
            own.unwrap_or_default(),
        ]
    }
}

/// Walks a list from its start to the rows that are wanted.
pub fn paged<T: Serialize>(wanted: &args::Page, mut page: impl FnMut(PageRequest) -> Result<Page<T>, StoreError>) -> Result<Page<T>, Failure> {
    let (mut skip, mut after) = (wanted.skip, None);
    while skip > 0 {
        let skipped = page(PageRequest { limit: skip, after })?;
        skip -= u32::try_from(skipped.rows.len()).unwrap_or(skip).min(skip);
        match skipped.next {
            Some(next) => after = Some(next),
            None => return Ok(Page { rows: Vec::new(), next: None }),
        }
    }
    Ok(page(PageRequest { limit: wanted.limit, after })?)
}

/// The flag that gives a field; the field's own name where only `--fields` does.
const fn flag(field: Field) -> &'static str {
    match field {
        Field::Category => "--category",
        Field::Place | Field::Spot => "--address",
        Field::OccurredAt => "--occurred",
        Field::Severity => "--severity",
        Field::Evidence => "--text",
        Field::Score => "--score",
        Field::Measure => "--measure",
        Field::Photo | Field::Photos => "evidence",
        Field::FinishedAt => "--finished",
        Field::Reason => "--reason",
        Field::DueAt => "--due",
        Field::Result => "--result",
        Field::Observation => "--observation",
        Field::SeenAt => "--seen",
        Field::Grid => "--grid",
        Field::DuplicateCheck => "--duplicate-check",
        Field::Org => "--org",
        Field::Instruction => "--instruction",
        Field::Targets => "--target",
        Field::MaxDays => "max_days",
        Field::Departments => "departments",
        Field::Decision => "decision",
        Field::Row => "row",
        Field::Header => "--title",
        Field::Conclusion => "--conclusion",
        Field::Reply => "--reply",
        Field::Primary => "primary",
    }
}

impl ActionFields {
    pub fn into_fields(self) -> Result<Fields, Failure> {
        let base: Fields = match &self.fields {
            Some(json) => serde_json::from_str(json).map_err(|error| Failure::usage(format_args!("--fields: {error}")))?,
            None => Fields::default(),
        };
        let point = |degrees: Option<f64>, limit: f64| match degrees {
            Some(degrees) if degrees.abs() <= limit => Ok(Some((degrees * E6).round() as i32)),
            Some(degrees) => Err(Failure::usage(format_args!("{degrees}°?"))),
            None => Ok(None),
        };
        let place = Place { lat_e6: point(self.lat, 90.0)?, lng_e6: point(self.lng, 180.0)?, accuracy_m: self.accuracy, address: self.address };
        let some = |list: Vec<_>| (!list.is_empty()).then_some(list);
        Ok(Fields {
            title: self.title.or(base.title),
            text: self.text.or(base.text),
            category: self.category.or(base.category),
            severity: self.severity.or(base.severity),
            place: Some(place).filter(|place| *place != Place::default()).or(base.place),
            occurred_ms: self.occurred.map(|moment| moment.0).or(base.occurred_ms),
            reason: self.reason.or(base.reason),
            reply: self.reply.or(base.reply),
            result: self.result.or(base.result),
            measure: self.measure.or(base.measure),
            finished_ms: self.finished.map(|moment| moment.0).or(base.finished_ms),
            org: self.org.or(base.org),
            person: self.person.or(base.person),
            required: some(self.required).or(base.required),
            due_ms: self.due.map(|moment| moment.0).or(base.due_ms),
            instruction: self.instruction.or(base.instruction),
            targets: (!self.target.is_empty()).then_some(self.target).or(base.targets),
            observation: self.observation.or(base.observation),
            seen_ms: self.seen.map(|moment| moment.0).or(base.seen_ms),
            conclusion: self.conclusion.or(base.conclusion),
            grid: self.grid.or(base.grid),
            duplicate_check: self.duplicate_check.or(base.duplicate_check),
            score: self.score.or(base.score),
            source: self.source.or(base.source),
            ..base
        })
    }
}
