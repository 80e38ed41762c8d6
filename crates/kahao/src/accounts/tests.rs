use super::*;
use crate::store::tests::{Place, places};
use crate::store::{FreshKey, KeyChange};

/// Two replicas on one database, and a key with a quota on it.
async fn replicas(place: &Place, remaining_calls: i64) -> (Store, [Arc<Accounts>; 2], FreshKey) {
    let store = place.open().await;
    let change = KeyChange { remaining_calls: Some(remaining_calls), ..Default::default() };
    let fresh = store.create_key("till", &change).await.unwrap();
    let one = Arc::new(Accounts::new(store.clone()));
    (store, [one, Arc::new(Accounts::new(place.open().await))], fresh)
}

fn credential(key: &Key) -> Credential {
    Credential::AppKey(key.app_key.clone())
}

async fn known(accounts: &Accounts, key: &Key) -> Arc<Key> {
    accounts.find_key(&credential(key)).await.unwrap().unwrap()
}

async fn usage(store: &Store) -> Vec<(Outcome, i64)> {
    store.read_usage(0).await.unwrap().into_iter().map(|usage| (usage.outcome, usage.calls)).collect()
}

/// One call as a handler makes it; `false` when the quota is used up.
async fn call(accounts: &Arc<Accounts>, key: &Arc<Key>, outcome: Outcome) -> bool {
    let mut call = Call::begin(accounts, key);
    let charged = call.charge().await.unwrap();
    call.end(if charged { outcome } else { Outcome::Refused });
    charged
}

#[tokio::test]
async fn replicas_together_answer_the_quota_and_not_one_call_more() {
    for place in places().await {
        let (store, replicas, fresh) = replicas(&place, 1000).await;
        let mut tasks = Vec::new();
        for replica in &replicas {
            for _ in 0..4 {
                let (replica, key) = (Arc::clone(replica), known(replica, &fresh.key).await);
                tasks.push(tokio::spawn(async move {
                    let mut answered = 0;
                    while call(&replica, &key, Outcome::Read).await {
                        answered += 1;
                    }
                    answered
                }));
            }
        }
        let mut answered = 0;
        for task in tasks {
            answered += task.await.unwrap();
        }
        // Each asked until there was nothing left, so nothing is held back either.
        assert_eq!(answered, 1000);
        for replica in &replicas {
            replica.settle_all().await;
        }
        assert_eq!(usage(&store).await, [(Outcome::Read, 1000), (Outcome::Refused, 8)]);
    }
}

#[tokio::test]
async fn leases_shrink_towards_the_end_and_go_back_when_idle() {
    for place in places().await {
        let (store, [one, other], fresh) = replicas(&place, 1000).await;
        let key = known(&one, &fresh.key).await;
        let left = async || store.list_keys().await.unwrap()[0].remaining_calls;
        assert!(call(&one, &key, Outcome::Read).await);
        assert_eq!(left().await, 1000 - leases::LARGEST);
        assert_eq!(one.credit(&key).await, 999, "its own lease is known");
        one.settle(leases::Which::Idle).await;
        assert_eq!(left().await, 1000 - leases::LARGEST, "it was used a moment ago");
        one.settle(leases::Which::Idle).await;
        assert_eq!(left().await, 999);

        let last = KeyChange { remaining_calls: Some(20), ..Default::default() };
        store.update_key("till", &last).await.unwrap();
        one.forget_keys();
        let key = known(&one, &fresh.key).await;
        assert!(call(&one, &key, Outcome::Read).await);
        assert_eq!((left().await, other.credit(&key).await), (19, 19), "one at a time");
    }
}

#[tokio::test]
async fn only_answers_cost_a_call() {
    for place in places().await {
        let (store, [accounts, _], fresh) = replicas(&place, 10).await;
        let key = known(&accounts, &fresh.key).await;
        for (outcome, left) in [
            (Outcome::Failed, 10),
            (Outcome::Refused, 10),
            (Outcome::Limited, 10),
            (Outcome::Read, 9),
            (Outcome::NoCard, 8),
            (Outcome::NotLegible, 7),
        ] {
            assert!(call(&accounts, &key, outcome).await);
            assert_eq!(accounts.credit(&key).await, left, "{outcome:?}");
        }
        let mut hung_up = Call::begin(&accounts, &key);
        assert!(hung_up.charge().await.unwrap());
        drop(hung_up);
        drop(Call::begin(&accounts, &key));
        assert_eq!(accounts.credit(&key).await, 6);
        accounts.settle_all().await;
        let mut expected = Outcome::ALL.map(|outcome| (outcome, 1)).to_vec();
        expected.retain(|(outcome, _)| *outcome != Outcome::LookedUp);
        expected.last_mut().unwrap().1 = 2;
        let mut counted = usage(&store).await;
        counted.sort();
        assert_eq!(counted, expected);
        assert_eq!(store.list_keys().await.unwrap()[0].remaining_calls, 6);
    }
}

#[tokio::test]
async fn a_change_works_within_a_second() {
    for place in places().await {
        let (store, [accounts, _], fresh) = replicas(&place, 10).await;
        assert!(!known(&accounts, &fresh.key).await.disabled);
        let disable = KeyChange { disabled: Some(true), ..Default::default() };
        store.update_key("till", &disable).await.unwrap();
        assert!(!known(&accounts, &fresh.key).await.disabled, "as it was read");
        tokio::time::sleep(FRESH).await;
        assert!(known(&accounts, &fresh.key).await.disabled);
    }
}

#[tokio::test]
async fn known_keys_go_on_while_the_database_is_away() {
    for place in places().await {
        let (store, [accounts, _], fresh) = replicas(&place, Key::UNLIMITED).await;
        let key = known(&accounts, &fresh.key).await;
        assert!(accounts.database_is_up());
        store.close().await;
        tokio::time::sleep(FRESH).await;

        let key = known(&accounts, &key).await;
        assert!(!accounts.database_is_up());
        assert!(call(&accounts, &key, Outcome::Read).await);
        let stranger = accounts.find_key(&Credential::AppKey("x".into())).await;
        assert!(stranger.unwrap_err().is_away());
        let mut with_quota = Key::clone(&key);
        with_quota.remaining_calls = 5;
        assert!(Call::begin(&accounts, &Arc::new(with_quota)).charge().await.unwrap_err().is_away());

        // What is counted meanwhile is not lost.
        accounts.settle_all().await;
        assert_eq!(lock(&accounts.unwritten).values().sum::<i64>(), 2);
    }
}
