//! The rooms that the user is in, and where lines go: to one of them, or to one person alone.
//!
//! What has been seen once is known by its position and not shown again, whatever connection it
//! comes over.

use crosstalk_protocol::{Entered, EntryRoom, Nick, Position, RoomName, Seq, Target, limits};

use crate::membership::Membership;

/// The rooms one is in; the one joined or chosen last stands at the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rooms {
    list: Vec<Membership>,
    /// With whom the user talks alone, so that lines go to them and to no room.
    with: Option<Nick>,
}

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
        Self { list: rooms.into_iter().map(Membership::new).collect(), with: None }
    }

    /// Where lines go.
    pub(crate) fn here(&self) -> Option<Target> {
        match &self.with {
            Some(nick) => Some(Target::User(nick.clone())),
            None => self.current().cloned().map(Target::Room),
        }
    }

    /// Whether lines go to `room`.
    pub(crate) fn is_here(&self, room: &RoomName) -> bool {
        self.with.is_none() && self.current() == Some(room)
    }

    /// Lines go to one person alone from now on.
    pub(crate) fn talk_to(&mut self, nick: Nick) {
        self.with = Some(nick);
    }

    /// Lines go to the room again that they went to before. Says whether they went elsewhere.
    pub(crate) fn talk_to_all(&mut self) -> bool {
        self.with.take().is_some()
    }

    /// The room to which lines go where they go to no person.
    pub(crate) fn current(&self) -> Option<&RoomName> {
        self.list.iter().rev().map(|member| &member.room).find(|room| !room.is_direct())
    }

    /// Whether the user is in `room`.
    pub(crate) fn contains(&self, room: &RoomName) -> bool {
        self.find(room).is_some()
    }

    /// Every room.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Membership> {
        self.list.iter()
    }

    /// Lines go to `room` from now on. Says whether the user is in it.
    pub(crate) fn switch_to(&mut self, room: &RoomName) -> bool {
        let Some(index) = self.list.iter().position(|member| member.room == *room) else { return false };
        let member = self.list.remove(index);
        self.list.push(member);
        self.with = None;
        true
    }

    /// The user is in a room, newly or again, and reads it from the position given. Lines go where
    /// they went, if anywhere. Says what is skipped without a word.
    pub(crate) fn enter(&mut self, entered: Entered) -> Option<Skipped> {
        let room = entered.room.clone();
        if !self.contains(&room) {
            self.list.insert(0, Membership::new(room.clone()));
        }
        let (after, before) = self.find_mut(&room)?.enter(entered)?;
        Some(Skipped { room, after, before })
    }

    /// After a welcome: the user is in these rooms and in no others. What lines went to stays
    /// where it was as long as it is there. Says what is skipped without a word: a hello cannot
    /// name any number of rooms.
    pub(crate) fn welcome(&mut self, entered: Vec<Entered>) -> Vec<Skipped> {
        self.list.retain(|member| entered.iter().any(|room| room.room == member.room));
        entered.into_iter().filter_map(|room| self.enter(room)).collect()
    }

    /// The user is in `room` no longer; lines go to the one before.
    pub(crate) fn leave(&mut self, room: &RoomName) {
        self.list.retain(|member| member.room != *room);
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
        let all = self.list.iter_mut().map(|member| &mut member.with).chain([&mut self.with]);
        for with in all.filter(|with| with.as_ref() == Some(from)) {
            *with = Some(to.clone());
        }
    }

    /// What hello asks for: the rooms chosen last, as many as it may name.
    pub(crate) fn to_enter(&self) -> Vec<EntryRoom> {
        let first = self.list.len().saturating_sub(limits::HELLO_ROOMS_MAX);
        let entry = |member: &Membership| EntryRoom { room: member.room.clone(), position: member.position };
        self.list[first..].iter().map(entry).collect()
    }

    /// The room of that name.
    pub(crate) fn find(&self, room: &RoomName) -> Option<&Membership> {
        self.list.iter().find(|member| member.room == *room)
    }

    /// The room that lines for `target` end up in, if there is one by now.
    pub(crate) fn room_of(&self, target: &Target) -> Option<&Membership> {
        match target {
            Target::Room(room) => self.find(room),
            Target::User(nick) => self.list.iter().find(|member| member.with.as_ref() == Some(nick)),
        }
    }

    /// The room of that name, to be changed.
    pub(crate) fn find_mut(&mut self, room: &RoomName) -> Option<&mut Membership> {
        self.list.iter_mut().find(|member| member.room == *room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str) -> RoomName {
        name.parse().unwrap()
    }

    fn nick(name: &str) -> Nick {
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
    fn who_talks_with_somebody_alone_goes_back_to_the_room_they_were_in() {
        let mut rooms = Rooms::default();
        rooms.welcome(vec![entered("lobby", 0), Entered { with: Some(nick("bob")), ..entered("@7", 0) }]);
        rooms.talk_to(nick("bob"));
        assert_eq!(rooms.here(), Some(Target::User(nick("bob"))));
        assert!(!rooms.is_here(&room("lobby")));
        rooms.rename(&nick("bob"), &nick("bert"));
        let here = rooms.here().unwrap();
        assert_eq!(here, Target::User(nick("bert")));
        assert_eq!(rooms.room_of(&here).unwrap().room, room("@7"));
        assert!(rooms.talk_to_all() && !rooms.talk_to_all());
        assert!(rooms.is_here(&room("lobby")));
        rooms.talk_to(nick("bob"));
        rooms.switch_to(&room("lobby"));
        assert!(rooms.is_here(&room("lobby")));
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
