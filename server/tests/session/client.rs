//! A session with nobody behind it but the test.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crosstalk_protocol::{
    Command, Entered, EntryRoom, ErrorCode, Event, Nick, Request, RequestId, RoomName, Target, Text, Token,
    json,
};
use crosstalk_server::hub::Hub;
use crosstalk_server::limits::WRITE_MAX;
use crosstalk_server::segment::Encoding;
use crosstalk_server::sequencer;
use crosstalk_server::session::{Refusal, Reply, Session, Told};
use crosstalk_server::store::{Ephemeral, Store};

use crate::keeper::Scratch;

pub(crate) async fn hub(store: Arc<dyn Store>) -> Arc<Hub> {
    hub_with(store, |_| {}).await
}

/// A hub that is told something before it begins.
pub(crate) async fn hub_with(store: Arc<dyn Store>, tell: impl FnOnce(&mut Hub)) -> Arc<Hub> {
    let (mut hub, drafts) = Hub::new(store.clone()).await.unwrap();
    tell(&mut hub);
    tokio::spawn(sequencer::run(drafts, store));
    Arc::new(hub)
}

/// A hub on each kind of store.
pub(crate) async fn hubs() -> [(Option<Scratch>, Arc<Hub>); 2] {
    let scratch = Scratch::new();
    let durable = hub(scratch.store()).await;
    [(None, hub(Arc::new(Ephemeral::default())).await), (Some(scratch), durable)]
}

pub(crate) struct Client {
    pub(crate) session: Session,
    /// Of the lobby, as the welcome has it.
    pub(crate) epoch: u64,
    welcome: Event,
}

/// What somebody says of themselves besides their nickname.
#[derive(Default)]
pub(crate) struct Hello {
    pub(crate) token: Option<Token>,
    pub(crate) client: Option<&'static str>,
    pub(crate) rooms: Option<Vec<EntryRoom>>,
    pub(crate) opened: u64,
}

impl Client {
    pub(crate) async fn enter(hub: &Arc<Hub>, nick: &str, rooms: Option<Vec<EntryRoom>>) -> Self {
        Self::hello(hub, nick, Hello { rooms, ..Hello::default() }).await.unwrap()
    }

    /// Comes back as who they were.
    pub(crate) async fn resume(hub: &Arc<Hub>, nick: &str, token: &Token) -> Self {
        Self::hello(hub, nick, Hello { token: Some(token.clone()), ..Hello::default() }).await.unwrap()
    }

    pub(crate) async fn hello(hub: &Arc<Hub>, nick: &str, hello: Hello) -> Result<Self, ErrorCode> {
        let Hello { token, client, rooms, opened } = hello;
        let mut session = Session::new(hub.clone(), None).opened_as(opened);
        let nick = Nick::parse(nick).unwrap();
        let client = client.and_then(RequestId::new);
        let command = Command::Hello { nick, token, client, rooms, hidden: false };
        let welcome = match session.handle(Request { id: None, command }).await {
            Ok(Reply::Event(welcome)) => welcome,
            Err(Refusal::Error(error)) => return Err(error.code),
            other => panic!("{other:?}"),
        };
        let Event::Welcome { ref rooms, .. } = welcome else { panic!("{welcome:?}") };
        let epoch = rooms.first().map_or(0, |room| room.position.epoch);
        Ok(Self { session, epoch, welcome })
    }

    /// What they are known by.
    pub(crate) fn token(&self) -> Token {
        let Event::Welcome { token, .. } = &self.welcome else { panic!("{:?}", self.welcome) };
        token.clone().unwrap()
    }

    /// The rooms that they were in when they came.
    pub(crate) fn rooms(&self) -> Vec<Entered> {
        let Event::Welcome { rooms, .. } = &self.welcome else { panic!("{:?}", self.welcome) };
        rooms.clone()
    }

    /// Whether they were known when they came, and out of sight.
    pub(crate) fn resumed_and_hidden(&self) -> (bool, bool) {
        let Event::Welcome { resumed, hidden, .. } = self.welcome else { panic!("{:?}", self.welcome) };
        (resumed, hidden)
    }

    pub(crate) async fn ask(&mut self, command: Command) -> Result<Option<Event>, ErrorCode> {
        let id = label();
        self.ask_as(&id, command).await
    }

    /// Asks under a label of the test's choice.
    pub(crate) async fn ask_as(&mut self, id: &str, command: Command) -> Result<Option<Event>, ErrorCode> {
        let request = Request { id: RequestId::new(id), command };
        match self.session.handle(request).await {
            Ok(Reply::Event(event)) => Ok(Some(event)),
            Ok(Reply::None) => Ok(None),
            Err(Refusal::Error(error)) => Err(error.code),
            Err(Refusal::Disconnect(code)) => panic!("disconnected: {code:?}"),
        }
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.send(text).await;
        self.settle().await;
    }

    pub(crate) async fn send(&mut self, text: &str) {
        let to = Target::Room(RoomName::lobby());
        let text = Text::clean(text).unwrap();
        assert_eq!(self.ask(Command::Send { to, text, action: false, reply: None }).await, Ok(None));
    }

    /// Waits until everything that was sent is in the log.
    pub(crate) async fn settle(&mut self) {
        while self.session.in_flight() > 0 {
            poll_fn(|context| self.session.poll_rung(context)).await;
        }
    }

    /// Everything that is new now, as a JSON client decodes it, without news about people.
    pub(crate) async fn read(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let mut told = Vec::new();
            if self.session.read(Encoding::Json, WRITE_MAX, |news| told.push(news)).unwrap() {
                self.session.catch_up(Encoding::Json, WRITE_MAX, |news| told.push(news)).await.unwrap();
            }
            if told.is_empty() {
                return events;
            }
            for news in told {
                match news {
                    Told::Event(event) => events.push(event),
                    Told::Run(bytes) => events.extend(
                        bytes
                            .split(|byte| *byte == b'\n')
                            .filter(|line| !line.is_empty())
                            .map(|line| json::decode_event(line).unwrap()),
                    ),
                }
            }
            events.retain(|event| !matches!(event, Event::Presence(_)));
        }
    }
}

pub(crate) fn texts(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Message(message) => Some(message.text.to_string()),
            _ => None,
        })
        .collect()
}

/// A label that no other request has.
fn label() -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    format!("r{}", LAST.fetch_add(1, Ordering::Relaxed) + 1)
}
