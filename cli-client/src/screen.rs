//! Drawing: finished lines go up into the terminal's own scroll-back, and below them a few *live*
//! rows are drawn anew each time. So what arrives never tears the line that is being typed.
//!
//! Every live row is narrower than the screen, so that it takes one row, whatever its size was.

use std::io::{self, Write};

use crossterm::cursor::{MoveRight, MoveTo, MoveUp};
use crossterm::queue;
use crossterm::style::Print;
use crossterm::terminal::{Clear, ClearType};

/// What stays below the scroll-back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Live {
    /// Rows above the line that is being typed.
    pub(crate) above: Vec<String>,
    /// The prompt and what is typed.
    pub(crate) input: String,
    /// The column of the cursor in it.
    pub(crate) cursor: usize,
}

/// What is on the screen at the moment.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    drawn: Option<Live>,
}

impl Screen {
    /// Adds `lines` to the scroll-back and draws `live` below them.
    ///
    /// # Errors
    /// Those of `out`.
    pub(crate) fn draw(&mut self, out: &mut impl Write, lines: &[String], live: Live) -> io::Result<()> {
        if lines.is_empty() && self.drawn.as_ref() == Some(&live) {
            return Ok(());
        }
        self.erase(out)?;
        for line in lines {
            queue!(out, Print(line), Print("\r\n"))?;
        }
        for row in &live.above {
            queue!(out, Print(row), Print("\r\n"))?;
        }
        queue!(out, Print(&live.input), Print("\r"))?;
        if live.cursor > 0 {
            queue!(out, MoveRight(u16::try_from(live.cursor).unwrap_or(u16::MAX)))?;
        }
        self.drawn = Some(live);
        out.flush()
    }

    /// Removes the live rows; the cursor is where the next line goes.
    ///
    /// # Errors
    /// Those of `out`.
    pub(crate) fn erase(&mut self, out: &mut impl Write) -> io::Result<()> {
        let Some(drawn) = self.drawn.take() else { return Ok(()) };
        queue!(out, Print("\r"))?;
        if !drawn.above.is_empty() {
            queue!(out, MoveUp(u16::try_from(drawn.above.len()).unwrap_or(u16::MAX)))?;
        }
        queue!(out, Clear(ClearType::FromCursorDown))
    }

    /// Empties the whole screen, but not the scroll-back.
    ///
    /// # Errors
    /// Those of `out`.
    pub(crate) fn clear(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.drawn = None;
        queue!(out, Clear(ClearType::All), MoveTo(0, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(above: &[&str], input: &str) -> Live {
        let above = above.iter().map(|row| (*row).to_owned()).collect();
        Live { above, input: input.to_owned(), cursor: input.len() }
    }

    fn terminal() -> vt100::Parser {
        vt100::Parser::new(6.try_into().unwrap(), 40.try_into().unwrap(), 0)
    }

    fn rows(terminal: &vt100::Parser) -> Vec<String> {
        terminal
            .screen()
            .rows(0, 40)
            .map(|row| row.trim_end().to_owned())
            .filter(|row| !row.is_empty())
            .collect()
    }

    #[test]
    fn what_arrives_goes_above_the_line_that_is_typed() {
        let mut terminal = terminal();
        let mut screen = Screen::default();
        let mut draw = |lines: &[&str], live: Live| {
            let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            let mut out = Vec::new();
            screen.draw(&mut out, &lines, live).unwrap();
            terminal.process(&out);
            (rows(&terminal), terminal.screen().cursor_position())
        };
        assert_eq!(draw(&[], live(&[], "[lobby] hel")), (vec!["[lobby] hel".to_owned()], (0, 11)));
        let (shown, cursor) = draw(&["al: one", "al: two"], live(&["(sending) x"], "[lobby] hel"));
        assert_eq!(shown, ["al: one", "al: two", "(sending) x", "[lobby] hel"]);
        assert_eq!(cursor, (3, 11));
        let long = "x".repeat(40);
        let (shown, cursor) = draw(&[&long, "al: three", "al: four"], live(&[], "[lobby] hell"));
        assert_eq!(shown, ["al: one", "al: two", &long, "al: three", "al: four", "[lobby] hell"]);
        assert_eq!(cursor, (5, 12));
    }

    #[test]
    fn nothing_is_left_behind_at_the_end() {
        let mut terminal = terminal();
        let mut screen = Screen::default();
        let mut out = Vec::new();
        screen.draw(&mut out, &["al: one".to_owned()], live(&["(waiting) y"], "[lobby] hel")).unwrap();
        screen.erase(&mut out).unwrap();
        terminal.process(&out);
        assert_eq!(rows(&terminal), ["al: one"]);
        assert_eq!(terminal.screen().cursor_position(), (1, 0));
    }
}
