//! `compare`: what this server's key signed for a phone, held against the streams.

use std::io::Write;

use clap::Args;
use fieldgrid_core::wire::witness::HeadsNote;

use super::{Failure, existing, written};
use crate::config::Common;
use crate::town::{TownError, WHAT_TO_DO};

pub(super) const LONG: &str = "\
Compares a phone's note of signed heads (`fieldgrid compare`) with the streams of this server. What this server's key signed and this server does
not have is kept, and shown in the console until a restore · 核对手机出示的已签名位置.

Ends with status 1 when something contradicts this server.";

/// Compare what was signed for a phone.
#[derive(Debug, Args)]
pub struct Compare {
    /// The note: FIELDGRID:HEADS:1:…
    #[arg(value_name = "NOTE")]
    pub note: String,
}

impl Compare {
    pub(super) async fn run(&self, common: &Common, out: &mut dyn Write) -> Result<(), Failure> {
        let town = existing(common).await?;
        let note: HeadsNote = self.note.parse().map_err(|error| TownError::Unfit(format!("{error}")))?;
        let found = town.compare(&note).await?;
        for row in &found {
            let here = row.ours.map_or_else(|| "no entry".to_owned(), |ours| ours.to_string());
            writeln!(out, "stream {} epoch {} entry {}: signed {}, here {here}", row.at.stream, row.at.epoch, row.at.seq, row.at.chain).map_err(written())?;
        }
        match found.len() {
            0 => writeln!(out, "nothing contradicts this server · 没有矛盾").map_err(written()),
            _ => Err(TownError::Unfit(WHAT_TO_DO.to_owned()).into()),
        }
    }
}
