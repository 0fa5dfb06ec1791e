//! Facts that devices write.

use fieldgrid_core::domain::area::{AreaCode, Level};
use fieldgrid_core::domain::fact::{Body, Fact, FactKind};
use fieldgrid_core::domain::id::DocId;
use fieldgrid_core::domain::policy::{self, Refusal};
use fieldgrid_core::wire::batch::Item;
use fieldgrid_core::wire::limits;
use fieldgrid_core::wire::verdict::Verdict;

use super::case::desk;
use super::judge::Judge;
use super::plan::{FactPlan, Target};
use super::sender::{Beyond, Right, Sender};
use crate::store::{Origin, Result, StreamKey};

/// The verdict on a fact; what is let in goes into the plan.
pub(super) fn judge(judge: &mut Judge<'_>, sender: &Sender, origin: Origin, fact: &Fact) -> Result<Verdict> {
    let grant = match &sender.right {
        Right::Revoked => return Ok(judge.fact_aside(sender, origin, fact)),
        Right::Reports(_, Beyond::Aside) => return Ok(judge.fact_aside(sender, origin, fact)),
        Right::None(refusal) | Right::Reports(_, Beyond::Refused(refusal)) => return Ok(Verdict::Refused(*refusal)),
        Right::Grant(grant) => grant,
    };
    match &fact.body {
        Body::Held(body) if body.len() > limits::MAX_FACT => return Ok(Verdict::Refused(Refusal::TooLarge)),
        Body::Held(_) => {}
        Body::Erased(_) => return Ok(Verdict::Refused(Refusal::Malformed)),
    }
    if !fact.kind.by_device() {
        return Ok(Verdict::Refused(Refusal::NotPermitted));
    }
    let twin = judge.facts.get(&fact.id).copied();
    if let Some(there) = twin.map_or_else(|| judge.source.now().fact(fact.id).map(|row| row.map(|row| row.hash)), |hash| Ok(Some(hash)))? {
        return Ok(if there == fact.hash() { Verdict::AlreadyHeld } else { Verdict::Refused(Refusal::Rewrite) });
    }
    let held = match fact.subject {
        Some(subject) => area_of(judge, subject)?,
        None => None,
    };
    let destination = judge.source.now().stream(sender.header.destination)?.and_then(|stream| stream.key.area());
    let Some(area) = held.or(fact.area).or(destination).or(grant.scopes.first().copied()) else {
        return Ok(Verdict::Refused(Refusal::OutOfScope));
    };
    if let Err(refusal) = policy::may_state(grant, area, fact) {
        return Ok(Verdict::Refused(refusal));
    }
    let streams = targets(judge, sender, fact.kind, area)?;
    judge.facts.insert(fact.id, fact.hash());
    judge.plan.facts.push(FactPlan { origin, item: Item::Fact(fact.clone()), streams });
    Ok(Verdict::Accepted)
}

/// Where the subject is: as stored, or as this request founds it.
fn area_of(judge: &Judge<'_>, subject: DocId) -> Result<Option<AreaCode>> {
    match judge.plan.changing().find(|plan| plan.doc == subject) {
        Some(plan) => Ok(Some(plan.area)),
        None => Ok(judge.source.now().doc(subject)?.map(|row| row.area)),
    }
}

/// The streams a fact goes to. What is about a household stays in its grid; what only concerns its author, or has no stream yet, in the device's own.
fn targets(judge: &Judge<'_>, sender: &Sender, kind: FactKind, area: AreaCode) -> Result<Vec<Target>> {
    let key = match kind {
        FactKind::Command => StreamKey::Scope(area),
        FactKind::Acknowledgement => StreamKey::Desk(desk(area)),
        FactKind::Reveal => return Ok(vec![Target::Own(sender.stream)]),
        _ if area.level() == Level::Grid => StreamKey::Grid(area),
        _ => return Ok(vec![Target::Own(sender.stream)]),
    };
    let there = judge.source.now().stream_for(key)?.is_some();
    Ok(vec![if there { Target::Key(key) } else { Target::Own(sender.stream) }])
}
