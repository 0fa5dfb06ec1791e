//! One request: who asks, what he brings, what he is told.

use std::path::PathBuf;
use std::sync::Arc;

use fieldgrid_core::domain::fact::FactKind;
use fieldgrid_core::domain::id::{DeviceId, Hash, StreamId};
use fieldgrid_core::env::random;
use fieldgrid_core::wire::error::{ErrorBody, ErrorKind, WireError};
use fieldgrid_core::wire::frame;
use fieldgrid_core::wire::sync::{Auth, Received, Request, Token};
use tokio::sync::watch;

use super::witness::alarm;
use super::{Town, failed, millis, not_admitted, refusal};
use crate::answer::{self, Asked, Told};
use crate::store::{DeviceRow, Read, Result as Stored, Standing, StoreError, StreamRow};

/// zstd's level for live answers.
const LEVEL: i32 = 3;
/// A device's last contact is noted to this many milliseconds.
const HEARD_MS: i64 = 60_000;
/// Signed requests remembered of each device. A phone signs about one a day.
const SIGNED: u32 = 4_096;
/// States remembered of each device: what it confirmed, and what it will be in after the last answers.
const STATES: usize = 4;

impl Town {
    /// Answers a framed request with a framed answer. Everything the request brought is durable when it returns.
    ///
    /// # Errors
    /// What the phone is told instead; the HTTP status follows from its kind.
    pub async fn sync(&self, framed: impl AsRef<[u8]> + Send) -> Result<Vec<u8>, ErrorBody> {
        let received = frame::unwrap(framed.as_ref()).and_then(|body| Request::from_bytes(&body)).map_err(unreadable)?;
        drop(framed);
        let now_ms = self.env.wall_ms();
        let (device, signed, received) = self.authenticate(received, now_ms).await?;
        let (hash, Received { mut request, .. }) = (received.hash(), received);
        let outcome = if request.batches.is_empty() {
            crate::admission::Outcome::default()
        } else {
            // What was decoded is not kept twice; that there was something is.
            let batches = std::mem::replace(&mut request.batches, vec![fieldgrid_core::wire::sync::SealedBytes(Vec::new())]);
            self.admission.admit(device.clone(), batches).await.map_err(not_admitted)?
        };
        self.news.grown(&outcome.bumped);
        if device.standing == Standing::Revoked {
            return Err(revoked());
        }
        let _turn = self.answering.enter(device.id).ok_or_else(crowded)?.turn().await;
        let token = signed.then(|| Token(random(&*self.env)));
        let asked = Asked { device, request, outcome, token, hash, now_ms };
        let (asked, told) = self.answer(asked).await?.ok_or_else(revoked)?;
        self.remember(&asked, &told).await?;
        Ok(frame::wrap(&told.to_bytes(&asked, &*self.signer), LEVEL))
    }

    /// The device that the session's token stands for.
    ///
    /// # Errors
    /// What the phone is told instead.
    pub async fn holder(&self, token: Token) -> Result<DeviceId, ErrorBody> {
        let now_ms = self.env.wall_ms();
        self.reading(move |read| holder(read, token, now_ms)).await?.ok_or_else(unauthenticated)
    }

    /// The file of a pack, for a device that reads its stream.
    ///
    /// # Errors
    /// What the phone is told instead.
    pub async fn pack(&self, token: Token, stream: StreamId, sha256: Hash) -> Result<PathBuf, ErrorBody> {
        let now_ms = self.env.wall_ms();
        let known = self
            .reading(move |read| {
                let Some(device) = session(read, token, now_ms)?.filter(|device| device.standing != Standing::Revoked) else { return Ok(None) };
                let reads = reads(read, &device, now_ms)?.iter().any(|row| row.id == stream);
                let pack = read.packs(stream)?.into_iter().find(|pack| reads && pack.sha256 == sha256);
                Ok(Some(pack.map_or(Ok(false), |pack| answer::retired(read, &pack).map(|retired| !retired))?))
            })
            .await?;
        match known {
            None => Err(unauthenticated()),
            Some(false) => Err(refusal(ErrorKind::NotFound, "no such pack for this device; sync again for a newer one")),
            Some(true) => Ok(self.packs.path(stream, sha256)),
        }
    }

    /// A counter that is raised when a stream grows that the device of the session reads. It ends when the device asks for a second one after it.
    ///
    /// # Errors
    /// What the phone is told instead.
    pub fn news(&self, token: Token) -> Result<watch::Receiver<u64>, ErrorBody> {
        let now_ms = self.env.wall_ms();
        let read = self.store.read().map_err(failed)?;
        let device = session(&*read, token, now_ms).map_err(failed)?.ok_or_else(unauthenticated)?;
        if device.standing == Standing::Revoked {
            return Err(refusal(ErrorKind::Revoked, "this device was revoked"));
        }
        let streams = reads(&*read, &device, now_ms).map_err(failed)?;
        Ok(self.news.listen(device.id, streams.into_iter().map(|stream| stream.id)))
    }

    /// A counter that is raised when anything comes in: for the console.
    #[must_use]
    pub fn all_news(&self) -> watch::Receiver<u64> {
        self.news.listen_to_all()
    }

    async fn authenticate(&self, received: Received, now_ms: i64) -> Result<(DeviceRow, bool, Received), ErrorBody> {
        let (device, signed, received) = self
            .reading(move |read| {
                let (device, signed) = match &received.auth {
                    Auth::Token(token) => (session(read, *token, now_ms)?, false),
                    Auth::Signed(device, _) => (read.device(*device)?.filter(|device| received.signed_by(&device.key)), true),
                };
                Ok((device, signed, received))
            })
            .await?;
        Ok((device.ok_or_else(unauthenticated)?, signed, received))
    }

    /// The answer; none for a device that was revoked since it was authenticated.
    async fn answer(&self, asked: Asked) -> Result<Option<(Asked, Told)>, ErrorBody> {
        let (packs, signer) = (Arc::clone(&self.packs), Arc::clone(&self.signer));
        self.reading(move |read| {
            if read.device(asked.device.id)?.is_none_or(|device| device.standing == Standing::Revoked) {
                return Ok(None);
            }
            let told = answer::answer(read, &*signer, &asked, &|stream: &StreamRow| packs.offer(read, stream))?;
            Ok(Some((asked, told)))
        })
        .await
    }

    /// Remembers what the device was told. An idle answer is not remembered: the device stays in the state it was in.
    async fn remember(&self, asked: &Asked, told: &Told) -> Result<(), ErrorBody> {
        let (device, now_ms) = (asked.device.clone(), asked.now_ms);
        let late = device.heard_ms + HEARD_MS < now_ms;
        if told.states.is_empty() && asked.token.is_none() && told.contradictions.is_empty() {
            if late {
                // Lost in a crash, it is noted again a minute later.
                drop(self.store.note(move |tx| tx.set_heard(device.id, now_ms)));
            }
            return Ok(());
        }
        let (states, packed, expires_ms) = (told.states.clone(), told.packed.clone(), now_ms + millis(self.options.session));
        let (token, hash) = (asked.token.map(|token| Hash::of(&[&token.0])), asked.hash);
        let contradictions = told.contradictions.clone();
        let (grown, new) = self
            .store
            .write(move |tx| {
                // Whoever copied a signed request from somewhere gets neither an answer nor a session for it.
                if token.is_some() && !tx.use_signed(device.id, hash, SIGNED)? {
                    return Ok(None);
                }
                if let Some(token) = token
                    && tx.device(device.id)?.is_some_and(|device| device.standing != Standing::Revoked)
                {
                    tx.insert_session(token, device.id, expires_ms, now_ms)?;
                }
                if late {
                    tx.set_heard(device.id, now_ms)?;
                }
                if !states.is_empty() {
                    tx.put_states(device.id, &states, STATES)?;
                }
                let mut new = Vec::new();
                for row in contradictions {
                    if tx.insert_contradiction(&row)? {
                        new.push(row);
                    }
                }
                Ok(Some((follow_packs(tx, &device, &packed)?, new)))
            })
            .await
            .map_err(failed)?
            .ok_or_else(used)?;
        new.iter().for_each(alarm);
        self.news.grown(&grown);
        Ok(())
    }

    /// Reads a snapshot on a thread that may block.
    pub(super) async fn reading<T: Send + 'static>(&self, work: impl FnOnce(&dyn Read) -> Stored<T> + Send + 'static) -> Result<T, ErrorBody> {
        let store = Arc::clone(&self.store);
        let task = tokio::task::spawn_blocking(move || {
            let read = store.read()?;
            work(&*read)
        });
        task.await.map_err(|_| StoreError::Closed).and_then(|value| value).map_err(failed)
    }
}

/// Sensitive facts are never in packs: those that a pack leaves out come by the device's own stream, once.
fn follow_packs(tx: &mut dyn crate::store::Write, device: &DeviceRow, packed: &[(StreamRow, u64)]) -> Stored<Vec<StreamId>> {
    let mut grown = Vec::new();
    for (stream, through) in packed {
        let facts = tx.facts_in(stream.id, *through)?;
        let left_out: Vec<i64> = facts.into_iter().filter(|placed| placed.fact == Some(FactKind::Sensitive)).map(|placed| placed.entry).collect();
        let there = tx.delivered(device.stream, u64::MAX, &left_out)?;
        tx.lock_streams(&[device.stream])?;
        for entry in left_out.into_iter().filter(|entry| !there.contains(entry)) {
            tx.append(device.stream, entry)?;
            grown = vec![device.stream];
        }
    }
    Ok(grown)
}

fn session(read: &dyn Read, token: Token, now_ms: i64) -> Stored<Option<DeviceRow>> {
    holder(read, token, now_ms)?.map_or(Ok(None), |device| read.device(device))
}

/// Looked up by its hash: how long that takes says nothing about the token.
fn holder(read: &dyn Read, token: Token, now_ms: i64) -> Stored<Option<DeviceId>> {
    read.session(Hash::of(&[&token.0]), now_ms)
}

fn reads(read: &dyn Read, device: &DeviceRow, now_ms: i64) -> Stored<Vec<StreamRow>> {
    let grant = read.latest_grant(device.id)?.map(|row| row.grant);
    answer::directory(read, device, grant.as_ref().filter(|grant| grant.expires_ms > now_ms))
}

fn revoked() -> ErrorBody {
    refusal(ErrorKind::Revoked, "this device was revoked; what it sent is kept for the centre's administrator")
}

fn used() -> ErrorBody {
    ErrorBody { retry_after_s: Some(1), ..refusal(ErrorKind::TooOften, "this signed request was answered before; sign another") }
}

fn crowded() -> ErrorBody {
    ErrorBody { retry_after_s: Some(2), ..refusal(ErrorKind::Busy, "two requests of this device are being answered; one at a time is enough") }
}

fn unauthenticated() -> ErrorBody {
    refusal(ErrorKind::Unauthenticated, "the session is not known or has ended; sign the request")
}

pub(super) fn unreadable(error: WireError) -> ErrorBody {
    let kind = match error {
        WireError::TooLarge(_) => ErrorKind::TooLarge,
        WireError::NewerVersion(_) => ErrorKind::Version,
        _ => ErrorKind::Malformed,
    };
    ErrorBody { kind, reason: error.to_string(), retry_after_s: None }
}
