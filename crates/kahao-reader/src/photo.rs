//! The decoded picture that all stages look at: grey, upright, with its way back to the original.

use crate::geometry::{Homography, Point, Quad};

/// A decoded picture, grey and upright.
pub(crate) struct Photo {
    pixels: Vec<u8>,
    width: usize,
    height: usize,
    to_original: Homography,
}

/// Samples for each pixel and axis of a warp at most: beyond it a line is so large that skipped pixels do no harm.
const MAX_SAMPLES: usize = 16;

impl Photo {
    /// A picture from grey pixels, row by row, that has its original size; `None` when it is empty or their number
    /// is not `width` x `height`.
    pub(crate) fn from_grey(pixels: Vec<u8>, width: usize, height: usize) -> Option<Self> {
        let whole = width.checked_mul(height)? == pixels.len() && !pixels.is_empty();
        whole.then_some(Self { pixels, width, height, to_original: Homography::identity() })
    }

    /// Luma 0 (black) to 255, row by row from the top, `width` x `height` of them.
    pub(crate) fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// In pixels.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// In pixels.
    pub(crate) fn height(&self) -> usize {
        self.height
    }

    /// The map from this picture to the original: the picture after the EXIF turn and before any scaling.
    pub(crate) fn to_original(&self) -> &Homography {
        &self.to_original
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
        let samples =
            |photo_px: f32, px: usize| ((photo_px / px as f32).ceil() as usize).clamp(1, MAX_SAMPLES);
        let (across, down) = (samples(shown.width(), width), samples(shown.height(), height));
        let [[a, b, c], [d, e, f], [g, h, i]] = to_photo.rows().map(|row| row.map(|v| v as f32));
        let mut pixels = Vec::with_capacity(width * height);
        for row in 0..height {
            for column in 0..width {
                let mut sum = 0.0;
                for sub_y in 0..down {
                    for sub_x in 0..across {
                        let u = column as f32 + (sub_x as f32 + 0.5) / across as f32;
                        let v = row as f32 + (sub_y as f32 + 0.5) / down as f32;
                        let w = (g * u + h * v + i).max(1e-6);
                        sum += self.grey_at(Point::new((a * u + b * v + c) / w, (d * u + e * v + f) / w));
                    }
                }
                pixels.push((sum / (across * down) as f32 + 0.5) as u8);
            }
        }
        Some((pixels, to_photo))
    }

    /// Bilinear between pixel centres; the border is repeated outside.
    fn grey_at(&self, p: Point) -> f32 {
        let (right, bottom) = (self.width - 1, self.height - 1);
        let (x, y) = ((p.x - 0.5).clamp(0.0, right as f32), (p.y - 0.5).clamp(0.0, bottom as f32));
        let (x0, y0) = (x as usize, y as usize);
        let (x1, y1) = ((x0 + 1).min(right), (y0 + 1).min(bottom));
        let at = |x: usize, y: usize| f32::from(self.pixels[y * self.width + x]);
        let (fx, fy) = (x - x0 as f32, y - y0 as f32);
        let top = at(x0, y0) + (at(x1, y0) - at(x0, y0)) * fx;
        let low = at(x0, y1) + (at(x1, y1) - at(x0, y1)) * fx;
        top + (low - top) * fy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each pixel tells its place: ten times the row and the column.
    fn numbered() -> Photo {
        Photo::from_grey((0..60).map(|i| (i / 10 * 10 + i % 10) as u8).collect(), 10, 6).unwrap()
    }

    #[test]
    fn pixels_must_fill_the_picture() {
        for (count, width, height) in [(0, 0, 0), (5, 2, 3), (7, 2, 3), (0, 0, 9), (4, usize::MAX, 2)] {
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
    fn what_lies_outside_repeats_the_border() {
        let photo = numbered();
        for (quad, expected) in [
            (Quad::rect(-50.0, -50.0, 4.0, 4.0), 0),
            (Quad::rect(50.0, -50.0, 4.0, 4.0), 9),
            (Quad::rect(1e6, 1e6, 40.0, 4.0), 59),
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
