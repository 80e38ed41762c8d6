//! Who may call, how often, from where, until when: a row a key, and its making and changing.

use std::fmt;

use ipnet::IpNet;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::{Store, StoreError, now_s};
use crate::secret::{Secret, random_hex};

/// A key as the service uses it.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// Stands for the key in logs.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) app_key: String,
    appcode_sha256: String,
    pub(crate) app_secret: Secret,
    /// What the last rotation replaced, where it may be used on.
    old: Option<Old>,
    /// Only requests signed with HmacSHA256 are accepted.
    pub(crate) require_hmac: bool,
    pub(crate) disabled: bool,
    /// Seconds since 1970; `None` is never.
    pub(crate) expires_at_s: Option<i64>,
    /// -1 is unlimited.
    pub(crate) remaining_calls: i64,
    /// Calls a day, UTC; -1 is unlimited.
    pub(crate) daily_quota: i64,
    day: i64,
    day_calls: i64,
    /// 0 is unlimited.
    pub(crate) rate_per_second: i64,
    pub(crate) burst: i64,
    /// Empty is everywhere.
    pub(crate) networks: Vec<IpNet>,
    pub(crate) created_at_s: i64,
}

/// Credentials that a rotation replaced.
#[derive(Debug, Clone)]
struct Old {
    appcode_sha256: String,
    app_secret: Secret,
    until_s: i64,
}

impl Key {
    /// A quota that has no end.
    pub(crate) const UNLIMITED: i64 = -1;

    /// Whether `appcode_sha256` belongs to an AppCode that opens this key at `now_s`.
    pub(crate) fn has_appcode(&self, appcode_sha256: &str, now_s: i64) -> bool {
        // Hashes of 128 random bits: comparing them tells nobody an AppCode, however long it takes.
        let old = self.old.iter().filter(|old| now_s < old.until_s).map(|old| &old.appcode_sha256);
        old.chain([&self.appcode_sha256]).any(|known| known == appcode_sha256)
    }

    /// The secrets that sign for this key at `now_s`.
    pub(crate) fn app_secrets(&self, now_s: i64) -> impl Iterator<Item = &Secret> {
        let old = self.old.iter().filter(move |old| now_s < old.until_s).map(|old| &old.app_secret);
        [&self.app_secret].into_iter().chain(old)
    }

    /// Whether calls are counted against a quota.
    pub(crate) fn has_quota(&self) -> bool {
        self.remaining_calls >= 0 || self.daily_quota >= 0
    }

    /// Calls left on `day`, by the narrower of its quotas; `None` without one.
    pub(crate) fn calls_left(&self, day: i64) -> Option<i64> {
        let used_today = if self.day >= day { self.day_calls } else { 0 };
        let total = (self.remaining_calls >= 0).then_some(self.remaining_calls);
        let today = (self.daily_quota >= 0).then_some((self.daily_quota - used_today).max(0));
        total.into_iter().chain(today).min()
    }
}

/// What an operator decides about a key; `None` leaves it as it is.
#[derive(Debug, Default, Clone)]
pub(crate) struct KeyChange {
    pub(crate) require_hmac: Option<bool>,
    pub(crate) disabled: Option<bool>,
    /// 0 is never.
    pub(crate) expires_at_s: Option<i64>,
    pub(crate) remaining_calls: Option<i64>,
    pub(crate) daily_quota: Option<i64>,
    pub(crate) rate_per_second: Option<i64>,
    pub(crate) burst: Option<i64>,
    pub(crate) networks: Option<Vec<IpNet>>,
}

/// A key together with the AppCode that is shown once, at its making, and then forgotten.
pub(crate) struct FreshKey {
    pub(crate) key: Key,
    pub(crate) appcode: Secret,
}

/// What a caller says to be found by.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Credential {
    /// The SHA-256 of its AppCode.
    AppCode(String),
    AppKey(String),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(***)")
    }
}

macro_rules! columns {
    () => {
        "id, name, appcode_sha256, app_key, app_secret, require_hmac, disabled, remaining_calls, rate_per_second, burst, \
         networks, created_at_s, expires_at_s, daily_quota, day, day_calls, old_appcode_sha256, old_app_secret, old_until_s"
    };
}

impl Store {
    /// Makes a key. `change` gives what differs from the defaults.
    pub(crate) async fn create_key(&self, name: &str, change: &KeyChange) -> Result<FreshKey, StoreError> {
        let (id, appcode) = (format!("k_{}", random_hex::<6>()), Secret::random());
        sqlx::query(
            "insert into keys (id, name, appcode_sha256, app_key, app_secret, created_at_s) \
             values ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&id)
        .bind(name)
        .bind(appcode.sha256())
        .bind(random_hex::<8>())
        .bind(self.seal.seal(&id, &Secret::random()))
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
        let rows = sqlx::query(concat!("select ", columns!(), " from keys order by name"));
        rows.fetch_all(&self.pool).await?.iter().map(|row| self.read_key(row)).collect()
    }

    /// Whether there is a key that opens the service now.
    pub(crate) async fn has_usable_key(&self) -> Result<bool, StoreError> {
        let found = sqlx::query(
            "select id from keys where disabled = 0 and (expires_at_s = 0 or expires_at_s > $1) limit 1",
        );
        Ok(found.bind(now_s()).fetch_optional(&self.pool).await?.is_some())
    }

    /// Changes the named key and gives it back as it is now.
    pub(crate) async fn update_key(&self, name: &str, change: &KeyChange) -> Result<Key, StoreError> {
        let row = sqlx::query(concat!(
            "update keys set \
                 require_hmac = coalesce($2, require_hmac), \
                 disabled = coalesce($3, disabled), \
                 remaining_calls = coalesce($4, remaining_calls), \
                 rate_per_second = coalesce($5, rate_per_second), \
                 burst = coalesce($6, burst), \
                 networks = coalesce($7, networks), \
                 expires_at_s = coalesce($8, expires_at_s), \
                 daily_quota = coalesce($9, daily_quota) \
             where name = $1 returning ",
            columns!()
        ))
        .bind(name)
        .bind(change.require_hmac.map(i64::from))
        .bind(change.disabled.map(i64::from))
        .bind(change.remaining_calls)
        .bind(change.rate_per_second)
        .bind(change.burst)
        .bind(change.networks.as_deref().map(write_networks))
        .bind(change.expires_at_s)
        .bind(change.daily_quota)
        // To the end of the rows, which is where SQLite commits.
        .fetch_all(&self.pool)
        .await?;
        self.read_key(row.first().ok_or_else(|| StoreError::NoSuchKey(name.to_owned()))?)
    }

    /// Gives the named key a new AppCode and a new app secret. The old ones work on until `old_until_s`; those before
    /// them, and all old ones where that is not in the future, stop at once.
    pub(crate) async fn rotate_key(&self, name: &str, old_until_s: i64) -> Result<FreshKey, StoreError> {
        let appcode = Secret::random();
        let id =
            sqlx::query("select id from keys where name = $1").bind(name).fetch_optional(&self.pool).await?;
        let id: String = id.ok_or_else(|| StoreError::NoSuchKey(name.to_owned()))?.try_get("id")?;
        let row = sqlx::query(concat!(
            "update keys set \
                 appcode_sha256 = $2, app_secret = $3, old_until_s = $4, \
                 old_appcode_sha256 = case when $4 > $5 then appcode_sha256 else '' end, \
                 old_app_secret = case when $4 > $5 then app_secret else '' end \
             where id = $1 returning ",
            columns!()
        ))
        .bind(&id)
        .bind(appcode.sha256())
        .bind(self.seal.seal(&id, &Secret::random()))
        .bind(old_until_s)
        .bind(now_s())
        .fetch_all(&self.pool)
        .await?;
        let key = self.read_key(row.first().ok_or_else(|| StoreError::NoSuchKey(name.to_owned()))?)?;
        Ok(FreshKey { key, appcode })
    }

    /// The key that answers to `credential`, which may be an AppCode that was replaced: see [`Key::has_appcode`].
    pub(crate) async fn find_key(&self, credential: &Credential) -> Result<Option<Key>, StoreError> {
        let query = match credential {
            Credential::AppCode(sha256) => sqlx::query(concat!(
                "select ",
                columns!(),
                " from keys where appcode_sha256 = $1 or old_appcode_sha256 = $1"
            ))
            .bind(sha256),
            Credential::AppKey(app_key) => {
                sqlx::query(concat!("select ", columns!(), " from keys where app_key = $1")).bind(app_key)
            }
        };
        query.fetch_optional(&self.pool).await?.map(|row| self.read_key(&row)).transpose()
    }

    /// Seals every secret that is not sealed with the current master key. A secret that another replica changes
    /// meanwhile is left to it.
    pub(super) async fn reseal(&self) -> Result<(), StoreError> {
        let mut has_resealed = false;
        for row in
            sqlx::query("select id, app_secret, old_app_secret from keys").fetch_all(&self.pool).await?
        {
            let id: String = row.try_get("id")?;
            for (column, update) in [
                ("app_secret", "update keys set app_secret = $2 where id = $1 and app_secret = $3"),
                (
                    "old_app_secret",
                    "update keys set old_app_secret = $2 where id = $1 and old_app_secret = $3",
                ),
            ] {
                let text: String = row.try_get(column)?;
                if text.is_empty() || self.seal.is_current(&id, &text) {
                    continue;
                }
                let secret = self.seal.open(&id, &text)?;
                let sealed = self.seal.seal(&id, &secret);
                sqlx::query(update).bind(&id).bind(sealed).bind(text).execute(&self.pool).await?;
                has_resealed = true;
            }
        }
        if has_resealed && self.pool.connect_options().database_url.scheme() == "sqlite" {
            // Else the secret in the clear would stay in the file until the next checkpoint, and in the log after it.
            sqlx::query("pragma wal_checkpoint(truncate)").execute(&self.pool).await?;
        }
        Ok(())
    }

    fn read_key(&self, row: &AnyRow) -> Result<Key, StoreError> {
        let number = |name| row.try_get::<i64, _>(name);
        let text = |name| row.try_get::<String, _>(name);
        let id = text("id")?;
        let open = |sealed: String| self.seal.open(&id, &sealed);
        let old = match text("old_appcode_sha256")? {
            none if none.is_empty() => None,
            appcode_sha256 => Some(Old {
                appcode_sha256,
                app_secret: open(text("old_app_secret")?)?,
                until_s: number("old_until_s")?,
            }),
        };
        Ok(Key {
            name: text("name")?,
            app_key: text("app_key")?,
            appcode_sha256: text("appcode_sha256")?,
            app_secret: open(text("app_secret")?)?,
            old,
            require_hmac: number("require_hmac")? != 0,
            disabled: number("disabled")? != 0,
            expires_at_s: Some(number("expires_at_s")?).filter(|at| *at != 0),
            remaining_calls: number("remaining_calls")?,
            daily_quota: number("daily_quota")?,
            day: number("day")?,
            day_calls: number("day_calls")?,
            rate_per_second: number("rate_per_second")?,
            burst: number("burst")?,
            networks: read_networks(text("networks")?)?,
            created_at_s: number("created_at_s")?,
            id,
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

#[cfg(test)]
impl Key {
    /// A key without limits, for tests that need no store.
    pub(crate) fn unlimited(id: &str) -> Self {
        Self {
            id: id.into(),
            name: "n".into(),
            app_key: "a".into(),
            appcode_sha256: String::new(),
            app_secret: Secret::random(),
            old: None,
            require_hmac: false,
            disabled: false,
            expires_at_s: None,
            remaining_calls: Self::UNLIMITED,
            daily_quota: Self::UNLIMITED,
            day: 0,
            day_calls: 0,
            rate_per_second: 0,
            burst: 0,
            networks: Vec::new(),
            created_at_s: 0,
        }
    }
}
