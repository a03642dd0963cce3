//! Crosstalk seen from outside: the harness with which `tests/*.rs` talk to the real server.
//!
//! - [`TestServer`] is the real binary on ports of its own.
//! - A client for each way in: [`LineClient`], [`UnframedClient`], [`JsonClient`] over TCP and
//!   over WebSocket, [`http`] for the page, and [`RawSocket`] for frames no client would send.
//! - A [`Person`] types the same words whichever door they came through, and a [`Transcript`] is
//!   a conversation of several of them.
//! - [`faults`] is what networks and strangers do.
//!
//! Nothing sleeps. Every wait is for something that happens, under a [`DEADLINE`] that only keeps
//! a broken server from hanging the run.

mod checker;
mod crowd;
mod data;
mod deadline;
pub mod disk;
pub mod faults;
mod flaky;
pub mod http;
mod journal;
mod json;
mod line;
mod line_talker;
mod mind;
mod outbox;
mod person;
mod random;
mod render;
mod server;
mod setup;
mod shape;
mod talker;
mod tap;
mod transcript;
mod unframed;
mod wal;
mod websocket;
mod wire;

pub use checker::{Checker, read_history};
pub use crowd::{Crowd, WORK};
pub use data::DataDir;
pub use deadline::{DEADLINE, eventually, within};
pub use flaky::{Fault, FlakyProxy};
pub use journal::{Journal, LineJournal, Place, Said, Seen};
pub use json::JsonClient;
pub use line::LineClient;
pub use line_talker::LineTalker;
pub use person::{Door, Person};
pub use random::Random;
pub use server::{Exit, TestServer};
pub use setup::Setup;
pub use shape::assert_shape;
pub use talker::Talker;
pub use tap::Tap;
pub use transcript::Transcript;
pub use unframed::UnframedClient;
pub use wal::{Tear, Wal};
pub use websocket::{Frame, Opcode, RawSocket};
pub use wire::Way;
