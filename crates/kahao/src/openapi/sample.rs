//! What the examples of the description are made of: the reading of a drawn card.

use kahao_reader::card::{CardType, Expiry, Issuer, Scheme};
use kahao_reader::geometry::{Point, Quad};
use kahao_reader::{CardReading, CharReading, FieldReading};

/// A GIF of one pixel: the shortest text that is a whole picture, though too small to hold a card.
pub(super) const PICTURE_BASE64: &str = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";

/// The answer that the README has; the number is invented.
pub(super) fn reading() -> CardReading {
    CardReading {
        number: FieldReading {
            value: "4835364510000063".parse().expect("sixteen digits"),
            text: "4835 3645 1000 0063".into(),
            prob: 0.999_997_2,
            quad: quad([(546.0, 620.0), (526.0, 159.0), (560.0, 159.0), (581.0, 617.0)]),
            chars: chars("4835364510000063"),
        },
        valid_date: Some(FieldReading {
            value: Expiry::new(10, 2011).expect("a month"),
            text: "10/11".into(),
            prob: 0.998,
            quad: quad([(603.0, 386.0), (598.0, 268.0), (618.0, 267.0), (623.0, 385.0)]),
            chars: chars("10/11"),
        }),
        valid_from: None,
        holder: None,
        outline: None,
        issuer: Some(Issuer {
            name: "平安银行股份有限公司".into(),
            short_name: "平安银行".into(),
            code: "SPABANK".into(),
        }),
        card_type: Some(CardType::Credit),
        card_name: None,
        scheme: Some(Scheme::Visa),
    }
}

fn quad(corners: [(f32, f32); 4]) -> Quad {
    Quad(corners.map(|(x, y)| Point { x, y }))
}

fn chars(text: &str) -> Vec<CharReading> {
    text.chars().map(|char| CharReading { char, prob: 0.999 }).collect()
}
