//! Cases: which streams they are in, what lists show of them, and the rule against decisions that had not seen what was there (R3).

use std::collections::BTreeMap;

use fieldgrid_core::domain::action::{Action, ActionKind};
use fieldgrid_core::domain::area::{AreaCode, Level};
use fieldgrid_core::domain::case::{AssignmentStatus, CaseFacts, Effect, FlagLevel, fold, kinds};
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::id::ActionId;
use fieldgrid_core::domain::policy::{self, Reads};
use fieldgrid_core::record::{Content, Record};
use fieldgrid_core::wire::batch::ChangeItem;

use super::judge::{Open, past};
use super::plan::{DocPlan, Projection};
use super::sender::Sender;
use crate::store::{CaseRow, Missing, Read, Result, StreamKey};

/// Characters of a report that stand in for a missing title in lists.
const TITLE_CHARS: usize = 30;

/// Whether a decision leaves out what its author's phone had been given (R3): an action at or below a position in the header, not in its `seen`.
pub(super) fn stale(read: &dyn Read, open: &Open, sender: &Sender, change: &ChangeItem, action: &Action) -> Result<bool> {
    if !kinds::spec(action.kind).is_some_and(|spec| spec.decides()) {
        return Ok(false);
    }
    let (Some(row), Content::Case(actions)) = (&open.row, open.record.read()) else { return Ok(false) };
    // What the server itself had stranded is redone with the `seen` it had.
    if stranded_before(read, change)? {
        return Ok(false);
    }
    let seen = past(&actions, &action.seen);
    let unseen: Vec<i64> = read.actions(row.id)?.into_iter().filter(|known| !seen.contains(&known.action)).map(|known| known.entry).collect();
    if unseen.is_empty() {
        return Ok(false);
    }
    for at in read.stays(row.id)? {
        let Some(position) = sender.header.positions.iter().find(|position| position.stream == at.stream) else { continue };
        let through = known_through(read, position)?;
        let joined = at.joined <= through && unseen.iter().any(|entry| *entry <= at.through);
        if joined || !read.delivered(at.stream, through, &unseen)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a change redoes an edit that the server had stranded.
fn stranded_before(read: &dyn Read, change: &ChangeItem) -> Result<bool> {
    let Some(first) = change.edit else { return Ok(false) };
    Ok(read.refused(change.doc, first)?.is_some_and(|(_, why)| why == Missing::Stranded))
}

/// The areas that the case lay in when the action's author wrote: of the streams that it was in at the positions in his header, and as the actions that he had
/// seen placed it, which a restored server may be told of after his. Who had not read that it left an area was still in charge of it.
/// What the server itself had stranded is redone later than it was written.
pub(super) fn stood(read: &dyn Read, open: &Open, sender: &Sender, change: &ChangeItem, action: &Action) -> Result<Vec<AreaCode>> {
    let redone = stranded_before(read, change)?;
    let (mut areas, mut gone) = (Vec::new(), Vec::new());
    for stay in read.stays(change.doc)? {
        let Some(position) = sender.header.positions.iter().find(|position| position.stream == stay.stream) else { continue };
        let through = known_through(read, position)?;
        // Its own author had it before it was in any stream.
        let came = stay.joined <= through || open.row.as_ref().is_some_and(|row| row.author == sender.device);
        let left = stay.left.is_some_and(|left| left <= through) && !redone;
        let area = read.stream(stay.stream)?.and_then(|stream| stream.key.area());
        if left { gone.extend(area) } else { areas.extend(area.filter(|_| came)) }
    }
    if let Content::Case(actions) = open.record.read() {
        let placed = past(&actions, &action.seen).into_iter().filter_map(|id| actions.get(&id)?.fields.grid);
        areas.extend(placed.filter(|grid| !gone.contains(grid)));
    }
    Ok(areas)
}

/// A position in numbers of this life of the server: what lies above the end of the position's own epoch was lost and numbered anew.
fn known_through(read: &dyn Read, position: &fieldgrid_core::wire::batch::Position) -> Result<u64> {
    let later = read.epochs_of(position.stream)?.into_iter().find(|(epoch, _)| *epoch > position.epoch);
    Ok(later.map_or(position.seq, |(_, first)| position.seq.min(first - 1)))
}

/// Folds the case and fills in where it goes and what lists show.
pub(super) fn project(read: &dyn Read, plan: &mut DocPlan, record: &Record, refused: &[(ActionId, Vec<ActionId>)]) -> Result<()> {
    let Content::Case(actions) = record.read() else { return Ok(()) };
    let before = read.case(plan.doc)?;
    let case = fold(plan.doc, &actions, &facts(read, plan, before.as_ref(), refused)?);

    let mut grid = plan.area.level() == Level::Grid;
    if let Some(named) = case.header.grid.filter(|named| named.level() == Level::Grid)
        && read.stream_for(StreamKey::Grid(named))?.is_some()
    {
        (plan.area, grid) = (named, true);
    }
    plan.streams.extend(grid.then_some(StreamKey::Grid(plan.area)));
    plan.streams.push(StreamKey::Desk(desk(plan.area)));
    let accepted = case.history.iter().any(|entry| entry.action.kind == ActionKind::Accept && entry.effect == Effect::Effective);
    if !accepted {
        // Where a case is moved to is the centre's decision. Until then it also stays wherever it was brought.
        for at in read.streams_of(plan.doc)? {
            let key = read.stream(at.stream)?.map(|stream| stream.key);
            plan.streams.extend(key.filter(|key| matches!(key, StreamKey::Grid(_) | StreamKey::Desk(_)) && !plan.streams.contains(key)));
        }
    }
    let taken = |status| matches!(status, AssignmentStatus::Recalled | AssignmentStatus::Superseded);
    for assignment in case.assignments.iter().filter(|assignment| !taken(assignment.status)) {
        if let Some(org) = assignment.org
            && read.org(org)?.is_some()
            && !plan.streams.contains(&StreamKey::Assignments(org))
        {
            plan.streams.push(StreamKey::Assignments(org));
        }
    }

    let received_ms = plan.admitted.iter().map(|admitted| admitted.sender.received_ms).max().unwrap_or_default();
    let report = case.history.iter().find(|entry| entry.action.kind == ActionKind::Report);
    let title = case.header.title.clone().or_else(|| case.header.text.as_ref().map(|text| text.chars().take(TITLE_CHARS).collect()));
    let open = |status| matches!(status, AssignmentStatus::Unsigned | AssignmentStatus::Signed);
    let row = CaseRow {
        doc: plan.doc,
        area: plan.area,
        number: before.as_ref().and_then(|before| before.number.clone()),
        state: case.state,
        title,
        category: case.header.category.clone(),
        severity: case.header.severity,
        reopen_pending: case.reopen_pending,
        flags: count(case.flags.iter().filter(|flag| flag.level == FlagLevel::Must).count()),
        actions: count(case.history.len()),
        reporter: report.map_or(Role::Other(0), |report| report.action.author.role),
        due_ms: case.assignments.iter().filter(|assignment| open(assignment.status)).filter_map(|assignment| assignment.due_ms).min(),
        created_ms: before.as_ref().map_or(received_ms, |before| before.created_ms),
        updated_ms: received_ms,
        progress: before.and_then(|before| before.progress),
    };
    let reporter = match read.latest_grant(plan.author)? {
        Some(grant) if policy::reads(grant.grant.role) == Reads::Own => read.device(plan.author)?.map(|device| (device.stream, case.reply.clone())),
        _ => None,
    };
    plan.projection = Projection::Case { numbered: accepted && row.number.is_none(), row: Box::new(row), reporter };
    Ok(())
}

/// What the server's facts will say about the case.
fn facts(read: &dyn Read, plan: &DocPlan, before: Option<&CaseRow>, refused: &[(ActionId, Vec<ActionId>)]) -> Result<CaseFacts> {
    let mut received: BTreeMap<_, _> = read.actions(plan.doc)?.into_iter().map(|row| (row.action, row.interval)).collect();
    received.extend(plan.admitted.iter().flat_map(|admitted| admitted.actions.iter().copied()));
    let mut stands_for = read.stands_for(plan.doc)?;
    stands_for.extend(refused.iter().cloned());
    Ok(CaseFacts { number: before.and_then(|before| before.number.clone()), received, late: Vec::new(), stands_for })
}

/// The desk that holds a case: its town's, or for what lies in no town its own area's.
pub(super) fn desk(area: AreaCode) -> AreaCode {
    area.at(Level::Town).unwrap_or(area)
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
