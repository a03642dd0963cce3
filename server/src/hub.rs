//! Who is here and which rooms there are. The hub waits for nobody: it changes its tables, puts
//! drafts into the sequencer's queue, and rings.
//!
//! Order of locks: people, directs, rooms, a room's members, a log's tail, a peer's own. None is
//! held across an await.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crosstalk_protocol::limits::PAGE_MAX;
use crosstalk_protocol::line::render::Notice;
use crosstalk_protocol::{
    Entered, ErrorCode, ErrorReply, History, HistoryRange, Message, Nick, Position, Rename, RoomName, Seq,
};
use tokio::sync::mpsc;

use crate::limits::{MAX_ROOMS, QUEUE_MAX, ROOMS_PER_CONNECTION};
use crate::log::{Cursor, Log};
use crate::peer::{Mail, Peer, PeerId, lock};
use crate::presence::Gatherings;
use crate::room::{Announcement, Names, Room, names};
use crate::segment::Body;
use crate::sequencer::{Content, Draft, busy};
use crate::store::{Store, StoreError};

/// The shared middle of the server.
pub struct Hub {
    /// The newest life of a log: a room that is made again begins another.
    epoch: AtomicU64,
    store: Arc<dyn Store>,
    people: Mutex<People>,
    /// Direct conversations, by the two who are in them, the smaller id first.
    directs: Mutex<HashMap<[PeerId; 2], Arc<Room>>>,
    rooms: RwLock<BTreeMap<RoomName, Arc<Room>>>,
    queue: mpsc::Sender<Draft>,
    gatherings: Gatherings,
    tails: Arc<AtomicUsize>,
    /// Whether the server stops: that everybody goes is no news then.
    closing: AtomicBool,
    next_peer: AtomicU64,
    next_direct: AtomicU64,
}

#[derive(Default)]
struct People {
    /// Everybody, by what a nickname looks like.
    by_skeleton: HashMap<String, Arc<Peer>>,
    visible: BTreeSet<Nick>,
}

impl People {
    fn claim(&mut self, skeletons: [String; 2], peer: &Arc<Peer>) {
        for skeleton in skeletons {
            self.by_skeleton.insert(skeleton, peer.clone());
        }
    }

    fn release(&mut self, nick: &Nick) -> Option<Arc<Peer>> {
        nick.skeletons().into_iter().filter_map(|skeleton| self.by_skeleton.remove(&skeleton)).last()
    }
}

/// What a cursor that has fallen behind has missed.
#[derive(Debug)]
pub enum Missed {
    /// The next messages, one at least.
    Messages(Vec<Message>),
    /// Everything up to and without `before`: nobody has it.
    Lost {
        /// The first message that can still be read.
        before: Seq,
    },
}

/// A room that a peer is in, and where it reads.
#[derive(Debug)]
pub struct Membership {
    /// The room.
    pub room: Arc<Room>,
    /// Where the peer reads.
    pub cursor: Cursor,
    /// News about people up to this number are older than the peer's being here.
    pub known: u64,
    /// In a direct conversation, the other person.
    pub with: Option<Arc<Peer>>,
}

/// A direct conversation, as one of the two finds it.
#[derive(Debug)]
pub struct Direct {
    /// The room of two.
    pub room: Arc<Room>,
    /// The other person.
    pub with: Arc<Peer>,
    /// The finder's place in it, if it has just been opened.
    pub entered: Option<Membership>,
}

impl Membership {
    /// What the peer is told of it.
    pub fn entered(&self) -> Entered {
        Entered {
            room: self.room.name.clone(),
            position: Position { epoch: self.room.log.epoch(), seq: self.cursor.seen() },
            count: if self.with.is_some() { 2 } else { self.room.count() },
            with: self.with.as_ref().map(|peer| peer.nick()),
        }
    }
}

impl Hub {
    /// A hub with an empty lobby whose log has the given epoch, and the queue that the sequencer has to empty.
    pub fn new(epoch: u64, store: Arc<dyn Store>) -> (Self, mpsc::Receiver<Draft>) {
        let (queue, drafts) = mpsc::channel(QUEUE_MAX);
        let hub = Self {
            epoch: AtomicU64::new(epoch),
            store,
            people: Mutex::default(),
            directs: Mutex::default(),
            rooms: RwLock::default(),
            queue,
            gatherings: Gatherings::default(),
            tails: Arc::default(),
            closing: AtomicBool::new(false),
            next_peer: AtomicU64::new(1),
            next_direct: AtomicU64::new(1),
        };
        let lobby = Room::new(RoomName::lobby(), Log::new(epoch, 0, hub.tails.clone()));
        hub.rooms_mut().insert(RoomName::lobby(), Arc::new(lobby));
        (hub, drafts)
    }

    /// Takes a nickname for a new peer.
    ///
    /// # Errors
    /// `nick-taken`.
    pub fn hello(&self, nick: &Nick) -> Result<Arc<Peer>, ErrorReply> {
        let mut people = lock(&self.people);
        let skeletons = nick.skeletons();
        if skeletons.iter().any(|skeleton| people.by_skeleton.contains_key(skeleton)) {
            return Err(nick_taken(nick));
        }
        let id = PeerId(self.next_peer.fetch_add(1, Ordering::Relaxed));
        let peer = Arc::new(Peer::new(id, nick.clone()));
        people.claim(skeletons, &peer);
        people.visible.insert(nick.clone());
        Ok(peer)
    }

    /// Lets `peer` into a public room, reading behind `position` or at the end. Where `position`
    /// means nothing to the log, reading begins with what memory holds.
    ///
    /// # Errors
    /// `no-such-room`.
    pub fn enter(
        &self,
        peer: &Arc<Peer>,
        name: &RoomName,
        position: Option<Position>,
        notice: impl FnOnce(&RoomName) -> Notice,
    ) -> Result<Membership, ErrorReply> {
        // The lock is held until the peer is in, so that the room is not removed as unused.
        let rooms = self.rooms.read().unwrap_or_else(PoisonError::into_inner);
        let room = rooms.get(name).ok_or_else(|| no_such_room(name))?;
        let cursor = |log: &Log| match position {
            None => log.end(),
            Some(position) => log.cursor(position).unwrap_or_else(|| log.start()),
        };
        let announce = |announcement| self.announce(room, announcement, peer.id);
        let (cursor, known) = room.enter(peer, cursor, Some(notice(&room.name)), announce);
        Ok(Membership { room: room.clone(), cursor, known, with: None })
    }

    /// Whether there is a public room of that name.
    pub fn has_room(&self, name: &RoomName) -> bool {
        self.rooms.read().unwrap_or_else(PoisonError::into_inner).contains_key(name)
    }

    /// Creates a public room with `peer` in it. Where there are as many as there may be, the empty
    /// one that has been silent for longest makes room.
    ///
    /// # Errors
    /// `room-exists`, `too-many-rooms`.
    pub fn create(&self, peer: &Arc<Peer>, name: &RoomName) -> Result<Membership, ErrorReply> {
        if name.is_direct() {
            return Err(ErrorReply::new(ErrorCode::BadRoom, "Names with @ belong to direct conversations."));
        }
        let mut rooms = self.rooms_mut();
        if rooms.contains_key(name) {
            return Err(ErrorReply::new(
                ErrorCode::RoomExists,
                format!("Room {name} already exists; join it."),
            ));
        }
        if rooms.len() >= MAX_ROOMS && !remove_oldest_empty(&mut rooms) {
            return Err(ErrorReply::new(
                ErrorCode::TooManyRooms,
                "The server has as many rooms as it may; join one.",
            ));
        }
        let room = Arc::new(Room::new(name.clone(), self.new_log()));
        rooms.insert(name.clone(), room.clone());
        let notice = Notice::Joined { nick: peer.nick(), room: name.clone() };
        let announce = |announcement| self.announce(&room, announcement, peer.id);
        let (cursor, known) = room.enter(peer, Log::end, Some(notice), announce);
        Ok(Membership { room, cursor, known, with: None })
    }

    /// Lets `peer` out of a room. An unused room is removed.
    pub fn leave(&self, peer: &Peer, membership: &Membership, notice: Option<Notice>) {
        let room = &membership.room;
        room.leave(peer, notice, |announcement| self.announce(room, announcement, peer.id));
        if let Some(pair) = room.pair {
            // Another conversation of the same two may have begun since.
            let mut directs = lock(&self.directs);
            if directs.get(&pair).is_some_and(|current| Arc::ptr_eq(current, room)) {
                directs.remove(&pair);
            }
        } else if room.is_unused() && !room.name.is_lobby() {
            let mut rooms = self.rooms_mut();
            if room.is_unused() {
                rooms.remove(&room.name);
            }
        }
    }

    /// Gives the nickname back. The peer has left its rooms.
    pub fn goodbye(&self, peer: &Peer) {
        let mut people = lock(&self.people);
        let nick = peer.nick();
        people.release(&nick);
        people.visible.remove(&nick);
    }

    /// The direct conversation of `peer` with whoever is called `nick`, opened if need be. The
    /// other is let in by mail; `peer`'s own membership is returned if it is new.
    ///
    /// # Errors
    /// `no-such-user`: nobody, or nobody who can be seen.
    pub fn direct(&self, peer: &Arc<Peer>, nick: &Nick) -> Result<Direct, ErrorReply> {
        let other = self.find(nick).ok_or_else(no_such_user)?;
        if other.id == peer.id {
            return Err(ErrorReply::new(ErrorCode::NoSuchUser, "That is yourself; write to somebody else."));
        }
        let mut pair = [peer.id, other.id];
        pair.sort_unstable();
        let mut directs = lock(&self.directs);
        if let Some(room) = directs.get(&pair) {
            return Ok(Direct { room: room.clone(), with: other, entered: None });
        }
        if directs.keys().filter(|pair| pair.contains(&peer.id)).count() >= ROOMS_PER_CONNECTION {
            let message = format!(
                "You are in {ROOMS_PER_CONNECTION} direct conversations, which is all you may be in; leave one first."
            );
            return Err(ErrorReply::new(ErrorCode::TooManyRooms, message));
        }
        let name = RoomName::direct(self.next_direct.fetch_add(1, Ordering::Relaxed));
        let room = Arc::new(Room::direct(name, self.new_log(), [peer, &other]));
        directs.insert(pair, room.clone());
        let cursor = room.log.end();
        other.post(Mail::Opened { room: room.clone(), cursor, with: peer.clone() });
        let entered = Membership { room: room.clone(), cursor, known: 0, with: Some(other.clone()) };
        Ok(Direct { room, with: other, entered: Some(entered) })
    }

    /// The direct conversation of `peer` with whoever is called `nick`, if there is one.
    ///
    /// # Errors
    /// `no-such-user`: nobody, nobody who can be seen, or nobody that `peer` has spoken with.
    pub fn existing_direct(&self, peer: &Peer, nick: &Nick) -> Result<Arc<Room>, ErrorReply> {
        let other = self.find(nick).ok_or_else(no_such_user)?;
        let mut pair = [peer.id, other.id];
        pair.sort_unstable();
        lock(&self.directs).get(&pair).cloned().ok_or_else(|| {
            ErrorReply::new(ErrorCode::NoSuchUser, format!("You have no conversation with {nick} yet."))
        })
    }

    /// Whoever is called `nick` and can be seen.
    pub fn find(&self, nick: &Nick) -> Option<Arc<Peer>> {
        let people = lock(&self.people);
        people
            .by_skeleton
            .get(&nick.skeletons()[0])
            .filter(|peer| peer.nick() == *nick && !peer.is_hidden())
            .cloned()
    }

    /// Gives `peer` another nickname, and tells the rooms it is in.
    ///
    /// # Errors
    /// `nick-taken`, `busy`.
    pub fn rename(&self, peer: &Peer, to: &Nick, rooms: &[Membership]) -> Result<(), ErrorReply> {
        let Ok(mut permits) = self.queue.try_reserve_many(rooms.len()) else { return Err(queue_full()) };
        let from = peer.nick();
        {
            let mut people = lock(&self.people);
            let skeletons = to.skeletons();
            let holders = skeletons.iter().filter_map(|skeleton| people.by_skeleton.get(skeleton));
            if holders.into_iter().any(|holder| holder.id != peer.id) {
                return Err(nick_taken(to));
            }
            if let Some(entry) = people.release(&from) {
                people.claim(skeletons, &entry);
            }
            if people.visible.remove(&from) {
                people.visible.insert(to.clone());
            }
            peer.set_nick(to.clone());
        }
        for Membership { room, .. } in rooms {
            if let Some(number) = room.rename(&from, to)
                && let Some(permit) = permits.next()
            {
                let rename = Rename { room: room.name.clone(), from: from.clone(), to: to.clone() };
                let body = Body::Renamed { number, rename, on_lines: room.name.is_lobby() };
                let content = Content::People { body, about: Some(peer.id) };
                permit.send(Draft { room: room.clone(), content });
            }
        }
        Ok(())
    }

    /// Takes `peer` out of sight.
    pub fn hide(&self, peer: &Peer, rooms: &[Membership]) {
        let nick = peer.nick();
        lock(&self.people).visible.remove(&nick);
        peer.set_hidden(true);
        for Membership { room, .. } in rooms {
            let notice = room.name.is_lobby().then(|| Notice::Offline { nick: nick.clone(), quit: false });
            room.hide(&nick, notice, |announcement| self.announce(room, announcement, peer.id));
        }
    }

    /// Brings `peer` back into sight.
    pub fn reveal(&self, peer: &Peer, rooms: &[Membership]) {
        let nick = peer.nick();
        lock(&self.people).visible.insert(nick.clone());
        peer.set_hidden(false);
        for Membership { room, .. } in rooms {
            let notice = room.name.is_lobby().then(|| Notice::Online(nick.clone()));
            room.reveal(nick.clone(), notice, |announcement| self.announce(room, announcement, peer.id));
        }
    }

    /// Puts a message into the queue. Its author is told by mail when it is stored.
    ///
    /// # Errors
    /// `busy`.
    pub fn submit(&self, draft: Draft) -> Result<(), ErrorReply> {
        let Ok(permit) = self.queue.try_reserve() else { return Err(queue_full()) };
        if let Content::Message { author, .. } = &draft.content {
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
    pub fn names(&self, after: Option<&Nick>, limit: usize) -> Names<Nick> {
        names(&lock(&self.people).visible, after, limit)
    }

    /// The public rooms, by name, behind `after`.
    pub fn rooms(&self, after: Option<&RoomName>, limit: usize) -> Names<Arc<Room>> {
        let rooms = self.rooms.read().unwrap_or_else(PoisonError::into_inner);
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut range = rooms.range((start, Bound::Unbounded)).map(|(_, room)| room);
        let rows = range.by_ref().take(limit).cloned().collect();
        let before = after.map_or(0, |after| rooms.range(..=after).count());
        Names { rows, before, more: range.next().is_some(), count: rooms.len() }
    }

    /// The next page behind the message `after`, for a cursor that has fallen behind.
    ///
    /// # Errors
    /// The store's.
    pub async fn missed(&self, room: &Room, after: Seq) -> Result<Missed, StoreError> {
        let range = HistoryRange::After(after);
        let recent = room.log.recent(range, PAGE_MAX);
        if !recent.exhausted {
            return Ok(Missed::Messages(recent.messages));
        }
        let first = recent.messages.first().map_or_else(|| room.log.last_seq() + 1, |first| first.seq);
        let mut stored = self.store.read(&room.name, range, PAGE_MAX).await?;
        stored.retain(|message| message.seq < first);
        Ok(if stored.is_empty() { Missed::Lost { before: first } } else { Missed::Messages(stored) })
    }

    /// Part of a room's log, from memory and, where that does not reach, from the store.
    ///
    /// # Errors
    /// `busy`, if the store fails.
    pub async fn history(
        &self,
        room: &Room,
        range: HistoryRange,
        limit: usize,
    ) -> Result<History, ErrorReply> {
        let mut recent = room.log.recent(range, limit);
        if recent.exhausted {
            let older = match (range, recent.messages.first()) {
                (HistoryRange::After(_), _) | (_, None) => range,
                (_, Some(first)) => HistoryRange::Before(first.seq),
            };
            let stored = self.store.read(&room.name, older, limit + 1).await.map_err(|error| {
                tracing::error!(%error, room = %room.name, "history was not read");
                busy("The server cannot read history at the moment")
            })?;
            let before = recent.messages.first().map_or(u64::MAX, |first| first.seq);
            let mut messages: Vec<_> = stored.into_iter().filter(|message| message.seq < before).collect();
            messages.append(&mut recent.messages);
            if messages.len() > limit {
                recent.more = true;
                let surplus = messages.len() - limit;
                match range {
                    HistoryRange::After(_) => messages.truncate(limit),
                    HistoryRange::Latest | HistoryRange::Before(_) => drop(messages.drain(..surplus)),
                }
            }
            recent.messages = messages;
        }
        Ok(History {
            room: room.name.clone(),
            epoch: room.log.epoch(),
            messages: recent.messages,
            more: recent.more,
        })
    }

    /// From now on, nobody is told who comes and goes.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// The rooms with something to announce.
    pub(crate) fn gatherings(&self) -> &Gatherings {
        &self.gatherings
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

    fn new_log(&self) -> Log {
        let epoch = self.epoch.fetch_add(1, Ordering::Relaxed) + 1;
        Log::new(epoch, 0, self.tails.clone())
    }

    fn rooms_mut(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<RoomName, Arc<Room>>> {
        self.rooms.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes room for another one.
fn remove_oldest_empty(rooms: &mut BTreeMap<RoomName, Arc<Room>>) -> bool {
    let empty = rooms.values().filter(|room| room.is_empty() && !room.name.is_lobby());
    let Some(oldest) = empty.min_by_key(|room| room.log.last_at()).map(|room| room.name.clone()) else {
        return false;
    };
    tracing::warn!(room = %oldest, "an empty room was given up for a new one");
    rooms.remove(&oldest).is_some()
}

/// The answer to a name that nobody in sight has; the same for who is absent and who is hidden.
pub(crate) fn no_such_user() -> ErrorReply {
    ErrorReply::new(ErrorCode::NoSuchUser, "User not found.")
}

pub(crate) fn no_such_room(name: &RoomName) -> ErrorReply {
    if name.is_direct() {
        let message = "Direct conversations cannot be joined; write to the person.";
        return ErrorReply::new(ErrorCode::NoSuchRoom, message);
    }
    ErrorReply::new(
        ErrorCode::NoSuchRoom,
        format!("Room {name} does not exist; create it, or see the list of rooms."),
    )
}

fn nick_taken(nick: &Nick) -> ErrorReply {
    let message = format!("The nickname {nick}, or one that looks like it, is taken; choose another.");
    ErrorReply::new(ErrorCode::NickTaken, message)
}

fn queue_full() -> ErrorReply {
    busy("The server has more to do than it can take")
}
