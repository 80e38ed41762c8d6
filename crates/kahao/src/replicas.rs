//! What the replicas of a service agree on in Redis: how often a key has called lately, and which nonces were used. While
//! Redis is away each replica decides by itself: better a rate counted twice than a service that stands still.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError, Script};

use crate::store::Key;

/// How long a request waits for Redis, which answers within a millisecond or not at all.
const PATIENCE: Duration = Duration::from_millis(250);

/// How often Redis is asked for a sign of life: after so long the replicas agree again.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Settings of what replicas share.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub(crate) struct Config {
    /// Redis where replicas keep rates and nonces together: redis://:PASSWORD@HOST or rediss:// for TLS. Absent: each process
    /// counts for itself
    #[arg(long, env = "KAHAO_REDIS", hide_env_values = true, value_name = "URL")]
    pub(crate) redis: Option<String>,
}

/// The address of Redis cannot be used. Without what it is: it may hold a password.
#[derive(Debug, thiserror::Error)]
#[error("the address of Redis cannot be read: use redis://:PASSWORD@HOST or rediss://:PASSWORD@HOST")]
pub(crate) struct RedisAddressError;

/// The way to Redis.
pub(crate) struct Replicas {
    client: Client,
    /// None while Redis is away; nobody waits for it then but [`Replicas::keep_asking`].
    connection: Mutex<Option<MultiplexedConnection>>,
    /// So that each change is logged once.
    was_up: AtomicBool,
    take: Script,
}

/// A token bucket as one number, the time at which it will be full again (the generic cell rate algorithm), by the clock
/// of Redis, so that those of the replicas need not agree. Answers 0, or the microseconds to wait.
const TAKE: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval = 1000000 / ARGV[1]
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local wait = full_at + interval - now - ARGV[2] * interval
if wait > 0.5 then return math.ceil(wait) end
redis.call('SET', KEYS[1], string.format('%.0f', full_at + interval), 'PX', math.ceil((full_at + interval - now) / 1000) + 1)
return 0
";

impl Replicas {
    /// Asks nothing of Redis yet.
    pub(crate) fn new(url: &str) -> Result<Arc<Self>, RedisAddressError> {
        Ok(Arc::new(Self {
            client: Client::open(url).map_err(|_| RedisAddressError)?,
            connection: Mutex::default(),
            was_up: AtomicBool::new(true),
            take: Script::new(TAKE),
        }))
    }

    /// Whether Redis answered when it was last asked.
    pub(crate) fn is_up(&self) -> bool {
        self.connection().is_some()
    }

    /// Counts one request of `key`, which has a rate: `Some(0)` when it may pass, else the microseconds until one may.
    /// `None` while Redis is away.
    pub(crate) async fn take(&self, key: &Key) -> Option<u64> {
        let mut connection = self.connection()?;
        let mut call = self.take.key(format!("kahao:rate:{}", key.id));
        call.arg(key.rate_per_second).arg(key.burst.max(1));
        let answer = call.invoke_async(&mut connection).await;
        self.note(answer)
    }

    /// Remembers a nonce, by its fingerprint, for `lifetime_ms`: whether it is new. `None` while Redis is away.
    pub(crate) async fn remember(&self, fingerprint: u128, lifetime_ms: i64) -> Option<bool> {
        let mut set = redis::cmd("SET");
        set.arg(format!("kahao:nonce:{fingerprint:032x}")).arg(1).arg("NX").arg("PX").arg(lifetime_ms.max(1));
        let reply: Option<String> = self.ask(&set).await?;
        Some(reply.is_some())
    }

    /// Connects, and connects again whenever Redis has been away, until the process ends.
    pub(crate) async fn keep_asking(&self) {
        loop {
            self.connect().await;
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Makes sure that there is a connection that works, if there can be one.
    pub(crate) async fn connect(&self) {
        if self.ask::<String>(&redis::cmd("PING")).await.is_some() {
            return;
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ASK_EVERY))
            .set_response_timeout(Some(PATIENCE));
        if let Some(connection) =
            self.note(self.client.get_multiplexed_async_connection_with_config(&config).await)
        {
            *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
            if !self.was_up.swap(true, Ordering::Relaxed) {
                tracing::info!("Redis is back: replicas share rates and nonces");
            }
        }
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Option<T> {
        let mut connection = self.connection()?;
        self.note(command.query_async(&mut connection).await)
    }

    fn connection(&self) -> Option<MultiplexedConnection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives the connection up after an error, with one log line when Redis goes away.
    fn note<T>(&self, answer: Result<T, RedisError>) -> Option<T> {
        let error = match answer {
            Ok(answer) => return Some(answer),
            Err(error) => error,
        };
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if self.was_up.swap(false, Ordering::Relaxed) {
            // The kind alone: the text of an error may quote what was sent.
            tracing::warn!(error = ?error.kind(), "Redis is away: each replica counts rates and nonces for itself");
        }
        None
    }
}

impl std::fmt::Debug for Replicas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Replicas(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On the server that KAHAO_TEST_REDIS names; keys of their own keep tests apart.
    async fn replicas() -> Option<[Arc<Replicas>; 2]> {
        let Ok(url) = std::env::var("KAHAO_TEST_REDIS") else {
            eprintln!("not run: KAHAO_TEST_REDIS names no server");
            return None;
        };
        let both = [Replicas::new(&url).unwrap(), Replicas::new(&url).unwrap()];
        for replica in &both {
            replica.connect().await;
            assert!(replica.is_up());
        }
        Some(both)
    }

    fn key(rate_per_second: i64, burst: i64) -> Key {
        let mut key = Key::unlimited(&crate::secret::random_hex::<8>());
        (key.rate_per_second, key.burst) = (rate_per_second, burst);
        key
    }

    #[tokio::test]
    async fn a_rate_is_counted_over_all_replicas() {
        let Some([one, other]) = replicas().await else { return };
        let key = key(2, 3);
        for replica in [&one, &other, &one] {
            assert_eq!(replica.take(&key).await, Some(0));
        }
        let wait_us = other.take(&key).await.unwrap();
        assert!((400_000..=500_000).contains(&wait_us), "{wait_us}");
        tokio::time::sleep(Duration::from_micros(wait_us)).await;
        assert_eq!(one.take(&key).await, Some(0));
        assert!(other.take(&key).await.unwrap() > 0, "one token had come");
    }

    #[tokio::test]
    async fn a_nonce_is_new_to_one_replica_only() {
        let Some([one, other]) = replicas().await else { return };
        let fingerprint = u128::from_str_radix(&crate::secret::random_hex::<16>(), 16).unwrap();
        assert_eq!(one.remember(fingerprint, 60_000).await, Some(true));
        assert_eq!(other.remember(fingerprint, 60_000).await, Some(false));
        let short = fingerprint ^ 1;
        assert_eq!(one.remember(short, 20).await, Some(true));
        tokio::time::sleep(Duration::from_millis(40)).await;
        assert_eq!(other.remember(short, 20).await, Some(true), "it was forgotten in time");
    }

    #[tokio::test]
    async fn a_redis_that_is_away_has_no_opinion() {
        let replicas = Replicas::new("redis://:hunter2@127.0.0.1:1").unwrap();
        replicas.connect().await;
        assert!(!replicas.is_up());
        assert_eq!(replicas.take(&key(1, 1)).await, None);
        assert_eq!(replicas.remember(1, 1).await, None);
        assert_eq!(format!("{replicas:?}"), "Replicas(***)");
        let error = Replicas::new("http://:hunter2@x").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
