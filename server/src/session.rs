//! One person or program that is connected: commands in, events out. A session has no socket and
//! no encoding in it; a door owns one and puts both around it.

mod lists;
mod memberships;
mod reading;
mod writing;

use std::net::IpAddr;
use std::sync::Arc;

use crosstalk_protocol::limits::{FRAME_MAX, TEXT_MAX};
use crosstalk_protocol::line::render::Notice;
use crosstalk_protocol::{
    Command, DisconnectCode, EntryRoom, ErrorCode, ErrorReply, Event, Limits, Nick, Request, RequestId,
    RoomName, Seq, Target, Token,
};
use tokio::time::Instant;

use crate::bell::Causes;
use crate::hub::{Absence, Arrival, Hub, Membership, Visitor};
use crate::limits::{BURST_FACTOR, IN_FLIGHT_MAX, ROOMS_PER_CONNECTION};
use crate::peer::Peer;
use crate::rate::{RateLimiter, Verdict};
use crate::room::Room;
use crate::sequencer::Act;
use crate::store::Words;

pub use self::reading::Told;
pub use self::writing::Say;

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

/// What somebody says of themselves when they come, besides their nickname.
struct Hello {
    token: Option<Token>,
    client: Option<RequestId>,
    rooms: Option<Vec<EntryRoom>>,
    hidden: bool,
}

/// One connection's place in the hub.
pub struct Session {
    hub: Arc<Hub>,
    rate: Option<u32>,
    limiter: Option<RateLimiter>,
    /// The number of the connection.
    opened: u64,
    /// From where somebody comes who cannot come back as the same person.
    passing: Option<IpAddr>,
    /// Since hello.
    peer: Option<Arc<Peer>>,
    rooms: Vec<Membership>,
    /// In which of them there may be something to read.
    unread: Causes,
    /// Which room is read first, so that a busy one does not starve the others.
    turn: usize,
    /// What followed from a request, besides its answer.
    asides: Vec<Event>,
}

impl Session {
    /// A session that has not said hello. `rate` is in messages a second.
    pub fn new(hub: Arc<Hub>, rate: Option<u32>) -> Self {
        let limiter = rate.map(|rate| RateLimiter::new(rate, Instant::now()));
        let (rooms, asides) = (Vec::new(), Vec::new());
        Self {
            hub,
            rate,
            limiter,
            opened: 0,
            passing: None,
            peer: None,
            rooms,
            unread: Causes::NONE,
            turn: 0,
            asides,
        }
    }

    /// Says which connection this is: numbers grow in the order in which connections are opened.
    pub fn opened_as(mut self, number: u64) -> Self {
        self.opened = number;
        self
    }

    /// The same for somebody at `from` who cannot come back as the same person.
    pub fn passing(hub: Arc<Hub>, rate: Option<u32>, from: IpAddr) -> Self {
        let mut session = Self::new(hub, rate);
        session.passing = Some(from);
        session
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
        if self.is_replaced() {
            return Err(Refusal::Disconnect(DisconnectCode::Replaced));
        }
        if self.is_overrun() {
            return Err(Refusal::Disconnect(DisconnectCode::WriteTimeout));
        }
        // What takes more room than a message that is sent is put on the heap: every idle connection has
        // room for the largest of what is not.
        let event = match command {
            Command::Hello { nick, token, client, rooms, hidden } => {
                Box::pin(self.hello(id, &nick, Hello { token, client, rooms, hidden })).await?
            }
            Command::Quit => return Err(Refusal::Disconnect(DisconnectCode::Bye)),
            Command::Ping => Event::Pong { id },
            _ if self.peer.is_none() => return Err(hello_first().into()),
            Command::Send { to, text, action, reply } => {
                let say = Say { text, action, reply, echo: false };
                let sent = self.send(&to, say, id.clone()).await;
                return self.unless_known(sent, id).await;
            }
            Command::Edit { room, seq, text } => {
                let act = Act::Edit { target: seq, text };
                let sent = Box::pin(self.amend(&room, seq, act, id.clone())).await;
                return self.unless_known(sent, id).await;
            }
            Command::Delete { room, seq } => {
                let act = Act::Delete { target: seq };
                let sent = Box::pin(self.amend(&room, seq, act, id.clone())).await;
                return self.unless_known(sent, id).await;
            }
            Command::Read { room, seq } => {
                let room = self.membership(&room)?.room.clone();
                let seq = self.hub.note_read(self.peer()?, &room, seq);
                if id.is_none() {
                    return Ok(Reply::None);
                }
                Event::Read { id, room: room.name.clone(), seq }
            }
            Command::Create { room } => {
                self.check_room_limit()?;
                let membership = Box::pin(self.hub.create(self.peer()?, &room)).await?;
                let entered = membership.entered(self.read_in(&membership), 0);
                self.add(membership);
                Event::Joined { id, created: true, entered }
            }
            Command::Join(entry) => {
                let entered = Box::pin(self.enter(entry)).await?;
                Event::Joined { id, created: false, entered }
            }
            Command::Leave { room } => Event::Left { id, room: self.leave(&room).await? },
            Command::Rooms(page) => self.list_rooms(id, &page)?,
            Command::Members { room, page } => self.list_members(id, room.as_ref(), &page)?,
            Command::Nick { nick } => {
                let peer = self.peer()?;
                let from = peer.user.nick();
                self.hub.rename(peer, &nick).await?;
                tracing::info!(%from, to = %nick, "renamed");
                Event::Nick { id, nick }
            }
            Command::Hide => self.set_hidden(id, true).await?,
            Command::Reveal => self.set_hidden(id, false).await?,
            Command::History { of, range, limit } => {
                let room = self.room_of(&of)?;
                Event::History { id, history: self.hub.history(&room, range, limit).await? }
            }
            Command::Search { of, words, before, limit } => {
                let room = self.room_of(&of)?;
                let words = Words::parse(&words)?;
                Event::Found { id, history: self.hub.search(&room, &words, before, limit).await? }
            }
        };
        Ok(Reply::Event(event))
    }

    async fn hello(&mut self, id: Option<RequestId>, nick: &Nick, hello: Hello) -> Result<Event, ErrorReply> {
        if self.peer.is_some() {
            return Err(ErrorReply::new(
                ErrorCode::AlreadyWelcome,
                "You have said hello; use \"nick\" to change your name.",
            ));
        }
        let Hello { token, client, rooms, hidden } = hello;
        let visitor = match self.passing {
            Some(_) => Visitor::Passing,
            None => Visitor::Returning { token, client, hidden },
        };
        let arrival = self.hub.arrive(nick, visitor, self.opened).await?;
        self.peer = Some(arrival.peer.clone());
        let Arrival { peer, token, resumed, .. } = &arrival;
        let user = &peer.user;
        let lobby = || vec![EntryRoom { room: RoomName::lobby(), position: None }];
        let listed = match rooms {
            _ if peer.is_replaced() => Vec::new(),
            Some(rooms) => rooms,
            None if *resumed => Vec::new(),
            None => lobby(),
        };
        for membership in self.hub.reenter(&arrival, &listed) {
            let entry = listed.iter().find(|entry| entry.room == membership.room.name);
            self.note(membership, entry.and_then(|entry| entry.position));
        }
        for EntryRoom { room, position } in listed {
            if self.is_member(&room) {
                continue;
            }
            if peer.is_replaced() {
                break;
            }
            // Who has come back names a position in a room they were in, and have left meanwhile.
            if *resumed && position.is_some() {
                self.asides.push(Event::Left { id: None, room });
                continue;
            }
            let entered = match self.check_room_limit() {
                Ok(()) => {
                    self.hub.enter(peer, &room, position, |room| Notice::arrival(user.nick(), room)).await
                }
                Err(error) => Err(error),
            };
            match entered {
                Ok(membership) => self.note(membership, position),
                Err(error) => self.asides.push(Event::Error { id: None, error }),
            }
        }
        // Most stay in the one room that they come into.
        self.rooms.shrink_to_fit();
        let mut rooms = Vec::with_capacity(self.rooms.len());
        for membership in &self.rooms {
            let room = &membership.room;
            let read = user.read(room.id);
            let unread = match read {
                Some(read) if *resumed => self.hub.unread(room, read).await,
                _ => 0,
            };
            rooms.push(membership.entered(read, unread));
        }
        Ok(Event::Welcome {
            id,
            nick: user.nick(),
            token: token.clone(),
            resumed: *resumed,
            hidden: user.is_hidden(),
            server: concat!("crosstalk/", env!("CARGO_PKG_VERSION")).to_owned(),
            rooms,
            limits: Limits {
                text: TEXT_MAX,
                frame: FRAME_MAX,
                rate: self.rate,
                burst: self.rate.map(|rate| rate.saturating_mul(BURST_FACTOR)),
                rooms: ROOMS_PER_CONNECTION,
            },
        })
    }

    fn room_of(&self, target: &Target) -> Result<Arc<Room>, ErrorReply> {
        match target {
            Target::Room(name) => Ok(self.membership(name)?.room.clone()),
            Target::User(nick) => match self.conversation_with(nick) {
                Some(room) => Ok(room),
                None => self.hub.existing_direct(&self.peer()?.user, nick),
            },
        }
    }

    async fn set_hidden(&self, id: Option<RequestId>, hidden: bool) -> Result<Event, ErrorReply> {
        self.hub.set_hidden(self.peer()?, hidden).await;
        Ok(Event::Hidden { id, hidden })
    }

    /// What is known of the absence of somebody on lines who has come back.
    pub fn take_absence(&self) -> Option<Absence> {
        self.hub.take_absence(&self.nick()?, self.passing?)
    }

    /// How many messages of a room stand behind `read`.
    pub async fn unread(&self, room: &Room, read: Seq) -> usize {
        self.hub.unread(room, read).await
    }

    /// Whether the same client has come back over another connection.
    pub(crate) fn is_replaced(&self) -> bool {
        self.peer.as_ref().is_some_and(|peer| peer.is_replaced())
    }

    /// Whether more has happened than the peer can still be told.
    fn is_overrun(&self) -> bool {
        self.peer.as_ref().is_some_and(|peer| peer.is_overrun())
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
        self.peer.as_ref().map(|peer| peer.user.nick())
    }

    /// Whether hello has been said.
    pub fn is_welcome(&self) -> bool {
        self.peer.is_some()
    }

    /// Ends the connection. `quit` says whether the peer said goodbye itself.
    pub fn end(&mut self, quit: bool) {
        let Some(peer) = self.peer.take() else { return };
        let rooms = std::mem::take(&mut self.rooms);
        if let Some(from) = self.passing {
            let public = rooms.into_iter().filter(|membership| membership.with.is_none());
            let seen = public.map(|Membership { room, cursor, .. }| (room, cursor.seen())).collect();
            self.hub.note_absence(peer.user.nick(), from, seen);
        }
        self.hub.disconnect(&peer, quit);
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
