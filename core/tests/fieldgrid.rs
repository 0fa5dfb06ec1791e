//! The command line without a server: what it says, in which form, and how it ends.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn fieldgrid(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fieldgrid"))
        .env_clear()
        .args(["--store", folder.join("phone.db").to_str().expect("a path in Unicode")])
        .args(args)
        .output()
        .expect("the binary runs")
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

#[test]
fn the_key_is_made_once_for_its_owner_only_and_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let first = fieldgrid(folder.path(), &["status"]);
    assert_eq!(code(&first), Some(0));
    assert!(String::from_utf8(first.stderr).unwrap().contains("phone.db.key"));
    let key = folder.path().join("phone.db.key");
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&key).unwrap().permissions()) & 0o777, 0o600);
    assert!(fieldgrid(folder.path(), &["status"]).stderr.is_empty());

    std::fs::write(&key, "ab".repeat(32)).unwrap();
    let wrong = fieldgrid(folder.path(), &["status"]);
    assert_eq!(code(&wrong), Some(7));
    assert_eq!(String::from_utf8(wrong.stderr).unwrap().lines().count(), 1, "one reason, and nothing from beneath");
    std::fs::remove_file(&key).unwrap();
    assert_eq!(code(&fieldgrid(folder.path(), &["status"])), Some(7), "a store whose key is gone gets no new one");
}

#[test]
fn status_is_json_for_scripts_and_words_for_people() {
    let folder = tempfile::tempdir().unwrap();
    let status: Value = serde_json::from_slice(&fieldgrid(folder.path(), &["status", "--json"]).stdout).unwrap();
    assert_eq!((&status["enrolment"], &status["store"]["unsent"]), (&Value::Null, &0.into()));
    let zh = String::from_utf8(fieldgrid(folder.path(), &["status"]).stdout).unwrap();
    assert!(zh.contains("尚未入网"), "{zh}");
    let en = String::from_utf8(fieldgrid(folder.path(), &["status", "--lang", "en"]).stdout).unwrap();
    assert!(en.contains("not enrolled") && en.is_ascii(), "{en}");
}

#[test]
fn every_failure_has_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let root = "ab".repeat(32);
    let nowhere = format!("fieldgrid:1?server=http://127.0.0.1:1&code=ABCD&root={root}");
    let cases: &[(&[&str], i32)] = &[
        (&["report", "--title", "井盖破损"], 3),
        (&["household", "list"], 3),
        (&["household", "reveal", "3f9a", "--person", "01234567-89ab-7def-8123-456789abcdef"], 2),
        (&["household", "reveal", "3f9a", "--person", "01234567-89ab-7def-8123-456789abcdef", "--reason", "form"], 3),
        (&["sync"], 3),
        (&["enrol", &nowhere], 3),
        (&["enrol", "not an invite"], 2),
        (&["act", "3f9a", "no_such_kind"], 2),
        (&["report", "--lat", "33.1"], 2),
        (&["show", "3f9a1c"], 6),
        (&["list"], 0),
        (&["refused", "list"], 0),
    ];
    for (args, expected) in cases {
        let output = fieldgrid(folder.path(), args);
        assert_eq!(code(&output), Some(*expected), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(*expected == 0 || !output.stderr.is_empty(), "{args:?} says why");
    }
}

#[test]
fn an_invite_is_shown_as_a_code() {
    let folder = tempfile::tempdir().unwrap();
    let invite = format!("fieldgrid:1?server=https://sync.example.cn&code=ABCD&root={}", "ab".repeat(32));
    let shown = String::from_utf8(fieldgrid(folder.path(), &["invite-qr", &invite]).stdout).unwrap();
    let lines: Vec<_> = shown.lines().collect();
    assert!(lines.len() > 20 && lines.iter().all(|line| line.chars().count() == lines[0].chars().count()), "{shown}");
    assert!(!folder.path().join("phone.db").exists(), "nothing is opened for it");
}
