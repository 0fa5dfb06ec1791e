//! `orgs`: departments and centres, to which cases are dispatched.

use std::io::Write;

use clap::{Args, Subcommand};
use fieldgrid_core::domain::area::AreaCode;

use super::{Failure, existing, written};
use crate::config::Common;

pub(super) const LONG: &str = "\
Adds and lists organisations: the departments that cases are dispatched to. A department's people are invited with its id
· 添加和查看单位（部门）.";

/// Departments and centres.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples · 示例:
  sync-server orgs create 城管中队 --area 610702001      prints the id to give to `invite --org`
  sync-server orgs list 610702001")]
pub struct Orgs {
    /// What is to be done with them.
    #[command(subcommand)]
    pub action: Action,
}

/// What is done with organisations.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Add an organisation · 添加单位.
    Create {
        /// Its name.
        name: String,
        /// The town, county or city it works for.
        #[arg(long, value_name = "CODE")]
        area: AreaCode,
    },
    /// List those that work for an area · 查看单位.
    List {
        /// The area.
        #[arg(value_name = "CODE")]
        area: AreaCode,
    },
}

impl Orgs {
    pub(super) async fn run(&self, common: &Common, out: &mut dyn Write) -> Result<(), Failure> {
        let town = existing(common).await?;
        match &self.action {
            Action::Create { name, area } => writeln!(out, "{}", town.create_org(name, *area).await?).map_err(written()),
            Action::List { area } => {
                for org in town.orgs(*area)? {
                    writeln!(out, "{} {} {}", org.id, org.area, org.name).map_err(written())?;
                }
                Ok(())
            }
        }
    }
}
