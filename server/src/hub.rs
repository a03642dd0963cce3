//! Who is here and which rooms there are: the hub changes its tables (people, direct conversations,
//! rooms), puts drafts into the sequencer's queue, and rings. It waits for nobody.
//!
//! Order of locks: people, directs, rooms, a room's members, a log's tail, a peer's own. None is
//! held across an await. Each table owns its lock and gives it back before the hub turns to the
//! next one; only the rooms are kept locked while a peer is let into one of them.

mod directs;
mod history;
mod people;
mod rooms;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crosstalk_protocol::line::render::Notice;
use crosstalk_protocol::{Entered, ErrorCode, ErrorReply, Nick, Position, Rename, RoomName};
use tokio::sync::mpsc;

use self::directs::Directs;
use self::people::People;
use self::rooms::Rooms;
use crate::limits::QUEUE_MAX;
use crate::log::{Cursor, Log};
use crate::peer::{Peer, PeerId};
use crate::presence::Gatherings;
use crate::room::{Announcement, Names, Room};
use crate::segment::Body;
use crate::sequencer::{Content, Draft, busy};
use crate::store::Store;

pub use self::directs::Direct;
pub use self::history::Missed;
pub(crate) use self::people::no_such_user;
pub use self::rooms::RoomList;
pub(crate) use self::rooms::no_such_room;

/// The shared middle of the server.
pub struct Hub {
    /// The newest life of a log: a room that is made again begins another.
    epoch: AtomicU64,
    store: Arc<dyn Store>,
    people: People,
    directs: Directs,
    rooms: Rooms,
    queue: mpsc::Sender<Draft>,
    gatherings: Gatherings,
    tails: Arc<AtomicUsize>,
    /// Whether the server stops: that everybody goes is no news then.
    closing: AtomicBool,
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

impl Membership {
    /// What the peer is told of it.
    pub fn entered(&self) -> Entered {
        Entered {
            room: self.room.name.clone(),
            position: Position { epoch: self.room.log.epoch(), seq: self.cursor.seen() },
            count: if self.with.is_some() { 2 } else { self.room.count() },
            with: self.with.as_ref().map(|peer| peer.nick()),
            read: None,
            unread: 0,
        }
    }
}

impl Hub {
    /// A hub with an empty lobby whose log has the given epoch, and the queue that the sequencer has to empty.
    pub fn new(epoch: u64, store: Arc<dyn Store>) -> (Self, mpsc::Receiver<Draft>) {
        let (queue, drafts) = mpsc::channel(QUEUE_MAX);
        let tails = Arc::<AtomicUsize>::default();
        let hub = Self {
            epoch: AtomicU64::new(epoch),
            store,
            people: People::default(),
            directs: Directs::default(),
            rooms: Rooms::with_lobby(Log::new(epoch, 0, tails.clone())),
            queue,
            gatherings: Gatherings::default(),
            tails,
            closing: AtomicBool::new(false),
        };
        (hub, drafts)
    }

    /// Takes a nickname for a new peer.
    ///
    /// # Errors
    /// `nick-taken`.
    pub fn hello(&self, nick: &Nick) -> Result<Arc<Peer>, ErrorReply> {
        self.people.hello(nick)
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
        let cursor = |log: &Log| match position {
            None => log.end(),
            Some(position) => log.cursor(position).unwrap_or_else(|| log.start()),
        };
        self.rooms.enter(name, |room| self.let_in(peer, room, cursor, notice(&room.name)))
    }

    /// Whether there is a public room of that name.
    pub fn has_room(&self, name: &RoomName) -> bool {
        self.rooms.contains(name)
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
        let notice = Notice::Joined { nick: peer.nick(), room: name.clone() };
        self.rooms.create(name, || self.new_log(), |room| self.let_in(peer, room, Log::end, notice))
    }

    fn let_in(
        &self,
        peer: &Arc<Peer>,
        room: &Arc<Room>,
        cursor: impl FnOnce(&Log) -> Cursor,
        notice: Notice,
    ) -> Membership {
        let announce = |announcement| self.announce(room, announcement, peer.id);
        let (cursor, known) = room.enter(peer, cursor, Some(notice), announce);
        Membership { room: room.clone(), cursor, known, with: None }
    }

    /// Lets `peer` out of a room. An unused room is removed.
    pub fn leave(&self, peer: &Peer, membership: &Membership, notice: Option<Notice>) {
        let room = &membership.room;
        room.leave(peer, notice, |announcement| self.announce(room, announcement, peer.id));
        match room.pair {
            Some(pair) => self.directs.end(pair, room),
            None => self.rooms.remove_unused(room),
        }
    }

    /// Gives the nickname back. The peer has left its rooms.
    pub fn goodbye(&self, peer: &Peer) {
        self.people.goodbye(peer);
    }

    /// The direct conversation of `peer` with whoever is called `nick`, opened if need be. The
    /// other is let in by mail; `peer`'s own membership is returned if it is new.
    ///
    /// # Errors
    /// `no-such-user`: nobody, or nobody who can be seen. `too-many-rooms`.
    pub fn direct(&self, peer: &Arc<Peer>, nick: &Nick) -> Result<Direct, ErrorReply> {
        let other = self.find(nick).ok_or_else(no_such_user)?;
        if other.id == peer.id {
            return Err(ErrorReply::new(ErrorCode::NoSuchUser, "That is yourself; write to somebody else."));
        }
        self.directs.open(peer, other, || self.new_log())
    }

    /// The direct conversation of `peer` with whoever is called `nick`, if there is one.
    ///
    /// # Errors
    /// `no-such-user`: nobody, nobody who can be seen, or nobody that `peer` has spoken with.
    pub fn existing_direct(&self, peer: &Peer, nick: &Nick) -> Result<Arc<Room>, ErrorReply> {
        let other = self.find(nick).ok_or_else(no_such_user)?;
        self.directs.get(peer, &other).ok_or_else(|| {
            ErrorReply::new(ErrorCode::NoSuchUser, format!("You have no conversation with {nick} yet."))
        })
    }

    /// Whoever is called `nick` and can be seen.
    pub fn find(&self, nick: &Nick) -> Option<Arc<Peer>> {
        self.people.find(nick)
    }

    /// Whether `peer` is here and can be seen.
    pub fn is_in_sight(&self, peer: &Peer) -> bool {
        self.find(&peer.nick()).is_some_and(|found| found.id == peer.id)
    }

    /// Gives `peer` another nickname, and tells the rooms it is in.
    ///
    /// # Errors
    /// `nick-taken`, `busy`.
    pub fn rename(&self, peer: &Peer, to: &Nick, rooms: &[Membership]) -> Result<(), ErrorReply> {
        let Ok(mut permits) = self.queue.try_reserve_many(rooms.len()) else { return Err(queue_full()) };
        let from = self.people.rename(peer, to)?;
        for Membership { room, .. } in rooms {
            // Public rooms know who is out of sight; a conversation of two does not.
            if room.pair.is_some() && peer.is_hidden() {
                continue;
            }
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
        let nick = self.people.hide(peer);
        for Membership { room, .. } in rooms {
            let notice = room.name.is_lobby().then(|| Notice::Offline { nick: nick.clone(), quit: false });
            room.hide(&nick, notice, |announcement| self.announce(room, announcement, peer.id));
        }
    }

    /// Brings `peer` back into sight.
    pub fn reveal(&self, peer: &Peer, rooms: &[Membership]) {
        let nick = self.people.reveal(peer);
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
    pub fn names(&self, after: Option<&Nick>, limit: usize) -> Names {
        self.people.names(after, limit)
    }

    /// The public rooms, by name, behind `after`.
    pub fn rooms(&self, after: Option<&RoomName>, limit: usize) -> RoomList {
        self.rooms.list(after, limit)
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
}

fn queue_full() -> ErrorReply {
    busy("The server has more to do than it can take")
}
