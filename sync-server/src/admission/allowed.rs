//! What a sender may do: policy, as it stood where the author stood.

use fieldgrid_core::domain::action::ActionKind;
use fieldgrid_core::domain::area::{AreaCode, Level};
use fieldgrid_core::domain::grant::Grant;
use fieldgrid_core::domain::household::{self, HouseholdEdit};
use fieldgrid_core::domain::policy::{self, Refusal};
use fieldgrid_core::record::Command;
use fieldgrid_core::wire::batch::ChangeItem;

use super::case;
use super::judge::{Judge, Open};
use super::sender::{Beyond, Right, Sender};
use crate::store::{Result, Standing, StreamKey};

impl Judge<'_> {
    /// Policy, and R3.
    #[expect(clippy::too_many_arguments, reason = "everything a permission depends on")]
    pub(super) fn permitted(
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
            let own = if action.author.grant == grant.id {
                None
            } else {
                self.source.now().grant(action.author.grant)?.filter(|row| row.grant.device == sender.device)
            };
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
                let stood = case::stood(self.source.now(), open, sender, change, action)?;
                allowed = stood.into_iter().map(|area| policy::may_act(grant, area, action)).find(Result::is_ok).unwrap_or(allowed);
            }
            if let Err(refusal) = allowed {
                return Ok(Err(Beyond::Refused(refusal)));
            }
            if case::stale(self.source.now(), open, sender, change, action)? {
                return Ok(Err(Beyond::Refused(Refusal::StaleSeen)));
            }
        }
        Ok(Ok(()))
    }

    /// Where a document belongs that this command founds; a refusal when it founds none.
    pub(super) fn founding(&self, sender: &Sender, grant: &Grant, command: &Command) -> Result<Result<AreaCode, Refusal>> {
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
        let destination = self.source.now().stream(sender.header.destination)?.map(|stream| stream.key);
        let candidates = [
            named,
            if let Some(StreamKey::Grid(grid)) = destination { Some(grid) } else { None },
            grant.scopes.first().copied().filter(|_| grant.scopes.len() == 1),
        ];
        for grid in candidates.into_iter().flatten().filter(|area| area.level() == Level::Grid) {
            if self.source.now().stream_for(StreamKey::Grid(grid))?.is_some() {
                return Ok(Ok(grid));
            }
        }
        let desk = if let Some(StreamKey::Desk(area)) = destination { Some(area).filter(|area| grant.covers(*area)) } else { None };
        let around = named.or(desk).or(grant.scopes.first().copied()).map(|area| area.at(Level::Town).unwrap_or(area));
        Ok(around.ok_or(Refusal::OutOfScope))
    }
}
