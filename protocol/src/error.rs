//! The two ways in which the server says no: an error leaves the connection as it was, a
//! disconnect ends it and says whether to come back.

use serde::{Deserialize, Serialize};

use crate::{NameError, TextError};

/// What went wrong with one request, in a form that programs can rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// Not a JSON object, or a field is missing or of the wrong type.
    BadRequest,
    /// The `type` or the `/command` is not known.
    UnknownCommand,
    /// A line or frame over its limit; it was skipped whole.
    TooLong,
    /// Bytes that are not UTF-8; the line was skipped whole.
    NotUtf8,
    /// `hello` has to come first.
    HelloFirst,
    /// `hello` has been said already.
    AlreadyWelcome,
    /// Not a valid nickname.
    BadNick,
    /// Somebody who is connected has that nickname, or one that looks the same.
    NickTaken,
    /// Not a valid room name.
    BadRoom,
    /// No room has that name.
    NoSuchRoom,
    /// A room has that name already.
    RoomExists,
    /// Only members may do that.
    NotAMember,
    /// The peer is in that room already.
    AlreadyAMember,
    /// The peer is in as many rooms as it may be, or the server has as many as it may have.
    TooManyRooms,
    /// Nobody who can be seen has that nickname.
    NoSuchUser,
    /// Empty or too long a message.
    BadText,
    /// The log has no such message, or no longer.
    NoSuchMessage,
    /// Only its author can change or withdraw a message.
    NotYourMessage,
    /// The time in which a message can be changed or withdrawn is over.
    TooLate,
    /// The `id` was another message's.
    IdReused,
    /// Only one's own name can be hidden or revealed.
    NotYourName,
    /// Faster than the rate limit; `retry_after_ms` says when to go on.
    RateLimited,
    /// The server has more to store than it can take; `retry_after_ms` says when to try again.
    Busy,
    /// A fault of the server's own, which its log describes.
    Internal,
    /// A code that is newer than this program; the message says what it means.
    #[serde(other)]
    Unknown,
}

/// The answer to a request that was not carried out. The connection goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReply {
    /// For programs.
    pub code: ErrorCode,
    /// For people: one sentence that says what to do.
    pub message: String,
    /// When the same request may succeed, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl ErrorReply {
    /// An error that trying again does not mend.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after_ms: None }
    }

    /// The answer to a nickname that is not valid.
    pub fn bad_nick(error: NameError) -> Self {
        Self::new(ErrorCode::BadNick, format!("Not a nickname: {error}."))
    }

    /// The answer to a room name that is not valid.
    pub fn bad_room(error: NameError) -> Self {
        Self::new(ErrorCode::BadRoom, format!("Not a room name: {error}."))
    }

    /// The answer to a line that is over `limit` bytes.
    pub fn too_long(limit: usize) -> Self {
        Self::new(ErrorCode::TooLong, format!("That was over {limit} bytes and was not sent; split it."))
    }

    /// The answer to bytes that are not UTF-8.
    pub fn not_utf8() -> Self {
        Self::new(ErrorCode::NotUtf8, "That was not UTF-8 and was not sent; set your terminal to UTF-8.")
    }
}

impl From<TextError> for ErrorReply {
    fn from(error: TextError) -> Self {
        Self::new(ErrorCode::BadText, format!("Not sent: {error}."))
    }
}

/// Why the server ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DisconnectCode {
    /// The peer said goodbye.
    Bye,
    /// The server is stopping; come back in a moment.
    Shutdown,
    /// No `hello` within the time that it may take.
    HelloTimeout,
    /// No sign of life within the time that it may take.
    PongTimeout,
    /// The peer accepted nothing for the write limit.
    WriteTimeout,
    /// The rate limit was ignored for too long.
    Flooding,
    /// The server has as many connections as it may have.
    ServerFull,
    /// The peer's address has as many connections as it may have.
    AddressFull,
    /// The same client has come back over another connection.
    Replaced,
    /// The peer broke the transport's own rules.
    ProtocolError,
    /// A fault of the server's own, which its log describes.
    Internal,
    /// A code that is newer than this program; the message says what it means.
    #[serde(other)]
    Unknown,
}

/// The last thing that a peer is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disconnect {
    /// For programs.
    pub code: DisconnectCode,
    /// For people: one sentence.
    pub message: String,
    /// Whether it makes sense to come back.
    pub reconnect: bool,
    /// How long to stay away at least, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl From<DisconnectCode> for Disconnect {
    fn from(code: DisconnectCode) -> Self {
        use DisconnectCode as Code;
        let (message, reconnect, retry_after_ms) = match code {
            Code::Bye => ("Bye", false, None),
            Code::Shutdown => ("The server is going down; come back in a moment.", true, Some(1_000)),
            Code::HelloTimeout => ("No nickname was given in time; connect again when ready.", false, None),
            Code::PongTimeout => ("No sign of life; connect again.", true, None),
            Code::WriteTimeout => {
                ("Nothing was read for too long; connect again and go on where you were.", true, None)
            }
            Code::Flooding => {
                ("Too many messages for too long; slow down and come back later.", true, Some(10_000))
            }
            Code::ServerFull => ("The server is full; try again later.", true, Some(10_000)),
            Code::AddressFull => {
                ("Too many connections from your address; close one or try again later.", true, Some(10_000))
            }
            Code::Replaced => ("You have come back over another connection; this one ends.", false, None),
            Code::ProtocolError => ("The connection broke its protocol.", false, None),
            Code::Internal => ("A fault in the server; its log says which.", true, Some(1_000)),
            Code::Unknown => ("The connection was ended.", true, Some(1_000)),
        };
        Self { code, message: message.to_owned(), reconnect, retry_after_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_is_newer_than_this_program_can_be_read() {
        let error: ErrorReply = serde_json::from_str(r#"{"code":"too-wise","message":"No."}"#).unwrap();
        assert_eq!(error, ErrorReply::new(ErrorCode::Unknown, "No."));
        let disconnect: Disconnect =
            serde_json::from_str(r#"{"code":"moved","message":"Gone.","reconnect":false}"#).unwrap();
        assert_eq!((disconnect.code, disconnect.reconnect), (DisconnectCode::Unknown, false));
    }
}
