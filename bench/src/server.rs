//! The server that is measured: the real program, in a process of its own, on free ports of the
//! loopback interface, for as long as one run needs it.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use crosstalk_server::limits::PRESENCE_TIME;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::crowd::Crowd;
use crate::door::{self, Door, Protocol};
use crate::options::Options;
use crate::process::{self, CpuTime, Memory};

/// What a server keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nothing, and does nothing but copy: the relay in the server's place.
    Limit,
    /// Nothing.
    Ephemeral,
    /// Everything, with that value of `--sync`.
    Durable(String),
}

impl Mode {
    /// Its name in results.
    pub(crate) fn name(&self) -> &str {
        match self {
            Mode::Limit => "limit",
            Mode::Ephemeral => "ephemeral",
            Mode::Durable(sync) => sync,
        }
    }
}

impl std::str::FromStr for Mode {
    type Err = std::convert::Infallible;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(match name {
            "limit" => Mode::Limit,
            "ephemeral" => Mode::Ephemeral,
            sync => Mode::Durable(sync.to_owned()),
        })
    }
}

/// A running server. When it is dropped, it is killed.
pub(crate) struct Server {
    child: Child,
    pid: Pid,
    tcp: SocketAddr,
    http: SocketAddr,
    is_relay: bool,
    /// From its start to the line that says that it listens.
    ready_after: Duration,
}

impl Server {
    /// Starts a server and waits until it listens. Its processor is another one than ours, if so asked.
    ///
    /// # Errors
    /// If it does not start.
    pub(crate) async fn start(options: &Options, mode: &Mode, data: &Path) -> anyhow::Result<Self> {
        let (binary, mut command);
        if *mode == Mode::Limit {
            binary = std::env::current_exe()?;
            command = Command::new(&binary);
            command.arg("relay");
        } else {
            binary = options.server()?;
            command = Command::new(&binary);
            command
                .args(["--tcp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--log", "warn"])
                .args(["--backlog", "off", "--rate-limit", "off", "--max-rooms", "100000"])
                .args(["--max-connections", &connections()?.to_string(), "--max-connections-per-ip", "off"]);
        }
        command.stdout(Stdio::piped()).kill_on_drop(true);
        match mode {
            Mode::Limit => {}
            Mode::Ephemeral => _ = command.arg("--ephemeral"),
            Mode::Durable(sync) => _ = command.arg("--data").arg(data).args(["--sync", sync]),
        }
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
        let Some((tcp, http)) = addresses(&line) else { bail!("the server said {line:?}") };
        Ok(Self { child, pid, tcp, http, is_relay: *mode == Mode::Limit, ready_after })
    }

    /// Where lines and JSON are spoken.
    pub(crate) fn tcp(&self) -> SocketAddr {
        self.tcp
    }

    /// Where a door is.
    pub(crate) fn address(&self, door: Door) -> SocketAddr {
        if door == Door::Ws { self.http } else { self.tcp }
    }

    /// Lets somebody into the lobby, or to the relay, which has no doors.
    ///
    /// # Errors
    /// If the server does not.
    pub(crate) fn let_in(&self, door: Door, nick: &str) -> anyhow::Result<TcpStream> {
        match self.is_relay {
            true => door::connect(self.tcp),
            false => door.enter(self.address(door), nick, &["lobby".to_owned()]),
        }
    }

    /// Waits until everybody has heard of everybody.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn settle(&self, crowd: &mut Crowd) -> io::Result<()> {
        crowd.settle(if self.is_relay { Duration::from_millis(100) } else { PRESENCE_TIME + QUIET })
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
        if self.is_relay {
            return Ok(());
        }
        anyhow::ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

/// As many as the system lets a process have, with some descriptors for other things.
fn connections() -> anyhow::Result<u64> {
    let (files, _) = rlimit::Resource::NOFILE.get()?;
    Ok(files.min(100_000).saturating_sub(100))
}

/// How long after the last news about people one can be sure that there are no more.
const QUIET: Duration = Duration::from_millis(200);

/// The addresses in `Crosstalk is listening: lines and JSON on A, the page on http://B/`.
fn addresses(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let rest = line.strip_prefix("Crosstalk is listening: lines and JSON on ")?;
    let (tcp, http) = rest.trim_end().split_once(", the page on http://")?;
    Some((tcp.parse().ok()?, http.trim_end_matches('/').parse().ok()?))
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
