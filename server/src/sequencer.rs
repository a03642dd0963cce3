//! The one place that numbers.
//!
//! An entry is stored before anybody sees it and before its author is told that it is there. The
//! sequencer waits for the store and for nobody else.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use crosstalk_protocol::{
    Answered, Deleted, Edited, ErrorCode, ErrorReply, Message, Nick, Record, RequestId, Seq, Text,
};
use tokio::sync::mpsc;

use crate::hub::{no_such_room, now_ms};
use crate::limits::{BATCH_MAX, UNSTORED_MAX};
use crate::peer::{Mail, Peer, PeerId};
use crate::room::Room;
use crate::segment::{Body, Entry, Numbered};
use crate::store::{self, Answer, Outcome, RoomId, Store, StoreError};

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

/// Runs until every sender of `queue` is gone and all is stored.
///
/// What has a number goes to the store at once, also while the store has not answered for what went
/// before: it makes one transaction of all that waits. A number whose entry is not stored is skipped.
pub async fn run(mut queue: mpsc::Receiver<Draft>, store: Arc<dyn Store>) {
    let mut drafts = Vec::new();
    let mut numbers = Numbers::default();
    let mut under_way = UnderWay::default();
    loop {
        tokio::select! {
            biased;
            news = under_way.news(), if !under_way.is_empty() => {
                news.publish();
                if under_way.is_empty() {
                    numbers.forget();
                }
            }
            count = queue.recv_many(&mut drafts, BATCH_MAX), if under_way.drafts < UNSTORED_MAX => {
                if count == 0 {
                    break;
                }
                let (batch, stored) = numbers.give(drafts.drain(..));
                under_way.push(batch, if stored.is_empty() { nothing() } else { store.append(stored) });
            }
        }
    }
    while !under_way.is_empty() {
        under_way.news().await.publish();
    }
}

fn nothing() -> Answer<'static, Vec<Outcome>> {
    Box::pin(std::future::ready(Ok(Vec::new())))
}

/// The numbers that were given last, of rooms whose log does not have them yet.
#[derive(Default)]
struct Numbers(HashMap<RoomId, Seq>);

impl Numbers {
    fn next(&mut self, room: &Room) -> Seq {
        let last = self.0.entry(room.id).or_insert_with(|| room.log.last_seq());
        *last += 1;
        *last
    }

    /// Nothing is under way: the logs know.
    fn forget(&mut self) {
        self.0.clear();
    }

    /// Gives drafts their numbers. Returns them, and what of them is to be stored.
    fn give(&mut self, drafts: impl Iterator<Item = Draft>) -> (Vec<Item>, Vec<store::Draft>) {
        let at = now_ms();
        let mut stored = Vec::new();
        let number = |Draft { room, content }| match content {
            Content::People { body, about } => {
                Item { room, entry: Entry { body, unseen_by: about }, receipt: None }
            }
            Content::Words { author, from, act, echo, id } => {
                let seq = self.next(&room);
                let record = record(&room, seq, at, from, act);
                let numbered = Numbered { author: author.user.id, record: record.clone() };
                let entry = Entry { body: Body::Numbered(numbered), unseen_by: (!echo).then_some(author.id) };
                // Who cannot come back cannot send anything a second time.
                let label = id.clone().filter(|_| author.user.token().is_some());
                let (room_id, user) = (room.id, author.user.id);
                stored.push(store::Draft { room: room_id, author: user, id: label, record });
                Item { room, entry, receipt: Some(Receipt { author, id, seq }) }
            }
        };
        (drafts.map(number).collect(), stored)
    }
}

/// A draft with its number, if it is one that is stored.
struct Item {
    room: Arc<Room>,
    entry: Entry,
    receipt: Option<Receipt>,
}

/// Who is told what became of it.
struct Receipt {
    author: Arc<Peer>,
    id: Option<RequestId>,
    seq: Seq,
}

/// Batches for which the store has not answered yet, in order.
#[derive(Default)]
struct UnderWay<'s> {
    batches: VecDeque<(Vec<Item>, Answer<'s, Vec<Outcome>>)>,
    /// How many drafts there are in them.
    drafts: usize,
}

impl<'s> UnderWay<'s> {
    fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    fn push(&mut self, batch: Vec<Item>, answer: Answer<'s, Vec<Outcome>>) {
        self.drafts += batch.len();
        self.batches.push_back((batch, answer));
    }

    /// Waits for the oldest batch. Those behind it that are stored by then come with it, as one
    /// transaction stores many, up to about [`BATCH_MAX`] entries. Nothing is lost if the future is
    /// dropped while it waits.
    async fn news(&mut self) -> News {
        let mut news = News::default();
        let mut wait = true;
        while let Some((_, answer)) = self.batches.front_mut()
            && news.entries < BATCH_MAX
        {
            let outcomes = match wait {
                true => answer.await,
                false => match poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await {
                    Poll::Ready(outcomes) => outcomes,
                    Poll::Pending => break,
                },
            };
            wait = false;
            let Some((batch, _)) = self.batches.pop_front() else { break };
            self.drafts -= batch.len();
            news.add(batch, outcomes);
        }
        news
    }
}

/// What everybody is to see, and what authors are to be told.
#[derive(Default)]
struct News {
    /// By room, in the order in which they come first.
    rooms: Vec<(Arc<Room>, Vec<Entry>)>,
    places: HashMap<RoomId, usize>,
    entries: usize,
    mail: Vec<(Arc<Peer>, Option<Mail>)>,
}

impl News {
    /// Adds a batch: what was stored of it, and what need not be.
    fn add(&mut self, batch: Vec<Item>, outcomes: Result<Vec<Outcome>, StoreError>) {
        let mut outcomes = match outcomes {
            Ok(outcomes) => Some(outcomes.into_iter()),
            Err(error) => {
                tracing::error!(%error, entries = batch.len(), "a batch was not stored");
                None
            }
        };
        for Item { room, entry, receipt } in batch {
            let Some(Receipt { author, id, seq }) = receipt else {
                self.show(room, entry);
                continue;
            };
            let outcome = match &mut outcomes {
                Some(outcomes) => outcomes.next(),
                None => None,
            };
            let mail = match outcome {
                Some(Outcome::Stored) => {
                    let mail = id.map(|id| Mail::Stored { id, room: room.name.clone(), seq });
                    self.show(room, entry);
                    mail
                }
                Some(Outcome::Known { room, seq }) => id.map(|id| Mail::Stored { id, room, seq }),
                Some(Outcome::Reused) => Some(Mail::Refused { id, error: id_reused() }),
                Some(Outcome::NoRoom) => Some(Mail::Refused { id, error: no_such_room(&room.name) }),
                Some(Outcome::Gone) => Some(Mail::Refused { id, error: no_such_message() }),
                None => {
                    Some(Mail::Refused { id, error: busy("The server cannot store messages at the moment") })
                }
            };
            self.mail.push((author, mail));
        }
    }

    fn show(&mut self, room: Arc<Room>, entry: Entry) {
        let place = *self.places.entry(room.id).or_insert(self.rooms.len());
        if place == self.rooms.len() {
            self.rooms.push((room, Vec::new()));
        }
        self.rooms[place].1.push(entry);
        self.entries += 1;
    }

    /// Shows everybody what is new, and tells the authors what became of what they sent.
    fn publish(self) {
        for (room, entries) in self.rooms {
            room.publish(entries);
        }
        for (author, mail) in self.mail {
            if let Some(mail) = mail {
                author.post(mail);
            }
            author.draft_settled();
        }
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
