//! Whole-system tests and benchmarks.

pub mod workload;
