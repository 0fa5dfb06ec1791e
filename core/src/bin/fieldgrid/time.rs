//! Times as people here write them: China's, UTC+8 all year.

use std::fmt;
use std::str::FromStr;

use fieldgrid_core::domain::time::Date;

const DAY_S: i64 = 86_400;
const ZONE_S: i64 = 8 * 3_600;

/// A moment, milliseconds since 1970; written `2026-11-25 17:30`, `2026-11-25`, or as milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub i64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.0.div_euclid(1_000) + ZONE_S;
        let Date { year, month, day } = Date::from_days(local.div_euclid(DAY_S));
        let second = local.rem_euclid(DAY_S);
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
        let (&[year, month, day], &[hour @ 0..=23, minute @ 0..=59]) = (&*numbers(date, '-')?, &*numbers(clock, ':')?) else {
            return Err(EXPECTED);
        };
        let days = Date { year, month, day }.days().ok_or(EXPECTED)?;
        Ok(Self((days * DAY_S + hour * 3_600 + minute * 60 - ZONE_S) * 1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_chinas() {
        assert_eq!(Moment(0).to_string(), "1970-01-01 08:00");
        assert_eq!("2026-11-25 17:30".parse(), Ok(Moment(1_795_599_000_000)));
        assert_eq!("2024-02-29 23:59".parse::<Moment>().map(|moment| moment.to_string()), Ok("2024-02-29 23:59".to_owned()));
        assert_eq!("2026-11-25".parse::<Moment>().map(|moment| moment.to_string()), Ok("2026-11-25 00:00".to_owned()));
        for wrong in ["2026-02-29", "2026-13-01", "25.11.2026", "soon", "2026-11-25 24:00"] {
            assert!(wrong.parse::<Moment>().is_err(), "{wrong}");
        }
    }
}
