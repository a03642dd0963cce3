//! What the hub and the store owe each other while nobody asks for anything: the hub learns what
//! retention has removed, and the store who and what is still in use.

use std::sync::Arc;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::hub::Hub;
use crate::limits::{TIDY_FIRST, TIDY_TIME};
use crate::store::Store;

/// Runs until it is dropped.
pub async fn run(hub: Arc<Hub>, store: Arc<dyn Store>) {
    tokio::join!(expire(&hub, &*store), tidy_up(&hub));
}

async fn expire(hub: &Hub, store: &dyn Store) {
    loop {
        for expiry in store.expiries().await {
            hub.expire(expiry.room, expiry.seq);
        }
    }
}

async fn tidy_up(hub: &Hub) {
    let mut times = interval_at(Instant::now() + TIDY_FIRST, TIDY_TIME);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        times.tick().await;
        hub.tidy_up().await;
    }
}
