//! Layout 1, the way out. The bytes may be hostile: everything is bounded before memory is taken, and nothing panics.

use std::io::Read;

use ppmd_rust::Ppmd7Decoder;

use super::super::error::WireError;
use super::super::limits::{MAX_CHANGE, MAX_OPS};
use super::chunk::{Chunk, KEYS, METAS, Op, Reader, VALUES, write_ops};
use super::known::{Apart, Dep, ID_AS_BEFORE, ID_KNOWN, ID_NEW, ID_NEW_V7, Known, PPMD_ORDER, STREAMS, Stream, join_v7, ppmd_memory, stretches};
use super::template::{KeyPlan, LeafKind, Plan, Step, put_head};
use super::{Most, Run, civil};
use crate::domain::id::{ActionId, Hash};
use crate::domain::policy::SALT_BYTES;

/// Unpacks what follows the layout's byte, as far as it is within `most`.
pub(super) fn unpack(packed: &[u8], most: Most) -> Result<Run, WireError> {
    let mut rest = Reader(packed);
    let plain = model(&mut rest, most.bytes)?;
    let texts = model(&mut rest, most.bytes)?;
    run(&Apart { plain, texts, random: rest.0.into() }, most)
}

/// Puts together what was taken apart, as far as it is within `most`.
pub(super) fn run(apart: &Apart<'_>, most: Most) -> Result<Run, WireError> {
    let malformed = || WireError::Malformed("changes");
    let contents = Contents::read(&apart.plain, Reader(&apart.random)).ok_or_else(malformed)?;
    let (changes, rows) = (contents.changes, contents.rows);
    let mut unpacker = Unpacker::new(contents, &apart.texts).ok_or_else(malformed)?;
    if changes > most.changes || rows > most.rows {
        return Err(WireError::TooLarge("changes"));
    }
    let mut left = most.bytes;
    // Sixteen for each at least, so that empty ones are bounded as well.
    let mut spend = |len: usize| -> Result<(), WireError> {
        left = left.checked_sub(len.max(16)).ok_or(WireError::TooLarge("changes"))?;
        Ok(())
    };
    let mut run = Run::default();
    for _ in 0..changes {
        let (raw, ops) = unpacker.change().ok_or_else(malformed)?;
        // Eight for each operation, which takes more than that in a real chunk: equal empty ones take time and hardly a byte.
        spend(raw.len().max(8 * ops))?;
        run.changes.push(raw);
    }
    for _ in 0..rows {
        let row = unpacker.row().ok_or_else(malformed)?;
        spend(row.len())?;
        run.rows.push(row);
    }
    unpacker.is_done().then_some(run).ok_or_else(malformed)
}

/// Reads bytes that went through PPMd.
fn model(rest: &mut Reader<'_>, limit: usize) -> Result<Vec<u8>, WireError> {
    let (len, packed) = rest.uint().zip(rest.bytes()).ok_or(WireError::Malformed("changes"))?;
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    if len > limit || stretches(len, packed.len()) {
        return Err(WireError::TooLarge("changes"));
    }
    let mut plain = vec![0; len];
    let read = len == 0 || Ppmd7Decoder::new(packed, PPMD_ORDER, ppmd_memory(len)).is_ok_and(|mut decoder| decoder.read_exact(&mut plain).is_ok());
    if read { Ok(plain) } else { Err(WireError::Malformed("changes")) }
}

/// The parts, found.
struct Contents<'a> {
    changes: usize,
    rows: usize,
    known: Known,
    streams: [Reader<'a>; STREAMS],
    change_templates: Vec<&'a [u8]>,
    columns: Vec<Reader<'a>>,
    random: Reader<'a>,
    /// Columns of text with their lengths, in order.
    text_columns: Vec<(usize, usize)>,
}

impl<'a> Contents<'a> {
    fn read(plain: &'a [u8], random: Reader<'a>) -> Option<Self> {
        let mut rest = Reader(plain);
        let mut count = || usize::try_from(rest.uint()?).ok();
        let (changes, rows) = (count()?, count()?);
        let parts = rest.count(1)?;
        let mut lens = (0..parts).map(|_| usize::try_from(rest.uint()?).ok()).collect::<Option<Vec<_>>>()?.into_iter();
        let mut next = |len: Option<usize>| rest.take(len?).map(Reader);

        let mut streams = [Reader(&[]); STREAMS];
        for stream in &mut streams {
            *stream = next(lens.next())?;
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
        let (texts, others): (Vec<_>, Vec<_>) = known.order().into_iter().partition(|number| known.columns.kinds[*number] == LeafKind::Text);
        let mut columns = vec![Reader(&[]); texts.len() + others.len()];
        for number in others {
            columns[number] = next(lens.next())?;
        }
        let text_columns = texts.into_iter().map(|number| Some((number, lens.next()?))).collect::<Option<Vec<_>>>()?;
        let done = rest.0.is_empty() && lens.next().is_none();
        done.then_some(Self { changes, rows, known, streams, change_templates, columns, random, text_columns })
    }
}

struct Unpacker<'a> {
    known: Known,
    streams: [Reader<'a>; STREAMS],
    columns: Vec<Reader<'a>>,
    random: Reader<'a>,
    change_templates: Vec<&'a [u8]>,
    actors: Vec<&'a [u8]>,
}

impl<'a> Unpacker<'a> {
    fn new(contents: Contents<'a>, texts: &'a [u8]) -> Option<Self> {
        let Contents { known, streams, change_templates, mut columns, random, text_columns, .. } = contents;
        let mut texts = Reader(texts);
        for (number, len) in text_columns {
            columns[number] = Reader(texts.take(len)?);
        }
        texts.0.is_empty().then_some(Self { known, streams, columns, random, change_templates, actors: Vec::new() })
    }

    fn is_done(&self) -> bool {
        self.random.0.is_empty() && self.streams.iter().chain(&self.columns).all(|stream| stream.0.is_empty())
    }

    fn stream(&mut self, stream: Stream) -> &mut Reader<'a> {
        &mut self.streams[stream as usize]
    }

    fn change(&mut self) -> Option<(Vec<u8>, usize)> {
        let form = self.stream(Stream::Forms).uint()?;
        let Some(template) = form.checked_sub(1) else {
            let raw = self.stream(Stream::Raw).bytes()?.to_vec();
            self.known.stands(&raw);
            return (raw.len() <= MAX_CHANGE).then_some((raw, 0));
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
            let op = self.op(template.uint()?)?;
            size += op.key.len() + op.value.len();
            ops.push(op);
            if size > MAX_CHANGE || ops.len() as u64 > MAX_OPS {
                return None;
            }
        }
        let taken: Vec<Op<'_>> = ops.iter().map(|Filled { key, kind, value }| Op { key, kind: *kind, value }).collect();
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
        (raw.len() <= MAX_CHANGE).then_some((raw, taken.len()))
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

    fn row(&mut self) -> Option<Vec<u8>> {
        let template = self.stream(Stream::Rows).uint()?;
        Some(self.op(template)?.value)
    }

    fn op(&mut self, template: u64) -> Option<Filled> {
        // The plan is moved out while its holes are filled, and put back: filling needs everything else.
        let number = usize::try_from(template).ok()?;
        let empty = Plan { key: KeyPlan::None, kind: 0, value: Vec::new() };
        let plan = std::mem::replace(self.known.plans.get_mut(number)?, empty);
        let op = self.fill(&plan);
        self.known.plans[number] = plan;
        op
    }

    fn fill(&mut self, plan: &Plan) -> Option<Filled> {
        let mut key = match &plan.key {
            KeyPlan::OwnId | KeyPlan::None => Vec::new(),
            KeyPlan::Text(text) => text.clone(),
            KeyPlan::Id(column, rest) => {
                let id = uuid::Uuid::from_bytes(self.id(*column)?).to_string();
                [id.as_bytes(), rest].concat()
            }
        };
        let mut value = Vec::new();
        self.steps(&plan.value, &mut value)?;
        if let KeyPlan::OwnId = plan.key {
            let id = ActionId::of(&value);
            self.known.ids.push(id.0);
            key = id.to_string().into_bytes();
        }
        Some(Filled { key, kind: plan.kind, value })
    }

    fn steps(&mut self, steps: &[Step], out: &mut Vec<u8>) -> Option<()> {
        for step in steps {
            match step {
                Step::Literal(bytes) => out.extend_from_slice(bytes),
                Step::Item(kind, column) => self.leaf(*kind, *column, true, out)?,
                Step::Bare(kind, column) => self.leaf(*kind, *column, false, out)?,
                Step::Nested(inner) => {
                    let mut bytes = Vec::new();
                    self.steps(inner, &mut bytes)?;
                    put_head(out, 2, bytes.len() as u64);
                    out.extend(bytes);
                }
            }
            if out.len() > MAX_CHANGE {
                return None;
            }
        }
        Some(())
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
            LeafKind::Ascii | LeafKind::Text => put(3, text(self.columns.get_mut(column)?)?),
            LeafKind::Salted => put(2, &[self.random.take(SALT_BYTES)?, text(self.columns.get_mut(column)?)?].concat()),
        }
        Some(())
    }

    fn int(&mut self, kind: LeafKind, column: usize) -> Option<i64> {
        let value = self.known.expected(kind, column).wrapping_add(self.columns.get_mut(column)?.sint()?);
        self.known.learn(column, value);
        Some(value)
    }

    fn id(&mut self, column: usize) -> Option<[u8; 16]> {
        let mut last = *self.known.last(column);
        let token = self.columns.get_mut(column)?.uint()?;
        match token {
            ID_AS_BEFORE => return Some(last.id),
            ID_NEW => last.id = self.random.take(16)?.try_into().ok()?,
            ID_NEW_V7 => {
                last.int = last.int.wrapping_add(self.columns.get_mut(column)?.sint()?);
                last.id = join_v7(last.int, self.random.take(10)?)?;
            }
            known => {
                let away = known - ID_KNOWN;
                let away = (away >> 1) as i64 ^ -((away & 1) as i64);
                last.place = usize::try_from((last.place as i64).checked_add(away)?).ok()?;
                last.id = *self.known.ids.get(last.place)?;
            }
        }
        if token < ID_AS_BEFORE {
            last.place = self.known.ids.len();
            self.known.ids.push(last.id);
        }
        *self.known.last(column) = last;
        Some(last.id)
    }
}

/// An operation with its holes filled.
struct Filled {
    key: Vec<u8>,
    kind: u8,
    value: Vec<u8>,
}

/// Text up to its zero byte.
fn text<'a>(column: &mut Reader<'a>) -> Option<&'a [u8]> {
    let end = column.0.iter().position(|byte| *byte == 0)?;
    let text = column.take(end)?;
    column.byte()?;
    Some(text)
}
