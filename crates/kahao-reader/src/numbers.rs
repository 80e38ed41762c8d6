//! Text line of a number -> the number: how often it is looked at, by which recogniser, and when what the looks say together is
//! believed.

use crate::card::{BinTable, Pan};
use crate::decode_text::{Alphabet, LogProbs};
use crate::geometry::Quad;
use crate::locate::{self, TextLine};
use crate::parse::{self, Scored};
use crate::photo::Photo;
use crate::{CardReader, FieldReading, Found, Networks, ReadError, SURE_ELSEWHERE, columns, field, rectify};

/// Below this probability a number counts as not legible: a reading that is more likely wrong than right helps nobody.
const LEGIBLE: f32 = 0.5;
/// Above this probability the first strip is believed without another look.
const SURE: f32 = 0.9;
/// Above this probability the small networks are believed without asking the full ones: of 625 numbers, real and drawn, 566
/// were right and 5 wrong so, 565 and 6 at 0.98, 567 and 5 at 0.9, where one more picture without a card was read.
const SURE_AT_A_GLANCE: f32 = 0.95;
/// Below this probability the first strip gets no other look but upside down: of 89 such lines in 492 pictures, real and
/// drawn, further looks made none legible, nor of 295 in other views; of 46 from 0.2 to 0.9 they made 31 so.
const HOPELESS: f32 = 0.1;
/// Share of its length by which a line is seen wider at each end: so 496 of 500 drawn pictures without a card were left unread,
/// instead of 493, and of 979 real numbers as many were read; where also numbers without gaps are seen so that pass Luhn, 995 of
/// 1,000 instead of 989, and as many real ones again.
const BEYOND: f32 = 0.15;
/// Second looks at most at a line that another view shows: of 98 drawn numbers that were not read with one four were with two.
const MAX_UPRIGHT_LOOKS: usize = 2;
/// Rows and digits of numbers that stand in rows of four.
const STACKS: [(usize, usize); 2] = [(4, 16), (5, 19)];
/// How such a number is cut out: how much lower and how much taller at each end than told, in heights of all its rows, and how far
/// it is from one row to the next, in heights of their digits.
const STACK_STRIPS: [(f32, f32, f32); 5] =
    [(0.0, 0.0, 1.7), (0.0, 0.0, 2.0), (0.0, 0.04, 1.7), (-0.04, 0.0, 1.7), (0.04, 0.0, 1.7)];

impl CardReader {
    /// The number of a line, found by the small locator, of which the small recogniser or else the full one is sure; what the full
    /// one saw is kept if it is not.
    pub(crate) fn glance(
        &self,
        photo: &Photo,
        line: &TextLine,
        found: &mut Found,
    ) -> Result<Option<Number>, ReadError> {
        let mut last = None;
        for networks in [&self.small, &self.full] {
            let mut looks = Looks::default();
            self.look(networks, photo, line.quad, &mut looks)?;
            self.look_beyond(networks, photo, &mut looks)?;
            let number = looks.number(SURE_AT_A_GLANCE, &networks.recognizer.alphabet, photo);
            if number.is_some() {
                return Ok(number);
            }
            if looks.prob() < HOPELESS {
                return Ok(None);
            }
            last = Some(looks);
        }
        // One that looked beyond the ends of the number would outweigh a later doubt that it is part of a longer one.
        found.glances.extend(last.filter(|looks| looks.seen.len() == 1));
        Ok(None)
    }

    /// The number of a line with its quad in the photo; `None` when it is not legible.
    pub(crate) fn read_number(
        &self,
        photo: &Photo,
        line: &TextLine,
        found: &mut Found,
    ) -> Result<Option<Number>, ReadError> {
        // The small locator's corners are another look at the same line.
        let same = |looks: &Looks| looks.seen.iter().any(|(quad, _)| locate::overlap(quad, &line.quad));
        let glance = found.glances.iter().position(same).map(|at| found.glances.swap_remove(at));
        let mut looks = glance.unwrap_or_default();
        self.look(&self.full, photo, line.quad, &mut looks)?;
        if (HOPELESS..SURE).contains(&looks.prob()) {
            // Found anew from close by, then a little looser and tighter.
            let mut quads = self.full.locator.look_closer(photo, line)?;
            quads.extend([line.quad.expanded(0.02, 0.15), line.quad.expanded(0.0, -0.1)]);
            for quad in quads {
                self.look(&self.full, photo, quad, &mut looks)?;
                if looks.prob() >= SURE {
                    break;
                }
            }
        }
        let turned = line.quad.rotated180();
        if looks.prob() < LEGIBLE && self.shows_number(photo, turned)? {
            let mut upside_down = Looks::default();
            self.look(&self.full, photo, turned, &mut upside_down)?;
            if upside_down.prob() > looks.prob() {
                looks = upside_down;
            }
        }
        self.look_beyond(&self.full, photo, &mut looks)?;
        Ok(looks.number(LEGIBLE, &self.full.recognizer.alphabet, photo))
    }

    /// The same of a line in another view: most of these are none.
    pub(crate) fn read_elsewhere(
        &self,
        photo: &Photo,
        line: &TextLine,
        found: &mut Found,
    ) -> Result<Option<Number>, ReadError> {
        let is_known = found.upright.iter().any(|quad| locate::overlap(quad, &line.quad));
        let mut looks = if is_known { 0 } else { MAX_UPRIGHT_LOOKS };
        let mut line = line.clone();
        loop {
            if self.shows_number(photo, line.quad)? || self.shows_number(photo, line.quad.rotated180())? {
                return self.read_number(photo, &line, found);
            }
            if looks == 0 {
                return Ok(None);
            }
            looks -= 1;
            // The view may show no more than a part of it.
            found.upright.push(line.quad);
            match self.small.locator.look_upright(photo, &line)? {
                Some(upright) => line = upright,
                None => return Ok(None),
            }
        }
    }

    /// The number that stands in rows; `None` when it is not legible, or may be something else in rows: keys, prices.
    pub(crate) fn read_stack(
        &self,
        photo: &Photo,
        stack: &TextLine,
        _: &mut Found,
    ) -> Result<Option<Number>, ReadError> {
        let recognizer = &self.full.recognizer;
        for (rows, digits) in STACKS {
            let mut looks = Looks::default();
            for (lower, taller, pitch) in STACK_STRIPS {
                let quad = stack.quad.part(0.0..1.0, lower - taller..1.0 + lower + taller);
                let (width, height) = (recognizer.width, recognizer.height);
                let strip = rectify::rectify_rows(photo, &quad, (rows, pitch), width, height);
                let Some(strip) = strip else { return Ok(None) };
                looks.add(stack.quad, recognizer.recognize(&strip)?, &recognizer.alphabet, &self.table);
                let number = looks.number(SURE_ELSEWHERE, &recognizer.alphabet, photo);
                let fits = |(number, _): &Number| {
                    number.value.digits().len() == digits && parse::is_plausible(&number.value)
                };
                if number.as_ref().is_some_and(fits) {
                    return Ok(number);
                }
            }
        }
        Ok(None)
    }

    /// Whether the small recogniser sees anything of a number, in half the time that the full one takes: of 979 changed real
    /// pictures, 189 and 346 drawn ones as many were read as without asking it first.
    fn shows_number(&self, photo: &Photo, quad: Quad) -> Result<bool, ReadError> {
        let mut looks = Looks::default();
        self.look(&self.small, photo, quad, &mut looks)?;
        Ok(looks.prob() >= HOPELESS)
    }

    /// Looks beyond both ends of a number that seems sure and fails Luhn, or of one without gaps whose issuer nobody knows: it may
    /// be part of a longer one, a citizen's, a member's or an order's, and one part in ten passes Luhn.
    fn look_beyond(&self, networks: &Networks, photo: &Photo, looks: &mut Looks) -> Result<(), ReadError> {
        let best = parse::pool(&looks.numbers).filter(|(.., prob)| *prob >= SURE);
        let Some((look, index, _)) = best else { return Ok(()) };
        let number = &looks.numbers[look][index];
        let pan = number.pan();
        let stands_alone = number.has_gaps() || self.table.knows(pan.digits(), None);
        if stands_alone && parse::is_plausible(pan) {
            return Ok(());
        }
        let (pan, quad) = (pan.clone(), looks.seen[look].0);
        self.look(networks, photo, quad.expanded(BEYOND, 0.0), looks)?;
        let again = parse::pool(&looks.numbers).map(|(look, index, _)| looks.numbers[look][index].pan());
        let is_same = again == Some(&pan);
        if let Some((place, _)) = looks.seen.last_mut().filter(|_| is_same) {
            *place = quad;
        }
        Ok(())
    }

    /// Adds what a quad of the photo says to the looks at a line.
    fn look(
        &self,
        networks: &Networks,
        photo: &Photo,
        quad: Quad,
        looks: &mut Looks,
    ) -> Result<(), ReadError> {
        if let Some(log_probs) = columns(&networks.recognizer, photo, &quad)? {
            looks.add(quad, log_probs, &networks.recognizer.alphabet, &self.table);
        }
        Ok(())
    }
}

/// Looks at one number line: where, what the recogniser saw there, and what numbers that may be.
#[derive(Default)]
pub(crate) struct Looks {
    seen: Vec<(Quad, LogProbs)>,
    numbers: Vec<Vec<Scored>>,
}

impl Looks {
    fn add(&mut self, quad: Quad, log_probs: LogProbs, alphabet: &Alphabet, table: &BinTable) {
        self.numbers.push(parse::score_numbers(&log_probs, alphabet, table));
        self.seen.push((quad, log_probs));
    }

    /// Of the number that they agree on best; 0 when they saw none.
    fn prob(&self) -> f32 {
        parse::pool(&self.numbers).map_or(0.0, |(.., prob)| prob)
    }

    /// That number and its quad in the photo when it is at least as probable as `least`.
    fn number(&self, least: f32, alphabet: &Alphabet, photo: &Photo) -> Option<Number> {
        let (look, index, prob) = parse::pool(&self.numbers).filter(|best| best.2 >= least)?;
        let (quad, log_probs) = &self.seen[look];
        let chosen = parse::chosen_number(&self.numbers[look][index], prob, log_probs, alphabet);
        Some((field(chosen, quad, photo.to_original()), *quad))
    }
}

/// A number with its line's quad in the photo.
pub(crate) type Number = (FieldReading<Pan>, Quad);
