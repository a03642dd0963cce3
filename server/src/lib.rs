//! The Crosstalk chat server, as a library that its program and its tests embed.
//!
//! **A room is an append-only log. A connection is a set of cursors. A front door is a codec over
//! one session. The hub waits for nobody.**
//!
//! ```text
//!  socket → connection → transport/{line,json,websocket} → session → hub → sequencer → log
//!              ↑                                                                       │
//!              └────────── cursors read the log's segments ←── doorbell ───────────────┘
//! ```
//!
//! - [`listener`] accepts, [`detection`] sees which door a peer wants, [`connection`] owns its
//!   socket, and a door in [`transport`] turns bytes into commands and events into bytes.
//! - [`session`] is one peer without a socket, and one of the connections of a [`user`]. [`hub`] knows
//!   who is here and which rooms there are.
//! - [`sequencer`] takes what has come since the last batch, numbers it, has the [`store`] keep it,
//!   and appends it to the logs of its rooms: one [`segment`] a room and batch.
//! - [`log`] holds the newest segments of a [`room`]. A segment's bytes are encoded once per
//!   encoding and written to every reader as they lie.
//! - A reader is rung ([`peer`]) and reads from its cursor. One that is slow gets larger writes, one
//!   that has fallen behind the memory reads the store, and one for whom that is not enough is told
//!   of the gap. Nothing is pushed into a queue of its own.
//! - [`admin`] is for whoever runs the server: it reads a data directory beside a server that uses it.

pub mod admin;
pub mod admission;
mod bell;
pub mod config;
pub mod connection;
pub mod detection;
pub mod healthcheck;
pub mod http;
pub mod hub;
pub mod limits;
pub mod listener;
pub mod log;
pub mod outgoing;
pub mod peer;
pub mod presence;
pub mod rate;
pub mod room;
pub mod segment;
pub mod sequencer;
mod server;
pub mod session;
pub mod shutdown;
pub mod store;
pub mod transport;
pub mod upkeep;
pub mod user;

pub use server::{Server, StartError};
