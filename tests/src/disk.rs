//! Disks that take no more, and do again.

use std::path::Path;
use std::process::Command;

use rustix::process::{Resource, Rlimit, prlimit};

use crate::{DataDir, Setup, TestServer};

/// A small file system in memory, in a directory of its own. Only root can have one.
#[derive(Debug)]
pub struct SmallDisk {
    data: DataDir,
}

/// The file that takes what room there is.
const BALLAST: &str = "ballast";

impl SmallDisk {
    /// Mounts one of so many bytes. `None` if that is not allowed here.
    pub fn mount(bytes: usize) -> Option<Self> {
        let data = DataDir::new();
        let options = format!("size={bytes},mode=0755");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(data.path()).output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self { data })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.data.path()
    }

    /// From now on nothing on it can be changed.
    pub fn make_read_only(&self) {
        let mount = Command::new("mount").args(["-o", "remount,ro"]).arg(self.path()).status();
        assert!(mount.is_ok_and(|status| status.success()), "who can mount can mount again");
    }

    /// Takes all the room that there is left.
    pub fn fill(&self) {
        use std::io::Write;
        let mut ballast = std::fs::File::create(self.path().join(BALLAST)).expect("a file can be made");
        while ballast.write_all(&[0; 4096]).is_ok() {}
    }

    /// Gives it back.
    pub fn make_room(&self) {
        std::fs::remove_file(self.path().join(BALLAST)).expect("the ballast can be removed");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whoever still has a file open there does not keep it.
        let unmounted = Command::new("umount").arg("--lazy").arg(self.path()).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} is still mounted", self.path().display());
        }
    }
}

/// A setup whose server does not die of [`limit_files`]: by default, a file that may not grow ends
/// the process that writes to it.
pub fn survives_limits(setup: Setup) -> Setup {
    setup.through(&["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"])
}

/// From now on no file of the server's can be written to behind so many bytes, as if the disk had an
/// error there; `None`: it works again.
pub fn limit_files(server: &TestServer, bytes: Option<u64>) {
    let limit = Rlimit { current: bytes, maximum: None };
    prlimit(Some(server.pid()), Resource::Fsize, limit).expect("a limit can be set");
}
