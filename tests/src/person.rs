//! Somebody who types the same words whichever door they came through.

use std::collections::VecDeque;

use serde_json::json;

use crate::render::Screen;
use crate::{JsonClient, LineClient, TestServer, UnframedClient};

/// A way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Lines that end, as from `nc`.
    Lines,
    /// The original's older client.
    Older,
    /// The original's newer client.
    Newer,
    /// JSON lines over TCP.
    Json,
    /// JSON over a WebSocket.
    WebSocket,
}

impl Door {
    /// Every way in.
    pub const ALL: [Self; 5] = [Self::Lines, Self::Older, Self::Newer, Self::Json, Self::WebSocket];

    /// Whether what is sent has no line ending.
    pub fn is_unframed(self) -> bool {
        matches!(self, Self::Older | Self::Newer)
    }
}

/// Somebody in the chat.
pub struct Person {
    nick: String,
    door: Door,
    client: Client,
}

enum Client {
    Lines(LineClient),
    Unframed(UnframedClient),
    Json { client: Box<JsonClient>, screen: Screen, seen: VecDeque<String> },
}

impl Person {
    /// Comes in as `nick`.
    pub async fn enter(server: &TestServer, door: Door, nick: &str) -> Self {
        let json = |client| Client::Json {
            client: Box::new(client),
            screen: Screen::new(nick),
            seen: VecDeque::new(),
        };
        let client = match door {
            Door::Lines => Client::Lines(LineClient::enter(server, nick).await),
            Door::Older | Door::Newer => Client::Unframed(UnframedClient::enter(server, nick).await),
            Door::Json => json(JsonClient::enter(server, nick).await),
            Door::WebSocket => json(JsonClient::enter_websocket(server, nick).await),
        };
        Self { nick: nick.to_owned(), door, client }
    }

    /// Which way they came in.
    pub fn door(&self) -> Door {
        self.door
    }

    /// Types a line: a text, or a command by the name that it has on a terminal. The original's
    /// clients answer its prompts as they come.
    pub async fn types(&mut self, typed: &str) {
        match &mut self.client {
            // Without the name it would be asked for.
            Client::Lines(client) if matches!(typed, "/hide" | "/reveal") => {
                client.send_line(&format!("{typed} {}", self.nick)).await;
            }
            Client::Lines(client) => client.send_line(typed).await,
            Client::Unframed(client) => match typed.split_once(' ').unwrap_or((typed, "")) {
                ("/broadcast", text) => {
                    client.send("/broadcast").await;
                    client.expect("Enter your message: ").await;
                    client.send(text).await;
                }
                ("/hide", _) => {
                    client.send("/hide").await;
                    client.expect("Enter nickname to hide").await;
                    client.send(&self.nick).await;
                }
                ("/reveal", _) => {
                    client.send("/reveal").await;
                    client.expect("Enter nickname to show").await;
                    client.send(&self.nick).await;
                }
                ("/get_rooms", _) if self.door == Door::Older => client.send("/get_rooms ").await,
                _ => client.send(typed).await,
            },
            Client::Json { client, screen, .. } => client.send(screen.request(typed)).await,
        }
        if let Some(nick) = typed.strip_prefix("/nick ") {
            self.nick = nick.to_owned();
        }
    }

    /// Sees exactly this line next.
    pub async fn sees(&mut self, expected: &str) {
        match &mut self.client {
            Client::Lines(client) => client.expect(expected).await,
            Client::Unframed(client) => client.expect(expected).await,
            Client::Json { client, screen, seen } => {
                while seen.is_empty() {
                    let event = client.next().await.unwrap_or_else(|| json!({ "type": "the end" }));
                    if event["type"] == "the end" {
                        panic!("{} saw the end instead of {expected:?}", self.nick);
                    }
                    seen.extend(screen.lines(&event));
                }
                let line = seen.pop_front();
                assert_eq!(line.as_deref(), Some(expected), "what {} saw", self.nick);
            }
        }
    }

    /// Sees the connection end, and nothing before that.
    pub async fn sees_the_end(&mut self) {
        match &mut self.client {
            Client::Lines(client) => client.expect_end().await,
            Client::Unframed(client) => client.expect_end().await,
            Client::Json { client, seen, .. } => {
                assert_eq!((seen.pop_front(), client.next().await), (None, None), "what {} saw", self.nick);
            }
        }
    }
}
