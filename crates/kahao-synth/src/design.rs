//! One card: what is printed where, in millimetres from its top-left corner (ISO/IEC 7810 ID-1: 85.60 x 53.98 mm).

use kahao_reader::geometry::{Point, Quad};

use crate::art::Art;
use crate::content::{Content, Date, stacked_number};
use crate::glyphs::Fonts;
use crate::label::Kind;
use crate::print::{Emboss, Ink, Line, caption};
use crate::raster::{Colour, Random, Raster, mix, noise, smooth};

pub(crate) const LONG_MM: f32 = 85.6;
pub(crate) const SHORT_MM: f32 = 53.98;

/// A text line on the card: tight box of its ink, in mm.
pub(crate) struct CardLine {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    pub(crate) quad: Quad,
}

enum Print {
    Embossed(Box<Emboss>),
    Flat(Box<Ink>),
}

impl Print {
    /// Puts a text on the card, its ink's top-left at (x, y), its characters `height` mm high, one every `spread` mm
    /// (embossed) or in at most `spread` mm (flat).
    fn line(
        &self,
        raster: &mut Raster,
        fonts: &Fonts,
        text: &str,
        place: [f32; 4],
        random: &mut Random,
    ) -> Line {
        match self {
            Print::Embossed(emboss) => emboss.line(raster, text, place, random),
            Print::Flat(ink) => ink.line(raster, &fonts.numbers, text, place, random),
        }
    }
}

/// A number in rows of four digits.
struct Rows {
    /// From one to the next, mm.
    pitch: f32,
    /// Height of their digits, pitch (embossed) or greatest width (flat), mm.
    digits: [f32; 2],
    /// Whether strokes lead the eye from each row's end to the next one's start.
    is_framed: bool,
}

/// Everything about a card but its pixels: they can be drawn for any window at any density.
pub(crate) struct Design {
    pub(crate) width: f32,
    pub(crate) height: f32,
    content: Content,
    art: Art,
    print: Print,
    /// x, y of the number's top-left, height of its digits, pitch (embossed) or greatest width (flat), mm.
    number: [f32; 4],
    /// Where the number stands in rows; then the height above is that of all of them.
    rows: Option<Rows>,
    date: [f32; 3],
    date_print: Print,
    /// x, y of the name's top-left, height of its capitals, pitch (embossed) or greatest width (flat), mm.
    holder: [f32; 4],
    holder_print: Print,
    chip: Option<(f32, f32, Colour)>,
    mark: Option<(f32, f32, usize)>,
    hologram: Option<[f32; 4]>,
    ink: Colour,
    repeated_bin: bool,
    /// The back of a card: magnetic stripe, signature panel, security code.
    is_back: bool,
    /// Fronts and backs without a number exist.
    has_number: bool,
    /// Tells its lines without putting them on the card.
    is_bare: bool,
    seed: u32,
}

impl Design {
    /// Any side of any card: now and then a back, or one without a number.
    pub(crate) fn draw_any(random: &mut Random, fonts: &Fonts) -> Self {
        let mut design = Self::draw(random, fonts);
        design.is_back = design.width > design.height && random.chance(0.05);
        if random.chance(if design.is_back { 0.6 } else { 0.05 }) {
            design.has_number = false;
            design.content.expiry = None;
            design.content.valid_from = None;
        }
        design
    }

    /// The side of a card with its number in rows, one below the other ("quick read").
    pub(crate) fn draw_stacked(random: &mut Random, fonts: &Fonts) -> Self {
        let mut design = loop {
            let design = Self::draw(random, fonts);
            // Where the long row of digits was embossed most were; stacks are printed, but for a few.
            if !design.is_embossed() || random.chance(0.1) {
                break design;
            }
        };
        if random.chance(0.2) {
            (design.width, design.height) = (SHORT_MM, LONG_MM);
        }
        design.is_back = design.width > design.height && random.chance(0.3);
        design.content.number = stacked_number(random);
        let rows = design.content.number.split(' ').count() as f32;
        let digit = random.range(2.4, 5.2).min(0.62 * design.height / (rows * 1.3));
        let pitch = digit * random.range(1.2, 2.1).min(0.7 * design.height / (rows * digit));
        let (wide, high) = (3.4 * digit, (rows - 1.0) * pitch + digit);
        let x = random.range(3.5, design.width - wide - 3.5);
        let top = if design.is_back { 22.0 } else { 4.0 };
        let y = random.range(top, (design.height - high - 3.0).max(top + 0.5));
        let spread = if design.is_embossed() { 0.9 * digit } else { random.range(2.6, 4.6) * digit };
        design.number = [x, y, high, spread];
        design.rows = Some(Rows { pitch, digits: [digit, spread], is_framed: random.chance(0.15) });
        design.repeated_bin = false;
        // Right or left of the rows, or below them.
        let size = design.date[2];
        let beside = if x < design.width / 2.0 { x + wide + size * random.range(4.0, 6.5) } else { 5.0 };
        design.date = if y + high + 2.0 * size < design.height - 2.0 && random.chance(0.4) {
            [x + random.range(0.0, 3.0 * size), y + high + size * random.range(0.6, 1.4), size]
        } else {
            [beside, y + random.range(0.0, high - size), size]
        };
        design.content.holder = None;
        let is_clear = |x0: f32, y0: f32, x1: f32, y1: f32| {
            x1 < x - 1.0 || x0 > x + wide + 1.0 || y1 < y - 1.0 || y0 > y + high + 1.0
        };
        design.chip = design.chip.filter(|(cx, cy, _)| is_clear(*cx, *cy, cx + 11.8, cy + 9.0));
        design.mark = design.mark.filter(|(mx, my, _)| is_clear(*mx, *my, mx + 17.0, my + 11.5));
        design.hologram = design.hologram.filter(|[x0, y0, x1, y1]| is_clear(*x0, *y0, *x1, *y1));
        design
    }

    /// The same card before number, dates and holder were put on it.
    pub(crate) fn bare(self) -> Self {
        Self { is_bare: true, ..self }
    }

    /// The front of a card with a number.
    pub(crate) fn draw(random: &mut Random, fonts: &Fonts) -> Self {
        let portrait = random.chance(0.05);
        let busy = if random.chance(0.3) { 0.0 } else { random.range(0.1, 1.0) };
        let art = Art::card(random, busy);
        let (width, height) = if portrait { (SHORT_MM, LONG_MM) } else { (LONG_MM, SHORT_MM) };
        let content = Content::draw(random);
        let embossed = !portrait && random.chance(0.62);
        let places = content.number.chars().count() as f32;
        let line_y = height
            * if portrait { random.range(0.5, 0.75) } else { (0.60 + random.gauss(0.025)).clamp(0.5, 0.68) };
        let (print, number) = if embossed {
            let size = random.range(3.7, 4.5);
            // 7.24 characters an inch (ISO/IEC 7811-1), closer only where the number would not fit.
            let pitch = (3.63 * random.range(0.97, 1.03)).min((width - 9.0) / places);
            let x = random.range(4.5, (width - 4.0 - places * pitch).clamp(5.0, 13.0));
            (Print::Embossed(Box::new(Emboss::draw(random))), [x, line_y - size / 2.0, size, pitch])
        } else {
            let size = if portrait { random.range(2.2, 3.4) } else { random.range(2.8, 5.2) };
            let x = random.range(4.0, 12.0) * width / LONG_MM;
            let most = (width - x - random.range(2.0, 12.0)).min(width * 0.88);
            (
                Print::Flat(Box::new(Ink::draw(random, &fonts.numbers, art.brightness()))),
                [x, line_y - size / 2.0, size, most],
            )
        };
        let date_x =
            if random.chance(0.75) { random.range(0.33, 0.58) } else { random.range(0.08, 0.3) } * width;
        let date_size = random.range(2.2, 3.2);
        let date_y = number[1] + number[2] + random.range(2.2, 6.5);
        let date_print = match &print {
            Print::Embossed(emboss) if random.chance(0.85) => {
                Print::Embossed(Box::new(emboss.for_dates(random)))
            }
            // In the number's own print, or in another.
            Print::Flat(ink) if random.chance(0.6) => Print::Flat(ink.clone()),
            _ => Print::Flat(Box::new(Ink::draw(random, &fonts.numbers, art.brightness()))),
        };
        let metal = *random.pick(&[[0.83, 0.68, 0.32], [0.8, 0.78, 0.72], [0.9, 0.75, 0.45]]);
        let chip =
            random.chance(0.6).then(|| (random.range(7.0, 13.0), line_y - random.range(15.5, 18.5), metal));
        let mark = random.chance(0.85).then(|| {
            let top =
                if random.chance(0.8) { height - random.range(15.0, 19.0) } else { random.range(2.0, 6.0) };
            (width - random.range(19.0, 24.0), top, random.int(0, 4))
        });
        let hologram = random.chance(0.18).then(|| {
            let x = width - random.range(18.0, 26.0);
            [
                x,
                line_y - random.range(3.0, 12.0),
                x + random.range(12.0, 20.0),
                line_y + random.range(1.0, 8.0),
            ]
        });
        let ink = if random.chance(if art.brightness() > 0.4 { 0.9 } else { 0.1 }) {
            random.range(0.0, 0.3)
        } else {
            random.range(0.7, 1.0)
        };
        let repeated_bin = embossed && random.chance(0.45);
        let seed = random.seed() as u32;
        // A generator of its own: cards with and without names are alike but for these.
        let mut random = Random::new(u64::from(!seed));
        // Under the date, where nothing else is.
        let content = Content { holder: content.holder.filter(|_| content.other_date.is_none()), ..content };
        let capital = if embossed { random.range(2.2, 3.0) } else { random.range(1.8, 3.2) };
        let x = if random.chance(0.8) { number[0] + random.gauss(0.6) } else { random.range(4.0, 15.0) };
        let y = (date_y + date_size + random.range(1.0, 4.0)).min(height - capital - 1.5);
        let characters = content.holder.as_ref().map_or(0, |name| name.chars().count()) as f32;
        let (holder_print, spread) = match &print {
            // 10 characters an inch (ISO/IEC 7811-1), closer only where the name would not fit.
            Print::Embossed(emboss) if random.chance(0.85) => {
                let pitch = (2.54 * random.range(0.85, 1.05)).min((width - x - 3.0) / characters.max(1.0));
                (Print::Embossed(Box::new(emboss.for_dates(&mut random))), pitch)
            }
            Print::Flat(ink) if random.chance(0.6) => (Print::Flat(ink.clone()), width - x - 3.0),
            _ => {
                let ink = Ink::draw(&mut random, &fonts.numbers, art.brightness());
                (Print::Flat(Box::new(ink)), width - x - 3.0)
            }
        };
        let holder = [x, y, capital, spread];
        Self {
            width,
            height,
            content,
            art,
            print,
            number,
            rows: None,
            date: [date_x, date_y, date_size],
            date_print,
            holder,
            holder_print,
            chip,
            mark,
            hologram,
            ink: [ink; 3],
            repeated_bin,
            is_back: false,
            has_number: true,
            is_bare: false,
            seed,
        }
    }

    /// Whether the number is embossed; otherwise it is printed flat.
    pub(crate) fn is_embossed(&self) -> bool {
        matches!(self.print, Print::Embossed(_))
    }

    /// The number's place before it is drawn: left, top, right, bottom in mm, a little loose.
    pub(crate) fn number_window(&self) -> [f32; 4] {
        [0.0, self.number[1] - 3.2, self.width, self.number[1] + self.number[2] + 3.2]
    }

    pub(crate) fn date_window(&self) -> Option<[f32; 4]> {
        let size = self.date[2];
        self.content
            .expiry
            .as_ref()
            .map(|_| [0.0, self.date[1] - 1.2 * size, self.width, self.date[1] + 2.2 * size])
    }

    pub(crate) fn holder_window(&self) -> Option<[f32; 4]> {
        let [_, y, size, _] = self.holder;
        self.content.holder.as_ref().map(|_| [0.0, y - 1.2 * size, self.width, y + 2.2 * size])
    }

    /// Draws a window of the card and tells the text lines in it that a reader should find.
    pub(crate) fn paint(&self, fonts: &Fonts, window: [f32; 4], density: f32) -> (Raster, Vec<CardLine>) {
        let mut raster = Raster::new(window[0], window[1], window[2], window[3], density);
        // A generator of its own: the same card comes out for every window and density.
        let mut random = Random::new(u64::from(self.seed));
        self.art.fill(&mut raster);
        self.paint_marks(&mut raster, fonts, &mut random);
        self.paint_captions(&mut raster, fonts, &mut random);
        let bare = self.is_bare.then(|| raster.pixels.clone());
        let mut lines = Vec::new();
        self.paint_dates(&mut raster, fonts, &mut random, &mut lines);
        if let Some(name) = &self.content.holder {
            let mut random = Random::new(u64::from(!self.seed));
            let line = self.holder_print.line(&mut raster, fonts, name, self.holder, &mut random);
            lines.push(card_line(Kind::Holder, line));
        }
        if self.has_number {
            let text = &self.content.number;
            lines.insert(
                0,
                match &self.rows {
                    Some(rows) => {
                        card_line(Kind::Stack, self.paint_rows(&mut raster, fonts, &mut random, rows))
                    }
                    None => {
                        let line = self.print.line(&mut raster, fonts, text, self.number, &mut random);
                        card_line(Kind::Number, line)
                    }
                },
            );
        }
        raster.pixels = bare.unwrap_or(raster.pixels);
        (raster, lines)
    }

    /// The number in rows, and the box of them all.
    fn paint_rows(&self, raster: &mut Raster, fonts: &Fonts, random: &mut Random, rows: &Rows) -> Line {
        let ([x, y, ..], [digit, spread]) = (self.number, rows.digits);
        let mut ink = [f32::MAX, f32::MAX, 0.0, 0.0];
        for (index, text) in self.content.number.split(' ').enumerate() {
            let top = y + index as f32 * rows.pitch;
            let row = self.print.line(raster, fonts, text, [x, top, digit, spread], random).ink;
            ink = [ink[0].min(row[0]), ink[1].min(row[1]), ink[2].max(row[2]), ink[3].max(row[3])];
        }
        if rows.is_framed {
            let [left, _, right, _] = ink;
            let (near, thick) = (0.12 * digit, 0.07 * digit);
            let mut stroke = |place| raster.paint(place, |_, _, c| mix(c, self.ink, 0.9));
            for index in 0..self.content.number.split(' ').count() {
                let top = y + index as f32 * rows.pitch;
                let between = top + (digit + rows.pitch) / 2.0;
                stroke([right + near, top, right + near + thick, between]);
                stroke([left - near, between - thick / 2.0, right + near, between + thick / 2.0]);
                stroke([left - near - thick, between, left - near, top + rows.pitch + digit * 0.8]);
            }
        }
        Line { text: self.content.number.clone(), ink }
    }

    fn paint_marks(&self, raster: &mut Raster, fonts: &Fonts, random: &mut Random) {
        if self.is_back {
            return self.paint_back(raster, fonts, random);
        }
        if let Some((x, y, metal)) = self.chip {
            paint_chip(raster, x, y, metal);
        }
        if let Some([x0, y0, x1, y1]) = self.hologram {
            let seed = self.seed;
            raster.paint([x0, y0, x1, y1], |x, y, c| {
                let shine = noise(seed, x * 1.1, y * 1.1) * 0.6 + noise(seed ^ 3, x * 3.7, y * 3.7) * 0.4;
                mix(c, [shine * 1.2, 0.3 + shine * 0.7, 1.1 - shine * 0.8], 0.85)
            });
        }
        if let Some((x, y, kind)) = self.mark {
            paint_mark(raster, fonts, x, y, kind);
        }
        let (font, size) = (&fonts.chinese[random.int(0, fonts.chinese.len())], random.range(3.0, 4.8));
        let x = random.range(4.0, 14.0);
        let colour = if random.chance(0.3) { random.colour(0.1, 0.9) } else { self.ink };
        raster.paint([x - 1.5, 4.0, x + 4.5, 10.0], |px, py, c| {
            let r = (px - x - 1.5).hypot(py - 7.0);
            mix(c, colour, if r < 2.8 && (r > 2.0 || (px - x - 1.5).abs() < 0.5) { 0.9 } else { 0.0 })
        });
        caption(raster, font, self.content.bank, [x + 5.5, 8.5, size], colour, 0.95);
        caption(raster, &fonts.captions[1], self.content.bank_latin, [x + 5.5, 11.0, 1.5], colour, 0.9);
        let product_x = random.range(0.3, 0.7) * self.width;
        caption(
            raster,
            font,
            self.content.product,
            [product_x, random.range(14.0, 24.0), random.range(2.0, 5.0)],
            self.ink,
            0.8,
        );
    }

    /// Stripe and panel as ISO/IEC 7811-2 and 7813 place them, about.
    fn paint_back(&self, raster: &mut Raster, fonts: &Fonts, random: &mut Random) {
        let stripe = random.range(3.0, 6.0);
        raster.paint([0.0, stripe, self.width, stripe + 12.7], |_, _, c| mix(c, [0.06; 3], 0.96));
        let panel = stripe + random.range(14.0, 17.0);
        raster.paint([4.0, panel, random.range(50.0, 62.0), panel + 8.0], |x, y, _| {
            if (x + y).rem_euclid(3.0) < 0.3 { [0.75; 3] } else { [0.93; 3] }
        });
        let code = format!("{} {}", random.digits(4), random.digits(3));
        caption(raster, &fonts.captions[0], &code, [40.0, panel + 5.5, 2.4], [0.15; 3], 0.9);
    }

    fn paint_captions(&self, raster: &mut Raster, fonts: &Fonts, random: &mut Random) {
        let [number_x, number_y, number_size, _] = self.number;
        if self.repeated_bin {
            let bin: String = self.content.number.chars().take(4).collect();
            let y = number_y + number_size + random.range(1.4, 3.0);
            caption(
                raster,
                &fonts.captions[random.int(0, 2)],
                &bin,
                [number_x + random.range(0.0, 1.5), y, random.range(1.2, 1.8)],
                self.ink,
                0.9,
            );
        }
        for trap in &self.content.traps {
            let font = if trap.is_ascii() { &fonts.captions[random.int(0, 4)] } else { &fonts.chinese[0] };
            let below = random.chance(0.75);
            let y = if below {
                random.range(number_y + number_size + 6.0, self.height - 1.5)
            } else {
                random.range(14.0, number_y - 3.0)
            };
            let (place, alpha) =
                ([random.range(4.0, self.width * 0.7), y, random.range(1.3, 3.0)], random.range(0.6, 1.0));
            let on_name = self.holder_window().is_some_and(|[_, top, _, bottom]| (top..bottom).contains(&y));
            if !on_name {
                caption(raster, font, trap, place, self.ink, alpha);
            }
        }
        if random.chance(0.05) {
            // A web site's watermark straight over the number.
            let place = [random.range(5.0, 40.0), number_y + random.range(0.0, 5.0), random.range(2.0, 6.0)];
            caption(
                raster,
                &fonts.captions[1],
                "www.picture.example",
                place,
                [0.9; 3],
                random.range(0.15, 0.5),
            );
        }
    }

    fn paint_dates(
        &self,
        raster: &mut Raster,
        fonts: &Fonts,
        random: &mut Random,
        lines: &mut Vec<CardLine>,
    ) {
        let [x, y, size] = self.date;
        let below = y + size + random.range(2.0, 4.0);
        let from_place = if random.chance(0.6) {
            (x - size * random.range(4.6, 9.0), y) // beside the expiry
        } else {
            (x + random.gauss(1.0), y + size * random.range(1.3, 1.8))
        };
        let dates = [
            (Kind::Date, &self.content.expiry, (x, y)),
            (Kind::Date, &self.content.valid_from, from_place),
            (Kind::OtherDate, &self.content.other_date, (self.number[0], below)),
        ];
        for (kind, date, (x, y)) in dates {
            let Some(date) = date else { continue };
            self.paint_date_captions(raster, fonts, random, date, [x, y, size]);
            lines.push(card_line(kind, self.date_line(raster, fonts, random, &date.text, [x, y, size])));
        }
        if let Some(branch) =
            self.content.branch.as_ref().filter(|_| matches!(self.date_print, Print::Flat(_)))
        {
            // Its width is only known once it is printed: what runs into the date is what careless printers do, too.
            let place = [x - size * random.range(5.0, 9.0), y, size];
            if place[0] > 2.0 {
                self.date_line(raster, fonts, random, branch, place);
            }
        }
    }

    /// Prints a text in the manner of the date; `size` is the height of its digits, mm.
    fn date_line(
        &self,
        raster: &mut Raster,
        fonts: &Fonts,
        random: &mut Random,
        text: &str,
        [x, y, size]: [f32; 3],
    ) -> Line {
        let spread = match &self.date_print {
            Print::Embossed(_) => size * random.range(0.7, 1.0),
            Print::Flat(_) => 30.0,
        };
        self.date_print.line(raster, fonts, text, [x, y, size, spread], random)
    }

    fn paint_date_captions(
        &self,
        raster: &mut Raster,
        fonts: &Fonts,
        random: &mut Random,
        date: &Date,
        [x, y, size]: [f32; 3],
    ) {
        let font = |text: &str| if text.is_ascii() { &fonts.captions[0] } else { &fonts.chinese[0] };
        let height = random.range(0.8, 1.6);
        let gap = random.range(0.5, 2.0);
        let words: Vec<&str> = match date.left.split_once(' ') {
            Some((first, second)) if random.chance(0.7) => vec![first, second],
            _ => vec![date.left],
        };
        let width =
            |word: &str| word.chars().count() as f32 * height * if word.is_ascii() { 0.95 } else { 1.45 };
        let widest = words.iter().map(|word| width(word)).fold(0.0, f32::max);
        let first_y = y + size / 2.0 + height * if words.len() == 2 { -0.1 } else { 0.5 };
        for (row, word) in words.iter().enumerate() {
            let place = [x - widest - gap, first_y + row as f32 * height * 1.3, height];
            caption(raster, font(word), word, place, self.ink, 0.9);
        }
        let above = [x + random.range(-1.0, 1.5), y - random.range(0.4, 1.0), height];
        caption(raster, font(date.above), date.above, above, self.ink, 0.9);
    }

    /// Opacity of the card at a point: 0 beyond its rounded corners (radius 3.18 mm, ISO/IEC 7810).
    pub(crate) fn covers(&self, x: f32, y: f32) -> bool {
        let radius = 3.18;
        let dx = (radius - x).max(x - (self.width - radius)).max(0.0);
        let dy = (radius - y).max(y - (self.height - radius)).max(0.0);
        dx * dx + dy * dy < radius * radius
    }
}

fn card_line(kind: Kind, line: Line) -> CardLine {
    let [x0, y0, x1, y1] = line.ink;
    let quad = Quad([Point::new(x0, y0), Point::new(x1, y0), Point::new(x1, y1), Point::new(x0, y1)]);
    CardLine { kind, text: line.text, quad }
}

fn paint_chip(raster: &mut Raster, x: f32, y: f32, metal: Colour) {
    let (width, height) = (11.8, 9.0);
    raster.paint([x, y, x + width, y + height], |px, py, c| {
        let (u, v) = (px - x, py - y);
        let corner = (1.5 - u).max(u - width + 1.5).max(0.0).hypot((1.5 - v).max(v - height + 1.5).max(0.0));
        if corner > 1.5 {
            return c;
        }
        let contact = (u - width / 2.0).abs() > 2.5 && ((v % 3.0) < 0.25)
            || ((u - width / 2.0).abs() - 2.5).abs() < 0.15;
        let shine = 0.85 + 0.25 * ((u + v) * 0.3).sin();
        if contact { [0.35, 0.3, 0.2] } else { [metal[0] * shine, metal[1] * shine, metal[2] * shine] }
    });
}

/// The sign of a scheme: three slanted colours, two discs, a word, or a framed word.
fn paint_mark(raster: &mut Raster, fonts: &Fonts, x: f32, y: f32, kind: usize) {
    let (width, height) = (17.0, 11.5);
    match kind {
        0 | 1 => {
            raster.paint([x, y, x + width, y + height], |px, py, c| {
                let slant = px - x + (py - y) * 0.25;
                let (u, v) = (px - x, py - y);
                if kind == 1 && !(0.5..width - 0.5).contains(&u) || !(0.4..height - 0.4).contains(&v) {
                    return [0.95; 3];
                }
                match slant {
                    s if s < 6.5 => mix(c, [0.85, 0.1, 0.15], 0.97),
                    s if s < 12.5 => mix(c, [0.05, 0.25, 0.5], 0.97),
                    _ => mix(c, [0.0, 0.45, 0.5], 0.97),
                }
            });
            caption(raster, &fonts.captions[1], "UnionPay", [x + 2.0, y + 5.0, 2.4], [1.0; 3], 1.0);
            caption(raster, &fonts.chinese[0], "银联", [x + 5.0, y + 10.0, 3.4], [1.0; 3], 1.0);
        }
        2 => raster.paint([x, y, x + width, y + height], |px, py, c| {
            let disc = |cx: f32| smooth(5.4, 5.2, (px - x - cx).hypot(py - y - 5.5));
            mix(mix(c, [0.85, 0.1, 0.1], disc(5.5)), [0.95, 0.6, 0.1], disc(11.5) * 0.9)
        }),
        _ => {
            caption(raster, &fonts.captions[1], "VISA", [x + 1.0, y + 8.0, 5.5], [0.95; 3], 1.0);
        }
    }
}
