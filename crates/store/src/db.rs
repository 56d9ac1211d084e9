//! The only file that knows the flavour of the database: how a connection is set up, how the
//! common SQL text becomes SQLite's, what an error means, and the readers of each thread.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Error, ErrorCode, OpenFlags};

/// Stands in the header of our files: "yufu".
pub(crate) const APPLICATION_ID: u32 = 0x7975_6675;

/// How many statements a connection keeps prepared; more than there are.
const STATEMENTS: usize = 96;
/// Bytes of a page of a new file. Rows are a few hundred bytes and a batch touches the ends of
/// some ten trees: with pages of 4096 an exchange writes 4.7 kB, with these 3.5 kB.
const PAGE_BYTES: i64 = 2048;
/// Pages that the writer keeps in memory, in KiB.
const WRITER_CACHE_KIB: i64 = 16 * 1024;
/// Pages that each reader keeps in memory, in KiB.
const READER_CACHE_KIB: i64 = 4 * 1024;
/// After how many pages of log the writer copies them into the file.
const CHECKPOINT_PAGES: i64 = 4000;
/// The same two while many records are brought in: more memory, and longer pauses.
const BULK_CACHE_KIB: i64 = 256 * 1024;
const BULK_CHECKPOINT_PAGES: i64 = 65_536;
/// How long a read waits for somebody who opens or closes the file.
const READER_PATIENCE: Duration = Duration::from_secs(1);

/// SQLite's words for the tokens of the common text.
pub(crate) fn dialect(text: &str) -> String {
    text.replace("<i64>", "INTEGER")
        .replace("<text>", "TEXT")
        .replace("<bytes>", "BLOB")
        .replace("<table>", "STRICT")
        .replace("<clustered>", "STRICT, WITHOUT ROWID")
}

/// Opens the one connection that writes. `create` is for a file that does not exist yet.
pub(crate) fn open_writer(
    path: &Path,
    create: bool,
    busy_timeout: Duration,
    max_pages: Option<u32>,
) -> Result<Connection, Error> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if create {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(busy_timeout)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    harden(&db)?;
    if create {
        db.pragma_update(None, "page_size", PAGE_BYTES)?;
    }
    // An answer is given when the flush is done, never before.
    db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    // Savepoints keep the pages they may put back; in memory, not in a temporary file.
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, |_| Ok(()))?;
    // A log that once grew is cut back to this.
    db.pragma_update_and_check(None, "journal_size_limit", 64 << 20, |_| Ok(()))?;
    if let Some(most) = max_pages {
        db.pragma_update_and_check(None, "max_page_count", most, |_| Ok(()))?;
    }
    Ok(db)
}

/// Lets the one that writes keep more in memory and copy its log less often. Accounts come in by
/// age, their handles in no order at all: of a million, each list touches pages everywhere.
pub(crate) fn enlarge(db: &Connection) -> Result<(), Error> {
    db.pragma_update(None, "cache_size", -BULK_CACHE_KIB)?;
    db.pragma_update_and_check(
        None,
        "wal_autocheckpoint",
        BULK_CHECKPOINT_PAGES,
        |_| Ok(()),
    )
}

/// Opens a connection that cannot write.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(READER_PATIENCE)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    harden(&db)?;
    db.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    Ok(db)
}

/// The file's schema is not trusted to do anything but hold data.
fn harden(db: &Connection) -> Result<(), Error> {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    Ok(())
}

/// Marks a new file as ours.
pub(crate) fn mark(db: &Connection) -> Result<(), Error> {
    db.pragma_update(None, "application_id", APPLICATION_ID)
}

/// The shape that the file's header tells.
pub(crate) fn user_version(db: &Connection) -> Result<u32, Error> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Writes the shape into the file's header, within the running transaction.
pub(crate) fn set_user_version(db: &Connection, version: u32) -> Result<(), Error> {
    db.pragma_update(None, "user_version", version)
}

/// A number that no other call of this process gets.
pub(crate) fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Copies the log into the file and empties it, as far as nobody reads it.
pub(crate) fn checkpoint(db: &Connection) -> Result<(), Error> {
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// Writes everything that is committed into a file, which must be empty or not there.
pub(crate) fn copy_into(db: &Connection, path: &Path) -> Result<(), Error> {
    db.execute("VACUUM INTO ?1", [address(path)]).map(drop)
}

/// Puts another file beside the one that is open.
pub(crate) fn attach(db: &Connection, path: &Path, name: &str) -> Result<(), Error> {
    let attach = format!("ATTACH ?1 AS {name}");
    db.execute(&attach, [address(path) + "?mode=ro"]).map(drop)
}

/// Lets go of a file that was put beside.
pub(crate) fn detach(db: &Connection, name: &str) -> Result<(), Error> {
    db.execute_batch(&format!("DETACH {name}"))
}

/// `ok`, or the first thing in a file that does not fit.
pub(crate) fn check(db: &Connection, name: &str) -> Result<String, Error> {
    db.query_row(&format!("PRAGMA {name}.quick_check(1)"), [], |row| {
        row.get(0)
    })
}

/// A path as SQLite's statements take it. They read addresses, so a plain path could be mistaken
/// for one.
fn address(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut address = "file://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => address.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => address.push(char::from(*byte)),
            byte => address.push_str(&format!("%{byte:02x}")),
        }
    }
    address
}

/// Changes when another connection wrote to the file; our own writes on `db` do not count.
pub(crate) fn data_version(db: &Connection) -> Result<i64, Error> {
    db.prepare_cached("PRAGMA data_version")?
        .query_row([], |row| row.get(0))
}

/// Whether a uniqueness rule refused a row.
pub(crate) fn is_duplicate(error: &Error) -> bool {
    code(error) == Some(ErrorCode::ConstraintViolation)
}

/// Whether the disk, or the room that the operator gave us, is full.
pub(crate) fn is_full(error: &Error) -> bool {
    code(error) == Some(ErrorCode::DiskFull)
}

/// Whether the bytes are not what SQLite wrote.
pub(crate) fn is_damage(error: &Error) -> bool {
    matches!(
        code(error),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// Whether the file or its folder refuses to be opened or written.
pub(crate) fn is_unwritable(error: &Error) -> bool {
    matches!(
        code(error),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied)
    )
}

/// Whether the failure belongs to the database as a whole and not to one list of changes.
pub(crate) fn is_everybodys(error: &Error) -> bool {
    matches!(
        code(error),
        Some(
            ErrorCode::SystemIoFailure
                | ErrorCode::OutOfMemory
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::DatabaseBusy
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
        )
    )
}

fn code(error: &Error) -> Option<ErrorCode> {
    error.sqlite_error_code()
}

/// What a thread needs to know of a store to read from it.
pub(crate) struct Source {
    store: u64,
    path: PathBuf,
    life: Arc<()>,
}

impl Source {
    /// A source of its own, also when another store of this process has the same file.
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            store: unique(),
            path: path.to_owned(),
            life: Arc::new(()),
        }
    }

    /// Runs a read on this thread's own connection, which the first read opens.
    ///
    /// A point read is shorter than any hand-over to another thread. No read transaction outlives
    /// the call: `read` gets rows out of statements that are reset when it returns.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        READERS.with_borrow_mut(|readers| {
            if let Some(reader) = readers.iter().find(|reader| reader.store == self.store) {
                return read(&reader.db);
            }
            readers.retain(|reader| reader.life.strong_count() > 0);
            let db = open_reader(&self.path)?;
            let result = read(&db);
            readers.push(Reader {
                store: self.store,
                life: Arc::downgrade(&self.life),
                db,
            });
            result
        })
    }

    /// Closes this thread's connection.
    pub(crate) fn forget(&self) {
        READERS.with_borrow_mut(|readers| readers.retain(|reader| reader.store != self.store));
    }
}

struct Reader {
    store: u64,
    /// Ends with the store; then the thread's next new reader closes this one.
    life: Weak<()>,
    db: Connection,
}

thread_local! {
    static READERS: RefCell<Vec<Reader>> = const { RefCell::new(Vec::new()) };
}
