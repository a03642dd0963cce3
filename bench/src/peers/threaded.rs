//! What `bench/peers/threaded.py` speaks: a nickname, and then lines. It has one room.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use crate::door::{Protocol, connect, wait_for};

/// A client of the threaded server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Threaded;

impl Protocol for Threaded {
    fn name(&self) -> &'static str {
        "threaded"
    }

    fn greet(&self, address: SocketAddr, nick: &str, _rooms: &[String]) -> anyhow::Result<TcpStream> {
        let mut stream = connect(address)?;
        stream.write_all(format!("{nick}\n").as_bytes())?;
        Ok(stream)
    }

    fn join(&self, stream: &mut TcpStream, _rooms: &[String]) -> anyhow::Result<()> {
        wait_for(stream, "Connected to the server\n")
    }

    fn send(&self, _room: &str, text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(text);
        out.push(b'\n');
    }

    fn delivered(&self, _room: &str, text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b"sender0: ");
        out.extend_from_slice(text);
        out.push(b'\n');
    }

    fn echoes(&self) -> bool {
        false
    }
}
