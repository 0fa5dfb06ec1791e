//! `compare`: whether the centre told another phone the same story.

use fieldgrid_core::device::store::{CompareError, Compared, split_view_words};
use fieldgrid_core::wire::witness::HeadsNote;
use serde::Serialize;

use crate::args::Compare;
use crate::{App, Failure};

#[derive(Serialize)]
struct Note {
    note: String,
}

impl App {
    pub fn compare(&self, args: &Compare) -> Result<(), Failure> {
        self.enrolled()?;
        let Some(text) = &args.note else {
            let note = self.device.heads_note()?.to_string();
            self.out.result(&Note { note: note.clone() }, || note);
            return Ok(());
        };
        let note: HeadsNote = text.parse().map_err(Failure::usage)?;
        let compared = self.device.compare(&note).map_err(|error| match error {
            CompareError::Storage(error) => error.into(),
            error => Failure::usage(error),
        })?;
        self.out.result(&compared, || self.compared(compared));
        match compared.split {
            0 => Ok(()),
            _ => Err(Failure::other(self.out.word(split_view_words()))),
        }
    }

    fn compared(&self, Compared { same, split, unknown }: Compared) -> String {
        self.out.say(
            format_args!("一致 {same} 处，矛盾 {split} 处，本机尚未读到 {unknown} 处"),
            format_args!("the same at {same}, contradicted at {split}, not read here at {unknown}"),
        )
    }
}
