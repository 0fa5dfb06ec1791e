//! Layout 1, the way in.

use std::collections::HashMap;
use std::io::Write;

use ppmd_rust::Ppmd7Encoder;

use super::super::limits::MAX_CHANGE;
use super::chunk::{Chunk, KEYS, METAS, VALUES, put_bytes, put_sint, put_uint, read_ops};
use super::known::{Apart, Dep, ID_AS_BEFORE, ID_KNOWN, ID_NEW, ID_NEW_V7, Known, Last, PPMD_ORDER, STREAMS, Stream, ppmd_memory, split_v7, stretches};
use super::template::{self, KeyPlan, Leaf, LeafKind};
use crate::domain::id::{ActionId, Hash};
use crate::domain::policy::SALT_BYTES;

/// Takes apart; `None` when the run is past what this layout holds.
pub(super) fn apart(chunks: &[&[u8]], rows: &[Vec<u8>]) -> Option<Apart<'static>> {
    let mut packer = Packer::default();
    chunks.iter().try_for_each(|raw| packer.change(raw))?;
    rows.iter().try_for_each(|row| packer.row(row))?;
    Some(packer.finish(chunks.len(), rows.len()))
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
            self.leaves(number, &leaves);
            if let KeyPlan::OwnId = self.known.plans[number].key {
                self.know(ActionId::of(op.value).0);
            }
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

    fn row(&mut self, row: &[u8]) -> Option<()> {
        if row.len() > MAX_CHANGE {
            return None;
        }
        let (template, leaves) = template::of_row(row);
        let number = self.op_template(&template)?;
        put_uint(self.stream(Stream::Rows), number as u64);
        self.leaves(number, &leaves);
        Some(())
    }

    fn leaves(&mut self, template: usize, leaves: &[Leaf<'_>]) {
        let holes = self.known.plans[template].holes();
        for ((kind, column), leaf) in holes.into_iter().zip(leaves) {
            match leaf {
                Leaf::Int(value) => {
                    let expected = self.known.expected(kind, column);
                    self.known.learn(column, *value);
                    put_sint(self.column(column), value.wrapping_sub(expected));
                }
                Leaf::Id(id) => self.id(column, *id),
                Leaf::Bytes(bytes) => self.bytes(kind, column, bytes),
            }
        }
    }

    fn bytes(&mut self, kind: LeafKind, column: usize, bytes: &[u8]) {
        let (random, text) = match kind {
            LeafKind::Digest => (bytes, None),
            LeafKind::Salted => (&bytes[..SALT_BYTES], Some(&bytes[SALT_BYTES..])),
            LeafKind::Ascii | LeafKind::Text => (&bytes[..0], Some(bytes)),
            _ => return put_bytes(self.column(column), bytes),
        };
        self.random.extend_from_slice(random);
        if let Some(text) = text {
            self.column(column).extend_from_slice(text);
            self.column(column).push(0);
        }
    }

    fn id(&mut self, column: usize, id: [u8; 16]) {
        let last = *self.known.last(column);
        let mut now = Last { id, ..last };
        if id == last.id {
            put_uint(self.column(column), ID_AS_BEFORE);
        } else if let Some(place) = self.ids.get(&id) {
            now.place = *place;
            let away = now.place as i64 - last.place as i64;
            put_uint(self.column(column), ID_KNOWN + zigzag(away));
        } else {
            now.place = self.known.ids.len();
            match split_v7(id) {
                Some((time, rest)) => {
                    now.int = time;
                    put_uint(self.column(column), ID_NEW_V7);
                    put_sint(self.column(column), time.wrapping_sub(last.int));
                    self.random.extend_from_slice(&rest);
                }
                None => {
                    put_uint(self.column(column), ID_NEW);
                    self.random.extend_from_slice(&id);
                }
            }
            self.know(id);
        }
        *self.known.last(column) = now;
    }

    fn know(&mut self, id: [u8; 16]) {
        self.ids.insert(id, self.known.ids.len());
        self.known.ids.push(id);
    }

    fn finish(mut self, changes: usize, rows: usize) -> Apart<'static> {
        self.columns.resize(self.known.columns.kinds.len(), Vec::new());
        let is_text = |number: &usize| self.known.columns.kinds[*number] == LeafKind::Text;
        let (texts, others): (Vec<usize>, Vec<usize>) = self.known.order().into_iter().partition(is_text);
        let part = |number: &usize| self.columns[*number].as_slice();
        let parts: Vec<&[u8]> = self.streams.iter().map(Vec::as_slice).chain(others.iter().map(part)).collect();
        let texts: Vec<&[u8]> = texts.iter().map(part).collect();
        let mut plain = Vec::new();
        for count in [changes, rows, parts.len() + texts.len()] {
            put_uint(&mut plain, count as u64);
        }
        parts.iter().chain(&texts).for_each(|part| put_uint(&mut plain, part.len() as u64));
        parts.iter().for_each(|part| plain.extend_from_slice(part));
        Apart { plain, texts: texts.concat(), random: self.random.into() }
    }
}

impl Apart<'_> {
    /// Compresses; `None` when PPMd will not, or so well that no one would unpack it.
    pub(super) fn pack(&self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        put_model(&mut out, &self.plain)?;
        put_model(&mut out, &self.texts)?;
        out.extend_from_slice(&self.random);
        Some(out)
    }
}

/// Appends bytes through PPMd, after their plain and their packed length; `None` when they would not be read.
fn put_model(out: &mut Vec<u8>, plain: &[u8]) -> Option<()> {
    let mut packed = Vec::new();
    if !plain.is_empty() {
        let mut encoder = Ppmd7Encoder::new(packed, PPMD_ORDER, ppmd_memory(plain.len())).ok()?;
        encoder.write_all(plain).ok()?;
        packed = encoder.finish(false).ok()?;
    }
    if stretches(plain.len(), packed.len()) {
        return None;
    }
    put_uint(out, plain.len() as u64);
    put_bytes(out, &packed);
    Some(())
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}
