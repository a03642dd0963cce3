//! What a TCP peer is: its first bytes decide.

use std::io;

use bytes::Bytes;
use crosstalk_protocol::DisconnectCode;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::limits::{DETECTION_TIME, GREETING_DELAY, HELLO_TIME};

/// What a peer whose first bytes have come is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A program: `{`.
    Json,
    /// A browser at the wrong door.
    Http,
    /// Anything else.
    Lines,
}

/// Asks a peer that says nothing for its nickname, as a person wants to be asked.
pub const GREETING: &[u8] = b"Welcome to Crosstalk. Enter your nickname: ";

/// How the methods of HTTP begin a request (RFC 9112, 3). A nickname holds neither space nor slash.
const REQUESTS: [&[u8]; 9] =
    [b"GET /", b"HEAD /", b"POST /", b"PUT /", b"DELETE /", b"PATCH /", b"OPTIONS ", b"CONNECT ", b"TRACE /"];

/// Waits for a peer's first bytes, and greets it if it takes its time.
///
/// # Errors
/// The network's, or that there was no hello in time.
pub async fn detect(stream: &TcpStream, greet: bool) -> io::Result<Result<(Kind, Bytes), DisconnectCode>> {
    let start = Instant::now();
    let mut greeted = false;
    let mut first = Vec::new();
    let mut complete_by = None;
    loop {
        match kind(&first) {
            Some(kind) => return Ok(Ok((kind, first.into()))),
            None if !first.is_empty() => {
                _ = complete_by.get_or_insert_with(|| Instant::now() + DETECTION_TIME)
            }
            None => {}
        }
        let wait = if greeted { HELLO_TIME } else { GREETING_DELAY };
        match timeout_at(complete_by.unwrap_or(start + wait), stream.readable()).await {
            Ok(ready) => {
                ready?;
                let mut buffer = [0; 1024];
                match stream.try_read(&mut buffer) {
                    Ok(0) if first.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(0) => return Ok(Ok((Kind::Lines, first.into()))),
                    Ok(len) => first.extend_from_slice(&buffer[..len]),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            Err(_) if !first.is_empty() => return Ok(Ok((Kind::Lines, first.into()))),
            Err(_) if greeted || !greet => return Ok(Err(DisconnectCode::HelloTimeout)),
            Err(_) => {
                // The socket is new and its buffer empty: this is taken at once or never.
                stream.try_write(GREETING)?;
                greeted = true;
            }
        }
    }
}

/// `None` while more bytes are needed.
fn kind(first: &[u8]) -> Option<Kind> {
    if first.starts_with(b"{") {
        Some(Kind::Json)
    } else if REQUESTS.iter().any(|request| first.starts_with(request)) {
        Some(Kind::Http)
    } else if REQUESTS.iter().any(|request| request.starts_with(first)) {
        None
    } else {
        Some(Kind::Lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide() {
        assert_eq!(kind(b""), None);
        assert_eq!(kind(b"{"), Some(Kind::Json));
        assert_eq!(kind(b"GET / HTTP/1.1\r\n"), Some(Kind::Http));
        assert_eq!(kind(b"PO"), None);
        assert_eq!(kind(b"GET\n"), Some(Kind::Lines));
        assert_eq!(kind(b"alice"), Some(Kind::Lines));
        assert_eq!(kind(b"\xff\xfd\x03"), Some(Kind::Lines));
    }
}
