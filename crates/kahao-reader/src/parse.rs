//! Log-probabilities of a line -> card number or expiry date: what such a text can be, and which reading is the best.

use std::ops::Range;

use crate::card::{BinTable, Expiry, Pan, Scheme};
use crate::decode_text::{Alphabet, Candidate, LogProbs, align, beam_search};
use crate::reading::CharReading;

/// Prefixes kept at each column: with 19 digits of which two are unsure, all their combinations.
const BEAM_WIDTH: usize = 32;
/// 19 digits and the gaps between them.
const MAX_SYMBOLS: usize = 28;

/// Log-odds by which card knowledge moves a reading. Of 224 real legible numbers 91 % pass Luhn, of random ones 10 %;
/// of Chinese cards about nine in ten have a listed prefix and length.
const LUHN_PASS: f32 = 2.2;
const LUHN_FAIL: f32 = -2.3;
/// So many of one digit (8888 8888 8888) make a specimen: Luhn says nothing about those.
const SPECIMEN_REPEATS: usize = 9;
const BIN_KNOWN: f32 = 1.5;
const BIN_UNKNOWN: f32 = -1.0;
/// Groups as cards print them against any other, which a spurious or a lost digit makes.
const GROUPS_USUAL: f32 = 1.0;
const GROUPS_ODD: f32 = -1.0;

/// How cards split their numbers (the list of groupings seen on 343 real pictures).
const USUAL_GROUPS: [&[usize]; 18] = [
    &[4, 4, 4, 4],
    &[4, 4, 4, 4, 3],
    &[6, 13],
    &[4, 4, 4, 7],
    &[5, 4, 5, 5],
    &[6, 6, 6],
    &[6, 6, 7],
    &[6, 10],
    &[6, 11],
    &[6, 12],
    &[10, 9],
    &[7, 4, 7],
    &[4, 6, 5],
    &[4, 6, 4],
    &[16],
    &[17],
    &[18],
    &[19],
];

/// A text that was chosen for a line.
pub(crate) struct Chosen<T> {
    pub(crate) value: T,
    pub(crate) text: String,
    /// Probability that the whole value is right, 0 to 1.
    pub(crate) prob: f32,
    pub(crate) chars: Vec<CharReading>,
}

/// The best card number that a line can say; `None` when no likely text has 13 to 19 digits and nothing but digits and gaps.
pub(crate) fn choose_number(
    log_probs: &LogProbs,
    alphabet: &Alphabet,
    table: &BinTable,
) -> Option<Chosen<Pan>> {
    let candidates = beam_search(log_probs, alphabet, BEAM_WIDTH, MAX_SYMBOLS);
    let mut others = 1.0; // what no candidate accounts for, and candidates that are no number
    let mut numbers: Vec<(Pan, &Candidate, f32)> = Vec::new();
    for candidate in &candidates {
        let Ok(pan) = candidate.text.replace(' ', "").parse::<Pan>() else { continue };
        let share = candidate.log_prob.exp();
        others -= share;
        let weight = share * (prior(&pan, table) + layout(&candidate.text)).exp();
        // The same digits with another grouping are the same number.
        match numbers.iter_mut().find(|(known, ..)| *known == pan) {
            Some((_, _, sum)) => *sum += weight,
            None => numbers.push((pan, candidate, weight)),
        }
    }
    let total: f32 = numbers.iter().map(|(_, _, weight)| weight).sum::<f32>() + others.max(0.0);
    let (pan, candidate, weight) = numbers.into_iter().max_by(|a, b| a.2.total_cmp(&b.2))?;
    let chars = characters(log_probs, alphabet, &candidate.text);
    Some(Chosen { value: pan, text: candidate.text.trim().to_owned(), prob: weight / total, chars })
}

/// Log-odds of a number by what is known of cards. An unknown prefix is less likely, never impossible.
fn prior(pan: &Pan, table: &BinTable) -> f32 {
    let repeated = |digit: u8| pan.digits().bytes().filter(|&other| other == digit).count();
    let luhn = match pan.luhn_valid() {
        _ if (b'0'..=b'9').any(|digit| repeated(digit) >= SPECIMEN_REPEATS) => 0.0,
        true => LUHN_PASS,
        false => LUHN_FAIL,
    };
    let known = table.knows(pan.digits(), None)
        || Scheme::of(pan.digits()).is_some_and(|scheme| scheme != Scheme::UnionPay);
    // 19 and 16 digits are by far the commonest lengths; 17, 14 and 13 are rare, and often 16 with a stain.
    let length = match pan.digits().len() {
        16 | 19 => 0.0,
        15 | 18 => -1.5,
        17 => -2.5,
        _ => -3.5,
    };
    luhn + length + if known { BIN_KNOWN } else { BIN_UNKNOWN }
}

/// Log-odds of a text's groups.
fn layout(text: &str) -> f32 {
    let groups: Vec<usize> = text.split_whitespace().map(str::len).collect();
    if USUAL_GROUPS.contains(&groups.as_slice()) { GROUPS_USUAL } else { GROUPS_ODD }
}

/// The dates that a line says, each with the probability that it stands there, 0.5 or more; from left to right.
pub(crate) fn choose_dates(log_probs: &LogProbs, alphabet: &Alphabet) -> Vec<Chosen<Expiry>> {
    let candidates = beam_search(log_probs, alphabet, BEAM_WIDTH, MAX_SYMBOLS);
    // Neighbours of a date that are hard to tell make many texts of the same date: more than the beam holds.
    let total: f32 = candidates.iter().map(|candidate| candidate.log_prob.exp()).sum();
    let dated: Vec<(&Candidate, Vec<(Expiry, Range<usize>)>)> =
        candidates.iter().map(|candidate| (candidate, dates_in(&candidate.text))).collect();
    let share = |expiry: Expiry| {
        let saying = dated.iter().filter(|(_, dates)| dates.iter().any(|(other, _)| *other == expiry));
        saying.map(|(candidate, _)| candidate.log_prob.exp()).sum::<f32>() / total
    };
    let mut chosen: Vec<Chosen<Expiry>> = Vec::new();
    for (candidate, dates) in &dated {
        for (expiry, place) in dates {
            let prob = share(*expiry);
            if prob >= 0.5 && chosen.iter().all(|known| known.value != *expiry) {
                let printed = |text: &str| text.chars().filter(|symbol| *symbol != ' ').count();
                let chars = characters(log_probs, alphabet, &candidate.text);
                let (before, own) =
                    (printed(&candidate.text[..place.start]), printed(&candidate.text[place.clone()]));
                chosen.push(Chosen {
                    value: *expiry,
                    text: candidate.text[place.clone()].to_owned(),
                    prob: prob.min(1.0),
                    chars: chars.into_iter().skip(before).take(own).collect(),
                });
            }
        }
    }
    chosen
}

/// The dates in a text with their places: MM/YY, MM/YYYY or YYYY/MM, whatever stands around them; a short line's strip
/// shows its neighbours too.
fn dates_in(text: &str) -> Vec<(Expiry, Range<usize>)> {
    text.match_indices('/').filter_map(|(slash, _)| date_at(text, slash)).collect()
}

/// The date around a slash.
fn date_at(text: &str, slash: usize) -> Option<(Expiry, Range<usize>)> {
    let (before, after) = (text[..slash].trim_end(), text[slash + 1..].trim_start());
    let (left_end, right_start) = (before.len(), text.len() - after.len());
    let before = before.rsplit(|c: char| !c.is_ascii_digit()).next()?;
    let after = after.split(|c: char| !c.is_ascii_digit()).next()?;
    let left = |count: usize| {
        before.len().checked_sub(count).and_then(|from| before.get(from..)?.parse::<u16>().ok())
    };
    let right = |count: usize| after.get(..count)?.parse::<u16>().ok();
    let date = |month: Option<u16>, year: Option<u16>, widths: (usize, usize)| {
        let expiry = Expiry::new(u8::try_from(month?).ok()?, year?)?;
        Some((expiry, left_end - widths.0..right_start + widths.1))
    };
    // 19.. and 20.. are a whole year or nothing (1999 is no 2019), else two digits are; what stands beyond is a neighbour's.
    let whole_year = after.len() == 4 && (after.starts_with("19") || after.starts_with("20"));
    date(right(2).filter(|_| after.len() == 2), left(4), (4, 2))
        .or_else(|| date(left(2), right(4).filter(|_| whole_year), (2, 4)))
        .or_else(|| date(left(2), right(2).filter(|_| !whole_year).map(|year| 2000 + year), (2, 2)))
}

/// The characters of a text but its gaps, each with how sure the columns are of it.
fn characters(log_probs: &LogProbs, alphabet: &Alphabet, text: &str) -> Vec<CharReading> {
    let aligned = align(log_probs, alphabet, text).unwrap_or_default();
    let printed = aligned.into_iter().filter(|aligned| aligned.symbol != ' ');
    printed.map(|aligned| CharReading { char: aligned.symbol, prob: aligned.mean_prob }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns that say `text` with the given doubts: (index, other symbol, probability of the other).
    fn columns(alphabet: &Alphabet, text: &str, doubts: &[(usize, char, f32)]) -> LogProbs {
        let classes = alphabet.classes();
        let mut values = Vec::new();
        for (index, symbol) in text.chars().enumerate() {
            let mut probs = vec![1e-6f32; classes];
            let mut own = 1.0;
            for (_, other, prob) in doubts.iter().filter(|(at, ..)| *at == index) {
                probs[alphabet.class_of(*other).unwrap()] = *prob;
                own -= prob;
            }
            probs[alphabet.class_of(symbol).unwrap()] = own;
            values.extend(probs.iter().map(|p| p.ln()));
            let mut blank = vec![1e-6f32; classes];
            blank[0] = 1.0;
            values.extend(blank.iter().map(|p| p.ln()));
        }
        LogProbs::new(text.chars().count() * 2, classes, values).unwrap()
    }

    fn alphabet() -> Alphabet {
        Alphabet::new(" 0123456789/", 0).unwrap()
    }

    #[test]
    fn a_clear_number_is_read_with_its_gaps() {
        let log_probs = columns(&alphabet(), "4111 1111 1111 1111", &[]);
        let chosen = choose_number(&log_probs, &alphabet(), BinTable::embedded()).unwrap();
        assert_eq!(
            (chosen.value.digits(), chosen.text.as_str()),
            ("4111111111111111", "4111 1111 1111 1111")
        );
        assert!(chosen.prob > 0.99, "{}", chosen.prob);
        assert_eq!(chosen.chars.len(), 16);
    }

    #[test]
    fn luhn_decides_between_two_digits_but_lowers_no_clear_reading_to_another() {
        // Slightly more for the wrong digit: the check digit tips the scale.
        let log_probs = columns(&alphabet(), "4123 4567 8978 2340", &[(12, '1', 0.45)]);
        let chosen = choose_number(&log_probs, &alphabet(), BinTable::embedded()).unwrap();
        assert_eq!(chosen.value.digits(), "4123456789182340");
        // A clear number that fails Luhn stays as it is.
        let log_probs = columns(&alphabet(), "4123 4567 8901 2340", &[]);
        let chosen = choose_number(&log_probs, &alphabet(), BinTable::embedded()).unwrap();
        assert_eq!(chosen.value.digits(), "4123456789012340");
    }

    #[test]
    fn what_is_no_number_is_not_made_one() {
        for text in ["95588", "12/27", "411111111111", "41111111111111111111"] {
            let log_probs = columns(&alphabet(), text, &[]);
            let chosen = choose_number(&log_probs, &alphabet(), BinTable::embedded());
            assert!(chosen.is_none_or(|chosen| chosen.prob < 0.05), "{text}");
        }
    }

    #[test]
    fn dates_in_their_forms() {
        for (text, expected) in [
            ("12/27", vec![("12/27", "12/27")]),
            ("09/2031", vec![("09/31", "09/2031")]),
            ("2024/12", vec![("12/24", "2024/12")]),
            ("09/09 08/12", vec![("09/09", "09/09"), ("08/12", "08/12")]),
            ("12/250", vec![("12/25", "12/25")]),
            ("10/2662", vec![("10/26", "10/26")]),
            ("8 01/27", vec![("01/27", "01/27")]),
            ("801/27", vec![("01/27", "01/27")]),
            ("4 2/25", vec![]),
            ("13/27", vec![]),
            ("00/27", vec![]),
            ("6222", vec![]),
            ("12/1999", vec![]),
        ] {
            let dates = choose_dates(&columns(&alphabet(), text, &[]), &alphabet());
            let read: Vec<(String, &str)> =
                dates.iter().map(|date| (date.value.to_string(), date.text.as_str())).collect();
            assert_eq!(
                read,
                expected.iter().map(|(v, t)| ((*v).to_owned(), *t)).collect::<Vec<_>>(),
                "{text}"
            );
            for date in &dates {
                let chars: String = date.chars.iter().map(|read| read.char).collect();
                assert_eq!(chars, date.text.replace(' ', ""), "{text}");
            }
        }
    }

    #[test]
    fn a_neighbour_that_cannot_be_told_does_not_make_a_date_unsure() {
        let doubts = [(0, '3', 0.3), (0, '6', 0.3), (7, '1', 0.5)];
        let dates = choose_dates(&columns(&alphabet(), "8 01/27 4", &doubts), &alphabet());
        assert_eq!(dates.len(), 1);
        assert!(dates[0].prob > 0.95, "{}", dates[0].prob);
        // A digit of the date that cannot be told does.
        let dates = choose_dates(&columns(&alphabet(), "8 01/27", &[(6, '1', 0.45)]), &alphabet());
        assert!((0.5..0.6).contains(&dates[0].prob), "{}", dates[0].prob);
    }
}
