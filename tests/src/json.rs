//! A program: JSON objects over TCP or over a WebSocket.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::{TestServer, within};

/// A peer that speaks JSON. Events wait in its inbox, in the order in which they came, until a
/// test takes them.
pub struct JsonClient {
    name: String,
    transport: Transport,
    inbox: VecDeque<Value>,
    close_code: Option<u16>,
}

enum Transport {
    Tcp { reader: BufReader<OwnedReadHalf>, writer: OwnedWriteHalf },
    WebSocket(Box<WebSocketStream<TcpStream>>),
}

impl JsonClient {
    /// Connects over TCP and says nothing.
    pub async fn tcp(address: SocketAddr) -> Self {
        let stream = within("a connection", TcpStream::connect(address)).await.expect("the port is open");
        Self::over(stream)
    }

    /// Speaks JSON lines over a connection made otherwise.
    pub fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a socket takes options");
        let (reader, writer) = stream.into_split();
        Self::new(Transport::Tcp { reader: BufReader::new(reader), writer })
    }

    /// Connects over a WebSocket and says nothing.
    pub async fn websocket(address: SocketAddr) -> Self {
        let stream = within("a connection", TcpStream::connect(address)).await.expect("the port is open");
        stream.set_nodelay(true).expect("a socket takes options");
        let handshake = tokio_tungstenite::client_async(format!("ws://{address}/ws"), stream);
        let (socket, _) = within("a handshake", handshake).await.expect("the handshake succeeds");
        Self::new(Transport::WebSocket(Box::new(socket)))
    }

    fn new(transport: Transport) -> Self {
        Self { name: "somebody".to_owned(), transport, inbox: VecDeque::new(), close_code: None }
    }

    /// Connects over TCP and is let in as `nick`.
    pub async fn enter(server: &TestServer, nick: &str) -> Self {
        let mut client = Self::tcp(server.tcp()).await;
        client.hello(json!({ "nick": nick })).await;
        client
    }

    /// Connects over a WebSocket and is let in as `nick`.
    pub async fn enter_websocket(server: &TestServer, nick: &str) -> Self {
        let mut client = Self::websocket(server.http()).await;
        client.hello(json!({ "nick": nick })).await;
        client
    }

    /// Says hello with these fields and takes the `welcome`.
    pub async fn hello(&mut self, mut fields: Value) -> Value {
        fields["type"] = json!("hello");
        self.name = fields["nick"].as_str().unwrap_or("somebody").to_owned();
        self.send(fields).await;
        let welcome = self.event().await;
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        welcome
    }

    /// Sends one object.
    pub async fn send(&mut self, frame: Value) {
        self.send_text(&frame.to_string()).await;
    }

    /// Sends a text that need not be an object.
    pub async fn send_text(&mut self, text: &str) {
        let what = format!("{} to send", self.name);
        within(&what, self.try_send_text(text)).await.expect("the server reads");
    }

    /// Sends a text to a server that may have closed.
    pub async fn try_send_text(&mut self, text: &str) -> std::io::Result<()> {
        match &mut self.transport {
            Transport::Tcp { writer, .. } => writer.write_all(format!("{text}\n").as_bytes()).await,
            Transport::WebSocket(socket) => {
                socket.send(Message::text(text)).await.map_err(std::io::Error::other)
            }
        }
    }

    /// Sends bytes as they are; over TCP only.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        let Transport::Tcp { writer, .. } = &mut self.transport else { panic!("a WebSocket has frames") };
        within("bytes to be sent", writer.write_all(bytes)).await.expect("the server reads");
    }

    /// Sends one object with an id of its own, and waits for the answer that carries it. Events
    /// that come before it stay in the inbox.
    pub async fn request(&mut self, mut frame: Value) -> Value {
        // No other client's, since it may be the same person's.
        static LAST: AtomicU64 = AtomicU64::new(0);
        let id = format!("request-{}", LAST.fetch_add(1, Ordering::Relaxed));
        frame["id"] = json!(id);
        let unread = self.inbox.len();
        self.send(frame).await;
        self.take_behind(unread, |event| event["id"] == *id).await
    }

    /// Sends a message to a room and waits until it is in the log; hands over its number.
    pub async fn say(&mut self, room: &str, text: &str) -> u64 {
        let ack = self.request(json!({ "type": "send", "room": room, "text": text })).await;
        assert_eq!(ack["type"], "ack", "{ack}");
        ack["seq"].as_u64().expect("an ack has a number")
    }

    /// The next event.
    ///
    /// # Panics
    /// If the connection ends instead.
    pub async fn event(&mut self) -> Value {
        self.next().await.unwrap_or_else(|| panic!("{}'s connection ended", self.name))
    }

    /// The next event; `None` at the end of the connection.
    pub async fn next(&mut self) -> Option<Value> {
        match self.inbox.pop_front() {
            Some(event) => Some(event),
            None => self.receive().await,
        }
    }

    /// The next event that passes `test`; those before it stay where they are.
    pub async fn take(&mut self, test: impl Fn(&Value) -> bool) -> Value {
        self.take_behind(0, test).await
    }

    /// The same, when the first `looked_at` events of the inbox are known not to pass.
    async fn take_behind(&mut self, mut looked_at: usize, test: impl Fn(&Value) -> bool) -> Value {
        loop {
            if let Some(at) = self.inbox.iter().skip(looked_at).position(&test) {
                return self.inbox.remove(looked_at + at).expect("it was just found there");
            }
            looked_at = self.inbox.len();
            match self.receive().await {
                Some(event) => self.inbox.push_back(event),
                None => panic!("{}'s connection ended; unread: {:?}", self.name, self.inbox),
            }
        }
    }

    /// The next event of a type; those before it stay where they are.
    pub async fn take_type(&mut self, kind: &str) -> Value {
        self.take(|event| event["type"] == kind).await
    }

    /// The next message's author and text; other events before it stay where they are.
    pub async fn message(&mut self) -> (String, String) {
        let message = self.take_type("message").await;
        let field = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
        (field("from"), field("text"))
    }

    /// Forgets what has arrived and was not taken, and hands it over. A `ping` marks the place:
    /// whatever was on its way to this peer before it is included.
    pub async fn drain(&mut self) -> Vec<Value> {
        let pong = self.request(json!({ "type": "ping" })).await;
        assert_eq!(pong["type"], "pong");
        self.inbox.drain(..).collect()
    }

    /// Everything up to the end of the connection.
    pub async fn rest(&mut self) -> Vec<Value> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }

    /// The close code of a WebSocket that has ended.
    pub fn close_code(&self) -> Option<u16> {
        self.close_code
    }

    async fn receive(&mut self) -> Option<Value> {
        let text = self.receive_text().await?;
        let event =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text:?} is no JSON: {error}"));
        Some(event)
    }

    async fn receive_text(&mut self) -> Option<String> {
        let what = Awaited { name: &self.name, inbox: &self.inbox };
        match &mut self.transport {
            Transport::Tcp { reader, .. } => {
                let mut line = String::new();
                match within(what, reader.read_line(&mut line)).await {
                    Ok(_) if !line.ends_with('\n') => None,
                    Err(_) => None,
                    // A client may have been slow enough to be greeted as a person.
                    Ok(_) => line.find('{').map(|start| line[start..].to_owned()),
                }
            }
            Transport::WebSocket(socket) => loop {
                match within(&what, socket.next()).await {
                    Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                    Some(Ok(Message::Close(frame))) => {
                        self.close_code = frame.map(|frame| frame.code.into());
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return None,
                }
            },
        }
    }
}

/// What is waited for, in words that are only made if it does not come.
struct Awaited<'a> {
    name: &'a str,
    inbox: &'a VecDeque<Value>,
}

impl fmt::Display for Awaited<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "an event for {}, who has unread: {:?}", self.name, self.inbox)
    }
}
