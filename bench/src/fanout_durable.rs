//! `fanout-durable`: what it costs to deliver a message to many readers if it has to be stored first,
//! against a server that stores nothing, in one run.
//!
//! A message is in flight until every reader has it, so that nobody falls behind, whatever the rate.

use std::rc::Rc;
use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use tokio::sync::Notify;

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

    /// Messages that not everybody has yet
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,64")]
    in_flight: Vec<u64>,

    /// Bytes of a text
    #[arg(long, value_name = "N", default_value_t = 100)]
    bytes: usize,
}

/// Measures each mode in turns.
///
/// # Errors
/// If a server fails, or a reader misses something.
pub(crate) async fn run(options: &Options, fanout: &FanoutDurable) -> anyhow::Result<Vec<Row>> {
    let texts = Rc::new(Texts::new(fanout.bytes));
    let mut rows = Vec::new();
    for _ in 0..options.repeat {
        for &in_flight in &fanout.in_flight {
            for mode in &fanout.modes.modes {
                rows.push(measure(options, fanout, mode, in_flight, &texts).await?);
            }
        }
    }
    Ok(rows)
}

async fn measure(
    options: &Options,
    fanout: &FanoutDurable,
    mode: &Mode,
    in_flight: u64,
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
        tokio::task::spawn_local(publish(publisher, shared.clone(), progress, in_flight, readers_count));
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
        .with("in flight", in_flight.to_string())
        .with("deliveries/s", deliveries / measured.seconds)
        .with("messages/s", messages / measured.seconds)
        .with("server µs CPU/delivery", measured.cpu.total() as f64 / 1e3 / deliveries)
        .with("of it store threads", {
            let store = measured.cpu.thread("store-writer") + measured.cpu.thread("store-log");
            store as f64 / 1e3 / deliveries
        })
        .with("server CPUs", measured.cpu.total() as f64 / 1e9 / measured.seconds))
}

/// Sends whenever everybody has got far enough. What the publisher itself gets is read between.
async fn publish(
    mut connection: Connection,
    shared: Rc<Shared>,
    progress: Rc<Notify>,
    in_flight: u64,
    readers: u64,
) -> anyhow::Result<()> {
    let mut sent = 0;
    let mut out = Vec::new();
    loop {
        let everywhere = shared.delivered.get() / readers;
        let ending = shared.phase.get() == Phase::Ending;
        if ending && everywhere == sent {
            return Ok(());
        }
        while !ending && sent < everywhere + in_flight {
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
            () = progress.notified() => {}
            read = connection.read(&mut take) => read?,
        }
        if let Some(trouble) = trouble {
            anyhow::bail!("the publisher was told: {trouble}");
        }
    }
}
