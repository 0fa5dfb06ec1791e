//! `restore`: a town from a backup.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use fieldgrid_core::env::System;

use super::{Failure, blocking, verify, written};
use crate::config::Common;
use crate::town::{Town, TownOptions};

pub(super) const LONG: &str = "\
Makes the data folder from a backup; the folder must not hold a town · 从备份恢复到空目录.

The restored server opens a new life: phones notice by their chains what it lacks and send it again, and case numbers skip ahead so that
none is given out twice. Never copy a backup over a data folder by hand: phones would meet numbers that they know with other contents.";

/// Make a town from a backup.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example · 示例:
  systemctl stop fieldgrid
  mv /var/lib/fieldgrid /var/lib/fieldgrid.broken
  sync-server --data /var/lib/fieldgrid restore /backup/fieldgrid-2026-11-24.db
  systemctl start fieldgrid")]
pub struct Restore {
    /// The backup; it is only read.
    #[arg(value_name = "FILE")]
    pub from: PathBuf,
}

impl Restore {
    pub(super) async fn run(&self, common: &Common, out: &mut dyn Write) -> Result<(), Failure> {
        let (from, data) = (self.from.clone(), common.data.clone());
        let verified = blocking(move || Town::restore(&from, &data, TownOptions::default(), Arc::new(System::new()))?.verify()).await?;
        writeln!(out, "{}", verify::shown(&verified)).map_err(written())?;
        if !verified.findings.is_empty() {
            return Err(Failure::Unverified(verified.findings.len()));
        }
        writeln!(out, "restored · 已恢复: {}", common.data.display()).map_err(written())
    }
}
