//! Events to lines: what a terminal shows.
//!
//! Every line of a person begins with their nickname, with a room in brackets before it, or with
//! `* ` and the nickname; every line of the server's own with `Server:`, apart from the replies
//! that the original had. Names and texts can hold no line break and no control character, so
//! nobody can write a line of another kind.

use std::fmt::Write as _;

use crate::limits::PAGE_MAX;
use crate::{Deleted, Edited, History, Message, Nick, Record, RoomName};

/// How a peer's lines end, and which of them it is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// LF.
    Lf,
    /// CRLF.
    CrLf,
    /// LF between lines, which the writer leaves off at the end of what it sends. Such a peer is
    /// one of the original's clients and hears what the original said.
    Unframed,
}

/// What the server tells about people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// Somebody has come.
    Online(Nick),
    /// Somebody has gone.
    Offline {
        /// Who.
        nick: Nick,
        /// Whether they said so (`/quit`).
        quit: bool,
    },
    /// Somebody has entered a room.
    Joined {
        /// Who.
        nick: Nick,
        /// Which room.
        room: RoomName,
    },
    /// Somebody has left a room.
    Left {
        /// Who.
        nick: Nick,
        /// Which room.
        room: RoomName,
    },
    /// People came to a large room and went from it.
    Crowd {
        /// The room.
        room: RoomName,
        /// How many came.
        joined: usize,
        /// How many went.
        left: usize,
        /// How many are there now.
        count: usize,
    },
    /// Somebody has another nickname.
    Renamed {
        /// The name until now.
        from: Nick,
        /// The name from now on.
        to: Nick,
    },
}

impl Notice {
    /// What a room is told of somebody who is in it from their hello on.
    pub fn arrival(nick: Nick, room: &RoomName) -> Self {
        match room.is_lobby() {
            true => Notice::Online(nick),
            false => Notice::Joined { nick, room: room.clone() },
        }
    }
}

/// Appends a message, as everybody but its author sees it: one line.
pub fn message(message: &Message, style: Style, out: &mut Vec<u8>) {
    let Message { room, from, text, action, reply, edited, .. } = message;
    if room.is_direct() {
        out.extend_from_slice(b"[DM] ");
    } else if !room.is_lobby() {
        for part in ["[", room.as_str(), "] "] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    let [before, behind] = if *action { ["* ", " "] } else { ["", ": "] };
    for part in [before, from.as_str(), behind] {
        out.extend_from_slice(part.as_bytes());
    }
    if let Some(answered) = reply {
        for part in ["(in reply to ", answered.from.as_str(), ") "] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    out.extend_from_slice(text.as_str().as_bytes());
    if *edited {
        out.extend_from_slice(b" (edited)");
    }
    end_line(style, out);
}

/// Appends an entry of a log, as everybody but its author sees it: one line.
pub fn record(record: &Record, style: Style, out: &mut Vec<u8>) {
    match record {
        Record::Message(entry) => message(entry, style, out),
        Record::Edited(Edited { room, from, text, .. }) => {
            reply(&format!("Server: {from} changed a message{} to: {text}", place(room)), style, out);
        }
        Record::Deleted(Deleted { room, from, .. }) => {
            reply(&format!("Server: {from} withdrew a message{}.", place(room)), style, out);
        }
    }
}

/// Where it was said, unless that goes without saying.
fn place(room: &RoomName) -> String {
    match room {
        _ if room.is_lobby() => String::new(),
        _ if room.is_direct() => " between the two of you".to_owned(),
        _ => format!(" in {room}"),
    }
}

/// Appends a notice, or nothing if peers of that style are not told: an unframed one hears only
/// of people who come to the server and leave it.
pub fn notice(notice: &Notice, style: Style, out: &mut Vec<u8>) {
    let unframed = style == Style::Unframed;
    let line = match notice {
        Notice::Online(nick) => format!("Server: {nick} is online!"),
        Notice::Offline { nick, quit: true } if unframed => format!("{nick} is offline"),
        Notice::Offline { nick, .. } => format!("Server: {nick} is offline."),
        Notice::Joined { .. } | Notice::Left { .. } if unframed => return,
        Notice::Joined { nick, room } => format!("Server: {nick} joined {room}."),
        Notice::Left { nick, room } => format!("Server: {nick} left {room}."),
        Notice::Crowd { room, .. } if unframed && !room.is_lobby() => return,
        Notice::Crowd { joined: 0, left: 0, .. } => return,
        Notice::Crowd { room, joined, left, count } => crowd(room, *joined, *left, *count),
        Notice::Renamed { from, to } => format!("Server: {from} is now known as {to}."),
    };
    reply(&line, style, out);
}

/// Appends a text of the server's own, of one line or several.
pub fn reply(text: &str, style: Style, out: &mut Vec<u8>) {
    for line in text.lines() {
        out.extend_from_slice(line.as_bytes());
        end_line(style, out);
    }
}

/// Appends part of a room's log between two lines of the server's.
pub fn history(history: &History, style: Style, out: &mut Vec<u8>) {
    let messages = &history.messages;
    let place = match messages.first() {
        Some(Message { from, to: Some(to), .. }) => format!("between {from} and {to}"),
        _ if history.room.is_direct() => "between the two of you".to_owned(),
        _ => format!("in {}", history.room),
    };
    match messages.len() {
        0 => return reply(&format!("Server: no messages {place} yet."), style, out),
        1 => reply(&format!("Server: the last message {place}:"), style, out),
        count => reply(&format!("Server: the last {} messages {place}:", grouped(count)), style, out),
    }
    for entry in messages {
        message(entry, style, out);
    }
    reply("Server: end of history.", style, out);
}

/// Appends what a search has found between two lines of the server's.
pub fn found(found: &History, style: Style, out: &mut Vec<u8>) {
    let place = match found.room.is_direct() {
        true => "between the two of you".to_owned(),
        false => format!("in {}", found.room),
    };
    match found.messages.len() {
        0 => return reply(&format!("Server: nothing found {place}."), style, out),
        1 => reply(&format!("Server: one message found {place}:"), style, out),
        count => reply(&format!("Server: {} messages found {place}:", grouped(count)), style, out),
    }
    for entry in &found.messages {
        message(entry, style, out);
    }
    let end = match found.more {
        true => "Server: end of the newest; there are older ones, which more words would narrow down.",
        false => "Server: end of what was found.",
    };
    reply(end, style, out);
}

/// What somebody who comes back has missed in a room, and how to see it.
pub fn missed(room: &RoomName, count: usize) -> String {
    let messages = if count == 1 { "1 message".to_owned() } else { format!("{} messages", grouped(count)) };
    let shown = count.min(PAGE_MAX);
    let (how, verb) = match room.is_lobby() {
        true => (format!("/history {shown}"), "shows"),
        false => (format!("/join {room} and /history {shown}"), "show"),
    };
    let which = match count {
        1 => "it",
        _ if shown < count => "the last of them",
        _ => "them",
    };
    format!("Server: You have missed {messages} in {room}; {how} {verb} {which}.")
}

/// The reply to `/members`: part of a list of `count` names that begins behind the first `before`
/// of them, numbered on from there. Without a `room` it is the list of everybody online.
pub fn members(room: Option<&RoomName>, members: &[Nick], before: usize, count: usize) -> String {
    let mut text = "Active chat members are:".to_owned();
    for (number, nick) in (before + 1..).zip(members) {
        push(&mut text, format_args!("\n{number}. {nick}"));
    }
    let more = count.saturating_sub(before + members.len());
    if let (Some(last), 1..) = (members.last(), more) {
        let room = room.map_or(crate::LOBBY, RoomName::as_str);
        let more = grouped(more);
        push(&mut text, format_args!("\nServer: {more} more; /members {room} {last} goes on behind {last}."));
    }
    text
}

/// The reply to `/get_rooms`: part of a list of rooms, which may go on.
pub fn rooms<'a>(rooms: impl IntoIterator<Item = &'a RoomName>, more: bool) -> String {
    let mut text = "Rooms:".to_owned();
    let mut last = None;
    for room in rooms {
        push(&mut text, format_args!("\n{room}"));
        last = Some(room);
    }
    match last {
        None => "No rooms available".to_owned(),
        Some(last) if more => {
            push(
                &mut text,
                format_args!("\nServer: there are more; /get_rooms {last} goes on behind {last}."),
            );
            text
        }
        Some(_) => text,
    }
}

/// A number for people: `5,000`.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn crowd(room: &RoomName, joined: usize, left: usize, count: usize) -> String {
    let (came, went, here) = if room.is_lobby() {
        ("came online".to_owned(), "went offline".to_owned(), "here")
    } else {
        (format!("joined {room}"), format!("left {room}"), "there")
    };
    let people =
        |number| if number == 1 { "1 person".to_owned() } else { format!("{} people", grouped(number)) };
    let what = match (joined, left) {
        (joined, 0) => format!("{} {came}", people(joined)),
        (0, left) => format!("{} {went}", people(left)),
        (joined, left) => format!("{} {came}, {} {went}", people(joined), grouped(left)),
    };
    format!("Server: {what}, {} {here}.", grouped(count))
}

fn end_line(style: Style, out: &mut Vec<u8>) {
    out.extend_from_slice(match style {
        Style::Lf | Style::Unframed => b"\n",
        Style::CrLf => b"\r\n",
    });
}

fn push(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).expect("writing to memory cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Text;

    fn nick(name: &str) -> Nick {
        Nick::parse(name).unwrap()
    }

    fn room(name: &str) -> RoomName {
        RoomName::parse(name).unwrap()
    }

    fn said(place: &str, text: &str, action: bool) -> Message {
        let room = room(place);
        let to = room.is_direct().then(|| nick("bob"));
        Message {
            room,
            seq: 1,
            at: 0,
            from: nick("alice"),
            to,
            text: Text::clean(text).unwrap(),
            action,
            reply: None,
            edited: false,
        }
    }

    fn rendered(render: impl Fn(Style, &mut Vec<u8>), style: Style) -> String {
        let mut out = Vec::new();
        render(style, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn told(what: Notice, style: Style) -> String {
        rendered(|style, out| notice(&what, style, out), style)
    }

    #[test]
    fn a_message_shows_where_it_was_said() {
        for (place, action, line) in [
            ("lobby", false, "alice: waves\n"),
            ("dev", false, "[dev] alice: waves\n"),
            ("@7", false, "[DM] alice: waves\n"),
            ("lobby", true, "* alice waves\n"),
            ("dev", true, "[dev] * alice waves\n"),
            ("@7", true, "[DM] * alice waves\n"),
        ] {
            let entry = said(place, "waves", action);
            assert_eq!(rendered(|style, out| message(&entry, style, out), Style::Lf), line);
        }
    }

    #[test]
    fn an_answer_names_whom_it_answers() {
        let reply = Some(crate::Answered { seq: 1, from: nick("bob") });
        let answer = Message { reply, edited: true, ..said("dev", "yes", false) };
        assert_eq!(
            rendered(|style, out| message(&answer, style, out), Style::Lf),
            "[dev] alice: (in reply to bob) yes (edited)\n"
        );
    }

    #[test]
    fn changes_are_told_in_words() {
        let text = Text::clean("the cat").unwrap();
        let edited = |place: &str| {
            let (room, from, text) = (room(place), nick("alice"), text.clone());
            Record::Edited(Edited { room, seq: 2, at: 0, from, target: 1, text })
        };
        let deleted = Deleted { room: room("dev"), seq: 2, at: 0, from: nick("alice"), target: 1 };
        for (entry, line) in [
            (edited("lobby"), "Server: alice changed a message to: the cat\n"),
            (edited("dev"), "Server: alice changed a message in dev to: the cat\n"),
            (edited("@7"), "Server: alice changed a message between the two of you to: the cat\n"),
            (Record::Deleted(deleted), "Server: alice withdrew a message in dev.\n"),
        ] {
            assert_eq!(rendered(|style, out| record(&entry, style, out), Style::Lf), line);
        }
    }

    #[test]
    fn a_crlf_peer_gets_crlf_on_every_line() {
        let list = |style, out: &mut Vec<u8>| reply("Rooms:\ndev\n", style, out);
        assert_eq!(rendered(list, Style::CrLf), "Rooms:\r\ndev\r\n");
        assert_eq!(rendered(list, Style::Unframed), "Rooms:\ndev\n");
    }

    #[test]
    fn notices_name_people() {
        let alice = || nick("alice");
        for (what, line) in [
            (Notice::Online(alice()), "Server: alice is online!\n"),
            (Notice::Offline { nick: alice(), quit: false }, "Server: alice is offline.\n"),
            (Notice::Offline { nick: alice(), quit: true }, "Server: alice is offline.\n"),
            (Notice::Joined { nick: alice(), room: room("dev") }, "Server: alice joined dev.\n"),
            (Notice::Left { nick: alice(), room: room("dev") }, "Server: alice left dev.\n"),
            (
                Notice::Renamed { from: alice(), to: nick("alicia") },
                "Server: alice is now known as alicia.\n",
            ),
        ] {
            assert_eq!(told(what, Style::Lf), line);
        }
    }

    #[test]
    fn an_unframed_peer_hears_what_the_original_said() {
        let alice = || nick("alice");
        let crowd = |place| Notice::Crowd { room: room(place), joined: 2, left: 0, count: 40 };
        for (what, line) in [
            (Notice::Online(alice()), "Server: alice is online!\n"),
            (Notice::Offline { nick: alice(), quit: false }, "Server: alice is offline.\n"),
            (Notice::Offline { nick: alice(), quit: true }, "alice is offline\n"),
            (Notice::Joined { nick: alice(), room: room("dev") }, ""),
            (Notice::Left { nick: alice(), room: room("dev") }, ""),
            (crowd("dev"), ""),
            (crowd("lobby"), "Server: 2 people came online, 40 here.\n"),
        ] {
            assert_eq!(told(what, Style::Unframed), line);
        }
    }

    #[test]
    fn a_crowd_is_counted() {
        for (place, joined, left, count, line) in [
            ("lobby", 37, 0, 5000, "Server: 37 people came online, 5,000 here.\n"),
            ("lobby", 0, 3, 4997, "Server: 3 people went offline, 4,997 here.\n"),
            ("lobby", 37, 3, 5000, "Server: 37 people came online, 3 went offline, 5,000 here.\n"),
            ("lobby", 1, 0, 33, "Server: 1 person came online, 33 here.\n"),
            ("dev", 37, 1, 120, "Server: 37 people joined dev, 1 left dev, 120 there.\n"),
            ("dev", 0, 1, 120, "Server: 1 person left dev, 120 there.\n"),
            ("dev", 0, 0, 120, ""),
        ] {
            assert_eq!(told(Notice::Crowd { room: room(place), joined, left, count }, Style::Lf), line);
        }
    }

    #[test]
    fn a_list_goes_on_where_it_ended() {
        let names = [nick("alice"), nick("bob")];
        assert_eq!(members(None, &names, 0, 2), "Active chat members are:\n1. alice\n2. bob");
        assert_eq!(
            members(None, &names, 50, 4952),
            "Active chat members are:\n51. alice\n52. bob\n\
             Server: 4,900 more; /members lobby bob goes on behind bob."
        );
        assert!(
            members(Some(&room("dev")), &names, 0, 3)
                .ends_with("1 more; /members dev bob goes on behind bob.")
        );
        assert_eq!(members(None, &[], 0, 0), "Active chat members are:");
        assert_eq!(rooms(&[], false), "No rooms available");
        assert_eq!(rooms(&[room("dev"), room("ops")], false), "Rooms:\ndev\nops");
        assert!(
            rooms(&[room("dev")], true)
                .ends_with("\nServer: there are more; /get_rooms dev goes on behind dev.")
        );
    }

    #[test]
    fn history_stands_between_two_lines_of_the_server() {
        let log = |place: &str, messages| History { room: room(place), epoch: 1, messages, more: false };
        let shown = |log: History| rendered(|style, out| history(&log, style, out), Style::Lf);
        assert_eq!(shown(log("lobby", vec![])), "Server: no messages in lobby yet.\n");
        assert_eq!(shown(log("@7", vec![])), "Server: no messages between the two of you yet.\n");
        let one = || said("dev", "hi", false);
        assert_eq!(
            shown(log("dev", vec![one()])),
            "Server: the last message in dev:\n[dev] alice: hi\nServer: end of history.\n"
        );
        assert!(shown(log("dev", vec![one(), one()])).starts_with("Server: the last 2 messages in dev:\n"));
        let direct = shown(log("@7", vec![said("@7", "hi", false)]));
        assert!(direct.starts_with("Server: the last message between alice and bob:\n[DM] alice: hi\n"));
    }

    #[test]
    fn what_is_found_stands_between_two_lines_of_the_server() {
        let found = |messages, more| History { room: room("dev"), epoch: 1, messages, more };
        let shown = |log: History| rendered(|style, out| super::found(&log, style, out), Style::Lf);
        assert_eq!(shown(found(vec![], false)), "Server: nothing found in dev.\n");
        assert_eq!(
            shown(found(vec![said("dev", "hi", false)], false)),
            "Server: one message found in dev:\n[dev] alice: hi\nServer: end of what was found.\n"
        );
        assert!(shown(found(vec![said("dev", "hi", false)], true)).contains("there are older ones"));
    }

    #[test]
    fn who_comes_back_is_told_how_to_see_what_was_missed() {
        assert_eq!(
            missed(&room("lobby"), 1),
            "Server: You have missed 1 message in lobby; /history 1 shows it."
        );
        assert_eq!(
            missed(&room("dev"), 1_000),
            "Server: You have missed 1,000 messages in dev; /join dev and /history 200 show the last of them."
        );
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
