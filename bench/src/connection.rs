//! One client: JSON over TCP. It has no buffer while it waits, and looks only at those bytes that a
//! scenario needs, so that it costs less than the server that it measures.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// Bytes taken with one read.
const READ_MAX: usize = 256 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_MAX]);
}

/// A connection to the server.
pub(crate) struct Connection {
    stream: TcpStream,
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
}

impl Connection {
    /// Connects, says hello and waits for the welcome; `hello` are further fields. What came with the
    /// welcome is skipped.
    ///
    /// # Errors
    /// If the server does not let it in.
    pub(crate) async fn open(address: SocketAddr, nick: &str, hello: Value) -> anyhow::Result<(Self, Value)> {
        let mut connection = Self::greet(address, nick, hello).await?;
        let welcome = connection.wait_for("welcome").await?;
        Ok((connection, welcome))
    }

    /// Connects and says hello, and waits for nothing.
    ///
    /// # Errors
    /// If there is no server.
    pub(crate) async fn greet(address: SocketAddr, nick: &str, hello: Value) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let connection = Self { stream, partial: Vec::new() };
        let mut frame = json!({ "type": "hello", "nick": nick });
        if let (Some(frame), Value::Object(more)) = (frame.as_object_mut(), hello) {
            frame.extend(more);
        }
        connection.send(format!("{frame}\n").as_bytes()).await?;
        Ok(connection)
    }

    /// Sends one object and waits for an event of a type; those before it are skipped.
    ///
    /// # Errors
    /// If an error comes instead.
    pub(crate) async fn request(&mut self, frame: &Value, answer: &str) -> anyhow::Result<Value> {
        self.send(format!("{frame}\n").as_bytes()).await?;
        self.wait_for(answer).await
    }

    async fn wait_for(&mut self, kind: &str) -> anyhow::Result<Value> {
        let mut found = None;
        while found.is_none() {
            let mut failed = None;
            let mut look = |line: &[u8]| {
                let Ok(event) = serde_json::from_slice::<Value>(line) else { return };
                if event["type"] == kind && found.is_none() {
                    found = Some(event);
                } else if event["type"] == "error" || event["type"] == "disconnect" {
                    failed = Some(event);
                }
            };
            self.read(&mut look).await?;
            if let Some(event) = failed {
                bail!("the server said {event}");
            }
        }
        found.context("there is an event")
    }

    /// Waits for bytes and hands over each whole line of one read.
    ///
    /// # Errors
    /// If the connection ends.
    pub(crate) async fn read(&mut self, take: &mut impl FnMut(&[u8])) -> io::Result<()> {
        loop {
            self.stream.readable().await?;
            let read = BUFFER.with_borrow_mut(|buffer| self.try_read(buffer, take));
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }

    fn try_read(&mut self, buffer: &mut Vec<u8>, take: &mut impl FnMut(&[u8])) -> io::Result<()> {
        let held = self.partial.len();
        if buffer.len() < held + READ_MAX {
            buffer.resize(held + READ_MAX, 0);
        }
        buffer[..held].copy_from_slice(&self.partial);
        let end = held + self.stream.try_read(&mut buffer[held..])?;
        if end == held {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut start = 0;
        // What is held has no end of a line in it.
        for at in memchr::memchr_iter(b'\n', &buffer[held..end]) {
            take(&buffer[start..held + at]);
            start = held + at + 1;
        }
        self.partial.clear();
        self.partial.extend_from_slice(&buffer[start..end]);
        Ok(())
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// If the connection ends.
    pub(crate) async fn send(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.stream.try_write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.stream.writable().await?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
