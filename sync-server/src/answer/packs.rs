//! Area packs: everything a stream holds at a position, as one file that is built once and served from disk.
//!
//! A pack is built at zstd 9 when it is first asked for, and made again at 19 when the server has time. It is dropped when the stream has outgrown it, and
//! when something in it was erased.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use fieldgrid_core::domain::fact::{Body, Fact, FactKind};
use fieldgrid_core::domain::id::{DocId, Hash, StreamId};
use fieldgrid_core::domain::server_fact::Received;
use fieldgrid_core::domain::time::Interval;
use fieldgrid_core::env::Environment;
use fieldgrid_core::record::RecordKind;
use fieldgrid_core::wire::entry::Entry;
use fieldgrid_core::wire::pack::{Pack, PackDoc};
use fieldgrid_core::wire::suite::Signer;
use fieldgrid_core::wire::sync::{Cursor, PackRef, StreamKind};

use super::PACK_FROM;
use super::cursors::epoch_of;
use crate::store::{PackRow, Read, Store, StoreError, StreamRow};

/// zstd's level while somebody waits: two thirds of what 19 gains over 3, in a tenth of its time.
const AT_ONCE: i32 = 9;
/// zstd's level when nobody waits.
const WELL: i32 = 19;

/// Entries looked at at once.
const ROWS: usize = 1024;

/// Why a pack could not be had. The stream is read from its start instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file could not be written or read.
    #[error("pack file: {0}")]
    Io(#[from] std::io::Error),
    /// It could not be encoded.
    #[error("pack: {0}")]
    Encode(#[from] fieldgrid_core::wire::error::WireError),
}

/// The packs on disk.
#[derive(Debug)]
pub struct Packs {
    directory: PathBuf,
    store: Arc<dyn Store>,
    signer: Arc<dyn Signer>,
    env: Arc<dyn Environment>,
    building: Mutex<HashSet<StreamId>>,
}

impl Packs {
    /// Packs in a directory.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn open(directory: PathBuf, store: Arc<dyn Store>, signer: Arc<dyn Signer>, env: Arc<dyn Environment>) -> std::io::Result<Self> {
        std::fs::create_dir_all(&directory)?;
        Ok(Self { directory, store, signer, env, building: Mutex::default() })
    }

    /// The stream's pack, built when there is none near enough. `None` while another thread builds it, or when it cannot be built.
    pub(crate) fn offer(&self, read: &dyn Read, stream: &StreamRow) -> Option<PackRef> {
        if let Some(row) = self.near(read, stream).ok().flatten() {
            return Some(reference(&row));
        }
        match self.build(read, stream.id, AT_ONCE) {
            Ok(row) => row.as_ref().map(reference),
            Err(error) => {
                tracing::warn!(%error, "a pack could not be built; the stream is read from its start");
                None
            }
        }
    }

    /// The file of a pack.
    #[must_use]
    pub fn path(&self, stream: StreamId, sha256: Hash) -> PathBuf {
        self.directory.join(format!("{stream}-{sha256}.pack"))
    }

    /// Builds well what was built at once or is far behind. For an idle moment; blocks.
    ///
    /// # Errors
    /// [`PackError`].
    pub fn improve(&self) -> Result<usize, PackError> {
        let streams = self.store.read()?.streams()?;
        let mut built = 0;
        for stream in streams.into_iter().filter(|stream| stream.head >= PACK_FROM && stream.key.kind() != StreamKind::Device) {
            let read = self.store.read()?;
            if self.near(&*read, &stream)?.is_none_or(|row| row.level < WELL) {
                self.build(&*read, stream.id, WELL)?;
                built += 1;
            }
        }
        Ok(built)
    }

    /// A pack that is there and leaves little to read after it.
    fn near(&self, read: &dyn Read, stream: &StreamRow) -> Result<Option<PackRow>, StoreError> {
        let rows = read.packs(stream.id)?;
        for row in rows {
            let behind = stream.head.saturating_sub(row.seq);
            let known = read.chain_at(stream.id, row.seq)? == Some(row.chain) && !retired(read, &row)?;
            if known && behind <= (row.seq / 4).max(PACK_FROM) && self.path(row.stream, row.sha256).exists() {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// From a snapshot that the caller holds: a second one, while others wait for theirs, could wait for ever.
    fn build(&self, read: &dyn Read, stream: StreamId, level: i32) -> Result<Option<PackRow>, PackError> {
        if !self.building.lock().unwrap_or_else(PoisonError::into_inner).insert(stream) {
            return Ok(None);
        }
        let built = self.write(read, stream, level);
        self.building.lock().unwrap_or_else(PoisonError::into_inner).remove(&stream);
        built.map(Some)
    }

    fn write(&self, read: &dyn Read, stream: StreamId, level: i32) -> Result<PackRow, PackError> {
        let (pack, old) = (contents(read, stream)?, read.packs(stream)?);
        let file = pack.to_file(level, &*self.signer)?;
        let sha256 = Hash::of(&[&file]);
        write_whole(&self.path(stream, sha256), &file)?;
        let Cursor { epoch, seq, chain, .. } = pack.at;
        let row = PackRow { stream, seq, epoch, chain, level, size: file.len() as u64, sha256, built_ms: self.env.wall_ms() };
        // The newest of those before stays a while, for whoever is downloading it.
        let drop_old: Vec<PackRow> = old.into_iter().filter(|old| old.sha256 != sha256).skip(1).collect();
        let paths: Vec<PathBuf> = drop_old.iter().map(|old| self.path(stream, old.sha256)).collect();
        self.store.write_blocking(move |tx| {
            tx.insert_pack(&row)?;
            drop_old.iter().try_for_each(|old| tx.delete_pack(stream, old.sha256))
        })?;
        for path in paths {
            std::fs::remove_file(path)?;
        }
        Ok(row)
    }
}

/// Whether a pack holds what has left its stream since: it is offered and served no more.
pub(crate) fn retired(read: &dyn Read, row: &PackRow) -> Result<bool, StoreError> {
    read.left_above(row.stream, row.seq)
}

fn reference(row: &PackRow) -> PackRef {
    PackRef { at: Cursor { stream: row.stream, epoch: row.epoch, seq: row.seq, chain: row.chain }, size: row.size, sha256: row.sha256 }
}

/// Written beside and renamed, so that no reader sees half a file.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    std::fs::write(&beside, bytes)?;
    std::fs::rename(beside, path)
}

/// What the stream holds now: its documents whole; its facts but the sensitive ones, of views only the latest of each subject.
fn contents(read: &dyn Read, id: StreamId) -> Result<Pack, StoreError> {
    let stream = read.stream(id)?.ok_or(StoreError::Damaged("stream"))?;
    let received = received(read, &stream)?;
    let mut docs = Vec::new();
    for doc in read.docs_in(id)? {
        let changes = read.changes(doc.id)?;
        let edits = (0_u32..).zip(&changes).filter_map(|(index, (_, change))| change.edit.map(|edit| (index, edit))).collect();
        let received = if doc.kind == RecordKind::Case { changes.iter().map(|(entry, _)| received.get(entry).copied()).collect() } else { Vec::new() };
        docs.push(PackDoc { doc: doc.id, kind: doc.kind, changes: changes.into_iter().map(|(_, change)| change.raw).collect(), edits, received });
    }
    let (mut facts, mut views) = (Vec::new(), BTreeMap::<DocId, usize>::new());
    for placed in read.facts_in(id, stream.head)?.into_iter().filter(|placed| placed.fact != Some(FactKind::Sensitive)) {
        let Entry::Fact(fact) = read.entry(placed.entry)? else { continue };
        if receipt(&fact).is_some() {
            continue;
        }
        if let Some(subject) = fact.subject
            && read.has_left(subject, id)?
        {
            continue;
        }
        match fact.subject.filter(|_| fact.kind == FactKind::View) {
            Some(subject) => match views.get(&subject) {
                Some(at) => facts[*at] = fact,
                None => {
                    views.insert(subject, facts.len());
                    facts.push(fact);
                }
            },
            None => facts.push(fact),
        }
    }
    let epoch = epoch_of(&read.epochs_of(id)?, stream.head, stream.epoch);
    Ok(Pack { at: Cursor { stream: id, epoch, seq: stream.head, chain: stream.chain }, docs, facts })
}

/// When the entries of a stream were received, as far as it says so by their place.
fn received(read: &dyn Read, stream: &StreamRow) -> Result<BTreeMap<i64, Interval>, StoreError> {
    let (mut received, mut now, mut seq) = (BTreeMap::new(), None, 0);
    while seq < stream.head {
        let placed = read.placed(stream.id, seq, ROWS)?;
        let Some(last) = placed.last() else { break };
        seq = last.seq;
        for placed in placed {
            match placed.fact {
                None => received.extend(now.map(|interval| (placed.entry, interval))),
                Some(FactKind::Received) => {
                    if let Entry::Fact(fact) = read.entry(placed.entry)? {
                        now = receipt(&fact).or(now);
                    }
                }
                Some(_) => {}
            }
        }
    }
    Ok(received)
}

/// What a fact says of when the entries after it were received.
fn receipt(fact: &Fact) -> Option<Interval> {
    match (&fact.kind, &fact.body) {
        (FactKind::Received, Body::Held(body)) => match minicbor::decode(body) {
            Ok(Received::Next(interval)) => Some(interval),
            Ok(Received::These(..)) | Err(_) => None,
        },
        _ => None,
    }
}
