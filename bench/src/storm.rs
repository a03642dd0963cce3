//! `storm`: very many people join one room at once, and leave it at once. It is over when each of them
//! knows how many there are.

use std::net::TcpStream;
use std::time::Duration;

use anyhow::{bail, ensure};
use clap::Args;

use crate::clock::now;
use crate::crowd::{Crowd, Role};
use crate::door::{Door, Protocol};
use crate::options::Options;
use crate::report::Row;
use crate::server::{Mode, Scratch, Server};

/// Flags of the scenario.
#[derive(Debug, Args)]
pub(crate) struct Storm {
    /// At which doors; on lines the numbers of people are words, and nobody waits for them
    #[arg(long, value_name = "DOOR,…", value_delimiter = ',', default_value = "json,ws")]
    doors: Vec<Door>,

    /// How many people
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1000,5000")]
    people: Vec<usize>,
}

/// Measures a server of its own for each door and number.
///
/// # Errors
/// If a server fails, or somebody never learns how many there are.
pub(crate) async fn run(options: &Options, storm: &Storm) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for _ in 0..options.repeat {
        for &door in &storm.doors {
            ensure!(door != Door::Line, "on lines nobody is told a number that a program could wait for");
            for &people in &storm.people {
                rows.push(measure(options, door, people).await?);
            }
        }
    }
    Ok(rows)
}

async fn measure(options: &Options, door: Door, people: usize) -> anyhow::Result<Row> {
    let scratch = Scratch::new(options)?;
    let server = Server::start(options, &Mode::Ephemeral, scratch.path()).await?;
    let mut crowd = Crowd::new()?;
    let witness = crowd.add(server.let_in(door, "witness")?, Role::Counter)?;
    server.settle(&mut crowd)?;
    let (cpu, begun) = (server.cpu_time()?, now());
    let mut connecting: Vec<TcpStream> = Vec::with_capacity(people);
    for number in 0..people {
        connecting.push(door.greet(
            server.address(door),
            &format!("guest{number}"),
            &["lobby".to_owned()],
        )?);
    }
    let mut members = vec![witness];
    for stream in connecting {
        members.push(crowd.add(stream, Role::Counter)?);
    }
    let there = people as u64 + 1;
    wait_until(&mut crowd, |crowd| members.iter().all(|member| crowd.knows(*member) == there))?;
    let (joined_after, joined_cpu) = (now() - begun, server.cpu_time()?.since(&cpu));
    let bytes = crowd.tally.bytes;

    let (cpu, begun) = (server.cpu_time()?, now());
    crowd.keep_only(witness)?;
    wait_until(&mut crowd, |crowd| crowd.knows(witness) == 1)?;
    let (left_after, left_cpu) = (now() - begun, server.cpu_time()?.since(&cpu));
    drop(crowd);
    server.stop().await?;
    Ok(Row::default()
        .with("door", door.name())
        .with("people", people.to_string())
        .with("all there after s", joined_after as f64 / 1e9)
        .with("server CPU s", joined_cpu.total() as f64 / 1e9)
        .with("KiB to each", bytes as f64 / 1024.0 / people as f64)
        .with("all gone after s", left_after as f64 / 1e9)
        .with("server CPU s for that", left_cpu.total() as f64 / 1e9))
}

fn wait_until(crowd: &mut Crowd, reached: impl Fn(&Crowd) -> bool) -> anyhow::Result<()> {
    let give_up = now() + PATIENCE.as_nanos() as u64;
    while !reached(crowd) {
        if now() > give_up {
            bail!("after {PATIENCE:?} not everybody knows how many there are");
        }
        crowd.hear(Duration::from_millis(20), |_| {})?;
    }
    Ok(())
}

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(120);
