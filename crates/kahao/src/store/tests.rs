use super::*;

async fn store() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("keys.db").display());
    (Store::open(&url).await.unwrap(), folder)
}

#[tokio::test]
async fn a_key_is_made_found_changed_and_listed() {
    let (store, _folder) = store().await;
    assert!(!store.has_usable_key().await.unwrap());
    let fresh = store.create_key("till", &KeyChange::default()).await.unwrap();
    assert!(store.has_usable_key().await.unwrap());
    assert_eq!(fresh.key.remaining_calls, Key::UNLIMITED);
    assert!(!fresh.key.disabled && !fresh.key.require_hmac && fresh.key.networks.is_empty());

    let found = store.find_by_appcode(&fresh.appcode).await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), found.name.as_str()), (fresh.key.id.as_str(), "till"));
    let found = store.find_by_app_key(&fresh.key.app_key).await.unwrap().unwrap();
    assert_eq!(found.app_secret.reveal(), fresh.key.app_secret.reveal());
    assert!(store.find_by_appcode(&Secret::random()).await.unwrap().is_none());
    assert!(store.find_by_app_key("").await.unwrap().is_none());

    let change = KeyChange {
        require_hmac: Some(true),
        disabled: Some(true),
        remaining_calls: Some(7),
        rate_per_second: Some(5),
        burst: Some(9),
        networks: Some(vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()]),
    };
    let changed = store.update_key("till", &change).await.unwrap();
    assert!(changed.require_hmac && changed.disabled);
    assert_eq!((changed.remaining_calls, changed.rate_per_second, changed.burst), (7, 5, 9));
    assert_eq!(changed.networks.len(), 2);
    let same = store.update_key("till", &KeyChange::default()).await.unwrap();
    assert_eq!((same.networks, same.remaining_calls), (changed.networks, 7));
    assert!(!store.has_usable_key().await.unwrap());

    store.create_key("back office", &change).await.unwrap();
    let names: Vec<_> = store.list_keys().await.unwrap().into_iter().map(|key| key.name).collect();
    assert_eq!(names, ["back office", "till"]);
}

#[tokio::test]
async fn names_are_unique_and_must_exist() {
    let (store, _folder) = store().await;
    store.create_key("till", &KeyChange::default()).await.unwrap();
    let taken = store.create_key("till", &KeyChange::default()).await;
    assert!(matches!(taken, Err(StoreError::NameTaken(_))));
    assert!(matches!(store.update_key("x", &KeyChange::default()).await, Err(StoreError::NoSuchKey(_))));
    assert!(matches!(store.rotate_key("x").await, Err(StoreError::NoSuchKey(_))));
}

#[tokio::test]
async fn rotation_changes_both_secrets_and_nothing_else() {
    let (store, _folder) = store().await;
    let old = store.create_key("till", &KeyChange { burst: Some(3), ..Default::default() }).await.unwrap();
    let new = store.rotate_key("till").await.unwrap();
    assert_eq!((&new.key.app_key, &new.key.id, new.key.burst), (&old.key.app_key, &old.key.id, 3));
    assert_ne!(new.key.app_secret.reveal(), old.key.app_secret.reveal());
    assert!(store.find_by_appcode(&old.appcode).await.unwrap().is_none());
    assert!(store.find_by_appcode(&new.appcode).await.unwrap().is_some());
}

#[tokio::test]
async fn calls_are_taken_one_by_one_whoever_asks() {
    let (store, _folder) = store().await;
    let key = store
        .create_key("till", &KeyChange { remaining_calls: Some(10), ..Default::default() })
        .await
        .unwrap()
        .key;
    let takers = (0..25).map(|_| {
        let (store, key) = (store.clone(), key.clone());
        tokio::spawn(async move { store.take_call(&key).await.unwrap() })
    });
    let taken = futures_util::future::join_all(takers).await;
    assert_eq!(taken.into_iter().filter(|taken| *taken.as_ref().unwrap()).count(), 10);
    store.give_back_call(&key).await.unwrap();
    assert_eq!(store.find_by_app_key(&key.app_key).await.unwrap().unwrap().remaining_calls, 1);

    // The quota is lifted while a request is under way: nothing is counted any more.
    store.update_key("till", &KeyChange { remaining_calls: Some(-1), ..Default::default() }).await.unwrap();
    assert!(store.take_call(&key).await.unwrap());
    store.give_back_call(&key).await.unwrap();
    assert_eq!(store.find_by_app_key(&key.app_key).await.unwrap().unwrap().remaining_calls, -1);
}

#[tokio::test]
async fn the_file_holds_no_appcode_is_private_and_outlives_the_process() {
    let (store, folder) = store().await;
    let fresh = store.create_key("till", &KeyChange::default()).await.unwrap();
    store.pool.close().await;
    let path = folder.path().join("keys.db");
    let bytes = std::fs::read(&path).unwrap();
    let appcode = fresh.appcode.reveal().as_bytes();
    assert!(!bytes.windows(appcode.len()).any(|window| window == appcode));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let again = Store::open(&format!("sqlite://{}", path.display())).await.unwrap();
    assert!(again.find_by_appcode(&fresh.appcode).await.unwrap().is_some());
    assert!(again.is_alive().await);
}

#[tokio::test]
async fn unusable_databases_are_told_apart() {
    let other = Store::open("postgres://user:hunter2@host/db").await.unwrap_err();
    assert_eq!(other.to_string(), "the database postgres is not supported: use sqlite://FILE");
    let missing = Store::open("sqlite:///no/such/folder/keys.db").await.unwrap_err();
    assert!(matches!(missing, StoreError::Create { .. }), "{missing}");
}

#[tokio::test]
async fn damaged_networks_are_an_error_and_not_everywhere() {
    let (store, _folder) = store().await;
    let key = store.create_key("till", &KeyChange::default()).await.unwrap().key;
    sqlx::query("update keys set networks = '10.0.0.0/8,oops'").execute(&store.pool).await.unwrap();
    assert!(store.find_by_app_key(&key.app_key).await.is_err());
}
