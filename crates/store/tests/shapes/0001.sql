-- A file of shape 1 as the program of its time left it, with a row of everything. Never changed.
PRAGMA page_size = 2048;
PRAGMA application_id = 2037737077;
PRAGMA user_version = 1;
BEGIN;
CREATE TABLE migration (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL
) STRICT;
INSERT INTO migration VALUES(1,'0001_first','649f8d72a711c10116ffb1e5f90de7264009f42824d712c5ab3150fede36a94b');
CREATE TABLE client (
    id TEXT NOT NULL PRIMARY KEY,
    developer_id INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO client VALUES('wx0000000000000001',1,1799999999999,1,'{"id":"wx0000000000000001","developer":1,"kind":"website","name":"App 1 🐟 v1","secrets":[{"hash":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE","created_at":1800000000000,"retires_at":1800000000001}],"status":"approved","reason":"","redirects":[{"rule":"host","value":"app.example"},{"rule":"loopback"}],"scopes":["snsapi_login","snsapi_userinfo","snsapi_runtime_pcsdk"],"native":{"ios_bundle":null,"ios_universal_link":null,"android_package":null,"android_signature":null,"harmony_bundle":null,"harmony_identifier":null},"bound":true,"policy":{"code_life":600000,"access_life":7200000,"refresh_life":2592000000,"names_expired_code":false,"authdeny":false,"scan_denial_returns":false,"strict_openid":false,"single_live_token":false,"reuse_revokes":false,"password_change_voids":false,"allowed_addresses":[],"long_state":false,"public_scan":false,"wechat_compatible":false,"full_profile":false,"scope_trailing_comma":false,"refresh_at_access_token":false,"snapshot_pages":false,"calls_per_minute":0},"created_at":1799999999999,"version":1}');
CREATE TABLE developer (
    id INTEGER PRIMARY KEY,
    created_at INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
INSERT INTO developer VALUES(1,1800000000001,'{"id":1,"name":"Developer 1 开发者","created_at":1800000000001}');
CREATE TABLE user_account (
    id INTEGER PRIMARY KEY,
    created_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
INSERT INTO user_account VALUES(1,1799999999999,2,'{"id":1,"profile":{"nickname":"梅 1 v2 \"''\\","avatar":"","sex":"unknown","province":"","city":"","country":"","language":""},"phone":"+8613800000001","password":"$argon2id$…","status":"active","created_at":1799999999999,"password_changed_at":null,"sessions_from":1800000000000,"version":2}');
INSERT INTO user_account VALUES(2,1799999999998,1,'{"id":2,"profile":{"nickname":"梅 2 v1 \"''\\","avatar":"","sex":"unknown","province":"","city":"","country":"","language":""},"phone":"+8613800000002","password":"$argon2id$…","status":"active","created_at":1799999999998,"password_changed_at":null,"sessions_from":1800000000000,"version":1}');
CREATE TABLE handle (
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    user_id INTEGER NOT NULL,
    PRIMARY KEY (kind, value)
) STRICT, WITHOUT ROWID;
INSERT INTO handle VALUES('phone','+8613800000001',1);
CREATE TABLE user_grant (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL,
    client_id TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    revoked_at INTEGER,
    version INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
INSERT INTO user_grant VALUES(1,1,'wx0000000000000001',1800000000001,NULL,1,'{"id":1,"user":1,"client":"wx0000000000000001","scopes":["snsapi_userinfo"],"openid":"o1-1","unionid":null,"created_at":1800000000000,"updated_at":1800000000001,"tokens_from":1800000000000,"revoked_at":null,"version":1}');
CREATE TABLE subject (
    user_id INTEGER NOT NULL,
    sector TEXT NOT NULL,
    subject TEXT NOT NULL,
    PRIMARY KEY (user_id, sector)
) STRICT, WITHOUT ROWID;
INSERT INTO subject VALUES(1,'c:wx0000000000000001','oA');
CREATE TABLE ticket (
    kind INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hash BLOB NOT NULL,
    grant_id INTEGER,
    family INTEGER,
    client_id TEXT,
    user_id INTEGER,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    taken_at INTEGER,
    revoked_at INTEGER,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (kind, number)
) STRICT, WITHOUT ROWID;
INSERT INTO ticket VALUES(2,4,X'0404040404040404040404040404040404040404040404040404040404040404',7,NULL,'wx0000000000000001',1,1800000000000,1800000000005,NULL,NULL,2,X'7b2261757468656e746963617465645f6174223a312c22656e64735f6174223a327d');
INSERT INTO ticket VALUES(5,1,X'0101010101010101010101010101010101010101010101010101010101010101',7,1,'wx0000000000000001',1,1800000000000,1800007200000,1800000000000,NULL,1,X'7b2273636f706573223a5b22736e736170695f75736572696e666f225d7d');
INSERT INTO ticket VALUES(6,2,X'0202020202020202020202020202020202020202020202020202020202020202',7,1,'wx0000000000000001',1,1800000000000,1800007200000,NULL,NULL,1,X'7b2273636f706573223a5b22736e736170695f75736572696e666f225d7d');
INSERT INTO ticket VALUES(7,3,X'0303030303030303030303030303030303030303030303030303030303030303',7,1,'wx0000000000000001',1,1800000000000,1800007200000,NULL,NULL,1,X'7b2273636f706573223a5b22736e736170695f75736572696e666f225d7d');
CREATE TABLE key (
    version INTEGER PRIMARY KEY,
    wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
INSERT INTO "key" VALUES(1,X'010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101',1800000000000);
CREATE TABLE letter (
    number INTEGER PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;
INSERT INTO letter VALUES(1,'{"number":1,"to":"+8613800000001","about":"sign_in","passcode":"123456","posted_at":1800000000000}');
CREATE TABLE event (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    what TEXT NOT NULL,
    user_id INTEGER,
    client_id TEXT,
    detail TEXT NOT NULL
) STRICT;
INSERT INTO event VALUES(1,1800000000001,'code.exchanged',1,'wx0000000000000001','细节');
INSERT INTO event VALUES(2,1800000000002,'code.exchanged',1,NULL,'细节');
INSERT INTO event VALUES(3,1800000000003,'code.exchanged',NULL,NULL,'细节');
CREATE TABLE change_log (
    origin INTEGER NOT NULL,
    number INTEGER NOT NULL,
    what INTEGER NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (origin, number)
) STRICT, WITHOUT ROWID;
INSERT INTO change_log VALUES(98505013977155169,3764931644572589115,66,'1');
INSERT INTO change_log VALUES(98505013977155169,3764931644573382907,67,'1');
INSERT INTO change_log VALUES(98505013977155169,3764931644574598929,2,'4');
CREATE INDEX user_account_by_age ON user_account (created_at, id);
CREATE UNIQUE INDEX user_grant_standing ON user_grant (user_id, client_id)
WHERE revoked_at IS NULL;
CREATE UNIQUE INDEX subject_in_sector ON subject (sector, subject);
CREATE INDEX ticket_in_family ON ticket (family) WHERE family IS NOT NULL;
CREATE INDEX ticket_by_end ON ticket (kind, expires_at);
COMMIT;
