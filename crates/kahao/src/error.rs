//! Everything that is refused, once: status, `code` and the two public texts of each refusal. The parts
//! below know no HTTP; causes that are not the caller's business are logged here and never sent.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use kahao_reader::ReadError;

use crate::auth::AuthError;
use crate::fetch::FetchError;
use crate::input::InputError;
use crate::limits::OverRate;
use crate::number::NumberError;
use crate::response::Answer;
use crate::store::{Outcome, StoreError};
use crate::workers::WorkError;

/// Why a request is not answered with cards.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Work(#[from] WorkError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the key is over its rate: try again later")]
    OverRate(OverRate),
    #[error("the server is busy: too many requests at once")]
    TooManyRequests,
    #[error("the key's quota is used up")]
    QuotaUsedUp,
    #[error("the server is shutting down")]
    Draining,
    #[error("no such path")]
    NoSuchPath,
    #[error("wrong method for this path")]
    WrongMethod,
    #[error("a request handler panicked")]
    Panicked,
}

impl ApiError {
    /// The HTTP status, which is also the `code`.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Auth(error) => match error {
                AuthError::KeyDisabled | AuthError::KeyExpired | AuthError::AddressNotAllowed => {
                    StatusCode::FORBIDDEN
                }
                AuthError::NonceMemoryFull => StatusCode::TOO_MANY_REQUESTS,
                AuthError::Store(error) => store_status(error),
                _ => StatusCode::UNAUTHORIZED,
            },
            Self::Input(InputError::BodyTooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Input(InputError::ContentType | InputError::NotJsonType) => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Self::Input(_) => StatusCode::BAD_REQUEST,
            Self::Fetch(FetchError::SwitchedOff | FetchError::HostNotAllowed) => StatusCode::FORBIDDEN,
            Self::Fetch(FetchError::Busy) => StatusCode::TOO_MANY_REQUESTS,
            Self::Fetch(_) => StatusCode::BAD_REQUEST,
            Self::Work(error) => match error {
                WorkError::QueueFull => StatusCode::TOO_MANY_REQUESTS,
                // Not the picture's fault for sure: a machine with too much to do comes here too.
                WorkError::WaitedTooLong | WorkError::Read(ReadError::TookTooLong) => {
                    StatusCode::SERVICE_UNAVAILABLE
                }
                // The picture was fine; there was nothing to read in it.
                WorkError::Read(ReadError::NoCard | ReadError::NotLegible) => StatusCode::OK,
                WorkError::Read(error) if chinese_read(error).is_some() => StatusCode::BAD_REQUEST,
                WorkError::Read(_) | WorkError::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::OverRate(_) | Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::QuotaUsedUp => StatusCode::FORBIDDEN,
            Self::Draining => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Store(error) => store_status(error),
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The refusal in a word, for metrics, traces and the log: what an operator would treat differently.
    fn reason(&self) -> &'static str {
        match self {
            Self::Auth(error) => match error {
                AuthError::NoCredentials => "no_credentials",
                AuthError::Malformed => "malformed_credentials",
                AuthError::UnknownKeyOrSecret => "unknown_key_or_secret",
                AuthError::TimestampMalformed => "malformed_timestamp",
                AuthError::TimestampOutsideWindow => "timestamp_outside_window",
                AuthError::UnknownSignatureMethod => "unknown_signature_method",
                AuthError::NonceMalformed => "malformed_nonce",
                AuthError::NonceSeen => "nonce_seen",
                AuthError::HmacRequired => "hmac_required",
                AuthError::KeyDisabled => "key_disabled",
                AuthError::KeyExpired => "key_expired",
                AuthError::AddressNotAllowed => "address_not_allowed",
                AuthError::NonceMemoryFull => "nonce_memory_full",
                AuthError::Store(_) => "store",
            },
            Self::Input(error) => match error {
                InputError::BodyTooLarge => "body_too_large",
                InputError::BodyBrokeOff => "body_broke_off",
                InputError::ContentType | InputError::NotJsonType => "content_type",
                InputError::PictureTooLarge { .. } => "picture_too_large",
                _ => "malformed_body",
            },
            Self::Fetch(error) => match error {
                FetchError::SwitchedOff => "image_url_switched_off",
                FetchError::HostNotAllowed => "image_url_host_not_allowed",
                FetchError::Busy => "downloads_full",
                FetchError::NoAddress => "image_url_no_address",
                _ => "image_url_failed",
            },
            Self::Work(error) => match error {
                WorkError::QueueFull => "queue_full",
                WorkError::WaitedTooLong => "waited_too_long",
                WorkError::Panicked => "panic",
                WorkError::Read(ReadError::TookTooLong) => "took_too_long",
                WorkError::Read(ReadError::NoCard) => "no_card",
                WorkError::Read(ReadError::NotLegible) => "not_legible",
                WorkError::Read(error) if chinese_read(error).is_some() => "unreadable_picture",
                WorkError::Read(_) => "reader",
            },
            Self::Store(_) => "store",
            Self::OverRate(_) => "over_rate",
            Self::TooManyRequests => "too_many_requests",
            Self::QuotaUsedUp => "quota_used_up",
            Self::Draining => "draining",
            Self::NoSuchPath => "no_such_path",
            Self::WrongMethod => "wrong_method",
            Self::Panicked => "panic",
        }
    }

    /// What it is in the usage of the caller's key.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Work(WorkError::Read(ReadError::NoCard)) => Outcome::NoCard,
            Self::Work(WorkError::Read(ReadError::NotLegible)) => Outcome::NotLegible,
            _ if self.status() == StatusCode::TOO_MANY_REQUESTS => Outcome::Limited,
            _ if self.status().is_server_error() => Outcome::Failed,
            _ => Outcome::Refused,
        }
    }

    /// What the store says of it, which is nobody's business but the operator's.
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) | Self::Auth(AuthError::Store(error)) => Some(error),
            _ => None,
        }
    }

    /// When to try again, where that helps.
    fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::OverRate(over) => Some(over.retry_after_s),
            Self::Draining => Some(5),
            _ => matches!(self.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
                .then_some(1),
        }
    }

    /// `msg_cn`.
    fn chinese(&self) -> String {
        let text = match self {
            Self::Auth(error) => match error {
                AuthError::NoCredentials => {
                    "缺少认证信息：请发送 Authorization: APPCODE <code>，或 x-ca-key、x-ca-timestamp 和 x-ca-signature"
                }
                AuthError::Malformed => {
                    "认证信息格式错误：请发送 Authorization: APPCODE <code>，或 x-ca-key、x-ca-timestamp 和 x-ca-signature"
                }
                AuthError::UnknownKeyOrSecret => "密钥不存在或签名错误",
                AuthError::TimestampMalformed => "x-ca-timestamp 必须是 13 位毫秒或 10 位秒时间戳",
                AuthError::TimestampOutsideWindow => "x-ca-timestamp 超出允许的时间范围，请检查时钟",
                AuthError::UnknownSignatureMethod => "x-ca-signature-method 只能是 HmacSHA256 或不填",
                AuthError::NonceMalformed => "x-ca-nonce 必须是 8 到 128 个不含空格的可见 ASCII 字符",
                AuthError::NonceSeen => "x-ca-nonce 已被使用",
                AuthError::HmacRequired => "该密钥只接受 HmacSHA256 签名的请求",
                AuthError::KeyDisabled => "密钥已被禁用",
                AuthError::KeyExpired => "密钥已过期",
                AuthError::AddressNotAllowed => "该密钥不允许从此地址使用",
                AuthError::NonceMemoryFull => "签名请求过多，请稍后重试",
                AuthError::Store(error) => chinese_store(error),
            },
            Self::Input(error) => match error {
                InputError::BodyTooLarge => "请求体超过 30 MB",
                InputError::BodyBrokeOff => "请求体中断或传输过慢",
                InputError::ContentType => {
                    "Content-Type 必须是 application/json、multipart/form-data、image/* 或 application/octet-stream，且不带 Content-Encoding"
                }
                InputError::NotJson { line, column } => {
                    return format!("请求体不是有效的 JSON：第 {line} 行第 {column} 列");
                }
                InputError::WrongFields => {
                    "JSON 必须是对象，image_base64 和 image_url 为字符串，detail 为 true 或 false"
                }
                InputError::NotJsonType => "Content-Type 必须是 application/json，且不带 Content-Encoding",
                InputError::WrongNumberField => "JSON 必须是对象，number 为字符串",
                InputError::Number(error) => match error {
                    NumberError::NotDigits => "number 必须是 6 到 19 位数字，中间只能有空格和短横线",
                    NumberError::Length(length) => {
                        return format!("number 必须是 6 到 19 位数字，现为 {length} 位");
                    }
                    NumberError::Hidden => "number 的前 6 位必须给出，其后各位可用 * 隐去",
                },
                InputError::NoPicture => "没有图片：请传 image_base64 或 image_url",
                InputError::BadBase64 => "image_base64 不是有效的 base64",
                InputError::BadMultipart => "multipart 请求体格式错误",
                InputError::PictureTooLarge { bytes } => {
                    return format!("图片文件为 {bytes} 字节，最大 20971520 字节");
                }
            },
            Self::Fetch(error) => match error {
                FetchError::SwitchedOff => "本服务未开启 image_url：请传 image_base64",
                FetchError::HostNotAllowed => "本服务不从 image_url 的主机下载",
                FetchError::Busy => "下载任务过多，请稍后重试",
                FetchError::BadUrl => "image_url 不是 http 或 https 地址",
                FetchError::UrlTooLong => "image_url 超过 8192 个字符",
                FetchError::Credentials => "image_url 不能包含用户名或密码",
                FetchError::PortNotAllowed => {
                    "本服务不从 image_url 的端口下载：允许 80、443 和 1024 至 65535"
                }
                FetchError::NoAddress => "无法下载 image_url：主机没有本服务可访问的地址",
                FetchError::Unreachable => "无法下载 image_url：服务器无响应",
                FetchError::BrokeOff => "无法下载 image_url：服务器中断了传输",
                FetchError::TimedOut => "无法下载 image_url：服务器超时",
                FetchError::Status(status) => return format!("无法下载 image_url：服务器返回 {status}"),
                FetchError::TooManyRedirects => "无法下载 image_url：重定向超过 3 次",
                FetchError::Downgrade => "无法下载 image_url：从 https 重定向到 http",
                FetchError::NotAPicture => {
                    "image_url 不是可识别的图片：支持 JPEG、PNG、WebP、BMP、GIF 和 TIFF 文件"
                }
                FetchError::TooLarge => "无法下载 image_url：文件超过 20 MB",
            },
            Self::Work(error) => match error {
                WorkError::QueueFull => "服务器繁忙：队列已满",
                WorkError::WaitedTooLong => "服务器繁忙：等待超时",
                WorkError::Panicked => "内部错误",
                WorkError::Read(error) => return chinese_read(error).unwrap_or_else(|| "内部错误".into()),
            },
            Self::OverRate(_) => "请求过于频繁，请稍后重试",
            Self::TooManyRequests => "服务器繁忙：并发请求过多",
            Self::QuotaUsedUp => "密钥的调用次数已用完",
            Self::Draining => "服务器正在关闭",
            Self::NoSuchPath => "路径不存在",
            Self::WrongMethod => "该路径不支持此请求方法",
            Self::Store(error) => chinese_store(error),
            Self::Panicked => "内部错误",
        };
        text.to_owned()
    }
}

/// The Chinese text of a refusal that the picture earned; `None` for faults of this program.
fn chinese_read(error: &ReadError) -> Option<String> {
    Some(match error {
        ReadError::Empty => "图片为空：请发送 JPEG、PNG、WebP、BMP、GIF 或 TIFF 文件".into(),
        ReadError::UnsupportedFormat => {
            "不是可识别的图片：请发送 JPEG、PNG、WebP、BMP、GIF 或 TIFF 文件".into()
        }
        ReadError::Damaged { format } => format!("{format} 文件损坏或不完整：请重新发送整个文件"),
        ReadError::TooManyBytes { bytes, max_bytes } => {
            format!("图片文件为 {bytes} 字节，最大 {max_bytes} 字节")
        }
        ReadError::TooSmall { width, height, min_side_px } => {
            format!("图片尺寸为 {width} x {height} 像素，每边至少 {min_side_px} 像素")
        }
        ReadError::TooLarge { width, height, max_side_px } => {
            format!("图片尺寸为 {width} x {height} 像素，每边最多 {max_side_px} 像素")
        }
        ReadError::TookTooLong => "识别超时：请稍后重试，或发送较小的图片".into(),
        ReadError::NoCard => "未识别到银行卡".into(),
        ReadError::NotLegible => "卡号无法辨认".into(),
        _ => return None,
    })
}

/// A database that is away comes back; anything else about the store is ours to mend.
fn store_status(error: &StoreError) -> StatusCode {
    match error {
        StoreError::Away | StoreError::Database(_) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn chinese_store(error: &StoreError) -> &'static str {
    match store_status(error) {
        StatusCode::SERVICE_UNAVAILABLE => "数据库暂时不可用，请稍后重试",
        _ => "内部错误",
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        Self::Work(WorkError::Read(error))
    }
}

impl From<&ApiError> for Answer {
    fn from(error: &ApiError) -> Self {
        let status = error.status();
        let msg = match status {
            StatusCode::INTERNAL_SERVER_ERROR => "internal error".to_owned(),
            _ if error.store_error().is_some() => "the database is not available: try again later".to_owned(),
            _ => error.to_string(),
        };
        Answer::refusal(status, msg, error.chinese(), error.retry_after_s()).because(error.reason())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        // That the database is away is logged once, by `accounts`.
        let is_told = self.store_error().is_some_and(StoreError::is_away);
        if self.status() == StatusCode::INTERNAL_SERVER_ERROR || (self.store_error().is_some() && !is_told) {
            tracing::error!(cause = %self, "request failed");
        }
        Answer::from(&self).into_response()
    }
}
