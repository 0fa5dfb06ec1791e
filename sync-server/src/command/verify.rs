//! `verify`: everything is checked again from what is stored.

use std::io::Write;

use clap::Args;

use super::{Failure, blocking, existing, written};
use crate::config::Common;
use crate::town::{Verified, WHAT_TO_DO};

pub(super) const LONG: &str = "\
Checks everything again from what is stored: every stream's chain, every entry's hash, every batch's signature, place and verdict, every
document's heads. Only reads, also while the server runs · 全量校验（只读，可在线执行）.

Ends with status 1 when something does not fit, each on a line; then restore the last backup.";

/// Check what is stored.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example · 示例, weekly from cron:
  sync-server --data /var/lib/fieldgrid verify || mail -s 'fieldgrid does not verify' admin@example.cn")]
pub struct Verify {}

impl Verify {
    pub(super) async fn run(&self, common: &Common, out: &mut dyn Write) -> Result<(), Failure> {
        let town = existing(common).await?;
        let verified = blocking(move || town.verify()).await?;
        verified.findings.iter().try_for_each(|finding| writeln!(out, "{finding}")).map_err(written())?;
        writeln!(out, "{}", shown(&verified)).map_err(written())?;
        if verified.contradictions > 0 {
            writeln!(out, "{} contradictions · 与已签名内容不符: {WHAT_TO_DO}", verified.contradictions).map_err(written())?;
        }
        match verified.findings.len() {
            0 => Ok(()),
            found => Err(Failure::Unverified(found)),
        }
    }
}

/// What was checked.
pub(super) fn shown(verified: &Verified) -> String {
    let Verified { streams, entries, batches, documents, .. } = verified;
    format!("checked · 已校验: {streams} streams, {entries} entries, {batches} batches, {documents} documents")
}
