//! What must hold when everything that can go wrong does: each test is named after its promise.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod converging;
mod copied;
mod hostile;
mod killed;
mod lost;
mod lying;
mod many;
mod moved;
mod refused;
mod restored;
mod seen;
mod split;
mod unsigned;
