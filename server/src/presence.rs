//! Announces, every [`PRESENCE_TIME`], what large rooms have gathered about who came and went.

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::hub::Hub;
use crate::limits::PRESENCE_TIME;
use crate::peer::lock;
use crate::room::Room;

/// The rooms that have something gathered. A room is listed once until it is announced.
#[derive(Debug, Default)]
pub struct Gatherings {
    rooms: Mutex<Vec<Arc<Room>>>,
    added: Notify,
}

impl Gatherings {
    /// Announces `room` in a while.
    pub fn add(&self, room: Arc<Room>) {
        lock(&self.rooms).push(room);
        self.added.notify_one();
    }
}

/// Runs until it is dropped. Nothing is timed while nobody comes or goes.
pub async fn run(hub: Arc<Hub>) {
    let gatherings = hub.gatherings();
    loop {
        gatherings.added.notified().await;
        tokio::time::sleep(PRESENCE_TIME).await;
        let rooms = std::mem::take(&mut *lock(&gatherings.rooms));
        for room in rooms {
            if let Some(body) = room.gathered() {
                hub.append(room, body).await;
            }
        }
    }
}
