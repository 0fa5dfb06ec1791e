//! What is held back: changes that wait for what they build on, and what is kept aside for an administrator.

use std::collections::{BTreeMap, VecDeque};

use fieldgrid_core::domain::fact::Fact;
use fieldgrid_core::domain::id::{DeviceId, Hash};
use fieldgrid_core::domain::policy::Refusal;
use fieldgrid_core::wire::verdict::Verdict;

use super::judge::{Judge, Open, Work};
use super::sender::Sender;
use crate::store::{HeldRow, Origin, Read, Result, Why};

/// Items that one device may have waiting, and their bytes: what a phone can hold back in a day without contact, and no more. Beyond it they are kept aside.
const MAX_WAITING: (u32, u64) = (500, 4 << 20);
/// Items of one device that are kept aside for an administrator.
const MAX_QUARANTINED: (u32, u64) = (2_000, 16 << 20);

impl Judge<'_> {
    /// Dependencies that are not in the document: stranded when one of them never will be, else waiting.
    pub(super) fn unmet(&mut self, open: &mut Open, unmet: &[Hash], work: &Work<'_>) -> Result<Verdict> {
        for dependency in unmet {
            let here = open.missing.get(dependency).map(|(item, _)| *item);
            let before = if here.is_none() { self.source.now().refused(work.change.doc, *dependency)?.map(|(item, _)| item) } else { None };
            if let Some(item) = here.or(before) {
                return Ok(Verdict::Stranded(item));
            }
        }
        let missing = unmet.first().copied().unwrap_or_default();
        if work.waited.is_some() {
            return Ok(Verdict::Waiting(missing));
        }
        if self.room.take(Why::Waiting, work.change.raw.len()) {
            open.held.push(held(Why::Waiting, work, Some(missing)));
            return Ok(Verdict::Waiting(missing));
        }
        // More than can be on its way: a person looks at it.
        Ok(self.put_aside(&mut open.held, work, Refusal::NoSuchRecord))
    }

    /// Keeps a change aside for an administrator.
    pub(super) fn aside(&mut self, into: &mut Vec<HeldRow>, work: &Work<'_>) -> Verdict {
        self.put_aside(into, work, Refusal::NotPermitted)
    }

    fn put_aside(&mut self, into: &mut Vec<HeldRow>, work: &Work<'_>, without_room: Refusal) -> Verdict {
        // What waited is held already: it moves, whatever the room.
        if work.waited.is_none() && !self.room.take(Why::Quarantined, work.change.raw.len()) {
            return Verdict::Refused(without_room);
        }
        into.push(held(Why::Quarantined, work, None));
        Verdict::Quarantined
    }

    /// Keeps a fact aside for an administrator.
    pub(super) fn fact_aside(&mut self, sender: &Sender, origin: Origin, fact: &Fact) -> Verdict {
        let body = minicbor::to_vec(fact).expect("encoding into memory does not fail");
        if !self.room.take(Why::Quarantined, body.len()) {
            return Verdict::Refused(Refusal::NotPermitted);
        }
        let since_ms = sender.received_ms;
        self.plan.aside.push(HeldRow { id: 0, why: Why::Quarantined, device: sender.device, origin, doc: None, missing: None, body, since_ms });
        Verdict::Quarantined
    }
}

fn held(why: Why, work: &Work<'_>, missing: Option<Hash>) -> HeldRow {
    let body = super::change_bytes(&work.change);
    HeldRow { id: 0, why, device: work.sender.device, origin: work.origin, doc: Some(work.change.doc), missing, body, since_ms: work.sender.received_ms }
}

/// What waits in a document, by what it waits for.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    by: BTreeMap<Hash, Vec<i64>>,
    /// It waits for nothing any more.
    ready: VecDeque<i64>,
}

impl Waiting {
    /// What waits there, and what of it need not: that for which `decided` says so.
    pub(super) fn new(rows: Vec<(i64, Option<Hash>)>, decided: impl Fn(Hash) -> bool) -> Self {
        let mut waiting = Self::default();
        for (id, missing) in rows {
            match missing.filter(|missing| !decided(*missing)) {
                Some(missing) => waiting.waits(id, missing),
                None => waiting.ready.push_back(id),
            }
        }
        waiting
    }

    /// It is decided what became of a change.
    pub(super) fn decided(&mut self, change: Hash) {
        self.ready.extend(self.by.remove(&change).into_iter().flatten());
    }

    /// It waits for a change.
    pub(super) fn waits(&mut self, id: i64, missing: Hash) {
        self.by.entry(missing).or_default().push(id);
    }

    /// The next that waits for nothing any more.
    pub(super) fn next(&mut self) -> Option<i64> {
        self.ready.pop_front()
    }
}

/// What a device may still have held back.
#[derive(Debug)]
pub(super) struct Room {
    waiting: (u32, u64),
    quarantined: (u32, u64),
}

impl Room {
    pub(super) fn of(read: &dyn Read, device: DeviceId) -> Result<Self> {
        let (waiting, quarantined) = (read.held(device, Why::Waiting)?, read.held(device, Why::Quarantined)?);
        let left = |limit: (u32, u64), used: (u32, u64)| (limit.0.saturating_sub(used.0), limit.1.saturating_sub(used.1));
        Ok(Self { waiting: left(MAX_WAITING, waiting), quarantined: left(MAX_QUARANTINED, quarantined) })
    }

    pub(super) fn take(&mut self, why: Why, bytes: usize) -> bool {
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
