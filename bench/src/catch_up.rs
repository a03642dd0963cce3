//! `catch-up`: how fast somebody who was away for long gets what they have missed, and what that costs
//! those who have been there all the time.
//!
//! A lone sender and a lone reader talk in the room while others come back to it, again and again, and
//! while nobody does, in turns, with one server.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde_json::json;

use crate::clock::now;
use crate::connection::Connection;
use crate::fill;
use crate::frames;
use crate::histogram::Histogram;
use crate::options::Options;
use crate::report::Row;
use crate::server::{Mode, Scratch, Server};

/// Flags of the scenario.
#[derive(Debug, Args)]
pub(crate) struct CatchUp {
    /// How many messages they have missed
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    behind: u64,

    /// How many come back at once
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "0,1,4")]
    clients: Vec<usize>,

    /// Between two messages of the lone sender, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 5)]
    pause: u64,
}

/// What the two who talk see.
#[derive(Debug, Default)]
struct Talk {
    /// When each message was sent.
    sent: RefCell<Vec<u64>>,
    acks: RefCell<Histogram>,
    deliveries: RefCell<Histogram>,
}

/// Measures with each number of those who come back, in turns.
///
/// # Errors
/// If the server fails, or somebody misses something.
pub(crate) async fn run(options: &Options, catch_up: &CatchUp) -> anyhow::Result<Vec<Row>> {
    let scratch = Scratch::new(options)?;
    // The lobby has seven messages of ten.
    fill::into(scratch.path(), catch_up.behind * 2, false).await?;
    let server = Server::start(options, &Mode::Durable("full".to_owned()), scratch.path()).await?;
    let talk = Rc::new(Talk::default());
    let (reader, welcome) = Connection::open(server.tcp(), "reader", json!({})).await?;
    let epoch = welcome["rooms"][0]["epoch"].as_u64().context("the lobby has an epoch")?;
    let last = welcome["rooms"][0]["seq"].as_u64().context("the lobby has messages")?;
    ensure!(last > catch_up.behind, "the lobby has {last} messages");
    let reading = tokio::task::spawn_local(read(reader, talk.clone()));
    let (sender, _) = Connection::open(server.tcp(), "sender", json!({})).await?;
    let sending = tokio::task::spawn_local(send(sender, talk.clone(), catch_up.pause));

    let mut rows = Vec::new();
    for _ in 0..options.repeat {
        for &clients in &catch_up.clients {
            ensure!(!reading.is_finished() && !sending.is_finished(), "those who talk have trouble");
            tokio::time::sleep(Duration::from_millis(300)).await;
            *talk.acks.borrow_mut() = Histogram::default();
            *talk.deliveries.borrow_mut() = Histogram::default();
            let ending = Rc::new(Cell::new(false));
            let (cpu, begun) = (server.cpu_time()?, now());
            let position = json!({ "epoch": epoch, "seq": last - catch_up.behind });
            let hello = json!({ "rooms": [{ "room": "lobby", "position": position }] });
            let returning: Vec<_> = (0..clients)
                .map(|number| {
                    let nick = format!("returning{number}");
                    let comes_back =
                        come_back(server.tcp(), nick, hello.clone(), catch_up.behind, ending.clone());
                    tokio::task::spawn_local(comes_back)
                })
                .collect();
            tokio::time::sleep(Duration::from_secs_f64(options.seconds)).await;
            ending.set(true);
            let (mut got, mut times) = (0, Vec::new());
            for client in returning {
                let (messages, seconds) = client.await??;
                got += messages;
                times.push(seconds / (messages as f64 / catch_up.behind as f64));
            }
            let seconds = (now() - begun) as f64 / 1e9;
            let cpu = server.cpu_time()?.since(&cpu).total();
            let (acks, deliveries) = (talk.acks.borrow(), talk.deliveries.borrow());
            let mut row = Row::default()
                .with("coming back", clients.to_string())
                .with("messages/s", got as f64 / seconds)
                .with("seconds for all", times.iter().sum::<f64>() / times.len().max(1) as f64);
            row = row.with("server CPUs", cpu as f64 / 1e9 / seconds);
            row = row.with("µs CPU/message", if got > 0 { cpu as f64 / 1e3 / got as f64 } else { 0.0 });
            rows.push(
                row.with("sender's ack p50 ms", acks.percentile(0.5))
                    .with("p99 ms", acks.percentile(0.99))
                    .with("ack max ms", acks.max())
                    .with("reader's delivery p50 ms", deliveries.percentile(0.5))
                    .with("delivery p99 ms", deliveries.percentile(0.99))
                    .with("delivery max ms", deliveries.max()),
            );
        }
    }
    sending.abort();
    reading.abort();
    let _ = (sending.await, reading.await);
    server.stop().await?;
    Ok(rows)
}

/// Says something now and then, and notes how long the ack takes.
async fn send(mut connection: Connection, talk: Rc<Talk>, pause: u64) -> anyhow::Result<()> {
    let mut out = Vec::new();
    for message in 0.. {
        frames::send("lobby", message, "a lone message, of about as many bytes as people write", &mut out);
        let since = now();
        talk.sent.borrow_mut().push(since);
        connection.send(&out).await?;
        out.clear();
        let mut acked = false;
        while !acked {
            let mut take = |line: &[u8]| acked |= frames::ack(line).is_some_and(|ack| ack.id == message);
            connection.read(&mut take).await?;
        }
        talk.acks.borrow_mut().record(now() - since);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    Ok(())
}

/// Notes how long after it was sent each message of the lone sender arrives.
async fn read(mut connection: Connection, talk: Rc<Talk>) -> anyhow::Result<()> {
    let mut count = 0;
    loop {
        let mut take = |line: &[u8]| {
            if frames::is_message(line) {
                talk.deliveries.borrow_mut().record(now() - talk.sent.borrow()[count]);
                count += 1;
            }
        };
        connection.read(&mut take).await?;
    }
}

/// Comes back again and again. Returns how many missed messages came, and in how many seconds.
async fn come_back(
    address: std::net::SocketAddr,
    nick: String,
    hello: serde_json::Value,
    behind: u64,
    ending: Rc<Cell<bool>>,
) -> anyhow::Result<(u64, f64)> {
    let (mut messages, mut seconds, mut times) = (0, 0.0, 0);
    let first = hello["rooms"][0]["position"]["seq"].as_u64().context("there is a position")? + 1;
    while !ending.get() || messages == 0 {
        let since = now();
        let mut missed = Missed { next: first, until: first + behind, trouble: None };
        // The last one may not be gone yet.
        times += 1;
        let mut connection = Connection::greet(address, &format!("{nick}-{times}"), hello.clone()).await?;
        while missed.next < missed.until {
            connection.read(&mut |line| missed.take(line)).await?;
            if let Some(trouble) = missed.trouble {
                bail!("{nick} was told: {trouble}");
            }
        }
        messages += behind;
        seconds += (now() - since) as f64 / 1e9;
    }
    Ok((messages, seconds))
}

/// What somebody who has come back still waits for.
struct Missed {
    next: u64,
    until: u64,
    trouble: Option<String>,
}

impl Missed {
    fn take(&mut self, line: &[u8]) {
        let in_order = !frames::is_message(line) || frames::seq(line) == Some(self.next);
        if frames::is_trouble(line) || frames::is_gap(line) || !in_order {
            self.trouble = Some(String::from_utf8_lossy(line).into_owned());
        } else if frames::is_message(line) {
            self.next += 1;
        }
    }
}
