//! Fieldgrid's device engine.
//!
//! The rooms, each knowing only those above it (`ARCHITECTURE.md`):
//!
//! - [`domain`]: the job's rules. Pure: values in, values out; no I/O, no clock.
//! - [`record`]: a record as an Automerge document, and the gate for foreign changes.
//! - [`wire`]: the bytes between phone and server. No storage.
//! - [`device`]: the phone: encrypted store, sync, transport, enrolment, observers.
//!
//! The server runs the same `domain` and `record` code, so both give the same verdict with the same words.

pub mod device;
pub mod domain;
pub mod env;
pub mod record;
pub mod wire;
