//! Whole-system tests and benchmarks.

pub mod harness;
pub mod liar;
pub mod link;
pub mod workload;
