//! `refused`: what the centre did not let in, why, and what becomes of it.

use crate::args::Refused;
use crate::{App, Failure};

impl App {
    pub fn refused(&self, command: &Refused) -> Result<(), Failure> {
        match command {
            Refused::List => {
                let edits = self.device.refused()?;
                self.out.result(&edits, || self.lines(self.edit_lines(&edits)));
            }
            Refused::Discard(args) => {
                self.device.discard(self.find(&args.record)?, args.edit)?;
                self.out.result(&serde_json::json!({ "discarded": args.edit }), || self.out.say("已放弃", "Given up"));
            }
            Refused::Note(args) => {
                let saved = self.device.send_as_note(self.find(&args.record)?, args.edit)?;
                self.saved(saved)?;
            }
        }
        Ok(())
    }
}
