//! The line that is being typed: a pure model, in grapheme clusters, which is what people take for
//! characters.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Lines that can be called back.
const HISTORY: usize = 200;

/// Longest line, in bytes: well over what can be sent, so that the answer says by how much, and
/// not so much that a pasted file makes typing slow.
const LINE_MAX: usize = 64 * 1024;

/// A change of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// Puts text in at the cursor. Line breaks become spaces: nothing is sent before Enter.
    Insert(String),
    /// Removes the character before the cursor.
    Backspace,
    /// Removes the character under the cursor.
    Delete,
    /// Moves the cursor by a character.
    Left,
    /// Likewise.
    Right,
    /// Moves the cursor by a word.
    WordLeft,
    /// Likewise.
    WordRight,
    /// Moves the cursor to the start.
    Home,
    /// Moves the cursor to the end.
    End,
    /// Removes everything before the cursor.
    CutToStart,
    /// Removes everything behind the cursor.
    CutToEnd,
    /// Removes the word before the cursor.
    CutWord,
    /// Calls back the line sent before.
    Older,
    /// Goes back to a newer one.
    Newer,
}

/// The line, the cursor and the lines before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Editor {
    text: String,
    /// In bytes, at a boundary between characters.
    cursor: usize,
    history: Vec<String>,
    /// Which line of the history is shown, and what was typed before it was called.
    browsing: Option<(usize, String)>,
}

/// The part of the line that fits, and the column of the cursor in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Visible {
    pub(crate) text: String,
    pub(crate) cursor: usize,
}

impl Editor {
    /// Whether nothing is typed.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Changes the line.
    pub(crate) fn apply(&mut self, edit: Edit) {
        match edit {
            Edit::Insert(text) => self.insert(&text),
            Edit::Backspace => self.cut(self.previous(), self.cursor),
            Edit::Delete => self.cut(self.cursor, self.next()),
            Edit::Left => self.cursor = self.previous(),
            Edit::Right => self.cursor = self.next(),
            Edit::WordLeft => self.cursor = self.previous_word(),
            Edit::WordRight => self.cursor = self.next_word(),
            Edit::Home => self.cursor = 0,
            Edit::End => self.cursor = self.text.len(),
            Edit::CutToStart => self.cut(0, self.cursor),
            Edit::CutToEnd => self.cut(self.cursor, self.text.len()),
            Edit::CutWord => self.cut(self.previous_word(), self.cursor),
            Edit::Older => self.older(),
            Edit::Newer => self.newer(),
        }
    }

    /// Takes the finished line out, and keeps it to be called back if `remember`.
    pub(crate) fn submit(&mut self, remember: bool) -> String {
        let line = std::mem::take(&mut self.text);
        self.cursor = 0;
        self.browsing = None;
        if remember && !line.trim().is_empty() && self.history.last() != Some(&line) {
            if self.history.len() == HISTORY {
                self.history.remove(0);
            }
            self.history.push(line.clone());
        }
        line
    }

    /// What fits into `width` columns, the cursor's own among them. When not all does, a third of
    /// the width stays free behind the cursor, so that one sees what one edits.
    pub(crate) fn visible(&self, width: usize) -> Visible {
        let room = width.saturating_sub(1).max(1);
        let (before, behind) = self.text.split_at(self.cursor);
        let mut start = 0;
        if self.text.width() > room {
            let wanted = room - (room / 3).min(behind.width());
            let mut taken = 0;
            start = self.cursor;
            for (index, grapheme) in before.grapheme_indices(true).rev() {
                taken += grapheme.width();
                if taken > wanted {
                    break;
                }
                start = index;
            }
        }
        let mut text = String::new();
        let mut used = 0;
        for grapheme in self.text[start..].graphemes(true) {
            used += grapheme.width();
            if used > room {
                break;
            }
            text.push_str(grapheme);
        }
        Visible { text, cursor: self.text[start..self.cursor].width().min(room) }
    }

    fn insert(&mut self, text: &str) {
        // Marks and joiners are typed on their own, behind what they belong to; `clean` would take
        // them for strays. So it would a space at the end, which is meant.
        let joins = !text.contains(char::is_control) && text.width() == 0;
        let inserted = if joins {
            text.to_owned()
        } else {
            let spaces = text.len() - text.trim_end_matches(' ').len();
            crosstalk_protocol::clean(text) + &" ".repeat(spaces)
        };
        if self.text.len() + inserted.len() <= LINE_MAX {
            self.text.insert_str(self.cursor, &inserted);
            self.cursor += inserted.len();
        }
    }

    fn cut(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.cursor = from;
    }

    fn previous(&self) -> usize {
        self.text[..self.cursor].grapheme_indices(true).next_back().map_or(0, |(index, _)| index)
    }

    fn next(&self) -> usize {
        self.cursor + self.text[self.cursor..].graphemes(true).next().map_or(0, str::len)
    }

    fn previous_word(&self) -> usize {
        let before = self.text[..self.cursor].trim_end();
        before.char_indices().rev().find(|(_, c)| c.is_whitespace()).map_or(0, |(at, c)| at + c.len_utf8())
    }

    fn next_word(&self) -> usize {
        let behind = &self.text[self.cursor..];
        let word = behind.len() - behind.trim_start().len();
        let end = behind[word..].find(char::is_whitespace).unwrap_or(behind.len() - word);
        self.cursor + word + end
    }

    fn older(&mut self) {
        let index = self.browsing.as_ref().map_or(self.history.len(), |(index, _)| *index);
        let Some(index) = index.checked_sub(1) else { return };
        let draft = match self.browsing.take() {
            Some((_, draft)) => draft,
            None => std::mem::take(&mut self.text),
        };
        self.show(self.history[index].clone());
        self.browsing = Some((index, draft));
    }

    fn newer(&mut self) {
        let Some((index, draft)) = self.browsing.take() else { return };
        match self.history.get(index + 1) {
            Some(line) => {
                self.show(line.clone());
                self.browsing = Some((index + 1, draft));
            }
            None => self.show(draft),
        }
    }

    fn show(&mut self, line: String) {
        self.cursor = line.len();
        self.text = line;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn editor(text: &str) -> Editor {
        let mut editor = Editor::default();
        type_in(&mut editor, text);
        editor
    }

    fn type_in(editor: &mut Editor, text: &str) {
        for character in text.chars() {
            editor.apply(Edit::Insert(character.to_string()));
        }
    }

    fn apply(editor: &mut Editor, edits: impl IntoIterator<Item = Edit>) {
        for edit in edits {
            editor.apply(edit);
        }
    }

    #[test]
    fn text_goes_in_and_out_at_the_cursor() {
        let mut line = editor("helo world");
        apply(&mut line, [Edit::Home, Edit::Right, Edit::Right, Edit::Insert("l".to_owned())]);
        assert_eq!(line.text, "hello world");
        apply(&mut line, [Edit::Delete, Edit::Backspace]);
        assert_eq!(line.text, "heo world");
        apply(&mut line, [Edit::End, Edit::CutWord, Edit::Backspace]);
        assert_eq!(line.text, "heo");
        apply(&mut line, [Edit::Left, Edit::CutToEnd]);
        assert_eq!(line.text, "he");
        apply(&mut line, [Edit::Left, Edit::CutToStart]);
        assert_eq!((line.text.as_str(), line.cursor), ("e", 0));
        apply(&mut line, [Edit::Backspace, Edit::Left, Edit::End, Edit::Right, Edit::Delete]);
        assert_eq!(line.text, "e");
    }

    #[test]
    fn words_are_jumped_over() {
        let mut line = editor("one  two three");
        apply(&mut line, [Edit::WordLeft, Edit::WordLeft]);
        assert_eq!(line.cursor, 5);
        apply(&mut line, [Edit::WordRight]);
        assert_eq!(line.cursor, 8);
        apply(&mut line, [Edit::CutWord]);
        assert_eq!(line.text, "one   three");
    }

    #[test]
    fn what_looks_like_one_character_is_removed_at_once() {
        let mut line = editor("é👩\u{200d}👩\u{200d}👧漢");
        apply(&mut line, [Edit::Left, Edit::Backspace]);
        assert_eq!(line.text, "é漢");
        let mut line = editor("e\u{301}");
        apply(&mut line, [Edit::Backspace]);
        assert!(line.is_empty());
    }

    #[test]
    fn sent_lines_can_be_called_back_and_the_draft_is_kept() {
        let mut line = editor("first");
        line.submit(true);
        type_in(&mut line, "second");
        line.submit(true);
        type_in(&mut line, "draft");
        let shown: Vec<String> =
            [Edit::Older, Edit::Older, Edit::Older, Edit::Newer, Edit::Newer, Edit::Newer]
                .into_iter()
                .map(|edit| {
                    line.apply(edit);
                    line.text.clone()
                })
                .collect();
        assert_eq!(shown, ["second", "first", "first", "second", "draft", "draft"]);
    }

    #[test]
    fn a_paste_is_one_line_without_escape_sequences() {
        let mut line = Editor::default();
        line.apply(Edit::Insert("one\r\ntwo\n\x1b[31mred\x1b[0m ".to_owned()));
        assert_eq!(line.text, "one two red ");
        line.apply(Edit::Insert("x".repeat(LINE_MAX)));
        assert_eq!(line.text, "one two red ");
    }

    #[test]
    fn the_cursor_is_always_in_what_is_shown() {
        let mut line = editor(&"漢字kanji ".repeat(20));
        for _ in 0..400 {
            for width in [1, 2, 5, 10, 80] {
                let visible = line.visible(width);
                assert!(visible.cursor < width.max(2), "{visible:?} in {width}");
                assert!(visible.text.width() < width.max(2), "{visible:?} in {width}");
            }
            line.apply(Edit::Left);
        }
        assert_eq!(editor("short").visible(80), Visible { text: "short".to_owned(), cursor: 5 });
        assert_eq!(editor("漢").visible(80).cursor, 2);
    }
}
