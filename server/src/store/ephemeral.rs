//! The store of `--ephemeral`: it keeps nothing, so that rooms have what is in memory.

use crosstalk_protocol::{HistoryRange, Message, Record, Seq};

use super::{
    Answer, Authored, By, Change, Draft, Hits, Outcome, RoomId, RoomKey, Store, StoredRoom, StoredUser,
    TokenHash, Words,
};

/// Keeps nothing.
#[derive(Debug, Default)]
pub struct Ephemeral;

fn ready<'a, T: Send + 'a>(value: T) -> Answer<'a, T> {
    Box::pin(std::future::ready(Ok(value)))
}

impl Store for Ephemeral {
    fn append(&self, batch: Vec<Draft>) -> Answer<'_, Vec<Outcome>> {
        ready(batch.iter().map(|_| Outcome::Stored).collect())
    }

    fn change(&self, _: Change) -> Answer<'_, ()> {
        ready(())
    }

    fn rooms(&self) -> Answer<'_, Vec<StoredRoom>> {
        ready(Vec::new())
    }

    fn last_room(&self) -> Answer<'_, RoomId> {
        ready(RoomId(0))
    }

    fn user(&self, _: TokenHash) -> Answer<'_, Option<StoredUser>> {
        ready(None)
    }

    fn records<'a>(&'a self, _: &'a RoomKey, _: HistoryRange, _: usize) -> Answer<'a, Vec<Record>> {
        ready(Vec::new())
    }

    fn messages<'a>(&'a self, _: &'a RoomKey, _: HistoryRange, _: usize) -> Answer<'a, Vec<Message>> {
        ready(Vec::new())
    }

    fn message<'a>(&'a self, _: &'a RoomKey, _: Seq) -> Answer<'a, Option<Authored>> {
        ready(None)
    }

    fn last_message<'a>(&'a self, _: &'a RoomKey, _: By<'a>) -> Answer<'a, Option<Authored>> {
        ready(None)
    }

    fn unread<'a>(&'a self, _: &'a RoomKey, _: Seq, _: usize) -> Answer<'a, usize> {
        ready(0)
    }

    fn search<'a>(&'a self, _: &'a RoomKey, _: &'a Words, _: Option<Seq>, _: usize) -> Answer<'a, Hits> {
        ready(Hits::default())
    }

    fn trouble(&self) -> Option<String> {
        None
    }
}
