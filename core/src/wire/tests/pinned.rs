use super::*;
use crate::domain::policy::Refusal;
use crate::domain::time::Interval;
use crate::wire::enrol::{EnrolAnswer, EnrolRequest, Invite, ServerKeys, SignedGrant};
use crate::wire::entry::{Entry, Join, Leave, chain};
use crate::wire::error::{ErrorBody, ErrorKind, WireError};
use crate::wire::pack::{Pack, PackDoc};
use crate::wire::suite::{Purpose, Signer};
use crate::wire::sync::{
    Answer, Authenticate, BatchFault, BatchRejection, OwnRange, PackRef, Page, PageEntry, Request, SealedBytes, SignedHeads, StreamInfo, StreamKind, Token,
};
use crate::wire::sync::{OPENING, opening_token};
use crate::wire::verdict::{BatchVerdict, Exception, Verdict};
use crate::wire::witness::{HeadsNote, Shown};
use crate::wire::{decode, encode, frame, limits};

/// Lines of `name = hex`.
fn dump(lines: &[(&str, &[u8])]) -> String {
    lines.iter().map(|(name, bytes)| format!("{name} = {}\n", hex(bytes))).collect()
}

#[test]
fn hashes() {
    let change = change();
    let join = Entry::Join(Join { doc: doc(), kind: RecordKind::Case, changes: vec![change.raw.clone()] });
    let leave = Entry::Leave(Leave { doc: doc(), by: FactId::from_bytes(sixteen(0xfa)) });
    let redo = ChangeItem { edit: Some(Hash([0xed; 32])), ..change.clone() };
    let first = chain(Hash::ZERO, change.hash());
    let erased = Fact { body: Body::Erased(fact().body.hash()), ..fact() };
    assert_eq!(erased.hash(), fact().hash());
    insta::assert_snapshot!(dump(&[
        ("change chunk", &change.raw),
        ("change hash", &change.change_hash().0),
        ("change item", &change.hash().0),
        ("redo item", &redo.hash().0),
        ("fact", &encode(fact())),
        ("fact erased", &encode(&erased)),
        ("fact item", &fact().hash().0),
        ("join", &join.hash().0),
        ("leave", &leave.hash().0),
        ("chain 1", &first.0),
        ("chain 2", &chain(first, fact().hash()).0),
        ("state", &encode(state())),
        ("state hash", &state().hash().0),
    ]));
}

#[test]
fn signatures() {
    let key = device_key();
    let purposes = [Purpose::Batch, Purpose::Heads, Purpose::Session, Purpose::Grant, Purpose::Pack, Purpose::Key, Purpose::Enrol]
        .map(|purpose| key.sign(purpose, b"message").0);
    let names = ["batch", "heads", "session", "grant", "pack", "key", "enrol"];
    let lines: Vec<(&str, &[u8])> = names.into_iter().zip(purposes.iter().map(<[u8; 64]>::as_slice)).collect();
    insta::assert_snapshot!(dump(&[&[("public key", key.public().0.as_slice())], lines.as_slice()].concat()));
}

#[test]
fn a_batch() {
    let batch = batch();
    let bytes = batch.to_bytes();
    assert_eq!(Batch::from_bytes(&bytes).unwrap(), batch);
    batch.verify(&device_key().public()).unwrap();
    insta::assert_snapshot!(dump(&[
        ("header", &encode(&batch.header)),
        ("signature", &batch.signature.0),
        ("hash", &batch.hash().0),
        ("batch", &bytes),
        ("framed", &frame::wrap(&bytes, 3)),
    ]));
}

#[test]
fn requests() {
    let request = Request { nonce: 9, state_hash: state().hash(), state: None, batches: vec![], offers: vec![], shown: None };
    let full = Request { state: Some(state()), batches: vec![SealedBytes(vec![0xba])], ..request.clone() };
    let token = request.to_bytes(&Authenticate::Token(Token(sixteen(0x70))));
    let key = device_key();
    let signed = full.to_bytes(&Authenticate::Sign(device(), &key));
    assert_eq!(Request::from_bytes(&token).unwrap().request, request);
    let received = Request::from_bytes(&signed).unwrap();
    assert!(received.signed_by(&key.public()) && !received.signed_by(&server_key().public()));
    assert_eq!(received.request, full);
    let opened = |framed: Vec<u8>| opening_token(&framed[..OPENING]);
    assert_eq!(opened(frame::plain(&token)), Some(Token(sixteen(0x70))));
    assert_eq!((opened(frame::plain(&signed)), opened(frame::wrap(&[&token[..], &[0; 400]].concat(), 3))), (None, None));
    insta::assert_snapshot!(dump(&[("idle, token", &token), ("state and a batch, signed", &signed)]));
}

#[test]
fn answers() {
    let idle = Answer { nonce: 9, now_ms: NOW, ..Answer::default() };
    let entries = [
        PageEntry::Entry(Entry::Change(change())),
        PageEntry::Entry(Entry::Fact(fact())),
        PageEntry::Entry(Entry::Join(Join { doc: doc(), kind: RecordKind::Case, changes: vec![change().raw] })),
        PageEntry::Entry(Entry::Leave(Leave { doc: doc(), by: FactId::from_bytes(sixteen(0xfa)) })),
        PageEntry::Own(OwnRange { incarnation: incarnation(), seq: 1, first: 0, count: 2 }),
    ];
    let kinds: Vec<_> =
        entries.into_iter().map(|entry| Answer { pages: vec![Page { stream: stream(), epoch: 1, first: 8, entries: vec![entry] }], ..idle.clone() }).collect();
    let everything = Answer {
        token: Some(Token(sixteen(0x70))),
        need_state: true,
        outbox: Some(state().outbox),
        rejections: vec![BatchRejection { index: 0, fault: BatchFault::Gap }],
        directory: Some(vec![StreamInfo { id: stream(), kind: StreamKind::Grid, area: "610702001001001".parse().ok(), org: None, epoch: 1 }]),
        common: vec![cursor()],
        packs: vec![PackRef { at: cursor(), size: 100_000, sha256: Hash([0x5a; 32]) }],
        heads: Some(SignedHeads::sign(device(), vec![cursor()], &server_key())),
        more: true,
        safe_through: Some(1),
        ..kinds[0].clone()
    };
    assert!(everything.heads.as_ref().unwrap().verify(device(), &server_key().public()));
    for answer in kinds.iter().chain([&idle, &everything]) {
        assert_eq!(Answer::from_bytes(&answer.to_bytes()).unwrap(), *answer);
    }
    insta::assert_snapshot!(dump(&[
        ("idle", &idle.to_bytes()),
        ("change", &kinds[0].to_bytes()),
        ("fact", &kinds[1].to_bytes()),
        ("join", &kinds[2].to_bytes()),
        ("leave", &kinds[3].to_bytes()),
        ("own", &kinds[4].to_bytes()),
        ("everything", &everything.to_bytes()),
    ]));
    let asked = Hash([0x4e; 32]);
    let signed = everything.to_signed_bytes(device(), asked, &server_key());
    let read = Answer::from_bytes(&signed).unwrap();
    assert!(read.is_signed(device(), asked, &server_key().public()));
    assert!(
        !read.is_signed(device(), Hash([0x4f; 32]), &server_key().public()) && !read.is_signed(DeviceId::from_bytes(sixteen(1)), asked, &server_key().public())
    );
    assert_eq!(read.to_bytes(), signed);
    insta::assert_snapshot!("a_signed_answer", dump(&[("signed", &signed)]));
}

#[test]
fn a_note_of_signed_heads() {
    let shown = Shown { device: device(), heads: SignedHeads::sign(device(), vec![cursor()], &server_key()) };
    let note = HeadsNote { shown: vec![shown.clone()] };
    let text = note.to_string();
    assert_eq!(format!(" {text}\n").parse::<HeadsNote>().unwrap(), note);
    insta::assert_snapshot!("a_note", text);
    let request = Request { nonce: 9, state_hash: state().hash(), state: None, batches: vec![], offers: vec![], shown: Some(note.shown) };
    let token = Authenticate::Token(Token(sixteen(0x70)));
    assert_eq!(Request::from_bytes(&request.to_bytes(&token)).unwrap().request, request);
    assert!(!request.is_idle());

    // What is no note, or too much of one, is told apart before it is decoded.
    let spoilt = [text[..text.len() - 1].to_owned(), text.replace("HEADS:1", "HEADS:2"), format!("{text}00"), text.replace(":1:", ":1:é"), String::new()];
    for text in spoilt {
        assert!(matches!(text.parse::<HeadsNote>(), Err(WireError::Malformed(_))), "{text}");
    }
    let many = HeadsNote { shown: vec![shown.clone(); limits::MAX_SHOWN + 1] };
    assert!(matches!(many.to_string().parse::<HeadsNote>(), Err(WireError::TooLarge(_))));
    let long = format!("{text}{}", "0".repeat(2 * limits::MAX_NOTE));
    assert!(matches!(long.parse::<HeadsNote>(), Err(WireError::TooLarge(_))));
    let request = Request { shown: Some(many.shown), ..request };
    assert!(matches!(Request::from_bytes(&request.to_bytes(&token)), Err(WireError::TooLarge(_))));
}

/// Whatever bit of a signed answer is another, it is not signed any more.
#[test]
fn every_bit_of_an_answer_is_signed() {
    let answer = Answer { nonce: 9, now_ms: NOW, common: vec![cursor()], safe_through: Some(7), ..Answer::default() };
    let (asked, key) = (Hash([0x4e; 32]), server_key());
    let signed = answer.to_signed_bytes(device(), asked, &key);
    for bit in 0..signed.len() * 8 {
        let mut flipped = signed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let taken = Answer::from_bytes(&flipped).is_ok_and(|answer| answer.is_signed(device(), asked, &key.public()));
        assert!(!taken, "bit {bit}");
    }
}

#[test]
fn verdicts() {
    let hash = Hash([0x4a; 32]);
    let verdicts = [
        Verdict::Accepted,
        Verdict::Refused(Refusal::OutOfScope),
        Verdict::Stranded(hash),
        Verdict::Waiting(hash),
        Verdict::AlreadyHeld,
        Verdict::Retired(doc()),
        Verdict::Quarantined,
    ];
    let exceptions = verdicts.into_iter().enumerate().map(|(item, verdict)| Exception { item: u32::try_from(item).unwrap(), verdict }).collect();
    let verdict = BatchVerdict { incarnation: incarnation(), seq: 1, batch: batch().hash(), received_ms: NOW, exceptions };
    let bytes = encode(&verdict);
    assert_eq!(decode::<BatchVerdict>(&bytes, "verdict").unwrap(), verdict);
    insta::assert_snapshot!(dump(&[("verdict", &bytes)]));
}

#[test]
fn errors_and_enrolment() {
    let error = ErrorBody { kind: ErrorKind::Busy, reason: "busy".to_owned(), retry_after_s: Some(5) };
    let invite =
        Invite { server: "https://town.example:8443".to_owned(), code: "K7QW-2MZP".to_owned(), root: Hash::of(&[&server_key().public().0]), signs: true };
    assert_eq!(invite.to_string().parse::<Invite>().unwrap(), invite);
    let request = EnrolRequest::new(invite.code.clone(), incarnation(), &device_key());
    assert!(request.verify());
    let root = KeyPair::from_secret(&[3; 32]);
    let keys = ServerKeys { root: root.public(), signing: server_key().public(), certificate: root.sign(Purpose::Key, &server_key().public().0) };
    assert!(keys.verify(Hash::of(&[&root.public().0])));
    let granted = SignedGrant::sign(&grant(), &server_key());
    assert_eq!(granted.open(&server_key().public()).unwrap(), grant());
    let answer = EnrolAnswer {
        version: 1,
        device: device(),
        grant: granted,
        keys,
        stream: stream(),
        directory: vec![],
        now_ms: NOW,
        name: Some("张三".to_owned()),
        signature: None,
    };
    insta::assert_snapshot!(
        format!("{invite}\n")
            + &dump(&[("error", &encode(&error)), ("enrol request", &encode(&request)), ("enrol answer", &encode(&answer)), ("grant", &encode(grant()))])
    );
    let signed = answer.to_signed_bytes(&encode(&request), &server_key());
    assert!(EnrolAnswer::from_bytes(&signed, &encode(&request)).unwrap().signature.is_some());
    insta::assert_snapshot!("a_signed_enrolment", dump(&[("signed", &signed)]));
}

#[test]
fn a_pack() {
    let interval = Interval { earliest_ms: 1_780_000_000_000, latest_ms: 1_780_000_060_000 };
    let docs =
        vec![PackDoc { doc: doc(), kind: RecordKind::Case, changes: vec![change().raw], edits: vec![(0, Hash([0xed; 32]))], received: vec![Some(interval)] }];
    let pack = Pack { at: cursor(), docs, facts: vec![fact()] };
    let file = pack.to_file(3, &server_key()).unwrap();
    assert_eq!(Pack::from_file(&file, &server_key().public()).unwrap(), pack);
    insta::assert_snapshot!(dump(&[("plain body", &pack.plain_body()), ("file, zstd 3", &file)]));
}

/// What the first release wrote is read by every later one, whatever it writes itself.
#[test]
fn bytes_of_the_first_release_are_read() {
    assert_eq!(Batch::from_bytes(&unhex(include_str!("golden/batch.hex"))).unwrap(), batch());
    let pack = Pack::from_file(&unhex(include_str!("golden/pack.hex")), &server_key().public()).unwrap();
    assert_eq!((pack.docs[0].changes[0].clone(), pack.facts[0].clone()), (change().raw, fact()));
    let answer = Answer::from_bytes(&unhex(include_str!("golden/answer.hex"))).unwrap();
    assert_eq!(answer.pages[0].entries, [PageEntry::Entry(Entry::Change(change()))]);
}

/// The worked example of `docs/sync-protocol.md` is made of what the snapshots hold.
#[test]
fn the_document_says_the_same() {
    let snapshots = [
        include_str!("snapshots/fieldgrid_core__wire__tests__pinned__hashes.snap"),
        include_str!("snapshots/fieldgrid_core__wire__tests__pinned__a_batch.snap"),
        include_str!("snapshots/fieldgrid_core__wire__tests__pinned__requests.snap"),
        include_str!("snapshots/fieldgrid_core__wire__tests__pinned__answers.snap"),
        include_str!("snapshots/fieldgrid_core__wire__tests__pinned__errors_and_enrolment.snap"),
    ]
    .concat();
    let page = include_str!("../../../../docs/sync-protocol.md");
    let example = page.split("## 12.").nth(1).and_then(|rest| rest.split("## 13.").next()).unwrap();
    // A line of an example is a name, groups of hex with … where something is left out, and words after three spaces.
    let lines = example.lines().filter_map(|line| line.strip_prefix("    "));
    let groups = lines.filter_map(|line| Some(line.get(13..)?.split("   ").next()?.replace(' ', "")));
    let pieces: Vec<String> = groups.flat_map(|group| group.split('…').map(str::to_owned).collect::<Vec<_>>()).filter(|piece| piece.len() >= 8).collect();
    assert!(pieces.len() > 30, "{}", pieces.len());
    for piece in pieces {
        assert!(snapshots.contains(&piece), "not in the snapshots: {piece}");
    }
}
