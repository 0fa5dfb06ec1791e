//! A raw change chunk taken apart and put together again, byte for byte (Automerge binary format, "change chunks").

use super::super::limits::{MAX_CHANGE, MAX_OPS};
use crate::domain::id::Hash;

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHANGE: u8 = 1;
/// Column specifications (id · 16 + type) of the columns that are taken apart further: keys, value metadata, value bytes.
pub(super) const KEYS: u64 = 0x15;
pub(super) const METAS: u64 = 0x56;
pub(super) const VALUES: u64 = 0x57;

/// A change chunk's parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk<'a> {
    pub deps: Vec<Hash>,
    pub actor: &'a [u8],
    pub seq: u64,
    pub start_op: u64,
    pub time: i64,
    /// Message and other actors: what no change of this system has. Kept together, as they stand.
    pub rest: &'a [u8],
    pub columns: Vec<(u64, &'a [u8])>,
    pub extra: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// Takes a chunk apart; `None` for what is not exactly what [`Chunk::write`] gives.
    pub fn read(raw: &'a [u8]) -> Option<Self> {
        let mut body = Reader(raw.get(8..)?);
        if body.take(1)? != [CHANGE] || body.uint()? != body.0.len() as u64 {
            return None;
        }
        let deps = (0..body.count(32)?).map(|_| body.take(32).and_then(|dep| Some(Hash(dep.try_into().ok()?)))).collect::<Option<_>>()?;
        let actor = body.bytes()?;
        let (seq, start_op, time) = (body.uint()?, body.uint()?, body.sint()?);
        let from = body.0;
        body.bytes()?;
        for _ in 0..body.count(1)? {
            body.bytes()?;
        }
        let rest = &from[..from.len() - body.0.len()];
        let heads = (0..body.count(2)?).map(|_| Some((body.uint()?, body.uint()?))).collect::<Option<Vec<_>>>()?;
        let columns = heads.into_iter().map(|(spec, len)| Some((spec, body.take(usize::try_from(len).ok()?)?))).collect::<Option<_>>()?;
        let chunk = Self { deps, actor, seq, start_op, time, rest, columns, extra: body.0 };
        (chunk.write().0 == raw).then_some(chunk)
    }

    /// Puts the chunk together, with its hash.
    pub fn write(&self) -> (Vec<u8>, Hash) {
        let mut body = Vec::with_capacity(512);
        put_uint(&mut body, self.deps.len() as u64);
        self.deps.iter().for_each(|dep| body.extend_from_slice(&dep.0));
        put_bytes(&mut body, self.actor);
        put_uint(&mut body, self.seq);
        put_uint(&mut body, self.start_op);
        put_sint(&mut body, self.time);
        body.extend_from_slice(self.rest);
        put_uint(&mut body, self.columns.len() as u64);
        for (spec, column) in &self.columns {
            put_uint(&mut body, *spec);
            put_uint(&mut body, column.len() as u64);
        }
        self.columns.iter().for_each(|(_, column)| body.extend_from_slice(column));
        body.extend_from_slice(self.extra);
        let mut head = vec![CHANGE];
        put_uint(&mut head, body.len() as u64);
        let hash = Hash::of(&[&head, &body]);
        ([&MAGIC, &hash.0[..4], &head, &body].concat(), hash)
    }
}

/// One operation's key and value; of its other columns nothing is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Op<'a> {
    pub key: &'a [u8],
    /// Low half byte of the value's metadata.
    pub kind: u8,
    pub value: &'a [u8],
}

/// Reads keys and values out of their columns; `None` when [`write_ops`] would not give the same columns.
pub(super) fn read_ops<'a>(keys: &'a [u8], metas: &'a [u8], values: &'a [u8]) -> Option<Vec<Op<'a>>> {
    let key_list = read_runs(keys, Reader::bytes)?;
    let meta_list = read_runs(metas, Reader::uint)?;
    let mut rest = Reader(values);
    let ops = key_list.iter().zip(&meta_list).map(|(key, meta)| Some(Op { key, kind: (meta & 15) as u8, value: rest.take(usize::try_from(meta >> 4).ok()?)? }));
    let ops = ops.collect::<Option<Vec<_>>>()?;
    let exact = key_list.len() == meta_list.len() && rest.0.is_empty() && write_ops(&ops) == [keys, metas, values];
    exact.then_some(ops)
}

/// The columns of keys, value metadata and value bytes.
pub(super) fn write_ops(ops: &[Op<'_>]) -> [Vec<u8>; 3] {
    let keys = write_runs(ops.iter().map(|op| op.key), |out, key| put_bytes(out, key));
    let metas = write_runs(ops.iter().map(|op| (op.value.len() as u64) << 4 | u64::from(op.kind & 15)), |out, meta| put_uint(out, *meta));
    [keys, metas, ops.iter().flat_map(|op| op.value).copied().collect()]
}

/// Automerge's run-length encoding without nulls: `n > 1, value` is a run, `-n, values` are literals.
fn read_runs<'a, T: Copy>(column: &'a [u8], value: impl Fn(&mut Reader<'a>) -> Option<T>) -> Option<Vec<T>> {
    let (mut rest, mut out) = (Reader(column), Vec::new());
    while !rest.0.is_empty() {
        let run = rest.sint()?;
        if out.len() as u64 + run.unsigned_abs() > MAX_OPS {
            return None;
        }
        match run {
            1.. => out.extend(std::iter::repeat_n(value(&mut rest)?, run as usize)),
            0 => return None,
            _ => {
                for _ in run..0 {
                    out.push(value(&mut rest)?);
                }
            }
        }
    }
    Some(out)
}

fn write_runs<T: PartialEq + Copy>(values: impl Iterator<Item = T>, put: impl Fn(&mut Vec<u8>, &T)) -> Vec<u8> {
    let values: Vec<T> = values.collect();
    let (mut out, mut literals) = (Vec::new(), Vec::new());
    let flush = |out: &mut Vec<u8>, literals: &mut Vec<T>| {
        if !literals.is_empty() {
            put_sint(out, -(literals.len() as i64));
            literals.drain(..).for_each(|value| put(out, &value));
        }
    };
    for run in values.chunk_by(T::eq) {
        if run.len() == 1 {
            literals.push(run[0]);
            continue;
        }
        flush(&mut out, &mut literals);
        put_sint(&mut out, run.len() as i64);
        put(&mut out, &run[0]);
    }
    flush(&mut out, &mut literals);
    out
}

/// Reads from the front of a slice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    /// LEB128, unsigned.
    pub fn uint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// LEB128, signed.
    pub fn sint(&mut self) -> Option<i64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= i64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                let signed = byte & 0x40 != 0 && shift < 57;
                return Some(if signed { value | -1 << (shift + 7) } else { value });
            }
        }
        None
    }

    /// Bytes after their length.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.uint()?;
        self.take(usize::try_from(len).ok()?)
    }

    /// A count of things of at least `least` bytes each, of which no more than fit can follow.
    pub fn count(&mut self, least: usize) -> Option<usize> {
        let count = usize::try_from(self.uint()?).ok()?;
        (count <= self.0.len() / least && count <= MAX_CHANGE).then_some(count)
    }
}

pub(super) fn put_uint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn put_sint(out: &mut Vec<u8>, mut value: i64) {
    while !(-64..64).contains(&value) {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_uint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
