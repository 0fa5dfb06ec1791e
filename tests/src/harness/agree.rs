//! The reckoning: do all phones and the server agree to the byte, is nothing missing that was typed, and is nothing there twice?

use std::collections::{BTreeMap, BTreeSet};

use fieldgrid_core::device::store::{DeliveryState, EditRow};
use fieldgrid_core::domain::id::{DocId, Hash, Incarnation};
use fieldgrid_core::domain::policy::{self, Reads, Refusal};
use fieldgrid_core::record::{Record, gate};
use sync_server::store::Read;
use sync_server::town::Town;

use super::phone::{Phone, Typed};

/// What was typed, and what became of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reckoning {
    /// At the centre, with a receipt on the phone.
    pub received: usize,
    /// Refused, visible on the phone, by reason.
    pub refused: BTreeMap<Refusal, usize>,
    /// Records on the server.
    pub records: usize,
}

/// Compares every phone with the server.
///
/// # Panics
/// When anything does not agree, with all of it.
#[must_use]
pub fn agree(town: &Town, phones: &[&Phone]) -> Reckoning {
    let verified = town.verify().expect("the store is read");
    assert!(verified.findings.is_empty(), "verify: {:?}", verified.findings);
    let read = town.store().read().expect("a snapshot");
    let records = server_records(read.as_ref());
    let mut reckoning = Reckoning { records: records.len(), ..Reckoning::default() };
    let mut wrong = Vec::new();
    for phone in phones {
        compare(phone, read.as_ref(), &records, &mut wrong);
        find_typed(phone, read.as_ref(), &mut reckoning, &mut wrong);
    }
    let lives: Vec<_> = phones.iter().filter_map(|phone| Some((&phone.name, phone.device().identity()?.incarnation))).collect();
    assert!(wrong.is_empty(), "they do not agree:\n{}\nthe phones' lives: {lives:?}", wrong.join("\n"));
    reckoning
}

/// Every record on the server.
///
/// # Panics
/// When one does not load, or holds an edit twice.
#[must_use]
pub fn server_records(read: &dyn Read) -> BTreeMap<DocId, Record> {
    let mut records = BTreeMap::new();
    for row in read.docs().expect("the records") {
        let changes = read.changes(row.id).expect("a record's changes");
        let edits: BTreeSet<Hash> = changes.iter().map(|(_, change)| change.edit_id()).collect();
        assert_eq!(edits.len(), changes.len(), "record {} holds an edit twice", row.id);
        let record = Record::load(row.kind, changes.iter().map(|(_, change)| change.raw.as_slice())).expect("a stored record loads");
        records.insert(row.id, record);
    }
    records
}

/// Streams by chain, records by heads and content.
fn compare(phone: &Phone, read: &dyn Read, records: &BTreeMap<DocId, Record>, wrong: &mut Vec<String>) {
    let (device, name) = (phone.device(), &phone.name);
    let status = device.status().expect("the store is read").store;
    if status.parked > 0 || status.rebuilding || status.unsent > 0 {
        wrong.push(format!("{name}: {} parked, rebuilding {}, {} unsent", status.parked, status.rebuilding, status.unsent));
    }
    let streams = status.streams;
    for stream in &streams {
        let server = read.stream(stream.stream).expect("a snapshot");
        if server.is_none_or(|server| (server.head, server.chain) != (stream.seq, stream.chain)) {
            wrong.push(format!("{name}: stream {} ({}) is at {}, the server elsewhere", stream.stream, stream.kind, stream.seq));
        }
    }
    let own_only = policy::reads(phone.role) == Reads::Own;
    let in_streams: BTreeSet<DocId> = streams.iter().flat_map(|stream| read.docs_in(stream.stream).expect("a snapshot")).map(|row| row.id).collect();
    if !own_only {
        // It holds what its streams hold, and has forgotten what has left them.
        let here: BTreeSet<DocId> = device.records().expect("the store is read").into_iter().map(|(doc, _)| doc).collect();
        // What was refused stays with its author.
        let refused: BTreeSet<DocId> = device.refused().expect("the store is read").into_iter().filter_map(|edit| edit.doc).collect();
        // After a restore a phone keeps what it holds: a join that the backup lacks is not taken back.
        let kept = read.epochs().expect("a snapshot").len() > 1;
        wrong.extend(
            here.difference(&in_streams).filter(|doc| !refused.contains(doc) && !kept).map(|doc| format!("{name}: record {doc} should have been forgotten")),
        );
        wrong.extend(in_streams.difference(&here).map(|doc| format!("{name}: record {doc} is not on the phone")));
    }
    for (doc, _) in device.records().expect("the store is read") {
        let (Some(mine), Some(theirs)) = (device.record(doc).expect("a record loads"), records.get(&doc)) else {
            wrong.push(format!("{name}: record {doc} is not on the server"));
            continue;
        };
        let whole = mine.heads() == theirs.heads() && mine.read() == theirs.read() && changes(&mine) == changes(theirs);
        // Who only reports holds his own words and nothing else, and what is kept after a restore may be old: they must be among the server's.
        let part = (own_only || !in_streams.contains(&doc)) && mine.changes().iter().all(|change| theirs.has(change.hash));
        if !whole && !part {
            let beyond = |one: &Record, other: &Record| {
                one.changes().into_iter().filter(|change| !other.has(change.hash)).map(|change| author(&change.raw)).collect::<Vec<_>>()
            };
            wrong.push(format!(
                "{name}: record {doc} differs from the server's: {:?} are only here, {:?} only there",
                beyond(&mine, theirs),
                beyond(theirs, &mine)
            ));
        }
    }
}

/// To the byte; which of two concurrent changes came first differs.
fn changes(record: &Record) -> BTreeMap<Hash, Vec<u8>> {
    record.changes().into_iter().map(|change| (change.hash, change.raw)).collect()
}

/// Of which life of which store a change is, for messages.
fn author(raw: &[u8]) -> Option<Incarnation> {
    gate::inspect(raw).ok()?.actor
}

/// Everything typed is on the server with a receipt, or refused with its reason and visible.
fn find_typed(phone: &Phone, read: &dyn Read, reckoning: &mut Reckoning, wrong: &mut Vec<String>) {
    let name = &phone.name;
    let mut rows: BTreeMap<DocId, Vec<EditRow>> = BTreeMap::new();
    for typed in &phone.typed {
        let (doc, there) = (typed.doc(), is_there(read, *typed));
        let rows = rows.entry(doc).or_insert_with(|| phone.edits(doc));
        let row = rows.iter().find(|row| match *typed {
            Typed::Edit(_, edit) => row.edit == edit,
            Typed::Fact(_, fact) => row.fact == Some(fact),
        });
        match row.map(|row| row.delivery) {
            Some(delivery) if delivery.state == DeliveryState::Received && there => reckoning.received += 1,
            Some(delivery) if delivery.state == DeliveryState::Refused && !there => {
                *reckoning.refused.entry(delivery.reason.unwrap_or(Refusal::Other(0))).or_default() += 1;
            }
            Some(delivery) => wrong.push(format!("{name}: {typed:?} is {}, and {} on the server", delivery.state, if there { "there" } else { "missing" })),
            None => wrong.push(format!("{name}: {typed:?} is not shown on the phone, and {} on the server", if there { "there" } else { "missing" })),
        }
    }
}

/// Whether the server holds what was typed.
///
/// # Panics
/// When the store cannot be read.
#[must_use]
pub fn is_there(read: &dyn Read, typed: Typed) -> bool {
    match typed {
        Typed::Edit(doc, edit) => read.edit(doc, edit).expect("a snapshot").is_some(),
        Typed::Fact(_, fact) => read.fact(fact).expect("a snapshot").is_some(),
    }
}
