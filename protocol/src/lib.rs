//! Crosstalk's wire contract: what the server and its clients say to each other.
//!
//! - [`Command`] is what a peer asks for, [`Event`] what it is told.
//! - A codec turns bytes into commands and events into bytes. There are two: [`json`] for programs
//!   and [`line`](mod@line) for people.
//! - [`Nick`], [`RoomName`] and [`Text`] are checked where they are made.
//!
//! This crate knows no socket, no clock and no async runtime. `docs/protocol.md` describes the
//! same contract for those who write a client in another language.

mod command;
mod error;
mod event;
pub mod json;
pub mod limits;
pub mod line;
mod name;
mod position;
pub mod slash;
mod text;
mod token;

pub use command::{Command, EntryRoom, HistoryRange, Page, Request, RequestId, Target};
pub use error::{Disconnect, DisconnectCode, ErrorCode, ErrorReply};
pub use event::{
    Answered, Deleted, Edited, Entered, Event, History, Limits, Message, Presence, Record, Rename,
    RoomSummary,
};
pub use name::{LOBBY, NameError, Nick, RoomName};
pub use position::{Position, Seq};
pub use text::{Text, TextError, clean};
pub use token::Token;
