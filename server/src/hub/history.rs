//! What was said in a room before now: from its log and, where that does not reach, from the store.

use crosstalk_protocol::limits::PAGE_MAX;
use crosstalk_protocol::{ErrorReply, History, HistoryRange, Message, Seq};

use super::Hub;
use crate::room::Room;
use crate::sequencer::busy;
use crate::store::StoreError;

/// What a cursor that has fallen behind has missed.
#[derive(Debug)]
pub enum Missed {
    /// The next messages, one at least.
    Messages(Vec<Message>),
    /// Everything up to and without `before`: nobody has it.
    Lost {
        /// The first message that can still be read.
        before: Seq,
    },
}

impl Hub {
    /// The next page behind the message `after`, for a cursor that has fallen behind.
    ///
    /// # Errors
    /// The store's.
    pub async fn missed(&self, room: &Room, after: Seq) -> Result<Missed, StoreError> {
        let range = HistoryRange::After(after);
        let recent = room.log.recent(range, PAGE_MAX);
        if !recent.exhausted {
            return Ok(Missed::Messages(recent.messages));
        }
        let first = recent.messages.first().map_or_else(|| room.log.last_seq() + 1, |first| first.seq);
        let key = crate::store::RoomKey { id: crate::store::RoomId(0), name: room.name.clone() };
        let mut stored = self.store.messages(&key, range, PAGE_MAX).await?;
        stored.retain(|message| message.seq < first);
        Ok(if stored.is_empty() { Missed::Lost { before: first } } else { Missed::Messages(stored) })
    }

    /// Part of a room's log, from memory and, where that does not reach, from the store.
    ///
    /// # Errors
    /// `busy`, if the store fails.
    pub async fn history(
        &self,
        room: &Room,
        range: HistoryRange,
        limit: usize,
    ) -> Result<History, ErrorReply> {
        let mut recent = room.log.recent(range, limit);
        if recent.exhausted {
            let older = match (range, recent.messages.first()) {
                (HistoryRange::After(_), _) | (_, None) => range,
                (_, Some(first)) => HistoryRange::Before(first.seq),
            };
            let key = crate::store::RoomKey { id: crate::store::RoomId(0), name: room.name.clone() };
            let stored = self.store.messages(&key, older, limit + 1).await.map_err(|error| {
                tracing::error!(%error, room = %room.name, "history was not read");
                busy("The server cannot read history at the moment")
            })?;
            let before = recent.messages.first().map_or(u64::MAX, |first| first.seq);
            let mut messages: Vec<_> = stored.into_iter().filter(|message| message.seq < before).collect();
            messages.append(&mut recent.messages);
            if messages.len() > limit {
                recent.more = true;
                let surplus = messages.len() - limit;
                match range {
                    HistoryRange::After(_) => messages.truncate(limit),
                    HistoryRange::Latest | HistoryRange::Before(_) => drop(messages.drain(..surplus)),
                }
            }
            recent.messages = messages;
        }
        Ok(History {
            room: room.name.clone(),
            epoch: room.log.epoch(),
            messages: recent.messages,
            more: recent.more,
        })
    }
}
