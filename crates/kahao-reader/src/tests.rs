//! The order of the looks, with fakes in the networks' places that find and read drawn lines.

use std::io::Cursor;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::geometry::Point;
use crate::locate::tests::{locator, locator_of, votes, votes_of};
use crate::model::Fake;

const SYMBOLS: &str = " 0123456789/";
const NUMBER: LineKind = LineKind::Number;
const DATE: LineKind = LineKind::Date;

/// A line of a drawn picture: painted in a grey of its own, by which the fake recogniser knows what it says.
#[derive(Clone)]
struct Drawn {
    kind: LineKind,
    quad: Quad,
    grey: u8,
    text: &'static str,
    /// Probability of each symbol's column; the rest goes to another digit.
    sure: f32,
}

fn drawn(kind: LineKind, top: f32, grey: u8, text: &'static str, sure: f32) -> Drawn {
    let quad = if kind == NUMBER {
        Quad::rect(100.0, top, 400.0, 30.0)
    } else {
        Quad::rect(260.0, top, 100.0, 20.0)
    };
    Drawn { kind, quad, grey, text, sure }
}

/// What a recogniser gives for a text in so many columns.
fn columns(count: usize, text: &str, sure: f32) -> Vec<f32> {
    let mut values = Vec::new();
    for column in 0..count {
        let mut probs = [1e-7f32; 13];
        match text.chars().nth(column / 2).filter(|_| column % 2 == 1).and_then(|c| SYMBOLS.find(c)) {
            Some(at) => {
                probs[2 + (at + 4) % 10] = 1.0 - sure;
                probs[1 + at] = sure;
            }
            None => probs[0] = 1.0,
        }
        values.extend(probs.map(|p| p.max(1e-7).ln()));
    }
    values
}

/// Networks that find the lines of a drawn picture at one look alone, whose pixels come from the picture's by
/// `to_seen`, and read them by their grey.
fn networks(look: usize, to_seen: &Homography, lines: &[Drawn]) -> Networks {
    let seen: Vec<_> = lines.iter().map(|line| (line.kind, line.quad.transform(to_seen))).collect();
    let looks = AtomicUsize::new(0);
    let locator =
        locator(move |_| votes(if looks.fetch_add(1, Ordering::Relaxed) == look { &seen } else { &[] }));
    Networks { locator, recognizer: reads(lines) }
}

/// Reads the lines of a drawn picture by their grey.
fn reads(lines: &[Drawn]) -> Recognizer {
    let lines = lines.to_vec();
    recognizer(move |strip: &[f32]| {
        let width = strip.len() / 32;
        // A quarter from the left: a date's strip goes on beside it.
        let grey = strip[16 * width + 80];
        let line = lines.iter().find(|line| (f32::from(line.grey) - grey).abs() < 2.0);
        let (text, sure) = line.map_or(("", 1.0), |line| (line.text, line.sure));
        columns(width / 4, text, sure)
    })
}

fn recognizer(network: impl Fn(&[f32]) -> Vec<f32> + Send + Sync + 'static) -> Recognizer {
    recognizer_of(SYMBOLS, network)
}

fn recognizer_of(symbols: &str, network: impl Fn(&[f32]) -> Vec<f32> + Send + Sync + 'static) -> Recognizer {
    let fields = [("alphabet", symbols), ("blank", "0"), ("width", "320"), ("height", "32"), ("stride", "4")];
    Recognizer::new(Box::new(Fake(network)), &Metadata::of("fake", &fields)).unwrap()
}

/// A picture file of 640 x 400 px with the lines.
fn picture(lines: &[Drawn]) -> Vec<u8> {
    let mut picture = image::GrayImage::new(640, 400);
    for line in lines {
        let (low, high) = line.quad.bounding_box();
        for y in low.y as u32..high.y as u32 {
            for x in low.x as u32..high.x as u32 {
                // The right half is lighter: a strip cut upside down begins with it.
                let lighter = if x as f32 > line.quad.centre().x { 20 } else { 0 };
                picture.put_pixel(x, y, image::Luma([line.grey + lighter]));
            }
        }
    }
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

fn reader(small: Networks, full: Networks, dates: Recognizer) -> CardReader {
    let stacks = locator_of("stack", |_| votes_of(1, &[]));
    reader_of_stacks(small, full, dates, stacks)
}

fn reader_of_stacks(small: Networks, full: Networks, dates: Recognizer, stacks: Locator) -> CardReader {
    let never = |_: &[f32]| -> Vec<f32> { panic!("no name was asked for") };
    let holder = Networks { locator: locator_of("holder", never), recognizer: recognizer_of(" A", never) };
    CardReader {
        limits: Limits::default(),
        small: Arc::new(small),
        full: Arc::new(full),
        date: Arc::new(dates),
        holder: Arc::new(holder),
        card: Arc::new(locator_of("card", never)),
        stack: Arc::new(stacks),
        reads_details: false,
        table: Arc::clone(BinTable::embedded()),
    }
}

/// From the picture's pixels to those of its thumbnail of half the size.
fn to_thumbnail() -> Homography {
    Homography::scaling(0.5, 0.5)
}

/// From the picture's pixels to those that a locator sees of a square of it.
fn to_view(square: &Quad) -> Homography {
    Homography::from_quads(square, &Quad::rect(0.0, 0.0, 320.0, 320.0)).unwrap()
}

/// The same of the third other view: upright, its side 1.4 times the picture's 640 px.
fn to_third_view() -> Homography {
    to_view(&Quad::rect(-128.0, -248.0, 896.0, 896.0))
}

/// Reads a picture with the lines; the full networks alone see them.
fn read(lines: Vec<Drawn>) -> Result<Vec<CardReading>, ReadError> {
    read_at(0, &to_thumbnail(), lines)
}

/// The same, but the lines are located at one look alone, see [`networks`].
fn read_at(look: usize, to_seen: &Homography, lines: Vec<Drawn>) -> Result<Vec<CardReading>, ReadError> {
    let file = picture(&lines);
    let blind = networks(usize::MAX, to_seen, &lines);
    reader(blind, networks(look, to_seen, &lines), reads(&lines)).read(&file)
}

/// Number and expiry of each card.
fn facts(cards: &[CardReading]) -> Vec<(String, Option<String>)> {
    let expiry = |card: &CardReading| card.valid_date.as_ref().map(|date| date.value.to_string());
    cards.iter().map(|card| (card.number.value.digits().to_owned(), expiry(card))).collect()
}

#[test]
fn no_number_line_is_no_card() {
    assert_eq!(read(Vec::new()).err(), Some(ReadError::NoCard));
    assert_eq!(read(vec![drawn(DATE, 200.0, 90, "08/27", 1.0)]).err(), Some(ReadError::NoCard));
}

#[test]
fn a_line_that_says_no_number_is_not_legible() {
    for (text, sure) in [("", 1.0), ("95588", 1.0), ("08/27", 1.0), ("4539 5787 6362 1486", 0.55)] {
        let reading = read(vec![drawn(NUMBER, 100.0, 200, text, sure)]);
        assert_eq!(reading.err(), Some(ReadError::NotLegible), "{text}");
    }
}

#[test]
fn a_number_in_rows_is_read_without_a_date() {
    let stack = Quad::rect(100.0, 100.0, 60.0, 100.0);
    for (text, number) in [
        ("4539 5787 6362 1486", Some("4539578763621486")),
        ("4539 5787 6362 1487", None), // fails Luhn
        ("45395 787636 21486", Some("4539578763621486")),
        ("4539 5787 6362", None),                                 // too short
        ("9901 2345 6789 0123 454", Some("9901234567890123454")), // five rows
    ] {
        let block = Drawn { quad: stack, ..drawn(LineKind::Stack, 0.0, 200, text, 1.0) };
        let lines = vec![block, drawn(DATE, 150.0, 90, "08/27", 1.0)];
        let blind = || networks(usize::MAX, &to_thumbnail(), &lines);
        // The first row's middle.
        let recognizer = recognizer(move |strip| {
            let width = strip.len() / 32;
            let is_stack = (strip[16 * width + 30] - 200.0).abs() < 2.0;
            columns(width / 4, if is_stack { text } else { "" }, 1.0)
        });
        let full = Networks { recognizer, ..blind() };
        let looks = AtomicUsize::new(0);
        let seen = [(0, stack.transform(&to_thumbnail()))];
        let stacks = locator_of("stack", move |_| {
            votes_of(1, if looks.fetch_add(1, Ordering::Relaxed) == 0 { &seen } else { &[] })
        });
        let cards = reader_of_stacks(blind(), full, reads(&lines), stacks).read(&picture(&lines));
        let expected = number.map(|number| (number.to_owned(), None));
        assert_eq!(facts(&cards.unwrap_or_default()), Vec::from_iter(expected), "{text}");
    }
}

#[test]
fn part_of_a_longer_number_is_none() {
    // Those with 1487 fail Luhn, the others do not; the issuer of 6222 is known, that of 4539 not.
    for (text, beyond, is_read) in [
        ("4539 5787 6362 1487", "4539 5787 6362 1487", true),
        ("4539 5787 6362 1487", "394 4539 5787 6362 1487 52", false),
        ("4539 5787 6362 1486", "394 4539 5787 6362 1486 52", true),
        ("4539578763621486", "4539578763621486", true),
        ("4539578763621486", "394453957876362148652", false),
        ("6222021234567890128", "394622202123456789012852", true),
    ] {
        let lines = vec![drawn(NUMBER, 100.0, 200, text, 1.0)];
        let networks = || Networks {
            // Only a strip that is wider than the line has ground so far from its left end.
            recognizer: recognizer(move |strip| {
                let width = strip.len() / 32;
                columns(width / 4, if strip[16 * width + 30] < 100.0 { beyond } else { text }, 1.0)
            }),
            ..networks(0, &to_thumbnail(), &lines)
        };
        let reading = reader(networks(), networks(), reads(&lines)).read(&picture(&lines));
        assert_eq!(reading.is_ok(), is_read, "{text} in {beyond}");
    }
}

#[test]
fn each_number_has_the_date_below_it_and_the_surest_comes_first() {
    let cards = read(vec![
        drawn(NUMBER, 40.0, 200, "4539 5787 6362 1486", 0.985),
        drawn(DATE, 90.0, 150, "08/27", 1.0),
        drawn(NUMBER, 240.0, 100, "5425 2334 3010 9903", 1.0),
        drawn(DATE, 290.0, 60, "11/29", 1.0),
    ])
    .unwrap_or_default();
    let expected = [("5425233430109903", Some("11/29")), ("4539578763621486", Some("08/27"))];
    assert_eq!(facts(&cards), expected.map(|(number, date)| (number.to_owned(), date.map(str::to_owned))));
    assert!(cards[0].number.prob > cards[1].number.prob);
    assert_eq!(
        cards.iter().map(|card| card.scheme).collect::<Vec<_>>(),
        [Some(Scheme::Mastercard), Some(Scheme::Visa)]
    );
    let number = &cards[1].number;
    assert_eq!((number.text.as_str(), number.chars.len()), ("4539 5787 6362 1486", 16));
    let off =
        number.quad.0.into_iter().zip(Quad::rect(100.0, 40.0, 400.0, 30.0).0).map(|(a, b)| a.distance(b));
    assert!(off.fold(0.0, f32::max) < 0.5, "{:?}", number.quad);
}

#[test]
fn dates_elsewhere_or_unsure_are_not_given() {
    for (top, text, sure) in
        [(30.0, "08/27", 1.0), (330.0, "08/27", 1.0), (150.0, "08/27", 0.8), (150.0, "13/27", 1.0)]
    {
        let cards = read(vec![
            drawn(NUMBER, 100.0, 200, "4539 5787 6362 1486", 1.0),
            drawn(DATE, top, 150, text, sure),
        ]);
        let expected = [("4539578763621486".to_owned(), None)];
        assert_eq!(facts(&cards.unwrap_or_default()), expected, "{text} at {top}");
    }
}

#[test]
fn a_date_whose_line_is_told_askew_is_read_along_the_number() {
    let number = drawn(NUMBER, 100.0, 200, "4539 5787 6362 1486", 1.0);
    let date = drawn(DATE, 160.0, 90, "08/27", 1.0);
    // How much lower than it is the line's left and right end are told, in its heights.
    for (left, right, read) in [(0.0, 0.0, true), (0.8, -0.8, true), (1.2, 1.2, false)] {
        let [a, b, c, d] = date.quad.0;
        let lower = |p: Point, by: f32| Point::new(p.x, p.y + by * date.quad.height());
        let told = Quad([lower(a, left), lower(b, right), lower(c, right), lower(d, left)]);
        let seen =
            [(NUMBER, number.quad), (DATE, told)].map(|(kind, quad)| (kind, quad.transform(&to_thumbnail())));
        let lines = vec![number.clone(), date.clone()];
        let networks =
            || Networks { locator: locator(move |_| votes(&seen)), ..networks(0, &to_thumbnail(), &lines) };
        let cards = reader(networks(), networks(), reads(&lines)).read(&picture(&lines)).unwrap_or_default();
        let expected = ("4539578763621486".to_owned(), read.then(|| "08/27".to_owned()));
        assert_eq!(facts(&cards), [expected], "{left}, {right}");
    }
}

#[test]
fn dates_of_a_small_number_are_looked_for_again_from_closer_by() {
    let seen_from = |view: &Quad, date: &Quad| votes(&[(DATE, date.transform(&to_view(view)))]);
    // Half of the picture is 320 px. Of looks at it the first tells the date a line too low, the second is at the small number.
    for (length, told, below, read) in
        [(300.0, true, 2, true), (300.0, false, 2, false), (330.0, true, 1, false)]
    {
        let number = Drawn {
            quad: Quad::rect(150.0, 100.0, length, 24.0),
            ..drawn(NUMBER, 0.0, 200, "4539 5787 6362 1486", 1.0)
        };
        let date = Drawn { quad: Quad::rect(240.0, 150.0, 60.0, 16.0), ..drawn(DATE, 0.0, 90, "08/27", 1.0) };
        let too_low = told.then_some((DATE, Quad::rect(240.0, 175.0, 60.0, 16.0)));
        let first: Vec<_> = std::iter::once((NUMBER, number.quad)).chain(too_low).collect();
        let first: Vec<_> =
            first.into_iter().map(|(kind, quad)| (kind, quad.transform(&to_thumbnail()))).collect();
        let (view, place) = (holder_look(&number.quad), date.quad);
        let lines = vec![number, date];
        let looks = AtomicUsize::new(0);
        let small = Networks {
            locator: locator(move |_| match looks.fetch_add(1, Ordering::Relaxed) {
                0 => votes(&first),
                look if look == below => seen_from(&view, &place),
                _ => votes(&[]),
            }),
            recognizer: reads(&lines),
        };
        let blind = networks(usize::MAX, &to_thumbnail(), &lines);
        let cards = reader(small, blind, reads(&lines)).read(&picture(&lines)).unwrap_or_default();
        let expected = ("4539578763621486".to_owned(), read.then(|| "08/27".to_owned()));
        assert_eq!(facts(&cards), [expected], "{length}, {told}");
    }
}

#[test]
fn of_two_dates_the_later_is_the_expiry_and_an_old_one_alone_is_none() {
    let number = || drawn(NUMBER, 40.0, 200, "4539 5787 6362 1486", 1.0);
    let from_and_until = |lines: Vec<Drawn>| {
        let cards = read(lines).unwrap_or_default();
        let text = |date: &Option<FieldReading<Expiry>>| date.as_ref().map(|date| date.value.to_string());
        cards.first().map(|card| (text(&card.valid_from), text(&card.valid_date)))
    };
    let date = |top, grey, text| drawn(DATE, top, grey, text, 1.0);
    for (lines, expected) in [
        (vec![date(90.0, 150, "08/27"), date(130.0, 90, "09/24")], (Some("09/24"), Some("08/27"))),
        (vec![date(90.0, 150, "09/09 08/12")], (Some("09/09"), Some("08/12"))),
        (vec![date(90.0, 150, "08/09"), date(130.0, 90, "08/09")], (None, None)),
        (vec![date(90.0, 150, "08/06")], (None, None)),
        (vec![date(90.0, 150, "2011/08")], (None, None)),
        (vec![date(90.0, 150, "08/2011")], (None, Some("08/11"))),
    ] {
        let expected = (expected.0.map(str::to_owned), expected.1.map(str::to_owned));
        assert_eq!(from_and_until(std::iter::once(number()).chain(lines).collect()), Some(expected));
    }
}

/// What a reader gives of a picture with a number line and a date line, where its small and its full networks see
/// these: number and date, each with its sureness.
fn read_twice(small: &[(&'static str, f32); 2], full: &[(&'static str, f32); 2]) -> Vec<CardReading> {
    let lines = |[number, date]: &[(&'static str, f32); 2]| {
        let lines = [drawn(NUMBER, 100.0, 200, number.0, number.1), drawn(DATE, 160.0, 150, date.0, date.1)];
        lines.into_iter().filter(|line| line.sure > 0.0).collect::<Vec<_>>()
    };
    let networks = |seen| networks(0, &to_thumbnail(), &lines(seen));
    let file = picture(&lines(&[("", 1.0), ("", 1.0)]));
    reader(networks(small), networks(full), reads(&lines(small))).read(&file).unwrap_or_default()
}

#[test]
fn the_full_networks_read_what_is_not_clear_to_the_small_ones() {
    let (small, full) = (("4539 5787 6362 1486", "08/27"), ("5425 2334 3010 9903", "11/29"));
    for (seen, expected) in [
        ([(small.0, 1.0), (small.1, 1.0)], (small.0, Some(small.1))),
        ([(small.0, 0.9), (small.1, 1.0)], (full.0, Some(small.1))),
        ([(small.0, 1.0), (small.1, 0.8)], (small.0, Some(full.1))),
        // A line that says no date at all is not looked at again.
        ([(small.0, 1.0), ("", 1.0)], (small.0, None)),
        ([("", 1.0), (small.1, 1.0)], (full.0, Some(small.1))),
        ([("", 0.0), ("", 0.0)], (full.0, None)),
    ] {
        let cards = read_twice(&seen, &[(full.0, 1.0), (full.1, 1.0)]);
        let expected = (expected.0.replace(' ', ""), expected.1.map(str::to_owned));
        assert_eq!(facts(&cards), [expected], "{seen:?}");
    }
}

#[test]
fn a_line_that_the_full_recognizer_is_sure_of_is_not_located_again() {
    let line = |sure| vec![drawn(NUMBER, 100.0, 200, "4539 5787 6362 1486", sure)];
    for (small, full, read) in [(0.9, 1.0, true), (0.9, 0.9, false), (0.5, 1.0, false)] {
        let blind = networks(usize::MAX, &to_thumbnail(), &line(full));
        let reader = reader(networks(0, &to_thumbnail(), &line(small)), blind, reads(&[]));
        let reading = reader.read(&picture(&line(1.0)));
        let expected = read.then(|| vec![("4539578763621486".to_owned(), None)]);
        assert_eq!(reading.ok().map(|cards| facts(&cards)), expected, "{small} and {full}");
    }
}

#[test]
fn what_was_seen_at_a_glance_counts_as_a_look() {
    // Two looks at a line are sure where one is not, and it is not located from close by.
    let lines = vec![drawn(NUMBER, 100.0, 200, "4539 5787 6362 1486", 0.87)];
    for (glance, expected) in [(0, 1), (usize::MAX, 2)] {
        let located = Arc::new(AtomicUsize::new(0));
        let seen = [(NUMBER, lines[0].quad.transform(&to_thumbnail()))];
        let count = Arc::clone(&located);
        let full = Networks {
            locator: locator(move |_| {
                votes(if count.fetch_add(1, Ordering::Relaxed) == 0 { &seen } else { &[] })
            }),
            recognizer: reads(&lines),
        };
        let reader = reader(networks(glance, &to_thumbnail(), &lines), full, reads(&lines));
        let cards = reader.read(&picture(&lines)).unwrap_or_default();
        assert_eq!(facts(&cards), [("4539578763621486".to_owned(), None)]);
        assert_eq!(located.load(Ordering::Relaxed), expected, "{glance}");
    }
}

#[test]
fn a_date_line_that_holds_more_is_seen_from_farther_left() {
    let number = drawn(NUMBER, 100.0, 200, "4539 5787 6362 1486", 1.0);
    // Of issue, and told from its first digit to the CN behind it; 20 px high.
    for (length, expected) in [(90.0, Some("11/12")), (98.0, None), (140.0, None)] {
        let date =
            Drawn { quad: Quad::rect(260.0, 160.0, length, 20.0), ..drawn(DATE, 160.0, 150, "11/12", 1.0) };
        let lines = vec![number.clone(), date];
        let networks = || networks(0, &to_thumbnail(), &lines);
        let dates = recognizer(|strip: &[f32]| {
            let width = strip.len() / 32;
            // The lines begin at 66, 80 and 73 px; seen as told the last two would at 64 and 50.
            let is_ground = strip[16 * width + 69] < 100.0;
            columns(width / 4, if is_ground { "2011/12" } else { "11/12" }, 1.0)
        });
        let cards = reader(networks(), networks(), dates).read(&picture(&lines)).unwrap_or_default();
        let expected = ("4539578763621486".to_owned(), expected.map(str::to_owned));
        assert_eq!(facts(&cards), [expected], "{length}");
    }
}

#[test]
fn of_two_readings_of_one_date_the_surer_counts() {
    let number = ("4539 5787 6362 1486", 1.0);
    for (small, full, expected) in [(0.96, 0.97, "11/29"), (0.97, 0.96, "08/27"), (0.96, 1.0, "11/29")] {
        let cards = read_twice(&[number, ("08/27", small)], &[number, ("11/29", full)]);
        assert_eq!(facts(&cards), [("4539578763621486".to_owned(), Some(expected.to_owned()))]);
        assert_eq!(cards[0].valid_from.as_ref().map(|date| date.value), None);
    }
}

#[test]
fn a_line_taken_for_upside_down_is_read_the_other_way() {
    let line = drawn(NUMBER, 100.0, 200, "4539 5787 6362 1486", 1.0);
    let upright = line.quad;
    let cards = read(vec![Drawn { quad: upright.rotated180(), ..line }]).unwrap_or_default();
    assert_eq!(facts(&cards), [("4539578763621486".to_owned(), None)]);
    let off = cards[0].number.quad.0.into_iter().zip(upright.0).map(|(a, b)| a.distance(b));
    assert!(off.fold(0.0, f32::max) < 0.5, "{:?}", cards[0].number.quad);
}

#[test]
fn a_picture_where_nothing_is_read_is_looked_at_from_elsewhere() {
    let to_view = to_third_view();
    let lines =
        [drawn(NUMBER, 100.0, 200, "4539 5787 6362 1486", 0.99), drawn(DATE, 160.0, 150, "08/27", 1.0)];
    let cards = read_at(3, &to_view, lines.to_vec());
    let cards = cards.unwrap_or_default();
    assert_eq!(facts(&cards), [("4539578763621486".to_owned(), Some("08/27".to_owned()))]);
    // Its number is doubted more than the same at the first look.
    let wrong = |cards: &[CardReading]| cards.first().map_or(1.0, |card| 1.0 - card.number.prob);
    let first = read(lines.to_vec()).unwrap_or_default();
    assert!(wrong(&cards) > 3.0 * wrong(&first), "{} {}", wrong(&cards), wrong(&first));
    // The small recogniser is asked first whether there is a number.
    let small = networks(usize::MAX, &to_view, &[]);
    let reader = reader(small, networks(3, &to_view, &lines), reads(&lines));
    assert_eq!(reader.read(&picture(&lines)).err(), Some(ReadError::NoCard));
}

#[test]
fn a_number_seen_from_elsewhere_must_be_surer_if_it_fails_luhn() {
    for (text, sure, is_read) in [
        ("4539 5787 6362 1486", 0.99, true),
        ("4539 5787 6362 1487", 0.999, false),
        ("4539 5787 6362 1487", 0.99999, true),
    ] {
        let line = drawn(NUMBER, 100.0, 200, text, sure);
        // At a first look, it would be.
        assert!(read(vec![line.clone()]).is_ok(), "{text} {sure}");
        let reading = read_at(3, &to_third_view(), vec![line]);
        assert_eq!(reading.is_ok(), is_read, "{text} {sure}");
    }
}

#[test]
fn a_line_that_another_view_shows_in_part_is_looked_at_again() {
    let line = drawn(NUMBER, 100.0, 200, "4539 5787 6362 1486", 1.0);
    let part = Quad::rect(100.0, 100.0, 300.0, 30.0);
    let seen = |to_view: &Homography, quad: &Quad| votes(&[(NUMBER, quad.transform(to_view))]);
    // The part is seen in the third other view; about it, from 1.5 lengths of it, all of the line.
    let to_closer = to_view(&Quad::rect(25.0, -110.0, 450.0, 450.0));
    for (again, is_read) in [(Some(line.quad), true), (Some(part), false), (None, false)] {
        // Light where the line's end is, if the strip shows all of it.
        let recognizer = || {
            recognizer(move |strip: &[f32]| {
                let width = strip.len() / 32;
                let shows_all = (strip[16 * width + 210] - 220.0).abs() < 2.0;
                columns(width / 4, if shows_all { line.text } else { "" }, 1.0)
            })
        };
        let nth = |look, seen: Option<Vec<f32>>| {
            let looks = AtomicUsize::new(0);
            locator(move |_| {
                let seen = seen.as_ref().filter(|_| looks.fetch_add(1, Ordering::Relaxed) == look);
                seen.cloned().unwrap_or_else(|| votes(&[]))
            })
        };
        let small =
            Networks { locator: nth(1, again.map(|quad| seen(&to_closer, &quad))), recognizer: recognizer() };
        let full =
            Networks { locator: nth(3, Some(seen(&to_third_view(), &part))), recognizer: recognizer() };
        let reading = reader(small, full, reads(&[])).read(&picture(std::slice::from_ref(&line)));
        let expected = is_read.then(|| vec![("4539578763621486".to_owned(), None)]);
        assert_eq!(reading.ok().map(|cards| facts(&cards)), expected, "{again:?}");
    }
}

#[test]
fn an_illegible_card_does_not_hide_another() {
    let cards =
        read(vec![drawn(NUMBER, 40.0, 200, "", 1.0), drawn(NUMBER, 240.0, 100, "5425 2334 3010 9903", 1.0)]);
    assert_eq!(facts(&cards.unwrap_or_default()), [("5425233430109903".to_owned(), None)]);
}

/// The facts of the first of two cards without dates, or of both.
fn first_or_both(both: bool) -> Vec<(String, Option<String>)> {
    let numbers = ["4539578763621486", "5425233430109903"];
    numbers.map(|number| (number.to_owned(), None)).into_iter().take(if both { 2 } else { 1 }).collect()
}

#[test]
fn a_card_that_leaves_room_beside_it_may_not_be_alone() {
    let at = |top, length, line: Drawn| Drawn { quad: Quad::rect(100.0, top, length, 16.0), ..line };
    // A third of the picture is 213 px.
    for (length, both) in [(200.0, true), (300.0, false)] {
        let first = at(40.0, length, drawn(NUMBER, 0.0, 200, "4539 5787 6362 1486", 1.0));
        let other = at(240.0, 200.0, drawn(NUMBER, 0.0, 100, "5425 2334 3010 9903", 0.985));
        let seen = |lines: &[Drawn]| networks(0, &to_thumbnail(), lines);
        let lines = [first.clone(), other];
        let reader = reader(seen(&[first]), seen(&lines), reads(&[]));
        let cards = reader.read(&picture(&lines)).unwrap_or_default();
        assert_eq!(facts(&cards), first_or_both(both), "{length}");
    }
}

#[test]
fn one_of_several_cards_is_looked_for_from_elsewhere() {
    let at = |top, line: Drawn| Drawn { quad: Quad::rect(100.0, top, 200.0, 16.0), ..line };
    let first = at(40.0, drawn(NUMBER, 0.0, 200, "4539 5787 6362 1486", 1.0));
    let other = at(240.0, drawn(NUMBER, 0.0, 100, "5425 2334 3010 9903", 0.985));
    let in_view = vec![(NUMBER, other.quad.transform(&to_third_view()))];
    // The full locator sees a line at its first look that says nothing; or none.
    for (blot, both) in [(Some(Quad::rect(350.0, 350.0, 200.0, 16.0)), true), (None, false)] {
        let blot: Vec<_> = blot.into_iter().map(|quad| (NUMBER, quad.transform(&to_thumbnail()))).collect();
        let in_view = in_view.clone();
        // Behind the first look there is one at the blot, which is small.
        let third_view = blot.len() + 3;
        let looks = AtomicUsize::new(0);
        let lines = [first.clone(), other.clone()];
        let full = Networks {
            locator: locator(move |_| match looks.fetch_add(1, Ordering::Relaxed) {
                0 => votes(&blot),
                look if look == third_view => votes(&in_view),
                _ => votes(&[]),
            }),
            recognizer: reads(&lines),
        };
        let small = Networks {
            recognizer: reads(&lines),
            ..networks(0, &to_thumbnail(), std::slice::from_ref(&first))
        };
        let cards = reader(small, full, reads(&[])).read(&picture(&lines)).unwrap_or_default();
        assert_eq!(facts(&cards), first_or_both(both), "{both}");
    }
}

#[test]
fn a_card_that_is_clear_is_kept_where_another_is_not() {
    let (clear, other) = ("4539 5787 6362 1486", "5425 2334 3010 9903");
    let upper = drawn(NUMBER, 40.0, 200, clear, 0.985);
    let lower = |text| drawn(NUMBER, 240.0, 100, text, 1.0);
    let seen = |lines: &[Drawn]| networks(0, &to_thumbnail(), lines);
    // The full locator does not see the upper line; or it does, and its recogniser would read it otherwise.
    for full in [vec![lower(other)], vec![drawn(NUMBER, 40.0, 200, other, 1.0), lower(other)]] {
        let reader = reader(seen(&[upper.clone(), lower("")]), seen(&full), reads(&[]));
        let cards = reader.read(&picture(&[upper.clone(), lower(other)])).unwrap_or_default();
        let expected = [other, clear].map(|number| (number.replace(' ', ""), None));
        assert_eq!(facts(&cards), expected);
    }
}

#[test]
fn a_name_is_read_and_the_card_found_where_they_are_asked_for() {
    // Of `ALIN`, with a space: columns of a blank and a letter in turn; the letter is as probable as the name is sure.
    let name = |sure: f32| {
        move |strip: &[f32]| {
            let mut values = Vec::new();
            for column in 0..strip.len() / 32 / 4 {
                let mut probs = [1e-7f32; 6];
                let letter = [2, 1, 3, 1, 1, 4, 5].get(column / 2).filter(|_| column % 2 == 1);
                probs[*letter.unwrap_or(&0)] = sure;
                probs[if letter == Some(&2) { 3 } else { 2 }] += 1.0 - sure;
                values.extend(probs.map(f32::ln));
            }
            values
        }
    };
    let line = vec![drawn(NUMBER, 100.0, 200, "4539 5787 6362 1486", 1.0)];
    let quad = Quad::rect(30.0, 190.0, 100.0, 12.0);
    for (wanted, sure, found, expected) in [
        (true, 0.999, true, Some("A L IN")),
        (true, 0.9, true, None),
        (true, 0.999, false, None),
        (false, 0.999, true, None),
    ] {
        let names = if found { vec![(0, quad)] } else { Vec::new() };
        let holder = Networks {
            locator: locator_of("holder", move |_| votes_of(1, &names)),
            recognizer: recognizer_of(" ALIN", name(sure)),
        };
        let clear = networks(0, &to_thumbnail(), &line);
        let blind = networks(usize::MAX, &to_thumbnail(), &[]);
        let card = Quad::rect(40.0, 60.0, 240.0, 150.0);
        let card_locator = locator_of("card", move |_| votes_of(1, &[(0, card)]));
        let reader = CardReader {
            holder: Arc::new(holder),
            card: Arc::new(card_locator),
            ..reader(clear, blind, reads(&[]))
        };
        let cards = reader.with_details(wanted).read(&picture(&line)).unwrap_or_default();
        // The look is a square of 2.2 lengths of the number about its middle.
        let look = card_look(&Quad::rect(100.0, 100.0, 400.0, 30.0));
        let to_picture = Homography::from_quads(&Quad::rect(0.0, 0.0, 320.0, 320.0), &look).unwrap();
        let outline = cards[0].outline;
        assert_eq!(outline.is_some(), wanted);
        let off = outline.map(|outline| outline.centre().distance(card.transform(&to_picture).centre()));
        assert!(off.is_none_or(|off| off < 1.0), "{outline:?}");
        let holder = cards[0].holder.as_ref();
        assert_eq!(holder.map(|holder| holder.value.as_str()), expected, "{wanted} {sure} {found}");
        // The look is a square of 1.1 lengths of the number about a point right of its middle and below it.
        let Some(holder) = holder else { continue };
        let to_picture = Homography::from_quads(
            &Quad::rect(0.0, 0.0, 320.0, 320.0),
            &Quad::rect(100.0 + 400.0 * (0.48 - 0.55), 100.0 + 400.0 * (0.22 - 0.55), 440.0, 440.0),
        );
        let off = holder.quad.0.into_iter().zip(quad.transform(&to_picture.unwrap()).0);
        assert!(off.map(|(a, b)| a.distance(b)).all(|off| off < 0.5), "{:?}", holder.quad);
        assert_eq!(holder.chars.len(), 4);
    }
}

#[test]
fn a_picture_that_takes_too_long_is_given_up_between_the_stages() {
    let late = |_: &[f32]| {
        std::thread::sleep(Duration::from_millis(30));
        votes(&[(NUMBER, Quad::rect(50.0, 50.0, 200.0, 15.0))])
    };
    let never = |_: &[f32]| panic!("nothing is recognised after the deadline");
    let networks = || Networks { locator: locator(late), recognizer: recognizer(never) };
    let limits = Limits { max_time: Duration::from_millis(20), ..Limits::default() };
    let reader = reader(networks(), networks(), recognizer(never)).with_limits(limits);
    let mut file = Cursor::new(Vec::new());
    image::GrayImage::new(64, 40).write_to(&mut file, image::ImageFormat::Png).unwrap();
    assert_eq!(reader.read(&file.into_inner()).err(), Some(ReadError::TookTooLong));
}
