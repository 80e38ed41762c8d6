//! Log-probabilities by column -> texts, by the rules of CTC (Graves et al. 2006) alone: a text is read by
//! every path that spells it once repeats are merged and blanks dropped. Knows nothing of cards.

mod spot;

use std::ops::Range;

pub(crate) use spot::Spotter;

/// What the classes of a model's output stand for: the blank, and one symbol for each of the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alphabet {
    /// By class; the entry at `blank` stands for nothing and is never given out.
    symbols: Vec<char>,
    blank: usize,
}

impl Alphabet {
    /// `symbols` are those of the classes in order, the blank left out; `blank` is the blank's class.
    /// `None` when a symbol stands there twice or `blank` leaves a hole.
    pub(crate) fn new(symbols: &str, blank: usize) -> Option<Self> {
        let mut symbols: Vec<char> = symbols.chars().collect();
        let unique = symbols.iter().enumerate().all(|(i, c)| !symbols[..i].contains(c));
        if !unique || blank > symbols.len() {
            return None;
        }
        symbols.insert(blank, '\0');
        Some(Self { symbols, blank })
    }

    /// Number of classes, the blank included.
    pub(crate) fn classes(&self) -> usize {
        self.symbols.len()
    }

    /// The symbol of a class; `None` for the blank and beyond the last class.
    pub(crate) fn symbol(&self, class: usize) -> Option<char> {
        self.symbols.get(class).copied().filter(|_| class != self.blank)
    }

    /// The class of a symbol.
    pub(crate) fn class_of(&self, symbol: char) -> Option<usize> {
        (0..self.classes()).find(|&class| self.symbol(class) == Some(symbol))
    }

    /// The classes of a text with a blank before, between and after; `None` when a symbol is unknown.
    fn states_of(&self, text: &str) -> Option<Vec<usize>> {
        let mut states = vec![self.blank];
        for symbol in text.chars() {
            states.extend([self.class_of(symbol)?, self.blank]);
        }
        Some(states)
    }
}

/// What a recogniser says of one strip: for each column, left to right, the natural log of each class's
/// probability.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LogProbs {
    classes: usize,
    /// Column by column; none is NaN or above 0.
    values: Vec<f32>,
}

impl LogProbs {
    /// `values` column by column; `None` when there are not `columns` x `classes` of them. A value that
    /// is not a number counts as impossible, one above 0 as certain.
    pub(crate) fn new(columns: usize, classes: usize, mut values: Vec<f32>) -> Option<Self> {
        if classes == 0 || columns.checked_mul(classes)? != values.len() {
            return None;
        }
        for v in &mut values {
            *v = if v.is_nan() { f32::NEG_INFINITY } else { v.min(0.0) };
        }
        Some(Self { classes, values })
    }

    /// Number of columns.
    pub(crate) fn columns(&self) -> usize {
        self.values.len() / self.classes
    }

    /// Number of classes, the blank included.
    pub(crate) fn classes(&self) -> usize {
        self.classes
    }

    /// The columns in order, each one value a class.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.classes)
    }
}

/// A text that the columns may say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Candidate {
    /// The symbols, gaps included.
    pub(crate) text: String,
    /// Natural log of the text's probability, summed over all paths that the search kept.
    pub(crate) log_prob: f32,
}

/// One symbol of a text with its place among the columns, on the text's most probable path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Aligned {
    /// The symbol.
    pub(crate) symbol: char,
    /// The columns that say it; never empty.
    pub(crate) columns: Range<usize>,
    /// The column that says it loudest.
    pub(crate) peak: usize,
    /// Probability in the column that says it most faintly, above 0 and below 1.
    pub(crate) min_prob: f32,
    /// Mean probability over its columns, above 0 and below 1.
    pub(crate) mean_prob: f32,
}

/// ln(e^a + e^b).
fn log_add(a: f32, b: f32) -> f32 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    if low == f32::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

/// Natural log of a text's probability over all its paths (the forward algorithm); minus infinity when
/// the alphabet or the number of columns rules it out.
#[cfg(test)]
pub(crate) fn text_log_prob(log_probs: &LogProbs, alphabet: &Alphabet, text: &str) -> f32 {
    let Some(states) = alphabet.states_of(text).filter(|_| log_probs.classes() == alphabet.classes()) else {
        return f32::NEG_INFINITY;
    };
    if log_probs.columns() == 0 {
        return if text.is_empty() { 0.0 } else { f32::NEG_INFINITY };
    }
    let mut reached = vec![f32::NEG_INFINITY; states.len()];
    for (column, row) in log_probs.rows().enumerate() {
        // From the right, so that the states to the left still hold the last column's values.
        for state in (0..states.len()).rev() {
            let from = match column {
                0 if state < 2 => 0.0,
                0 => f32::NEG_INFINITY,
                _ => steps_into(&states, state).map(|s| reached[s]).fold(f32::NEG_INFINITY, log_add),
            };
            reached[state] = from + row[states[state]];
        }
    }
    match reached.as_slice() {
        [.., symbol, blank] => log_add(*symbol, *blank),
        [blank] => *blank,
        [] => f32::NEG_INFINITY,
    }
}

/// The states from which a path may come into `state`: itself, its left neighbour, and past a blank that
/// does not keep two equal symbols apart.
fn steps_into(states: &[usize], state: usize) -> impl Iterator<Item = usize> {
    let skips = state >= 2 && states[state] != states[state - 2] && states[state] != states[0];
    let farthest = if skips { 2 } else { usize::from(state > 0) };
    state - farthest..=state
}

/// What stands before and behind a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Around {
    /// Nothing: it is all that the columns say.
    Nothing,
    /// Whatever the columns say there.
    Anything,
}

/// Places each symbol of a text on the columns; `None` when the text cannot be read from them at all.
pub(crate) fn align(
    log_probs: &LogProbs,
    alphabet: &Alphabet,
    text: &str,
    around: Around,
) -> Option<Vec<Aligned>> {
    if log_probs.classes() != alphabet.classes() {
        return None;
    }
    let states = alphabet.states_of(text)?;
    let last = states.len() - 1;
    let is_around = |state: usize| around == Around::Anything && (state == 0 || state == last);
    let mut reached = vec![f32::NEG_INFINITY; states.len()];
    let mut came_from = Vec::with_capacity(log_probs.columns());
    for (column, row) in log_probs.rows().enumerate() {
        let mut from = vec![0; states.len()];
        for state in (0..states.len()).rev() {
            let best = match column {
                0 => (state, if state < 2 { 0.0 } else { f32::NEG_INFINITY }),
                _ => steps_into(&states, state)
                    .map(|s| (s, reached[s]))
                    .max_by(|a, b| a.1.total_cmp(&b.1))
                    .unwrap_or((state, f32::NEG_INFINITY)),
            };
            from[state] = best.0;
            reached[state] = best.1 + if is_around(state) { 0.0 } else { row[states[state]] };
        }
        came_from.push(from);
    }
    let end = (last.saturating_sub(1)..=last).max_by(|&a, &b| reached[a].total_cmp(&reached[b]))?;
    if came_from.is_empty() || reached[end] == f32::NEG_INFINITY {
        return text.is_empty().then(Vec::new);
    }
    let mut path = vec![end; came_from.len()];
    for column in (1..path.len()).rev() {
        path[column - 1] = came_from[column][path[column]];
    }
    let rows: Vec<&[f32]> = log_probs.rows().collect();
    let place = |(i, symbol): (usize, char)| {
        let state = 2 * i + 1;
        let start = path.iter().position(|&s| s == state)?;
        let end = start + path[start..].iter().take_while(|&&s| s == state).count();
        let log_prob = |column: usize| rows[column][states[state]];
        let peak = (start..end).max_by(|&a, &b| log_prob(a).total_cmp(&log_prob(b)))?;
        let probs = (start..end).map(|column| log_prob(column).exp());
        let open = |prob: f32| prob.clamp(f32::MIN_POSITIVE, 1.0 - f32::EPSILON);
        Some(Aligned {
            symbol,
            columns: start..end,
            peak,
            min_prob: open(probs.clone().fold(1.0, f32::min)),
            mean_prob: open(probs.sum::<f32>() / (end - start) as f32),
        })
    };
    text.chars().enumerate().map(place).collect()
}

/// A prefix that the search met: its parent in [`Tree`] with one symbol more.
struct Prefix {
    parent: usize,
    class: usize,
    length: usize,
    /// Where it stands in the beam of the column at work.
    in_beam: Option<usize>,
}

/// All prefixes met, the empty one first. A prefix stands there once, so that one that falls out of the
/// beam and comes back is still known as the parent of its children.
struct Tree {
    prefixes: Vec<Prefix>,
    /// By prefix and class; 0, which is nobody's child, for none.
    children: Vec<usize>,
    classes: usize,
}

impl Tree {
    fn new(alphabet: &Alphabet) -> Self {
        let empty = Prefix { parent: 0, class: alphabet.blank, length: 0, in_beam: None };
        let classes = alphabet.classes();
        Self { prefixes: vec![empty], children: vec![0; classes], classes }
    }

    fn child(&self, prefix: usize, class: usize) -> Option<usize> {
        Some(self.children[prefix * self.classes + class]).filter(|&child| child != 0)
    }

    fn child_or_new(&mut self, prefix: usize, class: usize) -> usize {
        self.child(prefix, class).unwrap_or_else(|| {
            let child = self.prefixes.len();
            let length = self.prefixes[prefix].length + 1;
            self.prefixes.push(Prefix { parent: prefix, class, length, in_beam: None });
            self.children[prefix * self.classes + class] = child;
            self.children.resize(self.prefixes.len() * self.classes, 0);
            child
        })
    }

    fn text(&self, mut prefix: usize, alphabet: &Alphabet) -> String {
        let mut symbols = Vec::new();
        while prefix != 0 {
            symbols.extend(alphabet.symbol(self.prefixes[prefix].class));
            prefix = self.prefixes[prefix].parent;
        }
        symbols.iter().rev().collect()
    }
}

/// A prefix in the beam, with the log-probabilities of its paths so far by how they end.
#[derive(Clone, Copy)]
struct Entry {
    prefix: usize,
    /// The symbol that makes a new prefix of `prefix`; `None` for `prefix` itself.
    grows_by: Option<usize>,
    in_blank: f32,
    in_symbol: f32,
    total: f32,
}

impl Entry {
    fn new(prefix: usize, grows_by: Option<usize>, in_blank: f32, in_symbol: f32) -> Self {
        Self { prefix, grows_by, in_blank, in_symbol, total: log_add(in_blank, in_symbol) }
    }

    /// Log-probability of the paths that a further `class` makes longer: after the same symbol only those
    /// that end in a blank, for the others repeat it.
    fn open_to(&self, class: usize, own_class: usize) -> f32 {
        if class == own_class { self.in_blank } else { self.total }
    }
}

/// The most probable texts, best first, by CTC prefix beam search. At each column the `beam_width` best
/// prefixes are kept, and none with more than `max_symbols` symbols, gaps counted. Empty only when no
/// such text is possible, or when the alphabet is not that of the columns.
pub(crate) fn beam_search(
    log_probs: &LogProbs,
    alphabet: &Alphabet,
    beam_width: usize,
    max_symbols: usize,
) -> Vec<Candidate> {
    if log_probs.classes() != alphabet.classes() {
        return Vec::new();
    }
    let mut tree = Tree::new(alphabet);
    let mut beam = vec![Entry::new(0, None, 0.0, f32::NEG_INFINITY)];
    let mut next = Vec::new();
    for row in log_probs.rows() {
        for (i, entry) in beam.iter().enumerate() {
            tree.prefixes[entry.prefix].in_beam = Some(i);
        }
        for entry in &beam {
            let own = &tree.prefixes[entry.prefix];
            let mut in_symbol = f32::NEG_INFINITY;
            if own.length > 0 {
                let parent = &tree.prefixes[own.parent];
                let grown = parent.in_beam.map(|i| beam[i].open_to(own.class, parent.class));
                in_symbol = log_add(entry.in_symbol, grown.unwrap_or(f32::NEG_INFINITY)) + row[own.class];
            }
            next.push(Entry::new(entry.prefix, None, entry.total + row[alphabet.blank], in_symbol));
            if own.length == max_symbols {
                continue;
            }
            for (class, log_prob) in row.iter().enumerate().filter(|&(class, _)| class != alphabet.blank) {
                let stands = tree.child(entry.prefix, class).and_then(|c| tree.prefixes[c].in_beam);
                if stands.is_none() {
                    let in_symbol = entry.open_to(class, own.class) + log_prob;
                    next.push(Entry::new(entry.prefix, Some(class), f32::NEG_INFINITY, in_symbol));
                }
            }
        }
        for entry in beam.drain(..) {
            tree.prefixes[entry.prefix].in_beam = None;
        }
        next.retain(|entry| entry.total > f32::NEG_INFINITY);
        let width = beam_width.max(1);
        if next.len() > width {
            next.select_nth_unstable_by(width, |a, b| b.total.total_cmp(&a.total));
            next.truncate(width);
        }
        beam.extend(next.drain(..).map(|entry| {
            let prefix = entry.grows_by.map_or(entry.prefix, |class| tree.child_or_new(entry.prefix, class));
            Entry { prefix, grows_by: None, ..entry }
        }));
    }
    beam.sort_by(|a, b| b.total.total_cmp(&a.total));
    beam.iter().map(|e| Candidate { text: tree.text(e.prefix, alphabet), log_prob: e.total }).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn alphabet(symbols: &str, blank: usize) -> Alphabet {
        Alphabet::new(symbols, blank).unwrap()
    }

    fn log_probs(columns: usize, classes: usize, probs: &[f32]) -> LogProbs {
        LogProbs::new(columns, classes, probs.iter().map(|p| p.ln()).collect()).unwrap()
    }

    /// Every path spelt out: the summed probability of each text.
    fn brute_force(log_probs: &LogProbs, alphabet: &Alphabet) -> BTreeMap<String, f64> {
        let (classes, columns) = (log_probs.classes(), log_probs.columns());
        let mut sums = BTreeMap::new();
        for path in 0..classes.pow(columns as u32) {
            let (mut rest, mut last, mut text, mut log_prob) = (path, None, String::new(), 0.0);
            for row in log_probs.rows() {
                let class = rest % classes;
                rest /= classes;
                log_prob += f64::from(row[class]);
                if last != Some(class) {
                    text.extend(alphabet.symbol(class));
                }
                last = Some(class);
            }
            *sums.entry(text).or_insert(0.0) += log_prob.exp();
        }
        sums
    }

    /// Up to 5 columns of 3 classes, each column adding up to 1, and the blank's class.
    fn small_inputs() -> impl Strategy<Value = (LogProbs, Alphabet)> {
        (prop::collection::vec(0.01_f32..1.0, 0..16), 0_usize..3).prop_map(|(mut values, blank)| {
            let columns = values.len() / 3;
            values.truncate(columns * 3);
            for row in values.chunks_exact_mut(3) {
                let sum: f32 = row.iter().sum();
                row.iter_mut().for_each(|p| *p /= sum);
            }
            (log_probs(columns, 3, &values), alphabet("0 ", blank))
        })
    }

    proptest! {
        #[test]
        fn search_and_forward_agree_with_brute_force((log_probs, alphabet) in small_inputs()) {
            let sums = brute_force(&log_probs, &alphabet);
            let found = beam_search(&log_probs, &alphabet, usize::MAX, usize::MAX);
            prop_assert_eq!(found.len(), sums.len());
            for candidate in &found {
                let expected = sums[&candidate.text].ln() as f32;
                prop_assert!((candidate.log_prob - expected).abs() < 1e-4, "{:?} {}", candidate, expected);
                let forward = text_log_prob(&log_probs, &alphabet, &candidate.text);
                prop_assert!((forward - expected).abs() < 1e-4, "{:?} {}", candidate, forward);
            }
            prop_assert!(found.windows(2).all(|pair| pair[0].log_prob >= pair[1].log_prob));
            let best = sums.values().fold(0.0_f64, |a, b| a.max(*b));
            prop_assert!((sums[&found[0].text] / best - 1.0).abs() < 1e-4);
        }

        #[test]
        fn search_keeps_to_its_bounds(
            (log_probs, alphabet) in small_inputs(), width in 0_usize..4, max_symbols in 0_usize..4,
        ) {
            let sums = brute_force(&log_probs, &alphabet);
            let found = beam_search(&log_probs, &alphabet, width, max_symbols);
            prop_assert!((1..=width.max(1)).contains(&found.len()));
            for candidate in &found {
                prop_assert!(candidate.text.chars().count() <= max_symbols);
                // What falls out of the beam is lost, never invented.
                prop_assert!(candidate.log_prob <= sums[&candidate.text].ln() as f32 + 1e-4);
            }
            let short = beam_search(&log_probs, &alphabet, usize::MAX, max_symbols);
            prop_assert_eq!(short.len(), sums.keys().filter(|t| t.chars().count() <= max_symbols).count());
            for candidate in &short {
                let expected = sums[&candidate.text].ln() as f32;
                prop_assert!((candidate.log_prob - expected).abs() < 1e-4);
            }
        }

        #[test]
        fn alignment_spells_the_text((log_probs, alphabet) in small_inputs()) {
            for candidate in beam_search(&log_probs, &alphabet, 8, usize::MAX) {
                let aligned = align(&log_probs, &alphabet, &candidate.text, Around::Nothing).unwrap();
                prop_assert_eq!(aligned.iter().map(|a| a.symbol).collect::<String>(), candidate.text);
                let mut end = 0;
                for a in aligned {
                    prop_assert!(a.columns.start >= end && a.columns.contains(&a.peak));
                    prop_assert!(0.0 < a.min_prob && a.min_prob <= a.mean_prob + 1e-6 && a.mean_prob < 1.0);
                    end = a.columns.end;
                }
            }
        }
    }

    #[test]
    fn merges_repeats_and_keeps_what_a_blank_divides() {
        let digits = alphabet("01 ", 0);
        let certain = |path: &[usize]| {
            let one_hot = |&class: &usize| (0..4).map(move |c| if c == class { 0.97 } else { 0.01 });
            log_probs(path.len(), 4, &path.iter().flat_map(one_hot).collect::<Vec<f32>>())
        };
        for (path, text) in [
            (&[][..], ""),
            (&[0, 0], ""),
            (&[1, 1, 2], "01"),
            (&[1, 0, 1, 2], "001"),
            (&[1, 3, 3, 2, 0], "0 1"),
            (&[0, 2, 2, 0, 0, 2, 3, 1], "11 0"),
        ] {
            let found = beam_search(&certain(path), &digits, 16, 20);
            assert_eq!(found[0].text, text, "{path:?}");
        }
        let aligned = align(&certain(&[0, 2, 2, 0, 0, 2, 3, 1]), &digits, "11 0", Around::Nothing).unwrap();
        let places: Vec<_> = aligned.iter().map(|a| (a.symbol, a.columns.clone())).collect();
        assert_eq!(places, [('1', 1..3), ('1', 5..6), (' ', 6..7), ('0', 7..8)]);
        assert!(
            aligned.iter().all(|a| (a.min_prob - 0.97).abs() < 1e-3 && (a.mean_prob - 0.97).abs() < 1e-3)
        );
    }

    #[test]
    fn a_prefix_that_comes_back_finds_its_children() {
        // With a beam of two prefixes "" and "0" drop out and return while "00" stays.
        let digits = alphabet("0 ", 0);
        let probs = [0.05, 0.9, 0.05, 0.9, 0.05, 0.05, 0.05, 0.9, 0.05, 0.6, 0.3, 0.1];
        for width in 1..6 {
            let found = beam_search(&log_probs(4, 3, &probs), &digits, width, 20);
            assert_eq!(found[0].text, "00", "{width}");
            let texts: std::collections::BTreeSet<_> = found.iter().map(|c| &c.text).collect();
            assert_eq!(texts.len(), found.len(), "a text stands twice: {found:?}");
        }
    }

    #[test]
    fn degenerate_input() {
        let digits = alphabet("0 ", 2);
        let none = LogProbs::new(0, 3, Vec::new()).unwrap();
        assert_eq!(beam_search(&none, &digits, 4, 4), [Candidate { text: String::new(), log_prob: 0.0 }]);
        assert_eq!(text_log_prob(&none, &digits, ""), 0.0);
        assert_eq!(text_log_prob(&none, &digits, "0"), f32::NEG_INFINITY);
        assert_eq!(align(&none, &digits, "", Around::Nothing), Some(Vec::new()));
        assert_eq!(align(&none, &digits, "0", Around::Nothing), None);

        let impossible = LogProbs::new(2, 3, vec![f32::NEG_INFINITY; 6]).unwrap();
        assert_eq!(beam_search(&impossible, &digits, 4, 4), []);
        assert_eq!(text_log_prob(&impossible, &digits, "0"), f32::NEG_INFINITY);
        assert_eq!(align(&impossible, &digits, "0", Around::Nothing), None);

        let broken = LogProbs::new(2, 3, vec![f32::NAN, 0.0, f32::INFINITY, f32::NAN, 1e30, -0.5]).unwrap();
        assert!(broken.values.iter().all(|v| *v <= 0.0));
        assert!(beam_search(&broken, &digits, 4, 4).iter().all(|c| !c.log_prob.is_nan()));

        let short = log_probs(2, 3, &[0.3, 0.3, 0.4, 0.3, 0.3, 0.4]);
        for (text, possible) in [("0", true), ("0 ", true), ("00", false), ("0 0", false), ("0x", false)] {
            assert_eq!(text_log_prob(&short, &digits, text) > f32::NEG_INFINITY, possible, "{text}");
            assert_eq!(align(&short, &digits, text, Around::Nothing).is_some(), possible, "{text}");
        }
        let other = alphabet("0123", 0);
        assert_eq!(beam_search(&short, &other, 4, 4), []);
        assert_eq!(text_log_prob(&short, &other, "0"), f32::NEG_INFINITY);
        assert_eq!(align(&short, &other, "0", Around::Nothing), None);

        assert_eq!(LogProbs::new(2, 3, vec![0.0; 5]), None);
        assert_eq!(LogProbs::new(0, 0, Vec::new()), None);
        assert_eq!(LogProbs::new(usize::MAX, 3, Vec::new()), None);
        for (symbols, blank, possible) in
            [("01", 0, true), ("01", 2, true), ("01", 3, false), ("010", 0, false)]
        {
            assert_eq!(Alphabet::new(symbols, blank).is_some(), possible, "{symbols} {blank}");
        }
        let symbols: Vec<_> = (0..4).map(|class| digits.symbol(class)).collect();
        assert_eq!(symbols, [Some('0'), Some(' '), None, None]);
        assert_eq!(['0', ' ', '\0', 'x'].map(|c| digits.class_of(c)), [Some(0), Some(1), None, None]);
    }
}
