//! The commands that people type: one table for the server's line door, `/help`, the hints for a
//! mistyped command, and the terminal client. `web/commands.js` holds the same names.

use crate::limits::WORDS_MAX;
use crate::{ErrorCode, ErrorReply, Nick, RoomName, Text};

/// A row of the table.
#[derive(Debug)]
pub struct Slash {
    /// The name, with its slash.
    pub name: &'static str,
    /// Other names that do the same.
    pub aliases: &'static [&'static str],
    /// What follows the name: `<needed>`, `[optional]`.
    pub arguments: &'static str,
    /// What it does, in at most 44 characters: a row of `/help` fits 80 columns.
    pub summary: &'static str,
    pub(crate) verb: Verb,
}

/// Every command, in the order of `/help`.
pub const COMMANDS: &[Slash] = &[
    row("/help", &["/?"], "", "this list", Verb::Help),
    row("/members", &["/who"], "[room] [after nick]", "who is online, or in a room", Verb::Members),
    row("/get_rooms", &["/rooms"], "[after room]", "the rooms there are", Verb::GetRooms),
    row("/create_room", &["/create"], "<room>", "create a room and go there", Verb::CreateRoom),
    row("/join", &[], "<room>", "go to a room; lines you type go there", Verb::Join),
    row("/leave", &[], "[room]", "leave a room", Verb::Leave),
    row("/room", &[], "<room> <text>", "send to a room you are in", Verb::Room),
    row("/broadcast", &[], "[text]", "send to the lobby", Verb::Broadcast),
    row("/dm", &["/msg"], "<user> <message>", "send to one person", Verb::Dm),
    row("/me", &[], "<text>", "say what you do", Verb::Me),
    row("/reply", &[], "<user> <text>", "answer their last message", Verb::Reply),
    row("/edit", &[], "<text>", "say your last message in other words", Verb::Edit),
    row("/delete", &["/undo"], "", "withdraw your last message", Verb::Delete),
    row("/nick", &[], "<nick>", "take another nickname", Verb::Nick),
    row("/hide", &[], "[your nick]", "go out of sight", Verb::Hide),
    row("/reveal", &[], "[your nick]", "come back into sight", Verb::Reveal),
    row("/history", &[], "[number|on|off]", "the last messages; off: none on joining", Verb::History),
    row("/search", &["/find"], "<words>", "find messages in the room you are in", Verb::Search),
    row("/quit", &["/exit"], "", "leave", Verb::Quit),
];

const fn row(
    name: &'static str,
    aliases: &'static [&'static str],
    arguments: &'static str,
    summary: &'static str,
    verb: Verb,
) -> Slash {
    Slash { name, aliases, arguments, summary, verb }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Help,
    Members,
    GetRooms,
    CreateRoom,
    Join,
    Leave,
    Room,
    Broadcast,
    Dm,
    Me,
    Reply,
    Edit,
    Delete,
    Nick,
    Hide,
    Reveal,
    History,
    Search,
    Quit,
}

/// What somebody typed, understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Typed {
    /// A message to the room one is in.
    Say(Text),
    /// `/me`: a message that tells what one does, to the room one is in.
    Me(Text),
    /// `/help`.
    Help,
    /// `/members`: everybody, or a room's members, behind a name.
    Members(Option<RoomName>, Option<Nick>),
    /// `/get_rooms`, behind a name.
    GetRooms(Option<RoomName>),
    /// `/create_room`.
    CreateRoom(RoomName),
    /// `/join`.
    Join(RoomName),
    /// `/leave`; without a name, the room one is in.
    Leave(Option<RoomName>),
    /// `/room`.
    Room(RoomName, Text),
    /// `/broadcast`; without a text, one is asked for.
    Broadcast(Option<Text>),
    /// `/dm`.
    Dm(Nick, Text),
    /// `/nick`.
    Nick(Nick),
    /// `/hide`; without a name, the original's clients are asked for it.
    Hide(Option<Nick>),
    /// `/reveal`, likewise.
    Reveal(Option<Nick>),
    /// `/history`, with how many messages.
    History(Option<usize>),
    /// `/history on` and `/history off`: whether the last messages are shown on entering a room.
    Backlog(bool),
    /// `/search`, with what to look for.
    Search(String),
    /// `/reply`: an answer to the last message of somebody in the room one is in.
    Reply(Nick, Text),
    /// `/edit`: other words for one's last message in the room one is in.
    Edit(Text),
    /// `/delete`: one's last message in the room one is in is withdrawn.
    Delete,
    /// `/quit`.
    Quit,
}

/// Understands one typed line. A line that begins with `//` is a message that begins with `/`.
///
/// # Errors
/// What to tell whoever typed it: the usage, the nearest command, or what is wrong with a name.
pub fn parse(line: &str) -> Result<Typed, ErrorReply> {
    let line = line.trim_end_matches(['\r', '\n']);
    if !line.starts_with('/') {
        return Ok(Typed::Say(Text::clean(line)?));
    }
    if line.starts_with("//") {
        return Ok(Typed::Say(Text::clean(&line[1..])?));
    }
    let (word, rest) = split_word(line);
    let slash = find(word).ok_or_else(|| unknown(word))?;
    let usage = || usage_error(slash);
    let none_or_usage = |typed| if rest.is_empty() { Ok(typed) } else { Err(usage()) };
    match slash.verb {
        Verb::Help => Ok(Typed::Help),
        Verb::Quit => none_or_usage(Typed::Quit),
        Verb::Members => {
            let (room, after) = split_word(rest);
            Ok(Typed::Members(optional(room, room_name)?, optional(after, nick)?))
        }
        Verb::GetRooms => Ok(Typed::GetRooms(optional(rest, room_name)?)),
        Verb::CreateRoom => Ok(Typed::CreateRoom(one_word(rest).ok_or_else(usage).and_then(room_name)?)),
        Verb::Join => Ok(Typed::Join(one_word(rest).ok_or_else(usage).and_then(room_name)?)),
        Verb::Leave => Ok(Typed::Leave(optional(rest, room_name)?)),
        Verb::Room => {
            let (room, text) = two_parts(rest).ok_or_else(usage)?;
            Ok(Typed::Room(room_name(room)?, Text::clean(text)?))
        }
        Verb::Broadcast if rest.is_empty() => Ok(Typed::Broadcast(None)),
        Verb::Broadcast => Ok(Typed::Broadcast(Some(Text::clean(rest)?))),
        Verb::Dm => {
            let (to, text) = two_parts(rest).ok_or_else(usage)?;
            Ok(Typed::Dm(nick(to)?, Text::clean(text)?))
        }
        Verb::Me if rest.is_empty() => Err(usage()),
        Verb::Me => Ok(Typed::Me(Text::clean(rest)?)),
        Verb::Nick => Ok(Typed::Nick(one_word(rest).ok_or_else(usage).and_then(nick)?)),
        Verb::Hide => Ok(Typed::Hide(optional(rest, nick)?)),
        Verb::Reveal => Ok(Typed::Reveal(optional(rest, nick)?)),
        Verb::Reply => {
            let (to, text) = two_parts(rest).ok_or_else(usage)?;
            Ok(Typed::Reply(nick(to)?, Text::clean(text)?))
        }
        Verb::Edit if rest.is_empty() => Err(usage()),
        Verb::Edit => Ok(Typed::Edit(Text::clean(rest)?)),
        Verb::Delete => none_or_usage(Typed::Delete),
        Verb::Search if rest.is_empty() => Err(usage()),
        Verb::Search if rest.len() > WORDS_MAX => Err(ErrorReply::too_long(WORDS_MAX)),
        Verb::Search => Ok(Typed::Search(rest.to_owned())),
        Verb::History if rest.is_empty() => Ok(Typed::History(None)),
        Verb::History if matches!(rest, "on" | "off") => Ok(Typed::Backlog(rest == "on")),
        Verb::History => match rest.parse() {
            Ok(count) if count > 0 => Ok(Typed::History(Some(count))),
            _ => Err(usage()),
        },
    }
}

/// The rows of `/help`: at most 22 lines of at most 79 columns.
pub fn help() -> impl Iterator<Item = String> {
    let rows = COMMANDS.iter().map(|slash| {
        let usage = format!("{} {}", slash.name, slash.arguments);
        format!("  {usage:<32} {}", slash.summary)
    });
    std::iter::once("Commands; a line without a slash goes to the room you are in:".to_owned())
        .chain(rows)
        .chain(std::iter::once(
            "  //text                           a message that begins with a slash".to_owned(),
        ))
}

/// The row of a name or alias.
pub fn find(word: &str) -> Option<&'static Slash> {
    COMMANDS.iter().find(|slash| slash.name == word || slash.aliases.contains(&word))
}

/// `Usage: /join <room>`.
pub fn usage_error(slash: &Slash) -> ErrorReply {
    let usage = format!("Usage: {} {}", slash.name, slash.arguments);
    ErrorReply::new(ErrorCode::BadRequest, usage.trim_end())
}

fn unknown(word: &str) -> ErrorReply {
    let names = COMMANDS.iter().flat_map(|slash| std::iter::once(&slash.name).chain(slash.aliases));
    let nearest = names
        .map(|name| (strsim::damerau_levenshtein(word, name), *name))
        .min()
        .filter(|(distance, name)| *distance <= name.len() / 2);
    let shown: String = crate::clean(word).chars().take(40).collect();
    let hint = match nearest {
        Some((_, name)) => format!("Unknown command {shown}. Did you mean {name}? /help lists them all."),
        None => format!(
            "Unknown command {shown}. /help lists them all; //text sends a text that begins with a slash."
        ),
    };
    ErrorReply::new(ErrorCode::UnknownCommand, hint)
}

fn split_word(line: &str) -> (&str, &str) {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (word, rest.trim())
}

fn one_word(rest: &str) -> Option<&str> {
    (!rest.is_empty() && !rest.contains(char::is_whitespace)).then_some(rest)
}

fn two_parts(rest: &str) -> Option<(&str, &str)> {
    let (word, text) = split_word(rest);
    (!word.is_empty() && !text.is_empty()).then_some((word, text))
}

fn optional<T>(rest: &str, parse: impl Fn(&str) -> Result<T, ErrorReply>) -> Result<Option<T>, ErrorReply> {
    if rest.is_empty() { Ok(None) } else { parse(rest).map(Some) }
}

fn room_name(input: &str) -> Result<RoomName, ErrorReply> {
    RoomName::parse(input).map_err(ErrorReply::bad_room)
}

fn nick(input: &str) -> Result<Nick, ErrorReply> {
    Nick::parse(input).map_err(ErrorReply::bad_nick)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_fits_a_screen_of_80_by_24() {
        let lines: Vec<String> = help().collect();
        assert!(lines.len() <= 22, "{} lines", lines.len());
        for line in lines {
            assert!(line.chars().count() <= 79, "{line}");
        }
    }

    #[test]
    fn a_wrong_command_says_what_to_type() {
        let message = |line: &str| parse(line).unwrap_err().message;
        assert_eq!(message("/join"), "Usage: /join <room>");
        assert_eq!(message("/join a b"), "Usage: /join <room>");
        assert_eq!(message("/room dev"), "Usage: /room <room> <text>");
        assert_eq!(message("/dm bob"), "Usage: /dm <user> <message>");
        assert_eq!(message("/history x"), "Usage: /history [number|on|off]");
        assert!(message("/jion dev").contains("Did you mean /join?"));
        assert!(message("/usr/bin/env is missing").contains("//text"));
    }

    #[test]
    fn a_double_slash_is_a_message() {
        assert_eq!(parse("//etc/hosts"), Ok(Typed::Say(Text::clean("/etc/hosts").unwrap())));
    }

    #[test]
    fn trailing_space_is_no_argument() {
        assert_eq!(parse("/get_rooms "), Ok(Typed::GetRooms(None)));
        assert_eq!(parse("/broadcast "), Ok(Typed::Broadcast(None)));
    }
}
