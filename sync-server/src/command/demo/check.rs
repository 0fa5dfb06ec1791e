//! The end of the day: do all phones and the server agree to the byte, and is nothing missing that was typed?

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use fieldgrid_core::device::store::{DeliveryState, EditRow};
use fieldgrid_core::domain::case::{Effect, FlagLevel};
use fieldgrid_core::domain::id::DocId;
use fieldgrid_core::record::{Record, RecordKind};

use super::Trouble;
use super::ledger::Typed;
use super::phone::Phone;
use crate::store::Read;
use crate::town::Town;

/// What the day came to.
#[derive(Debug, Default, serde::Serialize)]
pub struct Report {
    /// Cases and households on the server.
    pub records: BTreeMap<String, usize>,
    /// Forms and facts typed on phones.
    pub typed: usize,
    /// Of these, without signal.
    pub typed_offline: usize,
    /// Receipts that the phones hold.
    pub receipts: usize,
    /// Refused, by reason.
    pub refused: BTreeMap<String, usize>,
    /// Actions that were kept and had no effect, by reason.
    pub ineffective: BTreeMap<String, usize>,
    /// Flags by level.
    pub flags: BTreeMap<String, usize>,
    /// Cases by state.
    pub states: BTreeMap<String, usize>,
    /// What does not agree; empty when all is well.
    pub disagreements: Vec<String>,
}

impl Report {
    /// Compares every phone with the server.
    ///
    /// # Errors
    /// When a store cannot be read.
    pub fn of(town: &Town, phones: &[Arc<Phone>]) -> Result<Self, Trouble> {
        let mut report = Self::default();
        let read = town.store().read()?;
        let records = server_records(read.as_ref())?;
        for (doc, (kind, _)) in &records {
            *report.records.entry(kind.to_string()).or_default() += 1;
            if *kind == RecordKind::Case {
                let Some(case) = town.case(*doc)?.map(|detail| detail.case) else { continue };
                *report.states.entry(case.state.to_string()).or_default() += 1;
                for flag in &case.flags {
                    *report.flags.entry(if flag.level == FlagLevel::Must { "to decide" } else { "information" }.to_owned()).or_default() += 1;
                }
                for entry in &case.history {
                    if let Effect::Ineffective(reason) = entry.effect {
                        *report.ineffective.entry(reason.to_string()).or_default() += 1;
                    }
                }
            }
        }
        for (number, phone) in phones.iter().enumerate() {
            report.compare(number, phone, read.as_ref(), &records)?;
            report.find_typed(number, phone, read.as_ref())?;
        }
        Ok(report)
    }

    /// Streams by chain, records by heads and content.
    fn compare(&mut self, number: usize, phone: &Phone, read: &dyn Read, records: &BTreeMap<DocId, (RecordKind, Record)>) -> Result<(), Trouble> {
        let store = &phone.device;
        for stream in store.status()?.store.streams {
            let server = read.stream(stream.stream)?;
            if server.is_none_or(|server| (server.head, server.chain) != (stream.seq, stream.chain)) {
                self.disagreements.push(format!("phone {number}: stream {} ({}) is at {}, the server elsewhere", stream.stream, stream.kind, stream.seq));
            }
        }
        for (doc, _) in store.records()? {
            let (Some(mine), Some((_, theirs))) = (store.record(doc)?, records.get(&doc)) else {
                self.disagreements.push(format!("phone {number}: record {doc} is not on the server"));
                continue;
            };
            // Who only reports holds his own words and nothing else: they must be among the server's.
            let whole = mine.heads() == theirs.heads() && mine.read() == theirs.read();
            let part = phone.member.role == fieldgrid_core::domain::grant::Role::Rider && mine.changes().iter().all(|change| theirs.has(change.hash));
            if !whole && !part {
                self.disagreements.push(format!("phone {number}: record {doc} differs from the server's"));
            }
        }
        Ok(())
    }

    /// Everything typed is on the server, or is refused with its reason and visible on the phone.
    fn find_typed(&mut self, number: usize, phone: &Phone, read: &dyn Read) -> Result<(), Trouble> {
        let mut rows: BTreeMap<DocId, Vec<EditRow>> = BTreeMap::new();
        let ledger = phone.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in &ledger.entries {
            self.typed += 1;
            self.typed_offline += usize::from(entry.offline);
            let (doc, there) = match entry.typed {
                Typed::Edit(saved) => (saved.doc, read.edit(saved.doc, saved.edit)?.is_some()),
                Typed::Fact(doc, id) => (doc, read.fact(id)?.is_some()),
            };
            let rows = match rows.entry(doc) {
                std::collections::btree_map::Entry::Occupied(rows) => rows.into_mut(),
                std::collections::btree_map::Entry::Vacant(rows) => rows.insert(phone.device.edits(doc)?),
            };
            let row = rows.iter().find(|row| match entry.typed {
                Typed::Edit(saved) => row.edit == saved.edit,
                Typed::Fact(_, id) => row.fact == Some(id),
            });
            match row.map(|row| row.delivery) {
                Some(delivery) if delivery.state == DeliveryState::Received && there => self.receipts += 1,
                Some(delivery) if delivery.state == DeliveryState::Refused => {
                    let reason = delivery.reason.map(|reason| reason.to_string()).unwrap_or_default();
                    *self.refused.entry(reason).or_default() += 1;
                }
                Some(delivery) => self.disagreements.push(format!(
                    "phone {number}: {:?} is {}, and {} on the server",
                    entry.typed,
                    delivery.state,
                    if there { "there" } else { "missing" }
                )),
                None => self.disagreements.push(format!("phone {number}: {:?} is not shown on the phone", entry.typed)),
            }
        }
        Ok(())
    }
}

/// Every document on the server.
///
/// # Errors
/// When the store cannot be read.
pub fn server_records(read: &dyn Read) -> Result<BTreeMap<DocId, (RecordKind, Record)>, Trouble> {
    let mut records = BTreeMap::new();
    for row in read.docs()? {
        let changes = read.changes(row.id)?;
        let record = Record::load(row.kind, changes.iter().map(|(_, change)| change.raw.as_slice()))?;
        records.insert(row.id, (row.kind, record));
    }
    Ok(records)
}
