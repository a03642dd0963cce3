//! Who is here and which rooms there are: the hub changes its tables (people, direct conversations,
//! rooms), has the store keep what is to outlive memory, puts drafts into the sequencer's queue, and
//! rings. It waits for nobody but the store.
//!
//! Order of locks: people, directs, rooms, a person's places, a room's members, a log's tail, a
//! peer's own. None is held across an await.

mod absences;
mod arrival;
mod directs;
mod history;
mod people;
mod rooms;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crosstalk_protocol::line::render::Notice;
use crosstalk_protocol::{Entered, ErrorCode, ErrorReply, Event, Nick, Position, Rename, RoomName, Seq};
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::absences::Absences;
use self::directs::Directs;
use self::people::People;
use self::rooms::Rooms;
use crate::limits::{QUEUE_MAX, ROOMS_PER_CONNECTION};
use crate::log::{Cursor, Log};
use crate::peer::{Mail, Peer, PeerId};
use crate::presence::Gatherings;
use crate::room::{Announcement, Names, Room};
use crate::segment::Body;
use crate::sequencer::{Content, Draft, busy};
use crate::store::{Answer, Change, RoomId, Store, StoreError, StoredRoom};
use crate::user::{Seat, User};

pub use self::absences::Absence;
pub use self::arrival::{Arrival, Visitor};
pub use self::history::Missed;
pub(crate) use self::people::no_such_user;
pub use self::rooms::RoomList;
pub(crate) use self::rooms::no_such_room;

/// The shared middle of the server.
pub struct Hub {
    /// The newest life of a log: a room that is made again begins another.
    epoch: AtomicU64,
    last_room: AtomicU32,
    last_peer: AtomicU64,
    store: Arc<dyn Store>,
    people: People,
    directs: Directs,
    rooms: Rooms,
    absences: Absences,
    queue: mpsc::Sender<Draft>,
    gatherings: Gatherings,
    tails: Arc<AtomicUsize>,
    /// Whether the server stops: that everybody goes is no news then.
    closing: AtomicBool,
}

/// A room that a peer is in, and where it reads.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The room.
    pub room: Arc<Room>,
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

impl Hub {
    /// A hub with the rooms that are stored, the lobby at least, and the queue that the sequencer has
    /// to empty.
    ///
    /// # Errors
    /// The store's.
    pub async fn new(store: Arc<dyn Store>) -> Result<(Self, mpsc::Receiver<Draft>), StoreError> {
        let (queue, drafts) = mpsc::channel(QUEUE_MAX);
        let stored = store.rooms().await?;
        let hub = Self {
            // The clock may have been set back since a room was made.
            epoch: AtomicU64::new(stored.iter().map(|room| room.epoch).fold(now_ms(), u64::max)),
            last_room: AtomicU32::new(store.last_room().await?.0),
            last_peer: AtomicU64::new(0),
            store,
            people: People::default(),
            directs: Directs::default(),
            rooms: Rooms::default(),
            absences: Absences::default(),
            queue,
            gatherings: Gatherings::default(),
            tails: Arc::default(),
            closing: AtomicBool::new(false),
        };
        for room in stored {
            hub.rooms.insert(hub.stored_room(room));
        }
        if !hub.rooms.contains(&RoomName::lobby()) {
            let (lobby, stored) = hub.new_room(|_| RoomName::lobby(), None);
            stored.await?;
            hub.rooms.insert(lobby);
        }
        Ok((hub, drafts))
    }

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
        let take_seat = |room: &Arc<Room>| self.take_seat(peer, room, position, &notice(&room.name));
        let (membership, stored) = self.rooms.enter(name, take_seat)?;
        self.see_stored(Some(stored), "who entered a room").await;
        Ok(membership)
    }

    /// Whether there is a public room of that name.
    pub fn has_room(&self, name: &RoomName) -> bool {
        self.rooms.contains(name)
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
        let (removed, (membership, seat_stored)) =
            self.rooms.create(name, self.store.is_durable(), new, enter)?;
        if let Some(room) = removed {
            self.forget(&room);
        }
        let stored = match room_stored {
            Some(stored) => stored.await,
            None => Ok(()),
        };
        match stored.and(seat_stored.await) {
            Ok(()) => Ok(membership),
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
        let mut places = user.places();
        places.give_up(room.id);
        for other in &places.peers {
            room.leave(other, notice.clone(), |announcement| self.announce(room, announcement, other.id));
            if other.id != peer.id {
                other.post(Mail::Left { room: room.name.clone() });
            }
        }
        drop(places);
        let left = user.token().map(|_| Change::Leave { user: user.id, room: room.id });
        let stored = left.map(|change| self.store.change(change));
        self.give_up(room);
        stored
    }

    /// Whoever leaves a room last, or a conversation of two, leaves nothing behind that is not used.
    fn give_up(&self, room: &Arc<Room>) {
        match room.pair {
            Some(pair) => self.directs.end(pair, room),
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
        let mut places = user.places();
        // One that was replaced is no connection of theirs any more.
        if places.disconnect(peer.id).is_none() {
            return;
        }
        let gone = places.peers.is_empty();
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
        let mut stored = None;
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
            stored = Some(answer);
            Ok(room)
        })?;
        let mut entered = None;
        for (one, other) in [(user, &with), (&with, user)] {
            let seat = Seat { room: room.clone(), read: 0, with: Some(other.clone()) };
            for (member, membership) in self.seat(one, seat) {
                if member.id == peer.id {
                    entered = Some(membership);
                } else {
                    member.post(Mail::Entered(membership));
                }
            }
        }
        if let (true, Some(stored)) = (is_new, stored)
            && let Err(error) = stored.await
        {
            tracing::error!(%error, "a direct conversation was not stored");
            self.leave(peer, &room, None).await;
            return Err(busy("The server cannot store messages at the moment"));
        }
        Ok(Direct { room, with, entered })
    }

    /// Gives `user` a seat, unless they have it. Returns the connections that are in the room now,
    /// and were not before.
    fn seat(&self, user: &Arc<User>, seat: Seat) -> Vec<(Arc<Peer>, Membership)> {
        let mut places = user.places();
        if places.seat(seat.room.id).is_some() {
            return Vec::new();
        }
        if user.token().is_some() {
            self.change(Change::Enter { user: user.id, room: seat.room.id });
        }
        places.seats.push(seat.clone());
        let let_in = |peer: &Arc<Peer>| (peer.clone(), self.let_in(peer, &seat, None, None));
        places.peers.iter().map(let_in).collect()
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

    /// Whoever is called `nick` and can be seen.
    pub fn find(&self, nick: &Nick) -> Option<Arc<User>> {
        self.people.find(nick)
    }

    /// Whether `user` is here and can be seen.
    pub fn is_in_sight(&self, user: &User) -> bool {
        self.find(&user.nick()).is_some_and(|found| found.id == user.id)
    }

    /// Gives a person another nickname, and tells their other connections and the rooms they are in.
    ///
    /// # Errors
    /// `nick-taken`, `busy`.
    pub async fn rename(&self, peer: &Peer, to: &Nick) -> Result<(), ErrorReply> {
        let user = &peer.user;
        let rooms: Vec<Arc<Room>> = user.places().seats.iter().map(|seat| seat.room.clone()).collect();
        let Ok(mut permits) = self.queue.try_reserve_many(rooms.len()) else { return Err(queue_full()) };
        let from = self.people.rename(user, to)?;
        for room in rooms {
            // Public rooms know who is out of sight; a conversation of two does not.
            if room.pair.is_some() && user.is_hidden() {
                continue;
            }
            if let Some(number) = room.rename(&from, to)
                && let Some(permit) = permits.next()
            {
                let rename = Rename { room: room.name.clone(), from: from.clone(), to: to.clone() };
                let body = Body::Renamed { number, rename, on_lines: room.name.is_lobby() };
                let content = Content::People { body, about: Some(peer.id) };
                permit.send(Draft { room, content });
            }
        }
        user.tell_others(peer.id, || Mail::Told(Event::Nick { id: None, nick: to.clone() }));
        self.see_stored(self.save(user), "a new nickname").await;
        Ok(())
    }

    /// Takes a person out of sight, or brings them back, and tells their other connections.
    pub async fn set_hidden(&self, peer: &Peer, hidden: bool) {
        let user = &peer.user;
        if user.is_hidden() == hidden {
            return;
        }
        let nick = if hidden { self.people.hide(user) } else { self.people.reveal(user) };
        let rooms: Vec<Arc<Room>> = user.places().seats.iter().map(|seat| seat.room.clone()).collect();
        for room in &rooms {
            let announce = |announcement| self.announce(room, announcement, peer.id);
            let in_lobby = room.name.is_lobby();
            if hidden {
                let notice = in_lobby.then(|| Notice::Offline { nick: nick.clone(), quit: false });
                room.hide(&nick, notice, announce);
            } else {
                let notice = in_lobby.then(|| Notice::Online(nick.clone()));
                room.reveal(nick.clone(), notice, announce);
            }
        }
        user.tell_others(peer.id, || Mail::Told(Event::Hidden { id: None, hidden }));
        self.see_stored(self.save(user), "who is out of sight").await;
    }

    /// Notes how far a person has read a room they are in, and tells their other connections. Returns
    /// how far that is: it never moves back, and not beyond what there is.
    pub fn note_read(&self, peer: &Peer, room: &Room, seq: Seq) -> Seq {
        let user = &peer.user;
        let mut places = user.places();
        let Some(seat) = places.seat(room.id) else { return 0 };
        let seq = seq.min(room.log.last_seq());
        if seq <= seat.read {
            return seat.read;
        }
        seat.read = seq;
        drop(places);
        let told = || Mail::Told(Event::Read { id: None, room: room.name.clone(), seq });
        user.tell_others(peer.id, told);
        if user.token().is_some() {
            self.change(Change::Read { user: user.id, room: room.id, seq });
        }
        seq
    }

    /// Puts an entry into the queue. Its author is told by mail when it is stored.
    ///
    /// # Errors
    /// `busy`.
    pub fn submit(&self, draft: Draft) -> Result<(), ErrorReply> {
        let Ok(permit) = self.queue.try_reserve() else { return Err(queue_full()) };
        if let Content::Words { author, .. } = &draft.content {
            author.draft_sent();
            draft.room.note_use();
        }
        permit.send(draft);
        Ok(())
    }

    /// Puts news about people into the queue, waiting for room in it.
    pub async fn append(&self, room: Arc<Room>, body: Body) {
        // The sequencer ends only when the server does; then nobody is left to be told.
        let _ = self.queue.send(Draft { room, content: Content::People { body, about: None } }).await;
    }

    /// Names in sight on the whole server, behind `after`.
    pub fn names(&self, after: Option<&Nick>, limit: usize) -> Names {
        self.people.names(after, limit)
    }

    /// The public rooms, by name, behind `after`.
    pub fn rooms(&self, after: Option<&RoomName>, limit: usize) -> RoomList {
        self.rooms.list(after, limit)
    }

    /// Remembers for a while that somebody on lines has gone, and what they had read.
    pub fn note_absence(&self, nick: Nick, from: IpAddr, rooms: Vec<(Arc<Room>, Seq)>) {
        self.absences.note(nick, from, Absence { since: Instant::now(), rooms });
    }

    /// What is known of the absence of whoever comes back on lines.
    pub fn take_absence(&self, nick: &Nick, from: IpAddr) -> Option<Absence> {
        self.absences.take(nick, from)
    }

    /// The store has removed a room's entries up to `seq`.
    pub fn expire(&self, room: RoomId, seq: Seq) {
        if let Some(room) = self.rooms.by_id(room).or_else(|| self.directs.by_id(room)) {
            room.log.expire(seq);
        }
    }

    /// Whether what memory forgets is kept elsewhere.
    pub fn is_durable(&self) -> bool {
        self.store.is_durable()
    }

    /// From now on, nobody is told who comes and goes.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// The rooms with something to announce.
    pub(crate) fn gatherings(&self) -> &Gatherings {
        &self.gatherings
    }

    /// Gives `peer`'s person a seat in a public room, and lets in all their connections.
    fn take_seat<'a>(
        &'a self,
        peer: &Arc<Peer>,
        room: &Arc<Room>,
        position: Option<Position>,
        notice: &Notice,
    ) -> (Membership, Answer<'a, ()>) {
        let user = &peer.user;
        let mut places = user.places();
        let seat = Seat { room: room.clone(), read: 0, with: None };
        let membership = self.let_in(peer, &seat, position, Some(notice.clone()));
        if places.seat(room.id).is_some() {
            return (membership, Box::pin(std::future::ready(Ok(()))));
        }
        for other in places.peers.iter().filter(|other| other.id != peer.id) {
            other.post(Mail::Entered(self.let_in(other, &seat, None, None)));
        }
        places.seats.push(seat);
        let stored = match user.token() {
            Some(_) => self.store.change(Change::Enter { user: user.id, room: room.id }),
            None => Box::pin(std::future::ready(Ok(()))),
        };
        (membership, stored)
    }

    fn let_in(
        &self,
        peer: &Arc<Peer>,
        seat: &Seat,
        position: Option<Position>,
        notice: Option<Notice>,
    ) -> Membership {
        let Seat { room, with, .. } = seat;
        let cursor = |log: &Log| match position {
            None => log.end(),
            Some(position) => log.cursor(position).unwrap_or_else(|| log.start()),
        };
        let announce = |announcement| self.announce(room, announcement, peer.id);
        let (cursor, known) = room.enter(peer, cursor, notice, announce);
        Membership { room: room.clone(), cursor, known, with: with.clone() }
    }

    fn announce(&self, room: &Arc<Room>, announcement: Announcement, about: PeerId) {
        match announcement {
            _ if self.closing.load(Ordering::Relaxed) => {}
            Announcement::None => {}
            Announcement::Later => self.gatherings.add(room.clone()),
            Announcement::Now(body) => {
                let content = Content::People { body, about: Some(about) };
                let draft = Draft { room: room.clone(), content };
                if let Err(mpsc::error::TrySendError::Full(_)) = self.queue.try_send(draft) {
                    // Clients correct themselves with the next count; nobody's words are lost.
                    tracing::warn!(room = %room.name, "the queue is full: an arrival was not announced");
                }
            }
        }
    }

    /// A new room, which the store has been told to keep before anything that is said in it.
    fn new_room(
        &self,
        name: impl FnOnce(RoomId) -> RoomName,
        pair: Option<[crate::store::UserId; 2]>,
    ) -> (Arc<Room>, Answer<'_, ()>) {
        let id = RoomId(self.last_room.fetch_add(1, Ordering::Relaxed) + 1);
        let epoch = self.epoch.fetch_add(1, Ordering::Relaxed) + 1;
        let stored = StoredRoom { id, name: name(id), epoch, last_seq: 0, expired: 0, pair };
        let room = self.stored_room(stored.clone());
        (room, self.store.change(Change::CreateRoom(stored)))
    }

    fn stored_room(&self, stored: StoredRoom) -> Arc<Room> {
        let StoredRoom { id, name, epoch, last_seq, expired, pair } = stored;
        let log = Log::new(Position { epoch, seq: last_seq }, expired, self.tails.clone());
        Arc::new(Room::new(id, name, log, pair))
    }

    fn forget(&self, room: &Room) {
        self.change(Change::RemoveRoom(room.id));
    }

    /// Has the store remember a person as they are now, if they can come back.
    fn save(&self, user: &User) -> Option<Answer<'_, ()>> {
        saved(user).map(|change| self.store.change(change))
    }

    /// Waits until a change is stored, so that a crash does not take back what somebody was told. If
    /// it cannot be stored, it is true all the same as long as the server runs.
    async fn see_stored(&self, stored: Option<Answer<'_, ()>>, what: &str) {
        if let Some(stored) = stored
            && let Err(error) = stored.await
        {
            tracing::warn!(%error, what, "not stored");
        }
    }

    /// Has the store make a change that nobody waits for.
    fn change(&self, change: Change) {
        drop(self.store.change(change));
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

/// A person as the store is to remember them; `None` if they cannot come back.
fn saved(user: &User) -> Option<Change> {
    let token = user.token()?;
    Some(Change::SaveUser { id: user.id, token, nick: user.nick(), hidden: user.is_hidden(), at: now_ms() })
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

fn queue_full() -> ErrorReply {
    busy("The server has more to do than it can take")
}
