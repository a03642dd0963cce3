//! The one thread that writes. It takes a job and all that wait behind it, and carries them out in one
//! transaction: the busier the server, the more there are in it, and a lone job waits for nothing.
//!
//! Whoever asked is answered after the commit. If that fails, each of them is told, and nothing of
//! what they asked for is there. Between the jobs there is upkeep, in small steps.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crosstalk_protocol::{RequestId, RoomName, Seq};
use rusqlite::{Connection, ErrorCode, ffi};
use tokio::sync::oneshot;

use super::checkpointer::Log;
use super::fault::Fault;
use super::files::Files;
use super::questions;
use super::transaction::{Committed, Transaction};
use super::trouble::{AtWork, Trouble};
use super::upkeep::Upkeep;
use crate::store::{Change, Draft, Outcome, StoreError, StoredUser, TokenHash, UserId};

/// Jobs of one transaction.
const JOBS: usize = 1_024;

/// Entries of one transaction, about.
const ENTRIES: usize = 8_192;

/// People who are known to have written, so that it is noted once and not with each message.
const AUTHORS: usize = 65_536;

/// Between two attempts to write while nothing can be stored.
const PROBE_TIME: Duration = Duration::from_secs(1);

/// How long withdrawn words may stay in the write-ahead log. Several withdrawals share one emptying.
const SCRUB_TIME: Duration = Duration::from_millis(250);

/// How long what upkeep has taken away may stay there: many steps share one emptying.
const UPKEEP_SCRUB_TIME: Duration = Duration::from_secs(10);

/// How long before it is emptied the checkpointer begins to move what is in the log, so that little is
/// left for the writer to do.
const MOVING_TIME: Duration = Duration::from_millis(250);

/// Bytes that have to find room before all is well again: what a batch needs, about.
const PROBE_BYTES: i32 = 256 * 1024;

/// What the thread is asked for, and where the answer goes.
pub(super) enum Job {
    Append(Vec<Draft>, oneshot::Sender<Result<Vec<Outcome>, StoreError>>),
    Change(Box<Change>, oneshot::Sender<Result<(), StoreError>>),
    /// Where the entry is that a label stands for.
    Labelled(UserId, RequestId, oneshot::Sender<Result<Option<(RoomName, Seq)>, StoreError>>),
    /// Who somebody is, as of all that was asked for before.
    User(TokenHash, oneshot::Sender<Result<Option<StoredUser>, StoreError>>),
}

/// The thread's state.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) jobs: Receiver<Job>,
    pub(super) log: Log,
    pub(super) files: Files,
    /// People whose rows say that they have written, [`AUTHORS`] at most.
    pub(super) authors: HashSet<UserId>,
    pub(super) trouble: Arc<Trouble>,
    pub(super) upkeep: Upkeep,
    pub(super) fault: Arc<Fault>,
    /// Pages that the database may have, as the connection knows it.
    pub(super) pages: u32,
    /// When withdrawn words must be out of the log.
    pub(super) scrub_at: Option<Instant>,
    /// Whether the checkpointer has been told to begin with it.
    pub(super) moving: bool,
    /// When to see again whether anything can be stored, while nothing can be.
    pub(super) probe_at: Instant,
}

impl Writer {
    /// Runs until every sender of jobs is gone and all is stored.
    pub(super) fn run(mut self) {
        let _at_work = AtWork(self.trouble.clone());
        let mut jobs = Vec::new();
        let mut idle = true;
        loop {
            match self.jobs.recv_timeout(self.patience()) {
                Ok(job) => {
                    self.gather(job, &mut jobs);
                    self.carry_out(&mut jobs);
                    idle = false;
                }
                Err(RecvTimeoutError::Timeout) => {
                    if self.probe_at <= Instant::now() {
                        self.probe_at = Instant::now() + PROBE_TIME;
                        match self.make_sure() {
                            Ok(()) if self.trouble.reason().is_some() => self.probe(),
                            Ok(()) => {}
                            Err(error) => self.trouble.begin(&error.to_string()),
                        }
                    }
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.scrub_at.is_some_and(|at| at <= Instant::now()) {
                self.scrub();
            }
            if self.upkeep.due_at() <= Instant::now() {
                if self.upkeep.step(&self.connection, idle) {
                    self.scrub_within(UPKEEP_SCRUB_TIME);
                }
                self.log.committed(&self.connection);
                idle = true;
            }
        }
        // After a crash it is a minute less, and nobody minds.
        let _ = self.upkeep.uptime().save(&self.connection);
    }

    fn scrub(&mut self) {
        self.moving = !self.moving;
        if self.moving {
            self.log.begin_to_move();
            self.scrub_at = Some(Instant::now() + MOVING_TIME);
        } else {
            let emptied = self.log.empty(&self.connection);
            self.scrub_at = (!emptied).then(|| Instant::now() + SCRUB_TIME);
        }
    }

    /// What was taken away must be out of the log by then.
    fn scrub_within(&mut self, time: Duration) {
        let at = Instant::now() + time;
        self.scrub_at = Some(self.scrub_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// How long there is nothing to do if no job comes.
    fn patience(&self) -> Duration {
        let until = self.scrub_at.map_or(self.probe_at, |at| at.min(self.probe_at));
        until.min(self.upkeep.due_at()).saturating_duration_since(Instant::now())
    }

    fn gather(&self, first: Job, jobs: &mut Vec<Job>) {
        let mut entries = first.entries();
        jobs.push(first);
        while jobs.len() < JOBS
            && entries < ENTRIES
            && let Ok(job) = self.jobs.try_recv()
        {
            entries += job.entries();
            jobs.push(job);
        }
    }

    fn carry_out(&mut self, jobs: &mut Vec<Job>) {
        self.fault.pass();
        self.impose_fault();
        match self.make_sure().and_then(|()| self.transact(jobs)) {
            Ok(done) => {
                self.trouble.end();
                jobs.drain(..).zip(done).for_each(|(job, done)| job.answer(Ok(done)));
            }
            // One of them is at fault. Nothing was stored; each has to stand for itself.
            Err(error) if is_own_fault(&error) && jobs.len() > 1 => {
                for job in jobs.drain(..) {
                    let result = self.transact(std::slice::from_ref(&job));
                    self.answer_one(job, result);
                }
            }
            Err(error) => {
                if !is_own_fault(&error) {
                    self.trouble.begin(&error.to_string());
                }
                for job in jobs.drain(..) {
                    self.answer_failed(job, &error);
                }
            }
        }
    }

    fn answer_one(&self, job: Job, result: rusqlite::Result<Vec<Done>>) {
        match result {
            Ok(mut done) => {
                self.trouble.end();
                if let Some(done) = done.pop() {
                    job.answer(Ok(done));
                }
            }
            Err(error) => {
                if !is_own_fault(&error) {
                    self.trouble.begin(&error.to_string());
                }
                job.answer(Err(&error));
            }
        }
    }

    /// Refuses to write what would not be on the disk as it should, or to a file that nobody would find
    /// again.
    fn make_sure(&mut self) -> rusqlite::Result<()> {
        self.upkeep.end_haste(&self.connection)?;
        match self.files.misplaced() {
            None => Ok(()),
            Some(reason) => {
                let code = ffi::Error::new(ffi::SQLITE_CANTOPEN);
                Err(rusqlite::Error::SqliteFailure(code, Some(reason.to_owned())))
            }
        }
    }

    /// Nothing could be written. Who was only looked for is found all the same.
    fn answer_failed(&self, job: Job, error: &rusqlite::Error) {
        match job {
            Job::User(token, answer) => {
                let found = questions::user(&self.connection, token);
                drop(answer.send(found.map_err(|error| StoreError(error.to_string()))));
            }
            job => job.answer(Err(error)),
        }
    }

    /// Carries out all of it, or nothing.
    fn transact(&mut self, jobs: &[Job]) -> rusqlite::Result<Vec<Done>> {
        let result = self.try_transact(jobs);
        if result.is_err() && !self.connection.is_autocommit() {
            // After some faults SQLite has rolled back already, and after others it has not.
            if let Err(error) = self.connection.execute_batch("ROLLBACK") {
                tracing::error!(%error, "a transaction was not rolled back");
            }
        }
        let (done, Committed { withdrawn, new_authors }) = result?;
        if self.authors.len() + new_authors.len() > AUTHORS {
            self.authors.clear();
        }
        self.authors.extend(new_authors);
        if withdrawn {
            self.scrub_within(SCRUB_TIME);
        }
        for job in jobs {
            if let Job::Change(change, _) = job
                && let Change::TidyUp(unused) = &**change
            {
                self.upkeep.look_for(unused.clone());
            }
        }
        self.log.committed(&self.connection);
        Ok(done)
    }

    fn try_transact(&self, jobs: &[Job]) -> rusqlite::Result<(Vec<Done>, Committed)> {
        let mut transaction = Transaction::begin(&self.connection, self.upkeep.uptime(), &self.authors)?;
        let mut done = Vec::with_capacity(jobs.len());
        for job in jobs {
            done.push(match job {
                Job::Append(batch, _) => Done::Appended(transaction.append(batch)?),
                Job::Change(change, _) => {
                    transaction.change(change)?;
                    Done::Changed
                }
                Job::User(token, _) => Done::Found(questions::user(&self.connection, *token)?),
                Job::Labelled(author, label, _) => {
                    Done::Labelled(questions::labelled(&self.connection, *author, label.as_str())?)
                }
            });
        }
        let stalled = self.fault.stalled();
        if !stalled.is_zero() {
            std::thread::sleep(stalled);
        }
        Ok((done, transaction.commit()?))
    }

    /// Sees whether something can be stored again, so that the server recovers by itself.
    fn probe(&mut self) {
        self.impose_fault();
        let probed = self.connection.execute_batch(&format!(
            "DELETE FROM probe; INSERT INTO probe (filling) VALUES (zeroblob({PROBE_BYTES})); DELETE FROM probe;"
        ));
        match probed {
            Ok(()) => self.trouble.end(),
            Err(error) => self.trouble.begin(&error.to_string()),
        }
        self.log.committed(&self.connection);
    }

    fn impose_fault(&mut self) {
        let pages = self.fault.pages();
        if pages != self.pages {
            let most = if pages == 0 { u32::MAX - 1 } else { pages };
            // The answer is the limit now in force.
            let imposed = self.connection.pragma_update_and_check(None, "max_page_count", most, |_| Ok(()));
            if imposed.is_ok() {
                self.pages = pages;
            }
        }
    }
}

/// What was done for a job.
enum Done {
    Appended(Vec<Outcome>),
    Changed,
    Found(Option<StoredUser>),
    Labelled(Option<(RoomName, Seq)>),
}

impl Job {
    fn entries(&self) -> usize {
        match self {
            Job::Append(batch, _) => batch.len(),
            Job::Change(..) | Job::User(..) | Job::Labelled(..) => 1,
        }
    }

    /// Whoever asked may not have waited.
    fn answer(self, result: Result<Done, &rusqlite::Error>) {
        let failed = |error: &rusqlite::Error| StoreError(error.to_string());
        match (self, result) {
            (Job::Append(_, answer), Ok(Done::Appended(outcomes))) => drop(answer.send(Ok(outcomes))),
            (Job::Change(_, answer), Ok(_)) => drop(answer.send(Ok(()))),
            (Job::User(_, answer), Ok(Done::Found(found))) => drop(answer.send(Ok(found))),
            (Job::Labelled(.., answer), Ok(Done::Labelled(place))) => drop(answer.send(Ok(place))),
            (Job::Labelled(.., answer), Err(error)) => drop(answer.send(Err(failed(error)))),
            (Job::User(_, answer), Err(error)) => drop(answer.send(Err(failed(error)))),
            (Job::Append(_, answer), Err(error)) => drop(answer.send(Err(failed(error)))),
            (Job::Change(change, answer), Err(error)) => {
                tracing::error!(%error, ?change, "a change was not stored");
                drop(answer.send(Err(failed(error))));
            }
            // The kinds agree; were they not to, the answer would be that the store has stopped.
            (Job::Append(..) | Job::User(..) | Job::Labelled(..), Ok(_)) => {}
        }
    }
}

/// Whether an error says something about what was asked for, and not about the disk.
fn is_own_fault(error: &rusqlite::Error) -> bool {
    match error.sqlite_error_code() {
        None => true,
        Some(code) => matches!(
            code,
            ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::TooBig
                | ErrorCode::ParameterOutOfRange
        ),
    }
}
