//! The store on disk: SQLite, with one thread that writes, two that read, and one that moves what was
//! written from the log into the database. An entry that is stored survives a crash of the process
//! and, unless asked for less, of the machine.

mod archive;
mod checkpointer;
mod directory;
mod expiries;
mod fault;
mod files;
mod index;
mod questions;
mod readers;
mod rows;
mod schema;
mod transaction;
mod trouble;
mod upkeep;
mod uptime;
mod writer;

use std::collections::HashSet;
use std::path::Path;
use std::pin::Pin;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use crosstalk_protocol::{HistoryRange, Message, RequestId, RoomName, Seq};
use rusqlite::Connection;
use tokio::sync::oneshot;

use self::checkpointer::Log;
use self::directory::{Directory, open_own_to_read, open_to_write};
use self::expiries::Expiries;
use self::files::Files;
use self::questions::Author;
use self::readers::{QUESTION_TIME, Readers, SEARCH_TIME};
use self::trouble::Trouble;
use self::upkeep::Upkeep;
use self::uptime::Uptime;
use self::writer::{Job, Writer};
use super::{
    Answer, Authored, By, Change, Draft, Expiry, Hits, Outcome, Page, Retention, RoomId, RoomKey, Store,
    StoreError, StoredRoom, StoredUser, TokenHash, UserId, Words,
};

pub use self::archive::{Archive, Backup, BackupError, Report};
pub use self::directory::OpenError;
pub use self::fault::Fault;

/// Jobs that wait for the writer; further ones are refused. Each is a batch or a change.
const QUEUE: usize = 8_192;

/// Threads that read; one more does nothing but search.
const READERS: usize = 2;

/// Kibibytes of pages that the writer keeps in memory: the ends of rooms, of receipts, of the index.
const WRITER_CACHE: i64 = 32 * 1024;

/// Kibibytes of pages that a reader keeps in memory.
const READER_CACHE: i64 = 8 * 1024;

/// What survives what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// What is stored survives the loss of power.
    #[default]
    Full,
    /// It survives a crash of the process; with the power, the last moments may go.
    Normal,
    /// As `Normal`, and the system may write in any order: a loss of power can damage the database.
    Off,
}

/// How a store works.
#[derive(Clone, Debug, Default)]
pub struct SqliteOptions {
    /// What survives what.
    pub durability: Durability,
    /// How much of a room is kept.
    pub retention: Retention,
    /// Faults on purpose, for tests.
    pub fault: Arc<Fault>,
}

/// The store on disk. When it is closed or dropped, everything that was asked for is stored first.
pub struct Sqlite {
    queues: Mutex<Option<Queues>>,
    trouble: Arc<Trouble>,
    expiries: Arc<Expiries>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Given up last.
    _directory: Directory,
}

#[derive(Clone)]
struct Queues {
    jobs: SyncSender<Job>,
    readers: Readers,
    searchers: Readers,
}

impl Sqlite {
    /// Takes a directory, and makes or opens the database in it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: &Path, options: SqliteOptions) -> Result<Self, OpenError> {
        let directory = Directory::claim(path)?;
        let database = directory.database();
        let mut connection = open_to_write(&database)?;
        let failed = |reason| OpenError::Database { path: database.clone(), reason };
        let (log, woken) = prepare(&mut connection, options.durability).map_err(failed)?;
        let uptime = Uptime::load(&connection).map_err(failed)?;
        let files =
            Files::of(&database).map_err(|reason| OpenError::Directory { path: path.to_owned(), reason })?;
        let (jobs, waiting) = sync_channel(QUEUE);
        let trouble = Arc::new(Trouble::default());
        let expiries = Arc::new(Expiries::default());
        let writer = Writer {
            connection,
            jobs: waiting,
            log,
            files,
            authors: HashSet::new(),
            trouble: trouble.clone(),
            upkeep: Upkeep::new(&options, expiries.clone(), uptime),
            fault: options.fault,
            pages: 0,
            scrub_at: None,
            moving: false,
            probe_at: Instant::now(),
        };
        let mut connections = Vec::with_capacity(READERS + 1);
        for _ in 0..READERS + 1 {
            let connection = open_own_to_read(&database)?;
            connection.set_prepared_statement_cache_capacity(STATEMENTS);
            connection.pragma_update(None, "cache_size", -READER_CACHE).map_err(failed)?;
            connections.push(connection);
        }
        let mover = directory::open_again(&database)?;
        // A search may take long; whoever only reads on does not wait for it.
        let for_searches = connections.split_off(READERS);
        let (searchers, mut threads) =
            Readers::start(for_searches, SEARCH_TIME).map_err(OpenError::Thread)?;
        let (readers, reading) = Readers::start(connections, QUESTION_TIME).map_err(OpenError::Thread)?;
        threads.extend(reading);
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(OpenError::Thread)
        };
        threads.push(spawn("store-log", Box::new(move || checkpointer::run(&mover, &woken)))?);
        threads.push(spawn("store-writer", Box::new(move || writer.run()))?);
        Ok(Self {
            queues: Mutex::new(Some(Queues { jobs, readers, searchers })),
            trouble,
            expiries,
            threads: Mutex::new(threads),
            _directory: directory,
        })
    }

    /// Stores all that was asked for and ends the threads; waits for it. What is asked for later is
    /// refused.
    pub fn close(&self) {
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Queues { jobs, readers, searchers }) = queues else { return };
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        // Who only reads cannot empty the log, and so must not be the last to go.
        drop((readers, searchers));
        threads.drain(..=READERS).for_each(join);
        drop(jobs);
        threads.drain(..).for_each(join);
    }

    fn queues(&self) -> Option<Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Queues a job. It is carried out even if nobody waits for the answer.
    fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Job,
    ) -> Answer<'static, T> {
        self.write_or(job, || {})
    }

    /// The same; `full` is called if too much waits already.
    fn write_or<T: Send + 'static>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Job,
        full: impl FnOnce(),
    ) -> Answer<'static, T> {
        let (sender, answer) = oneshot::channel();
        let queued = match self.queues() {
            None => Err(StoreError(STOPPED.to_owned())),
            Some(Queues { jobs, .. }) => jobs.try_send(job(sender)).map_err(|error| match error {
                TrySendError::Full(_) => {
                    full();
                    StoreError("too much waits to be written".to_owned())
                }
                TrySendError::Disconnected(_) => StoreError(STOPPED.to_owned()),
            }),
        };
        Box::pin(async {
            queued?;
            answer.await.unwrap_or_else(|_| Err(StoreError(STOPPED.to_owned())))
        })
    }

    fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<'static, T> {
        match self.queues() {
            None => Box::pin(std::future::ready(Err(StoreError(STOPPED.to_owned())))),
            Some(Queues { readers, .. }) => readers.ask(question),
        }
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a thread of the store has panicked");
    }
}

const STOPPED: &str = "it has stopped";

/// Statements that a connection keeps prepared: more than there are.
const STATEMENTS: usize = 64;

fn prepare(
    connection: &mut Connection,
    durability: Durability,
) -> rusqlite::Result<(Log, std::sync::mpsc::Receiver<()>)> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "cache_size", -WRITER_CACHE)?;
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
        Durability::Off => "OFF",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    Log::watch(connection)
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Sqlite").field("trouble", &self.trouble).finish_non_exhaustive()
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.close();
    }
}

impl Store for Sqlite {
    fn is_durable(&self) -> bool {
        true
    }

    fn append(&self, batch: Vec<Draft>) -> Answer<'_, Vec<Outcome>> {
        self.write(|answer| Job::Append(batch, answer))
    }

    fn change(&self, change: Change) -> Answer<'_, ()> {
        let kind = change.kind();
        self.write_or(|answer| Job::Change(Box::new(change), answer), || self.trouble.refuse(kind))
    }

    fn rooms(&self) -> Answer<'_, Vec<StoredRoom>> {
        self.read(questions::rooms)
    }

    fn last_room(&self) -> Answer<'_, RoomId> {
        self.read(questions::last_room)
    }

    fn labelled<'a>(&'a self, author: UserId, label: &'a RequestId) -> Answer<'a, Option<(RoomName, Seq)>> {
        let label = label.clone();
        self.write(|answer| Job::Labelled(author, label, answer))
    }

    fn user(&self, token: TokenHash) -> Answer<'_, Option<StoredUser>> {
        self.write(|answer| Job::User(token, answer))
    }

    fn records<'a>(&'a self, room: &'a RoomKey, range: HistoryRange, limit: usize) -> Answer<'a, Page> {
        let key = room.clone();
        self.read(move |connection| questions::records(connection, &key, range, limit))
    }

    fn messages<'a>(
        &'a self,
        room: &'a RoomKey,
        range: HistoryRange,
        limit: usize,
    ) -> Answer<'a, Vec<Message>> {
        let key = room.clone();
        self.read(move |connection| questions::messages(connection, &key, range, limit))
    }

    fn message<'a>(&'a self, room: &'a RoomKey, seq: Seq) -> Answer<'a, Option<Authored>> {
        let key = room.clone();
        self.read(move |connection| questions::one(connection, &key, seq))
    }

    fn last_message<'a>(&'a self, room: &'a RoomKey, by: By<'a>) -> Answer<'a, Option<Authored>> {
        let key = room.clone();
        let by = match by {
            By::Nick(nick) => Author::Nick(nick.clone()),
            By::User(user) => Author::User(user),
        };
        self.read(move |connection| questions::last_of(connection, &key, &by))
    }

    fn unread<'a>(&'a self, room: &'a RoomKey, after: Seq, max: usize) -> Answer<'a, usize> {
        let room = room.id;
        self.read(move |connection| questions::unread(connection, room, after, max))
    }

    fn search<'a>(
        &'a self,
        room: &'a RoomKey,
        words: &'a Words,
        before: Option<Seq>,
        limit: usize,
    ) -> Answer<'a, Hits> {
        let key = room.clone();
        let expression = words.expression();
        let search =
            move |connection: &Connection| questions::search(connection, &key, &expression, before, limit);
        match self.queues() {
            None => Box::pin(std::future::ready(Err(StoreError(STOPPED.to_owned())))),
            Some(Queues { searchers, .. }) => searchers.ask(search),
        }
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.reason()
    }

    fn expiries(&self) -> Pin<Box<dyn Future<Output = Vec<Expiry>> + Send + '_>> {
        Box::pin(self.expiries.take())
    }
}
