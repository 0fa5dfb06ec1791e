//! The seeds that `fuzz/` starts from are read, and are what the code writes today; what once broke a decoder of the wire does not.

mod common;
mod targets;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use fieldgrid_core::domain::fact::{Body, Fact, FactKind};
use fieldgrid_core::domain::id::{DeviceId, DocId, FactId, GrantId, Hash, StreamId};
use fieldgrid_core::domain::time::{Anchor, Interval, Stamp};
use fieldgrid_core::record::RecordKind;
use fieldgrid_core::wire::batch::{Batch, ChangeItem, Item, Position, Sealing};
use fieldgrid_core::wire::entry::{Entry, Join, Leave};
use fieldgrid_core::wire::pack::{Pack, PackDoc};
use fieldgrid_core::wire::sync::{
    Answer, Authenticate, BatchFault, BatchRejection, Cursor, OutboxHead, OwnRange, PackRef, Page, PageEntry, Request, SealedBytes, SignedHeads, StreamInfo,
    StreamKind, SyncState, Token,
};
use fieldgrid_core::wire::{changes, frame};
use minicbor::bytes::ByteVec;
use ppmd_rust::Ppmd7Decoder;
use targets::key;

fn fuzz(folder: &str, target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz").join(folder).join(target)
}

/// After a change of the format: `INSTA_UPDATE=always cargo test -p fieldgrid-core --test wire`, as for the snapshots.
#[test]
fn the_seeds_are_what_is_written_today_and_are_read() {
    let update = std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always");
    for (name, read) in targets::ALL {
        let folder = fuzz("seeds", name);
        for (n, seed) in seeds(name).iter().enumerate() {
            let path = folder.join(format!("seed-{n:02}"));
            if update {
                std::fs::create_dir_all(&folder).expect("a folder for the seeds");
                std::fs::write(&path, seed).expect("a seed");
            }
            assert!(read(seed), "{}", path.display());
            assert!(std::fs::read(&path).is_ok_and(|stored| stored == *seed), "{} is not what is written today", path.display());
        }
    }
}

#[test]
fn what_once_broke_a_decoder_does_not() {
    for (name, read) in targets::ALL {
        for file in std::fs::read_dir(fuzz("crashers", name)).expect("a folder") {
            read(&std::fs::read(file.expect("a file").path()).expect("an input"));
        }
    }
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let runs = || (0..4).map(run);
    match target {
        "answer" => answers().iter().map(Answer::to_bytes).collect(),
        "batch" => (0..4).map(|n| batch(n).to_bytes()).collect(),
        "changes" => runs().collect(),
        // A run without PPMd has no columns.
        "columns" => runs().filter(|run| run[0] == 1).map(|run| before_ppmd(&run[1..])).collect(),
        "pack" => (0..4).map(|n| plain_pack(&pack(n))).collect(),
        "request" => requests(),
        _ => panic!("no seeds for {target}"),
    }
}

fn doc(n: u8) -> DocId {
    DocId::from_bytes([0xd0 + n; 16])
}

fn stream() -> StreamId {
    StreamId::from_bytes([0x57; 16])
}

fn stamp() -> Stamp {
    Stamp { wall_ms: common::AT * 1000, mono_ms: 5_000 }
}

/// The changes of a record with two authors, some of them redone edits.
fn items(n: u8) -> Vec<ChangeItem> {
    // Scenes with a history are those whose number holds 2 and not 4.
    let (record, _) = common::scene(2 + (n & 1) + 8 * (n >> 1 & 1));
    let edit = |at: usize| (at % 3 == 2).then_some(Hash([0xed; 32]));
    record.changes().into_iter().enumerate().map(|(at, change)| ChangeItem { doc: doc(n), kind: record.kind(), edit: edit(at), raw: change.raw }).collect()
}

fn fact(n: u8, body: Body) -> Fact {
    let area = "610702001001001".parse().ok();
    Fact { id: FactId::from_bytes([0xfa; 16]), kind: FactKind::Visit, subject: Some(doc(n)), area, at: stamp(), body }
}

fn facts(n: u8) -> [Fact; 2] {
    [fact(n, Body::Held("走访".as_bytes().to_vec())), fact(n, Body::Erased(Hash([0x0e; 32])))]
}

fn run(n: u8) -> Vec<u8> {
    let items = items(n);
    let chunks: Vec<&[u8]> = items.iter().map(|item| item.raw.as_slice()).collect();
    let rows: Vec<Vec<u8>> = facts(n).iter().map(|fact| minicbor::to_vec(fact).expect("a row")).collect();
    changes::pack(&chunks, &rows)
}

fn batch(n: u8) -> Batch {
    let sealing = Sealing {
        device: DeviceId::from_bytes([0xde; 16]),
        incarnation: common::phone(1),
        seq: 1,
        prev: Hash::ZERO,
        grant: GrantId::from_bytes([9; 16]),
        rules: 1,
        positions: vec![Position { stream: stream(), epoch: 1, seq: 7 }],
        destination: stream(),
        sealed: stamp(),
        anchor: Some(Anchor { server_ms: common::AT * 1000, stamp: stamp() }),
    };
    let items = items(n).into_iter().map(Item::Change).chain(facts(n).into_iter().map(Item::Fact));
    Batch::seal(sealing, items.collect(), &key())
}

fn cursor() -> Cursor {
    Cursor { stream: stream(), epoch: 1, seq: 7, chain: Hash([0xc4; 32]) }
}

fn outbox() -> OutboxHead {
    OutboxHead { incarnation: common::phone(1), seq: 1, hash: batch(0).hash() }
}

fn answers() -> Vec<Answer> {
    let idle = Answer { nonce: 9, now_ms: common::AT * 1000, ..Answer::default() };
    let page = |n: u8| {
        let by = FactId::from_bytes([0xfb; 16]);
        let changes = items(n).into_iter().map(Entry::Change).chain(facts(n).into_iter().map(Entry::Fact));
        let join = Join { doc: doc(n), kind: RecordKind::Case, changes: items(n).into_iter().map(|item| item.raw).collect() };
        let entries = changes.chain([Entry::Join(join), Entry::Leave(Leave { doc: doc(n), by })]).map(PageEntry::Entry);
        let own = PageEntry::Own(OwnRange { incarnation: common::phone(1), seq: 1, first: 0, count: 2 });
        Page { stream: stream(), epoch: 1, first: 8, entries: entries.chain([own]).collect() }
    };
    let said = Answer {
        token: Some(Token([0x70; 16])),
        need_state: true,
        outbox: Some(outbox()),
        rejections: vec![BatchRejection { index: 0, fault: BatchFault::Gap }],
        directory: Some(vec![StreamInfo { id: stream(), kind: StreamKind::Grid, area: "610702001001001".parse().ok(), org: None, epoch: 1 }]),
        common: vec![cursor()],
        packs: vec![PackRef { at: cursor(), size: 100_000, sha256: Hash([0x5a; 32]) }],
        heads: Some(SignedHeads::sign(DeviceId::from_bytes([0xde; 16]), vec![cursor()], &key())),
        more: true,
        safe_through: Some(1),
        ..idle.clone()
    };
    let pages = (0..4).map(|n| Answer { pages: vec![page(n)], ..idle.clone() });
    [idle.clone(), said].into_iter().chain(pages).collect()
}

fn requests() -> Vec<Vec<u8>> {
    let state = SyncState { cursors: vec![cursor()], outbox: outbox() };
    let idle = Request { nonce: 9, state_hash: state.hash(), state: None, batches: Vec::new(), offers: Vec::new(), shown: None };
    let full = Request { state: Some(state), batches: (0..2).map(|n| SealedBytes(batch(n).to_bytes())).collect(), ..idle.clone() };
    let (token, key) = (Authenticate::Token(Token([0x70; 16])), key());
    let signed = Authenticate::Sign(DeviceId::from_bytes([0xde; 16]), &key);
    // Not compressed: a fuzzer sees nothing behind zstd either.
    let framed = |body: Vec<u8>| [&[0], body.as_slice()].concat();
    [(&idle, &token), (&idle, &signed), (&full, &token), (&full, &signed)].map(|(request, how)| framed(request.to_bytes(how))).to_vec()
}

fn pack(n: u8) -> Pack {
    let interval = Interval { earliest_ms: common::AT * 1000 - 60_000, latest_ms: common::AT * 1000 };
    let items = items(n);
    let edits = (0..).zip(&items).filter_map(|(at, item)| Some((at, item.edit?))).collect();
    let received = items.iter().enumerate().map(|(at, _)| (at % 2 == 0).then_some(interval)).collect();
    let kind = items[0].kind;
    let docs = vec![PackDoc { doc: doc(n), kind, changes: items.into_iter().map(|item| item.raw).collect(), edits, received }];
    Pack { at: cursor(), docs, facts: facts(n).to_vec() }
}

/// What is compressed in a pack's file.
fn plain_pack(pack: &Pack) -> Vec<u8> {
    let file = pack.to_file(1, &key()).expect("a small pack");
    let (_, _, body): (ByteVec, ByteVec, ByteVec) = minicbor::decode(&file).expect("head, signature and body");
    frame::unzstd(&body, 1 << 20).expect("a small body")
}

/// The target `columns` takes a run as it is before PPMd.
fn before_ppmd(mut run: &[u8]) -> Vec<u8> {
    let mut plain = || {
        let (len, packed) = (leb128(&mut run), leb128(&mut run));
        let (packed, rest) = run.split_at(packed);
        run = rest;
        let mut plain = vec![0; len];
        if len > 0 {
            let memory = (32 * len).clamp(1 << 16, 8 << 20).next_power_of_two();
            Ppmd7Decoder::new(packed, 6, memory as u32).expect("its bounds").read_exact(&mut plain).expect("what was packed");
        }
        plain
    };
    let (numbers, texts) = (plain(), plain());
    let length = |part: &[u8]| u16::try_from(part.len()).expect("a small run").to_be_bytes();
    [&length(&numbers), &length(&texts), numbers.as_slice(), &texts, run].concat()
}

fn leb128(bytes: &mut &[u8]) -> usize {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = bytes.split_first().expect("a number");
        *bytes = rest;
        number |= usize::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            break;
        }
    }
    number
}
