//! What operators see: logs on standard error, and metrics. Neither carries personal data.

pub mod logs;
pub mod metrics;
