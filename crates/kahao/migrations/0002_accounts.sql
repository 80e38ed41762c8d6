-- Expiry, quotas of a day, rotation with overlap, and what was called. Times are seconds since 1970, days are days since
-- 1970, both UTC.
alter table keys add column expires_at_s       bigint not null default 0;   -- 0 is never
alter table keys add column daily_quota        bigint not null default -1;  -- -1 is unlimited
-- `day_calls` is how many calls were taken on `day`, the last day on which there was one.
alter table keys add column day                bigint not null default 0;
alter table keys add column day_calls          bigint not null default 0;
-- What a rotation replaced; valid before `old_until_s`.
alter table keys add column old_appcode_sha256 text   not null default '';
alter table keys add column old_app_secret     text   not null default '';
alter table keys add column old_until_s        bigint not null default 0;
create index keys_old_appcode on keys (old_appcode_sha256);

create table usage (
    key_id   text   not null references keys (id),
    day      bigint not null,
    outcome  text   not null,
    calls    bigint not null,
    primary key (key_id, day, outcome)
);
