//! Days as people write them. All days are UTC's.

use jiff::Span;
use jiff::civil::{Date, date};

const EPOCH: Date = date(1970, 1, 1);
const DAY_S: i64 = 86_400;

/// The day that is `days` days after 1 January 1970.
pub(super) fn show_day(days: i64) -> String {
    let span = Span::new().try_days(days);
    span.and_then(|span| EPOCH.checked_add(span)).map_or_else(|_| days.to_string(), |day| day.to_string())
}

/// The last day on which a key may be used that expires at `at_s`, or `never`.
pub(super) fn show_expiry(at_s: Option<i64>) -> String {
    at_s.map_or_else(|| "never".to_owned(), |at_s| show_day((at_s - 1).div_euclid(DAY_S)))
}

/// When a key expires that may be used up to and including the day `text`; 0 is never.
pub(super) fn parse_expiry(text: &str) -> Result<i64, String> {
    if text == "never" {
        return Ok(0);
    }
    let day: Date = text.parse().map_err(|_| "write a day like 2027-01-31, or never".to_owned())?;
    let days = EPOCH.until(day).map_err(|error| error.to_string())?.get_days();
    match i64::from(days) {
        days @ 0.. => Ok((days + 1) * DAY_S),
        _ => Err("it must be after 1970".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (days, text) in
            [(0, "1970-01-01"), (20_782, "2026-11-25"), (19_782, "2024-02-29"), (-1, "1969-12-31")]
        {
            assert_eq!(show_day(days), text);
        }
        assert_eq!(show_day(i64::MAX), i64::MAX.to_string());
    }

    #[test]
    fn a_key_may_be_used_on_the_day_it_expires() {
        assert_eq!(parse_expiry("1970-01-01"), Ok(86_400));
        assert_eq!(parse_expiry("2026-11-25"), Ok(20_783 * 86_400));
        for text in ["2026-11-25", "2024-02-29"] {
            assert_eq!(show_expiry(parse_expiry(text).ok()), text);
        }
        assert_eq!((parse_expiry("never"), show_expiry(None)), (Ok(0), "never".to_owned()));
        for text in ["", "tomorrow", "2026-13-01", "2026-02-30", "31.01.2027", "1969-12-31"] {
            assert!(parse_expiry(text).is_err(), "{text}");
        }
    }
}
