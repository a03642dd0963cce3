//! The one place that numbers. What arrives while one batch is being stored becomes the next.
//!
//! A message is stored before anybody sees it and before its author is told that it is there. The
//! sequencer waits for the store and for nobody else.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crosstalk_protocol::{ErrorCode, ErrorReply, Message, Nick, RequestId, Seq, Text};
use tokio::sync::mpsc;

use crate::limits::BATCH_MAX;
use crate::peer::{Mail, Peer, PeerId};
use crate::room::Room;
use crate::segment::{Body, Entry};
use crate::store::Store;

/// An entry that has no number yet.
#[derive(Debug)]
pub struct Draft {
    /// Whose log it is for.
    pub room: Arc<Room>,
    /// What is to be appended.
    pub content: Content,
}

/// What is to be appended.
#[derive(Debug)]
pub enum Content {
    /// A message, which is stored.
    Message {
        /// Who wrote it, and gets the answer.
        author: Arc<Peer>,
        /// Under which name.
        from: Nick,
        /// In a direct conversation, to whom.
        to: Option<Nick>,
        /// What it says.
        text: Text,
        /// Whether it tells what the author does.
        action: bool,
        /// Whether the author gets it back on lines.
        echo: bool,
        /// The label of the answer; without one there is none.
        id: Option<RequestId>,
    },
    /// Who came, went, or changed their name. It lives in memory only.
    People {
        /// What is appended.
        body: Body,
        /// Who it is about, and is not told on lines.
        about: Option<PeerId>,
    },
}

/// Runs until every sender of `queue` is gone.
pub async fn run(mut queue: mpsc::Receiver<Draft>, store: Arc<dyn Store>) {
    let mut drafts = Vec::new();
    while queue.recv_many(&mut drafts, BATCH_MAX).await > 0 {
        let batch = Batch::number(drafts.drain(..));
        match store.append(Vec::new()).await {
            Ok(_) => batch.publish(),
            Err(error) => {
                tracing::error!(%error, messages = batch.messages.len(), "a batch was not stored");
                batch.refuse();
            }
        }
    }
}

/// Drafts with their numbers, in order.
struct Batch {
    /// What is stored.
    messages: Vec<Message>,
    rooms: Vec<RoomBatch>,
    receipts: Vec<Receipt>,
}

struct RoomBatch {
    room: Arc<Room>,
    last_seq: Seq,
    entries: Vec<Entry>,
}

struct Receipt {
    author: Arc<Peer>,
    id: Option<RequestId>,
    /// Where in `messages` the author's message is.
    message: usize,
}

impl Batch {
    fn number(drafts: impl Iterator<Item = Draft>) -> Self {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        let mut batch = Self { messages: Vec::new(), rooms: Vec::new(), receipts: Vec::new() };
        for Draft { room, content } in drafts {
            let room_batch = batch.room(room);
            let entry = match content {
                Content::People { body, about } => Entry { body, unseen_by: about },
                Content::Message { author, from, to, text, action, echo, id } => {
                    room_batch.last_seq += 1;
                    let room = room_batch.room.name.clone();
                    let message = Message {
                        room,
                        seq: room_batch.last_seq,
                        at,
                        from,
                        to,
                        text,
                        action,
                        reply: None,
                        edited: false,
                    };
                    let entry = Entry {
                        body: Body::Message(message.clone()),
                        unseen_by: (!echo).then_some(author.id),
                    };
                    room_batch.entries.push(entry);
                    batch.receipts.push(Receipt { author, id, message: batch.messages.len() });
                    batch.messages.push(message);
                    continue;
                }
            };
            room_batch.entries.push(entry);
        }
        batch
    }

    /// The part of one room; drafts of one room mostly stand together.
    fn room(&mut self, room: Arc<Room>) -> &mut RoomBatch {
        let found = self.rooms.iter().rposition(|batch| Arc::ptr_eq(&batch.room, &room));
        let at = found.unwrap_or_else(|| {
            let last_seq = room.log.last_seq();
            self.rooms.push(RoomBatch { room, last_seq, entries: Vec::new() });
            self.rooms.len() - 1
        });
        &mut self.rooms[at]
    }

    fn publish(self) {
        for RoomBatch { room, entries, .. } in self.rooms {
            room.publish(entries);
        }
        for Receipt { author, id, message } in self.receipts {
            if let Some(id) = id {
                let Message { room, seq, .. } = &self.messages[message];
                author.post(Mail::Stored { id, room: room.clone(), seq: *seq });
            }
            author.draft_settled();
        }
    }

    /// Tells every author to try again. What is not stored is published all the same.
    fn refuse(self) {
        for RoomBatch { room, mut entries, .. } in self.rooms {
            entries.retain(|entry| !matches!(entry.body, Body::Message(_)));
            if !entries.is_empty() {
                room.publish(entries);
            }
        }
        for Receipt { author, id, .. } in self.receipts {
            author.post(Mail::Refused { id, error: busy("The server cannot store messages at the moment") });
            author.draft_settled();
        }
    }
}

/// The answer to a message that cannot be taken now.
pub(crate) fn busy(reason: &str) -> ErrorReply {
    ErrorReply {
        code: ErrorCode::Busy,
        message: format!("{reason}; try again in a second."),
        retry_after_ms: Some(1_000),
    }
}
