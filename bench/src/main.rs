//! `crosstalk-bench`: Crosstalk under load. Each subcommand is a scenario: it starts the servers it
//! measures, each kind in turns, and shows what came of it as a table or as JSON.
//!
//! One thread drives all clients. What is measured of the server is read from `/proc`, because
//! processor time holds still where the clock on the wall does not.

mod catch_up;
mod clock;
mod connection;
mod disk;
mod durable;
mod fanout_durable;
mod fill;
mod frames;
mod histogram;
mod options;
mod process;
mod random;
mod readers;
mod report;
mod search;
mod senders;
mod server;
mod startup;
mod stored;
mod words;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::task::LocalSet;

use self::options::Options;

#[derive(Debug, Parser)]
#[command(name = "crosstalk-bench", version, about, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    /// Messages acknowledged a second, and how long it takes
    Durable(durable::Durable),
    /// A fan-out that is stored against one that is not
    FanoutDurable(fanout_durable::FanoutDurable),
    /// Make a data directory with very many messages
    Fill(fill::Fill),
    /// How long a server with very many messages takes to start, and its memory
    Startup(startup::Startup),
    /// How long searches take
    Search(search::Search),
    /// Somebody who comes back after long, and what it costs the others
    CatchUp(catch_up::CatchUp),
    /// What it costs on this disk to be sure that something is there
    Disk(disk::Disk),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crosstalk-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { options, scenario } = arguments;
    rlimit::increase_nofile_limit(u64::MAX)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rows = LocalSet::new().block_on(&runtime, async {
        match scenario {
            Scenario::Durable(durable) => durable::run(options, durable).await,
            Scenario::FanoutDurable(fanout) => fanout_durable::run(options, fanout).await,
            Scenario::Fill(fill) => fill::run(fill).await,
            Scenario::Startup(startup) => startup::run(options, startup).await,
            Scenario::Search(search) => search::run(options, search).await,
            Scenario::CatchUp(catch_up) => catch_up::run(options, catch_up).await,
            Scenario::Disk(disk) => disk::run(options, disk),
        }
    })?;
    let rows = if options.all { rows } else { report::medians(&rows) };
    report::print(&rows, options.json);
    Ok(())
}
