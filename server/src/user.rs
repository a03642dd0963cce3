//! A person: who they are, by which connections they are here, and which rooms they are in. What
//! one of their connections changes, all of them see.
//!
//! A user outlives connections. One with a token can come back as the same person; one without is
//! gone with its connection, as who speaks plain lines is.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use crosstalk_protocol::{Nick, Seq};

use crate::peer::{Mail, Peer, PeerId, lock};
use crate::room::Room;
use crate::store::{RoomId, TokenHash, UserId};

/// A person.
pub struct User {
    /// Who.
    pub id: UserId,
    token: OnceLock<TokenHash>,
    /// Whether they can come back, as far as that was known when memory came to know them.
    returns: bool,
    profile: Mutex<Profile>,
    places: Mutex<Places>,
    turn: Mutex<()>,
    /// When they went, among those whom only memory knows; 0: they are here.
    pub(crate) rests: AtomicU64,
}

struct Profile {
    nick: Nick,
    hidden: bool,
}

/// Where somebody is: the connections they have, and the rooms they are in.
#[derive(Default)]
pub(crate) struct Places {
    /// The connections.
    pub(crate) peers: Vec<Arc<Peer>>,
    /// The rooms, in the order in which they were entered.
    pub(crate) seats: Vec<Seat>,
    /// Whether `seats` is what the store has: not of somebody who is only known as a partner.
    pub(crate) loaded: bool,
}

/// Somebody's place in a room.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    /// The room.
    pub(crate) room: Arc<Room>,
    /// The last entry read, by whichever connection, or the last one before they came in.
    pub(crate) read: Seq,
    /// In a direct conversation, the other person.
    pub(crate) with: Option<Arc<User>>,
}

impl User {
    /// Somebody who is in no room and not connected.
    pub fn new(id: UserId, token: Option<TokenHash>, nick: Nick, hidden: bool) -> Self {
        Self {
            id,
            token: token.map_or_else(OnceLock::new, OnceLock::from),
            returns: false,
            profile: Mutex::new(Profile { nick, hidden }),
            places: Mutex::default(),
            turn: Mutex::default(),
            rests: AtomicU64::new(0),
        }
    }

    /// Somebody with whom somebody else has a direct conversation, and who is not here.
    pub(crate) fn absent(id: UserId, nick: Nick, returns: bool) -> Self {
        Self { returns, ..Self::new(id, None, nick, false) }
    }

    /// Whether they can come back as the same person.
    pub fn can_return(&self) -> bool {
        self.returns || self.token().is_some()
    }

    /// The nickname.
    pub fn nick(&self) -> Nick {
        lock(&self.profile).nick.clone()
    }

    pub(crate) fn set_nick(&self, nick: Nick) {
        lock(&self.profile).nick = nick;
    }

    /// Whether they are out of sight.
    pub fn is_hidden(&self) -> bool {
        lock(&self.profile).hidden
    }

    pub(crate) fn set_hidden(&self, hidden: bool) {
        lock(&self.profile).hidden = hidden;
    }

    /// By what they are known when they come back; `None` if they cannot.
    pub fn token(&self) -> Option<TokenHash> {
        self.token.get().copied()
    }

    /// Whoever was known only as somebody's partner comes back with this token.
    pub(crate) fn know(&self, token: TokenHash) {
        // It is theirs for good: there is nothing to replace.
        let _ = self.token.set(token);
    }

    /// Whether they have a connection.
    pub fn is_connected(&self) -> bool {
        !self.places().peers.is_empty()
    }

    /// Where they are. Taken after the hub's tables and before a room's members.
    pub(crate) fn places(&self) -> MutexGuard<'_, Places> {
        lock(&self.places)
    }

    /// Lets one change at a time be made of who they are and where: what several of their connections
    /// ask for at once happens one after the other, in all rooms. Taken before any other lock.
    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        lock(&self.turn)
    }

    /// Tells all connections but one.
    pub(crate) fn tell_others(&self, but: PeerId, mail: impl Fn() -> Mail) {
        for peer in self.places().peers.iter().filter(|peer| peer.id != but) {
            peer.post(mail());
        }
    }

    /// How far a room has been read, or was before they came in; `None` if they are not in it.
    pub(crate) fn read(&self, room: RoomId) -> Option<Seq> {
        self.places().seat(room).map(|seat| seat.read)
    }

    /// Whether they are in a room.
    pub(crate) fn has_seat(&self, room: RoomId) -> bool {
        self.places().seat(room).is_some()
    }
}

impl Places {
    /// The place in a room.
    pub(crate) fn seat(&mut self, room: RoomId) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.room.id == room)
    }

    /// Takes the place in a room away.
    pub(crate) fn give_up(&mut self, room: RoomId) -> Option<Seat> {
        let at = self.seats.iter().position(|seat| seat.room.id == room)?;
        Some(self.seats.remove(at))
    }

    /// Takes a connection away; `None` if it is none of these.
    pub(crate) fn disconnect(&mut self, id: PeerId) -> Option<Arc<Peer>> {
        let at = self.peers.iter().position(|peer| peer.id == id)?;
        Some(self.peers.swap_remove(at))
    }

    /// Adds a connection. Returns those that it takes the place of: the client that it is of has one
    /// at a time. If the other was opened later, it is this one whose time is over: its hello was on
    /// its way for long.
    pub(crate) fn connect(&mut self, peer: &Arc<Peer>) -> Vec<Arc<Peer>> {
        let is_of_client = |other: &Arc<Peer>| other.client == peer.client;
        if self.peers.iter().any(|other| is_of_client(other) && other.opened > peer.opened) {
            peer.replace();
            return Vec::new();
        }
        let replaced: Vec<_> = self.peers.extract_if(.., |other| is_of_client(other)).collect();
        // From now on they ask for nothing any more.
        replaced.iter().for_each(|other| other.replace());
        self.peers.push(peer.clone());
        replaced
    }
}

impl fmt::Debug for User {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("User")
            .field("id", &self.id)
            .field("nick", &self.nick())
            .finish_non_exhaustive()
    }
}
