//! Calls that this process has reserved for a key and not used yet. A lease is at most [`LARGEST`] calls and at most a
//! sixteenth of what is left, so that near the end of a quota every call is asked for by itself. Reserved calls are off
//! the quota already: replicas together never answer more than it allows. A process that is killed takes its leases with
//! it, so much less is answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::Mutex as AsyncMutex;

use super::{Accounts, lock, patient};
use crate::store::{Key, Reserved, Store, StoreError, today};

/// Most calls reserved at once.
pub(crate) const LARGEST: i64 = 32;

/// The leases, by key id.
#[derive(Debug, Default)]
pub(super) struct Leases(Mutex<HashMap<String, Arc<Lease>>>);

#[derive(Debug, Default)]
struct Lease {
    /// Held while the database is asked, so that one request asks for all that wait.
    calls: AsyncMutex<Calls>,
    /// Given back by calls that brought no answer; apart, so that giving back waits for nothing.
    returned: Mutex<i64>,
}

#[derive(Debug, Default)]
struct Calls {
    held: i64,
    /// The day whose quota they are taken from.
    day: i64,
    /// What the quota had left beside them.
    left: Option<i64>,
    was_used: bool,
}

/// Which leases to give back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// Those that nobody used since this was last asked.
    Idle,
    All,
}

impl Leases {
    fn of(&self, key_id: &str) -> Arc<Lease> {
        let mut leases = lock(&self.0);
        match leases.get(key_id) {
            Some(lease) => Arc::clone(lease),
            None => Arc::clone(leases.entry(key_id.to_owned()).or_default()),
        }
    }

    /// How many calls are held for this key.
    pub(super) async fn held(&self, key_id: &str) -> i64 {
        let lease = lock(&self.0).get(key_id).cloned();
        match lease {
            Some(lease) => lease.calls.lock().await.held + *lock(&lease.returned),
            None => 0,
        }
    }

    /// Gives leases back to the store; those that it does not take now are kept.
    pub(super) async fn give_back(&self, store: &Store, which: Which) {
        let leases: Vec<_> =
            lock(&self.0).iter().map(|(id, lease)| (id.clone(), Arc::clone(lease))).collect();
        for (key_id, lease) in leases {
            let mut calls = lease.calls.lock().await;
            calls.collect(&lease.returned);
            let was_used = std::mem::take(&mut calls.was_used);
            if calls.held == 0 || (was_used && which == Which::Idle) {
                continue;
            }
            match patient(store.give_back_calls(&key_id, calls.held, calls.day)).await {
                Ok(()) => *calls = Calls { day: calls.day, ..Calls::default() },
                Err(error) => tracing::warn!(%error, "reserved calls could not be given back yet"),
            }
        }
    }
}

impl Calls {
    /// Takes up what was given back.
    fn collect(&mut self, returned: &Mutex<i64>) {
        self.held += std::mem::take(&mut *lock(returned));
    }
}

impl Accounts {
    /// Takes one call off the quotas of `key`; `false` when none is left.
    pub(super) async fn take_call(self: &Arc<Self>, key: &Arc<Key>) -> Result<bool, StoreError> {
        if !key.has_quota() {
            return Ok(true);
        }
        let (accounts, key) = (Arc::clone(self), Arc::clone(key));
        // On a task of its own, that ends when its caller hangs up no less than otherwise: a reservation that nobody
        // notes would be lost to the key.
        let taken = tokio::spawn(async move { accounts.take_reserved(&key).await }).await;
        taken.unwrap_or(Err(StoreError::Away))
    }

    async fn take_reserved(&self, key: &Key) -> Result<bool, StoreError> {
        let lease = self.leases.of(&key.id);
        let mut calls = lease.calls.lock().await;
        calls.collect(&lease.returned);
        let day = today();
        if calls.held > 0 && calls.day != day {
            // Midnight has passed: what is held was yesterday's.
            self.ask(self.store.give_back_calls(&key.id, calls.held, calls.day)).await?;
            *calls = Calls::default();
        }
        if calls.held == 0 {
            let left = calls.left.or(key.calls_left(day)).unwrap_or(0);
            let wanted = (left / 16).clamp(1, LARGEST);
            let mut reserved = self.reserve(key, wanted, day).await?;
            if reserved.is_none() && wanted > 1 {
                reserved = self.reserve(key, 1, day).await?;
            }
            let Some(reserved) = reserved else {
                calls.left = None;
                return Ok(false);
            };
            *calls = reserved;
        }
        calls.held -= 1;
        calls.was_used = true;
        Ok(true)
    }

    async fn reserve(&self, key: &Key, wanted: i64, day: i64) -> Result<Option<Calls>, StoreError> {
        Ok(match self.ask(self.store.reserve_calls(&key.id, wanted, day)).await? {
            Reserved::Calls { left } => Some(Calls { held: wanted, day, left: Some(left), was_used: true }),
            Reserved::UsedUp => None,
        })
    }

    /// Gives back a call that brought no answer.
    pub(super) fn return_call(&self, key: &Key) {
        if key.has_quota() {
            *lock(&self.leases.of(&key.id).returned) += 1;
        }
    }
}
