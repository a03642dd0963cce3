//! What all scenarios have in common on the command line.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::server::Mode;

/// Flags of every scenario.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// The server's program; without it, crosstalk-server beside this one
    #[arg(long, env = "CROSSTALK_BENCH_SERVER", value_name = "FILE", global = true)]
    pub(crate) server: Option<PathBuf>,

    /// Where data directories are made and removed again; without it, where temporary files are
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) scratch: Option<PathBuf>,

    /// Run the server on one processor and this program on another
    #[arg(long, global = true)]
    pub(crate) pin: bool,

    /// Runs of each kind, taken in turns; medians are shown
    #[arg(long, value_name = "N", default_value_t = 3, global = true)]
    pub(crate) repeat: usize,

    /// How long one run is measured
    #[arg(long, value_name = "N", default_value_t = 3.0, global = true)]
    pub(crate) seconds: f64,

    /// One JSON object a row instead of a table
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Show each run, and not the medians
    #[arg(long, global = true)]
    pub(crate) all: bool,
}

/// What the server is to keep.
#[derive(Clone, Debug, Args)]
pub(crate) struct Modes {
    /// Values of the server's --sync, or ephemeral; of fanout also limit
    #[arg(long, value_name = "MODE,…", value_delimiter = ',', default_value = "ephemeral,full")]
    pub(crate) modes: Vec<Mode>,
}

impl Options {
    /// Where the server's program is.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn server(&self) -> anyhow::Result<PathBuf> {
        if let Some(path) = &self.server {
            return Ok(path.clone());
        }
        let beside = std::env::current_exe()?.with_file_name("crosstalk-server");
        let is_there = beside.is_file();
        is_there.then_some(beside).context("there is no crosstalk-server beside this program; use --server")
    }
}
