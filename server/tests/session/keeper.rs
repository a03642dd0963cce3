//! A store for tests.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crosstalk_protocol::{HistoryRange, Message, Record, RequestId, RoomName, Seq};
use crosstalk_server::store::{
    Answer, Authored, By, Change, Draft, Ephemeral, Expiry, Hits, Outcome, Page, Retention, RoomId, RoomKey,
    Sqlite, SqliteOptions, Store, StoreError, StoredRoom, StoredUser, TokenHash, UserId, Words,
};
use rusqlite::Connection;
use tokio::sync::watch;

/// The life of its lobby's log.
pub(crate) const EPOCH: u64 = 7;

/// Keeps messages in memory, and fails when it is told to. It knows one room, the lobby.
#[derive(Default)]
pub(crate) struct Keeper {
    messages: Mutex<Vec<Message>>,
    pub(crate) failing: AtomicBool,
    /// Whether changes are kept waiting.
    pub(crate) holding: watch::Sender<bool>,
    nothing: Ephemeral,
}

impl Keeper {
    fn in_range(&self, room: &RoomKey, range: HistoryRange, limit: usize) -> Vec<Message> {
        let messages = self.messages.lock().unwrap();
        let of_room = messages.iter().filter(|message| message.room == room.name);
        let mut found: Vec<Message> = match range {
            HistoryRange::After(seq) => {
                of_room.filter(|message| message.seq > seq).take(limit).cloned().collect()
            }
            HistoryRange::Before(seq) => of_room.filter(|message| message.seq < seq).cloned().collect(),
            HistoryRange::Latest => of_room.cloned().collect(),
        };
        if !matches!(range, HistoryRange::After(_)) {
            found.drain(..found.len().saturating_sub(limit));
        }
        found
    }
}

impl Store for Keeper {
    fn is_durable(&self) -> bool {
        true
    }

    fn append(&self, batch: Vec<Draft>) -> Answer<'_, Vec<Outcome>> {
        Box::pin(async move {
            if self.failing.load(Ordering::Relaxed) {
                return Err(StoreError("no space left".to_owned()));
            }
            let messages = batch.iter().filter_map(|draft| match &draft.record {
                Record::Message(message) => Some(message.clone()),
                _ => None,
            });
            self.messages.lock().unwrap().extend(messages);
            Ok(batch.iter().map(|_| Outcome::Stored).collect())
        })
    }

    fn records<'a>(&'a self, room: &'a RoomKey, range: HistoryRange, limit: usize) -> Answer<'a, Page> {
        let records = self.in_range(room, range, limit).into_iter().map(Record::Message).collect();
        Box::pin(async { Ok(Page { records, expired: 0 }) })
    }

    fn messages<'a>(
        &'a self,
        room: &'a RoomKey,
        range: HistoryRange,
        limit: usize,
    ) -> Answer<'a, Vec<Message>> {
        let found = self.in_range(room, range, limit);
        Box::pin(async { Ok(found) })
    }

    fn rooms(&self) -> Answer<'_, Vec<StoredRoom>> {
        let name = RoomName::lobby();
        let lobby = StoredRoom {
            id: RoomId(1),
            name,
            epoch: EPOCH,
            last_seq: 0,
            expired: 0,
            pair: None,
            ended: false,
            seats: 0,
        };
        Box::pin(async { Ok(vec![lobby]) })
    }

    fn last_room(&self) -> Answer<'_, RoomId> {
        Box::pin(async { Ok(RoomId(1)) })
    }

    fn change(&self, change: Change) -> Answer<'_, ()> {
        let stored = self.nothing.change(change);
        let mut holding = self.holding.subscribe();
        Box::pin(async move {
            holding.wait_for(|holding| !holding).await.expect("the sender is this store's");
            stored.await
        })
    }

    fn labelled<'a>(&'a self, author: UserId, label: &'a RequestId) -> Answer<'a, Option<(RoomName, Seq)>> {
        self.nothing.labelled(author, label)
    }

    fn user(&self, token: TokenHash) -> Answer<'_, Option<StoredUser>> {
        self.nothing.user(token)
    }

    fn message<'a>(&'a self, room: &'a RoomKey, seq: Seq) -> Answer<'a, Option<Authored>> {
        self.nothing.message(room, seq)
    }

    fn last_message<'a>(&'a self, room: &'a RoomKey, by: By<'a>) -> Answer<'a, Option<Authored>> {
        self.nothing.last_message(room, by)
    }

    fn unread<'a>(&'a self, room: &'a RoomKey, after: Seq, max: usize) -> Answer<'a, usize> {
        self.nothing.unread(room, after, max)
    }

    fn search<'a>(
        &'a self,
        room: &'a RoomKey,
        words: &'a Words,
        before: Option<Seq>,
        limit: usize,
    ) -> Answer<'a, Hits> {
        self.nothing.search(room, words, before, limit)
    }

    fn trouble(&self) -> Option<String> {
        None
    }

    fn expiries(&self) -> Pin<Box<dyn Future<Output = Vec<Expiry>> + Send + '_>> {
        self.nothing.expiries()
    }
}

/// A directory for one test, removed when it is dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("crosstalk-session-{}-{number}", std::process::id())))
    }

    /// Opens what is there.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::new(Sqlite::open(&self.0, SqliteOptions::default()).unwrap())
    }

    /// The same, as a store that looks after itself all the time.
    pub(crate) fn busy_store(&self, retention: Retention) -> Arc<dyn Store> {
        let options = SqliteOptions { retention, ..SqliteOptions::default() };
        options.fault.rest_between_passes(Duration::ZERO);
        Arc::new(Sqlite::open(&self.0, options).unwrap())
    }

    /// The database itself.
    pub(crate) fn database(&self) -> Connection {
        let connection = Connection::open(self.0.join("crosstalk.db")).unwrap();
        connection.busy_timeout(Duration::from_secs(5)).unwrap();
        connection
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
