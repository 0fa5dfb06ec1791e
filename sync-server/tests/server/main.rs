//! The server as a phone and an operator meet it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod connection;
mod desk;
mod engine;
mod phone;
mod process;
mod routes;
mod strangers;
