//! Who is in which room. A person is in a room with all their connections: whatever one of them
//! enters or leaves, the others enter or leave with it.

use std::sync::Arc;

use crosstalk_protocol::line::render::Notice;
use crosstalk_protocol::{Entered, ErrorCode, ErrorReply, Nick, Position, RoomName, Seq};

use super::{Hub, no_such_user};
use crate::bell::Causes;
use crate::limits::ROOMS_PER_CONNECTION;
use crate::log::{Cursor, Log};
use crate::peer::{Mail, Peer};
use crate::room::Room;
use crate::sequencer::busy;
use crate::store::{Answer, Change};
use crate::user::{Seat, User};

/// A room that a peer is in, and where it reads.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The room.
    pub room: Arc<Room>,
    /// What the peer's bell is rung for if there is something to read. It is here so that somebody in
    /// many rooms need not look at each of them.
    pub(crate) cause: Causes,
    /// Where the peer reads.
    pub cursor: Cursor,
    /// News about people up to this number are older than the peer's being here.
    pub known: u64,
    /// In a direct conversation, the other person.
    pub with: Option<Arc<User>>,
}

impl Membership {
    /// What the peer is told of it, with what its person has read.
    pub fn entered(&self, read: Option<Seq>, unread: usize) -> Entered {
        Entered {
            room: self.room.name.clone(),
            position: Position { epoch: self.room.log.epoch(), seq: self.cursor.seen() },
            count: if self.with.is_some() { 2 } else { self.room.count() },
            with: self.with.as_ref().map(|user| user.nick()),
            read,
            unread,
        }
    }
}

/// The direct conversation with somebody, as one of the two finds it.
#[derive(Debug)]
pub struct Direct {
    /// The room of two.
    pub room: Arc<Room>,
    /// The other person.
    pub with: Arc<User>,
    /// The finder's place in it, if it is new.
    pub entered: Option<Membership>,
}

/// A connection that has come into a room, and is to be told.
type Newcomer = (Arc<Peer>, Membership);

/// A seat that somebody has taken.
struct Taken<'a> {
    /// That of the connection which asked for it.
    membership: Membership,
    /// The person's other connections. They are told once it is stored, so that nobody has seen
    /// themselves in a room in which they are not after a crash.
    others: Vec<Newcomer>,
    /// The store's answer, if there is anything to store.
    stored: Option<Answer<'a, ()>>,
}

fn tell(newcomers: Vec<Newcomer>) {
    for (peer, membership) in newcomers {
        peer.post(Mail::Entered(membership));
    }
}

impl Hub {
    /// Lets `peer`, and whoever else is the same person, into a public room. It reads behind
    /// `position` or at the end; where `position` means nothing to the log, reading begins with what
    /// memory holds.
    ///
    /// # Errors
    /// `no-such-room`.
    pub async fn enter(
        &self,
        peer: &Arc<Peer>,
        name: &RoomName,
        position: Option<Position>,
        notice: impl FnOnce(&RoomName) -> Notice,
    ) -> Result<Membership, ErrorReply> {
        let Taken { membership, others, stored } = {
            let _turn = peer.user.turn();
            let take_seat = |room: &Arc<Room>| self.take_seat(peer, room, position, &notice(&room.name));
            self.rooms.enter(name, take_seat)??
        };
        self.see_stored(stored, "who entered a room").await;
        tell(others);
        Ok(membership)
    }

    /// Creates a public room with `peer` in it. Where there are as many as there may be, an empty
    /// one makes room: of those that nothing is lost with, the one that has been silent for longest.
    ///
    /// # Errors
    /// `room-exists`, `too-many-rooms`, `busy`.
    pub async fn create(&self, peer: &Arc<Peer>, name: &RoomName) -> Result<Membership, ErrorReply> {
        if name.is_direct() {
            return Err(ErrorReply::new(ErrorCode::BadRoom, "Names with @ belong to direct conversations."));
        }
        let notice = Notice::Joined { nick: peer.user.nick(), room: name.clone() };
        let mut room_stored = None;
        let new = || {
            let (room, stored) = self.new_room(|_| name.clone(), None);
            room_stored = Some(stored);
            room
        };
        let enter = |room: &Arc<Room>| self.take_seat(peer, room, None, &notice);
        let (removed, entered) = {
            let _turn = peer.user.turn();
            self.rooms.create(name, self.store.is_durable(), new, enter)?
        };
        let Taken { membership, others, stored: seat_stored } = entered?;
        if let Some(room) = removed {
            self.forget(&room);
        }
        let stored = match room_stored {
            Some(stored) => stored.await,
            None => Ok(()),
        };
        let seat_stored = match seat_stored {
            Some(seat_stored) => seat_stored.await,
            None => Ok(()),
        };
        match stored.and(seat_stored) {
            Ok(()) => {
                tell(others);
                Ok(membership)
            }
            Err(error) => {
                tracing::error!(%error, room = %name, "a room was not stored");
                self.leave(peer, &membership.room, None).await;
                Err(busy("The server cannot store rooms at the moment"))
            }
        }
    }

    /// Lets a person out of a room, with all their connections. An unused room is removed.
    pub async fn leave(&self, peer: &Peer, room: &Arc<Room>, notice: Option<Notice>) {
        let stored = self.vacate(peer, room, notice);
        self.see_stored(stored, "who left a room").await;
    }

    /// The same, for whoever need not wait until it is stored.
    pub(crate) fn vacate(
        &self,
        peer: &Peer,
        room: &Arc<Room>,
        notice: Option<Notice>,
    ) -> Option<Answer<'_, ()>> {
        let user = &peer.user;
        let turn = user.turn();
        let mut places = user.places();
        if places.give_up(room.id).is_some() && user.token().is_some() {
            room.remove_seat();
        }
        for other in &places.peers {
            room.leave(other, notice.clone(), |announcement| self.announce(room, announcement, other.id));
            if other.id != peer.id {
                other.post(Mail::Left { room: room.clone() });
            }
        }
        drop((places, turn));
        let left = user.token().map(|_| Change::Leave { user: user.id, room: room.id });
        let stored = left.map(|change| self.store.change(change));
        self.give_up(room);
        stored
    }

    /// Whoever leaves a room last, or a conversation of two, leaves nothing behind that is not used.
    fn give_up(&self, room: &Arc<Room>) {
        match room.pair {
            Some(pair) => {
                self.directs.end(pair, room);
                self.change(Change::EndRoom(room.id));
            }
            None => {
                if self.rooms.remove_unused(room) {
                    self.forget(room);
                }
            }
        }
    }

    /// Ends a connection. With the last one, the person is here no longer: their nickname is free,
    /// and who cannot come back has left all rooms. `quit` says whether they said goodbye.
    pub fn disconnect(&self, peer: &Peer, quit: bool) {
        let user = &peer.user;
        // Until the name is free again: who was told that they have gone may ask for it.
        let _turn = user.turn();
        let mut places = user.places();
        // One that was replaced is no connection of theirs any more.
        if places.disconnect(peer.id).is_none() {
            return;
        }
        let gone = places.peers.is_empty();
        drop(places);
        if gone {
            // Whoever has been told that they are gone does not find them on a list.
            self.people.fade(user);
        }
        let mut places = user.places();
        // Whoever is in the lobby has it from there; once is enough.
        let told_in_lobby = places.seats.iter().any(|seat| seat.room.name.is_lobby());
        for Seat { room, .. } in &places.seats {
            let tells = room.name.is_lobby() || !told_in_lobby;
            let notice = tells.then(|| Notice::Offline { nick: user.nick(), quit });
            room.leave(peer, notice, |announcement| self.announce(room, announcement, peer.id));
        }
        let left =
            if gone && user.token().is_none() { std::mem::take(&mut places.seats) } else { Vec::new() };
        drop(places);
        left.iter().for_each(|seat| self.give_up(&seat.room));
        if gone {
            drop(self.save(user));
            self.people.goodbye(user, !self.store.is_durable());
        }
    }

    /// Gives `peer`'s person a seat in a public room, and lets in all their connections.
    fn take_seat<'a>(
        &'a self,
        peer: &Arc<Peer>,
        room: &Arc<Room>,
        position: Option<Position>,
        notice: &Notice,
    ) -> Result<Taken<'a>, ErrorReply> {
        let user = &peer.user;
        let mut places = user.places();
        if !places.peers.iter().any(|other| other.id == peer.id) {
            return Err(busy("This connection is over"));
        }
        if let Some(seat) = places.seat(room.id) {
            // Another connection has entered the room, and this one with it.
            let (cursor, known) = room.look_in(|log| cursor_behind(log, position));
            let with = seat.with.clone();
            let membership =
                Membership { room: room.clone(), cause: Causes::room(room.id), cursor, known, with };
            return Ok(Taken { membership, others: Vec::new(), stored: None });
        }
        let mut seat = Seat { room: room.clone(), read: 0, with: None };
        let membership = self.let_in(peer, &seat, position, Some(notice.clone()));
        seat.read = membership.cursor.seen();
        let others = places.peers.iter().filter(|other| other.id != peer.id && other.has_arrived());
        let others = others.map(|other| (other.clone(), self.let_in(other, &seat, None, None))).collect();
        let stored = self.note_seat(user, &seat);
        places.seats.push(seat);
        Ok(Taken { membership, others, stored })
    }

    /// Has the store note a seat of somebody who can come back.
    fn note_seat(&self, user: &User, seat: &Seat) -> Option<Answer<'_, ()>> {
        user.token()?;
        let Seat { room, read, .. } = seat;
        room.add_seats(1);
        Some(self.store.change(Change::Enter { user: user.id, room: room.id, read: *read }))
    }

    /// Gives `user` a seat, unless they have it. Returns the connections that are in the room now,
    /// and were not before, and the store's answer, if there is anything to store.
    fn seat(&self, user: &Arc<User>, seat: Seat) -> (Vec<Newcomer>, Option<Answer<'_, ()>>) {
        let _turn = user.turn();
        let mut places = user.places();
        if places.seat(seat.room.id).is_some() {
            return (Vec::new(), None);
        }
        let stored = self.note_seat(user, &seat);
        places.seats.push(seat.clone());
        let arrived = places.peers.iter().filter(|peer| peer.has_arrived());
        (arrived.map(|peer| (peer.clone(), self.let_in(peer, &seat, None, None))).collect(), stored)
    }

    pub(super) fn let_in(
        &self,
        peer: &Arc<Peer>,
        seat: &Seat,
        position: Option<Position>,
        notice: Option<Notice>,
    ) -> Membership {
        let Seat { room, with, .. } = seat;
        let announce = |announcement| self.announce(room, announcement, peer.id);
        let cursor = |log: &Log| cursor_behind(log, position);
        let (cursor, known) = room.enter(peer, cursor, notice, announce);
        Membership { room: room.clone(), cause: Causes::room(room.id), cursor, known, with: with.clone() }
    }

    /// The direct conversation of `peer` with whoever is called `nick`, opened if need be. Everybody
    /// else who is let into it is told by mail; `peer`'s own membership is returned if it is new.
    ///
    /// # Errors
    /// `no-such-user`: nobody, or nobody who can be seen. `too-many-rooms`, `busy`.
    pub async fn direct(&self, peer: &Arc<Peer>, nick: &Nick) -> Result<Direct, ErrorReply> {
        let with = self.find(nick).ok_or_else(no_such_user)?;
        let user = &peer.user;
        if with.id == user.id {
            return Err(ErrorReply::new(ErrorCode::NoSuchUser, "That is yourself; write to somebody else."));
        }
        let mut answers = Vec::new();
        let pair = [user.id, with.id];
        let (room, is_new) = self.directs.get_or_insert(pair, || {
            let is_open = |seat: &&Seat| seat.with.is_some() && !seat.room.has_ended();
            if user.places().seats.iter().filter(is_open).count() >= ROOMS_PER_CONNECTION {
                let message = format!(
                    "You are in {ROOMS_PER_CONNECTION} direct conversations, which is all you may be in; leave one first."
                );
                return Err(ErrorReply::new(ErrorCode::TooManyRooms, message));
            }
            let (room, answer) = self.new_room(|id| RoomName::direct(u64::from(id.0)), Some(pair));
            answers.push(answer);
            Ok(room)
        })?;
        let mut newcomers = Vec::new();
        for (one, other) in [(user, &with), (&with, user)] {
            let seat = Seat { room: room.clone(), read: 0, with: Some(other.clone()) };
            let (seated, stored) = self.seat(one, seat);
            newcomers.extend(seated);
            answers.extend(stored);
        }
        // Whoever were told earlier might find, after a crash, that they are in no such room.
        for answer in answers {
            let Err(error) = answer.await else { continue };
            tracing::error!(%error, "a direct conversation was not stored");
            if is_new {
                self.leave(peer, &room, None).await;
                return Err(busy("The server cannot store messages at the moment"));
            }
        }
        let at = newcomers.iter().position(|(member, _)| member.id == peer.id);
        let entered = at.map(|at| newcomers.swap_remove(at).1);
        tell(newcomers);
        Ok(Direct { room, with, entered })
    }

    /// The direct conversation of `user` with whoever is called `nick`, if there is one.
    ///
    /// # Errors
    /// `no-such-user`: nobody, nobody who can be seen, or nobody that `user` has spoken with.
    pub fn existing_direct(&self, user: &User, nick: &Nick) -> Result<Arc<Room>, ErrorReply> {
        let other = self.find(nick).ok_or_else(no_such_user)?;
        self.directs.get([user.id, other.id]).ok_or_else(|| {
            ErrorReply::new(ErrorCode::NoSuchUser, format!("You have no conversation with {nick} yet."))
        })
    }
}

/// Behind `position` or at the end; where `position` means nothing to the log, at the beginning of
/// what memory holds.
fn cursor_behind(log: &Log, position: Option<Position>) -> Cursor {
    match position {
        None => log.end(),
        Some(position) => log.cursor(position).unwrap_or_else(|| log.start()),
    }
}
