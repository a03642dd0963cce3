//! The terminal itself: raw mode in, keys, drawing, raw mode out, whatever happens in between.

use std::collections::VecDeque;
use std::io::{self, Write, stdout};

use crosstalk_protocol::RoomName;
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange, EventStream,
};
use crossterm::{cursor, execute, terminal};
use futures_util::StreamExt;
use jiff::tz::TimeZone;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::{Arguments, default_nick};
use crate::driver::Driver;
use crate::identities::Identities;
use crate::interface::Interface;
use crate::journal::Journal;
use crate::keys::{self, Key};
use crate::message::{Effect, Ending, Line};
use crate::questions::Questions;
use crate::rooms::Rooms;
use crate::screen::Screen;
use crate::view::{self, Style};

/// Messages taken in before the screen is drawn again, when they come in a crowd.
const BATCH: usize = 200;

/// Columns of a terminal that does not know its own size.
const WIDTH_DEFAULT: u16 = 80;

/// Chats until the user leaves or cannot go on.
///
/// # Errors
/// Those of the terminal.
pub(crate) async fn run(arguments: Arguments) -> io::Result<Ending> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut hung_up = signal(SignalKind::hangup())?;
    let style = Style { colour: may_colour(), clock: Some(TimeZone::system()) };
    let mut identities = Identities::new(arguments.new);
    let questions = Questions::new(arguments.address, arguments.nick, default_nick());
    let rooms = Rooms::entering(std::iter::once(RoomName::lobby()).chain(arguments.room));
    let mut interface = Interface::new(questions, rooms, fastrand::u64(..));
    let mut journal = Journal::default();
    let mut driver = Driver::default();
    let mut screen = Screen::default();
    let _raw = RawMode::enter()?;
    let mut keys = EventStream::new();
    let mut effects = interface.start();
    loop {
        let mut lines = Vec::new();
        let mut ending = None;
        let mut due = VecDeque::from(std::mem::take(&mut effects));
        while let Some(effect) = due.pop_front() {
            match effect {
                Effect::Show(line) => lines.push(view::line(&line, &style)),
                Effect::Exit(how) => ending = Some(how),
                Effect::Recall(nick) => {
                    let address = interface.address();
                    let token = address.and_then(|address| identities.recall(address, &nick));
                    let place = address.and_then(|address| identities.place(address));
                    let kept = match (place, &token) {
                        (Some(place), Some(token)) => journal.open(&place, token),
                        _ => Vec::new(),
                    };
                    due.extend(interface.recalled(token, kept));
                }
                Effect::Remember(nick, token) => {
                    let Some(address) = interface.address() else { continue };
                    if let Err(reason) = identities.remember(address, &nick, &token) {
                        lines.push(view::line(&Line::Client(reason), &style));
                    }
                    if let Some(place) = identities.place(address) {
                        journal.open(&place, &token);
                    }
                }
                other => driver.perform(other, interface.address()),
            }
        }
        // That there is no place for it was said when the identity was to be kept.
        if let Some(kept) = interface.kept() {
            let _ = journal.keep(&kept);
        }
        if ending.is_some() && journal.holds() {
            let words = "What has not arrived is kept for your next start here.".to_owned();
            lines.push(view::line(&Line::Client(words), &style));
        }
        screen.draw(&mut stdout(), &lines, interface.live(width(), &style))?;
        if let Some(ending) = ending {
            screen.erase(&mut stdout())?;
            stdout().flush()?;
            return Ok(ending);
        }
        tokio::select! {
            event = keys.next() => match event {
                Some(event) => match keys::key(event?) {
                    Some(key @ (Key::Clear | Key::Redraw)) => redraw(&key, &mut screen)?,
                    Some(key) => effects = interface.key(key),
                    None => {}
                },
                None => effects = interface.leave(),
            },
            message = driver.next() => {
                effects = interface.happened(message);
                while effects.len() < BATCH && let Some(message) = driver.try_next() {
                    effects.extend(interface.happened(message));
                }
            }
            _ = terminated.recv() => effects = interface.leave(),
            _ = hung_up.recv() => return Ok(Ending::Left),
        }
    }
}

fn redraw(key: &Key, screen: &mut Screen) -> io::Result<()> {
    match key {
        Key::Clear => screen.clear(&mut stdout()),
        _ => screen.erase(&mut stdout()),
    }
}

fn width() -> usize {
    let width = terminal::size().map_or(WIDTH_DEFAULT, |(columns, _)| columns);
    usize::from(if width == 0 { WIDTH_DEFAULT } else { width })
}

/// No colours where the user wants none (<https://no-color.org>).
fn may_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The terminal hands over keys as they are pressed, while this lives. It is given back as it was
/// also when the program panics: before the panic's message, which would be unreadable otherwise.
struct RawMode;

impl RawMode {
    fn enter() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        let raw = Self;
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            hook(panic);
        }));
        execute!(stdout(), EnableBracketedPaste, EnableFocusChange)?;
        Ok(raw)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    // Nothing is to be done if the terminal is gone.
    let _ = execute!(stdout(), DisableFocusChange, DisableBracketedPaste, cursor::Show);
    let _ = terminal::disable_raw_mode();
}
