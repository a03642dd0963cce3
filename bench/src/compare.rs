//! `compare`: the same fan-out on Crosstalk, on other servers and on the limit, in turns. One publisher,
//! and many readers of one room.
//!
//! A peer that loses or reorders messages, or hangs up, says so in its rows and is not asked again at the
//! same pace; Crosstalk and the limit must not.

use std::rc::Rc;

use anyhow::ensure;
use clap::Args;

use crate::crowd::{Crowd, Role};
use crate::options::Options;
use crate::report::Row;
use crate::senders::Texts;
use crate::subject::{ROOM, Subject};
use crate::traffic::{Outcome, Pace, Stream, TEXT_MIN, Traffic};

/// Flags of the scenario.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    #[command(flatten)]
    subjects: Subjects,

    /// How many read
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "500")]
    readers: Vec<usize>,

    /// Messages that not everybody has yet: as many as can be
    #[arg(long, value_name = "N,…", value_delimiter = ',', num_args = 0.., default_value = "1,64")]
    in_flight: Vec<u32>,

    /// Messages a second, however far everybody has got
    #[arg(long, value_name = "N,…", value_delimiter = ',', num_args = 0.., default_value = "50")]
    rate: Vec<f64>,

    /// Bytes of a text
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "100")]
    bytes: Vec<usize>,
}

/// What is compared.
#[derive(Clone, Debug, Args)]
pub(crate) struct Subjects {
    /// Which servers
    #[arg(
        long,
        value_name = "SERVER,…",
        value_delimiter = ',',
        default_value = "limit,crosstalk,crosstalk-ws,nats,nats-ws,ngircd,inspircd,mosquitto,python"
    )]
    pub(crate) servers: Vec<Subject>,
}

/// One kind of run.
#[derive(Clone, Copy, Debug)]
struct Kind {
    subject: Subject,
    readers: usize,
    pace: Pace,
    bytes: usize,
}

/// Measures each server in turns.
///
/// # Errors
/// If a server does not start, or Crosstalk or the limit fails.
pub(crate) async fn run(options: &Options, compare: &Compare) -> anyhow::Result<Vec<Row>> {
    let mut kinds = Vec::new();
    let paces = compare.in_flight.iter().map(|&count| Pace::InFlight(count));
    let paces: Vec<Pace> = paces.chain(compare.rate.iter().map(|&rate| Pace::Rate(rate))).collect();
    for &bytes in &compare.bytes {
        ensure!(bytes >= TEXT_MIN, "a text has {TEXT_MIN} bytes at least");
        for &readers in &compare.readers {
            for &pace in &paces {
                let kind = |&subject| Kind { subject, readers, pace, bytes };
                kinds.extend(compare.subjects.servers.iter().map(kind));
            }
        }
    }
    let mut settings = Vec::new();
    for kind in &kinds {
        settings.push(settings_of(*kind)?);
    }
    let mut troubles: Vec<Option<String>> = vec![None; kinds.len()];
    let mut rows = Vec::new();
    for _ in 0..options.repeat {
        for ((kind, settings), trouble) in kinds.iter().zip(&settings).zip(&mut troubles) {
            let mut row = settings.clone();
            if trouble.is_none() {
                match measure(options, *kind).await {
                    Ok(outcome) => row = with_outcome(row, &outcome),
                    Err(error) if kind.subject.is_peer() => *trouble = Some(format!("{error:#}")),
                    Err(error) => return Err(error.context(kind.subject.name())),
                }
            }
            if let Some(trouble) = trouble {
                eprintln!("{}, {}: {trouble}", kind.subject.name(), kind.pace.name());
                row = row.with("trouble", trouble.as_str());
            }
            rows.push(row);
        }
    }
    Ok(rows)
}

async fn measure(options: &Options, kind: Kind) -> anyhow::Result<Outcome> {
    let Kind { subject, readers, pace, bytes } = kind;
    let server = subject.start(options).await?;
    let mut crowd = Crowd::new()?;
    server.let_in("reader", readers, &mut crowd, |crowd, stream| {
        crowd.add(stream, Role::Reader)?;
        Ok(())
    })?;
    let mut member = 0;
    server.let_in("sender", 1, &mut crowd, |crowd, stream| {
        member = crowd.add(stream, Role::Bystander)?;
        Ok(())
    })?;
    server.settle(&mut crowd)?;
    let streams = vec![Stream { member, room: ROOM.to_owned(), audience: readers as u32 }];
    let texts = Rc::new(Texts::new(bytes - TEXT_MIN + 1));
    let mut traffic = Traffic::new(subject.protocol(), false, texts, pace, streams);
    let outcome = traffic.run(&mut crowd, options.seconds, || server.cpu_time())?;
    drop(crowd);
    server.stop().await?;
    Ok(outcome)
}

fn settings_of(kind: Kind) -> anyhow::Result<Row> {
    Ok(Row::default()
        .with("server", kind.subject.name())
        .with("version", kind.subject.version()?)
        .with("readers", kind.readers.to_string())
        .with("bytes", kind.bytes.to_string())
        .with("sent", kind.pace.name()))
}

fn with_outcome(row: Row, outcome: &Outcome) -> Row {
    let delivered = outcome.heard.delivered as f64;
    row.with("deliveries/s", delivered / outcome.seconds)
        .with("server µs CPU/delivery", outcome.cpu_per_delivery())
        .with("own µs CPU/delivery", outcome.own as f64 / 1e3 / delivered)
        .with("bytes/delivery", outcome.heard.bytes as f64 / delivered)
        .with("messages/read", outcome.batch())
        .with("p50 ms", outcome.latency.percentile(0.5))
        .with("p99 ms", outcome.latency.percentile(0.99))
        .with("max ms", outcome.latency.max())
}
