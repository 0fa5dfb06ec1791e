//! What a server can say that is not so.

use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::fact::{Body, Fact, FactKind};
use fieldgrid_core::domain::grant::{Grant, Role};
use fieldgrid_core::domain::household::{HouseholdEdit, Value};
use fieldgrid_core::domain::id::{DeviceId, DocId, FactId, GrantId, Hash, Incarnation, StreamId};
use fieldgrid_core::domain::policy::Refusal;
use fieldgrid_core::domain::server_fact::{Instruction, Move, Received};
use fieldgrid_core::domain::time::{Interval, Stamp};
use fieldgrid_core::record::{Command, Record, RecordKind};
use fieldgrid_core::wire::batch::ChangeItem;
use fieldgrid_core::wire::enrol::SignedGrant;
use fieldgrid_core::wire::entry::{Entry, Join, Leave, chain};
use fieldgrid_core::wire::suite::KeyPair;
use fieldgrid_core::wire::sync::{
    Answer, BatchFault, BatchRejection, Cursor, OutboxHead, OwnRange, PackRef, Page, PageEntry, SignedHeads, StreamInfo, StreamKind, Token,
};
use fieldgrid_core::wire::verdict::{BatchVerdict, Exception, Verdict};

use super::script::Script;

/// What the liar knows of the phone, and what he has to lie with.
#[derive(Debug)]
pub struct Knows {
    /// The phone.
    pub device: DeviceId,
    /// Its stream.
    pub own: StreamId,
    /// Its life.
    pub incarnation: Incarnation,
    /// What it is allowed.
    pub grant: Grant,
    /// Where its cursors are.
    pub cursors: Vec<Cursor>,
    /// Its streams.
    pub streams: Vec<StreamInfo>,
    /// Its sealed batches, as the requests brought them: number and hash.
    pub batches: Vec<(Incarnation, u64, Hash)>,
    /// Records that it has.
    pub docs: Vec<DocId>,
    /// A household that it has.
    pub household: (DocId, Record),
    /// The server's key; none of a liar who only sits in between.
    pub key: Option<KeyPair>,
}

/// Number of lies that [`tell`] knows.
const LIES: usize = 26;

/// Makes one thing in an answer untrue.
pub fn tell(answer: &mut Answer, script: &mut Script, knows: &Knows) {
    let lie = script.below(LIES);
    match lie {
        0 => answer.common.push(position(script, knows)),
        1 => answer.outbox = Some(outbox(script, knows)),
        2 => answer.directory = Some(directory(script, knows)),
        3 => answer.directory = None,
        4 => answer.rejections.push(BatchRejection { index: u32::from(script.byte() % 4), fault: BatchFault::from_code(script.byte() % 9) }),
        5 => answer.safe_through = Some(script.number(1)),
        6 => answer.token = Some(Token([script.byte(); 16])),
        7 => answer.need_state = !answer.need_state,
        8 => answer.more = !answer.more,
        9 => answer.packs.push(PackRef { at: position(script, knows), size: script.number(1_000), sha256: Hash([script.byte(); 32]) }),
        10 => answer.now_ms = script.number(answer.now_ms.unsigned_abs()).cast_signed(),
        11 => drop(entries(answer, script).and_then(|(entries, at)| (at < entries.len()).then(|| entries.remove(at)))),
        12 => {
            if let Some((entries, at)) = entries(answer, script)
                && let Some(entry) = entries.get(at).cloned()
            {
                entries.insert(at, entry);
            }
        }
        13 => drop(entries(answer, script).map(|(entries, at)| entries.rotate_left(at))),
        14 => spoil(answer, script),
        15 => {
            if let Some(page) = answer.pages.first_mut() {
                page.first = script.number(page.first);
                page.epoch = page.epoch.wrapping_add(u32::from(script.byte() % 3));
            }
        }
        16 => {
            let (incarnation, seq, _) = script.one_of(&batches(knows));
            let own = OwnRange { incarnation, seq, first: 0, count: u32::MAX >> script.below(32) };
            let count = [1, 100, 20_000][script.below(3)];
            let page = page_of(answer, script, knows, None);
            page.extend(std::iter::repeat_n(PageEntry::Own(own), count));
        }
        17 | 18 => {
            let verdict = verdict(script, knows);
            state(answer, script, knows, FactKind::Verdict, None, &verdict);
        }
        19 => {
            if let Some(grant) = grant(script, knows) {
                state(answer, script, knows, FactKind::Grant, None, &grant);
            }
        }
        20 => {
            let instruction = script.one_of(&[Instruction::ReportOnly, Instruction::Approved]);
            state(answer, script, knows, FactKind::Instruction, None, &instruction);
        }
        21 => {
            let change = forged(script, knows);
            page_of(answer, script, knows, grid(knows)).extend(change.map(PageEntry::Entry));
        }
        22 => {
            let doc = script.one_of(&knows.docs);
            let entry = match script.below(2) {
                0 => Entry::Leave(Leave { doc, by: FactId::from_bytes([script.byte(); 16]) }),
                _ => Entry::Join(Join { doc, kind: RecordKind::Case, changes: Vec::new() }),
            };
            page_of(answer, script, knows, grid(knows)).push(PageEntry::Entry(entry));
        }
        23 => {
            let (kind, bytes) = (FactKind::from_code(script.byte()), usize::from(script.byte()));
            // Whoever may write visits and values states these; and a wipe is a wipe.
            if kind != FactKind::Instruction && kind != FactKind::Grant {
                let body = vec![script.byte(); bytes << script.below(8)];
                let subject = Some(script.one_of(&knows.docs));
                push(answer, script, knows, fact(kind, subject, body));
            }
        }
        24 => {
            let moved = Move { joined: Vec::new(), left: knows.streams.iter().map(|s| s.id).collect() };
            let doc = script.one_of(&knows.docs);
            state(answer, script, knows, FactKind::Move, Some(doc), &moved);
        }
        _ => {
            let at = Interval { earliest_ms: 0, latest_ms: script.number(1).cast_signed() };
            state(answer, script, knows, FactKind::Received, None, &Received::Next(at));
        }
    }
}

/// Signs what the answer says now, as whoever has the key can.
pub fn sign(answer: &mut Answer, script: &mut Script, knows: &Knows) {
    let Some(key) = &knows.key else { return };
    let mut heads: Vec<Cursor> = Vec::new();
    for page in &answer.pages {
        let common = answer.common.iter().find(|cursor| cursor.stream == page.stream);
        let Some(cursor) = common.or_else(|| knows.cursors.iter().find(|c| c.stream == page.stream)) else {
            continue;
        };
        let mut head = Cursor { epoch: page.epoch, seq: page.first.wrapping_sub(1), ..*cursor };
        for entry in &page.entries {
            let PageEntry::Entry(entry) = entry else { continue };
            head = Cursor { seq: head.seq.wrapping_add(1), chain: chain(head.chain, entry.hash()), ..head };
        }
        heads.push(head);
    }
    if script.below(8) == 7
        && let Some(head) = heads.first_mut()
    {
        (head.seq, head.chain) = (script.number(head.seq), Hash(script.hash(head.chain.0)));
    }
    heads.sort();
    heads.dedup_by_key(|head| head.stream);
    answer.heads = Some(SignedHeads::sign(knows.device, heads, key));
}

fn position(script: &mut Script, knows: &Knows) -> Cursor {
    let cursor = script.one_of(&knows.cursors);
    Cursor {
        stream: cursor.stream,
        epoch: cursor.epoch.wrapping_add([0, 0, 1, u32::MAX, 1_000][script.below(5)]),
        seq: script.number(cursor.seq),
        chain: Hash(script.hash(cursor.chain.0)),
    }
}

fn batches(knows: &Knows) -> Vec<(Incarnation, u64, Hash)> {
    let mut batches = knows.batches.clone();
    batches.push((knows.incarnation, 1, Hash::ZERO));
    batches
}

fn outbox(script: &mut Script, knows: &Knows) -> OutboxHead {
    let (incarnation, seq, hash) = script.one_of(&batches(knows));
    OutboxHead { incarnation: Incarnation::from_bytes(script.hash(*incarnation.as_bytes())), seq: script.number(seq), hash: Hash(script.hash(hash.0)) }
}

fn directory(script: &mut Script, knows: &Knows) -> Vec<StreamInfo> {
    let mut streams = knows.streams.clone();
    match script.below(5) {
        0 => streams.clear(),
        1 => streams.truncate(1),
        2 => streams.reverse(),
        3 => {
            let up = u32::from(script.byte());
            streams.iter_mut().for_each(|stream| stream.epoch = stream.epoch.wrapping_add(up));
        }
        _ => streams.extend((0..=u8::MAX).map(|n| StreamInfo {
            id: StreamId::from_bytes([n; 16]),
            kind: StreamKind::Grid,
            area: Some("610702001001009".parse::<AreaCode>().expect("a code")),
            org: None,
            epoch: 1,
        })),
    }
    streams
}

fn entries<'a>(answer: &'a mut Answer, script: &mut Script) -> Option<(&'a mut Vec<PageEntry>, usize)> {
    let count = answer.pages.len();
    let page = answer.pages.get_mut(script.below(count.max(1)))?;
    let at = script.below(page.entries.len().max(1));
    Some((&mut page.entries, at))
}

/// Flips a bit in what an entry brings.
fn spoil(answer: &mut Answer, script: &mut Script) {
    let Some((entries, at)) = entries(answer, script) else { return };
    let bytes = match entries.get_mut(at) {
        Some(PageEntry::Entry(Entry::Change(change))) => &mut change.raw,
        Some(PageEntry::Entry(Entry::Fact(Fact { body: Body::Held(body), .. }))) => body,
        Some(PageEntry::Entry(Entry::Join(Join { changes, .. }))) if !changes.is_empty() => &mut changes[0],
        _ => return,
    };
    let length = bytes.len().max(1);
    let place = (usize::from(script.byte()) << 8 | usize::from(script.byte())) % length;
    if let Some(byte) = bytes.get_mut(place) {
        *byte ^= 1 << script.below(8);
    }
}

fn grid(knows: &Knows) -> Option<StreamId> {
    knows.streams.iter().find(|stream| stream.kind == StreamKind::Grid).map(|stream| stream.id)
}

/// The entries of a page of a stream, at its end; of the phone's own where none is named.
fn page_of<'a>(answer: &'a mut Answer, script: &mut Script, knows: &Knows, stream: Option<StreamId>) -> &'a mut Vec<PageEntry> {
    let stream = stream.unwrap_or(knows.own);
    let found = answer.pages.iter().position(|page| page.stream == stream);
    let at = found.unwrap_or_else(|| {
        let cursor = knows.cursors.iter().find(|cursor| cursor.stream == stream);
        let (epoch, seq) = cursor.map_or((1, 0), |cursor| (cursor.epoch, cursor.seq));
        let epoch = epoch + u32::from(script.below(6) == 5);
        answer.pages.push(Page { stream, epoch, first: seq + 1, entries: Vec::new() });
        answer.pages.len() - 1
    });
    &mut answer.pages[at].entries
}

fn fact(kind: FactKind, subject: Option<DocId>, body: Vec<u8>) -> Fact {
    let id = FactId::from_bytes(Hash::of(&[&body]).0[..16].try_into().expect("sixteen bytes"));
    let at = Stamp { wall_ms: 1_780_272_000_000, mono_ms: 0 };
    Fact { id, kind, subject, area: None, at, body: Body::Held(body) }
}

fn push(answer: &mut Answer, script: &mut Script, knows: &Knows, fact: Fact) {
    page_of(answer, script, knows, None).push(PageEntry::Entry(Entry::Fact(fact)));
}

fn state(answer: &mut Answer, script: &mut Script, knows: &Knows, kind: FactKind, subject: Option<DocId>, body: &impl minicbor::Encode<()>) {
    let body = minicbor::to_vec(body).expect("encoding into memory does not fail");
    push(answer, script, knows, fact(kind, subject, body));
}

fn verdict(script: &mut Script, knows: &Knows) -> BatchVerdict {
    let (incarnation, seq, batch) = script.one_of(&batches(knows));
    let exceptions = (0..script.below(4)).map(|n| Exception {
        item: u32::try_from(n).unwrap_or_default(),
        verdict: match script.below(7) {
            0 => Verdict::Accepted,
            1 => Verdict::Refused(Refusal::OutOfScope),
            2 => Verdict::Stranded(batch),
            3 => Verdict::Waiting(batch),
            4 => Verdict::AlreadyHeld,
            5 => Verdict::Retired(script.one_of(&knows.docs)),
            _ => Verdict::Quarantined,
        },
    });
    let exceptions = exceptions.collect();
    let hash = Hash(script.hash(batch.0));
    BatchVerdict { incarnation, seq, batch: hash, received_ms: 1_780_272_000_000, exceptions }
}

fn grant(script: &mut Script, knows: &Knows) -> Option<SignedGrant> {
    let mut grant = knows.grant.clone();
    grant.id = GrantId::from_bytes([script.byte(); 16]);
    grant.issued_ms = script.number(grant.issued_ms.unsigned_abs()).cast_signed();
    match script.below(5) {
        0 => grant.role = Role::Auditor,
        1 => grant.lease_ms = script.number(1).cast_signed(),
        2 => grant.expires_ms = 1,
        3 => grant.scopes.clear(),
        _ => grant.role = Role::Rider,
    }
    Some(SignedGrant::sign(&grant, knows.key.as_ref()?))
}

/// A change that nobody made: under somebody else's life, or under the phone's own.
fn forged(script: &mut Script, knows: &Knows) -> Option<Entry> {
    let (doc, record) = &knows.household;
    let mut record = record.clone();
    let actor = match script.below(2) {
        0 => knows.incarnation,
        _ => Incarnation::random([script.byte() | 1; 16]),
    };
    let words = "x".repeat(usize::from(script.byte()) << script.below(6));
    let edit = HouseholdEdit::Set("note".into(), Value::Text(words));
    let change = record.write(actor, &Command::EditHousehold(vec![edit]), 1_780_272_000).ok()?;
    let edit = (script.below(3) == 0).then_some(Hash([script.byte(); 32]));
    let kind = RecordKind::Household;
    Some(Entry::Change(ChangeItem { doc: *doc, kind, edit, raw: change.raw }))
}
