//! The rooms that the user is in, and which one lines go to.
//!
//! What has been seen once is known by its position and not shown again, whatever connection it
//! comes over.

use crosstalk_protocol::{Entered, EntryRoom, Nick, Position, RoomName, Seq, limits};

use crate::membership::Membership;

/// The rooms one is in; the one joined or chosen last stands at the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rooms(Vec<Membership>);

/// Entries of a room that are skipped: those with `after < seq < before`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Skipped {
    pub(crate) room: RoomName,
    pub(crate) after: Seq,
    pub(crate) before: Seq,
}

impl Rooms {
    /// Rooms to be entered with the first hello; lines go to the last.
    pub(crate) fn entering(rooms: impl IntoIterator<Item = RoomName>) -> Self {
        Self(rooms.into_iter().map(Membership::new).collect())
    }

    /// Where lines go. Direct conversations are addressed by name instead.
    pub(crate) fn current(&self) -> Option<&RoomName> {
        self.0.iter().rev().map(|member| &member.room).find(|room| !room.is_direct())
    }

    /// Whether the user is in `room`.
    pub(crate) fn contains(&self, room: &RoomName) -> bool {
        self.find(room).is_some()
    }

    /// Every room.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Membership> {
        self.0.iter()
    }

    /// Lines go to `room` from now on. Says whether the user is in it.
    pub(crate) fn switch_to(&mut self, room: &RoomName) -> bool {
        let Some(index) = self.0.iter().position(|member| member.room == *room) else { return false };
        let member = self.0.remove(index);
        self.0.push(member);
        true
    }

    /// The user is in a room, newly or again, and reads it from the position given. Lines go where
    /// they went, if anywhere. Says what is skipped without a word.
    pub(crate) fn enter(&mut self, entered: Entered) -> Option<Skipped> {
        let room = entered.room.clone();
        if !self.contains(&room) {
            self.0.insert(0, Membership::new(room.clone()));
        }
        let (after, before) = self.find_mut(&room)?.enter(entered)?;
        Some(Skipped { room, after, before })
    }

    /// After a welcome: the user is in these rooms and in no others. What lines went to stays
    /// where it was as long as it is there. Says what is skipped without a word: a hello cannot
    /// name any number of rooms.
    pub(crate) fn welcome(&mut self, entered: Vec<Entered>) -> Vec<Skipped> {
        self.0.retain(|member| entered.iter().any(|room| room.room == member.room));
        entered.into_iter().filter_map(|room| self.enter(room)).collect()
    }

    /// The user is in `room` no longer; lines go to the one before.
    pub(crate) fn leave(&mut self, room: &RoomName) {
        self.0.retain(|member| member.room != *room);
    }

    /// Takes note of an entry. `false` if it had been seen already.
    pub(crate) fn see(&mut self, room: &RoomName, seq: Seq) -> bool {
        self.find_mut(room).is_none_or(|member| member.see(seq))
    }

    /// Entries are lost; reading goes on at `before`, in the life `epoch` of the log.
    pub(crate) fn skip(&mut self, room: &RoomName, epoch: u64, before: Seq) {
        if let Some(member) = self.find_mut(room) {
            member.position = Some(Position { epoch, seq: before.saturating_sub(1) });
        }
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

    /// The room of that name.
    pub(crate) fn find(&self, room: &RoomName) -> Option<&Membership> {
        self.0.iter().find(|member| member.room == *room)
    }

    /// The room of that name, to be changed.
    pub(crate) fn find_mut(&mut self, room: &RoomName) -> Option<&mut Membership> {
        self.0.iter_mut().find(|member| member.room == *room)
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
    fn lines_go_to_the_room_chosen_last() {
        let mut rooms = Rooms::entering([RoomName::lobby()]);
        rooms.welcome(vec![entered("lobby", 0)]);
        rooms.enter(entered("dev", 0));
        assert_eq!(current(&rooms), "lobby", "another client may have entered it");
        rooms.switch_to(&room("dev"));
        rooms.enter(entered("ops", 0));
        rooms.switch_to(&room("ops"));
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
        rooms.welcome(vec![entered("dev", 1), entered("lobby", 1)]);
        assert_eq!(current(&rooms), "dev");
        assert!(!rooms.contains(&room("ops")));
    }

    #[test]
    fn what_is_skipped_without_a_word_is_noticed() {
        let mut rooms = Rooms::default();
        assert!(rooms.welcome(vec![entered("lobby", 1)]).is_empty());
        let skipped = rooms.welcome(vec![entered("lobby", 5)]);
        assert_eq!(skipped, [Skipped { room: room("lobby"), after: 1, before: 6 }]);
    }

    #[test]
    fn what_another_client_has_read_counts_no_more() {
        let mut rooms = Rooms::default();
        rooms.welcome(vec![Entered { read: Some(3), unread: 4, ..entered("dev", 7) }]);
        let unread = |rooms: &Rooms| rooms.find(&room("dev")).unwrap().unread;
        assert_eq!(unread(&rooms), 4);
        rooms.find_mut(&room("dev")).unwrap().has_read(7);
        assert_eq!(unread(&rooms), 0);
        rooms.find_mut(&room("dev")).unwrap().has_read(2);
        assert_eq!(rooms.find(&room("dev")).unwrap().read, Some(7));
    }
}
