//! The files that the store has open, and whether they are still where they were opened. Whoever
//! moves, removes or replaces one while the server runs takes nothing away from it: it writes to the
//! file that it has open, which nobody will find again once it has ended.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Between two looks.
const LOOK_TIME: Duration = Duration::from_secs(1);

/// What SQLite puts behind the database's name for the files beside it.
const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];

/// The database, and what SQLite has beside it.
pub(super) struct Files {
    files: Vec<(PathBuf, FileId)>,
    look_at: Instant,
    misplaced: Option<String>,
}

/// A device and an inode: the same under whatever name.
type FileId = (u64, u64);

impl Files {
    /// Those of a database that has just been opened.
    pub(super) fn of(database: &Path) -> io::Result<Self> {
        let mut files = Vec::with_capacity(SUFFIXES.len());
        for suffix in SUFFIXES {
            let mut path = database.as_os_str().to_owned();
            path.push(suffix);
            let path = PathBuf::from(path);
            match id(&path) {
                Ok(id) => files.push((path, id)),
                Err(error) if error.kind() == io::ErrorKind::NotFound && !suffix.is_empty() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self { files, look_at: Instant::now() + LOOK_TIME, misplaced: None })
    }

    /// Why nothing is to be written, if so. Looks once in [`LOOK_TIME`].
    pub(super) fn misplaced(&mut self) -> Option<&str> {
        let now = Instant::now();
        if self.look_at <= now {
            self.look_at = now + LOOK_TIME;
            self.misplaced = self.files.iter().find_map(|(path, opened)| misplacement(path, *opened));
        }
        self.misplaced.as_deref()
    }
}

fn misplacement(path: &Path, opened: FileId) -> Option<String> {
    let name = path.file_name().unwrap_or(path.as_os_str()).display();
    match id(path) {
        Ok(found) if found == opened => None,
        Ok(_) => Some(format!("{name} was replaced by another file; put it back, or restart the server")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Some(format!("{name} was taken away; put it back, or restart the server"))
        }
        Err(error) => Some(format!("{name} cannot be found: {error}")),
    }
}

fn id(path: &Path) -> io::Result<FileId> {
    path.metadata().map(|about| (about.dev(), about.ino()))
}
