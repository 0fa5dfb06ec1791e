//! `refused` and `history`: what became of own work, what was typed in it, and what its author decides about it.

use fieldgrid_core::device::store::{Correction, EditRow, Remedy, Typed};
use fieldgrid_core::domain::action::Fields;
use fieldgrid_core::domain::household::HouseholdEdit;
use serde_json::Value;

use crate::args::{Correct, Page, Refused};
use crate::case::paged;
use crate::{App, Failure};

impl App {
    pub fn refused(&self, command: Refused) -> Result<(), Failure> {
        match command {
            Refused::List => {
                let edits = self.device.refused()?;
                self.out.result(&edits, || self.lines(self.edit_lines(&edits)));
            }
            Refused::Discard(args) => {
                self.device.discard(self.find(&args.record)?, args.edit)?;
                self.out.result(&serde_json::json!({ "discarded": args.edit }), || self.out.say("已放弃", "Given up"));
            }
            Refused::Note(args) => {
                let saved = self.device.send_as_note(self.find(&args.record)?, args.edit)?;
                self.saved(saved)?;
            }
            Refused::Redo(args) => {
                let saved = self.device.redo(self.find(&args.record)?, args.edit)?;
                self.saved(saved)?;
            }
            Refused::Correct(args) => self.correct(*args)?,
        }
        Ok(())
    }

    pub fn history(&self, page: &Page) -> Result<(), Failure> {
        let page = paged(page, |page| self.device.history(page))?;
        self.out.result(&page, || self.lines(self.edit_lines(&page.rows)));
        Ok(())
    }

    /// What can be done about an edit, by the names of `refused`'s commands.
    pub fn remedies(&self, edit: &EditRow) -> String {
        let names = edit.remedies.iter().map(|remedy| format!("{remedy}({})", self.out.word(Remedy::words(*remedy))));
        names.collect::<Vec<_>>().join(" ")
    }

    fn correct(&self, args: Correct) -> Result<(), Failure> {
        let record = self.find(&args.edit.record)?;
        let edit = args.edit.edit;
        let row = self.device.edits(record)?.into_iter().find(|row| row.edit == edit);
        let typed = row.and_then(|row| row.typed).ok_or_else(|| self.no_such(&edit.to_string()))?;
        let correction = match typed {
            Typed::Actions { actions } => {
                let before = actions.into_iter().next().map(|action| action.fields).unwrap_or_default();
                Correction::Fields(Box::new(over(&before, &args.fields.into_fields()?)?))
            }
            Typed::Household { edits } if args.set.is_empty() => Correction::Household(edits),
            Typed::Household { .. } => {
                let set = |(name, value)| match args.of {
                    Some(person) => HouseholdEdit::SetPerson(person, name, value),
                    None => HouseholdEdit::Set(name, value),
                };
                Correction::Household(self.fields_of(args.of.is_some(), &args.set)?.into_iter().map(set).collect())
            }
            Typed::Visit { mut visit } => {
                visit.needs = args.needs.or(visit.needs);
                visit.result = args.went.unwrap_or(visit.result);
                Correction::Visit(visit)
            }
            Typed::IdNumber { .. } => {
                let missing = || Failure::usage(self.out.say("用 --id-number 给出号码", "give the number with --id-number"));
                Correction::IdNumber(args.id_number.ok_or_else(missing)?)
            }
        };
        let saved = self.device.correct(record, edit, correction)?;
        self.saved(saved)
    }
}

/// An action's fields with those that are given over them.
fn over(before: &Fields, given: &Fields) -> Result<Fields, Failure> {
    let object = |fields| serde_json::to_value(fields).map_err(Failure::other);
    let (mut all, given) = (object(before)?, object(given)?);
    if let (Value::Object(all), Value::Object(given)) = (&mut all, given) {
        all.extend(given.into_iter().filter(|(_, value)| !value.is_null()));
    }
    serde_json::from_value(all).map_err(Failure::other)
}
