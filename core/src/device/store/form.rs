//! A form saves once. An app may end between the save and the closing of the form; the form comes back, and its person saves again. So what a form saved is
//! noted in the transaction that saves it.
//!
//! What it saved is told by its id and stays true, whatever becomes of the edit: refused, given up, purged, or done again under another incarnation.
//!
//! The id itself is not stored. It is random and the app's alone, and part of what is hashed: who has the store cannot try out what a form gave, not even an
//! ID number that was erased since.

use minicbor::{Decode, Encode};
use rusqlite::{Connection, OptionalExtension, params};

use super::meta::{decode, encode};
use super::{SaveError, Store, StoreError};
use crate::domain::id::{FormId, Hash};

/// Forms whose save is remembered, the last ones: two weeks of evenings, longer than a system keeps a screen's state. By number, since phones' clocks lie.
pub(super) const KEPT: i64 = 2_000;

/// A form that is saved: its id and what it gives, as hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    id: Hash,
    given: Hash,
}

impl Form {
    /// The form with this id, giving this. What is filled in on its behalf (times, new ids, what was seen) does not belong in it: it is another each time.
    #[must_use]
    pub fn new<T: Encode<()>>(id: FormId, given: &T) -> Self {
        let of = |what: &[u8], given: &[u8]| Hash::of(&[what, id.as_bytes(), given]);
        Self { id: of(b"fieldgrid form\0", &[]), given: of(b"fieldgrid form gave\0", &encode(given)) }
    }

    /// What it saved before; `None` when it has not.
    pub(super) fn saved<T>(&self, db: &Connection) -> Result<Option<T>, SaveError>
    where
        T: for<'b> Decode<'b, ()>,
    {
        let noted: Option<([u8; 32], Vec<u8>)> =
            db.prepare_cached("SELECT given, saved FROM forms WHERE form = ?1")?.query_row([self.id.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        match noted {
            None => Ok(None),
            Some((given, saved)) if given == self.given.0 => Ok(Some(decode(&saved)?)),
            Some(_) => Err(SaveError::AlreadySaved),
        }
    }

    /// Notes what it saves, and forgets old forms.
    pub(super) fn note<T: Encode<()>>(&self, db: &Connection, saved: &T) -> Result<(), StoreError> {
        db.prepare_cached("INSERT INTO forms (form, given, saved) VALUES (?1, ?2, ?3)")?.execute(params![self.id.0, self.given.0, encode(saved)])?;
        db.prepare_cached("DELETE FROM forms WHERE n <= ?1")?.execute([db.last_insert_rowid() - KEPT])?;
        Ok(())
    }
}

impl Store {
    /// This store, where what is saved is the form's: saved once.
    #[must_use]
    pub fn for_form(&self, form: Option<Form>) -> Self {
        Self { form, ..self.clone() }
    }
}
