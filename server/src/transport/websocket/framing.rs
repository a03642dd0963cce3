//! JSON in WebSocket messages (RFC 6455): one object a text message, pings, and the close handshake.

use crosstalk_protocol::limits::FRAME_MAX;
use crosstalk_protocol::{Disconnect, DisconnectCode, ErrorReply, Event};
use tokio::time::Instant;

use super::frame::{self, Decoder, Incoming, Opcode};
use crate::limits::{PING_AFTER, PONG_TIME};
use crate::outgoing::Outgoing;
use crate::segment::{Encoding, encode_websocket};
use crate::transport::json::Framing;

/// What a text that is not JSON text at all is closed with.
const UNSUPPORTED_DATA: u16 = 1003;

/// The WebSocket side of a JSON peer.
pub struct WebSocket {
    decoder: Decoder,
    heard_at: Instant,
    /// Since when a ping has not been answered by anything.
    pinged_at: Option<Instant>,
    /// The close code, where the peer's doing decides it: its own, or that of the rule it broke.
    close_code: Option<u16>,
    /// Whether the peer has closed: then it is told nothing but goodbye.
    closed: bool,
}

impl WebSocket {
    /// A socket that has just been upgraded.
    pub fn new() -> Self {
        Self {
            decoder: Decoder::new(FRAME_MAX),
            heard_at: Instant::now(),
            pinged_at: None,
            close_code: None,
            closed: false,
        }
    }
}

impl Default for WebSocket {
    fn default() -> Self {
        Self::new()
    }
}

impl Framing for WebSocket {
    const ENCODING: Encoding = Encoding::WebSocket;

    fn push(&mut self, bytes: &[u8]) {
        self.heard_at = Instant::now();
        self.pinged_at = None;
        self.decoder.push(bytes);
    }

    fn next(&mut self, out: &mut Outgoing) -> Result<Option<Result<Vec<u8>, ErrorReply>>, DisconnectCode> {
        loop {
            match self.decoder.next_message() {
                None => return Ok(None),
                Some(Ok(Incoming::Text(text))) => return Ok(Some(Ok(text.into_bytes()))),
                Some(Ok(Incoming::Ping(payload))) => {
                    out.reply(|bytes| frame::encode(Opcode::Pong, &payload, bytes));
                }
                Some(Ok(Incoming::Pong)) => {}
                Some(Ok(Incoming::Binary(_))) => {
                    self.close_code = Some(UNSUPPORTED_DATA);
                    return Err(DisconnectCode::ProtocolError);
                }
                Some(Ok(Incoming::Close(reason))) => {
                    self.closed = true;
                    self.close_code = reason.map(|(code, _)| code);
                    return Err(DisconnectCode::Bye);
                }
                Some(Err(violation)) => {
                    self.close_code = Some(violation.close_code());
                    return Err(DisconnectCode::ProtocolError);
                }
            }
        }
    }

    fn encode(&self, event: &Event, out: &mut Vec<u8>) {
        if !self.closed {
            encode_websocket(event, out);
        }
    }

    fn close(&mut self, disconnect: &Disconnect, out: &mut Vec<u8>) {
        let code = self.close_code.unwrap_or(close_code(disconnect.code));
        let reason = if self.closed { "" } else { disconnect.message.as_str() };
        frame::encode_close(code, reason, out);
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.pinged_at.map_or(self.heard_at + PING_AFTER, |pinged_at| pinged_at + PONG_TIME))
    }

    fn tick(&mut self, now: Instant, out: &mut Outgoing) -> Result<(), DisconnectCode> {
        match self.pinged_at {
            Some(pinged_at) if pinged_at + PONG_TIME <= now => Err(DisconnectCode::PongTimeout),
            None if self.heard_at + PING_AFTER <= now => {
                self.pinged_at = Some(now);
                out.reply(|bytes| frame::encode(Opcode::Ping, b"", bytes));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Close codes of RFC 6455, 7.4.1, and of the registry that it founds.
fn close_code(code: DisconnectCode) -> u16 {
    use DisconnectCode as Code;
    match code {
        Code::Bye => 1000,
        Code::Shutdown | Code::PongTimeout => 1001,
        Code::ProtocolError => 1002,
        Code::Internal => 1011,
        Code::ServerFull | Code::AddressFull => 1013,
        // "Policy violation", for what no other code fits.
        _ => 1008,
    }
}
