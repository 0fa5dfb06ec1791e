//! What is measured, what it must reach, and how it is told.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

/// A figure's name with what it is held against (`docs/benchmarks.md`).
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    pub name: &'static str,
    pub unit: &'static str,
    pub bar: f64,
    pub aim: f64,
    /// Larger is better.
    pub more: bool,
    /// What others need for the same work.
    pub others: &'static str,
}

const fn at_most(name: &'static str, unit: &'static str, bar: f64, aim: f64, others: &'static str) -> Spec {
    Spec { name, unit, bar, aim, more: false, others }
}

/// Every figure, in the order they are told. The mobile library's size joins them with the library.
pub const SPECS: &[Spec] = &[
    at_most("idle_400_bytes", "bytes", 300.0, 240.0, "REST 238; cr-sqlite 280; Loro 432; automerge-repo 146,282"),
    at_most("idle_10000_bytes", "bytes", 300.0, 240.0, "REST 622; Loro 1,841; cr-sqlite 7,000; PouchDB 148,260"),
    at_most("idle_desk_25_grids_bytes", "bytes", 300.0, 240.0, ""),
    at_most("idle_round_trips", "round trips", 1.0, 1.0, "REST 1; Loro 3; Yjs 5; PouchDB 9"),
    at_most("first_load_bytes", "bytes", 140_156.0, 119_133.0, "REST 142,842; Loro 151,743; Yjs 208,260; automerge-repo 683,642"),
    at_most("first_load_ms", "ms", 300.0, 50.0, "REST 46; RxDB 254; Loro 346; automerge-repo 3,435"),
    at_most("first_load_round_trips", "round trips", 3.0, 1.0, "REST 1; Loro 3; PouchDB 24"),
    at_most("evening_device_bytes", "bytes", 38_341.0, 30_673.0, "Loro 38,500; REST 74,400 (20 devices' bytes / 20)"),
    at_most("evening_device_round_trips", "round trips", 2.0, 2.0, ""),
    at_most("evening_town_ms", "ms", 3_000.0, 600.0, "REST 567 (and loses edits); Loro 2,251; PouchDB 5,075; automerge-repo 24,786"),
    at_most("evening_town_bytes", "bytes", 763_008.0, 610_406.0, "Loro 770,850; Yjs 860,416; REST 1,488,851; PouchDB 6,553,322"),
    at_most("weak_first_load_s", "s", 18.0, 16.0, "REST 18.5; Loro 20.6; PouchDB 31.6"),
    at_most("weak_evening_s", "s", 5.5, 5.0, "Loro 6.3; REST 10.1; PouchDB 39.5"),
    at_most("save_p99_ms", "ms", 20.0, 5.0, ""),
    at_most("list_10000_ms", "ms", 5.0, 1.0, ""),
    at_most("search_10000_ms", "ms", 5.0, 1.0, ""),
    at_most("open_10000_ms", "ms", 50.0, 15.0, ""),
    Spec { name: "admission_per_core_per_s", unit: "changes/s", bar: 1_500.0, aim: 5_000.0, more: true, others: "" },
    at_most("server_rss_mb", "MB", 256.0, 128.0, ""),
];

/// A figure as a machine reads it.
#[derive(Debug, Serialize)]
struct Line<'a> {
    name: &'a str,
    value: f64,
    unit: &'a str,
    bar: f64,
    aim: f64,
    met: bool,
    how: &'a str,
}

/// The figures of a run.
#[derive(Debug, Default)]
pub struct Figures {
    only: Vec<String>,
    known: BTreeMap<&'static str, (f64, String)>,
}

impl Figures {
    /// Figures of which only some are wanted; all when `only` is empty.
    pub fn new(only: Vec<String>) -> Result<Self, String> {
        match only.iter().find(|name| SPECS.iter().all(|spec| spec.name != **name)) {
            Some(name) => Err(format!("no figure is called {name}; there are {}", SPECS.iter().map(|spec| spec.name).collect::<Vec<_>>().join(", "))),
            None => Ok(Self { only, known: BTreeMap::new() }),
        }
    }

    /// Whether any of these is wanted.
    pub fn want(&self, names: &[&str]) -> bool {
        self.only.is_empty() || names.iter().any(|name| self.only.iter().any(|only| only == name))
    }

    /// Notes a figure and how it came about.
    pub fn put(&mut self, name: &'static str, value: f64, how: impl Into<String>) {
        if self.want(&[name]) {
            self.known.insert(name, ((value * 1000.0).round() / 1000.0, how.into()));
        }
    }

    /// A figure noted before.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.known.get(name).map(|(value, _)| *value)
    }

    /// One JSON object a line.
    pub fn lines(&self) -> String {
        self.rows().fold(String::new(), |mut text, (spec, value, how)| {
            let Spec { name, unit, bar, aim, .. } = *spec;
            let line = Line { name, value, unit, bar, aim, met: spec.reached(value, bar), how };
            text.push_str(&serde_json::to_string(&line).expect("plain numbers and words"));
            text.push('\n');
            text
        })
    }

    /// The table for people.
    pub fn table(&self) -> String {
        let mut text = "| figure | measured | bar | aim | others on the same work |\n|---|---:|---:|---:|---|\n".to_owned();
        for (spec, value, _) in self.rows() {
            let verdict = if spec.reached(value, spec.aim) {
                ""
            } else if spec.reached(value, spec.bar) {
                " ·"
            } else {
                " ✗"
            };
            let (value, bar, aim) = (number(value), number(spec.bar), number(spec.aim));
            writeln!(text, "| `{}` | **{value}** {}{verdict} | {bar} | {aim} | {} |", spec.name, spec.unit, spec.others).expect("memory");
        }
        text.push_str("\n(`·` within the bar, short of the aim; `✗` the bar is missed)\n");
        text
    }

    fn rows(&self) -> impl Iterator<Item = (&'static Spec, f64, &str)> {
        SPECS.iter().filter_map(|spec| self.known.get(spec.name).map(|(value, how)| (spec, *value, how.as_str())))
    }
}

impl Spec {
    fn reached(&self, value: f64, mark: f64) -> bool {
        if self.more { value >= mark } else { value <= mark }
    }
}

/// With separators between thousands, and no more digits than say something.
fn number(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.2}").trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The middle one; of an even number the lower.
pub fn median<T: PartialOrd + Copy>(values: &[T]) -> T {
    percentile(values, 50)
}

/// The value that `percent` of a hundred do not exceed.
pub fn percentile<T: PartialOrd + Copy>(values: &[T], percent: usize) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
    sorted[(sorted.len() * percent).div_ceil(100).clamp(1, sorted.len()) - 1]
}
