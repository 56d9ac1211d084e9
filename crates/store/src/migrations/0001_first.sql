-- The first shape. One text for SQLite and PostgreSQL: types are <i64>, <text> and <bytes>; times
-- are milliseconds, and a time that is NULL has not come; no booleans, no defaults, no clock.

-- Which steps made this file, and the checksum of each one's text.
CREATE TABLE migration (
    version <i64> PRIMARY KEY,
    name <text> NOT NULL,
    checksum <text> NOT NULL
) <table>;

CREATE TABLE client (
    id <text> NOT NULL PRIMARY KEY,
    developer_id <i64> NOT NULL,
    created_at <i64> NOT NULL,
    version <i64> NOT NULL,
    body <text> NOT NULL
) <clustered>;

CREATE TABLE developer (
    id <i64> PRIMARY KEY,
    created_at <i64> NOT NULL,
    body <text> NOT NULL
) <table>;

CREATE TABLE user_account (
    id <i64> PRIMARY KEY,
    created_at <i64> NOT NULL,
    version <i64> NOT NULL,
    body <text> NOT NULL
) <table>;

CREATE INDEX user_account_by_age ON user_account (created_at, id);

CREATE TABLE handle (
    kind <text> NOT NULL,
    value <text> NOT NULL,
    user_id <i64> NOT NULL,
    PRIMARY KEY (kind, value)
) <clustered>;

CREATE TABLE user_grant (
    id <i64> PRIMARY KEY,
    user_id <i64> NOT NULL,
    client_id <text> NOT NULL,
    updated_at <i64> NOT NULL,
    revoked_at <i64>,
    version <i64> NOT NULL,
    body <text> NOT NULL
) <table>;

-- At most one stands for a pair; the user comes first, so it also lists what a user agreed to.
CREATE UNIQUE INDEX user_grant_standing ON user_grant (user_id, client_id)
WHERE revoked_at IS NULL;

CREATE TABLE subject (
    user_id <i64> NOT NULL,
    sector <text> NOT NULL,
    subject <text> NOT NULL,
    PRIMARY KEY (user_id, sector)
) <clustered>;

CREATE UNIQUE INDEX subject_in_sector ON subject (sector, subject);

-- Numbers are ordered by time within a kind, so rows append instead of scattering.
CREATE TABLE ticket (
    kind <i64> NOT NULL,
    number <i64> NOT NULL,
    hash <bytes> NOT NULL,
    grant_id <i64>,
    family <i64>,
    client_id <text>,
    user_id <i64>,
    issued_at <i64> NOT NULL,
    expires_at <i64> NOT NULL,
    taken_at <i64>,
    revoked_at <i64>,
    version <i64> NOT NULL,
    body <bytes> NOT NULL,
    PRIMARY KEY (kind, number)
) <clustered>;

CREATE INDEX ticket_in_family ON ticket (family) WHERE family IS NOT NULL;

CREATE INDEX ticket_by_end ON ticket (kind, expires_at);

-- Signing and sealing keys, wrapped under a master key that is not in the database.
CREATE TABLE key (
    version <i64> PRIMARY KEY,
    wrapped <bytes> NOT NULL,
    created_at <i64> NOT NULL
) <table>;

CREATE TABLE letter (
    number <i64> PRIMARY KEY,
    body <text> NOT NULL
) <table>;

CREATE TABLE event (
    number <i64> PRIMARY KEY,
    at <i64> NOT NULL,
    what <text> NOT NULL,
    user_id <i64>,
    client_id <text>,
    detail <text> NOT NULL
) <table>;


-- What other processes must drop from memory. The origin is the store that wrote the row, so that
-- a store steps over all of its own rows at once; numbers are real milliseconds and random bits.
CREATE TABLE change_log (
    origin <i64> NOT NULL,
    number <i64> NOT NULL,
    what <i64> NOT NULL,
    id <text> NOT NULL,
    PRIMARY KEY (origin, number)
) <clustered>;
