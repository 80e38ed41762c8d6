//! The same tests on SQLite and, where KAHAO_TEST_POSTGRES names a server, on PostgreSQL: each test there has a database
//! of its own.

use std::str::FromStr;

use sqlx::{AnyConnection, Connection, Row};
use tempfile::TempDir;

use super::*;
use crate::secret::{Secret, random_hex};

const MASTER_KEY: &str = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";
const OTHER_MASTER_KEY: &str = "4242424242424242424242424242424242424242424242424242424242424242";

/// A place for a store: a folder for SQLite, a database on the test server for PostgreSQL.
pub(crate) struct Place {
    pub(crate) url: String,
    _folder: TempDir,
}

impl Place {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { url: format!("sqlite://{}", folder.path().join("keys.db").display()), _folder: folder }
    }

    /// A new database beside the one that KAHAO_TEST_POSTGRES names.
    async fn postgres() -> Option<Self> {
        let Ok(server) = std::env::var("KAHAO_TEST_POSTGRES") else {
            eprintln!("not run on PostgreSQL: KAHAO_TEST_POSTGRES names no server");
            return None;
        };
        install_default_drivers();
        let name = format!("t_{}", random_hex::<8>());
        let mut connection = AnyConnection::connect(&server).await.unwrap();
        let create = sqlx::AssertSqlSafe(format!("create database {name}"));
        sqlx::query(create).execute(&mut connection).await.unwrap();
        let mut url = Url::from_str(&server).unwrap();
        url.set_path(&name);
        Some(Self { url: url.into(), _folder: tempfile::tempdir().unwrap() })
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.url, Seal::parse(MASTER_KEY).unwrap()).await.unwrap()
    }

    async fn open_with(&self, master_keys: &str) -> Result<Store, StoreError> {
        Store::open(&self.url, Seal::parse(master_keys).unwrap()).await
    }
}

/// Every database there is, one after the other.
pub(crate) async fn places() -> Vec<Place> {
    [Some(Place::sqlite()), Place::postgres().await].into_iter().flatten().collect()
}

fn by_appcode(appcode: &Secret) -> Credential {
    Credential::AppCode(appcode.sha256())
}

fn by_app_key(key: &Key) -> Credential {
    Credential::AppKey(key.app_key.clone())
}

#[tokio::test]
async fn a_key_is_made_found_changed_and_listed() {
    for place in places().await {
        let store = place.open().await;
        assert!(!store.has_usable_key().await.unwrap());
        let fresh = store.create_key("till", &KeyChange::default()).await.unwrap();
        assert!(store.has_usable_key().await.unwrap());
        assert_eq!((fresh.key.calls_left(today()), fresh.key.expires_at_s), (None, None));
        assert!(!fresh.key.disabled && !fresh.key.require_hmac && fresh.key.networks.is_empty());

        let found = store.find_key(&by_appcode(&fresh.appcode)).await.unwrap().unwrap();
        assert_eq!((found.id.as_str(), found.name.as_str()), (fresh.key.id.as_str(), "till"));
        let found = store.find_key(&by_app_key(&fresh.key)).await.unwrap().unwrap();
        assert_eq!(found.app_secret.reveal(), fresh.key.app_secret.reveal());
        assert!(store.find_key(&by_appcode(&Secret::random())).await.unwrap().is_none());
        assert!(store.find_key(&Credential::AppKey(String::new())).await.unwrap().is_none());

        let change = KeyChange {
            require_hmac: Some(true),
            disabled: Some(true),
            expires_at_s: Some(1),
            remaining_calls: Some(7),
            daily_quota: Some(3),
            rate_per_second: Some(5),
            burst: Some(9),
            networks: Some(vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()]),
        };
        let changed = store.update_key("till", &change).await.unwrap();
        assert!(changed.require_hmac && changed.disabled);
        assert_eq!((changed.remaining_calls, changed.rate_per_second, changed.burst), (7, 5, 9));
        assert_eq!((changed.calls_left(today()), changed.expires_at_s), (Some(3), Some(1)));
        assert_eq!(changed.networks.len(), 2);
        let same = store.update_key("till", &KeyChange::default()).await.unwrap();
        assert_eq!((same.networks, same.remaining_calls), (changed.networks, 7));
        assert!(!store.has_usable_key().await.unwrap());
        let expired = KeyChange { disabled: Some(false), ..KeyChange::default() };
        store.update_key("till", &expired).await.unwrap();
        assert!(!store.has_usable_key().await.unwrap(), "enabled, and expired");

        store.create_key("back office", &change).await.unwrap();
        let names: Vec<_> = store.list_keys().await.unwrap().into_iter().map(|key| key.name).collect();
        assert_eq!(names, ["back office", "till"]);
    }
}

#[tokio::test]
async fn names_are_unique_and_must_exist() {
    for place in places().await {
        let store = place.open().await;
        store.create_key("till", &KeyChange::default()).await.unwrap();
        let taken = store.create_key("till", &KeyChange::default()).await;
        assert!(matches!(taken, Err(StoreError::NameTaken(_))));
        let unknown = store.update_key("x", &KeyChange::default()).await;
        assert!(matches!(unknown, Err(StoreError::NoSuchKey(_))));
        assert!(matches!(store.rotate_key("x", 0).await, Err(StoreError::NoSuchKey(_))));
    }
}

#[tokio::test]
async fn rotation_changes_both_secrets_and_nothing_else() {
    for place in places().await {
        let store = place.open().await;
        let old =
            store.create_key("till", &KeyChange { burst: Some(3), ..Default::default() }).await.unwrap();
        let new = store.rotate_key("till", now_s()).await.unwrap();
        assert_eq!((&new.key.app_key, &new.key.id, new.key.burst), (&old.key.app_key, &old.key.id, 3));
        assert_ne!(new.key.app_secret.reveal(), old.key.app_secret.reveal());
        assert!(store.find_key(&by_appcode(&old.appcode)).await.unwrap().is_none());
        assert!(store.find_key(&by_appcode(&new.appcode)).await.unwrap().is_some());
        assert_eq!(new.key.app_secrets(now_s()).count(), 1);
    }
}

#[tokio::test]
async fn a_rotation_may_leave_the_old_credentials_for_a_while() {
    for place in places().await {
        let store = place.open().await;
        let old = store.create_key("till", &KeyChange::default()).await.unwrap();
        let until_s = now_s() + 100;
        let new = store.rotate_key("till", until_s).await.unwrap();
        let key = store.find_key(&by_appcode(&old.appcode)).await.unwrap().unwrap();
        assert_eq!(key.id, new.key.id);
        for (now_s, old_works) in [(until_s - 1, true), (until_s, false)] {
            assert_eq!(key.has_appcode(&old.appcode.sha256(), now_s), old_works);
            assert!(key.has_appcode(&new.appcode.sha256(), now_s));
            let secrets: Vec<_> = key.app_secrets(now_s).map(|secret| secret.reveal().to_owned()).collect();
            let mut expected = vec![new.key.app_secret.reveal().to_owned()];
            expected.extend(old_works.then(|| old.key.app_secret.reveal().to_owned()));
            assert_eq!(secrets, expected);
        }
        // Before the overlap is over, another rotation ends the first pair.
        store.rotate_key("till", until_s).await.unwrap();
        assert!(store.find_key(&by_appcode(&old.appcode)).await.unwrap().is_none());
        assert!(store.find_key(&by_appcode(&new.appcode)).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn reserved_calls_are_never_more_than_the_quota_whoever_asks() {
    for place in places().await {
        let store = place.open().await;
        let change = KeyChange { remaining_calls: Some(100), ..Default::default() };
        let key = store.create_key("till", &change).await.unwrap().key;
        let takers = (0..25).map(|_| {
            let (store, id) = (store.clone(), key.id.clone());
            tokio::spawn(async move { store.reserve_calls(&id, 7, today()).await.unwrap() })
        });
        let reserved = futures_util::future::join_all(takers).await;
        let granted = reserved.iter().filter(|r| matches!(r, Ok(Reserved::Calls { .. }))).count();
        assert_eq!(granted, 14, "14 x 7 are 98");
        assert_eq!(store.reserve_calls(&key.id, 3, today()).await.unwrap(), Reserved::UsedUp);
        let two = store.reserve_calls(&key.id, 2, today()).await.unwrap();
        assert_eq!(two, Reserved::Calls { left: 0 });
        store.give_back_calls(&key.id, 5, today()).await.unwrap();
        assert_eq!(store.list_keys().await.unwrap()[0].calls_left(today()), Some(5));

        // The quota is lifted while calls are reserved: it stays lifted.
        let lift = KeyChange { remaining_calls: Some(Key::UNLIMITED), ..Default::default() };
        store.update_key("till", &lift).await.unwrap();
        store.give_back_calls(&key.id, 5, today()).await.unwrap();
        let many = store.reserve_calls(&key.id, 1000, today()).await.unwrap();
        assert_eq!(many, Reserved::Calls { left: i64::MAX });
    }
}

#[tokio::test]
async fn a_daily_quota_begins_anew_each_day() {
    for place in places().await {
        let store = place.open().await;
        let change = KeyChange { daily_quota: Some(10), remaining_calls: Some(25), ..Default::default() };
        let id = store.create_key("till", &change).await.unwrap().key.id;
        for (calls, day, expected) in [
            (8, 100, Reserved::Calls { left: 2 }),
            (3, 100, Reserved::UsedUp),
            (2, 100, Reserved::Calls { left: 0 }),
            (1, 100, Reserved::UsedUp),
            // A replica whose clock is past midnight, then one whose clock is not.
            (6, 101, Reserved::Calls { left: 4 }),
            (5, 100, Reserved::UsedUp),
            (4, 100, Reserved::Calls { left: 0 }),
            // The next day; the total is the narrower now.
            (4, 102, Reserved::Calls { left: 1 }),
            (2, 102, Reserved::UsedUp),
        ] {
            assert_eq!(store.reserve_calls(&id, calls, day).await.unwrap(), expected, "{calls} on {day}");
        }
        store.give_back_calls(&id, 3, 102).await.unwrap();
        store.give_back_calls(&id, 5, 101).await.unwrap();
        assert_eq!(store.list_keys().await.unwrap()[0].remaining_calls, 9);
        let lift = KeyChange { remaining_calls: Some(Key::UNLIMITED), ..Default::default() };
        let left = store.update_key("till", &lift).await.unwrap().calls_left(102);
        assert_eq!(left, Some(9), "what another day gives back is not today's");
    }
}

#[tokio::test]
async fn usage_adds_up_by_day_and_outcome() {
    for place in places().await {
        let store = place.open().await;
        let id = store.create_key("till", &KeyChange::default()).await.unwrap().key.id;
        let usage = |day, outcome, calls| Usage { key_id: id.clone(), day, outcome, calls };
        store.add_usage(&[]).await.unwrap();
        store.add_usage(&[usage(7, Outcome::Read, 3), usage(8, Outcome::NoCard, 1)]).await.unwrap();
        store.add_usage(&[usage(8, Outcome::NoCard, 4), usage(8, Outcome::Limited, 2)]).await.unwrap();
        let all =
            vec![usage(7, Outcome::Read, 3), usage(8, Outcome::Limited, 2), usage(8, Outcome::NoCard, 5)];
        assert_eq!(store.read_usage(0).await.unwrap(), all);
        assert_eq!(store.read_usage(8).await.unwrap(), all[1..]);

        // All or nothing: the second is no key.
        let stranger = Usage { key_id: "k_none".into(), ..usage(7, Outcome::Read, 1) };
        assert!(store.add_usage(&[usage(7, Outcome::Read, 1), stranger]).await.is_err());
        assert_eq!(store.read_usage(0).await.unwrap(), all);
    }
}

#[tokio::test]
async fn replicas_may_start_at_once() {
    for place in places().await {
        let opened = futures_util::future::join_all((0..4).map(|_| place.open())).await;
        opened[0].create_key("till", &KeyChange::default()).await.unwrap();
        for store in opened {
            assert_eq!(store.list_keys().await.unwrap().len(), 1);
        }
    }
}

#[tokio::test]
async fn master_keys_can_be_introduced_and_replaced_but_not_mistaken() {
    for place in places().await {
        let store = place.open().await;
        let fresh = store.create_key("till", &KeyChange::default()).await.unwrap();
        store.rotate_key("till", now_s() + 100).await.unwrap();
        let secrets = async |store: &Store| {
            let key = store.find_key(&by_app_key(&fresh.key)).await.unwrap().unwrap();
            key.app_secrets(now_s()).map(|secret| secret.reveal().to_owned()).collect::<Vec<_>>()
        };
        let expected = secrets(&store).await;
        assert_eq!(expected[1], fresh.key.app_secret.reveal());

        // As it was before there were master keys.
        for (column, secret) in [("app_secret", &expected[0]), ("old_app_secret", &expected[1])] {
            let sql = sqlx::AssertSqlSafe(format!("update keys set {column} = $1"));
            sqlx::query(sql).bind(secret.as_str()).execute(&store.pool).await.unwrap();
        }
        let stored = async |store: &Store| {
            let row = sqlx::query("select app_secret, old_app_secret from keys")
                .fetch_one(&store.pool)
                .await
                .unwrap();
            [row.get::<String, _>(0), row.get::<String, _>(1)]
        };
        assert_eq!(secrets(&place.open().await).await, expected);
        let sealed = stored(&store).await;
        assert!(sealed.iter().zip(&expected).all(|(sealed, secret)| !sealed.contains(secret)));

        let wrong = place.open_with(OTHER_MASTER_KEY).await.unwrap_err();
        assert!(matches!(wrong, StoreError::MasterKeyWrong(_)), "{wrong}");
        let replaced = place.open_with(&format!("{OTHER_MASTER_KEY} {MASTER_KEY}")).await.unwrap();
        assert_eq!(secrets(&replaced).await, expected);
        assert_ne!(stored(&store).await, sealed);
        assert_eq!(secrets(&place.open_with(OTHER_MASTER_KEY).await.unwrap()).await, expected);
        let missing = Store::open(&place.url, Seal::default()).await.unwrap_err();
        assert!(
            matches!(missing, StoreError::MasterKeyMissing(_) | StoreError::MasterKeyNeeded),
            "{missing}"
        );
    }
}

#[tokio::test]
async fn a_database_of_the_first_version_is_brought_up_to_date() {
    for place in places().await {
        install_default_drivers();
        if let Some(path) = place.url.strip_prefix("sqlite://") {
            create_private_file(Path::new(path)).unwrap();
        }
        let pool = AnyPool::connect(&place.url).await.unwrap();
        let first = migrations().iter().take(1).cloned().collect();
        Migrator::with_migrations(first).run(&pool).await.unwrap();
        let appcode = Secret::random();
        sqlx::query("insert into keys (id, name, appcode_sha256, app_key, app_secret, remaining_calls, created_at_s) values ('k_1', 'till', $1, 'a', 's', 7, 1)")
            .bind(appcode.sha256())
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;
        let key = place.open().await.find_key(&by_appcode(&appcode)).await.unwrap().unwrap();
        assert_eq!((key.name.as_str(), key.app_secret.reveal(), key.calls_left(9)), ("till", "s", Some(7)));
        assert_eq!((key.daily_quota, key.expires_at_s), (Key::UNLIMITED, None));
    }
}

#[tokio::test]
async fn the_file_holds_no_appcode_is_private_and_outlives_the_process() {
    let place = Place::sqlite();
    let store = Store::open(&place.url, Seal::default()).await.unwrap();
    let fresh = store.create_key("till", &KeyChange::default()).await.unwrap();
    store.close().await;
    let path = Path::new(place.url.strip_prefix("sqlite://").unwrap());
    let bytes = std::fs::read(path).unwrap();
    let appcode = fresh.appcode.reveal().as_bytes();
    assert!(!bytes.windows(appcode.len()).any(|window| window == appcode));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let again = Store::open(&place.url, Seal::default()).await.unwrap();
    assert!(again.find_key(&by_appcode(&fresh.appcode)).await.unwrap().is_some());
    again.ping().await.unwrap();
}

#[tokio::test]
async fn sqlite_does_not_wait_for_the_disk_at_each_write() {
    let place = Place::sqlite();
    let store = place.open().await;
    for (pragma, expected) in
        [("journal_mode", "wal"), ("synchronous", "1"), ("secure_delete", "1"), ("foreign_keys", "1")]
    {
        let row =
            sqlx::query(sqlx::AssertSqlSafe(format!("select cast({pragma} as text) from pragma_{pragma}")));
        assert_eq!(row.fetch_one(&store.pool).await.unwrap().get::<String, _>(0), expected, "{pragma}");
    }
}

#[tokio::test]
async fn unusable_databases_are_told_apart_and_passwords_are_not_told() {
    let open = async |url: &str| Store::open(url, Seal::parse(MASTER_KEY).unwrap()).await.unwrap_err();
    let missing = open("sqlite:///no/such/folder/keys.db").await;
    assert!(matches!(missing, StoreError::Create { .. }), "{missing}");
    for url in [
        "mysql://user:hunter2@host/db",
        "postgres://user:hunter2@127.0.0.1:1/db",
        "postgres://user:hunter2@127.0.0.1:99999/db",
        "postgres://user:hunter2@[/db",
        "postgres://user:hunter2@127.0.0.1:1/db?sslmode=hunter2",
        "hunter2",
    ] {
        let error = open(url).await;
        assert!(url == "hunter2" || !format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        assert!(!show_url(url).contains("hunter2"));
    }
    let unsealed = Store::open("postgres://user:hunter2@127.0.0.1:1/db", Seal::default()).await.unwrap_err();
    assert!(matches!(unsealed, StoreError::MasterKeyNeeded));
}

#[tokio::test]
async fn damaged_networks_are_an_error_and_not_everywhere() {
    for place in places().await {
        let store = place.open().await;
        let key = store.create_key("till", &KeyChange::default()).await.unwrap().key;
        sqlx::query("update keys set networks = '10.0.0.0/8,oops'").execute(&store.pool).await.unwrap();
        assert!(store.find_key(&by_app_key(&key)).await.is_err());
    }
}
