//! Direct conversations: one room for each two who speak with each other, until one of them leaves.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, Weak};

use crate::peer::lock;
use crate::room::Room;
use crate::store::{RoomId, UserId};

/// The direct conversations that anybody is in. A room is in memory as long as one of the two is
/// here: their places hold it.
#[derive(Default)]
pub(super) struct Directs {
    rooms: Mutex<Rooms>,
}

#[derive(Default)]
struct Rooms {
    /// Those that go on, by the two who are in them, the smaller id first.
    by_pair: HashMap<[UserId; 2], Weak<Room>>,
    /// All of them, so that none is there twice.
    by_id: HashMap<RoomId, Weak<Room>>,
    /// How many `by_id` may hold before those that are gone are looked for.
    sweep_at: usize,
}

impl Directs {
    /// The conversation of the two, and whether it was made just now, with `new`. Nobody else finds
    /// it before that has returned.
    pub(super) fn get_or_insert<E>(
        &self,
        pair: [UserId; 2],
        new: impl FnOnce() -> Result<Arc<Room>, E>,
    ) -> Result<(Arc<Room>, bool), E> {
        let mut rooms = lock(&self.rooms);
        let pair = sorted(pair);
        if let Some(room) = rooms.by_pair.get(&pair).and_then(Weak::upgrade) {
            return Ok((room, false));
        }
        let room = new()?;
        rooms.insert(&room);
        Ok((room, true))
    }

    /// The conversation whose room has that number, made with `new` if it is not in memory.
    pub(super) fn load(&self, id: RoomId, new: impl FnOnce() -> Arc<Room>) -> Arc<Room> {
        let mut rooms = lock(&self.rooms);
        if let Some(room) = rooms.by_id.get(&id).and_then(Weak::upgrade) {
            return room;
        }
        let room = new();
        rooms.insert(&room);
        room
    }

    /// The conversation of the two, if there is one.
    pub(super) fn get(&self, pair: [UserId; 2]) -> Option<Arc<Room>> {
        lock(&self.rooms).by_pair.get(&sorted(pair)).and_then(Weak::upgrade)
    }

    /// The conversation whose room has that number.
    pub(super) fn by_id(&self, id: RoomId) -> Option<Arc<Room>> {
        lock(&self.rooms).by_id.get(&id).and_then(Weak::upgrade)
    }

    /// The rooms of all conversations.
    pub(super) fn ids(&self) -> HashSet<RoomId> {
        lock(&self.rooms).by_pair.values().filter_map(Weak::upgrade).map(|room| room.id).collect()
    }

    /// Forgets a conversation that one of the two has left. Another of the same two may have begun
    /// since.
    pub(super) fn end(&self, pair: [UserId; 2], room: &Arc<Room>) {
        room.end();
        let mut rooms = lock(&self.rooms);
        let pair = sorted(pair);
        if rooms.by_pair.get(&pair).is_some_and(|current| Weak::ptr_eq(current, &Arc::downgrade(room))) {
            rooms.by_pair.remove(&pair);
        }
    }
}

impl Rooms {
    fn insert(&mut self, room: &Arc<Room>) {
        self.by_id.insert(room.id, Arc::downgrade(room));
        if let (Some(pair), false) = (room.pair, room.has_ended()) {
            self.by_pair.insert(sorted(pair), Arc::downgrade(room));
        }
        if self.by_id.len() >= self.sweep_at.max(SWEEP_MIN) {
            self.by_id.retain(|_, room| room.strong_count() > 0);
            self.by_pair.retain(|_, room| room.strong_count() > 0);
            self.sweep_at = self.by_id.len() * 2;
        }
    }
}

/// Fewer conversations are not worth looking through.
const SWEEP_MIN: usize = 256;

fn sorted(mut pair: [UserId; 2]) -> [UserId; 2] {
    pair.sort_unstable();
    pair
}
