//! The month after which a card is no longer valid. Reading it off the card is `parse`'s work.

use std::fmt;

/// A month and a full year; the earlier one is the smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Expiry {
    // The order of the fields gives the order of the dates.
    year: u16,
    month: u8,
}

impl Expiry {
    /// Years that a card in use can carry: two printed digits 00 to 49. 12/49 is a real nominal expiry.
    pub const YEARS: std::ops::RangeInclusive<u16> = 2000..=2049;

    /// `month` is 1 to 12, `year` has four digits and lies in [`Self::YEARS`]; otherwise `None`.
    pub fn new(month: u8, year: u16) -> Option<Self> {
        ((1..=12).contains(&month) && Self::YEARS.contains(&year)).then_some(Self { year, month })
    }

    /// 1 to 12.
    pub const fn month(self) -> u8 {
        self.month
    }

    /// Four digits.
    pub const fn year(self) -> u16 {
        self.year
    }
}

/// `MM/YY`.
impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}/{:02}", self.month, self.year % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_months_and_years_in_range_only() {
        for (month, year, text) in [
            (1, 2000, Some("01/00")),
            (12, 2049, Some("12/49")),
            (9, 2027, Some("09/27")),
            (0, 2027, None),
            (13, 2027, None),
            (6, 1999, None),
            (6, 2050, None),
            (6, 27, None),
        ] {
            assert_eq!(Expiry::new(month, year).map(|e| e.to_string()).as_deref(), text, "{month} {year}");
        }
    }

    #[test]
    fn earlier_is_smaller() {
        let date = |month, year| Expiry::new(month, year).unwrap();
        assert!(date(12, 2026) < date(1, 2027));
        assert!(date(3, 2027) < date(4, 2027));
        assert_eq!((date(4, 2027).month(), date(4, 2027).year()), (4, 2027));
    }
}
