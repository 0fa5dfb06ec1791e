//! `devices`: the phones of the town, and what they may do.

use std::io::Write;

use clap::{Args, Subcommand};
use fieldgrid_core::domain::id::DeviceId;
use fieldgrid_core::env::{Environment, System};

use super::{Failure, existing, written};
use crate::config::Common;
use crate::store::Standing;
use crate::town::Phone;

pub(super) const LONG: &str = "\
Lists phones, revokes one that was lost, approves one that was copied or restored · 查看、吊销、批准设备.

A revoked phone is wiped when it is next heard; what it still sends is kept aside for the administrator. A phone whose store turned out
to be a copy may only report until it is approved.";

/// The town's phones.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples · 示例:
  sync-server devices list
  sync-server devices revoke 0190b5a0-7c1e-7000-8000-000000000001")]
pub struct Devices {
    /// What is to be done with them.
    #[command(subcommand)]
    pub action: Action,
}

/// What is done with phones.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// List the phones · 查看设备.
    List,
    /// Let a phone do again what its grant says · 批准.
    Approve {
        /// The phone.
        device: DeviceId,
    },
    /// Shut a phone out and have it wiped · 吊销.
    Revoke {
        /// The phone.
        device: DeviceId,
    },
}

impl Devices {
    pub(super) async fn run(&self, common: &Common, out: &mut dyn Write) -> Result<(), Failure> {
        let town = existing(common).await?;
        match self.action {
            Action::Approve { device } => {
                town.approve(device).await?;
                writeln!(out, "approved · 已批准 {device}").map_err(written())
            }
            Action::Revoke { device } => {
                town.revoke(device).await?;
                writeln!(out, "revoked · 已吊销 {device}").map_err(written())
            }
            Action::List => {
                let now_ms = System::new().wall_ms();
                writeln!(
                    out,
                    "{:36} {:15} {:15} {:11} {:>7} {:>7} {:>7} {:>7} {:>7} NAME",
                    "DEVICE", "ROLE", "AREA", "STANDING", "HEARD", "BATCHES", "REFUSED", "WAITING", "ASIDE"
                )
                .map_err(written())?;
                town.phones()?.iter().try_for_each(|phone| writeln!(out, "{}", line(phone, now_ms))).map_err(written())
            }
        }
    }
}

fn line(phone: &Phone, now_ms: i64) -> String {
    let grant = phone.grant.as_ref();
    let role = grant.map_or_else(|| "-".to_owned(), |grant| grant.role.to_string());
    let area = grant.and_then(|grant| grant.scopes.first()).map_or_else(|| "-".to_owned(), ToString::to_string);
    let standing = match phone.standing {
        Standing::Active => "active",
        Standing::ReportOnly => "report-only",
        Standing::Revoked => "revoked",
    };
    format!(
        "{:36} {role:15} {area:15} {standing:11} {:>7} {:>7} {:>7} {:>7} {:>7} {}",
        phone.device.to_string(),
        ago(now_ms - phone.heard_ms),
        phone.batches,
        phone.refused,
        phone.waiting,
        phone.quarantined,
        phone.name.as_deref().unwrap_or_default(),
    )
}

/// How long ago, in one unit.
pub(super) fn ago(ms: i64) -> String {
    match ms.max(0) / 60_000 {
        0 => "now".to_owned(),
        minutes @ 1..120 => format!("{minutes}min"),
        minutes @ 120..2880 => format!("{}h", minutes / 60),
        minutes => format!("{}d", minutes / 1440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_ago_is_told_in_one_unit() {
        let minutes = [0, 59_999, 60_000, 119 * 60_000, 120 * 60_000, 47 * 3_600_000, 48 * 3_600_000, -5];
        assert_eq!(minutes.map(ago), ["now", "now", "1min", "119min", "2h", "47h", "2d", "now"]);
    }
}
