//! Fieldgrid's device engine for Kotlin and Swift: conversion and nothing else.
//!
//! - Every exported function that may touch the disk or the network is async, runs on the library's own threads, and goes on to its end when its caller is
//!   cancelled. Nothing but conversion runs on the thread that polls it.
//! - Observers are pulled: an object whose `next` gives the current value first, then each other one, the latest if there were several.
//! - Errors are one type, with a stable kind and words in both languages, which come from the engine.
//!
//! The languages' own layers (`kotlin/`, `swift/`) are what apps use; nothing generated is in their public interface.

mod closing;
mod code;
mod device;
mod edit;
mod error;
mod filter;
mod log;
mod record;
mod screen;
mod watch;

pub use code::{
    ActionField, ActionKind, CaseState, Category, DeliveryState, RevealReason, Role, Severity, VisitKind, VisitResult, WaitReason, Words, action_words,
    categories, id_number_fits, required_fields, reveal_reason_words, role_words, severity_words, state_words,
};
pub use device::{Device, OpenRequest, open_device};
pub use edit::{ActionFields, FieldEdit, Place, Visit};
pub use error::{ErrorKind, FieldgridError};
pub use filter::{CaseFilter, CaseOrder, HouseholdFilter};
pub use log::{LogLevel, LogLine, LogWatch, observe_log};
pub use record::{CasePage, CaseRow, Delivery, Hit, HitPage, HouseholdPage, HouseholdRow, PageToken, RefusedEdit, VisitPage, VisitRow};
pub use screen::{
    Alternative, Assignment, AssignmentState, CaseScreen, Compared, DeviceStatus, Enrolment, Flag, FlagLevel, HistoryEntry, HouseholdScreen, Names, NextAction,
    Person, SyncResult, SyncWait, Wiped,
};
pub use watch::{CaseWatch, CasesWatch, DeviceWatch, HouseholdWatch, HouseholdsWatch, RefusedWatch, VisitsWatch};

use std::sync::LazyLock;

use tokio::runtime::{Handle, Runtime};

uniffi::setup_scaffolding!("fieldgrid_ffi");

/// The one runtime. Nothing is spawned anywhere else.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("fieldgrid").enable_all().build().expect("threads can be started")
});

fn runtime() -> &'static Handle {
    RUNTIME.handle()
}

/// Runs on a thread for blocking work, to its end, whatever becomes of the caller.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, FieldgridError> + Send + 'static) -> Result<T, FieldgridError> {
    runtime().spawn_blocking(work).await.unwrap_or_else(|_| Err(FieldgridError::stopped()))
}

/// Runs on the runtime, to its end, whatever becomes of the caller.
async fn spawned<T: Send + 'static>(work: impl Future<Output = Result<T, FieldgridError>> + Send + 'static) -> Result<T, FieldgridError> {
    runtime().spawn(work).await.unwrap_or_else(|_| Err(FieldgridError::stopped()))
}
