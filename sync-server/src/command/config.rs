//! `config`: which settings hold.

use std::io::Write;

use clap::Args;

use super::{Failure, written};
use crate::config::{Parsed, Serving};

pub(super) const LONG: &str = "\
Checks that the settings can be used: the file has no unknown names, what belongs together is there, certificate and key fit
· 检查配置是否可用.

With --print, prints every setting as it holds in the end, as a TOML file, each with where it came from; secrets are left out.";

/// Check the settings, or print them.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example · 示例:
  $ FIELDGRID_LOG=warn sync-server --config fieldgrid.toml config --print
  data = \"/var/lib/fieldgrid\"  # fieldgrid.toml:1
  log = \"warn\"  # FIELDGRID_LOG
  …")]
pub struct Config {
    /// Print every setting with where it came from.
    #[arg(long)]
    pub print: bool,
    /// The settings of `serve`.
    #[command(flatten)]
    pub serving: Serving,
}

impl Config {
    pub(super) async fn run(&self, parsed: &Parsed, out: &mut dyn Write) -> Result<(), Failure> {
        if self.print {
            write!(out, "{}", parsed.effective()).map_err(written())?;
        }
        self.serving.check()?;
        if let Some(tls) = self.serving.tls_files() {
            tls.load().await?;
        }
        if !self.print {
            writeln!(out, "the settings can be used · 配置可用").map_err(written())?;
        }
        Ok(())
    }
}
