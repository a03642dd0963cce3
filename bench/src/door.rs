//! The doors of the server, as a client of each knows them: how it enters, and what it sends.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::frames;

/// How a server is spoken to. Each text begins with a [`Mark`](crate::mark::Mark).
pub(crate) trait Protocol {
    /// Its name in results.
    fn name(&self) -> &'static str;

    /// Connects and says who it is, and waits for nothing but what has to come before.
    ///
    /// # Errors
    /// If there is no server.
    fn greet(&self, address: SocketAddr, nick: &str, rooms: &[String]) -> anyhow::Result<TcpStream>;

    /// Waits, behind a greeting, until everything that is said in `rooms` will arrive.
    ///
    /// # Errors
    /// If the server does not let it in.
    fn join(&self, stream: &mut TcpStream, rooms: &[String]) -> anyhow::Result<()>;

    /// Both at once.
    ///
    /// # Errors
    /// If the server does not let it in.
    fn enter(&self, address: SocketAddr, nick: &str, rooms: &[String]) -> anyhow::Result<TcpStream> {
        let mut stream = self.greet(address, nick, rooms)?;
        self.join(&mut stream, rooms)?;
        Ok(stream)
    }

    /// Appends what says `text` in a room.
    fn send(&self, room: &str, text: &[u8], out: &mut Vec<u8>);

    /// Appends what somebody else in the room then gets, which is what a relay has to be sent.
    fn delivered(&self, room: &str, text: &[u8], out: &mut Vec<u8>);

    /// Whether who says something gets it back.
    fn echoes(&self) -> bool;
}

/// A door of Crosstalk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Door {
    /// Lines, as people with `nc` speak.
    Line,
    /// JSON, one object a line.
    Json,
    /// JSON in WebSocket frames.
    Ws,
}

impl Door {
    /// All that there are.
    pub(crate) const ALL: [Self; 3] = [Self::Line, Self::Json, Self::Ws];
}

impl Protocol for Door {
    fn name(&self) -> &'static str {
        match self {
            Door::Line => "line",
            Door::Json => "json",
            Door::Ws => "ws",
        }
    }

    fn greet(&self, address: SocketAddr, nick: &str, rooms: &[String]) -> anyhow::Result<TcpStream> {
        let mut stream = connect(address)?;
        let hello = || {
            let rooms: Vec<Value> = rooms.iter().map(|room| json!({ "room": room })).collect();
            json!({ "type": "hello", "nick": nick, "rooms": rooms }).to_string()
        };
        match self {
            Door::Line => stream.write_all(format!("{nick}\n").as_bytes())?,
            Door::Json => stream.write_all(format!("{}\n", hello()).as_bytes())?,
            Door::Ws => {
                upgrade(&mut stream, address, "/ws")?;
                let mut frame = Vec::new();
                text_frame(hello().as_bytes(), true, &mut frame);
                stream.write_all(&frame)?;
            }
        }
        Ok(stream)
    }

    fn join(&self, stream: &mut TcpStream, _rooms: &[String]) -> anyhow::Result<()> {
        match self {
            Door::Line => wait_for(stream, "/help lists the commands.\n"),
            Door::Json | Door::Ws => wait_for(stream, r#""type":"welcome""#),
        }
    }

    fn send(&self, room: &str, text: &[u8], out: &mut Vec<u8>) {
        let frame = |out: &mut Vec<u8>| {
            for part in [br#"{"type":"send","room":""#, room.as_bytes(), br#"","text":""#, text, b"\"}"] {
                out.extend_from_slice(part);
            }
        };
        match self {
            Door::Line => {
                out.extend_from_slice(text);
                out.push(b'\n');
            }
            Door::Json => {
                frame(out);
                out.push(b'\n');
            }
            Door::Ws => {
                let mut payload = Vec::new();
                frame(&mut payload);
                text_frame(&payload, true, out);
            }
        }
    }

    fn delivered(&self, room: &str, text: &[u8], out: &mut Vec<u8>) {
        let mut event = Vec::new();
        frames::message(room, text, &mut event);
        match self {
            Door::Line => {
                out.extend_from_slice(b"sender0: ");
                out.extend_from_slice(text);
                out.push(b'\n');
            }
            Door::Json => {
                out.append(&mut event);
                out.push(b'\n');
            }
            Door::Ws => text_frame(&event, false, out),
        }
    }

    fn echoes(&self) -> bool {
        *self != Door::Line
    }
}

/// Connects, with a limit for what is waited for.
///
/// # Errors
/// If there is nobody.
pub(crate) fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| format!("{address} does not answer"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Turns a connection into a WebSocket (RFC 6455, 4.1).
///
/// # Errors
/// If the server does not answer.
pub(crate) fn upgrade(stream: &mut TcpStream, address: SocketAddr, path: &str) -> anyhow::Result<()> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: Y3Jvc3N0YWxrLWJlbmNoLQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    wait_for(stream, "\r\n\r\n")
}

/// How long a server may take to let somebody in.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads until `words` have come, and what came behind them.
///
/// # Errors
/// If the connection ends before, or nothing more comes.
pub(crate) fn wait_for(stream: &mut TcpStream, words: &str) -> anyhow::Result<()> {
    let mut got = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let len = stream.read(&mut buffer).with_context(|| format!("{words:?} did not come"))?;
        got.extend_from_slice(&buffer[..len]);
        if memchr::memmem::find(&got, words.as_bytes()).is_some() {
            return Ok(());
        }
        if len == 0 {
            bail!("the server said {:?}, and hung up", String::from_utf8_lossy(&got));
        }
    }
}

/// Appends a text frame (RFC 6455, 5.2). A client's is masked, here with zeros, which change nothing.
pub(crate) fn text_frame(payload: &[u8], masked: bool, out: &mut Vec<u8>) {
    let mask = if masked { 0x80 } else { 0 };
    out.push(0x81);
    match payload.len() {
        len @ 0..126 => out.push(mask | len as u8),
        len => {
            out.push(mask | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
    }
    if masked {
        out.extend_from_slice(&[0; 4]);
    }
    out.extend_from_slice(payload);
}
