//! Message text that is safe to put on any screen.
//!
//! [`Text::clean`] is the only way in. It repairs rather than refuses: a build log full of colour
//! codes arrives without them. What it returns holds no control character, no line break, no
//! bidirectional override and nothing invisible that stands alone, so that a line can be written
//! to a terminal as it is.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;
use unicode_normalization::char::is_combining_mark;

use crate::limits::{MARKS_MAX, TEXT_MAX};

/// What a tab becomes.
const TAB: &str = "    ";

/// Why a text was refused. The text says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TextError {
    /// Nothing visible is left.
    #[error("the message is empty")]
    Empty,
    /// More than [`TEXT_MAX`] bytes.
    #[error("the message has {0} bytes, {TEXT_MAX} at most are sent; split it")]
    TooLong(usize),
}

/// The text of a message: 1 to [`TEXT_MAX`] bytes of one visible line. Clones share it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Text(Arc<str>);

impl Text {
    /// Cleans `input`: line breaks become one space, a tab four; terminal escape sequences,
    /// other control characters (C0, C1), bidirectional overrides, lone zero-width characters and
    /// white space at the end are removed.
    ///
    /// # Errors
    /// [`TextError`] if nothing visible is left, or more than [`TEXT_MAX`] bytes.
    pub fn clean(input: &str) -> Result<Self, TextError> {
        let text = clean(input);
        if text.is_empty() {
            Err(TextError::Empty)
        } else if text.len() > TEXT_MAX {
            Err(TextError::TooLong(text.len()))
        } else {
            Ok(Self(text.into()))
        }
    }

    /// The cleaned text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, formatter)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let input = String::deserialize(deserializer)?;
        Self::clean(&input).map_err(serde::de::Error::custom)
    }
}

/// Cleans any string for a screen, without the bounds of a [`Text`].
pub fn clean(input: &str) -> String {
    let input = input.trim_end();
    if input.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return input.to_owned();
    }
    let mut output = String::with_capacity(input.len());
    let mut rest = input.chars();
    // Whether the last character kept is one that a zero-width mark can belong to.
    let mut has_base = false;
    let mut marks = 0;
    while let Some(character) = rest.next() {
        match class(character) {
            Class::Plain => {
                output.push(character);
                has_base = !character.is_whitespace();
                marks = 0;
            }
            Class::Mark => {
                marks += 1;
                if has_base && marks <= MARKS_MAX {
                    output.push(character);
                }
            }
            Class::Joiner => {
                // A joiner counts as a mark, and stays only where what it joins to stays.
                let joins = rest.clone().next().is_some_and(|next| match class(next) {
                    Class::Plain => !next.is_whitespace() && marks < MARKS_MAX,
                    Class::Mark => marks + 1 < MARKS_MAX,
                    _ => false,
                });
                if has_base && joins {
                    marks += 1;
                    output.push(character);
                }
            }
            Class::Tab => {
                output.push_str(TAB);
                has_base = false;
            }
            Class::LineBreak => {
                let pair = character == '\r' && rest.as_str().starts_with('\n');
                if !pair {
                    output.push(' ');
                    has_base = false;
                }
            }
            Class::Escape => rest = after_escape(rest.as_str()).chars(),
            Class::Removed => {}
        }
    }
    output.truncate(output.trim_end().len());
    output
}

enum Class {
    Plain,
    /// Combining marks and variation selectors: only behind a character that carries them.
    Mark,
    /// Zero-width joiners and direction marks: only between two characters.
    Joiner,
    Tab,
    LineBreak,
    Escape,
    Removed,
}

fn class(character: char) -> Class {
    match character {
        ' '..='~' => Class::Plain,
        '\t' => Class::Tab,
        '\n'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => Class::LineBreak,
        '\u{1B}' => Class::Escape,
        _ if character.is_control() => Class::Removed,
        '\u{200C}'..='\u{200F}' | '\u{61C}' => Class::Joiner,
        // Tag characters spell the flags of regions, behind a black flag.
        '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' | '\u{E0020}'..='\u{E007F}' => Class::Mark,
        // Soft hyphen, grapheme joiner, Hangul and Khmer fillers, Mongolian selectors, zero-width
        // space, bidirectional embeddings, overrides and isolates, invisible operators, byte order
        // mark, annotation and musical controls, other tags, and non-characters.
        '\u{AD}'
        | '\u{34F}'
        | '\u{115F}'
        | '\u{1160}'
        | '\u{17B4}'
        | '\u{17B5}'
        | '\u{180B}'..='\u{180F}'
        | '\u{200B}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}'
        | '\u{3164}'
        | '\u{FEFF}'
        | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFB}'
        | '\u{FDD0}'..='\u{FDEF}'
        | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E0FFF}' => Class::Removed,
        _ if character as u32 & 0xFFFE == 0xFFFE => Class::Removed,
        _ if is_combining_mark(character) => Class::Mark,
        _ => Class::Plain,
    }
}

/// What follows an escape sequence (ECMA-48, 5.4 and 8.3.89) whose ESC has been read.
fn after_escape(rest: &str) -> &str {
    let mut characters = rest.chars();
    match characters.next() {
        Some('[') => {
            let sequence = characters.as_str();
            let parameters = sequence.trim_start_matches(|c| (' '..='?').contains(&c));
            match parameters.chars().next() {
                Some(last) if ('@'..='~').contains(&last) => &parameters[1..],
                _ => sequence,
            }
        }
        // Operating system commands and the like run to BEL or ESC \.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            let sequence = characters.as_str();
            let bell = sequence.find('\u{7}').map(|at| at + 1);
            let terminator = sequence.find("\u{1B}\\").map(|at| at + 2);
            match (bell, terminator) {
                (Some(bell), Some(terminator)) => &sequence[bell.min(terminator)..],
                (Some(end), None) | (None, Some(end)) => &sequence[end..],
                (None, None) => sequence,
            }
        }
        Some(' '..='/') => {
            let sequence = characters.as_str().trim_start_matches(|c| (' '..='/').contains(&c));
            let mut tail = sequence.chars();
            match tail.next() {
                Some('0'..='~') => tail.as_str(),
                _ => sequence,
            }
        }
        Some('0'..='~') => characters.as_str(),
        _ => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cleaned(input: &str) -> String {
        Text::clean(input).unwrap().to_string()
    }

    #[test]
    fn escape_sequences_are_removed_whole() {
        assert_eq!(cleaned("\u{1b}[1;31merror\u{1b}[0m: no"), "error: no");
        assert_eq!(cleaned("\u{1b}]0;title\u{7}text"), "text");
        assert_eq!(cleaned("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\"), "link");
        assert_eq!(cleaned("a\u{1b}(Bb"), "ab");
        assert_eq!(cleaned("a\u{1b}cb"), "ab");
        assert_eq!(cleaned("a\u{9b}31mb"), "a31mb");
        assert_eq!(cleaned("a\u{1b}]unfinished"), "aunfinished");
    }

    #[test]
    fn a_text_is_one_line() {
        assert_eq!(cleaned("a\r\nServer: b\u{2028}c\u{85}d\te"), "a Server: b c d    e");
    }

    #[test]
    fn invisible_characters_stay_only_where_they_belong() {
        assert_eq!(cleaned("a\u{202e}b\u{2066}c\u{200b}d"), "abcd");
        let family = "👩\u{200d}👩\u{200d}👧";
        assert_eq!(cleaned(family), family);
        let heart = "❤\u{fe0f}";
        assert_eq!(cleaned(heart), heart);
        assert_eq!(cleaned("x \u{200d} y\u{200d}"), "x  y");
        assert_eq!(cleaned("\u{301}e\u{301}"), "e\u{301}");
        assert_eq!(Text::clean("\u{200b}\u{feff} \u{3164}"), Err(TextError::Empty));
        let zalgo = format!("e{}", "\u{301}".repeat(500));
        assert_eq!(cleaned(&zalgo).chars().count(), 1 + MARKS_MAX);
    }

    #[test]
    fn the_limit_is_in_bytes_of_the_cleaned_text() {
        assert!(Text::clean(&"x".repeat(TEXT_MAX)).is_ok());
        assert_eq!(Text::clean(&"x".repeat(TEXT_MAX + 1)), Err(TextError::TooLong(TEXT_MAX + 1)));
        assert!(Text::clean(&"\u{7}".repeat(TEXT_MAX + 1)).is_err_and(|e| e == TextError::Empty));
    }

    proptest! {
        #[test]
        fn nothing_that_moves_a_cursor_is_left(input in "(\\PC|[\u{0}-\u{ff}]|[\u{2000}-\u{2070}]|\u{1b}[\\[\\]]?){0,60}") {
            let text = clean(&input);
            prop_assert!(!text.chars().any(|c| c.is_control()));
            let forbidden = ['\u{202e}', '\u{2066}', '\u{2028}', '\u{2029}', '\u{feff}'];
            prop_assert!(!text.contains(forbidden));
        }

        #[test]
        fn cleaning_twice_changes_nothing(
            input in "(\\PC|[\u{0}-\u{ff}]|[\u{200b}-\u{200f}]|\u{301}|\u{301}{5,9}|\u{200d}|\u{1b}\\[){0,60}",
        ) {
            let once = clean(&input);
            prop_assert_eq!(clean(&once), once);
        }
    }
}
