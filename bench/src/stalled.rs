//! `stalled`: a part of the readers stops reading. What do the others notice, and what does it cost the
//! server? Beside it, in turns, the others alone, and as many who all read.

use std::rc::Rc;

use anyhow::ensure;
use clap::Args;

use crate::crowd::{Crowd, Role};
use crate::door::{Door, Protocol};
use crate::options::{Modes, Options};
use crate::report::Row;
use crate::senders::Texts;
use crate::server::{Mode, Scratch, Server};
use crate::traffic::{Pace, Stream, TEXT_MIN, Traffic};

/// Flags of the scenario.
#[derive(Debug, Args)]
pub(crate) struct Stalled {
    #[command(flatten)]
    modes: Modes,

    /// At which doors
    #[arg(long, value_name = "DOOR,…", value_delimiter = ',', default_value = "line,ws")]
    doors: Vec<Door>,

    /// How many read, and how many do not
    #[arg(long, value_name = "N:N,…", value_delimiter = ',', default_value = "400:0,500:0,400:100")]
    readers: Vec<Readers>,

    /// Messages a second
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "200")]
    rate: Vec<f64>,

    /// Bytes of a text
    #[arg(long, value_name = "N", default_value_t = 1000)]
    bytes: usize,
}

/// So many read, and so many do not.
#[derive(Clone, Copy, Debug)]
struct Readers {
    awake: usize,
    stalled: usize,
}

impl std::str::FromStr for Readers {
    type Err = &'static str;

    fn from_str(input: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (awake, stalled) = input.split_once(':')?;
            Some(Self { awake: awake.parse().ok()?, stalled: stalled.parse().ok()? })
        };
        parse().ok_or("readers are two numbers, such as 400:100")
    }
}

/// How long is talked before it counts: until the sockets of those who read nothing are full.
const FILL_SECONDS: f64 = 3.0;

/// Measures each kind in turns.
///
/// # Errors
/// If a server fails, or a reader misses something.
pub(crate) async fn run(options: &Options, stalled: &Stalled) -> anyhow::Result<Vec<Row>> {
    ensure!(stalled.bytes >= TEXT_MIN, "a text has {TEXT_MIN} bytes at least");
    let texts = Rc::new(Texts::new(stalled.bytes - TEXT_MIN + 1));
    let mut rows = Vec::new();
    for _ in 0..options.repeat {
        for mode in &stalled.modes.modes {
            for &door in &stalled.doors {
                for &rate in &stalled.rate {
                    for &readers in &stalled.readers {
                        rows.push(measure(options, mode, door, rate, readers, &texts).await?);
                    }
                }
            }
        }
    }
    Ok(rows)
}

async fn measure(
    options: &Options,
    mode: &Mode,
    door: Door,
    rate: f64,
    Readers { awake, stalled }: Readers,
    texts: &Rc<Texts>,
) -> anyhow::Result<Row> {
    let scratch = Scratch::new(options)?;
    let server = Server::start(options, mode, scratch.path()).await?;
    let mut crowd = Crowd::new()?;
    for number in 0..awake {
        crowd.add(server.let_in(door, &format!("reader{number}"))?, Role::Reader)?;
    }
    for number in 0..stalled {
        crowd.add(server.let_in(door, &format!("sleeper{number}"))?, Role::Stalled)?;
    }
    let member = crowd.add(server.let_in(door, "sender")?, Role::Bystander)?;
    server.settle(&mut crowd)?;
    let before = server.memory()?;
    let streams = vec![Stream { member, room: "lobby".to_owned(), audience: awake as u32 }];
    let mut traffic = Traffic::new(Box::new(door), false, texts.clone(), Pace::Rate(rate), streams);
    traffic.run(&mut crowd, FILL_SECONDS, || server.cpu_time())?;
    let outcome = traffic.run(&mut crowd, options.seconds, || server.cpu_time())?;
    let after = server.memory()?;
    drop(crowd);
    server.stop().await?;
    Ok(Row::default()
        .with("door", door.name())
        .with("mode", mode.name())
        .with("messages/s", rate.to_string())
        .with("stalled", format!("{stalled} of {}", awake + stalled))
        .with("p50 ms", outcome.latency.percentile(0.5))
        .with("p99 ms", outcome.latency.percentile(0.99))
        .with("max ms", outcome.latency.max())
        .with("server µs CPU/delivery", outcome.cpu_per_delivery())
        .with("server grew by MiB", (after.anonymous as f64 - before.anonymous as f64) / 1024.0))
}
