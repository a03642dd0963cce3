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
    /// By the two who are in them, the smaller id first.
    rooms: Mutex<Rooms>,
}

#[derive(Default)]
struct Rooms {
    by_pair: HashMap<[UserId; 2], Weak<Room>>,
    /// How many `by_pair` may hold before those that are gone are looked for.
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
        rooms.by_pair.insert(pair, Arc::downgrade(&room));
        if rooms.by_pair.len() >= rooms.sweep_at.max(SWEEP_MIN) {
            rooms.by_pair.retain(|_, room| room.strong_count() > 0);
            rooms.sweep_at = rooms.by_pair.len() * 2;
        }
        Ok((room, true))
    }

    /// The conversation of the two, if there is one.
    pub(super) fn get(&self, pair: [UserId; 2]) -> Option<Arc<Room>> {
        lock(&self.rooms).by_pair.get(&sorted(pair)).and_then(Weak::upgrade)
    }

    /// The conversation whose room has that number.
    pub(super) fn by_id(&self, id: RoomId) -> Option<Arc<Room>> {
        lock(&self.rooms).by_pair.values().filter_map(Weak::upgrade).find(|room| room.id == id)
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

/// Fewer conversations are not worth looking through.
const SWEEP_MIN: usize = 256;

fn sorted(mut pair: [UserId; 2]) -> [UserId; 2] {
    pair.sort_unstable();
    pair
}
