//! The one place that numbers. What arrives while one batch is being stored becomes the next.
//!
//! An entry is stored before anybody sees it and before its author is told that it is there. The
//! sequencer waits for the store and for nobody else.

use std::sync::Arc;

use crosstalk_protocol::{
    Answered, Deleted, Edited, ErrorCode, ErrorReply, Message, Nick, Record, RequestId, Seq, Text,
};
use tokio::sync::mpsc;

use crate::hub::{no_such_room, now_ms};
use crate::limits::BATCH_MAX;
use crate::peer::{Mail, Peer, PeerId};
use crate::room::Room;
use crate::segment::{Body, Entry, Numbered};
use crate::store::{self, Outcome, Store};

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
    /// What somebody says, or what becomes of it. It is numbered and stored.
    Words {
        /// Who wrote it, and gets the answer.
        author: Arc<Peer>,
        /// Under which name.
        from: Nick,
        /// What they do.
        act: Act,
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

/// What somebody does with words.
#[derive(Clone, Debug)]
pub enum Act {
    /// Says something.
    Say {
        /// In a direct conversation, to whom.
        to: Option<Nick>,
        /// What it says.
        text: Text,
        /// Whether it tells what the author does.
        action: bool,
        /// The message that it answers.
        reply: Option<Answered>,
    },
    /// Says an earlier message in other words.
    Edit {
        /// Which.
        target: Seq,
        /// What it says now.
        text: Text,
    },
    /// Withdraws an earlier message.
    Delete {
        /// Which.
        target: Seq,
    },
}

/// Runs until every sender of `queue` is gone.
pub async fn run(mut queue: mpsc::Receiver<Draft>, store: Arc<dyn Store>) {
    let mut drafts = Vec::new();
    while queue.recv_many(&mut drafts, BATCH_MAX).await > 0 {
        let mut batch = Batch::number(drafts.drain(..));
        let stored = std::mem::take(&mut batch.stored);
        let count = stored.len();
        if count == 0 {
            batch.publish(Vec::new());
            continue;
        }
        match store.append(stored).await {
            Ok(outcomes) => batch.publish(outcomes),
            Err(error) => {
                tracing::error!(%error, entries = count, "a batch was not stored");
                batch.refuse();
            }
        }
    }
}

/// Drafts with their numbers, in order.
struct Batch {
    /// What is stored.
    stored: Vec<store::Draft>,
    rooms: Vec<RoomBatch>,
    /// One for each of `stored`.
    receipts: Vec<Receipt>,
}

struct RoomBatch {
    room: Arc<Room>,
    last_seq: Seq,
    /// The entries, each with its place in `stored` if it is stored.
    entries: Vec<(Entry, Option<usize>)>,
}

struct Receipt {
    author: Arc<Peer>,
    id: Option<RequestId>,
    room: Arc<Room>,
    seq: Seq,
}

impl Batch {
    fn number(drafts: impl Iterator<Item = Draft>) -> Self {
        let at = now_ms();
        let mut batch = Self { stored: Vec::new(), rooms: Vec::new(), receipts: Vec::new() };
        for Draft { room, content } in drafts {
            let place = batch.stored.len();
            let room_batch = batch.room(room);
            match content {
                Content::People { body, about } => {
                    room_batch.entries.push((Entry { body, unseen_by: about }, None));
                }
                Content::Words { author, from, act, echo, id } => {
                    room_batch.last_seq += 1;
                    let (room, seq) = (room_batch.room.clone(), room_batch.last_seq);
                    let record = record(&room, seq, at, from, act);
                    let numbered = Numbered { author: author.user.id, record: record.clone() };
                    let unseen_by = (!echo).then_some(author.id);
                    let entry = Entry { body: Body::Numbered(numbered), unseen_by };
                    room_batch.entries.push((entry, Some(place)));
                    // Who cannot come back cannot send anything a second time.
                    let label = id.clone().filter(|_| author.user.token().is_some());
                    batch.stored.push(store::Draft {
                        room: room.id,
                        author: author.user.id,
                        id: label,
                        record,
                    });
                    batch.receipts.push(Receipt { author, id, room, seq });
                }
            }
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

    /// Shows everybody what was stored, and tells the authors what became of what they sent.
    fn publish(self, outcomes: Vec<Outcome>) {
        let was_stored = |place: &Option<usize>| {
            place.is_none_or(|place| outcomes.get(place).is_none_or(|outcome| *outcome == Outcome::Stored))
        };
        for RoomBatch { room, entries, .. } in self.rooms {
            publish(&room, entries.into_iter().filter(|(_, place)| was_stored(place)));
        }
        for (Receipt { author, id, room, seq }, outcome) in self.receipts.into_iter().zip(outcomes) {
            let mail = match (outcome, id) {
                (Outcome::Stored, id) => id.map(|id| Mail::Stored { id, room: room.name.clone(), seq }),
                (Outcome::Known { room, seq }, id) => id.map(|id| Mail::Stored { id, room, seq }),
                (Outcome::Reused, id) => Some(Mail::Refused { id, error: id_reused() }),
                (Outcome::NoRoom, id) => Some(Mail::Refused { id, error: no_such_room(&room.name) }),
                (Outcome::Gone, id) => Some(Mail::Refused { id, error: no_such_message() }),
            };
            if let Some(mail) = mail {
                author.post(mail);
            }
            author.draft_settled();
        }
    }

    /// Tells every author to try again. What is not stored is published all the same.
    fn refuse(self) {
        for RoomBatch { room, entries, .. } in self.rooms {
            publish(&room, entries.into_iter().filter(|(_, place)| place.is_none()));
        }
        for Receipt { author, id, .. } in self.receipts {
            author.post(Mail::Refused { id, error: busy("The server cannot store messages at the moment") });
            author.draft_settled();
        }
    }
}

fn publish(room: &Room, entries: impl Iterator<Item = (Entry, Option<usize>)>) {
    let entries: Vec<Entry> = entries.map(|(entry, _)| entry).collect();
    if !entries.is_empty() {
        room.publish(entries);
    }
}

fn record(room: &Room, seq: Seq, at: u64, from: Nick, act: Act) -> Record {
    let room = room.name.clone();
    match act {
        Act::Say { to, text, action, reply } => {
            Record::Message(Message { room, seq, at, from, to, text, action, reply, edited: false })
        }
        Act::Edit { target, text } => Record::Edited(Edited { room, seq, at, from, target, text }),
        Act::Delete { target } => Record::Deleted(Deleted { room, seq, at, from, target }),
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

/// The answer to the number of a message that is not there.
pub(crate) fn no_such_message() -> ErrorReply {
    ErrorReply::new(ErrorCode::NoSuchMessage, "There is no such message, or no longer.")
}

fn id_reused() -> ErrorReply {
    ErrorReply::new(
        ErrorCode::IdReused,
        "That id was another message's, and nothing was sent; send it under a new id.",
    )
}
