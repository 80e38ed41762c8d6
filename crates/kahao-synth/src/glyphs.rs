//! Shapes of characters: our own skeletons for embossed digits (after Farrington 7B as ISO/IEC 7811-1 shows it on cards)
//! and capitals,
//! and outlines of fonts for print. Sizes are in units of the character's height or in mm, y down.

use std::path::Path;

use ab_glyph::{Font as _, FontVec, PxScale, point};
use anyhow::{Context as _, bail};

use crate::raster::Random;

/// A character's skeleton as line segments [x0, y0, x1, y1] in a box 0.6 wide and 1 high.
pub(crate) type Skeleton = Vec<[f32; 4]>;

/// Corners of a stroke of the pen, in the same box.
type Stroke = Vec<(f32, f32)>;

/// Proportions that differ from one embossing machine to the next.
#[derive(Clone)]
pub(crate) struct Embosser {
    corner: f32,
    waist: f32,
    width: f32,
    closed_six: bool,
    plain_one: bool,
    hooked_seven: bool,
    slanted_seven: bool,
    open_four: bool,
    /// Digits and capitals of curves instead of bars.
    is_round: bool,
    wobble: f32,
}

impl Embosser {
    pub(crate) fn draw(random: &mut Random) -> Self {
        // Some specimen pictures and newer machines use an ordinary sans shape: closed 6, plain 1.
        let plain = random.chance(0.12);
        Self {
            corner: random.range(0.10, 0.24),
            waist: random.range(0.43, 0.52),
            width: random.range(0.50, 0.64),
            closed_six: plain && random.chance(0.7),
            plain_one: plain && random.chance(0.5),
            hooked_seven: !plain || random.chance(0.4),
            slanted_seven: plain && random.chance(0.6),
            open_four: random.chance(0.75),
            is_round: false,
            wobble: random.range(0.0, 0.02),
        }
    }

    /// The smaller type that dates and names are embossed in: rounder, and mostly an ordinary sans, as on all 14 real photographs
    /// and scans that show a date. Drawings have the other.
    pub(crate) fn draw_small(random: &mut Random) -> Self {
        let is_round = random.chance(0.8);
        Self {
            corner: random.range(0.16, 0.38),
            closed_six: false,
            plain_one: is_round && random.chance(0.7),
            hooked_seven: !is_round && random.chance(0.6),
            slanted_seven: false,
            open_four: !is_round && random.chance(0.6),
            is_round,
            ..Self::draw(random)
        }
    }

    /// Skeleton of one digit, capital or sign of names and dates, its corners jittered a little: no two strikes are the same.
    pub(crate) fn skeleton(&self, symbol: char, random: &mut Random) -> Skeleton {
        let (w, m, r) = (self.width, self.waist, self.corner);
        let round = || self.round_digit(symbol).or_else(|| self.round_capital(symbol));
        let round = if self.is_round { round() } else { None };
        if let Some((curves, bars)) = round {
            return self.struck([(curves, 1.0), (bars, 0.0)], random);
        }
        let strokes: Vec<Stroke> = match symbol {
            '0' => vec![vec![(w / 2.0, 0.0), (w, 0.0), (w, 1.0), (0.0, 1.0), (0.0, 0.0), (w / 2.0, 0.0)]],
            '1' if self.plain_one => vec![vec![(w * 0.2, 0.16), (w * 0.55, 0.0), (w * 0.55, 1.0)]],
            '1' => vec![
                vec![(w * 0.26, 0.05), (w * 0.55, 0.0), (w * 0.55, 1.0)],
                vec![(w * 0.08, 1.0), (w * 0.98, 1.0)],
            ],
            '2' => vec![vec![(0.0, 0.02), (w, 0.0), (w, m), (0.0, m + 0.04), (0.0, 1.0), (w, 1.0)]],
            '3' => vec![
                vec![(w * 0.02, 0.0), (w * 0.95, 0.0), (w * 0.95, m), (w * 0.3, m)],
                vec![(w * 0.3, m), (w, m), (w, 1.0), (0.0, 1.0)],
            ],
            '4' if self.open_four => {
                vec![vec![(w * 0.2, 0.0), (0.0, 0.64), (w, 0.64)], vec![(w * 0.76, 0.3), (w * 0.76, 1.0)]]
            }
            '4' => vec![vec![(w * 0.75, 1.0), (w * 0.75, 0.0), (0.0, 0.68), (w, 0.68)]],
            '5' => vec![vec![
                (w * 0.96, 0.0),
                (w * 0.08, 0.0),
                (w * 0.04, m - 0.02),
                (w, m - 0.04),
                (w, 1.0),
                (0.0, 0.98),
            ]],
            '6' if self.closed_six => {
                vec![vec![
                    (w * 0.9, 0.06),
                    (w * 0.3, 0.0),
                    (0.0, 0.3),
                    (0.0, 1.0),
                    (w, 1.0),
                    (w, m - 0.04),
                    (0.0, m),
                ]]
            }
            '6' => vec![vec![(w * 0.1, 0.0), (0.0, m), (0.0, 1.0), (w, 1.0), (w, m - 0.02), (0.0, m)]],
            '7' if self.slanted_seven => vec![vec![(0.0, 0.0), (w, 0.0), (w * 0.35, 1.0)]],
            '7' if self.hooked_seven => {
                vec![vec![(w * 0.04, 0.17), (w * 0.06, 0.0), (w * 0.86, 0.0), (w * 0.84, 1.0)]]
            }
            '7' => vec![vec![(0.0, 0.0), (w * 0.9, 0.0), (w * 0.8, 1.0)]],
            '8' => {
                let inset = w * 0.09;
                vec![
                    vec![
                        (w / 2.0, 0.0),
                        (w - inset, 0.0),
                        (w - inset, m),
                        (inset, m),
                        (inset, 0.0),
                        (w / 2.0, 0.0),
                    ],
                    vec![(w / 2.0, m), (w, m), (w, 1.0), (0.0, 1.0), (0.0, m), (w / 2.0, m)],
                ]
            }
            '9' if self.closed_six => {
                vec![vec![
                    (w, m + 0.04),
                    (0.0, m + 0.06),
                    (0.0, 0.0),
                    (w, 0.0),
                    (w, 0.7),
                    (w * 0.7, 1.0),
                    (w * 0.1, 0.96),
                ]]
            }
            '9' => vec![vec![(w, m + 0.04), (0.0, m + 0.04), (0.0, 0.0), (w, 0.0), (w * 0.95, 1.0)]],
            '/' => vec![vec![(w * 0.9, 0.0), (w * 0.1, 1.0)]],
            _ => self.capital(symbol),
        };
        // Slanted strokes meet in points.
        let r = if "AKMNRVWXYZ".contains(symbol) { r * 0.3 } else { r };
        self.struck([(strokes, r)], random)
    }

    /// Strokes with the radius of their corners as they come out of the machine.
    fn struck<const N: usize>(&self, strokes: [(Vec<Stroke>, f32); N], random: &mut Random) -> Skeleton {
        let mut segments = Vec::new();
        for (mut strokes, radius) in strokes {
            for vertex in strokes.iter_mut().flatten() {
                vertex.0 += random.gauss(self.wobble);
                vertex.1 += random.gauss(self.wobble);
            }
            for stroke in &strokes {
                let rounded = round_corners(stroke, radius);
                segments.extend(rounded.windows(2).map(|pair| [pair[0].0, pair[0].1, pair[1].0, pair[1].1]));
            }
        }
        segments
    }
}

#[rustfmt::skip] // A character a line.
impl Embosser {
    /// Curves of a digit of the smaller type, by the corners that bend them, and its straight bars; `None` for another character.
    fn round_digit(&self, symbol: char) -> Option<(Vec<Stroke>, Vec<Stroke>)> {
        let (w, m) = (self.width * 0.92, self.waist);
        let half = w / 2.0;
        Some(match symbol {
            '0' => (vec![vec![(half, 0.0), (w, 0.0), (w, 1.0), (0.0, 1.0), (0.0, 0.0), (half, 0.0)]], vec![]),
            '1' if self.plain_one => (vec![], vec![vec![(half * 0.6, 0.1), (half, 0.0), (half, 1.0)]]),
            '2' => (vec![vec![(0.0, 0.28), (0.0, 0.0), (w, 0.0), (w, 0.42), (0.0, 1.0)]], vec![vec![(0.0, 1.0), (w, 1.0)]]),
            '3' => (vec![vec![(w * 0.4, 0.38), (w, 0.33), (w, 1.0), (0.0, 1.03), (0.0, 0.8)]], vec![vec![(w * 0.05, 0.0), (w * 0.95, 0.0), (w * 0.4, 0.38)]]),
            '4' => (vec![], vec![vec![(w * 0.74, 1.0), (w * 0.74, 0.0), (0.0, 0.72), (w, 0.72)]]),
            '5' => (vec![vec![(w * 0.06, m), (half, m - 0.12), (w, m - 0.08), (w, 1.0), (0.0, 1.03), (0.0, 0.8)]], vec![vec![(w * 0.92, 0.0), (w * 0.1, 0.0), (w * 0.06, m)]]),
            '6' => (vec![Self::six(w)], vec![]),
            '7' => (vec![], vec![vec![(0.0, 0.0), (w, 0.0), (w * 0.35, 1.0)]]),
            '8' => (vec![vec![(half, 0.0), (w * 0.94, 0.0), (w * 0.94, m), (w * 0.06, m), (w * 0.06, 0.0), (half, 0.0)], vec![(half, m), (w, m), (w, 1.0), (0.0, 1.0), (0.0, m), (half, m)]], vec![]),
            '9' => (vec![Self::six(w).into_iter().map(|(x, y)| (w - x, 1.0 - y)).collect()], vec![]),
            _ => return None,
        })
    }

    /// Corners of a 6, `w` wide: a stem that curls into its bowl.
    fn six(w: f32) -> Stroke {
        vec![(w * 0.88, 0.04), (w * 0.1, 0.0), (-0.03, 1.03), (w, 1.06), (w * 1.05, 0.4), (w * 0.2, 0.36), (w * 0.03, 0.66)]
    }

    /// The same for a capital that has a curve.
    fn round_capital(&self, symbol: char) -> Option<(Vec<Stroke>, Vec<Stroke>)> {
        let (w, m) = (self.width, self.waist);
        let (half, waist) = (w / 2.0, m + 0.05);
        let ring = vec![(half, 0.0), (w, 0.0), (w, 1.0), (0.0, 1.0), (0.0, 0.0), (half, 0.0)];
        let stem = vec![(0.0, 0.0), (0.0, 1.0)];
        Some(match symbol {
            'B' => (vec![vec![(0.0, 0.0), (w * 0.9, 0.0), (w * 0.9, m), (0.0, m)], vec![(0.0, m), (w, m), (w, 1.0), (0.0, 1.0)]], vec![stem]),
            'C' => (vec![vec![(w, 0.24), (w * 0.94, 0.0), (0.0, -0.02), (0.0, 1.02), (w * 0.94, 1.0), (w, 0.76)]], vec![]),
            'D' => (vec![vec![(0.0, 0.0), (w, 0.0), (w, 1.0), (0.0, 1.0)]], vec![stem]),
            'G' => (vec![vec![(w, 0.24), (w * 0.94, 0.0), (0.0, -0.02), (0.0, 1.02), (w, 1.0), (w, 0.7)]], vec![vec![(w * 0.55, waist), (w, waist), (w, 0.9)]]),
            'J' => (vec![vec![(w * 0.85, 0.4), (w * 0.85, 1.0), (w * 0.05, 1.03), (0.0, 0.72)]], vec![vec![(w * 0.85, 0.0), (w * 0.85, 0.4)]]),
            'O' => (vec![ring], vec![]),
            'P' => (vec![vec![(0.0, 0.0), (w, 0.0), (w, waist), (0.0, waist)]], vec![stem]),
            'Q' => (vec![ring], vec![vec![(w * 0.55, 0.7), (w * 1.0, 1.04)]]),
            'R' => (vec![vec![(0.0, 0.0), (w * 0.96, 0.0), (w * 0.96, waist), (0.0, waist)]], vec![stem, vec![(w * 0.5, waist), (w, 1.0)]]),
            'S' => (vec![vec![(w * 0.94, 0.22), (w * 0.9, 0.0), (0.0, -0.02), (0.02, m), (w * 0.98, m), (w, 1.02), (w * 0.06, 1.0), (0.0, 0.78)]], vec![]),
            'U' => (vec![vec![(0.0, 0.4), (0.0, 1.0), (w, 1.0), (w, 0.4)]], vec![vec![(0.0, 0.0), (0.0, 0.4)], vec![(w, 0.0), (w, 0.4)]]),
            _ => return None,
        })
    }

    /// Strokes of a capital or of a sign between names; none of another character.
    fn capital(&self, symbol: char) -> Vec<Stroke> {
        let (w, m) = (self.width, self.waist);
        let half = w / 2.0;
        match symbol {
            'A' => vec![vec![(0.0, 1.0), (half, 0.0), (w, 1.0)], vec![(w * 0.18, 0.65), (w * 0.82, 0.65)]],
            'B' => vec![vec![(0.0, 0.0), (0.0, 1.0)], vec![(0.0, 0.0), (w * 0.92, 0.0), (w * 0.92, m), (0.0, m)], vec![(0.0, m), (w, m), (w, 1.0), (0.0, 1.0)]],
            'C' => vec![vec![(w, 0.17), (w * 0.95, 0.0), (0.0, 0.0), (0.0, 1.0), (w * 0.95, 1.0), (w, 0.83)]],
            'D' => vec![vec![(0.0, 0.0), (0.0, 1.0)], vec![(0.0, 0.0), (w * 0.8, 0.0), (w, 0.25), (w, 0.75), (w * 0.8, 1.0), (0.0, 1.0)]],
            'E' => vec![vec![(w, 0.0), (0.0, 0.0)], vec![(0.0, 0.0), (0.0, 1.0)], vec![(0.0, 1.0), (w, 1.0)], vec![(0.0, m), (w * 0.8, m)]],
            'F' => vec![vec![(w, 0.0), (0.0, 0.0)], vec![(0.0, 0.0), (0.0, 1.0)], vec![(0.0, m), (w * 0.8, m)]],
            'G' => vec![vec![(w, 0.17), (w * 0.95, 0.0), (0.0, 0.0), (0.0, 1.0), (w, 1.0), (w, m + 0.06), (w * 0.55, m + 0.06)]],
            'H' => vec![vec![(0.0, 0.0), (0.0, 1.0)], vec![(w, 0.0), (w, 1.0)], vec![(0.0, m), (w, m)]],
            'I' if self.plain_one => vec![vec![(half, 0.0), (half, 1.0)]],
            'I' => vec![vec![(half, 0.0), (half, 1.0)], vec![(w * 0.2, 0.0), (w * 0.8, 0.0)], vec![(w * 0.2, 1.0), (w * 0.8, 1.0)]],
            'J' => vec![vec![(w * 0.85, 0.0), (w * 0.85, 1.0), (0.0, 1.0), (0.0, 0.75)]],
            'K' => vec![vec![(0.0, 0.0), (0.0, 1.0)], vec![(w * 0.95, 0.0), (0.0, 0.58)], vec![(w * 0.3, 0.42), (w, 1.0)]],
            'L' => vec![vec![(0.0, 0.0), (0.0, 1.0)], vec![(0.0, 1.0), (w, 1.0)]],
            'M' => vec![vec![(0.0, 1.0), (0.0, 0.0), (half, 0.55), (w, 0.0), (w, 1.0)]],
            'N' => vec![vec![(0.0, 1.0), (0.0, 0.0), (w, 1.0), (w, 0.0)]],
            'O' => vec![vec![(half, 0.0), (w, 0.0), (w, 1.0), (0.0, 1.0), (0.0, 0.0), (half, 0.0)]],
            'P' => vec![vec![(0.0, 1.0), (0.0, 0.0)], vec![(0.0, 0.0), (w, 0.0), (w, m + 0.06), (0.0, m + 0.06)]],
            'Q' => vec![vec![(half, 0.0), (w, 0.0), (w, 1.0), (0.0, 1.0), (0.0, 0.0), (half, 0.0)], vec![(w * 0.55, 0.7), (w * 1.05, 1.06)]],
            'R' => vec![vec![(0.0, 1.0), (0.0, 0.0)], vec![(0.0, 0.0), (w, 0.0), (w, m + 0.04), (0.0, m + 0.04)], vec![(w * 0.45, m + 0.04), (w, 1.0)]],
            'S' => vec![vec![(w, 0.14), (w * 0.95, 0.0), (0.0, 0.0), (0.0, m), (w, m), (w, 1.0), (0.05 * w, 1.0), (0.0, 0.86)]],
            'T' => vec![vec![(0.0, 0.0), (w, 0.0)], vec![(half, 0.0), (half, 1.0)]],
            'U' => vec![vec![(0.0, 0.0), (0.0, 1.0), (w, 1.0), (w, 0.0)]],
            'V' => vec![vec![(0.0, 0.0), (half, 1.0), (w, 0.0)]],
            'W' => vec![vec![(0.0, 0.0), (w * 0.2, 1.0), (half, 0.4), (w * 0.8, 1.0), (w, 0.0)]],
            'X' => vec![vec![(0.0, 0.0), (w, 1.0)], vec![(w, 0.0), (0.0, 1.0)]],
            'Y' => vec![vec![(0.0, 0.0), (half, 0.5), (w, 0.0)], vec![(half, 0.5), (half, 1.0)]],
            'Z' => vec![vec![(0.0, 0.0), (w, 0.0), (0.0, 1.0), (w, 1.0)]],
            '.' => vec![vec![(w * 0.3, 0.97), (w * 0.42, 1.0)]],
            '-' => vec![vec![(w * 0.1, 0.55), (w * 0.8, 0.55)]],
            '\'' => vec![vec![(w * 0.5, 0.0), (w * 0.4, 0.22)]],
            _ => vec![],
        }
    }
}

/// Replaces each inner corner by a quadratic curve that starts `radius` before it.
fn round_corners(stroke: &[(f32, f32)], radius: f32) -> Stroke {
    let Some((&first, &last)) = stroke.first().zip(stroke.last()) else { return Vec::new() };
    let mut points = vec![first];
    for corner in stroke.windows(3) {
        let [(ax, ay), (bx, by), (cx, cy)] = [corner[0], corner[1], corner[2]];
        let (to_a, to_c) = ((ax - bx).hypot(ay - by), (cx - bx).hypot(cy - by));
        let (ka, kc) = ((radius / to_a.max(1e-3)).min(0.5), (radius / to_c.max(1e-3)).min(0.5));
        let (start, end) =
            ((bx + (ax - bx) * ka, by + (ay - by) * ka), (bx + (cx - bx) * kc, by + (cy - by) * kc));
        for step in 0..=3 {
            let t = step as f32 / 3.0;
            let (u, v) = (1.0 - t, t);
            points.push((
                u * u * start.0 + 2.0 * u * v * bx + v * v * end.0,
                u * u * start.1 + 2.0 * u * v * by + v * v * end.1,
            ));
        }
    }
    points.push(last);
    points
}

/// Distance from a point to a skeleton, in the skeleton's units.
pub(crate) fn distance(skeleton: &Skeleton, x: f32, y: f32) -> f32 {
    let mut nearest = f32::MAX;
    for [x0, y0, x1, y1] in skeleton {
        let (dx, dy) = (x1 - x0, y1 - y0);
        let t = (((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy).max(1e-9)).clamp(0.0, 1.0);
        let (ex, ey) = (x - x0 - t * dx, y - y0 - t * dy);
        nearest = nearest.min(ex * ex + ey * ey);
    }
    nearest.sqrt()
}

/// Fonts by the use they are put to on cards.
pub(crate) struct Fonts {
    /// Bold faces that flat card numbers are printed in, with how often each is used.
    pub(crate) numbers: Vec<(FontVec, f32)>,
    /// Small captions in Latin letters.
    pub(crate) captions: Vec<FontVec>,
    /// Chinese captions and bank names.
    pub(crate) chinese: Vec<FontVec>,
}

/// (file name, weight): Times-like for CCB, grotesques for ABC and ICBC, condensed for BOC, OCR-B-like and thin sans for newer cards.
const NUMBER_FONTS: [(&str, f32); 20] = [
    ("LiberationSerif-Bold.ttf", 2.0),
    ("FreeSerifBold.ttf", 1.5),
    ("NimbusRoman-Bold.otf", 1.5),
    ("LiberationSerif-Regular.ttf", 0.7),
    ("C059-Bold.otf", 0.4),
    ("LiberationSans-Bold.ttf", 2.5),
    ("NimbusSans-Bold.otf", 1.5),
    ("FreeSansBold.ttf", 1.0),
    ("LiberationSans-Regular.ttf", 1.0),
    ("LiberationSansNarrow-Bold.ttf", 1.5),
    ("NimbusSansNarrow-Bold.otf", 1.0),
    ("NimbusSansNarrow-Regular.otf", 0.5),
    ("DejaVuSans-Bold.ttf", 0.6),
    ("DejaVuSans.ttf", 0.4),
    ("DejaVuSansMono-Bold.ttf", 0.5),
    ("OCRB.otf", 2.0),
    ("OCRA.ttf", 0.5),
    ("Inconsolata.otf", 0.5),
    ("FreeMonoBold.ttf", 0.4),
    ("DejaVuSans-ExtraLight.ttf", 0.8),
];
const CAPTION_FONTS: [&str; 4] = [
    "LiberationSans-Regular.ttf",
    "LiberationSans-Bold.ttf",
    "NimbusSansNarrow-Bold.otf",
    "LiberationSerif-Bold.ttf",
];
const CHINESE_FONTS: [&str; 2] = ["wqy-microhei.ttc", "wqy-zenhei.ttc"];

impl Fonts {
    /// Finds the fonts below a folder such as /usr/share/fonts.
    pub(crate) fn load(folder: &Path) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        list_files(folder, &mut files);
        let open = |name: &str| -> anyhow::Result<FontVec> {
            let Some(path) = files.iter().find(|path| path.file_name().is_some_and(|file| file == name))
            else {
                bail!(
                    "font {name} is not below {}: install Debian's fonts-liberation fonts-freefont-ttf fonts-urw-base35 \
                     fonts-dejavu fonts-ocr-a fonts-ocr-b fonts-inconsolata fonts-wqy-microhei fonts-wqy-zenhei",
                    folder.display()
                )
            };
            let data = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
            FontVec::try_from_vec_and_index(data, 0)
                .with_context(|| format!("{} is not a font", path.display()))
        };
        Ok(Self {
            numbers: NUMBER_FONTS
                .iter()
                .map(|(name, weight)| Ok((open(name)?, *weight)))
                .collect::<anyhow::Result<_>>()?,
            captions: CAPTION_FONTS.iter().map(|name| open(name)).collect::<anyhow::Result<_>>()?,
            chinese: CHINESE_FONTS.iter().map(|name| open(name)).collect::<anyhow::Result<_>>()?,
        })
    }
}

fn list_files(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            list_files(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// One glyph set in place: coverage of pixels on the raster's own grid.
pub(crate) struct Placed {
    pub(crate) left_px: i32,
    pub(crate) top_px: i32,
    pub(crate) width: usize,
    pub(crate) coverage: Vec<f32>,
}

/// Ink box of a digit of the font at height 1: (top, bottom) of '0' relative to its baseline, and advance of '0'.
pub(crate) fn digit_metrics(font: &FontVec) -> (f32, f32, f32) {
    let scale = PxScale::from(1000.0);
    let id = font.glyph_id('0');
    let advance = font.h_advance_unscaled(id) / font.height_unscaled();
    match font.outline_glyph(id.with_scale_and_position(scale, point(0.0, 0.0))) {
        Some(outline) => {
            let bounds = outline.px_bounds();
            (bounds.min.y / 1000.0, bounds.max.y / 1000.0, advance)
        }
        None => (-0.7, 0.0, advance),
    }
}

/// Advance of a character at font size 1.
pub(crate) fn advance(font: &FontVec, symbol: char) -> f32 {
    font.h_advance_unscaled(font.glyph_id(symbol)) / font.height_unscaled()
}

/// Rasterises a character with its baseline origin at (x, y) px; `size` px of font height, stretched `stretch` in x.
pub(crate) fn place(font: &FontVec, symbol: char, x: f32, y: f32, size: f32, stretch: f32) -> Option<Placed> {
    let scale = PxScale { x: size * stretch, y: size };
    let outline = font.outline_glyph(font.glyph_id(symbol).with_scale_and_position(scale, point(x, y)))?;
    let bounds = outline.px_bounds();
    let (width, height) = (bounds.width().ceil() as usize, bounds.height().ceil() as usize);
    let mut coverage = vec![0.0; width * height];
    outline.draw(|px, py, c| {
        if let Some(cell) = coverage.get_mut(py as usize * width + px as usize) {
            *cell = c;
        }
    });
    Some(Placed { left_px: bounds.min.x as i32, top_px: bounds.min.y as i32, width, coverage })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How far a skeleton's segments, by their ends and middles, lie from another one, at most.
    fn apart(one: &Skeleton, other: &Skeleton) -> f32 {
        let points =
            |[x0, y0, x1, y1]: &[f32; 4]| [(*x0, *y0), ((x0 + x1) / 2.0, (y0 + y1) / 2.0), (*x1, *y1)];
        one.iter().flat_map(points).map(|(x, y)| distance(other, x, y)).fold(0.0, f32::max)
    }

    #[test]
    fn round_characters_fill_their_box_and_are_told_apart() {
        let mut random = Random::new(1);
        let mut machines =
            (0..100).map(|_| Embosser::draw_small(&mut random)).filter(|machine| machine.is_round);
        let machine = Embosser { wobble: 0.0, ..machines.next().expect("most machines have round digits") };
        // Those with a curve; O and 0 are told apart by what stands about them.
        for symbols in ["0123456789", "BCDGJOPQRSU"] {
            let shapes: Vec<(char, Skeleton)> =
                symbols.chars().map(|symbol| (symbol, machine.skeleton(symbol, &mut random))).collect();
            for (symbol, skeleton) in &shapes {
                let ends = || skeleton.iter().flat_map(|[x0, y0, x1, y1]| [(*x0, *y0), (*x1, *y1)]);
                assert!(
                    ends().all(|(x, y)| (-0.02..=0.68).contains(&x) && (-0.05..=1.07).contains(&y)),
                    "{symbol}"
                );
                let (top, bottom) =
                    ends().fold((1.0_f32, 0.0_f32), |(top, low), (_, y)| (top.min(y), low.max(y)));
                assert!(top < 0.06 && bottom > 0.94, "{symbol} from {top} to {bottom}");
                for (other, shape) in shapes.iter().filter(|(other, _)| other != symbol) {
                    let apart = apart(skeleton, shape).max(self::apart(shape, skeleton));
                    assert!(apart > 0.1, "{symbol} and {other} are {apart} apart");
                }
                let again = machine.skeleton(*symbol, &mut random);
                assert_eq!(*skeleton, again, "without wobble every strike is the same");
            }
        }
    }
}
