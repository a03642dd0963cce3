//! The `crosstalk-server` program: flags, logs, signals. Everything else is in the library.

use std::io::{BufWriter, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use crosstalk_server::config::{Config, LogFormat, Task};
use crosstalk_server::store::Archive;
use crosstalk_server::{Server, admin, healthcheck};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let config = match Config::try_parse() {
        Ok(config) => config,
        Err(error) if error.use_stderr() => {
            eprintln!("crosstalk-server: {}; --help lists the flags", in_one_line(&error));
            return ExitCode::from(WRONG_FLAG);
        }
        Err(help) => help.exit(),
    };
    match run(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crosstalk-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The exit code for flags that are not understood, as is the custom.
const WRONG_FLAG: u8 = 2;

/// What is wrong and, where there is one, the hint; without the usage, which `--help` shows.
fn in_one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let parts: Vec<&str> = lines.filter(|line| !line.is_empty() && !line.starts_with("For more")).collect();
    parts.join("; ").trim_start_matches("error: ").to_owned()
}

#[tokio::main]
async fn run(config: &Config) -> anyhow::Result<()> {
    match &config.task {
        None => serve(config).await,
        Some(Task::Healthcheck { address }) => {
            let address = address.unwrap_or_else(|| config.local_http());
            healthcheck::ask(address).await.with_context(|| format!("{address} is not ready"))
        }
        Some(Task::Export { room, format, since }) => {
            let out = BufWriter::new(std::io::stdout().lock());
            admin::export(&admin::data_directory(config)?, room, *format, *since, out)
        }
        Some(Task::Backup { file }) => admin::back_up(&admin::data_directory(config)?, file).await,
        Some(Task::Check { file: Some(file) }) => admin::check(&Archive::open_file(file)?),
        Some(Task::Check { file: None }) => admin::check(&Archive::open(&admin::data_directory(config)?)?),
    }
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    start_log(config)?;
    raise_descriptor_limit(config.max_connections);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut server = Server::start(config).await?;
    let kept = match config.data_directory()? {
        Some(path) => format!("Everything is kept in {}.", path.display()),
        None => "Nothing is kept: rooms and history begin anew with the server.".to_owned(),
    };
    // Whoever started the server may have closed its output; that is no reason to stop.
    let _ = writeln!(
        std::io::stdout(),
        "Crosstalk is listening: lines and JSON on {}, the page on http://{}/\n{kept}",
        server.tcp(),
        server.http()
    );
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = server.failed() => anyhow::bail!("a part of the server has failed; the log says which"),
    }
    tracing::info!("stopping");
    let cut_off = tokio::select! {
        cut_off = server.stop() => cut_off,
        // Who asks twice does not want to wait.
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    if cut_off > 0 {
        tracing::warn!(cut_off, "connections did not end in time");
    }
    Ok(())
}

fn start_log(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log).with_context(|| {
        format!("--log {:?} is not a filter such as info or crosstalk_server=debug", config.log)
    })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}

/// Each connection takes a descriptor, and the usual soft limit is 1,024.
fn raise_descriptor_limit(max_connections: usize) {
    let wanted = max_connections as u64 + 64;
    match rlimit::increase_nofile_limit(wanted) {
        Ok(limit) if limit < wanted => {
            tracing::warn!(limit, wanted, "the system allows fewer open files than connections are let in");
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the limit of open files could not be raised"),
    }
}
