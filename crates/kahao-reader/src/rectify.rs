//! Photo + line quad -> straight strip of fixed size, with its way back to the photo.
//! Also decides what a strip shows around its text; the renderer frames its training strips by the same function.

use crate::decode::Photo;
use crate::geometry::{Homography, Point, Quad};

/// Share of the strip's height that the text takes: the rest keeps a locator's error of a third of a line harmless.
const TEXT_HEIGHT: f32 = 0.56;
/// Ground left and right of the text, as a share of its width: a little over half a digit of a 19-digit number.
const SIDE_MARGIN: f32 = 0.04;
/// Least width of what a strip shows, in heights of it: short lines (dates) are not stretched beyond recognition
/// but stand at the left with whatever follows them.
const MIN_ASPECT: f32 = 6.0;

/// What the strip of a text line shows: the line's tight quad with ground around it.
pub fn frame(line: &Quad) -> Quad {
    let framed = line.expanded(SIDE_MARGIN, (1.0 / TEXT_HEIGHT - 1.0) / 2.0);
    let missing = MIN_ASPECT * framed.height() / framed.width().max(1e-3);
    if missing <= 1.0 {
        return framed;
    }
    let [tl, tr, br, bl] = framed.0;
    let longer = |from: Point, to: Point| Point::new(from.x + (to.x - from.x) * missing, from.y + (to.y - from.y) * missing);
    Quad([tl, longer(tl, tr), longer(bl, br), bl])
}

/// A straightened text line.
pub struct Strip {
    /// Grey pixels, row-major.
    pub pixels: Vec<u8>,
    /// From the strip's pixels to the photo's.
    pub to_photo: Homography,
}

/// Cuts the strip of a line out of a photo, `width` x `height` px; each pixel averages the part of the photo it covers.
/// `None` for a quad without area. What lies outside the photo repeats its border.
pub fn rectify(photo: &Photo, line: &Quad, width: usize, height: usize) -> Option<Strip> {
    let framed = frame(line);
    let to_photo = Homography::from_quads(&Quad::rect(0.0, 0.0, width as f32, height as f32), &framed)?;
    // Samples per strip pixel and axis, so that none of the photo's pixels falls between two samples.
    let across = ((framed.width() / width as f32).ceil() as usize).clamp(1, 16);
    let down = ((framed.height() / height as f32).ceil() as usize).clamp(1, 16);
    let [[a, b, c], [d, e, f], [g, h, i]] = to_photo.rows().map(|row| row.map(|v| v as f32));
    let (right, bottom) = ((photo.width() - 1) as f32, (photo.height() - 1) as f32);
    let source = photo.pixels();
    let grey = |x: f32, y: f32| {
        let (x, y) = ((x - 0.5).clamp(0.0, right), (y - 0.5).clamp(0.0, bottom));
        let (x0, y0) = (x as usize, y as usize);
        let (x1, y1) = ((x0 + 1).min(photo.width() - 1), (y0 + 1).min(photo.height() - 1));
        let at = |x: usize, y: usize| f32::from(source[y * photo.width() + x]);
        let (fx, fy) = (x - x0 as f32, y - y0 as f32);
        let top = at(x0, y0) + (at(x1, y0) - at(x0, y0)) * fx;
        let low = at(x0, y1) + (at(x1, y1) - at(x0, y1)) * fx;
        top + (low - top) * fy
    };
    let mut pixels = Vec::with_capacity(width * height);
    for row in 0..height {
        for column in 0..width {
            let mut sum = 0.0;
            for sub_y in 0..down {
                for sub_x in 0..across {
                    let u = column as f32 + (sub_x as f32 + 0.5) / across as f32;
                    let v = row as f32 + (sub_y as f32 + 0.5) / down as f32;
                    let w = (g * u + h * v + i).max(1e-6);
                    sum += grey((a * u + b * v + c) / w, (d * u + e * v + f) / w);
                }
            }
            pixels.push((sum / (across * down) as f32 + 0.5) as u8);
        }
    }
    Some(Strip { pixels, to_photo })
}
