//! A database as somebody sees it who is not its server: read only, without the directory's lock,
//! whether a server uses it meanwhile or not. Nothing here changes what is stored. While something is
//! read, the write-ahead log of a server that runs cannot be begun anew, and grows.

mod backup;
mod check;

use std::path::{Path, PathBuf};

use crosstalk_protocol::{HistoryRange, Message, RoomName, Seq};
use rusqlite::{Connection, InterruptHandle, OptionalExtension};

use super::directory::{DATABASE, OpenError, check_current, open_to_read};
use super::questions;
use super::rows::{entry_id, room, room_columns, seq_of};
use crate::store::{RoomKey, StoreError, StoredRoom};

pub use self::backup::{Backup, BackupError};
pub use self::check::Report;

/// Entries whose times are looked at in one go.
const STRETCH: usize = 100_000;

/// A database that is read.
pub struct Archive {
    connection: Connection,
    path: PathBuf,
}

impl Archive {
    /// Opens the database of a data directory, as it has to be for its messages to be read.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        Self::open_file(&directory.join(DATABASE))
    }

    /// Opens a database under another name, such as a backup.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_file(path: &Path) -> Result<Self, OpenError> {
        let archive = Self::open_any(path)?;
        check_current(&archive.connection, path)?;
        Ok(archive)
    }

    /// Opens the database of a data directory to copy it: that of an older version will do.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_to_copy(directory: &Path) -> Result<Self, OpenError> {
        Self::open_any(&directory.join(DATABASE))
    }

    fn open_any(path: &Path) -> Result<Self, OpenError> {
        let connection = open_to_read(path)?;
        let failed = |reason| OpenError::Database { path: path.to_owned(), reason };
        // What is sorted on the way must not leave words in files of the system's.
        connection.pragma_update(None, "temp_store", "MEMORY").map_err(failed)?;
        Ok(Self { connection, path: path.to_owned() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// With this, another thread can end what is under way.
    pub fn interrupt_handle(&self) -> InterruptHandle {
        self.connection.get_interrupt_handle()
    }

    /// Every public room.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn rooms(&self) -> Result<Vec<StoredRoom>, StoreError> {
        questions::rooms(&self.connection).map_err(failed)
    }

    /// A room, or a direct conversation, by its name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn room(&self, name: &RoomName) -> Result<Option<StoredRoom>, StoreError> {
        if !name.is_direct() {
            return Ok(self.rooms()?.into_iter().find(|room| room.name == *name));
        }
        let found: rusqlite::Result<Vec<StoredRoom>> = self
            .connection
            .prepare(concat!("SELECT ", room_columns!(), " FROM room AS r WHERE removed = 0 AND name = ?1"))
            .and_then(|mut statement| statement.query_map([name.as_str()], room)?.collect());
        Ok(found.map_err(failed)?.pop())
    }

    /// At most `limit` messages of a room behind `after`, oldest first, as they are now. Between two
    /// calls nothing is held.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn messages(&self, room: &RoomKey, after: Seq, limit: usize) -> Result<Vec<Message>, StoreError> {
        questions::messages(&self.connection, room, HistoryRange::After(after), limit).map_err(failed)
    }

    /// The number of the first entry of a room that was taken at `since`, in milliseconds since 1970,
    /// or later. Nothing is held for long while it is looked for.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn first_since(&self, room: &StoredRoom, since: i64) -> Result<Option<Seq>, StoreError> {
        let mut find = self
            .connection
            .prepare("SELECT id FROM entry WHERE id BETWEEN ?1 AND ?2 AND at >= ?3 ORDER BY id LIMIT 1")
            .map_err(failed)?;
        for first in (0..=room.last_seq).step_by(STRETCH) {
            let [first, last] = [first, first + STRETCH as Seq - 1].map(|seq| entry_id(room.id, seq));
            let found = find.query_row((first, last, since), |row| row.get(0)).optional().map_err(failed)?;
            if let Some(id) = found {
                return Ok(Some(seq_of(id)));
            }
        }
        Ok(None)
    }

    /// Writes a copy that is consistent, compact, and free of what was withdrawn.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn back_up(&self, file: &Path) -> Result<Backup, BackupError> {
        backup::write(&self.connection, &self.path, file)
    }

    /// Looks at all that there is, as it is at this moment, and says what is wrong with it.
    pub fn check(&self) -> Report {
        check::run(&self.connection)
    }
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Archive").field("path", &self.path).finish_non_exhaustive()
    }
}

fn failed(error: rusqlite::Error) -> StoreError {
    StoreError(error.to_string())
}
