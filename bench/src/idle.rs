//! `idle`: what a connection costs that says nothing, once it has said hello and is in the lobby: of the
//! server's memory, and of the kernel's apart from that.

use std::fs;

use clap::Args;

use crate::crowd::{Crowd, Role};
use crate::door::{Door, Protocol};
use crate::options::Options;
use crate::report::Row;
use crate::server::{Mode, Scratch, Server};

/// Flags of the scenario.
#[derive(Debug, Args)]
pub(crate) struct Idle {
    /// At which doors
    #[arg(long, value_name = "DOOR,…", value_delimiter = ',', default_value = "line,json,ws")]
    doors: Vec<Door>,

    /// How many connections
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1000,5000,15000")]
    connections: Vec<usize>,
}

/// Measures a server of its own for each door and number.
///
/// # Errors
/// If a server fails, or the system has no more sockets.
pub(crate) async fn run(options: &Options, idle: &Idle) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for _ in 0..options.repeat {
        for &door in &idle.doors {
            for &count in &idle.connections {
                rows.push(measure(options, door, count).await?);
            }
        }
    }
    Ok(rows)
}

async fn measure(options: &Options, door: Door, count: usize) -> anyhow::Result<Row> {
    let scratch = Scratch::new(options)?;
    let server = Server::start(options, &Mode::Ephemeral, scratch.path()).await?;
    let mut crowd = Crowd::new()?;
    // What everybody needs, whoever comes, is there once somebody has.
    crowd.add(server.let_in(door, "first")?, Role::Bystander)?;
    server.settle(&mut crowd)?;
    let (before, kernel) = (server.memory()?, kernel_memory()?);
    crowd.reserve(count);
    for number in 0..count {
        crowd.add(server.let_in(door, &format!("idler{number}"))?, Role::Bystander)?;
        // News about people must not pile up in their sockets.
        if number % 256 == 255 {
            crowd.hear(std::time::Duration::ZERO, |_| {})?;
        }
    }
    server.settle(&mut crowd)?;
    let (after, kernel_after) = (server.memory()?, kernel_memory()?);
    let each = |bytes: u64| bytes as f64 / count as f64;
    drop(crowd);
    server.stop().await?;
    Ok(Row::default()
        .with("door", door.name())
        .with("connections", count.to_string())
        .with("server KiB each", each(after.anonymous.saturating_sub(before.anonymous)))
        .with("kernel KiB each, both ends", each(kernel_after.saturating_sub(kernel))))
}

/// What the kernel has allocated for itself, in KiB: sockets, their buffers, and all else.
fn kernel_memory() -> anyhow::Result<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo")?;
    let field = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    let sockstat = fs::read_to_string("/proc/net/sockstat")?;
    let tcp = sockstat.lines().find_map(|line| line.strip_prefix("TCP:")).unwrap_or_default();
    let pages = tcp.split_once("mem ").and_then(|(_, pages)| pages.trim().parse::<u64>().ok()).unwrap_or(0);
    Ok(field("SUnreclaim:") + pages * PAGE_KIB)
}

/// What `mem` in `/proc/net/sockstat` counts.
const PAGE_KIB: u64 = 4;
