//! `crosstalk-bench`: Crosstalk under load. Each subcommand is a scenario: it starts the servers it
//! measures, each kind in turns, and shows what came of it as a table or as JSON.
//!
//! One thread drives all clients. What is measured of the server is read from `/proc`, because
//! processor time holds still where the clock on the wall does not.

mod arrivals;
mod catch_up;
mod chart;
mod chatter;
mod clock;
mod compare;
mod connection;
mod crowd;
mod disk;
mod door;
mod draw;
mod durable;
mod fanout;
mod fill;
mod frames;
mod histogram;
mod idle;
mod mark;
mod options;
mod peers;
mod process;
mod random;
mod readers;
mod relay;
mod report;
mod results;
mod rooms;
mod search;
mod senders;
mod server;
mod stalled;
mod startup;
mod stored;
mod storm;
mod subject;
mod traffic;
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
    /// Memory of connections that say nothing
    Idle(idle::Idle),
    /// Very many people join at once, and leave at once
    Storm(storm::Storm),
    /// Readers that stop reading, and what the others notice
    Stalled(stalled::Stalled),
    /// A room in which everybody says something now and then
    Chatter(chatter::Chatter),
    /// Very many small rooms, beside a large one
    Rooms(rooms::Rooms),
    /// Messages acknowledged a second, and how long it takes
    Durable(durable::Durable),
    /// What a delivery to many readers costs, and how long it takes
    Fanout(fanout::Fanout),
    /// The same fan-out on Crosstalk, on other servers and on the limit
    Compare(compare::Compare),
    /// How long it takes until a crowd is in one room, and the memory that each of them costs
    Arrivals(arrivals::Arrivals),
    /// Tables and charts of what compare and arrivals have measured
    Draw(draw::Draw),
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
    /// The limit as a server of its own: it copies what it reads to everybody else
    #[command(hide = true)]
    Relay,
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
            Scenario::Fanout(fanout) => fanout::run(options, fanout).await,
            Scenario::Idle(idle) => idle::run(options, idle).await,
            Scenario::Storm(storm) => storm::run(options, storm).await,
            Scenario::Stalled(stalled) => stalled::run(options, stalled).await,
            Scenario::Chatter(chatter) => chatter::run(options, chatter).await,
            Scenario::Rooms(rooms) => rooms::run(options, rooms).await,
            Scenario::Compare(compare) => compare::run(options, compare).await,
            Scenario::Arrivals(arrivals) => arrivals::run(options, arrivals).await,
            Scenario::Draw(draw) => draw::run(draw).map(|()| Vec::new()),
            Scenario::Fill(fill) => fill::run(fill).await,
            Scenario::Startup(startup) => startup::run(options, startup).await,
            Scenario::Search(search) => search::run(options, search).await,
            Scenario::CatchUp(catch_up) => catch_up::run(options, catch_up).await,
            Scenario::Disk(disk) => disk::run(options, disk),
            Scenario::Relay => relay::run().map(|()| Vec::new()),
        }
    })?;
    let rows = if options.all { rows } else { report::medians(&rows) };
    report::print(&rows, options.json);
    Ok(())
}
