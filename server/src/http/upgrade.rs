//! `/ws`: the opening handshake of a WebSocket (RFC 6455, 4.2), and who may make it.

use std::str::FromStr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, Version, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::upgrade::OnUpgrade;
use tungstenite::handshake::derive_accept_key;

use crate::peer::lock;

/// Where a connection's upgrade is left for the task that serves the connection.
#[derive(Clone, Default)]
pub(super) struct Slot(Arc<Mutex<Option<OnUpgrade>>>);

impl Slot {
    pub(super) fn take(&self) -> Option<OnUpgrade> {
        lock(&self.0).take()
    }
}

/// The origins, besides the page's own, whose pages may connect.
#[derive(Clone)]
pub(super) struct AllowedOrigins(Arc<[Origin]>);

/// Scheme, host and port, as browsers compare them (RFC 6454, 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl AllowedOrigins {
    pub(super) fn new(origins: Vec<Origin>) -> Self {
        Self(origins.into())
    }

    /// No origin is a program, which could say what it likes. A page's has to be the host that it
    /// was loaded from, under whichever scheme: a proxy may speak TLS for this server.
    fn allow(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).into_iter();
        let Some(origin) = origins.next() else { return true };
        if origins.next().is_some() {
            return false;
        }
        let Some(origin) = origin.to_str().ok().and_then(Origin::parse) else { return false };
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let own = host.and_then(|host| Origin::parse(&format!("{}://{host}", origin.scheme)));
        own.is_some_and(|own| own == origin) || self.0.contains(&origin)
    }
}

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(input: &str) -> Result<Self, &'static str> {
        Self::parse(input).ok_or("an origin is a scheme and a host, such as https://chat.example.org")
    }
}

impl Origin {
    fn parse(input: &str) -> Option<Self> {
        let uri: Uri = input.trim_end_matches('/').parse().ok()?;
        let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        if has_user || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return None;
        }
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let default_port = match &*scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let port = uri.port_u16().unwrap_or(default_port);
        Some(Self { host: uri.host()?.to_ascii_lowercase(), port, scheme })
    }
}

pub(super) fn route(origins: AllowedOrigins) -> Router {
    Router::new().route("/ws", get(upgrade)).with_state(origins)
}

async fn upgrade(State(origins): State<AllowedOrigins>, mut request: Request) -> Response {
    let headers = request.headers();
    // Axum has HEAD requests answered by the routes of GET.
    let upgrades = request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && has_token(headers, header::CONNECTION, "upgrade")
        && has_token(headers, header::UPGRADE, "websocket");
    if !upgrades || headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        let wanted = [
            (header::CONNECTION, "upgrade"),
            (header::UPGRADE, "websocket"),
            (header::SEC_WEBSOCKET_VERSION, "13"),
        ];
        let words = "This address speaks WebSocket, version 13. The page is at /\n";
        return (StatusCode::UPGRADE_REQUIRED, wanted, words).into_response();
    }
    let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key.as_bytes())) else {
        let words = "Sec-WebSocket-Key has to be 16 bytes in base64.\n";
        return (StatusCode::BAD_REQUEST, words).into_response();
    };
    if !origins.allow(headers) {
        let words =
            "Pages of that origin may not connect; start the server with --allow-origin to let them.\n";
        return (StatusCode::FORBIDDEN, words).into_response();
    }
    let accept = derive_accept_key(key.as_bytes());
    let Some(Slot(slot)) = request.extensions().get::<Slot>().cloned() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    *lock(&slot) = Some(hyper::upgrade::on(&mut request));
    let answer = [
        (header::CONNECTION, "upgrade"),
        (header::UPGRADE, "websocket"),
        (header::SEC_WEBSOCKET_ACCEPT, accept.as_str()),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, answer).into_response()
}

fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    let values = headers.get_all(name);
    values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}

/// Whether these are 16 bytes in base64: 22 characters, of which the last carries two bits, and `==`.
fn is_key(key: &[u8]) -> bool {
    let [characters @ .., b'=', b'='] = key else { return false };
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    characters.len() == 22
        && characters.iter().all(base64)
        && matches!(characters[21], b'A' | b'Q' | b'g' | b'w')
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_page_may_connect_to_the_host_it_came_from_or_if_it_is_allowed() {
        let origins = AllowedOrigins::new(vec!["https://chat.example.org".parse().unwrap()]);
        let allowed = |origin: Option<&str>, host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
            }
            origins.allow(&headers)
        };
        assert!(allowed(None, "localhost:8080"));
        assert!(allowed(Some("http://localhost:8080"), "localhost:8080"));
        assert!(allowed(Some("http://LOCALHOST"), "localhost:80"));
        assert!(allowed(Some("https://a.example"), "a.example"));
        assert!(allowed(Some("https://chat.example.org"), "10.0.0.1:8080"));
        assert!(allowed(Some("http://[::1]:8080"), "[::1]:8080"));
        for origin in [
            "http://localhost:8081",
            "http://evil.example",
            "null",
            "http://localhost:8080.evil.example",
            "http://evil@localhost:8080",
            "",
        ] {
            assert!(!allowed(Some(origin), "localhost:8080"), "{origin}");
        }
        assert!(!allowed(Some("http://chat.example.org"), "10.0.0.1:8080"));
    }

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        assert!("http://localhost:3000/".parse::<Origin>().is_ok());
        for input in ["chat.example.org", "https://", "ftp://a.example", "https://a.example/page", "*"] {
            assert!(input.parse::<Origin>().is_err(), "{input}");
        }
    }

    #[test]
    fn a_key_is_sixteen_bytes() {
        assert!(is_key(b"dGhlIHNhbXBsZSBub25jZQ=="));
        for key in
            ["", "==", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZR==", "dGhlIHNhbXBsZSBub25jZ!=="]
        {
            assert!(!is_key(key.as_bytes()), "{key}");
        }
    }
}
