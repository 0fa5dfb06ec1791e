//! The bytes, pinned: what another implementation must produce and read (`docs/sync-protocol.md` takes its worked example from the snapshots).

mod forward;
mod hostile;
mod pinned;

use crate::domain::action::{Action, ActionKind, Fields};
use crate::domain::fact::{Body, Fact, FactKind};
use crate::domain::grant::{Grant, Role};
use crate::domain::id::{DeviceId, DocId, FactId, GrantId, Hash, Incarnation, StreamId, UserId};
use crate::domain::time::{Anchor, Stamp};
use crate::record::{Command, Record, RecordKind};
use crate::wire::batch::{Batch, ChangeItem, Item, Position, Sealing};
use crate::wire::suite::KeyPair;
use crate::wire::sync::{Cursor, OutboxHead, SyncState};

const NOW: i64 = 1_767_225_600_000;

/// Sixteen equal bytes, so that a dump shows what is what.
fn sixteen(byte: u8) -> [u8; 16] {
    [byte; 16]
}

fn device() -> DeviceId {
    DeviceId::from_bytes(sixteen(0xd0))
}

fn incarnation() -> Incarnation {
    Incarnation::random(sixteen(0x1c))
}

fn stream() -> StreamId {
    StreamId::from_bytes(sixteen(0x57))
}

fn doc() -> DocId {
    DocId::from_bytes(sixteen(0xdc))
}

fn device_key() -> KeyPair {
    KeyPair::from_secret(&[1; 32])
}

fn server_key() -> KeyPair {
    KeyPair::from_secret(&[2; 32])
}

fn grant() -> Grant {
    Grant {
        id: GrantId::from_bytes(sixteen(0x6a)),
        device: device(),
        user: UserId::from_bytes(sixteen(0x05)),
        role: Role::GridMember,
        org: None,
        scopes: vec!["610702001001001".parse().unwrap()],
        issued_ms: NOW,
        expires_ms: NOW + 90 * 86_400_000,
        supersedes: None,
        lease_ms: 7 * 86_400_000,
    }
}

fn report() -> Action {
    Action {
        kind: ActionKind::Report,
        author: grant().author(),
        at: Stamp { wall_ms: NOW, mono_ms: 5_000 },
        seen: vec![],
        rules: 1,
        round: None,
        assignment: None,
        mode: None,
        fields: Fields { title: Some("井盖破损".to_owned()), category: Some("0201".to_owned()), ..Fields::default() },
    }
}

fn change() -> ChangeItem {
    let mut record = Record::new(RecordKind::Case).unwrap();
    let change = record.write(incarnation(), &Command::Act(vec![report()]), NOW / 1_000).unwrap();
    ChangeItem { doc: doc(), kind: RecordKind::Case, edit: None, raw: change.raw }
}

fn fact() -> Fact {
    Fact {
        id: FactId::from_bytes(sixteen(0xfa)),
        kind: FactKind::Visit,
        subject: Some(doc()),
        area: "610702001001001".parse().ok(),
        at: Stamp { wall_ms: NOW, mono_ms: 5_000 },
        body: Body::Held(b"body".to_vec()),
    }
}

fn batch() -> Batch {
    let sealing = Sealing {
        device: device(),
        incarnation: incarnation(),
        seq: 1,
        prev: Hash::ZERO,
        grant: grant().id,
        rules: 1,
        positions: vec![Position { stream: stream(), epoch: 1, seq: 7 }],
        destination: stream(),
        sealed: Stamp { wall_ms: NOW, mono_ms: 5_000 },
        anchor: Some(Anchor { server_ms: NOW, stamp: Stamp { wall_ms: NOW - 1, mono_ms: 4_000 } }),
    };
    Batch::seal(sealing, vec![Item::Change(change()), Item::Fact(fact())], &device_key())
}

fn cursor() -> Cursor {
    Cursor { stream: stream(), epoch: 1, seq: 7, chain: Hash([0xc4; 32]) }
}

fn state() -> SyncState {
    SyncState { cursors: vec![cursor()], outbox: OutboxHead { incarnation: incarnation(), seq: 1, hash: batch().hash() } }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let text = text.trim();
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}
