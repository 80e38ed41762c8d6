//! How often each key called, by day and outcome: what an invoice or a question about last Tuesday needs, and nothing of
//! the pictures.

use sqlx::{AnyConnection, Connection, Row};

use super::{Store, StoreError};

/// How a call of a proven key ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Cards were read.
    Read,
    /// There was no card in the picture.
    NoCard,
    /// There was a card whose number cannot be told.
    NotLegible,
    /// A number was looked up, without a picture.
    LookedUp,
    /// The caller's fault: 4xx.
    Refused,
    /// Over the rate, or the server was busy: 429.
    Limited,
    /// The service's fault: 5xx.
    Failed,
    /// The caller did not wait for the answer.
    HungUp,
}

impl Outcome {
    /// In the order of `kahao keys usage`.
    pub(crate) const ALL: [Self; 8] = [
        Self::Read,
        Self::NoCard,
        Self::NotLegible,
        Self::LookedUp,
        Self::Refused,
        Self::Limited,
        Self::Failed,
        Self::HungUp,
    ];

    /// As it is stored and shown.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::NoCard => "no_card",
            Self::NotLegible => "not_legible",
            Self::LookedUp => "looked_up",
            Self::Refused => "refused",
            Self::Limited => "limited",
            Self::Failed => "failed",
            Self::HungUp => "hung_up",
        }
    }

    /// Whether it is an answer about a picture, which costs a call of the quota. Who hangs up has used the call.
    pub(crate) fn costs_a_call(self) -> bool {
        matches!(self, Self::Read | Self::NoCard | Self::NotLegible | Self::HungUp)
    }
}

/// Calls of one key on one day with one outcome.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Usage {
    pub(crate) key_id: String,
    /// Days since 1970, UTC.
    pub(crate) day: i64,
    pub(crate) outcome: Outcome,
    pub(crate) calls: i64,
}

impl Store {
    /// Adds `batch` to what was counted before, all or nothing.
    pub(crate) async fn add_usage(&self, batch: &[Usage]) -> Result<(), StoreError> {
        // Replicas that lock the same rows in different orders would wait for each other.
        let mut batch: Vec<&Usage> = batch.iter().collect();
        batch.sort_unstable_by_key(|usage| (&usage.key_id, usage.day, usage.outcome));
        let mut connection = self.pool.acquire().await?;
        let added = add_all(&mut connection, &batch).await;
        if added.is_err() {
            // SQLite ends a transaction itself when the disk is full, and sqlx takes it for open: what the connection
            // wrote next would never be committed.
            connection.close_on_drop();
        }
        Ok(added?)
    }

    /// What was counted since `first_day`, by day.
    pub(crate) async fn read_usage(&self, first_day: i64) -> Result<Vec<Usage>, StoreError> {
        let rows = sqlx::query(
            "select key_id, day, outcome, calls from usage where day >= $1 order by day, key_id, outcome",
        )
        .bind(first_day)
        .fetch_all(&self.pool)
        .await?;
        let mut usages = Vec::with_capacity(rows.len());
        for row in rows {
            let name: String = row.try_get("outcome")?;
            // A name that this version does not know is a later version's.
            let Some(outcome) = Outcome::ALL.into_iter().find(|outcome| outcome.name() == name) else {
                continue;
            };
            usages.push(Usage {
                key_id: row.try_get("key_id")?,
                day: row.try_get("day")?,
                outcome,
                calls: row.try_get("calls")?,
            });
        }
        Ok(usages)
    }
}

async fn add_all(connection: &mut AnyConnection, batch: &[&Usage]) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    for usage in batch {
        sqlx::query(
            "insert into usage (key_id, day, outcome, calls) values ($1, $2, $3, $4) \
             on conflict (key_id, day, outcome) do update set calls = usage.calls + excluded.calls",
        )
        .bind(&usage.key_id)
        .bind(usage.day)
        .bind(usage.outcome.name())
        .bind(usage.calls)
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await
}
