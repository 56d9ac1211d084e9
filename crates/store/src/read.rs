//! The reads: one statement each, by key; and the capped lists for people.

use rusqlite::{Connection, Error, OptionalExtension, Params, Row};
use serde::de::DeserializeOwned;
use yufu_core::client::{Client, Developer};
use yufu_core::grant::Grant;
use yufu_core::id::{ClientId, DeveloperId, GrantId, Number, UserId};
use yufu_core::keyring::Key;
use yufu_core::secret::SecretHash;
use yufu_core::store::{Event, GrantKey, Letter, UserKey};
use yufu_core::subject::{Sector, Subject};
use yufu_core::ticket::{Kind, RawTicket, Ticket};
use yufu_core::time::Timestamp;
use yufu_core::user::User;

/// The most rows of a list for people.
const MOST_ROWS: i64 = 10_000;

pub(crate) fn client(db: &Connection, id: &ClientId) -> Result<Option<Client>, Error> {
    body(db, "SELECT body FROM client WHERE id = ?1", [id.as_str()])
}

pub(crate) fn developer(db: &Connection, id: DeveloperId) -> Result<Option<Developer>, Error> {
    body(
        db,
        "SELECT body FROM developer WHERE id = ?1",
        [id.0.to_i64()],
    )
}

pub(crate) fn user(db: &Connection, key: UserKey<'_>) -> Result<Option<User>, Error> {
    match key {
        UserKey::Id(id) => body(
            db,
            "SELECT body FROM user_account WHERE id = ?1",
            [id.0.to_i64()],
        ),
        UserKey::Handle(handle) => body(
            db,
            "SELECT body FROM handle JOIN user_account ON user_account.id = handle.user_id \
             WHERE handle.kind = ?1 AND handle.value = ?2",
            handle.parts(),
        ),
    }
}

pub(crate) fn grant(db: &Connection, key: GrantKey<'_>) -> Result<Option<Grant>, Error> {
    match key {
        GrantKey::Id(id) => body(
            db,
            "SELECT body FROM user_grant WHERE id = ?1",
            [id.0.to_i64()],
        ),
        GrantKey::Standing(user, client) => body(
            db,
            "SELECT body FROM user_grant \
             WHERE user_id = ?1 AND client_id = ?2 AND revoked_at IS NULL",
            (user.0.to_i64(), client.as_str()),
        ),
    }
}

pub(crate) fn subject(
    db: &Connection,
    user: UserId,
    sector: &Sector,
) -> Result<Option<Subject>, Error> {
    db.prepare_cached("SELECT subject FROM subject WHERE user_id = ?1 AND sector = ?2")?
        .query_row((user.0.to_i64(), sector.to_string()), |row| {
            Ok(Subject::new(row.get_ref(0)?.as_str()?))
        })
        .optional()
}

pub(crate) fn ticket(
    db: &Connection,
    kind: Kind,
    number: Number,
) -> Result<Option<RawTicket>, Error> {
    db.prepare_cached(
        "SELECT hash, grant_id, family, client_id, user_id, issued_at, expires_at, taken_at, \
         revoked_at, version, body FROM ticket WHERE kind = ?1 AND number = ?2",
    )?
    .query_row((kind as u8, number.to_i64()), |row| {
        Ok(RawTicket {
            kind,
            ticket: Ticket {
                number,
                hash: SecretHash(row.get(0)?),
                grant: opt_number(row, 1)?.map(GrantId),
                family: opt_number(row, 2)?,
                client: opt_client(row, 3)?,
                user: opt_number(row, 4)?.map(UserId),
                issued_at: Timestamp(row.get(5)?),
                expires_at: Timestamp(row.get(6)?),
                taken_at: row.get::<_, Option<i64>>(7)?.map(Timestamp),
                revoked_at: row.get::<_, Option<i64>>(8)?.map(Timestamp),
                version: row.get(9)?,
                body: row.get(10)?,
            },
        })
    })
    .optional()
}

pub(crate) fn keys(db: &Connection) -> Result<Vec<Key>, Error> {
    db.prepare_cached("SELECT version, wrapped, created_at FROM key ORDER BY version")?
        .query_map([], |row| {
            Ok(Key {
                version: row.get(0)?,
                wrapped: row.get(1)?,
                created_at: Timestamp(row.get(2)?),
            })
        })?
        .collect()
}

pub(crate) fn developers(db: &Connection) -> Result<Vec<Developer>, Error> {
    bodies(
        db,
        "SELECT body FROM developer ORDER BY created_at, id LIMIT ?1",
        [MOST_ROWS],
    )
}

pub(crate) fn clients(db: &Connection) -> Result<Vec<Client>, Error> {
    bodies(
        db,
        "SELECT body FROM client ORDER BY created_at, id LIMIT ?1",
        [MOST_ROWS],
    )
}

pub(crate) fn users(db: &Connection, limit: usize) -> Result<Vec<User>, Error> {
    bodies(
        db,
        "SELECT body FROM user_account ORDER BY created_at, id LIMIT ?1",
        [cap(limit)],
    )
}

pub(crate) fn grants_of(db: &Connection, user: UserId) -> Result<Vec<Grant>, Error> {
    bodies(
        db,
        "SELECT body FROM user_grant WHERE user_id = ?1 AND revoked_at IS NULL \
         ORDER BY updated_at DESC, id DESC LIMIT ?2",
        (user.0.to_i64(), MOST_ROWS),
    )
}

pub(crate) fn letters(db: &Connection, limit: usize) -> Result<Vec<Letter>, Error> {
    bodies(
        db,
        "SELECT body FROM letter ORDER BY number LIMIT ?1",
        [cap(limit)],
    )
}

pub(crate) fn events(db: &Connection, limit: usize) -> Result<Vec<Event>, Error> {
    db.prepare_cached(
        "SELECT number, at, what, user_id, client_id, detail FROM event \
         ORDER BY number DESC LIMIT ?1",
    )?
    .query_map([cap(limit)], |row| {
        Ok(Event {
            number: Number::from_i64(row.get(0)?),
            at: Timestamp(row.get(1)?),
            what: row.get(2)?,
            user: opt_number(row, 3)?.map(UserId),
            client: opt_client(row, 4)?,
            detail: row.get(5)?,
        })
    })?
    .collect()
}

/// One record whose body is JSON.
fn body<T: DeserializeOwned>(
    db: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<Option<T>, Error> {
    db.prepare_cached(sql)?.query_row(params, parsed).optional()
}

fn bodies<T: DeserializeOwned>(
    db: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<Vec<T>, Error> {
    db.prepare_cached(sql)?.query_map(params, parsed)?.collect()
}

fn parsed<T: DeserializeOwned>(row: &Row<'_>) -> Result<T, Error> {
    serde_json::from_str(row.get_ref(0)?.as_str()?)
        .map_err(|e| Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(e)))
}

fn opt_number(row: &Row<'_>, column: usize) -> Result<Option<Number>, Error> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Number::from_i64))
}

fn opt_client(row: &Row<'_>, column: usize) -> Result<Option<ClientId>, Error> {
    let text = row.get_ref(column)?.as_str_or_null()?;
    Ok(text.map(ClientId::new))
}

fn cap(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(MOST_ROWS).min(MOST_ROWS)
}
