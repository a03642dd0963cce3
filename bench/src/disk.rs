//! `disk`: what it costs on this disk to be sure that something is there, so that the other figures
//! can be seen for what they are.

use std::fs::File;
use std::io::Write;

use anyhow::Context;
use clap::Args;

use crate::clock::now;
use crate::histogram::Histogram;
use crate::options::Options;
use crate::report::Row;
use crate::server::Scratch;

/// Flags of the scenario.
#[derive(Debug, Args)]
pub(crate) struct Disk {
    /// Bytes that are written before each wait for the disk
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "4096,65536,524288")]
    bytes: Vec<usize>,
}

/// Appends to a file, and waits for the disk each time.
///
/// # Errors
/// The disk's.
pub(crate) fn run(options: &Options, disk: &Disk) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for _ in 0..options.repeat {
        for &bytes in &disk.bytes {
            rows.push(measure(options, bytes)?);
        }
    }
    Ok(rows)
}

fn measure(options: &Options, bytes: usize) -> anyhow::Result<Row> {
    let scratch = Scratch::new(options)?;
    let mut file = File::create(scratch.path().join("appended")).context("a file cannot be made")?;
    let chunk = vec![0x5a; bytes];
    let mut times = Histogram::default();
    let begun = now();
    while (now() - begun) as f64 / 1e9 < options.seconds {
        let since = now();
        file.write_all(&chunk)?;
        file.sync_data()?;
        times.record(now() - since);
    }
    let seconds = (now() - begun) as f64 / 1e9;
    Ok(Row::default()
        .with("bytes", bytes.to_string())
        .with("write + fdatasync a second", times.count() as f64 / seconds)
        .with("MB/s", (times.count() * bytes as u64) as f64 / 1e6 / seconds)
        .with("p50 ms", times.percentile(0.5))
        .with("p99 ms", times.percentile(0.99))
        .with("max ms", times.max()))
}
