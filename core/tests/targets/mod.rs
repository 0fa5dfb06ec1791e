//! What the fuzz targets of the wire do with an input. Each says whether it was read, and panics at what must not be.
#![allow(dead_code, reason = "each fuzz target uses a part")]

use std::io::Write as _;

use fieldgrid_core::domain::id::{Hash, StreamId};
use fieldgrid_core::wire::batch::Batch;
use fieldgrid_core::wire::changes::Most;
use fieldgrid_core::wire::pack::Pack;
use fieldgrid_core::wire::suite::{KeyPair, Purpose, Signer as _};
use fieldgrid_core::wire::sync::{Answer, Cursor, Request};
use fieldgrid_core::wire::{VERSION, changes, frame};
use minicbor::bytes::ByteVec;
use ppmd_rust::Ppmd7Encoder;

/// A target, with its name.
pub type Target = (&'static str, fn(&[u8]) -> bool);

pub const ALL: [Target; 6] = [("answer", answer), ("batch", batch), ("changes", changes), ("columns", columns), ("pack", pack), ("request", request)];

/// Longest run that is unpacked, bytes.
const LIMIT: usize = 1 << 20;
/// What a run may come to.
const MOST: Most = Most { bytes: LIMIT, changes: 1 << 18, rows: 1 << 18 };

/// A server's answer as received: what reads, writes back to bytes that read the same.
pub fn answer(input: &[u8]) -> bool {
    let Ok(answer) = Answer::from_bytes(input) else { return false };
    assert_eq!(Answer::from_bytes(&answer.to_bytes()).as_ref(), Ok(&answer));
    true
}

/// A batch as received: what reads, writes back to bytes that read the same.
pub fn batch(input: &[u8]) -> bool {
    let Ok(batch) = Batch::from_bytes(input) else { return false };
    let _ = batch.verify(&key().public());
    assert_eq!(Batch::from_bytes(&batch.to_bytes()).as_ref(), Ok(&batch));
    true
}

/// Many changes in one run of bytes: within the limit, and what unpacks, packs and unpacks again to the same.
pub fn changes(input: &[u8]) -> bool {
    let Ok(run) = changes::unpack(input, MOST) else { return false };
    assert!(run.changes.iter().chain(&run.rows).map(Vec::len).sum::<usize>() <= LIMIT);
    let chunks: Vec<&[u8]> = run.changes.iter().map(Vec::as_slice).collect();
    assert_eq!(changes::unpack(&changes::pack(&chunks, &run.rows), Most { bytes: usize::MAX, ..MOST }).as_ref(), Ok(&run));
    true
}

/// A run of columns before PPMd, behind which a fuzzer sees nothing: the lengths of numbers and texts, two bytes each, then these, then the random bytes.
pub fn columns(input: &[u8]) -> bool {
    let Some(([a, b, c, d], rest)) = input.split_first_chunk::<4>() else { return false };
    let (numbers, rest) = rest.split_at(usize::from(u16::from_be_bytes([*a, *b])).min(rest.len()));
    let (texts, random) = rest.split_at(usize::from(u16::from_be_bytes([*c, *d])).min(rest.len()));
    changes(&[&[1], modelled(numbers).as_slice(), &modelled(texts), random].concat())
}

/// The plain body of an area pack, in a file that the server signed.
pub fn pack(input: &[u8]) -> bool {
    let body = zstd::bulk::compress(input, 1).expect("compression into memory does not fail");
    let at = Cursor { stream: StreamId::from_bytes([3; 16]), epoch: 1, seq: 40, chain: Hash::ZERO };
    let head = minicbor::to_vec((VERSION, at, Hash::of(&[&body]))).expect("encoding into memory does not fail");
    let signature = key().sign(Purpose::Pack, &head);
    let file = minicbor::to_vec((ByteVec::from(head), signature, ByteVec::from(body))).expect("encoding into memory does not fail");
    let Ok(pack) = Pack::from_file(&file, &key().public()) else { return false };
    let again = pack.to_file(1, &key()).expect("what fits into a file fits again");
    assert_eq!(Pack::from_file(&again, &key().public()).as_ref(), Ok(&pack));
    true
}

/// What a stranger sends to `/v1/sync`, with the batches in it.
pub fn request(input: &[u8]) -> bool {
    let Ok(received) = frame::unwrap(input).and_then(|body| Request::from_bytes(&body)) else { return false };
    let _ = received.signed_by(&key().public());
    received.request.batches.iter().all(|sealed| batch(&sealed.0))
}

/// Whoever signs in these inputs.
pub fn key() -> KeyPair {
    KeyPair::from_secret(&[7; 32])
}

/// Through PPMd, after the plain and the packed length (`docs/sync-protocol.md` §11).
fn modelled(plain: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    if !plain.is_empty() {
        let memory = (32 * plain.len()).clamp(1 << 16, 8 << 20).next_power_of_two();
        let mut encoder = Ppmd7Encoder::new(packed, 6, memory as u32).expect("an order and a memory within PPMd's bounds");
        encoder.write_all(plain).expect("writing into memory does not fail");
        packed = encoder.finish(false).expect("writing into memory does not fail");
    }
    [leb128(plain.len()), leb128(packed.len()), packed].concat()
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}
