//! The one thread that writes: it takes all lists that wait, applies them in one transaction,
//! each within a savepoint, and answers all when the flush is done.
//!
//! There is no timer: while one batch is flushed the next one gathers. The thread owns the lists,
//! so that a caller who goes away changes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};

use rusqlite::{Connection, Error, OptionalExtension, Params};
use serde::Serialize;
use tokio::sync::oneshot;
use yufu_core::id::{Number, UserId};
use yufu_core::refusal::Fault;
use yufu_core::store::{Change, Clash, Notice, Record};
use yufu_core::ticket::{Kind, RawTicket};
use yufu_core::time::Timestamp;

use crate::copy::{self, CopyError};
use crate::db;
use crate::feed::{Hearing, Log, Touched, is_kept};

/// The most lists of one transaction.
const BATCH: usize = 256;
/// The most rows that one call of the broom removes.
const SWEPT: i64 = 500;

/// What the writer is asked to do.
pub(crate) enum Order {
    /// Apply a list of changes.
    Commit(Job),
    /// Remove what has been dead long enough.
    Sweep {
        now: Timestamp,
        events_before: Timestamp,
        answer: oneshot::Sender<Result<u64, Fault>>,
    },
    /// Write everything into a file.
    Copy {
        to: PathBuf,
        answer: oneshot::Sender<Result<(), CopyError>>,
    },
    /// Replace everything by what a file holds.
    PutBack {
        from: PathBuf,
        answer: oneshot::Sender<Result<(), CopyError>>,
    },
    /// Finish what waits, and end.
    Close,
}

/// A list of changes and who waits for it.
pub(crate) struct Job {
    pub(crate) changes: Vec<Change>,
    pub(crate) answer: oneshot::Sender<Result<(), Clash>>,
}

/// How much was written.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) lists: AtomicU64,
    pub(crate) commits: AtomicU64,
}

/// The thread's state.
pub(crate) struct Writer {
    db: Connection,
    orders: Receiver<Order>,
    hearing: Arc<Hearing>,
    log: Log,
    tally: Arc<Tally>,
}

/// Why a list stopped.
enum Halt {
    Clash(Clash),
    Broken(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

impl From<Clash> for Halt {
    fn from(clash: Clash) -> Self {
        Self::Clash(clash)
    }
}

impl Writer {
    pub(crate) fn new(
        db: Connection,
        orders: Receiver<Order>,
        hearing: Arc<Hearing>,
        tally: Arc<Tally>,
    ) -> Self {
        let mut log = Log::new(Arc::clone(&hearing));
        log.read(&db);
        Self {
            db,
            orders,
            hearing,
            log,
            tally,
        }
    }

    /// Serves until it is closed or nobody is left who could ask.
    pub(crate) fn run(mut self) {
        loop {
            match self.orders.recv_timeout(self.log.rest()) {
                Ok(order) => {
                    if !self.serve(order) {
                        break;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.log.rest().is_zero() {
                self.log.read(&self.db);
            }
        }
        if let Err(error) = db::checkpoint(&self.db) {
            tracing::warn!(%error, "cannot copy the log of the database into its file");
        }
    }

    /// Serves an order and those that wait behind it; `false` when it was told to end.
    fn serve(&mut self, first: Order) -> bool {
        let mut jobs = Vec::new();
        let mut next = Some(first);
        let mut goes_on = true;
        while let Some(order) = next.take() {
            match order {
                Order::Commit(job) => jobs.push(job),
                Order::Sweep {
                    now,
                    events_before,
                    answer,
                } => {
                    self.commit(std::mem::take(&mut jobs));
                    // Nobody may be waiting any more; it is swept all the same.
                    let _ = answer.send(self.sweep(now, events_before));
                }
                Order::Copy { to, answer } => {
                    self.commit(std::mem::take(&mut jobs));
                    let _ = answer.send(self.copy(&to));
                }
                Order::PutBack { from, answer } => {
                    self.commit(std::mem::take(&mut jobs));
                    let _ = answer.send(self.put_back(&from));
                }
                // What waits behind it is still served.
                Order::Close => goes_on = false,
            }
            if jobs.len() < BATCH || !goes_on {
                next = self.orders.try_recv().ok();
            }
        }
        self.commit(jobs);
        goes_on
    }

    fn commit(&mut self, jobs: Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        match self.attempt(&jobs) {
            Ok(verdicts) => {
                for (job, verdict) in jobs.into_iter().zip(verdicts) {
                    // Nobody may be waiting any more; it is committed all the same.
                    let _ = job.answer.send(verdict);
                }
            }
            // One list may be too large for the room that is left: the others must not fail.
            Err(error) if jobs.len() > 1 && db::is_full(&error) => {
                for job in jobs {
                    self.commit(vec![job]);
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for job in jobs {
                    let fault = Fault::from("commit to the database", Arc::clone(&error));
                    let _ = job.answer.send(Err(Clash::Failed(fault)));
                }
            }
        }
    }

    /// One transaction over all lists. An error means that nothing of any of them was applied.
    fn attempt(&mut self, jobs: &[Job]) -> Result<Vec<Result<(), Clash>>, Error> {
        if !self.db.is_autocommit() {
            self.statement("ROLLBACK")?;
        }
        self.statement("BEGIN IMMEDIATE")?;
        let verdicts = self.fill(jobs).and_then(|verdicts| {
            // Without a list that stands there is nothing to flush.
            let some = verdicts.iter().any(Result::is_ok);
            self.statement(if some { "COMMIT" } else { "ROLLBACK" })?;
            Ok(verdicts)
        });
        match verdicts {
            Ok(verdicts) => {
                self.tally.commits.fetch_add(1, Ordering::Relaxed);
                for (job, verdict) in jobs.iter().zip(&verdicts) {
                    if verdict.is_ok() {
                        self.tally.lists.fetch_add(1, Ordering::Relaxed);
                        self.hearing
                            .tell(|listener| listener.committed(&job.changes));
                    }
                }
                Ok(verdicts)
            }
            Err(error) => {
                // SQLite rolls some failures back itself; if this fails the next attempt retries.
                if !self.db.is_autocommit() {
                    let _ = self.statement("ROLLBACK");
                }
                Err(error)
            }
        }
    }

    fn fill(&mut self, jobs: &[Job]) -> Result<Vec<Result<(), Clash>>, Error> {
        let mut verdicts = Vec::with_capacity(jobs.len());
        // One that is alone falls with the whole transaction. A savepoint keeps a copy of every
        // page that is written after it, which for the large lists of an import is much.
        let alone = jobs.len() == 1;
        for job in jobs {
            if !alone {
                self.statement("SAVEPOINT list")?;
            }
            let verdict = match self.apply_all(&job.changes) {
                Ok(()) => Ok(()),
                Err(Halt::Clash(clash)) => Err(clash),
                Err(Halt::Broken(error))
                    if self.db.is_autocommit() || db::is_everybodys(&error) =>
                {
                    return Err(error);
                }
                Err(Halt::Broken(error)) => {
                    Err(Clash::Failed(Fault::from("apply a list of changes", error)))
                }
            };
            if !alone {
                if verdict.is_err() {
                    self.statement("ROLLBACK TO list")?;
                }
                self.statement("RELEASE list")?;
            }
            verdicts.push(verdict);
        }
        Ok(verdicts)
    }

    fn statement(&self, sql: &str) -> Result<(), Error> {
        self.db.prepare_cached(sql)?.execute([]).map(drop)
    }

    fn apply_all(&mut self, changes: &[Change]) -> Result<(), Halt> {
        for change in changes {
            apply(&self.db, change)?;
            if let Some(touched) = Touched::by(change) {
                self.log.write(&self.db, &touched)?;
            }
        }
        Ok(())
    }

    fn copy(&mut self, to: &Path) -> Result<(), CopyError> {
        self.end_transaction()?;
        copy::write(&self.db, to)
    }

    fn put_back(&mut self, from: &Path) -> Result<(), CopyError> {
        self.end_transaction()?;
        copy::put_back(&self.db, &mut self.log, from)?;
        // After the commit and before its answer, as for every list.
        self.hearing.tell(|listener| listener.lost());
        Ok(())
    }

    /// Ends what a failure left open.
    fn end_transaction(&self) -> Result<(), Fault> {
        if self.db.is_autocommit() {
            return Ok(());
        }
        self.statement("ROLLBACK")
            .map_err(|error| Fault::from("end a transaction that failed", error))
    }

    fn sweep(&mut self, now: Timestamp, events_before: Timestamp) -> Result<u64, Fault> {
        let fault = |error| Fault::from("sweep the database", error);
        if !self.db.is_autocommit() {
            self.statement("ROLLBACK").map_err(fault)?;
        }
        self.statement("BEGIN IMMEDIATE").map_err(fault)?;
        let swept = sweep(&self.db, now, events_before).and_then(|swept| {
            self.log.sweep(&self.db, SWEPT)?;
            self.statement("COMMIT")?;
            Ok(swept)
        });
        match swept {
            Ok(Swept { rows, kept }) => {
                for (kind, number) in kept {
                    let touched = Touched::Ticket(kind, number);
                    self.hearing.tell(|listener| listener.touched(&touched));
                }
                Ok(rows)
            }
            Err(error) => {
                if !self.db.is_autocommit() {
                    let _ = self.statement("ROLLBACK");
                }
                Err(fault(error))
            }
        }
    }
}

/// One match over every change.
fn apply(db: &Connection, change: &Change) -> Result<(), Halt> {
    match change {
        // The single-use gate: the row count of a conditional update decides, and whatever else
        // the list holds goes or falls with it.
        Change::Take { kind, number, at } => one(
            db,
            "UPDATE ticket SET taken_at = ?3 WHERE kind = ?1 AND number = ?2 \
             AND taken_at IS NULL AND revoked_at IS NULL",
            (*kind as u8, number.to_i64(), at.0),
            || Clash::Taken(*kind, *number),
        ),
        Change::Issue(raw) => issue(db, raw),
        Change::Extend {
            kind,
            number,
            expires_at,
        } => one(
            db,
            "UPDATE ticket SET expires_at = ?3 WHERE kind = ?1 AND number = ?2 \
             AND taken_at IS NULL AND revoked_at IS NULL",
            (*kind as u8, number.to_i64(), expires_at.0),
            || Clash::Stale,
        ),
        Change::Amend {
            kind,
            number,
            version,
            body,
            expires_at,
        } => one(
            db,
            "UPDATE ticket SET version = version + 1, body = ?4, expires_at = ?5 \
             WHERE kind = ?1 AND number = ?2 AND version = ?3 \
             AND taken_at IS NULL AND revoked_at IS NULL",
            (
                *kind as u8,
                number.to_i64(),
                version,
                body.as_slice(),
                expires_at.0,
            ),
            || Clash::Stale,
        ),
        Change::Revoke { kind, number, at } => any(
            db,
            "UPDATE ticket SET revoked_at = ?3 WHERE kind = ?1 AND number = ?2 \
             AND revoked_at IS NULL",
            (*kind as u8, number.to_i64(), at.0),
        ),
        Change::RevokeFamily { family, at } => any(
            db,
            "UPDATE ticket SET revoked_at = ?2 WHERE family = ?1 AND revoked_at IS NULL",
            (family.to_i64(), at.0),
        ),
        Change::Put(record) => put(db, record),
        Change::DropHandle(handle, user) => {
            let (kind, value) = handle.parts();
            any(
                db,
                "DELETE FROM handle WHERE kind = ?1 AND value = ?2 AND user_id = ?3",
                (kind, value, user.0.to_i64()),
            )
        }
        Change::Post(letter) => one(
            db,
            "INSERT INTO letter (number, body) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            (letter.number.to_i64(), json(letter)?),
            || Clash::Exists,
        ),
        Change::Delivered(number) => any(
            db,
            "DELETE FROM letter WHERE number = ?1",
            [number.to_i64()],
        ),
        Change::Notify(notice) => one(
            db,
            "INSERT INTO notice (number, due_at, body) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            (notice.number.to_i64(), due_at(notice), json(notice)?),
            || Clash::Exists,
        ),
        Change::Renotify(notice) => any(
            db,
            "UPDATE notice SET due_at = ?2, body = ?3 WHERE number = ?1",
            (notice.number.to_i64(), due_at(notice), json(notice)?),
        ),
        Change::Notified(number) => any(
            db,
            "DELETE FROM notice WHERE number = ?1",
            [number.to_i64()],
        ),
        Change::Record(event) => one(
            db,
            "INSERT INTO event (number, at, what, user_id, client_id, detail) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
            (
                event.number.to_i64(),
                event.at.0,
                &event.what,
                event.user.map(|user| user.0.to_i64()),
                event.client.as_ref().map(|client| client.as_str()),
                &event.detail,
            ),
            || Clash::Exists,
        ),
    }
}

/// A notice that is tried no more is never due.
fn due_at(notice: &Notice) -> Option<i64> {
    (!notice.dead).then_some(notice.due_at.0)
}

fn issue(db: &Connection, raw: &RawTicket) -> Result<(), Halt> {
    let ticket = &raw.ticket;
    one(
        db,
        "INSERT INTO ticket (kind, number, hash, grant_id, family, client_id, user_id, \
         issued_at, expires_at, taken_at, revoked_at, version, body) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT DO NOTHING",
        (
            raw.kind as u8,
            ticket.number.to_i64(),
            ticket.hash.0,
            ticket.grant.map(|grant| grant.0.to_i64()),
            ticket.family.map(Number::to_i64),
            ticket.client.as_ref().map(|client| client.as_str()),
            ticket.user.map(|user| user.0.to_i64()),
            ticket.issued_at.0,
            ticket.expires_at.0,
            ticket.taken_at.map(|at| at.0),
            ticket.revoked_at.map(|at| at.0),
            ticket.version,
            ticket.body.as_slice(),
        ),
        || Clash::Exists,
    )
}

/// Version 1 is inserted; a later version replaces exactly its predecessor.
fn put(db: &Connection, record: &Record) -> Result<(), Halt> {
    match record {
        Record::Client(client) => {
            let (sql, clash) = if client.version == 1 {
                (
                    "INSERT INTO client (id, developer_id, created_at, version, body) \
                     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
                    Clash::Exists,
                )
            } else {
                (
                    "UPDATE client SET developer_id = ?2, created_at = ?3, version = ?4, \
                     body = ?5 WHERE id = ?1 AND version = ?4 - 1",
                    Clash::Stale,
                )
            };
            let row = (
                client.id.as_str(),
                client.developer.0.to_i64(),
                client.created_at.0,
                client.version,
                json(client)?,
            );
            one(db, sql, row, || clash)
        }
        Record::Developer(developer) => any(
            db,
            "INSERT INTO developer (id, created_at, body) VALUES (?1, ?2, ?3) \
             ON CONFLICT (id) DO UPDATE SET created_at = excluded.created_at, \
             body = excluded.body",
            (
                developer.id.0.to_i64(),
                developer.created_at.0,
                json(developer)?,
            ),
        ),
        Record::User(user) => {
            let (sql, clash) = if user.version == 1 {
                (
                    "INSERT INTO user_account (id, created_at, version, body) \
                     VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                    Clash::Exists,
                )
            } else {
                (
                    "UPDATE user_account SET created_at = ?2, version = ?3, body = ?4 \
                     WHERE id = ?1 AND version = ?3 - 1",
                    Clash::Stale,
                )
            };
            let row = (
                user.id.0.to_i64(),
                user.created_at.0,
                user.version,
                json(user)?,
            );
            one(db, sql, row, || clash)
        }
        Record::Handle(handle, user) => put_handle(db, handle.parts(), *user),
        Record::Grant(grant) => {
            let (sql, clash) = if grant.version == 1 {
                (
                    "INSERT INTO user_grant (id, user_id, client_id, updated_at, revoked_at, \
                     version, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
                    Clash::Exists,
                )
            } else {
                (
                    "UPDATE user_grant SET user_id = ?2, client_id = ?3, updated_at = ?4, \
                     revoked_at = ?5, version = ?6, body = ?7 WHERE id = ?1 AND version = ?6 - 1",
                    Clash::Stale,
                )
            };
            let row = (
                grant.id.0.to_i64(),
                grant.user.0.to_i64(),
                grant.client.as_str(),
                grant.updated_at.0,
                grant.revoked_at.map(|at| at.0),
                grant.version,
                json(grant)?,
            );
            match one(db, sql, row, || clash) {
                // It would stand beside another one.
                Err(Halt::Broken(error)) if db::is_duplicate(&error) => Err(Clash::Exists.into()),
                done => done,
            }
        }
        Record::Subject(user, sector, subject) => one(
            db,
            "INSERT INTO subject (user_id, sector, subject) VALUES (?1, ?2, ?3) \
             ON CONFLICT DO NOTHING",
            (user.0.to_i64(), sector.to_string(), subject.as_str()),
            || Clash::Exists,
        ),
        Record::Key(key) => one(
            db,
            "INSERT INTO key (version, wrapped, created_at) VALUES (?1, ?2, ?3) \
             ON CONFLICT DO NOTHING",
            (key.version, key.wrapped.as_slice(), key.created_at.0),
            || Clash::Exists,
        ),
    }
}

fn put_handle(db: &Connection, (kind, value): (&str, &str), user: UserId) -> Result<(), Halt> {
    let put = one(
        db,
        "INSERT INTO handle (kind, value, user_id) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        (kind, value, user.0.to_i64()),
        || Clash::Exists,
    );
    let Err(Halt::Clash(clash)) = put else {
        return put;
    };
    let owner: Option<i64> = db
        .prepare_cached("SELECT user_id FROM handle WHERE kind = ?1 AND value = ?2")?
        .query_row((kind, value), |row| row.get(0))
        .optional()?;
    if owner == Some(user.0.to_i64()) {
        Ok(())
    } else {
        Err(clash.into())
    }
}

/// A statement that must touch exactly one row.
fn one(
    db: &Connection,
    sql: &str,
    params: impl Params,
    clash: impl FnOnce() -> Clash,
) -> Result<(), Halt> {
    match db.prepare_cached(sql)?.execute(params)? {
        1 => Ok(()),
        _ => Err(clash().into()),
    }
}

/// A statement that may touch any number of rows.
fn any(db: &Connection, sql: &str, params: impl Params) -> Result<(), Halt> {
    db.prepare_cached(sql)?.execute(params)?;
    Ok(())
}

fn json(record: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(record).map_err(|e| Error::ToSqlConversionFailure(Box::new(e)))
}

/// What the broom took.
struct Swept {
    rows: u64,
    /// The tickets among it that a cache may hold.
    kept: Vec<(Kind, Number)>,
}

fn sweep(db: &Connection, now: Timestamp, events_before: Timestamp) -> Result<Swept, Error> {
    let mut swept = Swept {
        rows: 0,
        kept: Vec::new(),
    };
    for kind in Kind::ALL {
        let room = SWEPT - swept.rows as i64;
        let mut statement = db.prepare_cached(
            "DELETE FROM ticket WHERE kind = ?1 AND number IN (SELECT number FROM ticket \
             WHERE kind = ?1 AND expires_at <= ?2 ORDER BY expires_at LIMIT ?3) RETURNING number",
        )?;
        let end = now.minus(kind.retention()).0;
        let mut rows = statement.query((kind as u8, end, room))?;
        while let Some(row) = rows.next()? {
            swept.rows += 1;
            if is_kept(kind) {
                swept.kept.push((kind, Number::from_i64(row.get(0)?)));
            }
        }
    }
    // Without an index on the time, which every exchange would have to write: events are numbered
    // in the order of real time, so the old ones are at the head.
    let events = db
        .prepare_cached(
            "DELETE FROM event WHERE number IN (SELECT number FROM \
             (SELECT number, at FROM event ORDER BY number LIMIT ?2) AS head WHERE at < ?1)",
        )?
        .execute((events_before.0, SWEPT - swept.rows as i64))?;
    swept.rows += events as u64;
    Ok(swept)
}
