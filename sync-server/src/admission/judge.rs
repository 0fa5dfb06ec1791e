//! A verdict for each piece.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fieldgrid_core::domain::action::Action;
use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::id::{ActionId, DeviceId, DocId, FactId, Hash};
use fieldgrid_core::domain::policy::{self, Refusal};
use fieldgrid_core::record::gate::{self, GateError};
use fieldgrid_core::record::{Command, Record, RecordKind};
use fieldgrid_core::wire::batch::{ChangeItem, Item};
use fieldgrid_core::wire::limits;
use fieldgrid_core::wire::verdict::Verdict;

use super::chain::{Checked, InPlace};
use super::hold::{Room, Waiting};
use super::plan::{Admitted, At, DocPlan, Judged, Plan, Projection, Released};
use super::sender::{Beyond, Right, Sender};
use super::source::Source;
use super::{case, facts, household as households};
use crate::store::{DeviceRow, DocRow, HeldRow, Missing, Origin, Result, StoreError};
use crate::telemetry::metrics::{GATE_SECONDS, timed};

/// Judges every item of the batches in their places. Documents that were judged `before` and did not change are not judged again.
pub(super) fn judge(source: Source<'_>, device: &DeviceRow, checked: &Checked, before: Plan) -> Result<Plan> {
    let mut judge = Judge::new(source, device.id)?;
    judge.plan.forked = checked.forked.then_some((device.id, device.stream));
    let as_before = before.batches.iter().map(|(placed, _)| placed).eq(&checked.placed);
    let mut judged: BTreeMap<DocId, Judged> = before.documents.into_iter().filter(|_| as_before).map(|judged| (judged.doc, judged)).collect();
    let mut verdicts: Vec<Vec<Verdict>> = checked.placed.iter().map(|placed| vec![Verdict::Accepted; placed.batch.items.len()]).collect();
    // One document at a time, so that no more than one is in memory; facts afterwards, when the areas of new documents are known.
    for (doc, work) in by_document(&checked.placed) {
        judge.source.rest()?;
        match judged.remove(&doc) {
            Some(before) if judge.holds(&before)? => judge.plan.documents.push(before),
            _ => judge.document(doc, &work)?,
        }
    }
    for (at, verdict) in judge.plan.documents.iter().flat_map(|judged| &judged.verdicts) {
        verdicts[at.0][at.1] = verdict.clone();
    }
    for (b, placed) in checked.placed.iter().enumerate() {
        for (i, item) in placed.batch.items.iter().enumerate() {
            if let Item::Fact(fact) = item {
                verdicts[b][i] = facts::judge(&mut judge, &placed.sender, origin(placed, i), fact)?;
            }
        }
    }
    judge.plan.batches = checked.placed.iter().cloned().zip(verdicts).collect();
    Ok(judge.plan)
}

/// A change to judge.
pub(super) struct Work<'a> {
    /// Its place in the request; none when it was held from before.
    pub(super) at: Option<At>,
    pub(super) change: ChangeItem,
    pub(super) origin: Origin,
    pub(super) sender: Arc<Sender>,
    /// As what it was held.
    pub(super) waited: Option<&'a HeldRow>,
}

fn origin(placed: &InPlace, item: usize) -> Origin {
    Origin { incarnation: placed.batch.header.incarnation, seq: placed.batch.header.seq, item: u32::try_from(item).unwrap_or(u32::MAX) }
}

/// The changes by document, each document's in their order.
fn by_document(placed: &[InPlace]) -> BTreeMap<DocId, Vec<Work<'static>>> {
    let mut documents: BTreeMap<DocId, Vec<Work<'static>>> = BTreeMap::new();
    for (b, batch) in placed.iter().enumerate() {
        for (i, item) in batch.batch.items.iter().enumerate() {
            if let Item::Change(change) = item {
                let work = Work { at: Some((b, i)), change: change.clone(), origin: origin(batch, i), sender: Arc::clone(&batch.sender), waited: None };
                documents.entry(change.doc).or_default().push(work);
            }
        }
    }
    documents
}

pub(super) struct Judge<'r> {
    pub(super) source: Source<'r>,
    pub(super) plan: Plan,
    /// Facts of this request, by their hashes.
    pub(super) facts: BTreeMap<FactId, Hash>,
    pub(super) room: Room,
}

/// A document while it is judged.
pub(super) struct Open {
    pub(super) row: Option<DocRow>,
    pub(super) record: Record,
    pub(super) area: Option<AreaCode>,
    pub(super) admitted: Vec<Admitted>,
    /// Edits of this request: which change carries each.
    edits: BTreeMap<Hash, Hash>,
    waited: Vec<i64>,
    waiting: Waiting,
    pub(super) held: Vec<HeldRow>,
    pub(super) released: Vec<Released>,
    pub(super) missing: BTreeMap<Hash, (Hash, Missing)>,
    pub(super) stands_for: Vec<(ActionId, Vec<ActionId>)>,
}

impl Open {
    fn new(row: Option<DocRow>, record: Record, waiting: Vec<(i64, Option<Hash>)>) -> Self {
        Self {
            area: row.as_ref().map(|row| row.area),
            row,
            admitted: Vec::new(),
            edits: BTreeMap::new(),
            waited: waiting.iter().map(|(id, _)| *id).collect(),
            waiting: Waiting::new(waiting, |missing| record.has(missing)),
            record,
            held: Vec::new(),
            released: Vec::new(),
            missing: BTreeMap::new(),
            stands_for: Vec::new(),
        }
    }

    /// The actions of a refused change, each standing for what it had seen.
    pub(super) fn stand_in(&mut self, command: &Command) {
        if let Command::Act(actions) = command
            && actions.iter().all(|action| action.seen.len() <= policy::MAX_LIST)
        {
            self.stands_for.extend(actions.iter().map(|action| (id(action), action.seen.clone())));
        }
    }

    /// Notes the verdict on a change: what waited for it need not any more.
    pub(super) fn decided(&mut self, change: &ChangeItem, verdict: &Verdict) {
        let why = match verdict {
            Verdict::Refused(_) => Some(Missing::Refused),
            Verdict::Stranded(_) => Some(Missing::Stranded),
            _ => None,
        };
        let hash = change.change_hash();
        if let Some(why) = why {
            self.missing.insert(hash, (change.hash(), why));
        }
        if self.record.has(hash) || self.missing.contains_key(&hash) {
            self.waiting.decided(hash);
        }
    }
}

impl<'r> Judge<'r> {
    pub(super) fn new(source: Source<'r>, device: DeviceId) -> Result<Self> {
        let room = Room::of(source.now(), device)?;
        Ok(Self { source, plan: Plan::default(), facts: BTreeMap::new(), room })
    }

    /// A document as it is stored, or as it would begin; none when this version cannot read it.
    pub(super) fn open(&self, doc: DocId, begins_as: RecordKind) -> Result<Option<Open>> {
        let read = self.source.now();
        let row = read.doc(doc)?;
        let stored = if row.is_some() { read.changes(doc)? } else { Vec::new() };
        let record = Record::load(row.as_ref().map_or(begins_as, |row| row.kind), stored.iter().map(|(_, change)| change.raw.as_slice())).ok();
        record.map(|record| Ok(Open::new(row, record, read.waiting(doc)?))).transpose()
    }

    /// Whether what a document was judged to be still is so: nothing came into it, and nothing that waits in it was decided.
    fn holds(&mut self, judged: &Judged) -> Result<bool> {
        let read = self.source.now();
        let waits: Vec<i64> = read.waiting(judged.doc)?.into_iter().map(|(id, _)| id).collect();
        let mut holds = read.doc(judged.doc)?.map(|row| row.heads) == judged.heads && waits == judged.waited;
        for held in &judged.held {
            holds &= match held.missing {
                Some(missing) => read.refused(judged.doc, missing)?.is_none(),
                None => true,
            };
        }
        Ok(holds && judged.held.iter().all(|held| self.room.take(held.why, held.body.len())))
    }

    /// Judges the changes of one document.
    fn document(&mut self, doc: DocId, work: &[Work<'_>]) -> Result<()> {
        let mut verdicts = Vec::new();
        let Some(mut open) = self.open(doc, work.first().map_or(RecordKind::Case, |work| work.change.kind))? else {
            return self.unreadable(doc, work);
        };
        for work in work {
            self.source.rest()?;
            let verdict = self.change(&mut open, work)?;
            open.decided(&work.change, &verdict);
            verdicts.extend(work.at.map(|at| (at, verdict)));
            // At once: what comes next may stand on what is released.
            self.release(&mut open)?;
        }
        self.done(doc, open, verdicts)
    }

    /// Of a newer version, or damaged here: an administrator decides; nothing is lost.
    fn unreadable(&mut self, doc: DocId, work: &[Work<'_>]) -> Result<()> {
        let mut judged = Judged::unchanged(doc, self.source.now().doc(doc)?.map(|row| row.heads));
        for work in work {
            let verdict = self.aside(&mut judged.held, work);
            judged.verdicts.extend(work.at.map(|at| (at, verdict)));
        }
        self.plan.documents.push(judged);
        Ok(())
    }

    /// The document goes into the plan, changed or not.
    pub(super) fn done(&mut self, doc: DocId, mut open: Open, verdicts: Vec<(At, Verdict)>) -> Result<()> {
        let change = if open.admitted.is_empty() { None } else { Some(self.close(doc, &mut open)?) };
        let Open { row, waited, held, released, missing, stands_for, .. } = open;
        let judged = Judged::unchanged(doc, row.map(|row| row.heads));
        self.plan.documents.push(Judged { waited, verdicts, change, held, released, missing, stands_for, ..judged });
        Ok(())
    }

    /// What waited in this document and need not any more.
    pub(super) fn release(&mut self, open: &mut Open) -> Result<()> {
        while let Some(id) = open.waiting.next() {
            self.source.rest()?;
            let read = self.source.now();
            let Some(held) = read.held_item(id)? else { continue };
            let Some(batch) = read.batch(held.origin.incarnation, held.origin.seq)? else { continue };
            let (Ok(header), Ok(change), Some(device)) = (minicbor::decode(&batch.header), super::stored_change(&held.body), read.device(held.device)?) else {
                continue;
            };
            let sender = Arc::new(Sender::of(read, &device, &header, batch.received_ms)?);
            let work = Work { at: None, change, origin: held.origin, sender, waited: Some(&held) };
            let verdict = self.change(open, &work)?;
            if let Verdict::Waiting(next) = verdict {
                // Perhaps it is the next to be released.
                open.waiting.waits(held.id, next);
                continue;
            }
            open.decided(&work.change, &verdict);
            open.released.push(Released { held: held.id, stream: device.stream, origin: held.origin, verdict });
        }
        Ok(())
    }

    /// The verdict on one change; what is let in goes into `open`.
    pub(super) fn change(&mut self, open: &mut Open, work: &Work<'_>) -> Result<Verdict> {
        let (change, sender) = (&work.change, &work.sender);
        let (grant, limited) = match &sender.right {
            Right::Revoked => return Ok(self.aside(&mut open.held, work)),
            Right::None(refusal) => return Ok(Verdict::Refused(*refusal)),
            Right::Reports(grant, beyond) => (grant, Some(*beyond)),
            Right::Grant(grant) => (grant, None),
        };
        if change.raw.len() > limits::MAX_CHANGE {
            return Ok(Verdict::Refused(Refusal::TooLarge));
        }
        if change.kind != open.record.kind() {
            return Ok(Verdict::Refused(Refusal::Malformed));
        }
        let (hash, edit) = (change.change_hash(), change.edit_id());
        if let Some(held) = open.edits.get(&edit).copied().map_or_else(|| self.source.now().edit(change.doc, edit), |held| Ok(Some(held)))? {
            if held != hash {
                open.missing.insert(hash, (change.hash(), Missing::HeldOtherwise));
            }
            return Ok(Verdict::AlreadyHeld);
        }
        let info = match gate::inspect(&change.raw) {
            Ok(info) => info,
            Err(error) => return self.barred(open, &error, work),
        };
        let unmet: Vec<Hash> = info.deps.into_iter().filter(|dependency| !open.record.has(*dependency)).collect();
        if !unmet.is_empty() {
            return self.unmet(open, &unmet, work);
        }
        let admitted = match timed(GATE_SECONDS, || gate::admit(&open.record, &change.raw, work.origin.incarnation)) {
            Ok(admitted) => admitted,
            Err(error) => return self.barred(open, &error, work),
        };
        let area = match open.area {
            Some(area) => area,
            None => match self.founding(sender, grant, &admitted.command)? {
                Ok(area) => area,
                Err(refusal) => return Ok(Verdict::Refused(refusal)),
            },
        };
        match self.permitted(open, sender, grant, limited, area, change, &admitted.command)? {
            Ok(()) => {}
            Err(Beyond::Aside) => return Ok(self.aside(&mut open.held, work)),
            Err(Beyond::Refused(refusal)) => {
                // Whoever has no business with the case adds nothing to it.
                if !matches!(refusal, Refusal::OutOfScope | Refusal::NotPermitted | Refusal::ForgedAuthor) {
                    open.stand_in(&admitted.command);
                }
                return Ok(Verdict::Refused(refusal));
            }
        }
        let actions = match &admitted.command {
            Command::Act(actions) => actions.iter().map(|action| (id(action), sender.interval(action.at))).collect(),
            Command::EditHousehold(_) => Vec::new(),
        };
        open.area = Some(area);
        open.record = admitted.record;
        open.edits.insert(edit, hash);
        let item = Item::Change(change.clone());
        open.admitted.push(Admitted { origin: work.origin, item, change: hash, edit, sender: Arc::clone(sender), actions });
        Ok(Verdict::Accepted)
    }

    /// The verdict for a change that the gate bars.
    fn barred(&mut self, open: &mut Open, error: &GateError, work: &Work<'_>) -> Result<Verdict> {
        Ok(Verdict::Refused(match error {
            GateError::UnknownDependency(missing) => return self.unmet(open, &[*missing], work),
            GateError::AlreadyHeld => return Ok(Verdict::AlreadyHeld),
            GateError::TooLarge(_) => Refusal::TooLarge,
            GateError::WrongActor => Refusal::WrongActor,
            GateError::BadSequence { .. } => Refusal::BadSequence,
            GateError::Rewrite => Refusal::Rewrite,
            GateError::RecordFull(_) => Refusal::RecordFull,
            _ => Refusal::Malformed,
        }))
    }

    /// The document as it is afterwards.
    fn close(&self, doc: DocId, open: &mut Open) -> Result<DocPlan> {
        let admitted = std::mem::take(&mut open.admitted);
        let (row, record) = (open.row.as_ref(), &open.record);
        let founder = admitted.first().map(|first| first.sender.device);
        let (Some(area), Some(author)) = (open.area, row.map(|row| row.author).or(founder)) else {
            return Err(StoreError::Damaged("document"));
        };
        let changes = row.map_or(0, |row| row.changes).saturating_add(u32::try_from(admitted.len()).unwrap_or(u32::MAX));
        let (kind, heads) = (record.kind(), record.heads());
        let mut plan = DocPlan { doc, kind, heads, changes, area, author, admitted, streams: Vec::new(), projection: Projection::None };
        match plan.kind {
            RecordKind::Case => case::project(self.source.now(), &mut plan, record, &open.stands_for)?,
            RecordKind::Household => households::project(&mut plan, record),
            RecordKind::Other(_) => {}
        }
        Ok(plan)
    }
}

pub(super) fn id(action: &Action) -> ActionId {
    ActionId::of(&action.to_bytes())
}

/// The actions that some actions rest on: everything they had seen, directly or not.
pub(super) fn past(actions: &BTreeMap<ActionId, Action>, seen: &[ActionId]) -> BTreeSet<ActionId> {
    let (mut past, mut next) = (BTreeSet::new(), seen.to_vec());
    while let Some(id) = next.pop() {
        if past.insert(id)
            && let Some(action) = actions.get(&id)
        {
            next.extend(&action.seen);
        }
    }
    past
}
