//! Case numbers (`domain.md` §8): given at the effective acceptance, never on a phone.

use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::time::Date;

/// `HZ` + 9-digit town + `yyyymmdd` in China's time + 4-digit serial.
pub(super) fn of(town: AreaCode, day: &str, serial: u32) -> String {
    format!("HZ{town:0<9}{day}{serial:04}", town = town.to_string())
}

/// The day in China (UTC+8) as `yyyymmdd`.
pub(crate) fn day(now_ms: i64) -> String {
    const DAY_MS: i64 = 86_400_000;
    const CHINA_MS: i64 = 8 * 3_600_000;
    let days = (now_ms + CHINA_MS).div_euclid(DAY_MS);
    let Date { year, month, day } = Date::from_days(days);
    format!("{year:04}{month:02}{day:02}")
}

#[cfg(test)]
mod tests {
    use super::day;

    #[test]
    fn the_day_is_chinas() {
        assert_eq!(day(0), "19700101");
        // 2026-02-28 15:59:59 UTC is still the 28th in China, one second later it is March.
        assert_eq!(day(1_772_294_399_000), "20260228");
        assert_eq!(day(1_772_294_400_000), "20260301");
        assert_eq!(day(1_709_164_800_000), "20240229");
    }
}
