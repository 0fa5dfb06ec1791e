//! What was kept aside, as an administrator decides about it: piece by piece (`domain.md` row 45, R18).

use std::sync::Arc;

use fieldgrid_core::domain::id::{DeviceId, DocId, Hash, StreamId};
use fieldgrid_core::domain::policy::Refusal;
use fieldgrid_core::env::Environment;
use fieldgrid_core::record::{Command, RecordKind, gate};
use fieldgrid_core::wire::verdict::Verdict;

use super::judge::{Judge, Work};
use super::plan::{Plan, Released};
use super::sender::Sender;
use super::source::Source;
use super::{apply, facts, stored_change};
use crate::store::{DeviceRow, HeldRow, Read, Result, StoreError, Why, Write};

/// A piece that is kept aside.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Aside {
    /// What commands name it by.
    pub id: i64,
    /// The device that sent it.
    pub device: DeviceId,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// The record, when it is a change of one.
    pub doc: Option<DocId>,
    /// The record's kind, or the fact's.
    pub kind: String,
    /// What it says, as far as it can be read without what it builds on.
    pub command: Option<Command>,
}

/// What came of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// There is nothing of that number.
    Gone,
    /// It builds on a change that is not here: that one is to be decided about first.
    BuildsOn(Hash),
    /// It has this verdict now.
    Verdict(Verdict),
}

/// What is kept aside, oldest first.
pub(crate) fn list(read: &dyn Read, limit: usize) -> Result<Vec<Aside>> {
    read.quarantined(limit)?.into_iter().map(|held| aside(read, held)).collect()
}

fn aside(read: &dyn Read, held: HeldRow) -> Result<Aside> {
    let HeldRow { id, device, since_ms, doc, .. } = held;
    let Some(subject) = doc else {
        let fact = fact(&held)?;
        return Ok(Aside { id, device, since_ms, doc: fact.subject, kind: fact.kind.to_string(), command: None });
    };
    let change = stored_change(&held.body)?;
    let open = Judge::new(Source::Transaction(read), device)?.open(subject, change.kind)?;
    let admitted = open.and_then(|open| gate::admit(&open.record, &change.raw, held.origin.incarnation).ok());
    Ok(Aside { id, device, since_ms, doc, kind: change.kind.to_string(), command: admitted.map(|admitted| admitted.command) })
}

fn fact(held: &HeldRow) -> Result<fieldgrid_core::domain::fact::Fact> {
    minicbor::decode(&held.body).map_err(|_| StoreError::Damaged("held fact"))
}

/// Lets a piece in that was kept aside, as if its grant had counted; or refuses it. What waited for it follows. Gives the streams that grew.
pub(crate) fn decide(tx: &mut dyn Write, env: &dyn Environment, id: i64, take: bool) -> Result<(Decided, Vec<StreamId>)> {
    let Some(held) = tx.held_item(id)?.filter(|held| held.why == Why::Quarantined) else { return Ok((Decided::Gone, Vec::new())) };
    let batch = tx.batch(held.origin.incarnation, held.origin.seq)?.ok_or(StoreError::Damaged("batch"))?;
    let header = minicbor::decode(&batch.header).map_err(|_| StoreError::Damaged("batch header"))?;
    let device = tx.device(held.device)?.ok_or(StoreError::Damaged("device"))?;
    let sender = Arc::new(Sender::vouched(&*tx, &device, &header, batch.received_ms)?);
    let (verdict, plan) = judge(&*tx, &held, &device, &sender, take)?;
    if let Verdict::Waiting(missing) = verdict {
        return Ok((Decided::BuildsOn(missing), Vec::new()));
    }
    let applied = apply::apply(tx, env, &plan)?;
    Ok((Decided::Verdict(verdict), applied.bumped))
}

fn judge(read: &dyn Read, held: &HeldRow, device: &DeviceRow, sender: &Arc<Sender>, take: bool) -> Result<(Verdict, Plan)> {
    let mut judge = Judge::new(Source::Transaction(read), device.id)?;
    let released = |verdict: &Verdict| Released { held: held.id, stream: device.stream, origin: held.origin, verdict: verdict.clone() };
    let Some(doc) = held.doc else {
        let verdict = if take { facts::judge(&mut judge, sender, held.origin, &fact(held)?)? } else { Verdict::Refused(Refusal::Rejected) };
        judge.plan.decided.push(released(&verdict));
        return Ok((verdict, judge.plan));
    };
    let change = stored_change(&held.body)?;
    let mut open = judge.open(doc, change.kind)?.ok_or(StoreError::Damaged("document"))?;
    let work = Work { at: None, change, origin: held.origin, sender: Arc::clone(sender), waited: Some(held) };
    let verdict = if take {
        judge.change(&mut open, &work)?
    } else {
        // Other pieces of its author may name its actions as seen.
        if let Ok(admitted) = gate::admit(&open.record, &work.change.raw, held.origin.incarnation)
            && open.record.kind() == RecordKind::Case
        {
            open.stand_in(&admitted.command);
        }
        Verdict::Refused(Refusal::Rejected)
    };
    open.decided(&work.change, &verdict);
    open.released.push(released(&verdict));
    judge.release(&mut open)?;
    judge.done(doc, open, Vec::new())?;
    Ok((verdict, judge.plan))
}
