use std::time::Duration;

use kahao_reader::card::Expiry;
use kahao_reader::geometry::Quad;
use kahao_reader::{CardReading, ReadError};

use super::figures::Numbers;
use super::labels::Truth;
use super::*;
use crate::commands::pictures::{FileError, Outcome};
use crate::response::tests::{holder, reading};

const NUMBER: &str = "4111111111111111";
const OTHER: &str = "4111111111111122";
const SHORT: &str = "411111111111111";

/// A label of a picture with this number and date; "" for none, "?" for what nobody can tell.
fn label(number: &str, date: Option<u8>) -> Label {
    Label {
        file: "a.jpg".into(),
        path: "a.jpg".into(),
        number: match number {
            "" => Truth::Nothing,
            "?" => Truth::Unknown,
            digits => Truth::Known(digits.parse().unwrap()),
        },
        valid_date: date.map_or(Truth::Nothing, |month| Truth::Known(format!("{month:02}/27"))),
        holder: Truth::Unknown,
        kind: String::new(),
        print: String::new(),
        turn: String::new(),
        bank: String::new(),
        is_one_of_several: false,
        quad: None,
        card: None,
    }
}

/// A card read with this number, `prob` and expiry in 2027.
fn card(number: &str, prob: f32, month: Option<u8>) -> CardReading {
    let mut card = reading();
    card.number.value = number.parse().unwrap();
    card.number.prob = prob;
    match (month, &mut card.valid_date) {
        (Some(month), Some(date)) => date.value = Expiry::new(month, 2027).unwrap(),
        (_, date) => *date = None,
    }
    card
}

fn figures(pictures: &[(Label, Result<Vec<CardReading>, ReadError>)]) -> Figures {
    let mut tally = Tally::default();
    for (label, result) in pictures {
        let result = result.clone().map_err(FileError::Read);
        tally.count(label, &Outcome { result, elapsed: Duration::from_millis(7) });
    }
    tally.figures(2)
}

#[test]
fn what_becomes_of_a_name() {
    let known = |name: &str| Truth::Known(name.to_owned());
    for (truth, read, expected) in [
        (known("LI NA"), Some("LI NA"), Some([1, 0, 0, 0, 0])),
        (known("LI NA"), Some("LI MA"), Some([0, 1, 0, 0, 0])),
        (known("LI NA"), None, Some([0, 0, 1, 0, 0])),
        (Truth::Nothing, Some("LI NA"), Some([0, 0, 0, 1, 1])),
        (Truth::Nothing, None, Some([0, 0, 0, 0, 1])),
        (Truth::Unknown, Some("LI NA"), None),
    ] {
        let mut read_card = card(NUMBER, 0.9, None);
        read_card.holder = read.map(holder);
        let label = Label { holder: truth, ..label(NUMBER, None) };
        let names = figures(&[(label, Ok(vec![read_card]))]).holder;
        let counts = names.map(|names| {
            [names.right.part, names.wrong, names.missed, names.invented.part, names.invented.of]
        });
        assert_eq!(counts, expected);
    }
}

#[test]
fn what_becomes_of_a_number() {
    let read = |numbers: &[&str]| Ok(numbers.iter().map(|number| card(number, 0.9, None)).collect());
    for (is_one_of_several, result, counts, what) in [
        (false, read(&[NUMBER]), [1, 0, 0], None),
        (false, read(&[OTHER, NUMBER]), [1, 0, 0], None),
        (false, read(&[OTHER]), [0, 1, 0], Some("2 of 16 digits wrong")),
        (false, read(&[SHORT]), [0, 1, 0], Some("15 digits for 16")),
        (false, Err(ReadError::NotLegible), [0, 0, 1], Some("not read: card number not legible")),
        (true, read(&[SHORT, OTHER, NUMBER]), [1, 0, 0], None),
        (true, read(&[SHORT, OTHER]), [0, 0, 1], Some("not among the 2 numbers read")),
        (true, Err(ReadError::NoCard), [0, 0, 1], Some("not read: no bank card found")),
    ] {
        let label = Label { is_one_of_several, ..label(NUMBER, None) };
        let figures = figures(&[(label, result)]);
        let Numbers { right, wrong, not_read } = figures.numbers.all.numbers;
        assert_eq!([right, wrong, not_read], counts, "{what:?}");
        assert_eq!(figures.failures.first().map(|failure| failure.what.as_str()), what);
    }
}

#[test]
fn pictures_without_a_number_and_those_that_prove_nothing() {
    let result = figures(&[
        (label("", None), Err(ReadError::NoCard)),
        (label("", None), Err(ReadError::NotLegible)),
        (label("", None), Ok(vec![card(NUMBER, 0.6, None)])),
        (label("", None), Err(ReadError::Damaged { format: "JPEG" })),
        (label("?", None), Ok(vec![card(NUMBER, 0.99, None)])),
        (label("?", None), Err(ReadError::NoCard)),
    ]);
    assert_eq!((result.left_unread.part, result.left_unread.of), (2, 3));
    assert_eq!(result.numbers.all.numbers, Numbers::default());
    // Only the answer where there is nothing can be judged.
    assert_eq!(result.calibration.iter().map(|bin| bin.right.of).collect::<Vec<_>>(), [1]);
    assert_eq!((result.pictures, result.failures.len()), (6, 2));
}

#[test]
fn dates() {
    for (date, is_one_of_several, cards, [right, wrong, missed, invented, of]) in [
        (Some(9), false, vec![card(NUMBER, 0.9, Some(9))], [1, 0, 0, 0, 0]),
        (Some(9), false, vec![card(OTHER, 0.9, Some(9))], [1, 0, 0, 0, 0]),
        (Some(9), false, vec![card(NUMBER, 0.9, Some(8))], [0, 1, 0, 0, 0]),
        (Some(9), false, vec![card(NUMBER, 0.9, None)], [0, 0, 1, 0, 0]),
        (Some(9), true, vec![card(OTHER, 0.9, Some(9))], [0, 0, 1, 0, 0]),
        (None, false, vec![card(NUMBER, 0.9, Some(9))], [0, 0, 0, 1, 1]),
        (None, false, vec![card(NUMBER, 0.9, None)], [0, 0, 0, 0, 1]),
        (None, true, vec![card(OTHER, 0.9, Some(9)), card(NUMBER, 0.9, None)], [0, 0, 0, 0, 1]),
    ] {
        let label = Label { is_one_of_several, ..label(NUMBER, date) };
        let expiry = figures(&[(label, Ok(cards))]).expiry;
        let counts =
            [expiry.right.part, expiry.wrong, expiry.missed, expiry.invented.part, expiry.invented.of];
        assert_eq!(counts, [right, wrong, missed, invented, of], "{date:?} {is_one_of_several}");
    }
    let unknown = Label { valid_date: Truth::Unknown, ..label(NUMBER, None) };
    let expiry = figures(&[(unknown, Ok(vec![card(NUMBER, 0.9, Some(9))]))]).expiry;
    assert_eq!((expiry.right.of, expiry.invented.of), (0, 0));
}

#[test]
fn buckets_are_counted_apart_and_in_order() {
    let turned = |kind: &str, corners: [(f32, f32); 4]| {
        let quad = Some(Quad(corners.map(|(x, y)| kahao_reader::geometry::Point::new(x, y))));
        Label { kind: kind.into(), quad, ..label(NUMBER, None) }
    };
    let down = [(5.0, 0.0), (5.0, 90.0), (0.0, 90.0), (0.0, 0.0)];
    let right = [(0.0, 0.0), (90.0, 5.0), (90.0, 10.0), (0.0, 5.0)];
    let left = [(90.0, 5.0), (0.0, 5.0), (0.0, 0.0), (90.0, 0.0)];
    let read = || Ok(vec![card(NUMBER, 0.9, None)]);
    let figures = figures(&[
        (turned("scan", left), Err(ReadError::NoCard)),
        (turned("photo", down), Ok(vec![card(OTHER, 0.9, None)])),
        (turned("photo", right), read()),
        (turned("photo", right), read()),
        (label("", None), read()),
    ]);
    let buckets: Vec<String> = (figures.numbers.buckets.iter())
        .map(|bucket| {
            let Numbers { right, wrong, not_read } = bucket.numbers;
            format!("{} {}: {right} {wrong} {not_read}", bucket.by, bucket.value)
        })
        .collect();
    let expected = [
        "kind photo: 2 1 0",
        "kind scan: 0 0 1",
        "digits 16: 2 1 1",
        "tilt 0-10: 2 0 0",
        "tilt 45-135: 0 1 0",
        "tilt 135-180: 0 0 1",
    ];
    assert_eq!(buckets, expected);
}

#[test]
fn probabilities_corners_and_issuers() {
    let mut off = card(NUMBER, 0.97, None);
    // Two px to the right of the label, whose line is 40 px high.
    off.number.quad = Quad::rect(102.0, 50.0, 400.0, 40.0);
    // Five of 250 px.
    off.outline = Some(Quad::rect(55.0, 0.0, 500.0, 250.0));
    let placed = Label {
        quad: Some(Quad::rect(100.0, 50.0, 400.0, 40.0)),
        card: Some(Quad::rect(50.0, 0.0, 500.0, 250.0)),
        bank: "中国邮政储蓄银行".into(),
        ..label(NUMBER, None)
    };
    let card_of = placed.card;
    let printed = |bank: &str| Label { bank: bank.into(), card: card_of, ..label(NUMBER, None) };
    let mut nobody = card(NUMBER, 1.0, None);
    nobody.issuer = None;
    let figures = figures(&[
        (placed, Ok(vec![off])),
        (printed("甲银行"), Ok(vec![card(NUMBER, 0.95, None), card(OTHER, 0.85, None)])),
        (printed("邮储银行信用卡"), Ok(vec![nobody])),
        (Label { is_one_of_several: true, ..label(NUMBER, None) }, Ok(vec![card(OTHER, 0.99, None)])),
    ]);
    let bins: Vec<_> =
        figures.calibration.iter().map(|bin| (bin.from, bin.to, bin.right.part, bin.right.of)).collect();
    assert_eq!(bins, [(0.8, 0.9, 0, 1), (0.95, 0.99, 2, 2), (0.99, 1.0, 1, 1)]);
    assert!((figures.calibration[1].mean_prob - 0.96).abs() < 1e-6);
    assert_eq!((figures.sure_right.part, figures.sure_right.of), (3, 3));
    let off = figures.corners_off.unwrap();
    assert!(off.count == 1 && (off.median - 0.05).abs() < 1e-6, "{off:?}");
    let off = figures.card_off.unwrap();
    assert!(off.count == 1 && (off.median - 0.02).abs() < 1e-6, "{off:?}");
    assert_eq!((figures.card_seen.part, figures.card_seen.of), (1, 3));
    assert_eq!((figures.issuer.agree.part, figures.issuer.agree.of, figures.issuer.unknown), (1, 2, 1));
}

#[test]
fn no_output_has_a_digit_of_a_number() {
    let figures = figures(&[
        (label(NUMBER, Some(9)), Ok(vec![card(OTHER, 0.9, Some(9))])),
        (label("", None), Ok(vec![card(OTHER, 0.9, None)])),
    ]);
    let mut table = Vec::new();
    report::write(&figures, &mut table).unwrap();
    let table = String::from_utf8(table).unwrap();
    let json = serde_json::to_string(&figures).unwrap();
    for said in [&table, &json] {
        assert!(!said.contains("4111") && said.contains("2 of 16 digits wrong"), "{said}");
    }
    assert!(table.contains("all                         0       1       0         0 of 1, 0.0 %"), "{table}");
}

#[test]
fn files_are_read_and_their_labels_found() {
    let folder = tempfile::tempdir().unwrap();
    let labels: Vec<Label> = (0..9)
        .map(|i| {
            let path = folder.path().join(format!("{i}.jpg"));
            std::fs::write(&path, [i]).unwrap();
            Label { path, ..label(if i % 2 == 0 { NUMBER } else { OTHER }, None) }
        })
        .collect();
    let figures = measure(&labels, 3, &|bytes| {
        Ok(vec![card(if bytes[0] % 2 == 0 { NUMBER } else { OTHER }, 0.9, None)])
    })
    .unwrap();
    assert_eq!(figures.numbers.all.numbers, Numbers { right: 9, ..Numbers::default() });
    assert!(measure(&[], 3, &|_| Err(ReadError::NoCard)).is_err());
}

#[test]
fn least_shares() {
    for (least, part, of, reached) in
        [(0.9, 9, 10, Some(true)), (0.91, 9, 10, Some(false)), (0.0, 0, 1, Some(true)), (0.5, 0, 0, None)]
    {
        assert_eq!(is_reached(least, Share::new(part, of), "numbers").ok(), reached, "{least}");
    }
}
