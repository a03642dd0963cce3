//! The door for people: text lines, framed by line endings or, for the original's clients, by
//! silence. It knows the words of the original's replies; the session knows what they are about.

use std::collections::VecDeque;

use crosstalk_protocol::line::{Decoder, Style, Waiting, render};
use crosstalk_protocol::slash::{self, Typed};
use crosstalk_protocol::{
    Command, Disconnect, DisconnectCode, EntryRoom, ErrorCode, ErrorReply, Event, HistoryRange, Nick, Page,
    Request, RequestId, RoomName, Target, Text, limits,
};
use tokio::time::Instant;

use crate::connection::Door;
use crate::limits::{HELD_MAX, HELLO_TIME, HISTORY_LINES, QUIET_TIME, TYPING_TIME, WRITE_MAX};
use crate::outgoing::Outgoing;
use crate::segment::Encoding;
use crate::session::{Refusal, Reply, Session, Told};

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
    /// Whether `Message broadcasted!` is owed: lines are answered in their order.
    owes_receipt: bool,
    /// Whether the peer has said goodbye: it goes when what it has sent is in the log.
    leaving: bool,
    /// Whether messages have come without line endings.
    unframed: bool,
    /// For an unframed peer: replies that each want a send of their own, and when the next may go.
    held: VecDeque<String>,
    hold_until: Option<Instant>,
}

impl LineDoor {
    /// A peer that has said nothing yet.
    pub fn new(session: Session) -> Self {
        let now = Instant::now();
        Self {
            decoder: Decoder::new(),
            session,
            hello_by: now + HELLO_TIME,
            heard_at: now,
            prompt: None,
            room: None,
            owes_receipt: false,
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
        let style = self.style();
        if style == Style::Unframed {
            self.held.push_back(text.into());
        } else {
            let text = text.into();
            out.reply(|bytes| render::reply(&text, style, bytes));
        }
    }

    /// Writes what was held at once: the peer has turned out to be framed, or there is no more time.
    fn release_held(&mut self, out: &mut Outgoing) {
        let style = self.style();
        for reply in std::mem::take(&mut self.held) {
            out.reply(|bytes| render::reply(&reply, style, bytes));
        }
        self.hold_until = None;
    }

    async fn line(&mut self, line: Result<String, ErrorReply>, out: &mut Outgoing) -> Result<(), Refusal> {
        self.session.admit()?;
        let line = line?;
        if !self.session.is_welcome() {
            return self.hello(&line, out).await;
        }
        match self.prompt.take() {
            Some(Prompt::Broadcast) => return self.broadcast(Text::clean(&line).map_err(ErrorReply::from)?),
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
                _ => Err(ErrorReply::new(ErrorCode::HelloFirst, "Enter your nickname first, then commands.")
                    .into()),
            };
        }
        let nick = Nick::parse(line).map_err(ErrorReply::bad_nick)?;
        self.ask(Command::Hello { nick: nick.clone(), rooms: None }).await?;
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
        Ok(())
    }

    async fn typed(&mut self, typed: Typed, out: &mut Outgoing) -> Result<(), Refusal> {
        match typed {
            Typed::Say(text) => self.say(text, false)?,
            Typed::Me(text) => self.say(text, true)?,
            Typed::Room(room, text) => self.say_in_room(room, text)?,
            Typed::Broadcast(Some(text)) => self.broadcast(text)?,
            Typed::Broadcast(None) => {
                self.prompt = Some(Prompt::Broadcast);
                self.reply("Enter your message: ", out);
            }
            Typed::Dm(nick, text) => self.session.send(&Target::User(nick), text, false, false, None)?,
            Typed::Help => self.reply(slash::help().collect::<Vec<_>>().join("\n"), out),
            Typed::Members(room, after) => self.members(room, after, out).await?,
            Typed::GetRooms(after) => self.rooms(after, out).await?,
            Typed::CreateRoom(room) => {
                let result = self.ask(Command::Create { room: room.clone() }).await;
                let said = in_words(result, ErrorCode::RoomExists, || format!("Room {room} already exists"))?;
                if said.is_none() {
                    self.room = Some(room.clone());
                }
                self.reply(said.unwrap_or_else(|| format!("Room {room} created successfully!")), out);
            }
            Typed::Join(room) => self.join(room, out).await?,
            Typed::Leave(room) => self.leave(room, out).await?,
            Typed::Nick(nick) => {
                self.ask(Command::Nick { nick: nick.clone() }).await?;
                self.reply(format!("You are now {nick}."), out);
            }
            Typed::Hide(nick) => self.hide_or_ask(Prompt::Hide, nick, out).await?,
            Typed::Reveal(nick) => self.hide_or_ask(Prompt::Reveal, nick, out).await?,
            Typed::History(count) => {
                let of = Target::Room(self.current_room()?);
                let limit = count.unwrap_or(HISTORY_LINES).min(limits::PAGE_MAX);
                let command = Command::History { of, range: HistoryRange::Latest, limit };
                if let Some(Event::History { history, .. }) = self.ask(command).await? {
                    let mut lines = Vec::new();
                    render::history(&history, Style::Lf, &mut lines);
                    let lines = String::from_utf8_lossy(&lines);
                    self.reply(lines.trim_end(), out);
                }
            }
            Typed::Quit => return Err(Refusal::Disconnect(DisconnectCode::Bye)),
        }
        Ok(())
    }

    fn say(&mut self, text: Text, action: bool) -> Result<(), ErrorReply> {
        let room = self.current_room()?;
        self.session.send(&Target::Room(room), text, action, false, None)
    }

    /// `/room`: as in the original, the author sees it, too.
    fn say_in_room(&mut self, room: RoomName, text: Text) -> Result<(), ErrorReply> {
        self.session.send(&Target::Room(room), text, false, true, None).map_err(|error| match error.code {
            ErrorCode::NoSuchRoom => ErrorReply { message: "Room does not exist".to_owned(), ..error },
            _ => error,
        })
    }

    fn broadcast(&mut self, text: Text) -> Result<(), Refusal> {
        let receipt = RequestId::new("broadcast");
        self.session.send(&Target::Room(RoomName::lobby()), text, false, false, receipt)?;
        self.owes_receipt = true;
        Ok(())
    }

    fn current_room(&self) -> Result<RoomName, ErrorReply> {
        self.room.clone().ok_or_else(|| {
            ErrorReply::new(
                ErrorCode::NotAMember,
                "You are in no room; /get_rooms lists them, /join goes to one.",
            )
        })
    }

    async fn join(&mut self, room: RoomName, out: &mut Outgoing) -> Result<(), Refusal> {
        let result = self.ask(Command::Join(EntryRoom { room: room.clone(), position: None })).await;
        let reply = match result {
            Ok(Some(Event::Joined { entered, .. })) => format!("Joined room {} successfully!", entered.room),
            Ok(_) => format!("Joined room {room} successfully!"),
            Err(Refusal::Error(error)) if error.code == ErrorCode::AlreadyAMember => error.message,
            Err(Refusal::Error(error)) if error.code == ErrorCode::NoSuchRoom => {
                self.reply(format!("Room {room} does not exist!"), out);
                return Ok(());
            }
            Err(refusal) => return Err(refusal),
        };
        self.room = Some(room);
        self.reply(reply, out);
        Ok(())
    }

    async fn leave(&mut self, room: Option<RoomName>, out: &mut Outgoing) -> Result<(), Refusal> {
        let room = match room {
            Some(room) => room,
            None => self.current_room()?,
        };
        match self.ask(Command::Leave { room: room.clone() }).await {
            Ok(Some(Event::Left { room, .. })) => self.reply(format!("Left room {room}"), out),
            Ok(_) => {}
            Err(Refusal::Error(error))
                if matches!(error.code, ErrorCode::NoSuchRoom | ErrorCode::NotAMember) =>
            {
                self.reply("Room does not exist or not a member", out);
            }
            Err(refusal) => return Err(refusal),
        }
        if self.room.as_ref() == Some(&room) {
            self.room = self.session.room_names().next_back().cloned();
        }
        Ok(())
    }

    async fn members(
        &mut self,
        room: Option<RoomName>,
        after: Option<Nick>,
        out: &mut Outgoing,
    ) -> Result<(), Refusal> {
        let page = Page { after: after.map(|nick| nick.to_string()), limit: limits::PAGE_MAX };
        if let Some(Event::Members { members, before, count, .. }) =
            self.ask(Command::Members { room: room.clone(), page }).await?
        {
            self.reply(render::members(room.as_ref(), &members, before, count), out);
        }
        Ok(())
    }

    async fn rooms(&mut self, after: Option<RoomName>, out: &mut Outgoing) -> Result<(), Refusal> {
        let page = Page { after: after.map(|room| room.to_string()), limit: limits::PAGE_MAX };
        if let Some(Event::Rooms { rooms, more, .. }) = self.ask(Command::Rooms(page)).await? {
            let names: Vec<RoomName> =
                rooms.into_iter().map(|row| row.room).filter(|room| !room.is_lobby()).collect();
            self.reply(render::rooms(&names, more), out);
        }
        Ok(())
    }

    async fn hide_or_ask(
        &mut self,
        prompt: Prompt,
        nick: Option<Nick>,
        out: &mut Outgoing,
    ) -> Result<(), Refusal> {
        if nick.is_some() {
            return self.set_hidden(prompt == Prompt::Hide, nick.as_ref(), out).await;
        }
        self.prompt = Some(prompt);
        let question =
            if prompt == Prompt::Hide { "Enter nickname to hide" } else { "Enter nickname to show" };
        self.reply(question, out);
        Ok(())
    }

    async fn set_hidden(
        &mut self,
        hidden: bool,
        nick: Option<&Nick>,
        out: &mut Outgoing,
    ) -> Result<(), Refusal> {
        if let (Some(nick), Some(own)) = (nick, self.session.nick())
            && *nick != own
        {
            let message = format!("You can hide and reveal only your own name, {own}.");
            return Err(ErrorReply::new(ErrorCode::NotYourName, message).into());
        }
        self.ask(if hidden { Command::Hide } else { Command::Reveal }).await?;
        self.reply(
            if hidden { "You are now invisible!" } else { "You are now visible to other users!" },
            out,
        );
        Ok(())
    }

    async fn ask(&mut self, command: Command) -> Result<Option<Event>, Refusal> {
        match self.session.handle(Request { id: None, command }).await? {
            Reply::Event(event) => Ok(Some(event)),
            Reply::None => Ok(None),
        }
    }

    /// An event that is not an entry of a log, in words; `None` if people are not told.
    fn in_words(&mut self, event: Event) -> Option<String> {
        match event {
            Event::Ack { .. } => {
                self.owes_receipt = false;
                Some("Message broadcasted!".to_owned())
            }
            Event::Error { error, .. } => {
                self.owes_receipt = false;
                Some(error_in_words(&error))
            }
            Event::Gap { room, after, before, .. } => {
                let missed = before.saturating_sub(after + 1);
                let missed = render::grouped(usize::try_from(missed).unwrap_or(usize::MAX));
                Some(format!(
                    "Server: You have missed up to {missed} messages in {room}; they are no longer there."
                ))
            }
            _ => None,
        }
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
        self.session.is_ready() && !self.owes_receipt && self.held.len() < HELD_MAX
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
        let Some(line) = self.decoder.next_line() else { return Ok(false) };
        match self.line(line, out).await {
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

    async fn collect(&mut self, out: &mut Outgoing) -> Result<(), DisconnectCode> {
        let style = self.style();
        let unframed = style == Style::Unframed;
        if unframed && self.hold_until.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        if let Some(reply) = self.held.pop_front() {
            // A reply to an unframed peer is a send of its own.
            out.reply(|bytes| bytes.extend(reply.as_bytes()));
        } else {
            let mut told = Vec::new();
            self.session.read(Encoding::Line(style), WRITE_MAX, |news| told.push(news)).await?;
            for news in told {
                match news {
                    Told::Run(bytes) => out.push(bytes),
                    Told::Event(event) => {
                        if let Some(words) = self.in_words(event) {
                            self.reply(words, out);
                        }
                    }
                }
            }
            if unframed {
                out.trim_line_feed();
            }
        }
        if unframed && !out.is_empty() {
            self.hold_until = Some(Instant::now() + QUIET_TIME);
        }
        Ok(())
    }

    async fn rung(&self) {
        // While an unframed peer's pause lasts, its deadline wakes the connection.
        if self.hold_until.is_some() { std::future::pending().await } else { self.session.rung().await }
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

fn quiet_time(waiting: Waiting) -> std::time::Duration {
    match waiting {
        Waiting::Message => QUIET_TIME,
        Waiting::Typing => TYPING_TIME,
    }
}

/// Replaces one error by the original's words for it.
fn in_words(
    result: Result<Option<Event>, Refusal>,
    code: ErrorCode,
    words: impl FnOnce() -> String,
) -> Result<Option<String>, Refusal> {
    match result {
        Ok(_) => Ok(None),
        Err(Refusal::Error(error)) if error.code == code => Ok(Some(words())),
        Err(refusal) => Err(refusal),
    }
}

/// The original has words of its own for some errors; all others are notices.
fn error_in_words(error: &ErrorReply) -> String {
    let original = match error.code {
        ErrorCode::NoSuchUser | ErrorCode::NoSuchRoom => true,
        ErrorCode::BadRequest => error.message.starts_with("Usage: "),
        _ => false,
    };
    if original { error.message.clone() } else { format!("Server: {}", error.message) }
}
