//! The card number: 13 to 19 digits that never reach a log. Finding it in a picture is `parse`'s work.

use std::fmt;
use std::str::FromStr;

/// A card number (primary account number). `Debug` and `Display` print it masked; only [`Pan::digits`]
/// gives it in the clear.
#[derive(Clone, PartialEq, Eq)]
pub struct Pan(String);

/// Why a text is not a card number. Never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PanError {
    /// Something else than the digits 0 to 9, a gap included.
    #[error("a card number has digits only")]
    NotDigits,
    /// Digits, but fewer than 13 or more than 19.
    #[error("a card number has 13 to 19 digits, not {0}")]
    Length(usize),
}

impl Pan {
    /// Fewest digits. ISO/IEC 7812-1 allows fewer, but the shortest in use have 13.
    pub const MIN_DIGITS: usize = 13;
    /// Most digits, by ISO/IEC 7812-1.
    pub const MAX_DIGITS: usize = 19;

    /// The digits, in the clear.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// The first `n` digits; all when there are fewer.
    pub fn bin(&self, n: usize) -> &str {
        self.0.get(..n).unwrap_or(&self.0)
    }

    /// Whether the last digit is the check digit of ISO/IEC 7812-1 annex B. Some genuine series do not
    /// follow it, so it is evidence and never a gate.
    pub fn luhn_valid(&self) -> bool {
        luhn_sum(self.0.bytes()).is_multiple_of(10)
    }
}

/// Sum of the digits, every second from the right doubled and its own digits added up.
fn luhn_sum(digits: impl DoubleEndedIterator<Item = u8>) -> u32 {
    digits
        .rev()
        .zip([false, true].into_iter().cycle())
        .map(|(ascii, double)| {
            let digit = u32::from(ascii - b'0') << u32::from(double);
            digit / 10 + digit % 10
        })
        .sum()
}

impl FromStr for Pan {
    type Err = PanError;

    fn from_str(text: &str) -> Result<Self, PanError> {
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(PanError::NotDigits);
        }
        if !(Self::MIN_DIGITS..=Self::MAX_DIGITS).contains(&text.len()) {
            return Err(PanError::Length(text.len()));
        }
        Ok(Self(text.to_owned()))
    }
}

/// First six and last four digits, as PCI DSS 3.4.1 allows them to be shown; `*` for the others.
impl fmt::Display for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.0.len().saturating_sub(4);
        self.0.chars().enumerate().try_for_each(|(i, digit)| {
            let shown = if (6..last).contains(&i) { '*' } else { digit };
            write!(f, "{shown}")
        })
    }
}

impl fmt::Debug for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pan({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pan(text: &str) -> Pan {
        text.parse().unwrap()
    }

    #[test]
    fn takes_13_to_19_digits_only() {
        for (text, refused) in [
            ("4000000000006", None),
            ("4111111111111111", None),
            ("6222000000000000000", None),
            ("", Some(PanError::Length(0))),
            ("400000000000", Some(PanError::Length(12))),
            ("62220000000000000000", Some(PanError::Length(20))),
            ("4111 1111 1111 1111", Some(PanError::NotDigits)),
            ("411111111111111I", Some(PanError::NotDigits)),
            ("４１１１１１１１１１１１１１１１", Some(PanError::NotDigits)),
        ] {
            assert_eq!(text.parse::<Pan>().err(), refused, "{text}");
        }
    }

    #[test]
    fn luhn() {
        for (text, valid) in [
            ("4111111111111111", true),
            ("4111111111111112", false),
            ("4000000000006", true),
            ("378282246310005", true),
            ("6222000000000000", false),
            ("6222000000000009", true),
            ("6222000000000000001", false),
            ("0000000000000", true),
        ] {
            assert_eq!(pan(text).luhn_valid(), valid, "{text}");
        }
    }

    #[test]
    fn every_number_has_exactly_one_check_digit() {
        for body in ["622200000000000", "411111111111111", "622848000000123456", "300000000000"] {
            let valid = (0..10).filter(|check| pan(&format!("{body}{check}")).luhn_valid()).count();
            assert_eq!(valid, 1, "{body}");
        }
    }

    #[test]
    fn prints_masked() {
        for (text, masked) in [
            ("4000000000006", "400000***0006"),
            ("4111111111111111", "411111******1111"),
            ("6222000000000001234", "622200*********1234"),
        ] {
            assert_eq!(pan(text).to_string(), masked);
            assert_eq!(format!("{:?}", pan(text)), format!("Pan({masked})"));
        }
    }

    #[test]
    fn bin_is_never_longer_than_the_number() {
        let number = pan("4000000000006");
        for (n, bin) in [(0, ""), (6, "400000"), (13, "4000000000006"), (99, "4000000000006")] {
            assert_eq!(number.bin(n), bin);
        }
    }
}
