//! Times as text, `2026-01-01T01:00:00Z`, and as seconds since 1970 (Howard Hinnant's `days_from_civil` and back).

/// Seconds since 1970 of exactly this form of text; `None` when [`text`] would not give the same.
pub(super) fn seconds(time: &[u8]) -> Option<i64> {
    if time.len() != 20 {
        return None;
    }
    let part = |from: usize, len: usize| std::str::from_utf8(time.get(from..from + len)?).ok()?.parse::<i64>().ok();
    let (year, month, day) = (part(0, 4)?, part(5, 2)?, part(8, 2)?);
    let (hour, minute, second) = (part(11, 2)?, part(14, 2)?, part(17, 2)?);
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    (text(seconds)?.as_bytes() == time).then_some(seconds)
}

/// The text of seconds since 1970, from 1970 to 9999.
pub(super) fn text(seconds: i64) -> Option<String> {
    if !(0..253_402_300_800).contains(&seconds) {
        return None;
    }
    let (days, in_day) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    Some(format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", in_day / 3_600, in_day / 60 % 60, in_day % 60))
}
