//! `quarantine`: what was kept aside, and an administrator's word on it.

use std::io::Write;

use clap::{Args, Subcommand};
use fieldgrid_core::env::{Environment, System};
use fieldgrid_core::wire::verdict::Verdict;

use super::devices::ago;
use super::{Failure, existing, written};
use crate::config::Common;
use crate::town::{Decided, Town};

pub(super) const LONG: &str = "\
Lists what was kept aside and decides about it, piece by piece · 查看和处理暂存待审的内容.

Kept aside is what a revoked phone still sends, and what comes so late after its author's grant ended that nobody can say any more
whether it was done in time. Nothing of it counts until it is released; its author is told what became of it.";

/// Pieces listed at most.
const LIMIT: usize = 10_000;

/// What was kept aside.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples · 示例:
  sync-server quarantine list
  sync-server quarantine show 12
  sync-server quarantine release 12 13
  sync-server quarantine reject 14")]
pub struct Quarantine {
    /// What is to be done with it.
    #[command(subcommand)]
    pub action: Action,
}

/// What is done with what was kept aside.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// List it, oldest first · 查看.
    List,
    /// Print what a piece says, as JSON: personal data · 查看内容.
    Show {
        /// Its number.
        id: i64,
    },
    /// Let pieces in, in this order, as if their author's grant had counted · 放行.
    Release {
        /// Their numbers.
        #[arg(required = true)]
        ids: Vec<i64>,
    },
    /// Refuse pieces, in this order · 不予采纳.
    Reject {
        /// Their numbers.
        #[arg(required = true)]
        ids: Vec<i64>,
    },
}

impl Quarantine {
    pub(super) async fn run(&self, common: &Common, out: &mut dyn Write) -> Result<(), Failure> {
        let town = existing(common).await?;
        match &self.action {
            Action::List => {
                let now_ms = System::new().wall_ms();
                writeln!(out, "{:>6} {:>7} {:36} {:36} KIND", "NUMBER", "SINCE", "DEVICE", "RECORD").map_err(written())?;
                for aside in town.quarantined(LIMIT)? {
                    let record = aside.doc.map_or_else(|| "-".to_owned(), |doc| doc.to_string());
                    let since = ago(now_ms - aside.since_ms);
                    writeln!(out, "{:>6} {since:>7} {:36} {record:36} {}", aside.id, aside.device.to_string(), aside.kind).map_err(written())?;
                }
                Ok(())
            }
            Action::Show { id } => {
                let aside = town.quarantined(LIMIT)?.into_iter().find(|aside| aside.id == *id).ok_or(Failure::NotAside(*id))?;
                let json = serde_json::to_string_pretty(&aside).map_err(std::io::Error::other).map_err(written())?;
                writeln!(out, "{json}").map_err(written())
            }
            Action::Release { ids } => decide(&town, ids, true, out).await,
            Action::Reject { ids } => decide(&town, ids, false, out).await,
        }
    }
}

async fn decide(town: &Town, ids: &[i64], take: bool, out: &mut dyn Write) -> Result<(), Failure> {
    for id in ids {
        let said = match town.decide(*id, take).await? {
            Decided::Gone => return Err(Failure::NotAside(*id)),
            Decided::BuildsOn(change) => return Err(Failure::BuildsOn(*id, change)),
            Decided::Verdict(Verdict::Accepted) => "released · 已放行".to_owned(),
            Decided::Verdict(Verdict::AlreadyHeld) => "already held · 已有".to_owned(),
            Decided::Verdict(Verdict::Refused(reason)) => format!("refused · 不予采纳: {reason}"),
            Decided::Verdict(verdict) => format!("{verdict:?}"),
        };
        writeln!(out, "{id} {said}").map_err(written())?;
    }
    Ok(())
}
