//! What the user has written and the server has not acknowledged yet, in order.
//!
//! At most a window of messages is under way. Under a rate limit the window is one: a message
//! that is told to wait must not be overtaken by the next. When the connection breaks, what was
//! under way is *unsure*, and nothing behind it is sent, until [`resume`](crate::resume) has
//! looked whether it is in the room's log.

use std::collections::VecDeque;

use crosstalk_protocol::{Command, Message, Nick, Position, Request, RequestId, Target, Text};

/// Messages under way without a rate limit: enough to fill a long line with short messages.
const WINDOW: usize = 64;

/// The queue of messages that are still to be sent or acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    queue: VecDeque<Pending>,
    window: usize,
    /// Whether the server said to wait.
    held: bool,
    /// Makes this client's request ids differ from another's.
    prefix: u64,
    last_id: u64,
}

/// A message of the user's own, not yet acknowledged.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pending {
    pub(crate) id: RequestId,
    pub(crate) to: Target,
    pub(crate) text: Text,
    pub(crate) action: bool,
    pub(crate) state: State,
}

/// How far a message has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not sent yet.
    Waiting,
    /// Sent.
    UnderWay(Sent),
    /// Sent, and something like it has come back from the room. It need not be shown any more, but
    /// only the ack tells it from another with the same words.
    Seen(Sent),
    /// Sent over a connection that broke.
    Unsure(Sent),
}

/// How a message was sent, so that it can be found in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The nickname that it was sent under.
    nick: Nick,
    /// How far its room had been read then: it is behind. `None` if nothing is known of the log.
    behind: Option<Position>,
}

impl Outbox {
    /// An empty outbox. `seed` tells the ids of one run from those of another.
    pub(crate) fn new(seed: u64) -> Self {
        Self { queue: VecDeque::new(), window: WINDOW, held: false, prefix: seed, last_id: 0 }
    }

    /// Whether everything has been acknowledged.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many messages are not acknowledged.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// What is not acknowledged, oldest first.
    pub(crate) fn pending(&self) -> impl Iterator<Item = &Pending> {
        self.queue.iter()
    }

    /// A label that no other request has.
    pub(crate) fn next_id(&mut self) -> RequestId {
        self.last_id += 1;
        RequestId::new(&format!("{:x}-{}", self.prefix, self.last_id))
            .expect("two numbers of 64 bits have at most 37 characters")
    }

    /// Puts a message at the end.
    pub(crate) fn push(&mut self, to: Target, text: Text, action: bool) {
        let id = self.next_id();
        self.queue.push_back(Pending { id, to, text, action, state: State::Waiting });
    }

    /// One at a time under a rate limit, so that the order holds.
    pub(crate) fn set_rate_limited(&mut self, limited: bool) {
        self.window = if limited { 1 } else { WINDOW };
    }

    /// What is to be sent now, as `nick`. `read` says how far a target's room has been read.
    pub(crate) fn due(&mut self, nick: &Nick, read: impl Fn(&Target) -> Option<Position>) -> Vec<Request> {
        let mut due = Vec::new();
        if self.held {
            return due;
        }
        let mut under_way = 0;
        for pending in &mut self.queue {
            match pending.state {
                State::Unsure(_) => break,
                State::UnderWay(_) | State::Seen(_) => under_way += 1,
                State::Waiting if under_way < self.window => {
                    let behind = read(&pending.to);
                    pending.state = State::UnderWay(Sent { nick: nick.clone(), behind });
                    under_way += 1;
                    due.push(Request {
                        id: Some(pending.id.clone()),
                        command: Command::Send {
                            to: pending.to.clone(),
                            text: pending.text.clone(),
                            action: pending.action,
                            reply: None,
                        },
                    });
                }
                State::Waiting => break,
            }
        }
        due
    }

    /// Takes out the message with this label: it is in the log, or was refused for good.
    pub(crate) fn take(&mut self, id: &RequestId) -> Option<Pending> {
        let index = self.queue.iter().position(|pending| pending.id == *id)?;
        self.queue.remove(index)
    }

    /// The server wants to be sent this message again, later. `false` if it is none of these.
    pub(crate) fn hold(&mut self, id: &RequestId) -> bool {
        let Some(pending) = self.queue.iter_mut().find(|pending| pending.id == *id) else { return false };
        pending.state = State::Waiting;
        self.held = true;
        true
    }

    /// Later is now.
    pub(crate) fn go_on(&mut self) {
        self.held = false;
    }

    /// A message came from a room. It is taken for the oldest such one under way.
    pub(crate) fn see(&mut self, message: &Message) {
        for pending in &mut self.queue {
            if let State::UnderWay(sent) = &pending.state
                && sent.nick == message.from
                && pending.is(message)
            {
                pending.state = State::Seen(sent.clone());
                return;
            }
        }
    }

    /// The connection broke.
    pub(crate) fn lose_connection(&mut self) {
        self.held = false;
        for pending in &mut self.queue {
            if let State::UnderWay(sent) | State::Seen(sent) = &pending.state {
                pending.state = State::Unsure(sent.clone());
            }
        }
    }

    /// Where the oldest unsure message was to go, and how far that had been read when it was sent.
    pub(crate) fn unsure(&self) -> Option<(&Target, Option<Position>)> {
        self.queue.iter().find_map(|pending| match &pending.state {
            State::Unsure(sent) => Some((&pending.to, sent.behind)),
            _ => None,
        })
    }

    /// Of these messages, each that is an unsure one settles one: it had arrived.
    pub(crate) fn settle(&mut self, messages: &[Message]) {
        for message in messages {
            let same = |pending: &Pending| {
                matches!(&pending.state, State::Unsure(sent) if sent.nick == message.from)
                    && pending.is(message)
            };
            if let Some(index) = self.queue.iter().position(same) {
                self.queue.remove(index);
            }
        }
    }

    /// What is still unsure there had not arrived, and is sent again.
    pub(crate) fn send_again(&mut self, to: &Target) {
        for pending in &mut self.queue {
            if pending.to == *to && matches!(pending.state, State::Unsure(_)) {
                pending.state = State::Waiting;
            }
        }
    }
}

impl Pending {
    /// Whether `message` can be this one. Its author is compared elsewhere.
    fn is(&self, message: &Message) -> bool {
        let same_place = match &self.to {
            Target::Room(room) => *room == message.room,
            Target::User(nick) => message.to.as_ref() == Some(nick),
        };
        same_place && self.text == message.text && self.action == message.action
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstalk_protocol::RoomName;

    fn nick(name: &str) -> Nick {
        name.parse().unwrap()
    }

    fn outbox(texts: &[&str]) -> Outbox {
        let mut outbox = Outbox::new(1);
        for text in texts {
            outbox.push(Target::Room(RoomName::lobby()), Text::clean(text).unwrap(), false);
        }
        outbox
    }

    fn due(outbox: &mut Outbox) -> Vec<Request> {
        outbox.due(&nick("al"), |_| None)
    }

    fn texts(requests: &[Request]) -> Vec<&str> {
        let text = |request: &'_ Request| match &request.command {
            Command::Send { text, .. } => text.as_str().to_owned().leak() as &str,
            other => panic!("{other:?}"),
        };
        requests.iter().map(text).collect()
    }

    fn message(from: &str, text: &str) -> Message {
        Message {
            room: RoomName::lobby(),
            seq: 1,
            at: 0,
            from: nick(from),
            to: None,
            text: Text::clean(text).unwrap(),
            action: false,
            reply: None,
            edited: false,
        }
    }

    #[test]
    fn under_a_rate_limit_a_held_message_is_not_overtaken() {
        let mut outbox = outbox(&["a", "b", "c"]);
        outbox.set_rate_limited(true);
        let first = due(&mut outbox);
        assert_eq!(texts(&first), ["a"]);
        assert!(due(&mut outbox).is_empty());
        assert!(outbox.hold(first[0].id.as_ref().unwrap()));
        assert!(due(&mut outbox).is_empty());
        outbox.go_on();
        let again = due(&mut outbox);
        assert_eq!(again, first);
        outbox.take(again[0].id.as_ref().unwrap()).unwrap();
        assert_eq!(texts(&due(&mut outbox)), ["b"]);
    }

    #[test]
    fn without_a_limit_a_window_is_under_way() {
        let many: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let mut outbox = outbox(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(due(&mut outbox).len(), WINDOW);
        assert!(due(&mut outbox).is_empty());
    }

    #[test]
    fn after_a_break_only_what_is_not_in_the_log_is_sent_again() {
        let mut outbox = outbox(&["ok", "ok", "later"]);
        outbox.set_rate_limited(false);
        assert_eq!(due(&mut outbox).len(), 3);
        outbox.push(Target::Room(RoomName::lobby()), Text::clean("new").unwrap(), false);
        outbox.lose_connection();
        assert!(due(&mut outbox).is_empty());
        outbox.settle(&[message("bob", "ok"), message("al", "ok"), message("al", "other")]);
        let target = outbox.unsure().unwrap().0.clone();
        outbox.send_again(&target);
        assert_eq!(texts(&due(&mut outbox)), ["ok", "later", "new"]);
    }

    #[test]
    fn what_came_back_without_an_ack_is_looked_for_too() {
        let mut outbox = outbox(&["ok", "ok"]);
        due(&mut outbox);
        let first = outbox.pending().next().unwrap().id.clone();
        outbox.take(&first).unwrap();
        // It is the first one that comes back, behind its ack.
        outbox.see(&message("al", "ok"));
        outbox.lose_connection();
        assert!(outbox.unsure().is_some());
        outbox.settle(&[message("al", "ok")]);
        assert!(outbox.is_empty());
    }
}
