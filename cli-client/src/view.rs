//! What the client shows, as text: lines for the scroll-back, and the rows that stay below it.
//!
//! Everything in here is safe to write to a terminal: names and texts were cleaned when they came
//! in, and the colours are the only escape sequences.

use std::hash::{DefaultHasher, Hash, Hasher};

use crosstalk_protocol::line::render;
use crosstalk_protocol::{Command, Nick, RoomName, Target};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::commands::Order;
use crate::message::{Chat, Line, Place};
use crate::model::{Link, Model};
use crate::outbox::{Pending, State};

/// Rows of messages that are not acknowledged yet; more are counted.
const PENDING_ROWS: usize = 5;

/// Colours that can be read on light and on dark: no black, white or yellow.
const NICK_COLOURS: [u8; 8] = [31, 32, 34, 35, 36, 91, 94, 95];
const DIM: u8 = 2;
const WARNING: u8 = 33;

/// The clock before what is said now, and before what was said on any day.
const TODAY: &str = "%H:%M ";
const ANY_DAY: &str = "%Y-%m-%d %H:%M ";

/// How to write a line.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    /// Whether to use colours.
    pub(crate) colour: bool,
    /// The time zone of the clock before messages; without one there is no clock.
    pub(crate) clock: Option<TimeZone>,
}

impl Style {
    /// As the server's line door writes: for programs.
    pub(crate) const PLAIN: Self = Self { colour: false, clock: None };

    /// Less bright, for what is not a message.
    pub(crate) fn dim(&self, text: &str) -> String {
        self.paint(DIM, text)
    }

    fn paint(&self, colour: u8, text: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn nick(&self, nick: &Nick) -> String {
        let mut hasher = DefaultHasher::new();
        nick.hash(&mut hasher);
        let index = hasher.finish() as usize % NICK_COLOURS.len();
        self.paint(NICK_COLOURS[index], nick.as_str())
    }

    fn clock(&self, at: u64, format: &str) -> String {
        let Some(zone) = &self.clock else { return String::new() };
        let time = i64::try_from(at).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
        let text = match time {
            Some(time) => zone.to_datetime(time).strftime(format).to_string(),
            None => "--:-- ".to_owned(),
        };
        self.paint(DIM, &text)
    }
}

/// One line, as the server's line door writes it.
pub(crate) fn line(line: &Line, style: &Style) -> String {
    match line {
        Line::Chat(message) => chat(message, style, TODAY),
        Line::Past(message) => chat(message, style, ANY_DAY),
        Line::Divider(words) => style.paint(WARNING, &format!("── {words} ──")),
        Line::Server(words) => style.paint(DIM, words),
        Line::Client(words) => style.paint(DIM, &format!("-- {words}")),
        Line::Row(row) => row.clone(),
        Line::Refused(reason, None) => style.paint(WARNING, &format!("-- {reason}")),
        Line::Refused(reason, Some(text)) => {
            style.paint(WARNING, &format!("-- {reason} This was not sent: {text}"))
        }
        Line::Unsure(text) => {
            style.paint(WARNING, &format!("-- Nobody knows whether this has arrived: {text}"))
        }
    }
}

fn chat(message: &Chat, style: &Style, format: &str) -> String {
    let place = match &message.place {
        Place::Lobby => String::new(),
        Place::Room(room) => format!("[{room}] "),
        Place::ToMe => "[DM] ".to_owned(),
        Place::To(nick) => format!("[DM to {nick}] "),
    };
    let (clock, from, text) = (style.clock(message.at, format), style.nick(&message.from), &message.text);
    let reply = match &message.reply {
        Some(nick) => format!("(in reply to {nick}) "),
        None => String::new(),
    };
    let edited = if message.edited { style.dim(" (edited)") } else { String::new() };
    if message.action {
        format!("{clock}{place}* {from} {reply}{text}{edited}")
    } else {
        format!("{clock}{place}{from}: {reply}{text}{edited}")
    }
}

/// What is before the line that is being typed: where it will go.
pub(crate) fn prompt(model: &Model) -> String {
    let room = match model.rooms.here() {
        Some(Target::User(nick)) => format!("DM to {nick}"),
        Some(Target::Room(room)) => room.to_string(),
        None => "no room".to_owned(),
    };
    match model.link {
        Link::Online | Link::Leaving => format!("[{room}] "),
        Link::Connecting | Link::Greeting | Link::AskingNick | Link::Offline => format!("[{room}, offline] "),
    }
}

/// What stays below the scroll-back: what is unread elsewhere, and the user's own messages that are
/// not in a log yet, with what they are waiting for.
pub(crate) fn below(model: &Model) -> Vec<String> {
    let mut rows: Vec<String> = unread(model).into_iter().collect();
    match model.outbox.failed() {
        0 => {}
        1 => rows.push("(one message failed; /again sends it once more, /again drop does not)".to_owned()),
        many => {
            rows.push(format!("({many} messages failed; /again sends them once more, /again drop does not)"))
        }
    }
    rows.extend(pending(model));
    rows
}

fn unread(model: &Model) -> Option<String> {
    let rooms = model.rooms.iter().filter(|member| member.unread > 0);
    let counts: Vec<String> = rooms
        .map(|member| {
            let name = member.with.as_ref().map_or(member.room.as_str(), |nick| nick.as_str());
            format!("{name} {}", render::grouped(member.unread))
        })
        .collect();
    (!counts.is_empty()).then(|| format!("(unread: {})", counts.join(", ")))
}

/// The user's own messages that are not in a log yet.
pub(crate) fn pending(model: &Model) -> Vec<String> {
    let online = matches!(model.link, Link::Online | Link::Leaving);
    let waiting = if online { "waiting" } else { "waiting for the connection" };
    let sent = model.outbox.pending().filter(|pending| pending.state != State::Seen).map(|pending| {
        let waits = if online && pending.state == State::UnderWay { "sending" } else { waiting };
        format!("({waits}) {}", wanted(pending))
    });
    let typed = model.deferred.iter().filter_map(Order::words).map(|words| format!("({waiting}) {words}"));
    let mut rows: Vec<String> = sent.chain(typed).collect();
    if rows.len() > PENDING_ROWS {
        let more = rows.len() - PENDING_ROWS;
        rows.truncate(PENDING_ROWS);
        rows.push(format!("(and {more} more)"));
    }
    rows
}

fn wanted(pending: &Pending) -> String {
    let place = |room: &RoomName| if room.is_lobby() { String::new() } else { format!("[{room}] ") };
    match &pending.command {
        Command::Send { to: Target::Room(room), text, .. } => format!("{}{text}", place(room)),
        Command::Send { to: Target::User(nick), text, .. } => format!("[DM to {nick}] {text}"),
        Command::Edit { room, text, .. } => format!("{}in other words: {text}", place(room)),
        Command::Delete { room, .. } => format!("{}withdrawal of a message", place(room)),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstalk_protocol::Text;

    fn message(place: Place, action: bool) -> Line {
        Line::Chat(Chat {
            at: 1_764_000_012_345,
            place,
            from: "alice".parse().unwrap(),
            own: false,
            text: Text::clean("hi").unwrap(),
            action,
            reply: None,
            edited: false,
        })
    }

    fn plain(place: Place, action: bool) -> String {
        line(&message(place, action), &Style::PLAIN)
    }

    #[test]
    fn lines_look_as_on_the_line_door() {
        let dev = || Place::Room("dev".parse().unwrap());
        assert_eq!(plain(Place::Lobby, false), "alice: hi");
        assert_eq!(plain(dev(), false), "[dev] alice: hi");
        assert_eq!(plain(Place::ToMe, false), "[DM] alice: hi");
        assert_eq!(plain(Place::Lobby, true), "* alice hi");
        assert_eq!(plain(dev(), true), "[dev] * alice hi");
    }

    #[test]
    fn on_a_terminal_there_are_a_clock_and_colours() {
        let style = Style { colour: false, clock: Some(TimeZone::UTC) };
        assert_eq!(line(&message(Place::Lobby, false), &style), "16:00 alice: hi");
        let style = Style { colour: true, clock: None };
        let shown = line(&message(Place::Lobby, false), &style);
        assert!(shown.starts_with("\x1b[") && shown.ends_with("alice\x1b[0m: hi"), "{shown:?}");
    }

    #[test]
    fn a_time_that_cannot_be_is_not_a_fault() {
        let style = Style { colour: false, clock: Some(TimeZone::UTC) };
        assert_eq!(style.clock(u64::MAX, TODAY), "--:-- ");
        assert_eq!(style.clock(i64::MAX as u64, TODAY), "--:-- ");
    }
}
