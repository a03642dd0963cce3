//! The exchange of the Python chat that Crosstalk comes from, byte for byte: no line endings,
//! one message a send, and several messages in one segment.

use std::path::Path;
use std::process::Stdio;

use crosstalk_tests::{LineClient, TestServer, UnframedClient, eventually, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

#[tokio::test]
async fn a_nickname_comes_first_and_unasked() {
    let server = TestServer::start().await;
    let mut alice = UnframedClient::connect(server.tcp()).await;
    alice.send("alice").await;
    alice.expect_exactly("Connected to the server").await;
    let mut bob = UnframedClient::connect(server.tcp()).await;
    bob.send("bob").await;
    bob.expect_exactly("Connected to the server").await;
    alice.expect_exactly("Server: bob is online!").await;
    server.stop().await;
}

#[tokio::test]
async fn members_are_listed_with_numbers() {
    let server = TestServer::start().await;
    let mut alice = UnframedClient::enter(&server, "alice").await;
    alice.send("/members").await;
    alice.expect_exactly("Active chat members are:\n1. alice").await;
    let mut bob = UnframedClient::enter(&server, "bob").await;
    alice.expect_exactly("Server: bob is online!").await;
    bob.send("/members").await;
    bob.expect_exactly("Active chat members are:\n1. alice\n2. bob").await;
    server.stop().await;
}

#[tokio::test]
async fn a_broadcast_asks_for_its_text() {
    let server = TestServer::start().await;
    let mut alice = UnframedClient::enter(&server, "alice").await;
    let mut bob = UnframedClient::enter(&server, "bob").await;
    alice.expect_exactly("Server: bob is online!").await;
    alice.send("/broadcast").await;
    alice.expect_exactly("Enter your message: ").await;
    alice.send("hello").await;
    alice.expect_exactly("Message broadcasted!").await;
    bob.expect_exactly("alice: hello").await;
    // What is asked for is a text, whatever it looks like.
    alice.send("/broadcast").await;
    alice.expect_exactly("Enter your message: ").await;
    alice.send("Zoë says: ça va? 👋").await;
    alice.expect_exactly("Message broadcasted!").await;
    bob.expect_exactly("alice: Zoë says: ça va? 👋").await;
    server.stop().await;
}

#[tokio::test]
async fn hiding_and_revealing_ask_for_the_nickname() {
    let server = TestServer::start().await;
    let mut alice = UnframedClient::enter(&server, "alice").await;
    let mut bob = UnframedClient::enter(&server, "bob").await;
    alice.expect_exactly("Server: bob is online!").await;
    bob.send("/hide").await;
    bob.expect_exactly("Enter nickname to hide").await;
    bob.send("bob").await;
    bob.expect_exactly("You are now invisible!").await;
    bob.send("/reveal").await;
    bob.expect_exactly("Enter nickname to show").await;
    bob.send("bob").await;
    bob.expect_exactly("You are now visible to other users!").await;
    server.stop().await;
}

#[tokio::test]
async fn rooms_are_created_listed_entered_and_left() {
    let server = TestServer::start().await;
    let mut alice = UnframedClient::enter(&server, "alice").await;
    let mut bob = UnframedClient::enter(&server, "bob").await;
    alice.expect_exactly("Server: bob is online!").await;
    for (sent, answer) in [
        ("/get_rooms", "No rooms available"),
        ("/create_room dev", "Room dev created successfully!"),
        ("/create_room dev", "Room dev already exists"),
        ("/get_rooms", "Rooms:\ndev"),
        ("/get_rooms ", "Rooms:\ndev"),
        ("/create_room ops", "Room ops created successfully!"),
        ("/get_rooms", "Rooms:\ndev\nops"),
        ("/join dev", "You are already a member of this room dev."),
        ("/join nowhere", "Room nowhere does not exist!"),
        ("/room nowhere hello", "Room does not exist"),
        ("/leave nowhere", "Room does not exist or not a member"),
    ] {
        alice.send(sent).await;
        alice.expect_exactly(answer).await;
    }
    bob.send("/join dev").await;
    bob.expect_exactly("Joined room dev successfully!").await;
    bob.send("/room dev hello dev").await;
    bob.expect_exactly("[dev] bob: hello dev").await;
    // No notice that bob joined: the original has none.
    alice.expect_exactly("[dev] bob: hello dev").await;
    bob.send("/leave dev").await;
    bob.expect_exactly("Left room dev").await;
    bob.send("/leave dev").await;
    bob.expect_exactly("Room does not exist or not a member").await;
    bob.send("/broadcast").await;
    bob.expect_exactly("Enter your message: ").await;
    bob.send("done").await;
    bob.expect_exactly("Message broadcasted!").await;
    alice.expect_exactly("bob: done").await;
    server.stop().await;
}

#[tokio::test]
async fn a_direct_message_goes_to_one() {
    let server = TestServer::start().await;
    let mut alice = UnframedClient::enter(&server, "alice").await;
    let mut bob = UnframedClient::enter(&server, "bob").await;
    alice.expect_exactly("Server: bob is online!").await;
    alice.send("/dm bob hello").await;
    bob.expect_exactly("[DM] alice: hello").await;
    alice.send("/dm carol hello").await;
    alice.expect_exactly("User not found.").await;
    alice.send("/dm bob").await;
    alice.expect_exactly("Usage: /dm <user> <message>").await;
    alice.send("/dm").await;
    alice.expect_exactly("Usage: /dm <user> <message>").await;
    server.stop().await;
}

#[tokio::test]
async fn a_missing_name_is_answered_with_the_usage() {
    let server = TestServer::start().await;
    let mut alice = UnframedClient::enter(&server, "alice").await;
    for (sent, answer) in [
        ("/room", "Usage: /room <room> <text>"),
        ("/join", "Usage: /join <room>"),
        ("/create_room", "Usage: /create_room <room>"),
    ] {
        alice.send(sent).await;
        alice.expect_exactly(answer).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn goodbye_and_a_broken_connection_are_told_apart() {
    let server = TestServer::start().await;
    let mut alice = UnframedClient::enter(&server, "alice").await;
    let mut bob = UnframedClient::enter(&server, "bob").await;
    alice.expect_exactly("Server: bob is online!").await;
    bob.send("/quit").await;
    bob.expect_exactly("Server: Bye").await;
    bob.expect_end().await;
    alice.expect_exactly("bob is offline").await;
    let carol = UnframedClient::enter(&server, "carol").await;
    alice.expect_exactly("Server: carol is online!").await;
    drop(carol);
    alice.expect_exactly("Server: carol is offline.").await;
    server.stop().await;
}

#[tokio::test]
async fn messages_that_run_together_are_taken_apart() {
    let server = TestServer::start().await;
    let mut alice = UnframedClient::enter(&server, "alice").await;
    let mut bob = UnframedClient::connect(server.tcp()).await;
    // A nickname and a command in one segment.
    bob.send("bob/members").await;
    bob.expect_exactly("Connected to the server").await;
    bob.expect("Active chat members are:\n1. alice\n2. bob").await;
    alice.expect_exactly("Server: bob is online!").await;
    // A prompt and its answer.
    bob.send("/broadcasthello, all").await;
    bob.expect("Enter your message: ").await;
    bob.expect("Message broadcasted!").await;
    alice.expect("bob: hello, all").await;
    bob.send("/hidebob").await;
    bob.expect("Enter nickname to hide").await;
    bob.expect("You are now invisible!").await;
    bob.send("/revealbob").await;
    bob.expect("Enter nickname to show").await;
    bob.expect("You are now visible to other users!").await;
    // Several commands without a text.
    bob.send("/get_rooms/members").await;
    bob.expect("No rooms available").await;
    bob.expect("Active chat members are:\n1. alice\n2. bob").await;
    bob.send("/members/quit").await;
    bob.expect("Active chat members are:\n1. alice\n2. bob").await;
    bob.expect("Server: Bye").await;
    server.stop().await;
}

#[tokio::test]
async fn all_of_a_visit_in_one_segment_loses_nothing() {
    let server = TestServer::start().await;
    let mut alice = LineClient::enter(&server, "alice").await;
    let mut bob = UnframedClient::connect(server.tcp()).await;
    bob.send("bob/members/broadcasthello").await;
    bob.expect("Connected to the server").await;
    bob.expect("Active chat members are:\n1. alice\n2. bob").await;
    bob.expect("Enter your message: ").await;
    bob.expect("Message broadcasted!").await;
    alice.expect_all(&["Server: bob is online!", "bob: hello"]).await;
    server.stop().await;
}

#[tokio::test]
async fn what_the_older_client_sends_after_a_command_is_chat() {
    let server = TestServer::start().await;
    let mut alice = UnframedClient::enter(&server, "alice").await;
    let mut bob = LineClient::enter(&server, "bob").await;
    alice.expect_exactly("Server: bob is online!").await;
    // The older client sends what is typed after the reply, whatever it is.
    alice.send("/create_room dev").await;
    alice.expect_exactly("Room dev created successfully!").await;
    alice.send("/broadcast").await;
    alice.expect_exactly("Enter your message: ").await;
    alice.send("hello").await;
    alice.expect_exactly("Message broadcasted!").await;
    bob.expect("alice: hello").await;
    alice.send("/leave dev").await;
    alice.expect_exactly("Left room dev").await;
    alice.send("anything").await;
    bob.expect("alice: anything").await;
    server.stop().await;
}

#[tokio::test]
async fn a_typed_letter_is_one_message_after_a_pause() {
    let server = TestServer::start().await;
    let mut alice = UnframedClient::enter(&server, "alice").await;
    let mut bob = LineClient::enter(&server, "bob").await;
    alice.expect_exactly("Server: bob is online!").await;
    alice.send("b").await;
    bob.expect("alice: b").await;
    server.stop().await;
}

#[tokio::test]
async fn what_has_gathered_comes_together_and_in_order() {
    let server = TestServer::start().await;
    let mut alice = UnframedClient::enter(&server, "alice").await;
    let mut bob = LineClient::enter(&server, "bob").await;
    alice.expect_exactly("Server: bob is online!").await;
    let lines: String = (0..200).map(|number| format!("number {number}\n")).collect();
    bob.send_bytes(lines.as_bytes()).await;
    for number in 0..200 {
        alice.expect(&format!("bob: number {number}")).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn the_first_line_ending_makes_an_ordinary_peer() {
    let server = TestServer::start().await;
    let mut alice = UnframedClient::enter(&server, "alice").await;
    alice.send("/members\n").await;
    alice.expect_exactly("Active chat members are:\n1. alice\n").await;
    let _bob = UnframedClient::enter(&server, "bob").await;
    alice.expect_exactly("Server: bob is online!\n").await;
    server.stop().await;
}

/// The original's client, written again from its description: `tests/original/client.py`.
struct Original {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    seen: String,
}

impl Original {
    /// Starts a client of a generation and lets it in.
    async fn start(server: &TestServer, generation: &str, nick: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/original/client.py");
        let mut child = Command::new("python3")
            .arg("-u")
            .arg(script)
            .arg(generation)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("there is a Python");
        let input = child.stdin.take().expect("standard input is a pipe");
        let output = child.stdout.take().expect("standard output is a pipe");
        let mut client = Self { child, input, output, seen: String::new() };
        client.reads("Enter server IP address: ").await;
        client.types(&server.tcp().ip().to_string()).await;
        client.reads("Enter server port number: ").await;
        client.types(&server.tcp().port().to_string()).await;
        client.reads("Enter your nickname: ").await;
        client.types(nick).await;
        client.reads("Connected to the server").await;
        client
    }

    async fn types(&mut self, line: &str) {
        within("the client to read", self.input.write_all(format!("{line}\n").as_bytes()))
            .await
            .expect("the client reads");
    }

    /// Waits until `text` is on the screen, behind what was waited for before.
    async fn reads(&mut self, text: &str) {
        let what = format!("{text:?} behind {:?}", self.seen);
        within(&what, async {
            loop {
                if let Some(at) = self.seen.find(text) {
                    self.seen.drain(..at + text.len());
                    return;
                }
                let mut bytes = [0; 1024];
                let length = self.output.read(&mut bytes).await.expect("the client's output can be read");
                assert!(length > 0, "the client ended without {text:?}; it showed {:?}", self.seen);
                self.seen += &String::from_utf8_lossy(&bytes[..length]);
            }
        })
        .await;
    }

    async fn ends(mut self) {
        let status = within("the client to end", self.child.wait()).await.expect("a child can be awaited");
        assert!(status.success(), "the client ended with {status}");
    }
}

#[tokio::test]
async fn the_newer_client_works_unchanged() {
    let server = TestServer::start().await;
    let mut bob = LineClient::enter(&server, "bob").await;
    let mut alice = Original::start(&server, "newer", "alicja").await;
    bob.expect("Server: alicja is online!").await;
    alice.types("a").await;
    alice.reads("Active chat members are:\n1. alicja\n2. bob").await;
    alice.types("b").await;
    alice.types("zażółć gęślą jaźń").await;
    alice.reads("Message broadcasted!").await;
    bob.expect("alicja: zażółć gęślą jaźń").await;
    bob.send_line("hello").await;
    alice.reads("bob: hello").await;
    alice.types("e").await;
    alice.types("dev").await;
    alice.reads("Room dev created successfully!").await;
    alice.types("f").await;
    alice.reads("Rooms:\ndev").await;
    bob.send_line("/join dev").await;
    bob.expect("Joined room dev successfully!").await;
    alice.types("h").await;
    alice.types("dev").await;
    alice.types("welcome").await;
    alice.reads("[dev] alicja: welcome").await;
    bob.expect("[dev] alicja: welcome").await;
    alice.types("i").await;
    alice.types("dev").await;
    alice.reads("Left room dev").await;
    bob.expect("Server: alicja left dev.").await;
    // Hiding asks for the nickname, and the next thing typed is taken for it.
    alice.types("c").await;
    alice.reads("Enter nickname to hide").await;
    alice.types("alicja").await;
    alice.reads("You are now invisible!").await;
    alice.types("j").await;
    alice.reads("Server: Bye").await;
    alice.ends().await;
    server.stop().await;
}

#[tokio::test]
async fn the_older_client_works_unchanged() {
    let server = TestServer::start().await;
    let mut bob = LineClient::enter(&server, "bob").await;
    let mut alice = Original::start(&server, "older", "alice").await;
    bob.expect("Server: alice is online!").await;
    alice.types("a").await;
    alice.reads("Active chat members are:\n1. alice\n2. bob").await;
    // It wants one more message before it shows its menu again: an empty one sends nothing.
    alice.types("").await;
    alice.types("b").await;
    alice.reads("Enter your message: ").await;
    alice.types("hello").await;
    alice.reads("Message broadcasted!").await;
    bob.expect("alice: hello").await;
    alice.types("e").await;
    alice.types("dev").await;
    alice.reads("Room dev created successfully!").await;
    // Any other is what it looks like here: a message to the room one is in.
    bob.send_line("/join dev").await;
    bob.expect("Joined room dev successfully!").await;
    alice.types("anybody here?").await;
    bob.expect("[dev] alice: anybody here?").await;
    alice.types("f").await;
    alice.reads("Rooms:\ndev").await;
    alice.types("").await;
    alice.types("j").await;
    alice.reads("Server: Bye").await;
    alice.ends().await;
    bob.until("Server: alice is offline.").await;
    let descriptors = server.descriptors();
    drop(bob);
    eventually("bob's descriptor to be closed", || server.descriptors() < descriptors).await;
    server.stop().await;
}
