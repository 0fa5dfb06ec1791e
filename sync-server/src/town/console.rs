//! What the console reads.

use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::case::{Case, CaseFacts, State, fold};
use fieldgrid_core::domain::fact::FactKind;
use fieldgrid_core::domain::grant::Grant;
use fieldgrid_core::domain::id::{DeviceId, DocId, UserId};
use fieldgrid_core::record::{Content, Record, RecordKind};
use fieldgrid_core::wire::entry::Entry;

use super::{Town, TownError};
use crate::store::{CaseRow, OrgRow, PhoneRow, Read, Result as Stored, Standing, StoreError, StreamKey};

/// What a scope holds.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Cases by state.
    pub cases: Vec<(State, u32)>,
    /// Households, persons and persons with care tags, by grid.
    pub households: Vec<(AreaCode, u32, u32, u32)>,
}

/// A phone as a list shows it. How much is unsent on it only the phone knows.
#[derive(Debug, Clone)]
pub struct Phone {
    /// The device.
    pub device: DeviceId,
    /// The person.
    pub user: UserId,
    /// The person's display name.
    pub name: Option<String>,
    /// What it may do.
    pub grant: Option<Grant>,
    /// Whether it is active, limited or revoked.
    pub standing: Standing,
    /// When it was last heard, milliseconds since 1970, to the minute.
    pub heard_ms: i64,
    /// Batches received of it.
    pub batches: u64,
    /// Pieces refused of it.
    pub refused: u64,
    /// Pieces that wait for something.
    pub waiting: u32,
    /// Pieces kept aside for an administrator.
    pub quarantined: u32,
}

/// A case with its history.
#[derive(Debug, Clone)]
pub struct CaseDetail {
    /// As lists show it.
    pub row: CaseRow,
    /// As folded.
    pub case: Case,
}

/// Something that came in.
#[derive(Debug, Clone)]
pub struct Latest {
    /// Grows with each entry.
    pub entry: i64,
    /// The device that brought it.
    pub device: DeviceId,
    /// The person's display name.
    pub name: Option<String>,
    /// When the server received it, milliseconds since 1970.
    pub received_ms: i64,
    /// The record, when it is a change of one.
    pub record: Option<(RecordKind, DocId)>,
    /// The kind, when it is a fact.
    pub fact: Option<FactKind>,
    /// The case as lists show it now, when it is a change of one.
    pub case: Option<CaseRow>,
}

impl Town {
    /// How many there are of what under a scope.
    ///
    /// # Errors
    /// [`TownError::Store`], as for everything here.
    pub fn counts(&self, scope: AreaCode) -> Result<Counts, TownError> {
        let read = self.store.read()?;
        Ok(Counts { cases: read.case_counts(scope)?, households: read.household_counts(scope)? })
    }

    /// The desks with their names, by code.
    ///
    /// # Errors
    /// [`TownError::Store`].
    pub fn desks(&self) -> Result<Vec<(AreaCode, String)>, TownError> {
        let read = self.store.read()?;
        let desks = read.streams()?.into_iter().filter_map(|stream| if let StreamKey::Desk(area) = stream.key { Some(area) } else { None });
        let mut desks = desks.map(|area| Ok((area, read.division(area)?.unwrap_or_else(|| area.to_string())))).collect::<Stored<Vec<_>>>()?;
        desks.sort();
        Ok(desks)
    }

    /// Cases under a scope, the latest first.
    ///
    /// # Errors
    /// [`TownError::Store`].
    pub fn cases(&self, scope: AreaCode, state: Option<State>, limit: usize) -> Result<Vec<CaseRow>, TownError> {
        Ok(self.store.read()?.cases(scope, state, limit)?)
    }

    /// A case with its history.
    ///
    /// # Errors
    /// [`TownError::Store`].
    pub fn case(&self, doc: DocId) -> Result<Option<CaseDetail>, TownError> {
        let read = self.store.read()?;
        let (Some(row), Some(record)) = (read.case(doc)?, record(&*read, doc)?) else { return Ok(None) };
        let Content::Case(actions) = record.read() else { return Ok(None) };
        let received = read.actions(doc)?.into_iter().map(|row| (row.action, row.interval)).collect();
        let facts = CaseFacts { number: row.number.clone(), received, late: Vec::new(), stands_for: read.stands_for(doc)? };
        Ok(Some(CaseDetail { case: fold(doc, &actions, &facts), row }))
    }

    /// Every document of the town, loaded one after the other.
    ///
    /// # Errors
    /// [`TownError::Store`], or what `each` says.
    pub fn export(&self, mut each: impl FnMut(RecordKind, DocId, &Record) -> Result<(), TownError>) -> Result<usize, TownError> {
        let read = self.store.read()?;
        let docs = read.docs()?;
        for doc in &docs {
            if let Some(record) = record(&*read, doc.id)? {
                each(doc.kind, doc.id, &record)?;
            }
        }
        Ok(docs.len())
    }

    /// The phones, the last heard first.
    ///
    /// # Errors
    /// [`TownError::Store`].
    pub fn phones(&self) -> Result<Vec<Phone>, TownError> {
        Ok(self.store.read()?.phones()?.into_iter().map(Phone::from).collect())
    }

    /// What came in last, the latest first.
    ///
    /// # Errors
    /// [`TownError::Store`].
    pub fn latest(&self, limit: usize) -> Result<Vec<Latest>, TownError> {
        let read = self.store.read()?;
        let mut latest = Vec::new();
        for (entry, origin) in read.latest(limit)? {
            let (Some(life), Some(batch)) = (read.incarnation(origin.incarnation)?, read.batch(origin.incarnation, origin.seq)?) else { continue };
            let name = match read.device(life.device)? {
                Some(device) => read.person(device.user)?,
                None => None,
            };
            let (record, fact) = match read.entry(entry)? {
                Entry::Change(change) => (Some((change.kind, change.doc)), None),
                Entry::Fact(fact) => (None, Some(fact.kind)),
                Entry::Join(_) | Entry::Leave(_) => (None, None),
            };
            let case = match record {
                Some((RecordKind::Case, doc)) => read.case(doc)?,
                _ => None,
            };
            latest.push(Latest { entry, device: life.device, name, received_ms: batch.received_ms, record, fact, case });
        }
        Ok(latest)
    }

    /// Name of a division or grid.
    ///
    /// # Errors
    /// [`TownError::Store`].
    pub fn division(&self, code: AreaCode) -> Result<Option<String>, TownError> {
        Ok(self.store.read()?.division(code)?)
    }

    /// Divisions and grids under a scope with their names, by code.
    ///
    /// # Errors
    /// [`TownError::Store`].
    pub fn divisions(&self, scope: AreaCode) -> Result<Vec<(AreaCode, String)>, TownError> {
        Ok(self.store.read()?.divisions(scope)?)
    }

    /// Organisations that work for an area.
    ///
    /// # Errors
    /// [`TownError::Store`].
    pub fn orgs(&self, scope: AreaCode) -> Result<Vec<OrgRow>, TownError> {
        Ok(self.store.read()?.orgs(scope)?)
    }
}

impl From<PhoneRow> for Phone {
    fn from(row: PhoneRow) -> Self {
        let PhoneRow { device, grant, name, held: (waiting, quarantined), batches } = row;
        Self {
            device: device.id,
            user: device.user,
            name,
            grant,
            standing: device.standing,
            heard_ms: device.heard_ms,
            batches,
            refused: device.refused,
            waiting,
            quarantined,
        }
    }
}

/// A document, loaded. `None` when there is none.
pub(super) fn record(read: &dyn Read, doc: DocId) -> Stored<Option<Record>> {
    let Some(row) = read.doc(doc)? else { return Ok(None) };
    let changes = read.changes(doc)?;
    Record::load(row.kind, changes.iter().map(|(_, change)| change.raw.as_slice())).map(Some).map_err(|_| StoreError::Damaged("document"))
}
