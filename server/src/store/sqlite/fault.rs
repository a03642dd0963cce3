//! Faults on purpose, for tests: a disk that is full or slow.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// What goes wrong. It can be changed while the store runs.
#[derive(Debug, Default)]
pub struct Fault {
    /// Pages that the database may have; 0: as many as it likes.
    pages: AtomicU32,
    /// Milliseconds that each commit takes longer.
    stall: AtomicU64,
}

impl Fault {
    /// What the environment asks a debug build for: `CROSSTALK_FAULT` is `pages:N` or `stall:MS`, or
    /// both with a comma between them. Anything else, and any release build, knows no faults.
    pub fn from_environment() -> Self {
        let fault = Self::default();
        if cfg!(debug_assertions)
            && let Ok(asked) = std::env::var("CROSSTALK_FAULT")
        {
            for part in asked.split(',') {
                match part.split_once(':').map(|(what, number)| (what, number.parse::<u32>())) {
                    Some(("pages", Ok(pages))) => fault.limit_pages(pages),
                    Some(("stall", Ok(milliseconds))) => {
                        fault.stall(Duration::from_millis(milliseconds.into()));
                    }
                    _ => tracing::warn!(part, "CROSSTALK_FAULT is not understood"),
                }
            }
        }
        fault
    }

    /// The disk is full once the database has so many pages; 0: it never is.
    pub fn limit_pages(&self, pages: u32) {
        self.pages.store(pages, Ordering::Relaxed);
    }

    /// Each commit takes so much longer.
    pub fn stall(&self, time: Duration) {
        self.stall.store(time.as_millis() as u64, Ordering::Relaxed);
    }

    pub(super) fn pages(&self) -> u32 {
        self.pages.load(Ordering::Relaxed)
    }

    pub(super) fn stalled(&self) -> Duration {
        Duration::from_millis(self.stall.load(Ordering::Relaxed))
    }
}
