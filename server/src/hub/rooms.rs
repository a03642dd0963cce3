//! The public rooms, by name. A room that nobody has used goes when the last one leaves it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crosstalk_protocol::{ErrorCode, ErrorReply, RoomName};

use crate::limits::MAX_ROOMS;
use crate::log::Log;
use crate::room::Room;

/// All public rooms.
#[derive(Default)]
pub(super) struct Rooms(RwLock<BTreeMap<RoomName, Arc<Room>>>);

/// Part of the list of public rooms.
#[derive(Debug)]
pub struct RoomList {
    /// The rooms, by name.
    pub rows: Vec<Arc<Room>>,
    /// Whether there are more behind the last.
    pub more: bool,
}

impl Rooms {
    /// Nothing but an empty lobby with that log.
    pub(super) fn with_lobby(log: Log) -> Self {
        let lobby = Arc::new(Room::new(RoomName::lobby(), log));
        Self(RwLock::new([(RoomName::lobby(), lobby)].into()))
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

    /// Creates a room and lets somebody into it with `enter`, before anybody can remove it again.
    pub(super) fn create<T>(
        &self,
        name: &RoomName,
        new_log: impl FnOnce() -> Log,
        enter: impl FnOnce(&Arc<Room>) -> T,
    ) -> Result<T, ErrorReply> {
        let mut rooms = self.write();
        if rooms.contains_key(name) {
            let message = format!("Room {name} already exists; join it.");
            return Err(ErrorReply::new(ErrorCode::RoomExists, message));
        }
        if rooms.len() >= MAX_ROOMS && !remove_oldest_empty(&mut rooms) {
            let message = "The server has as many rooms as it may; join one.";
            return Err(ErrorReply::new(ErrorCode::TooManyRooms, message));
        }
        let room = Arc::new(Room::new(name.clone(), new_log()));
        rooms.insert(name.clone(), room.clone());
        Ok(enter(&room))
    }

    /// Removes a room in which there is nobody and nothing, the lobby excepted.
    pub(super) fn remove_unused(&self, room: &Room) {
        if room.is_unused() && !room.name.is_lobby() {
            let mut rooms = self.write();
            if room.is_unused() {
                rooms.remove(&room.name);
            }
        }
    }

    /// The rooms behind `after`.
    pub(super) fn list(&self, after: Option<&RoomName>, limit: usize) -> RoomList {
        let rooms = self.read();
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut range = rooms.range((start, Bound::Unbounded)).map(|(_, room)| room);
        let rows = range.by_ref().take(limit).cloned().collect();
        RoomList { rows, more: range.next().is_some() }
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<RoomName, Arc<Room>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<RoomName, Arc<Room>>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
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

/// The answer to the name of a room that is not there, or is not for everybody.
pub(crate) fn no_such_room(name: &RoomName) -> ErrorReply {
    let message = if name.is_direct() {
        "Direct conversations cannot be joined; write to the person.".to_owned()
    } else {
        format!("Room {name} does not exist; create it, or see the list of rooms.")
    };
    ErrorReply::new(ErrorCode::NoSuchRoom, message)
}
