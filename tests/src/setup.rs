//! How a server is started.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::SystemTime;

use tokio::process::Command;

use crate::{Random, TestServer};

/// What a server is started with, at first and whenever it is started again.
#[derive(Clone, Debug)]
pub struct Setup {
    flags: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    wrapper: Vec<OsString>,
    tcp: SocketAddr,
    http: SocketAddr,
}

impl Setup {
    /// Any free ports, and nothing on disk.
    pub fn ephemeral() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self::new(any, any).flags(&["--ephemeral"])
    }

    /// Everything in `data`, on ports that stay the same when the server is started again.
    pub fn durable(data: &Path) -> Self {
        let (tcp, http) = quiet_ports();
        let mut setup = Self::new(tcp, http);
        setup.flags.extend(["--data".into(), data.into()]);
        setup
    }

    fn new(tcp: SocketAddr, http: SocketAddr) -> Self {
        Self { flags: Vec::new(), environment: Vec::new(), wrapper: Vec::new(), tcp, http }
    }

    /// With these flags, too.
    pub fn flags(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(OsString::from));
        self
    }

    /// With a variable in its environment.
    pub fn environment(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.retain(|(other, _)| other != name);
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Without a variable that was set before.
    pub fn without(mut self, name: &str) -> Self {
        self.environment.retain(|(other, _)| other != name);
        self
    }

    /// Started by this command, which has to become the server in the end.
    pub fn through(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(OsString::from).collect();
        self
    }

    /// Starts it and waits until it listens.
    pub async fn start(self) -> TestServer {
        let mut server = TestServer::launch(self);
        server.ready().await;
        server
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = match self.wrapper.split_first() {
            None => Command::new(binary()),
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(binary());
                command
            }
        };
        forget_settings(&mut command);
        command
            .args(["--tcp", &self.tcp.to_string(), "--http", &self.http.to_string()])
            .args(&self.flags)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    pub(crate) fn listen_on(&mut self, tcp: SocketAddr, http: SocketAddr) {
        (self.tcp, self.http) = (tcp, http);
    }
}

/// The program, without arguments and without any setting of the environment.
pub(crate) fn bare_command() -> Command {
    let mut command = Command::new(binary());
    forget_settings(&mut command);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

fn forget_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CROSSTALK_") {
            command.env_remove(name);
        }
    }
}

/// The server beside the directory of the test executable, or `CROSSTALK_SERVER`.
fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("CROSSTALK_SERVER") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a test knows its own path");
    let profile = test.ancestors().nth(2).expect("a test is built in target/<profile>/deps");
    let server = profile.join("crosstalk-server");
    assert!(server.exists(), "{} is missing: cargo build -p crosstalk-server", server.display());
    server
}

/// Two ports that are free, and that the system gives to nobody who does not ask for them. Of those
/// that it does give away, an outgoing connection could take the one of a server that is down for a
/// moment, or even connect to itself.
fn quiet_ports() -> (SocketAddr, SocketAddr) {
    const QUIET: std::ops::Range<u16> = 10_000..32_000;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.subsec_nanos());
    let mut random = Random::new(u64::from(std::process::id()) << 32 | u64::from(now));
    let mut held = Vec::new();
    while held.len() < 2 {
        let port = QUIET.start + random.below(QUIET.len()) as u16;
        held.extend(TcpListener::bind((Ipv4Addr::LOCALHOST, port)));
    }
    let address = |listener: &TcpListener| listener.local_addr().expect("a listener has an address");
    (address(&held[0]), address(&held[1]))
}
