//! What was said in a room before now: from its log and, where that does not reach, from the store.

use crosstalk_protocol::limits::{PAGE_MAX, UNREAD_MAX};
use crosstalk_protocol::{ErrorReply, History, HistoryRange, Nick, Record, RequestId, RoomName, Seq};

use super::Hub;
use crate::room::Room;
use crate::sequencer::busy;
use crate::store::{Authored, By, Hits, Page, StoreError, UserId, Words};

/// What a cursor that has fallen behind has missed.
#[derive(Debug)]
pub enum Missed {
    /// The next entries, one at least.
    Records(Vec<Record>),
    /// Nothing was missed up to here, whatever the numbers say: there are no entries behind them.
    Nothing {
        /// The last number before the next entry.
        until: Seq,
    },
    /// Everything up to and without `before`: nobody has it.
    Lost {
        /// The first number that can still be read.
        before: Seq,
    },
}

impl Hub {
    /// The next page behind the entry `after`, for a cursor that has fallen behind.
    ///
    /// # Errors
    /// The store's.
    pub async fn missed(&self, room: &Room, after: Seq) -> Result<Missed, StoreError> {
        let expired = room.log.expired();
        if after < expired {
            return Ok(Missed::Lost { before: expired + 1 });
        }
        let recent = room.log.recent_records(after, PAGE_MAX);
        if !recent.exhausted {
            return Ok(match recent.entries.is_empty() {
                true => Missed::Nothing { until: recent.last_seq },
                false => Missed::Records(recent.entries),
            });
        }
        let next = recent.entries.first().map_or(recent.last_seq + 1, Record::seq);
        let range = HistoryRange::After(after);
        let Page { records: mut stored, expired } = self.store.records(&room.key(), range, PAGE_MAX).await?;
        // The store may have removed more than memory has heard of.
        if after < expired {
            room.log.expire(expired);
            return Ok(Missed::Lost { before: expired + 1 });
        }
        stored.retain(|record| record.seq() < next);
        Ok(match (stored.is_empty(), self.store.is_durable()) {
            (false, _) => Missed::Records(stored),
            // What was withdrawn is no loss.
            (true, true) => Missed::Nothing { until: next - 1 },
            (true, false) => Missed::Lost { before: next },
        })
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
        let mut recent = room.log.recent_messages(range, limit);
        if recent.exhausted {
            let older = match (range, recent.entries.first()) {
                (HistoryRange::After(_), _) | (_, None) => range,
                (_, Some(first)) => HistoryRange::Before(first.seq),
            };
            let stored = self.store.messages(&room.key(), older, limit + 1).await;
            let stored = stored.map_err(|error| unreadable(&error, room))?;
            let before = recent.entries.first().map_or(u64::MAX, |first| first.seq);
            let mut messages: Vec<_> = stored.into_iter().filter(|message| message.seq < before).collect();
            messages.append(&mut recent.entries);
            if messages.len() > limit {
                recent.more = true;
                let surplus = messages.len() - limit;
                match range {
                    HistoryRange::After(_) => messages.truncate(limit),
                    HistoryRange::Latest | HistoryRange::Before(_) => drop(messages.drain(..surplus)),
                }
            }
            recent.entries = messages;
        }
        Ok(History {
            room: room.name.clone(),
            epoch: room.log.epoch(),
            messages: recent.entries,
            more: recent.more,
        })
    }

    /// Messages of a room that have all the words, the newest of those before `before`.
    ///
    /// # Errors
    /// `busy`, if the store fails.
    pub async fn search(
        &self,
        room: &Room,
        words: &Words,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<History, ErrorReply> {
        let Hits { messages, more } = if self.store.is_durable() {
            self.store.search(&room.key(), words, before, limit).await.map_err(|error| {
                tracing::warn!(%error, room = %room.name, "a search has failed");
                busy("The server could not search in time; ask for fewer or rarer words")
            })?
        } else {
            room.log.find(words, before, limit)
        };
        Ok(History { room: room.name.clone(), epoch: room.log.epoch(), messages, more })
    }

    /// One message, and who wrote it.
    ///
    /// # Errors
    /// `busy`, if the store fails.
    pub async fn message(&self, room: &Room, seq: Seq) -> Result<Option<Authored>, ErrorReply> {
        match room.log.message(seq) {
            Some(authored) => Ok(Some(authored)),
            None if room.log.remembers(seq) => Ok(None),
            None => self.store.message(&room.key(), seq).await.map_err(|error| unreadable(&error, room)),
        }
    }

    /// The newest message of whoever has, or had then, that nickname.
    ///
    /// # Errors
    /// `busy`, if the store fails.
    pub async fn last_message_of(&self, room: &Room, nick: &Nick) -> Result<Option<Authored>, ErrorReply> {
        let found = room.log.last_message(|authored| authored.message.from == *nick);
        self.or_stored(room, found, By::Nick(nick)).await
    }

    /// The newest message of that person, under whichever name.
    ///
    /// # Errors
    /// `busy`, if the store fails.
    pub async fn last_message_by(&self, room: &Room, user: UserId) -> Result<Option<Authored>, ErrorReply> {
        let found = room.log.last_message(|authored| authored.author == user);
        self.or_stored(room, found, By::User(user)).await
    }

    async fn or_stored(
        &self,
        room: &Room,
        found: Option<Authored>,
        by: By<'_>,
    ) -> Result<Option<Authored>, ErrorReply> {
        match found {
            Some(found) => Ok(Some(found)),
            None => self.store.last_message(&room.key(), by).await.map_err(|error| unreadable(&error, room)),
        }
    }

    /// Where the entry is that somebody's label stands for, with all that was sent before.
    ///
    /// # Errors
    /// `busy`, if the store fails.
    pub async fn labelled(
        &self,
        user: UserId,
        id: &RequestId,
    ) -> Result<Option<(RoomName, Seq)>, ErrorReply> {
        self.store.labelled(user, id).await.map_err(|error| {
            tracing::error!(%error, "a label was not looked up");
            busy("The server cannot look that up at the moment")
        })
    }

    /// How many messages stand behind `read`, [`UNREAD_MAX`] at most. As many as memory knows, if the
    /// store fails: it is a number to be shown.
    pub async fn unread(&self, room: &Room, read: Seq) -> usize {
        if read >= room.log.last_seq() {
            return 0;
        }
        let recent = room.log.recent_messages(HistoryRange::After(read), UNREAD_MAX);
        if !recent.exhausted {
            return recent.entries.len();
        }
        match self.store.unread(&room.key(), read, UNREAD_MAX).await {
            Ok(count) => count.max(recent.entries.len()),
            Err(error) => {
                tracing::warn!(%error, room = %room.name, "unread messages were not counted");
                recent.entries.len()
            }
        }
    }
}

fn unreadable(error: &StoreError, room: &Room) -> ErrorReply {
    tracing::error!(%error, room = %room.name, "history was not read");
    busy("The server cannot read history at the moment")
}
