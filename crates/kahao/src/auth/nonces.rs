//! Which nonces were seen: each opens once. In memory and bounded; forgotten when their time stamp is
//! too old to be accepted anyway. With Redis a nonce opens once on all replicas together.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::replicas::Replicas;

/// Most nonces remembered: about 100 MB, and 500 signed requests a second over the widest window.
const MAX_NONCES: usize = 1_000_000;

/// How much longer replicas remember a nonce together: the clock of another may be behind.
const CLOCKS_APART_MS: i64 = 60_000;

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
    replicas: Option<Arc<Replicas>>,
    seen: Mutex<Memory>,
}

// A fingerprint of key and nonce instead of the two texts: callers choose the length of a nonce.
#[derive(Debug, Default)]
struct Memory {
    fingerprints: HashSet<u128>,
    by_expiry: BTreeSet<(i64, u128)>,
}

impl Nonces {
    /// Remembers together with others where there are `replicas`.
    pub(crate) fn new(replicas: Option<Arc<Replicas>>) -> Self {
        Self { replicas, seen: Mutex::default() }
    }

    /// Remembers the nonce of this key until `expires_ms`. Here in any case: Redis may go away, or lose what it had.
    pub(crate) async fn remember(&self, key_id: &str, nonce: &str, expires_ms: i64, now_ms: i64) -> Seen {
        let fingerprint = fingerprint(key_id, nonce);
        let here = self.remember_here(fingerprint, expires_ms, now_ms);
        let Some(replicas) = self.replicas.as_ref().filter(|_| here != Seen::Before) else { return here };
        match replicas.remember(fingerprint, expires_ms - now_ms + CLOCKS_APART_MS).await {
            Some(true) => Seen::First,
            Some(false) => Seen::Before,
            None => here,
        }
    }

    fn remember_here(&self, fingerprint: u128, expires_ms: i64, now_ms: i64) -> Seen {
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
        let remember = |key_id, nonce, expires_ms, now_ms| {
            nonces.remember_here(fingerprint(key_id, nonce), expires_ms, now_ms)
        };
        assert_eq!(remember("a", "n1", 1000, 0), Seen::First);
        assert_eq!(remember("a", "n1", 1000, 0), Seen::Before);
        assert_eq!(remember("b", "n1", 1000, 0), Seen::First);
        assert_eq!(remember("a", "n2", 2000, 0), Seen::First);
        assert_eq!(remember("a", "n1", 1000, 1000), Seen::Before, "the edge is still inside");
        assert_eq!(remember("a", "n1", 3000, 1001), Seen::First);
        assert_eq!(remember("a", "n2", 2000, 1001), Seen::Before);
    }

    #[test]
    fn expired_nonces_are_forgotten() {
        let nonces = Nonces::default();
        for i in 0..1000 {
            let fingerprint = fingerprint("a", &i.to_string());
            assert_eq!(nonces.remember_here(fingerprint, i, i), Seen::First);
        }
        assert!(nonces.seen.lock().unwrap().fingerprints.len() <= 2);
    }
}
