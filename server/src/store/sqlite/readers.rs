//! The threads that read. They see what was committed when they begin, and wait for no writer.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::store::{Answer, StoreError};

/// Questions that wait; further ones are refused.
const QUEUE: usize = 1_024;

/// How long one question may keep a thread. Nothing that is asked for should take a tenth of it.
pub(super) const QUESTION_TIME: Duration = Duration::from_secs(5);

/// The same for a search: what has not found anything by then has to be asked for in rarer words.
pub(super) const SEARCH_TIME: Duration = Duration::from_millis(500);

/// Steps of SQLite's machine between two looks at the time.
const STEPS: i32 = 100_000;

type Question = Box<dyn FnOnce(&Connection) + Send>;

/// The queue to the threads. They end when it is dropped.
#[derive(Clone)]
pub(super) struct Readers(SyncSender<Question>);

impl Readers {
    /// Starts a thread for each connection, which spends `time` on a question at most.
    pub(super) fn start(
        connections: Vec<Connection>,
        time: Duration,
    ) -> std::io::Result<(Self, Vec<JoinHandle<()>>)> {
        let (sender, questions) = sync_channel(QUEUE);
        let questions = Arc::new(Mutex::new(questions));
        let threads = connections.into_iter().map(|connection| {
            let questions = questions.clone();
            let thread = std::thread::Builder::new().name("store-reader".to_owned());
            thread.spawn(move || read(connection, time, &questions))
        });
        Ok((Self(sender), threads.collect::<Result<_, _>>()?))
    }

    /// Asks. The question waits for its turn from now on, not from when the answer is awaited.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<'static, T> {
        let (sender, answer) = oneshot::channel();
        let question = Box::new(move |connection: &Connection| {
            // Who has gone meanwhile needs no answer.
            if !sender.is_closed() {
                let _ = sender.send(question(connection).map_err(|error| StoreError(error.to_string())));
            }
        });
        let queued = self.0.try_send(question).map_err(|error| {
            StoreError(match error {
                TrySendError::Full(_) => "too many questions wait".to_owned(),
                TrySendError::Disconnected(_) => "it has stopped".to_owned(),
            })
        });
        Box::pin(async {
            queued?;
            answer.await.unwrap_or_else(|_| Err(StoreError("it has stopped".to_owned())))
        })
    }
}

fn read(mut connection: Connection, time: Duration, questions: &Mutex<Receiver<Question>>) {
    loop {
        // One thread waits for the queue, and the other one for it.
        let question = questions.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(question) = question else { break };
        let until = Instant::now() + time;
        let _ = connection.progress_handler(STEPS, Some(move || Instant::now() > until));
        question(&connection);
    }
}
