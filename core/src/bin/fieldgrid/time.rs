//! Times as people here write them: China's, UTC+8 all year.

use std::fmt;
use std::str::FromStr;

const DAY_S: i64 = 86_400;
const ZONE_S: i64 = 8 * 3_600;

/// A moment, milliseconds since 1970; written `2026-11-25 17:30`, `2026-11-25`, or as milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub i64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.0.div_euclid(1_000) + ZONE_S;
        let (days, second) = (local.div_euclid(DAY_S), local.rem_euclid(DAY_S));
        // Days to a date in the proleptic Gregorian calendar: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        write!(f, "{year:04}-{month:02}-{day:02} {:02}:{:02}", second / 3_600, second / 60 % 60)
    }
}

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "a time like 2026-11-25 17:30, 2026-11-25, or milliseconds since 1970";
        if let Ok(ms) = text.parse() {
            return Ok(Self(ms));
        }
        let (date, clock) = text.split_once([' ', 'T']).unwrap_or((text, "00:00"));
        let numbers = |text: &str, separator: char| text.split(separator).map(str::parse).collect::<Result<Vec<i64>, _>>().map_err(|_| EXPECTED);
        let (&[year, month @ 1..=12, day @ 1..=31], &[hour @ 0..=23, minute @ 0..=59]) = (&*numbers(date, '-')?, &*numbers(clock, ':')?) else {
            return Err(EXPECTED);
        };
        // days_from_civil of the same source.
        let shifted_year = year - i64::from(month <= 2);
        let era = shifted_year.div_euclid(400);
        let year_of_era = shifted_year.rem_euclid(400);
        let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
        let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468;
        let moment = Self((days * DAY_S + hour * 3_600 + minute * 60 - ZONE_S) * 1_000);
        if moment.to_string().get(..10) == Some(&format!("{year:04}-{month:02}-{day:02}")) { Ok(moment) } else { Err(EXPECTED) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_chinas() {
        assert_eq!(Moment(0).to_string(), "1970-01-01 08:00");
        assert_eq!("2026-11-25 17:30".parse(), Ok(Moment(1_795_599_000_000)));
        for text in ["2000-02-29 00:00", "2024-02-29 23:59", "1999-12-31 12:00", "2100-03-01 00:01"] {
            assert_eq!(text.parse::<Moment>().unwrap().to_string(), text);
        }
        assert_eq!("2026-11-25".parse::<Moment>().unwrap().to_string(), "2026-11-25 00:00");
        for wrong in ["2026-02-29", "2026-13-01", "25.11.2026", "soon", "2026-11-25 24:00"] {
            assert!(wrong.parse::<Moment>().is_err(), "{wrong}");
        }
    }
}
