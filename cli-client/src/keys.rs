//! Which key does what: a table.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::editor::Edit;

/// What a key asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// A change of the line that is being typed.
    Edit(Edit),
    /// Sends it.
    Enter,
    /// Leaves, whatever is typed.
    Interrupt,
    /// Leaves if nothing is typed.
    EndOfInput,
    /// Draws everything below the scroll-back anew.
    Redraw,
    /// Clears the screen.
    Clear,
    /// The window is looked at from now on, or is not.
    Focus(bool),
}

/// What an event of the terminal asks for, if anything.
pub(crate) fn key(event: Event) -> Option<Key> {
    match event {
        Event::Key(KeyEvent { kind: KeyEventKind::Release, .. }) => None,
        Event::Key(KeyEvent { code, modifiers, .. }) => pressed(code, modifiers),
        Event::Paste(text) => Some(Key::Edit(Edit::Insert(text))),
        Event::Resize(..) => Some(Key::Redraw),
        Event::FocusGained => Some(Key::Focus(true)),
        Event::FocusLost => Some(Key::Focus(false)),
        _ => None,
    }
}

fn pressed(code: KeyCode, modifiers: KeyModifiers) -> Option<Key> {
    let control = modifiers.contains(KeyModifiers::CONTROL);
    let alt = modifiers.contains(KeyModifiers::ALT);
    let edit = match code {
        KeyCode::Enter => return Some(Key::Enter),
        KeyCode::Char(character) if control && !alt => match character.to_ascii_lowercase() {
            'c' => return Some(Key::Interrupt),
            'd' => return Some(Key::EndOfInput),
            'j' | 'm' => return Some(Key::Enter),
            'l' => return Some(Key::Clear),
            'a' => Edit::Home,
            'b' => Edit::Left,
            'e' => Edit::End,
            'f' => Edit::Right,
            'h' => Edit::Backspace,
            'k' => Edit::CutToEnd,
            'n' => Edit::Newer,
            'p' => Edit::Older,
            'u' => Edit::CutToStart,
            'w' => Edit::CutWord,
            _ => return None,
        },
        KeyCode::Char('b') if alt && !control => Edit::WordLeft,
        KeyCode::Char('f') if alt && !control => Edit::WordRight,
        // Both together are how some keyboards reach `@` and the like.
        KeyCode::Char(character) if control == alt => Edit::Insert(character.to_string()),
        KeyCode::Tab => Edit::Insert(" ".to_owned()),
        KeyCode::Backspace if alt => Edit::CutWord,
        KeyCode::Backspace => Edit::Backspace,
        KeyCode::Delete => Edit::Delete,
        KeyCode::Left if control || alt => Edit::WordLeft,
        KeyCode::Right if control || alt => Edit::WordRight,
        KeyCode::Left => Edit::Left,
        KeyCode::Right => Edit::Right,
        KeyCode::Home => Edit::Home,
        KeyCode::End => Edit::End,
        KeyCode::Up => Edit::Older,
        KeyCode::Down => Edit::Newer,
        _ => return None,
    };
    Some(Key::Edit(edit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_keys_edit_and_others_type() {
        let press = |code, modifiers| pressed(code, modifiers);
        assert_eq!(press(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Key::Interrupt));
        assert_eq!(press(KeyCode::Char('u'), KeyModifiers::CONTROL), Some(Key::Edit(Edit::CutToStart)));
        assert_eq!(
            press(KeyCode::Char('É'), KeyModifiers::SHIFT),
            Some(Key::Edit(Edit::Insert("É".to_owned())))
        );
        let both = KeyModifiers::CONTROL | KeyModifiers::ALT;
        assert_eq!(press(KeyCode::Char('@'), both), Some(Key::Edit(Edit::Insert("@".to_owned()))));
        assert_eq!(press(KeyCode::Char('x'), KeyModifiers::ALT), None);
        assert_eq!(press(KeyCode::F(1), KeyModifiers::NONE), None);
    }
}
