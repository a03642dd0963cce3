//! A room: its log, and who is in it.
//!
//! The room keeps one list of everybody to ring, and one of the names that can be seen. Each change
//! of the second is announced: at once while the room is small, gathered with others while it is
//! large, so that a crowd that arrives costs each member a few announcements and not one a head.
//! What `announce` is given is called for under the members' lock, so that announcements are in the
//! order of the changes; it must not wait.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crosstalk_protocol::limits::PRESENCE_NAMES_MAX;
use crosstalk_protocol::line::render::Notice;
use crosstalk_protocol::{Nick, Presence, RoomName};

use crate::limits::{PRESENCE_LINES, SMALL_ROOM};
use crate::log::{Cursor, Log};
use crate::peer::{Peer, lock};
use crate::segment::{Body, Entry};
use crate::store::{RoomId, RoomKey, UserId};

/// A room.
#[derive(Debug)]
pub struct Room {
    /// Its number.
    pub id: RoomId,
    /// Its name.
    pub name: RoomName,
    /// What was said in it.
    pub log: Log,
    /// In a direct conversation, the two.
    pub pair: Option<[UserId; 2]>,
    /// People who can come back and have a place here, connected or not.
    seats: AtomicUsize,
    /// Whether one of the two has gone for good.
    ended: AtomicBool,
    /// Whether anything was ever said, or is about to be.
    used: AtomicBool,
    members: Mutex<Members>,
}

#[derive(Debug, Default)]
struct Members {
    peers: Vec<Arc<Peer>>,
    visible: BTreeSet<Nick>,
    gathered: Gathered,
    /// News about people so far.
    news: u64,
}

/// What is to be done about a change of who is there.
#[derive(Debug)]
#[must_use]
pub enum Announcement {
    /// Nothing: nobody can see it, or it will be announced with what is being gathered already.
    None,
    /// Append this.
    Now(Body),
    /// Call [`Room::gathered`] in a while.
    Later,
}

/// Part of a sorted list of names.
#[derive(Debug)]
pub struct Names {
    /// The rows.
    pub rows: Vec<Nick>,
    /// How many stand before the first.
    pub before: usize,
    /// Whether there are more behind the last.
    pub more: bool,
    /// How many there are in all.
    pub count: usize,
}

impl Room {
    /// A room in which nobody is: a public one, or the direct conversation of `pair`.
    pub fn new(id: RoomId, name: RoomName, log: Log, pair: Option<[UserId; 2]>) -> Self {
        let (ended, used) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { id, name, log, pair, seats: AtomicUsize::new(0), ended, used, members: Mutex::default() }
    }

    /// By what the store knows it.
    pub fn key(&self) -> RoomKey {
        RoomKey { id: self.id, name: self.name.clone() }
    }

    /// Appends a batch and rings everybody. Only the sequencer does.
    pub fn publish(&self, entries: Vec<Entry>) {
        self.log.append(entries);
        for peer in &lock(&self.members).peers {
            peer.ring_for(self.id);
        }
    }

    /// Lets `peer` in. Returns where it reads, and the number of the last news about people that
    /// is older than that: an announcement may still be on its way into the log. The cursor is made
    /// after the peer is on the list of those to ring, so that nothing falls between the two.
    pub fn enter(
        &self,
        peer: &Arc<Peer>,
        cursor: impl FnOnce(&Log) -> Cursor,
        notice: Option<Notice>,
        announce: impl FnOnce(Announcement),
    ) -> (Cursor, u64) {
        let mut members = lock(&self.members);
        members.peers.push(peer.clone());
        if !peer.user.is_hidden() {
            announce(members.appear(self, peer.user.nick(), notice));
        }
        (cursor(&self.log), members.news)
    }

    /// Where somebody who is there already reads, as [`Room::enter`] says it.
    pub fn look_in(&self, cursor: impl FnOnce(&Log) -> Cursor) -> (Cursor, u64) {
        let members = lock(&self.members);
        (cursor(&self.log), members.news)
    }

    /// Counts `more` people who can come back and have a place here.
    pub(crate) fn add_seats(&self, more: usize) {
        self.seats.fetch_add(more, Ordering::AcqRel);
    }

    /// Counts somebody less.
    pub(crate) fn remove_seat(&self) {
        let _ = self.seats.fetch_update(Ordering::AcqRel, Ordering::Acquire, |seats| seats.checked_sub(1));
    }

    /// Lets `peer` out. With their last connection, a person is there no longer. Nothing happens if
    /// the peer is not there: its place may be that of another connection by now.
    pub fn leave(&self, peer: &Peer, notice: Option<Notice>, announce: impl FnOnce(Announcement)) {
        let mut members = lock(&self.members);
        let Some(at) = members.peers.iter().position(|member| member.id == peer.id) else { return };
        members.peers.swap_remove(at);
        let stays = members.peers.iter().any(|member| member.user.id == peer.user.id);
        if !stays && !peer.user.is_hidden() {
            announce(members.disappear(self, &peer.user.nick(), notice));
        }
    }

    /// Puts a member on the list of names.
    pub fn reveal(&self, nick: Nick, notice: Option<Notice>, announce: impl FnOnce(Announcement)) {
        let mut members = lock(&self.members);
        announce(members.appear(self, nick, notice));
    }

    /// Takes a member off the list of names.
    pub fn hide(&self, nick: &Nick, notice: Option<Notice>, announce: impl FnOnce(Announcement)) {
        let mut members = lock(&self.members);
        announce(members.disappear(self, nick, notice));
    }

    /// Replaces a name on the list. Returns the number of that news, if the others have to be told.
    pub fn rename(&self, from: &Nick, to: &Nick) -> Option<u64> {
        let mut members = lock(&self.members);
        if self.pair.is_none() {
            if !members.visible.remove(from) {
                return None;
            }
            members.visible.insert(to.clone());
        }
        // The name is somebody's again: that its last bearer has gone would be taken for this one.
        members.gathered.left.remove(to);
        // Who has not been announced yet will be, under the new name.
        if members.gathered.joined.remove(from).is_some() {
            members.gathered.joined.insert(to.clone(), None);
            return None;
        }
        members.news += 1;
        Some(members.news)
    }

    /// What has been gathered since the last call; nothing if it has cancelled itself out.
    pub fn gathered(&self) -> Option<Body> {
        lock(&self.members).announcement(self)
    }

    /// Names in sight, in order, behind `after`.
    pub fn names(&self, after: Option<&Nick>, limit: usize) -> Names {
        names(&lock(&self.members).visible, after, limit)
    }

    /// How many are in sight.
    pub fn count(&self) -> usize {
        lock(&self.members).visible.len()
    }

    /// Whether nobody is here or may come back, and nothing was ever said: nothing is lost with such a
    /// room.
    pub fn is_unused(&self) -> bool {
        let nothing_said = !self.used.load(Ordering::Acquire) && self.log.last_seq() == 0;
        nothing_said && self.seats.load(Ordering::Acquire) == 0 && lock(&self.members).peers.is_empty()
    }

    /// Whether nobody is here.
    pub fn is_empty(&self) -> bool {
        lock(&self.members).peers.is_empty()
    }

    /// Notes that a message is on its way into the log.
    pub fn note_use(&self) {
        self.used.store(true, Ordering::Release);
    }

    /// Notes that one of the two has left a direct conversation for good.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Whether this is a direct conversation that one of the two has left.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }
}

impl Members {
    fn appear(&mut self, room: &Room, nick: Nick, notice: Option<Notice>) -> Announcement {
        if room.pair.is_some() || !self.visible.insert(nick.clone()) {
            return Announcement::None;
        }
        self.announce(room, |gathered| {
            if gathered.left.remove(&nick).is_none() {
                gathered.joined.insert(nick, notice);
            }
        })
    }

    fn disappear(&mut self, room: &Room, nick: &Nick, notice: Option<Notice>) -> Announcement {
        if room.pair.is_some() || !self.visible.remove(nick) {
            return Announcement::None;
        }
        self.announce(room, |gathered| {
            if gathered.joined.remove(nick).is_none() {
                gathered.left.insert(nick.clone(), notice);
            }
        })
    }

    fn announce(&mut self, room: &Room, gather: impl FnOnce(&mut Gathered)) -> Announcement {
        let gathering = self.gathered.open;
        gather(&mut self.gathered);
        if gathering {
            Announcement::None
        } else if self.peers.len() > SMALL_ROOM {
            self.gathered.open = true;
            Announcement::Later
        } else {
            self.announcement(room).map_or(Announcement::None, Announcement::Now)
        }
    }

    fn announcement(&mut self, room: &Room) -> Option<Body> {
        let gathered = std::mem::take(&mut self.gathered);
        let body = gathered.body(&room.name, self.visible.len(), self.news + 1)?;
        self.news += 1;
        Some(body)
    }
}

/// Who has come and gone since the last announcement, with what people are told of each if there
/// are few.
#[derive(Debug, Default)]
struct Gathered {
    joined: HashMap<Nick, Option<Notice>>,
    left: HashMap<Nick, Option<Notice>>,
    /// Whether somebody will call [`Room::gathered`].
    open: bool,
}

impl Gathered {
    fn body(self, room: &RoomName, count: usize, number: u64) -> Option<Body> {
        let (joined_count, left_count) = (self.joined.len(), self.left.len());
        if joined_count + left_count == 0 {
            return None;
        }
        let names = |map: &HashMap<Nick, _>| map.keys().take(PRESENCE_NAMES_MAX).cloned().collect();
        let presence = Presence {
            room: room.clone(),
            joined: names(&self.joined),
            joined_count,
            left: names(&self.left),
            left_count,
            count,
        };
        let notices = if joined_count + left_count <= PRESENCE_LINES {
            self.left.into_values().chain(self.joined.into_values()).flatten().collect()
        } else {
            vec![Notice::Crowd { room: room.clone(), joined: joined_count, left: left_count, count }]
        };
        Some(Body::Presence { number, presence, notices })
    }
}

/// Part of a sorted set of names.
pub(crate) fn names(set: &BTreeSet<Nick>, after: Option<&Nick>, limit: usize) -> Names {
    let start = after.map_or(Bound::Unbounded, Bound::Excluded);
    let mut range = set.range((start, Bound::Unbounded));
    let rows = range.by_ref().take(limit).cloned().collect();
    let before = after.map_or(0, |after| set.range(..=after).count());
    Names { rows, before, more: range.next().is_some(), count: set.len() }
}
