//! Who is calling, by headers alone where possible: an AppCode or an md5 signature is proven before the
//! body is read, an HMAC signature covers the body and is proven after it. What a proven key may do
//! (disabled, networks) is decided here too; rates and quotas are not.

mod nonces;
pub(crate) mod signature;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use crate::accounts::Accounts;
use crate::replicas::Replicas;
use crate::secret::Secret;
use crate::store::{Credential, Key, StoreError, now_s};
use nonces::{Nonces, Seen};
use signature::Signed;

/// Settings of authentication.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Credentials")]
pub(crate) struct Config {
    /// How far x-ca-timestamp may be from this machine's clock, either way, in seconds
    #[arg(long, env = "KAHAO_TIMESTAMP_WINDOW_S", value_name = "SECONDS", default_value_t = 900)]
    #[arg(value_parser = clap::value_parser!(i64).range(1..=86_400))]
    pub(crate) timestamp_window_s: i64,
}

/// Why a caller is not let in. The texts are public.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthError {
    #[error(
        "no credentials: send 'Authorization: APPCODE <code>' or x-ca-key, x-ca-timestamp and x-ca-signature"
    )]
    NoCredentials,
    #[error(
        "malformed credentials: send 'Authorization: APPCODE <code>' or x-ca-key, x-ca-timestamp and x-ca-signature"
    )]
    Malformed,
    /// One text for both, so that nobody learns which keys exist.
    #[error("unknown key or wrong secret")]
    UnknownKeyOrSecret,
    #[error("x-ca-timestamp must have 13 digits (milliseconds) or 10 digits (seconds)")]
    TimestampMalformed,
    #[error("x-ca-timestamp is outside the accepted window: check the clock")]
    TimestampOutsideWindow,
    #[error("x-ca-signature-method must be HmacSHA256 or absent")]
    UnknownSignatureMethod,
    #[error("x-ca-nonce must have 8 to 128 printable ASCII characters without blanks")]
    NonceMalformed,
    #[error("x-ca-nonce was used before")]
    NonceSeen,
    #[error("this key accepts requests signed with HmacSHA256 only")]
    HmacRequired,
    #[error("the key is disabled")]
    KeyDisabled,
    #[error("the key has expired")]
    KeyExpired,
    #[error("the key may not be used from this address")]
    AddressNotAllowed,
    #[error("too many signed requests at once: try again later")]
    NonceMemoryFull,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Tells callers apart.
#[derive(Debug)]
pub(crate) struct Auth {
    window_ms: i64,
    nonces: Nonces,
}

/// What the headers of a request say.
#[derive(Debug)]
pub(crate) enum Claim {
    /// They are proof enough.
    Proven(Arc<Key>),
    /// The signature covers the body.
    OnBody(Box<BodyClaim>),
}

/// A claim that only the body can prove.
#[derive(Debug)]
pub(crate) struct BodyClaim {
    key: Arc<Key>,
    method: String,
    path: String,
    signature: Secret,
    timestamp: String,
    timestamp_ms: i64,
    nonce: String,
}

impl Auth {
    /// Remembers no nonce yet.
    pub(crate) fn new(config: &Config, replicas: Option<Arc<Replicas>>) -> Self {
        Self { window_ms: config.timestamp_window_s * 1000, nonces: Nonces::new(replicas) }
    }

    /// Reads the claim in the head of a request and proves it as far as the head alone can.
    pub(crate) async fn check_head(&self, accounts: &Accounts, head: &Parts) -> Result<Claim, AuthError> {
        if let Some(appcode) = read_appcode(&head.headers)? {
            let sha256 = appcode.sha256();
            let key = accounts.find_key(&Credential::AppCode(sha256.clone())).await?;
            let key = key.filter(|key| key.has_appcode(&sha256, now_s()));
            let key = key.ok_or(AuthError::UnknownKeyOrSecret)?;
            return if key.require_hmac { Err(AuthError::HmacRequired) } else { Ok(Claim::Proven(key)) };
        }

        let app_key = text(&head.headers, "x-ca-key")?.ok_or(AuthError::NoCredentials)?;
        let timestamp = text(&head.headers, "x-ca-timestamp")?.ok_or(AuthError::Malformed)?;
        let given = text(&head.headers, "x-ca-signature")?.ok_or(AuthError::Malformed)?;
        let timestamp_ms = signature::parse_timestamp_ms(timestamp)?;
        signature::check_window(timestamp_ms, now_ms(), self.window_ms)?;
        let hmac = match text(&head.headers, "x-ca-signature-method")? {
            None => false,
            Some(method) if method.eq_ignore_ascii_case("HmacSHA256") => true,
            Some(_) => return Err(AuthError::UnknownSignatureMethod),
        };
        let nonce = if hmac { read_nonce(&head.headers)? } else { "" };

        let key = accounts.find_key(&Credential::AppKey(app_key.to_owned())).await?;
        let key = key.ok_or(AuthError::UnknownKeyOrSecret)?;
        if hmac {
            return Ok(Claim::OnBody(Box::new(BodyClaim {
                key,
                method: head.method.to_string(),
                path: head.uri.path().to_owned(),
                signature: given.to_owned().into(),
                timestamp: timestamp.to_owned(),
                timestamp_ms,
                nonce: nonce.to_owned(),
            })));
        }
        let is_signed =
            |secret| signature::matches(given, &signature::md5_signature(&key.app_key, timestamp, secret));
        if !key.app_secrets(now_s()).any(is_signed) {
            return Err(AuthError::UnknownKeyOrSecret);
        }
        if key.require_hmac { Err(AuthError::HmacRequired) } else { Ok(Claim::Proven(key)) }
    }

    /// Proves a claim on the body. The nonce is spent only by a good signature, so that nobody can
    /// spend it for somebody else.
    pub(crate) async fn check_body(&self, claim: BodyClaim, body: &[u8]) -> Result<Arc<Key>, AuthError> {
        let signed = Signed {
            method: &claim.method,
            path: &claim.path,
            timestamp: &claim.timestamp,
            nonce: &claim.nonce,
            body,
        };
        let given = claim.signature.reveal();
        let is_signed = |secret| signature::matches(given, &signature::hmac_signature(&signed, secret));
        if !claim.key.app_secrets(now_s()).any(is_signed) {
            return Err(AuthError::UnknownKeyOrSecret);
        }
        let expires_ms = claim.timestamp_ms + self.window_ms;
        match self.nonces.remember(&claim.key.id, &claim.nonce, expires_ms, now_ms()).await {
            Seen::First => Ok(claim.key),
            Seen::Before => Err(AuthError::NonceSeen),
            Seen::Full => Err(AuthError::NonceMemoryFull),
        }
    }
}

/// Whether a proven key may be used now and from `caller`. Not before it is proven: a stranger learns
/// nothing about a key.
pub(crate) fn check_use(key: &Key, caller: IpAddr) -> Result<(), AuthError> {
    if key.disabled {
        return Err(AuthError::KeyDisabled);
    }
    if key.expires_at_s.is_some_and(|at_s| at_s <= now_s()) {
        return Err(AuthError::KeyExpired);
    }
    let allowed = key.networks.is_empty() || key.networks.iter().any(|network| network.contains(&caller));
    if allowed { Ok(()) } else { Err(AuthError::AddressNotAllowed) }
}

/// The AppCode of an `Authorization` header. Another scheme beside signature headers is ignored: a
/// proxy may have put it there.
pub(crate) fn read_appcode(headers: &HeaderMap) -> Result<Option<Secret>, AuthError> {
    let Some(value) = text(headers, header::AUTHORIZATION.as_str())? else { return Ok(None) };
    match value.trim().split_once(' ') {
        Some((scheme, code)) if scheme.eq_ignore_ascii_case("APPCODE") && !code.trim().is_empty() => {
            Ok(Some(code.trim().to_owned().into()))
        }
        _ if headers.contains_key("x-ca-key") => Ok(None),
        _ => Err(AuthError::Malformed),
    }
}

pub(crate) fn read_nonce(headers: &HeaderMap) -> Result<&str, AuthError> {
    let nonce = text(headers, "x-ca-nonce")?.ok_or(AuthError::NonceMalformed)?;
    let well_formed = (8..=128).contains(&nonce.len()) && nonce.bytes().all(|b| b.is_ascii_graphic());
    if well_formed { Ok(nonce) } else { Err(AuthError::NonceMalformed) }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, AuthError> {
    headers.get(name).map(|value| value.to_str().map_err(|_| AuthError::Malformed)).transpose()
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
