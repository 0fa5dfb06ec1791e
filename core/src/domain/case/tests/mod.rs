//! The fold, tested through its public face.

mod kit;
mod line;
