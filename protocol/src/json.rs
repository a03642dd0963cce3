//! The JSON codec: one object a command or event, over WebSocket text frames or, one a line, TCP.
//!
//! Unknown fields are ignored, `null` is a field left out, an unknown `type` is an error, and every
//! error names the field, or its column, and what it should be. Nothing here panics, whatever the
//! bytes.

mod lines;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::command::page_limit;
use crate::{
    Command, EntryRoom, ErrorCode, ErrorReply, Event, HistoryRange, Nick, Page, Position, Request, RequestId,
    RoomName, Seq, Target, Text, Token, limits,
};

pub use lines::LineDecoder;

/// The `type` of every command, for the answer to one that does not exist.
const TYPES: [&str; 17] = [
    "hello", "send", "edit", "delete", "read", "create", "join", "leave", "rooms", "members", "nick", "hide",
    "reveal", "history", "search", "ping", "quit",
];

/// Most characters of the parser's words that an error repeats.
const SHOWN_CHARS: usize = 120;

/// A request that could not be understood, with the label of its answer if that could be read.
#[derive(Clone, Debug, PartialEq)]
pub struct DecodeError {
    /// The label of the request.
    pub id: Option<RequestId>,
    /// What to tell the peer.
    pub error: ErrorReply,
}

/// Reads one command.
///
/// # Errors
/// [`DecodeError`], to be sent to the peer, which may go on.
pub fn decode_request(bytes: &[u8]) -> Result<Request, DecodeError> {
    let without_id = |error| DecodeError { id: None, error };
    if std::str::from_utf8(bytes).is_err() {
        return Err(without_id(ErrorReply::not_utf8()));
    }
    // An array of the fields' values would do for serde, but not for the contract.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(without_id(bad_request("A frame is a JSON object.")));
    }
    let frame: Frame<'_> = match serde_json::from_slice(bytes) {
        Ok(frame) => frame,
        Err(error) => {
            // The answer still finds its request where the label is readable on its own.
            #[derive(Deserialize)]
            struct OnlyId {
                id: Option<RequestId>,
            }
            let id = serde_json::from_slice::<OnlyId>(bytes).ok().and_then(|only| only.id);
            return Err(DecodeError { id, error: not_valid(&error) });
        }
    };
    let id =
        match &frame.id {
            None => None,
            Some(id) => Some(RequestId::new(&id.0).ok_or_else(|| {
                without_id(bad_request(format!("\"id\" has 1 to {} bytes.", limits::ID_MAX)))
            })?),
        };
    match frame.command() {
        Ok(command) => Ok(Request { id, command }),
        Err(error) => Err(DecodeError { id, error }),
    }
}

/// Writes one command, without a line ending.
pub fn encode_request(request: &Request) -> String {
    let target = |object: &mut Value, target: &Target| match target {
        Target::Room(room) => object["room"] = json!(room),
        Target::User(nick) => object["to"] = json!(nick),
    };
    let entry_room = |entry: &EntryRoom| {
        let mut object = json!({ "room": entry.room });
        if let Some(position) = entry.position {
            object["position"] = json!(position);
        }
        object
    };
    let page = |object: &mut Value, page: &Page| {
        object["limit"] = json!(page.limit);
        if let Some(after) = &page.after {
            object["after"] = json!(after);
        }
    };
    let mut object = match &request.command {
        Command::Hello { nick, token, client, rooms, hidden } => {
            let mut object = json!({ "type": "hello", "nick": nick });
            if let Some(token) = token {
                object["token"] = json!(token);
            }
            if let Some(client) = client {
                object["client"] = json!(client);
            }
            if let Some(rooms) = rooms {
                object["rooms"] = rooms.iter().map(entry_room).collect();
            }
            if *hidden {
                object["hidden"] = json!(true);
            }
            object
        }
        Command::Send { to, text, action, reply } => {
            let mut object = json!({ "type": "send", "text": text });
            target(&mut object, to);
            if *action {
                object["action"] = json!(true);
            }
            if let Some(reply) = reply {
                object["reply"] = json!(reply);
            }
            object
        }
        Command::Edit { room, seq, text } => {
            json!({ "type": "edit", "room": room, "seq": seq, "text": text })
        }
        Command::Delete { room, seq } => json!({ "type": "delete", "room": room, "seq": seq }),
        Command::Read { room, seq } => json!({ "type": "read", "room": room, "seq": seq }),
        Command::Search { of, words, before, limit } => {
            let mut object = json!({ "type": "search", "words": words, "limit": limit });
            target(&mut object, of);
            if let Some(before) = before {
                object["before"] = json!(before);
            }
            object
        }
        Command::Create { room } => json!({ "type": "create", "room": room }),
        Command::Join(entry) => {
            let mut object = entry_room(entry);
            object["type"] = json!("join");
            object
        }
        Command::Leave { room } => json!({ "type": "leave", "room": room }),
        Command::Rooms(wanted) => {
            let mut object = json!({ "type": "rooms" });
            page(&mut object, wanted);
            object
        }
        Command::Members { room, page: wanted } => {
            let mut object = json!({ "type": "members" });
            page(&mut object, wanted);
            if let Some(room) = room {
                object["room"] = json!(room);
            }
            object
        }
        Command::Nick { nick } => json!({ "type": "nick", "nick": nick }),
        Command::Hide => json!({ "type": "hide" }),
        Command::Reveal => json!({ "type": "reveal" }),
        Command::History { of, range, limit } => {
            let mut object = json!({ "type": "history", "limit": limit });
            target(&mut object, of);
            match range {
                HistoryRange::Latest => {}
                HistoryRange::Before(seq) => object["before"] = json!(seq),
                HistoryRange::After(seq) => object["after"] = json!(seq),
            }
            object
        }
        Command::Ping => json!({ "type": "ping" }),
        Command::Quit => json!({ "type": "quit" }),
    };
    if let Some(id) = &request.id {
        object["id"] = json!(id);
    }
    object.to_string()
}

/// Reads one event.
///
/// # Errors
/// The text of what is wrong; a client should skip an event that it does not know.
pub fn decode_event(bytes: &[u8]) -> Result<Event, serde_json::Error> {
    serde_json::from_slice(bytes)
}

/// Appends one event to `out`, without a line ending.
pub fn encode_event(event: &Event, out: &mut Vec<u8>) {
    serde_json::to_writer(out, event)
        .expect("an event has only string keys, and writing to memory cannot fail");
}

/// Every field that any command has. One pass over the bytes, whatever the order of the fields.
#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    id: Option<Str<'a>>,
    #[serde(borrow)]
    nick: Option<Str<'a>>,
    #[serde(borrow)]
    room: Option<Str<'a>>,
    #[serde(borrow)]
    to: Option<Str<'a>>,
    #[serde(borrow)]
    text: Option<Str<'a>>,
    #[serde(borrow)]
    words: Option<Str<'a>>,
    token: Option<Token>,
    client: Option<RequestId>,
    action: Option<bool>,
    hidden: Option<bool>,
    seq: Option<Seq>,
    reply: Option<Seq>,
    #[serde(borrow)]
    rooms: Option<Vec<RoomFrame<'a>>>,
    position: Option<Position>,
    /// A name in lists, a number in `history`.
    after: Option<Value>,
    before: Option<Seq>,
    limit: Option<u64>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object with \"room\"")]
struct RoomFrame<'a> {
    #[serde(borrow)]
    room: Str<'a>,
    position: Option<Position>,
}

/// A string that is borrowed from the frame unless it has escapes in it. Serde borrows a field
/// that is a `Cow`, but copies one that is an `Option<Cow>`.
#[derive(Deserialize)]
#[serde(transparent)]
struct Str<'a>(#[serde(borrow)] Cow<'a, str>);

impl Frame<'_> {
    fn command(&self) -> Result<Command, ErrorReply> {
        Ok(match &*self.kind {
            "hello" => Command::Hello {
                nick: self.nick()?,
                token: self.token.clone(),
                client: self.client.clone(),
                rooms: self.entry_rooms()?,
                hidden: self.hidden.unwrap_or(false),
            },
            "send" => Command::Send {
                to: self.target()?,
                text: self.text()?,
                action: self.action.unwrap_or(false),
                reply: self.reply,
            },
            "edit" => Command::Edit { room: self.room()?, seq: self.seq()?, text: self.text()? },
            "delete" => Command::Delete { room: self.room()?, seq: self.seq()? },
            "read" => Command::Read { room: self.room()?, seq: self.seq()? },
            "search" => Command::Search {
                of: self.target()?,
                words: self.words()?,
                before: self.before,
                limit: page_limit(self.limit),
            },
            "create" => Command::Create { room: self.room()? },
            "join" => Command::Join(EntryRoom { room: self.room()?, position: self.position }),
            "leave" => Command::Leave { room: self.room()? },
            "rooms" => Command::Rooms(self.page()?),
            "members" => {
                let room = self.room.as_ref().map(|_| self.room()).transpose()?;
                Command::Members { room, page: self.page()? }
            }
            "nick" => Command::Nick { nick: self.nick()? },
            "hide" => Command::Hide,
            "reveal" => Command::Reveal,
            "history" => {
                Command::History { of: self.target()?, range: self.range()?, limit: page_limit(self.limit) }
            }
            "ping" => Command::Ping,
            "quit" => Command::Quit,
            unknown => {
                let unknown = crate::clean(unknown);
                let shown: String = unknown.chars().take(40).collect();
                return Err(ErrorReply::new(
                    ErrorCode::UnknownCommand,
                    format!("There is no type {shown:?}; the types are {}.", TYPES.join(", ")),
                ));
            }
        })
    }

    fn required<'a>(&self, field: &'a Option<Str<'_>>, name: &str) -> Result<&'a str, ErrorReply> {
        match field {
            Some(Str(value)) => Ok(value),
            None => Err(bad_request(format!("\"{}\" needs \"{name}\", a string.", self.kind))),
        }
    }

    fn nick(&self) -> Result<Nick, ErrorReply> {
        Nick::parse(self.required(&self.nick, "nick")?).map_err(ErrorReply::bad_nick)
    }

    fn room(&self) -> Result<RoomName, ErrorReply> {
        RoomName::parse(self.required(&self.room, "room")?).map_err(ErrorReply::bad_room)
    }

    fn seq(&self) -> Result<Seq, ErrorReply> {
        self.seq.ok_or_else(|| bad_request(format!("\"{}\" needs \"seq\", a whole number.", self.kind)))
    }

    fn words(&self) -> Result<String, ErrorReply> {
        let words = self.required(&self.words, "words")?;
        if words.len() > limits::WORDS_MAX {
            return Err(bad_request(format!("\"words\" has {} bytes at most.", limits::WORDS_MAX)));
        }
        Ok(words.to_owned())
    }

    fn text(&self) -> Result<Text, ErrorReply> {
        Ok(Text::clean(self.required(&self.text, "text")?)?)
    }

    fn target(&self) -> Result<Target, ErrorReply> {
        match (&self.room, &self.to) {
            (Some(_), None) => Ok(Target::Room(self.room()?)),
            (None, Some(nick)) => Ok(Target::User(Nick::parse(&nick.0).map_err(ErrorReply::bad_nick)?)),
            _ => Err(bad_request(format!("\"{}\" needs either \"room\" or \"to\".", self.kind))),
        }
    }

    fn entry_rooms(&self) -> Result<Option<Vec<EntryRoom>>, ErrorReply> {
        let Some(rooms) = &self.rooms else { return Ok(None) };
        if rooms.len() > limits::HELLO_ROOMS_MAX {
            return Err(bad_request(format!("\"rooms\" has {} rooms at most.", limits::HELLO_ROOMS_MAX)));
        }
        rooms
            .iter()
            .map(|entry| {
                let room = RoomName::parse(&entry.room.0).map_err(ErrorReply::bad_room)?;
                Ok(EntryRoom { room, position: entry.position })
            })
            .collect::<Result<_, _>>()
            .map(Some)
    }

    fn page(&self) -> Result<Page, ErrorReply> {
        let after = match &self.after {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) => Some(name.clone()),
            Some(_) => {
                return Err(bad_request(format!("\"after\" of \"{}\" is a name, a string.", self.kind)));
            }
        };
        Ok(Page { after, limit: page_limit(self.limit) })
    }

    fn range(&self) -> Result<HistoryRange, ErrorReply> {
        let after = match &self.after {
            None | Some(Value::Null) => None,
            Some(value) => Some(
                value
                    .as_u64()
                    .ok_or_else(|| bad_request("\"after\" of \"history\" is a seq, a whole number."))?,
            ),
        };
        match (self.before, after) {
            (None, None) => Ok(HistoryRange::Latest),
            (Some(before), None) => Ok(HistoryRange::Before(before)),
            (None, Some(after)) => Ok(HistoryRange::After(after)),
            (Some(_), Some(_)) => Err(bad_request("\"history\" takes \"before\" or \"after\", not both.")),
        }
    }
}

/// The parser's own words, which may repeat a string from the frame: cleaned and cut.
fn not_valid(error: &serde_json::Error) -> ErrorReply {
    let words = crate::clean(&error.to_string());
    let what = words.rsplit_once(" at line ").map_or(&*words, |(what, _)| what);
    let shown: String = what.chars().take(SHOWN_CHARS).collect();
    bad_request(format!("Not a valid frame: {shown}, at column {}.", error.column()))
}

fn bad_request(message: impl Into<String>) -> ErrorReply {
    ErrorReply::new(ErrorCode::BadRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(frame: &str) -> Request {
        decode_request(frame.as_bytes()).unwrap()
    }

    fn refused(frame: &str) -> String {
        decode_request(frame.as_bytes()).unwrap_err().error.message
    }

    #[test]
    fn null_is_a_field_left_out() {
        let frame = r#"{"type":"send","id":null,"room":"lobby","to":null,"text":"hi","action":null}"#;
        assert_eq!(decoded(frame), decoded(r#"{"type":"send","room":"lobby","text":"hi"}"#));
        let frame = r#"{"type":"history","room":"lobby","before":null,"after":null,"limit":null}"#;
        assert_eq!(decoded(frame), decoded(r#"{"type":"history","room":"lobby"}"#));
    }

    #[test]
    fn strings_are_borrowed_unless_they_have_escapes() {
        let frame: Frame<'_> = serde_json::from_str(
            r#"{"type":"hello","nick":"a","text":"\u0061","rooms":[{"room":"dev"}],"ignored":[{}]}"#,
        )
        .unwrap();
        assert!(matches!(frame.kind, Cow::Borrowed("hello")));
        assert!(matches!(frame.nick, Some(Str(Cow::Borrowed("a")))));
        assert!(matches!(frame.text, Some(Str(Cow::Owned(text))) if text == "a"));
        assert!(matches!(frame.rooms.unwrap()[0].room, Str(Cow::Borrowed("dev"))));
    }

    #[test]
    fn only_an_object_is_a_frame() {
        let all = format!(r#"["ping"{}]"#, ",null".repeat(17));
        for frame in ["", "[]", "5", "null", "\"ping\"", &all] {
            assert_eq!(refused(frame), "A frame is a JSON object.", "{frame}");
        }
        assert_eq!(decoded(" \r\n{\"type\":\"ping\"}\n").command, Command::Ping);
    }

    #[test]
    fn an_error_says_what_and_where_in_few_words() {
        assert_eq!(
            refused(r#"{"type":5}"#),
            "Not a valid frame: invalid type: integer `5`, expected a string, at column 9."
        );
        assert!(refused(r#"{"type":"ping","type":"quit"}"#).contains("duplicate field `type`"));
        assert!(
            refused(r#"{"type":"hello","nick":"a","rooms":["dev"]}"#).contains("an object with \"room\"")
        );
        assert_eq!(refused(r#"{"type":"join"}"#), "\"join\" needs \"room\", a string.");
        assert_eq!(
            refused(r#"{"type":"history","room":"a","before":1,"after":2}"#),
            "\"history\" takes \"before\" or \"after\", not both."
        );
        let long = refused(&format!(r#"{{"type":"ping","action":"{}"}}"#, "x".repeat(20_000)));
        assert!(long.len() < 200 && long.ends_with("at column 20026."), "{long}");
    }

    #[test]
    fn an_error_carries_the_label_where_it_can_be_read() {
        let id =
            |frame: &str| decode_request(frame.as_bytes()).unwrap_err().id.map(|id| id.as_str().to_owned());
        assert_eq!(id(r#"{"type":"send","text":5,"id":"c\"1"}"#), Some("c\"1".to_owned()));
        assert_eq!(id(r#"{"type":"nonsense","id":"c1"}"#), Some("c1".to_owned()));
        for frame in [r#"{"type":"ping","id":5}"#, r#"{"type":"ping","id":""}"#, r#"{"id":"c1""#] {
            assert_eq!(id(frame), None, "{frame}");
        }
    }
}
