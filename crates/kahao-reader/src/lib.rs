//! kahao-reader reads bank cards: bytes of a picture in, card number, issuer, card type, expiry and holder out.
//!
//! `&[u8] -> Photo -> TextLine -> Strip -> LogProbs -> CardReading`: each stage is a file that takes one
//! named type and gives the next; this file alone knows their order.

mod annotate;
pub mod card;
mod deadline;
mod decode;
mod decode_text;
mod error;
#[doc(hidden)]
pub mod fuzzing;
pub mod geometry;
mod locate;
mod model;
mod parse;
mod photo;
mod reading;
mod recognize;
mod rectify;
mod timings;

pub use annotate::{Numbers, annotate};
pub use decode::{Limits, SIGNATURE_BYTES, is_picture};
pub use error::ReadError;
pub use locate::{card_look, holder_look};
pub use reading::{CardReading, CharReading, FieldReading};
pub use rectify::{frame as strip_frame, rows_of};
pub use timings::Timings;

use std::sync::Arc;

use card::{BinTable, Expiry, Pan, Scheme};
use deadline::Deadline;
use decode_text::{Alphabet, LogProbs};
use geometry::{Homography, Point, Quad};
use locate::{LineKind, Locator, TextLine};
use model::{Metadata, Model};
use parse::{Chosen, Scored};
use photo::Photo;
use recognize::Recognizer;
use timings::timed;

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
/// Below this probability a number is not believed that did not show at the first look: of 500 drawn pictures without a card
/// ten more were taken for one at 0.5, one at 0.93; of 26 numbers of cards that this look found three were lost.
const SURE_ELSEWHERE: f32 = 0.93;
/// The same of one that fails Luhn and is no specimen's: so 495 of 500 drawn pictures without a card were left unread instead of
/// 492, and four of 3,307 drawn numbers were lost.
const SURE_WITHOUT_LUHN: f32 = 0.99;
/// By so much the odds that a number seen from elsewhere is wrong are larger than its looks say: of 5,000 drawn pictures' numbers
/// with a probability of 0.95 or more 99.54 % were right so, 99.44 without it.
const DOUBT_ELSEWHERE: f32 = 4.0;
/// Below this probability no date is given: an expiry is never guessed. Of 34 real cards with an expiry 28 were right and one
/// wrong, and of 58 without one none was given a date; at 0.8 27 and none. Of 313 drawn ones 261 were right and 9 wrong.
const DATE_LEGIBLE: f32 = 0.76;
/// Where less of any date was seen, the full recogniser is not asked: of 128 such lines, real and drawn, 26 with a
/// date, it made two legible, and two of eight between 0.05 and 0.1.
const DATE_HOPELESS: f32 = 0.05;
/// From this probability on a date that is not legible is looked for again from closer by: as many were read so as from 0.05 on,
/// in half the time.
const DATE_DOUBTFUL: f32 = 0.3;
/// From this probability on a date is believed that what reads dates alone sees, without another look or the full recogniser: of
/// 374 real ones 318 were right and 13 wrong so, at 0.9 as well.
const DATE_SURE: f32 = 0.96;
/// Below this probability the surest look at a date counts for no more than the others: of 34 real dates none was wrong so, of 374
/// changed ones 315 were right and 10 wrong, at 0.76 318 and 13.
const DATE_SURE_ALONE: f32 = 0.83;
/// Looks at a line by the full recogniser at most: without this bound and one on the small one's four of 374 real dates more were
/// read, and a picture took a tenth longer.
const FULL_DATE_LOOKS: usize = 2;
/// A date line longer than this, in its heights, also holds what stands behind the date (2011/12 CN), and leaves so little ground
/// before it that its first digits are not read: it is seen from so much farther left, in its lengths. Of 638 real pictures without
/// an expiry 15 were given one instead of 17, and of 374 with one as many were read; from 4.0 on 9 and two fewer.
const LONG_DATE: f32 = 4.75;
const BEFORE_LONG_DATE: f32 = 0.2;
/// A date before this year that stands alone is a date of issue (发卡日期 09/07): of 92 labelled pictures none has an expiry
/// before 2011. So is one that begins with its year (2006/08 CN): six of them have such a one, and no expiry.
const FIRST_EXPIRY_YEAR: u16 = 2010;
/// Below this probability no holder is given: of 139 drawn names on cards whose number was read 120 were right and 7 wrong, and of
/// 319 cards without one none was given a name; at 0.3 123, 8 and one, at 0.7 113, 5 and none.
const HOLDER_LEGIBLE: f32 = 0.5;
/// Lines tried for one holder's name.
const MAX_HOLDER_LINES: usize = 2;
/// Second looks at most at a line that another view shows: of 98 drawn numbers that were not read with one four were with two.
const MAX_UPRIGHT_LOOKS: usize = 2;
/// Cards whose numbers are shorter than this share of the picture's longer side leave room for others, which are looked for: of 337
/// drawn numbers among several cards ten more were read so, 286; the 92 real pictures took as long, a sixth longer at 0.5.
const ROOM_BESIDE: f32 = 0.35;
/// Rows and digits of numbers that stand in rows of four.
const STACKS: [(usize, usize); 2] = [(4, 16), (5, 19)];
/// How such a number is cut out: how much lower and how much taller at each end than told, in heights of all its rows, and how far
/// it is from one row to the next, in heights of their digits.
const STACK_STRIPS: [(f32, f32, f32); 5] =
    [(0.0, 0.0, 1.7), (0.0, 0.0, 2.0), (0.0, 0.04, 1.7), (-0.04, 0.0, 1.7), (0.04, 0.0, 1.7)];
/// Lines tried in one picture: a fan of cards has about five; a picture made to be expensive has no end of them.
const MAX_LINES: usize = 8;
/// Date lines read for one number at a look: VALID FROM, VALID THRU, and as many mistakes.
const MAX_DATE_LINES: usize = 4;

static LOCATOR: &[u8] = include_bytes!("../../../models/locator.onnx");
static RECOGNIZER: &[u8] = include_bytes!("../../../models/recognizer.onnx");
static SMALL_LOCATOR: &[u8] = include_bytes!("../../../models/locator-small.onnx");
static SMALL_RECOGNIZER: &[u8] = include_bytes!("../../../models/recognizer-small.onnx");
static DATE_RECOGNIZER: &[u8] = include_bytes!("../../../models/recognizer-date.onnx");
static HOLDER_LOCATOR: &[u8] = include_bytes!("../../../models/locator-holder.onnx");
static HOLDER_RECOGNIZER: &[u8] = include_bytes!("../../../models/recognizer-holder.onnx");
static CARD_LOCATOR: &[u8] = include_bytes!("../../../models/locator-card.onnx");
static STACK_LOCATOR: &[u8] = include_bytes!("../../../models/locator-stack.onnx");

/// What finds lines and what reads them.
struct Networks {
    locator: Locator,
    recognizer: Recognizer,
}

/// Reads bank cards. Loads its models once; `read` takes `&self` and may run on many threads.
#[derive(Clone)]
pub struct CardReader {
    limits: Limits,
    /// They read what is clear in a third of the time, and know when it is not.
    small: Arc<Networks>,
    full: Arc<Networks>,
    /// It reads dates alone.
    date: Arc<Recognizer>,
    /// They find and read names.
    holder: Arc<Networks>,
    /// It finds the card about a number.
    card: Arc<Locator>,
    /// It finds numbers in rows of four digits.
    stack: Arc<Locator>,
    reads_details: bool,
    table: Arc<BinTable>,
}

impl CardReader {
    /// A reader with the models inside the binary and the default [`Limits`].
    pub fn new() -> Result<Self, LoadError> {
        Self::load(model::load)
    }

    /// The same, its networks run by ONNX Runtime from this library (`libonnxruntime.so`), on the first CUDA device if
    /// `cuda`. A process loads one library; a second, elsewhere, is refused.
    #[cfg(feature = "onnxruntime")]
    pub fn with_onnxruntime(library: &std::path::Path, cuda: bool) -> Result<Self, LoadError> {
        let runtime = model::onnxruntime::Runtime::open(library, cuda)?;
        Self::load(|name, file| runtime.load(name, file))
    }

    fn load(
        load: impl Fn(&'static str, &'static [u8]) -> Result<(Box<dyn Model>, Metadata), LoadError>,
    ) -> Result<Self, LoadError> {
        let locator = |name, file| load(name, file).and_then(|(model, facts)| Locator::new(model, &facts));
        let recognizer =
            |name, file| load(name, file).and_then(|(model, facts)| Recognizer::new(model, &facts));
        let networks = |locator, recognizer| Arc::new(Networks { locator, recognizer });
        Ok(Self {
            limits: Limits::default(),
            small: networks(
                locator("locator-small", SMALL_LOCATOR)?,
                recognizer("recognizer-small", SMALL_RECOGNIZER)?,
            ),
            full: networks(locator("locator", LOCATOR)?, recognizer("recognizer", RECOGNIZER)?),
            date: Arc::new(recognizer("recognizer-date", DATE_RECOGNIZER)?),
            holder: networks(
                locator("locator-holder", HOLDER_LOCATOR)?,
                recognizer("recognizer-holder", HOLDER_RECOGNIZER)?,
            ),
            card: Arc::new(locator("locator-card", CARD_LOCATOR)?),
            stack: Arc::new(locator("locator-stack", STACK_LOCATOR)?),
            reads_details: false,
            table: Arc::clone(BinTable::embedded()),
        })
    }

    /// A reader with the same models, which are shared, that takes its issuers from another table.
    pub fn with_table(&self, table: Arc<BinTable>) -> Self {
        Self { table, ..self.clone() }
    }

    /// A reader with the same models that reads the holder's name and finds the card's corners too, or does not: they take time
    /// on every card.
    pub fn with_details(mut self, wanted: bool) -> Self {
        self.reads_details = wanted;
        self
    }

    /// A reader with the same models that takes other pictures.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Reads every bank card in a picture file, best first; never an empty list.
    pub fn read(&self, picture: &[u8]) -> Result<Vec<CardReading>, ReadError> {
        self.read_timed(picture, &mut Timings::default())
    }

    /// The same, and notes how long each stage takes, of pictures that are refused too.
    pub fn read_timed(&self, picture: &[u8], timings: &mut Timings) -> Result<Vec<CardReading>, ReadError> {
        let deadline = Deadline::after(self.limits.max_time);
        let photo = timed(&mut timings.decode, || decode::decode(picture, &self.limits, deadline))?;
        let mut look =
            |locate: &dyn Fn() -> Result<Vec<TextLine>, ReadError>, read_number, found: &mut Found| {
                deadline.check()?;
                let lines = timed(&mut timings.locate, locate)?;
                timed(&mut timings.recognize, || self.read_lines(&photo, lines, deadline, read_number, found))
            };
        let mut found = Found::default();
        look(&|| self.small.locator.locate(&photo), Self::glance, &mut found)?;
        if found.cards.is_empty() || found.unread || found.leaves_room(&photo) {
            look(&|| self.full.locator.locate(&photo), Self::read_number, &mut found)?;
        }
        let unread = found.unread;
        if found.cards.is_empty() {
            look(&|| self.stack.locate_stacks(&photo), Self::read_stack, &mut found)?;
        }
        if !(found.cards.is_empty() || unread && found.leaves_room(&photo)) {
            return Ok(found.best_first());
        }
        // Nothing, or not all, could be read: a line that was missed, or seen in part, may show well from elsewhere.
        let is_sure = |(_, card): &(Quad, CardReading)| {
            let is_plausible = parse::is_plausible(&card.number.value);
            card.number.prob >= if is_plausible { SURE_ELSEWHERE } else { SURE_WITHOUT_LUHN }
        };
        let known = found.cards.len();
        for view in &locate::OTHER_VIEWS {
            look(&|| self.full.locator.locate_in(&photo, view), Self::read_elsewhere, &mut found)?;
            let mut seen = found.cards.split_off(known);
            if seen.iter().any(is_sure) {
                for (_, card) in &mut seen {
                    let prob = &mut card.number.prob;
                    *prob /= *prob + DOUBT_ELSEWHERE * (1.0 - *prob);
                }
                found.cards.append(&mut seen);
                break;
            }
        }
        if found.cards.is_empty() {
            return Err(if unread { ReadError::NotLegible } else { ReadError::NoCard });
        }
        Ok(found.best_first())
    }

    /// Adds the cards whose lines these are, with the numbers that `read_number` finds on them.
    fn read_lines(
        &self,
        photo: &Photo,
        lines: Vec<TextLine>,
        deadline: Deadline,
        read_number: ReadNumber,
        found: &mut Found,
    ) -> Result<(), ReadError> {
        let (mut lines, dates): (Vec<_>, Vec<_>) =
            lines.into_iter().partition(|line| line.kind != LineKind::Date);
        let are_stacks = lines.iter().any(|line| line.kind == LineKind::Stack);
        lines.retain(|line| !found.cards.iter().any(|(quad, _)| locate::overlap(quad, &line.quad)));
        let mut numbers = Vec::new();
        for line in lines.iter().take(MAX_LINES) {
            deadline.check()?;
            numbers.extend(read_number(self, photo, line, found)?);
        }
        found.unread = numbers.len() < lines.len();
        for (number, quad) in numbers {
            deadline.check()?;
            let dates = self.read_dates(photo, &quad, &dates)?;
            let mut card = self.card(number, dates);
            if self.reads_details && !are_stacks {
                card.holder = self.read_holder(photo, &quad)?;
                let outline = self.card.look_for_card(photo, &quad)?;
                card.outline = outline.map(|outline| outline.transform(photo.to_original()));
            }
            found.cards.push((quad, card));
        }
        Ok(())
    }

    /// The number that stands in rows; `None` when it is not legible, or may be something else in rows: keys, prices.
    fn read_stack(
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

    /// The number of a line, found by the small locator, of which the small recogniser or else the full one is sure; what the full
    /// one saw is kept if it is not.
    fn glance(&self, photo: &Photo, line: &TextLine, found: &mut Found) -> Result<Option<Number>, ReadError> {
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
    fn read_number(
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
    fn read_elsewhere(
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

    /// The dates printed under a number, the earliest first. `lines` are those of the whole picture.
    fn read_dates(
        &self,
        photo: &Photo,
        number: &Quad,
        lines: &[TextLine],
    ) -> Result<Vec<FieldReading<Expiry>>, ReadError> {
        let unit = Quad::rect(0.0, 0.0, 1.0, 1.0);
        let Some(to_number) = Homography::from_quads(number, &unit) else { return Ok(Vec::new()) };
        let is_below = |quad: &Quad| {
            // In the number's own frame, one unit is its height: dates stand up to about five below it.
            let Point { x, y } = to_number.apply(quad.centre());
            (-0.2..1.2).contains(&x) && (1.0..6.0).contains(&y)
        };
        let read = |lines: &[TextLine]| -> Result<Vec<DateLook>, ReadError> {
            let mut looks = Vec::new();
            for line in lines.iter().filter(|line| is_below(&line.quad)).take(MAX_DATE_LINES) {
                looks.extend(DateLook::agreed(self.look_for_dates(photo, &to_number, line.quad)?));
            }
            Ok(looks)
        };
        let mut looks = read(lines)?;
        let best = looks.iter().map(DateLook::prob).fold(0.0, f32::max);
        // Where the number is small, nothing may be seen of a date whose line the first look found: of 374 real dates five more
        // were read so, among them 323's, and none more was wrong or given where there is none.
        let least = if !looks.is_empty() && locate::is_small(photo, number) { 0.0 } else { DATE_DOUBTFUL };
        if (least..DATE_LEGIBLE).contains(&best) {
            // From closer by a line is told better, and no longer a caption taken for one: of 374 real dates seven more
            // were read so, of 313 drawn ones three.
            looks.extend(read(&self.small.locator.look_below(photo, number, LineKind::Date)?)?);
        }
        // Of lines that lie over one another the surest counts.
        looks.retain_mut(|look| {
            look.dates.retain(|date| date.prob >= DATE_LEGIBLE);
            !look.dates.is_empty()
        });
        DateLook::surest_first(&mut looks);
        let mut quads: Vec<Quad> = Vec::new();
        let mut dates: Vec<FieldReading<Expiry>> = Vec::new();
        for look in looks {
            if quads.iter().any(|other| locate::overlap(other, &look.quad)) {
                continue;
            }
            for date in look.dates {
                if dates.iter().all(|known| known.value != date.value) {
                    dates.push(field(date, &look.quad, photo.to_original()));
                }
            }
            quads.push(look.quad);
        }
        dates.sort_by_key(|date| date.value);
        Ok(dates)
    }

    /// Looks for dates at a line below a number and at where it may truly stand. What reads dates alone decides at a glance whether
    /// there is none, and looks until it is sure; otherwise the full recogniser looks where that one saw most.
    fn look_for_dates(
        &self,
        photo: &Photo,
        to_number: &Homography,
        line: Quad,
    ) -> Result<Vec<DateLook>, ReadError> {
        let before = if line.width() > LONG_DATE * line.height() { BEFORE_LONG_DATE } else { 0.0 };
        let look = |recognizer, quad| date_look(recognizer, photo, quad, before);
        let mut quads = locate::along(&line, to_number);
        quads.insert(quads.len().min(1), line);
        let mut looks: Vec<DateLook> = Vec::new();
        for quad in quads {
            looks.extend(look(&self.date, quad)?);
            let is_none = looks.first().is_none_or(|glance| glance.dates.is_empty());
            if is_none || looks.last().is_some_and(|look| look.prob() >= DATE_SURE) {
                return Ok(looks);
            }
        }
        DateLook::surest_first(&mut looks);
        let seen = looks.iter().take_while(|look| look.prob() >= DATE_HOPELESS);
        let seen: Vec<Quad> = seen.take(FULL_DATE_LOOKS).map(|look| look.quad).collect();
        for quad in seen {
            looks.extend(look(&self.full.recognizer, quad)?);
            if looks.last().is_some_and(|look| look.prob() >= SURE) {
                break;
            }
        }
        Ok(looks)
    }

    /// The holder's name on the card with a number.
    fn read_holder(&self, photo: &Photo, number: &Quad) -> Result<Option<FieldReading<String>>, ReadError> {
        let lines = self.holder.locator.look_below(photo, number, LineKind::Holder)?;
        for line in lines.iter().take(MAX_HOLDER_LINES) {
            let recognizer = &self.holder.recognizer;
            let Some(log_probs) = columns(recognizer, photo, &line.quad)? else { continue };
            let name = parse::choose_holder(&log_probs, &recognizer.alphabet);
            if let Some(name) = name.filter(|name| name.prob >= HOLDER_LEGIBLE) {
                return Ok(Some(field(name, &line.quad, photo.to_original())));
            }
        }
        Ok(None)
    }

    /// `dates` with the earliest first: VALID FROM stands beside VALID THRU, and the later is the expiry.
    fn card(&self, number: FieldReading<Pan>, mut dates: Vec<FieldReading<Expiry>>) -> CardReading {
        let is_issue = |date: &FieldReading<Expiry>| {
            date.value.year() < FIRST_EXPIRY_YEAR || date.text.find('/') == Some("2006".len())
        };
        if dates.len() == 1 && dates.iter().any(is_issue) {
            dates.clear();
        }
        let valid_date = dates.pop();
        let digits = number.value.digits();
        let facts = self.table.lookup(digits, None);
        CardReading {
            issuer: facts.map(|facts| facts.issuer.clone()),
            card_type: facts.and_then(|facts| facts.card_type),
            card_name: facts.and_then(|facts| facts.card_name).map(str::to_owned),
            scheme: Scheme::of_length(digits, digits.len()),
            number,
            valid_date,
            valid_from: dates.pop(),
            holder: None,
            outline: None,
        }
    }
}

/// The cards of a picture.
#[derive(Default)]
struct Found {
    /// With their number's quad in the photo.
    cards: Vec<(Quad, CardReading)>,
    /// Whether the last look saw a number line that could not be read.
    unread: bool,
    /// What the full recogniser saw at lines that were not sure at a glance.
    glances: Vec<Looks>,
    /// Lines of other views that were looked at a second time.
    upright: Vec<Quad>,
}

impl Found {
    /// Whether there may be more cards: there are several, or one so small that others have room beside it.
    fn leaves_room(&self, photo: &Photo) -> bool {
        self.cards.len() > 1
            || self.cards.iter().any(|(quad, _)| locate::is_shorter(photo, quad, ROOM_BESIDE))
    }

    /// The cards, the surest first.
    fn best_first(self) -> Vec<CardReading> {
        let mut cards: Vec<_> = self.cards.into_iter().map(|(_, card)| card).collect();
        cards.sort_by(|a, b| b.number.prob.total_cmp(&a.number.prob));
        cards
    }
}

/// Looks at one number line: where, what the recogniser saw there, and what numbers that may be.
#[derive(Default)]
struct Looks {
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
type Number = (FieldReading<Pan>, Quad);

/// How the number of a line is read, with the glances at lines that were not sure; `None` when it is not legible.
type ReadNumber = fn(&CardReader, &Photo, &TextLine, &mut Found) -> Result<Option<Number>, ReadError>;

/// What one look at a line says of dates.
struct DateLook {
    quad: Quad,
    dates: Vec<Chosen<Expiry>>,
}

impl DateLook {
    /// Of its surest date.
    fn prob(&self) -> f32 {
        self.dates.iter().map(|date| date.prob).fold(0.0, f32::max)
    }

    fn surest_first(looks: &mut [Self]) {
        looks.sort_by(|a, b| b.prob().total_cmp(&a.prob()));
    }

    /// What several looks at one line say: the surest alone where it is sure, otherwise the date on which they agree, a linear
    /// opinion pool (Stone 1961) in which a look counts for as much as it sees of any date. Of 374 real dates 17 more were
    /// right so than by the surest alone, none more was wrong.
    fn agreed(mut looks: Vec<Self>) -> Option<Self> {
        Self::surest_first(&mut looks);
        if looks.first()?.prob() < DATE_SURE_ALONE {
            let seen: Vec<(Expiry, f32)> =
                looks.iter().flat_map(|look| look.dates.iter().map(|date| (date.value, date.prob))).collect();
            let total = seen.iter().map(|(_, prob)| prob).sum::<f32>().max(1.0);
            for date in looks.iter_mut().flat_map(|look| &mut look.dates) {
                let same = seen.iter().filter(|(value, _)| *value == date.value);
                date.prob = same.map(|(_, prob)| prob).sum::<f32>() / total;
            }
            Self::surest_first(&mut looks);
        }
        looks.into_iter().next()
    }
}

/// What a quad of the photo says; `None` for a quad without area.
fn columns(recognizer: &Recognizer, photo: &Photo, quad: &Quad) -> Result<Option<LogProbs>, ReadError> {
    let strip = rectify::rectify(photo, quad, recognizer.width, recognizer.height);
    strip.map(|strip| recognizer.recognize(&strip)).transpose()
}

/// Looks for dates at a quad, seen from so much `before` it, in its lengths; `None` for a quad without area.
fn date_look(
    recognizer: &Recognizer,
    photo: &Photo,
    quad: Quad,
    before: f32,
) -> Result<Option<DateLook>, ReadError> {
    let seen = columns(recognizer, photo, &quad.part(-before..1.0, 0.0..1.0))?;
    Ok(seen.map(|log_probs| DateLook { quad, dates: parse::choose_dates(&log_probs, &recognizer.alphabet) }))
}

/// A chosen text with its place in the original picture.
fn field<T>(chosen: Chosen<T>, quad: &Quad, to_original: &Homography) -> FieldReading<T> {
    let Chosen { value, text, prob, chars } = chosen;
    FieldReading { value, text, prob, chars, quad: quad.transform(to_original) }
}

/// A model inside the binary, or what should run it, is unusable.
#[derive(Debug, thiserror::Error)]
#[error("{name} is unusable: {reason}")]
pub struct LoadError {
    /// The model's name, or the engine's.
    pub name: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::locate::tests::{locator, locator_of, votes, votes_of};
    use crate::model::Fake;

    const SYMBOLS: &str = " 0123456789/";
    const NUMBER: LineKind = LineKind::Number;
    const DATE: LineKind = LineKind::Date;

    /// A line of a drawn picture: painted in a grey of its own, by which the fake recogniser knows what it says.
    #[derive(Clone)]
    struct Drawn {
        kind: LineKind,
        quad: Quad,
        grey: u8,
        text: &'static str,
        /// Probability of each symbol's column; the rest goes to another digit.
        sure: f32,
    }

    fn drawn(kind: LineKind, top: f32, grey: u8, text: &'static str, sure: f32) -> Drawn {
        let quad = if kind == NUMBER {
            Quad::rect(100.0, top, 400.0, 30.0)
        } else {
            Quad::rect(260.0, top, 100.0, 20.0)
        };
        Drawn { kind, quad, grey, text, sure }
    }

    /// What a recogniser gives for a text in so many columns.
    fn columns(count: usize, text: &str, sure: f32) -> Vec<f32> {
        let mut values = Vec::new();
        for column in 0..count {
            let mut probs = [1e-7f32; 13];
            match text.chars().nth(column / 2).filter(|_| column % 2 == 1).and_then(|c| SYMBOLS.find(c)) {
                Some(at) => {
                    probs[2 + (at + 4) % 10] = 1.0 - sure;
                    probs[1 + at] = sure;
                }
                None => probs[0] = 1.0,
            }
            values.extend(probs.map(|p| p.max(1e-7).ln()));
        }
        values
    }

    /// Networks that find the lines of a drawn picture at one look alone, whose pixels come from the picture's by
    /// `to_seen`, and read them by their grey.
    fn networks(look: usize, to_seen: &Homography, lines: &[Drawn]) -> Networks {
        let seen: Vec<_> = lines.iter().map(|line| (line.kind, line.quad.transform(to_seen))).collect();
        let looks = AtomicUsize::new(0);
        let locator =
            locator(move |_| votes(if looks.fetch_add(1, Ordering::Relaxed) == look { &seen } else { &[] }));
        Networks { locator, recognizer: reads(lines) }
    }

    /// Reads the lines of a drawn picture by their grey.
    fn reads(lines: &[Drawn]) -> Recognizer {
        let lines = lines.to_vec();
        recognizer(move |strip: &[f32]| {
            let width = strip.len() / 32;
            // A quarter from the left: a date's strip goes on beside it.
            let grey = strip[16 * width + 80];
            let line = lines.iter().find(|line| (f32::from(line.grey) - grey).abs() < 2.0);
            let (text, sure) = line.map_or(("", 1.0), |line| (line.text, line.sure));
            columns(width / 4, text, sure)
        })
    }

    fn recognizer(network: impl Fn(&[f32]) -> Vec<f32> + Send + Sync + 'static) -> Recognizer {
        recognizer_of(SYMBOLS, network)
    }

    fn recognizer_of(
        symbols: &str,
        network: impl Fn(&[f32]) -> Vec<f32> + Send + Sync + 'static,
    ) -> Recognizer {
        let fields =
            [("alphabet", symbols), ("blank", "0"), ("width", "320"), ("height", "32"), ("stride", "4")];
        Recognizer::new(Box::new(Fake(network)), &Metadata::of("fake", &fields)).unwrap()
    }

    /// A picture file of 640 x 400 px with the lines.
    fn picture(lines: &[Drawn]) -> Vec<u8> {
        let mut picture = image::GrayImage::new(640, 400);
        for line in lines {
            let (low, high) = line.quad.bounding_box();
            for y in low.y as u32..high.y as u32 {
                for x in low.x as u32..high.x as u32 {
                    // The right half is lighter: a strip cut upside down begins with it.
                    let lighter = if x as f32 > line.quad.centre().x { 20 } else { 0 };
                    picture.put_pixel(x, y, image::Luma([line.grey + lighter]));
                }
            }
        }
        let mut file = Cursor::new(Vec::new());
        picture.write_to(&mut file, image::ImageFormat::Png).unwrap();
        file.into_inner()
    }

    fn reader(small: Networks, full: Networks, dates: Recognizer) -> CardReader {
        let stacks = locator_of("stack", |_| votes_of(1, &[]));
        reader_of_stacks(small, full, dates, stacks)
    }

    fn reader_of_stacks(small: Networks, full: Networks, dates: Recognizer, stacks: Locator) -> CardReader {
        let never = |_: &[f32]| -> Vec<f32> { panic!("no name was asked for") };
        let holder =
            Networks { locator: locator_of("holder", never), recognizer: recognizer_of(" A", never) };
        CardReader {
            limits: Limits::default(),
            small: Arc::new(small),
            full: Arc::new(full),
            date: Arc::new(dates),
            holder: Arc::new(holder),
            card: Arc::new(locator_of("card", never)),
            stack: Arc::new(stacks),
            reads_details: false,
            table: Arc::clone(BinTable::embedded()),
        }
    }

    /// From the picture's pixels to those of its thumbnail of half the size.
    fn to_thumbnail() -> Homography {
        Homography::scaling(0.5, 0.5)
    }

    /// From the picture's pixels to those that a locator sees of a square of it.
    fn to_view(square: &Quad) -> Homography {
        Homography::from_quads(square, &Quad::rect(0.0, 0.0, 320.0, 320.0)).unwrap()
    }

    /// The same of the third other view: upright, its side 1.4 times the picture's 640 px.
    fn to_third_view() -> Homography {
        to_view(&Quad::rect(-128.0, -248.0, 896.0, 896.0))
    }

    /// Reads a picture with the lines; the full networks alone see them.
    fn read(lines: Vec<Drawn>) -> Result<Vec<CardReading>, ReadError> {
        read_at(0, &to_thumbnail(), lines)
    }

    /// The same, but the lines are located at one look alone, see [`networks`].
    fn read_at(look: usize, to_seen: &Homography, lines: Vec<Drawn>) -> Result<Vec<CardReading>, ReadError> {
        let file = picture(&lines);
        let blind = networks(usize::MAX, to_seen, &lines);
        reader(blind, networks(look, to_seen, &lines), reads(&lines)).read(&file)
    }

    /// Number and expiry of each card.
    fn facts(cards: &[CardReading]) -> Vec<(String, Option<String>)> {
        let expiry = |card: &CardReading| card.valid_date.as_ref().map(|date| date.value.to_string());
        cards.iter().map(|card| (card.number.value.digits().to_owned(), expiry(card))).collect()
    }

    #[test]
    fn no_number_line_is_no_card() {
        assert_eq!(read(Vec::new()).err(), Some(ReadError::NoCard));
        assert_eq!(read(vec![drawn(DATE, 200.0, 90, "08/27", 1.0)]).err(), Some(ReadError::NoCard));
    }

    #[test]
    fn a_line_that_says_no_number_is_not_legible() {
        for (text, sure) in [("", 1.0), ("95588", 1.0), ("08/27", 1.0), ("4539 5787 6362 1486", 0.55)] {
            let reading = read(vec![drawn(NUMBER, 100.0, 200, text, sure)]);
            assert_eq!(reading.err(), Some(ReadError::NotLegible), "{text}");
        }
    }

    #[test]
    fn a_number_in_rows_is_read_without_a_date() {
        let stack = Quad::rect(100.0, 100.0, 60.0, 100.0);
        for (text, number) in [
            ("4539 5787 6362 1486", Some("4539578763621486")),
            ("4539 5787 6362 1487", None), // fails Luhn
            ("45395 787636 21486", Some("4539578763621486")),
            ("4539 5787 6362", None),                                 // too short
            ("9901 2345 6789 0123 454", Some("9901234567890123454")), // five rows
        ] {
            let block = Drawn { quad: stack, ..drawn(LineKind::Stack, 0.0, 200, text, 1.0) };
            let lines = vec![block, drawn(DATE, 150.0, 90, "08/27", 1.0)];
            let blind = || networks(usize::MAX, &to_thumbnail(), &lines);
            // The first row's middle.
            let recognizer = recognizer(move |strip| {
                let width = strip.len() / 32;
                let is_stack = (strip[16 * width + 30] - 200.0).abs() < 2.0;
                columns(width / 4, if is_stack { text } else { "" }, 1.0)
            });
            let full = Networks { recognizer, ..blind() };
            let looks = AtomicUsize::new(0);
            let seen = [(0, stack.transform(&to_thumbnail()))];
            let stacks = locator_of("stack", move |_| {
                votes_of(1, if looks.fetch_add(1, Ordering::Relaxed) == 0 { &seen } else { &[] })
            });
            let cards = reader_of_stacks(blind(), full, reads(&lines), stacks).read(&picture(&lines));
            let expected = number.map(|number| (number.to_owned(), None));
            assert_eq!(facts(&cards.unwrap_or_default()), Vec::from_iter(expected), "{text}");
        }
    }

    #[test]
    fn part_of_a_longer_number_is_none() {
        // Those with 1487 fail Luhn, the others do not; the issuer of 6222 is known, that of 4539 not.
        for (text, beyond, is_read) in [
            ("4539 5787 6362 1487", "4539 5787 6362 1487", true),
            ("4539 5787 6362 1487", "394 4539 5787 6362 1487 52", false),
            ("4539 5787 6362 1486", "394 4539 5787 6362 1486 52", true),
            ("4539578763621486", "4539578763621486", true),
            ("4539578763621486", "394453957876362148652", false),
            ("6222021234567890128", "394622202123456789012852", true),
        ] {
            let lines = vec![drawn(NUMBER, 100.0, 200, text, 1.0)];
            let networks = || Networks {
                // Only a strip that is wider than the line has ground so far from its left end.
                recognizer: recognizer(move |strip| {
                    let width = strip.len() / 32;
                    columns(width / 4, if strip[16 * width + 30] < 100.0 { beyond } else { text }, 1.0)
                }),
                ..networks(0, &to_thumbnail(), &lines)
            };
            let reading = reader(networks(), networks(), reads(&lines)).read(&picture(&lines));
            assert_eq!(reading.is_ok(), is_read, "{text} in {beyond}");
        }
    }

    #[test]
    fn each_number_has_the_date_below_it_and_the_surest_comes_first() {
        let cards = read(vec![
            drawn(NUMBER, 40.0, 200, "4539 5787 6362 1486", 0.985),
            drawn(DATE, 90.0, 150, "08/27", 1.0),
            drawn(NUMBER, 240.0, 100, "5425 2334 3010 9903", 1.0),
            drawn(DATE, 290.0, 60, "11/29", 1.0),
        ])
        .unwrap_or_default();
        let expected = [("5425233430109903", Some("11/29")), ("4539578763621486", Some("08/27"))];
        assert_eq!(
            facts(&cards),
            expected.map(|(number, date)| (number.to_owned(), date.map(str::to_owned)))
        );
        assert!(cards[0].number.prob > cards[1].number.prob);
        assert_eq!(
            cards.iter().map(|card| card.scheme).collect::<Vec<_>>(),
            [Some(Scheme::Mastercard), Some(Scheme::Visa)]
        );
        let number = &cards[1].number;
        assert_eq!((number.text.as_str(), number.chars.len()), ("4539 5787 6362 1486", 16));
        let off =
            number.quad.0.into_iter().zip(Quad::rect(100.0, 40.0, 400.0, 30.0).0).map(|(a, b)| a.distance(b));
        assert!(off.fold(0.0, f32::max) < 0.5, "{:?}", number.quad);
    }

    #[test]
    fn dates_elsewhere_or_unsure_are_not_given() {
        for (top, text, sure) in
            [(30.0, "08/27", 1.0), (330.0, "08/27", 1.0), (150.0, "08/27", 0.8), (150.0, "13/27", 1.0)]
        {
            let cards = read(vec![
                drawn(NUMBER, 100.0, 200, "4539 5787 6362 1486", 1.0),
                drawn(DATE, top, 150, text, sure),
            ]);
            let expected = [("4539578763621486".to_owned(), None)];
            assert_eq!(facts(&cards.unwrap_or_default()), expected, "{text} at {top}");
        }
    }

    #[test]
    fn a_date_whose_line_is_told_askew_is_read_along_the_number() {
        let number = drawn(NUMBER, 100.0, 200, "4539 5787 6362 1486", 1.0);
        let date = drawn(DATE, 160.0, 90, "08/27", 1.0);
        // How much lower than it is the line's left and right end are told, in its heights.
        for (left, right, read) in [(0.0, 0.0, true), (0.8, -0.8, true), (1.2, 1.2, false)] {
            let [a, b, c, d] = date.quad.0;
            let lower = |p: Point, by: f32| Point::new(p.x, p.y + by * date.quad.height());
            let told = Quad([lower(a, left), lower(b, right), lower(c, right), lower(d, left)]);
            let seen = [(NUMBER, number.quad), (DATE, told)]
                .map(|(kind, quad)| (kind, quad.transform(&to_thumbnail())));
            let lines = vec![number.clone(), date.clone()];
            let networks = || Networks {
                locator: locator(move |_| votes(&seen)),
                ..networks(0, &to_thumbnail(), &lines)
            };
            let cards =
                reader(networks(), networks(), reads(&lines)).read(&picture(&lines)).unwrap_or_default();
            let expected = ("4539578763621486".to_owned(), read.then(|| "08/27".to_owned()));
            assert_eq!(facts(&cards), [expected], "{left}, {right}");
        }
    }

    #[test]
    fn dates_of_a_small_number_are_looked_for_again_from_closer_by() {
        let seen_from = |view: &Quad, date: &Quad| votes(&[(DATE, date.transform(&to_view(view)))]);
        // Half of the picture is 320 px. Of looks at it the first tells the date a line too low, the second is at the small number.
        for (length, told, below, read) in
            [(300.0, true, 2, true), (300.0, false, 2, false), (330.0, true, 1, false)]
        {
            let number = Drawn {
                quad: Quad::rect(150.0, 100.0, length, 24.0),
                ..drawn(NUMBER, 0.0, 200, "4539 5787 6362 1486", 1.0)
            };
            let date =
                Drawn { quad: Quad::rect(240.0, 150.0, 60.0, 16.0), ..drawn(DATE, 0.0, 90, "08/27", 1.0) };
            let too_low = told.then_some((DATE, Quad::rect(240.0, 175.0, 60.0, 16.0)));
            let first: Vec<_> = std::iter::once((NUMBER, number.quad)).chain(too_low).collect();
            let first: Vec<_> =
                first.into_iter().map(|(kind, quad)| (kind, quad.transform(&to_thumbnail()))).collect();
            let (view, place) = (holder_look(&number.quad), date.quad);
            let lines = vec![number, date];
            let looks = AtomicUsize::new(0);
            let small = Networks {
                locator: locator(move |_| match looks.fetch_add(1, Ordering::Relaxed) {
                    0 => votes(&first),
                    look if look == below => seen_from(&view, &place),
                    _ => votes(&[]),
                }),
                recognizer: reads(&lines),
            };
            let blind = networks(usize::MAX, &to_thumbnail(), &lines);
            let cards = reader(small, blind, reads(&lines)).read(&picture(&lines)).unwrap_or_default();
            let expected = ("4539578763621486".to_owned(), read.then(|| "08/27".to_owned()));
            assert_eq!(facts(&cards), [expected], "{length}, {told}");
        }
    }

    #[test]
    fn of_two_dates_the_later_is_the_expiry_and_an_old_one_alone_is_none() {
        let number = || drawn(NUMBER, 40.0, 200, "4539 5787 6362 1486", 1.0);
        let from_and_until = |lines: Vec<Drawn>| {
            let cards = read(lines).unwrap_or_default();
            let text = |date: &Option<FieldReading<Expiry>>| date.as_ref().map(|date| date.value.to_string());
            cards.first().map(|card| (text(&card.valid_from), text(&card.valid_date)))
        };
        let date = |top, grey, text| drawn(DATE, top, grey, text, 1.0);
        for (lines, expected) in [
            (vec![date(90.0, 150, "08/27"), date(130.0, 90, "09/24")], (Some("09/24"), Some("08/27"))),
            (vec![date(90.0, 150, "09/09 08/12")], (Some("09/09"), Some("08/12"))),
            (vec![date(90.0, 150, "08/09"), date(130.0, 90, "08/09")], (None, None)),
            (vec![date(90.0, 150, "08/06")], (None, None)),
            (vec![date(90.0, 150, "2011/08")], (None, None)),
            (vec![date(90.0, 150, "08/2011")], (None, Some("08/11"))),
        ] {
            let expected = (expected.0.map(str::to_owned), expected.1.map(str::to_owned));
            assert_eq!(from_and_until(std::iter::once(number()).chain(lines).collect()), Some(expected));
        }
    }

    /// What a reader gives of a picture with a number line and a date line, where its small and its full networks see
    /// these: number and date, each with its sureness.
    fn read_twice(small: &[(&'static str, f32); 2], full: &[(&'static str, f32); 2]) -> Vec<CardReading> {
        let lines = |[number, date]: &[(&'static str, f32); 2]| {
            let lines =
                [drawn(NUMBER, 100.0, 200, number.0, number.1), drawn(DATE, 160.0, 150, date.0, date.1)];
            lines.into_iter().filter(|line| line.sure > 0.0).collect::<Vec<_>>()
        };
        let networks = |seen| networks(0, &to_thumbnail(), &lines(seen));
        let file = picture(&lines(&[("", 1.0), ("", 1.0)]));
        reader(networks(small), networks(full), reads(&lines(small))).read(&file).unwrap_or_default()
    }

    #[test]
    fn the_full_networks_read_what_is_not_clear_to_the_small_ones() {
        let (small, full) = (("4539 5787 6362 1486", "08/27"), ("5425 2334 3010 9903", "11/29"));
        for (seen, expected) in [
            ([(small.0, 1.0), (small.1, 1.0)], (small.0, Some(small.1))),
            ([(small.0, 0.9), (small.1, 1.0)], (full.0, Some(small.1))),
            ([(small.0, 1.0), (small.1, 0.8)], (small.0, Some(full.1))),
            // A line that says no date at all is not looked at again.
            ([(small.0, 1.0), ("", 1.0)], (small.0, None)),
            ([("", 1.0), (small.1, 1.0)], (full.0, Some(small.1))),
            ([("", 0.0), ("", 0.0)], (full.0, None)),
        ] {
            let cards = read_twice(&seen, &[(full.0, 1.0), (full.1, 1.0)]);
            let expected = (expected.0.replace(' ', ""), expected.1.map(str::to_owned));
            assert_eq!(facts(&cards), [expected], "{seen:?}");
        }
    }

    #[test]
    fn a_line_that_the_full_recognizer_is_sure_of_is_not_located_again() {
        let line = |sure| vec![drawn(NUMBER, 100.0, 200, "4539 5787 6362 1486", sure)];
        for (small, full, read) in [(0.9, 1.0, true), (0.9, 0.9, false), (0.5, 1.0, false)] {
            let blind = networks(usize::MAX, &to_thumbnail(), &line(full));
            let reader = reader(networks(0, &to_thumbnail(), &line(small)), blind, reads(&[]));
            let reading = reader.read(&picture(&line(1.0)));
            let expected = read.then(|| vec![("4539578763621486".to_owned(), None)]);
            assert_eq!(reading.ok().map(|cards| facts(&cards)), expected, "{small} and {full}");
        }
    }

    #[test]
    fn what_was_seen_at_a_glance_counts_as_a_look() {
        // Two looks at a line are sure where one is not, and it is not located from close by.
        let lines = vec![drawn(NUMBER, 100.0, 200, "4539 5787 6362 1486", 0.87)];
        for (glance, expected) in [(0, 1), (usize::MAX, 2)] {
            let located = Arc::new(AtomicUsize::new(0));
            let seen = [(NUMBER, lines[0].quad.transform(&to_thumbnail()))];
            let count = Arc::clone(&located);
            let full = Networks {
                locator: locator(move |_| {
                    votes(if count.fetch_add(1, Ordering::Relaxed) == 0 { &seen } else { &[] })
                }),
                recognizer: reads(&lines),
            };
            let reader = reader(networks(glance, &to_thumbnail(), &lines), full, reads(&lines));
            let cards = reader.read(&picture(&lines)).unwrap_or_default();
            assert_eq!(facts(&cards), [("4539578763621486".to_owned(), None)]);
            assert_eq!(located.load(Ordering::Relaxed), expected, "{glance}");
        }
    }

    #[test]
    fn a_date_line_that_holds_more_is_seen_from_farther_left() {
        let number = drawn(NUMBER, 100.0, 200, "4539 5787 6362 1486", 1.0);
        // Of issue, and told from its first digit to the CN behind it; 20 px high.
        for (length, expected) in [(90.0, Some("11/12")), (98.0, None), (140.0, None)] {
            let date = Drawn {
                quad: Quad::rect(260.0, 160.0, length, 20.0),
                ..drawn(DATE, 160.0, 150, "11/12", 1.0)
            };
            let lines = vec![number.clone(), date];
            let networks = || networks(0, &to_thumbnail(), &lines);
            let dates = recognizer(|strip: &[f32]| {
                let width = strip.len() / 32;
                // The lines begin at 66, 80 and 73 px; seen as told the last two would at 64 and 50.
                let is_ground = strip[16 * width + 69] < 100.0;
                columns(width / 4, if is_ground { "2011/12" } else { "11/12" }, 1.0)
            });
            let cards = reader(networks(), networks(), dates).read(&picture(&lines)).unwrap_or_default();
            let expected = ("4539578763621486".to_owned(), expected.map(str::to_owned));
            assert_eq!(facts(&cards), [expected], "{length}");
        }
    }

    #[test]
    fn looks_that_agree_on_a_date_are_believed_together() {
        let date = |text: &str, prob| {
            let (month, year) = text.split_once('/').unwrap();
            let value = Expiry::new(month.parse().unwrap(), 2000 + year.parse::<u16>().unwrap()).unwrap();
            Chosen { value, text: text.to_owned(), prob, chars: Vec::new() }
        };
        let agreed = |looks: &[&[(&str, f32)]]| {
            let look = |(index, dates): (usize, &&[(&str, f32)])| DateLook {
                quad: Quad::rect(index as f32, 0.0, 9.0, 9.0),
                dates: dates.iter().map(|(text, prob)| date(text, *prob)).collect(),
            };
            let agreed = DateLook::agreed(looks.iter().enumerate().map(look).collect())?;
            let best = agreed.dates.iter().max_by(|a, b| a.prob.total_cmp(&b.prob))?;
            Some((best.text.clone(), (100.0 * best.prob).round(), agreed.quad.0[0].x))
        };
        let expected = |text: &str, prob, x| Some((text.to_owned(), prob, x));
        // A sure date is not doubted, two of one look are both kept.
        assert_eq!(agreed(&[&[("08/27", 0.85)], &[("09/27", 0.7)]]), expected("08/27", 85.0, 0.0));
        assert_eq!(agreed(&[&[("08/24", 0.7), ("08/27", 0.85)]]), expected("08/27", 85.0, 0.0));
        // One that is barely legible is, where another says otherwise.
        assert_eq!(agreed(&[&[("08/27", 0.8)], &[("09/27", 0.7)]]), expected("08/27", 53.0, 0.0));
        // Three that say little are sure together; the surest of them tells the place.
        let looks: [&[_]; 4] = [&[("08/27", 0.4)], &[("08/27", 0.6)], &[("08/27", 0.5), ("03/27", 0.1)], &[]];
        assert_eq!(agreed(&looks), expected("08/27", 94.0, 1.0));
        assert_eq!(agreed(&[&[("08/27", 0.4)], &[("09/27", 0.6)]]), expected("09/27", 60.0, 1.0));
        assert_eq!(agreed(&[&[("08/27", 0.3)], &[("08/27", 0.3)]]), expected("08/27", 60.0, 0.0));
        assert_eq!(agreed(&[&[], &[]]), None);
        assert_eq!(agreed(&[]), None);
    }

    #[test]
    fn of_two_readings_of_one_date_the_surer_counts() {
        let number = ("4539 5787 6362 1486", 1.0);
        for (small, full, expected) in [(0.96, 0.97, "11/29"), (0.97, 0.96, "08/27"), (0.96, 1.0, "11/29")] {
            let cards = read_twice(&[number, ("08/27", small)], &[number, ("11/29", full)]);
            assert_eq!(facts(&cards), [("4539578763621486".to_owned(), Some(expected.to_owned()))]);
            assert_eq!(cards[0].valid_from.as_ref().map(|date| date.value), None);
        }
    }

    #[test]
    fn a_line_taken_for_upside_down_is_read_the_other_way() {
        let line = drawn(NUMBER, 100.0, 200, "4539 5787 6362 1486", 1.0);
        let upright = line.quad;
        let cards = read(vec![Drawn { quad: upright.rotated180(), ..line }]).unwrap_or_default();
        assert_eq!(facts(&cards), [("4539578763621486".to_owned(), None)]);
        let off = cards[0].number.quad.0.into_iter().zip(upright.0).map(|(a, b)| a.distance(b));
        assert!(off.fold(0.0, f32::max) < 0.5, "{:?}", cards[0].number.quad);
    }

    #[test]
    fn a_picture_where_nothing_is_read_is_looked_at_from_elsewhere() {
        let to_view = to_third_view();
        let lines =
            [drawn(NUMBER, 100.0, 200, "4539 5787 6362 1486", 0.99), drawn(DATE, 160.0, 150, "08/27", 1.0)];
        let cards = read_at(3, &to_view, lines.to_vec());
        let cards = cards.unwrap_or_default();
        assert_eq!(facts(&cards), [("4539578763621486".to_owned(), Some("08/27".to_owned()))]);
        // Its number is doubted more than the same at the first look.
        let wrong = |cards: &[CardReading]| cards.first().map_or(1.0, |card| 1.0 - card.number.prob);
        let first = read(lines.to_vec()).unwrap_or_default();
        assert!(wrong(&cards) > 3.0 * wrong(&first), "{} {}", wrong(&cards), wrong(&first));
        // The small recogniser is asked first whether there is a number.
        let small = networks(usize::MAX, &to_view, &[]);
        let reader = reader(small, networks(3, &to_view, &lines), reads(&lines));
        assert_eq!(reader.read(&picture(&lines)).err(), Some(ReadError::NoCard));
    }

    #[test]
    fn a_number_seen_from_elsewhere_must_be_surer_if_it_fails_luhn() {
        for (text, sure, is_read) in [
            ("4539 5787 6362 1486", 0.99, true),
            ("4539 5787 6362 1487", 0.999, false),
            ("4539 5787 6362 1487", 0.99999, true),
        ] {
            let line = drawn(NUMBER, 100.0, 200, text, sure);
            // At a first look, it would be.
            assert!(read(vec![line.clone()]).is_ok(), "{text} {sure}");
            let reading = read_at(3, &to_third_view(), vec![line]);
            assert_eq!(reading.is_ok(), is_read, "{text} {sure}");
        }
    }

    #[test]
    fn a_line_that_another_view_shows_in_part_is_looked_at_again() {
        let line = drawn(NUMBER, 100.0, 200, "4539 5787 6362 1486", 1.0);
        let part = Quad::rect(100.0, 100.0, 300.0, 30.0);
        let seen = |to_view: &Homography, quad: &Quad| votes(&[(NUMBER, quad.transform(to_view))]);
        // The part is seen in the third other view; about it, from 1.5 lengths of it, all of the line.
        let to_closer = to_view(&Quad::rect(25.0, -110.0, 450.0, 450.0));
        for (again, is_read) in [(Some(line.quad), true), (Some(part), false), (None, false)] {
            // Light where the line's end is, if the strip shows all of it.
            let recognizer = || {
                recognizer(move |strip: &[f32]| {
                    let width = strip.len() / 32;
                    let shows_all = (strip[16 * width + 210] - 220.0).abs() < 2.0;
                    columns(width / 4, if shows_all { line.text } else { "" }, 1.0)
                })
            };
            let nth = |look, seen: Option<Vec<f32>>| {
                let looks = AtomicUsize::new(0);
                locator(move |_| {
                    let seen = seen.as_ref().filter(|_| looks.fetch_add(1, Ordering::Relaxed) == look);
                    seen.cloned().unwrap_or_else(|| votes(&[]))
                })
            };
            let small = Networks {
                locator: nth(1, again.map(|quad| seen(&to_closer, &quad))),
                recognizer: recognizer(),
            };
            let full =
                Networks { locator: nth(3, Some(seen(&to_third_view(), &part))), recognizer: recognizer() };
            let reading = reader(small, full, reads(&[])).read(&picture(std::slice::from_ref(&line)));
            let expected = is_read.then(|| vec![("4539578763621486".to_owned(), None)]);
            assert_eq!(reading.ok().map(|cards| facts(&cards)), expected, "{again:?}");
        }
    }

    #[test]
    fn an_illegible_card_does_not_hide_another() {
        let cards = read(vec![
            drawn(NUMBER, 40.0, 200, "", 1.0),
            drawn(NUMBER, 240.0, 100, "5425 2334 3010 9903", 1.0),
        ]);
        assert_eq!(facts(&cards.unwrap_or_default()), [("5425233430109903".to_owned(), None)]);
    }

    /// The facts of the first of two cards without dates, or of both.
    fn first_or_both(both: bool) -> Vec<(String, Option<String>)> {
        let numbers = ["4539578763621486", "5425233430109903"];
        numbers.map(|number| (number.to_owned(), None)).into_iter().take(if both { 2 } else { 1 }).collect()
    }

    #[test]
    fn a_card_that_leaves_room_beside_it_may_not_be_alone() {
        let at = |top, length, line: Drawn| Drawn { quad: Quad::rect(100.0, top, length, 16.0), ..line };
        // A third of the picture is 213 px.
        for (length, both) in [(200.0, true), (300.0, false)] {
            let first = at(40.0, length, drawn(NUMBER, 0.0, 200, "4539 5787 6362 1486", 1.0));
            let other = at(240.0, 200.0, drawn(NUMBER, 0.0, 100, "5425 2334 3010 9903", 0.985));
            let seen = |lines: &[Drawn]| networks(0, &to_thumbnail(), lines);
            let lines = [first.clone(), other];
            let reader = reader(seen(&[first]), seen(&lines), reads(&[]));
            let cards = reader.read(&picture(&lines)).unwrap_or_default();
            assert_eq!(facts(&cards), first_or_both(both), "{length}");
        }
    }

    #[test]
    fn one_of_several_cards_is_looked_for_from_elsewhere() {
        let at = |top, line: Drawn| Drawn { quad: Quad::rect(100.0, top, 200.0, 16.0), ..line };
        let first = at(40.0, drawn(NUMBER, 0.0, 200, "4539 5787 6362 1486", 1.0));
        let other = at(240.0, drawn(NUMBER, 0.0, 100, "5425 2334 3010 9903", 0.985));
        let in_view = vec![(NUMBER, other.quad.transform(&to_third_view()))];
        // The full locator sees a line at its first look that says nothing; or none.
        for (blot, both) in [(Some(Quad::rect(350.0, 350.0, 200.0, 16.0)), true), (None, false)] {
            let blot: Vec<_> =
                blot.into_iter().map(|quad| (NUMBER, quad.transform(&to_thumbnail()))).collect();
            let in_view = in_view.clone();
            // Behind the first look there is one at the blot, which is small.
            let third_view = blot.len() + 3;
            let looks = AtomicUsize::new(0);
            let lines = [first.clone(), other.clone()];
            let full = Networks {
                locator: locator(move |_| match looks.fetch_add(1, Ordering::Relaxed) {
                    0 => votes(&blot),
                    look if look == third_view => votes(&in_view),
                    _ => votes(&[]),
                }),
                recognizer: reads(&lines),
            };
            let small = Networks {
                recognizer: reads(&lines),
                ..networks(0, &to_thumbnail(), std::slice::from_ref(&first))
            };
            let cards = reader(small, full, reads(&[])).read(&picture(&lines)).unwrap_or_default();
            assert_eq!(facts(&cards), first_or_both(both), "{both}");
        }
    }

    #[test]
    fn a_card_that_is_clear_is_kept_where_another_is_not() {
        let (clear, other) = ("4539 5787 6362 1486", "5425 2334 3010 9903");
        let upper = drawn(NUMBER, 40.0, 200, clear, 0.985);
        let lower = |text| drawn(NUMBER, 240.0, 100, text, 1.0);
        let seen = |lines: &[Drawn]| networks(0, &to_thumbnail(), lines);
        // The full locator does not see the upper line; or it does, and its recogniser would read it otherwise.
        for full in [vec![lower(other)], vec![drawn(NUMBER, 40.0, 200, other, 1.0), lower(other)]] {
            let reader = reader(seen(&[upper.clone(), lower("")]), seen(&full), reads(&[]));
            let cards = reader.read(&picture(&[upper.clone(), lower(other)])).unwrap_or_default();
            let expected = [other, clear].map(|number| (number.replace(' ', ""), None));
            assert_eq!(facts(&cards), expected);
        }
    }

    #[test]
    fn a_name_is_read_and_the_card_found_where_they_are_asked_for() {
        // Of `ALIN`, with a space: columns of a blank and a letter in turn; the letter is as probable as the name is sure.
        let name = |sure: f32| {
            move |strip: &[f32]| {
                let mut values = Vec::new();
                for column in 0..strip.len() / 32 / 4 {
                    let mut probs = [1e-7f32; 6];
                    let letter = [2, 1, 3, 1, 1, 4, 5].get(column / 2).filter(|_| column % 2 == 1);
                    probs[*letter.unwrap_or(&0)] = sure;
                    probs[if letter == Some(&2) { 3 } else { 2 }] += 1.0 - sure;
                    values.extend(probs.map(f32::ln));
                }
                values
            }
        };
        let line = vec![drawn(NUMBER, 100.0, 200, "4539 5787 6362 1486", 1.0)];
        let quad = Quad::rect(30.0, 190.0, 100.0, 12.0);
        for (wanted, sure, found, expected) in [
            (true, 0.999, true, Some("A L IN")),
            (true, 0.9, true, None),
            (true, 0.999, false, None),
            (false, 0.999, true, None),
        ] {
            let names = if found { vec![(0, quad)] } else { Vec::new() };
            let holder = Networks {
                locator: locator_of("holder", move |_| votes_of(1, &names)),
                recognizer: recognizer_of(" ALIN", name(sure)),
            };
            let clear = networks(0, &to_thumbnail(), &line);
            let blind = networks(usize::MAX, &to_thumbnail(), &[]);
            let card = Quad::rect(40.0, 60.0, 240.0, 150.0);
            let card_locator = locator_of("card", move |_| votes_of(1, &[(0, card)]));
            let reader = CardReader {
                holder: Arc::new(holder),
                card: Arc::new(card_locator),
                ..reader(clear, blind, reads(&[]))
            };
            let cards = reader.with_details(wanted).read(&picture(&line)).unwrap_or_default();
            // The look is a square of 2.2 lengths of the number about its middle.
            let look = card_look(&Quad::rect(100.0, 100.0, 400.0, 30.0));
            let to_picture = Homography::from_quads(&Quad::rect(0.0, 0.0, 320.0, 320.0), &look).unwrap();
            let outline = cards[0].outline;
            assert_eq!(outline.is_some(), wanted);
            let off = outline.map(|outline| outline.centre().distance(card.transform(&to_picture).centre()));
            assert!(off.is_none_or(|off| off < 1.0), "{outline:?}");
            let holder = cards[0].holder.as_ref();
            assert_eq!(holder.map(|holder| holder.value.as_str()), expected, "{wanted} {sure} {found}");
            // The look is a square of 1.1 lengths of the number about a point right of its middle and below it.
            let Some(holder) = holder else { continue };
            let to_picture = Homography::from_quads(
                &Quad::rect(0.0, 0.0, 320.0, 320.0),
                &Quad::rect(100.0 + 400.0 * (0.48 - 0.55), 100.0 + 400.0 * (0.22 - 0.55), 440.0, 440.0),
            );
            let off = holder.quad.0.into_iter().zip(quad.transform(&to_picture.unwrap()).0);
            assert!(off.map(|(a, b)| a.distance(b)).all(|off| off < 0.5), "{:?}", holder.quad);
            assert_eq!(holder.chars.len(), 4);
        }
    }

    #[test]
    fn a_picture_that_takes_too_long_is_given_up_between_the_stages() {
        let late = |_: &[f32]| {
            std::thread::sleep(Duration::from_millis(30));
            votes(&[(NUMBER, Quad::rect(50.0, 50.0, 200.0, 15.0))])
        };
        let never = |_: &[f32]| panic!("nothing is recognised after the deadline");
        let networks = || Networks { locator: locator(late), recognizer: recognizer(never) };
        let limits = Limits { max_time: Duration::from_millis(20), ..Limits::default() };
        let reader = reader(networks(), networks(), recognizer(never)).with_limits(limits);
        let mut file = Cursor::new(Vec::new());
        image::GrayImage::new(64, 40).write_to(&mut file, image::ImageFormat::Png).unwrap();
        assert_eq!(reader.read(&file.into_inner()).err(), Some(ReadError::TookTooLong));
    }
}
