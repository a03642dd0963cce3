//! What a peer is told: entries of its rooms' logs, and private replies.

use serde::{Deserialize, Serialize};

use crate::{Disconnect, ErrorReply, Nick, Position, RequestId, RoomName, Seq, Text, Token};

/// A message: an entry of a room's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The room whose log it is in.
    pub room: RoomName,
    /// Its number there.
    pub seq: Seq,
    /// When the server took it, in milliseconds since 1970 (UTC). For people: order is `seq`.
    pub at: u64,
    /// Who sent it, by the name they had then.
    pub from: Nick,
    /// In a direct conversation, to whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Nick>,
    /// What it says.
    pub text: Text,
    /// Whether it tells what the author does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub action: bool,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Answered>,
    /// Whether its author has changed it since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub edited: bool,
}

/// The message that another one answers. Its text stands in one place only: its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// Its number, in the same room.
    pub seq: Seq,
    /// Who wrote it.
    pub from: Nick,
}

/// A message was changed by its author: an entry of a room's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edited {
    /// The room whose log it is in.
    pub room: RoomName,
    /// The number of this entry.
    pub seq: Seq,
    /// When the server took it, in milliseconds since 1970 (UTC).
    pub at: u64,
    /// Who changed it, by the name they had then.
    pub from: Nick,
    /// The number of the message.
    pub target: Seq,
    /// What the message says now.
    pub text: Text,
}

/// A message was withdrawn by its author: an entry of a room's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    /// The room whose log it is in.
    pub room: RoomName,
    /// The number of this entry.
    pub seq: Seq,
    /// When the server took it, in milliseconds since 1970 (UTC).
    pub at: u64,
    /// Who withdrew it, by the name they had then.
    pub from: Nick,
    /// The number of the message, which is gone.
    pub target: Seq,
}

/// A numbered entry of a room's log.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// Somebody said something.
    Message(Message),
    /// Somebody changed what they had said.
    Edited(Edited),
    /// Somebody withdrew what they had said.
    Deleted(Deleted),
}

impl Record {
    /// In which room's log it is.
    pub fn room(&self) -> &RoomName {
        match self {
            Record::Message(Message { room, .. })
            | Record::Edited(Edited { room, .. })
            | Record::Deleted(Deleted { room, .. }) => room,
        }
    }

    /// Its number.
    pub fn seq(&self) -> Seq {
        match self {
            Record::Message(Message { seq, .. })
            | Record::Edited(Edited { seq, .. })
            | Record::Deleted(Deleted { seq, .. }) => *seq,
        }
    }

    /// When the server took it, in milliseconds since 1970 (UTC).
    pub fn at(&self) -> u64 {
        match self {
            Record::Message(Message { at, .. })
            | Record::Edited(Edited { at, .. })
            | Record::Deleted(Deleted { at, .. }) => *at,
        }
    }

    /// The words in it.
    pub fn text(&self) -> Option<&Text> {
        match self {
            Record::Message(Message { text, .. }) | Record::Edited(Edited { text, .. }) => Some(text),
            Record::Deleted(_) => None,
        }
    }
}

impl From<Record> for Event {
    fn from(record: Record) -> Self {
        match record {
            Record::Message(message) => Event::Message(message),
            Record::Edited(edited) => Event::Edited(edited),
            Record::Deleted(deleted) => Event::Deleted(deleted),
        }
    }
}

/// Who came and went in a room since the last such event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// The room.
    pub room: RoomName,
    /// Who came; [`PRESENCE_NAMES_MAX`](crate::limits::PRESENCE_NAMES_MAX) names at most.
    pub joined: Vec<Nick>,
    /// How many came.
    pub joined_count: usize,
    /// Who went; as many names at most.
    pub left: Vec<Nick>,
    /// How many went.
    pub left_count: usize,
    /// How many are there now.
    pub count: usize,
}

/// Somebody in a room took another nickname.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rename {
    /// The room.
    pub room: RoomName,
    /// The name until now.
    pub from: Nick,
    /// The name from now on.
    pub to: Nick,
}

/// A room that the peer is in, and where its reading begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entered {
    /// The room.
    pub room: RoomName,
    /// Entries behind this position follow as events.
    #[serde(flatten)]
    pub position: Position,
    /// How many are there, hidden people not counted.
    pub count: usize,
    /// In a direct conversation, the other person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<Nick>,
    /// The last message that the peer, as a person, has read here; absent if it never said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Seq>,
    /// How many messages are behind that one; [`UNREAD_MAX`](crate::limits::UNREAD_MAX) at most.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unread: usize,
}

/// A row of the list of rooms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomSummary {
    /// The room.
    pub room: RoomName,
    /// How many are there, hidden people not counted.
    pub count: usize,
    /// Whether the peer is one of them.
    pub member: bool,
}

/// Part of a room's log, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The room.
    pub room: RoomName,
    /// The life of the log that the numbers belong to.
    pub epoch: u64,
    /// The entries.
    pub messages: Vec<Message>,
    /// Whether the log goes on in the direction that was asked for.
    pub more: bool,
}

/// What a client should stay within, so that it is never told off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of a message's text.
    pub text: usize,
    /// Bytes of a frame.
    pub frame: usize,
    /// Messages a second, averaged; `null` is no limit.
    pub rate: Option<u32>,
    /// Messages at once.
    pub burst: Option<u32>,
    /// Rooms at once.
    pub rooms: usize,
}

/// What a peer is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// The answer to `hello`.
    Welcome {
        /// The label of the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
        /// The nickname, as others see it.
        nick: Nick,
        /// By which the peer is known when it comes back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<Token>,
        /// Whether the peer's token was known: it is who it was.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        resumed: bool,
        /// Whether it is out of sight.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        hidden: bool,
        /// The server's name and version.
        server: String,
        /// The rooms that the peer is in.
        rooms: Vec<Entered>,
        /// What to stay within.
        limits: Limits,
    },
    /// A message in a room that the peer is in.
    Message(Message),
    /// A message has other words now.
    Edited(Edited),
    /// A message is gone.
    Deleted(Deleted),
    /// Who came and went.
    Presence(Presence),
    /// Who has another name.
    Renamed(Rename),
    /// The log has lost entries that the peer has not seen: those behind `after` up to and
    /// without `before`.
    Gap {
        /// The room.
        room: RoomName,
        /// The life of the log.
        epoch: u64,
        /// The last position that the peer had seen; 0 if it was of another epoch.
        after: Seq,
        /// The first entry that can still be read.
        before: Seq,
    },
    /// The message, its change or its withdrawal is in the log.
    Ack {
        /// The label of the request.
        id: RequestId,
        /// The room whose log it is in.
        room: RoomName,
        /// Its number there.
        seq: Seq,
    },
    /// The peer is in a room now: by `join` or `create`, or because somebody opened a direct
    /// conversation.
    Joined {
        /// The label of the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
        /// Whether the request created the room.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        created: bool,
        /// Which room, and where reading begins.
        #[serde(flatten)]
        entered: Entered,
    },
    /// The peer is in a room no longer.
    Left {
        /// The label of the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
        /// The room.
        room: RoomName,
    },
    /// Part of the list of public rooms, by name.
    Rooms {
        /// The label of the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
        /// The rows.
        rooms: Vec<RoomSummary>,
        /// Whether the list goes on behind the last row.
        more: bool,
    },
    /// Part of a list of members, by name.
    Members {
        /// The label of the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
        /// The room; absent for the whole server.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<RoomName>,
        /// The names.
        members: Vec<Nick>,
        /// How many names stand before the first.
        #[serde(default, skip_serializing_if = "is_zero")]
        before: usize,
        /// How many there are in all.
        count: usize,
        /// Whether the list goes on behind the last name.
        more: bool,
    },
    /// The peer has another nickname.
    Nick {
        /// The label of the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
        /// The nickname, as others see it.
        nick: Nick,
    },
    /// The peer is out of sight, or in sight again.
    Hidden {
        /// The label of the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
        /// Whether it is out of sight.
        hidden: bool,
    },
    /// Part of a room's log.
    History {
        /// The label of the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
        /// The part.
        #[serde(flatten)]
        history: History,
    },
    /// Messages with the words that were looked for, newest first page first, oldest first in it.
    Found {
        /// The label of the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
        /// The messages.
        #[serde(flatten)]
        history: History,
    },
    /// A room has been read up to a message, by one of the peer's clients.
    Read {
        /// The label of the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
        /// The room.
        room: RoomName,
        /// The last message read.
        seq: Seq,
    },
    /// A sign of life.
    Pong {
        /// The label of the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
    },
    /// A request was not carried out. The connection goes on.
    Error {
        /// The label of the request, where it could be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
        /// What went wrong.
        #[serde(flatten)]
        error: ErrorReply,
    },
    /// The last event of a connection.
    Disconnect(Disconnect),
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}
