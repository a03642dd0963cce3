//! The rooms a session is in: how it comes into one and out of it, and which it may be in.

use std::sync::Arc;

use crosstalk_protocol::line::render::Notice;
use crosstalk_protocol::{Entered, EntryRoom, ErrorCode, ErrorReply, Event, Nick, Position, RoomName, Seq};

use super::Session;
use crate::hub::{Direct, Membership, no_such_room};
use crate::limits::ROOMS_PER_CONNECTION;
use crate::room::Room;
use crate::user::User;

impl Session {
    /// Lets the peer into one more public room.
    pub(super) async fn enter(&mut self, entry: EntryRoom) -> Result<Entered, ErrorReply> {
        let EntryRoom { room, position } = entry;
        if self.is_member(&room) {
            let message = format!("You are already a member of this room {room}.");
            return Err(ErrorReply::new(ErrorCode::AlreadyAMember, message));
        }
        self.check_room_limit()?;
        let peer = self.peer()?;
        let notice = |room: &RoomName| Notice::Joined { nick: peer.user.nick(), room: room.clone() };
        let membership = self.hub.enter(peer, &room, position, notice).await?;
        let entered = membership.entered(peer.user.read(membership.room.id), 0);
        self.note(membership, position);
        Ok(entered)
    }

    /// Notes a room that the peer wants to read behind `wanted`.
    pub(super) fn note(&mut self, membership: Membership, wanted: Option<Position>) {
        let Membership { room, cursor, .. } = &membership;
        if wanted.is_some_and(|wanted| wanted.seq != cursor.seen() || wanted.epoch != room.log.epoch()) {
            // What the peer has seen was in another life of the log.
            let (room, epoch) = (room.name.clone(), room.log.epoch());
            self.asides.push(Event::Gap { room, epoch, after: 0, before: cursor.seen() + 1 });
        }
        self.add(membership);
    }

    /// Adds a room, in which there may be something to read.
    pub(super) fn add(&mut self, membership: Membership) {
        self.unread |= membership.cause;
        self.rooms.push(membership);
    }

    pub(super) fn check_room_limit(&self) -> Result<(), ErrorReply> {
        if self.rooms.iter().filter(|membership| membership.with.is_none()).count() < ROOMS_PER_CONNECTION {
            return Ok(());
        }
        let message =
            format!("You are in {ROOMS_PER_CONNECTION} rooms, which is all you may be in; leave one first.");
        Err(ErrorReply::new(ErrorCode::TooManyRooms, message))
    }

    /// Lets the peer out. Returns the room's name as it was created.
    pub(super) async fn leave(&mut self, name: &RoomName) -> Result<RoomName, ErrorReply> {
        let at = self.rooms.iter().position(|membership| membership.room.name == *name);
        let membership = self.rooms.remove(at.ok_or_else(|| self.not_a_member(name))?);
        let peer = self.peer()?;
        let notice = Notice::Left { nick: peer.user.nick(), room: membership.room.name.clone() };
        self.hub.leave(peer, &membership.room, Some(notice)).await;
        Ok(membership.room.name.clone())
    }

    /// The direct conversation with `nick`, opened if need be.
    pub(super) async fn direct(&mut self, nick: &Nick) -> Result<(Arc<Room>, Arc<User>), ErrorReply> {
        let Direct { room, with, entered } = Box::pin(self.hub.direct(self.peer()?, nick)).await?;
        if let Some(membership) = entered {
            self.come_into(membership);
        }
        Ok((room, with))
    }

    /// Notes a room that the peer has come into without having asked. A direct conversation that has
    /// ended makes room for another if there are too many.
    pub(super) fn come_into(&mut self, membership: Membership) {
        // By now, another connection may have left it again.
        let has_seat = self.peer.as_ref().is_some_and(|peer| peer.user.has_seat(membership.room.id));
        if !has_seat || self.is_member(&membership.room.name) {
            return;
        }
        let directs = self.rooms.iter().filter(|membership| membership.with.is_some()).count();
        if membership.with.is_some()
            && directs >= ROOMS_PER_CONNECTION
            && let Some(ended) = self.rooms.iter().position(|membership| membership.room.has_ended())
        {
            let ended = self.rooms.remove(ended);
            if let Some(peer) = &self.peer {
                drop(self.hub.vacate(peer, &ended.room, None));
            }
            self.asides.push(Event::Left { id: None, room: ended.room.name.clone() });
        }
        let entered = membership.entered(None, 0);
        self.add(membership);
        self.asides.push(Event::Joined { id: None, created: false, entered });
    }

    /// Notes that the peer is in a room no longer, without having asked.
    pub(super) fn go_out_of(&mut self, room: &Room) {
        // By now, another connection may have entered it again, and this one with it.
        if self.peer.as_ref().is_some_and(|peer| peer.user.has_seat(room.id)) {
            return;
        }
        if let Some(at) = self.rooms.iter().position(|membership| membership.room.id == room.id) {
            self.rooms.remove(at);
            self.asides.push(Event::Left { id: None, room: room.name.clone() });
        }
    }

    /// How far the person has read in a room they are in.
    pub(super) fn read_in(&self, membership: &Membership) -> Option<Seq> {
        self.peer.as_ref()?.user.read(membership.room.id)
    }

    pub(super) fn membership(&self, name: &RoomName) -> Result<&Membership, ErrorReply> {
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
            no_such_room(name)
        }
    }

    /// Whether the session is in that room.
    pub fn is_member(&self, name: &RoomName) -> bool {
        self.rooms.iter().any(|membership| membership.room.name == *name)
    }

    /// The public rooms the session is in, in the order in which it has entered them.
    pub fn room_names(&self) -> impl DoubleEndedIterator<Item = &RoomName> {
        self.rooms
            .iter()
            .filter(|membership| membership.with.is_none())
            .map(|membership| &membership.room.name)
    }
}
