//! The NATS client protocol, on TCP and in WebSocket frames. A room is a subject.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use crate::door::{Protocol, connect, text_frame, upgrade, wait_for};

/// A client of a NATS server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nats {
    /// Whether it comes through a WebSocket.
    pub(crate) in_frames: bool,
}

impl Nats {
    /// Appends what a client says.
    fn frame(self, payload: &[u8], out: &mut Vec<u8>) {
        match self.in_frames {
            true => text_frame(payload, true, out),
            false => out.extend_from_slice(payload),
        }
    }
}

impl Protocol for Nats {
    fn name(&self) -> &'static str {
        if self.in_frames { "nats-ws" } else { "nats" }
    }

    fn greet(&self, address: SocketAddr, nick: &str, _rooms: &[String]) -> anyhow::Result<TcpStream> {
        let mut stream = connect(address)?;
        if self.in_frames {
            upgrade(&mut stream, address, "/")?;
        }
        let hello = format!(
            "CONNECT {{\"verbose\":false,\"pedantic\":false,\"echo\":false,\"name\":\"{nick}\"}}\r\n"
        );
        let mut out = Vec::new();
        self.frame(hello.as_bytes(), &mut out);
        stream.write_all(&out)?;
        Ok(stream)
    }

    /// A subscription has no answer of its own, but what is behind it has.
    fn join(&self, stream: &mut TcpStream, rooms: &[String]) -> anyhow::Result<()> {
        let mut subscriptions = String::new();
        for (number, room) in rooms.iter().enumerate() {
            subscriptions.push_str(&format!("SUB {room} {number}\r\n"));
        }
        subscriptions.push_str("PING\r\n");
        let mut out = Vec::new();
        self.frame(subscriptions.as_bytes(), &mut out);
        stream.write_all(&out)?;
        wait_for(stream, "PONG\r\n")
    }

    fn send(&self, room: &str, text: &[u8], out: &mut Vec<u8>) {
        let mut payload = format!("PUB {room} {}\r\n", text.len()).into_bytes();
        payload.extend_from_slice(text);
        payload.extend_from_slice(b"\r\n");
        self.frame(&payload, out);
    }

    fn delivered(&self, room: &str, text: &[u8], out: &mut Vec<u8>) {
        let mut payload = format!("MSG {room} 0 {}\r\n", text.len()).into_bytes();
        payload.extend_from_slice(text);
        payload.extend_from_slice(b"\r\n");
        match self.in_frames {
            true => text_frame(&payload, false, out),
            false => out.append(&mut payload),
        }
    }

    fn echoes(&self) -> bool {
        false
    }
}
