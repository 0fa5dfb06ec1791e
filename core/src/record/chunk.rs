//! A raw change chunk, read without Automerge and without allocating anything (Automerge binary format, "change chunks").
//!
//! Only the form that a typed command can have is read: puts of scalars under string keys. What this lets pass may still be nonsense; the
//! gate then asks Automerge to write the same puts and compares the bytes, so Automerge itself never parses what a stranger sent.

use automerge::ScalarValue;

use super::gate::GateError;
use super::genesis::ACTOR;
use super::{ChangeInfo, limits};
use crate::domain::id::{Hash, Incarnation};

/// What every chunk starts with.
const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
/// The chunk type of a change that is not compressed.
const CHANGE: u8 = 1;
/// The action of a put.
const PUT: u64 = 1;
/// Length of a hash.
const HASH: usize = 32;

/// A column: its specification (id · 16 + type) and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    ObjectActor = 0x01,
    ObjectCounter = 0x02,
    Key = 0x15,
    Insert = 0x34,
    Action = 0x42,
    ValueMeta = 0x56,
    Value = 0x57,
    PredCount = 0x70,
    PredActor = 0x71,
    PredCounter = 0x73,
}

/// The columns that a put of a scalar under a string key can have, in their order.
const COLUMNS: [Column; 10] = [
    Column::ObjectActor,
    Column::ObjectCounter,
    Column::Key,
    Column::Insert,
    Column::Action,
    Column::ValueMeta,
    Column::Value,
    Column::PredCount,
    Column::PredActor,
    Column::PredCounter,
];

/// A change chunk within the limits, its checksum verified.
#[derive(Debug)]
pub(super) struct Chunk<'a> {
    pub(super) info: ChangeInfo,
    /// Seconds since 1970, as claimed.
    pub(super) time_s: i64,
    /// Genesis' number among its actors.
    genesis: Option<u64>,
    columns: [&'a [u8]; COLUMNS.len()],
    /// How many operations.
    pub(super) ops: u64,
    /// How many operations they overwrite.
    preds: u64,
    /// The number of its first operation.
    pub(super) start_op: u64,
    /// The actors that it names beside its own.
    others: Reader<'a>,
}

/// One put as the chunk has it.
#[derive(Debug)]
pub(super) struct Op<'a> {
    /// The number of the genesis operation that created the object; `None` is the root.
    pub(super) object: Option<u64>,
    pub(super) key: &'a str,
    pub(super) value: Scalar<'a>,
}

/// A scalar of the types that commands put.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl From<Scalar<'_>> for ScalarValue {
    fn from(scalar: Scalar<'_>) -> Self {
        match scalar {
            Scalar::Null => Self::Null,
            Scalar::Bool(yes) => Self::Boolean(yes),
            Scalar::Int(number) => Self::Int(number),
            Scalar::Text(text) => Self::Str(text.into()),
            Scalar::Bytes(bytes) => Self::Bytes(bytes.to_vec()),
        }
    }
}

impl<'a> Chunk<'a> {
    /// Reads a chunk within the limits, operations and all.
    ///
    /// # Errors
    /// [`GateError::TooLarge`] or [`GateError::Malformed`].
    pub(super) fn read(raw: &'a [u8]) -> Result<Self, GateError> {
        if raw.len() > limits::MAX_CHANGE {
            return Err(GateError::TooLarge("a change of more bytes than a record takes"));
        }
        let mut rest = Reader(raw);
        if rest.take(4)? != MAGIC {
            return Err(GateError::Malformed("not an Automerge chunk"));
        }
        let checksum = rest.take(4)?;
        if rest.take(1)? != [CHANGE] {
            return Err(GateError::Malformed("not an uncompressed change chunk"));
        }
        if rest.uint()? != rest.0.len() as u64 {
            return Err(GateError::Malformed("the chunk's length is not its length"));
        }
        let hash = super::hash_of(raw);
        if checksum != &hash.0[..4] {
            return Err(GateError::Malformed("checksum"));
        }

        let count = rest.uint()?;
        if count > limits::MAX_DEPS as u64 {
            return Err(GateError::TooLarge("depends on more changes than a record has authors"));
        }
        let deps = rest.take(count as usize * HASH)?;
        let actor = rest.bytes()?;
        let (seq, start_op, time_s) = (rest.uint()?, rest.uint()?, rest.sint()?);
        if start_op > limits::MAX_START_OP {
            return Err(GateError::TooLarge("operation numbers beyond what a full record has"));
        }
        if !rest.bytes()?.is_empty() {
            return Err(GateError::Malformed("a message, which no command writes"));
        }
        let (genesis, named, actors) = rest.find_genesis()?;
        let (columns, ops) = read_columns(&mut rest)?;
        let preds = check_preds(&columns, ops, actors)?;
        check_inserts(columns[position(Column::Insert)], ops)?;
        let deps = deps.chunks_exact(HASH).map(|dep| Hash(dep.try_into().expect("chunks of a hash's length"))).collect();
        let info = ChangeInfo { hash, actor: actor.try_into().ok().map(Incarnation::from_bytes), seq, deps };
        let chunk = Self { info, time_s, genesis, columns, ops, preds, start_op, others: Reader(named) };
        chunk.ops().try_for_each(|op| op.map(drop))?;
        Ok(chunk)
    }

    /// Its operations, and what they overwrite.
    pub(super) const fn weight(&self) -> u64 {
        self.ops + self.preds
    }

    /// The actors that it names beside its own, genesis' among them.
    pub(super) fn others(&self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.others;
        std::iter::from_fn(move || rest.bytes().ok())
    }

    /// The keys that it writes, as often as it does.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.ops().filter_map(|op| op.ok().map(|op| op.key))
    }

    /// Its operations, in their order.
    pub(super) fn ops(&self) -> Ops<'a> {
        let column = |column| self.columns[position(column)];
        Ops {
            left: self.ops,
            genesis: self.genesis,
            object_actor: Runs::new(column(Column::ObjectActor), Reader::uint),
            object_counter: Runs::new(column(Column::ObjectCounter), Reader::uint),
            key: Runs::new(column(Column::Key), Reader::bytes),
            meta: Runs::new(column(Column::ValueMeta), Reader::uint),
            values: Reader(column(Column::Value)),
        }
    }
}

const fn position(column: Column) -> usize {
    let mut place = 0;
    while COLUMNS[place] as u64 != column as u64 {
        place += 1;
    }
    place
}

/// Reads the columns, which must be all that is left, and how many operations they hold.
fn read_columns<'a>(rest: &mut Reader<'a>) -> Result<([&'a [u8]; COLUMNS.len()], u64), GateError> {
    let count = rest.uint()?;
    if count > COLUMNS.len() as u64 {
        return Err(GateError::Malformed("columns that no command writes"));
    }
    let mut lengths = [0; COLUMNS.len()];
    let mut next = 0;
    for _ in 0..count {
        let (specification, length) = (rest.uint()?, rest.uint()?);
        // In ascending order, so none comes twice.
        let place = COLUMNS[next..].iter().position(|column| *column as u64 == specification);
        let place = next + place.ok_or(GateError::Malformed("a column that no command writes"))?;
        lengths[place] = usize::try_from(length).map_err(|_| GateError::TooLarge("a column"))?;
        next = place + 1;
    }
    let mut columns: [&[u8]; COLUMNS.len()] = [&[]; COLUMNS.len()];
    for (column, length) in columns.iter_mut().zip(lengths) {
        *column = rest.take(length)?;
    }
    if !rest.0.is_empty() {
        return Err(GateError::Malformed("bytes after the operations, which no command writes"));
    }
    Ok((columns, count_puts(columns[position(Column::Action)])?))
}

/// How many operations there are, from the run headers of the actions. A hundred bytes may claim a million.
fn count_puts(actions: &[u8]) -> Result<u64, GateError> {
    let mut runs = Runs::new(actions, Reader::uint);
    let mut ops: u64 = 0;
    while let Some((length, action)) = runs.next_run()? {
        if action != Some(PUT) {
            return Err(GateError::Malformed("an operation that is not a put"));
        }
        ops = ops.saturating_add(length);
        if ops > limits::MAX_OPS {
            return Err(GateError::TooLarge("more operations than one save writes"));
        }
    }
    if ops == 0 { Err(GateError::Malformed("no operations")) } else { Ok(ops) }
}

/// Reads what the operations overwrite: as many as they say, each by an actor that the chunk names
/// and under a number that a record can have. Automerge believes the numbers of actors, and panics.
fn check_preds(columns: &[&[u8]; COLUMNS.len()], ops: u64, actors: u64) -> Result<u64, GateError> {
    let wrong = || GateError::Malformed("operations overwritten that are not there");
    let column = |column| columns[position(column)];
    let (mut counted, mut preds) = (0_u64, 0_u64);
    let mut counts = Runs::new(column(Column::PredCount), Reader::uint);
    while let Some((length, count)) = counts.next_run()? {
        counted = counted.saturating_add(length);
        preds = preds.saturating_add(length.saturating_mul(count.ok_or_else(wrong)?));
    }
    if (counted != ops && counted + preds > 0) || preds > ops.saturating_mul(limits::MAX_ACTORS_PER_RECORD as u64) {
        return Err(wrong());
    }
    let mut named = 0_u64;
    let mut actor = Runs::new(column(Column::PredActor), Reader::uint);
    while let Some((length, number)) = actor.next_run()? {
        // Its own is number 0.
        number.filter(|number| *number <= actors).ok_or_else(wrong)?;
        named = named.saturating_add(length);
    }
    let (mut numbered, mut last) = (0_u64, 0_i64);
    let mut counter = Runs::new(column(Column::PredCounter), Reader::sint);
    while let Some((length, delta)) = counter.next_run()? {
        let (delta, highest) = (delta.ok_or_else(wrong)?, 2 * limits::MAX_START_OP as i64);
        let within = |counter: i64| (1..=highest).contains(&counter);
        let (first, end) = (last.saturating_add(delta), last.saturating_add(delta.saturating_mul(i64::try_from(length).unwrap_or(i64::MAX))));
        if length == 0 || !within(first) || !within(end) {
            return Err(wrong());
        }
        (numbered, last) = (numbered.saturating_add(length), end);
    }
    if named == preds && numbered == preds { Ok(preds) } else { Err(wrong()) }
}

/// Nothing is inserted anywhere: that is for lists.
fn check_inserts(inserts: &[u8], ops: u64) -> Result<(), GateError> {
    let mut rest = Reader(inserts);
    let none = inserts.is_empty() || (rest.uint()? == ops && rest.0.is_empty());
    if none { Ok(()) } else { Err(GateError::Malformed("an insertion, which no command writes")) }
}

/// A chunk's operations.
#[derive(Debug)]
pub(super) struct Ops<'a> {
    left: u64,
    genesis: Option<u64>,
    object_actor: Runs<'a, u64>,
    object_counter: Runs<'a, u64>,
    key: Runs<'a, &'a [u8]>,
    meta: Runs<'a, u64>,
    values: Reader<'a>,
}

impl<'a> Iterator for Ops<'a> {
    type Item = Result<Op<'a>, GateError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        Some(self.op())
    }
}

impl<'a> Ops<'a> {
    fn op(&mut self) -> Result<Op<'a>, GateError> {
        let object = match (self.object_actor.value()?, self.object_counter.value()?) {
            (None, None) => None,
            (Some(actor), Some(counter)) if Some(actor) == self.genesis => Some(counter),
            _ => return Err(GateError::Malformed("an object that genesis did not create")),
        };
        let key = self.key.value()?.ok_or(GateError::Malformed("an operation without a key"))?;
        if key.len() > limits::MAX_KEY {
            return Err(GateError::TooLarge("a key"));
        }
        let meta = self.meta.value()?.ok_or(GateError::Malformed("an operation without a value"))?;
        let value = self.scalar(meta)?;
        let done = self.left == 0;
        if done && !(self.object_actor.done() && self.object_counter.done() && self.key.done() && self.meta.done() && self.values.0.is_empty()) {
            return Err(GateError::Malformed("columns of different lengths"));
        }
        Ok(Op { object, key: text(key)?, value })
    }

    fn scalar(&mut self, meta: u64) -> Result<Scalar<'a>, GateError> {
        let length = meta >> 4;
        if length > limits::MAX_VALUE as u64 {
            return Err(GateError::TooLarge("a value"));
        }
        let bytes = self.values.take(length as usize)?;
        match (meta & 15, bytes) {
            (0, []) => Ok(Scalar::Null),
            (1, []) => Ok(Scalar::Bool(false)),
            (2, []) => Ok(Scalar::Bool(true)),
            (4, bytes) => {
                let mut bytes = Reader(bytes);
                let number = bytes.sint()?;
                if bytes.0.is_empty() { Ok(Scalar::Int(number)) } else { Err(GateError::Malformed("a number")) }
            }
            (6, bytes) => Ok(Scalar::Text(text(bytes)?)),
            (7, bytes) => Ok(Scalar::Bytes(bytes)),
            _ => Err(GateError::Malformed("a value of a type that no command writes")),
        }
    }
}

fn text(bytes: &[u8]) -> Result<&str, GateError> {
    std::str::from_utf8(bytes).map_err(|_| GateError::Malformed("text that is not UTF-8"))
}

/// A run-length encoded column, read run by run.
#[derive(Debug)]
struct Runs<'a, T> {
    rest: Reader<'a>,
    read: fn(&mut Reader<'a>) -> Result<T, GateError>,
    /// Values left in a run that spells out each.
    literal: u64,
    /// How often `current` is still to come.
    left: u64,
    current: Option<T>,
}

impl<'a, T: Copy> Runs<'a, T> {
    fn new(column: &'a [u8], read: fn(&mut Reader<'a>) -> Result<T, GateError>) -> Self {
        Self { rest: Reader(column), read, literal: 0, left: 0, current: None }
    }

    /// The next stretch of equal values and its length; `None` at the end.
    fn next_run(&mut self) -> Result<Option<(u64, Option<T>)>, GateError> {
        if self.literal == 0 {
            if self.rest.0.is_empty() {
                return Ok(None);
            }
            match self.rest.sint()? {
                0 => return Ok(Some((self.rest.uint()?, None))),
                length @ 1.. => return Ok(Some((length.unsigned_abs(), Some((self.read)(&mut self.rest)?)))),
                length => self.literal = length.unsigned_abs(),
            }
        }
        self.literal -= 1;
        Ok(Some((1, Some((self.read)(&mut self.rest)?))))
    }

    /// The next value; a column that has ended goes on with nulls.
    fn value(&mut self) -> Result<Option<T>, GateError> {
        while self.left == 0 {
            let Some((length, value)) = self.next_run()? else {
                return Ok(None);
            };
            (self.left, self.current) = (length, value);
        }
        self.left -= 1;
        Ok(self.current)
    }

    fn done(&self) -> bool {
        self.rest.0.is_empty() && self.literal == 0 && self.left == 0
    }
}

/// Bytes that are still to be read.
#[derive(Debug, Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], GateError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(GateError::Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    /// An unsigned LEB128 number, as short as it can be: Automerge reads no other.
    fn uint(&mut self) -> Result<u64, GateError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            // The tenth byte holds the last bit of 64.
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte == 0 && shift > 0 {
                break;
            }
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(GateError::Malformed("a number that is not written as it is"))
    }

    /// A signed LEB128 number, as short as it can be.
    fn sint(&mut self) -> Result<i64, GateError> {
        let (mut value, mut before) = (0, None);
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            if before.is_some_and(|before: u8| (byte == 0 && before & 0x40 == 0) || (byte == 0x7f && before & 0x40 != 0)) {
                break;
            }
            before = Some(byte);
            value |= i64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                let sign = if byte & 0x40 != 0 && shift < 57 { -1 << (shift + 7) } else { 0 };
                return Ok(value | sign);
            }
        }
        Err(GateError::Malformed("a number of more than 64 bits"))
    }

    /// Bytes with their length before them.
    fn bytes(&mut self) -> Result<&'a [u8], GateError> {
        let length = self.uint()?;
        self.take(usize::try_from(length).map_err(|_| GateError::TooLarge("a length"))?)
    }

    /// The number of genesis' actor, the bytes of all, and how many there are, in a list of the
    /// actors other than the change's own, which is number 0.
    fn find_genesis(&mut self) -> Result<(Option<u64>, &'a [u8], u64), GateError> {
        let count = self.uint()?;
        if count > limits::MAX_DEPS as u64 {
            return Err(GateError::TooLarge("names more actors than a record has"));
        }
        let (mut genesis, named) = (None, self.0);
        for number in 1..=count {
            if self.bytes()? == ACTOR {
                genesis = Some(number);
            }
        }
        Ok((genesis, &named[..named.len() - self.0.len()], count))
    }
}
