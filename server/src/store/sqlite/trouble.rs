//! Why nothing can be stored at the moment, if so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two times at which the log says that changes were refused.
const REPORT_TIME: Duration = Duration::from_secs(1);

/// Shared by the writer, which knows, and whoever asks.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    reason: Mutex<Option<String>>,
    /// Whether the writer is there no longer.
    stopped: AtomicBool,
    refused: Mutex<Refused>,
}

/// Changes for which there was no room in the queue.
#[derive(Debug, Default)]
struct Refused {
    /// Since the log last said so.
    count: u64,
    reported_at: Option<Instant>,
}

impl Trouble {
    /// The last write failed.
    pub(super) fn begin(&self, reason: &str) {
        let mut trouble = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        if trouble.is_none() {
            tracing::error!(reason, "nothing can be stored");
        }
        *trouble = Some(reason.to_owned());
    }

    /// The last write did not fail.
    pub(super) fn end(&self) {
        if self.reason.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            tracing::info!("what comes is stored again");
        }
    }

    /// A change was refused, because too much waits already. Nobody may wait for its answer.
    pub(super) fn refuse(&self, kind: &'static str) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.count += 1;
        let now = Instant::now();
        if refused.reported_at.is_none_or(|at| at + REPORT_TIME <= now) {
            tracing::warn!(
                count = refused.count,
                kind,
                "changes were not stored: too much waits to be written"
            );
            *refused = Refused { count: 0, reported_at: Some(now) };
        }
    }

    /// The reason.
    pub(super) fn reason(&self) -> Option<String> {
        if self.stopped.load(Ordering::Acquire) {
            return Some(STOPPED.to_owned());
        }
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Why nothing can be stored for as long as the process lives.
const STOPPED: &str = "the store has stopped; restart the server";

/// The writer has this. When it goes, however it does, there is nobody left who stores.
pub(super) struct AtWork(pub(super) Arc<Trouble>);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Release);
        if std::thread::panicking() {
            tracing::error!("the store has stopped: its writer has panicked; restart the server");
        }
    }
}
