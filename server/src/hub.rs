//! Who is here and which rooms there are: the hub changes its tables (people, direct conversations,
//! rooms), has the store keep what is to outlive memory, puts drafts into the sequencer's queue, and
//! rings. It waits for nobody but the store.
//!
//! Order of locks: a person's turn, people, directs, rooms, a person's places, a room's members, a
//! log's tail, a peer's own. None is held across an await.

mod absences;
mod arrival;
mod directs;
mod history;
mod people;
mod profile;
mod rooms;
mod seats;
mod tidying;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crosstalk_protocol::{ErrorReply, Nick, Position, RoomName, Seq};
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::absences::Absences;
use self::directs::Directs;
use self::people::People;
use self::rooms::Rooms;
use crate::limits::QUEUE_MAX;
use crate::log::Log;
use crate::peer::PeerId;
use crate::presence::Gatherings;
use crate::room::{Announcement, Names, Room};
use crate::segment::Body;
use crate::sequencer::{Content, Draft, busy};
use crate::store::{Answer, Change, RoomId, Store, StoreError, StoredRoom};
use crate::user::User;

pub use self::absences::Absence;
pub use self::arrival::{Arrival, Visitor};
pub use self::history::Missed;
pub(crate) use self::people::no_such_user;
pub use self::rooms::RoomList;
pub(crate) use self::rooms::no_such_room;
pub use self::seats::{Direct, Membership};

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

impl Hub {
    /// A hub with the rooms that are stored, the lobby at least, and the queue that the sequencer has
    /// to empty.
    ///
    /// # Errors
    /// The store's.
    pub async fn new(store: Arc<dyn Store>) -> Result<(Self, mpsc::Receiver<Draft>), StoreError> {
        let (queue, drafts) = mpsc::channel(QUEUE_MAX);
        let mut stored = store.rooms().await?;
        stored.sort_by_key(|room| room.id);
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
            // One that was given up while nothing could be stored is there still, and another may have
            // been created under its name since: that is the one that is meant.
            if let Some(older) = hub.rooms.insert(hub.stored_room(room))
                && older.log.last_seq() == 0
            {
                hub.forget(&older);
            }
        }
        if !hub.rooms.contains(&RoomName::lobby()) {
            let (lobby, stored) = hub.new_room(|_| RoomName::lobby(), None);
            stored.await?;
            hub.rooms.insert(lobby);
        }
        Ok((hub, drafts))
    }

    /// Says how many public rooms there may be, the lobby among them. Those that there are stay, even
    /// if they are more.
    pub fn limit_rooms(&mut self, max: usize) {
        self.rooms.limit(max);
    }

    /// Whether there is a public room of that name.
    pub fn has_room(&self, name: &RoomName) -> bool {
        self.rooms.contains(name)
    }

    /// Whoever is called `nick` and can be seen.
    pub fn find(&self, nick: &Nick) -> Option<Arc<User>> {
        self.people.find(nick)
    }

    /// Whether `user` is here and can be seen.
    pub fn is_in_sight(&self, user: &User) -> bool {
        self.find(&user.nick()).is_some_and(|found| found.id == user.id)
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
        let stored =
            StoredRoom { id, name: name(id), epoch, last_seq: 0, expired: 0, pair, ended: false, seats: 0 };
        let room = self.stored_room(stored.clone());
        (room, self.store.change(Change::CreateRoom(stored)))
    }

    fn stored_room(&self, stored: StoredRoom) -> Arc<Room> {
        let StoredRoom { id, name, epoch, last_seq, expired, pair, ended, seats } = stored;
        let log = Log::new(Position { epoch, seq: last_seq }, expired, self.tails.clone());
        let room = Room::new(id, name, log, pair);
        room.add_seats(seats);
        if ended {
            room.end();
        }
        Arc::new(room)
    }

    fn forget(&self, room: &Room) {
        self.change(Change::RemoveRoom(room.id));
    }

    /// Has the store make a change that nobody waits for. The store's log says so if it is lost, and
    /// memory is right as long as the server runs. After that, each of them is found or done again: a
    /// room that was given up is there, with nothing in it, and goes as any such room does; who has
    /// left a conversation is in it as before; what was read counts as unread until more is read; who
    /// somebody is, is stored whenever they come or go; what is of no use is looked for every few hours.
    fn change(&self, change: Change) {
        drop(self.store.change(change));
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

fn queue_full() -> ErrorReply {
    busy("The server has more to do than it can take")
}
