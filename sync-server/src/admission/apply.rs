//! The transaction: what was judged becomes entries of streams.

use std::collections::{BTreeMap, BTreeSet};

use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::fact::{Body, Fact, FactKind};
use fieldgrid_core::domain::id::{ActionId, DocId, FactId, Hash, StreamId};
use fieldgrid_core::domain::server_fact::{CaseNumber, Move, Received, StandsFor};
use fieldgrid_core::domain::time::Interval;
use fieldgrid_core::env::{Environment, random};
use fieldgrid_core::wire::batch::Item;
use fieldgrid_core::wire::entry::Leave;
use minicbor::Encode;

use super::Counts;
use super::case::desk;
use super::plan::{Admitted, DocPlan, FactPlan, Plan, Projection, Target};
use crate::store::{ActionRow, DocRow, DocStream, Origin, Payload, Read, Result, StoreError, StreamKey, Write};

/// Ids of 32 bytes in one fact: about 8 KB, as an entry goes whole into every page that holds it.
const IDS_PER_FACT: usize = 256;

/// What was written.
#[derive(Debug, Default)]
pub(super) struct Applied {
    pub(super) bumped: Vec<StreamId>,
    pub(super) counts: Counts,
}

/// Writes a plan.
///
/// # Errors
/// [`StoreError::Changed`] when a document or the outbox is not any more as it was judged.
pub(super) fn apply(tx: &mut dyn Write, env: &dyn Environment, plan: &Plan) -> Result<Applied> {
    stands_still(&*tx, plan)?;
    let (receipts, receiving) = (receipts(plan), BTreeMap::new());
    let mut work = Applying { tx, env, now_ms: env.wall_ms(), bumped: BTreeSet::new(), streams: BTreeMap::new(), receipts, receiving };
    work.lock(plan)?;
    let changing: Vec<&DocPlan> = plan.changing().collect();
    let mut documents = work.documents(plan)?;
    work.items(plan, &changing, &mut documents)?;
    for (doc, writing) in changing.iter().zip(&mut documents) {
        work.enter(doc, writing)?;
    }
    work.joined(&changing, &documents)?;
    work.refused(plan)?;
    for (doc, writing) in changing.iter().zip(&documents) {
        work.project(doc, writing)?;
        work.leave(doc, writing)?;
    }
    let counts = work.verdicts(plan)?;
    Ok(Applied { bumped: work.bumped.into_iter().collect(), counts })
}

/// What waits is looked at again when its document changes. Had that happened since it was judged, it would wait for ever.
fn stands_still(read: &dyn Read, plan: &Plan) -> Result<()> {
    for judged in plan.documents.iter().filter(|judged| judged.change.is_none()) {
        if read.doc(judged.doc)?.map(|row| row.heads) != judged.heads {
            return Err(StoreError::Changed);
        }
    }
    for held in plan.held() {
        if let (Some(doc), Some(missing)) = (held.doc, held.missing)
            && read.refused(doc, missing)?.is_some()
        {
            return Err(StoreError::Changed);
        }
    }
    Ok(())
}

/// A fact that the server states.
pub(crate) fn fact(env: &dyn Environment, kind: FactKind, subject: Option<DocId>, area: Option<AreaCode>, body: &impl Encode<()>) -> Fact {
    let body = Body::Held(minicbor::to_vec(body).expect("encoding into memory does not fail"));
    Fact { id: new_fact_id(env), kind, subject, area, at: env.stamp(), body }
}

/// A new fact's identity.
fn new_fact_id(env: &dyn Environment) -> FactId {
    FactId::new(env.wall_ms(), random(env))
}

/// The stream for something; made when there is none.
///
/// # Errors
/// [`StoreError`].
pub(crate) fn stream_for(tx: &mut dyn Write, env: &dyn Environment, key: StreamKey) -> Result<StreamId> {
    if let Some(stream) = tx.stream_for(key)? {
        return Ok(stream.id);
    }
    let id = StreamId::new(env.wall_ms(), random(env));
    tx.insert_stream(id, key)?;
    Ok(id)
}

pub(super) struct Applying<'t> {
    pub(super) tx: &'t mut dyn Write,
    pub(super) env: &'t dyn Environment,
    pub(super) now_ms: i64,
    bumped: BTreeSet<StreamId>,
    pub(super) streams: BTreeMap<StreamKey, StreamId>,
    /// By when they were received: the plan's actions.
    receipts: BTreeMap<i64, Receipt>,
    /// What each stream said last of when what follows was received.
    receiving: BTreeMap<StreamId, i64>,
}

/// Actions that were received together.
#[derive(Clone, Copy)]
struct Receipt {
    /// Before what time none was done.
    earliest_ms: i64,
    /// The fact that says so.
    entry: Option<i64>,
}

/// One interval for what came together: it holds each true time, and a claimed time is clamped into it.
fn receipts(plan: &Plan) -> BTreeMap<i64, Receipt> {
    let mut receipts: BTreeMap<i64, Receipt> = BTreeMap::new();
    for (_, Interval { earliest_ms, latest_ms }) in plan.changing().flat_map(|doc| &doc.admitted).flat_map(|admitted| &admitted.actions) {
        let receipt = receipts.entry(*latest_ms).or_insert(Receipt { earliest_ms: *earliest_ms, entry: None });
        receipt.earliest_ms = receipt.earliest_ms.min(*earliest_ms);
    }
    receipts
}

/// A document while it is written.
pub(super) struct Writing {
    /// The streams that its changes go to one by one: those it is in, or enters with its first change.
    pub(super) held: Vec<DocStream>,
    /// The streams it joins.
    pub(super) joins: Vec<StreamId>,
    /// The streams it leaves, once everything else is written.
    leaves: Vec<StreamId>,
    /// The move that the leaves name.
    by: Option<FactId>,
    /// The entries of this request's changes, in order.
    entries: Vec<i64>,
    /// It enters the streams in `held` now.
    new: bool,
}

impl Applying<'_> {
    /// Finds or makes every stream the plan touches, and locks them in the order of their ids.
    fn lock(&mut self, plan: &Plan) -> Result<()> {
        let keys: BTreeSet<StreamKey> = plan.changing().flat_map(DocPlan::keys).chain(plan.facts.iter().flat_map(FactPlan::keys)).collect();
        for key in keys {
            let id = stream_for(self.tx, self.env, key)?;
            self.streams.insert(key, id);
        }
        let mut ids: BTreeSet<StreamId> = self.streams.values().copied().collect();
        for doc in plan.changing() {
            ids.extend(self.tx.streams_of(doc.doc)?.into_iter().map(|at| at.stream));
            ids.extend(doc.admitted.iter().filter(|admitted| admitted.sender.reads_own()).map(|admitted| admitted.sender.stream));
            if let Projection::Case { reporter: Some((stream, _)), .. } = &doc.projection {
                ids.insert(*stream);
            }
        }
        for fact in &plan.facts {
            ids.extend(fact.streams.iter().filter_map(|target| if let Target::Own(stream) = target { Some(*stream) } else { None }));
        }
        for judged in plan.documents.iter().filter(|judged| !judged.stands_for.is_empty()) {
            ids.extend(self.tx.streams_of(judged.doc)?.into_iter().map(|at| at.stream));
        }
        ids.extend(plan.batches.iter().map(|(placed, _)| placed.sender.stream));
        ids.extend(plan.released().map(|released| released.stream));
        ids.extend(plan.forked.map(|(_, stream)| stream));
        self.tx.lock_streams(&ids.into_iter().collect::<Vec<_>>())
    }

    /// Writes the documents' rows first: whoever lost a race finds out before anything else is done.
    fn documents(&mut self, plan: &Plan) -> Result<Vec<Writing>> {
        let changing = plan.documents.iter().filter_map(|judged| Some((judged.heads.as_deref(), judged.change.as_ref()?)));
        changing.map(|(expected, doc)| self.document(expected, doc)).collect()
    }

    fn document(&mut self, expected: Option<&[Hash]>, plan: &DocPlan) -> Result<Writing> {
        let DocPlan { doc, kind, area, heads, changes, author, .. } = plan;
        let row = DocRow { id: *doc, kind: *kind, area: *area, heads: heads.clone(), changes: *changes, author: *author };
        self.tx.put_doc(&row, expected)?;
        // A kind that this version does not know is left where it is.
        let known = !matches!(plan.projection, Projection::None);
        let wanted: Vec<StreamId> = plan.streams.iter().filter_map(|key| self.streams.get(key).copied()).collect();
        if expected.is_none() {
            let held = wanted.into_iter().map(|stream| DocStream { stream, joined: 0, through: 0, left: None }).collect();
            return Ok(Writing { held, joins: Vec::new(), leaves: Vec::new(), by: None, entries: Vec::new(), new: true });
        }
        let held = self.tx.streams_of(*doc)?;
        let leaves = held.iter().map(|at| at.stream).filter(|stream| known && !wanted.contains(stream)).collect();
        let joins = wanted.into_iter().filter(|stream| held.iter().all(|at| at.stream != *stream)).collect();
        Ok(Writing { held, joins, leaves, by: None, entries: Vec::new(), new: false })
    }

    /// The accepted items, in the order in which they were sent.
    fn items(&mut self, plan: &Plan, changing: &[&DocPlan], documents: &mut [Writing]) -> Result<()> {
        let mut order: Vec<(Origin, usize, usize)> = Vec::new();
        for (d, doc) in changing.iter().enumerate() {
            order.extend(doc.admitted.iter().enumerate().map(|(a, admitted)| (admitted.origin, d, a)));
        }
        let facts = changing.len();
        order.extend(plan.facts.iter().enumerate().map(|(f, fact)| (fact.origin, facts, f)));
        // By place in the outbox; a document's own order is kept because it is the outbox's, and what waited comes after what it waited for.
        let rank = |origin: &Origin| {
            plan.batches.iter().position(|(placed, _)| placed.batch.header.incarnation == origin.incarnation && placed.batch.header.seq == origin.seq)
        };
        order.sort_by_key(|(origin, d, a)| rank(origin).map_or((usize::MAX, 0, *d, *a), |batch| (batch, origin.item, *d, *a)));
        for (_, d, i) in order {
            match (changing.get(d), documents.get_mut(d)) {
                (Some(doc), Some(writing)) => self.change(doc, &doc.admitted[i], writing)?,
                _ => self.fact(&plan.facts[i])?,
            }
        }
        Ok(())
    }

    fn change(&mut self, doc: &DocPlan, admitted: &Admitted, writing: &mut Writing) -> Result<()> {
        let entry = self.insert(&admitted.item, admitted.origin)?;
        for at in &mut writing.held {
            self.receive(at.stream, admitted)?;
            let seq = self.append(at.stream, entry)?;
            if at.joined == 0 {
                at.joined = seq;
            }
        }
        if admitted.sender.reads_own() {
            self.append(admitted.sender.stream, entry)?;
        }
        self.tx.insert_edit(doc.doc, admitted.edit, admitted.change)?;
        for (action, interval) in &admitted.actions {
            self.tx.insert_action(doc.doc, &ActionRow { action: *action, entry, interval: *interval })?;
        }
        writing.entries.push(entry);
        Ok(())
    }

    /// Says in a stream when the actions that follow were received, where it does not say so already.
    fn receive(&mut self, stream: StreamId, admitted: &Admitted) -> Result<()> {
        let Some((_, Interval { latest_ms, .. })) = admitted.actions.first() else { return Ok(()) };
        if self.receiving.insert(stream, *latest_ms) == Some(*latest_ms) {
            return Ok(());
        }
        let Some(receipt) = self.receipts.get(latest_ms).copied() else { return Ok(()) };
        let entry = match receipt.entry {
            Some(entry) => entry,
            None => self.state(FactKind::Received, None, &Received::Next(Interval { earliest_ms: receipt.earliest_ms, latest_ms: *latest_ms }), &[])?,
        };
        self.receipts.insert(*latest_ms, Receipt { entry: Some(entry), ..receipt });
        self.append(stream, entry).map(drop)
    }

    fn fact(&mut self, fact: &FactPlan) -> Result<()> {
        let entry = self.insert(&fact.item, fact.origin)?;
        for target in &fact.streams {
            let stream = match target {
                Target::Own(stream) => *stream,
                Target::Key(key) => *self.streams.get(key).ok_or(StoreError::Damaged("stream"))?,
            };
            self.append(stream, entry)?;
        }
        Ok(())
    }

    /// A document's places in streams: where it came in with its first change, and where it joins with its history.
    fn enter(&mut self, plan: &DocPlan, writing: &mut Writing) -> Result<()> {
        if writing.new {
            for at in &writing.held {
                self.tx.insert_doc_stream(plan.doc, *at)?;
            }
        }
        if !writing.leaves.is_empty() {
            let moved = fact(self.env, FactKind::Move, Some(plan.doc), None, &Move { joined: writing.joins.clone(), left: writing.leaves.clone() });
            writing.by = Some(moved.id);
            let streams: Vec<StreamId> = writing.joins.iter().chain(&writing.leaves).copied().collect();
            self.enter_fact(moved, &streams)?;
        }
        for stream in &writing.joins {
            let changes: Vec<i64> = self.tx.changes(plan.doc)?.into_iter().map(|(entry, _)| entry).collect();
            let through = changes.last().copied().unwrap_or_default();
            let entry = self.tx.insert_entry(&Payload::Join { doc: plan.doc, kind: plan.kind, changes }, None)?;
            let joined = self.append(*stream, entry)?;
            self.tx.insert_doc_stream(plan.doc, DocStream { stream: *stream, joined, through, left: None })?;
        }
        Ok(())
    }

    /// Where a document is taken out: after everything that the streams it leaves are still told.
    fn leave(&mut self, plan: &DocPlan, writing: &Writing) -> Result<()> {
        let Some(by) = writing.by else { return Ok(()) };
        let entry = self.tx.insert_entry(&Payload::Leave(Leave { doc: plan.doc, by }), None)?;
        for stream in &writing.leaves {
            let left = self.append(*stream, entry)?;
            self.tx.end_doc_stream(plan.doc, *stream, left)?;
        }
        Ok(())
    }

    /// What the streams that documents join are told beside their histories.
    fn joined(&mut self, changing: &[&DocPlan], documents: &[Writing]) -> Result<()> {
        for (doc, writing) in changing.iter().zip(documents) {
            for stream in &writing.joins {
                let mut by_receipt: BTreeMap<i64, (i64, Vec<ActionId>)> = BTreeMap::new();
                for row in self.tx.actions(doc.doc)? {
                    let (earliest_ms, actions) = by_receipt.entry(row.interval.latest_ms).or_insert((row.interval.earliest_ms, Vec::new()));
                    *earliest_ms = row.interval.earliest_ms.min(*earliest_ms);
                    actions.push(row.action);
                }
                for (latest_ms, (earliest_ms, actions)) in by_receipt {
                    for actions in actions.chunks(IDS_PER_FACT) {
                        let received = Received::These(Interval { earliest_ms, latest_ms }, actions.to_vec());
                        self.state(FactKind::Received, None, &received, &[*stream])?;
                    }
                }
                if let Some(number) = self.tx.case(doc.doc)?.and_then(|case| case.number) {
                    self.state(FactKind::CaseNumber, Some(doc.doc), &CaseNumber { number }, &[*stream])?;
                }
                let stand_in: Vec<_> = self.tx.stands_for(doc.doc)?.into_iter().collect();
                self.stands_for(doc.doc, &stand_in, &[*stream])?;
            }
        }
        Ok(())
    }

    /// What is not in its document, and what stands in for it.
    fn refused(&mut self, plan: &Plan) -> Result<()> {
        for judged in &plan.documents {
            for (change, (item, why)) in &judged.missing {
                self.tx.insert_refused(judged.doc, *change, *item, *why)?;
            }
            for (action, seen) in &judged.stands_for {
                self.tx.insert_stands_for(judged.doc, *action, seen)?;
            }
            if !judged.stands_for.is_empty() {
                let streams: Vec<StreamId> = self.tx.streams_of(judged.doc)?.into_iter().map(|at| at.stream).collect();
                self.stands_for(judged.doc, &judged.stands_for, &streams)?;
            }
        }
        Ok(())
    }

    fn stands_for(&mut self, doc: DocId, actions: &[(ActionId, Vec<ActionId>)], streams: &[StreamId]) -> Result<()> {
        // Each with at most 64 ids.
        for actions in actions.chunks(IDS_PER_FACT / 64) {
            self.state(FactKind::StandsFor, Some(doc), &StandsFor { actions: actions.to_vec() }, streams)?;
        }
        Ok(())
    }

    /// States a fact in streams; gives its entry.
    pub(super) fn state(&mut self, kind: FactKind, subject: Option<DocId>, body: &impl Encode<()>, streams: &[StreamId]) -> Result<i64> {
        let fact = fact(self.env, kind, subject, None, body);
        self.enter_fact(fact, streams)
    }

    fn enter_fact(&mut self, fact: Fact, streams: &[StreamId]) -> Result<i64> {
        let entry = self.tx.insert_entry(&Payload::Fact(fact), None)?;
        for stream in streams {
            self.append(*stream, entry)?;
        }
        Ok(entry)
    }

    fn insert(&mut self, item: &Item, origin: Origin) -> Result<i64> {
        let payload = match item {
            Item::Change(change) => Payload::Change(change.clone()),
            Item::Fact(fact) => Payload::Fact(fact.clone()),
        };
        self.tx.insert_entry(&payload, Some(origin))
    }

    fn append(&mut self, stream: StreamId, entry: i64) -> Result<u64> {
        self.bumped.insert(stream);
        self.tx.append(stream, entry)
    }
}

impl DocPlan {
    /// The streams it needs to have.
    fn keys(&self) -> Vec<StreamKey> {
        let mut keys = self.streams.clone();
        if let Projection::Household(_) = self.projection {
            keys.push(StreamKey::Desk(desk(self.area)));
        }
        keys
    }
}

impl FactPlan {
    fn keys(&self) -> impl Iterator<Item = StreamKey> + '_ {
        self.streams.iter().filter_map(|target| if let Target::Key(key) = target { Some(*key) } else { None })
    }
}
