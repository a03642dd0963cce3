//! One person or program that is connected: commands in, events out. A session has no socket and
//! no encoding in it; a door owns one and puts both around it.

use std::sync::Arc;

use bytes::Bytes;
use crosstalk_protocol::limits::{FRAME_MAX, TEXT_MAX};
use crosstalk_protocol::line::render::Notice;
use crosstalk_protocol::{
    Command, DisconnectCode, EntryRoom, ErrorCode, ErrorReply, Event, Limits, Nick, Page, Position, Request,
    RequestId, RoomName, RoomSummary, Target, Text,
};
use tokio::time::Instant;

use crate::hub::{Direct, Hub, Membership, Missed, no_such_user};
use crate::limits::{BURST_FACTOR, IN_FLIGHT_MAX, ROOMS_PER_CONNECTION};
use crate::log::Read;
use crate::peer::{Mail, Peer, PeerId};
use crate::rate::{RateLimiter, Verdict};
use crate::room::{Names, Room, names};
use crate::segment::{Encoding, Reader, encode_messages};
use crate::sequencer::{Content, Draft};

/// What a request that was carried out leads to.
#[derive(Debug)]
pub enum Reply {
    /// The answer.
    Event(Event),
    /// The answer comes by mail, or there is none.
    None,
}

/// Why a request was not carried out.
#[derive(Debug)]
pub enum Refusal {
    /// The session goes on.
    Error(ErrorReply),
    /// The session ends.
    Disconnect(DisconnectCode),
}

impl From<ErrorReply> for Refusal {
    fn from(error: ErrorReply) -> Self {
        Self::Error(error)
    }
}

/// What a peer is told without having asked.
#[derive(Debug)]
pub enum Told {
    /// Entries of a room's log, encoded.
    Run(Bytes),
    /// A private word, still to be encoded.
    Event(Event),
}

/// One connection's place in the hub.
pub struct Session {
    hub: Arc<Hub>,
    rate: Option<u32>,
    limiter: Option<RateLimiter>,
    /// Since hello.
    peer: Option<Arc<Peer>>,
    rooms: Vec<Membership>,
    /// Which room is read first, so that a busy one does not starve the others.
    turn: usize,
    /// What followed from a request, besides its answer.
    asides: Vec<Event>,
}

impl Session {
    /// A session that has not said hello. `rate` is in messages a second.
    pub fn new(hub: Arc<Hub>, rate: Option<u32>) -> Self {
        let limiter = rate.map(|rate| RateLimiter::new(rate, Instant::now()));
        Self { hub, rate, limiter, peer: None, rooms: Vec::new(), turn: 0, asides: Vec::new() }
    }

    /// Counts one piece of input, good or bad, against the rate.
    ///
    /// # Errors
    /// `rate-limited`, or the end of the session.
    pub fn admit(&mut self) -> Result<(), Refusal> {
        let Some(limiter) = &mut self.limiter else { return Ok(()) };
        match limiter.admit(Instant::now()) {
            Verdict::Admitted => Ok(()),
            Verdict::RetryAfter(retry_after_ms) => Err(Refusal::Error(ErrorReply {
                code: ErrorCode::RateLimited,
                message: format!("Too fast: that was not taken. Go on in {retry_after_ms} ms."),
                retry_after_ms: Some(retry_after_ms),
            })),
            Verdict::Flooding => Err(Refusal::Disconnect(DisconnectCode::Flooding)),
        }
    }

    /// Carries out one request.
    ///
    /// # Errors
    /// [`Refusal`]: an answer, or the end.
    pub async fn handle(&mut self, request: Request) -> Result<Reply, Refusal> {
        let Request { id, command } = request;
        if let Command::Hello { nick, rooms } = command {
            return Ok(Reply::Event(self.hello(id, &nick, rooms)?));
        }
        let hello_first = || {
            ErrorReply::new(ErrorCode::HelloFirst, "Say hello first: {\"type\":\"hello\",\"nick\":\"…\"}.")
        };
        let event = match command {
            Command::Quit => return Err(Refusal::Disconnect(DisconnectCode::Bye)),
            Command::Ping => Event::Pong { id },
            _ if self.peer.is_none() => return Err(hello_first().into()),
            Command::Hello { .. } => unreachable!("answered above"),
            Command::Send { to, text, action } => {
                self.send(&to, text, action, false, id)?;
                return Ok(Reply::None);
            }
            Command::Create { room } => {
                self.check_room_limit()?;
                let membership = self.hub.create(self.peer()?, &room)?;
                let entered = membership.entered();
                self.rooms.push(membership);
                Event::Joined { id, created: true, entered }
            }
            Command::Join(entry) => Event::Joined { id, created: false, entered: self.enter(entry)? },
            Command::Leave { room } => Event::Left { id, room: self.leave(&room)? },
            Command::Rooms(page) => self.list_rooms(id, &page)?,
            Command::Members { room, page } => self.list_members(id, room.as_ref(), &page)?,
            Command::Nick { nick } => {
                let peer = self.peer()?;
                tracing::info!(from = %peer.nick(), to = %nick, "renamed");
                self.hub.rename(peer, &nick, &self.rooms)?;
                Event::Nick { id, nick }
            }
            Command::Hide => self.set_hidden(id, true)?,
            Command::Reveal => self.set_hidden(id, false)?,
            Command::History { of, range, limit } => {
                let room = match of {
                    Target::Room(name) => self.membership(&name)?.room.clone(),
                    Target::User(nick) => self.hub.existing_direct(self.peer()?, &nick)?,
                };
                Event::History { id, history: self.hub.history(&room, range, limit).await? }
            }
        };
        Ok(Reply::Event(event))
    }

    fn hello(
        &mut self,
        id: Option<RequestId>,
        nick: &Nick,
        rooms: Option<Vec<EntryRoom>>,
    ) -> Result<Event, ErrorReply> {
        if self.peer.is_some() {
            return Err(ErrorReply::new(
                ErrorCode::AlreadyWelcome,
                "You have said hello; use \"nick\" to change your name.",
            ));
        }
        let peer = self.hub.hello(nick)?;
        self.peer = Some(peer.clone());
        let lobby = || vec![EntryRoom { room: RoomName::lobby(), position: None }];
        for EntryRoom { room, position } in rooms.unwrap_or_else(lobby) {
            if self.is_member(&room) {
                continue;
            }
            let notice = |room: &RoomName| match room.is_lobby() {
                true => Notice::Online(nick.clone()),
                false => Notice::Joined { nick: nick.clone(), room: room.clone() },
            };
            match self.hub.enter(&peer, &room, position, notice) {
                Ok(membership) => self.note(membership, position),
                Err(error) => self.asides.push(Event::Error { id: None, error }),
            }
        }
        Ok(Event::Welcome {
            id,
            nick: nick.clone(),
            server: concat!("crosstalk/", env!("CARGO_PKG_VERSION")).to_owned(),
            rooms: self.rooms.iter().map(Membership::entered).collect(),
            limits: Limits {
                text: TEXT_MAX,
                frame: FRAME_MAX,
                rate: self.rate,
                burst: self.rate.map(|rate| rate.saturating_mul(BURST_FACTOR)),
                rooms: ROOMS_PER_CONNECTION,
            },
        })
    }

    /// Puts a message on its way. With `echo` its author gets it back on lines, too.
    ///
    /// # Errors
    /// `not-a-member`, `no-such-user`, `busy`.
    pub fn send(
        &mut self,
        to: &Target,
        text: Text,
        action: bool,
        echo: bool,
        id: Option<RequestId>,
    ) -> Result<(), ErrorReply> {
        let (room, to) = match to {
            Target::Room(name) => {
                let Membership { room, with, .. } = self.membership(name)?;
                match with.clone() {
                    None => (room.clone(), None),
                    Some(with) => {
                        // A conversation goes on only while the other is in sight, and in a new
                        // room if the other has left this one.
                        let there = self.hub.find(&with.nick()).is_some_and(|found| found.id == with.id);
                        let room = if !there {
                            return Err(no_such_user());
                        } else if room.has_ended() {
                            self.direct(&with.nick())?.0
                        } else {
                            room.clone()
                        };
                        (room, Some(with.nick()))
                    }
                }
            }
            Target::User(nick) => {
                let (room, with) = self.direct(nick)?;
                (room, Some(with.nick()))
            }
        };
        let author = self.peer()?.clone();
        let from = author.nick();
        self.hub
            .submit(Draft { room, content: Content::Message { author, from, to, text, action, echo, id } })
    }

    /// The direct conversation with `nick`, opened if need be.
    fn direct(&mut self, nick: &Nick) -> Result<(Arc<Room>, Arc<Peer>), ErrorReply> {
        let Direct { room, with, entered } = self.hub.direct(self.peer()?, nick)?;
        if let Some(membership) = entered {
            let event = self.open(membership);
            self.asides.push(event);
        }
        Ok((room, with))
    }

    /// Notes a direct conversation. One that has ended makes room for it if there are too many.
    fn open(&mut self, membership: Membership) -> Event {
        let directs = self.rooms.iter().filter(|membership| membership.with.is_some()).count();
        if directs >= ROOMS_PER_CONNECTION
            && let Some(ended) = self.rooms.iter().position(|membership| membership.room.has_ended())
        {
            let ended = self.rooms.remove(ended);
            self.asides.push(Event::Left { id: None, room: ended.room.name.clone() });
        }
        let entered = membership.entered();
        self.rooms.push(membership);
        Event::Joined { id: None, created: false, entered }
    }

    fn enter(&mut self, entry: EntryRoom) -> Result<crosstalk_protocol::Entered, ErrorReply> {
        let EntryRoom { room, position } = entry;
        if self.is_member(&room) {
            let message = format!("You are already a member of this room {room}.");
            return Err(ErrorReply::new(ErrorCode::AlreadyAMember, message));
        }
        self.check_room_limit()?;
        let peer = self.peer()?;
        let notice = |room: &RoomName| Notice::Joined { nick: peer.nick(), room: room.clone() };
        let membership = self.hub.enter(peer, &room, position, notice)?;
        let entered = membership.entered();
        self.note(membership, position);
        Ok(entered)
    }

    /// Notes a room that the peer wants to read behind `wanted`.
    fn note(&mut self, membership: Membership, wanted: Option<Position>) {
        let Membership { room, cursor, .. } = &membership;
        if wanted.is_some_and(|wanted| wanted.seq != cursor.seen() || wanted.epoch != room.log.epoch()) {
            // What the peer has seen was in another life of the log.
            let (room, epoch) = (room.name.clone(), room.log.epoch());
            self.asides.push(Event::Gap { room, epoch, after: 0, before: cursor.seen() + 1 });
        }
        self.rooms.push(membership);
    }

    fn check_room_limit(&self) -> Result<(), ErrorReply> {
        if self.rooms.iter().filter(|membership| membership.with.is_none()).count() < ROOMS_PER_CONNECTION {
            return Ok(());
        }
        let message =
            format!("You are in {ROOMS_PER_CONNECTION} rooms, which is all you may be in; leave one first.");
        Err(ErrorReply::new(ErrorCode::TooManyRooms, message))
    }

    fn leave(&mut self, name: &RoomName) -> Result<RoomName, ErrorReply> {
        let at = self.rooms.iter().position(|membership| membership.room.name == *name);
        let membership = self.rooms.remove(at.ok_or_else(|| self.not_a_member(name))?);
        let peer = self.peer()?;
        let notice = Notice::Left { nick: peer.nick(), room: membership.room.name.clone() };
        self.hub.leave(peer, &membership, Some(notice));
        Ok(membership.room.name.clone())
    }

    fn list_rooms(&self, id: Option<RequestId>, page: &Page) -> Result<Event, ErrorReply> {
        let after = page.after.as_deref().map(RoomName::parse).transpose().map_err(ErrorReply::bad_room)?;
        let list = self.hub.rooms(after.as_ref(), page.limit);
        let summary = |room: Arc<Room>| RoomSummary {
            room: room.name.clone(),
            count: room.count(),
            member: self.is_member(&room.name),
        };
        Ok(Event::Rooms { id, rooms: list.rows.into_iter().map(summary).collect(), more: list.more })
    }

    fn list_members(
        &self,
        id: Option<RequestId>,
        room: Option<&RoomName>,
        page: &Page,
    ) -> Result<Event, ErrorReply> {
        let after = page.after.as_deref().map(Nick::parse).transpose().map_err(ErrorReply::bad_nick)?;
        let list = match room {
            None => self.hub.names(after.as_ref(), page.limit),
            Some(room) => match self.membership(room)? {
                Membership { with: Some(with), .. } => {
                    let both = [self.peer()?.nick(), with.nick()].into();
                    names(&both, after.as_ref(), page.limit)
                }
                Membership { room, .. } => room.names(after.as_ref(), page.limit),
            },
        };
        let Names { rows: members, before, more, count } = list;
        let room = room
            .map(|name| self.membership(name).map(|membership| membership.room.name.clone()))
            .transpose()?;
        Ok(Event::Members { id, room, members, before, count, more })
    }

    fn set_hidden(&self, id: Option<RequestId>, hidden: bool) -> Result<Event, ErrorReply> {
        let peer = self.peer()?;
        if peer.is_hidden() != hidden {
            if hidden {
                self.hub.hide(peer, &self.rooms);
            } else {
                self.hub.reveal(peer, &self.rooms);
            }
        }
        Ok(Event::Hidden { id, hidden })
    }

    /// Tells what is new: what followed from requests, mail, and at most about `budget` bytes of the
    /// rooms' logs, from where the session has read to.
    ///
    /// # Errors
    /// The end of the session, if the store fails: the peer comes back and goes on where it was.
    pub async fn read(
        &mut self,
        encoding: Encoding,
        budget: usize,
        mut tell: impl FnMut(Told),
    ) -> Result<(), DisconnectCode> {
        self.asides.drain(..).for_each(|event| tell(Told::Event(event)));
        let Some(peer) = self.peer.clone() else { return Ok(()) };
        for mail in peer.take_mail() {
            let event = self.open_mail(mail);
            self.asides.drain(..).for_each(|event| tell(Told::Event(event)));
            tell(Told::Event(event));
        }
        let mut left = budget;
        let count = self.rooms.len();
        for step in 0..count {
            if left == 0 {
                break;
            }
            let at = (self.turn + step) % count;
            left = self.read_room(at, encoding, peer.id, left, &mut tell).await?;
        }
        self.turn = self.turn.wrapping_add(1) % count.max(1);
        Ok(())
    }

    fn open_mail(&mut self, mail: Mail) -> Event {
        match mail {
            Mail::Stored { id, room, seq } => Event::Ack { id, room, seq },
            Mail::Refused { id, error } => Event::Error { id, error },
            Mail::Opened { room, cursor, with } => {
                self.open(Membership { room, cursor, known: 0, with: Some(with) })
            }
        }
    }

    /// Reads on in one room. Returns what is left of the budget.
    async fn read_room(
        &mut self,
        at: usize,
        encoding: Encoding,
        id: PeerId,
        budget: usize,
        tell: &mut impl FnMut(Told),
    ) -> Result<usize, DisconnectCode> {
        let Membership { room, cursor, known, .. } = &mut self.rooms[at];
        let mut left = budget;
        while left > 0 {
            match room.log.read(cursor) {
                Read::CaughtUp => break,
                Read::Segment { segment, after } => {
                    segment.bytes(encoding, Reader { id, after, known: *known }, |bytes| {
                        left = left.saturating_sub(bytes.len());
                        tell(Told::Run(bytes));
                    })
                }
                Read::Behind { after } => match self.hub.missed(room, after).await {
                    Ok(Missed::Messages(messages)) => {
                        cursor.advance(messages.last().map_or(after, |last| last.seq));
                        let bytes = encode_messages(&messages, encoding);
                        left = left.saturating_sub(bytes.len());
                        tell(Told::Run(bytes));
                    }
                    Ok(Missed::Lost { before }) => {
                        cursor.advance(before - 1);
                        let epoch = room.log.epoch();
                        tell(Told::Event(Event::Gap { room: room.name.clone(), epoch, after, before }));
                    }
                    Err(error) => {
                        tracing::error!(%error, room = %room.name, "a cursor could not read the store");
                        return Err(DisconnectCode::Internal);
                    }
                },
            }
        }
        Ok(left)
    }

    /// Whether there is anything to tell.
    pub fn has_news(&self) -> bool {
        !self.asides.is_empty()
            || self.rooms.iter().any(|membership| membership.room.log.has_news(&membership.cursor))
    }

    /// Waits until there may be something to tell; forever before hello.
    pub async fn rung(&self) {
        match &self.peer {
            Some(peer) => peer.rung().await,
            None => std::future::pending().await,
        }
    }

    /// Whether another request can be handled now: not while too many messages are on their way.
    pub fn is_ready(&self) -> bool {
        self.peer
            .as_ref()
            .is_none_or(|peer| peer.in_flight() < IN_FLIGHT_MAX && peer.mail_len() < IN_FLIGHT_MAX)
    }

    /// Messages on their way into a log.
    pub fn in_flight(&self) -> usize {
        self.peer.as_ref().map_or(0, |peer| peer.in_flight())
    }

    /// The nickname, after hello.
    pub fn nick(&self) -> Option<Nick> {
        self.peer.as_ref().map(|peer| peer.nick())
    }

    /// Whether hello has been said.
    pub fn is_welcome(&self) -> bool {
        self.peer.is_some()
    }

    /// The public rooms the session is in, in the order in which it has entered them.
    pub fn room_names(&self) -> impl DoubleEndedIterator<Item = &RoomName> {
        self.rooms
            .iter()
            .filter(|membership| membership.with.is_none())
            .map(|membership| &membership.room.name)
    }

    /// Whether the session is in that room.
    pub fn is_member(&self, name: &RoomName) -> bool {
        self.rooms.iter().any(|membership| membership.room.name == *name)
    }

    /// Leaves everything. `quit` says whether the peer said goodbye itself.
    pub fn end(&mut self, quit: bool) {
        let Some(peer) = self.peer.take() else { return };
        for mail in peer.take_mail() {
            if let Mail::Opened { room, cursor, with } = mail {
                self.rooms.push(Membership { room, cursor, known: 0, with: Some(with) });
            }
        }
        // Whoever is in the lobby has it from there; once is enough.
        let told_in_lobby = self.rooms.iter().any(|membership| membership.room.name.is_lobby());
        for membership in self.rooms.drain(..) {
            let tells = membership.room.name.is_lobby() || !told_in_lobby;
            let notice = tells.then(|| Notice::Offline { nick: peer.nick(), quit });
            self.hub.leave(&peer, &membership, notice);
        }
        self.hub.goodbye(&peer);
    }

    fn peer(&self) -> Result<&Arc<Peer>, ErrorReply> {
        self.peer.as_ref().ok_or_else(|| ErrorReply::new(ErrorCode::HelloFirst, "Say hello first."))
    }

    fn membership(&self, name: &RoomName) -> Result<&Membership, ErrorReply> {
        self.rooms
            .iter()
            .find(|membership| membership.room.name == *name)
            .ok_or_else(|| self.not_a_member(name))
    }

    fn not_a_member(&self, name: &RoomName) -> ErrorReply {
        if name.is_direct() {
            ErrorReply::new(
                ErrorCode::NotAMember,
                "You are not in that direct conversation; write to the person.",
            )
        } else if self.hub.has_room(name) {
            ErrorReply::new(ErrorCode::NotAMember, format!("You are not in the room {name}; join it first."))
        } else {
            crate::hub::no_such_room(name)
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end(false);
    }
}
