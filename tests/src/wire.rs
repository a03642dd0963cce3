//! A connection that speaks JSON and may end at any moment, which is nobody's failure.

use std::io;
use std::net::SocketAddr;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// How JSON gets to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// One object a line.
    Tcp,
    /// One object a frame.
    WebSocket,
}

/// What comes in.
pub(crate) enum Reader {
    Tcp(BufReader<OwnedReadHalf>),
    WebSocket(SplitStream<WebSocketStream<TcpStream>>),
}

/// What goes out.
pub(crate) enum Writer {
    Tcp(OwnedWriteHalf),
    WebSocket(SplitSink<WebSocketStream<TcpStream>, Message>),
}

/// Connects to the port that takes this kind of JSON.
pub(crate) async fn open(way: Way, address: SocketAddr) -> io::Result<(Reader, Writer)> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    match way {
        Way::Tcp => {
            let (reader, writer) = stream.into_split();
            Ok((Reader::Tcp(BufReader::new(reader)), Writer::Tcp(writer)))
        }
        Way::WebSocket => {
            let handshake = tokio_tungstenite::client_async(format!("ws://{address}/ws"), stream);
            let (socket, _) = handshake.await.map_err(io::Error::other)?;
            let (sink, stream) = socket.split();
            Ok((Reader::WebSocket(stream), Writer::WebSocket(sink)))
        }
    }
}

impl Reader {
    /// The next event; `None` at the end of the connection. What was cut off inside a frame is none.
    ///
    /// # Panics
    /// If a whole frame is no JSON.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        let text = match self {
            Self::Tcp(reader) => {
                let mut line = Vec::new();
                reader.read_until(b'\n', &mut line).await.ok()?;
                // A client may have been slow enough to be greeted as a person.
                let begin = line.iter().position(|byte| *byte == b'{')?;
                line.ends_with(b"\n").then(|| String::from_utf8_lossy(&line[begin..]).into_owned())?
            }
            Self::WebSocket(stream) => loop {
                match stream.next().await {
                    Some(Ok(Message::Text(text))) => break text.to_string(),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return None,
                }
            },
        };
        Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text:?} is no JSON: {error}")))
    }
}

impl Writer {
    pub(crate) async fn send(&mut self, frame: &Value) -> io::Result<()> {
        match self {
            Self::Tcp(writer) => writer.write_all(format!("{frame}\n").as_bytes()).await,
            Self::WebSocket(sink) => {
                sink.send(Message::text(frame.to_string())).await.map_err(io::Error::other)
            }
        }
    }
}
