//! What a load generator has to see of the server's events, without parsing them: the server writes
//! `type` first, and its own names need no escapes.

/// Whether an event is a message.
pub(crate) fn is_message(line: &[u8]) -> bool {
    line.starts_with(br#"{"type":"message""#)
}

/// An answer to a `send`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ack {
    /// The number in its label.
    pub(crate) id: u64,
    /// The place of the message in its room's log.
    pub(crate) seq: u64,
}

/// The ack in an event, if it is one.
pub(crate) fn ack(line: &[u8]) -> Option<Ack> {
    let fields = line.strip_prefix(br#"{"type":"ack""#)?;
    Some(Ack { id: number(fields, br#""id":""#)?, seq: number(fields, br#""seq":"#)? })
}

/// Whether an event says that something has gone wrong.
pub(crate) fn is_trouble(line: &[u8]) -> bool {
    [br#"{"type":"error""#.as_slice(), br#"{"type":"disconnect""#].iter().any(|start| line.starts_with(start))
}

/// Whether an event says that messages are lost to this client.
pub(crate) fn is_gap(line: &[u8]) -> bool {
    line.starts_with(br#"{"type":"gap""#)
}

/// The sequence number of a message.
pub(crate) fn seq(line: &[u8]) -> Option<u64> {
    number(line, br#""seq":"#)
}

fn number(line: &[u8], name: &[u8]) -> Option<u64> {
    let start = memchr::memmem::find(line, name)? + name.len();
    let digits = line[start..].iter().take_while(|byte| byte.is_ascii_digit());
    let mut value = None;
    for digit in digits {
        value = Some(value.unwrap_or(0_u64).checked_mul(10)? + u64::from(digit - b'0'));
    }
    value
}

/// Appends a `send` with a number for a label. `room` and `text` need no escapes.
pub(crate) fn send(room: &str, id: u64, text: &str, out: &mut Vec<u8>) {
    for part in [r#"{"type":"send","room":""#, room, r#"","id":""#, &id.to_string(), r#"","text":""#, text] {
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(b"\"}\n");
}

/// Appends the `message` that somebody in the room gets, as the server writes it.
pub(crate) fn message(room: &str, text: &[u8], out: &mut Vec<u8>) {
    let (start, middle) = (
        br#"{"type":"message","room":""#,
        br#"","seq":1234567,"at":1767225600000,"from":"sender0","text":""#,
    );
    for part in [start.as_slice(), room.as_bytes(), middle, text, b"\"}"] {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use crosstalk_protocol::{Command, Event, RequestId, RoomName, json};

    use super::*;

    #[test]
    fn what_the_protocol_writes_is_seen() {
        let event = Event::Ack {
            id: RequestId::new("42").unwrap(),
            room: RoomName::parse("dev").unwrap(),
            seq: 7_000_000_000,
        };
        let mut line = Vec::new();
        json::encode_event(&event, &mut line);
        assert_eq!(ack(&line), Some(Ack { id: 42, seq: 7_000_000_000 }));
        assert!(!is_message(&line) && !is_trouble(&line));
    }

    #[test]
    fn what_is_sent_is_understood() {
        let mut line = Vec::new();
        send("dev", 42, "hello there", &mut line);
        let request = json::decode_request(line.trim_ascii_end()).unwrap();
        assert_eq!(request.id, RequestId::new("42"));
        assert!(matches!(request.command, Command::Send { text, .. } if text.as_str() == "hello there"));
    }
}
