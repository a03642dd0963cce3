//! What retention has removed, and the hub has not been told of yet: the writer adds, and somebody on
//! the async side waits. One number a room is enough, so that nobody has to wait for the hub.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crosstalk_protocol::Seq;
use tokio::sync::Notify;

use crate::peer::lock;
use crate::store::{Expiry, RoomId};

/// Shared by the writer and whoever tells the hub.
#[derive(Debug, Default)]
pub(super) struct Expiries {
    news: Mutex<BTreeMap<RoomId, Seq>>,
    added: Notify,
}

impl Expiries {
    /// Entries of a room up to `seq` are gone.
    pub(super) fn add(&self, room: RoomId, seq: Seq) {
        let mut news = lock(&self.news);
        let expired = news.entry(room).or_default();
        *expired = seq.max(*expired);
        drop(news);
        self.added.notify_one();
    }

    /// Waits until there is something, and takes it. Nothing is lost if the future is dropped.
    pub(super) async fn take(&self) -> Vec<Expiry> {
        loop {
            let news = std::mem::take(&mut *lock(&self.news));
            if !news.is_empty() {
                return news.into_iter().map(|(room, seq)| Expiry { room, seq }).collect();
            }
            self.added.notified().await;
        }
    }
}
