//! What a peer asks the server for. Every name and text in a command has been checked.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::{ID_MAX, PAGE_DEFAULT, PAGE_MAX};
use crate::{Nick, Position, RoomName, Seq, Text, Token};

/// A client's own label for a request: 1 to [`ID_MAX`] bytes, repeated in every answer to it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct RequestId(Box<str>);

impl RequestId {
    /// Takes `id` as it is; `None` if it is empty or longer than [`ID_MAX`] bytes.
    pub fn new(id: &str) -> Option<Self> {
        (1..=ID_MAX).contains(&id.len()).then(|| Self(id.into()))
    }

    /// The label as the client wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RequestId {
    type Error = String;

    fn try_from(id: String) -> Result<Self, String> {
        Self::new(&id).ok_or_else(|| format!("an id has 1 to {ID_MAX} bytes"))
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, formatter)
    }
}

/// A command and the label under which its answer is awaited.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Without it a `send` gets neither ack nor error label.
    pub id: Option<RequestId>,
    /// What is asked for.
    pub command: Command,
}

/// Where a message goes, or whose history is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A room the peer is a member of, public or direct.
    Room(RoomName),
    /// A person: the direct conversation with them, opened if need be.
    User(Nick),
}

/// A room to be in from the start, and where to go on reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRoom {
    /// The room's name.
    pub room: RoomName,
    /// The last position seen; without it, reading begins at the newest entry.
    pub position: Option<Position>,
}

/// Part of a list that is sorted by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Begin behind this name.
    pub after: Option<String>,
    /// Rows at most, 1 to [`PAGE_MAX`].
    pub limit: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self { after: None, limit: PAGE_DEFAULT }
    }
}

/// Which part of a room's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryRange {
    /// The newest entries.
    Latest,
    /// The newest entries with a smaller number.
    Before(Seq),
    /// The oldest entries with a greater number.
    After(Seq),
}

/// What a peer asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Says who is there; the first command, and only the first.
    Hello {
        /// The nickname wanted.
        nick: Nick,
        /// What an earlier welcome gave: who comes back. Without it, or if the server does not know
        /// it, somebody new comes.
        token: Option<Token>,
        /// Tells one person's clients apart: who comes back as the same one replaces the connection
        /// that it had. Without it, the one client that has no label.
        client: Option<RequestId>,
        /// The rooms to be in; `None` is the lobby or, for who comes back, the rooms as they were.
        rooms: Option<Vec<EntryRoom>>,
        /// Whether somebody new comes out of sight.
        hidden: bool,
    },
    /// Appends a message to a room's log.
    Send {
        /// Where it goes.
        to: Target,
        /// What it says.
        text: Text,
        /// Whether it tells what the author does (`/me waves`).
        action: bool,
        /// The message of the same room that it answers.
        reply: Option<Seq>,
    },
    /// Changes a message of one's own.
    Edit {
        /// The room it is in.
        room: RoomName,
        /// Which message.
        seq: Seq,
        /// What it is to say.
        text: Text,
    },
    /// Withdraws a message of one's own.
    Delete {
        /// The room it is in.
        room: RoomName,
        /// Which message.
        seq: Seq,
    },
    /// Notes that a room has been read up to a message, by any of one's clients.
    Read {
        /// The room.
        room: RoomName,
        /// The last message read.
        seq: Seq,
    },
    /// Finds messages by their words.
    Search {
        /// In which log.
        of: Target,
        /// Words and `"quoted phrases"`, all of which have to be there.
        words: String,
        /// Only messages with a smaller number.
        before: Option<Seq>,
        /// Messages at most, 1 to [`PAGE_MAX`].
        limit: usize,
    },
    /// Creates a public room and enters it.
    Create {
        /// Its name.
        room: RoomName,
    },
    /// Enters a public room.
    Join(EntryRoom),
    /// Leaves a room.
    Leave {
        /// Its name.
        room: RoomName,
    },
    /// Lists the public rooms.
    Rooms(Page),
    /// Lists the members of a room, or everybody who is online.
    Members {
        /// The room; `None` is the whole server.
        room: Option<RoomName>,
        /// Which part of the list.
        page: Page,
    },
    /// Takes another nickname.
    Nick {
        /// The nickname wanted.
        nick: Nick,
    },
    /// Goes out of sight: off every list, and absent for everybody who asks.
    Hide,
    /// Comes back into sight.
    Reveal,
    /// Reads part of a room's log.
    History {
        /// Which log.
        of: Target,
        /// Which part.
        range: HistoryRange,
        /// Entries at most, 1 to [`PAGE_MAX`].
        limit: usize,
    },
    /// Asks for a sign of life.
    Ping,
    /// Says goodbye; the server closes.
    Quit,
}

/// Brings a wanted number of rows into 1 to [`PAGE_MAX`].
pub(crate) fn page_limit(wanted: Option<u64>) -> usize {
    wanted.map_or(PAGE_DEFAULT, |limit| limit.clamp(1, PAGE_MAX as u64) as usize)
}
