//! The keys on disk: who may call, how often, from where. Holds no picture, no card number, no cardholder data.
//!
//! SQL is written by hand with `$1` parameters and `text`/`bigint` columns, so that one text serves PostgreSQL too.

use std::fs::OpenOptions;
use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ipnet::IpNet;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{FromRow, Row, SqlStr};

use crate::secret::{Secret, random_hex};

/// A key as it is stored: everything but its AppCode.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// Stands for the key in logs.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) app_key: String,
    pub(crate) app_secret: Secret,
    /// Only requests signed with HmacSHA256 are accepted.
    pub(crate) require_hmac: bool,
    pub(crate) disabled: bool,
    /// -1 is unlimited.
    pub(crate) remaining_calls: i64,
    /// 0 is unlimited.
    pub(crate) rate_per_second: i64,
    pub(crate) burst: i64,
    /// Empty is everywhere.
    pub(crate) networks: Vec<IpNet>,
    pub(crate) created_at_s: i64,
}

impl Key {
    /// [`Key::remaining_calls`] of a key without a quota.
    pub(crate) const UNLIMITED: i64 = -1;
}

/// What an operator decides about a key; `None` leaves it as it is.
#[derive(Debug, Default, Clone)]
pub(crate) struct KeyChange {
    pub(crate) require_hmac: Option<bool>,
    pub(crate) disabled: Option<bool>,
    pub(crate) remaining_calls: Option<i64>,
    pub(crate) rate_per_second: Option<i64>,
    pub(crate) burst: Option<i64>,
    pub(crate) networks: Option<Vec<IpNet>>,
}

/// A key together with the AppCode that is shown once, at its making, and then forgotten.
pub(crate) struct FreshKey {
    pub(crate) key: Key,
    pub(crate) appcode: Secret,
}

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("a key named {0} exists already: choose another name, or use `kahao keys rotate`")]
    NameTaken(String),
    #[error("there is no key named {0}: `kahao keys list` shows the names")]
    NoSuchKey(String),
    #[error("the database {0} is not supported: use sqlite://FILE")]
    Scheme(String),
    #[error("cannot create the database file {path}: {cause}")]
    Create { path: String, cause: std::io::Error },
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the database could not be brought up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

/// The keys, in an SQLite file.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pool: SqlitePool,
}

impl Store {
    /// Opens the store at `url` (`sqlite://FILE`), makes it if need be and brings its tables up to date.
    pub(crate) async fn open(url: &str) -> Result<Self, StoreError> {
        if !url.starts_with("sqlite:") {
            // Everything after the scheme may hold a password.
            let scheme = url.split(':').next().unwrap_or_default();
            return Err(StoreError::Scheme(scheme.to_owned()));
        }
        let options = SqliteConnectOptions::from_str(url)?
            // Readers do not wait for the writer, and no reply waits for the disk. A power cut may lose the
            // last calls counted, never the file.
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(5));
        create_private_file(options.get_filename())?;
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(5))
            .connect_with(options)
            .await?;
        migrations().run(&pool).await?;
        Ok(Self { pool })
    }

    /// Whether the database answers.
    pub(crate) async fn is_alive(&self) -> bool {
        sqlx::query("select 1").execute(&self.pool).await.is_ok()
    }

    /// Makes a key. `change` gives what differs from the defaults.
    pub(crate) async fn create_key(&self, name: &str, change: &KeyChange) -> Result<FreshKey, StoreError> {
        let appcode = Secret::random();
        sqlx::query(
            "insert into keys (id, name, appcode_sha256, app_key, app_secret, created_at_s) \
             values ($1, $2, $3, $4, $5, $6)",
        )
        .bind(format!("k_{}", random_hex::<6>()))
        .bind(name)
        .bind(appcode.sha256())
        .bind(random_hex::<8>())
        .bind(Secret::random().reveal())
        .bind(now_s())
        .execute(&self.pool)
        .await
        .map_err(|error| match error.as_database_error() {
            Some(e) if e.is_unique_violation() => StoreError::NameTaken(name.to_owned()),
            _ => error.into(),
        })?;
        let key = self.update_key(name, change).await?;
        Ok(FreshKey { key, appcode })
    }

    /// Every key, by name.
    pub(crate) async fn list_keys(&self) -> Result<Vec<Key>, StoreError> {
        Ok(sqlx::query_as("select * from keys order by name").fetch_all(&self.pool).await?)
    }

    /// Whether there is a key that opens the service.
    pub(crate) async fn has_usable_key(&self) -> Result<bool, StoreError> {
        let found = sqlx::query("select id from keys where disabled = 0 limit 1").fetch_optional(&self.pool);
        Ok(found.await?.is_some())
    }

    /// Changes the named key and gives it back as it is now.
    pub(crate) async fn update_key(&self, name: &str, change: &KeyChange) -> Result<Key, StoreError> {
        sqlx::query_as(
            "update keys set \
                 require_hmac = coalesce($2, require_hmac), \
                 disabled = coalesce($3, disabled), \
                 remaining_calls = coalesce($4, remaining_calls), \
                 rate_per_second = coalesce($5, rate_per_second), \
                 burst = coalesce($6, burst), \
                 networks = coalesce($7, networks) \
             where name = $1 returning *",
        )
        .bind(name)
        .bind(change.require_hmac.map(i64::from))
        .bind(change.disabled.map(i64::from))
        .bind(change.remaining_calls)
        .bind(change.rate_per_second)
        .bind(change.burst)
        .bind(change.networks.as_deref().map(write_networks))
        .fetch_optional(&self.pool)
        .await?
        .ok_or_else(|| StoreError::NoSuchKey(name.to_owned()))
    }

    /// Gives the named key a new AppCode and a new app secret; the old ones stop working at once.
    pub(crate) async fn rotate_key(&self, name: &str) -> Result<FreshKey, StoreError> {
        let appcode = Secret::random();
        let key = sqlx::query_as(
            "update keys set appcode_sha256 = $2, app_secret = $3 where name = $1 returning *",
        )
        .bind(name)
        .bind(appcode.sha256())
        .bind(Secret::random().reveal())
        .fetch_optional(&self.pool)
        .await?
        .ok_or_else(|| StoreError::NoSuchKey(name.to_owned()))?;
        Ok(FreshKey { key, appcode })
    }

    /// The key with this AppCode.
    pub(crate) async fn find_by_appcode(&self, appcode: &Secret) -> Result<Option<Key>, StoreError> {
        Ok(sqlx::query_as("select * from keys where appcode_sha256 = $1")
            .bind(appcode.sha256())
            .fetch_optional(&self.pool)
            .await?)
    }

    /// The key with this AppKey.
    pub(crate) async fn find_by_app_key(&self, app_key: &str) -> Result<Option<Key>, StoreError> {
        Ok(sqlx::query_as("select * from keys where app_key = $1")
            .bind(app_key)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// Takes one call off the key's quota; `false` when none is left. One statement, so that two
    /// requests cannot both take the last call.
    pub(crate) async fn take_call(&self, key: &Key) -> Result<bool, StoreError> {
        if key.remaining_calls == Key::UNLIMITED {
            return Ok(true);
        }
        // The quota may have been lifted since `key` was read; an unlimited row stays as it is.
        let taken = sqlx::query(
            "update keys set remaining_calls = case when remaining_calls > 0 then remaining_calls - 1 \
             else remaining_calls end where id = $1 and remaining_calls <> 0",
        )
        .bind(&key.id)
        .execute(&self.pool)
        .await?;
        Ok(taken.rows_affected() == 1)
    }

    /// Gives back a call that was taken for a request that brought no answer.
    pub(crate) async fn give_back_call(&self, key: &Key) -> Result<(), StoreError> {
        if key.remaining_calls != Key::UNLIMITED {
            sqlx::query(
                "update keys set remaining_calls = remaining_calls + 1 where id = $1 and remaining_calls >= 0",
            )
            .bind(&key.id)
            .execute(&self.pool)
            .await?;
        }
        Ok(())
    }
}

impl FromRow<'_, SqliteRow> for Key {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let flag = |name| row.try_get::<i64, _>(name).map(|value| value != 0);
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            app_key: row.try_get("app_key")?,
            app_secret: row.try_get::<String, _>("app_secret")?.into(),
            require_hmac: flag("require_hmac")?,
            disabled: flag("disabled")?,
            remaining_calls: row.try_get("remaining_calls")?,
            rate_per_second: row.try_get("rate_per_second")?,
            burst: row.try_get("burst")?,
            networks: read_networks(row.try_get("networks")?)?,
            created_at_s: row.try_get("created_at_s")?,
        })
    }
}

fn write_networks(networks: &[IpNet]) -> String {
    networks.iter().map(IpNet::to_string).collect::<Vec<_>>().join(",")
}

/// A list that cannot be read is an error, never "everywhere".
fn read_networks(text: String) -> Result<Vec<IpNet>, sqlx::Error> {
    text.split(',')
        .filter(|network| !network.is_empty())
        .map(|network| network.parse().map_err(|e| sqlx::Error::Decode(Box::new(e))))
        .collect()
}

fn migrations() -> Migrator {
    let keys = include_str!("../migrations/0001_keys.sql");
    Migrator::with_migrations(vec![Migration::new(
        1,
        "keys".into(),
        MigrationType::Simple,
        SqlStr::from_static(keys),
        false,
    )])
}

/// Makes the file before SQLite does, readable by its owner alone: it holds app secrets. SQLite gives
/// its side files the same mode.
fn create_private_file(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(cause) => Err(StoreError::Create { path: path.display().to_string(), cause }),
    }
}

fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

#[cfg(test)]
mod tests;
