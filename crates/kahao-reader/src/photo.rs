//! The decoded picture that all stages look at: grey, upright, with its way back to the original.

use std::sync::OnceLock;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use crate::geometry::{Homography, Quad};

/// A decoded picture, grey and upright.
pub(crate) struct Photo {
    grey: Grey,
    /// The same at a half, a quarter, … of the size; made when a view first needs one.
    halved: [OnceLock<Grey>; MAX_HALVINGS],
    to_original: Homography,
}

/// Down to an eighth: of 8192 px, the longest side that is read, a view of 320 px then takes four samples for each pixel and axis.
const MAX_HALVINGS: usize = 3;
/// Samples for each pixel and axis of a warp at most: beyond it a line is so large that skipped pixels do no harm.
const MAX_SAMPLES: usize = 16;

/// Places between two pixels of a warp. [`MAX_SAMPLES`] squared of them squared, times 255, are just in the range of `u32`.
const STEPS: f32 = 256.0;
/// 2^23: added to a float from 0 to that it leaves the nearest whole number in the float's lowest bits (IEEE 754 binary32). A
/// conversion, which must be right for every float, takes twice as long as all else of a warp. Sides up to 32768 px fit in.
const TO_WHOLE: f32 = 8_388_608.0;
const WHOLE_BITS: u32 = 0x7f_ffff;

impl Photo {
    /// A picture from grey pixels, row by row, that has its original size; `None` when their number is not `width` x
    /// `height` or a side is under 2.
    pub(crate) fn from_grey(pixels: Vec<u8>, width: usize, height: usize) -> Option<Self> {
        let whole = width.checked_mul(height)? == pixels.len() && width.min(height) >= 2;
        let grey = Grey { pixels, width, height };
        whole.then_some(Self { grey, halved: Default::default(), to_original: Homography::identity() })
    }

    /// Luma 0 (black) to 255, row by row from the top, `width` x `height` of them.
    pub(crate) fn pixels(&self) -> &[u8] {
        &self.grey.pixels
    }

    /// In pixels.
    pub(crate) fn width(&self) -> usize {
        self.grey.width
    }

    /// In pixels.
    pub(crate) fn height(&self) -> usize {
        self.grey.height
    }

    /// The map from this picture to the original: the picture after the EXIF turn and before any scaling.
    pub(crate) fn to_original(&self) -> &Homography {
        &self.to_original
    }

    /// The whole photo with a longer side of `side` px, or of one: its pixels, the length of a row, and the map from them to the
    /// photo's. `None` when it cannot be scaled.
    pub(crate) fn thumbnail(&self, side: usize) -> Option<(Vec<u8>, usize, Homography)> {
        let (longer, side) = (self.width().max(self.height()) as f32, side.max(1));
        let sides = [self.width(), self.height()]
            .map(|length| ((length as f32 / longer * side as f32).round() as u32).clamp(1, side as u32));
        // Each pixel of the thumbnail still averages four to eight of these each way: with two to four one date more was
        // invented on 92 real pictures.
        let (seen, scale) = self.halved_for(longer / side as f32 / 4.0);
        // The typed calls compile for grey alone; the others for every kind of pixel, which takes two minutes.
        let source =
            TypedImageRef::<U8>::from_buffer(seen.width as u32, seen.height as u32, &seen.pixels).ok()?;
        let mut thumbnail = TypedImage::<U8>::new(sides[0], sides[1]);
        // Convolution averages over all that a thumbnail pixel covers, as the training pictures were scaled.
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        Resizer::new().resize_typed(&source, &mut thumbnail, &options).ok()?;
        let pixels = thumbnail.pixels().iter().map(|pixel| pixel.0).collect();
        let per_pixel = |length: usize, side: u32| length as f64 * f64::from(scale) / f64::from(side);
        let to_photo = Homography::scaling(per_pixel(seen.width, sides[0]), per_pixel(seen.height, sides[1]));
        Some((pixels, sides[0] as usize, to_photo))
    }

    /// What lies in `shown`, straightened to `width` x `height` px; each pixel averages what it covers, and what lies
    /// outside the photo repeats its border. Also the map from the result's pixels to the photo's.
    /// `None` for a quad without area.
    pub(crate) fn straightened(
        &self,
        shown: &Quad,
        width: usize,
        height: usize,
    ) -> Option<(Vec<u8>, Homography)> {
        let to_photo = Homography::from_quads(&Quad::rect(0.0, 0.0, width as f32, height as f32), shown)?;
        let (across, down) = (shown.width() / width as f32, shown.height() / height as f32);
        let (seen, scale) = self.halved_for(across.min(down));
        let samples = |photo_px: f32| ((photo_px / scale).ceil() as usize).clamp(1, MAX_SAMPLES);
        let pixels = seen.warped(&to_photo, scale, (width, height), (samples(across), samples(down)));
        Some((pixels, to_photo))
    }

    /// The smallest version whose pixels are no larger than `photo_px`, and how large they are in the photo's.
    fn halved_for(&self, photo_px: f32) -> (&Grey, f32) {
        let (mut seen, mut scale) = (&self.grey, 1.0);
        for half in &self.halved {
            if photo_px < 2.0 * scale || seen.width.min(seen.height) < 4 {
                break;
            }
            let whole = seen;
            seen = half.get_or_init(|| whole.halved());
            scale *= 2.0;
        }
        (seen, scale)
    }
}

/// Grey pixels, row by row; both sides are at least 2.
struct Grey {
    pixels: Vec<u8>,
    width: usize,
    height: usize,
}

impl Grey {
    /// Each pixel the mean of four; a last row or column without a partner is left out.
    fn halved(&self) -> Self {
        let (width, height) = (self.width / 2, self.height / 2);
        let mut pixels = Vec::with_capacity(width * height);
        for rows in self.pixels.chunks_exact(2 * self.width) {
            let (upper, lower) = rows.split_at(self.width);
            let pairs = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
            // A pair is summed as one number of 16 bits, which takes a sixth of the time that its bytes one by one do.
            let sum = |pair: &[u8; 2]| {
                let both = u16::from_ne_bytes(*pair);
                (both & 0xff) + (both >> 8)
            };
            pixels.extend(pairs.map(|(upper, lower)| ((sum(upper) + sum(lower) + 2) / 4) as u8));
        }
        Self { pixels, width, height }
    }

    /// `size` pixels, each the mean of `samples` across and down, where `to_photo` leads from a result's pixel to the photo, of
    /// whose pixels one of these is `scale` wide.
    fn warped(
        &self,
        to_photo: &Homography,
        scale: f32,
        (width, height): (usize, usize),
        (across, down): (usize, usize),
    ) -> Vec<u8> {
        let [[a, b, c], [d, e, f], [g, h, i]] = to_photo.rows().map(|row| row.map(|v| v as f32));
        let per_pixel = 1.0 / scale;
        // A place on the last pixel would need one beyond it.
        let [right, bottom] = [self.width, self.height].map(|side| (side - 1) as f32 * STEPS - 1.0);
        let whole = |steps: f32| (steps + TO_WHOLE).to_bits() & WHOLE_BITS;
        let mut pixels = Vec::with_capacity(width * height);
        let mut sums = vec![0; width];
        // Places are computed a row at a time, apart from the pixels fetched, because only the former can be vectorised.
        let mut places = vec![(0, 0); width * across];
        for row in 0..height {
            sums.fill(0);
            for sub_y in 0..down {
                let v = row as f32 + (sub_y as f32 + 0.5) / down as f32;
                for (at, place) in places.iter_mut().enumerate() {
                    let u = (at as f32 + 0.5) / across as f32;
                    let w = per_pixel / (g * u + h * v + i).max(1e-6);
                    let (x, y) = ((a * u + b * v + c) * w, (d * u + e * v + f) * w);
                    let steps = |px: f32, last: f32| whole(((px - 0.5) * STEPS).clamp(0.0, last));
                    *place = (steps(x, right), steps(y, bottom));
                }
                for (sum, places) in sums.iter_mut().zip(places.chunks_exact(across)) {
                    *sum += places.iter().map(|&(x, y)| self.between(x, y)).sum::<u32>();
                }
            }
            let samples = (across * down) as f32 * STEPS * STEPS;
            pixels.extend(sums.iter().map(|&sum| (sum as f32 / samples + 0.5) as u8));
        }
        pixels
    }

    /// Bilinear between pixel centres, which lie at whole multiples of [`STEPS`] here; grey times `STEPS` squared.
    fn between(&self, x: u32, y: u32) -> u32 {
        const STEP: u32 = STEPS as u32;
        let (fx, fy) = (x % STEP, y % STEP);
        // One slice of known length for both rows: one check of bounds.
        let four = &self.pixels[(y / STEP) as usize * self.width + (x / STEP) as usize..][..self.width + 2];
        let at = |index: usize| u32::from(four[index]);
        let top = at(0) * (STEP - fx) + at(1) * fx;
        let low = at(self.width) * (STEP - fx) + at(self.width + 1) * fx;
        top * (STEP - fy) + low * fy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Point;

    /// Each pixel tells its place: ten times the row and the column.
    fn numbered() -> Photo {
        Photo::from_grey((0..60).map(|i| (i / 10 * 10 + i % 10) as u8).collect(), 10, 6).unwrap()
    }

    #[test]
    fn pixels_must_fill_the_picture() {
        for (count, width, height) in
            [(0, 0, 0), (5, 2, 3), (7, 2, 3), (0, 0, 9), (4, usize::MAX, 2), (5, 5, 1), (5, 1, 5)]
        {
            assert!(
                Photo::from_grey(vec![0; count], width, height).is_none(),
                "{count} of {width} x {height}"
            );
        }
    }

    #[test]
    fn a_quad_shows_upright_whatever_its_turn() {
        let [a, b, c, d] = Quad::rect(2.0, 1.0, 3.0, 2.0).0;
        for (corners, width, height, expected) in [
            ([a, b, c, d], 3, 2, [12, 13, 14, 22, 23, 24]),
            ([c, d, a, b], 3, 2, [24, 23, 22, 14, 13, 12]),
            ([b, c, d, a], 2, 3, [14, 24, 13, 23, 12, 22]),
            ([d, a, b, c], 2, 3, [22, 12, 23, 13, 24, 14]),
        ] {
            let (pixels, to_photo) = numbered().straightened(&Quad(corners), width, height).unwrap();
            assert_eq!(pixels, expected, "{corners:?}");
            assert!(to_photo.apply(Point::new(0.0, 0.0)).distance(corners[0]) < 1e-3);
        }
    }

    #[test]
    fn a_pixel_averages_what_it_covers() {
        let stripes =
            Photo::from_grey((0..32 * 32).map(|i| if i % 2 == 0 { 0 } else { 200 }).collect(), 32, 32)
                .unwrap();
        let (pixels, _) = stripes.straightened(&Quad::rect(4.0, 4.0, 16.0, 16.0), 4, 4).unwrap();
        assert!(pixels.iter().all(|grey| grey.abs_diff(100) <= 1), "{pixels:?}");
    }

    #[test]
    fn a_view_of_many_pixels_shows_the_same_places() {
        // A ramp along both axes, with odd sides, so that a row and a column go without a partner.
        let (width, height) = (1001, 803);
        let grey = |x: f32, y: f32| 20.0 + 0.12 * x + 0.1 * y;
        let ramp =
            (0..width * height).map(|i| grey((i % width) as f32 + 0.5, (i / width) as f32 + 0.5) as u8);
        let photo = Photo::from_grey(ramp.collect(), width, height).unwrap();
        for size in [20, 60, 150, 300, 500] {
            // As large as the photo is high, and turned.
            let [a, b, c, d] = Quad::rect(100.0, 4.0, 790.0, 790.0).0;
            let (pixels, to_photo) = photo.straightened(&Quad([b, c, d, a]), size, size).unwrap();
            for (at, pixel) in pixels.iter().enumerate() {
                let place = to_photo.apply(Point::new((at % size) as f32 + 0.5, (at / size) as f32 + 0.5));
                let expected = grey(place.x, place.y);
                assert!((f32::from(*pixel) - expected).abs() < 1.3, "{size}, {at}: {pixel}, {expected}");
            }
        }
    }

    #[test]
    fn a_thumbnail_shows_the_same_places_however_large_the_photo_is() {
        let grey = |x: f32, y: f32| 20.0 + 200.0 * x + 30.0 * y;
        for (width, height) in [(160, 90), (320, 180), (641, 361), (1001, 563), (90, 160), (4003, 2251)] {
            let longer = width.max(height) as f32;
            let at = |i: usize| ((i % width) as f32 + 0.5) / longer;
            let down = |i: usize| ((i / width) as f32 + 0.5) / longer;
            let ramp = (0..width * height).map(|i| grey(at(i), down(i)).round() as u8).collect();
            let photo = Photo::from_grey(ramp, width, height).unwrap();
            let (pixels, across, to_photo) = photo.thumbnail(320).unwrap();
            assert_eq!((across.max(pixels.len() / across), pixels.len() % across), (320, 0));
            for (i, pixel) in pixels.iter().enumerate() {
                let (column, row) = (i % across, i / across);
                if column.min(across - 1 - column) < 2 || row.min(pixels.len() / across - 1 - row) < 2 {
                    continue; // beyond the border there is nothing to average
                }
                let place = to_photo.apply(Point::new(column as f32 + 0.5, row as f32 + 0.5));
                let expected = grey(place.x / longer, place.y / longer);
                assert!(
                    (f32::from(*pixel) - expected).abs() < 1.5,
                    "{width} x {height}, {column}, {row}: {pixel}, {expected}"
                );
            }
        }
        assert_eq!(numbered().thumbnail(0).map(|(pixels, across, _)| (pixels.len(), across)), Some((1, 1)));
    }

    #[test]
    fn what_lies_outside_repeats_the_border() {
        let photo = numbered();
        for (quad, expected) in [
            (Quad::rect(-50.0, -50.0, 3.0, 3.0), 0),
            (Quad::rect(50.0, -50.0, 3.0, 3.0), 9),
            (Quad::rect(1e6, 1e6, 40.0, 3.0), 59),
        ] {
            assert_eq!(photo.straightened(&quad, 2, 2).unwrap().0, [expected; 4], "{quad:?}");
        }
    }

    #[test]
    fn no_quad_makes_it_panic() {
        let photo = numbered();
        let at = |corners: [(f32, f32); 4]| Quad(corners.map(|(x, y)| Point::new(x, y)));
        for (quad, shown) in [
            (at([(3.0, 3.0); 4]), false),
            (at([(0.0, 0.0), (1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]), false),
            (at([(f32::NAN, 0.0), (5.0, 0.0), (5.0, 5.0), (0.0, 5.0)]), false),
            (at([(0.0, 0.0), (f32::INFINITY, 0.0), (5.0, 5.0), (0.0, 5.0)]), false),
            // Far larger than the photo, crossing, and with its horizon inside.
            (Quad::rect(-1e7, -1e7, 2e7, 2e7), true),
            (at([(5.0, 0.0), (0.0, 0.0), (5.0, 5.0), (0.0, 5.0)]), true),
            (at([(0.0, 0.0), (10.0, 0.0), (4.0, 1.0), (0.0, 10.0)]), true),
        ] {
            let straight = photo.straightened(&quad, 8, 4);
            assert_eq!(straight.map(|(pixels, _)| pixels.len()), shown.then_some(32), "{quad:?}");
        }
    }
}
