//! Many talkers on all doors, and the moments that they have in common.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::journal::{Journal, LineJournal};
use crate::{Checker, JsonClient, LineTalker, Talker, TestServer, read_history, within};

/// The room, besides the lobby, in which talkers are from the beginning.
pub const WORK: &str = "work";

/// What those who read lines wait for.
pub(crate) const END: &str = "that is all";
/// Who says it.
pub(crate) const CURTAIN: &str = "curtain";

/// Talkers that run.
pub struct Crowd {
    moment: Arc<Moment>,
    /// Is in the room before everybody else.
    _director: JsonClient,
    json: JoinSet<Journal>,
    lines: JoinSet<LineJournal>,
}

/// What everybody looks at.
pub(crate) struct Moment {
    pub(crate) phase: watch::Sender<Phase>,
    /// How many acks and messages have arrived, with all of them together.
    pub(crate) arrivals: watch::Sender<usize>,
    /// How many of them have been let in, at least once.
    pub(crate) inside: watch::Sender<usize>,
    /// How many of them have nothing more to send.
    pub(crate) idle: watch::Sender<usize>,
}

/// What a talker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It says one thing after another.
    Talk,
    /// It says nothing new, but sees to it that everything is acknowledged.
    Drain,
    /// It reads to the end of each room, and ends.
    Finish,
}

impl Crowd {
    /// Nobody yet. The room that they meet in is made.
    pub async fn gather(server: &TestServer) -> Self {
        let mut director = JsonClient::enter(server, "director").await;
        let created = director.request(json!({ "type": "create", "room": WORK })).await;
        assert_eq!(created["type"], "joined", "{created}");
        let moment = Moment {
            phase: watch::Sender::new(Phase::Talk),
            arrivals: watch::Sender::new(0),
            inside: watch::Sender::new(0),
            idle: watch::Sender::new(0),
        };
        Self { moment: Arc::new(moment), _director: director, json: JoinSet::new(), lines: JoinSet::new() }
    }

    /// Somebody who speaks JSON begins.
    pub fn join(&mut self, talker: Talker) {
        self.json.spawn(talker.run(self.moment.clone()));
    }

    /// Somebody who speaks lines begins.
    pub fn join_lines(&mut self, talker: LineTalker) {
        self.lines.spawn(talker.run(self.moment.clone()));
    }

    /// Waits until everybody has been let in. Before that nobody has a token: who loses the welcome
    /// comes back as somebody else of the same name.
    pub async fn is_inside(&self) {
        let mut inside = self.moment.inside.subscribe();
        let everybody = self.json.len() + self.lines.len();
        let complete = inside.wait_for(|count| *count >= everybody);
        drop(within("everybody to be let in", complete).await.expect("the sender is in use"));
    }

    /// How many acks and messages have arrived so far.
    pub fn arrivals(&self) -> usize {
        *self.moment.arrivals.borrow()
    }

    /// Waits until so many more acks and messages have arrived.
    pub async fn hears(&mut self, more: usize) {
        self.look().await;
        let wanted = self.arrivals() + more;
        let mut arrivals = self.moment.arrivals.subscribe();
        let what = format!("{more} more acks and messages");
        let heard = arrivals.wait_for(|count| *count >= wanted);
        drop(within(what, heard).await.expect("the sender is in use"));
    }

    /// Lets everybody come to an end, and gathers what they and the server know.
    pub async fn finish(mut self, server: &TestServer) -> Checker {
        let mut idle = self.moment.idle.subscribe();
        let everybody = self.json.len() + self.lines.len();
        self.moment.phase.send_replace(Phase::Drain);
        let settled = idle.wait_for(|count| *count >= everybody);
        drop(within("everything to be acknowledged", settled).await.expect("the sender is in use"));
        let mut curtain = JsonClient::tcp(server.tcp()).await;
        let rooms = json!([{ "room": "lobby" }, { "room": WORK }]);
        curtain.hello(json!({ "nick": CURTAIN, "rooms": rooms })).await;
        curtain.say("lobby", END).await;
        self.moment.phase.send_replace(Phase::Finish);
        let mut checker = Checker::default();
        let ends = async {
            while let Some(journal) = self.json.join_next().await {
                checker.journals.push(journal.expect("a talker does not fail"));
            }
            while let Some(journal) = self.lines.join_next().await {
                checker.lines.push(journal.expect("a talker does not fail"));
            }
        };
        within("everybody to come to the end", ends).await;
        for room in ["lobby", WORK] {
            checker.histories.insert(room.to_owned(), read_history(&mut curtain, room).await);
        }
        read_direct_conversations(server, &mut checker).await;
        checker
    }

    /// Fails with whoever has failed.
    async fn look(&mut self) {
        let end = tokio::select! {
            biased;
            Some(end) = self.json.join_next() => end.map(drop),
            Some(end) = self.lines.join_next() => end.map(drop),
            () = std::future::ready(()) => return,
        };
        end.expect("a talker does not fail");
        panic!("a talker ended before the others");
    }
}

/// Each is read by one of the two, who comes back for it as another client of theirs.
async fn read_direct_conversations(server: &TestServer, checker: &mut Checker) {
    for journal in &checker.journals {
        let rooms: BTreeSet<_> = journal.entered.keys().filter(|room| room.starts_with('@')).collect();
        if rooms.iter().all(|room| checker.histories.contains_key(*room)) {
            continue;
        }
        let mut client = JsonClient::tcp(server.tcp()).await;
        client.hello(json!({ "nick": journal.nick, "token": journal.token, "client": "reader" })).await;
        for room in rooms {
            checker.histories.insert(room.clone(), read_history(&mut client, room).await);
        }
    }
}
