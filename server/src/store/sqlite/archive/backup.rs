//! A copy of a database, under its name only once it is whole and on the disk.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use thiserror::Error;

use crate::store::sqlite::rows::SEQ_MAX;

/// A copy that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Bytes of the file.
    pub bytes: u64,
    /// Messages in it.
    pub messages: u64,
}

/// Why no copy was made. Nothing of it is left.
#[derive(Debug, Error)]
pub enum BackupError {
    /// There is something under that name.
    #[error("{0} exists already and is untouched; choose another name")]
    Exists(PathBuf),
    /// It cannot be written.
    #[error("cannot write {path}: {reason}")]
    File {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// SQLite cannot copy the database.
    #[error("cannot copy {path}: {reason}")]
    Database {
        /// Which database.
        path: PathBuf,
        /// SQLite's reason.
        reason: rusqlite::Error,
    },
}

/// Writes a copy of the database at `path` to `file`. `VACUUM` takes over what is stored, as of one
/// moment, and no page of what was.
pub(super) fn write(connection: &Connection, path: &Path, file: &Path) -> Result<Backup, BackupError> {
    let unwritable = |reason| BackupError::File { path: file.to_owned(), reason };
    let failed = |reason| BackupError::Database { path: path.to_owned(), reason };
    if file.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(file.to_owned()));
    }
    let partial = Partial::create(file).map_err(unwritable)?;
    let name = partial.0.to_str().ok_or_else(|| unwritable(io::Error::other("its name is not UTF-8")))?;
    connection.execute("VACUUM INTO ?1", [name]).map_err(failed)?;
    let messages = prepare(&partial.0).map_err(failed)?;
    let bytes = partial.publish(file).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(file.to_owned()),
        _ => unwritable(error),
    })?;
    Ok(Backup { bytes, messages })
}

/// Numbers that each room of a copy leaves out. Between the copy and its use, the server that it was made
/// of goes on giving numbers, and clients remember the ones they have seen: they must not be given to
/// something else. Ten million are more than a room has seen in that time, and a few thousandths of a
/// room's supply.
const LEFT_OUT: i64 = 10_000_000;

/// Makes a copy fit for use. Returns how many messages it says that it has.
fn prepare(path: &Path) -> rusqlite::Result<u64> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let copy = Connection::open_with_flags(path, flags)?;
    // If this is cut short, there is no copy.
    copy.pragma_update(None, "journal_mode", "OFF")?;
    copy.pragma_update(None, "synchronous", "OFF")?;
    copy.execute("UPDATE room SET last_seq = min(last_seq + ?1, ?2)", (LEFT_OUT, SEQ_MAX as i64))?;
    copy.query_row("SELECT coalesce(sum(messages), 0) FROM room WHERE removed = 0", [], |row| {
        row.get::<_, i64>(0).map(|count| count as u64)
    })
}

/// A file beside the one that is wanted, removed unless it becomes that.
struct Partial(PathBuf);

impl Partial {
    /// Makes it, empty: all that was ever said is not for everybody's eyes.
    fn create(file: &Path) -> io::Result<Self> {
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".{}.partial", std::process::id()));
        let path = PathBuf::from(name);
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self(path))
    }

    /// Gives it its name, once its content is on the disk. Returns its size.
    fn publish(&self, file: &Path) -> io::Result<u64> {
        let content = File::open(&self.0)?;
        content.sync_all()?;
        let bytes = content.metadata()?.len();
        match std::fs::hard_link(&self.0, file) {
            // Not every file system has links. Another file of that name is overwritten only if it
            // has come within the last moment.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                if file.symlink_metadata().is_ok() {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                std::fs::rename(&self.0, file)?;
            }
            linked => linked?,
        }
        let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(bytes)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After a rename there is none.
        let _ = std::fs::remove_file(&self.0);
    }
}
