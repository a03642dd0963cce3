//! The door for people: text lines, framed by line endings or, for the original's clients, by
//! silence. It knows when a line is whole and when a reply may go; what is typed is carried out in
//! `commands`, and said in words in `replies`.

mod backlog;
mod commands;
mod replies;

use std::collections::VecDeque;
use std::task::{Context, Poll};

use crosstalk_protocol::line::{Decoder, Style, Waiting, render};
use crosstalk_protocol::slash::{self, Typed};
use crosstalk_protocol::{
    Command, Disconnect, DisconnectCode, ErrorCode, ErrorReply, Event, Nick, RoomName, Text,
};
use tokio::time::Instant;

use self::replies::{error_in_words, in_words};
use crate::connection::Door;
use crate::limits::{HELD_MAX, HELLO_TIME, QUIET_TIME, TYPING_TIME, WRITE_MAX};
use crate::outgoing::Outgoing;
use crate::segment::Encoding;
use crate::session::{Refusal, Session, Told};

/// What the next line is, if not a line like any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prompt {
    /// The text of a broadcast.
    Broadcast,
    /// One's own nickname, to go out of sight or to come back.
    Hide,
    Reveal,
}

/// A line peer.
pub struct LineDoor {
    decoder: Decoder,
    session: Session,
    hello_by: Instant,
    heard_at: Instant,
    prompt: Option<Prompt>,
    /// Where a line goes.
    room: Option<RoomName>,
    /// Messages that are shown on entering a room, and whether the peer wants to see them.
    backlog: Option<usize>,
    shows_backlog: bool,
    /// Whether `Message broadcasted!` or the like is owed: lines are answered in their order.
    owes_receipt: bool,
    /// What is about the last message of somebody, and waits until what was said before is stored.
    deferred: Option<Typed>,
    /// Whether the peer has said goodbye: it goes when what it has sent is in the log.
    leaving: bool,
    /// Whether messages have come without line endings.
    unframed: bool,
    /// For an unframed peer: replies that each want a send of their own, and when the next may go.
    held: VecDeque<String>,
    hold_until: Option<Instant>,
}

impl LineDoor {
    /// A peer that has said nothing yet. On entering a room it is shown the last `backlog` messages.
    pub fn new(session: Session, backlog: Option<usize>) -> Self {
        let now = Instant::now();
        Self {
            decoder: Decoder::new(),
            session,
            hello_by: now + HELLO_TIME,
            heard_at: now,
            prompt: None,
            room: None,
            backlog,
            shows_backlog: true,
            owes_receipt: false,
            deferred: None,
            leaving: false,
            unframed: false,
            held: VecDeque::new(),
            hold_until: None,
        }
    }

    fn style(&self) -> Style {
        if self.decoder.uses_cr() {
            Style::CrLf
        } else if self.unframed {
            Style::Unframed
        } else {
            Style::Lf
        }
    }

    fn reply(&mut self, text: impl Into<String>, out: &mut Outgoing) {
        say(text.into(), self.style(), &mut self.held, out);
    }

    /// Writes what was held at once: the peer has turned out to be framed, or there is no more time.
    fn release_held(&mut self, out: &mut Outgoing) {
        let style = self.style();
        for reply in std::mem::take(&mut self.held) {
            out.reply(|bytes| render::reply(&reply, style, bytes));
        }
        self.hold_until = None;
    }

    /// What is sent to an unframed peer is followed by a pause, since nothing else ends it.
    fn pause_behind(&mut self, out: &Outgoing) {
        if self.style() == Style::Unframed && !out.is_empty() {
            self.hold_until = Some(Instant::now() + QUIET_TIME);
        }
    }

    async fn line(&mut self, line: Result<String, ErrorReply>, out: &mut Outgoing) -> Result<(), Refusal> {
        self.session.admit()?;
        let line = line?;
        if !self.session.is_welcome() {
            return self.hello(&line, out).await;
        }
        match self.prompt.take() {
            Some(Prompt::Broadcast) => {
                return self.broadcast(Text::clean(&line).map_err(ErrorReply::from)?).await;
            }
            Some(prompt @ (Prompt::Hide | Prompt::Reveal)) => {
                // The original's newer client asks nobody for the name: what comes next is the next
                // command. Who could be meant is clear all the same.
                let command = line.starts_with('/');
                let nick =
                    if command { None } else { Some(Nick::parse(&line).map_err(ErrorReply::bad_nick)?) };
                self.set_hidden(prompt == Prompt::Hide, nick.as_ref(), out).await?;
                if !command {
                    return Ok(());
                }
            }
            None => {}
        }
        self.typed(slash::parse(&line)?, out).await
    }

    async fn hello(&mut self, line: &str, out: &mut Outgoing) -> Result<(), Refusal> {
        if line.starts_with('/') {
            return match slash::parse(line) {
                Ok(Typed::Quit) => Err(Refusal::Disconnect(DisconnectCode::Bye)),
                Ok(Typed::Backlog(shown)) => {
                    self.set_backlog(shown, out);
                    Ok(())
                }
                _ => Err(ErrorReply::new(ErrorCode::HelloFirst, "Enter your nickname first, then commands.")
                    .into()),
            };
        }
        let nick = Nick::parse(line).map_err(ErrorReply::bad_nick)?;
        let hello =
            Command::Hello { nick: nick.clone(), token: None, client: None, rooms: None, hidden: false };
        let welcome = self.ask(hello).await?;
        tracing::Span::current().record("nick", nick.as_str());
        self.room = Some(RoomName::lobby());
        self.reply("Connected to the server", out);
        if self.style() != Style::Unframed {
            let hint = format!(
                "Server: Welcome, {nick}. What you type goes to {}; /help lists the commands.",
                crosstalk_protocol::LOBBY
            );
            self.reply(hint, out);
        }
        self.show_missed(out).await;
        if let Some(Event::Welcome { rooms, .. }) = welcome {
            for entered in rooms {
                self.show_backlog(&entered, out).await?;
            }
        }
        Ok(())
    }
}

impl Door for LineDoor {
    fn receive(&mut self, bytes: &[u8]) {
        self.heard_at = Instant::now();
        self.decoder.push(bytes);
        if self.decoder.is_framed() {
            self.unframed = false;
        }
    }

    fn finish(&mut self) {
        self.decoder.finish();
    }

    fn accepts_input(&self) -> bool {
        let waits = self.owes_receipt || (self.deferred.is_some() && self.session.in_flight() > 0);
        self.session.is_ready() && !waits && self.held.len() < HELD_MAX
    }

    async fn handle(&mut self, out: &mut Outgoing) -> Result<bool, DisconnectCode> {
        let answers = self.decoder.take_answers();
        if !answers.is_empty() {
            out.reply(|bytes| bytes.extend(answers));
        }
        if self.style() != Style::Unframed {
            self.release_held(out);
        }
        if !self.accepts_input() {
            return Ok(false);
        }
        if self.leaving {
            return if self.session.in_flight() > 0 { Ok(false) } else { Err(DisconnectCode::Bye) };
        }
        let result = match self.deferred.take() {
            Some(typed) => self.typed(typed, out).await,
            None => {
                let Some(line) = self.decoder.next_line() else { return Ok(false) };
                self.line(line, out).await
            }
        };
        match result {
            Ok(()) => {}
            Err(Refusal::Error(error)) => {
                self.owes_receipt = false;
                self.reply(error_in_words(&error), out);
            }
            Err(Refusal::Disconnect(DisconnectCode::Bye)) => self.leaving = true,
            Err(Refusal::Disconnect(code)) => return Err(code),
        }
        Ok(true)
    }

    fn collect(&mut self, out: &mut Outgoing) -> Result<bool, DisconnectCode> {
        let style = self.style();
        let unframed = style == Style::Unframed;
        if unframed && self.hold_until.is_some_and(|until| Instant::now() < until) {
            return Ok(false);
        }
        let mut behind = false;
        if let Some(reply) = self.held.pop_front() {
            // A reply to an unframed peer is a send of its own.
            out.reply(|bytes| bytes.extend(reply.as_bytes()));
        } else {
            let Self { session, held, owes_receipt, .. } = self;
            behind = session.read(Encoding::Line(style), WRITE_MAX, |told| {
                put(told, style, held, owes_receipt, out);
            })?;
            if unframed {
                out.trim_line_feed();
            }
        }
        self.pause_behind(out);
        // What memory has not is for another send.
        Ok(behind && (!unframed || out.is_empty()))
    }

    async fn catch_up(&mut self, out: &mut Outgoing) -> Result<(), DisconnectCode> {
        let style = self.style();
        let Self { session, held, owes_receipt, .. } = self;
        let tell = |told| put(told, style, held, owes_receipt, out);
        session.catch_up(Encoding::Line(style), WRITE_MAX, tell).await?;
        if style == Style::Unframed {
            out.trim_line_feed();
        }
        self.pause_behind(out);
        Ok(())
    }

    fn poll_rung(&self, context: &Context<'_>) -> Poll<()> {
        // While an unframed peer's pause lasts, its deadline wakes the connection.
        if self.hold_until.is_some() { Poll::Pending } else { self.session.poll_rung(context) }
    }

    fn has_news(&self) -> bool {
        self.hold_until.is_none() && (!self.held.is_empty() || self.session.has_news())
    }

    fn is_busy(&self) -> bool {
        let pausing = !self.held.is_empty() || self.hold_until.is_some();
        self.session.in_flight() > 0 || pausing || self.decoder.waiting().is_some()
    }

    fn deadline(&self) -> Option<Instant> {
        let hello_by = (!self.session.is_welcome()).then_some(self.hello_by);
        let quiet = self.decoder.waiting().map(|waiting| self.heard_at + quiet_time(waiting));
        [hello_by, quiet, self.hold_until].into_iter().flatten().min()
    }

    fn tick(&mut self, now: Instant, _: &mut Outgoing) -> Result<(), DisconnectCode> {
        if let Some(waiting) = self.decoder.waiting()
            && self.heard_at + quiet_time(waiting) <= now
        {
            self.unframed = true;
            self.decoder.flush();
        }
        if self.hold_until.is_some_and(|until| until <= now) {
            self.hold_until = None;
        }
        if !self.session.is_welcome() && self.hello_by <= now {
            return Err(DisconnectCode::HelloTimeout);
        }
        Ok(())
    }

    fn farewell(&mut self, disconnect: &Disconnect, out: &mut Outgoing) {
        self.session.end(disconnect.code == DisconnectCode::Bye);
        let words = format!("Server: {}", disconnect.message);
        let style = self.style();
        self.release_held(out);
        out.reply(|bytes| render::reply(&words, style, bytes));
        if style == Style::Unframed {
            out.trim_line_feed();
        }
    }
}

fn put(told: Told, style: Style, held: &mut VecDeque<String>, owes_receipt: &mut bool, out: &mut Outgoing) {
    match told {
        Told::Run(bytes) => out.push(bytes),
        Told::Event(event) => {
            if matches!(event, Event::Ack { .. } | Event::Error { .. }) {
                *owes_receipt = false;
            }
            if let Some(words) = in_words(&event) {
                say(words, style, held, out);
            }
        }
    }
}

/// Writes a reply, or holds it: to an unframed peer each is a send of its own.
fn say(text: String, style: Style, held: &mut VecDeque<String>, out: &mut Outgoing) {
    if style == Style::Unframed {
        held.push_back(text);
    } else {
        out.reply(|bytes| render::reply(&text, style, bytes));
    }
}

fn quiet_time(waiting: Waiting) -> std::time::Duration {
    match waiting {
        Waiting::Message => QUIET_TIME,
        Waiting::Typing => TYPING_TIME,
    }
}
