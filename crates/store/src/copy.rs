//! Copies of a whole database, made and put back while the house is open.
//!
//! Both are done by the thread that writes, between two batches: so a copy holds exactly what was
//! committed before, and what is put back is there for everybody at once.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Error, OptionalExtension};
use thiserror::Error as ThisError;
use yufu_core::refusal::Fault;

use crate::db;
use crate::feed::Log;
use crate::migrate::{self, OpenError};

/// The name under which a copy is attached.
const COPY: &str = "copy";
/// Tables that belong to the file and not to what is in it: its making, and the words for other
/// processes, who must hear of this change too.
const OF_THE_FILE: [&str; 2] = ["migration", "change_log"];

/// Why a copy could not be made or put back. Nothing was changed.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum CopyError {
    /// The file is not one that could be opened.
    #[error(transparent)]
    File(#[from] OpenError),
    /// There is no such file.
    #[error("there is no copy {path}", path = .0.display())]
    Missing(PathBuf),
    /// The copy was made of another house: what its secrets were made with is not ours.
    #[error("{path} is a copy of another house; nothing was changed", path = .0.display())]
    Another(PathBuf),
    /// The copy is older than the last step of the file's making.
    #[error("{path} was made by an older yufu (shape {found}, now {known}); nothing was changed: make a new copy", path = .path.display())]
    Older {
        /// The copy.
        path: PathBuf,
        /// Its shape.
        found: u32,
        /// The shape of the open database.
        known: u32,
    },
    /// The bytes of the copy do not fit together.
    #[error("the copy {path} is damaged ({why}); nothing was changed", path = .path.display())]
    Damaged {
        /// The copy.
        path: PathBuf,
        /// What does not fit.
        why: String,
    },
    /// Ours.
    #[error("{0}")]
    Failed(#[from] Fault),
}

/// Writes everything into a file of its own, which takes the place of an older one when it is
/// whole.
pub(crate) fn write(db: &Connection, to: &Path) -> Result<(), CopyError> {
    let mut draft = to.as_os_str().to_owned();
    draft.push(format!(".new-{}-{}", std::process::id(), db::unique()));
    let draft = PathBuf::from(draft);
    let unwritable = |error: std::io::Error| OpenError::Unwritable {
        path: to.to_owned(),
        why: error.to_string(),
    };
    let written = migrate::own(&draft)
        .map_err(unwritable)
        .map_err(CopyError::from)
        .and_then(|file| {
            // Into the empty file, so that it is its owner's alone from the first byte.
            db::copy_into(db, &draft).map_err(|error| Fault::from("copy the database", error))?;
            file.sync_all().map_err(unwritable)?;
            Ok(fs::rename(&draft, to).map_err(unwritable)?)
        });
    if written.is_err() {
        // Not there when it could not be made.
        let _ = fs::remove_file(&draft);
    }
    written
}

/// Replaces everything by what a copy holds, in one transaction.
pub(crate) fn put_back(db: &Connection, log: &mut Log, from: &Path) -> Result<(), CopyError> {
    let known = db::user_version(db).map_err(fault)?;
    match migrate::look(from)? {
        None => return Err(CopyError::Missing(from.to_owned())),
        Some(found) if found < known => {
            let path = from.to_owned();
            return Err(CopyError::Older { path, found, known });
        }
        Some(_) => {}
    }
    db::attach(db, from, COPY).map_err(|error| sort(from, error))?;
    let done = exchange(db, log, from);
    if done.is_err() && !db.is_autocommit() {
        // If this fails the next batch tries again.
        let _ = db.execute_batch("ROLLBACK");
    }
    if let Err(error) = db::detach(db, COPY) {
        tracing::warn!(%error, "a copy of the database stays attached");
    }
    done
}

fn exchange(db: &Connection, log: &mut Log, from: &Path) -> Result<(), CopyError> {
    let broken = |error| sort(from, error);
    let said = db::check(db, COPY).map_err(broken)?;
    if said != "ok" {
        return Err(CopyError::Damaged {
            path: from.to_owned(),
            why: said,
        });
    }
    if shape(db, COPY).map_err(broken)? != shape(db, "main").map_err(fault)? {
        return Err(CopyError::Damaged {
            path: from.to_owned(),
            why: "its tables are not ours".to_owned(),
        });
    }
    db.execute_batch("BEGIN IMMEDIATE").map_err(fault)?;
    if root(db, COPY).map_err(broken)? != root(db, "main").map_err(fault)? {
        return Err(CopyError::Another(from.to_owned()));
    }
    for table in tables(db).map_err(fault)? {
        let replace = format!(
            "DELETE FROM main.\"{table}\"; \
             INSERT INTO main.\"{table}\" SELECT * FROM {COPY}.\"{table}\";"
        );
        db.execute_batch(&replace).map_err(broken)?;
    }
    log.write_all(db).map_err(fault)?;
    db.execute_batch("COMMIT").map_err(fault)
}

/// What a file is made of, as it was written.
fn shape(db: &Connection, schema: &str) -> Result<Vec<(String, String, Option<String>)>, Error> {
    let mut rows = db.prepare(&format!(
        "SELECT type, name, sql FROM {schema}.sqlite_schema ORDER BY type, name"
    ))?;
    rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect()
}

/// The tables whose rows are the house.
fn tables(db: &Connection) -> Result<Vec<String>, Error> {
    let mut rows = db.prepare(
        "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    )?;
    let names = rows.query_map([], |row| row.get::<_, String>(0))?;
    names
        .filter(|name| {
            let kept = |name: &String| !OF_THE_FILE.contains(&name.as_str());
            name.as_ref().map_or(true, kept)
        })
        .collect()
}

/// The key that never changes in the life of a house.
fn root(db: &Connection, schema: &str) -> Result<Option<Vec<u8>>, Error> {
    db.prepare(&format!(
        "SELECT wrapped FROM {schema}.key WHERE version = 0"
    ))?
    .query_row([], |row| row.get(0))
    .optional()
}

fn fault(error: Error) -> CopyError {
    Fault::from("put a copy of the database back", error).into()
}

/// What went wrong while a copy was read.
fn sort(from: &Path, error: Error) -> CopyError {
    if db::is_damage(&error) {
        return CopyError::Damaged {
            path: from.to_owned(),
            why: error.to_string(),
        };
    }
    fault(error)
}
