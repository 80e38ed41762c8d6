//! Photo + line quad -> straight strip of fixed size.
//! Also decides what a strip shows around its text; the renderer frames its training strips by the same function.

use crate::geometry::{Point, Quad};
use crate::photo::Photo;

/// Share of the strip's height that the text takes: the rest keeps a locator's error of a third of a line harmless.
const TEXT_HEIGHT: f32 = 0.56;
/// Ground left and right of the text, as a share of its width: a little over half a digit of a 19-digit number.
const SIDE_MARGIN: f32 = 0.04;
/// Least width of what a strip shows, in heights of it: short lines (dates) are not stretched beyond recognition
/// but stand among their neighbours.
const MIN_ASPECT: f32 = 6.0;
/// How much of what a short line's frame lacks is added on its left. A date's left end is told worst, for a caption
/// runs into it: of 34 real dates the first digit was cut on 5 when this was 0. About three characters fit in.
const LEFT_OF_SHORT: f32 = 0.3;

/// What the strip of a text line shows: the line's tight quad with ground around it.
pub fn frame(line: &Quad) -> Quad {
    let framed = line.expanded(SIDE_MARGIN, (1.0 / TEXT_HEIGHT - 1.0) / 2.0);
    let missing = MIN_ASPECT * framed.height() / framed.width().max(1e-3);
    if missing <= 1.0 {
        return framed;
    }
    let [tl, tr, br, bl] = framed.0;
    let along = |from: Point, to: Point, t: f32| {
        Point::new(from.x + (to.x - from.x) * t, from.y + (to.y - from.y) * t)
    };
    let (start, end) = (-LEFT_OF_SHORT * (missing - 1.0), 1.0 + (1.0 - LEFT_OF_SHORT) * (missing - 1.0));
    Quad([along(tl, tr, start), along(tl, tr, end), along(bl, br, end), along(bl, br, start)])
}

/// A straightened text line.
pub(crate) struct Strip {
    /// Grey pixels, row-major.
    pub(crate) pixels: Vec<u8>,
}

/// Cuts the strip of a line out of a photo, `width` x `height` px. `None` for a quad without area.
pub(crate) fn rectify(photo: &Photo, line: &Quad, width: usize, height: usize) -> Option<Strip> {
    let (pixels, _) = photo.straightened(&frame(line), width, height)?;
    Some(Strip { pixels })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_holds_its_line_in_the_middle() {
        let line = Quad::rect(100.0, 50.0, 300.0, 28.0);
        let framed = frame(&line);
        assert!((line.height() / framed.height() - TEXT_HEIGHT).abs() < 1e-4);
        assert!((framed.width() / line.width() - 1.0 - 2.0 * SIDE_MARGIN).abs() < 1e-4);
        assert!(framed.centre().distance(line.centre()) < 1e-3);
    }

    #[test]
    fn a_short_line_stands_left_of_the_middle_of_its_frame() {
        let line = Quad::rect(100.0, 50.0, 60.0, 28.0);
        let framed = frame(&line);
        assert!((framed.width() / framed.height() - MIN_ASPECT).abs() < 1e-3);
        // 300 px in all, of which the line with its margins takes 64.8.
        assert!((framed.0[0].x - (100.0 - 60.0 * SIDE_MARGIN - 0.3 * 235.2)).abs() < 1e-2);
    }

    #[test]
    fn a_strip_shows_the_text_and_its_ground() {
        // A white line on black: the strip is white in its middle rows, black at its edges.
        let (width, height) = (400, 120);
        let white = |i: usize| (50..350).contains(&(i % width)) && (46..74).contains(&(i / width));
        let pixels = (0..width * height).map(|i| if white(i) { 255 } else { 0 }).collect();
        let photo = Photo::from_grey(pixels, width, height).unwrap();
        let strip = rectify(&photo, &Quad::rect(50.0, 46.0, 300.0, 28.0), 320, 32).unwrap();
        let share = strip.pixels.iter().map(|&grey| f32::from(grey) / 255.0).sum::<f32>() / (320.0 * 32.0);
        assert!((share - TEXT_HEIGHT / (1.0 + 2.0 * SIDE_MARGIN)).abs() < 0.01, "{share}");
        assert_eq!((strip.pixels[16 * 320 + 160], strip.pixels[160], strip.pixels[16 * 320]), (255, 0, 0));
    }

    #[test]
    fn lines_that_leave_the_picture_or_have_no_area() {
        let photo = Photo::from_grey(vec![7; 60], 10, 6).unwrap();
        for line in [Quad::rect(-300.0, -90.0, 200.0, 20.0), Quad::rect(-5.0, 2.0, 4000.0, 300.0)] {
            assert_eq!(rectify(&photo, &line, 32, 8).unwrap().pixels, [7; 256], "{line:?}");
        }
        assert!(rectify(&photo, &Quad::rect(1.0, 1.0, 0.0, 0.0), 32, 8).is_none());
        assert!(rectify(&photo, &Quad::rect(f32::NAN, 1.0, 9.0, 2.0), 32, 8).is_none());
    }
}
