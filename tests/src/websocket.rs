//! A WebSocket whose frames are built by hand, so that they can be wrong.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{http, within};

/// What a frame is (RFC 6455, 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Opcode {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The first byte: FIN, three reserved bits, opcode.
    pub first: u8,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A whole message.
    pub fn new(opcode: Opcode, payload: impl AsRef<[u8]>) -> Self {
        Self { first: 0x80 | opcode as u8, payload: payload.as_ref().to_vec() }
    }

    /// A frame that is not the last of its message.
    pub fn part(opcode: Opcode, payload: impl AsRef<[u8]>) -> Self {
        Self { first: opcode as u8, payload: payload.as_ref().to_vec() }
    }

    /// The frame on the wire, masked as a client's has to be.
    pub fn masked(&self) -> Vec<u8> {
        let mask = [0x12, 0x34, 0x56, 0x78];
        let mut bytes = self.header(0x80);
        bytes.extend(mask);
        bytes.extend(self.payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    /// The frame on the wire, not masked, as a client's must not be.
    pub fn unmasked(&self) -> Vec<u8> {
        let mut bytes = self.header(0);
        bytes.extend(&self.payload);
        bytes
    }

    /// The code of a close frame.
    pub fn close_code(&self) -> Option<u16> {
        let code = self.payload.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
        code.filter(|_| self.first == 0x88)
    }

    fn header(&self, mask_bit: u8) -> Vec<u8> {
        let length = self.payload.len();
        let mut bytes = vec![self.first];
        if length < 126 {
            bytes.push(mask_bit | length as u8);
        } else if let Ok(length) = u16::try_from(length) {
            bytes.push(mask_bit | 126);
            bytes.extend(length.to_be_bytes());
        } else {
            bytes.push(mask_bit | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
        bytes
    }
}

/// A connection on which a handshake was made by hand.
pub struct RawSocket {
    stream: TcpStream,
    arrived: Vec<u8>,
}

impl RawSocket {
    /// The head of a handshake as RFC 6455, 1.3 shows it.
    pub fn head(address: SocketAddr, headers: &str) -> String {
        format!(
            "GET /ws HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n"
        )
    }

    /// Connects and makes the handshake.
    pub async fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, &[]).await
    }

    /// Connects and makes the handshake, with `behind` in the same segment behind it.
    pub async fn connect_with(address: SocketAddr, behind: &[u8]) -> Self {
        let mut stream = within("a connection", TcpStream::connect(address)).await.expect("the port is open");
        stream.set_nodelay(true).expect("a socket takes options");
        let bytes = [Self::head(address, "").as_bytes(), behind].concat();
        within("a handshake", stream.write_all(&bytes)).await.expect("the server reads");
        let mut socket = Self { stream, arrived: Vec::new() };
        let response = loop {
            if let Some(end) = socket.arrived.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head: Vec<u8> = socket.arrived.drain(..end + 4).collect();
                break http::parse(&head).expect("the answer is HTTP");
            }
            assert!(socket.read().await, "the handshake was answered with the end");
        };
        assert_eq!(response.status, 101, "{response:?}");
        assert_eq!(response.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        socket
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) {
        within("bytes to be sent", self.stream.write_all(bytes)).await.expect("the server reads");
    }

    /// Sends bytes that the server may refuse to read to the end.
    pub async fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        within("bytes to be sent", self.stream.write_all(bytes)).await
    }

    /// The next frame; `None` at the end of the connection.
    pub async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, length)) = parse(&self.arrived) {
                self.arrived.drain(..length);
                return Some(frame);
            }
            if !self.read().await {
                return None;
            }
        }
    }

    /// The next frame that is not a text.
    pub async fn control(&mut self) -> Option<Frame> {
        loop {
            match self.frame().await {
                Some(frame) if frame.first == 0x81 => {}
                other => return other,
            }
        }
    }

    async fn read(&mut self) -> bool {
        let read = self.stream.read_buf(&mut self.arrived);
        matches!(within("a frame", read).await, Ok(length) if length > 0)
    }
}

/// A frame at the beginning of `bytes` and how long it is. The server's are not masked.
fn parse(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    assert_eq!(second & 0x80, 0, "a server does not mask");
    let (header, length) = match second {
        126 => (4, u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?).into()),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
        length => (2, length.into()),
    };
    let payload = bytes.get(header..header + length)?.to_vec();
    Some((Frame { first, payload }, header + length))
}
