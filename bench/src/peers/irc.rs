//! IRC (RFC 2812), as ngIRCd and InspIRCd speak it. A room is a channel.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use crate::door::{Protocol, connect, wait_for};

/// A client of an IRC server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Irc;

impl Protocol for Irc {
    fn name(&self) -> &'static str {
        "irc"
    }

    fn greet(&self, address: SocketAddr, nick: &str, _rooms: &[String]) -> anyhow::Result<TcpStream> {
        let mut stream = connect(address)?;
        stream.write_all(format!("NICK {nick}\r\nUSER {nick} 0 * :{nick}\r\n").as_bytes())?;
        Ok(stream)
    }

    /// Nobody can join who has not been welcomed, and the last line of a welcome is `RPL_ENDOFMOTD`. Who is
    /// told that they have joined is in; nobody waits for the names, which may come with a second write.
    fn join(&self, stream: &mut TcpStream, rooms: &[String]) -> anyhow::Result<()> {
        wait_for(stream, " 376 ")?;
        for room in rooms {
            stream.write_all(format!("JOIN #{room}\r\n").as_bytes())?;
            wait_for(stream, &format!(" JOIN :#{room}\r\n"))?;
        }
        Ok(())
    }

    fn send(&self, room: &str, text: &[u8], out: &mut Vec<u8>) {
        for part in [b"PRIVMSG #".as_slice(), room.as_bytes(), b" :", text, b"\r\n"] {
            out.extend_from_slice(part);
        }
    }

    fn delivered(&self, room: &str, text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b":sender0!~sender0@127.0.0.1 ");
        self.send(room, text, out);
    }

    fn echoes(&self) -> bool {
        false
    }
}
