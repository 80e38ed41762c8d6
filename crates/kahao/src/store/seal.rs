//! App secrets at rest: sealed with AES-256-GCM under a master key that is not in the database. The id of the key is
//! bound in, so that a sealed secret copied to another key's row does not open there.

use std::path::Path;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::StoreError;
use crate::secret::Secret;

/// Where the master key is looked for when no file is named.
pub(crate) const VARIABLE: &str = "KAHAO_MASTER_KEY";

/// What a sealed text begins with; a secret in the clear is hexadecimal.
const MARK: &str = "aes256gcm:";

/// Why a master key cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MasterKeyError {
    #[error("cannot read the master key file {path}: {cause}")]
    File { path: String, cause: std::io::Error },
    #[error("KAHAO_MASTER_KEY and --master-key-file are both set: choose one")]
    Both,
    #[error("KAHAO_MASTER_KEY is not text")]
    NotText,
    #[error(
        "the master key must be 32 bytes in base64 or hexadecimal, for example from `openssl rand -base64 32`, \
         alone or followed by the one it replaces"
    )]
    Malformed,
}

/// Seals with the current master key; opens with it or with the one it replaces. Without a key, secrets stay as they are.
#[derive(Default)]
pub(crate) struct Seal {
    current: Option<LessSafeKey>,
    former: Option<LessSafeKey>,
}

impl Seal {
    /// The master key in `file`, else in the environment, else none.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, MasterKeyError> {
        let variable = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
        match (file, variable) {
            (None, None) => Ok(Self::default()),
            (Some(_), Some(_)) => Err(MasterKeyError::Both),
            (None, Some(value)) => Self::parse(value.to_str().ok_or(MasterKeyError::NotText)?),
            (Some(path), None) => match std::fs::read_to_string(path) {
                Ok(text) => Self::parse(&text),
                Err(cause) => Err(MasterKeyError::File { path: path.display().to_string(), cause }),
            },
        }
    }

    /// One or two keys with white space between: the current one, then the one it replaces.
    pub(crate) fn parse(text: &str) -> Result<Self, MasterKeyError> {
        let mut words = text.split_whitespace();
        let current = parse_key(words.next().ok_or(MasterKeyError::Malformed)?)?;
        let former = words.next().map(parse_key).transpose()?;
        match words.next() {
            None => Ok(Self { current: Some(current), former }),
            Some(_) => Err(MasterKeyError::Malformed),
        }
    }

    /// Whether there is a master key.
    pub(crate) fn has_key(&self) -> bool {
        self.current.is_some()
    }

    /// What to store of `secret`, which belongs to the key `id`.
    pub(super) fn seal(&self, id: &str, secret: &Secret) -> String {
        let Some(key) = &self.current else { return secret.reveal().to_owned() };
        // Random nonces are safe for 2^32 seals under one key (NIST SP 800-38D, 8.3).
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).expect("the operating system has a random generator");
        let mut bytes = secret.reveal().as_bytes().to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(id), &mut bytes)
            .expect("a secret is shorter than 64 GB");
        format!("{MARK}{}{}", hex::encode(nonce), hex::encode(bytes))
    }

    /// The secret that was stored as `text`.
    pub(super) fn open(&self, id: &str, text: &str) -> Result<Secret, StoreError> {
        let Some(sealed) = text.strip_prefix(MARK) else { return Ok(text.to_owned().into()) };
        if !self.has_key() {
            return Err(StoreError::MasterKeyMissing(id.to_owned()));
        }
        let keys = self.current.iter().chain(&self.former);
        let opened = keys.filter_map(|key| open_with(key, id, sealed)).next();
        opened.ok_or_else(|| StoreError::MasterKeyWrong(id.to_owned()))
    }

    /// Whether `text` is as [`Seal::seal`] would store it now.
    pub(super) fn is_current(&self, id: &str, text: &str) -> bool {
        match (&self.current, text.strip_prefix(MARK)) {
            (Some(key), Some(sealed)) => open_with(key, id, sealed).is_some(),
            (None, None) => true,
            _ => false,
        }
    }
}

fn open_with(key: &LessSafeKey, id: &str, sealed: &str) -> Option<Secret> {
    let mut bytes = hex::decode(sealed).ok()?;
    let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let secret = key.open_in_place(nonce, Aad::from(id), sealed).ok()?;
    Some(std::str::from_utf8(secret).ok()?.to_owned().into())
}

fn parse_key(word: &str) -> Result<LessSafeKey, MasterKeyError> {
    let bytes = match word.len() {
        64 => hex::decode(word).ok(),
        _ => base64_simd::forgiving_decode_to_vec(word.as_bytes()).ok(),
    };
    let key = bytes.and_then(|bytes| UnboundKey::new(&AES_256_GCM, &bytes).ok());
    key.map(LessSafeKey::new).ok_or(MasterKeyError::Malformed)
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";
    const B: &str = "4242424242424242424242424242424242424242424242424242424242424242";

    fn seal(text: &str) -> Seal {
        Seal::parse(text).unwrap()
    }

    #[test]
    fn a_secret_opens_with_its_key_and_id_only() {
        let secret = Secret::from("0123456789abcdef".to_owned());
        let sealed = seal(A).seal("k_1", &secret);
        assert!(sealed.starts_with(MARK) && !sealed.contains(&hex::encode(secret.reveal())));
        assert_ne!(sealed, seal(A).seal("k_1", &secret), "each seal has a nonce of its own");
        assert_eq!(seal(A).open("k_1", &sealed).unwrap().reveal(), secret.reveal());
        assert_eq!(seal(&format!("{B}\n{A}\n")).open("k_1", &sealed).unwrap().reveal(), secret.reveal());
        assert!(matches!(seal(A).open("k_2", &sealed), Err(StoreError::MasterKeyWrong(_))));
        assert!(matches!(seal(B).open("k_1", &sealed), Err(StoreError::MasterKeyWrong(_))));
        assert!(matches!(Seal::default().open("k_1", &sealed), Err(StoreError::MasterKeyMissing(_))));
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let sealed = seal(A).seal("k_1", &Secret::random());
        for at in MARK.len()..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(seal(A).open("k_1", &changed).is_err(), "{at}");
            assert!(seal(A).open("k_1", &sealed[..at]).is_err(), "{at}");
        }
    }

    #[test]
    fn without_a_key_secrets_stay_as_they_are() {
        let none = Seal::default();
        let text = none.seal("k_1", &Secret::from("ab".to_owned()));
        assert_eq!((text.as_str(), none.open("k_1", "ab").unwrap().reveal()), ("ab", "ab"));
        assert!(none.is_current("k_1", "ab") && !seal(A).is_current("k_1", "ab"));
        assert!(seal(A).is_current("k_1", &seal(A).seal("k_1", &Secret::random())));
        assert!(!seal(B).is_current("k_1", &seal(A).seal("k_1", &Secret::random())));
    }

    #[test]
    fn malformed_master_keys_are_refused() {
        for text in ["", " \n", "secret", &B[1..], &A[4..], &format!("{A} {A} {A}"), &format!("{A} x")] {
            assert!(matches!(Seal::parse(text), Err(MasterKeyError::Malformed)), "{text}");
        }
        assert_eq!(format!("{:?}", seal(A)), "Seal(***)");
    }
}
