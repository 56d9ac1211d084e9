//! The reads: one statement each, by key; and the capped lists for people.

use rusqlite::{Connection, Error, OptionalExtension, Params, Row};
use serde::de::DeserializeOwned;
use yufu_core::client::{Client, Developer};
use yufu_core::grant::Grant;
use yufu_core::id::{ClientId, DeveloperId, GrantId, Number, UserId};
use yufu_core::keyring::Key;
use yufu_core::secret::SecretHash;
use yufu_core::store::{Event, GrantKey, Letter, Notice, UserKey};
use yufu_core::subject::{Sector, Subject};
use yufu_core::ticket::{Kind, RawTicket, Ticket};
use yufu_core::time::Timestamp;
use yufu_core::user::User;

/// The most rows of a list for people.
const MOST_ROWS: i64 = 10_000;
/// Of how many of the newest events those of a user at clients are picked out.
const EVENTS_LOOKED_THROUGH: i64 = 20_000;

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

/// The statement that reads tickets, with its condition.
macro_rules! tickets_where {
    ($condition:literal) => {
        concat!(
            "SELECT number, hash, grant_id, family, client_id, user_id, issued_at, expires_at, \
             taken_at, revoked_at, version, body FROM ticket WHERE ",
            $condition
        )
    };
}

// An index that holds only some rows is used when the text says that no others are asked for: so the
// kind stands in it as a figure.
const DEVICES_OF: &str = tickets_where!("kind = 12 AND user_id = ?1 ORDER BY number");
const _: () = assert!(Kind::Device as u8 == 12);

const TICKETS_OF: &str = tickets_where!("kind = ?2 AND user_id = ?1 ORDER BY number");
const TICKETS: &str = tickets_where!("kind = ?1 AND number > ?2 ORDER BY number LIMIT ?3");
const DUE: &str = tickets_where!(
    "kind = ?1 AND expires_at <= ?2 AND taken_at IS NULL AND revoked_at IS NULL \
     ORDER BY expires_at, number LIMIT ?3"
);

pub(crate) fn ticket(
    db: &Connection,
    kind: Kind,
    number: Number,
) -> Result<Option<RawTicket>, Error> {
    db.prepare_cached(tickets_where!("kind = ?1 AND number = ?2"))?
        .query_row((kind as u8, number.to_i64()), |row| ticket_of(kind, row))
        .optional()
}

pub(crate) fn tickets_of(
    db: &Connection,
    user: UserId,
    kind: Kind,
) -> Result<Vec<RawTicket>, Error> {
    let user = user.0.to_i64();
    match kind {
        Kind::Device => all_tickets(db, kind, DEVICES_OF, [user]),
        _ => all_tickets(db, kind, TICKETS_OF, (user, kind as u8)),
    }
}

pub(crate) fn tickets(
    db: &Connection,
    kind: Kind,
    after: Option<Number>,
    limit: usize,
) -> Result<Vec<RawTicket>, Error> {
    let after = after.map_or(-1, Number::to_i64);
    all_tickets(db, kind, TICKETS, (kind as u8, after, whole(limit)))
}

pub(crate) fn due(
    db: &Connection,
    kind: Kind,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<RawTicket>, Error> {
    all_tickets(db, kind, DUE, (kind as u8, now.0, whole(limit)))
}

fn all_tickets(
    db: &Connection,
    kind: Kind,
    sql: &str,
    params: impl Params,
) -> Result<Vec<RawTicket>, Error> {
    db.prepare_cached(sql)?
        .query_map(params, |row| ticket_of(kind, row))?
        .collect()
}

fn ticket_of(kind: Kind, row: &Row<'_>) -> Result<RawTicket, Error> {
    Ok(RawTicket {
        kind,
        ticket: Ticket {
            number: Number::from_i64(row.get(0)?),
            hash: SecretHash(row.get(1)?),
            grant: opt_number(row, 2)?.map(GrantId),
            family: opt_number(row, 3)?,
            client: opt_client(row, 4)?,
            user: opt_number(row, 5)?.map(UserId),
            issued_at: Timestamp(row.get(6)?),
            expires_at: Timestamp(row.get(7)?),
            taken_at: row.get::<_, Option<i64>>(8)?.map(Timestamp),
            revoked_at: row.get::<_, Option<i64>>(9)?.map(Timestamp),
            version: row.get(10)?,
            body: row.get(11)?,
        },
    })
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

pub(crate) fn users_after(
    db: &Connection,
    after: Option<UserId>,
    limit: usize,
) -> Result<Vec<User>, Error> {
    bodies(
        db,
        "SELECT body FROM user_account WHERE id > ?1 ORDER BY id LIMIT ?2",
        (after.map_or(-1, |user| user.0.to_i64()), whole(limit)),
    )
}

/// Every handle after this one, by kind and value, and whose it is.
const HANDLES: &str = "SELECT kind, value, user_id FROM handle WHERE (kind, value) > (?1, ?2) \
     ORDER BY kind, value LIMIT ?3";

pub(crate) fn handles_after(
    db: &Connection,
    (kind, value): (&str, &str),
    limit: usize,
) -> Result<Vec<(String, String, UserId)>, Error> {
    db.prepare_cached(HANDLES)?
        .query_map((kind, value, whole(limit)), |row| {
            let owner = UserId(Number::from_i64(row.get(2)?));
            Ok((row.get(0)?, row.get(1)?, owner))
        })?
        .collect()
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

/// In two steps, so that neither reads the rest of a queue that stands still.
const NOTICES: &str = "SELECT body FROM notice WHERE number IN (SELECT number FROM notice \
     WHERE due_at IS NOT NULL AND due_at <= ?1 ORDER BY number LIMIT ?2) ORDER BY number";
const DEAD_NOTICES: &str = "SELECT body FROM notice WHERE due_at IS NULL ORDER BY number LIMIT ?1";

pub(crate) fn notices(db: &Connection, now: Timestamp, limit: usize) -> Result<Vec<Notice>, Error> {
    bodies(db, NOTICES, (now.0, whole(limit)))
}

pub(crate) fn dead_notices(db: &Connection, limit: usize) -> Result<Vec<Notice>, Error> {
    bodies(db, DEAD_NOTICES, [whole(limit)])
}

/// The statement that reads events, with what follows their table's name.
macro_rules! events_from {
    ($rest:literal) => {
        concat!(
            "SELECT number, at, what, user_id, client_id, detail FROM ",
            $rest
        )
    };
}

pub(crate) fn events(db: &Connection, limit: usize) -> Result<Vec<Event>, Error> {
    all_events(
        db,
        events_from!("event ORDER BY number DESC LIMIT ?1"),
        [cap(limit)],
    )
}

/// What concerns no client is found by an index. An index over the rest would be written at a
/// random place in every exchange, so of that only the newest are looked through.
const OWN_EVENTS: &str =
    events_from!("event WHERE user_id = ?1 AND client_id IS NULL ORDER BY number DESC LIMIT ?2");
const EVENTS_AT_CLIENTS: &str = events_from!(
    "(SELECT * FROM event ORDER BY number DESC LIMIT ?3) AS newest \
     WHERE user_id = ?1 AND client_id IS NOT NULL ORDER BY number DESC LIMIT ?2"
);

pub(crate) fn events_of(db: &Connection, user: UserId, limit: usize) -> Result<Vec<Event>, Error> {
    let (id, most) = (user.0.to_i64(), whole(limit));
    let mut events = all_events(db, OWN_EVENTS, (id, most))?;
    events.extend(all_events(
        db,
        EVENTS_AT_CLIENTS,
        (id, most, EVENTS_LOOKED_THROUGH),
    )?);
    events.sort_by_key(|event| std::cmp::Reverse(event.number));
    events.truncate(limit);
    Ok(events)
}

fn all_events(db: &Connection, sql: &str, params: impl Params) -> Result<Vec<Event>, Error> {
    db.prepare_cached(sql)?
        .query_map(params, |row| {
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

/// The limit as the caller set it: who walks takes a short page for the end.
fn whole(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How the database goes about a statement, a line for each step.
    fn plan(sql: &str) -> String {
        let db = Connection::open_in_memory().unwrap();
        for step in [
            include_str!("migrations/0001_first.sql"),
            include_str!("migrations/0002_login.sql"),
        ] {
            db.execute_batch(&crate::db::dialect(step)).unwrap();
        }
        let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        // What is bound does not matter: there are no statistics.
        let mut rows = plan.raw_query();
        let mut steps = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            steps.push(row.get::<_, String>("detail").unwrap());
        }
        steps.join("\n")
    }

    #[test]
    fn what_is_asked_often_is_found_by_an_index_and_not_sorted() {
        for (sql, by) in [
            (
                DEVICES_OF,
                "SEARCH ticket USING INDEX ticket_of_user (user_id=? AND kind=?)",
            ),
            (TICKETS_OF, "SEARCH ticket USING PRIMARY KEY (kind=?)"),
            (
                TICKETS,
                "SEARCH ticket USING PRIMARY KEY (kind=? AND number>?)",
            ),
            (
                DUE,
                "SEARCH ticket USING INDEX ticket_by_end (kind=? AND expires_at<?)",
            ),
            (
                HANDLES,
                "SEARCH handle USING PRIMARY KEY ((kind,value)>(?,?))",
            ),
            (DEAD_NOTICES, "USING INDEX notice_dead"),
            (NOTICES, "USING COVERING INDEX notice_waiting"),
            (
                OWN_EVENTS,
                "SEARCH event USING INDEX event_of_user (user_id=?)",
            ),
        ] {
            let plan = plan(sql);
            assert!(plan.contains(by), "{sql}\n{plan}");
            assert!(!plan.contains("TEMP B-TREE FOR ORDER BY"), "{sql}\n{plan}");
        }
    }
}
