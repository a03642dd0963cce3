//! Direct conversations: one room for each two who speak with each other, until one of them leaves.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crosstalk_protocol::{ErrorCode, ErrorReply, RoomName};

use super::Membership;
use crate::limits::ROOMS_PER_CONNECTION;
use crate::log::Log;
use crate::peer::{Mail, Peer, PeerId, lock};
use crate::room::Room;

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

/// The direct conversations under way.
#[derive(Default)]
pub(super) struct Directs {
    /// By the two who are in them, the smaller id first.
    rooms: Mutex<HashMap<[PeerId; 2], Arc<Room>>>,
    /// How many there have been.
    opened: AtomicU64,
}

impl Directs {
    /// The conversation of `peer` with `other`, opened if need be. The other is let in by mail.
    pub(super) fn open(
        &self,
        peer: &Arc<Peer>,
        other: Arc<Peer>,
        new_log: impl FnOnce() -> Log,
    ) -> Result<Direct, ErrorReply> {
        let mut rooms = lock(&self.rooms);
        let pair = pair(peer, &other);
        if let Some(room) = rooms.get(&pair) {
            return Ok(Direct { room: room.clone(), with: other, entered: None });
        }
        if rooms.keys().filter(|pair| pair.contains(&peer.id)).count() >= ROOMS_PER_CONNECTION {
            let message = format!(
                "You are in {ROOMS_PER_CONNECTION} direct conversations, which is all you may be in; leave one first."
            );
            return Err(ErrorReply::new(ErrorCode::TooManyRooms, message));
        }
        let name = RoomName::direct(self.opened.fetch_add(1, Ordering::Relaxed) + 1);
        let room = Arc::new(Room::direct(name, new_log(), [peer, &other]));
        rooms.insert(pair, room.clone());
        let cursor = room.log.end();
        other.post(Mail::Opened { room: room.clone(), cursor, with: peer.clone() });
        let entered = Membership { room: room.clone(), cursor, known: 0, with: Some(other.clone()) };
        Ok(Direct { room, with: other, entered: Some(entered) })
    }

    /// The conversation of `peer` with `other`, if there is one.
    pub(super) fn get(&self, peer: &Peer, other: &Peer) -> Option<Arc<Room>> {
        lock(&self.rooms).get(&pair(peer, other)).cloned()
    }

    /// Forgets a conversation that one of the two has left. Another of the same two may have begun
    /// since.
    pub(super) fn end(&self, mut pair: [PeerId; 2], room: &Arc<Room>) {
        pair.sort_unstable();
        let mut rooms = lock(&self.rooms);
        if rooms.get(&pair).is_some_and(|current| Arc::ptr_eq(current, room)) {
            rooms.remove(&pair);
        }
    }
}

fn pair(one: &Peer, other: &Peer) -> [PeerId; 2] {
    let mut pair = [one.id, other.id];
    pair.sort_unstable();
    pair
}
