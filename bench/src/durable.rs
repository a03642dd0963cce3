//! `durable`: how many messages a second are acknowledged, how long an ack takes, and what a message
//! costs the server, with everything it may keep and nothing. At the end the log has to hold exactly
//! what was acknowledged.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use crosstalk_protocol::HistoryRange;
use crosstalk_server::store::{RoomKey, Sqlite, SqliteOptions, Store};
use tokio::sync::Notify;

use crate::histogram::Histogram;
use crate::options::{Modes, Options};
use crate::readers::Readers;
use crate::report::Row;
use crate::senders::{self, Sent, Shared, Texts};
use crate::server::{Mode, Scratch, Server};

/// Flags of the scenario.
#[derive(Debug, Args)]
pub(crate) struct Durable {
    #[command(flatten)]
    modes: Modes,

    /// How many send
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,10,100,500")]
    senders: Vec<usize>,

    /// Messages of each that wait for their ack
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,64")]
    in_flight: Vec<usize>,

    /// Where they send
    #[arg(long, value_name = "WHERE,…", value_delimiter = ',', default_value = "apart")]
    talk: Vec<Talk>,

    /// How many only read, where all are together
    #[arg(long, value_name = "N", default_value_t = 0)]
    readers: usize,

    /// Bytes of a text
    #[arg(long, value_name = "N", default_value_t = 100)]
    bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Talk {
    /// Each has a room of their own: nobody reads anything but themselves.
    Apart,
    /// All are in one room, and read what all others say.
    Together,
}

#[derive(Clone, Copy, Debug)]
struct Kind<'a> {
    mode: &'a Mode,
    senders: usize,
    in_flight: usize,
    talk: Talk,
}

/// Measures each kind in turns.
///
/// # Errors
/// If a server fails, or its log does not hold what was acknowledged.
pub(crate) async fn run(options: &Options, durable: &Durable) -> anyhow::Result<Vec<Row>> {
    let texts = Rc::new(Texts::new(durable.bytes));
    let mut rows = Vec::new();
    for _ in 0..options.repeat {
        for &talk in &durable.talk {
            for &in_flight in &durable.in_flight {
                for &senders in &durable.senders {
                    for mode in &durable.modes.modes {
                        let kind = Kind { mode, senders, in_flight, talk };
                        rows.push(
                            measure(options, durable, kind, &texts)
                                .await
                                .with_context(|| format!("{kind:?}"))?,
                        );
                    }
                }
            }
        }
    }
    Ok(rows)
}

async fn measure(
    options: &Options,
    durable: &Durable,
    kind: Kind<'_>,
    texts: &Rc<Texts>,
) -> anyhow::Result<Row> {
    let scratch = Scratch::new(options)?;
    let server = Server::start(options, kind.mode, scratch.path()).await?;
    let shared = Shared::new(texts.clone());
    let readers = if kind.talk == Talk::Together { durable.readers } else { 0 };
    let mut reading = Readers::enter(server.tcp(), readers, &shared, &Rc::new(Notify::new())).await?;
    let mut connections = Vec::new();
    for number in 0..kind.senders {
        let room = match kind.talk {
            Talk::Apart => format!("room{number}"),
            Talk::Together => "lobby".to_owned(),
        };
        let connection = senders::enter(server.tcp(), &format!("sender{number}"), &room).await?;
        connections.push((connection, room));
    }
    // Who has come is announced in the meantime.
    tokio::time::sleep(Duration::from_millis(700)).await;
    let sending: Vec<_> = connections
        .into_iter()
        .map(|(connection, room)| senders::start(shared.clone(), connection, room, kind.in_flight))
        .collect();
    let measured = senders::measure(&shared, &server, options.seconds).await?;
    let mut sent = Vec::new();
    for sender in sending {
        sent.push(sender.await??);
    }
    ensure!(!reading.has_trouble(), "a reader has missed something");
    drop(reading);
    server.stop().await?;
    let acked = by_place(&sent)?;
    if *kind.mode != Mode::Ephemeral {
        ensure!(shared.gaps.get() == 0, "messages that are stored were lost to somebody");
        check_log(scratch.path(), &acked, texts).await?;
    }

    let mut latency = Histogram::default();
    sent.iter().for_each(|sent| latency.merge(&sent.latency));
    let messages = measured.acked.max(1) as f64;
    let microseconds = |time: u64| time as f64 / 1e3 / messages;
    Ok(Row::default()
        .with("mode", kind.mode.name())
        .with("senders", kind.senders.to_string())
        .with("in flight", kind.in_flight.to_string())
        .with("rooms", if kind.talk == Talk::Apart { "one each" } else { "one" })
        .with("readers", readers.to_string())
        .with("acked/s", messages / measured.seconds)
        .with("p50 ms", latency.percentile(0.5))
        .with("p99 ms", latency.percentile(0.99))
        .with("max ms", latency.max())
        .with("deliveries/s", measured.delivered as f64 / measured.seconds)
        .with("gaps", shared.gaps.get() as f64)
        .with("server µs CPU/message", microseconds(measured.cpu.total()))
        .with("of it store-writer", microseconds(measured.cpu.thread("store-writer")))
        .with("store-log", microseconds(measured.cpu.thread("store-log")))
        .with("server CPUs", measured.cpu.total() as f64 / 1e9 / measured.seconds))
}

/// Room by room, which message has which number.
type Places = HashMap<String, HashMap<u64, u64>>;

/// Sorts the acks, and sees that no place was given twice and none left out.
fn by_place(sent: &[Sent]) -> anyhow::Result<Places> {
    let mut places = Places::new();
    for Sent { room, acks, .. } in sent {
        let room_places = places.entry(room.clone()).or_default();
        for ack in acks {
            ensure!(room_places.insert(ack.seq, ack.id).is_none(), "{} of {room} was given twice", ack.seq);
        }
    }
    for (room, places) in &places {
        let last = places.keys().copied().max().unwrap_or(0);
        ensure!(last == places.len() as u64, "{} acks of {room} go up to {last}", places.len());
    }
    Ok(places)
}

/// Sees that the log of a server that has ended holds what was acknowledged, and nothing else.
async fn check_log(data: &Path, acked: &Places, texts: &Texts) -> anyhow::Result<()> {
    let store = Sqlite::open(data, SqliteOptions::default())?;
    for room in store.rooms().await? {
        let none = HashMap::new();
        let acked = acked.get(room.name.as_str()).unwrap_or(&none);
        let key = RoomKey { id: room.id, name: room.name };
        let (mut after, mut count) = (0, 0);
        loop {
            let messages = store.messages(&key, HistoryRange::After(after), PAGE).await?;
            let Some(last) = messages.last() else { break };
            after = last.seq;
            count += messages.len();
            for message in &messages {
                let id =
                    acked.get(&message.seq).with_context(|| format!("{message:?} was not acknowledged"))?;
                ensure!(message.text.as_str() == texts.of(*id), "{message:?} is not what was sent");
            }
        }
        ensure!(count == acked.len(), "{} of {} messages are in {}", count, acked.len(), key.name.as_str());
    }
    Ok(())
}

/// Messages that are read at once.
const PAGE: usize = 5_000;
