//! Compares answers with labels and counts. Digits are compared here and nowhere told: what leaves this file are
//! counts, file names and how far a number is from the labelled one.

use std::collections::BTreeMap;

use kahao_reader::card::{Issuer, Pan};
use kahao_reader::geometry::Quad;
use kahao_reader::{CardReading, ReadError};

use super::figures::{
    Bin, Bucket, Failure, FieldFigures, Figures, IssuerFigures, NumberFigures, Numbers, Spread,
};
use super::labels::{Label, Truth};
use super::share::Share;
use crate::commands::pictures::{FileError, Outcome};

/// An answer at or above this probability is taken without a second look.
const SURE: f32 = 0.95;
/// Where the calibration's bins begin; the reader gives no number below 0.5.
const BINS: [f32; 6] = [0.0, 0.5, 0.8, 0.9, SURE, 0.99];
/// Degrees between the number's line and the horizontal at which the bins of tilt end: upright, leaning, on edge,
/// upside down.
const TILTS: [(f32, &str); 4] = [(10.0, "0-10"), (45.0, "10-45"), (135.0, "45-135"), (180.0, "135-180")];

/// The counts so far.
#[derive(Default)]
pub(super) struct Tally {
    all: Numbers,
    /// By the place of a bucket among its kind, its kind, and its value.
    buckets: BTreeMap<(usize, usize, &'static str, String), Numbers>,
    without_number: usize,
    left_unread: usize,
    dates: Fields,
    holders: Fields,
    issuers: Issuers,
    /// `prob` of each answer that can be judged, and whether it is right.
    answers: Vec<(f32, bool)>,
    corners_off: Vec<f64>,
    labelled_cards: usize,
    card_off: Vec<f64>,
    elapsed_ms: Vec<f64>,
    failures: Vec<Failure>,
}

/// What became of one field of the cards beside their numbers.
#[derive(Default)]
struct Fields {
    right: usize,
    wrong: usize,
    missed: usize,
    invented: usize,
    rightly_none: usize,
}

impl Fields {
    /// Counts a picture by what the field says on its cards.
    fn count(&mut self, truth: &Truth<String>, read: &[String]) {
        let count = match truth {
            Truth::Unknown => return,
            Truth::Known(value) if read.contains(value) => &mut self.right,
            Truth::Known(_) if read.is_empty() => &mut self.missed,
            Truth::Known(_) => &mut self.wrong,
            Truth::Nothing if read.is_empty() => &mut self.rightly_none,
            Truth::Nothing => &mut self.invented,
        };
        *count += 1;
    }

    fn figures(&self) -> FieldFigures {
        FieldFigures {
            right: Share::new(self.right, self.right + self.wrong + self.missed),
            wrong: self.wrong,
            missed: self.missed,
            invented: Share::new(self.invented, self.invented + self.rightly_none),
        }
    }
}

#[derive(Default)]
struct Issuers {
    agree: usize,
    differ: usize,
    unknown: usize,
}

impl Tally {
    /// Counts one picture.
    pub(super) fn count(&mut self, label: &Label, outcome: &Outcome) {
        self.elapsed_ms.push(outcome.elapsed.as_secs_f64() * 1000.0);
        let cards = outcome.result.as_deref().unwrap_or_default();
        match &label.number {
            Truth::Known(number) => self.count_number(label, number, cards, outcome.result.as_ref().err()),
            Truth::Nothing => self.count_without_number(label, &outcome.result),
            Truth::Unknown => {}
        }
        self.count_fields(label, cards);
        // Of several cards one is labelled; the others cannot be judged.
        if label.number != Truth::Unknown && !label.is_one_of_several {
            self.answers.extend(cards.iter().map(|card| (card.number.prob, is_labelled(card, label))));
        }
    }

    fn count_number(
        &mut self,
        label: &Label,
        number: &Pan,
        cards: &[CardReading],
        error: Option<&FileError>,
    ) {
        let found = cards.iter().find(|card| card.number.value == *number);
        let mut outcome = Numbers::default();
        let what = match (found, cards) {
            (Some(card), _) => {
                outcome.right = 1;
                self.count_issuer(label, card);
                self.corners_off.extend(label.quad.map(|quad| corners_off(&card.number.quad, &quad)));
                self.labelled_cards += usize::from(label.card.is_some());
                let seen = card.outline.zip(label.card);
                self.card_off.extend(seen.map(|(seen, labelled)| corners_off(&seen, &labelled)));
                None
            }
            (None, []) => {
                outcome.not_read = 1;
                Some(format!("not read: {}", error.map(ToString::to_string).unwrap_or_default()))
            }
            (None, _) if label.is_one_of_several => {
                outcome.not_read = 1;
                Some(format!("not among the {} numbers read", cards.len()))
            }
            (None, [best, ..]) => {
                outcome.wrong = 1;
                Some(describe(best.number.value.digits(), number.digits()))
            }
        };
        if let Some(what) = what {
            self.fail(label, what);
        }
        self.all.add(outcome);
        for bucket in buckets(label, number) {
            self.buckets.entry(bucket).or_default().add(outcome);
        }
    }

    fn count_without_number(&mut self, label: &Label, result: &Result<Vec<CardReading>, FileError>) {
        match result {
            // Nothing to read, and nothing was.
            Err(FileError::Read(ReadError::NoCard | ReadError::NotLegible)) => self.left_unread += 1,
            Err(error) => {
                // A picture that cannot be looked at proves nothing.
                return self.fail(label, format!("not read: {error}"));
            }
            Ok(_) => self.fail(label, "a number was read where there is none".into()),
        }
        self.without_number += 1;
    }

    fn count_fields(&mut self, label: &Label, cards: &[CardReading]) {
        let cards = cards.iter().filter(|card| !label.is_one_of_several || is_labelled(card, label));
        let cards: Vec<&CardReading> = cards.collect();
        let date = |card: &&CardReading| card.valid_date.as_ref().map(|date| date.value.to_string());
        self.dates.count(&label.valid_date, &cards.iter().filter_map(date).collect::<Vec<_>>());
        let holder = |card: &&CardReading| card.holder.as_ref().map(|holder| holder.value.clone());
        self.holders.count(&label.holder, &cards.iter().filter_map(holder).collect::<Vec<_>>());
    }

    fn count_issuer(&mut self, label: &Label, card: &CardReading) {
        if label.bank.is_empty() {
            return;
        }
        let count = match &card.issuer {
            None => &mut self.issuers.unknown,
            Some(issuer) if is_same_bank(&label.bank, issuer) => &mut self.issuers.agree,
            Some(_) => &mut self.issuers.differ,
        };
        *count += 1;
    }

    fn fail(&mut self, label: &Label, what: String) {
        let Label { file, kind, print, .. } = label.clone();
        self.failures.push(Failure { file, kind, print, what });
    }

    /// The figures of all that was counted, `jobs` pictures at a time.
    pub(super) fn figures(self, jobs: usize) -> Figures {
        let Self { dates, holders, issuers, .. } = self;
        let buckets = self.buckets.into_iter();
        let buckets = buckets.map(|((_, _, by, value), numbers)| Bucket::new(by, value, numbers)).collect();
        Figures {
            pictures: self.elapsed_ms.len(),
            numbers: NumberFigures { all: Bucket::new("all", String::new(), self.all), buckets },
            left_unread: Share::new(self.left_unread, self.without_number),
            expiry: dates.figures(),
            holder: Some(holders.figures()).filter(|holder| holder.right.of + holder.invented.of > 0),
            issuer: IssuerFigures {
                agree: Share::new(issuers.agree, issuers.agree + issuers.differ),
                unknown: issuers.unknown,
            },
            sure_right: bin(&self.answers, SURE, f32::INFINITY).right,
            calibration: calibrate(&self.answers),
            corners_off: Spread::of(self.corners_off),
            card_seen: Share::new(self.card_off.len(), self.labelled_cards),
            card_off: Spread::of(self.card_off),
            elapsed_ms: Spread::of(self.elapsed_ms),
            jobs,
            failures: self.failures,
        }
    }
}

fn is_labelled(card: &CardReading, label: &Label) -> bool {
    matches!(&label.number, Truth::Known(number) if *number == card.number.value)
}

/// The buckets of a legible number, with their order.
fn buckets(label: &Label, number: &Pan) -> Vec<(usize, usize, &'static str, String)> {
    let (rank, tilt) = label.quad.map_or((0, ""), |quad| tilt(&quad));
    let values = [
        ("kind", 0, label.kind.clone()),
        ("print", 0, label.print.clone()),
        ("digits", 0, number.digits().len().to_string()),
        ("turn", 0, label.turn.clone()),
        ("tilt", rank, tilt.to_owned()),
    ];
    let values = values.into_iter().enumerate().filter(|(_, (_, _, value))| !value.is_empty());
    values.map(|(order, (by, rank, value))| (order, rank, by, value)).collect()
}

/// The bin of the angle between the number's line and the horizontal, and its place among the bins.
fn tilt(quad: &Quad) -> (usize, &'static str) {
    let [start, end, ..] = quad.0;
    let degrees = (end.y - start.y).atan2(end.x - start.x).to_degrees().abs();
    let rank = TILTS.iter().position(|(to, _)| degrees <= *to).unwrap_or(TILTS.len() - 1);
    (rank, TILTS[rank].1)
}

/// How far a reading is from the truth, without a digit of either.
fn describe(read: &str, truth: &str) -> String {
    if read.len() != truth.len() {
        return format!("{} digits for {}", read.len(), truth.len());
    }
    let wrong = read.bytes().zip(truth.bytes()).filter(|(read, truth)| read != truth).count();
    format!("{wrong} of {} digits wrong", truth.len())
}

/// Cards print the legal name without its legal form, or the usual name, with or without more around it.
fn is_same_bank(printed: &str, issuer: &Issuer) -> bool {
    issuer.name.contains(printed)
        || issuer.short_name.contains(printed)
        || printed.contains(&issuer.short_name)
}

/// Mean distance of the corners, in heights of the labelled line or card.
fn corners_off(read: &Quad, labelled: &Quad) -> f64 {
    let sum: f32 = read.0.iter().zip(labelled.0).map(|(read, labelled)| read.distance(labelled)).sum();
    f64::from(sum / 4.0 / labelled.height())
}

fn calibrate(answers: &[(f32, bool)]) -> Vec<Bin> {
    let ends = BINS.into_iter().skip(1).chain([1.0]);
    let bins = BINS.into_iter().zip(ends).map(|(from, to)| {
        // The last bin has the answers that are certain, too.
        Bin { from, to, ..bin(answers, from, if to == 1.0 { f32::INFINITY } else { to }) }
    });
    bins.filter(|bin| bin.right.of > 0).collect()
}

/// The answers whose `prob` is at least `from` and under `to`.
fn bin(answers: &[(f32, bool)], from: f32, to: f32) -> Bin {
    let inside: Vec<_> = answers.iter().filter(|(prob, _)| (from..to).contains(prob)).collect();
    let right = inside.iter().filter(|(_, right)| *right).count();
    let sum: f64 = inside.iter().map(|(prob, _)| f64::from(*prob)).sum();
    Bin { from, to, mean_prob: sum / inside.len() as f64, right: Share::new(right, inside.len()) }
}
