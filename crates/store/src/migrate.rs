//! Brings a file to the newest shape, and leaves alone what is not ours.
//!
//! Steps are numbered and only go forward; the text of a step that was released never changes,
//! which a checksum in the file watches over. What a file is, is first read from its header with
//! plain file reads, so that a refused file is not touched at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use thiserror::Error;
use yufu_core::keyring::hex;
use yufu_core::secret::SecretHash;

use crate::db;

struct Step {
    version: u32,
    name: &'static str,
    text: &'static str,
}

const STEPS: &[Step] = &[
    Step {
        version: 1,
        name: "0001_first",
        text: include_str!("migrations/0001_first.sql"),
    },
    Step {
        version: 2,
        name: "0002_login",
        text: include_str!("migrations/0002_login.sql"),
    },
];

/// The newest shape that this program knows.
const KNOWN: u32 = STEPS.len() as u32;

/// Why a database could not be opened. What is refused was not touched.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file or its folder cannot be written.
    #[error("cannot write the database {path}: {why}; give the file and its folder to the user that runs yufu, or set another path", path = .path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What stands in the way.
        why: String,
    },
    /// There is a file, but it is not ours.
    #[error("{path} is {what}, not a yufu database; it was left as it is: set another path, or move it away and a new database is made", path = .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it looks like.
        what: &'static str,
    },
    /// A newer yufu has written it.
    #[error(
        "the database has shape {found}, this yufu knows {known}; it was left as it is: run the yufu that wrote it or a newer one"
    )]
    Newer {
        /// The shape of the file.
        found: u32,
        /// The newest shape that this program knows.
        known: u32,
    },
    /// It was ours, but its bytes or its history do not fit.
    #[error("the database {path} is damaged ({why}); it was left as it is: restore a backup, or ask `sqlite3 {path} .recover`", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        why: String,
    },
    /// Anything else.
    #[error("cannot open the database {path}: {why}", path = .path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
}

/// Where a file stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The shape of the file; 0 when there is none yet.
    pub version: u32,
    /// The newest shape that this program knows.
    pub known: u32,
    /// The names of the steps that opening it would take.
    pub pending: Vec<&'static str>,
}

/// Opens the file for writing in the newest shape; makes it when it is not there.
pub(crate) fn open(
    path: &Path,
    busy_timeout: Duration,
    max_pages: Option<u32>,
) -> Result<Connection, OpenError> {
    if look(path)?.is_none() {
        create(path, busy_timeout)?;
    }
    writable(path)?;
    let mut db =
        db::open_writer(path, false, busy_timeout, max_pages).map_err(|e| sort(path, &e))?;
    climb(&mut db, path)?;
    Ok(db)
}

/// What opening would find and do; reads only.
pub(crate) fn inspect(path: &Path) -> Result<Schema, OpenError> {
    let version = look(path)?.unwrap_or(0);
    let pending = STEPS.iter().filter(|step| step.version > version);
    Ok(Schema {
        version,
        known: KNOWN,
        pending: pending.map(|step| step.name).collect(),
    })
}

/// The shape of the file, `None` when there is none; a file that is not ours is refused.
pub(crate) fn look(path: &Path) -> Result<Option<u32>, OpenError> {
    let foreign = |what| OpenError::Foreign {
        path: path.to_owned(),
        what,
    };
    let damaged = |why: &str| OpenError::Damaged {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let has_log = fs::metadata(Path::new(&log)).is_ok_and(|meta| meta.len() > 0);
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        // SQLite would play an old log into the new file.
        Err(e) if e.kind() == io::ErrorKind::NotFound && has_log => {
            return Err(damaged(
                "its log, named like it with -wal, is there without it",
            ));
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(other(path, &e)),
    };
    if meta.is_dir() {
        return Err(foreign("a folder"));
    }
    if !meta.is_file() {
        return Err(foreign("no plain file"));
    }
    if meta.len() == 0 {
        return Err(foreign("an empty file"));
    }
    let mut header = [0; 100];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    match read {
        Ok(()) if header.starts_with(b"SQLite format 3\0") => {}
        Ok(()) => return Err(foreign("a file of another format")),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(foreign("a file of another format"));
        }
        Err(e) => return Err(other(path, &e)),
    }
    // https://www.sqlite.org/fileformat.html §1.3: the page's size is at 16, the number of pages at
    // 28, user_version at 60, application_id at 68.
    if word(&header, 68) != db::APPLICATION_ID {
        return Err(foreign("a SQLite database of another program"));
    }
    let mut version = word(&header, 60);
    if has_log {
        // A log that was not copied back may know better than the header.
        version = db::open_reader(path)
            .and_then(|db| db::user_version(&db))
            .map_err(|e| sort(path, &e))?;
    } else if meta.len() < u64::from(word(&header, 14) & 0xffff) * u64::from(word(&header, 28)) {
        return Err(damaged("it is shorter than it says"));
    }
    match version {
        0 => Err(damaged("it has no shape")),
        found if found > KNOWN => Err(OpenError::Newer {
            found,
            known: KNOWN,
        }),
        version => Ok(Some(version)),
    }
}

/// Four bytes of the header, the highest first.
fn word(header: &[u8; 100], at: usize) -> u32 {
    let bytes = header.get(at..at + 4).and_then(|b| b.try_into().ok());
    u32::from_be_bytes(bytes.unwrap_or_default())
}

/// Makes the file whole beside its place and then puts it there, so that a start that is cut off
/// never leaves half a file, and of two starts at once one wins.
fn create(path: &Path, busy_timeout: Duration) -> Result<(), OpenError> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".new-{}-{}", std::process::id(), db::unique()));
    let draft = PathBuf::from(draft);
    let made = own(&draft)
        .map_err(|e| unwritable(path, &e))
        .and_then(|_| {
            let mut db = db::open_writer(&draft, true, busy_timeout, None)
                .and_then(|db| db::mark(&db).map(|()| db))
                .map_err(|e| sort(path, &e))?;
            climb(&mut db, path)?;
            db::checkpoint(&db).map_err(|e| sort(path, &e))?;
            db.close().map_err(|(_, e)| sort(path, &e))
        })
        .and_then(|()| place(&draft, path).map_err(|e| unwritable(path, &e)));
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut rest = draft.as_os_str().to_owned();
        rest.push(suffix);
        // Not there, in the good case.
        let _ = fs::remove_file(Path::new(&rest));
    }
    made
}

/// Makes an empty file that is its owner's alone: people's phone numbers will be in it. SQLite
/// gives its log the same permissions.
pub(crate) fn own(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Gives the finished draft its name, unless somebody has it.
fn place(draft: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(draft, path) {
        Ok(()) => {}
        Err(_) if path.exists() => return Ok(()),
        // Not every file system has links.
        Err(_) => fs::rename(draft, path)?,
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    if cfg!(unix) {
        File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all())?;
    }
    Ok(())
}

/// Whether the file may be written, found out without writing.
fn writable(path: &Path) -> Result<(), OpenError> {
    OpenOptions::new()
        .write(true)
        .open(path)
        .map(drop)
        .map_err(|e| unwritable(path, &e))
}

/// Takes the steps that are missing, each in a transaction of its own.
fn climb(db: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let sorted = |e: rusqlite::Error| sort(path, &e);
    let found = db::user_version(db).map_err(sorted)?;
    if found > 0 {
        compare(db, path)?;
    }
    for step in STEPS.iter().filter(|step| step.version > found) {
        let act = db
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(sorted)?;
        // Another process may have taken it while we waited for the lock.
        if db::user_version(&act).map_err(sorted)? >= step.version {
            continue;
        }
        act.execute_batch(&db::dialect(step.text)).map_err(sorted)?;
        act.execute(
            "INSERT INTO migration (version, name, checksum) VALUES (?1, ?2, ?3)",
            (step.version, step.name, checksum(step.text)),
        )
        .map_err(sorted)?;
        db::set_user_version(&act, step.version).map_err(sorted)?;
        act.commit().map_err(sorted)?;
    }
    Ok(())
}

/// Compares the steps that made the file with those we know.
fn compare(db: &Connection, path: &Path) -> Result<(), OpenError> {
    let rows: Vec<(u32, String)> = db
        .prepare("SELECT version, checksum FROM migration ORDER BY version")
        .and_then(|mut rows| {
            rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
        .map_err(|e| sort(path, &e))?;
    for (version, found) in rows {
        let step = STEPS.iter().find(|step| step.version == version);
        if step.is_some_and(|step| checksum(step.text) != found) {
            return Err(OpenError::Damaged {
                path: path.to_owned(),
                why: format!("step {version} of its making differs from ours"),
            });
        }
    }
    Ok(())
}

fn checksum(text: &str) -> String {
    hex(&SecretHash::of(text.as_bytes()).0)
}

fn unwritable(path: &Path, why: &io::Error) -> OpenError {
    OpenError::Unwritable {
        path: path.to_owned(),
        why: why.to_string(),
    }
}

fn other(path: &Path, why: &io::Error) -> OpenError {
    OpenError::Other {
        path: path.to_owned(),
        why: why.to_string(),
    }
}

fn sort(path: &Path, error: &rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    let why = error.to_string();
    if db::is_unwritable(error) {
        OpenError::Unwritable { path, why }
    } else if db::is_damage(error) {
        OpenError::Damaged { path, why }
    } else {
        OpenError::Other { path, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_numbered_without_a_gap_and_named_by_their_number() {
        for (i, step) in STEPS.iter().enumerate() {
            assert_eq!(step.version as usize, i + 1);
            assert!(step.name.starts_with(&format!("{:04}_", step.version)));
        }
    }

    #[test]
    fn every_token_of_a_step_is_known() {
        for step in STEPS {
            assert!(
                !db::dialect(step.text).contains(['<', '>']),
                "{}",
                step.name
            );
        }
    }
}
