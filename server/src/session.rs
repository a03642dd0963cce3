//! One person or program that is connected: commands in, events out. A session has no socket and
//! no encoding in it; a door owns one and puts both around it.

mod lists;
mod memberships;
mod reading;

use std::sync::Arc;

use crosstalk_protocol::limits::{FRAME_MAX, TEXT_MAX};
use crosstalk_protocol::line::render::Notice;
use crosstalk_protocol::{
    Command, DisconnectCode, EntryRoom, ErrorCode, ErrorReply, Event, Limits, Nick, Request, RequestId,
    RoomName, Target, Text,
};
use tokio::time::Instant;

use crate::hub::{Hub, Membership, no_such_user};
use crate::limits::{BURST_FACTOR, IN_FLIGHT_MAX, ROOMS_PER_CONNECTION};
use crate::peer::{Mail, Peer};
use crate::rate::{RateLimiter, Verdict};
use crate::sequencer::{Content, Draft};

pub use self::reading::Told;

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
        let hello_first = || {
            ErrorReply::new(ErrorCode::HelloFirst, "Say hello first: {\"type\":\"hello\",\"nick\":\"…\"}.")
        };
        let event = match command {
            Command::Hello { nick, rooms, .. } => self.hello(id, &nick, rooms)?,
            Command::Quit => return Err(Refusal::Disconnect(DisconnectCode::Bye)),
            Command::Ping => Event::Pong { id },
            _ if self.peer.is_none() => return Err(hello_first().into()),
            Command::Edit { .. } | Command::Delete { .. } | Command::Read { .. } | Command::Search { .. } => {
                return Err(hello_first().into());
            }
            Command::Send { to, text, action, .. } => {
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
                let from = peer.nick();
                self.hub.rename(peer, &nick, &self.rooms)?;
                tracing::info!(%from, to = %nick, "renamed");
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
            token: None,
            resumed: false,
            hidden: false,
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
                        let room = if !self.hub.is_in_sight(&with) {
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
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end(false);
    }
}
