//! What strangers do to a server on the open net. Through all of it an honest pair chats and
//! misses nothing, and afterwards no descriptor is left over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crosstalk_tests::faults::{Link, Proxy, deaf, dribble, reset};
use crosstalk_tests::{Frame, JsonClient, LineClient, Opcode, Random, RawSocket, TestServer, within};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};

/// Two people in a room of their own, and in the lobby like everybody.
struct Honest {
    done: Arc<AtomicBool>,
    chat: JoinHandle<usize>,
}

impl Honest {
    /// They come in and begin to talk: each waits for the other's words, and for nothing else.
    async fn start(server: &TestServer) -> Self {
        let mut alice = LineClient::enter(server, "honest-alice").await;
        let mut bob = JsonClient::enter_websocket(server, "honest-bob").await;
        alice.send_line("/create_room work").await;
        alice.until("Room work created successfully!").await;
        bob.request(json!({ "type": "join", "room": "work" })).await;
        alice.until("Server: honest-bob joined work.").await;
        let done = Arc::new(AtomicBool::new(false));
        let stop = done.clone();
        let chat = tokio::spawn(async move {
            let mut round = 0;
            // A few rounds at least, however soon the abuse was over.
            while round < 20 || !stop.load(Ordering::Relaxed) {
                alice.send_line(&format!("question {round}")).await;
                loop {
                    let event = bob.event().await;
                    assert_ne!(event["type"], "gap", "{event}");
                    if event["type"] == "message" && event["room"] == "work" {
                        assert_eq!(event["text"], format!("question {round}"));
                        break;
                    }
                }
                bob.send(json!({ "type": "send", "room": "work", "text": format!("answer {round}") })).await;
                loop {
                    let event = bob.event().await;
                    if event["type"] == "message" && event["room"] == "work" {
                        assert_eq!(event["text"], format!("answer {round}"));
                        break;
                    }
                }
                let others = alice.until(&format!("[work] honest-bob: answer {round}")).await;
                assert!(!others.iter().any(|line| line.starts_with("[work]")), "{others:?}");
                round += 1;
            }
            round
        });
        Self { done, chat }
    }

    /// They finish their sentence.
    async fn finish(self) {
        self.done.store(true, Ordering::Relaxed);
        let rounds = within("the honest pair", self.chat).await.expect("the honest pair noticed nothing");
        assert!(rounds >= 20);
    }
}

/// Runs `abuse` while an honest pair chats, and looks at what is left of it.
async fn survives(abuse: impl AsyncFnOnce(&TestServer)) {
    let mut server = TestServer::start().await;
    let honest = Honest::start(&server).await;
    let before = server.descriptors();
    abuse(&server).await;
    assert!(server.is_running(), "the server has ended");
    server.descriptors_return_to(before).await;
    honest.finish().await;
    server.stop().await;
}

async fn connect(address: std::net::SocketAddr) -> TcpStream {
    within("a connection", TcpStream::connect(address)).await.expect("the port is open")
}

/// Reads to the end of a connection that may be reset.
async fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = within("the end of a connection", stream.read_to_end(&mut rest)).await;
    rest
}

#[tokio::test(flavor = "multi_thread")]
async fn half_said_things_hold_nobody_up() {
    survives(async |server| {
        let beginnings: [&[u8]; 12] = [
            b"",
            b"{",
            b"{\"type\":\"hello\"",
            b"nick without an end",
            b"\xff\xfb",
            b"\xff\xfa\x1f",
            b"G",
            b"GE",
            b"\xf0\x9f",
            b"\r",
            b"half\nline without",
            b"{\"type\":\"hello\",\"nick\":\"half\"}\n{\"type\":\"send\"",
        ];
        let heads: [&[u8]; 6] =
            [b"", b"G", b"GET / HTTP/1.1\r\nHost", b"GET /ws HTTP/1.1\r\n", b"\x16\x03\x01", b"\r\n"];
        let mut open = Vec::new();
        for _ in 0..12 {
            for bytes in beginnings {
                let mut stream = connect(server.tcp()).await;
                stream.write_all(bytes).await.unwrap();
                open.push(stream);
            }
            for bytes in heads {
                let mut stream = connect(server.http()).await;
                stream.write_all(bytes).await.unwrap();
                open.push(stream);
            }
        }
        for _ in 0..10 {
            let mut socket = RawSocket::connect(server.http()).await;
            socket.send(&Frame::new(Opcode::Text, "{}").masked()[..3]).await;
        }
        // With all of them open, somebody new is let in like any day.
        LineClient::enter(server, "newcomer").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_byte_a_write_is_as_good_as_any() {
    survives(async |server| {
        let mut stream = connect(server.tcp()).await;
        dribble(&mut stream, b"slow-line\n/create_room slow\n/room slow said byte by byte\n").await.unwrap();
        let mut line = LineClient::over(stream);
        line.expect_welcome().await;
        line.expect("Room slow created successfully!").await;
        line.expect("[slow] slow-line: said byte by byte").await;

        let mut stream = connect(server.tcp()).await;
        let frames = "{\"type\":\"hello\",\"nick\":\"slow-json\"}\r\n{\"type\":\"ping\",\"id\":\"1\"}\n";
        dribble(&mut stream, frames.as_bytes()).await.unwrap();
        let mut program = JsonClient::over(stream);
        assert_eq!(program.event().await["type"], "welcome");
        assert_eq!(program.take_type("pong").await["id"], "1");

        let mut stream = connect(server.http()).await;
        let hello = Frame::new(Opcode::Text, r#"{"type":"hello","nick":"slow-ws"}"#).masked();
        let bytes = [RawSocket::head(server.http(), "").as_bytes(), &hello].concat();
        dribble(&mut stream, &bytes).await.unwrap();
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains("\"welcome\"") {
            let read = within("a welcome", stream.read_buf(&mut seen)).await.unwrap();
            assert!(read > 0);
        }

        // And what the server writes may arrive a byte at a time.
        let proxy = Proxy::start(server.tcp(), Link::Dribble).await;
        let mut program = JsonClient::tcp(proxy.address()).await;
        program.hello(json!({ "nick": "slow-reader" })).await;
        line.send_line("/broadcast to everybody").await;
        line.until("Message broadcasted!").await;
        program.take(|event| event["text"] == "to everybody").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_lines_cost_nothing() {
    survives(async |server| {
        let before = server.memory();
        let megabyte = vec![b'x'; 1_000_000];
        let mut endless = Vec::new();
        for beginning in
            [&b""[..], b"{\"type\":\"", b"nick\n", b"{\"type\":\"hello\",\"nick\":\"endless\"}\n{\"pad\":\""]
        {
            for _ in 0..3 {
                let mut stream = connect(server.tcp()).await;
                stream.write_all(beginning).await.unwrap();
                for _ in 0..10 {
                    if within("ten megabytes to be read", stream.write_all(&megabyte)).await.is_err() {
                        break;
                    }
                }
                endless.push(stream);
            }
        }
        let mut head = connect(server.http()).await;
        head.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
        for _ in 0..10 {
            if within("ten megabytes to be refused", head.write_all(&megabyte)).await.is_err() {
                break;
            }
        }
        let grown = server.memory().saturating_sub(before);
        assert!(grown < 32_000_000, "120 MB of half lines cost {grown} bytes");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes_are_noise() {
    survives(async |server| {
        let mut random = Random::new(1);
        let handshake = RawSocket::head(server.http(), "");
        let tcp_starts: [&[u8]; 6] =
            [b"", b"{", b"nick\n", b"GET ", b"\xff", b"{\"type\":\"hello\",\"nick\":\"noise\"}\n"];
        let http_starts: [&[u8]; 5] = [
            b"",
            b"GET / HTTP/1.1\r\n",
            b"GET /ws HTTP/1.1\r\n",
            b"PRI * HTTP/2.0\r\n\r\n",
            handshake.as_bytes(),
        ];
        let mut noise = JoinSet::new();
        for number in 0..1_200 {
            let (address, start) = match number % 2 {
                0 => (server.tcp(), *random.pick(&tcp_starts)),
                _ => (server.http(), *random.pick(&http_starts)),
            };
            let length = random.below(4_096);
            let bytes = [start, &random.bytes(length)].concat();
            let ending = random.below(3);
            if noise.len() == 32 {
                noise.join_next().await;
            }
            noise.spawn(async move {
                let mut stream = connect(address).await;
                let _ = stream.write_all(&bytes).await;
                match ending {
                    0 => reset(stream),
                    1 => drop(stream),
                    _ => {
                        let _ = stream.shutdown().await;
                        read_to_end(&mut stream).await;
                    }
                }
            });
        }
        while let Some(done) = noise.join_next().await {
            done.expect("noise is taken");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_every_wrong_type_is_an_error() {
    survives(async |server| {
        let mut client = JsonClient::enter(server, "wrong").await;
        let wrong = [
            json!(null),
            json!(true),
            json!(-1),
            json!(1.5),
            json!(1e300),
            json!(u64::MAX),
            json!(""),
            json!("text"),
            json!("\u{0}\u{1b}[2J\u{202e}"),
            json!("x".repeat(20_000)),
            json!([]),
            json!([[[[[[[[[[]]]]]]]]]]),
            json!([{ "room": 7 }]),
            json!({}),
            json!({ "epoch": "x", "seq": -1 }),
        ];
        let types = [
            "hello", "send", "create", "join", "leave", "rooms", "members", "nick", "history", "ping",
            "nothing",
        ];
        let fields = [
            "nick", "room", "to", "text", "action", "rooms", "position", "after", "before", "limit", "id",
            "type",
        ];
        let mut sent = 0;
        for kind in types {
            for field in fields {
                for value in &wrong {
                    let mut frame = json!({ "type": kind, "room": "lobby", "text": "x" });
                    frame[field] = value.clone();
                    client.send(frame).await;
                    sent += 1;
                }
            }
            // Each is answered, or carried out; none ends the connection.
            let unread = client.drain().await;
            assert!(unread.iter().all(|event| event["code"] != "internal"), "{unread:?}");
            let back = client.request(json!({ "type": "nick", "nick": "wrong" })).await;
            assert!(back["type"] == "nick" || back["code"] == "nick-taken", "{back}");
        }
        assert!(sent > 1_900);
        let deep = format!("{}{}", "{\"a\":".repeat(5_000), "}".repeat(5_000));
        client.send_text(&deep).await;
        assert_eq!(client.take_type("error").await["code"], "bad-request");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_drowns_nobody() {
    survives(async |server| {
        let mut floods = JoinSet::new();
        for number in 0..4 {
            let mut client = JsonClient::enter(server, &format!("flood-{number}")).await;
            floods.spawn(async move {
                let frame = json!({ "type": "send", "room": "lobby", "text": "flood ".repeat(20) })
                    .to_string()
                    + "\n";
                for _ in 0..20 {
                    client.send_bytes(frame.repeat(100).as_bytes()).await;
                    client.drain().await;
                }
            });
        }
        while let Some(done) = floods.join_next().await {
            done.expect("a flood is taken");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_limited_where_there_is_a_limit() {
    let server = TestServer::with(&["--rate-limit", "50"]).await;
    let mut reader = LineClient::enter(&server, "reader").await;
    let mut flood = LineClient::enter(&server, "flood").await;
    reader.expect("Server: flood is online!").await;
    let _ = flood.try_send_bytes("flood\n".repeat(50_000).as_bytes()).await;
    let rest = flood.rest().await;
    assert!(rest.last().is_some_and(|line| line.contains("slow down")), "{:?}", rest.last());
    let seen = reader.until("Server: flood is offline.").await;
    assert!(seen.len() < 2_000, "{} lines came through", seen.len());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resets_leave_nothing_behind() {
    survives(async |server| {
        for round in 0..150 {
            let stages: [&[u8]; 4] =
                [b"", b"nick", b"reset\n", b"{\"type\":\"hello\",\"nick\":\"reset-json\"}\n"];
            for bytes in stages {
                let mut stream = connect(server.tcp()).await;
                let _ = stream.write_all(bytes).await;
                reset(stream);
            }
            let mut stream = connect(server.http()).await;
            let _ = stream.write_all(RawSocket::head(server.http(), "").as_bytes()).await;
            reset(stream);
            // One that is in the middle of a conversation.
            let mut line = LineClient::enter(server, &format!("cut-{round}")).await;
            line.send_line("/broadcast and then").await;
            reset(line.into_stream());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_reads_delays_nobody() {
    survives(async |server| {
        let mut deaf_ones = Vec::new();
        for number in 0..10 {
            let mut stream = deaf(server.tcp()).await;
            stream.write_all(format!("deaf-line-{number}\n").as_bytes()).await.unwrap();
            deaf_ones.push(stream);
            let mut stream = deaf(server.tcp()).await;
            let hello = format!("{{\"type\":\"hello\",\"nick\":\"deaf-json-{number}\"}}\n");
            stream.write_all(hello.as_bytes()).await.unwrap();
            deaf_ones.push(stream);
            let mut stream = deaf(server.http()).await;
            let hello = json!({ "type": "hello", "nick": format!("deaf-ws-{number}") }).to_string();
            let frame = Frame::new(Opcode::Text, hello).masked();
            stream
                .write_all(&[RawSocket::head(server.http(), "").as_bytes(), &frame].concat())
                .await
                .unwrap();
            deaf_ones.push(stream);
        }
        let mut reader = LineClient::enter(server, "reader").await;
        let mut talker = JsonClient::enter(server, "talker").await;
        let before = server.memory();
        let long = "x".repeat(2_000);
        const COUNT: usize = 6_000;
        // As many as the kernel takes on their way back to the talker, who reads them only afterwards.
        const WINDOW: usize = 10;
        for number in 0..COUNT {
            talker.send(json!({ "type": "send", "room": "lobby", "text": format!("{number} {long}") })).await;
            if number % WINDOW == WINDOW - 1 {
                // Each window of messages reaches who reads, whole and in order.
                for number in number + 1 - WINDOW..=number {
                    let expected = format!("talker: {number} {long}");
                    loop {
                        let line = reader.line().await.expect("the connection goes on");
                        if line == expected {
                            break;
                        }
                        assert!(line.starts_with("Server: "), "{line:?} instead of number {number}");
                    }
                }
                talker.drain().await;
            }
        }
        // Thirty peers did not read twelve megabytes each; the room kept them once.
        let grown = server.memory().saturating_sub(before);
        assert!(grown < 48_000_000, "readers that never read cost {grown} bytes");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_and_never_reads_the_answers_costs_little() {
    survives(async |server| {
        let mut talker = JsonClient::enter(server, "talker").await;
        for _ in 0..200 {
            talker.say("lobby", &"x".repeat(4_000)).await;
        }
        let before = server.memory();
        let history = "{\"type\":\"history\",\"room\":\"lobby\",\"limit\":200}\n";
        let ping = Frame::new(Opcode::Ping, "p".repeat(125)).masked();
        let page = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", server.http());
        let mut askers = JoinSet::new();
        for number in 0..5 {
            let hello = format!("{{\"type\":\"hello\",\"nick\":\"asker-{number}\"}}\n");
            let handshake = RawSocket::head(server.http(), "");
            for (address, beginning, question) in [
                (server.tcp(), hello, history.as_bytes()),
                (server.tcp(), format!("line-asker-{number}\n"), b"/history 200\n"),
                (server.http(), handshake, &ping),
                (server.http(), String::new(), page.as_bytes()),
            ] {
                let mut stream = deaf(address).await;
                let questions = [beginning.as_bytes(), &question.repeat(20_000)].concat();
                askers.spawn(async move {
                    let _ = stream.write_all(&questions).await;
                    stream
                });
            }
        }
        // Meanwhile life goes on.
        for _ in 0..1_000 {
            talker.say("lobby", "still quick").await;
        }
        let grown = server.memory().saturating_sub(before);
        assert!(grown < 64_000_000, "answers that nobody reads cost {grown} bytes");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_again_after_a_while_is_told_what_is_lost() {
    survives(async |server| {
        let mut stream = deaf(server.tcp()).await;
        stream.write_all(b"{\"type\":\"hello\",\"nick\":\"sleeper\"}\n").await.unwrap();
        let mut talker = JsonClient::enter(server, "talker").await;
        let long = "x".repeat(4_000);
        const COUNT: usize = 4_000;
        for number in 0..COUNT {
            talker.send(json!({ "type": "send", "room": "lobby", "text": format!("{number} {long}") })).await;
            if number % 100 == 99 {
                talker.drain().await;
            }
        }
        talker.say("lobby", "the end").await;
        let mut sleeper = JsonClient::over(stream);
        let mut last = 0;
        let mut gaps = 0;
        loop {
            let event = sleeper.event().await;
            match event["type"].as_str() {
                Some("gap") => {
                    gaps += 1;
                    assert_eq!(event["after"], json!(last));
                    last = event["before"].as_u64().unwrap() - 1;
                }
                Some("message") => {
                    let seq = event["seq"].as_u64().unwrap();
                    assert_eq!(seq, last + 1, "nothing is lost in silence");
                    last = seq;
                    if event["text"] == "the end" {
                        break;
                    }
                }
                Some("welcome") => last = event["rooms"][0]["seq"].as_u64().unwrap(),
                _ => {}
            }
        }
        assert!(gaps > 0, "more was said than the room keeps");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_come_and_go() {
    survives(async |server| {
        let memory = server.memory();
        let mut random = Random::new(3);
        let mut visitors = JoinSet::new();
        for number in 0..2_000 {
            while visitors.len() >= 100 {
                visitors.join_next().await.unwrap().expect("a visitor is let in and out");
            }
            let (door, ending) = (random.below(3), random.below(4));
            let nick = format!("visitor-{number}");
            let (tcp, http) = (server.tcp(), server.http());
            visitors.spawn(async move {
                match door {
                    0 => line_visit(tcp, &nick, ending).await,
                    1 => json_visit(JsonClient::tcp(tcp).await, &nick, ending).await,
                    _ => json_visit(JsonClient::websocket(http).await, &nick, ending).await,
                }
            });
        }
        while let Some(visit) = visitors.join_next().await {
            visit.expect("a visitor is let in and out");
        }
        let mut last = JsonClient::enter(server, "last").await;
        let mut members = Value::Null;
        // The last of them may still be on their way out.
        for _ in 0..1_000 {
            members = last.request(json!({ "type": "members" })).await;
            if members["count"] == 3 {
                break;
            }
        }
        assert_eq!(members["members"], json!(["honest-alice", "honest-bob", "last"]));
        let grown = server.memory().saturating_sub(memory);
        assert!(grown < 64_000_000, "2,000 visits cost {grown} bytes");
    })
    .await;
}

async fn line_visit(address: std::net::SocketAddr, nick: &str, ending: usize) {
    let mut client = LineClient::connect(address).await;
    client.send_line(nick).await;
    client.until("Connected to the server").await;
    client.send_line("hello and goodbye").await;
    match ending {
        0 => {
            client.send_line("/quit").await;
            client.until("Server: Bye").await;
        }
        1 => reset(client.into_stream()),
        2 => {
            client.finish().await;
            client.rest().await;
        }
        _ => drop(client),
    }
}

async fn json_visit(mut client: JsonClient, nick: &str, ending: usize) {
    client.hello(json!({ "nick": nick })).await;
    client.say("lobby", "hello and goodbye").await;
    match ending {
        0 => {
            client.send(json!({ "type": "quit" })).await;
            client.take_type("disconnect").await;
        }
        1 => {
            client.send(json!({ "type": "create", "room": nick })).await;
            client.take_type("joined").await;
        }
        _ => drop(client),
    }
}
