//! Layout 1: many changes column by column.
//!
//! What follows from something else is left out and made again (magic, checksum, lengths, the hashes of changes in the same run, the ids of
//! actions); what repeats is a template; and what is left stands beside its like, so that zstd finds it: numbers as differences, words with the
//! words of the same field, and random bytes together at the end.

use std::collections::HashMap;

use super::super::batch::change_hash;
use super::super::error::WireError;
use super::super::limits::{MAX_CHANGE, MAX_OPS};
use super::chunk::{Chunk, KEYS, METAS, Op, Reader, VALUES, put_bytes, put_sint, put_uint, read_ops, write_ops};
use super::template::{self, Columns, KeyPlan, Leaf, LeafKind, Plan, Step, put_head};
use super::{MAX_CHUNKS, civil};
use crate::domain::id::{ActionId, Hash};

/// The streams that every run has. Columns follow them, by kind and then by number, and then random bytes.
#[derive(Clone, Copy)]
enum Stream {
    /// For each operation template: its bytes after their length.
    OpTemplates,
    /// For each change template: its bytes after their length.
    ChangeTemplates,
    /// For each change: 0 = as it stands, or the number of its template + 1.
    Forms,
    /// For each change: how many dependencies, and for each 0 = new, 2n + 1 = the n-th new one, 2n + 2 = the n-th change before this one.
    Deps,
    /// For each change: its actor's number, in order of appearance; a new one is among the random bytes after its length.
    Actors,
    /// For each change: sequence, less what its dependency makes likely.
    Seqs,
    /// For each change: first operation's counter, less what its dependency makes likely.
    Starts,
    /// For each change: seconds since 1970, less those of the change before.
    Times,
    /// Changes that stand as they are, after their lengths.
    Raw,
}
const STREAMS: usize = 9;

/// Operations' counters, sequences: what both sides know after each change.
#[derive(Debug, Default)]
struct Known {
    columns: Columns,
    plans: Vec<Plan>,
    /// Sixteen-byte ids in order of appearance: of actions, and those that were new.
    ids: Vec<[u8; 16]>,
    changes: Vec<Made>,
    outside: Vec<Hash>,
    last_time: i64,
    last_start: u64,
    /// Each column's last integer and last id.
    last: Vec<(i64, [u8; 16])>,
    /// By how much the last integer differed from the one before it in its column.
    step: i64,
}

/// A change of the run.
#[derive(Debug)]
struct Made {
    hash: Hash,
    actor: usize,
    seq: u64,
    /// The counter after its last operation.
    end: u64,
}

/// A dependency: the n-th change of the run, or one outside of it.
#[derive(Debug, Clone, Copy)]
enum Dep {
    Inside(usize),
    Outside,
}

impl Known {
    fn last(&mut self, column: usize) -> &mut (i64, [u8; 16]) {
        if self.last.len() <= column {
            self.last.resize(column + 1, (0, [0; 16]));
        }
        &mut self.last[column]
    }

    fn expected(&mut self, kind: LeafKind, column: usize) -> i64 {
        let twin = if kind == LeafKind::Twin { self.step } else { 0 };
        self.last(column).0.wrapping_add(twin)
    }

    fn learn(&mut self, column: usize, value: i64) {
        let last = self.last(column);
        let step = value.wrapping_sub(last.0);
        last.0 = value;
        self.step = step;
    }

    /// Sequence and first counter that a change of `actor` on these dependencies most likely has.
    fn likely(&self, actor: usize, deps: &[Dep]) -> (u64, u64) {
        let inside = deps.iter().filter_map(|dep| if let Dep::Inside(index) = dep { self.changes.get(*index) } else { None });
        let outside = deps.iter().any(|dep| matches!(dep, Dep::Outside));
        inside.fold((1, if outside { self.last_start } else { 1 }), |(seq, start), made| {
            (if made.actor == actor { seq.max(made.seq.saturating_add(1)) } else { seq }, start.max(made.end))
        })
    }

    fn made(&mut self, hash: Hash, actor: usize, chunk: &Chunk<'_>, deps: &[Dep], ops: usize) {
        if deps.iter().any(|dep| matches!(dep, Dep::Outside)) {
            self.last_start = chunk.start_op;
        }
        self.last_time = chunk.time;
        self.changes.push(Made { hash, actor, seq: chunk.seq, end: chunk.start_op.saturating_add(ops as u64) });
    }

    /// A change that stands as it is.
    fn stands(&mut self, raw: &[u8]) {
        self.changes.push(Made { hash: change_hash(raw), actor: usize::MAX, seq: 0, end: 0 });
    }

    /// The numbers of the columns in the order in which they are written: like beside like.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.columns.kinds.len()).collect();
        order.sort_by_key(|&number| LeafKind::ALL.iter().position(|kind| *kind == self.columns.kinds[number]));
        order
    }
}

const ID_NEW: u64 = 0;
const ID_NEW_V7: u64 = 1;
const ID_AS_BEFORE: u64 = 2;
const ID_KNOWN: u64 = 3;

/// A UUIDv7 (RFC 9562) has 48 bits of time in front.
fn split_v7(id: [u8; 16]) -> Option<(i64, [u8; 10])> {
    let (time, rest) = id.split_first_chunk::<6>()?;
    let time = time.iter().fold(0, |time, byte| time << 8 | i64::from(*byte));
    (id[6] >> 4 == 7 && id[8] >> 6 == 2).then(|| (time, rest.try_into().expect("ten bytes are left")))
}

fn join_v7(time: i64, rest: &[u8]) -> Option<[u8; 16]> {
    [&time.to_be_bytes()[2..], rest].concat().try_into().ok()
}

/// Packs; `None` when the run is past what this layout holds.
pub(super) fn pack(chunks: &[&[u8]]) -> Option<Vec<u8>> {
    let mut packer = Packer::default();
    chunks.iter().try_for_each(|raw| packer.change(raw))?;
    Some(packer.finish(chunks.len()))
}

#[derive(Default)]
struct Packer {
    known: Known,
    streams: [Vec<u8>; STREAMS],
    columns: Vec<Vec<u8>>,
    /// Bytes that nothing can make shorter, written last.
    random: Vec<u8>,
    op_templates: HashMap<Vec<u8>, usize>,
    change_templates: HashMap<Vec<u8>, usize>,
    ids: HashMap<[u8; 16], usize>,
    changes: HashMap<Hash, usize>,
    outside: HashMap<Hash, usize>,
    actors: HashMap<Vec<u8>, usize>,
}

impl Packer {
    fn stream(&mut self, stream: Stream) -> &mut Vec<u8> {
        &mut self.streams[stream as usize]
    }

    fn column(&mut self, number: usize) -> &mut Vec<u8> {
        if self.columns.len() <= number {
            self.columns.resize(number + 1, Vec::new());
        }
        &mut self.columns[number]
    }

    fn change(&mut self, raw: &[u8]) -> Option<()> {
        let number = self.known.changes.len();
        if raw.len() > MAX_CHANGE {
            return None;
        }
        match Chunk::read(raw) {
            Some(chunk) => self.chunk(&chunk)?,
            None => {
                put_uint(self.stream(Stream::Forms), 0);
                put_bytes(self.stream(Stream::Raw), raw);
                self.known.stands(raw);
            }
        }
        self.changes.insert(self.known.changes[number].hash, number);
        Some(())
    }

    fn chunk(&mut self, chunk: &Chunk<'_>) -> Option<()> {
        let column = |spec| chunk.columns.iter().find(|(found, _)| *found == spec).map(|(_, column)| *column);
        let ops = match (column(KEYS), column(METAS)) {
            (Some(keys), Some(metas)) => read_ops(keys, metas, column(VALUES).unwrap_or_default()),
            _ => None,
        };
        let templated: Vec<_> = ops.iter().flatten().map(template::of).collect();
        let mut numbers = Vec::with_capacity(templated.len());
        for (template, _) in &templated {
            numbers.push(self.op_template(template)?);
        }
        let form = self.change_template(chunk, ops.is_some(), &numbers);
        put_uint(self.stream(Stream::Forms), form as u64 + 1);

        let deps = self.deps(&chunk.deps);
        let actor = self.actor(chunk.actor);
        let (seq, start) = self.known.likely(actor, &deps);
        put_sint(self.stream(Stream::Seqs), chunk.seq.wrapping_sub(seq) as i64);
        put_sint(self.stream(Stream::Starts), chunk.start_op.wrapping_sub(start) as i64);
        let time = chunk.time.wrapping_sub(self.known.last_time);
        put_sint(self.stream(Stream::Times), time);
        for ((op, number), (_, leaves)) in ops.iter().flatten().zip(numbers).zip(templated) {
            self.leaves(op, number, &leaves);
        }
        let hash = chunk.write().1;
        self.known.made(hash, actor, chunk, &deps, ops.map_or(0, |ops| ops.len()));
        Some(())
    }

    fn op_template(&mut self, template: &[u8]) -> Option<usize> {
        if let Some(number) = self.op_templates.get(template) {
            return Some(*number);
        }
        let number = self.known.plans.len();
        let plan = self.known.columns.plan(template)?;
        self.known.plans.push(plan);
        put_bytes(self.stream(Stream::OpTemplates), template);
        self.op_templates.insert(template.to_vec(), number);
        Some(number)
    }

    fn change_template(&mut self, chunk: &Chunk<'_>, taken_apart: bool, ops: &[usize]) -> usize {
        let mut template = Vec::new();
        put_bytes(&mut template, chunk.rest);
        put_bytes(&mut template, chunk.extra);
        put_uint(&mut template, chunk.columns.len() as u64);
        for (spec, column) in &chunk.columns {
            put_uint(&mut template, *spec);
            if taken_apart && [KEYS, METAS, VALUES].contains(spec) {
                template.push(1);
            } else {
                template.push(0);
                put_bytes(&mut template, column);
            }
        }
        ops.iter().for_each(|op| put_uint(&mut template, *op as u64));
        let next = self.change_templates.len();
        if let Some(number) = self.change_templates.get(&template) {
            return *number;
        }
        put_bytes(self.stream(Stream::ChangeTemplates), &template);
        self.change_templates.insert(template, next);
        next
    }

    fn deps(&mut self, deps: &[Hash]) -> Vec<Dep> {
        put_uint(&mut self.streams[Stream::Deps as usize], deps.len() as u64);
        let mut out = Vec::with_capacity(deps.len());
        for dep in deps {
            let (token, dep) = match (self.changes.get(dep), self.outside.get(dep)) {
                (Some(index), _) => (2 * (self.known.changes.len() - index) as u64, Dep::Inside(*index)),
                (_, Some(index)) => (2 * *index as u64 + 1, Dep::Outside),
                _ => {
                    self.outside.insert(*dep, self.outside.len());
                    self.random.extend_from_slice(&dep.0);
                    (0, Dep::Outside)
                }
            };
            put_uint(self.stream(Stream::Deps), token);
            out.push(dep);
        }
        out
    }

    fn actor(&mut self, actor: &[u8]) -> usize {
        let next = self.actors.len();
        let number = match self.actors.get(actor) {
            Some(number) => *number,
            None => {
                self.actors.insert(actor.to_vec(), next);
                put_bytes(&mut self.random, actor);
                next
            }
        };
        put_uint(self.stream(Stream::Actors), number as u64);
        number
    }

    fn leaves(&mut self, op: &Op<'_>, template: usize, leaves: &[Leaf<'_>]) {
        let plan = &self.known.plans[template];
        let key = if let KeyPlan::Id(column, _) = &plan.key { Some((LeafKind::IdText, *column)) } else { None };
        let value = plan.value.iter().filter_map(|step| match step {
            Step::Literal(_) => None,
            Step::Item(kind, column) | Step::Bare(kind, column) => Some((*kind, *column)),
        });
        let holes: Vec<_> = key.into_iter().chain(value).collect();
        let own_id = matches!(plan.key, KeyPlan::OwnId);
        for ((kind, column), leaf) in holes.into_iter().zip(leaves) {
            match leaf {
                Leaf::Int(value) => {
                    let expected = self.known.expected(kind, column);
                    self.known.learn(column, *value);
                    put_sint(self.column(column), value.wrapping_sub(expected));
                }
                Leaf::Id(id) => self.id(column, *id),
                Leaf::Bytes(bytes) => match kind {
                    LeafKind::Text => {
                        self.column(column).extend_from_slice(bytes);
                        self.column(column).push(0);
                    }
                    LeafKind::Digest => self.random.extend_from_slice(bytes),
                    _ => put_bytes(self.column(column), bytes),
                },
            }
        }
        if own_id {
            self.know(ActionId::of(op.value).0);
        }
    }

    fn id(&mut self, column: usize, id: [u8; 16]) {
        let (last_time, last_id) = *self.known.last(column);
        self.known.last(column).1 = id;
        if id == last_id {
            return put_uint(self.column(column), ID_AS_BEFORE);
        }
        if let Some(index) = self.ids.get(&id) {
            let back = (self.known.ids.len() - 1 - index) as u64;
            return put_uint(self.column(column), ID_KNOWN + back);
        }
        if let Some((time, rest)) = split_v7(id) {
            put_uint(self.column(column), ID_NEW_V7);
            put_sint(self.column(column), time.wrapping_sub(last_time));
            self.known.last(column).0 = time;
            self.random.extend_from_slice(&rest);
        } else {
            put_uint(self.column(column), ID_NEW);
            self.random.extend_from_slice(&id);
        }
        self.know(id);
    }

    fn know(&mut self, id: [u8; 16]) {
        self.ids.insert(id, self.known.ids.len());
        self.known.ids.push(id);
    }

    fn finish(mut self, count: usize) -> Vec<u8> {
        self.columns.resize(self.known.columns.kinds.len(), Vec::new());
        let order = self.known.order();
        let parts: Vec<&[u8]> =
            self.streams.iter().map(Vec::as_slice).chain(order.iter().map(|number| self.columns[*number].as_slice())).chain([self.random.as_slice()]).collect();
        let mut out = vec![super::COLUMNS];
        put_uint(&mut out, count as u64);
        put_uint(&mut out, parts.len() as u64);
        parts.iter().for_each(|part| put_uint(&mut out, part.len() as u64));
        parts.iter().for_each(|part| out.extend_from_slice(part));
        out
    }
}

/// Unpacks what follows the layout's byte, to at most `limit` bytes.
pub(super) fn unpack(packed: &[u8], limit: usize) -> Result<Vec<Vec<u8>>, WireError> {
    let malformed = || WireError::Malformed("changes");
    let mut unpacker = Unpacker::open(packed).ok_or_else(malformed)?;
    let mut out = Vec::new();
    let mut left = limit;
    for _ in 0..unpacker.count {
        let raw = unpacker.change().ok_or_else(malformed)?;
        // Sixteen for the change itself, so that empty ones are bounded as well.
        left = left.checked_sub(raw.len().max(16)).ok_or(WireError::TooLarge("changes"))?;
        out.push(raw);
    }
    unpacker.is_done().then_some(out).ok_or_else(malformed)
}

struct Unpacker<'a> {
    known: Known,
    count: usize,
    streams: [Reader<'a>; STREAMS],
    columns: Vec<Reader<'a>>,
    random: Reader<'a>,
    change_templates: Vec<&'a [u8]>,
    actors: Vec<&'a [u8]>,
}

impl<'a> Unpacker<'a> {
    fn open(packed: &'a [u8]) -> Option<Self> {
        let mut rest = Reader(packed);
        let count = usize::try_from(rest.uint()?).ok().filter(|count| *count <= MAX_CHUNKS)?;
        let parts = rest.count(1)?;
        let lens = (0..parts).map(|_| usize::try_from(rest.uint()?).ok()).collect::<Option<Vec<_>>>()?;
        let mut parts = lens.into_iter().map(|len| rest.take(len).map(Reader)).collect::<Option<Vec<_>>>()?.into_iter();
        if !rest.0.is_empty() {
            return None;
        }
        let mut streams = [Reader(&[]); STREAMS];
        for stream in &mut streams {
            *stream = parts.next()?;
        }
        let mut known = Known::default();
        let templates = &mut streams[Stream::OpTemplates as usize];
        while !templates.0.is_empty() {
            let plan = known.columns.plan(templates.bytes()?)?;
            known.plans.push(plan);
        }
        let mut change_templates = Vec::new();
        let templates = &mut streams[Stream::ChangeTemplates as usize];
        while !templates.0.is_empty() {
            change_templates.push(templates.bytes()?);
        }
        let order = known.order();
        let mut columns = vec![Reader(&[]); order.len()];
        for number in order {
            columns[number] = parts.next()?;
        }
        let random = parts.next()?;
        parts.next().is_none().then_some(Self { known, count, streams, columns, random, change_templates, actors: Vec::new() })
    }

    fn is_done(&self) -> bool {
        self.random.0.is_empty() && self.streams.iter().chain(&self.columns).all(|stream| stream.0.is_empty())
    }

    fn stream(&mut self, stream: Stream) -> &mut Reader<'a> {
        &mut self.streams[stream as usize]
    }

    fn change(&mut self) -> Option<Vec<u8>> {
        let form = self.stream(Stream::Forms).uint()?;
        let Some(template) = form.checked_sub(1) else {
            let raw = self.stream(Stream::Raw).bytes()?.to_vec();
            self.known.stands(&raw);
            return (raw.len() <= MAX_CHANGE).then_some(raw);
        };
        let mut template = Reader(self.change_templates.get(usize::try_from(template).ok()?)?);
        let (rest, extra) = (template.bytes()?, template.bytes()?);
        let heads = (0..template.count(2)?).map(|_| Some((template.uint()?, if template.byte()? == 0 { Some(template.bytes()?) } else { None })));
        let heads = heads.collect::<Option<Vec<_>>>()?;

        let (deps, hashes) = self.deps()?;
        let actor = usize::try_from(self.stream(Stream::Actors).uint()?).ok()?;
        if actor == self.actors.len() {
            self.actors.push(self.random.bytes()?);
        }
        let bytes = *self.actors.get(actor)?;
        let (seq, start) = self.known.likely(actor, &deps);
        let seq = seq.wrapping_add(self.stream(Stream::Seqs).sint()? as u64);
        let start_op = start.wrapping_add(self.stream(Stream::Starts).sint()? as u64);
        let time = self.known.last_time.wrapping_add(self.stream(Stream::Times).sint()?);

        let mut ops = Vec::new();
        let mut size = 0;
        while !template.0.is_empty() {
            let op = self.op(usize::try_from(template.uint()?).ok()?)?;
            size += op.0.len() + op.2.len();
            ops.push(op);
            if size > MAX_CHANGE || ops.len() as u64 > MAX_OPS {
                return None;
            }
        }
        let taken: Vec<Op<'_>> = ops.iter().map(|(key, kind, value)| Op { key, kind: *kind, value }).collect();
        let [keys, metas, values] = write_ops(&taken);
        let columns = heads.into_iter().map(|(spec, column)| match (column, spec) {
            (Some(column), _) => Some((spec, column)),
            (_, KEYS) => Some((spec, keys.as_slice())),
            (_, METAS) => Some((spec, metas.as_slice())),
            (_, VALUES) => Some((spec, values.as_slice())),
            _ => None,
        });
        let chunk = Chunk { deps: hashes, actor: bytes, seq, start_op, time, rest, columns: columns.collect::<Option<_>>()?, extra };
        let (raw, hash) = chunk.write();
        self.known.made(hash, actor, &chunk, &deps, taken.len());
        (raw.len() <= MAX_CHANGE).then_some(raw)
    }

    fn deps(&mut self) -> Option<(Vec<Dep>, Vec<Hash>)> {
        let count = self.stream(Stream::Deps).count(1)?;
        let (mut deps, mut hashes) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for _ in 0..count {
            let token = self.stream(Stream::Deps).uint()?;
            let (dep, hash) = match (token, usize::try_from(token / 2).ok()?) {
                (0, _) => {
                    let hash = Hash(self.random.take(32)?.try_into().ok()?);
                    self.known.outside.push(hash);
                    (Dep::Outside, hash)
                }
                (odd, index) if odd % 2 == 1 => (Dep::Outside, *self.known.outside.get(index)?),
                (_, back) => {
                    let index = self.known.changes.len().checked_sub(back)?;
                    (Dep::Inside(index), self.known.changes.get(index)?.hash)
                }
            };
            deps.push(dep);
            hashes.push(hash);
        }
        Some((deps, hashes))
    }

    fn op(&mut self, template: usize) -> Option<(Vec<u8>, u8, Vec<u8>)> {
        // The plan is moved out while its holes are filled, and put back: filling needs everything else.
        let empty = Plan { key: KeyPlan::OwnId, kind: 0, value: Vec::new() };
        let plan = std::mem::replace(self.known.plans.get_mut(template)?, empty);
        let op = self.fill(&plan);
        self.known.plans[template] = plan;
        op
    }

    fn fill(&mut self, plan: &Plan) -> Option<(Vec<u8>, u8, Vec<u8>)> {
        let mut key = match &plan.key {
            KeyPlan::OwnId => Vec::new(),
            KeyPlan::Text(text) => text.clone(),
            KeyPlan::Id(column, rest) => {
                let id = uuid::Uuid::from_bytes(self.id(*column)?).to_string();
                [id.as_bytes(), rest].concat()
            }
        };
        let mut value = Vec::new();
        for step in &plan.value {
            match step {
                Step::Literal(bytes) => value.extend_from_slice(bytes),
                Step::Item(kind, column) => self.leaf(*kind, *column, true, &mut value)?,
                Step::Bare(kind, column) => self.leaf(*kind, *column, false, &mut value)?,
            }
            if value.len() > MAX_CHANGE {
                return None;
            }
        }
        if let KeyPlan::OwnId = plan.key {
            let id = ActionId::of(&value);
            self.known.ids.push(id.0);
            key = id.to_string().into_bytes();
        }
        Some((key, plan.kind, value))
    }

    fn leaf(&mut self, kind: LeafKind, column: usize, item: bool, out: &mut Vec<u8>) -> Option<()> {
        let mut put = |major: u8, bytes: &[u8]| {
            if item {
                put_head(out, major, bytes.len() as u64);
            }
            out.extend_from_slice(bytes);
        };
        match kind {
            LeafKind::Int | LeafKind::Twin => {
                let value = self.int(kind, column)?;
                match u64::try_from(value) {
                    Ok(value) => put_head(out, 0, value),
                    Err(_) => put_head(out, 1, !value as u64),
                }
            }
            LeafKind::TimeText => put(3, civil::text(self.int(kind, column)?)?.as_bytes()),
            LeafKind::Id => put(2, &self.id(column)?),
            LeafKind::IdText => put(3, uuid::Uuid::from_bytes(self.id(column)?).to_string().as_bytes()),
            LeafKind::Digest => put(2, self.random.take(32)?),
            LeafKind::Bytes => put(2, self.columns.get_mut(column)?.bytes()?),
            LeafKind::Text => {
                let column = self.columns.get_mut(column)?;
                let end = column.0.iter().position(|byte| *byte == 0)?;
                put(3, column.take(end)?);
                column.byte()?;
            }
        }
        Some(())
    }

    fn int(&mut self, kind: LeafKind, column: usize) -> Option<i64> {
        let value = self.known.expected(kind, column).wrapping_add(self.columns.get_mut(column)?.sint()?);
        self.known.learn(column, value);
        Some(value)
    }

    fn id(&mut self, column: usize) -> Option<[u8; 16]> {
        let (last_time, last_id) = *self.known.last(column);
        let token = self.columns.get_mut(column)?.uint()?;
        let id = match token {
            ID_AS_BEFORE => last_id,
            ID_NEW => self.random.take(16)?.try_into().ok()?,
            ID_NEW_V7 => {
                let time = last_time.wrapping_add(self.columns.get_mut(column)?.sint()?);
                self.known.last(column).0 = time;
                join_v7(time, self.random.take(10)?)?
            }
            known => {
                let back = usize::try_from(known - ID_KNOWN).ok()?;
                *self.known.ids.get(self.known.ids.len().checked_sub(1)?.checked_sub(back)?)?
            }
        };
        if token <= ID_NEW_V7 {
            self.known.ids.push(id);
        }
        self.known.last(column).1 = id;
        Some(id)
    }
}
