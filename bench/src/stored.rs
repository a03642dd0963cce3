//! A data directory that is there already, and how to make the system forget what it has read of it.

use std::fs::File;
use std::path::Path;

use rustix::fs::{Advice, fadvise};

/// Has the system write what it holds of the directory's files, and forget it: what is read next comes
/// from the disk.
///
/// # Errors
/// The system's.
pub(crate) fn forget(data: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(data)? {
        let file = File::open(entry?.path())?;
        file.sync_all()?;
        fadvise(&file, 0, None, Advice::DontNeed)?;
    }
    Ok(())
}

/// Bytes of the directory's files, in MB.
///
/// # Errors
/// The system's.
pub(crate) fn megabytes(data: &Path) -> anyhow::Result<f64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(data)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes as f64 / 1e6)
}
