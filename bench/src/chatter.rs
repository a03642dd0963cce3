//! `chatter`: the shape of a real room. Everybody says something now and then, and everybody reads all.

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
pub(crate) struct Chatter {
    #[command(flatten)]
    modes: Modes,

    /// At which doors
    #[arg(long, value_name = "DOOR,…", value_delimiter = ',', default_value = "line,ws")]
    doors: Vec<Door>,

    /// How many members, and how often each says something in a second
    #[arg(long, value_name = "N:RATE,…", value_delimiter = ',', default_value = "500:1,2000:0.5")]
    members: Vec<Members>,

    /// Bytes of a text
    #[arg(long, value_name = "N", default_value_t = 100)]
    bytes: usize,
}

/// So many, each so often.
#[derive(Clone, Copy, Debug)]
struct Members {
    count: usize,
    rate: f64,
}

impl std::str::FromStr for Members {
    type Err = &'static str;

    fn from_str(input: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (count, rate) = input.split_once(':')?;
            Some(Self { count: count.parse().ok()?, rate: rate.parse().ok()? })
        };
        parse().filter(|members| members.rate > 0.0).ok_or("members are a number and a rate, such as 500:1")
    }
}

/// Measures each room with a server of its own.
///
/// # Errors
/// If a server fails, or a member misses something.
pub(crate) async fn run(options: &Options, chatter: &Chatter) -> anyhow::Result<Vec<Row>> {
    ensure!(chatter.bytes >= TEXT_MIN, "a text has {TEXT_MIN} bytes at least");
    let texts = Rc::new(Texts::new(chatter.bytes - TEXT_MIN + 1));
    let mut rows = Vec::new();
    for _ in 0..options.repeat {
        for &door in &chatter.doors {
            for &members in &chatter.members {
                for mode in &chatter.modes.modes {
                    rows.push(measure(options, mode, door, members, &texts).await?);
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
    members: Members,
    texts: &Rc<Texts>,
) -> anyhow::Result<Row> {
    let scratch = Scratch::new(options)?;
    let server = Server::start(options, mode, scratch.path()).await?;
    let mut crowd = Crowd::new()?;
    let Members { count, rate } = members;
    let audience = if door.echoes() { count } else { count - 1 } as u32;
    let mut streams = Vec::new();
    for number in 0..count {
        let member = crowd.add(server.let_in(door, &format!("member{number}"))?, Role::Reader)?;
        streams.push(Stream { member, room: "lobby".to_owned(), audience });
    }
    server.settle(&mut crowd)?;
    let mut traffic = Traffic::new(Box::new(door), false, texts.clone(), Pace::Rate(rate), streams);
    let outcome = traffic.run(&mut crowd, options.seconds, || server.cpu_time())?;
    drop(crowd);
    server.stop().await?;
    Ok(Row::default()
        .with("door", door.name())
        .with("mode", mode.name())
        .with("members", count.to_string())
        .with("each a second", rate.to_string())
        .with("deliveries/s", outcome.heard.delivered as f64 / outcome.seconds)
        .with("server µs CPU/delivery", outcome.cpu_per_delivery())
        .with("server CPUs", outcome.server.total() as f64 / 1e9 / outcome.seconds)
        .with("messages/read", outcome.batch())
        .with("p50 ms", outcome.latency.percentile(0.5))
        .with("p99 ms", outcome.latency.percentile(0.99))
        .with("max ms", outcome.latency.max()))
}
