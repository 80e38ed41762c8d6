//! What is printed on a card: number, grouping, dates, names, captions and the texts that are easily mistaken for them.

use std::sync::LazyLock;

use kahao_reader::card::{BinTable, Pan};

use crate::raster::Random;

/// How a number is split by gaps; the last part takes what is left.
const GROUPINGS: [(usize, &[usize], f32); 17] = [
    (19, &[4, 4, 4, 4, 3], 3.0),
    (19, &[6, 13], 4.0),
    (19, &[4, 4, 4, 7], 1.0),
    (19, &[5, 4, 5, 5], 1.0),
    (19, &[6, 6, 7], 0.8),
    (19, &[10, 9], 0.3),
    (19, &[19], 1.5),
    (16, &[4, 4, 4, 4], 8.0),
    (16, &[6, 10], 0.4),
    (16, &[16], 0.4),
    (18, &[6, 12], 0.8),
    (18, &[6, 6, 6], 0.6),
    (18, &[7, 4, 7], 0.2),
    (17, &[6, 11], 0.5),
    (17, &[4, 4, 4, 5], 0.2),
    (15, &[4, 6, 5], 1.0),
    (14, &[4, 6, 4], 0.3),
];

/// A date as it is printed, `/` included, with the captions around it ("" for none).
#[derive(Clone)]
pub(crate) struct Date {
    pub(crate) text: String,
    /// Left of the date, its words one below the other when there are two.
    pub(crate) left: &'static str,
    pub(crate) above: &'static str,
}

/// Year of the earliest expiry: real cards with an older date alone show that of issue.
const FIRST_EXPIRY: usize = 2010;

/// How often a card has an expiry date.
pub(crate) const DATE_CHANCE: f32 = 0.65;

#[derive(Clone)]
pub(crate) struct Content {
    /// Digits with single spaces for gaps.
    pub(crate) number: String,
    pub(crate) expiry: Option<Date>,
    /// Stands beside the expiry, or above it.
    pub(crate) valid_from: Option<Date>,
    /// A date that is not an expiry: issue, making, member since.
    pub(crate) other_date: Option<Date>,
    /// A branch's letters in the print of the number, in the row of the date: CCB HN, 0200.
    pub(crate) branch: Option<String>,
    pub(crate) holder: Option<String>,
    pub(crate) bank: &'static str,
    pub(crate) bank_latin: &'static str,
    pub(crate) product: &'static str,
    /// Small digits and codes strewn over the card.
    pub(crate) traps: Vec<String>,
}

const BANKS: [(&str, &str); 14] = [
    ("东方商业银行", "ORIENT COMMERCIAL BANK"),
    ("中国云海银行", "YUNHAI BANK OF CHINA"),
    ("江南农村信用社", "JIANGNAN RURAL CREDIT"),
    ("北城银行", "BANK OF BEICHENG"),
    ("华通银行", "HUATONG BANK"),
    ("金穗银行", "GOLDEN HARVEST BANK"),
    ("长河银行", "CHANGHE BANK"),
    ("山水省农村信用社联合社", "SHANSHUI RURAL CREDIT UNION"),
    ("南方储蓄银行", "SOUTHERN SAVINGS BANK"),
    ("西部发展银行", "WEST DEVELOPMENT BANK"),
    ("民安银行", "MINAN BANK"),
    ("星辰银行", "STAR BANK"),
    ("海港银行", "HARBOUR BANK"),
    ("光明银行", "GUANGMING BANK"),
];
const PRODUCTS: [&str; 10] = [
    "Platinum",
    "Gold",
    "GOLD CARD",
    "龙行借记卡",
    "金卡",
    "一卡通",
    "CREDIT",
    "DEBIT",
    "信用卡",
    "Quick Pass",
];
const EXPIRY_LEFT: [&str; 9] = [
    "VALID THRU",
    "GOOD THRU",
    "EXPIRES END",
    "VALID DATES",
    "VALID END",
    "有效期限",
    "到期日",
    "有效期至",
    "UNTIL END",
];
const EXPIRY_ABOVE: [&str; 7] = [
    "MONTH/YEAR",
    "VALID THRU MONTH/YEAR",
    "VALID DATES",
    "EXPIRES END",
    "有效期限",
    "月/年",
    "月 / 年 MONTH/YEAR",
];
const FROM_LEFT: [&str; 3] = ["VALID FROM", "FROM", "START DATE"];
const OTHER_CAPTIONS: [&str; 7] = ["发卡日期", "制卡日期", "ISSUE", "MEMBER SINCE", "CD CN", "CN", "发卡"];
const TRAPS: [&str; 10] = [
    "95588",
    "95566",
    "0200",
    "ATM",
    "CCB HN",
    "www.bank.example",
    "400-820-8888",
    "本卡仅限本人使用",
    "DEBIT 0011",
    "BJ 2098",
];
/// Onsets and rhymes of Mandarin syllables in pinyin; most pairs exist.
const ONSETS: [&str; 22] = [
    "B", "P", "M", "F", "D", "T", "N", "L", "G", "K", "H", "J", "Q", "X", "ZH", "CH", "SH", "R", "Z", "C",
    "Y", "W",
];
const RHYMES: [&str; 28] = [
    "A", "AI", "AN", "ANG", "AO", "E", "EI", "EN", "ENG", "I", "IA", "IAN", "IANG", "IAO", "IE", "IN", "ING",
    "IU", "ONG", "OU", "U", "UA", "UAN", "UANG", "UE", "UI", "UN", "UO",
];
/// Pieces of names from elsewhere.
const SYLLABLES: [&str; 32] = [
    "AL", "AN", "BAR", "BER", "BJO", "CAR", "DA", "DEN", "DRE", "EL", "FER", "GA", "HEN", "IV", "JO", "KOV",
    "LEX", "LIN", "MAR", "NA", "OLI", "PET", "QUI", "RO", "SCH", "SON", "STE", "TH", "UR", "VI", "WIL",
    "ZED",
];
/// What stands in place of a name on pictures of specimens.
const PLACEHOLDERS: [&str; 5] =
    ["CARDHOLDER NAME", "YOUR NAME", "CARD HOLDER", "ZHANG SAN", "VALUED CUSTOMER"];
/// A name on a card: at most 26 characters (ISO/IEC 7813, 3.2).
const LONGEST_NAME: usize = 26;

impl Content {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let (bank, bank_latin) = *random.pick(&BANKS);
        let until = random.chance(DATE_CHANCE).then(|| match random.chance(0.06) {
            true => Month::draw(random, 2020, 2050).in_december(), // the nominal end of many debit cards: 12/49
            false => Month::draw(random, FIRST_EXPIRY, 2050),
        });
        let expiry = until.map(|until| Date::expiry(random, until));
        let valid_from = until.filter(|_| random.chance(0.08)).map(|until| Date {
            text: until.earlier(random).text(random),
            left: random.pick::<&str>(&FROM_LEFT),
            above: "",
        });
        let other_date = random.chance(0.2).then(|| Date {
            text: Month::draw(random, 1998, 2022).text(random),
            left: random.pick::<&str>(&OTHER_CAPTIONS),
            above: "",
        });
        let mut traps: Vec<String> = (0..random.int(0, 4)).map(|_| random.pick(&TRAPS).to_string()).collect();
        if random.chance(0.1) {
            let count = random.int(8, 14);
            traps.push(random.digits(count));
        }
        let branch = random.chance(0.25).then(|| branch_text(random));
        Self {
            number: number_text(random),
            expiry,
            valid_from,
            other_date,
            branch,
            holder: random.chance(0.5).then(|| holder_text(&mut Random::new(random.seed()))),
            bank,
            bank_latin,
            product: *random.pick::<&str>(&PRODUCTS),
            traps,
        }
    }
}

impl Date {
    fn expiry(random: &mut Random, until: Month) -> Self {
        let (left, above) = match random.weighted(&[0.35, 0.2, 0.3, 0.15]) {
            0 => (*random.pick::<&str>(&EXPIRY_LEFT), ""),
            1 => ("", *random.pick::<&str>(&EXPIRY_ABOVE)),
            2 => (*random.pick::<&str>(&EXPIRY_LEFT[..3]), "MONTH/YEAR"),
            _ => ("", ""),
        };
        // Seldom with the date of issue before it: 09/09-08/12.
        let text = match random.chance(0.03) {
            true => format!("{} {}", until.earlier(random).short(), until.short()),
            false => until.month_first(random),
        };
        Self { text, left, above }
    }
}

/// A name in capitals as it is embossed: ZHANG SAN, LI/XIAOMING, MS. ANNA-LENA O'DREBER.
fn holder_text(random: &mut Random) -> String {
    let pieces = |random: &mut Random, count: usize, draw: fn(&mut Random) -> String| -> String {
        (0..count).map(|_| draw(random)).collect()
    };
    let mut name = match random.weighted(&[0.55, 0.4, 0.05]) {
        0 => {
            let (first, second) = (pinyin(random), pinyin(random));
            let given = match random.int(0, 4) {
                0 => first,
                1 => format!("{first} {second}"),
                _ => first + &second,
            };
            let surname = pinyin(random);
            let parts = if random.chance(0.7) { [surname, given] } else { [given, surname] };
            parts.join(if random.chance(0.08) { "/" } else { " " })
        }
        1 => {
            let (first, last) = (random.int(1, 4), random.int(1, 4));
            let mut name = pieces(random, first, syllable);
            match random.int(0, 10) {
                0 => name = format!("{name}-{}", pieces(random, 2, syllable)),
                1 => name = format!("{} {name}", random.pick(&["MR", "MS", "MRS", "DR"])),
                2 => name = format!("{} {name}", random.pick(&["MR.", "MS.", "MRS.", "DR."])),
                3 => name = format!("{name} {}.", letter(random)),
                4 => name = format!("{name} {}", letter(random)),
                _ => {}
            }
            let o = if random.chance(0.05) { "O'" } else { "" };
            format!("{name} {o}{}", pieces(random, last, syllable))
        }
        _ => random.pick(&PLACEHOLDERS).to_string(),
    };
    name.truncate(LONGEST_NAME);
    name.trim_end().to_owned()
}

fn pinyin(random: &mut Random) -> String {
    let onset = if random.chance(0.06) { "" } else { random.pick(&ONSETS) };
    format!("{onset}{}", random.pick(&RHYMES))
}

fn syllable(random: &mut Random) -> String {
    if random.chance(0.2) { letter(random).to_string() } else { random.pick(&SYLLABLES).to_string() }
}

fn letter(random: &mut Random) -> char {
    char::from(b'A' + random.int(0, 26) as u8)
}

fn branch_text(random: &mut Random) -> String {
    match random.int(0, 4) {
        0 => random.digits(4),
        1 => format!("CCB {}{}", letter(random), letter(random)),
        2 => format!("{}{}", letter(random), letter(random)),
        _ => format!("{}{} {}", letter(random), letter(random), random.digits(4)),
    }
}

/// Prefixes of the BIN table by the length of the whole number.
static PREFIXES: LazyLock<[Vec<String>; 20]> = LazyLock::new(|| {
    let mut prefixes: [Vec<String>; 20] = Default::default();
    for (prefix, length) in BinTable::embedded().keys() {
        prefixes[length].push(prefix);
    }
    prefixes
});

/// An invented number, grouped. Nine in ten pass Luhn, as real ones do; leading digits follow the mix seen on real cards,
/// half of them a listed prefix.
fn number_text(random: &mut Random) -> String {
    let weights: Vec<f32> = GROUPINGS.iter().map(|(_, _, weight)| *weight).collect();
    let (length, groups, _) = GROUPINGS[random.weighted(&weights)];
    let lead = match length {
        15 => *random.pick(&["37", "34"]),
        14 => "36",
        _ => ["62", "6", "4", "5", "9", "3", "1", "2", "8"]
            [random.weighted(&[8.0, 1.5, 3.0, 3.0, 1.0, 0.7, 0.2, 0.2, 0.3])],
    };
    let mut digits = lead.to_string();
    if random.chance(0.5) && !PREFIXES[length].is_empty() {
        digits.clone_from(random.pick(&PREFIXES[length]));
    }
    if random.chance(0.08) {
        // Specimen cards repeat one digit, from anywhere behind the prefix on and not always without a break.
        let (repeated, begin) = (random.digit(), random.int(0, 5));
        digits.push_str(&random.digits(begin.min(length - 1 - digits.len())));
        digits.extend(std::iter::repeat_n(repeated, length - 1 - digits.len()));
        if random.chance(0.3) {
            let at = random.int(4, length - 1);
            digits.replace_range(at..=at, &random.digits(1));
        }
    } else {
        digits.push_str(&random.digits(length - 1 - digits.len()));
        if random.chance(0.3) {
            // Runs of zeros are common behind the branch code.
            let start = random.int(4, length - 5);
            digits.replace_range(start..start + 4, "0000");
        }
    }
    let stray = random.digit();
    let check = if random.chance(0.9) { check_digit(&digits) } else { stray };
    digits.push(check);

    let mut text = String::new();
    let mut rest = digits.as_str();
    for (index, size) in groups.iter().enumerate() {
        let (group, tail) = rest.split_at(*size);
        if index > 0 {
            text.push(' ');
        }
        text.push_str(group);
        rest = tail;
    }
    text
}

/// An invented number in rows of four digits, 16 of them or seldom 19.
pub(crate) fn stacked_number(random: &mut Random) -> String {
    let length = if random.chance(0.15) { 19 } else { 16 };
    loop {
        let mut number = number_text(random).replace(' ', "");
        if number.len() == length {
            for row in (1..length.div_ceil(4)).rev() {
                number.insert(4 * row, ' ');
            }
            return number;
        }
    }
}

/// The digit that makes a number pass Luhn.
fn check_digit(digits: &str) -> char {
    let passes = |last: &char| format!("{digits}{last}").parse::<Pan>().is_ok_and(|pan| pan.luhn_valid());
    ('0'..='9').find(passes).unwrap_or('0')
}

/// A month counted from January 2000.
#[derive(Clone, Copy)]
struct Month(i32);

impl Month {
    /// One of the years `from..to`, each month as likely as another.
    fn draw(random: &mut Random, from: usize, to: usize) -> Self {
        Self((random.int(from, to) as i32 - 2000) * 12 + random.int(0, 12) as i32)
    }

    /// One to ten years before this one.
    fn earlier(self, random: &mut Random) -> Self {
        Self(self.0 - random.int(12, 121) as i32)
    }

    fn in_december(self) -> Self {
        Self(self.0.div_euclid(12) * 12 + 11)
    }

    fn parts(self) -> (i32, i32) {
        (self.0.rem_euclid(12) + 1, 2000 + self.0.div_euclid(12))
    }

    /// MM/YY.
    fn short(self) -> String {
        let (month, year) = self.parts();
        format!("{month:02}/{:02}", year % 100)
    }

    /// In one of the forms that cards print.
    fn text(self, random: &mut Random) -> String {
        self.written(random, &[8.0, 1.0, 0.8])
    }

    /// In one of the forms of an expiry: on real cards only dates of issue begin with the year.
    fn month_first(self, random: &mut Random) -> String {
        self.written(random, &[8.8, 1.0])
    }

    /// As MM/YY, MM/YYYY or YYYY/MM, by the weights of the first of these.
    fn written(self, random: &mut Random, weights: &[f32]) -> String {
        let (month, year) = self.parts();
        match random.weighted(weights) {
            0 => self.short(),
            1 => format!("{month:02}/{year}"),
            _ => format!("{year}/{month:02}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groupings_add_up_to_their_lengths() {
        for (length, groups, _) in GROUPINGS {
            assert_eq!(groups.iter().sum::<usize>(), length, "{groups:?}");
        }
    }

    #[test]
    fn numbers_have_13_to_19_digits_and_mostly_pass_luhn() {
        let mut random = Random::new(1);
        let mut passed = 0;
        for _ in 0..1000 {
            let digits = number_text(&mut random).replace(' ', "");
            assert!((13..=19).contains(&digits.len()), "{} digits", digits.len());
            passed += usize::from(digits.parse::<Pan>().unwrap().luhn_valid());
        }
        assert!((850..=960).contains(&passed), "{passed} of 1000 pass");
    }
}
