//! Other servers of the same kind, as Debian packages them, each with its limits lifted and in a process
//! of its own on a free port of the loopback interface, for as long as one run needs it.

pub(crate) mod irc;
pub(crate) mod mqtt;
pub(crate) mod nats;
pub(crate) mod threaded;

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::Pid;
use tokio::process::{Child, Command};

use crate::options::Options;
use crate::process::{self, CpuTime, Memory};

/// A server that is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Nats,
    Ngircd,
    Inspircd,
    Mosquitto,
    /// `bench/peers/threaded.py`.
    Threaded,
}

/// Where a peer listens.
#[derive(Clone, Copy, Debug)]
struct Ports {
    tcp: u16,
    /// Only NATS has a WebSocket.
    http: u16,
}

impl Peer {
    fn program(self) -> &'static str {
        match self {
            Self::Nats => "nats-server",
            Self::Ngircd => "ngircd",
            Self::Inspircd => "inspircd",
            Self::Mosquitto => "mosquitto",
            Self::Threaded => "python3",
        }
    }

    /// Which version is installed, in its own words without its name.
    ///
    /// # Errors
    /// If it is not installed.
    pub(crate) fn version(self) -> anyhow::Result<String> {
        let argument = if self == Self::Mosquitto { "-h" } else { "--version" };
        let output = std::process::Command::new(self.program()).arg(argument).output();
        let output = output.with_context(|| format!("{} is not installed", self.program()))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        number(&text).with_context(|| format!("{} has no version: {text:?}", self.program()))
    }

    /// Its configuration: everything is allowed, and nobody is slowed down.
    fn config(self, ports: Ports, directory: &Path) -> String {
        let Ports { tcp, http } = ports;
        let directory = directory.display();
        match self {
            Self::Nats => format!(
                r#"host: "127.0.0.1"
port: {tcp}
max_connections: 100000
write_deadline: "60s"
ping_interval: "60m"
websocket {{ host: "127.0.0.1", port: {http}, no_tls: true }}
"#
            ),
            Self::Ngircd => format!(
                "[Global]
Name = irc.example
Info = bench
Listen = 127.0.0.1
Ports = {tcp}
MotdPhrase = welcome
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxNickLength = 20
MaxPenaltyTime = 0
PingTimeout = 3600
PongTimeout = 3600
[Options]
DNS = no
Ident = no
PAM = no
"
            ),
            Self::Inspircd => format!(
                r#"<config format="xml">
<server name="irc.example" description="bench" network="bench">
<admin name="bench" nick="bench" email="bench@example.com">
<bind address="127.0.0.1" port="{tcp}" type="clients">
<connect allow="*" timeout="60" pingfreq="3600" limit="100000" localmax="100000" globalmax="100000"
 maxconnwarn="no" hardsendq="1073741824" softsendq="1073741824" recvq="1073741824" fakelag="no"
 threshold="1000000000" commandrate="1000000000" resolvehostnames="no" useident="no">
<performance netbuffersize="65534" softlimit="100000" somaxconn="4096" quietbursts="yes">
<security>
<files motd="{directory}/motd">
<pid file="{directory}/pid">
<log method="file" type="*" level="default" target="{directory}/log">
"#
            ),
            Self::Mosquitto => format!(
                "listener {tcp} 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 0
max_queued_bytes 0
set_tcp_nodelay true
user root
log_type error
"
            ),
            Self::Threaded => include_str!("../peers/threaded.py").to_owned(),
        }
    }

    /// How it is started with its configuration.
    fn command(self, config: &Path, ports: Ports) -> Command {
        let mut command = Command::new(self.program());
        match self {
            Self::Nats | Self::Mosquitto => command.arg("-c").arg(config),
            Self::Ngircd => command.args(["--nodaemon", "--config"]).arg(config),
            // Whoever measures may be root; without that it refuses.
            Self::Inspircd => command.args(["--nofork", "--runasroot", "--config"]).arg(config),
            Self::Threaded => command.arg(config).arg(ports.tcp.to_string()),
        };
        command
    }
}

/// A peer that runs. When it is dropped, it is killed.
pub(crate) struct Running {
    child: Child,
    pid: Pid,
    ports: Ports,
}

impl Running {
    /// Starts a peer and waits until it listens. Its processor is another one than ours, if so asked.
    ///
    /// # Errors
    /// If it does not start.
    pub(crate) async fn start(options: &Options, peer: Peer, directory: &Path) -> anyhow::Result<Self> {
        let ports = Ports { tcp: free_port()?, http: free_port()? };
        let (config, log) = (directory.join("config"), directory.join("output"));
        fs::write(&config, peer.config(ports, directory))?;
        fs::write(directory.join("motd"), "welcome\n")?;
        let mut command = peer.command(&config, ports);
        let output = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).kill_on_drop(true);
        process::together()?;
        let child = process::apart(options.pin, || {
            command.spawn().with_context(|| format!("{} cannot be started", peer.program()))
        })?;
        let pid = child.id().and_then(|id| Pid::from_raw(id as i32)).context("the peer has ended")?;
        let mut running = Self { child, pid, ports };
        running.wait(peer, &log).await?;
        Ok(running)
    }

    async fn wait(&mut self, peer: Peer, log: &Path) -> anyhow::Result<()> {
        let begun = Instant::now();
        while TcpStream::connect(self.address(false)).is_err() {
            let ended = self.child.try_wait()?.is_some();
            if ended || begun.elapsed() > START_TIME {
                let said = fs::read_to_string(log).unwrap_or_default();
                bail!("{} does not listen; it said {said:?}", peer.program());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Where it listens, for lines or for HTTP.
    pub(crate) fn address(&self, http: bool) -> SocketAddr {
        let port = if http { self.ports.http } else { self.ports.tcp };
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
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

    /// Ends it, and waits until it is gone. It has nothing to lose.
    ///
    /// # Errors
    /// The system's.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// How long a peer may take to start.
const START_TIME: Duration = Duration::from_secs(10);

/// A port that nobody has. Somebody could take it before the peer does, which then does not start.
fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// The first number with a dot in it, and what belongs to it.
fn number(text: &str) -> Option<String> {
    let words = text.split(|char: char| !(char.is_ascii_alphanumeric() || char == '.'));
    let mut numbers = words.map(|word| word.trim_start_matches('v'));
    let is_number = |word: &&str| word.starts_with(|char: char| char.is_ascii_digit()) && word.contains('.');
    numbers.find(is_number).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say_of_themselves() {
        for (said, version) in [
            ("nats-server: v2.9.10\n", "2.9.10"),
            ("ngIRCd 26.1-IDENT+IPv6+PAM-x86_64/pc/linux-gnu\nCopyright (c)2001-2021\n", "26.1"),
            ("InspIRCd-3.15.0-debian\n", "3.15.0"),
            ("mosquitto version 2.0.11\n\nmosquitto is an MQTT v5.0/v3.1.1/v3.1 broker.\n", "2.0.11"),
            ("Python 3.11.7\n", "3.11.7"),
        ] {
            assert_eq!(number(said).as_deref(), Some(version));
        }
        assert_eq!(number("nothing of the kind"), None);
    }
}
