//! The rooms that the user is in, how far each has been read, and which one lines go to.
//!
//! What has been seen once is known by its position and not shown again, whatever connection it
//! comes over.

use crosstalk_protocol::{Entered, EntryRoom, Message, Nick, Position, RoomName, Seq, Target, limits};

/// The rooms one is in; the one joined or chosen last stands at the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rooms(Vec<Membership>);

#[derive(Clone, Debug)]
struct Membership {
    room: RoomName,
    /// The last entry seen; `None` before the first welcome.
    position: Option<Position>,
    /// Up to here it is known which of the user's own messages are in the log.
    settled: Seq,
    /// In a direct conversation, the other person.
    with: Option<Nick>,
}

impl Rooms {
    /// Rooms to be entered with the first hello; lines go to the last.
    pub(crate) fn entering(rooms: impl IntoIterator<Item = RoomName>) -> Self {
        let unread = |room| Membership { room, position: None, settled: 0, with: None };
        Self(rooms.into_iter().map(unread).collect())
    }

    /// Where lines go. Direct conversations are addressed by name instead.
    pub(crate) fn current(&self) -> Option<&RoomName> {
        self.0.iter().rev().map(|member| &member.room).find(|room| !room.is_direct())
    }

    /// Whether the user is in `room`.
    pub(crate) fn contains(&self, room: &RoomName) -> bool {
        self.find(room).is_some()
    }

    /// Lines go to `room` from now on. Says whether the user is in it.
    pub(crate) fn switch_to(&mut self, room: &RoomName) -> bool {
        let Some(index) = self.0.iter().position(|member| member.room == *room) else { return false };
        let member = self.0.remove(index);
        self.0.push(member);
        true
    }

    /// The user is in a room, newly or again, and reads it from the position given.
    pub(crate) fn enter(&mut self, entered: Entered) {
        let Entered { room, position, with, .. } = entered;
        match self.0.iter_mut().find(|member| member.room == room) {
            Some(member) => {
                if member.position.is_none_or(|before| before.epoch != position.epoch) {
                    member.settled = 0;
                }
                member.position = Some(position);
                member.with = with.or_else(|| member.with.take());
            }
            None => self.0.push(Membership { room, position: Some(position), settled: 0, with }),
        }
    }

    /// After a welcome: the user is in these rooms and in no others. What lines went to stays
    /// where it was as long as it is there.
    pub(crate) fn welcome(&mut self, entered: Vec<Entered>) {
        self.0.retain(|member| entered.iter().any(|room| room.room == member.room));
        for room in entered {
            if !self.contains(&room.room) {
                self.0.insert(
                    0,
                    Membership { room: room.room.clone(), position: None, settled: 0, with: None },
                );
            }
            self.enter(room);
        }
    }

    /// The user is in `room` no longer; lines go to the one before.
    pub(crate) fn leave(&mut self, room: &RoomName) {
        self.0.retain(|member| member.room != *room);
    }

    /// Takes note of a message. `false` if it had been seen already.
    pub(crate) fn see(&mut self, message: &Message) -> bool {
        match self.0.iter_mut().find(|member| member.room == message.room) {
            Some(Membership { position: Some(position), .. }) if message.seq > position.seq => {
                position.seq = message.seq;
                true
            }
            Some(Membership { position: Some(_), .. }) => false,
            // Nothing is known about the room's log, so nothing of it has been seen.
            _ => true,
        }
    }

    /// Entries are lost; reading goes on at `before`, in the life `epoch` of the log.
    pub(crate) fn skip(&mut self, room: &RoomName, epoch: u64, before: u64) {
        if let Some(member) = self.0.iter_mut().find(|member| member.room == *room) {
            if member.position.is_none_or(|position| position.epoch != epoch) {
                member.settled = 0;
            }
            member.position = Some(Position { epoch, seq: before.saturating_sub(1) });
        }
    }

    /// How far `room` has been read.
    pub(crate) fn position(&self, room: &RoomName) -> Option<Position> {
        self.find(room)?.position
    }

    /// The user's own messages in `room` are accounted for up to `seq`.
    pub(crate) fn settle(&mut self, room: &RoomName, seq: Seq) {
        if let Some(member) = self.0.iter_mut().find(|member| member.room == *room) {
            member.settled = member.settled.max(seq);
        }
    }

    /// How far the user's own messages in `room` are accounted for.
    pub(crate) fn settled(&self, room: &RoomName) -> Seq {
        self.find(room).map_or(0, |member| member.settled)
    }

    /// The room that a message to this target goes to, if it is known.
    pub(crate) fn room_of<'a>(&'a self, target: &'a Target) -> Option<&'a RoomName> {
        match target {
            Target::Room(room) => Some(room),
            Target::User(nick) => self.direct_with(nick),
        }
    }

    /// The direct conversation with `nick`, if it has begun.
    fn direct_with(&self, nick: &Nick) -> Option<&RoomName> {
        self.0.iter().find(|member| member.with.as_ref() == Some(nick)).map(|member| &member.room)
    }

    /// Somebody has another nickname; a conversation with them goes on.
    pub(crate) fn rename(&mut self, from: &Nick, to: &Nick) {
        for member in &mut self.0 {
            if member.with.as_ref() == Some(from) {
                member.with = Some(to.clone());
            }
        }
    }

    /// What hello asks for: the rooms chosen last, as many as it may name.
    pub(crate) fn to_enter(&self) -> Vec<EntryRoom> {
        let first = self.0.len().saturating_sub(limits::HELLO_ROOMS_MAX);
        let entry = |member: &Membership| EntryRoom { room: member.room.clone(), position: member.position };
        self.0[first..].iter().map(entry).collect()
    }

    fn find(&self, room: &RoomName) -> Option<&Membership> {
        self.0.iter().find(|member| member.room == *room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str) -> RoomName {
        name.parse().unwrap()
    }

    fn entered(name: &str, seq: u64) -> Entered {
        let position = Position { epoch: 1, seq };
        Entered { room: room(name), position, count: 1, with: None, read: None, unread: 0 }
    }

    fn current(rooms: &Rooms) -> &str {
        rooms.current().unwrap().as_str()
    }

    #[test]
    fn lines_go_to_the_room_joined_or_chosen_last() {
        let mut rooms = Rooms::entering([RoomName::lobby()]);
        rooms.welcome(vec![entered("lobby", 0)]);
        rooms.enter(entered("dev", 0));
        rooms.enter(entered("ops", 0));
        assert_eq!(current(&rooms), "ops");
        assert!(rooms.switch_to(&room("DEV")));
        assert!(!rooms.switch_to(&room("none")));
        rooms.enter(entered("@7", 0));
        assert_eq!(current(&rooms), "dev");
        rooms.leave(&room("dev"));
        assert_eq!(current(&rooms), "ops");
    }

    #[test]
    fn a_welcome_keeps_the_order_and_drops_what_is_gone() {
        let mut rooms = Rooms::default();
        rooms.welcome(vec![entered("lobby", 1), entered("dev", 1), entered("ops", 1)]);
        rooms.switch_to(&room("dev"));
        rooms.welcome(vec![entered("dev", 5), entered("lobby", 5)]);
        assert_eq!(current(&rooms), "dev");
        assert!(!rooms.contains(&room("ops")));
        assert_eq!(rooms.position(&room("dev")).unwrap().seq, 5);
    }
}
