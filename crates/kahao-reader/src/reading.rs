//! What was read: values, confidences and places, in the coordinates of the picture as it was sent.

use crate::card::{CardType, Expiry, Issuer, Pan, Scheme};
use crate::geometry::Quad;

/// One character of a field, with the probability that it is right, 0 to 1.
#[derive(Clone, Copy, PartialEq)]
pub struct CharReading {
    /// The character as printed.
    pub char: char,
    /// Probability that it is right, 0 to 1.
    pub prob: f32,
}

/// A text line of the card that was read as a `T`.
///
/// `quad` lies in the original picture (after the EXIF turn, before any scaling, in pixels; pixel
/// (0, 0) covers [0, 1) x [0, 1)), from the text's own top-left, clockwise.
#[derive(Clone)]
pub struct FieldReading<T> {
    /// The value.
    pub value: T,
    /// Text as printed, with its gaps: `6222 0200 …`.
    pub text: String,
    /// Probability that the whole value is right, 0 to 1.
    pub prob: f32,
    /// Corners of the text in the original picture.
    pub quad: Quad,
    /// The characters of `text` without its gaps.
    pub chars: Vec<CharReading>,
}

/// One bank card of a picture. Holds card data in the clear: it has no `Debug`, so that it cannot
/// reach a log by accident.
#[derive(Clone)]
pub struct CardReading {
    /// The card number.
    pub number: FieldReading<Pan>,
    /// The expiry date, where one is printed and legible; never guessed.
    pub valid_date: Option<FieldReading<Expiry>>,
    /// An earlier date beside the expiry: VALID FROM.
    pub valid_from: Option<FieldReading<Expiry>>,
    /// The holder's name in capitals, where it was asked for ([`crate::CardReader::with_details`]) and is legible; never of a
    /// card whose number stands in rows.
    pub holder: Option<FieldReading<String>>,
    /// The card's own corners in the original picture, where they were asked for ([`crate::CardReader::with_details`]) and seen:
    /// clockwise, from that which is its top-left when the number is upright. Where the picture shows a part of the card they
    /// may lie outside it. None of a card whose number stands in rows.
    pub outline: Option<Quad>,
    /// Who issued the card, by its leading digits and length.
    pub issuer: Option<Issuer>,
    /// Kind of card, by its leading digits and length.
    pub card_type: Option<CardType>,
    /// Product name from the BIN table, such as 牡丹信用卡.
    pub card_name: Option<String>,
    /// Card scheme by the number ranges.
    pub scheme: Option<Scheme>,
}
