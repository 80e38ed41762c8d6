//! A picture with what was read drawn over it, for people who check readings. Says nothing about files.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder, ImageReader, Rgb, RgbImage};

use crate::deadline::Deadline;
use crate::decode::{Limits, decode};
use crate::error::ReadError;
use crate::geometry::{Point, Quad};
use crate::reading::{CardReading, FieldReading};

/// What is shown of card numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// Their places are covered; the first six and the last four digits are written there.
    Masked,
    /// They stay visible, and the reading is written above.
    Shown,
}

const NUMBER: Rgb<u8> = Rgb([23, 209, 176]);
const CARD: Rgb<u8> = Rgb([96, 140, 255]);
const DATE: Rgb<u8> = Rgb([255, 180, 84]);
const PLATE: Rgb<u8> = Rgb([11, 79, 69]);
const INK: Rgb<u8> = Rgb([255, 255, 255]);

/// High enough that small print beside the drawn lines stays as it was.
const JPEG_QUALITY: u8 = 92;

/// The picture, upright, as a JPEG file, with cards and the places of numbers and dates outlined and their readings beside them.
/// Other marks of the card stay as they are.
pub fn annotate(picture: &[u8], cards: &[CardReading], numbers: Numbers) -> Result<Vec<u8>, ReadError> {
    // Refuses what the reader refuses; after it the bytes are known to decode within the limits.
    let limits = Limits::default();
    decode(picture, &limits, Deadline::after(limits.max_time))?;
    let mut canvas = in_colour(picture).ok_or(ReadError::UnsupportedFormat)?;
    for card in cards {
        if let Some(corners) = &card.outline {
            frame(&mut canvas, corners, line_width(&card.number.quad), CARD);
        }
        for date in [&card.valid_date, &card.valid_from].into_iter().flatten() {
            mark(&mut canvas, date);
        }
        if let Some(holder) = &card.holder {
            mark(&mut canvas, holder);
        }
        let number = &card.number;
        match numbers {
            Numbers::Masked => {
                let place = grown(&number.quad);
                label(&mut canvas, &place, &number.value.to_string());
                outline(&mut canvas, &number.quad, NUMBER);
            }
            Numbers::Shown => {
                outline(&mut canvas, &number.quad, NUMBER);
                label(&mut canvas, &above(number), &number.text);
            }
        }
    }
    let mut file = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut file, JPEG_QUALITY);
    canvas.write_with_encoder(encoder).map_err(|_| ReadError::UnsupportedFormat)?;
    Ok(file)
}

/// Outlines a text beside the number and writes its reading below it.
fn mark<T>(canvas: &mut RgbImage, field: &FieldReading<T>) {
    outline(canvas, &field.quad, DATE);
    label(canvas, &below(field), &field.text);
}

fn in_colour(picture: &[u8]) -> Option<RgbImage> {
    let mut decoder =
        ImageReader::new(Cursor::new(picture)).with_guessed_format().ok()?.into_decoder().ok()?;
    let orientation = decoder.orientation().ok();
    let mut picture = DynamicImage::from_decoder(decoder).ok()?;
    if let Some(orientation) = orientation {
        picture.apply_orientation(orientation);
    }
    Some(picture.into_rgb8())
}

/// A quad with some air around it.
fn grown(quad: &Quad) -> Quad {
    let share = 0.15;
    quad.expanded(share * quad.height() / quad.width().max(1.0), share)
}

/// A place of the same size on the side of the text's head.
fn above<T>(field: &FieldReading<T>) -> Quad {
    grown(&field.quad).part(0.0..1.0, -1.1..-0.1)
}

/// A place of the same size on the side of the text's foot.
fn below<T>(field: &FieldReading<T>) -> Quad {
    grown(&field.quad).part(0.0..1.0, 1.1..2.1)
}

fn outline(canvas: &mut RgbImage, quad: &Quad, colour: Rgb<u8>) {
    frame(canvas, &grown(quad), line_width(quad), colour);
}

/// Of the lines about a text, px.
fn line_width(text: &Quad) -> f32 {
    (grown(text).height() / 16.0).max(1.5)
}

/// Lines of `line` px along the inside of a quad's edges.
fn frame(canvas: &mut RgbImage, outer: &Quad, line: f32, colour: Rgb<u8>) {
    let (u, v) = (line / outer.width().max(1.0), line / outer.height().max(1.0));
    for (along, down) in
        [(0.0..1.0, 0.0..v), (0.0..1.0, 1.0 - v..1.0), (0.0..u, 0.0..1.0), (1.0 - u..1.0, 0.0..1.0)]
    {
        fill(canvas, &outer.part(along, down), colour);
    }
}

/// A plate with a text that fills it.
fn label(canvas: &mut RgbImage, quad: &Quad, text: &str) {
    fill(canvas, quad, PLATE);
    // Cells of a glyph and the gap after it; half a cell of air at either end.
    let columns = (text.chars().count() * 6) as f32 + 1.0;
    for (place, char) in text.chars().enumerate() {
        for (row, bits) in glyph(char).into_iter().enumerate() {
            for column in (0..5).filter(|column| bits & (0b1_0000 >> column) != 0) {
                let left = (place * 6 + column + 1) as f32 / columns;
                let top = 0.15 + row as f32 * 0.1;
                fill(canvas, &quad.part(left..left + 1.0 / columns, top..top + 0.1), INK);
            }
        }
    }
}

/// Fills a convex quad; what lies outside the picture is left out.
fn fill(canvas: &mut RgbImage, quad: &Quad, colour: Rgb<u8>) {
    let (from, to) = quad.bounding_box();
    // Casts of floats saturate, and take NaN for 0.
    let end_x = ((to.x.ceil() + 1.0) as u32).min(canvas.width());
    let end_y = ((to.y.ceil() + 1.0) as u32).min(canvas.height());
    for y in (from.y.floor() as u32)..end_y {
        for x in (from.x.floor() as u32)..end_x {
            if is_inside(quad, Point { x: x as f32 + 0.5, y: y as f32 + 0.5 }) {
                canvas.put_pixel(x, y, colour);
            }
        }
    }
}

fn is_inside(quad: &Quad, p: Point) -> bool {
    let [a, b, c, d] = quad.0;
    let side = |from: Point, to: Point| (to.x - from.x) * (p.y - from.y) - (to.y - from.y) * (p.x - from.x);
    let sides = [side(a, b), side(b, c), side(c, d), side(d, a)];
    sides.iter().all(|side| *side >= 0.0) || sides.iter().all(|side| *side <= 0.0)
}

/// The rows of a glyph, five cells each, the left one in the highest bit. Nothing but what numbers and dates hold.
fn glyph(char: char) -> [u8; 7] {
    match char {
        '0' => [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110],
        '1' => [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
        '2' => [0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111],
        '3' => [0b01110, 0b10001, 0b00001, 0b00110, 0b00001, 0b10001, 0b01110],
        '4' => [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010],
        '5' => [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110],
        '6' => [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110],
        '7' => [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000],
        '8' => [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110],
        '9' => [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100],
        '/' => [0b00001, 0b00001, 0b00010, 0b00100, 0b01000, 0b10000, 0b10000],
        '-' => [0, 0, 0, 0b01110, 0, 0, 0],
        '*' => [0, 0, 0b00100, 0b01110, 0b00100, 0, 0],
        _ => [0; 7],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quad(left: f32, top: f32, right: f32, bottom: f32) -> Quad {
        Quad([(left, top), (right, top), (right, bottom), (left, bottom)].map(|(x, y)| Point { x, y }))
    }

    fn card() -> CardReading {
        CardReading {
            number: FieldReading {
                value: "4111111111111111".parse().unwrap(),
                text: "4111 1111 1111 1111".into(),
                prob: 1.0,
                quad: quad(40.0, 60.0, 360.0, 80.0),
                chars: Vec::new(),
            },
            valid_date: None,
            valid_from: None,
            holder: None,
            outline: None,
            issuer: None,
            card_type: None,
            card_name: None,
            scheme: None,
        }
    }

    /// A white PNG picture.
    fn picture(width: u32, height: u32) -> Vec<u8> {
        let mut file = Vec::new();
        let white = RgbImage::from_pixel(width, height, INK);
        white.write_to(&mut Cursor::new(&mut file), image::ImageFormat::Png).unwrap();
        file
    }

    fn drawn(numbers: Numbers) -> RgbImage {
        let file = annotate(&picture(400, 200), &[card()], numbers).unwrap();
        image::load_from_memory(&file).unwrap().into_rgb8()
    }

    /// Pixels within a place that are not white.
    fn covered(canvas: &RgbImage, (left, top, right, bottom): (u32, u32, u32, u32)) -> usize {
        let places = (top..bottom).flat_map(|y| (left..right).map(move |x| (x, y)));
        places.filter(|&(x, y)| canvas.get_pixel(x, y).0.iter().any(|&channel| channel < 200)).count()
    }

    #[test]
    fn a_card_that_was_found_is_framed() {
        let framed = CardReading { outline: Some(quad(10.0, 10.0, 390.0, 190.0)), ..card() };
        let left_edge = (10, 90, 12, 150);
        for (card, expected) in [(framed, 2 * 60), (card(), 0)] {
            let file = annotate(&picture(400, 200), &[card], Numbers::Shown).unwrap();
            let canvas = image::load_from_memory(&file).unwrap().into_rgb8();
            assert_eq!(covered(&canvas, left_edge), expected);
        }
    }

    #[test]
    fn a_masked_number_is_covered_and_a_shown_one_is_not() {
        let inside = (44, 63, 356, 77);
        let area = (356 - 44) * (77 - 63);
        let masked = drawn(Numbers::Masked);
        // The digits that may be seen are white on the plate.
        assert!(covered(&masked, inside) > area / 2, "{}", covered(&masked, inside));
        let shown = drawn(Numbers::Shown);
        assert!(covered(&shown, inside) < area / 10);
        assert!(covered(&shown, (44, 38, 356, 54)) > area / 2, "the reading stands above");
        assert_eq!(covered(&masked, (0, 120, 400, 200)), 0);
    }

    #[test]
    fn places_beyond_the_picture_are_left_out_and_pictures_that_are_none_refused() {
        let mut card = card();
        for wild in
            [quad(-500.0, -300.0, 5000.0, 900.0), quad(f32::NAN, 0.0, 1.0, 1.0), quad(9.0, 9.0, 9.0, 9.0)]
        {
            card.number.quad = wild;
            assert!(annotate(&picture(40, 20), std::slice::from_ref(&card), Numbers::Masked).is_ok());
        }
        assert_eq!(annotate(b"no picture", &[], Numbers::Shown), Err(ReadError::UnsupportedFormat));
    }

    #[test]
    fn every_character_of_numbers_and_dates_has_a_glyph() {
        for char in "0123456789/-*".chars() {
            assert_ne!(glyph(char), [0; 7], "{char}");
        }
        assert_eq!(glyph(' '), [0; 7]);
    }
}
