//! What the user has written and the server has not acknowledged yet, in order: messages, and
//! changes and withdrawals of them.
//!
//! At most a window of it is under way. Under a rate limit the window is one: a message that is
//! told to wait must not be overtaken by the next. When the connection breaks, what was under way
//! is sent again under the same id, by which the server knows what it has already. That holds as
//! long as the server knows the user: if it does not any more, what was under way has *failed*, as
//! nobody can tell whether it arrived, and only the user can say whether to send it again.

use std::collections::VecDeque;

use crosstalk_protocol::{Command, Message, Request, RequestId, RoomName, Target, Text};

use crate::journal::Kept;

/// Messages under way without a rate limit: enough to fill a long line with short messages.
const WINDOW: usize = 64;

/// Failed messages that are kept; the oldest of more are forgotten.
const FAILED_MAX: usize = 100;

/// The queue of what is still to be sent or acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    queue: VecDeque<Pending>,
    failed: VecDeque<Pending>,
    window: usize,
    /// Whether the server said to wait.
    held: bool,
    /// Makes this client's request ids differ from another's.
    prefix: u64,
    last_id: u64,
}

/// Something of the user's own, not yet acknowledged.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pending {
    pub(crate) id: RequestId,
    /// A `send`, `edit` or `delete`.
    pub(crate) command: Command,
    pub(crate) state: State,
    /// Whether it has been given another label by itself, which happens once.
    renewed: bool,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Never sent, and so free to be changed.
    New,
    /// Sent before, and to be sent again as it was.
    Again,
    /// Sent.
    UnderWay,
    /// Sent, and something like it has come back from the room. It need not be shown any more, but
    /// only the ack tells it from another with the same words.
    Seen,
}

impl Outbox {
    /// An empty outbox. `seed` tells the ids of one run from those of another.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            queue: VecDeque::new(),
            failed: VecDeque::new(),
            window: WINDOW,
            held: false,
            prefix: seed,
            last_id: 0,
        }
    }

    /// Whether everything has been acknowledged.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How much is not acknowledged.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// What is not acknowledged, oldest first.
    pub(crate) fn pending(&self) -> impl Iterator<Item = &Pending> {
        self.queue.iter()
    }

    /// How many messages were refused, or may have got lost.
    pub(crate) fn failed(&self) -> usize {
        self.failed.len()
    }

    /// A label that no other request has.
    pub(crate) fn next_id(&mut self) -> RequestId {
        self.last_id += 1;
        RequestId::new(&format!("{:x}-{}", self.prefix, self.last_id))
            .expect("two numbers of 64 bits have at most 37 characters")
    }

    /// Puts a message at the end.
    pub(crate) fn push(&mut self, to: Target, text: Text, action: bool) {
        self.put(Command::Send { to, text, action, reply: None });
    }

    /// Puts a `send`, `edit` or `delete` at the end.
    pub(crate) fn put(&mut self, command: Command) {
        let id = self.next_id();
        self.queue.push_back(Pending { id, command, state: State::New, renewed: false });
    }

    /// One at a time under a rate limit, so that the order holds.
    pub(crate) fn set_rate_limited(&mut self, limited: bool) {
        self.window = if limited { 1 } else { WINDOW };
    }

    /// What is to be sent now.
    pub(crate) fn due(&mut self) -> Vec<Request> {
        let mut due = Vec::new();
        if self.held {
            return due;
        }
        for pending in self.queue.iter_mut().take(self.window) {
            if matches!(pending.state, State::New | State::Again) {
                pending.state = State::UnderWay;
                due.push(Request { id: Some(pending.id.clone()), command: pending.command.clone() });
            }
        }
        due
    }

    /// Takes out what has this label: it is in the log, or was refused for good.
    pub(crate) fn take(&mut self, id: &RequestId) -> Option<Pending> {
        let index = self.queue.iter().position(|pending| pending.id == *id)?;
        self.queue.remove(index)
    }

    /// The server wants to be sent this again, later. `false` if it is none of these.
    pub(crate) fn hold(&mut self, id: &RequestId) -> bool {
        let Some(pending) = self.find(id) else { return false };
        pending.state = State::Again;
        self.held = true;
        true
    }

    /// Later is now.
    pub(crate) fn go_on(&mut self) {
        self.held = false;
    }

    /// The label was that of something else, and this was not sent: it goes again under another one.
    /// `false` if that has been tried, or it is none of these.
    pub(crate) fn renew(&mut self, id: &RequestId) -> bool {
        let new = self.next_id();
        let Some(pending) = self.find(id).filter(|pending| !pending.renewed) else { return false };
        *pending = Pending { id: new, command: pending.command.clone(), state: State::New, renewed: true };
        true
    }

    /// The label was that of something else, and this was not sent: it is kept as failed, whatever it
    /// is, under another label, so that the user can send it again. `None` if it is none of these.
    pub(crate) fn fail_anew(&mut self, id: &RequestId) -> Option<Pending> {
        let pending = self.take(id)?;
        let new = Pending { id: self.next_id(), ..pending.clone() };
        self.keep_failed(new);
        Some(pending)
    }

    /// The user's own message came from a room. It is taken for the oldest such one under way.
    pub(crate) fn see(&mut self, message: &Message) {
        let same = |pending: &&mut Pending| pending.state == State::UnderWay && pending.is(message);
        if let Some(pending) = self.queue.iter_mut().find(same) {
            pending.state = State::Seen;
        }
    }

    /// The connection broke.
    pub(crate) fn lose_connection(&mut self) {
        self.held = false;
        for pending in &mut self.queue {
            if matches!(pending.state, State::UnderWay | State::Seen) {
                pending.state = State::Again;
            }
        }
    }

    /// The server does not know the user's ids any more. What had been sent may have arrived or not:
    /// it is taken out, to be spoken of, and the messages in it are kept as failed.
    pub(crate) fn forsake(&mut self) -> Vec<Pending> {
        let sent: Vec<Pending> =
            self.queue.iter().filter(|pending| pending.state == State::Again).cloned().collect();
        self.queue.retain(|pending| pending.state != State::Again);
        for pending in &sent {
            self.fail(pending.clone());
        }
        sent
    }

    /// Keeps what was refused, if it is a message: the words are the user's.
    pub(crate) fn fail(&mut self, pending: Pending) {
        if matches!(pending.command, Command::Send { .. }) {
            self.keep_failed(pending);
        }
    }

    fn keep_failed(&mut self, pending: Pending) {
        self.failed.push_back(pending);
        if self.failed.len() > FAILED_MAX {
            self.failed.pop_front();
        }
    }

    /// Sends what has failed again, under the same ids: whoever remembers them is not told twice.
    pub(crate) fn try_again(&mut self) {
        for pending in self.failed.drain(..) {
            self.queue.push_back(Pending { state: State::Again, ..pending });
        }
    }

    /// Takes up what an earlier run has left.
    pub(crate) fn adopt(&mut self, kept: Vec<Kept>) {
        for Kept { request, failed } in kept {
            let Some(id) = request.id else { continue };
            let pending = Pending { id, command: request.command, state: State::Again, renewed: false };
            if failed {
                self.fail(pending);
            } else {
                self.queue.push_back(pending);
            }
        }
    }

    /// What is to be left to a later run, should this one end.
    pub(crate) fn kept(&self) -> Vec<Kept> {
        let kept = |pending: &Pending, failed| Kept {
            request: Request { id: Some(pending.id.clone()), command: pending.command.clone() },
            failed,
        };
        let queued = self.queue.iter().map(|pending| kept(pending, false));
        queued.chain(self.failed.iter().map(|pending| kept(pending, true))).collect()
    }

    /// Forgets what has failed.
    pub(crate) fn drop_failed(&mut self) {
        self.failed.clear();
    }

    /// The label of the user's last message to `target`, which is in `room`, if it has never been sent.
    pub(crate) fn unsent(&self, target: &Target, room: Option<&RoomName>) -> Option<RequestId> {
        let last = self.queue.iter().rev().find(|pending| pending.is_for(target, room))?;
        let free = last.state == State::New && matches!(last.command, Command::Send { .. });
        free.then(|| last.id.clone())
    }

    /// Gives a message that has never been sent other words.
    pub(crate) fn revise(&mut self, id: &RequestId, words: &Text) {
        if let Some(Pending { command: Command::Send { text, .. }, state: State::New, .. }) = self.find(id) {
            text.clone_from(words);
        }
    }

    /// Whether something for `target`, which is in `room`, is to be acknowledged: until then its
    /// number is not known.
    pub(crate) fn waits_for(&self, target: &Target, room: Option<&RoomName>) -> bool {
        self.queue.iter().any(|pending| pending.is_for(target, room))
    }

    fn find(&mut self, id: &RequestId) -> Option<&mut Pending> {
        self.queue.iter_mut().find(|pending| pending.id == *id)
    }
}

impl Pending {
    /// The words in it.
    pub(crate) fn text(&self) -> Option<&Text> {
        match &self.command {
            Command::Send { text, .. } | Command::Edit { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether it is for `target`, or for the room that this is.
    fn is_for(&self, target: &Target, in_room: Option<&RoomName>) -> bool {
        match &self.command {
            Command::Send { to: Target::User(nick), .. } => {
                matches!(target, Target::User(with) if with == nick)
            }
            Command::Send { to: Target::Room(room), .. }
            | Command::Edit { room, .. }
            | Command::Delete { room, .. } => {
                in_room == Some(room) || matches!(target, Target::Room(wanted) if wanted == room)
            }
            _ => false,
        }
    }

    /// Whether `message` can be this one. Its author is compared elsewhere.
    fn is(&self, message: &Message) -> bool {
        let Command::Send { to, text, action, .. } = &self.command else { return false };
        let same_place = match to {
            Target::Room(room) => *room == message.room,
            Target::User(nick) => message.to.as_ref() == Some(nick),
        };
        same_place && *text == message.text && *action == message.action
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(texts: &[&str]) -> Outbox {
        let mut outbox = Outbox::new(1);
        for text in texts {
            outbox.push(Target::Room(RoomName::lobby()), Text::clean(text).unwrap(), false);
        }
        outbox
    }

    fn texts(requests: &[Request]) -> Vec<String> {
        let text = |request: &Request| match &request.command {
            Command::Send { text, .. } => text.as_str().to_owned(),
            other => panic!("{other:?}"),
        };
        requests.iter().map(text).collect()
    }

    #[test]
    fn under_a_rate_limit_a_held_message_is_not_overtaken() {
        let mut outbox = outbox(&["a", "b", "c"]);
        outbox.set_rate_limited(true);
        let first = outbox.due();
        assert_eq!(texts(&first), ["a"]);
        assert!(outbox.due().is_empty());
        assert!(outbox.hold(first[0].id.as_ref().unwrap()));
        assert!(outbox.due().is_empty());
        outbox.go_on();
        let again = outbox.due();
        assert_eq!(again, first);
        outbox.take(again[0].id.as_ref().unwrap()).unwrap();
        assert_eq!(texts(&outbox.due()), ["b"]);
    }

    #[test]
    fn without_a_limit_a_window_is_under_way() {
        let many: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let mut outbox = outbox(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(outbox.due().len(), WINDOW);
        assert!(outbox.due().is_empty());
    }

    #[test]
    fn after_a_break_the_same_is_sent_under_the_same_ids_in_order() {
        let mut outbox = outbox(&["ok", "ok", "later"]);
        let first = outbox.due();
        outbox.take(first[1].id.as_ref().unwrap()).unwrap();
        outbox.push(Target::Room(RoomName::lobby()), Text::clean("new").unwrap(), false);
        outbox.lose_connection();
        let again = outbox.due();
        assert_eq!((&again[0], &again[1]), (&first[0], &first[2]));
        assert_eq!(texts(&again[2..]), ["new"]);
    }

    #[test]
    fn what_nobody_knows_to_have_arrived_fails_and_the_rest_is_sent() {
        let mut outbox = outbox(&["sent"]);
        let sent = outbox.due();
        outbox.push(Target::Room(RoomName::lobby()), Text::clean("new").unwrap(), false);
        outbox.lose_connection();
        assert_eq!(outbox.forsake().len(), 1);
        assert_eq!(texts(&outbox.due()), ["new"]);
        assert_eq!(outbox.failed(), 1);
        outbox.try_again();
        assert_eq!(outbox.due(), sent);
    }

    #[test]
    fn a_label_that_was_used_before_is_replaced_once_by_itself() {
        let mut outbox = outbox(&["a"]);
        let first = outbox.due();
        assert!(outbox.renew(first[0].id.as_ref().unwrap()));
        let again = outbox.due();
        assert_eq!(again[0].command, first[0].command);
        assert_ne!(again[0].id, first[0].id);
        assert!(!outbox.renew(again[0].id.as_ref().unwrap()), "a third would be no better");
    }

    #[test]
    fn what_had_a_label_that_was_used_before_is_kept_under_another_one() {
        let mut outbox = outbox(&[]);
        outbox.put(Command::Delete { room: RoomName::lobby(), seq: 7 });
        let first = outbox.due();
        outbox.fail_anew(first[0].id.as_ref().unwrap()).unwrap();
        assert!(outbox.is_empty() && outbox.failed() == 1);
        outbox.try_again();
        let again = outbox.due();
        assert_eq!(again[0].command, first[0].command);
        assert_ne!(again[0].id, first[0].id);
    }
}
