//! A peer that speaks as the original Python clients do: what is sent at once is a message, and
//! nothing ends with a line ending.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::line::GREETING;
use crate::{TestServer, within};

/// A peer without line endings. It has no way to know where one message ends and the next
/// begins other than by what it expects.
pub struct UnframedClient {
    name: String,
    stream: TcpStream,
    arrived: Vec<u8>,
}

impl UnframedClient {
    /// Connects and says nothing.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = within("a connection", TcpStream::connect(address)).await.expect("the port is open");
        stream.set_nodelay(true).expect("a socket takes options");
        Self { name: "somebody".to_owned(), stream, arrived: Vec::new() }
    }

    /// Connects, sends the nickname and is let in.
    pub async fn enter(server: &TestServer, nick: &str) -> Self {
        let mut client = Self::connect(server.tcp()).await;
        client.name = nick.to_owned();
        client.send(nick).await;
        client.expect("Connected to the server").await;
        client
    }

    /// One `send` of the original's: one message, if what follows keeps its distance.
    pub async fn send(&mut self, message: &str) {
        self.send_bytes(message.as_bytes()).await;
    }

    /// Sends bytes as they are.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        let what = format!("{} to send", self.name);
        within(&what, self.stream.write_all(bytes)).await.expect("the server reads");
    }

    /// Sees exactly these bytes next. What has gathered comes separated by LF, which is skipped.
    #[track_caller]
    pub fn expect<'a>(&'a mut self, expected: &'a str) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let seen = self.next(expected.len(), true).await;
            let seen = String::from_utf8_lossy(&seen);
            assert_eq!(seen, expected, "what {} saw, {caller}", self.name);
        }
    }

    /// Sees exactly these bytes next, with no line ending before them.
    #[track_caller]
    pub fn expect_exactly<'a>(&'a mut self, expected: &'a str) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let seen = self.next(expected.len(), false).await;
            let seen = String::from_utf8_lossy(&seen);
            assert_eq!(seen, expected, "what {} saw, {caller}", self.name);
        }
    }

    /// Sees the connection end, and nothing before that.
    pub async fn expect_end(&mut self) {
        let seen = self.next(1, false).await;
        assert!(seen.is_empty(), "{} saw {:?}", self.name, String::from_utf8_lossy(&seen));
    }

    /// Up to `length` bytes; fewer only at the end of the connection, or when they have already
    /// gone astray so far that more will not come.
    async fn next(&mut self, length: usize, skip_separators: bool) -> Vec<u8> {
        let what = format!("{length} bytes for {}, who has {:?}", self.name, self.text());
        within(&what, async {
            loop {
                if self.arrived.starts_with(GREETING.as_bytes()) {
                    self.arrived.drain(..GREETING.len());
                }
                if skip_separators {
                    let separators = self.arrived.iter().take_while(|byte| **byte == b'\n').count();
                    self.arrived.drain(..separators);
                }
                if self.arrived.len() >= length || matches!(self.read().await, Ok(0) | Err(_)) {
                    return;
                }
            }
        })
        .await;
        let length = length.min(self.arrived.len());
        self.arrived.drain(..length).collect()
    }

    async fn read(&mut self) -> std::io::Result<usize> {
        self.stream.read_buf(&mut self.arrived).await
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.arrived).into_owned()
    }
}
