//! Full text that finds Chinese: every Han character is a token of its own, and a run of them is looked for as a phrase, so two characters (老张) or one
//! are found anywhere in a longer run. Latin words and digits are found from their beginning, and long numbers also by their last four digits, which is
//! how people name a phone or a case.

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;

/// Digits from which on a number is also found by its tail.
const LONG_NUMBER: usize = 8;
const TAIL: usize = 4;

/// Text as it is indexed: Han characters apart, tails of long numbers added.
pub(super) fn segment(texts: &[&str]) -> String {
    let mut out = String::new();
    for text in texts {
        let mut digits = 0;
        let mut tail = String::new();
        for c in text.chars() {
            if c.is_ascii_digit() {
                digits += 1;
                tail.push(c);
            } else {
                push_tail(&mut out, digits, &tail);
                digits = 0;
                tail.clear();
            }
            if is_han(c) {
                out.push(' ');
                out.push(c);
                out.push(' ');
            } else {
                out.push(c);
            }
        }
        push_tail(&mut out, digits, &tail);
        out.push(' ');
    }
    out
}

fn push_tail(out: &mut String, digits: usize, number: &str) {
    if digits >= LONG_NUMBER {
        out.push(' ');
        out.push_str(&number[number.len() - TAIL..]);
        out.push(' ');
    }
}

/// What a person typed, as an FTS5 query; `None` when there is nothing to look for.
pub(super) fn query(typed: &str) -> Option<String> {
    let mut terms: Vec<String> = Vec::new();
    let mut han = String::new();
    let mut word = String::new();
    for c in typed.chars().chain([' ']) {
        if is_han(c) {
            flush_word(&mut terms, &mut word);
            if !han.is_empty() {
                han.push(' ');
            }
            han.push(c);
        } else {
            if !han.is_empty() {
                terms.push(format!("\"{}\"", std::mem::take(&mut han)));
            }
            if c.is_alphanumeric() {
                word.push(c);
            } else {
                flush_word(&mut terms, &mut word);
            }
        }
    }
    (!terms.is_empty()).then(|| terms.join(" AND "))
}

fn flush_word(terms: &mut Vec<String>, word: &mut String) {
    if !word.is_empty() {
        terms.push(format!("\"{}\"*", std::mem::take(word)));
    }
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
    }

    #[test]
    fn what_is_typed_becomes_phrases_and_prefixes() {
        assert_eq!(query("井盖").as_deref(), Some("\"井 盖\""));
        assert_eq!(query("张三 138").as_deref(), Some("\"张 三\" AND \"138\"*"));
        assert_eq!(query("3号楼a\"b").as_deref(), Some("\"3\"* AND \"号 楼\" AND \"a\"* AND \"b\"*"));
        assert_eq!(query(" \"*() "), None);
    }
}
