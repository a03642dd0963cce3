//! Why nothing can be stored at the moment, if so.

use std::sync::{Mutex, PoisonError};

/// Shared by the writer, which knows, and whoever asks.
#[derive(Debug, Default)]
pub(super) struct Trouble(Mutex<Option<String>>);

impl Trouble {
    /// The last write failed.
    pub(super) fn begin(&self, reason: &str) {
        let mut trouble = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if trouble.is_none() {
            tracing::error!(reason, "nothing can be stored");
        }
        *trouble = Some(reason.to_owned());
    }

    /// The last write did not fail.
    pub(super) fn end(&self) {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            tracing::info!("what comes is stored again");
        }
    }

    /// The reason.
    pub(super) fn reason(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
