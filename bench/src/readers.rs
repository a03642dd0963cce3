//! Clients that only read, and count.

use std::net::SocketAddr;
use std::rc::Rc;

use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::connection::Connection;
use crate::frames;
use crate::senders::Shared;

/// Readers of one room. They go when this is dropped.
pub(crate) struct Readers(JoinSet<()>);

impl Readers {
    /// Lets `count` readers into the lobby. What arrives is counted in `shared`, and `progress` is
    /// rung whenever something has.
    ///
    /// # Errors
    /// If the server does not let them in.
    pub(crate) async fn enter(
        address: SocketAddr,
        count: usize,
        shared: &Rc<Shared>,
        progress: &Rc<Notify>,
    ) -> anyhow::Result<Self> {
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let (connection, _) = Connection::open(address, &format!("reader{number}"), json!({})).await?;
            tasks.spawn_local(read(connection, shared.clone(), progress.clone()));
        }
        Ok(Self(tasks))
    }

    /// Whether one of them has lost its connection, or something else.
    pub(crate) fn has_trouble(&mut self) -> bool {
        self.0.try_join_next().is_some()
    }
}

async fn read(mut connection: Connection, shared: Rc<Shared>, progress: Rc<Notify>) {
    let mut last = 0;
    loop {
        let (mut count, mut ordered) = (0, true);
        let mut take = |line: &[u8]| {
            if frames::is_message(line) {
                count += 1;
                let seq = frames::seq(line).unwrap_or(0);
                ordered &= last == 0 || seq == last + 1;
                last = seq;
            } else if frames::is_trouble(line) || frames::is_gap(line) {
                ordered = false;
            }
        };
        if connection.read(&mut take).await.is_err() || !ordered {
            return;
        }
        shared.deliver(count);
        progress.notify_one();
    }
}
