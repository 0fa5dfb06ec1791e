//! What is said about any record: finding it by what a person types, showing it, searching.

use std::collections::BTreeSet;

use fieldgrid_core::device::Detail;
use fieldgrid_core::device::store::{Delivery, DeliveryState, EditRow, Hit, PageRequest, Typed, VisitRow};
use fieldgrid_core::domain::id::DocId;

use crate::args::{Named, Search};
use crate::output::{Out, table};
use crate::time::Moment;
use crate::{App, Failure};

/// Shortest end of an id that names a record.
const SHORTEST: usize = 4;

impl App {
    pub fn show(&self, args: &Named) -> Result<(), Failure> {
        let doc = self.find(&args.record)?;
        let Some(detail) = self.device.detail(doc)? else {
            // Of a record that left, what its author has to decide about is here still.
            let edits = self.device.edits(doc)?;
            if edits.is_empty() {
                return Err(self.no_such(&args.record));
            }
            self.out.result(&serde_json::json!({ "doc": doc, "edits": edits }), || self.lines(self.edit_lines(&edits)));
            return Ok(());
        };
        self.out.result(&detail, || match &detail {
            Detail::Case(case) => self.case_text(case),
            Detail::Household(household) => self.household_text(household),
        });
        Ok(())
    }

    pub fn search(&self, args: &Search) -> Result<(), Failure> {
        let found = self.device.search(&args.words.join(" "), PageRequest::first(args.limit))?;
        self.out.result(&found, || {
            let rows = found.rows.iter().map(|hit| match hit {
                Hit::Case(row) => self.case_line(row),
                Hit::Household(row) => self.household_line(row),
            });
            self.lines(rows.collect())
        });
        Ok(())
    }

    /// The record that is meant: by its id, its case number, or the end of its id.
    pub fn find(&self, typed: &str) -> Result<DocId, Failure> {
        if let Ok(doc) = typed.parse() {
            return Ok(doc);
        }
        let mut found: Vec<DocId> = Vec::new();
        let typed = typed.trim().to_lowercase();
        if typed.len() >= SHORTEST && typed.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
            let held = self.device.records()?.into_iter().map(|(doc, _)| doc);
            let refused = self.device.outbox()?.into_iter().filter_map(|edit| edit.doc);
            let ends: BTreeSet<DocId> = held.chain(refused).filter(|doc| doc.to_string().ends_with(&typed)).collect();
            found.extend(ends);
        }
        if found.is_empty() {
            let hits = self.device.search(&typed, PageRequest::first(20))?.rows;
            found = hits
                .into_iter()
                .filter_map(|hit| if let Hit::Case(row) = hit { Some(row) } else { None })
                .filter(|row| row.number.as_deref().is_some_and(|number| number.to_lowercase().ends_with(&typed)))
                .map(|row| row.doc)
                .collect();
        }
        match found.as_slice() {
            [doc] => Ok(*doc),
            [] => Err(self.no_such(&typed)),
            several => {
                let ids = several.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
                Err(Failure::usage(
                    self.out
                        .say(format_args!("“{typed}”不止一条，请写完整：\n{ids}"), format_args!("`{typed}` is more than one record, write more of it:\n{ids}")),
                ))
            }
        }
    }

    pub fn no_such(&self, typed: &str) -> Failure {
        Failure::missing(self.out.say(format_args!("本机没有“{typed}”这条记录"), format_args!("no record `{typed}` on this phone")))
    }

    /// Rows of a list, or a word that there are none.
    pub fn lines(&self, rows: Vec<Vec<String>>) -> String {
        if rows.is_empty() { self.out.say("没有", "none") } else { table(&rows) }
    }

    /// Where work is, as a person reads it.
    pub fn delivery(&self, delivery: &Delivery) -> String {
        delivery_text(self.out, delivery)
    }

    pub fn edit_lines(&self, edits: &[EditRow]) -> Vec<Vec<String>> {
        let line = |edit: &EditRow| {
            let name = edit.typed.as_ref().map(|typed| self.out.word(typed.name()).to_owned()).unwrap_or_default();
            let record = edit.doc.map(short).unwrap_or_default();
            let mut delivery = self.delivery(&edit.delivery);
            if edit.backed_up {
                delivery = self.out.say(format_args!("{delivery}，已备份"), format_args!("{delivery}, backed up"));
            }
            let values = edit.typed.as_ref().map(Typed::values).unwrap_or_default();
            let said = values.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" · ");
            vec![Moment(edit.made_ms).to_string(), name, delivery, record, edit.edit.to_string(), said, self.remedies(edit)]
        };
        edits.iter().map(line).collect()
    }

    /// What was typed on a record and is not in it.
    pub fn undecided_text(&self, edits: &[EditRow]) -> Option<String> {
        let open: Vec<EditRow> = edits.iter().filter(|edit| !edit.remedies.is_empty()).cloned().collect();
        let title = self.out.say("未被接收的内容：", "Not let in:");
        (!open.is_empty()).then(|| format!("{title}\n{}", table(&self.edit_lines(&open))))
    }

    pub fn visit_lines(&self, visits: &[VisitRow]) -> Vec<Vec<String>> {
        let line = |visit: &VisitRow| {
            vec![
                Moment(visit.wall_ms).to_string(),
                visit.kind.to_string(),
                visit.result.to_string(),
                visit.needs.clone().unwrap_or_default(),
                self.delivery(&visit.delivery),
            ]
        };
        visits.iter().map(line).collect()
    }
}

fn delivery_text(out: Out, delivery: &Delivery) -> String {
    let state = match delivery.state {
        DeliveryState::Theirs | DeliveryState::Other(_) => String::new(),
        DeliveryState::OnPhone => out.say("在本机", "on this phone"),
        DeliveryState::Received => out.say("中心已收到", "received"),
        DeliveryState::Again => out.say("需重新上传", "to be delivered again"),
        DeliveryState::Refused => out.say("被拒收", "refused"),
        DeliveryState::Decide => out.say("需你处理", "for you to decide"),
        DeliveryState::Waiting => out.say("中心等待前文", "the centre waits for what it builds on"),
        DeliveryState::Quarantined => out.say("中心暂存待审", "set aside at the centre"),
        DeliveryState::Discarded => out.say("已放弃", "given up"),
        DeliveryState::Replaced => out.say("已由后一次代替", "done again"),
    };
    match delivery.reason {
        Some(reason) => {
            let (zh, en) = reason.words();
            out.say(format_args!("{state}:{zh}"), format_args!("{state}: {en}"))
        }
        None => state,
    }
}

/// The end of an id, which is how people name a record here.
pub fn short(doc: DocId) -> String {
    let id = doc.to_string();
    id[id.len() - 6..].to_owned()
}
