//! `fanout-durable`: what it costs to deliver a message to many readers if it has to be stored first,
//! against a server that stores nothing, in one run.
//!
//! Either so many messages are in flight, each until every reader has it, or there are so many a
//! second: the first shows what can be done, the second what the same work costs.

use std::rc::Rc;
use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use tokio::sync::Notify;

use crate::clock::now;
use crate::connection::Connection;
use crate::frames;
use crate::options::{Modes, Options};
use crate::readers::Readers;
use crate::report::Row;
use crate::senders::{self, Phase, Shared, Texts};
use crate::server::{Mode, Scratch, Server};

/// Flags of the scenario.
#[derive(Debug, Args)]
pub(crate) struct FanoutDurable {
    #[command(flatten)]
    modes: Modes,

    /// How many read
    #[arg(long, value_name = "N", default_value_t = 500)]
    readers: usize,

    /// Messages that not everybody has yet: as many as can be
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,64")]
    in_flight: Vec<u64>,

    /// Messages a second, however far everybody has got
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "50,500,2000")]
    rate: Vec<u64>,

    /// Bytes of a text
    #[arg(long, value_name = "N", default_value_t = 100)]
    bytes: usize,
}

/// How much is sent.
#[derive(Clone, Copy, Debug)]
enum Pace {
    /// So many messages are on their way to somebody.
    InFlight(u64),
    /// So many a second.
    Rate(u64),
}

/// Measures each mode in turns.
///
/// # Errors
/// If a server fails, or a reader misses something.
pub(crate) async fn run(options: &Options, fanout: &FanoutDurable) -> anyhow::Result<Vec<Row>> {
    let texts = Rc::new(Texts::new(fanout.bytes));
    let mut rows = Vec::new();
    for _ in 0..options.repeat {
        let in_flight = fanout.in_flight.iter().map(|&count| Pace::InFlight(count));
        let rate = fanout.rate.iter().map(|&count| Pace::Rate(count));
        for pace in in_flight.chain(rate) {
            for mode in &fanout.modes.modes {
                rows.push(measure(options, fanout, mode, pace, &texts).await?);
            }
        }
    }
    Ok(rows)
}

async fn measure(
    options: &Options,
    fanout: &FanoutDurable,
    mode: &Mode,
    pace: Pace,
    texts: &Rc<Texts>,
) -> anyhow::Result<Row> {
    let scratch = Scratch::new(options)?;
    let server = Server::start(options, mode, scratch.path()).await?;
    let shared = Shared::new(texts.clone());
    let progress = Rc::new(Notify::new());
    let mut readers = Readers::enter(server.tcp(), fanout.readers, &shared, &progress).await?;
    let publisher = senders::enter(server.tcp(), "publisher", "lobby").await?;
    tokio::time::sleep(Duration::from_millis(700)).await;
    let readers_count = fanout.readers as u64;
    let publishing =
        tokio::task::spawn_local(publish(publisher, shared.clone(), progress, pace, readers_count));
    let measured = senders::measure(&shared, &server, options.seconds).await?;
    publishing.await??;
    ensure!(!readers.has_trouble(), "a reader has missed something");
    drop(readers);
    server.stop().await?;

    let deliveries = measured.delivered.max(1) as f64;
    let messages = deliveries / readers_count as f64;
    Ok(Row::default()
        .with("mode", mode.name())
        .with("readers", readers_count.to_string())
        .with(
            "sent",
            match pace {
                Pace::InFlight(count) => format!("{count} in flight"),
                Pace::Rate(count) => format!("{count} a second"),
            },
        )
        .with("deliveries/s", deliveries / measured.seconds)
        .with("messages/s", messages / measured.seconds)
        .with("server µs CPU/delivery", measured.cpu.total() as f64 / 1e3 / deliveries)
        .with("of it store threads", {
            let store = measured.cpu.thread("store-writer") + measured.cpu.thread("store-log");
            store as f64 / 1e3 / deliveries
        })
        .with("server CPUs", measured.cpu.total() as f64 / 1e9 / measured.seconds))
}

/// Sends as `pace` says. What the publisher itself gets is read between.
async fn publish(
    mut connection: Connection,
    shared: Rc<Shared>,
    progress: Rc<Notify>,
    pace: Pace,
    readers: u64,
) -> anyhow::Result<()> {
    let (begun, mut sent) = (now(), 0);
    let mut out = Vec::new();
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    loop {
        let everywhere = shared.delivered.get() / readers;
        let ending = shared.phase.get() == Phase::Ending;
        if ending && everywhere == sent {
            return Ok(());
        }
        let wanted = match pace {
            _ if ending => sent,
            Pace::InFlight(count) => everywhere + count,
            Pace::Rate(count) => (now() - begun) * count / 1_000_000_000,
        };
        while sent < wanted {
            shared.write_next("lobby", &mut out);
            sent += 1;
        }
        connection.send(&out).await?;
        out.clear();
        let mut trouble = None;
        let mut take = |line: &[u8]| {
            if frames::is_trouble(line) {
                trouble = Some(String::from_utf8_lossy(line).into_owned());
            }
        };
        tokio::select! {
            () = progress.notified(), if matches!(pace, Pace::InFlight(_)) || ending => {}
            _ = tick.tick(), if matches!(pace, Pace::Rate(_)) => {}
            read = connection.read(&mut take) => read?,
        }
        if let Some(trouble) = trouble {
            anyhow::bail!("the publisher was told: {trouble}");
        }
    }
}
