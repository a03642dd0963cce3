//! Where the server is, read from what a person writes. Nothing is looked up here.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use tokio_tungstenite::tungstenite::http::Uri;

/// The port of the server's TCP door.
pub(crate) const TCP_PORT: u16 = 44444;

/// The port that a `ws://` or `http://` address means when it names none.
const WEB_PORT: u16 = 80;

/// The route of the WebSocket.
const WEBSOCKET_ROUTE: &str = "ws";

/// A server's address and the way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// JSON, one object a line, over TCP.
    Tcp {
        /// A name or an address, without brackets.
        host: String,
        /// The TCP door's port.
        port: u16,
    },
    /// JSON over a WebSocket.
    WebSocket {
        /// A name or an address, without brackets.
        host: String,
        /// The HTTP port.
        port: u16,
        /// The whole URL, for the handshake.
        url: String,
    },
}

/// Why an address was refused. The text says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum AddressError {
    #[error("an address is needed, such as localhost:{TCP_PORT}")]
    Empty,
    #[error("\"{0}\" is not a port, which is a number from 1 to 65535")]
    Port(String),
    #[error("\"{0}\" is not an address; write host:port or ws://host:port")]
    Malformed(String),
    #[error("encrypted connections ({0}://) are not there yet; use ws:// or host:port")]
    Tls(String),
    #[error("{0}:// is no way into Crosstalk; write host:port or ws://host:port")]
    Scheme(String),
}

impl Address {
    /// The TCP door of `host`.
    ///
    /// # Errors
    /// [`AddressError::Port`] if `port` is not a port.
    pub(crate) fn tcp(host: &str, port: &str) -> Result<Self, AddressError> {
        match port.parse() {
            Ok(port) if port > 0 => Ok(Self::Tcp { host: host.to_owned(), port }),
            _ => Err(AddressError::Port(crosstalk_protocol::clean(port))),
        }
    }

    /// The host and port to connect to.
    pub(crate) fn endpoint(&self) -> (&str, u16) {
        match self {
            Self::Tcp { host, port } | Self::WebSocket { host, port, .. } => (host, *port),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(formatter, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(formatter, "{host}:{port}"),
            Self::WebSocket { url, .. } => formatter.write_str(url),
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(input: &str) -> Result<Self, AddressError> {
        let input = input.trim();
        let malformed = || AddressError::Malformed(crosstalk_protocol::clean(input));
        if input.is_empty() {
            return Err(AddressError::Empty);
        }
        if let Some((scheme, _)) = input.split_once("://") {
            return match scheme.to_ascii_lowercase().as_str() {
                "ws" | "http" => websocket(input).ok_or_else(malformed),
                secure @ ("wss" | "https") => Err(AddressError::Tls(secure.to_owned())),
                other => Err(AddressError::Scheme(crosstalk_protocol::clean(other))),
            };
        }
        if input.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/' || c == '@') {
            return Err(malformed());
        }
        let (host, port) = match input.strip_prefix('[') {
            Some(rest) => {
                let (host, behind) = rest.split_once(']').ok_or_else(malformed)?;
                match behind.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None if behind.is_empty() => (host, None),
                    None => return Err(malformed()),
                }
            }
            // More than one colon and no bracket: an IPv6 address without a port.
            None if input.matches(':').count() > 1 => (input, None),
            None => input.split_once(':').map_or((input, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() {
            return Err(malformed());
        }
        match port {
            Some(port) => Self::tcp(host, port),
            None => Ok(Self::Tcp { host: host.to_owned(), port: TCP_PORT }),
        }
    }
}

/// `http://host:8080/` is the page, and its WebSocket is beside it at `/ws`. A `ws://` address
/// with a path of its own is taken as it is.
fn websocket(input: &str) -> Option<Address> {
    let uri: Uri = input.parse().ok()?;
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
    let host = uri.host().filter(|host| !host.is_empty())?;
    let path = match (uri.scheme_str()?, uri.path()) {
        ("ws", path) if path != "/" => path.to_owned(),
        (_, path) => format!("{}/{WEBSOCKET_ROUTE}", path.trim_end_matches('/')),
    };
    let url = format!("ws://{authority}{path}");
    let port = match authority.as_str().strip_prefix(host)? {
        "" => WEB_PORT,
        behind => behind.strip_prefix(':')?.parse().ok().filter(|port| *port > 0)?,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Some(Address::WebSocket { host, port, url })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(input: &str) -> String {
        input.parse::<Address>().map_or_else(|error| format!("error: {error}"), |it| it.to_string())
    }

    #[test]
    fn a_host_alone_means_the_tcp_door() {
        assert_eq!(shown("chat.example"), "chat.example:44444");
        assert_eq!(shown(" localhost:5000 "), "localhost:5000");
        assert_eq!(shown("::1"), "[::1]:44444");
        assert_eq!(shown("[::1]:5000"), "[::1]:5000");
        assert_eq!(shown("[fe80::1]"), "[fe80::1]:44444");
    }

    #[test]
    fn the_address_of_the_page_leads_to_its_websocket() {
        assert_eq!(shown("http://host:8080/"), "ws://host:8080/ws");
        assert_eq!(shown("http://host:8080"), "ws://host:8080/ws");
        assert_eq!(shown("ws://host:8080"), "ws://host:8080/ws");
        assert_eq!(shown("ws://host/chat/socket"), "ws://host/chat/socket");
        assert_eq!(shown("http://host/chat/"), "ws://host/chat/ws");
        let address: Address = "ws://[::1]:8080/ws".parse().unwrap();
        assert_eq!(address.endpoint(), ("::1", 8080));
        let address: Address = "http://host".parse().unwrap();
        assert_eq!(address.endpoint(), ("host", 80));
    }

    #[test]
    fn a_wrong_address_says_what_to_write() {
        assert_eq!(shown(""), "error: an address is needed, such as localhost:44444");
        for port in ["host:0", "host:65536", "host:http"] {
            assert!(shown(port).contains("is not a port"), "{port}");
        }
        for malformed in ["host:", ":5000", "[::1", "[::1]x", "a b", "http://", "ws://h:99999/", "ws://u@h/"]
        {
            assert!(shown(malformed).starts_with("error: "), "{malformed}: {}", shown(malformed));
        }
        assert!(shown("https://host").contains("not there yet"));
        assert!(shown("wss://host").contains("wss://"));
        assert!(shown("ftp://host").contains("no way into Crosstalk"));
    }
}
