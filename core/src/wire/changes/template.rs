//! What operations have in common: a template is an operation with holes in it, and every hole knows the column that fills it.
//!
//! A template is `key pattern, value kind, value pattern`, all bytes:
//! - key: 0 = the id of the action that the value is; 1, text = that text; 2, text = a UUID in text form and then that text; 3 = none, of a row;
//! - value kind: the low half byte of Automerge's value metadata;
//! - value: 0 = bytes; 1, leaf kind = that leaf, bare; 2, skeleton = CBOR of which arrays, maps, map keys, simple values and floats stand as they are
//!   and every other value is the one byte of its leaf kind.

use std::collections::HashMap;

use super::chunk::{Op, Reader, put_bytes};
use super::civil;
use crate::domain::id::ActionId;
use crate::domain::policy::SALT_BYTES;
use uuid::Uuid;

/// Deepest CBOR that is taken apart.
const MAX_DEPTH: usize = 8;
/// Most columns that templates of one run may make.
const MAX_COLUMNS: usize = 4_096;

/// What fills a hole. The numbers are the marks in a skeleton.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum LeafKind {
    /// An integer of at most 64 bits with its sign.
    Int = 0x00,
    /// The second of two integers in an array of two: two clocks that go on by the same.
    Twin = 0x01,
    /// Sixteen bytes.
    Id = 0x41,
    /// A UUID as text.
    IdText = 0x61,
    /// A time as text, [`civil::text`].
    TimeText = 0x62,
    /// Text without a zero byte, all ASCII.
    Ascii = 0x63,
    /// Other text without a zero byte.
    Text = 0x60,
    /// Bytes of any length.
    Bytes = 0x40,
    /// Thirty-two bytes.
    Digest = 0x42,
    /// A salt and then ASCII text without a zero byte: a salted value.
    Salted = 0x43,
}

/// In a skeleton: bytes that are CBOR themselves; their skeleton follows.
const NESTED: u8 = 0x44;

impl LeafKind {
    /// All kinds, in the order in which their columns are written.
    pub const ALL: [Self; 10] =
        [Self::Int, Self::Twin, Self::Id, Self::IdText, Self::TimeText, Self::Bytes, Self::Digest, Self::Salted, Self::Ascii, Self::Text];

    fn of_mark(mark: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == mark)
    }
}

/// A hole's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaf<'a> {
    /// For [`LeafKind::Int`], [`LeafKind::Twin`] and [`LeafKind::TimeText`] (seconds since 1970).
    Int(i64),
    /// For [`LeafKind::Id`] and [`LeafKind::IdText`].
    Id([u8; 16]),
    /// For all others.
    Bytes(&'a [u8]),
}

/// The operation's template, and what fills its holes: the key's first, then the value's in order.
pub(super) fn of<'a>(op: &Op<'a>) -> (Vec<u8>, Vec<Leaf<'a>>) {
    let mut template = Vec::new();
    let mut leaves = Vec::new();
    match op.key {
        key if is_own_id(key, op.value) => template.push(0),
        key => match key.split_at_checked(36).and_then(|(id, rest)| Some((uuid_text(id)?, rest))) {
            Some((id, rest)) => {
                template.push(2);
                put_bytes(&mut template, rest);
                leaves.push(Leaf::Id(id));
            }
            None => {
                template.push(1);
                put_bytes(&mut template, key);
            }
        },
    }
    template.push(op.kind);
    put_value(op.kind, op.value, &mut template, &mut leaves);
    (template, leaves)
}

fn put_value<'a>(kind: u8, value: &'a [u8], template: &mut Vec<u8>, leaves: &mut Vec<Leaf<'a>>) {
    if kind == STRING
        && let Some((kind, leaf)) = text_leaf(value)
    {
        template.extend([1, kind as u8]);
        leaves.push(leaf);
    } else if kind == BYTES
        && let Some((skeleton, inner)) = strip_whole(value, 0)
    {
        template.push(2);
        template.extend(skeleton);
        leaves.extend(inner);
    } else {
        template.push(0);
        leaves.push(Leaf::Bytes(value));
    }
}

/// Automerge's value types for strings and bytes.
const STRING: u8 = 6;
const BYTES: u8 = 7;

fn is_own_id(key: &[u8], value: &[u8]) -> bool {
    key.len() == 32 && ActionId::of(value).to_string().as_bytes() == key
}

fn uuid_text(text: &[u8]) -> Option<[u8; 16]> {
    let id = Uuid::try_parse_ascii(text).ok()?;
    let mut buffer = [0; 36];
    (id.hyphenated().encode_lower(&mut buffer).as_bytes() == text).then(|| id.into_bytes())
}

fn text_leaf(text: &[u8]) -> Option<(LeafKind, Leaf<'_>)> {
    if let Some(id) = uuid_text(text) {
        return Some((LeafKind::IdText, Leaf::Id(id)));
    }
    if let Some(seconds) = civil::seconds(text) {
        return Some((LeafKind::TimeText, Leaf::Int(seconds)));
    }
    let kind = if text.is_ascii() { LeafKind::Ascii } else { LeafKind::Text };
    (!text.contains(&0)).then_some((kind, Leaf::Bytes(text)))
}

/// A row's template, and what fills its holes.
pub(super) fn of_row(row: &[u8]) -> (Vec<u8>, Vec<Leaf<'_>>) {
    let (mut template, mut leaves) = (vec![3, 0], Vec::new());
    put_value(BYTES, row, &mut template, &mut leaves);
    (template, leaves)
}

/// Skeleton and leaves of bytes that are one CBOR item and nothing else.
fn strip_whole(bytes: &[u8], depth: usize) -> Option<(Vec<u8>, Vec<Leaf<'_>>)> {
    let (mut rest, mut skeleton, mut leaves) = (Reader(bytes), Vec::new(), Vec::new());
    strip(&mut rest, &mut skeleton, &mut leaves, depth)?;
    rest.0.is_empty().then_some((skeleton, leaves))
}

/// Strips the leaves off one CBOR item; `None` for what is not in its shortest form, or not of the kinds used here.
fn strip<'a>(rest: &mut Reader<'a>, skeleton: &mut Vec<u8>, leaves: &mut Vec<Leaf<'a>>, depth: usize) -> Option<()> {
    let start = *rest;
    let (major, argument) = head(rest)?;
    let head_bytes = &start.0[..start.0.len() - rest.0.len()];
    let mut leaf = |kind: LeafKind, leaf: Leaf<'a>| {
        skeleton.push(kind as u8);
        leaves.push(leaf);
    };
    match major {
        0 => leaf(LeafKind::Int, Leaf::Int(i64::try_from(argument).ok()?)),
        1 => leaf(LeafKind::Int, Leaf::Int(-1 - i64::try_from(argument).ok()?)),
        2 => {
            let bytes = rest.take(usize::try_from(argument).ok()?)?;
            if let Ok(id) = <[u8; 16]>::try_from(bytes) {
                leaf(LeafKind::Id, Leaf::Id(id));
            } else if bytes.len() == 32 {
                leaf(LeafKind::Digest, Leaf::Bytes(bytes));
            } else if depth < MAX_DEPTH
                && let Some((inner, holes)) = strip_whole(bytes, depth + 1)
            {
                skeleton.push(NESTED);
                skeleton.extend(inner);
                leaves.extend(holes);
            } else {
                let salted = bytes.get(SALT_BYTES..).is_some_and(|rest| rest.is_ascii() && !rest.contains(&0));
                leaf(if salted { LeafKind::Salted } else { LeafKind::Bytes }, Leaf::Bytes(bytes));
            }
        }
        3 => {
            let (kind, value) = text_leaf(rest.take(usize::try_from(argument).ok()?)?)?;
            leaf(kind, value);
        }
        4 if depth < MAX_DEPTH => {
            skeleton.extend_from_slice(head_bytes);
            let first = skeleton.len();
            for _ in 0..argument {
                strip(rest, skeleton, leaves, depth + 1)?;
            }
            if argument == 2 && skeleton[first..] == [LeafKind::Int as u8; 2] {
                skeleton[first + 1] = LeafKind::Twin as u8;
            }
        }
        5 if depth < MAX_DEPTH => {
            skeleton.extend_from_slice(head_bytes);
            for _ in 0..argument {
                skeleton.extend_from_slice(map_key(rest)?);
                strip(rest, skeleton, leaves, depth + 1)?;
            }
        }
        7 => skeleton.extend_from_slice(head_bytes),
        _ => return None,
    }
    Some(())
}

/// A CBOR head in its shortest form.
fn head(rest: &mut Reader<'_>) -> Option<(u8, u64)> {
    let first = rest.byte()?;
    let (major, info) = (first >> 5, first & 31);
    let (argument, least) = match info {
        0..24 => (u64::from(info), 0),
        24 => (u64::from(rest.byte()?), 24),
        25 => (u64::from(u16::from_be_bytes(rest.take(2)?.try_into().ok()?)), 0x100),
        26 => (u64::from(u32::from_be_bytes(rest.take(4)?.try_into().ok()?)), 0x1_0000),
        27 => (u64::from_be_bytes(rest.take(8)?.try_into().ok()?), 0x1_0000_0000),
        _ => return None,
    };
    (argument >= least || major == 7).then_some((major, argument))
}

/// A map key as it stands: an integer or text.
fn map_key<'a>(rest: &mut Reader<'a>) -> Option<&'a [u8]> {
    let start = *rest;
    let (major, argument) = head(rest)?;
    match major {
        0 | 1 => {}
        3 => drop(rest.take(usize::try_from(argument).ok()?)?),
        _ => return None,
    }
    Some(&start.0[..start.0.len() - rest.0.len()])
}

/// How an operation is put together again.
#[derive(Debug)]
pub(super) struct Plan {
    pub key: KeyPlan,
    pub kind: u8,
    pub value: Vec<Step>,
}

/// How a key is put together.
#[derive(Debug)]
pub(super) enum KeyPlan {
    /// The id of the action that the value is.
    OwnId,
    /// This text.
    Text(Vec<u8>),
    /// The UUID from a column, and then this text.
    Id(usize, Vec<u8>),
    /// A row has none.
    None,
}

/// A piece of a value.
#[derive(Debug)]
pub(super) enum Step {
    /// As it stands.
    Literal(Vec<u8>),
    /// From a column, as a CBOR item.
    Item(LeafKind, usize),
    /// From a column, bare.
    Bare(LeafKind, usize),
    /// These, as a CBOR byte string.
    Nested(Vec<Step>),
}

impl Plan {
    /// The columns that fill the holes, in order.
    pub fn holes(&self) -> Vec<(LeafKind, usize)> {
        let mut holes = Vec::new();
        if let KeyPlan::Id(column, _) = &self.key {
            holes.push((LeafKind::IdText, *column));
        }
        collect_holes(&self.value, &mut holes);
        holes
    }
}

fn collect_holes(steps: &[Step], holes: &mut Vec<(LeafKind, usize)>) {
    for step in steps {
        match step {
            Step::Literal(_) => {}
            Step::Item(kind, column) | Step::Bare(kind, column) => holes.push((*kind, *column)),
            Step::Nested(inner) => collect_holes(inner, holes),
        }
    }
}

/// The columns that the templates of a run name, numbered as they first appear: the same on both sides.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// Places in operations: the place a step leads to from another place. Each costs its step and no more, however deep it lies.
    places: HashMap<(usize, Vec<u8>), usize>,
    numbers: HashMap<(usize, LeafKind), usize>,
    /// What each column holds.
    pub kinds: Vec<LeafKind>,
}

impl Columns {
    /// The place above all others.
    const TOP: usize = 0;

    fn place(&mut self, from: usize, step: &[u8]) -> usize {
        let next = self.places.len() + 1;
        *self.places.entry((from, step.to_vec())).or_insert(next)
    }

    fn number(&mut self, place: usize, kind: LeafKind) -> Option<usize> {
        let next = self.kinds.len();
        let number = *self.numbers.entry((place, kind)).or_insert(next);
        if number == next {
            self.kinds.push(kind);
        }
        (number < MAX_COLUMNS).then_some(number)
    }

    /// Reads a template; `None` when it is not one.
    pub fn plan(&mut self, template: &[u8]) -> Option<Plan> {
        let mut rest = Reader(template);
        let pattern = rest.byte()?;
        let mut place = self.place(Self::TOP, &[pattern]);
        let key = match pattern {
            0 => KeyPlan::OwnId,
            1 => {
                let text = rest.bytes()?;
                place = self.place(place, text);
                KeyPlan::Text(text.to_vec())
            }
            2 => {
                let number = self.number(Self::TOP, LeafKind::IdText)?;
                let text = rest.bytes()?;
                place = self.place(place, text);
                KeyPlan::Id(number, text.to_vec())
            }
            3 => KeyPlan::None,
            _ => return None,
        };
        let kind = rest.byte()?;
        let mut value = Vec::new();
        match rest.byte()? {
            0 => value.push(Step::Bare(LeafKind::Bytes, self.number(place, LeafKind::Bytes)?)),
            1 => {
                let leaf = LeafKind::of_mark(rest.byte()?)?;
                value.push(Step::Bare(leaf, self.number(place, leaf)?));
            }
            2 => self.steps(&mut rest, place, &mut value, 0)?,
            _ => return None,
        }
        (rest.0.is_empty() && kind < 16).then_some(Plan { key, kind, value })
    }

    fn steps(&mut self, rest: &mut Reader<'_>, place: usize, steps: &mut Vec<Step>, depth: usize) -> Option<()> {
        let start = *rest;
        let mark = *rest.0.first()?;
        if let Some(kind) = LeafKind::of_mark(mark) {
            rest.byte();
            steps.push(Step::Item(kind, self.number(place, kind)?));
            return Some(());
        }
        if depth == MAX_DEPTH && mark >> 5 != 7 {
            return None;
        }
        if mark == NESTED {
            rest.byte();
            let mut inner = Vec::new();
            let place = self.place(place, &[NESTED]);
            self.steps(rest, place, &mut inner, depth + 1)?;
            steps.push(Step::Nested(inner));
            return Some(());
        }
        let (major, argument) = head(rest)?;
        literal(steps, &start.0[..start.0.len() - rest.0.len()]);
        match major {
            4 => {
                for index in 0..argument {
                    let place = self.place(place, &[0x80, index as u8]);
                    self.steps(rest, place, steps, depth + 1)?;
                }
            }
            5 => {
                for _ in 0..argument {
                    let key = map_key(rest)?;
                    literal(steps, key);
                    let place = self.place(place, key);
                    self.steps(rest, place, steps, depth + 1)?;
                }
            }
            7 => {}
            _ => return None,
        }
        Some(())
    }
}

fn literal(steps: &mut Vec<Step>, bytes: &[u8]) {
    match steps.last_mut() {
        Some(Step::Literal(last)) => last.extend_from_slice(bytes),
        _ => steps.push(Step::Literal(bytes.to_vec())),
    }
}

/// Writes a CBOR head in its shortest form.
pub(super) fn put_head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    match argument {
        0..24 => out.push(major | argument as u8),
        24..0x100 => out.extend([major | 24, argument as u8]),
        0x100..0x1_0000 => {
            out.push(major | 25);
            out.extend_from_slice(&(argument as u16).to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 26);
            out.extend_from_slice(&(argument as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&argument.to_be_bytes());
        }
    }
}
