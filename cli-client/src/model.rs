//! All that the client knows. It changes in [`update`](crate::update) only, and knows no socket,
//! no screen and no clock.

use std::collections::VecDeque;
use std::time::Duration;

use crosstalk_protocol::{Command, Nick, Request, RequestId, RoomName, Seq, Target, Token};

use crate::backoff::Backoff;
use crate::commands::Order;
use crate::outbox::Outbox;
use crate::rooms::Rooms;

/// The client's state.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    /// Who the user is, or wants to be.
    pub(crate) nick: Nick,
    /// The server's address, for the words about it.
    pub(crate) server: String,
    /// Who is served.
    pub(crate) front: Front,
    /// By which the server knows the user again.
    pub(crate) token: Option<Token>,
    /// Tells this run of the client from the user's other clients.
    pub(crate) client: RequestId,
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
    /// What was typed and has to wait: for that, for the first welcome, for the number of a message.
    pub(crate) deferred: VecDeque<Order>,
    /// What means a message that is looked for in the log. What is typed behind it waits.
    pub(crate) sought: Option<Sought>,
    /// Rooms whose last messages are to be shown, once they have come.
    pub(crate) entering: Vec<Entering>,
    /// What was looked for last.
    pub(crate) search: Option<Search>,
    /// Whether a room's last messages are shown on entering it.
    pub(crate) backlog: bool,
    /// Whether anybody looks at what is shown.
    pub(crate) attention: bool,
    /// Whether the server has just been told what has been read.
    pub(crate) reading: bool,
    /// Requests other than messages that are not answered yet, so that one that came too fast can
    /// be made again.
    pub(crate) asked: Vec<Request>,
    /// Those that came too fast.
    pub(crate) postponed: Vec<Request>,
    /// Whether the user is out of sight, also after coming back.
    pub(crate) hidden: bool,
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

/// Who is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    /// Somebody at a terminal, who reads what is shown, and for whom no wait is too long.
    Terminal,
    /// A program, which is told of a lost connection after so long.
    Pipe(Duration),
}

/// A command that means a message which is looked for in its room's log.
#[derive(Clone, Debug)]
pub(crate) struct Sought {
    /// The request.
    pub(crate) id: RequestId,
    /// What is to be carried out.
    pub(crate) order: Order,
}

/// A room whose last messages were asked for on entering it.
#[derive(Clone, Debug)]
pub(crate) struct Entering {
    /// The request.
    pub(crate) id: RequestId,
    /// The room.
    pub(crate) room: RoomName,
    /// How far it had been read then.
    pub(crate) read: Option<Seq>,
    /// How many messages were behind that.
    pub(crate) unread: usize,
}

/// What was looked for last, so that older messages with the same words can be had.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    /// The request.
    pub(crate) id: RequestId,
    /// Where.
    pub(crate) of: Target,
    /// The words.
    pub(crate) words: String,
    /// The oldest message shown, where there are older ones.
    pub(crate) before: Option<Seq>,
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
    pub(crate) fn new(nick: Nick, server: String, rooms: Rooms, front: Front, seed: u64) -> Self {
        let client = RequestId::new(&format!("{seed:x}")).expect("a number of 64 bits has 16 digits at most");
        Self {
            nick,
            server,
            front,
            token: None,
            client,
            link: Link::Connecting,
            history: Acquaintance::Stranger,
            rooms,
            outbox: Outbox::new(seed),
            awaited: None,
            deferred: VecDeque::new(),
            sought: None,
            entering: Vec::new(),
            search: None,
            backlog: front == Front::Terminal,
            attention: true,
            reading: false,
            asked: Vec::new(),
            postponed: Vec::new(),
            hidden: false,
            ending: false,
            backoff: Backoff::new(seed),
            trouble: None,
            listed: Listed::default(),
            renamed: None,
        }
    }

    /// The first thing to say, now or again.
    pub(crate) fn hello(&self) -> Request {
        let rooms = self.rooms.to_enter();
        // Whoever has been here before is let in where they were, unless they ask for more.
        let as_before = self.history < Acquaintance::Welcomed
            && self.token.is_some()
            && rooms.iter().all(|entry| entry.room.is_lobby());
        let command = Command::Hello {
            nick: self.nick.clone(),
            token: self.token.clone(),
            client: Some(self.client.clone()),
            rooms: (!as_before).then_some(rooms),
            hidden: self.hidden,
        };
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
