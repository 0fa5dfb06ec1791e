//! What an answer or a pack brings, step by step: what is referred to is many times what is held.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;
use super::apply::{ApplyError, i64_of};
use super::prove::batch_at;
use crate::domain::fact::Fact;
use crate::domain::id::{DocId, Hash};
use crate::domain::time::Interval;
use crate::wire::batch::{Batch, ChangeItem, Item};
use crate::wire::entry::Entry;
use crate::wire::pack::PackDoc;
use crate::wire::sync::{Cursor, OutboxHead, OwnRange, Page, PageEntry};

/// Own batches of which the hashes are kept while an answer is proved.
const MAX_HASHED: usize = 64;
/// What is said of a reference that leads nowhere.
const UNKNOWN: ApplyError = ApplyError::Unproven("a reference to a batch that the device does not have");

/// An entry at its proved place.
pub(super) struct Step<'a> {
    pub(super) at: Cursor,
    /// The place that a signature covers it by: its own, or where its pack leads to.
    pub(super) under: Cursor,
    pub(super) entry: Cow<'a, Entry>,
    /// When the server received its actions, where a pack says so; a stream says so before the
    /// entry.
    pub(super) received: Option<Interval>,
}

/// Steps, made one by one: what an answer refers to is many times what it holds.
pub(super) trait Steps {
    /// The next step.
    fn next(&mut self, db: &Connection) -> Result<Option<Step<'_>>, StoreError>;
    /// The record that the next one is about, where that is known before it is made.
    fn record(&self) -> Option<DocId>;
    /// How many are left.
    fn left(&self) -> usize;
}

/// The record that an entry loads.
fn record_of(entry: &Entry) -> Option<DocId> {
    match entry {
        Entry::Change(change) => Some(change.doc),
        Entry::Join(join) => Some(join.doc),
        Entry::Leave(_) => None,
        Entry::Fact(fact) => fact.subject,
    }
}

/// The pages of an answer, proved.
pub(super) struct Proved<'a> {
    pages: &'a [Page],
    /// The chain after each entry, in the order of the pages.
    chains: Vec<Hash>,
    place: Place,
    own: OwnBatches,
}

/// Where the next entry is.
#[derive(Default)]
struct Place {
    page: usize,
    /// In the page.
    piece: usize,
    /// In the piece: its items are entries of their own.
    item: usize,
    /// Entries of the page before it.
    in_page: u64,
    /// Entries of all pages before it.
    entry: usize,
}

impl<'a> Proved<'a> {
    /// Pages whose chains are proved.
    pub(super) fn new(pages: &'a [Page], chains: Vec<Hash>, own: OwnBatches) -> Self {
        Self { pages, chains, place: Place::default(), own }
    }

    /// Nothing.
    pub(super) fn none() -> Self {
        Self::new(&[], Vec::new(), OwnBatches::default())
    }

    /// What the next entry is in, past what is empty or used up.
    fn piece(&mut self) -> Option<(&'a Page, &'a PageEntry)> {
        let place = &mut self.place;
        loop {
            let page = self.pages.get(place.page)?;
            match page.entries.get(place.piece) {
                Some(piece) if place.item < piece.count() => return Some((page, piece)),
                Some(_) => (place.piece, place.item) = (place.piece + 1, 0),
                None => *place = Place { page: place.page + 1, entry: place.entry, ..Place::default() },
            }
        }
    }
}

impl Steps for Proved<'_> {
    fn next(&mut self, db: &Connection) -> Result<Option<Step<'_>>, StoreError> {
        let Some((page, piece)) = self.piece() else { return Ok(None) };
        let place = &mut self.place;
        let chain = *self.chains.get(place.entry).ok_or(StoreError::Damaged)?;
        let at = Cursor { stream: page.stream, epoch: page.epoch, seq: page.first + place.in_page, chain };
        let entry = match piece {
            PageEntry::Entry(entry) => Cow::Borrowed(entry),
            PageEntry::Own(range) => {
                let item = self.own.item(db, range, place.item).map_err(|_| StoreError::Damaged)?;
                Cow::Owned(Entry::from(item))
            }
        };
        place.item += 1;
        place.in_page += 1;
        place.entry += 1;
        self.piece();
        Ok(Some(Step { at, under: at, entry, received: None }))
    }

    fn record(&self) -> Option<DocId> {
        match self.pages.get(self.place.page)?.entries.get(self.place.piece)? {
            PageEntry::Entry(entry) => record_of(entry),
            PageEntry::Own(_) => None,
        }
    }

    fn left(&self) -> usize {
        self.chains.len() - self.place.entry
    }
}

/// The steps of a pack: documents change by change, then facts.
pub(super) struct Brought {
    at: Cursor,
    /// Where the pack leads to.
    under: Cursor,
    docs: std::vec::IntoIter<PackDoc>,
    /// The document that is under way: its changes, how many of them were taken, and which are
    /// redos.
    open: Option<(PackDoc, usize, BTreeMap<u32, Hash>)>,
    facts: std::vec::IntoIter<Fact>,
    left: usize,
}

impl Brought {
    pub(super) fn new(at: Cursor, under: Cursor, docs: Vec<PackDoc>, facts: Vec<Fact>) -> Self {
        let left = docs.iter().map(|doc| doc.changes.len()).sum::<usize>() + facts.len();
        let mut brought = Self { at, under, docs: docs.into_iter(), open: None, facts: facts.into_iter(), left };
        brought.open();
        brought
    }

    /// Goes on to the next document when all of this one was taken.
    fn open(&mut self) {
        while self.open.as_ref().is_none_or(|(doc, taken, _)| *taken == doc.changes.len()) {
            self.open = self.docs.next().map(|doc| {
                let edits = doc.edits.iter().copied().collect();
                (doc, 0, edits)
            });
            if self.open.is_none() {
                return;
            }
        }
    }
}

impl Steps for Brought {
    fn next(&mut self, _: &Connection) -> Result<Option<Step<'_>>, StoreError> {
        let (entry, received) = match &mut self.open {
            Some((doc, taken, edits)) => {
                let raw = std::mem::take(&mut doc.changes[*taken]);
                let edit = u32::try_from(*taken).ok().and_then(|index| edits.get(&index).copied());
                let received = doc.received.get(*taken).copied().flatten();
                *taken += 1;
                (Entry::Change(ChangeItem { doc: doc.doc, kind: doc.kind, edit, raw }), received)
            }
            None => match self.facts.next() {
                Some(fact) => (Entry::Fact(fact), None),
                None => return Ok(None),
            },
        };
        self.left -= 1;
        self.open();
        Ok(Some(Step { at: self.at, under: self.under, entry: Cow::Owned(entry), received }))
    }

    fn record(&self) -> Option<DocId> {
        self.open.as_ref().map(|(doc, ..)| doc.doc)
    }

    fn left(&self) -> usize {
        self.left
    }
}

/// Own batches that references name: the last one whole, and the hashes of some.
#[derive(Default)]
pub(super) struct OwnBatches {
    last: Option<(Key, Batch)>,
    hashes: BTreeMap<Key, Vec<Hash>>,
}

/// Number and incarnation.
type Key = (u64, [u8; 16]);

impl OwnBatches {
    pub(super) fn new(db: &Connection, at_hand: Option<Batch>) -> Result<Self, StoreError> {
        let Some(batch) = at_hand else { return Ok(Self::default()) };
        let head = OutboxHead { incarnation: batch.header.incarnation, seq: batch.header.seq, hash: batch.hash() };
        // The transaction that sealed it may have failed.
        let last = batch_at(db, &head)?.map(|_| ((head.seq, *head.incarnation.as_bytes()), batch));
        Ok(Self { last, ..Self::default() })
    }

    /// The hashes of a range's items.
    pub(super) fn hashes(&mut self, db: &Connection, range: &OwnRange) -> Result<&[Hash], ApplyError> {
        let key = key(range);
        if !self.hashes.contains_key(&key) {
            let hashes = self.batch(db, range)?.items.iter().map(Item::hash).collect();
            if self.hashes.len() >= MAX_HASHED {
                self.hashes.clear();
            }
            self.hashes.insert(key, hashes);
        }
        let (first, count) = (range.first as usize, range.count as usize);
        self.hashes.get(&key).and_then(|hashes| hashes.get(first..first.checked_add(count)?)).ok_or(UNKNOWN)
    }

    /// One of a range's items.
    fn item(&mut self, db: &Connection, range: &OwnRange, at: usize) -> Result<Item, ApplyError> {
        self.batch(db, range)?.items.get(range.first as usize + at).cloned().ok_or(UNKNOWN)
    }

    fn batch(&mut self, db: &Connection, range: &OwnRange) -> Result<&Batch, ApplyError> {
        let key = key(range);
        if self.last.as_ref().is_none_or(|(last, _)| *last != key) {
            let bytes: Option<Vec<u8>> = db
                .prepare_cached("SELECT bytes FROM batches WHERE incarnation = ?1 AND seq = ?2")?
                .query_row(params![range.incarnation.as_bytes(), i64_of(range.seq)], |row| row.get(0))
                .optional()?
                .flatten();
            self.last = Some((key, Batch::from_bytes(&bytes.ok_or(UNKNOWN)?)?));
        }
        self.last.as_ref().map(|(_, batch)| batch).ok_or(UNKNOWN)
    }
}

const fn key(range: &OwnRange) -> Key {
    (range.seq, *range.incarnation.as_bytes())
}
