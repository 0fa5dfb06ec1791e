//! Fieldgrid's device engine for Kotlin and Swift: conversion and nothing else.

mod code;
mod device;
mod error;
mod record;
mod watch;

use std::sync::LazyLock;

use tokio::runtime::{Handle, Runtime};

uniffi::setup_scaffolding!("fieldgrid");

/// The one runtime: exported work runs on it to its end, also when the caller's coroutine was cancelled.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("threads can be started"));

fn runtime() -> &'static Handle {
    RUNTIME.handle()
}
