//! A conversation, written down once and played through any doors.
//!
//! ```text
//! # What it is about.
//! people: alice bob               they come in, in this order
//! alice> /create_room dev         alice types this
//! alice< Room dev created …       alice sees this line next, and nothing before it
//! carol+                          carol comes in
//! bob-                            bob's connection breaks
//! alice.                          the server has closed alice's connection
//! ```
//!
//! What people see is written as on a terminal. What the protocol says is different for some
//! doors is known here: the original's clients are not told who joins and leaves a room, and read
//! `bob is offline` when bob leaves with `/quit`. Whatever somebody types must be seen by somebody
//! before they type again: an unframed peer has no other way to keep two messages apart.

use std::collections::HashMap;

use crate::{Door, Person, TestServer};

/// The steps of a conversation.
pub struct Transcript {
    name: String,
    people: Vec<String>,
    steps: Vec<(String, Step)>,
}

enum Step {
    Types(String),
    Sees(String),
    Enters,
    Breaks,
    Ends,
}

impl Transcript {
    /// Reads a transcript.
    ///
    /// # Panics
    /// If a line is none of those above.
    pub fn parse(name: &str, text: &str) -> Self {
        let mut people = Vec::new();
        let mut steps = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(names) = line.strip_prefix("people:") {
                people = names.split_whitespace().map(str::to_owned).collect();
                continue;
            }
            let end = line.find(['>', '<', '+', '-', '.']).unwrap_or_else(|| panic!("{name}: {line:?}?"));
            let (who, rest) = line.split_at(end);
            let words = rest[1..].trim().to_owned();
            let step = match rest.as_bytes()[0] {
                b'>' => Step::Types(words),
                b'<' => Step::Sees(words),
                b'+' => Step::Enters,
                b'-' => Step::Breaks,
                _ => Step::Ends,
            };
            steps.push((who.to_owned(), step));
        }
        Self { name: name.to_owned(), people, steps }
    }

    /// How many people come in at the beginning.
    pub fn people(&self) -> usize {
        self.people.len()
    }

    /// Plays the conversation on a server of its own. Who comes in first uses the first door,
    /// and so on; those who come later begin again with the first.
    pub async fn play(&self, doors: &[Door]) {
        let context = Context(format!("{} through {doors:?}", self.name));
        let server = TestServer::start().await;
        let mut doors = doors.iter().cycle();
        let mut room = Room { server: &server, people: HashMap::new(), quit: false };
        for nick in &self.people {
            room.enter(nick, *doors.next().expect("there are doors")).await;
        }
        for (who, step) in &self.steps {
            match step {
                Step::Types(typed) => {
                    room.quit = typed == "/quit";
                    room.person(who).types(typed).await;
                }
                Step::Sees(line) => room.sees(who, line).await,
                Step::Enters => room.enter(who, *doors.next().expect("there are doors")).await,
                Step::Breaks => {
                    room.quit = false;
                    room.people.remove(who);
                }
                Step::Ends => {
                    room.person(who).sees_the_end().await;
                    room.people.remove(who);
                }
            }
        }
        room.end().await;
        // Everybody leaves first: the server waits a while for those who are still there.
        drop(room);
        server.stop().await;
        drop(context);
    }
}

/// Says which play it was, if it fails.
struct Context(String);

impl Drop for Context {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- while playing {} ---", self.0);
        }
    }
}

/// Who is there while a transcript is played.
struct Room<'a> {
    server: &'a TestServer,
    people: HashMap<String, Person>,
    /// Whether the last thing typed was `/quit`.
    quit: bool,
}

impl Room<'_> {
    fn person(&mut self, who: &str) -> &mut Person {
        self.people.get_mut(who).unwrap_or_else(|| panic!("{who} is not there"))
    }

    async fn enter(&mut self, nick: &str, door: Door) {
        let person = Person::enter(self.server, door, nick).await;
        for other in self.people.values_mut() {
            other.sees(&format!("Server: {nick} is online!")).await;
        }
        self.people.insert(nick.to_owned(), person);
    }

    async fn sees(&mut self, who: &str, line: &str) {
        let quit = self.quit;
        let person = self.person(who);
        let notice = line.strip_prefix("Server: ").filter(|_| person.door().is_unframed());
        match notice {
            Some(notice) if notice.contains(" joined ") || notice.contains(" left ") => {}
            Some(notice) if quit && notice.ends_with(" is offline.") => {
                person.sees(notice.trim_end_matches('.')).await;
            }
            _ => person.sees(line).await,
        }
    }

    /// A last one comes in, whom everybody sees and hears: whatever else they had been sent
    /// would have come before.
    async fn end(&mut self) {
        self.enter("curtain", Door::Json).await;
        self.person("curtain").types("that is all").await;
        self.people.remove("curtain");
        for person in self.people.values_mut() {
            person.sees("curtain: that is all").await;
        }
    }
}
