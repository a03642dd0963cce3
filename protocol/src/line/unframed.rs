//! Takes apart messages that ran together, for peers that send no line endings.
//!
//! The original's clients send a command and, a moment later, what belongs to it; TCP may deliver
//! both as one. A command can be told where it begins: names have no slash in them, so a known
//! command behind a name begins a message. A text may hold anything and therefore runs to the
//! end. Nothing is added or lost: the messages together are what came in.

use crate::slash::{self, Verb};

/// What the peer's next message is, as far as the messages before it tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Expected {
    /// A nickname: the first message, and the one behind `/hide` and `/reveal`.
    #[default]
    Name,
    /// The text that `/broadcast` asked for.
    Text,
    /// A command, or a message to the room.
    Anything,
}

/// The messages in `text`, and afterwards in `expected` what comes next.
pub(super) fn take_apart<'a>(
    mut text: &'a str,
    expected: &'a mut Expected,
) -> impl Iterator<Item = &'a str> + 'a {
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        let (message, rest) = text.split_at(first_message(text, expected));
        text = rest;
        Some(message)
    })
}

/// The length of the first message in `text`, which is not empty.
fn first_message(text: &str, expected: &mut Expected) -> usize {
    let awaited = std::mem::replace(expected, Expected::Anything);
    match (awaited, command(text)) {
        (Expected::Text, _) => text.len(),
        (_, Some(Command { takes: Takes::Names, length })) => up_to_command(text, length),
        (_, Some(Command { takes: Takes::Text, .. })) => text.len(),
        (_, Some(Command { takes: Takes::Next(next), length })) => {
            let behind = &text[length..];
            if behind.trim().is_empty() {
                *expected = next;
                text.len()
            } else if !behind.starts_with(char::is_whitespace) {
                *expected = next;
                length
            } else if next == Expected::Text {
                text.len()
            } else {
                up_to_command(text, length)
            }
        }
        (Expected::Name, None) => up_to_command(text, 0),
        (Expected::Anything, None) => text.len(),
    }
}

/// Where the next command begins at or behind `from`; the end, if there is none.
fn up_to_command(text: &str, from: usize) -> usize {
    let mut slashes = memchr::memchr_iter(b'/', &text.as_bytes()[from..]).map(|at| from + at);
    slashes.find(|&at| at > 0 && command(&text[at..]).is_some()).unwrap_or(text.len())
}

/// A command at the beginning of a text.
struct Command {
    takes: Takes,
    /// Of its name.
    length: usize,
}

/// What may follow the name of a command.
enum Takes {
    /// Nothing, or names.
    Names,
    Text,
    /// What follows is a message of its own, unless a space separates it.
    Next(Expected),
}

/// The command that `text` begins with. Behind its name comes the end, white space or another
/// command's name; only what the original asks for may follow at once.
fn command(text: &str) -> Option<Command> {
    let word = first_word(text)?;
    if let Some((name, next)) = prompting(word) {
        return Some(Command { takes: Takes::Next(next), length: name.len() });
    }
    let slash = slash::find(word)?;
    let behind = &text[word.len()..];
    if behind.starts_with('/') && !first_word(behind).is_some_and(is_command) {
        return None;
    }
    let takes = match slash.verb {
        Verb::Room | Verb::Dm | Verb::Me | Verb::Reply | Verb::Edit | Verb::Search => Takes::Text,
        _ => Takes::Names,
    };
    Some(Command { takes, length: word.len() })
}

/// A slash and what follows it, up to white space or another slash.
fn first_word(text: &str) -> Option<&str> {
    let name = text.strip_prefix('/')?;
    let end = name.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(name.len());
    Some(&text[..1 + end])
}

fn is_command(word: &str) -> bool {
    prompting(word).is_some() || slash::find(word).is_some()
}

/// The commands that ask for another message, and what that is.
fn prompting(word: &str) -> Option<(&'static str, Expected)> {
    [("/broadcast", Expected::Text), ("/hide", Expected::Name), ("/reveal", Expected::Name)]
        .into_iter()
        .find(|(name, _)| word.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn messages(expected: &mut Expected, text: &str) -> Vec<String> {
        take_apart(text, expected).map(str::to_owned).collect()
    }

    fn later(text: &str) -> Vec<String> {
        messages(&mut Expected::Anything, text)
    }

    #[test]
    fn a_command_that_asks_ends_where_the_answer_begins() {
        assert_eq!(later("/broadcasthello"), ["/broadcast", "hello"]);
        assert_eq!(later("/broadcast/members or /who"), ["/broadcast", "/members or /who"]);
        assert_eq!(later("/hidealice"), ["/hide", "alice"]);
        assert_eq!(later("/hidealice/members"), ["/hide", "alice", "/members"]);
        assert_eq!(later("/hide/members"), ["/hide", "/members"]);
        assert_eq!(later("/revealalice/broadcasthi/quit"), ["/reveal", "alice", "/broadcast", "hi/quit"]);
    }

    #[test]
    fn an_argument_behind_a_space_belongs_to_its_command() {
        assert_eq!(later("/broadcast hello /members"), ["/broadcast hello /members"]);
        assert_eq!(later("/hide alice/members"), ["/hide alice", "/members"]);
    }

    #[test]
    fn names_end_where_a_command_begins() {
        assert_eq!(later("/members/get_rooms"), ["/members", "/get_rooms"]);
        assert_eq!(later("/get_rooms /members"), ["/get_rooms ", "/members"]);
        assert_eq!(later("/get_rooms "), ["/get_rooms "]);
        assert_eq!(
            later("/create_room dev/join dev/room dev hi/there"),
            ["/create_room dev", "/join dev", "/room dev hi/there"]
        );
        assert_eq!(later("/leave dev/quit"), ["/leave dev", "/quit"]);
    }

    #[test]
    fn a_text_runs_to_the_end() {
        for text in ["hello/members", "/room dev see /members", "/dm bob /quit", "/me eats/who", "a /join b"]
        {
            assert_eq!(later(text), [text]);
        }
    }

    #[test]
    fn what_is_no_command_stays_together() {
        for text in ["/membersalice", "/usr/bin/who", "//members", "/members/foo", "/create_roomdev", "/"] {
            assert_eq!(later(text), [text]);
        }
    }

    #[test]
    fn a_doubtful_command_does_nothing_by_accident() {
        assert_eq!(later("/create_room a/quit/b"), ["/create_room a/quit/b"]);
        assert_eq!(later("/create_room a/quit/who"), ["/create_room a", "/quit", "/who"]);
        assert_eq!(messages(&mut Expected::default(), "alice/members/foo"), ["alice/members/foo"]);
    }

    #[test]
    fn the_first_message_is_a_nickname() {
        assert_eq!(messages(&mut Expected::default(), "alice/members"), ["alice", "/members"]);
        assert_eq!(messages(&mut Expected::default(), "alice/broadcasthi"), ["alice", "/broadcast", "hi"]);
        assert_eq!(messages(&mut Expected::default(), "either/or"), ["either/or"]);
    }

    #[test]
    fn a_question_is_remembered_until_it_is_answered() {
        let mut expected = Expected::Anything;
        assert_eq!(messages(&mut expected, "/members/broadcast"), ["/members", "/broadcast"]);
        assert_eq!(messages(&mut expected, "/join dev/members"), ["/join dev/members"]);
        assert_eq!(messages(&mut expected, "/join dev/members"), ["/join dev", "/members"]);
        assert_eq!(messages(&mut expected, "/hide "), ["/hide "]);
        assert_eq!(messages(&mut expected, "alice/members"), ["alice", "/members"]);
        assert_eq!(messages(&mut expected, "alice/members"), ["alice/members"]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_added(
            text in "(/|/members|/hide|/broadcast|/room|/join|/\\?| |[a-zé]{1,3}){0,40}",
            first in prop::sample::select(vec![Expected::Name, Expected::Text, Expected::Anything]),
        ) {
            let mut expected = first;
            let pieces = messages(&mut expected, &text);
            prop_assert!(pieces.iter().all(|piece| !piece.is_empty()));
            prop_assert_eq!(pieces.concat(), text);
        }
    }
}
