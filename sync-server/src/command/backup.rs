//! `backup`: a copy of the town, taken while it serves.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::{Failure, blocking, existing, verify, written};
use crate::config::Common;

pub(super) const LONG: &str = "\
Copies the town into one new file while it goes on serving, opens the copy and verifies it · 在线备份并校验.

Only a copy that verifies counts: from then on phones are told what it covers, and let go of what they kept for a server that might be
restored. The file holds the server's keys and all records, unencrypted: keep it as safe as the server.";

/// Copy the town.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example · 示例, every night from cron:
  sync-server --data /var/lib/fieldgrid backup /backup/fieldgrid-$(date +%F).db")]
pub struct Backup {
    /// The file to make; it must not exist.
    #[arg(value_name = "FILE")]
    pub to: PathBuf,
}

impl Backup {
    pub(super) async fn run(&self, common: &Common, out: &mut dyn Write) -> Result<(), Failure> {
        let town = existing(common).await?;
        let to = self.to.clone();
        let report = blocking(move || town.backup(&to)).await?;
        writeln!(out, "{}", verify::shown(&report.verified)).map_err(written())?;
        writeln!(out, "backed up · 已备份: {} ({} bytes)", self.to.display(), report.size).map_err(written())
    }
}
