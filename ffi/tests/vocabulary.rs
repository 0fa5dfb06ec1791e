//! The Kotlin layer has the engine's words and tables as a file of its own: screens, previews and the tests of apps want
//! them before, or without, the library. `UPDATE=1 cargo test -p fieldgrid-ffi --test vocabulary` writes it anew.

use std::fmt::{Debug, Write as _};
use std::path::Path;

use fieldgrid_core::domain::action::{ActionKind, Severity};
use fieldgrid_core::domain::case::State;
use fieldgrid_core::domain::case::kinds;
use fieldgrid_core::domain::fact::RevealReason;
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::words::{self, Words};
use fieldgrid_ffi::categories;

const FILE: &str = "kotlin/src/main/kotlin/org/fieldgrid/internal/Vocabulary.kt";

#[test]
fn kotlins_words_and_tables_are_the_engines() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let (expected, found) = (vocabulary(), std::fs::read_to_string(&file).unwrap_or_default());
    if found != expected && std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &expected).unwrap();
        return;
    }
    let first = expected.lines().zip(found.lines()).find(|(expected, found)| expected != found);
    assert!(found == expected, "{FILE}: {first:?}");
}

fn vocabulary() -> String {
    let mut out = String::from(
        "package org.fieldgrid.internal\n\nimport org.fieldgrid.*\n\n\
         /** The engine's words and tables. Made from the engine by `ffi/tests/vocabulary.rs`, which see. */\n\
         internal object Vocabulary {\n",
    );
    table(&mut out, "states", "CaseState", &with(State::ALL, State::Other(0)), words::state);
    table(&mut out, "actions", "ActionKind", &with(ActionKind::ALL, ActionKind::Other(0)), words::action);
    table(&mut out, "severities", "Severity", &with(Severity::ALL, Severity::Other(0)), words::severity);
    table(&mut out, "roles", "Role", &with(Role::ALL, Role::Other(0)), words::role);
    let reasons = with(RevealReason::ALL, RevealReason::Other(0));
    table(&mut out, "revealReasons", "RevealReason", &reasons, words::reveal_reason);

    out.push_str("    val requires: Map<ActionKind, List<ActionField>> = mapOf(\n");
    for kind in with(ActionKind::ALL, ActionKind::Other(0)) {
        let fields = kinds::spec(kind).map_or(&[][..], |spec| spec.fields);
        let fields: Vec<String> = fields.iter().map(|field| format!("ActionField.{}", constant(field))).collect();
        let _ = writeln!(out, "        ActionKind.{} to listOf({}),", constant(&kind), fields.join(", "));
    }
    out.push_str("    )\n\n    val categories: Map<String, Category> = listOf(\n");
    for category in categories() {
        let (code, severity) = (&category.code, constant(&category.severity));
        let words = said(&category.words.zh, &category.words.en);
        let _ = writeln!(out, "        Category(\"{code}\", {words}, Severity.{severity}),");
    }
    out.push_str("    ).associateBy(Category::code)\n}\n");
    out
}

fn with<C: Copy>(codes: &[C], other: C) -> Vec<C> {
    codes.iter().copied().chain([other]).collect()
}

fn table<C: Copy + Debug>(out: &mut String, name: &str, kind: &str, codes: &[C], words: fn(C) -> Words) {
    let _ = writeln!(out, "    val {name}: Map<{kind}, Words> = mapOf(");
    for code in codes {
        let Words { zh, en } = words(*code);
        let _ = writeln!(out, "        {kind}.{} to {},", constant(code), said(zh, en));
    }
    out.push_str("    )\n\n");
}

fn said(zh: &str, en: &str) -> String {
    assert!(!format!("{zh}{en}").contains(['"', '\\', '$']), "no text that Kotlin would read otherwise");
    format!("Words(\"{zh}\", \"{en}\")")
}

/// What uniffi calls a variant in Kotlin: `SelfResolve` is `SELF_RESOLVE`, and a newer version's code is `OTHER`.
fn constant(code: &impl Debug) -> String {
    let name = format!("{code:?}");
    let name = name.split('(').next().unwrap_or_default();
    let mut out = String::new();
    for (at, c) in name.char_indices() {
        if at > 0 && c.is_uppercase() {
            out.push('_');
        }
        out.extend(c.to_uppercase());
    }
    out
}
