//! What people type, carried out. It knows the words of the original's replies; the session knows
//! what they are about.

use crosstalk_protocol::line::{Style, render};
use crosstalk_protocol::slash::{self, Typed};
use crosstalk_protocol::{
    Command, DisconnectCode, EntryRoom, ErrorCode, ErrorReply, Event, HistoryRange, Nick, Page, Request,
    RoomName, Target, Text, limits,
};

use super::replies::{Receipt, instead_of};
use super::{LineDoor, Prompt};
use crate::limits::{HISTORY_LINES, SEARCH_LINES};
use crate::outgoing::Outgoing;
use crate::session::{Refusal, Reply, Say};

impl LineDoor {
    pub(super) async fn typed(&mut self, typed: Typed, out: &mut Outgoing) -> Result<(), Refusal> {
        if matches!(typed, Typed::Reply(..) | Typed::Edit(_) | Typed::Delete) && self.session.in_flight() > 0
        {
            self.deferred = Some(typed);
            return Ok(());
        }
        // What takes more room than a message that is said is put on the heap, as in the session.
        match typed {
            Typed::Say(text) => self.say(text, false).await?,
            Typed::Me(text) => self.say(text, true).await?,
            Typed::Reply(nick, text) => Box::pin(self.answer(&nick, text)).await?,
            Typed::Edit(text) => Box::pin(self.edit(text)).await?,
            Typed::Delete => Box::pin(self.delete()).await?,
            Typed::Room(room, text) => self.say_in_room(room, text).await?,
            Typed::Broadcast(Some(text)) => self.broadcast(text).await?,
            Typed::Broadcast(None) => {
                self.prompt = Some(Prompt::Broadcast);
                self.reply("Enter your message: ", out);
            }
            Typed::Dm(nick, text) => {
                self.session.send(&Target::User(nick), said(text, false), None).await?;
            }
            Typed::Help => self.reply(slash::help().collect::<Vec<_>>().join("\n"), out),
            Typed::Members(room, after) => self.members(room, after, out).await?,
            Typed::GetRooms(after) => self.rooms(after, out).await?,
            Typed::CreateRoom(room) => {
                let result = self.ask(Command::Create { room: room.clone() }).await;
                let said =
                    instead_of(result, ErrorCode::RoomExists, || format!("Room {room} already exists"))?;
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
                    self.show(|lines| render::history(&history, Style::Lf, lines), out);
                }
            }
            Typed::Backlog(shown) => self.set_backlog(shown, out),
            Typed::Search(words) => self.search(words, out).await?,
            Typed::Quit => return Err(Refusal::Disconnect(DisconnectCode::Bye)),
        }
        Ok(())
    }

    async fn say(&mut self, text: Text, action: bool) -> Result<(), ErrorReply> {
        let room = self.current_room()?;
        self.session.send(&Target::Room(room), said(text, action), None).await
    }

    /// `/reply`: to the last message of somebody in the room one is in.
    async fn answer(&mut self, nick: &Nick, text: Text) -> Result<(), ErrorReply> {
        let room = self.current_room()?;
        let answered = self.session.last_message(&room, Some(nick)).await?;
        let say = Say { reply: Some(answered.message.seq), ..said(text, false) };
        self.session.send(&Target::Room(room), say, None).await
    }

    /// `/room`: as in the original, the author sees it, too.
    async fn say_in_room(&mut self, room: RoomName, text: Text) -> Result<(), ErrorReply> {
        let say = Say { echo: true, ..said(text, false) };
        self.session.send(&Target::Room(room), say, None).await.map_err(|error| match error.code {
            ErrorCode::NoSuchRoom => ErrorReply { message: "Room does not exist".to_owned(), ..error },
            _ => error,
        })
    }

    pub(super) async fn broadcast(&mut self, text: Text) -> Result<(), Refusal> {
        let lobby = Target::Room(RoomName::lobby());
        self.session.send(&lobby, said(text, false), Receipt::Broadcast.label()).await?;
        self.owes_receipt = true;
        Ok(())
    }

    async fn edit(&mut self, text: Text) -> Result<(), Refusal> {
        let room = self.current_room()?;
        let seq = self.session.last_message(&room, None).await?.message.seq;
        self.promise(Command::Edit { room, seq, text }, Receipt::Edit).await
    }

    async fn delete(&mut self) -> Result<(), Refusal> {
        let room = self.current_room()?;
        let seq = self.session.last_message(&room, None).await?.message.seq;
        self.promise(Command::Delete { room, seq }, Receipt::Delete).await
    }

    /// Carries out what is answered once it is stored.
    async fn promise(&mut self, command: Command, receipt: Receipt) -> Result<(), Refusal> {
        self.session.handle(Request { id: receipt.label(), command }).await?;
        self.owes_receipt = true;
        Ok(())
    }

    async fn search(&mut self, words: String, out: &mut Outgoing) -> Result<(), Refusal> {
        let of = Target::Room(self.current_room()?);
        let command = Command::Search { of, words, before: None, limit: SEARCH_LINES };
        if let Some(Event::Found { history, .. }) = self.ask(command).await? {
            self.show(|lines| render::found(&history, Style::Lf, lines), out);
        }
        Ok(())
    }

    /// Lines that are rendered elsewhere, as one reply.
    pub(super) fn show(&mut self, render: impl FnOnce(&mut Vec<u8>), out: &mut Outgoing) {
        let mut lines = Vec::new();
        render(&mut lines);
        self.reply(String::from_utf8_lossy(&lines).trim_end(), out);
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
            Ok(Some(Event::Joined { entered, .. })) => {
                self.room = Some(room);
                self.reply(format!("Joined room {} successfully!", entered.room), out);
                return self.show_backlog(&entered, out).await;
            }
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

    pub(super) async fn set_hidden(
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

    pub(super) async fn ask(&mut self, command: Command) -> Result<Option<Event>, Refusal> {
        match Box::pin(self.session.handle(Request { id: None, command })).await? {
            Reply::Event(event) => Ok(Some(event)),
            Reply::None => Ok(None),
        }
    }
}

/// A message as it is typed.
fn said(text: Text, action: bool) -> Say {
    Say { text, action, reply: None, echo: false }
}
