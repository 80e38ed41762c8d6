//! kahao-reader reads bank cards: bytes of a picture in, card number, issuer, card type, expiry and holder out.
//!
//! `&[u8] -> Photo -> TextLine -> Strip -> LogProbs -> CardReading`: each stage is a file that takes one
//! named type and gives the next. This file knows the order of the looks at a picture, `numbers.rs` that of the looks at a number's
//! line, `fields.rs` that of the looks at what else the card says.

mod annotate;
pub mod card;
mod deadline;
mod decode;
mod decode_text;
mod error;
mod fields;
#[doc(hidden)]
pub mod fuzzing;
pub mod geometry;
mod locate;
mod model;
mod numbers;
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
use decode_text::LogProbs;
use geometry::{Homography, Quad};
use locate::{LineKind, Locator, TextLine};
use model::{Metadata, Model};
use numbers::{Looks, Number};
use parse::Chosen;
use photo::Photo;
use recognize::Recognizer;
use timings::timed;

/// Below this probability a number is not believed that did not show at the first look: of 500 drawn pictures without a card
/// ten more were taken for one at 0.5, one at 0.93; of 26 numbers of cards that this look found three were lost.
const SURE_ELSEWHERE: f32 = 0.93;
/// The same of one that fails Luhn and is no specimen's: so 495 of 500 drawn pictures without a card were left unread instead of
/// 492, and four of 3,307 drawn numbers were lost.
const SURE_WITHOUT_LUHN: f32 = 0.99;
/// By so much the odds that a number seen from elsewhere is wrong are larger than its looks say: of 5,000 drawn pictures' numbers
/// with a probability of 0.95 or more 99.54 % were right so, 99.44 without it.
const DOUBT_ELSEWHERE: f32 = 4.0;
/// Cards whose numbers are shorter than this share of the picture's longer side leave room for others, which are looked for: of 337
/// drawn numbers among several cards ten more were read so, 286; the 92 real pictures took as long, a sixth longer at 0.5.
const ROOM_BESIDE: f32 = 0.35;
/// Lines tried in one picture: a fan of cards has about five; a picture made to be expensive has no end of them.
const MAX_LINES: usize = 8;

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
                card.holder = self.read_holder(photo, &quad, card.issuer.as_ref())?;
                let outline = self.card.look_for_card(photo, &quad)?;
                card.outline = outline.map(|outline| outline.transform(photo.to_original()));
            }
            found.cards.push((quad, card));
        }
        Ok(())
    }

    /// `dates` with the earliest first: VALID FROM stands beside VALID THRU, and the later is the expiry.
    fn card(&self, number: FieldReading<Pan>, mut dates: Vec<FieldReading<Expiry>>) -> CardReading {
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

/// How the number of a line is read, with the glances at lines that were not sure; `None` when it is not legible.
type ReadNumber = fn(&CardReader, &Photo, &TextLine, &mut Found) -> Result<Option<Number>, ReadError>;

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

/// What a quad of the photo says; `None` for a quad without area.
fn columns(recognizer: &Recognizer, photo: &Photo, quad: &Quad) -> Result<Option<LogProbs>, ReadError> {
    let strip = rectify::rectify(photo, quad, recognizer.width, recognizer.height);
    strip.map(|strip| recognizer.recognize(&strip)).transpose()
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
mod tests;
