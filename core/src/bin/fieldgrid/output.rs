//! The only place that prints.

use std::fmt::Display;

use fieldgrid_core::domain::words::Words;
use serde::Serialize;

use crate::args::Lang;

/// Where messages go, in which language and form.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    lang: Lang,
    json: bool,
}

impl Out {
    pub const fn new(lang: Lang, json: bool) -> Self {
        Self { lang, json }
    }

    /// The text in the language asked for.
    pub fn say(&self, zh: impl Display, en: impl Display) -> String {
        match self.lang {
            Lang::Zh => zh.to_string(),
            Lang::En => en.to_string(),
        }
    }

    /// A code's name in the language asked for.
    pub fn word(&self, words: Words) -> &'static str {
        match self.lang {
            Lang::Zh => words.zh,
            Lang::En => words.en,
        }
    }

    /// A result: the value where JSON is asked for, else the text.
    pub fn result(&self, value: &impl Serialize, text: impl FnOnce() -> String) {
        if self.json {
            self.json(value);
        } else {
            self.line(text());
        }
    }

    /// A value as JSON.
    pub fn json(&self, value: &impl Serialize) {
        self.line(pretty(value));
    }

    /// A line on standard output. A reader that has gone away is no failure.
    #[expect(clippy::unused_self, reason = "all printing goes through here")]
    pub fn line(&self, text: impl Display) {
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }

    /// A warning or an error, beside the results.
    #[expect(clippy::unused_self, reason = "all printing goes through here")]
    pub fn warn(&self, text: impl Display) {
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}

/// The text that `show --json` prints and `export` writes.
pub fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("what is shown has string keys")
}

/// Lines of columns, aligned. A Han character is two columns wide.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns).map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, widest)| format!("{cell}{}", " ".repeat(widest - width(cell))));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// East Asian wide characters, roughly: from Hangul Jamo on everything but a few scripts that do not occur here.
fn width(text: &str) -> usize {
    text.chars().map(|c| if c < '\u{1100}' { 1 } else { 2 }).sum()
}
