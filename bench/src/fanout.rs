//! `fanout`: what it costs to bring a message to many readers, at each door, beside what the kernel alone
//! costs: a relay that only copies the same bytes.
//!
//! Either so many messages are in flight, each until every reader has it, or there are so many a
//! second: the first shows what can be done, the second what the same work costs and how long it takes.

use std::rc::Rc;

use anyhow::ensure;
use clap::{Args, ValueEnum};

use crate::crowd::{Crowd, Role};
use crate::door::{Door, Protocol};
use crate::options::{Modes, Options};
use crate::report::Row;
use crate::senders::Texts;
use crate::server::{Mode, Scratch, Server};
use crate::traffic::{Outcome, Pace, Stream, TEXT_MIN, Traffic};

/// Flags of the scenario.
#[derive(Debug, Args)]
pub(crate) struct Fanout {
    #[command(flatten)]
    modes: Modes,

    /// At which door the readers are
    #[arg(long, value_name = "DOOR,…", value_delimiter = ',', default_value = "line,json,ws")]
    doors: Vec<Doors>,

    /// How many read
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "500")]
    readers: Vec<usize>,

    /// How many write, at the same door
    #[arg(long, value_name = "N", default_value_t = 1)]
    publishers: usize,

    /// Messages of each publisher that not everybody has yet: as many as can be
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,64")]
    in_flight: Vec<u32>,

    /// Messages of each publisher a second, however far everybody has got
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "50")]
    rate: Vec<f64>,

    /// Bytes of a text
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "100")]
    bytes: Vec<usize>,
}

/// Where readers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Doors {
    /// All at the same one.
    Line,
    Json,
    Ws,
    /// A third of them at each; who writes speaks JSON.
    Mixed,
}

impl Doors {
    /// That of the reader with this number.
    fn of(self, number: usize) -> Door {
        match self {
            Self::Line => Door::Line,
            Self::Json => Door::Json,
            Self::Ws => Door::Ws,
            Self::Mixed => Door::ALL[number % Door::ALL.len()],
        }
    }

    fn of_publishers(self) -> Door {
        if self == Self::Mixed { Door::Json } else { self.of(0) }
    }

    fn name(self) -> &'static str {
        if self == Self::Mixed { "mixed" } else { self.of(0).name() }
    }
}

/// Measures each kind of server in turns.
///
/// # Errors
/// If a server fails, or a reader misses something.
pub(crate) async fn run(options: &Options, fanout: &Fanout) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    let paces = fanout.in_flight.iter().map(|&count| Pace::InFlight(count));
    let paces: Vec<Pace> = paces.chain(fanout.rate.iter().map(|&rate| Pace::Rate(rate))).collect();
    for &bytes in &fanout.bytes {
        ensure!(bytes >= TEXT_MIN, "a text has {TEXT_MIN} bytes at least");
        let texts = Rc::new(Texts::new(bytes - TEXT_MIN + 1));
        for _ in 0..options.repeat {
            for &doors in &fanout.doors {
                for &readers in &fanout.readers {
                    for &pace in &paces {
                        for mode in &fanout.modes.modes {
                            let place = Place { mode, doors, readers, publishers: fanout.publishers };
                            let outcome = measure(options, place, pace, &texts).await?;
                            rows.push(row(place, pace, bytes, &outcome));
                        }
                    }
                }
            }
        }
    }
    Ok(rows)
}

/// What is measured.
#[derive(Clone, Copy)]
struct Place<'a> {
    mode: &'a Mode,
    doors: Doors,
    readers: usize,
    publishers: usize,
}

async fn measure(
    options: &Options,
    place: Place<'_>,
    pace: Pace,
    texts: &Rc<Texts>,
) -> anyhow::Result<Outcome> {
    let Place { mode, doors, readers, publishers } = place;
    let scratch = Scratch::new(options)?;
    let server = Server::start(options, mode, scratch.path()).await?;
    let mut crowd = Crowd::new()?;
    for number in 0..readers {
        crowd.add(server.let_in(doors.of(number), &format!("reader{number}"))?, Role::Reader)?;
    }
    let mut streams = Vec::new();
    for number in 0..publishers {
        let stream = server.let_in(doors.of_publishers(), &format!("sender{number}"))?;
        let member = crowd.add(stream, Role::Bystander)?;
        streams.push(Stream { member, room: "lobby".to_owned(), audience: readers as u32 });
    }
    server.settle(&mut crowd)?;
    let protocol = Box::new(doors.of_publishers());
    let mut traffic = Traffic::new(protocol, *mode == Mode::Limit, texts.clone(), pace, streams);
    let outcome = traffic.run(&mut crowd, options.seconds, || server.cpu_time())?;
    drop(crowd);
    server.stop().await?;
    Ok(outcome)
}

fn row(place: Place<'_>, pace: Pace, bytes: usize, outcome: &Outcome) -> Row {
    let delivered = outcome.heard.delivered as f64;
    let store = outcome.server.thread("store-writer") + outcome.server.thread("store-log");
    Row::default()
        .with("door", place.doors.name())
        .with("mode", place.mode.name())
        .with("readers", place.readers.to_string())
        .with("bytes", bytes.to_string())
        .with("sent", pace.name())
        .with("deliveries/s", delivered / outcome.seconds)
        .with("server µs CPU/delivery", outcome.cpu_per_delivery())
        .with("of it in user mode", outcome.server.user as f64 / 1e3 / delivered)
        .with("of it store threads", store as f64 / 1e3 / delivered)
        .with("own µs CPU/delivery", outcome.own as f64 / 1e3 / delivered)
        .with("messages/read", outcome.batch())
        .with("p50 ms", outcome.latency.percentile(0.5))
        .with("p99 ms", outcome.latency.percentile(0.99))
        .with("max ms", outcome.latency.max())
}
