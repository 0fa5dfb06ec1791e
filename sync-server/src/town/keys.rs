//! The server's keys: a root, pinned by phones at enrolment, and the signing key that it certifies.

use fieldgrid_core::env::{Environment, random};
use fieldgrid_core::wire::enrol::ServerKeys;
use fieldgrid_core::wire::suite::{KeyPair, Purpose, Signature, Signer as _};

use super::TownError;
use crate::store::{Epoch, Store};

const ROOT: &str = "root_secret";
const SIGNING: &str = "signing_secret";
const CERTIFICATE: &str = "certificate";
/// The first epoch. Later ones are numbered by the time of their restore, so that no two lives of a server share a number.
const FIRST_EPOCH: u32 = 1;

/// Reads the keys; makes them, and the first epoch, in a new database.
pub(super) fn open(store: &dyn Store, env: &dyn Environment) -> Result<(KeyPair, ServerKeys), TownError> {
    if let Some(keys) = stored(store)? {
        return Ok(keys);
    }
    let (root, signing): ([u8; 32], [u8; 32]) = (random(env), random(env));
    let certificate = KeyPair::from_secret(&root).sign(Purpose::Key, &KeyPair::from_secret(&signing).public().0);
    let opened_ms = env.wall_ms();
    store.write_blocking(move |tx| {
        tx.set_meta(ROOT, &root)?;
        tx.set_meta(SIGNING, &signing)?;
        tx.set_meta(CERTIFICATE, &certificate.0)?;
        tx.open_epoch(Epoch { epoch: FIRST_EPOCH, opened_ms })
    })?;
    stored(store)?.ok_or(TownError::Keys)
}

fn stored(store: &dyn Store) -> Result<Option<(KeyPair, ServerKeys)>, TownError> {
    let read = store.read()?;
    let (Some(root), Some(signing), Some(certificate)) = (read.meta(ROOT)?, read.meta(SIGNING)?, read.meta(CERTIFICATE)?) else {
        return Ok(None);
    };
    let (Ok(root), Ok(signing), Ok(certificate)) = (root.try_into(), signing.try_into(), certificate.try_into()) else {
        return Err(TownError::Keys);
    };
    let (root, signing) = (KeyPair::from_secret(&root), KeyPair::from_secret(&signing));
    let keys = ServerKeys { root: root.public(), signing: signing.public(), certificate: Signature(certificate) };
    Ok(Some((signing, keys)))
}
