//! The generator's times: `2026-01-01T01:00:00Z`.

use fieldgrid_core::domain::time::{Date, Stamp};

/// A phone that was switched on at the end of 2024.
const BOOT_MS: i64 = 1_735_000_000_000;
const DAY_S: i64 = 86_400;

/// What the clocks of that phone said then.
pub(super) fn stamp(time: &str) -> Stamp {
    let wall_ms = parse(time).unwrap_or(BOOT_MS);
    Stamp { wall_ms, mono_ms: u64::try_from(wall_ms - BOOT_MS).unwrap_or_default() }
}

/// Milliseconds since 1970 as the generator writes them.
pub(super) fn time_text(ms: i64) -> String {
    let (days, in_day) = (ms.div_euclid(DAY_S * 1_000), ms.rem_euclid(DAY_S * 1_000) / 1_000);
    let Date { year, month, day } = Date::from_days(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", in_day / 3_600, in_day / 60 % 60, in_day % 60)
}

fn parse(text: &str) -> Option<i64> {
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let days = Date { year: part(0..4)?, month: part(5..7)?, day: part(8..10)? }.days()?;
    Some((days * DAY_S + part(11..13)? * 3_600 + part(14..16)? * 60 + part(17..19)?) * 1_000)
}
