//! What the largest answers and packs cost a phone that takes them: the most memory of a process
//! that does nothing else, and the longest that a save waits meanwhile. `cargo test --release -p
//! fieldgrid-core --lib bombs -- --ignored --nocapture`.

use std::process::Command as Process;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use automerge::ScalarValue;

use super::bounds::{change, large, written_on};
use super::*;
use crate::domain::action::Action;
use crate::domain::id::ActionId;
use crate::record::{Record, RecordKind};
use crate::wire::entry::Join;
use crate::wire::{frame, limits};

/// Most memory of the phone's process, whatever it is sent.
const MOST_MEMORY: u64 = 128 << 20;
/// Longest that a save waits.
const LONGEST_SAVE: Duration = Duration::from_secs(30);
/// Names the folder of a bomb to the process that takes it.
const FOLDER: &str = "FIELDGRID_BOMB";

/// A bomb: entries of the grid's stream, answer by answer; or a pack.
enum Bomb {
    Answers(Vec<Vec<PageEntry>>),
    Pack(Vec<PackDoc>, Vec<Fact>),
}

struct Making {
    town: Town,
    phone: Phone,
    device: DeviceId,
    /// A household that the phone knows, as it stands.
    doc: DocId,
    record: Record,
}

fn making() -> Making {
    let mut town = Town::new();
    let phone = Phone::new(1);
    let device = town.enrol(&phone, Role::GridMember);
    let (saved, _) = phone.household("民主街1号", "张三", "13812348000");
    for n in 0..400 {
        phone.report(&format!("第{n}件井盖破损"));
    }
    town.sync(&phone, device);
    let record = phone.store.record(saved.doc).unwrap().unwrap();
    Making { town, phone, device, doc: saved.doc, record }
}

fn entries(entries: impl IntoIterator<Item = Entry>) -> Vec<PageEntry> {
    entries.into_iter().map(PageEntry::Entry).collect()
}

fn short(n: usize) -> Vec<(String, ScalarValue)> {
    vec![("note".to_owned(), ScalarValue::Str(format!("{n}").into()))]
}

fn fact(town: &mut Town, kind: FactKind, length: usize) -> Fact {
    let id = FactId::from_bytes(town.id());
    let body = id.as_bytes().iter().copied().cycle().take(length).collect();
    Fact { id, kind, subject: None, area: None, at: Stamp { wall_ms: 1, mono_ms: 0 }, body: Body::Held(body) }
}

fn report_change(phone: &Phone) -> Vec<u8> {
    let saved = phone.report("井盖破损");
    phone.store.record(saved.doc).unwrap().unwrap().changes()[0].raw.clone()
}

const BOMBS: [&str; 9] =
    ["references", "large changes", "many changes", "many operations", "one action", "a full case", "unknown facts", "small facts", "pack"];

fn bomb(name: &str, making: &mut Making) -> Bomb {
    let Making { town, phone, device, doc, record } = making;
    let doc = *doc;
    match name {
        "references" => {
            let head = town.devices[device].outbox;
            let range = OwnRange { incarnation: head.incarnation, seq: 1, first: 0, count: 1 };
            Bomb::Answers(vec![vec![PageEntry::Own(range); limits::MAX_ENTRIES]])
        }
        "large changes" => {
            let all = written_on(record, [0xee; 16], (0..2_000).map(large));
            let changes = all.into_iter().map(|raw| change(doc, RecordKind::Household, raw)).collect::<Vec<_>>();
            Bomb::Answers(changes.chunks(150).map(|some| entries(some.to_vec())).collect())
        }
        "many changes" => {
            let changes = written_on(record, [0xee; 16], (0..30_000).map(short));
            Bomb::Answers(vec![entries([Entry::Join(Join { doc, kind: RecordKind::Household, changes })])])
        }
        "many operations" => {
            let many = |_| (0..1_999).map(|n| (format!("{:02x}", n % 251), ScalarValue::Boolean(n % 2 == 0))).collect::<Vec<_>>();
            let changes = written_on(record, [0xee; 16], (0..60).map(many));
            let created = record.changes().into_iter().map(|change| change.raw).chain(changes).collect::<Vec<_>>();
            let joins = (0..8).map(|_| Entry::Join(Join { doc: DocId::from_bytes(town.id()), kind: RecordKind::Household, changes: created.clone() }));
            Bomb::Answers(vec![entries(joins)])
        }
        "one action" => {
            let raw = report_change(phone);
            let cases = (0..limits::MAX_ENTRIES).map(|_| change(DocId::from_bytes(town.id()), RecordKind::Case, raw.clone()));
            Bomb::Answers(vec![entries(cases)])
        }
        "a full case" => {
            let case = Record::new(RecordKind::Case).unwrap();
            let author = phone.store.case(phone.report("路灯不亮").doc).unwrap().unwrap().case.unwrap().history[0].action.clone();
            let mut seen = Vec::new();
            let mut act = |n: usize| {
                let action = Action { seen: seen.clone(), at: Stamp { wall_ms: n as i64, mono_ms: 0 }, ..author.clone() }.to_bytes();
                seen = vec![ActionId::of(&action)];
                vec![(ActionId::of(&action).to_string(), ScalarValue::Bytes(action))]
            };
            let changes = written_on(&case, [0xee; 16], (0..limits::MAX_ACTIONS_PER_CASE).map(&mut act));
            let cases = (0..8).map(|_| Entry::Join(Join { doc: DocId::from_bytes(town.id()), kind: RecordKind::Case, changes: changes.clone() }));
            Bomb::Answers(vec![entries(cases)])
        }
        "unknown facts" => {
            let answer = |_| entries((0..480).map(|_| Entry::Fact(fact(town, FactKind::Other(77), limits::MAX_FACT))).collect::<Vec<_>>());
            Bomb::Answers((0..12).map(answer).collect())
        }
        "small facts" => Bomb::Answers(vec![entries((0..limits::MAX_ENTRIES).map(|_| Entry::Fact(fact(town, FactKind::Command, 300))).collect::<Vec<_>>())]),
        "pack" => {
            let changes = written_on(record, [0xee; 16], (0..20_000).map(short));
            let one = PackDoc { doc, kind: RecordKind::Household, changes, edits: Vec::new(), received: Vec::new() };
            let facts = (0..limits::MAX_PACK_ROWS - 1).map(|_| fact(town, FactKind::Command, 150)).collect();
            Bomb::Pack(vec![one], facts)
        }
        _ => unreachable!("{name}"),
    }
}

/// Writes a bomb beside a phone that will take it.
fn make(name: &str) -> tempfile::TempDir {
    let mut making = making();
    let bomb = bomb(name, &mut making);
    let Making { town, phone, device, .. } = making;
    let (grid, at) = (town.grid.id, town.chain(town.grid.id, u64::MAX));
    let mut cursor = Cursor { stream: grid, epoch: 1, seq: town.streams[&grid].len() as u64, chain: at };
    let write = |n: usize, bytes: &[u8]| std::fs::write(phone.dir.path().join(format!("{n:03}")), bytes).unwrap();
    match bomb {
        Bomb::Answers(all) => {
            for (n, pieces) in all.into_iter().enumerate() {
                let first = cursor.seq + 1;
                for piece in &pieces {
                    cursor.seq += 1;
                    if let PageEntry::Entry(entry) = piece {
                        cursor.chain = chain(cursor.chain, entry.hash());
                    }
                }
                let mut answer = Answer { pages: vec![Page { stream: grid, epoch: 1, first, entries: pieces }], more: true, ..Answer::default() };
                answer.heads = Some(SignedHeads::sign(device, vec![cursor], &town.key));
                let bytes = answer.to_bytes();
                assert!(Answer::from_bytes(&bytes).is_ok(), "a bomb is within the limits");
                write(n, &frame::wrap(&bytes, 9));
            }
        }
        Bomb::Pack(docs, facts) => {
            let at = Cursor { seq: 100_000, ..cursor };
            let file = Pack { at, docs, facts }.to_file(9, &town.key).unwrap();
            std::fs::write(phone.dir.path().join("pack"), file).unwrap();
        }
    }
    let Phone { store, dir, .. } = phone;
    drop(store);
    dir
}

/// What a line of `/proc/self/status` says, in bytes.
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let kib = status.lines().find_map(|found| found.strip_prefix(line)?.strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap() << 10
}

/// Takes the bomb of the folder that is named, and saves all the while.
#[test]
#[ignore = "takes what another test made"]
fn taken() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let folder = PathBuf::from(folder);
    let clock = Clock::new(9);
    let store = Store::open(&options(&folder.join("phone.db"), &clock)).unwrap();
    let (done, before) = (AtomicBool::new(false), memory("VmHWM:"));
    let size = || std::fs::metadata(folder.join("phone.db")).unwrap().len();
    let (begun, size_before) = (Instant::now(), size());
    let (saves, longest) = std::thread::scope(|scope| {
        let saving = scope.spawn(|| {
            let (mut saves, mut longest) = (0, Duration::ZERO);
            while !done.load(Ordering::SeqCst) {
                let begun = Instant::now();
                clock.pass(1_000);
                store.act(None, ActionKind::Report, report("忙时上报")).unwrap();
                (saves, longest) = (saves + 1, longest.max(begun.elapsed()));
                std::thread::sleep(Duration::from_millis(200));
            }
            (saves, longest)
        });
        for n in 0.. {
            let Ok(framed) = std::fs::read(folder.join(format!("{n:03}"))) else { break };
            let nonce = store.prepare(Prepare::default()).unwrap().request.nonce;
            let mut answer = frame::unwrap(&framed).and_then(|body| Answer::from_bytes(&body)).unwrap();
            answer.nonce = nonce;
            drop(framed);
            if let Err(error) = store.apply(&answer) {
                println!("not applied: {error}");
            }
        }
        if let Ok(file) = std::fs::read(folder.join("pack")) {
            store.apply_pack(&file).unwrap();
        }
        done.store(true, Ordering::SeqCst);
        saving.join().unwrap()
    });
    let peak = memory("VmHWM:");
    println!(
        "{} MB at most ({} before), {:?}, {saves} saves, the longest {longest:?}; the store grew by {} MB; parked {:?}",
        peak >> 20,
        before >> 20,
        begun.elapsed(),
        (size().saturating_sub(size_before)) >> 20,
        store.status().unwrap().parked_for
    );
    assert!(peak <= MOST_MEMORY, "{} MB", peak >> 20);
    assert!(longest <= LONGEST_SAVE, "{longest:?}");
}

#[test]
#[ignore = "measures"]
fn what_a_phone_is_sent_costs_it_no_more_than_it_has() {
    for name in BOMBS.iter().filter(|name| std::env::var("BOMB").is_ok_and(|only| only == **name) || std::env::var("BOMB").is_err()) {
        let folder = make(name);
        let child = Process::new(std::env::current_exe().unwrap())
            .args(["--exact", "device::store::tests::bombs::taken", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        println!("{name}: {}", said.lines().filter(|line| line.contains("MB") || line.contains("not applied")).collect::<Vec<_>>().join("; "));
        assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
    }
}
