//! How probable it is that a text stands somewhere among the columns, whatever stands around it: keyword spotting by the
//! rules of CTC. A search for whole texts spreads the probability of a short text over all that its neighbours may say.

use super::{Alphabet, LogProbs};

/// Looks for texts among the columns of one strip.
pub(crate) struct Spotter<'a> {
    alphabet: &'a Alphabet,
    /// Probabilities, column by column.
    columns: Vec<Vec<f32>>,
}

/// The beginning of a text.
struct Prefix {
    /// Class of its last symbol.
    class: usize,
    /// By column: probability that the text begins anywhere and its last symbol stands in this column.
    reached: Vec<f32>,
}

impl<'a> Spotter<'a> {
    /// `None` when the alphabet is not that of the columns.
    pub(crate) fn new(log_probs: &LogProbs, alphabet: &'a Alphabet) -> Option<Self> {
        let columns = log_probs.rows().map(|row| row.iter().map(|value| value.exp()).collect()).collect();
        (log_probs.classes() == alphabet.classes()).then_some(Self { alphabet, columns })
    }

    /// The texts with one symbol from each slot that stand among the columns with at least this probability. A slash may
    /// have gaps beside it.
    pub(crate) fn find(&self, slots: &[&str], least: f32) -> Vec<(String, f32)> {
        let mut found = Vec::new();
        self.search(None, String::new(), slots, least, &mut found);
        found
    }

    /// Probability that a text stands among the columns.
    pub(crate) fn prob_of(&self, text: &str) -> f32 {
        let mut prefix = None;
        for symbol in text.chars() {
            let Some(class) = self.alphabet.class_of(symbol) else { return 0.0 };
            prefix = Some(self.extend(prefix.as_ref(), class));
        }
        prefix.map_or(1.0, |prefix| self.prob(&prefix))
    }

    fn search(
        &self,
        prefix: Option<&Prefix>,
        text: String,
        slots: &[&str],
        least: f32,
        found: &mut Vec<(String, f32)>,
    ) {
        let prob = prefix.map_or(1.0, |prefix| self.prob(prefix));
        // No text is more probable than its beginning.
        if prob < least {
            return;
        }
        let Some((slot, rest)) = slots.split_first() else { return found.push((text, prob)) };
        for symbol in slot.chars() {
            let Some(class) = self.alphabet.class_of(symbol) else { continue };
            self.search(Some(&self.extend(prefix, class)), format!("{text}{symbol}"), rest, least, found);
        }
    }

    /// A text's beginning with one symbol more. `None` is the empty one, which may end before any column.
    fn extend(&self, prefix: Option<&Prefix>, class: usize) -> Prefix {
        let is_slash = |class: usize| self.alphabet.symbol(class) == Some('/');
        let gap_allowed = is_slash(class) || prefix.is_some_and(|prefix| is_slash(prefix.class));
        let space = self.alphabet.class_of(' ').filter(|_| gap_allowed);
        let (mut between, mut within) = (0.0, 0.0);
        let mut reached = Vec::with_capacity(self.columns.len());
        for (column, probs) in self.columns.iter().enumerate() {
            let from = match prefix {
                // Any column before but one with the same symbol: there the text would have begun earlier.
                None => column.checked_sub(1).map_or(1.0, |before| 1.0 - self.columns[before][class]),
                Some(prefix) => {
                    let direct = column.checked_sub(1).map_or(0.0, |before| prefix.reached[before]);
                    let from = between + if prefix.class == class { 0.0 } else { direct };
                    let nothing = probs[self.alphabet.blank] + space.map_or(0.0, |space| probs[space]);
                    between = nothing * (between + direct);
                    from
                }
            };
            within = probs[class] * (within + from);
            reached.push(within);
        }
        Prefix { class, reached }
    }

    /// Probability that the text stands somewhere: that its last symbol ends in one column or another.
    fn prob(&self, prefix: &Prefix) -> f32 {
        let goes_on = |column: usize| self.columns.get(column + 1).map_or(0.0, |next| next[prefix.class]);
        let ends =
            prefix.reached.iter().enumerate().map(|(column, reached)| reached * (1.0 - goes_on(column)));
        ends.sum::<f32>().clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pseudo-random columns over a blank and the symbols `1/ `.
    fn columns(seed: u32, count: usize) -> LogProbs {
        let mut state = seed.wrapping_mul(2_654_435_761).max(1);
        let mut values = Vec::new();
        for _ in 0..count {
            let row: Vec<f32> = (0..4)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 17;
                    state ^= state << 5;
                    (state % 1000) as f32 + 1.0
                })
                .collect();
            let total: f32 = row.iter().sum();
            values.extend(row.iter().map(|value| (value / total).ln()));
        }
        LogProbs::new(count, 4, values).unwrap()
    }

    /// The texts that all paths spell, with their probabilities.
    fn all_texts(log_probs: &LogProbs, alphabet: &Alphabet) -> Vec<(String, f32)> {
        let rows: Vec<&[f32]> = log_probs.rows().collect();
        (0..4usize.pow(rows.len() as u32))
            .map(|mut path| {
                let (mut text, mut log_prob, mut before) = (String::new(), 0.0, None);
                for row in &rows {
                    let class = path % 4;
                    path /= 4;
                    log_prob += row[class];
                    if before != Some(class) {
                        text.extend(alphabet.symbol(class));
                    }
                    before = Some(class);
                }
                (text, log_prob.exp())
            })
            .collect()
    }

    #[test]
    fn agrees_with_all_paths_wherever_a_text_fits_once() {
        let alphabet = Alphabet::new("1/ ", 0).unwrap();
        for seed in 1..20 {
            let log_probs = columns(seed, 5);
            let texts = all_texts(&log_probs, &alphabet);
            let spotter = Spotter::new(&log_probs, &alphabet).unwrap();
            // Five columns hold none of these twice.
            for text in ["11/", "/11", "1/1/", "111"] {
                let expected: f32 = texts
                    .iter()
                    .filter(|(other, _)| {
                        // Gaps beside a slash do not count.
                        other.replace(" /", "/").replace("/ ", "/").contains(text)
                    })
                    .map(|(_, prob)| prob)
                    .sum();
                let prob = spotter.prob_of(text);
                assert!((prob - expected).abs() < 1e-5, "{text}: {prob} for {expected}");
            }
            for (text, prob) in spotter.find(&["1/", "/", "1"], 0.0) {
                assert_eq!(prob, spotter.prob_of(&text));
            }
        }
    }

    #[test]
    fn another_alphabet_is_refused() {
        let log_probs = columns(1, 4);
        assert!(Spotter::new(&log_probs, &Alphabet::new("12", 0).unwrap()).is_none());
        let alphabet = Alphabet::new("1/ ", 0).unwrap();
        assert_eq!(Spotter::new(&log_probs, &alphabet).unwrap().prob_of("7"), 0.0);
    }
}
