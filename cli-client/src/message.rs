//! What happens to the client, and what it does about it: the two ends of [`update`](crate::update).

use std::fmt;
use std::time::Duration;

use crosstalk_protocol::{Event, Nick, Request, RoomName, Text, Token};

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    /// The connection stands; nothing has been said yet.
    Connected,
    /// The server says something.
    Received(Event),
    /// The connection broke or could not be made, and why.
    Lost(String),
    /// The time that an [`Effect::Wait`] asked for is over.
    Due(Timer),
    /// Somebody typed a line: a message or a `/command`.
    Typed(String),
    /// A line to be sent as it is, whatever it begins with.
    Say(Text),
    /// The answer to [`Effect::AskNick`], and the token of whoever had that name before, if it is
    /// known.
    Nick(Nick, Option<Token>),
    /// Somebody looks at what is shown from now on, or nobody does.
    Attention(bool),
    /// No more input comes: leave when everything has been sent and answered.
    EndOfInput,
    /// Leave now.
    Leave,
}

/// What is waited for. Each is waited for once at a time: a new wait replaces the earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Timer {
    /// The next attempt to connect.
    Reconnect,
    /// The server's word that the next message may be sent.
    Pace,
    /// The server's farewell, at most so long.
    Farewell,
    /// The connection, before a pipe gives up.
    Patience,
    /// The next word to the server about what has been read.
    Read,
}

/// What is to be done, by whoever owns the sockets, the screen and the clock.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Make a new connection in place of the one there is.
    Connect,
    /// Drop the connection.
    Close,
    /// Say something to the server.
    Send(Request),
    /// Show something.
    Show(Line),
    /// Report back after a while.
    Wait(Timer, Duration),
    /// Get another nickname, and why this one was refused.
    AskNick(String),
    /// Look up the token of whoever has had this nickname here.
    Recall(Nick),
    /// Keep the token of whoever has this nickname now, for the next start.
    Remember(Nick, Token),
    /// The end.
    Exit(Ending),
}

/// Something to show.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Line {
    /// Somebody wrote.
    Chat(Chat),
    /// Somebody wrote, on any day: a message out of the log.
    Past(Chat),
    /// Between what the user has read and what not.
    Divider(String),
    /// The server's own words, with its name before them: who came, who went.
    Server(String),
    /// The client's own words: connection lost, connected again.
    Client(String),
    /// A row of an answer: a member, a room, a line of help.
    Row(String),
    /// A request that was not carried out, why, and the text that was not sent.
    Refused(String, Option<Text>),
    /// A message of the user's own of which nobody knows whether it arrived.
    Unsure(Text),
}

/// A message as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chat {
    /// When, in milliseconds since 1970.
    pub(crate) at: u64,
    /// Where.
    pub(crate) place: Place,
    /// Who.
    pub(crate) from: Nick,
    /// Whether that is the user.
    pub(crate) own: bool,
    /// What.
    pub(crate) text: Text,
    /// Whether it tells what the author does.
    pub(crate) action: bool,
    /// Whom it answers.
    pub(crate) reply: Option<Nick>,
    /// Whether the words are not the first ones.
    pub(crate) edited: bool,
}

/// Where a message was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Place {
    /// In the lobby.
    Lobby,
    /// In another room.
    Room(RoomName),
    /// To the user alone.
    ToMe,
    /// By the user, to somebody alone.
    To(Nick),
}

/// How it ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ending {
    /// The user left, or the input was over and everything sent.
    Left,
    /// The server would not let the user in or carry out what everything else depends on.
    Refused(String),
    /// The server could not be reached, or was lost.
    Lost(String),
    /// The nickname was refused, and nobody is there to choose another.
    NickRefused(String),
}

impl Ending {
    /// The exit code, as `--help` lists them. 2 is a wrong command line.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Left => 0,
            Self::Refused(_) => 1,
            Self::Lost(_) => 3,
            Self::NickRefused(_) => 4,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left => Ok(()),
            Self::Refused(reason) | Self::Lost(reason) | Self::NickRefused(reason) => {
                formatter.write_str(reason)
            }
        }
    }
}
