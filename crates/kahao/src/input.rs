//! The body of a request -> where the picture is, or which number is asked about. Limits before memory.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use futures_util::{StreamExt, stream};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::{Instant, timeout, timeout_at};

use crate::number::{Number, NumberError};

/// Longest picture file, as the API's page says.
pub(crate) const MAX_PICTURE_BYTES: usize = 20 * 1024 * 1024;

/// Longest body: the longest picture in base64 (4/3), with escaped line breaks after every 76 characters
/// (4/76) and the rest of the JSON.
pub(crate) const MAX_BODY_BYTES: usize = 30 * 1024 * 1024;

/// What a body may take before its speed counts: a slow start is no attack.
const SPEED_GRACE: Duration = Duration::from_secs(10);

/// Settings of bodies.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Bodies")]
pub(crate) struct Config {
    /// How long a body may take, in seconds
    #[arg(long, env = "KAHAO_BODY_TIMEOUT_S", value_name = "SECONDS", default_value_t = 60)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) body_timeout_s: u64,
    /// Bytes a second that a body must come with, on average and after its first 10 seconds; a slower one is an attack or
    /// a broken line
    #[arg(long, env = "KAHAO_MIN_BODY_SPEED", value_name = "BYTES", default_value_t = 4096)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) min_body_speed: u64,
}

impl Config {
    /// When a body of which so many bytes are there must have brought more.
    fn deadline(&self, began: Instant, bytes: usize) -> Instant {
        let at_speed =
            SPEED_GRACE + Duration::from_secs_f64(bytes as f64 / self.min_body_speed.max(1) as f64);
        began + at_speed.min(Duration::from_secs(self.body_timeout_s))
    }
}

/// Why a body gives no picture or no number. The texts are public.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InputError {
    #[error("the body is larger than 30 MB")]
    BodyTooLarge,
    #[error("the body broke off or came too slowly")]
    BodyBrokeOff,
    #[error(
        "Content-Type must be application/json, multipart/form-data, image/* or application/octet-stream, without Content-Encoding"
    )]
    ContentType,
    #[error("the body is not valid JSON: line {line}, column {column}")]
    NotJson { line: usize, column: usize },
    #[error(
        "the JSON must be an object with image_base64 or image_url as strings and detail as true or false"
    )]
    WrongFields,
    #[error("Content-Type must be application/json, without Content-Encoding")]
    NotJsonType,
    #[error("the JSON must be an object with number as a string")]
    WrongNumberField,
    #[error(transparent)]
    Number(#[from] NumberError),
    #[error("no picture: send image_base64 or image_url")]
    NoPicture,
    #[error("image_base64 is not valid base64")]
    BadBase64,
    #[error("the multipart body is malformed")]
    BadMultipart,
    #[error("the picture file has {bytes} bytes, at most 20971520 are read: send a smaller file")]
    PictureTooLarge { bytes: usize },
}

/// What a request asks to be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Input {
    pub(crate) source: Source,
    /// The caller wants the fields beyond those of the hosted API.
    pub(crate) detail: bool,
}

/// Where the picture is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Picture(Bytes),
    Url(String),
}

/// Reads a body into memory, up to [`MAX_BODY_BYTES`].
pub(crate) async fn read_body(config: &Config, headers: &HeaderMap, body: Body) -> Result<Bytes, InputError> {
    if declared_length(headers).is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        discard(headers, body);
        return Err(InputError::BodyTooLarge);
    }
    let began = Instant::now();
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    loop {
        let next = timeout_at(config.deadline(began, bytes.len()), chunks.next()).await;
        let Some(chunk) = next.map_err(|_| InputError::BodyBrokeOff)? else { break };
        let chunk = chunk.map_err(|_| InputError::BodyBrokeOff)?;
        if bytes.len() + chunk.len() > MAX_BODY_BYTES {
            discard(headers, Body::from_stream(chunks));
            return Err(InputError::BodyTooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

/// Lets a refused body run dry while the refusal is on its way. Closing on it instead would reset the
/// connection, and a client that still writes would never see the reason. A client that waits for
/// `100 Continue` sends nothing, so nothing is asked for.
pub(crate) fn discard(headers: &HeaderMap, body: Body) {
    if headers.contains_key(header::EXPECT) {
        return;
    }
    tokio::spawn(timeout(Duration::from_secs(10), async move {
        let mut chunks = body.into_data_stream();
        let mut left = 2 * MAX_BODY_BYTES;
        while let Some(Ok(chunk)) = chunks.next().await
            && left > chunk.len()
        {
            left -= chunk.len();
        }
    }));
}

/// Finds the picture in a body of any of the accepted forms.
pub(crate) async fn read_input(head: &Parts, body: Bytes) -> Result<Input, InputError> {
    let (content_type, essence) = content_type(&head.headers);
    if head.headers.contains_key(header::CONTENT_ENCODING) {
        return Err(InputError::ContentType);
    }
    let input = match essence.as_str() {
        "application/json" => read_json(&body)?,
        "multipart/form-data" => read_multipart(content_type, body).await?,
        "application/octet-stream" => read_raw(head, body),
        image if image.starts_with("image/") => read_raw(head, body),
        _ => return Err(InputError::ContentType),
    };
    match &input.source {
        Source::Picture(picture) if picture.is_empty() => Err(InputError::NoPicture),
        Source::Picture(picture) if picture.len() > MAX_PICTURE_BYTES => {
            Err(InputError::PictureTooLarge { bytes: picture.len() })
        }
        _ => Ok(input),
    }
}

/// Finds the number in a JSON body.
pub(crate) fn read_number(head: &Parts, body: &[u8]) -> Result<Number, InputError> {
    let (_, essence) = content_type(&head.headers);
    if essence != "application/json" || head.headers.contains_key(header::CONTENT_ENCODING) {
        return Err(InputError::NotJsonType);
    }
    let body: NumberBody<'_> = parse_json(body, InputError::WrongNumberField)?;
    Ok(body.number.parse()?)
}

/// The type of a body as it was sent, and in lower case without its parameters.
fn content_type(headers: &HeaderMap) -> (&str, String) {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    (sent, sent.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A picture, in one of the first two fields. Unknown fields are ignored: clients of the hosted API send some.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct JsonBody<'a> {
    /// The picture file in base64. A `data:image/...;base64,` prefix, line breaks, missing padding and the URL-safe
    /// alphabet are accepted.
    #[serde(borrow, default)]
    image_base64: Option<Cow<'a, str>>,
    /// An http or https address on the public Internet. Not touched when `image_base64` is given too.
    #[serde(borrow, default)]
    image_url: Option<Cow<'a, str>>,
    /// Adds the fields beyond those of the hosted API.
    #[serde(default)]
    detail: Option<bool>,
}

/// A number to look up.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct NumberBody<'a> {
    /// 6 to 19 digits; blanks and dashes between them are ignored. Digits from the seventh on may be hidden by `*`
    /// or `x`.
    #[serde(borrow)]
    number: Cow<'a, str>,
}

/// Reads a JSON object; `wrong_fields` is for one that is not of the type.
fn parse_json<'a, T: Deserialize<'a>>(body: &'a [u8], wrong_fields: InputError) -> Result<T, InputError> {
    // Some clients write a byte order mark, which RFC 8259 8.1 lets a reader ignore.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    // serde would take an array for the fields in their order.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(wrong_fields);
    }
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => wrong_fields,
        _ => InputError::NotJson { line: error.line(), column: error.column() },
    })
}

fn read_json(body: &[u8]) -> Result<Input, InputError> {
    let body: JsonBody<'_> = parse_json(body, InputError::WrongFields)?;
    choose(body.image_base64.as_deref(), body.image_url.as_deref(), body.detail.unwrap_or(false))
}

/// `image_base64` wins over `image_url`: it needs no network.
fn choose(base64: Option<&str>, url: Option<&str>, detail: bool) -> Result<Input, InputError> {
    let filled = |text: &&str| !text.trim().is_empty();
    let source = match (base64.filter(filled), url.filter(filled)) {
        (Some(base64), _) => Source::Picture(decode_base64(base64)?.into()),
        (None, Some(url)) => Source::Url(url.to_owned()),
        (None, None) => return Err(InputError::NoPicture),
    };
    Ok(Input { source, detail })
}

/// Base64 as people send it: with a `data:` prefix, line breaks, in the URL-safe alphabet, unpadded.
fn decode_base64(text: &str) -> Result<Vec<u8>, InputError> {
    let text = text.trim_start();
    let is_data_url = text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("data:"));
    let text = match text.split_once(',') {
        Some((_, payload)) if is_data_url => payload,
        _ => text,
    };
    let mut bytes = text.as_bytes().to_vec();
    for byte in &mut bytes {
        *byte = match *byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        };
    }
    let length = base64_simd::forgiving_decode_inplace(&mut bytes).map_err(|_| InputError::BadBase64)?.len();
    bytes.truncate(length);
    Ok(bytes)
}

/// A form with a file part `image`; the fields of the JSON body are accepted as text parts.
async fn read_multipart(content_type: &str, body: Bytes) -> Result<Input, InputError> {
    let boundary = multer::parse_boundary(content_type).map_err(|_| InputError::BadMultipart)?;
    let whole = stream::iter([Ok::<_, std::convert::Infallible>(body)]);
    let mut form = multer::Multipart::new(whole, boundary);
    let (mut image, mut base64, mut url, mut detail) = (None, None, None, false);
    while let Some(part) = form.next_field().await.map_err(|_| InputError::BadMultipart)? {
        let name = part.name().unwrap_or_default().to_owned();
        let bytes = part.bytes().await.map_err(|_| InputError::BadMultipart)?;
        let text = || String::from_utf8(bytes.to_vec()).map_err(|_| InputError::BadMultipart);
        match name.as_str() {
            "image" => image = Some(bytes),
            "image_base64" => base64 = Some(text()?),
            "image_url" => url = Some(text()?),
            "detail" => detail = is_true(text()?.trim()),
            _ => {}
        }
    }
    match image {
        Some(image) => Ok(Input { source: Source::Picture(image), detail }),
        None => choose(base64.as_deref(), url.as_deref(), detail),
    }
}

/// The picture itself; `?detail=true` stands for the field that has no place in such a body.
fn read_raw(head: &Parts, body: Bytes) -> Input {
    let query = head.uri.query().unwrap_or_default();
    let detail = query.split('&').filter_map(|pair| pair.strip_prefix("detail=")).any(is_true);
    Input { source: Source::Picture(body), detail }
}

fn is_true(text: &str) -> bool {
    matches!(text, "true" | "1")
}

#[cfg(test)]
mod tests;
