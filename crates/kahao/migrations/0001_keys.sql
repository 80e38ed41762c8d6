-- Who may call. One row a key; `text` and `bigint` only, so that the same text runs on PostgreSQL.
-- An AppCode is kept as its SHA-256; the app secret must be recoverable, because md5 signatures are made of it.
create table keys (
    id              text   primary key,
    name            text   not null unique,
    appcode_sha256  text   not null unique,
    app_key         text   not null unique,
    app_secret      text   not null,
    require_hmac    bigint not null default 0,
    disabled        bigint not null default 0,
    -- Calls left; -1 is unlimited.
    remaining_calls bigint not null default -1,
    -- Requests a second; 0 is unlimited. `burst` requests may come at once.
    rate_per_second bigint not null default 0,
    burst           bigint not null default 0,
    -- Networks the key may be used from, CIDR, separated by commas; empty is everywhere.
    networks        text   not null default '',
    created_at_s    bigint not null
);
