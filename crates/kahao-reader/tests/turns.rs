//! Whole readings of the drawn cards in `testdata/cards`, turned by any angle: the corners given back are the text's own.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic; allow-unwrap-in-tests knows #[test] functions only"
)]

use std::io::Cursor;
use std::path::PathBuf;

use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageEncoder, Luma, Rgb, RgbImage};
use kahao_reader::geometry::{Homography, Point, Quad};
use kahao_reader::{CardReader, ReadError};

/// Turns of each card: a prime number, so that steps meet no right angle but upright.
const TURNS: usize = 13;
/// Least share of all turns that must be read: steep lines are read less often than upright ones.
const LEAST_READ: f32 = 0.85;
/// Farthest that a corner may lie from its label, in heights of the line.
const CORNER_HEIGHTS: f32 = 1.2;

struct Labelled {
    file: String,
    number: String,
    quad: Quad,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/cards")
}

fn labelled() -> Vec<Labelled> {
    let labels = std::fs::read_to_string(folder().join("labels.csv")).unwrap();
    let label = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let [file, number, _, corners, _] = fields[..] else { panic!("labels.csv has five columns: {line}") };
        let corners: Vec<f32> = corners.split(' ').map(|v| v.parse().unwrap()).collect();
        let corner = |index: usize| Point::new(corners[2 * index], corners[2 * index + 1]);
        Labelled { file: file.to_owned(), number: number.to_owned(), quad: Quad([0, 1, 2, 3].map(corner)) }
    };
    labels.lines().skip(1).map(label).collect()
}

/// The picture turned clockwise about its middle on a grey ground that holds all of it, as a JPEG, and the map to it.
fn turned(card: &RgbImage, degrees: f64) -> (Vec<u8>, Homography) {
    let (width, height) = (f64::from(card.width()), f64::from(card.height()));
    let (sin, cos) = degrees.to_radians().sin_cos();
    let side = width.hypot(height).ceil();
    let at = |p: Point| {
        let (dx, dy) = (f64::from(p.x) - width / 2.0, f64::from(p.y) - height / 2.0);
        Point::new((side / 2.0 + dx * cos - dy * sin) as f32, (side / 2.0 + dx * sin + dy * cos) as f32)
    };
    let flat = Quad::rect(0.0, 0.0, card.width() as f32, card.height() as f32);
    let map = Homography::from_quads(&flat, &Quad(flat.0.map(at))).unwrap();
    let back = map.invert().unwrap();
    let picture = RgbImage::from_fn(side as u32, side as u32, |x, y| {
        let p = back.apply(Point::new(x as f32 + 0.5, y as f32 + 0.5));
        // Takes shares of the sides from pixel corners, as the reader's coordinates count.
        image::imageops::sample_bilinear(card, p.x / width as f32, p.y / height as f32)
            .unwrap_or(Rgb([128; 3]))
    });
    let mut file = Cursor::new(Vec::new());
    picture.write_with_encoder(JpegEncoder::new_with_quality(&mut file, 90)).unwrap();
    (file.into_inner(), map)
}

/// Each corner lies near its own label: a quad that starts at another corner of the text is far off.
fn check_corners(name: &str, quad: &Quad, expected: &Quad) {
    for (corner, label) in quad.0.into_iter().zip(expected.0) {
        let off = corner.distance(label) / expected.height();
        assert!(
            off <= CORNER_HEIGHTS,
            "{name}: a corner is {off:.2} line heights off, {quad:?} for {expected:?}"
        );
    }
}

#[test]
fn corners_follow_the_text_at_any_angle() {
    let reader = CardReader::new().unwrap();
    let cards = labelled();
    assert_eq!(cards.len(), 6);
    let mut read_right = 0;
    for (index, card) in cards.iter().enumerate() {
        let picture = image::open(folder().join(&card.file)).unwrap().into_rgb8();
        for turn in 0..TURNS {
            // Another start for each card, so that all together see as many angles as there are turns.
            let degrees = 360.0 * (turn as f64 + index as f64 / cards.len() as f64) / TURNS as f64;
            let (file, map) = turned(&picture, degrees);
            let readings = match reader.read(&file) {
                Ok(readings) => readings,
                Err(ReadError::NoCard | ReadError::NotLegible) => continue,
                Err(error) => panic!("{} at {degrees:.0} degrees: {error}", card.file),
            };
            let right = readings.iter().find(|reading| reading.number.value.digits() == card.number);
            let Some(number) = right.map(|reading| &reading.number) else { continue };
            read_right += 1;
            let expected = card.quad.transform(&map);
            check_corners(&format!("{} at {degrees:.0} degrees", card.file), &number.quad, &expected);
        }
    }
    let all = cards.len() * TURNS;
    println!("{read_right} of {all} turns read right");
    assert!(read_right as f32 >= LEAST_READ * all as f32, "only {read_right} of {all} turns were read right");
}

/// The picture as a camera stores it that writes an EXIF orientation: turned the other way, the value beside it.
fn stored_turned(card: &RgbImage, orientation: u8) -> Vec<u8> {
    let undo = match orientation {
        6 => 8,
        8 => 6,
        own_inverse => own_inverse,
    };
    let mut stored = DynamicImage::from(card.clone());
    stored.apply_orientation(Orientation::from_exif(undo).unwrap());
    // TIFF header, one entry (tag 0x0112, type SHORT, count 1, value), no next directory.
    let exif =
        [&b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"[..], &[orientation, 0, 0], &[0; 4]].concat();
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut file, 90);
    encoder.set_exif_metadata(exif).unwrap();
    stored.write_with_encoder(encoder).unwrap();
    file
}

#[test]
fn corners_lie_in_the_picture_after_its_exif_turn() {
    let reader = CardReader::new().unwrap();
    let cards = labelled();
    for card in &cards {
        let picture = image::open(folder().join(&card.file)).unwrap().into_rgb8();
        for orientation in 1..=8 {
            let name = format!("{} stored as EXIF {orientation}", card.file);
            let readings = reader.read(&stored_turned(&picture, orientation)).expect(&name);
            let number = &readings[0].number;
            assert_eq!(number.value.digits(), card.number, "{name}");
            check_corners(&name, &number.quad, &card.quad);
        }
    }
}

#[test]
fn a_picture_without_a_card_is_told_so() {
    let mut file = Cursor::new(Vec::new());
    GrayImage::from_pixel(640, 480, Luma([128])).write_to(&mut file, image::ImageFormat::Png).unwrap();
    assert_eq!(CardReader::new().unwrap().read(&file.into_inner()).err(), Some(ReadError::NoCard));
}
