//! A card number or its beginning as somebody typed it, and what it tells: the answer of `kahao bin` and of
//! `/api/bank_card_bin/v1`.

use std::fmt;
use std::str::FromStr;

use kahao_reader::card::{BinTable, Pan, Scheme};
use schemars::JsonSchema;
use serde::Serialize;

/// Six to nineteen digits. From 13 on they are a whole number, fewer are the beginning of one. Digits from the
/// seventh on may be hidden (`622202*********1234`): enough to look a number up without showing it.
pub(crate) struct Number {
    /// Digits, and `*` for hidden ones.
    text: String,
}

/// Why a text is no number. Never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NumberError {
    #[error("number must have 6 to 19 digits, with nothing but blanks and dashes between them")]
    NotDigits,
    #[error("number must have 6 to 19 digits, not {0}")]
    Length(usize),
    #[error("number must show its first 6 digits; those after them may be hidden by *")]
    Hidden,
}

impl Number {
    const MIN_DIGITS: usize = 6;

    /// The digits before the first hidden one.
    fn beginning(&self) -> &str {
        self.text.split('*').next().unwrap_or_default()
    }

    /// How many digits the whole number has, where that is known.
    fn length(&self) -> Option<usize> {
        (self.text.len() >= Pan::MIN_DIGITS).then_some(self.text.len())
    }
}

impl FromStr for Number {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        let mut digits = String::new();
        for char in text.trim().chars() {
            match char {
                '0'..='9' | '*' => digits.push(char),
                'x' | 'X' => digits.push('*'),
                '-' => {}
                blank if blank.is_whitespace() => {}
                _ => return Err(NumberError::NotDigits),
            }
        }
        let number = Self { text: digits };
        match number.text.len() {
            Self::MIN_DIGITS..=Pan::MAX_DIGITS if number.beginning().len() < Self::MIN_DIGITS => {
                Err(NumberError::Hidden)
            }
            Self::MIN_DIGITS..=Pan::MAX_DIGITS => Ok(number),
            other => Err(NumberError::Length(other)),
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Number(***)")
    }
}

/// What a number tells, in the words of the wire contract; "" for what is not known.
#[derive(Clone, Serialize, JsonSchema)]
pub(crate) struct NumberFacts {
    /// As it was asked, without blanks and dashes: digits, and `*` for hidden ones.
    pub(crate) number: String,
    /// The issuer's full legal name, or its printed name where the legal one is not known.
    pub(crate) name: String,
    /// `借记卡` debit, `贷记卡` credit, `准贷记卡` semi-credit or `预付费卡` prepaid.
    pub(crate) r#type: &'static str,
    /// `ICBC`.
    pub(crate) bank_code: String,
    /// `工商银行`.
    pub(crate) bank_short_name: String,
    /// The product.
    pub(crate) card_name: String,
    /// By ranges and lengths: unionpay, visa, mastercard, amex, jcb, diners, discover, ….
    pub(crate) scheme: &'static str,
    /// Whether the check digit is right. Null for a beginning and for a number with hidden digits, which have no check digit to look at.
    pub(crate) luhn_valid: Option<bool>,
}

impl NumberFacts {
    /// Looks a number up.
    pub(crate) fn of(number: &Number, table: &BinTable) -> Self {
        let (beginning, length) = (number.beginning(), number.length());
        let facts = table.lookup(beginning, length);
        let issuer = facts.map(|facts| facts.issuer);
        let scheme = match length {
            Some(length) => Scheme::of_length(beginning, length),
            None => Scheme::of(beginning),
        };
        Self {
            number: number.text.clone(),
            name: issuer.map(|issuer| issuer.best_name().to_owned()).unwrap_or_default(),
            r#type: facts.and_then(|facts| facts.card_type).map(|kind| kind.name_cn()).unwrap_or_default(),
            bank_code: issuer.map(|issuer| issuer.code.clone()).unwrap_or_default(),
            bank_short_name: issuer.map(|issuer| issuer.short_name.clone()).unwrap_or_default(),
            card_name: facts.and_then(|facts| facts.card_name).unwrap_or_default().to_owned(),
            scheme: scheme.map(Scheme::as_str).unwrap_or_default(),
            luhn_valid: number.text.parse::<Pan>().ok().map(|pan| pan.luhn_valid()),
        }
    }

    /// Whether the table has an issuer for it.
    pub(crate) fn is_known(&self) -> bool {
        !self.name.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_type_them() {
        for (typed, number) in [
            ("622202", Ok("622202")),
            (" 6222 0200-0000 0000 000\r", Ok("6222020000000000000")),
            ("622202*********1234", Ok("622202*********1234")),
            ("622202xxxxxxXXX1234", Ok("622202*********1234")),
            ("622202**", Ok("622202**")),
            ("", Err(NumberError::Length(0))),
            ("62220", Err(NumberError::Length(5))),
            ("62220200000000000000", Err(NumberError::Length(20))),
            ("62220*********", Err(NumberError::Hidden)),
            ("622202a", Err(NumberError::NotDigits)),
            ("六二二二零二", Err(NumberError::NotDigits)),
            ("６２２２０２", Err(NumberError::NotDigits)),
        ] {
            let parsed = typed.parse::<Number>();
            assert_eq!(
                parsed.as_ref().map(|number| number.text.as_str()),
                number.as_ref().copied(),
                "{typed}"
            );
        }
        assert_eq!(format!("{:?}", "4111111111111111".parse::<Number>()), "Ok(Number(***))");
    }

    /// Name, type, scheme and check digit of a number.
    fn facts(typed: &str) -> (String, &'static str, &'static str, Option<bool>) {
        let facts = NumberFacts::of(&typed.parse().unwrap(), BinTable::embedded());
        (facts.name, facts.r#type, facts.scheme, facts.luhn_valid)
    }

    #[test]
    fn what_numbers_tell() {
        const ICBC: &str = "中国工商银行股份有限公司";
        const NANJING: &str = "南京银行股份有限公司";
        for (typed, name, card_type, scheme, luhn_valid) in [
            ("622202", ICBC, "借记卡", "unionpay", None),
            ("6222020000000000000", ICBC, "借记卡", "unionpay", Some(true)),
            ("6222020000000000008", ICBC, "借记卡", "unionpay", Some(false)),
            ("622305", NANJING, "借记卡", "unionpay", None),
            ("622305xxxxxxxxxxxx", ICBC, "借记卡", "unionpay", None),
            ("622305000000000000", ICBC, "借记卡", "unionpay", Some(false)),
            ("4367420000000000000", "中国建设银行股份有限公司", "借记卡", "unionpay", Some(false)),
            ("4111111111111111", "", "", "visa", Some(true)),
            ("41111111111111111", "", "", "", Some(false)),
            ("000000", "", "", "", None),
        ] {
            assert_eq!(facts(typed), (name.to_owned(), card_type, scheme, luhn_valid), "{typed}");
        }
    }
}
