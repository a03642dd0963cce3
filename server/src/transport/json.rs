//! The door for programs: JSON, one object a line over TCP or a text message over WebSocket.

use std::task::{Context, Poll};

use crosstalk_protocol::{Command, Disconnect, DisconnectCode, ErrorReply, Event, Request, json};
use tokio::time::Instant;

use crate::connection::Door;
use crate::limits::{HELLO_TIME, WRITE_MAX};
use crate::outgoing::Outgoing;
use crate::segment::Encoding;
use crate::session::{Refusal, Reply, Session, Told};

/// How objects are told apart on the wire.
pub trait Framing: Send + Sync {
    /// How the entries of a log are written.
    const ENCODING: Encoding;

    /// Takes the bytes of one read.
    fn push(&mut self, bytes: &[u8]);

    /// The next whole object, or what is wrong with it.
    ///
    /// # Errors
    /// The end of the connection: the peer closed it, or broke the transport's rules.
    fn next(&mut self, out: &mut Outgoing) -> Result<Option<Result<Vec<u8>, ErrorReply>>, DisconnectCode>;

    /// Writes one event.
    fn encode(&self, event: &Event, out: &mut Vec<u8>);

    /// Writes what stands behind the last event.
    fn close(&mut self, disconnect: &Disconnect, out: &mut Vec<u8>);

    /// When the peer has to be asked for a sign of life, or has failed to give one.
    fn deadline(&self) -> Option<Instant>;

    /// The time is `now`.
    ///
    /// # Errors
    /// The peer gave no sign of life.
    fn tick(&mut self, now: Instant, out: &mut Outgoing) -> Result<(), DisconnectCode>;
}

/// A JSON peer.
pub struct JsonDoor<F> {
    framing: F,
    session: Session,
    hello_by: Instant,
    /// Whether the peer has said goodbye: it goes when what it has sent is in the log.
    leaving: bool,
}

impl<F: Framing> JsonDoor<F> {
    /// A peer that has said nothing yet.
    pub fn new(framing: F, session: Session) -> Self {
        Self { framing, session, hello_by: Instant::now() + HELLO_TIME, leaving: false }
    }

    async fn request(
        &mut self,
        object: Result<Vec<u8>, ErrorReply>,
    ) -> Result<Option<Event>, DisconnectCode> {
        let decoded = object.map_err(|error| (None, error)).and_then(|bytes| {
            json::decode_request(&bytes).map_err(|json::DecodeError { id, error }| (id, error))
        });
        let id = match &decoded {
            Ok(Request { id, .. }) | Err((id, _)) => id.clone(),
        };
        // Who wants to go is not held back.
        let quits = matches!(&decoded, Ok(Request { command: Command::Quit, .. }));
        let admitted = if quits { Ok(()) } else { self.session.admit() };
        let result = match (admitted, decoded) {
            (Err(refusal), _) => Err(refusal),
            (Ok(()), Err((_, error))) => Err(Refusal::Error(error)),
            (Ok(()), Ok(request)) => self.session.handle(request).await,
        };
        match result {
            Ok(Reply::Event(event)) => Ok(Some(event)),
            Ok(Reply::None) => Ok(None),
            Err(Refusal::Error(error)) => Ok(Some(Event::Error { id, error })),
            Err(Refusal::Disconnect(DisconnectCode::Bye)) => {
                self.leaving = true;
                Ok(None)
            }
            Err(Refusal::Disconnect(code)) => Err(code),
        }
    }
}

impl<F: Framing> Door for JsonDoor<F> {
    fn receive(&mut self, bytes: &[u8]) {
        self.framing.push(bytes);
    }

    fn finish(&mut self) {}

    fn accepts_input(&self) -> bool {
        self.session.is_ready()
    }

    async fn handle(&mut self, out: &mut Outgoing) -> Result<bool, DisconnectCode> {
        if !self.session.is_ready() {
            return Ok(false);
        }
        if self.leaving {
            return if self.session.in_flight() > 0 { Ok(false) } else { Err(DisconnectCode::Bye) };
        }
        let Some(object) = self.framing.next(out)? else { return Ok(false) };
        let was_welcome = self.session.is_welcome();
        if let Some(event) = self.request(object).await? {
            out.reply(|bytes| self.framing.encode(&event, bytes));
        }
        if !was_welcome && let Some(nick) = self.session.nick() {
            tracing::Span::current().record("nick", nick.as_str());
        }
        Ok(true)
    }

    fn collect(&mut self, out: &mut Outgoing) -> Result<bool, DisconnectCode> {
        let framing = &self.framing;
        self.session.read(F::ENCODING, WRITE_MAX, |told| put(told, framing, out))
    }

    async fn catch_up(&mut self, out: &mut Outgoing) -> Result<(), DisconnectCode> {
        let framing = &self.framing;
        self.session.catch_up(F::ENCODING, WRITE_MAX, |told| put(told, framing, out)).await
    }

    fn poll_rung(&self, context: &Context<'_>) -> Poll<()> {
        self.session.poll_rung(context)
    }

    fn has_news(&self) -> bool {
        self.session.has_news()
    }

    fn is_busy(&self) -> bool {
        self.session.in_flight() > 0
    }

    fn deadline(&self) -> Option<Instant> {
        let hello_by = (!self.session.is_welcome()).then_some(self.hello_by);
        [hello_by, self.framing.deadline()].into_iter().flatten().min()
    }

    fn tick(&mut self, now: Instant, out: &mut Outgoing) -> Result<(), DisconnectCode> {
        if !self.session.is_welcome() && self.hello_by <= now {
            return Err(DisconnectCode::HelloTimeout);
        }
        self.framing.tick(now, out)
    }

    fn farewell(&mut self, disconnect: &Disconnect, out: &mut Outgoing) {
        self.session.end(disconnect.code == DisconnectCode::Bye);
        let event = Event::Disconnect(disconnect.clone());
        out.reply(|bytes| {
            self.framing.encode(&event, bytes);
            self.framing.close(disconnect, bytes);
        });
    }
}

fn put(told: Told, framing: &impl Framing, out: &mut Outgoing) {
    match told {
        Told::Run(bytes) => out.push(bytes),
        Told::Event(event) => out.reply(|bytes| framing.encode(&event, bytes)),
    }
}

/// One object a line.
#[derive(Default)]
pub struct Lines {
    decoder: crosstalk_protocol::json::LineDecoder,
}

impl Framing for Lines {
    const ENCODING: Encoding = Encoding::Json;

    fn push(&mut self, bytes: &[u8]) {
        self.decoder.push(bytes);
    }

    fn next(&mut self, _: &mut Outgoing) -> Result<Option<Result<Vec<u8>, ErrorReply>>, DisconnectCode> {
        Ok(self.decoder.next_line())
    }

    fn encode(&self, event: &Event, out: &mut Vec<u8>) {
        crate::segment::encode_json(event, out);
    }

    fn close(&mut self, _: &Disconnect, _: &mut Vec<u8>) {}

    // The kernel's keepalive finds dead TCP peers.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn tick(&mut self, _: Instant, _: &mut Outgoing) -> Result<(), DisconnectCode> {
        Ok(())
    }
}
