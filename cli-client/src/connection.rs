//! One connection to the server: a task that owns the socket, behind two bounded channels.
//!
//! TCP and WebSocket differ only in how a frame travels; [`frames`] hides that. Reading and
//! writing run side by side, so that neither waits for the other, and the task ends when the
//! [`Connection`] is dropped. A silent server is asked for a sign of life and given up without one.

use std::time::Duration;

use crosstalk_protocol::{Command, Request, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::address::Address;
use crate::frames::{self, FrameReader, FrameWriter};
use crate::message::Message;

/// How long making a connection may take, name lookup and handshake included.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// After so long without a byte the server is asked for a sign of life.
const SILENCE: Duration = Duration::from_secs(30);

/// How long the answer to that may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// How long the server may take nothing of what is written.
const WRITE_LIMIT: Duration = Duration::from_secs(20);

/// Requests that may wait for the socket. What a person types never fills it while the server
/// reads: messages keep to a window of their own.
const OUTGOING: usize = 1024;

/// Events that may wait for the screen; beyond, the server is read no further.
const INCOMING: usize = 256;

/// A connection that is being made or stands. It reports [`Message::Connected`], then
/// [`Message::Received`], and [`Message::Lost`] last.
pub(crate) struct Connection {
    outgoing: mpsc::Sender<Request>,
    incoming: mpsc::Receiver<Message>,
    task: JoinHandle<()>,
}

impl Connection {
    /// Begins to connect to `address`.
    pub(crate) fn open(address: Address) -> Self {
        let (outgoing, requests) = mpsc::channel(OUTGOING);
        let (messages, incoming) = mpsc::channel(INCOMING);
        let pings = outgoing.downgrade();
        let task = tokio::spawn(async move {
            let reason = match timeout(CONNECT_LIMIT, connect(&address)).await {
                Err(_) => format!("no answer within {} seconds", CONNECT_LIMIT.as_secs()),
                Ok(Err(reason)) => reason,
                Ok(Ok((reader, writer))) => {
                    // A closed channel means that nobody is interested in the connection any more.
                    if messages.send(Message::Connected).await.is_err() {
                        return;
                    }
                    tokio::select! {
                        reason = read(reader, &messages, &pings) => reason,
                        reason = write(writer, requests) => reason,
                    }
                }
            };
            let _ = messages.send(Message::Lost(reason)).await;
        });
        Self { outgoing, incoming, task }
    }

    /// What happens next. Cancel safe; pends for ever behind [`Message::Lost`].
    pub(crate) async fn next(&mut self) -> Message {
        match self.incoming.recv().await {
            Some(message) => message,
            None => std::future::pending().await,
        }
    }

    /// What has happened already.
    pub(crate) fn try_next(&mut self) -> Option<Message> {
        self.incoming.try_recv().ok()
    }

    /// Hands over a request without waiting. One that finds no room is lost with the connection,
    /// whose socket has then been stuck for longer than [`WRITE_LIMIT`] allows.
    pub(crate) fn send(&self, request: Request) {
        let _ = self.outgoing.try_send(request);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn connect(address: &Address) -> Result<(FrameReader, FrameWriter), String> {
    let stream = TcpStream::connect(address.endpoint()).await.map_err(|error| describe(&error))?;
    // Small frames, each of them awaited by a person.
    stream.set_nodelay(true).map_err(|error| describe(&error))?;
    match address {
        Address::Tcp { .. } => Ok(frames::lines(stream)),
        Address::WebSocket { url, .. } => frames::websocket(stream, url).await,
    }
}

async fn read(
    mut reader: FrameReader,
    messages: &mpsc::Sender<Message>,
    pings: &mpsc::WeakSender<Request>,
) -> String {
    let mut asked = false;
    loop {
        let limit = if asked { ANSWER_LIMIT } else { SILENCE };
        match timeout(limit, reader.next()).await {
            Ok(Ok(Some(frame))) => {
                asked = false;
                // An event that is newer than this program is skipped, as the protocol wants.
                if let Ok(event) = json::decode_event(&frame)
                    && messages.send(Message::Received(event)).await.is_err()
                {
                    return String::new();
                }
            }
            Ok(Ok(None)) => return "the server closed the connection".to_owned(),
            Ok(Err(reason)) => return reason,
            Err(_) if asked => return "the server gives no sign of life".to_owned(),
            Err(_) => {
                asked = true;
                if let Some(pings) = pings.upgrade() {
                    let _ = pings.try_send(Request { id: None, command: Command::Ping });
                }
            }
        }
    }
}

async fn write(mut writer: FrameWriter, mut requests: mpsc::Receiver<Request>) -> String {
    while let Some(request) = requests.recv().await {
        match timeout(WRITE_LIMIT, writer.send(json::encode_request(&request))).await {
            Ok(Ok(())) => {}
            // The reader knows why, if the server said so before it closed: let it finish.
            Ok(Err(_)) => return std::future::pending().await,
            Err(_) => return "the server takes nothing any more".to_owned(),
        }
    }
    std::future::pending().await
}

/// An operating system's error in words, without its number.
pub(crate) fn describe(error: &std::io::Error) -> String {
    let text = crosstalk_protocol::clean(&error.to_string());
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut characters = text.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

    #[tokio::test(start_paused = true)]
    async fn a_silent_server_is_asked_for_a_sign_of_life_and_given_up_without_one() {
        let (client, server) = tokio::io::duplex(4096);
        let (outgoing, requests) = mpsc::channel(8);
        let (messages, _incoming) = mpsc::channel(8);
        let (reader, writer) = frames::lines(client);
        let pings = outgoing.downgrade();
        let started = tokio::time::Instant::now();
        let client = tokio::spawn(async move {
            tokio::select! {
                reason = read(reader, &messages, &pings) => reason,
                reason = write(writer, requests) => reason,
            }
        });
        let (server_reads, mut server_writes) = tokio::io::split(server);
        let mut lines = BufReader::new(server_reads).lines();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), r#"{"type":"ping"}"#);
        server_writes.write_all(b"{\"type\":\"pong\"}\n").await.unwrap();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), r#"{"type":"ping"}"#);
        assert_eq!(client.await.unwrap(), "the server gives no sign of life");
        assert_eq!(started.elapsed(), SILENCE * 2 + ANSWER_LIMIT);
        drop(outgoing);
    }

    #[tokio::test]
    async fn an_event_of_an_unknown_type_is_skipped_and_so_is_a_greeting() {
        let (client, mut server) = tokio::io::duplex(4096);
        let (messages, mut incoming) = mpsc::channel(8);
        let (outgoing, _requests) = mpsc::channel(8);
        let (reader, _writer) = frames::lines(client);
        server
            .write_all(
                b"Welcome! Your nickname: {\"type\":\"news\"}\r\nnonsense\n\n{\"type\":\"pong\",\"new\":1}\n",
            )
            .await
            .unwrap();
        drop(server);
        let reason = read(reader, &messages, &outgoing.downgrade()).await;
        assert_eq!(reason, "the server closed the connection");
        assert!(matches!(
            incoming.recv().await,
            Some(Message::Received(crosstalk_protocol::Event::Pong { .. }))
        ));
        assert!(incoming.try_recv().is_err());
    }

    #[test]
    fn an_error_is_described_without_its_number() {
        let refused = std::io::Error::from_raw_os_error(111);
        assert_eq!(describe(&refused), "connection refused");
    }
}
