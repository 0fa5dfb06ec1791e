//! Full text that finds Chinese: every Han character is a token of its own, and what is typed without a space is looked for as a phrase, so two
//! characters (老张), one, or part of an address (12号3单元) are found anywhere in a longer run. A Latin word or number at a phrase's end is found from its
//! beginning, and long numbers also by their last four digits, which is how people name a phone or a case.

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;

/// Digits from which on a number is also found by its tail.
const LONG_NUMBER: usize = 8;
const TAIL: usize = 4;

/// Text as it is indexed: Han characters apart, and after each text the tails of its long numbers.
pub(super) fn segment(texts: &[&str]) -> String {
    let mut out = String::new();
    for text in texts {
        out.push_str(&apart(text));
        for number in text.split(|c: char| !c.is_ascii_digit()).filter(|number| number.len() >= LONG_NUMBER) {
            out.push(' ');
            out.push_str(&number[number.len() - TAIL..]);
        }
        out.push(' ');
    }
    out
}

/// Text with each Han character between spaces.
fn apart(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        if is_han(c) {
            out.extend([' ', c, ' ']);
        } else {
            out.push(c);
        }
    }
    out
}

/// What a person typed, as an FTS5 query: a phrase for each run without a space or sign in it; `None` when there is nothing to look for.
pub(super) fn query(typed: &str) -> Option<String> {
    let runs = typed.split(|c: char| !c.is_alphanumeric() && !is_han(c)).filter(|run| !run.is_empty());
    let phrases: Vec<String> = runs.map(phrase).collect();
    (!phrases.is_empty()).then(|| phrases.join(" AND "))
}

/// A run as a phrase of the index's tokens. Its last token is a beginning, unless it is a Han character.
fn phrase(run: &str) -> String {
    let begins = if run.ends_with(is_han) { "" } else { "*" };
    format!("\"{}\"{begins}", apart(run).split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Indexes a record's text in place of what was indexed before.
pub(super) fn index(db: &Connection, n: i64, texts: &[&str]) -> Result<(), StoreError> {
    let text = segment(texts);
    let before: Option<String> = db.prepare_cached("SELECT text FROM search WHERE rowid = ?1")?.query_row([n], |row| row.get(0)).optional()?;
    if before.as_ref() != Some(&text) {
        db.prepare_cached("INSERT OR REPLACE INTO search (rowid, text) VALUES (?1, ?2)")?.execute(params![n, text])?;
    }
    Ok(())
}

/// Takes every word of what was deleted or replaced out of the index. Until then FTS5 only marks it as gone. Its own `secure-delete` would do this at each
/// change: with 10,000 records that was two thirds of the time that a page of edits took.
pub(super) fn scrub(db: &Connection) -> Result<(), StoreError> {
    db.execute_batch("INSERT INTO search (search) VALUES ('optimize')")?;
    Ok(())
}

/// Unified ideographs with their extensions, and 〇.
const fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}' | '〇')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn han_is_taken_apart_and_numbers_get_a_tail() {
        assert_eq!(segment(&["3号楼"]).split_whitespace().collect::<Vec<_>>(), ["3", "号", "楼"]);
        assert_eq!(segment(&["13812348000"]).split_whitespace().collect::<Vec<_>>(), ["13812348000", "8000"]);
        assert_eq!(segment(&["13812348000室"]).split_whitespace().collect::<Vec<_>>(), ["13812348000", "室", "8000"]);
    }

    #[test]
    fn what_is_typed_becomes_phrases_and_prefixes() {
        assert_eq!(query("井盖").as_deref(), Some("\"井 盖\""));
        assert_eq!(query("张三 138").as_deref(), Some("\"张 三\" AND \"138\"*"));
        assert_eq!(query("3号楼a\"b").as_deref(), Some("\"3 号 楼 a\"* AND \"b\"*"));
        assert_eq!(query("13812348000室").as_deref(), Some("\"13812348000 室\""));
        assert_eq!(query("民主街12号1单元").as_deref(), Some("\"民 主 街 12 号 1 单 元\""));
        assert_eq!(query(" \"*() "), None);
    }
}
