//! The server that is measured: the real program, in a process of its own, on free ports of the
//! loopback interface, for as long as one run needs it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::options::Options;
use crate::process::{self, CpuTime, Memory};

/// What a server keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nothing.
    Ephemeral,
    /// Everything, with that value of `--sync`.
    Durable(String),
}

impl Mode {
    /// Its name in results.
    pub(crate) fn name(&self) -> &str {
        match self {
            Mode::Ephemeral => "ephemeral",
            Mode::Durable(sync) => sync,
        }
    }
}

impl std::str::FromStr for Mode {
    type Err = std::convert::Infallible;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(if name == "ephemeral" { Mode::Ephemeral } else { Mode::Durable(name.to_owned()) })
    }
}

/// A running server. When it is dropped, it is killed.
pub(crate) struct Server {
    child: Child,
    pid: Pid,
    tcp: SocketAddr,
    /// From its start to the line that says that it listens.
    ready_after: Duration,
}

impl Server {
    /// Starts a server and waits until it listens. Its processor is another one than ours, if so asked.
    ///
    /// # Errors
    /// If it does not start.
    pub(crate) async fn start(options: &Options, mode: &Mode, data: &Path) -> anyhow::Result<Self> {
        let binary = options.server()?;
        let mut command = Command::new(&binary);
        command
            .args(["--tcp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--log", "warn", "--backlog", "off"])
            .args(["--rate-limit", "off", "--max-connections", "15000", "--max-connections-per-ip", "off"])
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        match mode {
            Mode::Ephemeral => command.arg("--ephemeral"),
            Mode::Durable(sync) => command.arg("--data").arg(data).args(["--sync", sync]),
        };
        process::together()?;
        let started = Instant::now();
        let mut child = process::apart(options.pin, || {
            command.spawn().with_context(|| format!("{} cannot be started", binary.display()))
        })?;
        let pid = child.id().and_then(|id| Pid::from_raw(id as i32)).context("the server has ended")?;
        let stdout = child.stdout.take().context("the server has no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).await?;
        let ready_after = started.elapsed();
        let Some(tcp) = address(&line) else { bail!("the server said {line:?}") };
        Ok(Self { child, pid, tcp, ready_after })
    }

    /// Where lines and JSON are spoken.
    pub(crate) fn tcp(&self) -> SocketAddr {
        self.tcp
    }

    /// From its start to the line that says that it listens.
    pub(crate) fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// Processor time used so far.
    ///
    /// # Errors
    /// If it has ended.
    pub(crate) fn cpu_time(&self) -> anyhow::Result<CpuTime> {
        process::cpu_time(self.pid)
    }

    /// Memory that it has now.
    ///
    /// # Errors
    /// If it has ended.
    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        process::memory(self.pid)
    }

    /// Ends it as an operator does, and waits until it is gone.
    ///
    /// # Errors
    /// If it ends badly.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        kill_process(self.pid, Signal::TERM)?;
        let status = self.child.wait().await?;
        anyhow::ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

/// The address in `Crosstalk is listening: lines and JSON on A, the page on …`.
fn address(line: &str) -> Option<SocketAddr> {
    let rest = line.strip_prefix("Crosstalk is listening: lines and JSON on ")?;
    rest.split_once(',')?.0.parse().ok()
}

/// A directory for one run. When it is dropped, it is removed with all that is in it.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes a new directory.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn new(options: &Options) -> anyhow::Result<Self> {
        let parent = options.scratch.clone().unwrap_or_else(std::env::temp_dir);
        for number in 0.. {
            let path = parent.join(format!("crosstalk-bench-{}-{number}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).context(format!("{} cannot be made", path.display())),
            }
        }
        bail!("no directory could be made in {}", parent.display())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
