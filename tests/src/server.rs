//! The real server, on ports of its own, for as long as one test needs it.

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::{DataDir, Setup, eventually, setup, within};

/// A running `crosstalk-server`. When it is dropped, the process is killed; if that is because
/// the test failed, its log is shown.
pub struct TestServer {
    child: Child,
    setup: Setup,
    tcp: SocketAddr,
    http: SocketAddr,
    log: File,
}

/// What a server that has ended left behind.
#[derive(Debug)]
pub struct Exit {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl TestServer {
    /// Starts a server without a rate limit, as most tests type faster than people do, and one that
    /// shows nobody what was said before they came, unless they ask.
    pub async fn start() -> Self {
        Self::with(&["--rate-limit", "off", "--backlog", "off"]).await
    }

    /// Starts a server with free ports, nothing on disk, and `flags`.
    pub async fn with(flags: &[&str]) -> Self {
        Setup::ephemeral().flags(flags).start().await
    }

    /// Starts a server that keeps everything in `data`, without a rate limit and with `flags`.
    pub async fn with_data(data: &DataDir, flags: &[&str]) -> Self {
        Setup::durable(data.path()).flags(&["--rate-limit", "off"]).flags(flags).start().await
    }

    /// Starts a server and does not wait for it.
    pub(crate) fn launch(setup: Setup) -> Self {
        let log = scratch_file();
        let child = spawn(&setup, &log);
        let nowhere = SocketAddr::from(([0; 4], 0));
        Self { child, setup, tcp: nowhere, http: nowhere, log }
    }

    /// Waits until a server that was launched listens.
    pub async fn ready(&mut self) {
        let stdout = self.child.stdout.take().expect("standard output is a pipe");
        let mut line = String::new();
        within("the server's first line", BufReader::new(stdout).read_line(&mut line))
            .await
            .expect("the server's output can be read");
        let Some((tcp, http)) = addresses(&line) else {
            panic!("the server said {line:?} and {}", text_of(&self.log));
        };
        (self.tcp, self.http) = (tcp, http);
        self.setup.listen_on(tcp, http);
    }

    /// Kills the process, which has no time to finish anything, and waits until it is gone.
    pub async fn kill(&mut self) {
        within("the server to be killed", self.child.kill()).await.expect("a child can be killed");
    }

    /// Starts a server that has ended again, on the same ports and with the same data. Does not wait
    /// for it.
    pub fn relaunch(&mut self) {
        self.child = spawn(&self.setup, &self.log);
    }

    /// Starts a server that has ended again, on the same ports and with the same data.
    pub async fn restart(&mut self) {
        self.relaunch();
        self.ready().await;
    }

    /// Ends as `stop` does and starts again, as `change` says.
    pub async fn restart_with(&mut self, change: impl FnOnce(Setup) -> Setup) {
        self.signal(Signal::TERM);
        let status = within("the server to end", self.child.wait()).await.expect("a child can be awaited");
        assert_eq!(status.code(), Some(0), "the server ended badly: {}", self.log());
        self.setup = change(self.setup.clone());
        self.restart().await;
    }

    /// The binary, without arguments and without any `CROSSTALK_…` of the environment. What is
    /// spawned from it is killed when its handle is dropped.
    pub fn command() -> Command {
        setup::bare_command()
    }

    /// Runs the binary with `arguments` until it ends of itself.
    pub async fn run(arguments: &[&str]) -> Exit {
        let mut command = Self::command();
        let output = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).output();
        let output = within("the server to end of itself", output).await.expect("the server can be run");
        Exit {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Where lines and JSON are spoken.
    pub fn tcp(&self) -> SocketAddr {
        self.tcp
    }

    /// Where HTTP is spoken.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        text_of(&self.log)
    }

    /// Whether the process has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks the server to end and sees it end well.
    pub async fn stop(self) {
        self.signal(Signal::TERM);
        let exit = self.exit().await;
        assert_eq!(exit.code, Some(0), "the server ended badly: {}", exit.stderr);
    }

    /// Sends the process a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the server takes signals");
    }

    /// Waits for the process to end.
    pub async fn exit(mut self) -> Exit {
        let status = within("the server to end", self.child.wait()).await.expect("a child can be awaited");
        Exit { code: status.code(), stdout: String::new(), stderr: self.log() }
    }

    /// How many descriptors the process holds.
    pub fn descriptors(&self) -> usize {
        let pid = self.pid().as_raw_nonzero();
        std::fs::read_dir(format!("/proc/{pid}/fd")).expect("the process can be looked at").count()
    }

    /// Waits until the process holds no more than `count` descriptors. A connection's task owns
    /// its socket, so that no descriptor left means no task left.
    pub async fn descriptors_return_to(&self, count: usize) {
        let what = format!("{} descriptors to become {count}", self.descriptors());
        eventually(&what, || self.descriptors() <= count).await;
    }

    /// Resident memory of the process, in bytes.
    pub fn memory(&self) -> usize {
        self.status("VmRSS:") * 1024
    }

    /// How many threads the process has.
    pub fn threads(&self) -> usize {
        self.status("Threads:")
    }

    fn status(&self, field: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid().as_raw_nonzero()))
            .expect("the process can be looked at");
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
        let number = line.split_whitespace().next().and_then(|word| word.parse().ok());
        number.unwrap_or_else(|| panic!("no {field} in {status}"))
    }

    /// The process.
    pub fn pid(&self) -> Pid {
        let id = self.child.id().expect("the server is running");
        Pid::from_raw(id as i32).expect("a process id is not 0")
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the server's log ---\n{}--- end ---", self.log());
        }
    }
}

fn spawn(setup: &Setup, log: &File) -> Child {
    setup
        .command()
        .stderr(log.try_clone().expect("a file can be shared with a child"))
        .spawn()
        .expect("crosstalk-server can be started")
}

/// The two addresses in `Crosstalk is listening: lines and JSON on A, the page on http://B/`.
fn addresses(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let line = line.strip_prefix("Crosstalk is listening: lines and JSON on ")?;
    let (tcp, http) = line.trim_end().split_once(", the page on http://")?;
    Some((tcp.parse().ok()?, http.strip_suffix('/')?.parse().ok()?))
}

/// A file that has no name any more, opened for appending: the server writes it, we read it.
fn scratch_file() -> File {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("crosstalk-log-{}-{number}", std::process::id()));
    let file = File::options().create(true).append(true).read(true).open(&path).expect("a log can be made");
    std::fs::remove_file(&path).expect("a file just made can be removed");
    file
}

fn text_of(file: &File) -> String {
    let mut bytes = vec![0; file.metadata().map_or(0, |about| about.len() as usize)];
    let length = file.read_at(&mut bytes, 0).unwrap_or(0);
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}
