//! A person with `nc` or telnet: lines that end.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::{TestServer, within};

/// What a peer that has said nothing for a while is asked.
pub(crate) const GREETING: &str = "Welcome to Crosstalk. Enter your nickname: ";

/// A peer whose messages end with a line ending.
pub struct LineClient {
    name: String,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl LineClient {
    /// Connects and says nothing.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = within("a connection", TcpStream::connect(address)).await.expect("the port is open");
        Self::over(stream)
    }

    /// Speaks lines over a connection made otherwise.
    pub fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a socket takes options");
        let (reader, writer) = stream.into_split();
        Self { name: "somebody".to_owned(), reader: BufReader::new(reader), writer }
    }

    /// Connects and is let in as `nick`.
    pub async fn enter(server: &TestServer, nick: &str) -> Self {
        let mut client = Self::connect(server.tcp()).await;
        client.name = nick.to_owned();
        client.send_line(nick).await;
        client.expect_welcome().await;
        client
    }

    /// Is let in, and told what to do.
    pub async fn expect_welcome(&mut self) {
        self.expect("Connected to the server").await;
        self.expect_matching(|line| line.starts_with("Server: Welcome, ")).await;
    }

    /// Sends `line` and LF.
    pub async fn send_line(&mut self, line: &str) {
        self.send_bytes(format!("{line}\n").as_bytes()).await;
    }

    /// Sends bytes as they are.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        let what = format!("{} to send", self.name);
        within(&what, self.writer.write_all(bytes)).await.expect("the server reads");
    }

    /// Sends bytes that the server may refuse to read to the end.
    pub async fn try_send_bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let what = format!("{} to send", self.name);
        within(&what, self.writer.write_all(bytes)).await
    }

    /// Says that nothing more will be sent.
    pub async fn finish(&mut self) {
        within("a half-close", self.writer.shutdown()).await.expect("a socket can be half-closed");
    }

    /// The next line with its ending, as it came; `None` at the end of the connection.
    pub async fn raw_line(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        let what = format!("a line for {}", self.name);
        match within(&what, self.reader.read_until(b'\n', &mut line)).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line),
        }
    }

    /// The next line, without its ending; `None` at the end of the connection.
    pub async fn line(&mut self) -> Option<String> {
        let line = String::from_utf8(self.raw_line().await?).expect("the server sends UTF-8");
        let line = line.strip_suffix('\n').unwrap_or(&line);
        let line = line.strip_suffix('\r').unwrap_or(line);
        // The greeting has no line ending of its own: it asks, and the answer follows.
        Some(line.strip_prefix(GREETING).unwrap_or(line).to_owned())
    }

    /// Sees exactly this line next.
    #[track_caller]
    pub fn expect<'a>(&'a mut self, expected: &'a str) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let line = self.line().await;
            assert_eq!(line.as_deref(), Some(expected), "what {} saw, {caller}", self.name);
        }
    }

    /// Sees exactly these lines next.
    pub async fn expect_all(&mut self, expected: &[&str]) {
        for line in expected {
            self.expect(line).await;
        }
    }

    /// Sees a line next that passes `test`, and hands it over.
    pub async fn expect_matching(&mut self, test: impl Fn(&str) -> bool) -> String {
        let line = self.line().await.expect("the connection goes on");
        assert!(test(&line), "{} saw {line:?}", self.name);
        line
    }

    /// Reads up to `marker` and hands over what came before it. That nothing came is then a fact,
    /// and not a matter of how long one waited.
    pub async fn until(&mut self, marker: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.line().await {
                Some(line) if line == marker => return lines,
                Some(line) => lines.push(line),
                None => panic!("{} saw {lines:?} and the end, but not {marker:?}", self.name),
            }
        }
    }

    /// Sees the connection end next.
    pub async fn expect_end(&mut self) {
        let line = self.line().await;
        assert_eq!(line, None, "{} saw more", self.name);
    }

    /// Everything up to the end of the connection.
    pub async fn rest(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.line().await {
            lines.push(line);
        }
        lines
    }

    /// The socket itself, for what is not a line.
    pub fn into_stream(self) -> TcpStream {
        self.reader.into_inner().reunite(self.writer).expect("both halves are of one socket")
    }
}
