//! The command line. Each flag is also an environment variable.

mod amount;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{FalseyValueParser, RangedU64ValueParser};
use clap::{Parser, Subcommand, ValueEnum};
use crosstalk_protocol::RoomName;
use thiserror::Error;

use crate::admin::Since;
use crate::http::Origin;
use crate::limits;
use crate::store::Retention;

/// A chat server in which a terminal and a browser are equals.
///
/// It listens on a TCP port for plain lines (nc, telnet, scripts) and JSON, and on an HTTP port for
/// the page and WebSockets; all of them are in the same rooms.
#[derive(Debug, Parser)]
#[command(name = "crosstalk-server", version, max_term_width = 100)]
pub struct Config {
    /// Where terminals and programs connect; port 0 takes any free one
    #[arg(long, env = "CROSSTALK_TCP", value_name = "ADDR", default_value = "0.0.0.0:44444", value_parser = address)]
    pub tcp: SocketAddr,

    /// Where browsers connect; port 0 takes any free one
    #[arg(long, env = "CROSSTALK_HTTP", value_name = "ADDR", default_value = "0.0.0.0:8080", value_parser = address)]
    pub http: SocketAddr,

    /// Where everything is kept; created if need be [default: crosstalk in the user's data directory, $XDG_DATA_HOME or ~/.local/share]
    #[arg(long, env = "CROSSTALK_DATA", value_name = "DIR", global = true)]
    pub data: Option<PathBuf>,

    /// What a message survives once its sender has been told that it is there
    #[arg(long, env = "CROSSTALK_SYNC", value_name = "HOW", default_value = "full")]
    pub sync: Sync,

    /// How old a room's entries may become, such as 12h, 30d or 1y; with --ephemeral, none of the
    /// retention flags counts
    #[arg(long, env = "CROSSTALK_RETENTION_AGE", value_name = "AGE|off", default_value = "off", value_parser = amount::age)]
    pub retention_age: Limit<Duration>,

    /// How many messages of a room are kept; the oldest go first
    #[arg(long, env = "CROSSTALK_RETENTION_MESSAGES", value_name = "N|off", default_value = "off")]
    pub retention_messages: Limit<u64>,

    /// How many bytes of a room are kept, such as 100M or 2G: of text, with 64 more for each entry
    #[arg(long, env = "CROSSTALK_RETENTION_SIZE", value_name = "SIZE|off", default_value = "off", value_parser = amount::size)]
    pub retention_size: Limit<u64>,

    /// Write nothing to disk: rooms and history begin anew with the server
    #[arg(long, env = "CROSSTALK_EPHEMERAL", value_parser = FalseyValueParser::new())]
    pub ephemeral: bool,

    /// Serve the page from this directory instead of the copy inside the program
    #[arg(long, env = "CROSSTALK_WEB_DIR", value_name = "DIR")]
    pub web_dir: Option<PathBuf>,

    /// Messages a second of one connection, averaged; five times as many at once
    #[arg(long, env = "CROSSTALK_RATE_LIMIT", value_name = "N|off", default_value_t = Limit::Of(limits::RATE))]
    pub rate_limit: Limit<u32>,

    /// Messages that whoever enters a room on lines is shown
    #[arg(long, env = "CROSSTALK_BACKLOG", value_name = "N|off", default_value_t = Limit::Of(limits::HISTORY_LINES))]
    pub backlog: Limit<usize>,

    /// Connections in all
    #[arg(long, env = "CROSSTALK_MAX_CONNECTIONS", value_name = "N", default_value_t = limits::MAX_CONNECTIONS, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub max_connections: usize,

    /// Connections of one address; a classroom can share one
    #[arg(
        long,
        env = "CROSSTALK_MAX_CONNECTIONS_PER_IP",
        value_name = "N|off",
        default_value_t = Limit::Of(limits::MAX_CONNECTIONS_PER_IP)
    )]
    pub max_connections_per_ip: Limit<usize>,

    /// Public rooms in all; those in which something was said are never given up for others
    #[arg(long, env = "CROSSTALK_MAX_ROOMS", value_name = "N", default_value_t = limits::MAX_ROOMS, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub max_rooms: usize,

    /// A further origin whose pages may connect, such as `https://chat.example.org`; repeatable
    #[arg(long, env = "CROSSTALK_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub allow_origin: Vec<Origin>,

    /// What to log to standard error: a level, or a tracing filter
    #[arg(long, env = "CROSSTALK_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,

    /// How to log
    #[arg(long, env = "CROSSTALK_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// What to do instead of serving.
    #[command(subcommand)]
    pub task: Option<Task>,
}

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Ask a running server whether it is ready; exits with 0 if so
    Healthcheck {
        /// The server's HTTP address; without it, this machine and the port of `--http`
        #[arg(value_parser = address)]
        address: Option<SocketAddr>,
    },
    /// Write the messages of a room to standard output, oldest first; the server may run meanwhile
    Export {
        /// The room; `@7` is a direct conversation
        #[arg(long, value_name = "ROOM")]
        room: RoomName,
        /// How to write them
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: ExportFormat,
        /// Only those since a time (2026-11-24, 2026-11-24T15:00:00Z; without a zone it is UTC) or of the last while (90m, 2h, 7d)
        #[arg(long, value_name = "WHEN")]
        since: Option<Since>,
    },
    /// Write a copy of everything to a new file; the server may run meanwhile
    Backup {
        /// The file, which must not exist yet
        file: PathBuf,
    },
    /// Look for anything that is wrong with what is kept; exits with 0 if all is well
    Check {
        /// A backup to look at, instead of the data directory
        file: Option<PathBuf>,
    },
}

/// How an export is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// For people: a line with the time, in UTC, who said it, and what.
    Text,
    /// For programs: a JSON object a line, a message as in the protocol's `history`.
    Jsonl,
}

/// What a stored message survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sync {
    /// A loss of power: each transaction is on the disk before anybody is told of it.
    Full,
    /// A crash of the server, but not of the machine: the last moments before that may be missing.
    Normal,
    /// The same, and the database may be damaged if the machine crashes.
    Off,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// An address to listen on.
fn address(input: &str) -> Result<SocketAddr, &'static str> {
    input.parse().map_err(|_| "an IP address and a port, such as 127.0.0.1:44444")
}

/// A number, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit<T> {
    /// At most so many.
    Of(T),
    /// As many as come.
    Off,
}

/// There is neither `--data` nor a place that it could be by default.
#[derive(Debug, Error)]
#[error("there is no home directory to keep anything in; choose one with --data, or none with --ephemeral")]
pub struct NoDataDirectory;

impl Config {
    /// Where everything is kept: as asked for, or the place that the XDG Base Directory Specification
    /// has for it. `None`: nowhere.
    ///
    /// # Errors
    /// [`NoDataDirectory`].
    pub fn data_directory(&self) -> Result<Option<PathBuf>, NoDataDirectory> {
        if self.ephemeral {
            return Ok(None);
        }
        if let Some(asked) = &self.data {
            return Ok(Some(asked.clone()));
        }
        let directory = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let data = directory("XDG_DATA_HOME").or_else(|| Some(directory("HOME")?.join(".local/share")));
        Ok(Some(data.ok_or(NoDataDirectory)?.join("crosstalk")))
    }

    /// How much of a room is kept.
    pub fn retention(&self) -> Retention {
        Retention {
            age: self.retention_age.get(),
            messages: self.retention_messages.get(),
            bytes: self.retention_size.get(),
        }
    }

    /// Where a program on this machine finds the HTTP port.
    pub fn local_http(&self) -> SocketAddr {
        let mut address = self.http;
        if address.ip().is_unspecified() {
            let loopback =
                if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
            address.set_ip(loopback);
        }
        address
    }
}

impl<T> Limit<T> {
    /// The number, if there is one.
    pub fn get(self) -> Option<T> {
        match self {
            Limit::Of(number) => Some(number),
            Limit::Off => None,
        }
    }
}

impl<T: FromStr + PartialOrd + From<u8>> FromStr for Limit<T> {
    type Err = String;

    fn from_str(input: &str) -> Result<Self, String> {
        if input == "off" {
            return Ok(Limit::Off);
        }
        match input.parse::<T>() {
            Ok(number) if number >= T::from(1) => Ok(Limit::Of(number)),
            _ => Err("a whole number above 0, or \"off\"".to_owned()),
        }
    }
}

impl<T: std::fmt::Display> std::fmt::Display for Limit<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Limit::Of(number) => number.fmt(formatter),
            Limit::Off => formatter.write_str("off"),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        Config::command().debug_assert();
    }

    #[test]
    fn a_limit_is_a_number_or_off() {
        assert_eq!("off".parse(), Ok(Limit::<u32>::Off));
        assert_eq!("7".parse(), Ok(Limit::Of(7_u32)));
        assert!("0".parse::<Limit<u32>>().is_err());
        assert!("-1".parse::<Limit<u32>>().is_err());
    }
}
