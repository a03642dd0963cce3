//! JSON frames over a byte stream, one a line, or over a WebSocket, one a message.
//!
//! Frames are bytes of at most [`FRAME_LIMIT`]; what is in them is not looked at here.

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, protocol::WebSocketConfig};

use crate::connection::describe;

/// Longest frame taken from the server: four full pages of history.
const FRAME_LIMIT: usize = 4 * 1024 * 1024;

/// Read and write buffer of a WebSocket; a person's messages are short.
const WEBSOCKET_BUFFER: usize = 16 * 1024;

/// The half of a connection that events come from.
pub(crate) enum FrameReader {
    /// One frame a line; the buffer holds the part of one that has arrived.
    Lines(BufReader<Box<dyn AsyncRead + Send + Unpin>>, Vec<u8>),
    /// One frame a message.
    WebSocket(SplitStream<WebSocketStream<TcpStream>>),
}

/// The half of a connection that requests go to.
pub(crate) enum FrameWriter {
    /// One frame a line.
    Lines(Box<dyn AsyncWrite + Send + Unpin>),
    /// One frame a message.
    WebSocket(SplitSink<WebSocketStream<TcpStream>, tungstenite::Message>),
}

/// Frames over a byte stream.
pub(crate) fn lines(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> (FrameReader, FrameWriter) {
    let (reader, writer) = tokio::io::split(stream);
    (FrameReader::Lines(BufReader::new(Box::new(reader)), Vec::new()), FrameWriter::Lines(Box::new(writer)))
}

/// Frames over a WebSocket, after its handshake.
pub(crate) async fn websocket(stream: TcpStream, url: &str) -> Result<(FrameReader, FrameWriter), String> {
    let config = WebSocketConfig::default()
        .read_buffer_size(WEBSOCKET_BUFFER)
        .write_buffer_size(WEBSOCKET_BUFFER)
        .max_message_size(Some(FRAME_LIMIT))
        .max_frame_size(Some(FRAME_LIMIT));
    match tokio_tungstenite::client_async_with_config(url, stream, Some(config)).await {
        Ok((socket, _)) => {
            let (writer, reader) = socket.split();
            Ok((FrameReader::WebSocket(reader), FrameWriter::WebSocket(writer)))
        }
        Err(tungstenite::Error::Http(answer)) => {
            Err(format!("there is no Crosstalk WebSocket: the answer was {}", answer.status()))
        }
        Err(error) => Err(in_words(&error)),
    }
}

impl FrameReader {
    /// The next frame; `None` at the end. Cancel safe.
    ///
    /// # Errors
    /// What went wrong, in words. The connection is of no use then.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        match self {
            Self::Lines(reader, partial) => loop {
                let arrived = reader.fill_buf().await.map_err(|error| describe(&error))?;
                if arrived.is_empty() {
                    return Ok(None);
                }
                let end = arrived.iter().position(|byte| *byte == b'\n');
                partial.extend_from_slice(&arrived[..end.unwrap_or(arrived.len())]);
                let taken = end.map_or(arrived.len(), |end| end + 1);
                reader.consume(taken);
                if partial.len() > FRAME_LIMIT {
                    return Err("the server sent more than fits into a frame".to_owned());
                }
                if end.is_some() {
                    let line = std::mem::take(partial);
                    // The greeting for people may stand before the first frame.
                    if let Some(start) = line.iter().position(|byte| *byte == b'{') {
                        return Ok(Some(line[start..].to_vec()));
                    }
                }
            },
            Self::WebSocket(reader) => loop {
                match reader.next().await {
                    Some(Ok(tungstenite::Message::Text(text))) => {
                        return Ok(Some(text.as_bytes().to_vec()));
                    }
                    // Pings are answered by the library. They are a sign of life, too: an empty
                    // frame is skipped by whoever reads it.
                    Some(Ok(tungstenite::Message::Ping(_) | tungstenite::Message::Pong(_))) => {
                        return Ok(Some(Vec::new()));
                    }
                    Some(Ok(_)) => {}
                    None => return Ok(None),
                    Some(Err(error)) => return Err(in_words(&error)),
                }
            },
        }
    }
}

impl FrameWriter {
    /// Writes one frame whole.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub(crate) async fn send(&mut self, mut frame: String) -> Result<(), String> {
        match self {
            Self::Lines(writer) => {
                frame.push('\n');
                writer.write_all(frame.as_bytes()).await.map_err(|error| describe(&error))?;
                writer.flush().await.map_err(|error| describe(&error))
            }
            Self::WebSocket(writer) => {
                writer.send(tungstenite::Message::text(frame)).await.map_err(|error| in_words(&error))
            }
        }
    }
}

fn in_words(error: &tungstenite::Error) -> String {
    match error {
        tungstenite::Error::Io(error) => describe(error),
        tungstenite::Error::ConnectionClosed
        | tungstenite::Error::AlreadyClosed
        | tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
            "the server closed the connection".to_owned()
        }
        other => crosstalk_protocol::clean(&other.to_string()),
    }
}
