//! Where what happened outlives memory. The sequencer appends a batch and waits before anybody sees
//! it; a cursor that has fallen behind the memory reads pages; somebody who comes back is looked up.
//!
//! Everything that changes a store is queued, in order, when its method is called, and not only when
//! its answer is awaited: who needs no answer drops it. Reading never waits for writing.

mod ephemeral;
mod retention;
mod sqlite;
mod words;

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crosstalk_protocol::{
    Deleted, Edited, HistoryRange, Message, Nick, Record, RequestId, RoomName, Seq, Token,
};
use sha2::{Digest, Sha256};
use thiserror::Error;

pub use ephemeral::Ephemeral;
pub use retention::{Expiry, Retention};
pub use sqlite::{Archive, Backup, BackupError, Durability, Fault, OpenError, Report, Sqlite, SqliteOptions};
pub use words::Words;

/// A pending answer of a store.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Why a store could not do what it was asked. The log has the details; peers are told to try again.
#[derive(Debug, Error)]
#[error("the store failed: {0}")]
pub struct StoreError(pub String);

/// A room, as long as the data lives. Numbers are never given twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct RoomId(pub u32);

/// A person, as long as the data lives: 63 bits, at random.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UserId(pub u64);

/// What is kept of a [`Token`], so that no copy of the data lets anybody in: its SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenHash(…)")
    }
}

/// An entry that is to be stored, and numbered already.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The room's number; its name is in the record.
    pub room: RoomId,
    /// Who wrote it.
    pub author: UserId,
    /// The author's label, if they gave one: the same one of the same author is stored once.
    pub id: Option<RequestId>,
    /// What is stored.
    pub record: Record,
}

/// What became of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is stored.
    Stored,
    /// The author has sent the same before, under the same label; it is there.
    Known {
        /// In which room.
        room: RoomName,
        /// Under which number.
        seq: Seq,
    },
    /// The author has used the label for something else; nothing was stored.
    Reused,
    /// It changes a message that is gone; nothing was stored.
    Gone,
    /// It is for a room that is not there, or not any more; nothing was stored.
    NoRoom,
}

/// A room that is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRoom {
    /// Its number.
    pub id: RoomId,
    /// Its name, as it was created.
    pub name: RoomName,
    /// The life of its log.
    pub epoch: u64,
    /// The number of its newest entry; 0 if there has been none.
    pub last_seq: Seq,
    /// Entries up to this number were removed by retention.
    pub expired: Seq,
    /// In a direct conversation, the two.
    pub pair: Option<[UserId; 2]>,
    /// Whether one of the two has left a direct conversation for good.
    pub ended: bool,
    /// How many people who can come back are in it, here or not. Of a public room only.
    pub seats: usize,
}

/// A person who can come back.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredUser {
    /// Who.
    pub id: UserId,
    /// The nickname last used.
    pub nick: Nick,
    /// Whether they were out of sight.
    pub hidden: bool,
    /// The rooms they are in, in the order in which they came into them.
    pub seats: Vec<StoredSeat>,
}

/// Somebody's place in a room.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSeat {
    /// The room.
    pub room: StoredRoom,
    /// The last entry that they have read, or had behind them when they came in.
    pub read: Seq,
    /// In a direct conversation, the other person.
    pub with: Option<Partner>,
}

/// The other person of a direct conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Partner {
    /// Who.
    pub id: UserId,
    /// The nickname they used last.
    pub nick: Nick,
    /// Whether they can come back.
    pub returns: bool,
}

/// A message and who wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct Authored {
    /// Who wrote it.
    pub author: UserId,
    /// The message.
    pub message: Message,
}

/// A change of who and what there is, besides the entries of logs.
#[derive(Clone, Debug)]
pub enum Change {
    /// A room was created. Its id, name and epoch are new.
    CreateRoom(StoredRoom),
    /// A room, and all that was said in it, is gone.
    RemoveRoom(RoomId),
    /// Somebody is here under this nickname, and is known by this token when they come back.
    SaveUser {
        /// Who.
        id: UserId,
        /// Their token.
        token: TokenHash,
        /// Their nickname.
        nick: Nick,
        /// Whether they are out of sight.
        hidden: bool,
        /// Now, in milliseconds since 1970.
        at: u64,
    },
    /// Somebody who can come back is in a room now.
    Enter {
        /// Who.
        user: UserId,
        /// The room.
        room: RoomId,
        /// The last entry that was there before.
        read: Seq,
    },
    /// One of the two has left a direct conversation for good.
    EndRoom(RoomId),
    /// Somebody is in a room no longer.
    Leave {
        /// Who.
        user: UserId,
        /// The room.
        room: RoomId,
    },
    /// Somebody has read a room up to an entry. It never moves back.
    Read {
        /// Who.
        user: UserId,
        /// The room.
        room: RoomId,
        /// The last entry read.
        seq: Seq,
    },
    /// People and conversations that are of no use any more can go, by and by.
    TidyUp(Unused),
}

impl Change {
    /// What it is, in words, for the log.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::CreateRoom(_) => "a new room",
            Self::RemoveRoom(_) => "a room that is gone",
            Self::SaveUser { .. } => "who somebody is",
            Self::Enter { .. } => "who is in a room",
            Self::EndRoom(_) => "a conversation that has ended",
            Self::Leave { .. } => "who has left a room",
            Self::Read { .. } => "how far somebody has read",
            Self::TidyUp(_) => "what is of no use any more",
        }
    }
}

/// What tells who and what is of no use any more.
#[derive(Clone, Debug)]
pub struct Unused {
    /// People who were last seen before that, in milliseconds since 1970, can go with their seats.
    pub people_since: u64,
    /// So can those who were last seen before that, have never written anything, and are in no room
    /// but the lobby.
    pub visitors_since: u64,
    /// Which room that is.
    pub lobby: RoomId,
    /// Direct conversations up to this number can go, if nobody has a seat in them,
    pub rooms_until: RoomId,
    /// and if they are none of these, in which there is somebody who cannot come back.
    pub rooms_in_use: HashSet<RoomId>,
}

/// Part of a room's log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The entries, oldest first.
    pub records: Vec<Record>,
    /// Entries up to this number had been removed by retention when these were read.
    pub expired: Seq,
}

/// Part of what a search finds, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hits {
    /// The messages.
    pub messages: Vec<Message>,
    /// Whether there are older ones.
    pub more: bool,
}

/// A keeper of what happened.
pub trait Store: Send + Sync + 'static {
    /// Whether anything outlives memory. A store that is not durable knows no history: what memory
    /// has lost is lost.
    fn is_durable(&self) -> bool;

    /// Appends the entries of one batch, in order within each room, all of which are stored, or none.
    /// Once this has returned they survive whatever the store promises to survive. An edit gives its
    /// target other words, a deletion takes them away. One outcome a draft, in order.
    fn append(&self, batch: Vec<Draft>) -> Answer<'_, Vec<Outcome>>;

    /// Makes a change. Those made earlier, and entries appended earlier, are stored no later.
    fn change(&self, change: Change) -> Answer<'_, ()>;

    /// Every public room that is stored.
    fn rooms(&self) -> Answer<'_, Vec<StoredRoom>>;

    /// The highest number that a room has ever had; 0 if there was none.
    fn last_room(&self) -> Answer<'_, RoomId>;

    /// Whoever has that token, and where they are, with every change that was made before.
    fn user(&self, token: TokenHash) -> Answer<'_, Option<StoredUser>>;

    /// Where the entry is that an author's label stands for, with everything that was asked for before.
    fn labelled<'a>(&'a self, author: UserId, label: &'a RequestId) -> Answer<'a, Option<(RoomName, Seq)>>;

    /// At most `limit` entries of a room, oldest first, as they are now: a message that was changed
    /// has its new words, one that was withdrawn is left out, and so is its change. Fewer, or none, if
    /// the store has no more in that range.
    fn records<'a>(&'a self, room: &'a RoomKey, range: HistoryRange, limit: usize) -> Answer<'a, Page>;

    /// The messages alone.
    fn messages<'a>(
        &'a self,
        room: &'a RoomKey,
        range: HistoryRange,
        limit: usize,
    ) -> Answer<'a, Vec<Message>>;

    /// One message that has not been withdrawn.
    fn message<'a>(&'a self, room: &'a RoomKey, seq: Seq) -> Answer<'a, Option<Authored>>;

    /// The newest message of a room whose author has the nickname `from` or, with `author`, is that
    /// person, and that has not been withdrawn. Only the newest 10,000 entries are looked at.
    fn last_message<'a>(&'a self, room: &'a RoomKey, by: By<'a>) -> Answer<'a, Option<Authored>>;

    /// How many messages of a room stand behind `after`, `max` at most.
    fn unread<'a>(&'a self, room: &'a RoomKey, after: Seq, max: usize) -> Answer<'a, usize>;

    /// At most `limit` messages of a room with all the words, the newest of those before `before`.
    fn search<'a>(
        &'a self,
        room: &'a RoomKey,
        words: &'a Words,
        before: Option<Seq>,
        limit: usize,
    ) -> Answer<'a, Hits>;

    /// Why nothing can be stored at the moment, if so.
    fn trouble(&self) -> Option<String>;

    /// Waits until retention has removed something that was not handed over yet: one number a room.
    /// Nothing is lost if the future is dropped.
    fn expiries(&self) -> Pin<Box<dyn Future<Output = Vec<Expiry>> + Send + '_>>;
}

/// By whom a message is.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// Whoever had that name then.
    Nick(&'a Nick),
    /// That person, under whichever name.
    User(UserId),
}

/// A room's number and name: records are stored by the one and shown with the other.
#[derive(Clone, Debug)]
pub struct RoomKey {
    /// The number.
    pub id: RoomId,
    /// The name.
    pub name: RoomName,
}

impl Draft {
    /// What the author's label stands for: it is the same for the same content in the same room, and
    /// does not depend on when it came. Kept on disk, so it must not change.
    ///
    /// What was said to a person is the same in any direct conversation: when its author sends it
    /// again, another person may have the nickname, and with them there is another conversation.
    pub fn digest(&self) -> i64 {
        let mut hash = Sha256::new();
        let to_person = matches!(&self.record, Record::Message(message) if message.room.is_direct());
        hash.update(if to_person { [u8::MAX; 4] } else { self.room.0.to_be_bytes() });
        let (kind, target, mark) = match &self.record {
            Record::Message(Message { action, reply, .. }) => {
                (b'm', reply.as_ref().map_or(0, |reply| reply.seq), u8::from(*action))
            }
            Record::Edited(Edited { target, .. }) => (b'e', *target, 0),
            Record::Deleted(Deleted { target, .. }) => (b'd', *target, 0),
        };
        hash.update([kind, mark]);
        hash.update(target.to_be_bytes());
        hash.update(self.record.text().map_or(b"".as_slice(), |text| text.as_str().as_bytes()));
        let digest: [u8; 32] = hash.finalize().into();
        i64::from_be_bytes(digest[..8].try_into().expect("eight of 32 bytes"))
    }
}

impl TokenHash {
    /// Of a token that somebody showed.
    pub fn of(token: &Token) -> Self {
        Self(Sha256::digest(token.as_str().as_bytes()).into())
    }
}
