//! Who and what is of no use any more: the store forgets people who have not come for long, and
//! direct conversations to which nobody can come back. It does not know who is here; the hub does.

use std::sync::atomic::Ordering;

use super::profile::saved;
use super::{Hub, now_ms};
use crate::limits::FORGET_TIME;
use crate::store::{Change, RoomId, Unused};

/// People who are saved with one transaction.
const SAVED_AT_ONCE: usize = 256;

impl Hub {
    /// Has the store note that everybody who is here was seen now, and then forget, by and by, whoever
    /// was not for [`FORGET_TIME`]. Nobody is forgotten if somebody who is here could not be noted.
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
        let people_since = now.saturating_sub(FORGET_TIME.as_millis() as u64);
        self.change(Change::TidyUp(Unused { people_since, rooms_until, rooms_in_use }));
    }
}
