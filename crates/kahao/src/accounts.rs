//! The accounts as the running service sees them: keys read a moment ago, calls reserved by the batch, usage not yet
//! written. So a request seldom waits for the database, and the service goes on for a while without it. What is
//! written to the database, and how, is `store`'s business.

mod call;
mod leases;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::timeout;

pub(crate) use call::Call;
use leases::Leases;

use crate::store::{Credential, Key, Outcome, Store, StoreError, Usage, today};

/// How long a key is used as it was read: what `kahao keys` changes works after so long.
const FRESH: Duration = Duration::from_secs(1);

/// How long it is used on while the database does not answer.
const USABLE: Duration = Duration::from_secs(600);

/// How long a request waits for the database.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often usage is written and the database is asked for a sign of life: what a crash loses at most.
const SETTLE_EVERY: Duration = Duration::from_secs(1);

/// What is known of the accounts, and not yet told to the store.
#[derive(Debug)]
pub(crate) struct Accounts {
    store: Store,
    /// Bounded by the keys in the store: nothing is kept of a credential that is not in it.
    keys: Mutex<HashMap<Credential, Known>>,
    leases: Leases,
    unwritten: Mutex<HashMap<(String, i64, Outcome), i64>>,
    /// The last question to the database was not answered: nobody waits for the next but [`Accounts::settle`].
    away: AtomicBool,
}

#[derive(Debug, Clone)]
struct Known {
    key: Arc<Key>,
    read_at: Instant,
}

impl Accounts {
    /// Knows nothing yet.
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            keys: Mutex::default(),
            leases: Leases::default(),
            unwritten: Mutex::default(),
            away: AtomicBool::new(false),
        }
    }

    /// Whether the database answered when it was last asked.
    pub(crate) fn database_is_up(&self) -> bool {
        !self.away.load(Ordering::Relaxed)
    }

    /// The key that answers to `credential`, as it is or was a second ago; longer ago while the database is away.
    pub(crate) async fn find_key(&self, credential: &Credential) -> Result<Option<Arc<Key>>, StoreError> {
        let known = lock(&self.keys).get(credential).cloned();
        if let Some(known) = &known
            && known.read_at.elapsed() < FRESH
        {
            return Ok(Some(Arc::clone(&known.key)));
        }
        match self.ask(self.store.find_key(credential)).await {
            Ok(Some(key)) => {
                let known = Known { key: Arc::new(key), read_at: Instant::now() };
                let key = Arc::clone(&known.key);
                lock(&self.keys).insert(credential.clone(), known);
                Ok(Some(key))
            }
            Ok(None) => {
                lock(&self.keys).remove(credential);
                Ok(None)
            }
            Err(error) => match known {
                Some(known) if known.read_at.elapsed() < USABLE => Ok(Some(known.key)),
                _ => Err(error),
            },
        }
    }

    /// The calls `key` has left, to the call as far as this process knows: other replicas may hold a lease.
    pub(crate) async fn credit(&self, key: &Key) -> i64 {
        let credential = Credential::AppKey(key.app_key.clone());
        let fresh = self.ask(self.store.find_key(&credential)).await.ok().flatten();
        match fresh.as_ref().unwrap_or(key).calls_left(today()) {
            Some(left) => left + self.leases.held(&key.id).await,
            None => Key::UNLIMITED,
        }
    }

    /// Counts a call of `key` that ended with `outcome`.
    pub(crate) fn count(&self, key: &Key, outcome: Outcome) {
        *lock(&self.unwritten).entry((key.id.clone(), today(), outcome)).or_default() += 1;
    }

    /// Settles every second, until the process ends.
    pub(crate) async fn keep_settling(&self) {
        loop {
            tokio::time::sleep(SETTLE_EVERY).await;
            self.settle(leases::Which::Idle).await;
        }
    }

    /// Writes what is not written, and gives every call back that was reserved and not used. For the end.
    pub(crate) async fn settle_all(&self) {
        self.settle(leases::Which::All).await;
    }

    /// Writes usage and gives calls back; what cannot be written now is kept for the next time.
    async fn settle(&self, which: leases::Which) {
        // Also the one question that finds out that the database is back.
        if self.note(patient(self.store.ping()).await).is_err() {
            return;
        }
        let batch: Vec<Usage> = std::mem::take(&mut *lock(&self.unwritten))
            .into_iter()
            .map(|((key_id, day, outcome), calls)| Usage { key_id, day, outcome, calls })
            .collect();
        if !batch.is_empty()
            && let Err(error) = patient(self.store.add_usage(&batch)).await
        {
            tracing::warn!(%error, "usage could not be written yet");
            let mut unwritten = lock(&self.unwritten);
            for Usage { key_id, day, outcome, calls } in batch {
                *unwritten.entry((key_id, day, outcome)).or_default() += calls;
            }
        }
        self.leases.give_back(&self.store, which).await;
    }

    /// Asks the database for something that a request waits for.
    async fn ask<T>(&self, question: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        if self.away.load(Ordering::Relaxed) {
            return Err(StoreError::Away);
        }
        self.note(patient(question).await)
    }

    /// Notes whether the database answered, with one log line at each change.
    fn note<T>(&self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        let is_away = answer.as_ref().is_err_and(StoreError::is_away);
        let was_away = self.away.swap(is_away, Ordering::Relaxed);
        match &answer {
            Err(error) if is_away && !was_away => {
                tracing::error!(%error, "the database is away: known keys go on for a while, others get 503");
            }
            _ if was_away && !is_away => tracing::info!("the database is back"),
            _ => {}
        }
        answer
    }

    /// Forgets every key, so that a test need not wait until a change works.
    #[cfg(test)]
    pub(crate) fn forget_keys(&self) {
        lock(&self.keys).clear();
    }
}

/// An answer within [`PATIENCE`]: a database that has gone without a word is one that does not answer.
async fn patient<T>(question: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    timeout(PATIENCE, question).await.unwrap_or(Err(StoreError::Away))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
