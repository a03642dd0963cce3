//! Amounts with a unit: ages and sizes.

use std::time::Duration;

use super::Limit;

/// An age such as `12h`, `30d` or `1y`, or `off`.
pub(super) fn age(input: &str) -> Result<Limit<Duration>, &'static str> {
    const HOUR: u64 = 60 * 60;
    const UNITS: [(&str, u64); 5] =
        [("m", 60), ("h", HOUR), ("d", 24 * HOUR), ("w", 7 * 24 * HOUR), ("y", 365 * 24 * HOUR)];
    match amount(input, &UNITS) {
        Some(Limit::Of(seconds)) => Ok(Limit::Of(Duration::from_secs(seconds))),
        Some(Limit::Off) => Ok(Limit::Off),
        None => Err(
            "a number of minutes, hours, days, weeks or years, such as 90m, 12h, 30d, 4w or 1y, or \"off\"",
        ),
    }
}

/// A size such as `100M` or `2G`, or `off`.
pub(super) fn size(input: &str) -> Result<Limit<u64>, &'static str> {
    const UNITS: [(&str, u64); 5] = [("", 1), ("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1 << 40)];
    amount(input, &UNITS).ok_or("a number of bytes, such as 500K, 100M or 2G, or \"off\"")
}

fn amount(input: &str, units: &[(&str, u64)]) -> Option<Limit<u64>> {
    if input == "off" {
        return Some(Limit::Off);
    }
    let digits = input.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = input.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    let amount = number.parse::<u64>().ok()?.checked_mul(*factor)?;
    // As milliseconds, and in the database, it has to fit as well.
    (1..=i64::MAX as u64 / 1_000).contains(&amount).then_some(Limit::Of(amount))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_a_unit() {
        let hours = |hours: u64| Ok(Limit::Of(Duration::from_secs(hours * 60 * 60)));
        assert_eq!(age("90m"), Ok(Limit::Of(Duration::from_secs(5_400))));
        assert_eq!(age("12h"), hours(12));
        assert_eq!(age("30d"), hours(720));
        assert_eq!(age("2W"), hours(336));
        assert_eq!(age("1y"), hours(8_760));
        assert_eq!(age("off"), Ok(Limit::Off));
        for wrong in ["", "12", "h", "0d", "-1d", "1.5d", "1 d", "3 months", "1é", "99999999999999999999d"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_size_is_in_bytes_or_multiples_of_1024() {
        assert_eq!(size("100M"), Ok(Limit::Of(100 << 20)));
        assert_eq!(size("2g"), Ok(Limit::Of(2 << 30)));
        assert_eq!(size("1000"), Ok(Limit::Of(1_000)));
        assert_eq!(size("off"), Ok(Limit::Off));
        for wrong in ["", "M", "0", "0K", "2GB", "999999999T"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
