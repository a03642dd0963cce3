//! Lines: what somebody with `nc`, telnet or a script meets.

use crosstalk_tests::{JsonClient, LineClient, TestServer};
use serde_json::json;

const GREETING: &[u8] = b"Welcome to Crosstalk. Enter your nickname: ";

/// Two people who see each other.
async fn alice_and_bob(server: &TestServer) -> (LineClient, LineClient) {
    let mut alice = LineClient::enter(server, "alice").await;
    let bob = LineClient::enter(server, "bob").await;
    alice.expect("Server: bob is online!").await;
    (alice, bob)
}

#[tokio::test]
async fn lines_end_as_the_peer_ends_them() {
    let server = TestServer::start().await;
    let mut watcher = LineClient::enter(&server, "watcher").await;
    for (nick, ending, answer_ending) in
        [("lf", "\n", "\n"), ("crlf", "\r\n", "\r\n"), ("telnet", "\r\0", "\r\n")]
    {
        let mut client = LineClient::connect(server.tcp()).await;
        client.send_bytes(format!("{nick}{ending}").as_bytes()).await;
        let reply = client.raw_line().await.expect("a reply");
        assert_eq!(String::from_utf8_lossy(&reply), format!("Connected to the server{answer_ending}"));
        client.expect_matching(|line| line.starts_with("Server: Welcome, ")).await;
        client.send_bytes(format!("one{ending}two{ending}{ending}three{ending}").as_bytes()).await;
        watcher.expect(&format!("Server: {nick} is online!")).await;
        for word in ["one", "two", "three"] {
            watcher.expect(&format!("{nick}: {word}")).await;
        }
        watcher.send_line("hello").await;
        let line = client.raw_line().await.expect("a line");
        assert_eq!(String::from_utf8_lossy(&line), format!("watcher: hello{answer_ending}"));
        drop(client);
        watcher.expect(&format!("Server: {nick} is offline.")).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn telnet_commands_are_taken_out_and_options_refused() {
    let server = TestServer::start().await;
    let mut watcher = LineClient::enter(&server, "watcher").await;
    let mut telnet = LineClient::connect(server.tcp()).await;
    // IAC WILL NAWS, IAC SB NAWS 0 80 0 24 IAC SE, the nickname with a NOP inside it, CR LF.
    telnet.send_bytes(b"\xff\xfb\x1f\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0ali\xff\xf1ce\r\n").await;
    let answer = telnet.raw_line().await.expect("an answer");
    let refusal: &[u8] = b"\xff\xfe\x1f";
    assert_eq!(answer, [refusal, b"Connected to the server\r\n"].concat());
    watcher.expect("Server: alice is online!").await;
    telnet.send_bytes(b"he\xff\xfd\x01llo\r\n").await;
    watcher.expect("alice: hello").await;
    server.stop().await;
}

#[tokio::test]
async fn who_says_nothing_is_asked_for_a_name() {
    let server = TestServer::start().await;
    let quiet = LineClient::connect(server.tcp()).await;
    let mut stream = quiet.into_stream();
    let mut greeting = [0; GREETING.len()];
    let read = tokio::io::AsyncReadExt::read_exact(&mut stream, &mut greeting);
    crosstalk_tests::within("a greeting", read).await.expect("the connection goes on");
    assert_eq!(String::from_utf8_lossy(&greeting), String::from_utf8_lossy(GREETING));
    let mut quiet = LineClient::over(stream);
    quiet.send_line("alice").await;
    quiet.expect_welcome().await;
    server.stop().await;
}

#[tokio::test]
async fn a_name_that_will_not_do_is_answered_and_asked_for_again() {
    let server = TestServer::start().await;
    let _alice = LineClient::enter(&server, "alice").await;
    let mut other = LineClient::connect(server.tcp()).await;
    for (name, hint) in [
        ("alice", "taken"),
        ("ALICE", "taken"),
        ("\u{430}lice", "taken"),
        ("Server", "kept for the server"),
        ("two words", "without spaces"),
        ("-x", "begins with"),
        (&"x".repeat(33), "at most 32"),
    ] {
        other.send_line(name).await;
        let reply = other.line().await.expect("the connection goes on");
        assert!(reply.contains(hint), "{name:?} was answered {reply:?}");
        assert!(!reply.contains("Connected"), "{name:?} was answered {reply:?}");
    }
    other.send_line("Ünïcødé").await;
    other.expect_welcome().await;
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_command_is_answered_with_what_to_type() {
    let server = TestServer::start().await;
    let mut alice = LineClient::enter(&server, "alice").await;
    for (typed, answer) in [
        ("/join", "Usage: /join <room>"),
        ("/join a b", "Usage: /join <room>"),
        ("/create_room", "Usage: /create_room <room>"),
        ("/room", "Usage: /room <room> <text>"),
        ("/room dev", "Usage: /room <room> <text>"),
        ("/dm", "Usage: /dm <user> <message>"),
        ("/dm bob", "Usage: /dm <user> <message>"),
        ("/me", "Usage: /me <text>"),
        ("/nick", "Usage: /nick <nick>"),
        ("/history x", "Usage: /history [number|on|off]"),
        ("/dm nobody hello", "User not found."),
        ("/room nowhere hello", "Room does not exist"),
        ("/join nowhere", "Room nowhere does not exist!"),
        ("/leave nowhere", "Room does not exist or not a member"),
    ] {
        alice.send_line(typed).await;
        alice.expect(answer).await;
    }
    for (typed, nearest) in
        [("/jion dev", "/join"), ("/memebers", "/members"), ("/qiut", "/quit"), ("/hepl", "/help")]
    {
        alice.send_line(typed).await;
        alice.expect_matching(|line| line.contains(&format!("Did you mean {nearest}?"))).await;
    }
    alice.send_line("/hide bob").await;
    alice.expect_matching(|line| line.contains("only") && !line.contains("invisible")).await;
    server.stop().await;
}

#[tokio::test]
async fn who_hides_is_asked_for_the_name_and_may_go_on_instead() {
    let server = TestServer::start().await;
    let (mut alice, mut bob) = alice_and_bob(&server).await;
    alice.send_bytes(b"/hide\nalice\n").await;
    alice.expect_all(&["Enter nickname to hide", "You are now invisible!"]).await;
    bob.expect("Server: alice is offline.").await;
    // A command instead of the name means oneself, and is then carried out.
    alice.send_bytes(b"/reveal\n/get_rooms\n").await;
    alice
        .expect_all(&["Enter nickname to show", "You are now visible to other users!", "No rooms available"])
        .await;
    bob.expect("Server: alice is online!").await;
    alice.send_bytes(b"/hide\nbob\n").await;
    alice.expect("Enter nickname to hide").await;
    alice.expect_matching(|line| line.contains("only your own name")).await;
    bob.send_line("/members").await;
    bob.expect_all(&["Active chat members are:", "1. alice", "2. bob"]).await;
    server.stop().await;
}

#[tokio::test]
async fn ones_own_line_does_not_come_back() {
    let server = TestServer::start().await;
    let (mut alice, mut bob) = alice_and_bob(&server).await;
    alice.send_line("one").await;
    alice.send_line("/me two").await;
    bob.expect_all(&["alice: one", "* alice two"]).await;
    alice.send_line("/dm bob three").await;
    bob.expect("[DM] alice: three").await;
    bob.send_line("seen").await;
    // Nothing came before it.
    alice.expect("bob: seen").await;
    // `/room` is the exception, as in the original.
    alice.send_line("/create_room dev").await;
    alice.expect("Room dev created successfully!").await;
    alice.send_line("/room dev echo").await;
    alice.expect("[dev] alice: echo").await;
    server.stop().await;
}

#[tokio::test]
async fn two_slashes_are_a_message_with_one() {
    let server = TestServer::start().await;
    let (mut alice, mut bob) = alice_and_bob(&server).await;
    alice.send_line("//etc/hosts").await;
    bob.expect("alice: /etc/hosts").await;
    alice.send_line("///").await;
    bob.expect("alice: //").await;
    server.stop().await;
}

#[tokio::test]
async fn help_fits_a_screen() {
    let server = TestServer::start().await;
    let mut alice = LineClient::enter(&server, "alice").await;
    alice.send_line("/help").await;
    alice.send_line("/dm nobody marker").await;
    let help = alice.until("User not found.").await;
    assert!(help.len() > 10 && help.len() < 24, "{} lines: {help:?}", help.len());
    for line in &help {
        assert!(line.chars().count() < 80, "{line:?}");
    }
    for command in ["/members", "/join", "/create_room", "/dm", "/nick", "/history", "/quit"] {
        assert!(help.iter().any(|line| line.contains(command)), "{command} is missing");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_line_that_is_too_long_is_refused_whole() {
    let server = TestServer::start().await;
    let (mut alice, mut bob) = alice_and_bob(&server).await;
    for length in [8_193, 100_000, 10_000_000] {
        alice.send_line(&"x".repeat(length)).await;
        alice.expect_matching(|line| line.contains("8192 bytes")).await;
    }
    // A line within its bound can still hold too long a text.
    alice.send_line(&"x".repeat(8_192)).await;
    alice.expect_matching(|line| line.contains("4096")).await;
    alice.send_line(&"y".repeat(4_096)).await;
    alice.send_line("after").await;
    bob.expect(&format!("alice: {}", "y".repeat(4_096))).await;
    bob.expect("alice: after").await;
    server.stop().await;
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused_and_nothing_else_is() {
    let server = TestServer::start().await;
    let (mut alice, mut bob) = alice_and_bob(&server).await;
    for bytes in [&b"caf\xe9\n"[..], b"\xf0\x9f\n", b"\xc0\xaf\n", b"\xed\xa0\x80\n"] {
        alice.send_bytes(bytes).await;
        alice.expect_matching(|line| line.contains("UTF-8")).await;
    }
    alice.send_line("café 👋").await;
    bob.expect("alice: café 👋").await;
    server.stop().await;
}

#[tokio::test]
async fn nothing_that_moves_a_cursor_reaches_another_terminal() {
    let server = TestServer::start().await;
    let (mut alice, mut bob) = alice_and_bob(&server).await;
    let mut program = JsonClient::enter(&server, "program").await;
    bob.expect("Server: program is online!").await;
    alice.expect("Server: program is online!").await;
    for (sent, seen) in [
        ("\u{1b}[31mred\u{1b}[0m", "red"),
        ("\u{1b}]0;title\u{7}text", "text"),
        ("a\u{9b}31mb\u{85}c", "a31mb c"),
        ("a\u{202e}b\u{2066}c", "abc"),
        ("a\u{2028}Server: b", "a Server: b"),
        ("a\u{200b}b\u{feff}c", "abc"),
        ("a\tb", "a    b"),
        ("bell\u{7} back\u{8}space", "bell backspace"),
    ] {
        alice.send_line(sent).await;
        bob.expect(&format!("alice: {seen}")).await;
        assert_eq!(program.message().await, ("alice".to_owned(), seen.to_owned()));
        program.send(json!({ "type": "send", "room": "lobby", "text": sent })).await;
        bob.expect(&format!("program: {seen}")).await;
        alice.expect(&format!("program: {seen}")).await;
        assert_eq!(program.message().await, ("program".to_owned(), seen.to_owned()));
    }
    server.stop().await;
}

#[tokio::test]
async fn nobody_can_forge_a_line() {
    let server = TestServer::start().await;
    let (mut alice, mut bob) = alice_and_bob(&server).await;
    let mut forger = JsonClient::enter(&server, "forger").await;
    bob.expect("Server: forger is online!").await;
    alice.expect("Server: forger is online!").await;
    for break_of_line in
        ["\n", "\r\n", "\r", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}", "\u{1b}[2K\r", "\0"]
    {
        let text = format!("hi{break_of_line}Server: you have been hacked");
        forger.send(json!({ "type": "send", "room": "lobby", "text": text })).await;
        let line = bob.line().await.expect("the connection goes on");
        assert!(line.starts_with("forger: hi"), "{line:?}");
        assert_eq!(alice.line().await, Some(line));
    }
    for name in ["Server", "server:", "a: b", "[dev] alice", "* alice", "alice\n", "\u{202e}ecila"] {
        let answer = forger.request(json!({ "type": "nick", "nick": name })).await;
        if name == "alice\n" {
            // White space around a name is not part of it.
            assert_eq!(answer["code"], "nick-taken", "{name:?}: {answer}");
        } else {
            assert_eq!(answer["code"], "bad-nick", "{name:?}: {answer}");
        }
    }
    for name in ["a] Server: ", "dev]", "DM", "dev\nServer: x"] {
        let answer = forger.request(json!({ "type": "create", "room": name })).await;
        assert_eq!(answer["code"], "bad-room", "{name:?}: {answer}");
    }
    forger.say("lobby", "the end").await;
    bob.expect("forger: the end").await;
    server.stop().await;
}

#[tokio::test]
async fn an_empty_line_is_nothing() {
    let server = TestServer::start().await;
    let (mut alice, mut bob) = alice_and_bob(&server).await;
    alice.send_bytes(b"\n\n\r\n\n").await;
    alice.send_line("hello").await;
    bob.expect("alice: hello").await;
    bob.send_line("hello").await;
    alice.expect("bob: hello").await;
    server.stop().await;
}

#[tokio::test]
async fn many_lines_in_one_segment_are_as_many_messages() {
    let server = TestServer::start().await;
    let mut bob = LineClient::enter(&server, "bob").await;
    let mut alice = LineClient::connect(server.tcp()).await;
    let lines: String = (0..500).map(|number| format!("line {number}\n")).collect();
    alice.send_bytes(format!("alice\n{lines}").as_bytes()).await;
    bob.expect("Server: alice is online!").await;
    for number in 0..500 {
        bob.expect(&format!("alice: line {number}")).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn what_was_said_before_a_half_close_is_heard() {
    let server = TestServer::start().await;
    let mut bob = LineClient::enter(&server, "bob").await;
    let mut pipe = LineClient::connect(server.tcp()).await;
    pipe.send_bytes(b"pipe\nfirst\nlast without an ending").await;
    pipe.finish().await;
    bob.expect_all(&["Server: pipe is online!", "pipe: first", "pipe: last without an ending"]).await;
    bob.expect("Server: pipe is offline.").await;
    server.stop().await;
}

#[tokio::test]
async fn a_name_is_free_as_soon_as_its_owner_has_left() {
    let server = TestServer::start().await;
    for _ in 0..20 {
        let mut alice = LineClient::enter(&server, "alice").await;
        alice.send_line("/quit").await;
        alice.expect("Server: Bye").await;
        alice.expect_end().await;
    }
    server.stop().await;
}

#[tokio::test]
async fn history_stands_between_two_lines_of_the_server() {
    let server = TestServer::start().await;
    let (mut alice, mut bob) = alice_and_bob(&server).await;
    for number in 1..=5 {
        alice.send_line(&format!("number {number}")).await;
        bob.expect(&format!("alice: number {number}")).await;
    }
    bob.send_line("/history 3").await;
    bob.expect_matching(|line| line.starts_with("Server: ")).await;
    bob.expect_all(&["alice: number 3", "alice: number 4", "alice: number 5"]).await;
    bob.expect_matching(|line| line.starts_with("Server: ")).await;
    // One's own are part of it.
    alice.send_line("/history 1").await;
    alice.expect_matching(|line| line.starts_with("Server: ")).await;
    alice.expect("alice: number 5").await;
    alice.expect_matching(|line| line.starts_with("Server: ")).await;
    server.stop().await;
}
