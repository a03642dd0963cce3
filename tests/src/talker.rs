//! Somebody who speaks JSON, goes on talking whatever becomes of connection and server, and writes
//! down what they have done and seen.
//!
//! They do what every client should: keep the token, remember positions, come back with both, and
//! send again under the same id what has not been acknowledged. Now and then they also send again
//! what has been, change a message, or withdraw one.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::crowd::Moment;
use crate::journal::Journal;
use crate::mind::Mind;
use crate::outbox::Next;
use crate::wire::{self, Reader, Way, Writer};
use crate::{DEADLINE, Random};

/// A talker that has not begun.
pub struct Talker {
    way: Way,
    address: SocketAddr,
    pub(crate) window: usize,
    pub(crate) pause: Duration,
    pub(crate) friend: Option<String>,
    pub(crate) changes: bool,
    pub(crate) random: Random,
    pub(crate) journal: Journal,
}

impl Talker {
    /// Talks as `nick` to the server, or a link to it, at `address`, in the lobby and in [`WORK`](crate::WORK).
    pub fn new(nick: &str, way: Way, address: SocketAddr, seed: u64) -> Self {
        Self {
            way,
            address,
            window: 4,
            pause: Duration::from_millis(20),
            friend: None,
            changes: true,
            random: Random::new(seed),
            journal: Journal { nick: nick.to_owned(), ..Journal::default() },
        }
    }

    /// Talks to a friend, too, who has to be a talker of the same crowd. Each message waits for the
    /// ack of the one before: a friend is away at times, and what is said to them then is refused.
    pub fn with_friend(mut self, nick: &str) -> Self {
        self.friend = Some(nick.to_owned());
        self.one_by_one()
    }

    /// Says nothing before the last message has been acknowledged. Where messages may be refused,
    /// what comes behind a refused one would overtake it otherwise.
    pub fn one_by_one(mut self) -> Self {
        self.window = 1;
        self
    }

    /// Waits so long at most before it says something again.
    pub fn pausing(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Never changes or withdraws a message.
    pub fn without_changes(mut self) -> Self {
        self.changes = false;
        self
    }

    pub(crate) async fn run(self, moment: Arc<Moment>) -> Journal {
        let (way, address) = (self.way, self.address);
        let life = Life { mind: Mutex::new(Mind::new(self)), wake: Notify::new(), moment };
        loop {
            if let Ok(Ok((reader, writer))) = timeout(DEADLINE, wire::open(way, address)).await {
                life.live(reader, writer).await;
            }
            let pause = {
                let mut mind = life.mind();
                if mind.is_finished() {
                    mind.talker.journal.finished = true;
                    return std::mem::take(&mut mind.talker.journal);
                }
                mind.talker.random.below(10)
            };
            // What any client does before it knocks again.
            sleep(Duration::from_millis(1 + pause as u64)).await;
        }
    }
}

struct Life {
    mind: Mutex<Mind>,
    /// Something has happened that may let the writer go on.
    wake: Notify,
    moment: Arc<Moment>,
}

impl Life {
    fn mind(&self) -> MutexGuard<'_, Mind> {
        self.mind.lock().expect("nobody fails with it")
    }

    /// One connection.
    async fn live(&self, mut reader: Reader, mut writer: Writer) {
        let hello = self.mind().begin_again();
        if writer.send(&hello).await.is_err() {
            return;
        }
        tokio::select! {
            () = self.read(&mut reader) => {}
            () = self.write(&mut writer) => {}
        }
    }

    async fn read(&self, reader: &mut Reader) {
        loop {
            let Ok(event) = timeout(DEADLINE, reader.next()).await else {
                let mut mind = self.mind();
                return mind.surprise(format!("nothing has arrived for {DEADLINE:?}"));
            };
            let Some(event) = event else { return };
            let mut mind = self.mind();
            match event["type"].as_str() {
                Some("ack" | "message") => self.moment.arrivals.send_modify(|count| *count += 1),
                Some("welcome") if mind.talker.journal.token.is_empty() => {
                    self.moment.inside.send_modify(|count| *count += 1);
                }
                _ => {}
            }
            let goes_on = mind.take(&event, *self.moment.phase.borrow());
            if !goes_on || mind.is_finished() {
                return;
            }
            self.wake.notify_one();
        }
    }

    async fn write(&self, writer: &mut Writer) {
        let mut phase = self.moment.phase.subscribe();
        loop {
            let next = self.mind().next(*phase.borrow_and_update(), &self.moment);
            match next {
                Next::Send(frame) => {
                    if writer.send(&frame).await.is_err() {
                        return;
                    }
                }
                Next::At(time) => tokio::select! {
                    () = sleep(time.saturating_duration_since(Instant::now())) => {}
                    () = self.wake.notified() => {}
                    _ = phase.changed() => {}
                },
                Next::Nothing => tokio::select! {
                    () = self.wake.notified() => {}
                    _ = phase.changed() => {}
                },
            }
        }
    }
}
