//! How often a key may call: a token bucket for each key that has a rate. In Redis where there is one, so that replicas
//! count together; else, and while it is away, in memory. Quotas are the store's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::replicas::Replicas;
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
    replicas: Option<Arc<Replicas>>,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled_at: Instant,
}

impl RateLimits {
    /// Counts together with others where there are `replicas`.
    pub(crate) fn new(replicas: Option<Arc<Replicas>>) -> Self {
        Self { replicas, buckets: Mutex::default() }
    }

    /// Counts one request of `key`.
    pub(crate) async fn take(&self, key: &Key) -> Result<(), OverRate> {
        if key.rate_per_second <= 0 {
            return Ok(());
        }
        let agreed = match &self.replicas {
            Some(replicas) => replicas.take(key).await,
            None => None,
        };
        match agreed {
            Some(0) => Ok(()),
            Some(wait_us) => Err(OverRate { retry_after_s: wait_us.div_ceil(1_000_000) }),
            None => self.take_here(key, Instant::now()),
        }
    }

    fn take_here(&self, key: &Key, now: Instant) -> Result<(), OverRate> {
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
        let mut key = Key::unlimited("k");
        (key.rate_per_second, key.burst) = (rate_per_second, burst);
        key
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
            assert_eq!(limits.take_here(&key, at(ms)).is_ok(), passes, "at {ms} ms");
        }
        assert_eq!(limits.take_here(&key, at(60_000)), Err(OverRate { retry_after_s: 1 }));
    }

    #[tokio::test]
    async fn is_off_by_default_and_a_burst_of_zero_still_works() {
        let limits = RateLimits::default();
        for _ in 0..1000 {
            assert!(limits.take(&key(0, 0)).await.is_ok());
        }
        assert!(limits.take(&key(1, 0)).await.is_ok());
        assert!(limits.take(&key(1, 0)).await.is_err());
    }

    #[tokio::test]
    async fn counts_here_while_redis_is_away() {
        let limits = RateLimits::new(Some(Replicas::new("redis://127.0.0.1:1").unwrap()));
        assert!(limits.take(&key(1, 1)).await.is_ok());
        assert_eq!(limits.take(&key(1, 1)).await, Err(OverRate { retry_after_s: 1 }));
    }
}
