//! Fieldgrid's sync server: admits what phones send, orders it into streams, answers what they lack, and shows the centre what is happening.
//!
//! - [`admission`]: a batch in, verdicts out. No HTTP, no SQL.
//! - [`answer`]: what a device is told: pages, heads, packs.
//! - [`store`]: rows and transactions. No rules.
//! - [`town`]: all of it as one thing, for HTTP, the console and the commands.
//! - [`http`]: routes, TLS, limits. Thin.
//! - [`console`]: pages for people. Reads through the store; writes as a device does.
//! - [`command`]: what the program can be told to do.

pub mod admission;
pub mod answer;
pub mod command;
pub mod config;
pub mod console;
pub mod divisions;
pub mod http;
mod per_device;
pub mod store;
pub mod telemetry;
pub mod town;
