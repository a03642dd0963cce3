//! A real pseudo-terminal with the real client in it, and its screen as text.

use std::path::Path;

use crosstalk_tests::within;
use pty_process::{Command, Pty, Size};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, tcgetattr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;

use crate::program::crosstalk;

const ROWS: u16 = 12;
const COLUMNS: u16 = 60;

/// A terminal with a `crosstalk` in it. If the test fails, its screen is shown.
pub(crate) struct Terminal {
    pty: Pty,
    child: Child,
    parser: vt100::Parser,
    /// Everything that was written to the terminal, escape sequences and all.
    written: Vec<u8>,
}

impl Terminal {
    /// Starts the client with `arguments` on a screen of 12 rows and 60 columns. It remembers
    /// nothing for the next start.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, None)
    }

    /// The same, with what it remembered in the folder `state`.
    pub(crate) fn start_in(state: &Path, arguments: &[&str]) -> Self {
        Self::start_with(arguments, Some(state))
    }

    fn start_with(arguments: &[&str], state: Option<&Path>) -> Self {
        let (pty, pts) = pty_process::open().expect("a pseudo-terminal can be had");
        pty.resize(Size::new(ROWS, COLUMNS)).expect("a terminal can be resized");
        let child = Command::new(crosstalk())
            .args(arguments)
            .env_clear()
            .envs([("TERM", "xterm-256color"), ("TZ", "UTC"), ("NO_COLOR", "1"), ("USER", "user")])
            .envs(state.map(|state| ("XDG_STATE_HOME", state)))
            .kill_on_drop(true)
            .spawn(pts)
            .expect("crosstalk can be started");
        Self { pty, child, parser: parser(ROWS, COLUMNS), written: Vec::new() }
    }

    /// Types, as somebody at the keyboard; Enter is `\r`.
    pub(crate) async fn type_in(&mut self, text: &str) {
        within("keys to be taken", self.pty.write_all(text.as_bytes())).await.expect("the terminal is open");
    }

    /// Waits until `text` is somewhere on the screen.
    pub(crate) async fn shows(&mut self, text: &str) {
        self.until(&format!("{text:?}"), |rows| rows.iter().any(|row| row.contains(text))).await;
    }

    /// Waits until the last row that is not empty is exactly `text`.
    pub(crate) async fn shows_last(&mut self, text: &str) {
        self.until(&format!("{text:?} at the end"), |rows| rows.last().is_some_and(|row| row == text)).await;
    }

    /// Waits until the screen passes `test`.
    pub(crate) async fn until(&mut self, what: &str, test: impl Fn(&[String]) -> bool) {
        while !test(&self.rows()) {
            let mut bytes = [0; 4096];
            let what = format!("{what} on the screen:\n{}", self.rows().join("\n"));
            match within(&what, self.pty.read(&mut bytes)).await {
                Ok(count) if count > 0 => self.take(&bytes[..count]),
                // Linux ends a pseudo-terminal whose other side is closed with an error.
                _ => panic!("the client ended without {what}"),
            }
        }
    }

    /// The rows of the screen up to the last that is not empty, without the spaces behind them.
    pub(crate) fn rows(&self) -> Vec<String> {
        let (_, columns) = self.parser.screen().size();
        let mut rows: Vec<String> =
            self.parser.screen().rows(0, columns.get()).map(|row| row.trim_end().to_owned()).collect();
        while rows.last().is_some_and(String::is_empty) {
            rows.pop();
        }
        rows
    }

    /// Where the cursor is: row and column.
    pub(crate) fn cursor(&self) -> (u16, u16) {
        self.parser.screen().cursor_position()
    }

    /// Another size. What is on the screen stays until it is drawn anew.
    pub(crate) fn resize(&mut self, rows: u16, columns: u16) {
        self.parser.screen_mut().set_size(nonzero(rows), nonzero(columns));
        self.pty.resize(Size::new(rows, columns)).expect("a terminal can be resized");
    }

    /// Whether keys are handed over as they are pressed, which only the client wants.
    pub(crate) fn is_raw(&self) -> bool {
        let modes = tcgetattr(&self.pty).expect("the terminal is open").local_modes;
        !modes.intersects(LocalModes::ICANON | LocalModes::ECHO)
    }

    /// Whether a paste is marked as one.
    pub(crate) fn marks_pastes(&self) -> bool {
        self.parser.screen().bracketed_paste()
    }

    /// Sends the client a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.child.id().expect("the client is running");
        let pid = Pid::from_raw(id as i32).expect("a process id is not 0");
        kill_process(pid, signal).expect("the client takes signals");
    }

    /// Everything that was written to the terminal so far.
    pub(crate) fn written(&self) -> String {
        String::from_utf8_lossy(&self.written).into_owned()
    }

    /// Waits for the client to end, and hands over its exit code.
    pub(crate) async fn exit(&mut self) -> Option<i32> {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = within("the client to end", self.pty.read(&mut bytes)).await {
            self.take(&bytes[..count]);
        }
        within("the client to end", self.child.wait()).await.expect("a child can be awaited").code()
    }

    fn take(&mut self, bytes: &[u8]) {
        self.written.extend_from_slice(bytes);
        self.parser.process(bytes);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the screen ---\n{}\n--- end ---", self.rows().join("\n"));
        }
    }
}

fn parser(rows: u16, columns: u16) -> vt100::Parser {
    vt100::Parser::new(nonzero(rows), nonzero(columns), 0)
}

fn nonzero(number: u16) -> std::num::NonZero<u16> {
    number.try_into().expect("a screen has a row and a column")
}
