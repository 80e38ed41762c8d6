//! The one envelope of every answer, and the JSON of a card. Field names and types are the wire contract
//! in docs/API.md.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kahao_reader::card::{BinTable, Expiry};
use kahao_reader::geometry::Quad;
use kahao_reader::{CardReading, CharReading, FieldReading};
use schemars::JsonSchema;
use serde::Serialize;

use crate::number::NumberFacts;

/// An answer before it has its request's id. As a response it is empty: the middleware that knows the
/// id takes it from the extensions and writes the envelope.
#[derive(Clone)]
pub(crate) struct Answer {
    status: StatusCode,
    msg: String,
    msg_cn: String,
    success: bool,
    data: Data,
    credit: Option<i64>,
    retry_after_s: Option<u64>,
    /// Why there is no success, in a word for metrics and traces.
    pub(crate) reason: Option<&'static str>,
}

/// `data`.
#[derive(Clone, Serialize)]
#[serde(untagged)]
enum Data {
    Nothing {},
    Cards(Cards),
    Number(NumberFacts),
    Ready(Ready),
}

/// The cards of a picture.
#[derive(Clone, Serialize, JsonSchema)]
pub(crate) struct Cards {
    /// One item a card, best first.
    content: Vec<Card>,
}

/// A service that takes new work.
#[derive(Clone, Serialize, JsonSchema)]
pub(crate) struct Ready {
    database: Database,
    issuers: TableState,
}

/// Whether the database answers. While it does not, keys that were used before are answered all the same.
#[derive(Clone, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Database {
    Up,
    Away,
}

/// Which issuer table is in use.
#[derive(Clone, Serialize, JsonSchema)]
struct TableState {
    /// When it was made, or by what its folder is known.
    date: String,
    rows: usize,
}

/// What surrounds every answer, in the order of the API's page.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Envelope<'a> {
    /// The HTTP status again.
    code: u16,
    /// `OK`, or the reason of a refusal in English. ASCII.
    msg: &'a str,
    /// The same as `msg`.
    message: &'a str,
    /// `成功`, or the reason of a refusal in Chinese.
    msg_cn: &'a str,
    /// Whether there is what was asked for.
    success: bool,
    /// Also in the headers `X-Request-Id` and `X-Ca-Request-Id`, and in the service's log.
    request_id: &'a str,
    /// Calls left, -1 without a quota; in answers about the key only.
    #[serde(skip_serializing_if = "Option::is_none")]
    credit: Option<i64>,
    /// Empty without success.
    #[schemars(with = "std::collections::BTreeMap<String, serde_json::Value>")]
    data: &'a Data,
}

impl Answer {
    /// The cards of a picture.
    pub(crate) fn cards(readings: &[CardReading], detail: bool) -> Self {
        let content = readings.iter().map(|reading| Card::new(reading, detail)).collect();
        Self { data: Data::Cards(Cards { content }), ..Self::ok() }
    }

    /// What a number tells.
    pub(crate) fn number_facts(facts: NumberFacts) -> Self {
        Self { data: Data::Number(facts), ..Self::ok() }
    }

    /// New work is welcome, and will be done with this table.
    pub(crate) fn ready(table: &BinTable, database_is_up: bool) -> Self {
        let issuers = TableState { date: table.date().to_owned(), rows: table.rows() };
        let database = if database_is_up { Database::Up } else { Database::Away };
        Self { data: Data::Ready(Ready { database, issuers }), ..Self::ok() }
    }

    /// The calls that the caller has left.
    pub(crate) fn credit(calls: i64) -> Self {
        Self { credit: Some(calls), ..Self::ok() }
    }

    /// Success, and nothing to say.
    pub(crate) fn ok() -> Self {
        Self { success: true, ..Self::refusal(StatusCode::OK, "OK".into(), "成功".into(), None) }
    }

    /// No success. `msg` must be ASCII: it is sent as a header too.
    pub(crate) fn refusal(
        status: StatusCode,
        msg: String,
        msg_cn: String,
        retry_after_s: Option<u64>,
    ) -> Self {
        Self {
            status,
            msg,
            msg_cn,
            success: false,
            data: Data::Nothing {},
            credit: None,
            retry_after_s,
            reason: None,
        }
    }

    /// Notes the reason in a word.
    pub(crate) fn because(self, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// The reason of a refusal, or `OK`.
    pub(crate) fn msg(&self) -> &str {
        &self.msg
    }

    /// What is sent as JSON.
    pub(crate) fn envelope<'a>(&'a self, request_id: &'a str) -> Envelope<'a> {
        Envelope {
            code: self.status.as_u16(),
            msg: &self.msg,
            message: &self.msg,
            msg_cn: &self.msg_cn,
            success: self.success,
            request_id,
            credit: self.credit,
            data: &self.data,
        }
    }

    /// The HTTP response. `request_id` must be fit for a header.
    pub(crate) fn into_http(self, request_id: &str) -> Response {
        let json =
            serde_json::to_vec(&self.envelope(request_id)).expect("no map with odd keys, no failing type");
        let mut response = (self.status, json).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        // Card data belongs in no cache.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(id) = HeaderValue::from_str(request_id) {
            headers.insert("x-request-id", id.clone());
            headers.insert("x-ca-request-id", id);
        }
        // Clients of the Alibaba gateway look for the reason here.
        if !self.success
            && let Ok(msg) = HeaderValue::from_str(&self.msg)
        {
            headers.insert("x-ca-error-message", msg);
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        // RFC 9110 11.6.1: a 401 names the way in.
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("APPCODE"));
        }
        response
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A card that was read.
#[derive(Clone, Serialize, JsonSchema)]
struct Card {
    /// Digits only.
    #[schemars(regex(pattern = r"^[0-9]{13,19}$"))]
    number: String,
    /// Probability that the whole number is right.
    #[schemars(range(min = 0, max = 1))]
    prob: f64,
    /// The issuer's full legal name, or its printed name where the legal one is not known; "" when the issuer is unknown.
    name: String,
    /// `借记卡` debit, `贷记卡` credit, `准贷记卡` semi-credit or `预付费卡` prepaid; "" when unknown.
    r#type: &'static str,
    /// Expiry date `MM/YY`; "" when there is none, it cannot be read, or the number stands in rows. Never guessed.
    #[schemars(regex(pattern = r"^([0-9]{2}/[0-9]{2})?$"))]
    valid_date: String,
    /// Corners of the number's text in the picture as posted (after the EXIF turn, before any scaling), from the
    /// text's own top-left, clockwise; of a number in rows those of all rows together.
    #[schemars(length(equal = 4))]
    keypoints: Vec<Keypoint>,
    #[serde(flatten)]
    detail: Option<Detail>,
}

/// The fields that `detail` adds. What the reader does not read yet is there and empty.
#[derive(Clone, Serialize, JsonSchema)]
struct Detail {
    /// `MM/YY` of the earlier of two dates; "" when there is one date or none.
    #[schemars(regex(pattern = r"^([0-9]{2}/[0-9]{2})?$"))]
    valid_from: String,
    /// The holder's name in capitals as printed; "" when there is none, it cannot be read, or the number stands in rows.
    holder: String,
    /// `ICBC`; "" when unknown.
    bank_code: String,
    /// `工商银行`; "" when unknown.
    bank_short_name: String,
    /// The product; "" when unknown.
    card_name: String,
    /// By ranges and lengths: unionpay, visa, mastercard, amex, jcb, diners, discover, …; "" when unknown.
    scheme: &'static str,
    /// Whether the number's check digit is right; some genuine series do not follow it.
    luhn_valid: bool,
    /// As printed, with its gaps.
    number_grouped: String,
    /// Each of number, valid_date, valid_from and holder that was read.
    fields: Vec<Field>,
    card: Place,
}

/// A text on the card.
#[derive(Clone, Serialize, JsonSchema)]
struct Field {
    /// `number`, `valid_date`, `valid_from` or `holder`.
    kind: &'static str,
    /// As printed.
    text: String,
    /// Probability that the whole text is right.
    #[schemars(range(min = 0, max = 1))]
    prob: f64,
    /// Corners of the text, as those of the number.
    #[schemars(length(equal = 4))]
    keypoints: Vec<Keypoint>,
    chars: Vec<Char>,
}

/// A character of a text.
#[derive(Clone, Serialize, JsonSchema)]
struct Char {
    char: char,
    #[schemars(range(min = 0, max = 1))]
    prob: f64,
}

/// Where the card itself lies.
#[derive(Clone, Serialize, JsonSchema)]
struct Place {
    /// The card's four corners, clockwise from that which is its top-left when the number is upright; where the picture shows a
    /// part of the card they may lie outside it. Empty when the card is not seen or the number stands in rows.
    #[schemars(length(max = 4))]
    keypoints: Vec<Keypoint>,
    /// Clockwise turn of the number's text: 0, 90, 180 or 270.
    rotation: u16,
    /// How the card stands when its number is upright: `horizontal`, `vertical`; "" where there are no keypoints.
    layout: &'static str,
}

/// A point in the picture as posted, in px.
#[derive(Clone, Serialize, JsonSchema)]
struct Keypoint {
    x: i64,
    y: i64,
}

impl Card {
    fn new(reading: &CardReading, detail: bool) -> Self {
        Self {
            number: reading.number.value.digits().to_owned(),
            prob: prob(reading.number.prob),
            name: reading.issuer.as_ref().map(|issuer| issuer.best_name().to_owned()).unwrap_or_default(),
            r#type: reading.card_type.map(|kind| kind.name_cn()).unwrap_or_default(),
            valid_date: date_text(reading.valid_date.as_ref()),
            keypoints: keypoints(&reading.number.quad),
            detail: detail.then(|| Detail::new(reading)),
        }
    }
}

impl Detail {
    fn new(reading: &CardReading) -> Self {
        let issuer = reading.issuer.as_ref();
        let number = Field::new("number", &reading.number);
        let valid_date = reading.valid_date.as_ref().map(|date| Field::new("valid_date", date));
        let valid_from = reading.valid_from.as_ref().map(|date| Field::new("valid_from", date));
        let holder = reading.holder.as_ref().map(|holder| Field::new("holder", holder));
        Self {
            valid_from: date_text(reading.valid_from.as_ref()),
            holder: reading.holder.as_ref().map(|holder| holder.value.clone()).unwrap_or_default(),
            bank_code: issuer.map(|issuer| issuer.code.clone()).unwrap_or_default(),
            bank_short_name: issuer.map(|issuer| issuer.short_name.clone()).unwrap_or_default(),
            card_name: reading.card_name.clone().unwrap_or_default(),
            scheme: reading.scheme.map(|scheme| scheme.as_str()).unwrap_or_default(),
            luhn_valid: reading.number.value.luhn_valid(),
            number_grouped: reading.number.text.clone(),
            fields: std::iter::once(number).chain(valid_date).chain(valid_from).chain(holder).collect(),
            card: Place {
                keypoints: reading.outline.as_ref().map(keypoints).unwrap_or_default(),
                rotation: rotation(&reading.number.quad),
                layout: reading.outline.as_ref().map(layout).unwrap_or_default(),
            },
        }
    }
}

impl Field {
    fn new<T>(kind: &'static str, field: &FieldReading<T>) -> Self {
        let char = |c: &CharReading| Char { char: c.char, prob: prob(c.prob) };
        Self {
            kind,
            text: field.text.clone(),
            prob: prob(field.prob),
            keypoints: keypoints(&field.quad),
            chars: field.chars.iter().map(char).collect(),
        }
    }
}

fn date_text(date: Option<&FieldReading<Expiry>>) -> String {
    date.map(|date| date.value.to_string()).unwrap_or_default()
}

/// 0 to 1 and never NaN, which JSON does not have.
fn prob(prob: f32) -> f64 {
    if prob.is_nan() { 0.0 } else { f64::from(prob.clamp(0.0, 1.0)) }
}

fn keypoints(quad: &Quad) -> Vec<Keypoint> {
    // A cast of a float saturates, and takes NaN for 0.
    quad.0.iter().map(|p| Keypoint { x: p.x.round() as i64, y: p.y.round() as i64 }).collect()
}

/// How far a text is turned clockwise in the picture, to the nearest quarter.
fn rotation(quad: &Quad) -> u16 {
    let [start, end, ..] = quad.0;
    let (dx, dy) = (end.x - start.x, end.y - start.y);
    match (dx.abs() >= dy.abs(), dx >= 0.0, dy >= 0.0) {
        (true, true, _) => 0,
        (false, _, true) => 90,
        (true, false, _) => 180,
        (false, _, false) => 270,
    }
}

/// How a card stands when its number is upright.
fn layout(card: &Quad) -> &'static str {
    if card.width() >= card.height() { "horizontal" } else { "vertical" }
}

#[cfg(test)]
pub(crate) mod tests;
