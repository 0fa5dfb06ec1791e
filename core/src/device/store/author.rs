//! Work under a grant that was taken back. A false server gave the grant, or the centre lost it when
//! it was restored. The centre refuses such work, so it is done again under the grant in force.

use std::collections::{BTreeMap, HashSet};

use rusqlite::{Connection, OptionalExtension};

use super::meta::{self, Renew};
use super::own::OwnRow;
use super::{StoreError, rebuild};
use crate::domain::action::Action;
use crate::domain::grant::Author;
use crate::domain::id::{ActionId, GrantId};
use crate::record::Command;
use crate::wire::batch::Batch;

/// The grants that the device has.
pub(super) fn grants(db: &Connection) -> Result<HashSet<GrantId>, StoreError> {
    let grants = db.prepare_cached("SELECT grant_id FROM grants")?.query_map([], |row| row.get(0).map(GrantId::from_bytes))?.collect::<Result<_, _>>()?;
    Ok(grants)
}

/// Whether the device has the grants that own work was done and sealed under.
pub(super) fn is_granted(db: &Connection, row: &OwnRow) -> Result<bool, StoreError> {
    let grants = grants(db)?;
    let bytes: Option<Option<Vec<u8>>> =
        db.prepare_cached("SELECT b.bytes FROM own o JOIN batches b ON b.n = o.batch WHERE o.n = ?1")?.query_row([row.n], |row| row.get(0)).optional()?;
    let sealed = bytes.flatten().is_none_or(|bytes| is_sealed_under(&bytes, &grants));
    Ok(sealed && row.command.as_deref().map(|command| is_done_under(command, &grants)).transpose()?.unwrap_or(true))
}

/// Grants were taken back: what was done under them is to be done again, whatever became of it.
pub(super) fn withdrawn(db: &Connection) -> Result<(), StoreError> {
    let grants = grants(db)?;
    let batches = db
        .prepare_cached("SELECT n, bytes FROM batches WHERE void = 0 AND bytes IS NOT NULL")?
        .query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    let sealed: HashSet<i64> = batches.into_iter().filter(|(_, bytes)| !is_sealed_under(bytes, &grants)).map(|(n, _)| n).collect();
    let rows = db
        .prepare_cached("SELECT n, command, batch FROM own WHERE status IN (0, 1, 3, 4, 5, 6, 7, 10)")?
        .query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<Vec<u8>>>(1)?, row.get::<_, Option<i64>>(2)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    for (n, command, batch) in rows {
        let done = command.map(|command| is_done_under(&command, &grants)).transpose()?.unwrap_or(true);
        if !done || batch.is_some_and(|batch| sealed.contains(&batch)) {
            db.prepare_cached("UPDATE own SET attempt = 0, reason = NULL WHERE n = ?1")?.execute([n])?;
            rebuild::again_from(db, n)?;
            rebuild::set_renew(db, Renew::Copied)?;
        }
    }
    Ok(())
}

fn is_sealed_under(bytes: &[u8], grants: &HashSet<GrantId>) -> bool {
    Batch::from_bytes(bytes).is_ok_and(|batch| grants.contains(&batch.header.grant))
}

fn is_done_under(command: &[u8], grants: &HashSet<GrantId>) -> Result<bool, StoreError> {
    Ok(match meta::decode(command)? {
        Command::Act(actions) => actions.iter().all(|action| grants.contains(&action.author.grant)),
        Command::EditHousehold(_) => true,
    })
}

/// New ids of actions that were done again under another grant. An action's id is a hash of all of
/// it, its author included.
#[derive(Debug, Default)]
pub(super) struct Renamed(BTreeMap<ActionId, ActionId>);

impl Renamed {
    /// The command under the author's grant in force, naming earlier actions by their new ids.
    pub(super) fn command(&mut self, command: Command, grants: &HashSet<GrantId>, author: &Author) -> Command {
        match command {
            Command::Act(actions) => Command::Act(actions.into_iter().map(|action| self.action(action, grants, author)).collect()),
            edit @ Command::EditHousehold(_) => edit,
        }
    }

    fn action(&mut self, mut action: Action, grants: &HashSet<GrantId>, author: &Author) -> Action {
        let before = ActionId::of(&action.to_bytes());
        if !grants.contains(&action.author.grant) {
            action.author = author.clone();
        }
        let targets = action.fields.targets.iter_mut().flatten();
        let named = action.seen.iter_mut().chain(&mut action.round).chain(&mut action.assignment).chain(targets);
        named.for_each(|id| *id = self.0.get(id).copied().unwrap_or(*id));
        action.seen.sort_unstable();
        let now = ActionId::of(&action.to_bytes());
        if now != before {
            self.0.insert(before, now);
        }
        action
    }
}
