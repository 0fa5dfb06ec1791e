//! Whole-system tests and benchmarks.

pub mod harness;
pub mod link;
pub mod workload;
