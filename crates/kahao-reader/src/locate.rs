//! Photo -> the text lines that matter (card numbers, expiry dates, holders' names) as quads whose first corner is the text's own top-left,
//! and the card about a number likewise.
//! The network sees a thumbnail; a line that is small or steep in it gets a second look, close and upright.

use crate::geometry::{Homography, Point, Quad};
use crate::model::{Metadata, Model};
use crate::photo::Photo;
use crate::{LoadError, ReadError};

/// What a text line says; a card is found as a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineKind {
    Number,
    Date,
    Holder,
    Card,
    /// A number in rows of four digits, all rows together.
    Stack,
}

impl LineKind {
    /// As the models' metadata names it.
    fn of(name: &str) -> Option<Self> {
        match name {
            "number" => Some(Self::Number),
            "date" => Some(Self::Date),
            "holder" => Some(Self::Holder),
            "card" => Some(Self::Card),
            "stack" => Some(Self::Stack),
            _ => None,
        }
    }
}

/// A text line in the photo.
#[derive(Debug, Clone)]
pub(crate) struct TextLine {
    pub(crate) kind: LineKind,
    /// How many cells of the network's grid vote for it, by their probability.
    pub(crate) votes: f32,
    /// Tight quad in the photo's pixels.
    pub(crate) quad: Quad,
}

/// Side of the network's coarsest cells, px: it takes whole ones.
const COARSEST: usize = 32;
/// So much black beside a photo, px, is left of the square that the network learnt to see it in.
const LETTERBOX_MARGIN: usize = 16;
/// A cell belongs to a line from this probability on.
const CELL_THRESHOLD: f32 = 0.4;
/// Fewer votes than this are noise: a digit's width of a line seen from afar.
const MIN_VOTES: f32 = 1.0;
/// Numbers shorter than this share of the picture's longer side are looked at again, closer, and so are dates below them.
const SMALL_LINE: f32 = 0.5;
/// Lines steeper than this (sine of 10 degrees) are looked at again, upright: most cards are trained and read so.
const STEEP_LINE: f32 = 0.17;
/// Side of the second look, in lengths of the line: about the whole card shows.
const SECOND_LOOK: f32 = 1.5;
/// Side of the look at a line that could not be read.
const CLOSE_LOOK: f32 = 1.2;
/// The middle of the look for the holder's name, along a number and below its top-left corner, and the look's side, in lengths
/// of it: names begin where numbers do, mostly, and are 26 characters long at most.
const HOLDER_CENTRE: (f32, f32) = (0.48, 0.22);
const HOLDER_LOOK: f32 = 1.1;
/// Side of closer looks at a number in rows, in lengths of its longer side, and how many there are: of 242 drawn numbers 161 were
/// read with three, 155 with two, 160 with four.
const STACK_LOOK: f32 = 2.0;
const STACK_LOOKS: usize = 3;
/// Side of the look for the card about a number, in lengths of it: a card is at most 1.6 times as wide as its number is long.
const CARD_LOOK: f32 = 2.2;
/// Where a card's number lies across and down it; both are told with an error.
const BESIDE_CARD: std::ops::Range<f32> = -0.05..1.05;
/// Where short lines may stand, in their heights: how much lower, and how high. Of 34 real dates 27 were read so instead of 25,
/// of 112 drawn ones 94 instead of 81.
const SHORT_LINES: [(f32, f32); 3] = [(0.0, 1.3), (-0.25, 1.0), (0.25, 1.0)];
/// A line that a second look shows so many times as long was told short, and the look may have cut it: it gets another.
const LONGER: f32 = 1.15;
/// Second looks in one picture.
const MAX_SECOND_LOOKS: usize = 6;

/// A square view of a whole photo about its middle.
pub(crate) struct View {
    /// Side, in the photo's longer sides.
    side: f32,
    /// By how much the view is turned clockwise, degrees.
    turn: f32,
}

/// From where a photo is looked at again of which nothing could be read, in order of what each brings: of 36 views
/// those that together made the most of 42 such drawn pictures legible (16, and one wrong; `training/LOG.md`).
pub(crate) const OTHER_VIEWS: [View; 4] = [
    View { side: 0.7, turn: 90.0 },
    View { side: 1.0, turn: 135.0 },
    View { side: 1.4, turn: 0.0 },
    View { side: 0.7, turn: 0.0 },
];
/// Lines that end nearer than this to the border of such a view, in its sides, may go on beyond.
const VIEW_MARGIN: f32 = 0.04;

/// Finds text lines; see `training/nets.py` for the network's output.
pub(crate) struct Locator {
    model: Box<dyn Model>,
    /// In the order of its mask channels.
    kinds: Vec<LineKind>,
    size: usize,
    stride: usize,
    offset_px: f32,
}

impl Locator {
    pub(crate) fn new(model: Box<dyn Model>, metadata: &Metadata) -> Result<Self, LoadError> {
        let (width, height): (usize, usize) = (metadata.number("width")?, metadata.number("height")?);
        let stride: usize = metadata.number("stride")?;
        let kinds: Option<Vec<_>> = metadata.text("kinds")?.split(' ').map(LineKind::of).collect();
        let sound =
            width == height && width > 0 && width % COARSEST == 0 && stride > 0 && width % stride == 0;
        let Some(kinds) = kinds.filter(|_| sound) else {
            return Err(
                metadata.fault("its kinds or sizes are not those this reader was written for".to_owned())
            );
        };
        Ok(Self { model, kinds, size: width, stride, offset_px: metadata.number("offset_px")? })
    }

    /// Every line of the photo, those with most votes first.
    pub(crate) fn locate(&self, photo: &Photo) -> Result<Vec<TextLine>, ReadError> {
        let mut lines = self.look_at_all(photo)?;
        let steep = |quad: &Quad| {
            let [left, right, ..] = quad.0;
            right.x < left.x || (right.y - left.y).abs() > STEEP_LINE * quad.width()
        };
        let unclear = |line: &&TextLine| {
            line.kind == LineKind::Number && (is_small(photo, &line.quad) || steep(&line.quad))
        };
        let mut unclear: Vec<TextLine> = lines.iter().filter(unclear).cloned().collect();
        let mut closer: Vec<TextLine> = Vec::new();
        let mut looks = 0;
        while looks < unclear.len().min(MAX_SECOND_LOOKS) {
            let line = unclear[looks].clone();
            looks += 1;
            for again in self.look_around(photo, &line.quad, SECOND_LOOK)? {
                let is_it = same(&line, &again);
                if is_it && again.quad.width() > LONGER * line.quad.width() {
                    unclear.push(again.clone());
                }
                // A look about another card may see no more of a line than its end.
                if is_it || !closer.iter().any(|line| same(line, &again) && line.votes > again.votes) {
                    closer.retain(|line| !same(line, &again));
                    closer.push(again);
                }
            }
        }
        // Keep of the first look only what no second one saw better.
        lines.retain(|line| !closer.iter().any(|other| same(line, other)));
        lines.extend(closer);
        most_votes_first(&mut lines);
        Ok(lines)
    }

    /// The numbers in rows of the photo, those with most votes first, as closer looks at each show them, upright.
    pub(crate) fn locate_stacks(&self, photo: &Photo) -> Result<Vec<TextLine>, ReadError> {
        let mut stacks: Vec<TextLine> = Vec::new();
        for mut stack in self.look_at_all(photo)?.into_iter().take(MAX_SECOND_LOOKS) {
            for _ in 0..STACK_LOOKS {
                let side = stack.quad.width().max(stack.quad.height()) / stack.quad.width().max(1e-3);
                let seen = self.look_around(photo, &stack.quad, STACK_LOOK * side)?;
                let it = with_most_votes(seen.into_iter().filter(|again| same(&stack, again)));
                let Some(closer) = it else { break };
                stack = closer;
            }
            if !stacks.iter().any(|known| same(known, &stack)) {
                stacks.push(stack);
            }
        }
        most_votes_first(&mut stacks);
        Ok(stacks)
    }

    /// The lines of a view of the photo, those with most votes first; none that the view cuts off.
    pub(crate) fn locate_in(&self, photo: &Photo, view: &View) -> Result<Vec<TextLine>, ReadError> {
        let (width, height) = (photo.width() as f32, photo.height() as f32);
        let (sin, cos) = view.turn.to_radians().sin_cos();
        let half = 0.5 * view.side * width.max(height);
        let square = square(Point::new(0.5 * width, 0.5 * height), half * cos, half * sin);
        let mut lines = self.look_at(photo, &square)?;
        let unit = Quad::rect(0.0, 0.0, 1.0, 1.0);
        let Some(to_view) = Homography::from_quads(&square, &unit) else { return Ok(Vec::new()) };
        let within = VIEW_MARGIN..1.0 - VIEW_MARGIN;
        lines.retain(|line| {
            let inside = |p: &Point| within.contains(&p.x) && within.contains(&p.y);
            line.quad.transform(&to_view).0.iter().all(inside)
        });
        most_votes_first(&mut lines);
        Ok(lines)
    }

    /// A line as a second look shows it, close and upright.
    pub(crate) fn look_upright(&self, photo: &Photo, line: &TextLine) -> Result<Option<TextLine>, ReadError> {
        let lines = self.look_around(photo, &line.quad, SECOND_LOOK)?;
        Ok(with_most_votes(lines.into_iter().filter(|other| same(other, line))))
    }

    /// The number lines about a line, seen from so close that it nearly fills the view.
    pub(crate) fn look_closer(&self, photo: &Photo, line: &TextLine) -> Result<Vec<Quad>, ReadError> {
        let lines = self.look_around(photo, &line.quad, CLOSE_LOOK)?;
        Ok(lines.into_iter().filter(|other| same(other, line)).map(|line| line.quad).collect())
    }

    /// The lines of a kind where holder and dates stand about a number, those with most votes first.
    pub(crate) fn look_below(
        &self,
        photo: &Photo,
        number: &Quad,
        kind: LineKind,
    ) -> Result<Vec<TextLine>, ReadError> {
        let mut lines = self.look_at(photo, &holder_look(number))?;
        lines.retain(|line| line.kind == kind);
        most_votes_first(&mut lines);
        Ok(lines)
    }

    /// The card with a number, from the corner that is its top-left when the number is upright; corners may lie outside the photo.
    pub(crate) fn look_for_card(&self, photo: &Photo, number: &Quad) -> Result<Option<Quad>, ReadError> {
        let unit = Quad::rect(0.0, 0.0, 1.0, 1.0);
        let holds_number = |card: &TextLine| {
            let on_card = Homography::from_quads(&card.quad, &unit).map(|to_card| number.transform(&to_card));
            let within = |p: &Point| BESIDE_CARD.contains(&p.x) && BESIDE_CARD.contains(&p.y);
            card.kind == LineKind::Card && on_card.is_some_and(|quad| quad.0.iter().all(within))
        };
        let seen = self.look_at(photo, &card_look(number))?;
        Ok(with_most_votes(seen.into_iter().filter(holds_number)).map(|card| card.quad))
    }

    /// The lines that a thumbnail of the photo shows.
    fn look_at_all(&self, photo: &Photo) -> Result<Vec<TextLine>, ReadError> {
        let (thumbnail, width, to_photo) = self.letterbox(photo)?;
        self.look(&thumbnail, width, &to_photo)
    }

    /// The lines in a square about a line, as upright as the line itself, its side `lengths` of it.
    fn look_around(&self, photo: &Photo, quad: &Quad, lengths: f32) -> Result<Vec<TextLine>, ReadError> {
        self.look_at(photo, &around(quad, quad.centre(), lengths))
    }

    /// The lines in a part of the photo.
    fn look_at(&self, photo: &Photo, view: &Quad) -> Result<Vec<TextLine>, ReadError> {
        match photo.straightened(view, self.size, self.size) {
            Some((pixels, to_photo)) => {
                let pixels: Vec<f32> = pixels.into_iter().map(f32::from).collect();
                self.look(&pixels, self.size, &to_photo)
            }
            None => Ok(Vec::new()),
        }
    }

    /// Lines in the photo's pixels, from what the network sees, in rows of `width`.
    fn look(&self, seen: &[f32], width: usize, to_photo: &Homography) -> Result<Vec<TextLine>, ReadError> {
        let output = self.model.run(seen, width)?;
        let columns = width / self.stride;
        let cells = seen.len() / (self.stride * self.stride);
        let lines = self.lines_of(&output, columns, cells).ok_or(ReadError::Model)?;
        Ok(lines.into_iter().map(|line| TextLine { quad: line.quad.transform(to_photo), ..line }).collect())
    }

    /// The photo scaled into the top-left of a black square, of which nothing is left far from the photo: its rows, their length,
    /// and the way back.
    fn letterbox(&self, photo: &Photo) -> Result<(Vec<f32>, usize, Homography), ReadError> {
        let (thumbnail, width, to_photo) = photo.thumbnail(self.size).ok_or(ReadError::Model)?;
        let side = |length: usize| (length + LETTERBOX_MARGIN).next_multiple_of(COARSEST).min(self.size);
        let (columns, rows) = (side(width), side(thumbnail.len() / width));
        let mut boxed = vec![0.0; columns * rows];
        for (to, from) in boxed.chunks_exact_mut(columns).zip(thumbnail.chunks_exact(width)) {
            for (to, from) in to.iter_mut().zip(from) {
                *to = f32::from(*from);
            }
        }
        Ok((boxed, columns, to_photo))
    }

    /// Lines in thumbnail pixels. Cells of a kind that touch form a line; each cell's vote for a corner weighs the more
    /// the nearer the corner is, because near corners are told best. `None` when the output has not so many `cells`, in rows of
    /// `columns`.
    fn lines_of(&self, output: &[f32], columns: usize, cells: usize) -> Option<Vec<TextLine>> {
        if columns == 0 || output.len() != cells * (self.kinds.len() + 8) {
            return None;
        }
        let mut lines = Vec::new();
        for (channel, kind) in self.kinds.iter().copied().enumerate() {
            let probs: Vec<f32> =
                output[channel * cells..][..cells].iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect();
            let line_of = |members: &[usize]| self.line_of(output, columns, &probs, members, kind);
            let mut parts: Vec<(Vec<usize>, TextLine)> = Vec::new();
            for mut members in touching(&probs, columns) {
                let Some(mut line) = line_of(&members) else { continue };
                // A line that art or a gap cut in two: each part votes for the corners of the whole.
                while let Some(same) = parts.iter().position(|(_, part)| overlap(&part.quad, &line.quad)) {
                    members.append(&mut parts.swap_remove(same).0);
                    let Some(joined) = line_of(&members) else { break };
                    line = joined;
                }
                parts.push((members, line));
            }
            lines.extend(parts.into_iter().map(|(_, line)| line).filter(|line| line.votes >= MIN_VOTES));
        }
        Some(lines)
    }

    /// The line that some cells vote for; `None` when its corners cross or collapse: then it is a blot, not a line of text.
    fn line_of(
        &self,
        output: &[f32],
        columns: usize,
        probs: &[f32],
        members: &[usize],
        kind: LineKind,
    ) -> Option<TextLine> {
        let plane = |channel: usize| &output[channel * probs.len()..];
        let corner = |index: usize| {
            let first = self.kinds.len() + 2 * index;
            let (xs, ys) = (plane(first), plane(first + 1));
            let (mut x, mut y, mut total) = (0.0, 0.0, 0.0);
            for &cell in members {
                let (dx, dy) = (xs[cell] * self.offset_px, ys[cell] * self.offset_px);
                let weight = probs[cell] / (dx * dx + dy * dy + 64.0);
                x += weight * (((cell % columns) as f32 + 0.5) * self.stride as f32 + dx);
                y += weight * (((cell / columns) as f32 + 0.5) * self.stride as f32 + dy);
                total += weight;
            }
            Point::new(x / total, y / total)
        };
        let quad = Quad([corner(0), corner(1), corner(2), corner(3)]);
        let sound = quad.0.iter().all(|p| p.x.is_finite() && p.y.is_finite())
            && quad.is_convex()
            && (matches!(kind, LineKind::Card | LineKind::Stack) || quad.width() > quad.height())
            && quad.area() > 4.0;
        sound.then(|| TextLine { kind, votes: members.iter().map(|&cell| probs[cell]).sum(), quad })
    }
}

fn most_votes_first(lines: &mut [TextLine]) {
    lines.sort_by(|a, b| b.votes.total_cmp(&a.votes));
}

fn with_most_votes(lines: impl Iterator<Item = TextLine>) -> Option<TextLine> {
    lines.max_by(|a, b| a.votes.total_cmp(&b.votes))
}

/// Groups of cells above the threshold that touch by a side or a corner, as indices into the grid of so many columns.
fn touching(probs: &[f32], columns: usize) -> Vec<Vec<usize>> {
    let rows = probs.len() / columns;
    let mut seen = vec![false; probs.len()];
    let mut groups = Vec::new();
    for start in 0..probs.len() {
        if seen[start] || probs[start] < CELL_THRESHOLD {
            continue;
        }
        seen[start] = true;
        let (mut group, mut open) = (Vec::new(), vec![start]);
        while let Some(cell) = open.pop() {
            group.push(cell);
            let (x, y) = (cell % columns, cell / columns);
            for ny in y.saturating_sub(1)..(y + 2).min(rows) {
                for nx in x.saturating_sub(1)..(x + 2).min(columns) {
                    let next = ny * columns + nx;
                    if !seen[next] && probs[next] >= CELL_THRESHOLD {
                        seen[next] = true;
                        open.push(next);
                    }
                }
            }
        }
        groups.push(group);
    }
    groups
}

/// Whether a number is so short in the photo that the first look tells its line, and dates below it, badly.
pub(crate) fn is_small(photo: &Photo, number: &Quad) -> bool {
    is_shorter(photo, number, SMALL_LINE)
}

/// Whether a number is shorter than this share of the photo's longer side.
pub(crate) fn is_shorter(photo: &Photo, number: &Quad, share: f32) -> bool {
    number.width() < share * photo.width().max(photo.height()) as f32
}

/// A square about a point, as upright as a line, its side in lengths of that line. What lies outside the photo shows its
/// border.
fn around(line: &Quad, centre: Point, lengths: f32) -> Quad {
    let [left, right, ..] = line.0;
    square(centre, (right.x - left.x) * lengths / 2.0, (right.y - left.y) * lengths / 2.0)
}

/// The square in which the holder's name of the card with this number, and dates from closer by, are looked for; the renderer frames its training looks
/// by the same function.
pub fn holder_look(number: &Quad) -> Quad {
    let [left, right, ..] = number.0;
    let (dx, dy) = (right.x - left.x, right.y - left.y);
    let (along, below) = HOLDER_CENTRE;
    let centre = Point::new(left.x + along * dx - below * dy, left.y + along * dy + below * dx);
    around(number, centre, HOLDER_LOOK)
}

/// The square in which the card with this number is looked for; the renderer frames its training looks by the same function.
pub fn card_look(number: &Quad) -> Quad {
    around(number, number.centre(), CARD_LOOK)
}

/// Where a short line near a number may truly stand: as upright as the number, a little higher and lower. A long line's corners
/// are told well, a short one's slope and place badly. `to_number` leads into the number's own frame, where both, which lie in
/// one plane, are upright. None where no way leads back.
pub(crate) fn along(line: &Quad, to_number: &Homography) -> Vec<Quad> {
    let Some(to_photo) = to_number.invert() else { return Vec::new() };
    let [a, b, c, d] = line.transform(to_number).0;
    let (left, right) = ((a.x + d.x) / 2.0, (b.x + c.x) / 2.0);
    let (top, bottom) = ((a.y + b.y) / 2.0, (c.y + d.y) / 2.0);
    let at = |(lower, height): (f32, f32)| {
        let middle = (top + bottom) / 2.0 + lower * (bottom - top);
        let height = height * (bottom - top);
        Quad::rect(left, middle - height / 2.0, right - left, height).transform(&to_photo)
    };
    SHORT_LINES.map(at).to_vec()
}

/// A square about a point; (dx, dy) leads from there to the middle of its right side.
fn square(centre: Point, dx: f32, dy: f32) -> Quad {
    Quad(
        [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]
            .map(|(u, v)| Point::new(centre.x + u * dx - v * dy, centre.y + u * dy + v * dx)),
    )
}

/// Whether two looks saw one line.
fn same(a: &TextLine, b: &TextLine) -> bool {
    a.kind == b.kind && overlap(&a.quad, &b.quad)
}

/// Whether two quads are of one line: the centre of one lies in the other, or just above or below it.
pub(crate) fn overlap(a: &Quad, b: &Quad) -> bool {
    let holds = |outer: &Quad, p: Point| {
        let [left, right, ..] = outer.0;
        let centre = outer.centre();
        let length = left.distance(right).max(1e-3);
        let (ux, uy) = ((right.x - left.x) / length, (right.y - left.y) / length);
        let (dx, dy) = (p.x - centre.x, p.y - centre.y);
        (dx * ux + dy * uy).abs() < 0.5 * length && (dy * ux - dx * uy).abs() < 0.75 * outer.height()
    };
    holds(a, b.centre()) || holds(b, a.centre())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::model::Fake;

    const SIZE: usize = 320;
    const STRIDE: usize = 8;
    const OFFSET_PX: f32 = 64.0;

    /// A locator of numbers and dates around a fake network of 320 px and cells of 8 px.
    pub(crate) fn locator(network: impl Fn(&[f32]) -> Vec<f32> + Send + Sync + 'static) -> Locator {
        locator_of("number date", network)
    }

    /// Shows a network of squares what a letterbox leaves of one, in its top-left, and gives of its output what is left.
    struct Boxed<F>(F);

    impl<F: Fn(&[f32]) -> Vec<f32> + Send + Sync> Model for Boxed<F> {
        fn run(&self, pixels: &[f32], width: usize) -> Result<Vec<f32>, ReadError> {
            assert!(
                width.is_multiple_of(COARSEST) && pixels.len().is_multiple_of(width * COARSEST),
                "{} of {width}",
                pixels.len()
            );
            let mut square = vec![0.0; SIZE * SIZE];
            for (to, from) in square.chunks_exact_mut(SIZE).zip(pixels.chunks_exact(width)) {
                to[..width].copy_from_slice(from);
            }
            let output = (self.0)(&square);
            let rows = pixels.len() / width / STRIDE;
            let side = SIZE / STRIDE;
            if !output.len().is_multiple_of(side * side) {
                return Ok(output);
            }
            let planes = output.chunks_exact(side * side);
            let left = planes.flat_map(|plane| plane.chunks_exact(side).take(rows));
            Ok(left.flat_map(|row| &row[..width / STRIDE]).copied().collect())
        }
    }

    /// The same of other kinds.
    pub(crate) fn locator_of(
        kinds: &str,
        network: impl Fn(&[f32]) -> Vec<f32> + Send + Sync + 'static,
    ) -> Locator {
        let fields =
            [("width", "320"), ("height", "320"), ("stride", "8"), ("kinds", kinds), ("offset_px", "64")];
        Locator::new(Box::new(Boxed(network)), &Metadata::of("fake", &fields)).unwrap()
    }

    /// The output of a network that sees lines at quads in its own pixels: the cells in a quad vote for its corners.
    pub(crate) fn votes(lines: &[(LineKind, Quad)]) -> Vec<f32> {
        let lines: Vec<_> = lines.iter().map(|(kind, quad)| (*kind as usize, *quad)).collect();
        votes_of(2, &lines)
    }

    /// The same of so many kinds, the lines by their mask channel.
    pub(crate) fn votes_of(kinds: usize, lines: &[(usize, Quad)]) -> Vec<f32> {
        let cells = SIZE / STRIDE;
        let mut output = vec![0.0; (kinds + 8) * cells * cells];
        output[..kinds * cells * cells].fill(-9.0);
        for (kind, quad) in lines {
            let (low, high) = quad.bounding_box();
            for cell in 0..cells * cells {
                let at = |index: usize| (index as f32 + 0.5) * STRIDE as f32;
                let (x, y) = (at(cell % cells), at(cell / cells));
                let near = STRIDE as f32 / 2.0;
                if x < low.x - near || x > high.x + near || y < low.y - near || y > high.y + near {
                    continue;
                }
                output[kind * cells * cells + cell] = 6.0;
                for (index, corner) in quad.0.iter().enumerate() {
                    let first = kinds + 2 * index;
                    output[first * cells * cells + cell] = (corner.x - x) / OFFSET_PX;
                    output[(first + 1) * cells * cells + cell] = (corner.y - y) / OFFSET_PX;
                }
            }
        }
        output
    }

    /// A black photo with one white upright bar.
    fn photo_of_bar(width: usize, height: usize, bar: [usize; 4]) -> Photo {
        let [left, top, bar_width, bar_height] = bar;
        let white = |i: usize| {
            let (x, y) = (i % width, i / width);
            (left..left + bar_width).contains(&x) && (top..top + bar_height).contains(&y)
        };
        let pixels = (0..width * height).map(|i| if white(i) { 255 } else { 0 }).collect();
        Photo::from_grey(pixels, width, height).unwrap()
    }

    /// Sees the white bar as a number, to a fraction of a pixel: its middle is the centre of mass, its sides the
    /// brightest row and column. A bar higher than wide is read downwards.
    fn bar_seer(pixels: &[f32]) -> Vec<f32> {
        let sum = |at: &dyn Fn(usize) -> usize| (0..SIZE).map(|i| pixels[at(i)]).sum::<f32>() / 255.0;
        let rows: Vec<f32> = (0..SIZE).map(|y| sum(&|x| y * SIZE + x)).collect();
        let columns: Vec<f32> = (0..SIZE).map(|x| sum(&|y| y * SIZE + x)).collect();
        let middle = |sums: &[f32]| {
            let moment: f32 = sums.iter().enumerate().map(|(i, sum)| (i as f32 + 0.5) * sum).sum();
            moment / sums.iter().sum::<f32>()
        };
        let most = |sums: &[f32]| sums.iter().copied().fold(0.0, f32::max);
        let (width, height) = (most(&rows), most(&columns));
        let rect = Quad::rect(middle(&columns) - width / 2.0, middle(&rows) - height / 2.0, width, height);
        let [a, b, c, d] = rect.0;
        votes(&[(LineKind::Number, if width > height { rect } else { Quad([b, c, d, a]) })])
    }

    #[test]
    fn corners_come_back_in_the_photos_pixels() {
        for (width, height, bar, looks) in [
            // Thumbnail of the same size, half the size, an odd share of it, taller than wide; then enlarged.
            (320, 200, [60, 80, 200, 16], 1),
            (640, 400, [120, 160, 400, 32], 1),
            (1000, 633, [210, 301, 620, 44], 1),
            (500, 900, [20, 410, 460, 40], 1),
            (200, 120, [30, 50, 140, 12], 1),
            // Less than half of the longer side, and steep: a second look.
            (1200, 900, [410, 300, 330, 40], 2),
            (1200, 900, [600, 120, 50, 700], 2),
            (900, 1200, [800, 40, 40, 380], 2),
        ] {
            let runs = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&runs);
            let locator = locator(move |pixels| {
                counted.fetch_add(1, Ordering::Relaxed);
                bar_seer(pixels)
            });
            let lines = locator.locate(&photo_of_bar(width, height, bar)).unwrap();
            let [TextLine { kind: LineKind::Number, quad, .. }] = &lines[..] else {
                panic!("one line: {lines:?}")
            };
            let rect = Quad::rect(bar[0] as f32, bar[1] as f32, bar[2] as f32, bar[3] as f32);
            let [a, b, c, d] = rect.0;
            let expected = if bar[2] > bar[3] { rect } else { Quad([b, c, d, a]) };
            for (corner, expected) in quad.0.into_iter().zip(expected.0) {
                assert!(corner.distance(expected) <= 0.5, "{width} x {height}: {quad:?} for {bar:?}");
            }
            assert_eq!(runs.load(Ordering::Relaxed), looks, "{width} x {height}: looks");
        }
    }

    /// Number lines of a photo of 1000 x 1000 px, where the network sees in each view those lines.
    fn located(looks: Vec<(Quad, Vec<Quad>)>) -> Vec<TextLine> {
        let runs = AtomicUsize::new(0);
        let locator = locator(move |_| {
            let (view, seen) = &looks[runs.fetch_add(1, Ordering::Relaxed)];
            let to_view = Homography::from_quads(view, &Quad::rect(0.0, 0.0, SIZE as f32, SIZE as f32));
            let seen = seen.iter().map(|quad| (LineKind::Number, quad.transform(&to_view.unwrap())));
            votes(&seen.collect::<Vec<_>>())
        });
        let mut found = locator.locate(&photo_of_bar(1000, 1000, [0, 0, 1, 1])).unwrap();
        found.sort_by(|a, b| a.quad.0[0].x.total_cmp(&b.quad.0[0].x));
        found
    }

    fn assert_at(found: &[TextLine], expected: &[Quad]) {
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            let off = found.quad.0.into_iter().zip(expected.0).map(|(a, b)| a.distance(b));
            assert!(off.fold(0.0, f32::max) < 1.0, "{found:?} for {expected:?}");
        }
    }

    fn second_look(line: Quad) -> Quad {
        around(&line, line.centre(), SECOND_LOOK)
    }

    const WHOLE: Quad = Quad::rect(0.0, 0.0, 1000.0, 1000.0);

    #[test]
    fn of_a_line_that_two_closer_looks_see_its_own_counts() {
        // The look about the other line sees this one's end; the upper line's look comes first.
        for (top, other_top) in [(300.0, 400.0), (400.0, 300.0)] {
            let line = Quad::rect(250.0, top, 300.0, 24.0);
            let end = Quad::rect(430.0, top, 120.0, 24.0);
            let other = Quad::rect(500.0, other_top, 320.0, 24.0);
            let mut looks = [(second_look(line), vec![line]), (second_look(other), vec![end, other])];
            if other_top < top {
                looks.reverse();
            }
            let looks = [(WHOLE, vec![line, other])].into_iter().chain(looks).collect();
            assert_at(&located(looks), &[line, other]);
        }
    }

    #[test]
    fn a_line_that_a_second_look_shows_longer_gets_another() {
        let line = Quad::rect(250.0, 300.0, 300.0, 24.0);
        let [short, longer, hardly] = [90.0, 200.0, 95.0].map(|width| Quad::rect(250.0, 300.0, width, 24.0));
        let looks = vec![
            (WHOLE, vec![short]),
            (second_look(short), vec![longer]),
            (second_look(longer), vec![line]),
            (second_look(line), vec![line]),
        ];
        assert_at(&located(looks), &[line]);
        assert_at(&located(vec![(WHOLE, vec![short]), (second_look(short), vec![hardly])]), &[hardly]);
    }

    #[test]
    fn a_line_cut_in_two_is_one_line_of_its_kind() {
        let quad = Quad::rect(40.0, 100.0, 240.0, 16.0);
        let locator = locator(move |_| {
            let mut output =
                votes(&[(LineKind::Number, quad), (LineKind::Date, Quad::rect(150.0, 150.0, 50.0, 12.0))]);
            let cells = SIZE / STRIDE;
            for row in 0..cells {
                output[row * cells + 18..row * cells + 21].fill(-9.0);
            }
            output
        });
        let lines = locator.locate(&Photo::from_grey(vec![0; SIZE * SIZE], SIZE, SIZE).unwrap()).unwrap();
        assert_eq!(
            lines.iter().map(|line| line.kind).collect::<Vec<_>>(),
            [LineKind::Number, LineKind::Date]
        );
        assert!(
            lines[0].quad.0.into_iter().zip(quad.0).all(|(a, b)| a.distance(b) < 0.1),
            "{:?}",
            lines[0].quad
        );
    }

    #[test]
    fn blots_are_no_lines() {
        let [a, b, c, d] = Quad::rect(40.0, 100.0, 240.0, 16.0).0;
        for corners in [
            [b, a, c, d],                                                 // crossing
            [a, b, d, c],                                                 // crossing
            [a, b, c, Point::new(40.0, 90.0)],                            // crossing at one end
            [b, c, d, a],                                                 // higher than wide
            [a, b, b, a],                                                 // flat
            [a; 4],                                                       // a point
            [Point::new(f32::NAN, 1.0), b, c, d],                         // no number
            [a, Point::new(f32::INFINITY, 1.0), Point::new(9.0, 9.0), d], // no place
        ] {
            let seen = move |_: &[f32]| {
                // The cells of the sound quad vote for the odd corners.
                let mut output = votes(&[(LineKind::Number, Quad([a, b, c, d]))]);
                let cells = SIZE / STRIDE;
                for cell in 0..cells * cells {
                    for (index, corner) in corners.iter().enumerate() {
                        let at = |index: usize| (index as f32 + 0.5) * STRIDE as f32;
                        output[(2 + 2 * index) * cells * cells + cell] =
                            (corner.x - at(cell % cells)) / OFFSET_PX;
                        output[(3 + 2 * index) * cells * cells + cell] =
                            (corner.y - at(cell / cells)) / OFFSET_PX;
                    }
                }
                output
            };
            let lines = locator(seen).locate(&photo_of_bar(320, 200, [60, 80, 200, 16])).unwrap();
            assert!(lines.is_empty(), "{corners:?}: {lines:?}");
        }
    }

    #[test]
    fn a_short_line_is_laid_along_its_number() {
        let number = Quad(
            [(60.0, 80.0), (460.0, 120.0), (455.0, 155.0), (57.0, 115.0)].map(|(x, y)| Point::new(x, y)),
        );
        let own = Homography::from_quads(&Quad::rect(0.0, 0.0, 1.0, 1.0), &number).unwrap();
        // Told with another slope, about the same middle.
        let [a, b, c, d] = Quad::rect(0.25, 2.0, 0.25, 0.6).transform(&own).0;
        let told = Quad([(a, -6.0), (b, 6.0), (c, 6.0), (d, -6.0)].map(|(p, dy)| Point::new(p.x, p.y + dy)));
        let to_number = Homography::from_quads(&number, &Quad::rect(0.0, 0.0, 1.0, 1.0)).unwrap();
        let places = along(&told, &to_number);
        assert_eq!(places.len(), SHORT_LINES.len());
        for (place, (lower, height)) in places.iter().zip(SHORT_LINES) {
            let expected =
                Quad::rect(0.25, 2.3 + 0.6 * (lower - height / 2.0), 0.25, 0.6 * height).transform(&own);
            let off = place.0.into_iter().zip(expected.0).map(|(a, b)| a.distance(b)).fold(0.0, f32::max);
            assert!(off < 1.5, "{place:?} for {expected:?}");
        }
    }

    #[test]
    fn lines_of_another_view_come_back_in_the_photo_unless_it_cuts_them() {
        // The view is 320 px wide and turned: x in it runs down the photo, from 160 above its middle.
        let photo = photo_of_bar(457, 300, [0, 0, 1, 1]);
        let view = View { side: 320.0 / 457.0, turn: 90.0 };
        for (left, width, is_whole) in [(30.0, 200.0, true), (30.0, 284.0, false), (2.0, 200.0, false)] {
            let seen = locator(move |_| votes(&[(LineKind::Number, Quad::rect(left, 100.0, width, 16.0))]));
            let lines = seen.locate_in(&photo, &view).unwrap();
            assert_eq!(lines.len(), usize::from(is_whole), "{left}, {width}: {lines:?}");
            let (x, y) = (228.5 + 160.0 - 100.0, 150.0 - 160.0 + left);
            let expected = [(x, y), (x, y + width), (x - 16.0, y + width), (x - 16.0, y)];
            for (corner, (x, y)) in lines.iter().flat_map(|line| line.quad.0).zip(expected) {
                assert!(corner.distance(Point::new(x, y)) < 1.0, "{corner:?} for {x}, {y}");
            }
        }
    }

    #[test]
    fn a_letterbox_leaves_out_the_black_far_from_the_photo() {
        for (width, height, expected) in [
            (600, 300, (320, 192)),
            (300, 600, (192, 320)),
            (320, 304, (320, 320)),
            (500, 500, (320, 320)),
            (3200, 100, (320, 32)),
        ] {
            let white = Photo::from_grey(vec![255; width * height], width, height).unwrap();
            let (boxed, columns, _) = locator(|_| Vec::new()).letterbox(&white).unwrap();
            assert_eq!((columns, boxed.len() / columns), expected, "{width} x {height}");
            let shown = boxed.iter().filter(|&&grey| grey == 255.0).count();
            let longer = width.max(height);
            assert_eq!(shown, (width * 320 / longer) * (height * 320 / longer), "{width} x {height}");
        }
    }

    #[test]
    fn an_output_of_the_wrong_size_is_the_models_fault() {
        let photo = photo_of_bar(320, 200, [60, 80, 200, 16]);
        for values in [0, 15_999, 16_001] {
            assert_eq!(
                locator(move |_| vec![9.0; values]).locate(&photo).err(),
                Some(ReadError::Model),
                "{values}"
            );
        }
        assert!(locator(|_| vec![-9.0; 16_000]).locate(&photo).unwrap().is_empty());
    }

    #[test]
    fn metadata_that_does_not_fit_is_refused() {
        for (key, value) in [
            ("width", "640"),
            ("stride", "0"),
            ("stride", "7"),
            ("kinds", "number word"),
            ("offset_px", "far"),
        ] {
            let mut fields = vec![
                ("width", "320"),
                ("height", "320"),
                ("stride", "8"),
                ("kinds", "number date"),
                ("offset_px", "64"),
            ];
            fields.iter_mut().filter(|(name, _)| *name == key).for_each(|field| field.1 = value);
            let made = Locator::new(Box::new(Fake(|_: &[f32]| Vec::new())), &Metadata::of("fake", &fields));
            assert!(made.is_err(), "{key} = {value}");
        }
    }

    #[test]
    fn a_number_in_rows_is_where_the_last_closer_look_tells_it() {
        let told = Quad::rect(300.0, 300.0, 100.0, 150.0);
        let closer = Quad::rect(305.0, 310.0, 96.0, 140.0);
        let view = around(&told, told.centre(), STACK_LOOK * 1.5);
        for (again, expected) in [(Some(closer), closer), (None, told)] {
            let looks = AtomicUsize::new(0);
            let stacks = locator_of("stack", move |_| {
                let (from, seen) = match looks.fetch_add(1, Ordering::Relaxed) {
                    0 => (WHOLE, Some(told)),
                    1 => (view, again),
                    _ => (view, None),
                };
                let to_view = Homography::from_quads(&from, &Quad::rect(0.0, 0.0, SIZE as f32, SIZE as f32));
                let seen = seen.map(|quad| (0, quad.transform(&to_view.unwrap())));
                votes_of(1, &Vec::from_iter(seen))
            });
            let found = stacks.locate_stacks(&photo_of_bar(1000, 1000, [0, 0, 1, 1])).unwrap();
            assert_at(&found, &[expected]);
        }
    }

    #[test]
    fn the_card_about_a_number() {
        let photo = photo_of_bar(640, 400, [0, 0, 10, 10]);
        let number = Quad::rect(200.0, 180.0, 200.0, 20.0);
        // The look is a square of 2.2 lengths of the number about its middle: 440 px, in 320.
        let to_look =
            Homography::from_quads(&card_look(&number), &Quad::rect(0.0, 0.0, 320.0, 320.0)).unwrap();
        let upright = Quad::rect(170.0, 90.0, 260.0, 164.0);
        let portrait = Quad::rect(190.0, -100.0, 220.0, 350.0);
        let beside = Quad::rect(170.0, 220.0, 260.0, 164.0);
        for (seen, expected) in [
            (vec![upright], Some(upright)),
            (vec![portrait], Some(portrait)),
            (vec![beside], None),
            (vec![beside, upright], Some(upright)),
            (Vec::new(), None),
        ] {
            // Each in a mask of its own: two cards that touch would be one.
            let seen: Vec<(usize, Quad)> =
                seen.iter().map(|quad| quad.transform(&to_look)).enumerate().collect();
            let kinds = seen.len().max(1);
            let names = vec!["card"; kinds].join(" ");
            let locator = locator_of(&names, move |_| votes_of(kinds, &seen));
            let found = locator.look_for_card(&photo, &number).unwrap();
            let off =
                |(a, b): (Quad, Quad)| a.0.iter().zip(b.0).map(|(a, b)| a.distance(b)).fold(0.0, f32::max);
            assert_eq!(found.is_some(), expected.is_some(), "{found:?} {expected:?}");
            assert!(found.zip(expected).is_none_or(|pair| off(pair) < 0.5), "{found:?} {expected:?}");
        }
    }
}
