//! Log-probabilities of a line -> card number, expiry date or holder's name: what such a text can be, and which reading is
//! the best.

use std::ops::Range;

use crate::card::{BinTable, Expiry, Pan, Scheme};
use crate::decode_text::{Aligned, Alphabet, Around, LogProbs, Spotter, align, beam_search};
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
/// No scheme has numbers that begin so and are so long: of 89 labelled pictures one, a drawing whose digits count up. Numbers of
/// shops, tolls and forms are mostly of this kind.
const NO_SCHEME: f32 = -3.5;
/// Groups as cards print them against any other, which a spurious or a lost digit makes.
const GROUPS_USUAL: f32 = 1.0;
const GROUPS_ODD: f32 = -1.0;
/// How likely a look's strip was cut so badly that it says nothing: then the others decide.
const BAD_LOOK: f32 = 0.05;

/// How often what speaks for a number (Luhn, prefix, length) counts where several looks are pooled, as a power of how many: of 3,551
/// drawn numbers 3,291 were right and 27 wrong so, at a half 3,288 and 35; of 979 changed real ones 935 and 19, 933 and 19.
/// What speaks against one counts at every look: of 500 drawn pictures without a card two more were read otherwise.
const PRIOR_GROWTH: f32 = 0.25;

/// By how much the log-odds of a number are too large (temperature scaling, Guo et al. 2017), fitted to 3,056 drawn pictures of one
/// card: of those from 0.95 on 99.5 % are right so, by each half fitted on the other, instead of 99.45 %.
const SLOPE: f32 = 0.87;

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

const DIGITS: &str = "0123456789";
/// How dates are printed, one slot a symbol: MM/YY, MM/YYYY, YYYY/MM. Years 19.. are told too, so that 12/1999 is not taken
/// for 12/19.
const DATE_FORMS: [&[&str]; 3] = [
    &["01", DIGITS, "/", "01234", DIGITS],
    &["01", DIGITS, "/", "12", "09", DIGITS, DIGITS],
    &["12", "09", DIGITS, DIGITS, "/", "01", DIGITS],
];
/// A date that stands there with less than this probability counts for nothing and changes no other's.
const DATE_SEEN: f32 = 0.02;

/// What all months together that were not seen beside one that no calendar has (18/49) might still have had. Months shared with
/// the seen ones what such a one had: of 374 changed real dates 307 instead of 303 were right so and 7 instead of 6 wrong.
const MONTH_UNSEEN: f32 = 0.05;

/// A text that was chosen for a line.
pub(crate) struct Chosen<T> {
    pub(crate) value: T,
    pub(crate) text: String,
    /// Probability that the whole value is right, 0 to 1.
    pub(crate) prob: f32,
    pub(crate) chars: Vec<CharReading>,
}

/// A card number that one look at a line may say.
pub(crate) struct Scored {
    pan: Pan,
    /// With its gaps.
    text: String,
    /// Probability, 0 to 1; those of a look add up to 1 with what no number accounts for.
    prob: f32,
    /// What of it is known of cards, in log-odds: no look saw that.
    prior: f32,
}

impl Scored {
    pub(crate) const fn pan(&self) -> &Pan {
        &self.pan
    }

    /// Whether its digits are printed in groups.
    pub(crate) fn has_gaps(&self) -> bool {
        self.text.contains(' ')
    }
}

/// The numbers that a look may say: texts of 13 to 19 digits and nothing else but gaps.
pub(crate) fn score_numbers(log_probs: &LogProbs, alphabet: &Alphabet, table: &BinTable) -> Vec<Scored> {
    let mut others = 1.0; // what no candidate accounts for, and candidates that are no number
    let mut numbers: Vec<Scored> = Vec::new();
    for candidate in beam_search(log_probs, alphabet, BEAM_WIDTH, MAX_SYMBOLS) {
        let Ok(pan) = candidate.text.replace(' ', "").parse::<Pan>() else { continue };
        // An 18-digit card number of an unknown issuer passes for one about once in 20,000 times.
        if is_identity_number(pan.digits().as_bytes()) && !table.knows(pan.digits(), None) {
            continue;
        }
        let share = candidate.log_prob.exp();
        others -= share;
        let prior = prior(&pan, table);
        let weight = share * (prior + layout(&candidate.text)).exp();
        // The same digits with another grouping are the same number.
        match numbers.iter_mut().find(|known| known.pan == pan) {
            Some(known) => known.prob += weight,
            None => numbers.push(Scored { pan, text: candidate.text.trim().to_owned(), prob: weight, prior }),
        }
    }
    let total: f32 = numbers.iter().map(|number| number.prob).sum::<f32>() + others.max(0.0);
    numbers.iter_mut().for_each(|number| number.prob /= total);
    numbers
}

/// The number that several looks at one line agree on best, by its index into one of them: (look, index, probability).
///
/// A logarithmic opinion pool (Genest and Zidek 1986): the looks' probabilities are multiplied, each with the exponent
/// 1 / sqrt(looks), for they see the same picture and err together. What is known of cards, and is in each of them, would count
/// sqrt(looks) times so; what speaks for a number is brought down to [`PRIOR_GROWTH`].
pub(crate) fn pool(looks: &[Vec<Scored>]) -> Option<(usize, usize, f32)> {
    let count = looks.len() as f32;
    let excess = count.powf(PRIOR_GROWTH) - count.sqrt();
    let agreed = |probs: &dyn Fn(&Vec<Scored>) -> f32| {
        let mean = looks.iter().map(probs).sum::<f32>() / count;
        let weight = |look| ((1.0 - BAD_LOOK) * probs(look) + BAD_LOOK * mean).powf(1.0 / count.sqrt());
        looks.iter().map(weight).product::<f32>()
    };
    let mut total = agreed(&|look| (1.0 - look.iter().map(|number| number.prob).sum::<f32>()).max(0.0));
    let mut seen: Vec<&Pan> = Vec::new();
    let mut best: Option<(usize, usize, f32)> = None;
    for (at, numbers) in looks.iter().enumerate() {
        for (index, number) in numbers.iter().enumerate() {
            let in_look = |look: &Vec<Scored>| {
                look.iter().find(|other| other.pan == number.pan).map_or(0.0, |other| other.prob)
            };
            let weight = agreed(&in_look) * (excess * number.prior.max(0.0)).exp();
            if !seen.contains(&&number.pan) {
                seen.push(&number.pan);
                total += weight;
            }
            // Of equal numbers that of the surest look, which tells its gaps and its place best.
            let surer = |&(l, i, w): &(usize, usize, f32)| (weight, number.prob) > (w, looks[l][i].prob);
            if best.as_ref().is_none_or(surer) {
                best = Some((at, index, weight));
            }
        }
    }
    best.map(|(at, index, weight)| (at, index, weight / total))
}

/// The number that was chosen, with what the columns of its look say of each character; what the looks say of its probability is
/// too sure.
pub(crate) fn chosen_number(
    number: &Scored,
    prob: f32,
    log_probs: &LogProbs,
    alphabet: &Alphabet,
) -> Chosen<Pan> {
    let chars = characters(log_probs, alphabet, &number.text);
    Chosen { value: number.pan.clone(), text: number.text.clone(), prob: calibrated(prob), chars }
}

/// How often numbers of such a probability are right; 0.5 stays 0.5.
fn calibrated(prob: f32) -> f32 {
    let odds = (prob / (1.0 - prob)).powf(SLOPE);
    if odds.is_finite() { odds / (1.0 + odds) } else { 1.0 }
}

/// Log-odds of a number by what is known of cards. An unknown prefix is less likely, never impossible.
fn prior(pan: &Pan, table: &BinTable) -> f32 {
    let luhn = match pan.luhn_valid() {
        _ if is_specimen(pan) => 0.0,
        true => LUHN_PASS,
        false => LUHN_FAIL,
    };
    let digits = pan.digits();
    let issuer = match (table.knows(digits, None), Scheme::of_length(digits, digits.len())) {
        (true, _) => BIN_KNOWN,
        // UnionPay's issuers are known, other schemes' are not.
        (false, Some(scheme)) if scheme != Scheme::UnionPay => BIN_KNOWN,
        (false, Some(_)) => BIN_UNKNOWN,
        (false, None) => NO_SCHEME,
    };
    // 19 and 16 digits are by far the commonest lengths; 17, 14 and 13 are rare, and often 16 with a stain.
    let length = match pan.digits().len() {
        16 | 19 => 0.0,
        15 | 18 => -1.5,
        17 => -2.5,
        _ => -3.5,
    };
    luhn + length + issuer
}

/// Whether a number passes Luhn, or is a specimen's, about which Luhn says nothing.
pub(crate) fn is_plausible(pan: &Pan) -> bool {
    pan.luhn_valid() || is_specimen(pan)
}

/// Whether a number is one that specimens print: 8888 8888 8888.
fn is_specimen(pan: &Pan) -> bool {
    let repeats = |digit: u8| pan.digits().bytes().filter(|&other| other == digit).count();
    (b'0'..=b'9').any(|digit| repeats(digit) >= SPECIMEN_REPEATS)
}

/// Whether digits form a Chinese citizen's identity number by GB 11643-1999: region, day of birth, serial number, and a check
/// digit by ISO 7064, MOD 11-2 (one that is X makes no number of digits).
fn is_identity_number(digits: &[u8]) -> bool {
    let number = |range: Range<usize>| {
        digits[range].iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'))
    };
    digits.len() == 18
        && (11..=82).contains(&number(0..2))
        && (1900..=2099).contains(&number(6..10))
        && (1..=12).contains(&number(10..12))
        && (1..=31).contains(&number(12..14))
        && digits.iter().fold(0, |sum, digit| (sum * 2 + u32::from(digit - b'0')) % 11) == 1
}

/// Log-odds of a text's groups.
fn layout(text: &str) -> f32 {
    let groups: Vec<usize> = text.split_whitespace().map(str::len).collect();
    if USUAL_GROUPS.contains(&groups.as_slice()) { GROUPS_USUAL } else { GROUPS_ODD }
}

/// The dates that a line may say, from left to right, each with the probability that it stands there, [`DATE_SEEN`] or more.
/// Whatever stands around them: a short line's strip shows its neighbours too.
pub(crate) fn choose_dates(log_probs: &LogProbs, alphabet: &Alphabet) -> Vec<Chosen<Expiry>> {
    let Some(spotter) = Spotter::new(log_probs, alphabet) else { return Vec::new() };
    let printed: Vec<(String, f32)> =
        DATE_FORMS.iter().flat_map(|form| spotter.find(form, DATE_SEEN)).collect();
    let mut dates: Vec<(Expiry, &str, f32)> = Vec::new();
    for (text, prob) in &printed {
        let Some(date) = date_of(text) else { continue };
        // 12/20 also stands in 12/2024, 11/12 in 2011/12 (in 011/12, where the 2 is not seen), and a date with a day (2008/03/14)
        // is none of these: cards expire at the end of a month.
        let longer =
            printed.iter().filter(|(other, _)| other.len() > text.len() && other.starts_with(text.as_str()));
        let is_year_and_month = month_and_year(text).1.parse().is_ok_and(|end: u8| (1..=12).contains(&end));
        let before = if text.find('/') == Some(2) { if is_year_and_month { "/0" } else { "/" } } else { "" };
        let after = if text.rfind('/') == Some(text.len() - 3) { "/" } else { "" };
        let explained: f32 = longer.map(|(_, prob)| prob).sum::<f32>()
            + before.chars().map(|symbol| spotter.prob_of(&format!("{symbol}{text}"))).sum::<f32>()
            + after.chars().map(|symbol| spotter.prob_of(&format!("{text}{symbol}"))).sum::<f32>();
        let prob = (prob - explained).max(0.0) * gain_of_impossible(text, &printed);
        match dates.iter_mut().find(|(known, ..)| *known == date) {
            Some((_, best, total)) => {
                if prob > *total {
                    *best = text;
                }
                *total += prob;
            }
            None => dates.push((date, text, prob)),
        }
    }
    let mut chosen: Vec<(usize, Chosen<Expiry>)> = Vec::new();
    for (value, text, prob) in dates.into_iter().filter(|(.., prob)| *prob >= DATE_SEEN) {
        let aligned = align(log_probs, alphabet, text, Around::Anything).unwrap_or_default();
        let Some(first) = aligned.first() else { continue };
        let at = first.columns.start;
        chosen.push((
            at,
            Chosen { value, text: text.to_owned(), prob: prob.min(1.0), chars: printed_chars(aligned) },
        ));
    }
    chosen.sort_by_key(|(at, _)| *at);
    chosen.into_iter().map(|(_, date)| date).collect()
}

/// By how much a date is more probable because what was seen of months that no calendar has, in its year and form, can be none.
fn gain_of_impossible(text: &str, printed: &[(String, f32)]) -> f32 {
    let (form, (_, year)) = (text.find('/'), month_and_year(text));
    let (mut possible, mut impossible) = (MONTH_UNSEEN, 0.0);
    for (other, prob) in printed.iter().filter(|(other, _)| other.find('/') == form) {
        match month_and_year(other) {
            (Some(1..=12), same) if same == year => possible += prob,
            (_, same) if same == year => impossible += prob,
            _ => {}
        }
    }
    (possible + impossible) / possible
}

/// Prefixes kept at each column of a name.
const NAME_BEAM_WIDTH: usize = 8;
/// Characters of a name (ISO/IEC 7813, 3.2 allows 26), and gaps that a badly cut strip may show.
const MAX_NAME_SYMBOLS: usize = 28;

/// The most probable name on a line; `None` when it has fewer than two letters.
pub(crate) fn choose_holder(log_probs: &LogProbs, alphabet: &Alphabet) -> Option<Chosen<String>> {
    let best = beam_search(log_probs, alphabet, NAME_BEAM_WIDTH, MAX_NAME_SYMBOLS).into_iter().next()?;
    let name = best.text.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.chars().filter(char::is_ascii_alphabetic).count() < 2 {
        return None;
    }
    let chars = characters(log_probs, alphabet, &best.text);
    Some(Chosen { value: name.clone(), text: name, prob: best.log_prob.exp().clamp(0.0, 1.0), chars })
}

/// The date that a text of one of [`DATE_FORMS`] says; `None` for a month or year that no card carries.
fn date_of(text: &str) -> Option<Expiry> {
    let (month, year) = month_and_year(text);
    let century = if year.len() == 2 { 2000 } else { 0 };
    Expiry::new(month?, century + year.parse::<u16>().ok()?)
}

/// The month and the printed year of a text of one of [`DATE_FORMS`].
fn month_and_year(text: &str) -> (Option<u8>, &str) {
    let (before, after) = text.split_once('/').unwrap_or_default();
    let (month, year) = if before.len() == 4 { (after, before) } else { (before, after) };
    (month.parse().ok(), year)
}

/// The characters of a text but its gaps, each with how sure the columns are of it.
fn characters(log_probs: &LogProbs, alphabet: &Alphabet, text: &str) -> Vec<CharReading> {
    printed_chars(align(log_probs, alphabet, text, Around::Nothing).unwrap_or_default())
}

fn printed_chars(aligned: Vec<Aligned>) -> Vec<CharReading> {
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

    /// What one look at a line gives.
    fn choose_number(log_probs: &LogProbs, alphabet: &Alphabet, table: &BinTable) -> Option<Chosen<Pan>> {
        let look = [score_numbers(log_probs, alphabet, table)];
        let (_, index, prob) = pool(&look)?;
        Some(chosen_number(&look[0][index], prob, log_probs, alphabet))
    }

    #[test]
    fn looks_that_agree_are_surer_than_each_and_one_that_differs_makes_doubt() {
        let table = BinTable::embedded();
        let look = |doubt: (usize, char, f32)| {
            score_numbers(&columns(&alphabet(), "5425 2334 3010 9903", &[doubt]), &alphabet(), table)
        };
        // Each doubts another digit; the doubt's alternative passes Luhn no more than the truth fails it.
        let (first, second) = (look((2, '8', 0.9)), look((13, '7', 0.9)));
        let prob = |looks: &[Vec<Scored>]| {
            let (look, index, prob) = pool(looks).unwrap();
            (looks[look][index].pan.digits().to_owned(), prob)
        };
        let (one, two) = (prob(std::slice::from_ref(&first)).1, prob(&[first, second]));
        assert_eq!(two.0, "5425233430109903");
        assert!(two.1 > one, "{} after {one}", two.1);

        let other = score_numbers(&columns(&alphabet(), "4539 5787 6362 1486", &[]), &alphabet(), table);
        let clear = score_numbers(&columns(&alphabet(), "5425 2334 3010 9903", &[]), &alphabet(), table);
        assert!(prob(&[clear, other]).1 < 0.6);
        assert!(pool(&[]).is_none());
        assert!(pool(&[Vec::new(), Vec::new()]).is_none());
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
    fn what_many_looks_see_outweighs_what_is_known_of_cards() {
        // The check digit tips the scale of one look that is fairly sure of another digit, but not of many.
        let look = || {
            let log_probs = columns(&alphabet(), "4123 4567 8978 2340", &[(12, '1', 0.05)]);
            score_numbers(&log_probs, &alphabet(), BinTable::embedded())
        };
        for (count, expected) in [(1, "4123456789182340"), (16, "4123456789782340")] {
            let looks: Vec<_> = std::iter::repeat_with(look).take(count).collect();
            let (look, index, _) = pool(&looks).unwrap();
            assert_eq!(looks[look][index].pan.digits(), expected, "{count} looks");
        }
    }

    #[test]
    fn identity_numbers_are_no_card_numbers() {
        // The standard's own example is 11010519491231002X; the others are made for this test.
        for (digits, expected) in [
            ("110105194912310038", true),
            ("110105194912310039", false),
            ("110105194913310038", false),
            ("990105194912310038", false),
            ("11010519491231003", false),
        ] {
            assert_eq!(is_identity_number(digits.as_bytes()), expected, "{digits}");
        }
        let log_probs = columns(&alphabet(), "110105194912310038", &[(3, '7', 0.05)]);
        let chosen = choose_number(&log_probs, &alphabet(), BinTable::embedded());
        assert!(chosen.is_none_or(|chosen| chosen.prob < 0.5));
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
            ("10/1210/20", vec![("10/12", "10/12"), ("10/20", "10/20")]),
            ("2008/03/14", vec![]),
            ("011/12", vec![]),
            ("011/13", vec![("11/13", "11/13")]),
            ("03/14/08", vec![]),
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
    fn a_name_has_two_letters_at_least_and_single_gaps() {
        let alphabet = Alphabet::new(" AILN", 0).unwrap();
        for (text, expected) in
            [("LI NA", Some("LI NA")), (" LI NA ", Some("LI NA")), ("A", None), ("", None)]
        {
            let name = choose_holder(&columns(&alphabet, text, &[]), &alphabet);
            assert_eq!(name.as_ref().map(|name| name.value.as_str()), expected, "{text}");
            let letters = text.chars().filter(|c| *c != ' ').count();
            assert!(name.is_none_or(|name| name.prob > 0.9 && name.chars.len() == letters), "{text}");
        }
    }

    #[test]
    fn a_number_is_as_probable_as_such_are_right() {
        for (prob, expected) in [(0.0, 0.0), (0.5, 0.5), (0.95, 0.928), (0.99, 0.982), (1.0, 1.0)] {
            assert!((calibrated(prob) - expected).abs() < 1e-3, "{prob}: {}", calibrated(prob));
        }
    }

    #[test]
    fn a_neighbour_that_cannot_be_told_does_not_make_a_date_unsure() {
        let doubts = [(0, '3', 0.3), (0, '6', 0.3), (7, '1', 0.5)];
        let dates = choose_dates(&columns(&alphabet(), "8 01/27 4", &doubts), &alphabet());
        assert_eq!(dates.len(), 1);
        assert!(dates[0].prob > 0.95, "{}", dates[0].prob);
        // Nor does a month that no calendar has: the others share what it had.
        let dates = choose_dates(&columns(&alphabet(), "01/27", &[(1, '0', 0.8)]), &alphabet());
        let probs: Vec<_> = dates.iter().map(|date| (date.text.as_str(), date.prob)).collect();
        assert!(matches!(probs[..], [("01/27", 0.83..0.85)]), "{probs:?}"); // 0.2 x 1.05 / 0.25
        // A digit of the date that cannot be told does.
        let dates = choose_dates(&columns(&alphabet(), "8 01/27", &[(6, '1', 0.45)]), &alphabet());
        let probs: Vec<_> = dates.iter().map(|date| (date.text.as_str(), date.prob)).collect();
        assert!(matches!(probs[..], [("01/21", 0.4..0.5), ("01/27", 0.5..0.6)]), "{probs:?}");
    }
}
