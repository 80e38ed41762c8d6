//! Values that must not be shown by accident: AppCodes, app secrets, and what a user typed that may be a card number.
//! `Debug` never shows them; only [`Secret::reveal`] does.

use std::fmt;

use sha2::{Digest, Sha256};

/// An AppCode, an app secret, or an argument that may be a card number.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// 128 random bits as 32 hexadecimal digits, the shape that clients of the hosted API know.
    pub(crate) fn random() -> Self {
        Self(random_hex::<16>())
    }

    /// The text, in the clear.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// What the store keeps of an AppCode. No salt and no slow hash: 128 random bits cannot be guessed.
    pub(crate) fn sha256(&self) -> String {
        hex::encode(Sha256::digest(&self.0))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// `N` bytes from the operating system's generator, as `2 * N` hexadecimal digits.
pub(crate) fn random_hex<const N: usize>() -> String {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has a random generator");
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::from("hunter2".to_owned())), "Secret(***)");
    }

    #[test]
    fn random_secrets_differ() {
        let (a, b) = (Secret::random(), Secret::random());
        assert_eq!(a.reveal().len(), 32);
        assert_ne!(a.reveal(), b.reveal());
    }
}
