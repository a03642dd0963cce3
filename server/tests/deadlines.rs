//! What happens to a peer that lets time pass. The clock is paused: it jumps to the next deadline
//! whenever nothing else is left to do, so that minutes take milliseconds and no test depends on
//! how fast the machine is.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::sync::Arc;

use bytes::Bytes;
use crosstalk_protocol::DisconnectCode;
use crosstalk_server::connection::{self, Door, End};
use crosstalk_server::hub::Hub;
use crosstalk_server::limits::{HELLO_TIME, PING_AFTER, PONG_TIME, QUIET_TIME, TYPING_TIME, WRITE_TIME};
use crosstalk_server::sequencer;
use crosstalk_server::session::Session;
use crosstalk_server::shutdown::Shutdown;
use crosstalk_server::store::Ephemeral;
use crosstalk_server::transport::json::{JsonDoor, Lines};
use crosstalk_server::transport::line::LineDoor;
use crosstalk_server::transport::websocket::WebSocket;
use crosstalk_server::transport::websocket::frame::{self, Opcode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

async fn session() -> Session {
    let store = Arc::new(Ephemeral::default());
    let (hub, drafts) = Hub::new(store.clone()).await.unwrap();
    tokio::spawn(sequencer::run(drafts, store));
    Session::new(Arc::new(hub), None)
}

/// A client's socket, and what becomes of the server's side of it.
async fn connect<D: Door + 'static>(door: D) -> (TcpStream, JoinHandle<End>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let served =
        tokio::spawn(async move { connection::run(&stream, door, Bytes::new(), &Shutdown::default()).await });
    (client, served)
}

async fn read_to_end(client: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn code(end: &End) -> Option<DisconnectCode> {
    match end {
        End::Disconnect(code) => Some(*code),
        End::HungUp | End::Failed(_) => None,
    }
}

#[tokio::test(start_paused = true)]
async fn who_never_says_hello_is_told_and_sent_away() {
    let start = Instant::now();
    let (mut client, served) = connect(LineDoor::new(session().await, None)).await;
    assert!(read_to_end(&mut client).await.starts_with("Server: No nickname was given in time"));
    assert!(start.elapsed() >= HELLO_TIME);
    drop(client);
    assert_eq!(code(&served.await.unwrap()), Some(DisconnectCode::HelloTimeout));

    let (mut client, _) = connect(JsonDoor::new(Lines::default(), session().await)).await;
    client.write_all(b"{\"type\":\"ping\"}\n").await.unwrap();
    let told = read_to_end(&mut client).await;
    assert!(told.contains("{\"type\":\"disconnect\",\"code\":\"hello-timeout\""), "{told}");
}

/// A client's frame, masked with zeroes.
fn masked(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 126);
    let mut bytes = Vec::new();
    frame::encode(opcode, payload, &mut bytes);
    bytes[1] |= 0x80;
    bytes.splice(2..2, [0; 4]);
    bytes
}

const PING: [u8; 2] = [0x89, 0];

#[tokio::test(start_paused = true)]
async fn a_silent_websocket_is_pinged_and_stays_while_it_answers() {
    let (mut client, served) = connect(JsonDoor::new(WebSocket::new(), session().await)).await;
    client.write_all(&masked(Opcode::Text, b"{\"type\":\"hello\",\"nick\":\"alice\"}")).await.unwrap();
    let mut welcome = vec![0; 4096];
    assert!(client.read(&mut welcome).await.unwrap() > 0);
    for _ in 0..3 {
        let silent_since = Instant::now();
        let mut ping = [0; 2];
        client.read_exact(&mut ping).await.unwrap();
        assert_eq!(ping, PING);
        assert!(silent_since.elapsed() >= PING_AFTER);
        client.write_all(&masked(Opcode::Pong, b"")).await.unwrap();
    }
    // Now it falls silent for good.
    let silent_since = Instant::now();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert!(rest.starts_with(&PING));
    assert!(silent_since.elapsed() >= PING_AFTER + PONG_TIME);
    let told = String::from_utf8_lossy(&rest).into_owned();
    assert!(told.contains("\"code\":\"pong-timeout\"") && told.contains("\"reconnect\":true"), "{told}");
    drop(client);
    assert_eq!(code(&served.await.unwrap()), Some(DisconnectCode::PongTimeout));
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_for_the_write_limit_is_disconnected() {
    let (mut client, served) = connect(JsonDoor::new(Lines::default(), session().await)).await;
    let text = "x".repeat(4_000);
    let mut input = b"{\"type\":\"hello\",\"nick\":\"alice\"}\n".to_vec();
    for _ in 0..4_000 {
        input.extend(format!("{{\"type\":\"send\",\"room\":\"lobby\",\"text\":\"{text}\"}}\n").into_bytes());
    }
    let start = Instant::now();
    let writing = tokio::spawn(async move {
        let _ = client.write_all(&input).await;
        client
    });
    assert_eq!(code(&served.await.unwrap()), Some(DisconnectCode::WriteTimeout));
    assert!(start.elapsed() >= WRITE_TIME);
    writing.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_message_without_a_line_ending_ends_with_a_quiet_time() {
    let (mut client, _served) = connect(LineDoor::new(session().await, None)).await;
    for (bytes, quiet, reply) in
        [("alice", QUIET_TIME, "Connected to the server"), ("/", TYPING_TIME, "Server: Unknown")]
    {
        let start = Instant::now();
        client.write_all(bytes.as_bytes()).await.unwrap();
        let mut buffer = [0; 1024];
        let len = client.read(&mut buffer).await.unwrap();
        let told = String::from_utf8_lossy(&buffer[..len]).into_owned();
        assert!(told.starts_with(reply), "{told}");
        assert!(start.elapsed() >= quiet);
    }
}
