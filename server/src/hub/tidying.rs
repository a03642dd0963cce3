//! Who and what is of no use any more: the store forgets people who have not come for long, and
//! direct conversations to which nobody can come back. It does not know who is here; the hub does.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crosstalk_protocol::RoomName;

use super::profile::saved;
use super::{Hub, now_ms};
use crate::limits::{FORGET_TIME, VISITOR_TIME};
use crate::store::{Change, RoomId, Unused};

/// People who are saved with one transaction.
const SAVED_AT_ONCE: usize = 256;

impl Hub {
    /// Has the store note that everybody who is here was seen now, and then forget, by and by, whoever
    /// was not for [`FORGET_TIME`], or for [`VISITOR_TIME`] if they left nothing behind. Nobody is forgotten if somebody who is here could not be noted.
    pub async fn tidy_up(&self) {
        if !self.store.is_durable() {
            return;
        }
        let now = now_ms();
        // Whatever is newer may not be where it is looked for yet.
        let rooms_until = RoomId(self.last_room.load(Ordering::Relaxed));
        let mut rooms_in_use = self.directs.ids();
        let people = self.people.connected();
        for user in &people {
            let places = user.places();
            let direct = places.seats.iter().filter(|seat| seat.room.pair.is_some());
            rooms_in_use.extend(direct.map(|seat| seat.room.id));
        }
        for people in people.chunks(SAVED_AT_ONCE) {
            let saving: Vec<_> = people
                .iter()
                .filter_map(|user| saved(user))
                .map(|change| self.store.change(change))
                .collect();
            for saved in saving {
                if let Err(error) = saved.await {
                    tracing::warn!(%error, "nobody is forgotten now: who is here was not stored");
                    return;
                }
            }
        }
        let Some(lobby) = self.rooms.get(&RoomName::lobby()).map(|room| room.id) else { return };
        let ago = |time: Duration| now.saturating_sub(time.as_millis() as u64);
        let (people_since, visitors_since) = (ago(FORGET_TIME), ago(VISITOR_TIME));
        let unused = Unused { people_since, visitors_since, lobby, rooms_until, rooms_in_use };
        self.change(Change::TidyUp(unused));
    }
}
