//! How often a key may call: a token bucket for each key that has a rate. In memory, so each replica
//! counts for itself. Quotas are the store's.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::store::Key;

/// The caller is over its rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OverRate {
    /// Whole seconds until the next request is let through, at least 1.
    pub(crate) retry_after_s: u64,
}

/// The buckets of the keys that have called. Bounded by the number of keys in the store, because only
/// proven callers get one.
#[derive(Debug, Default)]
pub(crate) struct RateLimits {
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled_at: Instant,
}

impl RateLimits {
    /// Counts one request of `key` at `now`.
    pub(crate) fn take(&self, key: &Key, now: Instant) -> Result<(), OverRate> {
        if key.rate_per_second <= 0 {
            return Ok(());
        }
        let rate = key.rate_per_second as f64;
        // A burst below one request would never let anything through.
        let capacity = key.burst.max(1) as f64;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(key.id.clone()).or_insert(Bucket { tokens: capacity, filled_at: now });
        let elapsed_s = now.saturating_duration_since(bucket.filled_at).as_secs_f64();
        bucket.tokens = (bucket.tokens + elapsed_s * rate).min(capacity);
        bucket.filled_at = now;
        if bucket.tokens < 1.0 {
            let wait_s = ((1.0 - bucket.tokens) / rate).ceil().max(1.0);
            return Err(OverRate { retry_after_s: wait_s as u64 });
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key(rate_per_second: i64, burst: i64) -> Key {
        Key {
            id: "k".into(),
            name: "n".into(),
            app_key: "a".into(),
            app_secret: crate::secret::Secret::random(),
            require_hmac: false,
            disabled: false,
            remaining_calls: -1,
            rate_per_second,
            burst,
            networks: Vec::new(),
            created_at_s: 0,
        }
    }

    #[test]
    fn lets_a_burst_through_then_the_rate() {
        let (limits, start) = (RateLimits::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        let key = key(2, 3);
        for (ms, passes) in [
            (0, true),
            (0, true),
            (0, true),
            (0, false),
            (499, false),
            (500, true),
            (501, false),
            (1000, true),
            (60_000, true),
            (60_000, true),
            (60_000, true),
            (60_000, false),
        ] {
            assert_eq!(limits.take(&key, at(ms)).is_ok(), passes, "at {ms} ms");
        }
        assert_eq!(limits.take(&key, at(60_000)), Err(OverRate { retry_after_s: 1 }));
    }

    #[test]
    fn is_off_by_default_and_a_burst_of_zero_still_works() {
        let (limits, now) = (RateLimits::default(), Instant::now());
        assert!((0..1000).all(|_| limits.take(&key(0, 0), now).is_ok()));
        assert!(limits.take(&key(1, 0), now).is_ok());
        assert!(limits.take(&key(1, 0), now).is_err());
    }
}
