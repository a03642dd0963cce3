//! `startup`: how long a server with a full data directory takes until it listens, and how much
//! memory it has then.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::connection::Connection;
use crate::options::Options;
use crate::report::Row;
use crate::server::{Mode, Server};
use crate::stored;

/// Flags of the scenario.
#[derive(Debug, Args)]
pub(crate) struct Startup {
    /// Data directories
    #[arg(long, value_name = "DIR", required = true, num_args = 1..)]
    data: Vec<PathBuf>,
}

/// Starts a server on each in turns, with what it reads in the system's memory and without.
///
/// # Errors
/// If a server fails.
pub(crate) async fn run(options: &Options, startup: &Startup) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for _ in 0..options.repeat {
        for data in &startup.data {
            for cold in [true, false] {
                rows.push(measure(options, data, cold).await?);
            }
        }
    }
    Ok(rows)
}

async fn measure(options: &Options, data: &Path, cold: bool) -> anyhow::Result<Row> {
    if cold {
        stored::forget(data)?;
    }
    let megabytes = stored::megabytes(data)?;
    let server = Server::start(options, &Mode::Durable("full".to_owned()), data).await?;
    let ready_after = server.ready_after();
    let (_connection, _) = Connection::open(server.tcp(), "visitor", json!({})).await?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (memory, cpu) = (server.memory()?, server.cpu_time()?);
    server.stop().await?;
    Ok(Row::default()
        .with("data", data.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned()))
        .with("read before", if cold { "no" } else { "yes" })
        .with("MB on disk", megabytes)
        .with("listens after ms", ready_after.as_secs_f64() * 1e3)
        .with("server CPU ms", cpu.total() as f64 / 1e6)
        .with("resident MiB", memory.resident as f64 / 1024.0)
        .with("of it its own MiB", memory.anonymous as f64 / 1024.0))
}
