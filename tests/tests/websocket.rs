//! The WebSocket's own rules: what a browser relies on, and what a broken peer gets.

use crosstalk_tests::{Frame, JsonClient, Opcode, RawSocket, TestServer, http, within};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const HELLO: &str = r#"{"type":"hello","nick":"alice"}"#;

fn text(payload: &str) -> Vec<u8> {
    Frame::new(Opcode::Text, payload).masked()
}

/// The next frame, as the event that it holds.
async fn event(socket: &mut RawSocket) -> Value {
    let frame = socket.frame().await.expect("the connection goes on");
    assert_eq!(frame.first, 0x81, "a whole text message: {frame:?}");
    serde_json::from_slice(&frame.payload).expect("an event is JSON")
}

/// The next event of a type.
async fn event_of(socket: &mut RawSocket, kind: &str) -> Value {
    loop {
        let event = event(socket).await;
        if event["type"] == kind {
            return event;
        }
    }
}

/// Sends bytes to a welcome peer's socket and expects a close with `code`, and then the end.
async fn closes(server: &TestServer, bytes: &[u8], code: u16) {
    let mut socket = RawSocket::connect(server.http()).await;
    // The server may close before it has read everything.
    let _ = socket.try_send(bytes).await;
    let close = socket.control().await.unwrap_or_else(|| panic!("no close with {code}"));
    assert_eq!(close.close_code(), Some(code), "{close:?}");
    let _ = socket.try_send(&Frame::new(Opcode::Close, code.to_be_bytes()).masked()).await;
    assert_eq!(socket.frame().await, None, "the server closes after {code}");
}

#[tokio::test]
async fn a_message_may_come_in_fragments() {
    let server = TestServer::start().await;
    let mut socket = RawSocket::connect(server.http()).await;
    let (first, rest) = HELLO.split_at(7);
    let (second, third) = rest.split_at(9);
    socket.send(&Frame::part(Opcode::Text, first).masked()).await;
    // Control frames may stand between fragments.
    socket.send(&Frame::new(Opcode::Ping, "between").masked()).await;
    assert_eq!(socket.frame().await, Some(Frame::new(Opcode::Pong, "between")));
    socket.send(&Frame::part(Opcode::Continuation, second).masked()).await;
    socket.send(&Frame::new(Opcode::Continuation, third).masked()).await;
    assert_eq!(event(&mut socket).await["type"], "welcome");
    server.stop().await;
}

#[tokio::test]
async fn a_character_may_be_cut_by_fragments() {
    let server = TestServer::start().await;
    let mut socket = RawSocket::connect(server.http()).await;
    let hello = r#"{"type":"hello","nick":"zoë"}"#.as_bytes();
    let cut = hello.iter().position(|byte| !byte.is_ascii()).expect("there is an umlaut") + 1;
    socket.send(&Frame::part(Opcode::Text, &hello[..cut]).masked()).await;
    socket.send(&Frame::new(Opcode::Continuation, &hello[cut..]).masked()).await;
    assert_eq!(event(&mut socket).await["nick"], "zoë");
    server.stop().await;
}

#[tokio::test]
async fn frames_in_the_segment_of_the_handshake_are_not_lost() {
    let server = TestServer::start().await;
    let frames: Vec<u8> = std::iter::once(text(HELLO))
        .chain((0..100).map(|number| {
            text(&json!({ "type": "send", "room": "lobby", "text": format!("{number}"), "id": format!("{number}") }).to_string())
        }))
        .flatten()
        .collect();
    let mut socket = RawSocket::connect_with(server.http(), &frames).await;
    assert_eq!(event(&mut socket).await["type"], "welcome");
    for number in 0..100 {
        assert_eq!(event_of(&mut socket, "message").await["text"], number.to_string());
    }
    server.stop().await;
}

#[tokio::test]
async fn frames_may_come_one_byte_at_a_time() {
    let server = TestServer::start().await;
    let mut socket = RawSocket::connect(server.http()).await;
    for byte in text(HELLO) {
        socket.send(&[byte]).await;
    }
    assert_eq!(event(&mut socket).await["type"], "welcome");
    server.stop().await;
}

#[tokio::test]
async fn what_breaks_the_rules_is_closed_with_their_code() {
    let server = TestServer::start().await;
    let too_large = format!(r#"{{"type":"ping","pad":"{}"}}"#, "x".repeat(33_000));
    let halves = too_large.split_at(20_000);
    let fragments =
        [Frame::part(Opcode::Text, halves.0).masked(), Frame::new(Opcode::Continuation, halves.1).masked()]
            .concat();
    let with_first = |first: u8| Frame { first, payload: b"{}".to_vec() }.masked();
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("binary", Frame::new(Opcode::Binary, HELLO).masked(), 1003),
        ("bad UTF-8", Frame::new(Opcode::Text, b"{\"type\":\"\xff\"}").masked(), 1007),
        ("a surrogate", Frame::new(Opcode::Text, b"\xed\xa0\x80").masked(), 1007),
        ("too large", text(&too_large), 1009),
        ("too large in fragments", fragments, 1009),
        (
            "too large by its header",
            vec![0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4],
            1009,
        ),
        ("unmasked", Frame::new(Opcode::Text, HELLO).unmasked(), 1002),
        ("a reserved bit", with_first(0xc1), 1002),
        ("a reserved opcode", with_first(0x83), 1002),
        ("a reserved control opcode", with_first(0x8b), 1002),
        ("a fragmented ping", Frame::part(Opcode::Ping, "x").masked(), 1002),
        ("a ping over 125 bytes", Frame::new(Opcode::Ping, "x".repeat(126)).masked(), 1002),
        ("a continuation of nothing", Frame::new(Opcode::Continuation, "x").masked(), 1002),
        (
            "a text inside a text",
            [Frame::part(Opcode::Text, "{").masked(), Frame::new(Opcode::Text, "}").masked()].concat(),
            1002,
        ),
        ("a close of one byte", Frame::new(Opcode::Close, [3]).masked(), 1002),
        (
            "a close with a code nobody may send",
            Frame::new(Opcode::Close, 1005u16.to_be_bytes()).masked(),
            1002,
        ),
    ];
    for (name, bytes, code) in cases {
        eprintln!("{name}");
        closes(&server, &bytes, code).await;
    }
    // Nobody else was harmed.
    JsonClient::enter_websocket(&server, "bob").await.say("lobby", "still here").await;
    server.stop().await;
}

#[tokio::test]
async fn a_disconnect_comes_before_the_close() {
    let server = TestServer::start().await;
    let mut socket = RawSocket::connect(server.http()).await;
    socket.send(&text(HELLO)).await;
    event_of(&mut socket, "welcome").await;
    socket.send(&Frame::new(Opcode::Binary, "x").masked()).await;
    let disconnect = event_of(&mut socket, "disconnect").await;
    assert_eq!((&disconnect["code"], &disconnect["reconnect"]), (&json!("protocol-error"), &json!(false)));
    let close = socket.frame().await.expect("a close frame");
    assert_eq!(close.close_code(), Some(1003));
    server.stop().await;
}

#[tokio::test]
async fn pings_are_answered_in_order() {
    let server = TestServer::start().await;
    let mut socket = RawSocket::connect(server.http()).await;
    let longest = "y".repeat(125);
    for payload in ["", "a", "b", &longest] {
        socket.send(&Frame::new(Opcode::Ping, payload).masked()).await;
        assert_eq!(socket.frame().await, Some(Frame::new(Opcode::Pong, payload)));
    }
    // A pong nobody asked for is nothing.
    socket.send(&Frame::new(Opcode::Pong, "unasked").masked()).await;
    socket.send(&text(HELLO)).await;
    assert_eq!(event(&mut socket).await["type"], "welcome");
    server.stop().await;
}

#[tokio::test]
async fn a_close_is_answered_with_a_close() {
    let server = TestServer::start().await;
    for (payload, answer) in
        [(&b"\x03\xe8bye"[..], Some(1000)), (b"\x03\xe9", Some(1001)), (b"\x0f\xa0", Some(4000))]
    {
        let mut socket = RawSocket::connect(server.http()).await;
        socket.send(&Frame::new(Opcode::Close, payload).masked()).await;
        let close = socket.frame().await.expect("a close frame");
        assert_eq!(close.close_code(), answer, "{close:?}");
        assert_eq!(socket.frame().await, None);
    }
    let mut socket = RawSocket::connect(server.http()).await;
    socket.send(&Frame::new(Opcode::Close, "").masked()).await;
    let close = socket.frame().await.expect("a close frame");
    assert_eq!(close.first, 0x88);
    assert_eq!(socket.frame().await, None);
    server.stop().await;
}

#[tokio::test]
async fn who_closes_is_gone_from_the_room() {
    let server = TestServer::start().await;
    let mut bob = JsonClient::enter(&server, "bob").await;
    let mut socket = RawSocket::connect(server.http()).await;
    socket.send(&text(HELLO)).await;
    bob.take(|event| event["type"] == "presence" && event["joined"] == json!(["alice"])).await;
    socket.send(&Frame::new(Opcode::Close, 1001u16.to_be_bytes()).masked()).await;
    bob.take(|event| event["type"] == "presence" && event["left"] == json!(["alice"])).await;
    server.stop().await;
}

#[tokio::test]
async fn goodbye_is_a_close_with_1000() {
    let server = TestServer::start().await;
    let mut alice = JsonClient::enter_websocket(&server, "alice").await;
    alice.send(json!({ "type": "quit" })).await;
    let bye = alice.take_type("disconnect").await;
    assert_eq!((&bye["code"], &bye["reconnect"]), (&json!("bye"), &json!(false)));
    assert_eq!(alice.next().await, None);
    assert_eq!(alice.close_code(), Some(1000));
    server.stop().await;
}

#[tokio::test]
async fn only_pages_of_the_same_host_are_let_in() {
    let server = TestServer::with(&["--allow-origin", "https://chat.example"]).await;
    let address = server.http();
    for (origin, status) in [
        (format!("http://{address}"), 101),
        ("https://chat.example".to_owned(), 101),
        ("https://evil.example".to_owned(), 403),
        ("http://chat.example".to_owned(), 403),
        ("https://chat.example.evil.example".to_owned(), 403),
        ("null".to_owned(), 403),
        ("".to_owned(), 403),
        (format!("http://{address}.evil.example"), 403),
        (format!("http://evil.example/{address}"), 403),
    ] {
        let head = RawSocket::head(address, &format!("Origin: {origin}\r\n"));
        assert_eq!(status_of(&server, &head).await, status, "{origin:?}");
    }
    assert_eq!(status_of(&server, &RawSocket::head(address, "")).await, 101, "a program has no Origin");
    server.stop().await;
}

#[tokio::test]
async fn a_handshake_has_to_be_one() {
    let server = TestServer::start().await;
    let good = RawSocket::head(server.http(), "");
    for (from, to, statuses) in [
        ("dGhlIHNhbXBsZSBub25jZQ==", "short", &[400][..]),
        ("dGhlIHNhbXBsZSBub25jZQ==", "!!!!!!!!!!!!!!!!!!!!!!==", &[400]),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZSBsb25nZXI=", &[400]),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", &[400]),
        ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8", &[400, 426]),
        ("Sec-WebSocket-Version: 13\r\n", "", &[400, 426]),
        ("Upgrade: websocket\r\n", "", &[400, 426]),
        ("Connection: Upgrade\r\n", "Connection: close\r\n", &[400, 426]),
        ("GET /ws", "POST /ws", &[405]),
    ] {
        let head = good.replace(from, to);
        assert_ne!(head, good);
        let status = status_of(&server, &head).await;
        assert!(statuses.contains(&status), "{from:?} -> {to:?}: {status}");
    }
    let plain = http::get(server.http(), "/ws", &[]).await;
    assert!(matches!(plain.status, 400 | 426), "{plain:?}");
    server.stop().await;
}

#[tokio::test]
async fn no_extension_and_no_subprotocol_is_agreed_to() {
    let server = TestServer::start().await;
    let offers = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
                  Sec-WebSocket-Protocol: chat, superchat\r\n";
    let answer = answer_to(&server, &RawSocket::head(server.http(), offers)).await;
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("sec-websocket-extensions"), None);
    assert_eq!(answer.header("sec-websocket-protocol"), None);
    assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    server.stop().await;
}

/// The status with which a request head is answered.
async fn status_of(server: &TestServer, head: &str) -> u16 {
    answer_to(server, head).await.status
}

/// The head of the answer to a request head.
async fn answer_to(server: &TestServer, head: &str) -> http::Response {
    let mut stream = TcpStream::connect(server.http()).await.expect("the port is open");
    stream.write_all(head.as_bytes()).await.expect("the server reads");
    let mut answer = Vec::new();
    while !answer.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        let read = stream.read_buf(&mut answer);
        let length = within("an answer", read).await.expect("the server answers");
        assert!(length > 0, "the end instead of an answer to {head:?}");
    }
    http::parse(&answer).expect("the answer is HTTP")
}
