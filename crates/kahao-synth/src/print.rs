//! Putting characters on the card: embossed through a height field lit by lamps, or flat in ink.

use ab_glyph::FontVec;

use crate::glyphs::{Embosser, Skeleton, advance, digit_metrics, distance, place};
use crate::raster::{Colour, Random, Raster, mix, noise, smooth};

/// A line of text in place: box of its ink in mm (left, top, right, bottom).
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) ink: [f32; 4],
}

/// How the tips of embossed characters are coloured.
#[derive(Clone, Copy, PartialEq)]
enum Tip {
    /// None: the card's own colour, seen by edges only.
    Body,
    /// Hot-stamped foil that mirrors the room.
    Foil(Colour),
    /// Matt paint or ink.
    Paint(Colour),
}

/// How one machine embossed one card, and the light on it.
#[derive(Clone)]
pub(crate) struct Emboss {
    machine: Embosser,
    tip: Tip,
    /// Half width of the ridge's flat top, its whole half width, and of the tipped part, mm.
    plateau: f32,
    ridge: f32,
    tipped: f32,
    height: f32,
    wear: f32,
    wear_seed: u32,
    light: (f32, f32),
    gloss: f32,
    shadow: f32,
    room: Room,
}

/// What a glossy surface mirrors, by the direction it faces: a sum of a few lamps and dark gaps.
#[derive(Clone)]
struct Room {
    waves: [(f32, f32, f32, f32); 4],
    drift: f32,
    seed: u32,
}

impl Room {
    fn draw(random: &mut Random) -> Self {
        let mut waves = [(0.0, 0.0, 0.0, 0.0); 4];
        for wave in &mut waves {
            *wave = (random.gauss(1.6), random.gauss(1.6), random.range(0.0, 6.3), random.range(0.15, 0.6));
        }
        Self { waves, drift: random.range(0.0, 1.5), seed: random.seed() as u32 }
    }

    /// Brightness about 0 to 1 mirrored by a surface with slope (gx, gy) at (x, y) mm.
    fn mirrored(&self, gx: f32, gy: f32, x: f32, y: f32) -> f32 {
        let shift = self.drift * (noise(self.seed, x / 12.0, y / 12.0) - 0.5) * 6.0;
        let sum: f32 =
            self.waves.iter().map(|(a, b, phase, k)| k * (a * gx + b * gy + phase + shift).sin()).sum();
        0.5 + 0.5 * sum
    }
}

impl Emboss {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let silver = random.range(0.7, 1.0);
        let tip = match random.weighted(&[0.36, 0.34, 0.14, 0.16]) {
            0 => Tip::Body,
            1 => Tip::Foil([silver, silver, silver]),
            2 => Tip::Foil([0.9, 0.75, random.range(0.3, 0.5)]),
            _ => {
                let v = if random.chance(0.4) { random.range(0.0, 0.2) } else { random.range(0.7, 1.0) };
                Tip::Paint([v, v, v * random.range(0.7, 1.0)])
            }
        };
        let ridge = random.range(0.38, 0.75);
        let angle = random.range(0.0, std::f32::consts::TAU);
        let slant = random.range(0.3, 1.0);
        Self {
            machine: Embosser::draw(random),
            tip,
            plateau: ridge * random.range(0.1, 0.5),
            ridge,
            tipped: ridge * random.range(0.35, 0.85),
            height: random.range(0.25, 0.6),
            wear: if random.chance(0.4) { random.range(0.0, 0.7) } else { 0.0 },
            wear_seed: random.seed() as u32,
            light: (angle.cos() * slant, angle.sin() * slant),
            gloss: random.range(0.1, 1.0),
            shadow: random.range(0.0, 0.6),
            room: Room::draw(random),
        }
    }

    /// The same strike and light with the smaller type of dates.
    pub(crate) fn for_dates(&self, random: &mut Random) -> Self {
        Self { machine: Embosser::draw_small(random), ..self.clone() }
    }

    /// Embosses digits, capitals and signs of `height` mm with top-left (x, y), one every `pitch` mm; a space takes one pitch.
    pub(crate) fn line(
        &self,
        raster: &mut Raster,
        text: &str,
        [x, y, height, pitch]: [f32; 4],
        random: &mut Random,
    ) -> Line {
        let mut cursor = x;
        let mut ink = [f32::MAX, y, x, y + height];
        let half = self.ridge * height / 4.0;
        for symbol in text.chars() {
            if symbol != ' ' {
                // The wheel strikes a little high or low, harder or softer.
                let (dx, dy) = (random.gauss(0.05), random.gauss(0.06));
                let depth = (1.0 + random.gauss(0.15)).clamp(0.5, 1.4);
                let skeleton = self.machine.skeleton(symbol, random);
                self.strike(raster, &skeleton, cursor + dx, y + dy, height, depth);
                let right = skeleton.iter().flat_map(|s| [s[0], s[2]]).fold(0.0, f32::max) * height;
                ink[0] = ink[0].min(cursor - half);
                ink[2] = cursor + right + half;
            }
            cursor += pitch;
        }
        ink[1] -= half;
        ink[3] += half;
        Line { text: text.to_string(), ink }
    }

    fn strike(&self, raster: &mut Raster, skeleton: &Skeleton, x0: f32, y0: f32, size: f32, depth: f32) {
        let reach = self.ridge * 1.15 + 0.25;
        let (columns, rows) =
            raster.span(x0 - reach, y0 - reach, x0 + size * 0.75 + reach, y0 + size + reach);
        let (width, height) = (columns.len(), rows.len());
        if width < 3 || height < 3 {
            return;
        }
        let k = size / 4.0; // stroke widths scale with the character: dates and names are struck finer
        let (plateau, ridge, tipped) = (self.plateau * k, self.ridge * k, self.tipped * k);
        let mut field = Vec::with_capacity(width * height);
        for y in rows.clone() {
            for x in columns.clone() {
                let (mx, my) = raster.mm(x, y);
                field.push(distance(skeleton, (mx - x0) / size, (my - y0) / size) * size);
            }
        }
        let profile = |d: f32| self.height * depth * k * (1.0 - smooth(plateau, ridge, d));
        for row in 1..height - 1 {
            for column in 1..width - 1 {
                let at = |dx: isize, dy: isize| {
                    field[(row as isize + dy) as usize * width + (column as isize + dx) as usize]
                };
                let d = at(0, 0);
                if d > reach {
                    continue;
                }
                let step = raster.density / 2.0;
                let gx = (profile(at(1, 0)) - profile(at(-1, 0))) * step;
                let gy = (profile(at(0, 1)) - profile(at(0, -1))) * step;
                let (x, y) = (columns.start + column, rows.start + row);
                let (mx, my) = raster.mm(x, y);
                let body = raster.pixels[y * raster.width + x];

                // Lambert term against the flat card, then the mirrored room for gloss.
                let facing = -(gx * self.light.0 + gy * self.light.1);
                let lit = (1.0 + 0.9 * facing).clamp(0.25, 1.9);
                let slope = gx.hypot(gy);
                let mirrored = self.room.mirrored(gx * 1.6, gy * 1.6, mx, my);
                let flat = self.room.mirrored(0.0, 0.0, mx, my);
                let gleam = self.gloss * (mirrored - flat) * smooth(0.05, 0.5, slope);
                let mut colour =
                    [body[0] * lit + gleam * 0.7, body[1] * lit + gleam * 0.7, body[2] * lit + gleam * 0.7];

                let worn =
                    smooth(0.5 - 0.2, 0.5 + 0.2, noise(self.wear_seed, mx * 1.3, my * 1.3) + self.wear - 0.5);
                let on_tip =
                    (1.0 - smooth(tipped * 0.85, tipped * 1.1 + 0.06, d)) * (1.0 - worn * self.wear.signum());
                match self.tip {
                    Tip::Body => {}
                    Tip::Foil(tint) => {
                        let v = 0.25 + 0.85 * mirrored;
                        colour = mix(colour, [tint[0] * v, tint[1] * v, tint[2] * v], on_tip);
                    }
                    Tip::Paint(tint) => {
                        let v = lit.clamp(0.6, 1.3);
                        colour = mix(colour, [tint[0] * v, tint[1] * v, tint[2] * v], on_tip);
                    }
                }
                // The ridge keeps light from the card beside it.
                let dark = self.shadow
                    * smooth(ridge * 1.15 + 0.25 * k, ridge * 0.8, d)
                    * smooth(0.3, -0.3, facing + 0.15)
                    * (1.0 - on_tip);
                raster.pixels[y * raster.width + x] = mix(colour, [0.0; 3], dark * 0.5);
            }
        }
    }
}

/// Flat print of a number: ink, font and proportions.
#[derive(Clone)]
pub(crate) struct Ink {
    font: usize,
    colour: Colour,
    alpha: f32,
    /// Colour and offset in mm of an outline or drop shadow under the ink.
    shadow: Option<(Colour, f32, f32)>,
    stretch: f32,
    tracking: f32,
    gap: f32,
    uneven: f32,
    worn: f32,
    seed: u32,
}

impl Ink {
    /// Ink for a ground of the given brightness, 0 to 1: printers choose one that can be read, now and then badly.
    pub(crate) fn draw(random: &mut Random, fonts: &[(FontVec, f32)], ground: f32) -> Self {
        let weights: Vec<f32> = fonts.iter().map(|(_, weight)| *weight).collect();
        let dark = random.chance(if ground > 0.4 { 0.93 } else { 0.12 });
        let v = if dark { random.range(0.0, 0.18) } else { random.range(0.8, 1.0) };
        let mut colour = [v; 3];
        if random.chance(0.12) {
            colour = if dark { random.colour(0.0, 0.35) } else { random.colour(0.8, 1.0) };
        }
        Self {
            font: random.weighted(&weights),
            colour,
            alpha: random.range(0.8, 1.0),
            shadow: random
                .chance(0.2)
                .then(|| ([1.0 - v; 3], random.range(-0.25, 0.25), random.range(-0.25, 0.25))),
            stretch: random.range(0.8, 1.15),
            tracking: random.range(-0.02, 0.12),
            gap: random.range(0.45, 1.3),
            uneven: if random.chance(0.3) { random.range(0.0, 0.5) } else { 0.0 },
            worn: if random.chance(0.25) { random.range(0.0, 0.5) } else { 0.0 },
            seed: random.seed() as u32,
        }
    }

    /// Prints a line with digits `height` mm high, ink top-left at (x, y), squeezed to at most `most` mm.
    pub(crate) fn line(
        &self,
        raster: &mut Raster,
        fonts: &[(FontVec, f32)],
        text: &str,
        [x, y, height, most]: [f32; 4],
        random: &mut Random,
    ) -> Line {
        let font = &fonts[self.font].0;
        let (top, bottom, digit) = digit_metrics(font);
        let size = height / (bottom - top); // font size in mm whose digits are `height` high
        let gaps: Vec<f32> =
            text.chars().map(|_| self.gap * (1.0 + self.uneven * random.range(-0.5, 1.0))).collect();
        let advances: Vec<f32> = text
            .chars()
            .zip(&gaps)
            .map(
                |(symbol, gap)| {
                    if symbol == ' ' { digit * gap } else { advance(font, symbol) + digit * self.tracking }
                },
            )
            .collect();
        let natural = advances.iter().sum::<f32>() * size * self.stretch;
        let stretch = self.stretch * (most / natural).min(1.0);
        let mut cursor = x;
        let mut ink = [f32::MAX, y, x, y + height];
        for (symbol, step) in text.chars().zip(&advances) {
            if symbol != ' ' {
                let box_mm = self.glyph(raster, font, symbol, cursor, y - top * size, size, stretch);
                if let Some((left, right)) = box_mm {
                    ink[0] = ink[0].min(left);
                    ink[2] = right;
                }
            }
            cursor += step * size * stretch;
        }
        Line { text: text.to_string(), ink }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a glyph's place is five numbers, and naming them twice helps nobody"
    )]
    fn glyph(
        &self,
        raster: &mut Raster,
        font: &FontVec,
        symbol: char,
        x: f32,
        baseline: f32,
        size: f32,
        stretch: f32,
    ) -> Option<(f32, f32)> {
        let px = |v: f32, origin: f32| (v - origin) * raster.density;
        let placed = place(
            font,
            symbol,
            px(x, raster.left),
            px(baseline, raster.top),
            size * raster.density,
            stretch,
        )?;
        let mut passes = vec![(self.colour, 0.0, 0.0)];
        if let Some(shadow) = self.shadow {
            passes.insert(0, shadow);
        }
        for (colour, dx, dy) in passes {
            let (dx, dy) = ((dx * raster.density) as i32, (dy * raster.density) as i32);
            for (index, coverage) in placed.coverage.iter().enumerate() {
                let column = placed.left_px + (index % placed.width) as i32 + dx;
                let row = placed.top_px + (index / placed.width) as i32 + dy;
                if *coverage > 0.0
                    && (0..raster.width as i32).contains(&column)
                    && (0..raster.height as i32).contains(&row)
                {
                    let (column, row) = (column as usize, row as usize);
                    let (mx, my) = raster.mm(column, row);
                    let kept = 1.0 - self.worn * smooth(0.4, 0.8, noise(self.seed, mx * 2.0, my * 2.0));
                    raster.blend(column, row, colour, coverage.min(1.0) * self.alpha * kept);
                }
            }
        }
        let left = raster.left + placed.left_px as f32 / raster.density;
        Some((left, left + placed.width as f32 / raster.density))
    }
}

/// A caption: plain text in one colour, capitals `height` mm high, baseline at `y`. Returns its width in mm.
pub(crate) fn caption(
    raster: &mut Raster,
    font: &FontVec,
    text: &str,
    [x, y, height]: [f32; 3],
    colour: Colour,
    alpha: f32,
) -> f32 {
    let size = height * 1.4;
    let mut cursor = x;
    for symbol in text.chars() {
        let (px, py) = ((cursor - raster.left) * raster.density, (y - raster.top) * raster.density);
        if let Some(placed) = place(font, symbol, px, py, size * raster.density, 1.0) {
            for (index, coverage) in placed.coverage.iter().enumerate() {
                let column = placed.left_px + (index % placed.width) as i32;
                let row = placed.top_px + (index / placed.width) as i32;
                if (0..raster.width as i32).contains(&column) && (0..raster.height as i32).contains(&row) {
                    raster.blend(column as usize, row as usize, colour, coverage.min(1.0) * alpha);
                }
            }
        }
        cursor += advance(font, symbol) * size;
    }
    cursor - x
}
