//! Fieldgrid's sync server: admits what phones send, orders it into streams, and answers what they lack.

pub mod divisions;
pub mod telemetry;
