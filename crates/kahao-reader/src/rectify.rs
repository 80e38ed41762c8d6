//! Photo + line quad -> straight strip of fixed size.
//! Also decides what a strip shows around its text; the renderer frames its training strips by the same function.

use crate::geometry::Quad;
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

/// How much of its frame a strip shows right of a short line's text, of the frame's width: the rest is ground or another text. Of
/// 34 real dates 25 were read and none invented so, 24 and one with the whole frame or 0.175, 25 and none with 0.05; of 311 drawn
/// ones 235 and 5 wrong, 238 and 3, 235 and 4, 229 and 7.
const RIGHT_OF_SHORT: f32 = 0.1;
/// How much wider than its digits a row is seen at each end, in its widths: half of the gap between two groups.
const BETWEEN_ROWS: f32 = 0.05;
/// Widths of strips are multiples of this, px: of every recogniser's stride, 4 or 6.
const WIDTH_STEP: usize = 12;

/// What the strip of a text line shows: the line's tight quad with ground around it.
pub fn frame(line: &Quad) -> Quad {
    framed(line).0
}

/// The same, and where in it the text with its margin ends, as a share of its width.
fn framed(line: &Quad) -> (Quad, f32) {
    let tight = line.expanded(SIDE_MARGIN, (1.0 / TEXT_HEIGHT - 1.0) / 2.0);
    let missing = MIN_ASPECT * tight.height() / tight.width().max(1e-3);
    if missing <= 1.0 {
        return (tight, 1.0);
    }
    let (start, end) = (-LEFT_OF_SHORT * (missing - 1.0), 1.0 + (1.0 - LEFT_OF_SHORT) * (missing - 1.0));
    (tight.part(start..end, 0.0..1.0), (1.0 - start) / (end - start))
}

/// The rows of a number that stands in `count` of them, from the tight quad of them all, the first row's top left first; `pitch`
/// is from one row to the next, in heights of their digits.
pub fn rows_of(stack: &Quad, count: usize, pitch: f32) -> Vec<Quad> {
    let height = 1.0 / (1.0 + count.saturating_sub(1) as f32 * pitch);
    let row = |index: usize| {
        let top = index as f32 * pitch * height;
        stack.part(0.0..1.0, top..top + height)
    };
    (0..count).map(row).collect()
}

/// A straightened text line.
pub(crate) struct Strip {
    /// Grey pixels, row-major.
    pub(crate) pixels: Vec<u8>,
    /// In px.
    pub(crate) width: usize,
}

/// Cuts the strip of a line out of a photo: its frame at `width` x `height` px, without what a short line's shows far right
/// of its text. `None` for a quad without area.
pub(crate) fn rectify(photo: &Photo, line: &Quad, width: usize, height: usize) -> Option<Strip> {
    let (frame, end) = framed(line);
    let shown = (((end + RIGHT_OF_SHORT) * width as f32) as usize).next_multiple_of(WIDTH_STEP).min(width);
    let seen = frame.part(0.0..shown as f32 / width as f32, 0.0..1.0);
    let (pixels, _) = photo.straightened(&seen, shown, height)?;
    Some(Strip { pixels, width: shown })
}

/// Cuts a number's rows out of a photo and puts them side by side, as groups of a number in one line: a strip of `width` x `height`
/// px. See [`rows_of`]. `None` for a quad without area.
pub(crate) fn rectify_rows(
    photo: &Photo,
    stack: &Quad,
    (count, pitch): (usize, f32),
    width: usize,
    height: usize,
) -> Option<Strip> {
    let share = width / count.max(1);
    let mut pixels = vec![0; width * height];
    for (index, row) in rows_of(stack, count, pitch).into_iter().enumerate() {
        let frame = row.expanded(BETWEEN_ROWS, (1.0 / TEXT_HEIGHT - 1.0) / 2.0);
        let (cut, _) = photo.straightened(&frame, share, height)?;
        for (to, from) in pixels.chunks_exact_mut(width).zip(cut.chunks_exact(share)) {
            to[index * share..][..share].copy_from_slice(from);
        }
    }
    Some(Strip { pixels, width })
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
    fn a_short_lines_strip_ends_soon_after_its_text() {
        // White where the line lies: its frame is 300 x 50 px and begins 72.96 px before the line.
        let white = |i: usize| (100..160).contains(&(i % 400)) && (50..78).contains(&(i / 400));
        let pixels = (0..400 * 120).map(|i| if white(i) { 255 } else { 0 }).collect();
        let photo = Photo::from_grey(pixels, 400, 120).unwrap();
        let strip = rectify(&photo, &Quad::rect(100.0, 50.0, 60.0, 28.0), 480, 48).unwrap();
        assert_eq!((strip.width, strip.pixels.len()), (264, 264 * 48));
        // As large as in the whole frame: 117 px to 213 px.
        let middle = &strip.pixels[24 * 264..][..264];
        assert_eq!([106, 122, 208, 219].map(|x| middle[x]), [0, 255, 255, 0], "{middle:?}");
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
    fn rows_stand_side_by_side() {
        // Four rows, each of a grey of its own, 20 px high and one every 32 px.
        let grey = |x: usize, y: usize| match (x, y) {
            (50..130, 40..156) if (y - 40) % 32 < 20 => 60 + 50 * ((y - 40) / 32) as u8,
            _ => 0,
        };
        let pixels = (0..200 * 200).map(|i| grey(i % 200, i / 200)).collect();
        let photo = Photo::from_grey(pixels, 200, 200).unwrap();
        let stack = Quad::rect(50.0, 40.0, 80.0, 116.0);
        let strip = rectify_rows(&photo, &stack, (4, 1.6), 480, 48).unwrap();
        assert_eq!((strip.width, strip.pixels.len()), (480, 480 * 48));
        let row = |y: usize| [60, 180, 300, 420].map(|x| strip.pixels[y * 480 + x]);
        assert_eq!(
            (row(24), row(13), row(34)),
            ([60, 110, 160, 210], [60, 110, 160, 210], [60, 110, 160, 210])
        );
        assert_eq!((row(7), row(40)), ([0; 4], [0; 4]));
        assert_eq!([0, 119, 120, 479].map(|x| strip.pixels[24 * 480 + x]), [0; 4]);
        assert!(rectify_rows(&photo, &Quad::rect(1.0, 1.0, 0.0, 0.0), (4, 1.6), 480, 48).is_none());
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
