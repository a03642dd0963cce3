//! The data directory: whose it is, and whether what is in it can be used. What cannot be used is not
//! touched.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use thiserror::Error;

use super::schema;

/// The database's name in the directory.
pub(super) const DATABASE: &str = "crosstalk.db";

/// The name of the file that a server locks.
const LOCK: &str = "lock";

/// Why a data directory cannot be used. One line, which says what to do.
#[derive(Debug, Error)]
pub enum OpenError {
    /// It cannot be made, or written to.
    #[error("cannot use the data directory {path}: {reason}; choose another with --data")]
    Directory {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// Another server has it.
    #[error("the data directory {0} is used by another server; stop it or choose another with --data")]
    InUse(PathBuf),
    /// There is nothing in it.
    #[error("there is no {DATABASE} in {0}; name the data directory with --data")]
    Missing(PathBuf),
    /// It was written by a newer program.
    #[error(
        "{path} is from a newer Crosstalk (version {found} of the data, this one knows {known}); it is untouched: use that Crosstalk, or choose another directory with --data"
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: i32,
        /// Ours.
        known: i32,
    },
    /// It was written by an older program, and is only to be read.
    #[error(
        "{path} is from an older Crosstalk (version {found} of the data, this one reads {known}); start the server on it once, which brings it up to date"
    )]
    Older {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: i32,
        /// Ours.
        known: i32,
    },
    /// It is something else.
    #[error("{0} is not a Crosstalk database; it is untouched: choose another directory with --data")]
    Foreign(PathBuf),
    /// SQLite has to write beside it, even to read it, and may not.
    #[error(
        "cannot open {path}: SQLite has to write to {name}-wal and {name}-shm beside it, even to read it, and may not ({reason}); run this as the user whose the directory is, or on a copy of {name} and {name}-wal", name = path.file_name().unwrap_or_default().display()
    )]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// SQLite's reason.
        reason: rusqlite::Error,
    },
    /// SQLite cannot read it.
    #[error("cannot read {path}: {reason}; check the disk, and restore a backup if the file is damaged")]
    Database {
        /// Which file.
        path: PathBuf,
        /// SQLite's reason.
        reason: rusqlite::Error,
    },
    /// A thread could not be started.
    #[error("cannot start a thread for the store: {0}; the system allows too few")]
    Thread(io::Error),
}

/// A data directory that no other server uses as long as this lives.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Locked. The system lets go of it however the process ends.
    _lock: File,
}

impl Directory {
    /// Makes the directory if need be, and takes it.
    pub(super) fn claim(path: &Path) -> Result<Self, OpenError> {
        let unusable = |reason| OpenError::Directory { path: path.to_owned(), reason };
        // What is said in private is in there.
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let lock =
            File::options().mode(PRIVATE).create(true).truncate(false).write(true).open(path.join(LOCK));
        let lock = lock.map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
            Err(TryLockError::Error(reason)) => Err(unusable(reason)),
        }
    }

    /// Where the database is.
    pub(super) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }
}

/// Opens the database for the one thread that writes, made or brought up to date if need be.
pub(super) fn open_to_write(path: &Path) -> Result<Connection, OpenError> {
    let new = match header(path)? {
        Header::None => true,
        Header::Ours => false,
    };
    if new {
        make(path).map_err(|reason| OpenError::Directory { path: path.to_owned(), reason })?;
    }
    let unreadable = |reason| unreadable(path, reason);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(unreadable)?;
    // Until it is known to be ours, not even what is in the write-ahead log is moved.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(unreadable)?;
    connection.busy_timeout(BUSY_TIME).map_err(unreadable)?;
    if new {
        schema::create(&connection).map_err(unreadable)?;
    }
    check_version(&connection, path)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(unreadable)?;
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(unreadable)?;
    if mode != "wal" {
        let reason = io::Error::other("its file system cannot share memory, which SQLite needs");
        return Err(OpenError::Directory { path: path.to_owned(), reason });
    }
    // What a write leaves behind is overwritten, so that withdrawn words are not found on the disk.
    connection.pragma_update(None, "secure_delete", "ON").map_err(unreadable)?;
    schema::migrate(&mut connection).map_err(unreadable)?;
    Ok(connection)
}

/// The mode of files that are made: for the owner alone.
const PRIVATE: u32 = 0o600;

/// Makes an empty file. SQLite gives those that it puts beside it the same mode.
fn make(path: &Path) -> io::Result<()> {
    match File::options().write(true).create_new(true).mode(PRIVATE).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Opens the database of a directory for reading, also while a server uses it.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, OpenError> {
    if matches!(header(path)?, Header::None) {
        return Err(OpenError::Missing(path.parent().unwrap_or(path).to_owned()));
    }
    open_own_to_read(path)
}

/// Opens the database of a server's own for reading, without looking at the file first: to close a
/// file is to give up every lock that the process has on it (POSIX, `fcntl`), and by its lock other
/// processes know that they must not take the write-ahead log away.
pub(super) fn open_own_to_read(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|reason| unreadable(path, reason))?;
    connection.busy_timeout(BUSY_TIME).map_err(|reason| unreadable(path, reason))?;
    check_version(&connection, path)?;
    Ok(connection)
}

/// Refuses a database that has yet to be brought up to date.
pub(super) fn check_current(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    match schema::version(connection).map_err(|reason| unreadable(path, reason))? {
        found if found < schema::VERSION => {
            Err(OpenError::Older { path: path.to_owned(), found, known: schema::VERSION })
        }
        _ => Ok(()),
    }
}

/// Opens the database of a server's own once more, to move its log.
pub(super) fn open_again(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).map_err(|reason| unreadable(path, reason))
}

/// Locks are held for moments only: while a log is recovered or reset.
pub(super) const BUSY_TIME: std::time::Duration = std::time::Duration::from_secs(5);

fn unreadable(path: &Path, reason: rusqlite::Error) -> OpenError {
    match reason.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => OpenError::Foreign(path.to_owned()),
        Some(
            rusqlite::ErrorCode::CannotOpen
            | rusqlite::ErrorCode::ReadOnly
            | rusqlite::ErrorCode::PermissionDenied,
        ) => OpenError::Unwritable { path: path.to_owned(), reason },
        _ => OpenError::Database { path: path.to_owned(), reason },
    }
}

fn check_version(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let found = schema::version(connection).map_err(|reason| unreadable(path, reason))?;
    if found > schema::VERSION {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: schema::VERSION });
    }
    Ok(())
}

enum Header {
    /// There is no file, or an empty one.
    None,
    Ours,
}

/// Looks at a file before SQLite does, which would write to what is beside it.
fn header(path: &Path) -> Result<Header, OpenError> {
    let unusable = |reason| OpenError::Directory { path: path.to_owned(), reason };
    let mut bytes = Vec::with_capacity(HEADER);
    match File::open(path) {
        Ok(file) => file.take(HEADER as u64).read_to_end(&mut bytes).map_err(unusable)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Header::None),
        Err(error) => return Err(unusable(error)),
    };
    if bytes.is_empty() {
        return Ok(Header::None);
    }
    // https://www.sqlite.org/fileformat2.html#the_database_header
    let number = |at: usize| bytes.get(at..at + 4).map(|four| four.try_into().map_or(0, i32::from_be_bytes));
    if !bytes.starts_with(b"SQLite format 3\0") || number(68) != Some(schema::APPLICATION_ID) {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    match number(60) {
        Some(found) if found > schema::VERSION => {
            Err(OpenError::Newer { path: path.to_owned(), found, known: schema::VERSION })
        }
        _ => Ok(Header::Ours),
    }
}

/// Bytes of SQLite's header.
const HEADER: usize = 100;
