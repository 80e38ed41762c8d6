//! Which nonces were seen: each opens once. In memory and bounded; forgotten when their time stamp is
//! too old to be accepted anyway.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

/// Most nonces remembered: about 100 MB, and 500 signed requests a second over the widest window.
const MAX_NONCES: usize = 1_000_000;

/// What became of a nonce.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It is new and now remembered.
    First,
    /// It was used before.
    Before,
    /// No room to remember it, so that accepting it would be unsafe.
    Full,
}

/// The nonces of the last minutes.
#[derive(Debug, Default)]
pub(crate) struct Nonces {
    seen: Mutex<Memory>,
}

// A fingerprint of key and nonce instead of the two texts: callers choose the length of a nonce.
#[derive(Debug, Default)]
struct Memory {
    fingerprints: HashSet<u128>,
    by_expiry: BTreeSet<(i64, u128)>,
}

impl Nonces {
    /// Remembers the nonce of this key until `expires_ms`.
    pub(crate) fn remember(&self, key_id: &str, nonce: &str, expires_ms: i64, now_ms: i64) -> Seen {
        let fingerprint = fingerprint(key_id, nonce);
        let mut memory = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(&(expiry, old)) = memory.by_expiry.first()
            && expiry < now_ms
        {
            memory.by_expiry.pop_first();
            memory.fingerprints.remove(&old);
        }
        if memory.fingerprints.contains(&fingerprint) {
            return Seen::Before;
        }
        if memory.fingerprints.len() >= MAX_NONCES {
            return Seen::Full;
        }
        memory.fingerprints.insert(fingerprint);
        memory.by_expiry.insert((expires_ms, fingerprint));
        Seen::First
    }
}

fn fingerprint(key_id: &str, nonce: &str) -> u128 {
    let digest: [u8; 32] =
        Sha256::new().chain_update(key_id).chain_update("\n").chain_update(nonce).finalize().into();
    u128::from_le_bytes(digest[..16].try_into().expect("half of 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_opens_once_for_each_key_until_it_expires() {
        let nonces = Nonces::default();
        assert_eq!(nonces.remember("a", "n1", 1000, 0), Seen::First);
        assert_eq!(nonces.remember("a", "n1", 1000, 0), Seen::Before);
        assert_eq!(nonces.remember("b", "n1", 1000, 0), Seen::First);
        assert_eq!(nonces.remember("a", "n2", 2000, 0), Seen::First);
        assert_eq!(nonces.remember("a", "n1", 1000, 1000), Seen::Before, "the edge is still inside");
        assert_eq!(nonces.remember("a", "n1", 3000, 1001), Seen::First);
        assert_eq!(nonces.remember("a", "n2", 2000, 1001), Seen::Before);
    }

    #[test]
    fn expired_nonces_are_forgotten() {
        let nonces = Nonces::default();
        for i in 0..1000 {
            assert_eq!(nonces.remember("a", &i.to_string(), i, i), Seen::First);
        }
        assert!(nonces.seen.lock().unwrap().fingerprints.len() <= 2);
    }
}
