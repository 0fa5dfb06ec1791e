//! `grids`: the grids of a village or community.

use std::io::Write;

use clap::{Args, Subcommand};
use fieldgrid_core::domain::area::{AreaCode, Level};

use super::{Failure, existing, written};
use crate::config::Common;

pub(super) const LONG: &str = "\
Makes and lists grids. A grid lies in one village or community; its code is the village's and a serial of three digits, and phones are
invited into it by that code · 建立和查看网格.";

/// Grids of a village or community.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples · 示例:
  sync-server grids create 610702001001 --count 4     610702001001001 to …004; those that are there stay as they are
  sync-server grids list 610702001                    every grid of the town")]
pub struct Grids {
    /// What is to be done with them.
    #[command(subcommand)]
    pub action: Action,
}

/// What is done with grids.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Make the first N grids of a village, those that are not there yet · 建立网格.
    Create {
        /// The village or community, 12 digits.
        #[arg(value_name = "CODE")]
        village: AreaCode,
        /// How many there are to be, 1 to 999.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=999))]
        count: u16,
    },
    /// List the grids in an area · 查看网格.
    List {
        /// The area.
        #[arg(value_name = "CODE")]
        area: AreaCode,
    },
}

impl Grids {
    pub(super) async fn run(&self, common: &Common, out: &mut dyn Write) -> Result<(), Failure> {
        let town = existing(common).await?;
        let area = match self.action {
            Action::Create { village, count } => {
                town.create_grids(village, count).await?;
                village
            }
            Action::List { area } => area,
        };
        for (code, name) in town.divisions(area)? {
            if code.level() == Level::Grid {
                writeln!(out, "{code} {name}").map_err(written())?;
            }
        }
        Ok(())
    }
}
