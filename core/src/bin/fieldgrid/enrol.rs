//! `enrol` and `invite-qr`.

use std::io::Read;

use fieldgrid_core::device::Enrolment;
use fieldgrid_core::domain::words;
use fieldgrid_core::wire::enrol::Invite;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use crate::args::{Enrol, InviteQr};
use crate::output::Out;
use crate::{App, Failure};

impl App {
    pub fn enrol(&self, args: Enrol) -> Result<(), Failure> {
        let text = match args.invite.or(args.qr_text) {
            Some(text) => text,
            None => {
                let mut text = String::new();
                std::io::stdin().take(4096).read_to_string(&mut text).map_err(Failure::other)?;
                text
            }
        };
        let invite = parse(self.out, &text)?;
        let identity = self.runtime.block_on(self.device.enrol(&invite)).map_err(|error| {
            let words = error.words();
            Failure::enrolment(self.out.say(format_args!("{}({error})", words.zh), format_args!("{} ({error})", words.en)))
        })?;
        let enrolment = Enrolment::from(identity);
        self.out.result(&enrolment, || {
            let scopes = enrolment.scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            let (name, role) = (enrolment.name.as_deref().unwrap_or_default(), self.out.word(words::role(enrolment.role)));
            self.out.say(format_args!("已入网：{name} {role} {scopes}"), format_args!("Enrolled: {name} {role} {scopes}"))
        });
        Ok(())
    }
}

/// Shows an invite as a QR code; light on dark, as terminals are.
pub fn invite_qr(out: Out, args: &InviteQr) -> Result<(), Failure> {
    let invite = parse(out, &args.invite)?.to_string();
    let code = QrCode::new(&invite).map_err(Failure::usage)?;
    out.result(&invite, || code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build());
    Ok(())
}

fn parse(out: Out, text: &str) -> Result<Invite, Failure> {
    text.parse().map_err(|error| Failure::usage(out.say(format_args!("这不是邀请：请重新扫描，或向镇街中心要新的"), format_args!("{error}"))))
}
