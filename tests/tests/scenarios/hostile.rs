//! A device that is enrolled and means harm. The server is a process of its own, so that its memory can be looked at.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use automerge::transaction::Transactable as _;
use automerge::{ActorId, Automerge, ReadDoc as _};
use fieldgrid_core::device::store::DeliveryState;
use fieldgrid_core::domain::action::{ActionKind, Fields};
use fieldgrid_core::domain::fact::FactKind;
use fieldgrid_core::domain::grant::{Author, Role};
use fieldgrid_core::domain::id::{DocId, Hash, Incarnation};
use fieldgrid_core::domain::policy::Refusal;
use fieldgrid_core::env::random;
use fieldgrid_core::record::{Command, Record, RecordKind};
use fieldgrid_core::wire::batch::{Batch, ChangeItem, Item, Sealing};
use fieldgrid_core::wire::frame;
use fieldgrid_core::wire::limits::{MAX_BODY_PLAIN, MAX_FACT, MAX_ITEMS};
use fieldgrid_core::wire::suite::KeyPair;
use fieldgrid_core::wire::sync::BatchFault;
use fieldgrid_core::wire::verdict::Verdict;
use fieldgrid_tests::harness::agree::agree;
use fieldgrid_tests::harness::forger::{Forger, verdicts};
use fieldgrid_tests::harness::phone::Phone;
use fieldgrid_tests::harness::scene::Scene;
use fieldgrid_tests::harness::{long, typing};
use futures_util::future::join_all;

const CENTRE: &str = env!("CARGO_BIN_EXE_centre");

/// A town with an honest phone and hand-made ones, served by a process of its own.
async fn besieged(seed: u64, roles: &[Role]) -> (Scene, Phone, DocId, Vec<Forger>) {
    let mut scene = Scene::in_real_time(seed).await;
    let grid = scene.grids[0];
    let mut honest = scene.phone("wang", Role::GridMember, grid).await;
    let case = honest.report("井盖破损").doc;
    honest.household("民主街12号", "张三", "12812348000");
    scene.settle(&[&honest]).await;
    let mut forgers = Vec::new();
    for role in roles {
        forgers.push(Forger::enrol(&mut scene, *role).await);
    }
    scene.stop().await;
    scene.serve_apart(Path::new(CENTRE));
    (scene, honest, case, forgers)
}

/// The honest phone is served as if nothing had happened, and the server holds what is whole and nothing else.
async fn unharmed(mut scene: Scene, mut honest: Phone, case: DocId, foreign_records: usize) {
    let saved = honest.supplement(case, "还在");
    scene.settle(&[&honest]).await;
    assert_eq!(honest.state(saved), DeliveryState::Received);
    scene.stop().await;
    scene.serve();
    scene.settle(&[&honest]).await;
    let reckoning = agree(scene.town(), &[&honest]);
    assert_eq!((reckoning.received, reckoning.records), (honest.typed.len(), 2 + foreign_records));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_batch_out_of_place_has_its_own_fault_and_the_rest_of_the_queue_goes_on() {
    let (mut scene, honest, case, mut forgers) = besieged(51, &[Role::GridMember]).await;
    let mut forger = forgers.remove(0);
    let theirs = honest.device().identity().unwrap();
    let env = scene.machine();
    let report = |forger: &Forger| vec![Item::Change(forger.report("x").2)];
    let sealed = |forger: &Forger, alter: &dyn Fn(&mut Sealing), key: &KeyPair| {
        let mut sealing = forger.sealing();
        alter(&mut sealing);
        Batch::seal(sealing, report(forger), key).to_bytes()
    };
    let first = forger.seal(report(&forger));
    let mut swapped = Batch::seal(forger.sealing(), report(&forger), &forger.key);
    swapped.items = report(&forger);
    let many = (0..=MAX_ITEMS).map(|_| forger.fact(FactKind::Visit, case, vec![0])).collect();
    let queue = vec![
        (sealed(&forger, &|_| {}, &KeyPair::from_secret(&random(&*env))), Some(BatchFault::Unverified)),
        (swapped.to_bytes(), Some(BatchFault::Unverified)),
        (b"not a batch".to_vec(), Some(BatchFault::Malformed)),
        (first.to_bytes()[..first.to_bytes().len() - 9].to_vec(), Some(BatchFault::Malformed)),
        (sealed(&forger, &|sealing| sealing.device = theirs.device, &forger.key), Some(BatchFault::Foreign)),
        (sealed(&forger, &|sealing| (sealing.incarnation, sealing.seq) = (theirs.incarnation, 1), &forger.key), Some(BatchFault::Foreign)),
        (sealed(&forger, &|sealing| sealing.seq += 1, &forger.key), Some(BatchFault::Gap)),
        (sealed(&forger, &|sealing| sealing.seq = u64::MAX, &forger.key), Some(BatchFault::Gap)),
        (Batch::seal(forger.sealing(), many, &forger.key).to_bytes(), Some(BatchFault::TooLarge)),
        (first.to_bytes(), None),
        (first.to_bytes(), None),
    ];
    let second = forger.seal(report(&forger));
    let (mut bytes, faults): (Vec<_>, Vec<_>) = queue.into_iter().unzip();
    bytes.push(second.to_bytes());
    let answer = forger.send(bytes).await.unwrap();
    let said: Vec<_> = (0..12).map(|index| answer.rejections.iter().find(|rejection| rejection.index == index).map(|rejection| rejection.fault)).collect();
    assert_eq!(said, [faults.as_slice(), &[None]].concat());
    for batch in [&first, &second] {
        assert_eq!(verdicts(&answer, batch), Some(vec![Verdict::Accepted]), "the rest goes on");
    }

    // Again, and what takes the place of what is there: a copy of the store, so the device may report and nothing else until somebody looks at it.
    let again = forger.send(vec![first.to_bytes(), second.to_bytes()]).await.unwrap();
    assert_eq!((again.rejections.len(), again.outbox.map(|head| head.seq)), (0, Some(2)));
    let fork = sealed(&forger, &|sealing| (sealing.seq, sealing.prev) = (2, first.hash()), &forger.key);
    let elsewhere = sealed(&forger, &|sealing| sealing.prev = Hash::of(&[b"elsewhere"]), &forger.key);
    let forked = forger.send(vec![fork, elsewhere]).await.unwrap();
    assert_eq!(forked.rejections.iter().map(|rejection| rejection.fault).collect::<Vec<_>>(), [BatchFault::Fork; 2]);
    let grid = scene.grids[0].to_string();
    let (home, note) = (forger.household(&grid).2, forger.report("y").2);
    assert_eq!(forger.offer(vec![Item::Change(home), Item::Change(note)]).await, [Verdict::Refused(Refusal::ReportOnly), Verdict::Accepted]);
    unharmed(scene, honest, case, 3).await;
}

/// A chunk with its length and checksum right.
fn chunk(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut hashed = vec![kind];
    let mut length = body.len();
    while length > 0x7f {
        hashed.push(length as u8 | 0x80);
        length >>= 7;
    }
    hashed.push(length as u8);
    hashed.extend_from_slice(body);
    [&[0x85, 0x6f, 0x4a, 0x83], &Hash::of(&[&hashed]).0[..4], hashed.as_slice()].concat()
}

/// What `automerge.md` §9 measured as fatal to Automerge: bytes, and what the gate says of them.
fn bombs(actor: Incarnation) -> Vec<(&'static str, Vec<u8>, Refusal)> {
    let with_columns = |columns: &[(u8, &[u8])]| {
        let mut body = [&[0, 16], actor.as_bytes().as_slice(), &[1, 1, 0, 0, 0, columns.len() as u8]].concat();
        columns.iter().for_each(|(specification, column)| body.extend_from_slice(&[*specification, column.len() as u8]));
        columns.iter().for_each(|(_, column)| body.extend_from_slice(column));
        chunk(1, &body)
    };
    let million = [0xc0, 0x84, 0x3d];
    let run = |value: u8| [&million[..], &[value]].concat();
    let change = |start_op: &[u8]| {
        let body = [&[0, 16], actor.as_bytes().as_slice(), &[1], start_op, &[0, 0, 0, 0]].concat();
        chunk(1, &body)
    };
    let mut huge = Automerge::new().with_actor(ActorId::from(*actor.as_bytes()));
    let mut transaction = huge.transaction();
    transaction.put(automerge::ROOT, "k", vec![0_u8; 8 << 20]).unwrap();
    let (hash, _) = transaction.commit();
    let mut huge = huge.get_change_by_hash(&hash.unwrap()).unwrap();
    let deflated = huge.bytes().into_owned();
    assert!(deflated.len() < 64 << 10);
    vec![
        ("nothing", Vec::new(), Refusal::Malformed),
        ("noise", vec![0x5a; 300], Refusal::Malformed),
        ("a change cut short", change(&[1])[..20].to_vec(), Refusal::Malformed),
        (
            "a key of a billion bytes",
            with_columns(&[(0x15, &[0x7f, 0x80, 0x94, 0xeb, 0xdc, 0x03]), (0x34, &[1]), (0x42, &[0x7f, 1]), (0x56, &[0x7f, 0]), (0x70, &[0x7f, 0])]),
            Refusal::Malformed,
        ),
        (
            "a million operations in a hundred bytes",
            with_columns(&[(0x15, &[&million[..], &[1, b'k']].concat()), (0x34, &million), (0x42, &run(1)), (0x56, &run(0)), (0x70, &run(0))]),
            Refusal::TooLarge,
        ),
        ("an operation number near 2³²", change(&[0xf6, 0xff, 0xff, 0xff, 0x0f]), Refusal::TooLarge),
        ("a deflated bomb", deflated, Refusal::Malformed),
        ("a whole document", Record::new(RecordKind::Case).unwrap().save(), Refusal::Malformed),
    ]
}

/// The change that puts the same action once more over itself. Automerge would not make it, and would take it.
fn written_again(founding: &ChangeItem, actor: Incarnation) -> Item {
    let mut change = automerge::Change::try_from(founding.raw.as_slice()).unwrap().decode();
    let put = u64::from(change.start_op);
    change.deps = vec![automerge::ChangeHash(founding.change_hash().0)];
    change.seq = 2;
    change.start_op = (put + 1).try_into().unwrap();
    change.operations[0].pred = vec![automerge::legacy::OpId(put, actor.as_bytes().into())].into();
    Item::Change(ChangeItem { raw: automerge::Change::from(change).raw_bytes().to_vec(), ..founding.clone() })
}

/// A change of the forger's own report that Automerge makes and takes.
fn tampered(forger: &Forger, doc: DocId, record: &Record, tamper: impl FnOnce(&mut automerge::transaction::Transaction<'_>, &automerge::ObjId, &str)) -> Item {
    let mut document = Automerge::load(&record.save()).unwrap().with_actor(ActorId::from(*forger.incarnation.as_bytes()));
    let (_, actions) = document.get(automerge::ROOT, "actions").unwrap().unwrap();
    let key = document.keys(&actions).next().unwrap();
    let mut transaction = document.transaction();
    tamper(&mut transaction, &actions, &key);
    let (hash, _) = transaction.commit();
    let raw = document.get_change_by_hash(&hash.unwrap()).unwrap().raw_bytes().to_vec();
    Item::Change(ChangeItem { doc, kind: RecordKind::Case, edit: None, raw })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_piece_has_its_own_verdict_and_the_rest_goes_on() {
    let (scene, honest, case, mut forgers) = besieged(52, &[Role::GridMember, Role::Rider]).await;
    let (mut rider, mut forger) = (forgers.pop().unwrap(), forgers.pop().unwrap());
    let theirs = honest.device().identity().unwrap();
    let refused = Verdict::Refused;
    let (own, record, founding) = forger.report("先报一件");
    let mut offered: Vec<(&str, Item, Verdict)> = vec![("an honest report", Item::Change(founding.clone()), Verdict::Accepted)];
    for (what, raw, refusal) in bombs(forger.incarnation) {
        let change = ChangeItem { doc: forger.doc(), kind: RecordKind::Case, edit: None, raw };
        offered.push((what, Item::Change(change), refused(refusal)));
    }

    let empty = || Record::new(RecordKind::Case).unwrap();
    let report =
        |author: Author| Command::Act(vec![fieldgrid_core::domain::action::Action { author, ..forger.action(ActionKind::Report, typing::trouble("x", None)) }]);
    let foreign = forger.write(forger.doc(), &mut empty(), theirs.incarnation, &report(forger.grant.author()));
    offered.push(("written as another phone", Item::Change(foreign), refused(Refusal::WrongActor)));
    let forged = forger.write(forger.doc(), &mut empty(), forger.incarnation, &report(theirs.grant.author()));
    offered.push(("another's name under it", Item::Change(forged), refused(Refusal::ForgedAuthor)));
    let promoted = Author { role: Role::TownLeader, ..forger.grant.author() };
    let promoted = forger.write(forger.doc(), &mut empty(), forger.incarnation, &report(promoted));
    offered.push(("a role he does not have", Item::Change(promoted), refused(Refusal::ForgedAuthor)));
    let elsewhere = scene.grids[2].to_string();
    offered.push(("a household in another grid", Item::Change(forger.household(&elsewhere).2), refused(Refusal::OutOfScope)));
    let away = Command::Act(vec![forger.action(ActionKind::Report, typing::trouble("x", Some(scene.grids[2])))]);
    offered.push(("a case in another grid", Item::Change(forger.first(&away).2), refused(Refusal::OutOfScope)));
    let orphan = Command::Act(vec![forger.action(ActionKind::Close, Fields::default())]);
    offered.push(("an action on no case", Item::Change(forger.first(&orphan).2), refused(Refusal::NoSuchRecord)));
    offered.push(("an action written again", written_again(&founding, forger.incarnation), refused(Refusal::Rewrite)));
    let overwritten = tampered(&forger, own, &record, |tx, actions, key| tx.put(actions, key, vec![1_u8, 2, 3]).unwrap());
    offered.push(("an action written over", overwritten, refused(Refusal::Malformed)));
    let removed = tampered(&forger, own, &record, |tx, actions, key| tx.delete(actions, key).unwrap());
    offered.push(("an action removed", removed, refused(Refusal::Malformed)));
    offered.push(("a case as a household", Item::Change(ChangeItem { kind: RecordKind::Household, ..founding }), refused(Refusal::Malformed)));
    offered.push(("a verdict of his own", forger.fact(FactKind::Verdict, case, vec![0x80]), refused(Refusal::NotPermitted)));
    offered.push(("a case number of his own", forger.fact(FactKind::CaseNumber, case, vec![0x80]), refused(Refusal::NotPermitted)));
    offered.push(("a visit that is none", forger.fact(FactKind::Visit, own, vec![0xff]), refused(Refusal::Malformed)));
    offered.push(("a fact too large", forger.fact(FactKind::Visit, own, vec![0; MAX_FACT + 1]), refused(Refusal::TooLarge)));
    offered.push(("an honest report at the end", Item::Change(forger.report("再报一件").2), Verdict::Accepted));

    let (names, items): (Vec<_>, Vec<_>) = offered.iter().map(|(what, item, _)| (*what, item.clone())).unzip();
    let found = forger.offer(items).await;
    let wrong: Vec<_> = offered.iter().zip(&found).filter(|((_, _, expected), found)| expected != *found).map(|((what, _, e), f)| (what, e, f)).collect();
    assert!(wrong.is_empty(), "of {} pieces (name, expected, found): {wrong:#?}", names.len());

    // A rider may report. He holds no household and closes no case.
    let (doc, mut record, report) = rider.report("骑手上报");
    let grid = scene.grids[0].to_string();
    let close = rider.write(doc, &mut record, rider.incarnation, &Command::Act(vec![rider.action(ActionKind::Close, Fields::default())]));
    let home = rider.household(&grid).2;
    let found = rider.offer(vec![Item::Change(report), Item::Change(close), Item::Change(home)]).await;
    assert_eq!(found, [Verdict::Accepted, refused(Refusal::NotPermitted), refused(Refusal::NotPermitted)]);
    // What depends on what nobody has waits; of more than a phone's day of it, a person decides.
    let (doc, mut record, _) = rider.report("没有寄出");
    let waiting = rider.write(doc, &mut record, rider.incarnation, &Command::Act(vec![rider.action(ActionKind::Supplement, typing::trouble("x", None))]));
    let (mut waits, mut kept_aside) = (0, 0);
    for _ in 0..3 {
        let items = (0..200).map(|_| Item::Change(ChangeItem { doc: rider.doc(), ..waiting.clone() })).collect();
        for verdict in rider.offer(items).await {
            waits += u32::from(matches!(verdict, Verdict::Waiting(_)));
            kept_aside += u32::from(verdict == Verdict::Quarantined);
        }
    }
    assert_eq!((waits, kept_aside), (500, 100));
    unharmed(scene, honest, case, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_memory_stays_bounded_whatever_is_sent_to_it() {
    let (mut scene, honest, case, mut forgers) = besieged(53, &[Role::GridMember]).await;
    let mut forger = forgers.remove(0);
    honest.sync_well().await;
    let (before, _) = scene.centre().memory();
    let bombs: Vec<_> = bombs(forger.incarnation).into_iter().map(|(_, raw, _)| raw).collect();
    for _ in 0..10 * long() {
        let items = (0..MAX_ITEMS / 2).map(|n| {
            let raw = bombs[n % bombs.len()].clone();
            Item::Change(ChangeItem { doc: forger.doc(), kind: RecordKind::Case, edit: None, raw })
        });
        let items = items.collect();
        assert!(forger.offer(items).await.iter().all(|verdict| matches!(verdict, Verdict::Refused(_))));
    }
    // Frames: of zeros that inflate to the limit and beyond it, of a size that they do not have, and noise.
    let level = 19;
    let zeros = |size: usize| [&[1], zstd::bulk::compress(&vec![0; size], level).unwrap().as_slice()].concat();
    let mut frames = vec![zeros(MAX_BODY_PLAIN), zeros(MAX_BODY_PLAIN * 4), vec![], vec![1], vec![2; 64], vec![0; 4 << 20]];
    frames.extend((0..20).map(|n| {
        let mut frame = frame::wrap(&vec![7; 40_000], 3);
        let at = scene.rng.usize(1..frame.len());
        frame[at] ^= 1 << (n % 8);
        frame
    }));
    for _ in 0..4 * long() {
        join_all(frames.iter().map(|frame| async { assert!(forger.ask(frame.clone()).await.is_err(), "no such request") })).await;
    }
    let (after, most) = scene.centre().memory();
    let grown = |bytes: u64| bytes.saturating_sub(before) >> 20;
    assert!(grown(after) < 96 && grown(most) < 384, "from {} MB it grew by {} MB, at the most by {} MB", before >> 20, grown(after), grown(most));
    unharmed(scene, honest, case, 0).await;
}

/// Sends bytes and hangs up, or waits a little for what comes.
fn shout(address: SocketAddr, bytes: &[u8], wait: bool) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut answer = Vec::new();
    // The server may hang up in the middle of nonsense.
    if stream.write_all(bytes).is_ok() && wait {
        drop(stream.read_to_end(&mut answer));
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_every_route_breaks_nothing() {
    let (mut scene, honest, case, _) = besieged(54, &[]).await;
    let address = scene.address;
    let pack = format!("/v1/packs/{}/{}", case, Hash::ZERO);
    let routes =
        ["/v1/sync", "/v1/enrol", pack.as_str(), "/v1/packs/../../etc/passwd/x", "/v1/events", "/v1/health", "/v1/version", "/metrics", "/", "/%00%ff?%"];
    for route in routes {
        for method in ["GET", "POST", "PUT", "DELETE", "BREW"] {
            let mut noise = vec![0; scene.rng.usize(..400)];
            scene.rng.fill(&mut noise);
            let head =
                format!("{method} {route} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {}\r\nrange: bytes=9-1,-,5\r\n", "f".repeat(32));
            let whole = [format!("{head}content-length: {}\r\n\r\n", noise.len()).as_bytes(), &noise].concat();
            let answer = String::from_utf8_lossy(&shout(address, &whole, true)).into_owned();
            let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse::<u16>().ok());
            let fine = matches!((route, method), ("/v1/health" | "/v1/version" | "/metrics", "GET"));
            assert!(status.is_some_and(|status| if fine { status == 200 } else { (400..500).contains(&status) }), "{method} {route}: {answer}");
            for body in ["content-length: 99999999999\r\n\r\n", "content-length: -1\r\n\r\n", "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "\r\n"]
            {
                shout(address, [head.as_bytes(), body.as_bytes(), &noise].concat().as_slice(), false);
            }
        }
    }
    for _ in 0..30 {
        let mut noise = vec![0; scene.rng.usize(1..4_000)];
        scene.rng.fill(&mut noise);
        shout(address, &noise, false);
    }
    assert!(shout(address, b"GET /v1/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", true).starts_with(b"HTTP/1.1 200"));
    unharmed(scene, honest, case, 0).await;
}
