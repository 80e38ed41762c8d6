//! Points, quadrilaterals, homographies and the eight EXIF turns; nothing else.
//!
//! Coordinates are continuous and in pixels: pixel (i, j) covers [i, i+1) x [j, j+1), its centre is (i + 0.5, j + 0.5).

use std::ops::Range;

/// A point in a picture, in pixels; x to the right, y down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Down.
    pub y: f32,
}

impl Point {
    /// The point (x, y).
    pub const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }

    /// Distance to another point, in pixels.
    pub fn distance(self, other: Point) -> f32 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}

/// Four corners, from the content's own top-left, clockwise as the content is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quad(pub [Point; 4]);

impl Quad {
    /// The upright rectangle [left, left + width) x [top, top + height).
    pub const fn rect(left: f32, top: f32, width: f32, height: f32) -> Self {
        Self([
            Point::new(left, top),
            Point::new(left + width, top),
            Point::new(left + width, top + height),
            Point::new(left, top + height),
        ])
    }

    /// Mean of the four corners.
    pub fn centre(&self) -> Point {
        let sum = self.0.iter().fold(Point::new(0.0, 0.0), |s, p| Point::new(s.x + p.x, s.y + p.y));
        Point::new(sum.x / 4.0, sum.y / 4.0)
    }

    /// Mean length of the top and the bottom edge, in pixels.
    pub fn width(&self) -> f32 {
        let [a, b, c, d] = self.0;
        (a.distance(b) + d.distance(c)) / 2.0
    }

    /// Mean length of the left and the right edge, in pixels.
    pub fn height(&self) -> f32 {
        let [a, b, c, d] = self.0;
        (a.distance(d) + b.distance(c)) / 2.0
    }

    /// Area in square pixels, never negative.
    pub fn area(&self) -> f32 {
        let [a, b, c, d] = self.0;
        (((c.x - a.x) * (d.y - b.y) - (d.x - b.x) * (c.y - a.y)) / 2.0).abs()
    }

    /// The quad grown on each side along its own axes: left and right by `dx` times its width, top and
    /// bottom by `dy` times its height. Negative values shrink it.
    pub fn expanded(&self, dx: f32, dy: f32) -> Self {
        self.part(-dx..1.0 + dx, -dy..1.0 + dy)
    }

    /// The part of the quad that lies so along it and down it, in fractions of its own width and height; it may reach beyond.
    pub fn part(&self, along: Range<f32>, down: Range<f32>) -> Self {
        let Range { start: left, end: right } = along;
        let Range { start: top, end: bottom } = down;
        Self([(left, top), (right, top), (right, bottom), (left, bottom)].map(|(u, v)| self.at(u, v)))
    }

    /// The point at fractions (u, v) of the quad's own width and height, by bilinear interpolation:
    /// (0, 0) is its first corner, (1, 1) its third.
    pub fn at(&self, u: f32, v: f32) -> Point {
        let [a, b, c, d] = self.0;
        let mix = |a: f32, b: f32, c: f32, d: f32| {
            (1.0 - v) * ((1.0 - u) * a + u * b) + v * ((1.0 - u) * d + u * c)
        };
        Point::new(mix(a.x, b.x, c.x, d.x), mix(a.y, b.y, c.y, d.y))
    }

    /// Whether the edges turn the same way at every corner: neither crossing nor caved in.
    pub fn is_convex(&self) -> bool {
        let [a, b, c, d] = self.0;
        let turn = |p: Point, q: Point, r: Point| (q.x - p.x) * (r.y - q.y) - (q.y - p.y) * (r.x - q.x);
        let turns = [turn(a, b, c), turn(b, c, d), turn(c, d, a), turn(d, a, b)];
        turns.iter().all(|turn| *turn > 0.0) || turns.iter().all(|turn| *turn < 0.0)
    }

    /// Top-left and bottom-right corner of the smallest upright rectangle around the quad.
    pub fn bounding_box(&self) -> (Point, Point) {
        let [first, rest @ ..] = self.0;
        rest.iter().fold((first, first), |(low, high), p| {
            (Point::new(low.x.min(p.x), low.y.min(p.y)), Point::new(high.x.max(p.x), high.y.max(p.y)))
        })
    }

    /// The same four corners for content that stands upside down.
    pub fn rotated180(&self) -> Self {
        let [a, b, c, d] = self.0;
        Self([c, d, a, b])
    }

    /// Whether three corners lie on one line, as far as their f32 coordinates can tell (1e-6 of the
    /// longer diagonal's square is some ten times their rounding), or one is not finite.
    fn has_corners_in_line(&self) -> bool {
        let [a, b, c, d] = self.0;
        let least = 1e-6 * a.distance(c).max(b.distance(d)).powi(2);
        let in_line = |p: Point, q: Point, r: Point| {
            let cross = (q.x - p.x) * (r.y - p.y) - (r.x - p.x) * (q.y - p.y);
            !(cross.abs() > least && cross.is_finite())
        };
        in_line(a, b, c) || in_line(b, c, d) || in_line(c, d, a) || in_line(d, a, b)
    }

    /// The corners after a homography.
    pub fn transform(&self, by: &Homography) -> Self {
        Self(self.0.map(|p| by.apply(p)))
    }
}

/// A map of the plane that keeps straight lines straight: 3 x 3, row by row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Homography([[f64; 3]; 3]);

impl Homography {
    /// Leaves every point where it is.
    pub const fn identity() -> Self {
        Self::scaling(1.0, 1.0)
    }

    /// Moves by (dx, dy).
    pub const fn translation(dx: f64, dy: f64) -> Self {
        Self([[1.0, 0.0, dx], [0.0, 1.0, dy], [0.0, 0.0, 1.0]])
    }

    /// Multiplies x by `sx` and y by `sy`.
    pub const fn scaling(sx: f64, sy: f64) -> Self {
        Self([[sx, 0.0, 0.0], [0.0, sy, 0.0], [0.0, 0.0, 1.0]])
    }

    /// The map that takes each corner of `from` to the same corner of `to`; `None` when three corners of
    /// either lie on one line, or one is not finite.
    pub fn from_quads(from: &Quad, to: &Quad) -> Option<Self> {
        if from.has_corners_in_line() || to.has_corners_in_line() {
            return None;
        }
        Some(Self::from_unit_square(from)?.invert()?.then(&Self::from_unit_square(to)?))
    }

    /// Heckbert, "Fundamentals of Texture Mapping and Image Warping" (1989), 2.2.3: the map from the
    /// unit square to a quad.
    fn from_unit_square(to: &Quad) -> Option<Self> {
        let [(x0, y0), (x1, y1), (x2, y2), (x3, y3)] = to.0.map(|p| (f64::from(p.x), f64::from(p.y)));
        let (dx1, dx2, sx) = (x1 - x2, x3 - x2, x0 - x1 + x2 - x3);
        let (dy1, dy2, sy) = (y1 - y2, y3 - y2, y0 - y1 + y2 - y3);
        let det = dx1 * dy2 - dx2 * dy1;
        let g = (sx * dy2 - dx2 * sy) / det;
        let h = (dx1 * sy - sx * dy1) / det;
        let map = Self([
            [x1 - x0 + g * x1, x3 - x0 + h * x3, x0],
            [y1 - y0 + g * y1, y3 - y0 + h * y3, y0],
            [g, h, 1.0],
        ]);
        map.is_finite().then_some(map)
    }

    /// This map first, `next` after it.
    pub fn then(&self, next: &Self) -> Self {
        let (a, b) = (&next.0, &self.0);
        Self([0, 1, 2].map(|i| [0, 1, 2].map(|j| a[i][0] * b[0][j] + a[i][1] * b[1][j] + a[i][2] * b[2][j])))
    }

    /// The way back; `None` when the map squeezes the plane into a line or a point.
    pub fn invert(&self) -> Option<Self> {
        let [[a, b, c], [d, e, f], [g, h, i]] = self.0;
        let adjugate = [
            [e * i - f * h, c * h - b * i, b * f - c * e],
            [f * g - d * i, a * i - c * g, c * d - a * f],
            [d * h - e * g, b * g - a * h, a * e - b * d],
        ];
        let det = a * adjugate[0][0] + b * adjugate[1][0] + c * adjugate[2][0];
        let inverse = Self(adjugate.map(|row| row.map(|v| v / det)));
        inverse.is_finite().then_some(inverse)
    }

    /// Where a point goes. Points on the map's horizon have no image: their coordinates are not finite.
    pub fn apply(&self, p: Point) -> Point {
        let (x, y) = (f64::from(p.x), f64::from(p.y));
        let [u, v, w] = self.0.map(|row| row[0] * x + row[1] * y + row[2]);
        Point::new((u / w) as f32, (v / w) as f32)
    }

    /// The coefficients, row by row, for loops that step along a row of pixels.
    pub const fn rows(&self) -> &[[f64; 3]; 3] {
        &self.0
    }

    fn is_finite(&self) -> bool {
        self.0.iter().flatten().all(|v| v.is_finite())
    }
}

/// How a stored picture has to be turned to stand upright: EXIF tag 0x0112, its values 1 to 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Turn {
    /// 1: stored upright.
    #[default]
    None,
    /// 2: mirror left and right.
    FlipHorizontal,
    /// 3: turn by 180 degrees.
    Rotate180,
    /// 4: mirror top and bottom.
    FlipVertical,
    /// 5: mirror at the diagonal from the top-left corner.
    Transpose,
    /// 6: turn by 90 degrees clockwise.
    Rotate90,
    /// 7: mirror at the diagonal from the top-right corner.
    Transverse,
    /// 8: turn by 270 degrees clockwise.
    Rotate270,
}

impl Turn {
    /// All eight, in the order of their EXIF values.
    pub const ALL: [Self; 8] = [
        Self::None,
        Self::FlipHorizontal,
        Self::Rotate180,
        Self::FlipVertical,
        Self::Transpose,
        Self::Rotate90,
        Self::Transverse,
        Self::Rotate270,
    ];

    /// The turn of an EXIF value, 1 to 8.
    pub fn from_exif(value: u8) -> Option<Self> {
        Self::ALL.get(usize::from(value).checked_sub(1)?).copied()
    }

    /// Whether the upright picture is as wide as the stored one is high.
    pub const fn swaps_sides(self) -> bool {
        matches!(self, Self::Transpose | Self::Rotate90 | Self::Transverse | Self::Rotate270)
    }

    /// The map from a stored picture of `width` x `height` px to the upright one.
    pub const fn to_upright(self, width: u32, height: u32) -> Homography {
        let (w, h) = (width as f64, height as f64);
        let (x, y) = match self {
            Self::None => ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]),
            Self::FlipHorizontal => ([-1.0, 0.0, w], [0.0, 1.0, 0.0]),
            Self::Rotate180 => ([-1.0, 0.0, w], [0.0, -1.0, h]),
            Self::FlipVertical => ([1.0, 0.0, 0.0], [0.0, -1.0, h]),
            Self::Transpose => ([0.0, 1.0, 0.0], [1.0, 0.0, 0.0]),
            Self::Rotate90 => ([0.0, -1.0, h], [1.0, 0.0, 0.0]),
            Self::Transverse => ([0.0, -1.0, h], [-1.0, 0.0, w]),
            Self::Rotate270 => ([0.0, 1.0, 0.0], [-1.0, 0.0, w]),
        };
        Homography([x, y, [0.0, 0.0, 1.0]])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(a: Point, b: Point, tolerance: f32) -> bool {
        a.distance(b) <= tolerance
    }

    #[test]
    fn maps_do_what_their_names_say() {
        let p = Point::new(3.0, 5.0);
        let moved = Homography::translation(10.0, -2.0);
        let scaled = Homography::scaling(2.0, 4.0);
        for (map, x, y) in [
            (Homography::identity(), 3.0, 5.0),
            (moved, 13.0, 3.0),
            (scaled, 6.0, 20.0),
            (moved.then(&scaled), 26.0, 12.0),
            (scaled.then(&moved), 16.0, 18.0),
            (moved.then(&scaled).invert().unwrap(), -8.5, 3.25),
        ] {
            assert_eq!(map.apply(p), Point::new(x, y), "{map:?}");
        }
        assert_eq!(Homography::scaling(0.0, 1.0).invert(), None);
        assert_eq!(Homography::scaling(f64::NAN, 1.0).invert(), None);
    }

    #[test]
    fn from_quads_refuses_corners_on_one_line() {
        let square = Quad::rect(0.0, 0.0, 10.0, 10.0);
        let at = |corners: [(f32, f32); 4]| Quad(corners.map(|(x, y)| Point::new(x, y)));
        for (quad, possible) in [
            (at([(0.0, 0.0), (4.0, 1.0), (5.0, 6.0), (-1.0, 3.0)]), true),
            (at([(0.0, 0.0), (5.0, 0.0), (10.0, 0.0), (0.0, 10.0)]), false),
            (at([(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (5.0, 5.0)]), false),
            (at([(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (10.0, 20.0)]), false),
            (at([(0.0, 10.0), (10.0, 0.0), (5.0, 20.0), (0.0, 20.0)]), true),
            (at([(7.0, 7.0); 4]), false),
            (at([(f32::NAN, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]), false),
            (at([(f32::INFINITY, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]), false),
        ] {
            assert_eq!(Homography::from_quads(&quad, &square).is_some(), possible, "from {quad:?}");
            assert_eq!(Homography::from_quads(&square, &quad).is_some(), possible, "to {quad:?}");
        }
    }

    #[test]
    fn tells_crossing_and_caved_in_corners() {
        let at = |corners: [(f32, f32); 4]| Quad(corners.map(|(x, y)| Point::new(x, y)));
        for (quad, convex) in [
            (at([(0.0, 0.0), (9.0, 1.0), (8.0, 6.0), (-1.0, 3.0)]), true),
            (at([(9.0, 1.0), (0.0, 0.0), (-1.0, 3.0), (8.0, 6.0)]), true),
            (at([(0.0, 0.0), (9.0, 0.0), (0.0, 3.0), (9.0, 3.0)]), false),
            (at([(0.0, 0.0), (9.0, 0.0), (9.0, 3.0), (0.0, -1.0)]), false),
            (at([(0.0, 0.0), (9.0, 0.0), (9.0, 3.0), (8.0, 1.0)]), false),
            (at([(2.0, 2.0); 4]), false),
            (at([(f32::NAN, 0.0), (9.0, 0.0), (9.0, 3.0), (0.0, 3.0)]), false),
        ] {
            assert_eq!(quad.is_convex(), convex, "{quad:?}");
        }
    }

    #[test]
    fn measures_and_grows_quads_along_their_own_axes() {
        // 40 x 30, turned by the angle whose cosine is 0.8.
        let at = |x: f32, y: f32| Point::new(100.0 + 0.8 * x - 0.6 * y, 50.0 + 0.6 * x + 0.8 * y);
        let quad = Quad([at(0.0, 0.0), at(40.0, 0.0), at(40.0, 30.0), at(0.0, 30.0)]);
        assert!((quad.width() - 40.0).abs() < 1e-4);
        assert!((quad.height() - 30.0).abs() < 1e-4);
        assert!((quad.area() - 1200.0).abs() < 1e-2);
        assert!(near(quad.centre(), at(20.0, 15.0), 1e-4));
        let grown = quad.expanded(0.25, 0.5);
        let expected = [at(-10.0, -15.0), at(50.0, -15.0), at(50.0, 45.0), at(-10.0, 45.0)];
        for (corner, expected) in grown.0.into_iter().zip(expected) {
            assert!(near(corner, expected, 1e-3), "{grown:?}");
        }
        let part = quad.part(-0.5..0.75, 1.0..2.0);
        let expected = [at(-20.0, 30.0), at(30.0, 30.0), at(30.0, 60.0), at(-20.0, 60.0)];
        assert!(
            part.0.into_iter().zip(expected).all(|(corner, place)| near(corner, place, 1e-3)),
            "{part:?}"
        );
        let (low, high) = quad.bounding_box();
        assert!(near(low, Point::new(at(0.0, 30.0).x, 50.0), 1e-4));
        assert!(near(high, Point::new(at(40.0, 0.0).x, at(40.0, 30.0).y), 1e-4));
        assert_eq!(quad.rotated180().0, [quad.0[2], quad.0[3], quad.0[0], quad.0[1]]);
        assert_eq!(quad.rotated180().rotated180(), quad);
        assert!((quad.rotated180().area() - quad.area()).abs() < 1e-2);
    }

    /// A picture of 3 x 2 px whose pixels are numbered in reading order, after each turn. The numbers
    /// are drawn by hand from the EXIF standard's "0th row, 0th column" table (Exif 2.32, 4.6.4 A).
    #[test]
    fn turns_agree_with_the_exif_table() {
        let stored = [1, 2, 3, 4, 5, 6];
        for (value, upright) in (1..).zip([
            [1, 2, 3, 4, 5, 6],
            [3, 2, 1, 6, 5, 4],
            [6, 5, 4, 3, 2, 1],
            [4, 5, 6, 1, 2, 3],
            [1, 4, 2, 5, 3, 6],
            [4, 1, 5, 2, 6, 3],
            [6, 3, 5, 2, 4, 1],
            [3, 6, 2, 5, 1, 4],
        ]) {
            let turn = Turn::from_exif(value).unwrap();
            let width = if turn.swaps_sides() { 2 } else { 3 };
            let map = turn.to_upright(3, 2);
            let mut placed = [0; 6];
            for (i, number) in stored.into_iter().enumerate() {
                let to = map.apply(Point::new((i % 3) as f32 + 0.5, (i / 3) as f32 + 0.5));
                placed[to.y as usize * width + to.x as usize] = number;
            }
            assert_eq!(placed, upright, "{turn:?}");
        }
        assert_eq!([0, 9, 255].map(Turn::from_exif), [None; 3]);
    }

    proptest! {
        /// File -> upright -> scaled -> straightened and back, as a reading's corners travel.
        #[test]
        fn a_point_comes_back_through_turn_scaling_and_homography(
            width in 15_u32..8192,
            height in 15_u32..8192,
            at in (0.0_f32..1.0, 0.0_f32..1.0),
            scale in 0.05_f64..2.0,
            jitter in prop::array::uniform8(-0.2_f32..0.2),
            strip in (64.0_f32..640.0, 16.0_f32..640.0),
        ) {
            for turn in Turn::ALL {
                let (w, h) = if turn.swaps_sides() { (height, width) } else { (width, height) };
                let scaled = Homography::scaling(scale, scale);
                let [ax, ay, bx, by, cx, cy, dx, dy] = jitter;
                let frame = Quad::rect(0.0, 0.0, w as f32, h as f32).transform(&scaled);
                let quad = Quad([
                    frame.at(ax, ay),
                    frame.at(1.0 + bx, by),
                    frame.at(1.0 + cx, 1.0 + cy),
                    frame.at(dx, 1.0 + dy),
                ]);
                let straightened = Homography::from_quads(&quad, &Quad::rect(0.0, 0.0, strip.0, strip.1));
                let there = turn.to_upright(width, height).then(&scaled).then(&straightened.unwrap());
                let back = there.invert().unwrap();
                let p = Point::new(at.0 * width as f32, at.1 * height as f32);
                let returned = back.apply(there.apply(p));
                prop_assert!(near(p, returned, 0.5), "{turn:?}: {p:?} came back as {returned:?}");
            }
        }

        #[test]
        fn from_quads_takes_corners_to_corners(corners in prop::array::uniform8(-0.2_f32..0.2)) {
            let [ax, ay, bx, by, cx, cy, dx, dy] = corners.map(|c| c * 1000.0);
            let quad = Quad([
                Point::new(ax, ay),
                Point::new(1000.0 + bx, by),
                Point::new(1000.0 + cx, 1000.0 + cy),
                Point::new(dx, 1000.0 + dy),
            ]);
            let strip = Quad::rect(0.0, 0.0, 320.0, 32.0);
            let placed = quad.transform(&Homography::from_quads(&quad, &strip).unwrap());
            for (corner, expected) in placed.0.into_iter().zip(strip.0) {
                prop_assert!(near(corner, expected, 1e-3), "{placed:?}");
            }
        }
    }
}
