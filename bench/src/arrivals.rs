//! `arrivals`: how long it takes until very many people are in one room, on Crosstalk and on other servers,
//! and what each of them costs the server's memory from then on. It is over when nobody hears anything
//! more: those who tell everybody of everybody have a square of news to send.

use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;

use crate::compare::Subjects;
use crate::crowd::{Crowd, Role};
use crate::options::Options;
use crate::report::Row;
use crate::subject::Subject;

/// Flags of the scenario.
#[derive(Debug, Args)]
pub(crate) struct Arrivals {
    #[command(flatten)]
    subjects: Subjects,

    /// How many people, in ascending order; of those who would take too long only the first are waited for
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1000")]
    people: Vec<usize>,

    /// How long it may take, in seconds
    #[arg(long, value_name = "N", default_value_t = 60.0)]
    limit: f64,
}

/// Measures each server in turns.
///
/// # Errors
/// If a server does not start, or Crosstalk does not let everybody in.
pub(crate) async fn run(options: &Options, arrivals: &Arrivals) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for _ in 0..options.repeat {
        let mut servers = arrivals.subjects.servers.clone();
        for &people in &arrivals.people {
            let mut in_time = Vec::new();
            for subject in servers {
                let mut row = Row::default()
                    .with("server", subject.name())
                    .with("version", subject.version()?)
                    .with("people", people.to_string());
                match measure(options, subject, people, Duration::from_secs_f64(arrivals.limit)).await {
                    Ok(Arrived { seconds, kib }) => {
                        row = row.with("KiB each", kib);
                        if subject.has_presence() {
                            row = row.with("all there after s", seconds);
                        }
                        in_time.push(subject);
                    }
                    Err(error) if subject.is_peer() => {
                        eprintln!("{}, {people} people: {error:#}", subject.name());
                        row = row.with("trouble", format!("{error:#}"));
                    }
                    Err(error) => return Err(error.context(subject.name())),
                }
                rows.push(row);
            }
            servers = in_time;
        }
    }
    Ok(rows)
}

struct Arrived {
    /// Until the last of them heard the last news.
    seconds: f64,
    /// The server's own memory for each.
    kib: f64,
}

async fn measure(
    options: &Options,
    subject: Subject,
    people: usize,
    limit: Duration,
) -> anyhow::Result<Arrived> {
    let server = subject.start(options).await?;
    let mut crowd = Crowd::new()?;
    // What everybody needs, whoever comes, is there once somebody has.
    server.let_in("first", 1, &mut crowd, |crowd, stream| {
        crowd.add(stream, Role::Bystander)?;
        Ok(())
    })?;
    server.settle(&mut crowd)?;
    let before = server.memory()?;
    let begun = Instant::now();
    let in_time = || ensure_in_time(begun, limit);
    server.let_in("guest", people, &mut crowd, |crowd, stream| {
        crowd.add(stream, Role::Bystander)?;
        in_time()
    })?;
    let mut last = Instant::now();
    while last.elapsed() < QUIET {
        if crowd.hear(Duration::from_millis(10), |_| {})? {
            last = Instant::now();
        }
        in_time()?;
    }
    ensure!(crowd.tally.ended == 0, "the server has ended {} connections", crowd.tally.ended);
    let grown = server.memory()?.anonymous.saturating_sub(before.anonymous);
    drop(crowd);
    server.stop().await?;
    Ok(Arrived { seconds: (last - begun).as_secs_f64(), kib: grown as f64 / people as f64 })
}

fn ensure_in_time(begun: Instant, limit: Duration) -> anyhow::Result<()> {
    ensure!(begun.elapsed() < limit, "not all are there after {} s", limit.as_secs_f64());
    Ok(())
}

/// How long after the last news one can be sure that there are no more.
const QUIET: Duration = Duration::from_millis(1_000);
