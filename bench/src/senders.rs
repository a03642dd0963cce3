//! Clients that send as fast as they are acknowledged, each with so many messages on their way at
//! once, and remember every ack.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::bail;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::clock::now;
use crate::connection::Connection;
use crate::frames::{self, Ack};
use crate::histogram::Histogram;
use crate::process::CpuTime;
use crate::random::Random;
use crate::server::Server;
use crate::words::Words;

/// Different texts that are sent, in turns.
const TEXTS: usize = 8_192;

/// What is sent: the same under the same number in every run.
#[derive(Debug)]
pub(crate) struct Texts(Vec<String>);

impl Texts {
    /// Texts of so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        let (words, mut random) = (Words::default(), Random::new(1));
        Self((0..TEXTS).map(|_| words.text(bytes, &mut random)).collect())
    }

    /// What the message with that number says.
    pub(crate) fn of(&self, message: u64) -> &str {
        &self.0[message as usize % TEXTS]
    }
}

/// What is going on in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It has begun, and does not count yet.
    WarmUp,
    /// It counts.
    Measured,
    /// Nothing more is sent.
    Ending,
}

/// What all clients of a run share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// What is going on.
    pub(crate) phase: Cell<Phase>,
    /// Messages of other people and one's own that have arrived, with everybody together.
    pub(crate) delivered: Cell<u64>,
    /// How often somebody was told that messages are lost to them.
    pub(crate) gaps: Cell<u64>,
    acked: Cell<u64>,
    next: Cell<u64>,
    texts: Rc<Texts>,
}

impl Shared {
    /// For a new run.
    pub(crate) fn new(texts: Rc<Texts>) -> Rc<Self> {
        Rc::new(Self {
            phase: Cell::new(Phase::WarmUp),
            delivered: Cell::new(0),
            gaps: Cell::new(0),
            acked: Cell::new(0),
            next: Cell::new(0),
            texts,
        })
    }

    /// Counts messages that have arrived.
    pub(crate) fn deliver(&self, count: u64) {
        self.delivered.set(self.delivered.get() + count);
    }

    /// Takes the number of a message that is to be sent, and writes it into `out`.
    pub(crate) fn write_next(&self, room: &str, out: &mut Vec<u8>) -> u64 {
        let message = self.next.replace(self.next.get() + 1);
        frames::send(room, message, self.texts.of(message), out);
        message
    }
}

/// What one sender has been told.
#[derive(Debug)]
pub(crate) struct Sent {
    /// Where it sent.
    pub(crate) room: String,
    /// Every ack.
    pub(crate) acks: Vec<Ack>,
    /// How long those of the measured time took.
    pub(crate) latency: Histogram,
}

/// How much happened while it was measured.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// How long it was, in seconds.
    pub(crate) seconds: f64,
    /// Messages acknowledged.
    pub(crate) acked: u64,
    /// Messages that arrived, with everybody together.
    pub(crate) delivered: u64,
    /// What the server used.
    pub(crate) cpu: CpuTime,
}

/// Lets a run warm up, measures it and has it end.
///
/// # Errors
/// If the server is gone.
pub(crate) async fn measure(shared: &Shared, server: &Server, seconds: f64) -> anyhow::Result<Measured> {
    tokio::time::sleep(Duration::from_secs_f64(seconds.min(1.0) / 2.0)).await;
    shared.phase.set(Phase::Measured);
    let (cpu, begun, acked, delivered) =
        (server.cpu_time()?, now(), shared.acked.get(), shared.delivered.get());
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    let measured = Measured {
        seconds: (now() - begun) as f64 / 1e9,
        acked: shared.acked.get() - acked,
        delivered: shared.delivered.get() - delivered,
        cpu: server.cpu_time()?.since(&cpu),
    };
    shared.phase.set(Phase::Ending);
    Ok(measured)
}

/// Enters a room, which is made if need be, and sends into it until the run ends and all is
/// acknowledged.
///
/// # Errors
/// If the server refuses something, or acknowledges what was not sent.
pub(crate) async fn enter(address: SocketAddr, nick: &str, room: &str) -> anyhow::Result<Connection> {
    if room == "lobby" {
        return Ok(Connection::open(address, nick, json!({})).await?.0);
    }
    let (mut connection, _) = Connection::open(address, nick, json!({ "rooms": [] })).await?;
    connection.request(&json!({ "type": "create", "room": room, "id": "create" }), "joined").await?;
    Ok(connection)
}

/// Starts to send, `in_flight` at once.
pub(crate) fn start(
    shared: Rc<Shared>,
    connection: Connection,
    room: String,
    in_flight: usize,
) -> JoinHandle<anyhow::Result<Sent>> {
    tokio::task::spawn_local(run(shared, connection, room, in_flight))
}

async fn run(
    shared: Rc<Shared>,
    mut connection: Connection,
    room: String,
    in_flight: usize,
) -> anyhow::Result<Sent> {
    let mut sent = Sent { room, acks: Vec::new(), latency: Histogram::default() };
    // Numbers and times of those on their way: few, and mostly answered in order.
    let mut pending: Vec<(u64, u64)> = Vec::with_capacity(in_flight);
    let mut out = Vec::new();
    loop {
        if shared.phase.get() != Phase::Ending {
            while pending.len() < in_flight {
                pending.push((shared.write_next(&sent.room, &mut out), now()));
            }
        } else if pending.is_empty() {
            return Ok(sent);
        }
        connection.send(&out).await?;
        out.clear();
        let (mut delivered, mut acked) = (0, 0);
        let mut trouble = None;
        let measured = shared.phase.get() == Phase::Measured;
        let mut take = |line: &[u8]| {
            if frames::is_message(line) {
                delivered += 1;
            } else if let Some(ack) = frames::ack(line) {
                match pending.iter().position(|(id, _)| *id == ack.id) {
                    Some(at) => {
                        let (_, since) = pending.remove(at);
                        if measured {
                            sent.latency.record(now() - since);
                        }
                        sent.acks.push(ack);
                        acked += 1;
                    }
                    None => trouble = Some(format!("{ack:?} was not waited for")),
                }
            } else if frames::is_gap(line) {
                shared.gaps.set(shared.gaps.get() + 1);
            } else if frames::is_trouble(line) {
                trouble = Some(String::from_utf8_lossy(line).into_owned());
            }
        };
        connection.read(&mut take).await?;
        if let Some(trouble) = trouble {
            bail!("a sender was told: {trouble}");
        }
        shared.deliver(delivered);
        shared.acked.set(shared.acked.get() + acked);
    }
}
