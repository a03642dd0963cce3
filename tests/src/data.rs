//! A place on disk for one test.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Exit, TestServer};

/// An empty directory of its own, which is removed with all that is in it when this is dropped.
#[derive(Debug)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// Makes one.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("crosstalk-data-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).expect("a directory can be made");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The database that a server keeps in it.
    pub fn database(&self) -> PathBuf {
        self.0.join("crosstalk.db")
    }

    /// An own one with a copy of a database in it, as a backup is restored.
    pub fn restored(database: &Path) -> Self {
        let data = Self::new();
        std::fs::copy(database, data.database()).expect("a database can be copied");
        data
    }

    /// What `crosstalk-server check` says of it.
    pub async fn check(&self) -> Exit {
        TestServer::run(&["check", "--data", self.0.to_str().expect("a path of the tests is UTF-8")]).await
    }

    /// Which of its files have these bytes in them.
    pub fn files_with(&self, bytes: &[u8]) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.0).expect("a directory can be read") {
            let path = entry.expect("a directory can be read").path();
            let content = std::fs::read(&path).unwrap_or_default();
            if content.windows(bytes.len()).any(|window| window == bytes) {
                found.push(path);
            }
        }
        found
    }
}

impl Default for DataDir {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} is left over: {error}", self.0.display());
        }
    }
}
