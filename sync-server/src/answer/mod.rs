//! What a device is told: which streams it reads (`directory`), where it and the server part (`cursors`), entries (`pages`) and packs.
//!
//! Everything in an answer is read from one snapshot and under one grant. Nothing new is told in a few bytes, whatever the number of records: the server
//! remembers each device's last states by their hash, the one it confirmed and the one it will be in when it has applied the answer.

mod cursors;
mod directory;
mod packs;
mod pages;
mod witness;

use fieldgrid_core::domain::id::Hash;
use fieldgrid_core::wire::suite::Signer;
use fieldgrid_core::wire::sync::{Answer, Cursor, OutboxHead, PackRef, Request, SignedHeads, StreamKind, SyncState, Token};

pub(crate) use directory::{directory, info};
pub(crate) use packs::retired;
pub use packs::{PackError, Packs};
pub(crate) use witness::contradictions;

use crate::admission::Outcome;
use crate::store::{ContradictionRow, DeviceRow, Read, Result, StateRow, StreamRow};

/// Entries in a stream from which on a pack is cheaper than reading it from its start.
const PACK_FROM: u64 = 30;

/// A request whose batches are admitted.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) device: DeviceRow,
    pub(crate) request: Request,
    pub(crate) outcome: Outcome,
    /// The session that is opened for it, when it was signed.
    pub(crate) token: Option<Token>,
    /// What makes it the one it is.
    pub(crate) hash: Hash,
    pub(crate) now_ms: i64,
}

/// An answer, and what the server is to remember of it.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) answer: Answer,
    /// The states the device is in and will be in; none when it was told nothing new.
    pub(crate) states: Vec<StateRow>,
    /// Streams whose sensitive facts, up to a position, are to follow a pack.
    pub(crate) packed: Vec<(StreamRow, u64)>,
    /// What the device showed that contradicts this database.
    pub(crate) contradictions: Vec<ContradictionRow>,
}

impl Told {
    /// The answer's bytes, signed; nothing new needs no signature.
    pub(crate) fn to_bytes(&self, asked: &Asked, signer: &dyn Signer) -> Vec<u8> {
        let idle = asked.request.is_idle() && !self.answer.says_something();
        if idle { self.answer.to_bytes() } else { self.answer.to_signed_bytes(asked.device.id, asked.hash, signer) }
    }
}

/// Answers a request. `pack` finds or builds the pack of a stream.
///
/// # Errors
/// [`crate::store::StoreError`].
pub(crate) fn answer(read: &dyn Read, signer: &dyn Signer, asked: &Asked, pack: &dyn Fn(&StreamRow) -> Option<PackRef>) -> Result<Told> {
    let Asked { device, request, outcome, token, now_ms, .. } = asked;
    let mut answer = Answer { nonce: request.nonce, now_ms: *now_ms, token: *token, rejections: outcome.rejections.clone(), ..Answer::default() };
    let life = read.latest_incarnation(device.id)?;
    let outbox = life.map(|life| OutboxHead { incarnation: life.id, seq: life.seq, hash: life.hash });
    let (state, told) = match &request.state {
        Some(state) => (state.clone(), None),
        None => match read.state(device.id, request.state_hash)? {
            Some(row) => (row.state, Some(row.directory)),
            None => {
                answer.need_state = true;
                answer.outbox = outbox.filter(|_| !request.batches.is_empty());
                return Ok(Told { answer, states: Vec::new(), packed: Vec::new(), contradictions: Vec::new() });
            }
        },
    };

    // Of a device that it holds nothing of, it says so: the device may believe otherwise.
    let held = outbox.unwrap_or(OutboxHead { incarnation: state.outbox.incarnation, seq: 0, hash: Hash::ZERO });
    answer.outbox = Some(held).filter(|head| *head != state.outbox);
    let grant = read.latest_grant(device.id)?.map(|row| row.grant);
    let streams = directory(read, device, grant.as_ref().filter(|grant| grant.expires_ms > *now_ms))?;
    let listed = directory::infos(&streams);
    let listed_hash = Hash::of(&[&minicbor::to_vec(&listed).expect("encoding into memory does not fail")]);
    if told != Some(listed_hash) {
        answer.directory = Some(listed);
    }

    let shown = request.shown.as_deref().unwrap_or_default();
    let contradictions = contradictions(read, &signer.public(), shown, *now_ms)?;
    // Its own word on the same places: with both the device has a proof.
    let mut ours: Vec<Cursor> = contradictions.iter().filter_map(|row| Some(Cursor { chain: row.ours?, ..row.at })).collect();
    let own = pages::Own { outbox: state.outbox, sent: &outcome.held };
    let mut reading = Vec::with_capacity(streams.len());
    let mut packed = Vec::new();
    for stream in streams {
        let start = cursors::start(read, &stream, &state)?;
        answer.common.extend(start.common);
        if let Some(at) = start.contradicts {
            tracing::warn!(device = %device.id, stream = %at.stream, seq = at.seq, epoch = at.epoch, "a phone has another chain of this epoch");
            ours.push(at);
        }
        let by_pack = start.at.seq == 0 && stream.head >= PACK_FROM && stream.key.kind() != StreamKind::Device && pages::mostly_others(read, &stream, &own)?;
        match by_pack.then(|| pack(&stream)).flatten() {
            Some(file) => {
                packed.push((stream, file.at.seq));
                answer.packs.push(file);
                reading.push(pages::Reading { stream, at: start.at, wanted: false });
            }
            None => reading.push(pages::Reading { stream, at: start.at, wanted: start.at.seq < stream.head }),
        }
    }
    let holds = grant.as_ref().is_some_and(|grant| grant.role.holds_households());
    let read_now = pages::pages(read, &mut reading, device.stream, &own, holds)?;
    answer.more = read_now.more;
    answer.pages = read_now.pages;
    let mut heads: Vec<Cursor> = reading.iter().map(|reading| reading.at).filter(|at| answer.pages.iter().any(|page| page.stream == at.stream)).collect();
    heads.extend(ours);
    heads.sort_unstable();
    heads.dedup();
    if !heads.is_empty() {
        answer.heads = Some(SignedHeads::sign(device.id, heads, signer));
    }

    let after = SyncState { cursors: reading.iter().map(|reading| reading.at).collect::<Vec<Cursor>>(), outbox: held };
    let news = request.state.is_some() || answer.directory.is_some() || after != state || !answer.packs.is_empty();
    if news {
        answer.safe_through = life.map(|life| life.safe).filter(|safe| *safe > 0);
    }
    let known = |state: SyncState| StateRow { hash: state.hash(), state, directory: listed_hash };
    let states = if news { vec![known(state), known(after)] } else { Vec::new() };
    Ok(Told { answer, states, packed, contradictions })
}
