//! `invite`: a one-time code for one phone, as text and as a QR code.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::id::OrgId;
use fieldgrid_core::wire::enrol::Invite as Invitation;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use serde::Serialize;

use super::{Failure, existing, written};
use crate::config::{Common, PublicUrl};
use crate::town::InviteOrder;

pub(super) const LONG: &str = "\
Prints a one-time code that makes one phone the phone of one person: scanned as a QR code, or typed as text. It works once, for ten
minutes unless --valid-minutes says otherwise · 打印一次性入网码（二维码和文字），一机一码.

The role decides what the phone may read and write, the scope where: codes of 2 to 15 digits, each with all that lies in it.";

/// Invite a phone.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples · 示例:
  sync-server invite --role grid_member --scope 610702001001001 --name 王芳
      a grid member: the households and cases of one grid
  sync-server invite --role rider --scope 610702001
      a rider: reports anywhere in the town, reads only what he reported
  sync-server invite --role department --scope 610702001 --org 0190b5a0-…-… --name 城管中队
      a department: what is assigned to it
  sync-server invite --role town_dispatcher --scope 610702001 --json
      for scripts: {\"invite\": \"fieldgrid:1?…\", \"valid_s\": 600}")]
pub struct Invite {
    /// What the person does: rider, volunteer, grid_member, grid_head, community, department, town_dispatcher, town_leader, … · 角色.
    #[arg(long, value_parser = role)]
    pub role: Role,
    /// Area code the person works in; may be given several times · 区划或网格代码.
    #[arg(long = "scope", required = true, value_name = "CODE")]
    pub scopes: Vec<AreaCode>,
    /// The organisation the person belongs to; departments need one · 单位.
    #[arg(long, value_name = "UUID")]
    pub org: Option<OrgId>,
    /// The person's name, as colleagues see it · 姓名.
    #[arg(long)]
    pub name: Option<String>,
    /// How long the code works, minutes.
    #[arg(long, value_name = "MINUTES", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1440))]
    pub valid_minutes: u64,
    /// Where phones find the server.
    #[command(flatten)]
    pub public: PublicUrl,
    /// Print one JSON object instead.
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Printed {
    invite: String,
    valid_s: u64,
}

impl Invite {
    pub(super) async fn run(&self, common: &Common, out: &mut dyn Write) -> Result<(), Failure> {
        let town = existing(common).await?;
        let valid = Duration::from_secs(60 * self.valid_minutes);
        let order = InviteOrder { role: self.role, org: self.org, scopes: self.scopes.clone(), name: self.name.clone(), valid };
        let code = town.invite(order).await?;
        let invite = Invitation { server: self.public.public_url.clone(), code: code.code, root: code.root, signs: true }.to_string();
        if self.json {
            let printed = serde_json::to_string(&Printed { invite, valid_s: valid.as_secs() }).map_err(written())?;
            return writeln!(out, "{printed}").map_err(written());
        }
        let areas = self.scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        writeln!(out, "{} · {areas} · {} min", self.role, self.valid_minutes).map_err(written())?;
        writeln!(out, "\n{}\n{invite}", qr(&invite, io::stdout().is_terminal())).map_err(written())
    }
}

/// The code in half-height blocks. A terminal is told to print black on white: scanners want the dark modules dark whatever its theme.
fn qr(text: &str, terminal: bool) -> String {
    let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::L) else { return String::new() };
    let drawn = code.render::<Dense1x2>().quiet_zone(true).build();
    if !terminal {
        return drawn + "\n";
    }
    drawn.lines().map(|line| format!("\x1b[30;107m{line}\x1b[0m\n")).collect()
}

fn role(text: &str) -> Result<Role, String> {
    match text.parse() {
        Ok(Role::Other(_)) | Err(_) => Err(format!("one of: {}", Role::ALL.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))),
        Ok(role) => Ok(role),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_drawn_so_that_a_scanner_reads_the_invitation() {
        let text = "fieldgrid:1?server=https://grid.example.cn&code=ABCD-EFGH&root=00";
        let drawn = qr(text, false);
        let modules = QrCode::with_error_correction_level(text, EcLevel::L).unwrap();
        // Four modules of quiet zone on each side, two rows in a line.
        assert_eq!(drawn.lines().next().unwrap().chars().count(), modules.width() + 8);
        let rows: Vec<Vec<char>> = drawn.lines().map(|line| line.chars().collect()).collect();
        for (at, color) in modules.to_colors().iter().enumerate() {
            let (x, y) = (at % modules.width() + 4, at / modules.width() + 4);
            let dark = match rows[y / 2][x] {
                '█' => true,
                '▀' => y % 2 == 0,
                '▄' => y % 2 == 1,
                _ => false,
            };
            assert_eq!(dark, *color == qrcode::Color::Dark, "module {x},{y}");
        }
        assert!(qr(text, true).starts_with("\x1b[30;107m"));
    }
}
