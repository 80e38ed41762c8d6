//! The card scheme by the leading digits of a number, the lengths it allows, and whether its Luhn digit
//! is binding. Who issued the card is `issuer.rs`; neither asks the other.

/// A card scheme (network).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// 银联, with the national cards of Chinese banks from before the 62 range.
    UnionPay,
    /// Visa.
    Visa,
    /// Mastercard.
    Mastercard,
    /// American Express.
    AmericanExpress,
    /// JCB.
    Jcb,
    /// Diners Club International.
    Diners,
    /// Discover.
    Discover,
    /// Maestro.
    Maestro,
    /// Mir (Russia).
    Mir,
    /// RuPay (India).
    RuPay,
    /// Elo (Brazil).
    Elo,
    /// Troy (Turkey).
    Troy,
}

impl Scheme {
    /// The name as the wire contract writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::UnionPay => "unionpay",
            Scheme::Visa => "visa",
            Scheme::Mastercard => "mastercard",
            Scheme::AmericanExpress => "amex",
            Scheme::Jcb => "jcb",
            Scheme::Diners => "diners",
            Scheme::Discover => "discover",
            Scheme::Maestro => "maestro",
            Scheme::Mir => "mir",
            Scheme::RuPay => "rupay",
            Scheme::Elo => "elo",
            Scheme::Troy => "troy",
        }
    }

    /// The scheme whose range holds a number, by its first digits; seven are always enough. Fewer digits
    /// than a range is wide are not matched against it. Says nothing of the number's length.
    pub fn of(digits: &str) -> Option<Scheme> {
        let holds = |&(low, high, _): &(&str, &str, _)| {
            let head = digits.as_bytes().get(..low.len());
            head.is_some_and(|head| low.as_bytes() <= head && head <= high.as_bytes())
        };
        RANGES.iter().find(|range| holds(range)).and_then(|&(_, _, scheme)| scheme)
    }

    /// The scheme of a number that has `length` digits in all, by its first digits: [`of`](Self::of), unless the
    /// scheme has no numbers of that length.
    pub fn of_length(digits: &str, length: usize) -> Option<Scheme> {
        Self::of(digits).filter(|scheme| scheme.lengths().contains(&length))
    }

    /// How many digits a number of the scheme may have, fewest first.
    pub fn lengths(self) -> &'static [usize] {
        match self {
            Scheme::UnionPay => &[14, 15, 16, 17, 18, 19],
            Scheme::Visa => &[13, 16, 18, 19],
            Scheme::AmericanExpress => &[15],
            // 2131 and 1800 are JCB's own old 15-digit ranges.
            Scheme::Jcb => &[15, 16, 17, 18, 19],
            Scheme::Diners => &[14, 15, 16, 17, 18, 19],
            Scheme::Discover => &[16, 19],
            Scheme::Maestro => &[12, 13, 14, 15, 16, 17, 18, 19],
            Scheme::Mir => &[16, 17, 18, 19],
            Scheme::Mastercard | Scheme::RuPay | Scheme::Elo | Scheme::Troy => &[16],
        }
    }

    /// Whether a number that fails Luhn cannot be one of the scheme. UnionPay's standard asks for the Luhn
    /// digit too, but older Chinese cards break it, so for UnionPay it is evidence and no more.
    pub fn luhn_is_binding(self) -> bool {
        self != Scheme::UnionPay
    }
}

type Range = (&'static str, &'static str, Option<Scheme>);

const UNION_PAY: Option<Scheme> = Some(Scheme::UnionPay);
const ELO: Option<Scheme> = Some(Scheme::Elo);
const RU_PAY: Option<Scheme> = Some(Scheme::RuPay);
const MAESTRO: Option<Scheme> = Some(Scheme::Maestro);

/// First and last prefix of each range, of one width. The first range that holds a number decides, so a range
/// inside another stands before it; `None` is a scheme without a name in the contract.
///
/// From card-types.ts of braintree/credit-card-type and, for UnionPay outside 62, from the BIN table's own
/// rows. RuPay's ranges and the last group's owners are general knowledge. Maestro's catch-all 6 is left out:
/// one digit is no evidence, and it would bind Luhn on misread UnionPay numbers.
#[rustfmt::skip]
const RANGES: &[Range] = &[
    // Elo lies inside Visa, Maestro, UnionPay and Discover.
    ("401178", "401179", ELO), ("438935", "438935", ELO), ("457631", "457632", ELO),
    ("431274", "431274", ELO), ("451416", "451416", ELO), ("457393", "457393", ELO),
    ("504175", "504175", ELO), ("506699", "506778", ELO), ("509000", "509999", ELO),
    ("627780", "627780", ELO), ("636297", "636297", ELO), ("636368", "636368", ELO),
    ("650031", "650033", ELO), ("650035", "650051", ELO), ("650405", "650439", ELO),
    ("650485", "650538", ELO), ("650541", "650598", ELO), ("650700", "650718", ELO),
    ("650720", "650727", ELO), ("650901", "650978", ELO), ("651652", "651679", ELO),
    ("655000", "655019", ELO), ("655021", "655058", ELO),

    // Chinese cards inside other schemes' ranges: under 4 太平洋 of 交通银行 (17 digits), 长城 of 中国银行 and 龙卡储蓄卡
    // of 建设银行 (19), 兴业智能卡 (18), then national cards of single banks, and layouts that put a digit or two before
    // an old number.
    ("405512", "405512", UNION_PAY), ("456351", "456351", UNION_PAY), ("436742", "436742", UNION_PAY),
    ("438588", "438589", UNION_PAY), ("553242", "553242", UNION_PAY),
    ("504923", "504923", UNION_PAY), ("5453242", "5453242", UNION_PAY),
    ("5491031", "5491031", UNION_PAY), ("5544033", "5544033", UNION_PAY), ("566666", "566666", UNION_PAY),
    ("589970", "589970", UNION_PAY), ("601382", "601382", UNION_PAY), ("601427", "601428", UNION_PAY),
    ("602907", "602907", UNION_PAY), ("602969", "602969", UNION_PAY), ("603265", "603265", UNION_PAY),
    ("603367", "603367", UNION_PAY), ("603445", "603445", UNION_PAY), ("603506", "603506", UNION_PAY),
    ("603601", "603602", UNION_PAY), ("603694", "603694", UNION_PAY), ("603708", "603708", UNION_PAY),
    ("609120", "609120", UNION_PAY), ("6349102", "6349102", UNION_PAY), ("6353591", "6353591", UNION_PAY),
    ("103", "103", UNION_PAY), ("159", "159", UNION_PAY), ("18572", "18572", UNION_PAY),
    ("199451", "199451", UNION_PAY), ("303", "303", UNION_PAY), ("6858", "6858", UNION_PAY),
    ("683970", "683970", UNION_PAY), ("6886592", "6886592", UNION_PAY), ("690755", "690755", UNION_PAY),
    ("694301", "694301", UNION_PAY), ("69580", "69580", UNION_PAY), ("843", "843", UNION_PAY),
    ("870", "870", UNION_PAY), ("888", "888", UNION_PAY),

    // National schemes of other countries under 9, and then China's own: 9 is the major industry identifier
    // for national assignment.
    ("9792", "9792", Some(Scheme::Troy)), ("9860", "9860", None), ("9", "9", UNION_PAY),

    ("62", "62", UNION_PAY), ("8100", "8171", UNION_PAY),

    ("2200", "2204", Some(Scheme::Mir)), ("2221", "2720", Some(Scheme::Mastercard)),
    ("1800", "1800", Some(Scheme::Jcb)), ("2131", "2131", Some(Scheme::Jcb)), ("3528", "3589", Some(Scheme::Jcb)),
    ("34", "34", Some(Scheme::AmericanExpress)), ("37", "37", Some(Scheme::AmericanExpress)),
    ("300", "305", Some(Scheme::Diners)), ("3095", "3095", Some(Scheme::Diners)),
    ("36", "36", Some(Scheme::Diners)), ("38", "39", Some(Scheme::Diners)),

    // RuPay shares 60 and 65 with Discover.
    ("508500", "508999", RU_PAY), ("606985", "607984", RU_PAY), ("608001", "608500", RU_PAY),
    ("6521", "6522", RU_PAY), ("652850", "653149", RU_PAY), ("8172", "8199", RU_PAY), ("82", "82", RU_PAY),
    ("6011", "6011", Some(Scheme::Discover)), ("644", "649", Some(Scheme::Discover)),
    ("65", "65", Some(Scheme::Discover)),

    // Private or national schemes inside Maestro's ranges: Hiper, Naranja, Verve, Dankort, Uzcard.
    ("637095", "637095", None), ("637568", "637568", None), ("637599", "637599", None),
    ("637609", "637609", None), ("637612", "637612", None), ("589562", "589562", None),
    ("506099", "506127", None), ("5019", "5019", None), ("5614", "5614", None),
    ("493698", "493698", MAESTRO), ("500000", "508999", MAESTRO), ("56", "59", MAESTRO),
    ("63", "63", MAESTRO), ("67", "67", MAESTRO),

    ("4", "4", Some(Scheme::Visa)), ("51", "55", Some(Scheme::Mastercard)),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::BinTable;

    #[test]
    fn ranges_decide() {
        use Scheme::*;
        // Prefixes and published test numbers, not cards.
        let cases = [
            ("4111111111111111", Some(Visa)),
            ("4", Some(Visa)),
            ("40117", Some(Visa)),
            ("401178", Some(Elo)),
            ("5555555555554444", Some(Mastercard)),
            ("50", None),
            ("2220", None),
            ("2221", Some(Mastercard)),
            ("2720", Some(Mastercard)),
            ("2721", None),
            ("2200", Some(Mir)),
            ("2204", Some(Mir)),
            ("2205", None),
            ("378282246310005", Some(AmericanExpress)),
            ("34", Some(AmericanExpress)),
            ("30569309025904", Some(Diners)),
            ("3095", Some(Diners)),
            ("38520000023237", Some(Diners)),
            ("3530111333300000", Some(Jcb)),
            ("3527", None),
            ("3589", Some(Jcb)),
            ("3590", None),
            ("1800", Some(Jcb)),
            ("6011111111111117", Some(Discover)),
            ("644", Some(Discover)),
            ("643", None),
            ("65", Some(Discover)),
            ("652150", Some(RuPay)),
            ("607000", Some(RuPay)),
            ("508500", Some(RuPay)),
            ("6759649826438453", Some(Maestro)),
            ("493698", Some(Maestro)),
            ("506699", Some(Elo)),
            ("9792", Some(Troy)),
            ("9860", None),
            ("62", Some(UnionPay)),
            ("622126", Some(UnionPay)),
            ("627780", Some(Elo)),
            ("8100", Some(UnionPay)),
            ("8171", Some(UnionPay)),
            ("8172", Some(RuPay)),
            ("9558", Some(UnionPay)),
            ("601382", Some(UnionPay)),
            ("303", Some(UnionPay)),
            ("31", None),
            ("6", None),
            ("", None),
            ("0", None),
            ("六二", None),
        ];
        for (digits, scheme) in cases {
            assert_eq!(Scheme::of(digits), scheme, "{digits}");
        }
    }

    #[test]
    fn the_length_counts() {
        use Scheme::*;
        let cases = [
            ("4111", 16, Some(Visa)),
            ("4111", 17, None),
            ("4367420000000000000", 19, Some(UnionPay)),
            ("378282246310005", 15, Some(AmericanExpress)),
            ("378282", 16, None),
            ("622202", 19, Some(UnionPay)),
            ("622202", 12, None),
            ("2200", 17, Some(Mir)),
            ("0", 16, None),
        ];
        for (digits, length, scheme) in cases {
            assert_eq!(Scheme::of_length(digits, length), scheme, "{digits} of {length}");
        }
    }

    #[test]
    fn ranges_are_well_formed() {
        for (low, high, _) in RANGES {
            assert!(low.len() == high.len() && low <= high && low.len() <= 7, "{low} to {high}");
        }
    }

    #[test]
    fn no_range_hides_another() {
        // A range that an earlier one covers whole would never be asked.
        for (at, (low, high, _)) in RANGES.iter().enumerate() {
            for (first, last, _) in &RANGES[..at] {
                let width = first.len();
                let covers = width <= low.len() && *first <= &low[..width] && &high[..width] <= *last;
                assert!(!covers, "{first} to {last} hides {low} to {high}");
            }
        }
    }

    #[test]
    fn the_bin_table_agrees_about_lengths() {
        let mut odd = Vec::new();
        for (prefix, length) in BinTable::embedded().keys() {
            match Scheme::of(&prefix) {
                Some(scheme) if scheme.lengths().contains(&length) => {}
                _ => odd.push(format!("{prefix}/{length}")),
            }
        }
        // A number of 17 digits under an American Express range: one derived list alone has it.
        assert_eq!(odd, ["377677/17"]);
    }

    #[test]
    fn luhn_binds_everyone_but_unionpay() {
        assert!(!Scheme::UnionPay.luhn_is_binding());
        assert!(Scheme::Visa.luhn_is_binding() && Scheme::Discover.luhn_is_binding());
    }
}
