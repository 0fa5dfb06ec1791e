//! Cases, as reports and what was said on them.

use std::collections::BTreeMap;

use fieldgrid_core::domain::action::{Action, ActionKind, Attachment, Fields as Said, Place, Severity};
use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::grant::Author;
use fieldgrid_core::domain::id::{ActionId, DocId};
use serde::{Deserialize, Serialize};

use super::time::{stamp, time_text};
use super::{Edit, Op, made_id};

/// A case with its events and photos.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the generator's own names; their meaning is in `CaseRecord::actions`")]
pub struct CaseRecord {
    pub id: String,
    pub grid: String,
    pub no: String,
    pub title: String,
    pub category: String,
    pub source: String,
    pub level: String,
    pub status: String,
    pub reporter: String,
    pub phone: String,
    pub addr: String,
    pub lat: i32,
    pub lng: i32,
    pub desc: String,
    pub due_at: String,
    pub updated_at: String,
    pub updated_by: String,
    pub events: Vec<Event>,
    pub attachments: Vec<AttachmentRecord>,
}

/// Something that happened to a case.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the generator's own names")]
pub struct Event {
    pub at: String,
    pub by: String,
    pub act: String,
    pub note: String,
}

/// A photo's reference.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the generator's own names")]
pub struct AttachmentRecord {
    pub sha256: String,
    pub name: String,
    pub mime: String,
    pub size: u64,
}

/// The generator's words for categories, and the majors of `domain.md` §7 that stand for them here.
const CATEGORIES: &[(&str, &str)] = &[("环境卫生", "01"), ("公共设施", "02"), ("消防安全", "03"), ("矛盾纠纷", "06"), ("市容秩序", "07"), ("流动人口", "10")];
/// The generator's words for severities.
const LEVELS: &[(&str, Severity)] = &[("一般", Severity::Normal), ("较急", Severity::Urgent), ("紧急", Severity::Emergency)];
/// The rules version that the actions name.
const RULES: u32 = 1;

impl CaseRecord {
    /// The document it becomes.
    #[must_use]
    pub fn doc(&self) -> DocId {
        let at = self.events.first().map_or("", |event| &event.at);
        DocId::from_bytes(made_id("case", &self.id, at, 0))
    }

    /// The case as actions, oldest first: its report, and one PROGRESS for each event. Saved together as one command.
    #[must_use]
    pub fn actions(&self, author: &Author) -> Vec<Action> {
        let at = self.events.first().map_or(self.updated_at.as_str(), |event| &event.at);
        let said = Said {
            title: Some(self.title.clone()),
            text: Some(self.desc.clone()),
            category: by_word(CATEGORIES, &self.category).map(|code| (*code).to_owned()),
            severity: by_word(LEVELS, &self.level).copied(),
            place: Some(Place { lat_e6: Some(self.lat), lng_e6: Some(self.lng), accuracy_m: None, address: Some(self.addr.clone()) }),
            occurred_ms: Some(stamp(at).wall_ms),
            evidence: Some(self.attachments.iter().map(AttachmentRecord::attachment).collect()),
            due_ms: Some(stamp(&self.due_at).wall_ms),
            source: Some(self.source.clone()),
            grid: self.grid.parse::<AreaCode>().ok(),
            extra: Some(extra(&[
                ("label", &self.id),
                ("no", &self.no),
                ("status", &self.status),
                ("reporter", &self.reporter),
                ("phone", &self.phone),
                ("updated_at", &self.updated_at),
                ("updated_by", &self.updated_by),
            ])),
            ..Said::default()
        };
        let report = action(ActionKind::Report, author, at, vec![], None, said);
        let round = ActionId::of(&report.to_bytes());
        let mut actions = vec![report];
        let mut seen = round;
        for event in &self.events {
            let next = action(ActionKind::Progress, author, &event.at, vec![seen], Some(round), event.said(&[]));
            seen = ActionId::of(&next.to_bytes());
            actions.push(next);
        }
        actions
    }

    /// An edit as actions on top of those the author has: `round` is the report, `seen` the last.
    #[must_use]
    pub fn edit(edit: &Edit, author: &Author, round: ActionId, seen: ActionId) -> Vec<Action> {
        let set = |name: &str| {
            edit.ops.iter().find_map(|op| match op {
                Op::Set { path, value } if path.first().and_then(serde_json::Value::as_str) == Some(name) => value.as_str(),
                _ => None,
            })
        };
        let event = edit.ops.iter().find_map(|op| if let Op::Push { value, .. } = op { Some(value.clone()) } else { None }).unwrap_or_default();
        // An edit's own time and author are the action's, and are named only where they differ.
        let updated_at = set("updated_at").filter(|at| *at != event.at);
        let updated_by = set("updated_by").filter(|by| *by != event.by);
        let further = [("status", set("status")), ("level", set("level")), ("updated_at", updated_at), ("updated_by", updated_by)];
        let further: Vec<(&str, &str)> = further.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let progress = action(ActionKind::Progress, author, &event.at, vec![seen], Some(round), event.said(&further));
        let titled = set("title").map(|title| {
            let said = Said { title: Some(title.to_owned()), ..Said::default() };
            action(ActionKind::Edit, author, &event.at, vec![ActionId::of(&progress.to_bytes())], Some(round), said)
        });
        std::iter::once(progress).chain(titled).collect()
    }

    /// The record that a replica reads; `None` when there is no report.
    #[must_use]
    pub fn read(actions: &BTreeMap<ActionId, Action>) -> Option<Self> {
        let (&round, report) = actions.iter().find(|(_, action)| action.kind == ActionKind::Report)?;
        let said = &report.fields;
        let place = said.place.clone()?;
        let word = |name: &str| said.extra.as_ref()?.get(name).cloned();
        let mut record = Self {
            id: word("label")?,
            grid: said.grid?.to_string(),
            no: word("no")?,
            title: said.title.clone()?,
            category: CATEGORIES.iter().find(|(_, code)| Some(*code) == said.category.as_deref())?.0.to_owned(),
            source: said.source.clone()?,
            level: LEVELS.iter().find(|(_, level)| Some(*level) == said.severity)?.0.to_owned(),
            status: word("status")?,
            reporter: word("reporter")?,
            phone: word("phone")?,
            addr: place.address?,
            lat: place.lat_e6?,
            lng: place.lng_e6?,
            desc: said.text.clone()?,
            due_at: time_text(said.due_ms?),
            updated_at: word("updated_at")?,
            updated_by: word("updated_by")?,
            events: Vec::new(),
            attachments: said.evidence.as_ref()?.iter().map(AttachmentRecord::read).collect(),
        };
        let mut last = round;
        while let Some((&id, action)) = actions.iter().find(|(_, action)| action.seen == [last]) {
            last = id;
            let Some(event) = Event::read(action) else { continue };
            let word = |name: &str| action.fields.extra.as_ref()?.get(name).cloned();
            if let Some(status) = word("status") {
                record.status = status;
                record.updated_at = word("updated_at").unwrap_or_else(|| event.at.clone());
                record.updated_by = word("updated_by").unwrap_or_else(|| event.by.clone());
            }
            record.events.push(event);
        }
        Some(record)
    }
}

impl Event {
    fn said(&self, further: &[(&str, &str)]) -> Said {
        let mut words = extra(&[("act", &self.act), ("by", &self.by)]);
        words.extend(further.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Said { text: Some(self.note.clone()), extra: Some(words), ..Said::default() }
    }

    fn read(action: &Action) -> Option<Self> {
        let words = action.fields.extra.as_ref()?;
        Some(Self { at: time_text(action.at.wall_ms), by: words.get("by")?.clone(), act: words.get("act")?.clone(), note: action.fields.text.clone()? })
    }
}

impl AttachmentRecord {
    fn attachment(&self) -> Attachment {
        Attachment { sha256: self.sha256.parse().unwrap_or_default(), name: self.name.clone(), mime: self.mime.clone(), size: self.size }
    }

    fn read(attachment: &Attachment) -> Self {
        Self { sha256: attachment.sha256.to_string(), name: attachment.name.clone(), mime: attachment.mime.clone(), size: attachment.size }
    }
}

fn action(kind: ActionKind, author: &Author, at: &str, seen: Vec<ActionId>, round: Option<ActionId>, fields: Said) -> Action {
    Action { kind, author: author.clone(), at: stamp(at), seen, rules: RULES, round, assignment: None, mode: None, fields }
}

fn extra(words: &[(&str, &str)]) -> BTreeMap<String, String> {
    words.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn by_word<'a, T>(table: &'a [(&str, T)], word: &str) -> Option<&'a T> {
    table.iter().find(|(known, _)| *known == word).map(|(_, value)| value)
}
