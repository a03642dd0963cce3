//! The hub's handle on one connection: whose it is, its mailbox, and the doorbell that says that
//! there is something to read. The hub never waits for a peer; it leaves mail and rings.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use crosstalk_protocol::{ErrorReply, Event, RequestId, RoomName, Seq};

use crate::bell::{Bell, Causes};
use crate::hub::Membership;
use crate::limits::{IN_FLIGHT_MAX, MAIL_MAX};
use crate::room::Room;
use crate::store::RoomId;
use crate::user::User;

/// Tells connections apart, for as long as the server runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerId(pub u64);

impl fmt::Display for PeerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What the hub has to say to one connection alone.
#[derive(Debug)]
pub enum Mail {
    /// A draft is in the log.
    Stored {
        /// The label of the request.
        id: RequestId,
        /// Where it is.
        room: RoomName,
        /// Its number.
        seq: Seq,
    },
    /// A draft could not be stored.
    Refused {
        /// The label of the request.
        id: Option<RequestId>,
        /// Why.
        error: ErrorReply,
    },
    /// The peer is in one more room: another connection of the same person has entered it, or
    /// somebody opened a direct conversation.
    Entered(Membership),
    /// The peer is in a room no longer: another connection of the same person has left it.
    Left {
        /// The room.
        room: Arc<Room>,
    },
    /// Something else that another connection of the same person has done.
    Told(Event),
}

/// One connection that has said hello.
pub struct Peer {
    /// Which one.
    pub id: PeerId,
    /// Whose.
    pub user: Arc<User>,
    /// What tells the person's clients apart.
    pub client: Option<RequestId>,
    /// The number of its connection: greater than those of connections that were opened before.
    pub opened: u64,
    mailbox: Mutex<Mailbox>,
    state: State,
}

/// What its task looks at whenever it is woken, kept together: there are many peers to wake, and none of
/// them is in the processor's cache. To align it to a line of that costs each connection 180 bytes.
#[derive(Default)]
struct State {
    bell: Bell,
    /// How much is in the mailbox.
    mail: AtomicU32,
    in_flight: AtomicU32,
    arrived: AtomicBool,
    replaced: AtomicBool,
}

impl Peer {
    /// A connection of `user`.
    pub fn new(id: PeerId, user: Arc<User>, client: Option<RequestId>, opened: u64) -> Self {
        Self { id, user, client, opened, mailbox: Mutex::default(), state: State::default() }
    }

    /// Notes that the connection is in all rooms of its person.
    pub(crate) fn arrive(&self) {
        self.state.arrived.store(true, Ordering::Relaxed);
    }

    /// Whether it is in all rooms of its person: until then, it is let into none by others.
    pub(crate) fn has_arrived(&self) -> bool {
        self.state.arrived.load(Ordering::Relaxed)
    }

    /// Says that the same client has come back over another connection. The hub knows this one no
    /// longer; its task is told to end it.
    pub(crate) fn replace(&self) {
        self.state.replaced.store(true, Ordering::Release);
        self.ring();
    }

    /// Whether the same client has come back over another connection.
    pub fn is_replaced(&self) -> bool {
        self.state.replaced.load(Ordering::Acquire)
    }

    /// Leaves mail and rings. A session takes no requests while its mailbox is full, so that it holds
    /// a bounded number of answers; of what others cause, the mailbox holds [`MAIL_MAX`] at most.
    pub fn post(&self, mail: Mail) {
        let mut mailbox = lock(&self.mailbox);
        mailbox.put(mail);
        self.state.mail.store(mailbox.mail.len() as u32, Ordering::Relaxed);
        drop(mailbox);
        self.ring();
    }

    /// How much mail waits.
    pub fn mail_len(&self) -> usize {
        self.state.mail.load(Ordering::Relaxed) as usize
    }

    /// Empties the mailbox.
    pub fn take_mail(&self) -> Vec<Mail> {
        let mut mailbox = lock(&self.mailbox);
        self.state.mail.store(0, Ordering::Relaxed);
        mailbox.from_others = 0;
        std::mem::take(&mut mailbox.mail)
    }

    /// Whether more of others has come than the mailbox could hold: what is missing cannot be told any
    /// more, and the connection has to end.
    pub fn is_overrun(&self) -> bool {
        lock(&self.mailbox).overrun
    }

    /// Says that there is mail, or something else for this connection alone.
    pub fn ring(&self) {
        self.state.bell.ring(Causes::OWN);
    }

    /// Says that there is something to read in a room.
    pub(crate) fn ring_for(&self, room: RoomId) {
        self.state.bell.ring(Causes::room(room));
    }

    /// Ready if somebody has rung since it was last ready or answered.
    pub fn poll_rung(&self, context: &Context<'_>) -> Poll<()> {
        self.state.bell.poll_rung(context)
    }

    /// Whether there is a ring that has not been answered.
    pub(crate) fn is_rung(&self) -> bool {
        self.state.bell.is_unanswered()
    }

    /// For what it was rung since the last answer.
    pub(crate) fn answer(&self) -> Causes {
        self.state.bell.answer()
    }

    /// Counts a draft that is on its way.
    pub(crate) fn draft_sent(&self) {
        self.state.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a draft that has arrived. Who was at the limit, or about to leave, is rung.
    pub(crate) fn draft_settled(&self) {
        let before = self.state.in_flight.fetch_sub(1, Ordering::Release);
        if before as usize == IN_FLIGHT_MAX || before == 1 {
            self.ring();
        }
    }

    /// Drafts that are on their way into a log.
    pub fn in_flight(&self) -> usize {
        self.state.in_flight.load(Ordering::Acquire) as usize
    }
}

/// Mail that waits.
#[derive(Default)]
struct Mailbox {
    mail: Vec<Mail>,
    /// How much of it are no answers.
    from_others: usize,
    /// Whether there was more of that than fits.
    overrun: bool,
}

impl Mailbox {
    fn put(&mut self, mail: Mail) {
        if !mail.is_answer() {
            if self.overrun {
                return;
            }
            if let Some(at) = self.mail.iter().position(|earlier| mail.supersedes(earlier)) {
                // It does not take the other's place: it may be about a room that was entered since.
                self.mail.remove(at);
            } else if self.from_others < MAIL_MAX {
                self.from_others += 1;
            } else {
                self.overrun = true;
                self.from_others = 0;
                self.mail.retain(Mail::is_answer);
                return;
            }
        }
        self.mail.push(mail);
    }
}

impl Mail {
    /// Whether it answers what the peer itself has sent.
    fn is_answer(&self) -> bool {
        matches!(self, Self::Stored { .. } | Self::Refused { .. })
    }

    /// Whether nobody needs to be told the earlier one behind which this comes.
    fn supersedes(&self, earlier: &Self) -> bool {
        let (Self::Told(this), Self::Told(earlier)) = (self, earlier) else { return false };
        match (this, earlier) {
            (Event::Read { room, .. }, Event::Read { room: earlier, .. }) => room == earlier,
            (Event::Nick { .. }, Event::Nick { .. }) | (Event::Hidden { .. }, Event::Hidden { .. }) => true,
            _ => false,
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Peer").field("id", &self.id).field("user", &self.user).finish_non_exhaustive()
    }
}

/// Locks. What the project guards with a mutex is whole between any two statements, so that a
/// panic elsewhere does not spoil it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
