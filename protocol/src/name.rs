//! Nicknames and room names: checked where they are made, and nowhere again.
//!
//! A name is letters, digits, `_`, `-` and `.` in any script, and begins with a letter, a digit
//! or `_`. So it can hold no space, no colon, no bracket and nothing invisible, and a line
//! `NICK: TEXT` can be read in one way only. Names are compared without regard to case.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::limits::{MARKS_MAX, NICK_MAX_CHARS, ROOM_MAX_CHARS};

/// The room that everybody is in after hello.
pub const LOBBY: &str = "lobby";

/// Words that open a line of the server's own: `Server: …` and `[DM] NICK: …`.
const RESERVED_NICKS: [&str; 2] = ["server", "crosstalk"];
const RESERVED_ROOMS: [&str; 2] = ["dm", "server"];

/// Why a name was refused. The text says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// Nothing, or only white space.
    #[error("a name cannot be empty")]
    Empty,
    /// More characters than the limit.
    #[error("a name has at most {0} characters")]
    TooLong(usize),
    /// A character that names do not have.
    #[error("a name is letters, digits, '_', '-' and '.', without spaces; {0:?} is not allowed")]
    BadCharacter(char),
    /// A good character in the first place, where it is not allowed.
    #[error("a name begins with a letter, a digit or '_', not with {0:?}")]
    BadStart(char),
    /// A name that only the server uses.
    #[error("that name is kept for the server; choose another")]
    Reserved,
}

/// The text of a name as it is shown, and as it is compared.
#[derive(Clone)]
struct Name {
    shown: Arc<str>,
    /// Lower case and compatibility-normalised; the same allocation as `shown` where they agree.
    folded: Arc<str>,
}

impl Name {
    fn parse(input: &str, max_chars: usize) -> Result<Self, NameError> {
        let input = input.trim();
        let shown: String = if input.is_ascii() { input.to_owned() } else { input.nfc().collect() };
        let mut marks = 0;
        let mut count = 0;
        for character in shown.chars() {
            count += 1;
            if count > max_chars {
                return Err(NameError::TooLong(max_chars));
            }
            if is_invisible(character) {
                return Err(NameError::BadCharacter(character));
            }
            if is_combining_mark(character) && count > 1 {
                marks += 1;
                if marks > MARKS_MAX {
                    return Err(NameError::BadCharacter(character));
                }
                continue;
            }
            marks = 0;
            match character {
                '_' => {}
                '-' | '.' if count > 1 => {}
                '-' | '.' => return Err(NameError::BadStart(character)),
                _ if is_combining_mark(character) => return Err(NameError::BadStart(character)),
                _ if character.is_alphanumeric() => {}
                _ => return Err(NameError::BadCharacter(character)),
            }
        }
        if count == 0 {
            return Err(NameError::Empty);
        }
        let folded = fold(&shown);
        let shown: Arc<str> = shown.into();
        let folded = if *folded == *shown { shown.clone() } else { folded.into() };
        Ok(Self { shown, folded })
    }
}

/// Letters and combining marks that show as nothing: Hangul and Khmer fillers, the grapheme joiner
/// and the selectors of variants.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{34F}'
            | '\u{115F}'
            | '\u{1160}'
            | '\u{17B4}'
            | '\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FFA0}'
            | '\u{E0100}'..='\u{E01EF}'
    )
}

/// Without regard to case: by way of upper case, since `ß` and `SS`, or `ς` and `σ`, differ only there.
fn fold(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    name.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect()
}

/// Folded, and with every character replaced by the one that it looks like (Unicode TR 39).
fn skeleton(folded: &str) -> String {
    if folded.is_ascii() {
        return ascii_skeleton(folded);
    }
    let skeleton: String = unicode_security::confusable_detection::skeleton(folded).collect();
    fold(&skeleton)
}

/// The same for ASCII. Names are parsed with every message, and the tables of all of Unicode cost more
/// than the message does.
fn ascii_skeleton(name: &str) -> String {
    let mut skeleton = String::with_capacity(name.len() + 2);
    for character in name.chars() {
        match character {
            '0' => skeleton.push('o'),
            '1' | 'I' => skeleton.push('l'),
            'm' => skeleton.push_str("rn"),
            _ => skeleton.push(character.to_ascii_lowercase()),
        }
    }
    skeleton
}

/// Whether a name is one of the server's words, or looks like one with nothing but punctuation
/// around it: a letter such as U+02D0 looks like the colon of `Server:`.
fn is_reserved(name: &Name, reserved: &[&str]) -> bool {
    let is_word = |spelling: &str| {
        let skeleton_of_name = skeleton(spelling);
        let word_of_name = skeleton_of_name.trim_matches(|c: char| !c.is_alphanumeric());
        reserved.iter().any(|word| word_of_name == skeleton(word))
    };
    is_word(&name.folded) || (name.folded != name.shown && is_word(&name.shown))
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.folded == other.folded
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.folded.cmp(&other.folded)
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.folded.hash(state);
    }
}

/// A nickname: one person or program that is connected.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nick(Name);

impl Nick {
    /// Checks a nickname of at most [`NICK_MAX_CHARS`] characters.
    ///
    /// # Errors
    /// [`NameError`], whose text says what to do.
    pub fn parse(input: &str) -> Result<Self, NameError> {
        let name = Name::parse(input, NICK_MAX_CHARS)?;
        if is_reserved(&name, &RESERVED_NICKS) {
            return Err(NameError::Reserved);
        }
        Ok(Self(name))
    }

    /// The nickname as its owner wrote it.
    pub fn as_str(&self) -> &str {
        &self.0.shown
    }

    /// What two nicknames that a reader could take for each other have in common (Unicode TR 39):
    /// the server allows one of them at a time. The first is of the nickname without regard to case,
    /// the second of what is shown, since `I` looks like `l` and `i` does not.
    pub fn skeletons(&self) -> [String; 2] {
        [skeleton(&self.0.folded), skeleton(&self.0.shown)]
    }
}

/// A room's name: a public room's, or `@` and a number for a direct conversation of two.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomName(Name);

impl RoomName {
    /// Checks a room name of at most [`ROOM_MAX_CHARS`] characters; `@7` is a direct conversation.
    ///
    /// # Errors
    /// [`NameError`], whose text says what to do.
    pub fn parse(input: &str) -> Result<Self, NameError> {
        let input = input.trim();
        if let Some(number) = input.strip_prefix('@') {
            let canonical = number.parse::<u64>().is_ok_and(|n| n.to_string() == number);
            return if canonical {
                let shown: Arc<str> = input.into();
                Ok(Self(Name { folded: shown.clone(), shown }))
            } else {
                Err(NameError::BadStart('@'))
            };
        }
        let name = Name::parse(input, ROOM_MAX_CHARS)?;
        if is_reserved(&name, &RESERVED_ROOMS) {
            return Err(NameError::Reserved);
        }
        Ok(Self(name))
    }

    /// The room that everybody is in after hello.
    pub fn lobby() -> Self {
        let shown: Arc<str> = LOBBY.into();
        Self(Name { folded: shown.clone(), shown })
    }

    /// The name of the direct conversation numbered `number`.
    pub fn direct(number: u64) -> Self {
        let shown: Arc<str> = format!("@{number}").into();
        Self(Name { folded: shown.clone(), shown })
    }

    /// Whether this is a direct conversation of two.
    pub fn is_direct(&self) -> bool {
        self.as_str().starts_with('@')
    }

    /// Whether this is the lobby.
    pub fn is_lobby(&self) -> bool {
        *self.0.folded == *LOBBY
    }

    /// The name as whoever created the room wrote it.
    pub fn as_str(&self) -> &str {
        &self.0.shown
    }
}

macro_rules! text_traits {
    ($type:ty) => {
        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(self.as_str())
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), formatter)
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(input: &str) -> Result<Self, NameError> {
                Self::parse(input)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let input = String::deserialize(deserializer)?;
                Self::parse(&input).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_traits!(Nick);
text_traits!(RoomName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_shown_as_written() {
        let nick = Nick::parse(" Zoë ").unwrap();
        assert_eq!(nick.as_str(), "Zoë");
        assert_eq!(nick, Nick::parse("zOe\u{308}").unwrap());
        assert_ne!(nick, Nick::parse("zoe").unwrap());
        assert_eq!(Nick::parse("Größe").unwrap(), Nick::parse("GRÖSSE").unwrap());
        assert_eq!(Nick::parse("ΟΔΟΣ").unwrap(), Nick::parse("οδος").unwrap());
    }

    #[test]
    fn what_could_forge_a_line_is_no_name() {
        for input in
            ["", " ", "a b", "a:b", "[dev]", "a\nb", "a\u{1b}b", "a\u{202e}b", "\u{3164}", "/quit", "{", "@1"]
        {
            assert!(Nick::parse(input).is_err(), "{input:?}");
        }
        for input in
            ["Server", "sErVeR", "S\u{435}rver", "\u{405}erver", "\u{ff33}erver", "Server\u{2d0}", "_Server."]
        {
            assert_eq!(Nick::parse(input), Err(NameError::Reserved), "{input:?}");
        }
        assert_eq!(RoomName::parse("DM"), Err(NameError::Reserved));
    }

    #[test]
    fn nothing_invisible_is_in_a_name() {
        for invisible in ['\u{34f}', '\u{17b4}', '\u{180b}', '\u{200d}', '\u{fe0f}', '\u{3164}', '\u{e0100}']
        {
            let name = format!("ali{invisible}ce");
            assert_eq!(Nick::parse(&name), Err(NameError::BadCharacter(invisible)));
        }
    }

    #[test]
    fn look_alikes_share_a_skeleton() {
        let latin = Nick::parse("paypal").unwrap();
        let cyrillic = Nick::parse("p\u{430}yp\u{430}l").unwrap();
        assert_ne!(latin, cyrillic);
        assert_eq!(latin.skeletons(), cyrillic.skeletons());
        let capital = Nick::parse("paypaI").unwrap();
        assert!(capital.skeletons().iter().any(|skeleton| latin.skeletons().contains(skeleton)));
        assert_eq!(Nick::parse("crosstaIk"), Err(NameError::Reserved));
    }

    #[test]
    fn ascii_has_the_skeletons_that_unicode_gives_it() {
        for byte in 0x21..0x7f_u8 {
            // The others are in no name.
            if !byte.is_ascii_alphanumeric() && !b"_-.".contains(&byte) {
                continue;
            }
            let name = char::from(byte).to_string();
            let of_unicode: String = unicode_security::confusable_detection::skeleton(&name).collect();
            assert_eq!(skeleton(&name), fold(&of_unicode), "{name:?}");
        }
    }

    #[test]
    fn a_direct_conversation_has_a_number() {
        assert!(RoomName::parse("@7").unwrap().is_direct());
        assert_eq!(RoomName::parse("@7").unwrap(), RoomName::direct(7));
        for input in ["@", "@x", "@07", "@-1", "@+1"] {
            assert!(RoomName::parse(input).is_err(), "{input:?}");
        }
    }

    #[test]
    fn the_limit_counts_characters() {
        assert!(Nick::parse(&"ж".repeat(NICK_MAX_CHARS)).is_ok());
        assert_eq!(Nick::parse(&"ж".repeat(NICK_MAX_CHARS + 1)), Err(NameError::TooLong(NICK_MAX_CHARS)));
    }
}
