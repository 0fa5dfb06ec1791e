//! The sync state machine: events in, effects out, no I/O and no clock. It always has exactly one thing outstanding: an effect that its
//! driver ([`super::runner`]) carries out and answers with the next event, or a wait.
//!
//! What it promises, whatever the server, the network or the store do:
//! - one outstanding request; only the answer with its nonce is applied. (While an answer is applied, the driver may have the next request out already; to the
//!   machine it is prepared and sent only then);
//! - asking again at once needs progress, or a reason that holds once (the server wants the state;
//!   the token ended). Everything else waits. Progress is a
//!   proved position that rises; what only changes is followed a few times, and a round has a
//!   budget of requests and bytes (`budget.rs`). So no server can
//!   make a phone spin;
//! - every wait has a bound ([`MAX_WAIT_MS`]) and a reason code that a person can act on ([`WaitReason`]).

mod budget;
mod event;
mod wait;

use std::collections::VecDeque;
use std::sync::Arc;

pub use budget::{MAX_ASKS, MAX_FRUITLESS, MAX_RECEIVED, MAX_UNPROVED, MIN_PIECE};
pub use event::{Answered, Effect, Event, Outgoing, StoreFault, SyncSummary};
pub use wait::{Wait, WaitReason};

use budget::{Budget, Over};

use super::store::{Applied, Prepare};
use super::transport::{PackPart, TransportError};
use crate::domain::id::Hash;
use crate::env::{Environment, random};
use crate::wire::error::{ErrorBody, ErrorKind, WireError};
use crate::wire::limits::MAX_PACK;
use crate::wire::sync::PackRef;

/// The first wait after a failure lies between half of this and all of it; each further one doubles.
pub const FIRST_WAIT_MS: u64 = 2_000;
/// Longest wait after failures that may pass by themselves.
pub const BACKOFF_CAP_MS: u64 = 5 * 60_000;
/// Longest wait at all: what needs a person, or a server that asks for more.
pub const MAX_WAIT_MS: u64 = 60 * 60_000;
/// Wait for what only a person can put right; asking by hand cuts it short.
const PERSON_WAIT_MS: u64 = 15 * 60_000;

#[derive(Debug)]
enum State {
    Idle,
    Preparing,
    Asking(Asked),
    Applying(Asked),
    Fetching,
    ApplyingPack,
    /// What is kept of a pack is thrown away; then it is fetched from its start, or waited.
    Forgetting {
        again: bool,
    },
    BackingOff,
    Revoked,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    nonce: u32,
    signed: bool,
    has_state: bool,
    bare: bool,
}

/// The machine.
#[derive(Debug)]
pub struct SyncMachine {
    env: Arc<dyn Environment>,
    state: State,
    ask: Prepare,
    packs: VecDeque<PackRef>,
    partial: Partial,
    /// Failures one after the other, without progress between them.
    failures: u32,
    /// Whole packs that were not what was named or did not go in, since one did. The bytes of a pack are progress; a bad pack is to cost ever longer waits
    /// all the same.
    bad_packs: u32,
    /// Rebuilds since all was exchanged: a second one waits, or a server that refuses every life would be answered with ever new ones.
    rebuilds: u32,
    /// What was spent since the last wait.
    budget: Budget,
    /// Waits one after the other because a round's budget was spent.
    spent: u32,
    /// How often in a row the server has not taken a batch, when it did not take one in this round.
    rejected: u32,
    summary: SyncSummary,
}

/// What is here of a pack.
#[derive(Debug, Default)]
struct Partial {
    sha256: Hash,
    bytes: Vec<u8>,
    /// Some of it was kept from before, and may have been spoilt since.
    kept: bool,
}

impl SyncMachine {
    /// A machine with nothing outstanding. `env` gives the jitter.
    #[must_use]
    pub fn new(env: Arc<dyn Environment>) -> Self {
        Self {
            env,
            state: State::Idle,
            ask: Prepare::default(),
            packs: VecDeque::new(),
            partial: Partial::default(),
            failures: 0,
            bad_packs: 0,
            rebuilds: 0,
            budget: Budget::default(),
            spent: 0,
            rejected: 0,
            summary: SyncSummary::default(),
        }
    }

    /// What the round has come to so far.
    #[must_use]
    pub fn summary(&self) -> SyncSummary {
        self.summary.clone()
    }

    /// Takes an event and says what to do next; `None` when the event belongs to something that is no longer outstanding.
    pub fn handle(&mut self, event: Event) -> Option<Effect> {
        Some(match (std::mem::replace(&mut self.state, State::Idle), event) {
            (State::Revoked, Event::Due) => self.revoked(),
            (State::Idle, Event::Due) => {
                self.summary = SyncSummary::default();
                self.begin()
            }
            (_, Event::Due) => self.begin(),
            (State::Preparing, Event::Prepared(outgoing)) => self.send(outgoing),
            (State::Asking(asked), Event::Answered(answered)) => self.answered(asked, answered),
            (State::Asking(asked), Event::Failed(error)) => {
                // A large signed body may have found no room beside a crowd of strangers' (`docs/sync-protocol.md` §4): a small one does, and brings a token for the rest.
                self.ask = Prepare { send_state: asked.has_state, sign: asked.signed, bare: asked.signed, ..Prepare::default() };
                self.failed(error, asked.signed)
            }
            (State::Applying(asked), Event::Applied(applied)) => self.applied(applied, asked),
            (State::Fetching, Event::Pack(part)) => self.pack_part(part),
            (State::ApplyingPack, Event::PackApplied(applied)) => self.pack_applied(&applied),
            (State::ApplyingPack, Event::StoreFailed(StoreFault::BadData)) => {
                self.packs.clear();
                self.ask.send_state = true;
                self.forget_part(false)
            }
            (State::Forgetting { again: true }, Event::Forgotten) => self.go_on(),
            (State::Forgetting { again: false }, Event::Forgotten) => self.back_off(WaitReason::BadAnswer),
            (State::Preparing | State::Applying(_) | State::ApplyingPack | State::Forgetting { .. }, Event::StoreFailed(fault)) => self.store_failed(fault),
            (state, _) => {
                self.state = state;
                return None;
            }
        })
    }

    fn begin(&mut self) -> Effect {
        self.summary.wait = None;
        self.budget = Budget::default();
        self.rejected = 0;
        self.go_on()
    }

    /// The next step: the rest of a pack, or a request.
    fn go_on(&mut self) -> Effect {
        match self.budget.ask() {
            Ok(()) => {}
            Err(Over::Fruitless) => return self.back_off(WaitReason::BadAnswer),
            Err(Over::Spent) => {
                self.spent = self.spent.saturating_add(1);
                let ms = FIRST_WAIT_MS.saturating_mul(1 << self.spent.min(16)).min(BACKOFF_CAP_MS);
                return self.wait(ms, WaitReason::Scheduled);
            }
        }
        if let Some(pack) = self.packs.front().cloned() {
            if self.partial.sha256 != pack.sha256 {
                self.partial = Partial { sha256: pack.sha256, ..Partial::default() };
            }
            self.state = State::Fetching;
            return Effect::FetchPack(pack, self.partial.bytes.len() as u64);
        }
        self.state = State::Preparing;
        self.ask.keep = self.rejected > 0;
        Effect::Prepare(self.ask)
    }

    fn send(&mut self, outgoing: Outgoing) -> Effect {
        self.state = State::Asking(Asked { nonce: outgoing.nonce, signed: outgoing.signed, has_state: outgoing.has_state, bare: outgoing.bare });
        self.ask = Prepare::default();
        self.summary.round_trips += 1;
        self.summary.sent_bytes += outgoing.body.len() as u64;
        Effect::Send(outgoing.body)
    }

    fn answered(&mut self, asked: Asked, answered: Answered) -> Effect {
        self.received(answered.bytes);
        match answered.answer {
            Ok(answer) if answer.nonce == asked.nonce => {
                self.state = State::Applying(asked);
                Effect::Apply(answer)
            }
            Err(WireError::NewerVersion(_)) => self.wait_for_person(WaitReason::NeedsUpdate),
            Ok(_) | Err(_) => self.back_off(WaitReason::BadAnswer),
        }
    }

    fn applied(&mut self, applied: Applied, asked: Asked) -> Effect {
        self.summary.entries += applied.entries;
        self.summary.receipts += applied.receipts;
        self.summary.refused += applied.refused;
        if applied.wiped {
            return self.revoked();
        }
        if applied.rose {
            self.rose();
        } else if applied.progress {
            self.budget.changed();
        }
        self.rejected = self.rejected.max(applied.rejected);
        if applied.need_state {
            if asked.has_state {
                return self.back_off(WaitReason::BadAnswer);
            }
            self.ask.send_state = true;
            return self.go_on();
        }
        if applied.packs.iter().any(|pack| pack.size > MAX_PACK) {
            return self.back_off(WaitReason::BadAnswer);
        }
        let more = applied.more || asked.bare || !applied.packs.is_empty();
        self.packs = applied.packs.into();
        self.rebuilds = self.rebuilds.saturating_add(u32::from(applied.rebuilt));
        if more && applied.rebuilt && self.rebuilds > 1 {
            self.failures = self.failures.max(self.rebuilds);
            return self.back_off(WaitReason::BadAnswer);
        }
        if more {
            return self.go_on();
        }
        self.failures = 0;
        self.rebuilds = 0;
        self.spent = 0;
        if self.rejected > 0 {
            // Counted in the store: a phone that was started anew waits as long.
            self.failures = self.rejected - 1;
            return self.back_off(WaitReason::NotTaken);
        }
        if applied.server_outdated {
            return self.wait_for_person(WaitReason::ServerOutdated);
        }
        self.state = State::Idle;
        Effect::Finished(self.summary())
    }

    fn pack_part(&mut self, part: PackPart) -> Effect {
        let Some(pack) = self.packs.front().cloned() else {
            return self.go_on();
        };
        self.partial.kept |= part.kept;
        if !part.kept {
            self.received(part.bytes.len() as u64);
            self.summary.round_trips += 1;
        }
        let here = self.partial.bytes.len() as u64 + part.bytes.len() as u64;
        if here > pack.size || part.total.is_some_and(|total| total != pack.size) {
            return self.forget_part(self.partial.kept);
        }
        self.partial.bytes.extend_from_slice(&part.bytes);
        // A pack has an end, and there it is seen whether it is what was named.
        if !part.kept && (part.bytes.len() >= MIN_PIECE || here == pack.size) {
            self.failures = 0;
            self.budget.changed();
        }
        if here == pack.size {
            if Hash::of(&[&self.partial.bytes]) != self.partial.sha256 {
                return self.forget_part(self.partial.kept);
            }
            let Partial { bytes, .. } = std::mem::take(&mut self.partial);
            self.state = State::ApplyingPack;
            return Effect::ApplyPack(bytes);
        }
        match part.broke {
            // The server has built a newer one since: it names that when asked again.
            Some(TransportError::Refused(ErrorBody { kind: ErrorKind::NotFound, .. })) => {
                self.packs.clear();
                self.partial = Partial::default();
                self.go_on()
            }
            // Without the session there is no pack; what is here of it is kept for when the server names it again.
            Some(error @ TransportError::Refused(ErrorBody { kind: ErrorKind::Unauthenticated, .. })) => {
                self.packs.clear();
                self.failed(error, false)
            }
            Some(error) => self.failed(error, false),
            None => self.go_on(),
        }
    }

    fn pack_applied(&mut self, applied: &Applied) -> Effect {
        self.packs.pop_front();
        self.bad_packs = 0;
        self.summary.packs += 1;
        self.summary.entries += applied.entries;
        if applied.rose {
            self.rose();
        }
        // The server cannot know the state that a pack leads to.
        self.ask.send_state = true;
        self.go_on()
    }

    /// What failed once is thrown away before it is tried again: at once where it may have been
    /// spoilt on this phone, else after a wait, which is longer for every pack that the server gave
    /// and that was not good.
    fn forget_part(&mut self, again: bool) -> Effect {
        self.partial = Partial::default();
        if !again {
            self.failures = self.failures.max(self.bad_packs);
            self.bad_packs = self.bad_packs.saturating_add(1);
        }
        self.state = State::Forgetting { again };
        Effect::ForgetPart
    }

    fn store_failed(&mut self, fault: StoreFault) -> Effect {
        self.packs.clear();
        match fault {
            StoreFault::NotEnrolled => self.wait_for_person(WaitReason::NotEnrolled),
            StoreFault::BadData => {
                self.ask.send_state = true;
                self.back_off(WaitReason::BadAnswer)
            }
            StoreFault::Storage => self.back_off(WaitReason::Storage),
        }
    }

    fn failed(&mut self, error: TransportError, signed: bool) -> Effect {
        match error {
            TransportError::NoNetwork => self.back_off(WaitReason::NoNetwork),
            TransportError::Timeout => self.back_off(WaitReason::Timeout),
            TransportError::Clock => self.back_off(WaitReason::Clock),
            TransportError::Untrusted => self.back_off(WaitReason::Untrusted),
            TransportError::Status(500..) => self.back_off(WaitReason::ServerFailed),
            TransportError::TooLarge | TransportError::Status(_) => self.back_off(WaitReason::BadAnswer),
            TransportError::Refused(body) => self.refused(&body, signed),
        }
    }

    fn refused(&mut self, body: &ErrorBody, signed: bool) -> Effect {
        match body.kind {
            ErrorKind::Unauthenticated if !signed => {
                self.ask.sign = true;
                self.go_on()
            }
            ErrorKind::Unauthenticated => self.wait_for_person(WaitReason::NotRecognised),
            ErrorKind::Revoked => {
                self.state = State::Revoked;
                Effect::Wipe
            }
            ErrorKind::Version => self.wait_for_person(WaitReason::NeedsUpdate),
            ErrorKind::TooOften | ErrorKind::Busy => self.come_again(body.retry_after_s.unwrap_or_default()),
            ErrorKind::Malformed | ErrorKind::NotFound | ErrorKind::TooLarge | ErrorKind::CodeEnded | ErrorKind::Conflict => {
                self.ask.send_state = true;
                self.wait_for_person(WaitReason::Rejected)
            }
            ErrorKind::Internal | ErrorKind::Other(_) => self.back_off(WaitReason::ServerFailed),
        }
    }

    fn revoked(&mut self) -> Effect {
        let effect = self.wait(MAX_WAIT_MS, WaitReason::Revoked);
        self.state = State::Revoked;
        effect
    }

    fn rose(&mut self) {
        self.failures = 0;
        self.budget.rose();
    }

    const fn received(&mut self, bytes: u64) {
        self.summary.received_bytes += bytes;
        self.budget.received(bytes);
    }

    /// Exponential, with half of it random, so that a town's phones that lost the server together do not come back together.
    fn back_off(&mut self, reason: WaitReason) -> Effect {
        let ms = self.backoff_ms();
        self.wait(ms, reason)
    }

    /// Not before the server said, and up to a quarter later.
    fn come_again(&mut self, after_s: u32) -> Effect {
        let asked = (u64::from(after_s) * 1_000).min(MAX_WAIT_MS);
        let ms = (asked + self.jitter(asked / 4)).max(self.backoff_ms());
        self.wait(ms, WaitReason::ServerBusy)
    }

    fn wait_for_person(&mut self, reason: WaitReason) -> Effect {
        let ms = PERSON_WAIT_MS / 2 + self.jitter(PERSON_WAIT_MS / 2);
        self.wait(ms, reason)
    }

    fn wait(&mut self, ms: u64, reason: WaitReason) -> Effect {
        let wait = Wait { ms: ms.min(MAX_WAIT_MS), reason };
        self.state = State::BackingOff;
        self.summary.wait = Some(wait);
        Effect::Wait(wait)
    }

    fn backoff_ms(&mut self) -> u64 {
        let full = FIRST_WAIT_MS.saturating_mul(1 << self.failures.min(16)).min(BACKOFF_CAP_MS);
        self.failures = self.failures.saturating_add(1);
        full / 2 + self.jitter(full / 2)
    }

    /// Between nothing and `up_to`, both possible.
    fn jitter(&self, up_to: u64) -> u64 {
        u64::from_be_bytes(random(&*self.env)) % (up_to + 1)
    }
}

#[cfg(test)]
pub(in crate::device) mod tests;
