//! What may be refused, by operation. The router's tests hold each refusal they see against these lists.

use kahao_reader::ReadError;

use crate::auth::AuthError;
use crate::error::ApiError;
use crate::fetch::FetchError;
use crate::input::{InputError, MAX_PICTURE_BYTES};
use crate::limits::OverRate;
use crate::number::NumberError;
use crate::store::StoreError;
use crate::workers::WorkError;

/// Of `read_bank_card`.
pub(super) fn of_a_picture() -> Vec<ApiError> {
    let input = [
        InputError::BodyTooLarge,
        InputError::BodyBrokeOff,
        InputError::ContentType,
        InputError::NotJson { line: 1, column: 1 },
        InputError::WrongFields,
        InputError::NoPicture,
        InputError::BadBase64,
        InputError::BadMultipart,
        InputError::PictureTooLarge { bytes: MAX_PICTURE_BYTES + 1 },
    ];
    let read = [
        ReadError::NoCard,
        ReadError::NotLegible,
        ReadError::TookTooLong,
        ReadError::UnsupportedFormat,
        ReadError::Damaged { format: "JPEG" },
        ReadError::TooSmall { width: 14, height: 20, min_side_px: 15 },
        ReadError::TooLarge { width: 8193, height: 20, max_side_px: 8192 },
    ];
    let fetch = [
        FetchError::SwitchedOff,
        FetchError::HostNotAllowed,
        FetchError::Busy,
        FetchError::BadUrl,
        FetchError::UrlTooLong,
        FetchError::Credentials,
        FetchError::PortNotAllowed,
        FetchError::NoAddress,
        FetchError::Unreachable,
        FetchError::BrokeOff,
        FetchError::TimedOut,
        FetchError::Status(404),
        FetchError::TooManyRedirects,
        FetchError::Downgrade,
        FetchError::TooLarge,
        FetchError::NotAPicture,
    ];
    let mut refusals = of_admission();
    refusals.extend(input.map(ApiError::Input));
    refusals.extend(fetch.map(ApiError::Fetch));
    refusals.extend(read.map(ApiError::from));
    refusals.extend([WorkError::QueueFull, WorkError::WaitedTooLong].map(ApiError::Work));
    refusals.push(ApiError::QuotaUsedUp);
    refusals
}

/// Of `look_up_bank_card_bin`.
pub(super) fn of_a_number() -> Vec<ApiError> {
    let input = [
        InputError::BodyTooLarge,
        InputError::BodyBrokeOff,
        InputError::NotJsonType,
        InputError::NotJson { line: 1, column: 1 },
        InputError::WrongNumberField,
        InputError::Number(NumberError::NotDigits),
        InputError::Number(NumberError::Length(5)),
        InputError::Number(NumberError::Hidden),
    ];
    let mut refusals = of_admission();
    refusals.extend(input.map(ApiError::Input));
    refusals
}

/// Of `read_credit`.
pub(super) fn of_the_credit() -> Vec<ApiError> {
    let mut refusals = of_admission();
    refusals.extend([InputError::BodyTooLarge, InputError::BodyBrokeOff].map(ApiError::Input));
    refusals
}

/// Of every operation that needs a key, and what may happen to any of them.
fn of_admission() -> Vec<ApiError> {
    let auth = [
        AuthError::NoCredentials,
        AuthError::Malformed,
        AuthError::UnknownKeyOrSecret,
        AuthError::TimestampMalformed,
        AuthError::TimestampOutsideWindow,
        AuthError::UnknownSignatureMethod,
        AuthError::NonceMalformed,
        AuthError::NonceSeen,
        AuthError::HmacRequired,
        AuthError::KeyDisabled,
        AuthError::KeyExpired,
        AuthError::AddressNotAllowed,
        AuthError::NonceMemoryFull,
    ];
    let mut refusals: Vec<_> = auth.map(ApiError::Auth).into();
    refusals.extend([
        ApiError::OverRate(OverRate { retry_after_s: 1 }),
        ApiError::TooManyRequests,
        ApiError::Draining,
        ApiError::Store(StoreError::Away),
        ApiError::Panicked,
    ]);
    refusals
}
