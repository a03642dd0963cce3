//! No task outlives its connection, and none the server.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use crosstalk_server::Server;
use crosstalk_server::config::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// Only guards against hanging.
const PATIENCE: Duration = Duration::from_secs(30);

const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

async fn tasks_become(count: usize) {
    let metrics = Handle::current().metrics();
    let reached = timeout(PATIENCE, async {
        while metrics.num_alive_tasks() != count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(reached.await.is_ok(), "{} tasks instead of {count}", metrics.num_alive_tasks());
}

/// Connects, says something, waits for an answer, and hangs up.
async fn visit(address: SocketAddr, words: String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(words.as_bytes()).await.unwrap();
    let mut answer = [0; 256];
    assert!(timeout(PATIENCE, stream.read(&mut answer)).await.unwrap().unwrap() > 0, "{words}");
}

#[tokio::test]
async fn every_connection_ends_with_its_task() {
    let before = Handle::current().metrics().num_alive_tasks();
    let flags = ["crosstalk-server", "--tcp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--ephemeral"];
    let server = Server::start(&Config::parse_from(flags)).await.unwrap();
    // The two listeners, the sequencer and presence.
    let idle = before + 5;
    tasks_become(idle).await;
    for number in 0..40 {
        visit(server.tcp(), format!("line-{number}\nhi\n")).await;
        visit(server.tcp(), format!("unframed-{number}")).await;
        visit(server.tcp(), format!("{{\"type\":\"hello\",\"nick\":\"json-{number}\"}}\n")).await;
        visit(server.tcp(), "GET / HTTP/1.1\r\n\r\n".to_owned()).await;
        visit(server.http(), HANDSHAKE.to_owned()).await;
        visit(server.http(), "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()).await;
        visit(server.http(), "no HTTP at all\r\n\r\n".to_owned()).await;
    }
    tasks_become(idle).await;
    let mut stays = TcpStream::connect(server.tcp()).await.unwrap();
    stays.write_all(b"stays\n").await.unwrap();
    tasks_become(idle + 1).await;
    let mut told = String::new();
    let (cut_off, read) = tokio::join!(server.stop(), stays.read_to_string(&mut told));
    read.unwrap();
    assert_eq!(cut_off, 0);
    assert!(told.ends_with("Server: The server is going down; come back in a moment.\n"), "{told}");
    tasks_become(before).await;
}
