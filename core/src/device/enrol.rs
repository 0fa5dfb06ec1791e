//! Enrolment: a one-time code becomes a signed grant.
//!
//! The key pair and the incarnation are the store's own, made when it was, so an enrolment whose answer was lost is asked for again with the same ones and
//! the server can give the same answer. The server's root key is pinned: what does not hang from the key that the invite names is not taken.

use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::store::{self, Identity, Store, StoreError};
use super::transport::{Transport, TransportError, TransportSetupError};
use crate::domain::words::Words;
use crate::wire::enrol::{EnrolAnswer, EnrolRequest, Invite};
use crate::wire::error::{ErrorKind, WireError};
use crate::wire::frame;
use crate::wire::limits::{MAX_ENROL_ANSWER, MAX_STREAMS, shown};

/// Pauses before an enrolment whose answer did not come is asked for again.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// Why the device is not enrolled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnrolError {
    /// The device is enrolled already.
    #[error("the device is enrolled already; wipe it first")]
    AlreadyEnrolled,
    /// The code was used, or has ended.
    #[error("the code was used or has ended; ask the centre for a new one")]
    CodeEnded,
    /// The code is not one of the server's.
    #[error("the server does not know the code; ask the centre for a new one")]
    NoSuchCode,
    /// The invite's address or the private CA is wrong.
    #[error(transparent)]
    Setup(#[from] TransportSetupError),
    /// The server was not reached, or refused otherwise.
    #[error(transparent)]
    Transport(TransportError),
    /// What answered is not the server that the invite names.
    #[error("this is not the server that the invite names: {0}")]
    NotTheServer(WireError),
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StoreError),
}

impl EnrolError {
    /// What to tell a person: what is the matter and what to do.
    #[must_use]
    pub const fn words(&self) -> Words {
        let (zh, en) = match self {
            Self::AlreadyEnrolled => ("本机已入网；换人使用请先清除", "This phone is enrolled already; wipe it before it changes hands"),
            Self::CodeEnded => ("邀请码已用过或已过期，请向镇街中心要新的", "The code was used or has ended; ask the town centre for a new one"),
            Self::NoSuchCode => ("中心没有这个邀请码，请核对或要新的", "The centre does not know this code; check it or ask for a new one"),
            Self::Setup(_) => ("邀请中的服务器地址或证书文件有误", "The invite's server address or the certificate file is wrong"),
            Self::Transport(TransportError::Clock) => ("手机时间不对，请校准日期和时间", "The phone's clock is wrong; set date and time"),
            Self::Transport(TransportError::Untrusted) => {
                ("服务器证书不可信，请更换网络或联系镇街中心", "The server's certificate is not trusted; change network or call the town centre")
            }
            Self::Transport(TransportError::Refused(_)) => {
                ("中心没有接受入网请求，请稍后重试或联系镇街中心", "The centre did not take the request; try again later or call the town centre")
            }
            Self::Transport(_) => {
                ("连不上中心，请检查网络后重试；邀请码仍然有效", "The centre was not reached; check the network and try again, the code still holds")
            }
            Self::NotTheServer(_) => ("应答的不是邀请中的服务器，未入网", "What answered is not the server that the invite names; not enrolled"),
            Self::Storage(_) => ("本机存储出错，请检查剩余空间", "This phone's storage failed; see whether there is space left"),
        };
        Words { zh, en }
    }
}

impl From<store::EnrolError> for EnrolError {
    fn from(error: store::EnrolError) -> Self {
        match error {
            store::EnrolError::AlreadyEnrolled => Self::AlreadyEnrolled,
            store::EnrolError::Wire(error) => Self::NotTheServer(error),
            store::EnrolError::Storage(error) => Self::Storage(error),
        }
    }
}

impl From<TransportError> for EnrolError {
    fn from(error: TransportError) -> Self {
        match &error {
            TransportError::Refused(body) if body.kind == ErrorKind::CodeEnded => Self::CodeEnded,
            TransportError::Refused(body) if body.kind == ErrorKind::NotFound => Self::NoSuchCode,
            _ => Self::Transport(error),
        }
    }
}

/// Enrols the store's device with the server of the invite.
///
/// # Errors
/// [`EnrolError`]; the device is not enrolled then, and may be asked to again.
pub async fn enrol(store: &Store, transport: &dyn Transport, invite: &Invite) -> Result<Identity, EnrolError> {
    if store.enrolled().is_some() {
        return Err(EnrolError::AlreadyEnrolled);
    }
    let request = EnrolRequest::new(invite.code.clone(), store.incarnation()?, &store.key_pair()?);
    let body = frame::plain(&minicbor::to_vec(&request).expect("encoding into memory does not fail"));
    let answer = ask(transport, &body, invite).await?;
    let (store, server, root) = (store.clone(), invite.server.clone(), invite.root);
    spawn_blocking(move || Ok(store.enrol(&answer, &server, root)?)).await.unwrap_or(Err(EnrolError::Storage(StoreError::Closed)))
}

async fn ask(transport: &dyn Transport, body: &[u8], invite: &Invite) -> Result<EnrolAnswer, EnrolError> {
    let mut answered = transport.enrol(body.to_vec()).await;
    for pause in AGAIN {
        if !matches!(answered, Err(TransportError::NoNetwork | TransportError::Timeout)) {
            break;
        }
        sleep(pause).await;
        answered = transport.enrol(body.to_vec()).await;
    }
    let framed = answered?;
    if framed.len() > MAX_ENROL_ANSWER || frame::plain_len(&framed) > MAX_ENROL_ANSWER {
        return Err(EnrolError::NotTheServer(WireError::TooLarge("enrolment answer")));
    }
    let plain = frame::unwrap(&framed).map_err(EnrolError::NotTheServer)?;
    let asked = frame::unwrap(body).map_err(EnrolError::NotTheServer)?;
    let answer = EnrolAnswer::from_bytes(&plain, &asked).map_err(EnrolError::NotTheServer)?;
    if invite.signs && answer.signature.is_none() {
        return Err(EnrolError::NotTheServer(WireError::Unverified("the enrolment answer: the server that the invite names signs it")));
    }
    if answer.directory.len() > MAX_STREAMS {
        return Err(EnrolError::NotTheServer(WireError::TooLarge("directory")));
    }
    Ok(EnrolAnswer { name: answer.name.as_deref().map(shown), ..answer })
}
