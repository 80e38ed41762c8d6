//! One call of one key, from its admission to its outcome.

use std::sync::Arc;

use super::Accounts;
use crate::store::{Key, Outcome, StoreError};

/// A call under way. One that is dropped before its end was hung up on.
#[derive(Debug)]
pub(crate) struct Call {
    accounts: Arc<Accounts>,
    key: Arc<Key>,
    is_charged: bool,
    has_ended: bool,
}

impl Call {
    /// A call of `key` that has cost nothing yet.
    pub(crate) fn begin(accounts: &Arc<Accounts>, key: &Arc<Key>) -> Self {
        Self { accounts: Arc::clone(accounts), key: Arc::clone(key), is_charged: false, has_ended: false }
    }

    /// Takes the call off the key's quotas; `false` when none is left.
    pub(crate) async fn charge(&mut self) -> Result<bool, StoreError> {
        self.is_charged = self.accounts.take_call(&self.key).await?;
        Ok(self.is_charged)
    }

    /// Counts how it ended, and gives it back where that costs no call.
    pub(crate) fn end(mut self, outcome: Outcome) {
        self.close(outcome);
    }

    fn close(&mut self, outcome: Outcome) {
        self.has_ended = true;
        self.accounts.count(&self.key, outcome);
        if self.is_charged && !outcome.costs_a_call() {
            self.accounts.return_call(&self.key);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.has_ended {
            self.close(Outcome::HungUp);
        }
    }
}
