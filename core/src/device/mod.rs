//! The phone.

pub mod runner;
pub mod sync;
pub mod transport;
