//! The accounts on disk: keys, quotas, usage. Holds no picture, no card number, no cardholder data. What is kept of it
//! in memory while the service runs is `accounts`' business.
//!
//! One hand-written SQL text for SQLite and PostgreSQL, through sqlx's `Any`: `$1` parameters, `text` and `bigint` columns,
//! named columns instead of `*` (a migration beside a running replica must not change the shape of its statements).

mod keys;
mod quota;
mod seal;
mod usage;

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AnyPool, ConnectOptions, Executor, SqlStr};
use url::Url;

pub(crate) use keys::{Credential, FreshKey, Key, KeyChange};
pub(crate) use quota::Reserved;
pub(crate) use seal::Seal;
pub(crate) use usage::{Outcome, Usage};

/// How long to wait for a connection. Long enough for a failover that a pooler hides, short enough for a caller.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("a key named {0} exists already: choose another name, or use `kahao keys rotate`")]
    NameTaken(String),
    #[error("there is no key named {0}: `kahao keys list` shows the names")]
    NoSuchKey(String),
    #[error("the database {0} is not supported: use sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME")]
    Scheme(String),
    // Without what the address is: it may hold a password.
    #[error(
        "the address of the database cannot be read: use sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME"
    )]
    Address,
    #[error("cannot create the database file {path}: {cause}")]
    Create { path: String, cause: std::io::Error },
    #[error(
        "PostgreSQL is used with sealed app secrets only: set KAHAO_MASTER_KEY or --master-key-file to 32 random bytes, \
         for example from `openssl rand -base64 32`"
    )]
    MasterKeyNeeded,
    #[error(
        "the app secret of the key {0} is sealed: set KAHAO_MASTER_KEY or --master-key-file to the master key"
    )]
    MasterKeyMissing(String),
    #[error("the app secret of the key {0} was sealed with another master key than the one given")]
    MasterKeyWrong(String),
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the database could not be brought up to date: {0}")]
    Migrate(#[from] MigrateError),
    #[error("the database does not answer")]
    Away,
}

impl StoreError {
    /// What is wrong with the address is told in general: sqlx quotes from it.
    fn at_opening(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Configuration(_) => Self::Address,
            error => Self::Database(error),
        }
    }

    /// Whether the database cannot be spoken to now, so that asking again at once is of no use.
    pub(crate) fn is_away(&self) -> bool {
        match self {
            Self::Away => true,
            Self::Database(error) => match error {
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed => true,
                // PostgreSQL: connection exceptions, too many connections, shutting down or starting up.
                sqlx::Error::Database(error) => error.code().is_some_and(|code| {
                    code.len() == 5 && ["08", "53300", "57P"].iter().any(|class| code.starts_with(class))
                }),
                _ => false,
            },
            _ => false,
        }
    }
}

/// The accounts, in an SQLite file or in PostgreSQL.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pool: AnyPool,
    seal: Arc<Seal>,
}

impl Store {
    /// Opens the store at `url`, makes the file if it is one, brings its tables up to date and seals what is not
    /// sealed with the current master key.
    pub(crate) async fn open(url: &str, seal: Seal) -> Result<Self, StoreError> {
        let pool = match url.split(':').next().unwrap_or_default() {
            "sqlite" => open_sqlite(&parse(url)?).await?,
            "postgres" | "postgresql" if seal.has_key() => open_postgres(&parse(url)?).await?,
            "postgres" | "postgresql" => return Err(StoreError::MasterKeyNeeded),
            // Everything after the scheme may hold a password.
            scheme => return Err(StoreError::Scheme(scheme.to_owned())),
        };
        migrate(&pool).await?;
        let store = Self { pool, seal: Arc::new(seal) };
        store.reseal().await?;
        Ok(store)
    }

    /// Whether app secrets are sealed.
    pub(crate) fn is_sealed(&self) -> bool {
        self.seal.has_key()
    }

    /// Fails when the database does not answer.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("select 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Ends every connection, and waits until they have ended.
    #[cfg(test)]
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// `url` without what follows the scheme and, for a database with users, without its password.
pub(crate) fn show_url(url: &str) -> String {
    match url.split_once("://") {
        Some(("sqlite", _)) => url.to_owned(),
        Some((scheme, _)) => format!("{scheme}://…"),
        None => "…".to_owned(),
    }
}

fn parse(url: &str) -> Result<Url, StoreError> {
    url.parse().map_err(|_| StoreError::Address)
}

async fn open_sqlite(url: &Url) -> Result<AnyPool, StoreError> {
    let options = SqliteConnectOptions::from_url(url).map_err(StoreError::at_opening)?;
    create_private_file(options.get_filename())?;
    // Readers do not wait for the writer, and no reply waits for the disk: a power cut may lose the last calls
    // counted, never the file. What is replaced, secrets in the clear among it, is overwritten.
    let pragmas = "pragma journal_mode = wal; pragma synchronous = normal; pragma busy_timeout = 5000; \
        pragma secure_delete = on";
    let options = pool_options(4).after_connect(move |connection, _| {
        Box::pin(async move { connection.execute(pragmas).await.map(|_| ()) })
    });
    options.connect(url.as_str()).await.map_err(StoreError::at_opening)
}

async fn open_postgres(url: &Url) -> Result<AnyPool, StoreError> {
    pool_options(8).connect(url.as_str()).await.map_err(StoreError::at_opening)
}

fn pool_options(max_connections: u32) -> AnyPoolOptions {
    install_default_drivers();
    AnyPoolOptions::new().max_connections(max_connections).acquire_timeout(CONNECT_PATIENCE)
}

/// Brings the tables up to date. PostgreSQL lets one replica in at a time. With SQLite two that start at once may
/// both try; whoever comes second fails as a whole, and finds the work done when it tries again.
async fn migrate(pool: &AnyPool) -> Result<(), StoreError> {
    const TRIES: u32 = 5;
    for last in (0..TRIES).rev() {
        match migrations().run(pool).await {
            Ok(()) => return Ok(()),
            Err(MigrateError::Execute(_) | MigrateError::ExecuteMigration(..)) if last > 0 => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn migrations() -> Migrator {
    let migrations = [
        ("keys", include_str!("../migrations/0001_keys.sql")),
        ("accounts", include_str!("../migrations/0002_accounts.sql")),
    ];
    let migrations = (1..).zip(migrations).map(|(version, (name, sql))| {
        Migration::new(version, name.into(), MigrationType::Simple, SqlStr::from_static(sql), false)
    });
    Migrator::with_migrations(migrations.collect())
}

/// Makes the file before SQLite does, readable by its owner alone: it may hold app secrets. SQLite gives
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

/// Seconds since 1970.
pub(crate) fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

/// Days since 1970, UTC, so that replicas agree on when a day begins.
pub(crate) fn today() -> i64 {
    now_s() / 86_400
}

#[cfg(test)]
pub(crate) mod tests;
