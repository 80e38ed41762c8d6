//! Calls of a key's quotas, taken by the batch. One statement decides and takes, so that no two replicas take the
//! same call.

use sqlx::Row;

use super::{Store, StoreError};

/// What became of a wish for calls.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reserved {
    /// They are the caller's; so many are left beside them.
    Calls { left: i64 },
    /// There are not so many left.
    UsedUp,
}

impl Store {
    /// Takes `calls` calls of `day` off the quotas of the key `id`, all or none. A quota that is unlimited stays so.
    pub(crate) async fn reserve_calls(&self, id: &str, calls: i64, day: i64) -> Result<Reserved, StoreError> {
        // A later day than `day` is another replica's whose clock is ahead: its count goes on.
        let row = sqlx::query(
            "update keys set \
                 remaining_calls = case when remaining_calls < 0 then remaining_calls else remaining_calls - $2 end, \
                 day_calls = case when day >= $3 then day_calls else 0 end + $2, \
                 day = case when day > $3 then day else $3 end \
             where id = $1 \
                 and (remaining_calls < 0 or remaining_calls >= $2) \
                 and (daily_quota < 0 or case when day >= $3 then day_calls else 0 end + $2 <= daily_quota) \
             returning remaining_calls, daily_quota, day_calls",
        )
        .bind(id)
        .bind(calls)
        .bind(day)
        .fetch_all(&self.pool)
        .await?;
        // All rows, though there is one at most: SQLite gives it before it commits, and whoever stops there does not learn
        // that the disk was full.
        let Some(row) = row.first() else { return Ok(Reserved::UsedUp) };
        let daily_quota: i64 = row.try_get("daily_quota")?;
        let left_today = daily_quota - row.try_get::<i64, _>("day_calls")?;
        let left = [row.try_get("remaining_calls")?, if daily_quota < 0 { -1 } else { left_today }];
        Ok(Reserved::Calls { left: left.into_iter().filter(|left| *left >= 0).min().unwrap_or(i64::MAX) })
    }

    /// Gives back calls that were reserved on `day` and not used.
    pub(crate) async fn give_back_calls(&self, id: &str, calls: i64, day: i64) -> Result<(), StoreError> {
        sqlx::query(
            "update keys set \
                 remaining_calls = case when remaining_calls < 0 then remaining_calls else remaining_calls + $2 end, \
                 day_calls = case when day = $3 then day_calls - $2 else day_calls end \
             where id = $1",
        )
        .bind(id)
        .bind(calls)
        .bind(day)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
