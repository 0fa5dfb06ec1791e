//! Times as text, `2026-01-01T01:00:00Z`, and as seconds since 1970.

use crate::domain::time::Date;

/// Seconds since 1970 of exactly this form of text; `None` when [`text`] would not give the same.
pub(super) fn seconds(time: &[u8]) -> Option<i64> {
    if time.len() != 20 {
        return None;
    }
    let part = |from: usize, len: usize| std::str::from_utf8(time.get(from..from + len)?).ok()?.parse::<i64>().ok();
    let days = Date { year: part(0, 4)?, month: part(5, 2)?, day: part(8, 2)? }.days()?;
    let seconds = ((days * 24 + part(11, 2)?) * 60 + part(14, 2)?) * 60 + part(17, 2)?;
    (text(seconds)?.as_bytes() == time).then_some(seconds)
}

/// The text of seconds since 1970, from 1970 to 9999.
pub(super) fn text(seconds: i64) -> Option<String> {
    if !(0..253_402_300_800).contains(&seconds) {
        return None;
    }
    let (Date { year, month, day }, in_day) = (Date::from_days(seconds / 86_400), seconds % 86_400);
    Some(format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", in_day / 3_600, in_day / 60 % 60, in_day % 60))
}
