//! What is compared: the limit, Crosstalk at two of its doors, and the peers, all of them started, entered
//! and looked at in the same way.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;

use crate::crowd::Crowd;
use crate::door::{Door, Protocol, connect};
use crate::options::Options;
use crate::peers::irc::Irc;
use crate::peers::mqtt::Mqtt;
use crate::peers::nats::Nats;
use crate::peers::threaded::Threaded;
use crate::peers::{Peer, Running};
use crate::process::{CpuTime, Memory};
use crate::server::{Mode, Scratch, Server};

/// A server, and the way into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Subject {
    Limit,
    Crosstalk,
    CrosstalkWs,
    Nats,
    NatsWs,
    Ngircd,
    Inspircd,
    Mosquitto,
    Python,
}

impl Subject {
    /// Its name in results.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Limit => "the limit",
            Self::Crosstalk => "Crosstalk, lines",
            Self::CrosstalkWs => "Crosstalk, WebSocket",
            Self::Nats => "NATS",
            Self::NatsWs => "NATS, WebSocket",
            Self::Ngircd => "ngIRCd",
            Self::Inspircd => "InspIRCd",
            Self::Mosquitto => "Mosquitto",
            Self::Python => "Python, a thread each",
        }
    }

    /// Whether those in a room are told who comes and goes.
    pub(crate) fn has_presence(self) -> bool {
        !matches!(self, Self::Limit | Self::Nats | Self::NatsWs | Self::Mosquitto)
    }

    /// How many may connect before the first of them is let in. `InspIRCd` lets in once a second whoever is
    /// there; `ngIRCd` has ten places for those whom it has not accepted yet, and who finds none tries
    /// again a second later.
    fn waiting_max(self) -> usize {
        if self == Self::Ngircd { 8 } else { usize::MAX }
    }

    /// How it is spoken to.
    pub(crate) fn protocol(self) -> Box<dyn Protocol> {
        match self {
            Self::Limit => Box::new(Copied),
            Self::Crosstalk => Box::new(Door::Line),
            Self::CrosstalkWs => Box::new(Door::Ws),
            Self::Nats => Box::new(Nats { in_frames: false }),
            Self::NatsWs => Box::new(Nats { in_frames: true }),
            Self::Ngircd | Self::Inspircd => Box::new(Irc),
            Self::Mosquitto => Box::new(Mqtt),
            Self::Python => Box::new(Threaded),
        }
    }

    /// Which version is measured; nothing for the limit, which is a part of this program.
    ///
    /// # Errors
    /// If a peer is not installed.
    pub(crate) fn version(self) -> anyhow::Result<String> {
        match self.peer() {
            Some(peer) => peer.version(),
            None if self == Self::Limit => Ok(String::new()),
            None => Ok(env!("CARGO_PKG_VERSION").to_owned()),
        }
    }

    /// Whether it is somebody else's: then its failures are results.
    pub(crate) fn is_peer(self) -> bool {
        self.peer().is_some()
    }

    /// Starts it.
    ///
    /// # Errors
    /// If it does not start.
    pub(crate) async fn start(self, options: &Options) -> anyhow::Result<Started> {
        let scratch = Scratch::new(options)?;
        let process = match self.peer() {
            Some(peer) => Process::Peer(Running::start(options, peer, scratch.path()).await?),
            None => {
                let mode = if self == Self::Limit { Mode::Limit } else { Mode::Ephemeral };
                Process::Ours(Server::start(options, &mode, scratch.path()).await?)
            }
        };
        Ok(Started { subject: self, protocol: self.protocol(), process, _scratch: scratch })
    }

    fn peer(self) -> Option<Peer> {
        match self {
            Self::Limit | Self::Crosstalk | Self::CrosstalkWs => None,
            Self::Nats | Self::NatsWs => Some(Peer::Nats),
            Self::Ngircd => Some(Peer::Ngircd),
            Self::Inspircd => Some(Peer::Inspircd),
            Self::Mosquitto => Some(Peer::Mosquitto),
            Self::Python => Some(Peer::Threaded),
        }
    }
}

/// What runs. When it is dropped, it is killed.
pub(crate) struct Started {
    subject: Subject,
    protocol: Box<dyn Protocol>,
    process: Process,
    _scratch: Scratch,
}

enum Process {
    Ours(Server),
    Peer(Running),
}

/// Everything happens in one room.
pub(crate) const ROOM: &str = "lobby";

/// News about people must not pile up in the sockets of those who have come, while others come.
const LISTEN_EVERY: usize = 64;

impl Started {
    /// Lets so many people in, as many at the same time as the server can bear.
    /// `join` takes each of them over, and may have had enough.
    ///
    /// # Errors
    /// If one of them is not let in.
    pub(crate) fn let_in(
        &self,
        nick: &str,
        count: usize,
        crowd: &mut Crowd,
        mut join: impl FnMut(&mut Crowd, TcpStream) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let rooms = [ROOM.to_owned()];
        let mut numbers = 0..count;
        while !numbers.is_empty() {
            let mut waiting = Vec::new();
            for number in numbers.by_ref().take(self.subject.waiting_max()) {
                let nick = format!("{nick}{number}");
                let stream = self.protocol.greet(self.address(), &nick, &rooms);
                waiting.push((number, stream.with_context(|| format!("{nick} cannot connect"))?));
            }
            for (number, mut stream) in waiting {
                let joined = self.protocol.join(&mut stream, &rooms);
                joined.with_context(|| format!("{nick}{number} cannot join"))?;
                join(crowd, stream)?;
                if number % LISTEN_EVERY == LISTEN_EVERY - 1 {
                    crowd.hear(Duration::ZERO, |_| {})?;
                }
            }
        }
        Ok(())
    }

    fn address(&self) -> SocketAddr {
        match &self.process {
            Process::Ours(server) if self.subject == Subject::CrosstalkWs => server.address(Door::Ws),
            Process::Ours(server) => server.tcp(),
            Process::Peer(peer) => peer.address(self.subject == Subject::NatsWs),
        }
    }

    /// Waits until everybody has heard of everybody.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn settle(&self, crowd: &mut Crowd) -> anyhow::Result<()> {
        match &self.process {
            Process::Ours(server) => Ok(server.settle(crowd)?),
            Process::Peer(_) => Ok(crowd.settle(QUIET)?),
        }
    }

    /// Processor time used so far.
    ///
    /// # Errors
    /// If it has ended.
    pub(crate) fn cpu_time(&self) -> anyhow::Result<CpuTime> {
        match &self.process {
            Process::Ours(server) => server.cpu_time(),
            Process::Peer(peer) => peer.cpu_time(),
        }
    }

    /// Memory that it has now.
    ///
    /// # Errors
    /// If it has ended.
    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        match &self.process {
            Process::Ours(server) => server.memory(),
            Process::Peer(peer) => peer.memory(),
        }
    }

    /// Ends it, and waits until it is gone.
    ///
    /// # Errors
    /// If it ends badly.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        match self.process {
            Process::Ours(server) => server.stop().await,
            Process::Peer(peer) => peer.stop().await,
        }
    }
}

/// A peer tells at once what it has to tell.
const QUIET: Duration = Duration::from_millis(200);

/// A client of the limit: what it sends is a line as Crosstalk delivers it, and nobody lets it in.
struct Copied;

impl Protocol for Copied {
    fn name(&self) -> &'static str {
        "copied"
    }

    fn greet(&self, address: SocketAddr, _nick: &str, _rooms: &[String]) -> anyhow::Result<TcpStream> {
        connect(address)
    }

    fn join(&self, _stream: &mut TcpStream, _rooms: &[String]) -> anyhow::Result<()> {
        Ok(())
    }

    fn send(&self, room: &str, text: &[u8], out: &mut Vec<u8>) {
        self.delivered(room, text, out);
    }

    fn delivered(&self, room: &str, text: &[u8], out: &mut Vec<u8>) {
        Door::Line.delivered(room, text, out);
    }

    fn echoes(&self) -> bool {
        false
    }
}
