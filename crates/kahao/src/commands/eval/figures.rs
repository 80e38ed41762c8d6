//! What was counted, as it is written: to a table by `report.rs`, to JSON as it stands here.

use serde::Serialize;

use super::share::Share;

/// What became of the legible numbers of a bucket.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Numbers {
    pub(super) right: usize,
    pub(super) wrong: usize,
    /// No card found, a number that is not legible, or not among those of several cards.
    pub(super) not_read: usize,
}

impl Numbers {
    pub(super) fn add(&mut self, other: Self) {
        self.right += other.right;
        self.wrong += other.wrong;
        self.not_read += other.not_read;
    }

    pub(super) fn total(self) -> usize {
        self.right + self.wrong + self.not_read
    }
}

/// A part of the legible numbers.
#[derive(Serialize)]
pub(super) struct Bucket {
    pub(super) by: &'static str,
    pub(super) value: String,
    #[serde(flatten)]
    pub(super) numbers: Numbers,
    pub(super) read_right: Share,
}

impl Bucket {
    pub(super) fn new(by: &'static str, value: String, numbers: Numbers) -> Self {
        Self { by, value, numbers, read_right: Share::new(numbers.right, numbers.total()) }
    }
}

/// The legible numbers, and the same by what the labels tell about them.
#[derive(Serialize)]
pub(super) struct NumberFigures {
    pub(super) all: Bucket,
    pub(super) buckets: Vec<Bucket>,
}

/// What became of what is beside the numbers: expiry dates, holders.
#[derive(Serialize)]
pub(super) struct FieldFigures {
    pub(super) right: Share,
    pub(super) wrong: usize,
    pub(super) missed: usize,
    /// Of the pictures without one.
    pub(super) invented: Share,
}

/// The answered issuers of numbers read right, where the card prints one.
#[derive(Serialize)]
pub(super) struct IssuerFigures {
    pub(super) agree: Share,
    pub(super) unknown: usize,
}

/// Answers whose `prob` lies from here to the next bin.
#[derive(Serialize)]
pub(super) struct Bin {
    pub(super) from: f32,
    pub(super) to: f32,
    pub(super) mean_prob: f64,
    pub(super) right: Share,
}

/// How values are spread.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) count: usize,
    pub(super) median: f64,
    pub(super) p95: f64,
}

impl Spread {
    /// By nearest rank; `None` of no values.
    pub(super) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let rank = |share: f64| {
            let rank = (share * values.len() as f64).ceil() as usize;
            values.get(rank.max(1) - 1).copied()
        };
        Some(Self { count: values.len(), median: rank(0.5)?, p95: rank(0.95)? })
    }
}

/// A picture that was not read as labelled.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Failure {
    pub(super) file: String,
    pub(super) kind: String,
    pub(super) print: String,
    pub(super) what: String,
}

/// Everything that was counted.
#[derive(Serialize)]
pub(super) struct Figures {
    pub(super) pictures: usize,
    pub(super) numbers: NumberFigures,
    /// Pictures without a number that gave none.
    pub(super) left_unread: Share,
    pub(super) expiry: FieldFigures,
    /// Where the labels tell holders.
    pub(super) holder: Option<FieldFigures>,
    pub(super) issuer: IssuerFigures,
    /// Answers with a `prob` of 0.95 or more.
    pub(super) sure_right: Share,
    pub(super) calibration: Vec<Bin>,
    /// Mean distance of the corners of numbers read right from the labelled ones, in heights of the line.
    pub(super) corners_off: Option<Spread>,
    /// The labelled cards of these numbers of which corners were told, and the mean distance of these, in heights of the card.
    pub(super) card_seen: Share,
    pub(super) card_off: Option<Spread>,
    pub(super) elapsed_ms: Option<Spread>,
    /// Pictures read at the same time.
    pub(super) jobs: usize,
    pub(super) failures: Vec<Failure>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads() {
        let spread = |count: u32| Spread::of((1..=count).rev().map(f64::from).collect());
        for (count, median, p95) in [(1, 1.0, 1.0), (2, 1.0, 2.0), (5, 3.0, 5.0), (100, 50.0, 95.0)] {
            assert_eq!(spread(count), Some(Spread { count: count as usize, median, p95 }));
        }
        assert_eq!(spread(0), None);
    }
}
