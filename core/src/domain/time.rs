//! Time. Phone clocks lie: order is causal, and what a clock said is only kept beside what the server knows (`DESIGN` §7).

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// What both clocks of a machine said when something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
pub struct Stamp {
    /// Wall clock, milliseconds since 1970, as claimed.
    #[n(0)]
    pub wall_ms: i64,
    /// Milliseconds since the machine's boot.
    #[n(1)]
    pub mono_ms: u64,
}

/// The server's time at the last answer, and what the phone's clocks said then: what turns claims into an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
pub struct Anchor {
    /// The server's clock, milliseconds since 1970.
    #[n(0)]
    pub server_ms: i64,
    /// The phone's clocks when the answer came.
    #[n(1)]
    pub stamp: Stamp,
}

/// An interval that holds the true time, as the server derives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
pub struct Interval {
    /// Not before, milliseconds since 1970.
    #[n(0)]
    pub earliest_ms: i64,
    /// Not after, milliseconds since 1970.
    #[n(1)]
    pub latest_ms: i64,
}

/// A day of the Gregorian calendar, as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// Year.
    pub year: i64,
    /// Month, 1–12.
    pub month: i64,
    /// Day of the month, 1–31.
    pub day: i64,
}

/// Days from 1 March of year 0 to 1 January 1970.
const SHIFT: i64 = 719_468;
/// Days in 400 years.
const ERA: i64 = 146_097;

impl Date {
    /// The day so many days after 1 January 1970 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
    #[must_use]
    pub const fn from_days(days: i64) -> Self {
        let (era, of_era) = ((days + SHIFT).div_euclid(ERA), (days + SHIFT).rem_euclid(ERA));
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        Self { year: era * 400 + year_of_era + (month <= 2) as i64, month, day: of_year - (153 * shifted + 2) / 5 + 1 }
    }

    /// How many days after 1 January 1970 it is; `None` when there is no such day.
    #[must_use]
    pub fn days(self) -> Option<i64> {
        if !(1..=12).contains(&self.month) || !(1..=31).contains(&self.day) || self.year.abs() > 9_999 {
            return None;
        }
        let year = self.year - i64::from(self.month <= 2);
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * ((self.month + 9) % 12) + 2) / 5 + self.day - 1;
        let days = era * ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - SHIFT;
        (Self::from_days(days) == self).then_some(days)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_each_others_inverse() {
        for days in -800_000..800_000 {
            assert_eq!(Date::from_days(days).days(), Some(days));
        }
        assert_eq!(Date::from_days(0), Date { year: 1970, month: 1, day: 1 });
        assert_eq!(Date { year: 2026, month: 11, day: 25 }.days(), Some(20_782));
        for (year, month, day) in [(2026, 2, 29), (2100, 2, 29), (2026, 13, 1), (2026, 4, 31), (2026, 0, 1), (i64::MAX, 1, 1)] {
            assert_eq!(Date { year, month, day }.days(), None);
        }
    }
}
