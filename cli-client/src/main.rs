//! `crosstalk`: the terminal client.
//!
//! Reading order: [`message`] is what happens and what follows, [`model`] all that the client
//! knows, [`update`] the pure function between them with its parts [`typed`] and [`received`], and
//! [`view`] what is shown of it. None of them knows a socket, a terminal, a file or a clock.
//!
//! Two front ends share them. At a terminal, [`interface`] adds questions, a line that is being
//! typed ([`editor`], [`keys`]) and [`screen`] draws; [`terminal`] is the glue, and what lasts
//! from one start to the next is in [`identities`] and [`journal`]. In a pipe there is only [`pipe`].
//! Both have their connection and timers from [`driver`].

mod address;
mod arguments;
mod backoff;
mod commands;
mod connection;
mod driver;
mod editor;
mod entries;
mod frames;
mod greeting;
mod identities;
mod interface;
mod journal;
mod keys;
mod lists;
mod membership;
mod message;
mod model;
mod outbox;
mod pipe;
mod questions;
mod reading;
mod received;
mod recent;
mod reference;
mod rooms;
mod screen;
mod terminal;
mod typed;
mod update;
mod view;
mod words;

use std::io::{IsTerminal, stdin, stdout};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::arguments::Arguments;
use crate::message::Ending;

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(ending) => {
            if ending != Ending::Left {
                pipe::report(&ending.to_string());
            }
            ExitCode::from(ending.code())
        }
        Err(error) => {
            pipe::report(&format!("{error:#}"));
            ExitCode::from(1)
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<Ending> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // A terminal that cannot move its cursor is served line by line.
    let dumb = std::env::var("TERM").is_ok_and(|terminal| terminal == "dumb");
    let ending = if stdin().is_terminal() && stdout().is_terminal() && !dumb {
        runtime.block_on(terminal::run(arguments)).context("the terminal")
    } else {
        // Somebody who types may give orders; a log may not, unless told so.
        let commands = arguments.commands || stdin().is_terminal();
        Ok(runtime.block_on(pipe::run(arguments, commands)))
    };
    // Reads and writes of the standard streams cannot be cancelled, and are not waited for.
    runtime.shutdown_background();
    ending
}
