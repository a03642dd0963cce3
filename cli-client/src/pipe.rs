//! Not on a terminal: lines of standard input are messages, and what arrives is standard output.
//!
//! Nobody is there to ask. So a refused nickname is the end, and so is a connection that is lost and
//! cannot be made again in a while; a refused message is reported, the rest is sent, and the exit
//! code tells of it. A reader of the output
//! that is slow slows the pipe; one that goes away does not end it.

use std::io::{self, BufRead, Read, Write};
use std::time::Duration;

use crosstalk_protocol::{Nick, RoomName, Text, TextError};
use tokio::io::{AsyncWriteExt, Stdout};
use tokio::sync::mpsc;

use crate::address::{Address, TCP_PORT};
use crate::arguments::{Arguments, default_nick};
use crate::connection::describe;
use crate::driver::Driver;
use crate::message::{Effect, Ending, Line, Message};
use crate::model::{Front, Model};
use crate::rooms::Rooms;
use crate::update::update;
use crate::view::{self, Style};

/// Lines read ahead of what the server has acknowledged.
const READ_AHEAD: usize = 64;

/// Bytes of a line that are kept; the rest of a longer one is skipped, and it is refused.
const LINE_MAX: usize = 64 * 1024;

/// Numbers tried behind a default nickname that is taken.
const NICK_TRIES: u32 = 99;

/// What comes from standard input.
enum Input {
    Line(String),
    End,
    Failed(io::Error),
}

/// Sends and receives until the input is over and acknowledged, or it cannot go on.
pub(crate) async fn run(arguments: Arguments, commands: bool) -> Ending {
    let address =
        arguments.address.unwrap_or_else(|| Address::Tcp { host: "localhost".to_owned(), port: TCP_PORT });
    let mut nicks = Nicks::new(arguments.nick);
    let rooms = Rooms::entering([arguments.room.unwrap_or_else(RoomName::lobby)]);
    let nick = nicks.wanted.clone();
    let front = Front::Pipe(Duration::from_secs(arguments.patience));
    let mut model = Model::new(nick, address.to_string(), rooms, front, fastrand::u64(..));
    let mut driver = Driver::default();
    let mut output = Output { stdout: Some(tokio::io::stdout()), refused: false };
    let mut inputs = read_input();
    let mut effects = vec![Effect::Connect];
    loop {
        while !effects.is_empty() {
            for effect in std::mem::take(&mut effects) {
                match effect {
                    Effect::Show(line) => output.show(&line).await,
                    Effect::AskNick(reason) => match nicks.next() {
                        Some(nick) => effects.extend(update(&mut model, Message::Nick(nick, None))),
                        None => return Ending::NickRefused(reason),
                    },
                    Effect::Exit(Ending::Left) if output.refused => {
                        return Ending::Refused("Not everything was carried out.".to_owned());
                    }
                    Effect::Exit(ending) => return ending,
                    other => driver.perform(other, Some(&address)),
                }
            }
        }
        let room = !model.ending && model.outbox.len() + model.deferred.len() < READ_AHEAD;
        effects = tokio::select! {
            input = inputs.recv(), if room => match input {
                Some(Input::Line(line)) if line.len() >= LINE_MAX => {
                    let reason = format!("Not sent: a line has over {LINE_MAX} bytes; split it.");
                    vec![Effect::Show(Line::Refused(reason, None))]
                }
                Some(Input::Line(line)) if commands => update(&mut model, Message::Typed(line)),
                Some(Input::Line(line)) => match Text::clean(&line) {
                    Ok(text) => update(&mut model, Message::Say(text)),
                    Err(TextError::Empty) => Vec::new(),
                    Err(error) => vec![Effect::Show(Line::Refused(format!("Not sent: {error}."), None))],
                },
                Some(Input::Failed(error)) => {
                    let reason = format!("Cannot read standard input: {}.", describe(&error));
                    vec![Effect::Exit(Ending::Refused(reason))]
                }
                Some(Input::End) | None => update(&mut model, Message::EndOfInput),
            },
            message = driver.next() => update(&mut model, message),
        };
    }
}

/// The nickname wanted, and what to try when it is taken.
struct Nicks {
    wanted: Nick,
    /// The number tried last; a nickname that was asked for is not changed.
    number: Option<u32>,
}

impl Nicks {
    fn new(asked_for: Option<Nick>) -> Self {
        match asked_for {
            Some(wanted) => Self { wanted, number: None },
            None => Self { wanted: default_nick(), number: Some(1) },
        }
    }

    fn next(&mut self) -> Option<Nick> {
        let number = self.number.as_mut().filter(|number| **number < NICK_TRIES)?;
        *number += 1;
        format!("{}-{number}", self.wanted).parse().ok()
    }
}

struct Output {
    /// `None` once nobody reads it any more.
    stdout: Option<Stdout>,
    refused: bool,
}

impl Output {
    async fn show(&mut self, line: &Line) {
        match line {
            // As on the line door, one's own words do not come back.
            Line::Chat(message) if message.own => {}
            Line::Chat(_) | Line::Past(_) | Line::Server(_) | Line::Row(_) => {
                let text = view::line(line, &Style::PLAIN) + "\n";
                if let Err(error) = self.write(&text).await {
                    self.stdout = None;
                    // Whoever reads may stop reading; a full disk is another matter.
                    if error.kind() != io::ErrorKind::BrokenPipe {
                        self.refused = true;
                        report(&format!("Cannot write standard output: {}.", describe(&error)));
                    }
                }
            }
            Line::Client(_) | Line::Divider(_) | Line::Unsure(_) => {}
            Line::Refused(reason, text) => {
                self.refused = true;
                let behind =
                    text.as_ref().map(|text| format!(" This was not sent: {text}")).unwrap_or_default();
                report(&format!("{reason}{behind}"));
            }
        }
    }

    async fn write(&mut self, text: &str) -> io::Result<()> {
        let Some(stdout) = &mut self.stdout else { return Ok(()) };
        stdout.write_all(text.as_bytes()).await?;
        stdout.flush().await
    }
}

/// Writes to standard error. That nobody reads it is no reason to stop.
pub(crate) fn report(reason: &str) {
    let _ = writeln!(io::stderr(), "crosstalk: {reason}");
}

/// Reads standard input on a thread of its own, which ends with the process: a read of it cannot
/// be cancelled.
fn read_input() -> mpsc::Receiver<Input> {
    let (inputs, receiver) = mpsc::channel(READ_AHEAD);
    std::thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        loop {
            let input = match read_line(&mut stdin) {
                Ok(Some(line)) => Input::Line(line),
                Ok(None) => Input::End,
                Err(error) => Input::Failed(error),
            };
            let goes_on = matches!(input, Input::Line(_));
            if inputs.blocking_send(input).is_err() || !goes_on {
                break;
            }
        }
    });
    receiver
}

/// The next line, without its ending; what is not UTF-8 in it is replaced.
fn read_line(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if input.by_ref().take(LINE_MAX as u64).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.len() == LINE_MAX && line.last() != Some(&b'\n') {
        input.skip_until(b'\n')?;
    }
    let end = line.strip_suffix(b"\n").unwrap_or(&line);
    let end = end.strip_suffix(b"\r").unwrap_or(end);
    Ok(Some(String::from_utf8_lossy(end).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_whatever_is_in_them() {
        let long = "x".repeat(LINE_MAX + 10);
        let bytes = [b"one\r\n\ntw\xffo\n", long.as_bytes(), b"\nlast"].concat();
        let mut input = bytes.as_slice();
        let mut next = || read_line(&mut input).unwrap();
        assert_eq!(next().as_deref(), Some("one"));
        assert_eq!(next().as_deref(), Some(""));
        assert_eq!(next().as_deref(), Some("tw\u{fffd}o"));
        assert_eq!(next().map(|line| line.len()), Some(LINE_MAX));
        assert_eq!(next().as_deref(), Some("last"));
        assert_eq!(next(), None);
    }

    #[test]
    fn only_a_default_nickname_is_numbered() {
        let mut nicks = Nicks { wanted: "bot".parse().unwrap(), number: Some(1) };
        assert_eq!(nicks.next().unwrap().as_str(), "bot-2");
        assert_eq!(nicks.next().unwrap().as_str(), "bot-3");
        assert!(Nicks::new(Some("bot".parse().unwrap())).next().is_none());
    }
}
