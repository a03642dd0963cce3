//! The HTTP port as a client meets it, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::sync::Arc;

use std::time::Duration;

use bytes::Bytes;
use crosstalk_server::http::{Http, HttpOptions};
use crosstalk_server::shutdown::Shutdown;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use tokio::time::timeout;

const HANDSHAKE: &str = "Host: localhost:8080\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
                         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// One connection: the client's end, and what becomes of the server's.
struct Connection {
    client: TcpStream,
    served: JoinHandle<Option<(TcpStream, Bytes)>>,
    shutdown: Shutdown,
}

impl Connection {
    async fn open() -> Self {
        let shutdown = Shutdown::default();
        let http = Http::new(HttpOptions {
            web_dir: None,
            allow_origins: vec!["https://chat.example.org".parse().unwrap()],
            stopping: shutdown.clone(),
            trouble: Arc::new(|| None),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let token = shutdown.clone();
        let served = tokio::spawn(async move { http.serve(stream, &token).await.unwrap() });
        Self { client, served, shutdown }
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.client.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The head of the next answer, in lower case, without what is behind it.
    async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.client.read_u8().await.unwrap());
        }
        String::from_utf8(head).unwrap().to_lowercase()
    }
}

/// Head, in lower case, and body of the answer to one request.
async fn answer(request: &str, headers: &str) -> (String, String) {
    let mut connection = Connection::open().await;
    connection.send(format!("{request} HTTP/1.1\r\n{headers}\r\n")).await;
    connection.client.shutdown().await.unwrap();
    let head = connection.head().await;
    let mut body = Vec::new();
    let end = connection.client.read_to_end(&mut body);
    timeout(Duration::from_secs(60), end).await.expect("an answer that ends").unwrap();
    (head, String::from_utf8_lossy(&body).into_owned())
}

fn status(head: &str) -> &str {
    head.split(' ').nth(1).unwrap_or_default()
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[tokio::test]
async fn a_handshake_gives_the_socket_back_with_what_came_behind_it() {
    let mut connection = Connection::open().await;
    connection.send(format!("GET /ws HTTP/1.1\r\n{HANDSHAKE}\r\nfirst frame")).await;
    let head = connection.head().await;
    assert_eq!(status(&head), "101");
    // The example of RFC 6455, 1.3.
    assert_eq!(header(&head, "sec-websocket-accept"), Some("s3pplmbitxaq9kygzzhzrbk+xoo="));
    assert_eq!(header(&head, "sec-websocket-extensions"), None);

    let (mut stream, first) = connection.served.await.unwrap().expect("a WebSocket");
    assert_eq!(first, "first frame");
    stream.write_all(b"answer").await.unwrap();
    let mut bytes = [0; 6];
    connection.client.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"answer");
}

#[tokio::test]
async fn only_get_makes_a_handshake() {
    for method in ["HEAD", "POST", "OPTIONS"] {
        let (head, _) = answer(&format!("{method} /ws"), HANDSHAKE).await;
        assert!(matches!(status(&head), "405" | "426"), "{method}: {head}");
    }
}

#[tokio::test]
async fn who_does_not_upgrade_is_told_how() {
    let old = HANDSHAKE.replace("Version: 13", "Version: 8");
    for headers in ["Host: x\r\n", &old] {
        let (head, body) = answer("GET /ws", headers).await;
        assert_eq!(status(&head), "426");
        assert_eq!(header(&head, "upgrade"), Some("websocket"));
        // RFC 9110, 7.8: who sends `Upgrade` says so in `Connection`.
        assert!(header(&head, "connection").is_some_and(|value| value.contains("upgrade")), "{head}");
        assert_eq!(header(&head, "sec-websocket-version"), Some("13"));
        assert!(body.contains("WebSocket"), "{body}");
    }
}

#[tokio::test]
async fn a_page_from_elsewhere_is_told_which_flag_would_let_it_in() {
    for origin in ["null", "https://evil.example", "http://localhost:8081"] {
        let (head, body) = answer("GET /ws", &format!("{HANDSHAKE}Origin: {origin}\r\n")).await;
        assert_eq!(status(&head), "403", "{origin}");
        assert!(body.contains("--allow-origin"), "{body}");
        assert_eq!(body.lines().count(), 1);
    }
    for origin in ["http://localhost:8080", "https://chat.example.org"] {
        let mut connection = Connection::open().await;
        connection.send(format!("GET /ws HTTP/1.1\r\n{HANDSHAKE}Origin: {origin}\r\n\r\n")).await;
        assert_eq!(status(&connection.head().await), "101", "{origin}");
    }
}

#[tokio::test]
async fn text_says_that_it_is_utf8() {
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/main.js", "text/javascript; charset=utf-8"),
        ("/styles/base.css", "text/css; charset=utf-8"),
        ("/favicon.svg", "image/svg+xml"),
        ("/healthz", "text/plain; charset=utf-8"),
        ("/nothing", "text/plain; charset=utf-8"),
    ] {
        let (head, _) = answer(&format!("GET {path}"), "Host: x\r\n").await;
        assert_eq!(header(&head, "content-type"), Some(kind), "{path}");
    }
}

#[tokio::test]
async fn a_compressed_file_is_revalidated_by_a_weak_tag() {
    let (plain, _) = answer("GET /main.js", "Host: x\r\n").await;
    let (small, _) = answer("GET /main.js", "Host: x\r\nAccept-Encoding: br\r\n").await;
    let weak = header(&small, "etag").unwrap();
    assert_eq!(weak, format!("w/{}", header(&plain, "etag").unwrap()));
    let tag = weak.replace("w/", "W/");
    let headers = format!("Host: x\r\nAccept-Encoding: br\r\nIf-None-Match: {tag}\r\n");
    let (again, body) = answer("GET /main.js", &headers).await;
    assert_eq!((status(&again), &*body), ("304", ""));
    let (tiny, _) = answer("GET /healthz", "Host: x\r\nAccept-Encoding: gzip\r\n").await;
    assert_eq!(header(&tiny, "content-encoding"), None);
}

#[tokio::test]
async fn another_method_is_told_which_ones_there_are() {
    for request in ["POST /", "DELETE /healthz", "PUT /ws"] {
        let (head, body) = answer(request, "Host: x\r\nContent-Length: 0\r\n").await;
        assert_eq!(status(&head), "405", "{request}");
        assert!(header(&head, "allow").is_some_and(|methods| methods.contains("get")), "{request}: {head}");
        assert!(body.contains("GET") && body.lines().count() == 1, "{request}: {body}");
    }
}

#[tokio::test]
async fn a_directory_is_no_page_and_leads_nowhere() {
    // A redirection to `//components/` would lead to another host.
    for path in ["/components", "/components/", "//components"] {
        let (head, _) = answer(&format!("GET {path}"), "Host: x\r\n").await;
        assert_eq!((status(&head), header(&head, "location")), ("404", None), "{path}");
    }
}

#[tokio::test]
async fn a_connection_that_waits_ends_with_the_server() {
    let mut silent = Connection::open().await;
    let mut kept = Connection::open().await;
    kept.send("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(status(&kept.head().await), "200");
    for connection in [&mut silent, &mut kept] {
        connection.shutdown.begin();
        assert!((&mut connection.served).await.unwrap().is_none());
    }
}
