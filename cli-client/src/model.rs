//! All that the client knows. It changes in [`update`](crate::update) only, and knows no socket,
//! no screen and no clock.

use std::collections::VecDeque;

use crosstalk_protocol::{Command, Nick, Request, RequestId, Target};

use crate::backoff::Backoff;
use crate::outbox::Outbox;
use crate::rooms::Rooms;

/// The client's state.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    /// Who the user is, or wants to be.
    pub(crate) nick: Nick,
    /// The server's address, for the words about it.
    pub(crate) server: String,
    /// Whether to come back after a lost connection.
    pub(crate) persistent: bool,
    /// How the connection stands.
    pub(crate) link: Link,
    /// Whether the server has answered at all, and has let the user in.
    pub(crate) history: Acquaintance,
    /// Where the user is.
    pub(crate) rooms: Rooms,
    /// What the user wrote and the server has not acknowledged.
    pub(crate) outbox: Outbox,
    /// A request that changes where lines go. What is typed behind it waits for its answer.
    pub(crate) awaited: Option<Request>,
    /// What was typed behind it.
    pub(crate) deferred: VecDeque<String>,
    /// Requests other than messages that are not answered yet, so that one that came too fast can
    /// be made again.
    pub(crate) asked: Vec<Request>,
    /// Those that came too fast.
    pub(crate) postponed: Vec<Request>,
    /// The look into a room's log for unsure messages, and for which of them.
    pub(crate) check: Option<(RequestId, Target)>,
    /// Whether the user is out of sight, also after coming back.
    pub(crate) hidden: bool,
    /// The request to be out of sight again, whose answer is no news.
    pub(crate) hiding_again: Option<RequestId>,
    /// Whether to leave once everything has been sent.
    pub(crate) ending: bool,
    /// Times between attempts to connect.
    pub(crate) backoff: Backoff,
    /// The trouble that was last spoken of; the same is not repeated at each attempt.
    pub(crate) trouble: Option<String>,
    /// How far a list of members has been shown.
    pub(crate) listed: Listed,
    /// The renaming that was last spoken of; it comes once for each shared room.
    pub(crate) renamed: Option<(Nick, Nick)>,
}

/// How the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// It is being made.
    Connecting,
    /// Hello has been said.
    Greeting,
    /// It stands, and another nickname is awaited.
    AskingNick,
    /// The user is in.
    Online,
    /// It is lost; there will be another attempt, or, without a nickname, none before there is one.
    Offline,
    /// Quit has been said.
    Leaving,
}

/// How well the server is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(crate) enum Acquaintance {
    /// It has never answered.
    Stranger,
    /// There was a connection.
    Met,
    /// The user was in.
    Welcomed,
}

/// How far a list of members has been shown, so that its next page is numbered on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listed {
    /// The last name shown.
    pub(crate) last: Option<Nick>,
    /// Its number.
    pub(crate) up_to: usize,
    /// The number before the first name of the page that is awaited.
    pub(crate) before: usize,
}

impl Model {
    /// A client that is about to connect, to enter `rooms`. `seed` feeds everything random.
    pub(crate) fn new(nick: Nick, server: String, rooms: Rooms, persistent: bool, seed: u64) -> Self {
        Self {
            nick,
            server,
            persistent,
            link: Link::Connecting,
            history: Acquaintance::Stranger,
            rooms,
            outbox: Outbox::new(seed),
            awaited: None,
            deferred: VecDeque::new(),
            asked: Vec::new(),
            postponed: Vec::new(),
            check: None,
            hidden: false,
            hiding_again: None,
            ending: false,
            backoff: Backoff::new(seed),
            trouble: None,
            listed: Listed::default(),
            renamed: None,
        }
    }

    /// The first thing to say, now or again.
    pub(crate) fn hello(&self) -> Request {
        let rooms = Some(self.rooms.to_enter());
        let nick = self.nick.clone();
        let command = Command::Hello { nick, token: None, client: None, rooms, hidden: false };
        Request { id: None, command }
    }

    /// A labelled request, whose answer is awaited.
    pub(crate) fn request(&mut self, command: Command) -> Request {
        let request = Request { id: Some(self.outbox.next_id()), command };
        self.asked.push(request.clone());
        request
    }

    /// The request with this label was answered, and is handed over; `None` if it was a message.
    pub(crate) fn answered(&mut self, id: &RequestId) -> Option<Request> {
        let index = self.asked.iter().position(|request| request.id.as_ref() == Some(id))?;
        Some(self.asked.remove(index))
    }
}
