//! Why nothing can be stored at the moment, if so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Shared by the writer, which knows, and whoever asks.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    reason: Mutex<Option<String>>,
    /// Whether the writer is there no longer.
    stopped: AtomicBool,
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
