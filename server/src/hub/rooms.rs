//! The public rooms, by name. A room that nobody has used goes when the last one leaves it.
//!
//! Where there are as many as there may be, one that nothing is lost with makes room for another. To
//! find one means to look at all of them: it is done once a second at most, and without keeping
//! anybody from entering a room, so that nobody slows the server by asking again and again.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crosstalk_protocol::{ErrorCode, ErrorReply, RoomName};
use tokio::time::Instant;

use crate::limits::{MAX_ROOMS, SPARE_TIME};
use crate::peer::lock;
use crate::room::Room;
use crate::store::RoomId;

/// All public rooms.
pub(super) struct Rooms {
    /// How many there may be.
    max: usize,
    table: RwLock<Table>,
    /// Locked before the table.
    spare: Mutex<Spare>,
}

type Table = BTreeMap<RoomName, Arc<Room>>;

/// Rooms that can make room for others.
#[derive(Default)]
struct Spare {
    /// When all rooms were last looked at.
    looked_at: Option<Instant>,
    /// Those that were found, with when something was last said; who has been silent for longest is
    /// the last.
    found: Vec<(Option<u64>, RoomName)>,
    /// Whether the log says already that there are too many.
    reported: bool,
}

/// Part of the list of public rooms.
#[derive(Debug)]
pub struct RoomList {
    /// The rooms, by name.
    pub rows: Vec<Arc<Room>>,
    /// Whether there are more behind the last.
    pub more: bool,
}

impl Default for Rooms {
    fn default() -> Self {
        Self { max: MAX_ROOMS, table: RwLock::default(), spare: Mutex::default() }
    }
}

impl Rooms {
    /// Says how many there may be. Those that there are stay, even if they are more.
    pub(super) fn limit(&mut self, max: usize) {
        self.max = max;
    }

    /// Adds a room that the store has. Returns another of that name, whose place it takes.
    pub(super) fn insert(&self, room: Arc<Room>) -> Option<Arc<Room>> {
        self.write().insert(room.name.clone(), room)
    }

    /// The room of that name.
    pub(super) fn get(&self, name: &RoomName) -> Option<Arc<Room>> {
        self.read().get(name).cloned()
    }

    /// The room with that number.
    pub(super) fn by_id(&self, id: RoomId) -> Option<Arc<Room>> {
        self.read().values().find(|room| room.id == id).cloned()
    }

    /// Calls `look` with what tells whether a room is still there; none goes meanwhile.
    pub(super) fn look<T>(&self, look: impl FnOnce(&dyn Fn(&Arc<Room>) -> bool) -> T) -> T {
        let rooms = self.read();
        look(&|room| rooms.get(&room.name).is_some_and(|current| Arc::ptr_eq(current, room)))
    }

    /// Whether there is a room of that name.
    pub(super) fn contains(&self, name: &RoomName) -> bool {
        self.read().contains_key(name)
    }

    /// Lets somebody into a room with `enter`. The lock is held meanwhile, so that the room is not
    /// removed as unused.
    pub(super) fn enter<T>(
        &self,
        name: &RoomName,
        enter: impl FnOnce(&Arc<Room>) -> T,
    ) -> Result<T, ErrorReply> {
        let rooms = self.read();
        rooms.get(name).map(enter).ok_or_else(|| no_such_room(name))
    }

    /// Creates a room with `new` and lets somebody into it with `enter`, before anybody can remove it
    /// again. Returns the room that had to go for it, too. Where what was said is `kept`, only a room
    /// in which nothing was said goes.
    pub(super) fn create<T>(
        &self,
        name: &RoomName,
        kept: bool,
        new: impl FnOnce() -> Arc<Room>,
        enter: impl FnOnce(&Arc<Room>) -> T,
    ) -> Result<(Option<Arc<Room>>, T), ErrorReply> {
        let mut spare = lock(&self.spare);
        let is_full = {
            let rooms = self.read();
            if rooms.contains_key(name) {
                return Err(room_exists(name));
            }
            let is_full = rooms.len() >= self.max;
            if is_full {
                spare.look(&rooms, kept);
            }
            is_full
        };
        let mut rooms = self.write();
        if rooms.contains_key(name) {
            return Err(room_exists(name));
        }
        let mut removed = None;
        if is_full && rooms.len() >= self.max {
            removed = spare.take_from(&mut rooms, kept);
            if removed.is_none() {
                return Err(spare.too_many_rooms(rooms.len()));
            }
        }
        spare.reported = false;
        let room = new();
        rooms.insert(name.clone(), room.clone());
        Ok((removed, enter(&room)))
    }

    /// Removes a room in which there is nobody and nothing, the lobby excepted. Returns whether it
    /// did.
    pub(super) fn remove_unused(&self, room: &Arc<Room>) -> bool {
        if !room.is_unused() || room.name.is_lobby() {
            return false;
        }
        let mut rooms = self.write();
        let is_there = rooms.get(&room.name).is_some_and(|current| Arc::ptr_eq(current, room));
        is_there && room.is_unused() && rooms.remove(&room.name).is_some()
    }

    /// The rooms behind `after`.
    pub(super) fn list(&self, after: Option<&RoomName>, limit: usize) -> RoomList {
        let rooms = self.read();
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut range = rooms.range((start, Bound::Unbounded)).map(|(_, room)| room);
        let rows = range.by_ref().take(limit).cloned().collect();
        RoomList { rows, more: range.next().is_some() }
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spare {
    /// Looks for rooms that can go, unless that was done just now.
    fn look(&mut self, rooms: &Table, kept: bool) {
        let now = Instant::now();
        if self.looked_at.is_some_and(|at| now < at + SPARE_TIME) {
            return;
        }
        self.looked_at = Some(now);
        let can_go = rooms.values().filter(|room| can_go(room, kept));
        self.found = can_go.map(|room| (room.log.last_at(), room.name.clone())).collect();
        self.found.sort_unstable_by(|(one, _), (other, _)| other.cmp(one));
    }

    /// Takes away the one that has been silent for longest and can still go.
    fn take_from(&mut self, rooms: &mut Table, kept: bool) -> Option<Arc<Room>> {
        while let Some((last_at, name)) = self.found.pop() {
            let is_as_it_was = |room: &Arc<Room>| can_go(room, kept) && room.log.last_at() == last_at;
            if rooms.get(&name).is_some_and(is_as_it_was) {
                tracing::warn!(room = %name, "an empty room was given up for a new one");
                return rooms.remove(&name);
            }
        }
        None
    }

    /// The answer to whoever wants one room more. Whoever runs the server is told once.
    fn too_many_rooms(&mut self, rooms: usize) -> ErrorReply {
        if !std::mem::replace(&mut self.reported, true) {
            tracing::warn!(rooms, "nobody can create a room: there are as many as --max-rooms allows");
        }
        let message =
            "The server has as many rooms as it may; join one of them, or ask whoever runs it to allow more.";
        ErrorReply::new(ErrorCode::TooManyRooms, message)
    }
}

/// Whether a room can make room for another. Where what was said is `kept`, nothing was said in it.
fn can_go(room: &Room, kept: bool) -> bool {
    !room.name.is_lobby() && if kept { room.is_unused() } else { room.is_empty() }
}

fn room_exists(name: &RoomName) -> ErrorReply {
    ErrorReply::new(ErrorCode::RoomExists, format!("Room {name} already exists; join it."))
}

/// The answer to the name of a room that is not there, or is not for everybody.
pub(crate) fn no_such_room(name: &RoomName) -> ErrorReply {
    let message = if name.is_direct() {
        "Direct conversations cannot be joined; write to the person.".to_owned()
    } else {
        format!("Room {name} does not exist; create it, or see the list of rooms.")
    };
    ErrorReply::new(ErrorCode::NoSuchRoom, message)
}
