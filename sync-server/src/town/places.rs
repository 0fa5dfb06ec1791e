//! Reference data: divisions, grids, organisations, people.

use std::sync::Arc;

use fieldgrid_core::domain::area::{AreaCode, Level};
use fieldgrid_core::domain::fact::FactKind;
use fieldgrid_core::domain::id::OrgId;
use fieldgrid_core::domain::server_fact::Reference;
use fieldgrid_core::env::{Environment, random};

use super::{Town, TownError};
use crate::admission::{fact, stream_for};
use crate::divisions::Division;
use crate::store::{OrgRow, Payload, Result as Stored, StreamKey, Write};

impl Town {
    /// Takes in divisions: new ones are added, known ones renamed. Gives how many.
    ///
    /// # Errors
    /// [`TownError::Store`]; nothing was taken in.
    pub async fn import_divisions(&self, divisions: Vec<Division>) -> Result<usize, TownError> {
        let count = divisions.len();
        self.store.write(move |tx| divisions.iter().try_for_each(|division| tx.put_division(division.code, &division.name))).await?;
        Ok(count)
    }

    /// Makes the first `count` grids of a village or community, those that are not there yet, with their streams and the town's desk.
    ///
    /// # Errors
    /// [`TownError::Unfit`] when the village is not known.
    pub async fn create_grids(&self, village: AreaCode, count: u16) -> Result<Vec<AreaCode>, TownError> {
        let env = Arc::clone(&self.env);
        let grids: Vec<AreaCode> = (1..=count).filter_map(|serial| village.grid(serial)).collect();
        if grids.len() != usize::from(count) {
            return Err(TownError::Unfit("grids are made in a village or community (12 digits), at most 999".into()));
        }
        let made = grids.clone();
        let grown = self
            .store
            .write(move |tx| {
                let (Some(name), Some(town)) = (tx.division(village)?, village.at(Level::Town)) else {
                    return Ok(Err(TownError::Unfit(format!("{village} is not a known village or community; import the divisions first"))));
                };
                stream_for(tx, &*env, StreamKey::Desk(town))?;
                let mut named = vec![(village, name.clone())];
                for (grid, serial) in grids.iter().zip(1..) {
                    if tx.stream_for(StreamKey::Grid(*grid))?.is_none() {
                        stream_for(tx, &*env, StreamKey::Grid(*grid))?;
                        let name = format!("{name}第{serial}网格");
                        tx.put_division(*grid, &name)?;
                        named.push((*grid, name));
                    }
                }
                Ok(Ok(publish(tx, &*env, town, &Reference::Areas(named))?))
            })
            .await??;
        self.news.grown(&[grown]);
        Ok(made)
    }

    /// Adds an organisation that works for an area, with its stream of assignments and the area's desk.
    ///
    /// # Errors
    /// [`TownError::Store`].
    pub async fn create_org(&self, name: &str, area: AreaCode) -> Result<OrgId, TownError> {
        let (env, id) = (Arc::clone(&self.env), OrgId::new(self.env.wall_ms(), random(&*self.env)));
        let org = OrgRow { id, name: name.to_owned(), area };
        let grown = self
            .store
            .write(move |tx| {
                tx.put_org(&org)?;
                stream_for(tx, &*env, StreamKey::Assignments(id))?;
                publish(tx, &*env, area, &Reference::Orgs(vec![(id, org.name.clone())]))
            })
            .await?;
        self.news.grown(&[grown]);
        Ok(id)
    }
}

/// States reference data in a scope's stream.
fn publish(tx: &mut dyn Write, env: &dyn Environment, area: AreaCode, rows: &Reference) -> Stored<fieldgrid_core::domain::id::StreamId> {
    let stream = stream_for(tx, env, StreamKey::Scope(area))?;
    let entry = tx.insert_entry(&Payload::Fact(fact(env, FactKind::Reference, None, Some(area), rows)), None)?;
    tx.lock_streams(&[stream])?;
    tx.append(stream, entry)?;
    Ok(stream)
}
