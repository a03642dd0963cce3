//! The public rooms, by name. A room that nobody has used goes when the last one leaves it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crosstalk_protocol::{ErrorCode, ErrorReply, RoomName};

use crate::limits::MAX_ROOMS;
use crate::room::Room;
use crate::store::RoomId;

/// All public rooms.
#[derive(Default)]
pub(super) struct Rooms(RwLock<Table>);

type Table = BTreeMap<RoomName, Arc<Room>>;

/// Part of the list of public rooms.
#[derive(Debug)]
pub struct RoomList {
    /// The rooms, by name.
    pub rows: Vec<Arc<Room>>,
    /// Whether there are more behind the last.
    pub more: bool,
}

impl Rooms {
    /// Adds a room that the store has.
    pub(super) fn insert(&self, room: Arc<Room>) {
        self.write().insert(room.name.clone(), room);
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
        let mut rooms = self.write();
        if rooms.contains_key(name) {
            let message = format!("Room {name} already exists; join it.");
            return Err(ErrorReply::new(ErrorCode::RoomExists, message));
        }
        let mut removed = None;
        if rooms.len() >= MAX_ROOMS {
            removed = remove_oldest_empty(&mut rooms, kept);
            if removed.is_none() {
                let message = "The server has as many rooms as it may; join one.";
                return Err(ErrorReply::new(ErrorCode::TooManyRooms, message));
            }
        }
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
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes room for another one.
fn remove_oldest_empty(rooms: &mut Table, kept: bool) -> Option<Arc<Room>> {
    let can_go = |room: &&Arc<Room>| if kept { room.is_unused() } else { room.is_empty() };
    let empty = rooms.values().filter(|room| !room.name.is_lobby()).filter(can_go);
    let oldest = empty.min_by_key(|room| room.log.last_at())?.name.clone();
    tracing::warn!(room = %oldest, "an empty room was given up for a new one");
    rooms.remove(&oldest)
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
