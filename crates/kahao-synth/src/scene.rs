//! The camera: cards on a table, tilted, turned, cropped, lit and blurred; or one straight strip as a locator would cut it.

use std::ops::Range;

use image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use image::{DynamicImage, ExtendedColorType};
use kahao_reader::geometry::{Homography, Point, Quad};
use kahao_reader::strip_frame;

use crate::art::Art;
use crate::content::DATE_CHANCE;
use crate::decoy::Decoy;
use crate::design::{CardLine, Design};
use crate::glyphs::Fonts;
use crate::label::{Kind, SceneCard, SceneLine};
use crate::raster::{Colour, Random, Raster, mix, noise, scale, smooth};

/// A drawn picture with the text lines to be found in it.
pub(crate) struct Scene {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<Colour>,
    pub(crate) lines: Vec<SceneLine>,
    pub(crate) cards: Vec<SceneCard>,
}

/// Grey by ITU-R BT.601, as decoders do it.
fn grey(c: Colour) -> f32 {
    255.0 * (0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2])
}

/// Share of strips that show a date: it is a fifth of a number's length, and more often over other things.
const DATED: f32 = 0.4;
/// Share of cards of which a strip for what reads dates alone is to show a piece of the name, as a locator may take one for a
/// date: of the strips it is a twentieth, for fewer cards have a name than a date.
const NO_DATE: f32 = 0.1;

/// Size of a strip, px.
#[derive(Clone, Copy)]
pub(crate) struct StripSize {
    /// Of the whole frame of a line.
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// How much of the width is drawn: a short line's strip ends soon after it.
    pub(crate) shown: usize,
}

/// What of a card a strip shows.
struct Subject {
    kind: Kind,
    /// What is painted, mm on the card, and px/mm.
    window: [f32; 4],
    density: f32,
    /// The part of the line, in its lengths.
    part: Range<f32>,
}

const WHOLE: Range<f32> = 0.0..1.0;

/// A grey strip of one line (a number or a date) as the reader would cut it with a locator's error, and its text.
pub(crate) fn strip(random: &mut Random, fonts: &Fonts, size: StripSize) -> (Vec<u8>, String) {
    let design = Design::draw(random, fonts);
    let dated = design.date_window().filter(|_| random.chance(DATED / DATE_CHANCE));
    // From a small card in a phone frame to a close-up: a number's strip has about 7 px/mm, a date's 10.
    let (kind, window, density) = match dated {
        Some(window) => (Kind::Date, window, random.range(3.5, 12.0)),
        None => (Kind::Number, design.number_window(), random.range(3.3, 9.0)),
    };
    strip_of(&design, &Subject { kind, window, density, part: WHOLE }, size, random, fonts)
}

/// The same of a date, or of a piece of a name, and the dates in it: what else the strip shows is no part of the text.
pub(crate) fn date_strip(random: &mut Random, fonts: &Fonts, size: StripSize) -> (Vec<u8>, String) {
    loop {
        let design = Design::draw(random, fonts);
        let density = random.range(3.5, 12.0);
        let (kind, window, part) = if random.chance(NO_DATE) {
            let start = random.range(0.0, 0.8);
            (Kind::Holder, design.holder_window(), start..start + random.range(0.15, 0.35))
        } else {
            (Kind::Date, design.date_window(), WHOLE)
        };
        let Some(window) = window else { continue };
        let subject = Subject { kind, window, density, part };
        let (pixels, text) = strip_of(&design, &subject, size, random, fonts);
        // The reader shows the whole of a line.
        if subject.kind == Kind::Date && text.is_empty() {
            continue;
        }
        return (pixels, text);
    }
}

/// The same of a holder's name.
pub(crate) fn holder_strip(random: &mut Random, fonts: &Fonts, size: StripSize) -> (Vec<u8>, String) {
    loop {
        let design = Design::draw(random, fonts);
        let Some(window) = design.holder_window() else { continue };
        let subject = Subject { kind: Kind::Holder, window, density: random.range(3.5, 12.0), part: WHOLE };
        return strip_of(&design, &subject, size, random, fonts);
    }
}

/// The strip of a card's line, and its text, which for a date or a piece of a name is the dates in it; black when the window does
/// not show it.
fn strip_of(
    design: &Design,
    subject: &Subject,
    StripSize { width, height, shown }: StripSize,
    random: &mut Random,
    fonts: &Fonts,
) -> (Vec<u8>, String) {
    let Subject { kind, window, density, part } = subject;
    let (raster, lines) = design.paint(fonts, *window, *density);
    let nothing = || (vec![0; shown * height], String::new());
    let Some(line) = lines.iter().find(|line| line.kind == *kind) else { return nothing() };
    let along = match kind {
        Kind::Number => 1.0,
        Kind::Holder => 0.7,
        _ => 1.5,
    };
    let quad = locator_error(&line.quad.part(part.clone(), 0.0..1.0), along, random);
    let strip = Quad::rect(0.0, 0.0, width as f32, height as f32);
    let maps = Homography::from_quads(&strip, &strip_frame(&quad)).and_then(|map| Some((map, map.invert()?)));
    let Some((to_card, to_strip)) = maps else { return nothing() };
    let text = if *kind == Kind::Date || *part != WHOLE {
        dates_in(&lines, &to_strip, shown as f32, height as f32)
    } else {
        line.text.clone()
    };
    let pixels: Vec<Colour> = (0..shown * height)
        .map(|i| {
            let (x, y) = ((i % shown) as f32, (i / shown) as f32);
            let mut sum = [0.0; 3];
            for (dx, dy) in [(0.3, 0.3), (0.7, 0.7)] {
                let p = to_card.apply(Point::new(x + dx, y + dy));
                let c = raster.sample(p.x, p.y);
                sum = [sum[0] + c[0] / 2.0, sum[1] + c[1] / 2.0, sum[2] + c[2] / 2.0];
            }
            sum
        })
        .collect();
    let mut scene = Scene { width: shown, height, pixels, lines: Vec::new(), cards: Vec::new() };
    scene.light(random);
    (scene.expose_grey(random), text)
}

/// The dates that a strip shows whole, from left to right: beside an expiry may stand VALID FROM.
fn dates_in(lines: &[CardLine], to_strip: &Homography, width: f32, height: f32) -> String {
    let mut shown: Vec<(f32, &str)> = lines
        .iter()
        .filter(|line| matches!(line.kind, Kind::Date | Kind::OtherDate))
        .filter_map(|line| {
            let (low, high) = line.quad.transform(to_strip).bounding_box();
            let middle = (low.y + high.y) / 2.0 / height;
            let whole = low.x > -3.0 && high.x < width + 3.0 && (0.2..0.8).contains(&middle);
            whole.then_some((low.x, line.text.as_str()))
        })
        .collect();
    shown.sort_by(|a, b| a.0.total_cmp(&b.0));
    shown.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(" ")
}

/// Moves the corners of a tight quad as a locator might: half a digit along the line, a sixth of its height across,
/// and leaning as under a tilted camera. `along` scales the error at the ends.
fn locator_error(quad: &Quad, along: f32, random: &mut Random) -> Quad {
    let h = quad.height();
    let (top, bottom) = (random.gauss(0.14) * h, random.gauss(0.14) * h);
    let (left, right) = (random.gauss(0.25) * along * h, random.gauss(0.25) * along * h);
    let (skew, lean) = (random.gauss(0.10) * h, random.gauss(0.12) * h);
    let mut corner = |p: Point, dx: f32, dy: f32| {
        Point::new(p.x + dx + random.gauss(0.05) * h, p.y + dy + random.gauss(0.04) * h)
    };
    let [a, b, c, d] = quad.0;
    Quad([
        corner(a, left + lean, top - skew),
        corner(b, right + lean, top + skew),
        corner(c, right - lean, bottom + skew),
        corner(d, left - lean, bottom - skew),
    ])
}

/// A grey square of `size` px about a number as the reader looks for the holder's name there, and the names in it.
pub(crate) fn holder_look(random: &mut Random, fonts: &Fonts, size: usize) -> (Vec<u8>, Vec<SceneLine>) {
    loop {
        let design = Design::draw_any(random, fonts);
        let (width, height) = (design.width, design.height);
        let (raster, lines) = design.paint(fonts, [0.0, 0.0, width, height], random.range(2.2, 6.0));
        let Some(number) = lines.iter().find(|line| line.kind == Kind::Number) else { continue };
        // The look is as upright as the number; of the camera only its tilt is left.
        let tilted = Quad([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)].map(|(u, v)| {
            let depth = 1.0 + random.gauss(0.06);
            Point::new(u * width * depth, v * height * depth)
        }));
        let on_card = Quad::rect(0.0, 0.0, width, height);
        let square = Quad::rect(0.0, 0.0, size as f32, size as f32);
        let maps = Homography::from_quads(&on_card, &tilted).and_then(|to_photo| {
            let seen = locator_error(&number.quad.transform(&to_photo), 1.0, random);
            let to_look = Homography::from_quads(&kahao_reader::holder_look(&seen), &square)?;
            Some((to_photo, to_look, to_photo.invert()?, to_look.invert()?))
        });
        let Some((to_photo, to_look, to_card, to_tilted)) = maps else { continue };
        let (ground, strength) = (random.colour(0.0, 1.0), random.range(0.0, 0.5));
        let seed = random.seed() as u32;
        // Some pictures end at the card, and the reader repeats their border.
        let beyond = if random.chance(0.3) { random.range(-1.0, 3.0) } else { 100.0 };
        let pixels = (0..size * size).map(|i| {
            let p = to_tilted.apply(Point::new((i % size) as f32 + 0.5, (i / size) as f32 + 0.5));
            let p = to_card.apply(p);
            let (x, y) = (p.x.clamp(-beyond, width + beyond), p.y.clamp(-beyond, height + beyond));
            if design.covers(x, y) {
                raster.sample(x, y)
            } else {
                scale(ground, 1.0 - strength * noise(seed, x / 3.0, y / 3.0))
            }
        });
        let pixels = pixels.collect();
        let within = |quad: &Quad| {
            let (low, high) = quad.bounding_box();
            low.x > 0.0 && low.y > 0.0 && high.x < size as f32 && high.y < size as f32
        };
        let names = lines.into_iter().filter(|line| line.kind == Kind::Holder).map(|line| {
            let quad = line.quad.transform(&to_photo).transform(&to_look);
            SceneLine { kind: line.kind, text: line.text, quad, card: 0 }
        });
        let names = names.filter(|line| within(&line.quad)).collect();
        let mut look = Scene { width: size, height: size, pixels, lines: names, cards: Vec::new() };
        look.light(random);
        return (look.expose_grey(random), look.lines);
    }
}

/// Grey squares of `size` px about the numbers of a scene as the reader looks for their cards there, each with its card.
pub(crate) fn card_looks(random: &mut Random, fonts: &Fonts, size: usize) -> Vec<(Vec<u8>, SceneLine)> {
    let side = random.int(240, 640);
    let scene = scene(random, fonts, side);
    let grey = scene.expose_grey(random);
    let square = Quad::rect(0.0, 0.0, size as f32, size as f32);
    let numbers: Vec<&SceneLine> = scene.lines.iter().filter(|line| line.kind == Kind::Number).collect();
    // Two looks of each scene, for drawing it takes most of the time.
    let looks = numbers.iter().chain(&numbers).filter_map(|number| {
        let look = kahao_reader::card_look(&locator_error(&number.quad, 1.0, random));
        let to_scene = Homography::from_quads(&square, &look)?;
        let card = scene.cards[number.card].quad;
        // Many pictures end where the card does, and the reader repeats their border.
        let (whole, on_card) = ((Point::new(0.0, 0.0), Point::new(f32::MAX, f32::MAX)), card.bounding_box());
        let (low, high) = if random.chance(0.3) { on_card } else { whole };
        let pixel = |i: usize| {
            let sample = |(dx, dy): (f32, f32)| {
                let p = to_scene.apply(Point::new((i % size) as f32 + dx, (i / size) as f32 + dy));
                scene.between(&grey, Point::new(p.x.clamp(low.x, high.x), p.y.clamp(low.y, high.y)))
            };
            ([(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)].map(sample).iter().sum::<f32>() / 4.0)
                as u8
        };
        let quad = as_upright_as(&card, &number.quad).transform(&to_scene.invert()?);
        let label = SceneLine { kind: Kind::Card, text: String::new(), quad, card: number.card };
        Some(((0..size * size).map(pixel).collect(), label))
    });
    looks.collect()
}

/// A card's corners from that which is its top-left when its number is upright.
pub(crate) fn as_upright_as(card: &Quad, number: &Quad) -> Quad {
    let [start, end, ..] = number.0;
    let along = |from: Point, to: Point| {
        let (dx, dy) = (to.x - from.x, to.y - from.y);
        (dx * (end.x - start.x) + dy * (end.y - start.y)) / dx.hypot(dy).max(1e-3)
    };
    let turned = |first: usize| Quad([0, 1, 2, 3].map(|corner| card.0[(first + corner) % 4]));
    (0..4).map(turned).max_by(|a, b| along(a.0[0], a.0[1]).total_cmp(&along(b.0[0], b.0[1]))).unwrap_or(*card)
}

/// Share of pictures without a bank card.
const DECOYS: f32 = 0.09;

/// A whole picture whose longer side has `side` px.
pub(crate) fn scene(random: &mut Random, fonts: &Fonts, side: usize) -> Scene {
    scene_of(random, fonts, side, Design::draw_any)
}

/// The picture that [`scene`] draws with the same random numbers, its cards still without number, dates and holder.
pub(crate) fn bare_scene(random: &mut Random, fonts: &Fonts, side: usize) -> Scene {
    scene_of(random, fonts, side, |random, fonts| Design::draw_any(random, fonts).bare())
}

/// The same of cards with their numbers in rows.
pub(crate) fn stacked_scene(random: &mut Random, fonts: &Fonts, side: usize) -> Scene {
    scene_of(random, fonts, side, Design::draw_stacked)
}

/// The picture that [`stacked_scene`] draws with the same random numbers, as [`bare_scene`].
pub(crate) fn bare_stacked_scene(random: &mut Random, fonts: &Fonts, side: usize) -> Scene {
    scene_of(random, fonts, side, |random, fonts| Design::draw_stacked(random, fonts).bare())
}

fn scene_of(
    random: &mut Random,
    fonts: &Fonts,
    side: usize,
    draw: fn(&mut Random, &Fonts) -> Design,
) -> Scene {
    if random.chance(DECOYS) {
        return decoy(random, fonts, side);
    }
    let mut scene = ground(random, side);
    let count = if random.chance(0.08) { random.int(2, 5) } else { 1 };
    let turn = camera_turn(random);
    for index in 0..count {
        let card = Item::Card(Box::new(draw(random, fonts)));
        scene.lay(random, fonts, turn, (index, count), &card);
    }
    if random.chance(0.15) {
        scene.put_finger(random);
    }
    scene.light(random);
    scene
}

/// A table top, nothing on it, no light yet.
fn ground(random: &mut Random, side: usize) -> Scene {
    let aspect = *random.pick(&[0.6, 0.64, 0.64, 0.7, 0.75, 1.0, 1.33, 1.77]);
    let (width, height) = if aspect < 1.0 {
        (side, (side as f32 * aspect) as usize)
    } else {
        ((side as f32 / aspect) as usize, side)
    };
    let mut ground = Raster::new(0.0, 0.0, 110.0, 110.0 * height as f32 / width as f32, width as f32 / 110.0);
    Art::table(random).fill(&mut ground);
    let mut pixels = vec![[0.0; 3]; width * height];
    for (i, pixel) in pixels.iter_mut().enumerate() {
        *pixel = ground.pixels
            [(i / width).min(ground.height - 1) * ground.width + (i % width).min(ground.width - 1)];
    }
    Scene { width, height, pixels, lines: Vec::new(), cards: Vec::new() }
}

/// A picture without a bank card, as [`scene`].
pub(crate) fn decoy(random: &mut Random, fonts: &Fonts, side: usize) -> Scene {
    let mut scene = ground(random, side);
    let (turn, thing) = (camera_turn(random), Item::Decoy(Decoy::draw(random)));
    scene.lay(random, fonts, turn, (0, 1), &thing);
    scene.light(random);
    scene
}

/// What lies before the camera.
enum Item {
    Card(Box<Design>),
    Decoy(Decoy),
}

impl Item {
    /// Width and height in mm.
    fn size(&self) -> (f32, f32) {
        match self {
            Item::Card(design) => (design.width, design.height),
            Item::Decoy(decoy) => (decoy.width, decoy.height),
        }
    }

    fn covers(&self, x: f32, y: f32) -> bool {
        match self {
            Item::Card(design) => design.covers(x, y),
            Item::Decoy(decoy) => decoy.covers(x, y),
        }
    }

    fn paint(&self, fonts: &Fonts, density: f32) -> (Raster, Vec<CardLine>) {
        match self {
            Item::Card(design) => design.paint(fonts, [0.0, 0.0, design.width, design.height], density),
            Item::Decoy(decoy) => (decoy.paint(fonts, density), Vec::new()),
        }
    }
}

/// Where nothing may lie over a line, down its quad.
fn heights_of(kind: Kind) -> &'static [f32] {
    if kind == Kind::Stack { &[0.05, 0.35, 0.65, 0.95] } else { &[0.5] }
}

/// Turn of the camera against the card in radians: mostly upright, often a quarter, often held askew, sometimes anything.
fn camera_turn(random: &mut Random) -> f32 {
    let quarter = std::f32::consts::FRAC_PI_2;
    match random.weighted(&[0.45, 0.23, 0.17, 0.15]) {
        0 => random.gauss(0.06),
        1 => quarter * random.int(1, 4) as f32 + random.gauss(0.08),
        2 => random.gauss(0.4),
        _ => random.range(0.0, std::f32::consts::TAU),
    }
}

impl Scene {
    /// Puts an item before the camera; it is the `index`th of `count`.
    fn lay(
        &mut self,
        random: &mut Random,
        fonts: &Fonts,
        turn: f32,
        (index, count): (usize, usize),
        item: &Item,
    ) {
        let (width_mm, height_mm) = item.size();
        let (w, h) = (self.width as f32, self.height as f32);
        let (sin, cos) = turn.sin_cos();
        // Card size so that it about fills the picture, sometimes far smaller, sometimes cropped.
        let span_x = (width_mm * cos.abs() + height_mm * sin.abs()) / w;
        let span_y = (width_mm * sin.abs() + height_mm * cos.abs()) / h;
        // Now and then so close that only a part shows: so the reader looks for a date.
        let close = count == 1 && random.chance(0.12);
        let fill = match random.weighted(&[0.62, 0.23, 0.15]) {
            _ if close => random.range(1.3, 2.1),
            0 => random.range(0.75, 1.0),
            1 => random.range(0.35, 0.75),
            _ => random.range(1.0, 1.22),
        };
        let px_per_mm = fill / span_x.max(span_y) * if count > 1 { 0.62 } else { 1.0 };
        let slack_x = (w - span_x * w * px_per_mm).abs() / 2.0 + 1.0;
        let slack_y = (h - span_y * h * px_per_mm).abs() / 2.0 + 1.0;
        let mut centre =
            Point::new(w / 2.0 + random.gauss(0.5) * slack_x, h / 2.0 + random.gauss(0.5) * slack_y);
        let mut own_turn = turn;
        if count > 1 {
            let along = (index as f32 + 0.5) / count as f32 - 0.5;
            centre = Point::new(w / 2.0 + random.gauss(0.1) * w, h * (0.5 + along * 0.85));
            own_turn += random.gauss(0.12);
        } else if close {
            // The date's place, below the middle, comes to the picture's.
            let (dx, dy) =
                (random.gauss(0.1) * width_mm * px_per_mm, random.range(0.1, 0.35) * height_mm * px_per_mm);
            centre = Point::new(w / 2.0 + dx * cos + dy * sin, h / 2.0 + dx * sin - dy * cos);
        }
        let (sin, cos) = own_turn.sin_cos();
        let tilt = 0.06 * if random.chance(0.2) { 2.5 } else { 1.0 };
        let corner = |u: f32, v: f32, random: &mut Random| {
            let (x, y) = ((u - 0.5) * width_mm * px_per_mm, (v - 0.5) * height_mm * px_per_mm);
            let depth = 1.0 + random.gauss(tilt);
            Point::new(centre.x + (x * cos - y * sin) * depth, centre.y + (x * sin + y * cos) * depth)
        };
        let on_card = Quad::rect(0.0, 0.0, width_mm, height_mm);
        let in_picture =
            Quad([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)].map(|(u, v)| corner(u, v, random)));
        let Some((to_picture, to_card)) =
            Homography::from_quads(&on_card, &in_picture).and_then(|map| Some((map, map.invert()?)))
        else {
            return;
        };
        let density = (px_per_mm * 1.15).clamp(1.0, 14.0);
        let (raster, lines) = item.paint(fonts, density);
        if let Item::Card(design) = item {
            let kinds = lines.iter().map(|line| line.kind).collect();
            self.cards.push(SceneCard { is_embossed: design.is_embossed(), quad: in_picture, lines: kinds });
        }
        let shadow = (random.range(-2.0, 2.0), random.range(-1.0, 3.0), random.range(0.0, 0.5));
        let (low, high) = in_picture.bounding_box();
        let margin = 4.0 * px_per_mm;
        let columns = (low.x - margin).clamp(0.0, w) as usize..(high.x + margin).clamp(0.0, w) as usize;
        for y in (low.y - margin).clamp(0.0, h) as usize..(high.y + margin).clamp(0.0, h) as usize {
            for x in columns.clone() {
                let p = to_card.apply(Point::new(x as f32 + 0.5, y as f32 + 0.5));
                let pixel = &mut self.pixels[y * self.width + x];
                if item.covers(p.x, p.y) {
                    *pixel = raster.sample(p.x, p.y);
                } else if item.covers(p.x - shadow.0, p.y - shadow.1) {
                    *pixel = scale(*pixel, 1.0 - shadow.2);
                }
            }
        }
        // A later card hides the lines under it.
        self.lines.retain(|line| {
            let covered = |p: Point| {
                let c = to_card.apply(p);
                item.covers(c.x, c.y)
            };
            let at = |v: &f32| [0.02, 0.25, 0.5, 0.75, 0.98].iter().any(|u| covered(line.quad.at(*u, *v)));
            !heights_of(line.kind).iter().any(at)
        });
        let seen: Vec<SceneLine> =
            lines.into_iter().filter_map(|line| self.visible(line, &to_picture)).collect();
        self.lines.extend(seen);
    }

    /// The line in the picture's pixels, unless part of it lies outside.
    fn visible(&self, line: CardLine, to_picture: &Homography) -> Option<SceneLine> {
        let quad = line.quad.transform(to_picture);
        let (low, high) = quad.bounding_box();
        let inside = low.x > -2.0
            && low.y > -2.0
            && high.x < self.width as f32 + 2.0
            && high.y < self.height as f32 + 2.0;
        let card = self.cards.len().saturating_sub(1);
        inside.then_some(SceneLine { kind: line.kind, text: line.text, quad, card })
    }

    fn put_finger(&mut self, random: &mut Random) {
        // From the lower or side edge inwards, mostly beside the text.
        let (w, h) = (self.width as f32, self.height as f32);
        let left = random.chance(0.5);
        let (cx, cy) = (
            if left { random.range(-0.1, 0.08) } else { random.range(0.92, 1.1) } * w,
            random.range(0.2, 0.95) * h,
        );
        let (rx, ry) = (random.range(0.05, 0.14) * w, random.range(0.04, 0.1) * h);
        let skin = *random.pick(&[[0.85, 0.65, 0.52], [0.7, 0.5, 0.4], [0.92, 0.75, 0.65]]);
        let finger = |x: f32, y: f32| ((x - cx) / rx).powi(2) + ((y - cy) / ry).powi(2);
        if self.lines.iter().any(|line| {
            heights_of(line.kind).iter().any(|v| {
                (0..=20).any(|i| {
                    let p = line.quad.at(i as f32 / 20.0, *v);
                    finger(p.x, p.y) < 1.5
                })
            })
        }) {
            return;
        }
        for (i, pixel) in self.pixels.iter_mut().enumerate() {
            let d = finger((i % self.width) as f32, (i / self.width) as f32);
            *pixel = mix(*pixel, scale(skin, 1.05 - 0.35 * d), smooth(1.05, 0.95, d));
        }
    }

    /// Uneven light, a flash spot, a shadow's edge.
    fn light(&mut self, random: &mut Random) {
        let (w, h) = (self.width as f32, self.height as f32);
        let exposure = random.range(0.7, 1.25);
        let (fall_x, fall_y) = (random.gauss(0.2), random.gauss(0.15));
        let spot = random.chance(0.22).then(|| {
            (
                random.range(0.0, 1.0) * w,
                random.range(0.0, 1.0) * h,
                random.range(0.06, 0.35) * w,
                random.range(0.15, 0.9),
            )
        });
        let shade = random
            .chance(0.15)
            .then(|| (random.range(0.0, 6.3), random.range(-0.3, 0.3), random.range(0.5, 0.85)));
        let tint = [1.0 + random.gauss(0.06), 1.0, 1.0 + random.gauss(0.08)];
        let haze = if random.chance(0.15) { random.range(0.0, 0.25) } else { 0.0 };
        for (i, pixel) in self.pixels.iter_mut().enumerate() {
            let (x, y) = ((i % self.width) as f32, (i / self.width) as f32);
            let (u, v) = (x / w - 0.5, y / h - 0.5);
            let mut k = exposure * (1.0 + fall_x * u + fall_y * v);
            if let Some((angle, offset, depth)) = shade {
                let (sin, cos) = angle.sin_cos();
                k *= 1.0 - (1.0 - depth) * smooth(-0.02, 0.02, u * cos + v * sin - offset);
            }
            let mut c = [pixel[0] * k * tint[0], pixel[1] * k * tint[1], pixel[2] * k * tint[2]];
            if let Some((sx, sy, radius, power)) = spot {
                let d2 = ((x - sx).powi(2) + (y - sy).powi(2)) / (radius * radius);
                c = mix(c, [1.1; 3], power * (-d2).exp());
            }
            *pixel = mix(c, [0.7; 3], haze);
        }
    }

    /// Camera's blur, sensor noise and JPEG, in grey.
    pub(crate) fn expose_grey(&self, random: &mut Random) -> Vec<u8> {
        let mut plane: Vec<f32> = self.pixels.iter().map(|c| grey(*c)).collect();
        let passes = random.weighted(&[0.6, 0.28, 0.12]);
        for _ in 0..passes {
            let amount = random.range(0.1, 0.33);
            blur(&mut plane, self.width, self.height, amount, amount);
        }
        if random.chance(0.06) {
            let amount = random.range(0.2, 0.33); // a moved hand
            for _ in 0..3 {
                blur(&mut plane, self.width, self.height, amount, 0.0);
            }
        }
        let strength = if random.chance(0.7) { random.range(0.0, 4.0) } else { random.range(4.0, 10.0) };
        let bytes: Vec<u8> =
            plane.iter().map(|v| (v + random.gauss(strength)).clamp(0.0, 255.0) as u8).collect();
        if !random.chance(0.3) {
            return bytes;
        }
        let quality = random.int(25, 90) as u8;
        recompress(&bytes, self.width, self.height, quality).unwrap_or(bytes)
    }

    /// Grey 0 to 255 at a point between the middles of an exposure's pixels; the border repeats outside.
    fn between(&self, grey: &[u8], p: Point) -> f32 {
        let (x, y) = (
            (p.x - 0.5).clamp(0.0, self.width as f32 - 1.001),
            (p.y - 0.5).clamp(0.0, self.height as f32 - 1.001),
        );
        let (column, row) = (x as usize, y as usize);
        let (u, v) = (x - column as f32, y - row as f32);
        let at = |dx: usize, dy: usize| f32::from(grey[(row + dy) * self.width + column + dx]);
        (at(0, 0) * (1.0 - u) + at(1, 0) * u) * (1.0 - v) + (at(0, 1) * (1.0 - u) + at(1, 1) * u) * v
    }

    /// Grey 0 to 255 of the pixel at a point, before noise; the border repeats outside.
    pub(crate) fn grey_at(&self, p: Point) -> f32 {
        let (x, y) = (p.x.max(0.0) as usize, p.y.max(0.0) as usize);
        let [r, g, b] = self.pixels[y.min(self.height - 1) * self.width + x.min(self.width - 1)];
        grey([r, g, b].map(|v| v.clamp(0.0, 1.0)))
    }

    /// The picture in colour, 8 bits a channel, for files and contact sheets.
    pub(crate) fn to_rgb(&self, random: &mut Random) -> Vec<u8> {
        let strength = random.range(0.0, 5.0);
        self.pixels
            .iter()
            .flat_map(|c| c.map(|v| (v * 255.0 + random.gauss(strength)).clamp(0.0, 255.0) as u8))
            .collect()
    }
}

fn recompress(bytes: &[u8], width: usize, height: usize, quality: u8) -> Option<Vec<u8>> {
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, quality)
        .encode(bytes, width as u32, height as u32, ExtendedColorType::L8)
        .ok()?;
    let image = DynamicImage::from_decoder(JpegDecoder::new(std::io::Cursor::new(file)).ok()?).ok()?;
    Some(image.into_luma8().into_raw())
}

/// One pass of the kernel [k, 1 - 2k, k] along each side.
fn blur(plane: &mut [f32], width: usize, height: usize, along: f32, across: f32) {
    for row in plane.chunks_exact_mut(width) {
        let mut before = row[0];
        for x in 0..width {
            let now = row[x];
            let after = row[(x + 1).min(width - 1)];
            row[x] = now * (1.0 - 2.0 * along) + along * (before + after);
            before = now;
        }
    }
    if across == 0.0 {
        return;
    }
    for x in 0..width {
        let mut before = plane[x];
        for y in 0..height {
            let now = plane[y * width + x];
            let after = plane[(y + 1).min(height - 1) * width + x];
            plane[y * width + x] = now * (1.0 - 2.0 * across) + across * (before + after);
            before = now;
        }
    }
}
