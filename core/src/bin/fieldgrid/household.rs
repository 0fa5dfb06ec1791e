//! `household` and `visit`.

use std::io::Read;

use fieldgrid_core::device::NewHousehold;
use fieldgrid_core::device::store::{HouseholdDetail, HouseholdFilter, HouseholdRow};
use fieldgrid_core::domain::area::{AreaCode, Level};
use fieldgrid_core::domain::fact;
use fieldgrid_core::domain::household::{Fields, HouseholdEdit, TAG_PREFIX, Value, household_field, person_field};

use crate::args::{self, Household, HouseholdAdd, HouseholdList, Reveal, SetId, Visit};
use crate::case::paged;
use crate::output::table;
use crate::record::short;
use crate::{App, Failure};

impl App {
    pub fn household(&self, command: Household) -> Result<(), Failure> {
        self.enrolled()?;
        match command {
            Household::Add(args) => self.add_household(args),
            Household::Edit(args) => self.edit_household(args),
            Household::List(args) => self.list_households(&args),
            Household::Show(args) => self.show(&args),
            Household::SetId(args) => self.set_id(args),
            Household::Reveal(args) => self.reveal(args),
        }
    }

    pub fn visit(&self, args: Visit) -> Result<(), Failure> {
        let household = self.find(&args.household)?;
        let visit = fact::Visit {
            kind: args.kind,
            result: args.result,
            persons: args.persons,
            needs: args.needs,
            next_due_ms: args.next.map(|moment| moment.0),
            cases: Vec::new(),
        };
        let fact = self.device.visit(household, &visit)?;
        self.out.result(&serde_json::json!({ "fact": fact }), || self.out.say("走访已保存在本机", "Visit saved on this phone"));
        Ok(())
    }

    fn add_household(&self, args: HouseholdAdd) -> Result<(), Failure> {
        let mut fields = self.fields(&args.set, household_names)?;
        if let Some(grid) = args.grid.or_else(|| self.own_grid()) {
            fields.insert("grid".to_owned(), Value::Text(grid.to_string()));
        }
        fields.insert("address".to_owned(), Value::Text(args.address));
        let persons = args.persons.iter().map(|person| self.fields(&split(person), person_names)).collect::<Result<_, _>>()?;
        let saved = self.device.add_household(NewHousehold { fields, persons })?;
        self.saved(saved)
    }

    fn edit_household(&self, args: args::HouseholdEdit) -> Result<(), Failure> {
        let household = self.find(&args.household)?;
        let mut edits = Vec::new();
        match args.person {
            Some(person) => {
                edits.extend(self.fields(&args.set, person_names)?.into_iter().map(|(field, value)| HouseholdEdit::SetPerson(person, field, value)))
            }
            None => edits.extend(self.fields(&args.set, household_names)?.into_iter().map(|(field, value)| HouseholdEdit::Set(field, value))),
        }
        let mut added = None;
        if let Some(person) = &args.add_person {
            let person = (self.device.new_person(), self.fields(&split(person), person_names)?);
            added = Some(person.0);
            edits.push(HouseholdEdit::AddPerson(person.0, person.1));
        }
        if edits.is_empty() {
            return Err(Failure::usage(self.out.say("没有要改的：用 --set 字段=值", "nothing to change: use --set FIELD=VALUE")));
        }
        let saved = self.device.edit_household(household, edits)?;
        let Some(person) = added else { return self.saved(saved) };
        self.out.result(&serde_json::json!({ "doc": saved.doc, "edit": saved.edit, "person": person }), || {
            self.out.say(format_args!("已增加：{person}"), format_args!("Added: {person}"))
        });
        Ok(())
    }

    fn list_households(&self, args: &HouseholdList) -> Result<(), Failure> {
        let filter = HouseholdFilter { area: args.grid, ..HouseholdFilter::default() };
        let page = paged(&args.page, |page| self.device.households(&filter, page))?;
        self.out.result(&page, || self.lines(page.rows.iter().map(|row| self.household_line(row)).collect()));
        Ok(())
    }

    fn set_id(&self, args: SetId) -> Result<(), Failure> {
        let household = self.find(&args.household)?;
        let value = match args.value {
            Some(value) => value,
            None => {
                let mut value = String::new();
                std::io::stdin().take(256).read_to_string(&mut value).map_err(Failure::other)?;
                value
            }
        };
        let saved = self.device.set_id_number(household, args.person, value.trim())?;
        self.saved(saved)
    }

    fn reveal(&self, args: Reveal) -> Result<(), Failure> {
        let household = self.find(&args.household)?;
        let value = self.device.reveal_id_number(household, args.person, args.reason, args.note)?;
        self.out.result(&value, || value.clone().unwrap_or_else(|| self.out.say("没有", "none")));
        Ok(())
    }

    pub fn household_line(&self, row: &HouseholdRow) -> Vec<String> {
        let persons = self.out.say(format_args!("{} 人", row.persons), format_args!("{} persons", row.persons));
        let care = if row.care > 0 { self.out.say(format_args!("关爱 {}", row.care), format_args!("{} in care", row.care)) } else { String::new() };
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        vec![short(row.doc), text(&row.address), text(&row.head), text(&row.phone), persons, care, self.delivery(&row.delivery)]
    }

    pub fn household_text(&self, detail: &HouseholdDetail) -> String {
        let mut text = vec![table(&[self.household_line(&detail.row)])];
        if let Some(household) = &detail.household {
            text.push(table(&lines(&household.fields)));
            text.extend(household.persons.iter().map(|(person, fields)| format!("{person}\n{}", table(&lines(fields)))));
        }
        if let Some(view) = &detail.view {
            text.push(crate::output::pretty(view));
        }
        if !detail.visits.is_empty() {
            text.push(table(&self.visit_lines(&detail.visits)));
        }
        text.extend(self.undecided_text(&detail.edits));
        text.join("\n\n")
    }

    /// The grid that the person works in, where it is one.
    fn own_grid(&self) -> Option<AreaCode> {
        match self.device.identity()?.grant.scopes.as_slice() {
            [grid] if grid.level() == Level::Grid => Some(*grid),
            _ => None,
        }
    }

    /// Fields of a person, or of the household.
    pub fn fields_of(&self, person: bool, set: &[String]) -> Result<Fields, Failure> {
        self.fields(set, if person { person_names } else { household_names })
    }

    fn fields(&self, set: &[String], known: fn(&str) -> bool) -> Result<Fields, Failure> {
        let field = |text: &String| {
            let (name, value) = text
                .split_once('=')
                .filter(|(name, _)| !name.is_empty())
                .ok_or_else(|| Failure::usage(self.out.say(format_args!("“{text}”应写成 字段=值"), format_args!("`{text}`: write FIELD=VALUE"))))?;
            if !known(name) {
                return Err(Failure::usage(self.out.say(format_args!("没有“{name}”这个字段"), format_args!("there is no field `{name}`"))));
            }
            Ok((name.to_owned(), value_of(name, value)))
        };
        set.iter().map(field).collect()
    }
}

fn household_names(name: &str) -> bool {
    household_field(name).is_some()
}

fn person_names(name: &str) -> bool {
    person_field(name).is_some()
}

fn split(person: &str) -> Vec<String> {
    person.split([',', ',']).map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Tags are yes or no; an empty value clears; everything else is text, numbers too: a phone number is no number.
fn value_of(name: &str, value: &str) -> Value {
    match value {
        "" => Value::Null,
        _ if name.starts_with(TAG_PREFIX) => Value::Bool(!matches!(value, "false" | "0" | "否")),
        _ => Value::Text(value.to_owned()),
    }
}

fn lines(fields: &Fields) -> Vec<Vec<String>> {
    let line = |(name, value): (&String, &Value)| {
        let value = match value {
            Value::Null => return None,
            Value::Bool(yes) => (if *yes { "✓" } else { "✗" }).to_owned(),
            Value::Int(number) => number.to_string(),
            Value::Text(text) => text.clone(),
        };
        Some(vec![name.clone(), value])
    };
    fields.iter().filter_map(line).collect()
}
