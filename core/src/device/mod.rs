//! The phone.

pub mod runner;
pub mod store;
pub mod sync;
pub mod transport;
