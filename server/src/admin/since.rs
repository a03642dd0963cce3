//! From when on: a moment, or an age.

use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use thiserror::Error;

/// From when on something is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// Since then.
    Moment(Timestamp),
    /// Since so long ago.
    Age(Duration),
}

/// It is neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a date (2026-11-24), a time (2026-11-24T15:00:00Z) or an age (90m, 2h, 7d)")]
pub struct SinceError;

impl Since {
    /// In milliseconds since 1970.
    pub fn milliseconds(self, now: Timestamp) -> i64 {
        match self {
            Self::Moment(moment) => moment.as_millisecond(),
            Self::Age(age) => {
                now.as_millisecond().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
            }
        }
    }
}

impl FromStr for Since {
    type Err = SinceError;

    fn from_str(input: &str) -> Result<Self, SinceError> {
        if let Some(age) = age(input) {
            return Ok(Self::Age(age));
        }
        if let Ok(moment) = input.parse() {
            return Ok(Self::Moment(moment));
        }
        // Without a zone it is as a text export shows it.
        let moment = input.parse::<DateTime>().and_then(|moment| TimeZone::UTC.to_timestamp(moment));
        moment.map(Self::Moment).map_err(|_| SinceError)
    }
}

fn age(input: &str) -> Option<Duration> {
    let unit = input.chars().next_back()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        'w' => 7 * 24 * 60 * 60,
        _ => return None,
    };
    let number: u64 = input.strip_suffix(unit)?.parse().ok()?;
    number.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-24T15:00:00Z.
    const THEN: i64 = 1_795_532_400_000;

    #[test]
    fn a_moment_is_a_date_or_a_time_in_utc_unless_it_says_otherwise() {
        let now = Timestamp::MAX;
        for (input, expected) in [
            ("2026-11-24", THEN - 15 * 3_600_000),
            ("2026-11-24T15:00:00Z", THEN),
            ("2026-11-24T16:00:00+01:00", THEN),
            ("2026-11-24T15:00:00", THEN),
            ("2026-11-24 15:00:00", THEN),
            ("2026-11-24T15:00:00.250Z", THEN + 250),
        ] {
            let since = input.parse::<Since>().unwrap();
            assert_eq!(since.milliseconds(now), expected, "{input}");
        }
    }

    #[test]
    fn an_age_is_taken_from_now() {
        let now = Timestamp::from_millisecond(THEN).unwrap();
        for (input, ago) in
            [("0s", 0), ("90m", 5_400_000), ("2h", 7_200_000), ("7d", 604_800_000), ("1w", 604_800_000)]
        {
            assert_eq!(input.parse::<Since>().unwrap().milliseconds(now), THEN - ago, "{input}");
        }
        let long = format!("{}s", u64::MAX).parse::<Since>().unwrap();
        assert!(long.milliseconds(now) < 0, "since ever");
    }

    #[test]
    fn nothing_else_is_a_time() {
        for input in ["", "h", "-1h", "2 h", "1.5h", "2y", "yesterday", "2026-13-01", "24.11.2026", "é", "12"]
        {
            assert_eq!(input.parse::<Since>(), Err(SinceError), "{input:?}");
        }
        assert!("2026-11-24T15:00:00+99:00".parse::<Since>().is_err(), "a zone is not passed over");
    }
}
