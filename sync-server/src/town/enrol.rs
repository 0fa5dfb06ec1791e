//! From a one-time code to a device with a grant; and back: revoking, approving.

use std::time::Duration;

use fieldgrid_core::domain::area::{AreaCode, Level};
use fieldgrid_core::domain::fact::FactKind;
use fieldgrid_core::domain::grant::{Grant, Role};
use fieldgrid_core::domain::id::{DeviceId, GrantId, Hash, OrgId, UserId};
use fieldgrid_core::domain::server_fact::{Instruction, Reference};
use fieldgrid_core::env::random;
use fieldgrid_core::wire::enrol::{EnrolAnswer, EnrolRequest, SignedGrant};
use fieldgrid_core::wire::error::{ErrorBody, ErrorKind};
use fieldgrid_core::wire::frame;

use super::sync::unreadable;
use super::{Town, TownError, failed, millis, refusal};
use crate::admission::{fact, stream_for};
use crate::answer::{directory, info};
use crate::store::{DeviceRow, GrantRow, InviteRow, Payload, Read, Result as Stored, Standing, StoreError, StreamKey, Write};

/// Longest validity of a code (`domain.md` §5: at most ten minutes, unless the order says otherwise).
pub const CODE_VALID: Duration = Duration::from_secs(600);
/// Letters of a code (Crockford's base 32): no I, L, O, U to be misread.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of a code: 32¹² = 2⁶⁰, not to be guessed within its validity.
const CODE_LEN: usize = 12;

/// Who is invited.
#[derive(Debug, Clone)]
pub struct InviteOrder {
    /// The role.
    pub role: Role,
    /// The department or centre.
    pub org: Option<OrgId>,
    /// The areas.
    pub scopes: Vec<AreaCode>,
    /// Display name of the person.
    pub name: Option<String>,
    /// How long the code is valid.
    pub valid: Duration,
}

/// A one-time code.
#[derive(Debug, Clone)]
pub struct InviteCode {
    /// The code, as typed or in a QR code.
    pub code: String,
    /// The person it is for.
    pub user: UserId,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: i64,
    /// What the phone pins.
    pub root: Hash,
}

impl Town {
    /// Makes a one-time code for a new person.
    ///
    /// # Errors
    /// [`TownError::Unfit`] when the order makes no sense for the role.
    pub async fn invite(&self, order: InviteOrder) -> Result<InviteCode, TownError> {
        let user = UserId::new(self.env.wall_ms(), random(&*self.env));
        self.invite_again(user, order).await
    }

    /// Makes a one-time code for a person who is known: a second phone, or a new one for a lost one.
    ///
    /// # Errors
    /// As [`invite`](Self::invite).
    pub async fn invite_again(&self, user: UserId, order: InviteOrder) -> Result<InviteCode, TownError> {
        if order.scopes.is_empty() {
            return Err(TownError::Unfit("an invitation needs at least one area".into()));
        }
        if order.role == Role::Department && order.org.is_none() {
            return Err(TownError::Unfit("a department's handler needs the department".into()));
        }
        if let Role::Other(_) = order.role {
            return Err(TownError::Unfit("this server does not know the role".into()));
        }
        let letters: [u8; CODE_LEN] = random(&*self.env);
        let code: String = letters.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
        let expires_ms = self.env.wall_ms() + millis(order.valid);
        let InviteOrder { role, org, scopes, name, .. } = order;
        let invite = InviteRow { code: code_hash(&code), role, org, scopes, name, user, expires_ms, used_ms: None };
        self.store
            .write(move |tx| {
                if let Some(org) = invite.org
                    && tx.org(org)?.is_none()
                {
                    return Ok(Err(TownError::Unfit("no such organisation".into())));
                }
                tx.insert_invite(&invite)?;
                Ok(Ok(()))
            })
            .await??;
        Ok(InviteCode { code, user, expires_ms, root: self.root() })
    }

    /// Enrols a phone.
    ///
    /// # Errors
    /// What the phone is told instead.
    pub async fn enrol(&self, framed: &[u8]) -> Result<Vec<u8>, ErrorBody> {
        let malformed = || refusal(ErrorKind::Malformed, "not an enrolment request");
        let body = frame::unwrap(framed).map_err(unreadable)?;
        let request: EnrolRequest = minicbor::decode(&body).map_err(|_| malformed())?;
        if request.version > fieldgrid_core::wire::VERSION {
            return Err(refusal(ErrorKind::Version, "this server does not speak so new a version"));
        }
        // Genesis' actor: every change by it is malformed. A phone that draws it has a broken source of randomness.
        if request.incarnation.is_zero() {
            return Err(refusal(ErrorKind::Malformed, "the incarnation is to be drawn at random"));
        }
        let now_ms = self.env.wall_ms();
        if !request.verify() {
            return Err(refusal(ErrorKind::Unauthenticated, "the request is not signed by the key that it names"));
        }
        let enrolling = Enrolling {
            device: DeviceId::new(now_ms, random(&*self.env)),
            grant: GrantId::new(now_ms, random(&*self.env)),
            env: std::sync::Arc::clone(&self.env),
            grant_ms: millis(self.options.grant),
            now_ms,
            request,
        };
        let enrolled = self.store.write(move |tx| enrolling.enrol(tx)).await.map_err(failed)?;
        let (device, grant, name) = enrolled?;
        self.welcome(&body, device, grant, name).await
    }

    async fn welcome(&self, request: &[u8], device: DeviceRow, grant: Grant, name: Option<String>) -> Result<Vec<u8>, ErrorBody> {
        let (row, of) = (device.clone(), grant.clone());
        let streams = self.reading(move |read| directory(read, &row, Some(&of))).await?;
        let answer = EnrolAnswer {
            version: fieldgrid_core::wire::VERSION,
            device: device.id,
            grant: SignedGrant::sign(&grant, &*self.signer),
            keys: self.keys.clone(),
            stream: device.stream,
            directory: streams.iter().map(info).collect(),
            now_ms: self.env.wall_ms(),
            name,
            signature: None,
        };
        Ok(frame::wrap(&answer.to_signed_bytes(request, &*self.signer), 3))
    }

    /// Revokes a device: it is told to wipe itself, its sessions end, and what it still sends is kept aside.
    ///
    /// # Errors
    /// [`TownError`].
    pub async fn revoke(&self, device: DeviceId) -> Result<(), TownError> {
        self.instruct(device, Standing::Revoked, Instruction::Wipe).await
    }

    /// Approves a device that was limited to reports.
    ///
    /// # Errors
    /// [`TownError`].
    pub async fn approve(&self, device: DeviceId) -> Result<(), TownError> {
        self.instruct(device, Standing::Active, Instruction::Approved).await
    }

    async fn instruct(&self, device: DeviceId, standing: Standing, instruction: Instruction) -> Result<(), TownError> {
        let (env, now_ms) = (std::sync::Arc::clone(&self.env), self.env.wall_ms());
        let stream = self
            .store
            .write(move |tx| {
                let Some(row) = tx.device(device)? else { return Ok(Err(TownError::Unfit("no such device".into()))) };
                if row.standing == Standing::Revoked {
                    return Ok(Err(TownError::Unfit("the device is revoked; enrol it again".into())));
                }
                tx.set_standing(device, standing)?;
                if standing == Standing::Revoked {
                    tx.revoke_grants(device, now_ms)?;
                    tx.end_sessions(device)?;
                }
                let entry = tx.insert_entry(&Payload::Fact(fact(&*env, FactKind::Instruction, None, None, &instruction)), None)?;
                tx.lock_streams(&[row.stream])?;
                tx.append(row.stream, entry)?;
                Ok(Ok(row.stream))
            })
            .await??;
        self.news.grown(&[stream]);
        Ok(())
    }

    /// Gives a device a new grant in place of the one it has: a change of role or area is never an edit.
    ///
    /// # Errors
    /// [`TownError`].
    pub async fn regrant(&self, device: DeviceId, role: Role, org: Option<OrgId>, scopes: Vec<AreaCode>) -> Result<Grant, TownError> {
        let (env, now_ms, signer) = (std::sync::Arc::clone(&self.env), self.env.wall_ms(), std::sync::Arc::clone(&self.signer));
        let (id, grant_ms) = (GrantId::new(now_ms, random(&*self.env)), millis(self.options.grant));
        let (grant, stream) = self
            .store
            .write(move |tx| {
                let (Some(row), Some(before)) = (tx.device(device)?, tx.latest_grant(device)?) else {
                    return Ok(Err(TownError::Unfit("no such device".into())));
                };
                let supersedes = Some(before.grant.id);
                let grant = Grant {
                    id,
                    device,
                    user: row.user,
                    role,
                    org,
                    scopes,
                    issued_ms: now_ms,
                    expires_ms: now_ms + grant_ms,
                    supersedes,
                    lease_ms: lease_ms(role),
                };
                tx.insert_grant(&GrantRow { grant: grant.clone(), ended_ms: None, revoked_ms: None })?;
                let signed = SignedGrant::sign(&grant, &*signer);
                let entry = tx.insert_entry(&Payload::Fact(fact(&*env, FactKind::Grant, None, None, &signed)), None)?;
                tx.lock_streams(&[row.stream])?;
                tx.append(row.stream, entry)?;
                Ok(Ok((grant, row.stream)))
            })
            .await??;
        self.news.grown(&[stream]);
        Ok(grant)
    }
}

struct Enrolling {
    request: EnrolRequest,
    device: DeviceId,
    grant: GrantId,
    env: std::sync::Arc<dyn fieldgrid_core::env::Environment>,
    grant_ms: i64,
    now_ms: i64,
}

type Enrolled = Result<(DeviceRow, Grant, Option<String>), ErrorBody>;

impl Enrolling {
    fn enrol(self, tx: &mut dyn Write) -> Stored<Enrolled> {
        let ended = || refusal(ErrorKind::CodeEnded, "the code is wrong, was used, or has ended; ask the centre for a new one");
        // Looked up by its hash: how long that takes says nothing about the code.
        let Some(invite) = tx.invite(code_hash(&self.request.code))? else { return Ok(Err(ended())) };
        if let Some(life) = tx.incarnation(self.request.incarnation)? {
            return self.again(tx, life.device, &invite);
        }
        if invite.expires_ms < self.now_ms || invite.used_ms.is_some() {
            return Ok(Err(ended()));
        }
        if tx.devices_of(invite.user)?.len() >= max_devices(invite.role) {
            return Ok(Err(refusal(ErrorKind::Conflict, "this person has as many phones as the role allows; revoke one first")));
        }
        tx.use_invite(invite.code, self.now_ms)?;
        let stream = stream_for(tx, &*self.env, StreamKey::Device(self.device))?;
        let row = DeviceRow {
            id: self.device,
            key: self.request.key,
            user: invite.user,
            stream,
            standing: Standing::Active,
            enrolled_ms: self.now_ms,
            heard_ms: self.now_ms,
            refused: 0,
        };
        tx.insert_device(&row)?;
        tx.open_incarnation(self.request.incarnation, self.device)?;
        let grant = Grant {
            id: self.grant,
            device: self.device,
            user: invite.user,
            role: invite.role,
            org: invite.org,
            scopes: invite.scopes,
            issued_ms: self.now_ms,
            expires_ms: self.now_ms + self.grant_ms,
            supersedes: None,
            lease_ms: lease_ms(invite.role),
        };
        tx.insert_grant(&GrantRow { grant: grant.clone(), ended_ms: None, revoked_ms: None })?;
        if let (Some(name), Some(scope)) = (&invite.name, grant.scopes.first()) {
            self.introduce(tx, invite.user, name, *scope)?;
        }
        Ok(Ok((row, grant, invite.name)))
    }

    /// The same phone asks again with the same code: the answer before was lost.
    fn again(&self, read: &dyn Read, device: DeviceId, invite: &InviteRow) -> Stored<Enrolled> {
        let conflict = || refusal(ErrorKind::Conflict, "this store is enrolled already; begin with an empty one");
        let Some(row) = read.device(device)?.filter(|row| row.key == self.request.key && row.user == invite.user) else {
            return Ok(Err(conflict()));
        };
        let grant = read.latest_grant(device)?.ok_or(StoreError::Damaged("grant"))?;
        Ok(Ok((row, grant.grant, invite.name.clone())))
    }

    /// Colleagues see the person's display name.
    fn introduce(&self, tx: &mut dyn Write, user: UserId, name: &str, scope: AreaCode) -> Stored<()> {
        let area = scope.at(Level::Town).unwrap_or(scope);
        tx.put_person(user, name, area)?;
        let stream = stream_for(tx, &*self.env, StreamKey::Scope(area))?;
        let people = Reference::People(vec![(user, name.to_owned())]);
        let entry = tx.insert_entry(&Payload::Fact(fact(&*self.env, FactKind::Reference, None, Some(area), &people)), None)?;
        tx.lock_streams(&[stream])?;
        tx.append(stream, entry).map(drop)
    }
}

/// The code's hash, whatever case and spacing it was typed in.
fn code_hash(code: &str) -> Hash {
    let typed: String = code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    Hash::of(&[b"fieldgrid/1 code\0", typed.as_bytes()])
}

/// Active phones of one person (`domain.md` §5).
const fn max_devices(role: Role) -> usize {
    match role {
        Role::Rider | Role::Volunteer => 1,
        _ => 2,
    }
}

/// How long a device may go on without contact (`DESIGN` §6): 7 days in a grid, 3 for a rider.
const fn lease_ms(role: Role) -> i64 {
    const DAY_MS: i64 = 86_400_000;
    match role {
        Role::Rider | Role::Volunteer => 3 * DAY_MS,
        _ => 7 * DAY_MS,
    }
}
