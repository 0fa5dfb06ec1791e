//! The job's rules: codes, roles, the case and its fold, the household, visits, policy, masks.
//!
//! Pure: values in, values out; no I/O, no clock. Phone and server run this same code, so they give the same verdict with the same words.

pub mod action;
pub mod area;
pub mod case;
pub mod category;
pub(crate) mod code;
pub mod divisions;
pub mod fact;
pub mod form;
pub mod grant;
pub mod household;
pub mod id;
pub mod mask;
pub mod policy;
pub mod quality;
pub mod server_fact;
pub mod time;
pub mod words;

#[cfg(test)]
mod formats;
