//! The fold, tested through its public face.

mod kit;
mod line;
mod properties;
mod rows;
