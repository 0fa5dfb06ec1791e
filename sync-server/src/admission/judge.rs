//! A verdict for each piece.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fieldgrid_core::domain::action::{Action, ActionKind};
use fieldgrid_core::domain::area::{AreaCode, Level};
use fieldgrid_core::domain::fact::Fact;
use fieldgrid_core::domain::grant::Grant;
use fieldgrid_core::domain::household::{self, HouseholdEdit};
use fieldgrid_core::domain::id::{ActionId, DeviceId, DocId, FactId, Hash};
use fieldgrid_core::domain::policy::{self, Refusal};
use fieldgrid_core::record::gate::{self, GateError};
use fieldgrid_core::record::{Command, Record, RecordKind};
use fieldgrid_core::wire::batch::{ChangeItem, Item};
use fieldgrid_core::wire::limits;
use fieldgrid_core::wire::verdict::Verdict;

use super::chain::{Checked, InPlace};
use super::plan::{Admitted, DocPlan, Plan, Projection, Released};
use super::sender::{Beyond, Right, Sender};
use super::{case, facts, household as households};
use crate::store::{DeviceRow, DocRow, HeldRow, Missing, Origin, Read, Result, Standing, StreamKey, Why};
use crate::telemetry::metrics::{GATE_SECONDS, timed};

/// Items that one device may have waiting, and their bytes: what a phone can hold back in a day without contact, and no more.
const MAX_WAITING: (u32, u64) = (500, 4 << 20);
/// Items of one device that are kept aside for an administrator.
const MAX_QUARANTINED: (u32, u64) = (2_000, 16 << 20);

/// Judges every item of the batches in their places.
pub(super) fn judge(read: &dyn Read, device: &DeviceRow, checked: &Checked) -> Result<Plan> {
    let mut judge = Judge::new(read, device.id)?;
    judge.plan.forked = checked.forked.then_some((device.id, device.stream));
    let mut verdicts: Vec<Vec<Verdict>> = checked.placed.iter().map(|placed| vec![Verdict::Accepted; placed.batch.items.len()]).collect();
    // One document at a time, so that no more than one is in memory; facts afterwards, when the areas of new documents are known.
    for (doc, work) in by_document(&checked.placed) {
        for (place, verdict) in judge.document(doc, &work)? {
            verdicts[place.0][place.1] = verdict;
        }
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

/// Place of an item in the request: (batch, item).
pub(super) type At = (usize, usize);

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
    pub(super) read: &'r dyn Read,
    pub(super) plan: Plan,
    /// Edits of this request: which change carries each.
    edits: BTreeMap<(DocId, Hash), Hash>,
    /// Facts of this request, by their hashes.
    pub(super) facts: BTreeMap<FactId, Hash>,
    quota: Quota,
}

/// A document while it is judged.
pub(super) struct Open {
    pub(super) row: Option<DocRow>,
    pub(super) record: Record,
    pub(super) area: Option<AreaCode>,
    pub(super) admitted: Vec<Admitted>,
}

impl<'r> Judge<'r> {
    pub(super) fn new(read: &'r dyn Read, device: DeviceId) -> Result<Self> {
        Ok(Self { read, plan: Plan::default(), edits: BTreeMap::new(), facts: BTreeMap::new(), quota: Quota::of(read, device)? })
    }

    /// A document as it is stored, or as it would begin; none when this version cannot read it.
    pub(super) fn open(&self, doc: DocId, begins_as: RecordKind) -> Result<Option<Open>> {
        let row = self.read.doc(doc)?;
        let stored = if row.is_some() { self.read.changes(doc)? } else { Vec::new() };
        let record = Record::load(row.as_ref().map_or(begins_as, |row| row.kind), stored.iter().map(|(_, change)| change.raw.as_slice())).ok();
        Ok(record.map(|record| Open { area: row.as_ref().map(|row| row.area), row, record, admitted: Vec::new() }))
    }

    /// Judges the changes of one document.
    fn document(&mut self, doc: DocId, work: &[Work<'_>]) -> Result<Vec<(At, Verdict)>> {
        let mut verdicts = Vec::new();
        let Some(mut open) = self.open(doc, work.first().map_or(RecordKind::Case, |work| work.change.kind))? else {
            // Of a newer version, or damaged here: an administrator decides; nothing is lost.
            for work in work {
                let verdict = self.aside(work)?;
                verdicts.extend(work.at.map(|at| (at, verdict)));
            }
            return Ok(verdicts);
        };
        let mut waiting = self.read.waiting(doc)?;
        for work in work {
            let verdict = self.change(&mut open, work)?;
            if let Verdict::Refused(_) | Verdict::Stranded(_) = verdict {
                let why = if matches!(verdict, Verdict::Refused(_)) { Missing::Refused } else { Missing::Stranded };
                self.plan.missing.insert((doc, work.change.change_hash()), (work.change.hash(), why));
            }
            verdicts.extend(work.at.map(|at| (at, verdict)));
            // At once: what comes next may stand on what is released.
            self.release(doc, &mut open, &mut waiting)?;
        }
        self.done(doc, open)?;
        Ok(verdicts)
    }

    /// The document goes into the plan, changed or not.
    pub(super) fn done(&mut self, doc: DocId, open: Open) -> Result<()> {
        if open.admitted.is_empty() {
            self.plan.unchanged.push((doc, open.row.map(|row| row.heads)));
        } else {
            let plan = self.close(doc, open)?;
            self.plan.docs.push(plan);
        }
        Ok(())
    }

    /// What waited in this document and need not any more.
    pub(super) fn release(&mut self, doc: DocId, open: &mut Open, waiting: &mut Vec<HeldRow>) -> Result<()> {
        while let Some(at) = waiting.iter().position(|held| held.missing.is_none_or(|missing| self.known(doc, open, missing))) {
            let held = waiting.remove(at);
            let Some(batch) = self.read.batch(held.origin.incarnation, held.origin.seq)? else { continue };
            let (Ok(header), Ok(change), Some(device)) = (minicbor::decode(&batch.header), super::stored_change(&held.body), self.read.device(held.device)?)
            else {
                continue;
            };
            let sender = Arc::new(Sender::of(self.read, &device, &header, batch.received_ms)?);
            let work = Work { at: None, change, origin: held.origin, sender: Arc::clone(&sender), waited: Some(&held) };
            let verdict = self.change(open, &work)?;
            if let Verdict::Waiting(next) = verdict {
                // Perhaps it is the next to be released.
                waiting.push(HeldRow { missing: Some(next), ..held });
                continue;
            }
            if let Verdict::Refused(_) | Verdict::Stranded(_) = verdict {
                self.plan.missing.insert((doc, work.change.change_hash()), (work.change.hash(), Missing::Refused));
            }
            self.plan.released.push(Released { held: held.id, stream: device.stream, origin: held.origin, verdict });
        }
        Ok(())
    }

    /// Whether it is decided what became of a change.
    fn known(&self, doc: DocId, open: &Open, change: Hash) -> bool {
        open.record.has(change) || self.plan.missing.contains_key(&(doc, change))
    }

    /// The verdict on one change; what is let in goes into `open`.
    pub(super) fn change(&mut self, open: &mut Open, work: &Work<'_>) -> Result<Verdict> {
        let (change, sender) = (&work.change, &work.sender);
        let (grant, limited) = match &sender.right {
            Right::Revoked => return self.aside(work),
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
        if let Some(held) = self.edits.get(&(change.doc, edit)).copied().map_or_else(|| self.read.edit(change.doc, edit), |held| Ok(Some(held)))? {
            if held != hash {
                self.plan.missing.insert((change.doc, hash), (change.hash(), Missing::HeldOtherwise));
            }
            return Ok(Verdict::AlreadyHeld);
        }
        let info = match gate::inspect(&change.raw) {
            Ok(info) => info,
            Err(error) => return self.barred(&error, work),
        };
        let unmet: Vec<Hash> = info.deps.into_iter().filter(|dependency| !open.record.has(*dependency)).collect();
        if !unmet.is_empty() {
            return self.unmet(&unmet, work);
        }
        let admitted = match timed(GATE_SECONDS, || gate::admit(&open.record, &change.raw, work.origin.incarnation)) {
            Ok(admitted) => admitted,
            Err(error) => return self.barred(&error, work),
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
            Err(Beyond::Aside) => return self.aside(work),
            Err(Beyond::Refused(refusal)) => {
                // Whoever has no business with the case adds nothing to it.
                if !matches!(refusal, Refusal::OutOfScope | Refusal::NotPermitted | Refusal::ForgedAuthor) {
                    self.stand_in(change.doc, &admitted.command);
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
        self.edits.insert((change.doc, edit), hash);
        let item = Item::Change(change.clone());
        open.admitted.push(Admitted { origin: work.origin, item, change: hash, edit, sender: Arc::clone(sender), actions });
        Ok(Verdict::Accepted)
    }

    /// The actions of a refused change, each standing for what it had seen.
    pub(super) fn stand_in(&mut self, doc: DocId, command: &Command) {
        if let Command::Act(actions) = command
            && actions.iter().all(|action| action.seen.len() <= policy::MAX_LIST)
        {
            self.plan.stands_for.extend(actions.iter().map(|action| (doc, id(action), action.seen.clone())));
        }
    }

    /// Policy, and R3.
    #[expect(clippy::too_many_arguments, reason = "everything a permission depends on")]
    fn permitted(
        &self,
        open: &Open,
        sender: &Sender,
        grant: &Grant,
        limited: Option<Beyond>,
        area: AreaCode,
        change: &ChangeItem,
        command: &Command,
    ) -> Result<Result<(), Beyond>> {
        let actions = match (command, limited) {
            (Command::EditHousehold(_), Some(beyond)) => return Ok(Err(beyond)),
            (Command::EditHousehold(edits), None) => {
                return Ok(edits.iter().try_for_each(|edit| policy::may_edit(grant, area, edit)).map_err(Beyond::Refused));
            }
            (Command::Act(actions), _) => actions,
        };
        for action in actions {
            // What was done before a new grant came, or is redone, keeps its author: it is judged by the grant it was done under, as far as that still counts.
            let own =
                if action.author.grant == grant.id { None } else { self.read.grant(action.author.grant)?.filter(|row| row.grant.device == sender.device) };
            let right = own.map(|row| sender.by(row, Standing::Active));
            let (grant, limited) = match &right {
                None => (grant, limited),
                Some(Right::Grant(own)) => (own, limited),
                Some(Right::Reports(own, beyond)) => (own, limited.or(Some(*beyond))),
                Some(Right::Revoked) => return Ok(Err(Beyond::Aside)),
                Some(Right::None(refusal)) => return Ok(Err(Beyond::Refused(*refusal))),
            };
            let reports = matches!(action.kind, ActionKind::Report | ActionKind::Supplement);
            if let Some(beyond) = limited.filter(|_| !reports) {
                return Ok(Err(beyond));
            }
            let mut allowed = policy::may_act(grant, area, action);
            if allowed == Err(Refusal::OutOfScope) {
                let stood = case::stood(self.read, open, sender, change, action)?;
                allowed = stood.into_iter().map(|area| policy::may_act(grant, area, action)).find(Result::is_ok).unwrap_or(allowed);
            }
            if let Err(refusal) = allowed {
                return Ok(Err(Beyond::Refused(refusal)));
            }
            if case::stale(self.read, open, sender, change, action)? {
                return Ok(Err(Beyond::Refused(Refusal::StaleSeen)));
            }
        }
        Ok(Ok(()))
    }

    /// Where a document belongs that this command founds; a refusal when it founds none.
    fn founding(&self, sender: &Sender, grant: &Grant, command: &Command) -> Result<Result<AreaCode, Refusal>> {
        let named = match command {
            Command::Act(actions) => match actions.iter().find(|action| action.kind == ActionKind::Report) {
                Some(report) => report.fields.grid,
                None => return Ok(Err(Refusal::NoSuchRecord)),
            },
            Command::EditHousehold(edits) => match edits.iter().find_map(|edit| if let HouseholdEdit::Create(fields) = edit { Some(fields) } else { None }) {
                Some(fields) => household::text(fields, "grid").and_then(|grid| grid.parse().ok()),
                None => return Ok(Err(Refusal::NoSuchRecord)),
            },
        };
        let destination = self.read.stream(sender.header.destination)?.map(|stream| stream.key);
        let candidates = [
            named,
            if let Some(StreamKey::Grid(grid)) = destination { Some(grid) } else { None },
            grant.scopes.first().copied().filter(|_| grant.scopes.len() == 1),
        ];
        for grid in candidates.into_iter().flatten().filter(|area| area.level() == Level::Grid) {
            if self.read.stream_for(StreamKey::Grid(grid))?.is_some() {
                return Ok(Ok(grid));
            }
        }
        let desk = if let Some(StreamKey::Desk(area)) = destination { Some(area).filter(|area| grant.covers(*area)) } else { None };
        let around = named.or(desk).or(grant.scopes.first().copied()).map(|area| area.at(Level::Town).unwrap_or(area));
        Ok(around.ok_or(Refusal::OutOfScope))
    }

    /// The verdict for a change that the gate bars.
    fn barred(&mut self, error: &GateError, work: &Work<'_>) -> Result<Verdict> {
        Ok(Verdict::Refused(match error {
            GateError::UnknownDependency(missing) => return self.unmet(&[*missing], work),
            GateError::AlreadyHeld => return Ok(Verdict::AlreadyHeld),
            GateError::TooLarge(_) => Refusal::TooLarge,
            GateError::WrongActor => Refusal::WrongActor,
            GateError::BadSequence { .. } => Refusal::BadSequence,
            GateError::Rewrite => Refusal::Rewrite,
            GateError::RecordFull(_) => Refusal::RecordFull,
            _ => Refusal::Malformed,
        }))
    }

    /// Dependencies that are not in the document: stranded when one of them never will be, else waiting.
    fn unmet(&mut self, unmet: &[Hash], work: &Work<'_>) -> Result<Verdict> {
        for dependency in unmet {
            let here = self.plan.missing.get(&(work.change.doc, *dependency)).map(|(item, _)| *item);
            let before = if here.is_none() { self.read.refused(work.change.doc, *dependency)?.map(|(item, _)| item) } else { None };
            if let Some(item) = here.or(before) {
                return Ok(Verdict::Stranded(item));
            }
        }
        let missing = unmet.first().copied().unwrap_or_default();
        if work.waited.is_none() {
            if !self.quota.take(Why::Waiting, work.change.raw.len()) {
                return Ok(Verdict::Refused(Refusal::NoSuchRecord));
            }
            self.plan.held.push(held(Why::Waiting, work, Some(missing)));
        }
        Ok(Verdict::Waiting(missing))
    }

    /// Keeps a change aside for an administrator.
    fn aside(&mut self, work: &Work<'_>) -> Result<Verdict> {
        // What waited is held already: it moves, whatever the quota.
        if work.waited.is_none() && !self.quota.take(Why::Quarantined, work.change.raw.len()) {
            return Ok(Verdict::Refused(Refusal::NotPermitted));
        }
        self.plan.held.push(held(Why::Quarantined, work, None));
        Ok(Verdict::Quarantined)
    }

    /// Keeps a fact aside for an administrator.
    pub(super) fn fact_aside(&mut self, sender: &Sender, origin: Origin, fact: &Fact) -> Verdict {
        let body = minicbor::to_vec(fact).expect("encoding into memory does not fail");
        if !self.quota.take(Why::Quarantined, body.len()) {
            return Verdict::Refused(Refusal::NotPermitted);
        }
        let since_ms = sender.received_ms;
        self.plan.held.push(HeldRow { id: 0, why: Why::Quarantined, device: sender.device, origin, doc: None, missing: None, body, since_ms });
        Verdict::Quarantined
    }

    /// The document as it is afterwards.
    fn close(&self, doc: DocId, open: Open) -> Result<DocPlan> {
        let Open { row, record, area, admitted, .. } = open;
        let founder = admitted.first().map(|first| first.sender.device);
        let (Some(area), Some(author)) = (area, row.as_ref().map(|row| row.author).or(founder)) else {
            return Err(crate::store::StoreError::Damaged("document"));
        };
        let changes = row.as_ref().map_or(0, |row| row.changes).saturating_add(u32::try_from(admitted.len()).unwrap_or(u32::MAX));
        let mut plan = DocPlan {
            doc,
            kind: record.kind(),
            expected: row.map(|row| row.heads),
            heads: record.heads(),
            changes,
            area,
            author,
            admitted,
            streams: Vec::new(),
            projection: Projection::None,
        };
        match plan.kind {
            RecordKind::Case => case::project(self.read, &mut plan, &record, &self.plan.stands_for)?,
            RecordKind::Household => households::project(&mut plan, &record),
            RecordKind::Other(_) => {}
        }
        Ok(plan)
    }
}

fn id(action: &Action) -> ActionId {
    ActionId::of(&action.to_bytes())
}

fn held(why: Why, work: &Work<'_>, missing: Option<Hash>) -> HeldRow {
    let body = super::change_bytes(&work.change);
    HeldRow { id: 0, why, device: work.sender.device, origin: work.origin, doc: Some(work.change.doc), missing, body, since_ms: work.sender.received_ms }
}

/// What a device may still have held back.
#[derive(Debug)]
struct Quota {
    waiting: (u32, u64),
    quarantined: (u32, u64),
}

impl Quota {
    fn of(read: &dyn Read, device: DeviceId) -> Result<Self> {
        let (waiting, quarantined) = (read.held(device, Why::Waiting)?, read.held(device, Why::Quarantined)?);
        let left = |limit: (u32, u64), used: (u32, u64)| (limit.0.saturating_sub(used.0), limit.1.saturating_sub(used.1));
        Ok(Self { waiting: left(MAX_WAITING, waiting), quarantined: left(MAX_QUARANTINED, quarantined) })
    }

    fn take(&mut self, why: Why, bytes: usize) -> bool {
        let left = match why {
            Why::Waiting => &mut self.waiting,
            Why::Quarantined => &mut self.quarantined,
        };
        let bytes = bytes as u64;
        if left.0 == 0 || left.1 < bytes {
            return false;
        }
        *left = (left.0 - 1, left.1 - bytes);
        true
    }
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
