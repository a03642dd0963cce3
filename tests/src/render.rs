//! How a person with a JSON client would see the conversation: each event as the line that the
//! same thing is on a terminal. If a transcript reads the same through every door, what the
//! encodings say is the same.

use std::collections::{HashMap, VecDeque};

use serde_json::{Value, json};

/// What a client has to remember to turn typed lines into requests, and events into lines.
pub(crate) struct Screen {
    nick: String,
    room: String,
    /// The requests under way, by id.
    asked: HashMap<String, Asked>,
    /// For each message of one's own that has not come back, whether a terminal shows it.
    echoes: VecDeque<bool>,
}

/// What was typed, for the answer to it.
struct Asked {
    command: String,
    argument: String,
}

impl Screen {
    pub(crate) fn new(nick: &str) -> Self {
        Self {
            nick: nick.to_owned(),
            room: "lobby".to_owned(),
            asked: HashMap::new(),
            echoes: VecDeque::new(),
        }
    }

    /// The request that a typed line is.
    pub(crate) fn request(&mut self, typed: &str) -> Value {
        let (command, rest) = match typed.split_once(' ') {
            _ if !typed.starts_with('/') => ("", typed),
            Some((command, rest)) => (command, rest),
            None => (typed, ""),
        };
        let (argument, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let mut frame = match command {
            "" => json!({ "type": "send", "room": self.room, "text": typed }),
            "/broadcast" => json!({ "type": "send", "room": "lobby", "text": rest }),
            "/me" => json!({ "type": "send", "room": self.room, "text": rest, "action": true }),
            "/room" => json!({ "type": "send", "room": argument, "text": text }),
            "/dm" => json!({ "type": "send", "to": argument, "text": text }),
            "/create_room" => json!({ "type": "create", "room": argument }),
            "/join" => json!({ "type": "join", "room": argument }),
            "/leave" if argument.is_empty() => json!({ "type": "leave", "room": self.room }),
            "/leave" => json!({ "type": "leave", "room": argument }),
            "/members" if argument.is_empty() => json!({ "type": "members" }),
            "/members" => json!({ "type": "members", "room": argument }),
            "/get_rooms" => json!({ "type": "rooms" }),
            "/nick" => json!({ "type": "nick", "nick": argument }),
            "/history" => {
                let limit: u32 = argument.parse().unwrap_or(50);
                json!({ "type": "history", "room": self.room, "limit": limit })
            }
            _ => json!({ "type": command.trim_start_matches('/') }),
        };
        if frame["type"] == "send" {
            self.echoes.push_back(command == "/room");
        }
        let id = format!("typed-{}", self.asked.len());
        frame["id"] = json!(id);
        self.asked.insert(id, Asked { command: command.to_owned(), argument: argument.to_owned() });
        frame
    }

    /// The lines that an event is on a terminal.
    pub(crate) fn lines(&mut self, event: &Value) -> Vec<String> {
        let text = |name: &str| event[name].as_str().unwrap_or_default();
        match text("type") {
            "message" => self.message(event).into_iter().collect(),
            "presence" => self.presence(event),
            "renamed" => self.renamed(event).into_iter().collect(),
            "ack" if self.command(event) == "/broadcast" => vec!["Message broadcasted!".to_owned()],
            "joined" if event["id"].is_string() => {
                self.room = text("room").to_owned();
                let room = text("room");
                vec![match event["created"] == true {
                    true => format!("Room {room} created successfully!"),
                    false => format!("Joined room {room} successfully!"),
                }]
            }
            "left" => {
                if self.room == text("room") {
                    self.room = "lobby".to_owned();
                }
                vec![format!("Left room {}", text("room"))]
            }
            "members" => numbered(&event["members"]),
            "rooms" => rooms(&event["rooms"]),
            "nick" => {
                self.nick = text("nick").to_owned();
                vec![format!("You are now {}.", self.nick)]
            }
            "hidden" if event["hidden"] == true => vec!["You are now invisible!".to_owned()],
            "hidden" => vec!["You are now visible to other users!".to_owned()],
            "history" => history(event),
            "error" => {
                if matches!(self.command(event), "" | "/room" | "/dm" | "/me" | "/broadcast") {
                    self.echoes.pop_back();
                }
                vec![self.error(event)]
            }
            "disconnect" if text("code") == "bye" => vec!["Server: Bye".to_owned()],
            "ack" | "joined" | "welcome" | "pong" => Vec::new(),
            _ => panic!("an event that no terminal shows: {event}"),
        }
    }

    fn command(&self, event: &Value) -> &str {
        let asked = event["id"].as_str().and_then(|id| self.asked.get(id));
        asked.map_or("", |asked| &asked.command)
    }

    fn message(&mut self, message: &Value) -> Option<String> {
        let own = message["from"] == json!(self.nick);
        let shown = !own || self.echoes.pop_front().expect("one's own message was sent by oneself");
        shown.then(|| message_line(message))
    }

    fn presence(&self, event: &Value) -> Vec<String> {
        let room = event["room"].as_str().unwrap_or_default();
        let (came, went) = match room {
            "lobby" => (" is online!".to_owned(), " is offline.".to_owned()),
            room => (format!(" joined {room}."), format!(" left {room}.")),
        };
        let line = |names: &str, what: &str| -> Vec<String> {
            let names = event[names].as_array().expect("presence has names");
            let names = names.iter().filter_map(Value::as_str).filter(|name| *name != self.nick);
            names.map(|name| format!("Server: {name}{what}")).collect()
        };
        [line("joined", &came), line("left", &went)].concat()
    }

    /// A terminal is told once, and not of its own.
    fn renamed(&self, event: &Value) -> Option<String> {
        let text = |name: &str| event[name].as_str().unwrap_or_default();
        let told = text("room") == "lobby" && text("to") != self.nick;
        told.then(|| format!("Server: {} is now known as {}.", text("from"), text("to")))
    }

    fn error(&self, event: &Value) -> String {
        let asked = event["id"].as_str().and_then(|id| self.asked.get(id));
        let room = asked.map_or("", |asked| &asked.argument);
        match (event["code"].as_str().unwrap_or_default(), self.command(event)) {
            ("room-exists", _) => format!("Room {room} already exists"),
            ("already-a-member", _) => format!("You are already a member of this room {room}."),
            ("no-such-room", "/join") => format!("Room {room} does not exist!"),
            ("no-such-room" | "not-a-member", "/leave") => "Room does not exist or not a member".to_owned(),
            ("no-such-room", "/room") => "Room does not exist".to_owned(),
            ("no-such-user", _) => "User not found.".to_owned(),
            _ => format!("Server: {}", event["message"].as_str().unwrap_or_default()),
        }
    }
}

/// `alice: hi`, `[dev] alice: hi`, `[DM] * alice waves`.
fn message_line(message: &Value) -> String {
    let text = |name: &str| message[name].as_str().unwrap_or_default();
    let place = match text("room") {
        "lobby" => String::new(),
        room if room.starts_with('@') => "[DM] ".to_owned(),
        room => format!("[{room}] "),
    };
    match message["action"] == true {
        true => format!("{place}* {} {}", text("from"), text("text")),
        false => format!("{place}{}: {}", text("from"), text("text")),
    }
}

fn numbered(names: &Value) -> Vec<String> {
    let names = names.as_array().expect("members are a list").iter().filter_map(Value::as_str);
    let rows = names.enumerate().map(|(index, name)| format!("{}. {name}", index + 1));
    std::iter::once("Active chat members are:".to_owned()).chain(rows).collect()
}

fn rooms(rows: &Value) -> Vec<String> {
    let names = rows.as_array().expect("rooms are a list").iter().filter_map(|row| row["room"].as_str());
    let names: Vec<String> = names.filter(|name| *name != "lobby").map(str::to_owned).collect();
    match names.is_empty() {
        true => vec!["No rooms available".to_owned()],
        false => [vec!["Rooms:".to_owned()], names].concat(),
    }
}

fn history(event: &Value) -> Vec<String> {
    let messages: Vec<_> = event["messages"].as_array().expect("history has messages").iter().collect();
    let first = format!(
        "Server: the last {} messages in {}:",
        messages.len(),
        event["room"].as_str().unwrap_or_default()
    );
    let last = "Server: end of history.".to_owned();
    [vec![first], messages.into_iter().map(message_line).collect(), vec![last]].concat()
}
