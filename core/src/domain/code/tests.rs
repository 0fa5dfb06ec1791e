//! `docs/codes.md` says what the code says.

use std::collections::BTreeMap;
use std::path::Path;

use crate::domain::action::{ActionKind, Severity};
use crate::domain::case::{RULES, State};
use crate::domain::fact::{FactKind, RevealReason, VisitKind, VisitResult};
use crate::domain::grant::Role;
use crate::domain::household::{FieldSpec, HOUSEHOLD_FIELDS, PERSON_FIELDS};
use crate::domain::mask::MaskClass;
use crate::domain::server_fact::Instruction;

/// A code with its number, its name and its doc comment.
pub(crate) trait Documented {
    const ROWS: &'static [(u8, &'static str, &'static str)];
}

/// After a change of the code: `INSTA_UPDATE=always cargo test -p fieldgrid-core codes_page`, as for the snapshots.
#[test]
fn the_codes_page_has_every_table_as_it_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/codes.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let expected = with_tables(&page);
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&path, expected).unwrap();
        return;
    }
    for (at, (line, expected)) in (1..).zip(page.lines().zip(expected.lines())) {
        assert_eq!(line, expected, "docs/codes.md:{at}");
    }
    assert_eq!(page, expected);
    assert!(page.contains(&format!("The rules version that is sent is {RULES}.")));
}

/// The page with these tables made anew; everything else is left as it is written.
fn with_tables(page: &str) -> String {
    let tables = BTreeMap::from([
        ("Roles", codes::<Role>()),
        ("Kinds of actions", codes::<ActionKind>()),
        ("Severity", codes::<Severity>()),
        ("States of a case", codes::<State>()),
        ("Kinds of facts", codes::<FactKind>()),
        ("Instructions", codes::<Instruction>()),
        ("Masks of a household's view", codes::<MaskClass>()),
        ("Visits: kind", codes::<VisitKind>()),
        ("Visits: result", codes::<VisitResult>()),
        ("Reveals: reason", codes::<RevealReason>()),
        ("Fields of a household", fields(HOUSEHOLD_FIELDS)),
        ("Fields of a person", fields(PERSON_FIELDS)),
    ]);
    let mut whole = String::new();
    let mut table = None;
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            table = tables.get(heading).map(String::as_str);
        }
        match (&mut table, line.starts_with('|')) {
            (Some(table), true) => whole.push_str(std::mem::take(table)),
            _ => whole.extend([line, "\n"]),
        }
    }
    for (heading, table) in &tables {
        assert!(whole.contains(table), "docs/codes.md has no table under {heading:?}");
    }
    whole
}

fn codes<C: Documented>() -> String {
    let rows = C::ROWS.iter().map(|(code, name, doc)| format!("| {code} | `{name}` | {} |\n", doc.trim()));
    format!("| code | name | |\n|---|---|---|\n{}", rows.collect::<String>())
}

fn fields(fields: &[FieldSpec]) -> String {
    let rows = fields.iter().map(|field| format!("| `{}` | {:?} | {} |\n", field.name, field.sensitivity, field.max_chars));
    format!("| name | | longest |\n|---|---|---|\n{}", rows.collect::<String>())
}
